"""A new release of a lesson comes into a notebook that was worked in: texts are new, what the learner wrote stays.

    answers                             stay
    cells that the learner has added    stay, below the lesson's cell that they followed
    what is no longer asked             goes; an answer that was written stays, with a line above that says so
    the lesson's cells, changed here    stay as they are; below the new one, if the release has changed them too
    everything else                     is the release's

The file of before is kept: notebooks/earlier/NN-name/name-1.ipynb.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import compute_checksum, is_solution

from ..classroom.archive import opened
from ..grading.items import CHECK, grading_of
from ..grading.reading import Unreadable, cells_of, source_of
from ..grading.repair import Release, restore
from .check import defined
from .release import learner_files, worked_in
from .source import ReleaseError, grade_id, read_lesson
from .submit import EARLIER, keep, write
from .untouched import digest, is_as_released, released_as

NOT_RELEASED = {EARLIER, "hand-in", "mine", "solutions", "submitted", "autograded", "feedback"}
START_PAGE = "index.ipynb"
NO_LONGER_ASKED = "*No longer asked: `{}`. What you wrote is below; it gives no points.*"


def of_course(root: Path, lesson: str) -> dict[str, bytes]:
    """The files of a lesson as the course at ``root`` releases it now, by their place among the lessons."""
    with learner_files(root, lesson, read_lesson(root, lesson)) as files:
        return {file.relative_to(root / "notebooks").as_posix(): new.read_bytes() for file, new in files.items()}


def of_kit(kit: Path) -> dict[str, dict[str, bytes]]:
    """The lessons of a kit, zipped or not, of a folder with lessons, or of one lesson's folder, each with its files.

    The start page is the lesson "".

    Raises: archive.Refused where it cannot be read, ReleaseError where somebody has worked in it.
    """
    files, _ = opened(kit)
    if kit.is_dir():
        files = [file._replace(path=(kit.absolute().name, *file.path)) for file in files]
    files = [file for file in files if not NOT_RELEASED & set(file.path)]
    lessons: dict[str, dict[str, bytes]] = {}
    for folder in {file.path[:-1] for file in files if is_lesson(file.path)}:
        inside = [file for file in files if file.path[: len(folder)] == folder]
        lessons[folder[-1]] = {"/".join(file.path[len(folder) - 1 :]): file.read() for file in inside}
        for file in files:
            if file.path == (*folder[:-1], START_PAGE):
                lessons[""] = {START_PAGE: file.read()}
    for name, content in (item for found in lessons.values() for item in found.items() if is_notebook(item[0])):
        try:
            theirs = worked_in(nbformat.reads(content.decode(), as_version=4))
        except Exception as error:
            raise ReleaseError(f"{name} of {kit} is no notebook") from error
        if theirs:
            raise ReleaseError(f"somebody has worked in {name} of {kit}: it is no release")
    return lessons


def is_notebook(name: str) -> bool:
    return name.endswith(".ipynb")


def is_lesson(path: tuple[str, ...]) -> bool:
    """Whether a file is a lesson's notebook: NN-name/name.ipynb."""
    return len(path) > 1 and path[-2][:2].isdecimal() and path[-1] == f"{path[-2][3:]}.ipynb"


def update(notebooks: Path, files: dict[str, bytes]) -> Iterator[str]:
    """Bring the files of a release into a learner's folder of lessons; what became of each, in a line or several."""
    for name, content in files.items():
        file = notebooks / name
        if not file.exists():
            if others := other_notebooks(file, {Path(name).name for name in files}):
                yield (
                    f"{name}: left out, since there is {', '.join(others)}: rename the one that is yours to {file.name}, "
                    "or move it to another folder, and call this again"
                )
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            write(file, content)
            yield f"{name}: new"
            continue
        before, notes = file.read_bytes(), []
        if is_notebook(name) and not (name == START_PAGE and has_no_digests(before)):
            try:
                notebook, notes = updated(nbformat.reads(content, as_version=4), before)
                content = before if same(before, notebook) else (nbformat.writes(notebook) + "\n").encode()
            except Unreadable as error:
                notes = [f"Your file could not be read: {error}. Nothing of it is in the new one."]
        if content == before:
            yield f"{name}: up to date"
            continue
        kept = keep(notebooks, file, before)
        write(file, content)
        yield "\n".join([f"{name}: updated; as it was: {kept}", *(f"- {note}" for note in notes)])


def other_notebooks(file: Path, released: set[str]) -> list[str]:
    """The notebooks in a lesson's folder that the release does not have: one may be the lesson's, under another name."""
    if not is_lesson(file.parts):
        return []
    return sorted(other.name for other in file.parent.glob("*.ipynb") if other.name not in released)


def has_no_digests(notebook: bytes) -> bool:
    """Whether a notebook was released before ordinary cells had digests: what was written there cannot be told apart."""
    try:
        return not any(map(released_as, cells_of(notebook)))
    except Unreadable:
        return False


