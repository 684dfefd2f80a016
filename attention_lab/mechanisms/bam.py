"""BAM: one gate for every channel at every position, between the stages of a network.

J. Park, S. Woo, J.-Y. Lee and I. S. Kweon, "BAM: Bottleneck Attention Module", BMVC 2018, section 3.
"""

from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor, nn

from .arguments import hidden_width, require_positive, require_shape
from .squeeze_excitation import squeeze


class ChannelGate(nn.Module):
    """BAM's channel branch: a score for each channel from the global average.

        M_c = W1 ReLU(BN(W0 squeeze(x) + b0)) + b1  (equation 3)

    Args:
        channels: C, the number of channels of ``x``.
        reduction: r; the hidden layer has C // r units. The paper uses 16.

    The last layer is plain, so a score can be negative and its gate below 0.5. The paper closes the branch with a batch
    normalisation; the authors' released code normalises the hidden layer instead, and so do we.
    Parameters: 2 C^2 / r + 3 C / r + C.
    Raises: ValueError if ``channels`` or ``reduction`` is below 1 or no hidden unit is left; in training also for
    a batch of one image, because one number has no variance to normalise by.
    """

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        hidden = hidden_width(channels, reduction)
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels),
        )

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C 1 1"]:
        """The logit of each channel."""
        return self.mlp(squeeze(x))[:, :, None, None]


class SpatialGate(nn.Module):
    """BAM's spatial branch: a score for each position from what surrounds it.

        M_s = f3(f2(f1(f0(x))))                     (equation 4)

    f0 is a 1x1 convolution that reduces the channels, f1 and f2 are dilated 3x3, and f3 is 1x1 and leaves one score.
    Together they see ``receptive_field([(3, 1, 4), (3, 1, 4)])`` = 17 positions across. f0, f1 and f2 have batch
    normalisation and ReLU, f3 is plain, as in the authors' released code; the paper closes the branch with a batch
    normalisation.

    Args:
        channels: C, the number of channels of ``x``.
        reduction: r; the hidden layers have C // r channels. The paper uses 16.
        dilation: distance between the taps of f1 and f2, in positions. The paper uses 4.

    Parameters: C^2 / r + 18 C^2 / r^2 + 10 C / r + 1.
    Raises: ValueError if an argument is below 1 or no hidden channel is left.
    """

    def __init__(self, channels: int, reduction: int = 16, dilation: int = 4):
        super().__init__()
        hidden = hidden_width(channels, reduction)
        require_positive(dilation=dilation)
        self.convs = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, 1, 1),
        )

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N 1 H W"]:
        """The logit of each position."""
        require_shape(x, "N C H W")
        return self.convs(x)


class BAM(nn.Module):
    """Add the scores of channels and of positions, and amplify ``x`` by the gate they make together.

        M = sigmoid(M_c + M_s)                      (equation 2)
        output = (1 + M) x                          (equation 1)

    What is weighted: every channel at every position. Normaliser: sigmoid. A closed gate leaves ``x`` as it is, an
    open one doubles it. The block stands between the stages of a network, after the first, second and third.

    Args:
        channels: C, the number of channels of ``x``.
        reduction: r of both branches. The paper uses 16.
        dilation: of the spatial branch. The paper uses 4.

    Parameters: those of ``ChannelGate`` and ``SpatialGate``.
    Raises: ValueError as the two branches do.

    How others differ: the authors' released code multiplies the two scores. We add them, as the paper does: of two
    scores that are multiplied, a zero silences the other, and two negative ones open the gate.
    """

    def __init__(self, channels: int, reduction: int = 16, dilation: int = 4):
        super().__init__()
        self.channel = ChannelGate(channels, reduction)
        self.spatial = SpatialGate(channels, reduction, dilation)

    def weights(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """The gate of each channel at each position, in (0, 1)."""
        return (self.channel(x) + self.spatial(x)).sigmoid()

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """``x``, and ``x`` times its gate on top."""
        return (1 + self.weights(x)) * x


def receptive_field(layers: Iterable[tuple[int, int, int]]) -> int:
    """Side length, in input pixels, of the square that one output pixel sees through a stack of convolutions.

        side = 1 + sum_i dilation_i (kernel_i - 1) prod_{j < i} stride_j

    Args:
        layers: (kernel, stride, dilation) of each layer, from input to output.

    Raises: ValueError if one of the numbers is below 1.
    """
    side, step = 1, 1
    for kernel, stride, dilation in layers:
        require_positive(kernel=kernel, stride=stride, dilation=dilation)
        side += dilation * (kernel - 1) * step
        step *= stride
    return side
