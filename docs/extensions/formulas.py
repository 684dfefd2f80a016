"""TeX -> MathML, as on the feedback pages: browsers draw it without a script, in the colour of the text."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from attention_lab.feedback.formulas import formula


def drawn(node: nodes.Element, display: bool) -> str:
    written = formula(node.astext(), display)
    if written.startswith("<code>"):
        logging.getLogger(__name__).warning("this formula cannot be drawn: %s", node.astext(), location=node)
    return written


def inline(writer: Any, node: nodes.Element) -> None:
    writer.body.append(drawn(node, display=False))
    raise nodes.SkipNode


def block(writer: Any, node: nodes.Element) -> None:
    writer.body.append(f'<div class="formula">{drawn(node, display=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
