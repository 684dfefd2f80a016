"""JupyterLab as a learner starts it, for tests that use it."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

COMMAND = [sys.executable, "-m", "attention_lab"]
TOKEN = "a-token-of-this-test"


class Lab:
    """JupyterLab, as `attention-lab lab` starts it from a folder, on a port of its own.

    command: another installation's `attention-lab`.
    """

    def __init__(self, folder: Path, home: Path, *options: str, command: Sequence[str | Path] = COMMAND):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [*command, "lab", "--no-browser", "--port", str(self.port), *options],
            cwd=folder,
            env=os.environ | {"JUPYTER_TOKEN": TOKEN, "HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def get(self, path: str, post: dict | None = None) -> str:
        body = None if post is None else json.dumps(post).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        with urlopen(Request(url, body, {"Authorization": f"token {TOKEN}"}), timeout=120) as answer:
            return answer.read().decode()

    def first_page(self) -> str:
        """The address that JupyterLab opens first."""
        with urlopen(f"http://127.0.0.1:{self.port}/?token={TOKEN}") as answer:
            return answer.url.partition("?")[0]

    def page(self) -> dict:
        """What the page of JupyterLab tells the browser about itself."""
        return json.loads(
            re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', self.get("/lab"), re.DOTALL)[1]
        )

    def validate(self, notebook: str) -> dict:
        """What the button Validate tells of a notebook."""
        answer = json.loads(self.get("/assignments/validate", post={"path": notebook}))
        assert answer["success"], answer["value"]
        return answer["value"]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.get("/api/status")
                return
            except (URLError, ConnectionError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.process.kill()
                    pytest.fail(f"JupyterLab did not start:\n{self.process.communicate()[0]}")
                time.sleep(0.2)
