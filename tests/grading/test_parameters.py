"""Two modules with the same layers get the same numbers, whatever the layers are called and in which order defined."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attention_lab.grading.parameters import MEAN, VARIANCE, Slot, fill, numbers_by_kind, slots_of

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


@pytest.mark.parametrize(
    ("shape", "as_layer"),
    [((3, 5, 1, 1), (3, 5)), ((3, 5, 1), (3, 5)), ((3, 1), (3, 1)), ((1,), (1,)), ((), ()), ((3, 5, 2, 1), (3, 5, 2))],
)
def test_a_filter_that_sees_one_place_has_the_shape_of_a_row(shape, as_layer):
    assert Slot("", torch.zeros(shape)).shape == as_layer
    assert Slot("", torch.zeros(4, 3, 1, 2)).shape == (4, 3, 1, 2)


class Buffers(nn.Module):
    """A normalisation by hand, and two buffers that are none of its statistics."""

    def __init__(self):
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(2))
        self.register_buffer("running_var", torch.ones(2))
        self.register_buffer("mean_of_which", torch.zeros(2, dtype=torch.long))
        self.register_buffer("scale", torch.ones(2))


def test_of_buffers_only_the_statistics_are_filled():
    roles = [slot.role for slot in slots_of([Buffers()])]
    assert roles == [MEAN, VARIANCE]


def test_a_layer_gives_its_own_numbers_only_and_those_of_a_normalisation_are_counted_apart():
    assert slots_of([nn.Sequential(nn.BatchNorm1d(3))]) == []
    norms = nn.BatchNorm1d(3), nn.LayerNorm(4), nn.GroupNorm(1, 5)
    assert all(slot.norm for slot in slots_of(norms))
    counted = numbers_by_kind(slots_of([nn.Linear(4, 3), nn.BatchNorm1d(3), Buffers()]))
    norm, by_hand = {("", True, ()): 6, (MEAN, True, ()): 3, (VARIANCE, True, ()): 3}, {(MEAN, False, ()): 2}
    assert counted == {("", False, (4,)): 12, ("", False, ()): 3} | norm | by_hand | {(VARIANCE, False, ()): 2}


def test_what_passes_a_layer_keeps_its_size():
    linear, norm = filled(nn.Linear(400, 200), nn.BatchNorm1d(5000))
    assert_close(linear.weight.std().item(), 0.1, rtol=0.05, atol=0)
    assert_close(norm.weight.std().item(), 1.0, rtol=0.05, atol=0)
    assert abs(linear.weight.mean()) < 0.01
    assert 0.5 <= norm.running_var.min() < 0.6 and 1.4 < norm.running_var.max() <= 1.5
