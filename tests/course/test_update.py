"""A new release comes into a notebook that was worked in, and nothing that the learner wrote is lost."""

import copy
import json
import shutil
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from edit import change
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader.utils import compute_checksum

from attention_lab.cli import main
from attention_lab.course.check import preflight
from attention_lab.course.handout import kit
from attention_lab.course.progress import passed_tests
from attention_lab.course.release import release
from attention_lab.course.untouched import digest, released_as
from attention_lab.course.update import updated
from attention_lab.grading.items import items_in

ROOT = Path(__file__).parents[2]
LESSON, NAME = "02-squeeze-excitation", "02-squeeze-excitation/squeeze-excitation.ipynb"
ANSWER = "def squeeze(x):\n    return x.mean((2, 3))"
TEXT, PICTURE, CODE = "02-squeeze-excitation_4", "02-squeeze-excitation_5", "02-squeeze-excitation_6"


@pytest.fixture
def old() -> NotebookNode:
    return nbformat.read(ROOT / "notebooks" / NAME, as_version=4)


@pytest.fixture
def new(old) -> NotebookNode:
    """The next release: a text and a stub are others, and there is one paragraph more."""
    new = copy.deepcopy(old)
    rewritten(new, TEXT, "A new text.")
    stub = cell(new, "se-residual")
    stub.source = "# another stub\n" + stub.source
    stub.metadata.nbgrader.checksum = compute_checksum(stub)
    added = new_markdown_cell(
        "One paragraph more.", metadata={"attention_lab": {"released": digest("One paragraph more.")}}
    )
    new.cells.insert(place(new, "squeeze"), added)
    return new


def place(notebook: NotebookNode, id: str) -> int:
    return [cell.id for cell in notebook.cells].index(id)


def cell(notebook: NotebookNode, id: str) -> NotebookNode:
    return notebook.cells[place(notebook, id)]


def rewritten(notebook: NotebookNode, id: str, source: str) -> None:
    cell(notebook, id).update(source=source, metadata={"attention_lab": {"released": digest(source)}})


def brought(new: NotebookNode, old: NotebookNode | dict) -> tuple[NotebookNode, list[str]]:
    result, notes = updated(copy.deepcopy(new), json.dumps(old).encode())
    nbformat.validate(result)
    return result, notes


def sources(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells]


def test_what_nobody_worked_in_becomes_the_new_release(old, new):
    assert brought(new, old) == (new, [])


def test_answers_notes_cells_and_points_stay_and_all_else_is_new(old, new):
    cell(old, "squeeze").source = ANSWER
    cell(old, "squeeze-shape").update(execution_count=3, outputs=[new_output("display_data", {"text/plain": "✓"})])
    old.cells.insert(place(old, "squeeze-shape"), new_markdown_cell("my note"))
    old.cells.insert(0, new_code_cell("print('first')"))
    got, notes = brought(new, old)
    assert notes == [] and cell(got, "squeeze").source == ANSWER
    assert passed_tests(got.cells) >= {"squeeze-shape"}
    at = place(got, "squeeze")
    assert sources(got)[at + 1] == "my note" and sources(got)[0] == "print('first')"
    theirs = {"my note", "print('first')", ANSWER, cell(new, "squeeze").source}
    assert [text for text in sources(got) if text not in theirs] == [
        text for text in sources(new) if text not in theirs
    ]


def test_a_cell_of_the_lesson_that_was_changed_here_stays_and_where_the_release_has_changed_it_too_both_do(old, new):
    cell(old, CODE).source += "\n# my try"
    cell(old, TEXT).source += "\nmy remark"
    mine, tried = cell(old, TEXT).source, cell(old, CODE).source
    got, notes = brought(new, old)
    assert cell(got, CODE).source == tried and sources(got).count(cell(new, CODE).source) == 0
    at = place(got, TEXT)
    assert sources(got)[at : at + 2] == ["A new text.", mine]
    assert notes == [
        "The release has changed a cell; the one of before, with what you changed, is below: ## 1. A picture first"
    ]


def test_of_a_release_without_digests_no_text_is_lost(old, new):
    for each in old.cells:
        each.metadata.pop("attention_lab", None)
    before = cell(old, TEXT).source
    got, [note] = brought(new, old)
    assert sources(got)[place(got, TEXT) + 1] == before and note.startswith("The release has changed a cell")


def test_what_the_release_no_longer_has_goes_unless_it_was_changed(old, new):
    new.cells = [each for each in new.cells if each.id not in (PICTURE, CODE)]
    gone = cell(old, PICTURE).source
    cell(old, CODE).source += "\n# my try"
    got, _ = brought(new, old)
    assert gone not in sources(got) and cell(old, CODE).source in sources(got)


