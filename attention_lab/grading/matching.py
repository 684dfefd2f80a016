"""Matching: which number of a module is which, found by what each one does.

Two modules that compute the same function may hold their parameters in any layout: four matrices or one, a list of small
layers or a (heads, dim, d) tensor, transposed, in any order. So the numbers are ranked by nothing but the function. All
start as equals. Then, again and again, each gets the number of its rank, and equals are ranked by the slope of the output
in each of them: what does a different thing has a different slope (colour refinement, as graphs are compared: Weisfeiler
and Leman 1968). Numbers that stay equals are interchangeable, as hidden units are: they are ranked as they are kept, all
at once or, carefully, one before the others, whichever, so that what belongs to it follows before the next is ranked.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from .parameters import MEAN, VARIANCE, Slot

SIZES = {
    "": 0.03,
    MEAN: -0.3,
    VARIANCE: 0.7,
}  # hidden units are open, and what passes many layers stays of moderate size
MAX_ROUNDS = 1000
SAME = 1e-7  # relative difference of two slopes that are the same up to rounding
NOTHING = 1e-11  # of the largest slope


class StatisticsToo(TorchFunctionMode):
    """Batch normalisation in eval mode computed step by step, so that its mean and variance have slopes as well."""

    def __torch_function__(self, function: Callable, types: object, args: tuple = (), kwargs: dict | None = None):
        if function is F.batch_norm:
            return batch_norm(*args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))


def batch_norm(x, mean, variance, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5) -> Tensor:
    if training or mean is None:
        return torch.batch_norm(x, weight, bias, mean, variance, training, momentum, eps, False)
    shape = (1, -1, *[1] * (x.ndim - 2))
    normal = (x - mean.view(shape)) / (variance.view(shape) + eps).sqrt()
    return normal * (1 if weight is None else weight.view(shape)) + (0 if bias is None else bias.view(shape))


class Way(NamedTuple):
    """How numbers are told apart: by the values of which records, and what becomes of those that are interchangeable.

    EQUAL: they stay equals, which tells at little cost whether two modules can be the same at all.
    AT_ONCE: they are ranked as they are kept. ONE_BY_ONE: so that what belongs to each follows; this takes longest.
    """

    records: tuple[str, ...]
    interchangeable: str


EQUAL, AT_ONCE, ONE_BY_ONE = "equal", "at once", "one by one"


def fill_by_effect(
    slots: list[Slot], values: Callable[[], list[Tensor]], seed: int, interchangeable: str, times: int = 1
) -> Iterator[None]:
    """Fill the slots, several times, with numbers that depend on what each does to ``values()``, not on where it is kept.

    Unless interchangeable ones stay equals, numbers without effect get numbers of their own too, so that nothing is right
    only because it is never seen.
    """
    ranked, number = ranks(slots, values, seed, interchangeable)
    if interchangeable != EQUAL:
        ranked = refine(ranked, np.arange(len(ranked)))
    generator = Generator("cpu").manual_seed(seed)
    for _ in range(times):
        normal = torch.randn(len(ranked), generator=generator, dtype=torch.float64)
        positive = 0.5 + torch.rand(len(ranked), generator=generator, dtype=torch.float64)
        put(slots, ranked, {"": normal * 2 / max(number, 1) ** 0.25, MEAN: normal, VARIANCE: positive})
        yield


def fill_alike(slots: list[Slot]) -> None:
    """Give all numbers of one role the same value: what a module then does tells nothing of where they are kept."""
    with torch.no_grad():
        for slot in slots:
            slot.tensor.fill_(SIZES[slot.role])


def ranks(
    slots: list[Slot], values: Callable[[], list[Tensor]], seed: int, interchangeable: str
) -> tuple[np.ndarray, int]:
    """A rank for each number in the slots, one slot after the other, and how many have an effect; the others come last.

    The numbers tried are positive, and the means negative, which are subtracted, so that hidden units are open.
    """
    places = {"": 0, MEAN: 1, VARIANCE: 2}
    ranked = dense(np.concatenate([np.full(slot.tensor.numel(), places[slot.role]) for slot in slots]))
    together = 1
    for round in range(MAX_ROUNDS):
        generator = Generator("cpu").manual_seed(seed + round)
        positive = 0.5 + torch.rand(len(ranked), generator=generator, dtype=torch.float64)
        put(slots, ranked, {role: positive * number for role, number in SIZES.items()})
        slopes = slopes_of(slots, values, generator)
        refined = refine(ranked, slopes)
        settled = refined.max() == ranked.max()
        ranked = refined
        if not settled:
            together = 1
            continue
        has_effect = np.abs(slopes) > NOTHING * np.abs(slopes).max()
        equals = np.flatnonzero((np.bincount(ranked) > 1)[ranked] & has_effect)
        if interchangeable == EQUAL or not len(equals):
            return dense(ranked + ~has_effect * len(ranked)), int(has_effect.sum())
        if interchangeable == ONE_BY_ONE:
            first = equals[ranked[equals] == ranked[equals].min()][:1]
        else:
            first = equals[np.isin(ranked[equals], largest(ranked[equals], together))]
            together *= 2  # until others follow: a class on which none depends is mostly one of many
        order = np.zeros(len(ranked))
        order[first] = np.arange(-len(first), 0)
        ranked = refine(ranked, order)
    raise RuntimeError(f"{len(ranked)} numbers are not told apart in {MAX_ROUNDS} rounds")


def put(slots: list[Slot], ranked: np.ndarray, numbers: dict[str, Tensor]) -> None:
    """Give every number in the slots the one that belongs to its role and rank."""
    places, start = torch.from_numpy(ranked), 0
    with torch.no_grad():
        for slot in slots:
            end = start + slot.tensor.numel()
            slot.tensor.copy_(numbers[slot.role][places[start:end]].view(slot.tensor.shape))
            start = end


def slopes_of(slots: list[Slot], values: Callable[[], list[Tensor]], generator: Generator) -> np.ndarray:
    """The slope of a random sum of the values in every number of the slots; 0 where it does not depend on it."""
    tensors = [slot.tensor for slot in slots]
    trained = [tensor.requires_grad for tensor in tensors]
    for tensor in tensors:
        tensor.requires_grad_(True)
    try:
        with torch.enable_grad(), StatisticsToo() if any(slot.role for slot in slots) else nullcontext():
            total = sum((weights_for(value, generator) * value.flatten()).sum() for value in values())
            slopes = (
                torch.autograd.grad(total, tensors, allow_unused=True) if total.requires_grad else [None] * len(slots)
            )
    finally:
        for tensor, was in zip(tensors, trained):
            tensor.requires_grad_(was)
    flat = [torch.zeros_like(t) if slope is None else slope for t, slope in zip(tensors, slopes)]
    return torch.cat([slope.detach().double().flatten() for slope in flat]).numpy()


def weights_for(value: Tensor, generator: Generator) -> Tensor:
    return torch.randn(value.numel(), generator=generator, dtype=torch.float64).to(value.dtype)


def refine(colours: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Ranks in which those of equal rank are told apart by their slopes."""
    order = np.lexsort((slopes, colours))
    sorted_colours, sorted_slopes = colours[order], slopes[order]
    gaps = np.diff(sorted_slopes)
    size = np.maximum(np.abs(sorted_slopes[1:]), np.abs(sorted_slopes[:-1]))
    new = (np.diff(sorted_colours) != 0) | (gaps > SAME * size + NOTHING * np.abs(slopes).max())
    refined = np.empty_like(colours)
    refined[order] = np.concatenate([[0], np.cumsum(new)])
    return refined


def largest(colours: np.ndarray, number: int) -> np.ndarray:
    """So many of the colours, those first that most have."""
    found, counts = np.unique(colours, return_counts=True)
    return found[np.argsort(-counts, kind="stable")][:number]


def dense(colours: np.ndarray) -> np.ndarray:
    return np.unique(colours, return_inverse=True)[1]
