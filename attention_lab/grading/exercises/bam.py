"""Lesson 04, BAM: channel-gate, spatial-gate, bam, receptive-field, debug-bam (channel, spatial and bam)."""

from math import prod

import torch
from torch import Tensor, nn

from ...mechanisms import BAM, ChannelGate, SpatialGate, receptive_field
from ..exercise import Check, Exercise, Probe, Use, instead, mistake, named, normal, steps
from ..properties import (
    gradients,
    images_apart,
    leaves_input_alone,
    parameters,
    repeatable,
    shape,
    the_same_in_training,
    values,
)
from . import gates

CHANNEL = "M_c = W1 ReLU(BN(W0 avg(x))) (Park et al. 2018, equation 3; BN as in the authors' code)"
SPATIAL = "M_s = f3(f2(f1(f0(x)))): 1x1, two dilated 3x3, 1x1 (Park et al. 2018, equation 4)"
GATE = "M = sigmoid(M_c + M_s), output = (1 + M) x (Park et al. 2018, equations 1 and 2)"
WIDTH = "hidden width = C / r (Park et al. 2018, section 3)"


class Branch(gates.Bottleneck):
    """What both branches have: a normalisation in every hidden layer, nothing behind the last one."""

    def activation(self, width: int) -> list[nn.Module]:
        return [self.norm(width), self.relu()]

    def behind(self, width: int) -> list[nn.Module]:
        return []

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(x)


expanded = steps(forward=lambda self, x: self.scores(x).expand_as(x))

BEHIND = (
    mistake(
        "relu-last",
        "a ReLU stands at the end: no logit is negative, so this branch can never vote to close the gate",
        "Can your branch return a negative logit?",
        steps(behind=lambda self, width: [self.relu()]),
    ),
    mistake(
        "norm-and-relu-last",
        "BN and ReLU stand behind the last layer too: no logit is negative, so this branch can never vote to close the "
        "gate",
        "Can your branch return a negative logit?",
        steps(behind=lambda self, width: self.activation(width)),
    ),
    mistake(
        "norm-last",
        "a batch normalisation stands behind the last layer: the paper has one, the exercise asks for a plain layer",
        "What follows the last layer in the authors' code?",
        steps(behind=lambda self, width: [self.norm(width)]),
    ),
    mistake(
        "sigmoid-inside",
        "the sigmoid is taken here; the two branches must be added before it",
        "Which comes first in equation 2: the sum or the sigmoid?",
        steps(behind=lambda self, width: [nn.Sigmoid()]),
        equation=GATE,
    ),
)

GATE_CHECKS = {
    "shapes": Check(1, (shape(), leaves_input_alone())),
    "parameters": Check(1, (parameters(),)),
    "values": Check(3, (values(), images_apart(), repeatable(), the_same_in_training())),
    "gradients": Check(1, (gradients(),)),
}

# Channel gate


class Channel(Branch, ChannelGate):
    """The right answer in steps, so that a mistake can replace one."""

    norm = nn.BatchNorm1d

    def layers(self, channels: int, hidden: int) -> nn.Module:
        return nn.Sequential(*super().layers(channels, hidden), *self.behind(channels))


CHANNEL_PROBES = {
    "large values": Probe(lambda g: (40 + 80 * normal(g, 2, 32, 5, 7),), build=(32, 4)),
    "default reduction": Probe(lambda g: (0.5 + normal(g, 3, 48, 6, 4),), build=(48,)),
    "one image": Probe(lambda g: (0.5 + normal(g, 1, 30, 3, 8),), build=(30, 8)),
}

