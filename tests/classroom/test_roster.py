"""A student is found however the name is written, and two are never taken for one."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uploading import ADA, BEN, LESSON, NAME, ROSTER, a_course, placed, take

from attention_lab.classroom.archive import Refused
from attention_lab.classroom.roster import Roster, Who, identified, keys, safe_id


@pytest.fixture
def course(tmp_path) -> Path:
    return a_course(tmp_path / "course")


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
