"""A witness whose answer is in another process: it has the methods of one that sits beside the answer."""

from functools import cached_property
from typing import Any

from ..grading.changes import Change
from ..grading.matching import Way
from ..grading.observe import FILLINGS, Observation, Question
from .process import Process
from .wire import Nonsense


class RemoteWitness:
    """What a judge can ask of an answer that an observer holds under a number."""

    def __init__(self, process: Process, number: int, questions: list[Question], records: tuple[str, ...]):
        self.process = process
        self.number = number
        self.questions = questions
        self.records = records

    def ask(self, kind: Any, what: str, *asked: Any) -> Any:
        return self.process.ask(kind, "ask", self.number, what, *asked)

    def observed(self, questions: list[Question], what: str, *asked: Any) -> list[Observation]:
        seen = self.ask(list[Observation], what, *asked)
        if len(seen) != len(questions):
            raise Nonsense("as many questions, so many answers")
        return seen

    @cached_property
    def seen(self) -> list[Observation]:
        return self.observed(self.questions, "seen")

    def matched(self, way: Way, questions: list[Question]) -> list[Observation]:
        return self.observed(questions, "matched", way, questions)

    def measured(self, questions: list[Question]) -> list[Observation]:
        return self.observed(questions, "measured", questions)

    def of_earlier(self, name: str, questions: list[Question], records: tuple[str, ...]) -> "RemoteWitness | None":
        number = self.process.ask(int | None, "of_earlier", self.number, name, questions, records)
        return None if number is None else RemoteWitness(self.process, number, questions, records)

    def with_stand_ins(self, earlier: list[str]) -> "RemoteWitness | None":
        number = self.process.ask(int | None, "with_stand_ins", self.number, earlier)
        return None if number is None else RemoteWitness(self.process, number, self.questions, self.records)

    def unused_arguments(self) -> list[str]:
        return self.ask(list[str], "unused_arguments")

    def made_in_calls(self) -> tuple[int, str] | None:
        return self.ask(tuple[int, str] | None, "made_in_calls")

    def changes(self) -> list[Change]:
        return self.ask(list[Change], "changes")

    def changed(self, change: Change, questions: list[Question], fillings: int = FILLINGS) -> list[Observation]:
        return self.observed(questions, "changed", change, questions, fillings)
