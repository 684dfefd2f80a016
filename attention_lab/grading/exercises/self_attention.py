"""Lesson 06, self-attention: scaled-dot-product, multi-head, patch-embedding, positions, encoder-block."""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from ..closeness import close
from ..exercise import Check, Exercise, Failure, Probe, Property, Use, instead, mistake, named, normal, steps
from ..observe import Observation, Question
from ..properties import (
    gradients,
    images_apart,
    leaves_input_alone,
    parameters,
    repeatable,
    shape,
    sums_to_one,
    values,
    written_out,
)

ATTENTION = "softmax(q k^T / sqrt(d)) v (Vaswani et al. 2017, equation 1)"
MASK = "a forbidden score is -inf before the softmax, so its weight is 0 (Vaswani et al. 2017, section 3.2.3)"
HEADS = "concat(head_1, ..., head_h) Wo with head_i = attention(x Wq_i, x Wk_i, x Wv_i) (Vaswani et al. 2017, 3.2.2)"
PATCHES = "z_0 = [x_1 E; x_2 E; ...], x_p the pixels of patch p (Dosovitskiy et al. 2021, equation 1)"
POSITIONS = "P[p, 2i] = sin(p / 10000^(2i/dim)), P[p, 2i+1] = cos of the same angle (Vaswani et al. 2017, section 3.5)"
BLOCK = "x' = x + MSA(LN(x)), output = x' + MLP(LN(x')) (Dosovitskiy et al. 2021, equations 2 and 3)"


# scaled-dot-product


def triple(g: Generator, *shape: int, size: float = 1) -> tuple[Tensor, ...]:
    return tuple(size * normal(g, *shape) for _ in range(3))


def allowed(g: Generator, *shape: int) -> Tensor:
    """A random mask in which every query may attend at least to itself, and never to all."""
    mask = torch.rand(*shape, generator=g) < 0.5
    queries = torch.arange(shape[-1])
    mask[..., queries, queries] = True
    mask[..., queries, (queries + 1) % shape[-1]] = False
    return mask


