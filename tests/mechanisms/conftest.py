"""What the tests of the mechanisms share: reproducible noise, modules without a default left, batch normalisation."""

import pytest
import torch
from torch import Tensor, nn


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def _noise(*shape: int, seed: int = 0) -> Tensor:
    """Normal noise in float64, the same for the same seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in float64, with every parameter and statistic at random: a weight left at 0 or 1 hides mistakes."""
    module = module.double()
    with torch.no_grad():
        for number, (name, tensor) in enumerate(module.state_dict().items()):
            if name.endswith("running_var"):
                tensor.copy_(0.5 + _noise(*tensor.shape, seed=seed + number) ** 2)
            elif tensor.is_floating_point():
                tensor.copy_(_noise(*tensor.shape, seed=seed + number))
    return module


def _batch_norm(x: Tensor, norm: nn.Module) -> Tensor:
    """Batch normalisation of channels (dimension 1): by the batch in training, by the kept statistics in evaluation."""
    others = [dim for dim in range(x.ndim) if dim != 1]
    mean, variance = norm.running_mean, norm.running_var
    if norm.training:
        mean, variance = x.mean(others), x.var(others, correction=0)
    mean, variance, weight, bias = (
        value.view(-1, *(1,) * (x.ndim - 2)) for value in (mean, variance, norm.weight, norm.bias)
    )
    return (x - mean) / (variance + norm.eps).sqrt() * weight + bias


@pytest.fixture(scope="session")
def noise():
    return _noise


@pytest.fixture(scope="session")
def randomised():
    return _randomised


@pytest.fixture(scope="session")
def batch_norm():
    return _batch_norm


@pytest.fixture(scope="session")
def parameters():
    """The number of trainable parameters of a module."""
    return lambda module: sum(p.numel() for p in module.parameters() if p.requires_grad)