CHANNEL_GATE = Exercise(
    id="channel-gate",
    equation=CHANNEL,
    forms=(Channel, expanded(Channel)),
    free_biases=True,
    probes=CHANNEL_PROBES,
    checks=GATE_CHECKS,
    misconceptions=(
        mistake(
            "norm-of-maps",
            "BatchNorm2d receives (N, C), but it normalises maps (N, C, H, W)",
            "Which batch normalisation takes (N, C)?",
            steps(norm=nn.BatchNorm2d),
            equation="BatchNorm1d: (N, C); BatchNorm2d: (N, C, H, W)",
        ),
        mistake(
            "squeezed-too-far",
            "squeeze() drops the batch axis too when there is one image",
            "Which shape has x.mean((2, 3)) for one image, and which shape has it after squeeze()?",
            steps(average=lambda self, x: x.mean((2, 3)).squeeze()),
            equation="flatten(1): (N, C, 1, 1) -> (N, C) for every N",
        ),
        mistake(
            "sum-squeeze",
            "the squeeze is a sum: its size grows with the map",
            "What should the squeeze give for a constant channel, in a small map and in a large one?",
            steps(average=lambda self, x: x.sum((2, 3))),
        ),
        mistake(
            "no-norm",
            "the batch normalisation of the hidden layer is missing",
            "What stands between the first layer and the ReLU?",
            steps(activation=lambda self, width: [self.relu()]),
        ),
        mistake(
            "norm-after-relu",
            "the batch normalisation stands after the ReLU, not before it",
            "In which order do layer, BN and ReLU follow each other?",
            steps(activation=lambda self, width: [self.relu(), self.norm(width)]),
        ),
        gates.no_relu("W1 W0"),
        gates.other_activation(),
        *BEHIND,
        gates.max_squeeze(3),
        gates.no_squeeze(),
        mistake(
            "flat",
            "the logits have shape (N, C), which does not broadcast against x",
            "Which axes are missing between (N, C) and (N, C, 1, 1)?",
            steps(forward=lambda self, x: self.mlp(self.average(x))),
        ),
        gates.no_bottleneck("Which two matrices does equation 3 have, and of which shapes?"),
        gates.reduction_as_width(WIDTH),
        gates.reduction_ignored(WIDTH),
        gates.width_rounded(WIDTH),
    ),
    hints=(
        "It is the excitation of SE with one addition in the middle and one omission at the end.",
        r"""
        $z$: `(N, C)` is the average of every channel. $M_c = W_1\,\mathrm{ReLU}(\mathrm{BN}(W_0 z))$ with $W_0$ of
        shape `(C // r, C)` and $W_1$ of shape `(C, C // r)`. No sigmoid here. Return it as `(N, C, 1, 1)`.
        """,
        """
        ```
        __init__: a linear layer from channels to channels // reduction,
                  a 1d batch normalisation of that width,
                  a ReLU, a linear layer back
        forward:  z = mean of x over height and width
                  scores = the layers of z
                  return scores with two new axes at the end
        ```
        """,
    ),
)

# Spatial gate


class Spatial(Branch, SpatialGate):
    """The right answer in steps, so that a mistake can replace one."""

    norm = nn.BatchNorm2d

    def __init__(self, channels: int, reduction: int = 16, dilation: int = 4):
        nn.Module.__init__(self)
        hidden = self.hidden(channels, reduction)
        first = self.first(channels, hidden)
        last = self.last(channels, hidden)
        self.convs = nn.Sequential(*first, *self.middle(hidden, dilation), last, *self.behind(1))

    def first(self, channels: int, hidden: int) -> list[nn.Module]:
        return [nn.Conv2d(channels, hidden, 1), *self.activation(hidden)]

    def middle(self, hidden: int, dilation: int) -> list[nn.Module]:
        return [*self.dilated(hidden, dilation), *self.dilated(hidden, dilation)]

    def dilated(self, hidden: int, dilation: int) -> list[nn.Module]:
        return [self.convolution(hidden, dilation), *self.activation(hidden)]

    def convolution(self, hidden: int, dilation: int) -> nn.Module:
        return nn.Conv2d(hidden, hidden, 3, padding=self.padding(dilation), dilation=dilation)

    def padding(self, dilation: int) -> int:
        return dilation

    def last(self, channels: int, hidden: int) -> nn.Module:
        return nn.Conv2d(hidden, 1, 1)

    def scores(self, x: Tensor) -> Tensor:
        return self.convs(x)


