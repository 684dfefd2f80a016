"""Check answers and give hints:

    check("squeeze-excitation-values", SqueezeExcitation)
    hint("squeeze-excitation")
    points("02-squeeze-excitation")

in a learner's notebook.
"""

from .notebook import CheckFailed, check, hint, keep_check, load_ipython_extension, points

__all__ = ["CheckFailed", "check", "hint", "keep_check", "load_ipython_extension", "points"]
