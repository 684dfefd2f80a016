"""A notebook that was handed in -> the lesson whose it is: its cells say so, else its name."""

import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

import nbformat

from ..grading.reading import Unreadable, cells_of
from ..grading.repair import Release, names_of
from .archive import File, Refused
from .roster import keys

COPY = re.compile(r"(\s*\(\d+\)|[-_ ]*(copy|kopie|copie|copia)[-_ ]*(of[-_ ]*)?\d*|-\d+)+$", re.IGNORECASE)
AROUND = {"notebooks", "submitted", "attention-lab", "submissions"}


class Notebook(NamedTuple):
    """A notebook that is one of the lesson's.

    name: without `.ipynb`.
    exact: whether it was handed in under that name.
    readable: whether its cells can be read.
    """

    name: str
    file: File
    content: bytes
    exact: bool
    readable: bool
    remark: str


class Lessons:
    """The lessons of a course, with their notebooks' own cells as they were released."""

    def __init__(self, root: Path):
        self.texts: dict[tuple[str, str], dict[str, str | None]] = {}
        for file in sorted((root / "notebooks").glob("*/*.ipynb")):
            if file.parent.name not in ("mine", "hand-in"):
                own = Release.of_notebook(nbformat.read(file, as_version=4)).cells
                texts = {name: cell.source if cell.locked else None for name, cell in own.items()}
                self.texts[file.parent.name, file.stem] = texts

    def of(self, lesson: str) -> set[str]:
        return {name for of, name in self.texts if of == lesson}

    def named(self, file: str) -> tuple[str, str] | None:
        """The lesson and notebook that a file's name means; of several, the one with the longest name."""
        stem = "".join(keys(Path(file).stem, turned=False)[:1])
        meant = [place for place in self.texts if keys(place[1], turned=False)[0] in stem]
        return max(meant, key=lambda place: len(place[1]), default=None)

    def by_cells(self, content: bytes) -> tuple[str, str] | None:
        """The lesson and notebook whose cells these are. Raises: Unreadable."""
        cells = cells_of(content)
        counts = {place: len(names_of(cells, texts)) for place, texts in self.texts.items()}
        most = max(counts.values(), default=0)
        best = [place for place, count in counts.items() if count == most]
        return best[0] if most and len(best) == 1 else None

    def is_around(self, folder: str) -> bool:
        """Whether a folder is a lesson's or the course's, and no person's."""
        words = {
            "".join(keys(name, turned=False)[:1]) for lesson, notebook in self.texts for name in (lesson, lesson[3:])
        }
        return folder.casefold() in AROUND or "".join(keys(COPY.sub("", folder), turned=False)[:1]) in words - {""}

    def without_names(self, stem: str) -> str:
        """What of a file's name is not the lesson's: whose it is, if that is told."""
        stem = COPY.sub("", unicodedata.normalize("NFC", stem))
        for lesson, notebook in sorted(self.texts, key=lambda place: -len(place[1])):
            for name in (lesson, notebook):
                pattern = r"[\W_]*".join(re.escape(word) for word in re.findall(r"[^\W_]+", name))
                stem = re.sub(rf"(?<![^\W_]){pattern}(?![^\W_])", " ", stem, flags=re.IGNORECASE)
        return re.sub(r"^[\W_]+|[\W_]+$", "", COPY.sub("", stem.rstrip()))


def recognised(file: File, lesson: str, lessons: Lessons) -> Notebook:
    """One of the lesson's notebooks.

    Raises: Refused for any other.
    """
    content, named, remark = file.read(), lessons.named(file.name), ""
    readable = True
    try:
        of = lessons.by_cells(content)
    except Unreadable as error:
        of, readable, remark = None, False, str(error)
    if of and of[0] != lesson:
        raise Refused(f"by its cells it is of {of[0]}")
    if not of and (not named or named[0] != lesson):
        other = f"its name is of {named[0]}" if named else f"nothing says that it is of {lesson}"
        raise Refused("; ".join(filter(None, (remark, other))))
    if not of:
        of, remark = named, remark or "none of its cells is the lesson's"
    exact = file.name == f"{of[1]}.ipynb"
    remarks = filter(None, ("" if exact else f"was {file.name}", remark))
    return Notebook(of[1], file, content, exact, readable, "; ".join(remarks))
