"""What a forked observer cannot reach: other observers, the process it comes from, and its own limits."""

import pytest
from classes import worked

from attention_lab.classroom.process import warm
from attention_lab.classroom.sandbox import missing

pytestmark = pytest.mark.skipif(bool(missing()), reason="submissions cannot be confined here: `attention-lab doctor`")


@pytest.fixture(scope="module")
def others():
    made = [warm(True).observer() for _ in range(2)]
    yield made
    for process in made:
        process.close()


def test_an_observer_is_alone_among_processes(others):
    (shown,) = others[0].run("import os\nos.getpid(), os.getppid(), os.listdir('/proc')", 10)
    assert shown.formats["text/plain"] == "(1, 0, [])"


@pytest.mark.parametrize("place", ["/tmp", "/dev/shm", "."])
def test_what_one_writes_no_other_sees(others, place):
    writes, looks = others
    assert worked(writes.run(f"open('{place}/mine', 'w').write('x')", 10))
    assert not worked(looks.run(f"open('{place}/mine')", 10))


REFUSED = {
    "to the others": "import os\nos.kill(-1, 9)",
    "to whom it comes from": "import os\nos.kill(os.getppid() or 2, 9)",
}


@pytest.mark.parametrize("signal", REFUSED)
def test_signals_reach_nobody(others, signal):
    attacker = warm(True).observer()
    attacker.run(REFUSED[signal], 10)
    attacker.close()
    assert all(worked(process.run("1", 10)) for process in others)


LIFTED = {
    "memory": "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40))",
    "file size": "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (2**40, 2**40))",
    "a new user": "import os\nos.setuid(0)",
    "another root": "import os\nos.chroot('/tmp')",
    "a mount": "import ctypes\nassert not ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None)",
    "an unmount": "import ctypes\nassert not ctypes.CDLL(None).umount2(b'/proc', 2)",
    "a namespace": "import ctypes\nassert not ctypes.CDLL(None).unshare(0x10000000)",
    "a process": "import os\nos.fork()",
    "its parent's memory": "open('/proc/2/mem', 'rb')",
}


@pytest.mark.parametrize("limit", LIFTED)
def test_no_limit_is_lifted(others, limit):
    assert not worked(others[0].run(LIFTED[limit], 10))


def test_disk_is_limited(others):
    cell = "for i in range(9): open(f'/tmp/big{i}', 'wb').write(bytes(60_000_000))"
    assert not worked(others[0].run(cell, 30))
