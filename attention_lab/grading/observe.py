"""Observe: run an answer on questions and write down what happened, as plain tensors and strings.

This file runs beside untrusted code. It holds no reference and no expected value; whoever judges sits elsewhere.

A module's parameters are filled with known numbers first: see ``parameters`` and ``matching``.
"""

import contextlib
import copy
import inspect
import itertools
import numbers
import re
import sysconfig
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch._C._functorch import get_unwrapped, is_functorch_wrapped_tensor
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from .kernel import as_new
from .limits import OutOfTime, limits, quiet
from .matching import Way, fill_alike, fill_by_effect
from .models import news, seeds
from .parameters import Slot, fill, numbers_by_kind, slots_of
from .stand_ins import built
from .stub import is_stub, stub_name

MAX_ELEMENTS = 1_000_000
FILLINGS = 3  # in which values are compared: in one of them all that a ReLU gets may be positive
CHANCES = 16  # fillings in which a parameter may receive a gradient: in one of them its ReLUs can all be off
STEPS = (
    1e-8,
    1e-3,
)  # of the finite differences, relative to the largest input: hardly ever over a kink; above float32's noise

NOT_THEIRS = (str(Path(__file__).parents[1]), sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))

Run = Callable[[tuple], Tensor]
Values = dict[str, Tensor]


@dataclass(frozen=True)
class Question:
    """A probe with its numbers drawn: plain data, so that it can be sent to another process.

    of_class: the answer is a class of modules, not a function.
    words: what the output may be, where it is a word; it is kept by its place among them.
    of_model: the answer returns a copy of its first argument, a model.
    batch: the first image alone is asked too.
    """

    name: str
    build: tuple[Any, ...]
    inputs: tuple[Any, ...]
    seed: int
    of_class: bool = False
    differentiates: bool = False
    forbidden: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    of_model: bool = False
    batch: bool = True


@dataclass(frozen=True)
class Problem:
    """Why an answer could not be built or called: an error's type and text, and the learner's line that raised it.

    function, number, line: where that is: the function's name, the line's number in its cell and its code.
    late: the time was up. stub: the answer was not yet written; the message is its name.
    """

    kind: str
    message: str
    function: str = ""
    number: int = 0
    line: str = ""
    late: bool = False
    stub: bool = False

    def __str__(self) -> str:
        where = f" in {self.function}, line {self.number}, `{self.line}`" if self.line else ""
        return f"{self.kind}{where}: {self.message}" if self.kind else self.message


class Slope(NamedTuple):
    """The output's slope along a random direction of one argument.

    autograd: None where no graph leads from the output to the argument.
    measured: by finite differences, a small and a large step, where that is asked for.
    """

    autograd: float | None
    measured: tuple[float, ...]


@dataclass
class Observation:
    """What one answer did with one question.

    problems: by "build", by the record whose call failed, or by "gradient" if none could be computed.
    arguments: those of the constructor by their names in the answer, as it is called.
    call: the call's arguments in the same way, tensors by their shapes.
    parameters: how many numbers are trained.
    kinds: how many numbers there are of each kind of parameter and statistic.
    layers: what each layer with parameters of its own is, and how many it has.
    borrowed: the forbidden functions of torch that were called.
    largest: how many numbers the largest tensor has that was made on the way to the output.
    coarsest: the least precise kind of real number that was met on the way to the output.
    preset: how many parameters of the constructor's arguments got other values.
    unregistered: a list or dictionary holds layers that the module does not know.
    fresh: the output as the module was built, before its parameters are filled.
    values: of each record, with the parameters filled in the order in which the layers run.
    others: the same in further fillings.
    alike: of each record, with all parameters of one role the same number, wherever they are kept.
    matched: by the way in which the parameters were told apart, the values of each record in each filling.
    changed_input, hooked: the answer wrote into an argument, or left a hook on a module.
    repeated: the output of a second call. alone: the output for the first image without the others.
    slopes: for each real argument.
    without_gradient: how many parameters no gradient reached.
    training: the output in training mode, of a module that can be called so.
    """

    problems: dict[str, Problem] = field(default_factory=dict)
    arguments: str = ""
    call: str = ""
    parameters: int = 0
    kinds: Counter[tuple[str, bool, tuple[int, ...]]] = field(default_factory=Counter)
    layers: list[tuple[str, int]] = field(default_factory=list)
    borrowed: tuple[str, ...] = ()
    largest: int = 0
    coarsest: torch.dtype = torch.float64
    preset: int = 0
    unregistered: bool = False
    fresh: Tensor | None = None
    values: Values = field(default_factory=dict)
    others: list[Values] = field(default_factory=list)
    alike: Values = field(default_factory=dict)
    matched: dict[Way, list[Values]] = field(default_factory=dict)
    changed_input: bool = False
    hooked: bool = False
    repeated: Tensor | None = None
    alone: Tensor | None = None
    slopes: list[Slope] = field(default_factory=list)
    without_gradient: int = 0
    training: Tensor | None = None

    @property
    def first(self) -> Values:
        """What is compared first: of a function, which has no numbers to be alike, its values."""
        return self.alike or self.values

    @property
    def in_norms(self) -> int:
        """How many numbers belong to normalisations, their statistics among them."""
        return sum(number for (role, norm, _), number in self.kinds.items() if norm or role)


