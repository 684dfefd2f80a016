"""Grade a class with several workers: `nbgrader autograde`, which finds each submission run and judged when it gets there.

Workers run and judge (`job.py`), here or on a Dask cluster. nbgrader, in this process, reads, writes and keeps the
gradebook, so what it writes is what it writes alone.
"""

import gc
import json
import multiprocessing
import secrets
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import nbformat
import torch
from nbformat import NotebookNode, from_dict
from nbgrader.apps import NbGraderApp
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import determine_grade, is_grade, is_solution
from traitlets.config import Config, PyFileConfigLoader

from ..grading.gradebook import one_engine
from ..grading.nbgrader import put_right
from .autograde import RECORD, Judged, digest, files
from .job import Job, done
from .process import warm

AHEAD = 4  # jobs for each worker that are begun before nbgrader asks for them


class Ready(NamedTuple):
    """A file that was handed in, and the notebook as it was put right, with what had to be."""

    file: bytes
    notebook: tuple[NotebookNode, list[str]]


class Ahead:
    """Submissions that are run and judged before nbgrader gets to them.

    executor: starts the workers.
    most: how many jobs are begun at once.
    force: whether what has not changed since it was graded is graded again.
    tell: is told how many notebooks are done, of how many.
    """

    def __init__(self, executor: Callable[[], Executor], most: int, force: bool, tell: Callable[[int, int], None]):
        self.executor, self.most, self.force, self.tell = executor, most, force, tell
        self.workers: Executor | None = None
        self.begun: deque[tuple[dict[str, str], Job, Future]] = deque()
        self.ready: dict[tuple[str, str], Ready] = {}
        self.unchanged = self.done = self.all = 0
        self.failed = self.interrupted = False

    def start(self, converter: Autograde, judged: Judged) -> None:
        """Leave to nbgrader only what has changed since it was graded, and begin with the first of it."""
        changed = {}
        for folder, notebooks in sorted(converter.assignments.items()):
            handed_in = {notebook: asked_of(converter, notebook) for notebook in sorted(notebooks)}
            asked = next(iter(handed_in.values()))
            graded = Path(converter._format_dest(asked["assignment"], asked["student"]))
            if not self.force and all(is_graded(converter, asked, graded) for asked in handed_in.values()):
                del converter.assignments[folder]
                self.unchanged += 1
            else:
                shutil.rmtree(graded, ignore_errors=True)
                changed |= handed_in
        self.all, self.jobs = len(changed), self.jobs_of(converter, judged, changed)
        if self.all:
            warm(not judged.no_sandbox)  # all workers share it
            self.workers = self.executor()
            self.tell(0, self.all)
            self.begin()

    def jobs_of(
        self, converter: Autograde, judged: Judged, handed_in: dict[str, dict[str, str]]
    ) -> Iterator[tuple[dict[str, str], Job]]:
        """What nbgrader will ask for, in its order, as far as it can be read."""
        for notebook, asked in handed_in.items():
            try:
                file = Path(notebook).read_bytes()
                ready = put_right(file, asked)
                job = judged.job(ready[0], files(converter, asked["assignment"], asked["student"]))
            except Exception:  # nbgrader will meet it too, and tell it
                continue
            self.ready[asked["student"], asked["notebook"]] = Ready(file, ready)
            yield asked, job

    def begin(self) -> None:
        while len(self.begun) < self.most and (following := next(self.jobs, None)):
            self.begun.append((*following, self.submit(following[1])))

    def submit(self, job: Job) -> Future:
        try:
            return self.workers.submit(done, job)
        except BrokenProcessPool:  # a worker was killed
            self.workers = self.executor()
            return self.workers.submit(done, job)

    def close(self) -> None:
        """Let the workers end; none was needed where nothing has changed."""
        if self.workers:
            self.workers.shutdown()

    def stop(self) -> None:
        """End the workers, whatever they are doing."""
        if not self.workers:
            return
        processes = list((getattr(self.workers, "_processes", None) or {}).values())
        self.workers.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()

    def result(self, asked: dict[str, str], wanted: Job) -> tuple[Job, str]:
        """The job as it was done, and the notebook with its verdicts."""
        found = None
        while self.begun and not found:
            begun, job, future = self.begun.popleft()
            self.begin()
            if begun == asked and job.same_as(wanted):
                try:
                    found = job, future.result()
                except BrokenProcessPool:
                    found = job, self.submit(job).result()
        self.done += 1
        self.tell(self.done, self.all)
        return found or (wanted, done(wanted))