SPATIAL_PROBES = {
    "large values": Probe(lambda g: (4 + 8 * normal(g, 2, 24, 9, 11),), build=(24, 4, 2)),
    "defaults": Probe(lambda g: (0.5 + normal(g, 3, 32, 10, 6),), build=(32,)),
    "one image": Probe(lambda g: (0.5 + normal(g, 1, 23, 7, 8),), build=(23, 6, 3)),
}

SPATIAL_GATE = Exercise(
    id="spatial-gate",
    equation=SPATIAL,
    forms=(Spatial, expanded(Spatial)),
    free_biases=True,
    probes=SPATIAL_PROBES,
    checks=GATE_CHECKS,
    misconceptions=(
        mistake(
            "padding",
            "the padding does not fit the dilation: the map shrinks or grows",
            "How far apart are the outer weights of a 3x3 kernel with dilation d? Which padding makes up for that?",
            steps(padding=lambda self, dilation: 1),
            steps(padding=lambda self, dilation: 4),
            steps(padding=lambda self, dilation: 0),
            equation="a 3x3 kernel of dilation d spans 2 d + 1 positions: padding = d keeps the size",
        ),
        mistake(
            "no-dilation",
            "the 3x3 convolutions are not dilated",
            "How many positions across does your branch see?",
            steps(convolution=lambda self, hidden, dilation: nn.Conv2d(hidden, hidden, 3, padding=1)),
        ),
        mistake(
            "dilation-ignored",
            "dilation is fixed at 4, whatever the argument says",
            "Where does your __init__ read dilation?",
            steps(convolution=lambda self, hidden, dilation: nn.Conv2d(hidden, hidden, 3, padding=4, dilation=4)),
        ),
        mistake(
            "one-dilated-convolution",
            "there is only one 3x3 convolution",
            "How many 3x3 convolutions has equation 4?",
            steps(middle=lambda self, hidden, dilation: self.dilated(hidden, dilation)),
        ),
        mistake(
            "one-convolution-twice",
            "the two 3x3 convolutions are one and the same layer: they share their weights",
            "Does [layer] * 2 make two layers, or two names of one?",
            steps(middle=lambda self, hidden, dilation: self.dilated(hidden, dilation) * 2),
        ),
        mistake(
            "no-norm-at-the-start",
            "the first 1x1 convolution has no batch normalisation",
            "How many hidden layers has the branch, and how many batch normalisations?",
            steps(first=lambda self, channels, hidden: [nn.Conv2d(channels, hidden, 1), self.relu()]),
        ),
        mistake(
            "no-norm",
            "the batch normalisations of the hidden layers are missing",
            "What stands between each hidden convolution and its ReLU?",
            steps(activation=lambda self, width: [self.relu()]),
        ),
        mistake(
            "no-relu",
            "the ReLUs are missing: convolutions in a row are one convolution",
            "What makes three hidden layers more than one?",
            steps(relu=nn.Identity),
        ),
        mistake(
            "norm-after-relu",
            "the batch normalisations stand after the ReLUs, not before them",
            "In which order do convolution, BN and ReLU follow each other?",
            steps(activation=lambda self, width: [self.relu(), self.norm(width)]),
        ),
        *BEHIND,
        mistake(
            "a-map-for-each-channel",
            "the last convolution has C outputs: there is one spatial map, for all channels",
            "How many maps does the spatial branch return?",
            steps(last=lambda self, channels, hidden: nn.Conv2d(hidden, channels, 1)),
        ),
        gates.reduction_ignored(WIDTH),
    ),
    hints=(
        """
        Four convolutions in a row: narrow down, look around, look further around, give one score. Which padding keeps
        the size of the map?
        """,
        """
        `(N, C, H, W)` -> 1x1 -> `(N, C // r, H, W)` -> dilated 3x3 -> the same -> dilated 3x3 -> the same -> 1x1 ->
        `(N, 1, H, W)`. A 3x3 kernel with dilation $d$ reaches $d$ positions to each side, so its padding is $d$.
        Each of the first three convolutions is followed by BN and ReLU, the last one by nothing.
        """,
        """
        ```
        __init__: hidden = channels // reduction
                  a sequence of
                    1x1 convolution channels -> hidden, BN, ReLU
                    3x3 convolution hidden -> hidden, padding and dilation as given, BN, ReLU
                    the same once more
                    1x1 convolution hidden -> 1
        forward:  return the sequence of x
        ```
        """,
    ),
)

