"""CBAM: a gate for every channel, then a gate for every position."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from attention_lab.mechanisms import CBAM, ChannelAttention, SpatialAttention

few = settings(deadline=None, max_examples=25, database=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def assert_same_gradient(ours, theirs, x):
    signal = torch.linspace(-1, 2, ours.numel(), dtype=ours.dtype).view_as(ours)
    assert_close(torch.autograd.grad(ours, x, signal)[0], torch.autograd.grad(theirs, x, signal)[0])


def test_parameters_are_those_of_the_papers_table(parameters):
    assert [parameters(CBAM(c)) for c in (256, 512, 1024)] == [8_564, 33_412, 132_260]
    assert parameters(SpatialAttention()) == 2 * 7 * 7 + 2


@pytest.mark.parametrize("learning", [True, False])
def test_channel_attention_is_its_equation(noise, randomised, learning):
    """M_c = sigmoid(MLP(avg) + MLP(max)): one MLP, applied to each pooled vector by itself.

    Some channels are negative throughout. The maximum is taken in two ways, for speed: with and without gradients.
    """
    x, attention = noise(3, 12, 4, 5) + 3 * noise(1, 12, 1, 1, seed=1), randomised(ChannelAttention(12, 4))
    x.requires_grad_(learning)
    first, _, second = attention.mlp
    assert first.weight.shape == (3, 12) and (x.amax((2, 3)) < 0).any()

    def mlp(pooled):
        return (pooled @ first.weight.T + first.bias).clamp_min(0) @ second.weight.T + second.bias

    logits = mlp(x.mean((2, 3))) + mlp(x.flatten(2).sort(2).values[..., -1])
    expected = (1 / (1 + (-logits).exp()))[:, :, None, None]
    assert_close(attention.weights(x), expected)
    assert_close(attention(x), expected * x)
    if learning:
        assert_same_gradient(attention(x), expected * x, x)


def test_channel_attention_hears_the_maximum_where_the_average_is_silent(randomised):
    """Two images with equal averages and different maxima have different gates."""
    attention = randomised(ChannelAttention(4, 1))
    flat, peaked = torch.zeros(2, 1, 4, 2, 2, dtype=torch.float64)
    peaked[:, :, 0, 0], peaked[:, :, 1, 1] = 3, -3
    assert (attention.weights(flat) - attention.weights(peaked)).abs().max() > 1e-3


@few
@given(seed=seeds)
def test_channel_gates_lie_between_zero_and_one_and_channels_have_no_order(noise, randomised, seed):
    """Permuting the channels and the weights that belong to them permutes the output."""
    x, attention = 0.1 * noise(2, 8, 3, 4, seed=seed), randomised(ChannelAttention(8, 2), seed)
    gate = attention.weights(x)
    assert gate.shape == (2, 8, 1, 1) and ((0 < gate) & (gate < 1)).all()
    order = torch.randperm(8, generator=torch.Generator().manual_seed(seed))
    permuted = ChannelAttention(8, 2).double()
    first, second = attention.mlp[0], attention.mlp[2]
    permuted.mlp[0].load_state_dict({"weight": first.weight[:, order], "bias": first.bias})
    permuted.mlp[2].load_state_dict({"weight": second.weight[order], "bias": second.bias[order]})
    assert_close(permuted(x[:, order]), attention(x)[:, order])


@pytest.mark.parametrize("learning", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kernel_size", [3, 7])
def test_spatial_attention_is_its_equation(noise, randomised, batch_norm, kernel_size, training, learning):
    """M_s = sigmoid(BN(conv([avg; max]))): windows cut by hand, zeros beyond the border, statistics of both modes."""
    x, attention = noise(2, 3, 9, 11).requires_grad_(learning), randomised(SpatialAttention(kernel_size))
    attention.train(training)
    described = torch.stack((x.mean(1), x.sort(1).values[:, -1]), 1)
    pad = kernel_size // 2
    windows = F.pad(described, (pad,) * 4).unfold(2, kernel_size, 1).unfold(3, kernel_size, 1)
    scores = torch.einsum("ncijkl,ckl->nij", windows, attention.conv.weight[0])[:, None]
    expected = 1 / (1 + (-batch_norm(scores, attention.norm)).exp())
    assert_close(attention.weights(x), expected)
    assert_close(attention(x), expected * x)
    if learning:
        assert_same_gradient(attention(x), expected * x, x)


@few
@given(seed=seeds)
def test_spatial_gates_lie_between_zero_and_one_and_ignore_the_order_of_channels(noise, randomised, seed):
    x, attention = 0.1 * noise(2, 5, 6, 8, seed=seed), randomised(SpatialAttention(3), seed).eval()
    gate = attention.weights(x)
    assert gate.shape == (2, 1, 6, 8) and ((0 < gate) & (gate < 1)).all()
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    assert_close(attention.weights(x[:, order]), gate)


def test_spatial_attention_moves_with_the_image(noise, randomised):
    """Away from the border, shifting the image shifts the gate."""
    x, attention = noise(1, 3, 12, 14), randomised(SpatialAttention(3)).eval()
    assert_close(attention.weights(x.roll(2, 3))[..., 1:-1, 3:-1], attention.weights(x)[..., 1:-1, 1:-3])


@pytest.mark.parametrize("training", [True, False])
def test_cbam_gates_channels_first_and_positions_of_what_is_left(noise, randomised, training):
    """Also: weights are the pair of gates, and the output is their product with x."""
    x, cbam = noise(2, 8, 9, 11), randomised(CBAM(8, 2, 3)).train(training)
    refined = x * cbam.channel.weights(x)
    assert_close(cbam(x), refined * cbam.spatial.weights(refined))
    channel, spatial = cbam.weights(x)
    assert channel.shape == (2, 8, 1, 1) and spatial.shape == (2, 1, 9, 11)
    assert_close(cbam(x), x * channel * spatial)


def test_a_closed_gate_leaves_nothing(noise):
    """There is no skip connection inside the block."""
    cbam = CBAM(8, 2).double().eval()
    with torch.no_grad():
        cbam.channel.mlp[2].bias.fill_(-1e4)
    assert_close(cbam(noise(2, 8, 5, 5)), torch.zeros(2, 8, 5, 5, dtype=torch.float64))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ChannelAttention(0), "channels must be an integer of at least 1, got 0"),
        (lambda: ChannelAttention(8), r"reduction must be at most channels \(8\), got 16"),
        (lambda: SpatialAttention(4), "kernel_size must be odd.*got 4"),
        (lambda: SpatialAttention(-1), "kernel_size must be an integer of at least 1, got -1"),
        (lambda: CBAM(64, kernel_size=2), "kernel_size must be odd.*got 2"),
        (lambda: CBAM(64, reduction=65), r"reduction must be at most channels \(64\), got 65"),
    ],
)
def test_bad_arguments_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()
