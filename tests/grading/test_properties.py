"""What each property says of an answer that does not have it."""

from collections import Counter

import pytest
import torch

from attention_lab.grading.closeness import same
from attention_lab.grading.exercise import Misconception
from attention_lab.grading.matching import AT_ONCE, Way
from attention_lab.grading.observe import Observation, Question, Slope
from attention_lab.grading.properties import (
    AXIS_LOST,
    BORROWED,
    CHANGES_INPUT,
    CHANGING,
    DETACHED,
    FLAT,
    IMAGES_MIXED,
    between,
    gradients,
    images_apart,
    leaves_input_alone,
    moves,
    parameters,
    sums_to_one,
    together,
    values,
    written_out,
)

QUESTION = Question("probe", (), (), seed=0)
RIGHT = Observation(values={"output": torch.tensor([1.0]), "weights": torch.tensor([2.0])})


values_of_output = values


def test_what_is_right_in_one_filling_by_chance_is_not_right_in_all():
    values = [{"output": torch.tensor([x])} for x in (1.0, 2.0, 3.0)]
    right = Observation(values=values[0], others=values[1:])
    by_chance = Observation(values=values[0], others=[values[1], values[1]])
    assert same(right, right, "output") and not same(by_chance, right, "output")
    failure = values_of_output().failure(by_chance, right, Question("probe", (), (torch.zeros(1),), seed=0))
    assert (failure.got, failure.expected) == ("output[0] = 2", "3")


def test_records_that_are_right_for_different_parameters_do_not_fit_together():
    fits = together("weights", "output").failure
    apart = Observation(
        values={"output": torch.tensor([1.0]), "weights": torch.tensor([0.0])},
        matched={Way(("weights",), AT_ONCE): [{"output": torch.tensor([0.0]), "weights": torch.tensor([4.0])}]},
    )
    right = Observation(
        values=RIGHT.values,
        matched={Way(("weights",), AT_ONCE): [{"output": torch.tensor([3.0]), "weights": torch.tensor([4.0])}]},
    )
    wrong = Observation(values={"output": torch.tensor([0.0]), "weights": torch.tensor([2.0])})
    assert fits(right, right, QUESTION) is None
    assert fits(apart, right, QUESTION).got == "each right for other layers"
    assert fits(wrong, RIGHT, QUESTION) is None  # told by the values alone


def test_an_answer_that_changes_from_call_to_call_is_not_told_that_it_mixes_images_or_cuts_gradients():
    output = torch.tensor([[1.0], [2.0]])
    random = Observation(
        values={"output": output}, repeated=output + 1, alone=output[:1] + 2, slopes=[Slope(1.0, (2.0,))]
    )
    assert images_apart().failure(random, random, QUESTION).meaning is CHANGING
    assert gradients().failure(random, random, QUESTION).meaning is CHANGING


def test_parameters_are_counted_and_those_of_normalisations_apart():
    weights, norm = ("", False, (3,)), ("", True, ())
    values = {"output": torch.zeros(1)}
    expected = Observation(parameters=6, kinds=Counter({weights: 3, norm: 3}), values=values)
    failure = parameters().failure
    assert failure(Observation(parameters=6, kinds=Counter({weights: 3, norm: 3})), expected, QUESTION) is None
    fewer = failure(Observation(parameters=3, arguments="channels=3, reduction=2"), expected, QUESTION)
    assert (fewer.got, fewer.expected) == ("3 for (channels=3, reduction=2)", "6")
    bare = Observation(parameters=6, kinds=Counter({weights: 6}))
    assert failure(bare, expected, QUESTION).got == "no numbers in normalisations"
    by_hand = Observation(parameters=6, kinds=Counter({weights: 6}), values=values)
    assert failure(by_hand, expected, QUESTION) is None  # what does the same is no less a normalisation


def test_an_image_that_loses_an_axis_when_alone_is_not_told_that_it_is_mixed():
    output = torch.rand(2, 3)
    squeezed = Observation(values={"output": output}, repeated=output, alone=output[0])
    mixed = Observation(values={"output": output}, repeated=output, alone=output[:1] + 1)
    assert images_apart().failure(squeezed, squeezed, QUESTION).meaning is AXIS_LOST
    assert images_apart().failure(mixed, mixed, QUESTION).meaning is IMAGES_MIXED