# BAM


class ChannelFirst(gates.Gate, BAM):
    """The right answer in steps, so that a mistake can replace one."""

    channel_gate, spatial_gate = ChannelGate, SpatialGate

    def __init__(self, channels: int, reduction: int = 16, dilation: int = 4):
        nn.Module.__init__(self)
        self.channel = self.channel_gate(channels, reduction)
        self.spatial = self.spatial_gate(channels, reduction, dilation)

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.channel(x), self.spatial(x)

    def combined(self, channel: Tensor, spatial: Tensor) -> Tensor:
        return channel + spatial

    def scores(self, x: Tensor) -> Tensor:
        return self.combined(*self.branches(x))


class SpatialFirst(ChannelFirst):
    """The branches in the other order, in which their layers then run."""

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        spatial = self.spatial(x)
        return self.channel(x), spatial


BAM_EXERCISE = Exercise(
    id="bam",
    uses={
        "ChannelGate": Use(CHANNEL_GATE, lambda gate: steps(channel_gate=gate)),
        "SpatialGate": Use(SPATIAL_GATE, lambda gate: steps(spatial_gate=gate)),
    },
    equation=GATE,
    forms=(ChannelFirst, SpatialFirst),
    free_biases=True,
    records=("weights", "output"),
    probes={
        "small": Probe(lambda g: (0.5 + normal(g, 2, 24, 9, 11),), build=(24, 4, 2)),
        "defaults": Probe(lambda g: (0.5 + normal(g, 3, 32, 7, 6),), build=(32,)),
    },
    checks={
        "shapes": Check(1, (shape("weights"), shape("output"), leaves_input_alone())),
        "parameters": Check(1, (parameters(),)),
        "values": Check(
            3,
            (*gates.VALUES, gradients()),
        ),
    },
    misconceptions=(
        mistake(
            "product",
            "the two logits are multiplied, not added (the authors' published code does that too)",
            "If one branch says 0, should the other be silenced? And what do two negative scores give?",
            steps(combined=lambda self, channel, spatial: channel * spatial),
        ),
        mistake(
            "one-lost",
            "the 1 + is missing: a closed gate shuts x off",
            "What should a gate of 0 give?",
            steps(forward=lambda self, x: self.weights(x) * x),
        ),
        gates.NO_SIGMOID,
        gates.SIGMOID_TWICE,
        mistake(
            "sigmoid-each",
            "each branch has a sigmoid of its own, and then the two gates are added or averaged",
            "Which comes first in equation 2: the sum or the sigmoid?",
            steps(weights=lambda self, x: self.combined(*map(self.gate, self.branches(x)))),
            steps(weights=lambda self, x: self.combined(*map(self.gate, self.branches(x))) / 2),
        ),
        mistake(
            "sigmoids-multiplied",
            "each branch has a sigmoid of its own, and the two are multiplied, as in CBAM",
            "Which comes first in equation 2: the sum or the sigmoid?",
            steps(weights=lambda self, x: prod(map(self.gate, self.branches(x)))),
        ),
        mistake(
            "larger-score",
            "only the larger of the two scores counts",
            "What should a strong no of one branch do to a weak yes of the other?",
            steps(combined=lambda self, channel, spatial: torch.maximum(channel, spatial)),
        ),
        mistake(
            "softmax-not-sigmoid",
            "a softmax replaces the sigmoid: channels, or positions, compete for a sum of 1",
            "May two places be open at the same time?",
            steps(gate=lambda self, scores: scores.softmax(1)),
            steps(gate=lambda self, scores: scores.flatten(2).softmax(2).view_as(scores)),
            steps(gate=lambda self, scores: scores.flatten(1).softmax(1).view_as(scores)),
        ),
        mistake(
            "channel-only",
            "only the channel branch is used, the spatial gate never",
            "Which line uses your second branch?",
            steps(combined=lambda self, channel, spatial: channel.expand_as(channel + spatial)),
            steps(combined=lambda self, channel, spatial: channel),
        ),
        mistake(
            "spatial-only",
            "only the spatial branch is used, the channel gate never",
            "Which line uses your first branch?",
            steps(combined=lambda self, channel, spatial: spatial.expand_as(channel + spatial)),
            steps(combined=lambda self, channel, spatial: spatial),
        ),
        mistake(
            "brackets-missing",
            "1 is added to M x, not to M",
            "Python multiplies before it adds. What is 1 + M * x where M is 0?",
            steps(forward=lambda self, x: 1 + self.weights(x) * x),
        ),
        mistake(
            "gate-added",
            "x and the gate are added: x + M, not x + M x",
            "What does the gate multiply in (1 + M) x?",
            steps(forward=lambda self, x: x + self.weights(x)),
        ),
        mistake(
            "gate-returned",
            "M or 1 + M is returned: it never meets x",
            "Which line multiplies with x?",
            steps(forward=lambda self, x: 1 + self.weights(x)),
            steps(forward=lambda self, x: self.weights(x)),
        ),
        mistake(
            "one-in-the-gate",
            "weights(x) returns 1 + M; the 1 belongs to forward",
            "In which range must weights(x) lie?",
            steps(gate=lambda self, scores: 1 + scores.sigmoid(), forward=lambda self, x: self.weights(x) * x),
        ),
        mistake(
            "dilation-not-passed",
            "dilation does not reach the spatial gate",
            "Where does your __init__ use dilation?",
            steps(spatial_gate=lambda self, channels, reduction, dilation: SpatialGate(channels, reduction)),
            equation=SPATIAL,
        ),
        mistake(
            "reduction-not-passed",
            "reduction reaches only one of the gates, or neither",
            "Where does your __init__ use reduction?",
            steps(__init__=lambda self, channels, r=16, d=4: ChannelFirst.__init__(self, channels, dilation=d)),
            steps(channel_gate=lambda self, channels, reduction: ChannelGate(channels)),
            steps(spatial_gate=lambda self, channels, reduction, dilation: SpatialGate(channels, dilation=dilation)),
            equation=WIDTH,
        ),
    ),
    hints=(
        """
        Each of your two gates returns logits. They meet before the sigmoid. And what should x be multiplied with where
        the gate is closed?
        """,
        r"""
        $M = \sigma(M_c + M_s)$: `(N, C, 1, 1)` plus `(N, 1, H, W)` broadcasts to `(N, C, H, W)`.
        $\mathrm{output} = (1 + M)\,x$: at $M = 0$ it is $x$.
        """,
        """
        ```
        __init__: a channel gate with channels and reduction
                  a spatial gate with channels, reduction and dilation
        weights:  return sigmoid(channel gate of x + spatial gate of x)
        forward:  return (1 + weights(x)) times x
        ```
        """,
    ),
)

