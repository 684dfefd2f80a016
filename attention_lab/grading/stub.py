"""Errors of a notebook that are told in one line: a stub, a lesson of another version, a name whose cell could not be read."""

import traceback
from typing import Any

from .. import __version__
from .unread import MISSING, missing

STUB = "{} is still a stub: write it in place of `raise NotImplementedError()`, then run this again."

OTHER = (
    f"it is of another version than your attention_lab {__version__}. Install the one of your kit, pip install -r "
    "requirements.txt, or update your checkout; then restart the kernel."
)


def is_stub(error: BaseException) -> bool:
    """Whether it comes from a stub that was never written, which says nothing; torch says what it has no kernel for."""
    return isinstance(error, NotImplementedError) and not str(error)


def stub_name(error: BaseException) -> str:
    """The function that raised the error: a stub that was never written."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_code.co_qualname.rpartition("<locals>.")[2]


def keep_short(shell: Any) -> None:
    """Let an IPython shell tell these errors in one line, not in forty."""

    def in_one_line(shell: Any, kind: type, error: BaseException, trace: Any, tb_offset: int | None = None) -> None:
        if isinstance(error, NotImplementedError):
            lines = [f"NotImplementedError: {error if str(error) else STUB.format(stub_name(error))}"]
        elif isinstance(error, NameError) and error.name in missing and error.name not in shell.user_ns:
            lines = [f"{kind.__name__}: {MISSING.format(name=error.name, error=missing[error.name])}"]
        elif isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "attention_lab":
            lines = [f"{kind.__name__}: {error}. If the lesson asks for it, {OTHER}"]
        else:
            lines = shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)
        shell._showtraceback(kind, error, lines)

    shell.set_custom_exc((NotImplementedError, ImportError, NameError), in_one_line)
