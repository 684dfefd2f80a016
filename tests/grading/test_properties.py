"""What counts as the same, and which properties look at more than one order of an answer's layers."""

import pytest
import torch

from attention_lab.grading.observe import Observation, Question
from attention_lab.grading.properties import (
    CHANGING,
    DETACHED,
    FIRST,
    FLAT,
    close,
    gradients,
    images_apart,
    moves,
    parameters,
    same,
    together,
    values,
)

QUESTION = Question("probe", (), (), seed=0)
RIGHT = Observation(values={"output": torch.tensor([1.0]), "weights": torch.tensor([2.0])})


@pytest.mark.parametrize(
    "value",
    [torch.rand(3, 4), torch.tensor(2.5), torch.zeros(0, 3), torch.arange(5), torch.tensor([0.0, torch.inf])],
    ids=["matrix", "number", "empty", "integers", "infinite"],
)
def test_a_value_is_close_to_itself_in_either_precision(value):
    assert close(value, value)
    assert close(value.double(), value)


def test_one_wrong_value_anywhere_is_not_close():
    expected = torch.rand(3 * FIRST, dtype=torch.float64)
    for place in (0, FIRST - 1, FIRST, 3 * FIRST - 1):
        got = expected.clone()
        got[place] += 1e-4
        assert not close(got, expected)


def test_another_shape_or_another_kind_of_number_is_not_close():
    assert not close(torch.zeros(3, 1), torch.zeros(3))
    assert not close(torch.tensor([1.0, torch.nan]), torch.tensor([1.0, 1.0]))
    assert not close(torch.tensor([1, 2]), torch.tensor([1, 3]))


def test_records_are_the_same_if_one_order_of_the_layers_gives_them_all():
    one_order = Observation(values={"output": torch.tensor([0.0, 1.0]), "weights": torch.tensor([0.0, 2.0])})
    two_orders = Observation(values={"output": torch.tensor([0.0, 1.0]), "weights": torch.tensor([2.0, 0.0])})
    assert same(one_order, RIGHT, "output", "weights")
    assert same(two_orders, RIGHT, "output") and same(two_orders, RIGHT, "weights")
    assert not same(two_orders, RIGHT, "output", "weights")
    assert not same(Observation(values={"output": torch.tensor([1.0])}), RIGHT, "output", "weights")


def test_records_that_are_right_for_different_layers_do_not_fit_together():
    fits = together("weights", "output").failure
    apart = Observation(values={"output": torch.tensor([0.0, 1.0]), "weights": torch.tensor([2.0, 0.0])})
    wrong = Observation(values={"output": torch.tensor([0.0, 0.0]), "weights": torch.tensor([2.0, 0.0])})
    assert fits(RIGHT, RIGHT, QUESTION) is None
    assert fits(apart, RIGHT, QUESTION).got == "each right for other layers"
    assert fits(wrong, RIGHT, QUESTION) is None  # told by the values alone


def test_an_answer_that_changes_from_call_to_call_is_not_told_that_it_mixes_images_or_cuts_gradients():
    output = torch.tensor([[1.0], [2.0]])
    random = Observation(
        values={"output": output[None]}, repeated=output + 1, alone=output[:1] + 2, slopes=[(1.0, 2.0)]
    )
    assert images_apart().failure(random, random, QUESTION).meaning is CHANGING
    assert gradients().failure(random, random, QUESTION).meaning is CHANGING


def test_parameters_that_differ_are_told_by_what_is_too_much_and_what_is_missing():
    batch_norm = [("weight", (3,)), ("bias", (3,)), ("running_mean", (3,)), ("running_var", (3,))]
    got = Observation(keys=batch_norm[:2], parameters=6)
    told = parameters().failure(got, Observation(keys=batch_norm, parameters=6), QUESTION)
    assert told.got == "no running_mean of shape (3,), running_var of shape (3,)"
    assert told.expected == "running_mean of shape (3,), running_var of shape (3,)"
    more = Observation(keys=batch_norm[:1], parameters=3, arguments="channels=3, reduction=2")
    assert parameters().failure(more, got, QUESTION).got == "3 for (channels=3, reduction=2)"


def test_a_call_with_plain_arguments_is_shown():
    asked = Question("probe", (), ([(3, 1, 4)],), seed=0)
    told = values().failure(
        Observation(values={"output": torch.tensor([13])}), Observation(values={"output": torch.tensor([9])}), asked
    )
    assert (told.got, told.expected) == ("13 for [(3, 1, 4)]", "9")


def test_each_argument_needs_a_slope_that_is_true_and_where_asked_not_0():
    output = torch.tensor([[1.0], [2.0]])

    def told(*slopes):
        got = Observation(values={"output": output[None]}, repeated=output, slopes=list(slopes))
        failures = [asked.failure(got, got, QUESTION) for asked in (gradients(), moves())]
        return [failure and failure.meaning for failure in failures]

    assert told((1.0, 1.0), (-3.0, -3.0)) == [None, None]
    assert told((1.0, 1.0), (0.5, 2.0)) == [DETACHED, None]
    assert told((1.0, 1.0), (0.0, 0.0)) == [None, FLAT]
