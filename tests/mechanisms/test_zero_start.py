"""A zero start: a block that changes nothing at first, and learns all the same."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attention_lab.mechanisms import CBAM, ZeroStart
from attention_lab.networks import SmallCNN


def test_a_trained_network_gives_the_same_with_it_and_without(noise):
    network = SmallCNN(width=4).double().eval()
    x = noise(2, 1, 16, 16)
    before = network(x)
    network.attentions[2] = ZeroStart(CBAM(8, 2)).double().eval()
    assert torch.equal(network(x), before)


def test_gamma_weighs_the_block(noise):
    door = ZeroStart(nn.Conv2d(3, 3, 1)).double()
    nn.init.constant_(door.gamma, 0.5)
    x = noise(2, 3, 4, 5)
    assert_close(door(x), x + door.block(x) / 2)


@pytest.mark.parametrize("zeroed", [False, True])
def test_first_gamma_learns_then_the_block_unless_both_are_zero(noise, zeroed):
    door, x = ZeroStart(nn.Conv2d(3, 3, 1)).double(), noise(2, 3, 4, 5)
    if zeroed:
        nn.init.zeros_(door.block.weight)
        nn.init.zeros_(door.block.bias)
    optimizer = torch.optim.SGD(door.parameters(), lr=0.1)
    learned = []
    for _ in range(2):
        optimizer.zero_grad()
        door(x).square().sum().backward()
        learned.append((door.gamma.grad.any().item(), door.block.weight.grad.any().item()))
        optimizer.step()
    assert learned == ([(False, False)] * 2 if zeroed else [(True, False), (True, True)])


def test_it_adds_one_parameter(parameters):
    assert parameters(ZeroStart(nn.Linear(3, 3))) == 13
