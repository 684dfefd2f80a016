"""Observe: run an answer on questions and write down what happened, as plain tensors and strings.

This file runs beside untrusted code. It holds no reference and no expected value; whoever judges sits elsewhere.

A module's parameters are filled from a pool, in each order that its layers allow: see ``parameters``.
"""

import contextlib
import inspect
import itertools
import numbers
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..threads import one_thread
from .limits import OutOfTime, limits, quiet
from .parameters import MAX_ORDERS, Joined, Key, fill, keys_of, orders, taken_apart, units_of
from .stand_ins import built

MAX_ELEMENTS = 1_000_000
CHANCES = 8  # fillings in which a parameter may receive a gradient: in one of them its ReLUs can all be off
STEP = 1e-8  # of the finite difference, relative to the largest input: so small that it hardly ever meets a kink

NOT_THEIRS = (str(Path(__file__).parents[1]), sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))

Run = Callable[[tuple], Tensor]


@dataclass(frozen=True)
class Question:
    """A probe with its numbers drawn: plain data, so that it can be sent to another process."""

    name: str
    build: tuple[Any, ...]
    inputs: tuple[Any, ...]
    seed: int
    joined: tuple[Joined, ...] = ()
    differentiates: bool = False
    forbidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """Why an answer could not be built or called: an error's type and text, and the learner's line that raised it."""

    kind: str
    message: str
    line: str = ""

    def __str__(self) -> str:
        where = f" in `{self.line}`" if self.line else ""
        return f"{self.kind}{where}: {self.message}" if self.kind else self.message


@dataclass
class Observation:
    """What one answer did with one question.

    problems: by "build", by the record whose call failed, or by "gradient" if none could be computed.
    arguments: those of the constructor by their names in the answer, as it is called.
    keys: role and shape of every parameter, sorted; a matrix and its transpose count as the same.
    parameters: how many numbers are trained.
    borrowed: the forbidden functions of torch that were called.
    preset: how many parameters of the constructor's arguments got other values.
    unregistered: a list or dictionary holds layers that the module does not know.
    fresh: the output as the module was built, before its parameters are filled.
    values: of each record that every call gave, stacked: one for each possible order of like layers.
    changed_input: the answer wrote into an argument, or left a hook on a module.
    repeated: the output of a second call. alone: the output for the first image without the others.
    slopes: the output's slopes along a random direction of each real argument, by autograd and by finite differences.
    without_gradient: how many parameters no gradient reached.
    """

    problems: dict[str, Problem] = field(default_factory=dict)
    arguments: str = ""
    keys: list[Key] = field(default_factory=list)
    parameters: int = 0
    borrowed: tuple[str, ...] = ()
    preset: int = 0
    unregistered: bool = False
    fresh: Tensor | None = None
    values: dict[str, Tensor] = field(default_factory=dict)
    changed_input: bool = False
    repeated: Tensor | None = None
    alone: Tensor | None = None
    slopes: list[tuple[float, float]] = field(default_factory=list)
    without_gradient: int = 0


class NotAnAnswer(Exception):
    """The answer, or what it returned, is not of the kind asked for."""


def observe(answer: Any, question: Question, records: tuple[str, ...], brief: bool = False) -> Observation:
    """Build and call ``answer`` as the question says, in float64, or in float32 if it only works there.

    An answer that only works in float64 has the problems that it has in float32.

    Never raises, prints nothing, leaves the random state and the question as they were. ``brief`` is for a trusted
    answer: only what others are compared with is observed, the values with the layers in the order in which they run.
    """
    seen = observe_in(torch.float64, answer, question, records, brief)
    if complains_of_dtype(seen):
        single = observe_in(torch.float32, answer, question, records, brief)
        return seen if complains_of_dtype(single) else single
    if not brief and not seen.problems:
        seen.problems = observe_in(torch.float32, answer, question, records, brief=True).problems
    return seen


def complains_of_dtype(seen: Observation) -> bool:
    return any("dtype" in problem.message or "scalar type" in problem.message for problem in seen.problems.values())


