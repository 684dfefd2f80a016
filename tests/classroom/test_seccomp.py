"""A process under the filter starts threads and nothing else."""

import subprocess
import sys

import pytest

from attention_lab.classroom.seccomp import DENIED, rules

TRIES = """
import os, threading
from attention_lab.classroom.seccomp import start_nothing
assert start_nothing()
thread = threading.Thread(target=print, args=["thread"])
thread.start(), thread.join()
for start in (os.fork, lambda: os.execv("/bin/true", ["true"])):
    try:
        start()
    except PermissionError:
        print("refused")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_threads_may_start_and_processes_may_not():
    done = subprocess.run([sys.executable, "-c", TRIES], capture_output=True, text=True)
    assert done.stdout.split() == ["thread", "refused", "refused"], done.stderr


@pytest.mark.parametrize("machine", DENIED)
def test_no_rule_skips_beyond_the_last(machine):
    made = rules(machine)
    assert all(place + 1 + max(yes, no) < len(made) for place, (_, yes, no, _) in enumerate(made[:-1]))
