"""Put the cells of a submission that are the lesson's right, by a release of the lesson.

The lesson's metadata stand in the release, so a submission's own are asked one thing: which of its cells is which of the
lesson's. All others are ordinary cells, whatever nbgrader metadata they carry.
"""

import itertools
import json
from typing import Any, NamedTuple

from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_notebook
from nbgrader.api import Notebook

from .reading import cells_of, metadata_of, plain, source_of


class Own(NamedTuple):
    """A cell that is the lesson's: graded, an answer, or read only.

    kind: code or markdown.
    mark: its nbgrader metadata.
    """

    kind: str
    source: str
    mark: dict[str, Any]

    @property
    def locked(self) -> bool:
        return self.mark["locked"]

    @property
    def needed(self) -> bool:
        """Whether it is put back where it is missing."""
        return self.mark["grade"] or self.mark["task"] or self.locked


class Release(NamedTuple):
    """A lesson as it was handed out: its own cells by their names, in order, and its kernel."""

    cells: dict[str, Own]
    kernel: dict[str, Any] | None = None

    @classmethod
    def of_gradebook(cls, lesson: Notebook) -> "Release":
        """As the gradebook has it, with the tests that learners do not see."""
        points = {cell.name: cell.max_score for cell in (*lesson.grade_cells, *lesson.task_cells)}
        grades, solutions, tasks = (
            {cell.name for cell in cells} for cells in (lesson.grade_cells, lesson.solution_cells, lesson.task_cells)
        )
        cells = {}
        for cell in lesson.source_cells:
            kind = {"grade": cell.name in grades, "solution": cell.name in solutions, "task": cell.name in tasks}
            mark = {"schema_version": 3, "grade_id": cell.name, "cell_type": cell.cell_type, "locked": cell.locked}
            mark |= kind | ({"points": points[cell.name]} if cell.name in points else {})
            if cell.checksum:
                mark["checksum"] = cell.checksum
            cells[cell.name] = Own(cell.cell_type, cell.source, mark)
        return cls(cells, json.loads(lesson.kernelspec or "null"))

    @classmethod
    def of_notebook(cls, released: NotebookNode) -> "Release":
        """As learners got it."""
        own = (cell for cell in released.cells if "nbgrader" in cell.metadata)
        cells = {
            cell.metadata.nbgrader.grade_id: Own(cell.cell_type, cell.source, dict(cell.metadata.nbgrader))
            for cell in own
        }
        return cls(cells, released.metadata.get("kernelspec"))


def restore(release: Release, submission: bytes, outputs: bool = False) -> tuple[NotebookNode, list[str]]:
    """A notebook that can be graded, of a file that was handed in, and what had to be put right.

    Nothing that a learner wrote is lost: a pasted copy of one of the lesson's cells, or what was added to a test, is an
    ordinary cell. What gives points or is read only and is not there is put back before the lesson's next cell.

    outputs: whether those that were handed in are kept.

    Raises: Unreadable.
    """
    given = cells_of(submission)
    names = names_of(given, {name: own.source if own.locked else None for name, own in release.cells.items()})
    cells, found, notes = [], {}, []
    for place, handed_in in enumerate(given):
        if place not in names:
            cells.append(plain(handed_in, outputs))
            continue
        name, own = names[place], release.cells[names[place]]
        cell, kind = plain(handed_in | {"cell_type": own.kind}, outputs), plain(handed_in).cell_type
        if kind != own.kind:
            notes.append(f"`{name}` had become a {kind} cell.")
        if own.locked and set(cell.source.split("\n")) - set(own.source.split("\n")):
            notes.append(f"`{name}` had been changed: what was written there stands in a cell of its own before it.")
            cells.append(plain(handed_in | {"id": None}, outputs))
        found[name] = marked(cell, own.source if own.locked else cell.source, own.mark)
        cells.append(found[name])

    place, missing = len(cells), []
    for name, own in reversed(release.cells.items()):
        if name in found:
            place = cells.index(found[name])
        elif own.needed:
            missing.insert(0, f"`{name}` was missing and has been put back.")
            cells.insert(place, marked(plain({"cell_type": own.kind, "id": name}), own.source, own.mark))

    ids = {""}
    for place, cell in enumerate(cells):
        if cell.id in ids:
            cell.id = next(id for id in (f"cell-{number}" for number in itertools.count(place)) if id not in ids)
        ids.add(cell.id)
    return new_notebook(cells=cells, metadata={"kernelspec": release.kernel} if release.kernel else {}), notes + missing


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
