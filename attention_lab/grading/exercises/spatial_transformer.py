"""Lesson 07, spatial transformers: affine-grid, bilinear-sample, spatial-transformer."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from ...mechanisms import SpatialTransformer, affine_grid, bilinear_sample
from ..exercise import Check, Exercise, Failure, Misconception, Probe, Property, normal
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


def identity(images: int) -> Tensor:
    return torch.eye(2, 3, dtype=torch.float64).repeat(images, 1, 1)


def shifted(images: int) -> Tensor:
    theta = identity(images)
    theta[:, 0, 2] = 0.5
    return theta


def centres(size: int) -> Tensor:
    return (2 * torch.arange(size, dtype=torch.float64) + 1) / size - 1


def gridded(along_x, along_y=None, theta_of=lambda theta: theta):
    """A misconception with other coordinates of the output's pixels, or another reading of theta."""

    def wrong(theta: Tensor, height: int, width: int) -> Tensor:
        y, x = torch.meshgrid((along_y or along_x)(height), along_x(width), indexing="ij")
        points = torch.stack([x, y, torch.ones_like(x)], -1).to(theta.dtype)
        return torch.einsum("nij,hwj->nhwi", theta_of(theta), points)

    return lambda right: wrong


def rows_before_theta(theta: Tensor, height: int, width: int) -> Tensor:
    y, x = torch.meshgrid(centres(height), centres(width), indexing="ij")
    return torch.einsum("nij,hwj->nhwi", theta, torch.stack([y, x, torch.ones_like(x)], -1).to(theta.dtype))


def divided_by(sides):
    """A misconception that takes other sizes for W and H: ``sides`` gives them from the height and the width."""

    def wrong(theta: Tensor, height: int, width: int) -> Tensor:
        high, wide = sides(height, width)
        x = (2 * torch.arange(width, dtype=theta.dtype) + 1) / wide - 1
        y = (2 * torch.arange(height, dtype=theta.dtype) + 1) / high - 1
        y, x = torch.meshgrid(y, x, indexing="ij")
        return torch.einsum("nij,hwj->nhwi", theta, torch.stack([x, y, torch.ones_like(x)], -1))

    return lambda right: wrong


def transposed_turn(theta: Tensor) -> Tensor:
    return torch.cat([theta[:, :, :2].transpose(1, 2), theta[:, :, 2:]], 2)


def without_shift(theta: Tensor) -> Tensor:
    return torch.cat([theta[:, :, :2], 0 * theta[:, :, 2:]], 2)


def shifted_back(theta: Tensor) -> Tensor:
    return torch.cat([theta[:, :, :2], -theta[:, :, 2:]], 2)


def of_exchanged_coordinates(theta: Tensor) -> Tensor:
    """The theta that does to (x, y, 1) what theta does to (y, x, 1), with the results exchanged too."""
    return theta.flip(1)[:, :, [1, 0, 2]]


def inverted(theta: Tensor) -> Tensor:
    turn = torch.linalg.inv(theta[:, :, :2])
    return torch.cat([turn, -turn @ theta[:, :, 2:]], 2)


ALIGNED_GRID = Misconception(
    "align-corners",
    "the outermost points lie at -1 and 1, on the edges of the image: that is align_corners=True",
    "With W columns, where is the centre of the first one, if the image reaches from -1 to 1?",
    CENTRES,
    gridded(lambda size: torch.linspace(-1, 1, size, dtype=torch.float64)),
)

