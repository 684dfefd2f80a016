"""A submission costs its own points only: a whole class through nbgrader's own commands, in one run for each lesson."""

import json
import logging
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from called import nbgrader
from nbconvert.exporters import NotebookExporter
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning
from unrun import release

from attention_lab.classroom.sandbox import unconfined
from attention_lab.grading.nbgrader import NOTES, OneByOne, in_one_line

DOUBLING, CHECKED = "01-doubling", "02-checked"


def graded(grade_id: str, **roles: bool | int) -> str:
    mark = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3} | roles
    return "nbgrader=" + json.dumps(mark | {"grade_id": grade_id})


CHECKED_LESSON = f"""\
# %%
# %load_ext attention_lab.grading

# %%
import torch
from attention_lab.grading import check

# %% {graded("squeeze", solution=True)}
def squeeze(x):
    ### BEGIN SOLUTION
    return x.mean((2, 3))
    ### END SOLUTION

# %% {graded("squeeze-shape", grade=True, locked=True, points=1)}
check("squeeze-shape", squeeze)

# %% {graded("squeeze-values", grade=True, locked=True, points=1)}
check("squeeze-values", squeeze)
"""

Submission = dict | bytes | None
Student = Callable[[SimpleNamespace], Submission]
CLASSES: dict[str, dict[str, tuple[Student, float | None]]] = {DOUBLING: {}, CHECKED: {}}


def hands_in(lesson: str, score: float | None) -> Callable[[Student], Student]:
    """A student, named like the function, who hands in a lesson's right answers changed by it, and the score deserved.

    The function gets the submission as it lies in the file: the ``notebook``, its ``cells``, one of them by its id with
    ``cell``, and the ``folder``. What it returns is written instead, if anything. Score None: no grade, but a reason.
    """

    def enrol(student: Student) -> Student:
        CLASSES[lesson][student.__name__] = student, score
        return student

    return enrol


def code(source: str, **more: object) -> dict:
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source} | more


def mark(cell: dict) -> dict:
    return cell["metadata"]["nbgrader"]


# In the first and the last place of the alphabet: what comes between stops nobody.


@hands_in(DOUBLING, 2)
def ada(work): ...


@hands_in(DOUBLING, 2)
def zoe(work): ...


# Metadata that are not the lesson's own


@hands_in(DOUBLING, 2)
def has_marks_of_no_meaning(work):
    for number, wrong in enumerate(({}, "yes", ["yes"], None, {"schema_version": 1}, {"schema_version": 4})):
        work.cells.append(code("1", id=f"odd-{number}", metadata={"nbgrader": wrong}))


@hands_in(DOUBLING, 2)
def has_marks_of_another_schema(work):
    for grade_id, version in (("double", 1), ("double-values", 4), ("why", 2)):
        mark(work.cell(grade_id))["schema_version"] = version


@hands_in(DOUBLING, 2)
def pasted_cells_of_another_lesson(work):
    for grade_id in ("double", "double-values"):
        foreign = mark(work.cell(grade_id)) | {"grade_id": f"squeeze-{grade_id}"}
        work.cells.insert(1, code("1 / 0", id=grade_id[::-1], metadata={"nbgrader": foreign}))


@hands_in(DOUBLING, 2)
def has_a_test_of_an_older_release(work):
    work.cell("double-values")["metadata"]["nbgrader"]["grade_id"] = "double-value"
    work.cell("double-values")["id"] = "0a1b2c3d"


@hands_in(DOUBLING, 2)
def lost_the_metadata_of_all_cells(work):
    for cell in work.cells:
        del cell["metadata"]


@hands_in(DOUBLING, 2)
def pasted_the_answer_twice(work):
    work.cells.insert(2, dict(work.cell("double")))


@hands_in(DOUBLING, 2)
def pasted_a_test_above_the_answer(work):
    work.cells.insert(1, work.cell("double-values") | {"id": "a-copy"})


# Cells that are not as they were


@hands_in(DOUBLING, 2)
def deleted_a_test_and_the_text(work):
    work.cells.remove(work.cell("double-values"))
    work.cells.remove(work.cell("why"))


@hands_in(DOUBLING, 2)
def turned_cells_into_others(work):
    for grade_id, kind in (("double", "markdown"), ("double-values", "raw"), ("why", "code")):
        work.cell(grade_id)["cell_type"] = kind


@hands_in(DOUBLING, 2)
def merged_a_test_into_the_answer(work):
    work.cell("double")["source"] += "\n\n" + work.cell("double-values")["source"]
    work.cells.remove(work.cell("double-values"))


