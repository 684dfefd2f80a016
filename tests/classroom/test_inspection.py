"""A submission's cells are run apart, and what they do to their process costs the checks concerned."""

import pytest
from nbformat.v4 import new_code_cell

from attention_lab.classroom.inspection import Asked, Inspection, Limits, NoVerdict, asked_in
from attention_lab.classroom.process import warm

RIGHT = "def squeeze(x):\n    return x.mean((2, 3))"
SHAPE, VALUES = Asked("squeeze-shape", "squeeze"), Asked("squeeze-values", "squeeze")


@pytest.fixture
def inspection():
    with Inspection(warm(False).observer, Limits(3, 20, 120), 0) as made:
        yield made


def test_an_answer_is_judged_as_it_stands(inspection):
    with pytest.raises(NameError, match="name 'squeeze' is not defined"):
        inspection.judge(SHAPE)
    inspection.run("def squeeze(x):\n    raise NotImplementedError()")
    assert inspection.judge(SHAPE).stub == "squeeze"
    inspection.run(RIGHT.replace("mean", "amax"))
    assert inspection.judge(SHAPE).passed
    failed = inspection.judge(VALUES)
    assert not failed.passed
    assert failed.misconception.id == "maximum"
    inspection.run(RIGHT)
    assert inspection.judge(VALUES).passed


def test_a_cell_that_ends_the_process_is_left_out(inspection):
    for cell in ("import os", RIGHT, "os._exit(1)", "1 / 0"):
        inspection.run(cell)
    assert inspection.judge(VALUES).passed
    assert inspection.fatal == {2}


def test_a_cell_that_does_not_end_is_stopped(inspection):
    inspection.run(f"{RIGHT}\nwhile True: pass")
    assert inspection.judge(VALUES).passed


DEADLY = {
    "ended the process": "import os\ndef squeeze(x):\n    os._exit(1)",
    "no answer within 20": "import signal, time\ndef squeeze(x):\n    signal.pthread_sigmask(signal.SIG_BLOCK, {14, 27})\n    time.sleep(60)",
    "what came back": """
import socket
def squeeze(x):
    for number in range(3, 99):
        try: socket.socket(fileno=number).sendall(b'x' * 100)
        except OSError: pass
    return x""",
}


@pytest.mark.parametrize("reason", DEADLY)
def test_an_answer_that_harms_its_process_costs_its_check(inspection, reason):
    inspection.run(DEADLY[reason])
    with pytest.raises(NoVerdict, match=reason):
        inspection.judge(VALUES)
    inspection.run(RIGHT)
    assert inspection.judge(VALUES).passed


def test_when_the_time_is_over_nothing_more_is_asked(inspection):
    inspection.end = 0
    with pytest.raises(NoVerdict, match="were over"):
        inspection.judge(VALUES)


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ('check("squeeze-shape", squeeze)', SHAPE),
        ('check("squeeze-shape", squeeze)\nprint(1)', None),
        ('check("squeeze-unknown", squeeze)', None),
        ('check("squeeze-shape", lambda x: x)', None),
        ("assert squeeze(1)", None),
        ("check(", None),
    ],
)
def test_a_test_cell_that_only_checks_is_judged_here(source, asked):
    mark = {"grade": True, "solution": False, "grade_id": "a", "schema_version": 3, "locked": True, "points": 1}
    assert asked_in(new_code_cell(source, metadata={"nbgrader": mark})) == asked
    assert asked_in(new_code_cell(source)) is None


FORGED = {
    "parameters that are none": """
class SqueezeExcitation(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
    def parameters(self, recurse=True):
        return iter([torch.ones(4, 64), torch.ones(4), torch.ones(64, 4), torch.ones(64)])
    def named_parameters(self, *given, **more):
        return ((str(i), p) for i, p in enumerate(self.parameters()))
    def weights(self, x):
        return x.amax((2, 3), keepdim=True).sigmoid()
    def forward(self, x):
        return x * self.weights(x)
""",
    "an observation of its own": """
import attention_lab.grading.witness as w
real = w.observe_all
def observe_all(*given, **more):
    seen = real(*given, **more)
    for one in seen:
        one.without_gradient, one.parameters, one.problems = 0, 580, {}
    return seen
w.observe_all = observe_all
class SqueezeExcitation(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.reduce, self.expand = nn.Linear(channels, channels // reduction), nn.Linear(channels // reduction, channels)
    def weights(self, x):
        return self.expand(self.reduce(x.amax((2, 3))).relu()).sigmoid()[..., None, None]
    def forward(self, x):
        return x * self.weights(x)
""",
    "numbers drawn again from a seed in the frames": """
import sys
class SqueezeExcitation(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.channels, self.hidden = channels, channels // reduction
    def weights(self, x):
        frame = sys._getframe()
        while frame and "question" not in frame.f_locals:
            frame = frame.f_back
        seed = frame.f_locals["question"].seed if frame else 0
        generator = torch.Generator().manual_seed(seed)
        draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64).to(x.dtype)
        hidden = (x.mean((2, 3)) @ draw(self.hidden, self.channels).T + draw(self.hidden)).relu()
        return (hidden @ draw(self.channels, self.hidden).T + draw(self.channels)).sigmoid()[..., None, None]
    def forward(self, x):
        return x * self.weights(x)
""",
}


@pytest.mark.parametrize("forgery", FORGED)
def test_what_a_process_claims_of_itself_earns_no_values(inspection, forgery):
    """Forged claims may reach what right layers without a right computation would: never the values."""
    inspection.run("import torch\nfrom torch import nn")
    inspection.run(FORGED[forgery])
    assert not inspection.judge(Asked("squeeze-excitation-values", "SqueezeExcitation")).passed
