"""What grading a large class would take: a slice of a made class is graded, as this package does and as nbgrader alone does.

Every third of the made submissions leaves the last exercise a stub; the others are right.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook
from nbgrader.utils import is_solution

from ..table import Table

STOCK = """
c.Autograde.exporter_class = "nbconvert.exporters.NotebookExporter"
c.Autograde.sanitize_preprocessors = [f"nbgrader.preprocessors.{name}" for name in (
    "ClearOutput", "DeduplicateIds", "OverwriteKernelspec", "OverwriteCells", "CheckCellMetadata"
)]
c.Autograde.autograde_preprocessors = [f"nbgrader.preprocessors.{name}" for name in (
    "Execute", "IgnorePattern", "LimitOutput", "SaveAutoGrades", "AssignLatePenalties", "CheckCellMetadata"
)]
"""
"""Settings with which nbgrader grades as it does without this package."""


REPORTED = 1000


@dataclass(frozen=True)
class Measured:
    """Grading some submissions.

    seconds: on the clock.
    own: seconds of computing in the process that keeps the gradebook.
    others: seconds of computing in the workers and observers.
    worker, warm: MiB that one worker has for itself, and that the warm process has.
    """

    submissions: int
    seconds: float
    own: float = 0
    others: float = 0
    worker: float = 0
    warm: float = 0

    @property
    def each(self) -> float:
        return self.seconds / self.submissions


def make_class(root: Path, lesson: str, course: Path) -> None:
    """A course in a new folder with one lesson, entered into a gradebook."""
    shutil.rmtree(course, ignore_errors=True)
    shutil.copytree(root / "solutions" / lesson, course / "solutions" / lesson, ignore=shutil.ignore_patterns("*.py"))
    shutil.copy(root / "nbgrader_config.py", course)
    subprocess.run(["nbgrader", "generate_assignment", lesson], cwd=course, check=True, capture_output=True)


def hand_in(course: Path, lesson: str, students: range) -> None:
    """Submissions of the students with these numbers."""
    for number in students:
        folder = course / "submitted" / f"student-{number:05}" / lesson
        folder.mkdir(parents=True)
        for released in (course / "notebooks" / lesson).glob("*.ipynb"):
            notebook = nbformat.read(released, as_version=4)
            right = nbformat.read(course / "solutions" / lesson / released.name, as_version=4)
            answers = {cell.id: cell.source for cell in right.cells}
            solved = [cell for cell in notebook.cells if is_solution(cell)]
            for cell in solved[:-1] if number % 3 == 2 else solved:
                cell.source = answers[cell.id]
            nbformat.write(notebook, folder / released.name)


def grade_as_stock(course: Path, lesson: str) -> Measured:
    """What nbgrader alone takes for all submissions, one after the other; the grades are then taken away."""
    config = course / "nbgrader_config.py"
    ours, submissions = config.read_text(), len(list((course / "submitted").iterdir()))
    config.write_text(ours + STOCK)
    start = time.monotonic()
    try:
        subprocess.run(["nbgrader", "autograde", lesson], cwd=course, check=True, capture_output=True)
    finally:
        config.write_text(ours)
    seconds = time.monotonic() - start
    shutil.rmtree(course / "autograded")
    return Measured(submissions, seconds)


def grade_as_here(course: Path, lesson: str, workers: int, sandbox: bool) -> Measured:
    """What `attention-lab grade` takes for all submissions."""
    command = [sys.executable, "-m", __name__, lesson, str(workers), *([] if sandbox else ["--Judged.no_sandbox=True"])]
    done = subprocess.run(command, cwd=course, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return Measured(**json.loads(done.stdout))


def measure(lesson: str, workers: int, settings: list[str]) -> Measured:
    """Grade the course of the working directory in this process."""
    from ..classroom.grade import AHEAD, grade, local

    start = time.monotonic()
    ahead = grade(lesson, "*", lambda: local(workers), AHEAD * workers, True, settings, lambda done, all: None)
    seconds = time.monotonic() - start
    sizes = [ahead.workers.submit(own_memory).result() for _ in range(workers)]
    warm = max((own_memory(int(pid)) for pid in os.listdir("/proc") if pid.isdigit() and observes(pid)), default=0)
    ahead.workers.shutdown()
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return Measured(
        ahead.done,
        seconds,
        own.ru_utime + own.ru_stime,
        others.ru_utime + others.ru_stime,
        max(sizes),
        warm,
    )


def enlarge(course: Path, lesson: str, submissions: int) -> None:
    """Repeat what was graded until there are so many submissions, with the points in the gradebook."""
    graded = sorted(folder.parent.name for folder in (course / "autograded").glob(f"*/{lesson}"))
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        given = {
            student: {
                grade.name: grade
                for each in gradebook.find_submission(lesson, student).notebooks
                for grade in each.grades
            }
            for student in graded
        }
        with gradebook.db.no_autoflush:
            commit, gradebook.db.commit = gradebook.db.commit, gradebook.db.flush
            for number in range(len(graded), submissions):
                like, name = graded[number % len(graded)], f"copy-{number:05}"
                gradebook.add_student(name)
                for grade in (g for each in gradebook.add_submission(lesson, name).notebooks for g in each.grades):
                    for points in ("auto_score", "manual_score", "needs_manual_grade"):
                        setattr(grade, points, getattr(given[like][grade.name], points))
                for step in ("submitted", "autograded"):
                    shutil.copytree(course / step / like / lesson, course / step / name / lesson)
            commit()


def seconds_of_report(course: Path, lesson: str) -> float:
    """On the clock, of `attention-lab report` as a person calls it."""
    start = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "attention_lab", "report", lesson], cwd=course, check=True, capture_output=True
    )
    return time.monotonic() - start


def own_memory(process: int | str = "self") -> float:
    """MiB that a process shares with no other."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private")) / 1024


