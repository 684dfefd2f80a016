"""What a graded notebook says: exercises with their points, who has yet to read what, and each mistake once."""

import pytest
from graded import answer, checked, error, read_by_a_person, told
from nbformat.v4 import new_code_cell, new_markdown_cell

from attention_lab.feedback.marks import Exercise, Fold, Mark, mistakes, sections


def found(*cells, waiting=()) -> list[str]:
    """The sections in their order, folds as their number of cells."""
    return [
        section.id if isinstance(section, Exercise) else len(section.cells)
        for section in sections(list(cells), set(waiting))
    ]


def exercises(*cells, waiting=()) -> list[Exercise]:
    return [section for section in sections(list(cells), set(waiting)) if isinstance(section, Exercise)]


TEXT = new_markdown_cell("text")


def test_an_answer_and_its_tests_are_an_exercise_and_all_else_is_folded():
    cells = [TEXT, TEXT, answer("a"), checked("a-shape", 1, 1), TEXT, checked("a-values", 0, 2), TEXT]
    assert found(*cells) == [2, "a", 1]
    (exercise,) = exercises(*cells)
    assert exercise.mark == Mark(1, 3)
    assert [isinstance(part, Fold) for part in exercise.parts] == [False, False, True, False]
    assert [exercise.label(part) for part in exercise.parts if not isinstance(part, Fold)] == ["a", "shape", "values"]


def test_a_test_of_an_id_of_its_own_stands_for_itself():
    assert found(answer("f"), checked("test_f", 1, 1), checked("test_g", 1, 1)) == ["f", "test_f", "test_g"]
    assert exercises(answer("f"))[0].mark is None


def test_empty_cells_are_left_out():
    assert found(new_code_cell(" \n"), answer("a"), new_code_cell("")) == ["a"]


def test_what_a_person_has_yet_to_read_counts_as_waiting():
    text, code = read_by_a_person("text", 0, 3), answer("a")
    assert exercises(text, code, waiting=["text"])[0].mark == Mark(0, 3, 3)
    assert [exercises(text, waiting=waiting)[0].mark.state for waiting in (["text"], [])] == ["waiting", "failed"]


def test_a_fold_is_called_by_its_headings():
    assert Fold([new_markdown_cell("# A\n\ntext\n\n## B  \n"), new_code_cell("# no heading")]).title == "A · B"
    assert Fold([TEXT]).title == "Text"
    assert Fold([new_code_cell("# no heading")]).title == "Code"


def test_a_fold_says_whether_a_cell_in_it_failed():
    assert Fold([new_code_cell("1 / 0", outputs=[error("ZeroDivisionError", "")])]).failed
    assert not Fold([new_code_cell("1"), TEXT]).failed


def said(*cells) -> list[tuple[str, str, str]]:
    return [(each.exercise, each.place, each.told.name) for each in mistakes(exercises(*cells))]


def test_a_mistake_that_several_tests_see_is_told_once_at_the_first():
    maximum = told("the maximum, not the average", "Which statistic?", "z = mean x")
    cells = [answer("a"), checked("a-1", 0, 1, maximum), checked("a-2", 0, 1, maximum)]
    assert said(*cells) == [("a", "test-a-1", "the maximum, not the average")]
    (mistake,) = mistakes(exercises(*cells))
    assert (mistake.told.question, mistake.told.equation) == ("Which statistic?", "z = mean x")


def test_of_a_mistake_without_a_name_the_error_is_told():
    assert said(answer("a"), checked("a-1", 0, 1, told(), error("CheckFailed", "a-1: got 1,\nexpected 2."))) == [
        ("a", "test-a-1", "a-1: got 1, expected 2.")
    ]
    stub = error("NotImplementedError", "a is still a stub")
    assert said(answer("a"), checked("a-1", 0, 1, stub)) == [("a", "test-a-1", "a is still a stub")]
    assert said(checked("own", 0, 1, error("AssertionError", ""))) == [("own", "test-own", "AssertionError")]


def test_where_the_answer_itself_ends_with_an_error_that_is_the_reason():
    broken = answer("a", outputs=(error("SyntaxError", "invalid syntax"),))
    undefined = error("NameError", "name 'f' is not defined")
    assert said(broken, checked("a-1", 0, 1, undefined), checked("a-2", 0, 1, undefined)) == [
        ("a", "answer-a", "SyntaxError: invalid syntax")
    ]


def test_who_has_all_points_of_a_test_has_made_no_mistake_there():
    maximum = told("the maximum, not the average")
    assert said(answer("a"), checked("a-1", 1, 1, maximum), read_by_a_person("text", 1, 3)) == []


def test_why_what_follows_through_has_its_points_is_told():
    follows = told("squeeze fails; what you wrote here is right: its points are given", id="follow-through")
    (mistake,) = mistakes(exercises(answer("a"), checked("a-1", 1, 1, follows)))
    assert mistake.told.name.endswith("its points are given")


def test_data_of_another_kind_are_told_as_text():
    assert said(checked("a", 0, 1, told(["a"]))) == [("a", "test-a", "['a']")]
    other = told()
    other.metadata.attention_lab = "a"
    assert said(checked("a", 0, 1, other, error("E", "b"))) == [("a", "test-a", "E: b")]


@pytest.mark.parametrize("file", ["<ipython-input-5-68e332a8a570>", "3141592653.py", "<unknown>"])
def test_a_cell_that_could_not_be_read_is_told_without_the_file_that_ipython_makes_up(file):
    cells = [
        answer("a", outputs=(error("SyntaxError", f"'(' was never closed ({file}, line 2)"),)),
        checked("a-1", 0, 1),
    ]
    assert said(*cells) == [("a", "answer-a", "SyntaxError: '(' was never closed (line 2)")]
