"""Where a command finds no course and no lesson, one line says what to do."""

import re

import pytest
from called import apart


@pytest.mark.parametrize("command", [["lab", "--instructor"], ["release"], ["report", "01-doubling"], ["handout"]])
def test_outside_a_checkout_every_command_says_so_in_one_line(command, tmp_path):
    done = apart(*command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"Error: .* is not inside a checkout of attention-lab: .*\n", done.stderr)


@pytest.mark.parametrize("command", ["lab", "progress"])
def test_away_from_all_lessons_a_learner_is_told_in_one_line_where_to_go(command, tmp_path):
    done = apart(command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"Error: .* holds no lesson, nor does a folder above: go into the unzipped kit, .*\n", done.stderr
    )


def test_lab_says_which_lesson_it_does_not_find(course):
    done = apart("lab", "99-nothing", cwd=course)
    assert (done.returncode, done.stderr) == (2, f"Error: {course / 'notebooks'} holds no lesson 99-nothing.\n")
