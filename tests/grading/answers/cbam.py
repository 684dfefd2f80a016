"""Answers to lesson 03, as learners write them."""

import torch
from bank import right, wrong
from torch import nn
from torch.nn import functional as F

# channel-attention


@right("channel-attention")
class SharedMLP(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels // reduction),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels),
        )

    def weights(self, x):
        avg = self.mlp(x.mean(dim=(2, 3)))
        mx = self.mlp(x.amax(dim=(2, 3)))
        return torch.sigmoid(avg + mx)[:, :, None, None]

    def forward(self, x):
        return x * self.weights(x)


@right("channel-attention")
class OneByOneConvolutions(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.max_pool = nn.AdaptiveMaxPool2d(1)
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1, bias=False)
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1, bias=False)

    def weights(self, x):
        outs = [self.fc2(F.relu_(self.fc1(pool(x)))) for pool in (self.max_pool, self.avg_pool)]
        return sum(outs).sigmoid()

    def forward(self, x):
        return self.weights(x).expand_as(x) * x


@right("channel-attention")
class RawParameters(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        hidden = channels // reduction
        self.w0 = nn.Parameter(torch.randn(channels, hidden) * 0.1)
        self.w1 = nn.Parameter(torch.randn(hidden, channels) * 0.1)
        self.b0 = nn.Parameter(torch.zeros(hidden))

    def weights(self, x):
        flat = x.flatten(2)
        both = torch.stack([flat.mean(2), flat.max(2)[0]])
        hidden = torch.clamp(torch.einsum("pnc,ch->pnh", both, self.w0) + self.b0, min=0)
        return 1 / (1 + torch.exp(-torch.einsum("pnh,hc->nc", hidden, self.w1)))[:, :, None, None]

    def forward(self, x):
        return torch.einsum("nchw,ncij->nchw", x, self.weights(x))


@right("channel-attention")
class SecondLayerOnce(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.register_buffer("seen", torch.zeros(3))
        self.up = nn.Linear(channels // reduction, channels)
        self.down = nn.Linear(channels, channels // reduction, bias=False)

    def weights(self, x):
        h = self.down(x.mean((-2, -1))).relu() + self.down(x.amax((-2, -1))).relu()
        return self.up(h).sigmoid().unsqueeze(-1).unsqueeze(-1)

    def forward(self, x):
        return x.mul(self.weights(x))


@right("channel-attention")
class BatchedPools(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        hidden = channels // reduction
        self.net = nn.ModuleList([nn.Linear(channels, hidden), nn.Linear(hidden, channels)])

    def weights(self, x):
        n, c, h, w = x.shape
        pooled = torch.cat([F.avg_pool2d(x, (h, w)), F.max_pool2d(x, (h, w))]).view(2 * n, c)
        out = self.net[1](torch.relu(self.net[0](pooled)))
        return torch.sigmoid(out[:n] + out[n:]).view(n, c, 1, 1)

    def forward(self, x):
        y = x.clone()
        y *= self.weights(x)
        return y


class Channel(nn.Module):
    """What most wrong answers get right."""

    def __init__(self, channels, reduction=16):
        super().__init__()
        self.fc1 = nn.Linear(channels, channels // reduction)
        self.fc2 = nn.Linear(channels // reduction, channels)

    def mlp(self, z):
        return self.fc2(torch.relu(self.fc1(z)))

    def weights(self, x):
        return torch.sigmoid(self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3))))[:, :, None, None]

    def forward(self, x):
        return x * self.weights(x)


@wrong("channel-attention", "both-max", passes="shapes parameters gradients")
class TwoMaximumPools(Channel):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.maxpool = nn.AdaptiveMaxPool2d(1)
        self.avgpool = nn.AdaptiveMaxPool2d(1)

    def weights(self, x):
        out = self.mlp(self.maxpool(x).flatten(1)) + self.mlp(self.avgpool(x).flatten(1))
        return torch.sigmoid(out)[:, :, None, None]


@wrong("channel-attention", "both-average", passes="shapes parameters gradients")
class TwoAverages(Channel):
    def weights(self, x):
        y = x.mean((2, 3))
        return torch.sigmoid(self.mlp(y) + self.mlp(y))[:, :, None, None]


@wrong("channel-attention", "no-max", passes="shapes parameters gradients")
class MaximumComputedButUnused(Channel):
    def weights(self, x):
        avg, _ = x.mean((2, 3)), x.amax((2, 3))
        return torch.sigmoid(self.mlp(avg))[:, :, None, None]


@wrong("channel-attention", "no-average", passes="shapes parameters gradients")
class MaximumOnly(Channel):
    def weights(self, x):
        return torch.sigmoid(self.mlp(x.amax((2, 3))))[:, :, None, None]


@wrong("channel-attention", "two-mlps", passes="shapes gradients")
class AnMLPEach(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()

        def mlp():
            return nn.Sequential(
                nn.Linear(channels, channels // reduction), nn.ReLU(), nn.Linear(channels // reduction, channels)
            )

        self.avg_mlp, self.max_mlp = mlp(), mlp()

    def weights(self, x):
        return torch.sigmoid(self.avg_mlp(x.mean((2, 3))) + self.max_mlp(x.amax((2, 3))))[:, :, None, None]

    def forward(self, x):
        return x * self.weights(x)


@wrong("channel-attention", "mlp-of-the-sum", passes="shapes parameters gradients")
class AddedBeforeTheMLP(Channel):
    def weights(self, x):
        return torch.sigmoid(self.mlp(x.amax((2, 3)) + x.mean((2, 3))))[:, :, None, None]


@wrong("channel-attention", "concatenated", passes="shapes gradients")
class Concatenated(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.a = nn.Linear(2 * channels, channels // reduction)
        self.b = nn.Linear(channels // reduction, channels)

    def weights(self, x):
        z = torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1)
        return torch.sigmoid(self.b(torch.relu(self.a(z))))[:, :, None, None]

    def forward(self, x):
        return x * self.weights(x)


@wrong("channel-attention", "product", passes="shapes parameters gradients")
class ScoresMultiplied(Channel):
    def weights(self, x):
        return torch.sigmoid(self.mlp(x.mean((2, 3))) * self.mlp(x.amax((2, 3))))[:, :, None, None]


@wrong("channel-attention", "sigmoid-each", passes="shapes parameters gradients")
class TwoSigmoids(Channel):
    def weights(self, x):
        gate = torch.sigmoid(self.mlp(x.mean((2, 3)))) + torch.sigmoid(self.mlp(x.amax((2, 3))))
        return gate[:, :, None, None]


@wrong("channel-attention", "sigmoids-averaged", passes="shapes parameters gradients")
class MeanOfTwoGates(Channel):
    def weights(self, x):
        of_average = torch.sigmoid(self.mlp(x.mean((2, 3))))
        of_maximum = torch.sigmoid(self.mlp(x.amax((2, 3))))
        return ((of_average + of_maximum) / 2).unsqueeze(-1).unsqueeze(-1)


@wrong("channel-attention", "max-over-two-axes", passes="parameters")
class MaxOverTwoAxes(Channel):
    def weights(self, x):
        average, largest = x.mean((2, 3)), x.max((2, 3))
        return torch.sigmoid(self.mlp(average) + self.mlp(largest))[:, :, None, None]


@wrong("channel-attention", "max-over-two-axes", passes="parameters")
class MaxOverTwoNamedAxes(OneByOneConvolutions):
    def weights(self, x):
        avg_out = self.fc2(F.relu(self.fc1(torch.mean(x, dim=(2, 3), keepdim=True))))
        max_out = self.fc2(F.relu(self.fc1(torch.max(x, dim=(2, 3), keepdim=True))))
        return torch.sigmoid(avg_out + max_out)


@wrong("channel-attention", "no-sigmoid", passes="shapes parameters gradients")
class NoSigmoid(Channel):
    def weights(self, x):
        return (self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3))))[:, :, None, None]


@wrong("channel-attention", "softmax-not-sigmoid", passes="shapes parameters gradients")
class SoftmaxOverChannels(Channel):
    def weights(self, x):
        return F.softmax(self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3))), dim=1)[:, :, None, None]


@wrong("channel-attention", "sigmoid-twice", passes="shapes parameters gradients")
class SigmoidTwice(Channel):
    def weights(self, x):
        return super().weights(x).sigmoid()


@wrong("channel-attention", "relu-before-sigmoid", passes="shapes parameters gradients")
class ReLUAtTheEnd(Channel):
    def weights(self, x):
        y = F.relu(self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3))))
        return torch.sigmoid(y)[:, :, None, None]


