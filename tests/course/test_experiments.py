"""A recording run trains a lesson's own networks from the seeds that were asked for, and keeps what it measured."""

import os
import statistics
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from edit import change

from attention_lab import recording
from attention_lab.cli import main
from attention_lab.course.experiments import record
from attention_lab.recording import Recording
from attention_lab.training import compare

EXPERIMENT = """
import torch
from attention_lab.recording import recorded
from attention_lab.training import compare

images, labels = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)), torch.arange(50) % 2
comparison = compare({"linear": lambda: torch.nn.Linear(2, 2)}, (images, labels), (images, labels), steps=30)
shown = recorded("doubling", comparison.seeds, {name: run.errors for name, run in comparison.runs.items()})
"""


@pytest.fixture
def lesson(course, source, monkeypatch):
    change(source, 'print("demonstrated")', EXPERIMENT)
    monkeypatch.chdir(course)
    return course


def errors(seed: int) -> float:
    images, labels = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)), torch.arange(50) % 2
    data = images, labels
    return compare({"linear": lambda: torch.nn.Linear(2, 2)}, data, data, steps=30, seeds=[seed]).runs["linear"].errors


def test_the_command_keeps_what_the_lesson_measures_with_these_seeds_and_how_it_was_called(
    lesson, tmp_path, monkeypatch
):
    monkeypatch.delenv("ATTENTION_LAB_FAST", raising=False)
    done = CliRunner().invoke(main, ["experiments", "01", "--seeds", "4-6", "--to", str(tmp_path / "kept")])
    assert done.output == "doubling: 1 numbers for each of 3 seeds\n"
    made = Recording.load(tmp_path / "kept" / "doubling.json")
    assert (made.seeds, made.command) == ([4, 5, 6], "attention-lab experiments 01 --seeds 4-6")
    measured = errors(4) + errors(5) + errors(6)
    assert made.numbers == {"linear": pytest.approx(measured, abs=1e-3)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["99"], "no lesson 99"),
        (["01", "--seeds", "many"], "such as 10-19, not many"),
    ],
)
def test_what_cannot_be_recorded_is_told_in_one_line(lesson, arguments, message):
    done = CliRunner().invoke(main, ["experiments", *arguments])
    assert done.exit_code == 2 and message in done.output


def test_a_lesson_that_fails_leaves_the_shipped_numbers_alone(lesson, source, tmp_path):
    change(source, "import torch\n", "raise RuntimeError\n")
    done = CliRunner().invoke(main, ["experiments", "01", "--to", str(tmp_path / "kept")])
    assert done.exit_code == 2 and "RuntimeError" in done.output
    assert not (tmp_path / "kept").exists() and recording.FOLDER.name == "recordings"


SHIPPED = {file.stem: Recording.load(file) for file in sorted(recording.FOLDER.glob("*.json"))}


COMMANDS = sorted({shipped.command for shipped in SHIPPED.values()})
RUN_AGAIN = COMMANDS[:1] if os.environ.get("ATTENTION_LAB_FAST") else COMMANDS
"""Some of them, where trainings are to be short; all take ten minutes."""


@pytest.mark.parametrize("command", RUN_AGAIN)
def test_the_shipped_numbers_are_those_that_the_lesson_measures(command, tmp_path, monkeypatch):
    """One seed is run again. On another machine rounding may lead elsewhere, at worst as far as another seed would."""
    monkeypatch.delenv("ATTENTION_LAB_FAST", raising=False)
    root, number = Path(__file__).parents[2], command.split()[2]
    of_lesson = {name: shipped for name, shipped in SHIPPED.items() if shipped.command == command}
    (lesson,) = (folder.name for folder in root.glob(f"solutions/{number}*") if folder.is_dir())
    seed = next(iter(of_lesson.values())).seeds[:1]
    again = record(root, lesson, seed, tmp_path, command)
    assert again.keys() == of_lesson.keys()
    for name, shipped in of_lesson.items():
        assert again[name].numbers.keys() == shipped.numbers.keys()
        for what, numbers in shipped.numbers.items():
            near = pytest.approx(numbers[0], abs=6 * statistics.stdev(numbers) + 1e-3)
            assert again[name].numbers[what] == [near], (name, what)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_recording_says_how_it_was_made(name):
    made = SHIPPED[name]
    assert made.command.endswith(f"--seeds {made.seeds[0]}-{made.seeds[-1]}")
    assert all(len(values) == len(made.seeds) for values in made.numbers.values())
    assert {"attention-lab", "torch", "machine"} <= made.versions.keys()
