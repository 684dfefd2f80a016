"""Deformable attention: points that a position chooses, averaged by softmax weights."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from attention_lab.mechanisms import DeformableAttention


@pytest.mark.parametrize(("points", "side"), [(1, 1), (9, 3), (25, 5)])
def test_a_fresh_module_averages_the_fixed_neighbourhood(noise, points, side):
    x = noise(2, 3, 6, 9)
    assert_close(DeformableAttention(3, points).double()(x), F.avg_pool2d(x, side, 1, padding=side // 2))


def test_fixed_offsets_are_a_convolution(noise, randomised):
    """With weights that do not depend on x, its kernel is the shares of the points."""
    attention, x = randomised(DeformableAttention(4)), noise(2, 4, 5, 8)
    with torch.no_grad():
        attention.score.weight.zero_()
        attention.offset.weight.zero_()
        attention.offset.bias.copy_(DeformableAttention(4).offset.bias)
    kernel = attention.score.bias.softmax(0).view(1, 1, 3, 3).expand(4, 1, 3, 3)
    assert_close(attention(x), F.conv2d(x, kernel, padding=1, groups=4))


def test_an_offset_counts_pixels_to_the_right_and_down(noise):
    attention, x = DeformableAttention(2, points=1).double(), noise(1, 2, 5, 7)
    with torch.no_grad():
        attention.offset.bias.copy_(torch.tensor([2.0, 1.0]))
    assert_close(attention(x)[..., :-1, :-2], x[..., 1:, 2:])
    assert not attention(x)[..., -1, :].any() and not attention(x)[..., -2:].any()


def test_gradients_reach_the_offsets_from_the_start_on(noise):
    attention = DeformableAttention(4).double()
    attention(noise(2, 4, 5, 8)).square().sum().backward()
    assert attention.offset.weight.grad.any() and attention.offset.bias.grad.any()


def test_points_and_weights_are_linear_in_the_feature_of_the_position(noise, randomised):
    attention, x = randomised(DeformableAttention(3)), noise(1, 3, 4, 4)
    other = x.clone()
    other[..., 0, 0] += 1
    same = torch.ones(4, 4, dtype=torch.bool)
    same[0, 0] = False
    for before, after in ((attention.offsets(x).movedim(-1, 2), attention.offsets(other).movedim(-1, 2)),):
        assert torch.equal(before[..., same], after[..., same]) and not torch.equal(before, after)
    assert torch.equal(attention.weights(x)[..., same], attention.weights(other)[..., same])


def test_it_has_three_numbers_a_point_for_each_channel_and_one_more(parameters):
    assert parameters(DeformableAttention(8, 25)) == 3 * 25 * 8 + 3 * 25


@pytest.mark.parametrize("points", [0, 4, 8, 16])
def test_points_without_a_middle_are_refused(points):
    with pytest.raises(ValueError, match="points must be"):
        DeformableAttention(4, points)
