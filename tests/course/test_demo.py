"""The sample class, graded by nbgrader's own commands, gets the scores it deserves."""

import os
import sysconfig
from pathlib import Path

import pytest

from attention_lab.course.demo import grade_sample_class, score_table
from attention_lab.course.sample_class import LESSON, NOTEBOOK, STUDENTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("demo") / "course"


@pytest.fixture(scope="module")
def scores(course) -> dict[str, float | None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
        return grade_sample_class(ROOT, course)


def test_every_student_gets_the_score_deserved_also_beside_broken_submissions(scores):
    assert scores == {name: student.score for name, student in STUDENTS.items()}


def test_the_class_holds_what_really_comes_in():
    assert len(STUDENTS) >= 12
    assert {18, 0, None} <= {student.score for student in STUDENTS.values()}


def test_the_feedback_page_names_the_mistake(scores, course):
    page = (course / "feedback" / "dan" / LESSON / f"{NOTEBOOK}.html").read_text(encoding="utf-8")
    assert '<p class="name">max pooling where the squeeze is an average</p>' in page


def test_the_table_has_a_line_for_each_student(scores):
    rows = score_table(scores).rows
    assert [name for name, _, _ in rows] == list(STUDENTS)
    assert next(score for name, score, _ in rows if name == "otto") == "none"
