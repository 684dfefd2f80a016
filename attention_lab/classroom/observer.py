"""The observer: a process that runs a submission's cells and answers the grader's questions about what they define.

The script's own process imports what takes time; every submission gets a fork of it (`isolation.py`), and everything in
that fork may be in a learner's hands. So the package is here without its right
answers: what observes is the package's own, `check` and `hint` do nothing, and where a mechanism or a network would be, a
name stands that cannot be used.
"""

import contextlib
import functools
import gc
import importlib
import importlib.machinery
import os
import random
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
NAME = PACKAGE.name
HOLLOW = ("", ".classroom", ".grading", ".mechanisms")
"""Packages whose own `__init__` does not run here."""
WHOLE = (
    *(".data", ".figures", ".recording", ".table", ".threads", ".training", ".mechanisms.arguments"),
    *(f".classroom.{name}" for name in ("cells", "isolation", "outputs", "seccomp", "wire")),
    *(f".grading.{name}" for name in ("changes", "earlier", "kernel", "limits", "matching", "models", "observe")),
    *(f".grading.{name}" for name in ("parameters", "stand_ins", "stub", "unread", "witness")),
)
"""What is here as it is; the rest of the package is here by name only."""
SLOW_TO_IMPORT = "torch", "numpy", "matplotlib.pyplot", "matplotlib.backends.backend_agg", "ipywidgets"
PLACES = "/tmp", "/dev/shm", "/attention-lab/work"
"""Where observers may write when they are confined, and last where they start."""


class CourseAnswer(Exception):
    """The course's own answer is used where the learner's is wanted."""


class Naming(type):
    """So that what an absent thing has is absent as well."""

    def __getattr__(cls, name: str) -> type:
        return absent(name)


class Absent(metaclass=Naming):
    """Something of the package that a submission may name but not use."""

    def __init__(self, *given: Any, **more: Any):
        kind = next(base for base in type(self).__mro__ if Absent in base.__bases__)
        raise CourseAnswer(f"{kind.__name__} is the course's own answer: write yours without it")


def absent(name: str) -> type:
    if name.startswith("__"):
        raise AttributeError(name)
    return Naming(name, (Absent,), {})


class House:
    """Finds the modules of the package as they are for an observer."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        inside = name.removeprefix(NAME)
        if not (name == NAME or (inside.startswith(".") and name != inside)):
            return None
        if any(inside == whole or inside.startswith(f"{whole}.") for whole in WHOLE):
            return importlib.machinery.PathFinder.find_spec(name, path, target)
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        inside = module.__name__.removeprefix(NAME)
        if inside in HOLLOW:
            module.__path__ = [str(PACKAGE.joinpath(*inside.split(".")[1:]))]
        if inside == ".grading":
            module.check = module.hint = module.points = lambda *given, **more: None
            module.load_ipython_extension = lambda shell: None
        if not inside:
            module.__version__ = ""

        def missing(name: str) -> Any:
            known = f"{inside}.{name}" in (*HOLLOW, *WHOLE)
            return importlib.import_module(f"{module.__name__}.{name}") if known else absent(name)

        module.__getattr__ = missing


def main(confined: bool) -> None:
    """Import what takes time once; then, for every submission, observe it in a fork of this process."""
    door = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    sys.meta_path.insert(0, House())
    for name in (*SLOW_TO_IMPORT, *(f"{NAME}{whole}" for whole in WHOLE)):
        importlib.import_module(name)
    import torch

    from attention_lab.classroom import isolation
    from attention_lab.classroom.cells import Shell
    from attention_lab.classroom.wire import Line
    from attention_lab.grading import witness

    torch.set_num_threads(1)
    shell = Shell.instance()
    gc.collect()
    gc.freeze()
    while True:
        asked, handed, *_ = socket.recv_fds(door, 1, 2)
        if not asked:
            return
        line, leash = handed
        if os.fork() == 0:
            door.close()
            observe = functools.partial(serve, Line(socket.socket(fileno=line)), shell, witness.Witness)
            try:
                isolation.guard(leash, PLACES if confined else (), observe)
            finally:
                os._exit(1)
        os.close(line), os.close(leash)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


def serve(line: Any, shell: Any, witness_of: Callable) -> None:
    """Answer the grader's questions about one submission, until there are no more."""
    import numpy
    import torch

    from attention_lab.classroom.wire import packed

    witnesses: list[Any] = []

    def witness(made: Any) -> int | None:
        if made is None:
            return None
        witnesses.append(made)
        return len(witnesses) - 1

    def begin(seed: int, files: dict[str, bytes]) -> bool:
        """Lay out the files beside the notebook; each submission has random numbers of its own."""
        for name, content in files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(content)
        random.seed(seed), numpy.random.seed(seed % 2**32), torch.manual_seed(seed)
        sys.path.append(os.getcwd())  # last: a file beside the notebook is not taken for a library
        return True

    def look(name: str, *asked: Any) -> int | None:
        return witness(witness_of(shell.user_ns[name], *asked)) if name in shell.user_ns else None

    def of_earlier(which: int, *asked: Any) -> int | None:
        return witness(witnesses[which].of_earlier(*asked))

    def with_stand_ins(which: int, earlier: list[str]) -> int | None:
        return witness(witnesses[which].with_stand_ins(earlier))

    def ask(which: int, what: str, *asked: Any) -> Any:
        found = getattr(witnesses[which], what)
        return found(*asked) if callable(found) else found

    doing: dict[str, Callable] = {
        **{"begin": begin, "run": shell.run, "look": look, "ask": ask},
        **{"of_earlier": of_earlier, "with_stand_ins": with_stand_ins},
    }
    while True:
        what, *asked = line.next_request()
        line.send(*packed(doing[what](*asked)))


if __name__ == "__main__":
    main("--confined" in sys.argv)
