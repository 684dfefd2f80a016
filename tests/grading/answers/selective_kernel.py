"""Answers to lesson 05, as learners write them."""

import torch
from bank import right, wrong
from torch import nn
from torch.nn import functional as F

from attention_lab.mechanisms import SelectiveKernel

# branch-softmax


@right("branch-softmax")
def softmax_of_axis_one(logits):
    return torch.softmax(logits, dim=1)


@right("branch-softmax")
def written_out(logits):
    powers = torch.exp(logits - logits.max(dim=1, keepdim=True).values)
    return powers / powers.sum(dim=1, keepdim=True)


@right("branch-softmax")
def branches_moved_to_the_end(logits):
    return nn.Softmax(dim=-1)(logits.transpose(1, 2)).transpose(1, 2)


@right("branch-softmax")
def through_the_logarithm(logits):
    return F.log_softmax(logits, -2).exp()


@wrong("branch-softmax", "over-channels", passes="shape")
def last_axis(logits):
    return F.softmax(logits, dim=-1)


@wrong("branch-softmax", "over-everything", passes="shape")
def flattened_first(logits):
    n, m, c = logits.shape
    return logits.reshape(n, m * c).softmax(dim=1).reshape(n, m, c)


@wrong("branch-softmax", "two-only")
def sigmoid_of_the_difference(logits):
    first = torch.sigmoid(logits[:, 0] - logits[:, 1])
    return torch.stack((first, 1 - first), dim=1)


@wrong("branch-softmax", "mixed-by-reshape", passes="shape")
def reshaped_to_the_end(logits):
    n, m, c = logits.shape
    return F.softmax(logits.reshape(n, c, m), dim=2).reshape(n, m, c)


@wrong("branch-softmax", "over-batch", passes="shape")
def first_axis(logits):
    return torch.softmax(logits, 0)


@wrong("branch-softmax", "sigmoid-not-softmax", passes="shape")
def gates(logits):
    return 1 / (1 + torch.exp(-logits))


@wrong("branch-softmax", "not-normalised", passes="shape")
def only_the_exponential(logits):
    return torch.exp(logits)


@wrong("branch-softmax", "unstable", passes="shape")
def overflows(logits):
    e = torch.exp(logits)
    return e / e.sum(1)[:, None]


@wrong("branch-softmax", "uniform", passes="shape")
def equal_shares(logits):
    return torch.ones_like(logits) / logits.size(1)


@wrong("branch-softmax", "scores-cut-off", passes="shape")
def cut_off_at_fifty(logits):
    e = torch.exp(torch.clamp(logits, max=50))
    return e / e.sum(dim=1, keepdim=True)


@wrong("branch-softmax", "sigmoid-shares", passes="shape")
def sigmoids_over_their_sum(logits):
    gates = logits.sigmoid()
    return gates / gates.sum(1, keepdim=True)


@wrong("branch-softmax", "no-exponential", passes="shape")
def scores_over_their_sum(logits):
    return logits / logits.sum(dim=1)[:, None]


@wrong("branch-softmax", "divided-scores", passes="shape")
def divided_by_the_branches(logits):
    return F.softmax(logits / logits.size(1), dim=1)


@wrong("branch-softmax", "winner-takes-all", passes="shape")
def ones_for_the_largest(logits):
    return (logits == logits.amax(1, keepdim=True)).to(logits.dtype)


@wrong("branch-softmax", "detached", passes="shape")
def detached(logits):
    return torch.softmax(logits.detach(), dim=1)


@wrong("branch-softmax", "changes-its-input")
def in_place(logits):
    logits -= logits.amax(1, keepdim=True)
    return logits.exp() / logits.exp().sum(1, keepdim=True)


# selective-kernel

right("selective-kernel")(SelectiveKernel)


@right("selective-kernel")
class ModuleListOfSequentials(nn.Module):
    def __init__(self, channels, branches=2, reduction=16, groups=32, min_width=32):
        super().__init__()
        d = max(channels // reduction, min_width)
        self.M = branches
        self.convs = nn.ModuleList([])
        for i in range(branches):
            self.convs.append(
                nn.Sequential(
                    nn.Conv2d(channels, channels, 3, padding=1 + i, dilation=1 + i, groups=groups, bias=False),
                    nn.BatchNorm2d(channels),
                    nn.ReLU(inplace=True),
                )
            )
        self.gap = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Sequential(nn.Conv2d(channels, d, 1, bias=False), nn.BatchNorm2d(d), nn.ReLU(inplace=True))
        self.fcs = nn.ModuleList([nn.Conv2d(d, channels, 1, bias=False) for _ in range(branches)])

    def split(self, x):
        return torch.stack([conv(x) for conv in self.convs], dim=1)

    def weights(self, x):
        u = self.split(x).sum(dim=1)
        z = self.fc(self.gap(u))
        return F.softmax(torch.stack([fc(z) for fc in self.fcs], dim=1), dim=1)

    def forward(self, x):
        return (self.split(x) * self.weights(x)).sum(dim=1)


@right("selective-kernel")
class DefinedInAnotherOrder(nn.Module):
    def __init__(self, channels, branches=2, reduction=16, groups=32, min_width=32):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))
        self.branches, self.channels = branches, channels
        hidden = max(int(channels / reduction), min_width)
        self.score = nn.Linear(hidden, channels * branches, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(branches))
        self.hidden_norm = nn.BatchNorm1d(hidden)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding="same", dilation=i, groups=groups, bias=False)
            for i in range(1, branches + 1)
        )
        self.reduce = nn.Linear(channels, hidden, bias=False)

    def look(self, x):
        maps = [convolution(x) for convolution in self.convolutions]
        return [torch.relu(norm(u)) for norm, u in zip(self.norms, maps)]

    def choose(self, maps):
        s = sum(u.mean((2, 3)) for u in maps)
        z = self.hidden_norm(self.reduce(s)).clamp(min=0)
        scores = self.score(z).view(-1, self.branches, self.channels)
        e = torch.exp(scores - scores.max())
        return (e / e.sum(1, keepdim=True)).unsqueeze(-1).unsqueeze(-1)

    def weights(self, x):
        return self.choose(self.look(x))

    def forward(self, x):
        maps = self.look(x)
        a = self.choose(maps)
        out = a[:, 0] * maps[0]
        for i in range(1, self.branches):
            out += a[:, i] * maps[i]
        return out


