"""Judge: compare what an answer did with what the right answers do on the same questions. Runs no untrusted code."""

import inspect
import itertools
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property

import torch
from torch import Generator

from .biases import bare, without_biases
from .closeness import close_in, same
from .exercise import Coding, Exercise, Misconception, Property, steps
from .matching import AT_ONCE, EQUAL, ONE_BY_ONE, Way
from .observe import Observation, Problem, Question, observe
from .properties import BORROWED, UNREGISTERED
from .symptoms import of_change, of_error, of_unused
from .witness import Witness

SECONDS_OF_CHANGES = 0.3  # of computing, for changes of the learner's code that are tried
SECONDS_OF_PAIRS = 0.15  # for two mistakes at once


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
        )
        for name, probe in exercise.probes.items()
    ]


def judge(exercise: Exercise, check: str, witness: Witness) -> Report:
    """The verdict on one check of an exercise, from what an answer did with the questions."""
    return verdict(Case(exercise, witness), check)


def judge_all(exercise: Exercise, witness: Witness) -> dict[str, Report]:
    """The verdicts on all checks of an exercise: the right answer is looked at once for all of them."""
    case = Case(exercise, witness)
    return {check: verdict(case, check) for check in exercise.checks}


def verdict(case: "Case", check: str) -> Report:
    """The verdict on one check; where it fails, with the best explanation that is found."""
    exercise, witness = case.exercise, case.witness
    properties = exercise.checks[check].properties
    rows = tuple(case.row(asked) for asked in properties)
    report = Report(f"{exercise.key}-{check}", exercise.checks[check].points, rows)
    if report.passed:
        return report
    problems = (problem for seen in witness.seen for problem in seen.problems.values())
    if stub := next((problem.message for problem in problems if problem.kind == "NotImplementedError"), None):
        return replace(report, stub=stub)
    if earlier := case.earlier():
        return replace(report, misconception=earlier)
    first, *others = [row.meaning for row in rows if not row.passed] or [None]
    on = {name for asked, row in zip(properties, rows) if not row.passed for name in asked.on or exercise.probes}
    everywhere = set(exercise.probes)
    named = case.misconception(everywhere) or (case.misconception(on) if on < everywhere else None)
    searched = named or first or case.change() or case.two_misconceptions() or case.symptom()
    return replace(report, misconception=searched or next(filter(None, others), None))