def updated(released: NotebookNode, before: bytes) -> tuple[NotebookNode, list[str]]:
    """A release with what a learner wrote in an earlier one, and what there is to say of it.

    Raises: Unreadable.
    """
    release = Release.of_notebook(released)
    before, no_longer_asked = without_dropped(release, before)
    mended, notes = restore(release, before, outputs=True)
    notes += no_longer_asked
    marks = {source_of(cell): released_as(cell) for cell in cells_of(before)}
    was = [marks.get(cell.source, "") for cell in mended.cells]
    texts = {cell.source for cell in released.cells}
    places = matched(released, mended.cells, was)
    after: dict[int, list[NotebookNode]] = defaultdict(list)
    above = -1
    for number, cell in enumerate(mended.cells):
        changed = was[number] != as_released(cell) and cell.source.strip()
        if number not in places:
            if changed or cell.source in texts:  # a copy, which the learner has made
                after[above].append(cell)
            continue
        above = places[number]
        new = released.cells[above]
        if changed and cell.source != new.source and (is_solution(new) or was[number] == as_released(new)):
            new.source = cell.source
            if "attachments" in cell:
                new.attachments = cell.attachments
        elif changed and cell.source != new.source:
            after[above].append(cell)
            notes.append(
                f"The release has changed a cell; the one of before, with what you changed, is below: {first(cell)}"
            )
        if new.cell_type == cell.cell_type == "code" and new.source == cell.source:
            new.outputs, new.execution_count = cell.outputs, cell.execution_count

    present = set(places.values())
    own = [cell for added in after.values() for cell in added]
    there = defined(own + [released.cells[place] for place in present])
    cells = list(after[-1])
    for place, new in enumerate(released.cells):
        missing = is_solution(new) and place not in present
        elsewhere = missing and new.cell_type == "code" and defined([new]) <= there
        if missing and not elsewhere:
            notes.append(f"`{grade_id(new)}` was missing: its cell is back, for you to write in.")
        cells += ([] if elsewhere else [new]) + after[place]
    with_ids_of_their_own(own, {cell.id for cell in released.cells})
    released.cells = cells
    return released, notes


def without_dropped(release: Release, before: bytes) -> tuple[bytes, list[str]]:
    """A notebook without the graded cells that a release no longer has, and what of them stays, in a line each.

    An answer that was written stays, below a line of text, and so does what was added to a check. Both are ordinary cells.

    Raises: Unreadable.
    """
    cells, notes = [], []
    for cell in cells_of(before):
        name, source = grading_of(cell).get("grade_id"), source_of(cell)
        if not isinstance(name, str) or name in release.cells:
            cells.append(cell)
            continue
        if is_as_released(cell):
            continue
        if grading_of(cell).get("solution") is True:
            cells.append({"cell_type": "markdown", "source": NO_LONGER_ASKED.format(name)})
            notes.append(f"`{name}` is no longer asked: your answer stays, and gives no points.")
        else:
            source = "\n".join(line for line in source.split("\n") if not CHECK.match(line)).strip("\n")
        if source.strip():
            cells.append(cell | {"id": None, "metadata": {}, "source": source})
    return json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}).encode(), notes


def as_released(cell: NotebookNode) -> str:
    """What a cell would carry, had it been released as it is: nbgrader's checksum, or the digest of its text."""
    return compute_checksum(cell) if grade_id(cell) else digest(cell.source)


def with_ids_of_their_own(cells: list[NotebookNode], ids: set[str]) -> None:
    """Give cells that are called like one of the lesson's another id."""
    for cell in cells:
        if cell.id in ids:
            cell.id = next(id for id in (f"own-{number}" for number in itertools.count(1)) if id not in ids)
        ids.add(cell.id)


def matched(released: NotebookNode, cells: list[NotebookNode], was: list[str]) -> dict[int, int]:
    """Which cell of the release each of the lesson's cells is, by place: by name, by the text it had, else by id."""
    graded = {grade_id(new): place for place, new in enumerate(released.cells) if grade_id(new)}
    free = {place for place, new in enumerate(released.cells) if not grade_id(new)}
    places = {number: graded[grade_id(cell)] for number, cell in enumerate(cells) if grade_id(cell)}
    for by_text in (True, False):
        for number, cell in enumerate(cells):
            if number in places:
                continue
            for place in sorted(free, key=lambda place: (released.cells[place].id != cell.id, place)):
                new = released.cells[place]
                if digest(new.source) in (was[number], digest(cell.source)) if by_text else new.id == cell.id:
                    places[number] = place
                    free.remove(place)
                    break
    return places


def first(cell: NotebookNode) -> str:
    return cell.source.strip().partition("\n")[0][:60]


def same(before: bytes, notebook: NotebookNode) -> bool:
    """Whether a file already holds these cells."""
    try:
        there = nbformat.reads(before.decode(), as_version=4)
    except Exception:
        return False

    def told(cells: list[NotebookNode]) -> list[tuple]:
        return [(cell.id, cell.cell_type, cell.source, released_as(cell), grade_id(cell)) for cell in cells]

    return told(there.cells) == told(notebook.cells)
