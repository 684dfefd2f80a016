"""A stub that raises is told by its name, in one line."""

import pytest
from IPython.core.interactiveshell import InteractiveShell

from attention_lab.grading.stub import keep_short, stub_name


def squeeze(x):
    raise NotImplementedError()


class Gate:
    def forward(self, x):
        raise NotImplementedError()


@pytest.mark.parametrize(("call", "name"), [(squeeze, "squeeze"), (Gate().forward, "Gate.forward")])
def test_the_stub_that_raised_is_named(call, name):
    with pytest.raises(NotImplementedError) as raised:
        (lambda: call(1))()
    assert stub_name(raised.value) == name


@pytest.mark.parametrize(
    ("error", "told"), [("NotImplementedError()", "f is still a stub"), ("NotImplementedError('later')", "later")]
)
def test_a_notebook_shows_one_line(error, told, monkeypatch):
    shell, shown = InteractiveShell(), []
    monkeypatch.setattr(shell, "_showtraceback", lambda kind, error, lines: shown.append(lines))
    keep_short(shell)
    shell.run_cell(f"def f():\n    raise {error}\nf()")
    ((line,),) = shown
    assert line.startswith("NotImplementedError: ") and told in line
