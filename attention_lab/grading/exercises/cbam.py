"""Lesson 03, CBAM: channel-attention, spatial-attention, cbam, debug-cbam (channel and spatial)."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...mechanisms import CBAM, ChannelAttention, SpatialAttention, squeeze
from ..exercise import Check, Exercise, Misconception, Probe, normal
from ..properties import (
    between,
    gradients,
    images_apart,
    leaves_input_alone,
    parameters,
    repeatable,
    shape,
    values,
)

CHANNEL = "M_c = sigmoid(MLP(avg) + MLP(max)) (Woo et al. 2018, equation 2)"
SPATIAL = "M_s = sigmoid(BN(conv([avg; max]))) (Woo et al. 2018, equation 3, and BN as in the authors' code)"
REFINED = "x' = M_c(x) x, output = M_s(x') x' (Woo et al. 2018, equation 1)"


def uneven(generator: torch.Generator, n: int, c: int, h: int, w: int) -> Tensor:
    """Maps whose averages and maxima often differ in sign, so that no statistic can stand for the other."""
    return normal(generator, n, c, h, w) + normal(generator, n, c, 1, 1) - 0.5


def replaced(**members):
    """A misconception that has other members than the right answer, such as ``forward(self, x)``."""
    return lambda right: type("Wrong", (right,), members)


# Channel attention


class AppliedOnce(ChannelAttention):
    """The second layer is linear, so it may be applied once, to the sum of the hidden vectors."""

    def weights(self, x: Tensor) -> Tensor:
        hidden = self.mlp[:2](squeeze(x)) + self.mlp[:2](x.amax((2, 3)))
        return self.mlp[2](hidden).sigmoid()[:, :, None, None]


def channel_scores(scores):
    """A misconception with other scores, ``scores(self, average, maximum)``, in front of the sigmoid."""
    return replaced(weights=lambda self, x: scores(self, squeeze(x), x.amax((2, 3))).sigmoid()[:, :, None, None])


def mlp_scores(self, average: Tensor, maximum: Tensor) -> Tensor:
    return self.mlp(average) + self.mlp(maximum)


def channel_normaliser(normalise):
    """A misconception that makes something else than one sigmoid of the right scores, (N, C)."""
    return replaced(weights=lambda self, x: normalise(mlp_scores(self, squeeze(x), x.amax((2, 3))))[:, :, None, None])


def linear_scores(self, average: Tensor, maximum: Tensor) -> Tensor:
    first, _, second = self.mlp
    return second(first(average)) + second(first(maximum))


def two_mlps(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(right):
        def __init__(self, channels: int, reduction: int = 16):
            super().__init__(channels, reduction)
            self.other = ChannelAttention(channels, reduction).mlp

        def weights(self, x: Tensor) -> Tensor:
            return (self.mlp(squeeze(x)) + self.other(x.amax((2, 3)))).sigmoid()[:, :, None, None]

    return Wrong


def other_layers(layers, scores=mlp_scores):
    """A misconception with other layers, ``layers(channels, reduction)``, and their scores."""

    def wrong(right: type[nn.Module]) -> type[nn.Module]:
        class Wrong(channel_scores(scores)(right)):
            def __init__(self, channels: int, reduction: int = 16):
                nn.Module.__init__(self)
                self.mlp = layers(channels, reduction)

        return Wrong

    return wrong


def two_layers(channels: int, hidden: int, inputs: int = 1) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs * channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))


def batch_mixed(self, x: Tensor) -> Tensor:
    scores = mlp_scores(self, x.mean((0, 2, 3)), x.amax((0, 2, 3)))
    return scores.sigmoid()[None, :, None, None].expand(len(x), -1, 1, 1)


def two_axes_at_once(maximum):
    """A misconception whose maximum, ``maximum(x)``, is asked for two axes."""
    return replaced(weights=lambda self, x: mlp_scores(self, squeeze(x), maximum(x)))


TWO_AXES = Misconception(
    "max-over-two-axes",
    "max takes one axis only; amax takes several",
    "Which of torch's maxima accepts a tuple of axes?",
    CHANNEL,
    two_axes_at_once(lambda x: x.max((2, 3))),
)
MAXIMA_OVER_TWO_AXES = tuple(
    replace(TWO_AXES, codings=two_axes_at_once(maximum))
    for maximum in (
        lambda x: x.max((2, 3)),
        lambda x: x.max((2, 3), True),
        lambda x: x.max((2, 3), keepdim=True),
        lambda x: x.max(dim=(2, 3)),
        lambda x: x.max(dim=(2, 3), keepdim=True),
        lambda x: torch.max(x, (2, 3)),
        lambda x: torch.max(x, (2, 3), True),
        lambda x: torch.max(x, (2, 3), keepdim=True),
        lambda x: torch.max(x, dim=(2, 3)),
        lambda x: torch.max(x, dim=(2, 3), keepdim=True),
    )
)

CHANNEL_GATE = (
    Misconception(
        "both-max",
        "both poolings are maxima: the average pooling is missing, and nothing crashes",
        "Read both pooling lines letter by letter. Which one averages?",
        CHANNEL,
        channel_scores(lambda self, average, maximum: mlp_scores(self, maximum, maximum)),
    ),
    Misconception(
        "both-average",
        "both poolings are averages: the maximum is missing",
        "Which of your lines sees the largest value of a channel?",
        CHANNEL,
        channel_scores(lambda self, average, maximum: mlp_scores(self, average, average)),
    ),
    Misconception(
        "no-max",
        "only the average is used: this is the SE block",
        "What does CBAM look at that SE does not?",
        CHANNEL,
        channel_scores(lambda self, average, maximum: self.mlp(average)),
    ),
    Misconception(
        "no-average",
        "only the maximum is used, the average is missing",
        "How many squeezes has equation 2?",
        CHANNEL,
        channel_scores(lambda self, average, maximum: self.mlp(maximum)),
    ),
    Misconception(
        "two-mlps",
        "average and maximum have an MLP each; the paper's is shared",
        "How many sets of weights has equation 2?",
        CHANNEL,
        two_mlps,
    ),
    Misconception(
        "mlp-of-the-sum",
        "average and maximum are added before the MLP, not after it",
        "Is ReLU(a + b) the same as ReLU(a) + ReLU(b)?",
        CHANNEL,
        channel_scores(lambda self, average, maximum: self.mlp(average + maximum)),
    ),
    Misconception(
        "concatenated",
        "average and maximum are concatenated into one long vector",
        "How long is the vector that the shared MLP receives?",
        CHANNEL,
        other_layers(
            lambda channels, reduction: two_layers(channels, channels // reduction, inputs=2),
            lambda self, average, maximum: self.mlp(torch.cat((average, maximum), 1)),
        ),
    ),
    Misconception(
        "product",
        "the two scores are multiplied, not added",
        "If one score is 0, should the other one still count?",
        CHANNEL,
        channel_scores(lambda self, average, maximum: self.mlp(average) * self.mlp(maximum)),
    ),
    Misconception(
        "sigmoid-each",
        "each score has a sigmoid of its own before the sum: the gate reaches 2",
        "What is the largest value of sigmoid(a) + sigmoid(b)?",
        CHANNEL,
        replaced(
            weights=lambda self, x: (self.mlp(squeeze(x)).sigmoid() + self.mlp(x.amax((2, 3))).sigmoid())[
                :, :, None, None
            ]
        ),
    ),
    Misconception(
        "sigmoids-averaged",
        "each score has a sigmoid of its own, and the two gates are averaged",
        "Where does the sum stand in equation 2: before the sigmoid or after it?",
        CHANNEL,
        replaced(
            weights=lambda self, x: (
                (self.mlp(squeeze(x)).sigmoid() + self.mlp(x.amax((2, 3))).sigmoid())[:, :, None, None] / 2
            )
        ),
    ),
    Misconception(
        "no-sigmoid",
        "the sigmoid is missing: the gate can be negative or above 1",
        "In which range must a gate lie?",
        CHANNEL,
        channel_normaliser(lambda scores: scores),
    ),
    Misconception(
        "softmax-not-sigmoid",
        "a softmax over the channels replaces the sigmoid: channels compete",
        "Can two channels both be fully open?",
        CHANNEL,
        channel_normaliser(lambda scores: scores.softmax(1)),
    ),
    Misconception(
        "sigmoid-twice",
        "the sigmoid is applied twice: no gate can fall below 0.5",
        "Can your gate be 0.2?",
        CHANNEL,
        channel_normaliser(lambda scores: scores.sigmoid().sigmoid()),
    ),
    Misconception(
        "relu-before-sigmoid",
        "a ReLU stands before the sigmoid: no gate can fall below 0.5",
        "What is sigmoid(0)? Can your block suppress a channel?",
        CHANNEL,
        channel_normaliser(lambda scores: scores.relu().sigmoid()),
    ),
    Misconception(
        "no-relu",
        "the ReLU between the two layers is missing: two linear maps in a row are one",
        "What can W2 W1 do that one matrix cannot?",
        CHANNEL,
        channel_scores(linear_scores),
    ),
    Misconception(
        "batch-mixed",
        "the pooling runs over the images of the batch too",
        "Can image 2 change the gates of image 1?",
        CHANNEL,
        replaced(weights=batch_mixed),
    ),
    *MAXIMA_OVER_TWO_AXES,
)

CHANNEL_LAYERS = (
    Misconception(
        "no-mlp",
        "there is no MLP: the sigmoid is taken of the pooled values",
        "Where do the channels talk to each other?",
        CHANNEL,
        other_layers(lambda channels, reduction: nn.Identity()),
    ),
    Misconception(
        "no-bottleneck",
        "one full layer instead of the bottleneck of two",
        "How many layers has the MLP, and how wide is the one in the middle?",
        "MLP(z) = W1 ReLU(W0 z) with C / r hidden units (Woo et al. 2018, section 3)",
        other_layers(lambda channels, reduction: nn.Linear(channels, channels)),
    ),
    Misconception(
        "reduction-as-width",
        "reduction is used as the hidden width, not as the divisor",
        "How wide is the hidden layer for 64 channels and r = 16?",
        "hidden width = C / r (Woo et al. 2018, section 3)",
        other_layers(two_layers),
    ),
    Misconception(
        "reduction-ignored",
        "reduction is fixed at 16, whatever the argument says",
        "Where does your __init__ read reduction?",
        "hidden width = C / r (Woo et al. 2018, section 3)",
        other_layers(lambda channels, reduction: two_layers(channels, channels // 16)),
    ),
)


def wrong_outputs(gate: str, equation: str) -> tuple[Misconception, ...]:
    """What can go wrong when a right gate of shape ``gate`` meets x."""
    flat = {"(N, C, 1, 1)": lambda w: w.flatten(1), "(N, 1, H, W)": lambda w: w.squeeze(1)}[gate]

    def flat_gate(right: type[nn.Module]) -> type[nn.Module]:
        return type(
            "Wrong",
            (right,),
            {
                "weights": lambda self, x: flat(right.weights(self, x)),
                "forward": lambda self, x: x * right.weights(self, x),
            },
        )

    return (
        Misconception(
            "gate-shape",
            f"the block is right, but weights(x) has lost its axes of size 1: {gate} is needed",
            "Which shape broadcasts against (N, C, H, W)?",
            equation,
            flat_gate,
        ),
        Misconception(
            "gate-returned",
            "the gate is returned, it never meets x",
            "What is the shape of the block's output, and who multiplies?",
            equation,
            replaced(forward=lambda self, x: self.weights(x)),
        ),
        Misconception(
            "gate-returned",
            "the gate is returned, it never meets x",
            "What is the shape of the block's output, and who multiplies?",
            equation,
            replaced(forward=lambda self, x: self.weights(x).expand_as(x)),
        ),
        Misconception(
            "residual-inside",
            "x is added inside the block: a closed gate leaves x unchanged",
            "What should a gate of 0 give?",
            equation,
            replaced(forward=lambda self, x: x + x * self.weights(x)),
        ),
        Misconception(
            "gate-added",
            "the gate is added to x instead of multiplied",
            "What should a gate of 0 give?",
            equation,
            replaced(forward=lambda self, x: x + self.weights(x)),
        ),
    )


CHANNEL_PROBES = {
    "small": Probe(lambda g: (uneven(g, 2, 40, 5, 7),), build=(40, 4)),
    "default reduction": Probe(lambda g: (uneven(g, 3, 48, 6, 4),), build=(48,)),
    "one image": Probe(lambda g: (uneven(g, 1, 24, 3, 8),), build=(24, 8)),
}

CHECKS = {
    "shapes": Check(1, (shape("weights"), shape("output"), leaves_input_alone())),
    "parameters": Check(2, (parameters(),)),
    "values": Check(4, (between(0, 1, "weights"), values("weights"), values("output"), images_apart(), repeatable())),
    "gradients": Check(1, (gradients(),)),
}

CHANNEL_ATTENTION = Exercise(
    id="channel-attention",
    forms=(ChannelAttention, AppliedOnce),
    records=("weights", "output"),
    probes=CHANNEL_PROBES,
    checks=CHECKS,
    misconceptions=CHANNEL_GATE + CHANNEL_LAYERS + wrong_outputs("(N, C, 1, 1)", CHANNEL),
    free_biases=True,
    hints=(
        "It is the SE block with two squeezes, not one. Which of its parts is used twice, and where do the two results "
        "meet?",
        r"$a$ and $m$: `(N, C)` are the average and the maximum of every channel. "
        r"$M_c = \sigma\left(\mathrm{MLP}(a) + \mathrm{MLP}(m)\right)$ with "
        r"$\mathrm{MLP}(z) = W_1\,\mathrm{ReLU}(W_0 z)$, $W_0$ of shape `(C // r, C)`, $W_1$ of shape `(C, C // r)`: "
        "the same two layers both times. The gate is $M_c$ as `(N, C, 1, 1)`.",
        "```\n__init__: one MLP: a layer from channels to channels // reduction, ReLU, a layer back\n"
        "weights:  a = mean of x over height and width\n          m = maximum of x over height and width\n"
        "          s = sigmoid(MLP of a + MLP of m)\n          return s with two new axes at the end\n"
        "forward:  return x times weights(x)\n```",
    ),
)


# Spatial attention

POOLS = {"average": lambda x: x.mean(1, keepdim=True), "maximum": lambda x: x.amax(1, keepdim=True)}


class AverageFirst(SpatialAttention):
    """The reference in two steps, so that a misconception can replace one."""

    pools = ("average", "maximum")

    def scores(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(torch.cat([POOLS[pool](x) for pool in self.pools], 1)))

    def weights(self, x: Tensor) -> Tensor:
        return self.scores(x).sigmoid()


class MaximumFirst(AverageFirst):
    pools = ("maximum", "average")


class TwoKernels(AverageFirst):
    """A convolution of one map for each pooling: the sum is that of the stacked maps."""

    def __init__(self, kernel_size: int = 7):
        super().__init__(kernel_size)
        self.conv = nn.ModuleList(
            nn.Conv2d(1, 1, kernel_size, padding=kernel_size // 2, bias=False) for _ in self.pools
        )

    def scores(self, x: Tensor) -> Tensor:
        return self.norm(self.conv[0](POOLS["average"](x)) + self.conv[1](POOLS["maximum"](x)))


SPATIAL_FORMS = (AverageFirst, MaximumFirst, TwoKernels)


def one_map(pool):
    """A misconception whose convolution sees one map, ``pool(x)``."""

    def wrong(right: type[nn.Module]) -> type[nn.Module]:
        class Wrong(right):
            def __init__(self, kernel_size: int = 7):
                super().__init__(kernel_size)
                self.conv = nn.Conv2d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

            def scores(self, x: Tensor) -> Tensor:
                return self.norm(self.conv(pool(x)))

        return Wrong

    return wrong


def other_convolution(**arguments):
    """A misconception with other arguments of the convolution than ``bias=False`` and its padding."""

    def wrong(right: type[nn.Module]) -> type[nn.Module]:
        class Wrong(right):
            def __init__(self, kernel_size: int = 7):
                super().__init__(kernel_size)
                defaults = {"kernel_size": kernel_size, "padding": kernel_size // 2, "bias": False}
                self.conv = nn.Conv2d(2, 1, **(defaults | arguments))

        return Wrong

    return wrong


def without_norm(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(right):
        def __init__(self, kernel_size: int = 7):
            super().__init__(kernel_size)
            self.norm = nn.Identity()

    return Wrong


def without_keepdim(self, x: Tensor) -> Tensor:
    return self.norm(self.conv(torch.cat([POOLS[pool](x).squeeze(1) for pool in self.pools], 1)))


def over_positions(self, x: Tensor) -> Tensor:
    average, maximum = F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)
    maps = {"average": average, "maximum": maximum}
    return self.norm(self.conv(torch.cat([maps[pool] for pool in self.pools], 1)))


def indices(self, x: Tensor) -> Tensor:
    maps = {"average": POOLS["average"](x), "maximum": x.max(1, keepdim=True).indices}
    return self.norm(self.conv(torch.cat([maps[pool] for pool in self.pools], 1)))


def without_norm_scores(self, x: Tensor) -> Tensor:
    return self.conv(torch.cat([POOLS[pool](x) for pool in self.pools], 1))


def norm_first(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(right):
        def __init__(self, kernel_size: int = 7):
            super().__init__(kernel_size)
            self.norm = nn.BatchNorm2d(2)

        def scores(self, x: Tensor) -> Tensor:
            return self.conv(self.norm(torch.cat([POOLS[pool](x) for pool in self.pools], 1)))

    return Wrong


def norm_last(self, x: Tensor) -> Tensor:
    return self.norm(self.conv(torch.cat([POOLS[pool](x) for pool in self.pools], 1)).sigmoid())


PADDING = Misconception(
    "padding",
    "the padding does not fit the kernel: the gate is smaller or larger than the map",
    "Which padding keeps height and width for a 3x3 kernel, a 5x5, a 7x7?",
    "padding = (k - 1) / 2 keeps the size of the map",
    other_convolution(padding=0),
)
WITHOUT_KEEPDIM = Misconception(
    "keepdim-missing",
    "the pooled maps have lost the channel axis, so images are stacked where channels should be",
    "Which shape has the average over dim=1? Which axis do you then concatenate?",
    "[avg; max] has shape (N, 2, H, W) (Woo et al. 2018, equation 3)",
    replaced(scores=without_keepdim),
)
SPATIAL_GATE = (
    Misconception(
        "both-max",
        "both maps are the maximum over the channels: the average is missing, and nothing crashes",
        "Read both pooling lines letter by letter. Which one averages?",
        SPATIAL,
        replaced(pools=("maximum", "maximum")),
    ),
    Misconception(
        "both-average",
        "both maps are the average over the channels: the maximum is missing",
        "Which of your lines sees the largest value of a position?",
        SPATIAL,
        replaced(pools=("average", "average")),
    ),
    Misconception(
        "average-only",
        "the convolution sees the average alone",
        "How many maps does the convolution receive in equation 3?",
        SPATIAL,
        one_map(POOLS["average"]),
    ),
    Misconception(
        "maximum-only",
        "the convolution sees the maximum alone",
        "How many maps does the convolution receive in equation 3?",
        SPATIAL,
        one_map(POOLS["maximum"]),
    ),
    Misconception(
        "maps-added",
        "average and maximum are added into one map, not stacked",
        "Can your kernel weigh average and maximum differently?",
        SPATIAL,
        one_map(lambda x: POOLS["average"](x) + POOLS["maximum"](x)),
    ),
    PADDING,
    Misconception(PADDING.id, PADDING.name, PADDING.question, PADDING.equation, other_convolution(padding=3)),
    WITHOUT_KEEPDIM,
    Misconception(
        "pooled-over-positions",
        "average and maximum run over the positions, as in the channel gate; here they run over the channels",
        "Which axis must become 1 if every position keeps a number of its own?",
        SPATIAL,
        replaced(scores=over_positions),
    ),
    Misconception(
        "indices-not-values",
        "the second result of max says which channel is largest, not how large it is",
        "max(dim=1) returns two tensors. Which of them do you use?",
        SPATIAL,
        replaced(scores=indices),
    ),
    Misconception(
        "no-sigmoid",
        "the sigmoid is missing: the gate can be negative or above 1",
        "In which range must a gate lie?",
        SPATIAL,
        replaced(weights=lambda self, x: self.scores(x)),
    ),
    Misconception(
        "softmax-not-sigmoid",
        "a softmax over the positions replaces the sigmoid: positions compete, and each gets very little",
        "Can two positions both be fully open?",
        SPATIAL,
        replaced(weights=lambda self, x: self.scores(x).flatten(2).softmax(2).view_as(self.scores(x))),
    ),
    Misconception(
        "sigmoid-twice",
        "the sigmoid is applied twice: no gate can fall below 0.5",
        "Can your gate be 0.2?",
        SPATIAL,
        replaced(weights=lambda self, x: self.scores(x).sigmoid().sigmoid()),
    ),
    Misconception(
        "relu-before-sigmoid",
        "a ReLU stands before the sigmoid: no gate can fall below 0.5",
        "What is sigmoid(0)? Can your block suppress a position?",
        SPATIAL,
        replaced(weights=lambda self, x: self.scores(x).relu().sigmoid()),
    ),
)
SPATIAL_LAYERS = (
    Misconception(
        "no-norm",
        "the batch normalisation between convolution and sigmoid is missing",
        "Equation 3 leaves it out, the authors' code has it. Which one does the exercise follow?",
        SPATIAL,
        without_norm,
    ),
    Misconception(
        "conv-bias",
        "the convolution has a bias",
        "What does the batch normalisation do to a constant that is added before it?",
        SPATIAL,
        other_convolution(bias=True),
    ),
    Misconception(
        "norm-after-sigmoid",
        "the batch normalisation stands after the sigmoid: the gate leaves its range",
        "Which of the two must come last, so that the gate lies between 0 and 1?",
        SPATIAL,
        replaced(weights=norm_last),
    ),
    Misconception(
        "norm-first",
        "the batch normalisation stands before the convolution",
        "Which numbers must have mean 0 before the sigmoid: the two maps or the scores?",
        SPATIAL,
        norm_first,
    ),
    Misconception(
        "norm-unused",
        "the batch normalisation is declared, but never used",
        "Which line of weights(x) calls it?",
        SPATIAL,
        replaced(scores=without_norm_scores),
    ),
    Misconception(
        "kernel-size-ignored",
        "the kernel is always 7 x 7, whatever kernel_size says",
        "Where does your __init__ read kernel_size?",
        "M_s has a k x k convolution, with k = 7 in equation 3 (Woo et al. 2018)",
        other_convolution(kernel_size=7, padding=3),
    ),
)

SPATIAL_PROBES = {
    "two images": Probe(lambda g: (uneven(g, 2, 6, 9, 11),), build=(3,)),
    "default kernel": Probe(lambda g: (uneven(g, 3, 5, 12, 8),)),
    "one image": Probe(lambda g: (uneven(g, 1, 4, 8, 13),), build=(5,)),
}

SPATIAL_ATTENTION = Exercise(
    id="spatial-attention",
    forms=SPATIAL_FORMS,
    records=("weights", "output"),
    probes=SPATIAL_PROBES,
    checks=CHECKS,
    misconceptions=SPATIAL_GATE + SPATIAL_LAYERS + wrong_outputs("(N, 1, H, W)", SPATIAL),
    hints=(
        "Now each position is described by two numbers, taken over its channels. A convolution turns this picture of "
        "two channels into one score a position. Which axis do you pool, and must it vanish?",
        r"$a, m$: `(N, 1, H, W)`, average and maximum over axis 1. Stacked along axis 1: `(N, 2, H, W)`. "
        r"$M_s = \sigma\left(\mathrm{BN}(f^{k \times k}([a; m]))\right)$: `(N, 1, H, W)`. "
        "The convolution has 2 channels in, 1 out, padding $(k-1)/2$ and no bias.",
        "```\n__init__: a convolution from 2 channels to 1, kernel_size, padding kernel_size // 2, no bias\n"
        "          a batch normalisation of 1 channel\n"
        "weights:  a = mean of x over axis 1, axis kept\n          m = maximum of x over axis 1, axis kept\n"
        "          maps = a and m joined along axis 1\n"
        "          return sigmoid(normalisation of the convolution of maps)\n"
        "forward:  return x times weights(x)\n```",
    ),
)


# CBAM


def block(channel: type[nn.Module], spatial: type[nn.Module]) -> type[nn.Module]:
    """The block made of one form of each part."""

    class Form(CBAM):
        def __init__(self, channels: int, reduction: int = 16, kernel_size: int = 7):
            nn.Module.__init__(self)
            self.channel = channel(channels, reduction)
            self.spatial = spatial(kernel_size)

    return Form


def fixed(reduction: int | None = None, kernel_size: int | None = None):
    """A misconception that does not pass an argument on to its part."""

    def wrong(right: type[nn.Module]) -> type[nn.Module]:
        class Wrong(right):
            def __init__(self, channels: int, r: int = 16, k: int = 7):
                super().__init__(channels, reduction or r, kernel_size or k)

        return Wrong

    return wrong


def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
    return self.channel.weights(x), self.spatial.weights(x)


CBAM_EXERCISE = Exercise(
    id="cbam",
    forms=tuple(block(channel, spatial) for spatial in SPATIAL_FORMS for channel in (ChannelAttention, AppliedOnce)),
    probes={
        "small": Probe(lambda g: (uneven(g, 2, 40, 9, 11),), build=(40, 4, 3)),
        "defaults": Probe(lambda g: (uneven(g, 3, 32, 8, 10),), build=(32,)),
        "one image": Probe(lambda g: (uneven(g, 1, 24, 7, 8),), build=(24, 8, 5)),
    },
    checks={
        "parameters": Check(1, (parameters(),)),
        "values": Check(3, (shape(), values(), images_apart(), gradients(), leaves_input_alone())),
    },
    misconceptions=(
        Misconception(
            "spatial-first",
            "the order is swapped: positions first, then channels",
            "Which gate does equation 1 apply first?",
            REFINED,
            replaced(forward=lambda self, x: self.channel(self.spatial(x))),
        ),
        Misconception(
            "both-from-x",
            "the spatial gate is computed from x, not from the map that the channel gate has refined",
            "What does the spatial attention look at: x or x'?",
            REFINED,
            replaced(forward=lambda self, x: x * both(self, x)[0] * both(self, x)[1]),
        ),
        Misconception(
            "in-parallel",
            "the two gates, or the two gated maps, are added: both parts work on x side by side",
            "Equation 1 has two lines. Which result does the second one take?",
            REFINED,
            replaced(forward=lambda self, x: self.channel(x) + self.spatial(x)),
        ),
        Misconception(
            "channel-only",
            "the spatial attention is never applied",
            "Which line uses your second module?",
            REFINED,
            replaced(forward=lambda self, x: self.channel(x)),
        ),
        Misconception(
            "spatial-only",
            "the channel attention is never applied",
            "Which line uses your first module?",
            REFINED,
            replaced(forward=lambda self, x: self.spatial(x)),
        ),
        Misconception(
            "refined-map-lost",
            "the spatial gate of x' multiplies x: the channel gate is used to look, but not to gate",
            "What is multiplied in the second line of equation 1?",
            REFINED,
            replaced(forward=lambda self, x: x * self.spatial.weights(self.channel(x))),
        ),
        Misconception(
            "residual-inside",
            "x is added inside the block; the residual unit around it does that",
            "Does a gate of 0 give 0?",
            REFINED,
            replaced(forward=lambda self, x: x + self.spatial(self.channel(x))),
        ),
        Misconception(
            "gated-twice",
            "the gated map is multiplied by x once more",
            "Your spatial attention returns a gate or a gated map? Who multiplies by x?",
            REFINED,
            replaced(forward=lambda self, x: x * self.spatial(self.channel(x))),
        ),
        Misconception(
            "kernel-size-not-passed",
            "kernel_size does not reach the spatial attention",
            "Where does your __init__ use kernel_size?",
            REFINED,
            fixed(kernel_size=7),
        ),
        Misconception(
            "reduction-not-passed",
            "reduction does not reach the channel attention",
            "Where does your __init__ use reduction?",
            REFINED,
            fixed(reduction=16),
        ),
    ),
    free_biases=True,
    hints=(
        "You have both parts. The second one works on what the first one returns.",
        r"$x' = M_c(x)\,x$ and $\mathrm{output} = M_s(x')\,x'$, every map `(N, C, H, W)`. Each of your two modules "
        "does one of these lines in its `forward`.",
        "```\n__init__: a channel attention with channels and reduction\n"
        "          a spatial attention with kernel_size\n"
        "forward:  refined = channel attention of x\n          return spatial attention of refined\n```",
    ),
)


# Debug it: both modules return their gates

as_found = {"forward": lambda self, x: self.weights(x)}


def returns_gate(form: type[nn.Module]) -> type[nn.Module]:
    return type(form.__name__, (form,), as_found)


def kernel_size_missing(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(nn.Module):
        def __init__(self, channels: int, ratio: int = 16):
            super().__init__()
            nn.Conv2d(channels, channels // ratio, stride=1, bias=False)

    return Wrong


def one_by_one(kernel_size: int, **arguments):
    """A misconception whose first layer is a larger convolution on the 1x1 map."""

    def wrong(right: type[nn.Module]) -> type[nn.Module]:
        class Wrong(right):
            def __init__(self, channels: int, ratio: int = 16):
                super().__init__(channels, ratio)
                hidden = nn.Conv2d(channels, channels // ratio, kernel_size, **arguments)
                self.mlp = nn.Sequential(hidden, nn.ReLU(), nn.Conv2d(channels // ratio, channels, 1))

            def weights(self, x: Tensor) -> Tensor:
                return (self.mlp(F.adaptive_avg_pool2d(x, 1)) + self.mlp(F.adaptive_max_pool2d(x, 1))).sigmoid()

        return Wrong

    return wrong


APPLIED = Misconception(
    "gate-applied",
    "x is multiplied here already; this module returns the gate alone",
    "What does the tutorial's last line return?",
    "forward(x) returns the gate",
    replaced(forward=lambda self, x: x * self.weights(x)),
)
KERNEL_OF_THREE = Misconception(
    "kernel-on-one-pixel",
    "the first convolution has a 3x3 kernel, but the pooled map is 1x1",
    "Which kernel makes a convolution on a 1x1 map a linear layer?",
    CHANNEL,
    one_by_one(3),
)

DEBUG_CHANNEL = Exercise(
    id="debug-cbam",
    part="channel",
    forms=(returns_gate(ChannelAttention), returns_gate(AppliedOnce)),
    probes=CHANNEL_PROBES,
    checks={
        "runs": Check(1, (shape(),)),
        "values": Check(2, (parameters(), values(), images_apart(), gradients(), leaves_input_alone())),
    },
    misconceptions=(
        Misconception(
            "kernel-size-missing",
            "the first convolution has no kernel size",
            "Which three numbers does nn.Conv2d always need? Which kernel fits a 1x1 map?",
            "MLP on a (N, C, 1, 1) map = 1x1 convolutions",
            kernel_size_missing,
        ),
        KERNEL_OF_THREE,
        Misconception(
            KERNEL_OF_THREE.id, KERNEL_OF_THREE.name, KERNEL_OF_THREE.question, CHANNEL, one_by_one(3, padding=1)
        ),
        *CHANNEL_GATE[:5],
        *(m for m in CHANNEL_GATE if m.id in ("mlp-of-the-sum", "no-sigmoid", "relu-before-sigmoid")),
        APPLIED,
    ),
    free_biases=True,
    hints=(
        "Run each module and read the last line of the error. Then read the lines that do *not* crash, word by word: "
        "one of them does not do what its name says.",
        "Channel: `(N, C, H, W)` -> average and maximum, `(N, C, 1, 1)` each -> the same MLP of 1x1 convolutions -> "
        "sum -> sigmoid. Spatial: average and maximum over axis 1, `(N, 1, H, W)` each -> joined `(N, 2, H, W)` -> "
        "convolution -> `(N, 1, H, W)`. Which lines give another shape, or another statistic?",
        "```\nchannel:\n    the second pooling averages\n    every convolution of the MLP has kernel size 1\nspatial:\n"
        "    maximum over axis 1, axis kept\n    mean over axis 1, axis kept\n    the rest as it is\n```",
    ),
)

DEBUG_SPATIAL_FORMS = tuple(returns_gate(without_norm(form)) for form in SPATIAL_FORMS)


def with_norm(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(right):
        def __init__(self, kernel_size: int = 7):
            super().__init__(kernel_size)
            self.norm = nn.BatchNorm2d(1)

    return Wrong


def only_one_kept(kept: str):
    """A misconception in which one of the two pooled maps has lost its axis."""

    def scores(self, x: Tensor) -> Tensor:
        maps = [POOLS[pool](x) if pool == kept else POOLS[pool](x).squeeze(1) for pool in self.pools]
        return self.norm(self.conv(torch.cat(maps, 1)))

    return replaced(scores=scores)


def joined_along(dim: int):
    def scores(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(torch.cat([POOLS[pool](x) for pool in self.pools], dim)))

    return replaced(scores=scores)


ONE_KEPT = Misconception(
    "keepdim-forgotten-once",
    "one of the two maps has kept its axis, the other has not",
    "Print both shapes before torch.cat. Are they the same?",
    "[avg; max] has shape (N, 2, H, W) (Woo et al. 2018, equation 3)",
    only_one_kept("maximum"),
)
WRONG_AXIS = Misconception(
    "joined-along-the-wrong-axis",
    "the two maps are joined along the batch or along the image, not along the channels",
    "Which axis must have size 2 after torch.cat?",
    "[avg; max] has shape (N, 2, H, W) (Woo et al. 2018, equation 3)",
    joined_along(0),
)

DEBUG_SPATIAL_MISTAKES = ("both-max", "both-average", "pooled-over-positions", "indices-not-values", "no-sigmoid")

DEBUG_SPATIAL = Exercise(
    id="debug-cbam",
    part="spatial",
    forms=DEBUG_SPATIAL_FORMS,
    probes={name: Probe(probe.inputs, probe.build) for name, probe in SPATIAL_PROBES.items() if name != "one image"}
    | {"one image": Probe(SPATIAL_PROBES["one image"].inputs, build=(7,))},
    checks={
        "runs": Check(1, (shape(),)),
        "values": Check(2, (parameters(), values(), images_apart(), gradients(), leaves_input_alone())),
    },
    misconceptions=(
        replace(
            WITHOUT_KEEPDIM,
            question="Which shape has the average over dim=1? For N = 2 nothing crashes: which axis do you then "
            "concatenate?",
        ),
        ONE_KEPT,
        Misconception(ONE_KEPT.id, ONE_KEPT.name, ONE_KEPT.question, ONE_KEPT.equation, only_one_kept("average")),
        WRONG_AXIS,
        Misconception(WRONG_AXIS.id, WRONG_AXIS.name, WRONG_AXIS.question, WRONG_AXIS.equation, joined_along(2)),
        *(m for m in SPATIAL_GATE if m.id in DEBUG_SPATIAL_MISTAKES),
        Misconception(
            "norm-added",
            "there is a batch normalisation, which the tutorial's module has not",
            "Is this the repaired module, or your own one from before? How many weights has a 3x3 kernel on two maps?",
            "M_s = sigmoid(conv([avg; max])) (Woo et al. 2018, equation 3)",
            with_norm,
        ),
        Misconception(
            "conv-bias",
            "the convolution has a bias, which the tutorial's has not",
            "How many weights has a 3x3 kernel on two maps?",
            "M_s = sigmoid(conv([avg; max])) (Woo et al. 2018, equation 3)",
            other_convolution(bias=True),
        ),
        APPLIED,
    ),
    hints=DEBUG_CHANNEL.hints,
)

EXERCISES = (CHANNEL_ATTENTION, SPATIAL_ATTENTION, CBAM_EXERCISE, DEBUG_CHANNEL, DEBUG_SPATIAL)
