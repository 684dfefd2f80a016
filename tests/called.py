"""Commands called in this process: most of what a process of its own costs is importing torch and starting observers."""

import contextlib
import functools
import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

from click.testing import CliRunner
from lab import COMMAND
from nbgrader import api
from nbgrader.apps import NbGraderApp

from attention_lab.cli import main

# It starts a process for every new gradebook, which says the same each time.
api.get_alembic_version = functools.cache(api.get_alembic_version)


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """The environment and the folder are afterwards as they were."""
    environment = dict(os.environ)
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        os.environ.clear()
        os.environ.update(environment)


def called(*arguments: str, cwd: Path) -> CompletedProcess[str]:
    """What a command of `attention-lab` prints and how it ends."""
    with working_in(cwd):
        forget_nbgraders()
        done = CliRunner().invoke(main, arguments, prog_name="attention-lab", catch_exceptions=False)
    return CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def apart(*arguments: str, cwd: Path) -> CompletedProcess[str]:
    """The same of a command in a process of its own, as a terminal starts it."""
    return subprocess.run([*COMMAND, *arguments], cwd=cwd, capture_output=True, text=True)


def nbgrader(*arguments: str, cwd: Path) -> CompletedProcess[str]:
    """What a command of nbgrader prints and how it ends."""
    printed, told, status = io.StringIO(), io.StringIO(), 0
    with working_in(cwd), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
        forget_nbgraders()
        try:
            NbGraderApp.launch_instance(list(arguments))
        except SystemExit as end:
            said = end.code if isinstance(end.code, str) else ""
            told.write(said)
            status = 1 if said else int(end.code or 0)
    return CompletedProcess(arguments, status, printed.getvalue(), told.getvalue())


def forget_nbgraders() -> None:
    """What nbgrader keeps of an earlier command, such as its folder."""
    for app in (NbGraderApp, *(command for command, _ in NbGraderApp.subcommands.values())):
        app.clear_instance()
