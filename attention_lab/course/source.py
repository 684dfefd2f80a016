"""Read a lesson's source, ``solutions/NN-name/name.py``: jupytext py:percent, in which the exercises leave their mark.

What ``grading/exercises`` knows is not written again. A source says where it goes:

    # %% exercise="squeeze"               the solution cell of an exercise; the same after [markdown]: its free text,
                                          with the rubric, a table "| points | for |", and the model answer
    # %%
    check("squeeze-values", squeeze)      first line of a cell: the test cell of that check, for the check's points

    <!-- hints: squeeze -->               in text: the exercise's three hints, folded
    <!-- points: squeeze --> points       the number of its points; after a 1, the word is "point"
    <!-- points -->                       those of the whole notebook

On the start page, ``solutions/index.py``, `<!-- points: 02-squeeze-excitation -->` are the points of a lesson. A cell
may have nbgrader's own metadata in its header instead; its points count like all others. What a source has no cells for
is not asked: its points count nowhere.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from ..grading.exercises import HINTS, LESSONS, TEXTS
from ..grading.notebook import find
from ..grading.rubric import rubric

NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CHECK = re.compile(r'check\("([^"]*)"')
MARK = re.compile(r"<!--(.*?)-->(\s+points\b)?", re.DOTALL)

DIAGRAM = "```mermaid\n"
LEGIBLE = '%%{init: {"themeVariables": {"lineColor": "#888888", "arrowheadColor": "#888888"}}}%%\n'
"""Arrows that are seen in a light and in a dark theme: JupyterLab does not draw a diagram again when the theme changes."""


class ReleaseError(Exception):
    """A lesson cannot be released; the message names the file and the reason."""


def lessons(root: Path) -> list[str]:
    """The names of the lessons that have a source, in order."""
    return sorted({source.parent.name for source in (root / "solutions").glob("[0-9]*/*.py")})


def sources(root: Path, lesson: str) -> list[Path]:
    """The sources of a lesson: one, or several where a lesson has several notebooks."""
    return sorted((root / "solutions" / lesson).glob("*.py"))


def read_lesson(root: Path, lesson: str) -> dict[Path, NotebookNode]:
    """The notebooks of a lesson, not executed, by their sources. Raises ReleaseError as ``read_source`` does."""
    return {source: read_source(source) for source in sources(root, lesson)}


def not_asked(lesson: str, notebooks: Iterable[NotebookNode]) -> list[str]:
    """The exercises of the course, and of those that are asked the checks, that a lesson's notebooks have no cell for."""
    written = {grade_id(cell) for notebook in notebooks for cell in notebook.cells}
    dropped = [
        id for id in (*dict.fromkeys(e.id for e in LESSONS.get(lesson, ())), *texts(lesson)) if id not in written
    ]
    kept = [e for e in LESSONS.get(lesson, ()) if e.id not in dropped]
    return dropped + [id for e in kept for name in e.checks if (id := f"{e.key}-{name}") not in written]


def read_source(source: Path) -> NotebookNode:
    """The notebook that a source describes, not executed.

    Cell ids are the same at every reading: a graded cell's is its ``grade_id``, any other's is the one of the graded
    cell above it (before the first: the lesson) and its place after that, so that a new cell renames few others.

    Raises ReleaseError, which names the source and the id or mark, for one that does not belong to the lesson, is met
    twice, or stands in the wrong place.
    """
    lesson = source.parent.name
    notebook = parsed(source)
    with named(source):
        add_grading(notebook, lesson)
        hold_rubrics(notebook)
        fill_in(notebook, points_of(notebook), exercises(lesson))
    name_cells(notebook, lesson)
    return notebook


def read_start_page(root: Path) -> NotebookNode:
    """The page that learners open first, not executed. Raises ReleaseError as ``read_lesson`` does."""
    source = root / "solutions" / "index.py"
    notebook = parsed(source)
    points = Counter()
    for lesson in lessons(root):
        points[lesson] = sum(points_of(part).total() for part in read_lesson(root, lesson).values())
    with named(source):
        fill_in(notebook, points, hints=set())
    name_cells(notebook, source.parent.name)
    return notebook


def parsed(source: Path) -> NotebookNode:
    """The notebook as jupytext reads it, with this course's metadata."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    for cell in notebook.cells:
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's note on blank lines
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace(DIAGRAM, DIAGRAM + LEGIBLE)
    return notebook


@contextmanager
def named(source: Path) -> Iterator[None]:
    """A ValueError inside becomes a ReleaseError that names the source."""
    try:
        yield
    except ValueError as error:
        raise ReleaseError(f"{source}: {error}") from error


def exercises(lesson: str) -> set[str]:
    """The ids of a lesson's exercises that are answered in code."""
    return {exercise.id for exercise in LESSONS.get(lesson, ())}


