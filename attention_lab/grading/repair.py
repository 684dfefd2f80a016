"""Put the graded cells of a submission right, by what the gradebook knows of its lesson.

The lesson's metadata stand in the gradebook, so a submission's own are asked one thing: which of its cells is which
graded cell of the lesson. All others are ordinary cells, whatever nbgrader metadata they carry.
"""

import itertools
import json
from typing import Any

from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_notebook
from nbgrader.api import Notebook

from .reading import cells_of, metadata_of, plain, source_of


def repaired(file: bytes, lesson: Notebook, outputs: bool = False) -> tuple[NotebookNode, list[str]]:
    """The submission as nbgrader can grade it, and what had to be put right.

    Nothing that a learner wrote is lost: a pasted copy of a graded cell, or what was added to a test, is an ordinary
    cell. What nbgrader gives points for and is not there is put back before the lesson's next graded cell.

    outputs: whether those that were handed in are kept.

    Raises: Unreadable.
    """
    sources, marks, given = {cell.name: cell for cell in lesson.source_cells}, marks_of(lesson), cells_of(file)
    names = names_of(given, {name: cell.source if cell.locked else None for name, cell in sources.items()})
    cells, found, notes = [], {}, []
    for place, handed_in in enumerate(given):
        if place not in names:
            cells.append(plain(handed_in, outputs))
            continue
        name, own = names[place], sources[names[place]]
        cell, kind = plain(handed_in | {"cell_type": own.cell_type}, outputs), plain(handed_in).cell_type
        if kind != own.cell_type:
            notes.append(f"`{name}` had become a {kind} cell.")
        if own.locked and set(cell.source.split("\n")) - set(own.source.split("\n")):
            notes.append(f"`{name}` had been changed: what was written there stands in a cell of its own before it.")
            cells.append(plain(handed_in | {"id": None}, outputs))
        found[name] = marked(cell, own.source if own.locked else cell.source, marks[name])
        cells.append(found[name])

    place, missing = len(cells), []
    for name in reversed(marks):
        if name in found:
            place = cells.index(found[name])
        elif marks[name]["grade"] or marks[name]["task"] or marks[name]["locked"]:
            missing.insert(0, f"`{name}` was missing and has been put back.")
            own = sources[name]
            cells.insert(place, marked(plain({"cell_type": own.cell_type, "id": name}), own.source, marks[name]))

    ids = {""}
    for place, cell in enumerate(cells):
        if cell.id in ids:
            cell.id = next(id for id in (f"cell-{number}" for number in itertools.count(place)) if id not in ids)
        ids.add(cell.id)
    kernel = json.loads(lesson.kernelspec or "null")
    return new_notebook(cells=cells, metadata={"kernelspec": kernel} if kernel else {}), notes + missing


def marks_of(lesson: Notebook) -> dict[str, dict[str, Any]]:
    """The nbgrader metadata of every graded, solution and read-only cell of the lesson, in its order."""
    points = {cell.name: cell.max_score for cell in (*lesson.grade_cells, *lesson.task_cells)}
    grades, solutions, tasks = (
        {cell.name for cell in cells} for cells in (lesson.grade_cells, lesson.solution_cells, lesson.task_cells)
    )
    marks = {}
    for cell in lesson.source_cells:
        kind = {"grade": cell.name in grades, "solution": cell.name in solutions, "task": cell.name in tasks}
        mark = {"schema_version": 3, "grade_id": cell.name, "cell_type": cell.cell_type, "locked": cell.locked} | kind
        marks[cell.name] = mark | ({"points": points[cell.name]} if cell.name in points else {})
        if cell.checksum:
            marks[cell.name]["checksum"] = cell.checksum
    return marks


def names_of(cells: list[dict[str, Any]], texts: dict[str, str | None]) -> dict[int, str]:
    """Which of the cells is which of the lesson, by place.

    Of several that could be, the first whose metadata and id both say so, else whose metadata, else whose id, else
    whose text: an editor may have lost some, and a pasted copy has an id of its own.

    texts: the lesson's cells with their text, None where it is the learner's to write.
    """
    by_text = {text: name for name, text in texts.items() if text is not None}
    claims = []
    for cell in cells:
        mark = metadata_of(cell).get("nbgrader")
        named, id = mark.get("grade_id") if isinstance(mark, dict) else None, cell.get("id")
        claims.append((named if named == id else None, named, id, by_text.get(source_of(cell))))
    names: dict[int, str] = {}
    for claimed in zip(*claims):
        for place, name in enumerate(claimed):
            if isinstance(name, str) and name in texts and place not in names and name not in names.values():
                names[place] = name
    return names


def marked(cell: NotebookNode, source: str, mark: dict[str, Any]) -> NotebookNode:
    """The cell as that one of the lesson; its tags are gone, so that a submission cannot choose how it is executed."""
    cell.source, cell.metadata = source, from_dict({"nbgrader": mark})
    return cell
