"""Your own answers, carried on: ``from attention_lab.mine import SqueezeExcitation``.

When an answer has passed all its checks, its cell is kept as a file in the folder ``mine`` beside the start page. Later
lessons import it from here. Where there is no such file, or it does not run, you get the package's own, and one line says
so. Nothing else depends on the folder: delete a file, and the package's own is back.
"""

import ast
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOMS = "mechanisms", "networks", "evidence"
"""Where the package's own answers are, by the names that lessons ask for."""
HEAD = """# Your {name}, as it passed its checks.

import copy
import math
import statistics

import torch
import torch.nn.functional as F
from torch import nn

from attention_lab.data import blurred

"""


def folder() -> Path | None:
    """Where answers are kept: beside the start page, one above a lesson's folder. None where there is no start page."""
    course = Path.cwd().parent
    return course / "mine" if (course / "index.ipynb").exists() else None


def ours(name: str) -> Any:
    """The package's own answer of this name; None if there is none."""
    rooms = (importlib.import_module(f"{__package__}.{room}") for room in ROOMS)
    return next((getattr(room, name) for room in rooms if name in room.__all__), None)


def keep(name: str, cell: str) -> Path | None:
    """Write the cell that defines an answer to a file of its own; None where answers are not kept.

    Earlier answers that the cell uses are imported from here.
    """
    kept = folder()
    if kept is None or ours(name) is None:
        return None
    names = [node for node in ast.walk(ast.parse(cell)) if isinstance(node, ast.Name)]
    used = {node.id for node in names} - {node.id for node in names if isinstance(node.ctx, ast.Store)}
    earlier = sorted(word for word in used - defined(cell) if ours(word) is not None)
    imports = "".join(f"from attention_lab.mine import {word}\n" for word in earlier)
    kept.mkdir(exist_ok=True)
    file = kept / f"{name}.py"
    file.write_text(HEAD.format(name=name) + imports + "\n" + cell.strip() + "\n", encoding="utf-8")
    return file


def defined(cell: str) -> set[str]:
    """The functions and classes that a cell defines."""
    return {node.name for node in ast.parse(cell).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def load(file: Path) -> Any:
    """What a kept file defines under its own name.

    Raises whatever the learner's code raises.
    """
    module = ModuleType(f"{__name__}.{file.stem}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), vars(module))
    return vars(module)[file.stem]


def __getattr__(name: str) -> Any:
    if name.startswith("__") or (own := ours(name)) is None:
        raise AttributeError(f"module {__name__} has no {name}")
    kept = folder()
    if kept is None:
        print(
            f"{name}: the package's own. Yours would be kept beside the start page, index.ipynb, but none is above this folder."
        )
        return own
    file = kept / f"{name}.py"
    if not file.exists():
        print(f"{name}: the package's own. Yours is used as soon as it has passed all its checks.")
        return own
    try:
        return load(file)
    except Exception as error:
        print(f"{name}: the package's own. Yours, in {file}, does not run: {type(error).__name__}: {error}")
        return own
