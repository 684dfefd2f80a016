"""Judge: compare what an answer did with what the right answers do on the same questions. Runs no untrusted code."""

import contextlib
import inspect
import itertools
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

import torch
from torch import Generator

from .biases import bare, sizes, without_biases
from .changes import Change
from .closeness import close_in, same
from .earlier import IN_PLACE_OF
from .exercise import Coding, Exercise, Misconception, Property, steps
from .matching import AT_ONCE, EQUAL, ONE_BY_ONE, Way
from .observe import FILLINGS, Look, Observation, Problem, Question, Values, observe, observe_in
from .properties import BORROWED, CERTAIN, UNREGISTERED
from .relations import Pair, relation
from .report import EARLIER, FOLLOW_THROUGH
from .symptoms import of_change, of_error, of_layers, of_made_in_calls, of_unused
from .witness import Witness

SECONDS_OF_CHANGES = 0.25  # of computing, for changes of the learner's code that are tried
SECONDS_OF_PAIRS = 0.1  # for two mistakes at once
SECONDS_OF_MATCHING = 0.3  # for mistakes in an answer whose parameters lie in another layout


@dataclass(frozen=True)
class Row:
    """One property of an answer: whether it holds, and if not what was got and expected."""

    name: str
    passed: bool
    got: str = ""
    expected: str = ""
    problem: Problem | None = None
    meaning: Misconception | None = None


@dataclass(frozen=True)
class Report:
    """The verdict on one check.

    points: what it gives if every property holds.
    rows: the properties.
    stub: the function that was not yet written, if the check fails and there is one.
    misconception: what is behind the failure, if known.
    """

    id: str
    points: int
    rows: tuple[Row, ...]
    stub: str | None = None
    misconception: Misconception | None = None

    @property
    def passed(self) -> bool:
        return bool(self.rows) and all(row.passed for row in self.rows)

    @property
    def follows_through(self) -> bool:
        """Whether all would hold if the earlier answers that are called were right."""
        return self.misconception is not None and self.misconception.id == FOLLOW_THROUGH


def ask(exercise: Exercise, seed: int | None = None) -> list[Question]:
    """The exercise's probes with their numbers drawn: fresh ones, or those of a seed."""
    generator = Generator("cpu").manual_seed(secrets.randbits(63) if seed is None else seed)
    return [
        Question(
            name,
            probe.build,
            probe.inputs(generator),
            int(torch.randint(2**31, (), generator=generator)),
            inspect.isclass(exercise.forms[0]),
            exercise.differentiates,
            exercise.forbidden,
            exercise.words,
            exercise.of_model,
            exercise.batch,
        )
        for name, probe in exercise.probes.items()
    ]


def judge(exercise: Exercise, check: str, witness: Witness) -> Report:
    """The verdict on one check of an exercise, from what an answer did with the questions."""
    return verdict(Case(exercise, witness), check)


def judge_all(exercise: Exercise, witness: Witness, trusted: "Trusted | None" = None) -> dict[str, Report]:
    """The verdicts on all checks of an exercise: the right answer is looked at once for all of them."""
    case = Case(exercise, witness, trusted)
    return {check: verdict(case, check) for check in exercise.checks}


def verdict(case: "Case", check: str) -> Report:
    """The verdict on one check; where it fails, with the best explanation that is found."""
    exercise, witness = case.exercise, case.witness
    properties = exercise.checks[check].properties
    rows = tuple(case.row(asked) for asked in properties)
    report = Report(f"{exercise.key}-{check}", exercise.checks[check].points, rows)
    if report.passed:
        return report
    problems = [problem for seen in witness.seen for problem in seen.problems.values()]
    if stub := next((problem.message for problem in problems if problem.stub), None):
        return replace(report, stub=stub)
    if any(problem.late for problem in problems):
        return report
    if case.failing_earlier:
        return replace(report, misconception=case.of_earlier(properties))
    first, *others = [row.meaning for row in rows if not row.passed] or [None]
    if first in CERTAIN and all(other in CERTAIN for other in others):
        return replace(report, misconception=first)
    on = {name for asked, row in zip(properties, rows) if not row.passed for name in asked.on or exercise.probes}
    everywhere = set(exercise.probes)
    named = case.misconception(everywhere) or (case.misconception(on) if on < everywhere else None)
    searched = named or first or case.made_in_calls() or case.change or case.two_misconceptions or case.symptom(on)
    return replace(report, misconception=searched or next(filter(None, others), None))


