"""Lesson 04, BAM: channel-gate, spatial-gate, bam, receptive-field, debug-bam (channel, spatial and bam)."""

from dataclasses import replace

from torch import Tensor, nn
from torch.nn import functional as F

from ...mechanisms import BAM, ChannelGate, SpatialGate, receptive_field, squeeze
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

CHANNEL = "M_c = W1 ReLU(BN(W0 avg(x))) (Park et al. 2018, equation 3; BN as in the authors' code)"
SPATIAL = "M_s = f3(f2(f1(f0(x)))): 1x1, two dilated 3x3, 1x1 (Park et al. 2018, equation 4)"
GATE = "M = sigmoid(M_c + M_s), output = (1 + M) x (Park et al. 2018, equations 1 and 2)"
FIELD = "side = 1 + sum_i d_i (k_i - 1) prod_{j < i} s_j"


def replaced(**members):
    """A misconception that has other members than the right answer, such as ``forward(self, x)``."""
    return lambda right: type("Wrong", (right,), members)


def changed(change):
    """A misconception whose layers are changed after they were built, by ``change(self)``."""

    def wrong(right: type[nn.Module]) -> type[nn.Module]:
        class Wrong(right):
            def __init__(self, *arguments):
                super().__init__(*arguments)
                change(self)

        return Wrong

    return wrong


def expanded(form: type[nn.Module]) -> type[nn.Module]:
    """The form whose logits have the shape of x already."""

    class Expanded(form):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).expand_as(x)

    return Expanded


def logits(function):
    """A misconception with other logits, ``function(self, x)``, of a gate that may or may not be expanded."""

    def wrong(right: type[nn.Module]) -> type[nn.Module]:
        if right.__name__ == "Expanded":
            return expanded(type("Wrong", (right.__mro__[1],), {"forward": function}))
        return type("Wrong", (right,), {"forward": function})

    return wrong


def rebuilt(layers, function):
    """A misconception with other layers, ``layers(channels, reduction, ...)``, and their logits."""

    def wrong(right: type[nn.Module]) -> type[nn.Module]:
        class Wrong(logits(function)(right)):
            def __init__(self, *arguments):
                nn.Module.__init__(self)
                self.layers = layers(*arguments)

        return Wrong

    return wrong


# Channel gate


def as_map(scores: Tensor) -> Tensor:
    return scores[:, :, None, None]


def two_layers(channels: int, hidden: int, *between: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, hidden), *between, nn.Linear(hidden, channels))


def on_average(self, x: Tensor) -> Tensor:
    return as_map(self.layers(squeeze(x)))


def norm_of_maps(self) -> None:
    self.mlp[1] = nn.BatchNorm2d(self.mlp[1].num_features)


NORM_OF_MAPS = Misconception(
    "norm-of-maps",
    "BatchNorm2d receives (N, C), but it normalises maps (N, C, H, W)",
    "Which batch normalisation takes (N, C)?",
    "BatchNorm1d: (N, C); BatchNorm2d: (N, C, H, W)",
    changed(norm_of_maps),
)


def without_squeeze(self, x: Tensor) -> Tensor:
    first, norm, relu, second = self.mlp
    hidden = F.batch_norm(
        first(x.movedim(1, -1)).movedim(-1, 1), norm.running_mean, norm.running_var, norm.weight, norm.bias
    )
    return second(relu(hidden).movedim(1, -1)).movedim(-1, 1)