@hands_in(DOUBLING, 2)
def merged_the_answer_into_a_test(work):
    work.cell("double-values")["source"] = work.cell("double")["source"] + "\n\n" + work.cell("double-values")["source"]
    work.cells.remove(work.cell("double"))


@hands_in(DOUBLING, 0)
def rewrote_the_test_of_a_wrong_answer(work):
    work.cell("double")["source"] = "def double(x):\n    return x"
    work.cell("double-values")["source"] = "print('all is well')"


@hands_in(DOUBLING, 0)
def emptied_the_notebook(work):
    work.cells.clear()


def wrong_and_tagged(tag: str) -> None:
    def student(work):
        work.cell("double")["source"] = "def double(x):\n    return x"
        for grade_id in ("double", "double-values"):
            work.cell(grade_id)["metadata"]["tags"] = [tag]

    student.__name__ = f"tagged_a_wrong_answer_{tag}"
    hands_in(DOUBLING, 0)(student)


for tag in ("demo", "skip-execution", "raises-exception"):
    wrong_and_tagged(tag)


# What other editors and other systems make of a file


@hands_in(DOUBLING, 2)
def saved_with_a_byte_order_mark(work):
    return json.dumps(work.notebook).encode("utf-8-sig")


@hands_in(DOUBLING, 2)
def saved_on_windows(work):
    work.cell("double")["source"] += "  # café"
    return json.dumps(work.notebook, ensure_ascii=False, indent=1).replace("\n", "\r\n").encode("cp1252")


@hands_in(DOUBLING, 2)
def saved_in_version_3(work):
    for cell in work.cells:
        if cell["cell_type"] == "code":
            cell |= {"input": cell.pop("source"), "language": "python", "prompt_number": 1}
        del cell["id"]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": work.cells}]}


@hands_in(DOUBLING, 2)
def worked_in_colab(work):
    state = {"8fd1": {"model_module": "@jupyter-widgets/controls", "model_name": "HBoxModel", "state": {}}}
    work.notebook["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": state}
    work.cells.append(code("1 + 1"))


@hands_in(DOUBLING, 2)
def worked_with_a_kernel_of_her_own(work):
    work.notebook["metadata"] = {"kernelspec": {"name": "conda-env-mine-py", "display_name": "mine"}, "language": 3}


@hands_in(DOUBLING, 2)
def has_half_a_surrogate_pair(work):
    work.cell("double")["source"] += "  # \ud83d"
    work.notebook["metadata"]["title"] = "\ude00"


@hands_in(DOUBLING, 2)
def has_cells_of_one_id_and_outputs_that_are_none(work):
    for cell in work.cells:
        cell |= {"id": "same", "outputs": "many", "execution_count": "7"}


@hands_in(DOUBLING, 2)
def has_a_timestamp_in_words(work):
    (work.folder / "timestamp.txt").write_text("yesterday evening")


@hands_in(DOUBLING, 2)
def has_a_timestamp_that_is_no_text(work):
    (work.folder / "timestamp.txt").write_bytes(b"\xff\xfe\x00\xd8")


# What happens while a submission runs


@hands_in(DOUBLING, 2)
def quits(work):
    work.cells.insert(1, code("quit()"))
    work.cells.insert(2, code("exit"))
    work.cells.insert(3, code("import time\ntime.sleep(1)"))


@hands_in(DOUBLING, 2)
def ends_the_kernel(work):
    work.cells.insert(1, code("import os\nos._exit(1)"))


@hands_in(DOUBLING, 0)
def has_an_answer_that_ends_the_kernel(work):
    work.cell("double")["source"] = "def double(x):\n    os._exit(1)"


@hands_in(DOUBLING, 2)
def displays_what_no_notebook_may_hold(work):
    work.cells.append(code("from IPython.display import display\ndisplay({'text/html': 3, 'x/y': {}}, raw=True)"))


@hands_in(DOUBLING, 0)
def writes_on_stderr_in_a_test_with_asserts(work):
    """nbgrader's own rule for an instructor's own tests."""
    work.cell("double")["source"] = "import sys\ndef double(x):\n    print(x, file=sys.stderr)\n    return 2 * x"


# No grade


@hands_in(DOUBLING, None)
def handed_in_an_empty_file(work):
    return b""


@hands_in(DOUBLING, None)
def handed_in_half_a_file(work):
    return json.dumps(work.notebook).encode()[:900]


@hands_in(DOUBLING, None)
def handed_in_a_list(work):
    return b"[]"


@hands_in(DOUBLING, None)
def handed_in_a_folder(work):
    (work.folder / "doubling.ipynb").mkdir()


