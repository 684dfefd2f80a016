"""Formgrader shows an instructor what a learner wrote, and nothing of it acts."""

from pathlib import Path

import pytest
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.server_extensions.formgrader import handlers
from traitlets.config import PyFileConfigLoader

ROOT = Path(__file__).parents[2]
HOSTILE = "<img src=x onerror=act()><script>act()</script>\n\n**The squeeze** is $\\frac{1}{HW}$ of a sum.\n"
TEXT = {"grade_id": "why", "points": 1, "grade": True, "solution": True, "locked": False, "task": False}
ASKED = ["assignment_id", "notebook_id", "submission_id", "base_url", "my_url", "mathjax_url"]
ASKED += ["last_name", "first_name", "notebook_path", "keyword"]


def shown(*cells, **asked: str) -> str:
    """The page that Formgrader makes of these cells, with the settings of the course."""
    config = PyFileConfigLoader("nbgrader_config.py", str(ROOT)).load_config()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
    config.CourseDirectory.root = str(ROOT)
    resources = dict.fromkeys(ASKED, "") | {"index": 0, "total": 1} | asked
    return HTMLExporter(config=config).from_notebook_node(new_notebook(cells=list(cells)), resources=resources)[0]


@pytest.mark.parametrize("metadata", [{}, {"nbgrader": TEXT | {"schema_version": 3}}])
def test_a_text_is_read_with_its_formulas_and_its_script_is_gone(metadata):
    page = shown(new_markdown_cell(HOSTILE, metadata=metadata))
    assert "act()" not in page
    assert "<strong>The squeeze</strong>" in page and "<mfrac>" in page


@pytest.mark.parametrize("kind", ["text/html", "text/markdown", "application/javascript"])
def test_an_output_does_not_act(kind):
    page = shown(new_code_cell("1", outputs=[new_output("display_data", data={kind: HOSTILE})]))
    assert "act()" not in page


def test_a_free_text_has_its_rubric_above_it():
    about = TEXT | {"schema_version": 3, "grade_id": "which-weighting"}
    text = new_markdown_cell("I would gate.", metadata={"nbgrader": about})
    page = shown(text, assignment_id="01-attention-as-weighting", notebook_id="attention-as-weighting")
    rubric, _, answer = page.partition('id="which-weighting"')
    assert "<strong>When to gate:</strong>" in rubric and "I would gate." in answer
