"""Answers that readers wrote from the lessons' text alone, who had not seen the catalogue of mistakes.

`readers.json` holds, for each, the lesson, what its writer says of it, the code and the checks it is passed to.
"""

import copy
import itertools
import json
import linecache
import math
import os
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from bank import questions_for_all
from torch import nn
from torch.nn import functional as F

from attention_lab import data, evidence, mechanisms
from attention_lab.course.source import lessons, read_source, sources
from attention_lab.grading import judge
from attention_lab.grading.exercise import Exercise
from attention_lab.grading.judge import Report
from attention_lab.grading.notebook import find
from attention_lab.grading.witness import Witness

ROOT = Path(__file__).parents[2]
READERS = json.loads((Path(__file__).parent / "readers.json").read_text(encoding="utf-8"))
ROWS = READERS["rows"][:: 2 if os.environ.get("ATTENTION_LAB_FAST") else 1]
"""In short runs every other one."""
RIGHT = [i for i, row in enumerate(ROWS) if row["right"]]
WRONG = [i for i, row in enumerate(ROWS) if not row["right"]]
LEAST_NAMED = 0.9

pytestmark = pytest.mark.usefixtures("unchecked")


@cache
def passed_to() -> dict[str, str]:
    """By the ids of the lessons' checks, the name that each is passed."""
    cells = itertools.chain(
        *(read_source(source).cells for lesson in lessons(ROOT) for source in sources(ROOT, lesson))
    )
    calls = (
        cell.source.removeprefix('check("').rstrip(")").split('", ')
        for cell in cells
        if cell.source.startswith("check(")
    )
    return {call[0]: call[1] for call in calls}


def run(lines: list[str], names: dict, title: str) -> None:
    """Run code as a cell, whose lines are known afterwards."""
    file = f"<{title}>"
    linecache.cache[file] = len(lines), None, [f"{line}\n" for line in lines], file
    exec(compile("\n".join(lines), file, "exec"), names)


@cache
def asked(number: int) -> list[tuple[Exercise, str, object]]:
    """What a row's answer is passed to: exercise, check and the answer."""
    row = ROWS[number]
    imported = {"torch": torch, "nn": nn, "F": F, "math": math, "copy": copy, "statistics": statistics}
    names = imported | {"blurred": data.blurred, "__name__": "__main__"} | vars(evidence) | vars(mechanisms)
    for id, lines in READERS["honest"].items():
        if id == find(row["checks"][0])[0].id:
            break
        if not id.startswith("debug"):
            run(lines, names, id)
    run(row["code"], names, f"answer {number}")
    return [(*find(check), names[passed_to()[check]]) for check in row["checks"]]


@pytest.fixture(autouse=True)
def patiently(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake is looked for as long as on a machine of four times the speed."""
    for limit in ("SECONDS_OF_CHANGES", "SECONDS_OF_PAIRS", "SECONDS_OF_MATCHING"):
        monkeypatch.setattr(judge, limit, 4 * getattr(judge, limit))


def failures(number: int) -> Iterator[Report]:
    cases: dict[tuple[str, int], judge.Case] = {}
    for exercise, check, answer in asked(number):
        key = exercise.key, id(answer)
        if key not in cases:
            questions, trusted = questions_for_all(exercise.key)
            cases[key] = judge.Case(exercise, Witness(answer, questions, exercise.records), trusted)
        told = judge.verdict(cases[key], check)
        if not told.passed:
            yield told


@pytest.mark.parametrize("number", RIGHT, ids=lambda number: ROWS[number]["what"])
def test_a_right_answer_is_accepted(number):
    assert [[row for row in told.rows if not row.passed] for told in failures(number)] == []


@pytest.mark.parametrize("lesson", sorted({row["lesson"] for row in ROWS}))
def test_a_wrong_answer_is_refused_and_its_mistake_mostly_named(lesson):
    wrong = [number for number in WRONG if ROWS[number]["lesson"] == lesson]
    first = {ROWS[number]["what"]: next(failures(number), None) for number in wrong}
    assert not [what for what, told in first.items() if told is None], "accepted"
    unnamed = [what for what, told in first.items() if not told.misconception]
    assert len(unnamed) <= (1 - LEAST_NAMED) * len(wrong), unnamed