AFFINE_GRID = Exercise(
    id="affine-grid",
    forms=(affine_grid,),
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
        "values": Check(2, (values(), images_apart(), gradients(), written_out())),
    },
    misconceptions=(
        ALIGNED_GRID,
        Misconception(
            "xy-swapped",
            "the last axis holds (y, x), not (x, y)",
            "Is grid[..., 0] a column or a row? What moves when theta[0, 2] changes?",
            GRID,
            lambda right: lambda theta, height, width: right(theta, height, width).flip(-1),
        ),
        Misconception(
            "xy-swapped",
            "the last axis holds (y, x), not (x, y)",
            "Is grid[..., 0] a column or a row? What moves when theta[0, 2] changes?",
            GRID,
            lambda right: rows_before_theta,
        ),
        Misconception(
            "rows-and-columns-swapped",
            "the grid has the shape (N, W, H, 2)",
            "Which index of the grid runs along the height?",
            GRID,
            lambda right: lambda theta, height, width: right(theta, height, width).transpose(1, 2),
        ),
        Misconception(
            "xy-swapped-twice",
            "theta is applied to (y, x, 1), and the result is turned round to (x, y)",
            "Which of theta's numbers shifts x? Does it shift x in your grid?",
            GRID,
            gridded(centres, theta_of=of_exchanged_coordinates),
        ),
        Misconception(
            "upside-down",
            "y runs upwards: the first row of the grid is the lowest row of the image",
            "Is y = -1 at the upper or at the lower edge?",
            GRID,
            gridded(centres, lambda size: -centres(size)),
        ),
        Misconception(
            "sizes-swapped",
            "x is divided by the height and y by the width",
            "How many columns share the way from -1 to 1, and how many rows? Test with H different from W.",
            CENTRES,
            divided_by(lambda height, width: (width, height)),
        ),
        *(
            Misconception(
                "one-size-for-both",
                "x and y are divided by the same size, as if every image were square",
                "How many columns share the way from -1 to 1, and how many rows? Test with H different from W.",
                CENTRES,
                divided_by(sides),
            )
            for sides in (lambda height, width: (width, width), lambda height, width: (height, height))
        ),
        Misconception(
            "left-edges",
            "the points lie on the left and upper edges of the pixels, not on their centres",
            "Are your first and last column equally far from the middle?",
            CENTRES,
            gridded(lambda size: 2 * torch.arange(size, dtype=torch.float64) / size - 1),
        ),
        Misconception(
            "pixel-numbers",
            "the coordinates are pixel numbers, from 0 to the width",
            "In which range does theta expect its coordinates?",
            CENTRES,
            gridded(lambda size: torch.arange(size, dtype=torch.float64)),
        ),
        Misconception(
            "from-zero-to-one",
            "the coordinates run from 0 to 1",
            "Which point has the coordinates (0, 0)? It should be the middle of the image.",
            CENTRES,
            gridded(lambda size: (torch.arange(size, dtype=torch.float64) + 0.5) / size),
        ),
        Misconception(
            "shift-subtracted",
            "the shifts are subtracted: a positive t_x looks further left",
            "Does a positive t_x look further right, or does it move the picture to the right?",
            GRID,
            gridded(centres, theta_of=shifted_back),
        ),
        Misconception(
            "theta-inverted",
            "theta is read as a map from the input to the output",
            "A zoom of 0.5: does it show the middle of the image, or the whole image at half its size?",
            GRID,
            gridded(centres, theta_of=inverted),
        ),
        Misconception(
            "theta-transposed",
            "rows and columns of theta's 2x2 part are swapped: rotations turn the other way",
            "Which three numbers of theta give x_in?",
            GRID,
            gridded(centres, theta_of=transposed_turn),
        ),
        Misconception(
            "no-shift",
            "the last column of theta is never used",
            "What does the 1 in (x, y, 1) do?",
            GRID,
            gridded(centres, theta_of=without_shift),
        ),
        Misconception(
            "first-theta-for-all",
            "all images get the grid of the first",
            "Where does your code use all N matrices?",
            GRID,
            gridded(centres, theta_of=lambda theta: theta[:1].expand(len(theta), -1, -1)),
        ),
    ),
    hints=(
        "Begin without theta: where do the centres of the output's pixels lie, if the image reaches from -1 to 1? "
        "Then every "
        "point (x, y, 1) is multiplied by theta.",
        r"Column $j$ of $W$: $x_j = \frac{2j+1}{W}-1$; row $i$ of $H$: $y_i = \frac{2i+1}{H}-1$. Points $p = (x, y, "
        r"1)$: "
        r"`(H, W, 3)`. $\;g_{nhw} = \theta_n\, p_{hw}$: `(N, 2, 3)` times `(H, W, 3)` gives `(N, H, W, 2)`.",
        "```\nx = (2 * (0, 1, ..., width - 1) + 1) / width - 1\ny = the same with height\n"
        "points[i, j] = (x[j], y[i], 1)                         # (H, W, 3)\n"
        "return for each image n and pixel: theta[n] times points   # (N, H, W, 2)\n```",
    ),
)


