"""Parameters: which numbers of a module are filled, and with which.

To compare values, two modules must hold the same parameters, whatever their attribute names and order of definition.
They are therefore filled row by row, in the order in which the layers run: a row of a matrix, a filter or one number of
a vector is the next of its kind, which is its role and shape (a filter of a 1x1 convolution is a row of a linear layer).
So one layer of 18 outputs gets the numbers of three layers of 6. Modules that hold their numbers in other layouts are
brought together by what each number does: see ``matching``.
"""

import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

MEAN, VARIANCE = "mean", "variance"
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


class Slot(NamedTuple):
    """A tensor to be filled: a parameter (role "") or a statistic of a normalisation (MEAN or VARIANCE).

    norm: whether it belongs to a normalisation of torch's.
    """

    role: str
    tensor: Tensor
    norm: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape, where (out, in, 1, 1) is the (out, in) of a linear layer."""
        shape = tuple(self.tensor.shape)
        while len(shape) > 2 and shape[-1] == 1:
            shape = shape[:-1]
        return shape


def slots_of(layers: Iterable[nn.Module]) -> list[Slot]:
    """What is filled in these layers, in their order, each tensor once."""
    slots: dict[int, Slot] = {}
    for layer in layers:
        norm = isinstance(layer, NORMS)
        for parameter in layer.parameters(recurse=False):
            slots.setdefault(id(parameter), Slot("", parameter, norm))
        for name, buffer in layer.named_buffers(recurse=False):
            if buffer.is_floating_point() and (role := role_of_buffer(name)):
                slots.setdefault(id(buffer), Slot(role, buffer, norm))
    return list(slots.values())


def numbers_by_kind(slots: list[Slot]) -> Counter[tuple]:
    """How many numbers there are of each kind of row, those of normalisations apart."""
    numbers = Counter()
    for slot in slots:
        numbers[slot.role, slot.norm, slot.shape[1:]] += slot.tensor.numel()
    return numbers


def role_of_buffer(name: str) -> str:
    """Statistics are known by torch's names for them, running_mean and running_var."""
    return MEAN if "mean" in name else VARIANCE if "var" in name else ""


def fill(slots: list[Slot], seed: int) -> None:
    """Fill each slot with the next rows of its kind: normal numbers that keep the size of what passes through a layer."""
    kinds: dict[tuple, list[Tensor]] = defaultdict(list)
    for slot in slots:
        kinds[slot.role, slot.shape[1:]].append(slot.tensor)
    with torch.no_grad():
        for (role, row), tensors in kinds.items():
            sizes = [tensor.numel() for tensor in tensors]
            for tensor, numbers in zip(tensors, drawn(seed, role, row, sum(sizes)).split(sizes)):
                tensor.copy_(numbers.view(tensor.shape))


@lru_cache(512)
def drawn(seed: int, role: str, row: tuple[int, ...], count: int) -> Tensor:
    """The first numbers of one kind."""
    stream = np.random.default_rng([seed, zlib.crc32(repr((role, row)).encode())])
    if role == VARIANCE:
        return torch.from_numpy(0.5 + stream.random(count))
    return torch.from_numpy(stream.standard_normal(count) * 2 / math.sqrt(math.prod(row) if row else 4))
