"""Attention in blocks: a softmax in one pass, so that no matrix of all weights is ever held.

M. Milakov and N. Gimelshein, "Online normalizer calculation for softmax", 2018, arXiv:1805.02867, section 3.
T. Dao, D. Y. Fu, S. Ermon, A. Rudra and C. Ré, "FlashAttention: Fast and Memory-Efficient Exact Attention with
IO-Awareness", NeurIPS 2022, section 3.1.
"""

import math

from jaxtyping import Float
from torch import Tensor

from .arguments import require_positive


def attention_in_blocks(
    q: Float[Tensor, "... L d"], k: Float[Tensor, "... S d"], v: Float[Tensor, "... S e"], block: int
) -> Float[Tensor, "... L e"]:
    """The output of ``scaled_dot_product_attention``, from ``block`` keys at a time.

        m' = max(m, max_j s_j)
        l' = exp(m - m') l + sum_j exp(s_j - m')
        o' = exp(m - m') o + sum_j exp(s_j - m') v_j        for the scores s and values v of a block

    m is the largest score so far, l the sum of exponentials and o the weighted sum of values, both relative to m. At the
    end the output is o / l. The scores of a block are L x block numbers; all of them together would be L x S.

    Args:
        q, k, v: queries, keys, values as in lesson 06.
        block: keys in a block; the last one may be smaller.

    Raises: ValueError if ``block`` is below 1, or queries, keys and values do not fit.

    How others differ: FlashAttention cuts the queries into blocks too, works in the fast memory of a GPU, and computes
    the scores again in the backward pass; here autograd keeps each block's for it, which takes the memory of all.
    """
    require_positive(block=block)
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"k must be as wide as q ({q.shape[-1]}), got shape {tuple(k.shape)}")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"v must have one value for each of the {k.shape[-2]} keys, got shape {tuple(v.shape)}")
    q = q / math.sqrt(q.shape[-1])
    largest, total, output = -math.inf, 0, 0
    for keys, values in zip(k.split(block, -2), v.split(block, -2)):
        scores = q @ keys.mT
        before, largest = largest, scores.amax(-1, keepdim=True).clamp(min=largest)
        shrink, shares = (before - largest).exp(), (scores - largest).exp()
        total = shrink * total + shares.sum(-1, keepdim=True)
        output = shrink * output + shares @ values
    return output / total
