"""How far a learner has come, read from the notebooks as they were last saved."""

import re
from pathlib import Path

from ..grading.exercises import LESSONS, TEXTS
from ..grading.reading import Unreadable, cells_of, source_of
from ..table import Table

CHECK = re.compile(r'^check\("([\w-]+)"', re.MULTILINE)


def progress(notebooks: Path) -> Table:
    """A row for each lesson that has a folder here: its exercises and points, by the checks as they were last run.

    Above them stands what is next. A learner's other files do not count; a lesson's that cannot be read is named. The
    points of a text, which only an instructor gives, have a column of their own: no notebook shows whether they are given.
    """
    caption, rows, next_one = [], [], ""
    for lesson, exercises in LESSONS.items():
        if not (notebooks / lesson).exists():  # not handed out yet
            continue
        notebook = notebooks / lesson / f"{lesson[3:]}.ipynb"
        try:
            passed = checks_passed(notebook.read_bytes())
        except (OSError, Unreadable) as error:
            passed = set()
            caption.append(f"Left out: {notebook.relative_to(notebooks)}: {getattr(error, 'strerror', None) or error}.")
        points, open_ids = {}, {}
        for exercise in exercises:
            checks = {f"{exercise.key}-{name}": check.points for name, check in exercise.checks.items()}
            points |= checks
            if checks.keys() - passed:
                open_ids[exercise.id] = None
        ids = {exercise.id for exercise in exercises}
        if open_ids and not next_one:
            next_one = f"{next(iter(open_ids))}, in {lesson}"
        earned = sum(points[id] for id in passed & points.keys())
        of_text = TEXTS[lesson][1] if lesson in TEXTS else 0
        rows.append((lesson, earned, sum(points.values()), of_text, len(ids) - len(open_ids), len(ids)))
    rows.append(("together", *(sum(column) for column in list(zip(*rows))[1:] or [()] * 5)))
    caption.insert(0, f"Next: {next_one}." if next_one else "Every check has passed." if len(rows) > 1 else "")
    caption.insert(0, "Your points, as the notebooks were last saved.")
    table = [
        [
            name,
            str(earned),
            str(most),
            bar(earned / (most or 1)),
            f"{done} of {all}",
            f"{text} for a text" if text else "",
        ]
        for name, earned, most, text, done, all in rows
    ]
    header = ["lesson", "points", "of", "", "exercises", "only your instructor gives"]
    return Table("\n".join(filter(None, caption)), header, table)


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
