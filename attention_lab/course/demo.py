"""Grade the sample class with nbgrader, in a course folder of its own."""

import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from nbgrader.api import Gradebook

from ..classroom.sandbox import unconfined
from ..table import Table
from .sample_class import LESSON, NOTEBOOK, STUDENTS, hand_in


def grade_sample_class(
    root: Path,
    course: Path,
    tell: Callable[[str], None] = lambda line: None,
    progress: Callable[[str], AbstractContextManager[Callable[[int, int], None]]] = lambda label: nullcontext(silent),
) -> dict[str, float | None]:
    """Grade the sample class of the course at ``root``, in a new folder ``course``: the score of each student.

    Runs nbgrader's own commands: generate_assignment, autograde, generate_feedback. A submission that nbgrader cannot
    read has no score. ``progress`` gives what is told how many are done of how many, as it goes.
    """
    shutil.rmtree(course, ignore_errors=True)
    (course / "solutions" / LESSON).mkdir(parents=True)
    shutil.copy(root / "nbgrader_config.py", course)
    shutil.copy(root / "solutions" / LESSON / f"{NOTEBOOK}.ipynb", course / "solutions" / LESSON)
    hand_in(root, course)
    for command, options, doing in (
        ("generate_assignment", [], "entering the lesson into a gradebook"),
        ("autograde", unconfined(), f"grading {len(STUDENTS)} submissions"),
        ("generate_feedback", [], "writing the feedback pages"),
    ):
        tell(f"nbgrader {command}: {doing} ...")
        written = {"autograde": "autograded", "generate_feedback": "feedback"}.get(command)
        with (course / "nbgrader.log").open("a") as log, progress(command) as done:
            running = subprocess.Popen(
                ["nbgrader", command, LESSON, *options], cwd=course, stdout=log, stderr=subprocess.STDOUT
            )
            while running.poll() is None:
                if written:
                    done(len(list((course / written).glob(f"*/{LESSON}/*"))), len(STUDENTS))
                time.sleep(0.2)
    return scores(course)


def silent(done: int, all: int) -> None:
    """Nobody asks how far it is."""


def scores(course: Path) -> dict[str, float | None]:
    """Every student's score in the gradebook of a course."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        return {
            name: gradebook.find_submission(LESSON, name).score
            if (course / "autograded" / name / LESSON / f"{NOTEBOOK}.ipynb").exists()
            else None
            for name in STUDENTS
        }


def score_table(scores: dict[str, float | None]) -> Table:
    """The scores of the sample class, with what each student did."""
    rows = [[name, "none" if score is None else f"{score:g}", STUDENTS[name].story] for name, score in scores.items()]
    return Table(f"The sample class of {LESSON}.", ["student", "score", "what was handed in"], rows)
