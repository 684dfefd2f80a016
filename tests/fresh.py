"""Code that runs in a Python of its own, a fork of one that has imported what takes time and has done nothing else."""

import contextlib
import io
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["attention_lab.grading", "IPython.core.interactiveshell"])


def printed(code: str, folder: Path) -> str:
    """What code prints that runs in a folder.

    Raises: whatever the code raises.
    """
    with ProcessPoolExecutor(1, FRESH) as python:
        return python.submit(run, code, folder).result()


def run(code: str, folder: Path) -> str:
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as shown:
        exec(code, {"__name__": "__main__"})
    return shown.getvalue()
