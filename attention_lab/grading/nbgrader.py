"""Exporters for nbgrader, so that a submission costs its own points only.

    OneByOne      tells who got nothing from a command, and why
    Submission    reads what was handed in and puts it right, before nbgrader's own preprocessors

Where nbgrader still fails on a submission, the others are graded, and the command ends with a list of who was not.
"""

import logging
import re
import warnings
from glob import glob
from pathlib import Path
from typing import Any, TextIO

from nbconvert.exporters import Exporter, NotebookExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import ClearOutput
from sqlalchemy.exc import SAWarning

from .gradebook import one_engine
from .repair import Release, restore

NOTES = "put-right"
"""The id of the cell on top of a graded notebook that says what had to be put right."""


class OneByOne(Exporter):
    """Mixed into an exporter: tells at the end of a command who got nothing from it, and why."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        warnings.filterwarnings("ignore", category=SAWarning)  # nbgrader's own, of which nobody needs to know
        self.reasons: dict[str, str] = {}
        coursedir = self.parent.coursedir
        coursedir.get_existing_timestamp = self.timestamp  # nbgrader gives up on a bad one and has no setting for it
        self.convert, self.parent.convert_notebooks = self.parent.convert_notebooks, self.convert_and_tell

    def convert_and_tell(self) -> None:
        """Let nbgrader convert, then tell who was left out; one that is interrupted has left nobody out.

        Raises: NbGraderException where somebody was, as nbgrader does.
        """
        self.log.addFilter(not_canceled)
        try:
            with one_engine():
                self.convert()
        except KeyboardInterrupt:
            raise
        except BaseException:
            self.tell()
            raise
        finally:
            self.log.removeFilter(not_canceled)
        self.tell()
        if self.reasons:
            raise NbGraderException(f"{len(self.reasons)} left out")

    def timestamp(self, folder: str) -> Any:
        """When a submission was handed in; None where that cannot be read, as where it is not told."""
        try:
            return CourseDirectory.get_existing_timestamp(self.parent.coursedir, folder)
        except Exception:
            self.log.warning("%s/timestamp.txt tells no time: as if it were not there", folder)
            return None

    def from_filename(self, filename: str, resources: dict[str, Any], **settings: Any) -> tuple[Any, dict[str, Any]]:
        try:
            return super().from_filename(filename, resources, **settings)
        except Exception as error:
            self.reasons[resources["nbgrader"]["student"]] = f"{Path(filename).name}: {in_one_line(error)}"
            raise

    def tell(self) -> None:
        coursedir, dest = self.parent.coursedir, self.parent._format_dest
        lines = []
        for folder in sorted(glob(self.parent._format_source(coursedir.assignment_id, coursedir.student_id))):
            student = self.student(folder)
            if not list(Path(dest(coursedir.assignment_id, student)).glob(f"*{self.file_extension}")):
                lines.append(f"  {student}: {self.reasons.get(student) or self.why_not(Path(folder))}")
        if lines:
            self.log.error("\n".join([f"{self.parent._output_directory}, left out:", *lines]))

    def student(self, folder: str) -> str:
        """Whose folder it is, of those that the command reads."""
        pattern = self.parent._format_source("(?P<lesson>.*)", "(?P<student>.*)", escape=True)
        return re.fullmatch(pattern, folder)["student"]

    def why_not(self, folder: Path) -> str:
        """Why there is nothing of a folder, if nothing has been met yet."""
        return "see the error above"

    def expected(self) -> set[str]:
        """The names of the lesson's notebooks, by the gradebook; none if it does not know the lesson."""
        coursedir = self.parent.coursedir
        with Gradebook(coursedir.db_url) as gradebook:
            found = [known for known in gradebook.assignments if known.name == coursedir.assignment_id]
            return {f"{notebook.name}.ipynb" for known in found for notebook in known.notebooks}


class Submission(OneByOne, NotebookExporter):
    """A notebook as it was handed in, put right by what the gradebook knows of the lesson."""

    def from_file(self, file_stream: TextIO, resources: dict[str, Any], **settings: Any) -> tuple[str, dict[str, Any]]:
        if not self.parent._sanitizing:  # what this class has put right already is read once more
            return super().from_file(file_stream, resources, **settings)
        asked = resources["nbgrader"]
        notebook, notes = self.put_right(file_stream.buffer.read(), asked)
        if notes:
            self.log.warning("put right in what %s handed in: %s", asked["student"], " ".join(notes))
        return self.from_notebook_node(notebook, resources, **settings)

    def put_right(self, file: bytes, asked: dict[str, str]) -> tuple[NotebookNode, list[str]]:
        return put_right(file, asked, outputs=not ClearOutput(parent=self).enabled)


def not_canceled(record: logging.LogRecord) -> bool:
    """Whether nbgrader says anything else than that somebody has stopped it, who knows."""
    return record.msg != "Canceled"


def put_right(file: bytes, asked: dict[str, str], outputs: bool = False) -> tuple[NotebookNode, list[str]]:
    """A notebook that was handed in, as it is graded, with a cell on top that says what had to be put right.

    asked: the notebook, its assignment and the gradebook's `db_url`.
    outputs: whether those that were handed in are kept.

    Raises: Unreadable.
    """
    with Gradebook(asked["db_url"]) as gradebook:
        lesson = gradebook.find_notebook(asked["notebook"], asked["assignment"])
        notebook, notes = restore(Release.of_gradebook(lesson), file, outputs)
    if notes:
        told = "\n".join(["**Put right for grading**", "", *(f"- {note}" for note in notes)])
        notebook.cells.insert(0, new_markdown_cell(told, id=NOTES))
    return notebook, notes


def in_one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return lines[0] if isinstance(error, ValueError) else f"{type(error).__name__}: {lines[0]}"
