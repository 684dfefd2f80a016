"""Read a notebook as its learner left it, whatever editors it went through.

Of the file only what a lesson needs is taken: the cells in their order, with kind, text, tags and attachments. So the
rest cannot be wrong: its version, ids, metadata, outputs and kernel may be anything.
"""

import json
import re
from typing import Any

from nbformat import NotebookNode, from_dict

KINDS = {"code": "code", "markdown": "markdown", "heading": "markdown", "html": "markdown"}
"""What is made of a cell's kind in any version of the format; raw text of all others."""
CELL_ID = re.compile(r"[\w-]{1,64}", re.ASCII)


class Unreadable(ValueError):
    """A file that holds no notebook; the message says why in a few words."""


def cells_of(file: bytes) -> list[dict[str, Any]]:
    """The cells of a notebook file as they stand in it, in any version of the format and any usual encoding.

    Raises: Unreadable.
    """
    if not file.strip():
        raise Unreadable("the file is empty")
    try:
        text = file.decode(json.detect_encoding(file), "surrogatepass")
    except UnicodeDecodeError:
        text = file.decode("cp1252", "replace")
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no notebook, or not all of one: {error}") from error
    sheets = notebook.get("worksheets", [notebook]) if isinstance(notebook, dict) else []
    lists = [sheet["cells"] for sheet in sheets if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list)]
    if not lists:
        raise Unreadable("no notebook: it has no list of cells")
    return [cell for cells in lists for cell in cells if isinstance(cell, dict)]


def metadata_of(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell's metadata, empty where they are none that could be."""
    metadata = cell.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def source_of(cell: dict[str, Any]) -> str:
    """A cell's text; version 3 of the format says `input` for it where there is code."""
    return text_of(cell.get("source", cell.get("input")))


def text_of(value: Any) -> str:
    """A text, or lines of one, with `\\n` between them and nothing that cannot be written in UTF-8."""
    lines = value if isinstance(value, list) else [value]
    text = "".join(line for line in lines if isinstance(line, str))
    return text.replace("\r\n", "\n").encode("utf-8", "replace").decode()


def plain(cell: dict[str, Any], outputs: bool = False) -> NotebookNode:
    """A valid cell of the same kind, text, tags, attachments and id, which nbgrader takes for an ordinary one.

    The id is empty where there is none that could be.
    """
    kind, source, tags, id = cell.get("cell_type"), source_of(cell), metadata_of(cell).get("tags"), cell.get("id")
    if kind == "heading":
        source = f"# {source}"
    made = from_dict({"id": "", "cell_type": KINDS.get(str(kind), "raw"), "metadata": {}, "source": source})
    if isinstance(id, str) and CELL_ID.fullmatch(id):
        made.id = id
    if made.cell_type == "code":
        made.outputs, made.execution_count = [], None
    if isinstance(tags, list):
        made.metadata.tags = list(dict.fromkeys(tag for tag in tags if isinstance(tag, str) and tag and "," not in tag))
    attached = cell.get("attachments")
    if isinstance(attached, dict) and made.cell_type != "code":
        bundles = {name: bundle for name, bundle in attached.items() if isinstance(bundle, dict)}
        made.attachments = from_dict(
            {name: {kind: text_of(data) for kind, data in bundle.items()} for name, bundle in bundles.items()}
        )
    if outputs and made.cell_type == "code":
        made.outputs, made.execution_count = from_dict(cell.get("outputs", [])), cell.get("execution_count")
    return made
