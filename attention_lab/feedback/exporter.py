"""The feedback page in the place of nbgrader's own: what nbgrader_config.py names for `nbgrader generate_feedback`."""

from typing import Any

from nbconvert.exporters import Exporter
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from ..grading.nbgrader import OneByOne
from .page import page


class Feedback(OneByOne, Exporter):
    """A graded notebook -> its student's feedback page."""

    output_mimetype = "text/html"

    def _file_extension_default(self) -> str:
        return ".html"

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **settings: Any
    ) -> tuple[str, dict[str, Any]]:
        notebook, resources = super().from_notebook_node(nb, resources, **settings)
        asked = resources["nbgrader"]
        return page(notebook, asked, waiting(asked)), resources


def waiting(asked: dict[str, str]) -> set[str]:
    """The ids of the cells that a person has yet to read, by the gradebook."""
    with Gradebook(asked["db_url"]) as gradebook:
        handed_in = gradebook.find_submission_notebook(asked["notebook"], asked["assignment"], asked["student"])
        return {grade.name for grade in handed_in.grades if grade.needs_manual_grade}
