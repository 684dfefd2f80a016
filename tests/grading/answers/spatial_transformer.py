"""Answers to lesson 07, as learners write them."""

import torch
from bank import right, wrong
from torch import nn
from torch.nn import functional as F

from attention_lab.mechanisms import SpatialTransformer

# affine-grid


@wrong("affine-grid", "borrowed", passes="shape")
def torchs_own(theta, height, width):
    return F.affine_grid(theta, [len(theta), 1, height, width], align_corners=False)


@right("affine-grid")
def matrix_product(theta, height, width):
    x = (torch.arange(width, dtype=theta.dtype) * 2 + 1) / width - 1
    y = (torch.arange(height, dtype=theta.dtype) * 2 + 1) / height - 1
    yy, xx = torch.meshgrid(y, x, indexing="ij")
    base = torch.stack([xx.flatten(), yy.flatten(), torch.ones(height * width, dtype=theta.dtype)])
    return (theta @ base).transpose(1, 2).reshape(-1, height, width, 2)


@right("affine-grid")
def coordinate_by_coordinate(theta, height, width):
    xs = torch.linspace(-1 + 1 / width, 1 - 1 / width, width, dtype=torch.float64)
    ys = torch.linspace(-1 + 1 / height, 1 - 1 / height, height, dtype=torch.float64)[:, None]
    t = theta[:, :, :, None, None]
    x_in = t[:, 0, 0] * xs + t[:, 0, 1] * ys + t[:, 0, 2]
    y_in = t[:, 1, 0] * xs + t[:, 1, 1] * ys + t[:, 1, 2]
    return torch.stack([x_in, y_in], dim=-1)


@right("affine-grid")
def loops(theta, height, width):
    rows = []
    for i in range(height):
        for j in range(width):
            point = torch.tensor([(2 * j + 1) / width - 1, (2 * i + 1) / height - 1, 1.0], dtype=theta.dtype)
            rows.append(theta @ point)
    return torch.stack(rows, 1).view(len(theta), height, width, 2)


def mesh(height, width, xs, ys):
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)], -1).double()


def mids(size):
    return (torch.arange(size) + 0.5).double() * 2 / size - 1


def apply(theta, points):
    return torch.einsum("nij,hwj->nhwi", theta, points.to(theta.dtype))


@wrong("affine-grid", "kinds-of-numbers")
def double_precision_only(theta, height, width):
    return torch.einsum("nij,hwj->nhwi", theta, mesh(height, width, mids(width), mids(height)))


@wrong("affine-grid", "coordinates-mixed-by-reshape", passes="shape")
def reshaped_at_the_end(theta, height, width):
    points = mesh(height, width, mids(width), mids(height)).to(theta.dtype)
    return (theta @ points.flatten(0, 1).mT).reshape(-1, height, width, 2)


@wrong("affine-grid", "coordinates-mixed-by-reshape", passes="shape")
def reshaped_points(theta, height, width):
    points = mesh(height, width, mids(width), mids(height)).to(theta.dtype).movedim(-1, 0)
    return (points.reshape(-1, 3) @ theta.mT).view(-1, height, width, 2)


@wrong("affine-grid", "align-corners", passes="shape")
def from_edge_to_edge(theta, height, width):
    one = torch.linspace(-1, 1, width).double(), torch.linspace(-1, 1, height).double()
    return apply(theta, mesh(height, width, *one))


@wrong("affine-grid", "xy-swapped", passes="shape")
def rows_first(theta, height, width):
    return apply(theta, mesh(height, width, mids(width), mids(height))).flip(-1)


@wrong("affine-grid", "xy-swapped", passes="shape")
def rows_first_before_theta(theta, height, width):
    points = mesh(height, width, mids(width), mids(height))[..., [1, 0, 2]]
    return apply(theta, points)


@wrong("affine-grid", "xy-swapped-twice", passes="shape identity")
def rows_first_and_turned_back(theta, height, width):
    grid = apply(theta, mesh(height, width, mids(width), mids(height))[..., [1, 0, 2]])
    return torch.stack([grid[..., 1], grid[..., 0]], dim=-1)


@wrong("affine-grid", "upside-down", passes="shape")
def y_upwards(theta, height, width):
    y = 1 - (2 * torch.arange(height).double() + 1) / height
    return apply(theta, mesh(height, width, mids(width), y))


@wrong("affine-grid", "sizes-swapped", passes="shape")
def columns_of_the_height(theta, height, width):
    x = (torch.arange(width) + 0.5).double() * 2 / height - 1
    y = (torch.arange(height) + 0.5).double() * 2 / width - 1
    return apply(theta, mesh(height, width, x, y))


@wrong("affine-grid", "one-size-for-both", passes="shape")
def width_for_rows_too(theta, height, width):
    points = [[((2 * j + 1) / width - 1, (2 * i + 1) / width - 1, 1.0) for j in range(width)] for i in range(height)]
    return apply(theta, torch.tensor(points, dtype=theta.dtype))


@wrong("affine-grid", "one-size-for-both", passes="shape")
def height_for_columns_too(theta, height, width):
    x = (torch.arange(width) + 0.5).double() * 2 / height - 1
    return apply(theta, mesh(height, width, x, mids(height)))


@wrong("affine-grid", "shift-subtracted", passes="shape identity")
def minus_one(theta, height, width):
    y, x = torch.meshgrid(mids(height), mids(width), indexing="ij")
    return apply(theta, torch.stack([x, y, -torch.ones_like(x)], -1))


@wrong("affine-grid", "rows-and-columns-swapped")
def meshgrid_of_x_and_y(theta, height, width):
    x, y = torch.meshgrid(mids(width), mids(height), indexing="ij")
    return apply(theta, torch.stack([x, y, torch.ones_like(x)], -1))


