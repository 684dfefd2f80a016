"""The instructor's guide by nbgrader's exchange: released, fetched, handed in, collected, graded and given back."""

import csv
from pathlib import Path

import called
import nbformat
import pytest

from attention_lab.classroom.sandbox import missing

LESSON, COURSE = "01-doubling", ["--course", "attention-lab"]
UNCONFINED = ["--Judged.no_sandbox=True"] if missing() else []


@pytest.fixture
def exchange(tmp_path) -> str:
    folder = tmp_path / "exchange"
    folder.mkdir()
    folder.chmod(0o1777)  # as docs/hub.md has it
    return f"--Exchange.root={folder}"


def test_a_lesson_goes_out_by_the_exchange_and_comes_back_graded(course, tmp_path, exchange, monkeypatch):
    learner = tmp_path / "learner"
    learner.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))

    def nbgrader(folder: Path, *arguments: str) -> None:
        done = called.nbgrader(*arguments, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr

    nbgrader(course, "generate_assignment", LESSON, "--force")
    nbgrader(course, "release_assignment", LESSON, exchange)
    nbgrader(learner, "fetch_assignment", LESSON, *COURSE, exchange)
    file = learner / LESSON / "doubling.ipynb"
    notebook = nbformat.read(file, as_version=4)
    stub = next(cell for cell in notebook.cells if "YOUR CODE HERE" in cell.source)
    stub.source = "def double(x):\n    return x + x"
    nbformat.write(notebook, file)
    nbgrader(learner, "submit", LESSON, *COURSE, exchange)
    nbgrader(course, "collect", LESSON, exchange)
    (handed_in,) = (course / "submitted").glob(f"*/{LESSON}")
    assert {"doubling.ipynb", "timestamp.txt"} <= {path.name for path in handed_in.iterdir()}
    nbgrader(course, "autograde", LESSON, *UNCONFINED)
    nbgrader(course, "generate_feedback", LESSON)
    nbgrader(course, "release_feedback", LESSON, exchange)
    nbgrader(learner, "fetch_feedback", LESSON, *COURSE, exchange)
    (page,) = learner.rglob("*.html")
    assert "doubling" in page.read_text(encoding="utf-8")
    nbgrader(course, "export")
    with (course / "grades.csv").open(encoding="utf-8", newline="") as table:
        (row,) = csv.DictReader(table)
    assert (row["assignment"], float(row["score"])) == (LESSON, 2)
