"""The feedback pages of a class, made by several processes: `nbgrader generate_feedback` for one student after the other."""

import glob
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from nbgrader.apps import NbGraderApp


def pages(lesson: str, students: list[str], workers: int) -> Iterator[tuple[str, bool]]:
    """Every student as soon as there are new pages, and whether there are; in the course of the working directory."""
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        making = {pool.submit(made, lesson, student): student for student in students}
        for page in as_completed(making):
            yield making[page], page.result()


def up_to_date(root: Path, lesson: str, student: str) -> bool:
    """Whether a student's pages are newer than the graded notebooks and than any change in the gradebook."""
    notebooks = list((root / "autograded" / student / lesson).glob("*.ipynb"))
    made = [root / "feedback" / student / lesson / f"{file.stem}.html" for file in notebooks]
    gradebook = root / "gradebook.db"
    if not gradebook.exists() or not made or not all(page.exists() for page in made):
        return False
    changed = max(file.stat().st_mtime_ns for file in (*notebooks, gradebook))
    return min(page.stat().st_mtime_ns for page in made) > changed


def made(lesson: str, student: str) -> bool:
    """Make one student's pages; whether that was possible."""
    NbGraderApp.clear_instance()
    student = glob.escape(student)
    command = ["generate_feedback", lesson, "--student", student, "--force", "--NbGrader.log_level=ERROR"]
    try:
        NbGraderApp.launch_instance(command)
    except SystemExit as end:
        return not end.code
    return True
