"""Relations: what wrong values have to do with the right ones, whatever the exercise.

A sum where a mean is meant gives the right values, each the same number of times too large; a forgotten sigmoid gives
what becomes right behind a sigmoid. Such a relation is looked for in the values alone. It must hold for every question
that is answered wrongly.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .closeness import close
from .exercise import Misconception

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "a sigmoid": torch.sigmoid,
    "a ReLU": torch.relu,
    "a tanh": torch.tanh,
    "an exponential": torch.exp,
    "a square": torch.square,
    "a square root": torch.sqrt,
    "1 - ": lambda x: 1 - x,
    "1 / ": lambda x: 1 / x,
}
FACTORS: dict[str, Callable[[float], float]] = {
    "{}": lambda size: size,
    "1 / {}": lambda size: 1 / size,
    "√{}": math.sqrt,
    "1 / √{}": lambda size: 1 / math.sqrt(size),
}
AXES = "N", "C", "H", "W"
PLACES = "image", "channel", "row", "column"
MAX_AXES = 5  # whose orders are tried


@dataclass(frozen=True)
class Pair:
    """The values of one question.

    got, expected: what is compared.
    call, arguments: of the question, as they are told to the learner.
    inputs: the tensors of the call.
    """

    got: Tensor
    expected: Tensor
    call: str
    arguments: str
    inputs: tuple[Tensor, ...]

    @property
    def names(self) -> list[str]:
        """Of the inputs."""
        return re.findall(r"(\w+) \(", self.call)

    @property
    def sizes(self) -> dict[str, float]:
        """The numbers that the question is made of, by the learner's names for them."""
        told = f"{self.arguments}, {self.call}"
        found = {name: float(number) for name, number in re.findall(r"(\w+)=(-?\d+(?:\.\d+)?)(?=,|$)", told)}
        for name, x in zip(self.names, self.inputs):
            axes = AXES if x.ndim == 4 and x is self.inputs[0] else [f"axis {i} of {name}" for i in range(x.ndim)]
            found |= dict(zip(axes, x.shape))
        return found

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.arguments, self.call)))


def relation(pairs: list[Pair]) -> Misconception | None:
    """The first relation that holds in all pairs whose values differ; none if there is no such pair."""
    wrong = [pair for pair in pairs if not close(pair.got, pair.expected)]
    right = [pair for pair in pairs if close(pair.got, pair.expected)]
    if not wrong or any(pair.expected.ndim and not pair.expected.is_floating_point() for pair in pairs):
        return None  # of several whole numbers, such as a shape, each means something else
    if len(wrong) < 3 and all(pair.got.numel() == 1 for pair in wrong):
        return not_finite(wrong) or sometimes(right, wrong)  # what fits two numbers fits by chance
    kinds = factor, shifted, function, with_argument, order, not_finite, places
    told = next(filter(None, (find(wrong) for find in kinds)), None)
    return told or sometimes(right, wrong)


def factor(wrong: list[Pair]) -> Misconception | None:
    """Every value is the same number of times too large."""
    if not (ratios := [ratio(pair) for pair in wrong]) or None in ratios:
        return None
    if all(same(each, ratios[0]) for each in ratios) and (len(wrong) > 1 or wrong[0].got.numel() > 1):
        words = f"{ratios[0]:.4g}"
    else:
        words = next(size_words(wrong, ratios), "")
    if words == "-1":
        return told("the sign of every value is turned", "Which difference, or which factor, has the other sign?")
    if not words:
        return None
    return told(
        f"every value is {words} times what it should be",
        "Which step multiplies or divides by this? Is it a sum where a mean is meant, or the other way round?",
    )


def size_words(pairs: list[Pair], numbers: list[float]) -> Iterator[str]:
    """How numbers, one a pair, follow from the sizes of the questions."""
    sizes = [pair.sizes for pair in pairs]
    common = [name for name in sizes[0] if all(size.get(name, 0) > 0 for size in sizes)]
    for count, (shape, of) in itertools.product((1, 2, 3), FACTORS.items()):
        for chosen in itertools.combinations(common, count):
            if all(same(of(math.prod(size[name] for name in chosen)), each) for size, each in zip(sizes, numbers)):
                yield shape.format(" ".join(chosen) if count == 1 else f"({' '.join(chosen)})")


