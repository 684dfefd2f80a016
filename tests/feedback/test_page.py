"""The page as its readers see it; and what a hostile submission does in the browser of who opens it: nothing."""

import base64
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from chromium import CHROMIUM, needs_chromium
from graded import answer, checked, error, html, read, read_by_a_person, told, words
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell

MAXIMUM = told(
    "the maximum, not the average", "Which statistic?", "z = mean x", "<table><tr><td>got 3</td></tr></table>"
)
CLASSIC = [
    new_markdown_cell("# A lesson\n\nAs an introduction."),
    answer("squeeze", "def squeeze(x):\n    return x.amax((2, 3))"),
    checked("squeeze-shape", 1, 1, told(table="<table><tr><td>✓ shape</td></tr></table>")),
    checked("squeeze-values", 0, 2, MAXIMUM, error("CheckFailed", "squeeze-values: got 3")),
    new_code_cell("training()"),
    read_by_a_person("essay", 0, 3, "My *words*"),
]


def rows(page: BeautifulSoup) -> list[str]:
    return [words(row) for row in page.select(".score tr")]


def test_the_score_stands_on_top_by_exercise():
    page = read(*CLASSIC, waiting=("essay",))
    assert words(page.select_one(".total")) == "1 / 6 points"
    assert rows(page) == ["Exercise Points", "✗ squeeze 1 / 3", "… essay to be read: 3 0 / 3", "Total 1 / 6"]
    assert "3 of them still to be read by a person" in words(page.header)


def test_nothing_is_said_to_be_read_where_all_is_read():
    assert "to be read" not in html(*CLASSIC)


def test_points_that_are_no_whole_numbers_are_rounded():
    assert rows(read(checked("a", 1 / 3, 1)))[1] == "✗ a 0.33 / 1"
    assert rows(read(checked("a", 1.0, 12345)))[1] == "✗ a 1 / 12345"


def test_what_has_no_points_does_not_count_whether_it_is_right_or_wrong():
    for outputs in ((), (MAXIMUM, error("CheckFailed", "a-values: got 3"))):
        page = read(answer("a"), checked("a-values", 0, 0, *outputs), checked("b", 1, 1))
        assert rows(page)[1:] == ["– a does not count", "✓ b 1 / 1", "Total 1 / 1"]
        assert words(page.find(id="test-a-values").summary) == "– values does not count"
        assert not page.select(".mistakes")


def test_each_mistake_is_told_on_top_with_a_link_to_its_place():
    page = read(*CLASSIC)
    (mistake,) = page.select(".mistakes > li")
    assert words(mistake) == "squeeze the maximum, not the average Ask yourself Which statistic? Compare z = mean x"
    place = page.find(id=mistake.a["href"].removeprefix("#"))
    assert words(place.summary) == "✗ values 0 / 2"
    assert place.has_attr("open")
    assert "got 3" in words(place) and "CheckFailed" not in words(place)


def test_every_link_of_the_page_leads_to_a_place_in_it():
    page = read(*CLASSIC)
    assert all(page.find(id=link["href"].removeprefix("#")) for link in page.find_all("a"))


def test_what_was_passed_and_what_nobody_asks_for_is_folded():
    page = read(*CLASSIC)
    assert [words(fold.summary) for fold in page.select("details.fold")] == ["A lesson", "Code"]
    assert not page.select("details.fold[open], details.passed[open]")
    assert "squeeze-shape" in page.select_one("details.passed")["id"]


def test_answers_are_open_with_the_graders_comments():
    page = read(
        answer("a", "def a(): ...", comment="Good: $x$ <script>"), read_by_a_person("b", 2, 3, comment="*Fine*")
    )
    comments = page.select(".answer .comment")
    assert [words(comment) for comment in comments] == ["Comment Good: x", "Comment Fine"]
    assert comments[0].math and comments[1].em


def test_a_late_penalty_is_told():
    page = read(*CLASSIC, late_penalty=2)
    assert "handed in late: 2 taken off" in words(page.header)
    assert rows(page)[-2] == "Handed in late −2"
    assert "late" not in words(read(*CLASSIC).body)


def test_an_instructors_own_test_shows_its_error_and_itself():
    page = read(answer("f"), checked("test_f", 0, 2, error("AssertionError", "f(2) is 4"), source="assert f(2) == 4"))
    assert rows(page)[1:] == ["✗ test_f 0 / 2", "Total 0 / 2"]
    assert words(page.select_one(".mistakes")) == "test_f AssertionError: f(2) is 4"
    assert "assert f ( 2 ) == 4" in words(page.select_one(".verdict"))


def test_what_was_put_right_stands_on_top():
    note = new_markdown_cell("**Put right for grading**\n\n- `a` was missing", id="put-right")
    assert words(read(note, *CLASSIC).select_one(".notes")) == "Put right for grading a was missing"
    assert not read(*CLASSIC, note).select(".notes")


def test_an_empty_notebook_has_a_page():
    assert words(read().select_one(".total")) == "0 / 0 points"


