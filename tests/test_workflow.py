"""GitHub runs the solutions as README says, with Pythons that pyproject.toml allows, and with no more rights than needed."""

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "lessons.yml").read_text(encoding="utf-8"))


@pytest.fixture
def job() -> dict:
    (job,) = WORKFLOW["jobs"].values()
    return job


def test_the_solutions_are_run_by_the_command_that_readme_prints(job):
    *_, install, run = [step["run"] for step in job["steps"] if "run" in step]
    assert f"`{run}`" in README
    assert install == "pip install -c constraints.txt -e '.[dev]'"
    assert "nbval" in PROJECT["optional-dependencies"]["dev"]


def test_pytorch_comes_without_cuda_as_readme_says(job):
    assert f"PIP_EXTRA_INDEX_URL={job['env']['PIP_EXTRA_INDEX_URL']} " in README


def test_the_oldest_python_is_among_those_tried_and_all_are_allowed(job):
    tried = job["strategy"]["matrix"]["python"]
    allowed = PROJECT["requires-python"]
    assert f">={tried[0]}" == allowed and all(version in SpecifierSet(allowed) for version in tried)
    setup = next(step["with"] for step in job["steps"] if step.get("uses", "").startswith("actions/setup-python@"))
    assert setup["python-version"] == "${{ matrix.python }}" and setup["cache"] == "pip"
    assert all((ROOT / file).exists() for file in setup["cache-dependency-path"].split())


def test_it_may_read_and_nothing_else(job):
    assert WORKFLOW["permissions"] == {"contents": "read"} and "permissions" not in job
    assert "secrets" not in str(WORKFLOW)
    checkout = next(step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@"))
    assert checkout["with"] == {"persist-credentials": False}


def test_it_runs_at_every_push_and_ends(job):
    assert {"push", "pull_request"} <= set(WORKFLOW[True])  # "on", as YAML reads it
    assert job["timeout-minutes"] <= 60
