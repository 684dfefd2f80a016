"""A job: one submission to be run and judged, by whatever process; with the same seed it is asked the same again."""

import functools
import json
import re
from dataclasses import dataclass, replace
from typing import Any

from nbformat import NotebookNode, from_dict
from nbgrader.utils import determine_grade, is_grade, is_solution

from ..grading.exercises import LESSONS
from ..grading.items import items_in
from ..grading.notebook import failure, formats, points_table
from ..grading.report import DATA, data
from .inspection import Asked, Inspection, Limits, NoVerdict, asked_in, drawn
from .outputs import Output
from .process import observer

POINTS = re.compile(r"""points\(["']([\w-]+)["']\)\s*""")
FOLLOWS = "its points are given (follow-through)"
BESIDE_ITS_CODE = "Checked in the kernel, beside the code that it checks.\n"


@dataclass(frozen=True)
class Job:
    """A submission.

    notebook: as JSON with whole texts, put right for grading.
    files: what lies beside it, by path.
    skipped: the tag of cells that are not run.
    sandbox: whether it is confined.
    seed: what its questions are drawn from.
    follow_through: whether an answer that is right for the wrong earlier ones it calls gets its points.
    """

    notebook: str
    files: dict[str, bytes]
    skipped: str
    limits: Limits
    sandbox: bool
    seed: int
    follow_through: bool = False

    def same_as(self, other: "Job") -> bool:
        """Whether the other asks for the same, but for the seed."""
        return self.files == other.files and self.cells() == other.cells()

    def cells(self) -> list[tuple[str, str, str]]:
        return [(cell["id"], cell["cell_type"], cell["source"]) for cell in json.loads(self.notebook)["cells"]]

    def read(self) -> NotebookNode:
        return from_dict(json.loads(self.notebook))


def done(job: Job) -> str:
    """The notebook, as JSON, with what its cells show, the verdicts on its checks, and the points in what shows them."""
    notebook = job.read()
    start = functools.partial(observer, job.sandbox, job.files, drawn(job.seed, "cells"))
    with Inspection(start, job.limits, job.seed) as inspection:
        inspect(notebook, inspection, job.skipped, job.follow_through)
    return json.dumps(notebook)


def inspect(notebook: NotebookNode, inspection: Inspection, skipped: str, follow_through: bool) -> None:
    earned: dict[str, float] = {}
    run: dict[int, NotebookNode] = {}
    tables: list[tuple[NotebookNode, str]] = []
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.outputs, cell.execution_count = [], None
        if asked := asked_in(cell):
            cell.outputs, earned[asked.id] = outcome(inspection, asked, follow_through)
        elif skipped in cell.metadata.get("tags", []) or not cell.source.strip():
            continue
        elif (shown := POINTS.fullmatch(cell.source)) and shown[1] in LESSONS:
            tables.append((cell, shown[1]))
        else:
            run[inspection.run(cell.source)] = cell
    late = []
    try:
        inspection.reach()
    except NoVerdict as error:
        late = [error_output("TimeoutError", str(error))]
    for place, cell in run.items():
        cell.execution_count = place + 1
        cell.outputs = list(map(as_in_a_notebook, inspection.shown[place])) if place in inspection.shown else late
        if is_grade(cell) and not is_solution(cell):
            cell.outputs = [*cell.outputs, stream(BESIDE_ITS_CODE)]
            earned[cell.metadata.nbgrader.grade_id] = determine_grade(cell)[0]
    for cell, lesson in tables:
        cell.outputs = [displayed(points_table(items_in(lesson, notebook.cells), earned))]


def outcome(inspection: Inspection, asked: Asked, follow_through: bool) -> tuple[list[NotebookNode], int]:
    """The outputs of a test cell as its check would have shown them, and the points earned."""
    try:
        report = inspection.judge(asked)
    except NameError as error:
        return [error_output("NameError", str(error))], 0
    except NoVerdict as error:
        return [error_output("CheckFailed", f"{asked.id}: {error}")], 0
    if given := follow_through and report.follows_through:
        told = report.misconception
        report = replace(report, misconception=replace(told, name=f"{told.name}: {FOLLOWS}"))
    shown = [] if report.stub else [displayed(formats(report), {DATA: data(report)})]
    if given:
        return shown, report.points
    if error := failure(report):
        shown.append(error_output(type(error).__name__, str(error)))
    return shown, report.points if report.passed else 0


def as_in_a_notebook(output: Output) -> NotebookNode:
    """What a cell has shown, in the notebook's format."""
    if output.kind == "stream":
        return stream(output.text, "stderr" if output.name == "stderr" else "stdout")
    if output.kind == "error":
        return error_output(output.name, output.text, output.traceback)
    if output.kind == "execute_result":
        return from_dict({**displayed(output.formats), "output_type": "execute_result", "execution_count": None})
    return displayed(output.formats)


def displayed(formats: dict[str, str], metadata: dict[str, Any] | None = None) -> NotebookNode:
    return from_dict({"output_type": "display_data", "data": formats, "metadata": metadata or {}})


def stream(text: str, name: str = "stdout") -> NotebookNode:
    return from_dict({"output_type": "stream", "name": name, "text": text})


def error_output(kind: str, text: str, traceback: list[str] | None = None) -> NotebookNode:
    lines = [f"{kind}: {text}"] if traceback is None else traceback
    return from_dict({"output_type": "error", "ename": kind, "evalue": text, "traceback": lines})
