"""An answer that calls the learner's own earlier answers: whose mistake it is, when those are wrong."""

import linecache
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from graded import SE
from nbgrader.utils import is_solution
from torch import nn

from attention_lab.course.source import read_source
from attention_lab.grading.earlier import IN_PLACE_OF
from attention_lab.grading.exercise import Check, Exercise, Probe, Use, instead, normal
from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.judge import Case, Report, ask, judge_all
from attention_lab.grading.properties import values
from attention_lab.grading.witness import Witness

SOLUTIONS = Path(__file__).parents[2] / "solutions"
CALLING = [key for key, exercise in EXERCISES.items() if exercise.uses]

MAXIMUM = "def squeeze(x):\n    return x.amax((2, 3))\n"
CRASHES = "def squeeze(x):\n    return x.mean((2, 3), keepdim=True)\n"
NOBODY_DOES = "def squeeze(x):\n    return 0.3 * x.amax((2, 3)) + 0.1 * x[:, :, 0, 0]\n"


def defined(*cells: str) -> dict:
    """What cells define, as in a notebook: their code is known."""
    names = {"torch": torch, "nn": nn}
    for cell in cells:
        file = f"<cell {hash(cell)}>"
        linecache.cache[file] = len(cell), None, cell.splitlines(keepends=True), file
        exec(compile(cell, file, "exec"), names)
    return names


def verdict(answer: Callable, exercise: Exercise) -> dict[str, Report]:
    return judge_all(exercise, Witness(answer, ask(exercise), exercise.records))


def of_lesson_02(*cells: str) -> dict[str, Report]:
    return verdict(defined(*cells)["SqueezeExcitation"], EXERCISES["squeeze-excitation"])


def told(reports: dict[str, Report]) -> dict[str, str]:
    return {check: report.misconception.id for check, report in reports.items() if not report.passed}


def test_an_answer_that_is_right_for_the_wrong_earlier_one_that_it_calls_is_told_apart():
    reports = of_lesson_02(MAXIMUM, SE)
    assert told(reports) == {"values": "follow-through"} and reports["values"].follows_through
    assert reports["values"].misconception.name == (
        "squeeze, which your code calls, does not pass its own checks; what you wrote here is right"
    )


@pytest.mark.parametrize("squeeze", [CRASHES, NOBODY_DOES])
def test_so_is_one_whose_earlier_mistake_has_no_name_or_lets_it_crash(squeeze):
    assert set(told(of_lesson_02(squeeze, SE)).values()) == {"follow-through"}


@pytest.mark.parametrize("squeeze", [MAXIMUM, CRASHES, NOBODY_DOES])
def test_of_one_that_is_wrong_itself_only_the_earlier_answer_is_told(squeeze):
    reports = of_lesson_02(squeeze, SE.replace("torch.relu", ""))
    assert reports["values"].misconception.id == "earlier-answer" and not reports["values"].follows_through


BLOCK = """class EncoderBlock(nn.Module):
    def __init__(self, dim, heads=8, mlp_ratio=4):
        super().__init__()
        self.attention = MultiHeadSelfAttention(dim)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp_ratio * dim), nn.GELU(), nn.Linear(mlp_ratio * dim, dim))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))
"""


def test_where_the_courses_own_is_called_no_earlier_answer_is_to_blame():
    names = defined("from attention_lab.mechanisms import MultiHeadSelfAttention", BLOCK)
    reports = verdict(names["EncoderBlock"], EXERCISES["encoder-block"])
    assert set(told(reports).values()) == {"not-passed"}


@pytest.mark.parametrize("cell", [MAXIMUM, NOBODY_DOES])
def test_what_a_learner_has_kept_is_no_answer_of_the_courses(cell):
    names = defined(cell, SE)
    names["squeeze"].__module__ = "attention_lab.mine.squeeze"
    assert set(told(verdict(names["SqueezeExcitation"], EXERCISES["squeeze-excitation"])).values()) == {
        "follow-through"
    }