def observes(pid: str) -> bool:
    try:
        return "observer.py" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def report(lesson: str, students: int, stock: Measured, here: Measured, workers: int) -> list[Table]:
    """What was measured, and what follows from it for so many students."""
    serial, parallel = here.own / here.submissions, here.others / here.submissions
    measured = Table(
        f"{lesson}, {here.submissions} submissions, {workers} workers; nbgrader alone: {stock.submissions} submissions.",
        ["", "seconds a submission", "times"],
        [
            ["nbgrader autograde, alone", f"{stock.each:.2f}", "1"],
            ["attention-lab grade", f"{here.each:.2f}", f"{stock.each / here.each:.1f}"],
        ],
    )
    rows = []
    for number in (2, 8, 32, 128):
        seconds = students * max(serial, parallel / number)
        limit = "the workers" if parallel / number > serial else "the gradebook"
        memory = (here.warm + number * here.worker) / 1024
        rows.append([str(number), f"{seconds / 3600:.1f}", f"{memory:.1f}", limit])
    computing = (
        f"{serial:.2f} s of computing a submission in the process that keeps the gradebook, {parallel:.2f} s in others"
    )
    projected = Table(
        f"{students:,} students: {computing}.",
        ["workers, each with a core", "hours", "GiB", "what it waits for"],
        rows,
    )
    return [measured, projected]


def simulate(
    root: Path,
    course: Path,
    lesson: str,
    students: int,
    graded: int,
    alone: int,
    workers: int,
    sandbox: bool,
    tell: Callable[[str], None],
) -> list[Table]:
    """Make a class, grade a slice of it both ways, and say what all students would take; report on a large class.

    graded, alone: how many submissions are graded as here, and by nbgrader alone.
    """
    make_class(root, lesson, course)
    hand_in(course, lesson, range(alone))
    tell(f"grading {alone} submissions of {lesson} with nbgrader alone ...")
    stock = grade_as_stock(course, lesson)
    hand_in(course, lesson, range(alone, graded))
    tell(f"grading {graded} with attention-lab grade, {workers} workers ...")
    tables = report(lesson, students, stock, grade_as_here(course, lesson, workers, sandbox), workers)
    tell(f"{REPORTED:,} graded submissions, and their report ...")
    enlarge(course, lesson, REPORTED)
    seconds = f"{seconds_of_report(course, lesson):.1f}"
    return [*tables, Table(f"attention-lab report of {REPORTED:,} submissions.", ["seconds"], [[seconds]])]


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), ["--NbGrader.log_level=CRITICAL", *sys.argv[3:]]).__dict__))
