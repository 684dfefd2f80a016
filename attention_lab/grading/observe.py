"""Observe: run an answer on questions and write down what happened, as plain tensors and strings.

This file runs beside untrusted code. It holds no reference and no expected value; whoever judges sits elsewhere.

To compare values, two modules must hold the same parameters, whatever their attribute names and order of definition.
Every parameter is therefore filled from a pool: its numbers are a function of the question's seed, of the parameter's
role and shape (a 1x1 convolution counts as the linear layer it is) and of its rank among the parameters of that kind,
in the order in which the layers run. Where layers are alike, so that more than one order is possible, each is tried,
and the observation keeps one candidate for each.
"""

import contextlib
import inspect
import io
import itertools
import math
import signal
import sysconfig
import threading
import traceback
import warnings
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

from .stand_ins import built

MAX_CANDIDATES = 128
MAX_ELEMENTS = 1_000_000
TIME_LIMIT = 10  # seconds for one question
CHANCES = 8  # fillings in which a parameter may receive a gradient: in one of them its ReLUs can all be off
STEP = 1e-6  # of the finite difference, relative to the largest input

NOT_THEIRS = (str(Path(__file__).parents[1]), sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)

Key = tuple[str, tuple[int, ...]]
Run = Callable[[tuple], Tensor]


@dataclass(frozen=True)
class Question:
    """A probe with its numbers drawn: plain data, so that it can be sent to another process."""

    name: str
    build: tuple[Any, ...]
    inputs: tuple[Any, ...]
    seed: int


@dataclass(frozen=True)
class Problem:
    """Why an answer could not be built or called: an error's type and text, and the learner's line that raised it."""

    kind: str
    message: str
    line: str = ""

    def __str__(self) -> str:
        return f"{self.kind}{f' in `{self.line}`' if self.line else ''}: {self.message}"


@dataclass
class Observation:
    """What one answer did with one question.

    problems: by "build" or by the record whose call failed.
    keys: role and shape of every parameter, sorted; a matrix and its transpose count as the same.
    parameters: how many numbers are trained.
    fresh: the output as the module was built, before its parameters are filled.
    candidates: the records' values, once for each possible order of like layers.
    changed_input: the answer wrote into its input.
    repeated: the output of a second call. alone: the output for the first image without the others.
    slopes: the output's slope along a random direction, by autograd and by finite differences.
    without_gradient: how many parameters no gradient reached.
    """

    problems: dict[str, Problem] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    parameters: int = 0
    fresh: Tensor | None = None
    candidates: list[dict[str, Tensor]] = field(default_factory=list)
    changed_input: bool = False
    repeated: Tensor | None = None
    alone: Tensor | None = None
    slopes: tuple[float, float] | None = None
    without_gradient: int = 0


class NotAnAnswer(Exception):
    """The answer, or what it returned, is not of the kind asked for."""


class OutOfTime(BaseException):
    """The answer ran longer than TIME_LIMIT. Not an Exception, so that an answer's own `except` does not stop it."""


def observe(answer: Any, question: Question, records: tuple[str, ...]) -> Observation:
    """Build and call ``answer`` as the question says, in float64, or in float32 if it only works there.

    Never raises, prints nothing, leaves the random state and the question as they were.
    """
    seen = observe_in(torch.float64, answer, question, records)
    if any("dtype" in problem.message for problem in seen.problems.values()):
        single = observe_in(torch.float32, answer, question, records)
        seen = single if len(single.problems) < len(seen.problems) else seen
    return seen


def observe_in(dtype: torch.dtype, answer: Any, question: Question, records: tuple[str, ...]) -> Observation:
    seen = Observation(candidates=[{}])
    with quiet(), torch.random.fork_rng(devices=[]), caught(seen, "build", OutOfTime), time_limit(TIME_LIMIT):
        torch.manual_seed(question.seed)
        inputs = built(question.inputs, dtype)
        if inspect.isclass(answer):
            module = answer(*built(question.build, dtype))
            if not isinstance(module, nn.Module):
                raise NotAnAnswer(f"{answer.__name__} must be a subclass of nn.Module")
            observe_module(module.to(dtype).eval(), inputs, question.seed, records, seen)
        elif callable(answer) and not isinstance(answer, nn.Module):
            runs = {record: lambda inputs, i=i: item(answer(*inputs), i, records) for i, record in enumerate(records)}
            observe_runs(runs, [lambda: None], inputs, seen)
        else:
            raise NotAnAnswer(f"a class or a function was expected, not {describe(answer)}")
    return seen


