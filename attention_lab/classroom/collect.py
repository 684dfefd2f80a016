"""What a class has uploaded somewhere -> submitted/STUDENT/LESSON/NOTEBOOK.ipynb, where nbgrader looks for it.

Moodle    Anna Müller_123456_assignsubmission_file_/squeeze-excitation.ipynb, or all in one name
Canvas    muelleranna_LATE_12345_67890_squeeze-excitation-1.ipynb
folders   one for each student, or a file for each, or mails (.eml) with attachments; in any of them one zip

Whose a file is, the download says; which lesson's a notebook is, its cells say, else its name. An earlier submission goes to
`earlier`, which nbgrader does not read. What is put nowhere is told, here and in `submitted` (`standing.NOTE`).
"""

import contextlib
import csv
import email
import email.policy
import email.utils
import re
import shutil
import tempfile
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbgrader.utils import parse_utc

from ..grading.reading import Unreadable, cells_of
from ..grading.repair import Release, names_of
from .archive import File, Refused, known, opened, printable, safe, unlike_others
from .beside import COMPILED, MOST_BYTES
from .standing import ASIDE, NOTE

PLACED, NEWER, UNCHANGED, ASIDE_ = "placed", "newer, placed", "unchanged", "kept aside"
LEFT, NOT_PLACED = "left", "not placed"

MOODLE = re.compile(r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)")
CANVAS = re.compile(r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<number>\d+)_\d+_(?P<file>.+)")
COPY = re.compile(r"(\s*\(\d+\)|[-_ ]*(copy|kopie|copie|copia)[-_ ]*(of[-_ ]*)?\d*|-\d+)+$", re.IGNORECASE)
OF_SYSTEMS = {"__macosx", ".ds_store", "thumbs.db", "desktop.ini", ".ipynb_checkpoints", "__pycache__"}
AROUND = {"notebooks", "submitted", "attention-lab", "submissions"}
OTHER_ARCHIVES = (".rar", ".7z", ".tar", ".gz", ".tgz", ".xz", ".bz2")


class Row(NamedTuple):
    """What became of something.

    told: placed; newer, placed; unchanged; kept aside; left; not placed.
    """

    student: str
    file: str
    told: str
    time: datetime | None = None
    remark: str = ""


class Who(NamedTuple):
    """Someone as a download names them.

    number: tells two of the same name apart, within one download.
    """

    name: str
    number: str = ""
    address: str = ""


@dataclass
class Person:
    """What one person has handed in, with paths from there; and what is refused of it."""

    files: list[File] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


class Notebook(NamedTuple):
    """A notebook that is one of the lesson's.

    name: without `.ipynb`.
    exact: whether it was handed in under that name.
    """

    name: str
    file: File
    content: bytes
    exact: bool
    remark: str


def collect(download: Path, root: Path, lesson: str, roster: "Roster | None" = None, times: bool = True) -> list[Row]:
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
    """Whether nothing was handed in, or something is where nobody will grade it."""
    return not rows or any(row.told == NOT_PLACED for row in rows)


# Whose it is


def of_a_system(file: File) -> bool:
    """Whether an editor or a system has put it there, not a person."""
    return any(part.casefold() in OF_SYSTEMS or part.startswith("._") for part in file.path)


def unwrapped(files: list[File], lessons: "Lessons", roster: "Roster | None") -> list[File]:
    """The files without the folders that hold all of them and are nobody's."""
    while files and len({file.path[0] for file in files}) == 1 and all(len(file.path) > 1 for file in files):
        top, inner = files[0].path[0], [file.path[1:] for file in files]
        tops = {path[0] for path in inner}
        if MOODLE.fullmatch(top) or (roster and roster.find(Who(top))):
            break
        strangers = [path for path in inner if len(path) == 1 and not lessons.named(path[0])]
        in_folders = all(len(path) > 1 for path in inner) and len(tops) > 1
        of_a_site = any(MOODLE.fullmatch(name) or CANVAS.fullmatch(name) or name.endswith(".eml") for name in tops)
        notebooks = sum(path[0].casefold().endswith((".ipynb", ".zip")) for path in strangers)
        if not (lessons.is_around(top) or in_folders or of_a_site or notebooks > 1):
            break
        files = [file._replace(path=file.path[1:]) for file in files]
    return files


