"""Lesson 08, attention in networks: count-parameters, count-macs, attention-bottleneck, verdict, grad-cam."""

import itertools
import math
import statistics
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from ..exercise import Check, Coding, Exercise, Probe, mistake, normal, steps
from ..properties import (
    between,
    gradients,
    images_apart,
    leaves_input_alone,
    parameters,
    repeatable,
    shape,
    the_same_in_training,
    values,
    written_out,
)
from ..stand_ins import Part, StandIn, built

TRAINED = "sum of p.numel() over the distinct parameters p with p.requires_grad"
MACS = "multiply-adds of a layer = numbers it puts out x weights of one filter"
UNIT = "output = ReLU(shortcut(x) + attention(branch(x))) (He et al. 2016, figure 5; Hu et al. 2018, figure 3)"
SHORTCUT = "shortcut(x) = x, or a 1x1 convolution with BN where the shape changes (He et al. 2016, equation 2)"
CAM = "ReLU(sum_k alpha_k A_k), alpha_k = mean over positions of dy/dA_k (Selvaraju et al. 2017, equations 1 and 2)"


def size(g: Generator, low: int = 5, high: int = 9) -> int:
    return int(torch.randint(low, high + 1, (), generator=g))


# count-parameters


def network(g: Generator) -> StandIn:
    a, b = size(g), size(g, 10, 14)
    inner = ("Sequential", ("Conv2d", a, b, 3), ("BatchNorm2d", b), ("ReLU",))
    return StandIn("stack", (("Conv2d", 3, a, 3, {"bias": False}), inner, ("Flatten",), ("Linear", b, 4)))


def partly_frozen(g: Generator) -> StandIn:
    a, b = size(g), size(g, 10, 14)
    return StandIn("frozen", (("Linear", 7, a), ("ReLU",), ("Linear", a, b), ("BatchNorm1d", b)))


def with_itself_inside(g: Generator) -> StandIn:
    a, b = size(g), size(g, 10, 14)
    return StandIn("repeated", (3, ("Linear", a, b), ("GELU",), ("Linear", b, a)))


def with_one_weight_twice(g: Generator) -> StandIn:
    a = size(g)
    return StandIn("tied", (("Linear", a, a), ("GELU",), ("Linear", a, a)))


def with_a_parameter_of_its_own(g: Generator) -> StandIn:
    return StandIn("scaled", (size(g), ("Linear", 4, size(g))))


class CountParameters:
    """The right answer in steps: which parameters there are, which of them count, and how much each of them."""

    def parameters(self, model: nn.Module) -> Iterable[Tensor]:
        return model.parameters()

    def trained(self, parameter: Tensor) -> bool:
        return parameter.requires_grad

    def size(self, parameter: Tensor) -> int:
        return parameter.numel()

    def __call__(self, model: nn.Module) -> int:
        return sum(self.size(parameter) for parameter in self.parameters(model) if self.trained(parameter))


def own_of(layers: Iterable[nn.Module]) -> Iterable[Tensor]:
    return (p for layer in layers for p in layer.parameters(recurse=False))


def called(model: nn.Module, *endings: str) -> Iterable[Tensor]:
    return (p for name, p in model.named_parameters() if name.endswith(endings))


COUNT_PARAMETERS = Exercise(
    id="count-parameters",
    forms=(CountParameters(),),
    equation=TRAINED,
    probes={
        "network": Probe(lambda g: (network(g),)),
        "partly frozen": Probe(lambda g: (partly_frozen(g),)),
        "repeated": Probe(lambda g: (with_itself_inside(g),)),
        "tied": Probe(lambda g: (with_one_weight_twice(g),)),
        "own parameter": Probe(lambda g: (with_a_parameter_of_its_own(g),)),
    },
    checks={
        "network": Check(1, (values(on=("network",), name="number of a whole network"),)),
        "trainable": Check(
            1,
            (
                values(on=("partly frozen",), name="number with a frozen layer"),
                values(on=("repeated",), name="number with a layer used three times"),
                values(on=("tied",), name="number with one weight in two layers"),
                values(on=("own parameter",), name="number with a parameter that is neither weight nor bias"),
            ),
        ),
    },
    misconceptions=(
        mistake(
            "twice-for-shared",
            "a parameter that is used in several places is counted several times",
            "How many copies of a shared weight does the optimiser change?",
            steps(parameters=lambda self, model: (p for _, p in model.named_parameters(remove_duplicate=False))),
            steps(parameters=lambda self, model: own_of(model.modules())),
        ),
        mistake(
            "counted-again",
            "a parameter is counted once for every module that it is inside of",
            "Which modules does modules() list, and which parameters has each of them with all that is inside?",
            steps(parameters=lambda self, model: (p for layer in model.modules() for p in layer.parameters())),
        ),
        mistake(
            "frozen-counted",
            "frozen parameters are counted too",
            "Which parameters does an optimiser change?",
            steps(trained=lambda self, parameter: True),
        ),
        mistake(
            "frozen-only",
            "what is trained is left out, and what is frozen is counted",
            "What does requires_grad say of a parameter that is trained?",
            steps(trained=lambda self, parameter: not parameter.requires_grad),
        ),
        mistake(
            "with-a-gradient-now",
            "only parameters with a gradient are counted; before the first backward() none has one",
            "What is the difference between p.grad and p.requires_grad?",
            steps(trained=lambda self, parameter: parameter.grad is not None),
        ),
        mistake(
            "buffers-counted",
            "buffers are counted too: running means and variances are not trained",
            "Does the optimiser see everything in the state_dict?",
            steps(
                parameters=lambda self, model: model.state_dict().values(),
                trained=lambda self, parameter: True,
            ),
        ),
        mistake(
            "tensors-counted",
            "the tensors are counted, not the numbers in them",
            "How many numbers has a matrix of 3 x 4?",
            steps(size=lambda self, parameter: 1),
            steps(size=lambda self, parameter: 1, trained=lambda self, parameter: True),
        ),
        mistake(
            "rows-counted",
            "only the first axis of each parameter is counted",
            "What does len() of a matrix give?",
            steps(size=lambda self, parameter: len(parameter)),
        ),
        mistake(
            "first-only",
            "the loop ends too early: after the first parameter, or at the first one that is frozen",
            "Which line ends the loop, and when?",
            steps(parameters=lambda self, model: itertools.islice(model.parameters(), 1)),
            steps(parameters=lambda self, model: itertools.takewhile(self.trained, model.parameters())),
        ),
        mistake(
            "by-name",
            "only what is called weight or bias is counted",
            "What is the class token of a vision transformer called?",
            steps(parameters=lambda self, model: called(model, "weight", "bias")),
        ),
        mistake(
            "biases-left-out",
            "biases are left out",
            "Which names do the parameters of a linear layer have?",
            steps(parameters=lambda self, model: (p for name, p in model.named_parameters() if "bias" not in name)),
        ),
        mistake(
            "some-kinds-only",
            "only the parameters of some kinds of layer are counted, such as convolutions and linear layers",
            "Which other layers are trained?",
            *(
                steps(
                    parameters=lambda self, model, kinds=kinds: own_of(
                        m for m in model.modules() if isinstance(m, kinds)
                    )
                )
                for kinds in ((nn.Conv2d, nn.Linear), nn.Linear, nn.Conv2d)
            ),
        ),
        mistake(
            "one-of-each-shape",
            "of several parameters with the same shape only one is counted",
            "By what do you tell two parameters apart?",
            steps(parameters=lambda self, model: {p.shape: p for p in model.parameters()}.values()),
        ),
        mistake(
            "top-layers-only",
            "the parameters of layers inside of layers are not counted",
            "Which layers are inside the layers?",
            steps(parameters=lambda self, model: model.parameters(recurse=False)),
            steps(parameters=lambda self, model: own_of(model.children())),
        ),
    ),
    hints=(
        """
        A model can list its parameters. Each of them knows how many numbers it has, and whether it is trained.
        """,
        r"""
        $\sum_p \mathrm{numel}(p)$ over the parameters $p$ of the model for which `requires_grad` is true.
        `parameters()` lists a shared one once, and no buffers.
        """,
        """
        ```
        total = 0
        for each parameter of the model:
            if it requires a gradient: add its number of elements
        return total
        ```
        """,
    ),
)


