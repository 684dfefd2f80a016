"""The file that a learner hands in: a copy of the lesson's notebook, named so that everyone knows whose it is.

notebooks/hand-in/anna-mueller_squeeze-excitation.ipynb     `attention-lab collect` reads whose it is, and which lesson's
"""

import os
from pathlib import Path

from ..classroom.roster import safe_id

FOLDER = "hand-in"


def submit(notebook: Path, name: str) -> Path:
    """Write the file to hand in of a lesson's notebook; one of the same name is replaced.

    Raises: ValueError for a name of which no file's name can be made.
    """
    if not (id := safe_id(name, keep=True)):
        raise ValueError(f"no file can be named {name!r}: give a name of letters and numbers")
    file = notebook.parents[1] / FOLDER / f"{id}_{notebook.name}"
    file.parent.mkdir(exist_ok=True)
    write(file, notebook.read_bytes())
    return file


def write(file: Path, content: bytes) -> None:
    """Write a file whole, or leave what is there."""
    new = file.with_name(f".{file.name}.new")
    try:
        new.write_bytes(content)
        os.replace(new, file)
    finally:
        new.unlink(missing_ok=True)
