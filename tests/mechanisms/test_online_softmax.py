"""Attention in blocks: the same output as in two passes, and never the matrix of all weights."""

import math

import pytest
import torch
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from attention_lab.mechanisms import attention_in_blocks, scaled_dot_product_attention


@pytest.mark.parametrize("block", [1, 3, 4, 12, 50])
@pytest.mark.parametrize("size", [1, 100])
def test_it_equals_the_two_pass_one_with_its_gradients(noise, block, size):
    """Also where the last block is smaller, and for scores in the thousands."""
    q, k, v = size * noise(2, 3, 5, 4), size * noise(2, 3, 12, 4, seed=1), noise(2, 3, 12, 6, seed=2)
    ours, theirs = ([tensor.clone().requires_grad_() for tensor in (q, k, v)] for _ in range(2))
    output, (expected, _) = attention_in_blocks(*ours, block), scaled_dot_product_attention(*theirs)
    assert_close(output, expected)
    signal = noise(*output.shape, seed=3)
    output.backward(signal)
    expected.backward(signal)
    for mine, reference in zip(ours, theirs):
        assert_close(mine.grad, reference.grad)


class Largest(TorchDispatchMode):
    numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.numbers = max(self.numbers, result.numel())
        return result


def test_no_tensor_is_larger_than_the_scores_of_one_block(noise):
    q, k, v = noise(40, 4), noise(60, 4), noise(60, 4)
    with torch.no_grad(), Largest() as in_blocks:
        attention_in_blocks(q, k, v, 10)
    with torch.no_grad(), Largest() as two_pass:
        scaled_dot_product_attention(q, k, v)
    assert in_blocks.numbers == 40 * 10 and two_pass.numbers == 40 * 60


@pytest.mark.parametrize(
    ("shapes", "block", "message"),
    [
        (((3, 4), (5, 4), (5, 2)), 0, "block must be"),
        (((3, 4), (5, 3), (5, 2)), 2, r"as wide as q \(4\)"),
        (((3, 4), (5, 4), (6, 2)), 2, "each of the 5 keys"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_refused(shapes, block, message):
    with pytest.raises(ValueError, match=message):
        attention_in_blocks(*map(torch.zeros, shapes), block)


def test_one_key_gives_its_value(noise):
    q, k, v = noise(3, 4), noise(1, 4), noise(1, 2)
    assert_close(attention_in_blocks(q, k, v, 7), v.expand(3, 2))
    assert math.isfinite(attention_in_blocks(1e4 * q, k, v, 7).sum())
