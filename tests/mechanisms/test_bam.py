"""BAM: one gate for every channel at every position."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from attention_lab.mechanisms import BAM, ChannelGate, SpatialGate, receptive_field

few = settings(deadline=None, max_examples=15, database=None, derandomize=True)


def test_parameters_are_those_of_the_papers_table(parameters):
    assert [parameters(BAM(c)) for c in (256, 512, 1024)] == [17_361, 68_513, 272_193]


@pytest.mark.parametrize("training", [True, False])
def test_channel_gate_is_its_equation(noise, randomised, batch_norm, training):
    """M_c = W1 ReLU(BN(W0 squeeze(x) + b0)) + b1, and nothing after the last layer."""
    x, gate = noise(3, 12, 4, 5), randomised(ChannelGate(12, 4)).train(training)
    first, norm, _, last = gate.mlp
    hidden = batch_norm(x.mean((2, 3)) @ first.weight.T + first.bias, norm).clamp_min(0)
    logits = hidden @ last.weight.T + last.bias
    assert first.weight.shape == (3, 12)
    assert (logits < 0).any() and (logits > 0).any()
    assert_close(gate(x), logits[:, :, None, None])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dilation", [1, 4])
def test_spatial_gate_is_its_equation(noise, randomised, batch_norm, dilation, training):
    """1x1, two dilated 3x3, 1x1; batch normalisation and ReLU after all but the last; the map keeps its size."""
    x, gate = noise(2, 8, 9, 11), randomised(SpatialGate(8, 2, dilation)).train(training)
    convs = [module for module in gate.convs if isinstance(module, nn.Conv2d)]
    norms = [module for module in gate.convs if isinstance(module, nn.BatchNorm2d)]
    hidden = x
    for conv, norm, reach in zip(convs, norms, (0, dilation, dilation), strict=False):
        hidden = F.conv2d(F.pad(hidden, (reach,) * 4), conv.weight, conv.bias, dilation=max(reach, 1))
        hidden = batch_norm(hidden, norm).clamp_min(0)
    logits = F.conv2d(hidden, convs[3].weight, convs[3].bias)
    assert (len(convs), len(norms)) == (4, 3)
    assert logits.shape == (2, 1, 9, 11) and logits.std() > 0.1
    assert_close(gate(x), logits)


def test_one_pixel_changes_the_spatial_gate_within_its_receptive_field(noise, randomised):
    x, gate = noise(1, 8, 21, 23), randomised(SpatialGate(8, 2)).eval()
    with torch.no_grad():
        for _, norm in (item for item in gate.named_modules() if isinstance(item[1], nn.BatchNorm2d)):
            norm.bias.fill_(1e3)  # no ReLU closes, so that every path shows
    changed = x.clone()
    changed[:, :, 10, 11] += 1
    rows, columns = ((gate(changed) - gate(x)).abs() > 1e-9)[0, 0].nonzero().T
    side = receptive_field([(1, 1, 1), (3, 1, 4), (3, 1, 4), (1, 1, 1)])
    assert side == 17
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (side, side)


@pytest.mark.parametrize("training", [True, False])
def test_bam_adds_the_branches_and_amplifies(noise, randomised, training):
    """M = sigmoid(M_c + M_s), output = (1 + M) x, on a map that is not square."""
    x, bam = noise(3, 8, 6, 7), randomised(BAM(8, 2)).train(training)
    gate = 1 / (1 + (-(bam.channel(x) + bam.spatial(x))).exp())
    assert_close(bam.weights(x), gate)
    assert_close(bam(x), x + gate * x)


def test_a_silent_branch_leaves_the_other_its_say(noise, randomised):
    """With the channel branch at zero, the gate is that of the spatial branch."""
    x, bam = noise(2, 8, 6, 7), randomised(BAM(8, 2)).eval()
    with torch.no_grad():
        bam.channel.mlp[3].weight.zero_()
        bam.channel.mlp[3].bias.zero_()
    assert_close(bam.weights(x), bam.spatial(x).sigmoid().expand_as(x))


@pytest.mark.parametrize(("logit", "factor"), [(-1e4, 1), (1e4, 2)])
def test_a_closed_gate_keeps_x_and_an_open_one_doubles_it(noise, logit, factor):
    x, bam = noise(2, 8, 5, 6), BAM(8, 2).double().eval()
    with torch.no_grad():
        bam.channel.mlp[3].bias.fill_(logit)
    assert_close(bam(x), factor * x)


@few
@given(seed=st.integers(0, 2**32 - 1), training=st.booleans(), scale=st.floats(0.01, 100))
def test_bam_never_shrinks_and_at_most_doubles(noise, randomised, seed, training, scale):
    """|x| <= |output| <= 2 |x|, with the sign of x; the gate lies between 0 and 1."""
    x, bam = scale * noise(2, 8, 5, 6, seed=seed), randomised(BAM(8, 2, 2), seed).train(training)
    gate, output = bam.weights(x), bam(x)
    assert gate.shape == x.shape and ((0 <= gate) & (gate <= 1)).all()
    assert ((x.abs() <= output.abs()) & (output.abs() <= 2 * x.abs())).all()
    assert (output.sign() == x.sign()).all()


def test_a_gate_can_fall_below_one_half(noise, randomised):
    """The last layers are plain: after a ReLU nothing could be held back."""
    bam = randomised(BAM(8, 2)).eval()
    x = noise(2, 8, 5, 6)
    assert bam.channel(x).min() < 0 and bam.spatial(x).min() < 0
    assert bam.weights(x).min() < 0.4


def test_a_batch_of_one_cannot_train_but_can_be_evaluated(noise):
    bam = BAM(8, 2).double()
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        bam(noise(1, 8, 5, 5))
    assert bam.eval()(noise(1, 8, 5, 5)).isfinite().all()


@pytest.mark.parametrize(
    ("layers", "side"),
    [
        ([], 1),
        ([(3, 1, 1)], 3),
        ([(3, 1, 1), (3, 1, 1)], 5),
        ([(3, 1, 4), (3, 1, 4)], 17),
        ([(7, 2, 1), (3, 2, 1)], 11),  # the stem of a ResNet
        ([(2, 3, 1), (3, 1, 2), (2, 1, 1)], 17),
    ],
)
def test_receptive_field_of_known_stacks(layers, side):
    assert receptive_field(layers) == side


@few
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)), max_size=4))
def test_receptive_field_is_the_reach_of_the_gradient(layers):
    """One output value of convolutions full of ones depends on exactly that many input values in a row."""
    side = receptive_field(layers)
    x = torch.ones(1, 1, side, dtype=torch.float64, requires_grad=True)
    y = x
    for kernel, stride, dilation in layers:
        y = F.conv1d(y, torch.ones(1, 1, kernel, dtype=torch.float64), stride=stride, dilation=dilation)
    assert y.numel() == 1
    y.sum().backward()
    assert x.grad[0, 0, 0] > 0 and x.grad[0, 0, -1] > 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ChannelGate(0), "channels must be an integer of at least 1, got 0"),
        (lambda: SpatialGate(8), r"reduction must be at most channels \(8\), got 16"),
        (lambda: BAM(64, dilation=0), "dilation must be an integer of at least 1, got 0"),
        (lambda: receptive_field([(3, 1, 1), (3, 0, 1)]), "stride must be an integer of at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("layer", "named"), [((0, 1, 1), "kernel"), ((3, 0, 1), "stride"), ((3, 1, 0), "dilation")])
def test_a_layer_that_cannot_be_is_refused_by_name(layer, named):
    with pytest.raises(ValueError, match=named):
        receptive_field([layer])
