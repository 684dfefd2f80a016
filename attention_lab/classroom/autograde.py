"""What nbgrader is configured with so that a submission is run, and its scores are made, outside of any kernel.

Confined       reads what was handed in, and refuses what it may not bring
Judged         runs and judges it, or takes what another process has found (`grade.py`)
SavedTogether  enters its scores into the gradebook
"""

import glob
import hashlib
import json
import platform
import secrets
import shutil
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from nbformat import NotebookNode, from_dict
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute, NbGraderPreprocessor, SaveAutoGrades
from traitlets import Bool, Float

from .. import __version__
from ..grading.nbgrader import Submission
from .beside import refused, taken
from .entered import changed
from .inspection import Limits
from .job import Job, done
from .sandbox import OTHERWISE, missing
from .standing import NOT_YET, why_not

RECORD = "attention_lab"
"""The name of what a graded notebook's metadata hold of its grading."""


class Judged(Execute):
    """In the place of nbgrader's Execute, whose settings count here too.

    A process that holds no right answer runs the code cells, and answers questions about what they define; the verdicts
    of the course's checks are made here. Tests with asserts of an instructor's own run there and count as in nbgrader.
    """

    no_sandbox = Bool(
        False, help="Run submissions unconfined, where `attention-lab doctor` says that a part is missing."
    ).tag(config=True)
    seconds_a_check = Float(120, help="How long a check may take.").tag(config=True)
    follow_through = Bool(
        False, help="Give its points to an answer that is right for the wrong earlier answers that it calls."
    ).tag(config=True)
    seconds = Float(900, help="How long a submission may take altogether.").tag(config=True)

    ahead: ClassVar[Any] = None
    """Where other processes judge, what has their results (`grade.Ahead`)."""
    seed: ClassVar[int] = 0
    """What the questions of all submissions are drawn from that one command grades; nobody has seen them before."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any], km: Any = None) -> tuple[NotebookNode, dict]:
        asked, converter = resources["nbgrader"], self.parent.parent
        job = self.job(nb, files(converter, asked["assignment"], asked["student"]))
        job, judged = self.ahead.result(asked, job) if self.ahead else (job, done(job))
        nb = from_dict(json.loads(judged))
        nb.metadata[RECORD] = record(job.seed, digest(converter, asked))
        return nb, resources

    def job(self, nb: NotebookNode, files: dict[str, bytes], seed: int | None = None) -> Job:
        """What is to be done for a notebook and the files beside it, with this command's seed if none is given."""
        limits = Limits(self.timeout, self.seconds_a_check, self.seconds)
        seed = (self.seed or secrets.randbits(63)) if seed is None else seed
        confined, follows = not self.no_sandbox, self.follow_through
        return Job(json.dumps(nb), files, self.skip_cells_with_tag, limits, confined, seed, follows)


class SavedTogether(SaveAutoGrades):
    """nbgrader's own, which commits each score by itself; here a notebook's scores are committed together."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict]:
        asked = resources["nbgrader"]
        self.notebook_id, self.assignment_id, self.student_id = asked["notebook"], asked["assignment"], asked["student"]
        with Gradebook(asked["db_url"]) as self.gradebook:
            session = self.gradebook.db
            commit, session.commit = session.commit, session.flush
            done = NbGraderPreprocessor.preprocess(self, nb, resources)
            commit()
        return done


class Confined(Submission):
    """Reads what was handed in; stops the command before the first one where submissions cannot be confined."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        judged, Judged.seed = Judged(parent=self), secrets.randbits(63)
        if judged.enabled and not judged.no_sandbox and (lack := missing()):
            raise SystemExit(f"{lack}\n{OTHERWISE}")
        self.leave_out(converter := self.parent)
        if told := changed(converter.coursedir, converter.coursedir.assignment_id):
            self.log.warning(told)
        self.begin, converter.init_assignment = converter.init_assignment, self.begin_without_refused
        if Judged.ahead:
            Judged.ahead.start(converter, judged)

    def leave_out(self, converter: Autograde) -> None:
        """Leave to nbgrader only what can be graded: no notebook that is a link, renamed or cannot be read.

        What was graded of an earlier submission goes, so that nobody takes it for this one's.
        """
        expected = self.expected()
        for folder in sorted(converter.assignments) if expected else []:
            status, reason = why_not(Path(folder), expected)
            if status != NOT_YET:
                del converter.assignments[folder]
                self.reasons[student := self.student(folder)] = reason
                shutil.rmtree(converter._format_dest(converter.coursedir.assignment_id, student), ignore_errors=True)

    def why_not(self, folder: Path) -> str:
        status, reason = why_not(folder, self.expected())
        return "see the error above" if status == NOT_YET else reason

    def put_right(self, file: bytes, asked: dict[str, str]) -> tuple[NotebookNode, list[str]]:
        """As it was put right for the process that has judged it, if it was."""
        ready = Judged.ahead and Judged.ahead.ready.pop((asked["student"], asked["notebook"]), None)
        return ready.notebook if ready and ready.file == file else super().put_right(file, asked)

    def begin_without_refused(self, lesson: str, student: str) -> None:
        """Let nbgrader copy what was handed in, but for links and compiled code."""
        coursedir, no = self.parent.coursedir, refused(Path(self.parent._format_source(lesson, student)))
        for name, reason in no.items():
            self.log.warning("not taken from %s: %s, which is %s", student, name, reason)
        before = coursedir.ignore
        coursedir.ignore = [*before, *(glob.escape(Path(name).name) for name in no)]
        try:
            self.begin(lesson, student)
        finally:
            coursedir.ignore = before


def record(seed: int, submission: str) -> dict[str, Any]:
    """What a graded notebook keeps of its grading: enough to ask the same again, and to see whether anything changed.

    submission: the digest of what was graded.
    """
    versions = {name: version(name) for name in ("torch", "nbgrader")}
    versions |= {"attention-lab": __version__, "python": platform.python_version()}
    return {"submission": submission, "seed": seed, "versions": versions}


def files(converter: Autograde, lesson: str, student: str) -> dict[str, bytes]:
    """What is to lie beside a submission's notebook: its own files, and over them those of the lesson."""
    coursedir = converter.coursedir
    handed_in = taken(Path(coursedir.format_path(coursedir.submitted_directory, student, lesson)))
    given = taken(Path(coursedir.format_path(coursedir.source_directory, ".", lesson)))
    for name in converter.exclude_overwriting.get(lesson, []):
        given.pop(name, None)
    ignored = [*coursedir.ignore, "timestamp.txt"]
    return {
        name: content
        for name, content in (handed_in | given).items()
        if not any(fnmatch(part, pattern) for part in Path(name).parts for pattern in ignored)
    }


def digest(converter: Autograde, asked: dict[str, str]) -> str:
    """Of a submission's notebook, of the files beside it, and of the lesson as it is in the gradebook."""
    coursedir = converter.coursedir
    folder = Path(coursedir.format_path(coursedir.submitted_directory, asked["student"], asked["assignment"]))
    with Gradebook(asked["db_url"]) as gradebook:
        lesson = gradebook.find_notebook(asked["notebook"], asked["assignment"])
        cells = [[cell.name, cell.cell_type, cell.source] for cell in lesson.source_cells]
        points = [[cell.name, cell.max_score] for cell in lesson.grade_cells]
    made = hashlib.sha256(json.dumps([sorted(cells), sorted(points)]).encode())
    made.update((folder / f"{asked['notebook']}.ipynb").read_bytes())
    for name, content in files(converter, asked["assignment"], asked["student"]).items():
        made.update(f"{name}\0{len(content)}\0".encode() + content)
    return made.hexdigest()
