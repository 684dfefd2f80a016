"""A table reads well as text and as HTML."""

import pytest

from attention_lab.table import Table

TABLE = Table("What is <weighted>?", ["mechanism", "weighs"], [["SE", "channels"], ["self-attention", "tokens & more"]])


def test_columns_of_the_text_are_aligned():
    caption, header, rule, *rows = repr(TABLE).splitlines()
    assert caption == "What is <weighted>?"
    assert len({header.index("weighs"), rows[0].index("channels"), rows[1].index("tokens"), rule.index(" -") + 1}) == 1


def test_html_has_every_cell_and_no_markup_from_the_cells():
    html = TABLE._repr_html_()
    assert html.count("<tr>") == 3 and html.count("<th ") == 2 and html.count("<td ") == 4
    assert "What is &lt;weighted&gt;?" in html and "tokens &amp; more" in html


def test_a_table_without_rows_is_only_its_header():
    assert "mechanism" in repr(Table("none yet", ["mechanism"], []))


def test_a_row_with_a_cell_too_few_is_refused():
    with pytest.raises(ValueError, match="2 cells"):
        Table("caption", ["mechanism", "weighs"], [["SE"]])
