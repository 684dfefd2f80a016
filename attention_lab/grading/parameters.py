"""Parameters: their kinds, their order and the values they are filled with.

To compare values, two modules must hold the same parameters, whatever their attribute names and order of definition.
Every parameter is therefore filled from a pool: its numbers are a function of the question's seed, of the parameter's
role and shape (a 1x1 convolution counts as the linear layer it is) and of its rank among the parameters of that kind,
in the order in which the layers run. Where layers are alike, so that more than one order is possible, each is tried.
"""

import itertools
import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

MAX_ORDERS = 256
MAX_SHUFFLED = 5  # layers of one kind, of which all orders are tried

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)

Key = tuple[str, tuple[int, ...]]
Places = tuple[int, ...]  # of the layers that are moved together


class Joined(NamedTuple):
    """A layer that stands for several alike: its outputs, seen as a grid of ``sizes``, count them along one axis.

    Queries, keys and values of width 6 from one layer of 18 outputs: ((3, 6), 0); of two heads, head by head:
    ((2, 3, 3), 1).
    """

    sizes: tuple[int, ...]
    axis: int


class Slot(NamedTuple):
    """A parameter or batch statistic to be filled. A loose one belongs to no layer of torch's."""

    role: str
    shape: tuple[int, ...]
    tensor: Tensor
    loose: bool

    @property
    def key(self) -> Key:
        return self.role, self.shape

    @property
    def either_way_up(self) -> Key:
        return self.role, tuple(sorted(self.shape)) if len(self.shape) == 2 else self.shape

    def apart(self, joined: Joined) -> list["Slot"]:
        """The slots that this one holds, laid out as ``joined`` says; a loose matrix may hold them (in, out)."""
        whole = self if self.shape[0] == math.prod(joined.sizes) else self.turned()
        shape = (math.prod(joined.sizes) // joined.sizes[joined.axis], *whole.shape[1:])
        tensors = whole.tensor.unflatten(0, joined.sizes).unbind(joined.axis)
        return [Slot(self.role, shape, tensor, loose=False) for tensor in tensors]

    def turned(self) -> "Slot":
        """A loose matrix may be meant as (in, out), for x @ W."""
        if not self.loose or len(self.shape) != 2:
            return self
        return self._replace(shape=self.shape[::-1], tensor=self.tensor.T)


def keys_of(units: list[list[Slot]]) -> list[Key]:
    return sorted((slot.either_way_up for unit in units for slot in unit), key=repr)


def units_of(layers: Iterable[nn.Module]) -> list[list[Slot]]:
    """The slots, a unit for each layer."""
    units = []
    for layer in layers:
        tensors = dict(layer.named_parameters(recurse=False))
        if isinstance(layer, NORMS):
            tensors |= {name: b for name, b in layer.named_buffers(recurse=False) if b.is_floating_point()}
        loose = not type(layer).__module__.startswith("torch.nn")
        slots = [slot(layer, name, tensor.detach(), loose) for name, tensor in tensors.items()]
        units += [[one] for one in slots] if loose else [slots]
    return [unit for unit in units if unit]


def slot(layer: nn.Module, name: str, tensor: Tensor, loose: bool) -> Slot:
    """A slot's role matters in a normalisation only; (out, in, 1, 1) is the (out, in) of a linear layer."""
    shape = tuple(tensor.shape)
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    return Slot(name if isinstance(layer, NORMS) else "", shape, tensor.view(shape), loose)


def taken_apart(units: list[list[Slot]], joined: tuple[Joined, ...]) -> Iterator[list[list[Slot]]]:
    """The units with layers that stand for several alike taken apart, in each way that their sizes allow."""

    def ways(unit: list[Slot]) -> list[list[list[Slot]]]:
        parts = [
            [slot.apart(layout) for slot in unit]
            for layout in joined
            if all(math.prod(layout.sizes) in (*slot.shape[:1], *slot.turned().shape[:1]) for slot in unit)
        ]
        return [list(map(list, zip(*slots))) for slots in parts] or [[unit]]

    yield from map(flat, itertools.product(*map(ways, units)))


def orders(units: list[list[Slot]]) -> Iterator[list[list[Slot]]]:
    """The units as they run, then every other order that differs only in units of the same kind."""
    turned = [[slot.turned() for slot in unit] for unit in units]
    can_turn = any(slot.loose and len(slot.shape) == 2 for unit in units for slot in unit)
    for turn in [units, turned] if can_turn else [units]:
        alike = defaultdict(list)
        for place, unit in enumerate(turn):
            alike[tuple(slot.key for slot in unit)].append((place,))
        groups = in_step(alike.values())
        places = flat(flat(groups))
        for shuffle in itertools.islice(itertools.product(*map(shuffled, groups)), MAX_ORDERS):
            taken = dict(zip(places, flat(flat(shuffle))))
            yield [turn[taken[place]] for place in range(len(turn))]


def in_step(kinds: Iterable[list[Places]]) -> list[list[Places]]:
    """Kinds of layer that run in turn, a convolution, its normalisation, a convolution, ..., are one kind of pairs."""
    groups: list[list[Places]] = []
    for places in kinds:
        for i, group in enumerate(groups):
            run = flat(zip(group, places))
            if len(group) == len(places) and flat(run) == sorted(flat(run)):
                groups[i] = [(*first, *then) for first, then in zip(group, places)]
                break
        else:
            groups.append(places)
    return groups


def flat(lists: Iterable[Iterable]) -> list:
    return list(itertools.chain(*lists))


def shuffled(places: list[Places]) -> Iterator[tuple[Places, ...]]:
    """All orders of a few places; of many, those of two to four kinds in turn, or of one kind after the other."""
    if len(places) <= MAX_SHUFFLED:
        yield from itertools.permutations(places)
        return
    yield tuple(places)
    for kinds in (kinds for kinds in (2, 3, 4) if len(places) % kinds == 0):
        number = len(places) // kinds
        for order in itertools.permutations(range(kinds)):
            yield tuple(places[kinds * i + kind] for i in range(number) for kind in order)
            yield tuple(places[number * kind + i] for i in range(number) for kind in order)


def fill(units: list[list[Slot]], seed: int, pool: dict[tuple, Tensor]) -> None:
    """Fill the slots with the numbers of their kinds and ranks, which ``pool`` keeps for the next time."""
    ranks = Counter()
    with torch.no_grad():
        for slot in itertools.chain(*units):
            place = slot.key, ranks[slot.key]
            if place not in pool:
                pool[place] = drawn(seed, *place)
            slot.tensor.copy_(pool[place].view(slot.tensor.shape))
            ranks[slot.key] += 1


def drawn(seed: int, key: Key, rank: int) -> Tensor:
    """The pool's numbers for the parameter of this kind and rank."""
    role, shape = key
    generator = Generator().manual_seed(zlib.crc32(repr((seed, key, rank)).encode()))
    if role in ("weight", "running_var"):
        return 0.5 + torch.rand(shape, generator=generator, dtype=torch.float64)
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else 4
    return torch.randn(shape, generator=generator, dtype=torch.float64) * 2 / math.sqrt(fan_in)
