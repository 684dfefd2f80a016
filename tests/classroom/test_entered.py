"""Who changes a lesson after it was entered into the gradebook is told what is graded otherwise."""

from pathlib import Path

import nbformat
import pytest
from graded import checked
from nbformat.v4 import new_notebook
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory

from attention_lab.classroom.entered import changed

ENTERED = {"squeeze-shape": 1, "squeeze-values": 2}


def told(root: Path, lesson: dict[str, float]) -> str:
    """What is told of a lesson with these tests, where the gradebook has the others."""
    course = CourseDirectory(root=str(root), db_url=f"sqlite:///{root / 'gradebook.db'}", source_directory="solutions")
    with Gradebook(course.db_url) as gradebook:
        gradebook.add_assignment("02-lesson")
        gradebook.add_notebook("lesson", "02-lesson")
        for id, points in ENTERED.items():
            gradebook.add_grade_cell(id, "lesson", "02-lesson", max_score=points, cell_type="code")
    folder = root / "solutions" / "02-lesson"
    folder.mkdir(parents=True)
    made = new_notebook(cells=[checked(id, 0, points) for id, points in lesson.items()])
    nbformat.write(made, folder / "lesson.ipynb")
    return changed(course, "02-lesson")


def test_nothing_is_told_of_a_lesson_as_it_was_entered(tmp_path):
    assert told(tmp_path, ENTERED) == ""


@pytest.mark.parametrize(
    ("lesson", "differs"),
    [
        (ENTERED | {"squeeze-values": 2.5}, "squeeze-values 2 there, 2.5 here"),
        ({"squeeze-values": 2}, "squeeze-shape 1 there, none here"),
        (ENTERED | {"own": 3}, "own none there, 3 here"),
        ({"a": 1, "b": 1}, "a none there, 1 here; b none there, 1 here; squeeze-shape 1 there, none here; 1 more"),
    ],
)
def test_other_points_a_dropped_and_a_new_test_are_told_with_the_command(tmp_path, lesson, differs):
    line = told(tmp_path, lesson)
    assert f"than in the lesson: {differs}. " in line and line.endswith(
        "nbgrader generate_assignment 02-lesson --force"
    )
