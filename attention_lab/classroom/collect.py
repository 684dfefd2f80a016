"""What a class has uploaded somewhere -> submitted/STUDENT/LESSON/NOTEBOOK.ipynb, where nbgrader looks for it.

Whose a file is, the download says (`uploads`, `roster`); which lesson's a notebook is, its cells say (`recognition`); a newer
submission takes an earlier one's place (`placing`). What is put nowhere is told, here and in `submitted` (`standing.NOTE`).
"""

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from .archive import File, Refused, opened, printable, unlike_others
from .beside import COMPILED, MOST_BYTES
from .placing import KEPT_ASIDE, keep, note, place
from .recognition import Lessons, Notebook, recognised
from .roster import Roster, existing, identified
from .standing import ASIDE
from .uploads import Person, of_a_system, owner, unpack, unwrapped

LEFT, NOT_PLACED, NOT_READABLE = "left", "not placed", "not readable"


class Row(NamedTuple):
    """What became of something.

    told: placed; newer, placed; unchanged; kept aside; left; not placed; not readable, which lies in its place all the same.
    """

    student: str
    file: str
    told: str
    time: datetime | None = None
    remark: str = ""


def collect(download: Path, root: Path, lesson: str, roster: Roster | None = None, times: bool = True) -> list[Row]:
    """Put what was handed in of a lesson to its place in the course at ``root``, and tell what became of each.

    times: whether the times that the download tells count as those of handing in.

    Raises: Refused where the download cannot be read at all.
    """
    lessons = Lessons(root)
    files, refused = opened(download)
    rows, people = [], defaultdict(Person)
    for name, reason in refused.items():
        path = tuple(filter(None, name.split("/")))
        if name.startswith("/") or not path or path[0] == ".." or ":" in path[0]:
            rows.append(Row("", name, NOT_PLACED, None, reason))
        else:  # somebody's, who would be absent if nothing else is theirs
            files.append(File(path, never, None, reason))
    for file in unwrapped([file for file in files if not of_a_system(file)], lessons, roster):
        try:
            who, mine, *remark = owner(file, lessons)
        except Refused as reason:
            rows.append(Row("", "/".join(file.path), NOT_PLACED, file.time, str(reason)))
            continue
        person = people[who]
        if file.refused:
            person.refused["/".join(mine[0].path)] = file.refused
            continue
        person.files += mine
        person.remarks += remark
    ids = identified(people, roster, existing(root))
    for who, person in people.items():
        student, remark = ids[who]
        if not student:
            rows += [Row(who.name, "/".join(f.path), NOT_PLACED, f.time, remark) for f in person.files]
            rows += [Row(who.name, name, NOT_PLACED, None, reason) for name, reason in person.refused.items()]
            continue
        person.remarks.append(remark)
        unpack(person)
        if not times:
            person.files = [file._replace(time=None) for file in person.files]
        rows += hand_in(person, student, root, lesson, lessons)
    return sorted(rows, key=lambda row: (row.student == "", row.student, row.told == LEFT, row.file))


def never() -> bytes:
    raise Refused("not taken")


def failed(rows: list[Row]) -> bool:
    """Whether nothing was handed in, or something cannot be graded."""
    return not rows or any(row.told in (NOT_PLACED, NOT_READABLE) for row in rows)


def hand_in(person: Person, student: str, root: Path, lesson: str, lessons: Lessons) -> list[Row]:
    """Put what one person has handed in to its place."""
    folder, rows, wrong = root / "submitted" / student / lesson, [], {}
    if folder.is_symlink() or folder.parent.is_symlink():
        return [Row(student, "", NOT_PLACED, None, f"{folder} is a link")]
    found: list[Notebook] = []
    for file in (file for file in person.files if file.name.casefold().endswith(".ipynb")):
        try:
            found.append(recognised(file, lesson, lessons))
        except Refused as reason:
            wrong[file] = str(reason)
    refused = [Row(student, name, NOT_PLACED, None, reason) for name, reason in person.refused.items()]
    if not found:
        if not wrong and not refused:
            names = ", ".join(file.name for file in person.files) or "nothing"
            refused = [Row(student, names, NOT_PLACED, None, f"no notebook of {lesson}")]
        rows = [Row(student, printable("/".join(file.path)), NOT_PLACED, file.time, why) for file, why in wrong.items()]
        note(folder, list(wrong), [f"{row.file}: {row.remark}" for row in rows + refused])
        return rows + refused

    unknown = datetime.min.replace(tzinfo=UTC)
    found.sort(key=lambda each: (each.file.time or unknown, each.exact))
    chosen = {each.name: each for each in found}
    first = next(iter(chosen.values()))
    new = {f"{each.name}.ipynb": each.content for each in chosen.values()}
    beside, left = taken_beside(person.files, first.file)
    new |= beside
    rows += [Row(student, printable("/".join(f.path)), LEFT, f.time, why) for f, why in (left | wrong).items()]
    for each in found:
        if each is not chosen[each.name] and each.content != chosen[each.name].content:
            keep(root, student, lesson, {f"{each.name}.ipynb": each.content}, each.file.time)
            remark = f"another is {'newer' if each.file.time != chosen[each.name].file.time else 'named as the lesson'}"
            rows.append(Row(student, each.file.name, KEPT_ASIDE, each.file.time, remark))
    time = max((each.file.time for each in chosen.values() if each.file.time), default=None)
    told, remark = place(root, student, lesson, new, time)
    if told != KEPT_ASIDE and not all(each.readable for each in chosen.values()):
        told = NOT_READABLE
    remarks = [remark, *(each.remark for each in chosen.values()), *dict.fromkeys(person.remarks)]
    rows.append(Row(student, ", ".join(sorted(new)), told, time, "; ".join(filter(None, remarks))))
    return rows + refused


def taken_beside(files: list[File], notebook: File) -> tuple[dict[str, bytes], dict[File, str]]:
    """The other files that lie where the notebook lies or below, by their path from there; and what is left, with why."""
    taken, left, seen, size, depth = {}, {}, {}, 0, len(notebook.path) - 1
    for file in files:
        path = file.path[depth:]
        if file.name.casefold().endswith(".ipynb"):
            continue
        try:
            if file.path[:depth] != notebook.path[:depth]:
                raise Refused("not beside the notebook")
            if Path(file.name).suffix.casefold() in COMPILED:
                raise Refused("compiled code")
            if path[0] in ASIDE or any(part.startswith(".") for part in path):
                raise Refused("a name that the course uses for itself" if path[0] in ASIDE else "hidden")
            content = file.read()
            size += len(content)
            if size > MOST_BYTES:
                raise Refused(f"beyond {MOST_BYTES // 2**20} MiB")
            unlike_others(path, seen)
            taken["/".join(path)] = content
        except Refused as reason:
            left[file] = str(reason)
    return taken, left
