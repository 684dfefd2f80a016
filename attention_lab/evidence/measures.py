"""Measures of a heat map: does the model need what is hot, does the map change with the model, does it find the object?

V. Petsiuk, A. Das and K. Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018, section
4.2: deletion and insertion.
J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt and B. Kim, "Sanity Checks for Saliency Maps", NeurIPS 2018:
randomised layers and rank correlation.
J. Zhang, Z. Lin, J. Brandt, X. Shen and S. Sclaroff, "Top-down Neural Attention by Excitation Backprop", ECCV 2016, section
4.1: the pointing game.
"""

import copy
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..data import blurred
from ..mechanisms.arguments import require_positive, require_shape
from ..training import Difference


def deletion(
    model: nn.Module,
    x: Float[Tensor, "N C H W"],
    heat: Float[Tensor, "N H W"],
    target: Int[Tensor, " N"],
    steps: int = 10,
) -> Float[Tensor, "N steps+1"]:
    """The probability of a class while the image is taken away, the hottest places first.

    Entry k: the first k H W // steps positions in the order of the heat, of equal ones those that come first row by row,
    are those of ``blurred(x)``. So entry 0 is for ``x``, the last one for ``blurred(x)``. A map that tells what the model
    needs makes the curve fall fast.

    Args:
        model: (N, C, H, W) -> logits; it is left in evaluation mode.
        heat: of any scale.
        target: the class that each image is asked about.
        steps: number of steps from the whole image to nothing.

    Raises: ValueError if shapes do not fit together or ``steps`` is below 1.
    """
    require_positive(steps=steps)
    if heat.shape != (len(x), *x.shape[2:]):
        raise ValueError(f"heat must be (N, H, W) of x {tuple(x.shape)}, got {tuple(heat.shape)}")
    places = heat[0].numel()
    order = heat.flatten(1).argsort(dim=1, descending=True, stable=True)
    gone = torch.zeros_like(heat, dtype=torch.bool)
    without = blurred(x)
    model.eval()
    curve = []
    with torch.no_grad():
        for step in range(steps + 1):
            gone.view(len(x), places).scatter_(1, order[:, : step * places // steps], True)
            probabilities = model(torch.where(gone[:, None], without, x)).softmax(1)
            curve.append(probabilities.gather(1, target[:, None])[:, 0])
    return torch.stack(curve, 1)


def insertion(
    model: nn.Module,
    x: Float[Tensor, "N C H W"],
    heat: Float[Tensor, "N H W"],
    target: Int[Tensor, " N"],
    steps: int = 10,
) -> Float[Tensor, "N steps+1"]:
    """The probability of a class while the image comes back into ``blurred(x)``, the hottest places first.

    It is ``deletion`` of the coldest first, read from its end. A map that tells what the model needs makes it rise fast.
    Arguments and errors as there; of equally hot positions, the last one comes first.
    """
    return deletion(model, x, -heat, target, steps).flip(1)


def area_under(curve: Float[Tensor, "N steps+1"]) -> Float[Tensor, " N"]:
    """The area under each curve, whose points lie evenly on [0, 1], by trapezoids: its mean height.

    Raises: ValueError if ``curve`` is not (N, points), with two points at least.
    """
    require_shape(curve, "N points", "curve")
    if curve.shape[1] < 2:
        raise ValueError(f"curve must have at least two points, got {curve.shape[1]}")
    return torch.trapezoid(curve, dx=1 / (curve.shape[1] - 1), dim=1)


def pointing_game(heat: Float[Tensor, "N H W"], mask: Float[Tensor, "N H W"] | Bool[Tensor, "N H W"]) -> float:
    """The share of the images whose hottest position lies inside the mask, where it is at least one half.

    Of equally hot positions, the first one row by row counts.

    Raises: ValueError if the shapes differ.
    """
    if heat.shape != mask.shape:
        raise ValueError(f"mask must have the shape of heat {tuple(heat.shape)}, got {tuple(mask.shape)}")
    hottest = heat.flatten(1).argmax(1, keepdim=True)
    return (mask.flatten(1).gather(1, hottest) >= 0.5).double().mean().item()


def randomised(model: nn.Module, names: Sequence[str], seed: int = 0) -> nn.Module:
    """A copy of the model in which some layers know nothing: they are drawn anew, as when they were built.

    Every layer with a ``reset_parameters`` at or below one of the names is reset by it, the statistics of a batch
    normalisation too. The model itself, and torch's random state, stay as they were.

    Args:
        names: of submodules, such as "classify" or "blocks.1".
        seed: of what is drawn.

    Raises: AttributeError for a name that the model does not have.
    """
    made = copy.deepcopy(model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for name in names:
            for layer in made.get_submodule(name).modules():
                if hasattr(layer, "reset_parameters"):
                    layer.reset_parameters()
    return made


def rank_correlation(a: Float[Tensor, "N H W"], b: Float[Tensor, "N H W"]) -> Float[Tensor, " N"]:
    """Spearman's correlation of two maps of each image: the correlation of the ranks of their values.

    Equal values share the mean of their ranks. 1: the same order of places; -1: the opposite; 0: nothing in common, and
    also where a map has the same value everywhere, so no order.

    Raises: ValueError if the shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"b must have the shape of a {tuple(a.shape)}, got {tuple(b.shape)}")
    first, second = (_ranks(heat.flatten(1)) for heat in (a, b))
    first, second = (ranks - ranks.mean(1, keepdim=True) for ranks in (first, second))
    size = (first.square().sum(1) * second.square().sum(1)).sqrt()
    return ((first * second).sum(1) / size.clamp_min(1e-8)).to(a.dtype)


def _ranks(values: Float[Tensor, "N L"]) -> Float[Tensor, "N L"]:
    """From 1; the rank of a value is the mean of the first and the last place that it has in the sorted row."""
    row = values.sort(1).values
    first = torch.searchsorted(row, values.contiguous())
    last = torch.searchsorted(row, values.contiguous(), right=True)
    return (first + last + 1).double() / 2


def verdict(errors_a: Sequence[float], errors_b: Sequence[float]) -> tuple[str, float, float]:
    """Whether model a is "better" (lower errors), "worse" or "undecided", the mean difference and its standard error.

    The course's one rule, ``training.Difference``, with lesson 08's words. At least two seeds.
    """
    apart = Difference.between(errors_a, errors_b)
    return apart.in_words("better", "worse"), apart.mean, apart.standard_error
