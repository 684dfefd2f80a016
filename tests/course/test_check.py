"""Before handing in, a learner reads what is unanswered, does not run, or will be put right, and nothing is changed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from nbgrader.utils import is_solution

from attention_lab.cli import main
from attention_lab.course.check import Preflight, preflight
from attention_lab.grading.exercises import LESSONS, TEXTS

ROOT = Path(__file__).parents[2]
LESSON, NOTEBOOK = "02-squeeze-excitation", "squeeze-excitation"


def released(lesson: str = LESSON) -> dict:
    return json.loads((ROOT / "notebooks" / lesson / f"{lesson[3:]}.ipynb").read_text(encoding="utf-8"))


def answered(lesson: str = LESSON) -> dict[str, dict]:
    """The cells of a notebook with every answer, by id."""
    right = nbformat.read(ROOT / "solutions" / lesson / f"{lesson[3:]}.ipynb", as_version=4)
    answers = {cell.id: cell.source for cell in right.cells if is_solution(cell)}
    return {
        cell["id"]: cell | {"source": answers.get(cell["id"], cell["source"])} for cell in released(lesson)["cells"]
    }


def look(cells: dict[str, dict] | dict, lesson: str = LESSON) -> Preflight:
    return preflight(lesson, json.dumps({"cells": [*cells.values()], "nbformat": 4, "nbformat_minor": 5}).encode())


def states(found: Preflight) -> dict[str, str]:
    return {row[0]: row[1] for row in found.answers.rows}


@pytest.mark.parametrize("lesson", LESSONS)
def test_as_handed_out_everything_is_yet_to_do_and_as_solved_nothing(lesson):
    found = preflight(lesson, json.dumps(released(lesson)).encode())
    ids = {exercise.id for exercise in LESSONS[lesson]}
    assert set(states(found)) == ids | {TEXTS[lesson][0]} if lesson in TEXTS else ids
    assert len(found.to_do) == len(states(found)) and not found.put_right and not found.remarks
    solved = look(answered(lesson), lesson)
    assert set(states(solved).values()) == {"written"}
    assert (solved.to_do, solved.put_right, solved.remarks) == ([], [], [])


def source(id: str, text: str) -> Callable[[dict], None]:
    return lambda cells: cells[id].update(source=text)


def gone(*ids: str) -> Callable[[dict], None]:
    return lambda cells: [cells.pop(id) for id in ids]


def in_another_cell(cells: dict) -> None:
    cells["own"] = {"cell_type": "code", "metadata": {}, "source": cells.pop("squeeze")["source"]}


@pytest.mark.parametrize(
    ("spoil", "state", "told"),
    [
        (source("squeeze", "def squeeze(x):\n    return x.mean((2, 3)"), "does not run", "SyntaxError in line 2: '(' was"),
        (source("squeeze", "def squeeze(x):\nreturn 1"), "does not run", "IndentationError in line 2: expected an"),
        (source("squeeze", "def squeeze(x):\n    raise NotImplementedError"), "not finished", "one place still says `raise"),
        (source("squeeze", ""), "empty", "squeeze: the cell is empty."),
        (source("squeeze", "def sqeeze(x):\n    return x"), "not finished", "no cell defines squeeze, which its checks ask for"),
        (gone("squeeze"), "missing", "the cell of your answer is gone, and no other cell defines squeeze."),
        (in_another_cell, "in a cell of its own", ""),
        (source("squeeze", "%time\nsqueeze = lambda x: x.mean((2, 3))\n!ls"), "written", ""),
    ],
)  # fmt: skip
def test_what_an_answer_lacks_is_said(spoil, state, told):
    spoil(cells := answered())
    found = look(cells)
    assert states(found)["squeeze"] == state
    assert [told in line for line in found.to_do] == [True] * bool(told)


def test_a_text_that_is_not_written_is_said():
    cells = answered("01-attention-as-weighting")
    cells["which-weighting"]["source"] = " YOUR ANSWER HERE\n"
    found = look(cells, "01-attention-as-weighting")
    assert found.to_do == ["which-weighting: there is no text yet."]
    assert found.answers.rows[-1][2] == "read by your instructor"


def test_what_grading_will_put_right_is_said_as_it_will_be_said():
    cells = answered()
    del cells["squeeze-values"]
    cells["squeeze-shape"]["source"] += "\nprint('mine')"
    cells["debug-se"]["cell_type"] = "markdown"
    assert look(cells).put_right == [
        "`squeeze-shape` had been changed: what was written there stands in a cell of its own before it.",
        "`debug-se` had become a markdown cell.",
        "`squeeze-values` was missing and has been put back.",
    ]


def test_another_cell_that_does_not_run_is_named_and_nothing_is_yet_to_do():
    cells = answered()
    cells["own"] = {"cell_type": "code", "metadata": {}, "source": "print(1\n"}
    found = look(cells)
    assert found.to_do == [] and found.remarks == [
        "The cell that begins with `print(1`: SyntaxError in line 1: '(' was never closed."
    ]


@pytest.fixture
def kit(tmp_path: Path, monkeypatch) -> Path:
    """The folder of the notebooks in a learner's kit, and the learner in it."""
    (tmp_path / "nbgrader_config.py").touch()
    folder = tmp_path / "notebooks" / LESSON
    folder.mkdir(parents=True)
    (folder / f"{NOTEBOOK}.ipynb").write_text(json.dumps(released()))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "notebooks"


