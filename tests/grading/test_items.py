"""What a notebook asks is read from its cells, as far as they can be believed."""

import json
from pathlib import Path

import pytest

from attention_lab.grading.exercises import LESSONS
from attention_lab.grading.items import Item, items_in, items_of

ROOT = Path(__file__).parents[2]
LESSON = "02-squeeze-excitation"
CHECK = {"cell_type": "code", "source": 'check("squeeze-shape", squeeze)', "metadata": {}}
SHAPE = Item("squeeze", "squeeze-shape", 1)


def graded(source: str = "assert True", kind: str = "code", **about: object) -> dict:
    roles = {"grade": True, "solution": False, "grade_id": "own", "points": 2}
    return {"cell_type": kind, "source": source, "metadata": {"nbgrader": roles | about}}


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_as_it_is_handed_out_asks_what_the_course_asks(lesson):
    notebook = json.loads((ROOT / "notebooks" / lesson / f"{lesson[3:]}.ipynb").read_text(encoding="utf-8"))
    assert sorted(items_in(lesson, notebook["cells"])) == sorted(items_of(lesson))


def test_a_check_gives_the_points_of_its_exercise_whatever_its_metadata_say():
    assert items_in(LESSON, [CHECK]) == [SHAPE]
    assert items_in(LESSON, [graded(CHECK["source"], grade_id="squeeze-shape", points=100)]) == [SHAPE]


def test_an_own_test_is_a_part_of_the_exercise_above_it_or_of_none():
    answer = graded("def squeeze(x): ...", grade_id="squeeze", grade=False, solution=True)
    assert items_in(LESSON, [answer, CHECK, graded()]) == [SHAPE, Item("squeeze", "own", 2, "assert True")]
    assert items_in(LESSON, [graded(), answer, CHECK])[0] == Item("own", "own", 2, "assert True")


def test_an_own_question_is_read_by_a_person():
    asked = graded("YOUR ANSWER HERE", "markdown", grade_id="why", solution=True)
    assert items_in(LESSON, [CHECK, asked])[1] == Item("why", "why", 2, read=True)


def test_a_cell_that_a_learner_has_pasted_twice_counts_once():
    assert items_in(LESSON, [CHECK, graded(), CHECK, graded("assert 1")]) == items_in(LESSON, [CHECK, graded()])


@pytest.mark.parametrize("about", ["yes", None, {"grade": 1}, {"grade": True, "grade_id": 3, "points": "many"}])
def test_metadata_that_cannot_be_are_none(about):
    odd = {"cell_type": "code", "source": "1", "metadata": {"nbgrader": about}}
    assert items_in(LESSON, [CHECK, odd]) == [SHAPE]


@pytest.mark.parametrize("cells", [[], [graded()], [{"cell_type": "code"}]])
def test_a_notebook_with_nothing_of_the_lesson_says_nothing_of_it(cells):
    assert items_in(LESSON, cells) == items_of(LESSON)


def test_the_text_of_a_lesson_is_known_by_its_cells_id_where_another_editor_lost_its_metadata():
    [text] = items_in("08-attention-in-networks", [{"cell_type": "markdown", "id": "report", "source": "So."}])
    assert (text.id, text.points, text.read) == ("report", 5, True)
