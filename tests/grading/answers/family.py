"""Answers to lesson 10, as learners write them."""

import copy
import math

import torch
from bank import right, wrong
from torch import nn
from torch.nn import functional as F

# eca


@right("eca")
class AsInTheAuthorsCode(nn.Module):
    def __init__(self, channel, gamma=2, b=1):
        super().__init__()
        t = int(abs((math.log(channel, 2) + b) / gamma))
        k = t if t % 2 else t + 1
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.conv = nn.Conv1d(1, 1, kernel_size=k, padding=int(k / 2), bias=False)
        self.sigmoid = nn.Sigmoid()

    def weights(self, x):
        y = self.avg_pool(x)
        y = self.conv(y.squeeze(-1).transpose(-1, -2)).transpose(-1, -2).unsqueeze(-1)
        return self.sigmoid(y)

    def forward(self, x):
        return x * self.weights(x).expand_as(x)


@right("eca")
class AsAnImageOfOneRow(nn.Module):
    def __init__(self, channels, gamma=2, b=1):
        super().__init__()
        k = int(math.log2(channels) / gamma + b / gamma)
        k += 1 - k % 2
        self.row = nn.Conv2d(1, 1, (1, k), padding=(0, k // 2), bias=False)

    def weights(self, x):
        z = x.mean(dim=(2, 3))
        return torch.sigmoid(self.row(z[:, None, None]))[:, 0, 0, :, None, None]

    def forward(self, x):
        return self.weights(x) * x


@right("eca")
class WithAParameter(nn.Module):
    def __init__(self, channels, gamma=2, b=1):
        super().__init__()
        t = (math.log2(channels) + b) / gamma
        k = 2 * math.floor(t / 2) + 1
        self.weight = nn.Parameter(torch.randn(k))

    def weights(self, x):
        z = F.adaptive_avg_pool2d(x, 1).flatten(1)
        scores = F.conv1d(z.unsqueeze(1), self.weight[None, None], padding="same").squeeze(1)
        return scores.sigmoid()[..., None, None]

    def forward(self, x):
        return torch.mul(x, self.weights(x))


@right("eca")
class NeighbourByNeighbour(nn.Module):
    def __init__(self, channels, gamma=2, b=1):
        super().__init__()
        t = int((math.log2(channels) + b) / gamma)
        self.shares = nn.Linear(t + (t + 1) % 2, 1, bias=False)

    def weights(self, x):
        size = self.shares.in_features
        z = F.pad(x.mean((2, 3)), (size // 2, size // 2))
        return self.shares(z.unfold(1, size, 1)).sigmoid().unsqueeze(-1)

    def forward(self, x):
        return self.weights(x) * x


class Right(nn.Module):
    bias = False

    def __init__(self, channels, gamma=2, b=1):
        super().__init__()
        k = self.size(channels, gamma, b)
        self.conv = nn.Conv1d(1, 1, k, padding=k // 2, bias=self.bias)

    def size(self, channels, gamma, b):
        t = int((math.log2(channels) + b) / gamma)
        return t if t % 2 else t + 1

    def pooled(self, x):
        return x.flatten(2).mean(2)

    def gate(self, scores):
        return torch.sigmoid(scores)

    def weights(self, x):
        return self.gate(self.conv(self.pooled(x)[:, None])[:, 0])[:, :, None, None]

    def forward(self, x):
        return self.weights(x) * x


@wrong("eca", "always-three", passes="shapes gradients")
class AlwaysThree(Right):
    def size(self, channels, gamma, b):
        return 3


@wrong("eca", "even-rounded-down", passes="shapes gradients")
class EvenDown(Right):
    def size(self, channels, gamma, b):
        t = int((math.log2(channels) + b) / gamma)
        return t if t % 2 else t - 1


@wrong("eca", "rounded-up", passes="shapes gradients")
class Up(Right):
    def size(self, channels, gamma, b):
        t = math.ceil((math.log2(channels) + b) / gamma)
        return t if t % 2 else t + 1


@wrong("eca", "natural-logarithm", passes="shapes gradients")
class BaseE(Right):
    def size(self, channels, gamma, b):
        t = int((math.log(channels) + b) / gamma)
        return t if t % 2 else t + 1


@wrong("eca", "gamma-on-the-logarithm-alone", passes="shapes gradients")
class BApart(Right):
    def size(self, channels, gamma, b):
        t = int(math.log2(channels) / gamma + b)
        return t if t % 2 else t + 1


@wrong("eca", "gamma-and-b-ignored", passes="shapes gradients")
class Defaults(Right):
    def size(self, channels, gamma, b):
        return super().size(channels, 2, 1)


@wrong("eca", "bias", passes="shapes gradients")
class WithBias(Right):
    bias = True


@wrong("eca", "kernel-for-each-channel", passes="shapes gradients")
class OwnKernels(Right):
    def __init__(self, channels, gamma=2, b=1):
        super().__init__(channels, gamma, b)
        k = self.conv.kernel_size[0]
        self.conv = nn.Conv1d(channels, channels, k, padding=k // 2, bias=False, groups=channels)

    def weights(self, x):
        k = self.conv.kernel_size[0]
        windows = F.pad(self.pooled(x), (k // 2, k // 2)).unfold(1, k, 1)
        return self.gate(self.conv(windows)[:, :, k // 2])[:, :, None, None]


@wrong("eca", "circular", passes="shapes parameters gradients")
class Ring(Right):
    def __init__(self, channels, gamma=2, b=1):
        super().__init__(channels, gamma, b)
        k = self.conv.kernel_size[0]
        self.conv = nn.Conv1d(1, 1, k, padding=k // 2, bias=False, padding_mode="circular")


@wrong("eca", "max-squeeze", passes="shapes parameters gradients")
class Largest(Right):
    def pooled(self, x):
        return x.amax((2, 3))


@wrong("eca", "batch-mixed", passes="shapes parameters gradients")
class AllImages(Right):
    def pooled(self, x):
        return x.mean((0, 2, 3)).repeat(len(x), 1)


@wrong("eca", "no-sigmoid", passes="shapes parameters gradients")
class RawScores(Right):
    def gate(self, scores):
        return scores


@wrong("eca", "hard-sigmoid", passes="shapes parameters gradients")
class Hard(Right):
    def gate(self, scores):
        return F.hardsigmoid(scores)


@wrong("eca", "sigmoid-twice", passes="shapes parameters gradients")
class Twice(Right):
    def gate(self, scores):
        return torch.sigmoid(scores).sigmoid()


@wrong("eca", "softmax-not-sigmoid", passes="shapes parameters gradients")
class Competing(Right):
    def gate(self, scores):
        return scores.softmax(-1)


@wrong("eca", "gate-returned", passes="shapes parameters gradients")
class GateOnly(Right):
    def forward(self, x):
        return self.weights(x).expand_as(x)


@wrong("eca", "residual-inside", passes="shapes parameters gradients")
class PlusX(Right):
    def forward(self, x):
        return x + self.weights(x) * x


@wrong("eca", "gate-added", passes="shapes parameters gradients")
class Sum(Right):
    def forward(self, x):
        return x + self.weights(x)


@wrong("eca", "even-kernel", passes="")
class EvenKept(Right):
    def size(self, channels, gamma, b):
        return int((math.log2(channels) + b) / gamma)


@wrong("eca", "even-kernel", passes="shapes gradients")
class EvenKeptSameLength(Right):
    def __init__(self, channels, gamma=2, b=1):
        super().__init__(channels, gamma, b)
        self.conv = nn.Conv1d(1, 1, int((math.log2(channels) + b) / gamma), padding="same", bias=False)


class Padded(Right):
    def __init__(self, channels, gamma=2, b=1):
        super().__init__(channels, gamma, b)
        k = self.size(channels, gamma, b)
        self.conv = nn.Conv1d(1, 1, k, bias=False, **self.padding(k))


@wrong("eca", "padding-does-not-fit", passes="parameters")
class NotPadded(Padded):
    def padding(self, k):
        return {}


@wrong("eca", "padding-does-not-fit", passes="parameters")
class PaddedByK(Padded):
    def padding(self, k):
        return {"padding": k}


@wrong("eca", "ends-repeated", passes="shapes parameters gradients")
class Replicated(Padded):
    def padding(self, k):
        return {"padding": k // 2, "padding_mode": "replicate"}


@wrong("eca", "relu-before-sigmoid", passes="shapes parameters gradients")
class AsInSE(Right):
    def gate(self, scores):
        return scores.relu().sigmoid()


@wrong("eca", "layers-of-se", passes="shapes gradients")
class StillSE(nn.Module):
    def __init__(self, channels, gamma=2, b=1):
        super().__init__()
        hidden = max(1, channels // 16)
        self.down, self.up = nn.Linear(channels, hidden), nn.Linear(hidden, channels)

    def weights(self, x):
        return self.up(self.down(x.mean((2, 3))).relu()).sigmoid()[..., None, None]

    def forward(self, x):
        return x * self.weights(x)


# coordinate-attention


@right("coordinate-attention")
class CoordAtt(nn.Module):
    """As in the authors' code, with 2d convolutions."""

    def __init__(self, inp, reduction=32):
        super().__init__()
        self.pool_h = nn.AdaptiveAvgPool2d((None, 1))
        self.pool_w = nn.AdaptiveAvgPool2d((1, None))
        mip = max(8, inp // reduction)
        self.conv1 = nn.Conv2d(inp, mip, kernel_size=1, stride=1, padding=0)
        self.bn1 = nn.BatchNorm2d(mip)
        self.act = nn.Hardswish()
        self.conv_h = nn.Conv2d(mip, inp, kernel_size=1, stride=1, padding=0)
        self.conv_w = nn.Conv2d(mip, inp, kernel_size=1, stride=1, padding=0)

    def weights(self, x):
        n, c, h, w = x.size()
        y = torch.cat([self.pool_h(x), self.pool_w(x).permute(0, 1, 3, 2)], dim=2)
        y = self.act(self.bn1(self.conv1(y)))
        x_h, x_w = torch.split(y, [h, w], dim=2)
        return self.conv_h(x_h).sigmoid(), self.conv_w(x_w.permute(0, 1, 3, 2)).sigmoid()

    def forward(self, x):
        a_h, a_w = self.weights(x)
        return x * a_w * a_h


@right("coordinate-attention")
class ColumnsFirst(nn.Module):
    """The columns are joined in front of the rows, the layers are linear, without biases."""

    def __init__(self, channels, reduction=32):
        super().__init__()
        hidden = max(channels // reduction, 8)
        self.to_columns = nn.Linear(hidden, channels, bias=False)
        self.to_rows = nn.Linear(hidden, channels, bias=False)
        self.squeeze = nn.Linear(channels, hidden, bias=False)
        self.norm = nn.BatchNorm1d(hidden)

    def weights(self, x):
        both = torch.cat([x.mean(2), x.mean(3)], -1).transpose(1, 2)
        both = F.hardswish(self.norm(self.squeeze(both).transpose(1, 2))).transpose(1, 2)
        columns, rows = both[:, : x.shape[3]], both[:, x.shape[3] :]
        rows = self.to_rows(rows).transpose(1, 2).unsqueeze(3).sigmoid()
        return rows, self.to_columns(columns).transpose(1, 2).unsqueeze(2).sigmoid()

    def forward(self, x):
        rows, columns = self.weights(x)
        return x * (rows * columns)


@right("coordinate-attention")
class OneLayerForBothGates(nn.Module):
    """A single convolution makes the scores of rows and of columns, then each takes its half."""

    def __init__(self, channels, reduction=32):
        super().__init__()
        hidden = max(8, channels // reduction)
        self.layers = nn.Sequential(nn.Conv1d(channels, hidden, 1), nn.BatchNorm1d(hidden), nn.Hardswish())
        self.gates = nn.Conv1d(hidden, 2 * channels, 1)

    def weights(self, x):
        height = x.shape[2]
        scores = self.gates(self.layers(torch.cat((x.mean(-1), x.mean(-2)), -1))).sigmoid()
        rows, columns = scores.chunk(2, 1)
        return rows[:, :, :height, None], columns[:, :, None, height:]

    def forward(self, x):
        rows, columns = self.weights(x)
        return rows * x * columns


@wrong("coordinate-attention", "otherwise-in-training", passes="shapes parameters gradients")
class OneAfterTheOther(nn.Module):
    """The shared layers are called twice."""

    def __init__(self, channels, reduction=32):
        super().__init__()
        hidden = max(8, channels // reduction)
        self.conv, self.bn = nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden)
        self.h, self.w = nn.Conv2d(hidden, channels, 1), nn.Conv2d(hidden, channels, 1)

    def shared(self, z):
        return F.hardswish(self.bn(self.conv(z)))

    def weights(self, x):
        rows = torch.sigmoid(self.h(self.shared(x.mean(3, keepdim=True))))
        return rows, torch.sigmoid(self.w(self.shared(x.mean(2, keepdim=True))))

    def forward(self, x):
        a, b = self.weights(x)
        return a * b * x


@right("coordinate-attention")
class WithSeparateSteps(nn.Module):
    """Pooling layers, einsum for the product, a normalisation over a map of one column."""

    def __init__(self, channels, reduction=32):
        super().__init__()
        self.width = channels // reduction if channels // reduction > 8 else 8
        self.reduce = nn.Conv2d(channels, self.width, 1)
        self.norm = nn.BatchNorm2d(self.width)
        self.expand = nn.ModuleDict({"w": nn.Conv2d(self.width, channels, 1), "h": nn.Conv2d(self.width, channels, 1)})

    def weights(self, x):
        height, width = x.shape[-2:]
        rows = F.adaptive_avg_pool2d(x, (height, 1))
        columns = F.adaptive_avg_pool2d(x, (1, width)).mT
        hidden = self.norm(self.reduce(torch.cat([rows, columns], dim=-2)))
        hidden = hidden * F.relu6(hidden + 3) / 6
        rows = self.expand["h"](hidden[:, :, :height])
        columns = self.expand["w"](hidden[:, :, height:].mT)
        return rows.sigmoid(), columns.sigmoid()

    def forward(self, x):
        rows, columns = self.weights(x)
        return torch.einsum("nchw,nchi,nciw->nchw", x, rows, columns)


class Coordinates(nn.Module):
    def __init__(self, channels, reduction=32):
        super().__init__()
        hidden = self.hidden(channels, reduction)
        self.first = nn.Sequential(nn.Conv1d(channels, hidden, 1), *self.behind(hidden))
        self.h, self.w = nn.Conv1d(hidden, channels, 1), nn.Conv1d(hidden, channels, 1)

    def hidden(self, channels, reduction):
        return max(8, channels // reduction)

    def behind(self, hidden):
        return [nn.BatchNorm1d(hidden), nn.Hardswish()]

    def pooled(self, x):
        return x.mean(3), x.mean(2)

    def gate(self, scores):
        return scores.sigmoid()

    def pair(self, x):
        rows, columns = self.first(torch.cat(self.pooled(x), 2)).split(x.shape[2:], 2)
        return self.gate(self.h(rows)).unsqueeze(3), self.gate(self.w(columns)).unsqueeze(2)

    def weights(self, x):
        return self.pair(x)

    def forward(self, x):
        a, b = self.pair(x)
        return x * a * b


@wrong("coordinate-attention", "gates-exchanged", passes="parameters gradients")
class Exchanged(Coordinates):
    def weights(self, x):
        rows, columns = self.pair(x)
        return columns, rows


@wrong("coordinate-attention", "gates-added", passes="shapes parameters gradients")
class Added(Coordinates):
    def forward(self, x):
        a, b = self.pair(x)
        return x * (a + b)


@wrong("coordinate-attention", "one-gate-used", passes="shapes parameters")
class RowsOnly(Coordinates):
    def forward(self, x):
        return x * self.pair(x)[0]


@wrong("coordinate-attention", "gates-returned", passes="shapes parameters gradients")
class GatesOnly(Coordinates):
    def forward(self, x):
        a, b = self.pair(x)
        return a * b


@wrong("coordinate-attention", "residual-inside", passes="shapes parameters gradients")
class PlusItself(Coordinates):
    def forward(self, x):
        a, b = self.pair(x)
        return x * a * b + x


@wrong("coordinate-attention", "max-squeeze", passes="shapes parameters gradients")
class Maxima(Coordinates):
    def pooled(self, x):
        return x.max(3).values, x.max(2).values


@wrong("coordinate-attention", "no-normalisation", passes="shapes gradients")
class NoNorm(Coordinates):
    def behind(self, hidden):
        return [nn.Hardswish()]


@wrong("coordinate-attention", "other-activation", passes="shapes parameters gradients")
class WithReLU(Coordinates):
    def behind(self, hidden):
        return [nn.BatchNorm1d(hidden), nn.ReLU()]


@wrong("coordinate-attention", "no-least-width", passes="shapes gradients")
class Narrow(Coordinates):
    def hidden(self, channels, reduction):
        return max(1, channels // reduction)


@wrong("coordinate-attention", "no-least-width")
class NoWidthLeft(Coordinates):
    def hidden(self, channels, reduction):
        return channels // reduction


@wrong("coordinate-attention", "reduction-ignored", passes="shapes gradients")
class Always32(Coordinates):
    def hidden(self, channels, reduction):
        return max(8, channels // 32)


@wrong("coordinate-attention", "shared-last-layer", passes="shapes gradients")
class SharedLast(Coordinates):
    def __init__(self, channels, reduction=32):
        super().__init__(channels, reduction)
        self.w = self.h


@wrong("coordinate-attention", "two-first-layers", passes="shapes gradients")
class TwoFirst(Coordinates):
    def __init__(self, channels, reduction=32):
        super().__init__(channels, reduction)
        hidden = self.hidden(channels, reduction)
        self.second = nn.Sequential(nn.Conv1d(channels, hidden, 1), *self.behind(hidden))

    def pair(self, x):
        rows, columns = self.pooled(x)
        rows, columns = self.h(self.first(rows)), self.w(self.second(columns))
        return rows.sigmoid().unsqueeze(3), columns.sigmoid().unsqueeze(2)


@wrong("coordinate-attention", "no-sigmoid", passes="shapes parameters gradients")
class OpenGates(Coordinates):
    def gate(self, scores):
        return scores


@wrong("coordinate-attention", "hard-sigmoid", passes="shapes parameters gradients")
class HardGates(Coordinates):
    def gate(self, scores):
        return F.hardsigmoid(scores)


@wrong("coordinate-attention", "softmax-not-sigmoid", passes="shapes parameters gradients")
class RowsCompete(Coordinates):
    def gate(self, scores):
        return scores.softmax(-1)


class Joined(Coordinates):
    def cut(self, hidden, height, width):
        return hidden.split([height, width], -1)

    def pair(self, x):
        rows, columns = self.cut(self.first(torch.cat(self.pooled(x), -1)), *x.shape[2:])
        return self.h(rows).sigmoid().unsqueeze(3), self.w(columns).sigmoid().unsqueeze(2)


@wrong("coordinate-attention", "rows-for-columns", passes="shapes parameters gradients")
class OtherMeans(Joined):
    def pooled(self, x):
        return x.mean(2), x.mean(3)


@wrong("coordinate-attention", "cut-elsewhere", passes="parameters")
class CutAtTheWidth(Joined):
    def cut(self, hidden, height, width):
        return hidden.split([width, height], -1)


@wrong("coordinate-attention", "cut-elsewhere", passes="shapes parameters gradients")
class CutFromTheEnds(Joined):
    def cut(self, hidden, height, width):
        return hidden[..., -height:], hidden[..., :width]


@wrong("coordinate-attention", "activation-first", passes="shapes parameters gradients")
class ActivatedTooEarly(Coordinates):
    def behind(self, hidden):
        return [nn.Hardswish(), nn.BatchNorm1d(hidden)]


@wrong("coordinate-attention", "joined-along-channels")
class JoinedAlongChannels(Coordinates):
    def __init__(self, channels, reduction=32):
        super().__init__(channels, reduction)
        hidden = self.hidden(channels, reduction)
        self.first = nn.Sequential(nn.Conv1d(2 * channels, hidden, 1), nn.BatchNorm1d(hidden), nn.Hardswish())

    def pair(self, x):
        f = self.first(torch.cat(self.pooled(x), 1))
        return self.h(f).sigmoid().unsqueeze(3), self.w(f).sigmoid().unsqueeze(2)


# windows


@right("windows-partition")
def as_in_swin(x, window_size):
    B, H, W, C = x.shape
    x = x.view(B, H // window_size, window_size, W // window_size, window_size, C)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, window_size * window_size, C)


@right("windows-partition")
def slice_by_slice(x, size):
    windows = []
    for image in x:
        for top in range(0, x.shape[1], size):
            for left in range(0, x.shape[2], size):
                windows.append(image[top : top + size, left : left + size].flatten(0, 1))
    return torch.stack(windows)


@right("windows-partition")
def unfolded(x, size):
    windows = x.unfold(1, size, size).unfold(2, size, size)  # N, rows, columns, C, size, size
    return windows.movedim(3, 5).reshape(-1, size * size, x.shape[3])


@right("windows-partition")
def by_unfold_of_images(x, size):
    n, _, _, c = x.shape
    columns = F.unfold(x.movedim(3, 1), size, stride=size)  # N, C * L, windows
    return columns.unflatten(1, (c, size * size)).permute(0, 3, 2, 1).reshape(-1, size * size, c)


@wrong("windows-partition", "windows-by-view", passes="shape")
def by_view(x, size):
    return x.reshape(-1, size * size, x.shape[-1])


@wrong("windows-partition", "windows-column-by-column", passes="shape")
def downwards(x, size):
    n, h, w, c = x.shape
    x = x.view(n, h // size, size, w // size, size, c)
    return x.permute(0, 3, 1, 2, 4, 5).reshape(-1, size * size, c)


@wrong("windows-partition", "tokens-column-by-column", passes="shape")
def tokens_downwards(x, size):
    n, h, w, c = x.shape
    x = x.view(n, h // size, size, w // size, size, c)
    return x.permute(0, 1, 3, 4, 2, 5).reshape(-1, size * size, c)


@wrong("windows-partition", "scattered", passes="shape")
def every_so_many(x, size):
    n, h, w, c = x.shape
    x = x.view(n, size, h // size, size, w // size, c)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(-1, size * size, c)


@wrong("windows-partition", "windows-on-an-axis")
def own_axis(x, size):
    n, _, _, c = x.shape
    return as_in_swin(x, size).view(n, -1, size * size, c)


@wrong("windows-partition", "windows-not-flattened")
def squares(x, size):
    return as_in_swin(x, size).view(-1, size, size, x.shape[-1])


def in_order(x, size, *order):
    n, h, w, c = x.shape
    return x.view(n, h // size, size, w // size, size, c).permute(order).reshape(-1, size * size, c)


@wrong("windows-partition", "axes-in-another-order", passes="shape")
def rows_exchanged(x, size):
    return in_order(x, size, 0, 2, 1, 3, 4, 5)


@wrong("windows-partition", "axes-in-another-order", passes="shape")
def outer_exchanged(x, size):
    return in_order(x, size, 0, 3, 2, 1, 4, 5)


@wrong("windows-partition", "windows-of-all-images-mixed", passes="shape")
def images_in_turn(x, size):
    return in_order(x, size, 1, 3, 0, 2, 4, 5)


@wrong("windows-partition", "channels-not-last", passes="shape")
def channels_in_between(x, size):
    return x.unfold(1, size, size).unfold(2, size, size).reshape(-1, size * size, x.shape[-1])


@wrong("windows-partition", "channels-first")
def as_images(x, size):
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // size, size, w // size, size)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(-1, size * size, c)


@right("windows-reverse")
def swin_back(windows, window_size, H, W):
    B = int(windows.shape[0] / (H * W / window_size / window_size))
    x = windows.view(B, H // window_size, W // window_size, window_size, window_size, -1)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(B, H, W, -1)


@right("windows-reverse")
def put_back(windows, size, height, width):
    per_image = (height // size) * (width // size)
    images = []
    for start in range(0, len(windows), per_image):
        rows = []
        for i in range(height // size):
            first = start + i * (width // size)
            row = [windows[first + j].unflatten(0, (size, size)) for j in range(width // size)]
            rows.append(torch.cat(row, 1))
        images.append(torch.cat(rows, 0))
    return torch.stack(images)


@right("windows-reverse")
def folded(windows, size, height, width):
    n = len(windows) * size * size // (height * width)
    columns = windows.unflatten(0, (n, -1)).permute(0, 3, 2, 1).flatten(1, 2)
    return F.fold(columns, (height, width), size, stride=size).movedim(1, 3)


@right("windows-reverse")
def by_einsum(windows, size, height, width):
    cut = windows.reshape(-1, height // size, width // size, size, size, windows.shape[-1])
    return torch.einsum("nabijc->naibjc", cut).reshape(-1, height, width, windows.shape[-1])


@wrong("windows-reverse", "windows-by-view", passes="shape")
def joined_by_view(windows, size, height, width):
    return windows.reshape(-1, height, width, windows.shape[-1])


@wrong("windows-reverse", "tokens-column-by-column", passes="shape")
def turned_tokens(windows, size, height, width):
    x = windows.view(-1, height // size, width // size, size, size, windows.shape[-1])
    return x.permute(0, 1, 4, 2, 3, 5).reshape(-1, height, width, windows.shape[-1])


@wrong("windows-reverse", "sides-swapped")
def swapped_sides(windows, size, height, width):
    return swin_back(windows, size, width, height)


@wrong("windows-reverse", "other-number-side-by-side", passes="shape")
def height_twice(windows, size, height, width):
    x = windows.reshape(-1, height // size, height // size, size, size, windows.shape[-1])
    return x.transpose(2, 3).reshape(-1, height, width, windows.shape[-1])


@wrong("windows-reverse", "windows-column-by-column", passes="shape")
def down_the_columns(windows, size, height, width):
    x = windows.view(-1, width // size, height // size, size, size, windows.shape[-1])
    return x.permute(0, 2, 3, 1, 4, 5).reshape(-1, height, width, windows.shape[-1])


@wrong("windows-reverse", "windows-of-all-images-mixed", passes="shape")
def dealt_out(windows, size, height, width):
    x = windows.view(height // size, width // size, -1, size, size, windows.shape[-1])
    return x.permute(2, 0, 3, 1, 4, 5).reshape(-1, height, width, windows.shape[-1])


@wrong("windows-reverse", "axes-in-another-order", passes="shape")
def other_axes(windows, size, height, width):
    x = windows.view(-1, height // size, width // size, size, size, windows.shape[-1])
    return x.transpose(1, 3).reshape(-1, height, width, windows.shape[-1])


@wrong("windows-reverse", "cut-as-the-map", passes="shape")
def cut_like_a_map(windows, size, height, width):
    x = windows.view(-1, height // size, size, width // size, size, windows.shape[-1])
    return x.transpose(2, 3).reshape(-1, height, width, windows.shape[-1])


@wrong("windows-reverse", None)
def images_forgotten(windows, size, height, width):
    return swin_back(windows, size, height, width)[0]


# shifted-mask


@right("shifted-mask")
def three_slices(height, width, size, shift):
    """As in Swin's code."""
    img_mask = torch.zeros((1, height, width, 1))
    slices = (slice(0, -size), slice(-size, -shift), slice(-shift, None))
    cnt = 0
    for h in slices:
        for w in slices:
            img_mask[:, h, w, :] = cnt
            cnt += 1
    windows = as_in_swin(img_mask, size).view(-1, size * size)
    return (windows.unsqueeze(1) - windows.unsqueeze(2)) == 0


@right("shifted-mask")
def token_by_token(height, width, size, shift):
    def piece(i, j):
        return i >= height - shift, j >= width - shift

    masks = []
    for top in range(0, height, size):
        for left in range(0, width, size):
            tokens = [(top + i, left + j) for i in range(size) for j in range(size)]
            masks.append([[piece(*a) == piece(*b) for b in tokens] for a in tokens])
    return torch.tensor(masks)


@right("shifted-mask")
def rows_and_columns(height, width, size, shift):
    rows = (torch.arange(height) >= height - shift).view(-1, size)
    columns = (torch.arange(width) >= width - shift).view(-1, size)
    same_rows = rows[:, :, None] == rows[:, None]
    same_columns = columns[:, :, None] == columns[:, None]
    both = same_rows[:, None, :, None, :, None] & same_columns[None, :, None, :, None, :]
    return both.reshape(-1, size * size, size * size)


@right("shifted-mask")
def by_the_old_places(height, width, size, shift):
    """Two tokens were near each other before the roll if they are as far apart as after it."""
    i = torch.arange(height)[:, None].expand(height, width)
    j = torch.arange(width).expand(height, width)
    old = torch.stack([i, j], -1).roll((-shift, -shift), (0, 1))
    old, new = (as_in_swin(place[None], size) for place in (old, torch.stack([i, j], -1)))
    return ((old[:, :, None] - old[:, None]) == (new[:, :, None] - new[:, None])).all(-1)


def masked(height, width, size, shift, compare=torch.eq, came_over=torch.ge, rows=True, columns=True):
    i, j = torch.arange(height)[:, None], torch.arange(width)
    region = torch.zeros(height, width)
    if rows:
        region = region + 2 * came_over(i, height - shift)
    if columns:
        region = region + came_over(j, width - shift)
    tokens = as_in_swin(region[None, :, :, None], size)
    return compare(tokens, tokens.transpose(1, 2))


@wrong("shifted-mask", "inverted", passes="shape")
def forbidden_is_true(height, width, size, shift):
    return masked(height, width, size, shift, compare=torch.ne)


@wrong("shifted-mask", "all-allowed", passes="shape unshifted")
def everybody(height, width, size, shift):
    windows = (height // size) * (width // size)
    return torch.ones(windows, size * size, size * size, dtype=torch.bool)


@wrong("shifted-mask", "one-rim-only", passes="shape unshifted")
def only_rows(height, width, size, shift):
    return masked(height, width, size, shift, columns=False)


@wrong("shifted-mask", "rolled-the-other-way", passes="shape unshifted")
def other_way(height, width, size, shift):
    i, j = torch.arange(height)[:, None], torch.arange(width)
    tokens = as_in_swin((2 * (i < shift) + (j < shift).long())[None, :, :, None], size)
    return tokens == tokens.mT


@wrong("shifted-mask", "kept-instead-of-shift", passes="shape unshifted")
def the_rest(height, width, size, shift):
    return masked(height, width, size, size - shift if shift else 0)


@wrong("shifted-mask", "whole-map")
def for_all_tokens(height, width, size, shift):
    i, j = torch.arange(height)[:, None], torch.arange(width)
    region = (2 * (i >= height - shift) + (j >= width - shift).long()).flatten()[None]
    return region[:, :, None] == region[:, None]


@wrong("shifted-mask", "row-or-column", passes="shape unshifted")
def either(height, width, size, shift):
    return masked(height, width, size, shift, columns=False) | masked(height, width, size, shift, rows=False)


@wrong("shifted-mask", "numbers-for-truth")
def zeros_and_ones(height, width, size, shift):
    return masked(height, width, size, shift).float()


@wrong("shifted-mask", "sides-swapped", passes="shape unshifted")
def width_first(height, width, size, shift):
    return masked(width, height, size, shift)


@right("shifted-mask")
def by_distance(height, width, size, shift):
    """Neighbours are nearer to each other in the old map than a window is wide."""
    old = torch.stack(
        torch.meshgrid(torch.arange(height).roll(-shift), torch.arange(width).roll(-shift), indexing="ij"), -1
    )
    tokens = as_in_swin(old[None], size)
    return (tokens[:, :, None] - tokens[:, None]).abs().amax(-1) < size


def numbered(number, size):
    tokens = as_in_swin(number[None, :, :, None], size)
    return tokens == tokens.mT


def over(height, width, shift):
    return (torch.arange(height) >= height - shift)[:, None], torch.arange(width) >= width - shift


@wrong("shifted-mask", "pieces-share-a-number", passes="shape unshifted")
def rows_plus_columns(height, width, size, shift):
    rows, columns = over(height, width, shift)
    return numbered(rows.long() + columns.long(), size)


@wrong("shifted-mask", "pieces-share-a-number", passes="shape unshifted")
def over_or_not(height, width, size, shift):
    rows, columns = over(height, width, shift)
    return numbered(rows | columns, size)


@wrong("shifted-mask", "border-beside", passes="shape unshifted")
def one_row_too_late(height, width, size, shift):
    return masked(height, width, size, shift, came_over=torch.gt)


@wrong("shifted-mask", "shift-ignored", passes="shape unshifted")
def always_half(height, width, size, shift):
    return masked(height, width, size, size // 2 if shift else 0)


@wrong("shifted-mask", "rolled-twice", passes="shape unshifted")
def rolled_again(height, width, size, shift):
    rows, columns = over(height, width, shift)
    return numbered((2 * rows + columns.long()).roll((-shift, -shift), (0, 1)), size)


@wrong("shifted-mask", "rolled-with-the-wrong-sign", passes="shape unshifted")
def rolled_back(height, width, size, shift):
    rows, columns = (torch.arange(height) < shift)[:, None], torch.arange(width) < shift
    return numbered((2 * rows + columns.long()).roll((shift, shift), (0, 1)), size)


@wrong("shifted-mask", "nobody-without-a-shift", passes="shape")
def no_shift_no_attention(height, width, size, shift):
    mask = masked(height, width, size, shift)
    return mask if shift else torch.zeros_like(mask)


@wrong("shifted-mask", "last-window-only", passes="shape unshifted")
def the_last_alone(height, width, size, shift):
    mask = torch.ones((height // size) * (width // size), size * size, size * size, dtype=torch.bool)
    piece = numbered(2 * over(size, size, shift)[0] + over(size, size, shift)[1].long(), size)
    mask[-1] = piece[0]
    return mask


@wrong("shifted-mask", "one-token-decides", passes="shape unshifted")
def keys_alone(height, width, size, shift):
    rows, columns = over(height, width, shift)
    tokens = as_in_swin((rows | columns)[None, :, :, None], size)
    return (~tokens).mT.expand(-1, size * size, -1)


@wrong("shifted-mask", "nobody-at-all", passes="shape")
def nobody(height, width, size, shift):
    return torch.zeros((height // size) * (width // size), size * size, size * size, dtype=torch.bool)


@wrong("shifted-mask", "none-from-over-the-rim", passes="shape unshifted")
def both_stayed(height, width, size, shift):
    rows, columns = over(height, width, shift)
    stayed = as_in_swin(~(rows | columns)[None, :, :, None], size)
    return stayed & stayed.mT


@wrong("shifted-mask", "one-way", passes="shape unshifted")
def to_smaller_numbers(height, width, size, shift):
    return masked(height, width, size, shift, compare=torch.ge)


@wrong("shifted-mask", "old-windows-kept-apart", passes="shape unshifted")
def by_old_windows(height, width, size, shift):
    window = torch.arange(height)[:, None] // size * width + torch.arange(width) // size
    return numbered(window.roll((-shift, -shift), (0, 1)), size)


@wrong("shifted-mask", "sides-swapped", passes="shape unshifted")
def reshaped_sides(height, width, size, shift):
    rows, columns = over(width, height, shift)
    return numbered((2 * rows + columns.long()).reshape(height, width), size)


# online-softmax


@right("online-softmax")
def as_in_the_paper(q, k, v, block):
    m = torch.full((*q.shape[:-1], 1), float("-inf"), dtype=q.dtype)
    l = torch.zeros_like(m)  # noqa: E741 (the paper's name)
    o = torch.zeros(*q.shape[:-1], v.shape[-1], dtype=q.dtype)
    for kj, vj in zip(torch.split(k, block, dim=-2), torch.split(v, block, dim=-2)):
        s = torch.matmul(q, kj.transpose(-1, -2)) / q.size(-1) ** 0.5
        m_new = torch.max(m, s.max(dim=-1, keepdim=True)[0])
        p = torch.exp(s - m_new)
        alpha = torch.exp(m - m_new)
        l = alpha * l + p.sum(dim=-1, keepdim=True)  # noqa: E741
        o = alpha * o + torch.matmul(p, vj)
        m = m_new
    return o / l


@right("online-softmax")
def normalised_all_the_time(q, k, v, block):
    """The output is kept divided by the sum so far, as in FlashAttention's first version."""
    m = l = o = None  # noqa: E741
    for start in range(0, k.shape[-2], block):
        s = q @ k[..., start : start + block, :].mT / math.sqrt(q.shape[-1])
        top = s.amax(-1, keepdim=True)
        p = (s - top).exp()
        total, out = p.sum(-1, keepdim=True), p @ v[..., start : start + block, :]
        if m is None:
            m, l, o = top, total, out / total  # noqa: E741
            continue
        new = torch.maximum(m, top)
        a, b = (m - new).exp() * l, (top - new).exp()
        o = (a * o + b * out) / (a + b * total)
        m, l = new, a + b * total  # noqa: E741
    return o


@right("online-softmax")
def by_logsumexp(q, k, v, block):
    """Each block's softmax, weighed by its share of the exponentials."""
    logs = out = None
    for keys, values in zip(k.split(block, -2), v.split(block, -2)):
        s = q @ keys.mT / math.sqrt(q.shape[-1])
        log, here = s.logsumexp(-1, keepdim=True), s.softmax(-1) @ values
        if logs is None:
            logs, out = log, here
        else:
            new = torch.logaddexp(logs, log)
            out = (logs - new).exp() * out + (log - new).exp() * here
            logs = new
    return out


@right("online-softmax")
def in_two_passes_over_the_blocks(q, k, v, block):
    """First the largest score, then the sums: the scores are computed twice."""
    scaled = q / math.sqrt(q.shape[-1])
    pieces = range(0, k.shape[-2], block)
    top = q.new_full((*q.shape[:-1], 1), -torch.inf)
    for i in pieces:
        top = torch.maximum(top, (scaled @ k[..., i : i + block, :].mT).amax(-1, keepdim=True))
    total = output = 0
    for i in pieces:
        shares = (scaled @ k[..., i : i + block, :].mT - top).exp()
        total = total + shares.sum(-1, keepdim=True)
        output = output + shares @ v[..., i : i + block, :]
    return output / total


class InBlocks:
    shrinks_total = shrinks_output = divides = True

    def scale(self, q):
        return math.sqrt(q.shape[-1])

    def starts(self, keys, block):
        return range(0, keys, block)

    def new(self, m, s):
        return torch.maximum(m, s.amax(-1, keepdim=True))

    def __call__(self, q, k, v, block):
        m = torch.full_like(q[..., :1], -math.inf)
        total, output = torch.zeros_like(m), 0
        for i in self.starts(k.shape[-2], block):
            s = q @ k[..., i : i + block, :].mT / self.scale(q)
            new = self.new(m, s)
            shrink, e = (m - new).exp(), (s - new).exp()
            total = (shrink if self.shrinks_total else 1) * total + e.sum(-1, keepdim=True)
            output = (shrink if self.shrinks_output else 1) * output + e @ v[..., i : i + block, :]
            m = new
        return output / total if self.divides else output


def variant(name, **other):
    made = type(name, (InBlocks,), other)()
    made.__name__ = name
    return made


wrong("online-softmax", "nothing-rescaled", passes="shape gradients")(
    variant("nothing_shrinks", shrinks_total=False, shrinks_output=False)
)
wrong("online-softmax", "output-not-rescaled", passes="shape gradients")(
    variant("only_the_total", shrinks_output=False)
)
wrong("online-softmax", "total-not-rescaled", passes="shape gradients")(variant("only_the_output", shrinks_total=False))
wrong("online-softmax", "never-divided", passes="shape large gradients")(variant("not_divided", divides=False))
wrong("online-softmax", "no-scale", passes="shape large gradients")(variant("unscaled", scale=lambda self, q: 1))
wrong("online-softmax", "scale-not-rooted", passes="shape large gradients")(
    variant("by_the_width", scale=lambda self, q: q.shape[-1])
)
wrong("online-softmax", "no-largest-score", passes="shape values memory gradients")(
    variant("largest_of_the_block", new=lambda self, m, s: s.amax(-1, keepdim=True))
)
wrong("online-softmax", "last-block-lost", passes="shape large memory gradients")(
    variant("whole_blocks", starts=lambda self, keys, block: range(0, max(keys - block + 1, 1), block))
)


@wrong("online-softmax", "no-largest-score", passes="shape values memory gradients")
def bare_exponentials(q, k, v, block):
    total = output = 0
    for keys, values in zip(k.split(block, -2), v.split(block, -2)):
        e = torch.exp(q @ keys.mT / math.sqrt(q.shape[-1]))
        total, output = total + e.sum(-1, keepdim=True), output + e @ values
    return output / total


@wrong("online-softmax", "divided-by-the-last-total", passes="shape large gradients")
def divided_in_every_block(q, k, v, block):
    m = torch.full_like(q[..., :1], -math.inf)
    total, output = torch.zeros_like(m), 0
    for keys, values in zip(k.split(block, -2), v.split(block, -2)):
        s = q @ keys.mT / math.sqrt(q.shape[-1])
        new = torch.maximum(m, s.amax(-1, keepdim=True))
        shrink, e = (m - new).exp(), (s - new).exp()
        total = shrink * total + e.sum(-1, keepdim=True)
        output = (shrink * output + e @ values) / total
        m = new
    return output


@wrong("online-softmax", "blocks-averaged", passes="shape gradients")
def mean_of_blocks(q, k, v, block):
    outputs = []
    for keys, values in zip(k.split(block, -2), v.split(block, -2)):
        outputs.append(torch.softmax(q @ keys.mT / math.sqrt(q.shape[-1]), -1) @ values)
    return torch.stack(outputs).mean(0)


@wrong("online-softmax", "all-at-once", passes="shape values large gradients")
def lesson_six(q, k, v, block):
    return torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), -1) @ v


@wrong("online-softmax", "all-at-once", passes="shape values large gradients")
def blocks_of_queries(q, k, v, block):
    rows = [torch.softmax(some @ k.mT / math.sqrt(q.shape[-1]), -1) @ v for some in q.split(block, -2)]
    return torch.cat(rows, -2)


def from_pieces(q, pieces, width=None, first=-math.inf, keep=True, old=False, total=0.0):
    m = torch.full_like(q[..., :1], first)
    l = torch.full_like(m, total)  # noqa: E741
    o = 0 if width is None else torch.zeros(*q.shape[:-1], width, dtype=q.dtype)
    for keys, values in pieces:
        s = q @ keys.mT * q.shape[-1] ** -0.5
        new = torch.maximum(m, s.amax(-1, keepdim=True))
        e = torch.exp(s - (m if old else new))
        l = (m - new).exp() * l + e.sum(-1, keepdim=True)  # noqa: E741
        o = (m - new).exp() * o + e @ values
        m = new if keep else m
    return o / l


def cut(k, v, block):
    return zip(k.split(block, -2), v.split(block, -2))


@right("online-softmax")
def from_a_very_low_number(q, k, v, block):
    return from_pieces(q, cut(k, v, block), first=torch.finfo(q.dtype).min)


@right("online-softmax")
def with_so_many_chunks(q, k, v, block):
    number = math.ceil(k.shape[-2] / block)
    return from_pieces(q, zip(k.chunk(number, -2), v.chunk(number, -2)), v.shape[-1])


@wrong("online-softmax", "smaller-blocks-hold-more", passes="shape values large gradients")
def so_many_blocks(q, k, v, block):
    return from_pieces(q, zip(k.chunk(block, -2), v.chunk(block, -2)))


@wrong("online-softmax", "smaller-blocks-hold-more", passes="shape values large gradients")
def every_largest_score_kept(q, k, v, block):
    pieces = range(0, k.shape[-2], block)
    scaled = q / math.sqrt(q.shape[-1])
    top = torch.stack([(scaled @ k[..., i : i + block, :].mT).amax(-1) for i in pieces]).amax(0)[..., None]
    total = output = 0
    for i in pieces:
        shares = (scaled @ k[..., i : i + block, :].mT - top).exp()
        total = total + shares.sum(-1, keepdim=True)
        output = output + shares @ v[..., i : i + block, :]
    return output / total


@wrong("online-softmax", "largest-begins-too-high", passes="shape values memory gradients")
def from_zero(q, k, v, block):
    return from_pieces(q, cut(k, v, block), first=0.0)


@wrong("online-softmax", "largest-begins-too-high", passes="shape values memory gradients")
def from_minus_hundred(q, k, v, block):
    return from_pieces(q, cut(k, v, block), v.shape[-1], first=-100.0)


@wrong("online-softmax", "largest-not-kept", passes="shape gradients")
def never_kept(q, k, v, block):
    return from_pieces(q, cut(k, v, block), first=0.0, keep=False)


@wrong("online-softmax", "last-block-only", passes="shape gradients")
def never_kept_from_minus_infinity(q, k, v, block):
    return from_pieces(q, cut(k, v, block), v.shape[-1], keep=False)


@wrong("online-softmax", "last-block-only", passes="shape gradients")
def overwritten_in_the_loop(q, k, v, block):
    for keys, values in cut(k, v, block):
        output = torch.softmax(q @ keys.mT / math.sqrt(q.shape[-1]), -1) @ values
    return output


@wrong("online-softmax", "shares-of-the-old-largest", passes="shape gradients")
def relative_to_the_old(q, k, v, block):
    return from_pieces(q, cut(k, v, block), first=0.0, old=True)


@wrong("online-softmax", "nan-everywhere", passes="shape")
def relative_to_a_very_low_number(q, k, v, block):
    return from_pieces(q, cut(k, v, block), v.shape[-1], first=-1e4, old=True)


@wrong("online-softmax", "shrunk-the-wrong-way", passes="shape gradients")
def grows(q, k, v, block):
    m = q.new_full((*q.shape[:-1], 1), -1e9)
    total, output = torch.zeros_like(m), 0
    for n, (keys, values) in enumerate(cut(k, v, block)):
        s = q @ keys.mT / math.sqrt(q.shape[-1])
        new = torch.maximum(m, s.amax(-1, keepdim=True))
        shrink, e = (new - m).exp() if n else torch.ones_like(m), (s - new).exp()
        total, output = shrink * total + e.sum(-1, keepdim=True), shrink * output + e @ values
        m = new
    return output / total


@wrong("online-softmax", "as-many-keys-as-queries", passes="shape gradients")
def as_many_blocks_as_queries(q, k, v, block):
    return from_pieces(q, list(cut(k, v, block))[: -(-q.shape[-2] // block)])


@wrong("online-softmax", "total-begins-at-one", passes="shape gradients")
def one_too_many(q, k, v, block):
    return from_pieces(q, cut(k, v, block), first=0.0, total=1.0)


@wrong("online-softmax", "first-block-only", passes="shape gradients")
def returned_too_early(q, k, v, block):
    return from_pieces(q, list(cut(k, v, block))[:1])


@wrong("online-softmax", "as-many-keys-as-queries", passes="shape gradients")
def loop_over_queries(q, k, v, block):
    length = min(q.shape[-2], k.shape[-2])
    return from_pieces(q, cut(k[..., :length, :], v[..., :length, :], block))


@wrong("online-softmax", "output-as-wide-as-q")
def room_for_q(q, k, v, block):
    return from_pieces(q, cut(k, v, block), q.shape[-1])


@wrong("online-softmax", "root-of-another-size", passes="shape large memory gradients")
def root_of_e(q, k, v, block):
    return from_pieces(q * math.sqrt(q.shape[-1] / v.shape[-1]), cut(k, v, block))


@wrong("online-softmax", "last-block-lost", passes="shape memory large")
def only_full_blocks(q, k, v, block):
    whole = k.shape[-2] // block * block
    return from_pieces(q, cut(k[..., :whole, :], v[..., :whole, :], block) if whole else (), v.shape[-1])


@wrong("online-softmax", "borrowed", passes="shape")
def torchs_own(q, k, v, block):
    return F.scaled_dot_product_attention(q, k, v)


# deformable


def neighbourhood(points):
    side = int(points**0.5)
    around = range(-(side // 2), side // 2 + 1)
    return torch.tensor([[dx, dy] for dy in around for dx in around], dtype=torch.float32)


def pixels(size, dtype):
    return (2 * torch.arange(size, dtype=dtype) + 1) / size - 1


@right("deformable")
class PointByPoint(nn.Module):
    def __init__(self, channels, points=9):
        super().__init__()
        self.to_offsets = nn.Conv2d(channels, points * 2, kernel_size=1)
        self.to_weights = nn.Conv2d(channels, points, kernel_size=1)
        nn.init.zeros_(self.to_offsets.weight)
        nn.init.zeros_(self.to_weights.weight)
        nn.init.zeros_(self.to_weights.bias)
        self.to_offsets.bias.data = neighbourhood(points).flatten()

    def offsets(self, x):
        n, _, h, w = x.shape
        return self.to_offsets(x).view(n, -1, 2, h, w).permute(0, 1, 3, 4, 2)

    def weights(self, x):
        return F.softmax(self.to_weights(x), dim=1)

    def forward(self, x):
        h, w = x.shape[2:]
        offsets, weights = self.offsets(x), self.weights(x)
        yy, xx = torch.meshgrid(pixels(h, x.dtype), pixels(w, x.dtype), indexing="ij")
        out = torch.zeros_like(x)
        for p in range(weights.shape[1]):
            grid = torch.stack([xx + offsets[:, p, ..., 0] * 2 / w, yy + offsets[:, p, ..., 1] * 2 / h], dim=-1)
            out = out + weights[:, p : p + 1] * F.grid_sample(x, grid, align_corners=False)
        return out


@right("deformable")
class OneLayerForBoth(nn.Module):
    """A single linear layer on channels-last features; the scores come first."""

    def __init__(self, channels, points=9):
        super().__init__()
        self.points = points
        self.layer = nn.Linear(channels, 3 * points)
        with torch.no_grad():
            self.layer.weight.zero_()
            self.layer.bias.zero_()
            self.layer.bias[points:] = neighbourhood(points).flatten()

    def numbers(self, x):
        return self.layer(x.movedim(1, -1))  # N, H, W, 3 points

    def weights(self, x):
        return self.numbers(x)[..., : self.points].softmax(-1).movedim(-1, 1)

    def offsets(self, x):
        return self.numbers(x)[..., self.points :].unflatten(-1, (-1, 2)).movedim(3, 1)

    def forward(self, x):
        n, c, h, w = x.shape
        place = torch.stack(torch.meshgrid(pixels(w, x.dtype), pixels(h, x.dtype), indexing="xy"), -1)
        grid = place + self.offsets(x) * torch.tensor([2 / w, 2 / h], dtype=x.dtype)
        seen = F.grid_sample(
            x[:, None].expand(-1, self.points, -1, -1, -1).flatten(0, 1), grid.flatten(0, 1), align_corners=False
        )
        return torch.einsum("npchw,nphw->nchw", seen.unflatten(0, (n, self.points)), self.weights(x))


@right("deformable")
class XAndYApart(nn.Module):
    """Two layers for the offsets, and the points column by column."""

    def __init__(self, channels, points=9):
        super().__init__()
        self.score, self.x, self.y = (nn.Conv2d(channels, points, 1) for _ in range(3))
        around = neighbourhood(points)
        for layer, start in ((self.score, torch.zeros(points)), (self.x, around[:, 1]), (self.y, around[:, 0])):
            nn.init.zeros_(layer.weight)
            with torch.no_grad():
                layer.bias.copy_(start)

    def offsets(self, x):
        return torch.stack([self.x(x), self.y(x)], -1)

    def weights(self, x):
        scores = self.score(x)
        e = (scores - scores.amax(1, keepdim=True)).exp()
        return e / e.sum(1, keepdim=True)

    def forward(self, x):
        height, width = x.shape[2:]
        offsets = self.offsets(x)
        column = torch.arange(width) + offsets[..., 0]
        row = torch.arange(height)[:, None] + offsets[..., 1]
        grid = torch.stack([(2 * column + 1) / width - 1, (2 * row + 1) / height - 1], -1)
        maps = [F.grid_sample(x, one, align_corners=False) for one in grid.unbind(1)]
        return (torch.stack(maps, 1) * self.weights(x)[:, :, None]).sum(1)


@right("deformable")
class WithAffineGrid(nn.Module):
    """The two convolutions in one; grid and sampling by torch, all points in one tall image."""

    def __init__(self, channels, points=9):
        super().__init__()
        self.points = points
        self.both = nn.Conv2d(channels, 3 * points, 1)
        start = torch.cat([neighbourhood(points).flatten(), torch.zeros(points)])
        self.both.weight.data.fill_(0)
        self.both.bias.data.copy_(start)

    def offsets(self, x):
        return self.both(x)[:, : 2 * self.points].unflatten(1, (self.points, 2)).movedim(2, -1)

    def weights(self, x):
        return self.both(x)[:, 2 * self.points :].softmax(dim=1)

    def forward(self, x):
        height, width = x.shape[2:]
        identity = torch.eye(2, 3, dtype=x.dtype).repeat(len(x), 1, 1)
        grid = F.affine_grid(identity, list(x.shape), align_corners=False).unsqueeze(1)
        grid = grid + self.offsets(x) * x.new_tensor([2 / width, 2 / height])
        seen = F.grid_sample(x, grid.reshape(len(x), -1, width, 2), align_corners=False)
        seen = seen.reshape(*x.shape[:2], self.points, height, width)
        return torch.einsum("ncphw,nphw->nchw", seen, self.weights(x))


class Points(PointByPoint):
    def way(self, offset, h, w):
        return offset * 2 / torch.tensor([w, h], dtype=offset.dtype)

    def sample(self, x, grid):
        return F.grid_sample(x, grid, align_corners=False)

    def shares(self, x):
        return self.weights(x)

    def forward(self, x):
        h, w = x.shape[2:]
        offsets, shares = self.offsets(x), self.shares(x)
        place = torch.stack(torch.meshgrid(pixels(w, x.dtype), pixels(h, x.dtype), indexing="xy"), -1)
        read = [self.sample(x, place + self.way(offset, h, w)) for offset in offsets.unbind(1)]
        return sum(share[:, None] * seen for share, seen in zip(shares.unbind(1), read))


@wrong("deformable", "offsets-as-coordinates", passes="shapes parameters gradients")
class HalfImages(Points):
    def way(self, offset, h, w):
        return offset


@wrong("deformable", "half-as-far", passes="shapes parameters gradients")
class HalfAsFar(Points):
    def way(self, offset, h, w):
        return offset / torch.tensor([w, h], dtype=offset.dtype)


@wrong("deformable", "sizes-swapped", passes="shapes parameters gradients")
class SidesSwapped(Points):
    def way(self, offset, h, w):
        return super().way(offset, w, h)


@wrong("deformable", "xy-swapped", passes="shapes parameters start gradients")
class RowFirst(Points):
    def way(self, offset, h, w):
        return super().way(offset.flip(-1), h, w)


@wrong("deformable", "align-corners", passes="shapes parameters gradients")
class Corners(Points):
    def sample(self, x, grid):
        return F.grid_sample(x, grid, align_corners=True)


@wrong("deformable", "border-repeated", passes="shapes parameters gradients")
class Border(Points):
    def sample(self, x, grid):
        return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


@wrong("deformable", "no-softmax", passes="shapes parameters gradients")
class Raw(Points):
    def weights(self, x):
        return self.to_weights(x)


@wrong("deformable", "softmax-over-positions", passes="shapes parameters gradients")
class PositionsCompete(Points):
    def weights(self, x):
        scores = self.to_weights(x)
        return scores.flatten(2).softmax(-1).view_as(scores)


@wrong("deformable", "sigmoid-not-softmax", passes="shapes parameters gradients")
class Gated(Points):
    def weights(self, x):
        return self.to_weights(x).sigmoid()


@wrong("deformable", "weights-unused", passes="shapes parameters start")
class PlainMean(Points):
    def shares(self, x):
        return torch.full_like(self.weights(x), 1 / self.to_weights.out_channels)


@wrong("deformable", "points-fixed", passes="shapes parameters start")
class Fixed(Points):
    def forward(self, x):
        points = self.to_weights.out_channels
        h, w = x.shape[2:]
        place = torch.stack(torch.meshgrid(pixels(w, x.dtype), pixels(h, x.dtype), indexing="xy"), -1)
        moved = [place + self.way(offset.to(x.dtype), h, w) for offset in neighbourhood(points)]
        read = [self.sample(x, grid.expand(len(x), -1, -1, -1)) for grid in moved]
        return sum(share[:, None] * seen for share, seen in zip(self.weights(x).unbind(1), read))


@wrong("deformable", "residual-inside", passes="shapes parameters gradients")
class PlusInput(Points):
    def forward(self, x):
        return x + super().forward(x)


@wrong("deformable", "starts-at-the-point-itself", passes="shapes parameters values gradients")
class AllAtOnePlace(Points):
    def __init__(self, channels, points=9):
        super().__init__(channels, points)
        nn.init.zeros_(self.to_offsets.bias)


@wrong("deformable", "starts-off-centre", passes="shapes parameters values gradients")
class LowerRight(Points):
    def __init__(self, channels, points=9):
        super().__init__(channels, points)
        with torch.no_grad():
            self.to_offsets.bias += int(points**0.5) // 2


@wrong("deformable", "starts-with-x", passes="shapes parameters values gradients")
class PyTorchsStart(Points):
    def __init__(self, channels, points=9):
        super().__init__(channels, points)
        self.to_offsets.reset_parameters()


@wrong("deformable", "starts-with-x", passes="shapes parameters values gradients")
class RandomWeights(Points):
    def __init__(self, channels, points=9):
        super().__init__(channels, points)
        self.to_weights.reset_parameters()


class Started(Points):
    """With another first place of the points."""

    def __init__(self, channels, points=9):
        super().__init__(channels, points)
        self.to_offsets.bias.data = self.first(neighbourhood(points), points).flatten()


@wrong("deformable", "starts-in-a-line", passes="shapes parameters values gradients")
class OneRow(Started):
    def first(self, around, points):
        return around * torch.tensor([1.0, 0.0])


@wrong("deformable", "starts-too-far-apart", passes="shapes parameters values gradients")
class EverySecondPixel(Started):
    def first(self, around, points):
        return 2 * around


@wrong("deformable", "start-in-another-order", passes="shapes parameters values gradients")
class XBeforeY(Started):
    def first(self, around, points):
        return around.T


@wrong("deformable", "starts-as-nine", passes="shapes parameters values gradients")
class AlwaysNine(Started):
    def first(self, around, points):
        return neighbourhood(9).repeat(3, 1)[:points]


@wrong("deformable", "starts-elsewhere", passes="shapes parameters values gradients")
class RightNeighbours(Started):
    def first(self, around, points):
        return around.clamp(min=0)


@wrong("deformable", "starts-elsewhere", passes="shapes parameters values gradients")
class SmallRandomPlaces(Started):
    def first(self, around, points):
        return 0.1 * torch.randn_like(around)


@wrong("deformable", "starts-elsewhere", passes="shapes parameters values gradients")
class OnePointCountsMore(Points):
    def __init__(self, channels, points=9):
        super().__init__(channels, points)
        with torch.no_grad():
            self.to_weights.bias[0] += 1


@wrong("deformable", "pixel-too-wide", passes="shapes parameters gradients")
class WithoutOne(Points):
    def way(self, offset, h, w):
        return super().way(offset, h - 1, w - 1)


@wrong("deformable", "offset-subtracted", passes="shapes parameters start gradients")
class Subtracted(Points):
    def way(self, offset, h, w):
        return -super().way(offset, h, w)


@wrong("deformable", "nearest", passes="shapes parameters start")
class NearestPixel(Points):
    def sample(self, x, grid):
        return F.grid_sample(x, grid, mode="nearest", align_corners=False)


@wrong("deformable", "offsets-of-one-image", passes="shapes parameters start gradients")
class FirstImage(Points):
    def way(self, offset, h, w):
        return super().way(offset[:1].expand_as(offset), h, w)


@wrong("deformable", "offsets-squashed", passes="shapes parameters gradients")
class Bounded(Points):
    def offsets(self, x):
        return 3 * torch.tanh(super().offsets(x) / 3)


@wrong("deformable", "offsets-by-reshape", passes="shapes parameters gradients")
class Reshaped(Points):
    def offsets(self, x):
        return self.to_offsets(x).reshape(len(x), -1, *x.shape[2:], 2)


@wrong("deformable", "offset-biases-frozen", passes="shapes start values")
class FrozenBiases(Points):
    def __init__(self, channels, points=9):
        super().__init__(channels, points)
        self.to_offsets.bias.requires_grad_(False)


@wrong("deformable", "softmax-over-all", passes="shapes parameters gradients")
class AllCompete(Points):
    def weights(self, x):
        scores = self.to_weights(x)
        return scores.flatten(1).softmax(-1).view_as(scores)


@wrong("deformable", "averaged-after-the-weights", passes="shapes parameters gradients")
class MeanOfPoints(Points):
    def forward(self, x):
        return super().forward(x) / self.to_weights.out_channels


class Placed(Points):
    def forward(self, x):
        n, c, h, w = x.shape
        grid = self.place(x) + self.offsets(x) * torch.tensor([2 / w, 2 / h], dtype=x.dtype)
        seen = F.grid_sample(x, grid.flatten(1, 2), align_corners=False).unflatten(2, (-1, h))
        return (seen * self.weights(x)[:, None]).sum(2)


@wrong("deformable", "position-left-out", passes="shapes parameters gradients")
class FromTheMiddle(Placed):
    def place(self, x):
        return 0


@wrong("deformable", "positions-to-the-rim", passes="shapes parameters gradients")
class ByLinspace(Placed):
    def place(self, x):
        ends = (torch.linspace(-1, 1, size, dtype=x.dtype) for size in x.shape[:1:-1])
        return torch.stack(torch.meshgrid(*ends, indexing="xy"), -1)


@wrong("deformable", "positions-transposed", passes="shapes parameters gradients")
class RowsThenColumns(Placed):
    def place(self, x):
        identity = torch.eye(2, 3, dtype=x.dtype).expand(len(x), -1, -1)
        return F.affine_grid(identity, x.shape, align_corners=False).flip(-1)[:, None]


# zero-start


@right("zero-start")
class AScalar(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.gamma = nn.Parameter(torch.tensor(0.0))
        self.block = block

    def forward(self, x):
        return x + self.gamma * self.block(x)


@right("zero-start")
class ByAddcmul(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.inner = module
        self.register_parameter("scale", nn.Parameter(torch.zeros(1)))

    def forward(self, x):
        return torch.addcmul(x, self.scale, self.inner(x))


@right("zero-start")
class ByLerp(nn.Module):
    """x on the way to x + block(x)."""

    def __init__(self, block):
        super().__init__()
        self.block, self.alpha = block, nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return torch.lerp(x, x + self.block(x), self.alpha)


@right("zero-start")
class InASequence(nn.Sequential):
    def __init__(self, block):
        super().__init__(block)
        self.resweight = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return super().forward(x) * self.resweight + x


class ADoor(nn.Module):
    start = 0.0

    def __init__(self, block):
        super().__init__()
        self.block = block
        self.gamma = nn.Parameter(torch.full((1,), self.start))

    def forward(self, x):
        return x + self.gamma * self.block(x)


@wrong("zero-start", "no-identity-start", passes="values gradients")
class OpenDoor(ADoor):
    start = 1.0


@wrong("zero-start", "gamma-is-no-parameter")
class NoParameter(ADoor):
    def __init__(self, block):
        super().__init__(block)
        del self.gamma
        self.gamma = torch.zeros(1)


@wrong("zero-start", "gamma-on-x", passes="gradients")
class WeighsX(ADoor):
    def forward(self, x):
        return self.gamma * x + self.block(x)


@wrong("zero-start", "cross-fade", passes="identity gradients")
class Fade(ADoor):
    def forward(self, x):
        return (1 - self.gamma) * x + self.gamma * self.block(x)


@wrong("zero-start", "no-skip", passes="gradients")
class NoX(ADoor):
    def forward(self, x):
        return self.gamma * self.block(x)


@wrong("zero-start", "sum-weighed", passes="gradients")
class WholeSum(ADoor):
    def forward(self, x):
        return self.gamma * (x + self.block(x))


@wrong("zero-start", "sigmoid-of-gamma", passes="gradients")
class HalfOpen(ADoor):
    def forward(self, x):
        return x + torch.sigmoid(self.gamma) * self.block(x)


@wrong("zero-start", "gamma-left-out")
class NoDoor(ADoor):
    def forward(self, x):
        return x + self.block(x)


@wrong("zero-start", "block-changed", passes="values gradients")
class ZeroBlock(ADoor):
    def __init__(self, block):
        super().__init__(block)
        for p in block.parameters():
            nn.init.zeros_(p)


class Kept(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.block = self.keep(block)
        self.gamma = self.first(block)

    def keep(self, block):
        return block

    def first(self, block):
        return nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x + self.gamma * self.block(x)


@right("zero-start")
class SetToEvaluation(Kept):
    """Training mode comes back with train()."""

    def keep(self, block):
        return block.eval()


@wrong("zero-start", "otherwise-in-training", passes="identity gradients")
class NeverTrains(Kept):
    def forward(self, x):
        self.block.eval()
        return super().forward(x)


@wrong("zero-start", "block-copied")
class Copied(Kept):
    def keep(self, block):
        return copy.deepcopy(block)


@wrong("zero-start", "block-frozen", passes="values")
class FrozenBlock(Kept):
    def keep(self, block):
        return block.requires_grad_(False)


@wrong("zero-start", "gamma-frozen", passes="values")
class FrozenGamma(Kept):
    def first(self, block):
        return nn.Parameter(torch.zeros(1), requires_grad=False)


@wrong("zero-start", "gamma-whole")
class WholeGamma(Kept):
    def first(self, block):
        return nn.Parameter(torch.tensor(0))


@wrong("zero-start", "gamma-with-axes", passes="gradients")
class GammaOfFourAxes(Kept):
    def first(self, block):
        return nn.Parameter(torch.zeros(1, 1, 1, 1))


@wrong("zero-start", "gamma-for-each-channel", passes="gradients")
class LayerScale(Kept):
    def first(self, block):
        return nn.Parameter(torch.zeros(len(next(block.parameters())), 1, 1))


@wrong("zero-start", "gamma-made-late")
class LazyGamma(Kept):
    def first(self, block):
        return nn.UninitializedParameter()

    def forward(self, x):
        if isinstance(self.gamma, nn.UninitializedParameter):
            self.gamma.materialize((x.shape[1], 1, 1))
            nn.init.zeros_(self.gamma)
        return super().forward(x)


@wrong("zero-start", "gamma-through-a-function", passes="identity gradients")
class FlamingosDoor(Kept):
    def forward(self, x):
        return x + self.gamma.tanh() * self.block(x)


@wrong("zero-start", "gamma-before-the-block", passes="gradients")
class GammaInside(Kept):
    def forward(self, x):
        return x + self.block(self.gamma * x)


@wrong("zero-start", "gamma-left-out", passes="gradients")
class ZeroedBlockAlone(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.block = block
        for p in block.parameters():
            nn.init.zeros_(p)

    def forward(self, x):
        return x + self.block(x)


@wrong("zero-start", "never-opens", passes="identity gradients")
class ShortCut(Kept):
    def forward(self, x):
        if self.gamma.item() == 0:
            return x
        return super().forward(x)