CHANNEL_GATE_WRONG = (
    NORM_OF_MAPS,
    Misconception(
        "squeezed-too-far",
        "squeeze() drops the batch axis too when there is one image",
        "Which shape has x.mean((2, 3)) for one image, and which shape has it after squeeze()?",
        "flatten(1): (N, C, 1, 1) -> (N, C) for every N",
        logits(lambda self, x: as_map(self.mlp(F.adaptive_avg_pool2d(x, 1).squeeze()))),
    ),
    Misconception(
        "sum-squeeze",
        "the squeeze is a sum: its size grows with the map",
        "What should the squeeze give for a constant channel, in a small map and in a large one?",
        CHANNEL,
        logits(lambda self, x: as_map(self.mlp(x.sum((2, 3))))),
    ),
    Misconception(
        "no-norm",
        "the batch normalisation of the hidden layer is missing",
        "What stands between the first layer and the ReLU?",
        CHANNEL,
        rebuilt(lambda channels, reduction=16: two_layers(channels, channels // reduction, nn.ReLU()), on_average),
    ),
    Misconception(
        "norm-after-relu",
        "the batch normalisation stands after the ReLU, not before it",
        "In which order do layer, BN and ReLU follow each other?",
        CHANNEL,
        logits(lambda self, x: as_map(self.mlp[3](self.mlp[1](self.mlp[0](squeeze(x)).relu())))),
    ),
    Misconception(
        "no-relu",
        "the ReLU between the two layers is missing: two linear maps in a row are one",
        "What can W1 W0 do that one matrix cannot?",
        CHANNEL,
        logits(lambda self, x: as_map(self.mlp[3](self.mlp[1](self.mlp[0](squeeze(x)))))),
    ),
    Misconception(
        "relu-last",
        "a ReLU stands at the end: no logit is negative, so this branch can never vote to close the gate",
        "Can your branch return a negative logit?",
        CHANNEL,
        logits(lambda self, x: as_map(self.mlp(squeeze(x)).relu())),
    ),
    Misconception(
        "norm-and-relu-last",
        "BN and ReLU stand behind the last layer too: no logit is negative, so this branch can never vote to close the gate",
        "Can your branch return a negative logit?",
        CHANNEL,
        rebuilt(
            lambda channels, reduction=16: nn.Sequential(
                *ChannelGate(channels, reduction).mlp, nn.BatchNorm1d(channels), nn.ReLU()
            ),
            on_average,
        ),
    ),
    Misconception(
        "norm-last",
        "a batch normalisation stands behind the last layer: the paper has one, the exercise asks for a plain layer",
        "What follows the last layer in the authors' code?",
        CHANNEL,
        rebuilt(
            lambda channels, reduction=16: nn.Sequential(
                *ChannelGate(channels, reduction).mlp, nn.BatchNorm1d(channels)
            ),
            on_average,
        ),
    ),
    Misconception(
        "sigmoid-inside",
        "the sigmoid is taken here; the two branches must be added before it",
        "Which comes first in equation 2: the sum or the sigmoid?",
        GATE,
        logits(lambda self, x: as_map(self.mlp(squeeze(x)).sigmoid())),
    ),
    Misconception(
        "max-squeeze",
        "max pooling where the squeeze is an average",
        "Which pooling does equation 3 use?",
        CHANNEL,
        logits(lambda self, x: as_map(self.mlp(x.amax((2, 3))))),
    ),
    Misconception(
        "no-squeeze",
        "the pooling is missing: every position gets a score of its own",
        "How many numbers describe one channel before the first layer?",
        CHANNEL,
        logits(without_squeeze),
    ),
    Misconception(
        "flat",
        "the logits have shape (N, C), which does not broadcast against x",
        "Which axes are missing between (N, C) and (N, C, 1, 1)?",
        CHANNEL,
        replaced(forward=lambda self, x: self.mlp(squeeze(x))),
    ),
    Misconception(
        "no-bottleneck",
        "one full layer instead of the bottleneck of two",
        "Which two matrices does equation 3 have, and of which shapes?",
        CHANNEL,
        rebuilt(lambda channels, reduction=16: nn.Linear(channels, channels), on_average),
    ),
    Misconception(
        "reduction-as-width",
        "reduction is used as the hidden width, not as the divisor",
        "How wide is the hidden layer for 64 channels and r = 16?",
        "hidden width = C / r (Park et al. 2018, section 3)",
        rebuilt(
            lambda channels, reduction=16: two_layers(channels, reduction, nn.BatchNorm1d(reduction), nn.ReLU()),
            on_average,
        ),
    ),
    Misconception(
        "reduction-ignored",
        "reduction is fixed at 16, whatever the argument says",
        "Where does your __init__ read reduction?",
        "hidden width = C / r (Park et al. 2018, section 3)",
        rebuilt(lambda channels, reduction=16: ChannelGate(channels, 16).mlp, on_average),
    ),
)

CHANNEL_PROBES = {
    "small": Probe(lambda g: (0.5 + normal(g, 2, 32, 5, 7),), build=(32, 4)),
    "default reduction": Probe(lambda g: (0.5 + normal(g, 3, 48, 6, 4),), build=(48,)),
    "one image": Probe(lambda g: (0.5 + normal(g, 1, 24, 3, 8),), build=(24, 8)),
}

GATE_CHECKS = {
    "shapes": Check(1, (shape(), leaves_input_alone())),
    "parameters": Check(1, (parameters(),)),
    "values": Check(3, (values(), images_apart(), repeatable())),
    "gradients": Check(1, (gradients(),)),
}

CHANNEL_GATE = Exercise(
    id="channel-gate",
    forms=(ChannelGate, expanded(ChannelGate)),
    probes=CHANNEL_PROBES,
    checks=GATE_CHECKS,
    misconceptions=CHANNEL_GATE_WRONG,
    free_biases=True,
    hints=(
        "It is the excitation of SE with one addition in the middle and one omission at the end.",
        r"$z$: `(N, C)` is the average of every channel. $M_c = W_1\,\mathrm{ReLU}(\mathrm{BN}(W_0 z))$ with $W_0$ of "
        "shape `(C // r, C)` and $W_1$ of shape `(C, C // r)`. No sigmoid here. Return it as `(N, C, 1, 1)`.",
        "```\n__init__: a linear layer from channels to channels // reduction,\n"
        "          a 1d batch normalisation of that width,\n"
        "          a ReLU, a linear layer back\n"
        "forward:  z = mean of x over height and width\n          scores = the layers of z\n"
        "          return scores with two new axes at the end\n```",
    ),
)

# Spatial gate


def convolutions(
    channels: int, reduction: int = 16, dilation: int = 4, padding: int | None = None, last: int = 1
) -> list[nn.Module]:
    hidden = channels // reduction
    padding = dilation if padding is None else padding
    layers = [nn.Conv2d(channels, hidden, 1), nn.BatchNorm2d(hidden), nn.ReLU()]
    for _ in range(2):
        layers += [nn.Conv2d(hidden, hidden, 3, padding=padding, dilation=dilation), nn.BatchNorm2d(hidden), nn.ReLU()]
    return [*layers, nn.Conv2d(hidden, last, 1)]


def run(self, x: Tensor) -> Tensor:
    return self.layers(x)


def spatial_layers(make):
    """A misconception with other layers, ``make(channels, reduction, dilation)``, run one after the other."""
    return rebuilt(lambda channels, reduction=16, dilation=4: nn.Sequential(*make(channels, reduction, dilation)), run)


def closed(*behind):
    """The convolutions with further layers behind the last one, which has one channel."""
    return lambda c, r, d: [*convolutions(c, r, d), *(layer() for layer in behind)]


def one_norm() -> nn.Module:
    return nn.BatchNorm2d(1)


def without(kind: type[nn.Module]):
    return lambda c, r, d: [layer for layer in convolutions(c, r, d) if not isinstance(layer, kind)]


def norms_last(channels: int, reduction: int, dilation: int) -> list[nn.Module]:
    layers = convolutions(channels, reduction, dilation)
    for i in (1, 4, 7):
        layers[i], layers[i + 1] = layers[i + 1], layers[i]
    return layers


def one_twice(channels: int, reduction: int, dilation: int) -> list[nn.Module]:
    layers = convolutions(channels, reduction, dilation)
    return [*layers[:6], *layers[3:6], layers[-1]]


PADDING = Misconception(
    "padding",
    "the padding does not fit the dilation: the map shrinks or grows",
    "How far apart are the outer taps of a 3x3 kernel with dilation d? Which padding makes up for that?",
    "a 3x3 kernel of dilation d spans 2 d + 1 positions: padding = d keeps the size",
    spatial_layers(lambda c, r, d: convolutions(c, r, d, padding=1)),
)

SPATIAL_GATE_WRONG = (
    PADDING,
    replace(PADDING, codings=spatial_layers(lambda c, r, d: convolutions(c, r, d, padding=4))),
    replace(PADDING, codings=spatial_layers(lambda c, r, d: convolutions(c, r, d, padding=0))),
    Misconception(
        "no-dilation",
        "the 3x3 convolutions are not dilated",
        "How many positions across does your branch see?",
        SPATIAL,
        spatial_layers(lambda c, r, d: convolutions(c, r, 1)),
    ),
    Misconception(
        "dilation-ignored",
        "dilation is fixed at 4, whatever the argument says",
        "Where does your __init__ read dilation?",
        SPATIAL,
        spatial_layers(lambda c, r, d: convolutions(c, r, 4)),
    ),
    Misconception(
        "one-dilated-convolution",
        "there is only one 3x3 convolution",
        "How many 3x3 convolutions has equation 4?",
        SPATIAL,
        spatial_layers(lambda c, r, d: [m for i, m in enumerate(convolutions(c, r, d)) if i not in (6, 7, 8)]),
    ),
    Misconception(
        "one-convolution-twice",
        "the two 3x3 convolutions are one and the same layer: they share their weights",
        "Does [layer] * 2 make two layers, or two names of one?",
        SPATIAL,
        spatial_layers(one_twice),
    ),
    Misconception(
        "no-norm-at-the-start",
        "the first 1x1 convolution has no batch normalisation",
        "How many hidden layers has the branch, and how many batch normalisations?",
        SPATIAL,
        spatial_layers(lambda c, r, d: [m for i, m in enumerate(convolutions(c, r, d)) if i != 1]),
    ),
    Misconception(
        "no-norm",
        "the batch normalisations of the hidden layers are missing",
        "What stands between each hidden convolution and its ReLU?",
        SPATIAL,
        spatial_layers(without(nn.BatchNorm2d)),
    ),
    Misconception(
        "no-relu",
        "the ReLUs are missing: convolutions in a row are one convolution",
        "What makes three hidden layers more than one?",
        SPATIAL,
        spatial_layers(without(nn.ReLU)),
    ),
    Misconception(
        "norm-after-relu",
        "the batch normalisations stand after the ReLUs, not before them",
        "In which order do convolution, BN and ReLU follow each other?",
        SPATIAL,
        spatial_layers(norms_last),
    ),
    Misconception(
        "relu-last",
        "a ReLU stands at the end: no logit is negative, so this branch can never vote to close the gate",
        "Can your branch return a negative logit?",
        SPATIAL,
        spatial_layers(closed(nn.ReLU)),
    ),
    Misconception(
        "norm-and-relu-last",
        "BN and ReLU stand behind the last layer too: no logit is negative, so this branch can never vote to close the gate",
        "Can your branch return a negative logit?",
        SPATIAL,
        spatial_layers(closed(one_norm, nn.ReLU)),
    ),
    Misconception(
        "norm-last",
        "a batch normalisation stands behind the last layer: the paper has one, the exercise asks for a plain layer",
        "What follows the last convolution in the authors' code?",
        SPATIAL,
        spatial_layers(closed(one_norm)),
    ),
    Misconception(
        "sigmoid-inside",
        "the sigmoid is taken here; the two branches must be added before it",
        "Which comes first in equation 2: the sum or the sigmoid?",
        GATE,
        spatial_layers(closed(nn.Sigmoid)),
    ),
    Misconception(
        "a-map-for-each-channel",
        "the last convolution has C outputs: there is one spatial map, for all channels",
        "How many maps does the spatial branch return?",
        SPATIAL,
        spatial_layers(lambda c, r, d: convolutions(c, r, d, last=c)),
    ),
    Misconception(
        "reduction-ignored",
        "reduction is fixed at 16, whatever the argument says",
        "Where does your __init__ read reduction?",
        "hidden width = C / r (Park et al. 2018, section 3)",
        spatial_layers(lambda c, r, d: convolutions(c, 16, d)),
    ),
)

SPATIAL_PROBES = {
    "small": Probe(lambda g: (0.5 + normal(g, 2, 24, 9, 11),), build=(24, 4, 2)),
    "defaults": Probe(lambda g: (0.5 + normal(g, 3, 32, 10, 6),), build=(32,)),
    "one image": Probe(lambda g: (0.5 + normal(g, 1, 18, 7, 8),), build=(18, 6, 3)),
}

SPATIAL_GATE = Exercise(
    id="spatial-gate",
    forms=(SpatialGate, expanded(SpatialGate)),
    probes=SPATIAL_PROBES,
    checks=GATE_CHECKS,
    misconceptions=SPATIAL_GATE_WRONG,
    free_biases=True,
    hints=(
        "Four convolutions in a row: narrow down, look around, look further around, give one score. Which padding "
        "keeps the size of the map?",
        "`(N, C, H, W)` -> 1x1 -> `(N, C // r, H, W)` -> dilated 3x3 -> the same -> dilated 3x3 -> the same -> 1x1 -> "
        "`(N, 1, H, W)`. A 3x3 kernel with dilation $d$ reaches $d$ positions to each side, so its padding is $d$. "
        "Each of the first three convolutions is followed by BN and ReLU, the last one by nothing.",
        "```\n__init__: hidden = channels // reduction\n          a sequence of\n"
        "            1x1 convolution channels -> hidden, BN, ReLU\n"
        "            3x3 convolution hidden -> hidden, padding and dilation as given, BN, ReLU\n"
        "            the same once more\n            1x1 convolution hidden -> 1\n"
        "forward:  return the sequence of x\n```",
    ),
)

# BAM


class ChannelFirst(BAM):
    """The reference in two steps, so that a misconception can replace one."""

    def logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.channel(x), self.spatial(x)

    def weights(self, x: Tensor) -> Tensor:
        return sum(self.logits(x)).sigmoid()


class SpatialFirst(ChannelFirst):
    """The branches in the other order, in which their layers then run."""

    def logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        spatial = self.spatial(x)
        return self.channel(x), spatial


def combined(function):
    """A misconception with another gate, ``function(channel logits, spatial logits)``."""
    return replaced(weights=lambda self, x: function(*self.logits(x)))


def fixed(**arguments):
    """A misconception that fixes the reduction of its part ``channel`` or ``spatial``, or the ``dilation``."""

    def wrong(right: type[nn.Module]) -> type[nn.Module]:
        class Wrong(right):
            def __init__(self, channels: int, reduction: int = 16, dilation: int = 4):
                nn.Module.__init__(self)
                self.channel = ChannelGate(channels, arguments.get("channel", reduction))
                spatial = arguments.get("spatial", reduction), arguments.get("dilation", dilation)
                self.spatial = SpatialGate(channels, *spatial)

        return Wrong

    return wrong


def gate_plus_one(right: type[nn.Module]) -> type[nn.Module]:
    return type(
        "Wrong",
        (right,),
        {"weights": lambda self, x: 1 + right.weights(self, x), "forward": lambda self, x: self.weights(x) * x},
    )


PRODUCT = Misconception(
    "product",
    "the two logits are multiplied, not added (the authors' published code does that too)",
    "If one branch says 0, should the other be silenced? And what do two negative scores give?",
    GATE,
    combined(lambda channel, spatial: (channel * spatial).sigmoid()),
)
NO_ONE = Misconception(
    "one-lost",
    "the 1 + is missing: a closed gate shuts x off",
    "What should a gate of 0 give?",
    GATE,
    replaced(forward=lambda self, x: self.weights(x) * x),
)
NO_SIGMOID = Misconception(
    "no-sigmoid",
    "the sigmoid is missing: the gate can be negative or above 1",
    "In which range must the gate lie?",
    GATE,
    combined(lambda channel, spatial: channel + spatial),
)
CHANNEL_ONLY = Misconception(
    "channel-only",
    "only the channel branch is used, the spatial gate never",
    "Which line uses your second branch?",
    GATE,
    combined(lambda channel, spatial: (channel + 0 * spatial).sigmoid()),
)
SPATIAL_ONLY = Misconception(
    "spatial-only",
    "only the spatial branch is used, the channel gate never",
    "Which line uses your first branch?",
    GATE,
    combined(lambda channel, spatial: (spatial + 0 * channel).sigmoid()),
)
COMBINATIONS = (
    PRODUCT,
    NO_ONE,
    NO_SIGMOID,
    Misconception(
        "sigmoid-each",
        "each branch has a sigmoid of its own, and the two are added: the gate reaches 2",
        "Which comes first in equation 2: the sum or the sigmoid?",
        GATE,
        combined(lambda channel, spatial: channel.sigmoid() + spatial.sigmoid()),
    ),
    Misconception(
        "sigmoids-multiplied",
        "each branch has a sigmoid of its own, and the two are multiplied, as in CBAM",
        "Which comes first in equation 2: the sum or the sigmoid?",
        GATE,
        combined(lambda channel, spatial: channel.sigmoid() * spatial.sigmoid()),
    ),
    CHANNEL_ONLY,
    replace(CHANNEL_ONLY, codings=combined(lambda channel, spatial: channel.sigmoid())),
    SPATIAL_ONLY,
    replace(SPATIAL_ONLY, codings=combined(lambda channel, spatial: spatial.sigmoid())),
    Misconception(
        "brackets-missing",
        "1 is added to M x, not to M",
        "Python multiplies before it adds. What is 1 + M * x where M is 0?",
        GATE,
        replaced(forward=lambda self, x: 1 + self.weights(x) * x),
    ),
    Misconception(
        "gate-added",
        "x and the gate are added: x + M, not x + M x",
        "What does the gate multiply in (1 + M) x?",
        GATE,
        replaced(forward=lambda self, x: x + self.weights(x)),
    ),
    Misconception(
        "gate-returned",
        "1 + M is returned, it never meets x",
        "Which line multiplies with x?",
        GATE,
        replaced(forward=lambda self, x: 1 + self.weights(x)),
    ),
    Misconception(
        "gate-returned",
        "the gate is returned, it never meets x",
        "Which line multiplies with x?",
        GATE,
        replaced(forward=lambda self, x: self.weights(x)),
    ),
)

REDUCTION_NOT_PASSED = Misconception(
    "reduction-not-passed",
    "reduction does not reach the two gates",
    "Where does your __init__ use reduction?",
    "hidden width = C / r (Park et al. 2018, section 3)",
    fixed(channel=16, spatial=16),
)

BAM_EXERCISE = Exercise(
    id="bam",
    forms=(ChannelFirst, SpatialFirst),
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
            (
                between(0, 1, "weights"),
                values("weights"),
                values("output"),
                images_apart(),
                repeatable(),
                gradients(),
            ),
        ),
    },
    misconceptions=COMBINATIONS
    + (
        Misconception(
            "one-in-the-gate",
            "weights(x) returns 1 + M; the 1 belongs to forward",
            "In which range must weights(x) lie?",
            GATE,
            gate_plus_one,
        ),
        Misconception(
            "dilation-not-passed",
            "dilation does not reach the spatial gate",
            "Where does your __init__ use dilation?",
            SPATIAL,
            fixed(dilation=4),
        ),
        REDUCTION_NOT_PASSED,
        replace(REDUCTION_NOT_PASSED, name="reduction does not reach the channel gate", codings=fixed(channel=16)),
        replace(REDUCTION_NOT_PASSED, name="reduction does not reach the spatial gate", codings=fixed(spatial=16)),
    ),
    free_biases=True,
    hints=(
        "Each of your two gates returns logits. They meet before the sigmoid. And what should x be multiplied with "
        "where the gate is closed?",
        r"$M = \sigma(M_c + M_s)$: `(N, C, 1, 1)` plus `(N, 1, H, W)` broadcasts to `(N, C, H, W)`. "
        r"$\mathrm{output} = (1 + M)\,x$: at $M = 0$ it is $x$.",
        "```\n__init__: a channel gate with channels and reduction\n"
        "          a spatial gate with channels, reduction and dilation\n"
        "weights:  return sigmoid(channel gate of x + spatial gate of x)\n"
        "forward:  return (1 + weights(x)) times x\n```",
    ),
)

