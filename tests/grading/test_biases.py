"""Where a statement leaves biases free, an answer is compared with a right one that has as many parameters."""

import doctest

import torch
from torch import nn

from attention_lab.grading import biases
from attention_lab.grading.biases import bare, without_biases


class Network(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 5)


def remaining(width: int, parameters: int) -> list[set[str]]:
    made = [kind(width) for kind in without_biases(Network, (width,), parameters)]
    assert all(sum(p.numel() for p in module.parameters()) == parameters for module in made)
    return [{name for name, _ in module.named_parameters() if name.endswith("bias")} for module in made]


def test_the_biases_are_left_out_that_the_number_of_parameters_tells():
    full = 3 * 4 + 4 + 8 + 4 * 5 + 5
    assert remaining(4, full) == [{"first.bias", "norm.bias", "second.bias"}]
    assert remaining(4, full - 4) == [{"norm.bias", "second.bias"}]
    assert remaining(4, full - 5) == [{"first.bias", "norm.bias"}]
    assert remaining(4, full - 9) == [{"norm.bias"}]
    assert remaining(4, full - 1) == remaining(4, full - 13) == remaining(4, full + 1) == []


def test_where_several_ways_fit_each_is_given():
    full = 3 * 5 + 5 + 10 + 5 * 5 + 5
    assert remaining(5, full - 5) == [{"norm.bias", "second.bias"}, {"first.bias", "norm.bias"}]


def test_a_class_that_cannot_be_built_is_given_as_it_is():
    class Broken(nn.Module):
        def __init__(self):
            raise RuntimeError

    assert list(without_biases(Broken, (), 3)) == [Broken]


def test_looking_leaves_the_random_state_alone():
    state = torch.random.get_rng_state()
    list(without_biases(Network, (7,), 0))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_example_in_the_docstring_is_true():
    assert doctest.testmod(biases).failed == 0


def biases_of(kind: type) -> set[str]:
    return {name for name, _ in kind(4).named_parameters() if name.endswith("bias")}


def test_only_those_within_a_submodule_are_left_out_where_one_is_named():
    full = 3 * 4 + 4 + 8 + 4 * 5 + 5
    assert list(without_biases(Network, (4,), full, "second")) == [Network]
    assert [biases_of(kind) for kind in without_biases(Network, (4,), full - 5, "second")] == [
        {"first.bias", "norm.bias"}
    ]
    assert list(without_biases(Network, (4,), full - 4, "second")) == []
    assert biases_of(bare(Network, (4,))) == {"norm.bias"}
    assert biases_of(bare(Network, (4,), "second")) == {"first.bias", "norm.bias"}


def test_what_is_not_trained_does_not_count():
    class Frozen(Network):
        def __init__(self, width: int):
            super().__init__(width)
            self.first.weight.requires_grad_(False)

    assert list(without_biases(Frozen, (4,), 4 + 8 + 4 * 5 + 5)) == [Frozen]
