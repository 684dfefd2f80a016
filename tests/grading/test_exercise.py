"""Right answers are written in steps: they do what the package does, and another step makes another exercise."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from bank import named as names
from torch import Tensor, nn
from torch.nn import functional as F

from attention_lab import mechanisms
from attention_lab.grading.exercise import Exercise, mistake, named, normal, steps
from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.exercises.selective_kernel import SELECTIVE_KERNEL
from attention_lab.grading.exercises.self_attention import MULTI_HEAD, SCALED_DOT_PRODUCT
from attention_lab.grading.judge import Report, ask, judge_all
from attention_lab.grading.witness import Witness
from attention_lab.mechanisms import (
    BAM,
    ChannelAttention,
    ChannelGate,
    MultiHeadSelfAttention,
    SelectiveKernel,
    SpatialAttention,
    SqueezeExcitation,
    scaled_dot_product_attention,
    squeeze,
)


def reports(exercise: Exercise, answer: type | object) -> dict[str, Report]:
    witness = Witness(answer, ask(exercise, seed=0), exercise.records)
    return judge_all(exercise, witness)


def accepted(exercise: Exercise, answer: type | object) -> bool:
    return all(report.passed for report in reports(exercise, answer).values())


@pytest.mark.parametrize(
    ("exercise", "mechanism"),
    {
        "branch-softmax": "branch_softmax",
        "scaled-dot-product": "scaled_dot_product_attention",
        "positions": "sinusoidal_positions",
        "affine-grid": "affine_grid",
        "bilinear-sample": "bilinear_sample",
        "select": "select",
        "recalibrate": "recalibrate",
        "squeeze-excitation": "SqueezeExcitation",
        "channel-attention": "ChannelAttention",
        "spatial-attention": "SpatialAttention",
        "cbam": "CBAM",
        "channel-gate": "ChannelGate",
        "spatial-gate": "SpatialGate",
        "bam": "BAM",
        "receptive-field": "receptive_field",
    }.items(),
)
def test_the_right_answer_in_steps_does_what_the_package_does(exercise: str, mechanism: str):
    assert accepted(EXERCISES[exercise], getattr(mechanisms, mechanism))


# Answers with one step done otherwise, and one mistake in another step.


class HardGate(SqueezeExcitation):
    def weights(self, x):
        return F.hardsigmoid(self.excitation(squeeze(x)))[:, :, None, None]


class HardGateOfTheMaximum(SqueezeExcitation):
    def weights(self, x):
        return F.hardsigmoid(self.excitation(x.amax((2, 3))))[:, :, None, None]


class SizeAndMaximum(ChannelAttention):
    def weights(self, x):
        return (self.mlp(x.pow(2).mean((2, 3)).sqrt()) + self.mlp(x.amax((2, 3)))).sigmoid()[:, :, None, None]


class SizeAlone(ChannelAttention):
    def weights(self, x):
        return self.mlp(x.pow(2).mean((2, 3)).sqrt()).sigmoid()[:, :, None, None]


class AverageAndMinimum(SpatialAttention):
    def weights(self, x):
        return self.norm(self.conv(torch.stack((x.mean(1), x.amin(1)), 1))).sigmoid()


class AverageAndMinimumLeftOpen(SpatialAttention):
    def weights(self, x):
        return self.norm(self.conv(torch.stack((x.mean(1), x.amin(1)), 1)))


class SmoothBranch(ChannelGate):
    def __init__(self, channels, reduction=16):
        super().__init__(channels, reduction)
        self.mlp[2] = nn.GELU()


class SmoothBranchOfTheSum(SmoothBranch):
    def forward(self, x):
        return self.mlp(x.sum((2, 3)))[:, :, None, None]


class AsReleased(BAM):
    def weights(self, x):
        return (self.channel(x) * self.spatial(x)).sigmoid()


class AsReleasedWithoutTheOne(AsReleased):
    def forward(self, x):
        return self.weights(x) * x


def coldness(scores, dim=-1, temperature=1.0):
    powers = (temperature * (scores - scores.amax(dim, keepdim=True))).exp()
    return powers / powers.sum(dim, keepdim=True)


def coldness_along_the_last_axis(scores, dim=-1, temperature=1.0):
    return coldness(scores, -1, temperature)


def flatness(scores, dim=-1, temperature=1.0):
    return coldness(scores, dim, 1 / temperature)


@pytest.mark.parametrize(
    ("exercise", "other", "right", "standard", "wrong", "told"),
    [
        (
            "squeeze-excitation",
            {"gate": lambda self, scores: F.hardsigmoid(scores)},
            HardGate,
            SqueezeExcitation,
            HardGateOfTheMaximum,
            "max-squeeze",
        ),
        (
            "channel-attention",
            {"average": lambda self, x: x.pow(2).mean((2, 3)).sqrt()},
            SizeAndMaximum,
            ChannelAttention,
            SizeAlone,
            "no-max",
        ),
        (
            "spatial-attention",
            {"maximum": lambda self, x: x.amin(1, keepdim=True)},
            AverageAndMinimum,
            SpatialAttention,
            AverageAndMinimumLeftOpen,
            "no-sigmoid",
        ),
        ("channel-gate", {"relu": nn.GELU}, SmoothBranch, ChannelGate, SmoothBranchOfTheSum, "sum-squeeze"),
        (
            "bam",
            {"combined": lambda self, channel, spatial: channel * spatial},
            AsReleased,
            BAM,
            AsReleasedWithoutTheOne,
            "one-lost",
        ),
        (
            "temperature-softmax",
            {"scaled": lambda self, scores, temperature: scores * temperature},
            coldness,
            flatness,
            coldness_along_the_last_axis,
            "dim-ignored",
        ),
    ],
)
def test_an_exercise_with_another_step_knows_right_and_wrong_by_that_step(
    exercise, other, right, standard, wrong, told
):
    variant = EXERCISES[exercise].with_steps(**other)
    assert accepted(variant, right)
    assert not accepted(variant, standard)
    assert names(reports(variant, wrong)) == {told}
    assert accepted(EXERCISES[exercise], standard)


def dot_product(axis: int) -> Callable:
    """Attention whose scores are divided by 2 sqrt(d), with a softmax over this axis."""

    def answer(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        scores = q @ k.mT / (2 * math.sqrt(q.shape[-1]))
        weights = (scores if mask is None else scores.masked_fill(~mask, -math.inf)).softmax(axis)
        return weights @ v, weights

    return answer


class UnscaledHeads(MultiHeadSelfAttention):
    def merge(self, heads: Tensor) -> Tensor:
        return heads.transpose(1, 2).flatten(2)

    def weights(self, x: Tensor) -> Tensor:
        q, k, _ = self._heads(x)
        return (q @ k.mT).softmax(-1)

    def forward(self, x: Tensor) -> Tensor:
        return self.projection(self.merge(self.weights(x) @ self._heads(x)[2]))


class UnscaledHeadsMergedByView(UnscaledHeads):
    def merge(self, heads: Tensor) -> Tensor:
        return heads.reshape(len(heads), heads.shape[2], -1)


class LargestSqueezed(SelectiveKernel):
    def _fuse(self, features: list[Tensor]) -> Tensor:
        logits = self.score(self.reduce(sum(features).amax((2, 3)))).unflatten(1, (len(features), -1))
        return self.normalised(logits)[:, :, :, None, None]

    def normalised(self, logits: Tensor) -> Tensor:
        return logits.softmax(1)


class LargestSqueezedAndGated(LargestSqueezed):
    def normalised(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()

    @staticmethod
    def _select(weights: Tensor, features: list[Tensor]) -> Tensor:
        return (weights * torch.stack(features, 1)).sum(1)


VARIANTS = {
    "scaled-dot-product": (
        SCALED_DOT_PRODUCT.with_steps(scale=lambda self, q: 2 * math.sqrt(q.shape[-1])),
        dot_product(-1),
        scaled_dot_product_attention,
        (dot_product(-2), "softmax-over-queries"),
    ),
    "multi-head": (
        MULTI_HEAD.with_steps(scale=lambda self, q: 1),
        UnscaledHeads,
        MultiHeadSelfAttention,
        (UnscaledHeadsMergedByView, "heads-by-view"),
    ),
    "selective-kernel": (
        SELECTIVE_KERNEL.with_steps(squeeze=lambda self, fused: fused.amax((2, 3))),
        LargestSqueezed,
        SelectiveKernel,
        (LargestSqueezedAndGated, "sigmoid-not-softmax"),
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_another_step_makes_another_answer_right(variant: str):
    exercise, right, standard, _ = VARIANTS[variant]
    assert accepted(exercise, right)
    assert not accepted(exercise, standard)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_mistake_in_another_step_is_still_named(variant: str):
    exercise, _, _, (wrong, id) = VARIANTS[variant]
    assert names(reports(exercise, wrong)) == {id}


def test_steps_of_a_function_that_is_an_object_are_replaced_too():
    class Doubled:
        def __call__(self, x):
            return self.factor() * x

        def factor(self):
            return 2

    assert steps(factor=lambda self: 3)(Doubled())(5) == 15


def test_mistakes_are_named_in_the_order_asked_for_and_only_if_they_are_known():
    mistakes = tuple(mistake(id, "", "") for id in "abc")
    assert [told.id for told in named(mistakes, "c", "a")] == ["c", "a"]
    with pytest.raises(KeyError):
        named(mistakes, "d")


def test_a_mistake_has_its_codings_and_the_equation_of_its_exercise_if_none_of_its_own():
    told = (mistake("a", "of the sum", "Why?", torch.sum, torch.cumsum), mistake("b", "", "", equation="equation 2"))
    asked = Exercise("id", (), {}, {}, ("  a nudge", "x\n    y", ""), "equation 1", misconceptions=told)
    assert [known.equation for known in asked.misconceptions] == ["equation 1", "equation 2"]
    assert asked.misconceptions[0].codings == (torch.sum, torch.cumsum)
    assert asked.hints == ("a nudge", "x\ny", "")


def test_grade_ids_begin_with_the_exercise_and_the_part_if_there_are_several():
    asked = Exercise("bam", (), {}, {}, ("",) * 3)
    assert (asked.key, replace(asked, part="spatial").key) == ("bam", "bam-spatial")


def test_probes_are_drawn_from_their_generator_in_double_precision():
    one, same = (normal(torch.Generator().manual_seed(1), 2, 3) for _ in range(2))
    assert torch.equal(one, same) and one.shape == (2, 3) and one.dtype == torch.float64


def test_biases_are_free_and_gradients_part_of_the_answer_only_where_an_exercise_says_so():
    asked = Exercise("id", (), {}, {}, ("",) * 3)
    assert (asked.free_biases, asked.differentiates, asked.records) == (False, False, ("output",))
