"""Witness: what a judge, who must not touch an answer, can ask of it. It runs beside untrusted code."""

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .changes import Change, Edit, Source, changes, made_in_calls, reads, rebuilt, source_of, unused_arguments
from .earlier import IN_PLACE_OF
from .limits import TIME_LIMIT
from .matching import Way
from .observe import FILLINGS, Look, Observation, Problem, Question, observe_all

PACKAGE = __name__.partition(".")[0]
CHANGE_LIMIT = 1  # seconds for one changed answer: a change can make a loop endless
MAX_CHANGES = 5000


@dataclass
class Witness:
    """An answer and the questions that it was asked, in the records that the exercise names."""

    answer: Any
    questions: list[Question]
    records: tuple[str, ...]

    @cached_property
    def seen(self) -> list[Observation]:
        """What the answer does with the questions."""
        return observe_all(self.answer, self.questions, self.records)

    def matched(self, way: Way, questions: list[Question]) -> list[Observation]:
        """The same for some of the questions with its parameters told apart by what they do, which takes longer."""
        return observe_all(self.answer, questions, self.records, Look.VALUES, match=(way,))

    def measured(self, questions: list[Question]) -> list[Observation]:
        """The same for some of the questions with its slopes measured."""
        return observe_all(self.answer, questions, self.records, Look.MEASURED, fillings=1)

    @cached_property
    def source(self) -> Source | None:
        return source_of(self.answer)

    @cached_property
    def edits(self) -> dict[Change, Edit]:
        return dict(itertools.islice(changes(self.source), MAX_CHANGES)) if self.source else {}

    def of_earlier(self, name: str, questions: list[Question], records: tuple[str, ...]) -> "Witness | None":
        """The witness of an earlier answer, if this answer's code calls one by that name that is not the course's own."""
        if not self.source or name not in self.source.names or not reads(self.source.tree, name):
            return None
        earlier = self.source.names[name]
        return None if is_the_courses(earlier) else Witness(earlier, questions, records)

    def with_stand_ins(self, earlier: list[str]) -> "Witness | None":
        """The witness of the same code where it calls stand-ins for the earlier answers of these names."""
        try:
            answer = rebuilt(self.source, Edit(()), {name: IN_PLACE_OF[name] for name in earlier})
        except Exception:
            return None
        return Witness(answer, self.questions, self.records)

    def unused_arguments(self) -> list[str]:
        """The arguments that the answer's code never reads."""
        return unused_arguments(self.source) if self.source else []

    def made_in_calls(self) -> tuple[int, str] | None:
        """Line and code of a layer that the answer makes anew in every call."""
        return made_in_calls(self.source) if self.source else None

    def changes(self) -> list[Change]:
        """The changes of one place in the answer's code that can be asked for, as far as its code is known."""
        return list(self.edits)

    def changed(self, change: Change, questions: list[Question], fillings: int = FILLINGS) -> list[Observation]:
        """What the answer does with some of the questions after this change."""
        try:
            answer = rebuilt(self.source, self.edits[change])
        except Exception as error:
            return [Observation({"build": Problem(type(error).__name__, str(error))}) for _ in questions]
        seconds = min(CHANGE_LIMIT, TIME_LIMIT)
        return observe_all(answer, questions, self.records, Look.VALUES, seconds=seconds, fillings=fillings)


def is_the_courses(answer: Any) -> bool:
    """Whether an answer is the package's own; what a learner has kept in ``mine`` is the learner's."""
    module = str(getattr(answer, "__module__", ""))
    return module.startswith(f"{PACKAGE}.") and not module.startswith(f"{PACKAGE}.mine.")
