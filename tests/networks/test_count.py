"""Parameters and multiply-adds are counted as the papers' tables count them."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from attention_lab.mechanisms import CBAM, SqueezeExcitation
from attention_lab.networks import Bottleneck, ResNet, VisionTransformer, count_macs, count_parameters, create


def test_parameters_are_those_that_training_changes():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2, bias=False))
    assert count_parameters(model) == (3 * 4 + 4) + 2 * 4 + 4 * 2
    model[0].weight.requires_grad_(False)
    assert count_parameters(model) == 4 + 2 * 4 + 4 * 2


def test_a_shared_parameter_counts_once():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    assert count_parameters(nn.Sequential(first, second)) == 9 + 3 + 3


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (nn.Conv2d(3, 8, 5), (1, 3, 12, 10), 8 * 8 * 6 * 3 * 25),
        (nn.Conv2d(6, 8, 3, stride=2, padding=1, groups=2), (1, 6, 8, 8), 8 * 4 * 4 * 3 * 9),
        (nn.Conv1d(1, 1, 3, padding=1), (1, 1, 7), 7 * 3),
        (nn.Linear(5, 4), (1, 5), 20),
        (nn.Linear(5, 4), (2, 6, 5), 2 * 6 * 20),
        (nn.Conv2d(3, 8, 1), (4, 3, 2, 2), 4 * 8 * 4 * 3),
        (nn.BatchNorm2d(3), (1, 3, 4, 4), 0),
        (nn.AdaptiveAvgPool2d(1), (1, 3, 4, 4), 0),
    ],
)
def test_a_layer_takes_a_filter_for_each_number_it_puts_out(layer, shape, macs):
    assert count_macs(layer, torch.zeros(shape)) == macs


def test_a_layer_that_is_called_twice_counts_twice():
    """CBAM sends the average and the maximum through one MLP."""
    mlp, window = 2 * (64 * 4), 2 * 49 * 5 * 5
    assert count_macs(SqueezeExcitation(64), torch.zeros(1, 64, 5, 5)) == mlp
    assert count_macs(CBAM(64), torch.zeros(1, 64, 5, 5)) == 2 * mlp + window


@pytest.mark.parametrize("name", ["resnet18", "cbam_resnet50", "se_resnext50_32x4d", "bam_resnet50", "sknet26"])
def test_pytorchs_counter_agrees(name):
    with torch.device("meta"):
        model, x = create(name).eval(), torch.empty(1, 3, 224, 224)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(x)
        assert count_macs(model, x) == counter.get_total_flops() / 2


def test_pytorchs_counter_adds_the_products_of_self_attention():
    depth, dim, tokens = 12, 768, 197
    with torch.device("meta"):
        model, x = create("vit_b_16").eval(), torch.empty(1, 3, 224, 224)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(x)
        products = depth * 2 * tokens**2 * dim
        assert counter.get_total_flops() / 2 == count_macs(model, x) + products
        assert round(products / count_macs(model, x), 2) == 0.04


def test_real_and_meta_tensors_count_the_same():
    model, x = VisionTransformer(24, 2, 3, image_size=16, patch=4), torch.zeros(2, 3, 16, 16)
    real = count_macs(model, x)
    assert real == count_macs(model.to("meta"), x.to("meta")) > 0


@pytest.mark.usefixtures("unchecked")
def test_counting_leaves_the_model_as_it_was():
    """Modes, running statistics, hooks: also when the model fails on the input."""
    model = ResNet(Bottleneck, (1, 1, 1, 1), 3, attention=CBAM).train()
    model.stages[1].eval()  # frozen, as in fine-tuning
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    count_macs(model, torch.randn(1, 3, 32, 32))
    with pytest.raises(RuntimeError):
        count_macs(model, torch.randn(1, 4, 32, 32))
    assert [module.training for module in model.modules()] == modes
    assert True in modes and False in modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
