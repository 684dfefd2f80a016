"""A cell that Python could not read defines nothing: what it was to define is still what it was before, or is missing."""

import re
from typing import Any

DEFINES = re.compile(r"^(?:async +)?(?:def|class) +(\w+)", re.MULTILINE)
NOTE = (
    "The cell of your {name} ended with {error}, so it defined nothing. This check judges the {name} of before: mend the "
    "cell and run it again."
)
MISSING = "name {name!r} is not defined: its cell ended with {error}. Mend that cell, run it, then run this again."

missing: dict[str, str] = {}
"""By name, the error of a cell that could not be read, where nothing of that name was there before."""

of_before: dict[str, tuple[Any, str]] = {}
"""By name, what a cell that could not be read has left as it was, and its error."""


def watch(shell: Any) -> None:
    """Let an IPython shell remember what a cell with a syntax error was to define."""

    def remember(result: Any) -> None:
        if isinstance(result.error_before_exec, SyntaxError):
            for name in DEFINES.findall(result.info.raw_cell):
                error = result.error_before_exec
                told = (
                    f"{'an' if type(error) is IndentationError else 'a'} {type(error).__name__} in line {error.lineno}"
                )
                if name in shell.user_ns:
                    of_before[name] = shell.user_ns[name], told
                else:
                    missing[name] = told

    shell.events.register("post_run_cell", remember)


def note(answer: Any) -> str | None:
    """What to tell of an answer that is still the one of before; None for any other."""
    for name, (before, error) in of_before.items():
        if before is answer:
            return NOTE.format(name=name, error=error)
    return None