def sampled(
    pixels=None,
    order=(0, 1),
    sides=lambda height, width: (height, width),
    floor=torch.floor,
    outside=False,
    clipped=False,
    by_other_corner=False,
    weigh=lambda gap: 1 - gap,
):
    """A misconception in bilinear sampling.

    pixels: from (coordinate, size) to a pixel's number.
    order: which of the grid's entries are x and y.
    sides: which sizes are taken for H and W.
    floor: finds the corner before a point.
    outside: the image goes on beyond its edge.
    clipped: corners are clipped before the weights are computed.
    by_other_corner: a weight is the distance to the other corner, not 1 minus the distance to its own.
    weigh: a corner's weight from its distance.
    """
    pixels = pixels or (lambda coordinate, size: ((coordinate + 1) * size - 1) / 2)

    def wrong(image: Tensor, grid: Tensor) -> Tensor:
        n, channels, height, width = image.shape
        high, wide = sides(height, width)
        x, y = pixels(grid[..., order[0]], wide), pixels(grid[..., order[1]], high)
        flat = image.flatten(2)

        def corners(at: Tensor, size: int) -> list[tuple[Tensor, Tensor]]:
            first, second = floor(at), floor(at) + 1
            if clipped:
                first, second = first.clamp(0, size - 1), second.clamp(0, size - 1)
            if by_other_corner:
                return [(first, second - at), (second, at - first)]
            return [(first, weigh((at - first).abs())), (second, weigh((second - at).abs()))]

        total = 0
        for row, by_row in corners(y, height):
            for column, by_column in corners(x, width):
                inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
                place = row.clamp(0, height - 1).long() * width + column.clamp(0, width - 1).long()
                seen = flat.gather(2, place.flatten(1)[:, None].expand(-1, channels, -1))
                weight = by_row * by_column * (inside | outside)
                total = total + weight[:, None] * seen.view(n, channels, *x.shape[1:])
        return total

    return lambda right: wrong


def channels_last(image: Tensor, grid: Tensor) -> Tensor:
    return bilinear_sample(image, grid).movedim(1, -1)


def channels_last_times_weight(image: Tensor, grid: Tensor) -> Tensor:
    return channels_last(image, grid) * grid[:, None, ..., 0]


def weight_times_channels_last(image: Tensor, grid: Tensor) -> Tensor:
    return grid[:, None, ..., 0] * channels_last(image, grid)


def images_counted_along_columns(image: Tensor, grid: Tensor) -> Tensor:
    place = torch.zeros(grid.shape[:3], dtype=torch.long)
    return bilinear_sample(image, grid) if len(image) == 1 else image[torch.arange(len(image)), :, place, place]


def rim(generator: Generator) -> Tensor:
    """Points at the last half pixel, just outside, and far outside, of images of 5 rows and 8 columns."""
    x = torch.tensor([-1.05, -0.97, -0.4, 0.93, 1.08, 1.9, -3.0], dtype=torch.float64)
    y = torch.tensor([-1.11, -0.93, 0.3, 0.95, 1.07, 2.5], dtype=torch.float64)
    y, x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([x, y], -1)[None].repeat(2, 1, 1, 1) + 0.01 * normal(generator, 2, 6, 7, 2)


def inner_grid(generator: Generator, *shape: int) -> Tensor:
    return 1.8 * torch.rand(*shape, 2, generator=generator, dtype=torch.float64) - 0.9


