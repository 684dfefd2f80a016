"""Lesson 07, spatial transformers: affine-grid, bilinear-sample, spatial-transformer, follows."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ...mechanisms import SpatialTransformer, affine_grid
from ..exercise import Check, Exercise, Failure, Misconception, Probe, Property, instead, mistake, normal, steps
from ..observe import Observation, Question
from ..properties import (
    gradients,
    images_apart,
    leaves_input_alone,
    moves,
    parameters,
    repeatable,
    shape,
    starts_as_identity,
    values,
    written_out,
)
from ..stand_ins import StandIn

GRID = "(x_in, y_in) = theta (x_out, y_out, 1) (Jaderberg et al. 2015, equation 1)"
CENTRES = "the centre of column j of W columns lies at x = (2 j + 1) / W - 1 (align_corners=False)"
SAMPLE = (
    "output = sum over pixels of max(0, 1 - |u - column|) max(0, 1 - |v - row|) image[row, column] "
    "(Jaderberg et al. 2015, equation 5)"
)
PIXELS = (
    "u = ((x + 1) W - 1) / 2, v = ((y + 1) H - 1) / 2: -1 and 1 are the outer edges of the image, not the centres of "
    "its last pixels"
)
TRANSFORM = "output = bilinear_sample(x, affine_grid(localisation(x))) (Jaderberg et al. 2015, section 3)"


# affine-grid


def identity(images: int) -> Tensor:
    return torch.eye(2, 3, dtype=torch.float64).repeat(images, 1, 1)


def shifted(images: int) -> Tensor:
    theta = identity(images)
    theta[:, 0, 2] = 0.5
    return theta


def inverted(theta: Tensor) -> Tensor:
    turn = torch.linalg.inv(theta[:, :, :2])
    return torch.cat([turn, -turn @ theta[:, :, 2:]], 2)


class Grid:
    """The right answer in steps. Some of them do nothing: a mistake does something there."""

    def sizes(self, height: int, width: int) -> tuple[int, int]:
        return height, width

    def centres(self, number: int, size: int) -> Tensor:
        return (2 * torch.arange(number, dtype=torch.float64) + 1) / size - 1

    def rows(self, number: int, size: int) -> Tensor:
        return self.centres(number, size)

    def point(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x, y

    def with_one(self, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        return x, y, torch.ones_like(y)

    def read(self, theta: Tensor) -> Tensor:
        return theta

    def arrange(self, grid: Tensor) -> Tensor:
        return grid

    def __call__(self, theta: Tensor, height: int, width: int) -> Tensor:
        high, wide = self.sizes(height, width)
        x, y, one = self.with_one(*self.point(self.centres(width, wide), self.rows(height, high)[:, None]))
        along_x, along_y, shift = self.read(theta)[..., None, None].unbind(2)
        return self.arrange((along_x * x + (along_y * y + shift * one)).movedim(1, -1))


def mixed(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """Points (3, H, W) that are reshaped to (H, W, 3), so that each holds three numbers of one coordinate."""
    points = torch.stack(torch.broadcast_tensors(x, y, torch.ones_like(y)))
    return points.reshape(*points.shape[1:], 3).unbind(-1)


def turned_with_shift(theta: Tensor) -> Tensor:
    """The theta of A (p + t), where A p + t was asked for."""
    return torch.cat([theta[:, :, :2], theta[:, :, :2] @ theta[:, :, 2:]], 2)


def shift_in_pixels(width_of_one: float) -> steps:
    """Shifts that count pixels, each so wide in an image of one pixel."""

    def wrong(self: Grid, theta: Tensor, height: int, width: int) -> Tensor:
        shift = theta[:, :, 2:] * width_of_one / torch.tensor([[width], [height]])
        return Grid.__call__(self, torch.cat([theta[:, :, :2], shift], 2), height, width)

    return steps(__call__=wrong)


AFFINE_GRID = Exercise(
    id="affine-grid",
    forms=(Grid(),),
    equation=GRID,
    forbidden=("affine_grid",),
    probes={
        "plain": Probe(lambda g: (normal(g, 3, 2, 3), 4, 7)),
        "one image": Probe(lambda g: (normal(g, 1, 2, 3), 5, 2)),
        "identity": Probe(lambda g: (identity(2), 3, 5)),
        "shift": Probe(lambda g: (shifted(2), 4, 6)),
        "one pixel": Probe(lambda g: (normal(g, 2, 2, 3), 1, 1)),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "identity": Check(1, (values(on=("identity",), name="the identity gives the pixels' centres"), written_out())),
        "shift": Check(1, (values(on=("shift",), name="a shift in x moves x alone"), written_out())),
        "values": Check(1, (values(), images_apart(), gradients(), written_out())),
    },
    misconceptions=(
        mistake(
            "align-corners",
            "the outermost points lie at -1 and 1, on the edges of the image: that is align_corners=True",
            "With W columns, where is the centre of the first one, if the image reaches from -1 to 1?",
            steps(centres=lambda self, number, size: torch.linspace(-1, 1, number, dtype=torch.float64)),
            equation=CENTRES,
        ),
        mistake(
            "xy-swapped",
            "the last axis holds (y, x), not (x, y)",
            "Is grid[..., 0] a column or a row? What moves when theta[0, 2] changes?",
            steps(arrange=lambda self, grid: grid.flip(-1)),
            steps(point=lambda self, x, y: (y, x)),
        ),
        mistake(
            "rows-and-columns-swapped",
            "the grid has the shape (N, W, H, 2)",
            "Which index of the grid runs along the height?",
            steps(arrange=lambda self, grid: grid.transpose(1, 2)),
        ),
        mistake(
            "mixed-by-reshape",
            "a reshape of (W, H) to (H, W) does not exchange the axes: the points stand in the wrong rows and columns",
            "After your reshape, do the points of one row have the same y?",
            steps(arrange=lambda self, grid: grid.transpose(1, 2).reshape(grid.shape)),
        ),
        mistake(
            "coordinates-mixed-by-reshape",
            "a reshape does not bring the axis of the coordinates to the end: those of different points are mixed",
            "Which axis held x and y before your reshape? Which function moves an axis?",
            steps(arrange=lambda self, grid: grid.movedim(-1, 1).reshape(grid.shape)),
            steps(with_one=lambda self, x, y: mixed(x, y)),
        ),
        mistake(
            "xy-swapped-twice",
            "theta is applied to (y, x, 1), and the result is turned round to (x, y)",
            "Which of theta's numbers shifts x? Does it shift x in your grid?",
            steps(point=lambda self, x, y: (y, x), arrange=lambda self, grid: grid.flip(-1)),
        ),
        mistake(
            "upside-down",
            "y runs upwards: the first row of the grid is the lowest row of the image",
            "Is y = -1 at the upper or at the lower edge?",
            steps(rows=lambda self, number, size: -self.centres(number, size)),
        ),
        mistake(
            "sizes-swapped",
            "x is divided by the height and y by the width",
            "How many columns share the way from -1 to 1, and how many rows? Test with H different from W.",
            steps(sizes=lambda self, height, width: (width, height)),
            equation=CENTRES,
        ),
        mistake(
            "one-size-for-both",
            "x and y are divided by the same size, as if every image were square",
            "How many columns share the way from -1 to 1, and how many rows? Test with H different from W.",
            steps(sizes=lambda self, height, width: (width, width)),
            steps(sizes=lambda self, height, width: (height, height)),
            equation=CENTRES,
        ),
        mistake(
            "left-edges",
            "the points lie on the left and upper edges of the pixels, not on their centres",
            "Are your first and last column equally far from the middle?",
            steps(centres=lambda self, number, size: 2 * torch.arange(number, dtype=torch.float64) / size - 1),
            equation=CENTRES,
        ),
        mistake(
            "divided-by-one-less",
            "2j + 1 is divided by the size less 1: the last point lies outside the image, and one pixel divides by 0",
            "Where does your last column lie, and where is the right edge of the image?",
            steps(centres=lambda self, number, size: (2 * torch.arange(number).double() + 1) / (size - 1) - 1),
            equation=CENTRES,
        ),
        mistake(
            "pixel-numbers",
            "the coordinates are pixel numbers, from 0 to the width",
            "In which range does theta expect its coordinates?",
            steps(centres=lambda self, number, size: torch.arange(number, dtype=torch.float64)),
            equation=CENTRES,
        ),
        mistake(
            "from-zero-to-one",
            "the coordinates run from 0 to 1 or to 2, where they should run from -1 to 1",
            "Which point has the coordinates (0, 0)? It should be the middle of the image.",
            steps(centres=lambda self, number, size: (torch.arange(number, dtype=torch.float64) + 0.5) / size),
            steps(centres=lambda self, number, size: (2 * torch.arange(number, dtype=torch.float64) + 1) / size),
            equation=CENTRES,
        ),
        mistake(
            "shift-subtracted",
            "the shifts are subtracted: a positive t_x looks further left",
            "Does a positive t_x look further right, or does it move the picture to the right?",
            steps(read=lambda self, theta: theta * torch.tensor([1, 1, -1])),
        ),
        mistake(
            "shift-before-matrix",
            "the shift is added before the 2x2 matrix is applied, so it is turned and scaled with the points",
            "Multiply theta by (x, y, 1): is t_x itself multiplied by another number of theta?",
            steps(read=lambda self, theta: turned_with_shift(theta)),
        ),
        mistake(
            "shift-in-pixels",
            "the shifts are divided by the width and the height, as if they counted pixels",
            "In which unit is t_x: which shift goes from the middle of the image to its right edge?",
            shift_in_pixels(2),
            shift_in_pixels(1),
        ),
        mistake(
            "no-images",
            "the grid has no axis for the images: (H, W, 2), where (N, H, W, 2) was asked for",
            "Each image has its own theta. How many grids are there?",
            steps(arrange=lambda self, grid: grid.sum(0)),
            steps(arrange=lambda self, grid: grid[0]),
        ),
        mistake(
            "theta-inverted",
            "theta is read as a map from the input to the output",
            "A zoom of 0.5: does it show the middle of the image, or the whole image at half its size?",
            steps(read=lambda self, theta: inverted(theta)),
        ),
        mistake(
            "theta-transposed",
            "rows and columns of theta's 2x2 part are swapped: rotations turn the other way",
            "Which three numbers of theta give x_in?",
            steps(read=lambda self, theta: torch.cat((theta[:, :, :2].mT, theta[:, :, 2:]), 2)),
        ),
        mistake(
            "no-shift",
            "the last column of theta is never used",
            "What does the 1 in (x, y, 1) do?",
            steps(read=lambda self, theta: theta * torch.tensor([1, 1, 0])),
        ),
        mistake(
            "first-theta-for-all",
            "all images get one grid, that of the first theta or of the mean of all",
            "Where does your code use all N matrices, each for its own image?",
            steps(read=lambda self, theta: theta[:1].expand_as(theta)),
            steps(read=lambda self, theta: theta.mean(0, keepdim=True).expand_as(theta)),
        ),
    ),
    hints=(
        """
        Begin without theta: where do the centres of the output's pixels lie, if the image reaches from -1 to 1? Then
        every point (x, y, 1) is multiplied by theta.
        """,
        r"""
        Column $j$ of $W$: $x_j = \frac{2j+1}{W}-1$; row $i$ of $H$: $y_i = \frac{2i+1}{H}-1$. Points
        $p = (x, y, 1)$: `(H, W, 3)`. $\;g_{nhw} = \theta_n\, p_{hw}$: `(N, 2, 3)` times `(H, W, 3)` gives
        `(N, H, W, 2)`.
        """,
        """
        ```
        x = (2 * (0, 1, ..., width - 1) + 1) / width - 1
        y = the same with height
        points[i, j] = (x[j], y[i], 1)                         # (H, W, 3)
        return for each image n and pixel: theta[n] times points   # (N, H, W, 2)
        ```
        """,
    ),
)


# bilinear-sample


class Sampler:
    """The right answer in steps. Along either axis a point has two corners, the pixels before and after it."""

    def coordinates(self, grid: Tensor) -> tuple[Tensor, Tensor]:
        return grid.unbind(-1)

    def sizes(self, height: int, width: int) -> tuple[int, int]:
        return height, width

    def pixels(self, coordinate: Tensor, size: int) -> Tensor:
        return ((coordinate + 1) * size - 1) / 2

    def corners(self, at: Tensor, size: int) -> tuple[Tensor, Tensor]:
        return at.floor(), at.floor() + 1

    def weights(self, at: Tensor, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        return 1 - (at - before).abs(), 1 - (after - at).abs()

    def inside(self, corner: Tensor, size: int) -> Tensor:
        return (corner >= 0) & (corner < size)

    def along(self, at: Tensor, size: int) -> list["Corner"]:
        corners = self.corners(at, size)
        weights = self.weights(at, *corners)
        return [
            Corner(corner.clamp(0, size - 1).long(), weight, self.inside(corner, size))
            for corner, weight in zip(corners, weights)
        ]

    def numbers(self, images: Tensor) -> Tensor:
        return torch.arange(len(images))[:, None, None]

    def look(self, images: Tensor, row: Tensor, column: Tensor) -> Tensor:
        return images[self.numbers(images), :, row, column].movedim(-1, 1)

    def combine(self, weight: Tensor, seen: Tensor) -> Tensor:
        return weight[:, None] * seen

    def shares(self, rows: list["Corner"], columns: list["Corner"]) -> list[Tensor]:
        return [row.weight * column.weight * (row.inside * column.inside) for row in rows for column in columns]

    def together(self, four: list[Tensor]) -> Tensor:
        return sum(four)

    def __call__(self, image: Tensor, grid: Tensor) -> Tensor:
        (x, y), (height, width) = self.coordinates(grid), self.sizes(*image.shape[2:])
        rows = self.along(self.pixels(y, height), image.shape[2])
        columns = self.along(self.pixels(x, width), image.shape[3])
        seen = [self.look(image, row.place, column.place) for row in rows for column in columns]
        return self.together([self.combine(share, four) for share, four in zip(self.shares(rows, columns), seen)])


class Corner(NamedTuple):
    """A pixel number along one axis: clipped to the image, its weight, and whether the image has it."""

    place: Tensor
    weight: Tensor
    inside: Tensor


FOUR = ((0, 0), (0, 1), (1, 0), (1, 1))
"""The corners in the order of the loops: row a, column b."""


def weighed(weight: Callable) -> steps:
    """The weight of corner a, b is made of rows and columns in another way."""
    return steps(
        shares=lambda self, rows, columns: [
            weight(rows, columns, a, b) * (rows[a].inside * columns[b].inside) for a, b in FOUR
        ]
    )


def normalised(least: float) -> steps:
    def shares(self: Sampler, rows: list[Corner], columns: list[Corner]) -> list[Tensor]:
        four = Sampler.shares(self, rows, columns)
        return [share / sum(four).clamp(min=least) for share in four]

    return steps(shares=shares)


def dropped_outside(self: Sampler, image: Tensor, grid: Tensor) -> Tensor:
    return Sampler.__call__(self, image, grid) * (grid.abs() <= 1).all(-1)[:, None]


def grid_resized(self: Sampler, image: Tensor, grid: Tensor) -> Tensor:
    resized = F.interpolate(grid.movedim(-1, 1), size=image.shape[2:], mode="bilinear", align_corners=False)
    return Sampler.__call__(self, image, resized.movedim(1, -1))


def rows_and_columns_exchanged(self: Sampler, images: Tensor, row: Tensor, column: Tensor) -> Tensor:
    return Sampler.look(self, images, column, row)


def exchanged_and_clipped(self: Sampler, images: Tensor, row: Tensor, column: Tensor) -> Tensor:
    height, width = images.shape[2:]
    return Sampler.look(self, images, column.clamp(max=height - 1), row.clamp(max=width - 1))


def tests(inside: Callable[[Tensor, int], Tensor]) -> steps:
    return steps(inside=lambda self, corner, size: inside(corner, size))


def clipped(self: Sampler, at: Tensor, size: int) -> tuple[Tensor, Tensor]:
    return at.floor().clamp(0, size - 1), (at.floor() + 1).clamp(0, size - 1)


def truncated(self: Sampler, at: Tensor, size: int) -> tuple[Tensor, Tensor]:
    return at.trunc(), at.trunc() + 1


def black_rim(self: Sampler, at: Tensor, size: int) -> list[Corner]:
    inside = (at >= 0) & (at <= size - 1)
    return [corner._replace(inside=corner.inside & inside) for corner in Sampler.along(self, at, size)]


def row_times_height(self: Sampler, images: Tensor, row: Tensor, column: Tensor) -> Tensor:
    places = (row * images.shape[2] + column).flatten(1)[:, None].expand(-1, images.shape[1], -1)
    return images.flatten(2).gather(2, places).unflatten(2, row.shape[1:])


def channels_last(self: Sampler, images: Tensor, row: Tensor, column: Tensor) -> Tensor:
    return images[self.numbers(images), :, row, column]


def rim(generator: Generator) -> Tensor:
    """Points at the last half pixel, up to two pixels outside, and far outside, of images of 5 rows and 8 columns."""
    x = torch.tensor([-1.25, -1.05, -0.97, -0.4, 0.93, 1.08, 1.25, 1.9, -3.0], dtype=torch.float64)
    y = torch.tensor([-1.4, -1.11, -0.93, 0.3, 0.95, 1.07, 1.4, 2.5], dtype=torch.float64)
    y, x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([x, y], -1)[None].repeat(2, 1, 1, 1) + 0.01 * normal(generator, 2, 8, 9, 2)


def inner_grid(generator: Generator, *shape: int) -> Tensor:
    return 1.8 * torch.rand(*shape, 2, generator=generator, dtype=torch.float64) - 0.9


BILINEAR_SAMPLE = Exercise(
    id="bilinear-sample",
    forms=(Sampler(),),
    equation=SAMPLE,
    forbidden=("grid_sample", "grid_sampler", "grid_sampler_2d"),
    probes={
        "plain": Probe(lambda g: (normal(g, 2, 3, 5, 8), 1.3 * inner_grid(g, 2, 6, 7))),
        "one image": Probe(lambda g: (normal(g, 1, 2, 6, 4), inner_grid(g, 1, 3, 5))),
        "identity": Probe(lambda g: (normal(g, 2, 3, 4, 7), affine_grid(identity(2), 4, 7))),
        "rim": Probe(lambda g: (normal(g, 2, 3, 5, 8), rim(g))),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "identity": Check(
            1,
            (
                values(on=("identity",), name="the identity gives back the image, to its last column"),
                written_out(),
            ),
        ),
        "values": Check(4, (values(on=("plain", "one image")), images_apart(), written_out())),
        "outside": Check(
            1, (values(on=("rim",), name="0 outside; at the edge a mixture of the last pixel and 0"), written_out())
        ),
        "gradients": Check(
            1, (gradients(on=("plain", "one image", "rim")), moves(on=("plain", "one image")), written_out())
        ),
    },
    misconceptions=(
        mistake(
            "align-corners",
            "-1 and 1 are taken for the centres of the outermost pixels: that is align_corners=True",
            "Where does x = 1 land: on the last pixel's centre, or on its outer edge?",
            steps(pixels=lambda self, coordinate, size: (coordinate + 1) / 2 * (size - 1)),
            equation=PIXELS,
        ),
        mistake(
            "row-times-height",
            "in the flattened image a pixel's place is taken for row times height + column",
            "How many pixels lie between a pixel and the one below it, if the rows stand behind one another?",
            steps(look=row_times_height),
        ),
        mistake(
            "black-rim",
            "a point beyond the outermost centre is 0 as a whole; only its missing pixels count as 0",
            "A point a quarter of a pixel beyond the last centre: which of its four pixels are there, and what is their share?",
            steps(along=black_rim),
        ),
        mistake(
            "outside-dropped",
            "a point outside [-1, 1] is 0 as a whole, where each of its four pixels should be tested by itself",
            "A point a quarter of a pixel beyond the edge: which of its four pixels are there, and what is their share?",
            steps(__call__=dropped_outside, inside=lambda self, corner, size: 1),
            steps(__call__=dropped_outside),
        ),
        mistake(
            "test-too-wide",
            "the test of what lies outside lets in pixel numbers that the image does not have, such as -1 or H",
            "Which row numbers does an image of H rows have? Does your test refuse the one before, and the one after?",
            tests(lambda corner, size: (corner >= 0) & (corner <= size)),
            tests(lambda corner, size: (corner >= -1) & (corner < size)),
            tests(lambda corner, size: (corner >= -1) & (corner <= size)),
            tests(lambda corner, size: corner < size),
            tests(lambda corner, size: corner >= 0),
        ),
        mistake(
            "test-too-narrow",
            "the test of what lies outside refuses a row or column that the image has: its first or its last",
            "Which row numbers does an image of H rows have? Does your test let in 0, and H - 1?",
            tests(lambda corner, size: (corner >= 0) & (corner < size - 1)),
            tests(lambda corner, size: (corner > 0) & (corner < size)),
            tests(lambda corner, size: (corner > 0) & (corner < size - 1)),
        ),
        mistake(
            "exchanged-in-the-index",
            "rows and columns are exchanged where the pixels are looked up: image[n, :, column, row]",
            "Which axis of the image counts its rows, the third or the last?",
            steps(look=rows_and_columns_exchanged),
            steps(look=exchanged_and_clipped),
        ),
        mistake(
            "ceil",
            "ceil is not floor + 1: for a point on a pixel's centre both are the same pixel",
            "What are floor(3.0), floor(3.0) + 1 and ceil(3.0)? What do the four weights then sum to?",
            steps(corners=lambda self, at, size: (at.floor(), at.ceil())),
            steps(
                corners=lambda self, at, size: (at.floor(), at.ceil()),
                weights=lambda self, at, before, after: (after - at, at - before),
            ),
        ),
        mistake(
            "pixel-before",
            "the second pixel is the one before floor, where it should be the one after",
            "Between which two whole numbers does 3.4 lie?",
            steps(corners=lambda self, at, size: (at.floor(), at.floor() - 1)),
        ),
        mistake(
            "weights-sum-to-one",
            "the result is divided by the sum of the weights: beyond the edge the last pixels are repeated",
            "A point a quarter of a pixel beyond the edge: should it be darker than the last pixel?",
            normalised(1e-8),
            normalised(0),
        ),
        mistake(
            "one-of-four",
            "only one of the four pixels comes out, with its own weight: they are never added up",
            "Does the second pixel add to the first in your code, or take its place?",
            *(steps(together=lambda self, four, only=only: four[only]) for only in (3, 0, 1, 2)),
        ),
        mistake(
            "three-of-four",
            "one of the four pixels is left out",
            "How many pixels lie around a point? Which pairs of a and b does your loop run through?",
            *(
                steps(together=lambda self, four, left_out=left_out: sum(four) - four[left_out])
                for left_out in (3, 0, 1, 2)
            ),
        ),
        mistake(
            "weights-exchanged",
            "the weight belongs to another of the four pixels: a and b are exchanged in it",
            "Does a move the row or the column? And in your weight?",
            weighed(lambda rows, columns, a, b: rows[b].weight * columns[a].weight),
        ),
        mistake(
            "weight-of-one-axis",
            "the weight depends on one axis only, on the row or on the column",
            "What do your four weights sum to? A point can be near in its row and far in its column.",
            weighed(lambda rows, columns, a, b: columns[b].weight),
            weighed(lambda rows, columns, a, b: rows[a].weight),
        ),
        mistake(
            "weights-added",
            "the weights along the row and along the column are added, where they should be multiplied",
            "What do your four weights sum to?",
            weighed(lambda rows, columns, a, b: rows[a].weight + columns[b].weight),
            weighed(lambda rows, columns, a, b: (rows[a].weight + columns[b].weight) / 2),
        ),
        mistake(
            "all-weights-equal",
            "all four pixels have the weight 1/4, wherever the point lies between them: a move changes nothing",
            "A point lies 0.1 beside a pixel's centre. Should this pixel count more than the others?",
            weighed(lambda rows, columns, a, b: 0.25 * torch.ones_like(rows[a].weight)),
        ),
        mistake(
            "squared-distances",
            "the weights fall with the square of the distance: half way between two pixels they sum to more than 1",
            "Half way between two pixels, what is the weight of each? What do your four weights sum to there?",
            steps(weights=lambda self, at, before, after: (1 - (at - before) ** 2, 1 - (after - at) ** 2)),
        ),
        mistake(
            "grid-resized",
            "the grid is brought to the size of the image, where the output should have the size of the grid",
            "How many points does the grid ask for, and how many numbers do you return for each channel?",
            steps(__call__=grid_resized),
            equation="output: (N, C, h, w) for a grid of (N, h, w, 2)",
        ),
        mistake(
            "no-half-pixel",
            "the coordinates are scaled by W, but the half pixel is not taken off",
            "On which pixel number does x = -1 + 1/W land, the centre of the first column?",
            steps(pixels=lambda self, coordinate, size: (coordinate + 1) / 2 * size),
            equation=PIXELS,
        ),
        mistake(
            "one-pixel-too-few",
            "the coordinates are scaled by W - 2: the identity shrinks the image",
            "Where do x = -1 and x = 1 land in an image of W columns?",
            steps(pixels=lambda self, coordinate, size: (coordinate + 1) / 2 * (size - 2)),
            equation=PIXELS,
        ),
        mistake(
            "grid-as-pixels",
            "the grid is read as pixel numbers",
            "Which pixel do the coordinates (0, 0) mean: the first one, or the middle of the image?",
            steps(pixels=lambda self, coordinate, size: coordinate),
            equation=PIXELS,
        ),
        mistake(
            "xy-swapped",
            "grid[..., 0] is used for the rows",
            "Is grid[..., 0] a column or a row?",
            steps(coordinates=lambda self, grid: grid.flip(-1).unbind(-1)),
        ),
        mistake(
            "sizes-swapped",
            "x is scaled by the height and y by the width",
            "How many columns lie between x = -1 and x = 1, and how many rows between y = -1 and y = 1?",
            steps(sizes=lambda self, height, width: (width, height)),
            equation=PIXELS,
        ),
        mistake(
            "one-size-for-both",
            "x and y are scaled by the same size, as if every image were square",
            "How many columns lie between x = -1 and x = 1, and how many rows between y = -1 and y = 1?",
            steps(sizes=lambda self, height, width: (width, width)),
            steps(sizes=lambda self, height, width: (height, height)),
            equation=PIXELS,
        ),
        mistake(
            "first-image-for-all",
            "every image is read from the first one",
            "Where does your code use all N images? Image n has its own points grid[n].",
            lambda right: lambda image, grid: right(image[:1].expand_as(image), grid),
        ),
        mistake(
            "nearest",
            "only the nearest pixel is read: moving a point a little changes nothing, so the grid cannot learn",
            "How much does your output change when a point moves by a tenth of a pixel?",
            steps(
                corners=lambda self, at, size: (at.round(), at.round()),
                weights=lambda self, at, before, after: (1, 0),
            ),
        ),
        mistake(
            "border-repeated",
            "beyond the edge the last pixels are repeated, where it should be black",
            "What should a point far outside the image read?",
            steps(inside=lambda self, corner, size: 1),
            instead(lambda image, grid: F.grid_sample(image, grid, padding_mode="border", align_corners=False)),
        ),
        mistake(
            "clipped-before-weights",
            "the corners are clipped to the image before their weights are computed: at the edge they do not sum to 1",
            "What do the four weights sum to in the last column?",
            steps(corners=clipped),
            steps(corners=clipped, weights=lambda self, at, before, after: (after - at, at - before)),
        ),
        mistake(
            "weights-of-the-other-corner",
            "each corner has the weight of the opposite one: the farther pixel counts more",
            "A point lies 0.1 to the right of a pixel. What weight should that pixel have?",
            steps(weights=lambda self, at, before, after: (at - before, after - at)),
        ),
        mistake(
            "truncated",
            "the corner is found by cutting decimals off; just left of the image that gives 0, not -1",
            "What is int(-0.3), and what is floor(-0.3)?",
            steps(corners=truncated),
            steps(corners=truncated, weights=lambda self, at, before, after: (1 - (at - before), at - before)),
        ),
        mistake(
            "channels-last",
            "image[n, :, row, column] has its channels last, (N, h, w, C): the indexed axes come first",
            "Print the shape of the pixels that you look up. Which axis has to move before you return?",
            steps(look=channels_last, combine=lambda self, weight, seen: weight[..., None] * seen),
            steps(look=channels_last, combine=lambda self, weight, seen: seen * weight[:, None]),
            steps(look=channels_last),
            equation="output: (N, C, h, w)",
        ),
        mistake(
            "mixed-by-reshape",
            "a reshape of (N, h, w, C) to (N, C, h, w) does not move the channels: numbers of several channels are mixed",
            "Which function moves an axis and leaves each number with its pixel?",
            steps(together=lambda self, four: sum(four).movedim(1, -1).reshape(sum(four).shape)),
            equation="output: (N, C, h, w)",
        ),
        mistake(
            "batch-index-without-axes",
            "the index of the images has the shape (N,): it does not broadcast against rows and columns of (N, h, w)",
            "Which shape makes the numbers 0 ... N-1 run along the first of three axes?",
            steps(numbers=lambda self, images: torch.arange(len(images))),
            equation="indices are broadcast together: (N, 1, 1) and (N, h, w) give (N, h, w)",
        ),
    ),
    hints=(
        """
        A point lies among four pixels. First turn (x, y) into pixel numbers with decimals, then find the four pixels,
        then their four weights. What if one of the four is not in the image?
        """,
        r"""
        $u = \frac{(x+1)W-1}{2}$, $v = \frac{(y+1)H-1}{2}$, each `(N, h, w)`. With $u_0=\lfloor u\rfloor$ and
        $v_0=\lfloor v\rfloor$: the pixel in row $v_0+a$, column $u_0+b$ ($a, b \in \{0, 1\}$) has the weight
        $(1-|v-v_0-a|)\,(1-|u-u_0-b|)$, or 0 if it is outside: `(N, h, w)`. Each pixel has C channels.
        """,
        """
        ```
        u, v = grid as pixel numbers, with decimals
        output = 0
        for a in (0, 1) and b in (0, 1):
            row = floor of v + a;  column = floor of u + b
            weight = (1 - |v - row|) * (1 - |u - column|)
            weight = 0 where row or column is outside
            clip row and column to the image, as integers, only now
            pixels = for each image n: image[n, :, row[n], column[n]]      # each (C, h, w)
                     # for all at once: n of shape (N, 1, 1); but then image[n, :, row, column] is (N, h, w, C)
            output = output + weight * pixels       # weight is (N, h, w): give it an axis for the channels
        return output, as (N, C, h, w)
        ```
        """,
    ),
)


# spatial-transformer


def localisation(channels: int, seed: int) -> StandIn:
    """A small localisation network; its features are divided by 8, so that most of theta looks into the image."""
    layers = (
        ("Conv2d", channels, 4, 3, {"padding": 1}),
        ("ReLU",),
        ("AdaptiveAvgPool2d", 2),
        ("AvgPool2d", 1, {"divisor_override": 8}),
        ("Flatten",),
        ("Linear", 16, 5),
        ("Tanh",),
        ("Linear", 5, 6),
    )
    return StandIn("stack", layers, seed)


class Transformer(SpatialTransformer):
    """The right answer in steps: where to look, then looking."""

    def six(self, x: Tensor) -> Tensor:
        return self.localisation(x)

    def matrix(self, six: Tensor) -> Tensor:
        return six.unflatten(1, (2, 3))

    def grid(self, theta: Tensor, size: torch.Size) -> Tensor:
        return affine_grid(theta, *size)

    def sample(self, x: Tensor, grid: Tensor) -> Tensor:
        return F.grid_sample(x, grid, align_corners=False)

    def weights(self, x: Tensor) -> Tensor:
        return self.matrix(self.six(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.sample(x, self.grid(self.matrix(self.six(x)), x.shape[2:]))


class AddedToIdentity(Transformer):
    """The localisation says how far theta is from the identity, as right as theta itself."""

    def six(self, x: Tensor) -> Tensor:
        return self.localisation(x) + torch.tensor([1, 0, 0, 0, 1, 0])


def aligned_grid(self: Transformer, theta: Tensor, size: torch.Size) -> Tensor:
    return F.affine_grid(theta, [len(theta), 1, *size], align_corners=True)


def sampled(**options: str) -> steps:
    return steps(sample=lambda self, x, grid: F.grid_sample(x, grid, align_corners=False, **options))


def aligned_sample(self: Transformer, x: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(x, grid, align_corners=True)


ALL_LAYERS_SET = Misconception(
    "all-layers-set",
    "layers before the last one are set too: theta is then the same for every image, and hardly learns",
    "Which layer alone decides what a fresh localisation puts out?",
    "theta = W h + b: with W = 0 and b = (1, 0, 0, 0, 1, 0) it is the identity, whatever h is",
)


def sets_the_last_layer_only() -> Property:
    def failure(got: Observation, _: Observation, __: Question) -> Failure | None:
        if got.preset <= 2:  # weight and bias
            return None
        return Failure(f"{got.preset} parameters of the localisation set", "2 at most", ALL_LAYERS_SET)

    return Property("the localisation's other layers as they were given", failure)


SPATIAL_TRANSFORMER = Exercise(
    id="spatial-transformer",
    forms=(Transformer, AddedToIdentity),
    equation=TRANSFORM,
    records=("weights", "output"),
    probes={  # a random theta often looks past the image: with five, hardly ever in all
        "wide": Probe(lambda g: (normal(g, 2, 3, 6, 9),), build=(localisation(3, seed=1),)),
        "tall": Probe(lambda g: (normal(g, 3, 2, 8, 5),), build=(localisation(2, seed=2),)),
        "one image": Probe(lambda g: (normal(g, 1, 4, 7, 7),), build=(localisation(4, seed=3),)),
        "square": Probe(lambda g: (normal(g, 4, 2, 6, 6),), build=(localisation(2, seed=4),)),
        "narrow": Probe(lambda g: (normal(g, 4, 3, 7, 4),), build=(localisation(3, seed=5),)),
    },
    checks={
        "shapes": Check(1, (shape("weights"), shape("output"), parameters(), leaves_input_alone())),
        "identity": Check(1, (starts_as_identity(), sets_the_last_layer_only())),
        "values": Check(1, (values("weights"), values("output"), images_apart(), repeatable())),
        "gradients": Check(1, (gradients(),)),
    },
    misconceptions=(
        mistake(
            "theta-shape",
            "weights(x) has shape (N, 6): the grid and the figures need (N, 2, 3)",
            "How do six numbers become a 2x3 matrix for each image?",
            steps(weights=lambda self, x: self.six(x)),
        ),
        mistake(
            "theta-transposed",
            "the six numbers fill theta column by column",
            "Which of the six numbers are the shifts, if the identity is 1, 0, 0, 0, 1, 0?",
            steps(matrix=lambda self, six: six.unflatten(1, (3, 2)).mT),
            equation=GRID,
        ),
        mistake(
            "align-corners-mixed",
            "the grid and the sampler disagree about align_corners: the identity is not the identity",
            "Do both of your functions put -1 at the same place?",
            steps(sample=aligned_sample),
            steps(grid=aligned_grid),
        ),
        mistake(
            "align-corners",
            "the grid and the sampler both take -1 and 1 for the centres of the outermost pixels (align_corners=True)",
            "Which convention do affine_grid and bilinear_sample of this lesson have?",
            steps(grid=aligned_grid, sample=aligned_sample),
            equation=CENTRES,
        ),
        mistake(
            "border-repeated",
            "beyond the edge the last pixels are repeated, where it should be black",
            "Which padding does your sampler use?",
            sampled(padding_mode="border"),
            equation=SAMPLE,
        ),
        mistake(
            "size-swapped",
            "height and width are swapped in the grid",
            "In which order does affine_grid take the size of the output?",
            steps(grid=lambda self, theta, size: affine_grid(theta, size[1], size[0])),
        ),
        mistake(
            "theta-inverted",
            "the inverse of theta is used",
            "Does the grid say where an output pixel looks, or where an input pixel goes?",
            steps(grid=lambda self, theta, size: affine_grid(inverted(theta), *size)),
            equation=GRID,
        ),
        mistake(
            "first-theta-for-all",
            "all images are transformed by the first one's theta",
            "Where does your code use all N matrices?",
            steps(matrix=lambda self, six: six.unflatten(1, (2, 3))[:1].expand(len(six), 2, 3)),
            steps(grid=lambda self, theta, size: affine_grid(theta[:1].expand_as(theta), *size)),
        ),
        mistake(
            "fixed-size",
            "the output has a size that is written down, not that of x",
            "Where does your grid get its height and width from? Would an image of another size keep its own?",
            *(
                steps(grid=lambda self, theta, size, side=side: affine_grid(theta, side, side))
                for side in (28, 32, 64, 16, 224)
            ),
        ),
        mistake(
            "nearest",
            "the sampler takes the nearest pixel: moving a point a little changes nothing, so theta cannot learn",
            "Which mode does your sampler use? What is the gradient of a step?",
            sampled(mode="nearest"),
            equation=SAMPLE,
        ),
        mistake(
            "x-mixed-in",
            "x itself is mixed into the sampled image",
            "What should come out where theta looks beyond the edge? What does your code add there?",
            steps(forward=lambda self, x: (x + Transformer.forward(self, x)) / 2),
            steps(forward=lambda self, x: x + Transformer.forward(self, x)),
        ),
        mistake(
            "warp-unused",
            "x comes out as it went in: the sampled image is never used",
            "Which line reads the result of the sampler? What is the gradient of the localisation?",
            steps(sample=lambda self, x, grid: x),
        ),
        mistake(
            "grid-returned",
            "the grid is returned, not what is seen there",
            "What does the next layer expect: places, or pixels?",
            steps(sample=lambda self, x, grid: grid),
        ),
    ),
    hints=(
        """
        Three lines: the localisation says where to look, the grid spells it out for every pixel, the sampler looks. And
        before the first training step, it should look at the image as it is.
        """,
        r"""
        `localisation(x)`: `(N, 6)` -> $\theta$: `(N, 2, 3)` -> `affine_grid`: `(N, H, W, 2)` -> `bilinear_sample`:
        `(N, C, H, W)`. Identity: $\theta = \begin{pmatrix}1&0&0\\0&1&0\end{pmatrix}$ for **every** x, so the last
        layer's weights are 0 and its biases are 1, 0, 0, 0, 1, 0.
        """,
        """
        ```
        __init__: keep localisation; its last layer is localisation[-1]
                  without gradient: fill its weights with 0, copy 1, 0, 0, 0, 1, 0 into its biases
        weights:  return localisation of x, as (N, 2, 3)
        forward:  grid = affine_grid of weights(x), with the height and width of x
                  return bilinear_sample of x and grid
        ```
        """,
    ),
)


# follows

DISTANCES = (
    "own = mean over i of |m_i - c_i|, other = mean over all pairs i, j with i != j of |m_i - c_j|, "
    "with m_i = theta_i (0, 0, 1); it follows if own < other / 2"
)


def off_diagonal(distances: Tensor) -> Tensor:
    return distances[~torch.eye(len(distances), dtype=torch.bool)]


def squares(self: "Follows", middles: Tensor, centres: Tensor) -> Tensor:
    return (middles[:, None] - centres).square().sum(2)


def own_median(self: "Follows", distances: Tensor, *_: Tensor) -> Tensor:
    return distances.diagonal().median()


def other_median(self: "Follows", distances: Tensor, *_: Tensor) -> Tensor:
    return off_diagonal(distances).median()


def one_triangle(distances: Tensor) -> Tensor:
    return 2 * distances.triu(1).sum() / len(off_diagonal(distances))


class Follows:
    """All distances, then those on the diagonal and those off it, in steps."""

    def middles(self, theta: Tensor) -> Tensor:
        return theta[:, :, 2]

    def distances(self, middles: Tensor, centres: Tensor) -> Tensor:
        return (middles[:, None] - centres).square().sum(2).sqrt()

    def own(self, distances: Tensor, middles: Tensor, centres: Tensor) -> Tensor:
        return distances.diagonal().mean()

    def other(self, distances: Tensor, middles: Tensor, centres: Tensor) -> Tensor:
        return off_diagonal(distances).mean()

    def word(self, own: Tensor, other: Tensor) -> str:
        return "follows" if own < other / 2 else "ignores"

    def __call__(self, theta: Tensor, centres: Tensor) -> tuple[str, Tensor, Tensor]:
        middles = self.middles(theta)
        distances = self.distances(middles, centres)
        own, other = self.own(distances, middles, centres), self.other(distances, middles, centres)
        return self.word(own, other), own, other


def looks(images: int, along: float, noise: float, spread: float = 0.3, aside: float = 0.0) -> Probe:
    """Windows whose middle is so many times the garment's, some noise, and a shift that is the same for all."""

    def inputs(g: Generator) -> tuple[Tensor, Tensor]:
        centres = normal(g, images, 2)
        centres = spread * (centres - centres.mean(0)) / centres.std(0) + 0.1
        theta = identity(images) * 0.5 + 0.1 * normal(g, images, 2, 3)
        theta[:, :, 2] = along * centres + noise * spread * normal(g, images, 2).clamp(-2, 2) + aside
        return theta, centres

    return Probe(inputs)


