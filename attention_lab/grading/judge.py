"""Judge: compare what an answer did with what the right answers do on the same questions. Runs no untrusted code."""

import inspect
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property

import torch
from torch import Generator

from .biases import without_biases
from .exercise import Coding, Exercise, Misconception, Property
from .observe import Observation, Problem, Question, observe
from .properties import close_in, same


LookCloser = Callable[[tuple[str, ...]], list[Observation]]


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
            exercise.differentiates,
            exercise.forbidden,
        )
        for name, probe in exercise.probes.items()
    ]


def judge(
    exercise: Exercise,
    check: str,
    questions: list[Question],
    observations: list[Observation],
    look_closer: LookCloser = lambda match: [],
) -> Report:
    """The verdict on one check of an exercise, given what an answer did with the questions.

    ``look_closer`` observes the answer once more, with matched values; it is called where only the layout of the
    parameters may be what differs from a right answer or from a known mistake.
    """
    case = Case(exercise, questions, observations, look_closer)
    properties = exercise.checks[check].properties
    rows = tuple(case.row(asked) for asked in properties)
    report = Report(f"{exercise.key}-{check}", exercise.checks[check].points, rows)
    if report.passed:
        return report
    problems = (problem for seen in observations for problem in seen.problems.values())
    if stub := next((problem.message for problem in problems if problem.kind == "NotImplementedError"), None):
        return replace(report, stub=stub)
    plain = (row.meaning for row in rows if row.meaning)
    on = {name for asked, row in zip(properties, rows) if not row.passed for name in asked.on or exercise.probes}
    everywhere = set(exercise.probes)
    named = case.misconception(everywhere) or (case.misconception(on) if on < everywhere else None)
    return replace(report, misconception=named or next(plain, None))


class Case:
    """What an answer did, beside what right and wrong answers do with the same questions."""

    def __init__(
        self, exercise: Exercise, questions: list[Question], observations: list[Observation], look_closer: LookCloser
    ):
        self.exercise = exercise
        self.questions = questions
        self.seen = observations
        self.look_closer = look_closer
        self.match: tuple[str, ...] = ()
        self.trusted: dict[tuple, Observation] = {}

    @cached_property
    def expected(self) -> list[Observation]:
        """What the right answer does that is most like this one."""
        versions = [version for form in self.exercise.forms for version in self.versions(form)] or self.exercise.forms
        ranked = {version: self.likeness(version) for version in versions}
        for match in self.ways:
            perhaps = [version for version in versions if self.may_match(version)]
            if max(ranked.values())[0] == self.likeness_of_right or not perhaps or not self.closer(match):
                break
            ranked |= {version: self.likeness(version) for version in perhaps}
        best = max(ranked, key=ranked.get)
        expected = [observe(best, question, self.exercise.records) for question in self.questions]
        for right, matched in zip(expected, self.of(best)):
            right.matched = matched.matched
        for problem in (problem for right in expected for problem in right.problems.values()):
            raise RuntimeError(
                f"the course's own answer to {self.exercise.key} fails, which is no fault of yours: {problem}"
            )
        return expected

    def versions(self, trusted: Callable) -> Iterable[Callable]:
        """A trusted answer, without so many free biases that it has as many parameters as this answer, each way."""
        if (free := self.exercise.free_biases) and inspect.isclass(trusted):
            within = free if isinstance(free, str) else ""
            return without_biases(trusted, self.questions[0].build, self.seen[0].parameters, within)
        return (trusted,)

    def of(self, trusted: Callable) -> Iterator[Observation]:
        """What a trusted answer does with the questions, observed as far as somebody looks."""
        for question in self.questions:
            key = trusted, question.name, self.match
            if key not in self.trusted:
                self.trusted[key] = observe(trusted, question, self.exercise.records, brief=True, match=self.match)
            yield self.trusted[key]

    def likeness(self, right: Callable) -> tuple[int, int, int]:
        """How many values are the same, how near the numbers of parameters are, and how many shapes are the same."""
        records = self.exercise.records
        pairs = list(zip(self.seen, self.of(right)))
        return (
            sum(same(got, expected, record) for got, expected in pairs for record in records),
            -sum(abs(got.parameters - expected.parameters) for got, expected in pairs),
            sum(shape_of(got, record) == shape_of(expected, record) for got, expected in pairs for record in records),
        )

    @property
    def likeness_of_right(self) -> int:
        return len(self.questions) * len(self.exercise.records)

    def may_match(self, trusted: Callable) -> bool:
        """Whether the answer differs from a trusted one, but not where all parameters are equal: perhaps in their layout."""
        return any(
            close_in(got.alike, other.alike, record)
            and close_in(got.alike, other.alike, f"slopes of {record}")
            and not same(got, other, record)
            for got, other in zip(self.seen, self.of(trusted))
            for record in self.exercise.records
        )

    @property
    def ways(self) -> list[tuple[str, ...]]:
        """How the parameters can be told apart: by all records at once; where some are wrong, by each of them as well."""
        records = self.exercise.records
        return [(" ".join(records),), (" ".join(records), *records)][: len(records)]

    def closer(self, match: tuple[str, ...]) -> bool:
        """Look at the answer once more, with its parameters told apart by what they do; whether that was possible."""
        if len(match) > len(self.match):
            again = self.look_closer(match)
            if not any(seen.matched for seen in again):
                return False
            for seen, closer in zip(self.seen, again):
                seen.matched = closer.matched
            self.match = match
        return True

    def row(self, asked: Property) -> Row:
        """The property on the first probe where it fails."""
        tested = 0
        for question, got, expected in zip(self.questions, self.seen, self.expected, strict=True):
            if asked.on and question.name not in asked.on:
                continue
            problem = got.problems.get("build") or got.problems.get(asked.record)
            if problem:
                return Row(asked.name, False, str(problem), "no error", problem)
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
            for version in self.versions(mistaken(coding, form))
        ]
        for misconception, version in wrong:
            if self.does_the_same(self.of(version), on):
                return misconception
        perhaps = [(misconception, version) for misconception, version in wrong if self.may_match(version)]
        if perhaps and self.closer(self.ways[0]):
            for misconception, version in perhaps:
                if self.does_the_same(self.of(version), on):
                    return misconception
        return None

    def does_the_same(self, wrong: Iterable[Observation], on: set[str]) -> bool:
        return all(
            question.name not in on
            or symptoms(got) == symptoms(other)
            and (got.parameters, got.statistics) == (other.parameters, other.statistics)
            and same(got, other, *other.values)
            for question, got, other in zip(self.questions, self.seen, wrong, strict=True)
        )


@cache
def mistaken(coding: Coding, form: Callable) -> Callable:
    """A right answer with the mistake in it: one class, however often it is asked for."""
    return coding(form)


def shape_of(seen: Observation, record: str) -> torch.Size | None:
    return seen.values[record].shape if record in seen.values else None


def symptoms(seen: Observation) -> dict[str, tuple[str, str]]:
    """Why calls gave nothing, wherever in the answer's code the errors arose and whatever its classes are called."""
    return {
        stage: (problem.kind, re.sub(r"[\w.<>]+\.(?=\w+\(\))|'\w+' (?=object|and)|\[\w+\]", "", problem.message))
        for stage, problem in seen.problems.items()
        if stage not in seen.values and stage != "gradient"
    }
