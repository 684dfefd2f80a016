"""No right answer fails, no wrong answer passes, and the mistake is named."""

import time
from collections import Counter
from dataclasses import replace

import bank
import pytest
import torch
from bank import Banked, grade, graded, load, named, unfair_seeds, verdict
from torch import nn

from attention_lab.grading import judge
from attention_lab.grading.exercise import Misconception
from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.properties import GENERAL

BANK = load()


@pytest.fixture
def patiently(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake is looked for as long as on a machine of four times the speed."""
    for limit in ("SECONDS_OF_CHANGES", "SECONDS_OF_PAIRS", "SECONDS_OF_MATCHING"):
        monkeypatch.setattr(judge, limit, 4 * getattr(judge, limit))


@pytest.mark.parametrize("banked", [b for b in BANK if b.right], ids=str)
def test_a_right_answer_in_any_style_gets_full_points(banked: Banked):
    for report in verdict(banked).values():
        assert report.passed, [row for row in report.rows if not row.passed]


@pytest.mark.usefixtures("patiently")
@pytest.mark.parametrize("banked", [b for b in BANK if not b.right], ids=str)
def test_a_wrong_answer_earns_the_points_of_what_holds_and_no_more(banked: Banked):
    reports = verdict(banked)
    assert {check for check, report in reports.items() if report.passed} == banked.passes


@pytest.mark.usefixtures("patiently")
@pytest.mark.parametrize("banked", [b for b in BANK if not b.right], ids=str)
def test_the_mistake_is_named_by_its_own_misconception(banked: Banked):
    assert named(verdict(banked)) == {banked.misconception} - {None}


def test_at_least_nine_of_ten_mistakes_have_a_name():
    wrong = [b for b in BANK if not b.right]
    assert sum(b.misconception is not None for b in wrong) >= 0.9 * len(wrong)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_every_misconception_is_reached_by_a_wrong_answer(exercise: str):
    reached = {b.misconception for b in BANK if b.exercise == exercise}
    assert {m.id for m in EXERCISES[exercise].misconceptions} <= reached


@pytest.mark.parametrize("misconception", GENERAL, ids=lambda misconception: misconception.id)
def test_every_mistake_that_is_known_in_all_exercises_is_reached_too(misconception: Misconception):
    assert misconception.id in {b.misconception for b in BANK}


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_bank_holds_enough_answers_of_both_kinds(exercise: str):
    kinds = Counter(b.right for b in BANK if b.exercise == exercise)
    takes_a_class = any(isinstance(b.answer, type) for b in BANK if b.exercise == exercise)
    assert kinds[True] >= (4 if takes_a_class else 2)
    assert kinds[False] >= (6 if takes_a_class else 4)


def seconds_of_a_fixed_task() -> float:
    """Computing of the same kind: small layers, forwards and backwards."""
    start = time.process_time()
    layers, x = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)), torch.rand(8, 32)
    for _ in range(1000):
        layers(x).sum().backward()
    return time.process_time() - start


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_checks_of_an_answer_take_no_longer_than_some_hundred_steps_of_a_small_network(exercise: str):
    """`python tests/grading/bank.py` prints the seconds; a fixed task takes about 0.05 s on the same machine."""
    slowest = max((b for b in BANK if b.exercise == exercise), key=lambda banked: graded(banked).seconds)
    assert any(grade(exercise, slowest.answer).seconds / seconds_of_a_fixed_task() < 40 for _ in range(3))


SEEDS = 1


@pytest.mark.parametrize("exercise", EXERCISES)
def test_no_verdict_depends_on_the_numbers_drawn(exercise: str):
    """A sample of `python tests/grading/bank.py --seeds 1000`."""
    answers = [b for b in BANK if b.exercise == exercise]
    sample = [b for b in answers if b.right][::3] + [b for b in answers if not b.right][::9]
    assert not any(unfair_seeds(exercise, sample, range(SEEDS)).values())


def test_a_check_that_an_answer_passes_against_the_bank_is_told_with_its_seed():
    banked = next(b for b in BANK if not b.right and b.passes)
    told = replace(banked, passes=frozenset())
    assert unfair_seeds(banked.exercise, [told], [3, 5]) == {str(banked): [3, 5]}


def test_the_table_counts_the_answers_of_every_exercise(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bank, "EXERCISES", {"squeeze": EXERCISES["squeeze"]})
    header, row = bank.table().splitlines()
    rights = sum(b.right for b in BANK if b.exercise == "squeeze")
    wrongs = sum(not b.right for b in BANK if b.exercise == "squeeze")
    assert header.split()[:3] == ["exercise", "right", "accepted"]
    assert row.split()[:4] == ["squeeze", f"{rights}/{rights}", f"{wrongs}/{wrongs}", row.split()[3]]
