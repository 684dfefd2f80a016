"""Coordinate attention: gate every value by its channel and row, and by its channel and column.

Q. Hou, D. Zhou and J. Feng, "Coordinate Attention for Efficient Mobile Network Design", CVPR 2021, section 3.2.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .arguments import require_positive, require_shape


class CoordinateAttention(nn.Module):
    """Two gates: one for each channel and row, one for each channel and column. Squeeze one direction at a time.

        f = hard_swish(BN(W1 [mean over columns; mean over rows]))      (equations 4 to 6)
        rows = sigmoid(Wh f[rows])                                      (equation 7)
        columns = sigmoid(Ww f[columns])                                (equation 8)
        output = rows columns x                                         (equation 9)

    What is weighted: values, by a product of two gates. Normaliser: sigmoid, so nothing competes. SE squeezes the whole map,
    so it does not know where something is; here a gate knows its row, or its column.

    Args:
        channels: C, the number of channels of ``x``.
        reduction: r; the hidden layer has max(8, C // r) channels. The authors' code has 32, and the least of 8.

    Parameters: 3 C h for h hidden channels, 2 C + h biases and 2 h numbers of the normalisation.
    Raises: ValueError if ``channels`` or ``reduction`` is below 1.

    How others differ: the paper leaves the activation open; we follow the authors' code, as nearly all do.
    """

    def __init__(self, channels: int, reduction: int = 32):
        super().__init__()
        require_positive(channels=channels, reduction=reduction)
        hidden = max(8, channels // reduction)
        self.hidden = nn.Sequential(nn.Conv1d(channels, hidden, 1), nn.BatchNorm1d(hidden), nn.Hardswish())
        self.rows = nn.Conv1d(hidden, channels, 1)
        self.columns = nn.Conv1d(hidden, channels, 1)

    def weights(self, x: Float[Tensor, "N C H W"]) -> tuple[Float[Tensor, "N C H 1"], Float[Tensor, "N C 1 W"]]:
        """The gate of each row and the gate of each column, in (0, 1)."""
        require_shape(x, "N C H W")
        both = self.hidden(torch.cat((x.mean(3), x.mean(2)), 2))
        rows, columns = both.split(x.shape[2:], 2)
        return self.rows(rows).sigmoid()[..., None], self.columns(columns).sigmoid()[:, :, None]

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """Every value of ``x`` times the gates of its row and of its column."""
        rows, columns = self.weights(x)
        return x * rows * columns
