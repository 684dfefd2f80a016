"""Lesson 10, the family since: eca, coordinate-attention, windows, shifted-mask, online-softmax, deformable, zero-start."""

import copy
import itertools
import math
from collections.abc import Callable, Iterable

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ...mechanisms import squeeze
from ...mechanisms.eca import nearest_odd
from ..closeness import close, same
from ..exercise import Check, Coding, Exercise, Failure, Misconception, Probe, Property, instead, mistake, normal, steps
from ..observe import Observation, Question
from ..properties import (
    between,
    gradients,
    images_apart,
    leaves_input_alone,
    parameters,
    repeatable,
    shape,
    starts_as,
    starts_as_identity,
    sums_to_one,
    the_same_in_training,
    together,
    values,
    written_out,
)
from ..stand_ins import StandIn
from . import gates

ECA = "s = sigmoid(conv_k(z)), output = s x (Wang et al. 2020, equation 9)"
KERNEL = "k = |log2(C) / gamma + b / gamma|_odd (Wang et al. 2020, equation 12)"
COORDINATE = (
    "output = x g_rows g_columns, gates from f = hard_swish(BN(W1 [rows; columns])) (Hou et al. 2021, equations 4 to 9)"
)
HIDDEN = "hidden width = max(8, C // r) (the authors' code)"
WINDOWS = "windows of size x size tokens that do not overlap, row by row (Liu et al. 2021, section 3.2)"
SHIFTED = "after the roll by shift, tokens attend only to those of the same piece of the old map (Liu et al. 2021, section 3.2)"
ONLINE = (
    "m' = max(m, s), l' = exp(m - m') l + sum exp(s - m'), o' = exp(m - m') o + sum exp(s - m') v, output = o / l "
    "(Milakov and Gimelshein 2018, section 3; Dao et al. 2022, section 3.1)"
)
DEFORMABLE = "output(p) = sum_k A_k(p) x(p + offset_k(p)), sum_k A_k(p) = 1 (Zhu et al. 2021, equation 2, one head)"
ZERO = "output = x + gamma block(x), gamma = 0 at first (Zhang et al. 2019, equation 3)"


# eca


