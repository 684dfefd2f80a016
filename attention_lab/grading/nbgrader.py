"""What nbgrader is configured with, in nbgrader_config.py, beyond its own preprocessors."""

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution


class OneCellPerId(NbGraderPreprocessor):
    """Make a pasted copy of a solution or test cell an ordinary cell.

    nbgrader itself leaves a copy in a state that stops the grading of the whole class. Runs before its own preprocessors.
    """

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        met = set()
        for cell in nb.cells:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if grade_id in met:
                del cell.metadata["nbgrader"]
            elif grade_id:
                met.add(grade_id)
        return nb, resources


class StripTags(NbGraderPreprocessor):
    """Remove the tags of solution and test cells, so that a submission cannot choose how they are executed.

    A test cell that is skipped has no error, and nbgrader gives it full points: a learner who tags a test cell with the
    tag that skips it would pass whatever the answer. Runs before a submission is executed.
    """

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int) -> tuple[NotebookNode, dict]:
        if is_grade(cell) or is_solution(cell):
            cell.metadata.pop("tags", None)
        return cell, resources
