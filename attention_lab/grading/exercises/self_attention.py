"""Lesson 06, self-attention: scaled-dot-product, multi-head, patch-embedding, positions, encoder-block."""

import itertools
import math

import torch
from torch import Generator, Tensor, nn

from ...mechanisms import scaled_dot_product_attention, sinusoidal_positions
from ..exercise import Check, Exercise, Failure, Misconception, Probe, Property, normal
from typing import NamedTuple
class Joined(NamedTuple):
    sizes: tuple
    axis: int

from ..observe import Observation, Question
from ..properties import (
    close,
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


def dot_product(scores=None, weights=None, output=None):
    """A misconception that computes the scores, the weights or the output in a wrong way."""

    def right_scores(q: Tensor, k: Tensor) -> Tensor:
        return q @ k.mT / math.sqrt(q.shape[-1])

    def right_weights(s: Tensor, mask: Tensor | None) -> Tensor:
        return (s if mask is None else s.masked_fill(~mask, -math.inf)).softmax(-1)

    def answer(q, k, v, mask=None):
        w = (weights or right_weights)((scores or right_scores)(q, k), mask)
        return (output or torch.matmul)(w, v), w

    return lambda right: answer


def overflowing(s: Tensor, mask: Tensor | None) -> Tensor:
    powers = s.exp() if mask is None else s.exp() * mask
    return powers / powers.sum(-1, keepdim=True)


def reweighted(s: Tensor, mask: Tensor | None) -> Tensor:
    w = s.softmax(-1)
    return w if mask is None else w * mask


FREE = ("two axes before", "one sequence", "one axis before")
MASKED = ("causal mask", "a mask for each image")

SCALED_DOT_PRODUCT = Exercise(
    id="scaled-dot-product",
    forms=(scaled_dot_product_attention,),
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
        Misconception(
            "no-scale",
            "the scores are not divided by sqrt(d)",
            "How large is a sum of d products, and what does a softmax do with large scores?",
            ATTENTION,
            dot_product(scores=lambda q, k: q @ k.mT),
        ),
        Misconception(
            "scale-not-rooted",
            "the scores are divided by d, not by its square root",
            "The variance of a score is d. What is its standard deviation?",
            ATTENTION,
            dot_product(scores=lambda q, k: q @ k.mT / q.shape[-1]),
        ),
        Misconception(
            "scale-inverted",
            "the scores are multiplied by sqrt(d)",
            "Should the scores of wide tokens shrink or grow?",
            ATTENTION,
            dot_product(scores=lambda q, k: q @ k.mT * math.sqrt(q.shape[-1])),
        ),
        Misconception(
            "scaled-by-length",
            "the scores are divided by the root of the number of tokens, not of their width",
            "Which axis does the product sum over? How long is it?",
            ATTENTION,
            dot_product(scores=lambda q, k: q @ k.mT / math.sqrt(q.shape[-2])),
        ),
        Misconception(
            "scaled-after-softmax",
            "the weights are divided by sqrt(d), not the scores",
            "What do your weights sum to?",
            ATTENTION,
            dot_product(
                scores=lambda q, k: q @ k.mT,
                output=lambda w, v: w / math.sqrt(v.shape[-1]) @ v,
            ),
        ),
        Misconception(
            "scaled-after-softmax",
            "the weights are divided by sqrt(d), not the scores",
            "What do your weights sum to?",
            ATTENTION,
            lambda right: scaled_too_late,
        ),
        Misconception(
            "all-axes-reversed",
            ".T turns round all axes of k, those of images and heads too",
            "Which two axes should change places? Which method exchanges only these: .mT, or transpose(-1, -2)?",
            ATTENTION,
            dot_product(
                scores=lambda q, k: q @ k.permute(*reversed(range(k.ndim))) / math.sqrt(q.shape[-1]),
            ),
        ),
        Misconception(
            "queries-and-keys-exchanged",
            "queries and keys are exchanged: row i of the weights belongs to key i",
            "In q k^T, does row i belong to query i or to key i?",
            ATTENTION,
            dot_product(scores=lambda q, k: k @ q.mT / math.sqrt(q.shape[-1])),
        ),
        Misconception(
            "softmax-over-queries",
            "the softmax runs over the queries: columns sum to 1, not rows",
            "A query distributes its attention. Which sums are 1?",
            ATTENTION,
            dot_product(weights=lambda s, mask: (s if mask is None else s.masked_fill(~mask, -math.inf)).softmax(-2)),
        ),
        Misconception(
            "softmax-over-the-first-axis",
            "the softmax runs over the first axis, so images compete with each other",
            "Which axis holds the keys? Can image 2 change image 1?",
            ATTENTION,
            dot_product(weights=lambda s, mask: (s if mask is None else s.masked_fill(~mask, -math.inf)).softmax(0)),
        ),
        Misconception(
            "second-axis",
            "the softmax runs over the second axis, which holds the keys only in some shapes",
            "Counted from the end, which axis holds the keys?",
            ATTENTION,
            dot_product(weights=lambda s, mask: (s if mask is None else s.masked_fill(~mask, -math.inf)).softmax(1)),
        ),
        Misconception(
            "weights-transposed",
            "the weights are transposed before they meet the values: keys collect instead of queries",
            "Row i of the weights belongs to query i. Which row of the output should it make?",
            ATTENTION,
            dot_product(output=lambda w, v: w.mT @ v),
        ),
        Misconception(
            "no-softmax",
            "the softmax is missing: raw scores weigh the values",
            "Do the weights of a query sum to 1?",
            ATTENTION,
            dot_product(weights=lambda s, mask: s if mask is None else s.masked_fill(~mask, 0)),
        ),
        Misconception(
            "no-softmax",
            "the softmax is missing: raw scores weigh the values",
            "Do the weights of a query sum to 1?",
            ATTENTION,
            dot_product(weights=lambda s, mask: s if mask is None else s.masked_fill(~mask, -math.inf)),
        ),
        Misconception(
            "sigmoid-not-softmax",
            "a sigmoid gates every key; keys do not compete",
            "If one key matches better, do the others get less?",
            ATTENTION,
            dot_product(weights=lambda s, mask: (s if mask is None else s.masked_fill(~mask, -math.inf)).sigmoid()),
        ),
        Misconception(
            "keys-as-values",
            "the weights average the keys; the values are never used",
            "What is v for?",
            ATTENTION,
            lambda right: lambda q, k, v, mask=None: right(q, k, k, mask),
        ),
        Misconception(
            "unstable",
            "the exponential of a large score overflows",
            "exp(1000) is inf. What may you subtract from every score of a query?",
            "exp(s_i - m) / sum_j exp(s_j - m) is the same for every m: take the maximum",
            dot_product(weights=overflowing),
        ),
        *(
            Misconception(
                "mask-inverted",
                "the mask is read the wrong way round: True means may attend",
                "Which scores should become -inf, those where mask is True or where it is False?",
                MASK,
                dot_product(
                    weights=lambda s, mask, low=low: (s if mask is None else s.masked_fill(mask, low)).softmax(-1)
                ),
            )
            for low in (-math.inf, -1e9)
        ),
        Misconception(
            "mask-ignored",
            "the mask is never used",
            "Which line of yours changes when mask changes?",
            MASK,
            dot_product(weights=lambda s, mask: s.softmax(-1)),
        ),
        Misconception(
            "mask-after-softmax",
            "the mask is applied to the weights: what is left no longer sums to 1",
            "What do the weights of a query sum to when half of its keys are forbidden?",
            MASK,
            dot_product(weights=reweighted),
        ),
        Misconception(
            "mask-multiplied",
            "a forbidden score becomes 0, not -inf: its key still gets weight",
            "exp(0) is 1. Which score has the exponential 0?",
            MASK,
            dot_product(weights=lambda s, mask: (s if mask is None else s * mask).softmax(-1)),
        ),
        Misconception(
            "mask-added",
            "the mask is added to the scores as 0 and 1",
            "Which number, added to a score, makes its weight 0?",
            MASK,
            dot_product(weights=lambda s, mask: (s if mask is None else s + mask).softmax(-1)),
        ),
        Misconception(
            "only-the-output",
            "only the output is returned; the figures need the weights too",
            "Which two things does the signature promise?",
            "return output, weights",
            lambda right: lambda q, k, v, mask=None: right(q, k, v, mask)[0],
        ),
        Misconception(
            "returned-in-the-wrong-order",
            "weights and output are returned in the wrong order",
            "Which comes first in the signature?",
            "return output, weights",
            lambda right: lambda q, k, v, mask=None: right(q, k, v, mask)[::-1],
        ),
    ),
    hints=(
        "Three steps: compare every query with every key, turn each query's scores into weights, average the values. "
        "Which axis belongs to the keys?",
        r"$S = QK^\top/\sqrt d$ of shape `(..., L, L)`: row = query, column = key. Where `mask` is False, "
        r"$S = -\infty$. $A = \mathrm{softmax}(S)$ over the last axis. Output $AV$: `(..., L, d)`.",
        "```\nscores  = q times k with its last two axes exchanged      # (..., L, L)\n"
        "scores  = scores / square root of d\nif there is a mask: scores become -infinity where it is False\n"
        "weights = softmax of scores over the last axis            # rows sum to 1\n"
        "return weights times v, weights\n```",
    ),
)


