"""The feedback pages of a class, by `attention-lab feedback` as an instructor calls it."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from test_exporter import LESSON, ROOT, lesson, run

from attention_lab.classroom.sandbox import unconfined


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """Three students are graded."""
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    (tmp_path / "solutions" / LESSON).mkdir(parents=True)
    nbformat.write(lesson(), tmp_path / "solutions" / LESSON / "lesson.ipynb")
    run(tmp_path, "generate_assignment", LESSON)
    for student in ("ada", "ben", "cleo"):
        shutil.copytree(tmp_path / "notebooks" / LESSON, tmp_path / "submitted" / student / LESSON)
    run(tmp_path, "autograde", LESSON, *unconfined())
    return tmp_path


def feedback(course: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "attention_lab", "feedback", LESSON, *options]
    return subprocess.run(command, cwd=course, capture_output=True, text=True)


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
