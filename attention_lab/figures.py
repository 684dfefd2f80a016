"""Pictures of attention: one function for each kind, all in one style.

The functions take tensors, first of all what a mechanism's ``weights(x)`` returns, and give a ``Picture``, which a
notebook shows together with a description for those who cannot see it. A picture has its own light background, so that
it reads the same in light and dark notebooks; its colours can be told apart with any colour vision.

Colours: M. Okabe and K. Ito, "Color Universal Design", 2008; maps: viridis, from 0 (dark blue) to large (yellow).
"""

import math
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO

import matplotlib as mpl
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor

from .mechanism_table import MECHANISMS as MECHANISMS
from .mechanism_table import mechanism_table as mechanism_table
from .mechanisms.arguments import require_shape
from .mechanisms.spatial_transformer import bilinear_sample
from .training import Comparison, Difference

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MAP = mpl.colormaps["viridis"]
GREY = "#666666"
DOTS_PER_INCH = 110
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": "black",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "figure.facecolor": "white",
}
in_style = mpl.rc_context(STYLE)

# Over an image, a small weight leaves the image to be seen and a large one covers it.
_opacity = np.linspace(0.25, 0.9, MAP.N)[:, None]
_colours = MAP(np.arange(MAP.N))[:, :3]
OVERLAY = ListedColormap(np.hstack([_colours, _opacity]))
OVERLAY_ON_GREY = ListedColormap(_opacity * _colours + (1 - _opacity) * 0.6)


class Picture:
    """A matplotlib figure and what it shows in words.

    A notebook shows it as an image with alternative text, a terminal shows the words. Whoever wants another figure goes
    on with ``figure``, or saves it with ``figure.savefig``.
    """

    def __init__(self, figure: Figure, alt: str):
        self.figure = figure
        self.alt = alt

    def png(self) -> bytes:
        """The image at 110 dots an inch, in at most 256 colours to keep notebooks small."""
        buffer = BytesIO()
        self.figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, bbox_inches="tight", pad_inches=0.08)
        image = Image.open(buffer).convert("RGB")
        palette = image.quantize(256, Image.Quantize.MAXCOVERAGE)  # keeps rare colours, such as a map's largest weight
        image = image.quantize(256, palette=palette)
        colours = np.reshape(image.getpalette(), (-1, 3))
        colours[image.getpixel((0, 0))] = 255  # the ground stays white
        image.putpalette(colours.ravel().tolist())
        small = BytesIO()
        image.save(small, "png", optimize=True)
        return small.getvalue()

    def __repr__(self) -> str:
        return self.alt

    def _repr_html_(self) -> str:
        source = "data:image/png;base64," + b64encode(self.png()).decode()
        return f'<img src="{source}" alt="{escape(self.alt)}" style="max-width: 100%">'


@in_style
def channel_weights(weights: Float[Tensor, "N C *ones"], names: Sequence[str]) -> Picture:
    """The weight of every channel, in several images or, averaged before, in several classes.

    One image: bars in the order of the channels. Several: a mark each over the channels, sorted by their mean weight;
    the longer the grey line behind a channel's marks, the more its gate depends on the image. After J. Hu et al.,
    "Squeeze-and-Excitation Networks", the figure of excitations of different classes.

    Args:
        weights: ``SqueezeExcitation.weights(x)`` or ``ChannelAttention.weights(x)``; (N, C) does too.
        names: of the N images, at most 7.

    Raises: ValueError if there are not as many names as images, or too many.
    """
    weights = _numbers(weights.flatten(1))
    _require_names(names, len(weights), most=len(COLOURS))
    channels = weights.shape[1]
    figure, ((axes,),) = _figure(6.4, 2.8)
    if len(weights) == 1:
        axes.bar(range(channels), weights[0], color=COLOURS[0], width=0.8)
        axes.set(title=names[0], xlabel="channel")
    else:
        weights = weights[:, weights.mean(0).argsort()]
        axes.vlines(range(channels), weights.min(0), weights.max(0), color="#cccccc", linewidth=1, zorder=1)
        for row, name, colour, marker in zip(weights, names, COLOURS, MARKERS):
            axes.scatter(range(channels), row, color=colour, marker=marker, s=12, linewidth=0, label=name)
        axes.set_xlabel("channel, sorted by mean weight")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set(ylabel="weight", ylim=(0, max(1, weights.max() * 1.05)), xlim=(-0.7, channels - 0.3))
    alt = (
        f"Weights of {channels} channels for {', '.join(names)}: from {weights.min():.2f} to {weights.max():.2f}, "
        f"mean {weights.mean():.2f}"
    )
    if len(weights) > 1:
        alt += f"; a channel's standard deviation between them is {weights.std(0, ddof=1).mean():.2f} on average"
    return Picture(figure, alt + ".")


