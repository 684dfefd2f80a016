"""TeX -> MathML, which browsers draw without any script."""

from html import escape, unescape
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element
from markupsafe import Markup

LETTERS = "mi mn mo ms mspace mtext"
SCRIPTS = "mmultiscripts mover mprescripts msub msubsup msup munder munderover"
GROUPS = "math mfrac mpadded mphantom mroot mrow msqrt mstyle mtable mtd mtr"
TAGS = {*LETTERS.split(), *SCRIPTS.split(), *GROUPS.split()}
SIZES = "depth height largeop linethickness lspace maxsize minsize rspace scriptlevel stretchy symmetric width"
PLACES = "accent accentunder display displaystyle fence form mathvariant movablelimits separator"
COLUMNS = "columnalign columnlines columnspacing rowlines rowspacing"
ATTRIBUTES = {*SIZES.split(), *PLACES.split(), *COLUMNS.split()}


def formula(tex: str, display: bool = False) -> Markup:
    """The formula, on a line of its own if it is displayed; its TeX where that cannot be read."""
    try:
        return Markup(written(convert_to_element(tex, display="block" if display else "inline")))
    except Exception:
        return Markup("<code>{}</code>").format(tex)


def written(element: Element) -> str:
    """The element as text, of known tags and attributes alone: TeX can bring links and styles of its own.

    The converter's texts hold character references, which its own way to write them leaves open to any markup.
    """
    inner = escape(unescape(element.text or "")) + "".join(map(written, element))
    if element.tag not in TAGS:
        return inner
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in element.items() if name in ATTRIBUTES)
    return f"<{element.tag}{attributes}>{inner}</{element.tag}>"
