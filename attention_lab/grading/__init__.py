"""Check answers and give hints:

    check("squeeze-excitation-values", SqueezeExcitation)
    hint("squeeze-excitation")
    points("02-squeeze-excitation")

in a learner's notebook. They are loaded, with torch, when the first of them is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .notebook import CheckFailed, check, hint, keep_check, load_ipython_extension, points

__all__ = ["CheckFailed", "check", "hint", "keep_check", "load_ipython_extension", "points"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(".notebook", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
