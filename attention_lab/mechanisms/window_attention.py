"""Window attention: a token attends to those in its own window; every other layer the windows are shifted.

Z. Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", ICCV 2021, section 3.2.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .arguments import require_multiple, require_positive, require_shape
from .self_attention import MultiHeadSelfAttention


def window_partition(x: Float[Tensor, "N H W C"], size: int) -> Float[Tensor, "M L C"]:
    """Cut a map into windows that do not overlap: M = N (H / size) (W / size) windows of L = size size tokens.

    Windows, and the tokens in each, are in row-major order; those of the first image come first.

    Raises: ValueError if ``x`` is no (N, H, W, C), ``size`` is below 1 or does not divide H and W.
    """
    require_shape(x, "N H W C")
    require_positive(size=size)
    require_multiple("size", size, height=x.shape[1], width=x.shape[2])
    rows, columns = x.shape[1] // size, x.shape[2] // size
    windows = x.unflatten(2, (columns, size)).unflatten(1, (rows, size)).transpose(2, 3)
    return windows.flatten(3, 4).flatten(0, 2)


def window_reverse(windows: Float[Tensor, "M L C"], size: int, height: int, width: int) -> Float[Tensor, "N H W C"]:
    """Put windows back where ``window_partition`` took them from.

    Raises: ValueError if ``windows`` is no (M, size size, C), or ``size`` is below 1 or does not divide both sides.
    """
    require_positive(size=size, height=height, width=width)
    require_multiple("size", size, height=height, width=width)
    require_shape(windows, f"M {size * size} C", "windows")
    rows, columns = height // size, width // size
    images = windows.shape[0] // (rows * columns)
    windows = windows.unflatten(1, (size, size)).unflatten(0, (images, rows, columns))
    return windows.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def shifted_mask(height: int, width: int, size: int, shift: int) -> Bool[Tensor, "M L L"]:
    """Who may attend to whom, after the map was rolled up and to the left by ``shift`` and cut into windows.

    Rolling brings the first rows and columns behind the last ones: a window at the end holds tokens that were no
    neighbours. True where two tokens of a window were neighbours before, so that no news leaks over the rim.

    Args:
        height, width: of the map; ``size`` divides both.
        size: side of a window.
        shift: 0 to size - 1; with 0 all may attend to all.

    Returns: a matrix for each of the M windows of one image, in the order of ``window_partition``.
    Raises: ValueError if an argument is out of range.
    """
    require_positive(height=height, width=width, size=size)
    require_multiple("size", size, height=height, width=width)
    if not 0 <= shift < size:
        raise ValueError(f"shift must be at least 0 and below size ({size}), got {shift}")
    rows, columns = ((torch.arange(side) >= side - shift).float() for side in (height, width))
    region = 2 * rows[:, None] + columns
    tokens = window_partition(region[None, :, :, None], size)
    return tokens == tokens.mT


class WindowAttention(nn.Module):
    """Multi-head self-attention inside windows, with a learned bias for every relative position of two tokens.

        weights = softmax(q k^T / sqrt(d) + bias)       (equation 4), in each window by itself
        output = weights v, heads side by side, projected

    What is weighted: tokens of a window, for each of its tokens. Normaliser: softmax. A map of H x W costs
    2 size^2 H W C for the two products, where global attention costs 2 (H W)^2 C. A window as large as the map, with all
    biases 0 as at first, is ``MultiHeadSelfAttention``.

    Args:
        dim: C, the width of a token.
        heads: of width dim / heads each.
        size: side of a window. Swin uses 7.
        shift: 0, or how far the windows are shifted to let neighbours in other windows meet. Swin uses size // 2 in every
            second layer.

    Parameters: 4 dim^2 + 4 dim, and (2 size - 1)^2 heads biases.
    Raises: ValueError if an argument is out of range, or in ``forward`` if ``size`` does not divide H and W.

    How others differ: Swin draws the biases from a narrow normal distribution; here they begin at 0.
    """

    def __init__(self, dim: int, heads: int, size: int = 7, shift: int = 0):
        super().__init__()
        require_positive(size=size)
        if not 0 <= shift < size:
            raise ValueError(f"shift must be at least 0 and below size ({size}), got {shift}")
        self.size, self.shift = size, shift
        self.attention = MultiHeadSelfAttention(dim, heads)
        self.bias = nn.Parameter(torch.zeros(heads, (2 * size - 1) ** 2))
        self.register_buffer("relative", relative_positions(size), persistent=False)

    def windows(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "M L C"]:
        """The tokens of each window, of the shifted map."""
        require_shape(x, "N C H W")
        return window_partition(x.roll((-self.shift, -self.shift), (2, 3)).movedim(1, 3), self.size)

    def bias_of(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "windows heads L L"]:
        """What is added to the scores of each window of an image: the biases, and -inf where the mask forbids."""
        bias = self.bias[:, self.relative][None]
        if not self.shift:
            return bias
        mask = shifted_mask(*x.shape[2:], self.size, self.shift).to(x.device)
        return bias.masked_fill(~mask[:, None], -torch.inf)

    def heads(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "3 M heads L d"]:
        """Queries, keys and values of each window."""
        return self.attention._heads(self.windows(x))

    def weights(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "M heads L L"]:
        """How much each token of a window (row) takes from each of its tokens (column): rows sum to 1."""
        q, k, _ = self.heads(x)
        bias = self.bias_of(x)
        scores = q @ k.mT * q.shape[-1] ** -0.5
        return (scores + bias.repeat(q.shape[0] // bias.shape[0], 1, 1, 1)).softmax(-1)

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """What every token takes from its window, each at its place."""
        q, k, v = self.heads(x)
        bias = self.bias_of(x)
        bias = bias.repeat(q.shape[0] // bias.shape[0], 1, 1, 1).to(q.dtype)
        heads = F.scaled_dot_product_attention(q, k, v, bias)
        tokens = self.attention.projection(heads.transpose(1, 2).flatten(2))
        return window_reverse(tokens, self.size, *x.shape[2:]).movedim(3, 1).roll((self.shift, self.shift), (2, 3))


def relative_positions(size: int) -> Int[Tensor, "L L"]:
    """For two tokens of a window, the number of their relative position: each pair with the same way between has the same."""
    place = torch.arange(size)
    across = place[:, None] - place + size - 1  # 0 to 2 size - 2
    return ((2 * size - 1) * across[:, None, :, None] + across[None, :, None, :]).flatten(2).flatten(0, 1)
