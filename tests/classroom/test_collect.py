"""What a class uploads comes to its place, whatever the site and whatever the names; what does not is told with the reason."""

import io
import json
import os
import shutil
import unicodedata
import zipfile
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_lab.classroom.archive import Refused
from attention_lab.classroom.collect import (
    Roster,
    Row,
    Who,
    collect,
    failed,
    identified,
    keys,
    safe_id,
)
from attention_lab.classroom.standing import NOTE, why_not

ROOT = Path(__file__).parents[2]
LESSON, NAME = "02-squeeze-excitation", "squeeze-excitation.ipynb"
OTHER = "03-cbam"
EARLY, LATER = (2026, 11, 20, 10, 0, 0), (2026, 11, 21, 10, 0, 0)


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("released")
    for lesson in (LESSON, OTHER, "04-bam"):
        shutil.copytree(ROOT / "notebooks" / lesson, root / "notebooks" / lesson)
    return root


@pytest.fixture
def course(released, tmp_path) -> Path:
    return shutil.copytree(released, tmp_path / "course")


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


ADA, BEN = notebook("by ada"), notebook("by ben")


@pytest.mark.parametrize(
    ("files", "students"),
    [
        ({f"Ada Lovelace_123_assignsubmission_file_/{NAME}": ADA, f"Ben Åberg_124_assignsubmission_file_/{NAME}": BEN},
         ("ada-lovelace", "ben-aberg")),
        ({f"Ada Lovelace_123_assignsubmission_file_{NAME}": ADA, f"Ben Åberg_124_assignsubmission_file_{NAME}": BEN},
         ("ada-lovelace", "ben-aberg")),
        ({f"Abgabe 2-99/Ada Lovelace_123_assignsubmission_file_/{NAME}": ADA}, ("ada-lovelace",)),
        ({f"lovelaceada_12_34_{NAME}": ADA, "abergben_LATE_13_35_squeeze-excitation-1.ipynb": BEN},
         ("lovelaceada", "abergben")),
        ({f"ada/{NAME}": ADA, f"ben/{NAME}": BEN}, ("ada", "ben")),
        ({f"ada/{LESSON}/{NAME}": ADA, f"ben/{LESSON}/{NAME}": BEN}, ("ada", "ben")),
        ({f"{LESSON}/ada/{NAME}": ADA, f"{LESSON}/ben/{NAME}": BEN}, ("ada", "ben")),
        ({f"submissions/Downloads/ada/{NAME}": ADA, f"submissions/Downloads/ben/{NAME}": BEN}, ("ada", "ben")),
        ({f"attention-lab/notebooks/{LESSON}/ada.ipynb": ADA, f"attention-lab/notebooks/{LESSON}/ben.ipynb": BEN},
         ("ada", "ben")),
        ({"ada.ipynb": ADA, "ben.ipynb": BEN}, ("ada", "ben")),
        ({"squeeze-excitation_ada.ipynb": ADA, "Ben - Squeeze Excitation (1).ipynb": BEN}, ("ada", "Ben")),
        ({"ada.zip": packed({NAME: ADA}), "ben.zip": packed({f"x/{NAME}": BEN, "__MACOSX/._x": b""})}, ("ada", "ben")),
    ],
    ids=["moodle", "moodle-flat", "moodle-in-a-folder", "canvas", "folders", "lesson-inside", "lesson-outside",
         "wrapped", "kit-around", "files", "files-named-as-the-lesson", "zips"],
)  # fmt: skip
def test_every_site_is_understood(course, files, students):
    rows = take(course, files)
    assert placed(course) == {f"{name}/{LESSON}/{NAME}": content for name, content in zip(students, (ADA, BEN))}
    assert {row.told for row in rows} == {"placed"} and not failed(rows)


