"""The class is read from gradebook and notebooks: everyone is there, and who has no grade has a reason."""

import shutil
from pathlib import Path

import nbformat
import pytest
from graded import answer, checked, read_by_a_person
from nbformat.v4 import new_markdown_cell, new_notebook
from nbgrader.api import Gradebook

from attention_lab.overview.learners import NothingGraded, learners

ROOT = Path(__file__).parents[2]
LESSON = "02-lesson"


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course with a lesson of one test and one text, and students in its gradebook who have handed in nothing."""
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}", "attention-lab") as gradebook:
        gradebook.add_assignment(LESSON)
        gradebook.add_notebook("lesson", LESSON)
        gradebook.add_grade_cell("a-values", "lesson", LESSON, max_score=2, cell_type="code")
        gradebook.add_grade_cell("text", "lesson", LESSON, max_score=3, cell_type="markdown")
        gradebook.add_student("ada")
    return tmp_path


def hand_in(course: Path, name: str, file: str = "lesson.ipynb", content: str = '{"cells": []}') -> Path:
    folder = course / "submitted" / name / LESSON
    folder.mkdir(parents=True)
    (folder / file).write_text(content)
    return folder / file


def grade(course: Path, name: str, points: float, text: float | None = None, late: float = 0) -> None:
    """Give points for the test, and for the text where a person has read it."""
    cells = [new_markdown_cell("A text"), answer("a"), checked("a-values", 0, 2), read_by_a_person("text", 0, 3)]
    for cell in cells:
        cell.metadata.get("nbgrader", {}).pop("score", None)
    folder = course / "autograded" / name / LESSON
    folder.mkdir(parents=True)
    nbformat.write(new_notebook(cells=cells), folder / "lesson.ipynb")
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_student(name)
        notebook = gradebook.add_submission(LESSON, name).notebooks[0]
        notebook.late_submission_penalty = late
        for given in notebook.grades:
            given.auto_score = points if given.name == "a-values" else None
            given.manual_score = text if given.name == "text" else None
            given.needs_manual_grade = given.name == "text" and text is None
        gradebook.db.commit()


def read(course: Path, name: str):
    return next(found for found in learners(course, LESSON) if found.name == name)


def test_points_are_the_gradebooks(course):
    grade(course, "ben", 1.5, text=3, late=1)
    ben = read(course, "ben")
    assert (ben.status, ben.score, ben.of) == ("graded", 3.5, 5)
    assert {id: mark.points for id, mark in ben.marks.items()} == {"a": 1.5, "text": 3}


def test_points_of_another_lesson_are_not_counted(course):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.add_assignment("03-other")
        gradebook.add_notebook("lesson", "03-other")
        gradebook.add_grade_cell("a-values", "lesson", "03-other", max_score=2, cell_type="code")
    grade(course, "ben", 2, text=3)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.add_submission("03-other", "ben")
    ben = read(course, "ben")
    assert (ben.status, ben.score) == ("graded", 5)


def test_a_penalty_takes_no_more_than_there_is(course):
    grade(course, "ben", 1, text=0, late=4)
    assert read(course, "ben").score == 0


def test_who_has_a_text_to_be_read_waits_for_a_person(course):
    grade(course, "ben", 2)
    ben = read(course, "ben")
    assert (ben.status, ben.marks["text"].waiting, ben.is_graded) == ("waiting for a person", 3, True)


def test_who_has_no_grade_has_a_reason(course):
    grade(course, "ben", 2)
    hand_in(course, "cleo", "cleo.ipynb")
    hand_in(course, "dan", content='{"cells": [')
    hand_in(course, "eve")
    hand_in(course, "finn", "timestamp.txt")
    hand_in(course, "gus").unlink()
    (course / "submitted" / "gus" / LESSON / "lesson.ipynb").symlink_to(course / "nbgrader_config.py")
    (course / "submitted" / "hana").symlink_to(course / "submitted" / "eve")
    found = {each.name: (each.status, each.reason) for each in learners(course, LESSON) if not each.is_graded}
    assert found.pop("dan")[0] == "not readable"
    assert found == {
        "ada": ("absent", "nothing was handed in"),
        "cleo": ("renamed", "no lesson.ipynb; there is: cleo.ipynb (rename it, or let `attention-lab collect` do so)"),
        "eve": ("not graded yet", "attention-lab grade has not come to it, or says why not"),
        "finn": ("absent", "the folder is empty"),
        "gus": ("refused", "lesson.ipynb is a link"),
        "hana": ("refused", "what was handed in is a link"),
    }


def test_points_without_a_graded_notebook_are_no_grade(course):
    grade(course, "ben", 2)
    grade(course, "cleo", 2)
    shutil.rmtree(course / "autograded" / "cleo")
    assert read(course, "cleo").status == "absent"


def test_where_nothing_is_graded_the_command_that_does_is_told(course):
    hand_in(course, "eve")
    with pytest.raises(NothingGraded, match="attention-lab grade 02-lesson"):
        learners(course, LESSON)
