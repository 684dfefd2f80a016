"""The page of a class as its teacher sees it."""

import re

from bs4 import BeautifulSoup
from classmates import MAXIMUM, STUB, learner, solved
from graded import read_by_a_person, told, words

from attention_lab.classroom.standing import ABSENT, RENAMED
from attention_lab.overview.class_page import page, without_names
from attention_lab.overview.learners import Learner

CLASS = [
    learner("ada", *solved("a", 2, 2), read_by_a_person("text", 0, 3), waiting=("text",)),
    learner("ben", *solved("a", 1, 2, MAXIMUM), read_by_a_person("text", 1, 3)),
    learner("cleo", *solved("a", 0, 2, STUB), read_by_a_person("text", 0, 3)),
    Learner("dan", ABSENT, reason="nothing was handed in"),
    Learner("<b>eve</b>", RENAMED, reason="there is: eve.ipynb"),
]


def section(found: list[Learner], heading: str) -> BeautifulSoup:
    shown = BeautifulSoup(page("02-lesson", found), "html.parser")
    return next(part for part in shown.select("section") if part.h2.text == heading)


def test_who_has_no_grade_is_no_zero():
    facts = BeautifulSoup(page("02-lesson", CLASS), "html.parser").select_one(".facts")
    assert words(facts) == "Students 5 Graded 3 No grade 2 Median 2 Texts to read 1"
    bars = section(CLASS, "Scores").select(".histogram li")
    assert [bar["aria-label"] for bar in bars if not bar["aria-label"].endswith(": 0")] == [
        "0 points: 1",
        "2 points: 2",
    ]


def test_an_exercise_is_told_in_words():
    first, text = (words(each) for each in section(CLASS, "Exercises").select(".exercises > li"))
    assert "1 have all of it, 1 some, 1 nothing." in first
    assert "Neither easy nor hard: 50% of the points were earned." in first
    assert "0 have all of it, 1 some, 1 nothing; 1 to be read." in text


def test_a_misconception_has_its_question_and_who_holds_it():
    (mistake,) = section(CLASS, "For the next lecture").select(".mistake")
    assert words(mistake) == ("1 student a · maximum the maximum Ask Which statistic? Compare z = mean x ben")


def test_what_is_lost_through_an_earlier_answer_is_told_only_where_something_is():
    follows = told("squeeze fails; what you wrote is right for it", "Which check?", id="follow-through")
    shown = section([learner("ada", *solved("b", 0, 1, follows))], "Wrong through an earlier answer")
    assert "Right for their own wrong earlier answer: 1" in words(shown) and "ada" in words(shown)
    assert "Lost through" not in page("02-lesson", CLASS)


def test_what_needs_a_person_is_told_by_reason():
    told = [words(each) for each in section(CLASS, "What needs a person").select(".mistake")]
    assert told == [
        "text: 1 text to be read ada",
        "Renamed: 1 there is: eve.ipynb <b>eve</b>",
        "Absent: 1 nothing was handed in dan",
    ]


def test_who_is_stuck_is_told():
    assert "Handed in as it came: stubs alone cleo" in words(section(CLASS, "Who is stuck, and where"))


def test_where_all_is_well_the_page_says_so():
    fine = [learner("ada", *solved("a", 1, 1))]
    assert "No misconception" in words(section(fine, "For the next lecture"))
    assert "Nobody" in words(section(fine, "Who is stuck, and where"))
    assert "everyone is graded" in words(section(fine, "What needs a person"))


def test_where_nobody_is_graded_the_reasons_are_still_told():
    assert "nothing was handed in" in words(section(CLASS[3:4], "What needs a person"))


def test_many_names_are_folded():
    many = [learner(f"s{i}", *solved("a", 0, 1, MAXIMUM)) for i in range(9)]
    folded = section(many, "For the next lecture").select_one("details")
    assert words(folded.summary) == "9 students" and not folded.has_attr("open")


def test_without_names_nobody_is_named_and_all_are_there():
    named, found = page("02-lesson", CLASS), without_names(CLASS)
    html = page("02-lesson", found)
    assert {learner.name for learner in found} == {f"Student {i}" for i in range(1, 6)}
    for name in ("ada", "ben", "cleo", "dan", "eve"):
        assert re.search(rf"\b{name}\b", named) and not re.search(rf"\b{name}\b", html)


def test_the_numbers_of_the_nameless_do_not_follow_the_alphabet():
    found = without_names([Learner(f"{i:02}", str(i)) for i in range(50)])
    assert [learner.status for learner in found] != [str(i) for i in range(50)]


def test_the_page_runs_nothing_and_asks_nobody():
    html = page("02-<script>", CLASS)
    shown = BeautifulSoup(html, "html.parser")
    assert "default-src 'none'" in shown.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert not shown.select("script, link, img, iframe, b") and "http://" not in html and "https://" not in html
