"""An observer's process sees the files beside a notebook, and leaves nothing behind."""

import sys
from pathlib import Path

import pytest
from classes import worked

from attention_lab.classroom.process import Warm, warm
from attention_lab.classroom.sandbox import missing
from attention_lab.classroom.wire import Gone


def test_files_beside_the_notebook_are_there_and_libraries_stay_what_they_are():
    process = warm(False).observer({"helper.py": b"answer = 42", "torch.py": b"answer = 42", "data/a.csv": b"1"})
    assert worked(
        process.run(
            "import helper, torch\nassert helper.answer == 42 and torch.ones(1) and open('data/a.csv').read()", 30
        )
    )
    process.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process may start others")
def test_it_starts_nothing():
    process = warm(False).observer()
    assert not worked(process.run("import subprocess\nsubprocess.Popen(['sleep', '100'])", 30))
    process.close()


def test_what_is_compiled_runs_as_it_was_written():
    process = warm(False).observer()
    assert worked(process.run("import torch\nassert torch.compile(lambda x: x + 1)(torch.ones(1)) == 2", 60))
    process.close()


def test_it_is_not_waited_for_beyond_its_time():
    process = warm(False).observer()
    process.until = 0
    with pytest.raises(Gone, match="in time"):
        process.run("1", 1)
    process.close()


def place_of(process) -> Path:
    (shown,) = process.run("import os\nos.getcwd()", 10)
    return Path(shown.formats["text/plain"].strip("'"))


def test_what_an_observer_has_written_is_gone_with_it():
    process = warm(False).observer()
    process.run("open('mine.txt', 'w').write('x')", 10)
    folder = place_of(process)
    assert (folder / "mine.txt").exists()
    process.close()
    assert not folder.exists()


def test_when_the_warm_process_is_closed_all_its_observers_end_and_its_folder_is_gone():
    made = Warm(sandbox=False)
    process = made.observer()
    made.close()
    with pytest.raises(Gone):
        process.run("1", 10)
    assert made.started.returncode
    assert not Path(made.folder).exists()
    with pytest.raises(Gone):
        made.observer()


@pytest.mark.parametrize("sandbox", [False, pytest.param(True, marks=pytest.mark.skipif(bool(missing()), reason="-"))])
def test_an_observer_knows_nothing_of_the_one_before(sandbox):
    first = warm(sandbox).observer()
    first.run("import torch\ntorch.known = 1\nfound = 2\nopen('/tmp/found', 'w').write('3')", 10)
    second = warm(sandbox).observer()
    for process in (first, second):
        assert worked(process.run("found", 10)) == (process is first)
        assert worked(process.run("torch.known", 10)) == (process is first)
        assert not sandbox or worked(process.run("open('/tmp/found')", 10)) == (process is first)
        process.close()


def test_random_numbers_are_each_observers_own_or_a_seeds():
    draws = []
    for seed in (None, None, 7, 7):
        process = warm(False).observer(seed=seed)
        shown = process.run("import random, numpy, torch\nrandom.random(), numpy.random.rand(), torch.rand(())", 10)
        draws.append(shown[0].formats["text/plain"])
        process.close()
    assert len(set(draws)) == 3 and draws[2] == draws[3]


def test_a_signal_to_its_group_reaches_nobody_else():
    first, second = (warm(False).observer() for _ in range(2))
    with pytest.raises(Gone):
        first.run("import os, signal\nos.killpg(0, signal.SIGKILL)", 10)
    assert worked(second.run("1", 10)) and worked(warm(False).observer().run("1", 10))
    first.close(), second.close()
