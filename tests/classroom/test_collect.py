"""What a class uploads comes to its place; what does not is told with the reason."""

from pathlib import Path

import pytest
from uploading import (
    ADA,
    BEN,
    EARLY,
    LATER,
    LESSON,
    NAME,
    OTHER,
    a_course,
    earlier,
    notebook,
    packed,
    placed,
    take,
    timestamp,
    utc,
)

from attention_lab.classroom.collect import failed
from attention_lab.classroom.standing import NOTE, why_not


@pytest.fixture
def course(tmp_path) -> Path:
    return a_course(tmp_path / "course")


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


def test_nothing_at_all_is_a_failure(course):
    assert failed(take(course, {}))


def test_what_cannot_be_placed_takes_nothing_away(course):
    take(course, {f"ada/{NAME}": ADA})
    assert failed(take(course, {"ada/cbam.ipynb": notebook("", OTHER)}, date=LATER))
    assert placed(course) == {f"ada/{LESSON}/{NAME}": ADA}


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
