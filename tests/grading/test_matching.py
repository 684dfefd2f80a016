"""Two modules that compute the same function get the same numbers in the same places, in whatever layout they hold them."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from attention_lab.grading import matching
from attention_lab.grading.matching import AT_ONCE, EQUAL, ONE_BY_ONE, batch_norm, fill_by_effect, put, refine
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


class Turned(TwoLayers):
    """The same two layers, the second's columns the other way round."""

    def forward(self, x):
        return self.second(self.first(x).relu().flip(-1))


@pytest.mark.parametrize("width", [1, 2, 4, 9])
@pytest.mark.parametrize("how", [AT_ONCE, ONE_BY_ONE])
def test_any_layout_of_two_layers_is_found(width, how):
    x = normal(5, 6).abs()
    usual = output_of(TwoLayers(width), x, SEED, how)
    for kind in (TransposedInOneVector, Turned):
        assert_close(output_of(kind(width), x, SEED, how), usual)


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


class Heads(nn.Module):
    """Self-attention whose heads lie side by side in each layer's numbers."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads, self.layers = heads, nn.ModuleList(nn.Linear(dim, dim) for _ in range(4))

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).movedim(-2, 1)

    def joined(self, x):
        return x.movedim(1, -2).flatten(-2)

    def forward(self, x):
        query, key, value = (self.split(layer(x)) for layer in self.layers[:3])
        return self.layers[3](self.joined((query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1) @ value))


class Interleaved(Heads):
    """The first number of every head comes first, then the second of every head."""

    def split(self, x):
        return x.unflatten(-1, (-1, self.heads)).movedim(-1, 1)

    def joined(self, x):
        return x.movedim(1, -1).flatten(-2)


def test_heads_whose_numbers_lie_interleaved_are_found_by_the_output_alone():
    x = normal(2, 5, 6)
    assert_close(output_of(Interleaved(6, 2), x), output_of(Heads(6, 2), x))


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


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("left_out", ["nothing", "weight", "bias", "statistics"])
def test_a_normalisation_step_by_step_is_that_of_torch(left_out, training):
    mean, variance, weight, bias = normal(4, 3).unbind()
    arguments = {"weight": weight, "bias": bias, left_out: None}
    arguments = {name: arguments[name] for name in ("weight", "bias")}
    statistics = (None, None) if left_out == "statistics" else (mean, variance.abs())
    x, training = normal(2, 3, 4, 5), training or left_out == "statistics"
    expected = F.batch_norm(
        x, *(s if s is None else s.clone() for s in statistics), training=training, eps=0.1, **arguments
    )
    assert_close(batch_norm(x, *statistics, training=training, eps=0.1, **arguments), expected)


def test_slopes_are_the_same_up_to_rounding_only():
    def told_apart(*slopes: float) -> bool:
        return bool(refine(np.zeros(len(slopes), dtype=int), np.array(slopes)).max())

    assert told_apart(1e-4, 1.001e-4) and told_apart(1e4, 1.001e4)
    assert not told_apart(1e4, 1e4 + 1e-5) and not told_apart(1e-4, 1e-4 + 1e-13) and not told_apart(1.0, 1.0)
    assert told_apart(0.0, 1e-9) and refine(np.array([0, 0, 1]), np.array([2.0, 1.0, 0.0])).tolist() == [1, 0, 2]


def test_numbers_without_effect_are_filled_too_and_what_passes_stays_of_moderate_size():
    idle = nn.Linear(50, 40).double()
    before = idle.weight.detach().clone()
    next(fill_by_effect(slots_of([idle]), lambda: [torch.ones(1)], SEED, AT_ONCE))
    assert not torch.isclose(idle.weight, before).any() and len(idle.weight.unique()) == idle.weight.numel()
    module = TwoLayers(9)
    output_of(module, normal(5, 6).abs())
    numbers = torch.cat([p.flatten() for p in module.parameters()])
    assert_close(numbers.std().item(), 2 / len(numbers) ** 0.25, rtol=0.2, atol=0)


class Sums(nn.Module):
    """Every output is moved by the sum of two numbers, which could be exchanged without any other."""

    def __init__(self, outputs: int):
        super().__init__()
        self.one, self.other = nn.Parameter(torch.zeros(outputs)), nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return x + self.one + self.other


def test_many_pairs_on_which_no_other_number_depends_are_told_apart_in_a_few_rounds(monkeypatch: pytest.MonkeyPatch):
    x, rounds = normal(2, 100), []
    one_by_one = output_of(Sums(100), x, how=ONE_BY_ONE)
    monkeypatch.setattr(matching, "put", lambda *given: rounds.append(given) or put(*given))
    assert_close(output_of(Sums(100), x, how=AT_ONCE), one_by_one)
    assert len(rounds) < 30
