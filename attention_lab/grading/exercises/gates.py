"""What the gates of SE, CBAM and BAM have in common: steps of the right answers, and mistakes in these steps."""

from torch import Tensor, nn
from torch.nn import functional as F

from ...mechanisms import squeeze
from ..exercise import Misconception, mistake, steps
from ..properties import between, images_apart, repeatable, the_same_in_training, values

VALUES = (
    between(0, 1, "weights"),
    values("weights"),
    values("output"),
    images_apart(),
    repeatable(),
    the_same_in_training(),
)
"""What holds of a module that multiplies x by gates."""


def as_map(scores: Tensor) -> Tensor:
    """(N, C) as (N, C, 1, 1)."""
    return scores[:, :, None, None]


class Bottleneck(nn.Module):
    """A score for each channel from two layers, narrow in between, in steps that a mistake can replace."""

    relu = nn.ReLU

    def __init__(self, channels: int, reduction: int = 16):
        nn.Module.__init__(self)  # the mechanism, which is next in line, would make layers of its own
        self.mlp = self.layers(channels, self.hidden(channels, reduction))

    def hidden(self, channels: int, reduction: int) -> int:
        return channels // reduction

    def layers(self, channels: int, hidden: int) -> nn.Module:
        return nn.Sequential(nn.Linear(channels, hidden), *self.activation(hidden), nn.Linear(hidden, channels))

    def activation(self, width: int) -> list[nn.Module]:
        return [self.relu()]

    def average(self, x: Tensor) -> Tensor:
        return squeeze(x)

    def maximum(self, x: Tensor) -> Tensor:
        return x.amax((2, 3))

    def scores(self, x: Tensor) -> Tensor:
        return as_map(self.mlp(self.average(x)))


class Gate(nn.Module):
    """Weights from ``scores(x)``, in a step that a mistake can replace."""

    def weights(self, x: Tensor) -> Tensor:
        return self.gate(self.scores(x))

    def gate(self, scores: Tensor) -> Tensor:
        return scores.sigmoid()


# The squeeze


def max_squeeze(number: int, equation: str = "") -> Misconception:
    return mistake(
        "max-squeeze",
        "max pooling where the squeeze is an average",
        f"Which pooling does equation {number} use?",
        steps(average=Bottleneck.maximum),
        equation=equation,
    )


def no_squeeze(equation: str = "") -> Misconception:
    def scores(self, x: Tensor) -> Tensor:
        positions = x.movedim(1, -1)
        return self.mlp(positions.flatten(0, 2)).view_as(positions).movedim(-1, 1)

    return mistake(
        "no-squeeze",
        "the pooling is missing: every position gets a score of its own",
        "How many numbers describe one channel before the first layer?",
        steps(scores=scores),
        equation=equation,
    )


def batch_mixed(equation: str = "") -> Misconception:
    return mistake(
        "batch-mixed",
        "the pooling runs over the images of the batch too",
        "Can image 2 change the gates of image 1?",
        steps(
            average=lambda self, x: x.mean((0, 2, 3)).expand(len(x), -1),
            maximum=lambda self, x: x.amax((0, 2, 3)).expand(len(x), -1),
        ),
        equation=equation,
    )


# The layers


def reduction_as_width(equation: str) -> Misconception:
    return mistake(
        "reduction-as-width",
        "reduction is used as the hidden width, not as the divisor",
        "How wide is the hidden layer for 64 channels and r = 16?",
        steps(hidden=lambda self, channels, reduction: reduction),
        equation=equation,
    )


