"""Attention as weighting: the two ways to turn scores into weights, and to combine weights with features.

A **softmax** makes the weights compete: they sum to 1, so raising one lowers the others. It *selects*.
A **sigmoid** judges every weight alone: each lies between 0 and 1 whatever the others do. It *gates*.
Every mechanism of this package is one of the two, applied to channels, positions, branches or tokens.

Softmax with a temperature: G. Hinton, O. Vinyals and J. Dean, "Distilling the Knowledge in a Neural Network",
2015, arXiv:1503.02531, section 2, equation 1.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from .arguments import require_shape


def softmax(scores: Float[Tensor, "..."], dim: int = -1, temperature: float = 1.0) -> Float[Tensor, "..."]:
    """Weights that are positive and sum to 1 along ``dim``.

        weights_i = exp(scores_i / T) / sum_j exp(scores_j / T)

    A high temperature T flattens the weights towards 1 / L, a low one sharpens them towards the largest score.
    The largest score is subtracted before the exponential, so scores of any size are safe.

    Args:
        scores: any shape.
        dim: the dimension along which the weights compete.
        temperature: T > 0; 1 is the ordinary softmax.

    Returns: the weights, in the shape of ``scores``.
    Raises: ValueError if ``temperature`` is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    return torch.softmax(scores / temperature, dim)


def select(features: Float[Tensor, "N C L"], scores: Float[Tensor, "N L"]) -> Float[Tensor, "N C"]:
    """The softmax-weighted average of the features over their L positions.

        output_c = sum_l softmax(scores)_l features_cl

    Raises: ValueError if the shapes do not fit together.
    """
    require_shape(features, "N C L", "features")
    if scores.shape != (features.shape[0], features.shape[2]):
        raise ValueError(
            f"scores must have shape (N, L) = {(features.shape[0], features.shape[2])}, got {tuple(scores.shape)}"
        )
    return (features @ softmax(scores)[:, :, None])[:, :, 0]


def recalibrate(x: Float[Tensor, "N C H W"], logits: Float[Tensor, " N #C #H #W"]) -> Float[Tensor, "N C H W"]:
    """Multiply the features by a sigmoid gate: every weight lies in (0, 1) and none competes with another.

        output = sigmoid(logits) x

    Args:
        x: the features.
        logits: (N, C, 1, 1) gates channels, (N, 1, H, W) gates positions, (N, C, H, W) gates every value.

    Raises: ValueError if ``logits`` differs from ``x`` in N or does not broadcast to its shape.
    """
    require_shape(x, "N C H W")
    sizes = zip(logits.shape[1:], x.shape[1:])
    if logits.ndim != 4 or logits.shape[0] != x.shape[0] or any(size not in (1, full) for size, full in sizes):
        raise ValueError(
            f"logits must have the N of x and broadcast to its shape {tuple(x.shape)}, got {tuple(logits.shape)}"
        )
    return x * torch.sigmoid(logits)
