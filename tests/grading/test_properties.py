"""What each property says of an answer that does not have it."""

import math
from collections import Counter

import pytest
import torch
from torch import nn

from attention_lab.grading import properties
from attention_lab.grading.closeness import same
from attention_lab.grading.exercise import Failure, Misconception
from attention_lab.grading.matching import AT_ONCE, Way
from attention_lab.grading.observe import Observation, Problem, Question, Slope, observe
from attention_lab.grading.properties import (
    AXIS_LOST,
    BORROWED,
    CHANGES_INPUT,
    CHANGING,
    DETACHED,
    FLAT,
    GENERAL,
    GRAPH_KEPT,
    HOOK_LEFT,
    IMAGES_MIXED,
    NO_IDENTITY_START,
    OVERWRITTEN,
    UNREGISTERED,
    UNUSED,
    between,
    gradients,
    images_apart,
    leaves_input_alone,
    leaves_no_graph,
    moves,
    of_its_seed,
    original_kept,
    parameters,
    renewed,
    repeatable,
    shape,
    starts_as,
    starts_as_identity,
    sums_to_one,
    the_same_in_training,
    together,
    values,
    written_out,
)
from attention_lab.grading.stand_ins import StandIn

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


def test_a_wrong_output_without_a_slope_is_cut_off_only_where_a_slope_can_be_measured():
    assert slopes_told([Slope(0.0, (3.0, 3.0))], [Slope(3.0, ())], right=False) == [DETACHED, FLAT]
    failure, _ = slopes_told([Slope(0.0, (math.nan, math.nan))], [Slope(3.0, ())], right=False)
    assert isinstance(failure, Failure)


@pytest.mark.parametrize(("coarsest", "near", "far"), [(torch.float64, 1.0005, 1.01), (torch.float32, 1.02, 1.2)])
def test_a_slope_is_right_within_what_its_precision_allows(coarsest, near, far):
    output = torch.ones(2, dtype=torch.float64)
    right = Observation(values={"output": output}, slopes=[Slope(1.0, ())])
    for autograd, meaning in ((near, None), (far, DETACHED)):
        got = Observation(
            values={"output": output}, repeated=output, slopes=[Slope(autograd, NOISE)], coarsest=coarsest
        )
        failure = gradients().failure(got, right, QUESTION)
        assert (failure and failure.meaning) is meaning


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
    assert leaves_input_alone().failure(Observation(hooked=True), RIGHT, QUESTION).meaning is HOOK_LEFT
    borrowed = written_out().failure(Observation(borrowed=("softmax",)), RIGHT, QUESTION)
    assert borrowed.got == "a call of softmax" and borrowed.meaning is BORROWED
    assert written_out().failure(Observation(), RIGHT, QUESTION) is None


def test_in_training_mode_values_that_agree_by_closed_units_say_nothing_of_another_layout():
    closed, row = torch.zeros(2), the_same_in_training()
    expected = Observation(values={"output": closed}, training=closed, layers=[("Linear(3, 2)", 8)])
    expected.kinds = {("", True, False): 4}
    got = Observation(values={"output": closed}, training=torch.ones(2), layers=[("a parameter of shape (8,)", 8)])
    assert row.failure(got, expected, QUESTION).meaning.id == "otherwise-in-training"
    got.layers = [("a parameter of shape (3, 2)", 6), ("a parameter of shape (2,)", 2)]
    assert row.failure(got, expected, QUESTION) is None


def told(asked, got: Observation, expected: Observation, *inputs: object, words: tuple[str, ...] = ()) -> tuple | None:
    failure = asked.failure(got, expected, Question("probe", (), inputs, seed=0, words=words))
    return failure and tuple(failure)


def gives(output, **seen: object) -> Observation:
    return Observation(values={"output": torch.as_tensor(output)}, **seen)


def test_another_shape_is_told_with_that_of_the_input_and_a_batch_of_one_that_lost_its_axis_as_such():
    x = torch.zeros(1, 3, 5, 1)
    wide, lost, other = gives(torch.ones(1, 3, 1)), gives(torch.ones(3)), gives(torch.ones(1, 2))
    assert told(shape(), wide, wide, x) is None
    assert told(shape(), lost, wide, x) == ("(3,) for an input of (1, 3, 5, 1)", "(1, 3, 1)", AXIS_LOST)
    assert told(shape(), other, wide, x) == ("(1, 2) for an input of (1, 3, 5, 1)", "(1, 3, 1)", None)
    assert told(shape(), gives(torch.ones(2, 3)), gives(torch.ones(2, 3, 1)), 3) == ("(2, 3)", "(2, 3, 1)", None)
    assert told(values(), lost, wide, x) == ("shape (3,)", "shape (1, 3, 1)", AXIS_LOST)