@right("selective-kernel")
class ChannelsBeforeBranches(nn.Module):
    """The one score layer is read as (C, M)."""

    def __init__(self, channels, branches=2, reduction=16, groups=32, min_width=32):
        super().__init__()
        d = max(channels // reduction, min_width)
        for i in range(1, branches + 1):
            conv = nn.Conv2d(channels, channels, 3, 1, i, i, groups, bias=False)
            self.add_module(f"branch{i}", nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU()))
        self.m = branches
        self.w = nn.Parameter(torch.randn(d, channels) * 0.1)
        self.bn = nn.BatchNorm1d(d)
        self.a = nn.Parameter(torch.randn(channels * branches, d) * 0.1)

    def us(self, x):
        return [getattr(self, f"branch{i}")(x) for i in range(1, self.m + 1)]

    def weights(self, x):
        s = torch.einsum("mnchw->nc", torch.stack(self.us(x))) / (x.shape[2] * x.shape[3])
        z = F.relu(self.bn(s @ self.w.T))
        logits = (z @ self.a.T).view(len(x), -1, self.m)
        return logits.softmax(-1).permute(0, 2, 1)[..., None, None]

    def forward(self, x):
        print("weights", self.weights(x).shape)
        return torch.einsum("nmcij,mnchw->nchw", self.weights(x), torch.stack(self.us(x)))


