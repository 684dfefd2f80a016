"""The observer: a process that runs a submission's cells and answers the grader's questions about what they define.

It is started as a script, and everything in it may be in a learner's hands. So the package is here without its right
answers: what observes is the package's own, `check` and `hint` do nothing, and where a mechanism or a network would be, a
name stands that cannot be used.
"""

import importlib
import importlib.machinery
import os
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
    *(".classroom.seccomp", ".classroom.wire"),
    *(f".grading.{name}" for name in ("changes", "kernel", "limits", "matching", "observe", "parameters")),
    *(f".grading.{name}" for name in ("stand_ins", "witness")),
)
"""What is here as it is; the rest of the package is here by name only."""
MEMORY = 6 * 2**30  # bytes
FILE_SIZE = 64 * 2**20  # bytes
FILES = 256


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


def limit() -> None:
    """Limits of this process that a submission cannot lift."""
    import resource  # not on Windows

    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, FILE_SIZE),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def shell() -> Any:
    """What runs cells as a notebook does, without a kernel."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    made = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    made.ask_exit = lambda: None
    made.system = made.system_raw = made.system_piped = lambda command: None  # `!pip install` does nothing here
    return made


def serve() -> None:
    """Answer the grader until it has no more questions."""
    line_in = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    limit()
    sys.meta_path.insert(0, House())
    sys.path.append(os.getcwd())  # last: a file beside the notebook is not taken for a library
    from attention_lab.classroom.seccomp import start_nothing
    from attention_lab.classroom.wire import Line, packed
    from attention_lab.grading.limits import OutOfTime, time_limit
    from attention_lab.grading.witness import Witness

    line, runs, witnesses = Line(line_in), shell(), []
    start_nothing()

    def witness(made: Any) -> int | None:
        if made is None:
            return None
        witnesses.append(made)
        return len(witnesses) - 1

    def run(cell: str, seconds: float) -> bool:
        try:
            with time_limit(seconds):
                return runs.run_cell(cell).success
        except OutOfTime:
            return False

    def look(name: str, *asked: Any) -> int | None:
        return witness(Witness(runs.user_ns[name], *asked)) if name in runs.user_ns else None

    def of_earlier(which: int, *asked: Any) -> int | None:
        return witness(witnesses[which].of_earlier(*asked))

    def ask(which: int, what: str, *asked: Any) -> Any:
        found = getattr(witnesses[which], what)
        return found(*asked) if callable(found) else found

    doing: dict[str, Callable] = {"run": run, "look": look, "of_earlier": of_earlier, "ask": ask}
    while True:
        what, *asked = line.next_request()
        line.send(*packed(doing[what](*asked)))


if __name__ == "__main__":
    serve()
