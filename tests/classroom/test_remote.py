"""A judge comes to the same verdicts on an answer in another process as on one beside it."""

import sys
from pathlib import Path

import pytest
from classes import worked

from attention_lab.classroom.process import warm
from attention_lab.classroom.remote import RemoteWitness
from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.judge import ask, judge_all
from attention_lab.grading.witness import Witness

GRADING = Path(__file__).parents[1] / "grading"
sys.path.append(str(GRADING))
from bank import load, questions_for_all  # noqa: E402

BANK = """
import sys, types
bank = sys.modules["bank"] = types.ModuleType("bank")
bank.right = bank.wrong = lambda *given, **more: lambda answer: answer
"""


@pytest.mark.parametrize("file", ["spatial_transformer", "weighting"])
def test_banked_answers_get_what_they_deserve(file: str):
    process = warm(False).observer()
    try:
        cell = (GRADING / "answers" / f"{file}.py").read_text(encoding="utf-8")
        assert worked(process.run(BANK, 10))
        assert worked(process.run(cell, 10))
        banked = [b for b in load() if b.answer.__module__.endswith(file) and "." not in b.answer.__qualname__]
        banked = [b for b in banked if not b.answer.__module__.startswith("attention_lab")]
        assert len(banked) > 20
        for one in banked:
            exercise = EXERCISES[one.exercise]
            questions, trusted = questions_for_all(one.exercise)  # as in a class, whom one command asks the same
            number = process.ask(int | None, "look", one.answer.__name__, questions, exercise.records)
            reports = judge_all(exercise, RemoteWitness(process, number, questions, exercise.records), trusted)
            assert {check for check, report in reports.items() if report.passed} == one.passes, one
    finally:
        process.close()


LOOP = """\
def squeeze(x):
    return x.amax((2, 3))
def squeeze_by_channel(x):
    result = x.new_zeros(x.shape[:2])
    for channel in range(x.shape[1]):
        result[:, channel] = x[:, channel].mean((1, 2), keepdim=True)
    return result
"""


@pytest.mark.parametrize("name", ["squeeze", "squeeze_by_channel"])
def test_the_verdict_says_the_same(name: str, tmp_path: Path):
    process = warm(False).observer()
    exercise = EXERCISES["squeeze"]
    questions = ask(exercise, seed=1)
    file = tmp_path / "answer.py"
    file.write_text(LOOP)
    names = {}
    exec(compile(LOOP, str(file), "exec"), names)
    try:
        worked(process.run(LOOP, 10))
        number = process.ask(int | None, "look", name, questions, exercise.records)
        there = judge_all(exercise, RemoteWitness(process, number, questions, exercise.records))
    finally:
        process.close()
    here = judge_all(exercise, Witness(names[name], questions, exercise.records))
    assert {check: (r.passed, r.misconception) for check, r in there.items()} == {
        check: (r.passed, r.misconception) for check, r in here.items()
    }