@wrong("affine-grid", "left-edges", passes="shape")
def half_a_pixel_off(theta, height, width):
    return apply(theta, mesh(height, width, torch.arange(width) * 2 / width - 1, torch.arange(height) * 2 / height - 1))


@wrong("affine-grid", "pixel-numbers", passes="shape")
def numbers_of_pixels(theta, height, width):
    return apply(theta, mesh(height, width, torch.arange(width), torch.arange(height)))


@wrong("affine-grid", "from-zero-to-one", passes="shape")
def between_zero_and_one(theta, height, width):
    return apply(theta, mesh(height, width, (mids(width) + 1) / 2, (mids(height) + 1) / 2))


@wrong("affine-grid", "from-zero-to-one", passes="shape")
def one_not_taken_off(theta, height, width):
    return apply(theta, mesh(height, width, mids(width) + 1, mids(height) + 1))


@wrong("affine-grid", "theta-inverted", passes="shape identity")
def other_way_round(theta, height, width):
    last = torch.tensor([0.0, 0.0, 1.0], dtype=theta.dtype).expand(len(theta), 1, 3)
    return matrix_product(torch.linalg.inv(torch.cat([theta, last], 1))[:, :2], height, width)


@wrong("affine-grid", "theta-transposed", passes="shape identity shift")
def points_times_theta(theta, height, width):
    points = mesh(height, width, mids(width), mids(height))[None, ..., :2]
    return (points.unsqueeze(-1) * theta[:, None, None, :, :2]).sum(-2) + theta[:, None, None, :, 2]


@wrong("affine-grid", "no-shift", passes="shape identity")
def only_the_turn(theta, height, width):
    return apply(theta[..., :2], mesh(height, width, mids(width), mids(height))[..., :2])


@wrong("affine-grid", "first-theta-for-all", passes="shape identity shift")
def one_theta(theta, height, width):
    return apply(theta[0][None], mesh(height, width, mids(width), mids(height))).repeat(len(theta), 1, 1, 1)


@wrong("affine-grid", "first-theta-for-all", passes="shape identity shift")
def mean_theta(theta, height, width):
    return matrix_product(theta.mean(0).expand_as(theta), height, width)


@wrong("affine-grid", "mixed-by-reshape", passes="shape")
def meshgrid_reshaped(theta, height, width):
    x, y = torch.meshgrid(mids(width), mids(height), indexing="ij")
    return apply(theta, torch.stack([x, y, torch.ones_like(x)], -1).reshape(height, width, 3))


@wrong("affine-grid", "divided-by-one-less", passes="shape")
def divided_by_one_less(theta, height, width):
    x = (2 * torch.arange(width).double() + 1) / (width - 1) - 1
    y = (2 * torch.arange(height).double() + 1) / (height - 1) - 1
    return apply(theta, mesh(height, width, x, y))


@wrong("affine-grid", "shift-before-matrix", passes="shape identity shift")
def shifted_first(theta, height, width):
    points = mesh(height, width, mids(width), mids(height))[None, :, :, :2].to(theta.dtype)
    return (points + theta[:, None, None, :, 2]) @ theta[:, None, :, :2].mT


@wrong("affine-grid", "shift-in-pixels", passes="shape identity")
def shift_of_so_many_pixels(theta, height, width):
    pixel = torch.tensor([2 / width, 2 / height], dtype=theta.dtype)
    turned = apply(theta[..., :2], mesh(height, width, mids(width), mids(height))[..., :2])
    return turned + (theta[:, :, 2] * pixel)[:, None, None]


@wrong("affine-grid", "no-images")
def summed_over_the_images(theta, height, width):
    points = mesh(height, width, mids(width), mids(height)).to(theta.dtype)
    return torch.einsum("nij,hwj->hwi", theta, points)


@wrong("affine-grid", "detached", passes="shape identity shift")
def through_numpy(theta, height, width):
    return matrix_product(torch.tensor(theta.detach().numpy()), height, width)


# bilinear-sample


@right("bilinear-sample")
def four_corners(image, grid):
    n, c, height, width = image.shape
    u = ((grid[..., 0] + 1) * width - 1) / 2
    v = ((grid[..., 1] + 1) * height - 1) / 2
    u0, v0 = torch.floor(u), torch.floor(v)
    batch = torch.arange(n)[:, None, None]
    out = 0
    for a in (0, 1):
        for b in (0, 1):
            row, column = v0 + a, u0 + b
            weight = (1 - (v - row).abs()) * (1 - (u - column).abs())
            inside = (row >= 0) & (row <= height - 1) & (column >= 0) & (column <= width - 1)
            weight = torch.where(inside, weight, torch.zeros_like(weight))
            pixels = image[batch, :, row.clamp(0, height - 1).long(), column.clamp(0, width - 1).long()]
            out = out + weight[..., None] * pixels
    return out.permute(0, 3, 1, 2)


@right("bilinear-sample")
def whole_equation(image, grid):
    """Every pixel with its weight: most are 0."""
    height, width = image.shape[2:]
    u = (grid[..., 0] * width + width - 1) / 2
    v = (grid[..., 1] * height + height - 1) / 2
    by_column = torch.relu(1 - (u[..., None] - torch.arange(width)).abs())
    by_row = torch.relu(1 - (v[..., None] - torch.arange(height)).abs())
    return torch.einsum("nhwr,nhwc,nkrc->nkhw", by_row, by_column, image)