# Receptive field


class ReceptiveField:
    """The right answer in steps, so that a mistake can replace one."""

    start = 1

    def __call__(self, layers: list[tuple[int, int, int]]) -> int:
        side, step = self.start, 1
        for kernel, stride, dilation in layers:
            side += self.growth(kernel, stride, dilation, step)
            step = self.next_step(step, stride)
        return side

    def growth(self, kernel: int, stride: int, dilation: int, step: int) -> int:
        return dilation * (kernel - 1) * step

    def next_step(self, step: int, stride: int) -> int:
        return step * stride


LAYERS = {
    "one layer": [(3, 1, 4)],
    "dilated pair": [(1, 1, 1), (3, 1, 4), (3, 1, 4), (1, 1, 1)],
    "strides": [(7, 2, 1), (3, 2, 1), (3, 1, 1), (5, 3, 1), (3, 1, 1)],
    "all together": [(5, 2, 3), (1, 3, 1), (3, 2, 2), (7, 1, 5)],
    "four different": [(3, 3, 1), (5, 1, 2), (2, 2, 3), (4, 1, 1)],
}


def side_times_stride(layers: list[tuple[int, int, int]]) -> int:
    side = 1
    for kernel, stride, dilation in reversed(layers):
        side = side * stride + dilation * (kernel - 1)
    return side


