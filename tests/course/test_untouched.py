"""A released notebook knows of each of its cells what it was."""

import nbformat
import pytest

from attention_lab.course.untouched import digest, released_as


def test_every_released_cell_has_a_digest_of_nbgrader_or_of_ours(handout):
    notebook = nbformat.read(handout, as_version=4)
    for cell in notebook.cells:
        assert ("nbgrader" in cell.metadata) != (released_as(cell) == digest(cell.source))


def test_nbgraders_own_command_gives_the_same_file(handout, nbgrader):
    before = handout.read_bytes()
    nbgrader("generate_assignment", "01-doubling", "--force")
    assert nbformat.reads(handout.read_bytes(), 4).cells == nbformat.reads(before, 4).cells


@pytest.mark.parametrize("metadata", [None, {}, {"attention_lab": "yes"}, {"attention_lab": {"released": 3}}])
def test_what_is_not_known_is_empty(metadata):
    assert released_as({"metadata": metadata}) == ""
