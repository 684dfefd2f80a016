"""Answers to lesson 06, as learners write them."""

import math

import torch
from bank import right, wrong
from torch import nn
from torch.nn import functional as F

from attention_lab.mechanisms import EncoderBlock, PatchEmbedding

# scaled-dot-product


@right("scaled-dot-product")
def step_by_step(q, k, v, mask=None):
    scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(mask == 0, float("-inf"))
    weights = F.softmax(scores, dim=-1)
    return torch.matmul(weights, v), weights


@right("scaled-dot-product")
def einsum_and_a_very_small_number(q, k, v, mask=None):
    s = torch.einsum("...ld,...sd->...ls", q * q.shape[-1] ** -0.5, k)
    if mask is not None:
        s = torch.where(mask, s, torch.full_like(s, -1e30))
    w = torch.exp(s - s.amax(-1, keepdim=True))
    w = w / w.sum(-1, keepdim=True)
    return torch.einsum("...ls,...sd->...ld", w, v), w


@wrong("scaled-dot-product", "borrowed", passes="shapes weights mask")
def torchs_own_for_the_output(q, k, v, mask=None):
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    d = q.shape[-1]
    bias = 0 if mask is None else torch.zeros(mask.shape, dtype=q.dtype).masked_fill_(~mask, -torch.inf)
    return out, ((q / d**0.25) @ (k / d**0.25).mT + bias).softmax(-1)