# Receptive field


def field(grow, start: int = 1):
    """A misconception that grows ``side`` by ``grow(kernel, stride, dilation, step)`` for each layer."""

    def wrong(layers) -> int:
        side, step = start, 1
        for kernel, stride, dilation in layers:
            side += grow(kernel, stride, dilation, step)
            step *= stride
        return side

    return lambda right: wrong


def product(layers) -> int:
    side = 1
    for kernel, _, dilation in layers:
        side *= dilation * (kernel - 1) + 1
    return side


def largest(layers) -> int:
    return max(dilation * (kernel - 1) + 1 for kernel, _, dilation in layers)


LAYERS = {
    "one layer": [(3, 1, 4)],
    "dilated pair": [(1, 1, 1), (3, 1, 4), (3, 1, 4), (1, 1, 1)],
    "strides": [(7, 2, 1), (3, 2, 1), (3, 1, 1), (5, 3, 1), (3, 1, 1)],
    "all together": [(5, 2, 3), (1, 3, 1), (3, 2, 2), (7, 1, 5)],
    "four different": [(3, 3, 1), (5, 1, 2), (2, 2, 3), (4, 1, 1)],
}

RECEPTIVE_FIELD = Exercise(
    id="receptive-field",
    forms=(receptive_field,),
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
        Misconception(
            "dilation-ignored",
            "dilation is never used",
            "How far apart are the outer taps of a 3-wide kernel with dilation 4?",
            FIELD,
            field(lambda kernel, stride, dilation, step: (kernel - 1) * step),
        ),
        Misconception(
            "stride-ignored",
            "strides are never used",
            "After a stride of 2, how many input pixels lie between two neighbours of the map?",
            FIELD,
            field(lambda kernel, stride, dilation, step: dilation * (kernel - 1)),
        ),
        Misconception(
            "kernel-not-less-one",
            "a kernel of k adds k positions in your sum, but one of them was there already",
            "What does a 1x1 convolution add?",
            FIELD,
            field(lambda kernel, stride, dilation, step: dilation * kernel * step),
        ),
        Misconception(
            "one-forgotten",
            "the pixel itself is not counted",
            "What is the side for an empty list of layers?",
            FIELD,
            field(lambda kernel, stride, dilation, step: dilation * (kernel - 1) * step, start=0),
        ),
        Misconception(
            "own-stride",
            "a layer's own stride is multiplied in; only the strides before it count",
            "Does a single layer see more because it moves in larger steps?",
            FIELD,
            field(lambda kernel, stride, dilation, step: dilation * (kernel - 1) * step * stride),
        ),
        Misconception(
            "own-stride",
            "a layer's own stride is multiplied in; only the strides before it count",
            "Does a single layer see more because it moves in larger steps?",
            FIELD,
            lambda right: own_stride_only,
        ),
        Misconception(
            "wrong-order",
            "stride and dilation are exchanged: a layer is (kernel, stride, dilation)",
            "In which order does the statement name the three numbers of a layer?",
            FIELD,
            lambda right: lambda layers: right([(kernel, stride, dilation) for kernel, dilation, stride in layers]),
        ),
        Misconception(
            "first-layer-only",
            "the return stands inside the loop: only the first layer is counted",
            "How far is your return indented?",
            FIELD,
            lambda right: lambda layers: right(layers[:1]),
        ),
        Misconception(
            "brackets-missing",
            "the 1 is taken off the product: d k - 1, not d (k - 1)",
            "A kernel of 3 has two gaps. How long are they with dilation 4?",
            FIELD,
            field(lambda kernel, stride, dilation, step: (dilation * kernel - 1) * step),
        ),
        Misconception(
            "last-stride-only",
            "only the stride of the layer just before is used, not the product of all before",
            "After strides of 2 and 3, how many input pixels is one step?",
            FIELD,
            lambda right: last_stride_only,
        ),
        Misconception(
            "product",
            "the sides are multiplied; each layer adds to what was seen",
            "What do two 3x3 convolutions in a row see: 5 or 9?",
            FIELD,
            lambda right: product,
        ),
        Misconception(
            "largest-layer",
            "only the largest layer counts in your result",
            "Does the second layer see only what the first layer saw?",
            FIELD,
            lambda right: largest,
        ),
        Misconception(
            "from-the-end",
            "the layers are read from output to input",
            "Whose strides enlarge the steps of a layer: those before it or those after it?",
            FIELD,
            lambda right: lambda layers: right(layers[::-1]),
        ),
    ),
    hints=(
        "Go through the layers from the input. Keep two numbers: the side so far, and how many input pixels one step "
        "on the present map is.",
        r"A layer adds $d\,(k - 1)$ steps: $\;\mathrm{side} = 1 + \sum_i d_i\,(k_i - 1) \prod_{j<i} s_j$. "
        "Two 3x3 layers of dilation 4 and stride 1: $1 + 8 + 8 = 17$.",
        "```\nside = 1, step = 1\nfor each layer:\n    side grows by dilation times (kernel - 1) times step\n"
        "    step is multiplied by the stride\nreturn side\n```",
    ),
)