@wrong("channel-attention", "no-relu", passes="shapes parameters gradients")
class NoReLU(Channel):
    def mlp(self, z):
        return self.fc2(self.fc1(z))


@wrong("channel-attention", "batch-mixed", passes="shapes parameters gradients")
class PoolsTheBatch(Channel):
    def weights(self, x):
        y = self.mlp(x.mean((0, 2, 3))) + self.mlp(x.amax((0, 2, 3)))
        return torch.sigmoid(y)[None, :, None, None].repeat(len(x), 1, 1, 1)


@wrong("channel-attention", "no-mlp", passes="shapes")
class NoLayers(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()

    def weights(self, x):
        return torch.sigmoid(x.mean((2, 3), keepdim=True) + x.amax((2, 3), keepdim=True))

    def forward(self, x):
        return x * self.weights(x)


@wrong("channel-attention", "no-bottleneck", passes="shapes gradients")
class OneLayer(Channel):
    def __init__(self, channels, reduction=16):
        nn.Module.__init__(self)
        self.fc = nn.Linear(channels, channels, bias=False)

    def mlp(self, z):
        return self.fc(z)


@wrong("channel-attention", "reduction-as-width", passes="shapes gradients")
class ReductionAsWidth(Channel):
    def __init__(self, channels, reduction=16):
        nn.Module.__init__(self)
        self.fc1 = nn.Linear(channels, reduction)
        self.fc2 = nn.Linear(reduction, channels, bias=False)


@wrong("channel-attention", "reduction-ignored", passes="shapes gradients")
class ReductionIgnored(Channel):
    def __init__(self, channels, reduction=16):
        super().__init__(channels)


@wrong("channel-attention", "width-rounded", passes="shapes gradients")
class WidthRounded(Channel):
    def __init__(self, channels, reduction=16):
        nn.Module.__init__(self)
        hidden = round(channels / reduction)
        self.fc1, self.fc2 = nn.Linear(channels, hidden), nn.Linear(hidden, channels)


@wrong("channel-attention", "other-activation", passes="shapes parameters gradients")
class LeakyMLP(Channel):
    def mlp(self, z):
        return self.fc2(F.leaky_relu(self.fc1(z)))


@wrong("channel-attention", "hard-sigmoid", passes="shapes parameters gradients")
class HardGate(Channel):
    def weights(self, x):
        return F.hardsigmoid(self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3))))[:, :, None, None]


