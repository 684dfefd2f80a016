"""Whatever the site, what a class uploads is understood."""

import os
from email.message import EmailMessage
from pathlib import Path

import pytest
from uploading import ADA, BEN, LESSON, NAME, ROSTER, a_course, packed, placed, take, timestamp

from attention_lab.classroom.collect import collect, failed
from attention_lab.classroom.roster import Roster


@pytest.fixture
def course(tmp_path) -> Path:
    return a_course(tmp_path / "course")


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


def test_what_lies_around_makes_no_student(course):
    rows = take(course, {"grades.csv": b"", f"ada/{NAME}": ADA})
    assert [(row.student, row.file) for row in rows if row.told == "not placed"] == [("", "grades.csv")]
    assert [path.name for path in (course / "submitted").iterdir()] == ["ada"]


def test_a_file_of_nobody_is_told(course):
    (row,) = take(course, {NAME: ADA})
    assert (row.student, row.told, row.remark) == ("", "not placed", "its name does not say whose it is")
    assert not placed(course)


def test_a_zip_in_an_upload_is_opened_once(course):
    mine = packed({f"attention-lab/notebooks/{LESSON}/{NAME}": ADA, "attention-lab/notebooks/index.ipynb": b"{}"})
    rows = take(course, {"Ada L_1_assignsubmission_file_/mine.zip": mine})
    assert placed(course) == {f"ada-l/{LESSON}/{NAME}": ADA} and not failed(rows)


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
