"""The command line: fast to import, and without a traceback where it may not write."""

import errno
import re
import subprocess
import sys

import pytest
from called import apart
from click.testing import CliRunner
from sqlalchemy.exc import OperationalError

import attention_lab
from attention_lab import SelectiveKernel, __version__
from attention_lab.cli import main


def python(code: str) -> str:
    """What a fresh process prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_help_lists_the_commands(tmp_path):
    shown = apart("--help", cwd=tmp_path).stdout
    assert {"lab", "release"} <= set(re.findall(r"^  (\w+)  ", shown, re.MULTILINE))


def test_the_version_is_told(tmp_path):
    assert apart("--version", cwd=tmp_path).stdout == f"attention-lab {__version__}\n"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/shared/kit/x"),
            "no permission to write in /shared/kit: ",
        ),
        (OSError(errno.ENOSPC, "No space left on device", "/kit/x"), "cannot write /kit/x: No space left on device."),
        (OperationalError("SELECT", {}, "unable to open database file"), "the gradebook cannot be opened or written: "),
    ],
)
def test_what_cannot_be_written_is_told_in_one_line(error, told, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr("attention_lab.papers.lines", fail)
    done = CliRunner().invoke(main, ["papers"])
    assert done.exit_code == 2 and told in done.output and len(done.output.splitlines()) == 1


def test_a_mechanism_loads_torch_and_nothing_of_jupyter():
    code = "from attention_lab import SelectiveKernel; import sys; print(*{m.partition('.')[0] for m in sys.modules})"
    loaded = set(python(code).split())
    assert {"attention_lab", "torch"} <= loaded
    assert not loaded & {"nbgrader", "jupyter_core", "jupyterlab", "IPython", "ipykernel", "matplotlib", "click"}


def test_asking_for_help_loads_nothing_that_takes_time():
    loaded = set(python("import attention_lab.cli, sys; print(*{m.partition('.')[0] for m in sys.modules})").split())
    assert "click" in loaded
    assert not loaded & {"torch", "numpy", "nbgrader", "jupyter_core", "jupyterlab", "nbformat"}


def test_entering_a_lesson_and_writing_feedback_load_no_torch():
    settings = "attention_lab.course.untouched, attention_lab.feedback.exporter, attention_lab.overview.rubrics"
    assert "torch" not in python(f"import {settings}, sys; print(*sys.modules)").split()


def test_the_package_has_its_mechanisms_by_name_and_says_what_it_does_not_have():
    assert set(attention_lab.__all__) <= set(dir(attention_lab)) and attention_lab.SelectiveKernel is SelectiveKernel
    with pytest.raises(ImportError, match="cannot import name 'Squeeze' from 'attention_lab'"):
        from attention_lab import Squeeze  # noqa: F401
