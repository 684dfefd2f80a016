"""Processes that observe submissions: a warm one that has imported everything, and a fork of it for each submission."""

import atexit
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from .observer import PACKAGE
from .outputs import Output
from .sandbox import COURSE, confined
from .wire import Gone, Line, unpacked

OBSERVER = Path(__file__).with_name("observer.py")
PASSED_ON = "ATTENTION_LAB_FAST", "LANG"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
UNCOMPILED = {"TORCHDYNAMO_DISABLE": "1"}  # what is compiled runs as it was written; a compiler would be a process more
INLINE = "module://matplotlib_inline.backend_inline"
PATIENCE = 300  # seconds, until it is said how long an answer may take
TO_END = 10  # seconds


class Warm:
    """A process that has imported everything, of which observers are forked."""

    def __init__(self, sandbox: bool = True):
        self.folder = tempfile.mkdtemp(prefix="attention-lab-")
        script = COURSE / OBSERVER.relative_to(PACKAGE.parent) if sandbox else OBSERVER
        command = [sys.executable, "-s", "-P", "-B", str(script)]
        if sandbox:
            command = confined([*command, "--confined"])
        home = "/tmp" if sandbox else self.folder
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | ONE_THREAD | UNCOMPILED
        environment |= dict.fromkeys(("HOME", "MPLCONFIGDIR", "IPYTHONDIR", "TMPDIR"), home) | {"MPLBACKEND": INLINE}
        self.door, theirs = socket.socketpair()
        with theirs:
            self.started = subprocess.Popen(
                command,
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self.folder,
                env=environment,
                start_new_session=True,
            )
        atexit.register(self.close)

    def observer(self, beside: dict[str, bytes] | None = None, seed: int | None = None) -> "Process":
        """A new observer, with the files beside a notebook by path, and random numbers of its own or from a seed.

        Raises: Gone.
        """
        line, theirs = socket.socketpair()
        leash, collar = socket.socketpair()
        with theirs, collar:
            try:
                socket.send_fds(self.door, [b"1"], [theirs.fileno(), collar.fileno()])
            except OSError as error:
                raise Gone("ended") from error
        return Process(Line(line), leash, beside or {}, secrets.randbits(63) if seed is None else seed)

    def close(self) -> None:
        """End it and all its observers."""
        self.door.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.started.pid, signal.SIGKILL)
        self.started.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)


@cache
def warm(sandbox: bool) -> Warm:
    """The warm process of this one."""
    return Warm(sandbox)


def observer(sandbox: bool, beside: dict[str, bytes], seed: int) -> "Process":
    """A new observer of this process's warm one, or of another if that one has ended.

    Raises: Gone.
    """
    try:
        return warm(sandbox).observer(beside, seed)
    except Gone:
        warm(sandbox).close()
        warm.cache_clear()
        return warm(sandbox).observer(beside, seed)


class Process:
    """One submission's observer: asked within time limits, and ended with all that it holds."""

    def __init__(self, line: Line, leash: socket.socket, beside: dict[str, bytes], seed: int):
        self.line, self.leash = line, leash
        self.until = time.monotonic() + PATIENCE
        self.ask(bool, "begin", seed, beside)

    def ask(self, kind: Any, *question: Any) -> Any:
        """The answer to a question, which must be of this type.

        Raises: Gone, Nonsense; the process is then of no use any more.
        """
        left = self.until - time.monotonic()
        if left <= 0:
            raise Gone("no answer in time")
        self.line.request(question, left)
        return unpacked(kind, *self.line.receive(self.until - time.monotonic()))

    def run(self, cell: str, seconds: float) -> list[Output]:
        """What a cell shows."""
        return self.ask(list[Output], "run", cell, seconds)

    def close(self) -> None:
        """End it, and wait until it is gone."""
        self.line.socket.close()
        self.leash.settimeout(TO_END)
        with contextlib.suppress(OSError):
            self.leash.shutdown(socket.SHUT_WR)
            self.leash.recv(1)
        self.leash.close()
