"""A stub: a function that the learner has not written yet, and how its error is told."""

import traceback
from typing import Any

STUB = "{} is still a stub: write it in place of `raise NotImplementedError()`, then run this again."


def stub_name(error: BaseException) -> str:
    """The function that raised the error: a stub that was never written."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_code.co_qualname.rpartition("<locals>.")[2]


def keep_short(shell: Any) -> None:
    """Let an IPython shell tell a stub's error in one line, not in forty."""

    def in_one_line(shell: Any, kind: type, error: BaseException, trace: Any, tb_offset: int | None = None) -> None:
        message = str(error) or STUB.format(stub_name(error))
        shell._showtraceback(kind, error, [f"NotImplementedError: {message}"])

    shell.set_custom_exc((NotImplementedError,), in_one_line)