class Look(IntEnum):
    """How much is observed: the values that others are compared with, also slopes and training mode, or all.

    The slopes of a wrong answer have nothing to be compared with: then they are also measured.
    """

    VALUES = 0
    SLOPES = 1
    MEASURED = 2
    ALL = 3


class NotAnAnswer(Exception):
    """The answer, or what it returned, is not of the kind asked for."""


def observe_all(
    answer: Any,
    questions: list[Question],
    records: tuple[str, ...],
    look: Look = Look.ALL,
    match: tuple[Way, ...] = (),
    seconds: float | None = None,
    fillings: int = FILLINGS,
) -> list[Observation]:
    """What an answer does with the questions, within the limits; when its time is up, nothing more is asked."""
    seen: list[Observation] = []
    try:
        with limits(seconds):
            for question in questions:
                seen.append(observe(answer, question, records, look, match, fillings))
    except OutOfTime as error:
        late = Problem("", str(error), late=True)
        seen += [Observation({"build": late}) for _ in questions[len(seen) :]]
    return seen


def observe(
    answer: Any,
    question: Question,
    records: tuple[str, ...],
    look: Look = Look.ALL,
    match: tuple[Way, ...] = (),
    fillings: int = FILLINGS,
) -> Observation:
    """Build and call ``answer`` as the question says, in float64, or in float32 if it only works there.

    An answer that only works in float64 has the problems that it has in float32.

    ``look``: how much is observed. ``match``: the ways in which the parameters are to be told apart, which takes longer.
    ``fillings``: how often the parameters are filled in the order of their layers; 0 times for a first look, with all
    numbers of a role alike.

    Raises nothing but OutOfTime, prints nothing, leaves the kernel's state and the question as they were.
    """
    seen = observe_in(torch.float64, answer, question, records, look, match, fillings)
    if complains_of_dtype(seen):
        single = observe_in(torch.float32, answer, question, records, look, match, fillings)
        return seen if complains_of_dtype(single) else single
    if look is Look.ALL and not seen.problems:
        seen.problems = observe_in(torch.float32, answer, question, records, Look.VALUES, fillings=0).problems
    return seen


def complains_of_dtype(seen: Observation) -> bool:
    return any("dtype" in problem.message or "scalar type" in problem.message for problem in seen.problems.values())


def observe_in(
    dtype: torch.dtype,
    answer: Any,
    question: Question,
    records: tuple[str, ...],
    look: Look = Look.ALL,
    match: tuple[Way, ...] = (),
    fillings: int = FILLINGS,
) -> Observation:
    """The same in one dtype."""
    seen = Observation()
    with quiet(), as_new(question.seed), caught(seen, "build"):
        inputs = built(question.inputs, dtype)
        if not callable(answer) or (isinstance(answer, nn.Module) if question.of_class else inspect.isclass(answer)):
            raise NotAnAnswer(f"{describe(answer)} was passed: {wanted(question)}")
        if question.of_class:
            given = built(question.build, dtype)
            module = build(answer, given, question, seen).to(dtype).eval()
            if look is Look.ALL:
                seen.arguments, seen.call = told_build(answer, question), told_call(module.forward, inputs)
            observe_module(module, given, inputs, question, records, seen, look, match, fillings)
        else:
            if isinstance(answer, nn.Module):
                answer = copy.deepcopy(answer).to(dtype).eval()
            if look is Look.ALL:
                seen.call = told_call(answer, inputs)
            if question.of_model:
                answer = telling(answer, built(question.inputs, dtype)[0])
            seen.values = values_of_one_call(answer, records, inputs, question, seen)
            output = records.index("output")
            observe_calls(
                lambda given: item(answer(*given), output, records, question.words), inputs, question, seen, look
            )
    return seen


