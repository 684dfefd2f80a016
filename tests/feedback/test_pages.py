"""The feedback pages of a class, by `attention-lab feedback` as an instructor calls it."""

import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from called import called
from nbgrader.api import Gradebook
from test_exporter import LESSON, ROOT, lesson, run

from attention_lab.classroom.sandbox import unconfined


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three students are graded."""
    course = tmp_path_factory.mktemp("graded")
    shutil.copy(ROOT / "nbgrader_config.py", course)
    (course / "solutions" / LESSON).mkdir(parents=True)
    nbformat.write(lesson(), course / "solutions" / LESSON / "lesson.ipynb")
    run(course, "generate_assignment", LESSON)
    for student in ("ada", "ben", "cleo"):
        shutil.copytree(course / "notebooks" / LESSON, course / "submitted" / student / LESSON)
    run(course, "autograde", LESSON, *unconfined())
    return course


@pytest.fixture
def course(graded: Path, tmp_path: Path) -> Path:
    return shutil.copytree(graded, tmp_path / "course")


def feedback(course: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return called("feedback", LESSON, *options, cwd=course)


def pages(course: Path) -> set[str]:
    return {page.parts[-3] for page in course.glob(f"feedback/*/{LESSON}/lesson.html")}


def test_every_student_has_a_page_and_who_has_none_is_told(course):
    graded = course / "autograded" / "ben" / LESSON / "lesson.ipynb"
    graded.chmod(0o600)
    graded.write_text("{")
    done = feedback(course)
    assert pages(course) == {"ada", "cleo"}
    assert done.returncode == 1 and "no page for ben" in done.stderr


def test_one_student_and_nobody(course):
    assert feedback(course, "--student", "ada").returncode == 0 and pages(course) == {"ada"}
    nobody = feedback(course, "--student", "zoe")
    assert nobody.returncode != 0 and "nothing of 02-lesson is graded for zoe" in nobody.stderr


def test_a_page_is_made_again_once_its_notebook_or_the_gradebook_has_changed_and_else_left_alone(course):
    def made() -> dict[str, int]:
        return {file.parts[-3]: file.stat().st_mtime_ns for file in course.glob(f"feedback/*/{LESSON}/lesson.html")}

    assert "3 students' pages are in" in (told := feedback(course).stdout) and "3 made, 0 unchanged" in told
    first = made()
    assert "0 made, 3 unchanged" in feedback(course).stdout and made() == first

    (course / "autograded" / "ben" / LESSON / "lesson.ipynb").touch()
    assert "1 made, 2 unchanged" in feedback(course).stdout
    second = made()
    assert {name for name in first if second[name] != first[name]} == {"ben"}

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        graded = gradebook.find_submission_notebook("lesson", LESSON, "ada")
        graded.comments[0].manual_comment = "Well argued."
        gradebook.db.commit()
    told = feedback(course, "--student", "ada").stdout
    assert "1 student's pages are in" in told and "1 made, 0 unchanged" in told
    page = course / "feedback" / "ada" / LESSON / "lesson.html"
    assert "Well argued." in page.read_text(encoding="utf-8")
