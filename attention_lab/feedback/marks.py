"""A graded notebook -> exercises with their answers, verdicts and points, and the mistakes."""

import re
from dataclasses import dataclass
from textwrap import shorten

from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution, is_task

from ..grading.report import DATA, FOLLOW_THROUGH

HEADING = re.compile(r"^#{1,6}\s+(.+)$", re.MULTILINE)

UNREAD = re.compile(r"\((?:<[^>]*>|[\w.-]+\.py), (line \d+)\)$")
"""How Python says where it could not read a cell: the file's name is one that IPython has made up."""

SAYS_ALL = ("CheckFailed", "NotImplementedError")
"""Errors of the course's checks, whose message needs no name before it."""


@dataclass(frozen=True)
class Mark:
    """What was earned: points, of how many, and how many of those a person has yet to give."""

    points: float
    of: float
    waiting: float = 0

    @property
    def state(self) -> str:
        if not (self.of or self.points):
            return "uncounted"
        return "waiting" if self.waiting else "passed" if self.points >= self.of else "failed"


@dataclass(frozen=True)
class Told:
    """What is behind missing points: a mistake, and, of those that the course knows by name, question, equation and id.

    error: the kind of error that it was seen by, where the course has no name for it.
    """

    name: str = ""
    question: str = ""
    equation: str = ""
    id: str = ""
    error: str = ""


@dataclass(frozen=True)
class Part:
    """A cell that has a role in an exercise.

    role: answer, test or task.
    mark: None for an answer that tests give the points for.
    comment: a grader's, or nbgrader's own; markdown.
    told: by a check of the course; None for any other test.
    """

    id: str
    role: str
    cell: NotebookNode
    mark: Mark | None
    comment: str
    told: Told | None = None

    @property
    def anchor(self) -> str:
        return f"{self.role}-{self.id}"

    @property
    def failed(self) -> bool:
        return self.mark is not None and self.mark.state == "failed"

    @property
    def followed(self) -> bool:
        """Whether it is right for a wrong earlier answer; then its points may be given."""
        return self.told is not None and self.told.id == FOLLOW_THROUGH

    @property
    def error(self) -> Told:
        """What the cell ended with, in one line; without a name where it ended well."""
        errors = (output for output in self.cell.get("outputs", []) if output.output_type == "error")
        for error in errors:
            name = "" if error.evalue and error.ename in SAYS_ALL else error.ename
            said = UNREAD.sub(r"(\1)", error.evalue)
            return Told(shorten(": ".join(filter(None, (name, said))), 240), error=error.ename)
        return Told()


@dataclass(frozen=True)
class Fold:
    """Cells that nobody gives points for: the lesson's own, and what a learner added."""

    cells: list[NotebookNode]

    @property
    def title(self) -> str:
        texts = [cell.source for cell in self.cells if cell.cell_type == "markdown"]
        headings = [found.strip() for text in texts for found in HEADING.findall(text)]
        return " · ".join(headings) or ("Text" if texts else "Code")

    @property
    def failed(self) -> bool:
        return any(output.output_type == "error" for cell in self.cells for output in cell.get("outputs", []))


@dataclass(frozen=True)
class Exercise:
    """An answer and the tests whose ids begin with its own; or a test that belongs to no answer."""

    id: str
    parts: list[Part | Fold]

    @property
    def mark(self) -> Mark | None:
        """The points of all its parts, None if none gives any."""
        marks = [part.mark for part in self.parts if isinstance(part, Part) and part.mark]
        sums = (sum(getattr(mark, name) for mark in marks) for name in ("points", "of", "waiting"))
        return Mark(*sums) if marks else None

    def label(self, part: Part) -> str:
        return part.id.removeprefix(f"{self.id}-")


@dataclass(frozen=True)
class Mistake:
    """Why points of an exercise are missing, and the first place in the page that says so."""

    exercise: str
    place: str
    told: Told


def sections(cells: list[NotebookNode], waiting: set[str]) -> list[Exercise | Fold]:
    """A notebook's cells in their order: exercises, and folds between them.

    waiting: the ids of cells that a person has yet to read.
    """
    found: list[Exercise | Fold] = []
    exercise, others = None, []
    for cell in cells:
        if not (is_solution(cell) or is_grade(cell) or is_task(cell)):
            others += [cell] if cell.source.strip() else []
            continue
        part = part_of(cell, waiting)
        if exercise and part.role == "test" and part.id.startswith(f"{exercise.id}-"):
            exercise.parts.extend([Fold(others)] if others else [])
            exercise.parts.append(part)
        else:
            exercise = Exercise(part.id, [part])
            found += [Fold(others), exercise] if others else [exercise]
        others = []
    return [*found, Fold(others)] if others else found


def part_of(cell: NotebookNode, waiting: set[str]) -> Part:
    about = cell.metadata.nbgrader
    role = "task" if is_task(cell) else "answer" if is_solution(cell) else "test"
    mark = None
    if is_grade(cell) or is_task(cell):
        mark = Mark(about.score, about.points, about.points if about.grade_id in waiting else 0)
    return Part(about.grade_id, role, cell, mark, about.get("comment") or "", told_by(cell) if role == "test" else None)


def told_by(test: NotebookNode) -> Told | None:
    """What the course's check has told, as it stands in the outputs' metadata."""
    known = (output.get("metadata", {}).get(DATA) for output in test.get("outputs", []))
    data = next((data for data in known if isinstance(data, dict)), None)
    return data and Told(*(str(data.get(name, "")) for name in ("name", "question", "equation", "misconception")))


def mistakes(exercises: list[Exercise]) -> list[Mistake]:
    """Each mistake once for an exercise, however many of its tests it fails."""
    found: dict[tuple[str, str], Mistake] = {}
    for exercise in exercises:
        answer, *tests = [part for part in exercise.parts if isinstance(part, Part)]
        for test in (part for part in (answer, *tests) if part.role == "test" and (part.failed or part.followed)):
            if test.told and test.told.name:
                mistake = Mistake(exercise.id, test.anchor, test.told)
            elif answer.error.name:
                mistake = Mistake(exercise.id, answer.anchor, answer.error)
            else:
                mistake = Mistake(exercise.id, test.anchor, test.error)
            found.setdefault((exercise.id, mistake.told.name), mistake)
    return [mistake for mistake in found.values() if mistake.told.name]
