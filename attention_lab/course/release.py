"""Release a lesson: execute its source for instructors, and let nbgrader take the solutions out for learners.

    solutions/index.py            the start page -> notebooks/index.ipynb
    solutions/NN-name/name.py     a lesson's only source
      -> solutions/NN-name/name.ipynb   executed, with outputs
      -> notebooks/NN-name/name.ipynb   what learners get: stubs, no outputs

No database is touched: an instructor's gradebook stays as it is.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import compute_checksum, is_solution
from traitlets.config import PyFileConfigLoader

from .execute import content, execute, outputs_hold, ran_the_code_of, up_to_date, with_outputs_of
from .source import ReleaseError, not_asked, read_lesson, read_start_page
from .untouched import mark


@contextmanager
def learner_files(root: Path, lesson: str, notebooks: dict[Path, NotebookNode]) -> Iterator[dict[Path, Path]]:
    """What nbgrader makes of a lesson for learners, as {file of the course: its new version in a temporary folder}."""
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder)
        solutions = course / "solutions" / lesson
        shutil.copytree(root / "solutions" / lesson, solutions, ignore=shutil.ignore_patterns("*.ipynb"))
        for source, notebook in notebooks.items():
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
    notebook = read_start_page(root)
    for cell in notebook.cells:
        mark(cell)
    return root / "notebooks" / "index.ipynb", nbformat.writes(notebook) + "\n"


def release_start_page(root: Path) -> None:
    """Rebuild the start page. It holds nothing that a learner could lose."""
    page, text = start_page(root)
    page.parent.mkdir(exist_ok=True)
    page.write_text(text, encoding="utf-8")


def stale_files(root: Path, lesson: str) -> list[Path]:
    """The generated files of a lesson that are missing, or do not match its source or the package that they show."""
    notebooks = read_lesson(root, lesson)
    outdated = []
    for source, notebook in notebooks.items():
        executed = source.with_suffix(".ipynb")
        if not executed.exists() or not up_to_date(nbformat.read(executed, as_version=4), notebook):
            outdated.append(executed)
    with learner_files(root, lesson, notebooks) as files:
        return outdated + [old for old, new in files.items() if not old.exists() or content(old) != content(new)]


def stale(root: Path, chosen: Iterable[str]) -> list[Path]:
    """The generated files of some lessons that are not up to date; the start page among them."""
    page, text = start_page(root)
    outdated = [file for lesson in chosen for file in stale_files(root, lesson)]
    return outdated if page.exists() and page.read_text(encoding="utf-8") == text else [*outdated, page]


def worked_in(notebook: NotebookNode) -> bool:
    """Whether a learner has run cells of a notebook or changed an answer since it was released."""

    def touched(cell: NotebookNode) -> bool:
        answered = is_solution(cell) and cell.metadata.nbgrader.get("checksum") != compute_checksum(cell)
        return bool(answered or cell.get("outputs") or cell.get("execution_count"))

    return any(map(touched, notebook.cells))


def release(
    root: Path,
    lesson: str,
    force: bool = False,
    keep_outputs: bool = False,
    tell: Callable[[str], None] = lambda line: None,
    done: Callable[[int, int], None] = lambda done, all: None,
) -> None:
    """Rebuild the generated files of one lesson. Files that a learner added beside them stay.

    A notebook whose outputs still hold is not executed again, unless ``force``; with ``keep_outputs``, they hold as long
    as its code is the same, whatever has changed in the package. While one is executed, ``done`` is told how many of its cells
    have been run.

    Raises ReleaseError, before anything is executed or written, if a learner has worked in a notebook that would be
    overwritten, unless ``force``; and if the solution fails.
    """
    notebooks = read_lesson(root, lesson)
    with learner_files(root, lesson, notebooks) as files:
        if not force:
            for notebook in files:
                if notebook.suffix == ".ipynb" and notebook.exists() and worked_in(nbformat.read(notebook, 4)):
                    raise ReleaseError(
                        f"{notebook} has been worked in: move it away, or overwrite it with "
                        f"`attention-lab release --lesson {lesson} --force`"
                    )
        hold = ran_the_code_of if keep_outputs else outputs_hold
        executed = {}
        for source, notebook in notebooks.items():
            path = source.with_suffix(".ipynb")
            before = nbformat.read(path, as_version=4) if path.exists() and not force else None
            if before and hold(before, notebook):
                executed[path] = with_outputs_of(before, notebook)
            else:
                tell(f"{lesson}: executing ...")
                executed[path] = execute(source, notebook, done)
        for path, notebook in executed.items():
            nbformat.write(notebook, path)
        for old, new in files.items():
            old.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(new, old)
        left_out = ", ".join(not_asked(lesson, notebooks.values()))
        tell(f"{lesson}: released" + (f", without {left_out}" if left_out else ""))
