"""Small networks that the lessons train: one hosts any mechanism, one is of selective kernels, one has three kinds of map."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..mechanisms import CBAM, EncoderBlock, SqueezeExcitation
from ..mechanisms.arguments import require_multiple, require_positive
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


class ManyMapsNet(nn.Module):
    """Convolutions with squeeze-and-excitation and CBAM, then self-attention: one network, many maps of where it looks.

        x -> convolution, stride 2 -> convolution, stride 2, SE -> convolution, CBAM
        -> a token for each position, and a class token -> encoder blocks -> the class token -> logits

    Each convolution is followed by a batch normalisation and ReLU. The gates and the attention all work on maps of a quarter
    of the image's side, so that none of them is finer than another.

    Args:
        size: side of the images, a multiple of 4.
        num_classes: number of logits.
        width: channels of the first convolution; the others and the tokens have twice as many.
        depth: number of encoder blocks.
        heads: of each block's attention.

    Raises: ValueError if an argument is below 1, or ``size`` is no multiple of 4.
    """

    def __init__(self, size: int = 32, num_classes: int = 4, width: int = 12, depth: int = 2, heads: int = 2):
        super().__init__()
        require_positive(size=size, num_classes=num_classes, width=width, depth=depth)
        require_multiple("the two strides of 2", 4, size=size)
        channels = (1, width, 2 * width, 2 * width)
        self.convolutions = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, stride, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
            for before, after, stride in zip(channels, channels[1:], (2, 2, 1))
        )
        self.se = SqueezeExcitation(2 * width, reduction=4)
        self.cbam = CBAM(2 * width, reduction=4)
        self.class_token = nn.Parameter(torch.zeros(1, 1, 2 * width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + (size // 4) ** 2, 2 * width))
        self.blocks = nn.ModuleList(EncoderBlock(2 * width, heads, mlp_ratio=2) for _ in range(depth))
        self.norm = nn.LayerNorm(2 * width)
        self.classify = nn.Linear(2 * width, num_classes)

    def gated(self, x: Float[Tensor, "N 1 S S"]) -> tuple[Float[Tensor, "N C s s"], Float[Tensor, "N C s s"]]:
        """The map behind SE, and the one that CBAM is given."""
        after_se = self.se(self.convolutions[1](self.convolutions[0](x)))
        return after_se, self.convolutions[2](after_se)

    def weights(
        self, x: Float[Tensor, "N 1 S S"]
    ) -> tuple[Float[Tensor, "N 1 s s"], list[Float[Tensor, "N heads L L"]]]:
        """CBAM's gate of each position, and who attends to whom in each block; token 0 is the class token."""
        _, features = self.gated(x)
        attention, tokens = [], self.tokens(self.cbam(features))
        for block in self.blocks:
            attention.append(block.weights(tokens))
            tokens = block(tokens)
        return self.cbam.weights(features)[1], attention

    def tokens(self, features: Float[Tensor, "N C s s"]) -> Float[Tensor, "N L C"]:
        """The class token, then the positions of a map in row-major order."""
        tokens = features.flatten(2).mT
        return torch.cat((self.class_token.expand(len(tokens), -1, -1), tokens), 1) + self.positions

    def forward(self, x: Float[Tensor, "N 1 S S"]) -> Float[Tensor, "N num_classes"]:
        """The logits."""
        _, features = self.gated(x)
        tokens = self.tokens(self.cbam(features))
        for block in self.blocks:
            tokens = block(tokens)
        return self.classify(self.norm(tokens[:, 0]))
