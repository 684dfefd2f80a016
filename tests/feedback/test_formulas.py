"""Formulas are drawn without a script, and bring nothing but a formula."""

import re
from pathlib import Path

import pytest

from attention_lab.feedback.formulas import formula
from attention_lab.grading.exercises import HINTS

ROOT = Path(__file__).parents[2]
LESSONS = "\n".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("solutions/*/*.py")))
HINTED = "\n".join(hint for hints in HINTS.values() for hint in hints)
OF_THE_COURSE = set(re.findall(r"(?<![$\\])\$([^$\n]+)\$", LESSONS + HINTED))


def test_a_formula_is_mathml():
    assert formula("a") == '<math display="inline"><mrow><mi>a</mi></mrow></math>'
    assert formula("a", display=True).startswith('<math display="block">')
    assert "\N{N-ARY SUMMATION}" in formula(r"\sum_i x_i")


def test_every_formula_of_the_course_is_drawn():
    assert len(OF_THE_COURSE) > 200
    assert not [tex for tex in OF_THE_COURSE if formula(tex).startswith("<code>") or "\\" in formula(tex)]


@pytest.mark.parametrize("tex", [r"\right)", r"\begin{matrix} a", "a_b_c", "{" * 5000])
def test_what_is_no_formula_is_shown_as_it_stands(tex):
    assert formula(tex) == f"<code>{tex}</code>"


@pytest.mark.parametrize(
    "tex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\text{&lt;img src=x onerror=alert(1)&gt;}",
        r"\href{javascript:alert(1)}{x}",
        r"\style{background: url(https://example.org)}{x}",
        r"\class{verdict}{x}",
        r"\color{red\" onclick=\"alert(1)}{x}",
    ],
)
def test_nothing_but_a_formula_comes_of_it(tex):
    made = formula(tex)
    assert not re.search(r"<script|<img|href=|style=|class=|<[^>]*onclick", made)
