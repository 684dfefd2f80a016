"""Why somebody has no grade, told from what was handed in."""

from pathlib import Path

from ..grading.reading import Unreadable, cells_of
from .beside import refused

ABSENT, NOT_PLACED, RENAMED, REFUSED = "absent", "not placed", "renamed", "refused"
UNREADABLE, NOT_YET = "not readable", "not graded yet"
UNGRADED = (UNREADABLE, REFUSED, RENAMED, NOT_PLACED, NOT_YET, ABSENT)

NOTE = "not-placed.txt"
"""Where `attention-lab collect` says why there is no notebook; the first line is the reason."""
ASIDE = {"timestamp.txt", NOTE}
"""What lies in the folder of a submission and was not handed in."""


def why_not(folder: Path | None, expected: set[str]) -> tuple[str, str]:
    """Why a learner has no grade, in a word and in a few.

    folder: where what was handed in lies, if anything was.
    expected: the names of the lesson's notebooks.
    """
    if folder is None:
        return ABSENT, "nothing was handed in"
    if folder.is_symlink() or folder.parent.is_symlink():
        return REFUSED, "what was handed in is a link"
    there = {path.name for path in folder.iterdir()} - ASIDE
    for name, reason in refused(folder).items():
        if name.endswith(".ipynb"):
            return REFUSED, f"{name} is {reason}"
    if not there & expected:
        if (note := folder / NOTE).is_file():
            return NOT_PLACED, note.read_text(encoding="utf-8", errors="replace").strip().partition("\n")[0]
        if not there:
            return ABSENT, "the folder is empty"
        names = f"no {' or '.join(sorted(expected))}; there is: {', '.join(sorted(there))}"
        return RENAMED, f"{names} (rename it, or let `attention-lab collect` do so)"
    for name in sorted(there & expected):
        try:
            cells_of((folder / name).read_bytes())
        except (Unreadable, OSError) as error:
            return UNREADABLE, f"{name}: {getattr(error, 'strerror', None) or error}"
    return NOT_YET, "attention-lab grade has not come to it, or says why not"
