"""The catalogue of misconceptions, in three forms of the same entries."""

import csv

from attention_lab.grading.catalogue import EVERYWHERE, as_csv, as_markdown, as_text, misconceptions
from attention_lab.grading.exercises import EXERCISES, LESSONS
from attention_lab.grading.properties import GENERAL


def test_every_misconception_is_listed_once_at_every_exercise_where_it_can_be_made():
    listed = [(entry.exercise, entry.id, entry.name) for entry in misconceptions()]
    known = {(exercise.key, told.id, told.name) for exercise in EXERCISES.values() for told in exercise.misconceptions}
    assert len(listed) == len(set(listed))
    assert set(listed) == known | {("any", told.id, told.name) for told in GENERAL}


def test_those_of_one_lesson_come_with_those_of_every_exercise():
    assert {entry.lesson for entry in misconceptions(["03-cbam"])} == {EVERYWHERE, "03-cbam"}
    assert {entry.lesson for entry in misconceptions()} == {EVERYWHERE, *LESSONS}


def test_the_table_holds_every_entry_in_full():
    header, *rows = csv.reader(as_csv(misconceptions()).splitlines())
    assert header == ["lesson", "exercise", "id", "name", "question", "equation"]
    assert [tuple(row) for row in rows] == misconceptions()


def test_text_and_page_tell_every_question():
    text, page = as_text(misconceptions()), as_markdown(misconceptions()).replace("\\", "")
    for entry in misconceptions():
        assert f"  {entry.exercise}: {entry.id}\n" in text and entry.question in text
        assert page.count(f'<a id="{entry.exercise}-{entry.id}"></a>') == 1 and entry.question.replace("\\", "") in page