def observe_in(
    dtype: torch.dtype, answer: Any, question: Question, records: tuple[str, ...], brief: bool
) -> Observation:
    seen = Observation()
    with quiet(), one_thread(), torch.random.fork_rng(devices=[]), caught(seen, "build", OutOfTime), limits():
        torch.manual_seed(question.seed)
        inputs = built(question.inputs, dtype)
        if inspect.isclass(answer):
            given = built(question.build, dtype)
            before = parameters_of(given)
            module = answer(*given)
            if not isinstance(module, nn.Module):
                raise NotAnAnswer(f"{answer.__name__} must be a subclass of nn.Module")
            after = parameters_of(given)
            seen.preset = sum(name in after and not torch.equal(after[name], was) for name, was in before.items())
            named = inspect.signature(answer).bind(*question.build).arguments
            seen.arguments = ", ".join(f"{name}={value}" for name, value in named.items())
            observe_module(module.to(dtype).eval(), inputs, question, records, seen, brief)
        elif callable(answer) and not isinstance(answer, nn.Module):
            runs = {record: lambda inputs, i=i: item(answer(*inputs), i, records) for i, record in enumerate(records)}
            observe_runs(runs, [lambda: None], inputs, question, seen, brief)
        else:
            raise NotAnAnswer(f"pass the class or function that you wrote, without brackets, not {describe(answer)}")
    return seen


def observe_module(
    module: nn.Module, inputs: tuple, question: Question, records: tuple[str, ...], seen: Observation, brief: bool
) -> None:
    ways = list(taken_apart(units_of(layers_in_order(module, inputs)), question.joined))
    units = ways[0]
    seen.keys = keys_of(units)
    seen.parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
    seen.unregistered = not brief and holds_unregistered(module)
    if not brief:
        with contextlib.suppress(Exception), torch.no_grad():
            seen.fresh = item(module(*copies(inputs)), 0, ("output",))
    runs = {record: method(module, record) for record in records}
    pool: dict[tuple, Tensor] = {}
    arrangements = [
        lambda order=order: fill(order, question.seed, pool)
        for order in itertools.islice(itertools.chain(*map(orders, ways)), 1 if brief else MAX_ORDERS)
    ]
    observe_runs(runs, arrangements, inputs, question, seen, brief)
    if "output" not in seen.problems and not brief:
        with caught(seen, "gradient"):
            module.zero_grad()
            for chance in range(CHANCES):
                fill(units, question.seed + chance, {})
                output = (random_weights(seen.repeated) * runs["output"](copies(inputs))).sum()
                if output.requires_grad:
                    output.backward()
            seen.without_gradient = sum(p.grad is None or not p.grad.any() for p in module.parameters())


def observe_runs(
    runs: dict[str, Run],
    arrangements: list[Callable],
    inputs: tuple,
    question: Question,
    seen: Observation,
    brief: bool,
) -> None:
    for record, run in runs.items():
        with caught(seen, record), torch.set_grad_enabled(question.differentiates):
            values = []
            for arrange in reversed(arrangements):
                arrange()
                given = copies(inputs)
                values.append(run(given).detach())
            if len({value.shape for value in values}) > 1:
                raise NotAnAnswer(f"the shape of {record} changes with the parameters' values")
            seen.values[record] = torch.stack(values[::-1])
            seen.changed_input |= any(map(differs, given, inputs))
    if "output" not in seen.problems and not brief:
        with caught(seen, "output"):
            with torch.set_grad_enabled(question.differentiates):
                with CalledNames() as called:
                    seen.repeated = runs["output"](copies(inputs)).detach()
                seen.borrowed = tuple(name for name in question.forbidden if name in called.names)
                if is_real(inputs[0]) and inputs[0].ndim > 1:
                    seen.alone = runs["output"](copies(inputs, first_only=True)).detach()
    if "output" not in seen.problems and not brief and not question.differentiates:
        with caught(seen, "gradient"):
            real = [i for i, x in enumerate(inputs) if is_real(x) and x.dtype == torch.float64 and x.numel()]
            seen.slopes = [slope(runs["output"], inputs, i) for i in real]


def slope(run: Run, inputs: tuple, moving: int) -> tuple[float, float]:
    """The output's slope along a random direction of one argument: by autograd, and by central finite differences."""
    direction = torch.randn_like(inputs[moving])
    step = STEP * max(1.0, float(inputs[moving].abs().max()))

    def moved(size: float | Tensor) -> tuple:
        return tuple(x + size * direction if i == moving else x for i, x in enumerate(copies(inputs)))

    with torch.no_grad():
        up, down = run(moved(step)), run(moved(-step))
    weights = random_weights(up)
    position = torch.zeros((), dtype=torch.float64, requires_grad=True)
    output = (weights * run(moved(position))).sum()
    slope = torch.autograd.grad(output, position, allow_unused=True)[0] if output.requires_grad else None
    return float(slope) if slope is not None else 0.0, float((weights * (up - down)).sum() / (2 * step))


# The answer's calls


