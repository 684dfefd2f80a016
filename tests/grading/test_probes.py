"""What an exercise asks leaves nothing to be written down in place of an argument."""

import inspect

import pytest
from torch import Tensor

from attention_lab.grading.exercise import Exercise
from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.judge import ask
from attention_lab.grading.stand_ins import StandIn

NOTHING_TO_LEARN = {"count-macs", "which-order", "recalibrate-logits"}
"""Exercises that answer with a count, a shape or a yes: there is no slope."""
MEASURES = {"deletion", "area-under", "pointing-game", "rank-correlation", "debug-deletion"}
"""Exercises whose answer measures a map that is finished: nobody trains by it."""


def plain(values: tuple) -> dict[int, object]:
    return {i: x for i, x in enumerate(values) if not isinstance(x, Tensor | StandIn) and type(x).__name__ != "Part"}


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
def test_every_argument_takes_different_values_over_the_probes(exercise: Exercise):
    questions = ask(exercise)
    form = exercise.forms[0]
    names = [*inspect.signature(form).parameters]
    called = inspect.signature(form.forward if inspect.isclass(form) else form).parameters
    for asked, parameters in ((lambda q: q.build, names), (lambda q: q.inputs, [*called])):
        given = [plain(asked(question)) for question in questions]
        for place in {place for values in given for place in values}:
            seen = {repr(values[place]) for values in given if place in values}
            left_out = any(len(asked(question)) <= place for question in questions)
            assert len(seen) + left_out > 1, f"{parameters[place]} is always {seen}"


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
def test_no_two_axes_of_a_tensor_are_equal_in_every_probe(exercise: Exercise):
    shapes: dict[int, list] = {}
    for question in ask(exercise):
        for place, x in enumerate(question.inputs):
            if isinstance(x, Tensor) and x.ndim > 1:
                shapes.setdefault(place, []).append(tuple(x.shape))
    for place, all_shapes in shapes.items():
        for i in range(len(all_shapes[0])):
            for j in range(i):
                pairs = [(s[i], s[j]) for s in all_shapes if len(s) > i]
                assert any(a != b for a, b in pairs), f"axes {j} and {i} of argument {place} are always equal"


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
def test_whatever_can_learn_is_asked_for_its_gradient(exercise: Exercise):
    learns = any(isinstance(x, Tensor) and x.is_floating_point() for question in ask(exercise) for x in question.inputs)
    names = {asked.name for check in exercise.checks.values() for asked in check.properties}
    free = exercise.differentiates or exercise.words or exercise.key in NOTHING_TO_LEARN | MEASURES
    assert "gradient" in names or not learns or free
