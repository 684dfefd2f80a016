"""Why somebody has no grade is told apart: a word for each case, and the reason in a few."""

from pathlib import Path

import pytest

from attention_lab.classroom.standing import NOTE, UNGRADED, why_not

FILES = {
    "absent": {},
    "not readable": {"lesson.ipynb": "{"},
    "renamed": {"lesson (1).ipynb": "{}"},
    "not placed": {NOTE: "cbam.ipynb: of another lesson\n", "cbam.ipynb": "{}"},
    "not graded yet": {"lesson.ipynb": '{"cells": []}', NOTE: "before it was renamed by hand"},
}


@pytest.mark.parametrize("status", FILES)
def test_each_has_a_word_of_its_own(tmp_path: Path, status):
    for name, text in FILES[status].items():
        (tmp_path / name).write_text(text)
    word, reason = why_not(tmp_path, {"lesson.ipynb"})
    assert word == status and word in UNGRADED
    assert reason == "cbam.ipynb: of another lesson" or status != "not placed"
    assert ("lesson (1).ipynb" in reason and "collect" in reason) or status != "renamed"


def test_a_link_is_refused_and_a_pipe_is_not_read(tmp_path: Path):
    (tmp_path / "lesson.ipynb").symlink_to("/etc/passwd")
    assert why_not(tmp_path, {"lesson.ipynb"}) == ("refused", "lesson.ipynb is a link")


def test_who_has_no_folder_is_absent():
    assert why_not(None, {"lesson.ipynb"})[0] == "absent"
