"""The table of mechanisms shows what is asked for, and lessons find it among the figures."""

import pytest

from attention_lab import figures
from attention_lab.mechanism_table import MECHANISMS, mechanism_table


def test_it_has_a_row_for_each_mechanism_that_is_asked_for():
    table = mechanism_table("SE", "self-attention")
    assert [row[0] for row in table.rows] == ["SE", "self-attention"]
    assert "channels" in repr(table) and "normaliser" in repr(table) and "CBAM" not in repr(table)
    assert len(mechanism_table(*MECHANISMS).rows) == len(MECHANISMS)


def test_a_formula_is_not_broken_into_lines():
    (row,) = mechanism_table("CBAM").rows
    assert row[-1] == "4 C²/r + 98 H W".replace(" ", "\N{NO-BREAK SPACE}")


def test_an_unknown_mechanism_is_refused_in_words():
    with pytest.raises(ValueError, match="got convolution"):
        mechanism_table("SE", "convolution")


def test_lessons_find_it_among_the_figures():
    assert figures.mechanism_table is mechanism_table and figures.MECHANISMS is MECHANISMS