@right("bilinear-sample")
def black_frame(image, grid):
    n, c, height, width = image.shape
    framed = F.pad(image, (1, 1, 1, 1))
    u = (((grid[..., 0] + 1) * width - 1) / 2 + 1).clamp(0, width + 1)
    v = (((grid[..., 1] + 1) * height - 1) / 2 + 1).clamp(0, height + 1)
    left, top = u.floor().long().clamp(max=width), v.floor().long().clamp(max=height)
    results = []
    for i in range(n):
        du, dv = u[i] - left[i], v[i] - top[i]
        picture = framed[i]
        upper = picture[:, top[i], left[i]] * (1 - du) + picture[:, top[i], left[i] + 1] * du
        lower = picture[:, top[i] + 1, left[i]] * (1 - du) + picture[:, top[i] + 1, left[i] + 1] * du
        results.append(upper * (1 - dv) + lower * dv)
    return torch.stack(results)


@right("bilinear-sample")
def flat_index(image, grid):
    n, c, height, width = image.shape
    x = 0.5 * ((grid[..., 0] + 1.0) * width - 1.0)
    y = 0.5 * ((grid[..., 1] + 1.0) * height - 1.0)
    x0, y0 = x.floor(), y.floor()

    def look(yy, xx):
        ok = (xx >= 0) & (xx < width) & (yy >= 0) & (yy < height)
        index = (yy * width + xx).long() * ok
        seen = image.reshape(n, c, -1).gather(2, index.reshape(n, 1, -1).expand(n, c, -1)).reshape(n, c, *x.shape[1:])
        return seen * ok[:, None]

    wa, wb = ((x0 + 1 - x) * (y0 + 1 - y))[:, None], ((x0 + 1 - x) * (y - y0))[:, None]
    wc, wd = ((x - x0) * (y0 + 1 - y))[:, None], ((x - x0) * (y - y0))[:, None]
    return wa * look(y0, x0) + wb * look(y0 + 1, x0) + wc * look(y0, x0 + 1) + wd * look(y0 + 1, x0 + 1)


@wrong("bilinear-sample", "borrowed", passes="shape")
def torchs_own_sampling(image, grid):
    return F.grid_sample(image, grid, align_corners=False)


def sampled(image, grid, border=False, aligned=False):
    height, width = image.shape[2:]
    half = 0 if aligned else 0.5
    u = (grid[..., 0] + 1) / 2 * (width - 2 * (0.5 - half)) - half
    v = (grid[..., 1] + 1) / 2 * (height - 2 * (0.5 - half)) - half
    if border:
        u, v = u.clamp(0, width - 1), v.clamp(0, height - 1)
    by_column = torch.relu(1 - (u[..., None] - torch.arange(width)).abs())
    by_row = torch.relu(1 - (v[..., None] - torch.arange(height)).abs())
    return torch.einsum("nhwr,nhwc,nkrc->nkhw", by_row, by_column, image)


@wrong("bilinear-sample", "align-corners", passes="shape gradients")
def aligned_corners(image, grid):
    return sampled(image, grid, aligned=True)


@wrong("bilinear-sample", "row-times-height")
def flattened_with_the_height(image, grid):
    n, c, h, w = image.shape
    u, v = ((grid[..., 0] + 1) * w - 1) / 2, ((grid[..., 1] + 1) * h - 1) / 2
    flat, out = image.flatten(2), 0
    for row in (v.floor(), v.floor() + 1):
        for column in (u.floor(), u.floor() + 1):
            share = (1 - (v - row).abs()) * (1 - (u - column).abs())
            share = share * ((row >= 0) & (row < h) & (column >= 0) & (column < w))
            place = row.clamp(0, h - 1).long() * h + column.clamp(0, w - 1).long()
            seen = flat.gather(2, place.reshape(n, 1, -1).expand(-1, c, -1)).reshape(n, c, *place.shape[1:])
            out = out + share[:, None] * seen
    return out


