"""Biases that a statement leaves free: a trusted class of modules with as many parameters as an answer has."""

import itertools
from collections.abc import Iterator
from functools import cache

import torch
from torch import nn

from .parameters import NORMS
from .stand_ins import built


def without_biases(
    kind: type[nn.Module], arguments: tuple, parameters: int, within: str = ""
) -> Iterator[type[nn.Module]]:
    """The class without some of its layers' biases, so that a module has this number of parameters; each way to do that.

    ``within``: the submodule whose layers may go without; the whole module if it is empty.

    A class that cannot be built is given back as it is, so that its error can be seen. Biases of normalisations stay.

    >>> class Two(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.a, self.b, self.c = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 3)
    >>> [[name for name, _ in made().named_parameters() if "bias" in name] for made in without_biases(Two, (), 19)]
    [['b.bias', 'c.bias'], ['a.bias', 'c.bias']]
    """
    try:
        total, biases = sizes(kind, arguments)
    except Exception:
        yield kind
        return
    free = [name for name in biases if name.startswith(within)]
    for number in range(len(free) + 1):
        for dropped in itertools.combinations(free, number):
            if total - sum(biases[name] for name in dropped) == parameters:
                yield without(kind, dropped)


def bare(kind: type[nn.Module], arguments: tuple, within: str = "") -> type[nn.Module]:
    """The class without any of its layers' biases."""
    return without(kind, tuple(name for name in sizes(kind, arguments)[1] if name.startswith(within)))


@cache
def sizes(kind: type[nn.Module], arguments: tuple) -> tuple[int, dict[str, int]]:
    """How many parameters a module of this class has, and how many of them are biases, by the layer's name."""
    with torch.random.fork_rng(devices=[]):
        module = kind(*built(arguments, torch.float32))
    biases = {
        name: layer.bias.numel()
        for name, layer in module.named_modules()
        if isinstance(getattr(layer, "bias", None), nn.Parameter) and not isinstance(layer, NORMS)
    }
    return sum(p.numel() for p in module.parameters() if p.requires_grad), biases


@cache
def without(kind: type[nn.Module], names: tuple[str, ...]) -> type[nn.Module]:
    class WithoutBiases(kind):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            for name in names:
                self.get_submodule(name).bias = None

    return WithoutBiases if names else kind
