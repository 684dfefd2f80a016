"""How far a learner has come, read from the notebooks as they were last saved."""

from pathlib import Path

from ..grading.exercises import LESSONS
from ..grading.items import CHECK, items_in
from ..grading.reading import Unreadable, cells_of, source_of
from ..table import Table


def progress(notebooks: Path) -> Table:
    """A row for each lesson that has a folder here: the points its tests gave when they were last run, and all there are.

    A learner's other files do not count; a lesson's that cannot be read is named. Texts count as soon as an instructor
    has read them, which no notebook shows.
    """
    caption, counts = ["Your points, as the notebooks were last saved."], {}
    for lesson in LESSONS:
        if not (notebooks / lesson).exists():  # not handed out yet
            continue
        notebook = notebooks / lesson / f"{lesson[3:]}.ipynb"
        try:
            cells = cells_of(notebook.read_bytes())
        except (OSError, Unreadable) as error:
            cells = []
            caption.append(f"Left out: {notebook.relative_to(notebooks)}: {getattr(error, 'strerror', None) or error}.")
        items = items_in(lesson, cells)
        passed = [source_of(cell) for cell in cells if cell.get("execution_count") and not failed(cell)]
        ids = {id for source in passed for id in CHECK.findall(source)}
        earned = sum(item.points for item in items if item.id in ids or (item.own and item.source in passed))
        counts[lesson] = earned, sum(item.points for item in items)
    counts["together"] = tuple(map(sum, zip((0, 0), *counts.values())))
    rows = [[name, f"{earned:g}", f"{most:g}", bar(earned / (most or 1))] for name, (earned, most) in counts.items()]
    return Table("\n".join(caption), ["lesson", "points", "of", ""], rows)


def failed(cell: dict) -> bool:
    outputs = cell.get("outputs")
    return any(isinstance(output, dict) and output.get("output_type") == "error" for output in outputs or [])


def bar(share: float, length: int = 12) -> str:
    """A share between 0 and 1 as a bar of text."""
    full = int(share * length)
    return "█" * full + "░" * (length - full)