@wrong("bilinear-sample", "black-rim", passes="shape gradients")
def black_beyond_the_last_centres(image, grid):
    height, width = image.shape[2:]
    u, v = ((grid[..., 0] + 1) * width - 1) / 2, ((grid[..., 1] + 1) * height - 1) / 2
    inside = (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    return whole_equation(image, grid) * inside[:, None]


@wrong("bilinear-sample", "no-half-pixel", passes="shape gradients")
def scaled_by_width(image, grid):
    size = torch.tensor([image.shape[3], image.shape[2]])
    return sampled(image, grid + 1 / size)


@wrong("bilinear-sample", "one-pixel-too-few", passes="shape gradients")
def as_in_a_popular_repository(image, grid):
    height, width = image.shape[2:]
    u = 0.5 * (grid[..., 0] + 1) * (width - 2)
    v = 0.5 * (grid[..., 1] + 1) * (height - 2)
    back = torch.stack([(2 * u + 1) / width - 1, (2 * v + 1) / height - 1], -1)
    return whole_equation(image, back)


@wrong("bilinear-sample", "grid-as-pixels", passes="shape gradients")
def pixel_numbers(image, grid):
    size = torch.tensor([image.shape[3], image.shape[2]])
    return whole_equation(image, (2 * grid + 1) / size - 1)


@wrong("bilinear-sample", "xy-swapped", passes="shape gradients")
def rows_from_x(image, grid):
    return sampled(image, grid[..., [1, 0]])


@wrong("bilinear-sample", "sizes-swapped", passes="shape gradients")
def columns_by_height(image, grid):
    n, c, w, h = image.shape
    u, v = ((grid[..., 0] + 1) * w - 1) / 2, ((grid[..., 1] + 1) * h - 1) / 2
    by_column = torch.relu(1 - (u[..., None] - torch.arange(image.shape[3])).abs())
    by_row = torch.relu(1 - (v[..., None] - torch.arange(image.shape[2])).abs())
    return torch.einsum("nhwr,nhwc,nkrc->nkhw", by_row, by_column, image)


def of_one_size(image, grid, size):
    u, v = (((grid + 1) * size - 1) / 2).unbind(-1)
    by_column = torch.relu(1 - (u[..., None] - torch.arange(image.shape[3])).abs())
    by_row = torch.relu(1 - (v[..., None] - torch.arange(image.shape[2])).abs())
    return torch.einsum("nhwr,nhwc,nkrc->nkhw", by_row, by_column, image)


@wrong("bilinear-sample", "one-size-for-both", passes="shape gradients")
def width_for_both(image, grid):
    return of_one_size(image, grid, image.shape[3])


@wrong("bilinear-sample", "one-size-for-both", passes="shape gradients")
def height_for_both(image, grid):
    return of_one_size(image, grid, image.shape[2])


def corner_by_corner(image, grid, index=None, look=None, clip_first=False):
    """As hint 3 says it, with a slip."""
    n, c, height, width = image.shape
    u, v = ((grid[..., 0] + 1) * width - 1) / 2, ((grid[..., 1] + 1) * height - 1) / 2
    total = 0
    for a in (0, 1):
        for b in (0, 1):
            row, column = v.floor().long() + a, u.floor().long() + b
            if clip_first:
                row, column = row.clamp(0, height - 1), column.clamp(0, width - 1)
            weight = (1 - (v - row).abs()) * (1 - (u - column).abs())
            weight = weight * ((row >= 0) & (row < height) & (column >= 0) & (column < width))
            row, column = row.clamp(0, height - 1), column.clamp(0, width - 1)
            number = torch.arange(n)[:, None, None] if index is None else index(n)
            total = total + (look or (lambda pixels, weight: pixels.movedim(-1, 1) * weight[:, None]))(
                image[number, :, row, column], weight
            )
    return total


@wrong("bilinear-sample", "first-image-for-all", passes="shape gradients")
def first_image(image, grid):
    return corner_by_corner(image, grid, index=lambda n: torch.zeros(n, 1, 1, dtype=torch.long))


@wrong("bilinear-sample", "clipped-before-weights", passes="shape gradients")
def clipped_then_weighed(image, grid):
    return corner_by_corner(image, grid, clip_first=True)


@wrong("bilinear-sample", "channels-last", passes="gradients")
def channels_left_last(image, grid):
    return corner_by_corner(image, grid, look=lambda pixels, weight: pixels * weight[..., None])


@wrong("bilinear-sample", "channels-last")
def weight_for_channels_first(image, grid):
    return corner_by_corner(image, grid, look=lambda pixels, weight: weight.unsqueeze(1) * pixels)


@wrong("bilinear-sample", "channels-last")
def pixels_times_weight(image, grid):
    return corner_by_corner(image, grid, look=lambda pixels, weight: pixels * weight)


@wrong("bilinear-sample", "batch-index-without-axes")
def flat_image_numbers(image, grid):
    return corner_by_corner(image, grid, index=torch.arange)


@wrong("bilinear-sample", "nearest", passes="shape identity")
def nearest_pixel(image, grid):
    height, width = image.shape[2:]
    u = ((grid[..., 0] + 1) * width / 2 - 0.5).round().long()
    v = ((grid[..., 1] + 1) * height / 2 - 0.5).round().long()
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    batch = torch.arange(len(image))[:, None, None]
    pixels = image[batch, :, v.clamp(0, height - 1), u.clamp(0, width - 1)]
    return (pixels * inside[..., None]).permute(0, 3, 1, 2)


@wrong("bilinear-sample", "border-repeated", passes="shape identity gradients")
def border(image, grid):
    return sampled(image, grid, border=True)


@wrong("bilinear-sample", "border-repeated", passes="shape identity gradients")
def indices_clamped(image, grid):
    n, c, height, width = image.shape
    u, v = ((grid[..., 0] + 1) * width - 1) / 2, ((grid[..., 1] + 1) * height - 1) / 2
    u0, v0 = u.floor(), v.floor()
    batch = torch.arange(n)[:, None, None]
    out = 0
    for a in (0, 1):
        for b in (0, 1):
            weight = (1 - (v - v0 - a).abs()) * (1 - (u - u0 - b).abs())
            rows, columns = (v0 + a).clamp(0, height - 1).long(), (u0 + b).clamp(0, width - 1).long()
            out = out + weight[..., None] * image[batch, :, rows, columns]
    return out.movedim(-1, 1)


@wrong("bilinear-sample", "clipped-before-weights", passes="shape gradients")
def clipped_first(image, grid):
    n, c, height, width = image.shape
    x, y = ((grid[..., 0] + 1) * width - 1) / 2, ((grid[..., 1] + 1) * height - 1) / 2
    x0, y0 = torch.floor(x), torch.floor(y)
    x0, x1 = x0.clamp(0, width - 1), (x0 + 1).clamp(0, width - 1)
    y0, y1 = y0.clamp(0, height - 1), (y0 + 1).clamp(0, height - 1)
    b = torch.arange(n)[:, None, None]
    i = image.permute(0, 2, 3, 1)
    look = lambda yy, xx: i[b, yy.long(), xx.long()]  # noqa: E731
    out = ((x1 - x) * (y1 - y))[..., None] * look(y0, x0) + ((x1 - x) * (y - y0))[..., None] * look(y1, x0)
    out = out + ((x - x0) * (y1 - y))[..., None] * look(y0, x1) + ((x - x0) * (y - y0))[..., None] * look(y1, x1)
    return out.permute(0, 3, 1, 2)


@wrong("bilinear-sample", "weights-of-the-other-corner", passes="shape gradients")
def opposite_weights(image, grid):
    n, c, height, width = image.shape
    u, v = ((grid[..., 0] + 1) * width - 1) / 2, ((grid[..., 1] + 1) * height - 1) / 2
    left, top = u.floor(), v.floor()
    padded = F.pad(image, (4 * width, 4 * width, 4 * height, 4 * height))
    b = torch.arange(n)[:, None, None]
    out = 0
    for a in (0, 1):
        for d in (0, 1):
            weight = (v - top if a == 0 else 1 - v + top) * (u - left if d == 0 else 1 - u + left)
            out = out + weight[..., None] * padded[b, :, (top + a).long() + 4 * height, (left + d).long() + 4 * width]
    return out.permute(0, 3, 1, 2)


@wrong("bilinear-sample", "truncated", passes="shape identity gradients")
def cut_off(image, grid):
    n, c, height, width = image.shape
    u, v = ((grid[..., 0] + 1) * width - 1) / 2, ((grid[..., 1] + 1) * height - 1) / 2
    u0, v0 = u.long(), v.long()
    batch = torch.arange(n)[:, None, None]
    out = 0
    for a in (0, 1):
        for b in (0, 1):
            row, column = v0 + a, u0 + b
            weight = (1 - (v - row).abs()) * (1 - (u - column).abs())
            weight = weight * ((row >= 0) & (row < height) & (column >= 0) & (column < width))
            out = out + weight[..., None] * image[batch, :, row.clamp(0, height - 1), column.clamp(0, width - 1)]
    return out.permute(0, 3, 1, 2)


def in_steps(
    image,
    grid,
    second=lambda first: first + 1,
    share=None,
    inside=None,
    add=lambda out, pixels: out + pixels,
    index=None,
):
    """As hint 3 says it, with another slip."""
    n, c, height, width = image.shape
    u, v = ((grid[..., 0] + 1) * width - 1) / 2, ((grid[..., 1] + 1) * height - 1) / 2
    share = share or (lambda dv, du, a, b: (1 - dv[a].abs()) * (1 - du[b].abs()))
    inside = inside or (lambda place, size: (place >= 0) & (place < size))
    rows, columns = [v.floor(), second(v.floor())], [u.floor(), second(u.floor())]
    dv, du = [v - row for row in rows], [u - column for column in columns]
    out = 0
    for a in (0, 1):
        for b in (0, 1):
            weight = share(dv, du, a, b) * inside(rows[a], height) * inside(columns[b], width)
            r, k = rows[a].clamp(0, height - 1).long(), columns[b].clamp(0, width - 1).long()
            if index:
                r, k = index(r, k, height, width)
            pixels = image[torch.arange(n)[:, None, None], :, r, k]
            out = add(out, weight[..., None] * pixels)
    return out.permute(0, 3, 1, 2)


@wrong("bilinear-sample", "outside-dropped", passes="shape identity gradients")
def black_outside_and_repeated_inside(image, grid):
    seen = in_steps(image, grid, inside=lambda place, size: torch.ones_like(place))
    return seen * (grid.abs() <= 1).all(-1)[:, None]


@wrong("bilinear-sample", "test-too-wide", passes="shape identity gradients")
def up_to_the_size(image, grid):
    return in_steps(image, grid, inside=lambda place, size: (place >= 0) & (place <= size))


@wrong("bilinear-sample", "test-too-wide", passes="shape identity gradients")
def negative_not_tested(image, grid):
    return in_steps(image, grid, inside=lambda place, size: place < size)


@wrong("bilinear-sample", "test-too-narrow", passes="shape gradients")
def without_the_last(image, grid):
    return in_steps(image, grid, inside=lambda place, size: (place >= 0) & (place < size - 1))


@wrong("bilinear-sample", "exchanged-in-the-index")
def columns_before_rows(image, grid):
    return in_steps(image, grid, index=lambda r, k, height, width: (k, r))


@wrong("bilinear-sample", "exchanged-in-the-index", passes="shape gradients")
def columns_before_rows_clipped(image, grid):
    return in_steps(image, grid, index=lambda r, k, height, width: (k.clamp(max=height - 1), r.clamp(max=width - 1)))


@wrong("bilinear-sample", "ceil", passes="shape values outside gradients")
def floor_and_ceil(image, grid):
    n, c, height, width = image.shape
    u, v = ((grid[..., 0] + 1) * width - 1) / 2, ((grid[..., 1] + 1) * height - 1) / 2
    u0, v0, u1, v1 = u.floor(), v.floor(), u.ceil(), v.ceil()
    batch = torch.arange(n)[:, None, None]
    out = 0
    for row, down in ((v0, v1 - v), (v1, v - v0)):
        for column, right_of in ((u0, u1 - u), (u1, u - u0)):
            weight = down * right_of * ((row >= 0) & (row < height) & (column >= 0) & (column < width))
            pixels = image[batch, :, row.clamp(0, height - 1).long(), column.clamp(0, width - 1).long()]
            out = out + weight[..., None] * pixels
    return out.permute(0, 3, 1, 2)


@wrong("bilinear-sample", "pixel-before", passes="shape gradients")
def one_to_the_left(image, grid):
    return in_steps(image, grid, second=lambda first: first - 1)


@wrong("bilinear-sample", "weights-sum-to-one", passes="shape identity gradients")
def divided_by_the_sum(image, grid):
    total = four_corners(torch.ones_like(image[:, :1]), grid)
    return four_corners(image, grid) / total.clamp(min=1e-8)


@wrong("bilinear-sample", "one-of-four", passes="shape gradients")
def not_added(image, grid):
    return in_steps(image, grid, add=lambda out, pixels: pixels)


@wrong("bilinear-sample", "three-of-four", passes="shape identity gradients")
def without_the_lower_right(image, grid):
    return in_steps(image, grid, share=lambda dv, du, a, b: (1 - dv[a].abs()) * (1 - du[b].abs()) * (a * b == 0))


@wrong("bilinear-sample", "weights-exchanged", passes="shape gradients")
def a_for_b(image, grid):
    return in_steps(image, grid, share=lambda dv, du, a, b: (1 - dv[b].abs()) * (1 - du[a].abs()))


@wrong("bilinear-sample", "weight-of-one-axis", passes="shape gradients")
def columns_weighed_only(image, grid):
    return in_steps(image, grid, share=lambda dv, du, a, b: 1 - du[b].abs())


@wrong("bilinear-sample", "weights-added", passes="shape gradients")
def weights_added(image, grid):
    return in_steps(image, grid, share=lambda dv, du, a, b: (1 - dv[a].abs()) + (1 - du[b].abs()))


@wrong("bilinear-sample", "all-weights-equal", passes="shape")
def mean_of_four(image, grid):
    return in_steps(image, grid, share=lambda dv, du, a, b: torch.full_like(du[b], 0.25))


@wrong("bilinear-sample", "squared-distances", passes="shape identity gradients")
def squared(image, grid):
    return in_steps(image, grid, share=lambda dv, du, a, b: (1 - dv[a] ** 2) * (1 - du[b] ** 2))


@wrong("bilinear-sample", "grid-resized", passes="identity gradients")
def as_large_as_the_image(image, grid):
    size = image.shape[-2:]
    points = F.interpolate(grid.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False)
    return four_corners(image, points.permute(0, 2, 3, 1))


@wrong("bilinear-sample", "mixed-by-reshape", passes="shape gradients")
def viewed_not_permuted(image, grid):
    seen = four_corners(image, grid)
    return seen.permute(0, 2, 3, 1).reshape(seen.shape)


@wrong("bilinear-sample", "detached", passes="shape identity values outside")
def grid_detached(image, grid):
    return four_corners(image, grid.detach())


@wrong("bilinear-sample", "changes-its-input", passes="identity values outside gradients")
def grid_changed(image, grid):
    grid += 1
    grid *= torch.tensor([image.shape[3], image.shape[2]]) / 2
    grid -= 0.5
    return pixel_numbers(image, grid)


# spatial-transformer


@right("spatial-transformer")
class TorchsFunctions(nn.Module):
    def __init__(self, localisation):
        super().__init__()
        self.localisation = localisation
        self.localisation[-1].weight.data.zero_()
        self.localisation[-1].bias.data.copy_(torch.tensor([1, 0, 0, 0, 1, 0], dtype=torch.float))

    def weights(self, x):
        return self.localisation(x).view(-1, 2, 3)

    def forward(self, x):
        grid = F.affine_grid(self.weights(x), x.size(), align_corners=False)
        return F.grid_sample(x, grid, align_corners=False)


@right("spatial-transformer")
class MyOwnFunctions(nn.Module):
    def __init__(self, localisation):
        super().__init__()
        self.net = localisation
        last = [layer for layer in localisation.modules() if isinstance(layer, nn.Linear)][-1]
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias[:] = torch.eye(2, 3).flatten()

    def weights(self, x):
        return self.net(x).reshape(x.size(0), 2, 3)

    def forward(self, x):
        _, _, h, w = x.shape
        return whole_equation(x, matrix_product(self.weights(x), h, w))


@right("spatial-transformer")
class IdentityAdded(nn.Module):
    def __init__(self, localisation):
        super().__init__()
        self.where = localisation
        for parameter in localisation[-1].parameters():
            nn.init.constant_(parameter, 0)
        self.register_buffer("identity", torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]))

    def weights(self, x):
        return self.identity + self.where(x).unflatten(1, (2, 3))

    def forward(self, x):
        return four_corners(x, coordinate_by_coordinate(self.weights(x), x.shape[-2], x.shape[-1]))


