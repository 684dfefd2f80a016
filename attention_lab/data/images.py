"""The images and recordings that come with the package. Nothing is fetched: every file lies in ``data/files``.

Where each file comes from, and under which licence, is written in ``data/licences/README.md``.
"""

from functools import cache
from importlib import resources

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image, ImageOps
from torch import Tensor

from ..mechanisms.arguments import require_positive, require_shape

FILES = resources.files(__package__) / "files"

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

DINOV2_PHOTOS = ("astronaut", "chelsea", "china", "coffee", "flower", "rocket")


def fashion(split: str = "train") -> tuple[Float[Tensor, "N 1 28 28"], Int[Tensor, " N"]]:
    """Fashion-MNIST, a balanced part of it: 5000 garments to train on and 1500 to test on, bright on black.

    H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
    Algorithms", arXiv:1708.07747, 2017.

    Args:
        split: "train" (N = 5000) or "test" (N = 1500).

    Returns: images, float32 in [0, 1], and labels, int64; ``FASHION_CLASSES[label]`` is the name of a class.
    Raises: ValueError for another split.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    arrays = _arrays("fashion_5000_1500.npz")
    return torch.tensor(arrays[f"x_{split}"])[:, None] / 255, torch.tensor(arrays[f"y_{split}"], dtype=torch.int64)


def photo_names() -> tuple[str, ...]:
    """Names of the shipped photographs, in alphabetical order; brick, camera, grass and gravel are grey."""
    return tuple(sorted(file.name.removesuffix(".jpg") for file in (FILES / "photos").iterdir()))


def photo(name: str, size: int | None = None) -> Float[Tensor, "3 H W"]:
    """A photograph, RGB, float32 in [0, 1]; a grey one has three equal channels.

    Args:
        name: one of ``photo_names()``.
        size: None keeps the photograph as it is, from 256 to 420 pixels a side. A number of pixels cuts the central
            square out and resizes it to (3, size, size).

    Raises: ValueError for an unknown name or a size below 1.
    """
    _require_name(name, photo_names())
    with (FILES / "photos" / f"{name}.jpg").open("rb") as file:
        image = Image.open(file).convert("RGB")
    if size is not None:
        require_positive(size=size)
        image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    return torch.tensor(np.asarray(image)).permute(2, 0, 1).contiguous() / 255


def blurred(x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
    """The images with nothing but their broad light and shade, to be put where something is to be taken out.

    Every row and every column is averaged by a Gaussian with a standard deviation of an eighth of the shorter side; at the
    rim the weights of what lies inside sum to 1. After V. Petsiuk, A. Das and K. Saenko, "RISE: Randomized Input Sampling
    for Explanation of Black-box Models", BMVC 2018, section 4.2, who blur too, but less.
    """
    require_shape(x, "N C H W")
    deviation = min(x.shape[2:]) / 8

    def weights(side: int) -> Float[Tensor, "side side"]:
        place = torch.arange(side, dtype=x.dtype, device=x.device)
        return torch.softmax(-((place[:, None] - place) ** 2) / (2 * deviation**2), 1)

    return weights(x.shape[2]) @ x @ weights(x.shape[3]).mT


def dinov2_attention(name: str) -> Float[Tensor, "12 6 32 32"]:
    """How much the class token of DINOv2 ViT-S/14 attends to each patch of a photograph.

    The recorded softmax weights of all 12 layers and 6 heads, on a grid of 32 x 32 patches that covers the
    photograph's central square: ``photo(name, 448)`` is what one patch per 14 x 14 pixels looks at. The weights of
    a head sum to less than 1; the rest is what the class token gives to itself. They are stored with 8 bits, so each is
    right to half a percent of the largest one of its head.
    For chelsea the square was cut half a pixel of the photograph further left than ``photo`` cuts it.

    M. Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", TMLR 2024.

    Args:
        name: one of ``DINOV2_PHOTOS``.

    Returns: (layer, head, row, column), float32.
    Raises: ValueError for another name.
    """
    _require_name(name, DINOV2_PHOTOS)
    arrays = _arrays("dinov2_vits14_cls_attention.npz")
    maximum = torch.tensor(arrays[f"{name}_cls_attn_max"], dtype=torch.float32)
    return torch.tensor(arrays[f"{name}_cls_attn_u8"]) / 255 * maximum[:, :, None, None]


def dinov2_pca(name: str) -> Float[Tensor, "3 32 32"]:
    """Colours for the patches of ``dinov2_attention``: three principal components of their features, as RGB.

    Patches that DINOv2 describes alike have like colours. float32 in [0, 1].

    Raises: ValueError if ``name`` is not one of ``DINOV2_PHOTOS``.
    """
    _require_name(name, DINOV2_PHOTOS)
    pca = _arrays("dinov2_vits14_cls_attention.npz")[f"{name}_pca_u8"]
    return torch.tensor(pca).permute(2, 0, 1).contiguous() / 255


def selfie_weights() -> dict[str, Tensor]:
    """The trained weights of MediaPipe's selfie segmentation, a small network with squeeze-and-excitation blocks.

    Returns: float32 tensors by the layer's name, as they were stored: a bias is (C_out,); a convolution's weight is
    (C_out, K, K, C_in), a depthwise one's (1, K, K, C). PyTorch wants (C_out, C_in, K, K) and (C, 1, K, K).
    """
    arrays = _arrays("selfie_seg_se_fp16.npz")
    return {name: torch.tensor(array, dtype=torch.float32) for name, array in arrays.items()}


@cache
def _arrays(file_name: str) -> dict[str, np.ndarray]:
    with (FILES / file_name).open("rb") as file, np.load(file) as arrays:
        return dict(arrays)


def _require_name(name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise ValueError(f"name must be one of {', '.join(names)}, got {name!r}")