@pytest.mark.parametrize(
    "name",
    ["squeeze-excitation (1).ipynb", "Squeeze_Excitation-Copy1.ipynb", "SQUEEZE-EXCITATION.IPYNB", "Übung zwei.ipynb",
     unicodedata.normalize("NFD", "Lösung.ipynb"), "cbam.ipynb", "Unbenannt.ipynb", "Kopie von squeeze-excitation.ipynb"],
)  # fmt: skip
def test_a_renamed_notebook_is_known_by_its_cells(course, name):
    (row,) = take(course, {f"ada/{name}": ADA})
    assert placed(course) == {f"ada/{LESSON}/{NAME}": ADA}
    assert row.told == "placed" and row.remark == f"was {unicodedata.normalize('NFC', name)}"


@pytest.mark.parametrize("content", [b"", b"{", b'{"cells": []}'])
def test_one_that_cannot_be_read_is_known_by_its_name_and_told(course, content):
    (row,) = take(course, {"ada/squeeze-excitation (2).ipynb": content})
    assert placed(course) == {f"ada/{LESSON}/{NAME}": content}
    assert "not readable" in row.remark or "none of its cells" in row.remark


def test_without_nbgraders_metadata_ids_and_texts_still_tell_the_lesson(course):
    told = json.loads(ADA)
    for cell in told["cells"]:
        cell["metadata"] = {}
    (row,) = take(course, {"ada/mine.ipynb": json.dumps(told).encode()})
    assert row.told == "placed"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({f"ada/{NAME}": notebook("", OTHER)}, f"by its cells it is of {OTHER}"),
        ({"ada/cbam.ipynb": b""}, f"its name is of {OTHER}"),
        ({"ada/mine.ipynb": b'{"cells": []}'}, f"nothing says that it is of {LESSON}"),
        ({"ada/answers.docx": b"word"}, f"no notebook of {LESSON}"),
        ({"ada/all.rar": b"rar"}, "an archive that is no zip"),
        ({"ada/all.zip": b"no zip"}, "no zip that can be read"),
        ({"ada/all.zip": packed({"x.zip": packed({NAME: ADA})})}, "an archive in an archive"),
        ({"ada/all.zip": packed({f"../{NAME}": ADA})}, "a path that leaves the folder"),
    ],
    ids=["another-lesson", "another-name", "nothing-known", "no-notebook", "rar", "no-zip", "zip-in-zip", "hostile"],
)
def test_what_is_not_the_lesson_is_told_here_and_where_grades_are_asked_for(course, files, reason):
    rows = take(course, files)
    assert failed(rows) and all(row.told == "not placed" for row in rows) and any(reason in row.remark for row in rows)
    status, why = why_not(course / "submitted" / "ada" / LESSON, {NAME} if NAME not in str(files) else {NAME, "x"})
    assert reason in (course / "submitted" / "ada" / LESSON / NOTE).read_text()
    assert (status, reason in why) == ("not placed", True) or NAME in str(files)


def test_a_file_of_nobody_is_told(course):
    (row,) = take(course, {NAME: ADA})
    assert (row.student, row.told, row.remark) == ("", "not placed", "its name does not say whose it is")
    assert not placed(course)


def test_what_lies_around_makes_no_student(course):
    rows = take(course, {"grades.csv": b"", f"ada/{NAME}": ADA})
    assert [(row.student, row.file) for row in rows if row.told == "not placed"] == [("", "grades.csv")]
    assert [path.name for path in (course / "submitted").iterdir()] == ["ada"]


def test_nothing_at_all_is_a_failure(course):
    assert failed(take(course, {}))


ROSTER = """\
id,name,email
s1,Ada Lovelace,ada@example.org
s2,"Müller, Björn",b.mueller@example.org
s3,Jane van Doe,jane@example.org
s4,Jan Lee,jan.a@example.org
s5,Jan Lee,jan.b@example.org
"""


