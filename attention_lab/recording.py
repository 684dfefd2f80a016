"""Numbers of many seeds, measured beforehand by a lesson's own code and shipped with the course.

A lesson trains a few seeds while you wait. Where these cannot decide, it shows the numbers of more seeds beside its own:
``recorded("sizes", seeds, here)`` gives them. ``attention-lab experiments LESSON --seeds 10-19`` makes them: it runs the
lesson with these seeds and keeps what the lesson hands to ``recorded``. So the code that made them is the code one reads.
"""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from . import __version__

FOLDER = Path(__file__).parent / "recordings"
SEEDS = "ATTENTION_LAB_SEEDS"
"""Environment variable: the seeds of a recording run, such as "10,11,12"; every comparison takes them."""
KEEP_IN = "ATTENTION_LAB_RECORD"
"""Environment variable: the folder in which a recording run keeps its numbers."""
COMMAND = "ATTENTION_LAB_COMMAND"
"""Environment variable: the command that started a recording run."""


@dataclass(frozen=True)
class Recording:
    """Numbers by seed, and how they were made.

    seeds: each number belongs to one of them, in this order.
    numbers: one a seed, by the name of what was measured.
    command: that made them.
    versions: of what they depend on.
    """

    seeds: list[int]
    numbers: dict[str, list[float]]
    command: str
    versions: dict[str, str]

    @classmethod
    def load(cls, file: Path) -> "Recording":
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def save(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def asked_seeds() -> list[int] | None:
    """The seeds of a recording run; None if this is none."""
    asked = os.environ.get(SEEDS)
    return [int(seed) for seed in asked.split(",")] if asked else None


def recorded(name: str, seeds: Sequence[int], here: Mapping[str, Sequence[float]]) -> Recording:
    """The shipped numbers of a name, beside those that were measured ``here`` by the same code.

    Args:
        name: of the recording, a file of ``recordings/``.
        seeds: of the numbers measured here.
        here: one number a seed, by the name of what was measured: the same names as in the recording.

    Raises: ValueError if the names differ from the recording's, or not every name has one number a seed.
    """
    wrong = [key for key, values in here.items() if len(values) != len(seeds)]
    if wrong:
        raise ValueError(f"one number a seed is needed, got another number of them for {wrong}")
    if KEEP_IN in os.environ:
        numbers = {key: [round(float(value), 4) for value in values] for key, values in here.items()}
        now = Recording(list(seeds), numbers, os.environ.get(COMMAND, ""), versions())
        now.save(Path(os.environ[KEEP_IN]) / f"{name}.json")
        return now
    shipped = Recording.load(FOLDER / f"{name}.json")
    if shipped.numbers.keys() != here.keys():
        raise ValueError(f"{name} holds {list(shipped.numbers)}, but here was measured {list(here)}")
    return shipped


def versions() -> dict[str, str]:
    """What recorded numbers depend on."""
    return {"attention-lab": __version__, "torch": torch.__version__, "machine": platform.machine()}
