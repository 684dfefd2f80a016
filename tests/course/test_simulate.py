"""A slice of a made class is measured, and what is said of a large one follows from it."""

import sys

import pytest
from click.testing import CliRunner
from nbgrader.api import Gradebook

from attention_lab.classroom.sandbox import missing
from attention_lab.cli import main
from attention_lab.course.simulate import (
    Measured,
    enlarge,
    grade_as_here,
    grade_as_stock,
    hand_in,
    make_class,
    report,
    seconds_of_report,
    simulate,
)

LESSON = "01-doubling"


@pytest.fixture
def made(course, tmp_path):
    make_class(course, LESSON, tmp_path / "made")
    hand_in(tmp_path / "made", LESSON, range(1))
    return tmp_path / "made"


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux tells it")
def test_all_are_graded_here_after_some_were_graded_by_nbgrader_alone(made):
    stock = grade_as_stock(made, LESSON)
    assert stock.submissions == 1 and stock.seconds > 0
    assert not (made / "autograded").exists()
    hand_in(made, LESSON, range(1, 3))
    here = grade_as_here(made, LESSON, 2, not missing())
    assert here.submissions == 3
    assert min(here.seconds, here.own, here.others, here.worker, here.warm) > 0
    with Gradebook(f"sqlite:///{made / 'gradebook.db'}") as gradebook:
        scores = [gradebook.find_submission(LESSON, f"student-0000{number}").score for number in range(3)]
    assert scores == [2, 2, 2]  # the last exercise, which every third leaves out, is a text
    enlarge(made, LESSON, 5)
    assert seconds_of_report(made, LESSON) > 0
    rows = [row.split(",", 1) for row in (made / "report" / f"{LESSON}.csv").read_text().splitlines()[1:]]
    reported = dict(rows)
    assert reported.keys() == {f"student-0000{number}" for number in range(3)} | {"copy-00003", "copy-00004"}
    assert [reported[f"copy-0000{number + 3}"] for number in range(2)] == ["waiting for a person,,2,,3,2,,"] * 2


def test_the_table_says_how_much_faster_it_is_and_what_a_large_class_waits_for():
    stock, here = Measured(2, 12), Measured(10, 5, own=2, others=8, worker=100, warm=300)
    measured, projected = map(str, report(LESSON, 10_000, stock, here, 2))
    assert measured.splitlines()[-1].split()[-2:] == ["0.50", "12.0"]
    rows = [line.split() for line in projected.splitlines()[-4:]]
    assert rows[0] == ["2", "1.1", "0.5", "the", "workers"]  # 10,000 times 0.8 s by two workers
    assert rows[-1] == ["128", "0.6", "12.8", "the", "gradebook"]  # 10,000 times 0.2 s, one after the other


def test_what_it_does_is_told(course, tmp_path, monkeypatch):
    from attention_lab.course import simulate as module

    for step in ("make_class", "hand_in"):
        monkeypatch.setattr(module, step, lambda *given: None)
    monkeypatch.setattr(module, "grade_as_stock", lambda *given: Measured(1, 1))
    monkeypatch.setattr(module, "grade_as_here", lambda *given: Measured(2, 1, 1, 1, 1, 1))
    told = []
    monkeypatch.setattr(module, "enlarge", lambda *given: None)
    monkeypatch.setattr(module, "seconds_of_report", lambda *given: 4.25)
    *_, reported = simulate(course, tmp_path, LESSON, 100, 2, 1, 2, True, told.append)
    assert [line.split()[0] for line in told] == ["grading", "grading", "1,000"]
    assert "report of 1,000 submissions" in str(reported) and str(reported).endswith("4.2")


def test_the_command_prints_both_tables(course, monkeypatch):
    from attention_lab.course import simulate as module

    asked = []
    monkeypatch.setattr(module, "simulate", lambda *given, tell: asked.append(given[3]) or ["measured", "projected"])
    monkeypatch.chdir(course)
    done = CliRunner().invoke(main, ["simulate", "01-doubling", "--students", "300"])
    assert (done.output, asked) == ("\nmeasured\n\nprojected\n", [300])
