"""Two modules with the same layers get the same numbers, whatever the layers are called and in which order defined."""

import torch
from torch import nn
from torch.testing import assert_close

from attention_lab.grading.parameters import fill, slots_of

SEED = 7


def filled(*layers: nn.Module) -> tuple[nn.Module, ...]:
    fill(slots_of(layers), SEED)
    return layers


def test_a_layer_gets_the_next_rows_of_its_kind():
    narrow, wide, second = filled(nn.Linear(5, 3), nn.Linear(4, 4), nn.Linear(5, 3))
    wide_first, narrow_next, second_again = filled(nn.Linear(4, 4), nn.Linear(5, 3), nn.Linear(5, 3))
    assert_close(narrow.weight, narrow_next.weight)
    assert_close(second.weight, second_again.weight)
    assert_close(wide.weight, wide_first.weight)
    assert not torch.equal(narrow.weight, second.weight)


def test_one_layer_gets_the_numbers_of_the_three_that_it_stands_for():
    query, key, value = filled(*(nn.Linear(4, 6) for _ in range(3)))
    (fused,) = filled(nn.Linear(4, 18))
    assert_close(fused.weight, torch.cat([query.weight, key.weight, value.weight]))
    assert_close(fused.bias, torch.cat([query.bias, key.bias, value.bias]))


def test_a_1x1_convolution_is_the_linear_layer_it_is():
    (linear,), (convolution,) = filled(nn.Linear(5, 3)), filled(nn.Conv2d(5, 3, 1))
    assert_close(linear.weight, convolution.weight[:, :, 0, 0])


def test_the_statistics_of_a_normalisation_are_filled_and_its_variance_is_positive():
    (norm,) = filled(nn.BatchNorm1d(50))
    assert (norm.running_var > 0).all() and not torch.equal(norm.running_var, torch.ones(50))
    assert norm.running_mean.any() and norm.bias.any()
    assert not norm.num_batches_tracked


def test_a_tensor_in_two_layers_is_filled_once():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    assert len(slots_of([first, second])) == 3
