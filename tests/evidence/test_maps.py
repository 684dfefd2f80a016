"""Maps of what a model looks at are what their papers say."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from attention_lab.evidence import grad_cam, gradient_map, relevance, rollout
from attention_lab.mechanisms import EncoderBlock, scaled_dot_product_attention
from attention_lab.networks.small import ManyMapsNet


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def test_grad_cam_weighs_each_channel_by_its_mean_slope():
    first, last = nn.Conv2d(1, 3, 1), nn.Linear(3, 2)
    model = nn.Sequential(first, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)
    x, target = torch.randn(2, 1, 4, 6), torch.tensor([0, 1])
    alpha = last.weight[target] / (4 * 6)
    heat = torch.einsum("nk,nkhw->nhw", alpha, first(x)).relu()
    assert_close(grad_cam(model, first, x, target), (heat / heat.amax((1, 2), keepdim=True).clamp_min(1e-8)).detach())
    assert not first._forward_hooks


def test_the_gradient_is_the_largest_of_the_channels():
    linear = nn.Linear(2 * 3 * 4, 5)
    model = nn.Sequential(nn.Flatten(), linear)
    slopes = linear.weight[3].view(2, 3, 4).abs().amax(0).detach()
    assert_close(gradient_map(model, torch.randn(1, 2, 3, 4), torch.tensor([3]))[0], slopes)


def test_rollout_multiplies_what_is_taken_and_what_is_kept():
    a, b = (torch.rand(2, 3, 5, 5).softmax(-1) for _ in range(2))
    half = [(weights.mean(1) + torch.eye(5)) / 2 for weights in (a, b)]
    assert_close(rollout([a, b]), (half[1] @ half[0])[:, 0, 1:])


class OpenBlocks(nn.Module):
    """The same encoder blocks, with attention written out, so that autograd knows its weights."""

    def __init__(self, net: ManyMapsNet):
        super().__init__()
        self.net, self.kept = net, []

    def forward(self, x):
        tokens = self.net.tokens(self.net.cbam(self.net.gated(x)[1]))
        for block in self.net.blocks:
            output, weights = scaled_dot_product_attention(*block.attention._heads(block.norm1(tokens)))
            self.kept.append(weights)
            tokens = tokens + block.attention.projection(output.transpose(1, 2).flatten(2))
            tokens = tokens + block.mlp(block.norm2(tokens))
        return self.net.classify(self.net.norm(tokens[:, 0]))


def test_relevance_weighs_attention_by_what_autograd_says_of_its_weights():
    net, x, target = ManyMapsNet(size=16, width=4).eval(), torch.rand(3, 1, 16, 16), torch.tensor([0, 3, 1])
    opened = OpenBlocks(net)
    logits = opened(x)
    assert_close(logits, net(x))
    slopes = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), opened.kept)
    found = torch.eye(17).expand(3, -1, -1)
    for weights, slope in zip(opened.kept, slopes):
        found = found + (slope * weights).relu().mean(1) @ found
    assert_close(relevance(net, x, target), found[:, 0, 1:].detach())
    assert not any(layer._forward_pre_hooks for layer in net.modules())
    assert sum(isinstance(layer, EncoderBlock) for layer in net.modules()) == 2
