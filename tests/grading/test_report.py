"""What a learner reads: the verdict in one line first, then what it looks like, escaped and at most 80 characters wide."""

from attention_lab.grading.exercise import Misconception
from attention_lab.grading.judge import Report, Row
from attention_lab.grading.observe import Problem
from attention_lab.grading.report import data, headline, html, text

MISTAKE = Misconception("max", "a maximum <b>where</b> an average is meant", "Which pooling is it?", "z = mean(x)")
FAILED = Row("values", False, "x[0] = <1>", "2 & 3")
PASSED = Row("shape", True)


def test_a_passed_check_says_so_with_its_points():
    assert headline(Report("a-b", 2, (PASSED,))) == "a-b: all is well, 2 points."
    assert headline(Report("a-b", 1, (PASSED,))) == "a-b: all is well, 1 point."


def test_a_failed_check_begins_with_the_first_property_that_fails():
    report = Report("a-b", 2, (PASSED, FAILED, Row("gradient", False, "0", "1")))
    assert headline(report) == "a-b: values: got x[0] = <1>, expected 2 & 3."


def test_an_error_is_told_with_the_line_that_raised_it():
    problem = Problem("TypeError", "no such thing", "forward", 3, "y = f(x)")
    report = Report("a-b", 2, (Row("shape", False, str(problem), "no error", problem),))
    assert headline(report) == "a-b: TypeError in forward, line 3, `y = f(x)`: no such thing"


def test_the_mistake_is_named_then_asked_about_then_compared():
    lines = text(Report("a-b", 2, (FAILED,), misconception=MISTAKE)).splitlines()
    assert lines[1:] == [
        "This looks like: a maximum <b>where</b> an average is meant.",
        "Ask yourself: Which pooling is it?",
        "Compare: z = mean(x)",
    ]
    assert len(text(Report("a-b", 2, (FAILED,))).splitlines()) == 1
    assert len(text(Report("a-b", 2, (PASSED,), misconception=MISTAKE)).splitlines()) == 1
    without = Misconception("max", "a maximum", "Which pooling is it?")
    assert len(text(Report("a-b", 2, (FAILED,), misconception=without)).splitlines()) == 3


def test_a_verdict_is_there_as_data_too():
    known = {"misconception": "max", "name": MISTAKE.name, "question": MISTAKE.question, "equation": MISTAKE.equation}
    verdict = {"id": "a-b", "points": 2, "passed": False}
    assert data(Report("a-b", 2, (FAILED,), misconception=MISTAKE)) == verdict | known
    assert data(Report("a-b", 2, (FAILED,))) == verdict
    assert data(Report("a-b", 2, (PASSED,), misconception=MISTAKE)) == verdict | {"passed": True}


def test_no_line_is_longer_than_80_characters():
    row = Row("values " * 20, False, "got " * 20, "expected " * 20)
    assert max(map(len, text(Report("a-b", 2, (row,), misconception=MISTAKE)).splitlines())) <= 80


def test_the_table_marks_what_passed_and_what_failed_and_escapes_what_it_shows():
    shown = html(Report("a-b", 2, (PASSED, FAILED)))
    assert "✓ shape" in shown and "✗ values" in shown
    assert "✗ shape" not in shown and "✓ values" not in shown
    assert "&lt;1&gt;" in shown and "2 &amp; 3" in shown and "<1>" not in shown


def test_the_tables_head_gives_the_points_of_a_passed_check_only():
    passed, failed = (html(Report("a-b", 2, rows)).split("</tr>")[0] for rows in ((PASSED,), (PASSED, FAILED)))
    assert "2 points" in passed and "expected" not in passed
    assert "got" in failed and "expected" in failed and "points" not in failed


def test_what_failed_for_one_reason_is_one_row():
    row = Row("shape", False, "an error", "no error")
    shown = html(Report("a-b", 2, (row, PASSED, Row("values", False, "an error", "no error"))))
    assert shown.count("an error") == 1 and "✗ shape, values" in shown


def test_the_whole_table_has_a_head_and_a_row_for_each_property():
    cells = [("th", "a-b", "got", "expected"), ("td", "✓ shape", "", ""), ("td", "✗ values", "1", "2")]
    rows = ("".join(f'<{tag} style="text-align:left">{text}</{tag}>' for text in texts) for tag, *texts in cells)
    report = Report("a-b", 2, (PASSED, Row("values", False, "1", "2")))
    assert html(report) == f'<table style="margin:0">{"".join(f"<tr>{row}</tr>" for row in rows)}</table>'
    head = "".join(f'<th style="text-align:left">{text}</th>' for text in ("a-b", "", "2 points"))
    assert f"<tr>{head}</tr>" in html(Report("a-b", 2, (PASSED,)))
