"""A class that hands in a small lesson, graded by nbgrader's own commands."""

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import nbformat
from called import nbgrader
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook
from unrun import release

from attention_lab.classroom.outputs import Output
from attention_lab.classroom.sandbox import unconfined

ROOT = Path(__file__).parents[2]
CHECKED = "02-checked"


def graded(grade_id: str, **roles: bool | int) -> str:
    mark = {"grade": False, "solution": False, "locked": False, "task": False, "schema_version": 3} | roles
    return "nbgrader=" + json.dumps(mark | {"grade_id": grade_id})


LESSON = f"""\
# %%
# %load_ext attention_lab.grading

# %%
import torch
from attention_lab.grading import check, points

# %% {graded("squeeze", solution=True)}
def squeeze(x):
    ### BEGIN SOLUTION
    return x.mean((2, 3))
    ### END SOLUTION

# %% {graded("squeeze-shape", grade=True, locked=True, points=1)}
check("squeeze-shape", squeeze)

# %% {graded("squeeze-values", grade=True, locked=True, points=1)}
check("squeeze-values", squeeze)

# %% {graded("own", grade=True, locked=True, points=1)}
assert torch.ones(1) == 1

# %% {graded("points", locked=True)}
points("02-squeeze-excitation")
"""


def code(source: str, tags: list[str] | None = None) -> NotebookNode:
    return new_code_cell(source, metadata={"tags": tags} if tags else {})


def worked(shown: list[Output]) -> bool:
    """Whether a cell that shows this ended without an error."""
    return not any(output.kind == "error" for output in shown)


class Class:
    """A course in a folder of its own, with one lesson and those who hand it in."""

    def __init__(self, root: Path):
        self.root = root / "course"
        (self.root / "solutions" / CHECKED).mkdir(parents=True)
        shutil.copy(ROOT / "nbgrader_config.py", self.root)
        (self.root / "solutions" / CHECKED / "checked.py").write_text(LESSON, encoding="utf-8")
        release(self.root, CHECKED)

    def copy(self, root: Path) -> "Class":
        """The same class as it stands, in another folder."""
        made = Class.__new__(Class)
        made.root = shutil.copytree(self.root, root / "course")
        return made

    def hands_in(self, name: str, before: list, answer: str) -> Path:
        """Hand in an answer, with cells before all others; the folder in which the notebook lies."""
        notebook = nbformat.read(self.root / "notebooks" / CHECKED / "checked.ipynb", as_version=4)
        next(cell for cell in notebook.cells if cell.id == "squeeze").source = answer
        notebook.cells[:0] = [code(cell) if isinstance(cell, str) else cell for cell in before]
        folder = self.root / "submitted" / name / CHECKED
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / "checked.ipynb")
        return folder

    def call(self, *command: str) -> str:
        """What a command of nbgrader says, called in this process."""
        return nbgrader(*command, cwd=self.root).stderr

    def run(self, *command: str, path: str = "") -> str:
        """What it says as a process of its own; path: where programs are looked for."""
        path = path or os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
        done = subprocess.run(
            ["nbgrader", *command], cwd=self.root, env=os.environ | {"PATH": path}, capture_output=True, text=True
        )
        return done.stderr

    def grade(self) -> None:
        self.call("generate_assignment", CHECKED, "--force")
        self.said = self.call("autograde", CHECKED, *unconfined())
        self.call("generate_feedback", CHECKED)

    def scores(self) -> dict[str, float | None]:
        """Every student's score; None where there is no grade."""
        with Gradebook(f"sqlite:///{self.root / 'gradebook.db'}") as gradebook:
            return {
                folder.name: gradebook.find_submission(CHECKED, folder.name).score
                if self.notebook(folder.name).exists()
                else None
                for folder in (self.root / "submitted").iterdir()
            }

    def notebook(self, name: str) -> Path:
        return self.root / "autograded" / name / CHECKED / "checked.ipynb"

    def autograded(self, name: str) -> NotebookNode:
        return nbformat.read(self.notebook(name), as_version=4)
