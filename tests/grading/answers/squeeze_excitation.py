"""Answers to lesson 02, as learners write them."""

import math

import torch
from bank import right, wrong
from torch import nn
from torch.nn import functional as F

# squeeze


@right("squeeze")
def mean_of_two_axes(x):
    return x.mean(dim=(2, 3))


@right("squeeze")
def pooled_and_flattened(x):
    return F.adaptive_avg_pool2d(x, 1).flatten(1)


@right("squeeze")
def loop_over_channels(x):
    return torch.stack([x[:, c].reshape(len(x), -1).sum(1) / x[0, 0].numel() for c in range(x.shape[1])], dim=1)


@wrong("squeeze", "maximum", passes="shape")
def maximum(x):
    return x.flatten(2).max(2).values


@wrong("squeeze", "sum", passes="shape")
def summed(x):
    return x.sum((2, 3))


@wrong("squeeze", "kept-dimensions")
def pooled_not_flattened(x):
    return F.adaptive_avg_pool2d(x, 1)


@wrong("squeeze", "batch-axis-lost")
def squeezed_too_far(x):
    return F.adaptive_avg_pool2d(x, 1).squeeze()


@wrong("squeeze", "over-channels")
def over_channels(x):
    return x.mean(1)


@wrong("squeeze", "one-axis-left")
def one_axis_only(x):
    return x.mean(-1)


@wrong("squeeze", "whole-image")
def one_number_for_all(x):
    return x.mean((1, 2, 3))


# squeeze-excitation and debug-se


@right("squeeze-excitation")
class SequentialOfLinear(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels, bias=False),
            nn.Sigmoid(),
        )

    def weights(self, x):
        b, c, _, _ = x.size()
        return self.fc(self.pool(x).view(b, c)).view(b, c, 1, 1)

    def forward(self, x):
        return x * self.weights(x).expand_as(x)


