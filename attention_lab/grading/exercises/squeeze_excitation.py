"""Lesson 02, squeeze-and-excitation: squeeze, squeeze-excitation, se-residual, debug-se."""

from torch import Tensor, nn

from ...mechanisms import SqueezeExcitation, se_residual, squeeze
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
from ..stand_ins import StandIn

SQUEEZE = "z_c = 1 / (H W) sum_ij x_cij (Hu et al. 2018, equation 2)"
EXCITATION = "s = sigmoid(W2 ReLU(W1 z)), output = s x (Hu et al. 2018, equations 3 and 4)"
RESIDUAL = "output = x + se(branch(x)) (Hu et al. 2018, figure 3)"

SQUEEZE_EXERCISE = Exercise(
    id="squeeze",
    forms=(squeeze,),
    probes={
        "wide": Probe(lambda g: (normal(g, 2, 3, 5, 7),)),
        "tall": Probe(lambda g: (normal(g, 1, 6, 8, 4),)),
        "one pixel": Probe(lambda g: (normal(g, 3, 4, 1, 1),)),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "values": Check(1, (values(), gradients())),
    },
    misconceptions=(
        Misconception(
            "maximum",
            "the maximum of each channel, not its average",
            "Which statistic keeps a trace of every pixel?",
            SQUEEZE,
            lambda right: lambda x: x.amax((2, 3)),
        ),
        Misconception(
            "sum",
            "the sum over the map, which grows with the image",
            "What happens to your squeeze when the image is twice as large?",
            SQUEEZE,
            lambda right: lambda x: x.sum((2, 3)),
        ),
        Misconception(
            "kept-dimensions",
            "the pooled axes are kept: (N, C, 1, 1) instead of (N, C)",
            "How many axes are left when H and W are averaged away?",
            SQUEEZE,
            lambda right: lambda x: x.mean((2, 3), keepdim=True),
        ),
        Misconception(
            "batch-axis-lost",
            "squeeze() also removes the batch axis when there is one image",
            "What is left of (1, C, 1, 1) after squeeze()?",
            SQUEEZE,
            lambda right: lambda x: x.mean((2, 3), keepdim=True).squeeze(),
        ),
        Misconception(
            "over-channels",
            "the average runs over the channels, not over the positions",
            "Which axes of (N, C, H, W) are positions?",
            SQUEEZE,
            lambda right: lambda x: x.mean(1),
        ),
        Misconception(
            "one-axis-left",
            "only one of the two axes of positions is averaged",
            "Which axes of (N, C, H, W) are positions?",
            SQUEEZE,
            lambda right: lambda x: x.mean(-1),
        ),
        Misconception(
            "whole-image",
            "one number for the whole image, not one for each channel",
            "How many numbers should an image with C channels give?",
            SQUEEZE,
            lambda right: lambda x: x.mean((1, 2, 3)),
        ),
    ),
    hints=(
        "One number for each channel of each image. Which axes must disappear?",
        r"$z_{nc} = \dfrac{1}{HW}\sum_{i,j} x_{ncij}$: from `(N, C, H, W)` to `(N, C)`.",
        "```\nreturn the mean of x over its last two axes\n```",
    ),
)


def with_biases(first: bool, second: bool) -> type[nn.Module]:
    """The reference with biases where the learner has them: the statement leaves them free."""

    class Form(SqueezeExcitation):
        def __init__(self, channels: int, reduction: int = 16):
            super().__init__(channels, reduction)
            if not first:
                self.excitation[0].bias = None
            if not second:
                self.excitation[2].bias = None

    return Form


FORMS = tuple(with_biases(first, second) for first in (True, False) for second in (True, False))


def with_gate(gate):
    """A misconception whose gate is ``gate(self, x)``, of a shape that broadcasts to x."""

    def wrong(right: type[SqueezeExcitation]) -> type[nn.Module]:
        return type("Wrong", (right,), {"weights": gate})

    return wrong


def with_output(output):
    """A misconception that combines the right gate with x in a wrong way: ``output(self, x)``."""

    def wrong(right: type[SqueezeExcitation]) -> type[nn.Module]:
        return type("Wrong", (right,), {"forward": output})

    return wrong


def without_relu(self, x: Tensor) -> Tensor:
    return self.excitation[2](self.excitation[0](squeeze(x))).sigmoid()[:, :, None, None]


def without_squeeze(self, x: Tensor) -> Tensor:
    return self.excitation(x.movedim(1, -1)).sigmoid().movedim(-1, 1)


