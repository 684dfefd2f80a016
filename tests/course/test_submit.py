"""What a learner hands in is named so that a class's uploads are understood."""

import shutil
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from attention_lab.classroom.collect import collect
from attention_lab.cli import main
from attention_lab.course.submit import submit

ROOT = Path(__file__).parents[2]
LESSON, NOTEBOOK = "02-squeeze-excitation", "squeeze-excitation"


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    folder = tmp_path / "kit" / "notebooks" / LESSON
    folder.mkdir(parents=True)
    (tmp_path / "kit" / "nbgrader_config.py").touch()
    return Path(shutil.copy(ROOT / "notebooks" / LESSON / f"{NOTEBOOK}.ipynb", folder))


@pytest.mark.parametrize("name", ["Anna Müller", "s0123456", "anna.mueller@example.org", "李小龙"])
def test_a_folder_of_such_files_is_collected_each_under_its_learners_id(notebook, tmp_path, name):
    course = tmp_path / "course"
    shutil.copytree(notebook.parents[1], course / "notebooks")
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    for who in (name, "Bob Ross"):
        shutil.copy(submit(notebook, who)[0], uploads)
    rows = collect(uploads, course, LESSON)
    assert [row.told for row in rows] == ["placed", "placed"]
    ids = {"Anna Müller": "anna-mueller"}
    placed = course / "submitted" / ids.get(name, name) / LESSON / f"{NOTEBOOK}.ipynb"
    assert placed.read_bytes() == notebook.read_bytes()


def test_the_command_asks_for_the_name_and_says_what_lacks_and_where_the_file_is(notebook, monkeypatch):
    monkeypatch.chdir(notebook.parent)
    done = CliRunner().invoke(main, ["submit", "2"], input="Ada Lovelace\n")
    file = notebook.parents[1] / "hand-in" / f"ada-lovelace_{NOTEBOOK}.ipynb"
    assert done.exit_code == 0 and f"Hand in this file: {file}\n" in done.output and "Yet to do" in done.output
    handed_in = file.read_bytes()
    assert "exchange" not in done.output
    changed = nbformat.read(notebook, as_version=4)
    changed.cells = [cell for cell in changed.cells if cell.id != "squeeze-shape"]
    nbformat.write(changed, notebook)
    done = CliRunner().invoke(main, ["submit", "2", "--name", "Ada Lovelace"])
    assert done.exit_code == 0 and "- `squeeze-shape` was missing and has been put back." in done.output
    assert file.read_bytes() == notebook.read_bytes() and len(list(file.parent.iterdir())) == 1
    kept = notebook.parents[1] / "earlier" / "hand-in" / f"ada-lovelace_{NOTEBOOK}-1.ipynb"
    assert kept.read_bytes() == handed_in and f"The one of before, which was another, is kept: {kept}\n" in done.output
    assert "kept" not in CliRunner().invoke(main, ["submit", "2", "--name", "Ada Lovelace"]).output
    assert len(list(kept.parent.iterdir())) == 1


def test_without_a_name_nothing_is_written(notebook, monkeypatch):
    monkeypatch.chdir(notebook.parent)
    for arguments, told in ([], "Call this again with --name"), (["--name", "..."], "no file can be named '...'"):
        done = CliRunner().invoke(main, ["submit", "2", *arguments])
        assert done.exit_code == 2 and told in done.output
    assert not (notebook.parents[1] / "hand-in").exists()


def test_where_the_exchange_has_put_the_lesson_its_own_command_is_told_too(notebook, monkeypatch):
    (notebook.parents[2] / "nbgrader_config.py").unlink()
    monkeypatch.chdir(notebook.parent)
    done = CliRunner().invoke(main, ["submit", "2", "--name", "Ada"])
    assert f"nbgrader submit {LESSON}, in {notebook.parents[1]}" in done.output
