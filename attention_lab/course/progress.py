"""How far a learner has come, read from the notebooks as they were last saved."""

import re
from pathlib import Path

from ..grading.exercises import LESSONS, TEXTS
from ..grading.reading import Unreadable, cells_of, source_of
from ..table import Table

CHECK = re.compile(r'^check\("([\w-]+)"', re.MULTILINE)


def progress(notebooks: Path) -> Table:
    """A row for each lesson that has a folder here: the points its checks gave when they were last run, and all there are.

    A learner's other files do not count; a lesson's that cannot be read is named. Texts count as soon as an instructor
    has read them, which no notebook shows.
    """
    caption, counts = ["Your points, as the notebooks were last saved."], {}
    for lesson, exercises in LESSONS.items():
        if not (notebooks / lesson).exists():  # not handed out yet
            continue
        notebook = notebooks / lesson / f"{lesson[3:]}.ipynb"
        try:
            passed = checks_passed(notebook.read_bytes())
        except (OSError, Unreadable) as error:
            passed = set()
            caption.append(f"Left out: {notebook.relative_to(notebooks)}: {getattr(error, 'strerror', None) or error}.")
        points = {f"{e.key}-{name}": check.points for e in exercises for name, check in e.checks.items()}
        earned = sum(points[id] for id in passed & points.keys())
        counts[lesson] = earned, sum(points.values()) + (TEXTS[lesson][1] if lesson in TEXTS else 0)
    counts["together"] = tuple(map(sum, zip((0, 0), *counts.values())))
    rows = [[name, str(earned), str(most), bar(earned / (most or 1))] for name, (earned, most) in counts.items()]
    return Table("\n".join(caption), ["lesson", "points", "of", ""], rows)


def checks_passed(file: bytes) -> set[str]:
    """The ids of the checks in a notebook's cells that were run and ended without an error."""
    passed = set()
    for cell in cells_of(file):
        if cell.get("cell_type") == "code" and cell.get("execution_count") and not failed(cell):
            passed |= set(CHECK.findall(source_of(cell)))
    return passed


def failed(cell: dict) -> bool:
    outputs = cell.get("outputs")
    return any(isinstance(output, dict) and output.get("output_type") == "error" for output in outputs or [])


def bar(share: float, length: int = 12) -> str:
    """A share between 0 and 1 as a bar of text."""
    full = int(share * length)
    return "█" * full + "░" * (length - full)