@pytest.mark.parametrize(
    ("name", "id"),
    [("Ada Lovelace_1_assignsubmission_file_", "s1"), ("Lovelace, Ada", "s1"), ("ada@example.org", "s1"), ("S1", "s1"),
     ("Björn Müller_1_assignsubmission_file_", "s2"), (unicodedata.normalize("NFD", "björn müller"), "s2"),
     ("Bjoern Mueller", "s2"), ("b.mueller", "s2"), ("Bjorn Muller", "s2"), ("Jane van Doe", "s3"), ("van Doe Jane", "s3")],
)  # fmt: skip
def test_the_list_of_students_gives_ids(course, name, id):
    take(course, {f"{name}/{NAME}": ADA}, ROSTER)
    assert placed(course) == {f"{id}/{LESSON}/{NAME}": ADA}


def test_canvas_writes_names_in_one_word(course):
    take(course, {f"muellerbjoern_1_2_{NAME}": ADA, f"vandoejane_3_4_{NAME}": BEN}, ROSTER)
    assert placed(course).keys() == {f"s2/{LESSON}/{NAME}", f"s3/{LESSON}/{NAME}"}


def test_who_is_not_in_the_list_is_told_and_placed(course):
    (row,) = take(course, {f"Eve/{NAME}": ADA}, ROSTER)
    assert (row.student, row.told, row.remark) == ("Eve", "placed", "not in the list of students")


def test_two_of_one_name_are_never_taken_for_one(course):
    names = [f"Jan Lee_{number}_assignsubmission_file_/{NAME}" for number in (7, 8)]
    for roster in ("", ROSTER):
        rows = take(course, dict(zip(names, (ADA, BEN))), roster)
        assert placed(course) == {f"jan-lee-7/{LESSON}/{NAME}": ADA, f"jan-lee-8/{LESSON}/{NAME}": BEN} or roster
        assert all("have this name" in row.remark for row in rows)
    rows = take(course, {f"Jan Lee/{NAME}": ADA}, ROSTER)
    assert rows[0].told == "not placed" and rows[0].remark == "s4, s5 have this name"
    rows = take(course, {f"Jan Lee/{NAME}": ADA, f"jan-lee/{NAME}": BEN})
    assert {row.told for row in rows} == {"not placed"} and "same id" in rows[0].remark


def test_a_student_who_is_there_in_other_capitals_is_the_same(course):
    (course / "submitted" / "Ada").mkdir(parents=True)
    (row,) = take(course, {f"ada/{NAME}": ADA})
    assert row.student == "Ada"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "no columns id and name"), ("name,email\n", "no columns id and name"), ("id,name\n../x,Eve\n", "line 2: ../x"),
     ("id,name\n,Eve\n", "line 2: nothing")],
)  # fmt: skip
def test_a_list_that_is_none_is_refused(tmp_path, text, reason):
    (tmp_path / "students.csv").write_text(text)
    with pytest.raises(Refused, match=reason):
        Roster(tmp_path / "students.csv")


def timestamp(course: Path, student: str = "ada") -> str:
    file = course / "submitted" / student / LESSON / "timestamp.txt"
    return file.read_text().strip() if file.exists() else ""


def utc(date: tuple) -> str:
    return datetime(*date).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def test_the_time_is_the_uploads_where_the_download_tells_one(course):
    take(course, {f"ada/{NAME}": ADA})
    assert timestamp(course) == utc(EARLY)
    take(course, {f"ben/{NAME}": ADA}, times=False)
    assert timestamp(course, "ben") == ""
    (row,) = take(course, {f"cyd_LATE_1_2_{NAME}": ADA})
    assert timestamp(course, "cyd") == "" and "LATE" in row.remark


def earlier(course: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in (course / "earlier" / "ada" / LESSON).glob(f"*/{NAME}")}


def test_a_newer_submission_wins_and_the_earlier_one_is_kept(course):
    take(course, {f"ada/{NAME}": ADA})
    (row,) = take(course, {f"ada/{NAME}": BEN}, date=LATER)
    assert (row.told, row.remark) == ("newer, placed", f"the earlier one: earlier/ada/{LESSON}/1")
    assert placed(course) == {f"ada/{LESSON}/{NAME}": BEN} and earlier(course) == {"1": ADA}
    assert timestamp(course) == utc(LATER)