def ratio(pair: Pair) -> float | None:
    """The number by which the expected values are multiplied, if it is one number."""
    if pair.got.shape != pair.expected.shape or not pair.expected.any():
        return None
    got, expected = pair.got.double().flatten(), pair.expected.double().flatten()
    each = float(got @ expected / (expected @ expected))
    return each if each and close(got, each * expected) else None


def shifted(wrong: list[Pair]) -> Misconception | None:
    """The same number is added to every value."""
    if any(pair.got.shape != pair.expected.shape for pair in wrong):
        return None
    apart = [(pair.got.double() - pair.expected.double()).flatten() for pair in wrong]
    several = len(wrong) > 1 or wrong[0].got.numel() > 1
    first = float(apart[0][0])
    if not several or not math.isfinite(first) or not all(close(each, torch.full_like(each, first)) for each in apart):
        return None
    return told(
        f"every value is {abs(first):.4g} too {'large' if first > 0 else 'small'}",
        "Which term of the equation is missing, or stands there twice?",
    )


def function(wrong: list[Pair]) -> Misconception | None:
    """One more function, or one fewer, makes the values right."""
    for name, apply in FUNCTIONS.items():
        step = f"{name}…" if name.endswith(" ") else name
        if all(close(apply(pair.got.double()), pair.expected.double()) for pair in wrong):
            return told(f"the values become right behind {step}", "Which last step of the equation is missing?")
        if all(close(pair.got.double(), apply(pair.expected.double())) for pair in wrong):
            return told(f"{step} stands behind values that were right", "Where does the equation end?")
    return None


def with_argument(wrong: list[Pair]) -> Misconception | None:
    """An argument is returned, or stands in one more sum or product, or in one fewer."""
    if not any(pair.got.any() for pair in wrong):
        return None
    for i, name in enumerate(wrong[0].names):
        if any(i >= len(pair.inputs) or not pair.inputs[i].is_floating_point() for pair in wrong):
            continue
        for words, holds in (
            (f"the result is {name} itself", lambda got, expected, x: (got, x)),
            (f"{name} is added to values that were right", lambda got, expected, x: (got, expected + x)),
            (f"{name} is still to be added", lambda got, expected, x: (got + x, expected)),
            (f"{name} is multiplied with values that were right", lambda got, expected, x: (got, expected * x)),
            (f"{name} is still to be multiplied with the values", lambda got, expected, x: (got * x, expected)),
        ):
            if all(fits(holds, pair, pair.inputs[i]) for pair in wrong):
                return told(words, f"Where does {name} stand in the equation, and how often?")
    return None


def fits(holds: Callable, pair: Pair, x: Tensor) -> bool:
    try:
        return close(*holds(pair.got, pair.expected, x.to(pair.got.dtype)))
    except RuntimeError:  # shapes that do not go together
        return False


def order(wrong: list[Pair]) -> Misconception | None:
    """The right numbers stand elsewhere."""
    if any(pair.got.numel() != pair.expected.numel() or pair.got.numel() < 2 for pair in wrong):
        return None
    if not all(close(*(x.double().flatten().sort().values for x in (pair.got, pair.expected))) for pair in wrong):
        return None
    question = "Write the shape behind every line, and what each axis counts. Which step joins, splits or turns them?"
    if all(close(pair.got.flatten(), pair.expected.flatten()) for pair in wrong):
        return told("the numbers are right, only their axes are not", question)
    ranks = {(pair.got.ndim, pair.expected.ndim) for pair in wrong}
    if len(ranks) == 1 and len(set(*ranks)) == 1 and (axes := min(*ranks)) <= MAX_AXES:
        for axis in range(axes):
            if all(close(pair.got, pair.expected.flip(axis)) for pair in wrong):
                return told(f"axis {axis} runs backwards", "Where does it start, and which way does it go?")
        for permuted in itertools.permutations(range(axes)):
            if all(close(pair.got, pair.expected.permute(permuted)) for pair in wrong):
                moved = " and ".join(str(axis) for axis, source in enumerate(permuted) if axis != source)
                return told(f"the numbers are right, but the axes {moved} are exchanged", question)
    return told("the right numbers stand in the wrong places", question)


