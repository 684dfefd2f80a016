"""A zip is never trusted: what is hostile is refused with a reason, one by one, and the rest is taken."""

import io
import os
import stat
import struct
import unicodedata
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_lab.classroom import archive
from attention_lab.classroom.archive import Refused, opened, safe


def packed(*entries: tuple[str | zipfile.ZipInfo, bytes], **settings: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", **settings) as into:
        for name, content in entries:
            into.writestr(name, content)
    return made.getvalue()


def entry(name: str, kind: int = stat.S_IFREG, date: tuple = (2026, 11, 20, 10, 0, 0)) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date)
    info.create_system, info.external_attr = 3, (kind | 0o644) << 16
    return info


GOOD = ("ada/good.ipynb", b"good")


def refused(*entries: tuple[str | zipfile.ZipInfo, bytes], **settings: int) -> dict[str, str]:
    """What is refused of a zip that holds a good file too, which is taken."""
    files, no = opened(packed(GOOD, *entries, **settings))
    assert [file.read() for file in files if file.path == ("ada", "good.ipynb")] == [b"good"]
    return no


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil", "a path that leaves the folder"),
        ("ada/../../evil", "a path that leaves the folder"),
        ("..\\evil", "a path that leaves the folder"),
        ("/etc/evil", "an absolute path"),
        ("C:\\evil", "an absolute path"),
        ("\\\\host\\evil", "an absolute path"),
        ("ada/e\nvil", "control characters in its name"),
        ("ada/e\x1bvil", "control characters in its name"),
        ("ada/" + "x" * 201, "a name that is too long"),
        ("x/" * 501 + "x", "a name that is too long"),
        ("ADA/Good.ipynb", "the same name as another's, but for capitals or the writing of letters"),
        ("ada/ｇood.ipynb", "the same name as another's, but for capitals or the writing of letters"),
        ("ada/good.ipynb/evil", "the same name as another's, but for capitals or the writing of letters"),
    ],
)
def test_a_name_that_harms_is_refused(name, reason):
    assert list(refused((name, b"evil")).values()) == [reason]


def test_of_two_files_with_one_name_the_first_is_taken():
    with pytest.warns(UserWarning, match="Duplicate"):
        data = packed(GOOD, ("ada/good.ipynb", b"evil"))
    files, no = opened(data)
    assert [file.read() for file in files] == [b"good"] and list(no) == ["ada/good.ipynb"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(stat.S_IFLNK, "a link"), (stat.S_IFBLK, "no plain file"), (stat.S_IFCHR, "no plain file"),
     (stat.S_IFIFO, "no plain file"), (stat.S_IFSOCK, "no plain file")],
)  # fmt: skip
def test_links_and_devices_are_refused(kind, reason):
    assert refused((entry("ada/evil", kind), b"/etc/passwd")) == {"ada/evil": reason}


def test_a_bomb_is_refused():
    no = refused(("ada/bomb", bytes(30 * 2**20)), compression=zipfile.ZIP_DEFLATED)
    assert no == {"ada/bomb": "more than 200 times as large as it is packed"}


def test_a_bomb_that_lies_about_its_size_gives_no_more_than_it_says():
    data = packed(("bomb", bytes(2**20)), compression=zipfile.ZIP_DEFLATED)
    (file,), _ = opened(data.replace(struct.pack("<I", 2**20), struct.pack("<I", 10)))
    with pytest.raises(Refused, match="damaged"):
        file.read()


def test_what_is_too_large_or_too_many_is_refused(monkeypatch):
    assert refused(("large", bytes(65 * 2**20))) == {"large": "larger than 64 MiB"}
    files, no = opened(packed(*((f"{i}", bytes(10)) for i in range(5))), most_files=3)
    assert (len(files), no) == (3, dict.fromkeys("34", "beyond 3 files"))
    monkeypatch.setattr(archive, "MOST_BYTES_OF_ONE", 2**21)
    files, no = opened(packed(("a", bytes(2**20)), ("b", bytes(2**20)), ("c", b"")), most_bytes=2**20)
    assert ([file.name for file in files], no) == (["a", "c"], {"b": "beyond 1 MiB of all files together"})


def test_what_is_encrypted_is_refused():
    data = bytearray(packed(GOOD, ("ada/secret", b"secret")))
    place = data.rindex(b"PK\1\2")
    data[place + 8] |= 1
    files, no = opened(bytes(data))
    assert len(files) == 1 and no == {"ada/secret": "encrypted"}


