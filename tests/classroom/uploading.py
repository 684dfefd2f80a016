"""A class that uploads its work, and a course in which it is collected."""

import io
import json
import shutil
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from attention_lab.classroom.collect import Row, collect
from attention_lab.classroom.roster import Roster

ROOT = Path(__file__).parents[2]
LESSON, NAME = "02-squeeze-excitation", "squeeze-excitation.ipynb"
OTHER = "03-cbam"
EARLY, LATER = (2026, 11, 20, 10, 0, 0), (2026, 11, 21, 10, 0, 0)


def a_course(root: Path) -> Path:
    """A course of some lessons, as far as collecting asks for it."""
    for lesson in (LESSON, OTHER, "04-bam"):
        shutil.copytree(ROOT / "notebooks" / lesson, root / "notebooks" / lesson)
    return root


def notebook(mark: str = "", lesson: str = LESSON) -> bytes:
    """The lesson's notebook as somebody has handed it in."""
    told = json.loads((ROOT / "notebooks" / lesson / f"{lesson[3:]}.ipynb").read_text())
    told["cells"].append({"cell_type": "markdown", "id": "mine", "metadata": {}, "source": mark})
    return json.dumps(told).encode()


def packed(files: dict[str, bytes], date: tuple = EARLY) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as into:
        for name, content in files.items():
            into.writestr(zipfile.ZipInfo(name, date), content)
    return made.getvalue()


def take(course: Path, files: dict[str, bytes], roster: str = "", date: tuple = EARLY, times: bool = True) -> list[Row]:
    """Collect a zip of these files."""
    (course / "download.zip").write_bytes(packed(files, date))
    (course / "students.csv").write_text(roster, encoding="utf-8")
    known = Roster(course / "students.csv") if roster else None
    return collect(course / "download.zip", course, LESSON, known, times)


def placed(course: Path) -> dict[str, bytes]:
    """What lies in `submitted`, by its path there, but for times."""
    files = sorted(path for path in (course / "submitted").rglob("*") if path.is_file())
    names = ((path.relative_to(course / "submitted").as_posix(), path) for path in files)
    return {name: path.read_bytes() for name, path in names if not name.endswith("timestamp.txt")}


def timestamp(course: Path, student: str = "ada") -> str:
    file = course / "submitted" / student / LESSON / "timestamp.txt"
    return file.read_text().strip() if file.exists() else ""


def utc(date: tuple) -> str:
    return datetime(*date).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def earlier(course: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in (course / "earlier" / "ada" / LESSON).glob(f"*/{NAME}")}


ADA, BEN = notebook("by ada"), notebook("by ben")
ROSTER = """\
id,name,email
s1,Ada Lovelace,ada@example.org
s2,"Müller, Björn",b.mueller@example.org
s3,Jane van Doe,jane@example.org
s4,Jan Lee,jan.a@example.org
s5,Jan Lee,jan.b@example.org
"""