@right("squeeze-excitation")
class OneByOneConvolutions(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.expand = nn.Conv2d(channels // reduction, channels, 1)
        self.reduce = nn.Conv2d(channels, channels // reduction, kernel_size=1)

    def weights(self, x):
        z = x.mean((2, 3), keepdim=True)
        return self.expand(self.reduce(z).relu_()).sigmoid_()

    def forward(self, x):
        return self.weights(x).mul(x)


@right("squeeze-excitation")
class RawParameters(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        hidden = channels // reduction
        self.w1 = nn.Parameter(torch.randn(hidden, channels) * 0.1)
        self.w2 = nn.Parameter(torch.randn(channels, hidden) * 0.1)
        self.b2 = nn.Parameter(torch.zeros(channels))

    def weights(self, x):
        z = torch.einsum("nchw->nc", x) / (x.shape[2] * x.shape[3])
        h = F.linear(z, self.w1).clamp(min=0)
        return torch.sigmoid(F.linear(h, self.w2, self.b2))[..., None, None]

    def forward(self, x):
        return torch.einsum("nchw,ncij->nchw", x, self.weights(x))


@right("squeeze-excitation")
class TransposedMatrices(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.down = nn.Parameter(torch.randn(channels, channels // reduction))
        self.up = nn.Parameter(torch.randn(channels // reduction, channels))

    def weights(self, x):
        return torch.sigmoid(torch.relu(x.mean((2, 3)) @ self.down) @ self.up)[:, :, None, None]

    def forward(self, x):
        return x * self.weights(x)


@right("squeeze-excitation")
class WithABuffer(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.register_buffer("one", torch.ones(1))
        self.second = nn.Linear(channels // reduction, channels)
        self.first = nn.Linear(channels, channels // reduction, bias=False)

    def weights(self, x):
        n, c = x.shape[:2]
        hidden = nn.functional.relu(self.first(x.reshape(n, c, -1).mean(-1)))
        return self.one / (self.one + torch.exp(-self.second(hidden))).reshape(n, c, 1, 1)

    def forward(self, x):
        print("shape", x.shape)
        return x * self.weights(x)


class Base(nn.Module):
    """What most wrong answers get right."""

    def __init__(self, channels, reduction=16):
        super().__init__()
        self.fc1 = nn.Linear(channels, channels // reduction)
        self.fc2 = nn.Linear(channels // reduction, channels)

    def weights(self, x):
        y = x.mean((2, 3))
        y = self.fc2(torch.relu(self.fc1(y)))
        return torch.sigmoid(y)[:, :, None, None]

    def forward(self, x):
        return x * self.weights(x)


@wrong("squeeze-excitation", "max-squeeze", passes="shapes parameters gradients")
class MaxPool(Base):
    def weights(self, x):
        y = F.adaptive_max_pool2d(x, 1).flatten(1)
        return torch.sigmoid(self.fc2(F.relu(self.fc1(y))))[:, :, None, None]


@wrong("squeeze-excitation", "no-squeeze", passes="parameters gradients")
class NoSqueeze(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // reduction, 1)
        self.expand = nn.Conv2d(channels // reduction, channels, 1)

    def weights(self, x):
        return torch.sigmoid(self.expand(F.relu(self.reduce(x))))

    def forward(self, x):
        return x * self.weights(x)


@wrong("squeeze-excitation", "softmax-not-sigmoid", passes="shapes parameters gradients")
class SoftmaxOverChannels(Base):
    def weights(self, x):
        y = self.fc2(torch.relu(self.fc1(x.mean((2, 3)))))
        return F.softmax(y, dim=1).unsqueeze(-1).unsqueeze(-1)


@wrong("squeeze-excitation", "activations-exchanged", passes="shapes parameters gradients")
class SigmoidThenReLU(Base):
    def weights(self, x):
        hidden = torch.sigmoid(self.fc1(x.mean((2, 3))))
        return torch.relu(self.fc2(hidden))[:, :, None, None]


@wrong("squeeze-excitation", "no-sigmoid", passes="shapes parameters gradients")
class NoSigmoid(Base):
    def weights(self, x):
        return self.fc2(torch.relu(self.fc1(x.mean((2, 3)))))[:, :, None, None]


@wrong("squeeze-excitation", "no-relu", passes="shapes parameters gradients")
class NoReLU(Base):
    def weights(self, x):
        return torch.sigmoid(self.fc2(self.fc1(x.mean((2, 3)))))[:, :, None, None]


@wrong("squeeze-excitation", "relu-before-sigmoid", passes="shapes parameters gradients")
class TwoReLUs(Base):
    def weights(self, x):
        y = F.relu(self.fc2(F.relu(self.fc1(x.mean((2, 3))))))
        return torch.sigmoid(y)[:, :, None, None]


@wrong("squeeze-excitation", "sigmoid-twice", passes="shapes parameters gradients")
class SigmoidTwice(Base):
    def weights(self, x):
        return torch.sigmoid(super().weights(x))


@wrong("squeeze-excitation", "reduction-as-width", passes="shapes gradients")
class ReductionAsWidth(Base):
    def __init__(self, channels, reduction=16):
        nn.Module.__init__(self)
        self.fc1 = nn.Linear(channels, reduction)
        self.fc2 = nn.Linear(reduction, channels)


@wrong("squeeze-excitation", "reduction-ignored", passes="shapes gradients")
class ReductionIgnored(Base):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, 16)


@wrong("squeeze-excitation", "width-rounded", passes="shapes gradients")
class RoundedUp(Base):
    def __init__(self, channels, reduction=16):
        nn.Module.__init__(self)
        hidden = math.ceil(channels / reduction)
        self.fc1, self.fc2 = nn.Linear(channels, hidden), nn.Linear(hidden, channels)


@wrong("squeeze-excitation", "other-activation", passes="shapes parameters gradients")
class ClippedAtSix(Base):
    def weights(self, x):
        return torch.sigmoid(self.fc2(F.relu6(self.fc1(x.mean((2, 3))))))[:, :, None, None]


@wrong("squeeze-excitation", "hard-sigmoid", passes="shapes parameters gradients")
class FlatAtBothEnds(Base):
    def weights(self, x):
        return F.hardsigmoid(self.fc2(torch.relu(self.fc1(x.mean((2, 3))))))[:, :, None, None]


@wrong("squeeze-excitation", "otherwise-in-training", passes="shapes parameters gradients")
class WithDropout(Base):
    def weights(self, x):
        hidden = F.dropout(torch.relu(self.fc1(x.mean((2, 3)))), 0.5, self.training)
        return torch.sigmoid(self.fc2(hidden))[:, :, None, None]


@wrong("squeeze-excitation", "no-bottleneck", passes="shapes gradients")
class OneLayer(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.fc = nn.Linear(channels, channels)

    def weights(self, x):
        return torch.sigmoid(self.fc(x.mean((2, 3))))[:, :, None, None]

    def forward(self, x):
        return x * self.weights(x)


@wrong("squeeze-excitation", "gate-returned", passes="parameters gradients")
class ReturnsTheGate(Base):
    def forward(self, x):
        return self.weights(x)


@wrong("squeeze-excitation", "residual-inside", passes="shapes parameters gradients")
class ResidualInside(Base):
    def forward(self, x):
        return x * self.weights(x) + x


@wrong("squeeze-excitation", "gate-added", passes="shapes parameters gradients")
class GateAdded(Base):
    def forward(self, x):
        return x + self.weights(x)


@wrong("squeeze-excitation", "batch-mixed", passes="shapes parameters gradients")
class SqueezesTheBatch(Base):
    def weights(self, x):
        y = self.fc2(torch.relu(self.fc1(x.mean((0, 2, 3)))))
        return torch.sigmoid(y)[None, :, None, None].expand(len(x), -1, 1, 1)


@wrong("squeeze-excitation", "fixed-pool", passes="parameters")
class PoolOfFixedSize(Base):
    def weights(self, x):
        y = F.avg_pool2d(x, 7)
        return torch.sigmoid(self.fc2(torch.relu(self.fc1(y.flatten(1)))))[:, :, None, None]


@wrong("squeeze-excitation", "gate-shape", passes="parameters gradients")
class FlatGate(Base):
    def weights(self, x):
        return super().weights(x).flatten(1)

    def forward(self, x):
        return x * self.weights(x)[:, :, None, None]


@wrong("squeeze-excitation", "unregistered", passes="shapes")
class ListOfLayers(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.layers = [nn.Linear(channels, channels // reduction), nn.Linear(channels // reduction, channels)]

    def weights(self, x):
        first, second = self.layers
        return torch.sigmoid(second(torch.relu(first(x.mean((2, 3))))))[:, :, None, None]

    def forward(self, x):
        return x * self.weights(x)


@wrong("squeeze-excitation", "detached", passes="shapes parameters values")
class Detached(Base):
    def forward(self, x):
        return x * self.weights(x.detach())


@wrong("squeeze-excitation", "changes-its-input", passes="parameters values gradients")
class ChangesItsInput(Base):
    def forward(self, x):
        gate = self.weights(x)
        x.mul_(gate)
        return x


@wrong("squeeze-excitation", "overwritten", passes="shapes parameters values")
class OverwritesTheSigmoid(Base):
    def weights(self, x):
        gate = torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean((2, 3))))))
        gate *= 1.0
        return gate[:, :, None, None]


@wrong("squeeze-excitation", "changes-from-call-to-call", passes="shapes parameters")
class StillRandomInEval(Base):
    def forward(self, x):
        return F.dropout(x * self.weights(x), 0.1)


@wrong("squeeze-excitation", "images-mixed", passes="shapes parameters gradients")
class NormalisedOverTheBatch(Base):
    def forward(self, x):
        gate = self.weights(x)
        return x * gate / gate.mean(0)


# se-residual


@right("se-residual")
def branch_then_gate(x, branch, se):
    return x + se(branch(x))


@right("se-residual")
def with_the_weights(x, branch, se):
    residual = branch(x)
    residual = residual * se.weights(residual)
    residual += x
    return residual


@wrong("se-residual", "gate-on-the-sum", passes="shape")
def gate_on_the_sum(x, branch, se):
    return se(branch(x) + x)


@wrong("se-residual", "gate-on-the-skip", passes="shape")
def gate_on_the_skip(x, branch, se):
    return se(x) + branch(x)


@wrong("se-residual", "gate-before-the-branch", passes="shape")
def gate_first(x, branch, se):
    return x + branch(se(x))


@wrong("se-residual", "gated-twice", passes="shape")
def gated_twice(x, branch, se):
    u = branch(x)
    return x + u * se(u)


@wrong("se-residual", "no-skip", passes="shape")
def no_skip(x, branch, se):
    return se(branch(x))


@wrong("se-residual", "no-gate", passes="shape")
def no_gate(x, branch, se):
    return x + branch(x)


@wrong("se-residual", "relu-added", passes="shape")
def with_the_last_relu(x, branch, se):
    return torch.relu(x + se(branch(x)))


# debug-se


@right("debug-se")
class Repaired(nn.Module):
    def __init__(self, in_channels, reduction=16):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(in_channels, in_channels // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(in_channels // reduction, in_channels, bias=False),
        )
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        batch_size, channel, _, _ = x.size()
        y = self.avgpool(x).view(batch_size, channel)
        y = self.sigmoid(self.fc(y)).view(batch_size, channel, 1, 1)
        return x * y


@right("debug-se")
class RepairedWithBiases(Base):
    def __init__(self, in_channels, reduction=16):
        super().__init__(in_channels, reduction)


@right("debug-se")
class RepairedWithConvolutions(nn.Module):
    def __init__(self, in_channels, reduction=16):
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(in_channels, in_channels // reduction, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(in_channels // reduction, in_channels, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return x * self.gate(x)


@right("debug-se")
class RepairedFunctionally(Repaired):
    def forward(self, x):
        y = F.relu(F.linear(x.mean((-1, -2)), self.fc[0].weight))
        return x * F.linear(y, self.fc[2].weight).sigmoid().unsqueeze(2).unsqueeze(3)


@wrong("debug-se", "view-without-sizes", passes="parameters")
class AsFound(Repaired):
    def forward(self, x):
        batch_size, channel, _ = x.view()
        y = self.avgpool(x)
        y = x.view(x.size(0), -1)
        y = self.fc(x)
        y = self.sigmoid(x)
        y = y.view(batch_size, channel, 1, 1)
        return x * y


@wrong("debug-se", "three-sizes", passes="parameters")
class ThreeSizesUnpacked(Repaired):
    def forward(self, x):
        batch_size, channel, _ = x.size()
        y = self.avgpool(x).view(batch_size, channel)
        return x * self.sigmoid(self.fc(y)).view(batch_size, channel, 1, 1)


@wrong("debug-se", "squeeze-thrown-away", passes="parameters")
class SqueezeThrownAway(Repaired):
    def forward(self, x):
        batch_size, channel, _, _ = x.size()
        y = self.avgpool(x)
        y = x.view(x.size(0), -1)
        return x * self.sigmoid(self.fc(y)).view(batch_size, channel, 1, 1)


@wrong("debug-se", "layers-on-the-map", passes="parameters")
class LayersOnTheMap(Repaired):
    def forward(self, x):
        y = self.avgpool(x)
        y = self.fc(x)
        return x * self.sigmoid(y)


@wrong("debug-se", "sigmoid-of-x", passes="runs parameters")
class SigmoidOfX(Repaired):
    def forward(self, x):
        return x * self.sigmoid(x)


@wrong("debug-se", "excitation-skipped", passes="runs parameters")
class SigmoidOfTheSqueeze(Repaired):
    def forward(self, x):
        return x * self.sigmoid(self.avgpool(x))


@wrong("debug-se", "max-squeeze", passes="runs parameters")
class MaxInstead(Repaired):
    def forward(self, x):
        y = self.sigmoid(self.fc(x.amax((2, 3))))
        return x * y[:, :, None, None]


@wrong("debug-se", "gate-returned", passes="parameters")
class ReturnsY(Repaired):
    def forward(self, x):
        y = self.avgpool(x).flatten(1)
        return self.sigmoid(self.fc(y))[:, :, None, None]


@wrong("debug-se", "no-sigmoid", passes="runs parameters")
class ForgotTheSigmoid(Repaired):
    def forward(self, x):
        return x * self.fc(self.avgpool(x).flatten(1))[:, :, None, None]


@wrong("squeeze", "torchs-squeeze")
def by_its_name(x):
    return torch.squeeze(x)


@wrong("se-residual", "gate-of-x", passes="shape")
def gates_from_x(x, branch, se):
    return x + branch(x) * se(x)


@wrong("se-residual", None, passes="shape")
def builds_its_own_gate(x, branch, se):
    u = branch(x)
    return x + u * u.mean((2, 3), keepdim=True).sigmoid()
