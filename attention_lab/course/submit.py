"""The file that a learner hands in: a copy of the lesson's notebook, named so that everyone knows whose it is.

notebooks/hand-in/anna-mueller_squeeze-excitation.ipynb     `attention-lab collect` reads whose it is, and which lesson's
notebooks/earlier/hand-in/...-1.ipynb                       one that it has replaced
"""

import os
from pathlib import Path

from ..classroom.roster import safe_id

FOLDER = "hand-in"
EARLIER = "earlier"


def submit(notebook: Path, name: str) -> tuple[Path, Path | None]:
    """Write the file to hand in of a lesson's notebook; and where another one of the same name is kept, if there was one.

    Raises: ValueError for a name of which no file's name can be made.
    """
    if not (id := safe_id(name, keep=True)):
        raise ValueError(f"no file can be named {name!r}: give a name of letters and numbers")
    file = notebook.parents[1] / FOLDER / f"{id}_{notebook.name}"
    file.parent.mkdir(exist_ok=True)
    content, before = notebook.read_bytes(), file.read_bytes() if file.exists() else None
    kept = keep(notebook.parents[1], file, before) if before not in (None, content) else None
    write(file, content)
    return file, kept


def keep(notebooks: Path, file: Path, content: bytes) -> Path:
    """Write what a file was to a place of its own, and tell where."""
    folder = notebooks / EARLIER / file.parent.relative_to(notebooks)
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while (kept := folder / f"{file.stem}-{number}{file.suffix}").exists():
        number += 1
    write(kept, content)
    return kept


def write(file: Path, content: bytes) -> None:
    """Write a file whole, or leave what is there."""
    new = file.with_name(f".{file.name}.new")
    try:
        new.write_bytes(content)
        os.replace(new, file)
    finally:
        new.unlink(missing_ok=True)
