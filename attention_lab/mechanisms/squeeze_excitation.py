"""Squeeze-and-excitation: gate every channel by what the whole image contains.

J. Hu, L. Shen and G. Sun, "Squeeze-and-Excitation Networks", CVPR 2018, section 3.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from .arguments import hidden_width, require_shape


def squeeze(x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C"]:
    """Global average pooling (equation 2): one number for each channel, whatever the size of the map."""
    require_shape(x, "N C H W")
    return x.mean((2, 3))


class SqueezeExcitation(nn.Module):
    """Channel gate: squeeze the map to one number per channel, let the channels talk, scale them.

        s = sigmoid(W2 ReLU(W1 squeeze(x)))          (equation 3)
        output = s x                                 (equation 4)

    What is weighted: channels. Normaliser: sigmoid, so channels do not compete.
    The block stands at the end of a residual branch, before the addition.

    Args:
        channels: C, the number of channels of ``x``.
        reduction: r; the hidden layer has C // r units. The paper uses 16.
        bias: whether both linear layers have biases. The authors' released models have them, and the printed sizes of
            SE-ResNets need them; the ablations of the journal version (reduction, stages) are counted without.

    Parameters: 2 C^2 / r, and C / r + C biases.
    Raises: ValueError if ``channels`` or ``reduction`` is below 1 or no hidden unit is left.

    How others differ: timm uses 1x1 convolutions and rounds the hidden width to a multiple of 8;
    torchvision takes the hidden width itself as an argument.
    """

    def __init__(self, channels: int, reduction: int = 16, bias: bool = True):
        super().__init__()
        hidden = hidden_width(channels, reduction)
        self.excitation = nn.Sequential(
            nn.Linear(channels, hidden, bias=bias),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels, bias=bias),
        )

    def weights(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C 1 1"]:
        """The gate of each channel, in (0, 1)."""
        return self.excitation(squeeze(x)).sigmoid()[:, :, None, None]

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """Every channel of ``x`` times its gate."""
        return x * self.weights(x)


def se_residual(
    x: Float[Tensor, "N C H W"], branch: Callable[[Tensor], Tensor], se: Callable[[Tensor], Tensor]
) -> Float[Tensor, "N C H W"]:
    """A residual unit with its gate where the paper puts it (figure 3): on the branch, before the addition.

        output = x + se(branch(x))

    A closed gate leaves the skip connection untouched. ``branch`` and ``se`` are callables on (N, C, H, W).
    """
    return x + se(branch(x))
