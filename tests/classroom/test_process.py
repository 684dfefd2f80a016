"""An observer's process sees the files beside a notebook, and leaves nothing behind."""

import sys

import pytest

from attention_lab.classroom.process import Process
from attention_lab.classroom.wire import Gone


def test_files_beside_the_notebook_are_there_and_libraries_stay_what_they_are(tmp_path):
    for name in ("helper.py", "torch.py"):
        (tmp_path / name).write_text("answer = 42")
    process = Process([tmp_path / "helper.py", tmp_path / "torch.py"], sandbox=False)
    assert process.ask(bool, "run", "import helper, torch\nassert helper.answer == 42 and torch.ones(1)", 30)
    process.close()
    assert not process.folder.exists()
    assert process.started.returncode


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process may start others")
def test_it_starts_nothing():
    process = Process(sandbox=False)
    assert not process.ask(bool, "run", "import subprocess\nsubprocess.Popen(['sleep', '100'])", 30)
    process.close()


def test_it_is_not_waited_for_beyond_its_time():
    process = Process(sandbox=False)
    process.until = 0
    with pytest.raises(Gone, match="in time"):
        process.ask(bool, "run", "1", 1)
    process.close()
