"""Formgrader shows the rubric and the model answer of a free text above it: what nbgrader_config.py names for its pages.

They are read from the lesson as its instructor has it, ``solutions/NN-name/name.ipynb``; no learner's file holds them.
"""

from pathlib import Path
from typing import Any

import nbformat
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import is_grade, is_solution

from ..grading.rubric import model_answer, rubric

UNFOLD = "<details><summary>▸ <b>Model answer</b></summary>\n\n{}\n\n</details>"


class Rubrics(Preprocessor):
    """A graded notebook -> the same with what a reader goes by above every cell that is graded by hand."""

    enabled = True

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        told = self.told(resources["assignment_id"], resources["notebook_id"])
        cells = []
        for cell in nb.cells:
            if by_hand(cell) and (text := told.get(cell.metadata.nbgrader.grade_id)):
                cells.append(new_markdown_cell(text))
            cells.append(cell)
        nb.cells = cells
        return nb, resources

    def told(self, lesson: str, notebook: str) -> dict[str, str]:
        """By the id of each cell that is graded by hand, what its reader goes by; nothing where the lesson is not here."""
        course = CourseDirectory(config=self.config)
        folder = course.format_path(course.source_directory, ".", lesson)
        file = Path(course.root, folder, f"{notebook}.ipynb")
        if not file.exists():
            return {}
        cells = nbformat.read(file, as_version=4).cells
        return {cell.metadata.nbgrader.grade_id: for_readers(cell) for cell in cells if by_hand(cell)}


def by_hand(cell: NotebookNode) -> bool:
    """Whether a person gives the points of a cell."""
    return is_grade(cell) and is_solution(cell)


def for_readers(cell: NotebookNode) -> str:
    """The rubric as a list, and the model answer to unfold."""
    source = cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```"
    lines, answer = rubric(source), model_answer(source)
    parts = []
    if lines:
        parts = ["**Rubric**, seen by readers alone", "\n".join(f"- **{points:g}** · {text}" for points, text in lines)]
    return "\n\n".join([*parts, *([UNFOLD.format(answer)] if answer else [])])
