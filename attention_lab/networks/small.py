"""Small convolutional networks: one that hosts any mechanism, and one of selective kernels. The lessons train them."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..mechanisms.arguments import require_positive
from ..mechanisms.selective_kernel import SelectiveKernel


class SmallCNN(nn.Module):
    """Four 3x3 convolutions, each followed by the mechanism under test, then a global average and a linear layer.

        x -> [convolution, batch normalisation, ReLU, attention] four times -> average -> logits

    The first and third convolution have stride 2. The layers have C, 2 C, 2 C and 2 C channels for C = ``width``, and
    a position of the last one sees 19 x 19 pixels: what lies further apart meets only in the final average, unless the
    mechanism brings it together.

    Args:
        in_channels: channels of the images.
        num_classes: number of logits.
        width: C; the network is small enough for a training of a minute with 16.
        attention: called with the number of channels, returns the module to insert; nothing is inserted without.

    Raises: ValueError if ``in_channels``, ``num_classes`` or ``width`` is below 1.
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 10,
        width: int = 16,
        attention: Callable[[int], nn.Module] | None = None,
    ):
        super().__init__()
        require_positive(in_channels=in_channels, num_classes=num_classes, width=width)
        channels = (in_channels, width, 2 * width, 2 * width, 2 * width)
        self.convolutions = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            )
            for before, after, stride in zip(channels, channels[1:], (2, 1, 2, 1))
        )
        self.attentions = nn.ModuleList(attention(after) if attention else nn.Identity() for after in channels[1:])
        self.classify = nn.Linear(2 * width, num_classes)

    def features(self, x: Float[Tensor, "N C H W"]) -> list[Float[Tensor, "N _ _ _"]]:
        """What each of the four mechanisms is given, the first layer first."""
        features = []
        for convolution, attention in zip(self.convolutions, self.attentions):
            features.append(convolution(x))
            x = attention(features[-1])
        return features

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N num_classes"]:
        """The logits."""
        for convolution, attention in zip(self.convolutions, self.attentions):
            x = attention(convolution(x))
        return self.classify(x.mean((2, 3)))


class SelectiveUnit(nn.Module):
    """x + project(block(x)): a residual unit around a selective kernel.

    Args:
        channels: C of ``x`` and of the output.
        dilations: one of each branch.
    """

    def __init__(self, channels: int, dilations: Sequence[int]):
        super().__init__()
        self.block = SelectiveKernel(channels, len(dilations), reduction=4, groups=1, min_width=16, dilations=dilations)
        self.project = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        return torch.relu(x + self.project(self.block(x)))


class SelectiveCNN(nn.Module):
    """Two residual units of selective kernels, a convolution that halves the map before each.

        x -> [convolution, batch normalisation, ReLU, unit] twice -> average -> logits

    Args:
        dilations: one of each branch of the selective kernels; equal ones leave nothing to choose between.
        in_channels: channels of the images.
        num_classes: number of logits.
        width: channels of the first unit; the second has twice as many.

    Raises: ValueError if ``in_channels``, ``num_classes``, ``width`` or a dilation is below 1.
    """

    def __init__(self, dilations: Sequence[int], in_channels: int = 1, num_classes: int = 4, width: int = 8):
        super().__init__()
        require_positive(in_channels=in_channels, num_classes=num_classes, width=width)
        channels = (in_channels, width, 2 * width)
        self.convolutions = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, 2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
            for before, after in pairwise(channels)
        )
        self.units = nn.ModuleList(SelectiveUnit(after, dilations) for after in channels[1:])
        self.classify = nn.Linear(2 * width, num_classes)

    def weights(self, x: Float[Tensor, "N C H W"]) -> list[Float[Tensor, "N M _ 1 1"]]:
        """The shares of the branches in both units, the first unit's first."""
        found = []
        for convolution, unit in zip(self.convolutions, self.units):
            x = convolution(x)
            found.append(unit.block.weights(x))
            x = unit(x)
        return found

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N num_classes"]:
        """The logits."""
        for convolution, unit in zip(self.convolutions, self.units):
            x = unit(convolution(x))
        return self.classify(x.mean((2, 3)))
