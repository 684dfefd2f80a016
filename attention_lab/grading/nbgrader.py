"""What nbgrader is configured with, in nbgrader_config.py, so that a submission costs its own points only.

    Submission    reads what was handed in and puts it right, before nbgrader's own preprocessors
    Run           executes it, and lets what a check says be what counts
    Feedback      writes the page

Where nbgrader still fails on a submission, the others are graded, and the command ends with a list of who was not.
"""

import atexit
import re
from glob import glob
from pathlib import Path
from typing import Any, TextIO

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.exporters import Exporter, HTMLExporter, NotebookExporter
from nbformat import NotebookNode, ValidationError
from nbformat.v4 import new_markdown_cell, new_output
from nbgrader.api import Gradebook
from nbgrader.apps import NbGrader
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import ClearOutput, Execute
from nbgrader.utils import is_grade, is_solution

from .repair import repaired

KEEP_CHECK = "__import__('attention_lab.grading').grading.keep_check()"


class OneByOne(Exporter):
    """Mixed into an exporter: tells at the end of a command who got nothing from it, and why."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
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
        asked = resources["nbgrader"]
        with Gradebook(asked["db_url"]) as gradebook:
            lesson = gradebook.find_notebook(asked["notebook"], asked["assignment"])
            keep_outputs = not ClearOutput(parent=self).enabled
            notebook, notes = repaired(file_stream.buffer.read(), lesson, keep_outputs)
        if notes:
            told = "\n".join(["**Put right for grading**", "", *(f"- {note}" for note in notes)])
            notebook.cells.insert(0, new_markdown_cell(told))
            self.log.warning("put right in what %s handed in: %s", asked["student"], " ".join(notes))
        return self.from_notebook_node(notebook, resources, **settings)


class Feedback(OneByOne, HTMLExporter):
    """A student's feedback page."""


class Run(Execute):
    """Executes a submission: a cell that ends or hangs the kernel costs its own points, and a check's word counts."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any], km: Any = None) -> tuple[NotebookNode, dict]:
        """Execute the cells; after one that ended the kernel, all again without it."""
        self.fatal, self.failed, self.running = set(), set(), None
        while True:
            try:
                nb, resources = super().preprocess(nb, resources, km)
                break
            except (DeadKernelError, CellTimeoutError) as error:
                if self.running is None or self.running.id in self.fatal:
                    raise
                self.fatal.add(self.running.id)
                message = "This cell ended or blocked the kernel: all others were run again without it."
                self.running.outputs = [
                    new_output("error", ename=type(error).__name__, evalue=message, traceback=[message])
                ]
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.outputs = [output for output in cell.outputs if self.counts(output, cell)]
        return nb, resources

    def preprocess_cell(self, cell: NotebookNode, resources: dict[str, Any], index: int) -> tuple[NotebookNode, dict]:
        if cell.id in self.fatal:
            return cell, resources
        return super().preprocess_cell(cell, resources, index)

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        try:
            return super().process_message(msg, cell, cell_index)
        except ValidationError:
            self.log.warning("an output is left out that no notebook may hold")
            return None

    def on_cell_execute(self, cell: NotebookNode, cell_index: int) -> None:
        self.running = cell
        if is_check(cell):
            self.kc.execute(KEEP_CHECK, silent=True, stop_on_error=False)

    def on_cell_executed(self, **happened: Any) -> None:
        super().on_cell_executed(**happened)
        if happened["execute_reply"]["content"]["status"] != "ok":
            self.failed.add(happened["cell"].id)

    def counts(self, output: NotebookNode, cell: NotebookNode) -> bool:
        """Whether nbgrader is to see an output.

        A check ends with an error or gives all its points, whatever was logged, warned or displayed meanwhile. A stock
        nbgrader test, with asserts, keeps its outputs.
        """
        if not is_check(cell):
            return True
        if output.output_type == "error":
            return cell.id in self.failed | self.fatal
        return output.output_type != "execute_result" and output.get("name") != "stderr"


def is_check(cell: NotebookNode) -> bool:
    """Whether it is a test cell that asks the course's check, not a stock one with asserts."""
    return is_grade(cell) and not is_solution(cell) and cell.source.startswith('check("')


def in_one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return lines[0] if isinstance(error, ValueError) else f"{type(error).__name__}: {lines[0]}"
