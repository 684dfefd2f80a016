"""The properties an answer can be checked for, each named in the learner's words."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .closeness import SLOPE_TOLERANCE, close, close_in, same, ways
from .exercise import Failure, Misconception, Property
from .models import ALIKE, NEW, SAME, SHUFFLED, UNIFORM, real_numbers
from .observe import Observation, Question
from .stand_ins import StandIn, built

UNREGISTERED = Misconception(
    "unregistered",
    "the layers are not registered, so an optimiser would never see them",
    "Is every layer an attribute of self, or in an nn.ModuleList? A plain list hides it.",
    "module.parameters() must list every weight",
)
DETACHED = Misconception(
    "detached",
    "the gradient does not flow back through the whole computation",
    "Is there a detach(), .data, .item() or no_grad() on the way from the arguments to the output?",
    "autograd's slope must be the slope of the function",
)
FLAT = Misconception(
    "flat",
    "the output does not move when an argument moves a little",
    "Is there an argument that your result does not use, or only in steps (round, floor, argmax)?",
    "where the output is flat there is no gradient, and nothing learns",
)
UNUSED = Misconception(
    "unused-parameter",
    "a layer is declared, but no gradient comes back to it from the output",
    "Which line of forward uses each of your layers? Does a detach or no_grad stand between?",
    "every parameter must receive a gradient",
)
CHANGES_INPUT = Misconception(
    "changes-its-input",
    "an argument itself is changed; whoever passed it would see the change",
    "Which line works in place (*=, +=, pop, a method that ends in an underscore)?",
    "a call must leave its arguments as they are",
)
HOOK_LEFT = Misconception(
    "hook-left",
    "a hook stays on the model: it runs again whenever somebody calls the model later",
    "Which line takes your hooks off again? What does register_forward_hook give back?",
    "a call must leave its arguments as they are",
)
OVERWRITTEN = Misconception(
    "overwritten",
    "a step in place overwrites a tensor that the gradient still needs",
    "Which line works in place: *=, +=, an index on the left, or a method that ends in an underscore?",
    "the derivative of sigmoid, softmax or a product is computed from its result or factors: keep them",
)
BORROWED = Misconception(
    "borrowed",
    "a function of PyTorch does the work that you are asked to write",
    "Which function does the statement ask you not to call?",
    "the statement of the exercise",
)
CHANGING = Misconception(
    "changes-from-call-to-call",
    "two calls with the same input give different results",
    "Is a layer created in forward, or is something still random in eval mode?",
    "in eval mode, f(x) is a function of x and the parameters",
)
NO_IDENTITY_START = Misconception(
    "no-identity-start",
    "training starts from a distorted x, not from x itself",
    "What does your module give before the first training step? Which parameters decide that?",
    "a fresh module must give back x",
)
OTHERWISE_IN_TRAINING = Misconception(
    "otherwise-in-training",
    "in training mode your module computes something else than the equation",
    "Which of your layers do something else after train() than after eval()? Does the equation have them?",
    "the equation holds in both modes; only a batch normalisation takes other statistics",
)
GRAPH_KEPT = Misconception(
    "graph-kept",
    "the output keeps the graph of all calls: memory for gradients that nobody asks for",
    "Does anybody call backward() on your output? What switches the graph off?",
    "torch.no_grad() around what is only measured",
)
AXIS_LOST = Misconception(
    "axis-lost",
    "a batch of one image loses an axis",
    "squeeze() removes every axis of size 1, that of the batch too. Which one do you mean: squeeze(-1)?",
    "output[:1] must have the shape of the output of x[:1]",
)
IMAGES_MIXED = Misconception(
    "images-mixed",
    "the result for one image depends on the other images of the batch",
    "Can image 2 change image 1? Over which axes do you pool or normalise?",
    "in eval mode, output[:1] must equal the output of x[:1]",
)

GENERAL = (
    UNREGISTERED,
    DETACHED,
    FLAT,
    UNUSED,
    CHANGES_INPUT,
    HOOK_LEFT,
    OVERWRITTEN,
    BORROWED,
    CHANGING,
    NO_IDENTITY_START,
    IMAGES_MIXED,
    AXIS_LOST,
    OTHERWISE_IN_TRAINING,
    GRAPH_KEPT,
)
"""The mistakes that the failure of a property shows by itself, in any exercise."""
CERTAIN = CHANGES_INPUT, HOOK_LEFT, GRAPH_KEPT
"""Those that are seen, not concluded: no other mistake explains them better."""


def shape(record: str = "output", on: tuple[str, ...] = ()) -> Property:
    def failure(got: Observation, expected: Observation, question: Question) -> Failure | None:
        shapes = [tuple(seen.values[record].shape) for seen in (got, expected)]
        given = [f" for an input of {tuple(x.shape)}" for x in question.inputs[:1] if isinstance(x, Tensor)]
        if shapes[0] == shapes[1]:
            return None
        return Failure(f"{shapes[0]}{''.join(given)}", f"{shapes[1]}", lost_axis(*shapes))

    return Property(f"shape of {record}", failure, record, on)


def lost_axis(got: tuple[int, ...], expected: tuple[int, ...]) -> Misconception | None:
    """Whether the axis of a batch of one image was squeezed away with all others of size 1."""
    return AXIS_LOST if expected[:1] == (1,) and got == tuple(size for size in expected if size > 1) else None


def told_apart(got: float, expected: float) -> tuple[str, str]:
    """Both numbers with as many digits as it takes to see that they differ."""
    if isinstance(got, int) and isinstance(expected, int):
        return f"{got:,}", f"{expected:,}"
    for digits in range(4, 18):
        texts = f"{got:,.{digits}g}", f"{expected:,.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts


def of_plain(got: Observation, question: Question) -> str:
    """The call's arguments where they are no tensors, so that they say all."""
    return "" if any(isinstance(x, Tensor | StandIn) for x in question.inputs) else f" for {got.call}"


