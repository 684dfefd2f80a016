"""The graded cells of a submission are the lesson's, whatever became of their metadata; nothing written is lost."""

import json
from collections.abc import Callable

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.utils import compute_checksum

from attention_lab.grading.repair import Own, Release, marked, restore

READ_ONLY = {"grade": False, "solution": False, "locked": True}
SOLUTION = {"grade": False, "solution": True, "locked": False}
TEST = {"grade": True, "solution": False, "locked": True, "points": 2}
ANSWER = {"grade": True, "solution": True, "locked": False, "points": 1}
KERNEL = {"name": "python3", "display_name": "Python 3"}
LESSON = {
    "given": ("code", READ_ONLY, "two = 2"),
    "double": ("code", SOLUTION, "raise NotImplementedError()"),
    "double-values": ("code", TEST, "assert double(3) == 6\nassert double(-1) == -2  # hidden from learners"),
    "double-signs": ("code", TEST, "assert double(-3) == -6"),
    "why": ("markdown", ANSWER, "YOUR ANSWER HERE"),
}


def mark(name: str) -> dict:
    return LESSON[name][1] | {"grade_id": name, "cell_type": LESSON[name][0], "task": False, "schema_version": 3}


def checksum(name: str) -> str:
    kind, _, source = LESSON[name]
    return compute_checksum(marked(NotebookNode(cell_type=kind), source, mark(name)))


@pytest.fixture(scope="module")
def lesson():
    with Gradebook("sqlite:///:memory:") as gradebook:
        gradebook.add_assignment("01-doubling")
        gradebook.add_notebook("doubling", "01-doubling", kernelspec=json.dumps(KERNEL))
        for name, (kind, roles, source) in LESSON.items():
            place = name, "doubling", "01-doubling"
            gradebook.add_source_cell(
                *place, cell_type=kind, locked=roles["locked"], source=source, checksum=checksum(name)
            )
            if roles["grade"]:
                gradebook.add_grade_cell(*place, max_score=roles["points"], cell_type=kind)
            if roles["solution"]:
                gradebook.add_solution_cell(*place)
        yield Release.of_gradebook(gradebook.find_notebook("doubling", "01-doubling"))


def handed_in() -> dict[str, dict]:
    """The cells of a submission by their ids: the lesson's graded ones and two others, as they lie in the file."""
    cells = {}
    for name in ("given", "double", "double-values", "own", "double-signs", "why"):
        kind, _, source = LESSON.get(name, ("code", {}, "print('mine')"))
        source = source.replace("raise NotImplementedError()", "def double(x):\n    return x + x").split("\nassert")[0]
        metadata = {"nbgrader": mark(name) | {"checksum": checksum(name)}} if name in LESSON else {"tags": ["demo"]}
        cells[name] = {"cell_type": kind, "id": name, "metadata": metadata, "source": source}
    return cells


def repair(cells: list[dict], lesson) -> tuple[list[NotebookNode], list[str]]:
    submission = json.dumps({"cells": cells, "metadata": {"kernelspec": "julia"}}).encode()
    notebook, notes = restore(lesson, submission)
    assert notebook.metadata == {"kernelspec": KERNEL}
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    return notebook.cells, notes


def names(cells: list[NotebookNode]) -> list[str | None]:
    return [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in cells]


def by_name(cells: list[NotebookNode]) -> dict[str, NotebookNode]:
    return dict(zip(names(cells), cells))


WHOLE = ["given", "double", "double-values", None, "double-signs", "why"]


def test_what_is_as_the_lesson_has_it_stays_with_its_hidden_tests_put_back(lesson):
    cells, notes = repair([*handed_in().values()], lesson)
    assert names(cells) == WHOLE and notes == []
    for name, cell in by_name(cells).items():
        if name:
            assert cell.metadata == {"nbgrader": mark(name) | {"checksum": checksum(name)}}
    assert by_name(cells)["double"].source == "def double(x):\n    return x + x"
    assert by_name(cells)["double-values"].source == LESSON["double-values"][2]
    assert cells[3].metadata == {"tags": ["demo"]}


def each(change: Callable[[dict], None]) -> Callable[[dict[str, dict]], None]:
    def change_all(cells: dict[str, dict]) -> None:
        for name in LESSON:
            change(cells[name])

    return change_all