def flat_gate(right: type[SqueezeExcitation]) -> type[nn.Module]:
    class Wrong(right):
        def weights(self, x: Tensor) -> Tensor:
            return super().weights(x).flatten(1)

        def forward(self, x: Tensor) -> Tensor:
            return x * super().weights(x)

    return Wrong


def reduction_as_width(right: type[SqueezeExcitation]) -> type[nn.Module]:
    class Wrong(right):
        def __init__(self, channels: int, reduction: int = 16):
            nn.Module.__init__(self)
            biases = [layer.bias is not None for layer in right(channels, 1).excitation[::2]]
            self.excitation = nn.Sequential(
                nn.Linear(channels, reduction, bias=biases[0]),
                nn.ReLU(),
                nn.Linear(reduction, channels, bias=biases[1]),
            )

    return Wrong


def reduction_ignored(right: type[SqueezeExcitation]) -> type[nn.Module]:
    class Wrong(right):
        def __init__(self, channels: int, reduction: int = 16):
            super().__init__(channels, 16)

    return Wrong


def one_layer(right: type[SqueezeExcitation]) -> type[nn.Module]:
    class Wrong(right):
        def __init__(self, channels: int, reduction: int = 16):
            nn.Module.__init__(self)
            self.excitation = nn.Linear(channels, channels, bias=right(channels, 1).excitation[0].bias is not None)

    return Wrong


GATE_MISCONCEPTIONS = (
    Misconception(
        "max-squeeze",
        "max pooling where the squeeze is an average",
        "Which pooling does equation 2 use?",
        SQUEEZE,
        with_gate(lambda self, x: self.excitation(x.amax((2, 3))).sigmoid()[:, :, None, None]),
    ),
    Misconception(
        "batch-mixed",
        "the squeeze averages over the images of the batch too",
        "Can image 2 change the gates of image 1?",
        SQUEEZE,
        with_gate(
            lambda self, x: self.excitation(x.mean((0, 2, 3))).sigmoid()[None, :, None, None].expand(len(x), -1, 1, 1)
        ),
    ),
    Misconception(
        "fixed-pool",
        "the pooling has a fixed size, so it is not global",
        "What happens with an image of another size?",
        SQUEEZE,
        with_gate(lambda self, x: self.excitation(nn.functional.avg_pool2d(x, 7).flatten(1)).sigmoid()),
    ),
    Misconception(
        "no-squeeze",
        "the pooling is missing: every position gets a gate of its own",
        "How many numbers describe one channel before the first layer?",
        SQUEEZE,
        with_gate(without_squeeze),
    ),
    Misconception(
        "softmax-not-sigmoid",
        "a softmax over the channels replaces the sigmoid: channels compete",
        "Must the gates of all channels sum to 1? Can two channels both be fully open?",
        EXCITATION,
        with_gate(lambda self, x: self.excitation(squeeze(x)).softmax(1)[:, :, None, None]),
    ),
    Misconception(
        "no-sigmoid",
        "the sigmoid is missing: the gate can be negative or above 1",
        "In which range must a gate lie?",
        EXCITATION,
        with_gate(lambda self, x: self.excitation(squeeze(x))[:, :, None, None]),
    ),
    Misconception(
        "no-relu",
        "the ReLU between the two layers is missing: two linear maps in a row are one",
        "What can W2 W1 do that one matrix cannot?",
        EXCITATION,
        with_gate(without_relu),
    ),
    Misconception(
        "relu-before-sigmoid",
        "a ReLU stands before the sigmoid: no gate can fall below 0.5",
        "What is sigmoid(0)? Can your block suppress a channel?",
        EXCITATION,
        with_gate(lambda self, x: self.excitation(squeeze(x)).relu().sigmoid()[:, :, None, None]),
    ),
    Misconception(
        "sigmoid-twice",
        "the sigmoid is applied twice: no gate can fall below 0.5",
        "What is the smallest value of sigmoid(sigmoid(z))?",
        EXCITATION,
        with_gate(lambda self, x: self.excitation(squeeze(x)).sigmoid().sigmoid()[:, :, None, None]),
    ),
    Misconception(
        "reduction-as-width",
        "reduction is used as the hidden width, not as the divisor",
        "How wide is the hidden layer for 64 channels and r = 16?",
        "hidden width = C / r (Hu et al. 2018, section 3.2)",
        reduction_as_width,
    ),
    Misconception(
        "reduction-ignored",
        "reduction is fixed at 16, whatever the argument says",
        "Where does your __init__ read reduction?",
        "hidden width = C / r (Hu et al. 2018, section 3.2)",
        reduction_ignored,
    ),
    Misconception(
        "no-bottleneck",
        "one full layer instead of the bottleneck of two",
        "Which two matrices does equation 3 have, and of which shapes?",
        EXCITATION,
        one_layer,
    ),
)