def test_a_crash_in_another_cell_does_not_say_where_to_look(monkeypatch):
    own = """class MultiHeadSelfAttention(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        self.heads, self.out = heads, nn.Linear(dim, dim)



    def forward(self, x, mask=None):
        return self.out(x.view(*x.shape[:2], self.heads, x.shape[2] // self.heads).flatten(2))
"""
    exercise, tried = EXERCISES["encoder-block"], []
    witness = Witness(defined(own, BLOCK)["EncoderBlock"], ask(exercise), exercise.records)
    monkeypatch.setattr(Case, "makes_right", lambda self, change, *look: tried.append(change))
    assert Case(exercise, witness).change is None
    assert tried and tried == witness.changes()[: len(tried)]


def wrong(answer: type[nn.Module] | Callable) -> type[nn.Module] | Callable:
    """An answer that gives something else, by a mistake that nobody has named."""
    if isinstance(answer, type):
        return type(answer.__name__, (answer,), {"forward": lambda self, *x: answer.forward(self, *x).cos()})

    def other(*given):
        result = answer(*given)
        return tuple(x.cos() for x in result) if isinstance(result, tuple) else result.cos()

    return other


@pytest.mark.parametrize("key", CALLING)
def test_the_lessons_own_answers_are_right_whatever_the_earlier_ones_do(key):
    exercise = EXERCISES[key]
    sources = ((read_source(path), path.read_text(encoding="utf-8")) for path in sorted(SOLUTIONS.glob("*/*.py")))
    lesson, answer = next(
        (notebook, asked[1])
        for notebook, text in sources
        if (asked := re.search(rf'^check\("{key}-\w+", (\w+)\)', text, re.MULTILINE))
    )
    names = defined(*(cell.source for cell in lesson.cells if is_solution(cell) and cell.cell_type == "code"))
    for name in exercise.uses:
        names[name] = wrong(names[name])
    assert set(told(verdict(names[answer], exercise)).values()) == {"follow-through"}


@pytest.mark.parametrize("key", [key for key, exercise in EXERCISES.items() if exercise.uses])
def test_a_right_answer_can_be_made_to_call_any_other_answer_to_an_earlier_exercise(key):
    exercise = EXERCISES[key]

    def is_right(answer) -> bool:
        case = Case(exercise, Witness(answer, ask(exercise, 1), exercise.records))
        return all(case.row(asked).passed for check in exercise.checks.values() for asked in check.properties)

    for used, given in exercise.uses.values():
        assert is_right(given(used.forms[0])(exercise.forms[0]))
        wrong = (coding(used.forms[0]) for told in used.misconceptions for coding in told.codings)
        assert any(not is_right(given(other)(exercise.forms[0])) for other in wrong)


def plain(right: Callable, uses: dict[str, Use] | None = None) -> Exercise:
    """An exercise about a function of x."""
    probe = Probe(lambda generator: (normal(generator, 2, 4),))
    return Exercise("plain", (right,), {"two": probe}, {"output": Check(1, (values(),))}, ("",) * 3, uses=uses or {})


def double(x):
    return x + x


def triple(x):
    return x + x + x


def test_an_earlier_answer_that_is_wrong_is_told_first_and_one_that_is_right_is_not(monkeypatch):
    monkeypatch.setitem(IN_PLACE_OF, "triple", torch.sin)
    earlier = plain(lambda x: x * 2)

    def quadruple(x):
        return double(double(x)) + 0.1

    def sixfold(x):
        return triple(x) * 2

    later = plain(
        lambda x: x * 4, uses={name: Use(earlier, lambda _: instead(lambda x: x * 4)) for name in ("double", "triple")}
    )
    assert verdict(quadruple, later)["output"].misconception.id != "earlier-answer"
    told = verdict(sixfold, later)["output"].misconception
    assert told.id == "earlier-answer" and told.name.startswith("triple, ")


def test_a_name_of_an_earlier_answer_that_is_not_there_is_no_earlier_answer():
    def reads_it(x):
        return never_written(x) * 2  # noqa: F821

    later = plain(lambda x: x * 4, uses={"never_written": Use(plain(lambda x: x * 2), instead)})
    assert verdict(reads_it, later)["output"].misconception.id == "no-name"

    def does_not_call_it(x):
        return x.sin().cos() + 3

    later = plain(lambda x: x * 4, uses={"triple": Use(plain(lambda x: x * 2), instead)})
    told = verdict(does_not_call_it, later)["output"].misconception
    assert told is None or told.id != "earlier-answer"
