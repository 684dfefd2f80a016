"""Binder's files: the course's own versions, and a learner's JupyterLab on the course map, whatever program starts it."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from urllib.request import urlopen

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PROFILE = ROOT / "attention_lab" / "course" / "profile"
MAP = "/lab/tree/index.ipynb"
HERE = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]), "PYTHONPATH": str(ROOT)}

posix = pytest.mark.skipif(sys.platform == "win32", reason="Binder runs Linux")


def test_it_installs_the_package_with_the_versions_of_constraints_and_pytorch_without_cuda():
    lines = (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    options = dict(line.split(" ", 1) for line in lines if not line.startswith("#"))
    assert options.keys() == {"--extra-index-url", "--constraint", "--editable"}
    assert (BINDER / options["--constraint"]).resolve() == ROOT / "constraints.txt"  # pip: seen from the file
    assert (ROOT / options["--editable"] / "pyproject.toml").exists()  # pip: seen from the folder it is called in
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"PIP_EXTRA_INDEX_URL={options['--extra-index-url']} " in readme


def test_its_python_and_its_pins_are_allowed_by_pyproject():
    python = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert python in SpecifierSet(PROJECT["requires-python"])
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
    needed = map(Requirement, PROJECT["dependencies"])
    assert all(each.specifier.contains(pins[each.name]) for each in needed)


def test_every_program_that_may_start_opens_the_course_map():
    assert (ROOT / "notebooks" / Path(MAP).name).exists()
    files = {file.name: json.loads(file.read_text(encoding="utf-8")) for file in (BINDER / "settings").iterdir()}
    assert files == {
        "jupyter_server_config.json": {"ServerApp": {"root_dir": "notebooks", "default_url": MAP}},
        "jupyter_lab_config.json": {"LabApp": {"default_url": MAP}},
        "jupyter_notebook_config.json": {"JupyterNotebookApp": {"default_url": MAP}},
    }


@posix
@pytest.mark.parametrize("before", [None, "/its/own"])
def test_start_gives_what_it_is_called_with_a_learners_settings(tmp_path, before):
    shown = "import json, os, sys; print(json.dumps([os.getcwd(), os.environ['JUPYTER_CONFIG_PATH'], sys.argv[1:]]))"
    environment = {name: value for name, value in os.environ.items() if name != "JUPYTER_CONFIG_PATH"} | HERE
    if before:
        environment["JUPYTER_CONFIG_PATH"] = before
    stand_in = [sys.executable, "-c", shown, "--port=1", "two words"]
    done = subprocess.run(
        [BINDER / "start", *stand_in], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    folder, path, arguments = json.loads(done.stdout)
    assert (folder, arguments) == (str(ROOT), ["--port=1", "two words"])
    assert path.split(":") == [
        *map(str, (BINDER / "settings", PROFILE / "learner", PROFILE / "everyone")),
        *([before] if before else []),
    ]


@posix
def test_start_fails_as_what_it_calls_does():
    assert subprocess.run([BINDER / "start", "sh", "-c", "exit 7"], env=os.environ | HERE).returncode == 7


@posix
@pytest.mark.parametrize("program", ["lab", "notebook", "server"])
def test_the_course_map_is_the_first_page(tmp_path, program):
    course = tmp_path / "course"
    shutil.copytree(BINDER, course / "binder")
    (course / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "index.ipynb", course / "notebooks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["jupyter", program, "--no-browser", "--allow-root", f"--port={port}"]
    home = {"HOME": str(tmp_path / "home"), "JUPYTER_TOKEN": "a-token"}
    server = subprocess.Popen([course / "binder" / "start", *command], env=os.environ | HERE | home)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{port}/?token=a-token") as answer:
                    page = answer.read().decode()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < deadline
                time.sleep(0.2)
        assert answer.url.partition("?")[0].endswith(MAP)
        data = json.loads(re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
        assert data["serverRoot"] == str(course / "notebooks")
        assert "@jupyter/nbgrader:formgrader" in data["disabledExtensions"]
    finally:
        server.kill()
        server.wait()
