"""The verdict: what an answer did, held against what right and wrong answers do with the same questions."""

import time
from dataclasses import replace

import pytest
import torch
from torch import nn

from attention_lab.grading.exercise import Check, Exercise, Probe, instead, mistake, normal, steps
from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.judge import Case, Report, ask, judge, judge_all
from attention_lab.grading.matching import EQUAL
from attention_lab.grading.properties import (
    BORROWED,
    UNREGISTERED,
    images_apart,
    parameters,
    shape,
    values,
    written_out,
)
from attention_lab.grading.witness import Witness


class Score(nn.Module):
    """The right answer of a small exercise: weights from a hidden layer, and their product with x."""

    def __init__(self, width: int):
        super().__init__()
        self.hidden, self.score = nn.Linear(width, 4), nn.Linear(4, width)

    def gate(self, scores):
        return scores.sigmoid()

    def weights(self, x):
        return self.gate(self.score(self.hidden(x).relu()))

    def forward(self, x):
        return x * self.weights(x)


EXERCISE = Exercise(
    id="score",
    forms=(Score,),
    records=("weights", "output"),
    probes={
        "two": Probe(lambda g: (normal(g, 2, 6),), build=(6,)),
        "three": Probe(lambda g: (normal(g, 3, 5),), build=(5,)),
    },
    checks={
        "shape": Check(1, (shape("output"),)),
        "parameters": Check(1, (parameters(),)),
        "weights": Check(2, (values("weights"),)),
        "values": Check(3, (values("output"), images_apart())),
    },
    misconceptions=(
        mistake("no-sigmoid", "no sigmoid", "Where is it?", steps(gate=lambda self, scores: scores)),
        mistake("added", "added", "Times or plus?", steps(forward=lambda self, x: x + self.weights(x))),
    ),
    hints=("a", "b", "c"),
    equation="y = sigmoid(MLP(x)) x",
    free_biases=True,
)


def verdict(answer, exercise: Exercise = EXERCISE, seed: int | None = None) -> dict[str, Report]:
    witness = Witness(answer, ask(exercise, seed), exercise.records)
    one_by_one = {check: judge(exercise, check, witness) for check in exercise.checks}
    together = judge_all(exercise, witness)
    assert {check: report.rows for check, report in together.items()} == {c: r.rows for c, r in one_by_one.items()}
    return together


def passed(answer) -> set[str]:
    return {check for check, report in verdict(answer).items() if report.passed}


def named(answer) -> set[str]:
    return {report.misconception.id for report in verdict(answer).values() if report.misconception}


class OneVector(Score):
    """The right function with all numbers in one vector, in an order of its own."""

    def __init__(self, width: int):
        nn.Module.__init__(self)
        self.width, self.numbers = width, nn.Parameter(torch.zeros(8 * width + 4 + width))

    def weights(self, x):
        w2, b1, b2, w1 = self.numbers.split([4 * self.width, 4, self.width, 4 * self.width])
        return self.gate((x @ w1.view(self.width, 4) + b1).relu() @ w2.view(4, self.width) + b2)


def test_a_right_answer_is_right_in_any_layout_and_without_the_biases_that_are_free():
    class NoBiases(Score):
        def __init__(self, width: int):
            super().__init__(width)
            self.hidden.bias = self.score.bias = None

    for answer in (Score, OneVector, NoBiases):
        assert passed(answer) == set(EXERCISE.checks)
        assert named(answer) == set()


def test_a_mistake_is_named_in_any_layout_and_what_holds_keeps_its_points():
    for layout in (Score, OneVector):
        raw = type("Raw", (layout,), {"gate": lambda self, scores: scores})
        assert named(raw) == {"no-sigmoid"}
        assert passed(raw) == {"shape", "parameters"}
        added = type("Added", (layout,), {"forward": lambda self, x: x + self.weights(x)})
        assert named(added) == {"added"}
        assert passed(added) == {"shape", "parameters", "weights"}


def test_a_mistake_takes_the_exercises_equation_unless_it_has_its_own():
    own = mistake("own", "own", "own?", equation="its own")
    exercise = Exercise(
        "e", (Score,), {}, {}, ("", "", ""), equation="common", misconceptions=(own, mistake("x", "x", "x?"))
    )
    assert [m.equation for m in exercise.misconceptions] == ["its own", "common"]


def test_every_coding_of_a_mistake_is_recognised():
    two = mistake("two", "two ways", "Which?", instead(lambda x: x + 1), instead(lambda x: x - 1))
    probes = {"one": Probe(lambda g: (normal(g, 3),))}
    exercise = Exercise(
        "plain", (lambda x: x,), probes, {"values": Check(1, (values(),))}, ("", "", ""), misconceptions=(two,)
    )
    for answer in (lambda x: x + 1, lambda x: x - 1):
        assert verdict(answer, exercise)["values"].misconception.id == "two"
    assert verdict(lambda x: (x * 3).cos(), exercise)["values"].misconception is None