def test_a_call_with_plain_arguments_is_shown():
    asked = Question("probe", (), ([(3, 1, 4)],), seed=0)
    got, right = (Observation(values={"output": torch.tensor(x)}, call="layers=[(3, 1, 4)]") for x in (13, 9))
    told = values().failure(got, right, asked)
    assert (told.got, told.expected) == ("13 for layers=[(3, 1, 4)]", "9")


def test_two_numbers_that_differ_are_never_shown_alike():
    got, right = (Observation(values={"output": torch.tensor([x], dtype=torch.float64)}) for x in (1.00001234, 1.0))
    told = values().failure(got, right, Question("probe", (), (torch.zeros(1),), seed=0))
    assert (told.got, told.expected) == ("output[0] = 1.00001", "1")


def slopes_told(got: list[Slope], expected: list[Slope], right: bool) -> list[Misconception | None]:
    """What the properties say of an answer with these slopes and a right or wrong output."""
    output = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    answer = Observation(values={"output": output}, repeated=output, slopes=got)
    reference = Observation(values={"output": output + (not right)}, repeated=output, slopes=expected)
    failures = [asked.failure(answer, reference, QUESTION) for asked in (gradients(), moves())]
    return [(failure and failure.meaning) or failure for failure in failures]


NOISE = (-4e7, 3.1)  # what finite differences measure where numbers are rounded to float32


def test_a_right_output_has_the_slopes_of_the_right_answer_whatever_is_measured():
    assert slopes_told([Slope(3.0, NOISE)], [Slope(3.0, (3.0, 3.0))], right=True) == [None, None]
    assert slopes_told([Slope(1.0, (3.0, 3.0))], [Slope(3.0, (3.0, 3.0))], right=True) == [DETACHED, None]
    assert slopes_told([Slope(None, (3.0, 3.0))], [Slope(3.0, (3.0, 3.0))], right=True) == [DETACHED, FLAT]


def test_a_wrong_output_is_said_to_be_cut_off_only_where_nothing_flows():
    assert slopes_told([Slope(3.0, (3.0, 8.0))], [Slope(5.0, ())], right=False) == [None, None]
    assert slopes_told([Slope(3.0, (7.0, 3.0))], [Slope(5.0, ())], right=False) == [None, None]
    gradient, _ = slopes_told([Slope(3.0, (7.0, 7.0))], [Slope(5.0, ())], right=False)
    assert (gradient.got, gradient.expected, gradient.meaning) == ("a slope of 3", "7", None)
    assert slopes_told([Slope(None, (7.0, 7.0))], [Slope(5.0, ())], right=False) == [DETACHED, FLAT]


def test_an_argument_that_moves_nothing_is_told():
    assert slopes_told([Slope(1.0, (1.0,)), Slope(0.0, (0.0,))], [Slope(1.0, ()), Slope(0.0, ())], True) == [None, FLAT]


@pytest.mark.parametrize(
    ("found", "holds"), [((0.0, 1.0), True), ((0.2, 0.7), True), ((-0.1, 0.5), False), ((0.5, 1.1), False)]
)
def test_between_means_above_the_lower_and_below_the_upper_bound(found, holds):
    got = Observation(values={"weights": torch.tensor(found)})
    failure = between(0, 1, "weights").failure(got, got, QUESTION)
    assert (failure is None) == holds


def test_every_sum_must_be_one_not_only_the_first():
    right = torch.tensor([[0.25, 0.75], [0.5, 0.5]])
    for weights, holds in ((right, True), (right * torch.tensor([[1], [2]]), False), (right * 2, False)):
        got = Observation(values={"weights": weights})
        assert (sums_to_one("weights", -1).failure(got, got, QUESTION) is None) == holds


def test_a_hook_that_is_left_behind_is_a_change_and_so_is_a_function_that_was_to_be_written():
    left = leaves_input_alone().failure(Observation(changed_input=True), RIGHT, QUESTION)
    assert left.meaning is CHANGES_INPUT
    borrowed = written_out().failure(Observation(borrowed=("softmax",)), RIGHT, QUESTION)
    assert borrowed.got == "a call of softmax" and borrowed.meaning is BORROWED
    assert written_out().failure(Observation(), RIGHT, QUESTION) is None
