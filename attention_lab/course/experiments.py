"""Recording runs: a lesson's own trainings with many seeds, whose numbers are shipped with the course."""

from collections.abc import Sequence
from pathlib import Path

from ..recording import COMMAND, KEEP_IN, SEEDS, Recording
from .execute import execute
from .source import read_lesson


def record(root: Path, lesson: str, seeds: Sequence[int], folder: Path, command: str) -> dict[str, Recording]:
    """Run a lesson with other seeds, and keep in ``folder`` what it hands to ``recorded``: a file a name.

    Raises ReleaseError if a cell fails.
    """
    for source, notebook in read_lesson(root, lesson).items():
        execute(source, notebook, **{SEEDS: ",".join(map(str, seeds)), KEEP_IN: str(folder), COMMAND: command})
    return {file.stem: Recording.load(file) for file in sorted(folder.glob("*.json"))}
