"""The shipped images and recordings: complete, as documented, licensed, and found wherever the package lies."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch

import attention_lab
from attention_lab import data

PACKAGE = Path(attention_lab.__file__).parent
FILES = PACKAGE / "data" / "files"
LICENCES = PACKAGE / "data" / "licences"
SHIPPED = sorted(path for path in FILES.rglob("*") if path.is_file())


@pytest.mark.parametrize(("split", "count"), [("train", 5000), ("test", 1500)])
def test_fashion_is_balanced_and_grey_between_0_and_1(split, count):
    images, labels = data.fashion(split)
    assert images.shape == (count, 1, 28, 28) and images.dtype == torch.float32
    assert images.min() == 0 and images.max() == 1
    assert labels.dtype == torch.int64
    assert labels.bincount().tolist() == [count // 10] * 10
    assert len(data.FASHION_CLASSES) == 10


def test_the_class_names_describe_the_images():
    """Trousers are the tallest for their width, sneakers the flattest."""
    images, labels = data.fashion("test")
    covered = (images > 0.1)[:, 0]
    height, width = covered.any(2).sum(1), covered.any(1).sum(1)
    slenderness = {
        name: (height / width)[labels == label].mean().item() for label, name in enumerate(data.FASHION_CLASSES)
    }
    assert max(slenderness, key=slenderness.get) == "Trouser"
    assert min(slenderness, key=slenderness.get) == "Sneaker"


def test_train_and_test_garments_differ():
    train, test = (data.fashion(split)[0].flatten(1) for split in ("train", "test"))
    assert not {row.numpy().tobytes() for row in train} & {row.numpy().tobytes() for row in test}


def test_what_a_loader_returns_can_be_changed_without_changing_what_it_returns_next():
    for load in (
        lambda: data.fashion()[0],
        lambda: data.fashion()[1],
        lambda: data.dinov2_attention("coffee"),
        lambda: data.dinov2_pca("coffee"),
        lambda: data.selfie_weights()["conv2d.bias"],
    ):
        before = load().clone()
        load().fill_(7)
        assert torch.equal(load(), before)


def test_every_photograph_loads_in_colour():
    names = data.photo_names()
    assert len(names) == 10 and list(names) == sorted(names)
    for name in names:
        image = data.photo(name)
        assert image.dtype == torch.float32 and image.ndim == 3 and image.shape[0] == 3
        assert 256 <= min(image.shape[1:]) and max(image.shape[1:]) <= 420
        assert 0 <= image.min() < 0.3 and 0.7 < image.max() <= 1
        is_grey = bool((image[0] == image[1]).all())
        assert is_grey == (name in ("brick", "camera", "grass", "gravel"))


def test_a_size_cuts_the_central_square_out():
    whole = data.photo("china")
    height, width = whole.shape[1:]
    assert height < width
    margin = (width - height) // 2
    assert torch.equal(data.photo("china", height), whole[:, :, margin : margin + height])
    assert data.photo("china", 64).shape == (3, 64, 64)


@pytest.mark.parametrize("name", data.DINOV2_PHOTOS)
def test_a_class_token_gives_the_patches_part_of_its_attention(name):
    attention = data.dinov2_attention(name)
    assert attention.shape == (12, 6, 32, 32) and attention.dtype == torch.float32
    assert attention.min() >= 0
    given = attention.sum((2, 3))
    assert given.min() > 0.01 and given.max() < 1 and given.mean() > 0.5


def test_the_attention_lies_on_the_flower():
    """The patches of the last layer point at the orange petals of the central square, not at the dark leaves."""
    attention = data.dinov2_attention("flower")[-1].mean(0)
    red, _, blue = torch.nn.functional.avg_pool2d(data.photo("flower", 448), 14)
    petals = red - blue > 0.3
    assert 0.1 < petals.float().mean() < 0.6
    assert attention[petals].mean() > 5 * attention[~petals].mean()


def test_the_attention_is_the_right_way_round():
    """The pagoda stands in the left half of its photograph, the cup in the upper half of its own."""
    pagoda, cup = (data.dinov2_attention(name)[-1].mean(0) for name in ("china", "coffee"))
    assert pagoda[:, :16].sum() > 1.5 * pagoda[:, 16:].sum()
    assert cup[:16].sum() > 1.5 * cup[16:].sum()


def test_the_colours_of_the_patches_are_an_image():
    for name in data.DINOV2_PHOTOS:
        colours = data.dinov2_pca(name)
        assert colours.shape == (3, 32, 32) and colours.dtype == torch.float32
        assert colours.min() == 0 and colours.max() == 1


def test_selfie_weights_are_convolutions_with_biases():
    weights = data.selfie_weights()
    assert weights["conv2d.weight"].shape == (16, 3, 3, 3)
    layers = {name.rpartition(".")[0] for name in weights}
    assert len(layers) == 55
    for layer in layers:
        weight, bias = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
        assert weight.dtype == bias.dtype == torch.float32
        assert len(bias) == (weight.shape[3] if layer.startswith("depthwise") else weight.shape[0])


@pytest.mark.parametrize("load", [data.photo, data.dinov2_attention, data.dinov2_pca])
def test_an_unknown_name_is_answered_with_the_known_ones(load):
    with pytest.raises(ValueError, match=r"astronaut.*chelsea.*'dog'"):
        load("dog")


def test_other_bad_arguments_are_named():
    with pytest.raises(ValueError, match="'train' or 'test', got 'val'"):
        data.fashion("val")
    with pytest.raises(ValueError, match="size"):
        data.photo("china", 0)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_file_has_a_licence(path):
    """The page names the file, and the licence texts the row refers to are there."""
    rows = [row for row in (LICENCES / "README.md").read_text().splitlines() if row.startswith(f"| `{path.name}`")]
    assert len(rows) == 1
    licence = rows[0].split("|")[4]
    assert any(word in licence for word in ("MIT", "Apache", "CC0", "CC BY", "public domain"))
    for text in licence.split("`")[1::2]:
        assert (LICENCES / text).stat().st_size > 0
    if any(word in licence for word in ("MIT", "Apache", "CC BY")):
        assert "`" in licence


def test_the_package_is_built_with_all_its_data():
    pyproject = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
    globs = pyproject["tool"]["setuptools"]["package-data"]["attention_lab"]
    packed = {path for glob in globs for path in PACKAGE.glob(glob)}
    assert len(SHIPPED) == 13
    assert set(SHIPPED) <= packed and set(LICENCES.iterdir()) <= packed


def test_everything_loads_from_wherever_the_package_lies_without_a_network(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "site" / "attention_lab", ignore=shutil.ignore_patterns("__pycache__"))
    program = """