def owner(file: File, lessons: "Lessons") -> tuple[Who, list[File]] | tuple[Who, list[File], str]:
    """Who has handed in a file of a download, what that is (itself, or what a mail brings), and perhaps a remark.

    Raises: Refused where that cannot be told.
    """
    top, inner = file.path[0], file.path[1:]
    if found := MOODLE.fullmatch(top):
        path = (found["file"], *inner) if found["file"] else inner
        return Who(found["name"], found["number"]), [file._replace(path=path or (top,))]
    if not inner and (found := CANVAS.fullmatch(top)):
        # the times in a download of Canvas are those of the download
        mine = [file._replace(path=(found["file"],), time=None)]
        late = ["marked LATE, which does not say by how much: without a time"] if found["late"] else []
        return Who(found["name"], found["number"]), mine, *late
    if not inner and top.casefold().endswith(".eml") and not file.refused:
        return mail(file)
    folders = [part for part in file.path[:-1] if not lessons.is_around(part)]
    if folders:
        depth = file.path.index(folders[0])
        return Who(folders[0]), [file._replace(path=file.path[depth + 1 :])]
    if Path(file.name).suffix.casefold() not in (".ipynb", ".zip", *OTHER_ARCHIVES):
        raise Refused(file.refused or "in no student's folder, and no notebook")
    name = lessons.without_names(Path(file.name).stem)
    if not name:
        raise Refused("its name does not say whose it is")
    return Who(name), [file]


def mail(file: File) -> tuple[Who, list[File]]:
    """Who has sent a mail, and what is attached; its time is that of sending."""
    message = email.message_from_bytes(file.read(), policy=email.policy.default)
    try:
        name, address = email.utils.parseaddr(str(message["From"] or ""))
        date = message["Date"].datetime if message["Date"] else None
    except Exception as error:
        raise Refused("a mail that cannot be read") from error
    if not address:
        raise Refused("a mail without a sender")
    time = known(date.astimezone(UTC)) if date else None
    files = []
    for part in message.walk():
        if named := part.get_filename():
            data = part.get_payload(decode=True) or b""
            files.append(File((safe(re.split(r"[/\\]", named)[-1])[-1],), lambda data=data: data, time))
    if not files:
        raise Refused("a mail with nothing attached")
    return Who(name or address, "", address), files


def unpack(person: Person) -> None:
    """Replace the zips and mails that somebody has handed in by what is in them; a zip in a zip stays one."""
    files: list[File] = []
    for file in person.files:
        suffix = Path(file.name).suffix.casefold()
        try:
            if suffix == ".zip":
                inside, refused = opened(file.read(), most_files=1000, most_bytes=MOST_BYTES)
                inside = [each._replace(time=file.time) for each in inside if not of_a_system(each)]
                person.refused |= {f"{file.name}: {name}": reason for name, reason in refused.items()}
            elif suffix == ".eml":
                inside = mail(file)[1]
            elif suffix in OTHER_ARCHIVES:
                raise Refused("an archive that is no zip")
            else:
                inside = [file]
        except Refused as reason:
            person.refused["/".join(file.path)] = str(reason)
            inside = []
        for each in inside:
            if each is not file and Path(each.name).suffix.casefold() in (".zip", *OTHER_ARCHIVES):
                person.refused[f"{file.name}: {'/'.join(each.path)}"] = "an archive in an archive"
            else:
                files.append(each)
    person.files = files


class Roster:
    """Who is in the class: id, name and e-mail address.

    Raises: Refused where the file is none.
    """

    def __init__(self, file: Path):
        try:
            table = list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines()))
        except (UnicodeDecodeError, csv.Error, OSError) as error:
            raise Refused(f"{file} is no table in UTF-8: {error}") from error
        header = [name.strip().casefold() for name in table[0]] if table else []
        if not {"id", "name"} <= set(header):
            raise Refused(f"{file} has no columns id and name in its first line; email may be the third")
        self.ids: dict[str, set[str]] = defaultdict(set)
        for line, cells in enumerate(table[1:], 2):
            row = dict(zip(header, map(str.strip, cells)))
            if not any(row.values()):
                continue
            id = row.get("id", "")
            if safe_id(id, keep=True) != id or not id:
                raise Refused(f"{file}, line {line}: {id or 'nothing'} is no id that can name a folder")
            address = row.get("email", "")
            for key in {*keys(row.get("name", "")), *keys(id), address.casefold(), *keys(address.partition("@")[0])}:
                if key:
                    self.ids[key].add(id)

    def find(self, who: Who) -> set[str]:
        """The ids that a person may have."""
        for key in (who.address.casefold(), who.name.casefold(), *keys(who.name, turned=False)):
            if key and key in self.ids:
                return self.ids[key]
        return set()


GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "æ": "ae", "ø": "oe", "ł": "l", "đ": "d"})


def plain(text: str, german: bool = True) -> str:
    """Small letters without accents."""
    text = unicodedata.normalize("NFC", text).casefold()
    text = text.translate(GERMAN) if german else text
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", text)))


def keys(name: str, turned: bool = True) -> list[str]:
    """What a name is found by: its words in one, turned as in "Doe, Jane" and "doejane" where asked."""
    found = []
    for german in (True, False):
        words = re.findall(r"[^\W_]+", plain(name, german))
        found += ["".join(words[i:] + words[:i]) for i in range(max(1, len(words) if turned else 1))]
    return list(dict.fromkeys(filter(None, found)))


def safe_id(name: str, keep: bool = False) -> str:
    """A name that can name a folder, the same on every system; empty where none can be made.

    keep: leave a name as it is that already can.
    """
    if keep and re.fullmatch(r"[A-Za-z0-9_@][A-Za-z0-9_.@+-]{0,99}", name) and not name.endswith("."):
        return name
    return re.sub(r"[^\w.@+]+", "-", plain(name)).strip("-.")[:60].strip("-.")


def existing(root: Path) -> dict[str, str]:
    """The students that have a folder, by its name in small letters."""
    return {folder.name.casefold(): folder.name for folder in sorted((root / "submitted").glob("*"))}


def identified(people: Iterable[Who], roster: Roster | None, known: dict[str, str]) -> dict[Who, tuple[str, str]]:
    """Everyone's id, empty where there is none, with a remark."""
    ids: dict[Who, tuple[str, str]] = {}
    for who in people:
        found = roster.find(who) if roster else set()
        if len(found) == 1:
            ids[who] = next(iter(found)), ""
            continue
        id, remark = safe_id(who.name, keep=True), ""
        if roster:
            remark = f"{', '.join(sorted(found))} have this name" if found else "not in the list of students"
            id = f"{id}-{who.number}" if found and who.number else "" if found else id
        ids[who] = known.get(id.casefold(), id), remark if id or found else "no id can be made of this name"
    several = defaultdict(list)
    for who, (id, _) in ids.items():
        several[id.casefold()].append(who)
    for id, those in several.items():
        numbers = {who.number for who in those}
        if id and len(numbers) > 1:
            for who in those:
                remark = "several have this name: told apart by the number"
                ids[who] = f"{ids[who][0]}-{who.number}", "; ".join(filter(None, (ids[who][1], remark)))
        elif id and len(those) > 1 and not roster:
            names = " and ".join(who.name for who in those)
            ids |= dict.fromkeys(those, ("", f"{names} would have the same id: rename one, or give a list of students"))
    return ids


# Which lesson's it is


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
    try:
        of = lessons.by_cells(content)
    except Unreadable as error:
        of, remark = None, f"not readable: {error}"
    if of and of[0] != lesson:
        raise Refused(f"by its cells it is of {of[0]}")
    if not of and (not named or named[0] != lesson):
        other = f"its name is of {named[0]}" if named else f"nothing says that it is of {lesson}"
        raise Refused("; ".join(filter(None, (remark, other))))
    if not of:
        of, remark = named, remark or "none of its cells is the lesson's"
    exact = file.name == f"{of[1]}.ipynb"
    return Notebook(of[1], file, content, exact, "; ".join(filter(None, ("" if exact else f"was {file.name}", remark))))


# Where it is put


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
            rows.append(Row(student, each.file.name, ASIDE_, each.file.time, remark))
    time = max((each.file.time for each in chosen.values() if each.file.time), default=None)
    told, remark = place(root, student, lesson, new, time)
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
        return ASIDE_, f"older than what is there: {where.relative_to(root)}"
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
