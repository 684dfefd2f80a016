"""Judge: compare what an answer did with what the right answers do on the same questions. Runs no untrusted code."""

import inspect
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property

import torch
from torch import Generator

from .biases import with_biases_of
from .exercise import Coding, Exercise, Misconception, Property
from .observe import Observation, Problem, Question, observe
from .properties import same


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
    generator = Generator().manual_seed(secrets.randbits(63) if seed is None else seed)
    return [
        Question(
            name,
            probe.build,
            probe.inputs(generator),
            int(torch.randint(2**31, (), generator=generator)),
            probe.joined,
            exercise.differentiates,
            exercise.forbidden,
        )
        for name, probe in exercise.probes.items()
    ]


def judge(exercise: Exercise, check: str, questions: list[Question], observations: list[Observation]) -> Report:
    """The verdict on one check of an exercise, given what an answer did with the questions."""
    case = Case(exercise, questions, observations)
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

    def __init__(self, exercise: Exercise, questions: list[Question], observations: list[Observation]):
        self.exercise = exercise
        self.questions = questions
        self.observations = observations

    def of(self, answer: Callable) -> Iterator[Observation]:
        """What a trusted answer does with the questions, observed as far as somebody looks."""
        return (observe(answer, question, self.exercise.records, brief=True) for question in self.questions)

    def versions(self, trusted: Callable) -> Iterable[Callable]:
        """A trusted answer, with the biases that this answer has if they are free; none if its parameters differ."""
        if not inspect.isclass(trusted):
            return (trusted,)
        return with_biases_of(self.observations[0].keys, trusted, self.questions[0], self.exercise.free_biases)

    @cached_property
    def expected(self) -> list[Observation]:
        """What the right answer does that is most like this one: in its parameters, then in its values and shapes."""
        forms = (version for form in self.exercise.forms for version in self.versions(form))
        firsts = [(form, next(self.of(form))) for form in forms]
        alike = [(form, first) for form, first in firsts if first.keys == self.observations[0].keys]
        alike = alike or [(form, next(self.of(form))) for form in self.exercise.forms]
        ranked = [(self.likeness([first]), form) for form, first in alike]
        best = max(likeness for likeness, _ in ranked)
        likely = [form for likeness, form in ranked if likeness == best]
        expected: list[Observation] = []
        for form in likely if best[0] else likely[:1]:
            right = list(self.of(form))
            expected = max(expected or right, right, key=self.likeness)
            if self.likeness(expected)[0] == len(self.questions) * len(self.exercise.records):
                break
        for problem in (problem for right in expected for problem in right.problems.values()):
            raise RuntimeError(
                f"the course's own answer to {self.exercise.key} fails, which is no fault of yours: {problem}"
            )
        return expected

    def likeness(self, right: list[Observation]) -> tuple[int, int]:
        """How many values are the same, and how many shapes."""
        pairs = list(zip(self.observations, right))
        records = self.exercise.records
        return (
            sum(same(got, expected, record) for got, expected in pairs for record in records),
            sum(shape_of(got, record) == shape_of(expected, record) for got, expected in pairs for record in records),
        )

    def row(self, asked: Property) -> Row:
        """The property on the first probe where it fails."""
        tested = 0
        for question, got, expected in zip(self.questions, self.observations, self.expected, strict=True):
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
        for misconception in self.exercise.misconceptions:
            wrong = (
                version
                for coding in misconception.codings
                for form in self.exercise.forms
                for version in self.versions(mistaken(coding, form))
            )
            if any(self.does_the_same(self.of(version), on) for version in wrong):
                return misconception
        return None

    def does_the_same(self, wrong: Iterable[Observation], on: set[str]) -> bool:
        return all(
            question.name not in on
            or symptoms(got) == symptoms(other)
            and got.keys == other.keys
            and same(got, other, *other.values)
            for question, got, other in zip(self.questions, self.observations, wrong, strict=True)
        )


@cache
def mistaken(coding: Coding, form: Callable) -> Callable:
    """A right answer with the mistake in it: one class, however often it is asked for."""
    return coding(form)


def shape_of(seen: Observation, record: str) -> torch.Size | None:
    return seen.values[record].shape[1:] if record in seen.values else None


def symptoms(seen: Observation) -> dict[str, tuple[str, str]]:
    """Why calls gave nothing, wherever in the answer's code the errors arose and whatever its classes are called."""
    return {
        stage: (problem.kind, re.sub(r"[\w.<>]+\.(?=\w+\(\))|'\w+' (?=object|and)|\[\w+\]", "", problem.message))
        for stage, problem in seen.problems.items()
        if stage not in seen.values and stage != "gradient"
    }
