"""A submission cannot choose how its graded cells are executed."""

from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

LESSON = "01-doubling"
RIGHT, WRONG = "return x + x", "return x"


def submit(course: Path, student: str, answer: str, tags: list[str]) -> None:
    """Hand in the lesson with an answer, and with tags on its solution and test cells."""
    notebook = nbformat.read(course / "notebooks" / LESSON / "doubling.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("raise NotImplementedError()", answer)
        if cell.metadata.get("nbgrader", {}).get("grade_id") in ("double", "double-values"):
            cell.metadata.tags = tags
    folder = course / "submitted" / student / LESSON
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / "doubling.ipynb")


def autograded(course: Path, student: str) -> nbformat.NotebookNode:
    return nbformat.read(course / "autograded" / student / LESSON / "doubling.ipynb", as_version=4)


@pytest.fixture
def graded(course: Path, nbgrader) -> Path:
    """The course after `nbgrader autograde` of one right, one wrong, and several wrong and tagged submissions."""
    submit(course, "right", RIGHT, tags=[])
    submit(course, "wrong", WRONG, tags=[])
    for tag in ("demo", "skip-execution", "raises-exception"):
        submit(course, f"wrong-{tag}", WRONG, tags=[tag])
    nbgrader("generate_assignment", LESSON, "--force")
    nbgrader("autograde", LESSON)
    return course


def test_tags_earn_no_points_and_demonstrations_do_not_run(graded):
    with Gradebook(f"sqlite:///{graded / 'gradebook.db'}") as gradebook:
        scores = {s.student.id: s.score for s in gradebook.assignment_submissions(LESSON)}
    assert scores == {"right": 2, "wrong": 0, "wrong-demo": 0, "wrong-skip-execution": 0, "wrong-raises-exception": 0}

    for student in scores:
        by_name = {cell.id: cell for cell in autograded(graded, student).cells}
        assert by_name["double-values"].execution_count
        assert by_name["double-values_1"].metadata.tags == ["demo"]
        assert not by_name["double-values_1"].execution_count