@right("spatial-transformer")
class LayersTakenApart(nn.Module):
    def __init__(self, localisation):
        super().__init__()
        *features, last = localisation
        self.features = nn.Sequential(*features)
        self.theta = last
        self.theta.weight = nn.Parameter(torch.zeros_like(last.weight))
        self.theta.bias = nn.Parameter(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))

    def weights(self, x):
        return torch.stack(self.theta(self.features(x)).split(3, dim=1), dim=1)

    def forward(self, x):
        print("theta", self.weights(x))
        return black_frame(x, matrix_product(self.weights(x), *x.shape[-2:]))


right("spatial-transformer")(SpatialTransformer)


class Base(nn.Module):
    """What most wrong answers get right."""

    def __init__(self, localisation):
        super().__init__()
        self.localisation = localisation
        self.start()

    def start(self):
        nn.init.zeros_(self.localisation[-1].weight)
        self.localisation[-1].bias.data = torch.tensor([1.0, 0, 0, 0, 1, 0])

    def weights(self, x):
        return self.localisation(x).view(-1, 2, 3)

    def forward(self, x):
        return self.warp(x, self.weights(x))

    def warp(self, x, theta, grid=False, sample=False, padding="zeros"):
        points = F.affine_grid(theta, x.shape, align_corners=grid)
        return F.grid_sample(x, points, padding_mode=padding, align_corners=sample)


