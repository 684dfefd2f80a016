"""What a lesson's cells call: ``check``, ``hint`` and ``points``, and an IPython extension that keeps stub errors short."""

import ast
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from .. import mine
from ..table import Table
from . import report as reports
from .changes import source_of
from .closeness import close_in
from .exercise import Exercise
from .exercises import EXERCISES, HINTS, LESSONS, TEXTS
from .judge import Case, Report, ask, verdict
from .kernel import as_new
from .limits import quiet
from .observe import Look, observe_all
from .reference import used_by
from .stub import OTHER, STUB, keep_short
from .unread import note, watch
from .witness import Witness

hints_given: Counter[str] = Counter()
points_earned: dict[str, int] = {}
passed: dict[str, tuple[Any, set[str]]] = {}
"""By exercise, the last answer that passed a check of it, and the checks that this answer has passed."""


BORROWED = "{}: your code uses the course's own {}: write yours without it. It earns nothing."
FRESH = (
    "Points of the checks that you ran since the kernel started. Grading runs your notebook from the top in a new kernel "
    "and asks with fresh random numbers."
)


@dataclass
class LastLook:
    """The last look at an answer: it serves the checks of an exercise that follow one another, with no cell between."""

    case: Case | None = None
    checks: set[str] = field(default_factory=set)
    cell: int = 0

    def serves(self, exercise: Exercise, check: str, answer: Any, cell: int) -> bool:
        same = self.case and self.case.exercise is exercise and self.case.witness.answer is answer
        return bool(same) and check not in self.checks and self.cell == cell - 1


last_look = LastLook()
lessons_checked: set[str] = set()
SEVERAL = (
    "This kernel has checked {before} too, whose names are still there. Give each lesson a kernel of its own: menu Kernel, "
    "Change Kernel, Start Python 3."
)


class InOneLine:
    """Mixed into an exception: a notebook shows it without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class CheckFailed(InOneLine, Exception):
    """A check that an answer did not pass."""


class UnknownId(InOneLine, ValueError):
    """A check, an exercise or a lesson that does not exist."""

    def __init__(self, what: str, id: str, known: Iterable[str]):
        near = get_close_matches(id, known, n=3, cutoff=0)
        lesson = f" If the lesson asks for it, {OTHER}" if what == "check" else ""
        super().__init__(f"no {what} is called {id!r}; did you mean {', '.join(near[:-1])} or {near[-1]}?{lesson}")


def check(id: str, answer: Any, may_borrow: bool = False) -> None:
    """Check an answer with fresh random inputs and show the verdict.

    Args:
        id: a test cell's grade id, for example ``"squeeze-excitation-values"``.
        answer: the class or function you wrote.
        may_borrow: the answer may be the course's own, as in tests of the checks.

    Raises: NotImplementedError while the answer is still a stub, CheckFailed when it does not pass, UnknownId, a
        ValueError, for an id that does not exist.
    """
    exercise, name = find(id)
    if of_before := note(answer):
        print(of_before)
    if in_jupyter() and (before := other_lessons(exercise)):
        print(SEVERAL.format(before=before))
    with quiet(), as_new():
        case = looked_at(exercise, name, answer)
        report = verdict(case, name)
        borrowed = report.passed and not may_borrow and used_by(answer, case.questions, exercise.records)
    if borrowed:
        points_earned[report.id] = 0
        raise CheckFailed(BORROWED.format(report.id, borrowed))
    points_earned[report.id] = report.points if report.passed else 0
    if not report.stub:
        display(formats(report))
    if error := failure(report):
        raise error
    carry_on(case, name)


def looked_at(exercise: Exercise, check: str, answer: Any) -> Case:
    """The answer beside the right ones: as in the cell before, if that made another of its checks, or with fresh questions."""
    cell = sys.modules["IPython"].get_ipython().execution_count if in_jupyter() else 0
    if not (cell and last_look.serves(exercise, check, answer, cell)):
        last_look.case = Case(exercise, Witness(answer, ask(exercise), exercise.records))
        last_look.checks = set()
    last_look.checks.add(check)
    last_look.cell = cell
    return last_look.case


def other_lessons(exercise: Exercise) -> str:
    """The lessons of which this kernel has checked an answer, besides that of this exercise; told once each."""
    [lesson] = [lesson for lesson, exercises in LESSONS.items() if exercise in exercises]
    before = lessons_checked - {lesson} if lesson not in lessons_checked else set()
    lessons_checked.add(lesson)
    return ", ".join(sorted(before))


def failure(report: Report) -> Exception | None:
    """The error that a check ends with, if it fails; nothing is shown of a stub."""
    if report.stub:
        return NotImplementedError(STUB.format(report.stub))
    return None if report.passed else CheckFailed(reports.text(report))


def carry_on(case: Case, check: str) -> None:
    """Keep an answer for later lessons when it has passed all checks of its exercise, if its cell also runs alone."""
    exercise, answer = case.exercise, case.witness.answer
    last, before = passed.get(exercise.key, (None, set()))
    now = (before if last is answer else set()) | {check}
    passed[exercise.key] = answer, now
    if now != exercise.checks.keys() or not (source := source_of(answer)):
        return
    file = mine.keep(source.tree.name, source.text)
    if file is None:
        return
    try:
        with quiet(), as_new():
            again = observe_all(mine.load(file), case.questions, exercise.records, Look.VALUES, fillings=1)
        runs_alone = all(
            close_in(alone.values, seen.values, record)
            for alone, seen in zip(again, case.seen)
            for record in seen.values
        )
    except Exception:
        runs_alone = False
    if runs_alone:
        print(f"Kept: later lessons use your {source.tree.name}.")
    else:
        file.unlink()


def hint(id: str) -> None:
    """Show the next hint of an exercise: a nudge, then the equation with shapes, then pseudocode."""
    if id not in HINTS:
        raise UnknownId("exercise", id, HINTS)
    texts = HINTS[id]
    number = min(hints_given[id], len(texts) - 1)
    again = " There are no more; here is the last once again." if hints_given[id] >= len(texts) else ""
    hints_given[id] += 1
    show_markdown(f"**Hint {number + 1} of {len(texts)}.**{again}\n\n{texts[number]}")


def points(lesson: str) -> None:
    """Show the points of a lesson's checks that were run in this session.

    Raises: UnknownId, a ValueError, for a lesson that does not exist.
    """
    if lesson not in LESSONS:
        raise UnknownId("lesson", lesson, LESSONS)
    display(points_table(lesson, points_earned))


def points_table(lesson: str, points_earned: dict[str, int]) -> dict[str, str]:
    """The points of a lesson's checks beside those that can be reached, as a notebook shows them."""
    earned, reachable = Counter(), Counter()
    for exercise in LESSONS[lesson]:
        for name, asked in exercise.checks.items():
            reachable[exercise.id] += asked.points
            earned[exercise.id] += points_earned.get(f"{exercise.key}-{name}", 0)
    rows = [[id, str(earned[id]), str(most)] for id, most in reachable.items()]
    if lesson in TEXTS:
        id, reachable[id] = TEXTS[lesson]
        rows.append([id, "read by your instructor", str(reachable[id])])
    rows.append(["total", str(earned.total()), str(reachable.total())])
    table = Table(FRESH, ["exercise", "points", "of"], rows)
    return {"text/html": table._repr_html_(), "text/plain": repr(table)}


