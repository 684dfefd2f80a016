"""Networks by name."""

import pytest
import torch
from torch import nn

from attention_lab import networks
from attention_lab.mechanisms import BAM, CBAM, ECA, SqueezeExcitation, WindowAttention
from attention_lab.networks import create, list_networks

RESNETS = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x4d"]
CIFAR = ["cifar_resnet50", "cifar_resnet101"]
OTHERS = ["sknet26", "sknet50", "sknet101", "vit_s_16", "vit_b_16", "vit_l_16", "swin_t"]


def test_every_network_of_the_course_is_here_by_its_name():
    whole = {"ResNet", "VisionTransformer", "SwinTransformer", "SmallCNN", "SelfieSegmentation", "DINOv2"}
    assert whole <= set(networks.__all__)
    assert all(issubclass(getattr(networks, name), nn.Module) for name in whole)
    assert networks.__all__ == sorted(networks.__all__)


def test_the_list_has_the_networks_of_the_papers_in_alphabetical_order():
    prefixed = [prefix + name for prefix in ("se_", "eca_", "cbam_", "bam_") for name in RESNETS]
    expected = RESNETS + CIFAR + OTHERS + prefixed + ["bam_" + name for name in CIFAR]
    assert list_networks() == sorted(expected)


@pytest.mark.parametrize("name", list_networks())
def test_every_name_makes_a_network_for_any_number_of_classes(name):
    with torch.device("meta"):
        model = create(name, num_classes=7).eval()
        assert model(torch.empty(2, 3, 224, 224)).shape == (2, 7)
    assert model.classifier.out_features == 7


def test_there_are_a_thousand_classes_unless_said_otherwise():
    with torch.device("meta"):
        assert create("resnet18").classifier.out_features == 1000
        assert create("vit_s_16").classifier.out_features == 1000


@pytest.mark.parametrize(
    ("name", "mechanism", "how_many"),
    [
        ("se_resnet34", SqueezeExcitation, 16),
        ("eca_resnet50", ECA, 16),
        ("swin_t", WindowAttention, 12),
        ("cbam_resnext50_32x4d", CBAM, 16),
        ("bam_resnet101", BAM, 3),
        ("bam_cifar_resnet50", BAM, 3),
        ("resnet50", (SqueezeExcitation, CBAM, BAM), 0),
    ],
)
def test_the_prefix_says_which_mechanism_is_inside(name, mechanism, how_many):
    with torch.device("meta"):
        assert sum(isinstance(module, mechanism) for module in create(name).modules()) == how_many


@pytest.mark.parametrize("name", ["se_resnet18", "bam_cifar_resnet50", "sknet26"])
def test_a_created_network_trains_on_small_images(name):
    model = create(name, num_classes=4)
    loss = nn.functional.cross_entropy(model(torch.randn(2, 3, 32, 32)), torch.tensor([0, 3]))
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert model.stem[0][0].weight.grad.any()


@pytest.mark.parametrize("name", ["vit_s_16", "vit_b_16", "vit_l_16"])
def test_every_head_of_a_vision_transformer_is_64_wide(name):
    with torch.device("meta"):
        block = create(name).blocks[0]
        tokens = torch.empty(1, 3, block.norm1.normalized_shape[0])
        assert block.weights(tokens).shape[1] * 64 == tokens.shape[2]


@pytest.mark.parametrize(("name", "meant"), [("seresnet50", "se_resnet50"), ("vit_b16", "vit_b_16")])
def test_an_unknown_name_is_answered_with_those_that_look_like_it(name, meant):
    with pytest.raises(ValueError, match="name must be a network") as error:
        create(name)
    message = str(error.value)
    assert message.endswith(f"; got {name!r}")
    assert meant in message
    assert sum(known in message for known in ("resnet18", "cifar_resnet101", "sknet26", "vit_l_16")) < 2


def test_a_name_like_no_other_is_answered_with_all():
    with pytest.raises(ValueError, match="name must be a network") as error:
        create("?")
    assert all(name in str(error.value) for name in list_networks())