def just(images: int, share: float) -> Probe:
    """Windows with so much noise that the own distance is this share of the other."""

    def inputs(g: Generator) -> tuple[Tensor, Tensor]:
        centres, noise = 0.3 * normal(g, images, 2), 0.3 * normal(g, images, 2).clamp(-2, 2)
        theta = identity(images) * 0.5 + 0.1 * normal(g, images, 2, 3)
        least, most = 0.0, 4.0
        for _ in range(40):
            middle = (least + most) / 2
            theta[:, :, 2] = centres + middle * noise
            _, own, other = Follows()(theta, centres)
            least, most = (middle, most) if own < share * other else (least, middle)
        return theta, centres

    return Probe(inputs)


def half_way() -> Probe:
    """Two windows and two garments on a line, each window 1 from its own garment and 2 from the other, without rounding."""

    def inputs(g: Generator) -> tuple[Tensor, Tensor]:
        theta = identity(2) * 0.5 + torch.tensor([[[0, 0.25, 0], [0.5, 0, 0]]])
        theta[:, 0, 2] = torch.tensor([0.0, -1.0])
        return theta, torch.tensor([[1.0, 0.0], [-2.0, 0.0]], dtype=torch.float64)

    return Probe(inputs)


def one_for_all(images: int, spread: float) -> Probe:
    """Windows that hardly differ. (With equal ones, own and other would be equal too, but for rounding.)"""

    def inputs(g: Generator) -> tuple[Tensor, Tensor]:
        theta = (identity(1) * 0.6 + 0.02 * normal(g, 1, 2, 3)).repeat(images, 1, 1)
        return theta + 1e-3 * normal(g, images, 2, 3), spread * normal(g, images, 2)

    return Probe(inputs)


