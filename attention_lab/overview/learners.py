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

from ..classroom.beside import refused
from ..feedback.marks import Exercise, Mark, sections
from ..grading.reading import Unreadable, cells_of

GRADED, WAITING = "graded", "waiting for a person"
ABSENT, RENAMED, REFUSED = "absent", "renamed", "refused"
UNREADABLE, NOT_YET = "not readable", "not graded yet"


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
    exercises: list[Exercise] = field(default_factory=list)
    penalty: float = 0
    reason: str = ""

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
    config = PyFileConfigLoader("nbgrader_config.py", str(root)).load_config()
    course = CourseDirectory(config=config, root=str(root))

    def folders(step: str) -> dict[str, Path]:
        places = Path(course.format_path(step, "*", lesson)).parent.parent.glob("*")
        return {place.name: place / lesson for place in places if (place / lesson).exists() or place.is_symlink()}

    graded, handed_in = folders(course.autograded_directory), folders(course.submitted_directory)
    if not graded:
        raise NothingGraded(f"nothing of {lesson} is graded yet: attention-lab grade {lesson}")
    with Gradebook(course.db_url) as gradebook:
        names, given, penalties = by_student(gradebook, lesson)
        notebooks = {name for (name,) in gradebook.db.query(Notebook.name).join(Assignment).filter_by(name=lesson)}
    found = []
    for name in sorted(names | graded.keys() | handed_in.keys()):
        files = sorted(graded[name].glob("*.ipynb")) if name in graded else []
        if files and name in given:
            found.append(learner(name, files, given[name], penalties[name]))
        else:
            expected = {f"{notebook}.ipynb" for notebook in notebooks}
            status, reason = why_not(handed_in.get(name), expected)
            found.append(Learner(name, status, reason=reason))
    return found


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
        cells = [from_dict(cell) for cell in cells if "nbgrader" in cell["metadata"]]
        for cell in cells:
            about = cell.metadata.nbgrader
            about.score, about.points, _ = given.get(
                (file.stem, about.grade_id), Given(0, about.get("points", 0), False)
            )
        waiting = {cell for (notebook, cell), grade in given.items() if grade.waiting and notebook == file.stem}
        exercises += [section for section in sections(cells, waiting) if isinstance(section, Exercise)]
    status = WAITING if any(grade.waiting for grade in given.values()) else GRADED
    return Learner(name, status, exercises, penalty)


def why_not(folder: Path | None, expected: set[str]) -> tuple[str, str]:
    """Why a learner has no grade, in a word and in a few.

    folder: where what was handed in lies, if anything was.
    expected: the names of the lesson's notebooks.
    """
    if folder is None:
        return ABSENT, "nothing was handed in"
    if folder.is_symlink() or folder.parent.is_symlink():
        return REFUSED, "what was handed in is a link"
    there = {path.name for path in folder.iterdir()} - {"timestamp.txt"}
    if not there:
        return ABSENT, "the folder is empty"
    for name, reason in refused(folder).items():
        if name.endswith(".ipynb"):
            return REFUSED, f"{name} is {reason}"
    if not there & expected:
        return RENAMED, f"no {' or '.join(sorted(expected))}; there is: {', '.join(sorted(there))}"
    try:
        for name in there & expected:
            cells_of((folder / name).read_bytes())
    except (Unreadable, OSError) as error:
        return UNREADABLE, str(error)
    return NOT_YET, "attention-lab grade has not come to it, or says why not"