def test_values_of_another_kind_and_those_that_are_no_numbers_are_told():
    x = torch.zeros(2)
    assert told(values(), gives([1, 2]), gives([1.0, 2.5]), x) == ("int64 numbers", "the dtype of the input", None)
    assert told(values(), gives([1.0, torch.nan]), gives([1.0, 2.0]), x) == ("nan or inf", "finite numbers", None)
    assert told(values(), gives(2.0), gives(3.0), x) == ("2", "3", None)
    assert told(values(), gives(2.0), gives(3), x)[:2] == ("2", "3")
    assert told(values(), gives([1.0, -9.0]), gives([1.5, 2.0]), x) == ("output[1] = -9", "2", None)
    assert told(values(), gives([1.0, 9.0]), gives([1.0, 2.0]), x) == ("output[1] = 9", "2", None)
    assert values().name == "values of output" and values(name="its own").name == "its own"


def test_right_values_say_nothing_and_a_statement_may_leave_a_larger_tolerance():
    x = torch.zeros(2)
    assert told(values(), gives([1.0, 2.0]), gives([1.0, 2.0]), x) is None
    assert told(values(tolerance=0.1), gives([1.05]), gives([1.0]), x) is None
    assert told(values(tolerance=0.1), gives([1.5]), gives([1.0]), x) == ("output[0] = 1.5", "1", None)


def test_a_wrong_word_is_told_in_words_and_what_stands_beside_it_in_numbers():
    got, right = (Observation(values={"output": torch.tensor(x), "mean": torch.tensor(float(x))}) for x in (0, 1))
    asked = [torch.zeros(2)]
    assert told(values(), got, right, *asked, words=("better", "worse")) == ('"better"', '"worse"', None)
    assert told(values("mean"), got, right, *asked, words=("better", "worse")) == ("0", "1", None)


def test_parameters_that_are_too_few_are_said_to_be_unregistered_only_where_they_are():
    six, norm = Counter({("", False, (3,)): 6}), Counter({("", False, (3,)): 3, ("", True, ()): 3})
    expected = gives(0.0, parameters=6, kinds=norm)
    for hidden, meaning in ((False, None), (True, UNREGISTERED)):
        assert told(parameters(), Observation(parameters=3, unregistered=hidden), expected)[2] is meaning
        assert told(parameters(), Observation(parameters=6, kinds=six, unregistered=hidden), expected)[2] is meaning
    assert told(parameters(), Observation(), expected) == ("0 for ()", "6", UNREGISTERED)
    assert told(parameters(), Observation(parameters=6, kinds=norm), gives(0.0, parameters=6, kinds=six))[:2] == (
        "3 numbers in normalisations",
        "no numbers in normalisations",
    )


def test_of_the_sums_that_are_not_one_the_worst_is_told():
    weights = torch.tensor([[0.5, 0.6], [0.5, -0.5]])
    got = Observation(values={"weights": weights})
    assert told(sums_to_one("weights", -1), got, got) == ("a sum of 0", "1", None)


def test_what_stands_in_the_way_of_a_gradient_is_told():
    right = gives([1.0], parameters=3, slopes=[Slope(1.0, ())])
    assert told(gradients(), gives([1.0]), right) == ("no parameters to learn", "3", UNREGISTERED)
    for message, told_as, meaning in (
        ("modified by an inplace operation", "a tensor overwritten", OVERWRITTEN),
        ("an in-place operation", "a tensor overwritten", OVERWRITTEN),
        ("something else", "RuntimeError: something else", None),
    ):
        problems = {"gradient": Problem("RuntimeError", message)}
        got = gives([1.0], parameters=3, problems=problems)
        assert told(gradients(), got, right) == (told_as, "a gradient", meaning)
        got.changed_input = True
        assert told(gradients(), got, right)[2] is (meaning and CHANGES_INPUT)
    got = gives([1.0], repeated=torch.tensor([1.0]), parameters=3, without_gradient=2, slopes=right.slopes)
    assert told(gradients(), got, right) == ("none for 2 parameters", "a gradient for each parameter", UNUSED)