def find(id: str) -> tuple[Exercise, str]:
    """The exercise and the name of its check that a test cell's grade id stands for."""
    for exercise in EXERCISES.values():
        name = id.removeprefix(f"{exercise.key}-")
        if name in exercise.checks and id == f"{exercise.key}-{name}":
            return exercise, name
    raise UnknownId(
        "check", id, (f"{exercise.key}-{name}" for exercise in EXERCISES.values() for name in exercise.checks)
    )


def formats(report: Report) -> dict[str, str]:
    """A verdict as a notebook shows it."""
    return {"text/html": reports.html(report), "text/plain": reports.text(report)}


def show_markdown(markdown: str) -> None:
    display({"text/markdown": markdown, "text/plain": markdown})


def display(formats: dict[str, str]) -> None:
    """The richest format in Jupyter, plain text elsewhere."""
    if in_jupyter():
        sys.modules["IPython"].display.display(formats, raw=True)
    else:
        print(formats["text/plain"])


def in_jupyter() -> bool:
    return "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None


class OurCheck(ast.NodeTransformer):
    """A lesson's `check("squeeze-values", squeeze)` calls this module's, also where a learner's own has taken the name."""

    function = "__import__('attention_lab.grading').grading.check"
    ids = frozenset(f"{exercise.key}-{name}" for exercise in EXERCISES.values() for name in exercise.checks)

    def visit_Call(self, call: ast.Call) -> ast.Call:
        self.generic_visit(call)
        match call:
            case ast.Call(func=ast.Name(id="check"), args=[ast.Constant(value=str(id)), *_]) if id in self.ids:
                ours = ast.parse(self.function, mode="eval").body
                for part in ast.walk(ours):
                    ast.copy_location(part, call.func)
                call.func = ours
        return call


def keep_check() -> None:
    """Let the cells of the running kernel call this module's check, whatever is called like it."""
    from IPython import get_ipython

    known = get_ipython().ast_transformers
    if not any(isinstance(transformer, OurCheck) for transformer in known):
        known.append(OurCheck())


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext attention_lab.grading``: a lesson's checks are ours, its usual errors take a line, not forty."""
    keep_short(shell)
    keep_check()
    watch(shell)
