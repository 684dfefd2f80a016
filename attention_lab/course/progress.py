"""How far a learner has come, read from the notebooks as they were last saved."""

from collections.abc import Iterable
from pathlib import Path

from ..grading.exercises import LESSONS
from ..grading.items import CHECK, Item, items_in
from ..grading.reading import Unreadable, cells_of, source_of
from ..table import Table
from .places import instead


def progress(notebooks: Path) -> Table:
    """A row for each lesson that has a folder here: its exercises and points, by the tests as they were last run.

    Above them stands what is next. A learner's other files do not count; a lesson's that cannot be read is named. The
    points of a text, which only an instructor gives, have a column of their own: no notebook shows whether they are given.
    """
    caption, rows, next_one = [], [], ""
    for lesson in LESSONS:
        if not (notebooks / lesson).exists():  # not handed out yet
            continue
        notebook = notebooks / lesson / f"{lesson[3:]}.ipynb"
        try:
            cells = cells_of(notebook.read_bytes())
        except FileNotFoundError:
            cells = []
            caption.append(f"Left out: there is no {notebook.relative_to(notebooks)}; {instead(notebook)}.")
        except (OSError, Unreadable) as error:
            cells = []
            caption.append(f"Left out: {notebook.relative_to(notebooks)}: {getattr(error, 'strerror', None) or error}.")
        items = items_in(lesson, cells)
        passed = passed_tests(cells)
        tests = [item for item in items if item.points and not item.read]
        open_ids = dict.fromkeys(item.exercise for item in tests if not is_passed(item, passed))
        if open_ids and not next_one:
            next_one = f"{next(iter(open_ids))}, in {lesson}"
        earned = sum(item.points for item in tests if is_passed(item, passed))
        exercises = len({item.exercise for item in tests})
        of_texts = sum(item.points for item in items if item.read)
        most = sum(item.points for item in tests)
        rows.append((lesson, earned, most, of_texts, exercises - len(open_ids), exercises))
    rows.append(("together", *(sum(column) for column in list(zip(*rows))[1:] or [()] * 5)))
    caption.insert(0, f"Next: {next_one}." if next_one else "Every check has passed." if len(rows) > 1 else "")
    caption.insert(0, "Your points, as the notebooks were last saved.")
    table = [
        [
            name,
            f"{earned:g}",
            f"{most:g}",
            bar(earned / (most or 1)),
            f"{done} of {all}",
            f"{text:g} for a text" if text else "",
        ]
        for name, earned, most, text, done, all in rows
    ]
    header = ["lesson", "points", "of", "", "exercises", "only your instructor gives"]
    return Table("\n".join(filter(None, caption)), header, table)


def passed_tests(cells: Iterable[dict]) -> set[str]:
    """The ids of the checks that were run and ended without an error, and the source of every such cell."""
    sources = {source_of(cell) for cell in cells if cell.get("execution_count") and not failed(cell)}
    return sources | {id for source in sources for id in CHECK.findall(source)}


def is_passed(item: Item, passed: set[str]) -> bool:
    return (item.source if item.own else item.id) in passed


def failed(cell: dict) -> bool:
    outputs = cell.get("outputs")
    return any(isinstance(output, dict) and output.get("output_type") == "error" for output in outputs or [])


def bar(share: float, length: int = 12) -> str:
    """A share between 0 and 1 as a bar of text."""
    full = int(share * length)
    return "█" * full + "░" * (length - full)