def in_mark(**fields) -> Callable[[dict[str, dict]], None]:
    return each(lambda cell: cell["metadata"]["nbgrader"].update(fields))


def in_cell(**fields) -> Callable[[dict[str, dict]], None]:
    return each(lambda cell: cell.update(fields))


WRONG_MARKS = {
    "schema 1": in_mark(schema_version=1),
    "schema 2": in_mark(schema_version=2),
    "schema 4": in_mark(schema_version=4),
    "a schema in words": in_mark(schema_version="three"),
    "a field of another release": in_mark(remark="x"),
    "no checksum": in_mark(checksum=None),
    "points in words": in_mark(points="two"),
    "roles changed": in_mark(grade=True, solution=True, locked=False, task=True),
    "another lesson's id": in_mark(grade_id="squeeze"),
    "an id that is a list": in_mark(grade_id=["double"]),
    "empty": in_cell(metadata={"nbgrader": {}}),
    "text": in_cell(metadata={"nbgrader": "yes"}),
    "a list": in_cell(metadata={"nbgrader": ["yes"]}),
    "nothing": in_cell(metadata={"nbgrader": None}),
    "lost": in_cell(metadata={}),
    "lost with the whole metadata": in_cell(metadata=None),
    "in cells without ids": in_cell(id=None),
    "in cells of one id": in_cell(id="same"),
    "beside tags": each(lambda cell: cell["metadata"].update(tags=["demo", "skip-execution"])),
}


@pytest.mark.filterwarnings("error")  # as nbformat warns of ids that stand twice
@pytest.mark.parametrize("spoil", WRONG_MARKS.values(), ids=WRONG_MARKS)
def test_marks_that_are_not_the_lessons_own_change_nothing(spoil, lesson):
    cells = handed_in()
    spoil(cells)
    got, _ = repair([*cells.values()], lesson)
    right, _ = repair([*handed_in().values()], lesson)
    assert names(got) == WHOLE
    assert [(cell.source, cell.metadata) for cell in got] == [(cell.source, cell.metadata) for cell in right]


def test_a_test_without_metadata_and_id_is_known_by_its_text(lesson):
    cells = handed_in()
    cells["double-signs"] |= {"id": None, "metadata": {}}
    cells["later"] = {"cell_type": "code", "source": "def double(x): ..."}
    got, notes = repair([*cells.values()], lesson)
    assert names(got) == [*WHOLE, None] and notes == []


def test_a_cell_is_what_its_metadata_say_where_its_id_says_another(lesson):
    cells = handed_in()
    del cells["double-values"]
    cells["double-signs"] |= {"id": "double-values", "cell_type": "raw"}
    cells["double-signs"]["source"] += " "
    _, notes = repair([*cells.values()], lesson)
    assert [note.split("`")[1] for note in notes if "raw" in note] == ["double-signs"]


@pytest.mark.parametrize("lost", [{}, {"metadata": {}}, {"metadata": {}, "id": None}, {"id": "other"}])
def test_a_copy_of_a_test_above_the_answer_does_not_take_its_place(lost, lesson):
    cells = handed_in()
    copy = cells["double-signs"] | {"id": "copy"} | lost
    got, _ = repair([copy, *cells.values()], lesson)
    assert names(got) == [None, *WHOLE]
    cells["double-signs"]["metadata"] = {}
    got, _ = repair([copy | {"metadata": {}, "id": None}, *cells.values()], lesson)
    assert names(got) == [None, *WHOLE]


@pytest.mark.parametrize("wrong", [{}, "yes", ["yes"], None, mark("double"), mark("double") | {"grade_id": "squeeze"}])
def test_a_cell_that_is_not_the_lessons_is_an_ordinary_one(wrong, lesson):
    pasted = {"cell_type": "code", "id": "pasted", "metadata": {"nbgrader": wrong}, "source": "1 + 1"}
    cells, notes = repair([*handed_in().values(), pasted], lesson)
    assert names(cells) == [*WHOLE, None] and notes == []
    assert cells[-1] == new_code_cell("1 + 1", id="pasted")