def test_the_page_is_one_file_without_scripts():
    page = read(*CLASSIC)
    assert not page.find_all(["script", "link", "iframe", "form", "object"])
    policy = page.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert "default-src 'none'" in policy and "form-action 'none'" in policy and "base-uri 'none'" in policy
    assert "script-src" not in policy and "unsafe-eval" not in policy
    assert not re.search(r"url\(|@import|https?:", page.style.string)


ELSEWHERE = "https://attack.example.org"
ACTS = [
    "<script>document.title = 'ran'; alert(1)</script>",
    "<img src=x onerror=\"document.title = 'ran'; alert(1)\">",
    "<svg onload=\"document.title = 'ran'\"><script>alert(1)</script></svg>",
    f"<meta http-equiv=refresh content='0;url={ELSEWHERE}'>",
    f"<iframe src={ELSEWHERE}></iframe><iframe srcdoc='<script>parent.document.title = 1</script>'></iframe>",
    f"<form action={ELSEWHERE}><input name=a autofocus onfocus=alert(1)><button id=send>Send</button></form>",
    f"<img src={ELSEWHERE}/a.png srcset={ELSEWHERE}/b.png><link rel=stylesheet href={ELSEWHERE}/a.css>",
    f"<link rel=prefetch href={ELSEWHERE}><link rel=dns-prefetch href={ELSEWHERE}><base href={ELSEWHERE}>",
    f"<style>@import '{ELSEWHERE}/b.css'; body {{ background: url({ELSEWHERE}/c.png) }}</style>",
    f"<p style='background: url({ELSEWHERE}/d.png)'>a</p><video src={ELSEWHERE}/e.mp4 autoplay></video>",
    f"<object data={ELSEWHERE}></object><embed src={ELSEWHERE}>",
    "<a href=\"javascript:document.title = 'ran'\" class=attack>a</a>",
    "<details open ontoggle=\"document.title = 'ran'\">a</details>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "</style></pre></details></title></textarea><script>alert(1)</script>",
]
FIGURE = f"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script><image href='{ELSEWHERE}/f.png'/></svg>"


def hostile() -> str:
    """The page of a submission that tries all of these acts wherever a learner or a name can bring a text."""
    all_of_it = "\n\n".join(ACTS)
    formulas = r"$\text{<script>alert(1)</script>}$ $\href{javascript:alert(1)}{x}$ ![$\text{ onerror=alert(1) }$](x)"
    formats = [{kind: all_of_it} for kind in ("text/html", "text/markdown", "text/latex", "text/plain", "image/png")]
    formats += [{"image/svg+xml": FIGURE}, {"image/png": base64.b64encode(all_of_it.encode()).decode()}]
    formats += [{"application/javascript": "alert(1)", "text/html": f'<img alt="$x$" {ACTS[1][5:]}'}]
    outputs = [
        *(new_output("display_data", data) for data in formats),
        new_output("stream", text=all_of_it),
        error(all_of_it, all_of_it),
    ]
    named = told(*[all_of_it] * 3, table=all_of_it)
    notebook = [
        new_markdown_cell(f"# {ACTS[0]}\n\n{all_of_it}\n\n{formulas}\n\n```mermaid\n{all_of_it}\n```", id="put-right"),
        new_markdown_cell(f"{all_of_it}\n\n{formulas}\n\n```python\n{all_of_it}\n```\n\n[a](javascript:alert(1))"),
        new_raw_cell(all_of_it),
        new_code_cell(all_of_it, outputs=outputs),
        answer("a", all_of_it, comment=all_of_it, outputs=tuple(outputs)),
        checked("a-b", 0, 1, named, *outputs, source=all_of_it),
        checked("c", 0, 1, *outputs, source=all_of_it),
        read_by_a_person("d", 1, 3, all_of_it, all_of_it),
    ]
    names = dict.fromkeys(("student", "assignment", "notebook"), f"\"'>{all_of_it}")
    return html(*notebook, waiting=("d",), **names)


@needs_chromium
@pytest.mark.parametrize("policy", [True, False], ids=["as it is", "even without its policy"])
def test_a_hostile_submission_does_nothing_in_a_browser(tmp_path: Path, policy: bool):
    from playwright.sync_api import sync_playwright

    file = tmp_path / "page.html"
    text = hostile()
    assert "Content-Security-Policy" in text
    file.write_text(text if policy else text.replace("Content-Security-Policy", "x"), encoding="utf-8")
    requests, dialogs, refused = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda message: refused.append(message.text))
        page.goto(file.as_uri())
        title = page.title()
        for fold in page.query_selector_all("summary"):
            fold.evaluate("summary => summary.parentElement.open = true")
        for link in page.query_selector_all("a:not([href^='#'])"):
            link.evaluate("link => link.click()")
        page.wait_for_timeout(500)
        assert page.title() == title != "ran"
        assert page.url == file.as_uri()
        assert len(browser.contexts[0].pages) == len(page.frames) == 1
        browser.close()
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    assert dialogs == [] and refused == []
