"""What a notebook asks, and for which points: read from its cells, so that what its instructor dropped or added counts.

A check of the course gives the points of its exercise. Any other test, and a text, gives those of its nbgrader metadata.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from .exercises import EXERCISES, LESSONS, TEXTS
from .reading import metadata_of, source_of

CHECK = re.compile(r'^check\("([\w-]+)"', re.MULTILINE)
CHECKS = {
    f"{exercise.key}-{name}": (exercise.id, asked.points)
    for exercise in EXERCISES.values()
    for name, asked in exercise.checks.items()
}


class Item(NamedTuple):
    """Something that gives points.

    exercise: the exercise that it is a part of; its own id where it is part of none.
    source: the text of a test that is an instructor's own, empty for a check of the course.
    read: by a person.
    """

    exercise: str
    id: str
    points: float
    source: str = ""
    read: bool = False

    @property
    def own(self) -> bool:
        """Whether it is a test of an instructor's own."""
        return bool(self.source)


def items_of(lesson: str) -> list[Item]:
    """What the course asks in a lesson."""
    checks = [f"{exercise.key}-{name}" for exercise in LESSONS[lesson] for name in exercise.checks]
    items = [Item(CHECKS[id][0], id, CHECKS[id][1]) for id in checks]
    return [*items, *text_of(lesson)]


def items_in(lesson: str, cells: Iterable[dict[str, Any]]) -> list[Item]:
    """What a notebook of a lesson asks; what the course asks if it has nothing of the lesson."""
    checks, texts = {item.id for item in items_of(lesson)}, {text.id: text for text in text_of(lesson)}
    found: dict[str, Item] = {}
    answered = ""
    for cell in cells:
        about = grading_of(cell)
        id = about.get("grade_id") or cell.get("id")
        if not isinstance(id, str):
            id = ""
        if about.get("solution") is True:
            answered = id
        if cell.get("cell_type") == "code" and (asked := [id for id in CHECK.findall(source_of(cell)) if id in checks]):
            new = [Item(CHECKS[id][0], id, CHECKS[id][1]) for id in asked]
        elif id in texts:
            new = [texts[id]]
        elif about.get("grade") is True and id and isinstance(points := about.get("points"), int | float):
            by_hand = about.get("solution") is True
            new = [Item(answered or id, id, points, "" if by_hand else source_of(cell), by_hand)]
        else:
            new = []
        for item in new:
            found.setdefault(item.id, item)
    return list(found.values()) if found.keys() & (checks | texts.keys()) else items_of(lesson)


def text_of(lesson: str) -> list[Item]:
    return [Item(id, id, points, read=True) for id, points in [TEXTS[lesson]]] if lesson in TEXTS else []


def grading_of(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell's nbgrader metadata, empty where they are none that could be."""
    about = metadata_of(cell).get("nbgrader")
    return about if isinstance(about, dict) else {}
