"""How far a learner has come, read from the notebooks as they were last saved."""

from collections import Counter
from pathlib import Path

import nbformat
from nbgrader.utils import determine_grade, is_grade

from ..table import Table


def progress(notebooks: Path) -> Table:
    """A row for each lesson: the points its checks gave when they were last run, and all there are.

    Texts count as soon as an instructor has read them, which no notebook shows.
    """
    rows, earned, reachable = [], Counter(), Counter()
    for path in sorted(notebooks.glob("[0-9]*/*.ipynb")):
        lesson = path.parent.name
        for cell in filter(is_grade, nbformat.read(path, as_version=4).cells):
            run = cell.cell_type == "code" and cell.execution_count
            score = determine_grade(cell)[0] if run else None
            earned[lesson] += score or 0
            reachable[lesson] += cell.metadata.nbgrader.points
        rows.append([lesson, f"{earned[lesson]:g}", f"{reachable[lesson]:g}", bar(earned[lesson] / reachable[lesson])])
    rows.append(["together", f"{earned.total():g}", f"{reachable.total():g}", bar(earned.total() / reachable.total())])
    return Table("Your points, as the notebooks were last saved.", ["lesson", "points", "of", ""], rows)


def bar(share: float, length: int = 12) -> str:
    """A share between 0 and 1 as a bar of text."""
    full = int(share * length)
    return "█" * full + "░" * (length - full)
