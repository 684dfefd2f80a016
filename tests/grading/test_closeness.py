"""What counts as the same value, and as the same values for the same parameters."""

import pytest
import torch

from attention_lab.grading.closeness import close, same
from attention_lab.grading.matching import AT_ONCE, EQUAL, Way
from attention_lab.grading.observe import Observation

RIGHT = Observation(values={"output": torch.tensor([1.0]), "weights": torch.tensor([2.0])})


@pytest.mark.parametrize(
    "value",
    [
        torch.rand(3, 4),
        torch.tensor(2.5),
        torch.zeros(0, 3),
        torch.arange(5),
        torch.tensor([0.0, torch.inf]),
        torch.tensor([torch.nan, 1]),
    ],
    ids=["matrix", "number", "empty", "integers", "infinite", "not a number"],
)
def test_a_value_is_close_to_itself_in_either_precision(value):
    assert close(value, value)
    assert close(value.double(), value)


def test_one_wrong_value_anywhere_is_not_close():
    expected = torch.rand(60, dtype=torch.float64)
    for place in (0, 30, 59):
        got = expected.clone()
        got[place] += 1e-4
        assert not close(got, expected)


@pytest.mark.parametrize(("dtype", "near", "far"), [(torch.float64, 1e-7, 1e-5), (torch.float32, 1e-4, 1e-2)])
def test_the_tolerance_is_relative_to_the_largest_value_and_fits_the_precision(dtype, near, far):
    expected = 100 * torch.rand(60, dtype=torch.float64) + 1
    assert close((expected + near * expected.max()).to(dtype), expected)
    assert not close((expected + far * expected.max()).to(dtype), expected)
    assert not close(expected + 1e-4 * expected.max(), expected)
    assert close(expected + 1e-4 * expected.max(), expected, coarsest=torch.float32)
    assert not close((expected * (1 + far)).to(dtype), expected)


def test_the_largest_value_is_so_by_its_size_whatever_its_sign():
    expected = torch.tensor([-100.0, 0.0], dtype=torch.float64)
    assert close(expected + 1e-5, expected)


def test_of_half_precision_a_hundredth_is_asked_and_of_whole_numbers_that_they_are_the_same():
    expected = torch.ones(3)
    assert close((expected + 0.005).bfloat16(), expected) and not close((expected + 0.05).bfloat16(), expected)
    assert not close(torch.tensor([1000]), torch.tensor([1001]))


def test_what_is_as_good_as_zero_may_be_zero():
    assert close(torch.zeros(3, dtype=torch.float64), torch.full((3,), 3e-21, dtype=torch.float64))
    assert not close(torch.zeros(3, dtype=torch.float64), torch.full((3,), 3e-6, dtype=torch.float64))
    assert not close(torch.zeros(3), torch.full((3,), 5e-8))


def test_another_shape_or_another_kind_of_number_is_not_close():
    assert not close(torch.zeros(3, 1), torch.zeros(3))
    assert not close(torch.tensor([1.0, torch.nan]), torch.tensor([1.0, 1.0]))
    assert not close(torch.tensor([1, 2]), torch.tensor([1, 3]))


def matched(output: float, weights: float, as_run: float = -1) -> Observation:
    """An answer that gives these values with its parameters told apart by the output, others as its layers run."""
    values = {"output": torch.tensor([output]), "weights": torch.tensor([weights])}
    return Observation(
        values=dict.fromkeys(values, torch.tensor([float(as_run)])), matched={Way(("output",), AT_ONCE): [values]}
    )


def test_records_are_the_same_if_the_same_parameters_give_them_all():
    right = matched(1.0, 2.0, as_run=5)
    assert same(RIGHT, RIGHT, "output", "weights")
    assert same(matched(1.0, 2.0), right, "output", "weights")
    assert not same(matched(1.0, 3.0), right, "output", "weights")
    assert same(matched(1.0, 3.0), right, "output") and not same(matched(1.0, 3.0), right, "weights")
    assert not same(Observation(values={"output": torch.tensor([1.0])}), RIGHT, "output", "weights")
    assert not same(matched(1.0, 2.0), RIGHT, "output")  # whose own have not been told apart


def test_what_agrees_while_interchangeable_parameters_are_equal_is_not_yet_the_same():
    equal = {Way(("output",), EQUAL): [{"output": torch.tensor([1.0])}]}
    got, right = (Observation(values={"output": torch.tensor([x])}, matched=equal) for x in (2.0, 3.0))
    assert not same(got, right, "output")


def test_what_only_one_of_two_answers_gives_is_not_the_same():
    less = Observation(values={"output": RIGHT.values["output"]})
    assert same(less, RIGHT, "output") and same(RIGHT, less, "output")
    assert not same(less, RIGHT, "weights") and not same(RIGHT, less, "weights")
