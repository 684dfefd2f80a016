"""Before handing in: what of a lesson's notebook is unanswered or does not run, and what grading puts right."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from IPython.core.inputtransformer2 import TransformerManager

from ..grading.exercises import LESSONS, TEXTS
from ..grading.items import items_in
from ..grading.reading import cells_of, metadata_of, source_of
from ..grading.repair import Own, Release, names_of, restore
from ..table import Table
from .progress import is_passed, passed_tests
from .source import grading

CHECK = re.compile(r'^check\("([\w-]+)", (\w+)', re.MULTILINE)
TO_WRITE = "YOUR ANSWER HERE"


class Preflight(NamedTuple):
    """What was found in a notebook.

    answers: a row for each exercise: its answer, and the points of its checks as they were last saved.
    to_do: what the learner has yet to do, in a sentence each.
    put_right: what grading will have to put right, as it will say then.
    remarks: other cells that do not run; they cost no point by themselves.
    """

    answers: Table
    to_do: list[str]
    put_right: list[str]
    remarks: list[str]


def preflight(lesson: str, file: bytes) -> Preflight:
    """Look at a notebook of a lesson without running it.

    Raises: Unreadable.
    """
    cells = cells_of(file)
    items, passed = items_in(lesson, cells), passed_tests(cells)
    asked = names_asked(lesson, cells)
    release = release_of(lesson, asked)
    places = {name: place for place, name in names_of(cells, texts_of(release)).items()}
    everywhere = defined(cells)
    rows, to_do = [], []
    for id in dict.fromkeys(exercise.id for exercise in LESSONS[lesson]):
        parts = [exercise for exercise in LESSONS[lesson] if exercise.id == id]
        names = [asked[part.key] for part in parts if part.key in asked]
        state, what_to_do = of_code(id, names, cells[places[id]] if id in places else None, everywhere)
        mine = [item for item in items if item.exercise == id]
        if not mine and id not in places:
            rows.append([id, "not in this notebook", "", ""])
            for part in parts:
                for name in (id, *(f"{part.key}-{check}" for check in part.checks)):
                    release.cells.pop(name, None)
            continue
        most = sum(item.points for item in mine)
        if mine and not most:
            state, what_to_do = "does not count", []
        to_do += what_to_do
        earned = sum(item.points for item in mine if is_passed(item, passed))
        rows.append([id, state, f"{earned:g}", f"{most:g}"])
    if lesson in TEXTS:
        id, most = TEXTS[lesson]
        state, what_to_do = of_text(id, cells[places[id]] if id in places else None)
        to_do += what_to_do
        rows.append([id, state, "read by your instructor", str(most)])
    answers = Table("Your answers, with the points of your last run.", ["exercise", "answer", "points", "of"], rows)
    return Preflight(answers, to_do, restore(release, file)[1], list(others(cells, set(places.values()))))


def names_asked(lesson: str, cells: list[dict[str, Any]]) -> dict[str, str]:
    """By exercise, what its checks are given, as most of them say; an exercise without any check left is missing."""
    given: dict[str, Counter[str]] = defaultdict(Counter)
    for id, name in (found for cell in cells for found in CHECK.findall(source_of(cell))):
        for exercise in LESSONS[lesson]:
            if id.removeprefix(f"{exercise.key}-") in exercise.checks:
                given[exercise.key][name] += 1
    return {key: names.most_common(1)[0][0] for key, names in given.items()}


def release_of(lesson: str, asked: dict[str, str]) -> Release:
    """The lesson's graded cells, as far as the package knows them: no learner has a copy of what was handed out."""
    cells = {}
    for exercise in LESSONS[lesson]:
        cells[exercise.id] = Own("code", "", dict(grading(exercise.id, solution=True, points=None)))
        for name, check in exercise.checks.items():
            id = f"{exercise.key}-{name}"
            source = f'check("{id}", {asked.get(exercise.key, "...")})'
            cells[id] = Own("code", source, dict(grading(id, solution=False, points=check.points)))
    if lesson in TEXTS:
        id, points = TEXTS[lesson]
        cells[id] = Own("markdown", "", dict(grading(id, solution=True, points=points)))
    return Release(cells)


def texts_of(release: Release) -> dict[str, str | None]:
    return {name: own.source if own.locked else None for name, own in release.cells.items()}


def of_code(id: str, names: list[str], cell: dict[str, Any] | None, everywhere: set[str]) -> tuple[str, list[str]]:
    """In what state an answer in code is, and what is to be done about it."""
    missing = [name for name in names if name not in everywhere]
    if cell is None:
        if names and not missing:
            return "in a cell of its own", []
        what = " and ".join(missing) or "its answer"
        return "missing", [f"{id}: the cell of your answer is gone, and no other cell defines {what}."]
    source = source_of(cell)
    if not source.strip():
        return ("in a cell of its own", []) if names and not missing else ("empty", [f"{id}: the cell is empty."])
    tree = parsed(source)
    if isinstance(tree, SyntaxError):
        return "does not run", [f"{id}: {told(tree)}."]
    if stubs := sum(map(is_stub, ast.walk(tree))):
        places = "one place still says" if stubs == 1 else f"{stubs} places still say"
        return "not finished", [f"{id}: {places} `raise NotImplementedError()`."]
    if missing:
        return "not finished", [f"{id}: no cell defines {' or '.join(missing)}, which its checks ask for."]
    return "written", []


def of_text(id: str, cell: dict[str, Any] | None) -> tuple[str, list[str]]:
    """In what state an answer in words is, and what is to be done about it."""
    if cell is None:
        return "missing", [f"{id}: the cell of your text is gone; write it in a new text cell at its place."]
    if source_of(cell).strip() in ("", TO_WRITE):
        return "not written", [f"{id}: there is no text yet."]
    return "written", []


def others(cells: list[dict[str, Any]], own: set[int]) -> Iterator[str]:
    """What does not run of the cells that are no answers."""
    for place, cell in enumerate(cells):
        if place not in own and cell.get("cell_type") == "code" and "demo" not in (metadata_of(cell).get("tags") or ()):
            if isinstance(error := parsed(source_of(cell)), SyntaxError):
                first = source_of(cell).strip().partition("\n")[0]
                yield f"The cell that begins with `{first[:60]}`: {told(error)}."


def parsed(source: str) -> ast.Module | SyntaxError:
    """A code cell as Python reads it, magics and all; the error where it cannot."""
    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError as error:
        return error
    except ValueError as error:  # a null byte
        return SyntaxError(str(error))


def told(error: SyntaxError) -> str:
    return f"{type(error).__name__}{f' in line {error.lineno}' if error.lineno else ''}: {error.msg}"


def is_stub(node: ast.AST) -> bool:
    raised = node.exc if isinstance(node, ast.Raise) else None
    raised = raised.func if isinstance(raised, ast.Call) else raised
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def defined(cells: list[dict[str, Any]]) -> set[str]:
    """The names that the notebook's code cells give to something."""
    trees = [parsed(source_of(cell)) for cell in cells if cell.get("cell_type") == "code"]
    nodes = [node for tree in trees if isinstance(tree, ast.Module) for node in ast.walk(tree)]
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names | {
        a.asname or a.name for node in nodes if isinstance(node, ast.ImportFrom | ast.Import) for a in node.names
    }