def observe_module(module: nn.Module, inputs: tuple, seed: int, records: tuple[str, ...], seen: Observation) -> None:
    units = units_in_order(module, inputs)
    seen.keys = sorted((slot.either_way_up for unit in units for slot in unit), key=repr)
    seen.parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
    with contextlib.suppress(Exception), torch.no_grad():
        seen.fresh = item(module(*copies(inputs)), 0, ("output",))
    runs = {record: method(module, record) for record in records}
    arrangements = [lambda order=order: fill(order, seed) for order in orders(units)]
    observe_runs(runs, arrangements, inputs, seen)
    if "output" not in seen.problems:
        with caught(seen, "output"):
            module.zero_grad()
            for chance in range(CHANCES):
                fill(units, seed + chance)
                output = (random_weights(seen.repeated) * runs["output"](copies(inputs))).sum()
                if output.requires_grad:
                    output.backward()
            seen.without_gradient = sum(p.grad is None or not p.grad.any() for p in module.parameters())


def observe_runs(runs: dict[str, Run], arrangements: list[Callable], inputs: tuple, seen: Observation) -> None:
    seen.candidates = [{} for _ in arrangements]
    for record, run in runs.items():
        with caught(seen, record), torch.no_grad():
            for arrange, values in zip(reversed(arrangements), reversed(seen.candidates)):
                arrange()
                given = copies(inputs)
                values[record] = run(given)
            seen.changed_input |= any(
                isinstance(x, Tensor) and not torch.equal(x, original) for x, original in zip(given, inputs)
            )
    if "output" not in seen.problems:
        with caught(seen, "output"):
            with torch.no_grad():
                seen.repeated = runs["output"](copies(inputs))
                if is_real(inputs[0]) and inputs[0].ndim > 1:
                    seen.alone = runs["output"](copies(inputs, first_only=True))
            seen.slopes = slopes(runs["output"], inputs)


def slopes(run: Run, inputs: tuple) -> tuple[float, float] | None:
    """The output's slope along a random direction: by autograd, and by central finite differences."""
    real = [i for i, x in enumerate(inputs) if is_real(x) and x.dtype == torch.float64 and x.numel()]
    if not real:
        return None
    directions = {i: torch.randn_like(inputs[i]) for i in real}
    step = STEP * max(1.0, *(float(inputs[i].abs().max()) for i in real))

    def moved(size: float | Tensor) -> tuple:
        return tuple(x + size * directions[i] if i in directions else x for i, x in enumerate(copies(inputs)))

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
        return item((module if record == "output" else getattr(module, record))(*inputs), 0, (record,))

    return run


def item(result: Any, index: int, records: tuple[str, ...]) -> Tensor:
    """The tensor asked for among what an answer returned."""
    if len(records) > 1:
        if not isinstance(result, tuple) or len(result) != len(records):
            raise NotAnAnswer(f"a tuple ({', '.join(records)}) was expected, not {describe(result)}")
        result = result[index]
    if isinstance(result, int | float):
        return torch.tensor(result)
    if not isinstance(result, Tensor):
        raise NotAnAnswer(f"a tensor was expected as {records[index]}, not {describe(result)}")
    if result.numel() > MAX_ELEMENTS:
        raise NotAnAnswer(f"a tensor of shape {tuple(result.shape)} is far too large")
    return result


def describe(thing: Any) -> str:
    return "None: is a return missing?" if thing is None else f"{type(thing).__name__}"


