"""The catalogue of misconceptions as a page, from the data that the checks use."""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from attention_lab.grading.catalogue import as_markdown, misconceptions


def write(app: Sphinx) -> None:
    (Path(app.srcdir) / "misconceptions.md").write_text(as_markdown(misconceptions()), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