@dataclass
class Looks:
    """What a trusted answer did with one question, each way that somebody looked.

    values: by how often the rows were filled. whole: with all that a right answer is asked for.
    matched: by the way in which the parameters were told apart, which is done once, however often the rows are filled.
    """

    values: dict[int, Observation] = field(default_factory=dict)
    whole: Observation | None = None
    matched: dict[Way, list[Values]] = field(default_factory=dict)


Trusted = dict[tuple[Callable, str], Looks]


class Case:
    """What an answer did, beside what right and wrong answers do with the same questions.

    trusted: what those did, where another answer was asked the same before.
    """

    def __init__(self, exercise: Exercise, witness: Witness, trusted: Trusted | None = None):
        self.exercise = exercise
        self.witness = witness
        self.questions = witness.questions
        self.seen = witness.seen
        self.looked: dict[tuple[Way, str], bool] = {}
        self.mistakes: dict[frozenset[str], tuple[Misconception, Callable] | None] = {}
        self.trusted = {} if trusted is None else trusted

    @cached_property
    def expected(self) -> list[Observation]:
        """What the right answer does that is most like this one."""
        versions = self.rights(self.seen[0].parameters) or [self.as_biased(form) for form in self.exercise.forms]
        for question in self.questions:  # mostly the answer is like the first: then no other is looked at
            self.looks(versions[0], question).values[FILLINGS] = self.whole(versions[0], question)
        ranked = {versions[0]: self.likeness(versions[0])}
        for version in self.nearest(versions) if ranked[versions[0]][0] != self.likeness_of_right else ():
            ranked[version] = self.likeness(version)
            if ranked[version][0] == self.likeness_of_right:
                break
        for way in self.ways:
            if max(ranked.values())[0] == self.likeness_of_right:
                break
            best = max(ranked, key=ranked.get)
            hopeful = [version for version in versions if self.may_gain(version, best, way.records)]
            promising = [version for version in hopeful if self.may_match(version) and self.agrees_first(version, way)]
            ranked |= {version: self.likeness(version, way) for version in promising}
        best = max(ranked, key=ranked.get)
        expected = list(self.of(best))
        if best is not versions[0]:
            for number, question in enumerate(self.questions):
                expected[number] = self.whole(best, question)
                expected[number].matched = self.looks(best, question).matched
        for problem in (problem for right in expected for problem in right.problems.values()):
            raise RuntimeError(
                f"the course's own answer to {self.exercise.key} fails, which is no fault of yours: {problem}"
            )
        return expected

    def whole(self, trusted: Callable, question: Question) -> Observation:
        """What a trusted answer is asked for; that it works in float32 too need not be seen each time."""
        looks = self.looks(trusted, question)
        if looks.whole is None:
            looks.whole = observe_in(torch.float64, trusted, question, self.exercise.records, Look.SLOPES)
        return looks.whole

    def looks(self, trusted: Callable, question: Question) -> Looks:
        return self.trusted.setdefault((trusted, question.name), Looks())

    def versions(self, trusted: Callable, parameters: int) -> Iterable[Callable]:
        """A trusted answer, without so many free biases that it has so many parameters, each way."""
        if (free := self.exercise.free_biases) and inspect.isclass(trusted):
            within = free if isinstance(free, str) else ""
            return without_biases(trusted, self.questions[0].build, parameters, within)
        return (trusted,)

    def rights(self, parameters: int) -> list[Callable]:
        return [version for form in self.exercise.forms for version in self.versions(form, parameters)]

    def as_biased(self, form: Callable) -> Callable:
        """A right answer without its free biases if this answer has none; as it is otherwise."""
        if not (free := self.exercise.free_biases) or any(
            not (role or norm or row) for role, norm, row in self.seen[0].kinds
        ):
            return form
        return bare(form, self.questions[0].build, free if isinstance(free, str) else "")

    def of(self, trusted: Callable, *ways: Way, fillings: int = FILLINGS) -> Iterator[Observation]:
        """What a trusted answer does with the questions, observed as far as somebody looks."""
        for question in self.questions:
            for way in ways:
                self.closer(way, question)
            yield self.one_of(trusted, question, *ways, fillings=fillings)

    def one_of(self, trusted: Callable, question: Question, *ways: Way, fillings: int = FILLINGS) -> Observation:
        """Also with its parameters told apart in these ways, where that is possible for the answer."""
        looks, filled = self.looks(trusted, question), fillings if question.of_class else FILLINGS
        looked = (way for way in ways if self.looked.get((way, question.name)))
        missing = tuple(way for way in looked if way not in looks.matched)
        if filled not in looks.values or missing:
            again = observe(trusted, question, self.exercise.records, Look.VALUES, match=missing, fillings=fillings)
            looks.values.setdefault(filled, again)
            looks.matched |= again.matched
        seen = looks.values[filled]
        seen.matched = looks.matched
        return seen

    def nearest(self, versions: list[Callable]) -> list[Callable]:
        """First those that are most like the answer while all their numbers are alike, wherever those are kept."""
        return sorted(versions, key=self.likeness_alike, reverse=True)

    def likeness_alike(self, right: Callable) -> int:
        pairs = zip(self.seen, self.of(right, fillings=0))
        return sum(
            close_in(got.alike, other.alike, record, got.coarsest) for got, other in pairs for record in other.alike
        )

    def likeness(self, right: Callable, *ways: Way) -> tuple[int, int, int]:
        """How many values are the same, how near the numbers of parameters are, and how many shapes are the same."""
        records = self.exercise.records
        pairs = list(zip(self.seen, self.of(right, *ways)))
        return (
            sum(same(got, expected, record) for got, expected in pairs for record in records),
            -sum(abs(got.parameters - expected.parameters) for got, expected in pairs),
            sum(shape_of(got, record) == shape_of(expected, record) for got, expected in pairs for record in records),
        )

    @property
    def likeness_of_right(self) -> int:
        return len(self.questions) * len(self.exercise.records)

    def may_gain(self, trusted: Callable, best: Callable, records: tuple[str, ...]) -> bool:
        """Whether a record that differs from the best so far is, with all numbers alike, as this trusted answer has it."""
        return any(
            not same(got, self.one_of(best, question), record)
            and close_in(got.alike, other.alike, record, got.coarsest)
            for question, got, other in zip(self.questions, self.seen, self.of(trusted, fillings=0))
            for record in records
        )

    def may_match(self, trusted: Callable) -> bool:
        """Whether perhaps only the layout of the parameters differs from a trusted answer's.

        Then the first record that differs is equal with all numbers alike, and with interchangeable ones.
        """
        differing = False
        for question, got in zip(self.questions, self.seen):
            other = self.one_of(trusted, question, fillings=1)
            recorded = [record for record in self.exercise.records if record in got.values or record in other.values]
            record = next((record for record in recorded if not same(got, other, record)), None)
            if record:
                differing, way = True, Way((record,), EQUAL)
                if not close_in(got.alike, other.alike, record, got.coarsest) or not self.closer(way, question):
                    return False
                other = self.one_of(trusted, question, way, fillings=1)
                fillings = zip(got.matched.get(way, []), other.matched.get(way, []))
                agreeing = [close_in(ours, theirs, record) for ours, theirs in fillings]
                if not agreeing or not all(agreeing):
                    return False
        return differing

    @property
    def ways(self) -> list[Way]:
        """How the parameters can be told apart: by all records at once; where some are wrong, by each of them alone."""
        records = self.exercise.records
        alone = [Way((record,), AT_ONCE) for record in records] if len(records) > 1 else []
        return [Way(records, AT_ONCE), Way(records, ONE_BY_ONE), *alone]

    def closer(self, way: Way, question: Question) -> bool:
        """Look at the answer once more, with its parameters told apart by what they do; whether that was possible."""
        looked = way, question.name
        if looked not in self.looked:
            (again,) = self.witness.matched(way, [question])
            self.seen[self.questions.index(question)].matched |= again.matched
            self.looked[looked] = bool(again.matched)
        return self.looked[looked]

    def agrees_first(self, trusted: Callable, way: Way) -> bool:
        """Whether parameters told apart in this way give a trusted answer's values in the first question that can tell."""
        first = next((i for i, got in enumerate(self.seen) if got.values and self.closer(way, self.questions[i])), None)
        if first is None:
            return False
        right, got = self.one_of(trusted, self.questions[first], way), self.seen[first]
        fillings = list(zip(got.matched[way], right.matched.get(way, [])))
        return any(
            all(close_in(ours, theirs, record, got.coarsest) for ours, theirs in fillings) for record in way.records
        )

    def row(self, asked: Property) -> Row:
        """The property on the first probe where it fails."""
        tested = 0
        for question, got, expected in zip(self.questions, self.seen, self.expected, strict=True):
            if asked.on and question.name not in asked.on:
                continue
            problem = got.problems.get("build") or got.problems.get(asked.record)
            if problem:
                told = f"{problem} (for {got.call})" if problem.kind and got.call else str(problem)
                return Row(asked.name, False, told, "no error", problem)
            if asked.of_slopes:
                self.measure_slopes(got, expected, question)
            if failure := asked.failure(got, expected, question):
                return Row(asked.name, False, failure.got, failure.expected, meaning=failure.meaning)
            tested += 1
        if not tested:
            raise RuntimeError(f"{asked.name} of {self.exercise.key} was asked on no probe: nothing may pass untested")
        return Row(asked.name, True)

    def measure_slopes(self, got: Observation, expected: Observation, question: Question) -> None:
        """Where the output is not right, since the right answer's slopes say nothing of this one's then."""
        measured = any(slope.measured for slope in got.slopes)  # for another check, or beside other right answers
        if got.slopes and not measured and not close_in(got.values, expected.values, "output", got.coarsest):
            got.slopes = self.witness.measured([question])[0].slopes or got.slopes

    def misconception(self, on: set[str]) -> Misconception | None:
        """The first misconception that does on these probes what this answer did; none if that is right."""
        found = self.mistake(on)
        return found and found[0]

    def mistake(self, on: set[str]) -> tuple[Misconception, Callable] | None:
        """The same, and the answer that makes it; looked for once, however many checks ask."""
        if (probes := frozenset(on)) not in self.mistakes:
            self.mistakes[probes] = self.found_mistake(on)
        return self.mistakes[probes]

    def found_mistake(self, on: set[str]) -> tuple[Misconception, Callable] | None:
        """A right answer with that mistake in it: its numbers lie as this answer's do or, looked at then, in other places."""
        if self.agrees(self.expected, on) or (on < set(self.exercise.probes) and self.gives_zeros(on)):
            return None
        wrong = [
            (misconception, version)
            for misconception in self.exercise.misconceptions
            for coding in misconception.codings
            for form in self.exercise.forms
            for version in self.versions(mistaken(coding, form), self.seen[0].parameters)
            if self.looks_alike(version, on)
        ]
        for misconception, version in wrong:
            if self.does_the_same(version, on):
                return misconception, version
        start, way = time.process_time(), self.ways[0]
        for misconception, version in sorted(wrong, key=lambda pair: self.same_layout(pair[1])):
            if time.process_time() - start > SECONDS_OF_MATCHING:
                return None
            if self.may_match(version) and self.agrees_first(version, way) and self.does_the_same(version, on, way):
                return misconception, version
        return None

    def gives_zeros(self, on: set[str]) -> bool:
        """Whether there is nothing but zeros on these probes, where many mistakes look alike."""
        seen = [got.first for question, got in zip(self.questions, self.seen) if question.name in on and got.first]
        return bool(seen) and not any(value.any() for values in seen for value in values.values())

    def same_layout(self, trusted: Callable) -> bool:
        """Whether a trusted answer's numbers lie in rows of the same kinds, as many of each."""
        return self.seen[0].kinds == self.one_of(trusted, self.questions[0], fillings=1).kinds

    @cached_property
    def two_misconceptions(self) -> Misconception | None:
        """Two mistakes in different steps that together do what this answer did.

        First those are tried that together have as many parameters too many, or too few, as the answer.
        """
        start, everywhere = time.process_time(), set(self.exercise.probes)
        form, arguments = self.exercise.forms[0], self.questions[0].build
        right = size(form, arguments)
        added = {
            coding: size(mistaken(coding, form), arguments) - right
            for misconception in self.exercise.misconceptions
            for coding in misconception.codings
        }
        pairs = [
            (one, other, both, abs(right + added[first] + added[second] - self.seen[0].parameters))
            for one, other in itertools.combinations(self.exercise.misconceptions, 2)
            for first, second in itertools.product(one.codings, other.codings)
            if (both := both_steps(first, second))
        ]
        for one, other, both, _ in sorted(pairs, key=lambda pair: pair[-1]):
            for form in self.exercise.forms:
                for version in self.versions(mistaken(both, form), self.seen[0].parameters):
                    if self.looks_alike(version, everywhere) and self.does_the_same(version, everywhere):
                        name = f"{one.name}; and {other.name}"
                        return Misconception(f"{one.id}+{other.id}", name, one.question, one.equation)
            if time.process_time() - start > SECONDS_OF_PAIRS:
                return None
        return None

    @cached_property
    def failing_earlier(self) -> dict[str, "Case"]:
        """The answers to earlier exercises that this one calls and that are themselves not right, by their names."""
        cases = {}
        for name, (exercise, _) in self.exercise.uses.items():
            witness = self.witness.of_earlier(name, ask(exercise, self.questions[0].seed), exercise.records)
            case = witness and Case(exercise, witness)
            if case and not all(
                case.row(asked).passed for check in exercise.checks.values() for asked in check.properties
            ):
                cases[name] = case
        return cases

    def of_earlier(self, properties: tuple[Property, ...]) -> Misconception:
        """What is said where earlier answers fail: they, or they alone."""
        name, case = next(iter(self.failing_earlier.items()))
        told = f"{name}, which your code calls, does not pass its own checks"
        follows = self.with_mistakes.holds(properties) or self.with_stand_ins.holds(properties)
        return Misconception(
            FOLLOW_THROUGH if follows else EARLIER,
            f"{told}; what you wrote here is right" if follows else told,
            f"Which check of the exercise {case.exercise.id} fails? Mend that first, run its cell, then this one.",
            case.exercise.equation,
        )

    def holds(self, properties: tuple[Property, ...]) -> bool:
        try:
            return all(self.row(asked).passed for asked in properties)
        except RuntimeError:  # with that mistake even a right answer crashes
            return False

    @cached_property
    def with_mistakes(self) -> "Case":
        """This answer beside right ones that make the same mistakes in the earlier answers, where those are known."""
        found = {name: case.mistake(set(case.exercise.probes)) for name, case in self.failing_earlier.items()}
        return self.beside_other(self.witness, {name: wrong[1] for name, wrong in found.items() if wrong})

    @cached_property
    def with_stand_ins(self) -> "Case":
        """This answer beside right ones, all with the same stand-ins for the wrong earlier answers."""
        earlier = list(self.failing_earlier)
        witness = self.witness.with_stand_ins(earlier) or self.witness
        return self.beside_other(witness, {name: IN_PLACE_OF[name] for name in earlier})

    def beside_other(self, witness: Witness, earlier: dict[str, Callable]) -> "Case":
        """What this witness says beside right answers that call these in place of the earlier answers."""
        forms = self.exercise.forms
        for name, other in earlier.items():
            forms = tuple(map(self.exercise.uses[name].given(other), forms))
        return Case(replace(self.exercise, forms=forms, uses={}), witness)

    def does_the_same(self, trusted: Callable, on: set[str], *ways: Way) -> bool:
        """Whether a trusted answer does on these probes what this one does: at a first look, then in all fillings."""
        return all(self.agrees(self.of(trusted, *ways, fillings=fillings), on) for fillings in (1, FILLINGS))

    def looks_alike(self, trusted: Callable, on: set[str]) -> bool:
        """Whether nothing tells a trusted answer from this one on these probes while all numbers of a module are alike.

        Where the numbers are kept plays no part then, so that this can be asked first.
        """
        return all(
            question.name not in on
            or (
                got.parameters == other.parameters
                and symptoms(got) == symptoms(other)
                and all(close_in(got.first, other.first, record, got.coarsest) for record in other.first)
            )
            for question, got, other in zip(self.questions, self.seen, self.of(trusted, fillings=0))
        )

    def agrees(self, trusted: Iterable[Observation], on: set[str]) -> bool:
        return all(
            question.name not in on
            or (
                symptoms(got) == symptoms(other)
                and got.parameters == other.parameters
                and same(got, other, *other.values)
            )
            for question, got, other in zip(self.questions, self.seen, trusted, strict=True)
        )

    @cached_property
    def change(self) -> Misconception | None:
        """The first change of one place in the answer's code with which it does what a right answer does."""
        wrong = [i for i, (got, right) in enumerate(zip(self.seen, self.expected)) if not self.is_right(got, right)]
        if not wrong:
            return None
        start, first = time.process_time(), self.questions[wrong[0]]
        counted = not all(right.values["output"].is_floating_point() for right in self.expected if right.values)
        changes = self.witness.changes()
        problems = [problem for seen in self.seen for problem in seen.problems.values() if problem.number]
        crashed = {problem.number for problem in problems if arose_in(changes, problem)}
        near = lambda change: min((abs(change.line - number) for number in crashed), default=0)  # noqa: E731
        for change in sorted(changes, key=near):
            if counted and change.kind == "missing":  # of whole numbers and truth values no sigmoid is missing
                continue
            if time.process_time() - start > SECONDS_OF_CHANGES:
                return None
            if all(
                self.makes_right(change, *look) for look in (([first], 0), ([first], 1), (self.questions, FILLINGS))
            ):
                return of_change(change, self.exercise.equation)
        return None

    def makes_right(self, change: Change, questions: list[Question], fillings: int) -> bool:
        """Whether the changed answer does with these questions what a right answer does, as far as this look goes."""
        again = self.witness.changed(change, questions, fillings)
        return any(
            all(
                self.is_right(got, self.one_of(right, question, fillings=fillings))
                for question, got in zip(questions, again)
            )
            for right in self.rights(again[0].parameters)
        )

    def is_right(self, got: Observation, right: Observation) -> bool:
        if got.parameters != right.parameters or got.changed_input or got.hooked:
            return False
        if right.values:
            return same(got, right, *self.exercise.records)
        return all(close_in(got.alike, right.alike, record, got.coarsest) for record in self.exercise.records)

    def symptom(self, on: set[str]) -> Misconception | None:
        """What can be said of an answer that nothing else explains."""
        if any(seen.unregistered for seen in self.seen):
            return UNREGISTERED
        if any(seen.borrowed for seen in self.seen):
            return BORROWED
        problems = [problem for seen in self.seen for problem in seen.problems.values()]
        known = next(filter(None, map(of_error, problems)), None)
        unused = of_unused(self.witness.unused_arguments(), self.exercise.equation)
        layers = next(filter(None, map(of_layers, self.seen, self.expected)), None)
        return unused or known or layers or self.relation(on)

    def made_in_calls(self) -> Misconception | None:
        found = self.witness.made_in_calls()
        return of_made_in_calls(*found) if found else None

    def relation(self, on: set[str]) -> Misconception | None:
        """What the values of the first record that differs on these probes have to do with the right ones.

        Of several whole numbers, such as the sizes of a shape, each means something else: nothing is told of them.
        """
        for record in self.exercise.records:
            pairs = [
                Pair(
                    got.values[record],
                    right.values[record],
                    got.call,
                    got.arguments,
                    tuple(x for x in question.inputs if isinstance(x, torch.Tensor)),
                )
                for question, got, right in zip(self.questions, self.seen, self.expected)
                if question.name in on and record in got.values and record in right.values
            ]
            counts = len(self.exercise.records) > 1 and not all(pair.expected.is_floating_point() for pair in pairs)
            if not counts and (found := relation(pairs)):
                return replace(found, equation=self.exercise.equation)
        return None


