"""The lessons as pages: what a learner is handed out, with the outputs of the demonstrations.

The stubs are nbgrader's own, made anew from the sources: what somebody wrote in `notebooks/` is no part of the site.
"""

import logging
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from sphinx.application import Sphinx

from attention_lab.course.release import learner_files
from attention_lab.course.source import lessons, read_lesson, read_start_page

ROOT = Path(__file__).parents[2]
NOTE = """\
:::{note}
This is the lesson to read. To work in it, open its notebook with `attention-lab lab`. The pictures and tables below were
made with our answers to the exercises. In your notebook they are made with yours.
:::"""
CONTENTS = """\
```{{toctree}}
:hidden:

{}
```"""


def with_outputs(handout: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """A learner's notebook with the outputs of the cells tagged `demo`; those of exercises and checks stay away."""
    outputs = {cell.id: cell.outputs for cell in executed.cells if "demo" in cell.metadata.get("tags", ())}
    for cell in handout.cells:
        if cell.id in outputs:
            cell.outputs = outputs[cell.id]
    return handout


def lesson_page(handout: Path, executed: Path) -> NotebookNode:
    page = with_outputs(nbformat.read(handout, as_version=4), nbformat.read(executed, as_version=4))
    page.cells.insert(1, new_markdown_cell(NOTE, id="note"))
    return page


def map_page(root: Path, pages: list[str]) -> NotebookNode:
    """The course map, without the cell that shows a learner's points."""
    page = read_start_page(root)
    page.cells = [cell for cell in page.cells if cell.cell_type == "markdown"]
    how, _, _ = page.cells[0].source.partition("**Your progress.**")
    page.cells[0].source = how
    page.cells.append(new_markdown_cell(CONTENTS.format("\n".join(pages)), id="contents"))
    return page


def made(root: Path) -> dict[str, NotebookNode]:
    """All pages by their place below `lessons/`."""
    pages = {}
    for lesson in lessons(root):
        with learner_files(root, lesson, read_lesson(root, lesson)) as files:
            for file, new in files.items():
                if file.suffix == ".ipynb":
                    pages[f"{lesson}/{file.name}"] = lesson_page(new, root / "solutions" / lesson / file.name)
    return {"index.ipynb": map_page(root, [name.removesuffix(".ipynb") for name in pages])} | pages


def write(app: Sphinx) -> None:
    logging.getLogger("traitlets").setLevel(logging.WARNING)  # nbgrader tells of every file
    for name, page in made(ROOT).items():
        file = Path(app.srcdir) / "lessons" / name
        text = nbformat.writes(page) + "\n"
        if not file.exists() or file.read_text(encoding="utf-8") != text:  # what is the same is not read again
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
