"""Inspection: the cells of one submission, run by an observer, and the verdicts on its checks, made here."""

import ast
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from ..grading.exercises import EXERCISES
from ..grading.judge import Case, Report, Trusted, ask, verdict
from ..grading.kernel import as_new
from ..grading.limits import quiet
from ..grading.notebook import OurCheck, find
from ..grading.observe import Question
from .outputs import Output
from .process import Process
from .remote import RemoteWitness
from .wire import Gone, Nonsense

FATAL = "This cell ended or blocked its process: all others were run again without it."
MOST_KEPT = 60  # answers with a question each; what a trusted one did there takes up to 1 MB, mostly far less
GRACE = 15  # seconds in which an observer stops a cell itself, so that what the cell has done so far counts


class Asked(NamedTuple):
    """What a test cell checks: its id, and the name of the answer."""

    id: str
    name: str


@dataclass(frozen=True)
class Limits:
    """Seconds on the clock for a cell, for a check, and for all of a submission together."""

    cell: float = 120
    check: float = 120
    all: float = 900


class NoVerdict(Exception):
    """Why a check could not be made: told to the learner, whom it costs the check."""


def asked_in(cell: NotebookNode) -> Asked | None:
    """What a test cell asks of the course's check, if it does nothing else."""
    if not is_grade(cell) or is_solution(cell) or cell.cell_type != "code":
        return None
    try:
        body = ast.parse(cell.source).body
    except SyntaxError:
        return None
    match body:
        case [ast.Expr(ast.Call(ast.Name("check"), [ast.Constant(str(id)), ast.Name(name)], []))] if id in OurCheck.ids:
            return Asked(id, name)
    return None


@dataclass
class Inspection:
    """One submission as an observer knows it.

    start: starts an observer's process.
    limits: seconds on the clock.
    seed: what the questions are drawn from.
    cells: what was to be run so far.
    shown: what those that were run have shown, by their place.
    fatal: the places of those that ended or blocked the process; all others are run again without them.
    """

    start: Callable[[], Process]
    limits: Limits
    seed: int
    cells: list[str] = field(default_factory=list)
    shown: dict[int, list[Output]] = field(default_factory=dict)
    fatal: set[int] = field(default_factory=set)

    def __post_init__(self):
        self.process: Process | None = None
        self.done = 0
        self.last: tuple[str, str, Case] | None = None
        self.end = time.monotonic() + self.limits.all

    def __enter__(self) -> "Inspection":
        self.process = self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.give_up()

    def give_up(self) -> None:
        if self.process:
            self.process.close()
        self.process, self.done, self.last = None, 0, None

    def within(self, seconds: float) -> Process:
        """The process, to be asked within this time."""
        if time.monotonic() > self.end:
            raise NoVerdict(f"the {self.limits.all:g} seconds for this notebook were over before this was run.")
        if self.process is None:
            self.process = self.start()
        self.process.until = min(time.monotonic() + seconds, self.end)
        return self.process

    def run(self, cell: str) -> int:
        """Have a cell run before the next check; its place among the cells."""
        self.cells.append(cell)
        self.last = None
        return len(self.cells) - 1

    def reach(self) -> None:
        """Have all cells run that were to be run so far, without those that end the process.

        Raises: NoVerdict.
        """
        while self.done < len(self.cells):
            if self.done not in self.fatal:
                process = self.within(2 * self.limits.cell + GRACE)
                try:
                    shown = process.run(self.cells[self.done], self.limits.cell)
                except (Gone, Nonsense) as error:
                    self.fatal.add(self.done)
                    self.shown[self.done] = [Output("error", type(error).__name__, traceback=[FATAL])]
                    self.give_up()
                    continue
                self.shown[self.done] = shown
            self.done += 1

    def judge(self, asked: Asked) -> Report:
        """The verdict on an answer as it stands now.

        Raises: NameError where there is none, NoVerdict.
        """
        self.reach()
        exercise, check = find(asked.id)
        process = self.within(self.limits.check)
        try:
            with quiet(), as_new():
                return verdict(self.case(process, exercise, asked.name), check)
        except Gone as gone:
            late = str(gone) != "ended"
            self.give_up()
            raise NoVerdict(
                f"no answer within {self.limits.check:g} seconds: does a loop never end?"
                if late
                else "your code ended the process that it was running in: does a call end Python, or ask for too much memory?"
            ) from gone
        except Nonsense as nonsense:
            self.give_up()
            raise NoVerdict(f"{nonsense}.") from nonsense
        except NameError:
            raise
        except Exception as error:
            self.give_up()
            raise NoVerdict(f"what your code gives cannot be judged ({type(error).__name__}).") from error

    def case(self, process: Process, exercise, name: str) -> Case:
        """The answer beside the right ones, looked at once for all checks that follow one another."""
        if self.last and self.last[:2] == (exercise.key, name):
            return self.last[2]
        questions, trusted = questions_of(exercise.key, self.seed)
        if len(trusted) > MOST_KEPT:
            trusted.clear()
        number = process.ask(int | None, "look", name, questions, exercise.records)
        if number is None:
            raise NameError(f"name {name!r} is not defined")
        case = Case(exercise, RemoteWitness(process, number, questions, exercise.records), trusted)
        self.last = exercise.key, name, case
        return case


@lru_cache(maxsize=64)
def questions_of(key: str, seed: int) -> tuple[list[Question], Trusted]:
    """The questions of an exercise, and what trusted answers do with them: seen once for all who are asked the same."""
    return ask(EXERCISES[key], drawn(seed, key)), {}


def drawn(seed: int, purpose: str) -> int:
    """A seed for one purpose, from which that of another is not to be had."""
    return random.Random(f"{seed} {purpose}").getrandbits(63)
