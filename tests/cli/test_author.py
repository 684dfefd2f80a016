"""What an author calls."""

from called import called

from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.properties import GENERAL


def test_misconceptions_lists_every_mistake_with_its_exercise_question_and_equation(tmp_path):
    listed = called("misconceptions", cwd=tmp_path).stdout
    for exercise in EXERCISES.values():
        for told in exercise.misconceptions:
            assert f"  {exercise.key}: {told.id}\n" in listed
            assert told.name in listed and told.question in listed and told.equation in listed
    for told in GENERAL:
        assert f"  any: {told.id}\n" in listed


def test_misconceptions_of_a_lesson_as_a_table_and_as_a_page(tmp_path):
    table = called("misconceptions", "--lesson", "03", "--format", "csv", cwd=tmp_path).stdout
    page = called("misconceptions", "--lesson", "03-cbam", "--format", "md", cwd=tmp_path).stdout
    assert table.startswith("lesson,exercise,id,name,question,equation\n") and "\n03-cbam,cbam," in table
    assert page.startswith("# Misconceptions\n") and "\n### cbam\n" in page
    assert "squeeze-excitation" not in table + page
    unknown = called("misconceptions", "--lesson", "99", cwd=tmp_path)
    assert unknown.returncode == 2 and unknown.stderr.startswith("Error: there is no lesson 99; the lessons are 01-")