# count-macs


class CountMacs:
    """The right answer in steps: which layers count, what a call of one costs, how the costs make a total."""

    kinds = (nn.Conv2d, nn.Linear)

    def layers(self, model: nn.Module) -> Iterable[nn.Module]:
        return model.modules()

    def convolution(self, layer: nn.Module, x: Tensor, y: Tensor) -> int:
        return y.numel() * layer.weight[0].numel()

    def linear(self, layer: nn.Module, x: Tensor, y: Tensor) -> int:
        return y.numel() * layer.weight[0].numel()

    def cost(self, layer: nn.Module, x: Tensor, y: Tensor) -> int:
        return (self.convolution if isinstance(layer, nn.Conv2d) else self.linear)(layer, x, y)

    def total(self, costs: list[tuple[nn.Module, int]]) -> int:
        return sum(cost for _, cost in costs)

    def __call__(self, model: nn.Module, x: Tensor) -> int:
        costs: list[tuple[nn.Module, int]] = []
        hooks = [
            layer.register_forward_hook(lambda layer, x, y: costs.append((layer, self.cost(layer, x[0], y))))
            for layer in self.layers(model)
            if isinstance(layer, self.kinds)
        ]
        model(x)
        for hook in hooks:
            hook.remove()
        return self.total(costs)


def convolutions(g: Generator) -> tuple:
    a, b = size(g), size(g, 10, 14)
    return (
        StandIn(
            "stack",
            (
                ("Conv2d", 3, a, 3, {"stride": 2, "padding": 1}),
                ("BatchNorm2d", a),
                ("ReLU",),
                ("Sequential", ("Conv2d", a, b, (1, 3)), ("ReLU",), ("Conv2d", b, 4, 1, {"bias": False})),
            ),
        ),
        normal(g, 2, 3, 9, 14),
    )


def grouped(g: Generator) -> tuple:
    a = 4 * size(g, 2, 4)
    layers = (
        ("Conv2d", 3, a, 1, {"bias": False}),
        ("Conv2d", a, 2 * a, 3, {"groups": 4, "bias": False}),
        ("Conv2d", 2 * a, 2 * a, 3, {"groups": 2 * a, "bias": False, "dilation": 2, "padding": 2}),
    )
    return StandIn("stack", layers), normal(g, 1, 3, 7, 6)


def linear_layers(g: Generator) -> tuple:
    a = size(g)
    return StandIn("stack", (("Linear", 7, a), ("LayerNorm", a), ("GELU",), ("Linear", a, 4))), normal(g, 3, 5, 7)


def called_three_times(g: Generator) -> tuple:
    a = size(g)
    return StandIn("repeated", (3, ("Conv2d", a, a, 3, {"padding": 1}), ("ReLU",))), normal(g, 2, a, 5, 4)


