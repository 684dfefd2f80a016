"""Lesson 02, squeeze-and-excitation: squeeze, squeeze-excitation, se-residual, debug-se."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from ...mechanisms import SqueezeExcitation, squeeze
from ..exercise import Check, Exercise, Probe, Use, instead, mistake, named, normal, steps
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

SQUEEZE = "z_c = 1 / (H W) sum_ij x_cij (Hu et al. 2018, equation 2)"
EXCITATION = "s = sigmoid(W2 ReLU(W1 z)), output = s x (Hu et al. 2018, equations 3 and 4)"
WIDTH = "hidden width = C / r (Hu et al. 2018, section 3.2)"

SQUEEZE_EXERCISE = Exercise(
    id="squeeze",
    equation=SQUEEZE,
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
        mistake(
            "maximum",
            "the maximum of each channel, not its average",
            "Which statistic keeps a trace of every pixel?",
            instead(lambda x: x.amax((2, 3))),
        ),
        mistake(
            "sum",
            "the sum over the map, which grows with the image",
            "What happens to your squeeze when the image is twice as large?",
            instead(lambda x: x.sum((2, 3))),
        ),
        mistake(
            "kept-dimensions",
            "the pooled axes are kept: (N, C, 1, 1) instead of (N, C)",
            "How many axes are left when H and W are averaged away?",
            instead(lambda x: x.mean((2, 3), keepdim=True)),
        ),
        mistake(
            "batch-axis-lost",
            "squeeze() also removes the batch axis when there is one image",
            "What is left of (1, C, 1, 1) after squeeze()?",
            instead(lambda x: x.mean((2, 3), keepdim=True).squeeze()),
        ),
        mistake(
            "torchs-squeeze",
            "torch's squeeze() only takes away axes of size 1; it averages nothing",
            "Which numbers of a channel should the result depend on?",
            instead(lambda x: x.squeeze()),
        ),
        mistake(
            "over-channels",
            "the average runs over the channels, not over the positions",
            "Which axes of (N, C, H, W) are positions?",
            instead(lambda x: x.mean(1)),
        ),
        mistake(
            "one-axis-left",
            "only one of the two axes of positions is averaged",
            "Which axes of (N, C, H, W) are positions?",
            instead(lambda x: x.mean(-1)),
        ),
        mistake(
            "whole-image",
            "one number for the whole image, not one for each channel",
            "How many numbers should an image with C channels give?",
            instead(lambda x: x.mean((1, 2, 3))),
        ),
    ),
    hints=(
        "One number for each channel of each image. Which axes must disappear?",
        r"$z_{nc} = \dfrac{1}{HW}\sum_{i,j} x_{ncij}$: from `(N, C, H, W)` to `(N, C)`.",
        """
        ```
        return the mean of x over its last two axes
        ```
        """,
    ),
)


class Excitation(gates.Gate, gates.Bottleneck, SqueezeExcitation):
    """The right answer in steps, so that a mistake can replace one."""


PROBES = {
    "large values": Probe(lambda g: (4 + 8 * normal(g, 2, 32, 5, 7),), build=(32, 4)),
    "default reduction": Probe(lambda g: (0.5 + normal(g, 3, 48, 6, 4),), build=(48,)),
    "one image": Probe(lambda g: (0.5 + normal(g, 1, 30, 3, 8),), build=(30, 8)),
}

SQUEEZE_EXCITATION = Exercise(
    id="squeeze-excitation",
    uses={"squeeze": Use(SQUEEZE_EXERCISE, lambda squeeze: steps(average=lambda self, x: squeeze(x)))},
    equation=EXCITATION,
    forms=(Excitation,),
    free_biases=True,
    records=("weights", "output"),
    probes=PROBES,
    checks={
        "shapes": Check(1, (shape("weights"), shape("output"), leaves_input_alone())),
        "parameters": Check(2, (parameters(),)),
        "values": Check(
            4,
            gates.VALUES,
        ),
        "gradients": Check(1, (gradients(),)),
    },
    misconceptions=(
        gates.max_squeeze(2, SQUEEZE),
        gates.batch_mixed(SQUEEZE),
        mistake(
            "fixed-pool",
            "the pooling has a fixed size, so it is not global",
            "What happens with an image of another size?",
            steps(average=lambda self, x: F.avg_pool2d(x, 7).flatten(1)),
            equation=SQUEEZE,
        ),
        gates.no_squeeze(SQUEEZE),
        gates.softmax_not_sigmoid("channel"),
        mistake(
            "activations-exchanged",
            "ReLU and sigmoid are exchanged: the hidden layer has the sigmoid, and the weights can be above 1",
            "Which of the two keeps a weight between 0 and 1?",
            steps(relu=nn.Sigmoid, gate=lambda self, scores: scores.relu()),
        ),
        gates.NO_SIGMOID,
        gates.HARD_SIGMOID,
        gates.no_relu("W2 W1"),
        gates.other_activation(),
        gates.relu_before_sigmoid("channel"),
        gates.SIGMOID_TWICE,
        gates.reduction_as_width(WIDTH),
        gates.reduction_ignored(WIDTH),
        gates.width_rounded(WIDTH),
        gates.no_bottleneck("Which two matrices does equation 3 have, and of which shapes?"),
        gates.gate_shape("(N, C)", "(N, C, 1, 1)"),
        gates.GATE_RETURNED,
        gates.RESIDUAL_INSIDE,
        gates.GATE_ADDED,
    ),
    hints=(
        """
        Three steps, three shapes: the map becomes one number per channel, the numbers become gates, the gates scale
        the map.
        """,
        r"""
        $z$: `(N, C)` is the squeeze. $s = \sigma(W_2\,\mathrm{ReLU}(W_1 z))$ with $W_1$ of shape `(C // r, C)` and
        $W_2$ of shape `(C, C // r)`. The gate is $s$ as `(N, C, 1, 1)`; the output is $s\,x$.
        """,
        """
        ```
        __init__: a linear layer from channels to channels // reduction, one back to channels
        weights:  z = mean of x over height and width
                  h = ReLU(first layer of z)
                  s = sigmoid(second layer of h)
                  return s with two new axes at the end
        forward:  return x times weights(x)
        ```
        """,
    ),
)


class Residual:
    """The right answer in steps. The last one does nothing: a mistake does something there."""

    def recalibrated(self, x: Tensor, branch: Callable, se: Callable) -> Tensor:
        return se(branch(x))

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y

    def unit(self, x: Tensor, branch: Callable, se: Callable) -> Tensor:
        return self.add(x, self.recalibrated(x, branch, se))

    def end(self, y: Tensor) -> Tensor:
        return y

    def __call__(self, x: Tensor, branch: Callable, se: Callable) -> Tensor:
        return self.end(self.unit(x, branch, se))


SE_RESIDUAL = Exercise(
    id="se-residual",
    equation="output = x + se(branch(x)) (Hu et al. 2018, figure 3)",
    forms=(Residual(),),
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
        mistake(
            "gate-on-the-sum",
            "the gate stands after the addition and scales the skip connection too",
            "If every gate is 0, what is left of x?",
            steps(unit=lambda self, x, branch, se: se(x + branch(x))),
        ),
        mistake(
            "gate-on-the-skip",
            "the gate is on the skip connection, not on the branch",
            "Which of the two paths is recalibrated?",
            steps(unit=lambda self, x, branch, se: self.add(se(x), branch(x))),
        ),
        mistake(
            "gate-before-the-branch",
            "the gate stands before the branch, not after it",
            "Whose output does the block recalibrate?",
            steps(recalibrated=lambda self, x, branch, se: branch(se(x))),
        ),
        mistake(
            "gated-twice",
            "the branch is multiplied by itself: se(u) already returns u times its gates",
            "What does se return: gates, or a gated map?",
            steps(recalibrated=lambda self, x, branch, se: branch(x) * se(branch(x))),
        ),
        mistake(
            "gate-of-x",
            "the branch is multiplied by se(x): the gates are made of x, and x comes in once more",
            "What does se return: gates, or a gated map? Whose output should it gate?",
            steps(recalibrated=lambda self, x, branch, se: branch(x) * se(x)),
        ),
        mistake(
            "no-skip",
            "the skip connection is missing",
            "Where is x added?",
            steps(add=lambda self, x, y: y),
        ),
        mistake(
            "no-gate",
            "the gate is never applied",
            "Where is se called?",
            steps(recalibrated=lambda self, x, branch, se: branch(x)),
        ),
        mistake(
            "relu-added",
            "the unit's last ReLU is applied here; this function stops before it",
            "Can your output be negative? If every gate is 0, is it x?",
            steps(end=lambda self, y: y.relu()),
        ),
    ),
    hints=(
        "Two paths meet in an addition. Only one of them carries something new to weigh.",
        r"$y = x + \mathrm{se}(\mathrm{branch}(x))$, every term of shape `(N, C, H, W)`.",
        """
        ```
        u = branch of x
        return x plus se of u
        ```
        """,
    ),
)


def three_sizes(self, x: Tensor) -> Tensor:
    n, c, _ = x.shape  # noqa: RUF059 (the tutorial's line)


DEBUG_SE = Exercise(
    id="debug-se",
    equation=EXCITATION,
    forms=(Excitation,),
    free_biases=True,
    probes=PROBES,
    checks={
        "runs": Check(1, (shape("output"),)),
        "parameters": Check(1, (parameters(),)),
        "values": Check(3, (values("output"), images_apart(), gradients(), leaves_input_alone())),
    },
    misconceptions=(
        mistake(
            "view-without-sizes",
            "x.view() is called without sizes; it does not return the shape",
            "Which attribute of a tensor holds its shape?",
            steps(forward=lambda self, x: x.view()),
            equation="x.shape is (N, C, H, W)",
        ),
        mistake(
            "three-sizes",
            "four sizes are unpacked into three names",
            "How many axes has a feature map?",
            steps(forward=three_sizes),
            equation="x.shape is (N, C, H, W)",
        ),
        mistake(
            "squeeze-thrown-away",
            "y is made from x again, so the pooled values are lost",
            "After pooling, which variable holds the squeeze? Which one does the next line read?",
            steps(average=lambda self, x: x.flatten(1)),
            equation=SQUEEZE,
        ),
        mistake(
            "layers-on-the-map",
            "the linear layers receive the map x, not the squeeze",
            "Which shape do the linear layers expect?",
            steps(average=lambda self, x: x),
        ),
        mistake(
            "sigmoid-of-x",
            "the sigmoid is taken of x: every value gates itself",
            "Who computed the gate: the two layers, or x alone?",
            steps(scores=lambda self, x: x),
        ),
        mistake(
            "excitation-skipped",
            "the sigmoid is taken of the pooled values: the two layers are never used",
            "Where do the channels talk to each other?",
            steps(scores=lambda self, x: gates.as_map(self.average(x))),
        ),
        *named(SQUEEZE_EXCITATION.misconceptions, "max-squeeze", "no-sigmoid", "gate-returned"),
    ),
    hints=(
        """
        Run the module and read the error: it names a line of `forward`. Repair that line, run again. The line that
        stops is not always the line that is wrong.
        """,
        """
        Write the shape behind every line of `forward`: `(N, C, H, W)` -> pool -> `(N, C, 1, 1)` -> `(N, C)` -> two
        layers -> `(N, C)` -> `(N, C, 1, 1)`. On which lines is the variable on the right still `x`?
        """,
        """
        ```
        take N and C from the shape of x (it has four entries)
        y = pool of x
        y = y as (N, C)
        y = fc of y
        y = sigmoid of y
        y = y as (N, C, 1, 1)
        return x times y
        ```
        """,
    ),
)

EXERCISES = (SQUEEZE_EXERCISE, SQUEEZE_EXCITATION, SE_RESIDUAL, DEBUG_SE)
