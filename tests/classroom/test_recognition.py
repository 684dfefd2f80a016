"""Which lesson's a notebook is, its cells tell, whatever its name."""

import json
import unicodedata
from pathlib import Path

import pytest
from uploading import ADA, LESSON, NAME, a_course, placed, take

from attention_lab.classroom.collect import failed


@pytest.fixture
def course(tmp_path) -> Path:
    return a_course(tmp_path / "course")


@pytest.mark.parametrize(
    "name",
    ["squeeze-excitation (1).ipynb", "Squeeze_Excitation-Copy1.ipynb", "SQUEEZE-EXCITATION.IPYNB", "Übung zwei.ipynb",
     unicodedata.normalize("NFD", "Lösung.ipynb"), "cbam.ipynb", "Unbenannt.ipynb", "Kopie von squeeze-excitation.ipynb"],
)  # fmt: skip
def test_a_renamed_notebook_is_known_by_its_cells(course, name):
    (row,) = take(course, {f"ada/{name}": ADA})
    assert placed(course) == {f"ada/{LESSON}/{NAME}": ADA}
    assert row.told == "placed" and row.remark == f"was {unicodedata.normalize('NFC', name)}"


@pytest.mark.parametrize("content", [b"", b"{", b'{"cells": []}'])
def test_one_that_cannot_be_read_is_known_by_its_name_and_told(course, content):
    (row,) = take(course, {"ada/squeeze-excitation (2).ipynb": content})
    assert placed(course) == {f"ada/{LESSON}/{NAME}": content}
    assert row.told == "not readable" or "none of its cells" in row.remark
    assert failed([row]) == (row.told == "not readable")


def test_without_nbgraders_metadata_ids_and_texts_still_tell_the_lesson(course):
    told = json.loads(ADA)
    for cell in told["cells"]:
        cell["metadata"] = {}
    (row,) = take(course, {"ada/mine.ipynb": json.dumps(told).encode()})
    assert row.told == "placed"
