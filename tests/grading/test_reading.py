"""Whatever editor a notebook went through, its cells are read; what is no notebook says why."""

import json

import nbformat
import pytest
from nbformat.v4 import new_notebook

from attention_lab.grading.reading import Unreadable, cells_of, plain

CODE = {"cell_type": "code", "id": "a", "metadata": {}, "source": "x = 'café’s'", "outputs": [], "execution_count": 1}
NOTEBOOK = {"cells": [CODE], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
TEXT = json.dumps(NOTEBOOK, ensure_ascii=False, indent=1)

FILES = {
    "UTF-8": TEXT.encode(),
    "with a byte order mark": TEXT.encode("utf-8-sig"),
    "PowerShell's UTF-16": TEXT.encode("utf-16"),
    "Windows-1252": TEXT.encode("cp1252"),
    "ends of line of Windows": TEXT.replace("\n", "\r\n").encode(),
    "version 3": json.dumps({"worksheets": [{"cells": [{"cell_type": "code", "input": CODE["source"]}]}]}).encode(),
    "no version": json.dumps({"cells": [CODE]}).encode(),
    "a version that does not exist": json.dumps(NOTEBOOK | {"nbformat": "four", "nbformat_minor": 99}).encode(),
    "its metadata a list": json.dumps(NOTEBOOK | {"metadata": []}).encode(),
    "something else among its cells": json.dumps(NOTEBOOK | {"cells": [CODE, "text", None]}).encode(),
}


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_a_notebook_is_read(file):
    assert [plain(cell).source for cell in cells_of(file)] == [CODE["source"]]


NO_NOTEBOOKS = {
    "nothing": (b"", "the file is empty"),
    "blanks": (b" \n\n", "the file is empty"),
    "cut off in the middle": (TEXT[:-9].encode(), "not all of one: Unterminated"),
    "a web page": (b"<html></html>", "no notebook, or not all of one"),
    "an archive": (b"PK\x03\x04\x14\x00\xff\xfe\x81", "no notebook, or not all of one"),
    "a list": (b"[]", "no list of cells"),
    "nothing in JSON": (b"null", "no list of cells"),
    "no cells": (b"{}", "no list of cells"),
    "cells that are no list": (b'{"cells": {}}', "no list of cells"),
    "sheets that are none": (b'{"worksheets": [1]}', "no list of cells"),
    "without an end of brackets": (b"[" * 100_000, "not all of one"),
}


@pytest.mark.parametrize(("file", "reason"), NO_NOTEBOOKS.values(), ids=NO_NOTEBOOKS)
def test_what_is_no_notebook_says_why_in_a_line(file, reason):
    with pytest.raises(Unreadable, match=reason) as told:
        cells_of(file)
    assert len(str(told.value)) < 120 and "\n" not in str(told.value)


DEEP = []
for _ in range(400):
    DEEP = [DEEP]

ODD_CELLS = {
    "no metadata": {"metadata": None},
    "metadata that are a list": {"metadata": ["x"]},
    "no id": {"id": None},
    "an id that is a number": {"id": 7},
    "an id that is too long": {"id": "x" * 65},
    "an id with an accent": {"id": "café"},
    "an id with blanks": {"id": "my cell"},
    "tags that are a number": {"metadata": {"tags": 7}},
    "tags that are no tags": {"metadata": {"tags": ["x", "x", "a,b", 3, ""]}},
    "nbgrader metadata of a kind": {"metadata": {"nbgrader": {"grade_id": "x", "schema_version": 1}}},
    "no text": {"source": None},
    "text that is an object": {"source": {"x": 1}},
    "lines with a number among them": {"source": ["x = 1\n", 2]},
    "half a surrogate pair": {"source": "# \ud83d", "id": "\ud83d"},
    "outputs that are text": {"outputs": "3", "execution_count": "7"},
    "outputs that are nested deeply": {"outputs": [{"output_type": "display_data", "data": DEEP, "metadata": {}}]},
    "a kind that is none": {"cell_type": "sql"},
    "a kind that is a list": {"cell_type": ["code"]},
    "a heading of version 3": {"cell_type": "heading", "level": 2},
    "attachments of code": {"attachments": {"a.png": {"image/png": "iVBORw0="}}},
    "attachments that are a list": {"cell_type": "markdown", "attachments": [1]},
    "attachments that are none": {"cell_type": "markdown", "attachments": {"a": 1, "b": {"image/png": 4}}},
}


@pytest.mark.parametrize("odd", ODD_CELLS.values(), ids=ODD_CELLS)
def test_of_an_odd_cell_a_valid_one_is_made(odd):
    cell = plain(CODE | odd)
    cell.id = cell.id or "given-later"
    nbformat.validate(new_notebook(cells=[cell]))
    nbformat.writes(new_notebook(cells=[cell])).encode()
    assert "nbgrader" not in cell.metadata


def test_what_a_lesson_needs_of_a_cell_is_kept():
    picture = {"a.png": {"image/png": "iVBORw0="}}
    cell = plain({"cell_type": "markdown", "id": "mine", "source": ["# A\r\n", "b"], "attachments": picture})
    assert (cell.id, cell.source, cell.attachments) == ("mine", "# A\nb", picture)
    assert plain(CODE | {"metadata": {"tags": ["demo"]}}).metadata.tags == ["demo"]


def test_a_heading_of_an_old_notebook_is_one_in_markdown():
    cell = plain({"cell_type": "heading", "source": "Doubling", "level": 2})
    assert (cell.cell_type, cell.source) == ("markdown", "# Doubling")


def test_outputs_are_kept_only_where_they_are_asked_for():
    ran = CODE | {"outputs": [{"output_type": "stream", "name": "stdout", "text": "3"}]}
    assert plain(ran).outputs == [] and plain(ran).execution_count is None
    assert plain(ran, outputs=True).outputs == ran["outputs"] and plain(ran, outputs=True).execution_count == 1
