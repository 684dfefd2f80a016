"""Lesson 03, CBAM: channel-attention, spatial-attention, cbam, which-order, debug-cbam (channel and spatial)."""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn

from ...mechanisms import CBAM, ChannelAttention, SpatialAttention
from ..exercise import Check, Exercise, Failure, Probe, Property, Use, instead, mistake, named, normal, steps
from ..observe import Observation, Question
from ..properties import (
    gradients,
    images_apart,
    leaves_input_alone,
    parameters,
    shape,
    values,
)
from ..stand_ins import StandIn
from . import gates
from .gates import as_map

CHANNEL = "M_c = sigmoid(MLP(avg) + MLP(max)) (Woo et al. 2018, equation 2)"
WIDTH = "hidden width = C / r (Woo et al. 2018, section 3)"
MAPS = "[avg; max] has shape (N, 2, H, W) (Woo et al. 2018, equation 3)"


def uneven(generator: torch.Generator, n: int, c: int, h: int, w: int) -> Tensor:
    """Maps whose averages and maxima often differ in sign, so that no statistic can stand for the other."""
    return normal(generator, n, c, h, w) + normal(generator, n, c, 1, 1) - 0.5


CHECKS = {
    "shapes": Check(1, (shape("weights"), shape("output"), leaves_input_alone())),
    "parameters": Check(2, (parameters(),)),
    "values": Check(
        3,
        gates.VALUES,
    ),
    "gradients": Check(1, (gradients(),)),
}

# Channel attention


class Channel(gates.Gate, gates.Bottleneck, ChannelAttention):
    """The right answer in steps, so that a mistake can replace one."""

    def scores(self, x: Tensor) -> Tensor:
        return as_map(self.mlp(self.average(x)) + self.mlp(self.maximum(x)))


class AppliedOnce(Channel):
    """The last layer is linear, so it may be applied once, to the sum of the hidden vectors."""

    def scores(self, x: Tensor) -> Tensor:
        return as_map(self.mlp[-1](self.mlp[:-1](self.average(x)) + self.mlp[:-1](self.maximum(x))))


def sigmoids(self, x: Tensor) -> Tensor:
    return as_map(self.mlp(self.average(x)).sigmoid() + self.mlp(self.maximum(x)).sigmoid())


def maxima(*axes, **keywords) -> tuple[steps, steps]:
    """The maximum asked for its axes in this way, as a method and as a function."""
    return (
        steps(maximum=lambda self, x: x.max(*axes, **keywords)),
        steps(maximum=lambda self, x: torch.max(x, *axes, **keywords)),
    )


CHANNEL_PROBES = {
    "small": Probe(lambda g: (uneven(g, 2, 40, 5, 7),), build=(40, 4)),
    "default reduction": Probe(lambda g: (uneven(g, 3, 48, 6, 4),), build=(48,)),
    "one image": Probe(lambda g: (uneven(g, 1, 30, 3, 8),), build=(30, 8)),
}