def test_of_a_wrong_output_in_single_precision_a_slope_says_nothing_unless_there_is_none():
    output = torch.ones(2)
    right = Observation(values={"output": output + 1}, slopes=[Slope(5.0, ())])
    for slope, failure in ((3.0, None), (0.0, ("a slope of 0", "7", DETACHED))):
        slopes = [Slope(slope, (7.0, 7.0))]
        got = Observation(values={"output": output}, repeated=output, slopes=slopes, coarsest=torch.float32)
        assert gradients().failure(got, right, QUESTION) == failure


def test_a_property_is_tested_on_the_probes_and_after_the_calls_that_are_named():
    made = [between(0, 1, "weights", ("a",)), sums_to_one("weights", 1, ("a",)), gradients(("a",)), moves(("a",))]
    made += [shape("weights", ("a",)), values("weights", ("a",)), images_apart(("a",))]
    assert [asked.on for asked in made] == [("a",)] * len(made)
    assert [asked.record for asked in (made[0], made[1], made[4], made[5])] == ["weights"] * 4
    assert leaves_input_alone().record == parameters().record == "build"
    assert together("weights", "output").record == "output"


def test_a_steep_slope_is_right_within_a_part_of_it():
    for autograd, meaning in ((1000.5, None), (1010.0, DETACHED)):
        found = slopes_told([Slope(autograd, NOISE)], [Slope(1000.0, ())], right=True)
        assert found == [meaning, None]


def test_an_answer_that_crashes_does_not_leave_its_input_alone():
    crashed = Observation(problems={"output": Problem("ValueError", "no")})
    assert told(leaves_input_alone(), crashed, RIGHT) == ("ValueError: no", "no error", None)
    assert told(leaves_input_alone(), RIGHT, RIGHT) is None


def test_a_fresh_module_must_give_back_its_input():
    x = torch.rand(2, 3, dtype=torch.float64)
    start = starts_as_identity()
    assert told(start, Observation(fresh=x.float()), RIGHT, x) is None
    assert told(start, Observation(fresh=x + 1), RIGHT, x) == (
        "a fresh module changes x",
        "x itself",
        NO_IDENTITY_START,
    )
    assert told(start, Observation(fresh=x[:1]), RIGHT, x) == ("another shape than that of x", "x itself", None)
    assert told(start, Observation(), RIGHT, x) == ("no output", "x itself", None)


def test_a_second_call_must_give_the_same():
    same_again, other = (gives([1.0], repeated=torch.tensor([x])) for x in (1.0, 2.0))
    assert told(repeatable(), same_again, RIGHT) is None
    assert told(repeatable(), other, RIGHT) == ("another result in the second call", "the same", CHANGING)


def test_images_that_are_mixed_by_a_layer_that_eval_does_not_reach_are_told_so():
    output = torch.rand(2, 3)
    mixed = gives(output, repeated=output, alone=output[:1] + 1, unregistered=True)
    assert told(images_apart(), mixed, mixed)[2] is UNREGISTERED
    apart = gives(output, repeated=output, alone=output[:1])
    assert told(images_apart(), apart, apart) is None


def test_bounds_and_sums_are_told_with_what_was_got():
    got = Observation(values={"weights": torch.tensor([-0.5, 0.25])})
    assert told(between(0, 1, "weights"), got, got) == ("-0.5 to 0.25", "0 to 1", None)


def test_one_number_for_all_images_is_not_asked_about_the_first():
    number = gives(2.0, repeated=torch.tensor(2.0), alone=torch.tensor(3.0))
    assert told(images_apart(), number, number) is None


def test_a_result_that_carries_a_gradient_is_told():
    plain, kept = (Observation(slopes=[Slope(None, ()), Slope(slope, ())]) for slope in (None, 0.0))
    assert told(leaves_no_graph(), plain, plain) is None
    assert told(leaves_no_graph(), kept, plain) == ("an output with a gradient", "plain numbers", GRAPH_KEPT)


