"""What nbgrader is configured with, in nbgrader_config.py, beyond its own preprocessors."""

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution


class StripTags(NbGraderPreprocessor):
    """Remove the tags of solution and test cells, so that a submission cannot choose how they are executed.

    A test cell that is skipped has no error, and nbgrader gives it full points: a learner who tags a test cell with the
    tag that skips it would pass whatever the answer. Runs before a submission is executed.
    """

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int) -> tuple[NotebookNode, dict]:
        if is_grade(cell) or is_solution(cell):
            cell.metadata.pop("tags", None)
        return cell, resources