RECEPTIVE_FIELD = Exercise(
    id="receptive-field",
    equation="side = 1 + sum_i d_i (k_i - 1) prod_{j < i} s_j",
    forms=(ReceptiveField(),),
    probes={name: Probe(lambda g, layers=layers: (layers,)) for name, layers in LAYERS.items()},
    checks={
        "dilation": Check(
            1, (values(on=("one layer", "dilated pair"), name="side with dilation"), leaves_input_alone())
        ),
        "stride": Check(
            2, (values(on=("strides", "all together", "four different"), name="side with strides and dilation"),)
        ),
    },
    misconceptions=(
        mistake(
            "dilation-ignored",
            "dilation is never used",
            "How far apart are the outer weights of a 3-wide kernel with dilation 4?",
            steps(growth=lambda self, kernel, stride, dilation, step: (kernel - 1) * step),
        ),
        mistake(
            "stride-ignored",
            "strides are never used",
            "After a stride of 2, how many input pixels lie between two neighbours of the map?",
            steps(next_step=lambda self, step, stride: step),
        ),
        mistake(
            "kernel-not-less-one",
            "a kernel of k adds k positions in your sum, but one of them was there already",
            "What does a 1x1 convolution add?",
            steps(growth=lambda self, kernel, stride, dilation, step: dilation * kernel * step),
        ),
        mistake(
            "one-forgotten",
            "the pixel itself is not counted",
            "What is the side for an empty list of layers?",
            steps(start=0),
        ),
        mistake(
            "own-stride",
            "a layer's own stride is multiplied in; only the strides before it count",
            "Does a single layer see more because it moves in larger steps?",
            steps(growth=lambda self, kernel, stride, dilation, step: dilation * (kernel - 1) * step * stride),
            steps(growth=lambda self, kernel, stride, dilation, step: dilation * (kernel - 1) * stride),
        ),
        mistake(
            "wrong-order",
            "stride and dilation are exchanged: a layer is (kernel, stride, dilation)",
            "In which order does the statement name the three numbers of a layer?",
            instead(lambda layers: receptive_field((kernel, stride, dilation) for kernel, dilation, stride in layers)),
        ),
        mistake(
            "first-layer-only",
            "the return stands inside the loop: only the first layer is counted",
            "How far is your return indented?",
            instead(lambda layers: receptive_field(layers[:1])),
        ),
        mistake(
            "brackets-missing",
            "the 1 is taken off the product: d k - 1, not d (k - 1)",
            "A kernel of 3 has two gaps. How long are they with dilation 4?",
            steps(growth=lambda self, kernel, stride, dilation, step: (dilation * kernel - 1) * step),
        ),
        mistake(
            "last-stride-only",
            "only the stride of the layer just before is used, not the product of all before",
            "After strides of 2 and 3, how many input pixels is one step?",
            steps(next_step=lambda self, step, stride: stride),
        ),
        mistake(
            "product",
            "the sides are multiplied; each layer adds to what was seen",
            "What do two 3x3 convolutions in a row see: 5 or 9?",
            instead(lambda layers: prod(dilation * (kernel - 1) + 1 for kernel, _, dilation in layers)),
        ),
        mistake(
            "largest-layer",
            "only the largest layer counts in your result",
            "Does the second layer see only what the first layer saw?",
            instead(lambda layers: max(dilation * (kernel - 1) + 1 for kernel, _, dilation in layers)),
        ),
        mistake(
            "side-times-stride",
            "going back from the output, r positions are taken for r strides: they are r - 1 strides apart",
            "Two neighbours on a map of stride 2: how many input positions lie from the first to the second?",
            instead(side_times_stride),
        ),
        mistake(
            "from-the-end",
            "the layers are read from output to input",
            "Whose strides enlarge the steps of a layer: those before it or those after it?",
            instead(lambda layers: receptive_field(layers[::-1])),
        ),
    ),
    hints=(
        """
        Go through the layers from the input. Keep two numbers: the side so far, and how many input pixels one step on
        the present map is.
        """,
        r"""
        A layer adds $d\,(k - 1)$ steps: $\;\mathrm{side} = 1 + \sum_i d_i\,(k_i - 1) \prod_{j<i} s_j$.
        Two 3x3 layers of dilation 4 and stride 1: $1 + 8 + 8 = 17$.
        """,
        """
        ```
        side = 1, step = 1
        for each layer:
            side grows by dilation times (kernel - 1) times step
            step is multiplied by the stride
        return side
        ```
        """,
    ),
)