import socket, sys, torch
def refuse(*_, **__): raise AssertionError("the network was used")
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
from attention_lab import data
assert data.__file__.startswith(sys.argv[1]), data.__file__
data.fashion(), data.selfie_weights(), data.scenes(2), data.cue_scenes(2)
[data.photo(name) for name in data.photo_names()]
[(data.dinov2_attention(name), data.dinov2_pca(name)) for name in data.DINOV2_PHOTOS]
print("loaded")
"""
    site = str(tmp_path / "site")
    result = subprocess.run(
        [sys.executable, "-c", program, site],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": site},
        capture_output=True,
        text=True,
    )
    assert result.stdout == "loaded\n", result.stderr


def test_a_blurred_image_has_broad_light_and_shade_only():
    x = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    soft = data.blurred(x)
    assert soft.shape == x.shape and soft.std() < 0.2 * x.std()
    assert torch.allclose(data.blurred(torch.full((1, 1, 9, 5), 0.3)), torch.tensor(0.3))
    assert torch.allclose(data.blurred(x.mT).mT, soft)
    assert torch.allclose(data.blurred(x[:, 1:2]), soft[:, 1:2])
    point = torch.zeros(1, 1, 33, 33)
    point[0, 0, 16, 16] = 1
    row = data.blurred(point)[0, 0].sum(0)
    place = torch.arange(33.0) - 16
    assert (row * place**2).sum().sqrt().item() == pytest.approx(33 / 8, rel=0.02)


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_batch_of_images_cannot_be_blurred():
    with pytest.raises(ValueError, match=r"got \(3, 8, 8\)"):
        data.blurred(torch.zeros(3, 8, 8))
