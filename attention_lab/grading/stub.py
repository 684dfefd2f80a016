"""Errors of a notebook that are told in one line: a stub, which is not written yet, and a lesson of another version."""

import traceback
from typing import Any

from .. import __version__

STUB = "{} is still a stub: write it in place of `raise NotImplementedError()`, then run this again."

OTHER = (
    f"it is of another version than your attention_lab {__version__}. Install the one of your kit, pip install -r "
    "requirements.txt, or update your checkout; then restart the kernel."
)


def stub_name(error: BaseException) -> str:
    """The function that raised the error: a stub that was never written."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_code.co_qualname.rpartition("<locals>.")[2]


def keep_short(shell: Any) -> None:
    """Let an IPython shell tell these errors in one line, not in forty."""

    def in_one_line(shell: Any, kind: type, error: BaseException, trace: Any, tb_offset: int | None = None) -> None:
        if isinstance(error, NotImplementedError):
            lines = [f"NotImplementedError: {error if str(error) else STUB.format(stub_name(error))}"]
        elif (error.name or "").partition(".")[0] == "attention_lab":
            lines = [f"{kind.__name__}: {error}. If the lesson asks for it, {OTHER}"]
        else:
            lines = shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)
        shell._showtraceback(kind, error, lines)

    shell.set_custom_exc((NotImplementedError, ImportError), in_one_line)
