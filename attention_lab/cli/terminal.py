"""What commands share towards the terminal they are called from."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click


def prepend(variable: str, path: str | Path) -> None:
    """Put ``path`` first in a search path of the environment."""
    os.environ[variable] = os.pathsep.join(filter(None, [str(path), os.environ.get(variable)]))


@contextmanager
def shown_progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Tell how many are done of how many, and on a terminal show it as a bar with the time left."""
    bars: list[Any] = []

    def tell(done: int, all: int) -> None:
        if not bars:
            hidden = not sys.stderr.isatty()
            bars.append(click.progressbar(length=all, label=label, file=sys.stderr, show_pos=True, hidden=hidden))
            bars[0].render_progress()
        bars[0].update(done - bars[0].pos)

    try:
        yield tell
    finally:
        for bar in bars:
            bar.render_finish()
