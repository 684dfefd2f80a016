"""What nbgrader is configured with so that a submission is run, and its scores are made, outside of any kernel."""

import re
import stat
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade, is_solution
from traitlets import Bool, Float

from ..grading.exercises import LESSONS
from ..grading.nbgrader import Submission
from ..grading.notebook import failure, formats, points_table
from .inspection import Asked, Inspection, NoVerdict, asked_in
from .outputs import Output
from .process import warm
from .sandbox import OTHERWISE, missing

POINTS = re.compile(r"""points\(["']([\w-]+)["']\)\s*""")
BESIDE_ITS_CODE = "Checked in the kernel, beside the code that it checks.\n"


class Judged(Execute):
    """In the place of nbgrader's Execute, whose settings count here too.

    A process that holds no right answer runs the code cells, and answers questions about what they define; the verdicts
    of the course's checks are made here. Tests with asserts of an instructor's own run there and count as in nbgrader.
    """

    no_sandbox = Bool(
        False, help="Run submissions unconfined, where `attention-lab doctor` says that a part is missing."
    ).tag(config=True)
    seconds_a_check = Float(120, help="How long a check may take.").tag(config=True)
    seconds = Float(900, help="How long a submission may take altogether.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any], km: Any = None) -> tuple[NotebookNode, dict]:
        files = beside(Path(resources["metadata"]["path"]))
        start = lambda: warm(not self.no_sandbox).observer(files)  # noqa: E731
        with Inspection(start, self.timeout, self.seconds_a_check, self.seconds) as inspection:
            inspect(nb, inspection, self.skip_cells_with_tag)
        return nb, resources


class Confined(Submission):
    """Reads what was handed in; stops the command before the first one where submissions cannot be confined."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        judged = Judged(parent=self)
        if judged.enabled and not judged.no_sandbox and (lack := missing()):
            raise SystemExit(f"{lack}\n{OTHERWISE}")


def inspect(nb: NotebookNode, inspection: Inspection, skipped: str) -> None:
    """Write into a notebook what its cells show, the verdicts on its checks, and the points into what shows them.

    skipped: the tag of cells that are not run.
    """
    earned: dict[str, int] = {}
    run: dict[int, NotebookNode] = {}
    for cell in (cell for cell in nb.cells if cell.cell_type == "code"):
        cell.outputs, cell.execution_count = [], None
        if asked := asked_in(cell):
            cell.outputs, earned[asked.id] = outcome(inspection, asked)
        elif skipped in cell.metadata.get("tags", []) or not cell.source.strip():
            continue
        elif (shown := POINTS.fullmatch(cell.source)) and shown[1] in LESSONS:
            cell.outputs = [new_output("display_data", points_table(shown[1], earned))]
        else:
            run[inspection.run(cell.source)] = cell
    late = None
    try:
        inspection.reach()
    except NoVerdict as error:
        late = error_output("TimeoutError", str(error))
    for place, cell in run.items():
        shown = inspection.shown.get(place)
        cell.execution_count = place + 1
        cell.outputs = [late] if shown is None else list(map(as_in_a_notebook, shown))
        if is_grade(cell) and not is_solution(cell):
            cell.outputs.append(new_output("stream", name="stdout", text=BESIDE_ITS_CODE))


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


def as_in_a_notebook(output: Output) -> NotebookNode:
    """What a cell has shown, in the notebook's format."""
    if output.kind == "stream":
        return new_output("stream", name="stderr" if output.name == "stderr" else "stdout", text=output.text)
    if output.kind == "error":
        return new_output("error", ename=output.name, evalue=output.text, traceback=output.traceback)
    return new_output("execute_result" if output.kind == "execute_result" else "display_data", output.formats)


def error_output(kind: str, text: str) -> NotebookNode:
    return new_output("error", ename=kind, evalue=text, traceback=[f"{kind}: {text}"])


def beside(folder: Path) -> list[Path]:
    """The plain files beside a notebook: no links, no notebooks, nothing compiled."""
    return [
        file
        for file in sorted(folder.iterdir())
        if stat.S_ISREG(file.lstat().st_mode) and file.suffix not in (".ipynb", ".pyc", ".so", ".pth")
    ]