OUTPUT_MISCONCEPTIONS = (
    Misconception(
        "gate-shape",
        "the block is right, but weights(x) has shape (N, C): the figures and the checks need (N, C, 1, 1)",
        "Which shape broadcasts against (N, C, H, W)?",
        EXCITATION,
        flat_gate,
    ),
    Misconception(
        "gate-returned",
        "the gate is returned, it never meets x",
        "What is the shape of the block's output, and who multiplies?",
        EXCITATION,
        with_output(lambda self, x: self.weights(x).expand_as(x)),
    ),
    Misconception(
        "gate-returned",
        "the gate is returned, it never meets x",
        "What is the shape of the block's output, and who multiplies?",
        EXCITATION,
        with_output(lambda self, x: self.weights(x)),
    ),
    Misconception(
        "residual-inside",
        "x is added inside the block: a closed gate leaves x unchanged",
        "What should a gate of 0 give?",
        EXCITATION,
        with_output(lambda self, x: x + x * self.weights(x)),
    ),
    Misconception(
        "gate-added",
        "the gate is added to x instead of multiplied",
        "What should a gate of 0 give?",
        EXCITATION,
        with_output(lambda self, x: x + self.weights(x)),
    ),
)

PROBES = {
    "small": Probe(lambda g: (0.5 + normal(g, 2, 32, 5, 7),), build=(32, 4)),
    "default reduction": Probe(lambda g: (0.5 + normal(g, 3, 48, 6, 4),), build=(48,)),
    "one image": Probe(lambda g: (0.5 + normal(g, 1, 24, 3, 8),), build=(24, 8)),
}

HINTS = (
    "Three steps, three shapes: the map becomes one number per channel, the numbers become gates, the gates scale the "
    "map.",
    r"$z$: `(N, C)` is the squeeze. $s = \sigma(W_2\,\mathrm{ReLU}(W_1 z))$ with $W_1$ of shape `(C // r, C)` and "
    r"$W_2$ of shape `(C, C // r)`. The gate is $s$ as `(N, C, 1, 1)`; the output is $s\,x$.",
    "```\n__init__: a linear layer from channels to channels // reduction, one back to channels\n"
    "weights:  z = mean of x over height and width\n          h = ReLU(first layer of z)\n"
    "          s = sigmoid(second layer of h)\n          return s with two new axes at the end\n"
    "forward:  return x times weights(x)\n```",
)

SQUEEZE_EXCITATION = Exercise(
    id="squeeze-excitation",
    forms=FORMS,
    records=("weights", "output"),
    probes=PROBES,
    checks={
        "shapes": Check(1, (shape("weights"), shape("output"), leaves_input_alone())),
        "parameters": Check(2, (parameters(),)),
        "values": Check(
            4, (between(0, 1, "weights"), values("weights"), values("output"), images_apart(), repeatable())
        ),
        "gradients": Check(1, (gradients(),)),
    },
    misconceptions=GATE_MISCONCEPTIONS + OUTPUT_MISCONCEPTIONS,
    hints=HINTS,
)

SE_RESIDUAL = Exercise(
    id="se-residual",
    forms=(se_residual,),
    probes={
        "plain": Probe(lambda g: (normal(g, 2, 6, 5, 7), StandIn("convolution", (6,), 1), StandIn("gate", (6,), 2))),
        "one image": Probe(
            lambda g: (normal(g, 1, 4, 6, 3), StandIn("convolution", (4,), 3), StandIn("gate", (4,), 4))
        ),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "values": Check(2, (values(), gradients())),
    },
    misconceptions=(
        Misconception(
            "gate-on-the-sum",
            "the gate stands after the addition and scales the skip connection too",
            "If every gate is 0, what is left of x?",
            RESIDUAL,
            lambda right: lambda x, branch, se: se(x + branch(x)),
        ),
        Misconception(
            "gate-on-the-skip",
            "the gate is on the skip connection, not on the branch",
            "Which of the two paths is recalibrated?",
            RESIDUAL,
            lambda right: lambda x, branch, se: se(x) + branch(x),
        ),
        Misconception(
            "gate-before-the-branch",
            "the gate stands before the branch, not after it",
            "Whose output does the block recalibrate?",
            RESIDUAL,
            lambda right: lambda x, branch, se: x + branch(se(x)),
        ),
        Misconception(
            "gated-twice",
            "the branch is multiplied by itself: se(u) already returns u times its gates",
            "What does se return: gates, or a gated map?",
            RESIDUAL,
            lambda right: lambda x, branch, se: x + branch(x) * se(branch(x)),
        ),
        Misconception(
            "no-skip",
            "the skip connection is missing",
            "Where is x added?",
            RESIDUAL,
            lambda right: lambda x, branch, se: se(branch(x)),
        ),
        Misconception(
            "no-gate",
            "the gate is never applied",
            "Where is se called?",
            RESIDUAL,
            lambda right: lambda x, branch, se: x + branch(x),
        ),
        Misconception(
            "relu-added",
            "the unit's last ReLU is applied here; this function stops before it",
            "Can your output be negative? If every gate is 0, is it x?",
            RESIDUAL,
            lambda right: lambda x, branch, se: (x + se(branch(x))).relu(),
        ),
    ),
    hints=(
        "Two paths meet in an addition. Only one of them carries something new to weigh.",
        r"$y = x + \mathrm{se}(\mathrm{branch}(x))$, every term of shape `(N, C, H, W)`.",
        "```\nu = branch of x\nreturn x plus se of u\n```",
    ),
)


