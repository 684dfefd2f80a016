"""Modules handed to an answer that takes modules as arguments: a question names them, the observer builds them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class StandIn:
    """The name and arguments of a module of this file, with a seed for its parameters: plain data."""

    name: str
    arguments: tuple[Any, ...]
    seed: int = 0

    def build(self) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return BUILDERS[self.name](*self.arguments).double().eval().requires_grad_(False)


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
