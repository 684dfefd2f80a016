"""The newest submission is graded, and no earlier one is lost."""

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
    placed,
    take,
    timestamp,
    utc,
)


@pytest.fixture
def course(tmp_path) -> Path:
    return a_course(tmp_path / "course")


def test_the_time_is_the_uploads_where_the_download_tells_one(course):
    take(course, {f"ada/{NAME}": ADA})
    assert timestamp(course) == utc(EARLY)
    take(course, {f"ben/{NAME}": ADA}, times=False)
    assert timestamp(course, "ben") == ""
    (row,) = take(course, {f"cyd_LATE_1_2_{NAME}": ADA})
    assert timestamp(course, "cyd") == "" and "LATE" in row.remark


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


def test_what_could_not_be_placed_is_kept_when_the_right_one_comes(course):
    wrong = notebook("", OTHER)
    take(course, {"ada/cbam.ipynb": wrong})
    take(course, {f"ada/{NAME}": ADA}, date=LATER)
    assert placed(course) == {f"ada/{LESSON}/{NAME}": ADA}
    assert (course / "earlier" / "ada" / LESSON / "1" / "cbam.ipynb").read_bytes() == wrong


def test_a_linked_folder_is_not_written_through(course, tmp_path):
    (tmp_path / "outside").mkdir()
    (course / "submitted").mkdir()
    (course / "submitted" / "ada").symlink_to(tmp_path / "outside")
    (row,) = take(course, {f"ada/{NAME}": ADA})
    assert row.told == "not placed" and not list((tmp_path / "outside").iterdir())