def asked_of(converter: Autograde, notebook: str) -> dict[str, str]:
    """The student, assignment and notebook of a submitted file, and the gradebook."""
    return converter.init_single_notebook_resources(notebook)["nbgrader"]


def is_graded(converter: Autograde, asked: dict[str, str], folder: Path) -> bool:
    """Whether a notebook was graded as it is now."""
    try:
        graded = nbformat.read(folder / f"{asked['notebook']}.ipynb", as_version=4)
        return graded.metadata[RECORD]["submission"] == digest(converter, asked)
    except Exception:
        return False


def local(workers: int) -> Executor:
    """Workers on this machine, forked of this process with all that it has imported."""
    torch.set_num_threads(1)  # a fork has no other threads
    gc.collect()
    gc.freeze()  # so that its collector writes on nothing that is shared
    return ProcessPoolExecutor(workers, multiprocessing.get_context("fork"))


def on_dask(address: str) -> Executor:
    """The workers of a Dask cluster, on machines that have this package too."""
    from distributed import Client

    return Client(address).get_executor(pure=False)


def grade(
    lesson: str,
    student: str,
    executor: Callable[[], Executor],
    most: int,
    force: bool,
    settings: list[str],
    tell: Callable[[int, int], None],
) -> Ahead:
    """Grade what was handed in of a lesson, in the course of the working directory.

    student: one of them, or a pattern, as nbgrader takes it.
    settings: further ones for nbgrader, as it takes them on its command line.
    """
    Judged.ahead = ahead = Ahead(executor, most, force, tell)
    try:
        with one_engine():
            NbGraderApp.launch_instance(["autograde", lesson, "--student", student, *settings])
    except SystemExit as end:
        ahead.failed = bool(end.code)
    except KeyboardInterrupt:
        ahead.interrupted = True
        ahead.stop()
    finally:
        Judged.ahead = None
    return ahead


class Regraded(NamedTuple):
    """A test cell's points as they were given and as they are now."""

    grade_id: str
    before: float | None
    now: float | None


def again(root: Path, lesson: str, student: str, fresh: bool, sandbox: bool = True) -> list[Regraded]:
    """Judge a graded submission once more, with the same questions or with fresh ones; nothing is written.

    Raises: FileNotFoundError where it has not been graded.
    """
    config: Config = PyFileConfigLoader("nbgrader_config.py", str(root)).load_config()
    converter = Autograde(coursedir=CourseDirectory(config=config, root=str(root)), config=config)
    judged, rows = Judged(config=config, **({} if sandbox else {"no_sandbox": True})), []
    notebooks = sorted(Path(converter._format_dest(lesson, student)).glob("*.ipynb"))
    if not notebooks:
        raise FileNotFoundError(f"{lesson} of {student} has not been graded")
    for notebook in notebooks:
        before = nbformat.read(notebook, as_version=4)
        seed = secrets.randbits(63) if fresh else before.metadata[RECORD]["seed"]
        now = from_dict(json.loads(done(judged.job(before, files(converter, lesson, student), seed))))
        for was, cell in zip(before.cells, now.cells, strict=True):
            if is_grade(cell) and not is_solution(cell) and cell.cell_type == "code":
                rows.append(Regraded(cell.metadata.nbgrader.grade_id, *(determine_grade(c)[0] for c in (was, cell))))
    return rows