@wrong("channel-attention", "gate-shape", passes="parameters gradients")
class FlatGate(Channel):
    def weights(self, x):
        return super().weights(x)[:, :, 0, 0]

    def forward(self, x):
        return x * super().weights(x)


@wrong("channel-attention", "gate-returned", passes="parameters gradients")
class ReturnsTheGate(Channel):
    def forward(self, x):
        return self.weights(x)


@wrong("channel-attention", "residual-inside", passes="shapes parameters gradients")
class ResidualInside(Channel):
    def forward(self, x):
        return x + x * self.weights(x)


@wrong("channel-attention", "gate-added", passes="shapes parameters gradients")
class GateAdded(Channel):
    def forward(self, x):
        return x + self.weights(x)


@wrong("channel-attention", "detached", passes="shapes parameters values")
class Detached(Channel):
    def forward(self, x):
        return x * self.weights(x.detach())


@wrong("channel-attention", "changes-its-input", passes="parameters values")
class InPlace(Channel):
    def forward(self, x):
        return x.mul_(self.weights(x))


@wrong("channel-attention", "unregistered", passes="shapes")
class HiddenInAList(Channel):
    def __init__(self, channels, reduction=16):
        nn.Module.__init__(self)
        self.layers = [nn.Linear(channels, channels // reduction), nn.Linear(channels // reduction, channels)]

    def mlp(self, z):
        return self.layers[1](self.layers[0](z).relu())


# spatial-attention


@right("spatial-attention")
class AverageThenMaximum(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(1)

    def weights(self, x):
        avg = x.mean(dim=1, keepdim=True)
        mx = x.max(dim=1, keepdim=True).values
        return torch.sigmoid(self.bn(self.conv(torch.cat([avg, mx], dim=1))))

    def forward(self, x):
        return x * self.weights(x)


@right("spatial-attention")
class MaximumThenAverage(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.spatial = nn.Sequential(
            nn.Conv2d(2, 1, kernel_size, padding=(kernel_size - 1) // 2, bias=False),
            nn.BatchNorm2d(1, momentum=0.01),
            nn.Sigmoid(),
        )

    def weights(self, x):
        return self.spatial(torch.cat((torch.max(x, 1)[0].unsqueeze(1), torch.mean(x, 1).unsqueeze(1)), dim=1))

    def forward(self, x):
        return torch.mul(self.weights(x), x)


@right("spatial-attention")
class Functional(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.normalise = nn.BatchNorm2d(1)
        self.kernel = nn.Parameter(torch.randn(1, 2, kernel_size, kernel_size) * 0.1)

    def weights(self, x):
        maps = torch.stack([x.amax(1), x.mean(1)], 1)
        return self.normalise(F.conv2d(maps, self.kernel, padding=self.kernel.shape[-1] // 2)).sigmoid_()

    def forward(self, x):
        return torch.einsum("nchw,nhw->nchw", x, self.weights(x)[:, 0])


@right("spatial-attention")
class PaddedByHand(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.register_buffer("middle", torch.tensor(0.5))
        self.pad = nn.ZeroPad2d(kernel_size // 2)
        self.conv = nn.Conv2d(2, 1, kernel_size, bias=False)
        self.bn = nn.BatchNorm2d(1)

    def weights(self, x):
        n, c, h, w = x.shape
        pooled = x.new_empty(n, 2, h, w)
        pooled[:, 0] = x.sum(1) / c
        pooled[:, 1] = x.max(1).values
        return self.middle + self.middle * torch.tanh(self.middle * self.bn(self.conv(self.pad(pooled))))

    def forward(self, x):
        return x * self.weights(x)


@right("spatial-attention")
class AKernelEach(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.of_max = nn.Conv2d(1, 1, kernel_size, padding="same", bias=False)
        self.of_avg = nn.Conv2d(1, 1, kernel_size, padding="same", bias=False)
        self.bn = nn.BatchNorm2d(1)

    def weights(self, x):
        scores = self.of_avg(x.mean(1, keepdim=True)) + self.of_max(x.amax(1, keepdim=True))
        return torch.sigmoid(self.bn(scores))

    def forward(self, x):
        return x * self.weights(x)


class Spatial(AverageThenMaximum):
    """What most wrong answers get right."""

    def maps(self, x):
        return torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)

    def scores(self, x):
        return self.bn(self.conv(self.maps(x)))

    def weights(self, x):
        return torch.sigmoid(self.scores(x))


@wrong("spatial-attention", "both-max", passes="shapes parameters gradients")
class BothMaximum(Spatial):
    def maps(self, x):
        max_output, _ = torch.max(x, dim=1, keepdim=True)
        avg_output, _ = torch.max(x, dim=1, keepdim=True)
        return torch.cat([max_output, avg_output], dim=1)


@wrong("spatial-attention", "both-average", passes="shapes parameters gradients")
class BothAverage(Spatial):
    def maps(self, x):
        return x.mean(1, keepdim=True).repeat(1, 2, 1, 1)


@wrong("spatial-attention", "no-norm", passes="shapes gradients")
class ThePapersEquation(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2)

    def weights(self, x):
        maps = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
        return torch.sigmoid(self.conv(maps))

    def forward(self, x):
        return x * self.weights(x)


@wrong("spatial-attention", "average-only", passes="shapes gradients")
class AverageOnly(Spatial):
    def __init__(self, kernel_size=7):
        super().__init__(kernel_size)
        self.conv = nn.Conv2d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def maps(self, x):
        return x.mean(1, keepdim=True)


@wrong("spatial-attention", "maximum-only", passes="shapes gradients")
class OnlyTheMaximum(AverageOnly):
    def maps(self, x):
        return x.amax(1)[:, None]


@wrong("spatial-attention", "maps-added", passes="shapes gradients")
class MapsAdded(AverageOnly):
    def maps(self, x):
        return x.mean(1, keepdim=True) + x.amax(1, keepdim=True)


@wrong("spatial-attention", "no-norm", passes="shapes gradients")
class AsInThePaper(Spatial):
    def __init__(self, kernel_size=7):
        super().__init__(kernel_size)
        del self.bn

    def scores(self, x):
        return self.conv(self.maps(x))


@wrong("spatial-attention", "conv-bias", passes="shapes gradients")
class WithABias(Spatial):
    def __init__(self, kernel_size=7):
        super().__init__(kernel_size)
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2)


@wrong("spatial-attention", "norm-first", passes="shapes gradients")
class NormalisesTheMaps(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(2), nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False), nn.Sigmoid()
        )

    def weights(self, x):
        return self.layers(torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1))

    def forward(self, x):
        return x * self.weights(x)


@wrong("spatial-attention", "norm-unused", passes="shapes parameters")
class NormForgottenInForward(Spatial):
    def weights(self, x):
        scores = self.conv(self.maps(x))
        return torch.sigmoid(scores)


@wrong("spatial-attention", "indices-not-values", passes="shapes parameters gradients")
class WhichChannelIsLargest(Spatial):
    def maps(self, x):
        return torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[1]], dim=1)


@wrong("spatial-attention", "norm-after-sigmoid", passes="shapes parameters gradients")
class NormLast(Spatial):
    def weights(self, x):
        return self.bn(torch.sigmoid(self.conv(self.maps(x))))


@wrong("spatial-attention", "padding", passes="parameters")
class NoPadding(Spatial):
    def __init__(self, kernel_size=7):
        super().__init__(kernel_size)
        self.conv = nn.Conv2d(2, 1, kernel_size, bias=False)


@wrong("spatial-attention", "padding", passes="parameters")
class PaddingForSeven(Spatial):
    def __init__(self, kernel_size=7):
        super().__init__(kernel_size)
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=3, bias=False)


@wrong("spatial-attention", "keepdim-missing", passes="parameters")
class NoKeepdim(Spatial):
    def maps(self, x):
        max_output, _ = torch.max(x, dim=1)
        avg_output = torch.mean(x, dim=1)
        return torch.cat([max_output, avg_output], dim=1)


@wrong("spatial-attention", "pooled-over-positions", passes="parameters")
class PooledOverPositions(Spatial):
    def maps(self, x):
        return torch.cat([x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)], dim=1)


@wrong("spatial-attention", "no-sigmoid", passes="shapes parameters gradients")
class RawScores(Spatial):
    def weights(self, x):
        return self.scores(x)


@wrong("spatial-attention", "softmax-not-sigmoid", passes="shapes parameters gradients")
class SoftmaxOverPositions(Spatial):
    def weights(self, x):
        s = self.scores(x)
        return s.flatten(1).softmax(1).view(s.shape)


@wrong("spatial-attention", "sigmoid-twice", passes="shapes parameters gradients")
class TwiceThroughTheSigmoid(Spatial):
    def forward(self, x):
        return x * self.weights(x)

    def weights(self, x):
        return torch.sigmoid(torch.sigmoid(self.scores(x)))


@wrong("spatial-attention", "relu-before-sigmoid", passes="shapes parameters gradients")
class ReLUBeforeTheSigmoid(Spatial):
    def weights(self, x):
        return torch.sigmoid(F.relu(self.scores(x)))


@wrong("spatial-attention", "kernel-size-ignored", passes="shapes gradients")
class AlwaysSeven(Spatial):
    def __init__(self, kernel_size=7):
        super().__init__(7)


@wrong("spatial-attention", "gate-shape", passes="parameters gradients")
class GateWithoutItsAxis(Spatial):
    def weights(self, x):
        return super().weights(x)[:, 0]

    def forward(self, x):
        return x * self.weights(x).unsqueeze(1)


@wrong("spatial-attention", "gate-returned", passes="parameters gradients")
class GateOnly(Spatial):
    def forward(self, x):
        return self.weights(x)


@wrong("spatial-attention", "residual-inside", passes="shapes parameters gradients")
class SpatialWithResidual(Spatial):
    def forward(self, x):
        return x * (1 + self.weights(x))


@wrong("spatial-attention", "gate-added", passes="shapes parameters gradients")
class AddsTheGate(Spatial):
    def forward(self, x):
        return x + self.weights(x)


@wrong("spatial-attention", "images-mixed", passes="shapes parameters gradients")
class BatchStatisticsAlways(Spatial):
    def scores(self, x):
        y = self.conv(self.maps(x))
        return F.batch_norm(y, None, None, self.bn.weight, self.bn.bias, training=True)


# cbam


class ChannelPart(OneByOneConvolutions):
    pass


@right("cbam")
class TwoParts(nn.Module):
    def __init__(self, channels, reduction=16, kernel_size=7):
        super().__init__()
        self.ca = SharedMLP(channels, reduction)
        self.sa = AverageThenMaximum(kernel_size)

    def forward(self, x):
        return self.sa(self.ca(x))


@right("cbam")
class InASequence(nn.Sequential):
    def __init__(self, channels, reduction=16, kernel_size=7):
        super().__init__(ChannelPart(channels, reduction), MaximumThenAverage(kernel_size))


@right("cbam")
class GatesByHand(nn.Module):
    def __init__(self, channels, reduction=16, kernel_size=7):
        super().__init__()
        self.where = AKernelEach(kernel_size)
        self.what = SecondLayerOnce(channels, reduction)

    def forward(self, x):
        x = x * self.what.weights(x)
        return x * self.where.weights(x)


@right("cbam")
class AllInOne(nn.Module):
    def __init__(self, channels, reduction=16, kernel_size=7):
        super().__init__()
        self.fc1 = nn.Linear(channels, channels // reduction)
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(1)
        self.fc2 = nn.Linear(channels // reduction, channels, bias=False)

    def forward(self, x):
        a, m = x.mean((2, 3)), x.amax((2, 3))
        c = torch.sigmoid(self.fc2(F.relu(self.fc1(a)) + F.relu(self.fc1(m))))
        y = x * c[..., None, None]
        s = self.bn(self.conv(torch.stack((y.amax(1), y.mean(1)), 1))).sigmoid()
        return y * s


@wrong("cbam", "spatial-first", passes="parameters")
class SpatialFirst(TwoParts):
    def forward(self, x):
        x = self.sa(x)
        return self.ca(x)


@wrong("cbam", "both-from-x", passes="parameters")
class BothGatesFromX(TwoParts):
    def forward(self, x):
        return x * self.ca.weights(x) * self.sa.weights(x)


@wrong("cbam", "in-parallel", passes="parameters")
class InParallel(TwoParts):
    def forward(self, x):
        return self.ca(x) + self.sa(x)


@wrong("cbam", "in-parallel", passes="parameters")
class GatesAdded(TwoParts):
    def forward(self, x):
        return (self.ca.weights(x) + self.sa.weights(x)) * x


@wrong("cbam", "channel-only", passes="parameters")
class SpatialForgotten(TwoParts):
    def forward(self, x):
        out = self.ca(x)
        _ = self.sa(out)
        return out


@wrong("cbam", "spatial-only", passes="parameters")
class ChannelForgotten(TwoParts):
    def forward(self, x):
        self.ca(x)
        return self.sa(x)


@wrong("cbam", "refined-map-lost", passes="parameters")
class RefinedMapLost(TwoParts):
    def forward(self, x):
        refined = self.ca(x)
        return x * self.sa.weights(refined)


@wrong("cbam", "residual-inside", passes="parameters")
class WithItsOwnSkip(TwoParts):
    def forward(self, x):
        return self.sa(self.ca(x)) + x


@wrong("cbam", "gated-twice", passes="parameters")
class MultipliesOnceMore(TwoParts):
    def forward(self, x):
        return x * self.sa(self.ca(x))


@wrong("cbam", "kernel-size-not-passed")
class KernelSizeForgotten(nn.Module):
    def __init__(self, channels, reduction=16, kernel_size=7):
        super().__init__()
        self.ca = SharedMLP(channels, reduction)
        self.sa = MaximumThenAverage()

    def forward(self, x):
        return self.sa(self.ca(x))


@wrong("cbam", "reduction-not-passed")
class ReductionForgotten(nn.Module):
    def __init__(self, channels, reduction=16, kernel_size=7):
        super().__init__()
        self.ca = OneByOneConvolutions(channels)
        self.sa = AverageThenMaximum(kernel_size)

    def forward(self, x):
        return self.sa(self.ca(x))


# which-order


@right("which-order")
def columns_reversed(block, x):
    def channel_gates(x):
        gate = block(x) / x
        return gate / gate[:, :1]

    return torch.allclose(channel_gates(x), channel_gates(x.flip(-1)), rtol=1e-4)


@right("which-order")
def positions_shuffled(block, x):
    places = torch.randperm(x.shape[2] * x.shape[3])
    shuffled = x.flatten(2)[:, :, places].view_as(x)
    profiles = []
    for maps in (x, shuffled):
        gate = (block(maps) / maps).flatten(2)
        profiles.append(gate[:, :, 0] / gate[:, :, 0].norm(dim=1, keepdim=True))
    return bool((profiles[0] - profiles[1]).abs().max() < 1e-5)


@right("which-order")
def channels_shuffled(block, x):
    """The other way round: a first spatial gate does not notice in which order the channels stand."""

    def spatial_gates(x):
        gate = block(x) / x
        return gate / gate[:, :, :1, :1]

    reversed_channels = spatial_gates(x.flip(1)).flip(1)
    return not torch.allclose(spatial_gates(x)[:, 0], reversed_channels[:, 0], rtol=1e-4)


@right("which-order")
def logarithms_rolled(block, x):
    with torch.no_grad():
        a = torch.log(block(x) / x)
        rolled = x.roll(3, dims=2)
        b = torch.log(block(rolled) / rolled)
    a, b = (z - z.mean(1, keepdim=True) for z in (a, b))
    return (a - b).abs().amax() < 1e-6


@wrong("which-order", "never-true")
def compares_the_whole_output(block, x):
    return torch.allclose(block(x).flip(-1), block(x.flip(-1)))


@wrong("which-order", "never-true")
def compares_the_whole_gate(block, x):
    moved = x.flip(-1)
    return torch.allclose(block(x) / x, block(moved) / moved, rtol=1e-4)


@wrong("which-order", "never-true")
def asks_for_the_same_bits(block, x):
    def channel_gates(x):
        gate = block(x) / x
        return gate / gate[:, :1]

    return torch.equal(channel_gates(x), channel_gates(x.roll(1, -1)))


@wrong("which-order", "never-false")
def changes_nothing(block, x):
    def channel_gates(x):
        gate = block(x) / x
        return gate / gate[:, :1]

    return torch.allclose(channel_gates(x), channel_gates(x.flip(-1).flip(-1)))


@wrong("which-order", "never-false")
def hopes(block, x):
    return True


@wrong("which-order", "the-other-way-round")
def reads_it_the_other_way_round(block, x):
    return not columns_reversed(block, x)


@wrong("which-order", "one-for-each-image")
def answers_for_each_image(block, x):
    def channel_gates(x):
        gate = block(x) / x
        return gate / gate[:, :1]

    return torch.isclose(channel_gates(x), channel_gates(x.flip(-1)), rtol=1e-4).flatten(1).all(dim=1)


# debug-cbam, channel


@right("debug-cbam-channel")
class RepairedChannel(nn.Module):
    def __init__(self, in_channels, ratio=16):
        super().__init__()
        self.maxpool = nn.AdaptiveMaxPool2d(1)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.sharedMLP = nn.Sequential(
            nn.Conv2d(in_channels, in_channels // ratio, 1, stride=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(in_channels // ratio, in_channels, 1, bias=False),
        )
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        return self.sigmoid(self.sharedMLP(self.maxpool(x)) + self.sharedMLP(self.avgpool(x)))


@right("debug-cbam-channel")
class RepairedWithLinear(nn.Module):
    def __init__(self, in_channels, ratio=16):
        super().__init__()
        hidden = in_channels // ratio
        self.mlp = nn.Sequential(nn.Linear(in_channels, hidden), nn.ReLU(), nn.Linear(hidden, in_channels))

    def forward(self, x):
        return (self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))).sigmoid()[:, :, None, None]


@right("debug-cbam-channel")
class RepairedOnMeansOfRows(RepairedChannel):
    def forward(self, x):
        average = x.mean(3, keepdim=True).mean(2, keepdim=True)
        largest = x.max(3, keepdim=True)[0].max(2, keepdim=True)[0]
        return torch.sigmoid(sum(map(self.sharedMLP, (average, largest))))


@right("debug-cbam-channel")
class RepairedWithOneBias(nn.Module):
    def __init__(self, in_channels, ratio=16):
        super().__init__()
        self.back = nn.Conv2d(in_channels // ratio, in_channels, 1)
        self.there = nn.Conv2d(in_channels, in_channels // ratio, 1, bias=False)

    def forward(self, x):
        hidden = F.relu(self.there(F.adaptive_max_pool2d(x, 1))) + F.relu(self.there(F.adaptive_avg_pool2d(x, 1)))
        return torch.sigmoid(self.back(hidden))


@wrong("debug-cbam-channel", "kernel-size-missing")
class ChannelAsFound(RepairedChannel):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        self.avgpool = nn.AdaptiveMaxPool2d(1)
        self.sharedMLP = nn.Sequential(
            nn.Conv2d(in_channels, in_channels // ratio, stride=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(in_channels // ratio, in_channels, 1, bias=False),
        )


@wrong("debug-cbam-channel", "both-max", passes="runs")
class OnlyTheCrashRepaired(RepairedChannel):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        self.avgpool = nn.AdaptiveMaxPool2d(1)


@wrong("debug-cbam-channel", "both-average", passes="runs")
class WrongPoolingReplaced(RepairedChannel):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        self.maxpool = nn.AdaptiveAvgPool2d(1)


@wrong("debug-cbam-channel", "kernel-on-one-pixel")
class KernelOfThree(RepairedChannel):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        self.sharedMLP[0] = nn.Conv2d(in_channels, in_channels // ratio, 3, stride=1, bias=False)


@wrong("debug-cbam-channel", "kernel-on-one-pixel", passes="runs")
class KernelOfThreeWithPadding(RepairedChannel):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        self.sharedMLP[0] = nn.Conv2d(in_channels, in_channels // ratio, 3, padding=1, stride=1, bias=False)


@wrong("debug-cbam-channel", "gate-applied")
class AppliesTheGate(RepairedChannel):
    def forward(self, x):
        return x * super().forward(x)


@wrong("debug-cbam-channel", "no-sigmoid", passes="runs")
class LogitsReturned(RepairedChannel):
    def forward(self, x):
        return self.sharedMLP(self.maxpool(x)) + self.sharedMLP(self.avgpool(x))


@wrong("debug-cbam-channel", "no-max", passes="runs")
class MaximumDropped(RepairedChannel):
    def forward(self, x):
        return self.sigmoid(self.sharedMLP(self.avgpool(x)))


@wrong("debug-cbam-channel", "no-average", passes="runs")
class AverageDropped(RepairedChannel):
    def forward(self, x):
        return self.sigmoid(self.sharedMLP(self.maxpool(x)))


@wrong("debug-cbam-channel", "mlp-of-the-sum", passes="runs")
class SumBeforeTheMLP(RepairedChannel):
    def forward(self, x):
        return self.sigmoid(self.sharedMLP(self.maxpool(x) + self.avgpool(x)))


@wrong("debug-cbam-channel", "relu-before-sigmoid", passes="runs")
class ReLUAfterTheMLP(RepairedChannel):
    def forward(self, x):
        return self.sigmoid(F.relu(self.sharedMLP(self.maxpool(x)) + self.sharedMLP(self.avgpool(x))))


@wrong("debug-cbam-channel", "two-mlps", passes="runs")
class SharedNoMore(RepairedChannel):
    def __init__(self, in_channels, ratio=16):
        super().__init__(in_channels, ratio)
        self.second = RepairedChannel(in_channels, ratio).sharedMLP if ratio else None

    def forward(self, x):
        return self.sigmoid(self.sharedMLP(self.avgpool(x)) + self.second(self.maxpool(x)))


# debug-cbam, spatial


@right("debug-cbam-spatial")
class RepairedSpatial(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        assert kernel_size in (3, 7), "kernel size must be 3 or 7"
        padding = 3 if kernel_size == 7 else 1
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=padding, bias=False)
        self.sigmoid = nn.Sigmoid()

    def maps(self, x):
        max_output, _ = torch.max(x, dim=1, keepdim=True)
        avg_output = torch.mean(x, dim=1, keepdim=True)
        return torch.cat([max_output, avg_output], dim=1)

    def forward(self, x):
        return self.sigmoid(self.conv(self.maps(x)))


@right("debug-cbam-spatial")
class RepairedWithUnsqueeze(RepairedSpatial):
    def maps(self, x):
        return torch.cat([torch.mean(x, dim=1).unsqueeze(1), torch.max(x, dim=1)[0].unsqueeze(1)], dim=1)


@right("debug-cbam-spatial")
class RepairedWithStack(RepairedSpatial):
    def maps(self, x):
        max_output, _ = torch.max(x, dim=1)
        return torch.stack([max_output, x.mean(1)], dim=1)


@right("debug-cbam-spatial")
class RepairedAndFunctional(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(1, 2, kernel_size, kernel_size) * 0.1)

    def forward(self, x):
        maps = torch.stack([x.mean(1), x.amax(1)], dim=1)
        return torch.sigmoid(F.conv2d(maps, self.kernel, padding="same"))


@wrong("debug-cbam-spatial", "norm-added", passes="runs")
class OwnModuleReused(MaximumThenAverage):
    forward = MaximumThenAverage.weights


@wrong("debug-cbam-spatial", "conv-bias", passes="runs")
class RepairedWithABias(RepairedSpatial):
    def __init__(self, kernel_size=7):
        super().__init__(kernel_size)
        self.conv = nn.Conv2d(2, 1, kernel_size, padding="same")


@wrong("debug-cbam-spatial", "keepdim-missing")
class SpatialAsFound(RepairedSpatial):
    def maps(self, x):
        max_output, _ = torch.max(x, dim=1)
        avg_output = torch.mean(x, dim=1)
        return torch.cat([max_output, avg_output], dim=1)


@wrong("debug-cbam-spatial", "keepdim-forgotten-once")
class KeepdimOnce(RepairedSpatial):
    def maps(self, x):
        max_output, _ = torch.max(x, dim=1, keepdim=True)
        avg_output = torch.mean(x, dim=1)
        return torch.cat([max_output, avg_output], dim=1)


@wrong("debug-cbam-spatial", "keepdim-forgotten-once")
class KeepdimOnceTheOther(RepairedSpatial):
    def maps(self, x):
        max_output, _ = torch.max(x, dim=1)
        avg_output = torch.mean(x, dim=1, keepdim=True)
        return torch.cat([max_output, avg_output], dim=1)


@wrong("debug-cbam-spatial", "joined-along-the-wrong-axis")
class JoinedAlongTheBatch(RepairedSpatial):
    def maps(self, x):
        return torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], dim=0)


@wrong("debug-cbam-spatial", "joined-along-the-wrong-axis")
class JoinedAlongTheHeight(RepairedSpatial):
    def maps(self, x):
        return torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], dim=2)


@wrong("debug-cbam-spatial", "both-max", passes="runs")
class MaximumTwice(RepairedSpatial):
    def maps(self, x):
        return torch.cat([x.amax(1, keepdim=True)] * 2, dim=1)


@wrong("debug-cbam-spatial", "both-average", passes="runs")
class AverageTwice(RepairedSpatial):
    def maps(self, x):
        return torch.cat([x.mean(1, keepdim=True), x.mean(1, keepdim=True)], dim=1)


@wrong("debug-cbam-spatial", "pooled-over-positions")
class PoolsPositions(RepairedSpatial):
    def maps(self, x):
        return torch.cat([F.adaptive_max_pool2d(x, 1), F.adaptive_avg_pool2d(x, 1)], dim=1)


@wrong("debug-cbam-spatial", "indices-not-values", passes="runs")
class TakesTheIndices(RepairedSpatial):
    def maps(self, x):
        _, max_output = torch.max(x, dim=1, keepdim=True)
        return torch.cat([max_output, torch.mean(x, dim=1, keepdim=True)], dim=1)


@wrong("debug-cbam-spatial", "no-sigmoid", passes="runs")
class NoSigmoidAtTheEnd(RepairedSpatial):
    def forward(self, x):
        return self.conv(self.maps(x))


@wrong("debug-cbam-spatial", "gate-applied")
class MultipliesX(RepairedSpatial):
    def forward(self, x):
        return x * super().forward(x)


@wrong("cbam", "multiplied-twice", passes="parameters")
class MultipliesAgain(TwoParts):
    def forward(self, x):
        x = x * self.ca(x)
        return x * self.sa(x)