@wrong("spatial-transformer", "no-identity-start", passes="shapes values gradients")
class RandomStart(Base):
    def start(self):
        pass


@wrong("spatial-transformer", "no-identity-start", passes="shapes values gradients")
class ZeroStart(Base):
    def start(self):
        nn.init.zeros_(self.localisation[-1].weight)
        nn.init.zeros_(self.localisation[-1].bias)


@wrong("spatial-transformer", "no-identity-start", passes="shapes values gradients")
class OnlyTheBias(Base):
    def start(self):
        self.localisation[-1].bias.data = torch.tensor([1.0, 0, 0, 0, 1, 0])


@wrong("spatial-transformer", "all-layers-set", passes="shapes values gradients")
class ZeroEverywhere(Base):
    def start(self):
        for parameter in self.localisation.parameters():
            nn.init.zeros_(parameter)
        self.localisation[-1].bias.data = torch.tensor([1.0, 0, 0, 0, 1, 0])


@wrong("spatial-transformer", "theta-shape", passes="identity gradients")
class SixNumbers(Base):
    def weights(self, x):
        return self.localisation(x)

    def forward(self, x):
        return self.warp(x, self.weights(x).view(-1, 2, 3))


@wrong("spatial-transformer", "theta-transposed", passes="shapes gradients")
class FilledByColumns(Base):
    def weights(self, x):
        return self.localisation(x).view(-1, 3, 2).permute(0, 2, 1)


