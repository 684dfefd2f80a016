"""Which cells of a notebook are as they were released: each ordinary one carries a digest of its text.

nbgrader does the same, as `checksum`, for the cells that it knows.
"""

from hashlib import sha256
from typing import Any

from nbformat import NotebookNode, from_dict
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import compute_checksum

from ..grading.reading import metadata_of, source_of

KEY = "attention_lab"


class Digests(NbGraderPreprocessor):
    """Gives every cell that nbgrader does not know its digest, when a lesson is released."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        if "nbgrader" not in cell.metadata:
            mark(cell)
        return cell, resources


def mark(cell: NotebookNode) -> None:
    cell.metadata[KEY] = {"released": digest(cell.source)}


def digest(source: str) -> str:
    return sha256(source.encode("utf-8", "replace")).hexdigest()[:12]


def released_as(cell: dict[str, Any]) -> str:
    """What tells of a cell as it was released, the digest or nbgrader's checksum; empty for a learner's own."""
    metadata = metadata_of(cell)
    for key, field in ((KEY, "released"), ("nbgrader", "checksum")):
        told = metadata.get(key)
        known = told.get(field) if isinstance(told, dict) else None
        if isinstance(known, str):
            return known
    return ""


def is_as_released(cell: dict[str, Any]) -> bool:
    """Whether a cell that nbgrader knows is as it was released, by the cell itself."""
    try:
        return compute_checksum(from_dict(cell | {"source": source_of(cell)})) == released_as(cell)
    except (AttributeError, KeyError, TypeError):  # metadata that are not nbgrader's
        return False