BILINEAR_SAMPLE = Exercise(
    id="bilinear-sample",
    forms=(bilinear_sample,),
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
        "values": Check(3, (values(on=("plain", "one image")), images_apart(), written_out())),
        "outside": Check(
            1, (values(on=("rim",), name="0 outside; at the edge a mixture of the last pixel and 0"), written_out())
        ),
        "gradients": Check(
            1, (gradients(on=("plain", "one image", "rim")), moves(on=("plain", "one image")), written_out())
        ),
    },
    misconceptions=(
        Misconception(
            "align-corners",
            "-1 and 1 are taken for the centres of the outermost pixels: that is align_corners=True",
            "Where does x = 1 land: on the last pixel's centre, or on its outer edge?",
            PIXELS,
            sampled(pixels=lambda coordinate, size: (coordinate + 1) / 2 * (size - 1)),
        ),
        Misconception(
            "no-half-pixel",
            "the coordinates are scaled by W, but the half pixel is not taken off",
            "On which pixel number does x = -1 + 1/W land, the centre of the first column?",
            PIXELS,
            sampled(pixels=lambda coordinate, size: (coordinate + 1) / 2 * size),
        ),
        Misconception(
            "one-pixel-too-few",
            "the coordinates are scaled by W - 2: the identity shrinks the image",
            "Where do x = -1 and x = 1 land in an image of W columns?",
            PIXELS,
            sampled(pixels=lambda coordinate, size: (coordinate + 1) / 2 * (size - 2)),
        ),
        Misconception(
            "grid-as-pixels",
            "the grid is read as pixel numbers",
            "Which pixel do the coordinates (0, 0) mean: the first one, or the middle of the image?",
            PIXELS,
            sampled(pixels=lambda coordinate, size: coordinate),
        ),
        Misconception(
            "xy-swapped",
            "grid[..., 0] is used for the rows",
            "Is grid[..., 0] a column or a row?",
            SAMPLE,
            sampled(order=(1, 0)),
        ),
        Misconception(
            "sizes-swapped",
            "x is scaled by the height and y by the width",
            "How many columns lie between x = -1 and x = 1, and how many rows between y = -1 and y = 1?",
            PIXELS,
            sampled(sides=lambda height, width: (width, height)),
        ),
        *(
            Misconception(
                "one-size-for-both",
                "x and y are scaled by the same size, as if every image were square",
                "How many columns lie between x = -1 and x = 1, and how many rows between y = -1 and y = 1?",
                PIXELS,
                sampled(sides=sides),
            )
            for sides in (lambda height, width: (width, width), lambda height, width: (height, height))
        ),
        Misconception(
            "first-image-for-all",
            "every image is read from the first one",
            "Where does your code use all N images? Image n has its own points grid[n].",
            SAMPLE,
            lambda right: lambda image, grid: right(image[:1].expand_as(image), grid),
        ),
        Misconception(
            "nearest",
            "only the nearest pixel is read: moving a point a little changes nothing, so the grid cannot learn",
            "How much does your output change when a point moves by a tenth of a pixel?",
            SAMPLE,
            sampled(floor=torch.round, weigh=lambda gap: (gap <= 0.5).double()),
        ),
        Misconception(
            "border-repeated",
            "beyond the edge the last pixels are repeated, where it should be black",
            "What should a point far outside the image read?",
            SAMPLE,
            sampled(outside=True),
        ),
        Misconception(
            "border-repeated",
            "beyond the edge the last pixels are repeated, where it should be black",
            "What should a point far outside the image read?",
            SAMPLE,
            lambda right: lambda image, grid: F.grid_sample(image, grid, padding_mode="border", align_corners=False),
        ),
        Misconception(
            "clipped-before-weights",
            "the corners are clipped to the image before their weights are computed: at the edge they do not sum to 1",
            "What do the four weights sum to in the last column?",
            SAMPLE,
            sampled(clipped=True, outside=True, by_other_corner=True),
        ),
        Misconception(
            "clipped-before-weights",
            "the corners are clipped to the image before their weights are computed: at the edge they do not sum to 1",
            "What do the four weights sum to in the last column?",
            SAMPLE,
            sampled(clipped=True, outside=True),
        ),
        Misconception(
            "weights-of-the-other-corner",
            "each corner has the weight of the opposite one: the farther pixel counts more",
            "A point lies 0.1 to the right of a pixel. What weight should that pixel have?",
            SAMPLE,
            sampled(weigh=lambda gap: gap),
        ),
        Misconception(
            "truncated",
            "the corner is found by cutting decimals off; just left of the image that gives 0, not -1",
            "What is int(-0.3), and what is floor(-0.3)?",
            SAMPLE,
            sampled(floor=torch.trunc),
        ),
        *(
            Misconception(
                "channels-last",
                "image[n, :, row, column] has its channels last, (N, h, w, C): the indexed axes come first",
                "Print the shape of the pixels that you look up. Which axis has to move before you return?",
                "output: (N, C, h, w)",
                lambda right, wrong=wrong: wrong,
            )
            for wrong in (channels_last, channels_last_times_weight, weight_times_channels_last)
        ),
        Misconception(
            "batch-index-without-axes",
            "the index of the images has the shape (N,): it does not broadcast against rows and columns of (N, h, w)",
            "Which shape makes the numbers 0 ... N-1 run along the first of three axes?",
            "indices are broadcast together: (N, 1, 1) and (N, h, w) give (N, h, w)",
            lambda right: images_counted_along_columns,
        ),
    ),
    hints=(
        "A point lies among four pixels. First turn (x, y) into pixel numbers with decimals, then find the four "
        "pixels, then "
        "their four weights. What if one of the four is not in the image?",
        r"$u = \frac{(x+1)W-1}{2}$, $v = \frac{(y+1)H-1}{2}$, each `(N, h, w)`. With $u_0=\lfloor u\rfloor$ and "
        r"$v_0=\lfloor v\rfloor$: the pixel in row $v_0+a$, column $u_0+b$ ($a, b \in \{0, 1\}$) has the weight "
        r"$(1-|v-v_0-a|)\,(1-|u-u_0-b|)$, or 0 if it is outside: `(N, h, w)`. Each pixel has C channels.",
        "```\nu, v = grid as pixel numbers, with decimals\noutput = 0\nfor a in (0, 1) and b in (0, 1):\n"
        "    row = floor of v + a;  column = floor of u + b\n    weight = (1 - |v - row|) * (1 - |u - column|)\n"
        "    weight = 0 where row or column is outside\n"
        "    clip row and column to the image, as integers, only now\n"
        "    pixels = for each image n: image[n, :, row[n], column[n]]      # each (C, h, w)\n"
        "             # for all at once: n of shape (N, 1, 1); but then image[n, :, row, column] is (N, h, w, C)\n"
        "    output = output + weight * pixels       # weight is (N, h, w): give it an axis for the channels\n"
        "return output, as (N, C, h, w)\n```",
    ),
)


