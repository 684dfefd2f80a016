"""Exporters for nbgrader, so that a submission costs its own points only.

    OneByOne      tells who got nothing from a command, and why
    Submission    reads what was handed in and puts it right, before nbgrader's own preprocessors

Where nbgrader still fails on a submission, the others are graded, and the command ends with a list of who was not.
"""

import atexit
import re
import warnings
from glob import glob
from pathlib import Path
from typing import Any, TextIO

from nbconvert.exporters import Exporter, NotebookExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.apps import NbGrader
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import ClearOutput
from sqlalchemy.exc import SAWarning

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
        if isinstance(self.parent.parent, NbGrader):  # a command, not Formgrader's server
            atexit.register(self.tell, coursedir.assignment_id, coursedir.student_id)

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

    def tell(self, lesson: str, students: str) -> None:
        source, dest = self.parent._format_source, self.parent._format_dest
        with Gradebook(self.parent.coursedir.db_url) as gradebook:
            found = [known for known in gradebook.assignments if known.name == lesson]
            expected = {f"{notebook.name}.ipynb" for known in found for notebook in known.notebooks}
        lines = []
        for folder in sorted(glob(source(lesson, students))):
            student = re.fullmatch(source("(?P<lesson>.*)", "(?P<student>.*)", escape=True), folder)["student"]
            if list(Path(dest(lesson, student)).glob(f"*{self.file_extension}")):
                continue
            there = {file.name for file in Path(folder).glob("*")}
            misnamed = f"no {' or '.join(expected)}; there is: {', '.join(sorted(there)) or 'nothing'}"
            reason = misnamed if expected and not there & expected else "see the error above"
            lines.append(f"  {student}: {self.reasons.get(student, reason)}")
        if lines:
            self.log.error("\n".join([f"{self.parent._output_directory}, left out:", *lines]))


class Submission(OneByOne, NotebookExporter):
    """A notebook as it was handed in, put right by what the gradebook knows of the lesson."""

    def from_file(self, file_stream: TextIO, resources: dict[str, Any], **settings: Any) -> tuple[str, dict[str, Any]]:
        if not self.parent._sanitizing:  # what this class has put right already is read once more
            return super().from_file(file_stream, resources, **settings)
        asked = resources["nbgrader"]
        notebook, notes = put_right(file_stream.buffer.read(), asked, outputs=not ClearOutput(parent=self).enabled)
        if notes:
            self.log.warning("put right in what %s handed in: %s", asked["student"], " ".join(notes))
        return self.from_notebook_node(notebook, resources, **settings)


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
