"""Figures promise: a picture of the numbers it was given, described in words, in one style that everyone can read."""

import re
import subprocess
import sys
import warnings
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from io import BytesIO
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image

from attention_lab import figures
from attention_lab.data import dinov2_attention, photo
from attention_lab.figures import COLOURS, MARKERS, Picture
from attention_lab.mechanisms import (
    BAM,
    CBAM,
    MultiHeadSelfAttention,
    PatchEmbedding,
    SelectiveKernel,
    SpatialTransformer,
    SqueezeExcitation,
    affine_grid,
)
from attention_lab.training import Comparison, Difference, Record, Runs

CHANNELS, SIDE = 32, 24


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def features(n: int) -> torch.Tensor:
    return torch.randn(n, CHANNELS, SIDE, SIDE)


def images(n: int) -> torch.Tensor:
    return torch.rand(n, 3, SIDE, SIDE)


def comparison(reduced: bool = False) -> Comparison:
    runs = {
        name: Runs(
            [worst - 2, worst - 1.0, worst],
            [Record([2.3 * 0.97**step + 0.05 * seed for step in range(90)], 1.0, reduced) for seed in range(3)],
            [torch.nn.Linear(1, 1)] * 3,
        )
        for name, worst in (("plain", 30.0), ("SE", 8.0))
    }
    return Comparison(runs, [0, 1, 2], 90, reduced)


def localisation() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * SIDE * SIDE, 6))


def of_one_image() -> Picture:
    return figures.channel_weights(SqueezeExcitation(CHANNELS).weights(features(1)), ["cat"])


def of_several_images() -> Picture:
    return figures.channel_weights(CBAM(CHANNELS).weights(features(3))[0], ["cat", "cup", "tower"])


def of_positions() -> Picture:
    return figures.spatial_map(images(2), CBAM(CHANNELS).weights(features(2))[1], ["cat", "cup"])


def of_one_channel_of_bam() -> Picture:
    return figures.spatial_map(images(2), BAM(CHANNELS).weights(features(2))[:, :1], ["cat", "cup"])


def of_branches() -> Picture:
    weights = SelectiveKernel(CHANNELS).eval().weights(features(20))
    return figures.branch_weights(weights, torch.linspace(5, 20, 20), ["3x3", "dilation 2"])


def of_a_query() -> Picture:
    tokens = PatchEmbedding(3, 4, 16)(images(1))
    weights = MultiHeadSelfAttention(16, 4).weights(tokens)
    return figures.query_attention(images(1)[0], weights[0, :, 8].unflatten(1, (6, 6)), (1, 2))


def of_heads() -> Picture:
    weights = dinov2_attention("astronaut")[[0, 11]]
    return figures.attention_heads(photo("astronaut", 448), weights, ["layer 1", "layer 12"])


def of_a_sampling_grid() -> Picture:
    theta = SpatialTransformer(localisation()).weights(images(2)) * 0.5
    return figures.sampling_grid(images(2), affine_grid(theta, 12, 12), ["cat", "cup"])


def of_training() -> Picture:
    return figures.training_curves(comparison())


def of_layers() -> Picture:
    gates = {f"block {i}": SqueezeExcitation(CHANNELS).weights(features(4)) for i in range(3)}
    return figures.gates_by_layer(gates, ["cat", "cup", "tower", "flower"])


def of_a_gallery() -> Picture:
    return figures.gallery(images(2), ["a cat in a garden, 3 years old", "a cup of tea"])


def of_vectors() -> Picture:
    return figures.bars({"scores": torch.rand(4), "weights": torch.rand(4)})


EVERY_KIND = [
    of_one_image,
    of_several_images,
    of_positions,
    of_one_channel_of_bam,
    of_branches,
    of_a_query,
    of_heads,
    of_a_sampling_grid,
    of_training,
    of_layers,
    of_a_gallery,
    of_vectors,
]
every_kind = pytest.mark.parametrize("draw", EVERY_KIND, ids=lambda draw: draw.__name__)


def tags(html: str) -> list[tuple[str, dict[str, str]]]:
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, dict(attributes)))
    parser.feed(html)
    return found


class Drawn(NamedTuple):
    """A picture, drawn once for all tests that look at it.

    html: what a notebook shows of it.
    png: the image in there.
    style: matplotlib's settings before it was drawn, and after.
    warned: what was warned of meanwhile.
    """

    picture: Picture
    html: str
    png: bytes
    style: tuple[dict, dict]
    warned: list[warnings.WarningMessage]


@cache
def drawn(draw: Callable[[], Picture]) -> Drawn:
    before = dict(mpl.rcParams)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        picture = draw()
        after = dict(mpl.rcParams)
        html = picture._repr_html_()
    png = b64decode(re.search('src="data:image/png;base64,([^"]*)"', html)[1])
    return Drawn(picture, html, png, (before, after), warned)


