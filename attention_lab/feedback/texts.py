"""Code, markdown and outputs of a notebook's cells -> HTML that does nothing."""

import base64
import binascii
import functools
import secrets
import time
from collections.abc import Callable
from contextvars import ContextVar

from IPython.lib.lexers import IPython3Lexer
from markupsafe import Markup
from nbconvert.filters.ansi import strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter

from ..grading.limits import OutOfTime, time_limit
from .clean import KEPT, clean
from .diagrams import svg
from .formulas import formula

PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
SECONDS = 2  # of computing, to draw one text
SECONDS_A_PAGE = 20

left: ContextVar[float] = ContextVar("seconds left to draw this page", default=SECONDS_A_PAGE)


def in_time(draw: Callable[..., Markup], otherwise: Callable[[str], Markup]) -> Callable[..., Markup]:
    """The function, or another where it takes too long: for any way to draw a text, one can be written that does."""

    @functools.wraps(draw)
    def drawn(source: str, *more: object) -> Markup:
        start, seconds = time.process_time(), min(SECONDS, left.get())
        if seconds <= 0:
            return otherwise(source)
        try:
            with time_limit(seconds):
                return draw(source, *more)
        except OutOfTime:
            return otherwise(source)
        finally:
            left.set(left.get() - (time.process_time() - start))

    return drawn


def plain(text: str, kind: str = "text") -> Markup:
    """Text as it is, in letters of one width."""
    return Markup('<pre class="{}">{}</pre>').format(kind, strip_ansi(text))


@functools.partial(in_time, otherwise=plain)
def code(source: str) -> Markup:
    """Python, with its words in colour."""
    return Markup(f'<pre class="code">{highlight(source, IPython3Lexer(), HtmlFormatter(nowrap=True))}</pre>')


def diagram(source: str) -> Markup:
    """A flowchart, drawn; its source where it is none that can be."""
    try:
        return Markup(f'<div class="diagram">{svg(source, f"arrow-{secrets.token_hex(8)}")}</div>')
    except (ValueError, IndexError):
        return Markup("<details><summary>Diagram, as text</summary>{}</details>").format(plain(source))


class Renderer(IPythonRenderer):
    """Markdown -> HTML in which a mark stands for each piece that is made here, to be put in when the rest is clean."""

    def __init__(self, attachments: dict[str, dict[str, str]]):
        super().__init__(escape=False, exclude_anchor_links=True, attachments=attachments)
        self.kept: dict[str, Markup] = {}

    def keep(self, made: Markup) -> str:
        mark = f"\ue000{secrets.token_hex(16)}\ue001"  # which nobody can have written
        self.kept[mark] = made
        return mark

    def inline_math(self, body: str) -> str:
        return self.keep(formula(body))

    def block_math(self, body: str) -> str:
        return self.keep(formula(body, display=True))

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    def block_code(self, source: str, info: str | None = None) -> str:
        language = (info or "").split(maxsplit=1)[:1]
        if language == ["mermaid"]:
            return self.keep(diagram(source))
        return self.keep(code(source) if language in (["python"], ["py"]) else plain(source))

    def image(self, text: str, url: str, title: str | None = None) -> str:
        lost = url.startswith("attachment:") and url.removeprefix("attachment:") not in self.attachments
        return super().image(text, "" if lost else url, title)

    def heading(self, text: str, level: int, **attrs: object) -> str:
        return super().heading(text, min(level + 3, 6))


@functools.partial(in_time, otherwise=plain)
def markdown(source: str, attachments: dict[str, dict[str, str]] | None = None) -> Markup:
    """A text with its formulas drawn; its source where it cannot be read."""
    renderer = Renderer(attachments or {})
    try:
        html = clean(MarkdownWithMath(renderer).render(source))
        return Markup('<div class="prose">{}</div>').format(
            Markup(KEPT.sub(lambda mark: renderer.kept.get(mark[0], ""), html))
        )
    except Exception:
        return plain(source)


@functools.partial(in_time, otherwise=lambda html: Markup(""))
def prose(html: str) -> Markup:
    """What is left of HTML when it is clean, if there is anything to see."""
    html = clean(html)
    return Markup('<div class="prose">{}</div>').format(html) if html.striptags() or "<img" in html else Markup("")


def output(shown: NotebookNode) -> Markup:
    """What a cell has shown: the richest format of which something is left when it is clean."""
    if shown.output_type == "stream":
        return plain(shown.text)
    if shown.output_type == "error":
        return plain("\n".join(shown.traceback) or f"{shown.ename}: {shown.evalue}", "error")
    formats = {kind: data for kind, data in shown.data.items() if isinstance(data, str)}
    for kind in PICTURES:
        if picture := kind in formats and data_of(kind, formats[kind]):
            return Markup('<img src="{}" alt="{}">').format(picture, formats.get("text/plain", ""))
    if html := prose(formats.get("text/html", "")):
        return html
    for kind in ("text/markdown", "text/latex"):
        if kind in formats:
            return markdown(formats[kind])
    return plain(formats.get("text/plain", ""))


def data_of(kind: str, data: str) -> str | None:
    """A picture as an address that holds all of it; a drawing in SVG runs no script there. None if it is no picture."""
    if kind == "image/svg+xml":
        return f"data:{kind};base64,{base64.b64encode(data.encode()).decode()}"
    try:
        return f"data:{kind};base64,{base64.b64encode(base64.b64decode(''.join(data.split()), validate=True)).decode()}"
    except binascii.Error:
        return None
