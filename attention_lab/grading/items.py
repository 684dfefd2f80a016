"""What a notebook asks, and for which points: read from its cells, so that what its instructor dropped or added counts.

A check of the course gives the points of its exercise. Any other test, and a text, gives those of its nbgrader metadata.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from .exercises import LESSONS, TEXTS
from .reading import metadata_of, source_of

CHECK = re.compile(r'^check\("([\w-]+)"', re.MULTILINE)


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
    items = [
        Item(exercise.id, f"{exercise.key}-{name}", asked.points)
        for exercise in LESSONS[lesson]
        for name, asked in exercise.checks.items()
    ]
    return [*items, *(Item(id, id, points, read=True) for id, points in [TEXTS[lesson]])] if lesson in TEXTS else items


def items_in(lesson: str, cells: Iterable[dict[str, Any]]) -> list[Item]:
    """What a notebook of a lesson asks; what the course asks if it has nothing of the lesson."""
    known = {item.id: item for item in items_of(lesson)}
    found: dict[str, Item] = {}
    answered = ""
    for cell in cells:
        about, source = grading_of(cell), source_of(cell)
        id = next((id for id in (about.get("grade_id"), cell.get("id")) if isinstance(id, str)), "")
        by_hand = about.get("solution") is True
        if by_hand:
            answered = id
        checks = CHECK.findall(source) if cell.get("cell_type") == "code" else []
        new = [known[id] for id in (*checks, id) if id in known]
        if not new and about.get("grade") is True and id and isinstance(points := about.get("points"), int | float):
            new = [Item(answered or id, id, points, "" if by_hand else source, by_hand)]
        for item in new:
            found.setdefault(item.id, item)
    return list(found.values()) if found.keys() & known.keys() else list(known.values())


def grading_of(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell's nbgrader metadata, empty where they are none that could be."""
    about = metadata_of(cell).get("nbgrader")
    return about if isinstance(about, dict) else {}
