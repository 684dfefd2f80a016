"""Modules handed to an answer that takes modules as arguments: a question names them, the observer builds them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class StandIn:
    """The name and arguments of something built by this file, with a seed for its parameters: plain data.

    training: a module is handed over in training mode, not in evaluation mode.
    """

    name: str
    arguments: tuple[Any, ...] = ()
    seed: int = 0
    training: bool = False

    def __str__(self) -> str:
        return self.name

    def build(self) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            return BUILDERS[self.name](*self.arguments)


@dataclass(frozen=True)
class Part:
    """A submodule of the question's input number ``of``, for an answer that takes a model and one of its layers."""

    of: int
    path: str


def built(values: tuple[Any, ...], dtype: torch.dtype) -> tuple[Any, ...]:
    """The values with stand-ins built, parts looked up, and every real number in ``dtype``."""
    done: list[Any] = []
    for value in values:
        training = isinstance(value, StandIn) and value.training
        if isinstance(value, StandIn):
            value = value.build()
        elif isinstance(value, Part):
            value = done[value.of].get_submodule(value.path)
        if isinstance(value, nn.Module) or (isinstance(value, Tensor) and value.is_floating_point()):
            value = value.to(dtype)
        done.append(value.train(training) if isinstance(value, nn.Module) else value)
    return tuple(done)


class Gate(nn.Module):
    """A channel gate like any other: sigmoid of a linear map of the channel means."""

    def __init__(self, channels: int):
        super().__init__()
        self.scores = nn.Linear(channels, channels)

    def weights(self, x: Tensor) -> Tensor:
        return self.scores(x.mean((2, 3))).sigmoid()[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights(x)


class TwoGates(nn.Module):
    """A channel gate and a spatial gate one after the other, as in CBAM, in one order or the other.

    Either gate is of the average, of the maximum or of both; what it does with them is random. A sine never saturates as
    a ReLU or a sigmoid of large scores does, so the second gate always shows what the first one did.
    """

    def __init__(self, first: str, statistics: str, channels: int, size: int):
        super().__init__()
        self.positions_first = first == "positions"
        self.statistics = statistics
        maps = 2 if statistics == "both" else 1
        self.reduce, self.expand = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.convolution = nn.Conv2d(maps, 1, size, padding=size // 2, bias=False)
        with torch.no_grad():
            for p in self.parameters():
                p.copy_(torch.randn(p.shape) * 2 / max(1, p[0].numel()) ** 0.5)

    def pooled(self, x: Tensor, axes: tuple[int, ...]) -> list[Tensor]:
        both = {"average": x.mean(axes, keepdim=True), "maximum": x.amax(axes, keepdim=True)}
        return [pooled for name, pooled in both.items() if self.statistics in (name, "both")]

    def channels_gated(self, x: Tensor) -> Tensor:
        scores = sum(self.expand(self.reduce(pooled.flatten(1)).sin()) for pooled in self.pooled(x, (2, 3)))
        return x * self.gate(scores)[:, :, None, None]

    def positions_gated(self, x: Tensor) -> Tensor:
        return x * self.gate(self.convolution(torch.cat(self.pooled(x, (1,)), 1)))

    def gate(self, scores: Tensor) -> Tensor:
        return (2 * scores.sin()).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        if self.positions_first:
            return self.channels_gated(self.positions_gated(x))
        return self.positions_gated(self.channels_gated(x))


def convolution(channels: int) -> nn.Module:
    """A 3x3 convolution that keeps the shape."""
    return nn.Conv2d(channels, channels, 3, padding=1)


def stack(*layers: tuple) -> nn.Sequential:
    """Layers of torch.nn one after the other: (name, arguments ...), with a dictionary of keywords at the end if any.

    ("Sequential", layer, ...) is a stack in the stack.
    """
    built = []
    for name, *arguments in layers:
        keywords = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        make = stack if name == "Sequential" else getattr(nn, name)
        built.append(make(*arguments, **keywords))
    return nn.Sequential(*built)


def frozen(*layers: tuple) -> nn.Sequential:
    """A stack whose first layer is not trained."""
    made = stack(*layers)
    made[0].requires_grad_(False)
    return made


def repeated(times: int, *layers: tuple) -> nn.Sequential:
    """The same stack, with the same parameters, called several times."""
    return nn.Sequential(*[stack(*layers)] * times)


def tied(*layers: tuple) -> nn.Sequential:
    """A stack whose first and last layer, each a module of its own, share one weight."""
    made = stack(*layers)
    made[-1].weight = made[0].weight
    return made


class Scaled(nn.Sequential):
    """A stack whose output is multiplied by numbers that it trains itself."""

    def __init__(self, scales: int, *layers: nn.Module):
        super().__init__(*layers)
        self.scale = nn.Parameter(torch.rand(scales))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.scale.mean()


class Unique(nn.Sequential):
    """A stack that cannot be copied: whoever is given it must keep the stack itself."""

    def __deepcopy__(self, memo: dict) -> None:
        raise RuntimeError("this block is not to be copied")


def unique(*layers: tuple) -> nn.Sequential:
    return Unique(*stack(*layers))


def scaled(scales: int, *layers: tuple) -> nn.Sequential:
    return Scaled(scales, *stack(*layers))


def one_sided(*layers: tuple) -> nn.Sequential:
    """A stack in which every input of the last, linear layer speaks against class 0 and for class 1."""
    made = stack(*layers)
    with torch.no_grad():
        made[-1].weight[0] = -made[-1].weight[0].abs() - 0.1
        made[-1].weight[1] = made[-1].weight[1].abs() + 0.1
    return made


def loud(*layers: tuple) -> nn.Sequential:
    """A stack whose last layer puts out a thousand times as much, so that no small number added to it shows."""
    made = stack(*layers)
    with torch.no_grad():
        made[-1].weight *= 1000
    return made


def trained(*layers: tuple) -> nn.Sequential:
    """A stack none of whose numbers is as in a fresh one, those of normalisations and their statistics neither.

    They are uniform: normal ones differ in the last bit between processors, and an observer's may count as another.
    """
    made = stack(*layers)
    with torch.no_grad():
        for number in (n for n in made.state_dict().values() if n.is_floating_point()):
            drawn = torch.rand(number.shape)
            bound = 3 / max(1, number[0].numel()) ** 0.5
            number.copy_((2 * drawn - 1) * bound if number.ndim > 1 else 1.5 * drawn + 0.25)
    return made


BUILDERS = {
    "convolution": convolution,
    "gate": Gate,
    "Gate": lambda: Gate,
    "two gates": TwoGates,
    "stack": stack,
    "frozen": frozen,
    "repeated": repeated,
    "tied": tied,
    "scaled": scaled,
    "unique": unique,
    "one-sided": one_sided,
    "loud": loud,
    "trained": trained,
}