@right("selective-kernel")
class FunctionalConvolutions(nn.Module):
    def __init__(self, channels, branches=2, reduction=16, groups=32, min_width=32):
        super().__init__()
        self.groups, self.branches = groups, branches
        self.filters = nn.ParameterList(
            nn.Parameter(torch.randn(channels, channels // groups, 3, 3)) for _ in range(branches)
        )
        self.bns = nn.ModuleList([nn.BatchNorm2d(channels) for _ in range(branches)])
        d = channels // reduction if channels // reduction > min_width else min_width
        self.squeeze = nn.Sequential(nn.Linear(channels, d, bias=False), nn.BatchNorm1d(d), nn.ReLU())
        self.heads = nn.ModuleList([nn.Linear(d, channels, bias=False) for _ in range(branches)])

    def branch(self, i, x):
        return F.relu(self.bns[i](F.conv2d(x, self.filters[i], padding=i + 1, dilation=i + 1, groups=self.groups)))

    def weights(self, x):
        fused = self.branch(0, x)
        for i in range(1, self.branches):
            fused = fused + self.branch(i, x)
        z = self.squeeze(F.adaptive_avg_pool2d(fused, 1).flatten(1))
        return torch.cat([head(z)[:, None] for head in self.heads], 1).softmax(1)[:, :, :, None, None]

    def forward(self, x):
        a = self.weights(x)
        return torch.stack([a[:, i] * self.branch(i, x) for i in range(self.branches)]).sum(0)


class Base(nn.Module):
    """What most wrong answers get right."""

    def __init__(self, channels, branches=2, reduction=16, groups=32, min_width=32):
        super().__init__()
        d = max(channels // reduction, min_width)
        self.build(channels, branches, groups, d)

    def build(self, channels, branches, groups, d):
        self.convs = nn.ModuleList(self.branch(channels, i, groups) for i in range(1, branches + 1))
        self.fc = nn.Sequential(nn.Linear(channels, d, bias=False), nn.BatchNorm1d(d), nn.ReLU())
        self.fcs = nn.ModuleList(nn.Linear(d, channels, bias=False) for _ in range(branches))

    def branch(self, channels, i, groups):
        return nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=i, dilation=i, groups=groups, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )

    def maps(self, x):
        return torch.stack([conv(x) for conv in self.convs], 1)

    def scores(self, s):
        z = self.fc(s)
        return torch.stack([fc(z) for fc in self.fcs], 1)

    def weights(self, x):
        s = self.maps(x).sum(1).mean((2, 3))
        return self.scores(s).softmax(1)[..., None, None]

    def forward(self, x):
        return (self.weights(x) * self.maps(x)).sum(1)


KEPT = "shapes parameters gradients"


@wrong("selective-kernel", "branches-ignored", passes="gradients")
class AlwaysTwo(Base):
    def __init__(self, channels, branches=2, reduction=16, groups=32, min_width=32):
        super().__init__(channels, 2, reduction, groups, min_width)


@wrong("selective-kernel", "groups-ignored", passes="shapes gradients")
class NotGrouped(Base):
    def branch(self, channels, i, groups):
        return super().branch(channels, i, 1)


@wrong("selective-kernel", "width-ignored", passes="shapes gradients")
class NoLeastWidth(Base):
    def __init__(self, channels, branches=2, reduction=16, groups=32, min_width=32):
        nn.Module.__init__(self)
        self.build(channels, branches, groups, channels // reduction)


@wrong("selective-kernel", "smaller-width", passes="shapes gradients")
class SmallerOfTheTwo(Base):
    def __init__(self, channels, branches=2, reduction=16, groups=32, min_width=32):
        nn.Module.__init__(self)
        self.build(channels, branches, groups, min(channels // reduction, min_width))


@wrong("selective-kernel", "reduction-ignored", passes="shapes gradients")
class SixteenWrittenDown(Base):
    def __init__(self, channels, branches=2, reduction=16, groups=32, min_width=32):
        nn.Module.__init__(self)
        self.build(channels, branches, groups, max(channels // 16, min_width))


@wrong("selective-kernel", "same-kernels", passes=KEPT)
class SameDilation(Base):
    def branch(self, channels, i, groups):
        return super().branch(channels, 1, groups)


@wrong("selective-kernel", "doubled-dilations", passes="shapes parameters gradients")
class PowersOfTwo(Base):
    def branch(self, channels, i, groups):
        return super().branch(channels, 2 ** (i - 1), groups)


@wrong("selective-kernel", "dilation-from-zero", passes="parameters")
class CountedFromZero(Base):
    def branch(self, channels, i, groups):
        return super().branch(channels, i - 1, groups)


@wrong("selective-kernel", "padding-not-dilated", passes="parameters")
class PaddingOne(Base):
    def branch(self, channels, i, groups):
        conv = nn.Conv2d(channels, channels, 3, padding=1, dilation=i, groups=groups, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


@wrong("selective-kernel", "padding-not-dilated", passes="parameters")
class PaddingOneAndAdded(PaddingOne):
    def maps(self, x):
        return [conv(x) for conv in self.convs]

    def weights(self, x):
        return self.scores(sum(self.maps(x)).mean((2, 3))).softmax(1)[..., None, None]

    def forward(self, x):
        a = self.weights(x)
        return sum(a[:, i] * u for i, u in enumerate(self.maps(x)))


@wrong("selective-kernel", "larger-kernels", passes="shapes gradients")
class ThreeFiveSeven(Base):
    def branch(self, channels, i, groups):
        conv = nn.Conv2d(channels, channels, 1 + 2 * i, padding=i, groups=groups, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


@wrong("selective-kernel", "biases", passes="shapes gradients")
class BiasesEverywhere(Base):
    def build(self, channels, branches, groups, d):
        super().build(channels, branches, groups, d)
        self.fc = nn.Sequential(nn.Linear(channels, d), nn.BatchNorm1d(d), nn.ReLU())
        self.fcs = nn.ModuleList(nn.Linear(d, channels) for _ in range(branches))

    def branch(self, channels, i, groups):
        conv = nn.Conv2d(channels, channels, 3, padding=i, dilation=i, groups=groups)
        return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


@wrong("selective-kernel", "biases", passes="shapes gradients")
class BiasesInTheLinearLayers(Base):
    def build(self, channels, branches, groups, d):
        super().build(channels, branches, groups, d)
        self.fc = nn.Sequential(nn.Linear(channels, d), nn.BatchNorm1d(d), nn.ReLU())
        self.fcs = nn.ModuleList(nn.Linear(d, channels) for _ in range(branches))


@wrong("selective-kernel", "biases", passes="shapes gradients")
class BiasesInTheScores(Base):
    def build(self, channels, branches, groups, d):
        super().build(channels, branches, groups, d)
        self.fcs = nn.ModuleList(nn.Linear(d, channels) for _ in range(branches))


@wrong("selective-kernel", "bare-branches", passes=KEPT)
class NoReLUAfterTheBranches(Base):
    def branch(self, channels, i, groups):
        return super().branch(channels, i, groups)[:2]


@wrong("selective-kernel", "bare-branches", passes="shapes gradients")
class OnlyConvolutions(Base):
    def branch(self, channels, i, groups):
        return super().branch(channels, i, groups)[:1]


@wrong("selective-kernel", "no-bn-relu", passes="shapes gradients")
class TwoLinearMaps(Base):
    def build(self, channels, branches, groups, d):
        super().build(channels, branches, groups, d)
        self.fc = self.fc[0]


@wrong("selective-kernel", "no-hidden-bn", passes="shapes gradients")
class NoHiddenNorm(Base):
    def build(self, channels, branches, groups, d):
        super().build(channels, branches, groups, d)
        self.fc = nn.Sequential(nn.Linear(channels, d, bias=False), nn.ReLU())


@wrong("selective-kernel", "no-hidden-relu", passes=KEPT)
class NoHiddenReLU(Base):
    def build(self, channels, branches, groups, d):
        super().build(channels, branches, groups, d)
        self.fc = self.fc[:2]


@wrong("selective-kernel", "one-score-for-all", passes="shapes gradients")
class OneLayerForAll(Base):
    def build(self, channels, branches, groups, d):
        super().build(channels, branches, groups, d)
        self.fcs = nn.Linear(d, channels, bias=False)

    def scores(self, s):
        z = self.fc(s)
        return torch.stack([self.fcs(z) for _ in self.convs], 1)


@wrong("selective-kernel", "batch-statistics")
class NoRunningStatistics(Base):
    def build(self, channels, branches, groups, d):
        super().build(channels, branches, groups, d)
        self.fc[1] = nn.BatchNorm1d(d, track_running_stats=False)

    def branch(self, channels, i, groups):
        layers = super().branch(channels, i, groups)
        layers[1] = nn.BatchNorm2d(channels, track_running_stats=False)
        return layers


@wrong("selective-kernel", "one-branch-fused", passes=KEPT)
class FirstBranchSqueezed(Base):
    def weights(self, x):
        return self.scores(self.convs[0](x).mean((2, 3))).softmax(1)[..., None, None]


@wrong("selective-kernel", "x-fused", passes=KEPT)
class InputSqueezed(Base):
    def weights(self, x):
        return self.scores(x.mean((2, 3))).softmax(1)[..., None, None]


@wrong("selective-kernel", "branches-averaged", passes=KEPT)
class MeanOfBranches(Base):
    def weights(self, x):
        return self.scores(self.maps(x).mean((1, 3, 4))).softmax(1)[..., None, None]


@wrong("selective-kernel", "summed-squeeze", passes=KEPT)
class SummedOverPositions(Base):
    def weights(self, x):
        s = self.maps(x).sum((1, 3, 4))
        return self.scores(s).softmax(1)[..., None, None]


@wrong("selective-kernel", "max-squeeze", passes=KEPT)
class MaxPooled(Base):
    def weights(self, x):
        s = F.adaptive_max_pool2d(self.maps(x).sum(1), 1).flatten(1)
        return self.scores(s).softmax(1)[..., None, None]


@wrong("selective-kernel", "over-channels", passes=KEPT)
class ChannelsCompete(Base):
    def weights(self, x):
        return self.scores(self.maps(x).sum(1).mean((2, 3))).softmax(2)[..., None, None]


@wrong("selective-kernel", "over-everything", passes=KEPT)
class OneSoftmaxForAll(Base):
    def weights(self, x):
        scores = self.scores(self.maps(x).sum(1).mean((2, 3)))
        n, m, c = scores.shape
        return F.softmax(scores.view(n, -1), dim=1).view(n, m, c, 1, 1)


@wrong("selective-kernel", "over-batch", passes="shapes parameters")
class ImagesCompete(Base):
    def weights(self, x):
        return self.scores(self.maps(x).sum(1).mean((2, 3))).softmax(0)[..., None, None]


@wrong("selective-kernel", "sigmoid-not-softmax", passes=KEPT)
class GatedBranches(Base):
    def weights(self, x):
        return torch.sigmoid(self.scores(self.maps(x).sum(1).mean((2, 3))))[..., None, None]


@wrong("selective-kernel", "weights-shape", passes="parameters values gradients")
class FlatWeights(Base):
    def weights(self, x):
        return super().weights(x).squeeze(-1).squeeze(-1)

    def forward(self, x):
        return (self.weights(x)[:, :, :, None, None] * self.maps(x)).sum(1)


@wrong("selective-kernel", "fused-map-weighted", passes="shapes parameters weights gradients")
class WeighsTheSum(Base):
    def forward(self, x):
        u = self.maps(x).sum(1)
        a = self.weights(x)
        return sum(a[:, i] * u for i in range(a.shape[1]))


@wrong("selective-kernel", "not-summed", passes="parameters weights gradients")
class SideBySide(Base):
    def forward(self, x):
        a, u = self.weights(x), self.maps(x)
        return torch.cat([a[:, i] * u[:, i] for i in range(u.shape[1])], dim=1)


@wrong("selective-kernel", "mean-not-sum", passes="shapes parameters weights gradients")
class Averaged(Base):
    def forward(self, x):
        return (self.weights(x) * self.maps(x)).mean(dim=1)


@wrong("selective-kernel", "weights-swapped", passes="shapes parameters weights gradients")
class LastWeightFirst(Base):
    def forward(self, x):
        a = self.weights(x).flip(1)
        return sum(a[:, i] * conv(x) for i, conv in enumerate(self.convs))


@wrong("selective-kernel", "residual-inside", passes="shapes parameters weights gradients")
class WithASkip(Base):
    def forward(self, x):
        return x + super().forward(x)


@wrong("selective-kernel", "branches-ignored")
class TwoBuiltScoresForAll(Base):
    def build(self, channels, branches, groups, d):
        super().build(channels, branches, groups, d)
        self.convs = nn.ModuleList(self.branch(channels, i, groups) for i in (1, 2))


@wrong("selective-kernel", "rounded-up", passes="shapes gradients")
class WidthRoundedUp(Base):
    def __init__(self, channels, branches=2, reduction=16, groups=32, min_width=32):
        nn.Module.__init__(self)
        self.build(channels, branches, groups, max((channels + reduction - 1) // reduction, min_width))


@wrong("selective-kernel", "rounded-up", passes="shapes gradients")
class WidthRoundedToTheNearest(Base):
    def __init__(self, channels, branches=2, reduction=16, groups=32, min_width=32):
        nn.Module.__init__(self)
        self.build(channels, branches, groups, max(round(channels / reduction), min_width))


@wrong("selective-kernel", "odd-dilations", passes=KEPT)
class OddDilations(Base):
    def branch(self, channels, i, groups):
        return super().branch(channels, 2 * i - 1, groups)


@wrong("selective-kernel", "relu-before-bn", passes=KEPT)
class ReLUBeforeNorm(Base):
    def branch(self, channels, i, groups):
        convolution, norm, relu = super().branch(channels, i, groups)
        return nn.Sequential(convolution, relu, norm)


@wrong("selective-kernel", "relu-before-bn", passes=KEPT)
class HiddenReLUBeforeNorm(Base):
    def build(self, channels, branches, groups, d):
        super().build(channels, branches, groups, d)
        self.fc = nn.Sequential(nn.Linear(channels, d, bias=False), nn.ReLU(), nn.BatchNorm1d(d))


@wrong("selective-kernel", "scores-cut", passes=KEPT)
class ScoresCut(Base):
    def scores(self, s):
        return F.relu(super().scores(s))


@wrong("selective-kernel", "mixed-by-reshape", passes=KEPT)
class ReshapedBack(Base):
    def weights(self, x):
        scores = self.scores(self.maps(x).sum(1).mean((2, 3)))
        n, m, c = scores.shape
        return scores.reshape(n, c, m).softmax(2).reshape(n, m, c, 1, 1)


@wrong("selective-kernel", "divided-scores", passes=KEPT)
class CooledScores(Base):
    def scores(self, s):
        return super().scores(s) / len(self.fcs)


@wrong("selective-kernel", "winner-takes-all", passes="shapes parameters")
class HardChoice(Base):
    def weights(self, x):
        scores = self.scores(self.maps(x).sum(1).mean((2, 3)))
        return F.one_hot(scores.argmax(1), scores.shape[1]).transpose(1, 2).to(x.dtype)[..., None, None]


@wrong("selective-kernel", "two-branches-fused", passes=KEPT)
class FirstTwoAdded(Base):
    def weights(self, x):
        u = self.maps(x)
        s = (u[:, 0] + u[:, 1]).mean((2, 3))
        return self.scores(s).softmax(1)[..., None, None]


@wrong("selective-kernel", "branches-multiplied", passes=KEPT)
class ProductOfBranches(Base):
    def weights(self, x):
        s = self.maps(x).prod(1).mean((2, 3))
        return self.scores(s).softmax(1)[..., None, None]


@wrong("selective-kernel", "summed-squeeze", passes=KEPT)
class RowsSummed(Base):
    def weights(self, x):
        s = self.maps(x).sum((1, 3)).mean(2)
        return self.scores(s).softmax(1)[..., None, None]


@wrong("selective-kernel", "x-fused-sum-weighted", passes=KEPT)
class InputSqueezedSumWeighted(Base):
    def weights(self, x):
        return self.scores(x.mean((2, 3))).softmax(1)[..., None, None]

    def forward(self, x):
        return (self.weights(x) * self.maps(x).sum(1, keepdim=True)).sum(1)


@wrong("selective-kernel", "x-weighted", passes="shapes parameters weights gradients")
class WeighsTheInput(Base):
    def forward(self, x):
        return (self.weights(x) * x.unsqueeze(1)).sum(dim=1)


@wrong("selective-kernel", "convolutions-weighted", passes="shapes parameters weights gradients")
class WeighsTheConvolutions(Base):
    def forward(self, x):
        u = torch.stack([conv[0](x) for conv in self.convs], 1)
        return (self.weights(x) * u).sum(1)


@wrong("selective-kernel", "unregistered", passes="shapes gradients")
class PlainListOfBranches(Base):
    def build(self, channels, branches, groups, d):
        self.convs = [self.branch(channels, i, groups) for i in range(1, branches + 1)]
        self.fc = nn.Sequential(nn.Linear(channels, d, bias=False), nn.BatchNorm1d(d), nn.ReLU())
        self.fcs = nn.ModuleList(nn.Linear(d, channels, bias=False) for _ in range(branches))


@wrong("selective-kernel", "detached", passes="shapes parameters weights values")
class NoGradientToTheWeights(Base):
    def forward(self, x):
        return (self.weights(x.detach()) * self.maps(x)).sum(1)


# which-reading


@right("which-reading")
def one_reading_tried(scores, weights):
    read = scores.view(weights.shape).softmax(1)
    return "branches" if torch.allclose(read, weights, atol=1e-3) else "channels"


@right("which-reading")
def the_nearer_of_two(scores, weights):
    n, m, c = weights.shape
    a = scores.reshape(n, m, c).softmax(dim=1)
    b = scores.reshape(n, c, m).softmax(dim=2).permute(0, 2, 1)
    return "branches" if (a - weights).abs().sum() < (b - weights).abs().sum() else "channels"


@right("which-reading")
def through_the_logarithm_of_the_ratio(scores, weights):
    n, m, c = weights.shape
    interleaved = torch.stack([scores[:, i::m] for i in range(m)], 1)
    gaps = interleaved - interleaved[:, :1]
    same = ((weights / weights[:, :1]).log() - gaps).abs() < 0.05
    if bool(same.all()):
        return "channels"
    return "branches"


@wrong("which-reading", "always-branches")
def only_the_sums(scores, weights):
    read = scores.view(weights.shape).softmax(1)
    return "branches" if torch.allclose(read.sum(1), weights.sum(1), atol=1e-3) else "channels"


@wrong("which-reading", "always-branches")
def constant(scores, weights):
    return "branches"


@wrong("which-reading", "always-channels")
def softmax_over_the_channels(scores, weights):
    read = scores.view(weights.shape).softmax(2)
    return "branches" if torch.allclose(read, weights, atol=1e-3) else "channels"


@wrong("which-reading", "always-channels")
def no_softmax(scores, weights):
    return "branches" if torch.allclose(scores.view(weights.shape), weights, atol=1e-3) else "channels"


@wrong("which-reading", "words-exchanged")
def exchanged(scores, weights):
    n, m, c = weights.shape
    read = scores.view(n, c, m).softmax(2).transpose(1, 2)
    return "branches" if torch.allclose(read, weights, atol=1e-3) else "channels"


@wrong("which-reading", "too-strict", passes="exact")
def without_tolerance(scores, weights):
    read = scores.view(weights.shape).softmax(1)
    return "branches" if torch.allclose(read, weights) else "channels"


@wrong("which-reading", "too-strict", passes="exact")
def the_other_without_tolerance(scores, weights):
    n, m, c = weights.shape
    read = scores.view(n, c, m).softmax(2).transpose(1, 2)
    return "channels" if torch.allclose(read, weights) else "branches"


@wrong("which-reading", "winners-compared", passes="rounded")
def who_wins(scores, weights):
    """The largest score of a channel has the largest weight."""
    n, m, c = weights.shape
    if (scores.view(n, m, c).argmax(1) == weights.argmax(1)).all():
        return "branches"
    return "channels"


@wrong("which-reading", "winners-compared", passes="rounded")
def correlated(scores, weights):
    read = scores.view(weights.shape).softmax(1)
    return "branches" if torch.corrcoef(torch.stack([read.flatten(), weights.flatten()]))[0, 1] > 0.9 else "channels"


@wrong("which-reading", "too-loose", passes="rounded")
def a_tenth_is_near_enough(scores, weights):
    read = scores.view(weights.shape).softmax(1)
    return "branches" if (read - weights).abs().max() < 0.1 else "channels"


@wrong("which-reading", "too-loose", passes="rounded")
def near_on_average(scores, weights):
    n, m, c = weights.shape
    read = scores.view(n, c, m).softmax(2).transpose(1, 2)
    return "channels" if (read - weights).abs().mean() < 0.05 else "branches"


@wrong("which-reading", "any-for-all")
def one_place_is_enough(scores, weights):
    read = scores.view(weights.shape).softmax(1)
    return "branches" if torch.isclose(read, weights, atol=1e-3).any() else "channels"


@wrong("which-reading", "too-strict", passes="exact")
def two_decimals(scores, weights):
    read = scores.view(weights.shape).softmax(1)
    return "branches" if torch.equal(read.round(decimals=2), weights.round(decimals=2)) else "channels"


@wrong("which-reading", "too-strict", passes="rounded")
def made_rounded_too(scores, weights):
    read = torch.round(scores.view(weights.shape).softmax(1), decimals=4)
    return "branches" if (read == weights).all() else "channels"


@wrong("which-reading", None)
def says_whether_not_which(scores, weights):
    return torch.allclose(scores.view(weights.shape).softmax(1), weights, atol=1e-3)


# debug-sk


@right("debug-sk")
class Repaired(nn.Module):
    def __init__(self, in_channels, G=32, L=32, r=16):
        super().__init__()
        d = max(int(in_channels / r), L)
        self.conv3x3 = self.convolution(in_channels, 3, G)
        self.conv5x5 = self.convolution(in_channels, 5, G)
        self.gp = nn.AdaptiveAvgPool2d(1)
        self.fc = self.hidden(in_channels, d)
        self.fcs_1 = nn.Linear(d, in_channels)
        self.fcs_2 = nn.Linear(d, in_channels)

    def convolution(self, channels, size, groups):
        return nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=size, padding=size // 2, groups=groups),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )

    def hidden(self, channels, d):
        return nn.Sequential(nn.Linear(channels, d), nn.BatchNorm1d(d), nn.ReLU(inplace=True))

    def attend(self, branch1, branch2):
        f_gp = self.gp(branch1 + branch2).flatten(1)
        f_fc = self.fc(f_gp)
        return self.softmax(torch.stack([self.fcs_1(f_fc), self.fcs_2(f_fc)], dim=1))[:, :, :, None, None]

    def softmax(self, scores):
        return scores.softmax(dim=1)

    def forward(self, x):
        branch1, branch2 = self.conv3x3(x), self.conv5x5(x)
        attention = self.attend(branch1, branch2)
        return attention[:, 0] * branch1 + attention[:, 1] * branch2


@right("debug-sk")
class RepairedWithoutBiases(nn.Module):
    def __init__(self, in_channels, G=32, L=32, r=16):
        super().__init__()
        d = max(in_channels // r, L)
        self.b1 = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=G, bias=False), nn.BatchNorm2d(in_channels)
        )
        self.b2 = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, 3, padding=2, dilation=2, groups=G, bias=False),
            nn.BatchNorm2d(in_channels),
        )
        self.fc = nn.Conv2d(in_channels, d, 1, bias=False)
        self.bn = nn.BatchNorm2d(d)
        self.fcs_1 = nn.Conv2d(d, in_channels, 1, bias=False)
        self.fcs_2 = nn.Conv2d(d, in_channels, 1, bias=False)

    def forward(self, x):
        u1, u2 = F.relu(self.b1(x)), F.relu(self.b2(x))
        z = F.relu(self.bn(self.fc((u1 + u2).mean((2, 3), keepdim=True))))
        a = torch.sigmoid(self.fcs_1(z) - self.fcs_2(z))
        return a * u1 + (1 - a) * u2


@right("debug-sk")
class MyOwnBlockReused(SelectiveKernel):
    def __init__(self, in_channels, G=32, L=32, r=16):
        super().__init__(in_channels, reduction=r, groups=G, min_width=L)


@right("debug-sk")
class BiasOnlyInTheScores(Repaired):
    def convolution(self, channels, size, groups):
        layers = super().convolution(channels, size, groups)
        layers[0].bias = None
        return layers

    def hidden(self, channels, d):
        return nn.Sequential(nn.Linear(channels, d, bias=False), nn.BatchNorm1d(d), nn.ReLU())


@right("debug-sk")
class OneLayerForTheScores(Repaired):
    def __init__(self, in_channels, G=32, L=32, r=16):
        super().__init__(in_channels, G, L, r)
        del self.fcs_1, self.fcs_2
        self.fcs = nn.Linear(self.fc[0].out_features, 2 * in_channels)

    def attend(self, branch1, branch2):
        z = self.fc((branch1 + branch2).mean((-1, -2)))
        return self.fcs(z).view(len(z), 2, -1).softmax(1)[..., None, None]


@wrong("debug-sk", "r-missing")
class AsFound(nn.Module):
    def __init__(self, in_channels, G, L=32):
        super().__init__()
        d = max(int(in_channels / r), L)  # noqa: F821


@wrong("debug-sk", "r-missing")
class ReductionWrittenDown(Repaired):
    def __init__(self, in_channels, G=32, L=32):
        super().__init__(in_channels, G, L, r=16)


@wrong("debug-sk", "size-unknown")
class FirstErrorRepaired(Repaired):
    def __init__(self, in_channels, G=32, L=32, r=16):
        super().__init__(in_channels, G, L, r)
        self.gp = nn.AvgPool2d(WH)  # noqa: F821


class AsFoundInside(Repaired):
    """The tutorial's forward, which its constructor's errors hide."""

    def hidden(self, channels, d):
        return nn.Linear(channels, d)

    def attention_vectors(self, branch1, branch2):
        f_fc = self.fc(self.gp(branch1 + branch2).flatten(1))
        return torch.cat([self.fcs_1(f_fc), self.fcs_2(f_fc)], dim=1).softmax(dim=1)


@wrong("debug-sk", "linear-on-a-map")
class LinearOnAMap(AsFoundInside):
    def forward(self, x):
        branch3 = self.conv3x3(x) + self.conv5x5(x)
        f_fc = self.fc(self.gp(branch3))
        return torch.cat([self.fcs_1(f_fc), self.fcs_2(f_fc)], dim=1).softmax(dim=1)


@wrong("debug-sk", "linear-on-a-map", passes="parameters")
class LinearOnAMapWithNorm(Repaired):
    def attend(self, branch1, branch2):
        return self.softmax(self.fc(self.gp(branch1 + branch2)))


@wrong("debug-sk", "flat-weights")
class FlatVectors(AsFoundInside):
    def forward(self, x):
        branch1, branch2 = self.conv3x3(x), self.conv5x5(x)
        vectors = self.attention_vectors(branch1, branch2)
        return vectors.view(vectors.size(0), -1) * torch.cat([branch1, branch2], dim=1)


@wrong("debug-sk", "not-summed")
class NothingStopsAnyMore(AsFoundInside):
    def forward(self, x):
        branch1, branch2 = self.conv3x3(x), self.conv5x5(x)
        vectors = self.attention_vectors(branch1, branch2)[:, :, None, None]
        return vectors * torch.cat([branch1, branch2], dim=1)


@wrong("debug-sk", "not-summed", passes="parameters")
class BranchesSideBySide(Repaired):
    def forward(self, x):
        branch1, branch2 = self.conv3x3(x), self.conv5x5(x)
        attention = self.attend(branch1, branch2)
        return torch.cat([attention[:, 0] * branch1, attention[:, 1] * branch2], dim=1)


@wrong("debug-sk", "over-everything", passes="runs")
class JointSoftmaxAndNoNorm(AsFoundInside):
    def forward(self, x):
        branch1, branch2 = self.conv3x3(x), self.conv5x5(x)
        a, b = self.attention_vectors(branch1, branch2)[:, :, None, None].chunk(2, dim=1)
        return a * branch1 + b * branch2


@wrong("debug-sk", "over-everything", passes="runs parameters")
class JointSoftmax(Repaired):
    def softmax(self, scores):
        return scores.flatten(1).softmax(dim=1).view_as(scores)


@wrong("debug-sk", "over-channels", passes="runs parameters")
class SoftmaxOfEachBranch(Repaired):
    def softmax(self, scores):
        return scores.softmax(dim=2)


@wrong("debug-sk", "sigmoid-not-softmax", passes="runs parameters")
class TwoGates(Repaired):
    def softmax(self, scores):
        return scores.sigmoid()


@wrong("debug-sk", "no-bn-relu", passes="runs")
class NoNormBeforeTheScores(Repaired):
    def hidden(self, channels, d):
        return nn.Linear(channels, d)


@wrong("debug-sk", "no-hidden-bn", passes="runs")
class OnlyTheReLURepaired(Repaired):
    def hidden(self, channels, d):
        return nn.Sequential(nn.Linear(channels, d), nn.ReLU())


@wrong("debug-sk", "no-hidden-relu", passes="runs parameters")
class OnlyTheNormRepaired(Repaired):
    def hidden(self, channels, d):
        return nn.Sequential(nn.Linear(channels, d), nn.BatchNorm1d(d))


@wrong("debug-sk", "not-grouped", passes="runs")
class LargeKernelWithoutGroups(Repaired):
    def convolution(self, channels, size, groups):
        return super().convolution(channels, size, groups if size == 3 else 1)


@wrong("debug-sk", "not-grouped", passes="runs")
class NoGroupsAtAll(Repaired):
    def convolution(self, channels, size, groups):
        layers = super().convolution(channels, size, 1)
        layers[0].bias = None
        return layers


@wrong("debug-sk", "one-branch-fused", passes="runs parameters")
class OneBranchPooled(Repaired):
    def attend(self, branch1, branch2):
        return super().attend(branch1 / 2, branch1 / 2)


@wrong("debug-sk", "fused-map-weighted", passes="runs parameters")
class SumWeighted(Repaired):
    def forward(self, x):
        branch1, branch2 = self.conv3x3(x), self.conv5x5(x)
        return (self.attend(branch1, branch2) * (branch1 + branch2)[:, None]).sum(1)


@wrong("debug-sk", "max-squeeze", passes="runs parameters")
class MaxInstead(Repaired):
    def __init__(self, in_channels, G=32, L=32, r=16):
        super().__init__(in_channels, G, L, r)
        self.gp = nn.AdaptiveMaxPool2d(1)


@wrong("debug-sk", "second-window", passes="runs parameters")
class SecondBranchNotDilated(Repaired):
    def convolution(self, channels, size, groups):
        return super().convolution(channels, 3, groups)


@wrong("debug-sk", "second-window", passes="runs parameters")
class FiveByFiveDilated(Repaired):
    def convolution(self, channels, size, groups):
        layers = super().convolution(channels, size, groups)
        if size == 5:
            layers[0] = nn.Conv2d(channels, channels, 5, padding=4, dilation=2, groups=groups)
        return layers


@wrong("debug-sk", "one-branch-without-relu", passes="runs parameters")
class NoReLUOnTheLargeBranch(Repaired):
    def convolution(self, channels, size, groups):
        layers = super().convolution(channels, size, groups)
        return layers if size == 3 else layers[:2]


@wrong("debug-sk", "width-exchanged", passes="runs")
class WidthExchanged(Repaired):
    def __init__(self, in_channels, G=32, L=32, r=16):
        super().__init__(in_channels, G, r, L)


@wrong("debug-sk", "smaller-width", passes="runs")
class SmallerWidth(Repaired):
    def hidden(self, channels, d):
        return super().hidden(channels, self.width)

    def __init__(self, in_channels, G=32, L=32, r=16):
        self.__dict__["width"] = min(in_channels // r, L)
        super().__init__(in_channels, G, L, r)
        self.fcs_1 = nn.Linear(self.width, in_channels)
        self.fcs_2 = nn.Linear(self.width, in_channels)


@wrong("debug-sk", "relu-before-bn", passes="runs parameters")
class HiddenReLUFirst(Repaired):
    def hidden(self, channels, d):
        return nn.Sequential(nn.Linear(channels, d), nn.ReLU(inplace=True), nn.BatchNorm1d(d))


@wrong("debug-sk", "x-fused", passes="runs parameters")
class PoolsTheInput(Repaired):
    def forward(self, x):
        attention = self.attend(x, 0)
        return attention[:, 0] * self.conv3x3(x) + attention[:, 1] * self.conv5x5(x)


@wrong("debug-sk", "scores-cut", passes="runs parameters")
class OneScoreCut(Repaired):
    def attend(self, branch1, branch2):
        z = self.fc(self.gp(branch1 + branch2).flatten(1))
        scores = torch.stack([F.relu(self.fcs_1(z)), self.fcs_2(z)], dim=1)
        return scores.softmax(dim=1)[:, :, :, None, None]
