"""How fast the mechanisms are, as ratios to other ways of computing the same: ``attention-lab bench``.

Each is compared with

- **tutorial**: the mechanism as tutorials write it (``baselines``);
- **torch**: what PyTorch itself offers for it, where it offers something;
- **floor**: the cheapest thing that looks at all of x and changes all of x, one mean and one product;
- **itself**: ours against ours, which would be 1.00 if nothing else ran on the machine.

Seconds depend on the machine, ratios much less. All are timed by turns in one process on one thread. In a round each
has several turns and its best one counts, whatever else the machine was busy with in the others; each round gives a
ratio, and we report their median and quartiles. Parts of a mechanism (the gates of BAM, the blocks of a transformer)
are not timed by themselves.
"""

import math
import random
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from timeit import timeit

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import baselines, mechanisms
from .threads import one_thread

OF_MAPS = (
    *("SqueezeExcitation", "ChannelAttention", "SpatialAttention", "CBAM", "BAM", "SelectiveKernel"),
    *("ECA", "CoordinateAttention", "WindowAttention", "DeformableAttention"),
)
MAPS = ((64, 56, 56), (256, 28, 28), (512, 14, 14))
TOKENS = ((50, 384), (197, 384))  # images of 112 and of 224 pixels, in patches of 16 and one token for the class
HEADS = 6
IMAGES = ((3, 96, 96), (64, 56, 56))
DIRECTIONS = ("forward", "forward+backward")
PEERS = ("tutorial", "torch", "floor", "itself")
TURNS = 5  # of each in a round, of which the best counts
TURN = 0.003  # seconds; a shorter call is repeated to fill its turn