def written_out() -> Property:
    """No function of torch does what the learner is to write."""

    def failure(got: Observation, _: Observation, __: Question) -> Failure | None:
        return Failure(f"a call of {got.borrowed[0]}", "your own computation", BORROWED) if got.borrowed else None

    return Property("your own code", failure)


def values(record: str = "output", on: tuple[str, ...] = (), name: str = "", tolerance: float = 0) -> Property:
    """The record's values are those of the right answer, with a larger tolerance where the statement leaves one."""

    def failure(got: Observation, expected: Observation, question: Question) -> Failure | None:
        if same(got, expected, record, tolerance=tolerance):
            return None
        fillings = next(ways(got, expected))
        ours, theirs = next(
            (theirs[record], ours[record])
            for ours, theirs in fillings
            if not close_in(ours, theirs, record, got.coarsest, tolerance)
        )
        if ours.shape != theirs.shape:
            shapes = tuple(theirs.shape), tuple(ours.shape)
            return Failure(f"shape {shapes[0]}", f"shape {shapes[1]}", lost_axis(*shapes))
        if ours.dtype == torch.bool:
            wrong = int((ours != theirs).flatten().nonzero()[0])
            place = ", ".join(map(str, np.unravel_index(wrong, ours.shape)))
            told = (bool(values.flatten()[wrong]) for values in (theirs, ours))
            return Failure(f"{record}[{place}] = {next(told)}{of_plain(got, question)}", f"{next(told)}")
        if ours.is_floating_point() and not theirs.is_floating_point():
            return Failure(f"{theirs.dtype}".removeprefix("torch.") + " numbers", "the dtype of the input")
        if not theirs.isfinite().all():
            return Failure("nan or inf", "finite numbers")
        if question.words and record == "output":
            return Failure(*(f'"{question.words[int(place)]}"' for place in (theirs, ours)))
        worst = int((ours - theirs).abs().argmax())
        got_text, expected_text = told_apart(theirs.flatten()[worst].item(), ours.flatten()[worst].item())
        place = ", ".join(map(str, np.unravel_index(worst, ours.shape)))
        where = f"{record}[{place}] = " if ours.ndim else ""
        return Failure(f"{where}{got_text}{of_plain(got, question)}", expected_text)

    return Property(name or f"values of {record}", failure, record, on)


def the_same_in_training(question: str = OTHERWISE_IN_TRAINING.question) -> Property:
    """A right output is also right in training mode, where only a batch normalisation takes other statistics.

    question: what a teacher would ask where that does not hold.
    """
    meaning = replace(OTHERWISE_IN_TRAINING, question=question)

    def failure(got: Observation, expected: Observation, _: Question) -> Failure | None:
        if got.training is None or expected.training is None or not same(got, expected, "output"):
            return None
        if not expected.in_norms:
            right = got.values["output"]
        elif sizes(got) == sizes(expected) and all(
            close_in(ours, theirs, "output", got.coarsest) for ours, theirs in next(ways(got, expected))
        ):
            right = expected.training
        else:  # with batch normalisation and numbers in another layout
            return None
        if close(got.training, right, got.coarsest):
            return None
        return Failure("another output in training mode", "what the equation gives", meaning)

    return Property("the same in training mode", failure)


def sizes(seen: Observation) -> list[int]:
    """How many numbers the layers have. Where they differ, values that agree all the same do so by closed units."""
    return sorted(number for _, number in seen.layers)


