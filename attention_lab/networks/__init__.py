"""The papers' networks, built from the mechanisms and created by name."""

from difflib import get_close_matches
from functools import partial

from torch import nn

from ..mechanisms import BAM, CBAM, ECA, SqueezeExcitation
from .count import count_macs, count_parameters
from .dinov2 import DINOv2
from .resnet import BasicBlock, Bottleneck, Residual, ResNet, SelectiveKernelBottleneck
from .selfie import SelfieSegmentation
from .small import SmallCNN
from .swin import SwinTransformer
from .vit import VisionTransformer

__all__ = [
    "BasicBlock",
    "Bottleneck",
    "DINOv2",
    "ResNet",
    "Residual",
    "SelectiveKernelBottleneck",
    "SelfieSegmentation",
    "SmallCNN",
    "SwinTransformer",
    "VisionTransformer",
    "count_macs",
    "count_parameters",
    "create",
    "list_networks",
]

_RESNEXT = partial(Bottleneck, groups=32, group_width=4)
_RESNETS = {
    "resnet18": partial(ResNet, BasicBlock, (2, 2, 2, 2)),
    "resnet34": partial(ResNet, BasicBlock, (3, 4, 6, 3)),
    "resnet50": partial(ResNet, Bottleneck, (3, 4, 6, 3)),
    "resnet101": partial(ResNet, Bottleneck, (3, 4, 23, 3)),
    "resnet152": partial(ResNet, Bottleneck, (3, 8, 36, 3)),
    "resnext50_32x4d": partial(ResNet, _RESNEXT, (3, 4, 6, 3)),
    "resnext101_32x4d": partial(ResNet, _RESNEXT, (3, 4, 23, 3)),
}
_CIFAR = {f"cifar_{name}": partial(_RESNETS[name], cifar=True) for name in ("resnet50", "resnet101")}

_NETWORKS = {
    **_RESNETS,
    **{f"se_{name}": partial(build, attention=SqueezeExcitation) for name, build in _RESNETS.items()},
    **{f"eca_{name}": partial(build, attention=ECA) for name, build in _RESNETS.items()},
    **{f"cbam_{name}": partial(build, attention=CBAM) for name, build in _RESNETS.items()},
    **{f"bam_{name}": partial(build, between=BAM) for name, build in (_RESNETS | _CIFAR).items()},
    **_CIFAR,
    "sknet26": partial(ResNet, SelectiveKernelBottleneck, (2, 2, 2, 2)),
    "sknet50": partial(ResNet, SelectiveKernelBottleneck, (3, 4, 6, 3)),
    "sknet101": partial(ResNet, SelectiveKernelBottleneck, (3, 4, 23, 3)),
    "vit_s_16": partial(VisionTransformer, 384, 12, 6),
    "vit_b_16": partial(VisionTransformer, 768, 12, 12),
    "vit_l_16": partial(VisionTransformer, 1024, 24, 16),
    "swin_t": partial(SwinTransformer, 96, (2, 2, 6, 2), (3, 6, 12, 24)),
}


def create(name: str, num_classes: int = 1000) -> nn.Module:
    """A network of the papers by its name, untrained: (N, 3, H, W) -> (N, num_classes).

    Residual networks take images of any size (those with ``cifar_`` are made for 32x32, the others for 224x224), Vision
    Transformers and Swin take 224x224. A bottleneck has its stride in the first 1x1 convolution, as in the papers' tables, that
    of an SKNet in its selective kernels. SKNets and networks with BAM need at least two images to train.

    Raises: ValueError for a name that ``list_networks()`` does not have, with those that look like it.
    """
    if name not in _NETWORKS:
        close = ", ".join(get_close_matches(name, _NETWORKS)) or ", ".join(_NETWORKS)
        raise ValueError(f"name must be a network of list_networks(), such as {close}; got {name!r}")
    return _NETWORKS[name](num_classes=num_classes)


def list_networks() -> list[str]:
    """The names that ``create`` takes, in alphabetical order."""
    return sorted(_NETWORKS)
