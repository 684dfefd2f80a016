"""A bank of attacks: each is a wrong answer that tries to earn more, or to harm, and gets what it deserves.

The answer to `squeeze` is the maximum, which deserves the point for its shape; the third point is an assert of the
instructor's own that holds, and is checked in the kernel: an attack on the kernel may lose it, and no attack here wins more.
"""

import os
from pathlib import Path

import pytest
from classes import CHECKED, Class

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


pytestmark = pytest.mark.skipif(bool(missing()), reason="submissions cannot be confined here: `attention-lab doctor`")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory) -> Class:
    made = Class(tmp_path_factory.mktemp("attacks"))
    config = made.root / "nbgrader_config.py"
    config.write_text(config.read_text() + "\nc.Judged.timeout = 10\nc.Judged.seconds_a_check = 14\n")
    made.hands_in("ada", [], RIGHT)
    for name, (before, answer, _) in ATTACKS.items():
        answer = answer.strip().replace("@ROOT@", str(made.root))
        made.hands_in(name, before, answer)
    made.hands_in("zoe", [], RIGHT)
    made.before = set(Path("/tmp").glob("attention-lab-*"))
    made.release = (made.root / "notebooks" / CHECKED / "checked.ipynb").read_bytes()
    made.run("generate_assignment", CHECKED, "--force")
    made.said = made.run("autograde", CHECKED)
    return made


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gets_what_it_deserves(attacked, name):
    assert attacked.scores()[name] in ATTACKS[name][2]


@pytest.mark.parametrize("name", ["ada", "zoe"])
def test_neighbours_keep_their_scores(attacked, name):
    assert attacked.scores()[name] == 3


def test_nothing_is_left_behind(attacked):
    assert set(Path("/tmp").glob("attention-lab-*")) <= attacked.before
    assert not (attacked.root / "owned").exists()
    commands = [Path(f"/proc/{pid}/cmdline") for pid in os.listdir("/proc") if pid.isdigit()]
    running = [file.read_text().replace("\0", " ") for file in commands if file.exists()]
    assert not [command for command in running if str(attacked.root) in command]