def method(module: nn.Module, record: str) -> Run:
    def run(inputs: tuple) -> Tensor:
        if record != "output" and not hasattr(module, record):
            raise NotAnAnswer(f"the class has no method {record}(x)")
        if record == "output" and getattr(module.forward, "__func__", None) is nn.Module.forward:
            raise NotAnAnswer("the class has no method forward(x): is its def inside another one?")
        return item((module if record == "output" else getattr(module, record))(*inputs), 0, (record,))

    return run


def item(result: Any, index: int, records: tuple[str, ...]) -> Tensor:
    """The tensor asked for among what an answer returned."""
    if len(records) > 1:
        if not isinstance(result, tuple) or len(result) != len(records):
            raise NotAnAnswer(f"a tuple ({', '.join(records)}) was expected, not {describe(result)}")
        result = result[index]
    if isinstance(result, numbers.Real):
        return torch.tensor(int(result) if isinstance(result, numbers.Integral) else float(result))
    if not isinstance(result, Tensor):
        raise NotAnAnswer(f"{records[index]} must be a tensor or a number, not {describe(result)}")
    if result.numel() > MAX_ELEMENTS:
        raise NotAnAnswer(f"a tensor of shape {tuple(result.shape)} is far too large")
    return result


class CalledNames(TorchFunctionMode):
    """The names of torch's functions that are called inside the block, not of those that these call."""

    def __init__(self):
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        self.names.add(getattr(function, "__name__", ""))
        return function(*args, **(kwargs or {}))


def describe(thing: Any) -> str:
    return "None: is a return missing?" if thing is None else f"{type(thing).__name__}"


def is_real(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


def copies(inputs: tuple, first_only: bool = False) -> tuple:
    def copy(x: Any) -> Any:
        if isinstance(x, Tensor):
            return (x[:1] if first_only else x).clone()
        return list(x) if isinstance(x, list) else x

    return tuple(map(copy, inputs))


def differs(x: Any, original: Any) -> bool:
    """Whether a call wrote into its argument, or left a hook on a module."""
    if isinstance(x, nn.Module):
        return any(layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks for layer in x.modules())
    return not torch.equal(x, original) if isinstance(x, Tensor) else isinstance(x, list) and x != original


def parameters_of(arguments: tuple) -> dict[tuple[int, str], Tensor]:
    """Copies of the parameters of all modules among the arguments, by the argument's place and their name."""
    modules = {place: x for place, x in enumerate(arguments) if isinstance(x, nn.Module)}
    return {(place, name): p.detach().clone() for place, x in modules.items() for name, p in x.named_parameters()}


def random_weights(like: Tensor) -> Tensor:
    return torch.randn(like.shape, dtype=like.dtype if like.is_floating_point() else torch.float64)


# The answer's layers


def layers_in_order(module: nn.Module, inputs: tuple) -> list[nn.Module]:
    """All layers, first those that run, in the order they run."""
    layers: dict[nn.Module, None] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda layer, _: layers.setdefault(layer))
        for layer in module.modules()
        if layer is not module
    ]
    with contextlib.suppress(Exception), torch.no_grad():
        module(*copies(inputs))
    for hook in hooks:
        hook.remove()
    return list(dict.fromkeys([*layers, *module.modules()]))


def holds_unregistered(module: nn.Module) -> bool:
    known = set(module.parameters())
    for value in itertools.chain(*(vars(layer).values() for layer in module.modules())):
        held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        if any(isinstance(part, nn.Module) and not known.issuperset(part.parameters()) for part in held):
            return True
    return False


# What goes wrong


@contextlib.contextmanager
def caught(seen: Observation, stage: str, *also: type[BaseException]) -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit, *also) as error:
        told = isinstance(error, NotAnAnswer | OutOfTime)
        stub = isinstance(error, NotImplementedError)
        seen.problems[stage] = Problem(
            kind="" if told else type(error).__name__,
            message=stub_name(error) if stub else first_line(error),
            line="" if told or stub else learners_line(error),
        )


def first_line(error: BaseException) -> str:
    """What an error says, without the list of signatures that torch adds."""
    return str(error).strip().split("\n")[0].removesuffix(", but expected one of:")


def stub_name(error: BaseException) -> str:
    """The function that raised the error: a stub that was never written."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_code.co_qualname.rpartition("<locals>.")[2]


def learners_line(error: BaseException) -> str:
    """The source line, written by the learner, in which the error arose."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(NOT_THEIRS)]
    return f"line {theirs[-1].lineno}: {theirs[-1].line}" if theirs and theirs[-1].line else ""