def test_in_a_lessons_folder_it_is_that_lesson_and_elsewhere_one_is_asked_for(kit, monkeypatch):
    for command in ["check"], ["submit", "--name", "Ada"]:
        monkeypatch.chdir(kit)
        done = CliRunner().invoke(main, command)
        assert (done.exit_code, done.output.splitlines()) == (
            2, ["Error: which lesson? Give its name or number, or go into its folder."],
        )  # fmt: skip
        monkeypatch.chdir(kit / LESSON)
        assert f"{NOTEBOOK}.ipynb" in CliRunner().invoke(main, command).output


@pytest.mark.parametrize("asked", ["2", "02", "02-squeeze-excitation", "squeeze"])
def test_the_command_takes_a_number_says_all_and_fails_if_something_is_to_do(kit, asked):
    done = CliRunner().invoke(main, ["check", asked])
    assert done.exit_code == 1 and "Yet to do:\n- squeeze: one place still says" in done.output
    file = kit / LESSON / f"{NOTEBOOK}.ipynb"
    file.write_text(json.dumps(released() | {"cells": [*answered().values()]}))
    done = CliRunner().invoke(main, ["check", asked])
    assert done.exit_code == 0 and f"attention-lab validate {file}\n" in done.output


@pytest.mark.parametrize("command", [["check"], ["submit", "--name", "Ada"]])
def test_a_notebook_that_is_not_there_or_cannot_be_read_is_told_in_one_line_with_what_to_do(kit, command):
    file = kit / LESSON / f"{NOTEBOOK}.ipynb"
    for spoil, told in (
        (lambda: file.write_bytes(file.read_bytes()[:900]), "cannot be read: no notebook, or not all of one"),
        (lambda: file.write_bytes(b""), "the file is empty. `attention-lab update` puts a new one there"),
        (lambda: file.rename(file.with_name("mine.ipynb")), "there is mine.ipynb: rename the one that is yours."),
        (lambda: file.with_name("mine.ipynb").unlink(), "it has not been handed out to you yet."),
    ):
        spoil()
        done = CliRunner().invoke(main, [*command, "2"])
        assert done.exit_code == 2 and told in done.output and len(done.output.splitlines()) == 1
    several = CliRunner().invoke(main, [*command, "attention"])
    assert several.output == "Error: attention may be 01-attention-as-weighting or 08-attention-in-networks.\n"
    unknown = CliRunner().invoke(main, [*command, "99"])
    assert unknown.exit_code == 2 and unknown.output.startswith("Error: there is no lesson 99; the lessons are 01-")
    assert not (kit / "hand-in").exists()


def test_an_exercise_that_has_no_points_is_not_to_do(monkeypatch):
    [exercise] = [exercise for exercise in LESSONS[LESSON] if exercise.id == "squeeze"]
    for name, check in list(exercise.checks.items()):
        monkeypatch.setitem(exercise.checks, name, replace(check, points=0))
    found = look(answered() | {"squeeze": {cell["id"]: cell for cell in released()["cells"]}["squeeze"]})
    assert states(found)["squeeze"] == "does not count" and found.to_do == []
