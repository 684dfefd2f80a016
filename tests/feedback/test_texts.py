"""A learner's cells as they are read: code in colour, formulas drawn, pictures inside the page, errors in plain text."""

import base64
import time

import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_output

from attention_lab.feedback.texts import code, left, markdown, output, plain


def shown(**formats: str) -> str:
    data = {kind.replace("_", "/"): data for kind, data in formats.items()}
    return output(new_output("display_data", data))


def test_code_is_shown_letter_by_letter():
    source = "def f(x):\n    return x < 1 & 2  # </pre><script>"
    assert BeautifulSoup(code(source), "html.parser").get_text().rstrip("\n") == source
    assert '<span class="k">def</span>' in code(source)


def test_text_is_shown_without_the_terminals_colours():
    assert plain("\x1b[31m<b>\x1b[0m") == '<pre class="text">&lt;b&gt;</pre>'


def test_markdown_has_formulas_code_and_tables():
    html = markdown("# A\n\n| a |\n| --- |\n| $x$ |\n\n$$y$$\n\n```python\nimport b\n```\n")
    for part in ("<h4>A</h4>", "<td><math", '<math display="block">', '<pre class="code">'):
        assert part in html


def test_a_diagram_is_drawn():
    html = markdown('```mermaid\nflowchart LR\n  x["x <img onerror=1>"] --> y\n```')
    assert html.count("<svg") == 1 and "<img" not in html and "&lt;img onerror=1&gt;" in html


@pytest.mark.parametrize("source", ["a --> b", "", "flowchart LR", "flowchart LR\na --> a"])
def test_a_diagram_that_cannot_be_drawn_is_folded_text(source):
    assert "<details><summary>Diagram, as text</summary>" in markdown(f"```mermaid\n{source}\n```")


def test_formulas_in_folded_hints_are_drawn():
    html = markdown("<details><summary>Hint</summary>\n\n$x$\n\n</details>")
    assert BeautifulSoup(html, "html.parser").details.math


@pytest.mark.parametrize("text", ["![$x$](attachment:no)", '<img alt="$x$">', "<a title='$x$'>a</a>"])
def test_a_formula_is_never_put_inside_of_a_tag(text):
    tags = BeautifulSoup(markdown(text), "html.parser").find_all(True)
    assert not [value for tag in tags if tag.name != "div" for value in tag.attrs.values() if "math" in value]


def test_nobody_else_can_have_a_formula_put_in(monkeypatch):
    marks = iter(["0" * 32, "1" * 32])
    monkeypatch.setattr("secrets.token_hex", lambda count: next(marks))
    assert markdown(f"\ue000{'2' * 32}\ue001 $x$").count("<math") == 1
    assert '"<math' not in markdown(f'<img alt="&#xe000;{"1" * 32}&#xe001;"> $x$')


def test_a_text_that_cannot_be_read_is_shown_as_it_stands(monkeypatch):
    monkeypatch.setattr("attention_lab.feedback.texts.clean", lambda html: 1 / 0)
    assert markdown("*a*") == '<pre class="text">*a*</pre>'


def test_a_text_that_takes_too_long_to_draw_is_shown_as_it_stands(monkeypatch):
    monkeypatch.setattr("attention_lab.feedback.texts.SECONDS", 0.2)
    start = time.process_time()
    assert markdown("> " * 200_000).startswith('<pre class="text">')
    assert shown(text_html="<div>" * 100_000, text_plain="many boxes") == '<pre class="text">many boxes</pre>'
    assert time.process_time() - start < 30 * 0.2


def test_a_page_of_such_texts_has_an_end(monkeypatch):
    monkeypatch.setattr("attention_lab.feedback.texts.SECONDS", 0.2)
    token = left.set(0.3)
    try:
        for _ in range(3):
            markdown("> " * 200_000)
        assert left.get() <= 0 and markdown("*a*") == '<pre class="text">*a*</pre>'
    finally:
        left.reset(token)


def test_pictures_are_inside_the_page():
    picture = base64.b64encode(b"a picture").decode()
    assert f'<img src="data:image/png;base64,{picture}" alt="a &lt;figure&gt;">' == shown(
        image_png=f"{picture}\n", text_plain="a <figure>"
    )


def test_a_drawing_is_a_picture_in_which_no_script_runs():
    html = shown(**{"image_svg+xml": "<svg><script>alert(1)</script></svg>"})
    assert html.startswith('<img src="data:image/svg+xml;base64,')
    assert "script" not in html


def test_what_is_no_picture_is_told_in_words():
    assert "&lt;Figure&gt;" in shown(image_png='"><script>', text_plain="<Figure>")


def test_html_of_which_nothing_is_left_is_told_in_words():
    assert "a plot" in shown(text_html="<script>plot()</script>", text_plain="a plot")
    assert "a plot" not in shown(text_html="<b>a table</b><script>plot()</script>", text_plain="a plot")


@pytest.mark.parametrize("data", [{"text/html": ["a"]}, {"application/json": {}}, {}])
def test_an_output_may_hold_anything(data):
    assert output(new_output("display_data", data)) == '<pre class="text"></pre>'


def test_an_error_is_plain_text():
    made = new_output("error", ename="E", evalue="<b>", traceback=["\x1b[31mE\x1b[0m: <b>"])
    assert output(made) == '<pre class="error">E: &lt;b&gt;</pre>'