@pytest.mark.parametrize("says_utf_8", [True, False])
def test_a_name_that_is_not_utf_8_is_refused(says_utf_8):
    data = packed(GOOD, ("ada/\u00fcxx", b"evil")).replace("\u00fc".encode(), b"\xfc\x28")
    if not says_utf_8:
        data = bytearray(data)
        for sign, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            place = data.rindex(sign) + offset
            data[place : place + 2] = struct.pack("<H", struct.unpack("<H", data[place : place + 2])[0] & ~0x800)
    files, no = opened(bytes(data))
    assert [file.read() for file in files] == [b"good"]
    assert list(no.values()) == ["a name that is not UTF-8"]


def test_a_name_in_utf_8_that_does_not_say_so_is_read():
    data = packed(("\u00fcbung.ipynb", b"good"))
    for sign, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = data.index(sign) + offset
        data = data[:place] + b"\0\0" + data[place + 2 :]
    (file,), no = opened(data)
    assert (file.path, no) == (("\u00fcbung.ipynb",), {})


def test_a_damaged_file_costs_itself_alone():
    data = packed(("a", b"first content"), ("b", b"second content")).replace(b"first content", b"worse content")
    (a, b), _ = opened(data)
    assert b.read() == b"second content"
    with pytest.raises(Refused, match="damaged"):
        a.read()


@pytest.mark.parametrize(
    "data",
    [b"", b"no zip", packed(GOOD)[:40], packed(GOOD)[:-5]],
    ids=["nothing", "no zip", "its beginning", "without its end"],  # its bytes hold the time
)
def test_what_is_no_zip_is_refused_altogether(data):
    with pytest.raises(Refused, match="no zip that can be read"):
        opened(data)


def test_a_folder_is_trusted_no_more(tmp_path: Path):
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "x.ipynb").write_bytes(b"good")
    (tmp_path / "ada" / "link.ipynb").symlink_to("/etc/passwd")
    (tmp_path / "ben").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / os.fsdecode(b"b\xfcro")).write_bytes(b"")
    files, no = opened(tmp_path)
    assert [(file.path, file.read()) for file in files] == [(("ada", "x.ipynb"), b"good")]
    assert no == {
        "ada/link.ipynb": "a link",
        "ben": "a link",
        "pipe": "no plain file",
        no_utf_8(no): "a name that is not UTF-8",
    }


def no_utf_8(names: dict[str, str]) -> str:
    return next(name for name in names if name.startswith("b\\"))


def test_a_time_is_told_where_it_is_known():
    told = entry("utc")
    told.extra = struct.pack("<HHBi", 0x5455, 5, 1, 1_790_000_000)
    files, _ = opened(packed((entry("local"), b""), (told, b""), (entry("none", date=(1980, 1, 1, 0, 0, 0)), b""),
                             (entry("to-come", date=(2099, 1, 1, 0, 0, 0)), b"")))  # fmt: skip
    times = {file.name: file.time for file in files}
    assert times["local"] == datetime(2026, 11, 20, 10).astimezone(UTC)
    assert times["none"] is None and times["to-come"] is None
    assert times["utc"] in (datetime.fromtimestamp(1_790_000_000, UTC), None)  # None where that is to come


NAMES = st.lists(st.sampled_from(["..", ".", "", "a", "Ä", "a\u0308", "C:", "x" * 90, "\\", "\0", "\ud800", "con"]))


@given(NAMES.map("/".join))
def test_whatever_the_name_the_path_stays_inside(name):
    try:
        parts = safe(name)
    except Refused:
        return
    assert parts and not {"..", ".", ""} & set(parts)
    assert all(part == unicodedata.normalize("NFC", part) and "/" not in part and "\0" not in part for part in parts)
    assert Path("/inside", *parts).is_relative_to("/inside")


@given(st.binary(max_size=60), st.integers(0, 400))
def test_whatever_is_changed_in_a_zip_nothing_but_a_refusal_is_raised(noise, place):
    data = bytearray(packed(GOOD, (entry("ben/\u00fc.ipynb"), b"text" * 50), compression=zipfile.ZIP_DEFLATED))
    data[place : place + len(noise)] = noise
    try:
        for file in opened(bytes(data))[0]:
            file.read()
    except Refused:
        pass
