"""What nbgrader is configured with so that the scores of the course's checks come from outside a submission's kernel."""

import re
import stat
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.utils import is_grade, is_solution
from traitlets import Bool, Float

from ..grading.exercises import LESSONS
from ..grading.nbgrader import Run, Submission
from ..grading.notebook import failure, formats, points_table
from .inspection import Asked, Inspection, NoVerdict, asked_in
from .process import Process
from .sandbox import OTHERWISE, missing

POINTS = re.compile(r"""points\(["']([\w-]+)["']\)\s*""")
IN_THE_KERNEL = "Checked in the kernel, beside the code that it checks.\n"


class Judged(Run):
    """Executes a submission for its feedback page; what it scores in the course's checks is found out elsewhere.

    A process that holds no right answer runs the code cells once more, and answers questions about what they define;
    the verdicts are made here. Tests with asserts of an instructor's own count as they do in nbgrader.
    """

    no_sandbox = Bool(
        False, help="Run submissions unconfined, where `attention-lab doctor` says that a part is missing."
    ).tag(config=True)
    seconds_a_check = Float(120, help="How long a check may take.").tag(config=True)
    seconds = Float(900, help="How long all checks of a submission may take together.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any], km: Any = None) -> tuple[NotebookNode, dict]:
        nb, resources = super().preprocess(nb, resources, km)
        for cell in nb.cells:
            if is_grade(cell) and not is_solution(cell) and cell.cell_type == "code" and not asked_in(cell):
                cell.outputs.append(new_output("stream", name="stdout", text=IN_THE_KERNEL))
        if any(map(asked_in, nb.cells)):
            self.inspect(nb, beside(Path(resources["metadata"]["path"])))
        return nb, resources

    def preprocess_cell(self, cell: NotebookNode, resources: dict[str, Any], index: int) -> tuple[NotebookNode, dict]:
        if asked_in(cell):
            cell.outputs = []
            return cell, resources
        return super().preprocess_cell(cell, resources, index)

    def inspect(self, nb: NotebookNode, files: list[Path]) -> None:
        """Write verdicts into the test cells, and the points into what shows them."""
        earned: dict[str, int] = {}
        start = lambda: Process(files, not self.no_sandbox)  # noqa: E731
        with Inspection(start, self.timeout, self.seconds_a_check, self.seconds) as inspection:
            for cell in nb.cells:
                if asked := asked_in(cell):
                    cell.outputs, earned[asked.id] = outcome(inspection, asked)
                elif cell.cell_type == "code" and self.skip_cells_with_tag not in cell.metadata.get("tags", []):
                    if (shown := POINTS.fullmatch(cell.source)) and shown[1] in LESSONS:
                        cell.outputs = [new_output("display_data", points_table(shown[1], earned))]
                    else:
                        inspection.run(cell.source)


class Confined(Submission):
    """Reads what was handed in; stops the command before the first one where submissions cannot be confined."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        judged = Judged(parent=self)
        if judged.enabled and not judged.no_sandbox and (lack := missing()):
            raise SystemExit(f"{lack}\n{OTHERWISE}")


def outcome(inspection: Inspection, asked: Asked) -> tuple[list[NotebookNode], int]:
    """The outputs of a test cell as its check would have shown them, and the points earned."""
    try:
        report = inspection.judge(asked)
    except NameError as error:
        return [error_output("NameError", str(error))], 0
    except NoVerdict as error:
        return [error_output("CheckFailed", f"{asked.id}: {error}")], 0
    shown = [] if report.stub else [new_output("display_data", formats(report))]
    if error := failure(report):
        shown.append(error_output(type(error).__name__, str(error)))
    return shown, report.points if report.passed else 0


def error_output(kind: str, text: str) -> NotebookNode:
    return new_output("error", ename=kind, evalue=text, traceback=[f"{kind}: {text}"])


def beside(folder: Path) -> list[Path]:
    """The plain files beside a notebook: no links, no notebooks, nothing compiled."""
    return [
        file
        for file in sorted(folder.iterdir())
        if stat.S_ISREG(file.lstat().st_mode) and file.suffix not in (".ipynb", ".pyc", ".so", ".pth")
    ]
