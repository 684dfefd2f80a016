"""Put a block into a trained network without breaking it.

H. Zhang, I. Goodfellow, D. Metaxas and A. Odena, "Self-Attention Generative Adversarial Networks", ICML 2019, equation 3.
T. Bachlechner et al., "ReZero is All You Need: Fast Convergence at Large Depth", UAI 2021, section 3.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ZeroStart(nn.Module):
    """A block behind a door that is closed at first, and that training opens.

        output = x + gamma block(x),    gamma = 0 at first

    At first the output is ``x`` itself, whatever the block computes. Only gamma has a gradient then; after its first step
    the block has one as well.

    Args:
        block: a module from a tensor to one of the same shape.

    Parameters: those of ``block``, and one.
    """

    def __init__(self, block: nn.Module):
        super().__init__()
        self.block = block
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """``x``, plus as much of the block's output as training has found useful."""
        return x + self.gamma * self.block(x)