def not_finite(wrong: list[Pair]) -> Misconception | None:
    """Values are nan or infinite where numbers are right."""
    for words, holds in (("nan", Tensor.isnan), ("infinite", Tensor.isinf)):
        if any(pair.expected.isfinite().all() and holds(pair.got).any() for pair in wrong):
            return told(
                f"there are values that are {words}",
                "Follow the largest and the smallest number: which step divides by 0, takes inf from inf, or multiplies it with 0?",
            )
    return None


def places(wrong: list[Pair]) -> Misconception | None:
    """Some images, channels, rows or columns are right, the others are not; or only the border is wrong."""
    if any(pair.got.shape != pair.expected.shape or pair.got.ndim == 0 for pair in wrong):
        return None
    failing = [~torch.isclose(pair.got.double(), pair.expected.double(), rtol=1e-5, atol=1e-6) for pair in wrong]
    if any(fails.all() for fails in failing):
        return None
    for axis in range(min(fails.ndim for fails in failing)):
        others = [[other for other in range(fails.ndim) if other != axis] for fails in failing]
        bad = [fails.any(dim=dims) if dims else fails for fails, dims in zip(failing, others)]
        whole = [fails.all(dim=dims) if dims else fails for fails, dims in zip(failing, others)]
        if any(each.all() for each in bad) or not all(torch.equal(a, b) for a, b in zip(bad, whole)):
            continue
        of_maps = wrong[0].got.ndim == 4 and wrong[0].inputs and wrong[0].inputs[0].ndim == 4
        name = PLACES[axis] if of_maps else f"place along axis {axis}"
        if all(each.nonzero()[:, 0].tolist() == [0] for each in bad):
            return told(f"the first {name} is wrong, the others are right", "What is special about the first one?")
        if all((~each).nonzero()[:, 0].tolist() == [0] for each in bad):
            return told(f"the first {name} is right, the others are not", "What do the others take from the first?")
        if all(each.nonzero()[:, 0].tolist() == [len(each) - 1] for each in bad):
            return told(f"the last {name} is wrong, the others are right", "Where does your loop or range end?")
    if all(
        fails.ndim >= 3 and not fails[..., 1:-1, 1:-1].any() and fails[..., 1:-1, 1:-1].numel() for fails in failing
    ):
        return told("the values are right inside, and wrong along the border", "What does your code do at the border?")
    return None


def sometimes(right: list[Pair], wrong: list[Pair]) -> Misconception | None:
    """Some questions are answered rightly: what tells them from the others."""
    if not right:
        return None
    deciding = []
    for name in right[0].sizes:
        values = [{pair.sizes[name] for pair in pairs if name in pair.sizes} for pairs in (right, wrong)]
        if all(values) and (max(values[0]) < min(values[1]) or max(values[1]) < min(values[0])):
            deciding.append((name, *(" or ".join(f"{v:g}" for v in sorted(filter(None, each))) for each in values)))
    if "H" in right[0].sizes and all(pair.sizes["H"] == pair.sizes["W"] == 1 for pair in right):
        return told(
            "it is right for maps of one position only", "What do you make of the others when there are several?"
        )
    squares = [{pair.sizes.get("H") == pair.sizes.get("W") for pair in pairs} for pairs in (right, wrong)]
    if squares == [{True}, {False}] and "H" in right[0].sizes:
        return told("it is right for square maps only", "Which line takes one side for the other?")
    if len(deciding) != 1:
        return None
    name, good, bad = deciding[0]
    return told(
        f"it is right for {name} = {good}, and wrong for {name} = {bad}",
        f"Which line should depend on {name}, and does not, or not so?",
    )


def same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-5)


def told(name: str, question: str) -> Misconception:
    return Misconception("relation", name, question)
