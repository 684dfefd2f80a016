"""CBAM: gate the channels, then gate the positions of what is left.

S. Woo, J. Park, J.-Y. Lee and I. S. Kweon, "CBAM: Convolutional Block Attention Module", ECCV 2018, section 3.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .arguments import hidden_width, require_positive, require_shape
from .squeeze_excitation import squeeze


class ChannelAttention(nn.Module):
    """Channel gate from two squeezes, the average and the maximum of the map, through one shared MLP.

        M_c = sigmoid(MLP(avg) + MLP(max))          (equation 2)
        output = M_c x                              (equation 1)

    What is weighted: channels ("what"). Normaliser: sigmoid, so channels do not compete.

    Args:
        channels: C, the number of channels of ``x``.
        reduction: r; the hidden layer has C // r units. The paper uses 16.

    Parameters: 2 C^2 / r + C / r + C. The equation has no biases; the authors' released code has them, and so have we,
    because the sizes printed in the paper need them.
    Raises: ValueError if ``channels`` or ``reduction`` is below 1 or no hidden unit is left.

    How others differ: timm uses 1x1 convolutions without biases.
    """

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        hidden = hidden_width(channels, reduction)
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels),
        )

    def weights(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C 1 1"]:
        """The gate of each channel, in (0, 1)."""
        average = squeeze(x)
        # amax is several times faster forward, but about half as fast forward and backward.
        largest = F.adaptive_max_pool2d(x, 1).flatten(1) if x.requires_grad else x.amax((2, 3))
        return (self.mlp(average) + self.mlp(largest)).sigmoid()[:, :, None, None]

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """Every channel of ``x`` times its gate."""
        return x * self.weights(x)


class SpatialAttention(nn.Module):
    """Position gate: describe every position by the average and the maximum of its channels, and look around it.

        M_s = sigmoid(BN(conv([avg; max])))         (equation 3, and a batch normalisation)
        output = M_s x                              (equation 1)

    What is weighted: positions ("where"). Normaliser: sigmoid, so positions do not compete.

    Args:
        kernel_size: side of the convolution's window, odd. The paper uses 7.

    Parameters: 2 k^2 + 2. The equation has no batch normalisation; the authors' released code has one after the
    convolution, which then needs no bias. We follow the code, with which the paper's experiments were run.
    Raises: ValueError if ``kernel_size`` is even or below 1.

    How others differ: the authors stack the maximum before the average, which only exchanges the two kernels; they
    give the normalisation a momentum of 0.01 and, in their ResNet, an initial weight of 0: a gate of 0.5 everywhere.
    """

    def __init__(self, kernel_size: int = 7):
        super().__init__()
        require_positive(kernel_size=kernel_size)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, so that the window has a centre, got {kernel_size}")
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = nn.BatchNorm2d(1)

    def weights(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N 1 H W"]:
        """The gate of each position, in (0, 1)."""
        require_shape(x, "N C H W")
        average = x.mean(1, keepdim=True)
        largest = x.max(1, keepdim=True).values if x.requires_grad else x.amax(1, keepdim=True)  # as above
        return self.norm(self.conv(torch.cat((average, largest), 1))).sigmoid()

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """Every position of ``x`` times its gate."""
        return x * self.weights(x)


class CBAM(nn.Module):
    """Channel attention, then spatial attention on the refined map.

        x' = M_c(x) x,    output = M_s(x') x'       (equation 1)

    What is weighted: channels, then positions. Normaliser: sigmoid, twice.
    The block stands at the end of a residual branch, before the addition; it has no skip connection of its own.

    Args:
        channels: C, the number of channels of ``x``.
        reduction: r of the channel attention. The paper uses 16.
        kernel_size: side of the spatial attention's window, odd. The paper uses 7.

    Parameters: 2 C^2 / r + C / r + C + 2 k^2 + 2.
    Raises: ValueError as ``ChannelAttention`` and ``SpatialAttention`` do.
    """

    def __init__(self, channels: int, reduction: int = 16, kernel_size: int = 7):
        super().__init__()
        self.channel = ChannelAttention(channels, reduction)
        self.spatial = SpatialAttention(kernel_size)

    def weights(self, x: Float[Tensor, "N C H W"]) -> tuple[Float[Tensor, "N C 1 1"], Float[Tensor, "N 1 H W"]]:
        """Both gates, in (0, 1): of the channels of ``x``, and of the positions of ``x`` so gated."""
        channel = self.channel.weights(x)
        return channel, self.spatial.weights(x * channel)

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """``x`` times its channel gate times its position gate."""
        return self.spatial(self.channel(x))