CHANNEL_ATTENTION = Exercise(
    id="channel-attention",
    equation=CHANNEL,
    forms=(Channel, AppliedOnce),
    free_biases=True,
    records=("weights", "output"),
    probes=CHANNEL_PROBES,
    checks=CHECKS,
    misconceptions=(
        mistake(
            "both-max",
            "both poolings are maxima: the average pooling is missing, and nothing crashes",
            "Read both pooling lines letter by letter. Which one averages?",
            steps(average=Channel.maximum),
        ),
        mistake(
            "both-average",
            "both poolings are averages: the maximum is missing",
            "Which of your lines sees the largest value of a channel?",
            steps(maximum=Channel.average),
        ),
        mistake(
            "no-max",
            "only the average is used: this is the SE block",
            "What does CBAM look at that SE does not?",
            steps(scores=lambda self, x: as_map(self.mlp(self.average(x)))),
        ),
        mistake(
            "no-average",
            "only the maximum is used, the average is missing",
            "How many squeezes has equation 2?",
            steps(scores=lambda self, x: as_map(self.mlp(self.maximum(x)))),
        ),
        mistake(
            "two-mlps",
            "average and maximum have an MLP each; the paper's is shared",
            "How many sets of weights has equation 2?",
            steps(
                layers=lambda self, *sizes: nn.ModuleList(Channel.layers(self, *sizes) for _ in range(2)),
                scores=lambda self, x: as_map(self.mlp[0](self.average(x)) + self.mlp[1](self.maximum(x))),
            ),
        ),
        mistake(
            "mlp-of-the-sum",
            "average and maximum are added before the MLP, not after it",
            "Is ReLU(a + b) the same as ReLU(a) + ReLU(b)?",
            steps(scores=lambda self, x: as_map(self.mlp(self.average(x) + self.maximum(x)))),
        ),
        mistake(
            "concatenated",
            "average and maximum are concatenated into one long vector",
            "How long is the vector that the shared MLP receives?",
            steps(
                layers=lambda self, channels, hidden: nn.Sequential(
                    nn.Linear(2 * channels, hidden), nn.ReLU(), nn.Linear(hidden, channels)
                ),
                scores=lambda self, x: as_map(self.mlp(torch.cat((self.average(x), self.maximum(x)), 1))),
            ),
        ),
        mistake(
            "product",
            "the two scores are multiplied, not added",
            "If one score is 0, should the other one still count?",
            steps(scores=lambda self, x: as_map(self.mlp(self.average(x)) * self.mlp(self.maximum(x)))),
        ),
        mistake(
            "sigmoid-each",
            "each score has a sigmoid of its own before the sum: the gate reaches 2",
            "What is the largest value of sigmoid(a) + sigmoid(b)?",
            steps(scores=sigmoids, gate=lambda self, total: total),
        ),
        mistake(
            "sigmoids-averaged",
            "each score has a sigmoid of its own, and the two gates are averaged",
            "Where does the sum stand in equation 2: before the sigmoid or after it?",
            steps(scores=sigmoids, gate=lambda self, total: total / 2),
        ),
        gates.NO_SIGMOID,
        gates.HARD_SIGMOID,
        gates.softmax_not_sigmoid("channel"),
        gates.SIGMOID_TWICE,
        gates.relu_before_sigmoid("channel"),
        gates.no_relu("W1 W0"),
        gates.other_activation(),
        gates.batch_mixed(),
        mistake(
            "max-over-two-axes",
            "max takes one axis only; amax takes several",
            "Which of torch's maxima accepts a tuple of axes?",
            *maxima((2, 3)),
            *maxima((2, 3), True),
            *maxima((2, 3), keepdim=True),
            *maxima(dim=(2, 3)),
            *maxima(dim=(2, 3), keepdim=True),
        ),
        mistake(
            "no-mlp",
            "there is no MLP: the sigmoid is taken of the pooled values",
            "Where do the channels talk to each other?",
            steps(layers=lambda self, channels, hidden: nn.Sequential(nn.Identity())),
        ),
        gates.no_bottleneck(
            "How many layers has the MLP, and how wide is the one in the middle?",
            "MLP(z) = W1 ReLU(W0 z) with C / r hidden units (Woo et al. 2018, section 3)",
        ),
        gates.reduction_as_width(WIDTH),
        gates.reduction_ignored(WIDTH),
        gates.width_rounded(WIDTH),
        gates.gate_shape("(N, C)", "(N, C, 1, 1)"),
        gates.GATE_RETURNED,
        gates.RESIDUAL_INSIDE,
        gates.GATE_ADDED,
    ),
    hints=(
        """
        It is the SE block with two squeezes, not one. Which of its parts is used twice, and where do the two results
        meet?
        """,
        r"""
        $a$ and $m$: `(N, C)` are the average and the maximum of every channel.
        $M_c = \sigma\left(\mathrm{MLP}(a) + \mathrm{MLP}(m)\right)$ with $\mathrm{MLP}(z) = W_1\,\mathrm{ReLU}(W_0 z)$,
        $W_0$ of shape `(C // r, C)`, $W_1$ of shape `(C, C // r)`: the same two layers both times.
        The gate is $M_c$ as `(N, C, 1, 1)`.
        """,
        """
        ```
        __init__: one MLP: a layer from channels to channels // reduction, ReLU, a layer back
        weights:  a = mean of x over height and width
                  m = maximum of x over height and width
                  s = sigmoid(MLP of a + MLP of m)
                  return s with two new axes at the end
        forward:  return x times weights(x)
        ```
        """,
    ),
)

# Spatial attention