def scaled_too_late(q, k, v, mask=None):
    s = q @ k.mT if mask is None else (q @ k.mT).masked_fill(~mask, -math.inf)
    w = s.softmax(-1) / math.sqrt(q.shape[-1])
    return w @ v, w


# multi-head


class Attention(nn.Module):
    """Multi-head self-attention in parts that a form or a misconception can exchange."""

    biases = (True, True)

    def __init__(self, dim: int, heads: int = 8):
        super().__init__()
        self.heads = heads
        self.build(dim, *self.biases)

    def build(self, dim: int, inner: bool, outer: bool) -> None:
        self.q, self.k, self.v = (nn.Linear(dim, dim, bias=inner) for _ in range(3))
        self.o = nn.Linear(dim, dim, bias=outer)

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def merge(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)

    def project(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.split(layer(x)) for layer in (self.q, self.k, self.v))

    def scale(self, q: Tensor) -> float:
        return math.sqrt(q.shape[-1])

    def normalise(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1)

    def attend(self, x: Tensor) -> tuple[Tensor, Tensor]:
        q, k, v = self.project(x)
        weights = self.normalise(q @ k.mT / self.scale(q))
        return weights @ v, weights

    def weights(self, x: Tensor) -> Tensor:
        return self.attend(x)[1]

    def forward(self, x: Tensor) -> Tensor:
        return self.o(self.merge(self.attend(x)[0]))