def test_of_a_model_that_comes_back_the_first_wrong_number_is_told_by_its_name():
    model = StandIn("trained", (("Linear", 2, 3), ("BatchNorm1d", 3)))
    question = Question("probe", (), (model, ["1"]), seed=0)

    def gave(output: list[int], original: tuple[int, ...] = (0,) * 6, seeds: tuple[int, int] = (1, 1)) -> Observation:
        numbers = {"output": output, "original": original, "seeds": seeds}
        return Observation(values={name: torch.tensor(codes) for name, codes in numbers.items()})

    right = gave([0, 0, 1, 1, 1, 1])
    assert renewed().failure(right, right, question) is None
    left = renewed().failure(gave([0, 0, 1, 1, 0, 0]), right, question)
    assert left[:2] == ("1.running_mean as it was, for names=['1']", "drawn anew")
    assert renewed().failure(gave([1, 0, 1, 1, 1, 1]), right, question)[:2] == (
        "0.weight new, for names=['1']",
        "as it was",
    )
    assert original_kept().failure(right, right, question) is None
    in_place = original_kept().failure(gave([0, 0, 1, 1, 1, 1], (0, 0, 1, 1, 1, 1)), right, question)
    assert in_place[:2] == ("1.weight new in the model itself, for names=['1']", "as it was")
    assert of_its_seed().failure(right, right, question) is None
    for seeds, got in {(0, 1): "other numbers in a second call", (1, 0): "the same numbers for another seed"}.items():
        assert of_its_seed().failure(gave([0] * 6, seeds=seeds), right, question).got.startswith(got)


def test_the_catalogue_has_every_mistake_that_a_property_shows():
    assert {mistake for mistake in vars(properties).values() if isinstance(mistake, Misconception)} == {*GENERAL}


def test_one_of_several_results_of_a_method_is_recorded_by_its_place():
    class Two(nn.Module):
        def weights(self, x):
            return x + 1, x + 2

        def forward(self, x):
            return x

    question = Question("q", (), (torch.ones(2, 3),), 0, of_class=True)
    seen = observe(Two, question, ("weights[1]", "weights[2]", "output"))
    assert seen.values["weights[1]"].eq(3).all()
    assert "must return several tensors" in seen.problems["weights[2]"].message


def test_the_largest_tensor_on_the_way_is_known_a_view_is_none():
    question = Question("q", (), (torch.ones(5, 2), torch.ones(7, 2)), 0, batch=False)
    assert observe(lambda a, b: (a @ b.mT).sum(1), question, ("output",)).largest == 35
    assert (
        observe(lambda a, b: a.expand(100, 5, 2)[0].sum(1) + b.sum(), question, ("output",)).largest == 14
    )  # b itself, no view


@pytest.mark.parametrize(("start", "holds"), [(0.0, True), (1.0, False)])
def test_how_a_fresh_module_starts_is_compared_with_the_right_one(start, holds):
    class Door(nn.Module):
        def __init__(self):
            super().__init__()
            self.gamma = nn.Parameter(torch.full((1,), start))

        def forward(self, x):
            return x + self.gamma

    class Closed(Door):
        def __init__(self):
            super().__init__()
            nn.init.zeros_(self.gamma)

    question = Question("q", (), (torch.ones(2, 3),), 0, of_class=True)
    got, expected = (observe(kind, question, ("output",)) for kind in (Door, Closed))
    failure = starts_as("x", lambda got, expected, question: UNUSED).failure(got, expected, question)
    assert (failure is None) is holds
    assert holds or failure.meaning is UNUSED


def test_where_the_output_is_no_number_the_gradient_is_not_told_as_a_slope():
    got = Observation(values={"output": torch.tensor([math.nan])}, repeated=torch.tensor([math.nan]))
    right = Observation(values={"output": torch.tensor([1.0])})
    failure = gradients().failure(got, right, QUESTION)
    assert (failure.got, failure.expected) == ("nan or inf in the output", "finite numbers")


def test_a_boolean_result_is_told_in_true_and_false():
    question = Question("q", (), (4,), 0)
    got = observe(lambda n: torch.arange(n) > 1, question, ("output",))
    expected = observe(lambda n: torch.arange(n) > 2, question, ("output",))
    failure = values().failure(got, expected, question)
    assert (failure.got.split(" for")[0], failure.expected) == ("output[2] = True", "False")