# Debug it: three classes, crash by crash


def output_read_first(self, x: Tensor) -> Tensor:
    output = abs(output)  # noqa: F821
    return output


OUTPUT_UNKNOWN = mistake(
    "output-before-it-exists",
    "output is read before anything was stored in it",
    "Which variable holds the input of forward?",
    steps(forward=output_read_first),
    equation="forward(x) starts from x",
)

DEBUG_CHECKS = {
    "runs": Check(1, (shape(),)),
    "values": Check(1, (parameters(), values(), images_apart(), gradients(), leaves_input_alone())),
}

DEBUG_HINTS = (
    """
    Work on one class at a time. Build it, call it on `torch.randn(2, 64, 8, 8)`, read the last line of the error,
    repair that line, and go on. When nothing crashes any more, ask: can each branch still return a negative logit?
    """,
    r"""
    Channel: `(N, C, H, W)` -> pool -> `(N, C, 1, 1)` -> `(N, C)` -> two layers -> `(N, C)` -> `(N, C, 1, 1)`.
    Spatial: every step `(N, ?, H, W)`, at the end `(N, 1, H, W)`. BAM: $(1 + \sigma(M_c + M_s))\,x$.
    Which normalisation fits `(N, C)`? Which layers come last in each branch?
    """,
    """
    ```
    channel: self is the first argument of __init__
             pool x, flatten, two layers (the 1d normalisation)
             nothing behind the second layer
             two new axes, then expand as x
    spatial: forward belongs to the class, not into __init__
             start from x; self. in front of every layer; expand as x
    BAM:     the argument is called x everywhere
             sigmoid is a function (torch.sigmoid) here
    ```
    """,
)


class WithoutSelf(nn.Module):
    def __init__(in_channels, ratio):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)  # noqa: F821


class WithoutSelfButADefault(nn.Module):
    def __init__(in_channels, ratio=16):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)  # noqa: F821


DEBUG_CHANNEL = Exercise(
    id="debug-bam",
    part="channel",
    equation=CHANNEL,
    forms=(expanded(Channel), Channel),
    free_biases=True,
    probes=CHANNEL_PROBES,
    checks=DEBUG_CHECKS,
    misconceptions=(
        mistake(
            "init-without-self",
            "__init__ has no self, so the first argument takes its place",
            "What does Python pass to a method as its first argument?",
            instead(WithoutSelf),
            instead(WithoutSelfButADefault),
            equation="def __init__(self, in_channels, ratio=16)",
        ),
        OUTPUT_UNKNOWN,
        *named(CHANNEL_GATE.misconceptions, "norm-of-maps"),
        mistake(
            "not-flattened",
            "the linear layers receive (N, C, 1, 1), not (N, C)",
            "Which shape do the linear layers expect?",
            steps(average=lambda self, x: x.mean((2, 3), keepdim=True)),
        ),
        mistake(
            "expanded-flat",
            "(N, C) cannot be expanded to (N, C, H, W): the two axes of size 1 are missing",
            "Against which axes of x does (N, C) line up?",
            steps(forward=lambda self, x: self.mlp(self.average(x)).expand_as(x)),
            equation="(N, C, 1, 1) expands to (N, C, H, W)",
        ),
        *named(
            CHANNEL_GATE.misconceptions,
            "no-norm",
            "norm-after-relu",
            "no-relu",
            "relu-last",
            "norm-and-relu-last",
            "norm-last",
            "sigmoid-inside",
            "flat",
        ),
    ),
    hints=DEBUG_HINTS,
)