def found_as(forward):
    """The seed's mistakes: the tutorial's layers with another ``forward(self, x)``."""
    return lambda right: type("Wrong", (right,), {"forward": forward})


def view_without_sizes(self, x: Tensor) -> Tensor:
    return x.view()


def three_sizes(self, x: Tensor) -> Tensor:
    n, c, _ = x.shape


def squeeze_thrown_away(self, x: Tensor) -> Tensor:
    return self.excitation(x.view(x.size(0), -1))


def excitation_of_the_map(self, x: Tensor) -> Tensor:
    return self.excitation(x)


DEBUG_MISCONCEPTIONS = (
    Misconception(
        "view-without-sizes",
        "x.view() is called without sizes; it does not return the shape",
        "Which attribute of a tensor holds its shape?",
        "x.shape is (N, C, H, W)",
        found_as(view_without_sizes),
    ),
    Misconception(
        "three-sizes",
        "four sizes are unpacked into three names",
        "How many axes has a feature map?",
        "x.shape is (N, C, H, W)",
        found_as(three_sizes),
    ),
    Misconception(
        "squeeze-thrown-away",
        "y is made from x again, so the pooled values are lost",
        "After pooling, which variable holds the squeeze? Which one does the next line read?",
        SQUEEZE,
        found_as(squeeze_thrown_away),
    ),
    Misconception(
        "layers-on-the-map",
        "the linear layers receive the map x, not the squeeze",
        "Which shape do the linear layers expect?",
        EXCITATION,
        found_as(excitation_of_the_map),
    ),
    Misconception(
        "sigmoid-of-x",
        "the sigmoid is taken of x: every value gates itself",
        "Who computed the gate: the two layers, or x alone?",
        EXCITATION,
        found_as(lambda self, x: x * x.sigmoid()),
    ),
    Misconception(
        "excitation-skipped",
        "the sigmoid is taken of the pooled values: the two layers are never used",
        "Where do the channels talk to each other?",
        EXCITATION,
        found_as(lambda self, x: x * squeeze(x).sigmoid()[:, :, None, None]),
    ),
)

# The tutorial's class has no weights(x), and its reduction is right as it stands.
DEBUG_GATES = tuple(
    m for m in GATE_MISCONCEPTIONS + OUTPUT_MISCONCEPTIONS if m.id in ("max-squeeze", "no-sigmoid", "gate-returned")
)

DEBUG_SE = Exercise(
    id="debug-se",
    forms=FORMS[-1:] + FORMS[:-1],
    probes=PROBES,
    checks={
        "runs": Check(1, (shape("output"),)),
        "parameters": Check(1, (parameters(),)),
        "values": Check(3, (values("output"), images_apart(), gradients(), leaves_input_alone())),
    },
    misconceptions=DEBUG_MISCONCEPTIONS + DEBUG_GATES,
    hints=(
        "Run the module and read the error: it names a line of `forward`. Repair that line, run again. The line that stops "
        "is not always the line that is wrong.",
        "Write the shape behind every line of `forward`: `(N, C, H, W)` -> pool -> `(N, C, 1, 1)` -> `(N, C)` -> two "
        "layers -> `(N, C)` -> `(N, C, 1, 1)`. On which lines is the variable on the right still `x`?",
        "```\ntake N and C from the shape of x (it has four entries)\ny = pool of x\ny = y as (N, C)\ny = fc of y\n"
        "y = sigmoid of y\ny = y as (N, C, 1, 1)\nreturn x times y\n```",
    ),
)

EXERCISES = (SQUEEZE_EXERCISE, SQUEEZE_EXCITATION, SE_RESIDUAL, DEBUG_SE)
