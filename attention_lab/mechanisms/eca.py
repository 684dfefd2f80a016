"""Efficient channel attention: gate every channel by itself and its neighbours.

Q. Wang, B. Wu, P. Zhu, P. Li, W. Zuo and Q. Hu, "ECA-Net: Efficient Channel Attention for Deep Convolutional Neural
Networks", CVPR 2020, section 3.
"""

import math

from jaxtyping import Float
from torch import Tensor, nn

from .arguments import require_positive
from .squeeze_excitation import squeeze


class ECA(nn.Module):
    """Channel gate: squeeze the map to one number per channel, let neighbours talk, scale them.

        s = sigmoid(conv_k(squeeze(x)))              (equation 9)
        k = odd(log2(C) / gamma + b / gamma)        (equation 12)
        output = s x

    What is weighted: channels. Normaliser: sigmoid, so channels do not compete. odd(t) is the odd number next to t, the
    larger of the two where t is even, as in the authors' code. Beyond the first and the last channel stand zeros.

    Args:
        channels: C, the number of channels of ``x``.
        gamma, b: of equation 12. The paper uses 2 and 1: k = 3 for 64 channels, 5 for 256 and for 512.

    Parameters: k.
    Raises: ValueError if ``channels`` or ``gamma`` is below 1, or b so small that k would be below 1.

    How others differ: the authors' released ECA-ResNets have k = 3 in all stages, or a k for each stage given by hand.
    """

    def __init__(self, channels: int, gamma: int = 2, b: int = 1):
        super().__init__()
        require_positive(channels=channels, gamma=gamma)
        k = nearest_odd((math.log2(channels) + b) / gamma)
        if k < 1:
            raise ValueError(f"b must be at least -log2(channels), got {b}: the kernel would have no weight")
        self.convolution = nn.Conv1d(1, 1, k, padding=k // 2, bias=False)

    def weights(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C 1 1"]:
        """The gate of each channel, in (0, 1)."""
        return self.convolution(squeeze(x)[:, None])[:, 0].sigmoid()[:, :, None, None]

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """Every channel of ``x`` times its gate."""
        return self.weights(x) * x


def nearest_odd(t: float) -> int:
    """The odd number next to ``t``; the larger one if ``t`` is an even number."""
    return 2 * math.floor(t / 2) + 1