def is_real(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


def copies(inputs: tuple, first_only: bool = False) -> tuple:
    return tuple((x[:1] if first_only else x).clone() if isinstance(x, Tensor) else x for x in inputs)


def random_weights(like: Tensor) -> Tensor:
    return torch.randn(like.shape, dtype=like.dtype if like.is_floating_point() else torch.float64)


# Parameters: their kinds, their order, their values


class Slot(NamedTuple):
    """A parameter or batch statistic to be filled. A loose one belongs to no layer of torch's."""

    role: str
    shape: tuple[int, ...]
    tensor: Tensor
    loose: bool

    @property
    def key(self) -> Key:
        return self.role, self.shape

    @property
    def either_way_up(self) -> Key:
        return self.role, tuple(sorted(self.shape)) if len(self.shape) == 2 else self.shape

    def turned(self) -> "Slot":
        """A loose matrix may be meant as (in, out), for x @ W."""
        if not self.loose or len(self.shape) != 2:
            return self
        return self._replace(shape=self.shape[::-1], tensor=self.tensor.T)


def units_in_order(module: nn.Module, inputs: tuple) -> list[list[Slot]]:
    """The slots, a unit for each layer, first the layers that run, in the order they run."""
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
    units = []
    for layer in dict.fromkeys([*layers, *module.modules()]):
        tensors = dict(layer.named_parameters(recurse=False))
        if isinstance(layer, NORMS):
            tensors |= {name: b for name, b in layer.named_buffers(recurse=False) if b.is_floating_point()}
        loose = not type(layer).__module__.startswith("torch.nn")
        slots = [slot(layer, name, tensor.detach(), loose) for name, tensor in tensors.items()]
        units += [[one] for one in slots] if loose else [slots]
    return [unit for unit in units if unit]


def slot(layer: nn.Module, name: str, tensor: Tensor, loose: bool) -> Slot:
    """A slot's role matters in a normalisation only; (out, in, 1, 1) is the (out, in) of a linear layer."""
    shape = tuple(tensor.shape)
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    return Slot(name if isinstance(layer, NORMS) else "", shape, tensor.view(shape), loose)


def orders(units: list[list[Slot]]) -> Iterator[list[list[Slot]]]:
    """The units as they run, then every other order that differs only in units of the same kind."""
    turned = [[slot.turned() for slot in unit] for unit in units]
    for turn in [units] if turned == units else [units, turned]:
        alike = defaultdict(list)
        for place, unit in enumerate(turn):
            alike[tuple(slot.key for slot in unit)].append(place)
        places = list(itertools.chain(*alike.values()))
        shuffles = itertools.product(*map(itertools.permutations, alike.values()))
        for shuffle in itertools.islice(shuffles, MAX_CANDIDATES):
            taken = dict(zip(places, itertools.chain(*shuffle)))
            yield [turn[taken[place]] for place in range(len(turn))]


def fill(units: list[list[Slot]], seed: int) -> None:
    ranks = Counter()
    with torch.no_grad():
        for slot in itertools.chain(*units):
            slot.tensor.copy_(drawn(seed, slot.key, ranks[slot.key]))
            ranks[slot.key] += 1


def drawn(seed: int, key: Key, rank: int) -> Tensor:
    """The pool's numbers for the parameter of this kind and rank."""
    role, shape = key
    generator = Generator().manual_seed(zlib.crc32(repr((seed, key, rank)).encode()))
    if role in ("weight", "running_var"):
        return 0.5 + torch.rand(shape, generator=generator, dtype=torch.float64)
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else 4
    return torch.randn(shape, generator=generator, dtype=torch.float64) * 2 / math.sqrt(fan_in)


# Keeping what goes wrong inside


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow prints and warnings: any text on stderr would cost the test cell its points."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield


@contextlib.contextmanager
def caught(seen: Observation, stage: str, *also: type[BaseException]) -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit, *also) as error:
        told = isinstance(error, NotAnAnswer | OutOfTime)
        seen.problems[stage] = Problem(
            kind="" if told else type(error).__name__,
            message=str(error).strip().split("\n")[0],
            line="" if told else learners_line(error),
        )


def learners_line(error: BaseException) -> str:
    """The source line, written by the learner, in which the error arose."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(NOT_THEIRS)]
    return f"line {theirs[-1].lineno}: {theirs[-1].line}" if theirs and theirs[-1].line else ""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime inside the block when it takes too long (where signals exist: Unix, main thread)."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: Any) -> None:
        raise OutOfTime(f"stopped after {seconds} seconds: does a loop never end?")

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
