"""The course's own answers are known wherever they hide; an own answer is never taken for one."""

import functools
import sys
import types

import pytest
import torch
from torch import nn

from attention_lab.grading import CheckFailed, check
from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.judge import ask
from attention_lab.grading.reference import used_by
from attention_lab.mechanisms import SqueezeExcitation, select, squeeze
from attention_lab.mechanisms.arguments import require_shape


class Subclass(SqueezeExcitation):
    pass


class Within(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.it = SqueezeExcitation(channels, reduction)

    def weights(self, x):
        return self.it.weights(x)

    def forward(self, x):
        return self.it(x)


def in_closure():
    mine = squeeze
    return lambda x: mine(x)


def copied():
    inside = getattr(squeeze, "__wrapped__", squeeze)
    return types.FunctionType(inside.__code__, inside.__globals__, "squeeze")


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("squeeze", squeeze),
        ("squeeze", lambda x: squeeze(x)),
        ("squeeze", in_closure()),
        ("squeeze", functools.partial(squeeze)),
        ("squeeze", lambda x: EXERCISES["squeeze-excitation"].forms[0](x.shape[1]).average(x)),
        ("squeeze", copied()),
        ("squeeze-excitation", SqueezeExcitation),
        ("squeeze-excitation", Subclass),
        ("squeeze-excitation", Within),
        ("squeeze-excitation", EXERCISES["squeeze-excitation"].forms[0]),
    ],
)
def test_the_courses_own_is_found(exercise, answer):
    asked = EXERCISES[exercise]
    assert used_by(answer, ask(asked), asked.records)


def test_the_first_that_runs_is_named_and_nothing_goes_on_watching():
    before = sys.getprofile()
    for exercise, answer in (("squeeze", squeeze), ("select", select), ("squeeze-excitation", SqueezeExcitation)):
        asked = EXERCISES[exercise]
        assert used_by(answer, ask(asked), asked.records) == answer.__name__
    assert sys.getprofile() is before


def test_an_own_answer_is_nobody_elses():
    asked = EXERCISES["squeeze"]
    assert used_by(lambda x: x.mean((2, 3)), ask(asked), asked.records) is None

    def with_its_shape_required(x):
        require_shape(x, "N C H W")
        return x.mean((2, 3))

    assert used_by(with_its_shape_required, ask(asked), asked.records) is None


def test_a_check_says_so_and_gives_nothing():
    with pytest.raises(CheckFailed, match="your code uses the course's own squeeze"):
        check("squeeze-values", lambda x: squeeze(x))
    check("squeeze-values", squeeze, may_borrow=True)
    check("squeeze-values", lambda x: torch.mean(x, (2, 3)))