DEBUG_SPATIAL = Exercise(
    id="debug-bam",
    part="spatial",
    equation=SPATIAL,
    forms=(expanded(Spatial), Spatial),
    free_biases=True,
    probes={
        "small": Probe(lambda g: (0.5 + normal(g, 2, 24, 9, 11),), build=(24, 4)),
        "default reduction": Probe(lambda g: (0.5 + normal(g, 3, 32, 10, 6),), build=(32,)),
        "one image": Probe(lambda g: (0.5 + normal(g, 1, 18, 7, 8),), build=(18, 6)),
    },
    checks=DEBUG_CHECKS,
    misconceptions=(
        mistake(
            "forward-inside-init",
            "forward is defined inside __init__, so the class has none",
            "How far is the def of forward indented?",
            steps(forward=nn.Module.forward),
            equation="def forward(self, x) stands beside def __init__",
        ),
        OUTPUT_UNKNOWN,
        mistake(
            "self-missing",
            "a layer is called without self., so Python does not find it",
            "Where did you store the last convolution?",
            steps(forward=lambda self, x: conv1x1_final(x)),  # noqa: F821
            equation="self.conv1x1_final",
        ),
        *named(
            SPATIAL_GATE.misconceptions,
            "padding",
            "no-dilation",
            "one-dilated-convolution",
            "relu-last",
            "norm-and-relu-last",
            "norm-last",
            "sigmoid-inside",
        ),
    ),
    hints=DEBUG_HINTS,
)


class NeedsARatio(nn.Module):
    def __init__(self, in_channels: int, ratio: int):
        super().__init__()


DEBUG_BAM = Exercise(
    id="debug-bam",
    part="bam",
    uses={
        "TutorialChannelGate": Use(DEBUG_CHANNEL, lambda gate: steps(channel_gate=gate)),
        "TutorialSpatialGate": Use(DEBUG_SPATIAL, lambda gate: steps(spatial_gate=gate)),
    },
    equation=GATE,
    forms=(ChannelFirst, SpatialFirst),
    free_biases=True,
    probes={
        "two images": Probe(lambda g: (0.5 + normal(g, 2, 32, 9, 11),), build=(32,)),
        "one image": Probe(lambda g: (0.5 + normal(g, 1, 48, 7, 6),), build=(48,)),
    },
    checks=DEBUG_CHECKS,
    misconceptions=(
        mistake(
            "ratio-missing",
            "the two gates need a ratio, and nobody gives them one",
            "Which arguments have no default, and who passes them?",
            steps(channel_gate=lambda self, channels, reduction: NeedsARatio(channels)),
            equation="TutorialChannelGate(in_channels, ratio=16)",
        ),
        mistake(
            "in-tensor-unknown",
            "in_tensor does not exist: the argument of forward is called x",
            "What is the argument of forward called?",
            steps(forward=lambda self, x: self.channel(in_tensor)),  # noqa: F821
            equation="forward(x) starts from x",
        ),
        mistake(
            "sigmoid-module-called-on-a-tensor",
            "nn.Sigmoid(...) builds a module; its argument is not the tensor to be gated",
            "What is the difference between nn.Sigmoid() and torch.sigmoid?",
            steps(gate=nn.Sigmoid),
            equation="torch.sigmoid(z), or nn.Sigmoid()(z)",
        ),
        *named(
            BAM_EXERCISE.misconceptions,
            "product",
            "one-lost",
            "no-sigmoid",
            "sigmoid-each",
            "gate-added",
            "gate-returned",
        ),
    ),
    hints=DEBUG_HINTS,
)

EXERCISES = (
    CHANNEL_GATE,
    SPATIAL_GATE,
    BAM_EXERCISE,
    RECEPTIVE_FIELD,
    DEBUG_CHANNEL,
    DEBUG_SPATIAL,
    DEBUG_BAM,
)