class Case:
    """What an answer did, beside what right and wrong answers do with the same questions."""

    def __init__(self, exercise: Exercise, witness: Witness):
        self.exercise = exercise
        self.witness = witness
        self.questions = witness.questions
        self.seen = witness.seen
        self.looked: dict[Way, bool] = {}
        self.trusted: dict[tuple, Observation] = {}

    @cached_property
    def expected(self) -> list[Observation]:
        """What the right answer does that is most like this one."""
        versions = self.rights(self.seen[0].parameters) or [self.as_biased(form) for form in self.exercise.forms]
        ranked = {version: self.likeness(version) for version in versions}
        for way in self.ways:
            perhaps = [version for version in versions if self.may_match(version)]
            if max(ranked.values())[0] == self.likeness_of_right or not perhaps or not self.closer(way):
                break
            ranked |= {version: self.likeness(version, way) for version in perhaps}
        best = max(ranked, key=ranked.get)
        expected = [observe(best, question, self.exercise.records) for question in self.questions]
        for right, matched in zip(expected, self.of(best)):
            right.matched = matched.matched
        for problem in (problem for right in expected for problem in right.problems.values()):
            raise RuntimeError(
                f"the course's own answer to {self.exercise.key} fails, which is no fault of yours: {problem}"
            )
        return expected

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

    def of(self, trusted: Callable, *ways: Way) -> Iterator[Observation]:
        """What a trusted answer does with the questions, observed as far as somebody looks."""
        return (self.one_of(trusted, question, *ways) for question in self.questions)

    def one_of(self, trusted: Callable, question: Question, *ways: Way) -> Observation:
        """Also with its parameters told apart in these ways, where that is possible for the answer."""
        seen = self.trusted.get((trusted, question.name))
        missing = tuple(way for way in ways if self.looked.get(way) and not (seen and way in seen.matched))
        if seen is None or missing:
            again = observe(trusted, question, self.exercise.records, brief=True, match=missing)
            again.matched |= seen.matched if seen else {}
            seen = self.trusted[trusted, question.name] = again
        return seen

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

    def may_match(self, trusted: Callable) -> bool:
        """Whether the first record that differs from a trusted answer's is equal where interchangeable numbers are equal.

        Then perhaps only the layout of the parameters differs.
        """
        differing = False
        for question, got in zip(self.questions, self.seen):
            other = self.one_of(trusted, question)
            recorded = [record for record in self.exercise.records if record in got.values or record in other.values]
            record = next((record for record in recorded if not same(got, other, record)), None)
            if record:
                differing, way = True, Way((record,), EQUAL)
                if not self.closer(way):
                    return False
                fillings = zip(got.matched.get(way, []), self.one_of(trusted, question, way).matched.get(way, []))
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

    def closer(self, way: Way) -> bool:
        """Look at the answer once more, with its parameters told apart by what they do; whether that was possible."""
        if way not in self.looked:
            self.looked[way] = False
            for seen, again in zip(self.seen, self.witness.matched(way)):
                seen.matched |= again.matched
                self.looked[way] |= bool(again.matched)
        return self.looked[way]

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
            if failure := asked.failure(got, expected, question):
                return Row(asked.name, False, failure.got, failure.expected, meaning=failure.meaning)
            tested += 1
        if not tested:
            raise RuntimeError(f"{asked.name} of {self.exercise.key} was asked on no probe: nothing may pass untested")
        return Row(asked.name, True)

    def misconception(self, on: set[str]) -> Misconception | None:
        """The first misconception that does on these probes what this answer did; none if that is right."""
        if self.does_the_same(self.expected, on):
            return None
        wrong = [
            (misconception, version)
            for misconception in self.exercise.misconceptions
            for coding in misconception.codings
            for form in self.exercise.forms
            for version in self.versions(mistaken(coding, form), self.seen[0].parameters)
        ]
        for misconception, version in wrong:
            if self.does_the_same(self.of(version), on):
                return misconception
        for misconception, version in wrong:
            way = self.ways[0]
            if self.may_match(version) and self.closer(way) and self.does_the_same(self.of(version, way), on):
                return misconception
        return None

    def two_misconceptions(self) -> Misconception | None:
        """Two mistakes in different steps that together do what this answer did."""
        start, everywhere = time.process_time(), set(self.exercise.probes)
        for one, other in itertools.combinations(self.exercise.misconceptions, 2):
            for first, second in itertools.product(one.codings, other.codings):
                if both := both_steps(first, second):
                    for form in self.exercise.forms:
                        for version in self.versions(mistaken(both, form), self.seen[0].parameters):
                            if self.does_the_same(self.of(version), everywhere):
                                name = f"{one.name}; and {other.name}"
                                return Misconception(f"{one.id}+{other.id}", name, one.question, one.equation)
            if time.process_time() - start > SECONDS_OF_PAIRS:
                return None
        return None

    def earlier(self) -> Misconception | None:
        """An answer to an earlier exercise that this one calls and that is itself not right."""
        for name, exercise in self.exercise.uses.items():
            witness = self.witness.of_earlier(name, ask(exercise), exercise.records)
            case = witness and Case(exercise, witness)
            if case and not all(
                case.row(asked).passed for check in exercise.checks.values() for asked in check.properties
            ):
                return Misconception(
                    "earlier-answer",
                    f"{name}, which your code calls, does not pass its own checks",
                    f"Which check of the exercise {exercise.id} fails? Mend that first, run its cell, then this one.",
                    exercise.equation,
                )
        return None

    def does_the_same(self, wrong: Iterable[Observation], on: set[str]) -> bool:
        return all(
            question.name not in on
            or (
                symptoms(got) == symptoms(other)
                and got.parameters == other.parameters
                and same(got, other, *other.values)
            )
            for question, got, other in zip(self.questions, self.seen, wrong, strict=True)
        )

    def change(self) -> Misconception | None:
        """The first change of one place in the answer's code with which it does what a right answer does."""
        wrong = [i for i, (got, right) in enumerate(zip(self.seen, self.expected)) if not self.is_right(got, right)]
        if not wrong:
            return None
        start, first = time.process_time(), self.questions[wrong[0]]
        crashed = {problem.number for seen in self.seen for problem in seen.problems.values()}
        for change in sorted(self.witness.changes(), key=lambda change: change.line not in crashed):
            if time.process_time() - start > SECONDS_OF_CHANGES:
                return None
            (seen,) = self.witness.changed(change, [first])
            rights = self.rights(seen.parameters)
            if any(self.is_right(seen, self.one_of(right, first)) for right in rights):
                again = self.witness.changed(change, self.questions)
                if any(all(map(self.is_right, again, self.of(right))) for right in rights):
                    return of_change(change, self.exercise.equation)
        return None

    def is_right(self, got: Observation, right: Observation) -> bool:
        return got.parameters == right.parameters and same(got, right, *self.exercise.records) and not got.changed_input

    def symptom(self) -> Misconception | None:
        """What can be said of an answer that nothing else explains."""
        if any(seen.unregistered for seen in self.seen):
            return UNREGISTERED
        if any(seen.borrowed for seen in self.seen):
            return BORROWED
        problems = [problem for seen in self.seen for problem in seen.problems.values()]
        known = next(filter(None, map(of_error, problems)), None)
        return known or of_unused(self.witness.unused_arguments(), self.exercise.equation)


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
        if stage not in seen.values and stage != "gradient"
    }
