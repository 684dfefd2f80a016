"""Progress is of the course's own lessons, whatever else a learner keeps beside them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from attention_lab.course.progress import progress
from attention_lab.grading.exercises import LESSONS

ROOT = Path(__file__).parents[2]
LESSON = "02-squeeze-excitation"
REACHABLE = {
    "01-attention-as-weighting": 12,
    "02-squeeze-excitation": 18,
    "03-cbam": 26,
    "04-bam": 26,
    "05-selective-kernel": 18,
    "06-self-attention": 27,
    "07-spatial-transformer": 17,
    "08-attention-in-networks": 27,
    "09-is-it-true": 26,
    "10-the-family-since": 42,
}


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    return shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns(".*"))


@pytest.fixture
def notebook(notebooks: Path) -> Path:
    return notebooks / LESSON / "squeeze-excitation.ipynb"


def ran(notebook: Path, *checks: str, outputs: tuple[dict, ...] = (), **metadata: object) -> None:
    """Save a notebook whose test cells have been run, with these outputs."""
    saved = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in saved["cells"]:
        if cell["id"] in checks:
            cell |= {"execution_count": 3, "outputs": outputs}
            cell["metadata"] |= metadata
    notebook.write_text(json.dumps(saved), encoding="utf-8")


def points(notebooks: Path) -> dict[str, tuple[int, int]]:
    return {row[0]: (int(row[1]), int(row[2])) for row in progress(notebooks).rows}


def of_lesson(notebooks: Path) -> int:
    return points(notebooks)[LESSON][0]


def remarks(notebooks: Path) -> list[str]:
    return progress(notebooks).caption.splitlines()[2:]


def what_is_next(notebooks: Path) -> str:
    return progress(notebooks).caption.splitlines()[1]


def test_at_first_there_are_no_points_of_all_that_there_are(notebooks):
    everything = REACHABLE | {"together": sum(REACHABLE.values())}
    assert points(notebooks) == {name: (0, most) for name, most in everything.items()}
    assert remarks(notebooks) == []


def test_a_check_that_ended_without_an_error_gives_its_points(notebooks, notebook):
    ran(notebook, "squeeze-shape", "squeeze-excitation-values", outputs=({"output_type": "display_data"},))
    ran(notebook, "squeeze-values", outputs=({"output_type": "error", "ename": "CheckFailed"},))
    assert of_lesson(notebooks) == points(notebooks)["together"][0] == 1 + 4


def test_a_message_on_stderr_takes_no_points(notebooks, notebook):
    ran(notebook, "squeeze-shape", outputs=({"output_type": "stream", "name": "stderr", "text": "DEBUG"},))
    assert of_lesson(notebooks) == 1


@pytest.mark.parametrize("mark", [{}, "yes", {"grade": True, "grade_id": "squeeze-shape", "points": 100}])
def test_the_notebooks_own_metadata_have_no_say(notebooks, notebook, mark):
    ran(notebook, "squeeze-shape", nbgrader=mark)
    assert points(notebooks)[LESSON] == (1, 18)


def test_an_instructors_own_test_counts_and_what_the_notebook_does_not_ask_does_not(notebooks, notebook):
    saved = json.loads(notebook.read_text(encoding="utf-8"))
    saved["cells"] = [cell for cell in saved["cells"] if not cell["id"].startswith("debug-se")]
    own = {"cell_type": "code", "id": "own", "source": ["assert squeeze\n", "assert 1"], "outputs": []}
    own |= {"metadata": {"nbgrader": {"grade": True, "solution": False, "grade_id": "own", "points": 2}}}
    saved["cells"].insert(-1, own)
    notebook.write_text(json.dumps(saved), encoding="utf-8")
    ran(notebook, "squeeze-shape")
    assert points(notebooks)[LESSON] == (1, 18 - 5 + 2)
    ran(notebook, "own")
    assert points(notebooks)[LESSON] == (3, 15)
    ran(notebook, "own", outputs=({"output_type": "error", "ename": "AssertionError"},))
    assert points(notebooks)[LESSON] == (1, 15)


def test_copies_and_a_learners_own_folders_are_left_out(notebooks, notebook):
    ran(notebook, "squeeze-shape")
    before = progress(notebooks)
    for copy in ("squeeze-excitation-Copy1.ipynb", "squeeze-excitation (1).ipynb", "Untitled.ipynb"):
        shutil.copy(notebook, notebook.with_name(copy))
    for folder in ("09-own", "02-squeeze-excitation-Copy1", "0"):
        (notebooks / folder).mkdir()
        shutil.copy(notebook, notebooks / folder)
        (notebooks / folder / "a.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    assert progress(notebooks) == before


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_notebook_that_another_editor_saved_is_read(notebooks, notebook, encoding):
    ran(notebook, "squeeze-shape")
    notebook.write_bytes(notebook.read_text(encoding="utf-8").encode(encoding))
    assert of_lesson(notebooks) == 1 and remarks(notebooks) == []


def test_a_lesson_that_was_not_handed_out_yet_is_left_out_without_a_word(notebooks, notebook):
    ran(notebook, "squeeze-shape")
    for name in REACHABLE.keys() - {LESSON}:
        shutil.rmtree(notebooks / name)
    assert points(notebooks) == {LESSON: (1, 18), "together": (1, 18)} and remarks(notebooks) == []
    shutil.rmtree(notebooks / LESSON)
    assert points(notebooks) == {"together": (0, 0)}


def test_the_next_exercise_is_named_and_how_many_are_done(notebooks, notebook):
    assert what_is_next(notebooks) == "Next: temperature-softmax, in 01-attention-as-weighting."
    for name in REACHABLE.keys() - {LESSON}:
        shutil.rmtree(notebooks / name)
    ran(notebook, "squeeze-shape")
    assert what_is_next(notebooks) == f"Next: squeeze, in {LESSON}."
    ran(notebook, "squeeze-values")
    assert what_is_next(notebooks) == f"Next: squeeze-excitation, in {LESSON}."
    assert progress(notebooks).rows[0][4] == "1 of 4"
    ran(notebook, *(f"{e.key}-{name}" for e in LESSONS[LESSON] for name in e.checks))
    assert what_is_next(notebooks) == "Every check has passed." and progress(notebooks).rows[0][4] == "4 of 4"


def test_points_that_only_an_instructor_can_give_are_shown_as_such(notebooks):
    given = {row[0]: row[5] for row in progress(notebooks).rows if row[5]}
    assert given == {
        "01-attention-as-weighting": "3 for a text",
        "08-attention-in-networks": "5 for a text",
        "09-is-it-true": "4 for a text",
        "together": "12 for a text",
    }


def empty(notebook: Path) -> None:
    notebook.write_bytes(b"")


def cut_off(notebook: Path) -> None:
    notebook.write_bytes(notebook.read_bytes()[:900])


def of_a_list(notebook: Path) -> None:
    notebook.write_text("[]")


def renamed(notebook: Path) -> None:
    notebook.rename(notebook.with_name("mine.ipynb"))


def a_folder(notebook: Path) -> None:
    notebook.unlink()
    notebook.mkdir()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (empty, "the file is empty"),
        (cut_off, "not all of one"),
        (of_a_list, "no list of cells"),
        (renamed, "there is mine.ipynb: rename the one that is yours"),
        (a_folder, "Is a directory"),
    ],
)
def test_a_lesson_that_cannot_be_read_is_named_in_a_line_and_the_others_count(notebooks, notebook, spoil, reason):
    ran(notebooks / "03-cbam" / "cbam.ipynb", "channel-attention-shapes")
    spoil(notebook)
    others = points(notebooks)
    assert others[LESSON] == (0, 18) and others["03-cbam"][0] > 0 and others["together"][1] == sum(REACHABLE.values())
    [remark] = remarks(notebooks)
    assert f"{LESSON}/squeeze-excitation.ipynb" in remark and reason in remark and len(remark) < 160


def test_the_command_says_the_same_as_the_start_page(notebooks, notebook):
    (notebooks.parent / "nbgrader_config.py").touch()
    empty(notebook)
    command = [sys.executable, "-m", "attention_lab", "progress"]
    done = subprocess.run(command, cwd=notebooks, capture_output=True, text=True, encoding="utf-8")
    assert (done.stdout, done.stderr) == (f"{progress(notebooks)}\n", "")