@every_kind
def test_a_notebook_shows_one_image_with_a_description(draw: Callable[[], Picture]):
    picture, html, *_ = drawn(draw)
    ((tag, attributes),) = tags(html)
    assert tag == "img" and attributes["src"].startswith("data:image/png;base64,")
    assert attributes["alt"] == picture.alt == repr(picture)
    assert len(picture.alt) > 40 and any(character.isdigit() for character in picture.alt)
    assert "nan" not in picture.alt and "tensor" not in picture.alt


@every_kind
def test_the_image_is_not_blank_and_brings_its_own_light_ground(draw: Callable[[], Picture]):
    image = Image.open(BytesIO(drawn(draw).png))
    assert "transparency" not in image.info
    pixels = np.asarray(image.convert("RGB")).astype(int)
    assert 100 < pixels.shape[0] < 1200 and 150 < pixels.shape[1] < 1200
    border = np.concatenate([pixels[:3].reshape(-1, 3), pixels[-3:].reshape(-1, 3), pixels[:, :3].reshape(-1, 3)])
    assert (border == 255).all()
    coloured = (pixels.max(2) - pixels.min(2)) > 40
    assert coloured.mean() > 0.005


@every_kind
def test_the_image_is_small_enough_for_a_notebook(draw: Callable[[], Picture]):
    assert len(drawn(draw).png) < 200_000


@every_kind
def test_drawing_leaves_the_style_of_other_figures_alone(draw: Callable[[], Picture]):
    before, after = drawn(draw).style
    assert before == after


@every_kind
def test_drawing_warns_of_nothing(draw: Callable[[], Picture]):
    assert not drawn(draw).warned


def test_a_description_may_hold_any_character():
    picture = of_one_image()
    picture.alt = 'a "b" <c> & d'
    ((_, attributes),) = tags(picture._repr_html_())
    assert attributes["alt"] == picture.alt


