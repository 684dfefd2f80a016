"""A lesson's outputs are of full trainings, and are kept exactly as long as code and package are the same."""

import shutil
from pathlib import Path

import nbformat
import psutil
import pytest
from edit import change

from attention_lab.course import execute
from attention_lab.course.release import release, stale
from attention_lab.course.source import ReleaseError, read_source

LESSON = "01-doubling"
EXECUTED, KEPT = [f"{LESSON}: executing ...", f"{LESSON}: released"], [f"{LESSON}: released"]


def released(course: Path, **options: bool) -> list[str]:
    """What a release tells while it is done."""
    told = []
    release(course, LESSON, tell=told.append, **options)
    return told


def printed(reference: Path) -> dict[str, str]:
    """What the cells of an executed notebook print, by the ids of the cells."""
    cells = nbformat.read(reference, as_version=4).cells
    return {cell.id: cell.outputs[0].text.strip() for cell in cells if cell.get("outputs")}


def test_the_lesson_runs_in_its_own_folder(course, source, reference):
    change(source, 'print("demonstrated")', "print(os.getcwd())")
    release(course, LESSON)
    assert printed(reference) == {"double-values_1": str(source.parent)}


@pytest.mark.parametrize("limit", [60, 3])
def test_a_cell_is_waited_for_as_long_as_it_may_take_and_no_longer(course, source, reference, limit, monkeypatch):
    monkeypatch.setattr(execute, "LOOK_AGAIN", 1)
    monkeypatch.setattr(execute, "SECONDS_PER_CELL", limit)
    change(source, 'print("demonstrated")', 'import time; time.sleep(4); print("demonstrated")')
    if limit == 60:
        release(course, LESSON)
        assert printed(reference) == {"double-values_1": "demonstrated"}
    else:
        with pytest.raises(ReleaseError, match=r"timed out .* after 3 seconds"):
            release(course, LESSON)


def test_no_kernel_outlives_a_release(course, source, reference):
    change(source, 'print("demonstrated")', "print(os.getpid())")
    release(course, LESSON)
    assert not psutil.pid_exists(int(printed(reference)["double-values_1"]))


def test_trainings_are_never_cut_short_for_a_release(course, source, reference, monkeypatch):
    monkeypatch.setenv("ATTENTION_LAB_FAST", "1")
    change(source, 'print("demonstrated")', 'print(os.environ.get("ATTENTION_LAB_FAST"))')
    release(course, LESSON)
    assert printed(reference) == {"double-values_1": "None"}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("assert double(-1.5) == -3", "assert double(-1.5) == -3\n1.5", r"gets 1\.5 of 2 points in double-values"),
        ("x + x", "x - x", "AssertionError"),
    ],
)
def test_a_solution_that_fails_or_lacks_points_is_an_error_that_names_its_file(course, source, old, new, reason):
    change(source, old, new)
    with pytest.raises(ReleaseError, match=reason) as error:
        execute.execute(source, read_source(source))
    assert str(error.value).startswith(f"{source}: ")


@pytest.fixture(scope="module")
def executed_once(released_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course with a lesson that prints which process executes it: another execution, another number."""
    course = shutil.copytree(released_once, tmp_path_factory.mktemp("executed") / "course")
    change(course / "solutions" / LESSON / "doubling.py", 'print("demonstrated")', "print(os.getpid())")
    assert released(course) == EXECUTED
    return course


@pytest.fixture
def process(executed_once: Path, course: Path, reference: Path) -> str:
    """The process that executed the lesson of this course."""
    shutil.copytree(executed_once, course, dirs_exist_ok=True)
    return printed(reference)["double-values_1"]


def test_a_changed_text_keeps_the_outputs_where_they_belong(course, source, reference, handout, process):
    change(source, "# # Doubling\n", "# # Doubling, and twice\n")
    change(source, '# %% tags=["demo"]', '# %% [markdown]\n# Look:\n\n# %% tags=["demo"]')
    assert stale(course, [LESSON]) == [reference, handout]
    assert released(course) == KEPT
    assert printed(reference) == {"double-values_2": process}
    assert "and twice" in reference.read_text(encoding="utf-8") and "and twice" in handout.read_text(encoding="utf-8")
    assert stale(course, [LESSON]) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x + x", "2 * x"),
        ('"points": 2', '"points": 3'),
        ('# %% tags=["demo"]\n', "# %%\n"),
        ("# %%\nimport os\n", "# %%\nimport sys\n\n# %%\nimport os\n"),
    ],
)
def test_changed_code_is_executed(course, source, reference, process, old, new):
    change(source, old, new)
    assert released(course) == EXECUTED
    assert printed(reference)["double-values_1"] != process


def test_force_executes_what_is_up_to_date(course, reference, process):
    assert released(course, force=True) == EXECUTED
    assert printed(reference)["double-values_1"] != process


def test_outputs_of_a_notebook_that_was_run_in_part_are_not_kept(course, reference, process):
    notebook = nbformat.read(reference, as_version=4)
    notebook.cells[3].execution_count = None
    nbformat.write(notebook, reference)
    assert stale(course, [LESSON]) == [reference]
    assert released(course) == EXECUTED


def test_learners_are_not_told_what_the_outputs_came_from(reference, handout):
    package = {"package": execute.package_digest()}
    assert nbformat.read(reference, as_version=4).metadata["attention_lab"] == package
    assert set(nbformat.read(handout, as_version=4).metadata) == {"kernelspec", "language_info"}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package, in place of the one that outputs come from."""
    copy = shutil.copytree(execute.PACKAGE, tmp_path / "package")
    monkeypatch.setattr(execute, "PACKAGE", copy)
    return copy


@pytest.mark.parametrize(
    "file", ["mechanisms/cbam.py", "networks/small.py", "training.py", "figures.py", "papers.py", "data/scenes.py"]
)
def test_outputs_are_out_of_date_when_what_they_come_from_has_changed(course, reference, process, package, file):
    assert stale(course, [LESSON]) == []
    with (package / file).open("a", encoding="utf-8") as text:
        text.write("\n# changed\n")
    assert stale(course, [LESSON]) == [reference]


def test_outputs_out_of_date_are_made_anew(course, source, reference, process, package):
    (package / "data" / "files" / "photos" / "another.jpg").write_bytes(b"a photograph")
    change(source, "# # Doubling\n", "# # Doubling, and twice\n")
    assert released(course) == EXECUTED
    assert stale(course, [LESSON]) == []


def test_an_author_may_vouch_for_outputs_of_the_same_code(course, source, reference, process, package):
    with (package / "training.py").open("a", encoding="utf-8") as text:
        text.write("\n# a remark\n")
    assert released(course, keep_outputs=True) == KEPT
    assert printed(reference) == {"double-values_1": process}
    assert stale(course, [LESSON]) == []
    change(source, "x + x", "2 * x")
    assert released(course, keep_outputs=True) == EXECUTED


def test_outputs_hold_when_grading_commands_line_ends_or_caches_have_changed(course, package):
    for file in (
        "grading/judge.py",
        "course/release.py",
        "cli/learner.py",
        "mechanisms/__pycache__/new.pyc",
        "data/.DS_Store",
    ):
        (package / file).parent.mkdir(exist_ok=True)
        with (package / file).open("a", encoding="utf-8") as text:
            text.write("\n# changed\n")
    training = package / "training.py"
    training.write_bytes(training.read_bytes().replace(b"\n", b"\r\n"))
    assert stale(course, [LESSON]) == []
