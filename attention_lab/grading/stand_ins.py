"""Modules handed to an answer that takes modules as arguments: a question names them, the observer builds them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class StandIn:
    """The name and arguments of something built by this file, with a seed for its parameters: plain data."""

    name: str
    arguments: tuple[Any, ...] = ()
    seed: int = 0

    def build(self) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
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
        if isinstance(value, StandIn):
            value = value.build()
        elif isinstance(value, Part):
            value = done[value.of].get_submodule(value.path)
        if isinstance(value, nn.Module) or (isinstance(value, Tensor) and value.is_floating_point()):
            value = value.to(dtype)
        done.append(value.eval() if isinstance(value, nn.Module) else value)
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


def convolution(channels: int) -> nn.Module:
    """A 3x3 convolution that keeps the shape."""
    return nn.Conv2d(channels, channels, 3, padding=1)


BUILDERS = {"convolution": convolution, "gate": Gate}
