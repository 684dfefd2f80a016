"""Residual networks that take any mechanism: ResNet, ResNeXt and SKNet.

K. He, X. Zhang, S. Ren and J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, table 1.
S. Xie, R. Girshick, P. Dollár, Z. Tu and K. He, "Aggregated Residual Transformations for Deep Neural Networks",
CVPR 2017, table 1.
X. Li, W. Wang, X. Hu and J. Yang, "Selective Kernel Networks", CVPR 2019, table 1.

A mechanism is given as what makes it from a number of channels: a class such as ``SqueezeExcitation``, or a
``functools.partial`` of one.
"""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from ..mechanisms import SelectiveKernel, SpatialAttention, squeeze
from ..mechanisms.arguments import require_positive

Mechanism = Callable[[int], nn.Module]


def convolution(in_channels: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution and batch normalisation; weights start as in He et al., "Delving Deep into Rectifiers", ICCV 2015."""
    conv = nn.Conv2d(in_channels, channels, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    if not conv.weight.is_meta:  # on the meta device there are no values, and torch takes long to draw none
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(channels))


class Residual(nn.Module):
    """A residual unit with its mechanism on the branch, before the addition.

        output = ReLU(shortcut(x) + attention(branch(x)))

    Args:
        branch: a module that maps ``in_channels`` to ``channels`` and divides height and width by ``stride``.
        attention: the mechanism, made for ``channels``; none by default.

    The shortcut is ``x`` itself, or a 1x1 convolution where the shape changes.
    """

    def __init__(
        self, branch: nn.Module, in_channels: int, channels: int, stride: int = 1, attention: Mechanism | None = None
    ):
        super().__init__()
        self.channels = channels
        self.branch = branch
        self.attention = nn.Identity() if attention is None else attention(channels)
        same_shape = stride == 1 and in_channels == channels
        self.shortcut = nn.Identity() if same_shape else convolution(in_channels, channels, 1, stride)

    def forward(self, x: Float[Tensor, "N in_channels H W"]) -> Float[Tensor, "N channels h w"]:
        """What the branch adds to ``x``, weighted by the mechanism; h and w are H and W over the stride."""
        return (self.shortcut(x) + self.attention(self.branch(x))).relu()


class BasicBlock(Residual):
    """Two 3x3 convolutions: (N, in_channels, H, W) -> (N, width, H / stride, W / stride)."""

    def __init__(self, in_channels: int, width: int, stride: int = 1, attention: Mechanism | None = None):
        branch = nn.Sequential(
            convolution(in_channels, width, 3, stride),
            nn.ReLU(inplace=True),
            convolution(width, width, 3),
        )
        super().__init__(branch, in_channels, width, stride, attention)


class Bottleneck(Residual):
    """1x1, 3x3, 1x1 convolutions: (N, in_channels, H, W) -> (N, 4 width, H / stride, W / stride).

    Args:
        in_channels: channels of ``x``.
        width: channels of the 3x3 convolution, a quarter of the output's.
        stride: 2 where a stage begins and halves the map.
        attention: the mechanism, made for 4 width channels; none by default.
        groups: of the 3x3 convolution; ResNeXt 32x4d has 32.
        group_width: channels of a group where ``width`` is 64, and in proportion elsewhere; ResNeXt 32x4d has 4, so its
            3x3 convolution has 2 width channels.
        stride_in_3x3: which convolution has the stride. The first 1x1 has it in the paper (v1), the 3x3 in
            torchvision, timm and the code of CBAM's authors (v1.5): 6% more multiply-adds in ResNet-50.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        attention: Mechanism | None = None,
        groups: int = 1,
        group_width: int = 64,
        stride_in_3x3: bool = False,
    ):
        inner = width * groups * group_width // 64
        first, second = (1, stride) if stride_in_3x3 else (stride, 1)
        branch = nn.Sequential(
            convolution(in_channels, inner, 1, first),
            nn.ReLU(inplace=True),
            convolution(inner, inner, 3, second, groups),
            nn.ReLU(inplace=True),
            convolution(inner, 4 * width, 1),
        )
        super().__init__(branch, in_channels, 4 * width, stride, attention)


class SelectiveKernelBottleneck(Residual):
    """SKNet's unit: the bottleneck of ResNeXt 32x4d with selective kernels, M = 2, G = 32, r = 16, for its 3x3."""

    def __init__(self, in_channels: int, width: int, stride: int = 1, attention: Mechanism | None = None):
        branch = nn.Sequential(
            convolution(in_channels, 2 * width, 1),
            nn.ReLU(inplace=True),
            SelectiveKernel(2 * width, stride=stride),
            convolution(2 * width, 4 * width, 1),
        )
        super().__init__(branch, in_channels, 4 * width, stride, attention)


class ResNet(nn.Module):
    """A stem, four stages of residual units, global average pooling and a linear classifier.

    Args:
        block: makes a unit from (in_channels, width, stride, attention): ``BasicBlock``, ``Bottleneck`` or
            ``SelectiveKernelBottleneck``.
        depths: units in each of the four stages, of widths 64, 128, 256 and 512.
        num_classes: size of the output.
        attention: the mechanism of every unit, or four of them, one a stage, None where there is none.
        between: the mechanism after stages 1 to 3, where BAM stands.
        cifar: a 3x3 stem that keeps the size, for images of 32x32, instead of 7x7 with stride 2 and max pooling.

    Initialisation: the network's own convolutions by He et al. (normal, fan-out), the rest by PyTorch's defaults, as in
    torchvision. Mechanisms keep their own, except that the spatial gates of CBAM start at 0.5 everywhere (their
    normalisation's weight is 0), as in the released ResNet of CBAM's authors.
    Raises: ValueError if ``num_classes`` is below 1 or ``attention`` is a sequence of another length than ``depths``.
    """

    def __init__(
        self,
        block: Callable[[int, int, int, Mechanism | None], Residual],
        depths: Sequence[int],
        num_classes: int = 1000,
        attention: Mechanism | Sequence[Mechanism | None] | None = None,
        between: Mechanism | None = None,
        cifar: bool = False,
    ):
        super().__init__()
        require_positive(num_classes=num_classes)
        attentions = attention if isinstance(attention, Sequence) else [attention] * len(depths)
        if len(attentions) != len(depths):
            raise ValueError(f"attention must be one mechanism or {len(depths)}, one a stage, got {len(attentions)}")
        if cifar:
            self.stem = nn.Sequential(convolution(3, 64, 3), nn.ReLU(inplace=True))
        else:
            self.stem = nn.Sequential(convolution(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1))
        self.stages = nn.Sequential()
        channels = 64
        for i, depth in enumerate(depths):
            stage = nn.Sequential()
            for j in range(depth):
                stage.append(block(channels, 64 * 2**i, 2 if i > 0 and j == 0 else 1, attentions[i]))
                channels = stage[-1].channels
            if between is not None and i < len(depths) - 1:
                stage.append(between(channels))
            self.stages.append(stage)
        self.classifier = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, SpatialAttention):
                nn.init.zeros_(module.norm.weight)

    def forward(self, x: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N num_classes"]:
        """The score of each class."""
        return self.classifier(squeeze(self.stages(self.stem(x))))