def test_the_package_does_not_load_matplotlib_and_figures_change_nothing_in_it():
    code = (
        "import sys, attention_lab; assert 'matplotlib' not in sys.modules;"
        "import matplotlib as mpl; before = mpl.rcParams.copy();"
        "import attention_lab.figures; assert 'matplotlib.pyplot' not in sys.modules;"
        "assert mpl.rcParams.copy() == before"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_two_series_share_a_colour_or_a_marker():
    assert len(set(COLOURS)) == len(COLOURS) == len(set(MARKERS)) == len(MARKERS)


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_weights_of_any_precision_and_with_gradients_are_drawn(kind: torch.dtype):
    weights = torch.rand(2, 8, 1, 1, dtype=kind, requires_grad=True)
    before = weights.detach().clone()
    figures.channel_weights(weights, ["cat", "cup"]).png()
    assert torch.equal(weights.detach(), before) and weights.grad is None


def test_bars_are_the_weights_of_the_channels():
    weights = torch.tensor([[0.1, 0.9, 0.5]])
    picture = figures.channel_weights(weights, ["cat"])
    heights = [bar.get_height() for bar in picture.figure.axes[0].patches]
    assert heights == pytest.approx([0.1, 0.9, 0.5])
    assert "from 0.10 to 0.90" in picture.alt and "cat" in picture.alt


def test_channels_are_sorted_alike_for_all_images():
    weights = torch.tensor([[0.9, 0.1, 0.5], [0.7, 0.3, 0.6]])
    axes = figures.channel_weights(weights, ["cat", "cup"]).figure.axes[0]
    drawn = [points.get_offsets()[:, 1].tolist() for points in axes.collections if len(points.get_offsets()) == 3]
    assert drawn[-2:] == [pytest.approx([0.1, 0.5, 0.9]), pytest.approx([0.3, 0.6, 0.7])]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["cat", "cup"]


def test_a_map_lies_on_the_part_of_the_image_it_belongs_to():
    weights = torch.zeros(1, 1, 3, 3)
    weights[0, 0, 2, 0] = 1
    picture = figures.spatial_map(torch.full((1, 1, 30, 60), 0.5), weights, ["cat"])
    below, over = picture.figure.axes[1].images
    assert over.get_extent() == below.get_extent()
    assert "at the bottom left" in picture.alt
    pixels = np.asarray(Image.open(BytesIO(picture.png())).convert("RGB"))
    yellow = np.argwhere((pixels[..., 0] > 200) & (pixels[..., 1] > 190) & (pixels[..., 2] < 100))
    assert len(yellow) > 50


def test_large_weights_for_large_objects_show_as_a_rising_line():
    sizes = torch.linspace(4, 28, 80)
    large = (sizes / 40)[:, None].expand(-1, 6)
    picture = figures.branch_weights(torch.stack([1 - large, large], 1)[..., None, None], sizes, ["3x3", "5x5"])
    falling, rising = (line.get_ydata() for line in picture.figure.axes[0].lines)
    assert (np.diff(rising) > 0).all() and (np.diff(falling) < 0).all()
    assert "5x5 from 0.13 for the smallest to 0.67 for the largest" in picture.alt


def test_the_patch_that_asks_is_outlined():
    picture = figures.query_attention(torch.rand(3, 30, 60), torch.rand(2, 3, 6), query=(2, 4))
    outlined = [axes for axes in picture.figure.axes if axes.patches]
    assert len(outlined) == 3, "the image and one map a head"
    for axes in outlined:
        box = axes.patches[0]
        assert (box.get_x(), box.get_y(), box.get_width(), box.get_height()) == (39.5, 19.5, 10, 10)
    assert "row 2, column 4" in picture.alt


def test_a_class_token_has_no_patch_to_outline():
    picture = figures.query_attention(torch.rand(3, 30, 60), torch.rand(2, 3, 6))
    assert not any(axes.patches for axes in picture.figure.axes[:3])
    assert "class token" in picture.alt


def test_every_head_of_every_layer_has_a_map_of_its_own():
    weights = dinov2_attention("coffee")[[2, 11]]
    axes = figures.attention_heads(photo("coffee", 448), weights, ["layer 3", "layer 12"]).figure.axes
    maps = [a.images[1].get_array() for a in axes if len(a.images) == 2]
    assert np.allclose(np.stack(maps).reshape(weights.shape), weights)


def test_a_map_of_nothing_is_drawn_too():
    figures.attention_heads(torch.rand(3, 8, 8), torch.zeros(1, 1, 4, 4), ["masked"]).png()


def test_the_identity_samples_the_pixels_where_they_are():
    theta = torch.eye(2, 3)[None]
    picture = figures.sampling_grid(torch.rand(1, 1, 8, 16), affine_grid(theta, 8, 16), ["cat"])
    outline = picture.figure.axes[0].lines[0].get_xydata()
    assert outline.min(0).tolist() == pytest.approx([0, 0], abs=1e-5)
    assert outline.max(0).tolist() == pytest.approx([15, 7], abs=1e-5)


def test_a_shift_to_the_right_is_framed_on_the_right_and_the_first_pixel_marked():
    theta = torch.tensor([[[0.5, 0.0, 0.5], [0.0, 0.5, -0.5]]])
    axes = figures.sampling_grid(torch.rand(1, 1, 16, 16), affine_grid(theta, 8, 8), ["cat"]).figure.axes[0]
    outline, first = axes.lines[0].get_xydata(), axes.lines[2].get_xydata()[0]
    assert outline[:, 0].min() >= 7.5 and outline[:, 1].max() <= 7.5
    assert first.tolist() == pytest.approx([8, 0], abs=0.3)


def test_what_lies_outside_the_image_is_in_the_picture():
    theta = torch.tensor([[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]])
    axes = figures.sampling_grid(torch.rand(1, 1, 16, 16), affine_grid(theta, 16, 16), ["cat"]).figure.axes[0]
    assert axes.get_xlim()[1] > 23


def test_curves_show_every_seed():
    left, right = figures.training_curves(comparison()).figure.axes
    band = left.collections[0].get_paths()[0].vertices
    at_50 = band[np.isclose(band[:, 0], 50)][:, 1]
    assert np.ptp(at_50) == pytest.approx(0.1, abs=0.01), "from the lowest to the highest seed"
    dots = [points.get_offsets()[:, 0].tolist() for points in right.collections if len(points.get_offsets()) == 3]
    assert [28.0, 29.0, 30.0] in dots and [6.0, 7.0, 8.0] in dots
    assert [label.get_text() for label in right.get_yticklabels()] == ["plain", "SE"]
    assert "SE ends with an error of 7.0 % (seeds 6.0 to 8.0)" in figures.training_curves(comparison()).alt


def test_the_curves_of_many_models_have_no_bands_that_mix_and_no_legend_in_their_way():
    runs = {f"model {i}": run for i, run in enumerate([*comparison().runs.values()] * 3)}
    left, right = figures.training_curves(replace(comparison(), runs=runs)).figure.axes
    assert not left.collections
    assert left.get_legend() is None
    assert [label.get_text() for label in right.get_yticklabels()] == [*runs]


def test_curves_of_a_reduced_run_say_so():
    picture = figures.training_curves(comparison(reduced=True))
    assert "Reduced run" in picture.alt
    assert "reduced run" in picture.figure.get_suptitle()
    assert "educed" not in figures.training_curves(comparison()).alt


def test_a_difference_shows_its_seeds_and_whether_its_bar_reaches_zero():
    picture = figures.differences({"far": Difference([2.0, 2.1, 1.9]), "near": Difference([2.0, -2.0, 0.3])})
    assert "far: +2.0, two standard errors 0.1, decided; near: +0.1, two standard errors 2.3, undecided" in picture.alt
    far, near = (bar.get_x() for bar in picture.figure.axes[0].patches)
    assert near < 0 < far


def test_a_difference_of_one_seed_has_no_bar():
    assert not figures.differences({"one": Difference([2.0])}).figure.axes[0].patches


def test_layers_that_gate_all_images_alike_have_no_spread():
    alike, different = torch.rand(1, 6).expand(3, -1), torch.tensor([[0.2], [0.5], [0.8]]).expand(-1, 6)
    picture = figures.gates_by_layer({"early": alike, "late": different}, ["cat", "cup", "tower"])
    assert "early 0.00, late 0.30" in picture.alt


def test_a_gallery_shows_every_image_with_its_title():
    pictures = images(12)
    axes = figures.gallery(pictures, [f"image {i}" for i in range(12)]).figure.axes
    shown = [place for place in axes if place.images]
    assert [place.get_title() for place in shown] == [f"image {i}" for i in range(12)]
    assert np.allclose(shown[11].images[0].get_array(), pictures[11].permute(1, 2, 0))


def test_every_plot_of_bars_has_an_axis_of_its_own():
    picture = figures.bars({"scores": torch.tensor([3.0, -2.0]), "weights": torch.tensor([0.3, 0.05])})
    scores, weights = (axes.get_ylim() for axes in picture.figure.axes)
    assert weights == (0, pytest.approx(1.15)) and scores[0] < -2 and scores[1] > 3


def test_a_plot_of_bars_shows_every_number_of_every_vector():
    picture = figures.bars({"scores": torch.tensor([1.0, -2.0]), "weights": torch.tensor([0.95, 0.05])})
    heights = [[bar.get_height() for bar in axes.patches] for axes in picture.figure.axes]
    assert heights == [[1, -2], pytest.approx([0.95, 0.05])]
    assert "scores: 1.00, -2.00; weights: 0.95, 0.05" in picture.alt


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: figures.channel_weights(torch.rand(2, 4), ["one"]), "names must be 2"),
        (lambda: figures.channel_weights(torch.rand(8, 4), list("abcdefgh")), "at most 7"),
        (lambda: figures.spatial_map(images(2), torch.rand(2, 4, 4), ["a", "b"]), "weights must have shape"),
        (lambda: figures.spatial_map(torch.rand(2, 2, 9, 9), torch.rand(2, 1, 4, 4), ["a", "b"]), "1 channel"),
        (lambda: figures.spatial_map(images(2), torch.rand(1, 1, 4, 4), ["a", "b"]), "as many"),
        (lambda: figures.branch_weights(torch.rand(9, 2, 4), torch.rand(8), ["a", "b"]), "as many"),
        (lambda: figures.branch_weights(torch.rand(7, 2, 4), torch.rand(7), ["a", "b"]), "at least 8"),
        (lambda: figures.query_attention(images(1)[0], torch.rand(2, 3, 6), (3, 0)), "query must lie"),
        (lambda: figures.attention_heads(images(1)[0], torch.rand(3, 6, 6), ["a"]), "weights must have shape"),
        (lambda: figures.sampling_grid(images(2), torch.rand(1, 4, 4, 2), ["a", "b"]), "grid"),
        (lambda: figures.gates_by_layer({"a": torch.rand(1, 4)}, ["cat"]), "at least 2"),
        (lambda: figures.gallery(images(2), ["cat"]), "names must be 2"),
        (lambda: figures.bars({}), "at least one"),
        (lambda: figures.differences({}), "at least one"),
        (lambda: figures.gates_by_layer({"a": torch.rand(2, 4), "b": torch.rand(3, 4)}, ["a", "b"]), "names must be 3"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_together_is_refused_in_words(draw: Callable[[], Picture], message: str):
    with pytest.raises(ValueError, match=message):
        draw()


def test_curves_show_each_line_and_tell_its_ends():
    picture = figures.curves([1, 10, 100], {"measured": [2, 20, 200.0], "2 x *": [2, 20, 200.0]}, "x", "seconds")
    (axes,) = picture.figure.axes
    assert [line.get_linestyle() for line in axes.lines] == ["-", "--"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["measured", "2 x"]
    assert "measured from 2 to 200" in picture.alt and axes.get_yscale() == "log"
    with pytest.raises(ValueError, match="as many"):
        figures.curves([1, 2], {"short": [1.0]}, "x", "y")