@pytest.mark.parametrize("name", ["given", "double-values", "double-signs", "why"])
def test_what_is_missing_is_put_back_before_the_next_graded_cell_and_told(name, lesson):
    cells = handed_in()
    del cells[name]
    got, notes = repair([*cells.values()], lesson)
    places = {"double-values": ["given", "double", None, "double-values", "double-signs", "why"]}
    assert names(got) == places.get(name, WHOLE)
    assert by_name(got)[name].source == LESSON[name][2]
    assert notes == [f"`{name}` was missing and has been put back."]


def test_an_answer_in_a_cell_of_ones_own_is_not_followed_by_the_stub(lesson):
    cells = handed_in()
    cells["double"] |= {"id": "mine", "metadata": {}}
    got, notes = repair([*cells.values()], lesson)
    assert names(got) == ["given", None, *WHOLE[2:]] and notes == []


def test_of_an_emptied_notebook_all_that_gives_points_is_there(lesson):
    got, notes = repair([], lesson)
    assert names(got) == ["given", "double-values", "double-signs", "why"]
    assert [note.split("`")[1] for note in notes] == names(got)


@pytest.mark.parametrize("kind", ["markdown", "raw", "sql"])
def test_a_cell_of_another_kind_is_what_it_was(kind, lesson):
    cells = handed_in()
    cells["double"]["cell_type"] = cells["double-signs"]["cell_type"] = kind
    got, notes = repair([*cells.values()], lesson)
    right, _ = repair([*handed_in().values()], lesson)
    assert got == right
    told = "raw" if kind == "sql" else kind
    assert notes == [f"`{name}` had become a {told} cell." for name in ("double", "double-signs")]


def test_what_was_written_into_a_read_only_cell_stays_in_one_before_it(lesson):
    """As after merging an answer with its test."""
    cells = handed_in()
    cells["double-values"]["source"] = cells.pop("double")["source"] + "\n\n" + cells["double-values"]["source"]
    cells["given"]["source"] = "two = 3"
    got, notes = repair([*cells.values()], lesson)
    assert names(got) == [None, "given", None, "double-values", *WHOLE[3:]]
    assert got[0].source == "two = 3" and got[1].source == "two = 2"
    assert "def double" in got[2].source and got[3].source == LESSON["double-values"][2]
    assert [note.split("`")[1] for note in notes] == ["given", "double-values"]


def test_what_was_put_right_needs_no_repair(lesson):
    cells = handed_in()
    cells["given"]["source"], cells["double"]["cell_type"] = "two = 3", "raw"
    del cells["double-values"]
    once, _ = restore(lesson, json.dumps({"cells": [*cells.values()]}).encode())
    twice, notes = restore(lesson, nbformat.writes(once).encode())
    assert twice.cells == once.cells and notes == []


def test_a_released_notebook_serves_as_well_as_the_gradebook(lesson):
    released, _ = restore(lesson, json.dumps({"cells": [*handed_in().values()]}).encode())
    cells = handed_in()
    del cells["double-signs"], cells["given"]
    cells["why"]["cell_type"] = "code"
    submission = json.dumps({"cells": [*cells.values()]}).encode()
    assert restore(Release.of_notebook(released), submission) == restore(lesson, submission)


def test_what_was_handed_in_keeps_its_outputs_where_they_are_asked_for(lesson):
    """In the lesson's cells, in the learner's own, and in what was written into a test."""
    shown = {"outputs": [{"output_type": "stream", "name": "stdout", "text": "3"}], "execution_count": 1}
    cells = {name: cell | (shown if cell["cell_type"] == "code" else {}) for name, cell in handed_in().items()}
    cells["double-values"]["source"] += "\nprint(3)"
    submission = json.dumps({"cells": [*cells.values()]}).encode()
    for outputs, text in ((True, ["3"] * 6), (False, [])):
        notebook, _ = restore(lesson, submission, outputs)
        assert [output.text for cell in notebook.cells for output in cell.get("outputs", [])] == text


def test_a_task_is_put_back_and_without_a_kernel_none_is_named():
    task = Own("markdown", "Draw it.", mark("why") | {"grade": False, "solution": False, "task": True})
    notebook, notes = restore(Release({"why": task}), json.dumps({"cells": []}).encode())
    assert [cell.source for cell in notebook.cells] == ["Draw it."] and len(notes) == 1
    assert notebook.metadata == {}
