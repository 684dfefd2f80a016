"""Two modules that compute the same function get the same numbers in the same places, in whatever layout they hold them."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from attention_lab.grading.matching import AT_ONCE, EQUAL, ONE_BY_ONE, fill_by_effect
from attention_lab.grading.parameters import slots_of
from attention_lab.mechanisms import MultiHeadSelfAttention, SelectiveKernel

SEED = 11


def output_of(module: nn.Module, x: Tensor, seed: int = SEED, how: str = ONE_BY_ONE) -> Tensor:
    """What the module gives with numbers told apart by what they do."""
    module.double().eval()
    slots = slots_of(module.modules())
    next(fill_by_effect(slots, lambda: [module(x)], seed, how))
    return module(x).detach()


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


class TwoLayers(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = nn.Linear(6, width), nn.Linear(width, 3)

    def forward(self, x):
        return self.second(self.first(x).relu())


class TransposedInOneVector(nn.Module):
    """The same two layers, all their numbers in one vector, matrices as (in, out)."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width
        self.numbers = nn.Parameter(torch.zeros(6 * width + width + width * 3 + 3))

    def forward(self, x):
        b2, w2, b1, w1 = self.numbers.split([3, self.width * 3, self.width, 6 * self.width])
        hidden = (x @ w1.view(6, self.width) + b1).relu()
        return hidden @ w2.view(self.width, 3) + b2


@pytest.mark.parametrize("width", [1, 4, 9])
@pytest.mark.parametrize("how", [AT_ONCE, ONE_BY_ONE])
def test_any_layout_of_two_layers_is_found(width, how):
    x = normal(5, 6).abs()
    turned, usual = (output_of(kind(width), x, SEED, how) for kind in (TransposedInOneVector, TwoLayers))
    assert_close(turned, usual)


def test_the_numbers_differ_from_seed_to_seed():
    x = normal(5, 6)
    assert not torch.allclose(output_of(TwoLayers(4), x), output_of(TwoLayers(4), x, seed=SEED + 1))


class LayersForEachHead(nn.Module):
    """Self-attention from small layers in a list, values before keys before queries, one output layer a head."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.values, self.keys, self.queries = (
            nn.ModuleList(nn.Linear(dim, dim // heads) for _ in range(heads)) for _ in range(3)
        )
        self.out = nn.ModuleList(nn.Linear(dim // heads, dim, bias=head == 0) for head in range(heads))

    def forward(self, x):
        total = 0
        for value, key, query, out in zip(self.values, self.keys, self.queries, self.out):
            scores = query(x) @ key(x).mT / math.sqrt(key.out_features)
            total = total + out(scores.softmax(-1) @ value(x))
        return total


@pytest.mark.parametrize(("dim", "heads"), [(6, 2), (12, 3)])
def test_heads_that_are_interchangeable_with_what_belongs_to_them_are_found(dim, heads):
    x = normal(2, 5, dim)
    assert_close(output_of(LayersForEachHead(dim, heads), x), output_of(MultiHeadSelfAttention(dim, heads), x))


def test_another_function_of_as_many_numbers_gives_other_values():
    x = normal(2, 5, 12)
    assert not torch.allclose(output_of(MultiHeadSelfAttention(12, 3), x), output_of(MultiHeadSelfAttention(12, 4), x))


class NormByHand(nn.Module):
    """The selective kernel's branches with batch normalisations that are written out."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.scale, self.shift = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x):
        y = self.conv(x)
        shape = (1, -1, 1, 1)
        y = (y - self.running_mean.view(shape)) / (self.running_var.view(shape) + 1e-5).sqrt()
        return (y * self.scale.view(shape) + self.shift.view(shape)).relu()


def test_the_statistics_of_a_normalisation_are_told_apart_too():
    x = normal(2, 4, 5, 6)
    library = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    assert_close(output_of(NormByHand(4), x), output_of(library, x))


def test_with_equals_left_equal_two_layouts_agree_and_two_functions_do_not():
    x = normal(5, 6).abs()
    assert_close(output_of(TwoLayers(4), x, how=EQUAL), output_of(TransposedInOneVector(4), x, how=EQUAL))
    assert not torch.allclose(output_of(TwoLayers(4), x, how=EQUAL), output_of(TwoLayers(5), x, how=EQUAL))


def test_what_requires_no_gradient_still_requires_none():
    module = SelectiveKernel(8, groups=2)
    module.reduce[0].weight.requires_grad_(False)
    output_of(module, normal(2, 8, 5, 6))
    assert not module.reduce[0].weight.requires_grad
    assert not any(buffer.requires_grad for buffer in module.buffers())