def arose_in(changes: list[Change], problem: Problem) -> bool:
    """Whether an error arose in the code of these changes, and not in a line of the same number in another cell."""
    there = (change.code for change in changes if change.line == problem.number and change.code in problem.line)
    return max(map(len, there), default=0) > len(problem.line) / 4


@cache
def both_steps(one: Coding, other: Coding) -> Coding | None:
    """A coding with the steps of two, if both replace steps, and different ones."""
    if isinstance(one, steps) and isinstance(other, steps) and not one.other.keys() & other.other.keys():
        return steps(**one.other, **other.other)
    return None


@cache
def mistaken(coding: Coding, form: Callable) -> Callable:
    """A right answer with the mistake in it: one class, however often it is asked for."""
    return coding(form)


def size(trusted: Callable, arguments: tuple) -> int:
    """How many parameters a module of a trusted class has; none if it cannot be built, or is no class."""
    if not inspect.isclass(trusted):
        return 0
    with contextlib.suppress(Exception):
        return sizes(trusted, arguments)[0]
    return 0


def shape_of(seen: Observation, record: str) -> torch.Size | None:
    return seen.values[record].shape if record in seen.values else None


def symptoms(seen: Observation) -> dict[str, tuple[str, str]]:
    """Why calls gave nothing, wherever in the answer's code the errors arose and whatever its classes are called."""
    return {
        stage: (
            problem.kind,
            re.sub(r"[\w.<>]+\.(?=\w+\(\))|'\w+' (?=object|and)|\[\w+\]|^\w+ (?=has no method)", "", problem.message),
        )
        for stage, problem in seen.problems.items()
        if stage not in seen.values and stage not in seen.alike and stage != "gradient"
    }