class LayersPerHead(Attention):
    """Three small layers for each head."""

    def build(self, dim: int, inner: bool, outer: bool) -> None:
        self.small = nn.ModuleList(nn.Linear(dim, dim // self.heads, bias=inner) for _ in range(3 * self.heads))
        self.o = nn.Linear(dim, dim, bias=outer)

    def project(self, x: Tensor) -> tuple[Tensor, ...]:
        made = torch.stack([layer(x) for layer in self.small], 1)  # (N, heads * 3, L, d), a head after the other
        return made.unflatten(1, (self.heads, 3)).unbind(2)


class MatricesOfHeads(Attention):
    """One (heads, dim, d) parameter for each projection."""

    def build(self, dim: int, inner: bool, outer: bool) -> None:
        width = dim // self.heads
        self.matrices = nn.ParameterList(torch.zeros(self.heads, dim, width) for _ in range(3))
        self.shifts = nn.ParameterList(torch.zeros(self.heads, width) for _ in range(3 * inner))
        self.o = nn.Linear(dim, dim, bias=outer)

    def project(self, x: Tensor) -> tuple[Tensor, ...]:
        shifts = [shift[:, None] for shift in self.shifts] or [0, 0, 0]
        return tuple(x[:, None] @ matrix + shift for matrix, shift in zip(self.matrices, shifts))


class MatricesOfHeadsThroughout(MatricesOfHeads):
    """The output projection is (heads, d, dim) as well."""

    def build(self, dim: int, inner: bool, outer: bool) -> None:
        super().build(dim, inner, outer)
        self.o = nn.ParameterList([torch.zeros(self.heads, dim // self.heads, dim)])
        self.o += [torch.zeros(dim)] * outer

    def forward(self, x: Tensor) -> Tensor:
        return (self.attend(x)[0] @ self.o[0]).sum(1) + (self.o[1] if len(self.o) > 1 else 0)


def strided(split: bool, merge: bool) -> type[Attention]:
    """A head takes every h-th feature instead of d in a row, where heads are split or where they are merged."""
    methods = {}
    if split:
        methods["split"] = lambda self, x: x.unflatten(2, (-1, self.heads)).permute(0, 3, 1, 2)
    if merge:
        methods["merge"] = lambda self, x: x.permute(0, 2, 3, 1).flatten(2)
    return type("Strided", (Attention,), methods)


def with_biases(kind: type[Attention]) -> tuple[type[Attention], ...]:
    """The statement leaves biases free."""
    both = (True, False)
    return tuple(type("Form", (kind,), {"biases": biases}) for biases in itertools.product(both, both))


KINDS = (
    Attention,
    LayersPerHead,
    MatricesOfHeads,
    MatricesOfHeadsThroughout,
    *(strided(*where) for where in ((True, True), (True, False), (False, True))),
)
FORMS = (Attention,)


def with_methods(**methods):
    """A misconception that does one step in a wrong way."""
    return lambda right: type("Wrong", (right,), methods)


def built_as(build, project, **methods):
    """A misconception with other layers."""
    return lambda right: type("Wrong", (right,), {"build": build, "project": project, **methods})


def two_projections(self, dim: int, inner: bool, outer: bool) -> None:
    self.q, self.k = (nn.Linear(dim, dim, bias=inner) for _ in range(2))
    self.o = nn.Linear(dim, dim, bias=outer)


def small_projections(self, dim: int, inner: bool, outer: bool) -> None:
    width = dim // self.heads
    self.q, self.k, self.v = (nn.Linear(width, width, bias=inner) for _ in range(3))
    self.o = nn.Linear(dim, dim, bias=outer)


def wide_heads(self, dim: int, inner: bool, outer: bool) -> None:
    self.q, self.k, self.v = (nn.Linear(dim, dim * self.heads, bias=inner) for _ in range(3))
    self.o = nn.Linear(dim * self.heads, dim, bias=outer)


def one_projection(self, dim: int, inner: bool, outer: bool) -> None:
    self.q = nn.Linear(dim, dim, bias=inner)
    self.o = nn.Linear(dim, dim, bias=outer)


def no_last_layer(self, dim: int, inner: bool, outer: bool) -> None:
    Attention.build(self, dim, inner, outer)
    self.o = nn.Identity()


def across_images(right: type[Attention]) -> type[nn.Module]:
    class Wrong(right):
        def attend(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return super().attend(x.transpose(0, 1))

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).transpose(0, 1)

    return Wrong


def heads_averaged(right: type[Attention]) -> type[nn.Module]:
    class Wrong(right):
        def weights(self, x: Tensor) -> Tensor:
            return super().weights(x).mean(1)

    return Wrong


def raw_scores(right: type[Attention]) -> type[nn.Module]:
    class Wrong(right):
        def weights(self, x: Tensor) -> Tensor:
            q, k, _ = self.project(x)
            return q @ k.mT / self.scale(q)

    return Wrong


def viewed(self, x: Tensor) -> Tensor:
    return x.reshape(len(x), self.heads, x.shape[1], -1)


def viewed_back(self, x: Tensor) -> Tensor:
    return x.reshape(len(x), x.shape[2], -1)


def not_exchanged(self, x: Tensor) -> Tensor:
    return x.unflatten(2, (self.heads, -1))


def exchanged_and_viewed(self, x: Tensor) -> Tensor:
    return x.transpose(1, 2).reshape(*x.shape[:2], -1)


HEADS_MISCONCEPTIONS = (
    *(
        Misconception(
            "heads-by-view",
            "heads are split or merged by a reshape alone: a head gets numbers of several tokens",
            "Which token owns this number? Which axis must be exchanged with which after the reshape?",
            HEADS,
            with_methods(**methods),
        )
        for methods in (
            {"split": viewed, "merge": viewed_back},
            {"split": viewed},
            {"merge": viewed_back},
        )
    ),
    *(
        Misconception(
            "heads-attend-to-heads",
            "tokens and heads are not exchanged: inside each token, heads attend to heads",
            "Attention pairs the entries of the last axis but one. What stands there after your split?",
            HEADS,
            with_methods(split=not_exchanged, merge=merge),
        )
        for merge in (lambda self, x: x.flatten(2), exchanged_and_viewed, Attention.merge)
    ),
    Misconception(
        "scaled-by-dim",
        "the scores are divided by sqrt(dim), not by the root of a head's width",
        "How long is one head's key?",
        ATTENTION,
        with_methods(scale=lambda self, q: math.sqrt(q.shape[-1] * self.heads)),
    ),
    Misconception(
        "no-scale",
        "the scores are not divided by the root of a head's width",
        "How large is a sum of d products, and what does a softmax do with large scores?",
        ATTENTION,
        with_methods(scale=lambda self, q: 1),
    ),
    Misconception(
        "softmax-over-queries",
        "the softmax runs over the queries: columns sum to 1, not rows",
        "A query distributes its attention. Which sums are 1?",
        ATTENTION,
        with_methods(normalise=lambda self, scores: scores.softmax(-2)),
    ),
    Misconception(
        "softmax-over-heads",
        "the softmax runs over the heads: heads compete, not tokens",
        "Which axis of (N, heads, L, L) belongs to the keys?",
        ATTENTION,
        with_methods(normalise=lambda self, scores: scores.softmax(1)),
    ),
    Misconception(
        "sigmoid-not-softmax",
        "a sigmoid gates every key; keys do not compete",
        "If one key matches better, do the others get less?",
        ATTENTION,
        with_methods(normalise=lambda self, scores: scores.sigmoid()),
    ),
    Misconception(
        "no-softmax",
        "the softmax is missing: raw scores weigh the values",
        "Do the weights of a query sum to 1?",
        ATTENTION,
        with_methods(normalise=lambda self, scores: scores),
    ),
    Misconception(
        "across-images",
        "tokens attend across the images of the batch, not within an image",
        "Can image 2 change image 1? Which axis of (N, L, dim) holds the tokens?",
        HEADS,
        across_images,
    ),
    Misconception(
        "no-output-projection",
        "the output projection is missing",
        "Who mixes what the heads found? How many matrices has the equation?",
        HEADS,
        with_methods(build=no_last_layer),
    ),
    Misconception(
        "output-unused",
        "the output projection is built, but never applied",
        "Which line of forward calls your fourth layer?",
        HEADS,
        with_methods(forward=lambda self, x: self.merge(self.attend(x)[0])),
    ),
    Misconception(
        "one-projection",
        "one projection makes queries, keys and values, so all three are equal",
        "How many matrices has the equation? What could a token look for, if its query must be its key?",
        HEADS,
        built_as(one_projection, lambda self, x: (self.split(self.q(x)),) * 3),
    ),
    Misconception(
        "values-are-keys",
        "the keys serve as values too: a projection is missing",
        "What does Wv change?",
        HEADS,
        built_as(two_projections, lambda self, x: tuple(self.split(layer(x)) for layer in (self.q, self.k, self.k))),
    ),
    Misconception(
        "one-small-projection",
        "x is split into heads first, and one small projection serves all heads",
        "Does every head see all features of a token?",
        HEADS,
        built_as(
            small_projections,
            lambda self, x: tuple(layer(self.split(x)) for layer in (self.q, self.k, self.v)),
        ),
    ),
    Misconception(
        "wide-heads",
        "every head is dim wide: h times the parameters",
        "How wide is a head, when h of them side by side are dim wide?",
        "d = dim / h (Vaswani et al. 2017, section 3.2.2)",
        with_methods(build=wide_heads),
    ),
    Misconception(
        "one-head",
        "there is only one head, as wide as the token",
        "Where does your code read heads?",
        HEADS,
        with_methods(split=lambda self, x: x[:, None], merge=lambda self, x: x[:, 0]),
    ),
    Misconception(
        "residual-inside",
        "x is added inside; the skip connection belongs to the encoder block",
        "What should come out if all values are 0?",
        HEADS,
        with_methods(forward=lambda self, x: x + self.o(self.merge(self.attend(x)[0]))),
    ),
    Misconception(
        "heads-averaged",
        "weights(x) averages over the heads: the shape must be (N, heads, L, L)",
        "How many maps does a query have?",
        HEADS,
        heads_averaged,
    ),
    Misconception(
        "raw-scores",
        "weights(x) returns scores: the softmax is missing there",
        "Do the rows of weights(x) sum to 1?",
        ATTENTION,
        raw_scores,
    ),
)


def joined(dim: int, heads: int) -> tuple[Joined, ...]:
    """How one layer can hold the queries', keys' and values' (3) or two of them (2)."""
    width = dim // heads
    return tuple(
        layout
        for parts in (3, 2)
        for layout in (Joined((parts, dim), 0), Joined((heads, parts, width), 1), Joined((heads, width, parts), 2))
    )


MULTI_HEAD = Exercise(
    id="multi-head",
    forms=FORMS,
    free_biases=True,
    forbidden=("multi_head_attention_forward",),
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
    misconceptions=HEADS_MISCONCEPTIONS,
    hints=(
        "Four matrices. Three of them make queries, keys and values for all heads at once; then every head attends on "
        "its own part of the width; the fourth mixes what the heads found.",
        r"$Q, K, V$: `(N, L, dim)` → `(N, L, heads, d)` → `(N, heads, L, d)` with $d$ = dim / heads. "
        r"$A = \mathrm{softmax}(QK^\top/\sqrt d)$: `(N, heads, L, L)`. $AV$: `(N, heads, L, d)` → `(N, L, heads, d)` → "
        "`(N, L, dim)`, then the output projection.",
        "```\n__init__: four linear layers from dim to dim: for q, k, v and the output\n"
        "split t:  cut the last axis of t into (heads, d), then exchange the axes of tokens and heads\n"
        "attend:   q, k, v = split of each projection of x\n          return attention of q, k, v (your function)\n"
        "weights:  the second result of attend\n"
        "forward:  y = the first result of attend             # (N, heads, L, d)\n"
        "          exchange heads and tokens back, join (heads, d) to dim\n"
        "          return the output layer of y\n```",
    ),
)


# patch-embedding


class Patches(nn.Module):
    """A linear layer over the pixels of a patch, in some order of channel (0), row (1) and column (2)."""

    bias = True
    pixels = (0, 1, 2)

    def __init__(self, in_channels: int, patch: int, dim: int):
        super().__init__()
        self.patch = patch
        self.layer = nn.Linear(in_channels * patch**2, dim, bias=self.bias)

    def cut(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, rows, columns, C, patch, patch)."""
        tall = x.unflatten(2, (-1, self.patch)).unflatten(4, (-1, self.patch))
        return tall.permute(0, 2, 4, 1, 3, 5)

    def forward(self, x: Tensor) -> Tensor:
        pixels = self.cut(x).permute(0, 1, 2, *(3 + axis for axis in self.pixels))
        return self.layer(pixels.flatten(3).flatten(1, 2))


class PatchConvolution(nn.Module):
    """The same as a convolution."""

    bias = True

    def __init__(self, in_channels: int, patch: int, dim: int):
        super().__init__()
        self.patch = patch
        self.layer = nn.Conv2d(in_channels, dim, patch, **self.window(patch), bias=self.bias)

    def window(self, patch: int) -> dict[str, int]:
        return {"stride": patch}

    def tokens(self, x: Tensor) -> Tensor:
        return x.flatten(2).mT

    def forward(self, x: Tensor) -> Tensor:
        return self.tokens(self.layer(x))


PATCH_FORMS = tuple(type("Form", (PatchConvolution,), {"bias": bias}) for bias in (True, False)) + tuple(
    type("Form", (Patches,), {"bias": bias, "pixels": pixels})
    for bias in (True, False)
    for pixels in itertools.permutations((0, 1, 2))
)


def of_convolution(**methods):
    return lambda right: type("Wrong", (right if issubclass(right, PatchConvolution) else PatchConvolution,), methods)


def of_pixels(forward):
    """A misconception about which pixels make a token: ``forward(self, x)`` on a linear layer."""
    return lambda right: type("Wrong", (right if issubclass(right, Patches) else Patches,), {"forward": forward})


def by_columns(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(right):
        def forward(self, x: Tensor) -> Tensor:
            rows, columns = x.shape[2] // self.patch, x.shape[3] // self.patch
            return super().forward(x).unflatten(1, (rows, columns)).transpose(1, 2).flatten(1, 2)

    return Wrong


def channels_averaged(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(right):
        def __init__(self, in_channels: int, patch: int, dim: int):
            super().__init__(1, patch, dim)

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.mean(1, keepdim=True))

    return Wrong


def with_a_class_token(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(right):
        def __init__(self, in_channels: int, patch: int, dim: int):
            super().__init__(in_channels, patch, dim)
            self.class_token = nn.Parameter(torch.zeros(1, 1, dim))

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat((self.class_token.expand(len(x), -1, -1), super().forward(x)), 1)

    return Wrong


PATCH_EMBEDDING = Exercise(
    id="patch-embedding",
    forms=PATCH_FORMS,
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
        *(
            Misconception(
                "view-without-permute",
                "the image is reshaped without moving axes: a token holds a stripe of pixels, not a patch",
                "Light up one patch. How many tokens change?",
                PATCHES,
                of_pixels(forward),
            )
            for forward in (
                lambda self, x: self.layer(x.reshape(len(x), -1, self.layer.in_features)),
                lambda self, x: self.layer(x.permute(0, 2, 3, 1).reshape(len(x), -1, self.layer.in_features)),
            )
        ),
        Misconception(
            "map-reshaped",
            "the map (N, dim, rows, columns) is reshaped to (N, L, dim) without exchanging axes",
            "Which number belongs to which token? Which axis must come last?",
            PATCHES,
            of_convolution(tokens=lambda self, x: x.reshape(len(x), -1, x.shape[1])),
        ),
        Misconception(
            "channels-first",
            "the tokens are (N, dim, L): tokens and features are exchanged",
            "Which axis of (N, L, dim) counts the patches?",
            PATCHES,
            of_convolution(tokens=lambda self, x: x.flatten(2)),
        ),
        Misconception(
            "not-flattened",
            "the patches are still a map: rows and columns must become one axis of tokens",
            "How many axes has (N, L, dim)?",
            PATCHES,
            of_convolution(tokens=lambda self, x: x),
        ),
        Misconception(
            "not-flattened",
            "the patches are still a map: rows and columns must become one axis of tokens",
            "How many axes has (N, L, dim)?",
            PATCHES,
            of_convolution(tokens=lambda self, x: x.permute(0, 2, 3, 1)),
        ),
        Misconception(
            "overlapping",
            "the patches overlap: the window moves by one pixel",
            "How far must the window move so that every pixel is in one patch?",
            PATCHES,
            of_convolution(window=lambda self, patch: {}),
        ),
        Misconception(
            "padded",
            "the image is padded: patches reach over its edge",
            "How many patches of 2 pixels fit into 4 pixels?",
            PATCHES,
            of_convolution(window=lambda self, patch: {"stride": patch, "padding": patch // 2}),
        ),
        Misconception(
            "by-columns",
            "the tokens run down the columns; row-major order runs along the rows",
            "Which patch is token 1, the one to the right of token 0 or the one below?",
            "token i W / patch + j is the patch in row i and column j",
            by_columns,
        ),
        Misconception(
            "channels-averaged",
            "the colours are averaged before the patches are made",
            "How many numbers does a patch of three channels hold?",
            PATCHES,
            channels_averaged,
        ),
        Misconception(
            "class-token",
            "a class token is added; here every token is a patch",
            "How many patches has the image, and how many tokens do you return?",
            PATCHES,
            with_a_class_token,
        ),
    ),
    hints=(
        "One layer sees one patch at a time, and the same layer sees all patches. Which layer of PyTorch moves a window "
        "over an image?",
        r"A convolution with kernel and stride = `patch` maps `(N, C, H, W)` to `(N, dim, H/patch, W/patch)`. "
        "Flatten rows and columns: `(N, dim, L)`. Exchange the last two axes: `(N, L, dim)`.",
        "```\n__init__: a convolution from in_channels to dim, kernel size patch, stride patch\n"
        "forward:  y = the convolution of x          # (N, dim, rows, columns)\n"
        "          y = y with rows and columns as one axis    # (N, dim, L)\n"
        "          return y with its last two axes exchanged\n```",
    ),
)


# positions


def waves(angle=None, pairs=None):
    """A misconception about the angle ``angle(p, i, dim)`` of pair i, or how ``pairs(sin, cos)`` fill the columns."""

    def right_angle(p: Tensor, i: Tensor, dim: int) -> Tensor:
        return p / 10000 ** (2 * i / dim)

    def right_pairs(sine: Tensor, cosine: Tensor) -> Tensor:
        return torch.stack((sine, cosine), 2).flatten(1)

    def answer(length: int, dim: int) -> Tensor:
        p, i = torch.arange(length, dtype=torch.float64)[:, None], torch.arange(dim // 2, dtype=torch.float64)
        angles = (angle or right_angle)(p, i, dim)
        return (pairs or right_pairs)(angles.sin(), angles.cos())

    return lambda right: answer


def unpaired(length: int, dim: int) -> Tensor:
    p, j = torch.arange(length, dtype=torch.float64)[:, None], torch.arange(dim, dtype=torch.float64)
    angles = p / 10000 ** (j / dim)
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


POSITION_MISCONCEPTIONS = (
    Misconception(
        "exponent-doubled",
        "the exponent is doubled: i already counts in steps of two",
        "Which exponent has the last pair? It should be nearly 1.",
        POSITIONS,
        waves(angle=lambda p, i, dim: p / 10000 ** (4 * i / dim)),
    ),
    Misconception(
        "exponent-halved",
        "the exponent is halved: the pair i needs 2i / dim",
        "Which exponent has the last pair? It should be nearly 1.",
        POSITIONS,
        waves(angle=lambda p, i, dim: p / 10000 ** (i / dim)),
    ),
    Misconception(
        "unpaired",
        "sine and cosine of a pair have different frequencies",
        "Do columns 2i and 2i + 1 share an angle?",
        POSITIONS,
        lambda right: unpaired,
    ),
    Misconception(
        "halves",
        "all sines come first, then all cosines; the paper interleaves them",
        "What stands in column 1, a sine or a cosine?",
        POSITIONS,
        waves(pairs=lambda sine, cosine: torch.cat((sine, cosine), 1)),
    ),
    Misconception(
        "cosine-first",
        "sine and cosine are exchanged",
        "What is column 0 at position 0: sin(0) or cos(0)?",
        POSITIONS,
        waves(pairs=lambda sine, cosine: torch.stack((cosine, sine), 2).flatten(1)),
    ),
    Misconception(
        "frequency-inverted",
        "the position is multiplied by the power of 10000, not divided",
        "Should the waves become slower or faster from left to right?",
        POSITIONS,
        waves(angle=lambda p, i, dim: p * 10000 ** (2 * i / dim)),
    ),
    Misconception(
        "counts-from-one",
        "positions are counted from 1",
        "What is the first row of the table?",
        POSITIONS,
        waves(angle=lambda p, i, dim: (p + 1) / 10000 ** (2 * i / dim)),
    ),
    Misconception(
        "full-turns",
        "the angle is multiplied by 2 pi",
        "Which angle has position 1 in the first pair?",
        POSITIONS,
        waves(angle=lambda p, i, dim: 2 * math.pi * p / 10000 ** (2 * i / dim)),
    ),
    Misconception(
        "transposed",
        "the table is (dim, length): rows and columns are exchanged",
        "Which axis of (length, dim) counts the positions?",
        POSITIONS,
        lambda right: lambda length, dim: right(length, dim).T,
    ),
    Misconception(
        "batch-axis",
        "there is an axis of images: the table is the same for all of them",
        "Does a batch know positions?",
        POSITIONS,
        lambda right: lambda length, dim: right(length, dim)[None],
    ),
)

POSITIONS_EXERCISE = Exercise(
    id="positions",
    forms=(sinusoidal_positions,),
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
    misconceptions=POSITION_MISCONCEPTIONS,
    hints=(
        "A table: a row for each position, a column for each feature. Columns come in pairs, a sine and a cosine of the "
        "same angle. How many different angles has a row?",
        r"For $i = 0, \dots, \mathrm{dim}/2 - 1$: the angle is $p / 10000^{2i/\mathrm{dim}}$. Positions `(length, 1)` "
        "times frequencies `(1, dim / 2)` give the angles `(length, dim / 2)`. Columns `0::2` are their sines, columns "
        "`1::2` their cosines.",
        "```\np           = 0 ... length - 1 as a column\nfrequencies = 1 / 10000 to the power (0, 2, 4, ... / dim)\n"
        "angles      = p times frequencies                    # (length, dim / 2)\n"
        "table       = zeros of shape (length, dim)\nevery second column from 0 = sin of angles\n"
        "every second column from 1 = cos of angles\nreturn table\n```",
    ),
)


# encoder-block


class Block(nn.Module):
    """The encoder block in parts that a form or a misconception can exchange."""

    attention_form: type[nn.Module]

    def __init__(self, dim: int, heads: int = 8, mlp_ratio: int = 4):
        super().__init__()
        self.attention = self.attention_form(dim, heads)
        self.build(dim, mlp_ratio)

    def build(self, dim: int, mlp_ratio: int) -> None:
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp_ratio * dim), nn.GELU(), nn.Linear(mlp_ratio * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


BLOCK_FORMS = tuple(type("Form", (Block,), {"attention_form": form}) for form in FORMS)


def post_norm(self, x: Tensor) -> Tensor:
    x = self.norm1(x + self.attention(x))
    return self.norm2(x + self.mlp(x))


def skip_from_the_normalised(self, x: Tensor) -> Tensor:
    x = self.norm1(x)
    x = x + self.attention(x)
    x = self.norm2(x)
    return x + self.mlp(x)


def no_first_skip(self, x: Tensor) -> Tensor:
    x = self.attention(self.norm1(x))
    return x + self.mlp(self.norm2(x))


def no_second_skip(self, x: Tensor) -> Tensor:
    x = x + self.attention(self.norm1(x))
    return self.mlp(self.norm2(x))


def no_skips(self, x: Tensor) -> Tensor:
    return self.mlp(self.norm2(self.attention(self.norm1(x))))


def skip_from_the_start(self, x: Tensor) -> Tensor:
    return x + self.mlp(self.norm2(x + self.attention(self.norm1(x))))


def in_parallel(self, x: Tensor) -> Tensor:
    return x + self.attention(self.norm1(x)) + self.mlp(self.norm2(x))


def no_norms(self, x: Tensor) -> Tensor:
    x = x + self.attention(x)
    return x + self.mlp(x)


def mlp_first(self, x: Tensor) -> Tensor:
    x = x + self.mlp(self.norm1(x))
    return x + self.attention(self.norm2(x))


def with_layers(between: nn.Module | None = None, ratio: int = 0, shared: bool = False, norms: bool = True):
    """A misconception about the layers: what stands in the MLP, how wide it is, how many norms there are."""

    def build(self, dim: int, mlp_ratio: int) -> None:
        width = (ratio or mlp_ratio) * dim
        self.norm1 = nn.LayerNorm(dim) if norms else nn.Identity()
        self.norm2 = self.norm1 if shared or not norms else nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, width), between or nn.GELU(), nn.Linear(width, dim))

    return lambda right: type("Wrong", (right,), {"build": build})


ENCODER_BLOCK = Exercise(
    id="encoder-block",
    free_biases=True,
    forms=BLOCK_FORMS,
    forbidden=("multi_head_attention_forward",),
    probes={
        "ratio 5": Probe(lambda g: (0.5 + normal(g, 2, 5, 12),), build=(12, 2, 5), joined=joined(12, 2)),
        "default": Probe(lambda g: (0.5 + normal(g, 3, 4, 16),), build=(16,), joined=joined(16, 8)),
        "one image": Probe(lambda g: (0.5 + normal(g, 1, 6, 18),), build=(18, 3, 4), joined=joined(18, 3)),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "parameters": Check(1, (parameters(),)),
        "values": Check(2, (values(), images_apart(), repeatable(), written_out())),
        "gradients": Check(1, (gradients(),)),
    },
    misconceptions=(
        Misconception(
            "post-norm",
            "the normalisation comes after each addition, as in 2017; here it comes before each half",
            "Does the skip connection carry x itself, or something normalised?",
            BLOCK,
            with_methods(forward=post_norm),
        ),
        Misconception(
            "skip-from-the-normalised",
            "the skip connection starts at the normalised x, not at x",
            "What does the skip carry? If both halves gave 0, would x come out?",
            BLOCK,
            with_methods(forward=skip_from_the_normalised),
        ),
        *(
            Misconception(
                "no-skip",
                "a skip connection is missing",
                "How many additions has a block?",
                BLOCK,
                with_methods(forward=forward),
            )
            for forward in (no_first_skip, no_second_skip, no_skips)
        ),
        Misconception(
            "skip-from-the-start",
            "the second skip connection starts at the block's input and leaves the attention's result out",
            "What is x' in the second equation?",
            BLOCK,
            with_methods(forward=skip_from_the_start),
        ),
        Misconception(
            "in-parallel",
            "the MLP sees the block's input, not the result of the attention",
            "What is x' in the second equation?",
            BLOCK,
            with_methods(forward=in_parallel),
        ),
        Misconception(
            "mlp-first",
            "the MLP comes before the attention",
            "Do tokens first exchange, or first think?",
            BLOCK,
            with_methods(forward=mlp_first),
        ),
        Misconception(
            "norms-unused",
            "the normalisations are declared and never used",
            "Where does forward call them?",
            BLOCK,
            with_methods(forward=no_norms),
        ),
        Misconception(
            "no-norms",
            "the normalisations are missing",
            "What stands before each half?",
            BLOCK,
            with_layers(norms=False),
        ),
        Misconception(
            "one-norm",
            "both halves share one normalisation",
            "How many sets of scales and shifts has a block?",
            BLOCK,
            with_layers(shared=True),
        ),
        Misconception(
            "relu-not-gelu",
            "the MLP has a ReLU, not a GELU",
            "Which function does the paper put between the two layers?",
            "GELU(x) = x Phi(x), Phi the normal distribution (Hendrycks and Gimpel 2016)",
            with_layers(nn.ReLU()),
        ),
        Misconception(
            "tanh-gelu",
            "the GELU is the tanh approximation; the statement asks for nn.GELU()",
            "Which argument does your GELU have?",
            "GELU(x) = x Phi(x), Phi the normal distribution (Hendrycks and Gimpel 2016)",
            with_layers(nn.GELU("tanh")),
        ),
        Misconception(
            "no-gelu",
            "nothing stands between the two layers of the MLP: two linear maps in a row are one",
            "What can two layers do that one cannot?",
            BLOCK,
            with_layers(nn.Identity()),
        ),
        Misconception(
            "ratio-ignored",
            "the hidden layer has the width 4 dim, whatever mlp_ratio says",
            "Where does your __init__ read mlp_ratio?",
            "hidden width = mlp_ratio dim",
            with_layers(ratio=4),
        ),
        Misconception(
            "no-expansion",
            "the hidden layer is as narrow as the token",
            "How wide is the hidden layer for dim = 12 and mlp_ratio = 5?",
            "hidden width = mlp_ratio dim",
            with_layers(ratio=1),
        ),
    ),
    hints=(
        "Two halves of the same form: normalise, do something, add what came in. In the first half tokens exchange, in "
        "the second each token is alone.",
        r"$x' = x + \mathrm{MSA}(\mathrm{LN}_1(x))$ and $y = x' + \mathrm{MLP}(\mathrm{LN}_2(x'))$, all of shape "
        "`(N, L, dim)`. The MLP: `dim` → `mlp_ratio * dim`, GELU, back to `dim`.",
        "```\n__init__: two layer normalisations of dim\n          your multi-head attention of dim and heads\n"
        "          a linear layer from dim to mlp_ratio * dim, GELU, a linear layer back\n"
        "forward:  x = x plus attention of the first normalisation of x\n"
        "          return x plus MLP of the second normalisation of x\n```",
    ),
)

EXERCISES = (SCALED_DOT_PRODUCT, MULTI_HEAD, PATCH_EMBEDDING, POSITIONS_EXERCISE, ENCODER_BLOCK)
