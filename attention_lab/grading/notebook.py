"""What a lesson's cells call: ``check``, ``hint`` and ``points``, and an IPython extension that keeps stub errors short."""

import ast
import os
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import mine
from ..table import Table
from . import report as reports
from .changes import source_of
from .closeness import close_in
from .exercise import Exercise
from .exercises import EXERCISES, HINTS, LESSONS
from .judge import Case, Report, ask, verdict
from .kernel import as_new
from .limits import quiet
from .observe import Look, observe_all
from .reference import used_by
from .stub import OTHER, STUB, keep_short
from .unread import note, watch
from .witness import Witness

if TYPE_CHECKING:
    from .items import Item

hints_given: Counter[str] = Counter()
points_earned: dict[str, int] = {}
passed: dict[str, tuple[Any, set[str]]] = {}
"""By exercise, the last answer that passed a check of it, and the checks that this answer has passed."""
ran_well: dict[str, bool] = {}
"""By the text of each cell that was run, whether it ended without an error."""


BORROWED = "{}: your code uses the course's own {}: write yours without it. It earns nothing."
FRESH = (
    "Points of the checks that you ran since the kernel started. Grading runs your notebook from the top in a new kernel "
    "and asks with fresh random numbers."
)
OWN = "A test of your instructor's own counts if its cell ended without an error; it may ask more when it is graded."


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
    """Show the points of a lesson's checks that were run in this session, beside those that its notebook asks for.

    Raises: UnknownId, a ValueError, for a lesson that does not exist.
    """
    if lesson not in LESSONS:
        raise UnknownId("lesson", lesson, LESSONS)
    items = asked_here(lesson)
    own = {item.id: item.points for item in items if item.own and ran_well.get(item.source.strip())}
    display(points_table(items, points_earned | own))


def asked_here(lesson: str) -> list["Item"]:
    """What the running notebook asks, as it was last saved; what the course asks in the lesson where it is not found."""
    from .items import items_in, items_of  # reading notebooks takes imports that checks do not need
    from .reading import Unreadable, cells_of

    for file in filter(None, (os.environ.get("JPY_SESSION_NAME"), f"{lesson[3:]}.ipynb")):
        try:
            cells = cells_of(Path(file).read_bytes())
        except (OSError, Unreadable):
            continue
        return items_in(lesson, cells)
    return items_of(lesson)


def points_table(items: list["Item"], points_earned: dict[str, float]) -> dict[str, str]:
    """The points that were earned beside those that can be reached, as a notebook shows them.

    points_earned: by the ids of what gives them.
    """
    rows = []
    for exercise in dict.fromkeys(item.exercise for item in items):
        parts = [item for item in items if item.exercise == exercise]
        earned = f"{sum(points_earned.get(item.id, 0) for item in parts):g}"
        if any(item.read for item in parts):
            earned = " + ".join([*([] if all(item.read for item in parts) else [earned]), "read by your instructor"])
        rows.append([exercise, earned, f"{sum(item.points for item in parts):g}"])
    together = sum(points_earned.get(item.id, 0) for item in items)
    rows.append(["total", f"{together:g}", f"{sum(item.points for item in items):g}"])
    caption = f"{FRESH} {OWN}" if any(item.own for item in items) else FRESH
    table = Table(caption, ["exercise", "points", "of"], rows)
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


def keep_success(result: Any) -> None:
    """Keep whether a cell that was run ended without an error."""
    ran_well[result.info.raw_cell.strip()] = result.success


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext attention_lab.grading``: a lesson's checks are ours, its usual errors take a line, not forty."""
    keep_short(shell)
    keep_check()
    watch(shell)
    shell.events.register("post_run_cell", keep_success)