def together(*records: str) -> Property:
    """The records that are right by themselves are right with one and the same parameters."""

    def failure(got: Observation, expected: Observation, _: Question) -> Failure | None:
        if same(got, expected, *records) or not all(same(got, expected, record) for record in records):
            return None
        return Failure("each right for other layers", "both right for the same layers")

    return Property(" and ".join(records) + " fit together", failure, records[-1])


def parameters() -> Property:
    """The answer has as many parameters as one of the right forms, however they are laid out."""

    def failure(got: Observation, expected: Observation, question: Question) -> Failure | None:
        meaning = UNREGISTERED if got.unregistered or not got.parameters else None
        if got.parameters != expected.parameters:
            return Failure(f"{got.parameters:,} for ({got.arguments})", f"{expected.parameters:,}", meaning)
        if got.in_norms != expected.in_norms and not any(same(got, expected, record) for record in expected.values):
            told = (f"{number or 'no'} numbers in normalisations" for number in (got.in_norms, expected.in_norms))
            return Failure(*told, meaning)
        return None

    return Property("number of parameters", failure, "build")


def between(low: float, high: float, record: str, on: tuple[str, ...] = ()) -> Property:
    def failure(got: Observation, _: Observation, __: Question) -> Failure | None:
        found = got.values[record]
        least, most = float(found.min()), float(found.max())
        return None if low <= least and most <= high else Failure(f"{least:.3g} to {most:.3g}", f"{low:g} to {high:g}")

    return Property(f"{record} between {low:g} and {high:g}", failure, record, on)


def sums_to_one(record: str, dim: int, on: tuple[str, ...] = ()) -> Property:
    def failure(got: Observation, expected: Observation, _: Question) -> Failure | None:
        sums = got.values[record].sum(dim)
        worst = float(sums.flatten()[(sums - 1).abs().argmax()])
        return None if close(sums, torch.ones_like(sums)) else Failure(f"a sum of {worst:.3g}", "1")

    return Property(f"{record} sum to 1", failure, record, on)


def gradients(on: tuple[str, ...] = ()) -> Property:
    """Autograd's slopes of the output are the true ones, and every parameter learns."""

    def failure(got: Observation, expected: Observation, _: Question) -> Failure | None:
        if expected.parameters and not got.parameters:
            return Failure("no parameters to learn", f"{expected.parameters:,}", UNREGISTERED)
        if problem := got.problems.get("gradient"):
            if "inplace operation" not in problem.message and "in-place operation" not in problem.message:
                return Failure(str(problem), "a gradient")
            return Failure("a tensor overwritten", "a gradient", CHANGES_INPUT if got.changed_input else OVERWRITTEN)
        if failure := calls_differ(got):
            return failure
        if got.without_gradient:
            return Failure(f"none for {got.without_gradient} parameters", "a gradient for each parameter", UNUSED)
        return wrong_slope(got, expected)

    return Property("gradient", failure, on=on, of_slopes=True)


def wrong_slope(got: Observation, expected: Observation) -> Failure | None:
    """A right output must have the right answer's slopes; any other those measured at it, by one of the steps."""
    right = close_in(got.values, expected.values, "output", got.coarsest)
    if not right and not got.values["output"].isfinite().all():
        return Failure("nan or inf in the output", "finite numbers")
    precise = got.coarsest == got.values["output"].dtype == torch.float64
    tolerance = SLOPE_TOLERANCE[precise]
    for mine, theirs in zip(got.slopes, expected.slopes, strict=True):
        slope = mine.autograd or 0.0
        if not right and not precise and slope:
            continue  # rounded to float32, differences say nothing of a slope
        true = (theirs.autograd or 0.0,) if right else mine.measured
        if not any(abs(slope - one) <= tolerance * max(1.0, abs(one)) for one in true):
            measured = f"{true[0]:.4g}" if true and math.isfinite(true[0]) else "one that can be measured"
            cut = right or (not slope and all(map(math.isfinite, true)))
            return Failure(f"a slope of {slope:.4g}", measured, DETACHED if cut else None)
    return None


def moves(on: tuple[str, ...] = ()) -> Property:
    """The output moves with every argument, so that each can learn."""

    def failure(got: Observation, _: Observation, __: Question) -> Failure | None:
        if all(slope.autograd for slope in got.slopes):
            return None
        return Failure("no change when an argument moves a little", "a change", FLAT)

    return Property("moves with every argument", failure, on=on)


def leaves_input_alone() -> Property:
    def failure(got: Observation, _: Observation, __: Question) -> Failure | None:
        if got.hooked:
            return Failure("a hook is still on the model after the call", "none", HOOK_LEFT)
        if got.changed_input:  # which is often also why the gradient fails
            return Failure("an argument was changed", "as it was", CHANGES_INPUT)
        problem = got.problems.get("output")
        return Failure(str(problem), "no error") if problem else None

    return Property("input not changed", failure, "build")


