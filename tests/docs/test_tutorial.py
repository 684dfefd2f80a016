"""The author's guide, followed to the letter in a copy of the course: its mechanism, exercise and lesson work."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "authors.md"
BLOCK = re.compile(r"```\{code-block\} \w+\n:caption: (new file|in) `(.*?)`\n\n(.*?)^```", re.DOTALL | re.MULTILINE)
PARTS = ("attention_lab", "solutions", "notebooks", "tests", "nbgrader_config.py", "pyproject.toml")
MADE = shutil.ignore_patterns("__pycache__", "mine", ".*")


def follow(guide: str, course: Path) -> None:
    """Write the whole files of a guide, and add its lines where they belong."""
    for kind, name, text in BLOCK.findall(guide):
        file = course / name
        if kind == "new file":
            assert not file.exists()
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
            continue
        lines = text.splitlines(keepends=True)
        old, new = ("".join(line[1:] for line in lines if line[0] in signs) for signs in (" -", " +"))
        before = file.read_text(encoding="utf-8")
        assert before.count(old) == 1, f"{file.name} has not one place for {text}"
        file.write_text(before.replace(old, new), encoding="utf-8")


def commands(guide: str) -> list[str]:
    return re.findall(r"`((?:ATTENTION_LAB_FAST=1 )?(?:pytest|attention-lab|python) [^`]*)`", guide)


def fits(text: str) -> str:
    """What a command of the guide is called by here: this Python, and fewer draws."""
    shorter = text.replace("--seeds 100", "--seeds 2").replace("attention-lab ", f"{sys.executable} -m attention_lab ")
    shorter = shorter.replace("pytest ", f"{sys.executable} -m pytest -q -p no:cacheprovider ", 1)
    return re.sub(r"^python ", f"{sys.executable} ", shorter)


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    copy = tmp_path_factory.mktemp("copy") / "attention-lab"
    for part in PARTS:
        take = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy.mkdir(exist_ok=True)
        take(ROOT / part, copy / part, **({"ignore": MADE} if (ROOT / part).is_dir() else {}))
    follow(GUIDE.read_text(encoding="utf-8"), copy)
    return copy


def run(command: str, course: Path) -> str:
    assert command in commands(GUIDE.read_text(encoding="utf-8"))
    environment = os.environ | {"PYTHONPATH": str(course), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(fits(command), shell=True, cwd=course, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_mechanism_passes_its_tests_and_those_of_every_mechanism(course):
    assert re.search(r"\d\d passed", run("pytest tests/mechanisms -k lct", course))


def test_the_answers_of_its_bank_are_judged_as_they_deserve(course):
    told = run("python tests/grading/bank.py --exercise lct --seeds 100", course).splitlines()
    assert len(told) == 11 and all(line.endswith("0 of 2 unfair ") for line in told)
    assert "passed" in run('ATTENTION_LAB_FAST=1 pytest tests/grading/test_bank.py -k "lct: or [lct]"', course)


def test_its_lesson_is_released_and_has_every_part_of_a_lesson(course):
    assert "11-lct: released" in run("attention-lab release --lesson 11-lct", course)
    assert "YOUR CODE HERE" in (course / "notebooks" / "11-lct" / "lct.ipynb").read_text(encoding="utf-8")
    assert re.search(r"\d passed", run("ATTENTION_LAB_FAST=1 pytest tests/test_lessons.py -k 11-lct", course))