def wanted(question: Question) -> str:
    kind = "class" if question.of_class else "function"
    return f"the {kind} itself is wanted, without brackets; was its cell run?"


def told_build(kind: type, question: Question) -> str:
    """The constructor's arguments by their names: dim=12, heads=3."""
    named = inspect.signature(kind).bind(*question.build).arguments
    return ", ".join(f"{name}={value}" for name, value in named.items())


def told_call(function: Callable, inputs: tuple) -> str:
    """The arguments of a call by their names, tensors by their shapes: x (2, 3, 5, 7), dim=1."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = []
    told = []
    for name, x in itertools.zip_longest(names[: len(inputs)], inputs, fillvalue="argument"):
        if isinstance(x, Tensor):
            told.append(f"{name} {tuple(x.shape)}")
        elif isinstance(x, int | float | list | tuple):
            told.append(f"{name}={x}")
    return ", ".join(told)


def build(kind: type, given: tuple, question: Question, seen: Observation) -> nn.Module:
    before = parameters_of(given)
    module = kind(*given)
    if not isinstance(module, nn.Module):
        name = getattr(kind, "__name__", "the answer")
        raise NotAnAnswer(f"{name}({', '.join(map(str, question.build))}) gives {describe(module)}, no nn.Module")
    after = parameters_of(given)
    seen.preset = sum(name in after and not torch.equal(after[name], was) for name, was in before.items())
    return module


def observe_module(
    module: nn.Module,
    given: tuple,
    inputs: tuple,
    question: Question,
    records: tuple[str, ...],
    seen: Observation,
    look: Look,
    match: tuple[Way, ...],
    fillings: int,
) -> None:
    runs = {record: method(module, record) for record in records}
    seen.parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
    theirs = {id(slot.tensor) for x in given if isinstance(x, nn.Module) for slot in slots_of(x.modules())}
    if look >= Look.SLOPES:
        seen.layers = layers_with_parameters(module)
    layers, fresh = called_once(module, inputs) if fillings else ([], None)
    seen.fresh = fresh
    if look is Look.ALL:
        seen.unregistered = holds_unregistered(module)
    fill_alike([slot for slot in slots_of(module.modules()) if id(slot.tensor) not in theirs])
    seen.alike = values_of(runs, inputs, question, seen if not fillings else Observation())
    if not fillings:
        return
    slots = slots_of(layers)
    seen.kinds = numbers_by_kind(slots)
    own = [slot for slot in slots if id(slot.tensor) not in theirs]
    positive = tuple(x.abs() if is_real(x) else x for x in inputs)  # so that hidden units are open
    fill(slots, question.seed)
    for way in match:
        with contextlib.suppress(Exception):

            def values(way: Way = way) -> list[Tensor]:
                return [runs[record](copies(positive)) for record in way.records]

            filled = fill_by_effect(own, values, question.seed, way.interchangeable, FILLINGS)
            seen.matched[way] = [values_of(runs, inputs, question, Observation()) for _ in filled]
    for filling in range(1, fillings):
        fill(slots, question.seed + filling)
        seen.others.append(values_of(runs, inputs, question, seen))
    fill(slots, question.seed)
    seen.values = values_of(runs, inputs, question, seen)
    observe_calls(runs["output"], inputs, question, seen, look)
    if look is Look.ALL:
        observe_learning(module, runs["output"], slots, inputs, question, seen)
    if look >= Look.SLOPES:
        fill(slots, question.seed)
        with contextlib.suppress(Exception), torch.no_grad():
            module.train()
            seen.training = runs["output"](copies(inputs)).detach()


def values_of(runs: dict[str, Run], inputs: tuple, question: Question, seen: Observation) -> Values:
    values = {}
    for record, run in runs.items():
        with caught(seen, record), torch.set_grad_enabled(question.differentiates):
            given = copies(inputs)
            values[record] = run(given).detach()
            look_at_arguments(given, inputs, seen)
    return values


def values_of_one_call(
    answer: Callable, records: tuple[str, ...], inputs: tuple, question: Question, seen: Observation
) -> Values:
    """All records of a function, which returns them together."""
    values, given, failed = {}, copies(inputs), None
    with torch.set_grad_enabled(question.differentiates):
        try:
            result = answer(*given)
            look_at_arguments(given, inputs, seen)
        except (Exception, SystemExit) as error:
            failed = error
        for index, record in enumerate(records):
            with caught(seen, record):
                if failed:
                    raise failed
                values[record] = item(result, index, records, question.words).detach()
    return values


def observe_calls(run: Run, inputs: tuple, question: Question, seen: Observation, look: Look) -> None:
    """Whether a second call gives the same, what the first image gives alone, what is called, and the slopes."""
    if look is Look.ALL and "output" not in seen.problems:
        with caught(seen, "output"), torch.set_grad_enabled(question.differentiates):
            with Watched() as watched:
                seen.repeated = run(copies(inputs)).detach()
            seen.borrowed = tuple(name for name in question.forbidden if name in watched.names)
            seen.coarsest, seen.largest = watched.coarsest, watched.largest
            apart = question.batch and not question.words  # a word is about all images together
            if apart and is_real(inputs[0]) and inputs[0].ndim > 1:
                seen.alone = run(copies(inputs, first_only=True)).detach()
    if look >= Look.SLOPES and "output" not in seen.problems and not question.differentiates:
        with caught(seen, "gradient"):
            real = [i for i, x in enumerate(inputs) if is_real(x) and x.numel()]
            steps = STEPS if look is Look.MEASURED else ()
            seen.slopes = [slope(run, inputs, i, question.seed, steps) for i in real]


def observe_learning(
    module: nn.Module, run: Run, slots: list[Slot], inputs: tuple, question: Question, seen: Observation
) -> None:
    """How many parameters no gradient reaches, in any of a few fillings."""
    if "output" in seen.problems or "gradient" in seen.problems:
        return
    with caught(seen, "gradient"):
        module.zero_grad()
        for chance in range(CHANCES):
            fill(slots, question.seed + chance)
            output = (random_weights(seen.repeated, question.seed + chance) * run(copies(inputs))).sum()
            if output.requires_grad:
                output.backward()
            # Of a bias it may be zero: a softmax does not see one that all its scores share.
            without = [p for p in module.parameters() if p.grad is None or (p.ndim > 1 and not p.grad.any())]
            seen.without_gradient = len(without)
            if not without:
                break


def slope(run: Run, inputs: tuple, moving: int, seed: int, steps: tuple[float, ...]) -> Slope:
    """The output's slope along a random direction of one argument, which is a function of the seed.

    The direction has nothing to do with the weights of the output: otherwise an identity would outweigh all else.
    """
    x = inputs[moving]
    direction = random_weights(x, seed + 1 + moving)

    def moved(size: float | Tensor) -> tuple:
        return tuple(given + size * direction if i == moving else given for i, given in enumerate(copies(inputs)))

    position = torch.zeros((), dtype=x.dtype, requires_grad=True)
    output = run(moved(position))
    weights = random_weights(output, seed)
    total = (weights * output).sum()
    by_autograd = torch.autograd.grad(total, position, allow_unused=True)[0] if total.requires_grad else None
    measured = []
    with torch.no_grad():
        for step in steps:
            size = step * max(1.0, float(x.abs().max()))
            measured.append(float((weights * (run(moved(size)) - run(moved(-size)))).sum() / (2 * size)))
    return Slope(None if by_autograd is None else float(by_autograd), tuple(measured))


# The answer's calls


def method(module: nn.Module, record: str) -> Run:
    """The call that a record is of: the module itself, a method, or one of those that a method returns ("weights[1]")."""
    name, _, place = record.removesuffix("]").partition("[")

    def run(inputs: tuple) -> Tensor:
        if name != "output" and not hasattr(module, name):
            raise NotAnAnswer(f"the class has no method {name}(x)")
        if name == "output" and getattr(module.forward, "__func__", None) is nn.Module.forward:
            raise NotAnAnswer(f"{type(module).__name__} has no method forward(x): is its def inside another one?")
        result = (module if name == "output" else getattr(module, name))(*inputs)
        if place:
            if not isinstance(result, tuple | list) or len(result) <= int(place):
                raise NotAnAnswer(f"{name}(x) must return several tensors, not {describe(result)}")
            result = result[int(place)]
        return item(result, 0, (record,))

    return run


def item(result: Any, index: int, records: tuple[str, ...], words: tuple[str, ...] = ()) -> Tensor:
    """The tensor asked for among what an answer returned: of an output in words, the word's place among them."""
    if len(records) > 1:
        if not isinstance(result, tuple) or len(result) != len(records):
            missing = ": is a return missing?" if result is None else ""
            found = f"a tuple of {len(result)}" if isinstance(result, tuple) else describe(result)
            raise NotAnAnswer(f"a tuple ({', '.join(records)}) was expected, not {found}{missing}")
        result = result[index]
    if words and records[index] == "output":
        if not isinstance(result, str) or result not in words:
            told = repr(result) if isinstance(result, str) else describe(result)
            raise NotAnAnswer(f"one of the words {', '.join(map(repr, words))} was expected, not {told}")
        return torch.tensor(words.index(result))
    if isinstance(result, numbers.Real):
        return torch.tensor(int(result) if isinstance(result, numbers.Integral) else float(result))
    if not isinstance(result, Tensor):
        missing = ": is a return missing?" if result is None else ""
        raise NotAnAnswer(f"{records[index]} must be a tensor or a number, not {describe(result)}{missing}")
    if result.numel() > MAX_ELEMENTS:
        raise NotAnAnswer(f"a tensor of shape {tuple(result.shape)} is far too large")
    return result


