"""The package's docstrings as pages show them."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "docs" / "extensions"))

from docstrings import restructured


def of(text: str) -> str:
    return "\n".join(restructured(text.splitlines()))


def test_an_equation_stands_as_it_was_written():
    assert of("A gate.\n\n    s = W2 * z   (equation 3)\n") == (
        "A gate.\n\n.. code-block:: text\n\n    s = W2 * z   (equation 3)\n"
    )


def test_the_fields_of_a_class_are_a_list():
    assert of("A box.\n\nwidth: how wide\n    it is.\nx, y: where.") == (
        "A box.\n\n- **width**: how wide\n  it is.\n- **x, y**: where.\n"
    )


def test_arguments_are_left_to_napoleon_and_what_follows_stands_by_itself():
    text = "Do it.\n\nArgs:\n    channels: C.\n\nParameters: 2 C.\nRaises: ValueError if C is\n    0."
    assert of(text) == "Do it.\n\nArgs:\n    channels: C.\n\nParameters: 2 C.\n\nRaises: ValueError if C is\n0.\n"
