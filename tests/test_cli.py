"""The command line: fast to import, clear outside a checkout, and JupyterLab as a learner should find it."""

import errno
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import nbformat
import pytest
from called import called
from click.testing import CliRunner
from lab import COMMAND, Lab
from sqlalchemy.exc import OperationalError

import attention_lab
from attention_lab import SelectiveKernel, __version__
from attention_lab.cli import main, shown_progress
from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.properties import GENERAL

ROOT = Path(__file__).parents[1]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True)


def python(code: str) -> str:
    """What a fresh process prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_help_lists_the_commands(tmp_path):
    shown = run("--help", cwd=tmp_path).stdout
    assert {"lab", "release"} <= set(re.findall(r"^  (\w+)  ", shown, re.MULTILINE))


def test_the_version_is_told(tmp_path):
    assert run("--version", cwd=tmp_path).stdout == f"attention-lab {__version__}\n"


@pytest.mark.parametrize("command", [["lab", "--instructor"], ["release"], ["report", "01-doubling"], ["handout"]])
def test_outside_a_checkout_every_command_says_so_in_one_line(command, tmp_path):
    done = run(*command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"Error: .* is not inside a checkout of attention-lab: .*\n", done.stderr)


@pytest.mark.parametrize("command", ["lab", "progress"])
def test_away_from_all_lessons_a_learner_is_told_in_one_line_where_to_go(command, tmp_path):
    done = run(command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"Error: .* holds no lesson, nor does a folder above: go into the unzipped kit, .*\n", done.stderr
    )


def test_lab_says_which_lesson_it_does_not_find(course):
    done = run("lab", "99-nothing", cwd=course)
    assert (done.returncode, done.stderr) == (2, f"Error: {course / 'notebooks'} holds no lesson 99-nothing.\n")


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
def test_lab_opens_a_lesson_from_its_folder_and_validates_it_there(course, tmp_path, here):
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
    finally:
        server.stop()


def test_validate_is_a_command_too_which_finds_the_settings_in_any_folder(course, tmp_path):
    handout = course / "notebooks" / "01-doubling" / "doubling.ipynb"
    spoilt_by_its_demonstration(handout)
    done = run("validate", str(handout), cwd=tmp_path)
    told = done.stdout
    assert done.returncode == 1 and "VALIDATION FAILED" in told
    assert "YOUR ANSWER HERE" in told and "TypeError" not in told and "failed" in told
    missing = run("validate", "nothing.ipynb", cwd=tmp_path)
    assert missing.returncode == 2 and "'nothing.ipynb' does not exist" in missing.stderr


def test_instructors_have_formgrader_and_the_list_of_assignments(course, tmp_path):
    server = Lab(course / "solutions", tmp_path, "--instructor")
    try:
        server.wait()
        assert server.first_page().endswith("/lab")
        off = server.page()["disabledExtensions"]
        assert not [name for name in off if name.startswith("@jupyter/nbgrader")]
        assert "@jupyterlab/apputils-extension:announcements" in off
        assert {entry["path"] for entry in json.loads(server.get("/api/contents"))["content"]} >= {
            "solutions",
            "notebooks",
        }
        [assignment] = json.loads(server.get("/formgrader/api/assignments"))
        assert assignment["name"] == "01-doubling"
    finally:
        server.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_lab_stops_cleanly(course, tmp_path):
    server = Lab(course, home=tmp_path)
    server.wait()
    server.process.send_signal(signal.SIGTERM)
    log, _ = server.process.communicate(timeout=30)
    assert server.process.returncode == 0
    assert "Traceback" not in log
    with pytest.raises(URLError):
        server.get("/api/status")


def test_a_mechanism_loads_torch_and_nothing_of_jupyter():
    code = "from attention_lab import SelectiveKernel; import sys; print(*{m.partition('.')[0] for m in sys.modules})"
    loaded = set(python(code).split())
    assert {"attention_lab", "torch"} <= loaded
    assert not loaded & {"nbgrader", "jupyter_core", "jupyterlab", "IPython", "ipykernel", "matplotlib", "click"}


def test_asking_for_help_loads_nothing_that_takes_time():
    loaded = set(python("import attention_lab.cli, sys; print(*{m.partition('.')[0] for m in sys.modules})").split())
    assert "click" in loaded
    assert not loaded & {"torch", "numpy", "nbgrader", "jupyter_core", "jupyterlab", "nbformat"}


def test_the_package_has_its_mechanisms_by_name_and_says_what_it_does_not_have():
    assert set(attention_lab.__all__) <= set(dir(attention_lab)) and attention_lab.SelectiveKernel is SelectiveKernel
    with pytest.raises(ImportError, match="cannot import name 'Squeeze' from 'attention_lab'"):
        from attention_lab import Squeeze  # noqa: F401


def test_misconceptions_lists_every_mistake_with_its_exercise_question_and_equation(tmp_path):
    listed = called("misconceptions", cwd=tmp_path).stdout
    for exercise in EXERCISES.values():
        for told in exercise.misconceptions:
            assert f"  {exercise.key}: {told.id}\n" in listed
            assert told.name in listed and told.question in listed and told.equation in listed
    for told in GENERAL:
        assert f"  any: {told.id}\n" in listed


def test_misconceptions_of_a_lesson_as_a_table_and_as_a_page(tmp_path):
    table = called("misconceptions", "--lesson", "03", "--format", "csv", cwd=tmp_path).stdout
    page = called("misconceptions", "--lesson", "03-cbam", "--format", "md", cwd=tmp_path).stdout
    assert table.startswith("lesson,exercise,id,name,question,equation\n") and "\n03-cbam,cbam," in table
    assert page.startswith("# Misconceptions\n") and "\n### cbam\n" in page
    assert "squeeze-excitation" not in table + page
    unknown = called("misconceptions", "--lesson", "99", cwd=tmp_path)
    assert unknown.returncode == 2 and unknown.stderr.startswith("Error: there is no lesson 99; the lessons are 01-")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/shared/kit/x"),
            "no permission to write in /shared/kit: ",
        ),
        (OSError(errno.ENOSPC, "No space left on device", "/kit/x"), "cannot write /kit/x: No space left on device."),
        (OperationalError("SELECT", {}, "unable to open database file"), "the gradebook cannot be opened or written: "),
    ],
)
def test_what_cannot_be_written_is_told_in_one_line(error, told, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr("attention_lab.papers.lines", fail)
    done = CliRunner().invoke(main, ["papers"])
    assert done.exit_code == 2 and told in done.output and len(done.output.splitlines()) == 1


def test_nbgrader_is_called_on_the_course_from_any_of_its_folders(course):
    done = run("nbgrader", "autograde", "01-doubling", cwd=course / "notebooks" / "01-doubling")
    assert done.returncode == 1
    assert f"No notebooks were matched by '{course}/submitted/*/01-doubling'" in done.stderr


def test_progress_is_shown_on_a_terminal_and_nowhere_else(capsys, monkeypatch):
    def work() -> str:
        with shown_progress("grading") as tell:
            for done in range(3):
                tell(done, 2)
        return capsys.readouterr().err

    assert work() == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert re.search(r"grading  \[#+-+\]  1/2", work())


def test_doctor_says_whether_submissions_can_be_confined(tmp_path):
    done = run("doctor", cwd=tmp_path)
    assert done.returncode in (0, 2)
    assert "confine" in done.stdout + done.stderr


def test_report_says_which_lesson_it_does_not_find_and_what_is_not_graded_yet(course):
    unknown, ungraded = (called("report", lesson, cwd=course) for lesson in ("99-nothing", "01-doubling"))
    assert (unknown.returncode, ungraded.returncode) == (2, 2)
    assert unknown.stderr == "Error: there is no lesson 99-nothing; the lessons are 01-doubling.\n"
    assert ungraded.stderr == "Error: nothing of 01-doubling is graded yet: attention-lab grade 01-doubling.\n"
    assert not (course / "report").exists()


def test_report_writes_a_page_and_a_table_with_names_and_without(course):
    folder = course / "autograded" / "ada" / "01-doubling"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "02-squeeze-excitation" / "squeeze-excitation.ipynb", folder)
    for options in [], ["--anonymous"]:
        done = called("report", "01-doubling", *options, cwd=course)
        page, table, *_ = map(Path, done.stdout.splitlines())
        assert page.parent == table.parent == course / "report"
        assert [("ada" in file.read_text().replace("metadata", "")) for file in (page, table)] == [not options] * 2
    assert len(list((course / "report").iterdir())) == 4