@in_style
def spatial_map(images: Float[Tensor, "N C H W"], weights: Float[Tensor, "N 1 h w"], names: Sequence[str]) -> Picture:
    """The weight of every position, laid over the images: the image above, the map over it below.

    Args:
        images: RGB or grey, values in [0, 1].
        weights: ``SpatialAttention.weights(x)``, of any size; one channel of ``BAM.weights(x)`` does too.
        names: of the N images.

    Raises: ValueError if shapes or numbers do not fit together.
    """
    require_shape(weights, "N 1 h w", "weights")
    images, weights = _images(images), _numbers(weights)[:, 0]
    _require_names(names, len(images))
    _require_as_many(images=images, weights=weights)
    figure, axes = _figure(1.9 * len(images) + 0.7, 4.1, rows=2, columns=len(images))
    scale = Normalize(weights.min(), weights.max())
    for column, (image, map_, name) in enumerate(zip(images, weights, names)):
        _show(axes[0, column], image)
        axes[0, column].set_title(name)
        _overlay(axes[1, column], image, map_, scale)
    _colourbar(figure, axes[1], scale, "weight")
    where = [
        f"{name}: largest {map_.max():.2g} {_place(map_)}, mean {map_.mean():.2g}" for name, map_ in zip(names, weights)
    ]
    return Picture(figure, "Weight of every position over the image. " + "; ".join(where) + ".")


@in_style
def branch_weights(weights: Float[Tensor, "N M C *ones"], sizes: Float[Tensor, " N"], names: Sequence[str]) -> Picture:
    """The weight of every branch against the size of the object, averaged over the channels.

    A dot is an image; a line is the mean of an eighth of the images, from the smallest objects to the largest.
    After X. Li et al., "Selective Kernel Networks", CVPR 2019, figure 3.

    Args:
        weights: ``SelectiveKernel.weights(x)``.
        sizes: side of the object in each image, in pixels.
        names: of the M branches, for example "3x3" and "3x3, dilation 3".

    Raises: ValueError if numbers do not fit together, or there are fewer than 8 images.
    """
    weights, sizes = _numbers(weights.flatten(2).mean(2)), _numbers(sizes)
    _require_names(names, weights.shape[1], most=len(COLOURS))
    _require_as_many(weights=weights, sizes=sizes)
    if len(sizes) < 8:
        raise ValueError(f"weights must be of at least 8 images to show a trend, got {len(sizes)}")
    figure, ((axes,),) = _figure(5.4, 3)
    bins = np.array_split(sizes.argsort(), 8)
    trend = []
    for branch, name, colour, marker in zip(weights.T, names, COLOURS, MARKERS):
        axes.scatter(sizes, branch, color=colour, marker=marker, s=7, alpha=0.35, linewidth=0)
        means = [branch[bin_].mean() for bin_ in bins]
        axes.plot([sizes[bin_].mean() for bin_ in bins], means, color=colour, marker=marker, markersize=5, label=name)
        trend.append(f"{name} from {means[0]:.2f} for the smallest to {means[-1]:.2f} for the largest")
    axes.set(xlabel="side of the object in pixels", ylabel="weight, mean over channels")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return Picture(figure, "Weight of each branch against object size: " + "; ".join(trend) + ".")


