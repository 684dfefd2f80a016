"""`nbgrader generate_feedback` writes the page: of a check of the course, of an instructor's own test, of a free text."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup
from called import nbgrader
from graded import role, words
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Gradebook

from attention_lab.classroom.sandbox import unconfined

ROOT = Path(__file__).parents[2]
LESSON = "02-lesson"
SOLVED = "def squeeze(x):\n    ### BEGIN SOLUTION\n    return x.mean((2, 3))\n    ### END SOLUTION"


def cell(source: str, id: str, make=new_code_cell, **about: object) -> nbformat.NotebookNode:
    return make(source, id=id, metadata=role(id, **about))


def lesson() -> nbformat.NotebookNode:
    return new_notebook(
        cells=[
            cell(SOLVED, "squeeze", solution=True),
            cell('check("squeeze-shape", squeeze)', "squeeze-shape", grade=True, locked=True, points=1),
            cell('check("squeeze-values", squeeze)', "squeeze-values", grade=True, locked=True, points=1),
            cell("assert squeeze.__doc__, 'no docstring'", "docstring", grade=True, locked=True, points=2),
            cell("Your words", "essay", new_markdown_cell, grade=True, solution=True, points=3),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )


def run(course: Path, *command: str) -> str:
    return nbgrader(*command, cwd=course).stderr


@pytest.fixture(scope="module")
def feedback(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Two pages of one submission: as it is graded, then with a grader's comment, points and a penalty."""
    course = tmp_path_factory.mktemp("feedback")
    shutil.copy(ROOT / "nbgrader_config.py", course)
    (course / "solutions" / LESSON).mkdir(parents=True)
    nbformat.write(lesson(), course / "solutions" / LESSON / "lesson.ipynb")
    run(course, "generate_assignment", LESSON)
    handed_in = nbformat.read(course / "notebooks" / LESSON / "lesson.ipynb", as_version=4)
    handed_in.cells[0].source = "def squeeze(x):\n    return x.amax((2, 3))"
    handed_in.cells[4].source = "Channels."
    (course / "submitted" / "ada" / LESSON).mkdir(parents=True)
    nbformat.write(handed_in, course / "submitted" / "ada" / LESSON / "lesson.ipynb")
    run(course, "autograde", LESSON, "--create", *unconfined())

    run(course, "generate_feedback", LESSON)
    first = read(course)
    files = [path.name for path in (course / "feedback").rglob("*") if path.is_file()]
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.find_grade("essay", "lesson", LESSON, "ada").manual_score = 2
        gradebook.find_grade("essay", "lesson", LESSON, "ada").needs_manual_grade = False
        gradebook.find_comment("essay", "lesson", LESSON, "ada").manual_comment = "Of *which* image?"
        gradebook.find_submission_notebook("lesson", LESSON, "ada").late_submission_penalty = 1
        gradebook.db.commit()
    run(course, "generate_feedback", LESSON, "--force")
    return SimpleNamespace(first=first, files=files, later=read(course), course=course)


def read(course: Path) -> BeautifulSoup:
    file = course / "feedback" / "ada" / LESSON / "lesson.html"
    return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")


def rows(page: BeautifulSoup) -> list[str]:
    return [words(row) for row in page.select(".score tbody tr, .score tfoot tr")]


def test_the_score_by_exercise_and_what_waits_for_a_person(feedback):
    assert feedback.files == ["lesson.html"]
    assert rows(feedback.first) == [
        "✗ squeeze 1 / 2",
        "✗ docstring 0 / 2",
        "… essay to be read: 3 0 / 3",
        "Total 1 / 7",
    ]


def test_the_mistake_that_the_check_names_and_the_instructors_own_error(feedback):
    maximum, docstring = (words(mistake) for mistake in feedback.first.select(".mistakes > li"))
    assert maximum.startswith("squeeze the maximum of each channel, not its average Ask yourself Which statistic")
    assert docstring == "docstring AssertionError: no docstring"


def test_what_the_misconception_is_stands_as_data_in_the_graded_notebook(feedback):
    graded = nbformat.read(feedback.course / "autograded" / "ada" / LESSON / "lesson.ipynb", as_version=4)
    data = [graded.cells[place].outputs[0].metadata.attention_lab for place in (1, 2)]
    assert data[0] == {"id": "squeeze-shape", "points": 1, "passed": True}
    assert (data[1].passed, data[1].misconception) == (False, "maximum")


def test_a_persons_points_comment_and_a_late_penalty(feedback):
    assert rows(feedback.later)[2:] == ["✗ essay 2 / 3", "Handed in late −1", "Total 2 / 7"]
    assert words(feedback.later.select_one(".comment")) == "Comment Of which image?"
