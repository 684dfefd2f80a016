"""Deformable attention: every position chooses a few points, reads there, and averages by softmax weights.

X. Zhu, W. Su, L. Lu, B. Li, X. Wang and J. Dai, "Deformable DETR: Deformable Transformers for End-to-End Object
Detection", ICLR 2021, section 4.1.
J. Dai et al., "Deformable Convolutional Networks", ICCV 2017, section 2.1: offsets that begin as a regular neighbourhood.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .arguments import require_positive, require_shape
from .spatial_transformer import affine_grid


class DeformableAttention(nn.Module):
    """For each position, the softmax-weighted average of what is read at a few points around it.

        output(p) = sum_k A_k(p) x(p + offset_k(p)),    sum_k A_k(p) = 1        (equation 2, one head)

    What is weighted: points, for each position. Normaliser: softmax over the points, and bilinear interpolation. Offsets
    and scores are linear in the feature at p. A fresh module reads the fixed sqrt(points) x sqrt(points) neighbourhood with
    equal weights: it is an average pooling with stride 1. With fixed offsets and weights it is a convolution.
    Beyond the rim stand zeros.

    Args:
        channels: C, the number of channels of ``x``.
        points: K, the square of an odd number. Deformable DETR reads 4 points on each of 4 scales, with 8 heads.

    Parameters: 3 K C + 3 K.
    Raises: ValueError if ``channels`` is below 1 or ``points`` is not the square of an odd number.

    How others differ: the paper has a linear map of x before and one after, for each head, and begins with points along
    eight directions. With one head the two maps are one: put a 1x1 convolution before or behind this module.
    """

    def __init__(self, channels: int, points: int = 9):
        super().__init__()
        require_positive(channels=channels, points=points)
        side = math.isqrt(points)
        if side**2 != points or side % 2 == 0:
            raise ValueError(f"points must be the square of an odd number, got {points}")
        self.offset = nn.Conv2d(channels, 2 * points, 1)
        self.score = nn.Conv2d(channels, points, 1)
        around = torch.arange(side) - side // 2
        rows, columns = torch.meshgrid(around, around, indexing="ij")
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()
            self.offset.bias.copy_(torch.stack((columns, rows), -1).flatten())

    def offsets(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N K H W 2"]:
        """From each position to each of its points: (x, y) in pixels."""
        require_shape(x, "N C H W")
        return self.offset(x).unflatten(1, (-1, 2)).movedim(2, -1)

    def weights(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N K H W"]:
        """The share of each point of a position; they sum to 1 over the points."""
        require_shape(x, "N C H W")
        return self.score(x).softmax(1)

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """Each position's average of what its points read."""
        require_shape(x, "N C H W")
        height, width = x.shape[2:]
        here = affine_grid(torch.eye(2, 3, dtype=x.dtype, device=x.device)[None], height, width)[:, None]
        pixel = 2 / torch.tensor([width, height], dtype=x.dtype, device=x.device)
        grid = (here + self.offsets(x).to(x.dtype) * pixel).flatten(1, 2)
        read = F.grid_sample(x, grid, align_corners=False).unflatten(2, (-1, height))
        return (read * self.weights(x)[:, None]).sum(2)
