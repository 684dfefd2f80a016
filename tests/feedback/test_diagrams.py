"""Mermaid's flowcharts as the lessons write them."""

from itertools import pairwise

import pytest

from attention_lab.course.source import LEGIBLE
from attention_lab.feedback.diagrams import in_columns, lay_out, parsed, svg

SKIP = """
flowchart LR
    x["x<br/>(N, C)"] --> branch["a branch"] --> plus(("+"))
    x -- "skip" --> plus --> out["y < 1"]
"""


def test_a_chain_a_round_node_a_text_on_an_arrow_and_two_lines_are_read():
    boxes, arrows = parsed(SKIP)
    assert [box.lines for box in boxes] == [["x", "(N, C)"], ["a branch"], ["+"], ["y < 1"]]
    assert [box.round for box in boxes] == [False, False, True, False]
    assert [(arrow.path[0].lines[0], arrow.path[1].lines[0], arrow.text) for arrow in arrows] == [
        ("x", "a branch", ""),
        ("a branch", "+", ""),
        ("x", "+", "skip"),
        ("+", "y < 1", ""),
    ]


def test_what_is_set_for_other_programs_changes_nothing():
    assert svg(LEGIBLE + "flowchart LR\n a --> b", "x") == svg("flowchart LR\n a --> b", "x")


def test_arrows_run_from_left_to_right_and_no_two_boxes_overlap():
    boxes, arrows = parsed(SKIP)
    columns = in_columns(boxes, arrows)
    lay_out(columns, arrows)
    assert [len(column) for column in columns] == [1, 2, 1, 1]  # the skip connection bends below the branch
    for arrow in arrows:
        assert all(a.x + a.width / 2 < b.x - b.width / 2 for a, b in pairwise(arrow.path))
    for column in columns:
        assert all(b.y - a.y > (a.height + b.height) / 2 for a, b in pairwise(column))


def test_it_is_drawn_as_it_is_told_and_nothing_in_a_text_is_markup():
    drawn = svg(SKIP, "arrow-1")
    assert "x (N, C) to a branch" in drawn and "y &lt; 1" in drawn and "y < 1" not in drawn
    assert drawn.count("<rect") == 3 and drawn.count("<ellipse") == 1 and drawn.count("marker-end") == 4


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("flowchart TD\n a --> b", "begins with flowchart LR"),
        ("flowchart LR\n a{choice} --> b", "not understood"),
        ("flowchart LR\n a --> b\n b --> a", "circle"),
    ],
)
def test_what_is_not_known_is_an_error(source, message):
    with pytest.raises(ValueError, match=message):
        svg(source, "arrow")