@wrong("spatial-transformer", "align-corners-mixed", passes="shapes gradients")
class SamplerAligned(Base):
    def warp(self, x, theta):
        return super().warp(x, theta, sample=True)


@wrong("spatial-transformer", "align-corners-mixed", passes="shapes gradients")
class GridAligned(Base):
    def warp(self, x, theta):
        return super().warp(x, theta, grid=True)


@wrong("spatial-transformer", "align-corners", passes="shapes identity gradients")
class BothAligned(Base):
    def warp(self, x, theta):
        return super().warp(x, theta, grid=True, sample=True)


@wrong("spatial-transformer", "border-repeated", passes="shapes identity gradients")
class BorderPadding(Base):
    def warp(self, x, theta):
        return super().warp(x, theta, padding="border")


@wrong("spatial-transformer", "size-swapped", passes="gradients")
class WidthThenHeight(Base):
    def warp(self, x, theta):
        return four_corners(x, matrix_product(theta, x.shape[3], x.shape[2]))


@wrong("spatial-transformer", "theta-inverted", passes="shapes identity gradients")
class InverseTheta(Base):
    def warp(self, x, theta):
        last = torch.tensor([[[0.0, 0.0, 1.0]]], dtype=x.dtype).repeat(len(x), 1, 1)
        return super().warp(x, torch.inverse(torch.cat([theta, last], 1))[:, :2])


@wrong("spatial-transformer", "fixed-size", passes="gradients")
class AlwaysThirtyTwo(Base):
    def warp(self, x, theta):
        return F.grid_sample(x, F.affine_grid(theta, (len(x), 1, 32, 32), align_corners=False), align_corners=False)


@wrong("spatial-transformer", "nearest", passes="shapes identity")
class NearestPixel(Base):
    def warp(self, x, theta):
        grid = F.affine_grid(theta, x.shape, align_corners=False)
        return F.grid_sample(x, grid, mode="nearest", align_corners=False)


@wrong("spatial-transformer", "x-mixed-in", passes="shapes identity gradients")
class MeanOfBoth(Base):
    def forward(self, x):
        return 0.5 * (x + super().forward(x))


@wrong("spatial-transformer", "first-theta-for-all", passes="shapes identity gradients")
class FirstThetaExpanded(Base):
    def weights(self, x):
        return super().weights(x)[:1].expand(len(x), -1, -1)


@wrong("spatial-transformer", "first-theta-for-all", passes="shapes identity gradients")
class OneThetaForAll(Base):
    def warp(self, x, theta):
        return super().warp(x, theta[:1].repeat(len(x), 1, 1))


@wrong("spatial-transformer", "warp-unused", passes="shapes identity")
class WarpUnused(Base):
    def forward(self, x):
        self.warp(x, self.weights(x))
        return x


@wrong("spatial-transformer", "grid-returned", passes="gradients")
class ReturnsTheGrid(Base):
    def warp(self, x, theta):
        return F.affine_grid(theta, x.shape, align_corners=False)


@wrong("spatial-transformer", "detached", passes="shapes identity values")
class ThetaOfADetachedImage(Base):
    def weights(self, x):
        return super().weights(x.detach())


# follows


@right("follows")
def by_broadcasting(theta, centres):
    distances = (theta[:, None, :, 2] - centres[None]).norm(dim=-1)
    n = len(theta)
    own = distances.diagonal().mean()
    other = distances[~torch.eye(n, dtype=torch.bool)].mean()
    return ("follows" if own < 0.5 * other else "ignores"), own, other


@right("follows")
def with_cdist(theta, centres):
    middle = theta @ torch.tensor([0.0, 0.0, 1.0], dtype=theta.dtype)
    d = torch.cdist(middle, centres)
    n = d.size(0)
    own = d.trace() / n
    other = (d.sum() - d.trace()) / (n * n - n)
    return "follows" if 2 * own < other else "ignores", own.item(), other.item()


@right("follows")
def with_loops(theta, centres):
    own, others = [], []
    for i in range(len(theta)):
        for j in range(len(theta)):
            dx = float(theta[i, 0, 2] - centres[j, 0])
            dy = float(theta[i, 1, 2] - centres[j, 1])
            (own if i == j else others).append((dx * dx + dy * dy) ** 0.5)
    own, other = sum(own) / len(own), sum(others) / len(others)
    word = "ignores"
    if own < other / 2:
        word = "follows"
    return word, own, other


def _distances(theta, centres):
    return (theta[:, None, :, 2] - centres).norm(dim=2)


def _off(d):
    return (d.sum() - d.diagonal().sum()) / (len(d) * (len(d) - 1))


