"""A right answer's steps can be replaced from outside, and mistakes in its other steps are still named."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from attention_lab import mechanisms
from attention_lab.grading.exercise import Exercise
from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.exercises.selective_kernel import SELECTIVE_KERNEL
from attention_lab.grading.exercises.self_attention import MULTI_HEAD, SCALED_DOT_PRODUCT
from attention_lab.grading.judge import Report, ask, judge
from attention_lab.grading.observe import observe
from attention_lab.mechanisms import MultiHeadSelfAttention, SelectiveKernel, scaled_dot_product_attention


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


def reports(exercise: Exercise, answer: Any) -> list[Report]:
    questions = ask(exercise)
    observations = [observe(answer, question, exercise.records) for question in questions]
    return [judge(exercise, check, questions, observations) for check in exercise.checks]


@pytest.mark.parametrize("variant", VARIANTS)
def test_another_step_makes_another_answer_right(variant: str):
    exercise, right, standard, _ = VARIANTS[variant]
    assert all(report.passed for report in reports(exercise, right))
    assert not all(report.passed for report in reports(exercise, standard))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_mistake_in_another_step_is_still_named(variant: str):
    exercise, _, _, (wrong, id) = VARIANTS[variant]
    assert {report.misconception.id for report in reports(exercise, wrong) if not report.passed} == {id}


@pytest.mark.parametrize(
    ("exercise", "function"),
    {
        "branch-softmax": mechanisms.branch_softmax,
        "scaled-dot-product": mechanisms.scaled_dot_product_attention,
        "positions": mechanisms.sinusoidal_positions,
        "affine-grid": mechanisms.affine_grid,
        "bilinear-sample": mechanisms.bilinear_sample,
    }.items(),
)
def test_a_right_answer_in_steps_does_what_the_package_does(exercise: str, function: Callable):
    assert all(report.passed for report in reports(EXERCISES[exercise], function))
