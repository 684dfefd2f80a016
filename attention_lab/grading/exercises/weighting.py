"""Lesson 01, attention as weighting: temperature-softmax, select, recalibrate."""

import torch

from ...mechanisms import recalibrate, select, softmax
from ..exercise import Check, Exercise, Misconception, Probe, normal
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

TEMPERATURE = "weights_i = exp(s_i / T) / sum_j exp(s_j / T) (Hinton et al. 2014, equation 1)"
SELECT = "output_c = sum_l softmax(scores)_l features_cl"
RECALIBRATE = "output = sigmoid(logits) x"

TEMPERATURE_SOFTMAX = Exercise(
    id="temperature-softmax",
    forms=(softmax,),
    forbidden=("softmax", "log_softmax"),
    probes={
        "plain": Probe(lambda g: (normal(g, 3, 7),)),
        "first axis": Probe(lambda g: (normal(g, 4, 5, 3), 1)),
        "warm": Probe(lambda g: (3 * normal(g, 3, 7), -1, 2.0)),
        "cold": Probe(lambda g: (normal(g, 3, 7), -1, 0.25)),
        "large": Probe(lambda g: (1e4 * normal(g, 3, 7),)),
        "very negative": Probe(lambda g: (normal(g, 3, 7) - 1e4,)),
        "cold and large": Probe(lambda g: (1e4 * normal(g, 3, 7), -1, 0.5)),
    },
    checks={
        "values": Check(
            2,
            (
                shape(on=("plain", "first axis")),
                sums_to_one("output", -1, on=("plain",)),
                values(on=("plain", "first axis")),
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
        Misconception(
            "temperature-multiplied",
            "the scores are multiplied by the temperature",
            "Hotter means flatter. What does T = 2 do to your weights?",
            TEMPERATURE,
            lambda right: lambda scores, dim=-1, temperature=1.0: torch.softmax(scores * temperature, dim),
        ),
        Misconception(
            "temperature-ignored",
            "the temperature is never used",
            "Which line of yours changes when T changes?",
            TEMPERATURE,
            lambda right: lambda scores, dim=-1, temperature=1.0: torch.softmax(scores, dim),
        ),
        Misconception(
            "temperature-after-softmax",
            "the weights are divided by the temperature, not the scores",
            "Do your weights still sum to 1 at T = 2?",
            TEMPERATURE,
            lambda right: lambda scores, dim=-1, temperature=1.0: torch.softmax(scores, dim) / temperature,
        ),
        Misconception(
            "unstable",
            "the exponential of a large score overflows",
            "exp(10000) is inf. Which number can you subtract from every score without changing the weights?",
            "exp(s_i - m) / sum_j exp(s_j - m) is the same for every m: take m = max_j s_j",
            lambda right: unstable,
        ),
        Misconception(
            "whole-tensor",
            "the weights are normalised over the whole tensor, not along dim",
            "How many sums should be 1 for scores of shape (3, 7) and dim = -1?",
            TEMPERATURE,
            lambda right: (
                lambda scores, dim=-1, temperature=1.0: torch.softmax(scores.flatten() / temperature, 0).view_as(scores)
            ),
        ),
        Misconception(
            "dim-ignored",
            "the last axis is always used, whatever dim says",
            "Where does your code read dim?",
            TEMPERATURE,
            lambda right: lambda scores, dim=-1, temperature=1.0: torch.softmax(scores / temperature, -1),
        ),
        Misconception(
            "keepdim-missing",
            "the sum lost its axis, so it does not line up with the exponentials",
            "Which shape has the sum over the last axis of (3, 7)? Against which axis does it then broadcast?",
            TEMPERATURE,
            lambda right: lambda scores, dim=-1, temperature=1.0: scores / scores.sum(dim),
        ),
        Misconception(
            "not-normalised",
            "the exponentials are never divided by their sum",
            "What do your weights sum to?",
            TEMPERATURE,
            lambda right: (
                lambda scores, dim=-1, temperature=1.0: ((scores - scores.amax(dim, keepdim=True)) / temperature).exp()
            ),
        ),
        Misconception(
            "applied-twice",
            "the softmax is applied twice",
            "What are the scores of the second softmax?",
            TEMPERATURE,
            lambda right: lambda scores, dim=-1, temperature=1.0: torch.softmax(right(scores, dim, temperature), dim),
        ),
    ),
    hints=(
        "First make every number positive, then divide by their sum along `dim`. `exp(10000)` is `inf`: but multiplying all "
        "powers by one constant does not change the weights. What must you subtract from every score so that the largest "
        "power is 1?",
        r"With $m=\max_j s_j$ along `dim`: "
        r"$\;w_i = \dfrac{\exp\left((s_i-m)/T\right)}{\sum_j \exp\left((s_j-m)/T\right)}$. "
        "Maximum and sum keep their dimension (`keepdim=True`), so that shapes `(3, 7)` and `(3, 1)` fit.",
        "```\nscaled  = scores / temperature\nshifted = scaled - its maximum along dim, dimension kept\n"
        "powers  = exp of shifted\nreturn powers / their sum along dim, dimension kept\n```",
    ),
)


def unstable(scores: torch.Tensor, dim: int = -1, temperature: float = 1.0) -> torch.Tensor:
    powers = (scores / temperature).exp()
    return powers / powers.sum(dim, keepdim=True)


SELECT_EXERCISE = Exercise(
    id="select",
    forms=(select,),
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
        Misconception(
            "scores-as-weights",
            "the raw scores are used as weights, without the softmax",
            "Do your weights sum to 1?",
            SELECT,
            lambda right: lambda features, scores: (features * scores[:, None]).sum(-1),
        ),
        Misconception(
            "sigmoid-not-softmax",
            "a sigmoid gates each position; nothing is selected",
            "If one score rises, do the other weights fall?",
            SELECT,
            lambda right: lambda features, scores: (features * scores.sigmoid()[:, None]).sum(-1),
        ),
        Misconception(
            "mean-not-sum",
            "the weighted features are averaged over L, so the weights are divided by L once more",
            "The weights already sum to 1. What does mean divide by?",
            SELECT,
            lambda right: lambda features, scores: right(features, scores) / features.shape[-1],
        ),
        Misconception(
            "softmax-over-batch",
            "the softmax runs over the batch, so images compete with each other",
            "Which axis holds the positions? Can image 2 change image 1?",
            SELECT,
            lambda right: lambda features, scores: (features * scores.softmax(0)[:, None]).sum(-1),
        ),
        Misconception(
            "not-summed",
            "the features are weighted, but not summed over the positions",
            "Which axis must be gone in (N, C)?",
            SELECT,
            lambda right: lambda features, scores: features * softmax(scores)[:, None],
        ),
        Misconception(
            "uniform",
            "the scores are not used: every position weighs the same",
            "What should a huge score at one position do?",
            SELECT,
            lambda right: lambda features, scores: features.mean(-1),
        ),
        Misconception(
            "hard-maximum",
            "only the best position is taken",
            "What gradient do the scores receive?",
            SELECT,
            lambda right: lambda features, scores: features[torch.arange(len(features)), :, scores.argmax(-1)],
        ),
    ),
    hints=(
        "Two steps: scores become weights that sum to 1, then the weights combine the features.",
        r"$w = \mathrm{softmax}(s)$ of shape `(N, L)`; $\;y_{nc} = \sum_l w_{nl}\, f_{ncl}$. "
        "To multiply `(N, C, L)` by the weights, give them shape `(N, 1, L)`.",
        "```\nweights = softmax of scores over the last axis     # (N, L)\n"
        "weighted = features times weights as (N, 1, L)      # (N, C, L)\n"
        "return weighted summed over the last axis           # (N, C)\n```",
    ),
)

RECALIBRATE_EXERCISE = Exercise(
    id="recalibrate",
    forms=(recalibrate,),
    probes={
        "channels": Probe(lambda g: (normal(g, 2, 3, 5, 7), normal(g, 2, 3, 1, 1))),
        "positions": Probe(lambda g: (normal(g, 2, 3, 5, 7), normal(g, 2, 1, 5, 7))),
        "every value": Probe(lambda g: (normal(g, 2, 3, 5, 7), normal(g, 2, 3, 5, 7))),
        "open": Probe(lambda g: (normal(g, 2, 3, 5, 7), 50 + normal(g, 2, 3, 1, 1))),
        "closed": Probe(lambda g: (normal(g, 2, 3, 5, 7), -50 + normal(g, 2, 1, 5, 7))),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "values": Check(2, (values(on=("channels", "positions", "every value")), gradients(), repeatable())),
        "open-and-closed": Check(
            1, (values(on=("open", "closed"), name="an open gate keeps x, a closed one gives 0"),)
        ),
    },
    misconceptions=(
        Misconception(
            "gate-returned",
            "the gate itself is returned, not the gated features",
            "What should an open gate (weight 1) give?",
            RECALIBRATE,
            lambda right: lambda x, logits: logits.sigmoid().expand_as(x),
        ),
        Misconception(
            "gate-returned",
            "the gate itself is returned, not the gated features",
            "What should an open gate (weight 1) give?",
            RECALIBRATE,
            lambda right: lambda x, logits: logits.sigmoid(),
        ),
        Misconception(
            "gate-added",
            "the gate is added to x instead of multiplied",
            "What should a closed gate (weight 0) give?",
            RECALIBRATE,
            lambda right: lambda x, logits: x + logits.sigmoid(),
        ),
        Misconception(
            "no-sigmoid",
            "x is multiplied by the raw logits",
            "Can your weights be negative, or above 1?",
            RECALIBRATE,
            lambda right: lambda x, logits: x * logits,
        ),
        Misconception(
            "softmax-not-sigmoid",
            "a softmax over the channels replaces the sigmoid: channels compete",
            "Can two channels both be fully open?",
            RECALIBRATE,
            lambda right: lambda x, logits: x * logits.softmax(1),
        ),
        Misconception(
            "residual-added",
            "x is added once more: a closed gate leaves x unchanged",
            "What should a closed gate (weight 0) give?",
            RECALIBRATE,
            lambda right: lambda x, logits: x + right(x, logits),
        ),
        Misconception(
            "sigmoid-twice",
            "the sigmoid is applied twice, so no gate is below 0.5",
            "Which gate do you get for a logit of -50?",
            RECALIBRATE,
            lambda right: lambda x, logits: right(x, logits.sigmoid()),
        ),
    ),
    hints=(
        "Which function turns any real number into one between 0 and 1? What should a weight of 1 do to `x`, and a weight of "
        "0?",
        r"$y = \sigma(\ell)\, x$ with $\sigma(\ell) = 1 / (1 + e^{-\ell})$. A gate of shape `(N, C, 1, 1)` times `x` "
        "of shape `(N, C, H, W)` has shape `(N, C, H, W)`.",
        "```\ngate = sigmoid of logits\nreturn x times gate\n```",
    ),
)

EXERCISES = (TEMPERATURE_SOFTMAX, SELECT_EXERCISE, RECALIBRATE_EXERCISE)