def localisation(channels: int, seed: int) -> StandIn:
    """A small localisation network; its features are divided by 8, so that most of theta looks into the image."""
    layers = (
        ("Conv2d", channels, 4, 3, {"padding": 1}),
        ("ReLU",),
        ("AdaptiveAvgPool2d", 2),
        ("AvgPool2d", 1, {"divisor_override": 8}),
        ("Flatten",),
        ("Linear", 16, 6),
    )
    return StandIn("stack", layers, seed)


class AddedToIdentity(SpatialTransformer):
    """The localisation says how far theta is from the identity, as right as theta itself."""

    def weights(self, x: Tensor) -> Tensor:
        return self.localisation(x).unflatten(1, (2, 3)) + torch.eye(2, 3, dtype=x.dtype)


def transformed(theta=lambda theta: theta, warp=None):
    """A misconception that has another theta, or does something else with x and theta."""

    def wrong(right: type[SpatialTransformer]) -> type[nn.Module]:
        class Wrong(right):
            def weights(self, x: Tensor) -> Tensor:
                return theta(super().weights(x))

            def forward(self, x: Tensor) -> Tensor:
                if warp is None:
                    return bilinear_sample(x, affine_grid(self.weights(x), *x.shape[2:]))
                return warp(x, self.weights(x))

        return Wrong

    return wrong


def torch_warp(grid_aligned: bool, sample_aligned: bool, padding: str = "zeros"):
    def warp(x: Tensor, theta: Tensor) -> Tensor:
        grid = F.affine_grid(theta, list(x.shape), align_corners=grid_aligned)
        return F.grid_sample(x, grid, padding_mode=padding, align_corners=sample_aligned)

    return warp


