"""The files of a download -> who has handed in which.

Moodle    Anna Müller_123456_assignsubmission_file_/squeeze-excitation.ipynb, or all in one name
Canvas    muelleranna_LATE_12345_67890_squeeze-excitation-1.ipynb
folders   one for each student, or a file for each, or mails (.eml) with attachments; in any of them one zip
"""

import email
import email.policy
import email.utils
import re
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

from .archive import File, Refused, known, opened, safe
from .beside import MOST_BYTES
from .recognition import Lessons
from .roster import Roster, Who

MOODLE = re.compile(r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)")
CANVAS = re.compile(r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<number>\d+)_\d+_(?P<file>.+)")
OF_SYSTEMS = {"__macosx", ".ds_store", "thumbs.db", "desktop.ini", ".ipynb_checkpoints", "__pycache__"}
OTHER_ARCHIVES = (".rar", ".7z", ".tar", ".gz", ".tgz", ".xz", ".bz2")


@dataclass
class Person:
    """What one person has handed in, with paths from there; and what is refused of it."""

    files: list[File] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def of_a_system(file: File) -> bool:
    """Whether an editor or a system has put it there, not a person."""
    return any(part.casefold() in OF_SYSTEMS or part.startswith("._") for part in file.path)


def unwrapped(files: list[File], lessons: Lessons, roster: Roster | None) -> list[File]:
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


def owner(file: File, lessons: Lessons) -> tuple[Who, list[File]] | tuple[Who, list[File], str]:
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
