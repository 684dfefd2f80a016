"""The catalogue of the mistakes that the checks know by name, for teachers: as text, as a table and as a page."""

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from .exercises import LESSONS
from .properties import GENERAL

EVERYWHERE = "in every exercise"


class Entry(NamedTuple):
    """A misconception where it can be made.

    lesson: in which, or ``EVERYWHERE``.
    exercise: in which; "any" for a mistake of every exercise.
    id, name, question, equation: as in ``Misconception``.
    """

    lesson: str
    exercise: str
    id: str
    name: str
    question: str
    equation: str


def misconceptions(lessons: Sequence[str] = tuple(LESSONS)) -> list[Entry]:
    """Those of every exercise, then those of some lessons, each once."""
    places = [(EVERYWHERE, "any", GENERAL)]
    places += [(lesson, exercise.key, exercise.misconceptions) for lesson in lessons for exercise in LESSONS[lesson]]
    entries = (
        Entry(lesson, exercise, told.id, told.name, told.question, told.equation)
        for lesson, exercise, known in places
        for told in known
    )
    return list(dict.fromkeys(entries))


def as_text(entries: Iterable[Entry]) -> str:
    lines = []
    for lesson, of_lesson in groupby(entries, lambda entry: entry.lesson):
        lines.append(lesson)
        for entry in of_lesson:
            told = (f"  {entry.exercise}: {entry.id}", entry.name, entry.question, entry.equation)
            lines.append("\n    ".join(told))
    return "\n".join(lines)


def as_csv(entries: Iterable[Entry]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(Entry._fields)
    table.writerows(entries)
    return text.getvalue().removesuffix("\n")


def as_markdown(entries: Iterable[Entry]) -> str:
    """A page on which every entry has an address of its own: ``#squeeze-excitation-max-squeeze``."""
    parts = [
        "# Misconceptions",
        "The mistakes that the checks know by name. Each has the question that a teacher would ask, and the equation "
        "that it goes against. A link to one of them is the page's address, `#`, the exercise, `-` and the name.",
    ]
    addresses = set()  # some mistakes are told in two ways, by what was seen of them
    for lesson, of_lesson in groupby(entries, lambda entry: entry.lesson):
        parts.append(f"## {lesson[0].upper()}{lesson[1:]}")
        for exercise, of_exercise in groupby(of_lesson, lambda entry: entry.exercise):
            if exercise != "any":
                parts.append(f"### {exercise}")
            for entry in of_exercise:
                if (address := f"{exercise}-{entry.id}") not in addresses:
                    parts.append(f'<a id="{address}"></a>')
                    addresses.add(address)
                lines = [f"**`{entry.id}`** {escaped(entry.name)}", f"*{escaped(entry.question)}*"]
                if entry.equation:
                    lines.append(f"`{entry.equation}`")
                parts.append("  \n".join(lines))
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{letter}" if letter in r"\`*_[]<>$|" else letter for letter in text)