class Neighbours(gates.Gate):
    """The right answer in steps."""

    def __init__(self, channels: int, gamma: int = 2, b: int = 1):
        super().__init__()
        self.layer = self.convolution(self.odd(self.t(channels, gamma, b)), channels)

    def t(self, channels: int, gamma: int, b: int) -> float:
        return (math.log2(channels) + b) / gamma

    def odd(self, t: float) -> int:
        return nearest_odd(t)

    def convolution(self, k: int, channels: int) -> nn.Module:
        return nn.Conv1d(1, 1, k, padding=k // 2, bias=False)

    def average(self, x: Tensor) -> Tensor:
        return squeeze(x)

    def talk(self, z: Tensor) -> Tensor:
        return self.layer(z[:, None])[:, 0]

    def scores(self, x: Tensor) -> Tensor:
        return gates.as_map(self.talk(self.average(x)))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights(x)


def gate_times_x(self: Neighbours, x: Tensor) -> Tensor:
    """The product the other way round: where sizes do not fit, torch tells them in another order."""
    return self.weights(x) * x


ECA_EXERCISE = Exercise(
    id="eca",
    equation=ECA,
    forms=(Neighbours,),
    records=("weights", "output"),
    probes={
        "128 channels": Probe(lambda g: (0.5 + normal(g, 3, 128, 3, 4),), build=(128,)),
        "gamma 1, b 2": Probe(lambda g: (0.5 + normal(g, 2, 40, 4, 3),), build=(40, 1, 2)),
        "gamma 2, b 3": Probe(lambda g: (0.5 + normal(g, 2, 20, 2, 5),), build=(20, 2, 3)),
        "one image": Probe(lambda g: (0.5 + normal(g, 1, 24, 3, 8),), build=(24, 3, 4)),
    },
    checks={
        "shapes": Check(1, (shape("weights"), shape("output"), leaves_input_alone())),
        "parameters": Check(2, (parameters(),)),
        "values": Check(2, gates.VALUES),
        "gradients": Check(1, (gradients(),)),
    },
    misconceptions=(
        mistake(
            "always-three",
            "the kernel has 3 weights whatever C is",
            "How wide is the kernel for 64 channels, and how wide for 2048?",
            steps(odd=lambda self, t: 3),
            equation=KERNEL,
        ),
        mistake(
            "even-kernel",
            "an even t is taken as it is: the kernel has an even number of weights, and no middle",
            "What is t for 128 channels, and which odd k does the statement ask for?",
            *(
                steps(odd=lambda self, t: math.floor(t), forward=forward)
                for forward in (Neighbours.forward, gate_times_x)
            ),
            steps(
                odd=lambda self, t: math.floor(t),
                convolution=lambda self, k, channels: nn.Conv1d(1, 1, k, padding="same", bias=False),
            ),
            equation=KERNEL,
        ),
        mistake(
            "padding-does-not-fit",
            "the padding does not fit the kernel: there are more gates than channels, or fewer",
            "A kernel of 5 slides along 128 channels. How many zeros must stand at each end, so that 128 gates come out?",
            *(
                steps(
                    convolution=lambda self, k, channels, pad=pad: nn.Conv1d(1, 1, k, padding=pad(k), bias=False),
                    forward=forward,
                )
                for pad in (lambda k: 0, lambda k: 1, lambda k: k, lambda k: k - 1, lambda k: k // 2 + 1)
                for forward in (Neighbours.forward, gate_times_x)
            ),
        ),
        mistake(
            "even-rounded-down",
            "an even t becomes the odd number below it; the statement asks for the one above",
            "What is t for 128 channels, and which k should it give?",
            steps(odd=lambda self, t: math.floor(t) - (math.floor(t) % 2 == 0)),
            equation=KERNEL,
        ),
        mistake(
            "rounded-up",
            "t is rounded up before it is made odd",
            "Which odd number is next to 3.7?",
            steps(odd=lambda self, t: math.ceil(t) + (math.ceil(t) % 2 == 0)),
            steps(odd=lambda self, t: round(t) + (round(t) % 2 == 0)),
            equation=KERNEL,
        ),
        mistake(
            "natural-logarithm",
            "the logarithm is to base e, not to base 2",
            "What is log2(128), and what does math.log(128) give?",
            steps(t=lambda self, channels, gamma, b: (math.log(channels) + b) / gamma),
            equation=KERNEL,
        ),
        mistake(
            "gamma-on-the-logarithm-alone",
            "b is added after the division by gamma",
            "Which of the two terms in equation 12 is divided by gamma?",
            steps(t=lambda self, channels, gamma, b: math.log2(channels) / gamma + b),
            equation=KERNEL,
        ),
        mistake(
            "gamma-and-b-ignored",
            "gamma and b are fixed, whatever the arguments say",
            "Where does your __init__ read gamma and b?",
            steps(t=lambda self, channels, gamma, b: (math.log2(channels) + 1) / 2),
            equation=KERNEL,
        ),
        mistake(
            "bias",
            "the convolution has a bias",
            "How many numbers are trained in equation 9 for k = 3?",
            steps(convolution=lambda self, k, channels: nn.Conv1d(1, 1, k, padding=k // 2)),
        ),
        mistake(
            "kernel-for-each-channel",
            "every channel has a kernel of its own: C k weights, where all share k",
            "How many numbers slide along the channels?",
            steps(
                convolution=lambda self, k, channels: nn.Conv1d(
                    channels, channels, k, padding=k // 2, groups=channels, bias=False
                ),
                talk=lambda self, z: self.layer(
                    F.pad(z, (self.layer.padding[0],) * 2).unfold(1, self.layer.kernel_size[0], 1)
                )[..., self.layer.padding[0]],
            ),
        ),
        mistake(
            "circular",
            "the last channel is a neighbour of the first",
            "What stands beyond the first channel?",
            steps(
                convolution=lambda self, k, channels: nn.Conv1d(
                    1, 1, k, padding=k // 2, padding_mode="circular", bias=False
                )
            ),
        ),
        mistake(
            "ends-repeated",
            "beyond the first and the last channel stand copies of channels, where there should be zeros",
            "What does the statement say stands beyond the ends?",
            *(
                steps(
                    convolution=lambda self, k, channels, mode=mode: nn.Conv1d(
                        1, 1, k, padding=k // 2, padding_mode=mode, bias=False
                    )
                )
                for mode in ("replicate", "reflect")
            ),
        ),
        mistake(
            "layers-of-se",
            "the two layers of SE are still there; ECA has one convolution along the channels in their place",
            "How many numbers does equation 9 train for 64 channels, and how many do your layers?",
            *(
                steps(
                    convolution=lambda self, k, channels, bias=bias: nn.Sequential(
                        nn.Linear(channels, max(1, channels // 16), bias),
                        nn.ReLU(),
                        nn.Linear(max(1, channels // 16), channels, bias),
                    ),
                    talk=lambda self, z: self.layer(z),
                )
                for bias in (True, False)
            ),
        ),
        gates.max_squeeze(9),
        gates.batch_mixed(),
        gates.relu_before_sigmoid("channel"),
        gates.NO_SIGMOID,
        gates.HARD_SIGMOID,
        gates.SIGMOID_TWICE,
        gates.softmax_not_sigmoid("channel"),
        gates.GATE_RETURNED,
        gates.RESIDUAL_INSIDE,
        gates.GATE_ADDED,
    ),
    hints=(
        """
        It is the SE block without its two layers. What slides along the channels in their place? How wide it is, `C`
        decides.
        """,
        r"""
        $t = (\log_2 C + b)/\gamma$, and $k$ is the odd number next to it: `int(t)`, plus 1 if that is even. $z$: `(N, C)`
        is the squeeze. As `(N, 1, C)` it is a signal of length $C$; padding $k // 2$ keeps its length.
        """,
        """
        ```
        __init__: t = (logarithm of channels to base 2, plus b) / gamma
                  k = whole part of t, plus 1 if that is even
                  a 1d convolution from 1 channel to 1, k wide, padding k // 2, no bias
        weights:  z = mean of x over height and width, with a new axis in the middle
                  s = sigmoid(convolution of z), without that axis
                  return s with two new axes at the end
        forward:  return x times weights(x)
        ```
        """,
    ),
)


# coordinate-attention


class Coordinates(nn.Module):
    """The right answer in steps."""

    def __init__(self, channels: int, reduction: int = 32):
        super().__init__()
        hidden = self.width(channels, reduction)
        self.first = self.squeezed(channels, hidden)
        self.of_rows, self.of_columns = self.last(hidden, channels)

    def width(self, channels: int, reduction: int) -> int:
        return max(8, channels // reduction)

    def squeezed(self, channels: int, hidden: int) -> nn.Module:
        return nn.Sequential(nn.Conv1d(channels, hidden, 1), *self.norm(hidden), self.activation())

    def norm(self, hidden: int) -> list[nn.Module]:
        return [nn.BatchNorm1d(hidden)]

    def activation(self) -> nn.Module:
        return nn.Hardswish()

    def last(self, hidden: int, channels: int) -> tuple[nn.Module, nn.Module]:
        return nn.Conv1d(hidden, channels, 1), nn.Conv1d(hidden, channels, 1)

    def pooled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean(3), x.mean(2)

    def gate(self, scores: Tensor) -> Tensor:
        return scores.sigmoid()

    def joined(self, rows: Tensor, columns: Tensor) -> Tensor:
        return torch.cat((rows, columns), 2)

    def split(self, hidden: Tensor, height: int, width: int) -> tuple[Tensor, ...]:
        return hidden.split((height, width), 2)

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows, columns = self.split(self.first(self.joined(*self.pooled(x))), *x.shape[2:])
        return self.gate(self.of_rows(rows))[..., None], self.gate(self.of_columns(columns))[:, :, None]

    def weights(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.both(x)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self.both(x)
        return x * rows * columns


def shared_last(self: Coordinates, hidden: int, channels: int) -> tuple[nn.Module, nn.Module]:
    layer = nn.Conv1d(hidden, channels, 1)
    return layer, layer


def two_first(right: type[Coordinates]) -> type[Coordinates]:
    class Wrong(right):
        def __init__(self, channels: int, reduction: int = 32):
            super().__init__(channels, reduction)
            self.second = self.squeezed(channels, self.width(channels, reduction))

        def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
            rows, columns = self.pooled(x)
            rows, columns = self.first(rows), self.second(columns)
            return self.gate(self.of_rows(rows))[..., None], self.gate(self.of_columns(columns))[:, :, None]

    return Wrong


GATES = ("weights[0]", "weights[1]")

COORDINATE_EXERCISE = Exercise(
    id="coordinate-attention",
    equation=COORDINATE,
    forms=(Coordinates,),
    free_biases=True,
    records=(*GATES, "output"),
    probes={
        "wide": Probe(lambda g: (0.5 + normal(g, 2, 30, 4, 7),), build=(30, 3)),
        "default reduction": Probe(lambda g: (0.5 + normal(g, 3, 12, 6, 5),), build=(12,)),
        "one image": Probe(lambda g: (0.5 + normal(g, 1, 19, 3, 8),), build=(19, 2)),
    },
    checks={
        "shapes": Check(1, (shape(GATES[0]), shape(GATES[1]), shape("output"), leaves_input_alone())),
        "parameters": Check(2, (parameters(),)),
        "values": Check(
            4,
            (
                *(between(0, 1, gate) for gate in GATES),
                *(values(gate) for gate in GATES),
                values("output"),
                images_apart(),
                repeatable(),
                the_same_in_training("Do rows and columns pass the normalisation in one call, joined?"),
            ),
        ),
        "gradients": Check(1, (gradients(),)),
    },
    misconceptions=(
        mistake(
            "rows-for-columns",
            "the gates of the rows are made from what describes the columns",
            "Which mean leaves a number for each row: the one over the width, or the one over the height?",
            steps(pooled=lambda self, x: (x.mean(2), x.mean(3))),
            steps(
                pooled=lambda self, x: (x.mean(2), x.mean(3)),
                split=lambda self, hidden, height, width: hidden.split((width, height), 2),
            ),
        ),
        mistake(
            "cut-elsewhere",
            "rows and columns are not cut apart where they were joined",
            "Which places of the joined tensor come from the rows, the first H or the last H?",
            steps(split=lambda self, hidden, height, width: hidden.split((width, height), 2)),
            steps(split=lambda self, hidden, height, width: (hidden[..., -height:], hidden[..., :width])),
            steps(split=lambda self, hidden, height, width: hidden.chunk(2, 2)),
        ),
        mistake(
            "joined-along-channels",
            "the two descriptions are joined along the channels; they stand one behind the other along the places",
            "A description of H rows and one of W columns: along which axis may their sizes differ?",
            steps(
                squeezed=lambda self, channels, hidden: Coordinates.squeezed(self, 2 * channels, hidden),
                joined=lambda self, rows, columns: torch.cat((rows, columns), 1),
            ),
            steps(joined=lambda self, rows, columns: torch.cat((rows, columns), 1)),
        ),
        mistake(
            "activation-first",
            "the hard swish stands before the normalisation",
            "What does the statement put behind the first convolution, and in which order?",
            steps(
                squeezed=lambda self, channels, hidden: nn.Sequential(
                    nn.Conv1d(channels, hidden, 1), self.activation(), *self.norm(hidden)
                )
            ),
        ),
        mistake(
            "gates-exchanged",
            "weights(x) returns the gates of the columns first",
            "Which of the two gates has the shape (N, C, H, 1)?",
            steps(weights=lambda self, x: self.both(x)[::-1]),
        ),
        mistake(
            "gates-added",
            "the two gates are added before they meet x",
            "What should a row with a gate of 0 give, whatever its columns are?",
            steps(forward=lambda self, x: x * sum(self.both(x))),
        ),
        mistake(
            "one-gate-used",
            "only one of the two gates meets x",
            "How many factors are multiplied in equation 9?",
            steps(forward=lambda self, x: x * self.both(x)[0]),
            steps(forward=lambda self, x: x * self.both(x)[1]),
        ),
        mistake(
            "gates-returned",
            "the gates are returned, they never meet x",
            "What is the shape of the block's output, and who multiplies?",
            steps(forward=lambda self, x: self.both(x)[0] * self.both(x)[1]),
        ),
        mistake(
            "residual-inside",
            "x is added inside the block: closed gates leave x unchanged",
            "What should gates of 0 give?",
            steps(forward=lambda self, x: x + x * self.both(x)[0] * self.both(x)[1]),
        ),
        mistake(
            "max-squeeze",
            "max pooling where the squeeze is an average",
            "Which pooling do equations 4 and 5 use?",
            steps(pooled=lambda self, x: (x.amax(3), x.amax(2))),
        ),
        mistake(
            "no-normalisation",
            "the normalisation behind the first layer is missing",
            "What stands between the first convolution and the activation?",
            steps(norm=lambda self, hidden: []),
        ),
        mistake(
            "other-activation",
            "behind the normalisation stands another function than the hard swish",
            "Which activation does the statement name? What is it for -10, for 1 and for 10?",
            *(
                steps(activation=lambda self, other=other: other())
                for other in (nn.ReLU, nn.SiLU, nn.ReLU6, nn.GELU, nn.Hardsigmoid, nn.Sigmoid, nn.Identity)
            ),
        ),
        mistake(
            "no-least-width",
            "the hidden layer has C // r channels, however few these are",
            "How many hidden channels are there for C = 12 and r = 32?",
            steps(width=lambda self, channels, reduction: max(1, channels // reduction)),
            steps(width=lambda self, channels, reduction: channels // reduction),
            equation=HIDDEN,
        ),
        mistake(
            "reduction-ignored",
            "the reduction is fixed at 32, whatever the argument says",
            "Where does your __init__ read reduction?",
            steps(width=lambda self, channels, reduction: max(8, channels // 32)),
            equation=HIDDEN,
        ),
        mistake(
            "shared-last-layer",
            "one layer makes the gates of the rows and those of the columns",
            "How many transforms come after the split: are F_h and F_w the same?",
            steps(last=shared_last),
        ),
        mistake(
            "two-first-layers",
            "rows and columns have a first layer each; they share one",
            "Why does the paper put both descriptions into one tensor before the first convolution?",
            two_first,
        ),
        mistake(
            "no-sigmoid",
            "the sigmoid is missing: a gate can be negative or above 1",
            "In which range must a gate lie?",
            steps(gate=lambda self, scores: scores),
        ),
        mistake(
            "hard-sigmoid",
            "the gates are hard sigmoids, which are flat below -3 and above 3",
            "Which function stands in equations 7 and 8?",
            steps(gate=lambda self, scores: F.hardsigmoid(scores)),
        ),
        mistake(
            "softmax-not-sigmoid",
            "a softmax replaces the sigmoid: rows compete, and so do columns",
            "Can two rows both be fully open?",
            steps(gate=lambda self, scores: scores.softmax(2)),
            steps(gate=lambda self, scores: scores.softmax(1)),
        ),
    ),
    hints=(
        """
        SE squeezes height and width at once and forgets where things are. Squeeze them one at a time: you get a description
        of each row, and one of each column. Both go through the same first layer.
        """,
        r"""
        Rows: mean over width, `(N, C, H)`. Columns: mean over height, `(N, C, W)`. Joined: `(N, C, H + W)`. Then a 1x1
        convolution to `max(8, C // r)` channels, a batch normalisation, `nn.Hardswish`. Cut again into H and W. A
        convolution of its own and a sigmoid make each gate: `(N, C, H, 1)` and `(N, C, 1, W)`.
        """,
        """
        ```
        __init__: h = max(8, channels // reduction)
                  first: 1d convolution with kernel 1 from channels to h, batch normalisation, hard swish
                  two more convolutions with kernel 1 from h to channels: one for rows, one for columns
        weights:  rows = mean of x over width; columns = mean of x over height
                  f = first of (rows and columns joined along the last axis)
                  cut f into the first H and the last W
                  return sigmoid(convolution of the first part) with a new last axis,
                         sigmoid(convolution of the second part) with a new axis before the last
        forward:  return x times both gates
        ```
        """,
    ),
)


# windows


class Partition:
    """Cut both sides, bring the two axes of windows together, join, in steps."""

    def cut(self, x: Tensor, size: int) -> Tensor:
        return x.unflatten(2, (-1, size)).unflatten(1, (-1, size))  # n, rows, size, columns, size, C

    def arrange(self, cut: Tensor) -> Tensor:
        return cut.transpose(2, 3)

    def join(self, windows: Tensor) -> Tensor:
        return windows.flatten(3, 4).flatten(0, 2)

    def __call__(self, x: Tensor, size: int) -> Tensor:
        return self.join(self.arrange(self.cut(x, size)))


AXES = "(N, row of windows, row, column of windows, column, C)"


def arranged(*order: int) -> Coding:
    """The six axes of the cut map in another order, and then joined by a reshape."""

    def answer(x: Tensor, size: int) -> Tensor:
        return Partition().cut(x, size).permute(order).reshape(-1, size * size, x.shape[3])

    return instead(answer)


def arranged_back(*order: int) -> Coding:
    """The six axes of the cut windows in another order, and then joined by a reshape."""

    def answer(windows: Tensor, size: int, height: int, width: int) -> Tensor:
        cut = Reverse().cut(windows, size, height, width)
        return cut.permute(order).reshape(-1, height, width, windows.shape[2])

    return instead(answer)


OTHER_ORDERS = [
    (0, *order, 5) for order in itertools.permutations((1, 2, 3, 4)) if order not in ((1, 2, 3, 4), (1, 3, 2, 4))
]


def channels_first(x: Tensor, size: int) -> Tensor:
    number, channels, height, width = x.shape
    cut = x.reshape(number, channels, height // size, size, width // size, size)
    return cut.permute(0, 2, 4, 3, 5, 1).reshape(-1, size * size, channels)


def batch_cut_last(windows: Tensor, size: int, height: int, width: int) -> Tensor:
    cut = windows.reshape(height // size, width // size, -1, size, size, windows.shape[2])
    return cut.permute(2, 0, 3, 1, 4, 5).reshape(-1, height, width, windows.shape[2])


def columns_of_windows(windows: Tensor, size: int, height: int, width: int) -> Tensor:
    cut = windows.reshape(-1, width // size, height // size, size, size, windows.shape[2])
    return cut.permute(0, 2, 3, 1, 4, 5).reshape(-1, height, width, windows.shape[2])


def cut_as_the_map(windows: Tensor, size: int, height: int, width: int) -> Tensor:
    cut = windows.reshape(-1, height // size, size, width // size, size, windows.shape[2])
    return cut.transpose(2, 3).reshape(-1, height, width, windows.shape[2])


class Reverse:
    def sides(self, height: int, width: int) -> tuple[int, int]:
        return height, width

    def cut(self, windows: Tensor, size: int, height: int, width: int) -> Tensor:
        return windows.unflatten(1, (size, size)).unflatten(0, (-1, height // size, width // size))

    def arrange(self, cut: Tensor) -> Tensor:
        return cut.transpose(2, 3)

    def __call__(self, windows: Tensor, size: int, height: int, width: int) -> Tensor:
        cut = self.cut(windows, size, *self.sides(height, width))
        return self.arrange(cut).reshape(-1, height, width, windows.shape[2])


WINDOW_HINTS = (
    """
    Give each side two axes: which window, and where in it. Then both "which window" must stand side by side, and so must
    both "where in it".
    """,
    """
    `(N, H, W, C)` → `(N, H/s, s, W/s, s, C)` by `view` or `unflatten`: no number moves. Exchange axes 2 and 3:
    `(N, H/s, W/s, s, s, C)`. Join the first three and the next two: `(N * windows, s * s, C)`. The way back is the same in
    the opposite order: the exchange undoes itself.
    """,
    """
    ```
    window_partition: cut the height into (H / size, size) and the width into (W / size, size)
                      exchange the axes "row in the window" and "column of windows"
                      join the first three axes; join the two axes inside a window
    window_reverse:   cut the first axis into (N, H / size, W / size), the second into (size, size)
                      exchange the same two axes
                      as (N, H, W, C)
    ```
    """,
)

PARTITION = Exercise(
    id="windows",
    part="partition",
    equation=WINDOWS,
    forms=(Partition(),),
    probes={
        "wide": Probe(lambda g: (normal(g, 2, 4, 10, 3), 2)),
        "tall": Probe(lambda g: (normal(g, 3, 9, 6, 2), 3)),
        "one image": Probe(lambda g: (normal(g, 1, 4, 8, 5), 4)),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "values": Check(1, (values(), gradients())),
    },
    misconceptions=(
        mistake(
            "windows-by-view",
            "x is cut by a reshape alone: a window gets whole rows of the map, not a square of it",
            "Which four tokens are in the first window of size 2? Which axes must be exchanged before they are joined?",
            instead(lambda x, size: x.reshape(-1, size * size, x.shape[3])),
        ),
        mistake(
            "windows-column-by-column",
            "the windows are numbered down the columns, not along the rows",
            "Which window comes second: the one to the right of the first, or the one below it?",
            steps(arrange=lambda self, cut: cut.permute(0, 3, 1, 2, 4, 5)),
        ),
        mistake(
            "tokens-column-by-column",
            "the tokens of a window are numbered down its columns, not along its rows",
            "Which token of a window comes second?",
            steps(arrange=lambda self, cut: cut.permute(0, 1, 3, 4, 2, 5)),
        ),
        mistake(
            "scattered",
            "a window holds every size-th token: its tokens are no neighbours",
            "Which tokens are next to each other on the map? Are they in one window?",
            steps(
                cut=lambda self, x, size: x.unflatten(2, (size, -1)).unflatten(1, (size, -1)).permute(0, 2, 1, 4, 3, 5)
            ),
        ),
        mistake(
            "windows-on-an-axis",
            "the windows have an axis of their own: (N, windows, L, C); the attention wants them in the batch",
            "How many axes do the tokens of lesson 06 have?",
            steps(join=lambda self, windows: windows.flatten(3, 4).flatten(1, 2)),
        ),
        mistake(
            "windows-not-flattened",
            "a window is still a square: (M, size, size, C), where a row of size * size tokens is wanted",
            "How many axes do the tokens of lesson 06 have?",
            steps(join=lambda self, windows: windows.flatten(0, 2)),
        ),
        mistake(
            "windows-of-all-images-mixed",
            "the first windows of all images come first; all windows of the first image should",
            "Two images of six windows each: which image does the second window come from?",
            arranged(1, 3, 0, 2, 4, 5),
            arranged(1, 0, 3, 2, 4, 5),
        ),
        mistake(
            "channels-not-last",
            "when the axes are joined, the channels do not stand last: numbers of different channels get mixed",
            "Which axis must be the last one before the tokens of a window are joined?",
            arranged(0, 1, 3, 5, 2, 4),
            arranged(0, 5, 1, 3, 2, 4),
        ),
        mistake(
            "channels-first",
            "the map is taken for (N, C, H, W); it is (N, H, W, C)",
            "What does the statement say of the order of axes?",
            instead(channels_first),
        ),
        mistake(
            "axes-in-another-order",
            f"of the axes {AXES}, other ones are exchanged than the row and the column of windows",
            "Number the six axes. Which two must change places, so that both axes of the windows stand side by side?",
            *(arranged(*order) for order in OTHER_ORDERS),
        ),
    ),
    hints=WINDOW_HINTS,
)

REVERSE = Exercise(
    id="windows",
    part="reverse",
    equation=WINDOWS,
    forms=(Reverse(),),
    batch=False,
    probes={
        "wide": Probe(lambda g: (normal(g, 20, 4, 3), 2, 4, 10)),
        "tall": Probe(lambda g: (normal(g, 18, 9, 2), 3, 9, 6)),
        "one image": Probe(lambda g: (normal(g, 2, 16, 5), 4, 4, 8)),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "values": Check(1, (values(), gradients())),
    },
    misconceptions=(
        mistake(
            "windows-by-view",
            "the windows are joined by a reshape alone: a row of the map gets whole windows",
            "Which axes must be exchanged back before the map is joined?",
            steps(arrange=lambda self, cut: cut),
        ),
        mistake(
            "sides-swapped",
            "height and width are exchanged",
            "Which shape should come out, (N, height, width, C) or (N, width, height, C)?",
            lambda right: lambda windows, size, height, width: right(windows, size, width, height),
        ),
        mistake(
            "tokens-column-by-column",
            "the tokens of a window are laid out down its columns, not along its rows",
            "Which token of a window comes second?",
            steps(arrange=lambda self, cut: cut.permute(0, 1, 4, 2, 3, 5)),
        ),
        mistake(
            "windows-column-by-column",
            "the windows are put down the columns, not along the rows",
            "Where does the second window belong: to the right of the first, or below it?",
            instead(columns_of_windows),
        ),
        mistake(
            "windows-of-all-images-mixed",
            "the windows are dealt out to the images in turn; the first ones all belong to the first image",
            "Two images of six windows each: which image does the second window belong to?",
            instead(batch_cut_last),
        ),
        mistake(
            "other-number-side-by-side",
            "H / size windows are laid side by side; W / size belong there",
            "A map of 4 x 10 tokens and windows of 2 x 2: how many windows stand side by side?",
            steps(sides=lambda self, height, width: (width, height)),
        ),
        mistake(
            "cut-as-the-map",
            "the windows are cut like a map, into (row of windows, row, column of windows, column)",
            "In which order do the axes lie in (N * windows, size * size, C): where do the two axes of the windows stand?",
            instead(cut_as_the_map),
        ),
        mistake(
            "axes-in-another-order",
            "of the axes (N, row of windows, column of windows, row, column, C), other ones are exchanged than the column "
            "of windows and the row",
            "Number the six axes. Which two must change places, so that each row of windows stands beside its rows?",
            *(arranged_back(*order) for order in OTHER_ORDERS),
        ),
    ),
    hints=WINDOW_HINTS,
)


# shifted-mask


class Mask:
    """Label the regions of the rolled map, cut the labels into windows, compare, in steps."""

    def came_over(self, side: int, shift: int) -> Tensor:
        return torch.arange(side) >= side - shift

    def rows(self, height: int, shift: int) -> Tensor:
        return self.came_over(height, shift)

    def columns(self, width: int, shift: int) -> Tensor:
        return self.came_over(width, shift)

    def number(self, rows: Tensor, columns: Tensor) -> Tensor:
        return 2 * rows.long() + columns.long()

    def rolled(self, regions: Tensor, shift: int) -> Tensor:
        return regions

    def partition(self, regions: Tensor, size: int) -> Tensor:
        return Partition()(regions, size)

    def compare(self, tokens: Tensor) -> Tensor:
        return tokens == tokens.mT

    def __call__(self, height: int, width: int, size: int, shift: int) -> Tensor:
        regions = self.number(self.rows(height, shift)[:, None], self.columns(width, shift))
        return self.compare(self.partition(self.rolled(regions[None, :, :, None], shift), size))


NUMBERS_FOR_TRUTH = Misconception(
    "numbers-for-truth",
    "the mask holds numbers, not True and False",
    "What does your scaled_dot_product_attention do with ~mask?",
    "a boolean mask, True = may attend",
)


def true_or_false() -> Property:
    def failure(got: Observation, _: Observation, __: Question) -> Failure | None:
        kind = got.values["output"].dtype
        told = f"{kind}".removeprefix("torch.") + " numbers"
        return None if kind == torch.bool else Failure(told, "True or False", NUMBERS_FOR_TRUTH)

    return Property("a boolean mask", failure)


def whole_map(self: Mask, regions: Tensor, size: int) -> Tensor:
    return regions.flatten(1, 2)


def no_rim(self: Mask, length: int, shift: int) -> Tensor:
    return torch.zeros(length, dtype=torch.bool)


def last_window_only(height: int, width: int, size: int, shift: int) -> Tensor:
    mask = torch.ones((height // size) * (width // size), size * size, size * size, dtype=torch.bool)
    mask[-1] = Mask()(height, width, size, shift)[-1]
    return mask


def old_windows(height: int, width: int, size: int, shift: int) -> Tensor:
    """Two tokens may attend if they were in one window before the shift."""
    number = (torch.arange(height) // size)[:, None] * (width // size) + torch.arange(width) // size
    tokens = Partition()(number[None, :, :, None].roll((-shift, -shift), (1, 2)), size)
    return tokens == tokens.mT


def exchanged_by_reshape(height: int, width: int, size: int, shift: int) -> Tensor:
    rows, columns = torch.arange(width) >= width - shift, torch.arange(height) >= height - shift
    regions = (2 * rows[:, None].long() + columns.long()).reshape(height, width)
    tokens = Partition()(regions[None, :, :, None], size)
    return tokens == tokens.mT


SHIFTED_MASK = Exercise(
    id="shifted-mask",
    equation=SHIFTED,
    forms=(Mask(),),
    probes={
        "wide": Probe(lambda g: (8, 12, 4, 1)),
        "tall": Probe(lambda g: (9, 6, 3, 2)),
        "square": Probe(lambda g: (8, 8, 4, 2)),
        "not shifted": Probe(lambda g: (4, 6, 2, 0)),
        "shifted by nearly a window": Probe(lambda g: (8, 8, 4, 3)),
    },
    checks={
        "shape": Check(1, (shape(), true_or_false())),
        "unshifted": Check(1, (values(on=("not shifted",), name="without a shift all may attend"), true_or_false())),
        "values": Check(4, (values(), true_or_false())),
    },
    misconceptions=(
        mistake(
            "nobody-without-a-shift",
            "without a shift nobody may attend to anybody; then nothing came over the rim",
            "With shift = 0, which tokens of a window come from another piece of the map?",
            lambda right: lambda height, width, size, shift: right(height, width, size, shift) & (shift > 0),
        ),
        mistake(
            "inverted",
            "True stands where two tokens must not attend",
            "What does True mean in lesson 06? May a token attend to itself?",
            steps(compare=lambda self, tokens: tokens != tokens.mT),
        ),
        mistake(
            "all-allowed",
            "everybody may attend to everybody: news leaks over the rim",
            "After the roll, which tokens of the last window were no neighbours before?",
            steps(rows=no_rim, columns=no_rim),
        ),
        mistake(
            "nobody-at-all",
            "nobody may attend to anybody, not even a token to itself",
            "Is each token of the same piece as itself?",
            instead(lambda height, width, size, shift: ~Mask()(height, width, size, 0)),
        ),
        mistake(
            "last-window-only",
            "only the last window is masked; every window at the lower or the right end holds tokens from over the rim",
            "How many windows of a map of 2 x 3 windows hold tokens that came over the rim?",
            instead(last_window_only),
        ),
        mistake(
            "pieces-share-a-number",
            "different pieces have the same number, so their tokens may attend to each other",
            "Write the number of each of the four pieces. Are they four numbers?",
            *(
                steps(number=lambda self, rows, columns, put=put: put(rows.long(), columns.long()))
                for put in (torch.add, torch.bitwise_or, torch.mul, torch.bitwise_xor)
            ),
        ),
        mistake(
            "border-beside",
            "the border between two pieces lies one row and one column beside the right one",
            "A map of 8 rows, rolled up by 1: which rows came over the rim? And which does your comparison take?",
            steps(came_over=lambda self, side, shift: torch.arange(side) > side - shift),
            steps(came_over=lambda self, side, shift: torch.arange(side) >= side - shift - 1),
        ),
        mistake(
            "shift-ignored",
            "the border lies half a window from the end, whatever the shift is",
            "Which line reads shift, and what does it do for size = 4 and shift = 1?",
            lambda right: lambda height, width, size, shift: right(height, width, size, size // 2 if shift else 0),
        ),
        mistake(
            "rolled-twice",
            "the pieces are found in the map as it is after the roll, and then rolled once more",
            "Your rows >= height - shift: are they rows of the old map, or of the rolled one?",
            steps(rolled=lambda self, regions, shift: regions.roll((-shift, -shift), (1, 2))),
        ),
        mistake(
            "rolled-with-the-wrong-sign",
            "the pieces of the old map are rolled by +shift, where the map itself was rolled by -shift",
            "By what is x rolled in the statement?",
            steps(
                came_over=lambda self, side, shift: torch.arange(side) < shift,
                rolled=lambda self, regions, shift: regions.roll((shift, shift), (1, 2)),
            ),
        ),
        mistake(
            "one-token-decides",
            "it is asked of one of the two tokens alone whether it came over the rim, not whether both are of one piece",
            "Two tokens that both came over the lower rim: were they neighbours?",
            *(
                steps(
                    compare=lambda self, tokens, put=put: put(tokens == 0).expand(-1, tokens.shape[1], tokens.shape[1])
                )
                for put in (lambda inside: inside.mT, lambda inside: inside)
            ),
        ),
        mistake(
            "none-from-over-the-rim",
            "tokens that came over the rim may attend to nobody, not even to each other",
            "Two tokens that both came over the lower rim: were they neighbours?",
            steps(compare=lambda self, tokens: (tokens == 0) & (tokens == 0).mT),
        ),
        mistake(
            "one-way",
            "a token may attend to another piece if the number of that piece is smaller, or if it is larger",
            "If token 1 must not attend to token 2, may token 2 attend to token 1?",
            steps(compare=lambda self, tokens: tokens >= tokens.mT),
            steps(compare=lambda self, tokens: tokens <= tokens.mT),
        ),
        mistake(
            "old-windows-kept-apart",
            "tokens of two old windows may not attend to each other; but to let them meet is what the shift is for",
            "What are the four pieces: the windows, or what the roll cuts the map into?",
            instead(old_windows),
        ),
        mistake(
            "one-rim-only",
            "only one of the two rims is closed",
            "The map is rolled up and to the left. Which rows come over the rim, and which columns?",
            steps(rows=no_rim),
            steps(columns=no_rim),
        ),
        mistake(
            "rolled-the-other-way",
            "the mask fits a map that is rolled down and to the right: its first rows came over",
            "roll(-shift): do the first rows go to the end, or the last ones to the beginning?",
            steps(came_over=lambda self, side, shift: torch.arange(side) < shift),
        ),
        mistake(
            "kept-instead-of-shift",
            "the border lies `shift` rows into the last window; only the last `shift` rows came over",
            "Of the last window's rows, how many came over the rim: shift, or size - shift?",
            lambda right: lambda height, width, size, shift: right(height, width, size, size - shift if shift else 0),
        ),
        mistake(
            "sides-swapped",
            "height and width are exchanged",
            "How many windows stand side by side? Test with a map that is not square.",
            lambda right: lambda height, width, size, shift: right(width, height, size, shift),
            instead(exchanged_by_reshape),
        ),
        mistake(
            "whole-map",
            "one matrix for all tokens of the map; each window needs its own, of size * size tokens",
            "How many pairs of tokens does one window have?",
            steps(partition=whole_map),
        ),
        mistake(
            "row-or-column",
            "two tokens may attend if only their rows or only their columns belong together",
            "A token at the right that came over the lower rim: was it a neighbour of one that did not?",
            instead(
                lambda height, width, size, shift: torch.stack(
                    [
                        (part := Partition()(region[None, :, :, None], size)) == part.mT
                        for region in (
                            (torch.arange(height) >= height - shift)[:, None].expand(height, width),
                            (torch.arange(width) >= width - shift).expand(height, width),
                        )
                    ]
                ).any(0)
            ),
        ),
        NUMBERS_FOR_TRUTH,
    ),
    hints=(
        """
        Give every place of the rolled map a number that says which piece of the old map it belongs to. There are four
        pieces. Two tokens of a window may attend to each other if their numbers are equal.
        """,
        """
        A row $i$ came over the rim if $i \\ge H - shift$, a column $j$ if $j \\ge W - shift$. The piece: $2\\cdot$row
        $+$ column, `(H, W)`. As `(1, H, W, 1)` it goes through your `window_partition`: `(windows, L, 1)`. Compare it with
        itself transposed: `(windows, L, L)`.
        """,
        """
        ```
        rows    = is the row number at least height - shift?       # (H, 1)
        columns = is the column number at least width - shift?     # (1, W)
        piece   = 2 * rows + columns, with new axes for N and C    # (1, H, W, 1)
        tokens  = window_partition of piece                        # (windows, L, 1)
        return tokens == tokens with the last two axes exchanged
        ```
        """,
    ),
)


# online-softmax


class Blocks:
    """The right answer in steps."""

    begin = -math.inf
    begin_total = 0

    def scale(self, q: Tensor, k: Tensor, v: Tensor) -> float:
        return math.sqrt(q.shape[-1])

    def pieces(self, q: Tensor, k: Tensor, v: Tensor, block: int) -> Iterable[tuple[Tensor, Tensor]]:
        return zip(k.split(block, -2), v.split(block, -2))

    def nothing(self, q: Tensor, v: Tensor) -> Tensor:
        return q.new_zeros(*q.shape[:-1], v.shape[-1])

    def largest(self, before: Tensor, scores: Tensor) -> Tensor:
        return torch.maximum(before, scores.amax(-1, keepdim=True))

    def reference(self, before: Tensor, largest: Tensor) -> Tensor:
        return largest

    def shrink(self, before: Tensor, largest: Tensor) -> Tensor:
        return (before - largest).exp()

    def shrink_total(self, shrink: Tensor) -> Tensor:
        return shrink

    def shrink_output(self, shrink: Tensor) -> Tensor:
        return shrink

    def kept(self, before: Tensor, largest: Tensor) -> Tensor:
        return largest

    def finish(self, output: Tensor, total: Tensor) -> Tensor:
        return output / total

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, block: int) -> Tensor:
        before, output = torch.full_like(q[..., :1], self.begin), self.nothing(q, v)
        total = torch.full_like(before, self.begin_total)
        for keys, held in self.pieces(q, k, v, block):
            scores = q @ keys.mT / self.scale(q, k, v)
            largest = self.largest(before, scores)
            shrink, shares = self.shrink(before, largest), (scores - self.reference(before, largest)).exp()
            total = self.shrink_total(shrink) * total + shares.sum(-1, keepdim=True)
            output = self.shrink_output(shrink) * output + shares @ held
            before = self.kept(before, largest)
        return self.finish(output, total)


TOO_HIGH = (0, -1, -10, -100, -1000, -1e4)  # where the largest score begins that is not minus infinity


def all_blocks_alike(q: Tensor, k: Tensor, v: Tensor, block: int) -> Tensor:
    pieces = list(zip(k.split(block, -2), v.split(block, -2)))
    return sum((q @ keys.mT / math.sqrt(q.shape[-1])).softmax(-1) @ values for keys, values in pieces) / len(pieces)


def without_maximum(q: Tensor, k: Tensor, v: Tensor, block: int) -> Tensor:
    total = output = 0
    for keys, held in zip(k.split(block, -2), v.split(block, -2)):
        shares = (q @ keys.mT / math.sqrt(q.shape[-1])).exp()
        total, output = total + shares.sum(-1, keepdim=True), output + shares @ held
    return output / total


def divided_each_time(q: Tensor, k: Tensor, v: Tensor, block: int) -> Tensor:
    largest = torch.full_like(q[..., :1], -math.inf)
    total = output = torch.zeros_like(q[..., :1])
    for keys, held in zip(k.split(block, -2), v.split(block, -2)):
        scores = q @ keys.mT / math.sqrt(q.shape[-1])
        before, largest = largest, torch.maximum(largest, scores.amax(-1, keepdim=True))
        shrink, shares = (before - largest).exp(), (scores - largest).exp()
        total = shrink * total + shares.sum(-1, keepdim=True)
        output = (shrink * output + shares @ held) / total
    return output


class Grown(Blocks):
    def shrink(self, before: Tensor, largest: Tensor) -> Tensor:
        return (largest - before).exp().where(before.isfinite(), 1)


def only_whole_blocks(
    self: Blocks, q: Tensor, k: Tensor, v: Tensor, block: int, least: int = 0
) -> Iterable[tuple[Tensor, Tensor]]:
    whole = max(least, k.shape[-2] // block) * block
    return Blocks.pieces(self, q, k[..., :whole, :], v[..., :whole, :], block) if whole else ()


ALL_AT_ONCE = Misconception(
    "all-at-once",
    "a tensor as large as the matrix of all scores is held in memory",
    "How many numbers does your largest tensor have for L queries and S keys, and how many for one block?",
    "the scores of one block are L x block numbers",
)


OTHER_BLOCKS = Misconception(
    "smaller-blocks-hold-more",
    "with one key at a time, as many numbers are held as there are scores in all: the smaller a block, the more is held",
    "Is `block` the number of keys in a block, or the number of blocks? What do you keep of each block until the end?",
    "`block` keys at a time; m, l and o are all that is kept of those before",
)


def holds_no_matrix_of_all(on: tuple[str, ...], meaning: Misconception = ALL_AT_ONCE) -> Property:
    """No tensor on the way has as many numbers as there are pairs of a query and a key."""

    def failure(got: Observation, _: Observation, question: Question) -> Failure | None:
        q, k, _, block = question.inputs
        pairs = q.shape[-2] * k.shape[-2]
        if got.largest < pairs:
            return None
        told = f"a tensor of {got.largest:,} numbers for block={block}"
        return Failure(told, f"fewer than the {pairs:,} of all scores", meaning)

    return Property("never all scores at once", failure, on=on)


def sequence(g: Generator, *before: int, queries: int, keys: int, size: float = 1, d: int = 4, e: int = 3) -> tuple:
    return size * normal(g, *before, queries, d), size * normal(g, *before, keys, d), normal(g, *before, keys, e)


def rising(g: Generator) -> tuple:
    """The scores grow from key to key, so that every block has a new largest one."""
    q, k, v = sequence(g, queries=5, keys=12)
    return q.abs(), k.abs() * torch.arange(1, 13, dtype=k.dtype)[:, None] / 4, v


def with_a_ladder(q: Tensor, k: Tensor, v: Tensor, g: Generator) -> tuple:
    """In the first image each score is 40 or more above the next one, and below 600: nothing overflows there.

    So an answer whose exponentials overflow is told from one that gives nan or inf whatever it is asked.
    """
    q, k = q.clone(), k.clone()
    q[0], k[0] = 0, 0
    q[0, :, 0] = 2 + torch.rand(q.shape[1], generator=g, dtype=q.dtype) / 2
    k[0, :, 0] = 40.0 * (1 + torch.randperm(k.shape[1], generator=g))
    return q, k, v


def large(g: Generator) -> tuple:
    return with_a_ladder(*sequence(g, 2, queries=5, keys=12, size=10_000), g)


def low(g: Generator) -> tuple:
    """All scores of the second image lie far below 0."""
    q, k, v = sequence(g, 2, queries=4, keys=12, size=3000)
    return with_a_ladder(100 + q.abs(), -100 - k.abs(), v, g)


SMALL = ("blocks that fit", "a smaller last block", "one large block")

LONG = ("long", "few queries", "one key at a time")

ONLINE_SOFTMAX = Exercise(
    id="online-softmax",
    equation=ONLINE,
    forms=(Blocks(),),
    forbidden=("scaled_dot_product_attention", "multi_head_attention_forward"),
    probes={
        "blocks that fit": Probe(lambda g: (*sequence(g, 2, 3, queries=5, keys=12, e=6), 4)),
        "a smaller last block": Probe(lambda g: (*sequence(g, 2, queries=6, keys=11, d=8, e=5), 3)),
        "one large block": Probe(lambda g: (*sequence(g, queries=4, keys=7), 20)),
        "rising": Probe(lambda g: (*rising(g), 4)),
        "large": Probe(lambda g: (*large(g), 4)),
        "low": Probe(lambda g: (*low(g), 4)),
        "long": Probe(lambda g: (*sequence(g, queries=40, keys=60, d=4, e=4), 10)),
        "few queries": Probe(lambda g: (*sequence(g, queries=8, keys=120, d=4, e=4), 8)),
        "one key at a time": Probe(lambda g: (*sequence(g, queries=20, keys=24, d=4, e=4), 1)),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "values": Check(2, (values(on=(*SMALL, "rising")), images_apart(on=SMALL[:2]), written_out())),
        "large": Check(
            2,
            (
                values(on=("large",), name="output for very large scores"),
                values(on=("low",), name="output for scores that all lie far below 0"),
                written_out(),
            ),
        ),
        "memory": Check(
            1,
            (
                values(on=LONG, name="output for many keys"),
                holds_no_matrix_of_all(("long", "few queries")),
                holds_no_matrix_of_all(("one key at a time",), OTHER_BLOCKS),
                written_out(),
            ),
        ),
        "gradients": Check(1, (gradients(on=SMALL), written_out())),
    },
    misconceptions=(
        mistake(
            "nothing-rescaled",
            "when a larger score comes, what was summed before is not shrunk: it counts relative to an older maximum",
            "The maximum grows from m to m'. By which factor do all earlier exponentials change?",
            steps(shrink_total=lambda self, shrink: 1, shrink_output=lambda self, shrink: 1),
        ),
        mistake(
            "output-not-rescaled",
            "the total is shrunk when a larger score comes, the output is not",
            "Both are sums of the same exponentials. Which of them must be multiplied by exp(m - m')?",
            steps(shrink_output=lambda self, shrink: 1),
        ),
        mistake(
            "total-not-rescaled",
            "the output is shrunk when a larger score comes, the total is not",
            "Both are sums of the same exponentials. Which of them must be multiplied by exp(m - m')?",
            steps(shrink_total=lambda self, shrink: 1),
        ),
        mistake(
            "no-largest-score",
            "the largest score so far is not subtracted: the exponential of a large score overflows",
            "exp(1000) is inf. What must be subtracted, so that no exponent is above 0, in no block?",
            instead(without_maximum),
            steps(largest=lambda self, before, scores: scores.amax(-1, keepdim=True)),
        ),
        mistake(
            "largest-begins-too-high",
            "the largest score so far begins at a number: if all scores lie far below it, 0 is divided by 0",
            "Before the first block, which number is smaller than any score that can come?",
            *(steps(begin=begin) for begin in TOO_HIGH),
        ),
        mistake(
            "largest-not-kept",
            "the new largest score is not kept for the next block",
            "What does m' become when the next block comes? Which line says so?",
            *(steps(begin=begin, kept=lambda self, before, largest: before) for begin in (0, -1, -10, -100)),
        ),
        mistake(
            "last-block-only",
            "only the last block of keys counts: what was summed before is lost",
            "What are m, l and o when the second block comes? Is the new m kept, and by which factor are l and o shrunk?",
            *(
                steps(begin=begin, kept=lambda self, before, largest: before)
                for begin in (-math.inf, -1000, -1e4, -1e9)
            ),
        ),
        mistake(
            "shrunk-the-wrong-way",
            "the factor of the repair is turned over: what was summed before grows when a larger score comes",
            "In the repair, is it exp(m - m') or exp(m' - m)? Which of the two is never above 1?",
            instead(Grown()),
        ),
        mistake(
            "shares-of-the-old-largest",
            "the exponentials of a block are relative to the largest score before it, not to the new one",
            "In the sum over j, is it exp(s - m) or exp(s - m')?",
            *(
                steps(begin=begin, reference=lambda self, before, largest: before)
                for begin in (0, -1, -10, -100)  # from a lower one all is nan, which other mistakes give as well
            ),
        ),
        mistake(
            "nan-everywhere",
            "all is nan, for small scores too: on the way inf meets inf, or inf meets 0, or 0 is divided by 0",
            "Print m, l and o after the first block, and the exponents: where does the first inf or nan stand?",
            instead(lambda q, k, v, block: q.new_full((*q.shape[:-1], v.shape[-1]), math.nan)),
        ),
        mistake(
            "total-begins-at-one",
            "the sum of the exponentials begins at 1, before anything was summed",
            "What is the sum of no exponentials?",
            *(steps(begin=begin, begin_total=1) for begin in TOO_HIGH),
        ),
        mistake(
            "first-block-only",
            "only the first block of keys counts",
            "How often does your loop run for 12 keys in blocks of 4? Does the return stand inside it?",
            steps(pieces=lambda self, *given: list(Blocks.pieces(self, *given))[:1]),
        ),
        mistake(
            "as-many-keys-as-queries",
            "the loop runs over as many keys as there are queries",
            "Which size says how many keys there are: that of q, or that of k?",
            steps(
                pieces=lambda self, q, k, v, block: Blocks.pieces(
                    self, q, k[..., : q.shape[-2], :], v[..., : q.shape[-2], :], block
                )
            ),
            steps(
                pieces=lambda self, q, k, v, block: list(Blocks.pieces(self, q, k, v, block))[
                    : math.ceil(q.shape[-2] / block)
                ]
            ),
        ),
        mistake(
            "output-as-wide-as-q",
            "the output begins with the width of q; it has the width of v",
            "Which shape does the statement give for the output, with d or with e at the end?",
            steps(nothing=lambda self, q, v: torch.zeros_like(q)),
        ),
        mistake(
            "blocks-averaged",
            "each block has a softmax of its own, and the results are averaged",
            "A block with only bad matches: should it count as much as the one with the best match?",
            instead(all_blocks_alike),
        ),
        mistake(
            "last-block-lost",
            "keys that do not fill a block are left out",
            "11 keys in blocks of 3: how many blocks are there?",
            steps(pieces=only_whole_blocks),
            steps(pieces=only_whole_blocks, nothing=lambda self, q, v: torch.zeros_like(q[..., :1])),
            steps(pieces=lambda self, *given: only_whole_blocks(self, *given, least=1)),
        ),
        mistake(
            "never-divided",
            "the output is not divided by the sum of the exponentials",
            "What do your weights sum to?",
            steps(finish=lambda self, output, total: output),
        ),
        mistake(
            "divided-by-the-last-total",
            "the output is divided in every block, not once at the end",
            "If you divide after a block, what does the next block add its sum to?",
            instead(divided_each_time),
        ),
        mistake(
            "no-scale",
            "the scores are not divided by sqrt(d)",
            "What stands under the fraction in lesson 06?",
            steps(scale=lambda self, q, k, v: 1),
        ),
        mistake(
            "scale-not-rooted",
            "the scores are divided by d, not by its square root",
            "The variance of a score is d. What is its standard deviation?",
            steps(scale=lambda self, q, k, v: q.shape[-1]),
        ),
        mistake(
            "root-of-another-size",
            "the scores are divided by the root of another size than d, the width of q and k",
            "Of which axis of which tensor is d the size?",
            steps(scale=lambda self, q, k, v: math.sqrt(v.shape[-1])),
            steps(scale=lambda self, q, k, v: math.sqrt(k.shape[-2])),
            steps(scale=lambda self, q, k, v: math.sqrt(q.shape[-2])),
        ),
        ALL_AT_ONCE,
        OTHER_BLOCKS,
    ),
    hints=(
        """
        Keep three things for each query: the largest score so far, the sum of exponentials relative to it, and the weighted
        sum of values relative to it. What must happen to the two sums when a larger score comes?
        """,
        r"""
        For a block with scores $s$ `(..., L, block)` and values $v$: $m' = \max(m, \max_j s_j)$,
        $l' = e^{m - m'} l + \sum_j e^{s_j - m'}$, $o' = e^{m - m'} o + \sum_j e^{s_j - m'} v_j$. $m$ and $l$ are
        `(..., L, 1)`, $o$ is `(..., L, e)`. At first $m = -\infty$, $l = 0$, $o = 0$. At the end: $o / l$.
        """,
        """
        ```
        m = -infinity, l = 0, o = 0
        for each block of keys and values (the last one may be smaller):
            s = q times block of keys transposed, divided by the root of d
            new = the larger one of m and the largest s of each query
            shrink = exp(m - new); e = exp(s - new)
            l = shrink * l + sum of e
            o = shrink * o + e times block of values
            m = new
        return o / l
        ```
        """,
    ),
)


# deformable


class Deformable(nn.Module):
    """The right answer in steps."""

    def __init__(self, channels: int, points: int = 9):
        super().__init__()
        self.points = points
        self.offset, self.score = nn.Conv2d(channels, 2 * points, 1), nn.Conv2d(channels, points, 1)
        with torch.no_grad():
            self.start(self.offset, self.score)

    def around(self, side: int) -> Tensor:
        return torch.arange(side) - side // 2

    def start(self, offset: nn.Module, score: nn.Module) -> None:
        for parameter in (*offset.parameters(), *score.parameters()):
            parameter.zero_()
        around = self.around(math.isqrt(self.points))
        rows, columns = torch.meshgrid(around, around, indexing="ij")
        offset.bias.copy_(torch.stack((columns, rows), -1).flatten())

    def offsets(self, x: Tensor) -> Tensor:
        return self.offset(x).unflatten(1, (-1, 2)).movedim(2, -1)

    def weights(self, x: Tensor) -> Tensor:
        return self.normalise(self.score(x))

    def normalise(self, scores: Tensor) -> Tensor:
        return scores.softmax(1)

    def way(self, offsets: Tensor, height: int, width: int) -> Tensor:
        return offsets * 2 / torch.tensor([width, height], dtype=offsets.dtype)

    def read(self, x: Tensor, grid: Tensor) -> Tensor:
        return F.grid_sample(x, grid, align_corners=False)

    def here(self, x: Tensor) -> Tensor:
        identity = torch.eye(2, 3, dtype=x.dtype).expand(len(x), -1, -1)
        return F.affine_grid(identity, x.shape, align_corners=False)[:, None]

    def combine(self, seen: Tensor, weights: Tensor) -> Tensor:
        return (seen * weights[:, None]).sum(2)

    def forward(self, x: Tensor) -> Tensor:
        grid = self.here(x) + self.way(self.offsets(x), *x.shape[2:])
        seen = self.read(x, grid.flatten(1, 2)).unflatten(2, (self.points, -1))
        return self.combine(seen, self.weights(x))


def started(place: Callable[[Deformable], Tensor]) -> Coding:
    """Other points at first: ``place`` gives the biases of the offsets, with the neighbourhood's as they should be."""

    def start(self: Deformable, offset: nn.Module, score: nn.Module) -> None:
        Deformable.start(self, offset, score)
        offset.bias.copy_(place(self, offset.bias.view(-1, 2)).flatten())

    return steps(start=start)


def of_nine(self: Deformable, start: Tensor) -> Tensor:
    around = torch.arange(3) - 1
    nine = torch.cartesian_prod(around, around).flip(-1)
    return nine.repeat(self.points, 1)[: self.points]


AT_ITSELF = mistake(
    "starts-at-the-point-itself",
    "at first all points lie on the position itself: nothing is gathered from the neighbours",
    "Which nine offsets make the 3x3 neighbourhood?",
    started(lambda self, start: 0 * start),
)
OFF_CENTRE = mistake(
    "starts-off-centre",
    "at first the points lie to the lower right of the position, not around it",
    "Which of the nine points is the position itself?",
    started(lambda self, start: start - start.min()),
)
IN_A_LINE = mistake(
    "starts-in-a-line",
    "at first all points lie in one row, or in one column",
    "The point at the upper left of the position: what is its x, and what is its y?",
    started(lambda self, start: start * torch.tensor([1, 0])),
    started(lambda self, start: start * torch.tensor([0, 1])),
)
TOO_FAR = mistake(
    "starts-too-far-apart",
    "at first the points lie two pixels apart, not one",
    "Which pixel is next to the position: the one at x = 1, or at x = 2?",
    started(lambda self, start: 2 * start),
)
XY_IN_BLOCKS = mistake(
    "start-in-another-order",
    "at first x and y are mixed up: all x stand before all y in the biases, and offsets(x) reads them in pairs, or the "
    "other way round",
    "Print offsets(x)[0, :, 0, 0] of a fresh module. Is each row one point of the neighbourhood?",
    started(lambda self, start: start.T),
    started(lambda self, start: start.flatten().view(2, -1).T),
)
ALWAYS_NINE = mistake(
    "starts-as-nine",
    "at first the points are those of the 3x3 neighbourhood, however many there are",
    "How wide is the neighbourhood for 25 points, and for 1?",
    started(of_nine),
)
ELSEWHERE = Misconception(
    "starts-elsewhere",
    "a fresh module reads with the same points and weights at every position, but they are not those of the neighbourhood "
    "with equal weights",
    "Print offsets(x)[0, :, 0, 0] and weights(x)[0, :, 0, 0] of a fresh module. Which points are these?",
)
AT_RANDOM = Misconception(
    "starts-with-x",
    "the points or weights of a fresh module depend on x",
    "What are offsets(x) and weights(x) of a fresh module for another x? Which parameters decide that?",
)
STARTS = (AT_ITSELF, OFF_CENTRE, IN_A_LINE, TOO_FAR, XY_IN_BLOCKS, ALWAYS_NINE)


def other_start(got: Observation, expected: Observation, question: Question) -> Misconception | None:
    """Why a fresh module does not average the neighbourhood; None where its forward is wrong whatever its numbers are."""
    if not same(got, expected, "output"):
        return None
    x = question.inputs[0]
    for told in STARTS:
        for coding in told.codings:
            with torch.no_grad():
                if close(got.fresh.to(x.dtype), coding(Deformable)(*question.build).to(x.dtype)(x), got.fresh.dtype):
                    return told
    return ELSEWHERE if alike_everywhere(x, got.fresh) else AT_RANDOM


def alike_everywhere(x: Tensor, read: Tensor) -> bool:
    """Whether one kernel for all positions, channels and images can have read this."""
    height, width = x.shape[2:]
    padded = F.pad(x.flatten(0, 1)[:, None], (width - 1, width - 1, height - 1, height - 1))
    seen = F.unfold(padded, (2 * height - 1, 2 * width - 1)).mT.flatten(0, 1)
    numbers = read.to(x.dtype).reshape(-1, 1)
    kernel = torch.linalg.lstsq(seen, numbers, driver="gelsd").solution
    return close(seen @ kernel, numbers, read.dtype)


def fixed_way(self: Deformable, offsets: Tensor, height: int, width: int) -> Tensor:
    around = self.around(math.isqrt(self.points)).to(offsets.dtype)
    rows, columns = torch.meshgrid(around, around, indexing="ij")
    fixed = torch.stack((columns, rows), -1).flatten(0, 1)[:, None, None]
    return Deformable.way(self, fixed.expand_as(offsets), height, width)


DEFORMABLE_EXERCISE = Exercise(
    id="deformable",
    equation=DEFORMABLE,
    forms=(Deformable,),
    records=("offsets", "weights", "output"),
    probes={
        "wide": Probe(lambda g: (normal(g, 2, 3, 5, 8),), build=(3,)),
        "one point": Probe(lambda g: (normal(g, 2, 4, 6, 4),), build=(4, 1)),
        "one image": Probe(lambda g: (normal(g, 1, 2, 7, 5),), build=(2, 9)),
        "25 points": Probe(lambda g: (normal(g, 1, 2, 6, 7),), build=(2, 25)),
    },
    checks={
        "shapes": Check(1, (shape("offsets"), shape("weights"), shape("output"), leaves_input_alone())),
        "parameters": Check(1, (parameters(),)),
        "start": Check(2, (starts_as("the average of the fixed neighbourhood", other_start),)),
        "values": Check(
            3,
            (
                sums_to_one("weights", 1),
                values("weights"),
                values("offsets"),
                values("output"),
                together("offsets", "output"),
                images_apart(),
                repeatable(),
            ),
        ),
        "gradients": Check(1, (gradients(on=("wide", "one image")),)),
    },
    misconceptions=(
        mistake(
            "offsets-as-coordinates",
            "the offsets are added to coordinates from -1 to 1 as they are; they count pixels",
            "How far does an offset of 1 move a point in an image of 8 columns: a pixel, or half the image?",
            steps(way=lambda self, offsets, height, width: offsets),
        ),
        mistake(
            "half-as-far",
            "a pixel is taken for 1 / W; the coordinates run from -1 to 1, so it is 2 / W",
            "How long is an image of W columns in these coordinates?",
            steps(way=lambda self, o, height, width: o / torch.tensor([width, height], dtype=o.dtype)),
        ),
        mistake(
            "pixel-too-wide",
            "a pixel is taken for 2 / (W - 1); with align_corners=False W pixels share the way from -1 to 1: it is 2 / W",
            "How many pixels lie side by side between -1 and 1?",
            steps(way=lambda self, o, height, width: o * 2 / torch.tensor([width - 1, height - 1], dtype=o.dtype)),
        ),
        mistake(
            "offset-subtracted",
            "the offsets are subtracted: each point lies on the other side of its position",
            "Which sign stands before the offset in the equation?",
            steps(way=lambda self, offsets, height, width: -Deformable.way(self, offsets, height, width)),
        ),
        mistake(
            "position-left-out",
            "the offsets are counted from the middle of the image, not from each position",
            "Where does your grid say which position asks? What is the p of x(p + offset)?",
            steps(here=lambda self, x: torch.zeros((), dtype=x.dtype)),
        ),
        mistake(
            "positions-to-the-rim",
            "the positions run from -1 to 1; with align_corners=False the outermost centres lie half a pixel inside",
            "Where is the centre of the first of 4 columns, at -1 or at -0.75?",
            steps(
                here=lambda self, x: F.affine_grid(
                    torch.eye(2, 3, dtype=x.dtype).expand(len(x), -1, -1), x.shape, align_corners=True
                )[:, None]
            ),
        ),
        mistake(
            "positions-transposed",
            "the grid of positions holds (y, x), the sampler reads (x, y)",
            "Which of the two numbers must grow from left to right?",
            steps(here=lambda self, x: Deformable.here(self, x).flip(-1)),
        ),
        mistake(
            "nearest",
            "the nearest pixel is read, not between pixels: no gradient reaches the offsets",
            "What does the sampler of lesson 07 do between two pixels?",
            steps(read=lambda self, x, grid: F.grid_sample(x, grid, mode="nearest", align_corners=False)),
        ),
        mistake(
            "offsets-of-one-image",
            "all images are read at the points of the first one",
            "Which axis of the offsets counts the images?",
            steps(way=lambda self, o, height, width: Deformable.way(self, o[:1].expand_as(o), height, width)),
        ),
        mistake(
            "offsets-by-reshape",
            "the offsets get their last axis by a reshape; the axis of x and y must be moved there",
            "In (N, 2 * points, H, W), which numbers lie side by side in memory: x and y of a point, or two columns?",
            steps(offsets=lambda self, x: self.offset(x).reshape(len(x), self.points, *x.shape[2:], 2)),
        ),
        mistake(
            "offset-biases-frozen",
            "the biases of the offsets are not trained: the points can move with x, but never for all x alike",
            "Which numbers does the statement call linear with biases, and which of them does an optimiser change?",
            steps(
                start=lambda self, offset, score: (
                    Deformable.start(self, offset, score),
                    offset.bias.requires_grad_(False),
                )
            ),
        ),
        mistake(
            "offsets-squashed",
            "the offsets go through a function that bounds them; they are a linear function of x, with biases",
            "Can a point lie 5 pixels away?",
            *(
                steps(offsets=lambda self, x, size=size: size * torch.tanh(Deformable.offsets(self, x) / size))
                for size in (1, 2, 3)
            ),
            steps(offsets=lambda self, x: Deformable.offsets(self, x).sigmoid()),
        ),
        mistake(
            "sizes-swapped",
            "the steps along x are scaled by the height, those along y by the width",
            "How many columns share the way from -1 to 1, and how many rows?",
            steps(way=lambda self, o, height, width: o * 2 / torch.tensor([height, width], dtype=o.dtype)),
        ),
        mistake(
            "xy-swapped",
            "the first number of an offset moves the point down, the second to the right",
            "Which comes first in the grid of lesson 07, x or y?",
            steps(way=lambda self, offsets, height, width: Deformable.way(self, offsets.flip(-1), height, width)),
        ),
        mistake(
            "align-corners",
            "the grid and the sampler take -1 and 1 for the centres of the outermost pixels (align_corners=True)",
            "Which convention have affine_grid and bilinear_sample of lesson 07?",
            steps(
                read=lambda self, x, grid: F.grid_sample(x, grid, align_corners=True),
            ),
            steps(
                read=lambda self, x, grid: F.grid_sample(x, grid, align_corners=True),
                here=lambda self, x: F.affine_grid(
                    torch.eye(2, 3, dtype=x.dtype).expand(len(x), -1, -1), x.shape, align_corners=True
                )[:, None],
            ),
            equation="the centre of column j of W columns lies at x = (2 j + 1) / W - 1 (align_corners=False)",
        ),
        mistake(
            "border-repeated",
            "beyond the rim the last pixels are repeated, where there should be zeros",
            "Which padding does your sampler of lesson 07 have?",
            steps(read=lambda self, x, grid: F.grid_sample(x, grid, padding_mode="border", align_corners=False)),
        ),
        mistake(
            "no-softmax",
            "the softmax is missing: raw scores weigh the points",
            "Do the weights of a position sum to 1?",
            steps(normalise=lambda self, scores: scores),
        ),
        mistake(
            "softmax-over-positions",
            "the softmax runs over the positions: they compete, not the points",
            "Which sums are 1?",
            steps(normalise=lambda self, scores: scores.flatten(2).softmax(2).view_as(scores)),
            steps(normalise=lambda self, scores: scores.softmax(2)),
            steps(normalise=lambda self, scores: scores.softmax(3)),
        ),
        mistake(
            "softmax-over-all",
            "the softmax runs over all points of all positions together",
            "Which sums are 1?",
            steps(normalise=lambda self, scores: scores.flatten(1).softmax(1).view_as(scores)),
        ),
        mistake(
            "sigmoid-not-softmax",
            "a sigmoid gates every point; points do not compete",
            "If one point gets more, do the others get less?",
            steps(normalise=lambda self, scores: scores.sigmoid()),
        ),
        mistake(
            "weights-unused",
            "the points are averaged without their weights",
            "Which line of forward reads the weights?",
            steps(combine=lambda self, seen, weights: seen.mean(2)),
        ),
        mistake(
            "averaged-after-the-weights",
            "the sum over the points is multiplied or divided by their number; the weights sum to 1 already",
            "What should come out if x is 1 everywhere and all points lie inside?",
            steps(combine=lambda self, seen, weights: Deformable.combine(self, seen, weights) / self.points),
            steps(combine=lambda self, seen, weights: Deformable.combine(self, seen, weights) * self.points),
        ),
        mistake(
            "points-fixed",
            "the points stay the fixed neighbourhood: the offsets of x are never used",
            "Which line of forward reads offsets(x)?",
            steps(way=fixed_way),
        ),
        mistake(
            "residual-inside",
            "x is added inside",
            "What comes out if x is 1 everywhere and all points lie inside?",
            lambda right: type("Wrong", (right,), {"forward": lambda self, x: x + right.forward(self, x)}),
        ),
        *(Misconception(told.id, told.name, told.question) for told in STARTS),
        ELSEWHERE,
        AT_RANDOM,
    ),
    hints=(
        """
        Three questions to each position, by its own feature alone: where do I look (two numbers for each point), how much do
        I trust each point (one number, then a softmax), and what stands there (the sampler of lesson 07, `F.grid_sample`)?
        """,
        r"""
        Offsets: a 1x1 convolution to `2 * points` channels, as `(N, points, H, W, 2)`, $(x, y)$ in pixels. In the grid's
        coordinates a pixel is $2/W$ wide and $2/H$ high. Weights: a 1x1 convolution to `points` channels, softmax over
        them. Start: all weights of both layers and the score's biases 0; the offset's biases are $(-1, -1), (0, -1), (1, -1),
        (-1, 0), \dots, (1, 1)$.
        """,
        """
        ```
        __init__: a 1x1 convolution from channels to 2 * points, one from channels to points
                  without gradient: fill both with 0;
                  copy the (x, y) of the neighbourhood, row by row, into the first one's biases
        offsets:  first convolution of x, cut into (points, 2), the 2 moved to the end
        weights:  softmax over the channels of the second convolution of x
        forward:  here = F.affine_grid of the identity, (N, H, W, 2): the centres of the pixels
                  result = 0
                  for each point p: seen = F.grid_sample(x, here + offset of p * (2 / W, 2 / H))
                                    result = result + weight of p (with an axis for the channels) * seen
                  return result
        ```
        """,
    ),
)


# zero-start


class Door(nn.Module):
    """The right answer in steps."""

    def __init__(self, block: nn.Module):
        super().__init__()
        self.block = self.held(block)
        self.gamma = self.first()

    def held(self, block: nn.Module) -> nn.Module:
        return block

    def first(self) -> nn.Parameter:
        return nn.Parameter(torch.zeros(1))

    def opened(self) -> Tensor:
        return self.gamma

    def combine(self, x: Tensor, gamma: Tensor, seen: Tensor) -> Tensor:
        return x + gamma * seen

    def forward(self, x: Tensor) -> Tensor:
        return self.combine(x, self.opened(), self.block(x))


def of_zeros(self: Door, block: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
    return block


def of_channels(block: nn.Module) -> int:
    return len(next(block.parameters()))


BLOCK_CHANGED = Misconception(
    "block-changed",
    "the block's own parameters are set to other values",
    "gamma = 0 and a block of zeros: what is the gradient of each of the two? Which of them can begin to learn?",
    "gamma alone is 0 at first",
)


def leaves_the_block() -> Property:
    def failure(got: Observation, _: Observation, __: Question) -> Failure | None:
        return Failure(f"{got.preset} parameters of the block set", "none", BLOCK_CHANGED) if got.preset else None

    return Property("the block as it was given", failure, "build")


ZERO_START = Exercise(
    id="zero-start",
    equation=ZERO,
    forms=(Door,),
    probes={
        "a convolution": Probe(lambda g: (normal(g, 2, 3, 5, 6),), build=(StandIn("convolution", (3,), 1),)),
        "a gate": Probe(lambda g: (normal(g, 3, 4, 6, 5),), build=(StandIn("gate", (4,), 2),)),
        "tokens": Probe(lambda g: (normal(g, 1, 5, 4),), build=(StandIn("stack", (("Linear", 4, 4),), 3),)),
        "not to be copied": Probe(lambda g: (normal(g, 2, 4),), build=(StandIn("unique", (("Linear", 4, 4),), 4),)),
        "a normalisation": Probe(
            lambda g: (normal(g, 2, 3, 4, 5),), build=(StandIn("stack", (("BatchNorm2d", 3), ("Conv2d", 3, 3, 1)), 5),)
        ),
    },
    checks={
        "identity": Check(1, (starts_as_identity(), leaves_the_block(), parameters())),
        "values": Check(
            1, (shape(), leaves_input_alone(), values(), images_apart(), repeatable(), the_same_in_training())
        ),
        "gradients": Check(1, (gradients(),)),
    },
    misconceptions=(
        mistake(
            "block-copied",
            "the module holds a copy of the block, not the block that was given",
            "Somebody changes the block that you were given. Does your module notice?",
            steps(held=lambda self, block: copy.deepcopy(block)),
            equation="the module holds the block itself",
        ),
        mistake(
            "block-frozen",
            "the block's own parameters are frozen: only gamma can learn",
            "What should training change, once the door is open?",
            steps(held=lambda self, block: block.requires_grad_(False)),
            equation="the block stays as it was given",
        ),
        mistake(
            "gamma-frozen",
            "gamma is not trained (requires_grad=False, or a buffer): the door stays closed for ever",
            "Which numbers does an optimiser change?",
            steps(first=lambda self: nn.Parameter(torch.zeros(1), requires_grad=False)),
        ),
        mistake(
            "gamma-whole",
            "gamma is a whole number; only real numbers can have a gradient",
            "What is the dtype of torch.tensor(0), and of torch.tensor(0.0)?",
            steps(first=lambda self: nn.Parameter(torch.tensor(0))),
            steps(first=lambda self: nn.Parameter(torch.zeros(1, dtype=torch.long))),
        ),
        mistake(
            "gamma-with-axes",
            "gamma is one number, but has axes of its own: the output gets them where x has fewer",
            "Which shape has gamma * x for gamma of shape (1, 1, 1, 1) and tokens of shape (1, 5, 4)?",
            steps(first=lambda self: nn.Parameter(torch.zeros(1, 1, 1, 1))),
            steps(first=lambda self: nn.Parameter(torch.zeros(1, 1, 1))),
        ),
        mistake(
            "gamma-for-each-channel",
            "there is a gamma for each channel; the statement asks for one number",
            "How many numbers does gamma have in the statement?",
            *(
                steps(first=lambda self, behind=behind: nn.Parameter(torch.zeros(of_channels(self.block), *behind)))
                for behind in ((1, 1), ())
            ),
            steps(first=lambda self: nn.Parameter(torch.zeros(1, of_channels(self.block), 1, 1))),
        ),
        mistake(
            "gamma-made-late",
            "gamma has no size before the first call; one number needs no x to be made",
            "On what does the shape of gamma depend?",
            steps(first=lambda self: nn.UninitializedParameter()),
        ),
        mistake(
            "gamma-before-the-block",
            "gamma weighs what goes into the block, not what comes out",
            "What does a block with a bias give for an input of 0?",
            steps(forward=lambda self, x: x + self.block(self.gamma * x)),
        ),
        mistake(
            "gamma-through-a-function",
            "not gamma itself weighs the block, but a function of it",
            "What does the equation do to gamma before it meets the block?",
            *(
                steps(opened=lambda self, function=function: function(self.gamma))
                for function in (torch.tanh, torch.relu, torch.abs, torch.square)
            ),
        ),
        mistake(
            "never-opens",
            "at gamma = 0 the block is left out by an if: no gradient ever reaches gamma, and it stays 0",
            "Which way does a gradient take from y to gamma, while gamma is 0?",
            steps(forward=lambda self, x: x + self.gamma * self.block(x) if float(self.gamma) else x),
        ),
        mistake(
            "gamma-is-no-parameter",
            "gamma is a plain tensor, which no optimiser sees: the door stays closed for ever",
            "Is gamma among module.parameters()?",
            steps(first=lambda self: torch.zeros(1)),
        ),
        mistake(
            "gamma-on-x",
            "gamma weighs x, not the block",
            "Which of the two should be left out at first?",
            steps(combine=lambda self, x, gamma, seen: gamma * x + seen),
        ),
        mistake(
            "cross-fade",
            "x fades out as the block fades in: (1 - gamma) x + gamma block(x)",
            "What should be left of x when gamma is 1?",
            steps(combine=lambda self, x, gamma, seen: (1 - gamma) * x + gamma * seen),
        ),
        mistake(
            "no-skip",
            "x is not added: a fresh module gives zeros",
            "What does the rest of the network get while gamma is 0?",
            steps(combine=lambda self, x, gamma, seen: gamma * seen),
        ),
        mistake(
            "sum-weighed",
            "gamma weighs the sum of x and the block",
            "What does the rest of the network get while gamma is 0?",
            steps(combine=lambda self, x, gamma, seen: gamma * (x + seen)),
        ),
        mistake(
            "sigmoid-of-gamma",
            "a sigmoid of gamma weighs the block: at first it is half open",
            "What is sigmoid(0)?",
            steps(opened=lambda self: self.gamma.sigmoid()),
        ),
        mistake(
            "gamma-left-out",
            "the block is added without gamma",
            "Which line of forward reads gamma?",
            steps(combine=lambda self, x, gamma, seen: x + seen),
            *(
                steps(first=lambda self: None, combine=lambda self, x, gamma, seen: x + seen, held=held)
                for held in (Door.held, of_zeros)
            ),
        ),
        BLOCK_CHANGED,
    ),
    hints=(
        "A sum of two: what is there already, and something new behind a door. Who opens the door, and how wide is it at first?",
        r"$y = x + \gamma\,\mathrm{block}(x)$. $\gamma$ is an `nn.Parameter` with one number, 0 at first. The block stays as it is.",
        """
        ```
        __init__: keep the block
                  gamma = a parameter with one zero
        forward:  return x plus gamma times block of x
        ```
        """,
    ),
)

EXERCISES = (
    ECA_EXERCISE,
    COORDINATE_EXERCISE,
    PARTITION,
    REVERSE,
    SHIFTED_MASK,
    ONLINE_SOFTMAX,
    DEFORMABLE_EXERCISE,
    ZERO_START,
)
