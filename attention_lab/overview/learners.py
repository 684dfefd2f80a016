"""The gradebook and the graded notebooks of a lesson -> its learners, with their exercises or the reason for none."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from nbformat import from_dict
from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    Gradebook,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.coursedir import CourseDirectory
from traitlets.config import PyFileConfigLoader

from ..classroom.standing import UNGRADED, why_not
from ..feedback.marks import Exercise, Mark, sections
from ..grading.reading import source_of

GRADED, WAITING = "graded", "waiting for a person"


class NothingGraded(Exception):
    """A lesson of which there is nothing to report yet."""


class Given(NamedTuple):
    """Points for a cell, as they are in the gradebook."""

    points: float
    of: float
    waiting: bool


@dataclass(frozen=True)
class Learner:
    """Someone of the class.

    status: graded, waiting for a person to read a text, or why there is no grade.
    reason: that in a few words.
    penalty: points taken off for handing in late.
    """

    name: str
    status: str
    reason: str = ""
    exercises: list[Exercise] = field(default_factory=list)
    penalty: float = 0

    @property
    def is_graded(self) -> bool:
        return self.status in (GRADED, WAITING)

    @property
    def marks(self) -> dict[str, Mark]:
        """By exercise, those that give points."""
        return {exercise.id: exercise.mark for exercise in self.exercises if exercise.mark}

    @property
    def score(self) -> float:
        return max(0, sum(mark.points for mark in self.marks.values()) - self.penalty)

    @property
    def of(self) -> float:
        return sum(mark.of for mark in self.marks.values())


def learners(root: Path, lesson: str) -> list[Learner]:
    """Everyone of the class of the course at ``root``, by name.

    Raises: NothingGraded.
    """
    course = course_of(root)
    graded = folders(course, course.autograded_directory, lesson)
    if not graded:
        raise NothingGraded(f"nothing of {lesson} is graded yet: attention-lab grade {lesson}")
    with Gradebook(course.db_url) as gradebook:
        _, given, penalties = by_student(gradebook, lesson)
    return [
        learner(each.name, sorted(graded[each.name].glob("*.ipynb")), given[each.name], penalties[each.name])
        if each.is_graded
        else each
        for each in standing(root, lesson)
    ]


def standing(root: Path, lesson: str) -> list[Learner]:
    """Everyone of the class by name, with status and reason alone: no graded notebook is read."""
    course = course_of(root)
    graded = folders(course, course.autograded_directory, lesson)
    handed_in = folders(course, course.submitted_directory, lesson)
    with Gradebook(course.db_url) as gradebook:
        names, given, _ = by_student(gradebook, lesson)
    expected, found = notebooks(root, lesson), []
    for name in sorted(names | graded.keys() | handed_in.keys()):
        if name in given and name in graded and any(graded[name].glob("*.ipynb")):
            waiting = any(grade.waiting for grade in given[name].values())
            found.append(Learner(name, WAITING if waiting else GRADED))
        else:
            found.append(Learner(name, *why_not(handed_in.get(name), expected)))
    return found


def notebooks(root: Path, lesson: str) -> set[str]:
    """The files of a lesson's notebooks, by the gradebook; none if it does not know the lesson."""
    with Gradebook(course_of(root).db_url) as gradebook:
        names = gradebook.db.query(Notebook.name).join(Assignment).filter_by(name=lesson)
        return {f"{name}.ipynb" for (name,) in names}


def course_of(root: Path) -> CourseDirectory:
    return CourseDirectory(config=PyFileConfigLoader("nbgrader_config.py", str(root)).load_config(), root=str(root))


def folders(course: CourseDirectory, step: str, lesson: str) -> dict[str, Path]:
    """Where a lesson of each student lies in a step of nbgrader's."""
    places = Path(course.format_path(step, "*", lesson)).parent.parent.glob("*")
    return {place.name: place / lesson for place in places if (place / lesson).exists() or place.is_symlink()}


def summary(found: list[Learner], most: int = 10) -> list[str]:
    """How many have which status, a line for each; of those without a grade, who."""
    lines = [f"{len(found)} student{'' if len(found) == 1 else 's'}"]
    for status in (GRADED, WAITING, *UNGRADED):
        if those := [learner.name for learner in found if learner.status == status]:
            names = f": {', '.join(those[:most])}{', ...' if len(those) > most else ''}" if status in UNGRADED else ""
            lines.append(f"  {len(those)} {status}{names}")
    return lines


def by_student(
    gradebook: Gradebook, lesson: str
) -> tuple[set[str], dict[str, dict[tuple[str, str], Given]], dict[str, float]]:
    """The names of all, what each has been given by notebook and cell, and the points taken off for being late."""
    rows = (
        gradebook.db.query(
            SubmittedAssignment.student_id,
            Notebook.name,
            BaseCell.name,
            Grade.score,
            Grade.max_score,
            Grade.needs_manual_grade,
            SubmittedNotebook.late_submission_penalty,
        )
        .select_from(Grade)
        .join(BaseCell, Grade.cell_id == BaseCell.id)
        .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
        .join(Notebook, SubmittedNotebook.notebook_id == Notebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .filter(Assignment.name == lesson)
    )
    given: dict[str, dict[tuple[str, str], Given]] = {}
    late: dict[str, dict[str, float]] = {}
    for student, notebook, cell, points, of, waiting, penalty in rows:
        given.setdefault(student, {})[notebook, cell] = Given(points, of, waiting)
        late.setdefault(student, {})[notebook] = penalty or 0
    names = {name for (name,) in gradebook.db.query(Student.id)}
    return names, given, {student: sum(each.values()) for student, each in late.items()}


def learner(name: str, files: Iterable[Path], given: dict[tuple[str, str], Given], penalty: float) -> Learner:
    """A learner whose notebooks are graded. Of them only the cells that have a role are looked at."""
    exercises = []
    for file in files:
        cells = json.loads(file.read_bytes())["cells"]
        cells = [from_dict(cell | {"source": source_of(cell)}) for cell in cells if "nbgrader" in cell["metadata"]]
        for cell in cells:
            about = cell.metadata.nbgrader
            about.score, about.points, _ = given.get(
                (file.stem, about.grade_id), Given(0, about.get("points", 0), False)
            )
        waiting = {cell for (notebook, cell), grade in given.items() if grade.waiting and notebook == file.stem}
        exercises += [section for section in sections(cells, waiting) if isinstance(section, Exercise)]
    status = WAITING if any(grade.waiting for grade in given.values()) else GRADED
    return Learner(name, status, "", exercises, penalty)