@hands_in(DOUBLING, None)
def handed_in_under_another_name(work):
    (work.folder / "doubling (1).ipynb").write_text(json.dumps(work.notebook))
    return b""


@hands_in(DOUBLING, 2)
def handed_in_a_link_to_nowhere_beside_it(work):
    (work.folder / "data.csv").symlink_to("nowhere")


# A lesson with the course's own checks


STUB = "def squeeze(x):\n    raise NotImplementedError()"
OWN_CHECK = "def check(name, value):\n    print(name, value)\n    return 1"


@hands_in(CHECKED, 0)
def has_a_check_of_his_own_and_a_stub(work):
    work.cell("squeeze")["source"] = STUB
    work.cells.insert(2, code(OWN_CHECK))


@hands_in(CHECKED, 0)
def has_a_check_of_his_own_and_a_stub_and_no_extension(work):
    work.cell("squeeze")["source"] = STUB
    work.cells[0]["source"] = OWN_CHECK
    work.cells[1]["source"] = "import torch"


@hands_in(CHECKED, 2)
def has_a_check_of_her_own_and_uses_it(work):
    work.cell("squeeze")["source"] = "def squeeze(x):\n    check('shape', x.shape)\n    return x.mean((2, 3))"
    work.cells.insert(2, code(OWN_CHECK))


@hands_in(CHECKED, 2)
def logs(work):
    work.cells.insert(2, code("import logging\nlogging.basicConfig(level=logging.DEBUG, force=True)"))
    work.cell("squeeze")["source"] = "def squeeze(x):\n    logging.debug(x.shape)\n    return x.mean((2, 3))"


@hands_in(CHECKED, 2)
def uses_a_library_that_warns(work):
    warn = "    os.write(2, b'warning')\n    terminal.write('old')\n"
    answer = f"import os, sys\nterminal = sys.stderr\ndef squeeze(x):\n{warn}    return x.mean((2, 3))"
    work.cell("squeeze")["source"] = answer


@hands_in(CHECKED, 2)
def displays_zero_and_an_error_while_right(work):
    show = "    get_ipython().displayhook(0)\n    try: 1 / 0\n    except Exception: get_ipython().showtraceback()\n"
    work.cell("squeeze")["source"] = f"def squeeze(x):\n{show}    return x.mean((2, 3))"


@hands_in(CHECKED, 1)
def displays_a_point_while_wrong(work):
    work.cell("squeeze")["source"] = "def squeeze(x):\n    get_ipython().displayhook(1)\n    return x.amax((2, 3))"


@hands_in(CHECKED, 2)
def switched_gradients_off(work):
    work.cells.insert(2, code("torch.set_grad_enabled(False)"))


@hands_in(CHECKED, 0)
def quits_in_the_answer(work):
    work.cell("squeeze")["source"] = "def squeeze(x):\n    quit()"


def call(course: Path, *command: str) -> str:
    """What a command of nbgrader says."""
    return nbgrader(*command, cwd=course).stderr


def hand_in(course: Path, lesson: str, name: str, student: Student) -> None:
    notebook = lesson[3:] + ".ipynb"
    solved = nbformat.read(course / "solutions" / lesson / notebook, as_version=4)
    answers = {cell.id: cell.source for cell in solved.cells}
    work = json.loads((course / "notebooks" / lesson / notebook).read_text(encoding="utf-8"))
    for cell in work["cells"]:
        answered = cell.get("metadata", {}).get("nbgrader", {}).get("solution")
        cell["source"] = answers[cell["id"]] if answered else "".join(cell["source"])
    folder = course / "submitted" / name / lesson
    folder.mkdir(parents=True)
    by_id = {cell["id"]: cell for cell in work["cells"]}
    changed = student(SimpleNamespace(notebook=work, cells=work["cells"], cell=by_id.__getitem__, folder=folder))
    changed = work if changed is None else changed
    if list(folder.glob("*.ipynb")):
        return
    (folder / notebook).write_bytes(changed if isinstance(changed, bytes) else json.dumps(changed).encode())


