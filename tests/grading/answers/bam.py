"""Answers to lesson 04, as learners write them."""

import math

import torch
from bank import right, wrong
from torch import nn
from torch.nn import functional as F

# channel-gate


@right("channel-gate")
class LinearLayers(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels // reduction),
            nn.BatchNorm1d(channels // reduction),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels),
        )

    def forward(self, x):
        return self.mlp(x.mean((2, 3)))[:, :, None, None]


@right("channel-gate")
class ConvolutionsExpanded(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        hidden = channels // reduction
        self.net = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1),
        )

    def forward(self, x):
        return self.net(x).expand_as(x)


@right("channel-gate")
class LayersOneByOne(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.register_buffer("counter", torch.zeros(1))
        self.last = nn.Linear(channels // reduction, channels, bias=False)
        self.norm = nn.BatchNorm1d(channels // reduction)
        self.first = nn.Linear(channels, channels // reduction)

    def forward(self, x):
        n, c, h, w = x.shape
        z = F.avg_pool2d(x, (h, w)).view(n, c)
        return self.last(F.relu(self.norm(self.first(z)))).view(n, c, 1, 1).repeat(1, 1, h, w)


@right("channel-gate")
class Matrices(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Parameter(torch.randn(channels, channels // reduction) * 0.1)
        self.bn = nn.BatchNorm1d(channels // reduction)
        self.up = nn.Parameter(torch.randn(channels // reduction, channels) * 0.1)
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        z = torch.einsum("nchw->nc", x) / math.prod(x.shape[2:])
        h = self.bn(z @ self.down).clamp(min=0)
        return (h @ self.up + self.shift).unsqueeze(-1).unsqueeze(-1)


class Channel(nn.Module):
    """What most wrong answers get right."""

    def __init__(self, channels, reduction=16):
        super().__init__()
        self.fc1 = nn.Linear(channels, channels // reduction)
        self.bn = nn.BatchNorm1d(channels // reduction)
        self.fc2 = nn.Linear(channels // reduction, channels)

    def pool(self, x):
        return x.mean((2, 3))

    def scores(self, z):
        return self.fc2(torch.relu(self.bn(self.fc1(z))))

    def forward(self, x):
        return self.scores(self.pool(x))[:, :, None, None]


@wrong("channel-gate", "norm-of-maps", passes="parameters")
class NormOfMapsOnVectors(Channel):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.bn = nn.BatchNorm2d(channels // reduction)


@wrong("channel-gate", "squeezed-too-far", passes="parameters")
class SqueezesTheBatch(Channel):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.avg_pool = nn.AdaptiveAvgPool2d(1)

    def pool(self, x):
        return self.avg_pool(x).squeeze()


@wrong("channel-gate", "sum-squeeze", passes="shapes parameters gradients")
class SumOfPositions(Channel):
    def pool(self, x):
        return x.flatten(2).sum(-1)


@wrong("channel-gate", "no-norm", passes="shapes gradients")
class NoBatchNorm(Channel):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.bn = nn.Identity()


@wrong("channel-gate", "norm-after-relu", passes="shapes parameters gradients")
class NormAfterReLU(Channel):
    def scores(self, z):
        return self.fc2(self.bn(torch.relu(self.fc1(z))))


@wrong("channel-gate", "no-relu", passes="shapes parameters gradients")
class NoReLU(Channel):
    def scores(self, z):
        return self.fc2(self.bn(self.fc1(z)))


@wrong("channel-gate", "relu-last", passes="shapes parameters gradients")
class ReLULast(Channel):
    def scores(self, z):
        return torch.relu(super().scores(z))


@wrong("channel-gate", "norm-and-relu-last", passes="shapes gradients")
class NormAndReLULast(Channel):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.bn2 = nn.BatchNorm1d(channels)

    def forward(self, x):
        return torch.relu(self.bn2(self.scores(self.pool(x)))).view(len(x), -1, 1, 1).expand_as(x)


@wrong("channel-gate", "norm-last", passes="shapes gradients")
class AsInThePaper(Channel):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.norm = nn.BatchNorm1d(channels)

    def scores(self, z):
        return self.norm(super().scores(z))


@wrong("channel-gate", "sigmoid-inside", passes="shapes parameters gradients")
class AlreadyAGate(Channel):
    def forward(self, x):
        return torch.sigmoid(super().forward(x)).expand_as(x)


@wrong("channel-gate", "max-squeeze", passes="shapes parameters gradients")
class MaxPool(Channel):
    def pool(self, x):
        return F.adaptive_max_pool2d(x, 1).flatten(1)


@wrong("channel-gate", "no-squeeze", passes="shapes parameters gradients")
class NoPooling(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        hidden = channels // reduction
        self.net = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.BatchNorm2d(hidden), nn.ReLU(), nn.Conv2d(hidden, channels, 1)
        )

    def forward(self, x):
        return self.net(x)


@wrong("channel-gate", "flat", passes="parameters gradients")
class FlatLogits(Channel):
    def forward(self, x):
        return self.scores(self.pool(x))


@wrong("channel-gate", "no-bottleneck", passes="shapes gradients")
class OneLayer(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.fc = nn.Linear(channels, channels)

    def forward(self, x):
        return self.fc(x.mean((2, 3)))[:, :, None, None]


@wrong("channel-gate", "reduction-as-width", passes="shapes gradients")
class ReductionAsWidth(Channel):
    def __init__(self, channels, reduction=16):
        nn.Module.__init__(self)
        self.fc1 = nn.Linear(channels, reduction)
        self.bn = nn.BatchNorm1d(reduction)
        self.fc2 = nn.Linear(reduction, channels)


@wrong("channel-gate", "reduction-ignored", passes="shapes gradients")
class ReductionIgnored(Channel):
    def __init__(self, channels, reduction=16):
        super().__init__(channels)


@wrong("channel-gate", "width-rounded", passes="shapes gradients")
class RoundedUp(Channel):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        hidden = -(-channels // reduction)
        self.fc1, self.bn, self.fc2 = nn.Linear(channels, hidden), nn.BatchNorm1d(hidden), nn.Linear(hidden, channels)


@wrong("channel-gate", "other-activation", passes="shapes parameters gradients")
class ClippedAtSix(Channel):
    def scores(self, z):
        return self.fc2(F.relu6(self.bn(self.fc1(z))))


@wrong("channel-gate", "otherwise-in-training", passes="shapes parameters gradients")
class WithDropout(Channel):
    def scores(self, z):
        return self.fc2(F.dropout(torch.relu(self.bn(self.fc1(z))), 0.5, self.training))


@wrong("channel-gate", "images-mixed", passes="shapes gradients")
class BatchStatisticsAlways(Channel):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.bn = nn.BatchNorm1d(channels // reduction, track_running_stats=False)

    def scores(self, z):
        return super().scores(torch.cat([z, z + 1]))[: len(z)]


@wrong("channel-gate", "detached", passes="shapes parameters values")
class DetachedPooling(Channel):
    def pool(self, x):
        return x.detach().mean((2, 3))


# spatial-gate


@right("spatial-gate")
class SequentialOfAll(nn.Module):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__()
        hidden = channels // reduction
        self.net = nn.Sequential(
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

    def forward(self, x):
        return self.net(x)


@right("spatial-gate")
class DefinedBackwards(nn.Module):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__()
        hidden = channels // reduction
        self.out = nn.Conv2d(hidden, 1, 1)
        self.bn3, self.bn2, self.bn1 = (nn.BatchNorm2d(hidden) for _ in range(3))
        self.far = nn.Conv2d(hidden, hidden, 3, padding="same", dilation=dilation, bias=False)
        self.near = nn.Conv2d(hidden, hidden, 3, padding="same", dilation=dilation, bias=False)
        self.reduce = nn.Conv2d(channels, hidden, 1, bias=False)

    def forward(self, x):
        y = F.relu(self.bn1(self.reduce(x)))
        y = F.relu(self.bn2(self.near(y)))
        y = F.relu(self.bn3(self.far(y)))
        return self.out(y).expand_as(x)


def conv_norm_relu(inputs, outputs, kernel, **arguments):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, **arguments), nn.BatchNorm2d(outputs), nn.ReLU())


@right("spatial-gate")
class BlocksInAList(nn.Module):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__()
        h = channels // reduction
        wide = {"padding": dilation, "dilation": dilation}
        self.blocks = nn.ModuleList(
            [conv_norm_relu(channels, h, 1), conv_norm_relu(h, h, 3, **wide), conv_norm_relu(h, h, 3, **wide)]
        )
        self.last = nn.Conv2d(h, 1, 1, bias=False)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.last(x)


@right("spatial-gate")
class ScoreByEinsum(nn.Module):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__()
        h = channels // reduction
        self.body = nn.Sequential(
            conv_norm_relu(channels, h, 1, bias=False),
            nn.ZeroPad2d(dilation),
            conv_norm_relu(h, h, 3, dilation=dilation),
            nn.ZeroPad2d(dilation),
            conv_norm_relu(h, h, 3, dilation=dilation),
        )
        self.score = nn.Parameter(torch.randn(1, h) * 0.1)

    def forward(self, x):
        return torch.einsum("nchw,oc->nohw", self.body(x), self.score)


class Spatial(nn.Module):
    """What most wrong answers get right."""

    def __init__(self, channels, reduction=16, dilation=4, padding=None, maps=1):
        super().__init__()
        h = channels // reduction
        around = {"padding": dilation if padding is None else padding, "dilation": dilation}
        self.reduce = nn.Conv2d(channels, h, 1)
        self.bn1 = nn.BatchNorm2d(h)
        self.conv1 = nn.Conv2d(h, h, 3, **around)
        self.bn2 = nn.BatchNorm2d(h)
        self.conv2 = nn.Conv2d(h, h, 3, **around)
        self.bn3 = nn.BatchNorm2d(h)
        self.final = nn.Conv2d(h, maps, 1)

    def activate(self, norm, y):
        return torch.relu(norm(y))

    def forward(self, x):
        y = self.activate(self.bn1, self.reduce(x))
        y = self.activate(self.bn2, self.conv1(y))
        y = self.activate(self.bn3, self.conv2(y))
        return self.final(y)


@wrong("spatial-gate", "padding", passes="parameters")
class PaddingOneAlways(Spatial):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, reduction, dilation, padding=1)


@wrong("spatial-gate", "padding", passes="parameters")
class PaddingForgotten(Spatial):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, reduction, dilation, padding=0)


@wrong("spatial-gate", "padding", passes="parameters gradients")
class PaddingFourAlways(Spatial):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, reduction, dilation, padding=4)


@wrong("spatial-gate", "one-convolution-twice", passes="shapes gradients")
class OneBlockTwice(nn.Module):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__()
        h = channels // reduction
        block = [nn.Conv2d(h, h, 3, padding=dilation, dilation=dilation), nn.BatchNorm2d(h), nn.ReLU()]
        self.net = nn.Sequential(conv_norm_relu(channels, h, 1), *block * 2, nn.Conv2d(h, 1, 1))

    def forward(self, x):
        return self.net(x)


@wrong("spatial-gate", "no-norm-at-the-start", passes="shapes gradients")
class FirstNormMissing(Spatial):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, reduction, dilation)
        self.bn1 = nn.Identity()


@wrong("spatial-gate", "no-dilation", passes="shapes parameters gradients")
class NotDilated(Spatial):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, reduction, 1)


@wrong("spatial-gate", "dilation-ignored", passes="shapes parameters gradients")
class DilationFour(Spatial):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, reduction)


@wrong("spatial-gate", "one-dilated-convolution", passes="shapes gradients")
class OneDilatedConvolution(nn.Module):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__()
        h = channels // reduction
        self.net = nn.Sequential(
            conv_norm_relu(channels, h, 1),
            conv_norm_relu(h, h, 3, padding=dilation, dilation=dilation),
            nn.Conv2d(h, 1, 1),
        )

    def forward(self, x):
        return self.net(x)


@wrong("spatial-gate", "no-norm", passes="shapes gradients")
class WithoutNorms(Spatial):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, reduction, dilation)
        self.bn1 = self.bn2 = self.bn3 = nn.Identity()


@wrong("spatial-gate", "no-relu", passes="shapes parameters gradients")
class WithoutReLUs(Spatial):
    def activate(self, norm, y):
        return norm(y)


@wrong("spatial-gate", "norm-after-relu", passes="shapes parameters gradients")
class NormsAfterReLUs(Spatial):
    def activate(self, norm, y):
        return norm(torch.relu(y))


@wrong("spatial-gate", "relu-last", passes="shapes parameters gradients")
class PositiveLogits(Spatial):
    def forward(self, x):
        return super().forward(x).relu()


class WithFinalNorm(Spatial):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, reduction, dilation)
        self.bn4 = nn.BatchNorm2d(1)


@wrong("spatial-gate", "norm-and-relu-last", passes="shapes gradients")
class FourEqualBlocks(WithFinalNorm):
    def forward(self, x):
        return torch.relu(self.bn4(super().forward(x)))


@wrong("spatial-gate", "norm-last", passes="shapes gradients")
class NormLast(WithFinalNorm):
    def forward(self, x):
        return self.bn4(super().forward(x)).expand_as(x)


@wrong("spatial-gate", "sigmoid-inside", passes="shapes parameters gradients")
class GateInside(Spatial):
    def forward(self, x):
        return torch.sigmoid(super().forward(x))


@wrong("spatial-gate", "a-map-for-each-channel", passes="shapes gradients")
class MapForEachChannel(Spatial):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, reduction, dilation, maps=channels)


@wrong("spatial-gate", "reduction-ignored", passes="shapes gradients")
class AlwaysSixteen(Spatial):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, 16, dilation)


# bam


@right("bam")
class TwoGates(nn.Module):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__()
        self.channel = LinearLayers(channels, reduction)
        self.spatial = SequentialOfAll(channels, reduction, dilation)

    def weights(self, x):
        return torch.sigmoid(self.channel(x) + self.spatial(x))

    def forward(self, x):
        return (1 + self.weights(x)) * x


@right("bam")
class SpatialBranchFirst(nn.Module):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__()
        self.where = DefinedBackwards(channels, reduction, dilation)
        self.what = ConvolutionsExpanded(channels, reduction)

    def weights(self, x):
        return (self.where(x) + self.what(x)).sigmoid()

    def forward(self, x):
        return x + x * self.weights(x)


@right("bam")
class WithAddcmul(nn.Module):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__()
        self.branches = nn.ModuleList([BlocksInAList(channels, reduction, dilation), Matrices(channels, reduction)])

    def weights(self, x):
        first, second = (branch(x) for branch in self.branches)
        return 1 / (1 + torch.exp(-(first + second)))

    def forward(self, x):
        return torch.addcmul(x, x, self.weights(x))


@right("bam")
class AllInOne(nn.Module):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__()
        h = channels // reduction
        self.fc1, self.fc2, self.bn = nn.Linear(channels, h, bias=False), nn.Linear(h, channels), nn.BatchNorm1d(h)
        self.body = nn.Sequential(
            conv_norm_relu(channels, h, 1),
            conv_norm_relu(h, h, 3, padding=dilation, dilation=dilation),
            conv_norm_relu(h, h, 3, padding=dilation, dilation=dilation),
            nn.Conv2d(h, 1, 1),
        )

    def weights(self, x):
        c = self.fc2(self.bn(self.fc1(x.mean((-1, -2)))).relu_())
        return F.sigmoid(self.body(x) + c[..., None, None])

    def forward(self, x):
        gate = self.weights(x)
        gate = gate + 1
        return gate.mul_(x)


@wrong("bam", "product", passes="shapes parameters")
class LogitsMultiplied(TwoGates):
    def weights(self, x):
        return torch.sigmoid(self.channel(x) * self.spatial(x))


@wrong("bam", "one-lost", passes="shapes parameters")
class OneLost(TwoGates):
    def forward(self, x):
        return self.weights(x) * x


@wrong("bam", "sigmoid-twice", passes="shapes parameters")
class SigmoidOfASigmoid(TwoGates):
    def weights(self, x):
        return (self.channel(x) + self.spatial(x)).sigmoid().sigmoid()


@wrong("bam", "no-sigmoid", passes="shapes parameters")
class NoSigmoid(TwoGates):
    def weights(self, x):
        return self.channel(x) + self.spatial(x)


@wrong("bam", "sigmoid-each", passes="shapes parameters")
class ASigmoidEach(TwoGates):
    def weights(self, x):
        return torch.sigmoid(self.channel(x)) + torch.sigmoid(self.spatial(x))


@wrong("bam", "sigmoid-each", passes="shapes parameters")
class MeanOfTwoGates(TwoGates):
    def weights(self, x):
        return torch.stack([self.channel(x).sigmoid().expand_as(x), self.spatial(x).sigmoid().expand_as(x)]).mean(0)


@wrong("bam", "larger-score", passes="shapes parameters")
class WhoShoutsLouder(TwoGates):
    def weights(self, x):
        return torch.sigmoid(torch.max(self.channel(x), self.spatial(x)))


@wrong("bam", "softmax-not-sigmoid", passes="shapes parameters")
class ChannelsCompete(TwoGates):
    def weights(self, x):
        return (self.channel(x) + self.spatial(x)).softmax(dim=1)


@wrong("bam", "softmax-not-sigmoid", passes="shapes parameters")
class PositionsCompete(TwoGates):
    def weights(self, x):
        scores = self.channel(x) + self.spatial(x)
        return scores.flatten(2).softmax(-1).reshape(scores.shape)


@wrong("bam", "sigmoids-multiplied", passes="shapes parameters")
class LikeCBAM(TwoGates):
    def weights(self, x):
        return self.channel(x).sigmoid() * self.spatial(x).sigmoid()


@wrong("bam", "channel-only", passes="shapes parameters")
class SpatialUnused(TwoGates):
    def weights(self, x):
        self.spatial(x)
        return self.channel(x).sigmoid().expand_as(x)


@wrong("bam", "spatial-only", passes="shapes parameters")
class ChannelUnused(TwoGates):
    def weights(self, x):
        _ = self.channel(x)
        return self.spatial(x).expand_as(x).sigmoid()


@wrong("bam", "channel-only", passes="parameters")
class ChannelGateAlone(TwoGates):
    def weights(self, x):
        return torch.sigmoid(self.channel(x))


@wrong("bam", "spatial-only", passes="parameters")
class SpatialGateAlone(TwoGates):
    def weights(self, x):
        return torch.sigmoid(self.spatial(x))


@wrong("bam", "brackets-missing", passes="shapes parameters")
class BracketsMissing(TwoGates):
    def forward(self, x):
        return 1 + self.weights(x) * x


@wrong("bam", "gate-added", passes="shapes parameters")
class GateAdded(TwoGates):
    def forward(self, x):
        return x + self.weights(x)


@wrong("bam", "gate-returned", passes="shapes parameters")
class ReturnsTheGate(TwoGates):
    def forward(self, x):
        return self.weights(x)


@wrong("bam", "gate-returned", passes="shapes parameters")
class ReturnsOnePlusTheGate(TwoGates):
    def forward(self, x):
        return 1 + self.weights(x)


@wrong("bam", "one-in-the-gate", passes="shapes parameters")
class OneInTheGate(TwoGates):
    def weights(self, x):
        return 1 + torch.sigmoid(self.channel(x) + self.spatial(x))

    def forward(self, x):
        return self.weights(x) * x


@wrong("bam", "dilation-not-passed", passes="shapes parameters")
class DilationForgotten(TwoGates):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, reduction)


@wrong("bam", "reduction-not-passed", passes="shapes")
class ReductionForgotten(TwoGates):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, dilation=dilation)


@wrong("bam", "reduction-not-passed", passes="shapes")
class ReductionForgottenOnce(TwoGates):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, reduction, dilation)
        self.channel = LinearLayers(channels)


@wrong("bam", "reduction-not-passed", passes="shapes")
class ReductionForgottenInTheSpatialGate(TwoGates):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, reduction, dilation)
        self.spatial = SequentialOfAll(channels, dilation=dilation)


# receptive-field


@right("receptive-field")
def side_and_step(layers):
    side, step = 1, 1
    for kernel, stride, dilation in layers:
        side += dilation * (kernel - 1) * step
        step *= stride
    return side


@right("receptive-field")
def sum_of_products(layers):
    return 1 + sum(d * (k - 1) * math.prod(s for _, s, _ in layers[:i]) for i, (k, _, d) in enumerate(layers))


@right("receptive-field")
def from_output_to_input(layers):
    side = 1
    for kernel, stride, dilation in reversed(layers):
        side = (side - 1) * stride + dilation * (kernel - 1) + 1
    return float(side)


@wrong("receptive-field", "dilation-ignored")
def no_dilation(layers):
    side, step = 1, 1
    for kernel, stride, _ in layers:
        side += (kernel - 1) * step
        step *= stride
    return side


@wrong("receptive-field", "side-times-stride", passes="dilation")
def back_from_the_output(layers):
    side = 1
    for kernel, stride, dilation in layers[::-1]:
        side = stride * side + (kernel - 1) * dilation
    return side


@wrong("receptive-field", "stride-ignored", passes="dilation")
def no_stride(layers):
    return 1 + sum(d * (k - 1) for k, _, d in layers)


@wrong("receptive-field", "kernel-not-less-one")
def whole_kernels(layers):
    side, step = 1, 1
    for k, s, d in layers:
        side += k * d * step
        step *= s
    return side


@wrong("receptive-field", "one-forgotten")
def starts_at_zero(layers):
    side, step = 0, 1
    for k, s, d in layers:
        side += (k - 1) * d * step
        step *= s
    return side


@wrong("receptive-field", "own-stride", passes="dilation")
def step_first(layers):
    side, step = 1, 1
    for k, s, d in layers:
        step *= s
        side += (k - 1) * d * step
    return side


@wrong("receptive-field", "own-stride", passes="dilation")
def times_its_stride(layers):
    side = 1
    for kernel, stride, dilation in layers:
        side = side + dilation * (kernel - 1) * stride
    return side


@wrong("receptive-field", "wrong-order")
def dilation_before_stride(layers):
    side, step = 1, 1
    for kernel, dilation, stride in layers:
        side += dilation * (kernel - 1) * step
        step *= stride
    return side


@wrong("receptive-field", "first-layer-only")
def returns_at_once(layers):
    side, step = 1, 1
    for kernel, stride, dilation in layers:
        side += dilation * (kernel - 1) * step
        step *= stride
        return side


@wrong("receptive-field", "brackets-missing")
def brackets_missing(layers):
    side, step = 1, 1
    for kernel, stride, dilation in layers:
        side += (dilation * kernel - 1) * step
        step *= stride
    return side


@wrong("receptive-field", "last-stride-only", passes="dilation")
def previous_stride(layers):
    side, before = 1, 1
    for k, s, d in layers:
        side += (k - 1) * d * before
        before = s
    return side


@wrong("receptive-field", "product")
def multiplied(layers):
    return math.prod(d * (k - 1) + 1 for k, s, d in layers)


@wrong("receptive-field", "largest-layer")
def the_largest(layers):
    return max(d * (k - 1) + 1 for k, s, d in layers)


@wrong("receptive-field", "from-the-end", passes="dilation")
def read_backwards(layers):
    side, step = 1, 1
    for k, s, d in reversed(layers):
        side += (k - 1) * d * step
        step *= s
    return side


@wrong("receptive-field", "changes-its-input", passes="stride")
def empties_the_list(layers):
    side, step = 1, 1
    while layers:
        k, s, d = layers.pop(0)
        side += (k - 1) * d * step
        step *= s
    return side


# debug-bam, channel


@right("debug-bam-channel")
class RepairedChannel(nn.Module):
    def __init__(self, in_channels, ratio=16):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(in_channels, in_channels // ratio),
            nn.BatchNorm1d(in_channels // ratio),
            nn.ReLU(inplace=True),
            nn.Linear(in_channels // ratio, in_channels),
        )

    def forward(self, x):
        output = self.avgpool(x)
        output = output.view(output.size(0), -1)
        output = self.fc(output)
        return output[:, :, None, None].expand_as(x)


@right("debug-bam-channel")
class RepairedNotExpanded(RepairedChannel):
    def forward(self, x):
        return self.fc(self.avgpool(x).flatten(1)).unsqueeze(2).unsqueeze(3)


@right("debug-bam-channel")
class RepairedWithConvolutions(ConvolutionsExpanded):
    pass


@right("debug-bam-channel")
class RepairedWithoutABias(LayersOneByOne):
    pass


@wrong("debug-bam-channel", "init-without-self")
class ChannelAsFound(nn.Module):
    def __init__(in_channels, ratio):  # noqa: N805
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)  # noqa: F821
        self.fc = nn.Linear(in_channels, in_channels // ratio)  # noqa: F821


@wrong("debug-bam-channel", "output-before-it-exists", passes="")
class OutputUnknown(RepairedChannel):
    def forward(self, x):
        output = self.avgpool(output)  # noqa: F821
        output = output.view(output.size(0), -1)
        return self.fc(output).expand_as(x)


@wrong("debug-bam-channel", "norm-of-maps")
class NormOfMaps(RepairedChannel):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        self.fc[1] = nn.BatchNorm2d(in_channels // ratio)


@wrong("debug-bam-channel", "not-flattened")
class NotFlattened(RepairedChannel):
    def forward(self, x):
        return self.fc(self.avgpool(x)).expand_as(x)


@wrong("debug-bam-channel", "expanded-flat")
class ExpandedFlat(RepairedChannel):
    def forward(self, x):
        return self.fc(self.avgpool(x).view(len(x), -1)).expand_as(x)


@wrong("debug-bam-channel", "norm-and-relu-last", passes="runs")
class OnlyTheCrashesRepaired(RepairedChannel):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        self.fc.append(nn.BatchNorm1d(in_channels))
        self.fc.append(nn.ReLU(inplace=True))


@wrong("debug-bam-channel", "norm-last", passes="runs")
class LastReLURemoved(RepairedChannel):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        self.fc.append(nn.BatchNorm1d(in_channels))


@wrong("debug-bam-channel", "relu-last", passes="runs")
class LastNormRemoved(RepairedChannel):
    def forward(self, x):
        return super().forward(x).relu()


@wrong("debug-bam-channel", "norm-after-relu", passes="runs")
class NormBehindTheReLU(RepairedChannel):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        first, norm, relu, second = self.fc
        self.fc = nn.Sequential(first, nn.ReLU(), norm, second)


@wrong("debug-bam-channel", "no-norm", passes="runs")
class NormsDeleted(RepairedChannel):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        del self.fc[1]


@wrong("debug-bam-channel", "no-relu", passes="runs")
class BothReLUsDeleted(RepairedChannel):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        self.fc = nn.Sequential(*[layer for layer in self.fc if not isinstance(layer, nn.ReLU)])


@wrong("debug-bam-channel", "sigmoid-inside", passes="runs")
class SigmoidAlready(RepairedChannel):
    def forward(self, x):
        return torch.sigmoid(super().forward(x))


@wrong("debug-bam-channel", "flat")
class ExpandRemoved(RepairedChannel):
    def forward(self, x):
        return self.fc(self.avgpool(x).flatten(1))


# debug-bam, spatial


@right("debug-bam-spatial")
class RepairedSpatial(nn.Module):
    def __init__(self, in_channels, ratio=16):
        super().__init__()
        hidden = in_channels // ratio
        self.conv1x1 = nn.Sequential(nn.Conv2d(in_channels, hidden, 1), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True))
        self.dilation_conv = nn.Sequential(
            nn.Conv2d(hidden, hidden, 3, padding=4, dilation=4),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, padding=4, dilation=4),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
        )
        self.conv1x1_final = nn.Sequential(nn.Conv2d(hidden, 1, 1))

    def forward(self, x):
        output = self.conv1x1(x)
        output = self.dilation_conv(output)
        output = self.conv1x1_final(output)
        return output.expand_as(x)


@right("debug-bam-spatial")
class RepairedInOneLine(RepairedSpatial):
    def forward(self, x):
        return self.conv1x1_final(self.dilation_conv(self.conv1x1(x)))


@right("debug-bam-spatial")
class RepairedAndRewritten(DefinedBackwards):
    pass


@right("debug-bam-spatial")
class RepairedWithLists(BlocksInAList):
    pass


@wrong("debug-bam-spatial", "forward-inside-init", passes="")
class SpatialAsFound(nn.Module):
    def __init__(self, in_channels, ratio=16):
        super().__init__()
        hidden = in_channels // ratio
        self.conv1x1 = nn.Sequential(nn.Conv2d(in_channels, hidden, 1), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True))
        self.dilation_conv = nn.Sequential(
            nn.Conv2d(hidden, hidden, 3, padding=4, dilation=4),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, padding=4, dilation=4),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
        )
        self.conv1x1_final = nn.Sequential(nn.Conv2d(hidden, 1, 1))

        def forward(self, x):
            return self.conv1x1(x)


@wrong("debug-bam-spatial", "output-before-it-exists")
class SpatialOutputUnknown(RepairedSpatial):
    def forward(self, x):
        output = self.conv1x1(output)  # noqa: F821
        output = self.dilation_conv(output)
        return self.conv1x1_final(output).expand_as(x)


@wrong("debug-bam-spatial", "self-missing")
class SelfMissing(RepairedSpatial):
    def forward(self, x):
        output = self.conv1x1(x)
        output = self.dilation_conv(output)
        output = conv1x1_final(output)  # noqa: F821
        return output.expand_as(x)


@wrong("debug-bam-spatial", "padding")
class PaddingOfOne(RepairedSpatial):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        for i in (0, 3):
            self.dilation_conv[i].padding = (1, 1)

    def forward(self, x):
        return self.conv1x1_final(self.dilation_conv(self.conv1x1(x)))


@wrong("debug-bam-spatial", "no-dilation", passes="runs")
class DilationDropped(RepairedSpatial):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        for i in (0, 3):
            self.dilation_conv[i].padding = self.dilation_conv[i].dilation = (1, 1)


@wrong("debug-bam-spatial", "norm-and-relu-last", passes="runs")
class ClosedLikeTheOthers(RepairedSpatial):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        self.conv1x1_final.append(nn.BatchNorm2d(1))
        self.conv1x1_final.append(nn.ReLU())


@wrong("debug-bam-spatial", "norm-last", passes="runs")
class ClosedByANorm(RepairedSpatial):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        self.conv1x1_final.append(nn.BatchNorm2d(1))


@wrong("debug-bam-spatial", "relu-last", passes="runs")
class ClosedByAReLU(RepairedSpatial):
    def forward(self, x):
        return torch.relu(super().forward(x))


@wrong("debug-bam-spatial", "sigmoid-inside", passes="runs")
class SigmoidTooEarly(RepairedSpatial):
    def forward(self, x):
        return torch.sigmoid(super().forward(x))


@wrong("debug-bam-spatial", "one-dilated-convolution", passes="runs")
class HalfOfTheDilatedConvolutions(RepairedSpatial):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        self.dilation_conv = self.dilation_conv[:3]


# debug-bam, bam


@right("debug-bam-bam")
class RepairedBAM(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.channel_attention = RepairedChannel(in_channels)
        self.spatial_attention = RepairedSpatial(in_channels)

    def forward(self, x):
        bam_attention = 1 + torch.sigmoid(self.channel_attention(x) + self.spatial_attention(x))
        return bam_attention * x


@right("debug-bam-bam")
class RepairedWithAModule(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.channel_attention = RepairedNotExpanded(in_channels, 16)
        self.spatial_attention = RepairedAndRewritten(in_channels, 16)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        return x + x * self.sigmoid(self.spatial_attention(x) + self.channel_attention(x))


@right("debug-bam-bam")
class RepairedWithDefaults(AllInOne):
    pass


@right("debug-bam-bam")
class RepairedWithAddcmul(WithAddcmul):
    pass


class NeedsARatio(nn.Module):
    def __init__(self, in_channels, ratio):
        super().__init__()


@wrong("debug-bam-bam", "ratio-missing")
class BAMAsFound(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.channel_attention = NeedsARatio(in_channels)
        self.spatial_attention = NeedsARatio(in_channels)


@wrong("debug-bam-bam", "in-tensor-unknown")
class InTensorUnknown(RepairedBAM):
    def forward(self, x):
        return (1 + nn.Sigmoid(self.channel_attention(in_tensor) + self.spatial_attention(in_tensor))) * x  # noqa: F821


@wrong("debug-bam-bam", "sigmoid-module-called-on-a-tensor")
class SigmoidOfATensor(RepairedBAM):
    def forward(self, x):
        bam_attention = 1 + nn.Sigmoid(self.channel_attention(x) + self.spatial_attention(x))
        return bam_attention * x


@wrong("debug-bam-bam", "product", passes="runs")
class MultipliedAsReleased(RepairedBAM):
    def forward(self, x):
        return (1 + torch.sigmoid(self.channel_attention(x) * self.spatial_attention(x))) * x


@wrong("debug-bam-bam", "one-lost", passes="runs")
class OneForgotten(RepairedBAM):
    def forward(self, x):
        return torch.sigmoid(self.channel_attention(x) + self.spatial_attention(x)) * x


@wrong("debug-bam-bam", "no-sigmoid", passes="runs")
class SigmoidDeleted(RepairedBAM):
    def forward(self, x):
        return (1 + self.channel_attention(x) + self.spatial_attention(x)) * x


@wrong("debug-bam-bam", "sigmoid-each", passes="runs")
class SigmoidForEach(RepairedBAM):
    def forward(self, x):
        return (1 + self.channel_attention(x).sigmoid() + self.spatial_attention(x).sigmoid()) * x


@wrong("debug-bam-bam", "gate-added", passes="runs")
class PlusInsteadOfTimes(RepairedBAM):
    def forward(self, x):
        return torch.sigmoid(self.channel_attention(x) + self.spatial_attention(x)) + x


@wrong("debug-bam-bam", "gate-returned", passes="runs")
class ProductForgotten(RepairedBAM):
    def forward(self, x):
        return 1 + torch.sigmoid(self.channel_attention(x) + self.spatial_attention(x))
