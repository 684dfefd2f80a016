"""Recorded numbers: made by the code that shows them, with the seeds that were asked for, and never mixed up."""

import tomllib

import pytest

from attention_lab import recording
from attention_lab.recording import Recording, recorded


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "FOLDER", tmp_path)
    made = Recording([10, 11, 12], {"a": [1.0, 2.0, 3.0], "b": [2.0, 2.0, 2.0]}, "attention-lab experiments 09", {})
    made.save(tmp_path / "sizes.json")
    return made


def test_a_lesson_gets_the_shipped_numbers_of_what_it_measured(shipped):
    assert recorded("sizes", [0], {"a": [1.5], "b": [2.5]}) == shipped


def test_numbers_of_something_else_are_refused_by_name(shipped):
    with pytest.raises(ValueError, match=r"sizes holds \['a', 'b'\], but here was measured \['a'\]"):
        recorded("sizes", [0], {"a": [1.5]})


def test_a_number_is_needed_for_every_seed(shipped):
    with pytest.raises(ValueError, match=r"one number a seed.*'b'"):
        recorded("sizes", [0, 1], {"a": [1.5, 1.5], "b": [2.5]})


def test_a_recording_run_keeps_what_it_measured_with_seeds_command_and_versions(shipped, tmp_path, monkeypatch):
    monkeypatch.setenv(recording.KEEP_IN, str(tmp_path / "new"))
    monkeypatch.setenv(recording.COMMAND, "attention-lab experiments 09 --seeds 3-4")
    now = recorded("sizes", [3, 4], {"a": [0.123456, 1], "b": [1, 2]})
    assert now == Recording.load(tmp_path / "new" / "sizes.json")
    assert (now.seeds, now.numbers["a"]) == ([3, 4], [0.1235, 1.0])
    assert now.command == "attention-lab experiments 09 --seeds 3-4"
    assert {"attention-lab", "torch", "machine"} <= now.versions.keys()


def test_the_package_is_built_with_all_recordings():
    package = recording.FOLDER.parent
    pyproject = tomllib.loads((package.parent / "pyproject.toml").read_text())
    globs = pyproject["tool"]["setuptools"]["package-data"]["attention_lab"]
    shipped = set(recording.FOLDER.glob("*.json"))
    assert shipped and shipped <= {path for glob in globs for path in package.glob(glob)}
