"""What an exercise is: its reference, the probes it is asked, what is checked for which points, and what goes wrong.

Everything here is data. The machinery that uses it (observe, judge, report) knows no mechanism by name.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from inspect import cleandoc
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from .observe import Observation, Question


@dataclass(frozen=True)
class Probe:
    """A question put to every answer, with fresh random numbers each time.

    inputs: draws the arguments of the call from a generator; tensors in float64.
    build: the constructor's arguments, for an exercise whose answer is a class.
    """

    inputs: Callable[[Generator], tuple[Any, ...]]
    build: tuple[Any, ...] = ()


Coding = Callable[[Any], Any]
"""Makes an answer with a mistake out of a right one."""


class steps:
    """A coding that does some steps of a right answer otherwise: ``steps(gate=lambda self, scores: scores)``.

    A step is a method or another attribute of the right answer, which is a class, or a function written as the object
    of a class with ``__call__``.
    """

    def __init__(self, **other: Any):
        self.other = other

    def __call__(self, right: Any) -> Any:
        return type("Wrong", (right,), self.other) if isinstance(right, type) else self(type(right))()


def instead(answer: Any) -> Coding:
    """A coding that has nothing of the right answer."""
    return lambda right: answer


@dataclass(frozen=True)
class Misconception:
    """One idea gone wrong, recognised in an answer that does on every question what one of its codings does.

    name: the mistake in one line, as it is told to the learner.
    question: what a teacher would ask.
    equation: what the mistake violates, with its source; the exercise's own where it is empty.
    codings: ways to write the mistake; none where a property's failure already shows it.
    """

    id: str
    name: str
    question: str
    equation: str = ""
    codings: tuple[Coding, ...] = ()


def mistake(id: str, name: str, question: str, *codings: Coding, equation: str = "") -> Misconception:
    """A misconception in the order in which it is read: what is told, what is asked, then each way to write it."""
    return Misconception(id, name, question, equation, codings)


def named(mistakes: tuple[Misconception, ...], *ids: str) -> tuple[Misconception, ...]:
    """Those of another exercise's misconceptions that can be made here too."""
    by_id = {told.id: told for told in mistakes}
    return tuple(by_id[id] for id in ids)


class Failure(NamedTuple):
    """Why a property does not hold: what was got and expected in a few words, and what that means if it is plain."""

    got: str
    expected: str
    meaning: Misconception | None = None


@dataclass(frozen=True)
class Property:
    """Something that can be true of an answer.

    name: as it is told to the learner.
    failure: given what the answer did, what the reference did and the question: None when the property holds.
    record: a call that must have succeeded before the property can be tested.
    on: the probes it is tested on; all when empty.
    of_slopes: it asks for the slopes of the answer, which are measured where its output is not right.
    """

    name: str
    failure: Callable[[Observation, Observation, Question], Failure | None]
    record: str = "output"
    on: tuple[str, ...] = ()
    of_slopes: bool = False


@dataclass(frozen=True)
class Check:
    """One test cell of the lesson: its points are given when all its properties hold."""

    points: int
    properties: tuple[Property, ...]


@dataclass(frozen=True)
class Exercise:
    """A graded exercise.

    forms: right answers, the reference first; the others differ in their parameters' shapes or order only, where the
        statement leaves that free (with or without biases, say).
    records: what is recorded of an answer: "output" is the result of calling it, any other name a method of the
        module, or the further items of a function's returned tuple.
    probes: by name.
    checks: by the last part of the test cell's grade id.
    hints: a nudge, the equation with shapes, pseudocode; their common indentation is taken away.
    equation: what is asked for, with its source.
    uses: earlier answers that this one calls, by the name under which it does.
    part: the class that is asked for, where one solution cell holds several: its checks are `<id>-<part>-<check>`.
    forbidden: functions of torch that do what is to be written, and so must not be called.
    differentiates: the answer itself computes gradients: it is called with autograd on, its own slope is not asked for.
    free_biases: linear layers and convolutions may have biases or not, all or those of the submodule named; the forms
        and misconceptions have them all.
    words: those that the output is one of, for an answer that is given in a word.
    of_model: the answer returns a changed copy of the model that is its first argument: what is recorded of it, see
        ``models.py``.
    batch: the first argument, if it is a tensor, holds images that can also be asked for one at a time.
    """

    id: str
    forms: tuple[Any, ...]
    probes: dict[str, Probe]
    checks: dict[str, Check]
    hints: tuple[str, str, str]
    equation: str = ""
    records: tuple[str, ...] = ("output",)
    misconceptions: tuple[Misconception, ...] = ()
    uses: dict[str, "Use"] = field(default_factory=dict)
    part: str = ""
    forbidden: tuple[str, ...] = ()
    differentiates: bool = False
    free_biases: bool | str = False
    words: tuple[str, ...] = ()
    of_model: bool = False
    batch: bool = True

    def __post_init__(self):
        told = (replace(m, equation=m.equation or self.equation) for m in self.misconceptions)
        object.__setattr__(self, "misconceptions", tuple(told))
        object.__setattr__(self, "hints", tuple(map(cleandoc, self.hints)))

    def with_steps(self, **other: Any) -> "Exercise":
        """The same exercise where some steps of the right answer are others, as are those of its misconceptions."""
        return replace(self, forms=tuple(map(steps(**other), self.forms)))

    @property
    def key(self) -> str:
        """What the grade ids of its test cells begin with."""
        return f"{self.id}-{self.part}" if self.part else self.id


class Use(NamedTuple):
    """An earlier exercise whose answer is called.

    given: makes a coding of another answer to it, in which a right answer calls that one.
    """

    exercise: Exercise
    given: Callable[[Any], Coding]


def normal(generator: Generator, *shape: int) -> Tensor:
    """Standard normal numbers in float64, the usual probe input."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)
