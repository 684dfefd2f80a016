"""An answer is asked in a new kernel's state, and the learner's own state is as it was afterwards."""

import pytest
import torch

from attention_lab.grading import check
from attention_lab.grading.kernel import as_new
from attention_lab.mechanisms import SqueezeExcitation


def state() -> dict[str, object]:
    return {
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "anomaly": torch.is_anomaly_enabled(),
        "threads": torch.get_num_threads(),
    }


NEW = state()


@pytest.fixture(params=["gradients off", "inference", "double", "meta", "autocast", "deterministic", "anomaly"])
def changed(request):
    with_gradients, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    context = {
        "inference": torch.inference_mode(),
        "meta": torch.device("meta"),
        "autocast": torch.autocast("cpu", dtype=torch.bfloat16),
    }.get(request.param)
    if context:
        context.__enter__()
    torch.set_grad_enabled(request.param != "gradients off" and torch.is_grad_enabled())
    torch.set_default_dtype(torch.float64 if request.param == "double" else dtype)
    torch.use_deterministic_algorithms(request.param == "deterministic")
    torch.autograd.set_detect_anomaly(request.param == "anomaly")
    yield request.param
    torch.autograd.set_detect_anomaly(False)
    torch.use_deterministic_algorithms(False)
    torch.set_default_dtype(dtype)
    torch.set_grad_enabled(with_gradients)
    if context:
        context.__exit__(None, None, None)


def test_inside_everything_is_as_in_a_new_kernel_and_afterwards_as_before(changed):
    before = state()
    assert before != NEW
    with as_new():
        assert state() == NEW | {"threads": 1}
    assert state() == before


def test_no_check_depends_on_what_a_learner_has_switched(changed):
    for name in ("shapes", "parameters", "values", "gradients"):
        check(f"squeeze-excitation-{name}", SqueezeExcitation, may_borrow=True)


def test_a_default_device_that_is_set_for_good_is_put_aside_too():
    torch.set_default_device("meta")
    try:
        check("squeeze-shape", lambda x: x.mean((2, 3)))
        assert torch.get_default_device().type == "meta"
    finally:
        torch.set_default_device(None)


def test_random_numbers_inside_are_those_of_the_seed_and_outside_go_on_as_if_nothing_was():
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    inside = []
    for _ in range(2):
        with as_new(seed=5):
            inside.append(torch.rand(2))
    assert torch.equal(*inside)
    assert torch.equal(inside[0], torch.rand(2, generator=torch.Generator().manual_seed(5)))
    assert torch.equal(torch.rand(2), expected)


def test_inside_there_is_one_thread_and_afterwards_as_many_as_before():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with as_new():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_that_nondeterminism_is_only_warned_of_stays_so():
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with as_new():
            pass
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_what_was_compiled_before_runs_as_it_was_written():
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    function = torch.compile(lambda x: x + 1, backend=backend)
    with as_new():
        assert function(torch.ones(1)) == 2
    assert not compiled


def test_nothing_is_compiled_inside():
    def function(x):
        return x

    compile = torch.compile
    with as_new():
        assert torch.compile(function) is function and torch.compile(mode="default")(function) is function
    assert torch.compile is compile
