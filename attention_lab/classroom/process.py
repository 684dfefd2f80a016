"""An observer's process: started with the files beside a notebook, asked within time limits, and ended with all it started."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .observer import PACKAGE
from .sandbox import COURSE, confined
from .wire import Gone, Line, unpacked

OBSERVER = Path(__file__).with_name("observer.py")
PASSED_ON = "ATTENTION_LAB_FAST", "LANG"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
MOST_BESIDE = 64 * 2**20  # bytes
PATIENCE = 300  # seconds, until it is said how long an answer may take


class Process:
    """One observer's process and the line to it."""

    def __init__(self, beside: Iterable[Path] = (), sandbox: bool = True):
        self.folder = Path(tempfile.mkdtemp(prefix="attention-lab-"))
        here = self.folder / "work"
        here.mkdir()
        size = 0
        for file in beside:
            size += file.stat().st_size
            if size <= MOST_BESIDE:
                shutil.copyfile(file, here / file.name, follow_symlinks=False)
        script = COURSE / OBSERVER.relative_to(PACKAGE.parent) if sandbox else OBSERVER
        command = [sys.executable, "-s", "-P", "-B", str(script)]
        if sandbox:
            command = confined(command, {file.name: file for file in here.iterdir()})
        home = "/tmp" if sandbox else str(self.folder)
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | ONE_THREAD
        environment |= {"HOME": home, "MPLCONFIGDIR": home, "IPYTHONDIR": home, "TMPDIR": home, "MPLBACKEND": "agg"}
        ours, theirs = socket.socketpair()
        self.line = Line(ours)
        self.until = time.monotonic() + PATIENCE
        with theirs:
            self.started = subprocess.Popen(
                command,
                stdin=theirs,
                stdout=theirs,
                stderr=subprocess.DEVNULL,
                cwd=here,
                env=environment,
                start_new_session=True,
            )

    def ask(self, kind: Any, *question: Any) -> Any:
        """The answer to a question, which must be of this type.

        Raises: Gone, Nonsense; the process is then of no use any more.
        """
        left = self.until - time.monotonic()
        if left <= 0:
            raise Gone("no answer in time")
        self.line.request(question, left)
        return unpacked(kind, *self.line.receive(self.until - time.monotonic()))

    def close(self) -> None:
        """End it and everything that it has started, and take its files away."""
        self.line.socket.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.started.pid, signal.SIGKILL)
        self.started.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
