"""The lessons' diagrams, drawn when the site is built."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from attention_lab.feedback.diagrams import svg


class Mermaid(SphinxDirective):
    """A fence ```mermaid of a page."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        try:
            drawn = svg("\n".join(self.content), f"arrow-{self.env.new_serialno('mermaid')}")
        except ValueError as error:
            raise self.error(str(error)) from error
        return [nodes.raw("", f'<div class="diagram">{drawn}</div>', format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("mermaid", Mermaid)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