@pytest.fixture(scope="module")
def classes(released_once: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Both classes after autograde and generate_feedback: the course's folder, what nbgrader said, and the scores."""
    course = shutil.copytree(released_once, tmp_path_factory.mktemp("class") / "course")
    (course / "solutions" / CHECKED).mkdir()
    (course / "solutions" / CHECKED / "checked.py").write_text(CHECKED_LESSON, encoding="utf-8")
    release(course, CHECKED)
    said = {}
    for lesson, students in CLASSES.items():
        for name, (student, _) in students.items():
            hand_in(course, lesson, name, student)
        call(course, "generate_assignment", lesson, "--force")
        said[lesson] = call(course, "autograde", lesson, *unconfined())
        call(course, "generate_feedback", lesson)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        scores = {
            (lesson, name): gradebook.find_submission(lesson, name).score
            for lesson, students in CLASSES.items()
            for name in students
            if autograded(course, lesson, name).exists()
        }
    return SimpleNamespace(course=course, said=said, scores=scores)


def autograded(course: Path, lesson: str, name: str) -> Path:
    return course / "autograded" / name / lesson / f"{lesson[3:]}.ipynb"


@pytest.mark.parametrize(
    ("lesson", "name"), [(lesson, name) for lesson, students in CLASSES.items() for name in students], ids=lambda id: id
)
def test_every_student_has_the_points_deserved_and_a_feedback_page(classes, lesson, name):
    deserved = CLASSES[lesson][name][1]
    page = classes.course / "feedback" / name / lesson / f"{lesson[3:]}.html"
    assert (classes.scores.get((lesson, name)), page.exists()) == (deserved, deserved is not None)


def test_who_has_no_grade_is_listed_at_the_end_with_the_reason(classes):
    listed = classes.said[DOUBLING].split("autograded, left out:\n")[1]
    told = dict(re.findall(r"^ *(\w+): (.+)$", listed, re.MULTILINE))
    assert told.keys() == {name for name, (_, score) in CLASSES[DOUBLING].items() if score is None}
    assert told["handed_in_an_empty_file"] == "doubling.ipynb: the file is empty"
    assert "not all of one" in told["handed_in_half_a_file"]
    assert "Is a directory" in told["handed_in_a_folder"]
    assert told["handed_in_under_another_name"].startswith("no doubling.ipynb; there is: doubling (1).ipynb")
    assert "left out" not in classes.said[CHECKED]


def test_what_was_put_right_stands_on_top_of_the_feedback_page(classes):
    page = classes.course / "feedback" / "deleted_a_test_and_the_text" / DOUBLING / "doubling.html"
    text = page.read_text(encoding="utf-8")
    assert text.index("Put right for grading") < text.index("<code>double-values</code> was missing")
    first, *_ = nbformat.read(autograded(classes.course, DOUBLING, "deleted_a_test_and_the_text"), as_version=4).cells
    assert first.id == NOTES and "`double-values` was missing" in first.source
    told = "put right in what deleted_a_test_and_the_text handed in: "
    assert told in classes.said[DOUBLING] and "put right in what ada" not in classes.said[DOUBLING]
    untouched = classes.course / "feedback" / "ada" / DOUBLING / "doubling.html"
    assert "Put right for grading" not in untouched.read_text(encoding="utf-8")


def test_a_check_that_fails_says_so_also_where_its_name_is_taken(classes):
    page = classes.course / "feedback" / "has_a_check_of_his_own_and_a_stub" / CHECKED / "checked.html"
    assert "squeeze is still a stub" in page.read_text(encoding="utf-8")


def test_demonstrations_do_not_run(classes):
    cells = {cell.id: cell for cell in nbformat.read(autograded(classes.course, DOUBLING, "ada"), as_version=4).cells}
    assert cells["double-values"].execution_count
    assert cells["double-values_1"].metadata.tags == ["demo"]
    assert not cells["double-values_1"].execution_count


def test_the_commands_may_be_called_again(classes):
    """A timestamp that tells no time is met again: where the results of a first run are compared with it."""
    for command in ("autograde", "generate_feedback"):
        options = unconfined() if command == "autograde" else []
        call(classes.course, command, DOUBLING, "--student", "has_a_timestamp_in_words", *options)
    feedback = classes.course / "feedback" / "has_a_timestamp_in_words" / DOUBLING / "doubling.html"
    assert autograded(classes.course, DOUBLING, "has_a_timestamp_in_words").exists() and feedback.exists()


def test_outputs_that_were_handed_in_are_graded_where_nothing_is_executed(classes):
    notebook = classes.course / "submitted" / "ada" / DOUBLING / "doubling.ipynb"
    saved = json.loads(notebook.read_text())
    failed = {"output_type": "error", "ename": "AssertionError", "evalue": "", "traceback": []}
    next(cell for cell in saved["cells"] if cell["id"] == "double-values")["outputs"] = [failed]
    notebook.write_text(json.dumps(saved))
    call(classes.course, "autograde", DOUBLING, "--student", "ada", "--force", "--no-execute", *unconfined())
    with Gradebook(f"sqlite:///{classes.course / 'gradebook.db'}") as gradebook:
        assert gradebook.find_submission(DOUBLING, "ada").score == 0


# -- without a class: what a command tells of who got nothing from it


class Notebooks(OneByOne, NotebookExporter): ...


@pytest.fixture
def command(tmp_path, caplog):
    """Autograde in a course where eve was graded and bob and ada were not; the test says what it does."""
    course = tmp_path / "course (1)"
    coursedir = CourseDirectory(root=str(course), assignment_id=DOUBLING, db_url=f"sqlite:///{tmp_path / 'grades.db'}")
    made = Autograde(coursedir=coursedir, log=logging.getLogger("autograde"))
    for folder in ("submitted/eve", "submitted/bob", "submitted/ada", "autograded/eve", "autograded/bob"):
        (course / folder / DOUBLING).mkdir(parents=True)
    (course / "autograded" / "eve" / DOUBLING / "doubling.ipynb").write_text("{}")
    return made


def raises(error: BaseException) -> Callable[[], None]:
    def convert() -> None:
        raise error

    return convert


def test_who_got_nothing_is_told_by_name_and_with_the_reason_that_was_met(command, caplog):
    command.convert_notebooks = lambda: None
    exporter = Notebooks(parent=command)
    with pytest.raises(FileNotFoundError):
        exporter.from_filename("nowhere/doubling.ipynb", {"nbgrader": {"student": "bob"}})
    with pytest.raises(NbGraderException, match="1 left out"):
        command.convert_notebooks()
    heading, *lines = caplog.messages[0].splitlines()
    assert heading == "autograded, left out:" and lines[0] == "  ada: see the error above"
    assert lines[1].startswith("  bob: doubling.ipynb: FileNotFoundError: ") and len(lines) == 2


@pytest.mark.parametrize(("error", "times"), [(RuntimeError("no"), 1), (SystemExit(1), 1), (KeyboardInterrupt(), 0)])
def test_what_ends_a_command_is_passed_on_and_who_was_left_out_is_told_once_unless_it_was_stopped(
    command, caplog, error, times
):
    command.convert_notebooks = raises(error)
    Notebooks(parent=command)
    with pytest.raises(type(error)):
        command.convert_notebooks()
    assert caplog.text.count("left out") == times and not command.log.filters


def test_where_nobody_is_left_out_nothing_is_told(command, caplog):
    command.coursedir.student_id = "eve"
    command.convert_notebooks = lambda: None
    Notebooks(parent=command)
    command.convert_notebooks()
    assert caplog.messages == []


def test_that_somebody_has_stopped_it_is_not_told_but_all_else_is(command, caplog):
    command.coursedir.student_id = "eve"
    command.convert_notebooks = lambda: [command.log.error(message) for message in ("Canceled", "no room")]
    Notebooks(parent=command)
    command.convert_notebooks()
    assert caplog.messages == ["no room"]


def test_a_timestamp_that_tells_no_time_is_as_if_it_were_not_there_and_that_is_told(command, caplog):
    Notebooks(parent=command)
    folder = Path(command.coursedir.root) / "submitted" / "ada" / DOUBLING
    assert command.coursedir.get_existing_timestamp(str(folder)) is None and caplog.messages == []
    (folder / "timestamp.txt").write_text("2026-11-26 15:00:00 UTC")
    assert command.coursedir.get_existing_timestamp(str(folder)).hour == 15 and caplog.messages == []
    (folder / "timestamp.txt").write_text("yesterday")
    assert command.coursedir.get_existing_timestamp(str(folder)) is None
    assert caplog.messages[-1] == f"{folder}/timestamp.txt tells no time: as if it were not there"


def test_the_notebooks_that_are_expected_are_those_of_this_lesson(command):
    exporter = Notebooks(parent=command)
    assert exporter.expected() == set()
    with Gradebook(command.coursedir.db_url) as gradebook:
        for lesson in (DOUBLING, CHECKED):
            gradebook.add_assignment(lesson)
            gradebook.add_notebook(lesson[3:], lesson)
    assert exporter.expected() == {"doubling.ipynb"}


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("\n no cells\nat all"), "no cells"),
        (RuntimeError("no\nroom"), "RuntimeError: no"),
        (KeyError("a"), "KeyError: 'a'"),
        (RecursionError(), "RecursionError: "),
    ],
)
def test_an_error_is_told_in_its_first_line_and_by_its_kind_unless_it_is_a_sentence(error, line):
    assert in_one_line(error) == line


def test_of_all_warnings_only_those_of_nbgraders_database_are_kept_quiet(command):
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        Notebooks(parent=command)
        warnings.warn("a cycle", SAWarning, stacklevel=1)
        warnings.warn("old", FutureWarning, stacklevel=1)
    assert [str(warning.message) for warning in shown] == ["old"]
