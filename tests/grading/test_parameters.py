"""Two modules with the same layers get the same numbers, whatever the layers are called and in which order defined."""

import itertools
from collections import Counter

import torch
from torch import nn
from torch.testing import assert_close

from attention_lab.grading.parameters import MAX_ORDERS, Joined, fill, keys_of, orders, taken_apart, units_of

SEED = 7


def filled(*layers: nn.Module, joined: tuple[Joined, ...] = (), order: int = 0) -> tuple[nn.Module, ...]:
    """The layers with the pool's numbers, in one of the orders that they allow."""
    units = next(taken_apart(units_of(layers), joined))
    fill(next(itertools.islice(orders(units), order, None)), SEED, {})
    return layers


def test_a_layer_gets_the_numbers_of_its_shape_and_rank():
    narrow, wide, second = filled(nn.Linear(5, 3), nn.Linear(5, 4), nn.Linear(5, 3))
    wide_first, narrow_next, second_again = filled(nn.Linear(5, 4), nn.Linear(5, 3), nn.Linear(5, 3))
    assert_close(narrow.weight, narrow_next.weight)
    assert_close(wide.bias, wide_first.bias)
    assert_close(second.weight, second_again.weight)
    assert not torch.equal(narrow.weight, second.weight)


def test_a_1x1_convolution_is_the_linear_layer_it_is():
    (linear,), (convolution,) = filled(nn.Linear(5, 3)), filled(nn.Conv2d(5, 3, 1))
    assert_close(linear.weight, convolution.weight[:, :, 0, 0])
    assert keys_of(units_of([linear])) == keys_of(units_of([convolution]))
    assert keys_of(units_of([linear])) != keys_of(units_of([nn.Conv2d(5, 3, 3)]))


def test_the_statistics_of_a_normalisation_are_filled_and_its_variance_is_positive():
    (norm,) = filled(nn.BatchNorm1d(50))
    assert (norm.running_var > 0).all()
    assert norm.running_mean.any() and norm.bias.any()


def test_like_layers_are_tried_in_every_order_first_as_they_run():
    layers = [nn.Linear(3, 3) for _ in range(3)]
    tried = [filled(*layers, order=i)[0].weight.clone() for i in range(6)]
    assert Counter(sum(torch.equal(a, b) for b in tried) for a in tried) == {2: 6}  # each of three ranks twice
    assert torch.equal(tried[0], filled(nn.Linear(3, 3))[0].weight)
    assert len(list(orders(units_of(layers)))) == 6


def test_of_many_like_layers_not_every_order_is_tried():
    layers = [nn.Linear(2, 2) for _ in range(9)]
    assert len(list(orders(units_of(layers)))) <= MAX_ORDERS
    different = [nn.Linear(2, 2 + i // 5) for i in range(20)]  # four kinds of five: 120^4 orders
    assert len(list(orders(units_of(different)))) == MAX_ORDERS


def test_one_layer_may_hold_what_others_keep_in_three():
    query, key, value = filled(*(nn.Linear(4, 6) for _ in range(3)))
    (fused,) = filled(nn.Linear(4, 18), joined=(Joined((3, 6), 0),))
    assert_close(fused.weight, torch.cat([query.weight, key.weight, value.weight]))
    (by_head,) = filled(nn.Linear(4, 18), joined=(Joined((2, 3, 3), 1),))
    assert_close(by_head.weight.unflatten(0, (2, 3, 3))[:, 1].flatten(0, 1), key.weight)


class Loose(nn.Module):
    def __init__(self):
        super().__init__()
        self.matrix = nn.Parameter(torch.zeros(5, 3))


def test_a_raw_matrix_may_be_meant_either_way_up():
    (linear,) = filled(nn.Linear(5, 3, bias=False))
    (loose,) = filled(Loose(), order=1)
    assert_close(loose.matrix.T, linear.weight)
    assert keys_of(units_of([loose])) == keys_of(units_of([linear]))


def test_layers_that_run_in_turn_move_together():
    a, b = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)
    norm_a, norm_b = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
    assert len(list(orders(units_of([a, norm_a, b, norm_b])))) == 2
    assert len(list(orders(units_of([a, b, norm_a, norm_b])))) == 4
    swapped = filled(a, norm_a, b, norm_b, order=1)
    weights = [layer.weight.clone() for layer in swapped]
    assert_close(weights[:2], [layer.weight for layer in filled(b, norm_b, a, norm_a)[2:]])
