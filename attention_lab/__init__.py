"""attention-lab: attention = a distribution of weights, computed from the features, then combined with them.

The mechanisms are here by name. The rest is imported by floor: ``attention_lab.data``, ``.networks``, ``.training``,
``.figures``, ``.grading``.
"""

from .mechanisms import *  # noqa: F403
from .mechanisms import __all__ as __all__

__version__ = "0.1.0"