def flat_theta(right: type[SpatialTransformer]) -> type[nn.Module]:
    class Wrong(right):
        def weights(self, x: Tensor) -> Tensor:
            return super().weights(x).flatten(1)

        def forward(self, x: Tensor) -> Tensor:
            return bilinear_sample(x, affine_grid(super().weights(x), *x.shape[2:]))

    return Wrong


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
    forms=(SpatialTransformer, AddedToIdentity),
    records=("weights", "output"),
    probes={
        "wide": Probe(lambda g: (normal(g, 2, 3, 6, 9),), build=(localisation(3, seed=1),)),
        "tall": Probe(lambda g: (normal(g, 3, 2, 8, 5),), build=(localisation(2, seed=2),)),
        "one image": Probe(lambda g: (normal(g, 1, 4, 7, 7),), build=(localisation(4, seed=3),)),
    },
    checks={
        "shapes": Check(1, (shape("weights"), shape("output"), parameters(), leaves_input_alone())),
        "identity": Check(1, (starts_as_identity(), sets_the_last_layer_only())),
        "values": Check(2, (values("weights"), values("output"), images_apart(), repeatable())),
        "gradients": Check(1, (gradients(),)),
    },
    misconceptions=(
        Misconception(
            "theta-shape",
            "weights(x) has shape (N, 6): the grid and the figures need (N, 2, 3)",
            "How do six numbers become a 2x3 matrix for each image?",
            TRANSFORM,
            flat_theta,
        ),
        Misconception(
            "theta-transposed",
            "the six numbers fill theta column by column",
            "Which of the six numbers are the shifts, if the identity is 1, 0, 0, 0, 1, 0?",
            GRID,
            transformed(theta=lambda theta: theta.flatten(1).unflatten(1, (3, 2)).transpose(1, 2)),
        ),
        Misconception(
            "align-corners-mixed",
            "the grid and the sampler disagree about align_corners: the identity is not the identity",
            "Do both of your functions put -1 at the same place?",
            TRANSFORM,
            transformed(warp=torch_warp(False, True)),
        ),
        Misconception(
            "align-corners-mixed",
            "the grid and the sampler disagree about align_corners: the identity is not the identity",
            "Do both of your functions put -1 at the same place?",
            TRANSFORM,
            transformed(warp=torch_warp(True, False)),
        ),
        Misconception(
            "align-corners",
            "the grid and the sampler both take -1 and 1 for the centres of the outermost pixels (align_corners=True)",
            "Which convention do affine_grid and bilinear_sample of this lesson have?",
            CENTRES,
            transformed(warp=torch_warp(True, True)),
        ),
        Misconception(
            "border-repeated",
            "beyond the edge the last pixels are repeated, where it should be black",
            "Which padding does your sampler use?",
            SAMPLE,
            transformed(warp=torch_warp(False, False, "border")),
        ),
        Misconception(
            "size-swapped",
            "height and width are swapped in the grid",
            "In which order does affine_grid take the size of the output?",
            TRANSFORM,
            transformed(warp=lambda x, theta: bilinear_sample(x, affine_grid(theta, x.shape[3], x.shape[2]))),
        ),
        Misconception(
            "theta-inverted",
            "the inverse of theta is used",
            "Does the grid say where an output pixel looks, or where an input pixel goes?",
            GRID,
            transformed(warp=lambda x, theta: bilinear_sample(x, affine_grid(inverted(theta), *x.shape[2:]))),
        ),
        Misconception(
            "first-theta-for-all",
            "all images are transformed by the first one's theta",
            "Where does your code use all N matrices?",
            TRANSFORM,
            transformed(
                warp=lambda x, theta: bilinear_sample(x, affine_grid(theta[:1].expand(len(x), 2, 3), *x.shape[2:]))
            ),
        ),
        Misconception(
            "warp-unused",
            "x comes out as it went in: the sampled image is never used",
            "Which line reads the result of the sampler? What is the gradient of the localisation?",
            TRANSFORM,
            transformed(warp=lambda x, theta: x),
        ),
        Misconception(
            "grid-returned",
            "the grid is returned, not what is seen there",
            "What does the next layer expect: places, or pixels?",
            TRANSFORM,
            transformed(warp=lambda x, theta: affine_grid(theta, *x.shape[2:])),
        ),
    ),
    hints=(
        "Three lines: the localisation says where to look, the grid spells it out for every pixel, the sampler looks. "
        "And "
        "before the first training step, it should look at the image as it is.",
        r"`localisation(x)`: `(N, 6)` -> $\theta$: `(N, 2, 3)` -> `affine_grid`: `(N, H, W, 2)` -> `bilinear_sample`: "
        r"`(N, C, H, W)`. Identity: $\theta = \begin{pmatrix}1&0&0\\0&1&0\end{pmatrix}$ for **every** x, so the last "
        r"layer's "
        "weights are 0 and its biases are 1, 0, 0, 0, 1, 0.",
        "```\n__init__: keep localisation; its last layer is localisation[-1]\n"
        "          without gradient: fill its weights with 0, copy 1, 0, 0, 0, 1, 0 into its biases\n"
        "weights:  return localisation of x, as (N, 2, 3)\n"
        "forward:  grid = affine_grid of weights(x), with the height and width of x\n"
        "          return bilinear_sample of x and grid\n```",
    ),
)

EXERCISES = (AFFINE_GRID, BILINEAR_SAMPLE, SPATIAL_TRANSFORMER)