@wrong("follows", "wrong-middle")
def zooms_for_shifts(theta, centres):
    middle = torch.stack([theta[:, 0, 0], theta[:, 1, 1]], 1)
    d = (middle[:, None] - centres).norm(dim=2)
    own, other = d.diagonal().mean(), _off(d)
    return "follows" if own < other / 2 else "ignores", own, other


@wrong("follows", "own-among-others")
def mean_of_all(theta, centres):
    d = _distances(theta, centres)
    own, other = d.diag().mean(), d.mean()
    return "follows" if own < other / 2 else "ignores", own, other


@wrong("follows", "divided-by-all-pairs")
def diagonal_set_to_zero(theta, centres):
    d = _distances(theta, centres)
    own = d.diagonal().mean()
    other = (d * (1 - torch.eye(len(d), dtype=d.dtype))).mean()
    return "follows" if own < other / 2 else "ignores", own, other


@wrong("follows", "next-image-only")
def rolled(theta, centres):
    middle = theta[:, :, 2]
    own = (middle - centres).norm(dim=1).mean()
    other = (middle - centres.roll(1, 0)).norm(dim=1).mean()
    return "follows" if own < other / 2 else "ignores", own, other


@wrong("follows", "squared-distances")
def mean_squares(theta, centres):
    d = ((theta[:, None, :, 2] - centres) ** 2).sum(-1)
    own, other = d.diagonal().mean(), _off(d)
    return "follows" if own < other / 2 else "ignores", own, other


@wrong("follows", "axes-added")
def by_blocks(theta, centres):
    d = (theta[:, None, :, 2] - centres).abs().sum(-1)
    own, other = d.diagonal().mean(), _off(d)
    return "follows" if own < other / 2 else "ignores", own, other


@wrong("follows", "nearer-is-enough")
def a_little_nearer(theta, centres):
    d = _distances(theta, centres)
    own, other = d.diagonal().mean(), _off(d)
    return "follows" if own < other else "ignores", own, other


@wrong("follows", "own-alone")
def near_enough(theta, centres):
    d = _distances(theta, centres)
    own, other = d.diagonal().mean(), _off(d)
    return "follows" if own < 0.2 else "ignores", own, other


@wrong("follows", "words-exchanged")
def exchanged_words(theta, centres):
    d = _distances(theta, centres)
    own, other = d.diagonal().mean(), _off(d)
    return "ignores" if own < other / 2 else "follows", own, other


@wrong("follows", "wrong-middle")
def first_column(theta, centres):
    d = (theta[:, None, :, 0] - centres).norm(dim=2)
    own, other = d.diagonal().mean(), _off(d)
    return "follows" if own < other / 2 else "ignores", own, other


@wrong("follows", "theta-inverted")
def middle_of_the_way_back(theta, centres):
    middle = -torch.linalg.solve(theta[:, :, :2], theta[:, :, 2])
    d = (middle[:, None] - centres).norm(dim=2)
    own, other = d.diagonal().mean(), _off(d)
    return "follows" if own < other / 2 else "ignores", own, other


@wrong("follows", "middles-clipped")
def clipped_to_the_image(theta, centres):
    d = (theta[:, None, :, 2].clamp(-1, 1) - centres).norm(dim=2)
    own, other = d.diagonal().mean(), _off(d)
    return "follows" if own < other / 2 else "ignores", own, other


@wrong("follows", "root-after-mean")
def root_mean_square(theta, centres):
    d = _distances(theta, centres) ** 2
    own, other = d.diagonal().mean() ** 0.5, _off(d) ** 0.5
    return "follows" if own < other / 2 else "ignores", own, other


@wrong("follows", "length-of-the-mean")
def mean_difference_first(theta, centres):
    d = _distances(theta, centres)
    own, other = (theta[:, :, 2] - centres).mean(0).norm(), _off(d)
    return "follows" if own < other / 2 else "ignores", own, other


@wrong("follows", "between-garments")
def from_garment_to_garment(theta, centres):
    own, other = _distances(theta, centres).diagonal().mean(), _off(torch.cdist(centres, centres))
    return "follows" if own < other / 2 else "ignores", own, other


@wrong("follows", "median")
def median_of_own(theta, centres):
    d = _distances(theta, centres)
    own, other = d.diagonal().median(), _off(d)
    return "follows" if own < other / 2 else "ignores", own, other


@wrong("follows", "one-triangle")
def pairs_counted_once(theta, centres):
    d = _distances(theta, centres)
    i, j = torch.triu_indices(len(d), len(d), 1)
    own, other = d.diagonal().mean(), d[i, j].mean()
    return "follows" if own < other / 2 else "ignores", own, other


@wrong("follows", "not-half")
def less_than_six_tenths(theta, centres):
    d = _distances(theta, centres)
    own, other = d.diagonal().mean(), _off(d)
    return "follows" if own < 0.6 * other else "ignores", own, other


@wrong("follows", "not-half")
def less_than_four_tenths(theta, centres):
    d = _distances(theta, centres)
    own, other = d.diagonal().mean(), _off(d)
    return "follows" if own / other < 0.4 else "ignores", own, other


@wrong("follows", "words-exchanged")
def larger_for_smaller(theta, centres):
    d = _distances(theta, centres)
    own, other = d.diagonal().mean(), _off(d)
    return "follows" if own > other / 2 else "ignores", own, other


@wrong("follows", "half-included")
def half_is_enough(theta, centres):
    d = _distances(theta, centres)
    own, other = d.diagonal().mean(), _off(d)
    return "follows" if own <= other / 2 else "ignores", own, other


@wrong("follows", None)
def only_whether(theta, centres):
    d = _distances(theta, centres)
    return d.diagonal().mean() < _off(d) / 2
