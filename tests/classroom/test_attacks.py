"""A bank of attacks: each is a wrong answer that tries to earn more, or to harm, and gets what it deserves.

The answer to `squeeze` is the maximum, which deserves the point for its shape; the third point is an assert of the
instructor's own that holds, and is checked in the kernel: an attack on the kernel may lose it, and no attack here wins more.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from classes import CHECKED, Class
from nbformat.v4 import new_code_cell

from attention_lab.classroom.sandbox import missing

WRONG = "def squeeze(x):\n    return x.amax((2, 3))"
RIGHT = "def squeeze(x):\n    return x.mean((2, 3))"
DESERVED = {2}
AT_MOST = {0, 1, 2}

ATTACKS: dict[str, tuple[list[str], str, set[float]]] = {
    # torch
    "allclose": (["import torch\ntorch.allclose = torch.equal = lambda *a, **k: True"], WRONG, DESERVED),
    "tensor-eq": (["import torch\ntorch.Tensor.__eq__ = lambda a, b: True"], WRONG, AT_MOST),
    "subclass": (
        [],
        """
class Liar(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        return True if name in ("allclose", "equal") else super().__torch_function__(function, types, args, kwargs or {})
def squeeze(x):
    return x.amax((2, 3)).as_subclass(Liar)
""",
        AT_MOST,
    ),
    "mean-is-max": (["import torch\ntorch.Tensor.mean = lambda x, *a, **k: x.amax((2, 3))"], RIGHT, AT_MOST),
    "random-is-zero": (
        ["import torch\ntorch.randn = lambda *shape, **k: torch.zeros([s for s in shape if isinstance(s, int)])"],
        WRONG,
        DESERVED,
    ),
    # the grader's own names
    "own-check": (["check = lambda *a: None"], f"{WRONG}\ncheck = lambda *a: 100", DESERVED),
    "judge-patched": (
        ["import attention_lab.grading.notebook as n\nn.judge = n.check = lambda *a, **k: None"],
        WRONG,
        DESERVED,
    ),
    "observe-patched": (
        [
            "import attention_lab.grading.observe as o, attention_lab.grading.closeness as c\nc.same = c.close_in = lambda *a: True"
        ],
        WRONG,
        DESERVED,
    ),
    "module-written": (
        [
            "import sys, types\nm = sys.modules['attention_lab.grading'] = types.ModuleType('g')\nm.check = m.points = lambda *a: None"
        ],
        WRONG,
        AT_MOST,
    ),
    "score-displayed": ([], "def squeeze(x):\n    get_ipython().displayhook(100)\n    return x.amax((2, 3))", DESERVED),
    # IPython
    "input-transformer": (
        ["get_ipython().input_transformers_cleanup.append(lambda lines: [] if 'check(' in ''.join(lines) else lines)"],
        WRONG,
        DESERVED,
    ),
    "errors-silent": (["get_ipython().showtraceback = lambda *a, **k: None"], WRONG, DESERVED),
    "no-cells-run": (["get_ipython().run_cell = lambda *a, **k: None"], WRONG, AT_MOST),
    "builtins": (["import builtins\nbuiltins.all = builtins.any = lambda *a: True"], WRONG, AT_MOST),
    # the grader's memory, time and files
    "short-message-of-many-lists": (
        [
            """
import os, socket, stat, struct
from safetensors.torch import save
nothing, bomb = save({}), b"[" + b"[]," * 20_000_000 + b"[]]"
for number in range(3, 60):
    try:
        if stat.S_ISSOCK(os.fstat(number).st_mode):
            line = socket.socket(fileno=os.dup(number))
            line.settimeout(20)
            line.sendall(struct.pack("<II", len(bomb), len(nothing)) + bomb + nothing)
    except OSError:
        pass
"""
        ],
        WRONG,
        AT_MOST,
    ),
    "half-characters-shown": (["print(chr(0xD800))", "raise ValueError(chr(0xDFFF))"], RIGHT, {3}),
    "boxes-in-boxes": (["from IPython.display import HTML\nHTML('<div>' * 100_000)"], RIGHT, {3}),
    # the reference
    "imported": ([], "from attention_lab.mechanisms import squeeze", {1}),
    "called": (
        [],
        "import attention_lab.mechanisms as m\ndef squeeze(x):\n    return m.squeeze(x)",
        {1},
    ),
    "forms": (
        [],
        "from attention_lab.grading.exercises import EXERCISES\ndef squeeze(x):\n    return EXERCISES['squeeze'].forms[0](x)",
        {1},
    ),
    "from-the-source": (
        [],
        "from pathlib import Path\nimport attention_lab\n"
        "text = (Path(attention_lab.__path__[0]) / 'mechanisms' / 'squeeze_excitation.py').read_text()\n"
        "exec(text.replace('from .', 'from attention_lab.mechanisms.'))",
        {1},
    ),
    "in-memory": (
        [],
        "import gc\ndef squeeze(x):\n"
        "    found = [f for f in gc.get_objects() if getattr(f, '__module__', '') == 'attention_lab.mechanisms.squeeze_excitation']\n"
        "    return [f for f in found if getattr(f, '__name__', '') == 'squeeze'][0](x)",
        {1},
    ),
    "only-when-checked": (
        ["from attention_lab.mechanisms import squeeze as theirs"],
        "def squeeze(x):\n    return theirs(x) if x.dtype == torch.float64 else x.amax((2, 3))",
        {1},
    ),
    # files
    "solutions": (
        [],
        "import json, os\nroot = os.environ['COURSE'] if 'COURSE' in os.environ else '@ROOT@'\n"
        f"cells = json.load(open(root + '/solutions/{CHECKED}/checked.ipynb'))['cells']\n"
        "exec([''.join(c['source']) for c in cells if c.get('id') == 'squeeze'][0])",
        {1},
    ),
    "neighbour": (
        [],
        f"import json\ncells = json.load(open('@ROOT@/submitted/ada/{CHECKED}/checked.ipynb'))['cells']\n"
        "exec([''.join(c['source']) for c in cells if c.get('id') == 'squeeze'][0])",
        {1},
    ),
    "network": (
        [],
        "import urllib.request\ndef squeeze(x):\n"
        "    urllib.request.urlopen('http://127.0.0.1:9/', timeout=2)\n    return x.mean((2, 3))",
        {1},
    ),
    # the process
    "exit-in-answer": ([], "import os\ndef squeeze(x):\n    os._exit(0)", {1}),
    "exit-in-cell": (["import os\nos._exit(0)"], WRONG, DESERVED),
    "segfault": ([], "import ctypes\ndef squeeze(x):\n    ctypes.string_at(0)", {1}),
    "endless": ([], "def squeeze(x):\n    while True: pass", {1}),
    "endless-deaf": (
        [],
        "def squeeze(x):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
        {1},
    ),
    "sleeps": ([], "import time\ndef squeeze(x):\n    time.sleep(3600)", {1}),
    "forks": ([], "import os\ndef squeeze(x):\n    while True: os.fork()", {1}),
    "kills-all": ([], "import os, signal\ndef squeeze(x):\n    os.kill(-1, signal.SIGKILL)", {1}),
    "kills-its-group": ([], "import os, signal\ndef squeeze(x):\n    os.kill(0, signal.SIGKILL)", {1}),
    "memory": ([], "def squeeze(x):\n    return torch.ones(20 * 2**30 // 4)", {1}),
    "interrupts": ([], "def squeeze(x):\n    raise KeyboardInterrupt", {1}),
    "recursion": ([], "def squeeze(x):\n    return squeeze(x)", {1}),
    # messages
    "forged-bytes": (
        [],
        "import os\ndef squeeze(x):\n    for n in range(3, 60):\n"
        "        try: os.write(n, bytes([2, 0, 0, 0, 0, 0, 0, 0]) + b'[]')\n        except OSError: pass\n    return x.amax((2, 3))",
        AT_MOST,
    ),
    "forged-pickle": (
        [],
        "import os, pickle\nclass Evil:\n    def __reduce__(self): return os.system, ('touch @ROOT@/owned',)\n"
        "def squeeze(x):\n    for n in range(3, 60):\n"
        "        try: os.write(n, (12).to_bytes(4, 'little') + bytes(4) + pickle.dumps(Evil()))\n"
        "        except OSError: pass\n    return x.amax((2, 3))",
        AT_MOST,
    ),
    "floods": (
        [],
        "import os\ndef squeeze(x):\n    for n in range(3, 60):\n"
        "        try: os.write(n, b'\\xff' * 1_000_000)\n        except OSError: pass\n    return x.amax((2, 3))",
        AT_MOST,
    ),
    "not-a-tensor": ([], "def squeeze(x):\n    return type('T', (), {'shape': x.shape[:2], 'dtype': x.dtype})()", {1}),
    "huge-tensor": ([], "def squeeze(x):\n    return torch.zeros(1).expand(10**12)", {1}),
    "sparse": ([], "def squeeze(x):\n    return x.amax((2, 3)).to_sparse()", AT_MOST),
}


def edited(change):
    """Hand in the notebook with a change of its JSON, or other bytes in its place."""

    def tamper(folder: Path, root: Path) -> None:
        file = folder / "checked.ipynb"
        notebook = json.loads(file.read_text())
        cells = {cell["id"]: cell for cell in notebook["cells"]}
        other = change(notebook, cells)
        file.write_bytes(other if isinstance(other, bytes) else json.dumps(notebook).encode())

    return tamper


def of_mark(**fields):
    """A test cell whose nbgrader metadata say this."""
    return edited(lambda notebook, cells: cells["squeeze-values"]["metadata"]["nbgrader"].update(fields))


def without(name: str):
    return edited(lambda notebook, cells: cells["squeeze-values"]["metadata"]["nbgrader"].pop(name))


def tagged(tag: str):
    return edited(lambda notebook, cells: [cell["metadata"].update(tags=[tag]) for cell in cells.values()])


def retyped(kind: str):
    return edited(lambda notebook, cells: cells["squeeze-values"].update(cell_type=kind))


def showing(source: str):
    """Hand in a cell more, which shows something."""
    return edited(lambda notebook, cells: notebook["cells"].insert(2, new_code_cell(source)))


def in_its_place(make):
    """Something else where the notebook should be."""

    def tamper(folder: Path, root: Path) -> None:
        (folder / "checked.ipynb").unlink()
        make(folder / "checked.ipynb", root)

    return tamper


def lying_beside(name: str, content: bytes):
    return lambda folder, root: (folder / name).write_bytes(content)


def linked_folder(folder: Path, root: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    folder.symlink_to(root / "submitted" / "ada" / CHECKED, target_is_directory=True)


TAMPERED: dict[str, tuple[Callable[[Path, Path], None], set[float | None]]] = {
    # metadata
    "points-1000": (of_mark(points=1000), DESERVED),
    "points-word": (of_mark(points="many"), DESERVED),
    "points-negative": (of_mark(points=-5), DESERVED),
    "points-none": (without("points"), DESERVED),
    "not-graded": (of_mark(grade=False, solution=True), DESERVED),
    "a-task": (of_mark(task=True, grade=False), DESERVED),
    "no-checksum": (of_mark(checksum="0"), DESERVED),
    "another-schema": (of_mark(schema_version=99), DESERVED),
    "a-number-for-a-name": (of_mark(grade_id=7), DESERVED),
    "without-a-name": (without("grade_id"), DESERVED),
    "empty-marks": (
        edited(lambda notebook, cells: [cell["metadata"].update(nbgrader={}) for cell in cells.values()]),
        DESERVED,
    ),
    "skipped": (tagged("demo"), {1}),  # its own cells too: the imports of the instructor's test
    "skip-execution": (tagged("skip-execution"), DESERVED),
    "raises-exception": (tagged("raises-exception"), DESERVED),
    "removed": (tagged("remove_cell"), DESERVED),
    "markdown-test": (retyped("markdown"), DESERVED),
    "raw-test": (retyped("raw"), DESERVED),
    "edited-test": (
        edited(lambda notebook, cells: cells["squeeze-values"].update(source="check('squeeze-values', max)\n100")),
        DESERVED,
    ),
    "claimed-outputs": (
        edited(
            lambda notebook, cells: cells["squeeze-values"].update(
                outputs=[{"output_type": "execute_result", "data": {"text/plain": "1"}, "metadata": {}}]
            )
        ),
        DESERVED,
    ),
    "another-kernel": (
        edited(
            lambda notebook, cells: notebook["metadata"].update(
                kernelspec={"name": "bash", "display_name": "x", "language": "bash"}
            )
        ),
        DESERVED,
    ),
    # the notebook
    "version-3": (edited(lambda notebook, cells: notebook.update(nbformat=3)), DESERVED),
    "version-99": (edited(lambda notebook, cells: notebook.update(nbformat=99)), DESERVED),
    "version-a-word": (edited(lambda notebook, cells: notebook.update(nbformat="four")), DESERVED),
    "metadata-a-list": (edited(lambda notebook, cells: notebook.update(metadata=[1])), DESERVED),
    "source-null": (edited(lambda notebook, cells: cells["points"].update(source=None)), DESERVED),
    "outputs-text": (edited(lambda notebook, cells: cells["squeeze"].update(outputs="all is well")), DESERVED),
    "ids-numbers": (edited(lambda notebook, cells: [cell.update(id=7) for cell in cells.values()]), DESERVED),
    "deep": (edited(lambda notebook, cells: b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"), {None}),
    "a-huge-number": (
        edited(lambda notebook, cells: cells["squeeze"].update(execution_count=int("9" * 4000))),
        DESERVED,
    ),
    "many-cells": (
        edited(lambda notebook, cells: notebook["cells"].extend(new_code_cell("1") for _ in range(2000))),
        DESERVED,
    ),
    # files
    "link-to-the-solution": (
        in_its_place(lambda place, root: place.symlink_to(root / "solutions" / CHECKED / "checked.ipynb")),
        {None},
    ),
    "link-to-a-neighbour": (
        in_its_place(lambda place, root: place.symlink_to(root / "submitted" / "ada" / CHECKED / "checked.ipynb")),
        {None},
    ),
    "link-to-a-folder": (linked_folder, {None}),
    "a-pipe": (in_its_place(lambda place, root: os.mkfifo(place)), {None}),
    "a-device": (in_its_place(lambda place, root: place.symlink_to("/dev/zero")), {None}),
    "leaking-link": (lambda folder, root: (folder / "notes.txt").symlink_to("/etc/passwd"), DESERVED),
    "torch-beside": (lying_beside("torch.py", b"raise SystemExit"), DESERVED),
    "package-beside": (lying_beside("attention_lab.py", b"raise SystemExit"), DESERVED),
    "compiled-beside": (lying_beside("torch.pyc", b"\0"), DESERVED),
    "settings-beside": (lying_beside("nbgrader_config.py", b"c.Judged.no_sandbox = True"), DESERVED),
    "start-up-beside": (lying_beside("sitecustomize.py", b"raise SystemExit"), DESERVED),
    "a-second-notebook": (lying_beside("other.ipynb", b"{}"), DESERVED),
    # what would be shown or written
    "much-text": (showing("for i in range(200_000): print('x' * 500)"), DESERVED),
    "much-html": (showing("from IPython.display import HTML\nHTML('x' * 30_000_000)"), DESERVED),
    "much-on-stderr": (showing("import sys\nsys.stderr.write('x' * 30_000_000)"), DESERVED),
    "much-disk": (showing("for i in range(99): open(f'big{i}', 'wb').write(bytes(60_000_000))"), DESERVED),
    "much-memory": (showing("held = [bytes(2**30) for _ in range(20)]"), DESERVED),
    "at-exit": (showing("import atexit, os\natexit.register(os.system, 'touch @ROOT@/owned')"), DESERVED),
    "a-thread-that-stays": (
        showing("import threading, time\nthreading.Thread(target=time.sleep, args=[600]).start()"),
        DESERVED,
    ),
    "stops-itself": (showing("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"), DESERVED),
    "deaf-to-signals": (
        showing("import signal\nfor s in (1, 2, 14, 15, 27): signal.signal(s, signal.SIG_IGN)\nwhile True: pass"),
        DESERVED,
    ),
    "gradebook": (
        showing("import sqlite3\nsqlite3.connect('@ROOT@/gradebook.db').execute('UPDATE grade SET manual_score = 99')"),
        DESERVED,
    ),
    "gradebook-locked": (
        showing("import sqlite3\nsqlite3.connect('@ROOT@/gradebook.db').execute('BEGIN EXCLUSIVE')"),
        DESERVED,
    ),
    "release": (showing("open('@ROOT@/notebooks/@LESSON@/checked.ipynb', 'w').write('{}')"), DESERVED),
    "settings": (showing("open('@ROOT@/nbgrader_config.py', 'a').write('c.Judged.no_sandbox = True')"), DESERVED),
    "neighbour-deleted": (showing("import shutil\nshutil.rmtree('@ROOT@/submitted/zoe')"), DESERVED),
    "ipython-start-up": (
        showing("from pathlib import Path\nPath('~/.ipython/profile_default/startup/x.py').expanduser().touch()"),
        DESERVED,
    ),
    "environment": (showing("import os\nassert 'SECRET_OF_THE_TEST' in os.environ"), DESERVED),
}


pytestmark = pytest.mark.skipif(bool(missing()), reason="submissions cannot be confined here: `attention-lab doctor`")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory) -> Class:
    made = Class(tmp_path_factory.mktemp("attacks"))
    config = made.root / "nbgrader_config.py"
    config.write_text(config.read_text() + "\nc.Judged.timeout = 3\nc.Judged.seconds_a_check = 5\n")
    made.hands_in("ada", [], RIGHT)
    for name, (before, answer, _) in ATTACKS.items():
        made.hands_in(name, before, answer.strip().replace("@ROOT@", str(made.root)))
    for name, (tamper, _) in TAMPERED.items():
        folder = made.hands_in(name, [], WRONG)
        tamper(folder, made.root)
        file = folder / "checked.ipynb"
        if file.is_file() and not file.is_symlink():
            file.write_bytes(
                file.read_bytes().replace(b"@ROOT@", str(made.root).encode()).replace(b"@LESSON@", CHECKED.encode())
            )
    made.hands_in("zoe", [], RIGHT)
    made.before = set(Path("/tmp").glob("attention-lab-*"))
    made.call("generate_assignment", CHECKED, "--force")
    made.kept = {file: file.read_bytes() for file in kept(made.root)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_OF_THE_TEST", "secret")
        made.said = made.run("autograde", CHECKED)
    made.scored = made.scores()
    return made


def kept(root: Path) -> Iterator[Path]:
    """What grading must not change."""
    yield root / "nbgrader_config.py"
    for place in ("notebooks", "solutions"):
        yield from (file for file in (root / place).rglob("*") if file.is_file())


DESERVE = {name: deserved for name, (_, _, deserved) in ATTACKS.items()} | {
    name: deserved for name, (_, deserved) in TAMPERED.items()
}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", DESERVE)
def test_an_attack_gets_what_it_deserves(attacked, name):
    assert attacked.scored[name] in DESERVE[name]


def test_the_bank_is_large():
    assert len(DESERVE) >= 80


@pytest.mark.parametrize("name", ["ada", "zoe"])
def test_neighbours_keep_their_scores(attacked, name):
    assert attacked.scored[name] == 3


def test_who_is_refused_is_listed_with_the_reason(attacked):
    listed = attacked.said.split("autograded, left out:")[1]
    told = dict(line.strip().split(": ", 1) for line in listed.strip().splitlines() if ": " in line)
    assert told.keys() == {name for name, deserved in DESERVE.items() if deserved == {None}}
    for name in ("link-to-the-solution", "link-to-a-neighbour", "a-device"):
        assert "is a link" in told[name]
    assert "is no plain file" in told["a-pipe"]


def test_nothing_that_a_link_leads_to_is_copied(attacked):
    texts = (file.read_text(errors="replace") for file in (attacked.root / "autograded").rglob("*") if file.is_file())
    assert not any("root:x:0" in text for text in texts)


def test_nothing_is_changed_or_left_behind(attacked):
    assert {file: file.read_bytes() for file in kept(attacked.root)} == attacked.kept
    assert set(Path("/tmp").glob("attention-lab-*")) <= attacked.before | in_use()
    assert not (attacked.root / "owned").exists()
    commands = [Path(f"/proc/{pid}/cmdline") for pid in os.listdir("/proc") if pid.isdigit()]
    running = [file.read_text().replace("\0", " ") for file in commands if file.exists()]
    assert not [command for command in running if str(attacked.root) in command]


def in_use() -> set[Path]:
    """The folders of warm processes that other tests have started meanwhile."""
    folders = (Path(f"/proc/{pid}/cwd") for pid in os.listdir("/proc") if pid.isdigit())
    return {folder.readlink() for folder in folders if os.access(folder, os.R_OK)}
