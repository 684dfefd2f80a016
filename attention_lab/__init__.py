"""attention-lab: attention = a distribution of weights, computed from the features, then combined with them.

The mechanisms are here by name, loaded with torch when the first of them is asked for. The rest is imported by floor:
``attention_lab.data``, ``.networks``, ``.training``, ``.figures``, ``.grading``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .mechanisms import *  # noqa: F403

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    mechanisms = import_module(".mechanisms", __name__)
    if name == "__all__":
        return mechanisms.__all__
    if name in mechanisms.__all__:
        return getattr(mechanisms, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})