@wrong("scaled-dot-product", "no-scale", passes="shapes")
def forgot_the_root(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(-1)
    return weights @ v, weights


@wrong("scaled-dot-product", "scale-not-rooted", passes="shapes")
def divides_by_d(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / q.shape[-1]
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(-1)
    return weights @ v, weights


@wrong("scaled-dot-product", "scale-inverted", passes="shapes")
def multiplies_by_the_root(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) * math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(-1)
    return weights @ v, weights


@wrong("scaled-dot-product", "scaled-by-length", passes="shapes")
def root_of_the_wrong_size(q, k, v, mask=None):
    length = q.shape[-2]
    scores = q @ k.transpose(-2, -1) / length**0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(-1)
    return weights @ v, weights


@wrong("scaled-dot-product", "scaled-after-softmax", passes="shapes")
def root_after_the_softmax(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(-1) / math.sqrt(q.shape[-1])
    return weights @ v, weights


@wrong("scaled-dot-product", "all-axes-reversed")
def all_axes_turned_round(q, k, v, mask=None):
    scores = q @ k.T / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(-1)
    return weights @ v, weights


@wrong("scaled-dot-product", "queries-and-keys-exchanged", passes="shapes")
def keys_ask_queries(q, k, v, mask=None):
    scores = k @ q.mT / math.sqrt(k.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(-1)
    return weights @ v, weights


@wrong("scaled-dot-product", "softmax-over-queries", passes="shapes")
def columns_sum_to_one(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.softmax(scores, dim=-2)
    return weights @ v, weights


@wrong("scaled-dot-product", "softmax-over-the-first-axis", passes="shapes")
def softmax_of_axis_zero(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.softmax(scores, dim=0)
    return weights @ v, weights


@wrong("scaled-dot-product", "second-axis", passes="shapes")
def softmax_of_axis_one(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.softmax(scores, dim=1)
    return weights @ v, weights


@wrong("scaled-dot-product", "weights-transposed", passes="shapes weights")
def weights_turned(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(-1)
    return weights.transpose(-2, -1) @ v, weights


@wrong("scaled-dot-product", "no-softmax", passes="shapes")
def scores_as_weights(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores * mask
    return scores @ v, scores


@wrong("scaled-dot-product", "no-softmax", passes="shapes")
def scores_as_weights_with_infinity(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores @ v, scores


@wrong("scaled-dot-product", "sigmoid-not-softmax", passes="shapes")
def gated_keys(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.sigmoid(scores)
    return weights @ v, weights


@wrong("scaled-dot-product", "keys-as-values", passes="shapes weights")
def averages_keys(q, k, v, mask=None):
    _, weights = step_by_step(q, k, v, mask)
    return weights @ k, weights


@wrong("scaled-dot-product", "unstable", passes="shapes output mask")
def bare_exponentials(q, k, v, mask=None):
    powers = torch.exp(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]))
    if mask is not None:
        powers = powers * mask
    weights = powers / powers.sum(dim=-1, keepdim=True)
    return weights @ v, weights


@wrong("scaled-dot-product", "mask-inverted", passes="shapes weights output")
def true_means_forbidden(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(mask, float("-inf"))
    weights = scores.softmax(-1)
    return weights @ v, weights


@wrong("scaled-dot-product", "mask-inverted", passes="shapes weights output")
def true_means_forbidden_by_a_large_number(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(mask, -1e9)
    weights = scores.softmax(-1)
    return weights @ v, weights


@wrong("scaled-dot-product", "mask-ignored", passes="shapes weights output")
def never_looks_at_the_mask(q, k, v, mask=None):
    weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
    return weights @ v, weights


@wrong("scaled-dot-product", "mask-after-softmax", passes="shapes weights output")
def masks_the_weights(q, k, v, mask=None):
    weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
    if mask is not None:
        weights = weights * mask
    return weights @ v, weights


@wrong("scaled-dot-product", "mask-multiplied", passes="shapes weights output")
def forbidden_scores_are_zero(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores * mask
    weights = scores.softmax(-1)
    return weights @ v, weights


@wrong("scaled-dot-product", "mask-added", passes="shapes weights output")
def adds_the_mask(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores + mask.to(scores.dtype)
    weights = scores.softmax(-1)
    return weights @ v, weights


@wrong("scaled-dot-product", "only-the-output")
def forgot_the_weights(q, k, v, mask=None):
    return step_by_step(q, k, v, mask)[0]


@wrong("scaled-dot-product", "returned-in-the-wrong-order")
def weights_first(q, k, v, mask=None):
    output, weights = step_by_step(q, k, v, mask)
    return weights, output


@wrong("scaled-dot-product", "detached", passes="shapes weights mask")
def weights_without_gradient(q, k, v, mask=None):
    output, weights = step_by_step(q, k, v, mask)
    return weights.detach() @ v, weights


@wrong("scaled-dot-product", "scale-not-rooted", passes="shapes")
def scales_twice(q, k, v, mask=None):
    return step_by_step(q / math.sqrt(q.shape[-1]), k, v, mask)


# multi-head


@right("multi-head")
class FourLinearLayers(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        self.num_heads = heads
        self.head_dim = dim // heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def attend(self, x):
        n, length, dim = x.shape
        q = self.query(x).view(n, length, self.num_heads, self.head_dim).transpose(1, 2)
        k = self.key(x).view(n, length, self.num_heads, self.head_dim).transpose(1, 2)
        v = self.value(x).view(n, length, self.num_heads, self.head_dim).transpose(1, 2)
        weights = torch.softmax(q @ k.transpose(-2, -1) / self.head_dim**0.5, dim=-1)
        return weights @ v, weights

    def weights(self, x):
        return self.attend(x)[1]

    def forward(self, x):
        y, _ = self.attend(x)
        return self.out(y.transpose(1, 2).contiguous().view(x.shape))


@right("multi-head")
class FusedHeadByHead(nn.Module):
    """Rows of the one projection: first head's q, k, v, then the second's (as in some tutorials)."""

    def __init__(self, dim, heads=8):
        super().__init__()
        self.heads = heads
        self.qkv_proj = nn.Linear(dim, 3 * dim)
        self.o_proj = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.qkv_proj.weight)

    def split(self, x):
        n, length, dim = x.size()
        qkv = self.qkv_proj(x).reshape(n, length, self.heads, 3 * dim // self.heads).permute(0, 2, 1, 3)
        return qkv.chunk(3, dim=-1)

    def weights(self, x):
        q, k, _ = self.split(x)
        return F.softmax(q @ k.mT / math.sqrt(q.shape[-1]), -1)

    def forward(self, x):
        values = self.weights(x) @ self.split(x)[2]
        return self.o_proj(values.permute(0, 2, 1, 3).reshape(x.shape))


@right("multi-head")
class FusedInnermost(nn.Module):
    """einops 'b n (h d qkv)': the three lie side by side for every feature. No biases in front."""

    def __init__(self, dim, heads=8):
        super().__init__()
        self.h = heads
        self.projection = nn.Linear(dim, dim)
        self.qkv = nn.Linear(dim, dim * 3, bias=False)
        self.dropout = nn.Dropout(0.1)

    def weights(self, x):
        q, k = self.parts(x)[:2]
        return self.dropout((torch.einsum("bhqd,bhkd->bhqk", q, k) / (x.shape[-1] // self.h) ** 0.5).softmax(-1))

    def parts(self, x):
        return self.qkv(x).unflatten(-1, (self.h, -1, 3)).permute(4, 0, 2, 1, 3)

    def forward(self, x):
        out = torch.einsum("bhqk,bhkd->bqhd", self.weights(x), self.parts(x)[2])
        return self.projection(out.flatten(2))


@right("multi-head")
class FusedKeysValues(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.to_kv = nn.Linear(dim, 2 * dim, bias=False)
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(0.0))

    def qkv(self, x):
        k, v = self.to_kv(x).chunk(2, dim=-1)
        return [t.reshape(*t.shape[:2], self.heads, -1).permute(0, 2, 1, 3) for t in (self.to_q(x), k, v)]

    def weights(self, x):
        q, k, _ = self.qkv(x)
        return (self.scale * q @ k.transpose(2, 3)).softmax(3)

    def forward(self, x):
        return self.to_out((self.weights(x) @ self.qkv(x)[2]).transpose(1, 2).flatten(2))


class Head(nn.Module):
    def __init__(self, dim, width):
        super().__init__()
        self.key = nn.Linear(dim, width, bias=False)
        self.query = nn.Linear(dim, width, bias=False)
        self.value = nn.Linear(dim, width, bias=False)

    def wei(self, x):
        k = self.key(x)
        q = self.query(x)
        return F.softmax(q @ k.transpose(-2, -1) * k.shape[-1] ** -0.5, dim=-1)

    def forward(self, x):
        return self.wei(x) @ self.value(x)


@right("multi-head")
class AListOfHeads(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        self.heads = nn.ModuleList([Head(dim, dim // heads) for _ in range(heads)])
        self.proj = nn.Linear(dim, dim)

    def weights(self, x):
        return torch.stack([head.wei(x) for head in self.heads], dim=1)

    def forward(self, x):
        return self.proj(torch.cat([head(x) for head in self.heads], dim=-1))


@right("multi-head")
class ListsOfLayers(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        width = dim // heads
        self.q = nn.ModuleList(nn.Linear(dim, width) for _ in range(heads))
        self.k = nn.ModuleList(nn.Linear(dim, width) for _ in range(heads))
        self.v = nn.ModuleList(nn.Linear(dim, width) for _ in range(heads))
        self.out = nn.Linear(dim, dim)

    def weights(self, x):
        qs, ks = ([layer(x) for layer in layers] for layers in (self.q, self.k))
        return torch.stack([(q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) for q, k in zip(qs, ks)], 1)

    def forward(self, x):
        weights = self.weights(x)
        return self.out(torch.cat([weights[:, i] @ layer(x) for i, layer in enumerate(self.v)], 2))


@right("multi-head")
class MatricesOfEveryHead(nn.Module):
    """Parameters (heads, dim, d), as in interpretability courses."""

    def __init__(self, dim, heads=8):
        super().__init__()
        width = dim // heads
        self.W_Q = nn.Parameter(torch.randn(heads, dim, width) * 0.02)
        self.W_K = nn.Parameter(torch.randn(heads, dim, width) * 0.02)
        self.W_V = nn.Parameter(torch.randn(heads, dim, width) * 0.02)
        self.W_O = nn.Parameter(torch.randn(heads, width, dim) * 0.02)
        self.b_Q = nn.Parameter(torch.zeros(heads, width))
        self.b_K = nn.Parameter(torch.zeros(heads, width))
        self.b_V = nn.Parameter(torch.zeros(heads, width))
        self.b_O = nn.Parameter(torch.zeros(dim))

    def weights(self, x):
        q = torch.einsum("nld,hde->nlhe", x, self.W_Q) + self.b_Q
        k = torch.einsum("nld,hde->nlhe", x, self.W_K) + self.b_K
        return (torch.einsum("nqhe,nkhe->nhqk", q, k) / q.shape[-1] ** 0.5).softmax(-1)

    def forward(self, x):
        v = torch.einsum("nld,hde->nlhe", x, self.W_V) + self.b_V
        z = torch.einsum("nhqk,nkhe->nqhe", self.weights(x), v)
        return torch.einsum("nqhe,hed->nqd", z, self.W_O) + self.b_O


@right("multi-head")
class RawSquareMatrices(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        self.heads = heads
        self.wo, self.wv, self.wk, self.wq = (nn.Parameter(torch.randn(dim, dim) / dim**0.5) for _ in range(4))

    def parts(self, x):
        return [torch.stack((x @ w).chunk(self.heads, -1), 1) for w in (self.wq, self.wk, self.wv)]

    def weights(self, x):
        q, k, _ = self.parts(x)
        return torch.softmax(q @ k.mT / math.sqrt(k.shape[-1]), -1)

    def forward(self, x):
        return torch.cat((self.weights(x) @ self.parts(x)[2]).unbind(1), -1) @ self.wo


@right("multi-head")
class RawFusedMatrix(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        self.h = heads
        self.w_in = nn.Parameter(torch.randn(dim, 3 * dim))
        self.w_out = nn.Parameter(torch.randn(dim, dim))

    def parts(self, x):
        return (x @ self.w_in).unflatten(2, (3, self.h, -1)).permute(2, 0, 3, 1, 4)

    def weights(self, x):
        v, k, q = self.parts(x)
        return torch.softmax(q @ k.mT / math.sqrt(k.shape[-1]), -1)

    def forward(self, x):
        return (self.weights(x) @ self.parts(x)[0]).transpose(1, 2).flatten(2) @ self.w_out


@right("multi-head")
class EveryHthFeature(FourLinearLayers):
    """Another cut into heads: any cut is as good, the projections learn it."""

    def attend(self, x):
        n, length, dim = x.shape
        q, k, v = (
            layer(x).view(n, length, self.head_dim, self.num_heads).permute(0, 3, 1, 2)
            for layer in (self.query, self.key, self.value)
        )
        weights = torch.softmax(q @ k.transpose(-2, -1) / self.head_dim**0.5, dim=-1)
        return weights @ v, weights


@right("multi-head")
class HeadsFoldedIntoTheBatch(FourLinearLayers):
    def __init__(self, dim, heads=8):
        super().__init__(dim, heads)
        self.register_buffer("scale", torch.tensor(self.head_dim**0.5))

    def attend(self, x):
        n, length, _ = x.shape
        fold = lambda t: torch.cat(t.split(self.head_dim, dim=2))  # noqa: E731
        q, k, v = fold(self.query(x)), fold(self.key(x)), fold(self.value(x))
        weights = torch.bmm(q, k.transpose(1, 2)).div_(self.scale).softmax(2)
        y = torch.bmm(weights, v)
        return torch.stack(y.split(n), 1), torch.stack(weights.split(n), 1)


class Heads(nn.Module):
    """What most wrong answers get right."""

    def __init__(self, dim, heads=8):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim)
        self.to_k = nn.Linear(dim, dim)
        self.to_v = nn.Linear(dim, dim)
        self.to_out = nn.Linear(dim, dim)

    def split(self, t):
        n, length, dim = t.shape
        return t.view(n, length, self.heads, dim // self.heads).transpose(1, 2)

    def scores(self, x):
        q, k = self.split(self.to_q(x)), self.split(self.to_k(x))
        return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])

    def weights(self, x):
        return self.scores(x).softmax(dim=-1)

    def forward(self, x):
        y = self.weights(x) @ self.split(self.to_v(x))
        return self.to_out(y.transpose(1, 2).reshape(x.shape))


class Wrapped(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)

    def weights(self, x):
        return self.attention(x, x, x, average_attn_weights=False)[1]

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


@wrong("multi-head", "borrowed", passes="shapes parameters gradients")
class TorchsOwn(Wrapped):
    pass


@wrong("multi-head", "borrowed", passes="shapes parameters gradients")
class TorchsFunction(Heads):
    def forward(self, x):
        q, k, v = (self.split(layer(x)) for layer in (self.to_q, self.to_k, self.to_v))
        return self.to_out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape))


@wrong("multi-head", "heads-by-view", passes="shapes parameters gradients")
class SplitByView(Heads):
    def split(self, t):
        n, length, dim = t.shape
        return t.view(n, self.heads, length, dim // self.heads)

    def forward(self, x):
        y = self.weights(x) @ self.split(self.to_v(x))
        return self.to_out(y.reshape(x.shape))


@wrong("multi-head", "heads-by-view", passes="shapes parameters weights gradients")
class MergedByView(Heads):
    def forward(self, x):
        y = self.weights(x) @ self.split(self.to_v(x))
        return self.to_out(y.reshape(x.shape))


@wrong("multi-head", "heads-by-view", passes="shapes parameters gradients")
class SplitByViewMergedWell(Heads):
    def split(self, t):
        n, length, dim = t.shape
        return t.reshape(n, self.heads, length, -1)


@wrong("multi-head", "three-by-view", passes="shapes parameters gradients")
class OneProjectionCutByView(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        self.heads = heads
        self.to_qkv, self.to_out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def three(self, x):
        n, length, dim = x.shape
        return self.to_qkv(x).view(n, 3, length, self.heads, -1).transpose(2, 3).unbind(1)

    def weights(self, x):
        q, k, _ = self.three(x)
        return (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)

    def forward(self, x):
        return self.to_out((self.weights(x) @ self.three(x)[2]).transpose(1, 2).reshape(x.shape))


@wrong("multi-head", "heads-attend-to-heads", passes="parameters gradients")
class NeverExchanged(Heads):
    def split(self, t):
        n, length, dim = t.shape
        return t.view(n, length, self.heads, dim // self.heads)

    def forward(self, x):
        y = self.weights(x) @ self.split(self.to_v(x))
        return self.to_out(y.reshape(x.shape))


@wrong("multi-head", "heads-attend-to-heads", passes="parameters gradients")
class ExchangedOnlyAtTheEnd(Heads):
    def split(self, t):
        return t.unflatten(-1, (self.heads, -1))


@wrong("multi-head", "heads-attend-to-heads", passes="parameters")
class ExchangedAndFlattenedAtTheEnd(NeverExchanged):
    def forward(self, x):
        y = self.weights(x) @ self.split(self.to_v(x))
        return self.to_out(y.transpose(1, 2).flatten(2))


@wrong("multi-head", "output-unused", passes="shapes parameters weights")
class OutputLayerForgotten(Heads):
    def forward(self, x):
        y = self.weights(x) @ self.split(self.to_v(x))
        return y.transpose(1, 2).reshape(x.shape)


@wrong("multi-head", "one-projection", passes="shapes gradients")
class OneProjectionForAllThree(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(dim, dim)
        self.output = nn.Linear(dim, dim)

    def attend(self, x):
        n, length, dim = x.shape
        t = self.project(x).view(n, length, self.heads, dim // self.heads).transpose(1, 2)
        return step_by_step(t, t, t)

    def weights(self, x):
        return self.attend(x)[1]

    def forward(self, x):
        return self.output(self.attend(x)[0].transpose(1, 2).flatten(2))


@wrong("multi-head", "scaled-by-dim", passes="shapes parameters gradients")
class DividesByTheWholeWidth(Heads):
    def scores(self, x):
        q, k = self.split(self.to_q(x)), self.split(self.to_k(x))
        return q @ k.transpose(-2, -1) / math.sqrt(x.shape[-1])


@wrong("multi-head", "no-scale", passes="shapes parameters gradients")
class NoScale(Heads):
    def scores(self, x):
        return self.split(self.to_q(x)) @ self.split(self.to_k(x)).mT


@wrong("multi-head", "softmax-over-queries", passes="shapes parameters gradients")
class SoftmaxOverQueries(Heads):
    def weights(self, x):
        return torch.softmax(self.scores(x), dim=2)


@wrong("multi-head", "softmax-over-heads", passes="shapes parameters gradients")
class SoftmaxOverHeads(Heads):
    def weights(self, x):
        return torch.softmax(self.scores(x), dim=1)


@wrong("multi-head", "sigmoid-not-softmax", passes="shapes parameters gradients")
class SigmoidWeights(Heads):
    def weights(self, x):
        return torch.sigmoid(self.scores(x))


@wrong("multi-head", "no-softmax", passes="shapes parameters gradients")
class LinearWeights(Heads):
    def weights(self, x):
        return self.scores(x)


@wrong("multi-head", "across-images", passes="parameters")
class BatchFirstForgotten(nn.Module):
    """Treats x as (L, N, dim)."""

    def __init__(self, dim, heads=8):
        super().__init__()
        self.h = heads
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(dim, dim) for _ in range(4))

    def parts(self, x):
        length, n, dim = x.shape
        return [
            w(x).contiguous().view(length, n * self.h, dim // self.h).transpose(0, 1)
            for w in (self.wq, self.wk, self.wv)
        ]

    def weights(self, x):
        q, k, _ = self.parts(x)
        return torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1).unflatten(0, (-1, self.h))

    def forward(self, x):
        y = self.weights(x).flatten(0, 1) @ self.parts(x)[2]
        return self.wo(y.transpose(0, 1).contiguous().view(x.shape))


@wrong("multi-head", "no-output-projection", passes="shapes weights gradients")
class NothingMixesTheHeads(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)

    def parts(self, x):
        return self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)

    def weights(self, x):
        q, k, _ = self.parts(x)
        return (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)

    def forward(self, x):
        return (self.weights(x) @ self.parts(x)[2]).transpose(1, 2).flatten(2)


@wrong("multi-head", "values-are-keys", passes="shapes weights gradients")
class KeysAreValues(Heads):
    def __init__(self, dim, heads=8):
        super().__init__(dim, heads)
        del self.to_v

    def forward(self, x):
        y = self.weights(x) @ self.split(self.to_k(x))
        return self.to_out(y.transpose(1, 2).reshape(x.shape))


@wrong("multi-head", "one-small-projection", passes="shapes gradients")
class OneSmallProjection(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        self.heads = heads
        width = dim // heads
        self.values = nn.Linear(width, width, bias=False)
        self.keys = nn.Linear(width, width, bias=False)
        self.queries = nn.Linear(width, width, bias=False)
        self.fc_out = nn.Linear(dim, dim)

    def split(self, x):
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1)

    def weights(self, x):
        q, k = self.queries(self.split(x)), self.keys(self.split(x))
        energy = torch.einsum("nqhd,nkhd->nhqk", q, k)
        return torch.softmax(energy / q.shape[-1] ** 0.5, dim=3)

    def forward(self, x):
        out = torch.einsum("nhql,nlhd->nqhd", self.weights(x), self.values(self.split(x)))
        return self.fc_out(out.reshape(x.shape))


@wrong("multi-head", "wide-heads", passes="shapes gradients")
class EveryHeadAsWideAsTheToken(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = (nn.Linear(dim, heads * dim, bias=False) for _ in range(3))
        self.unify = nn.Linear(heads * dim, dim)

    def split(self, t):
        return t.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def weights(self, x):
        return torch.softmax(self.split(self.q(x)) @ self.split(self.k(x)).mT / x.shape[-1] ** 0.5, -1)

    def forward(self, x):
        return self.unify((self.weights(x) @ self.split(self.v(x))).transpose(1, 2).flatten(2))


@wrong("multi-head", "one-head", passes="parameters gradients")
class HeadsNeverRead(Heads):
    def split(self, t):
        return t.unsqueeze(1)


@wrong("multi-head", "residual-inside", passes="shapes parameters weights gradients")
class ResidualAdded(Heads):
    def forward(self, x):
        return x + super().forward(x)


@wrong("multi-head", "heads-averaged", passes="parameters values gradients")
class AveragedMaps(Heads):
    def forward(self, x):
        y = super().weights(x) @ self.split(self.to_v(x))
        return self.to_out(y.transpose(1, 2).reshape(x.shape))

    def weights(self, x):
        return super().weights(x).mean(dim=1)


@wrong("multi-head", "raw-scores", passes="shapes parameters values gradients")
class ReturnsScores(Heads):
    def weights(self, x):
        return self.scores(x)

    def forward(self, x):
        y = self.scores(x).softmax(-1) @ self.split(self.to_v(x))
        return self.to_out(y.transpose(1, 2).reshape(x.shape))


@wrong("multi-head", "unregistered", passes="shapes")
class ListOfProjections(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        self.heads = heads
        self.layers = [nn.Linear(dim, dim) for _ in range(4)]

    def split(self, t):
        return t.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def weights(self, x):
        q, k = (self.split(layer(x)) for layer in self.layers[:2])
        return (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)

    def forward(self, x):
        y = self.weights(x) @ self.split(self.layers[2](x))
        return self.layers[3](y.transpose(1, 2).flatten(2))


@wrong("multi-head", "unused-parameter", passes="shapes parameters weights values")
class WeightsDetached(Heads):
    def forward(self, x):
        y = self.weights(x).detach() @ self.split(self.to_v(x))
        return self.to_out(y.transpose(1, 2).reshape(x.shape))


# patch-embedding


@right("patch-embedding")
class Convolution(nn.Module):
    def __init__(self, in_channels, patch, dim):
        super().__init__()
        self.proj = nn.Conv2d(in_channels, dim, kernel_size=patch, stride=patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


right("patch-embedding")(PatchEmbedding)


@right("patch-embedding")
class LinearOnReshaped(nn.Module):
    def __init__(self, in_channels, patch, dim):
        super().__init__()
        self.p = patch
        self.linear = nn.Linear(in_channels * patch * patch, dim)

    def forward(self, x):
        n, c, h, w = x.shape
        p = self.p
        x = x.reshape(n, c, h // p, p, w // p, p)
        x = x.permute(0, 2, 4, 3, 5, 1)
        return self.linear(x.reshape(n, (h // p) * (w // p), p * p * c))


@right("patch-embedding")
class Unfolded(nn.Module):
    def __init__(self, in_channels, patch, dim):
        super().__init__()
        self.unfold = nn.Unfold(patch, stride=patch)
        self.embed = nn.Linear(in_channels * patch**2, dim, bias=False)

    def forward(self, x):
        return self.embed(self.unfold(x).transpose(1, 2))


@right("patch-embedding")
class PixelUnshuffled(nn.Module):
    def __init__(self, in_channels, patch, dim):
        super().__init__()
        self.down = nn.PixelUnshuffle(patch)
        self.mix = nn.Conv2d(in_channels * patch * patch, dim, 1)

    def forward(self, x):
        return torch.einsum("ndhw->nhwd", self.mix(self.down(x))).flatten(1, 2)


@right("patch-embedding")
class LoopOverPatches(nn.Module):
    def __init__(self, in_channels, patch, dim):
        super().__init__()
        self.patch = patch
        self.weight = nn.Parameter(torch.randn(in_channels * patch * patch, dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        p, tokens = self.patch, []
        for i in range(0, x.shape[2], p):
            for j in range(0, x.shape[3], p):
                tokens.append(x[:, :, i : i + p, j : j + p].transpose(2, 3).flatten(1) @ self.weight + self.bias)
        return torch.stack(tokens, dim=1)


@wrong("patch-embedding", "view-without-permute", passes="shape parameters")
class ReshapedOnly(nn.Module):
    def __init__(self, in_channels, patch, dim):
        super().__init__()
        self.size = in_channels * patch * patch
        self.linear = nn.Linear(self.size, dim)

    def forward(self, x):
        return self.linear(x.reshape(x.shape[0], -1, self.size))


@wrong("patch-embedding", "view-without-permute", passes="shape parameters")
class ColoursLastThenReshaped(ReshapedOnly):
    def forward(self, x):
        return self.linear(x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, self.size))


@wrong("patch-embedding", "map-reshaped", passes="shape parameters")
class MapReshaped(Convolution):
    def forward(self, x):
        y = self.proj(x)
        return y.view(y.shape[0], -1, y.shape[1])


@wrong("patch-embedding", "channels-first", passes="parameters")
class NotTransposed(Convolution):
    def forward(self, x):
        return self.proj(x).flatten(2)


@wrong("patch-embedding", "not-flattened", passes="parameters")
class StillAMap(Convolution):
    def forward(self, x):
        return self.proj(x)


@wrong("patch-embedding", "not-flattened", passes="parameters")
class StillAGrid(Convolution):
    def forward(self, x):
        return self.proj(x).permute(0, 2, 3, 1)


@wrong("patch-embedding", "overlapping", passes="parameters")
class NoStride(Convolution):
    def __init__(self, in_channels, patch, dim):
        super().__init__(in_channels, patch, dim)
        self.proj = nn.Conv2d(in_channels, dim, patch)


@wrong("patch-embedding", "padded", passes="parameters")
class Padded(Convolution):
    def __init__(self, in_channels, patch, dim):
        super().__init__(in_channels, patch, dim)
        self.proj = nn.Conv2d(in_channels, dim, patch, stride=patch, padding=patch // 2)


@wrong("patch-embedding", "by-columns", passes="shape parameters")
class DownTheColumns(Convolution):
    def forward(self, x):
        return self.proj(x).transpose(2, 3).flatten(2).transpose(1, 2)


@wrong("patch-embedding", "channels-averaged", passes="shape")
class GreyPatches(nn.Module):
    def __init__(self, in_channels, patch, dim):
        super().__init__()
        self.proj = nn.Conv2d(1, dim, patch, stride=patch)

    def forward(self, x):
        return self.proj(x.mean(1, keepdim=True)).flatten(2).transpose(1, 2)


@wrong("patch-embedding", "class-token")
class WithAClassToken(Convolution):
    def __init__(self, in_channels, patch, dim):
        super().__init__(in_channels, patch, dim)
        self.cls = nn.Parameter(torch.randn(1, 1, dim))

    def forward(self, x):
        y = super().forward(x)
        return torch.cat([self.cls.repeat(len(x), 1, 1), y], dim=1)


@wrong("patch-embedding", "relation", passes="shape parameters")
class WithAReLU(Convolution):
    def forward(self, x):
        return torch.relu(super().forward(x))


# positions


@right("positions")
def filled_in(length, dim):
    table = torch.zeros(length, dim)
    position = torch.arange(length).unsqueeze(1).float()
    div_term = torch.exp(torch.arange(0, dim, 2).float() * (-math.log(10000.0) / dim))
    table[:, 0::2] = torch.sin(position * div_term)
    table[:, 1::2] = torch.cos(position * div_term)
    return table


@right("positions")
def number_by_number(length, dim):
    rows = []
    for p in range(length):
        angles = [p / 10000 ** (2 * (j // 2) / dim) for j in range(dim)]
        rows.append([math.sin(a) if j % 2 == 0 else math.cos(a) for j, a in enumerate(angles)])
    return torch.tensor(rows, dtype=torch.float64)


@right("positions")
def shifted_sines(length, dim):
    angles = torch.outer(torch.arange(length), 10000.0 ** (-(torch.arange(dim) // 2) * 2 / dim))
    return torch.sin(angles + math.pi / 2 * (torch.arange(dim) % 2))


@wrong("positions", "exponent-doubled", passes="shape pairs")
def exponent_doubled(length, dim):
    table = torch.zeros(length, dim)
    position = torch.arange(length)[:, None].double()
    for i in range(0, dim, 2):
        table[:, i] = torch.sin(position[:, 0] / 10000 ** (2 * i / dim))
        table[:, i + 1] = torch.cos(position[:, 0] / 10000 ** (2 * i / dim))
    return table


@wrong("positions", "exponent-halved", passes="shape pairs")
def exponent_halved(length, dim):
    i = torch.arange(dim // 2)
    angles = torch.arange(length)[:, None] / 10000 ** (i / dim)
    return torch.stack([angles.sin(), angles.cos()], -1).reshape(length, dim)


@wrong("positions", "unpaired", passes="shape")
def a_frequency_for_each_column(length, dim):
    angles = torch.arange(length)[:, None] / 10000 ** (torch.arange(dim) / dim)
    angles[:, 0::2] = torch.sin(angles[:, 0::2])
    angles[:, 1::2] = torch.cos(angles[:, 1::2])
    return angles


@wrong("positions", "halves", passes="shape")
def first_sines_then_cosines(length, dim):
    angles = torch.arange(length)[:, None] / 10000 ** (torch.arange(0, dim, 2) / dim)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


@wrong("positions", "cosine-first", passes="shape pairs")
def cosines_in_even_columns(length, dim):
    table = filled_in(length, dim)
    return table.view(length, -1, 2).flip(2).reshape(length, dim)


@wrong("positions", "frequency-inverted", passes="shape pairs")
def waves_that_get_faster(length, dim):
    table = torch.zeros(length, dim)
    angles = torch.arange(length)[:, None] * 10000 ** (torch.arange(0, dim, 2) / dim)
    table[:, ::2], table[:, 1::2] = angles.sin(), angles.cos()
    return table


@wrong("positions", "counts-from-one", passes="shape pairs")
def from_one(length, dim):
    return filled_in(length + 1, dim)[1:]


@wrong("positions", "full-turns", passes="shape pairs")
def in_full_turns(length, dim):
    angles = 2 * math.pi * torch.arange(length)[:, None] / 10000 ** (torch.arange(0, dim, 2) / dim)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


@wrong("positions", "transposed")
def dim_by_length(length, dim):
    return filled_in(length, dim).t()


@wrong("positions", "batch-axis")
def for_one_image(length, dim):
    return filled_in(length, dim).unsqueeze(0)


# encoder-block


@right("encoder-block")
class WithSequential(nn.Module):
    def __init__(self, dim, heads=8, mlp_ratio=4):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = FourLinearLayers(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, dim * mlp_ratio), nn.GELU(), nn.Linear(dim * mlp_ratio, dim))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return x


right("encoder-block")(EncoderBlock)


@right("encoder-block")
class FunctionalHalves(nn.Module):
    def __init__(self, dim, heads=8, mlp_ratio=4):
        super().__init__()
        self.w2 = nn.Linear(mlp_ratio * dim, dim)
        self.w1 = nn.Linear(dim, mlp_ratio * dim)
        self.after, self.before = nn.LayerNorm(dim), nn.LayerNorm((dim,))
        self.att = FusedHeadByHead(dim, heads)

    def forward(self, tokens):
        tokens = self.att(self.before(tokens)) + tokens
        return self.w2(F.gelu(self.w1(self.after(tokens)))).add_(tokens)


class PreNorm(nn.Module):
    def __init__(self, dim, fn):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def forward(self, x):
        return self.fn(self.norm(x)) + x


@right("encoder-block")
class NestedPreNorms(nn.Module):
    def __init__(self, dim, heads=8, mlp_ratio=4):
        super().__init__()
        hidden = int(dim * mlp_ratio)
        mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(0.1), nn.Linear(hidden, dim))
        self.block = nn.Sequential(PreNorm(dim, FusedKeysValues(dim, heads)), PreNorm(dim, mlp))

    def forward(self, x):
        return self.block(x)


@right("encoder-block")
class OnAListOfHeads(WithSequential):
    def __init__(self, dim, heads=8, mlp_ratio=4):
        super().__init__(dim, heads, mlp_ratio)
        self.attn = AListOfHeads(dim, heads)


@right("encoder-block")
class OnRawMatrices(WithSequential):
    def __init__(self, dim, heads=8, mlp_ratio=4):
        super().__init__(dim, heads, mlp_ratio)
        self.attn = RawSquareMatrices(dim, heads)


class BlockBase(nn.Module):
    """What most wrong answers get right."""

    def __init__(self, dim, heads=8, mlp_ratio=4):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = Heads(dim, heads)
        self.fc1 = nn.Linear(dim, mlp_ratio * dim)
        self.fc2 = nn.Linear(mlp_ratio * dim, dim)

    def mlp(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


@wrong("encoder-block", "borrowed", passes="shape parameters gradients")
class AroundTorchsOwn(nn.Module):
    def __init__(self, dim, heads=8, mlp_ratio=4):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Wrapped(dim, heads)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp_ratio * dim), nn.GELU(), nn.Linear(mlp_ratio * dim, dim))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


@wrong("encoder-block", "post-norm", passes="shape parameters gradients")
class PostNorm(BlockBase):
    def forward(self, x):
        x = self.ln1(x + self.attn(x))
        return self.ln2(x + self.mlp(x))


@wrong("encoder-block", "skip-from-the-normalised", passes="shape parameters gradients")
class SkipFromNormalised(BlockBase):
    def forward(self, x):
        x = self.ln1(x)
        x = x + self.attn(x)
        x = self.ln2(x)
        x = x + self.mlp(x)
        return x


@wrong("encoder-block", "no-skip", passes="shape parameters gradients")
class NoFirstSkip(BlockBase):
    def forward(self, x):
        x = self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


@wrong("encoder-block", "no-skip", passes="shape parameters gradients")
class NoSecondSkip(BlockBase):
    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return self.mlp(self.ln2(x))


@wrong("encoder-block", "no-skip", passes="shape parameters gradients")
class NoSkips(BlockBase):
    def forward(self, x):
        return self.mlp(self.ln2(self.attn(self.ln1(x))))


@wrong("encoder-block", "skip-from-the-start", passes="shape parameters gradients")
class SkipFromTheStart(BlockBase):
    def forward(self, x):
        y = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(y))


@wrong("encoder-block", "in-parallel", passes="shape parameters gradients")
class InParallel(BlockBase):
    def forward(self, x):
        return x + self.attn(self.ln1(x)) + self.mlp(self.ln2(x))


@wrong("encoder-block", "mlp-first", passes="shape parameters gradients")
class MLPFirst(BlockBase):
    def forward(self, x):
        x = x + self.mlp(self.ln1(x))
        return x + self.attn(self.ln2(x))


@wrong("encoder-block", "norms-unused", passes="shape parameters")
class NormsUnused(BlockBase):
    def forward(self, x):
        x = x + self.attn(x)
        return x + self.mlp(x)


@wrong("encoder-block", "no-norms", passes="shape gradients")
class NoNorms(BlockBase):
    def __init__(self, dim, heads=8, mlp_ratio=4):
        super().__init__(dim, heads, mlp_ratio)
        del self.ln1, self.ln2

    def forward(self, x):
        x = x + self.attn(x)
        return x + self.mlp(x)


@wrong("encoder-block", "one-norm", passes="shape gradients")
class OneNorm(BlockBase):
    def __init__(self, dim, heads=8, mlp_ratio=4):
        super().__init__(dim, heads, mlp_ratio)
        del self.ln2

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln1(x))


class Ordered(BlockBase):
    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


@wrong("encoder-block", "relu-not-gelu", passes="shape parameters gradients")
class ReLUInTheMLP(Ordered):
    def mlp(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


@wrong("encoder-block", "tanh-gelu", passes="shape parameters gradients")
class TanhGELU(Ordered):
    def mlp(self, x):
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


@wrong("encoder-block", "no-gelu", passes="shape parameters gradients")
class NothingBetween(Ordered):
    def mlp(self, x):
        return self.fc2(self.fc1(x))


@wrong("encoder-block", "ratio-ignored", passes="shape gradients")
class AlwaysFour(Ordered):
    def __init__(self, dim, heads=8, mlp_ratio=4):
        super().__init__(dim, heads, 4)


@wrong("encoder-block", "no-expansion", passes="shape gradients")
class NoExpansion(Ordered):
    def __init__(self, dim, heads=8, mlp_ratio=4):
        super().__init__(dim, heads, 1)


@wrong("encoder-block", "unused-parameter", passes="shape parameters")
class SecondNormForgotten(BlockBase):
    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(x)


@wrong("encoder-block", None, passes="shape parameters gradients")
class GELUAtTheEnd(Ordered):
    def mlp(self, x):
        return F.gelu(self.fc2(F.gelu(self.fc1(x))))


@wrong("multi-head", "scaled-after-softmax", passes="shapes parameters gradients")
class ScaledLate(Heads):
    def weights(self, x):
        q, k = self.split(self.to_q(x)), self.split(self.to_k(x))
        return (q @ k.mT).softmax(-1) / math.sqrt(q.shape[-1])


@wrong("multi-head", "masked", passes="shapes parameters gradients")
class Causal(Heads):
    def weights(self, x):
        scores = self.scores(x)
        later = torch.ones(scores.shape[-2:]).triu(1).bool()
        return scores.masked_fill(later, -math.inf).softmax(-1)


@wrong("positions", "columns-counted", passes="shape")
def twice_as_slow_column_by_column(length, dim):
    table = torch.zeros(length, dim, dtype=torch.float64)
    for p in range(length):
        for i in range(dim):
            angle = p / 10000 ** (2 * i / dim)
            table[p, i] = math.cos(angle) if i % 2 else math.sin(angle)
    return table
