"""Selective kernels: look at the image through windows of several sizes, and let every channel choose between them.

X. Li, W. Wang, X. Hu and J. Yang, "Selective Kernel Networks", CVPR 2019, section 3.1.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .arguments import require_multiple, require_positive, require_shape
from .squeeze_excitation import squeeze
from .weighting import softmax


def branch_softmax(logits: Float[Tensor, "N M C"]) -> Float[Tensor, "N M C"]:
    """Weights that sum to 1 over the M branches, for every channel of every image by itself (equation 5)."""
    require_shape(logits, "N M C", "logits")
    return softmax(logits, dim=1)


class SelectiveKernel(nn.Module):
    """Several convolutions of different reach, and a softmax that mixes them channel by channel.

        U_m = ReLU(BN(conv3x3 of dilation m (x)))   split
        s = squeeze(U_1 + ... + U_M)                fuse (equations 1 and 2)
        z = ReLU(BN(W s))                           (equation 3)
        a = softmax over m of A_m z                 select (equation 5)
        output = a_1 U_1 + ... + a_M U_M            (equation 6)

    What is weighted: branches, per channel. Normaliser: softmax, so branches compete.
    The block takes the place of the 3x3 convolution in a bottleneck.

    Args:
        channels: C, the number of channels of ``x`` and of the output.
        branches: M, the number of convolutions. The paper uses 2.
        reduction: r; z has max(C // r, min_width) units. The paper uses 16.
        groups: G of the convolutions. The paper uses 32.
        min_width: L, the least number of units of z. The paper uses 32.
        stride: of the convolutions; 2 where an SKNet halves the map.
        dilations: one of each branch; 1, 2, ..., M unless given. The paper's 5x5 kernel is a 3x3 of dilation 2.

    Parameters: 9 M C^2 / G + 2 M C, and with d = max(C // r, L) another (M + 1) C d + 2 d. No layer has a bias.
    Raises: ValueError if an argument is below 1, ``groups`` does not divide ``channels`` or ``dilations`` are not M
    numbers; in training also for a batch of one image, because one number has no variance to normalise by.

    How others differ: timm by default gives each branch only its share of the input's channels, with one group, and
    rounds the hidden width to a multiple of 8 without a minimum of 32.
    """

    def __init__(
        self,
        channels: int,
        branches: int = 2,
        reduction: int = 16,
        groups: int = 32,
        min_width: int = 32,
        stride: int = 1,
        dilations: Sequence[int] | None = None,
    ):
        super().__init__()
        require_positive(
            channels=channels, branches=branches, reduction=reduction, groups=groups, min_width=min_width, stride=stride
        )
        require_multiple("groups", groups, channels=channels)
        dilations = range(1, branches + 1) if dilations is None else dilations
        if len(dilations) != branches or any(dilation < 1 for dilation in dilations):
            raise ValueError(f"dilations must be {branches} numbers of at least 1, one a branch, got {dilations!r}")
        hidden = max(channels // reduction, min_width)
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, stride, padding=d, dilation=d, groups=groups, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            )
            for d in dilations
        )
        self.reduce = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
        )
        self.score = nn.Linear(hidden, branches * channels, bias=False)

    def weights(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N M C 1 1"]:
        """The share of each branch in each channel: positive, with sum 1 over the branches."""
        return self._fuse(self._split(x))

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C h w"]:
        """In every channel, the average of the branches by their shares; h and w are H and W over the stride."""
        features = self._split(x)
        return self._select(self._fuse(features), features)

    def _split(self, x: Float[Tensor, "N C H W"]) -> list[Float[Tensor, "N C h w"]]:
        require_shape(x, "N C H W")
        return [branch(x) for branch in self.branches]

    def _fuse(self, features: list[Float[Tensor, "N C h w"]]) -> Float[Tensor, "N M C 1 1"]:
        squeezed = sum(squeeze(feature) for feature in features)  # = squeeze(sum(features)), in fewer passes
        logits = self.score(self.reduce(squeezed))
        return branch_softmax(logits.unflatten(1, (len(features), -1)))[:, :, :, None, None]

    @staticmethod
    def _select(
        weights: Float[Tensor, "N M C 1 1"], features: list[Float[Tensor, "N C h w"]]
    ) -> Float[Tensor, "N C h w"]:
        if len(features) == 2:  # the two weights sum to 1: one pass instead of three
            return torch.lerp(features[1], features[0], weights[:, 0].to(features[0].dtype))
        return sum(weight * feature for weight, feature in zip(weights.unbind(1), features))
