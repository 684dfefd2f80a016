"""The package is a house: a floor imports from the floors below it, and nbgrader and Jupyter stay upstairs."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "attention_lab"
FLOORS = (
    {"mechanisms", "table", "threads"},
    {"data", "baselines", "mechanism_table"},
    {"networks", "recording"},
    {"training", "papers", "bench"},
    {"evidence"},
    {"mine"},
    {"figures", "grading"},
    {"classroom", "feedback"},
    {"course", "overview"},
    {"cli"},
)
UPSTAIRS = {"grading", "classroom", "feedback", "course", "overview", "cli"}
GUESTS = {"nbgrader", "nbformat", "nbclient", "jupyter_client", "jupyter_core", "jupyterlab", "jupytext"}

ROOMS = sorted(path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())


def imported(room: str) -> Iterator[str]:
    """The full names of all modules that a room of the package imports."""
    path = PACKAGE / room
    for file in path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]:
        parts = ("attention_lab", *file.relative_to(PACKAGE).parent.parts)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
                module = ".".join(filter(None, (base, node.module)))
                yield from (f"{module}.{alias.name}" for alias in node.names)


def rooms_used_by(room: str) -> set[str]:
    names = (name.split(".") for name in imported(room))
    return {parts[1] for parts in names if parts[0] == "attention_lab" and len(parts) > 1} & set(ROOMS) - {room}


def test_every_room_is_on_a_floor():
    assert set().union(*FLOORS) | {"__init__", "__main__"} == set(ROOMS)


@pytest.mark.parametrize("room", sorted(set().union(*FLOORS)))
def test_a_room_imports_from_the_floors_below(room: str):
    floor = next(number for number, rooms in enumerate(FLOORS) if room in rooms)
    assert rooms_used_by(room) <= set().union(*FLOORS[:floor])


@pytest.mark.parametrize("room", sorted(set().union(*FLOORS) - UPSTAIRS))
def test_what_learners_import_needs_no_nbgrader_and_no_jupyter(room: str):
    assert not {name.split(".")[0] for name in imported(room)} & GUESTS
