"""Code that is not ours prints nothing and takes no more time and memory than it is given."""

import contextlib
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
import torch
from traitlets.config import PyFileConfigLoader

from attention_lab.grading.limits import PATIENCE, TIME_LIMIT, OutOfTime, limits, memory_limit, quiet, time_limit

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the memory limit is Linux's")


def compute(seconds: float) -> None:
    start = time.process_time()
    while time.process_time() < start + seconds:
        pass


def test_prints_and_warnings_are_swallowed_inside_and_only_there(capfd):
    with quiet():
        print("not seen")
        print("nor this", file=sys.stderr)
        warnings.warn("nor this", stacklevel=2)
    print("seen")
    assert capfd.readouterr() == ("seen\n", "")


def test_a_warning_is_no_error_inside_and_what_is_done_with_warnings_stays_as_it_was():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        with quiet():
            warnings.warn("not raised", stacklevel=2)
        assert warnings.filters == before


@on_linux
def test_more_memory_than_allowed_is_an_error_of_torch_and_allowed_again_afterwards():
    with memory_limit(2**28):
        torch.zeros(2**24)  # 64 MB
        with pytest.raises(RuntimeError, match="memory"):
            torch.zeros(2**28)
    torch.zeros(2**28)


@on_linux
def test_a_lower_limit_of_the_instructors_machine_stays():
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    with memory_limit(2**30):
        lower = resource.getrlimit(resource.RLIMIT_AS)[0]
        with memory_limit(2**40):
            assert resource.getrlimit(resource.RLIMIT_AS)[0] == lower
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_where_a_limit_cannot_be_set_the_code_still_runs(monkeypatch):
    monkeypatch.setattr(Path, "exists", lambda self: False)
    monkeypatch.delattr(signal, "setitimer")
    with limits(0.01), memory_limit(1):
        compute(0.05)
        assert len(torch.zeros(2**24)) == 2**24


def test_without_a_time_of_its_own_code_is_given_that_of_every_answer(monkeypatch):
    monkeypatch.setattr("attention_lab.grading.limits.TIME_LIMIT", 0.1)
    with pytest.raises(OutOfTime), limits():
        compute(2)


def test_an_endless_loop_is_stopped_even_if_it_catches_every_exception():
    start = time.process_time()
    with pytest.raises(OutOfTime, match=r"stopped after 0\.2 seconds"), time_limit(0.2):
        while True:
            with contextlib.suppress(Exception):
                compute(0.01)
    assert time.process_time() - start < 1


def test_waiting_is_not_computing_but_not_endless_either():
    with time_limit(0.1):
        time.sleep(0.3)
    start = time.monotonic()
    with pytest.raises(OutOfTime), time_limit(0.1):
        time.sleep(20)
    assert PATIENCE * 0.1 <= time.monotonic() - start < 5


def test_after_the_block_no_timer_rings_and_the_old_handler_is_back():
    def handler(*_):
        pass

    old = signal.signal(signal.SIGALRM, handler)
    try:
        with time_limit(0.05):
            pass
        compute(0.1)
        assert signal.getitimer(signal.ITIMER_REAL)[0] == signal.getitimer(signal.ITIMER_PROF)[0] == 0
        assert signal.getsignal(signal.SIGALRM) is handler
    finally:
        signal.signal(signal.SIGALRM, old)


def test_in_a_thread_where_signals_are_not_heard_the_code_still_runs():
    done = []

    def run():
        with time_limit(0.01):
            compute(0.05)
            done.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done


def test_it_is_stopped_even_if_it_catches_everything():
    start = time.process_time()
    with pytest.raises(OutOfTime), time_limit(0.2):
        while time.process_time() - start < 20:
            try:
                compute(0.01)
            except BaseException:
                if time.process_time() - start > 2:
                    raise
    assert time.process_time() - start < 5


def test_a_check_is_stopped_before_nbgrader_stops_its_cell():
    config = PyFileConfigLoader("nbgrader_config.py", str(Path(__file__).parents[2])).load_config()
    assert PATIENCE * TIME_LIMIT + 30 < config.Execute.timeout
