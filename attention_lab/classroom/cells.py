"""Cells: run as a notebook's kernel runs them, without one; what they show is plain data.

This file runs beside untrusted code.
"""

import base64
import contextlib
import io
from collections.abc import Iterator
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from ..grading.limits import OutOfTime, time_limit
from ..grading.stub import keep_short
from .outputs import Output, Outputs
from .wire import LongText


class Stream(io.TextIOBase):
    """What is printed becomes an output."""

    def __init__(self, name: str, shell: "Shell"):
        self.name, self.shell = name, shell

    def write(self, text: str) -> int:
        self.shell.outputs.add(Output("stream", self.name, LongText(text)))
        return len(text)

    def writable(self) -> bool:
        return True


class Publisher(DisplayPublisher):
    """What is displayed becomes an output."""

    def publish(self, data: dict[str, Any], *given: Any, **more: Any) -> None:
        self.shell.outputs.add(Output("display_data", formats=texts_of(data)))

    def clear_output(self, wait: bool = False) -> None:
        self.shell.outputs.clear()


class Hook(DisplayHook):
    """A cell's last value becomes an output."""

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        self.shell.outputs.add(Output("execute_result", formats=texts_of(format_dict)))

    def finish_displayhook(self) -> None:
        self._is_active = False


class Shell(InteractiveShell):
    """IPython without a terminal or a kernel: it starts no program, and nothing asks it to end."""

    display_pub_class = Type(Publisher)
    displayhook_class = Type(Hook)

    def __init__(self, **settings: Any):
        self.outputs = Outputs()
        super().__init__(config=Config(HistoryManager={"enabled": False}), **settings)
        keep_short(self)

    def _showtraceback(self, kind: type, error: BaseException, lines: list[str]) -> None:
        if issubclass(kind, OutOfTime):
            self.show_late(error)
        else:
            traceback = [str(line)[:10_000] for line in lines[-200:]]
            self.outputs.add(Output("error", kind.__name__, LongText(error), traceback=traceback))

    def show_late(self, late: BaseException) -> None:
        self.outputs.add(Output("error", "TimeoutError", LongText(late), traceback=[f"TimeoutError: {late}"]))

    def enable_gui(self, gui: str | None = None) -> None:
        pass

    def ask_exit(self) -> None:
        pass

    def system(self, command: str) -> None:
        """`!pip install` does nothing here."""

    system_raw = system_piped = system

    def run(self, cell: str, seconds: float) -> list[Output]:
        """What a cell shows; one that takes too long ends with an error."""
        self.outputs = Outputs()
        try:
            with self.streams(), time_limit(seconds):
                self.run_cell(cell, store_history=True)
        except OutOfTime as late:
            self.show_late(late)
        return list(self.outputs)

    @contextlib.contextmanager
    def streams(self) -> Iterator[None]:
        with (
            contextlib.redirect_stdout(Stream("stdout", self)),
            contextlib.redirect_stderr(Stream("stderr", self)),
        ):
            yield


def texts_of(formats: dict[str, Any]) -> dict[str, LongText]:
    """What is displayed, as text; what no page can show is left out."""
    shown = {
        kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value for kind, value in formats.items()
    }
    return {str(kind): LongText(value) for kind, value in shown.items() if isinstance(value, str)}
