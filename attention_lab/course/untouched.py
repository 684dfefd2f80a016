"""Which cells of a notebook are as they were released: each ordinary one carries a digest of its text.

nbgrader does the same, as `checksum`, for the cells that it knows.
"""

from hashlib import sha256
from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from ..grading.reading import metadata_of

KEY = "attention_lab"


class Digests(NbGraderPreprocessor):
    """Gives every cell that nbgrader does not know its digest, when a lesson is released."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        if "nbgrader" not in cell.metadata:
            cell.metadata[KEY] = {"released": digest(cell.source)}
        return cell, resources


def digest(source: str) -> str:
    return sha256(source.encode("utf-8", "replace")).hexdigest()[:12]


def released_as(cell: dict[str, Any]) -> str:
    """The digest of what a cell was when it was released; empty where that is not known, as in a learner's own."""
    told = metadata_of(cell).get(KEY)
    known = told.get("released") if isinstance(told, dict) else None
    return known if isinstance(known, str) else ""
