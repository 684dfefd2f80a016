"""The name under which somebody has handed in -> the id of a student: by a list of the class, else made of the name."""

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .archive import Refused

GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "æ": "ae", "ø": "oe", "ł": "l", "đ": "d"})


class Who(NamedTuple):
    """Someone as a download names them.

    number: tells two of the same name apart, within one download.
    """

    name: str
    number: str = ""
    address: str = ""


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


def plain(text: str, german: bool = True) -> str:
    """Small letters without accents."""
    text = unicodedata.normalize("NFC", text).casefold()
    text = text.translate(GERMAN) if german else text
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", text)).casefold())


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
