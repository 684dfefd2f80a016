"""A rubric is read from the text that its author wrote."""

import pytest

from attention_lab.grading.rubric import model_answer, rubric

TEXT = "| points | for |\n| --- | --- |\n| 1 | **gate**: each alone |\n| 0.5 | an example |\n\nIt depends on $x$.\n"


def test_a_rubric_is_a_table_of_points_and_the_rest_is_the_model_answer():
    assert rubric(TEXT) == [(1, "**gate**: each alone"), (0.5, "an example")]
    assert model_answer(TEXT) == "It depends on $x$."


@pytest.mark.parametrize("text", ["It depends.", "| seed | error |\n| --- | --- |\n| 1 | 2 |\n"])
def test_a_text_without_such_a_table_has_none(text):
    assert rubric(text) == [] and model_answer(text) == text.strip()


def test_a_line_that_does_not_begin_with_points_is_named():
    with pytest.raises(ValueError, match=r"not .* many . a good one"):
        rubric(TEXT.replace("0.5 | an example", "many | a good one"))
