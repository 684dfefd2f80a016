"""Whether an answer is the course's own: it is, subclasses or calls it, or carries it with it.

Whatever way it came, its code runs when the answer is asked. So calls are watched while it is.
"""

import sys
from pathlib import Path
from typing import Any

from .observe import Look, Question, observe_all

PACKAGE = Path(__file__).parents[1]
OWN = tuple(
    str(PACKAGE / place) for place in ("mechanisms/", "networks/", "evidence/", "grading/exercises/", "baselines.py")
)
TOOLS = str(PACKAGE / "mechanisms" / "arguments.py")


def used_by(answer: Any, questions: list[Question], records: tuple[str, ...]) -> str | None:
    """The first function of the course's own answers that runs when this one is asked, by its name."""
    found: list[str] = []

    def watch(frame: Any, event: str, argument: Any) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(OWN) and file != TOOLS:
            found.append(frame.f_code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        observe_all(answer, questions, records, Look.VALUES, fillings=0)
    finally:
        sys.setprofile(before)
    return found[0].removesuffix(".__init__") if found else None
