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
import numbers
import signal
import sysconfig
import threading
import traceback
import warnings
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

from .stand_ins import built

MAX_CANDIDATES = 256
MAX_SHUFFLED = 5  # layers of one kind, of which all orders are tried
MAX_ELEMENTS = 1_000_000
TIME_LIMIT = 10  # seconds of computing for one question: a busy machine costs nobody points
PATIENCE = 6  # times as long on the clock, for an answer that sleeps
MEMORY_LIMIT = 3 * 2**30  # bytes for one question
CHANCES = 8  # fillings in which a parameter may receive a gradient: in one of them its ReLUs can all be off
STEP = 1e-8  # of the finite difference, relative to the largest input: so small that it hardly ever meets a kink

NOT_THEIRS = (str(Path(__file__).parents[1]), sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)

Key = tuple[str, tuple[int, ...]]
Run = Callable[[tuple], Tensor]


class Joined(NamedTuple):
    """A layer that stands for several alike: its outputs, seen as a grid of ``sizes``, count them along one axis.

    Queries, keys and values of width 6 from one layer of 18 outputs: ((3, 6), 0); of two heads, head by head:
    ((2, 3, 3), 1).
    """

    sizes: tuple[int, ...]
    axis: int


@dataclass(frozen=True)
class Question:
    """A probe with its numbers drawn: plain data, so that it can be sent to another process."""

    name: str
    build: tuple[Any, ...]
    inputs: tuple[Any, ...]
    seed: int
    joined: tuple[Joined, ...] = ()
    differentiates: bool = False


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

    problems: by "build" or by the record whose call failed.
    keys: role and shape of every parameter, sorted; a matrix and its transpose count as the same.
    parameters: how many numbers are trained.
    unregistered: a list or dictionary holds layers that the module does not know.
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
    unregistered: bool = False
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


def observe(answer: Any, question: Question, records: tuple[str, ...], brief: bool = False) -> Observation:
    """Build and call ``answer`` as the question says, in float64, or in float32 if it only works there.

    Never raises, prints nothing, leaves the random state and the question as they were. ``brief`` is for a trusted
    answer: only what others are compared with is observed, the values with the layers in the order in which they run.
    """
    seen = observe_in(torch.float64, answer, question, records, brief)
    if any("dtype" in problem.message or "scalar type" in problem.message for problem in seen.problems.values()):
        single = observe_in(torch.float32, answer, question, records, brief)
        seen = single if len(single.problems) < len(seen.problems) else seen
    return seen