def test_the_same_seed_asks_the_same_and_none_asks_anew():
    first, again, other, fresh = (ask(EXERCISE, seed) for seed in (1, 1, 2, None))
    assert torch.equal(first[0].inputs[0], again[0].inputs[0]) and first[0].seed == again[0].seed
    assert not torch.equal(first[0].inputs[0], other[0].inputs[0])
    assert not torch.equal(fresh[0].inputs[0], ask(EXERCISE)[0].inputs[0])


def test_the_first_failing_probe_is_told_and_a_passing_property_says_nothing():
    class WrongForFive(Score):
        def forward(self, x):
            return super().forward(x) * (2 if x.shape[1] == 5 else 1)

    row, _ = verdict(WrongForFive)["values"].rows
    assert not row.passed and "output[" in row.got
    assert [row.passed for row in verdict(WrongForFive)["shape"].rows] == [True]


def test_nothing_passes_untested():
    nowhere = Exercise(
        "nowhere",
        (lambda x: x,),
        {"one": Probe(lambda g: (normal(g, 3),))},
        {"v": Check(1, (values(on=("two",)),))},
        ("",) * 3,
    )
    with pytest.raises(RuntimeError, match="asked on no probe"):
        verdict(lambda x: x, nowhere)
    empty = Exercise("empty", (lambda x: x,), nowhere.probes, {"v": Check(1, ())}, ("",) * 3)
    assert not verdict(lambda x: x, empty)["v"].passed


def test_a_reference_that_fails_is_said_to_be_the_courses_own_fault():
    def broken(x):
        raise ValueError("broken")

    exercise = Exercise(
        "b", (broken,), {"one": Probe(lambda g: (normal(g, 3),))}, {"v": Check(1, (values(),))}, ("",) * 3
    )
    with pytest.raises(RuntimeError, match="no fault of yours"):
        verdict(lambda x: x, exercise)


def test_a_wrong_answer_is_looked_at_once_more_only_where_the_layout_may_be_all_that_differs():
    def closer_looks(answer) -> int:
        class Counting(Witness):
            looks = 0

            def matched(self, way, questions):
                self.looks += way.interchangeable != EQUAL
                return super().matched(way, questions)

        witness = Counting(answer, ask(EXERCISE), EXERCISE.records)
        _ = Case(EXERCISE, witness).expected
        return witness.looks

    class Other(Score):
        def weights(self, x):
            return self.score(self.hidden(x).tanh()).sigmoid()

    assert closer_looks(Score) == closer_looks(Other) == 0
    assert closer_looks(OneVector) == len(EXERCISE.probes)


def test_the_slopes_of_a_wrong_answer_are_measured_once_for_all_its_checks_and_those_of_a_right_one_never():
    class Counting(Witness):
        def measured(self, questions):
            asked.extend(question.name for question in questions)
            return super().measured(questions)

    asked: list[str] = []
    exercise = EXERCISES["squeeze"]
    for answer, measured in ((lambda x: x.mean((2, 3)), []), (lambda x: x.amax((2, 3)), ["wide", "tall"])):
        witness = Counting(answer, ask(exercise), exercise.records)
        for check in exercise.checks:
            judge(exercise, check, witness)
        assert asked == measured  # a map of one pixel has one value: there the maximum is right


def plain(right, *misconceptions, records: tuple[str, ...] = ("output",), **more) -> Exercise:
    """An exercise about a function of x, and maybe of y."""
    probes = {name: Probe(lambda g, n=n: (normal(g, n, 4),)) for n, name in enumerate(("two", "three"), 2)}
    checks = {record: Check(1, (values(record),)) for record in records}
    return Exercise(
        "plain", (right,), probes, checks, ("",) * 3, records=records, misconceptions=misconceptions, **more
    )


def test_a_crash_is_told_with_its_call_and_costs_what_it_concerns():
    class Crashes(Score):
        def forward(self, x):
            return x @ x

    reports = verdict(Crashes)
    assert {check for check, report in reports.items() if report.passed} == {"parameters", "weights"}
    (row,) = reports["shape"].rows
    assert row.problem.kind == "RuntimeError" and row.expected == "no error"
    assert row.got == f"{row.problem} (for x (2, 6))"


def test_of_a_crash_that_nothing_explains_nothing_is_told():
    def odd(x):
        if x.ndim:
            raise ValueError("odd")

    assert verdict(odd, plain(lambda x: x))["output"].misconception is None


def test_a_stub_is_told_as_such_and_as_nothing_else():
    class Stub(Score):
        def forward(self, x):
            raise NotImplementedError()

    for check in ("shape", "values"):
        assert verdict(Stub)[check].stub.endswith("Stub.forward")
        assert verdict(Stub)[check].misconception is None
    assert verdict(Stub)["weights"].passed


def test_two_mistakes_at_once_are_named_together():
    raw_and_added = {"gate": lambda self, scores: scores, "forward": lambda self, x: x + self.weights(x)}
    both = verdict(type("Both", (Score,), raw_and_added))["values"].misconception
    assert (both.id, both.name, both.question) == ("no-sigmoid+added", "no sigmoid; and added", "Where is it?")