@pytest.mark.parametrize("date", [EARLY, LATER])
def test_the_same_again_is_unchanged_and_keeps_its_time(course, date):
    take(course, {f"ada/{NAME}": ADA})
    (row,) = take(course, {f"ada/{NAME}": ADA}, date=date)
    assert row.told == "unchanged" and timestamp(course) == utc(EARLY) and not earlier(course)


def test_an_older_one_that_comes_later_is_kept_aside(course):
    take(course, {f"ada/{NAME}": ADA}, date=LATER)
    for _ in range(2):
        (row,) = take(course, {f"ada/{NAME}": BEN})
        assert placed(course) == {f"ada/{LESSON}/{NAME}": ADA} and earlier(course) == {"1": BEN}
    assert row.told == "unchanged"


def test_what_cannot_be_placed_takes_nothing_away(course):
    take(course, {f"ada/{NAME}": ADA})
    assert failed(take(course, {"ada/cbam.ipynb": notebook("", OTHER)}, date=LATER))
    assert placed(course) == {f"ada/{LESSON}/{NAME}": ADA}


def test_what_could_not_be_placed_is_kept_when_the_right_one_comes(course):
    wrong = notebook("", OTHER)
    take(course, {"ada/cbam.ipynb": wrong})
    take(course, {f"ada/{NAME}": ADA}, date=LATER)
    assert placed(course) == {f"ada/{LESSON}/{NAME}": ADA}
    assert (course / "earlier" / "ada" / LESSON / "1" / "cbam.ipynb").read_bytes() == wrong


def test_of_two_notebooks_the_newer_counts_else_the_one_with_the_name_and_the_other_is_kept(course):
    rows = take(course, {f"ada/{NAME}": ADA, "ada/squeeze-excitation-Copy1.ipynb": BEN})
    assert {row.file: row.told for row in rows} == {NAME: "placed", "squeeze-excitation-Copy1.ipynb": "kept aside"}
    assert placed(course) == {f"ada/{LESSON}/{NAME}": ADA} and earlier(course) == {"1": BEN}


def test_harmless_files_come_along_and_others_are_told(course):
    rows = take(
        course,
        {f"ada/{NAME}": ADA, "ada/helper.py": b"x", "ada/data/a.csv": b"1", "ada/torch.so": b"", "ada/timestamp.txt": b"0",
         "ada/.hidden": b"", f"ada/{OTHER}/cbam.ipynb": notebook("", OTHER), "ada/.ipynb_checkpoints/x.ipynb": ADA},
    )  # fmt: skip
    assert placed(course).keys() == {f"ada/{LESSON}/{name}" for name in (NAME, "helper.py", "data/a.csv")}
    assert timestamp(course) == utc(EARLY)
    assert {row.file: row.remark for row in rows if row.told == "left"} == {
        "torch.so": "compiled code",
        "timestamp.txt": "a name that the course uses for itself",
        ".hidden": "hidden",
        f"{OTHER}/cbam.ipynb": f"by its cells it is of {OTHER}",
    }
    assert not failed(rows)


def test_a_zip_in_an_upload_is_opened_once(course):
    mine = packed({f"attention-lab/notebooks/{LESSON}/{NAME}": ADA, "attention-lab/notebooks/index.ipynb": b"{}"})
    rows = take(course, {"Ada L_1_assignsubmission_file_/mine.zip": mine})
    assert placed(course) == {f"ada-l/{LESSON}/{NAME}": ADA} and not failed(rows)


def test_a_hostile_file_costs_itself_alone(course):
    rows = take(course, {f"../{NAME}": BEN, f"ada/{NAME}": ADA})
    assert failed(rows) and placed(course) == {f"ada/{LESSON}/{NAME}": ADA}
    assert not (course.parent / NAME).exists()


