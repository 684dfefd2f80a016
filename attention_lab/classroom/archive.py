"""A download that nobody has read, a zip or a folder: its plain files, and what is refused, each with the reason.

Nothing is written, and nothing is unpacked before somebody asks for a file's content.
"""

import io
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from .beside import found

MOST_FILES = 20_000
MOST_BYTES = 4 * 2**30  # of all files together
MOST_BYTES_OF_ONE = 64 * 2**20
MOST_TIMES_LARGER = 200  # than it is packed; notebooks reach 20
LONGEST_NAME, LONGEST_PATH = 200, 1000  # bytes
PACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
ENCRYPTED, SAYS_UTF_8 = 0x1, 0x800


class Refused(Exception):
    """What is not taken, and why in a few words."""


class File(NamedTuple):
    """A plain file of a download.

    path: from the top, in Unicode's composed form (NFC).
    read: gives its content. Raises: Refused.
    time: when it was last changed, by the download; None where that is not told.
    refused: why it is not taken; empty where it is.
    """

    path: tuple[str, ...]
    read: Callable[[], bytes]
    time: datetime | None
    refused: str = ""

    @property
    def name(self) -> str:
        return self.path[-1]


def opened(
    download: Path | bytes, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES
) -> tuple[list[File], dict[str, str]]:
    """The files of a folder, of a zip or of a zip's bytes, in their order; and what is refused, with the reason.

    Raises: Refused for all of it.
    """
    entries = of_folder(download) if isinstance(download, Path) and download.is_dir() else of_zip(download)
    files, refused, seen, size = [], {}, {}, 0
    for number, (name, bytes_, make) in enumerate(entries):
        try:
            if number >= most_files:
                raise Refused(f"beyond {most_files} files")
            path = safe(name)
            if file := make(path):
                if bytes_ > MOST_BYTES_OF_ONE:
                    raise Refused(f"larger than {MOST_BYTES_OF_ONE // 2**20} MiB")
                if size + bytes_ > most_bytes:
                    raise Refused(f"beyond {most_bytes // 2**20} MiB of all files together")
                unlike_others(path, seen)
                size += bytes_
                files.append(file)
        except Refused as reason:
            if len(refused) < most_files:
                refused.setdefault(printable(name), str(reason))
    return files, refused


Entry = tuple[str, int, Callable[[tuple[str, ...]], File | None]]
"""The name of an entry, its size, and what makes a file of it, None of a folder; that raises Refused."""


def of_folder(folder: Path) -> list[Entry]:
    def entry(path: Path) -> Entry:
        kind = path.lstat()

        def make(parts: tuple[str, ...]) -> File:
            if stat.S_ISLNK(kind.st_mode):
                raise Refused("a link")
            if not stat.S_ISREG(kind.st_mode):
                raise Refused("no plain file")
            return File(parts, lambda: content(path), known(datetime.fromtimestamp(kind.st_mtime, UTC)))

        return path.relative_to(folder).as_posix(), kind.st_size, make

    def content(path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise Refused(f"cannot be read: {error.strerror}") from error

    return [entry(path) for path in found(folder)]


def of_zip(download: Path | bytes) -> list[Entry]:
    try:
        archive = zip_file(download)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error, EOFError) as error:
        raise Refused(f"no zip that can be read: {error}") from error

    def entry(info: zipfile.ZipInfo) -> Entry:
        def make(parts: tuple[str, ...]) -> File | None:
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind == stat.S_IFLNK:
                raise Refused("a link")
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise Refused("no plain file")
            if info.is_dir() or kind == stat.S_IFDIR:
                return None
            if info.flag_bits & ENCRYPTED:
                raise Refused("encrypted")
            if info.compress_type not in PACKED:
                raise Refused("packed in a way that is not known here")
            if info.file_size > 2**20 and info.file_size > MOST_TIMES_LARGER * info.compress_size:
                raise Refused(f"more than {MOST_TIMES_LARGER} times as large as it is packed")
            return File(parts, lambda: content(info), time_of(info))

        return name_of(info), info.file_size, make

    def content(info: zipfile.ZipInfo) -> bytes:
        try:
            return archive.read(info)  # never more than the size that it tells
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, struct.error) as error:
            raise Refused(f"damaged: {error}") from error
        except Exception as error:  # of lzma and bz2
            raise Refused(f"damaged: {type(error).__name__}") from error

    return [entry(info) for info in archive.infolist()]


