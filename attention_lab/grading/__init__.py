"""Check answers and give hints, in a learner's notebook.

check("squeeze-excitation-values", SqueezeExcitation)
hint("squeeze-excitation")
points("02-squeeze-excitation")
"""

from .notebook import CheckFailed, check, hint, load_ipython_extension, points

__all__ = ["CheckFailed", "check", "hint", "load_ipython_extension", "points"]
