"""Chromium, for tests that need a browser; continuous integration must have one."""

import os
import shutil
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="needs chromium: apt-get install chromium"
)


def persistent(playwright, folder: Path):
    """A browser that keeps what it knows in a folder, with a window as a learner has it."""
    return playwright.chromium.launch_persistent_context(
        folder, executable_path=CHROMIUM, headless=True, args=QUIET, viewport={"width": 1300, "height": 950}
    )
