"""The bank: answers as learners write them, right ones in many styles and wrong ones with the points they deserve.

`python tests/grading/bank.py` prints the table: right answers accepted, wrong ones refused, mistakes named.
"""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.judge import Report, ask, judge
from attention_lab.grading.observe import observe

ANSWERS = Path(__file__).parent / "answers"


@dataclass(frozen=True)
class Banked:
    """An answer with the checks it should pass and, for a wrong one, the misconception by which it is known."""

    exercise: str
    answer: Any
    passes: frozenset[str]
    misconception: str | None = None
    name: str = ""

    @property
    def right(self) -> bool:
        return self.passes == set(EXERCISES[self.exercise].checks)

    def __str__(self) -> str:
        return f"{self.exercise}: {self.name or self.answer.__name__}"


BANK: list[Banked] = []


def right(exercise: str) -> Callable:
    """Bank the decorated answer as one that gets full points."""

    def keep(answer: Any) -> Any:
        BANK.append(Banked(exercise, answer, frozenset(EXERCISES[exercise].checks)))
        return answer

    return keep


def wrong(exercise: str, misconception: str | None, passes: str = "") -> Callable:
    """Bank the decorated answer as a wrong one that passes only the checks named, and shows the misconception."""

    def keep(answer: Any) -> Any:
        BANK.append(Banked(exercise, answer, frozenset(passes.split()), misconception))
        return answer

    return keep


def grade(exercise: str, answer: Any, seed: int | None = None) -> dict[str, Report]:
    """The report of every check of an exercise."""
    asked = EXERCISES[exercise]
    questions = ask(asked, seed)
    observations = [observe(answer, question, asked.records) for question in questions]
    return {check: judge(asked, check, questions, observations) for check in asked.checks}


@cache
def verdict(banked: Banked) -> dict[str, Report]:
    """The reports of a banked answer, on fresh numbers once for all tests."""
    return grade(banked.exercise, banked.answer)


def named(reports: dict[str, Report]) -> set[str]:
    return {report.misconception.id for report in reports.values() if report.misconception}


def load() -> list[Banked]:
    """All answers of the bank."""
    if not BANK:
        sys.path.insert(0, str(ANSWERS.parent))
        sys.modules.setdefault("bank", sys.modules[__name__])
        for file in sorted(ANSWERS.glob("*.py")):
            importlib.import_module(f"answers.{file.stem}")
    return BANK


def table() -> str:
    lines = [f"{'exercise':24}{'right accepted':>16}{'wrong refused':>16}{'named':>10}{'misnamed':>10}"]
    for exercise in EXERCISES:
        accepted = rights = refused = wrongs = correctly = falsely = 0
        for banked in (b for b in load() if b.exercise == exercise):
            reports = verdict(banked)
            full = all(report.passed for report in reports.values())
            rights, accepted = rights + banked.right, accepted + (banked.right and full)
            wrongs, refused = wrongs + (not banked.right), refused + (not banked.right and not full)
            correctly += not banked.right and named(reports) == {banked.misconception}
            falsely += bool(named(reports) - {banked.misconception})
        lines.append(
            f"{exercise:24}{f'{accepted}/{rights}':>16}{f'{refused}/{wrongs}':>16}{f'{correctly}/{wrongs}':>10}{falsely:>10}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