def no_metadata(notebook: NotebookNode) -> None:
    for each in notebook.cells:
        each.metadata = {}


def no_ids(notebook: NotebookNode) -> None:
    for each in notebook.cells:
        each.pop("id")


def no_tests(notebook: NotebookNode) -> None:
    notebook.cells = [each for each in notebook.cells if not each.source.startswith("check(")]


def no_lesson(notebook: NotebookNode) -> None:
    notebook.cells = [each for each in notebook.cells if each.source == ANSWER or each.source.startswith("my ")]


@pytest.mark.parametrize("damage", [no_metadata, no_ids, no_tests, no_lesson])
def test_of_a_damaged_notebook_all_that_was_written_is_there_and_the_lesson_is_whole(damage, old, new):
    cell(old, "squeeze").source = ANSWER
    old.cells.insert(place(old, "squeeze-shape"), new_markdown_cell("my note"))
    damage(old)
    got, _ = brought(new, old)
    assert {ANSWER, "my note"} <= set(sources(got))
    stubs = {cell(new, id).source for id in ("squeeze", "se-residual")}  # the second, if a new one is known as such
    assert set(sources(new)) - set(sources(got)) <= stubs


def test_a_copy_that_a_learner_has_made_of_a_cell_stays(old, new):
    again = copy.deepcopy(cell(old, CODE))
    old.cells.append(again | {"id": "again"})
    assert brought(new, old)[0].cells[-1].source == again.source


def test_an_answer_that_moved_to_another_cell_is_not_undone_by_a_stub(old, new):
    old.cells[place(old, "squeeze")] = new_code_cell(ANSWER)
    got, notes = brought(new, old)
    assert not [text for text in sources(got) if "def squeeze" in text and text != ANSWER] and notes == []
    old.cells.remove(next(each for each in old.cells if each.source == ANSWER))
    got, notes = brought(new, old)
    assert cell(got, "squeeze") and notes == ["`squeeze` was missing: its cell is back, for you to write in."]


@pytest.fixture
def learner(course, tmp_path, monkeypatch) -> Path:
    """A learner's kit of the tiny course, worked in; the course has gone on since."""
    (tmp_path / "old.zip").write_bytes(kit(course, ["01-doubling"]))
    shutil.unpack_archive(tmp_path / "old.zip", tmp_path)
    folder = tmp_path / "attention-lab"
    change(folder / "notebooks" / "01-doubling" / "doubling.ipynb", "raise NotImplementedError()", "return x + x")
    change(course / "solutions" / "01-doubling" / "doubling.py", "# # Doubling", "# # Doubling numbers")
    release(course, "01-doubling", keep_outputs=True)
    (tmp_path / "new.zip").write_bytes(kit(course, ["01-doubling"]))
    monkeypatch.chdir(folder)
    return folder


def run(*arguments: str | Path):
    return CliRunner().invoke(main, ["update", *map(str, arguments)])


def unzipped(folder: Path) -> Path:
    shutil.unpack_archive(folder / "new.zip", folder / "new")
    return folder / "new" / "attention-lab"


@pytest.mark.parametrize("way", ["zip", "kit", "folder", "lesson", "checkout"])
def test_the_command_updates_keeps_a_copy_names_it_and_then_all_is_up_to_date(learner, tmp_path, way):
    kit = tmp_path / "course" if way == "checkout" else tmp_path / "new.zip" if way == "zip" else unzipped(tmp_path)
    kit /= {"folder": "notebooks", "lesson": "notebooks/01-doubling"}.get(way, "")
    file = learner / "notebooks" / "01-doubling" / "doubling.ipynb"
    before = file.read_bytes()
    done = run("1", "--from", kit)
    kept = learner / "notebooks" / "earlier" / "01-doubling" / "doubling-1.ipynb"
    assert (done.exit_code, done.output) == (0, f"01-doubling/doubling.ipynb: updated; as it was: {kept}\n")
    assert kept.read_bytes() == before
    after = file.read_text(encoding="utf-8")
    assert "Doubling numbers" in after and "return x + x" in after
    assert run("1", "--from", kit).output == "01-doubling/doubling.ipynb: up to date\n"
    assert file.read_text(encoding="utf-8") == after and len(list(kept.parent.iterdir())) == 1