def zip_file(download: Path | bytes) -> zipfile.ZipFile:
    """The archive, also where names say that they are UTF-8 and are not, on which zipfile gives up."""
    try:
        return zipfile.ZipFile(io.BytesIO(download) if isinstance(download, bytes) else download)
    except UnicodeDecodeError:
        data = bytearray(download if isinstance(download, bytes) else download.read_bytes())
        end = data.rfind(b"PK\5\6")
        (place,) = struct.unpack_from("<I", data, end + 16)
        while data[place : place + 4] == b"PK\1\2":
            (flags,) = struct.unpack_from("<H", data, place + 8)
            lengths = struct.unpack_from("<3H", data, place + 28)
            name = bytes(data[place + 46 : place + 46 + lengths[0]])
            if flags & SAYS_UTF_8 and "\ufffd" in name.decode("utf-8", "replace"):
                struct.pack_into("<H", data, place + 8, flags & ~SAYS_UTF_8)
            place += 46 + sum(lengths)
        return zipfile.ZipFile(io.BytesIO(data))


def name_of(info: zipfile.ZipInfo) -> str:
    """An entry's name as it was meant; what is no UTF-8 comes as bytes do in a file's name (surrogates)."""
    name = info.orig_filename
    if not info.flag_bits & SAYS_UTF_8:  # zipfile takes it for cp437, and it may be UTF-8
        name = name.encode("cp437").decode("utf-8", "surrogateescape")
    return name.replace("\\", "/")


def safe(name: str) -> tuple[str, ...]:
    """The parts of a path that stays where it is put.

    Raises: Refused.
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise Refused("a name that is not UTF-8") from None
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise Refused("an absolute path")
    parts = tuple(unicodedata.normalize("NFC", part) for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise Refused("a path that leaves the folder")
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in name):
        raise Refused("control characters in its name")
    if not parts or size > LONGEST_PATH or any(len(part.encode()) > LONGEST_NAME for part in parts):
        raise Refused("a name that is too long" if parts else "no name")
    return parts


def unlike_others(path: tuple[str, ...], seen: dict[tuple[str, ...], bool]) -> None:
    """Refuse a path that is another's on some system, or lies in a file.

    seen: the paths so far, in small letters, each with whether it is a file's.
    """
    folded = tuple(unicodedata.normalize("NFC", unicodedata.normalize("NFKC", part).casefold()) for part in path)
    above = [folded[:depth] for depth in range(1, len(folded))]
    if folded in seen or any(seen.get(place) for place in above):
        raise Refused("the same name as another's, but for capitals or the writing of letters")
    seen |= dict.fromkeys(above, False) | {folded: True}


def time_of(info: zipfile.ZipInfo) -> datetime | None:
    """When an entry was changed: in UTC where a field of its own says so, else in this machine's time zone."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<2H", extra)
        if kind == 0x5455 and size >= 5 and len(extra) >= 9 and extra[4] & 1:
            return known(datetime.fromtimestamp(struct.unpack_from("<i", extra, 5)[0], UTC))
        extra = extra[4 + size :]
    try:
        return known(datetime(*info.date_time).astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def known(time: datetime) -> datetime | None:
    """The time, unless it is none that can be meant: the first that a zip can tell, or one to come."""
    return time if datetime(1980, 1, 3, tzinfo=UTC) < time < datetime.now(UTC) + timedelta(days=1) else None


def printable(name: str, most: int = 120) -> str:
    """A name that a terminal shows as it is, in so many letters at most."""
    text = name.encode("utf-8", "backslashreplace").decode()
    text = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
    return text if len(text) <= most else f"{text[: most - 3]}..."
