"""The small networks: any mechanism goes into the host; the selective one tells what each of its units chose."""

import pytest
import torch
from torch import nn

from attention_lab.mechanisms import BAM, CBAM, SelectiveKernel, SpatialAttention, SqueezeExcitation
from attention_lab.networks import count_parameters
from attention_lab.networks.small import ManyMapsNet, SelectiveCNN, SmallCNN


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize(
    "attention",
    [
        None,
        lambda channels: SqueezeExcitation(channels, 4),
        lambda channels: CBAM(channels, 4),
        lambda channels: BAM(channels, 4),
        lambda channels: SpatialAttention(),
        lambda channels: SelectiveKernel(channels, groups=4),
    ],
    ids=["none", "SE", "CBAM", "BAM", "spatial", "SK"],
)
def test_it_hosts_any_mechanism_and_trains_it(attention):
    model = SmallCNN(in_channels=3, num_classes=7, width=8, attention=attention)
    logits = model(torch.randn(2, 3, 20, 32))
    assert logits.shape == (2, 7)
    logits.logsumexp(1).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_the_mechanism_is_asked_for_the_channels_of_each_layer():
    asked = []
    SmallCNN(width=5, attention=lambda channels: asked.append(channels) or nn.Identity())
    assert asked == [5, 10, 10, 10]


def test_a_mechanism_adds_its_own_parameters_and_no_others():
    plain, gated = SmallCNN(), SmallCNN(attention=lambda channels: SqueezeExcitation(channels, 4))
    assert count_parameters(plain) == 23_738
    added = [count_parameters(SqueezeExcitation(channels, 4)) for channels in (16, 32, 32, 32)]
    assert count_parameters(gated) == 23_738 + sum(added)


def test_each_layer_hands_its_features_to_its_mechanism():
    model = SmallCNN(width=4, attention=lambda channels: SqueezeExcitation(channels, 2)).eval()
    x = torch.randn(2, 1, 16, 16)
    given = []
    for attention in model.attentions:
        attention.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0].clone()))
    model(x)
    features = model.features(x)
    assert [feature.shape for feature in features] == [(2, 4, 8, 8), (2, 8, 8, 8), (2, 8, 4, 4), (2, 8, 4, 4)]
    assert all(torch.equal(a, b) for a, b in zip(features, given[:4], strict=True))


def test_a_convolution_alone_sees_19_pixels_across():
    """What lies outside cannot reach a position of the last layer, so only a mechanism can bring it there."""
    model = SmallCNN().eval()
    x = torch.randn(1, 1, 64, 64, requires_grad=True)
    model.features(x)[-1][0, :, 8, 8].sum().backward()
    seen = x.grad[0, 0].nonzero()
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [19, 19]


def test_squeezing_brings_the_whole_image_to_every_position():
    model = SmallCNN(attention=lambda channels: SqueezeExcitation(channels, 4)).eval()
    x = torch.randn(1, 1, 64, 64, requires_grad=True)
    model.features(x)[-1][0, :, 8, 8].sum().backward()
    assert (x.grad != 0).all()


@pytest.mark.parametrize("argument", ["in_channels", "num_classes", "width"])
def test_sizes_below_one_are_refused_by_name(argument: str):
    with pytest.raises(ValueError, match=argument):
        SmallCNN(**{argument: 0})


def test_a_selective_network_gives_the_shares_that_its_units_used():
    model = SelectiveCNN((1, 3, 2), in_channels=2, num_classes=5).eval()
    x, used = torch.randn(3, 2, 16, 12), []
    for unit in model.units:
        unit.block.register_forward_pre_hook(lambda block, inputs: used.append(block.weights(inputs[0])))
    assert model(x).shape == (3, 5)
    shares = model.weights(x)
    assert [share.shape for share in shares] == [(3, 3, 8, 1, 1), (3, 3, 16, 1, 1)]
    assert all(torch.equal(a, b) for a, b in zip(shares, used[:2]))


def test_equal_windows_cost_as_much_as_different_ones():
    ours, control = (count_parameters(SelectiveCNN(dilations)) for dilations in ((1, 3), (1, 1)))
    assert ours == control


def test_a_selective_network_refuses_bad_sizes_by_name():
    with pytest.raises(ValueError, match="dilations"):
        SelectiveCNN((1, 0))
    with pytest.raises(ValueError, match="width"):
        SelectiveCNN((1, 3), width=0)


def test_the_net_of_many_maps_tells_its_weights_at_one_size():
    model = ManyMapsNet(size=16, num_classes=3, width=4, depth=3, heads=2).eval()
    x = torch.rand(2, 1, 16, 16)
    after_se, features = model.gated(x)
    gate, attention = model.weights(x)
    assert after_se.shape == features.shape == (2, 8, 4, 4) and gate.shape == (2, 1, 4, 4)
    assert [weights.shape for weights in attention] == [(2, 2, 17, 17)] * 3
    assert torch.allclose(gate * features * model.cbam.channel.weights(features), model.cbam(features))
    logits = model.train()(x)
    assert logits.shape == (2, 3)
    logits.logsumexp(1).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize(("wrong", "told"), [({"size": 18}, "got 18"), ({"depth": 0}, "got 0")], ids=["size", "depth"])
def test_the_net_of_many_maps_refuses_what_has_no_map(wrong, told):
    with pytest.raises(ValueError, match=told):
        ManyMapsNet(**wrong)
