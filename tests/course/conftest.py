"""The files of the tiny lesson."""

from pathlib import Path

import pytest


@pytest.fixture
def source(course: Path) -> Path:
    return course / "solutions" / "01-doubling" / "doubling.py"


@pytest.fixture
def reference(course: Path) -> Path:
    return course / "solutions" / "01-doubling" / "doubling.ipynb"


@pytest.fixture
def handout(course: Path) -> Path:
    return course / "notebooks" / "01-doubling" / "doubling.ipynb"
