"""Lesson 01, attention as weighting: temperature-softmax, select, recalibrate (and the shapes of its logits)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..exercise import Check, Exercise, Failure, Probe, Property, Use, instead, mistake, normal, steps
from ..observe import Observation, Question
from ..properties import (
    gradients,
    images_apart,
    leaves_input_alone,
    repeatable,
    shape,
    sums_to_one,
    values,
    written_out,
)


class TemperatureSoftmax:
    """The right answer in steps, so that a mistake can replace one."""

    def __call__(self, scores: Tensor, dim: int = -1, temperature: float = 1.0) -> Tensor:
        return self.normalised(self.scaled(scores, temperature), dim)

    def scaled(self, scores: Tensor, temperature: float) -> Tensor:
        return scores / temperature

    def normalised(self, scores: Tensor, dim: int) -> Tensor:
        powers = (scores - self.largest(scores, dim)).exp()
        return powers / self.total(powers, dim)

    def largest(self, scores: Tensor, dim: int) -> Tensor:
        return scores.amax(dim, keepdim=True)

    def total(self, powers: Tensor, dim: int) -> Tensor:
        return powers.sum(dim, keepdim=True)


MODERATE = ("plain", "middle axis", "first axis")

TEMPERATURE_SOFTMAX = Exercise(
    id="temperature-softmax",
    equation="weights_i = exp(s_i / T) / sum_j exp(s_j / T) (Hinton et al. 2015, equation 1)",
    forms=(TemperatureSoftmax(),),
    forbidden=("softmax", "log_softmax"),
    probes={
        "plain": Probe(lambda g: (normal(g, 3, 7),)),
        "middle axis": Probe(lambda g: (normal(g, 4, 5, 3), 1)),
        "first axis": Probe(lambda g: (normal(g, 6, 4), 0)),
        "warm": Probe(lambda g: (3 * normal(g, 3, 7), -1, 2.0)),
        "cold": Probe(lambda g: (normal(g, 3, 7), -1, 0.25)),
        "large": Probe(lambda g: (1e4 * normal(g, 3, 7),)),
        "very negative": Probe(lambda g: (normal(g, 3, 7) - 1e4,)),
        "cold and large": Probe(lambda g: (1e4 * torch.rand(3, 7, generator=g).argsort(-1).double(), -1, 0.5)),
    },
    checks={
        "values": Check(
            2,
            (
                shape(on=MODERATE),
                sums_to_one("output", -1, on=("plain",)),
                values(on=MODERATE),
                gradients(on=MODERATE),
                leaves_input_alone(),
                written_out(),
            ),
        ),
        "temperature": Check(1, (values(on=("warm", "cold"), name="values at temperatures 2 and 0.25"), written_out())),
        "stable": Check(
            1,
            (
                values(on=("large", "very negative", "cold and large"), name="values at scores of 10,000"),
                written_out(),
            ),
        ),
    },
    misconceptions=(
        mistake(
            "temperature-multiplied",
            "the scores are multiplied by the temperature",
            "Hotter means flatter. What does T = 2 do to your weights?",
            steps(scaled=lambda self, scores, temperature: scores * temperature),
        ),
        mistake(
            "temperature-ignored",
            "the temperature is never used",
            "Which line of yours changes when T changes?",
            steps(scaled=lambda self, scores, temperature: scores),
        ),
        mistake(
            "temperature-after-softmax",
            "the weights are divided by the temperature, not the scores",
            "Do your weights still sum to 1 at T = 2?",
            instead(lambda scores, dim=-1, temperature=1.0: scores.softmax(dim) / temperature),
        ),
        mistake(
            "unstable",
            "the exponential of a large score overflows",
            "exp(10000) is inf. Which number can you subtract from every score without changing the weights?",
            steps(largest=lambda self, scores, dim: 0),
            equation="exp(s_i - m) / sum_j exp(s_j - m) is the same for every m: take m = max_j s_j",
        ),
        mistake(
            "global-maximum",
            "the maximum of the whole tensor is subtracted: rows far below it vanish, and 0 / 0 is nan",
            "Which maximum makes the largest power of every row 1?",
            steps(largest=lambda self, scores, dim: scores.max()),
            equation="exp(s_i - m) / sum_j exp(s_j - m) is the same for every m: take m = max_j s_j",
        ),
        mistake(
            "clamped",
            "large scores are cut off: those above the bound all get the same weight",
            "What are the weights of 90 and 200 when both are cut to 80? What may you subtract instead?",
            *(
                steps(
                    scaled=lambda self, scores, temperature, least=least, most=most: (scores / temperature).clamp(
                        least, most
                    ),
                    largest=lambda self, scores, dim: 0,
                )
                for most in (10, 20, 30, 40, 50, 60, 70, 80, 85, 88, 90, 100, 500, 700)
                for least in (None, -most)
            ),
            equation="exp(s_i - m) / sum_j exp(s_j - m) is the same for every m: take m = max_j s_j",
        ),
        mistake(
            "whole-tensor",
            "the weights are normalised over the whole tensor, not along dim",
            "How many sums should be 1 for scores of shape (3, 7) and dim = -1?",
            steps(normalised=lambda self, scores, dim: scores.flatten().softmax(0).view_as(scores)),
        ),
        mistake(
            "dim-ignored",
            "the last axis is always used, whatever dim says",
            "Where does your code read dim?",
            steps(normalised=lambda self, scores, dim: scores.softmax(-1)),
        ),
        mistake(
            "keepdim-missing",
            "the sum lost its axis, so it does not line up with the exponentials",
            "Which shape has the sum over the last axis of (3, 7)? Against which axis does it then broadcast?",
            steps(total=lambda self, powers, dim: powers.sum(dim)),
        ),
        mistake(
            "not-normalised",
            "the exponentials are never divided by their sum",
            "What do your weights sum to?",
            steps(total=lambda self, powers, dim: 1),
        ),
        mistake(
            "applied-twice",
            "the softmax is applied twice",
            "What are the scores of the second softmax?",
            steps(normalised=lambda self, scores, dim: scores.softmax(dim).softmax(dim)),
        ),
    ),
    hints=(
        """
        First make every number positive, then divide by their sum along `dim`. `exp(10000)` is `inf`: but multiplying
        all powers by one constant does not change the weights. What must you subtract from every score so that the
        largest power is 1?
        """,
        r"""
        With $m=\max_j s_j$ along `dim`:
        $\;w_i = \dfrac{\exp\left((s_i-m)/T\right)}{\sum_j \exp\left((s_j-m)/T\right)}$.
        Maximum and sum keep their dimension (`keepdim=True`), so that shapes `(3, 7)` and `(3, 1)` fit.
        """,
        """
        ```
        scaled  = scores / temperature
        shifted = scaled - its maximum along dim, dimension kept
        powers  = exp of shifted
        return powers / their sum along dim, dimension kept
        ```
        """,
    ),
)


class Select:
    """The right answer in steps, so that a mistake can replace one."""

    def __call__(self, features: Tensor, scores: Tensor) -> Tensor:
        return self.combined(features, self.weights(self.scaled(scores, features))[:, None])

    def scaled(self, scores: Tensor, features: Tensor) -> Tensor:
        return scores

    def weights(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1)

    def combined(self, features: Tensor, weights: Tensor) -> Tensor:
        return (features * weights).sum(-1)


SELECT = Exercise(
    id="select",
    uses={"softmax": Use(TEMPERATURE_SOFTMAX, lambda softmax: steps(weights=lambda self, scores: softmax(scores, -1)))},
    equation="output_c = sum_l softmax(scores)_l features_cl",
    forms=(Select(),),
    probes={
        "plain": Probe(lambda g: (normal(g, 2, 3, 5), normal(g, 2, 5))),
        "one image": Probe(lambda g: (normal(g, 1, 4, 7), normal(g, 1, 7))),
        "one position": Probe(lambda g: (normal(g, 3, 2, 6), 200.0 * torch.eye(6, dtype=torch.float64)[[4, 0, 5]])),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "values": Check(2, (values(on=("plain", "one image")), images_apart(on=("plain",)), gradients())),
        "one-position": Check(1, (values(on=("one position",), name="a huge score selects its position"),)),
    },
    misconceptions=(
        mistake(
            "scores-as-weights",
            "the raw scores are used as weights, without the softmax",
            "Do your weights sum to 1?",
            steps(weights=lambda self, scores: scores),
        ),
        mistake(
            "sigmoid-not-softmax",
            "a sigmoid gates each position; nothing is selected",
            "If one score rises, do the other weights fall?",
            steps(weights=lambda self, scores: scores.sigmoid()),
        ),
        mistake(
            "scores-scaled",
            "the scores are divided by a root first, as in a transformer; here they are taken as they are",
            "What does the equation do to the scores before the softmax?",
            steps(scaled=lambda self, scores, features: scores / features.shape[1] ** 0.5),
            steps(scaled=lambda self, scores, features: scores / features.shape[2] ** 0.5),
        ),
        mistake(
            "mean-not-sum",
            "the weighted features are averaged over L, so the weights are divided by L once more",
            "The weights already sum to 1. What does mean divide by?",
            steps(combined=lambda self, features, weights: (features * weights).mean(-1)),
        ),
        mistake(
            "softmax-over-batch",
            "the softmax runs over the batch, so images compete with each other",
            "Which axis holds the positions? Can image 2 change image 1?",
            steps(weights=lambda self, scores: scores.softmax(0)),
        ),
        mistake(
            "not-summed",
            "the features are weighted, but not summed over the positions",
            "Which axis must be gone in (N, C)?",
            steps(combined=lambda self, features, weights: features * weights),
        ),
        mistake(
            "uniform",
            "the scores are not used: every position weighs the same",
            "What should a huge score at one position do?",
            steps(combined=lambda self, features, weights: features.mean(-1)),
        ),
        mistake(
            "hard-maximum",
            "only the best position is taken",
            "What gradient do the scores receive?",
            steps(weights=lambda self, scores: F.one_hot(scores.argmax(-1), scores.shape[-1])),
        ),
    ),
    hints=(
        "Two steps: scores become weights that sum to 1, then the weights combine the features.",
        r"""
        $w = \mathrm{softmax}(s)$ of shape `(N, L)`; $\;y_{nc} = \sum_l w_{nl}\, f_{ncl}$.
        To multiply `(N, C, L)` by the weights, give them shape `(N, 1, L)`.
        """,
        """
        ```
        weights = softmax of scores over the last axis     # (N, L)
        weighted = features times weights as (N, 1, L)      # (N, C, L)
        return weighted summed over the last axis           # (N, C)
        ```
        """,
    ),
)


class Recalibrate:
    """The right answer in steps, so that a mistake can replace one."""

    def __call__(self, x: Tensor, logits: Tensor) -> Tensor:
        return self.combined(x, self.gate(logits))

    def gate(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()

    def combined(self, x: Tensor, gate: Tensor) -> Tensor:
        return gate * x


MIDDLING = ("channels", "positions", "every value")
RECALIBRATE_HINTS = (
    """
    Shapes: on which axes must every index have a weight of its own, and on which is one weight shared? Gate: which
    function turns any real number into one between 0 and 1? What should a weight of 1 do to `x`, and a weight of 0?
    """,
    r"""
    A shared axis has size 1. The images share nothing. $y = \sigma(\ell)\, x$ with $\sigma(\ell) = 1 / (1 + e^{-\ell})$:
    a gate with axes of size 1 times `x` of shape `(N, C, H, W)` has shape `(N, C, H, W)`.
    """,
    """
    ```
    logits_shape: N, C, H, W = shape of x
                  channels:  one weight for each image and channel, 1 on the other two axes
                  positions: one weight for each image, row and column, 1 on the other axis
                  values:    one weight for each number
    recalibrate:  gate = sigmoid of logits
                  return x times gate
    ```
    """,
)

RECALIBRATE = Exercise(
    id="recalibrate",
    equation="output = sigmoid(logits) x",
    forms=(Recalibrate(),),
    probes={
        "channels": Probe(lambda g: (normal(g, 2, 3, 5, 7), normal(g, 2, 3, 1, 1))),
        "positions": Probe(lambda g: (normal(g, 2, 3, 5, 7), normal(g, 2, 1, 5, 7))),
        "every value": Probe(lambda g: (normal(g, 2, 3, 5, 7), normal(g, 2, 3, 5, 7))),
        "open": Probe(lambda g: (normal(g, 2, 3, 5, 7), 50 + normal(g, 2, 3, 1, 1))),
        "closed": Probe(lambda g: (normal(g, 2, 3, 5, 7), -50 + normal(g, 2, 1, 5, 7))),
        "far open": Probe(lambda g: (normal(g, 2, 3, 5, 7), 1000 + normal(g, 2, 3, 1, 1))),
        "far closed": Probe(lambda g: (normal(g, 2, 3, 5, 7), -1000 + normal(g, 2, 3, 1, 1))),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "values": Check(1, (values(on=MIDDLING), gradients(on=(*MIDDLING, "open", "closed")), repeatable())),
        "open-and-closed": Check(
            1,
            (
                values(on=("open", "closed"), name="an open gate keeps x, a closed one gives 0"),
                values(on=("far open", "far closed"), name="so do gates of logits 1,000 and -1,000"),
            ),
        ),
    },
    misconceptions=(
        mistake(
            "gate-returned",
            "the gate itself is returned, not the gated features",
            "What should an open gate (weight 1) give?",
            steps(combined=lambda self, x, gate: gate.expand_as(x)),
            steps(combined=lambda self, x, gate: gate),
        ),
        mistake(
            "gate-added",
            "the gate is added to x instead of multiplied",
            "What should a closed gate (weight 0) give?",
            steps(combined=lambda self, x, gate: x + gate),
        ),
        mistake(
            "no-sigmoid",
            "x is multiplied by the raw logits",
            "Can your weights be negative, or above 1?",
            steps(gate=lambda self, logits: logits),
        ),
        mistake(
            "unstable",
            "the exponential of a large logit overflows, and inf / inf is nan",
            "e^1000 is inf. Which way to write the sigmoid never needs it?",
            steps(gate=lambda self, logits: logits.exp() / (1 + logits.exp())),
            equation="e^l / (1 + e^l) = 1 / (1 + e^-l), and torch.sigmoid takes care of both ends",
        ),
        mistake(
            "softmax-not-sigmoid",
            "a softmax over the channels replaces the sigmoid: channels compete",
            "Can two channels both be fully open?",
            steps(gate=lambda self, logits: logits.softmax(1)),
        ),
        mistake(
            "residual-added",
            "x is added once more: a closed gate leaves x unchanged",
            "What should a closed gate (weight 0) give?",
            steps(combined=lambda self, x, gate: x + gate * x),
        ),
        mistake(
            "sigmoid-twice",
            "the sigmoid is applied twice, so no gate is below 0.5",
            "Which gate do you get for a logit of -50?",
            steps(gate=lambda self, logits: logits.sigmoid().sigmoid()),
        ),
    ),
    hints=RECALIBRATE_HINTS,
)


class LogitsShape:
    """The right answer in steps, so that a mistake can replace one."""

    def __call__(self, x: Tensor, what: str) -> tuple[int, int, int, int]:
        return self.shape(*x.shape, what)

    def shape(self, n: int, c: int, h: int, w: int, what: str) -> tuple[int, int, int, int]:
        return {"channels": (n, c, 1, 1), "positions": (n, 1, h, w), "values": (n, c, h, w)}[what]


AXES = ("output", "channels", "rows", "columns")


def shapes_named() -> Property:
    def failure(got: Observation, expected: Observation, question: Question) -> Failure | None:
        shapes = [tuple(float(seen.values[axis]) for axis in AXES) for seen in (got, expected)]
        if shapes[0] == shapes[1]:
            return None
        told = [f"({', '.join(f'{size:g}' for size in shape)})" for shape in shapes]
        return Failure(f"{told[0]} for {question.inputs[1]}, x {tuple(question.inputs[0].shape)}", told[1])

    return Property("shape of the logits", failure, record=AXES[-1])


LOGITS_SHAPE = Exercise(
    id="recalibrate",
    part="logits",
    records=AXES,
    equation="a weight is shared along every axis on which its shape is 1",
    forms=(LogitsShape(),),
    probes={
        f"{what}, {sizes[0]} images": Probe(lambda g, sizes=sizes, what=what: (normal(g, *sizes), what))
        for sizes in ((2, 3, 5, 7), (4, 6, 8, 3))
        for what in ("channels", "positions", "values")
    },
    checks={"shapes": Check(1, (shapes_named(),))},
    misconceptions=(
        mistake(
            "channels-and-positions-exchanged",
            "the shapes for channels and positions are exchanged",
            "In (N, C, 1, 1), how many different weights has one image, and what do they belong to?",
            steps(
                shape=lambda self, n, c, h, w, what: {
                    "channels": (n, 1, h, w),
                    "positions": (n, c, 1, 1),
                    "values": (n, c, h, w),
                }[what]
            ),
        ),
        mistake(
            "images-share-their-weights",
            "the first axis is 1: all images would share their weights",
            "Should image 2 be gated with the weights of image 1?",
            steps(
                shape=lambda self, n, c, h, w, what: (1, *LogitsShape.shape(self, n, c, h, w, what)[1:]),
            ),
            steps(
                shape=lambda self, n, c, h, w, what: LogitsShape.shape(
                    self, n if what == "values" else 1, c, h, w, what
                ),
            ),
        ),
    ),
    hints=RECALIBRATE_HINTS,
)

EXERCISES = (TEMPERATURE_SOFTMAX, SELECT, LOGITS_SHAPE, RECALIBRATE)
