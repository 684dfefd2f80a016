"""Efficient channel attention: a gate for every channel from its neighbours."""

import pytest
import torch
from torch.testing import assert_close

from attention_lab.mechanisms import ECA


def test_a_gate_is_the_sigmoid_of_neighbouring_averages(noise, randomised):
    x, eca = noise(2, 9, 3, 4), randomised(ECA(9))
    a, b, c = eca.convolution.weight.flatten()
    z = torch.nn.functional.pad(x.mean((2, 3)), (1, 1))
    gate = (a * z[:, :-2] + b * z[:, 1:-1] + c * z[:, 2:]).sigmoid()
    assert_close(eca.weights(x)[:, :, 0, 0], gate)


@pytest.mark.parametrize(
    ("channels", "k"), [(1, 1), (8, 3), (64, 3), (128, 5), (256, 5), (512, 5), (1024, 5), (2048, 7)]
)
def test_the_kernel_has_the_papers_size_the_larger_one_of_two_that_are_as_near(channels, k, parameters):
    assert parameters(ECA(channels)) == k


@pytest.mark.parametrize(("gamma", "b", "k"), [(1, 1, 7), (2, 3, 5), (3, 1, 3), (1, 0, 7)])
def test_gamma_and_b_decide_too(gamma, b, k, parameters):
    assert parameters(ECA(64, gamma, b)) == k


@pytest.mark.parametrize(
    ("arguments", "message"), [((0,), "channels must"), ((8, 0), "gamma must"), ((8, 1, -9), "got -9")]
)
def test_what_gives_no_kernel_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ECA(*arguments)