@dataclass(frozen=True)
class Ratio:
    """Seconds of ours over seconds of another: the median of the rounds, and their quartiles."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


@dataclass(frozen=True)
class Case:
    """A mechanism, and what it is compared with.

    Args:
        name: the mechanism's.
        ours: the mechanism; a module's parameters get gradients, too.
        inputs: what all of them are called with.
        peers: the others, by their names among ``PEERS``.
    """

    name: str
    ours: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    peers: dict[str, Callable[..., Tensor]]

    def ratios(self, direction: str, rounds: int, turns: int = TURNS) -> dict[str, Ratio]:
        """Ours over each of its peers and over itself.

        Args:
            direction: ``"forward"``, evaluation without gradients, or ``"forward+backward"``, a step of training up to
                the gradients of the inputs and of all parameters.
            rounds: number of ratios to take the median of; at least 2.
            turns: of each in a round, of which the best counts.
        """
        calls = {
            name: _call(function, self.inputs, direction)
            for name, function in {"ours": self.ours, **self.peers, "itself": self.ours}.items()
        }
        seconds = _by_turns(calls, rounds, turns)
        ours = seconds.pop("ours")
        return {
            name: Ratio(*statistics.quantiles([mine / other for mine, other in zip(ours, others)], method="inclusive"))
            for name, others in seconds.items()
        }


def cases(batch: int) -> Iterator[Case]:
    """Every mechanism at every size, for ``batch`` images; each is built when its turn comes."""
    noise = partial(torch.randn, generator=torch.Generator().manual_seed(0))
    for channels, height, width in MAPS:
        x = noise(batch, channels, height, width)
        for name in OF_MAPS:
            arguments = {"SpatialAttention": (), "WindowAttention": (channels, 8)}.get(name, (channels,))
            ours, tutorial = getattr(mechanisms, name)(*arguments), getattr(baselines, name)(*arguments)
            yield Case(name, ours, (x,), {"tutorial": alike(tutorial, ours), "floor": _floor})

    for length, dim in TOKENS:
        qkv = tuple(noise(batch, HEADS, length, dim // HEADS) for _ in range(3))
        peers = {"tutorial": baselines.attention, "torch": F.scaled_dot_product_attention}
        yield Case("scaled_dot_product_attention", _attention, qkv, peers)
        ours = mechanisms.MultiHeadSelfAttention(dim, HEADS)
        tutorial = alike(baselines.MultiHeadSelfAttention(dim, HEADS), ours)
        builtin = alike(_TorchSelfAttention(dim, HEADS, batch_first=True), ours)
        peers = {"tutorial": tutorial, "torch": builtin, "floor": _floor}
        yield Case("MultiHeadSelfAttention", ours, (noise(batch, length, dim),), peers)

    for channels, height, width in IMAGES:
        image, theta = noise(batch, channels, height, width), torch.eye(2, 3) + 0.2 * noise(batch, 2, 3)
        ours, tutorial = (partial(module.affine_grid, height=height, width=width) for module in (mechanisms, baselines))
        builtin = partial(F.affine_grid, size=image.shape, align_corners=False)
        yield Case("affine_grid", ours, (theta,), {"tutorial": tutorial, "torch": builtin})
        peers = {"tutorial": baselines.bilinear_sample, "torch": partial(F.grid_sample, align_corners=False)}
        yield Case("bilinear_sample", mechanisms.bilinear_sample, (image, ours(theta)), peers)
        localisation = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 6))
        ours = mechanisms.SpatialTransformer(localisation)
        with torch.no_grad():
            localisation[-1].bias.copy_(theta[0].flatten())
        tutorial, builtin = baselines.SpatialTransformer(localisation), _TorchSpatialTransformer(localisation)
        yield Case("SpatialTransformer", ours, (image,), {"tutorial": tutorial, "torch": builtin, "floor": _floor})


def length() -> int:
    """How many lines the table has."""
    return (len(OF_MAPS) * len(MAPS) + 2 * len(TOKENS) + 3 * len(IMAGES)) * len(DIRECTIONS) + 5


def lines(quick: bool = False) -> Iterator[str]:
    """The table, line by line as it is measured (about 3 minutes on an idle machine).

    Args:
        quick: two images and two rounds of one turn, to see that it runs; such ratios mean little.
    """
    batch, rounds, turns = (2, 2, 1) if quick else (8, 11, TURNS)
    with one_thread():
        yield "Seconds of ours over seconds of another: median (and quartiles) of the rounds"
        yield _line("mechanism", "output", "direction", *(f"/ {peer}" for peer in PEERS))
        for case in cases(batch):
            shape = "x".join(map(str, case.ours(*case.inputs).shape))
            for direction in DIRECTIONS:
                ratios = case.ratios(direction, rounds, turns)
                yield _line(case.name, shape, direction, *(_cell(ratios, peer) for peer in PEERS))
    yield "!  slower, by more than the rounds scatter, than another way to compute the same"
    yield "scaled_dot_product_attention returns all the weights as well; torch never holds them all in memory."
    yield "bilinear_sample is there to be read: it gathers its four neighbours in four passes, torch in one."


def alike(other: nn.Module, ours: nn.Module) -> nn.Module:
    """``other`` with the numbers of ``ours`` in its parameters, which come in the same order."""
    nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(ours.parameters()), other.parameters())
    return other


def slower(ratios: dict[str, Ratio], peer: str) -> bool:
    """Whether ours takes longer than ``peer``, which computes the same, by more than the rounds scatter."""
    return peer in ("tutorial", "torch") and ratios[peer].low > max(1, ratios["itself"].high)


def _cell(ratios: dict[str, Ratio], peer: str) -> str:
    if peer not in ratios:
        return "-"
    return f"{ratios[peer]}{'!' if slower(ratios, peer) else ''}"


def _line(mechanism: str, shape: str, direction: str, *cells: str) -> str:
    return f"{mechanism:30}{shape:14}{direction:18}{''.join(f'{cell:24}' for cell in cells)}".rstrip()


def _call(function: Callable[..., Tensor], inputs: tuple[Tensor, ...], direction: str) -> Callable[[], object]:
    module = isinstance(function, nn.Module)
    if module:
        function.train(direction != "forward")
    if direction == "forward":
        return torch.no_grad()(partial(function, *inputs))
    inputs = tuple(tensor.detach().requires_grad_() for tensor in inputs)
    learned = inputs + tuple(function.parameters() if module else ())
    signal = torch.randn_like(function(*inputs))
    return lambda: torch.autograd.grad(function(*inputs), learned, signal)


def _by_turns(calls: dict[str, Callable[[], object]], rounds: int, turns: int) -> dict[str, list[float]]:
    """Seconds of each call in its best turn of each round, in another order every turn."""
    repeats = {}
    for name, call in calls.items():
        call()
        repeats[name] = max(1, round(TURN / timeit(call, number=1)))
    seconds = {name: [math.inf] * rounds for name in calls}
    order = random.Random(0)
    for turn in range(rounds * turns):
        for name in order.sample(list(calls), len(calls)):
            took = timeit(calls[name], number=repeats[name]) / repeats[name]
            seconds[name][turn // turns] = min(seconds[name][turn // turns], took)
    return seconds


def _floor(x: Tensor) -> Tensor:
    return x * x.mean((2, 3) if x.ndim == 4 else 1, keepdim=True)


def _attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return mechanisms.scaled_dot_product_attention(q, k, v)[0]


class _TorchSelfAttention(nn.MultiheadAttention):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x, x, x, need_weights=False)[0]


class _TorchSpatialTransformer(baselines.SpatialTransformer):
    def forward(self, x: Tensor) -> Tensor:
        theta = self.localisation(x).view(-1, 2, 3)
        return F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False)
