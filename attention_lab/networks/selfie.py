"""A trained network with squeeze-and-excitation inside, small enough to look through: who is in the picture, and where?

MediaPipe's selfie segmentation (Google, 2021, Apache 2.0). Its encoder is that of A. Howard et al., "Searching for
MobileNetV3", ICCV 2019: inverted bottlenecks with squeeze-and-excitation (figure 4) and the head LR-ASPP (figure 10).
"""

from collections.abc import Iterator
from itertools import count

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..data import selfie_weights
from ..mechanisms.arguments import require_shape
from ..mechanisms.squeeze_excitation import SqueezeExcitation, squeeze


class SelfieSegmentation(nn.Module):
    """How likely each pixel of a photograph belongs to a person. It comes with its trained weights.

        256 -> stem 128 -> block 1 64 -> blocks 2, 3 32 -> blocks 4 to 8 16 pixels a side
        -> LR-ASPP 16 -> decoder 32 -> 64 -> 128 -> 256

    Six of the eight encoder blocks (1 and 4 to 8) gate their channels by ``SqueezeExcitation``. The decoder gates too:
    what it takes from the encoder, by what encoder and decoder contain together.
    """

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(_convolution(3, 16, kernel=3, stride=2), nn.Hardswish())
        self.encoder = nn.ModuleList(
            [
                InvertedBottleneck(16, 16, 16, kernel=3, stride=2, activation=nn.ReLU, reduction=2),
                InvertedBottleneck(16, 72, 24, kernel=3, stride=2, activation=nn.ReLU),
                InvertedBottleneck(24, 88, 24, kernel=3, activation=nn.ReLU),
                InvertedBottleneck(24, 96, 32, kernel=5, stride=2, activation=nn.Hardswish, reduction=4),
                InvertedBottleneck(32, 128, 32, kernel=5, activation=nn.Hardswish, reduction=4),
                InvertedBottleneck(32, 128, 32, kernel=5, activation=nn.Hardswish, reduction=4),
                InvertedBottleneck(32, 96, 32, kernel=5, activation=nn.Hardswish, reduction=4),
                InvertedBottleneck(32, 96, 32, kernel=5, activation=nn.Hardswish, reduction=4),
            ]
        )
        self.head = LRASPP(32, 128)
        self.decoder = nn.ModuleList([DecoderStep(128, 24), DecoderStep(24, 16), DecoderStep(16, 16)])
        self.segment = nn.ConvTranspose2d(16, 1, 2, stride=2)
        self._load(selfie_weights())
        self.eval()

    def gates(self, x: Float[Tensor, "N 3 256 256"]) -> dict[str, Float[Tensor, "N _"]]:
        """The gates of the six squeeze-and-excitation blocks of the encoder by name, "block 1" first, in (0, 1)."""
        require_shape(x, "N 3 256 256")
        gates = {}
        x = self.stem(x)
        for number, block in enumerate(self.encoder, 1):
            if block.gate is not None:
                gates[f"block {number}"] = block.gate.weights(block.expand(x)).flatten(1)
            x = block(x)
        return gates

    def forward(self, x: Float[Tensor, "N 3 256 256"]) -> Float[Tensor, "N 1 256 256"]:
        """The probability of a person at each pixel of an RGB image with values in [0, 1]."""
        require_shape(x, "N 3 256 256")
        levels = [self.stem(x)]
        for block in self.encoder:
            levels.append(block(levels[-1]))
        x = self.head(levels[-1])
        for step, level in zip(self.decoder, (3, 1, 0)):
            x = step(x, levels[level])
        return self.segment(x).sigmoid()

    def _load(self, stored: dict[str, Tensor]) -> None:
        """Fill the layers, which are stored by kind and number in the order in which they are computed."""
        pointwise, depthwise = _numbered("conv2d"), _numbered("depthwise_conv2d")
        with torch.no_grad():
            for layer in self.modules():
                if isinstance(layer, nn.ConvTranspose2d):
                    name, order = "segment", (3, 0, 1, 2)
                elif isinstance(layer, nn.Conv2d) and layer.groups > 1:
                    name, order = next(depthwise), (3, 0, 1, 2)
                elif isinstance(layer, nn.Conv2d | nn.Linear):
                    name, order = next(pointwise), (0, 3, 1, 2)
                else:
                    continue
                layer.weight.copy_(stored[f"{name}.weight"].permute(order).view_as(layer.weight))
                layer.bias.copy_(stored[f"{name}.bias"])


class InvertedBottleneck(nn.Module):
    """Widen (1x1), filter each channel by itself (depthwise), gate the channels, narrow again (1x1).

        y = activation(depthwise(activation(expand(x))))
        output = project(SE(y)), plus x where the shapes agree

    The SE block stands inside the bottleneck, where the channels are many; without ``reduction`` there is none.
    """

    def __init__(
        self,
        before: int,
        hidden: int,
        after: int,
        kernel: int,
        activation: type[nn.Module],
        stride: int = 1,
        reduction: int | None = None,
    ):
        super().__init__()
        self.expand = nn.Sequential(
            nn.Conv2d(before, hidden, 1),
            activation(),
            _convolution(hidden, hidden, kernel, stride, groups=hidden),
            activation(),
        )
        self.gate = SqueezeExcitation(hidden, reduction) if reduction else None
        self.project = nn.Conv2d(hidden, after, 1)
        self.residual = stride == 1 and before == after

    def forward(self, x: Float[Tensor, "N before H W"]) -> Float[Tensor, "N after h w"]:
        y = self.expand(x)
        if self.gate is not None:
            y = self.gate(y)
        y = self.project(y)
        return x + y if self.residual else y


class LRASPP(nn.Module):
    """Features times a gate of one layer: relu(W x) sigmoid(V squeeze(x))."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.features = nn.Conv2d(before, after, 1)
        self.score = nn.Linear(before, after)

    def forward(self, x: Float[Tensor, "N before H W"]) -> Float[Tensor, "N after H W"]:
        return self.features(x).relu() * self.score(squeeze(x)).sigmoid()[:, :, None, None]


class DecoderStep(nn.Module):
    """Twice as fine: enlarge, and add the encoder's features of that size,

        u = reduce(enlarge(x))
        z = relu(project(encoded SE.weights(encoded + u) + u))
        output = z + relu(depthwise(z)),

    gated by what both contain.
    """

    def __init__(self, before: int, after: int):
        super().__init__()
        self.reduce = nn.Conv2d(before, after, 1)
        self.gate = SqueezeExcitation(after, reduction=1)
        self.project = nn.Conv2d(after, after, 1)
        self.depthwise = _convolution(after, after, kernel=3, groups=after)

    def forward(
        self, x: Float[Tensor, "N before H W"], encoded: Float[Tensor, "N after 2*H 2*W"]
    ) -> Float[Tensor, "N after 2*H 2*W"]:
        u = self.reduce(F.interpolate(x, scale_factor=2, mode="bilinear"))
        z = self.project(encoded * self.gate.weights(encoded + u) + u).relu()
        return z + self.depthwise(z).relu()


def _convolution(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution that pads like TensorFlow's "same": of an odd number of rows the larger half stands behind."""
    front = (kernel - stride) // 2
    back = kernel - stride - front
    return nn.Sequential(
        nn.ZeroPad2d((front, back, front, back)), nn.Conv2d(before, after, kernel, stride, groups=groups)
    )


def _numbered(kind: str) -> Iterator[str]:
    """conv2d, conv2d_1, conv2d_2, ..."""
    yield kind
    for number in count(1):
        yield f"{kind}_{number}"
