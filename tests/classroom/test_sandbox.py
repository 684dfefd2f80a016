"""In the sandbox there is Python and what observes, and nothing of anybody else's."""

import shutil
import subprocess
from pathlib import Path

import pytest
from classes import worked

from attention_lab.classroom import sandbox
from attention_lab.classroom.process import warm

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    bool(sandbox.missing()), reason="submissions cannot be confined here: `attention-lab doctor`"
)


@pytest.fixture(scope="module")
def process():
    made = warm(True).observer({"data.csv": b"1,2,3"})
    yield made
    made.close()


def test_this_machine_confines():
    assert sandbox.missing() == ""


HOLDS = {
    "it runs": "import torch\nassert torch.ones(2, requires_grad=True).sum().backward() is None",
    "the package's tools are there": "from attention_lab import data, figures, training\ndata.photo('coffee')",
    "figures are drawn": "import matplotlib.pyplot as plt\nplt.plot([1, 2])",
    "files beside the notebook are there": "assert open('data.csv').read() == '1,2,3'",
    "what is written is written here": "open('mine.txt', 'w').write('x')",
    "threads": "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()",
    "shell commands do nothing": "!pip install nothing\n1",
}


@pytest.mark.parametrize("what", HOLDS)
def test_what_a_submission_may_do(process, what):
    assert worked(process.run(HOLDS[what], 60))


REFUSED = {
    "the course": f"open({str(ROOT / 'nbgrader_config.py')!r})",
    "solutions": f"import os\nos.listdir({str(ROOT / 'solutions')!r})",
    "the reference": f"open({str(ROOT / 'attention_lab/mechanisms/cbam.py')!r})",
    "the judge": "import attention_lab.grading.limits as l\nopen(l.__file__.replace('limits', 'judge'))",
    "exercises": "import attention_lab.grading.limits as l, os\nos.listdir(os.path.dirname(l.__file__) + '/exercises')",
    "passwords": "open('/etc/passwd')",
    "home": "import os\nassert os.listdir(os.path.expanduser('~/.ssh'))",
    "the network": "import socket\nsocket.create_connection(('127.0.0.1', 22), 1)",
    "the root": "open('/file', 'w')",
    "libraries": "import torch\nopen(torch.__file__, 'a')",
    "a fork": "import os\nos.fork()",
    "a program": "import subprocess\nsubprocess.run(['true'])",
    "much disk": "for i in range(9): open(f'big{i}', 'wb').write(bytes(60_000_000))",
    "a large file": "open('big', 'wb').write(bytes(70_000_000))",
    "much memory": "bytes(8 * 2**30)",
    "other processes": "import os\nassert os.listdir('/proc')",
    "a signal to others": "import os, signal\nos.kill(-1, signal.SIGKILL)",
    "a signal to where it comes from": "import os, signal\nos.kill(2, signal.SIGKILL)",
    "a mount": "import ctypes\nassert not ctypes.CDLL(None).umount2(b'/tmp', 2)",
    "a namespace": "import ctypes\nassert not ctypes.CDLL(None).unshare(0x10000000)",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_submission_may_not_do(process, what):
    assert not worked(process.run(REFUSED[what], 60))


def test_an_installed_package_is_hidden(monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox, "prefixes", lambda: [str(sandbox.PACKAGE.parent)])
    assert sandbox.PACKAGE in sandbox.installed()


def test_what_is_missing_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda command: None)
    assert "apt-get install bubblewrap" in sandbox.missing.__wrapped__()
    monkeypatch.setattr(sandbox, "prefixes", lambda: ["/tmp/checkout/.venv"])
    assert "/tmp/checkout/.venv" in sandbox.missing.__wrapped__()
    monkeypatch.undo()
    failed = subprocess.CompletedProcess([], 1, "", "No permissions")
    monkeypatch.setattr(subprocess, "run", lambda *given, **more: failed)
    assert "No permissions" in sandbox.missing.__wrapped__()
    monkeypatch.setattr("sys.platform", "darwin")
    assert "WSL" in sandbox.missing.__wrapped__()