COUNT_MACS = Exercise(
    id="count-macs",
    forbidden=("FlopCounterMode",),
    forms=(CountMacs(),),
    equation=MACS,
    probes={
        "convolutions": Probe(convolutions),
        "groups": Probe(grouped),
        "linear layers": Probe(linear_layers),
        "called three times": Probe(called_three_times),
    },
    checks={
        "convolutions": Check(
            2, (values(on=("convolutions",), name="multiply-adds of convolutions"), repeatable(), written_out())
        ),
        "groups": Check(1, (values(on=("groups",), name="multiply-adds of convolutions in groups"), written_out())),
        "linear": Check(2, (values(on=("linear layers",), name="multiply-adds of linear layers"), written_out())),
        "calls": Check(
            1,
            (
                values(on=("called three times",), name="multiply-adds of a layer called three times"),
                leaves_input_alone(),
                written_out(),
            ),
        ),
    },
    misconceptions=(
        mistake(
            "once-each",
            "a layer that is called several times is counted once",
            "How often does your hook run, and what does it do with the number of the first call?",
            steps(total=lambda self, costs: sum(dict(costs).values())),
        ),
        mistake(
            "tokens-ignored",
            "a linear layer is counted once an image, though it is applied to every token",
            "How many numbers does the layer put out for (N, L, d)?",
            steps(linear=lambda self, layer, x, y: len(y) * layer.weight.numel()),
        ),
        mistake(
            "no-linear-layers",
            "linear layers are not counted",
            "Which kinds of layer get a hook?",
            steps(kinds=(nn.Conv2d,)),
        ),
        mistake(
            "nothing-counted",
            "no hook was ever called",
            "Does your function run the model, after the hooks are in place?",
            steps(total=lambda self, costs: 0),
        ),
        mistake(
            "groups-ignored",
            "a filter in a grouped convolution is taken to see all input channels",
            "How many input channels does one filter see when there are 4 groups?",
            steps(convolution=lambda self, layer, x, y: y.numel() * layer.in_channels * layer.weight[0, 0].numel()),
        ),
        mistake(
            "biases-counted",
            "biases are counted: an addition is no multiply-add of the convention",
            "Does a bias multiply anything?",
            steps(cost=lambda self, layer, x, y: y.numel() * (layer.weight[0].numel() + (layer.bias is not None))),
        ),
        mistake(
            "twice",
            "everything is counted twice: a multiply-add as two operations, or the model runs twice",
            "Is a multiply-add one step or two? How often does your function call the model?",
            steps(total=lambda self, costs: 2 * sum(cost for _, cost in costs)),
        ),
        mistake(
            "input-size",
            "the size of the layer's input is used, not of its output",
            "How often is a filter with stride 2 applied?",
            steps(convolution=lambda self, layer, x, y: x[:, 0].numel() * layer.weight.numel()),
            steps(cost=lambda self, layer, x, y: x.numel() * layer.weight[0].numel()),
        ),
        mistake(
            "all-filters",
            "every number is taken to need the weights of all filters; it needs those of one",
            "How many filters does one output channel come from? What does layer.weight[0] hold?",
            steps(cost=lambda self, layer, x, y: y.numel() * layer.weight.numel()),
            steps(convolution=lambda self, layer, x, y: y.numel() * layer.weight.numel()),
        ),
        mistake(
            "outputs-for-inputs",
            "a number that a linear layer puts out is taken to need as many multiply-adds as the layer has outputs",
            "Which numbers are multiplied for one output: those that go in, or those that come out?",
            steps(linear=lambda self, layer, x, y: y.numel() * layer.out_features),
        ),
        mistake(
            "square-kernels",
            "the kernel is taken to be as wide as it is high",
            "What is kernel_size of a convolution with a kernel of 1 x 3?",
            steps(
                convolution=lambda self, layer, x, y: y.numel() * len(layer.weight[0]) * layer.kernel_size[0] ** 2,
            ),
        ),
        mistake(
            "one-image",
            "only one image of the batch is counted",
            "How many images does x hold?",
            steps(cost=lambda self, layer, x, y: y[0].numel() * layer.weight[0].numel()),
        ),
        mistake(
            "each-weight-once",
            "each weight is counted once, though a filter is used at every position",
            "How often is one weight multiplied in one pass?",
            steps(cost=lambda self, layer, x, y: layer.weight.numel()),
        ),
        mistake(
            "kernel-ignored",
            "the area of the kernel is left out",
            "How many weights has one filter of 3 x 3 over C channels?",
            steps(convolution=lambda self, layer, x, y: y.numel() * layer.in_channels // layer.groups),
        ),
        mistake(
            "channels-ignored",
            "the input channels are left out",
            "How many weights has one filter of 3 x 3 over C channels?",
            steps(convolution=lambda self, layer, x, y: y.numel() * layer.weight[0, 0].numel()),
        ),
        mistake(
            "top-layers-only",
            "layers inside of layers get no hook",
            "What is the difference between children() and modules()?",
            steps(layers=lambda self, model: model.children()),
        ),
        mistake(
            "normalisation-counted",
            "normalisations are counted too; the convention leaves them out",
            "Which kinds of layer get a hook?",
            steps(kinds=(nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.LayerNorm)),
        ),
    ),
    hints=(
        """
        For every number that a layer puts out, it multiplies and adds one filter's weights. A forward hook shows you a
        layer and its output.
        """,
        r"""
        Convolution: $N \cdot C_{out} H_{out} W_{out} \cdot \frac{C_{in}}{G} k_h k_w$. Linear: every output number takes
        $d_{in}$. Both are (number of outputs) × (number of weights in `weight[0]`).
        """,
        """
        ```
        total = 0
        hook of a layer and its output: add (elements of the output) times (elements of weight[0])
            to total (declared nonlocal), and return nothing
        for every module inside the model, at any depth:
            if it is a convolution or a linear layer: register the hook
        run the model on x
        remove the hooks
        return total
        ```
        """,
    ),
)


# attention-bottleneck


class Unit(nn.Module):
    """The right answer in steps."""

    expansion = 4
    padding = 1
    biased: tuple[str, ...] = ()

    def __init__(self, in_channels: int, width: int, stride: int = 1, attention: Callable | None = None):
        super().__init__()
        self.channels = self.expanded(in_channels, width)
        first, second = self.strides(stride)
        biased, hidden = "branch" in self.biased, self.hidden(width)
        self.branch = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 1, first, bias=biased),
            *self.behind(hidden),
            nn.Conv2d(hidden, hidden, 3, second, self.padding, bias=biased),
            *self.behind(hidden),
            nn.Conv2d(hidden, self.channels, 1, bias=biased),
            nn.BatchNorm2d(self.channels),
        )
        self.gate = self.attend(attention, width) if attention else nn.Identity()
        self.shortcut = nn.Identity() if self.fits(in_channels, stride) else self.bridge(in_channels, stride)

    def expanded(self, in_channels: int, width: int) -> int:
        return self.expansion * width

    def hidden(self, width: int) -> int:
        return width

    def strides(self, stride: int) -> tuple[int, int]:
        return stride, 1

    def behind(self, width: int) -> tuple[nn.Module, nn.Module]:
        return nn.BatchNorm2d(width), self.inner()

    def inner(self) -> nn.Module:
        return nn.ReLU()

    def attend(self, attention: Callable, width: int) -> nn.Module:
        return attention(self.channels)

    def fits(self, in_channels: int, stride: int) -> bool:
        return stride == 1 and in_channels == self.channels

    def bridge(self, in_channels: int, stride: int) -> nn.Module:
        convolution = nn.Conv2d(in_channels, self.channels, 1, stride, bias="bridge" in self.biased)
        return nn.Sequential(convolution, nn.BatchNorm2d(self.channels))

    def add(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.gate(self.branch(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.add(x).relu()


class UnitWithStrideIn3x3(Unit):
    def strides(self, stride: int) -> tuple[int, int]:
        return 1, stride


def either_first(**other) -> tuple[Coding, Coding]:
    """A mistake with the shortcut first and with the branch first, as errors and the order of like layers show which."""
    return steps(**other), steps(add=lambda self, x: self.gate(self.branch(x)) + self.shortcut(x), **other)


def pooled_where_channels_fit(self: Unit, in_channels: int, stride: int) -> nn.Module:
    return nn.MaxPool2d(1, stride) if in_channels == self.channels else Unit.bridge(self, in_channels, stride)


EXPANSION = "1x1 to width, 3x3, 1x1 to 4 width (He et al. 2016, figure 5)"

ATTENTION_BOTTLENECK = Exercise(
    id="attention-bottleneck",
    forms=(Unit, UnitWithStrideIn3x3),
    equation=UNIT,
    probes={
        "wider": Probe(lambda g: (normal(g, 2, 12, 5, 7),), build=(12, 5, 1, StandIn("Gate"))),
        "stride 2": Probe(lambda g: (normal(g, 3, 8, 6, 9),), build=(8, 3, 2, StandIn("Gate"))),
        "same shape": Probe(lambda g: (normal(g, 1, 12, 7, 4),), build=(12, 3, 1, StandIn("Gate"))),
        "no attention": Probe(lambda g: (normal(g, 2, 12, 7, 5),), build=(12, 3, 2)),
    },
    checks={
        "shapes": Check(1, (shape(), leaves_input_alone())),
        "parameters": Check(2, (parameters(),)),
        "values": Check(4, (values(), images_apart(), repeatable(), the_same_in_training())),
        "gradients": Check(1, (gradients(),)),
    },
    misconceptions=(
        mistake(
            "gate-after-the-addition",
            "the attention stands after the addition: it scales the skip connection too",
            "If every gate is 0, what is left of x?",
            steps(add=lambda self, x: self.gate(self.shortcut(x) + self.branch(x))),
        ),
        mistake(
            "gate-after-the-relu",
            "the attention stands after the last ReLU: it scales the skip connection too",
            "If every gate is 0, what is left of x?",
            steps(forward=lambda self, x: self.gate((self.shortcut(x) + self.branch(x)).relu())),
        ),
        mistake(
            "gate-on-the-skip",
            "the attention is on the skip connection, not on the branch",
            "Which of the two paths is weighted?",
            steps(add=lambda self, x: self.gate(self.shortcut(x)) + self.branch(x)),
        ),
        mistake(
            "gate-inside",
            "the attention stands after the 3x3 convolution and has width channels",
            "How many channels has the end of the branch?",
            steps(
                attend=lambda self, attention, width: attention(width),
                add=lambda self, x: self.shortcut(x) + self.branch[6:](self.gate(self.branch[:6](x))),
            ),
        ),
        mistake(
            "gate-before-the-last-norm",
            "the attention stands before the branch's last normalisation",
            "What is the last thing that happens to the branch before the addition?",
            steps(add=lambda self, x: self.shortcut(x) + self.branch[7:](self.gate(self.branch[:7](x)))),
        ),
        mistake(
            "gate-not-built",
            "the attention is a class that is never called with the number of channels, so there is no module",
            "attention makes the mechanism. Which line of __init__ calls it, and with what?",
            steps(attend=lambda self, attention, width: attention),
            equation="attention(4 width) is the module, attention is its class",
        ),
        mistake(
            "gate-too-narrow",
            "the attention is built for width channels, but the branch ends with 4 width",
            "How many channels has the end of the branch?",
            steps(attend=lambda self, attention, width: attention(width)),
            equation=f"attention(4 width): {EXPANSION}",
        ),
        mistake(
            "gate-for-the-input",
            "the attention is built for the channels of x, but it weighs the end of the branch",
            "How many channels has the end of the branch?",
            steps(attend=lambda self, attention, width: attention(self.branch[0].in_channels)),
            equation=f"attention(4 width): {EXPANSION}",
        ),
        mistake(
            "gate-twice",
            "the branch is weighted twice: the attention gives back the weighted branch already",
            "What does attention(branch) give: the weights, or the branch times its weights?",
            steps(add=lambda self, x: self.shortcut(x) + self.branch(x) * self.gate(self.branch(x))),
            steps(add=lambda self, x: self.shortcut(x) + self.gate(self.gate(self.branch(x)))),
        ),
        mistake(
            "skip-multiplied",
            "the skip connection is multiplied with the branch, not added to it",
            "If the branch is 0, what should come out?",
            steps(add=lambda self, x: self.shortcut(x) * self.gate(self.branch(x))),
        ),
        mistake(
            "gate-unused",
            "the attention is built and never called",
            "Which line of forward calls it?",
            steps(add=lambda self, x: self.shortcut(x) + self.branch(x)),
        ),
        mistake(
            "no-last-relu",
            "the ReLU after the addition is missing",
            "Can the output of a ResNet's unit be negative?",
            steps(forward=lambda self, x: self.add(x)),
        ),
        mistake(
            "relu-before-the-addition",
            "the branch ends in a ReLU: it can only add, never take away",
            "Can your branch lower a value of x?",
            steps(add=lambda self, x: self.shortcut(x) + self.gate(self.branch(x).relu())),
            steps(forward=lambda self, x: self.shortcut(x) + self.gate(self.branch(x).relu())),
            steps(forward=lambda self, x: self.shortcut(x) + self.gate(self.branch(x)).relu()),
        ),
        mistake(
            "relu-on-the-skip",
            "the skip connection goes through a ReLU of its own: what is negative in x is lost",
            "What should reach the addition where the branch is 0?",
            steps(add=lambda self, x: self.shortcut(x).relu() + self.gate(self.branch(x))),
            steps(add=lambda self, x: self.gate(self.branch(x)) + self.shortcut(x).relu()),
        ),
        mistake(
            "no-skip",
            "the skip connection is missing",
            "Where is x added?",
            steps(add=lambda self, x: self.gate(self.branch(x)), fits=lambda self, in_channels, stride: True),
            steps(add=lambda self, x: self.gate(self.branch(x))),
        ),
        mistake(
            "no-inner-relus",
            "the ReLUs between the convolutions are missing",
            "What are three linear maps in a row?",
            steps(inner=lambda self: nn.Identity()),
            equation="each convolution but the last is followed by BN and ReLU (He et al. 2016, figure 5)",
        ),
        mistake(
            "one-inner-relu",
            "only one of the two ReLUs inside the branch is there",
            "What follows each convolution but the last?",
            steps(add=lambda self, x: self.shortcut(x) + self.gate(self.branch[6:](self.branch[:5](x)))),
            steps(add=lambda self, x: self.shortcut(x) + self.gate(self.branch[3:](self.branch[:2](x)))),
            equation="each convolution but the last is followed by BN and ReLU (He et al. 2016, figure 5)",
        ),
        mistake(
            "norm-after-relu",
            "inside the branch the ReLU stands before the normalisation",
            "In which order do BN and ReLU follow a convolution?",
            steps(behind=lambda self, width: (self.inner(), nn.BatchNorm2d(width))),
            equation="each convolution but the last is followed by BN and ReLU (He et al. 2016, figure 5)",
        ),
        mistake(
            "never-bridged",
            "the shortcut is always x, also where the shapes differ",
            "Which shape has x, and which the branch?",
            *either_first(fits=lambda self, in_channels, stride: True),
            equation=SHORTCUT,
        ),
        mistake(
            "always-bridged",
            "the shortcut always has a convolution, also where x fits as it is",
            "When do x and the branch have the same shape?",
            steps(fits=lambda self, in_channels, stride: False),
            equation=SHORTCUT,
        ),
        mistake(
            "bridged-without-stride",
            "the shortcut's convolution has no stride, so its map stays large",
            "Which size has the map of the branch when stride is 2?",
            *either_first(bridge=lambda self, in_channels, stride: Unit.bridge(self, in_channels, 1)),
            equation=SHORTCUT,
        ),
        mistake(
            "bridged-without-norm",
            "the shortcut's convolution has no normalisation",
            "What follows every convolution of a ResNet?",
            steps(bridge=lambda self, in_channels, stride: Unit.bridge(self, in_channels, stride)[0]),
            equation=SHORTCUT,
        ),
        mistake(
            "bridged-by-pooling",
            "the shortcut makes its map smaller by pooling, not by the stride of its convolution",
            "Which layers has the shortcut in the equation?",
            *(
                coding
                for pool in (nn.AvgPool2d, nn.MaxPool2d)
                for coding in either_first(
                    bridge=lambda self, in_channels, stride, pool=pool: nn.Sequential(
                        pool(stride), *Unit.bridge(self, in_channels, 1)
                    )
                )
            ),
            steps(bridge=pooled_where_channels_fit),
            equation=SHORTCUT,
        ),
        mistake(
            "bridged-for-stride-only",
            "the shortcut fits the size of the map, but not the number of channels",
            "Which two things can differ between x and the branch?",
            *either_first(fits=lambda self, in_channels, stride: stride == 1),
            equation=SHORTCUT,
        ),
        mistake(
            "bridged-for-channels-only",
            "the shortcut fits the number of channels, but not the size of the map",
            "Which two things can differ between x and the branch?",
            *either_first(fits=lambda self, in_channels, stride: in_channels == self.channels),
            equation=SHORTCUT,
        ),
        mistake(
            "no-padding",
            "the 3x3 convolution has no padding: the branch's map loses its border",
            "Which size has the map after a 3x3 convolution with padding 0?",
            *either_first(padding=0),
        ),
        mistake(
            "stride-twice",
            "two convolutions of the branch have the stride: the map shrinks by its square",
            "Which size has the map of the shortcut?",
            *either_first(strides=lambda self, stride: (stride, stride)),
        ),
        mistake(
            "biases-kept",
            "convolutions have biases, which the normalisation behind them takes away again",
            "What does a BatchNorm do with a constant that is added to its input?",
            *either_first(biased=("branch", "bridge")),
            *either_first(biased=("branch",)),
            *either_first(biased=("bridge",)),
            equation="no biases: BN subtracts the mean (Ioffe and Szegedy 2015, section 3.2)",
        ),
        mistake(
            "not-expanded",
            "the branch ends with width channels, not 4 width",
            "How many channels come out of a bottleneck?",
            steps(expansion=1),
            equation=EXPANSION,
        ),
        mistake(
            "four-times-the-input",
            "the branch ends with four times as many channels as x has, not with 4 width",
            "Which of the two arguments says how wide the unit is?",
            steps(expanded=lambda self, in_channels, width: self.expansion * in_channels),
            equation=EXPANSION,
        ),
        mistake(
            "wide-inside",
            "the 3x3 convolution has 4 width channels too: it is no bottleneck",
            "Which convolution is expensive, and how many channels should it see?",
            steps(hidden=lambda self, width: self.expansion * width),
            equation=EXPANSION,
        ),
    ),
    hints=(
        """
        Two paths: a branch of three convolutions and a shortcut. The mechanism belongs to one of them, at its end.
        """,
        r"""
        Branch: `(N, in, H, W)` → 1×1 → `width` → 3×3 → `width` → 1×1 → `4 * width`, each with BN, the first two with
        ReLU. $y = \mathrm{ReLU}(\mathrm{shortcut}(x) + \mathrm{attention}(\mathrm{branch}(x)))$. The shortcut is `x` if
        `stride` is 1 and `in_channels` is `4 * width`; otherwise a 1×1 convolution with that stride, and BN.
        """,
        """
        ```
        __init__: branch = conv 1x1 (stride), BN, ReLU, conv 3x3 (padding 1), BN, ReLU, conv 1x1, BN
                  attention = attention(4 * width) if one is given, else nothing (nn.Identity)
                  shortcut = nothing if the shape stays, else conv 1x1 (stride), BN
        forward:  return ReLU of (shortcut of x plus attention of branch of x)
        ```
        """,
    ),
)


# verdict

RULE = (
    "d_s = a_s - b_s for each seed s; standard error = sqrt(sum (d_s - mean d)^2 / (n - 1)) / sqrt(n); "
    "decided if n >= 3 and |mean d| > 2 standard errors (lesson 02)"
)


class Verdict:
    """Paired differences, their standard error, and the rule, in steps."""

    def pairs(self, a: list[float], b: list[float]) -> Iterable[tuple[float, float]]:
        return zip(a, b)

    def differences(self, a: list[float], b: list[float]) -> list[float]:
        return [x - y for x, y in self.pairs(a, b)]

    def mean(self, differences: list[float]) -> float:
        return statistics.mean(differences)

    def deviation(self, differences: list[float]) -> float:
        return statistics.stdev(differences)

    def standard_error(self, a: list[float], b: list[float]) -> float:
        return self.deviation(self.differences(a, b)) / self.root(len(a))

    def root(self, seeds: int) -> float:
        return math.sqrt(seeds)

    def decided(self, mean: float, error: float, seeds: int) -> bool:
        return seeds >= 3 and abs(mean) > 2 * error

    def word(self, mean: float) -> str:
        return "better" if mean < 0 else "worse"

    def __call__(self, errors_a: list[float], errors_b: list[float]) -> tuple[str, float, float]:
        mean, error = self.mean(self.differences(errors_a, errors_b)), self.standard_error(errors_a, errors_b)
        return self.word(mean) if self.decided(mean, error, len(errors_a)) else "undecided", mean, error


class WithoutSign(Verdict):
    """Right words, but the mean is told without its sign."""

    def __call__(self, errors_a: list[float], errors_b: list[float]) -> tuple[str, float, float]:
        word, mean, error = super().__call__(errors_a, errors_b)
        return word, abs(mean), error


def unpaired(self: Verdict, a: list[float], b: list[float]) -> float:
    return math.sqrt(statistics.variance(a) / len(a) + statistics.variance(b) / len(b))


def measured(seeds: int, mean: float, spread: float) -> Callable:
    """Errors of two models that share the luck of the seeds; between them lies ``mean``, in standard errors."""

    def inputs(g: Generator) -> tuple[list[float], list[float]]:
        luck, apart = normal(g, seeds), normal(g, seeds)
        apart = (apart - apart.mean()) / apart.std() * spread
        b = 30 + 4 * (luck - luck.mean()) / luck.std()
        a = b + apart + mean * spread / math.sqrt(seeds)
        return a.tolist(), b.tolist()

    return inputs


def one_far_off(g: Generator) -> tuple[list[float], list[float]]:
    """All seeds but one say the same; the spread that this one brings leaves the mean undecided."""
    b = 30 + normal(g, 25)
    apart = 1 + 0.05 * normal(g, 25).clamp(-2, 2)
    apart[3] = -8
    return (b + apart).tolist(), b.tolist()


def opposite_luck(g: Generator) -> tuple[list[float], list[float]]:
    """What is a lucky seed for one model is an unlucky one for the other."""
    luck = 1 + normal(g, 4).abs()
    luck = torch.cat([luck, -luck])
    return (30.5 - luck).tolist(), (30 + luck).tolist()


def the_same_errors(g: Generator) -> tuple[list[float], list[float]]:
    errors = normal(g, 4).tolist()
    return errors, list(errors)


VERDICT = Exercise(
    id="verdict",
    forms=(Verdict(),),
    records=("output", "mean", "standard_error"),
    words=("better", "worse", "undecided"),
    equation=RULE,
    probes={
        "clearly better": Probe(measured(5, -4.0, 1.5)),
        "clearly worse": Probe(measured(4, 5.0, 0.8)),
        "hardly better": Probe(measured(6, -2.03, 1.2)),
        "not quite worse": Probe(measured(6, 1.98, 1.0)),
        "hardly worse": Probe(measured(5, 1.3, 1.0)),
        "hardly different": Probe(measured(7, -0.5, 1.0)),
        "one seed far off": Probe(one_far_off),
        "opposite luck": Probe(opposite_luck),
        "the same errors": Probe(the_same_errors),
        "many seeds, small difference": Probe(measured(25, -3.0, 1.0)),
        "two seeds": Probe(measured(2, -9.0, 0.5)),
        "three seeds": Probe(measured(3, 3.5, 0.7)),
    },
    checks={
        "numbers": Check(2, (values("mean"), values("standard_error"))),
        "word": Check(3, (values("output", name="verdict"), leaves_input_alone())),
    },
    misconceptions=(
        mistake(
            "unpaired",
            "the two models' errors are averaged each for itself: the luck that they share is not taken out",
            "Which of b's errors belongs to the first of a's? Where do you subtract the two?",
            steps(standard_error=unpaired),
        ),
        mistake(
            "deviation-not-error",
            "the standard deviation is taken for the standard error: more seeds would not make it smaller",
            "What happens to your number when you train a hundred seeds? What should happen?",
            steps(root=lambda self, seeds: 1.0),
        ),
        mistake(
            "divided-by-n",
            "the squares are divided by n, not by n - 1",
            "The mean was taken from the same n numbers. How many of them are then still free?",
            steps(deviation=lambda self, differences: statistics.pstdev(differences)),
        ),
        mistake(
            "divided-by-n-not-its-root",
            "the standard deviation is divided by n, not by its root",
            "How much smaller is the standard error of four times as many seeds?",
            steps(root=lambda self, seeds: float(seeds)),
        ),
        mistake(
            "exchanged",
            "the difference is b minus a",
            "errors_a is lower in every seed. Which sign must the mean have?",
            steps(
                differences=lambda self, a, b: [y - x for x, y in zip(a, b)],
                word=lambda self, mean: "better" if mean > 0 else "worse",
            ),
            steps(differences=lambda self, a, b: [y - x for x, y in zip(a, b)]),
        ),
        mistake(
            "words-exchanged",
            "the two words are exchanged: a higher error counts as better",
            "These are errors. Is the lower one better or worse?",
            steps(word=lambda self, mean: "better" if mean > 0 else "worse"),
        ),
        mistake(
            "one-standard-error",
            "one standard error is enough for your verdict",
            "How many standard errors does the rule ask for?",
            steps(decided=lambda self, mean, error, seeds: seeds >= 3 and abs(mean) > error),
            steps(decided=lambda self, mean, error, seeds: seeds >= 3 and abs(mean) >= error),
        ),
        mistake(
            "another-multiple",
            "the mean is compared with another multiple of the standard error than 2",
            "How many standard errors does the rule ask for?",
            *(
                steps(decided=lambda self, mean, error, seeds, times=times: seeds >= 3 and abs(mean) > times * error)
                for times in (1.96, 2.05, 2.2, 2.5, 3, 1.5)
            ),
        ),
        mistake(
            "equal-is-enough",
            "a mean of just two standard errors decides: with the same errors in both lists, 0 is compared with 0",
            "What should come out where both models have the same errors?",
            steps(decided=lambda self, mean, error, seeds: seeds >= 3 and abs(mean) >= 2 * error),
        ),
        mistake(
            "variance-not-deviation",
            "the variance is taken for the standard deviation",
            "In which unit is the variance of errors in percent?",
            steps(deviation=lambda self, differences: statistics.variance(differences)),
        ),
        mistake(
            "median-not-mean",
            "the median is taken for the mean",
            "Which of the two does the rule name?",
            steps(mean=lambda self, differences: statistics.median(differences)),
        ),
        mistake(
            "seeds-mixed",
            "errors of different seeds are subtracted from each other: the luck that a seed gives both is not taken out",
            "Which of b's errors belongs to the first of a's?",
            steps(pairs=lambda self, a, b: zip(sorted(a), sorted(b))),
            steps(pairs=lambda self, a, b: itertools.product(a, b)),
            steps(
                pairs=lambda self, a, b: itertools.product(a, b),
                standard_error=lambda self, a, b: statistics.stdev(self.differences(a, b)) / len(a),
            ),
        ),
        mistake(
            "by-the-mean",
            "the word follows from the mean alone: no difference is ever undecided",
            "How large may the mean be by luck alone? Which number says so?",
            steps(decided=lambda self, mean, error, seeds: seeds >= 3),
            steps(decided=lambda self, mean, error, seeds: True),
        ),
        mistake(
            "two-seeds-decide",
            "two seeds decide: one difference from the other is all that is known of the spread",
            "How many seeds does the rule ask for?",
            steps(decided=lambda self, mean, error, seeds: abs(mean) > 2 * error),
        ),
        mistake(
            "never-better",
            "the mean is compared with its sign: one below zero is never far enough",
            "How far from 0 is -5?",
            steps(decided=lambda self, mean, error, seeds: seeds >= 3 and mean > 2 * error),
        ),
        mistake(
            "never-worse",
            "the sign of the mean is not looked at where it decides, or a worse model is called undecided",
            "What do you return when the mean is far above zero?",
            steps(decided=lambda self, mean, error, seeds: seeds >= 3 and mean < -2 * error),
        ),
        mistake(
            "absolute-mean",
            "the mean has lost its sign",
            "Which of the two models is better, by your mean?",
            steps(mean=lambda self, differences: abs(statistics.mean(differences))),
            lambda right: WithoutSign(),
        ),
    ),
    hints=(
        "A seed's luck is in both errors. What falls away when you subtract seed by seed?",
        r"""
        $d_s = a_s - b_s$; $\bar d$ is their mean; standard error
        $= \sqrt{\frac{1}{n - 1}\sum_s (d_s - \bar d)^2}\,\big/\,\sqrt n$. Decided if $n \ge 3$ and $|\bar d|$ is larger than
        two standard errors. $\bar d < 0$: a has the lower error.
        """,
        """
        ```
        d = a minus b, for each pair of errors
        mean = mean of d;  error = statistics.stdev of d / root of the number of d
        if there are fewer than 3 or |mean| is at most 2 error: word = "undecided"
        otherwise: word = "better" if mean < 0, "worse" if not
        return word, mean, error
        ```
        """,
    ),
)


# grad-cam


class Cam:
    """The right answer in steps."""

    def keep(self, given: Tensor, output: Tensor) -> Tensor:
        return output

    def score(self, logits: Tensor, target: Tensor) -> Tensor:
        return logits[torch.arange(len(target)), target]

    def alpha(self, slope: Tensor) -> Tensor:
        return slope.mean((2, 3), keepdim=True)

    def combine(self, alpha: Tensor, maps: Tensor) -> Tensor:
        return (alpha * maps).sum(1)

    def rectify(self, heat: Tensor) -> Tensor:
        return heat.relu()

    def resize(self, heat: Tensor, size: torch.Size) -> Tensor:
        return F.interpolate(heat, size, mode="bilinear", align_corners=False)

    def normalise(self, heat: Tensor) -> Tensor:
        return heat / heat.amax((2, 3), keepdim=True).clamp_min(1e-8)

    def finish(self, heat: Tensor, size: torch.Size) -> Tensor:
        return self.normalise(self.resize(heat, size))

    def __call__(self, model: nn.Module, layer: nn.Module, x: Tensor, target: Tensor) -> Tensor:
        kept = []
        hook = layer.register_forward_hook(lambda layer, given, output: kept.append(self.keep(given[0], output)))
        logits = model(x)
        hook.remove()
        slope = torch.autograd.grad(self.score(logits, target).sum(), kept[0])[0]
        heat = self.rectify(self.combine(self.alpha(slope), kept[0]))[:, None]
        return self.finish(heat, x.shape[2:])[:, 0].detach()


class CamNormalisedFirst(Cam):
    """A map may be normalised before or after it is resized."""

    def finish(self, heat: Tensor, size: torch.Size) -> Tensor:
        return self.resize(self.normalise(heat), size)


def by_range(self: Cam, heat: Tensor) -> Tensor:
    low, high = heat.amin((2, 3), keepdim=True), heat.amax((2, 3), keepdim=True)
    return (heat - low) / (high - low).clamp_min(1e-12)


def classifier(seed: int) -> StandIn:
    layers = (
        ("Conv2d", 3, 6, 3, {"padding": 1}),
        ("ReLU",),
        ("Conv2d", 6, 7, 3, {"stride": 2, "padding": 1}),
        ("Tanh",),
        ("Conv2d", 7, 8, 3, {"padding": 1}),
        ("ReLU",),
        ("AdaptiveAvgPool2d", 1),
        ("Flatten",),
        ("BatchNorm1d", 8),
        ("Linear", 8, 5),
    )
    return StandIn("loud", layers, seed)


def last_layers(seed: int) -> StandIn:
    layers = (
        ("Conv2d", 3, 6, 3, {"stride": 2, "padding": 1}),
        ("Softplus",),
        ("AdaptiveAvgPool2d", 1),
        ("Flatten",),
        ("Linear", 6, 4),
    )
    return StandIn("one-sided", layers, seed)


def loud(g: Generator, *shape: int) -> Tensor:
    return 100 * normal(g, *shape)


def spoken_for(drawn: Callable[[Generator], tuple]) -> Callable[[Generator], tuple]:
    """Draws until the map of every image is clearly above 0, so that a small number added to its maximum does not show."""
    raw = steps(normalise=lambda self, heat: heat)(Cam())

    def inputs(g: Generator) -> tuple:
        while True:
            given = drawn(g)
            if (raw(*built(given, torch.float64)).amax((1, 2)) > 0.5).all():
                return given

    return inputs


ON_MAPS = ("signed maps", "maps before a ReLU", "one image", "everything speaks for it")

GRAD_CAM = Exercise(
    id="grad-cam",
    forms=(Cam(), CamNormalisedFirst()),
    equation=CAM,
    probes={
        "nothing speaks for it": Probe(
            lambda g: (last_layers(4), Part(0, "1"), loud(g, 2, 3, 8, 6), torch.tensor([0, 0])),
        ),
        "signed maps": Probe(
            spoken_for(lambda g: (classifier(1), Part(0, "2"), loud(g, 3, 3, 12, 8), torch.tensor([4, 0, 2]))),
        ),
        "maps before a ReLU": Probe(
            spoken_for(lambda g: (classifier(2), Part(0, "4"), loud(g, 2, 3, 8, 14), torch.tensor([1, 3]))),
        ),
        "one image": Probe(
            spoken_for(lambda g: (classifier(3), Part(0, "3"), loud(g, 1, 3, 10, 12), torch.tensor([2])))
        ),
        "everything speaks for it": Probe(
            spoken_for(lambda g: (last_layers(5), Part(0, "1"), loud(g, 2, 3, 6, 10), torch.tensor([1, 1]))),
        ),
    },
    checks={
        "shape": Check(1, (shape(on=ON_MAPS), between(0, 1, "output", on=ON_MAPS), leaves_input_alone())),
        "values": Check(4, (values(on=ON_MAPS, tolerance=1e-3), repeatable())),
        "nothing": Check(
            1, (values(on=("nothing speaks for it",), name="a map of zeros where nothing speaks for it"),)
        ),
    },
    differentiates=True,
    misconceptions=(
        mistake(
            "probabilities",
            "the gradient is taken of the softmax's probability, not of the logit",
            "Which y does the paper differentiate, before or after the softmax?",
            steps(score=lambda self, logits, target: logits.softmax(1)[torch.arange(len(target)), target]),
        ),
        mistake(
            "cross-entropy",
            "the gradient is taken of a loss, not of the logit: its sign, or its softmax, is another",
            "Which y does the paper differentiate?",
            steps(score=lambda self, logits, target: F.cross_entropy(logits, target, reduction="sum")),
            steps(score=lambda self, logits, target: F.cross_entropy(logits, target)),
            steps(score=lambda self, logits, target: -F.cross_entropy(logits, target, reduction="sum")),
        ),
        mistake(
            "pooled-over-the-batch",
            "alpha is averaged over the images too: all images share their weights",
            "How many numbers alpha has an image, and how many has a batch of three?",
            steps(alpha=lambda self, slope: slope.mean((0, 2, 3), keepdim=True)),
        ),
        mistake(
            "predicted-class",
            "the class with the largest logit is explained, whatever target says",
            "Where does your code read target?",
            steps(score=lambda self, logits, target: logits.amax(1)),
        ),
        mistake(
            "first-target",
            "all images are explained for the class of the first one",
            "Which class is asked for in image 2?",
            steps(score=lambda self, logits, target: logits[:, target[0]]),
        ),
        mistake(
            "every-target",
            "the score of an image sums the targets of all images",
            "What do two index tensors in a row pick, and what does a slice before one pick?",
            steps(score=lambda self, logits, target: logits[:, target]),
        ),
        mistake(
            "all-classes",
            "the logits of all classes are summed: target is never read",
            "What does the class that is asked for change in your map?",
            steps(score=lambda self, logits, target: logits),
        ),
        mistake(
            "input-of-the-layer",
            "the maps are the layer's input, not its output",
            "What are the three arguments of a hook, in order?",
            steps(keep=lambda self, given, output: given),
        ),
        mistake(
            "no-graph",
            "the model runs without a graph, so there is nothing to differentiate",
            "What does torch.no_grad() switch off?",
            lambda right: torch.no_grad()(right),
            equation="alpha_k = mean over positions of dy/dA_k: the gradient needs the graph of y",
        ),
        mistake(
            "maps-off-the-graph",
            "what the hook keeps does not lie on the way to the logits: it was detached or copied",
            "Is the tensor that you differentiate for the one that the layers behind it used?",
            steps(keep=lambda self, given, output: output.detach()),
            steps(keep=lambda self, given, output: output.clone()),
            equation="alpha_k = mean over positions of dy/dA_k: y must depend on the very tensor A",
        ),
        mistake(
            "absolute-value",
            "the absolute value is taken, not the ReLU: what speaks against the class is shown as if for it",
            "What should become of a negative number in the weighted sum?",
            steps(rectify=lambda self, heat: heat.abs()),
        ),
        mistake(
            "no-relu",
            "the ReLU is missing: what speaks against the class is kept",
            "Can your map be negative before the division?",
            steps(rectify=lambda self, heat: heat),
        ),
        mistake(
            "relu-on-the-gradients",
            "the ReLU is applied to the gradients, not to the weighted sum",
            "What happens to a channel that speaks against the class?",
            steps(alpha=lambda self, slope: slope.relu().mean((2, 3), keepdim=True)),
        ),
        mistake(
            "relu-before-the-sum",
            "the ReLU is applied to each weighted map, before they are summed",
            "Which of sum and ReLU comes first in equation 2?",
            steps(combine=lambda self, alpha, maps: (alpha * maps).relu().sum(1)),
        ),
        mistake(
            "gradient-not-averaged",
            "the gradients are not averaged over the positions before they weigh the maps",
            "How many alphas does a channel have?",
            steps(alpha=lambda self, slope: slope),
        ),
        mistake(
            "largest-gradient",
            "a channel's weight is its largest gradient, not the mean",
            "What does 1 / Z sum over i, j mean?",
            steps(alpha=lambda self, slope: slope.amax((2, 3), keepdim=True)),
        ),
        mistake(
            "weights-over-channels",
            "the gradients are averaged over the channels, not over the positions",
            "Which axes does alpha still have?",
            steps(alpha=lambda self, slope: slope.mean(1, keepdim=True)),
        ),
        mistake(
            "maps-unweighted",
            "the maps are averaged; the gradients are never used",
            "What does the class change in your map?",
            steps(combine=lambda self, alpha, maps: maps.mean(1)),
        ),
        mistake(
            "gradients-only",
            "the gradients are summed; the maps are never used",
            "Which two things does equation 2 multiply?",
            steps(alpha=lambda self, slope: slope, combine=lambda self, alpha, maps: alpha.sum(1)),
        ),
        mistake(
            "not-resized",
            "the map has the size of the layer's output, not of the image",
            "Which shape does the signature promise?",
            steps(resize=lambda self, heat, size: heat),
            equation="Grad-CAM maps are resized to the image to be laid over it (Selvaraju et al. 2017, section 3)",
        ),
        mistake(
            "channel-kept",
            "the map still has the channel axis that F.interpolate needs",
            "Which shape does the signature promise?",
            lambda right: lambda *given: right(*given)[:, None],
            equation="grad_cam returns (N, H, W)",
        ),
        mistake(
            "corners-aligned",
            "the map is resized with align_corners=True",
            "Where is the centre of the first pixel?",
            steps(resize=lambda self, heat, size: F.interpolate(heat, size, mode="bilinear", align_corners=True)),
            equation="F.interpolate(mode='bilinear', align_corners=False)",
        ),
        mistake(
            "nearest",
            "the map is resized in another mode: by repeating pixels, or by curves that leave the range",
            "Which mode does the statement ask for?",
            steps(resize=lambda self, heat, size: F.interpolate(heat, size)),
            steps(resize=lambda self, heat, size: F.interpolate(heat, size, mode="bicubic", align_corners=False)),
            equation="F.interpolate(mode='bilinear', align_corners=False)",
        ),
        mistake(
            "not-normalised",
            "the map is not divided by its maximum",
            "Between which numbers must the map lie?",
            steps(normalise=lambda self, heat: heat),
            equation="each image's map is divided by its own maximum",
        ),
        mistake(
            "cut-off",
            "the map is cut off at 1, or squeezed by a sigmoid, not divided by its maximum",
            "Which value should the hottest position of each map have?",
            steps(normalise=lambda self, heat: heat.clamp(0, 1)),
            steps(normalise=lambda self, heat: heat.sigmoid()),
            equation="each image's map is divided by its own maximum",
        ),
        mistake(
            "relu-after-resizing",
            "the ReLU stands behind the resizing: numbers for and against the class are mixed before",
            "What is between a pixel of -1 and one of 1? And if the ReLU comes first?",
            steps(
                rectify=lambda self, heat: heat,
                resize=lambda self, heat, size: Cam.resize(self, heat, size).relu(),
            ),
        ),
        mistake(
            "batch-maximum",
            "all maps are divided by the largest value of the batch",
            "Can image 2 change the map of image 1?",
            steps(normalise=lambda self, heat: heat / heat.max().clamp_min(1e-12)),
            equation="each image's map is divided by its own maximum",
        ),
        mistake(
            "minimum-subtracted",
            "the minimum is subtracted too: something is always 0, even where everything speaks for the class",
            "What does the ReLU do already?",
            steps(normalise=by_range),
            equation="each image's map is divided by its own maximum",
        ),
        mistake(
            "zero-by-zero",
            "a map of zeros is divided by its maximum: 0 / 0",
            "What is the maximum when nothing speaks for the class?",
            steps(normalise=lambda self, heat: heat / heat.amax((2, 3), keepdim=True)),
            equation="a map of zeros stays a map of zeros",
        ),
    ),
    hints=(
        """
        You need two things about the layer: what it put out, and how much the target's logit would grow with each of its
        numbers.
        """,
        r"""
        $A$ `(N, K, h, w)` is the layer's output, $y$ the sum of the targets' logits.
        $\alpha_{nk} = \frac{1}{hw}\sum_{ij} \partial y / \partial A_{nkij}$ of shape `(N, K, 1, 1)`.
        Map: $\mathrm{ReLU}(\sum_k \alpha_k A_k)$ of shape `(N, h, w)`; resize to `(H, W)`; divide each map by its
        maximum.
        """,
        """
        ```
        hook the layer: keep its output A
        logits = model of x; remove the hook
        y = sum over the images of their target's logit
        gradient = d y / d A            (torch.autograd.grad)
        alpha = mean of gradient over the last two axes, kept
        map = ReLU of (alpha times A summed over channels)
        resize the map to the height and width of x, bilinear
        return the map divided by each image's maximum (at least 1e-8)
        ```
        """,
    ),
)

EXERCISES = (COUNT_PARAMETERS, COUNT_MACS, ATTENTION_BOTTLENECK, VERDICT, GRAD_CAM)
