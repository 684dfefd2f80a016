"""The scores of a class come from outside the kernel, through nbgrader's own commands."""

import nbformat
import pytest
from classes import CHECKED, Class, code
from sqlalchemy import Engine, event

from attention_lab.classroom.autograde import SavedTogether
from attention_lab.classroom.sandbox import missing

RIGHT = "def squeeze(x):\n    return x.mean((2, 3))"
MAXIMUM = "def squeeze(x):\n    return x.amax((2, 3))"


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Class:
    made = Class(tmp_path_factory.mktemp("class"))
    made.hands_in("ada", [], RIGHT)
    made.hands_in("bob", [], MAXIMUM)
    made.hands_in("cyd", [], "def squeeze(x):\n    raise NotImplementedError()")
    made.hands_in("dan", ["import builtins\nbuiltins.check = lambda *given: None"], MAXIMUM)
    made.hands_in("eva", [], "1 / 0")
    made.hands_in("fay", [code("1 / 0", tags=["demo"])], RIGHT)
    connected = []
    listener = lambda *_: connected.append(1)  # noqa: E731
    event.listen(Engine, "connect", listener)
    made.grade()
    event.remove(Engine, "connect", listener)
    made.connections = len(connected)
    made.scored = made.scores()
    return made


@pytest.mark.parametrize(("name", "score"), [("ada", 3), ("bob", 2), ("cyd", 1), ("dan", 2), ("eva", 1), ("fay", 3)])
def test_every_student_has_the_points_deserved(graded, name, score):
    assert graded.scored[name] == score


def test_three_commands_connect_to_the_gradebook_a_few_times_however_many_submissions_there_are(graded):
    assert graded.connections < 12, graded.connections


def outputs(graded: Class, name: str) -> dict[str, list]:
    return {cell.id: cell.outputs for cell in graded.autograded(name).cells if cell.cell_type == "code"}


def test_a_verdict_stands_in_the_test_cell_as_the_check_shows_it(graded):
    shown = outputs(graded, "bob")
    (passed,) = shown["squeeze-shape"]
    assert "all is well, 1 point" in passed.data["text/plain"]
    table, error = shown["squeeze-values"]
    assert "<table" in table.data["text/html"]
    assert error.ename == "CheckFailed"
    assert "the maximum of each channel" in error.evalue


def test_a_stub_and_a_missing_name_are_told(graded):
    (stub,) = outputs(graded, "cyd")["squeeze-values"]
    assert stub.traceback == [f"NotImplementedError: {stub.evalue}"]
    assert "still a stub" in stub.evalue
    (missing,) = outputs(graded, "eva")["squeeze-values"]
    assert missing.traceback == ["NameError: name 'squeeze' is not defined"]


def test_points_shown_are_those_given(graded):
    (shown,) = outputs(graded, "bob")["points"]
    rows = [line.split() for line in shown.data["text/plain"].splitlines()[-2:]]
    assert rows == [["squeeze", "2", "3"], ["total", "2", "3"]]  # squeeze-shape, and the instructor's own


def test_an_instructors_own_test_says_where_it_was_checked(graded):
    assert [output.text for output in outputs(graded, "ada")["own"]] == [
        "Checked in the kernel, beside the code that it checks.\n"
    ]


def test_the_notebook_is_one(graded):
    nbformat.validate(graded.autograded("bob"))


def test_the_scores_of_a_notebook_are_committed_together(graded, monkeypatch):
    done = []
    events = {
        "commit": lambda _: done.append("commit"),
        "before_cursor_execute": lambda *asked: done.append(asked[2][:6]),
    }
    asked = {
        "notebook": "checked",
        "assignment": CHECKED,
        "student": "cyd",
        "db_url": f"sqlite:///{graded.root}/gradebook.db",
    }
    other = graded.autograded("ada")
    for name, listener in events.items():
        event.listen(Engine, name, listener)
    try:
        SavedTogether().preprocess(other, {"nbgrader": asked})
        assert graded.scores()["cyd"] == 3
        SavedTogether().preprocess(graded.autograded("cyd"), {"nbgrader": asked})
    finally:
        for name, listener in events.items():
            event.remove(Engine, name, listener)
    changes = [what for what in done if what in ("UPDATE", "commit")]
    assert changes.count("UPDATE") > 2
    assert "UPDATE UPDATE commit" in " ".join(changes)


def test_where_submissions_cannot_be_confined_nothing_is_graded_until_it_is_allowed(tmp_path, monkeypatch):
    made = Class(tmp_path)
    made.hands_in("ada", [], RIGHT)
    made.call("generate_assignment", CHECKED, "--force")
    monkeypatch.setenv("PATH", str(tmp_path))  # without bubblewrap
    missing.cache_clear()
    try:
        said = made.call("autograde", CHECKED)
        assert "bubblewrap" in said
        assert "--Judged.no_sandbox=True" in said
        assert not made.notebook("ada").exists()
        made.call("autograde", CHECKED, "--Judged.no_sandbox=True")
        assert made.scores() == {"ada": 3}
    finally:
        missing.cache_clear()
