"""Squeeze-and-excitation: a gate for every channel from what the whole image contains."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from attention_lab.mechanisms import SqueezeExcitation, se_residual, squeeze

few = settings(deadline=None, max_examples=25, database=None, derandomize=True)


@pytest.mark.parametrize(("bias", "sizes"), [(True, (8_464, 33_312, 132_160)), (False, (8_192, 32_768, 131_072))])
def test_parameters_are_those_of_the_papers_table(parameters, bias, sizes):
    assert tuple(parameters(SqueezeExcitation(c, bias=bias)) for c in (256, 512, 1024)) == sizes


@pytest.mark.parametrize("size", [(1, 1), (6, 12), (7, 5)])
def test_squeeze_averages_the_whole_map_of_any_size(noise, size):
    x = noise(2, 3, *size)
    assert_close(squeeze(x), x.flatten(2).sum(2) / (size[0] * size[1]))


@pytest.mark.parametrize("bias", [True, False])
def test_the_block_is_its_equation(noise, randomised, bias):
    """s = sigmoid(W2 ReLU(W1 squeeze(x))), output = s x, image by image and with hidden width C // r."""
    x, se = noise(2, 12, 4, 5), randomised(SqueezeExcitation(12, 4, bias))
    first, _, second = se.excitation
    assert first.weight.shape == (3, 12)
    for image, gate, output in zip(x, se.weights(x), se(x)):
        hidden = first.weight @ image.mean((1, 2)) + (first.bias if bias else 0)
        logits = second.weight @ hidden.clamp_min(0) + (second.bias if bias else 0)
        s = 1 / (1 + (-logits).exp())
        assert_close(gate, s[:, None, None])
        assert_close(output, s[:, None, None] * image)


@few
@given(seed=st.integers(0, 2**32 - 1))
def test_gates_lie_between_zero_and_one_and_channels_have_no_order(noise, randomised, seed):
    """Permuting the channels and the weights that belong to them permutes the output."""
    x, se = noise(2, 8, 3, 4, seed=seed), randomised(SqueezeExcitation(8, 2), seed)
    gate = se.weights(x)
    assert gate.shape == (2, 8, 1, 1) and ((0 < gate) & (gate < 1)).all()
    order = torch.randperm(8, generator=torch.Generator().manual_seed(seed))
    permuted = SqueezeExcitation(8, 2).double()
    first, second = se.excitation[0], se.excitation[2]
    permuted.excitation[0].load_state_dict({"weight": first.weight[:, order], "bias": first.bias})
    permuted.excitation[2].load_state_dict({"weight": second.weight[order], "bias": second.bias[order]})
    assert_close(permuted(x[:, order]), se(x)[:, order])


def test_the_gate_ignores_where_things_are(noise, randomised):
    """Pixels may change places: the squeeze keeps their average alone."""
    x, se = noise(2, 8, 3, 4), randomised(SqueezeExcitation(8, 2))
    assert_close(se.weights(x.flatten(2)[:, :, torch.randperm(12)].view_as(x)), se.weights(x))


def test_the_residual_unit_gates_the_branch_and_not_the_skip(noise):
    x, branch = noise(2, 4, 3, 3), nn.Conv2d(4, 4, 1).double()
    assert_close(se_residual(x, branch, lambda y: 0 * y), x)
    assert_close(se_residual(x, branch, lambda y: 0.5 * y), x + 0.5 * branch(x))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 0}, "channels must be an integer of at least 1, got 0"),
        ({"channels": 8.0}, "channels must be an integer of at least 1, got 8.0"),
        ({"channels": 64, "reduction": 0}, "reduction must be an integer of at least 1, got 0"),
        ({"channels": 8}, r"reduction must be at most channels \(8\), got 16"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        SqueezeExcitation(**arguments)


def test_a_hidden_layer_of_one_unit_is_the_smallest(noise):
    assert SqueezeExcitation(8, reduction=8)(noise(1, 8, 2, 2).float()).shape == (1, 8, 2, 2)
