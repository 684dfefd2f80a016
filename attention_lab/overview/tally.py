"""Counts over a class: scores, exercises, misconceptions, and where learners are stuck."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from statistics import StatisticsError, correlation, mean

from ..feedback.marks import Mark, mistakes
from ..grading.report import EARLIER, FOLLOW_THROUGH
from .learners import Learner

STUB = "NotImplementedError"
MOST_BARS = 20
FEWEST = 10
"""Below this number of learners a correlation says nothing."""


@dataclass(frozen=True)
class Bar:
    """How many learners have a score of the points from first to last."""

    first: int
    last: int
    count: int


@dataclass(frozen=True)
class Tally:
    """An exercise over the class; what a person has yet to read counts in none of its numbers but `waiting`.

    whole, part, none: how many learners have all its points, some, none.
    share: the mean share of its points; None where nobody has any mark yet.
    discrimination: the correlation of its share with that of the learner's other points; None where there is none.
    """

    id: str
    of: float
    whole: int
    part: int
    none: int
    waiting: int
    share: float | None
    discrimination: float | None

    @property
    def count(self) -> int:
        return self.whole + self.part + self.none

    @property
    def is_read(self) -> bool:
        """Whether most of it is, so that the numbers mean something."""
        return self.share is not None and self.waiting < self.count

    @property
    def sentence(self) -> str:
        """Difficulty and discrimination in a teacher's words."""
        if not self.of:
            return "Does not count: it has 0 points."
        if not self.is_read:
            return "Nothing can be said before more of it is read."
        hard = "Easy" if self.share >= 0.85 else "Hard" if self.share < 0.5 else "Neither easy nor hard"
        return f"{hard}: {self.share:.0%} of the points were earned. {self.tells}"

    @property
    def tells(self) -> str:
        if self.count < FEWEST:
            return "Too few to say whether it tells learners apart."
        if self.discrimination is None:
            return "It tells nobody apart: all have the same."
        if self.discrimination >= 0.4:
            return "Who has it mostly has the rest too; who lacks it lacks more."
        if self.discrimination >= 0.2:
            return "Who has it has a little more of the rest."
        if self.discrimination > -0.2:
            return "Whether someone has it says next to nothing about the rest."
        return "Who has the rest tends to fail here: look at its text and at its checks."


@dataclass(frozen=True)
class Held:
    """A misconception that learners hold.

    names: as it was told, by how many; some name the line of the learner's code.
    exercises: where it was made.
    """

    id: str
    question: str
    equation: str
    names: Counter[str] = field(default_factory=Counter)
    exercises: Counter[str] = field(default_factory=Counter)
    learners: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.names.most_common(1)[0][0]


@dataclass(frozen=True)
class Stopped:
    """Who gets no further at an exercise: a stub is left, the answer ends in an error, or a mistake without a name."""

    stubs: set[str] = field(default_factory=set)
    errors: dict[str, set[str]] = field(default_factory=dict)
    unnamed: set[str] = field(default_factory=set)


def bars(scores: list[float], of: float) -> list[Bar]:
    """The distribution of the scores, in bars that are equally many whole points wide."""
    most = max(ceil(of), *map(ceil, scores))
    width = ceil((most + 1) / MOST_BARS)
    counts = Counter(int(score) // width for score in scores)
    return [Bar(i * width, min((i + 1) * width - 1, most), counts[i]) for i in range(most // width + 1)]


def tallies(graded: list[Learner]) -> list[Tally]:
    """The exercises in their order in the lesson."""
    marks = {learner.name: learner.marks for learner in graded}
    ids = dict.fromkeys(id for each in marks.values() for id in each)
    return [tally(id, list(marks.values())) for id in ids]


def tally(id: str, marks: list[dict[str, Mark]]) -> Tally:
    """marks: of each learner, by exercise."""
    has = [each for each in marks if id in each]
    read = [each for each in has if not each[id].waiting]
    points = [each[id].points for each in read]
    whole = sum(each[id].points >= each[id].of for each in read)
    none = sum(earned <= 0 and each[id].of > 0 for earned, each in zip(points, read))
    pairs = [
        (share([each[id]]), rest)
        for each in read
        if (rest := share(mark for other, mark in each.items() if other != id)) is not None
    ]
    return Tally(
        id,
        max(each[id].of for each in has),
        whole,
        len(read) - whole - none,
        none,
        len(has) - len(read),
        mean(share([each[id]]) or 0 for each in read) if read else None,
        related(pairs),
    )


def share(marks: Iterable[Mark]) -> float | None:
    """The points of those that could be given so far; None if none could."""
    marks = list(marks)
    of = sum(mark.of - mark.waiting for mark in marks)
    return sum(mark.points for mark in marks) / of if of else None


def related(pairs: list[tuple[float, float]]) -> float | None:
    """The correlation of two numbers; None where one of them is the same for all."""
    try:
        return correlation(*zip(*pairs))
    except (StatisticsError, TypeError):
        return None


def held(graded: list[Learner]) -> list[Held]:
    """The misconceptions, those of the most learners first. Whoever makes one in two exercises counts once."""
    return [one for one in told_to(graded) if one.id not in (EARLIER, FOLLOW_THROUGH)]


def consequences(graded: list[Learner]) -> dict[str, list[Held]]:
    """What was lost through a wrong earlier answer: where all else is right, and where that is not known."""
    told = told_to(graded)
    return {id: [one for one in told if one.id == id] for id in (FOLLOW_THROUGH, EARLIER)}


def told_to(graded: list[Learner]) -> list[Held]:
    """All that was told under an id; what has the same id and question is one, wherever it was made."""
    found: dict[tuple[str, str], Held] = {}
    for learner in graded:
        for mistake in mistakes(learner.exercises):
            if told := mistake.told if mistake.told.id else None:
                one = found.setdefault((told.id, told.question), Held(told.id, told.question, told.equation))
                one.names[told.name] += 1
                one.exercises[mistake.exercise] += 1
                one.learners.add(learner.name)
    return sorted(found.values(), key=lambda one: (-len(one.learners), one.id, one.question))


def stopped(graded: list[Learner]) -> dict[str, Stopped]:
    """By exercise, in the lesson's order, what the course has no name for; but for those who have written nothing."""
    nothing = untouched(graded)
    graded = [learner for learner in graded if learner.name not in nothing]
    found = {exercise.id: Stopped() for learner in graded for exercise in learner.exercises}
    for learner in graded:
        for mistake in mistakes(learner.exercises):
            place, told = found[mistake.exercise], mistake.told
            if told.error == STUB:
                place.stubs.add(learner.name)
            elif mistake.place.startswith("answer-"):
                place.errors.setdefault(told.error, set()).add(learner.name)
            elif not told.id:
                place.unnamed.add(learner.name)
    return {id: place for id, place in found.items() if place.stubs or place.errors or place.unnamed}


def untouched(graded: list[Learner]) -> set[str]:
    """Who has handed in stubs alone, and has earned nothing."""
    return {
        learner.name
        for learner in graded
        if not learner.score and (made := mistakes(learner.exercises)) and all(m.told.error == STUB for m in made)
    }
