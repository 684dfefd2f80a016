"""Cells and notebooks as nbgrader has graded them: with scores and comments in their metadata."""

from bs4 import BeautifulSoup
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from attention_lab.feedback.page import page

ABOUT = {"student": "ada", "assignment": "02-lesson", "notebook": "lesson", "late_penalty": 0}

SE = """
import torch
from torch import nn
class SqueezeExcitation(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels, channels // reduction), nn.Linear(channels // reduction, channels)
    def weights(self, x):
        return torch.sigmoid(self.fc2(torch.relu(self.fc1(squeeze(x)))))[:, :, None, None]
    def forward(self, x):
        return x * self.weights(x)
"""
"""A right answer to squeeze-excitation that calls the squeeze that is there."""


def role(id: str, **about: object) -> dict[str, dict[str, object]]:
    roles = {"grade": False, "solution": False, "task": False, "locked": False, "schema_version": 3, "grade_id": id}
    return {"nbgrader": roles | about}


def answer(id: str, source: str = "def f(): ...", comment: str = "", outputs: tuple = ()) -> NotebookNode:
    return new_code_cell(source, id=id, metadata=role(id, solution=True, comment=comment), outputs=list(outputs))


def read_by_a_person(id: str, score: float, points: float, text: str = "", comment: str = "") -> NotebookNode:
    about = role(id, solution=True, grade=True, score=score, points=points, comment=comment)
    return new_markdown_cell(text, id=id, metadata=about)


def checked(id: str, score: float, points: float, *outputs: NotebookNode, source: str = "assert f()") -> NotebookNode:
    return new_code_cell(
        source, id=id, metadata=role(id, grade=True, score=score, points=points), outputs=list(outputs)
    )


def told(
    name: str = "", question: str = "", equation: str = "", table: str = "<table></table>", id: str = ""
) -> NotebookNode:
    """What a check of the course shows, with its verdict as data."""
    data = {"name": name, "question": question, "equation": equation, "misconception": id}
    return new_output("display_data", {"text/html": table}, metadata={"attention_lab": data})


def error(kind: str, text: str) -> NotebookNode:
    return new_output("error", ename=kind, evalue=text, traceback=[f"{kind}: {text}"])


def html(*cells: NotebookNode, waiting: tuple[str, ...] = (), **about: object) -> str:
    graded = [cell.metadata.nbgrader for cell in cells if "score" in cell.metadata.get("nbgrader", {})]
    sums = {"score": sum(mark.score for mark in graded), "max_score": sum(mark.points for mark in graded)}
    return page(new_notebook(cells=list(cells)), ABOUT | sums | about, set(waiting))


def read(*cells: NotebookNode, **asked: object) -> BeautifulSoup:
    return BeautifulSoup(html(*cells, **asked), "html.parser")


def words(part) -> str:
    return " ".join(part.get_text(" ").split())
