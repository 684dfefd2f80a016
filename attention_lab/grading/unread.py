"""A cell that Python could not read defines nothing: what it was to define is still what it was before."""

import re
from typing import Any

DEFINES = re.compile(r"^(?:async +)?(?:def|class) +(\w+)", re.MULTILINE)
NOTE = (
    "The cell of your {name} ended with {error}, so it defined nothing. This check judges the {name} of before: mend the "
    "cell and run it again."
)

of_before: dict[str, tuple[Any, str]] = {}
"""By name, what a cell that could not be read has left as it was, and its error."""


def watch(shell: Any) -> None:
    """Let an IPython shell remember what a cell with a syntax error was to define."""

    def remember(result: Any) -> None:
        if isinstance(result.error_before_exec, SyntaxError):
            for name in DEFINES.findall(result.info.raw_cell):
                if name in shell.user_ns:
                    error = result.error_before_exec
                    of_before[name] = shell.user_ns[name], f"a {type(error).__name__} in line {error.lineno}"

    shell.events.register("post_run_cell", remember)


def note(answer: Any) -> str | None:
    """What to tell of an answer that is still the one of before; None for any other."""
    for name, (before, error) in of_before.items():
        if before is answer:
            return NOTE.format(name=name, error=error)
    return None
