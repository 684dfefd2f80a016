"""A submission -> its place, submitted/STUDENT/LESSON. An earlier one is kept in earlier/, which nbgrader does not read."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from nbgrader.utils import parse_utc

from .archive import File, Refused
from .standing import ASIDE, NOTE

PLACED, NEWER, UNCHANGED, KEPT_ASIDE = "placed", "newer, placed", "unchanged", "kept aside"


def place(root: Path, student: str, lesson: str, new: dict[str, bytes], time: datetime | None) -> tuple[str, str]:
    """Put a submission to its place, unless it is there or a newer one is; what is told of it, and a remark."""
    folder = root / "submitted" / student / lesson
    there, then = contents(folder), told_time(folder)
    if there == new:
        return UNCHANGED, ""
    later = bool(time and then and time > then)
    if not later and there and any(contents(before) == new for before in kept(root, student, lesson)):
        return UNCHANGED, "handed in before; a newer one is in its place"
    if there and time and then and time < then:
        where = keep(root, student, lesson, new, time)
        return KEPT_ASIDE, f"older than what is there: {where.relative_to(root)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    made.chmod(0o755)
    write(made, new, time)
    remark = ""
    if there:
        where = next_place(root, student, lesson)
        where.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(where)
        remark = f"the earlier one: {where.relative_to(root)}"
    elif folder.exists():
        shutil.rmtree(folder)
    made.rename(folder)
    return (NEWER if there else PLACED), remark


def write(folder: Path, files: dict[str, bytes], time: datetime | None) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    if time:
        (folder / "timestamp.txt").write_text(f"{time:%Y-%m-%d %H:%M:%S} UTC\n", encoding="utf-8")


def note(folder: Path, notebooks: list[File], reasons: list[str]) -> None:
    """Leave in a submission's place why it is not there, with the notebooks as they are named; never over another."""
    if folder.exists() and not (folder / NOTE).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NOTE).write_text("\n".join(reasons) + "\n", encoding="utf-8")
    for file in notebooks:
        if not (folder / file.name).exists():
            with contextlib.suppress(Refused):
                (folder / file.name).write_bytes(file.read())


def contents(folder: Path) -> dict[str, bytes]:
    """What was handed in and lies in a folder."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    names = ((path.relative_to(folder).as_posix(), path) for path in files)
    return {name: path.read_bytes() for name, path in names if name not in ASIDE}


def told_time(folder: Path) -> datetime | None:
    """When what lies in a folder was handed in, if that can be read."""
    try:
        return parse_utc((folder / "timestamp.txt").read_text(encoding="utf-8").strip()).replace(tzinfo=UTC)
    except (OSError, ValueError, OverflowError):
        return None


def kept(root: Path, student: str, lesson: str) -> Iterator[Path]:
    yield from (root / "earlier" / student / lesson).glob("*")


def next_place(root: Path, student: str, lesson: str) -> Path:
    numbers = (int(path.name) for path in kept(root, student, lesson) if path.name.isdecimal())
    return root / "earlier" / student / lesson / str(max(numbers, default=0) + 1)


def keep(root: Path, student: str, lesson: str, files: dict[str, bytes], time: datetime | None) -> Path:
    """Where a submission is kept that is not the one to grade; once, however often it is met."""
    for before in kept(root, student, lesson):
        if contents(before) == files:
            return before
    where = next_place(root, student, lesson)
    where.mkdir(parents=True)
    write(where, files, time)
    return where
