"""Heat maps of what a model looks at: from gradients, and from the weights of self-attention."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..mechanisms import EncoderBlock


def grad_cam(
    model: nn.Module, layer: nn.Module, x: Float[Tensor, "N C H W"], target: Int[Tensor, " N"]
) -> Float[Tensor, "N H W"]:
    """Where the output of a layer speaks for a class, each map divided by its maximum; 0 where nothing does.

        M = ReLU(sum_k alpha_k A_k),    alpha_k = mean over positions of dy / dA_k      (equations 1 and 2)

    R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh and D. Batra, "Grad-CAM: Visual Explanations from Deep
    Networks via Gradient-based Localization", ICCV 2017.

    Args:
        model: (N, C, H, W) -> logits, in evaluation mode.
        layer: inside the model, puts out A, (N, K, h, w).
        target: the class y that each image is asked about.
    """
    kept = []
    hook = layer.register_forward_hook(lambda layer, given, output: kept.append(output))
    try:
        logits = model(x)
    finally:
        hook.remove()
    (slope,) = torch.autograd.grad(_asked(logits, target), kept[0])
    heat = (slope.mean((2, 3), keepdim=True) * kept[0]).sum(1, keepdim=True).relu().detach()
    heat = F.interpolate(heat, x.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    return heat / heat.amax((1, 2), keepdim=True).clamp_min(1e-8)


def gradient_map(model: nn.Module, x: Float[Tensor, "N C H W"], target: Int[Tensor, " N"]) -> Float[Tensor, "N H W"]:
    """How much the class's logit moves with each pixel: the largest absolute slope of its channels.

    K. Simonyan, A. Vedaldi and A. Zisserman, "Deep Inside Convolutional Networks: Visualising Image Classification Models
    and Saliency Maps", ICLR workshop 2014, section 3.
    """
    x = x.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(_asked(model(x), target), x)
    return slope.abs().amax(1)


def rollout(weights: Sequence[Float[Tensor, "N heads L L"]]) -> Float[Tensor, "N L-1"]:
    """How much of each token reaches the class token, token 0, through all layers, if attention were all there is.

        R = A'_b ... A'_1,    A' = (mean over heads of A + I) / 2;      row 0 of R, without the class token itself

    The identity stands for the skip connection. No class is asked for.

    S. Abnar and W. Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020, section 3.

    Args:
        weights: of each layer, the first layer first; rows sum to 1.
    """
    identity = torch.eye(weights[0].shape[-1], dtype=weights[0].dtype, device=weights[0].device)
    found = identity.expand(len(weights[0]), -1, -1)
    for layer in weights:
        found = (layer.mean(1) + identity) / 2 @ found
    return found[:, 0, 1:]


def relevance(model: nn.Module, x: Float[Tensor, "N C H W"], target: Int[Tensor, " N"]) -> Float[Tensor, "N L-1"]:
    """Rollout in which a weight counts as much as it speaks for the class.

        R <- R + mean over heads of ReLU(dy/dA * A) R,    R = I at first;      row 0 of R, without the class token itself

    H. Chefer, S. Gur and L. Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder
    Transformers", ICCV 2021, equations 5 and 6.

    Args:
        model: with ``EncoderBlock`` in it, which are called once each, in the order of ``modules()``.
    """
    blocks = [block for block in model.modules() if isinstance(block, EncoderBlock)]
    tokens, heads = [], []
    hooks = [block.register_forward_pre_hook(lambda block, given: tokens.append(given[0])) for block in blocks]
    hooks += [
        block.attention.projection.register_forward_pre_hook(lambda layer, given: heads.append(given[0]))
        for block in blocks
    ]
    try:
        logits = model(x)
    finally:
        for hook in hooks:
            hook.remove()
    slopes = torch.autograd.grad(_asked(logits, target), heads)
    found = None
    for block, given, slope in zip(blocks, tokens, slopes):
        with torch.no_grad():
            weights, value = block.weights(given), block.attention._heads(block.norm1(given))[2]
        by_weight = slope.unflatten(2, (weights.shape[1], -1)).transpose(1, 2) @ value.mT  # dy/dA of A V
        if found is None:
            found = torch.eye(weights.shape[-1], dtype=x.dtype, device=x.device).expand(len(x), -1, -1)
        found = found + (by_weight * weights).relu().mean(1) @ found
    return found[:, 0, 1:]


def _asked(logits: Float[Tensor, "N classes"], target: Int[Tensor, " N"]) -> Float[Tensor, ""]:
    """The sum of the logits that are asked about: images do not influence each other, so one gradient serves all."""
    return logits.gather(1, target[:, None]).sum()
