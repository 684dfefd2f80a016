"""A class as a table for a spreadsheet: a row for each learner."""

import csv
import io

from ..feedback.marks import mistakes
from ..feedback.page import number
from .learners import Learner


def sheet(learners: list[Learner]) -> str:
    """Name, status and reason, score, points off for being late, points by exercise; empty where there are none.

    Misconceptions are told by id.
    """
    exercises = list(dict.fromkeys(id for learner in learners for id in learner.marks))
    of = max((learner.of for learner in learners), default=0)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["name", "status", "reason", "score", "late", "of", *exercises, "misconceptions"])
    for learner in learners:
        marks = learner.marks
        points = [number(marks[id].points) if id in marks and not marks[id].waiting else "" for id in exercises]
        ids = dict.fromkeys(each.told.id for each in mistakes(learner.exercises) if each.told.id)
        score = number(learner.score) if learner.is_graded else ""
        late = number(learner.penalty) if learner.penalty else ""
        table.writerow([learner.name, learner.status, learner.reason, score, late, number(of), *points, " ".join(ids)])
    return text.getvalue()
