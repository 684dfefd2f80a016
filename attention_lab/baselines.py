"""The mechanisms as tutorials write them: what ``attention-lab bench`` compares ours with, and nothing to learn from.

They pool with ``nn.AdaptiveAvgPool2d`` and ``nn.AdaptiveMaxPool2d``, keep vectors as maps of one position and mix them
by 1x1 convolutions, take the largest channel by ``torch.max``, and expand every gate to the size of its map. Each has
the parameters of ours in the same order, and with the same numbers in them computes the same values.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SqueezeExcitation(nn.Module):
    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1)
        self.relu = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        gate = self.sigmoid(self.fc2(self.relu(self.fc1(self.pool(x)))))
        return x * gate.expand_as(x)


class ChannelAttention(nn.Module):
    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        self.average_pool = nn.AdaptiveAvgPool2d(1)
        self.max_pool = nn.AdaptiveMaxPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1)
        self.relu = nn.ReLU(inplace=True)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        average = self.fc2(self.relu(self.fc1(self.average_pool(x))))
        largest = self.fc2(self.relu(self.fc1(self.max_pool(x))))
        return x * self.sigmoid(average + largest).expand_as(x)


class SpatialAttention(nn.Module):
    def __init__(self, kernel_size: int = 7):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = nn.BatchNorm2d(1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        average = torch.mean(x, dim=1, keepdim=True)
        largest, _ = torch.max(x, dim=1, keepdim=True)
        gate = self.sigmoid(self.norm(self.conv(torch.cat([average, largest], dim=1))))
        return x * gate.expand_as(x)


class CBAM(nn.Sequential):
    def __init__(self, channels: int, reduction: int = 16, kernel_size: int = 7):
        super().__init__(ChannelAttention(channels, reduction), SpatialAttention(kernel_size))


class BAM(nn.Module):
    def __init__(self, channels: int, reduction: int = 16, dilation: int = 4):
        super().__init__()
        hidden = channels // reduction
        self.channel = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, 1),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 1),
        )
        self.spatial = nn.Sequential(
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
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        channel = self.channel(x).expand_as(x)
        spatial = self.spatial(x).expand_as(x)
        return (1 + self.sigmoid(channel + spatial)) * x


class SelectiveKernel(nn.Module):
    def __init__(self, channels: int, branches: int = 2, reduction: int = 16, groups: int = 32, min_width: int = 32):
        super().__init__()
        hidden = max(channels // reduction, min_width)
        self.convs = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1 + m, dilation=1 + m, groups=groups, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            )
            for m in range(branches)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True)
        )
        self.fcs = nn.ModuleList(nn.Conv2d(hidden, channels, 1, bias=False) for _ in range(branches))
        self.softmax = nn.Softmax(dim=1)

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        features = torch.stack([conv(x) for conv in self.convs], dim=1)
        z = self.fc(self.pool(features.sum(dim=1)))
        weights = self.softmax(torch.stack([fc(z) for fc in self.fcs], dim=1))
        return (features * weights.expand_as(features)).sum(dim=1)


def attention(q: Float[Tensor, "... L d"], k: Float[Tensor, "... S d"], v: Float[Tensor, "... S e"]) -> Tensor:
    scores = torch.matmul(q, k.transpose(-2, -1)) / q.shape[-1] ** 0.5
    return torch.matmul(torch.softmax(scores, dim=-1), v)


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, dim: int, heads: int = 8):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.projection = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "N L dim"]) -> Float[Tensor, "N L dim"]:
        n, length, dim = x.shape
        q, k, v = (
            part.reshape(n, length, self.heads, dim // self.heads).transpose(1, 2)
            for part in self.qkv(x).chunk(3, dim=-1)
        )
        return self.projection(attention(q, k, v).transpose(1, 2).reshape(n, length, dim))


def affine_grid(theta: Float[Tensor, "N 2 3"], height: int, width: int) -> Float[Tensor, "N H W 2"]:
    x = (2 * torch.arange(width, dtype=theta.dtype) + 1) / width - 1
    y = (2 * torch.arange(height, dtype=theta.dtype) + 1) / height - 1
    y, x = torch.meshgrid(y, x, indexing="ij")
    points = torch.stack([x.flatten(), y.flatten(), torch.ones(height * width, dtype=theta.dtype)])
    moved = torch.matmul(theta, points.unsqueeze(0).expand(theta.shape[0], -1, -1))
    return moved.transpose(1, 2).reshape(-1, height, width, 2)


def bilinear_sample(image: Float[Tensor, "N C H W"], grid: Float[Tensor, "N h w 2"]) -> Float[Tensor, "N C h w"]:
    n, _, height, width = image.shape
    x = ((grid[..., 0] + 1) * width - 1) / 2
    y = ((grid[..., 1] + 1) * height - 1) / 2
    left, top = torch.floor(x), torch.floor(y)
    right, bottom = left + 1, top + 1
    batch = torch.arange(n).reshape(n, 1, 1)

    def pixel(row: Tensor, column: Tensor) -> Float[Tensor, "N h w C"]:
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        row, column = row.clamp(0, height - 1).long(), column.clamp(0, width - 1).long()
        return image[batch, :, row, column] * inside.unsqueeze(-1)

    output = (
        ((right - x) * (bottom - y)).unsqueeze(-1) * pixel(top, left)
        + ((x - left) * (bottom - y)).unsqueeze(-1) * pixel(top, right)
        + ((right - x) * (y - top)).unsqueeze(-1) * pixel(bottom, left)
        + ((x - left) * (y - top)).unsqueeze(-1) * pixel(bottom, right)
    )
    return output.permute(0, 3, 1, 2)


class SpatialTransformer(nn.Module):
    def __init__(self, localisation: Callable[[Tensor], Tensor]):
        super().__init__()
        self.localisation = localisation

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        theta = self.localisation(x).reshape(-1, 2, 3)
        return bilinear_sample(x, affine_grid(theta, x.shape[2], x.shape[3]))


class ECA(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        size = int(abs((math.log2(channels) + 1) / 2))
        size = size if size % 2 else size + 1
        self.conv = nn.Conv1d(1, 1, size, padding=(size - 1) // 2, bias=False)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        y = self.conv(self.pool(x).squeeze(-1).transpose(-1, -2)).transpose(-1, -2).unsqueeze(-1)
        return x * self.sigmoid(y).expand_as(x)


class CoordinateAttention(nn.Module):
    def __init__(self, channels: int, reduction: int = 32):
        super().__init__()
        hidden = max(8, channels // reduction)
        self.pool_h, self.pool_w = nn.AdaptiveAvgPool2d((None, 1)), nn.AdaptiveAvgPool2d((1, None))
        self.conv1 = nn.Conv2d(channels, hidden, 1)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.act = nn.Hardswish()
        self.conv_h, self.conv_w = nn.Conv2d(hidden, channels, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        height, width = x.shape[2:]
        y = torch.cat([self.pool_h(x), self.pool_w(x).permute(0, 1, 3, 2)], dim=2)
        y = self.act(self.bn1(self.conv1(y)))
        h, w = torch.split(y, [height, width], dim=2)
        return x * self.conv_w(w.permute(0, 1, 3, 2)).sigmoid() * self.conv_h(h).sigmoid()


class WindowAttention(nn.Module):
    def __init__(self, dim: int, heads: int, size: int = 7):
        super().__init__()
        self.heads, self.size = heads, size
        self.table = nn.Parameter(torch.zeros(heads, (2 * size - 1) ** 2))
        self.qkv = nn.Linear(dim, 3 * dim)
        self.projection = nn.Linear(dim, dim)
        coords = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")).flatten(1)
        relative = (coords[:, :, None] - coords[:, None, :]).permute(1, 2, 0) + size - 1
        self.register_buffer("index", relative[..., 0] * (2 * size - 1) + relative[..., 1])

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        n, dim, height, width = x.shape
        s, length = self.size, self.size**2
        y = x.permute(0, 2, 3, 1).reshape(n, height // s, s, width // s, s, dim)
        y = y.permute(0, 1, 3, 2, 4, 5).reshape(-1, length, dim)
        q, k, v = self.qkv(y).reshape(-1, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        scores = torch.matmul(q, k.transpose(-2, -1)) / q.shape[-1] ** 0.5
        bias = self.table[:, self.index.view(-1)].view(self.heads, length, length)
        y = torch.matmul(torch.softmax(scores + bias.unsqueeze(0), dim=-1), v)
        y = self.projection(y.transpose(1, 2).reshape(-1, length, dim))
        y = y.view(n, height // s, width // s, s, s, dim).permute(0, 1, 3, 2, 4, 5)
        return y.reshape(n, height, width, dim).permute(0, 3, 1, 2)


class DeformableAttention(nn.Module):
    def __init__(self, channels: int, points: int = 9):
        super().__init__()
        self.points = points
        self.offset = nn.Conv2d(channels, 2 * points, 1)
        self.score = nn.Conv2d(channels, points, 1)

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        n, _, height, width = x.shape
        offset = self.offset(x).view(n, self.points, 2, height, width)
        weights = torch.softmax(self.score(x), dim=1)
        identity = torch.eye(2, 3, dtype=x.dtype).unsqueeze(0).expand(n, -1, -1)
        grid, pixel = affine_grid(identity, height, width), torch.tensor([2 / width, 2 / height], dtype=x.dtype)
        output = torch.zeros_like(x)
        for k in range(self.points):
            read = bilinear_sample(x, grid + offset[:, k].permute(0, 2, 3, 1) * pixel)
            output = output + weights[:, k : k + 1] * read
        return output
