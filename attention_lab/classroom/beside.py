"""What lies beside a notebook that was handed in: plain files are taken, links and compiled code are refused."""

import os
import stat
from pathlib import Path

COMPILED = {".pyc", ".pyo", ".so", ".pyd", ".dll", ".dylib", ".pth", ".egg", ".whl"}
MOST_BYTES = 64 * 2**20  # of all files together


def taken(folder: Path) -> dict[str, bytes]:
    """The content of the plain files beside a notebook, by their path from there."""
    no = refused(folder)
    paths = (path for path in found(folder) if path.suffix != ".ipynb")
    names = ((path.relative_to(folder).as_posix(), path) for path in paths)
    return {name: path.read_bytes() for name, path in names if name not in no}


def refused(folder: Path) -> dict[str, str]:
    """The files and folders of a submission that are not taken, by their path, each with the reason.

    There is room for so many bytes: for notebooks first, then for what is small.
    """
    reasons, room = {}, MOST_BYTES
    for path in sorted(found(folder), key=lambda path: (path.suffix != ".ipynb", path.lstat().st_size, path)):
        name, kind = path.relative_to(folder).as_posix(), path.lstat()
        if not readable(name):
            reasons[name] = "a name that is no UTF-8"
        elif stat.S_ISLNK(kind.st_mode):
            reasons[name] = "a link"
        elif not stat.S_ISREG(kind.st_mode):
            reasons[name] = "no plain file"
        elif path.suffix.lower() in COMPILED:
            reasons[name] = "compiled code"
        elif kind.st_size > room:
            reasons[name] = f"too large: all files together may have {MOST_BYTES // 2**20} MiB"
        else:
            room -= kind.st_size
    return reasons


def readable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def found(folder: Path) -> list[Path]:
    """Everything in a folder, in any depth, that is no folder itself; a linked folder is not entered."""
    paths = []
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        paths += [Path(place, name) for name in (*files, *links)]
    return sorted(paths)