def test_of_two_mistakes_first_those_are_tried_whose_parameters_add_up(monkeypatch):
    monkeypatch.setattr("attention_lab.grading.judge.SECONDS_OF_PAIRS", 0)

    class InSteps(Score):
        def __init__(self, width: int):
            nn.Module.__init__(self)
            self.hidden, self.score = nn.Linear(width, self.wide()), nn.Linear(self.wide(), width)

        def wide(self):
            return 4

    wide = mistake("wide", "too wide", "How wide?", steps(wide=lambda self: 5))
    exercise = replace(EXERCISE, forms=(InSteps,), misconceptions=(*EXERCISE.misconceptions, wide))
    raw_and_wide = {"gate": lambda self, scores: scores, "wide": lambda self: 5}
    told = verdict(type("Both", (InSteps,), raw_and_wide), exercise)
    assert told["parameters"].misconception.id == "no-sigmoid+wide"


def test_what_looks_like_a_mistake_only_while_all_numbers_are_alike_is_not_named():
    class Turned(Score):
        def gate(self, scores):
            return scores

        def forward(self, x):
            return x + self.weights(x).flip(1)

    assert not named(Turned) & {"added", "no-sigmoid+added"}


def test_a_mistake_is_named_also_where_it_has_no_gradient():
    class Overwrites(Score):
        def gate(self, scores):
            return scores.exp().mul_(1).log()

    assert verdict(Overwrites)["values"].misconception.id == "no-sigmoid"


def test_a_mistake_that_crashes_is_known_by_its_error():
    dot = mistake("dot", "dot", "Why?", instead(lambda x: x @ x))
    cat = mistake("cat", "cat", "Why?", instead(lambda x: torch.cat([x, x[0]])))
    exercise = plain(lambda x: x * 2, dot, cat)
    assert verdict(lambda x: torch.cat([x, x[0]]), exercise)["output"].misconception.id == "cat"
    assert verdict(lambda x: x @ x, exercise)["output"].misconception.id == "dot"
    assert verdict(lambda x: x.no_such_thing, exercise)["output"].misconception.id not in ("dot", "cat")


def test_the_line_whose_change_makes_it_right_is_told():
    def scaled(x):
        size = x.sum(1)
        return x / size[:, None]

    told = verdict(scaled, plain(lambda x: x / x.mean(1, keepdim=True)))["output"].misconception
    assert "x.sum(1)" in told.name


def test_what_the_values_have_to_do_with_the_right_ones_is_told_with_the_exercises_equation():
    told = verdict(lambda x: x * 3, plain(lambda x: x, equation="y = x"))["output"].misconception
    assert (told.name, told.equation) == ("every value is 3 times what it should be", "y = x")
    counts = plain(lambda x: (x.shape[0], x.shape[1]), records=("rows", "output"))
    assert verdict(lambda x: (x.shape[0], 2 * x.shape[1]), counts)["output"].misconception is None
    assert verdict(lambda x: (x.shape[0], x.shape[1]), counts)["output"].passed


def test_layers_in_a_list_and_a_borrowed_function_are_told_where_nothing_else_is():
    class Listed(Score):
        def __init__(self, width: int):
            super().__init__(width)
            self.parts = [self.hidden, nn.Linear(width, width).double()]

        def forward(self, x):
            return (x.cos() * self.weights(x)).cos()

    assert verdict(Listed)["values"].misconception is UNREGISTERED
    exercise = plain(lambda x: x.exp() / x.exp().sum(1, keepdim=True), forbidden=("softmax",))
    exercise.checks["own"] = Check(1, (written_out(),))
    reports = verdict(lambda x: x.softmax(0).cos(), exercise)
    assert reports["own"].misconception is BORROWED and reports["output"].misconception is BORROWED


def test_an_argument_that_is_never_read_and_a_layer_made_in_every_call_are_told():
    def without_y(x, y):
        return (x.cos() + 2).sin()

    def crashing_without_y(x, y):
        return x @ x

    probes = {name: Probe(lambda g, n=n: (normal(g, n, 4), normal(g, n, 4))) for n, name in enumerate("ab", 2)}
    exercise = Exercise("two", (lambda x, y: x * y.exp(),), probes, {"output": Check(1, (values(),))}, ("",) * 3)
    assert verdict(without_y, exercise)["output"].misconception.id == "unused-argument"
    assert verdict(crashing_without_y, exercise)["output"].misconception.id == "unused-argument"

    class MadeInCalls(Score):
        def weights(self, x):
            return nn.Linear(x.shape[1], x.shape[1]).to(x.dtype)(x).sigmoid()

    assert verdict(MadeInCalls)["weights"].misconception.id == "made-in-calls"


def test_a_changed_answer_that_never_ends_is_stopped_soon():
    def endless(x):
        while True:
            x = x.mean() + 1

    witness = Witness(endless, ask(plain(lambda x: x), 0), ("output",))
    start = time.process_time()
    (seen, _) = witness.changed(witness.changes()[0], witness.questions)
    assert "does a loop never end?" in str(seen.problems["build"]) and time.process_time() - start < 4
