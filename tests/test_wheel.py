"""The package is installed from a wheel, away from its checkout, and a kit works with it from the first stub on."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import nbformat
import pytest
from lab import Lab
from nbgrader.utils import is_solution

from attention_lab import __version__
from attention_lab.course.handout import kit
from attention_lab.course.source import read_source

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "attention_lab"
LESSON, NOTEBOOK = "02-squeeze-excitation", "squeeze-excitation"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the environment is made of links")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the sources, which leaves the checkout as it is."""
    sources, built = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    shutil.copytree(PACKAGE, sources / "attention_lab", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", built, sources], check=True)
    [wheel] = built.iterdir()
    return wheel


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; all that the package needs is borrowed from the running Python's."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, wheel], check=True, env=clean())
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    for data in ("share", "etc"):
        (folder / data).mkdir(exist_ok=True)
        (folder / data / "jupyter").symlink_to(Path(sysconfig.get_path("data")) / data / "jupyter")
    return folder


def clean() -> dict[str, str]:
    """This process's variables, without those that lead to the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture
def unzipped(tmp_path: Path) -> Path:
    file = tmp_path / "kit.zip"
    file.write_bytes(kit(ROOT, [LESSON]))
    shutil.unpack_archive(file, tmp_path)
    return tmp_path / "attention-lab"


@pytest.fixture
def run(environment: Path):
    """Run the environment's own attention-lab."""

    def run(*arguments: str, cwd: Path, status: int = 0) -> str:
        command = [environment / "bin" / "attention-lab", *arguments]
        done = subprocess.run(command, cwd=cwd, env=clean(), capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        return done.stdout

    return run


def solve(notebook: Path) -> None:
    """Put the answers of instructors into a learner's notebook; words go where words are asked for."""
    right = {cell.id: cell.source for cell in read_source(ROOT / "solutions" / LESSON / f"{NOTEBOOK}.py").cells}
    mine = nbformat.read(notebook, as_version=4)
    for cell in filter(is_solution, mine.cells):
        cell.source = right[cell.id]
    nbformat.write(mine, notebook)


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel):
    files = (file for file in PACKAGE.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    own = {file.relative_to(ROOT).as_posix() for file in files if not file.name.startswith(".")}
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in packed if ".dist-info/" not in name} == own
    assert wheel.name == f"attention_lab-{__version__}-py3-none-any.whl"


def test_an_installed_package_is_not_the_checkouts(environment, run, tmp_path):
    code = "import attention_lab; print(attention_lab.__file__)"
    python = [environment / "bin" / "python", "-c", code]
    file = subprocess.run(python, cwd=tmp_path, env=clean(), capture_output=True, text=True, check=True).stdout
    assert Path(file).is_relative_to(environment)
    assert run("--version", cwd=tmp_path) == f"attention-lab {__version__}\n"


def test_a_kit_tells_progress_of_the_lessons_that_it_holds(run, unzipped):
    told = run("progress", cwd=unzipped).splitlines()
    rows = told[next(i for i, line in enumerate(told) if line.startswith(LESSON)) :]
    assert [row.split()[:3] for row in rows] == [[LESSON, "0", "18"], ["together", "0", "18"]]


def test_a_notebook_of_a_kit_is_checked_in_its_own_folder(run, unzipped):
    folder = unzipped / "notebooks" / LESSON
    stub = run("validate", f"{NOTEBOOK}.ipynb", cwd=folder, status=1)
    assert "NotImplementedError: squeeze is still a stub" in stub
    solve(folder / f"{NOTEBOOK}.ipynb")
    assert "Success! Your notebook passes all the tests." in run("validate", f"{NOTEBOOK}.ipynb", cwd=folder)


def test_nbgrader_itself_finds_the_settings_of_a_kit(environment, unzipped):
    path = f"notebooks/{LESSON}/{NOTEBOOK}.ipynb"
    solve(unzipped / path)
    command = [environment / "bin" / "python", "-m", "nbgrader", "validate", path]
    done = subprocess.run(command, cwd=unzipped, env=clean(), capture_output=True, text=True)
    assert "Success! Your notebook passes all the tests." in done.stdout, done.stderr


def test_jupyterlab_opens_a_kit_and_validates_there(environment, unzipped, tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    solve(unzipped / "notebooks" / LESSON / f"{NOTEBOOK}.ipynb")
    lab = Lab(unzipped, tmp_path, command=[environment / "bin" / "attention-lab"])
    try:
        lab.wait()
        assert lab.first_page().endswith("/lab/tree/index.ipynb")
        assert lab.validate(f"{LESSON}/{NOTEBOOK}.ipynb") == {}
    finally:
        lab.stop()
