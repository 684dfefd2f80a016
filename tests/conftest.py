"""A course of one tiny lesson, for tests of what happens around the lessons."""

import json
import shutil
from pathlib import Path

import jaxtyping
import pytest
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).parents[1]


COMPUTING = ("test_bank.py", "test_readers.py", "test_lessons.py", "test_experiments.py")
"""Files whose tests mostly compute, and share no more than their parameter."""


def computes(nodeid: str) -> bool:
    return nodeid.partition("::")[0].endswith(COMPUTING)


def group(nodeid: str) -> str:
    """What one worker runs: a file, which may have set-ups; of those that compute, the tests of one parameter.

    In the bank, that is what stands before the colon: the exercise.
    """
    file, _, test = nodeid.partition("::")
    if not computes(nodeid):
        return file
    return f"{file} {test.partition('[')[2].removesuffix(']').split(':')[0]}"


class Scheduling(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What computes is spread among what also waits, so that no processor waits."""
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(group(item.nodeid), []).append(item)
    kinds = [[name for name in groups if computes(groups[name][0].nodeid) is kind] for kind in (False, True)]
    places = {name: (place + 0.5) / len(kind) for kind in kinds for place, name in enumerate(kind)}
    items[:] = [item for name in sorted(groups, key=places.get) for item in groups[name]]


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    return Scheduling(config, log)


def graded(grade_id: str, *, locked: bool = False, **metadata: bool | int) -> str:
    """The metadata of a cell that nbgrader knows, as jupytext writes it into the cell's header."""
    fields = {"grade": False, "solution": False, "task": False, "schema_version": 3}
    return "nbgrader=" + json.dumps(fields | {"grade_id": grade_id, "locked": locked} | metadata)


LESSON = f"""\
# %% [markdown]
# # Doubling

# %%
import os

# %% {graded("double", solution=True)}
def double(x):
    ### BEGIN SOLUTION
    twice_the_number = x + x
    return twice_the_number
    ### END SOLUTION

# %% {graded("double-values", grade=True, points=2, locked=True)}
assert double(3) == 6
### BEGIN HIDDEN TESTS
assert double(-1.5) == -3
### END HIDDEN TESTS

# %% tags=["demo"]
print("demonstrated")

# %% [markdown]
# When does doubling help?

# %% [markdown] {graded("why", grade=True, solution=True, points=1)}
# Doubling helps whenever half was not enough.
"""


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is held against its annotations, as on a user's machine: calls raise the package's own errors."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def released_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from attention_lab.course.release import (  # a second of imports that other tests need not wait for
        release,
        release_start_page,
    )

    root = tmp_path_factory.mktemp("released")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    folder = root / "solutions" / "01-doubling"
    folder.mkdir(parents=True)
    (folder / "doubling.py").write_text(LESSON, encoding="utf-8")
    (root / "solutions" / "index.py").write_text("# %% [markdown]\n# # The course\n", encoding="utf-8")
    release(root, "01-doubling")
    release_start_page(root)
    return root


@pytest.fixture
def course(released_once: Path, tmp_path: Path) -> Path:
    """The root of a course with one lesson, 01-doubling, released."""
    return shutil.copytree(released_once, tmp_path / "course")


@pytest.fixture
def nbgrader(course: Path):
    """Run a command of nbgrader in the course, for example ``nbgrader("autograde", "01-doubling")``."""

    import called  # a second of imports that other tests need not wait for

    def run(*arguments: str) -> None:
        done = called.nbgrader(*arguments, cwd=course)
        assert done.returncode == 0, done.stderr

    return run
