"""The outputs of a lesson: executing it, and keeping its outputs while they are what executing it again would show.

An executed notebook keeps, in its metadata, a digest of the part of the package that its outputs come from: mechanisms,
data, networks, trainings, pictures. Its outputs hold as long as that part and its code cells are the same; texts may
change. What a check says of the solution is not part of it: grading may change without a training.
"""

import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbgrader.utils import determine_grade, is_grade

from .source import NOTEBOOK_METADATA, ReleaseError

SECONDS_PER_CELL = 3600  # a recording run trains many seeds
LOOK_AGAIN = 30  # seconds
WIDGET = "application/vnd.jupyter.widget-view+json"
PACKAGE = Path(__file__).parents[1]
COMMANDS = {"cli", "__main__.py", "bench.py", "baselines.py"}
SHOWN_IN_NO_LESSON = {"grading", "classroom", "feedback", "overview", "course"} | COMMANDS


class Client(NotebookClient):
    """Looks for a cell's reply again every LOOK_AGAIN seconds: now and then one is there, and nothing wakes who waits for it.

    seconds_per_cell: how long a cell may take.
    """

    def __init__(self, notebook: NotebookNode, seconds_per_cell: int, **settings: Any):
        super().__init__(notebook, timeout=LOOK_AGAIN, **settings)
        self.seconds_per_cell, self.waited = seconds_per_cell, Counter()

    async def _async_handle_timeout(self, timeout: int, cell: NotebookNode | None = None) -> dict[str, Any] | None:
        self.waited[id(cell)] += timeout
        if self.waited[id(cell)] < self.seconds_per_cell:
            return None
        return await super()._async_handle_timeout(self.seconds_per_cell, cell)


def execute(
    source: Path,
    notebook: NotebookNode,
    done: Callable[[int, int], None] = lambda done, all: None,
    **variables: str,
) -> NotebookNode:
    """Run the notebook of a source and keep its outputs, without what differs from run to run (timings, widget ids).

    The trainings are run in full, also where ATTENTION_LAB_FAST is set. The environment gets ``variables``.

    Raises ReleaseError if a cell fails, or if the solution does not get full points from its own test cells.
    """
    client = Client(
        notebook,
        SECONDS_PER_CELL,
        km=AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[])),  # the running Python's kernel
        resources={"metadata": {"path": str(source.parent)}},
        record_timing=False,
        coalesce_streams=True,
        on_cell_complete=lambda cell, cell_index: done(cell_index + 1, len(notebook.cells)),
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # no warning of plain TCP inside one machine
    )
    metadata = executed_metadata()
    environment = {name: value for name, value in os.environ.items() if name != "ATTENTION_LAB_FAST"}
    try:
        with tempfile.TemporaryDirectory() as folder:
            running = Path(folder) / source.with_suffix(".ipynb").name
            nbformat.write(notebook, running)  # for what asks which notebook it is in
            variables |= {"JPY_SESSION_NAME": str(running)}
            # a kernel manager that is handed in would keep its kernel running
            client.execute(cleanup_kc=True, env=environment | variables)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise ReleaseError(f"{source}: {error}") from error

    notebook.metadata = metadata
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
        if cell.cell_type == "code":  # a progress bar leaves an empty line of text
            cell.outputs = [output for output in cell.outputs if output.get("data") != {"text/plain": ""}]
        if is_grade(cell):
            score, points = determine_grade(cell)
            if score is not None and score < points:
                grade_id = cell.metadata.nbgrader.grade_id
                raise ReleaseError(f"{source}: the solution gets {score:g} of {points:g} points in {grade_id}")
    return notebook


def executed_metadata() -> NotebookNode:
    """The metadata of a notebook that was executed with the package as it is."""
    return nbformat.from_dict(NOTEBOOK_METADATA | {"attention_lab": {"package": package_digest()}})


def package_digest() -> str:
    """A digest of all files of the package that outputs may come from, whatever line ends its checkout has."""
    digest = hashlib.sha256()
    shown = (room for room in PACKAGE.iterdir() if room.name not in SHOWN_IN_NO_LESSON)
    for file in sorted(chain.from_iterable([room, *room.rglob("*")] for room in shown)):
        if file.is_file() and "__pycache__" not in file.parts and not file.name.startswith("."):
            digest.update(file.relative_to(PACKAGE).as_posix().encode() + b"\0")
            digest.update(content(file) + b"\0")
    return digest.hexdigest()


def content(file: Path) -> bytes:
    """The bytes of a file, whatever line ends its checkout has."""
    return file.read_bytes().replace(b"\r\n", b"\n")


def up_to_date(executed: NotebookNode, notebook: NotebookNode) -> bool:
    """Whether an executed notebook is what executing a notebook would give: its cells, and outputs that hold."""
    bare = nbformat.from_dict(executed)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return bare.cells == notebook.cells and outputs_hold(executed, notebook)


def outputs_hold(executed: NotebookNode, notebook: NotebookNode) -> bool:
    """Whether executing a notebook would show again what an executed one shows."""
    return executed.metadata == executed_metadata() and ran_the_code_of(executed, notebook)


def ran_the_code_of(executed: NotebookNode, notebook: NotebookNode) -> bool:
    """Whether the code cells of a notebook are those that an executed one has run, each of them."""
    run, asked = code_cells(executed), code_cells(notebook)
    same = [(cell.source, cell.metadata) for cell in run] == [(cell.source, cell.metadata) for cell in asked]
    return same and all(cell.execution_count for cell in run if cell.source)


def with_outputs_of(executed: NotebookNode, notebook: NotebookNode) -> NotebookNode:
    """The notebook with the outputs of an executed one that ran its code, as outputs of the package as it is."""
    for run, cell in zip(code_cells(executed), code_cells(notebook), strict=True):
        cell.outputs, cell.execution_count = run.outputs, run.execution_count
    notebook.metadata = executed_metadata()
    return notebook


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]
