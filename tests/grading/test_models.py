"""What is recorded of an answer that returns a model says which of its numbers are new."""

import copy

import pytest
import torch
from torch import nn

from attention_lab.grading.models import ALIKE, NEW, SAME, SHUFFLED, UNIFORM, news, real_numbers, seeds


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6))


@pytest.mark.parametrize(
    ("change", "weight", "mean"),
    [
        (lambda layer: None, SAME, SAME),
        (lambda layer: layer[0].reset_parameters(), NEW, SAME),
        (lambda layer: layer[1].running_mean.add_(1), SAME, NEW),
        (lambda layer: layer[0].weight.zero_(), UNIFORM, SAME),
        (lambda layer: layer[0].weight.mul_(1.1), ALIKE, SAME),
        (lambda layer: layer[0].weight.copy_(layer[0].weight.flatten().flip(0).view(6, 2, 3, 3)), SHUFFLED, SAME),
    ],
    ids=["nothing", "drawn", "statistics", "zeros", "scaled", "turned round"],
)
def test_each_number_is_the_same_or_new_and_how(change, weight, mean):
    before = network()
    now = copy.deepcopy(before)
    with torch.no_grad():
        change(now)
    found = dict(zip(real_numbers(now), news(now, before).tolist()))
    assert (found["0.weight"], found["1.running_mean"]) == (weight, mean)
    assert "1.num_batches_tracked" not in found


def test_a_seed_is_used_if_it_alone_decides_the_numbers():
    def drawn(seed: int) -> nn.Module:
        model = network()
        torch.manual_seed(seed)
        model[0].reset_parameters()
        return model

    assert seeds(drawn(1), drawn(1), drawn(2)).tolist() == [1, 1]
    assert seeds(drawn(1), drawn(2), drawn(1)).tolist() == [0, 0]