@in_style
def query_attention(
    image: Float[Tensor, "C H W"], weights: Float[Tensor, "heads h w"], query: tuple[int, int] | None = None
) -> Picture:
    """What one token attends to, head by head, over the image.

    Args:
        image: RGB or grey, values in [0, 1].
        weights: a row of ``MultiHeadSelfAttention.weights(x)`` on the grid of patches; with a class token in front:
            ``weights[0, :, query, 1:].unflatten(1, (h, w))``.
        query: (row, column) of the token's patch, outlined in the picture; None for a class token, which has no place.

    Raises: ValueError if a shape does not fit or ``query`` lies outside the grid.
    """
    require_shape(weights, "heads h w", "weights")
    rows, columns = weights.shape[1:]
    if query is not None and not (0 <= query[0] < rows and 0 <= query[1] < columns):
        raise ValueError(f"query must lie in the grid of {rows} x {columns} patches, got {query}")
    name = "the class token" if query is None else f"the patch in row {query[0]}, column {query[1]}"
    picture = attention_heads(image, weights[None], [""])
    if query is not None:
        height, width = image.shape[1] / rows, image.shape[2] / columns
        for axes in picture.figure.axes[: len(weights) + 1]:  # the image and the maps, not the colour bar
            corner = (query[1] * width - 0.5, query[0] * height - 0.5)
            axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="white", linewidth=2.5))
            axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=COLOURS[1], linewidth=1.5))
    picture.alt = f"What {name} attends to. " + picture.alt
    return picture


@in_style
def attention_heads(
    image: Float[Tensor, "C H W"], weights: Float[Tensor, "layers heads h w"], names: Sequence[str]
) -> Picture:
    """The attention of every head of several layers over one image, shown at the left: a row a layer, a column a head.

    Every map has a scale of its own, from 0 to its largest weight, which is printed above it.

    Args:
        image: RGB or grey, values in [0, 1].
        weights: of one query token, for example ``dinov2_attention(name)[[0, 5, 11]]`` with ``photo(name, 448)``.
        names: of the layers.

    Raises: ValueError if shapes or numbers do not fit together.
    """
    require_shape(weights, "layers heads h w", "weights")
    require_shape(image, "C H W", "image")
    _require_names(names, len(weights))
    weights, image = _numbers(weights), _images(image[None])[0]
    layers, heads = weights.shape[:2]
    aspect = image.shape[0] / image.shape[1]
    figure, axes = _figure(1.25 * (heads + 1) + 0.7, (1.25 * aspect + 0.22) * layers + 0.25, layers, heads + 1)
    _show(axes[0, 0], image)
    for blank in axes[1:, 0]:
        blank.set_axis_off()
    for row, name in enumerate(names):
        axes[row, 1].set_ylabel(name)
        for head in range(heads):
            map_ = weights[row, head]
            _overlay(axes[row, head + 1], image, map_, Normalize(0, map_.max()))
            axes[row, head + 1].set_title(f"max {map_.max():.3f}", fontsize=7, pad=2)
    for head in range(heads):
        axes[-1, head + 1].set_xlabel(f"head {head + 1}")
    _colourbar(figure, axes, Normalize(0, 1), "weight / largest")
    where = [
        f"{name} ".lstrip() + f"head {head + 1}: largest {map_.max():.3f} {_place(map_)}"
        for name, layer in zip(names, weights)
        for head, map_ in enumerate(layer)
    ]
    return Picture(figure, "Attention over the image. " + "; ".join(where) + ".")