class AverageFirst(gates.Gate, SpatialAttention):
    """The right answer in steps, so that a mistake can replace one.

    inputs: how many maps a convolution sees.
    """

    inputs = 2
    batch_norm = nn.BatchNorm2d

    def __init__(self, kernel_size: int = 7):
        nn.Module.__init__(self)
        self.conv = self.convolution(self.inputs, kernel_size)
        self.norm = self.batch_norm(1)

    def convolution(self, inputs: int, size: int) -> nn.Module:
        return nn.Conv2d(inputs, 1, size, padding=size // 2, bias=False)

    def average(self, x: Tensor) -> Tensor:
        return x.mean(1, keepdim=True)

    def maximum(self, x: Tensor) -> Tensor:
        return x.amax(1, keepdim=True)

    def maps(self, x: Tensor) -> Sequence[Tensor]:
        return self.average(x), self.maximum(x)

    def convolved(self, maps: Sequence[Tensor]) -> Tensor:
        return self.conv(torch.cat(maps, 1))

    def scores(self, x: Tensor) -> Tensor:
        return self.norm(self.convolved(self.maps(x)))


SPATIAL_PROBES = {
    "two images": Probe(lambda g: (uneven(g, 2, 6, 9, 11),), build=(3,)),
    "default kernel": Probe(lambda g: (uneven(g, 3, 5, 12, 8),)),
    "one image": Probe(lambda g: (uneven(g, 1, 4, 8, 13),), build=(5,)),
}

SPATIAL_ATTENTION = Exercise(
    id="spatial-attention",
    equation="M_s = sigmoid(BN(conv([avg; max]))) (Woo et al. 2018, equation 3, and BN as in the authors' code)",
    forms=(AverageFirst,),
    records=("weights", "output"),
    probes=SPATIAL_PROBES,
    checks=CHECKS,
    misconceptions=(
        mistake(
            "both-max",
            "both maps are the maximum over the channels: the average is missing, and nothing crashes",
            "Read both pooling lines letter by letter. Which one averages?",
            steps(average=AverageFirst.maximum),
        ),
        mistake(
            "both-average",
            "both maps are the average over the channels: the maximum is missing",
            "Which of your lines sees the largest value of a position?",
            steps(maximum=AverageFirst.average),
        ),
        mistake(
            "average-only",
            "the convolution sees the average alone",
            "How many maps does the convolution receive in equation 3?",
            steps(inputs=1, maps=lambda self, x: [self.average(x)]),
        ),
        mistake(
            "maximum-only",
            "the convolution sees the maximum alone",
            "How many maps does the convolution receive in equation 3?",
            steps(inputs=1, maps=lambda self, x: [self.maximum(x)]),
        ),
        mistake(
            "maps-added",
            "average and maximum are added into one map, not stacked",
            "Can your kernel weigh average and maximum differently?",
            steps(inputs=1, maps=lambda self, x: [self.average(x) + self.maximum(x)]),
        ),
        mistake(
            "padding",
            "the padding does not fit the kernel: the gate is smaller or larger than the map",
            "Which padding keeps height and width for a 3x3 kernel, a 5x5, a 7x7?",
            steps(convolution=lambda self, inputs, size: nn.Conv2d(inputs, 1, size, bias=False)),
            steps(convolution=lambda self, inputs, size: nn.Conv2d(inputs, 1, size, padding=3, bias=False)),
            equation="padding = (k - 1) / 2 keeps the size of the map",
        ),
        mistake(
            "keepdim-missing",
            "the pooled maps have lost the channel axis, so images are stacked where channels should be",
            "Which shape has the average over dim=1? For N = 2 nothing crashes: which axis do you then concatenate?",
            steps(maps=lambda self, x: (x.mean(1), x.amax(1))),
            steps(maps=lambda self, x: (x.amax(1), x.mean(1))),
            equation=MAPS,
        ),
        mistake(
            "pooled-over-positions",
            "average and maximum run over the positions, as in the channel gate; here they run over the channels",
            "Which axis must become 1 if every position keeps a number of its own?",
            steps(
                average=lambda self, x: x.mean((2, 3), keepdim=True),
                maximum=lambda self, x: x.amax((2, 3), keepdim=True),
            ),
        ),
        mistake(
            "indices-not-values",
            "the second result of max says which channel is largest, not how large it is",
            "max(dim=1) returns two tensors. Which of them do you use?",
            steps(maximum=lambda self, x: x.max(1, keepdim=True).indices),
        ),
        gates.NO_SIGMOID,
        gates.softmax_not_sigmoid("position"),
        gates.SIGMOID_TWICE,
        gates.relu_before_sigmoid("position"),
        mistake(
            "no-norm",
            "this is equation 3 word by word: the batch normalisation between convolution and sigmoid is missing",
            "Equation 3 leaves it out, the authors' code has it. Which one does the exercise follow?",
            steps(batch_norm=nn.Identity),
            steps(
                batch_norm=nn.Identity,
                convolution=lambda self, inputs, size: nn.Conv2d(inputs, 1, size, padding=size // 2),
            ),
        ),
        mistake(
            "conv-bias",
            "the convolution has a bias",
            "What does the batch normalisation do to a constant that is added before it?",
            steps(convolution=lambda self, inputs, size: nn.Conv2d(inputs, 1, size, padding=size // 2)),
        ),
        mistake(
            "norm-after-sigmoid",
            "the batch normalisation stands after the sigmoid: the gate leaves its range",
            "Which of the two must come last, so that the gate lies between 0 and 1?",
            steps(weights=lambda self, x: self.norm(self.gate(self.convolved(self.maps(x))))),
        ),
        mistake(
            "norm-first",
            "the batch normalisation stands before the convolution",
            "Which numbers must have mean 0 before the sigmoid: the two maps or the scores?",
            steps(
                batch_norm=lambda self, _: nn.BatchNorm2d(2),
                scores=lambda self, x: self.conv(self.norm(torch.cat(self.maps(x), 1))),
            ),
        ),
        mistake(
            "norm-unused",
            "the batch normalisation is declared, but never used",
            "Which line of weights(x) calls it?",
            steps(scores=lambda self, x: self.convolved(self.maps(x))),
        ),
        mistake(
            "kernel-size-ignored",
            "the kernel is always 7 x 7, whatever kernel_size says",
            "Where does your __init__ read kernel_size?",
            steps(convolution=lambda self, inputs, size: nn.Conv2d(inputs, 1, 7, padding=3, bias=False)),
            equation="M_s has a k x k convolution, with k = 7 in equation 3 (Woo et al. 2018)",
        ),
        gates.gate_shape("(N, H, W)", "(N, 1, H, W)"),
        gates.GATE_RETURNED,
        gates.RESIDUAL_INSIDE,
        gates.GATE_ADDED,
    ),
    hints=(
        """
        Now each position is described by two numbers, taken over its channels. A convolution turns this picture of two
        channels into one score a position. Which axis do you pool, and must it vanish?
        """,
        r"""
        $a, m$: `(N, 1, H, W)`, average and maximum over axis 1. Stacked along axis 1: `(N, 2, H, W)`.
        $M_s = \sigma\left(\mathrm{BN}(f^{k \times k}([a; m]))\right)$: `(N, 1, H, W)`.
        The convolution has 2 channels in, 1 out, padding $(k-1)/2$ and no bias.
        """,
        """
        ```
        __init__: a convolution from 2 channels to 1, kernel_size, padding kernel_size // 2, no bias
                  a batch normalisation of 1 channel
        weights:  a = mean of x over axis 1, axis kept
                  m = maximum of x over axis 1, axis kept
                  maps = a and m joined along axis 1
                  return sigmoid(normalisation of the convolution of maps)
        forward:  return x times weights(x)
        ```
        """,
    ),
)

# CBAM


class Block(CBAM):
    """The right answer, made of one form of each part."""

    channel_form, spatial_form = Channel, AverageFirst

    def __init__(self, channels: int, reduction: int = 16, kernel_size: int = 7):
        nn.Module.__init__(self)
        self.channel = self.channel_form(channels, reduction)
        self.spatial = self.spatial_form(kernel_size)


CBAM_EXERCISE = Exercise(
    id="cbam",
    uses={
        "ChannelAttention": Use(CHANNEL_ATTENTION, lambda attention: steps(channel_form=attention)),
        "SpatialAttention": Use(SPATIAL_ATTENTION, lambda attention: steps(spatial_form=attention)),
    },
    equation="x' = M_c(x) x, output = M_s(x') x' (Woo et al. 2018, equation 1)",
    forms=tuple(steps(channel_form=channel)(Block) for channel in (Channel, AppliedOnce)),
    free_biases=True,
    probes={
        "small": Probe(lambda g: (uneven(g, 2, 40, 9, 11),), build=(40, 4, 3)),
        "defaults": Probe(lambda g: (uneven(g, 3, 32, 8, 10),), build=(32,)),
        "one image": Probe(lambda g: (uneven(g, 1, 24, 7, 8),), build=(24, 8, 5)),
    },
    checks={
        "parameters": Check(1, (parameters(),)),
        "values": Check(1, (shape(), values(), images_apart(), gradients(), leaves_input_alone())),
    },
    misconceptions=(
        mistake(
            "multiplied-twice",
            "x is multiplied by its gates twice: your two parts already give back the gated map",
            "What does channel(x) return, the gate or the refined map?",
            steps(forward=lambda self, x: self.spatial(refined := x * self.channel(x)) * refined),
        ),
        mistake(
            "spatial-first",
            "the order is swapped: positions first, then channels",
            "Which gate does equation 1 apply first?",
            steps(forward=lambda self, x: self.channel(self.spatial(x))),
        ),
        mistake(
            "both-from-x",
            "the spatial gate is computed from x, not from the map that the channel gate has refined",
            "What does the spatial attention look at: x or x'?",
            steps(forward=lambda self, x: x * self.channel.weights(x) * self.spatial.weights(x)),
        ),
        mistake(
            "in-parallel",
            "the two gates, or the two gated maps, are added: both parts work on x side by side",
            "Equation 1 has two lines. Which result does the second one take?",
            steps(forward=lambda self, x: self.channel(x) + self.spatial(x)),
        ),
        mistake(
            "channel-only",
            "the spatial attention is never applied",
            "Which line uses your second module?",
            steps(forward=lambda self, x: self.channel(x)),
        ),
        mistake(
            "spatial-only",
            "the channel attention is never applied",
            "Which line uses your first module?",
            steps(forward=lambda self, x: self.spatial(x)),
        ),
        mistake(
            "refined-map-lost",
            "the spatial gate of x' multiplies x: the channel gate is used to look, but not to gate",
            "What is multiplied in the second line of equation 1?",
            steps(forward=lambda self, x: x * self.spatial.weights(self.channel(x))),
        ),
        mistake(
            "residual-inside",
            "x is added inside the block; the residual unit around it does that",
            "Does a gate of 0 give 0?",
            steps(forward=lambda self, x: x + self.spatial(self.channel(x))),
        ),
        mistake(
            "gated-twice",
            "the gated map is multiplied by x once more",
            "Your spatial attention returns a gate or a gated map? Who multiplies by x?",
            steps(forward=lambda self, x: x * self.spatial(self.channel(x))),
        ),
        mistake(
            "kernel-size-not-passed",
            "kernel_size does not reach the spatial attention",
            "Where does your __init__ use kernel_size?",
            steps(__init__=lambda self, channels, r=16, k=7: Block.__init__(self, channels, r)),
        ),
        mistake(
            "reduction-not-passed",
            "reduction does not reach the channel attention",
            "Where does your __init__ use reduction?",
            steps(__init__=lambda self, channels, r=16, k=7: Block.__init__(self, channels, kernel_size=k)),
        ),
    ),
    hints=(
        "You have both parts. The second one works on what the first one returns.",
        r"""
        $x' = M_c(x)\,x$ and $\mathrm{output} = M_s(x')\,x'$, every map `(N, C, H, W)`.
        Each of your two modules does one of these lines in its `forward`.
        """,
        """
        ```
        __init__: a channel attention with channels and reduction
                  a spatial attention with kernel_size
        forward:  refined = channel attention of x
                  return spatial attention of refined
        ```
        """,
    ),
)

# Which order


class ChannelFirst:
    """The right answer in steps: what a first channel gate cannot notice leaves it as it is."""

    def __call__(self, block: Callable, x: Tensor) -> bool:
        return self.verdict(self.quantity(block, x), self.quantity(block, self.changed(x)))

    def changed(self, x: Tensor) -> Tensor:
        return x.flip(-1)

    def quantity(self, block: Callable, x: Tensor) -> Tensor:
        gate = block(x) / x
        return gate / gate[:, :1]

    def verdict(self, before: Tensor, after: Tensor) -> bool:
        return torch.allclose(before, after, rtol=1e-3)


def two_gates(order: str, statistics: str, n: int = 2) -> Probe:
    """A block of two gates in an order, with random numbers in both, and a map without zeros."""

    def inputs(g: Generator) -> tuple[StandIn, Tensor]:
        seed = int(torch.randint(2**31, (), generator=g))
        return StandIn("two gates", (order, statistics, 8, 5), seed), uneven(g, n, 8, 9, 11)

    return Probe(inputs)


ORDER_PROBES = {
    f"{order} first, {statistics}{', one image' if n == 1 else ''}": two_gates(order, statistics, n)
    for statistics, n in (("both", 2), ("both", 1), ("average", 2), ("maximum", 2))
    for order in ("channels", "positions")
}


def tells_orders_apart(*statistics: str) -> Property:
    def failure(got: Observation, expected: Observation, question: Question) -> Failure | None:
        said, right = got.values["output"], bool(expected.values["output"])
        if said.ndim:
            return Failure(f"shape {tuple(said.shape)}", "one answer: True or False")
        if bool(said) == right:
            return None
        return Failure(f"{bool(said)} for a block that gates {question.name.split()[0]} first", f"{right}")

    on = tuple(name for name in ORDER_PROBES if name.split(", ")[1] in statistics)
    return Property("the order of a block of two gates", failure, on=on)


WHICH_ORDER = Exercise(
    id="which-order",
    equation="gate(c, p) = M_c(c) M_s(p): the ratio of two channels' gates is that of M_c alone, at every position p",
    forms=(ChannelFirst(),),
    probes=ORDER_PROBES,
    checks={
        "cbam": Check(2, (tells_orders_apart("both"), leaves_input_alone())),
        "other-gates": Check(2, (tells_orders_apart("average", "maximum"), leaves_input_alone())),
    },
    misconceptions=(
        mistake(
            "never-true",
            "the answer is False for every block: what you compare changes in both orders",
            "Both gates are in the output. Which part of it is the channel gate alone? And is rounding a change?",
            instead(lambda block, x: False),
        ),
        mistake(
            "never-false",
            "the answer is True for every block: what you compare changes in neither order",
            "Does your change of x disturb a spatial gate that comes first?",
            instead(lambda block, x: True),
        ),
        mistake(
            "the-other-way-round",
            "the two orders are told apart, but True and False are exchanged",
            "Which gate did your change of x leave alone? If this gate moved, was it the first or the second?",
            steps(verdict=lambda self, before, after: not torch.allclose(before, after, rtol=1e-3)),
        ),
        mistake(
            "one-for-each-image",
            "there is an answer for each image; the order is one fact about the block",
            "How do you make one answer of several?",
            steps(
                verdict=lambda self, before, after: torch.isclose(before, after, rtol=1e-3).flatten(1).all(1),
            ),
        ),
    ),
    hints=(
        """
        Look for a change of x that the *first* gate cannot notice. A channel gate pools over the positions. What may
        happen to the positions without changing an average or a maximum?
        """,
        r"""
        Move the positions of x (`x.flip(-1)`, say). Average and maximum of every channel stay. So $M_c$ stays **if it
        looks at x itself**. If a spatial gate came before, $M_c$ looks at another map, and moves.
        How do you see $M_c$? $\mathrm{block}(x) / x$ is $M_c(c)\,M_s(p)$. Divide it by its channel 0: $M_s(p)$ is gone.
        """,
        """
        ```
        channel gates of x: gate = block of x, divided by x
                            return gate divided by its first channel (axis kept)
        before = channel gates of x
        after  = channel gates of x with its columns in reverse order
        return whether the two are close
        ```
        """,
    ),
)

# Debug it: both modules return their gates

returns_gate = steps(forward=lambda self, x: self.weights(x))

GATE_APPLIED = mistake(
    "gate-applied",
    "x is multiplied here already; this module returns the gate alone",
    "What does the tutorial's last line return?",
    steps(forward=lambda self, x: x * self.weights(x)),
    equation="forward(x) returns the gate",
)

DEBUG_HINTS = (
    """
    Run each module and read the last line of the error. Then read the lines that do *not* crash, word by word: one of
    them does not do what its name says.
    """,
    """
    Channel: `(N, C, H, W)` -> average and maximum, `(N, C, 1, 1)` each -> the same MLP of 1x1 convolutions -> sum ->
    sigmoid. Spatial: average and maximum over axis 1, `(N, 1, H, W)` each -> joined `(N, 2, H, W)` -> convolution ->
    `(N, 1, H, W)`. Which lines give another shape, or another statistic?
    """,
    """
    ```
    channel:
        the second pooling averages
        every convolution of the MLP has kernel size 1
    spatial:
        maximum over axis 1, axis kept
        mean over axis 1, axis kept
        the rest as it is
    ```
    """,
)


def first_kernel(size: int, **arguments) -> steps:
    """An MLP of convolutions on the pooled map, the first of which has a kernel of this size."""

    def layers(self, channels: int, hidden: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(channels, hidden, size, **arguments), nn.ReLU(), nn.Conv2d(hidden, channels, 1))

    def scores(self, x: Tensor) -> Tensor:
        return self.mlp(as_map(self.average(x))) + self.mlp(as_map(self.maximum(x)))

    return steps(layers=layers, scores=scores)


DEBUG_CHANNEL = Exercise(
    id="debug-cbam",
    part="channel",
    equation=CHANNEL,
    forms=(returns_gate(Channel), returns_gate(AppliedOnce)),
    free_biases=True,
    probes=CHANNEL_PROBES,
    checks={
        "runs": Check(1, (shape(),)),
        "values": Check(2, (parameters(), values(), images_apart(), gradients(), leaves_input_alone())),
    },
    misconceptions=(
        mistake(
            "kernel-size-missing",
            "the first convolution has no kernel size",
            "Which three numbers does nn.Conv2d always need? Which kernel fits a 1x1 map?",
            steps(layers=lambda self, channels, hidden: nn.Conv2d(channels, hidden, stride=1, bias=False)),
            equation="MLP on a (N, C, 1, 1) map = 1x1 convolutions",
        ),
        mistake(
            "kernel-on-one-pixel",
            "the first convolution has a 3x3 kernel, but the pooled map is 1x1",
            "Which kernel makes a convolution on a 1x1 map a linear layer?",
            first_kernel(3),
            first_kernel(3, padding=1),
        ),
        *named(
            CHANNEL_ATTENTION.misconceptions,
            "both-max",
            "both-average",
            "no-max",
            "no-average",
            "two-mlps",
            "mlp-of-the-sum",
            "no-sigmoid",
            "relu-before-sigmoid",
        ),
        GATE_APPLIED,
    ),
    hints=DEBUG_HINTS,
)

DEBUG_SPATIAL = Exercise(
    id="debug-cbam",
    part="spatial",
    equation="M_s = sigmoid(conv([avg; max])) (Woo et al. 2018, equation 3)",
    forms=(returns_gate(steps(batch_norm=nn.Identity)(AverageFirst)),),
    probes=SPATIAL_PROBES | {"one image": Probe(SPATIAL_PROBES["one image"].inputs, build=(7,))},
    checks={
        "runs": Check(1, (shape(),)),
        "values": Check(2, (parameters(), values(), images_apart(), gradients(), leaves_input_alone())),
    },
    misconceptions=(
        *named(SPATIAL_ATTENTION.misconceptions, "keepdim-missing"),
        mistake(
            "keepdim-forgotten-once",
            "one of the two maps has kept its axis, the other has not",
            "Print both shapes before torch.cat. Are they the same?",
            steps(average=lambda self, x: x.mean(1)),
            steps(maximum=lambda self, x: x.amax(1)),
            equation=MAPS,
        ),
        mistake(
            "joined-along-the-wrong-axis",
            "the two maps are joined along the batch or along the image, not along the channels",
            "Which axis must have size 2 after torch.cat?",
            steps(convolved=lambda self, maps: self.conv(torch.cat(maps, 0))),
            steps(convolved=lambda self, maps: self.conv(torch.cat(maps, 2))),
            equation=MAPS,
        ),
        *named(
            SPATIAL_ATTENTION.misconceptions,
            "both-max",
            "both-average",
            "pooled-over-positions",
            "indices-not-values",
            "no-sigmoid",
        ),
        mistake(
            "norm-added",
            "there is a batch normalisation, which the tutorial's module has not",
            "Is this the repaired module, or your own one from before? How many weights has a 3x3 kernel on two maps?",
            steps(batch_norm=nn.BatchNorm2d),
        ),
        mistake(
            "conv-bias",
            "the convolution has a bias, which the tutorial's has not",
            "How many weights has a 3x3 kernel on two maps?",
            steps(convolution=lambda self, inputs, size: nn.Conv2d(inputs, 1, size, padding=size // 2)),
        ),
        GATE_APPLIED,
    ),
    hints=DEBUG_HINTS,
)

EXERCISES = (CHANNEL_ATTENTION, SPATIAL_ATTENTION, CBAM_EXERCISE, WHICH_ORDER, DEBUG_CHANNEL, DEBUG_SPATIAL)