def texts(lesson: str) -> dict[str, int]:
    """The points of a lesson's exercises that are answered in words, by id."""
    return dict([TEXTS[lesson]]) if lesson in TEXTS else {}


def grade_id(cell: NotebookNode) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def add_grading(notebook: NotebookNode, lesson: str) -> None:
    """Give solution and test cells the metadata that nbgrader knows them by.

    Raises ValueError for an id that is not the lesson's, a second cell of an id, or a test cell that does not follow
    its solution cell.
    """
    known = {"code": dict.fromkeys(exercises(lesson)), "markdown": texts(lesson)}
    answered, met = None, set()
    for cell in notebook.cells:
        if "exercise" in cell.metadata:
            id = cell.metadata.pop("exercise")
            if id not in known.get(cell.cell_type, {}):
                raise ValueError(f"{lesson} has no exercise {id!r} that is answered in a {cell.cell_type} cell")
            cell.metadata.nbgrader = grading(id, solution=True, points=known[cell.cell_type][id])
        elif "nbgrader" not in cell.metadata and cell.cell_type == "code" and (asked := CHECK.match(cell.source)):
            exercise, name = find(asked[1])
            if exercise.id not in known["code"]:
                raise ValueError(f"check {asked[1]!r} does not belong to {lesson}")
            if exercise.id != answered:
                raise ValueError(f"check {asked[1]!r} does not follow the solution cell of {exercise.id!r}")
            cell.metadata.nbgrader = grading(asked[1], solution=False, points=exercise.checks[name].points)
        if grade_id(cell) in met:
            raise ValueError(f"two cells are called {grade_id(cell)!r}")
        if grade_id(cell):
            met.add(grade_id(cell))
        if is_solution(cell):
            answered = grade_id(cell)


def hold_rubrics(notebook: NotebookNode) -> None:
    """Raise ValueError for a free text whose rubric, or the one that its question shows, gives other points than it has."""
    question = None
    for cell in notebook.cells:
        if is_grade(cell) and is_solution(cell):
            id, points = grade_id(cell), cell.metadata.nbgrader.points
            for text in filter(None, (question, cell)):
                lines = rubric(text.source)
                if lines and (given := sum(line.points for line in lines)) != points:
                    raise ValueError(f"the rubric of {id!r} gives {given:g} points, and the question has {points:g}")
        question = cell


def grading(id: str, *, solution: bool, points: int | None) -> NotebookNode:
    """nbgrader's metadata of a solution cell, of a free text (with points), or of a test cell."""
    graded = {} if points is None else {"points": points}
    flags = {"grade": points is not None, "solution": solution, "locked": not solution, "task": False}
    return nbformat.from_dict({"grade_id": id, "schema_version": 3} | flags | graded)


def points_of(notebook: NotebookNode) -> Counter[str]:
    """The points of each solution cell by its id: its own, if it is a text, and those of the test cells below it."""
    points, answered = Counter(), ""
    for cell in notebook.cells:
        if is_solution(cell):
            answered = grade_id(cell)
        if is_grade(cell):
            points[answered] += cell.metadata.nbgrader.points
    return points


def fill_in(notebook: NotebookNode, points: Counter[str], hints: set[str]) -> None:
    """Put in place of every mark what it stands for. Raises ValueError for a mark that stands for nothing.

    Args:
        points: by what a mark may ask for: exercises, or lessons.
        hints: the exercises whose hints a mark may ask for.
    """

    def text(mark: re.Match) -> str:
        word = mark[2] or ""
        match mark[1].split():
            case ["hints:", id] if id in hints:
                return folded(HINTS[id]) + word
            case ["points:", id] if id in points:
                number = points[id]
            case ["points"]:
                number = points.total()
            case _:
                raise ValueError(f"{mark[0].removesuffix(word)} stands for nothing here")
        return f"{number:g}{word.removesuffix('s') if number == 1 else word}"

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = MARK.sub(text, cell.source)


def folded(hints: tuple[str, ...]) -> str:
    return "\n\n".join(
        f"<details><summary>Hint {number}</summary>\n\n{text}\n\n</details>" for number, text in enumerate(hints, 1)
    )


def name_cells(notebook: NotebookNode, section: str) -> None:
    """Give every cell an id: its ``grade_id``, or that of the graded cell above it (or ``section``) and its place."""
    place = 0
    for cell in notebook.cells:
        if grade_id(cell):
            cell.id = section = grade_id(cell)
            place = 0
        else:
            place += 1
            cell.id = f"{section}_{place}"
