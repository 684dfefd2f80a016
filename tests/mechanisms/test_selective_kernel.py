"""Selective kernels: convolutions of several reaches, and every channel's choice between them."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from attention_lab.mechanisms import SelectiveKernel, branch_softmax, selective_kernel

few = settings(deadline=None, max_examples=25, database=None, derandomize=True)


@pytest.mark.parametrize(("channels", "branches", "groups"), [(64, 2, 32), (256, 2, 32), (1024, 3, 32), (64, 4, 1)])
def test_parameters_follow_from_the_paper(parameters, channels, branches, groups):
    """M convolutions and their norms, W and its norm, M times A; d = max(C / 16, 32); no biases."""
    d = max(channels // 16, 32)
    convolutions = branches * (9 * channels * channels // groups + 2 * channels)
    choice = channels * d + 2 * d + branches * d * channels
    assert parameters(SelectiveKernel(channels, branches, groups=groups)) == convolutions + choice


@pytest.mark.parametrize(
    ("channels", "reduction", "min_width", "width"), [(64, 16, 32, 32), (1024, 16, 32, 64), (64, 4, 8, 16)]
)
def test_the_hidden_width_is_a_share_of_the_channels_but_not_below_the_minimum(channels, reduction, min_width, width):
    block = SelectiveKernel(channels, reduction=reduction, min_width=min_width)
    assert block.reduce[0].weight.shape == (width, channels)


@few
@given(seed=st.integers(0, 2**32 - 1), branches=st.integers(1, 4))
def test_branch_weights_are_positive_and_sum_to_one_over_the_branches(noise, seed, branches):
    """Each channel chooses by itself: its weights depend on its own logits alone."""
    logits = noise(2, branches, 5, seed=seed)
    weights = branch_softmax(logits)
    assert (weights > 0).all()
    assert_close(weights.sum(1), torch.ones(2, 5, dtype=torch.float64))
    assert_close(branch_softmax(logits[1:, :, 2:3]), weights[1:, :, 2:3])
    assert_close(weights, logits.exp() / logits.exp().sum(1, keepdim=True))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("branches", "groups", "stride", "dilations"),
    [(2, 4, 1, None), (3, 2, 1, None), (2, 1, 2, (1, 3)), (1, 8, 1, None)],
)
def test_the_block_is_its_equations(noise, randomised, batch_norm, branches, groups, stride, dilations, training):
    """Split, fuse and select: the sum of the maps squeezed, as in the paper, and every exponential written out."""
    x = noise(3, 8, 9, 12)
    block = SelectiveKernel(8, branches, 4, groups, min_width=3, stride=stride, dilations=dilations)
    block = randomised(block).train(training)
    features = []
    for (conv, norm, _), d in zip(block.branches, dilations or range(1, branches + 1), strict=True):
        u = F.conv2d(F.pad(x, (d,) * 4), conv.weight, stride=stride, dilation=d, groups=groups)
        features.append(batch_norm(u, norm).clamp_min(0))
    squeezed = torch.stack(features).sum(0).mean((2, 3))
    z = batch_norm(squeezed @ block.reduce[0].weight.T, block.reduce[1]).clamp_min(0)
    scores = [(z @ a.T).exp() for a in block.score.weight.chunk(branches)]
    weights = [score / sum(scores) for score in scores]
    expected = sum(weight[:, :, None, None] * u for weight, u in zip(weights, features))
    assert_close(block.weights(x), torch.stack(weights, 1)[..., None, None])
    assert_close(block(x), expected)
    assert expected.shape == ((3, 8, 9, 12) if stride == 1 else (3, 8, 5, 6))


def test_a_decided_choice_returns_that_branch(noise, randomised):
    """Weights of 1 and 0 give back the chosen branch, not a share of the sum."""
    x, block = noise(2, 8, 7, 7), randomised(SelectiveKernel(8, groups=2)).eval()
    with torch.no_grad():
        block.reduce[1].weight.zero_()
        block.reduce[1].bias.fill_(1)  # z = 1
        for chosen in (0, 1):
            block.score.weight.fill_(-1e3)
            block.score.weight[8 * chosen : 8 * chosen + 8] = 1e3
            assert_close(block(x), block.branches[chosen](x))


def test_weights_in_single_precision_mix_branches_in_half(noise, monkeypatch):
    """Autocast keeps the softmax in float32 on a GPU, beside convolutions in half precision; imitated here."""
    block, x = SelectiveKernel(8, groups=2).eval(), noise(2, 8, 7, 7).float()
    expected = block(x)
    monkeypatch.setattr(selective_kernel, "softmax", lambda logits, dim: logits.float().softmax(dim))
    with torch.autocast("cpu", torch.bfloat16):
        assert block.weights(x).dtype == torch.float32
        output = block(x)
    assert_close(output.float(), expected, rtol=0.05, atol=0.05)


def test_branches_differ_in_reach():
    """Unless told otherwise branch m sees 2 m + 1 pixels: m = 1, 2, 3 have dilations 1, 2, 3."""
    block = SelectiveKernel(8, branches=3, groups=2)
    assert [branch[0].dilation for branch in block.branches] == [(1, 1), (2, 2), (3, 3)]
    x = torch.zeros(1, 8, 15, 15)
    x[:, :, 7, 7] = 1
    for reach, (conv, _, _) in enumerate(block.branches, start=1):
        assert conv(x).abs().sum(1)[0].nonzero().T[0].unique().tolist() == [7 - reach, 7, 7 + reach]


def test_a_batch_of_one_cannot_train_but_can_be_evaluated(noise):
    block = SelectiveKernel(8, groups=2).double()
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        block(noise(1, 8, 5, 5))
    assert block.eval()(noise(1, 8, 5, 5)).isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 0}, "channels must be an integer of at least 1, got 0"),
        ({"channels": 48}, r"channels must be a multiple of groups \(32\), got 48"),
        ({"channels": 64, "branches": 0}, "branches must be an integer of at least 1, got 0"),
        ({"channels": 64, "reduction": 0}, "reduction must be an integer of at least 1, got 0"),
        ({"channels": 64, "groups": 0}, "groups must be an integer of at least 1, got 0"),
        ({"channels": 64, "min_width": 0}, "min_width must be an integer of at least 1, got 0"),
        ({"channels": 64, "stride": 0}, "stride must be an integer of at least 1, got 0"),
        ({"channels": 64, "dilations": (1, 2, 3)}, r"dilations must be 2 numbers of at least 1.*got \(1, 2, 3\)"),
        ({"channels": 64, "dilations": (0, 1)}, r"dilations must be 2 numbers of at least 1.*got \(0, 1\)"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        SelectiveKernel(**arguments)


@pytest.mark.usefixtures("unchecked")
def test_branch_logits_of_another_rank_are_refused():
    with pytest.raises(ValueError, match=r"logits must have shape \(N, M, C\), got \(2, 6\)"):
        branch_softmax(torch.zeros(2, 6))
