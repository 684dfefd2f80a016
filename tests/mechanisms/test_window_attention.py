"""Window attention: cutting a map, shifting the windows, and nothing leaks over the rim."""

import pytest
import torch
from torch.testing import assert_close

from attention_lab.mechanisms import (
    MultiHeadSelfAttention,
    WindowAttention,
    shifted_mask,
    window_partition,
    window_reverse,
)


def test_windows_and_their_tokens_come_row_by_row_the_first_image_first():
    x = torch.arange(2.0 * 4 * 6).view(2, 4, 6, 1)
    windows = window_partition(x, 2)
    assert windows.shape == (12, 4, 1)
    assert windows[:2, :, 0].tolist() == [[0, 1, 6, 7], [2, 3, 8, 9]]
    assert windows[3, :, 0].tolist() == [12, 13, 18, 19]
    assert windows[6, :, 0].tolist() == [24, 25, 30, 31]
    assert torch.equal(window_reverse(windows, 2, 4, 6), x)


@pytest.mark.parametrize(("height", "width", "size", "shift"), [(4, 8, 4, 1), (9, 6, 3, 2), (4, 4, 2, 1), (3, 3, 3, 1)])
def test_tokens_may_attend_if_they_were_as_near_before_the_roll(height, width, size, shift):
    i, j = torch.arange(height)[:, None].expand(height, width), torch.arange(width).expand(height, width)
    now = torch.stack((i, j), -1).float()[None]
    old = now.roll((-shift, -shift), (1, 2))
    now, old = (window_partition(place, size) for place in (now, old))
    neighbours = ((old[:, :, None] - old[:, None]) == (now[:, :, None] - now[:, None])).all(-1)
    assert torch.equal(shifted_mask(height, width, size, shift), neighbours)


def test_without_a_shift_all_may_attend_to_all():
    assert shifted_mask(4, 6, 2, 0).all()


def test_no_gradient_leaks_over_the_rim(noise, randomised):
    """The last corner shares its window with the three other corners of the map, and hears none of them."""
    attention, x = randomised(WindowAttention(4, 2, 4, shift=2)), noise(1, 4, 8, 8).requires_grad_()
    attention(x)[0, :, 7, 7].sum().backward()
    heard = x.grad[0].abs().sum(0) > 0
    assert heard[6:, 6:].all() and heard.sum() == 4


def test_a_position_hears_its_window_and_no_other(noise, randomised):
    for shift, rows in ((0, slice(4, 8)), (2, slice(2, 6))):
        attention, x = randomised(WindowAttention(4, 2, 4, shift)), noise(1, 4, 12, 12).requires_grad_()
        attention(x)[0, :, 5, 5].sum().backward()
        heard = x.grad[0].abs().sum(0) > 0
        assert heard[rows, rows].all() and heard.sum() == 16


def test_one_window_as_large_as_the_map_is_multi_head_self_attention(noise):
    attention, x = WindowAttention(8, 2, size=4).double(), noise(3, 8, 4, 4)
    tokens = x.flatten(2).mT
    assert isinstance(attention.attention, MultiHeadSelfAttention)
    assert_close(attention(x), attention.attention(tokens).mT.unflatten(2, (4, 4)))
    assert_close(attention.weights(x), attention.attention.weights(tokens))


def test_pairs_of_tokens_with_the_same_way_between_share_a_bias():
    attention = WindowAttention(4, 1, size=3)
    with torch.no_grad():
        attention.bias.copy_(torch.arange(25.0)[None])
    bias = attention.bias_of(torch.zeros(1, 4, 3, 3))[0, 0]
    ways = {}
    for a in range(9):
        for b in range(9):
            ways.setdefault((a // 3 - b // 3, a % 3 - b % 3), set()).add(bias[a, b].item())
    assert all(len(values) == 1 for values in ways.values())
    assert len(set.union(*ways.values())) == 25


def test_it_has_the_parameters_of_self_attention_and_its_biases(parameters):
    assert parameters(WindowAttention(96, 3)) == 4 * 96**2 + 4 * 96 + 13**2 * 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: window_partition(torch.zeros(1, 4, 5, 2), 2), "width must be a multiple"),
        (lambda: window_partition(torch.zeros(1, 4, 4, 2), 0), "size must be"),
        (lambda: window_reverse(torch.zeros(4, 4, 2), 2, 5, 4), "height must be a multiple"),
        (lambda: window_reverse(torch.zeros(4, 3, 2), 2, 4, 4), r"windows must have shape \(M, 4, C\)"),
        (lambda: shifted_mask(4, 4, 2, 2), r"below size \(2\), got 2"),
        (lambda: shifted_mask(4, 4, 2, -1), "got -1"),
        (lambda: shifted_mask(4, 5, 2, 1), "width must be a multiple"),
        (lambda: WindowAttention(4, 2, 2, shift=2), "shift must be"),
        (lambda: WindowAttention(4, 2, 3)(torch.zeros(1, 4, 4, 3)), "height must be a multiple"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
