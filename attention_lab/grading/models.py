"""What is recorded of an answer that returns a changed copy of a model: which of its numbers are new.

This file runs beside untrusted code, as ``observe`` does.
"""

import torch
from torch import Tensor, nn

SAME, NEW, UNIFORM, ALIKE, SHUFFLED = range(5)
"""Of a parameter or statistic: as it was; other; a weight that is the same number everywhere; a weight hardly changed; the
numbers that it had, in another order."""


def real_numbers(model: nn.Module) -> dict[str, Tensor]:
    """The parameters and statistics of a model by their names, without counters."""
    return {name: numbers for name, numbers in model.state_dict().items() if numbers.is_floating_point()}


def news(model: nn.Module, before: nn.Module) -> Tensor:
    """For each of the ``real_numbers`` of a model, what it is beside those it had before."""
    pairs = zip(real_numbers(model).values(), real_numbers(before).values(), strict=True)
    return torch.tensor([new(now, was) for now, was in pairs])


def new(now: Tensor, was: Tensor) -> int:
    if now.shape == was.shape and torch.equal(now, was):
        return SAME
    if now.shape == was.shape and torch.equal(now.flatten().sort().values, was.flatten().sort().values):
        return SHUFFLED
    if now.ndim > 1 and now.shape == was.shape:
        if now.numel() > 1 and bool((now == now.flatten()[0]).all()):
            return UNIFORM
        if torch.cosine_similarity(now.flatten(), was.flatten(), dim=0) > 0.8:
            return ALIKE
    return NEW


def seeds(model: nn.Module, again: nn.Module, other: nn.Module) -> Tensor:
    """Whether the same seed gives the same numbers, and another seed others."""

    def the_same(one: nn.Module) -> bool:
        pairs = zip(real_numbers(model).values(), real_numbers(one).values(), strict=True)
        return all(torch.equal(ours, theirs) for ours, theirs in pairs)

    return torch.tensor([int(the_same(again)), int(not the_same(other))])
