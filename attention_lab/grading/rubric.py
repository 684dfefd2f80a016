"""The rubric of a free text: a table of points in its cell of the lesson's source, above the model answer.

| points | for |
| --- | --- |
| 1 | an example of each |

The model answer: all other text of the cell.
"""

import re
from typing import NamedTuple

TABLE = re.compile(r"^\| *points *\| *for *\|\n\|[ :|-]+\|\n((?:\|.*\|(?:\n|\Z))+)", re.MULTILINE)
ROW = re.compile(r"\| *([\d.]+) *\| *(.+?) *\|")


class Line(NamedTuple):
    """Points, and what earns them, in Markdown."""

    points: float
    earned_by: str


def rubric(source: str) -> list[Line]:
    """The lines of a text's rubric, none if it has none. Raises ValueError for one that does not begin with a number."""
    table = TABLE.search(source)
    lines = []
    for row in table[1].splitlines() if table else ():
        if not (line := ROW.fullmatch(row.strip())):
            raise ValueError(f"a rubric's line is points and what earns them, not {row.strip()}")
        lines.append(Line(float(line[1]), line[2]))
    return lines


def model_answer(source: str) -> str:
    """A text without its rubric."""
    return TABLE.sub("", source).strip()
