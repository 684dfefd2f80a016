"""The package's docstrings, which are written to be read in a terminal, as reStructuredText."""

import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

FIELD = re.compile(r"([a-z_]+(?:, [a-z_]+)*): (.*)")
HEADER = re.compile(r"(Args|Returns|Raises|Yields):$")
SENTENCE = re.compile(r"(Raises|Parameters|Returns|Source|Shape): ")


def paragraphs(lines: list[str]) -> Iterator[list[str]]:
    paragraph = []
    for line in [*lines, ""]:
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            yield paragraph
            paragraph = []


def sentences(paragraph: list[str]) -> Iterator[list[str]]:
    """A paragraph cut where a line begins with `Raises: ` or the like, which stands by itself on a page."""
    part: list[str] = []
    for line in paragraph:
        if SENTENCE.match(line) and part:
            yield part
            part = []
        part.append(line)
    yield part


def restructured(lines: list[str]) -> list[str]:
    """Equations as they stand, the fields of a class as a list, and the rest as it is."""
    made: list[str] = []
    for paragraph in paragraphs(lines):
        if paragraph[0].startswith("    ") and not HEADER.match(paragraph[0]):
            made += [".. code-block:: text", "", *paragraph, ""]
        elif FIELD.match(paragraph[0]) and not HEADER.match(paragraph[0]):
            for line in paragraph:
                field = FIELD.match(line)
                made.append(f"- **{field[1]}**: {field[2]}" if field else f"  {line.strip()}")
            made.append("")
        elif HEADER.match(paragraph[0]):
            inside = [line for line in paragraph if line.startswith(" ") or HEADER.match(line)]
            made += [*inside, ""]
            if rest := paragraph[len(inside) :]:
                made += restructured(rest)
        else:
            for sentence in sentences(paragraph):
                made += [*(line.strip() for line in sentence), ""]
    return made


def process(app: Sphinx, what: str, name: str, object: Any, options: Any, lines: list[str]) -> None:
    lines[:] = restructured(lines)


def skip(app: Sphinx, what: str, name: str, object: Any, skipped: bool, options: Any) -> bool | None:
    """Whether a member is left out: the items of a named tuple are told in its docstring."""
    return True if (getattr(object, "__doc__", None) or "").startswith("Alias for field number") else None


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", process, priority=100)  # before napoleon reads what is left
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True}
