"""The feedback pages of a class, made by several processes: `nbgrader generate_feedback` for one student after the other."""

import glob
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from nbgrader.apps import NbGraderApp


def pages(lesson: str, students: list[str], workers: int, force: bool) -> Iterator[tuple[str, bool]]:
    """Every student as soon as there are pages, and whether there are; in the course of the working directory.

    force: whether a page that is newer than what it shows is made again.
    """
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        making = {pool.submit(made, lesson, student, force): student for student in students}
        for page in as_completed(making):
            yield making[page], page.result()


def made(lesson: str, student: str, force: bool) -> bool:
    """Make one student's pages; whether that was possible."""
    NbGraderApp.clear_instance()
    command = ["generate_feedback", lesson, "--student", glob.escape(student), "--NbGrader.log_level=ERROR"]
    try:
        NbGraderApp.launch_instance([*command, *(["--force"] if force else [])])
    except SystemExit as end:
        return not end.code
    return True
