"""A table that reads well in a notebook, in a terminal and on a web page."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header; a notebook shows it as HTML, ``print`` as aligned text."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __post_init__(self):
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"rows must have {len(self.header)} cells like the header, got {list(row)}")

    def __repr__(self) -> str:
        lines = [self.header, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines)]
        text = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
        return "\n".join([self.caption, text[0], "  ".join("-" * width for width in widths), *text[1:]])

    def _repr_html_(self) -> str:
        def line(cells: Sequence[str], tag: str) -> str:
            filled = (f'<{tag} style="text-align: left">{escape(cell)}</{tag}>' for cell in cells)
            return f"<tr>{''.join(filled)}</tr>"

        return (
            f'<figure style="margin: 0"><figcaption style="max-width: 48em">{escape(self.caption)}</figcaption>'
            f'<table style="margin-left: 0"><thead>{line(self.header, "th")}</thead>'
            f"<tbody>{''.join(line(row, 'td') for row in self.rows)}</tbody></table></figure>"
        )
