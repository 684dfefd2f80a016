"""A command of `attention-lab`, called in this process: most of what a process of its own costs is importing torch."""

import contextlib
import os
from pathlib import Path
from subprocess import CompletedProcess

from click.testing import CliRunner

from attention_lab.cli import main


def called(*arguments: str, cwd: Path) -> CompletedProcess[str]:
    """What the command prints and how it ends; the environment and the folder are afterwards as they were."""
    environment = dict(os.environ)
    try:
        with contextlib.chdir(cwd):
            done = CliRunner().invoke(main, arguments, prog_name="attention-lab", catch_exceptions=False)
    finally:
        os.environ.clear()
        os.environ.update(environment)
    return CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)
