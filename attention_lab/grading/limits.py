"""Running code that is not ours: without its prints, within a time and a memory limit."""

import contextlib
import io
import signal
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TIME_LIMIT = 10  # seconds of computing: a busy machine costs nobody points; nbgrader's limit for a cell is longer
PATIENCE = 6  # times as long on the clock, for an answer that sleeps
AGAIN = 1  # seconds after which it rings again, for code that catches everything
MEMORY_LIMIT = 3 * 2**30  # bytes


class OutOfTime(BaseException):
    """The code ran longer than TIME_LIMIT. Not an Exception, so that its own `except` does not stop it."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow prints and warnings: any text on stderr would cost the test cell its points."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def limits(seconds: float | None = None) -> Iterator[None]:
    with time_limit(seconds or TIME_LIMIT), memory_limit(MEMORY_LIMIT):
        yield


@contextlib.contextmanager
def memory_limit(size: int) -> Iterator[None]:
    """Let no more than ``size`` bytes be asked for inside the block (on Linux): torch then raises RuntimeError."""
    usage = Path("/proc/self/statm")
    if not usage.exists():
        yield
        return
    import resource  # not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    allowed = int(usage.read_text().split()[0]) * resource.getpagesize() + size
    resource.setrlimit(resource.RLIMIT_AS, (allowed if soft == resource.RLIM_INFINITY else min(soft, allowed), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime inside the block when it takes too long (where signals exist: Unix, main thread)."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: Any) -> None:
        raise OutOfTime(f"stopped after {seconds} seconds: does a loop never end?")

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, seconds), signal.SIGALRM: (signal.ITIMER_REAL, PATIENCE * seconds)}
    previous = {rings: signal.signal(rings, ring) for rings in timers}
    for timer, length in timers.values():
        signal.setitimer(timer, length, AGAIN)
    try:
        yield
    finally:
        for timer, _ in timers.values():
            signal.setitimer(timer, 0)
        for rings, handler in previous.items():
            signal.signal(rings, handler)