def observe_in(
    dtype: torch.dtype, answer: Any, question: Question, records: tuple[str, ...], brief: bool
) -> Observation:
    seen = Observation(candidates=[{}])
    with quiet(), one_thread(), torch.random.fork_rng(devices=[]), caught(seen, "build", OutOfTime), limits():
        torch.manual_seed(question.seed)
        inputs = built(question.inputs, dtype)
        if inspect.isclass(answer):
            module = answer(*built(question.build, dtype))
            if not isinstance(module, nn.Module):
                raise NotAnAnswer(f"{answer.__name__} must be a subclass of nn.Module")
            observe_module(module.to(dtype).eval(), inputs, question, records, seen, brief)
        elif callable(answer) and not isinstance(answer, nn.Module):
            runs = {record: lambda inputs, i=i: item(answer(*inputs), i, records) for i, record in enumerate(records)}
            observe_runs(runs, [lambda: None], inputs, seen, brief, question.differentiates)
        else:
            raise NotAnAnswer(f"pass your class or function itself, without brackets, not {describe(answer)}")
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
        for order in itertools.islice(itertools.chain(*map(orders, ways)), 1 if brief else MAX_CANDIDATES)
    ]
    observe_runs(runs, arrangements, inputs, seen, brief)
    if "output" not in seen.problems and not brief:
        with caught(seen, "output"):
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
    seen: Observation,
    brief: bool,
    differentiates: bool = False,
) -> None:
    seen.candidates = [{} for _ in arrangements]
    for record, run in runs.items():
        with caught(seen, record), torch.set_grad_enabled(differentiates):
            for arrange, values in zip(reversed(arrangements), reversed(seen.candidates)):
                arrange()
                given = copies(inputs)
                values[record] = run(given)
            seen.changed_input |= any(
                isinstance(x, Tensor) and not torch.equal(x, original) or isinstance(x, list) and x != original
                for x, original in zip(given, inputs)
            )
    if "output" not in seen.problems and not brief:
        with caught(seen, "output"):
            with torch.set_grad_enabled(differentiates):
                seen.repeated = runs["output"](copies(inputs))
                if is_real(inputs[0]) and inputs[0].ndim > 1:
                    seen.alone = runs["output"](copies(inputs, first_only=True))
            if not differentiates:
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
        raise NotAnAnswer(f"a tensor was expected as {records[index]}, not {describe(result)}")
    if result.numel() > MAX_ELEMENTS:
        raise NotAnAnswer(f"a tensor of shape {tuple(result.shape)} is far too large")
    return result


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

    def apart(self, joined: Joined) -> list["Slot"]:
        """The slots that this one holds, laid out as ``joined`` says; a loose matrix may hold them (in, out)."""
        whole = self if self.shape[0] == math.prod(joined.sizes) else self.turned()
        shape = (math.prod(joined.sizes) // joined.sizes[joined.axis], *whole.shape[1:])
        tensors = whole.tensor.unflatten(0, joined.sizes).unbind(joined.axis)
        return [Slot(self.role, shape, tensor, loose=False) for tensor in tensors]

    def turned(self) -> "Slot":
        """A loose matrix may be meant as (in, out), for x @ W."""
        if not self.loose or len(self.shape) != 2:
            return self
        return self._replace(shape=self.shape[::-1], tensor=self.tensor.T)


def keys_of(units: list[list[Slot]]) -> list[Key]:
    return sorted((slot.either_way_up for unit in units for slot in unit), key=repr)


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


def units_of(layers: Iterable[nn.Module]) -> list[list[Slot]]:
    """The slots, a unit for each layer."""
    units = []
    for layer in layers:
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


def taken_apart(units: list[list[Slot]], joined: tuple[Joined, ...]) -> Iterator[list[list[Slot]]]:
    """The units with layers that stand for several alike taken apart, in each way that their sizes allow."""

    def ways(unit: list[Slot]) -> list[list[list[Slot]]]:
        parts = [
            [slot.apart(layout) for slot in unit]
            for layout in joined
            if all(math.prod(layout.sizes) in (*slot.shape[:1], *slot.turned().shape[:1]) for slot in unit)
        ]
        return [list(map(list, zip(*slots))) for slots in parts] or [[unit]]

    for way in itertools.product(*map(ways, units)):
        yield list(itertools.chain(*way))


def orders(units: list[list[Slot]]) -> Iterator[list[list[Slot]]]:
    """The units as they run, then every other order that differs only in units of the same kind."""
    turned = [[slot.turned() for slot in unit] for unit in units]
    can_turn = any(slot.loose and len(slot.shape) == 2 for unit in units for slot in unit)
    for turn in [units, turned] if can_turn else [units]:
        alike = defaultdict(list)
        for place, unit in enumerate(turn):
            alike[tuple(slot.key for slot in unit)].append(place)
        places = list(itertools.chain(*alike.values()))
        shuffles = itertools.product(*map(shuffled, alike.values()))
        for shuffle in itertools.islice(shuffles, MAX_CANDIDATES):
            taken = dict(zip(places, itertools.chain(*shuffle)))
            yield [turn[taken[place]] for place in range(len(turn))]


def shuffled(places: list[int]) -> Iterator[tuple[int, ...]]:
    """All orders of a few places; of many, those of two to four kinds in turn, or of one kind after the other."""
    if len(places) <= MAX_SHUFFLED:
        yield from itertools.permutations(places)
        return
    yield tuple(places)
    for kinds in (kinds for kinds in (2, 3, 4) if len(places) % kinds == 0):
        number = len(places) // kinds
        for order in itertools.permutations(range(kinds)):
            yield tuple(places[kinds * i + kind] for i in range(number) for kind in order)
            yield tuple(places[number * kind + i] for i in range(number) for kind in order)


def fill(units: list[list[Slot]], seed: int, pool: dict[tuple, Tensor]) -> None:
    """Fill the slots with the numbers of their kinds and ranks, which ``pool`` keeps for the next time."""
    ranks = Counter()
    with torch.no_grad():
        for slot in itertools.chain(*units):
            place = slot.key, ranks[slot.key]
            if place not in pool:
                pool[place] = drawn(seed, *place)
            slot.tensor.copy_(pool[place].view(slot.tensor.shape))
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
def one_thread() -> Iterator[None]:
    """Tensors as small as these take longer with more threads, and far longer on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def caught(seen: Observation, stage: str, *also: type[BaseException]) -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit, *also) as error:
        told = isinstance(error, NotAnAnswer | OutOfTime)
        stub = isinstance(error, NotImplementedError)
        seen.problems[stage] = Problem(
            kind="" if told else type(error).__name__,
            message=stub_name(error) if stub else str(error).strip().split("\n")[0],
            line="" if told or stub else learners_line(error),
        )


def stub_name(error: BaseException) -> str:
    """The function that raised the error: a stub that was never written."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_code.co_qualname.rpartition("<locals>.")[2]


def learners_line(error: BaseException) -> str:
    """The source line, written by the learner, in which the error arose."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(NOT_THEIRS)]
    return f"line {theirs[-1].lineno}: {theirs[-1].line}" if theirs and theirs[-1].line else ""


@contextlib.contextmanager
def limits() -> Iterator[None]:
    with time_limit(TIME_LIMIT), memory_limit(MEMORY_LIMIT):
        yield


@contextlib.contextmanager
def memory_limit(size: int) -> Iterator[None]:
    """Let no more than ``size`` bytes be asked for inside the block (on Linux): torch then raises RuntimeError."""
    usage = Path("/proc/self/statm")
    if not usage.exists():
        yield
        return
    import resource  # not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    allowed = int(usage.read_text().split()[0]) * resource.getpagesize() + size
    resource.setrlimit(resource.RLIMIT_AS, (allowed if soft == resource.RLIM_INFINITY else min(soft, allowed), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTime inside the block when it takes too long (where signals exist: Unix, main thread)."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: Any) -> None:
        raise OutOfTime(f"stopped after {seconds} seconds: does a loop never end?")

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, seconds), signal.SIGALRM: (signal.ITIMER_REAL, PATIENCE * seconds)}
    previous = {rings: signal.signal(rings, ring) for rings in timers}
    for timer, length in timers.values():
        signal.setitimer(timer, length)
    try:
        yield
    finally:
        for timer, _ in timers.values():
            signal.setitimer(timer, 0)
        for rings, handler in previous.items():
            signal.signal(rings, handler)
