"""Report -> what a learner reads: a compact table in Jupyter, plain text elsewhere, one short error on failure.

And the same as data, for programs.
"""

from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .judge import Report

WIDTH = 80
DATA = "attention_lab"
"""Under this name the metadata of a graded notebook hold what programs read, such as the feedback page."""
EARLIER, FOLLOW_THROUGH = "earlier-answer", "follow-through"
"""The ids of what is said of an answer that calls wrong earlier answers, and of one that is right for them."""


def headline(report: "Report") -> str:
    """The verdict in one line that is complete in itself."""
    if report.passed:
        return f"{report.id}: all is well, {points(report)}."
    first = next(row for row in report.rows if not row.passed)
    if first.problem:
        return f"{report.id}: {first.got}"
    return f"{report.id}: {first.name}: got {first.got}, expected {first.expected}."


def advice(report: "Report") -> list[str]:
    """What the failure looks like, and the question that leads on."""
    if report.passed or report.misconception is None:
        return []
    told = report.misconception
    lines = [f"This looks like: {told.name}.", f"Ask yourself: {told.question}"]
    return [*lines, f"Compare: {told.equation}"] if told.equation else lines


def data(report: "Report") -> dict[str, Any]:
    """The verdict as data, with the misconception where one is known."""
    verdict = {"id": report.id, "points": report.points, "passed": report.passed}
    if report.passed or report.misconception is None:
        return verdict
    told = report.misconception
    return verdict | {
        "misconception": told.id,
        "name": told.name,
        "question": told.question,
        "equation": told.equation,
    }


def text(report: "Report") -> str:
    """The verdict in lines of at most 80 characters."""
    return "\n".join(line for part in [headline(report), *advice(report)] for line in wrap(part, WIDTH))


def html(report: "Report") -> str:
    """The verdict's properties as a compact table, legible on light and dark."""
    head = (report.id, "", points(report)) if report.passed else (report.id, "got", "expected")
    lines = [table_row("th", head)]
    for row in report.rows:
        if row.passed:
            lines.append(table_row("td", (f"✓ {row.name}", "", "")))
    failed: dict[tuple[str, str], list[str]] = {}
    for row in report.rows:
        if not row.passed:
            failed.setdefault((row.got, row.expected), []).append(row.name)
    lines += [table_row("td", (f"✗ {', '.join(names)}", *told)) for told, names in failed.items()]
    return f'<table style="margin:0">{"".join(lines)}</table>'


def table_row(tag: str, texts: tuple[str, ...]) -> str:
    cells = "".join(f'<{tag} style="text-align:left">{escape(text)}</{tag}>' for text in texts)
    return f"<tr>{cells}</tr>"


def points(report: "Report") -> str:
    return f"{report.points} point{'s' if report.points != 1 else ''}"
