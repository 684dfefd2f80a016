"""Mermaid's flowcharts from left to right, as far as the lessons use them -> SVG in the colours of the page.

A diagram is drawn where its page is made: nobody needs a script to see it, and it follows the theme. What is known:
`a["text"]`, `a(("text"))`, `a --> b --> c`, `a -- "text" --> b`, and `<br/>` in a text; comments (`%%`) are left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from statistics import fmean

NODE = re.compile(r'\s*(\w+)(?:\["([^"]*)"\]|\(\("([^"]*)"\)\))?\s*')
ARROW = re.compile(r'(?:--\s*"([^"]*)"\s*)?-->')
LETTER, LINE = 6.9, 17  # pixels that a letter and a line of text take
PADDING, BETWEEN, ABOVE = 10, 28, 20  # around a text, between columns, between the boxes of a column
ROUNDS = 24


@dataclass
class Box:
    """Something that has a place: a node, or the bend of an arrow that runs past a column.

    lines: its text.
    round: whether it is drawn as an ellipse.
    column, x, y: where its centre is.
    span: how wide a bend runs straight on.
    """

    lines: list[str] = field(default_factory=list)
    round: bool = False
    column: int = 0
    x: float = 0
    y: float = 0
    span: float = 0

    @property
    def width(self) -> float:
        if not self.lines:
            return self.span
        text = LETTER * max(map(len, self.lines))
        return max(text + (1.2 if self.round else 2) * PADDING, self.height if self.round else 0)

    @property
    def height(self) -> float:
        return LINE * len(self.lines) + 2 * PADDING if self.lines else 0


@dataclass
class Arrow:
    """From a box to a box, by the bends in between.

    text: what is written beside it.
    """

    path: list[Box]
    text: str = ""


def parsed(source: str) -> tuple[list[Box], list[Arrow]]:
    """The boxes and arrows of a flowchart. Raises ValueError for a line that is none of what is known."""
    first, *lines = [line.strip() for line in source.strip().splitlines() if not line.startswith("%%")]
    if first != "flowchart LR":
        raise ValueError(f"a diagram begins with flowchart LR, not with {first!r}")
    boxes, arrows = {}, []
    for line in filter(None, lines):
        place, before, text = 0, None, ""
        while True:
            if not (met := NODE.match(line, place)):
                raise ValueError(f"this line of a diagram is not understood: {line!r}")
            id, square, circle = met.groups()
            box = boxes.setdefault(id, Box([id]))
            if (words := square or circle) is not None:
                box.lines, box.round = re.split(r"<br/?>", words), square is None
            if before:
                arrows.append(Arrow([before, box], text))
            place = met.end()
            if place == len(line):
                break
            if not (arrow := ARROW.match(line, place)):
                raise ValueError(f"this line of a diagram is not understood: {line!r}")
            before, text, place = box, arrow[1] or "", arrow.end()
    return list(boxes.values()), arrows


def in_columns(boxes: list[Box], arrows: list[Arrow]) -> list[list[Box]]:
    """Give every box a column, right of all that lead to it, and every long arrow a bend in each column it passes."""
    for _ in boxes:
        for start, end in (arrow.path for arrow in arrows):
            end.column = max(end.column, start.column + 1)
    if any(end.column > len(boxes) for _, end in (arrow.path for arrow in arrows)):
        raise ValueError("a diagram runs in a circle")
    for box in boxes:  # one to which nothing leads stands close to where it leads
        if not any(arrow.path[-1] is box for arrow in arrows):
            box.column = min((a.path[-1].column - 1 for a in arrows if a.path[0] is box), default=0)
    columns = [[] for _ in range(1 + max(box.column for box in boxes))]
    for box in boxes:
        columns[box.column].append(box)
    for arrow in arrows:
        start, end = arrow.path
        bends = [Box(column=column) for column in range(start.column + 1, end.column)]
        arrow.path = [start, *bends, end]
        for bend in bends:
            columns[bend.column].append(bend)
    return columns


def lay_out(columns: list[list[Box]], arrows: list[Arrow]) -> None:
    """Give every box its centre: near to its neighbours, apart from the others of its column."""
    right = 0.0
    for number, column in enumerate(columns):
        width = max(box.width for box in column)
        texts = [arrow.text for arrow in arrows if arrow.text and len(arrow.path) == 2 and arrow.path[1] in column]
        gap = max([BETWEEN, *(LETTER * len(text) + PADDING for text in texts)]) if number else 0
        for box in column:
            box.x = right + gap + width / 2
            box.span = width
        right += gap + width
    neighbours: dict[int, list[Box]] = {id(box): [] for column in columns for box in column}
    for arrow in arrows:
        for a, b in pairwise(arrow.path):
            neighbours[id(a)].append(b)
            neighbours[id(b)].append(a)
    for column in columns:
        for place, box in enumerate(column):
            box.y = 60.0 * place
    for _ in range(ROUNDS):
        for column in columns + columns[::-1]:
            wanted = {id(box): fmean([other.y for other in neighbours[id(box)]] or [box.y]) for box in column}
            column.sort(key=lambda box: wanted[id(box)])
            set_apart(column, [wanted[id(box)] for box in column])


def set_apart(column: list[Box], wanted: list[float]) -> None:
    """Put boxes where they are wanted, as far as they then do not overlap, and as a whole where they are wanted."""
    for place, box in enumerate(column):
        box.y = wanted[place]
        if place:
            above = column[place - 1]
            box.y = max(box.y, above.y + (above.height + box.height) / 2 + ABOVE)
    shift = fmean([y - box.y for y, box in zip(wanted, column)])
    for box in column:
        box.y += shift


def svg(source: str, name: str) -> str:
    """The diagram as SVG; `name` is of this diagram alone on its page."""
    boxes, arrows = parsed(source)
    columns = in_columns(boxes, arrows)
    lay_out(columns, arrows)
    every = [box for column in columns for box in column]
    top = min(box.y - box.height / 2 for box in every) - 20
    for box in every:
        box.y -= top
    width = max(box.x + box.width / 2 for box in every) + 2
    height = max(box.y + box.height / 2 for box in every) + 12
    told = "; ".join(f"{words(arrow.path[0])} to {words(arrow.path[-1])}" for arrow in arrows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="diagram" role="img" aria-label="Diagram: {escape(told)}" '
        f'viewBox="-2 0 {width + 2:.0f} {height:.0f}" width="{width + 2:.0f}" height="{height:.0f}">',
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path class="head" d="M0,0 L8,4 L0,8 z"/></marker>',
    ]
    for arrow in arrows:
        lines += drawn_arrow(arrow, name)
    for box in boxes:
        lines += drawn_box(box)
    return "\n".join([*lines, "</svg>"])


def words(box: Box) -> str:
    return " ".join(box.lines)


def drawn_arrow(arrow: Arrow, head: str) -> Iterator[str]:
    start, *bends, _ = arrow.path
    path, curves = "", []
    for a, b in pairwise(arrow.path):
        x, right = a.x + a.width / 2, b.x - b.width / 2
        middle = (x + right) / 2
        path += f"M{x:.0f},{a.y:.0f}" if a is start else f" H{x:.0f}"
        path += f" C{middle:.0f},{a.y:.0f} {middle:.0f},{b.y:.0f} {right:.0f},{b.y:.0f}"
        curves.append((middle, (a.y + b.y) / 2))
    yield f'<path class="arrow" d="{path}" marker-end="url(#{head})"/>'
    if arrow.text:
        x, y = (bends[len(bends) // 2].x, bends[len(bends) // 2].y) if bends else curves[0]
        yield f'<text x="{x:.0f}" y="{y - 6:.0f}">{escape(arrow.text)}</text>'


def drawn_box(box: Box) -> Iterator[str]:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    if box.round:
        yield (
            f'<ellipse cx="{box.x:.0f}" cy="{box.y:.0f}" rx="{box.width / 2:.0f}" '
            f'ry="{min(box.width, box.height + 6) / 2:.0f}"/>'
        )
    else:
        yield f'<rect x="{left:.0f}" y="{top:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" rx="4"/>'
    for number, line in enumerate(box.lines):
        yield f'<text x="{box.x:.0f}" y="{top + PADDING + LINE * number + 13:.0f}">{escape(line)}</text>'
