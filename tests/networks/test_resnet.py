"""Residual networks take any mechanism, in the place its paper gives it."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attention_lab.mechanisms import BAM, CBAM, ChannelAttention, SelectiveKernel, SpatialAttention, SqueezeExcitation
from attention_lab.networks import BasicBlock, Bottleneck, Residual, ResNet, SelectiveKernelBottleneck

BLOCKS = [BasicBlock, Bottleneck, partial(Bottleneck, groups=32, group_width=4), SelectiveKernelBottleneck]
MECHANISMS = [
    SqueezeExcitation,
    CBAM,
    ChannelAttention,
    BAM,
    partial(SqueezeExcitation, reduction=4, bias=False),
    partial(SelectiveKernel, groups=8),
    lambda channels: SpatialAttention(3),
]


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def constant(gate: float, seen: list | None = None):
    """A mechanism that multiplies by ``gate`` and notes the shapes it is given."""

    class Constant(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.channels = channels

        def forward(self, x):
            if seen is not None:
                seen.append((self.channels, tuple(x.shape)))
            return gate * x

    return Constant


def assert_learns(model: nn.Module, x: torch.Tensor, num_classes: int) -> None:
    """The output has its shape in training and evaluation, and every parameter receives a gradient."""
    scores = model.train()(x)
    assert scores.shape == (len(x), num_classes)
    nn.functional.cross_entropy(scores, torch.arange(len(x)) % num_classes).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    assert model.classifier.weight.grad.any()
    with torch.no_grad():
        model.eval()
        assert_close(model(x)[:1], model(x[:1]), atol=1e-4, rtol=1e-4)  # an image is judged by itself


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_makes_a_network_that_works(block):
    model = ResNet(block, (1, 1, 1, 1), num_classes=5)
    assert_learns(model, torch.randn(2, 3, 64, 48), 5)
    assert all(parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("place", ["attention", "between"])
def test_any_mechanism_can_be_passed_to_either_place(mechanism, place):
    assert_learns(ResNet(BasicBlock, (1, 1, 1, 1), 3, cifar=True, **{place: mechanism}), torch.randn(2, 3, 16, 16), 3)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_mechanism_stands_on_the_branch_before_the_addition(block):
    """A gate of 0 leaves the shortcut alone; a gate of 1 is no mechanism at all."""
    x = torch.randn(2, 256 if block is not BasicBlock else 64, 6, 6)
    unit = block(x.shape[1], 64, 1, constant(0.0)).eval()
    assert torch.equal(unit(x), x.relu())
    unit.attention = nn.Identity()
    without = unit(x)
    unit.attention = constant(1.0)(unit.channels)
    assert torch.equal(unit(x), without)
    assert not torch.equal(without, x.relu())


def test_a_unit_is_its_equation():
    """output = ReLU(shortcut(x) + attention(branch(x)))"""
    branch, x = nn.Conv2d(4, 6, 3, stride=2, padding=1), torch.randn(2, 4, 8, 8)
    unit = Residual(branch, 4, 6, 2, constant(0.25)).eval()
    assert_close(unit(x), (unit.shortcut(x) + branch(x) / 4).clamp_min(0))


@pytest.mark.parametrize("block", BLOCKS)
def test_the_mechanism_is_made_for_the_branchs_output(block):
    seen = []
    ResNet(block, (2, 1, 1, 1), 3, attention=constant(1.0, seen)).eval()(torch.randn(1, 3, 64, 64))
    expansion = 1 if block is BasicBlock else 4
    widths = [(64, 16), (64, 16), (128, 8), (256, 4), (512, 2)]
    assert seen == [(expansion * c, (1, expansion * c, side, side)) for c, side in widths]


def test_between_stands_after_each_stage_but_the_last():
    seen = []
    ResNet(Bottleneck, (2, 1, 1, 1), 3, between=constant(1.0, seen)).eval()(torch.randn(1, 3, 64, 64))
    assert seen == [(256, (1, 256, 16, 16)), (512, (1, 512, 8, 8)), (1024, (1, 1024, 4, 4))]


def test_attention_can_be_given_stage_by_stage():
    model = ResNet(BasicBlock, (2, 1, 1, 1), 3, attention=[None, SqueezeExcitation, None, CBAM])
    kinds = [[type(unit.attention) for unit in stage] for stage in model.stages]
    assert kinds == [[nn.Identity, nn.Identity], [SqueezeExcitation], [nn.Identity], [CBAM]]


def test_the_stride_is_in_the_first_1x1_or_in_the_3x3():
    def strides(unit):
        return [layer.stride[0] for layer in unit.branch.modules() if isinstance(layer, nn.Conv2d)]

    assert strides(Bottleneck(64, 32, 2)) == [2, 1, 1]
    assert strides(Bottleneck(64, 32, 2, stride_in_3x3=True)) == [1, 2, 1]
    assert strides(SelectiveKernelBottleneck(64, 32, 2)) == [1, 2, 2, 1]


def test_the_stem_for_cifar_keeps_the_size():
    x = torch.randn(1, 3, 32, 32)
    assert ResNet(BasicBlock, (1,), cifar=True).stem(x).shape == (1, 64, 32, 32)
    assert ResNet(BasicBlock, (1,)).stem(x).shape == (1, 64, 8, 8)


def test_the_spatial_gate_of_cbam_starts_at_one_half():
    model = ResNet(BasicBlock, (1, 1, 1, 1), 3, attention=CBAM, cifar=True)
    for stage, channels in zip(model.stages, (64, 128, 256, 512)):
        _, spatial = stage[0].attention.weights(torch.randn(2, channels, 8, 8))
        assert torch.equal(spatial, torch.full((2, 1, 8, 8), 0.5))


def test_the_spatial_gate_of_cbam_leaves_one_half_when_trained():
    model = ResNet(BasicBlock, (1,), 3, attention=CBAM, cifar=True)
    x, labels = torch.randn(6, 3, 8, 8), torch.arange(6) % 3
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    kernel = model.stages[0][0].attention.spatial.conv.weight.clone()
    for _ in range(2):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimiser.step()
    gate = model.stages[0][0].attention.spatial
    assert gate.norm.weight.item() != 0
    assert not torch.equal(gate.conv.weight, kernel)


def test_convolutions_start_with_the_deviation_of_he_et_al():
    """Normal, with variance 2 / fan-out, so that gradients keep their size on their way back."""
    model = ResNet(Bottleneck, (1, 1, 1, 1))
    for conv in (layer for layer in model.modules() if isinstance(layer, nn.Conv2d)):
        fan_out = conv.out_channels * conv.kernel_size[0] ** 2
        assert conv.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)


def test_mechanisms_keep_their_own_initialisation():
    weights = torch.full((1, 4, 1, 1), 0.125)

    def mechanism(channels):
        conv = nn.Conv2d(channels, 1, 1)
        with torch.no_grad():
            conv.weight.fill_(0.125)
        return conv

    model = ResNet(BasicBlock, (1, 1), 3, attention=mechanism, between=BAM)
    for stage in model.stages:
        assert torch.equal(stage[0].attention.weight[:, :4], weights)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="num_classes must be an integer of at least 1, got 0"):
        ResNet(BasicBlock, (1, 1, 1, 1), num_classes=0)
    with pytest.raises(ValueError, match="attention must be one mechanism or 4, one a stage, got 3"):
        ResNet(BasicBlock, (1, 1, 1, 1), attention=[None, CBAM, CBAM])