class DotProduct:
    """The right answer in steps."""

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        return q @ k.mT

    def scale(self, q: Tensor) -> float:
        return math.sqrt(q.shape[-1])

    def masked(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.masked_fill(~mask, -math.inf)

    def normalise(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1)

    def weights(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        return self.normalise(scores if mask is None else self.masked(scores, mask))

    def combine(self, weights: Tensor, v: Tensor) -> Tensor:
        return weights @ v

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        weights = self.weights(self.scores(q, k) / self.scale(q), mask)
        return self.combine(weights, v), weights


def scaled_too_late(self: DotProduct, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None):
    weights = self.weights(self.scores(q, k), mask) / self.scale(q)
    return self.combine(weights, v), weights


FREE = ("two axes before", "one sequence", "one axis before")
MASKED = ("causal mask", "a mask for each image")

SCALED_DOT_PRODUCT = Exercise(
    id="scaled-dot-product",
    forms=(DotProduct(),),
    equation=ATTENTION,
    forbidden=("scaled_dot_product_attention", "multi_head_attention_forward"),
    records=("output", "weights"),
    probes={
        "two axes before": Probe(lambda g: triple(g, 2, 3, 5, 6)),
        "one sequence": Probe(lambda g: triple(g, 7, 12)),
        "one axis before": Probe(lambda g: triple(g, 3, 4, 10)),
        "causal mask": Probe(lambda g: (*triple(g, 2, 3, 5, 6), torch.ones(5, 5).tril().bool())),
        "a mask for each image": Probe(lambda g: (*triple(g, 2, 3, 7, 4), allowed(g, 2, 1, 7, 7))),
        "large": Probe(lambda g: triple(g, 2, 5, 8, size=100)),
    },
    checks={
        "shapes": Check(1, (shape("output"), shape("weights"), leaves_input_alone())),
        "weights": Check(
            2,
            (
                sums_to_one("weights", -1, on=FREE),
                values("weights", on=FREE),
                values("weights", on=("large",), name="weights for scores in the thousands"),
            ),
        ),
        "output": Check(1, (values("output", on=FREE), images_apart(on=FREE[:1]), gradients(on=FREE), written_out())),
        "mask": Check(2, (values("weights", on=MASKED), values("output", on=MASKED))),
    },
    misconceptions=(
        mistake(
            "no-scale",
            "the scores are not divided by sqrt(d)",
            "How large is a sum of d products, and what does a softmax do with large scores?",
            steps(scale=lambda self, q: 1),
        ),
        mistake(
            "scale-not-rooted",
            "the scores are divided by d, not by its square root",
            "The variance of a score is d. What is its standard deviation?",
            steps(scale=lambda self, q: q.shape[-1]),
        ),
        mistake(
            "scale-inverted",
            "the scores are multiplied by sqrt(d)",
            "Should the scores of wide tokens shrink or grow?",
            steps(scale=lambda self, q: 1 / math.sqrt(q.shape[-1])),
        ),
        mistake(
            "scaled-by-length",
            "the scores are divided by the root of the number of tokens, not of their width",
            "Which axis does the product sum over? How long is it?",
            steps(scale=lambda self, q: math.sqrt(q.shape[-2])),
        ),
        mistake(
            "scaled-after-softmax",
            "the weights are divided by sqrt(d), not the scores",
            "What do your weights sum to?",
            steps(scale=lambda self, q: 1, combine=lambda self, weights, v: weights @ v / math.sqrt(v.shape[-1])),
            steps(__call__=scaled_too_late),
        ),
        mistake(
            "all-axes-reversed",
            ".T turns round all axes of k, those of images and heads too",
            "Which two axes should change places? Which method exchanges only these: .mT, or transpose(-1, -2)?",
            steps(scores=lambda self, q, k: q @ k.permute(*reversed(range(k.ndim)))),
        ),
        mistake(
            "queries-and-keys-exchanged",
            "queries and keys are exchanged: row i of the weights belongs to key i",
            "In q k^T, does row i belong to query i or to key i?",
            steps(scores=lambda self, q, k: k @ q.mT),
        ),
        mistake(
            "softmax-over-queries",
            "the softmax runs over the queries: columns sum to 1, not rows",
            "A query distributes its attention. Which sums are 1?",
            steps(normalise=lambda self, scores: scores.softmax(-2)),
        ),
        mistake(
            "softmax-over-the-first-axis",
            "the softmax runs over the first axis, so images compete with each other",
            "Which axis holds the keys? Can image 2 change image 1?",
            steps(normalise=lambda self, scores: scores.softmax(0)),
        ),
        mistake(
            "second-axis",
            "the softmax runs over the second axis, which holds the keys only in some shapes",
            "Counted from the end, which axis holds the keys?",
            steps(normalise=lambda self, scores: scores.softmax(1)),
        ),
        mistake(
            "weights-transposed",
            "the weights are transposed before they meet the values: keys collect instead of queries",
            "Row i of the weights belongs to query i. Which row of the output should it make?",
            steps(combine=lambda self, weights, v: weights.mT @ v),
        ),
        mistake(
            "no-softmax",
            "the softmax is missing: raw scores weigh the values",
            "Do the weights of a query sum to 1?",
            steps(normalise=lambda self, scores: scores),
            steps(
                normalise=lambda self, scores: scores,
                masked=lambda self, scores, mask: scores.masked_fill(~mask, 0),
            ),
        ),
        mistake(
            "sigmoid-not-softmax",
            "a sigmoid gates every key; keys do not compete",
            "If one key matches better, do the others get less?",
            steps(normalise=lambda self, scores: scores.sigmoid()),
        ),
        mistake(
            "keys-as-values",
            "the weights average the keys; the values are never used",
            "What is v for?",
            lambda right: lambda q, k, v, mask=None: right(q, k, k, mask),
        ),
        mistake(
            "unstable",
            "the exponential of a large score overflows",
            "exp(1000) is inf. What may you subtract from every score of a query?",
            steps(normalise=lambda self, scores: scores.exp() / scores.exp().sum(-1, keepdim=True)),
            equation="exp(s_i - m) / sum_j exp(s_j - m) is the same for every m: take the maximum",
        ),
        mistake(
            "mask-inverted",
            "the mask is read the wrong way round: True means may attend",
            "Which scores should become -inf, those where mask is True or where it is False?",
            steps(masked=lambda self, scores, mask: scores.masked_fill(mask, -math.inf)),
            steps(masked=lambda self, scores, mask: scores.masked_fill(mask, -1e9)),
            equation=MASK,
        ),
        mistake(
            "mask-ignored",
            "the mask is never used",
            "Which line of yours changes when mask changes?",
            steps(masked=lambda self, scores, mask: scores),
            equation=MASK,
        ),
        mistake(
            "mask-after-softmax",
            "the mask is applied to the weights: what is left no longer sums to 1",
            "What do the weights of a query sum to when half of its keys are forbidden?",
            steps(weights=lambda self, scores, mask: self.normalise(scores) * (1 if mask is None else mask)),
            equation=MASK,
        ),
        mistake(
            "mask-multiplied",
            "a forbidden score becomes 0, not -inf: its key still gets weight",
            "exp(0) is 1. Which score has the exponential 0?",
            steps(masked=lambda self, scores, mask: scores * mask),
            equation=MASK,
        ),
        mistake(
            "mask-added",
            "the mask is added to the scores as 0 and 1",
            "Which number, added to a score, makes its weight 0?",
            steps(masked=lambda self, scores, mask: scores + mask),
            equation=MASK,
        ),
        mistake(
            "only-the-output",
            "only the output is returned; the figures need the weights too",
            "Which two things does the signature promise?",
            lambda right: lambda *given: right(*given)[0],
            equation="return output, weights",
        ),
        mistake(
            "returned-in-the-wrong-order",
            "weights and output are returned in the wrong order",
            "Which comes first in the signature?",
            lambda right: lambda *given: right(*given)[::-1],
            equation="return output, weights",
        ),
    ),
    hints=(
        """
        Three steps: compare every query with every key, turn each query's scores into weights, average the values.
        Which axis belongs to the keys?
        """,
        r"""
        $S = QK^\top/\sqrt d$ of shape `(..., L, L)`: row = query, column = key. Where `mask` is False, $S = -\infty$.
        $A = \mathrm{softmax}(S)$ over the last axis. Output $AV$: `(..., L, d)`.
        """,
        """
        ```
        scores  = q times k with its last two axes exchanged      # (..., L, L)
        scores  = scores / square root of d
        if there is a mask: scores become -infinity where it is False
        weights = softmax of scores over the last axis            # rows sum to 1
        return weights times v, weights
        ```
        """,
    ),
)


# multi-head


class Attention(nn.Module):
    """The right answer in steps. ``parts`` says which layers make queries, keys and values."""

    parts = (0, 1, 2)

    def __init__(self, dim: int, heads: int = 8):
        super().__init__()
        self.heads = heads
        self.inner = self.inner_layers(dim, self.width(dim))
        self.outer = self.outer_layer(self.width(dim), dim)

    def width(self, dim: int) -> int:
        return dim

    def inner_layers(self, dim: int, width: int) -> nn.Module:
        return nn.ModuleList(nn.Linear(dim, width) for _ in set(self.parts))

    def outer_layer(self, width: int, dim: int) -> nn.Module:
        return nn.Linear(width, dim)

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def merge(self, heads: Tensor) -> Tensor:
        return heads.transpose(1, 2).flatten(2)

    def project(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.split(self.inner[part](x)) for part in self.parts)

    def scale(self, q: Tensor) -> float:
        return math.sqrt(q.shape[-1])

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        return q @ k.mT / self.scale(q)

    def normalise(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1)

    def attend(self, x: Tensor) -> tuple[Tensor, Tensor]:
        q, k, v = self.project(x)
        weights = self.normalise(self.scores(q, k))
        return weights @ v, weights

    def mix(self, heads: Tensor) -> Tensor:
        return self.outer(self.merge(heads))

    def weights(self, x: Tensor) -> Tensor:
        return self.attend(x)[1]

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(self.attend(x)[0])


def small_projections(self: Attention, dim: int, width: int) -> nn.Module:
    return nn.ModuleList(nn.Linear(dim // self.heads, width // self.heads) for _ in range(3))


def viewed(self: Attention, x: Tensor) -> Tensor:
    return x.reshape(len(x), self.heads, x.shape[1], -1)


def viewed_back(self: Attention, x: Tensor) -> Tensor:
    return x.reshape(len(x), x.shape[2], -1)


def three_by_view(self: Attention, x: Tensor) -> tuple[Tensor, ...]:
    joined = torch.cat([layer(x) for layer in self.inner], -1)
    return joined.view(len(x), 3, x.shape[1], self.heads, -1).transpose(2, 3).unbind(1)


def not_exchanged(self: Attention, x: Tensor) -> Tensor:
    return x.unflatten(2, (self.heads, -1))


def scaled_late(size: Callable[[Tensor, int], int]) -> Callable:
    def attend(self: Attention, x: Tensor) -> tuple[Tensor, Tensor]:
        q, k, v = self.project(x)
        weights = self.normalise(self.scores(q, k)) / math.sqrt(size(q, self.heads))
        return weights @ v, weights

    return attend


def across_images(right: type[Attention]) -> type[Attention]:
    class Wrong(right):
        def attend(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return super().attend(x.transpose(0, 1))

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).transpose(0, 1)

    return Wrong


MULTI_HEAD = Exercise(
    id="multi-head",
    uses={
        "scaled_dot_product_attention": Use(
            SCALED_DOT_PRODUCT, lambda attention: steps(attend=lambda self, x: attention(*self.project(x)))
        )
    },
    forms=(Attention,),
    free_biases=True,
    equation=HEADS,
    forbidden=("multi_head_attention_forward", "scaled_dot_product_attention"),
    records=("weights", "output"),
    probes={
        "four heads": Probe(lambda g: (normal(g, 2, 5, 12),), build=(12, 3)),
        "default heads": Probe(lambda g: (normal(g, 3, 6, 16),), build=(16,)),
        "one image": Probe(lambda g: (normal(g, 1, 7, 18),), build=(18, 6)),
    },
    checks={
        "shapes": Check(1, (shape("weights"), shape("output"), leaves_input_alone())),
        "parameters": Check(2, (parameters(),)),
        "weights": Check(2, (sums_to_one("weights", -1), values("weights"), written_out())),
        "values": Check(2, (values("output"), images_apart(), repeatable(), written_out())),
        "gradients": Check(1, (gradients(),)),
    },
    misconceptions=(
        mistake(
            "heads-by-view",
            "heads are split or merged by a reshape alone: a head gets numbers of several tokens",
            "Which token owns this number? Which axis must be exchanged with which after the reshape?",
            steps(split=viewed, merge=viewed_back),
            steps(split=viewed),
            steps(merge=viewed_back),
        ),
        mistake(
            "three-by-view",
            "queries, keys and values are cut apart along the tokens: each of the three gets numbers of the others",
            "Which axis of the joint projection holds the three? Which shape splits that axis and no other?",
            steps(project=three_by_view),
        ),
        mistake(
            "heads-attend-to-heads",
            "tokens and heads are not exchanged: inside each token, heads attend to heads",
            "Attention pairs the entries of the last axis but one. What stands there after your split?",
            steps(split=not_exchanged, merge=lambda self, x: x.flatten(2)),
            steps(split=not_exchanged, merge=lambda self, x: x.transpose(1, 2).reshape(*x.shape[:2], -1)),
            steps(split=not_exchanged, merge=Attention.merge),
        ),
        mistake(
            "scaled-by-dim",
            "the scores are divided by sqrt(dim), not by the root of a head's width",
            "How long is one head's key?",
            steps(scale=lambda self, q: math.sqrt(q.shape[-1] * self.heads)),
            equation=ATTENTION,
        ),
        mistake(
            "no-scale",
            "the scores are not divided by the root of a head's width",
            "How large is a sum of d products, and what does a softmax do with large scores?",
            steps(scale=lambda self, q: 1),
            equation=ATTENTION,
        ),
        mistake(
            "scaled-after-softmax",
            "the weights are divided by a root, not the scores",
            "What do the rows of your weights sum to?",
            steps(scale=lambda self, q: 1, attend=scaled_late(lambda q, heads: q.shape[-1])),
            steps(scale=lambda self, q: 1, attend=scaled_late(lambda q, heads: q.shape[-1] * heads)),
            equation=ATTENTION,
        ),
        mistake(
            "masked",
            "a token attends only to those before it, or only to those behind: nobody asked for a mask",
            "May the first patch of an image look at the last one?",
            steps(normalise=lambda self, s: s.masked_fill(torch.ones_like(s).triu(1).bool(), -math.inf).softmax(-1)),
            steps(normalise=lambda self, s: s.masked_fill(torch.ones_like(s).tril(-1).bool(), -math.inf).softmax(-1)),
            equation=ATTENTION,
        ),
        *named(SCALED_DOT_PRODUCT.misconceptions, "softmax-over-queries"),
        mistake(
            "softmax-over-heads",
            "the softmax runs over the heads: heads compete, not tokens",
            "Which axis of (N, heads, L, L) belongs to the keys?",
            steps(normalise=lambda self, scores: scores.softmax(1)),
            equation=ATTENTION,
        ),
        *named(SCALED_DOT_PRODUCT.misconceptions, "sigmoid-not-softmax"),
        mistake(
            "no-softmax",
            "the softmax is missing: raw scores weigh the values",
            "Do the weights of a query sum to 1?",
            steps(normalise=lambda self, scores: scores),
            equation=ATTENTION,
        ),
        mistake(
            "across-images",
            "tokens attend across the images of the batch, not within an image",
            "Can image 2 change image 1? Which axis of (N, L, dim) holds the tokens?",
            across_images,
        ),
        mistake(
            "no-output-projection",
            "the output projection is missing",
            "Who mixes what the heads found? How many matrices has the equation?",
            steps(outer_layer=lambda self, width, dim: nn.Identity()),
        ),
        mistake(
            "output-unused",
            "the output projection is built, but never applied",
            "Which line of forward calls your fourth layer?",
            steps(mix=lambda self, heads: self.merge(heads)),
        ),
        mistake(
            "one-projection",
            "one projection makes queries, keys and values, so all three are equal",
            "How many matrices has the equation? What could a token look for, if its query must be its key?",
            steps(parts=(0, 0, 0)),
        ),
        mistake(
            "values-are-keys",
            "the keys serve as values too: a projection is missing",
            "What does Wv change?",
            steps(parts=(0, 1, 1)),
            steps(project=lambda self, x: tuple(self.split(self.inner[part](x)) for part in (0, 1, 1))),
        ),
        mistake(
            "one-small-projection",
            "x is split into heads first, and one small projection serves all heads",
            "Does every head see all features of a token?",
            steps(
                inner_layers=small_projections,
                project=lambda self, x: tuple(layer(self.split(x)) for layer in self.inner),
            ),
        ),
        mistake(
            "wide-heads",
            "every head is dim wide: h times the parameters",
            "How wide is a head, when h of them side by side are dim wide?",
            steps(width=lambda self, dim: dim * self.heads),
            equation="d = dim / h (Vaswani et al. 2017, section 3.2.2)",
        ),
        mistake(
            "one-head",
            "there is only one head, as wide as the token",
            "Where does your code read heads?",
            steps(split=lambda self, x: x[:, None], merge=lambda self, x: x[:, 0]),
        ),
        mistake(
            "residual-inside",
            "x is added inside; the skip connection belongs to the encoder block",
            "What should come out if all values are 0?",
            steps(forward=lambda self, x: x + self.mix(self.attend(x)[0])),
        ),
        mistake(
            "heads-averaged",
            "weights(x) averages over the heads: the shape must be (N, heads, L, L)",
            "How many maps does a query have?",
            steps(weights=lambda self, x: self.attend(x)[1].mean(1)),
        ),
        mistake(
            "raw-scores",
            "weights(x) returns scores: the softmax is missing there",
            "Do the rows of weights(x) sum to 1?",
            steps(weights=lambda self, x: self.scores(*self.project(x)[:2])),
            equation=ATTENTION,
        ),
    ),
    hints=(
        """
        Four matrices. Three of them make queries, keys and values for all heads at once; then every head attends on its
        own part of the width; the fourth mixes what the heads found.
        """,
        r"""
        $Q, K, V$: `(N, L, dim)` → `(N, L, heads, d)` → `(N, heads, L, d)` with $d$ = dim / heads.
        $A = \mathrm{softmax}(QK^\top/\sqrt d)$: `(N, heads, L, L)`. $AV$: `(N, heads, L, d)` → `(N, L, heads, d)` →
        `(N, L, dim)`, then the output projection.
        """,
        """
        ```
        __init__: four linear layers from dim to dim: for q, k, v and the output
        split t:  cut the last axis of t into (heads, d), then exchange the axes of tokens and heads
        attend:   q, k, v = split of each projection of x
                  return attention of q, k, v (your function)
        weights:  the second result of attend
        forward:  y = the first result of attend             # (N, heads, L, d)
                  exchange heads and tokens back, join (heads, d) to dim
                  return the output layer of y
        ```
        """,
    ),
)


# patch-embedding


class Patches(nn.Module):
    """The right answer in steps."""

    def __init__(self, in_channels: int, patch: int, dim: int):
        super().__init__()
        self.patch = patch
        self.layer = self.build(in_channels, patch, dim)

    def build(self, in_channels: int, patch: int, dim: int) -> nn.Module:
        return nn.Conv2d(in_channels, dim, patch, **self.window(patch))

    def window(self, patch: int) -> dict[str, int]:
        return {"stride": patch}

    def project(self, x: Tensor) -> Tensor:
        return self.layer(x)

    def tokens(self, projected: Tensor) -> Tensor:
        return projected.flatten(2).mT

    def forward(self, x: Tensor) -> Tensor:
        return self.tokens(self.project(x))


def one_layer(self: Patches, in_channels: int, patch: int, dim: int) -> nn.Module:
    return nn.Linear(in_channels * patch**2, dim)


def windows(x: Tensor, size: int) -> Tensor:
    """(N, C, H, W) -> (N, C, rows, columns, size, size)."""
    return x.unfold(2, size, size).unfold(3, size, size)


def pixels_in_line(self: Patches, x: Tensor) -> Tensor:
    return self.layer(x.reshape(len(x), -1, self.layer.in_features))


def channels_averaged(right: type[Patches]) -> type[Patches]:
    class Wrong(right):
        def build(self, in_channels: int, patch: int, dim: int) -> nn.Module:
            return super().build(1, patch, dim)

        def project(self, x: Tensor) -> Tensor:
            return super().project(x.mean(1, keepdim=True))

    return Wrong


def with_a_class_token(right: type[Patches]) -> type[Patches]:
    class Wrong(right):
        def __init__(self, in_channels: int, patch: int, dim: int):
            super().__init__(in_channels, patch, dim)
            self.class_token = nn.Parameter(torch.zeros(1, 1, dim))

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat((self.class_token.expand(len(x), -1, -1), super().forward(x)), 1)

    return Wrong


PATCH_EMBEDDING = Exercise(
    id="patch-embedding",
    forms=(Patches,),
    free_biases=True,
    equation=PATCHES,
    probes={
        "wide": Probe(lambda g: (normal(g, 2, 3, 4, 6),), build=(3, 2, 10)),
        "tall": Probe(lambda g: (normal(g, 3, 2, 12, 6),), build=(2, 3, 7)),
        "one image": Probe(lambda g: (normal(g, 1, 1, 4, 12),), build=(1, 4, 5)),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "parameters": Check(1, (parameters(),)),
        "values": Check(2, (values(), images_apart(), gradients())),
    },
    misconceptions=(
        mistake(
            "view-without-permute",
            "the image is reshaped without moving axes: a token holds a stripe of pixels, not a patch",
            "Light up one patch. How many tokens change?",
            steps(build=one_layer, forward=pixels_in_line),
            steps(build=one_layer, forward=lambda self, x: pixels_in_line(self, windows(x, self.patch))),
            steps(build=one_layer, forward=lambda self, x: pixels_in_line(self, x.permute(0, 2, 3, 1))),
        ),
        mistake(
            "map-reshaped",
            "the map (N, dim, rows, columns) is reshaped to (N, L, dim) without exchanging axes",
            "Which number belongs to which token? Which axis must come last?",
            steps(tokens=lambda self, projected: projected.reshape(len(projected), -1, projected.shape[1])),
        ),
        mistake(
            "channels-first",
            "the tokens are (N, dim, L): tokens and features are exchanged",
            "Which axis of (N, L, dim) counts the patches?",
            steps(tokens=lambda self, projected: projected.flatten(2)),
        ),
        mistake(
            "not-flattened",
            "the patches are still a map: rows and columns must become one axis of tokens",
            "How many axes has (N, L, dim)?",
            steps(tokens=lambda self, projected: projected),
            steps(tokens=lambda self, projected: projected.permute(0, 2, 3, 1)),
        ),
        mistake(
            "overlapping",
            "the patches overlap: the window moves by one pixel",
            "How far must the window move so that every pixel is in one patch?",
            steps(window=lambda self, patch: {"stride": 1}),
        ),
        mistake(
            "padded",
            "the image is padded: patches reach over its edge",
            "How many patches of 2 pixels fit into 4 pixels?",
            steps(window=lambda self, patch: {"stride": patch, "padding": patch // 2}),
        ),
        mistake(
            "by-columns",
            "the tokens run down the columns; row-major order runs along the rows",
            "Which patch is token 1, the one to the right of token 0 or the one below?",
            steps(tokens=lambda self, projected: projected.mT.flatten(2).mT),
            equation="token i W / patch + j is the patch in row i and column j",
        ),
        mistake(
            "channels-averaged",
            "the colours are averaged before the patches are made",
            "How many numbers does a patch of three channels hold?",
            channels_averaged,
        ),
        mistake(
            "class-token",
            "a class token is added; here every token is a patch",
            "How many patches has the image, and how many tokens do you return?",
            with_a_class_token,
        ),
    ),
    hints=(
        """
        One layer sees one patch at a time, and the same layer sees all patches. Which layer of PyTorch moves a window
        over an image?
        """,
        r"""
        A convolution with kernel and stride = `patch` maps `(N, C, H, W)` to `(N, dim, H/patch, W/patch)`. Flatten rows
        and columns: `(N, dim, L)`. Exchange the last two axes: `(N, L, dim)`.
        """,
        """
        ```
        __init__: a convolution from in_channels to dim, kernel size patch, stride patch
        forward:  y = the convolution of x          # (N, dim, rows, columns)
                  y = y with rows and columns as one axis    # (N, dim, L)
                  return y with its last two axes exchanged
        ```
        """,
    ),
)


# positions


class Waves:
    """The right answer in steps."""

    def positions(self, length: int) -> Tensor:
        return torch.arange(length, dtype=torch.float64)

    def exponent(self, i: Tensor, dim: int) -> Tensor:
        return 2 * i / dim

    def angles(self, p: Tensor, wavelength: Tensor) -> Tensor:
        return p / wavelength

    def columns(self, sine: Tensor, cosine: Tensor) -> Tensor:
        return torch.stack((sine, cosine), 2).flatten(1)

    def __call__(self, length: int, dim: int) -> Tensor:
        p, i = self.positions(length)[:, None], torch.arange(dim // 2, dtype=torch.float64)
        angles = self.angles(p, 10000 ** self.exponent(i, dim))
        return self.columns(angles.sin(), angles.cos()).to(torch.get_default_dtype())


def unpaired(length: int, dim: int) -> Tensor:
    p, j = torch.arange(length, dtype=torch.float64)[:, None], torch.arange(dim, dtype=torch.float64)
    angles = p / 10000 ** (j / dim)
    return torch.where(j % 2 == 0, angles.sin(), angles.cos())


def columns_counted(length: int, dim: int) -> Tensor:
    p, j = torch.arange(length, dtype=torch.float64)[:, None], torch.arange(dim, dtype=torch.float64)
    angles = p / 10000 ** (2 * j / dim)
    return torch.where(j % 2 == 0, angles.sin(), angles.cos())


def pairs_on_the_circle() -> Property:
    """A sine and the cosine beside it have the same angle."""

    def failure(got: Observation, _: Observation, question: Question) -> Failure | None:
        found = got.values["output"]
        if found.ndim != 2 or found.shape[1] % 2:
            return Failure(f"shape {tuple(found.shape)}", f"shape {question.inputs}")
        radii = (found**2).unflatten(1, (-1, 2)).sum(2)
        if close(radii, torch.ones_like(radii)):
            return None
        worst = float(radii.flatten()[(radii - 1).abs().argmax()])
        return Failure(f"columns 2i and 2i + 1 with squares that sum to {worst:.3g}", "1")

    return Property("sine and cosine in pairs", failure)


POSITIONS_EXERCISE = Exercise(
    id="positions",
    forms=(Waves(),),
    equation=POSITIONS,
    probes={
        "three pairs": Probe(lambda g: (7, 6)),  # few: also waves that get faster are then exact in float32
        "two pairs": Probe(lambda g: (20, 4)),
        "one pair": Probe(lambda g: (5, 2)),
    },
    checks={
        "shape": Check(1, (shape(),)),
        "pairs": Check(1, (pairs_on_the_circle(),)),
        "values": Check(2, (values(),)),
    },
    misconceptions=(
        mistake(
            "exponent-doubled",
            "the exponent is doubled: i already counts in steps of two",
            "Which exponent has the last pair? It should be nearly 1.",
            steps(exponent=lambda self, i, dim: 4 * i / dim),
        ),
        mistake(
            "exponent-halved",
            "the exponent is halved: the pair i needs 2i / dim",
            "Which exponent has the last pair? It should be nearly 1.",
            steps(exponent=lambda self, i, dim: i / dim),
        ),
        mistake(
            "columns-counted",
            "i counts the columns, not the pairs: sine and cosine of a pair differ, and the waves slow down twice as fast",
            "Which columns share i = 1?",
            instead(columns_counted),
        ),
        mistake(
            "unpaired",
            "sine and cosine of a pair have different frequencies",
            "Do columns 2i and 2i + 1 share an angle?",
            instead(unpaired),
        ),
        mistake(
            "halves",
            "all sines come first, then all cosines; the paper interleaves them",
            "What stands in column 1, a sine or a cosine?",
            steps(columns=lambda self, sine, cosine: torch.cat((sine, cosine), 1)),
        ),
        mistake(
            "cosine-first",
            "sine and cosine are exchanged",
            "What is column 0 at position 0: sin(0) or cos(0)?",
            steps(columns=lambda self, sine, cosine: torch.stack((cosine, sine), 2).flatten(1)),
        ),
        mistake(
            "frequency-inverted",
            "the position is multiplied by the power of 10000, not divided",
            "Should the waves become slower or faster from left to right?",
            steps(angles=lambda self, p, wavelength: p * wavelength),
        ),
        mistake(
            "counts-from-one",
            "positions are counted from 1",
            "What is the first row of the table?",
            steps(positions=lambda self, length: torch.arange(1, length + 1, dtype=torch.float64)),
        ),
        mistake(
            "full-turns",
            "the angle is multiplied by 2 pi",
            "Which angle has position 1 in the first pair?",
            steps(angles=lambda self, p, wavelength: 2 * math.pi * p / wavelength),
        ),
        mistake(
            "transposed",
            "the table is (dim, length): rows and columns are exchanged",
            "Which axis of (length, dim) counts the positions?",
            lambda right: lambda length, dim: right(length, dim).T,
        ),
        mistake(
            "batch-axis",
            "there is an axis of images: the table is the same for all of them",
            "Does a batch know positions?",
            lambda right: lambda length, dim: right(length, dim)[None],
        ),
    ),
    hints=(
        """
        A table: a row for each position, a column for each feature. Columns come in pairs, a sine and a cosine of the
        same angle. How many different angles has a row?
        """,
        r"""
        For $i = 0, \dots, \mathrm{dim}/2 - 1$: the angle is $p / 10000^{2i/\mathrm{dim}}$. Positions `(length, 1)` times
        frequencies `(1, dim / 2)` give the angles `(length, dim / 2)`. Columns `0::2` are their sines, columns `1::2`
        their cosines.
        """,
        """
        ```
        p           = 0 ... length - 1 as a column
        frequencies = 1 / 10000 to the power (0, 2, 4, ... / dim)
        angles      = p times frequencies                    # (length, dim / 2)
        table       = zeros of shape (length, dim)
        every second column from 0 = sin of angles
        every second column from 1 = cos of angles
        return table
        ```
        """,
    ),
)


# encoder-block


class Block(nn.Module):
    """The right answer in steps: tokens exchange what they know, then each thinks for itself."""

    attention_form = Attention

    def __init__(self, dim: int, heads: int = 8, mlp_ratio: int = 4):
        super().__init__()
        self.attention = self.attention_form(dim, heads)
        self.norm1, self.norm2 = self.norms(dim)
        width = self.width(dim, mlp_ratio)
        self.mlp = nn.Sequential(nn.Linear(dim, width), self.activation(), nn.Linear(width, dim))

    def norms(self, dim: int) -> tuple[nn.Module, nn.Module]:
        return nn.LayerNorm(dim), nn.LayerNorm(dim)

    def width(self, dim: int, ratio: int) -> int:
        return ratio * dim

    def activation(self) -> nn.Module:
        return nn.GELU()

    def exchange(self, x: Tensor) -> Tensor:
        return x + self.attention(self.norm1(x))

    def think(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.norm2(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.think(self.exchange(x))


GELU = "GELU(x) = x Phi(x), Phi the normal distribution (Hendrycks and Gimpel 2016)"

ENCODER_BLOCK = Exercise(
    id="encoder-block",
    uses={"MultiHeadSelfAttention": Use(MULTI_HEAD, lambda attention: steps(attention_form=attention))},
    forms=(Block,),
    free_biases="attention",
    equation=BLOCK,
    forbidden=("multi_head_attention_forward",),
    probes={
        "ratio 5": Probe(lambda g: (0.5 + normal(g, 2, 5, 12),), build=(12, 2, 5)),
        "default": Probe(lambda g: (0.5 + normal(g, 3, 4, 16),), build=(16,)),
        "one image": Probe(lambda g: (0.5 + normal(g, 1, 6, 18),), build=(18, 3, 4)),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "parameters": Check(1, (parameters(),)),
        "values": Check(2, (values(), images_apart(), repeatable(), written_out())),
        "gradients": Check(1, (gradients(),)),
    },
    misconceptions=(
        mistake(
            "post-norm",
            "the normalisation comes after each addition, as in 2017; here it comes before each half",
            "Does the skip connection carry x itself, or something normalised?",
            steps(
                exchange=lambda self, x: self.norm1(x + self.attention(x)),
                think=lambda self, x: self.norm2(x + self.mlp(x)),
            ),
        ),
        mistake(
            "skip-from-the-normalised",
            "the skip connection starts at the normalised x, not at x",
            "What does the skip carry? If both halves gave 0, would x come out?",
            steps(
                exchange=lambda self, x: self.norm1(x) + self.attention(self.norm1(x)),
                think=lambda self, x: self.norm2(x) + self.mlp(self.norm2(x)),
            ),
        ),
        mistake(
            "no-skip",
            "a skip connection is missing",
            "How many additions has a block?",
            steps(exchange=lambda self, x: self.attention(self.norm1(x))),
            steps(think=lambda self, x: self.mlp(self.norm2(x))),
            steps(
                exchange=lambda self, x: self.attention(self.norm1(x)),
                think=lambda self, x: self.mlp(self.norm2(x)),
            ),
        ),
        mistake(
            "skip-from-the-start",
            "the second skip connection starts at the block's input and leaves the attention's result out",
            "What is x' in the second equation?",
            steps(forward=lambda self, x: x + self.mlp(self.norm2(self.exchange(x)))),
        ),
        mistake(
            "in-parallel",
            "the MLP sees the block's input, not the result of the attention",
            "What is x' in the second equation?",
            steps(forward=lambda self, x: self.exchange(x) + self.mlp(self.norm2(x))),
        ),
        mistake(
            "mlp-first",
            "the MLP comes before the attention",
            "Do tokens first exchange, or first think?",
            steps(forward=lambda self, x: self.exchange(self.think(x))),
        ),
        mistake(
            "norms-unused",
            "the normalisations are declared and never used",
            "Where does forward call them?",
            steps(exchange=lambda self, x: x + self.attention(x), think=lambda self, x: x + self.mlp(x)),
        ),
        mistake(
            "no-norms",
            "the normalisations are missing",
            "What stands before each half?",
            steps(norms=lambda self, dim: (nn.Identity(), nn.Identity())),
        ),
        mistake(
            "one-norm",
            "both halves share one normalisation",
            "How many sets of scales and shifts has a block?",
            steps(norms=lambda self, dim: (nn.LayerNorm(dim),) * 2),
        ),
        mistake(
            "relu-not-gelu",
            "the MLP has a ReLU, not a GELU",
            "Which function does the paper put between the two layers?",
            steps(activation=lambda self: nn.ReLU()),
            equation=GELU,
        ),
        mistake(
            "tanh-gelu",
            "the GELU is the tanh approximation; the statement asks for nn.GELU()",
            "Which argument does your GELU have?",
            steps(activation=lambda self: nn.GELU("tanh")),
            equation=GELU,
        ),
        mistake(
            "no-gelu",
            "nothing stands between the two layers of the MLP: two linear maps in a row are one",
            "What can two layers do that one cannot?",
            steps(activation=lambda self: nn.Identity()),
        ),
        mistake(
            "ratio-ignored",
            "the hidden layer has the width 4 dim, whatever mlp_ratio says",
            "Where does your __init__ read mlp_ratio?",
            steps(width=lambda self, dim, ratio: 4 * dim),
            equation="hidden width = mlp_ratio dim",
        ),
        mistake(
            "no-expansion",
            "the hidden layer is as narrow as the token",
            "How wide is the hidden layer for dim = 12 and mlp_ratio = 5?",
            steps(width=lambda self, dim, ratio: dim),
            equation="hidden width = mlp_ratio dim",
        ),
    ),
    hints=(
        """
        Two halves of the same form: normalise, do something, add what came in. In the first half tokens exchange, in the
        second each token is alone.
        """,
        r"""
        $x' = x + \mathrm{MSA}(\mathrm{LN}_1(x))$ and $y = x' + \mathrm{MLP}(\mathrm{LN}_2(x'))$, all of shape
        `(N, L, dim)`. The MLP: `dim` → `mlp_ratio * dim`, GELU, back to `dim`.
        """,
        """
        ```
        __init__: two layer normalisations of dim
                  your multi-head attention of dim and heads
                  a linear layer from dim to mlp_ratio * dim, GELU, a linear layer back
        forward:  x = x plus attention of the first normalisation of x
                  return x plus MLP of the second normalisation of x
        ```
        """,
    ),
)

EXERCISES = (SCALED_DOT_PRODUCT, MULTI_HEAD, PATCH_EMBEDDING, POSITIONS_EXERCISE, ENCODER_BLOCK)
