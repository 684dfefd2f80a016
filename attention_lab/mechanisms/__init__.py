"""The mechanisms: one file each, every one a ``weights(x)`` and a ``forward(x)`` that combines them with ``x``."""

from .squeeze_excitation import SqueezeExcitation, se_residual, squeeze
from .weighting import recalibrate, select, softmax

__all__ = ["SqueezeExcitation", "recalibrate", "se_residual", "select", "softmax", "squeeze"]