def reduction_ignored(equation: str) -> Misconception:
    return mistake(
        "reduction-ignored",
        "reduction is fixed at 16, whatever the argument says",
        "Where does your __init__ read reduction?",
        steps(hidden=lambda self, channels, reduction: channels // 16),
        equation=equation,
    )


def no_bottleneck(question: str, equation: str = "") -> Misconception:
    return mistake(
        "no-bottleneck",
        "one full layer instead of the bottleneck of two",
        question,
        steps(layers=lambda self, channels, hidden: nn.Sequential(nn.Linear(channels, channels))),
        equation=equation,
    )


def no_relu(product: str) -> Misconception:
    return mistake(
        "no-relu",
        "the ReLU between the two layers is missing: two linear maps in a row are one",
        f"What can {product} do that one matrix cannot?",
        steps(relu=nn.Identity),
    )


def other_activation() -> Misconception:
    others = (nn.ReLU6, nn.LeakyReLU, nn.SiLU, nn.GELU, nn.Tanh, nn.Sigmoid)
    return mistake(
        "other-activation",
        "between the two layers stands another function than a ReLU",
        "What does the equation write between the two matrices? What is it for 10, and for -1?",
        *(steps(relu=other) for other in others),
    )


def width_rounded(equation: str) -> Misconception:
    return mistake(
        "width-rounded",
        "the hidden width is rounded to the nearest or upwards, not down",
        "How many hidden units are there for 30 channels and r = 8?",
        steps(hidden=lambda self, channels, reduction: round(channels / reduction)),
        steps(hidden=lambda self, channels, reduction: -(-channels // reduction)),
        equation=equation,
    )


# The gate

NO_SIGMOID = mistake(
    "no-sigmoid",
    "the sigmoid is missing: the gate can be negative or above 1",
    "In which range must a gate lie?",
    steps(gate=lambda self, scores: scores),
)

HARD_SIGMOID = mistake(
    "hard-sigmoid",
    "the gate is a hard sigmoid, which is flat below -3 and above 3",
    "Can a gate that is fully closed learn to open again?",
    steps(gate=lambda self, scores: F.hardsigmoid(scores)),
)

SIGMOID_TWICE = mistake(
    "sigmoid-twice",
    "the sigmoid is applied twice: no gate can fall below 0.5",
    "What is the smallest value of sigmoid(sigmoid(z))?",
    steps(gate=lambda self, scores: scores.sigmoid().sigmoid()),
)


def softmax_not_sigmoid(what: str) -> Misconception:
    return mistake(
        "softmax-not-sigmoid",
        f"a softmax over the {what}s replaces the sigmoid: {what}s compete",
        f"Can two {what}s both be fully open?",
        steps(gate=lambda self, scores: scores.flatten(1).softmax(1).view_as(scores)),
    )


def relu_before_sigmoid(what: str) -> Misconception:
    return mistake(
        "relu-before-sigmoid",
        "a ReLU stands before the sigmoid: no gate can fall below 0.5",
        f"What is sigmoid(0)? Can your block suppress a {what}?",
        steps(gate=lambda self, scores: scores.relu().sigmoid()),
    )


# The output


def gate_shape(lost: str, needed: str) -> Misconception:
    return mistake(
        "gate-shape",
        f"the block is right, but weights(x) has shape {lost}: the figures and the checks need {needed}",
        "Which shape broadcasts against (N, C, H, W)?",
        steps(
            weights=lambda self, x: self.gate(self.scores(x)).squeeze((1, 2, 3)),
            forward=lambda self, x: x * self.gate(self.scores(x)),
        ),
    )


GATE_RETURNED = mistake(
    "gate-returned",
    "the gate is returned, it never meets x",
    "What is the shape of the block's output, and who multiplies?",
    steps(forward=lambda self, x: self.weights(x).expand_as(x)),
    steps(forward=lambda self, x: self.weights(x)),
)

RESIDUAL_INSIDE = mistake(
    "residual-inside",
    "x is added inside the block: a closed gate leaves x unchanged",
    "What should a gate of 0 give?",
    steps(forward=lambda self, x: x + x * self.weights(x)),
)

GATE_ADDED = mistake(
    "gate-added",
    "the gate is added to x instead of multiplied",
    "What should a gate of 0 give?",
    steps(forward=lambda self, x: x + self.weights(x)),
)
