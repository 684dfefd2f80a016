"""How Sphinx makes the course's site: `make site`."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent)]

from attention_lab import __version__  # noqa: E402 (found by the line above)

project = "attention-lab"
author = "attention-lab contributors"
copyright = author
release = version = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
    "catalogue",
    "mermaid",
    "docstrings",
    "formulas",
    "lessons",
]
exclude_patterns = ["_build", "_static", "extensions", "jupyter_execute"]

html_theme = "furo"
html_title = "attention-lab"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
# A page's source would be a way around what the page leaves out.
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # it asks a server for the pages, and a site in a folder has none

smartquotes_action = "D"  # dashes; quotation marks are those of the source
highlight_language = "text"

nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "dollarmath", "colon_fence"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
autodoc_inherit_docstrings = False  # those of torch are no part of this
napoleon_numpy_docstring = False
