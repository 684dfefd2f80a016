"""A graded notebook -> the page: one file that needs nothing else, light or dark, on paper too."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from nbformat import NotebookNode

from ..grading.nbgrader import NOTES
from .marks import Exercise, Fold, Mark, mistakes, sections
from .texts import SECONDS_A_PAGE, code, left, markdown, output

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"


def number(points: float) -> str:
    return f"{round(points, 2):.10g}"


TEMPLATES = Environment(
    loader=PackageLoader("attention_lab.feedback", ""),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters |= {"code": code, "markdown": markdown, "output": output, "number": number}
TEMPLATES.tests["fold"] = lambda section: isinstance(section, Fold)


def page(notebook: NotebookNode, about: dict[str, Any], waiting: set[str]) -> str:
    """The page of a notebook that holds nbgrader's scores and comments.

    about: the student, the assignment, the notebook; score, max_score and late_penalty.
    waiting: the ids of cells that a person has yet to read.
    """
    left.set(SECONDS_A_PAGE)
    notes = [cell for cell in notebook.cells[:1] if cell.id == NOTES]
    found = sections(notebook.cells[len(notes) :], waiting)
    exercises = [section for section in found if isinstance(section, Exercise)]
    total = Mark(about["score"], about["max_score"], sum(each.mark.waiting for each in exercises if each.mark))
    return TEMPLATES.get_template("page.html.j2").render(
        about=about,
        policy=POLICY,
        css=Markup(TEMPLATES.loader.get_source(TEMPLATES, "page.css")[0]),
        total=total,
        notes=notes,
        sections=found,
        exercises=exercises,
        mistakes=mistakes(exercises),
    )