def test_who_has_handed_in_nothing_but_what_is_refused_is_not_absent(course):
    rows = take(
        course, {f"Mal O_15_assignsubmission_file_/../{NAME}": ADA, f"Ada L_1_assignsubmission_file_/{NAME}": ADA}
    )
    assert {row.student: row.told for row in rows} == {"ada-l": "placed", "mal-o": "not placed"}
    status, reason = why_not(course / "submitted" / "mal-o" / LESSON, {NAME})
    assert status == "not placed" and "a path that leaves the folder" in reason


def test_a_linked_folder_is_not_written_through(course, tmp_path):
    (tmp_path / "outside").mkdir()
    (course / "submitted").mkdir()
    (course / "submitted" / "ada").symlink_to(tmp_path / "outside")
    (row,) = take(course, {f"ada/{NAME}": ADA})
    assert row.told == "not placed" and not list((tmp_path / "outside").iterdir())


def mail(sender: str, name: str, content: bytes) -> bytes:
    message = EmailMessage()
    message["From"], message["Date"] = sender, "Fri, 20 Nov 2026 10:00:00 +0100"
    message.set_content("My work.")
    message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def test_mails_are_opened(course, tmp_path):
    (box := tmp_path / "mails").mkdir()
    (box / "1.eml").write_bytes(mail("Ada Lovelace <ada@example.org>", NAME, ADA))
    (box / "2.eml").write_bytes(mail("b.mueller@example.org", "../../evil.zip", packed({NAME: BEN})))
    (box / "3.eml").write_bytes(b"From: Eve <eve@example.org>\n\nForgot it.")
    (course / "students.csv").write_text(ROSTER, encoding="utf-8")
    rows = collect(box, course, LESSON, Roster(course / "students.csv"))
    assert placed(course) == {f"s1/{LESSON}/{NAME}": ADA, f"s2/{LESSON}/{NAME}": BEN}
    assert timestamp(course, "s1") == "2026-11-20 09:00:00 UTC"
    assert [row.remark for row in rows if row.told == "not placed"] == ["a mail with nothing attached"]


def test_a_folder_is_as_good_as_a_zip(course, tmp_path):
    (folder := tmp_path / "Abgabe" / "Ada Lovelace_1_assignsubmission_file_").mkdir(parents=True)
    (folder / NAME).write_bytes(ADA)
    os.utime(folder / NAME, (1_700_000_000, 1_700_000_000))
    collect(tmp_path / "Abgabe", course, LESSON)
    assert placed(course) == {f"ada-lovelace/{LESSON}/{NAME}": ADA}
    assert timestamp(course, "ada-lovelace") == "2023-11-14 22:13:20 UTC"


@given(st.text(max_size=80))
def test_an_id_names_one_folder_and_no_other_place(name):
    for keep in (False, True):
        id = safe_id(name, keep)
        assert id == "" or (Path("/submitted", id).parent == Path("/submitted") and not set(id) & set("*?[]/\\\0 \n"))
        assert not id.startswith((".", "-")) and len(id.encode()) <= 240
    assert safe_id(safe_id(name, True), True) == safe_id(name, True)


WORDS = st.lists(st.text("abcäöüßéÅ", min_size=1, max_size=6), min_size=1, max_size=3, unique=True)


@given(
    WORDS, st.sampled_from(["NFC", "NFD"]), st.sampled_from([str.upper, str.lower, str.title]), st.sampled_from(" _,-")
)
def test_a_name_is_found_however_it_is_written(words, form, case, between):
    written = unicodedata.normalize(form, case(between.join(words)))
    assert set(keys(written, turned=False)) & set(keys(" ".join(words)))


@given(st.lists(st.builds(Who, st.text(max_size=8), st.text("0123456789", max_size=3)), unique=True, max_size=6))
def test_different_people_never_have_one_id(people):
    ids = [id for id, _ in identified(people, None, {}).values() if id]
    assert len({id.casefold() for id in ids}) == len(ids)
