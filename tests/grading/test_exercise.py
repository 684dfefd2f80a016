"""Right answers are written in steps: they do what the package does, and another step makes another exercise."""

import pytest
import torch
from bank import named as names
from torch import nn
from torch.nn import functional as F

from attention_lab import mechanisms
from attention_lab.grading.exercise import Exercise, mistake, named, steps
from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.judge import Report, ask, judge
from attention_lab.grading.observe import observe
from attention_lab.mechanisms import BAM, ChannelAttention, ChannelGate, SpatialAttention, SqueezeExcitation, squeeze


def reports(exercise: Exercise, answer: type | object) -> dict[str, Report]:
    questions = ask(exercise, seed=0)
    observations = [observe(answer, question, exercise.records) for question in questions]
    return {check: judge(exercise, check, questions, observations) for check in exercise.checks}


def accepted(exercise: Exercise, answer: type | object) -> bool:
    return all(report.passed for report in reports(exercise, answer).values())


@pytest.mark.parametrize(
    ("exercise", "mechanism"),
    {
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
