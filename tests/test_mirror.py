"""Whoever knows a file of the package knows where its tests are."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "attention_lab"
ELSEWHERE = {
    "__main__.py": "cli/test_main.py",
    "baselines.py": "test_bench.py",
    "course/execute.py": "course/test_release.py",
    "course/profile/everyone/nbgrader_config.py": "course/test_handout.py",
    "course/sample_class.py": "course/test_demo.py",
    "data/images.py": "data/test_images.py",
    "grading/exercises": "grading/test_bank.py",
    "grading/witness.py": "grading/test_judge.py",
    "mechanisms/arguments.py": "mechanisms/test_all_mechanisms.py",
}
"""Files that are tested with another, of which they are a part."""


def files() -> list[str]:
    paths = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    return sorted(
        {"grading/exercises" if path.parts[:2] == ("grading", "exercises") else path.as_posix() for path in paths}
    )


@pytest.mark.parametrize("file", files())
def test_every_file_of_the_package_has_a_file_of_tests(file):
    path = Path(file)
    tests = ROOT / "tests" / ELSEWHERE.get(file, path.with_name(f"test_{path.name}").as_posix())
    assert tests.exists(), f"where is {file} tested?"


def test_what_is_tested_elsewhere_is_still_there():
    assert set(ELSEWHERE) <= set(files())
