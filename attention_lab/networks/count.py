"""How large a network is and how much it computes.

Both work on the meta device, where tensors have shapes but no values: nothing is allocated and nothing computed.

    with torch.device("meta"):
        macs = count_macs(create("vit_l_16"), torch.empty(1, 3, 224, 224))
"""

from typing import Any

import torch
from torch import Tensor, nn

COUNTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def count_parameters(model: nn.Module) -> int:
    """Number of trainable parameters; one that is shared counts once. Running statistics are no parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def count_macs(model: nn.Module, x: Tensor) -> int:
    """Multiply-adds of the convolutions and linear layers in one pass over ``x``, which papers often call FLOPs.

    Each number a layer puts out takes as many as one of its filters has weights. A layer that is called twice counts
    twice. The model is run in evaluation mode and left as it was.

    Not counted: biases, normalisation, pooling, products with gates, and the two products of self-attention, q k^T and
    weights v, which have no layer: for L tokens 2 L^2 dim a block, 4% of ViT-B/16. Nor is a layer whose weights
    are used without calling it, as ``nn.MultiheadAttention`` does.

    Args:
        x: the input, its whole batch: give one image for the count of one.
    """
    total = 0

    def add(layer: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    hooks = [layer.register_forward_hook(add) for layer in model.modules() if isinstance(layer, COUNTED)]
    in_training = [module for module in model.modules() if module.training]
    try:
        with torch.no_grad():
            model.eval()(x)
    finally:
        for hook in hooks:
            hook.remove()
        for module in in_training:
            module.training = True
    return total