def telling(answer: Callable, before: nn.Module) -> Callable:
    """An answer that returns a model, as one that tells what is new in it; ``before``: the model as it is given."""

    def made(*given: Any) -> nn.Module:
        model = answer(*given)
        if not isinstance(model, nn.Module):
            missing = ": is a return missing?" if model is None else ""
            raise NotAnAnswer(f"a model was expected, not {describe(model)}{missing}")
        if model.state_dict().keys() != before.state_dict().keys():
            raise NotAnAnswer("a model with the layers of the one given was expected, not another")
        return model

    def tell(model: nn.Module, names: list[str], seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        first = made(model, names, seed)
        return (
            news(first, before),
            news(model, before),
            seeds(first, made(model, names, seed), made(model, names, seed + 1)),
        )

    return tell


class Watched(TorchFunctionMode):
    """Which of torch's functions and modes are used inside the block, how precise the numbers are, and how many at once."""

    def __init__(self):
        super().__init__()
        self.names: set[str] = set()
        self.coarsest = torch.float64
        self.largest = 0

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        self.names.add(getattr(function, "__name__", ""))
        self.names.update(type(mode).__name__.lstrip("_") for mode in _get_current_dispatch_mode_stack())
        result = function(*args, **(kwargs or {}))
        if is_real(result) and torch.finfo(result.dtype).eps > torch.finfo(self.coarsest).eps:
            self.coarsest = result.dtype
        if isinstance(result, Tensor) and not result.is_meta:
            self.largest = max(self.largest, unwrapped(result).untyped_storage().nbytes() // result.element_size())
        return result


def unwrapped(x: Tensor) -> Tensor:
    """The tensor that holds the numbers of one that torch.func (vmap, grad) passes around."""
    while is_functorch_wrapped_tensor(x):
        x = get_unwrapped(x)
    return x


def describe(thing: Any) -> str:
    if thing is None:
        return "None"
    return f"an object of {type(thing).__name__}" if isinstance(thing, nn.Module) else type(thing).__name__


def is_real(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


def copies(inputs: tuple, first_only: bool = False) -> tuple:
    def copy(x: Any) -> Any:
        if isinstance(x, Tensor):
            return (x[:1] if first_only else x).clone()
        return list(x) if isinstance(x, list) else x

    return tuple(map(copy, inputs))


def look_at_arguments(given: tuple, inputs: tuple, seen: Observation) -> None:
    """What a call has left of its arguments."""
    seen.changed_input |= any(map(differs, given, inputs))
    seen.hooked |= any(map(has_hooks, given))


def differs(x: Any, original: Any) -> bool:
    """Whether a call wrote into its argument."""
    return not torch.equal(x, original) if isinstance(x, Tensor) else isinstance(x, list) and x != original


def has_hooks(x: Any) -> bool:
    """Whether an argument is a module on which a call left a hook."""
    layers = x.modules() if isinstance(x, nn.Module) else ()
    return any(layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks for layer in layers)


def parameters_of(arguments: tuple) -> dict[tuple[int, str], Tensor]:
    """Copies of the parameters of all modules among the arguments, by the argument's place and their name."""
    modules = {place: x for place, x in enumerate(arguments) if isinstance(x, nn.Module)}
    return {(place, name): p.detach().clone() for place, x in modules.items() for name, p in x.named_parameters()}


def random_weights(like: Tensor, seed: int) -> Tensor:
    generator = Generator("cpu").manual_seed(seed)
    weights = torch.randn(like.shape, generator=generator, dtype=torch.float64)
    return weights.to(like.dtype) if like.is_floating_point() else weights


# The answer's layers


def called_once(module: nn.Module, inputs: tuple) -> tuple[list[nn.Module], Tensor | None]:
    """All layers, first those that run, in the order they run; and the output, if there is one."""
    layers: dict[nn.Module, None] = {}
    hook = register_module_forward_pre_hook(lambda layer, _: None if layer is module else layers.setdefault(layer))
    output = None
    try:
        with contextlib.suppress(Exception), torch.no_grad():
            output = item(module(*copies(inputs)), 0, ("output",))
    finally:
        hook.remove()
    mine = set(module.modules())
    run = [layer for layer in layers if layer in mine]
    return [*run, *(layer for layer in module.modules() if layer not in layers)], output


def layers_with_parameters(module: nn.Module) -> list[tuple[str, int]]:
    """What each layer is, as it prints itself in short, and how many numbers it trains itself; the module's own parameters."""
    held = [(f"a parameter of shape {tuple(p.shape)}", p.numel()) for p in module.parameters(recurse=False)]
    layers = ((layer, sum(p.numel() for p in layer.parameters(recurse=False))) for layer in module.modules())
    return held + [(in_short(layer), number) for layer, number in layers if number and layer is not module]


def in_short(layer: nn.Module) -> str:
    """A layer's class and sizes: Linear(32, 8), Conv2d(8, 8, kernel_size=(3, 3), groups=8), BatchNorm1d(8)."""
    sizes = re.sub(r", (eps|stride|bias)=.*?(, groups=\d+|$).*", r"\2", layer.extra_repr())
    return f"{type(layer).__name__}({re.sub(r'(in|out)_features=', '', sizes)})"


def holds_unregistered(module: nn.Module) -> bool:
    known, parameters = set(module.modules()), set(module.parameters())
    for value in itertools.chain(*(vars(layer).values() for layer in known)):
        held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        strangers = (part for part in held if isinstance(part, nn.Module) and part not in known)
        if any(not parameters.issuperset(part.parameters()) for part in strangers):
            return True
    return False


# What goes wrong


@contextlib.contextmanager
def caught(seen: Observation, stage: str) -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit) as error:
        told = isinstance(error, NotAnAnswer)
        stub = is_stub(error)
        seen.problems[stage] = Problem(
            kind="" if told else type(error).__name__,
            message=stub_name(error) if stub else first_line(error),
            stub=stub,
            **({} if told or stub else learners_line(error)),
        )


def first_line(error: BaseException) -> str:
    """What an error says, without the list of signatures that torch adds."""
    if stub_name(error) == "_forward_unimplemented":
        return f"{str(error).split()[1]} has no method forward(x): is its def inside another one?".replace(
            "[", ""
        ).replace("]", "")
    text = str(error).strip().split("\n")[0].removesuffix(", but expected one of:")
    return re.sub(r"attention_lab\.grading\.\w+\.|test_\w+\.<locals>\.", "", text)


def learners_line(error: BaseException) -> dict[str, Any]:
    """The source line, written by the learner, in which the error arose, and its number."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(NOT_THEIRS)]
    if not theirs or not theirs[-1].line:
        return {}
    return {"function": theirs[-1].name, "number": theirs[-1].lineno, "line": theirs[-1].line}
