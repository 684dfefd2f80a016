"""JupyterLab as a learner should find it."""

import json
import shutil
import signal
import sys
from pathlib import Path
from urllib.error import URLError

import nbformat
import pytest
from called import apart
from lab import Lab


@pytest.fixture(scope="module")
def served(released_once, tmp_path_factory) -> Path:
    """The root of the course that JupyterLab shows."""
    return shutil.copytree(released_once, tmp_path_factory.mktemp("served") / "course")


@pytest.fixture(scope="module")
def lab(served, tmp_path_factory):
    server = Lab(served / "solutions", home=tmp_path_factory.mktemp("home"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def page(lab) -> dict:
    return lab.page()


def test_lab_opens_the_course_map(lab):
    assert lab.first_page().endswith("/lab/tree/index.ipynb")


def test_learners_see_the_notebooks_and_not_the_solutions(lab, page, served):
    assert Path(page["serverRoot"]).expanduser() == served / "notebooks"
    assert [entry["path"] for entry in json.loads(lab.get("/api/contents"))["content"]] == [
        "01-doubling",
        "index.ipynb",
    ]


def test_extensions_for_instructors_and_for_the_network_are_off(page):
    off = set(page["disabledExtensions"])
    instructors = ("assignment-list", "course-list", "create-assignment", "formgrader", "menu")
    assert {f"@jupyter/nbgrader:{name}" for name in instructors} <= off
    assert {"@jupyterlab/apputils-extension:announcements", "@jupyterlab/extensionmanager-extension:plugin"} <= off
    assert not {"@jupyter/nbgrader:validate-assignment", "@jupyter/nbgrader"} & off


def test_code_cells_have_line_numbers(lab):
    tracker = json.loads(lab.get("/lab/api/settings/@jupyterlab/notebook-extension:tracker"))
    assert tracker["schema"]["properties"]["codeCellConfig"]["default"]["lineNumbers"] is True


def spoilt_by_its_demonstration(handout: Path) -> None:
    """Answer a lesson so that a demonstration above the test spoils the answer, if it is run."""
    notebook = nbformat.read(handout, as_version=4)
    _, _, double, values, demonstration, *_ = notebook.cells
    double.source = "double = lambda x: x + x"
    demonstration.source = "double = None"
    notebook.cells[3:5] = demonstration, values
    nbformat.write(notebook, handout)


def test_validate_follows_the_settings_of_the_course(lab, served):
    """The stub fails; an answer passes, although a demonstration above the test would spoil it if it were run."""
    code, question = lab.validate("01-doubling/doubling.ipynb")["failed"]
    assert "NotImplementedError" in code["error"]
    assert question["source"] == "YOUR ANSWER HERE"

    spoilt_by_its_demonstration(served / "notebooks" / "01-doubling" / "doubling.ipynb")
    assert lab.validate("01-doubling/doubling.ipynb")["failed"] == [question]


@pytest.mark.parametrize("here", ["course/notebooks/01-doubling", "fetched", "fetched/01-doubling"])
def test_lab_opens_a_lesson_from_its_folder_validates_it_there_and_stops_cleanly(course, tmp_path, here):
    """Also where nbgrader's exchange has put it: a folder with nothing around it."""
    handout = course / "notebooks" / "01-doubling" / "doubling.ipynb"
    spoilt_by_its_demonstration(handout)
    shutil.copytree(handout.parent, tmp_path / "fetched" / "01-doubling")
    server = Lab(tmp_path / here, home=tmp_path)
    try:
        server.wait()
        assert server.first_page().endswith("/lab/tree/01-doubling/doubling.ipynb")
        [failed] = server.validate("01-doubling/doubling.ipynb")["failed"]
        assert failed["source"] == "YOUR ANSWER HERE"
        if sys.platform != "win32":  # which has no SIGTERM
            stops_cleanly(server)
    finally:
        server.stop()


def stops_cleanly(server: Lab) -> None:
    server.process.send_signal(signal.SIGTERM)
    log, _ = server.process.communicate(timeout=30)
    assert server.process.returncode == 0
    assert "Traceback" not in log
    with pytest.raises(URLError):
        server.get("/api/status")


def test_validate_is_a_command_too_which_finds_the_settings_in_any_folder(course, tmp_path):
    handout = course / "notebooks" / "01-doubling" / "doubling.ipynb"
    spoilt_by_its_demonstration(handout)
    done = apart("validate", str(handout), cwd=tmp_path)
    told = done.stdout
    assert done.returncode == 1 and "VALIDATION FAILED" in told
    assert "YOUR ANSWER HERE" in told and "TypeError" not in told and "failed" in told
    missing = apart("validate", "nothing.ipynb", cwd=tmp_path)
    assert missing.returncode == 2 and "'nothing.ipynb' does not exist" in missing.stderr