def starts_as_identity() -> Property:
    """A module as it was built gives back its input."""

    def failure(got: Observation, _: Observation, question: Question) -> Failure | None:
        if got.fresh is None or got.fresh.shape != question.inputs[0].shape:
            return Failure("another shape than that of x" if got.fresh is not None else "no output", "x itself")
        if close(got.fresh, question.inputs[0].to(got.fresh.dtype)):
            return None
        return Failure("a fresh module changes x", "x itself", NO_IDENTITY_START)

    return Property("identity at initialisation", failure)


def starts_as(what: str, meaning: Callable[[Observation, Observation, Question], Misconception | None]) -> Property:
    """A module as it was built does what the right answer does as it was built; else ``meaning`` may say what it does."""

    def failure(got: Observation, expected: Observation, question: Question) -> Failure | None:
        if got.fresh is None or got.fresh.shape != expected.fresh.shape:
            return Failure("another shape" if got.fresh is not None else "no output", what)
        if close(got.fresh, expected.fresh, got.coarsest):
            return None
        return Failure("another output of a fresh module", what, meaning(got, expected, question))

    return Property(f"starts as {what}", failure)


def calls_differ(got: Observation) -> Failure | None:
    """Nothing else can be said of an answer that gives another result in each call."""
    if close(got.repeated, got.values["output"], got.coarsest):
        return None
    return Failure("another result in the second call", "the same", CHANGING)


def repeatable() -> Property:
    def failure(got: Observation, _: Observation, __: Question) -> Failure | None:
        return calls_differ(got)

    return Property("same result each time", failure)


def images_apart(on: tuple[str, ...] = ()) -> Property:
    """In eval mode, what is computed for one image does not depend on the other images of the batch."""

    def failure(got: Observation, _: Observation, __: Question) -> Failure | None:
        if failure := calls_differ(got):
            return failure
        if not got.values["output"].ndim:
            return None  # one number for all images: the values say so
        together = got.values["output"][:1]
        if close(got.alone, together, got.coarsest):
            return None
        if got.alone.shape != together.shape:
            shapes = f"shape {tuple(got.alone.shape)} for one image alone", f"{tuple(together.shape)}"
            return Failure(*shapes, AXIS_LOST)
        meaning = UNREGISTERED if got.unregistered else IMAGES_MIXED  # eval() does not reach an unregistered BN
        return Failure("image 1 depends on image 2", "each image on its own", meaning)

    return Property("images kept apart", failure, on=on)


def renewed() -> Property:
    """The layers that are named are drawn anew in the copy, and no others."""

    def failure(got: Observation, expected: Observation, question: Question) -> Failure | None:
        return told_of_model(got.values["output"], expected.values["output"], question, "")

    return Property("what is new in the copy", failure)


def original_kept() -> Property:
    """The model that a copy is made of stays as it is."""

    def failure(got: Observation, expected: Observation, question: Question) -> Failure | None:
        return told_of_model(got.values["original"], expected.values["original"], question, " in the model itself")

    return Property("the model itself", failure, "original")


def told_of_model(got: Tensor, expected: Tensor, question: Question, where: str) -> Failure | None:
    """The first of a model's parameters and statistics that is not new or not as it was, as it should be."""
    names = real_numbers(built(question.inputs, torch.float64)[0])
    words = {
        SAME: "as it was",
        NEW: "new",
        UNIFORM: "the same number everywhere",
        ALIKE: "nearly as it was",
        SHUFFLED: "with its old numbers in another order",
    }
    for name, ours, theirs in zip(names, expected.tolist(), got.tolist(), strict=True):
        if ours != theirs:
            told = f"{name} {words[theirs]}{where}, for names={question.inputs[1]}"
            return Failure(told, "drawn anew" if ours == NEW else words[ours])
    return None


def of_its_seed(on: tuple[str, ...] = ()) -> Property:
    """The same seed gives the same numbers, another seed gives others."""

    def failure(got: Observation, expected: Observation, _: Question) -> Failure | None:
        same_again, other = got.values["seeds"].tolist()
        if not same_again:
            return Failure("other numbers in a second call with the same seed", "the same")
        return None if other else Failure("the same numbers for another seed", "others")

    return Property("the seed decides", failure, "seeds", on)


def leaves_no_graph() -> Property:
    """What comes out carries no gradient, so that no memory is kept for one."""

    def failure(got: Observation, _: Observation, __: Question) -> Failure | None:
        if all(slope.autograd is None for slope in got.slopes):
            return None
        return Failure("an output with a gradient", "plain numbers", GRAPH_KEPT)

    return Property("no gradient is kept", failure)