def own_stride_only(layers) -> int:
    return 1 + sum(dilation * (kernel - 1) * stride for kernel, stride, dilation in layers)


def last_stride_only(layers) -> int:
    side, step = 1, 1
    for kernel, stride, dilation in layers:
        side += dilation * (kernel - 1) * step
        step = stride
    return side


# Debug it: three classes, crash by crash


def crash(init=None, forward=None):
    """The seed's mistakes that stop the program: ``init(self, in_channels, ratio)`` after the layers, ``forward``."""

    def wrong(right: type[nn.Module]) -> type[nn.Module]:
        made = type("Wrong", (right,), {"forward": forward} if forward else {})
        return changed(init)(made) if init else made

    return wrong


def init_without_self(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(nn.Module):
        def __init__(in_channels, ratio):  # noqa: N805
            super().__init__()
            self.pool = nn.AdaptiveAvgPool2d(1)  # noqa: F821

    return Wrong


def init_without_self_but_a_default(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(nn.Module):
        def __init__(in_channels, ratio=16):  # noqa: N805
            super().__init__()
            self.pool = nn.AdaptiveAvgPool2d(1)  # noqa: F821

    return Wrong


def output_before_it_exists(self, x: Tensor) -> Tensor:
    output = abs(output)  # noqa: F821, F841
    return output


def not_viewed(self, x: Tensor) -> Tensor:
    return self.mlp(F.adaptive_avg_pool2d(x, 1))


def expanded_flat(self, x: Tensor) -> Tensor:
    return self.mlp(squeeze(x)).expand_as(x)


def by_id(misconceptions: tuple[Misconception, ...], *ids: str) -> tuple[Misconception, ...]:
    return tuple(m for m in misconceptions if m.id in ids)


OUTPUT_UNKNOWN = Misconception(
    "output-before-it-exists",
    "output is read before anything was stored in it",
    "Which variable holds the input of forward?",
    "forward(x) starts from x",
    crash(forward=output_before_it_exists),
)

DEBUG_HINTS = (
    "Work on one class at a time. Build it, call it on `torch.randn(2, 64, 8, 8)`, read the last line of the error, "
    "repair that line, and go on. When nothing crashes any more, ask: can each branch still return a negative logit?",
    "Channel: `(N, C, H, W)` -> pool -> `(N, C, 1, 1)` -> `(N, C)` -> two layers -> `(N, C)` -> `(N, C, 1, 1)`. "
    "Spatial: every step `(N, ?, H, W)`, at the end `(N, 1, H, W)`. BAM: $(1 + \\sigma(M_c + M_s))\\,x$. Which "
    "normalisation fits `(N, C)`? Which layers come last in each branch?",
    "```\nchannel: self is the first argument of __init__\n"
    "         pool x, flatten, two layers (the 1d normalisation)\n"
    "         nothing behind the second layer\n         two new axes, then expand as x\n"
    "spatial: forward belongs to the class, not into __init__\n         start from x; self. in front of every layer; expand as x\n"
    "BAM:     the argument is called x everywhere\n         sigmoid is a function (torch.sigmoid) here\n```",
)

DEBUG_CHECKS = {
    "runs": Check(1, (shape(),)),
    "values": Check(1, (parameters(), values(), images_apart(), gradients(), leaves_input_alone())),
}

DEBUG_CHANNEL = Exercise(
    id="debug-bam",
    part="channel",
    forms=(expanded(ChannelGate), ChannelGate),
    probes=CHANNEL_PROBES,
    checks=DEBUG_CHECKS,
    misconceptions=(
        Misconception(
            "init-without-self",
            "__init__ has no self, so the first argument takes its place",
            "What does Python pass to a method as its first argument?",
            "def __init__(self, in_channels, ratio=16)",
            init_without_self,
        ),
        Misconception(
            "init-without-self",
            "__init__ has no self, so the first argument takes its place",
            "What does Python pass to a method as its first argument?",
            "def __init__(self, in_channels, ratio=16)",
            init_without_self_but_a_default,
        ),
        OUTPUT_UNKNOWN,
        NORM_OF_MAPS,
        Misconception(
            "not-flattened",
            "the linear layers receive (N, C, 1, 1), not (N, C)",
            "Which shape do the linear layers expect?",
            CHANNEL,
            crash(forward=not_viewed),
        ),
        Misconception(
            "expanded-flat",
            "(N, C) cannot be expanded to (N, C, H, W): the two axes of size 1 are missing",
            "Against which axes of x does (N, C) line up?",
            "(N, C, 1, 1) expands to (N, C, H, W)",
            crash(forward=expanded_flat),
        ),
        *by_id(
            CHANNEL_GATE_WRONG,
            "norm-and-relu-last",
            "relu-last",
            "norm-last",
            "norm-after-relu",
            "no-norm",
            "no-relu",
            "sigmoid-inside",
            "flat",
        ),
    ),
    free_biases=True,
    hints=DEBUG_HINTS,
)


def forward_inside_init(right: type[nn.Module]) -> type[nn.Module]:
    return type("Wrong", (right,), {"forward": nn.Module.forward})


def without_self(self, x: Tensor) -> Tensor:
    return conv1x1_final(x)  # noqa: F821


DEBUG_SPATIAL = Exercise(
    id="debug-bam",
    part="spatial",
    forms=(expanded(SpatialGate), SpatialGate),
    probes={
        "small": Probe(lambda g: (0.5 + normal(g, 2, 24, 9, 11),), build=(24, 4)),
        "default reduction": Probe(lambda g: (0.5 + normal(g, 3, 32, 10, 6),), build=(32,)),
        "one image": Probe(lambda g: (0.5 + normal(g, 1, 18, 7, 8),), build=(18, 6)),
    },
    checks=DEBUG_CHECKS,
    misconceptions=(
        Misconception(
            "forward-inside-init",
            "forward is defined inside __init__, so the class has none",
            "How far is the def of forward indented?",
            "def forward(self, x) stands beside def __init__",
            forward_inside_init,
        ),
        OUTPUT_UNKNOWN,
        Misconception(
            "self-missing",
            "a layer is called without self., so Python does not find it",
            "Where did you store the last convolution?",
            "self.conv1x1_final",
            crash(forward=without_self),
        ),
        *by_id(
            SPATIAL_GATE_WRONG,
            "padding",
            "no-dilation",
            "norm-and-relu-last",
            "relu-last",
            "norm-last",
            "sigmoid-inside",
            "one-dilated-convolution",
        ),
    ),
    free_biases=True,
    hints=DEBUG_HINTS,
)


def ratio_missing(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(nn.Module):
        def __init__(self, in_channels: int):
            super().__init__()
            needs_two(in_channels)

    return Wrong


class needs_two:  # noqa: N801
    def __init__(self, in_channels, ratio):
        pass


def in_tensor_unknown(self, x: Tensor) -> Tensor:
    return self.channel(in_tensor)  # noqa: F821


def sigmoid_module(self, x: Tensor) -> Tensor:
    return (1 + nn.Sigmoid(self.channel(x) + self.spatial(x))) * x


DEBUG_BAM = Exercise(
    id="debug-bam",
    part="bam",
    forms=(ChannelFirst, SpatialFirst),
    probes={
        "two images": Probe(lambda g: (0.5 + normal(g, 2, 32, 9, 11),), build=(32,)),
        "one image": Probe(lambda g: (0.5 + normal(g, 1, 48, 7, 6),), build=(48,)),
    },
    checks=DEBUG_CHECKS,
    misconceptions=(
        Misconception(
            "ratio-missing",
            "the two gates need a ratio, and nobody gives them one",
            "Which arguments have no default, and who passes them?",
            "ChannelGate(in_channels, ratio=16)",
            ratio_missing,
        ),
        Misconception(
            "in-tensor-unknown",
            "in_tensor does not exist: the argument of forward is called x",
            "What is the argument of forward called?",
            "forward(x) starts from x",
            crash(forward=in_tensor_unknown),
        ),
        Misconception(
            "sigmoid-module-called-on-a-tensor",
            "nn.Sigmoid(...) builds a module; its argument is not the tensor to be gated",
            "What is the difference between nn.Sigmoid() and torch.sigmoid?",
            "torch.sigmoid(z), or nn.Sigmoid()(z)",
            crash(forward=sigmoid_module),
        ),
        *by_id(COMBINATIONS, "product", "one-lost", "no-sigmoid", "sigmoid-each", "gate-added", "gate-returned"),
    ),
    free_biases=True,
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
