"""The bank: answers as learners write them, right ones in many styles and wrong ones with the points they deserve.

`python tests/grading/bank.py` prints the table: right answers accepted, wrong ones refused, mistakes named, and what the
slowest check of any of them takes.
"""

import importlib
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import click

from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.judge import Case, Report, Trusted, ask, judge, judge_all
from attention_lab.grading.observe import Question
from attention_lab.grading.witness import Witness

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


class Graded(NamedTuple):
    """The report of every check of an exercise, and the seconds of computing that all of them take."""

    reports: dict[str, Report]
    seconds: float


def grade(exercise: str, answer: Any, *checks: str) -> Graded:
    """Grade an answer on fresh numbers, in all checks or only some."""
    asked = EXERCISES[exercise]
    start = time.process_time()
    witness = Witness(answer, ask(asked), asked.records)
    reports = {check: judge(asked, check, witness) for check in checks} if checks else judge_all(asked, witness)
    return Graded(reports, time.process_time() - start)


@cache
def graded(banked: Banked) -> Graded:
    """A banked answer's grade, once for all tests; all answers to an exercise are asked the same."""
    asked, (questions, trusted) = EXERCISES[banked.exercise], questions_for_all(banked.exercise)
    start = time.process_time()
    reports = judge_all(asked, Witness(banked.answer, questions, asked.records), trusted)
    return Graded(reports, time.process_time() - start)


@cache
def questions_for_all(exercise: str) -> tuple[list[Question], Trusted]:
    """Fresh questions, and what the trusted answers do with them, as far as somebody has looked."""
    return ask(EXERCISES[exercise]), {}


def slowest_check(banked: Banked) -> float:
    """The seconds of computing that the slowest check of an answer takes by itself, as a learner calls it, warm."""
    warm(banked.exercise)
    return max(grade(banked.exercise, banked.answer, check).seconds for check in EXERCISES[banked.exercise].checks)


@cache
def warm(exercise: str) -> None:
    grade(exercise, next(b.answer for b in load() if b.exercise == exercise))


def verdict(banked: Banked) -> dict[str, Report]:
    return graded(banked).reports


def named(reports: dict[str, Report]) -> set[str]:
    return {report.misconception.id for report in reports.values() if report.misconception}


def unfair_seeds(exercise: str, answers: list[Banked], seeds: Iterable[int]) -> dict[str, list[int]]:
    """For each answer, the seeds with whose numbers it does not pass the checks that it should, and no other."""
    asked = EXERCISES[exercise]
    unfair = {str(banked): [] for banked in answers}
    for seed in seeds:
        questions, trusted = ask(asked, seed), {}
        for banked in answers:
            case = Case(asked, Witness(banked.answer, questions, asked.records), trusted)
            passed = {id for id, check in asked.checks.items() if all(case.row(row).passed for row in check.properties)}
            if passed != banked.passes:
                unfair[str(banked)].append(seed)
    return unfair


def load() -> list[Banked]:
    """All answers of the bank."""
    if not BANK:
        sys.path.insert(0, str(ANSWERS.parent))
        sys.modules.setdefault("bank", sys.modules[__name__])
        for file in sorted(ANSWERS.glob("*.py")):
            importlib.import_module(f"answers.{file.stem}")
    return BANK


def table() -> str:
    lines = [
        f"{'exercise':24}{'right accepted':>16}{'wrong refused':>16}{'named':>10}{'misnamed':>10}{'slowest check':>16}"
    ]
    for exercise in EXERCISES:
        accepted = rights = refused = wrongs = correctly = falsely = slowest = 0
        for banked in (b for b in load() if b.exercise == exercise):
            reports = verdict(banked)
            full = all(report.passed for report in reports.values())
            rights, accepted = rights + banked.right, accepted + (banked.right and full)
            wrongs, refused = wrongs + (not banked.right), refused + (not banked.right and not full)
            correctly += not banked.right and named(reports) == {banked.misconception}
            falsely += bool(named(reports) - {banked.misconception})
            slowest = max(slowest, slowest_check(banked))
        lines.append(
            f"{exercise:24}{f'{accepted}/{rights}':>16}{f'{refused}/{wrongs}':>16}{f'{correctly}/{wrongs}':>10}{falsely:>10}"
            f"{slowest:>14.2f} s"
        )
    return "\n".join(lines)


@click.command()
@click.option(
    "--seeds", type=int, help="Grade every answer with so many seeds, and print those by which a verdict changes."
)
@click.option("--exercise", help="Of this one only, for example multi-head.")
@click.option("--right", is_flag=True, help="Right answers only, which takes a quarter of the time.")
def main(seeds: int | None, exercise: str | None, right: bool) -> None:
    """Print the table of the bank; or, with --seeds, whether a verdict depends on the numbers drawn."""
    if not seeds:
        print(table())
        return
    for asked in [exercise] if exercise else EXERCISES:
        answers = [banked for banked in load() if banked.exercise == asked and (banked.right or not right)]
        for told, unfair in unfair_seeds(asked, answers, range(seeds)).items():
            print(f"{told}: {len(unfair)} of {seeds} unfair {unfair[:10] if unfair else ''}", flush=True)


if __name__ == "__main__":
    main()
