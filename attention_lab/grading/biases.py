"""Biases that a statement leaves free: a trusted class of modules, with the biases that an answer has."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache

import torch
from torch import nn

from .observe import Question
from .parameters import NORMS, Key, keys_of, taken_apart, units_of
from .stand_ins import built


def with_biases_of(keys: list[Key], kind: type[nn.Module], question: Question, free: bool) -> Iterator[type[nn.Module]]:
    """The class without some of its layers' biases, so that it has the parameters ``keys``; each way to do that.

    Unless biases are ``free`` that is the class as it is, or nothing.

    A class that cannot be built is given back as it is, so that its error can be seen. Biases of normalisations stay.
    """
    try:
        all_keys, biased = parameters_of(kind, question.build, question.joined)
    except Exception:
        yield kind
        return
    surplus = Counter(all_keys)
    surplus.subtract(keys)
    if any(number < 0 or number > len(biased.get(key, ())) * free for key, number in surplus.items()):
        return
    for dropped in itertools.product(*(itertools.combinations(biased[key], surplus[key]) for key in biased)):
        yield without(kind, tuple(itertools.chain(*dropped)))


@cache
def parameters_of(kind: type[nn.Module], build: tuple, joined: tuple) -> tuple[list[Key], dict[Key, list[str]]]:
    """The keys of a class's parameters, and by key the names of the layers that have a bias."""
    with torch.random.fork_rng(devices=[]):
        module = kind(*built(build, torch.float32))
    biased = defaultdict(list)
    for name, layer in module.named_modules():
        if isinstance(getattr(layer, "bias", None), nn.Parameter) and not isinstance(layer, NORMS):
            biased["", tuple(layer.bias.shape)].append(name)
    return keys_of(next(taken_apart(units_of(module.modules()), joined))), dict(biased)


@cache
def without(kind: type[nn.Module], names: tuple[str, ...]) -> type[nn.Module]:
    class WithoutBiases(kind):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            for name in names:
                self.get_submodule(name).bias = None

    return WithoutBiases if names else kind
