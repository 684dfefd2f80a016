"""Release a lesson: execute its source for instructors, and let nbgrader take the solutions out for learners.

    solutions/index.py            the start page -> notebooks/index.ipynb
    solutions/NN-name/name.py     a lesson's only source
      -> solutions/NN-name/name.ipynb   executed, with outputs
      -> notebooks/NN-name/name.ipynb   what learners get: stubs, no outputs

No database is touched: an instructor's gradebook stays as it is.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_solution
from traitlets.config import PyFileConfigLoader

from .source import NOTEBOOK_METADATA, ReleaseError, lessons, read_lesson, read_source, read_start_page, sources

SECONDS_PER_CELL = 600
WIDGET = "application/vnd.jupyter.widget-view+json"


def execute(source: Path) -> NotebookNode:
    """The notebook of a source with its outputs, without what differs from run to run (timings, widget ids).

    Raises ReleaseError if a cell fails, or if the solution does not get full points from its own test cells.
    """
    notebook = read_source(source)
    client = NotebookClient(
        notebook,
        km=AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[])),  # the running Python's kernel
        resources={"metadata": {"path": str(source.parent)}},
        timeout=SECONDS_PER_CELL,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # no warning of plain TCP inside one machine
    )
    try:
        client.execute(cleanup_kc=True)  # a kernel manager that is handed in would keep its kernel running
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise ReleaseError(f"{source}: {error}") from error

    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
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


@contextmanager
def learner_files(root: Path, lesson: str) -> Iterator[dict[Path, Path]]:
    """What nbgrader makes of a lesson for learners, as {file of the course: its new version in a temporary folder}."""
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder)
        solutions = course / "solutions" / lesson
        shutil.copytree(root / "solutions" / lesson, solutions, ignore=shutil.ignore_patterns("*.ipynb"))
        for source, notebook in read_lesson(root, lesson).items():
            nbformat.write(notebook, solutions / f"{source.stem}.ipynb")

        config = PyFileConfigLoader("nbgrader_config.py", str(root)).load_config()
        config.GenerateAssignment.no_database = True
        config.SaveCells.enabled = False
        coursedir = CourseDirectory(root=str(course), assignment_id=lesson, config=config)
        try:
            GenerateAssignment(coursedir=coursedir, config=config).start()
        except NbGraderException as error:
            raise ReleaseError(f"{lesson}: {error}") from error

        made = [file for file in (course / "notebooks" / lesson).rglob("*") if file.is_file()]
        yield {root / file.relative_to(course): file for file in made}


def start_page(root: Path) -> tuple[Path, str]:
    """The page that learners open first, and the text it should have: ``solutions/index.py`` as a notebook, not run."""
    return root / "notebooks" / "index.ipynb", nbformat.writes(read_start_page(root)) + "\n"


def release_start_page(root: Path) -> None:
    """Rebuild the start page. It holds nothing that a learner could lose."""
    page, text = start_page(root)
    page.parent.mkdir(exist_ok=True)
    page.write_text(text, encoding="utf-8")


def stale_files(root: Path, lesson: str) -> list[Path]:
    """The generated files of a lesson that are missing or do not match its source."""
    stale = []
    for source, notebook in read_lesson(root, lesson).items():
        executed = source.with_suffix(".ipynb")
        if not executed.exists() or not matches(nbformat.read(executed, as_version=4), notebook):
            stale.append(executed)
    with learner_files(root, lesson) as files:
        return stale + [old for old, new in files.items() if not old.exists() or content(old) != content(new)]


def stale_lessons(root: Path) -> dict[str, list[Path]]:
    """Every lesson with generated files that do not match its source, and those files."""
    stale = {lesson: stale_files(root, lesson) for lesson in lessons(root)}
    return {lesson: files for lesson, files in stale.items() if files}


def matches(executed: NotebookNode, source: NotebookNode) -> bool:
    """Whether a notebook has the cells and metadata of a source and has been executed; outputs are not compared."""
    bare = nbformat.from_dict(executed)
    for cell in bare.cells:
        if cell.cell_type == "code":
            if cell.source and cell.execution_count is None:
                return False
            cell.outputs, cell.execution_count = [], None
    return bare.cells == source.cells and bare.metadata == source.metadata


def content(file: Path) -> bytes:
    """The bytes of a file, whatever line ends its checkout has."""
    return file.read_bytes().replace(b"\r\n", b"\n")


def worked_in(notebook: Path) -> bool:
    """Whether a learner has run cells of a notebook or changed an answer since it was released."""

    def touched(cell: NotebookNode) -> bool:
        answered = is_solution(cell) and cell.metadata.nbgrader.get("checksum") != compute_checksum(cell)
        return bool(answered or cell.get("outputs") or cell.get("execution_count"))

    return any(map(touched, nbformat.read(notebook, as_version=4).cells))


def release(root: Path, lesson: str, force: bool = False) -> None:
    """Rebuild the generated files of one lesson. Files that a learner added beside them stay.

    Raises ReleaseError, before anything is executed or written, if a learner has worked in a notebook that would be
    overwritten, unless ``force``; and if the solution fails.
    """
    with learner_files(root, lesson) as files:
        if not force:
            for notebook in files:
                if notebook.suffix == ".ipynb" and notebook.exists() and worked_in(notebook):
                    raise ReleaseError(
                        f"{notebook} has been worked in: move it away, or overwrite it with "
                        f"`attention-lab release --lesson {lesson} --force`"
                    )
        executed = {source.with_suffix(".ipynb"): execute(source) for source in sources(root, lesson)}
        for path, notebook in executed.items():
            nbformat.write(notebook, path)
        for old, new in files.items():
            old.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(new, old)
