"""What is counted: who has what, which exercises tell learners apart, who holds which misconception, who is stuck."""

import pytest
from classmates import MAXIMUM, STUB, learner, solved
from graded import error, read_by_a_person, told

from attention_lab.overview.tally import Bar, bars, consequences, held, stopped, tallies, untouched


def test_an_exercise_says_how_many_have_it_whole_in_part_and_not():
    (tally,) = tallies([learner(str(i), *solved("a", points, 4)) for i, points in enumerate((4, 4, 1, 0))])
    assert (tally.whole, tally.part, tally.none, tally.share) == (2, 1, 1, 9 / 16)


def test_exercises_stand_in_the_order_of_the_lesson():
    assert [tally.id for tally in tallies([learner("ada", *solved("b", 1, 1), *solved("a", 1, 1))])] == ["b", "a"]


def class_of(pairs: list[tuple[int, int]]):
    return tallies([learner(str(i), *solved("a", a, 4), *solved("b", b, 4)) for i, (a, b) in enumerate(pairs)])[0]


@pytest.mark.parametrize(
    ("rest", "discrimination", "words"),
    [
        ((0, 1, 2, 4), 1, "mostly has the rest too"),
        ((4, 3, 2, 0), -1, "tends to fail here"),
        ((2, 2, 2, 2), None, "tells nobody apart"),
    ],
)
def test_an_exercise_says_whether_who_has_it_has_the_rest(rest, discrimination, words):
    tally = class_of([*zip((0, 1, 2, 4), rest)] * 3)
    assert tally.discrimination == pytest.approx(discrimination)
    assert words in tally.sentence


def test_of_few_learners_nothing_is_said_about_who_has_the_rest():
    assert "Too few to say" in class_of([(0, 0), (4, 4)]).sentence


@pytest.mark.parametrize(("points", "word"), [(4, "Easy: 100%"), (2, "Neither easy nor hard: 50%"), (1, "Hard: 25%")])
def test_an_exercise_says_how_hard_it_is(points, word):
    assert class_of([(points, 1)]).sentence.startswith(word)


def test_an_exercise_without_points_does_not_count():
    assert tallies([learner("ada", *solved("a", 0, 0))])[0].sentence == "Does not count: it has 0 points."


def test_what_nobody_has_read_is_no_zero():
    text = read_by_a_person("text", 0, 3)
    graded = [learner("ada", *solved("a", 1, 1), text, waiting=("text",)), learner("ben", *solved("a", 1, 1), text)]
    tally = tallies(graded)[1]
    assert (tally.none, tally.waiting, tally.is_read) == (1, 1, False)
    assert "before more of it is read" in tally.sentence


def test_a_text_that_waits_counts_in_nobodys_rest():
    def one(name, points, text, waiting):
        return learner(name, *solved("a", points, 1), *solved("b", points, 1), text, waiting=waiting)

    rest = [one("ada", 1, read_by_a_person("text", 0, 9), ("text",)), one("ben", 0, read_by_a_person("text", 0, 9), ())]
    more = [one("cleo", 1, read_by_a_person("text", 9, 9), ())]
    assert tallies(rest + more)[0].discrimination == pytest.approx(1)


def test_scores_are_counted_by_whole_points():
    assert bars([0, 0.5, 2, 3], 3) == [Bar(0, 0, 2), Bar(1, 1, 0), Bar(2, 2, 1), Bar(3, 3, 1)]


def test_many_points_share_a_bar_and_none_is_lost():
    made = bars([0, 20, 21, 40, 41.5], 41)
    assert (made[0], made[-1], len(made)) == (Bar(0, 2, 1), Bar(42, 42, 0), 15)
    assert sum(bar.count for bar in made) == 5


def test_the_misconception_of_the_most_learners_stands_first_with_who_holds_it():
    other = told("another axis, in line 2", "Along which axis?", id="axis")
    same = told("another axis, in line 7", "Along which axis?", id="axis")
    graded = [
        learner("ada", *solved("a", 0, 1, MAXIMUM), *solved("b", 0, 1, MAXIMUM)),
        learner("ben", *solved("a", 0, 1, other)),
        learner("cleo", *solved("a", 0, 1, same)),
        learner("dan", *solved("a", 1, 1, MAXIMUM)),
    ]
    axis, maximum = held(graded)
    assert (axis.id, axis.learners, len(axis.names)) == ("axis", {"ben", "cleo"}, 2)
    assert (maximum.learners, list(maximum.exercises), maximum.question) == ({"ada"}, ["a", "b"], "Which statistic?")


def test_one_id_with_another_question_is_another_misconception():
    other = told("the maximum of a map", "Which map?", id="maximum")
    assert len(held([learner("ada", *solved("a", 0, 1, MAXIMUM), *solved("b", 0, 1, other))])) == 2


def test_what_an_earlier_answer_costs_is_no_misconception_but_told_apart():
    follows = told("squeeze fails; what you wrote is right for it", "Which check?", id="follow-through")
    earlier = told("squeeze fails", "Which check?", id="earlier-answer")
    graded = [
        learner("ada", *solved("a", 0, 1, MAXIMUM), *solved("b", 0, 1, follows)),
        learner("ben", *solved("a", 0, 1, MAXIMUM), *solved("b", 0, 1, earlier)),
    ]
    assert [one.id for one in held(graded)] == ["maximum"]
    assert {id: [one.learners for one in lost] for id, lost in consequences(graded).items()} == {
        "follow-through": [{"ada"}],
        "earlier-answer": [{"ben"}],
    }


def test_who_is_stuck_is_told_by_exercise_and_reason():
    syntax = (error("SyntaxError", "invalid syntax"),)
    graded = [
        learner("ada", *solved("a", 1, 1), *solved("b", 0, 1, STUB)),
        learner("ben", *solved("a", 1, 1), *solved("b", 0, 1, error("NameError", "b"), ends=syntax)),
        learner("cleo", *solved("a", 0, 1, told(), error("CheckFailed", "got 1")), *solved("b", 0, 1, MAXIMUM)),
    ]
    found = stopped(graded)
    assert (found["b"].stubs, found["b"].errors, found["b"].unnamed) == ({"ada"}, {"SyntaxError": {"ben"}}, set())
    assert found["a"].unnamed == {"cleo"}


def test_who_has_written_nothing_is_told_once_and_not_at_every_exercise():
    nothing = learner("ada", *solved("a", 0, 1, STUB), *solved("b", 0, 1, STUB))
    assert (untouched([nothing]), stopped([nothing])) == ({"ada"}, {})
    assert untouched([learner("ben", *solved("a", 0, 1, STUB), *solved("b", 0, 1, MAXIMUM))]) == set()
    assert untouched([learner("cleo", *solved("a", 1, 1))]) == set()
