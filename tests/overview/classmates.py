"""Learners as they are read from what was graded."""

from graded import answer, checked, error, told
from nbformat import NotebookNode

from attention_lab.feedback.marks import Exercise, sections
from attention_lab.overview.learners import GRADED, WAITING, Learner

MAXIMUM = told("the maximum", "Which statistic?", "z = mean x", id="maximum")
STUB = error("NotImplementedError", "still a stub")


def learner(name: str, *cells: NotebookNode, waiting: tuple[str, ...] = (), penalty: float = 0) -> Learner:
    exercises = [part for part in sections(list(cells), set(waiting)) if isinstance(part, Exercise)]
    return Learner(name, WAITING if waiting else GRADED, "", exercises, penalty)


def solved(id: str, points: float, of: float, *shown: NotebookNode, ends: tuple = ()) -> list[NotebookNode]:
    """An answer and its one test."""
    return [answer(id, outputs=ends), checked(f"{id}-values", points, of, *shown)]