@in_style
def sampling_grid(images: Float[Tensor, "N C H W"], grid: Float[Tensor, "N h w 2"], names: Sequence[str]) -> Picture:
    """Where a spatial transformer looks (above), and what it then sees (below).

    The dots are sampling points, at most 9 x 9 of them; the frame joins the outermost, its corner where the output
    has its first pixel is marked by a square. Points outside the image read black.

    Args:
        images: RGB or grey, values in [0, 1].
        grid: ``affine_grid(transformer.weights(x), h, w)``.
        names: of the N images.

    Raises: ValueError if shapes or numbers do not fit together.
    """
    sampled, images, grid = _images(bilinear_sample(images, grid)), _images(images), _numbers(grid)
    _require_names(names, len(images))
    height, width = images.shape[1:3]
    figure, axes = _figure(1.7 * len(images), 3.7, 2, len(images))
    pixels = ((grid + 1) * (width, height) - 1) / 2
    margin = 0.04 * max(height, width)
    low = np.minimum(-0.5, pixels.min((0, 1, 2)) - margin)
    high = np.maximum((width - 0.5, height - 0.5), pixels.max((0, 1, 2)) + margin)
    for column, (image, seen, points, name) in enumerate(zip(images, sampled, pixels, names)):
        top, bottom = axes[:, column]
        _show(top, image)
        outline = np.concatenate([points[0], points[:, -1], points[-1, ::-1], points[::-1, 0]])
        steps = [math.ceil(size / 9) for size in points.shape[:2]]
        rows, columns = (slice((size - 1) % step // 2, None, step) for size, step in zip(points.shape, steps))
        inner = points[rows, columns].reshape(-1, 2)
        top.scatter(*inner.T, zorder=3, s=3, color=COLOURS[5], linewidth=0)
        top.plot(*outline.T, color="white", linewidth=2.6)
        top.plot(*outline.T, color=COLOURS[1], linewidth=1.4)
        top.plot(*points[0, 0], marker="s", color=COLOURS[1], markeredgecolor="white", markersize=6)
        top.set(title=name, xlim=(low[0], high[0]), ylim=(high[1], low[1]), facecolor="#dddddd")
        _show(bottom, seen)
    axes[0, 0].set_ylabel("looks here")
    axes[1, 0].set_ylabel("sees this")
    zooms = np.linalg.norm(grid[:, -1, -1] - grid[:, 0, 0], axis=1) / math.sqrt(8)
    centres = grid.mean((1, 2))
    where = [
        f"{name}: {zoom:.2f} of the image's diagonal, centred at x {x:+.2f}, y {y:+.2f}"
        for name, zoom, (x, y) in zip(names, zooms, centres)
    ]
    return Picture(figure, "Where a spatial transformer samples the image. " + "; ".join(where) + ".")


@in_style
def training_curves(comparison: Comparison) -> Picture:
    """How the loss of each model falls, and what error is left: every seed, not only the mean.

    Left: the mean loss of all seeds, averaged over a window of a thirtieth of the training; with up to four models, a
    band reaches from the lowest to the highest seed (more of them would mix to grey). Right: the test error of each seed
    (marks) and their mean (stroke); its rows name the colours and marks of both sides.
    """
    figure, ((left, right),) = _figure(7.2, 3, columns=2)
    right.grid(False)
    window = max(1, comparison.steps // 30)
    words = []
    for place, (name, run) in enumerate(comparison.runs.items()):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        losses = torch.tensor([record.losses for record in run.records])
        smooth = F.avg_pool1d(losses[:, None], window, stride=1)[:, 0].numpy()
        steps = np.arange(window, comparison.steps + 1)
        if len(comparison.runs) <= 4:
            left.fill_between(steps, smooth.min(0), smooth.max(0), color=colour, alpha=0.2, linewidth=0)
        left.plot(steps, smooth.mean(0), color=colour, marker=marker, markevery=max(1, len(steps) // 6), label=name)
        right.plot(run.mean, place, color=colour, marker="|", markersize=18, markeredgewidth=2)
        apart = place + 0.25 * np.linspace(-1, 1, len(run.errors) + 2)[1:-1]
        right.scatter(run.errors, apart, color=colour, marker=marker, s=20, alpha=0.8)
        seeds = f" (seeds {min(run.errors):.1f} to {max(run.errors):.1f})" * (len(run.errors) > 1)
        words.append(f"{name} ends with an error of {run.mean:.1f} %{seeds}")
    left.set(xlabel="step", ylabel="training loss", ylim=(0, None))
    right.margins(x=0.08)
    if right.get_xlim()[0] < right.get_xlim()[1] / 2:  # else the dots would crowd at the far end
        right.set_xlim(left=0)
    right.set(xlabel="test error in %", yticks=range(len(comparison.runs)), yticklabels=comparison.runs)
    right.set_ylim(len(comparison.runs) - 0.5, -0.5)
    seeds = f"{len(comparison.seeds)} seed" + "s" * (len(comparison.seeds) > 1)
    reduced = "Reduced run, its numbers mean nothing. " * comparison.reduced
    if comparison.reduced:
        figure.suptitle("reduced run: these numbers mean nothing")
    return Picture(figure, f"{reduced}Training over {comparison.steps} steps and {seeds}: " + "; ".join(words) + ".")


@in_style
def differences(apart: dict[str, Difference]) -> Picture:
    """Paired differences, and whether they are decided: a row each.

    A dot is a seed, the stroke their mean, the bar reaches two standard errors to either side. The difference is decided
    if there are enough seeds and the bar does not touch the line at zero.

    Raises: ValueError if there is nothing to draw.
    """
    if not apart:
        raise ValueError("apart must hold at least one difference")
    figure, ((axes,),) = _figure(6, 0.6 + 0.55 * len(apart))
    axes.grid(False)
    axes.use_sticky_edges = False  # a bar keeps away from the edge
    axes.axvline(0, color="black", linewidth=1)
    words = []
    for place, (name, one) in enumerate(apart.items()):
        colour = COLOURS[place % len(COLOURS)]
        reach = 2 * one.standard_error
        if math.isfinite(reach):
            axes.barh(place, 2 * reach, left=one.mean - reach, height=0.5, color=colour, alpha=0.25)
        axes.plot(one.mean, place, color=colour, marker="|", markersize=18, markeredgewidth=2)
        axes.scatter(one.values, [place] * len(one.values), color=colour, s=16, zorder=3)
        verdict = "decided" if one.decided else "undecided"
        words.append(f"{name}: {one.mean:+.1f}, two standard errors {reach:.1f}, {verdict}")
    axes.set(xlabel="difference of the test error in %", yticks=range(len(apart)), yticklabels=apart)
    axes.set_ylim(len(apart) - 0.5, -0.5)
    return Picture(figure, "Differences seed by seed. " + "; ".join(words) + ".")


@in_style
def gates_by_layer(gates: dict[str, Float[Tensor, "N C *ones"]], names: Sequence[str]) -> Picture:
    """The channel gates of a network, layer by layer, for several images, and how far they depend on the image.

    Above: a row an image, a column a channel, sorted by mean weight. Vertical stripes mean that the layer gates all
    images alike. Below: the standard deviation of a channel's weight between the images, averaged over the channels.

    Args:
        gates: of each layer by name, for example ``SelfieSegmentation().gates(x)``.
        names: of the N images, at least 2.

    Raises: ValueError if there are not as many names as images, or fewer than 2.
    """
    gates = {layer: _numbers(weights.flatten(1)) for layer, weights in gates.items()}
    for weights in gates.values():
        _require_names(names, len(weights))
    if len(names) < 2:
        raise ValueError(f"names must be of at least 2 images to compare, got {list(names)}")
    rows = 0.17 * len(names)
    figure, axes = _figure(1.15 * len(gates) + 1.8, rows + 2.3, 2, len(gates), height_ratios=(rows + 0.4, 1.5))
    scale = Normalize(0, 1)
    spreads = {layer: weights.std(0, ddof=1).mean() for layer, weights in gates.items()}
    for column, (layer, weights) in enumerate(gates.items()):
        top = axes[0, column]
        top.imshow(weights[:, weights.mean(0).argsort()], cmap=MAP, norm=scale, aspect="auto", interpolation="nearest")
        top.set(title=layer, xticks=[], yticks=[])
        top.grid(False)
        axes[1, column].remove()
    axes[0, 0].set_yticks(range(len(names)), names, fontsize=7)
    _colourbar(figure, axes[0], scale, "weight", MAP)
    below = figure.add_subplot(axes[1, 0].get_gridspec()[1, :])
    bars = below.bar(range(len(gates)), spreads.values(), color=COLOURS[0], width=0.5)
    below.bar_label(bars, fmt="%.2f", fontsize=8)
    below.set(ylabel="standard deviation\nbetween images", xlim=(-0.5, len(gates) - 0.5))
    below.set_xticks(range(len(gates)), gates)
    words = [f"{layer} {spread:.2f}" for layer, spread in spreads.items()]
    return Picture(
        figure,
        f"Channel gates for {len(names)} images, layer by layer. Standard deviation between the images: "
        + ", ".join(words)
        + ".",
    )


@in_style
def gallery(images: Float[Tensor, "N C H W"], titles: Sequence[str]) -> Picture:
    """Images side by side under their titles, at most 10 in a row.

    Args:
        images: RGB or grey, values in [0, 1].
        titles: one for each image; may be empty strings.

    Raises: ValueError if there are not as many titles as images.
    """
    _require_names(titles, len(images))
    images = _images(images)
    columns = min(len(images), 10)
    rows = math.ceil(len(images) / columns)
    side = min(1.9, 9 / columns)
    figure, axes = _figure(side * columns, (side + 0.25) * rows, rows, columns)
    for place in axes.flat:
        place.set_axis_off()
    for place, image, title in zip(axes.flat, images, titles):
        place.imshow(image)
        place.set_title(title)
        place.add_patch(Rectangle((0, 0), 1, 1, transform=place.transAxes, fill=False, edgecolor=GREY, linewidth=0.8))
    told = ": " + ", ".join(filter(None, titles)) if any(titles) else ""
    return Picture(figure, f"{len(images)} images side by side{told}.")


@in_style
def bars(rows: dict[str, Float[Tensor, " L"]]) -> Picture:
    """Vectors as bars, one small plot each with its name as title and its numbers on the bars.

    Every plot has an axis of its own, which reaches from 0 to 1 at least: weights are not squeezed by large scores.

    Raises: ValueError if there is nothing to draw.
    """
    if not rows:
        raise ValueError("rows must hold at least one vector")
    figure, axes = _figure(2.3 * len(rows), 1.9, 1, len(rows))
    for place, (name, row) in zip(axes.flat, rows.items()):
        drawn = place.bar(range(len(row)), _numbers(row), color=COLOURS[0])
        place.bar_label(drawn, fmt="%.2f", fontsize=7, padding=1)
        top, low = max(1, float(row.max())) * 1.15, min(0, float(row.min())) * 1.25
        place.set(title=name, xticks=range(len(row)), ylim=(low, top))
        place.axhline(0, color=GREY, linewidth=0.8)
    words = "; ".join(f"{name}: " + ", ".join(f"{value:.2f}" for value in row.tolist()) for name, row in rows.items())
    return Picture(figure, f"Bars. {words}.")


@in_style
def curves(x: Sequence[float], lines: dict[str, Sequence[float]], xlabel: str, ylabel: str, log: str = "xy") -> Picture:
    """Lines over the same places, on logarithmic axes; a name that ends in a star is drawn dashed, without marks.

    Args:
        x: the places.
        lines: by their names, one number a place; a star at the end of a name marks what was not measured.
        xlabel, ylabel: of the axes.
        log: which axes are logarithmic: "x", "y", "xy" or "".

    Raises: ValueError if a line has not as many numbers as there are places.
    """
    _require_as_many(x=np.array(x), **{f"“{name}”": np.array(line) for name, line in lines.items()})
    figure, ((axes,),) = _figure(4.6, 2.8)
    for (name, line), colour, marker in zip(lines.items(), COLOURS, MARKERS):
        thought = name.endswith("*")
        look = {"color": GREY, "linestyle": "--"} if thought else {"color": colour, "marker": marker}
        axes.plot(x, line, label=name.removesuffix("*").strip(), **look)
    axes.set(
        xlabel=xlabel, ylabel=ylabel, xscale="log" if "x" in log else "linear", yscale="log" if "y" in log else "linear"
    )
    axes.minorticks_off()
    axes.set_xticks(x, [f"{place:g}" for place in x])
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    words = [f"{name.removesuffix('*').strip()} from {line[0]:.3g} to {line[-1]:.3g}" for name, line in lines.items()]
    return Picture(figure, f"{ylabel} over {xlabel} from {x[0]:g} to {x[-1]:g}: {'; '.join(words)}.")


def _figure(
    width: float, height: float, rows: int = 1, columns: int = 1, height_ratios: Sequence[float] | None = None
) -> tuple[Figure, np.ndarray]:
    """A figure of a size in inches and its axes, (rows, columns)."""
    figure = Figure(figsize=(width, height), layout="compressed")
    return figure, figure.subplots(rows, columns, squeeze=False, height_ratios=height_ratios)


def _show(axes: Axes, image: Float[np.ndarray, "H W 3"]) -> None:
    """Draw an image, without ticks and frame."""
    axes.imshow(image, vmin=0, vmax=1)
    axes.grid(False)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _overlay(
    axes: Axes, image: Float[np.ndarray, "H W 3"], weights: Float[np.ndarray, "h w"], scale: Normalize
) -> None:
    """Draw an image in grey and a coarser map over it, each weight on the part of the image it stands for."""
    _show(axes, 0.3 + 0.7 * image.mean(2, keepdims=True).repeat(3, 2))
    height, width = image.shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(weights, cmap=OVERLAY, norm=scale, extent=extent, interpolation="nearest")


def _colourbar(
    figure: Figure, axes: np.ndarray, scale: Normalize, label: str, colours: Colormap = OVERLAY_ON_GREY
) -> None:
    """A bar beside the axes, as thin for many rows as for one."""
    rows = len(axes) if axes.ndim == 2 else 1
    mappable = ScalarMappable(scale, colours)
    bar = figure.colorbar(mappable, ax=list(axes.flat), label=label, fraction=0.05, pad=0.02, aspect=15 * rows)
    bar.outline.set_visible(False)


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().float().numpy()


def _images(images: Float[Tensor, "N C H W"]) -> Float[np.ndarray, "N H W 3"]:
    """Images as matplotlib draws them: RGB last, within [0, 1]."""
    require_shape(images, "N C H W", "images")
    if images.shape[1] not in (1, 3):
        raise ValueError(f"images must have 1 channel (grey) or 3 (RGB), got {images.shape[1]}")
    return _numbers(images.clamp(0, 1).expand(-1, 3, -1, -1).permute(0, 2, 3, 1))


def _require_names(names: Sequence[str], count: int, most: int | None = None) -> None:
    if len(names) != count:
        raise ValueError(f"names must be {count}, one for each, got {list(names)}")
    if most is not None and count > most:
        raise ValueError(f"names must be at most {most}, more cannot be told apart, got {list(names)}")


def _require_as_many(**tensors: Tensor | np.ndarray) -> None:
    if len({len(tensor) for tensor in tensors.values()}) > 1:
        counts = " and ".join(str(len(tensor)) for tensor in tensors.values())
        raise ValueError(f"{' and '.join(tensors)} must be of as many images, got {counts}")


def _place(weights: Float[np.ndarray, "h w"]) -> str:
    """Where the largest weight lies, in words: "at the top left"."""
    row, column = divmod(int(weights.argmax()), weights.shape[1])
    vertical = ("top", "middle", "bottom")[3 * row // weights.shape[0]]
    horizontal = ("left", "centre", "right")[3 * column // weights.shape[1]]
    return f"at the {vertical} {horizontal}"
