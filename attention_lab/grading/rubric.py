"""The rubric of a free text: a table of points in its cell of the lesson's source, beside the model answer.

| points | for |
| --- | --- |
| 1 | an example of each |

The model answer: all other text of the cell.
"""

import re
from typing import NamedTuple

TABLE = re.compile(r"^\| *points *\| *for *\|\n\|[ :|-]+\|\n((?:\|.*\|(?:\n|\Z))+)", re.MULTILINE)


class Expected(NamedTuple):
    """What whoever reads a free text goes by: the rubric, a table, and the model answer; in Markdown, empty without one."""

    rubric: str
    answer: str


def expected(source: str) -> Expected:
    """What the source's cell of a free text says."""
    table = TABLE.search(source)
    if not table:
        return Expected("", source.strip())
    return Expected(table[0].strip(), (source[: table.start()] + source[table.end() :]).strip())


def points_of(text: str) -> float | None:
    """The points that a text's rubric gives together, None if it has none. Raises ValueError for a row without a number."""
    table = TABLE.search(text)
    return table and sum(float(row.split("|")[1]) for row in table[1].strip().splitlines())