FOLLOWS = Exercise(
    id="follows",
    forms=(Follows(),),
    records=("output", "own", "other"),
    words=("follows", "ignores"),
    equation=DISTANCES,
    probes={
        "close behind": looks(20, along=1, noise=0.15),
        "close behind, garments far apart": looks(25, along=1, noise=0.15, spread=3.0),
        "one window, garments in the middle": one_for_all(12, spread=0.05),
        "one window, garments anywhere": one_for_all(15, spread=0.5),
        "moves, but not with the garment": looks(24, along=0, noise=1.0),
        "moves against the garment": looks(18, along=-1, noise=0.1),
        "just near enough": just(20, 0.47),
        "just not near enough": just(23, 0.55),
        "exactly half": half_way(),
        "moves too little": looks(22, along=0.2, noise=0.05),
    },
    checks={
        "word": Check(1, (values("own"), values("other"), values("output", name="verdict"), leaves_input_alone())),
    },
    misconceptions=(
        mistake(
            "wrong-middle",
            "the middle is read from another part of theta, not from its shifts",
            "Put (0, 0, 1) into the equation of section 2: what is left of theta?",
            steps(middles=lambda self, theta: theta[:, [0, 1], [0, 1]]),
            steps(middles=lambda self, theta: theta[:, :, 0]),
            steps(middles=lambda self, theta: theta[:, :, 1]),
            steps(middles=lambda self, theta: theta[:, 0, :2]),
            steps(middles=lambda self, theta: theta[:, 1, :2]),
        ),
        mistake(
            "theta-inverted",
            "theta is inverted before the middle is read",
            "Does theta say where an output pixel looks, or where an input pixel goes?",
            steps(middles=lambda self, theta: inverted(theta)[:, :, 2]),
            equation=GRID,
        ),
        mistake(
            "middles-clipped",
            "the middles are clipped to the image, from -1 to 1",
            "May a window look beyond the edge? Where is its middle then?",
            steps(middles=lambda self, theta: theta[:, :, 2].clamp(-1, 1)),
        ),
        mistake(
            "own-among-others",
            "the pairs of a window with its own garment are among the others",
            "How many pairs of two different images are there among N?",
            steps(other=lambda self, distances, *_: distances.mean()),
        ),
        mistake(
            "divided-by-all-pairs",
            "the others are summed without the own pairs, but divided by N^2",
            "How many pairs of two different images are there among N?",
            steps(other=lambda self, distances, *_: off_diagonal(distances).sum() / distances.numel()),
        ),
        mistake(
            "next-image-only",
            "each window is compared with one other garment, not with all of them",
            "How many pairs of two different images are there among N?",
            steps(other=lambda self, distances, *_: distances.roll(-1, 1).diagonal().mean()),
            steps(other=lambda self, distances, *_: distances.roll(1, 1).diagonal().mean()),
        ),
        mistake(
            "squared-distances",
            "distances are squared: the root is missing",
            "How far is (0.3, 0.4) from (0, 0)?",
            steps(distances=squares),
        ),
        mistake(
            "root-after-mean",
            "the root is taken of the mean of squares, where the mean of the distances was asked for",
            "Two distances are 0 and 1. What is their mean, and what does your code make of them?",
            steps(
                distances=squares,
                own=lambda self, squared, *_: squared.diagonal().mean().sqrt(),
                other=lambda self, squared, *_: off_diagonal(squared).mean().sqrt(),
            ),
            steps(own=lambda self, distances, *_: distances.diagonal().square().mean().sqrt()),
            steps(other=lambda self, distances, *_: off_diagonal(distances).square().mean().sqrt()),
        ),
        mistake(
            "length-of-the-mean",
            "the differences are averaged before their length is taken: left and right cancel",
            "One window is 0.3 too far left, one 0.3 too far right. What is the mean of their distances?",
            steps(own=lambda self, distances, middles, centres: (middles - centres).mean(0).norm()),
        ),
        mistake(
            "between-garments",
            "other is measured from garment to garment or from window to window, not from windows to garments",
            "From what to what does the statement measure other? Does yours change when the windows move?",
            steps(other=lambda self, _, middles, centres: off_diagonal(self.distances(centres, centres)).mean()),
            steps(other=lambda self, _, middles, centres: off_diagonal(self.distances(middles, middles)).mean()),
        ),
        mistake(
            "median",
            "a median is taken where the mean was asked for",
            "Which one does the statement ask for? What does a single window far off change in each?",
            steps(own=own_median),
            steps(other=other_median),
            steps(own=own_median, other=other_median),
        ),
        mistake(
            "one-triangle",
            "only the pairs with i < j are counted, or only those with i > j",
            "Is the distance from window 1 to garment 2 the same as from window 2 to garment 1?",
            steps(other=lambda self, distances, *_: one_triangle(distances)),
            steps(other=lambda self, distances, *_: one_triangle(distances.mT)),
        ),
        mistake(
            "axes-added",
            "the distances along x and along y are added",
            "How far is (0.3, 0.4) from (0, 0)?",
            steps(distances=lambda self, middles, centres: (middles[:, None] - centres).abs().sum(2)),
        ),
        mistake(
            "nearer-is-enough",
            "any distance below that of the others counts as following",
            "How much less than other must own be?",
            steps(word=lambda self, own, other: "follows" if own < other else "ignores"),
        ),
        mistake(
            "not-half",
            "own is compared with another share of other than half of it",
            "By which number does your code multiply or divide other, and what does the statement say?",
            *(
                steps(word=lambda self, own, other, share=share: "follows" if own < share * other else "ignores")
                for share in (0.45, 0.6, 0.9)
            ),
        ),
        mistake(
            "half-included",
            "own that is exactly half of other counts as following",
            "Is half of other less than half of other?",
            steps(word=lambda self, own, other: "follows" if own <= other / 2 else "ignores"),
        ),
        mistake(
            "own-alone",
            "the word follows from the own distance alone: a window in the middle is near garments in the middle",
            "What would a window do that never looks at the image? Does your word see the difference?",
            *(
                steps(word=lambda self, own, other, most=most: "follows" if own < most else "ignores")
                for most in (0.1, 0.15, 0.2, 0.25, 0.3)
            ),
        ),
        mistake(
            "words-exchanged",
            "the two words are exchanged",
            "own is far below other. Does the window follow?",
            steps(word=lambda self, own, other: "ignores" if own < other / 2 else "follows"),
            steps(word=lambda self, own, other: "follows" if own > other / 2 else "ignores"),
        ),
    ),
    hints=(
        "A window that follows is near its own garment, and far from the garments of other images.",
        r"""
        Middles $m$ = last column of theta: `(N, 2)`. All distances $|m_i - c_j|$: `(N, N)`, by
        `m[:, None] - centres`. `own` is the mean of the diagonal, `other` the mean of the $N (N - 1)$ numbers off it.
        """,
        """
        ```
        differences = middles with a new axis 1, minus centres: (N, N, 2)
        distances = root of the sum of squares over the last axis: (N, N)
        own = mean of the diagonal
        other = (sum of all minus sum of the diagonal) / (N (N - 1))
        word = "follows" if own < other / 2, otherwise "ignores"
        ```
        """,
    ),
)

EXERCISES = (AFFINE_GRID, BILINEAR_SAMPLE, SPATIAL_TRANSFORMER, FOLLOWS)