def test_a_new_lesson_a_picture_and_the_start_page_come_with_the_kit_and_what_cannot_be_read_is_kept(learner, tmp_path):
    file = learner / "notebooks" / "01-doubling" / "doubling.ipynb"
    file.write_bytes(b"\xff")
    (learner / "notebooks" / "index.ipynb").unlink()
    (unzipped(tmp_path) / "notebooks" / "01-doubling" / "picture.png").write_bytes(b"drawn")
    told = run("--from", tmp_path / "new").output
    assert (
        "index.ipynb: new" in told and "picture.png: new" in told and "Your file could not be read: no notebook" in told
    )
    assert (learner / "notebooks" / "earlier" / "01-doubling" / "doubling-1.ipynb").read_bytes() == b"\xff"
    assert "YOUR CODE HERE" in file.read_text()


def test_a_checkout_is_its_own_release(course, monkeypatch):
    monkeypatch.chdir(course)
    change(course / "notebooks" / "01-doubling" / "doubling.ipynb", "raise NotImplementedError()", "return x + x")
    assert run().output == "01-doubling/doubling.ipynb: up to date\n"
    change(course / "solutions" / "01-doubling" / "doubling.py", "# # Doubling", "# # Doubling numbers")
    assert "updated; as it was" in run("1").output


def test_what_is_no_release_is_refused_in_one_line_and_nothing_is_changed(learner, tmp_path):
    before = {file: file.read_bytes() for file in learner.rglob("*") if file.is_file()}
    (tmp_path / "text.zip").write_text("no zip")
    for arguments, told in (
        ([], "where is the new release? Name the new kit"),
        (["--from", tmp_path / "text.zip"], "text.zip"),
        (["--from", learner / "notebooks"], "somebody has worked in 01-doubling/doubling.ipynb"),
        (["9", "--from", tmp_path / "new.zip"], "there is no lesson 9; the lessons are 01-doubling"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2 and told in done.output and len(done.output.splitlines()) == 1
    assert {file: file.read_bytes() for file in learner.rglob("*") if file.is_file()} == before


def test_beside_a_notebook_of_another_name_no_stub_is_put(learner, tmp_path):
    file = learner / "notebooks" / "01-doubling" / "doubling.ipynb"
    mine = file.rename(file.with_name("my lesson.ipynb"))
    before = mine.read_bytes()
    told = run("--from", tmp_path / "new.zip").output
    assert "doubling.ipynb: left out, since there is my lesson.ipynb: rename the one that is yours to doubling" in told
    assert mine.read_bytes() == before and not file.exists()
    mine.rename(file)
    assert "doubling.ipynb: updated" in run("--from", tmp_path / "new.zip").output


@pytest.mark.parametrize("digests", [True, False])
def test_a_start_page_that_nobody_has_written_in_becomes_the_new_one(learner, tmp_path, digests):
    page = learner / "notebooks" / "index.ipynb"
    notebook = nbformat.read(page, as_version=4)
    assert all(map(released_as, notebook.cells))
    for each in notebook.cells:
        each.source = f"old: {each.source}"
        each.metadata = {"attention_lab": {"released": digest(each.source)}} if digests else {}
    nbformat.write(notebook, page)
    before = page.read_bytes()
    kept = learner / "notebooks" / "earlier" / "index-1.ipynb"
    assert f"index.ipynb: updated; as it was: {kept}\n" in run("--from", tmp_path / "new.zip").output
    assert kept.read_bytes() == before
    assert page.read_bytes() == (unzipped(tmp_path) / "notebooks" / "index.ipynb").read_bytes()


def without(notebook: NotebookNode, exercise: str) -> None:
    notebook.cells = [each for each in notebook.cells if not each.id.startswith(exercise)]


def asked(notebook: NotebookNode) -> set[str]:
    return {item.exercise for item in items_in(LESSON, notebook.cells)}


def test_what_is_no_longer_asked_goes_and_counts_nowhere(old, new):
    without(new, "debug-se")
    got, notes = brought(new, old)
    assert (sources(got), notes) == (sources(new), []) and "debug-se" in asked(old) and "debug-se" not in asked(got)


def test_an_answer_to_what_is_no_longer_asked_stays_labelled_and_what_was_added_to_a_check_too(old, new):
    without(new, "debug-se")
    cell(old, "debug-se").source = "mended = 1"
    check = next(each for each in old.cells if each.id.startswith("debug-se-"))
    check.source += "\n# why?"
    got, notes = brought(new, old)
    assert notes == ["`debug-se` is no longer asked: your answer stays, and gives no points."]
    at = sources(got).index("mended = 1")
    assert got.cells[at - 1].source.startswith("*No longer asked: `debug-se`.") and "# why?" in sources(got)
    assert "debug-se" not in asked(got) and not [text for text in sources(got) if text.startswith('check("debug-se')]
    found = preflight(LESSON, json.dumps(got).encode())
    assert found.to_do == preflight(LESSON, json.dumps(new).encode()).to_do and found.put_right == []
    assert brought(new, got)[0] == got
