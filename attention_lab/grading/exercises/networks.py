"""Lesson 08, attention in networks: count-parameters, count-macs, attention-bottleneck, grad-cam."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from ...networks import count_macs, count_parameters
from ..exercise import Check, Exercise, Misconception, Probe, normal
from ..properties import between, gradients, images_apart, leaves_input_alone, parameters, repeatable, shape, values
from ..stand_ins import Part, StandIn

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


def parameters_by_use(model: nn.Module):
    for name, p in model.named_parameters(remove_duplicate=False):
        if p.requires_grad:
            yield p.numel()


def parameters_by_layer(model: nn.Module):
    for layer in model.modules():
        yield from (p.numel() for p in layer.parameters(recurse=False) if p.requires_grad)


def counting(count: Callable[[nn.Module], int]):
    return lambda right: count


COUNT_PARAMETERS = Exercise(
    id="count-parameters",
    forms=(count_parameters,),
    probes={
        "network": Probe(lambda g: (network(g),)),
        "partly frozen": Probe(lambda g: (partly_frozen(g),)),
        "repeated": Probe(lambda g: (with_itself_inside(g),)),
        "tied": Probe(lambda g: (with_one_weight_twice(g),)),
    },
    checks={
        "network": Check(1, (values(on=("network",), name="number of a whole network"),)),
        "trainable": Check(
            1,
            (
                values(on=("partly frozen",), name="number with a frozen layer"),
                values(on=("repeated",), name="number with a layer used three times"),
                values(on=("tied",), name="number with one weight in two layers"),
            ),
        ),
    },
    misconceptions=(
        *(
            Misconception(
                "twice-for-shared",
                "a parameter that is used in several places is counted several times",
                "How many copies of a shared weight does the optimiser change?",
                TRAINED,
                counting(lambda model, sizes=sizes: sum(sizes(model))),
            )
            for sizes in (parameters_by_use, parameters_by_layer)
        ),
        Misconception(
            "frozen-counted",
            "frozen parameters are counted too",
            "Which parameters does an optimiser change?",
            TRAINED,
            counting(lambda model: sum(p.numel() for p in model.parameters())),
        ),
        Misconception(
            "buffers-counted",
            "buffers are counted too: running means and variances are not trained",
            "Does the optimiser see everything in the state_dict?",
            TRAINED,
            counting(lambda model: sum(t.numel() for t in model.state_dict().values())),
        ),
        Misconception(
            "tensors-counted",
            "the tensors are counted, not the numbers in them",
            "How many numbers has a matrix of 3 x 4?",
            TRAINED,
            counting(lambda model: sum(1 for p in model.parameters() if p.requires_grad)),
        ),
        Misconception(
            "tensors-counted",
            "the tensors are counted, not the numbers in them",
            "How many numbers has a matrix of 3 x 4?",
            TRAINED,
            counting(lambda model: sum(1 for p in model.parameters())),
        ),
        Misconception(
            "rows-counted",
            "only the first axis of each parameter is counted",
            "What does len() of a matrix give?",
            TRAINED,
            counting(lambda model: sum(len(p) for p in model.parameters() if p.requires_grad)),
        ),
        Misconception(
            "biases-left-out",
            "biases are left out",
            "Which names do the parameters of a linear layer have?",
            TRAINED,
            counting(
                lambda model: sum(
                    p.numel() for name, p in model.named_parameters() if p.requires_grad and "bias" not in name
                )
            ),
        ),
        Misconception(
            "top-layers-only",
            "only the parameters of the model itself are counted, not those of its submodules",
            "Which layers are inside the layers?",
            TRAINED,
            counting(lambda model: sum(p.numel() for p in model.parameters(recurse=False) if p.requires_grad)),
        ),
    ),
    hints=(
        "A model can list its parameters. Each of them knows how many numbers it has, and whether it is trained.",
        r"$\sum_p \mathrm{numel}(p)$ over the parameters $p$ of the model for which `requires_grad` is true. "
        "`parameters()` lists a shared one once, and no buffers.",
        "```\ntotal = 0\nfor each parameter of the model:\n    if it requires a gradient: add its number of elements\n"
        "return total\n```",
    ),
)


# count-macs


def macs(
    layer_macs: Callable[[nn.Module, Tensor, Tensor], int],
    kinds: tuple[type[nn.Module], ...] = (nn.Conv2d, nn.Linear),
    layers: Callable[[nn.Module], object] = nn.Module.modules,
    once: bool = False,
):
    """A misconception about what one call of one layer costs, or about which layers and calls count."""

    def answer(model: nn.Module, x: Tensor) -> int:
        found: list[tuple[nn.Module, int]] = []
        hooks = [
            layer.register_forward_hook(lambda layer, x, y: found.append((layer, layer_macs(layer, x[0], y))))
            for layer in layers(model)
            if isinstance(layer, kinds)
        ]
        model(x)
        for hook in hooks:
            hook.remove()
        return sum(dict(found).values()) if once else sum(number for _, number in found)

    return lambda right: answer


def right_macs(layer: nn.Module, x: Tensor, y: Tensor) -> int:
    return y.numel() * layer.weight[0].numel()


def of_convolutions(convolution_macs: Callable[[nn.Module, Tensor, Tensor], int]):
    return macs(lambda layer, x, y: (convolution_macs if isinstance(layer, nn.Conv2d) else right_macs)(layer, x, y))


def of_linear_layers(linear_macs: Callable[[nn.Module, Tensor, Tensor], int]):
    return macs(lambda layer, x, y: (linear_macs if isinstance(layer, nn.Linear) else right_macs)(layer, x, y))


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
    return StandIn("stack", (("Linear", 6, a), ("LayerNorm", a), ("GELU",), ("Linear", a, 4))), normal(g, 3, 5, 6)


def called_three_times(g: Generator) -> tuple:
    a = size(g)
    return StandIn("repeated", (3, ("Conv2d", a, a, 3, {"padding": 1}), ("ReLU",))), normal(g, 2, a, 5, 4)


COUNT_MACS = Exercise(
    id="count-macs",
    forms=(count_macs,),
    probes={
        "convolutions": Probe(convolutions),
        "groups": Probe(grouped),
        "linear layers": Probe(linear_layers),
        "called three times": Probe(called_three_times),
    },
    checks={
        "convolutions": Check(2, (values(on=("convolutions",), name="multiply-adds of convolutions"), repeatable())),
        "groups": Check(1, (values(on=("groups",), name="multiply-adds of convolutions in groups"),)),
        "linear": Check(2, (values(on=("linear layers",), name="multiply-adds of linear layers"),)),
        "calls": Check(
            1,
            (
                values(on=("called three times",), name="multiply-adds of a layer called three times"),
                leaves_input_alone(),
            ),
        ),
    },
    misconceptions=(
        Misconception(
            "nothing-counted",
            "no hook was ever called",
            "Does your function run the model, after the hooks are in place?",
            MACS,
            lambda right: lambda model, x: 0,
        ),
        Misconception(
            "once-each",
            "a layer that is called several times is counted once",
            "How often does your hook run, and what does it do with the number of the first call?",
            MACS,
            macs(right_macs, once=True),
        ),
        Misconception(
            "tokens-ignored",
            "a linear layer is counted once an image, though it is applied to every token",
            "How many numbers does the layer put out for (N, L, d)?",
            MACS,
            of_linear_layers(lambda layer, x, y: len(y) * layer.weight.numel()),
        ),
        Misconception(
            "no-linear-layers",
            "linear layers are not counted",
            "Which kinds of layer get a hook?",
            MACS,
            macs(right_macs, kinds=(nn.Conv2d,)),
        ),
        Misconception(
            "groups-ignored",
            "a filter in a grouped convolution is taken to see all input channels",
            "How many input channels does one filter see when there are 4 groups?",
            MACS,
            of_convolutions(lambda layer, x, y: y.numel() * layer.in_channels * layer.weight[0, 0].numel()),
        ),
        Misconception(
            "biases-counted",
            "biases are counted: an addition is no multiply-add of the convention",
            "Does a bias multiply anything?",
            MACS,
            macs(
                lambda layer, x, y: y.numel() * (layer.weight[0].numel() + (layer.bias is not None)),
            ),
        ),
        Misconception(
            "twice",
            "everything is counted twice: a multiply-add as two operations, or the model runs twice",
            "Is a multiply-add one step or two? How often does your function call the model?",
            MACS,
            macs(lambda layer, x, y: 2 * right_macs(layer, x, y)),
        ),
        Misconception(
            "input-size",
            "the size of the layer's input is used, not of its output",
            "How often is a filter with stride 2 applied?",
            MACS,
            of_convolutions(lambda layer, x, y: x[:, 0].numel() * layer.weight.numel()),
        ),
        Misconception(
            "input-size",
            "the size of the layer's input is used, not of its output",
            "How often is a filter with stride 2 applied?",
            MACS,
            macs(lambda layer, x, y: x.numel() * layer.weight[0].numel()),
        ),
        *(
            Misconception(
                "all-filters",
                "every number is taken to need the weights of all filters; it needs those of one",
                "How many filters does one output channel come from? What does layer.weight[0] hold?",
                MACS,
                counted(lambda layer, x, y: y.numel() * layer.weight.numel()),
            )
            for counted in (macs, of_convolutions)
        ),
        Misconception(
            "square-kernels",
            "the kernel is taken to be as wide as it is high",
            "What is kernel_size of a convolution with a kernel of 1 x 3?",
            MACS,
            of_convolutions(lambda layer, x, y: y.numel() * len(layer.weight[0]) * layer.kernel_size[0] ** 2),
        ),
        Misconception(
            "one-image",
            "only one image of the batch is counted",
            "How many images does x hold?",
            MACS,
            macs(lambda layer, x, y: y[0].numel() * layer.weight[0].numel()),
        ),
        Misconception(
            "each-weight-once",
            "each weight is counted once, though a filter is used at every position",
            "How often is one weight multiplied in one pass?",
            MACS,
            macs(lambda layer, x, y: layer.weight.numel()),
        ),
        Misconception(
            "kernel-ignored",
            "the area of the kernel is left out",
            "How many weights has one filter of 3 x 3 over C channels?",
            MACS,
            of_convolutions(lambda layer, x, y: y.numel() * layer.in_channels // layer.groups),
        ),
        Misconception(
            "channels-ignored",
            "the input channels are left out",
            "How many weights has one filter of 3 x 3 over C channels?",
            MACS,
            of_convolutions(lambda layer, x, y: y.numel() * layer.weight[0, 0].numel()),
        ),
        Misconception(
            "top-layers-only",
            "layers inside of layers get no hook",
            "What is the difference between children() and modules()?",
            MACS,
            macs(right_macs, layers=nn.Module.children),
        ),
        Misconception(
            "normalisation-counted",
            "normalisations are counted too; the convention leaves them out",
            "Which kinds of layer get a hook?",
            MACS,
            macs(right_macs, kinds=(nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.LayerNorm)),
        ),
    ),
    hints=(
        "For every number that a layer puts out, it multiplies and adds one filter's weights. A forward hook shows you a "
        "layer and its output.",
        r"Convolution: $N \cdot C_{out} H_{out} W_{out} \cdot \frac{C_{in}}{G} k_h k_w$. Linear: every output number takes "
        r"$d_{in}$. Both are (number of outputs) × (number of weights in `weight[0]`).",
        "```\ntotal = 0\nhook of a layer and its output: add (elements of the output) times (elements of weight[0])\n"
        "    to total (declared nonlocal), and return nothing\n"
        "for every module inside the model, at any depth:\n    if it is a convolution or a linear layer: register the hook\n"
        "run the model on x\nremove the hooks\nreturn total\n```",
    ),
)


# attention-bottleneck


class Unit(nn.Module):
    """The bottleneck in parts that a form or a misconception can exchange."""

    stride_in_3x3 = False
    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int = 1, attention: Callable | None = None):
        super().__init__()
        self.channels = self.expansion * width
        self.build(in_channels, width, *((1, stride) if self.stride_in_3x3 else (stride, 1)))
        self.gate = self.attend(attention, width) if attention else nn.Identity()
        same = stride == 1 and in_channels == self.channels
        self.shortcut = self.bridge(in_channels, stride, same)

    def build(self, in_channels: int, width: int, first: int, second: int) -> None:
        self.branch = nn.Sequential(
            nn.Conv2d(in_channels, width, 1, first, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, second, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, self.channels, 1, bias=False),
            nn.BatchNorm2d(self.channels),
        )

    def attend(self, attention: Callable, width: int) -> nn.Module:
        return attention(self.channels)

    def bridge(self, in_channels: int, stride: int, same: bool) -> nn.Module:
        if same:
            return nn.Identity()
        conv = nn.Conv2d(in_channels, self.channels, 1, stride, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(self.channels))

    def forward(self, x: Tensor) -> Tensor:
        return (self.shortcut(x) + self.gate(self.branch(x))).relu()


class UnitWithStrideIn3x3(Unit):
    stride_in_3x3 = True


def unit(**methods):
    return lambda right: type("Wrong", (right,), methods)


def branch_first(self, x: Tensor) -> Tensor:
    return (self.gate(self.branch(x)) + self.shortcut(x)).relu()


def misfit(id: str, name: str, question: str, equation: str, **methods) -> tuple[Misconception, ...]:
    """A mistake after which the two paths differ in shape: the error's text depends on which is written first."""
    return tuple(
        Misconception(id, name, question, equation, unit(forward=forward, **methods))
        for forward in (Unit.forward, branch_first)
    )


def always_bridged(self, in_channels: int, stride: int, same: bool) -> nn.Module:
    return Unit.bridge(self, in_channels, stride, False)


def never_bridged(self, in_channels: int, stride: int, same: bool) -> nn.Module:
    return nn.Identity()


def bridged_without_stride(self, in_channels: int, stride: int, same: bool) -> nn.Module:
    return Unit.bridge(self, in_channels, 1, same)


def bridged_without_norm(self, in_channels: int, stride: int, same: bool) -> nn.Module:
    return nn.Identity() if same else nn.Conv2d(in_channels, self.channels, 1, stride, bias=False)


def bridged_for_stride_only(self, in_channels: int, stride: int, same: bool) -> nn.Module:
    return Unit.bridge(self, in_channels, stride, stride == 1)


def bridged_for_channels_only(self, in_channels: int, stride: int, same: bool) -> nn.Module:
    return Unit.bridge(self, in_channels, stride, in_channels == self.channels)


def both_strided(self, in_channels: int, width: int, first: int, second: int) -> None:
    Unit.build(self, in_channels, width, first * second, first * second)


def no_inner_relus(self, in_channels: int, width: int, first: int, second: int) -> None:
    Unit.build(self, in_channels, width, first, second)
    self.branch = nn.Sequential(*(layer for layer in self.branch if not isinstance(layer, nn.ReLU)))


def no_padding(self, in_channels: int, width: int, first: int, second: int) -> None:
    Unit.build(self, in_channels, width, first, second)
    self.branch[3].padding = (0, 0)


def with_biases(self, in_channels: int, width: int, first: int, second: int) -> None:
    Unit.build(self, in_channels, width, first, second)
    for layer in self.branch[::3]:
        layer.bias = nn.Parameter(torch.zeros(layer.out_channels))


def bridged_with_bias(self, in_channels: int, stride: int, same: bool) -> nn.Module:
    conv = nn.Conv2d(in_channels, self.channels, 1, stride)
    return nn.Identity() if same else nn.Sequential(conv, nn.BatchNorm2d(self.channels))


def relu_at_the_end(self, in_channels: int, width: int, first: int, second: int) -> None:
    Unit.build(self, in_channels, width, first, second)
    self.branch.append(nn.ReLU())


def gate_inside(self, attention: Callable, width: int) -> nn.Module:
    gate = attention(width)
    self.branch.insert(6, gate)
    return nn.Identity()


def gate_before_the_last_norm(self, x: Tensor) -> Tensor:
    return (self.shortcut(x) + self.branch[-1](self.gate(self.branch[:-1](x)))).relu()


ATTENTION_BOTTLENECK = Exercise(
    id="attention-bottleneck",
    forms=(Unit, UnitWithStrideIn3x3),
    probes={
        "wider": Probe(lambda g: (normal(g, 2, 12, 5, 7),), build=(12, 5, 1, StandIn("Gate"))),
        "stride 2": Probe(lambda g: (normal(g, 3, 8, 6, 9),), build=(8, 3, 2, StandIn("Gate"))),
        "same shape": Probe(lambda g: (normal(g, 1, 12, 7, 4),), build=(12, 3, 1, StandIn("Gate"))),
        "no attention": Probe(lambda g: (normal(g, 2, 12, 7, 5),), build=(12, 3, 2)),
    },
    checks={
        "shapes": Check(1, (shape(), leaves_input_alone())),
        "parameters": Check(2, (parameters(),)),
        "values": Check(4, (values(), images_apart(), repeatable())),
        "gradients": Check(1, (gradients(),)),
    },
    misconceptions=(
        Misconception(
            "gate-after-the-addition",
            "the attention stands after the addition: it scales the skip connection too",
            "If every gate is 0, what is left of x?",
            UNIT,
            unit(forward=lambda self, x: self.gate(self.shortcut(x) + self.branch(x)).relu()),
        ),
        Misconception(
            "gate-after-the-relu",
            "the attention stands after the last ReLU: it scales the skip connection too",
            "If every gate is 0, what is left of x?",
            UNIT,
            unit(forward=lambda self, x: self.gate((self.shortcut(x) + self.branch(x)).relu())),
        ),
        Misconception(
            "gate-on-the-skip",
            "the attention is on the skip connection, not on the branch",
            "Which of the two paths is weighted?",
            UNIT,
            unit(forward=lambda self, x: (self.gate(self.shortcut(x)) + self.branch(x)).relu()),
        ),
        Misconception(
            "gate-inside",
            "the attention stands after the 3x3 convolution and has width channels",
            "How many channels has the end of the branch?",
            UNIT,
            unit(attend=gate_inside),
        ),
        Misconception(
            "gate-before-the-last-norm",
            "the attention stands before the branch's last normalisation",
            "What is the last thing that happens to the branch before the addition?",
            UNIT,
            unit(forward=gate_before_the_last_norm),
        ),
        Misconception(
            "gate-not-built",
            "the attention is a class that is never called with the number of channels, so there is no module",
            "attention makes the mechanism. Which line of __init__ calls it, and with what?",
            "attention(4 width) is the module, attention is its class",
            unit(attend=lambda self, attention, width: attention),
        ),
        Misconception(
            "gate-too-narrow",
            "the attention is built for width channels, but the branch ends with 4 width",
            "How many channels has the end of the branch?",
            "attention(4 width): 1x1 to width, 3x3, 1x1 to 4 width (He et al. 2016, figure 5)",
            unit(attend=lambda self, attention, width: attention(width)),
        ),
        Misconception(
            "gate-for-the-input",
            "the attention is built for the channels of x, but it weighs the end of the branch",
            "How many channels has the end of the branch?",
            "attention(4 width): 1x1 to width, 3x3, 1x1 to 4 width (He et al. 2016, figure 5)",
            unit(attend=lambda self, attention, width: attention(self.branch[0].in_channels)),
        ),
        Misconception(
            "gate-unused",
            "the attention is built and never called",
            "Which line of forward calls it?",
            UNIT,
            unit(forward=lambda self, x: (self.shortcut(x) + self.branch(x)).relu()),
        ),
        Misconception(
            "no-last-relu",
            "the ReLU after the addition is missing",
            "Can the output of a ResNet's unit be negative?",
            UNIT,
            unit(forward=lambda self, x: self.shortcut(x) + self.gate(self.branch(x))),
        ),
        Misconception(
            "relu-before-the-addition",
            "the branch ends in a ReLU: it can only add, never take away",
            "Can your branch lower a value of x?",
            UNIT,
            unit(build=relu_at_the_end),
        ),
        Misconception(
            "relu-before-the-addition",
            "the branch ends in a ReLU: it can only add, never take away",
            "Can your branch lower a value of x?",
            UNIT,
            unit(
                build=relu_at_the_end,
                forward=lambda self, x: self.shortcut(x) + self.gate(self.branch(x)),
            ),
        ),
        Misconception(
            "no-skip",
            "the skip connection is missing",
            "Where is x added?",
            UNIT,
            unit(bridge=never_bridged, forward=lambda self, x: self.gate(self.branch(x)).relu()),
        ),
        Misconception(
            "no-skip",
            "the skip connection is missing",
            "Where is x added?",
            UNIT,
            unit(forward=lambda self, x: self.gate(self.branch(x)).relu()),
        ),
        Misconception(
            "no-inner-relus",
            "the ReLUs between the convolutions are missing",
            "What are three linear maps in a row?",
            "each convolution but the last is followed by BN and ReLU (He et al. 2016, figure 5)",
            unit(build=no_inner_relus),
        ),
        *misfit(
            "never-bridged",
            "the shortcut is always x, also where the shapes differ",
            "Which shape has x, and which the branch?",
            SHORTCUT,
            bridge=never_bridged,
        ),
        Misconception(
            "always-bridged",
            "the shortcut always has a convolution, also where x fits as it is",
            "When do x and the branch have the same shape?",
            SHORTCUT,
            unit(bridge=always_bridged),
        ),
        *misfit(
            "bridged-without-stride",
            "the shortcut's convolution has no stride, so its map stays large",
            "Which size has the map of the branch when stride is 2?",
            SHORTCUT,
            bridge=bridged_without_stride,
        ),
        Misconception(
            "bridged-without-norm",
            "the shortcut's convolution has no normalisation",
            "What follows every convolution of a ResNet?",
            SHORTCUT,
            unit(bridge=bridged_without_norm),
        ),
        *misfit(
            "bridged-for-stride-only",
            "the shortcut fits the size of the map, but not the number of channels",
            "Which two things can differ between x and the branch?",
            SHORTCUT,
            bridge=bridged_for_stride_only,
        ),
        *misfit(
            "bridged-for-channels-only",
            "the shortcut fits the number of channels, but not the size of the map",
            "Which two things can differ between x and the branch?",
            SHORTCUT,
            bridge=bridged_for_channels_only,
        ),
        *misfit(
            "no-padding",
            "the 3x3 convolution has no padding: the branch's map loses its border",
            "Which size has the map after a 3x3 convolution with padding 0?",
            UNIT,
            build=no_padding,
        ),
        *misfit(
            "stride-twice",
            "two convolutions of the branch have the stride: the map shrinks by its square",
            "Which size has the map of the shortcut?",
            UNIT,
            build=both_strided,
        ),
        *(
            Misconception(
                "biases-kept",
                "convolutions have biases, which the normalisation behind them takes away again",
                "What does a BatchNorm do with a constant that is added to its input?",
                "no biases: BN subtracts the mean (Ioffe and Szegedy 2015, section 3.2)",
                unit(forward=forward, **methods),  # biases of one size are filled in the order in which they run
            )
            for forward in (Unit.forward, branch_first)
            for methods in (
                {"build": with_biases, "bridge": bridged_with_bias},
                {"build": with_biases},
                {"bridge": bridged_with_bias},
            )
        ),
        Misconception(
            "not-expanded",
            "the branch ends with width channels, not 4 width",
            "How many channels come out of a bottleneck?",
            "1x1 to width, 3x3, 1x1 to 4 width (He et al. 2016, figure 5)",
            unit(expansion=1),
        ),
    ),
    hints=(
        "Two paths: a branch of three convolutions and a shortcut. The mechanism belongs to one of them, at its end.",
        r"Branch: `(N, in, H, W)` → 1×1 → `width` → 3×3 → `width` → 1×1 → `4 * width`, each with BN, the first two with "
        r"ReLU. $y = \mathrm{ReLU}(\mathrm{shortcut}(x) + \mathrm{attention}(\mathrm{branch}(x)))$. The shortcut is `x` if "
        "`stride` is 1 and `in_channels` is `4 * width`; otherwise a 1×1 convolution with that stride, and BN.",
        "```\n__init__: branch = conv 1x1 (stride), BN, ReLU, conv 3x3 (padding 1), BN, ReLU, conv 1x1, BN\n"
        "          attention = attention(4 * width) if one is given, else nothing (nn.Identity)\n"
        "          shortcut = nothing if the shape stays, else conv 1x1 (stride), BN\n"
        "forward:  return ReLU of (shortcut of x plus attention of branch of x)\n```",
    ),
)


# grad-cam


def cam(
    model: nn.Module,
    layer: nn.Module,
    x: Tensor,
    target: Tensor,
    *,
    normalised_first: bool = False,
    keep: Callable[[Tensor, Tensor], Tensor] = lambda given, output: output,
    score: Callable[[Tensor, Tensor], Tensor] | None = None,
    combine: Callable[[Tensor, Tensor], Tensor] | None = None,
    rectify: Callable[[Tensor], Tensor] = torch.relu,
    resize: Callable[[Tensor, tuple[int, int]], Tensor] | None = None,
    normalise: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Grad-CAM, right where no step is exchanged; each map may be normalised before or after it is resized."""
    kept = []
    hook = layer.register_forward_hook(lambda layer, given, output: kept.append(keep(given[0], output)))
    logits = model(x)
    hook.remove()
    slope = torch.autograd.grad((score or of_target)(logits, target).sum(), kept[0])[0]
    heat = rectify((combine or weighted_sum)(kept[0], slope))[:, None]
    resize, normalise = resize or bilinear, normalise or by_the_maximum
    if normalised_first:
        heat = resize(normalise(heat), x.shape[2:])
    else:
        heat = normalise(resize(heat, x.shape[2:]))
    return heat[:, 0].detach()


def of_target(logits: Tensor, target: Tensor) -> Tensor:
    return logits[torch.arange(len(target)), target]


def weighted_sum(maps: Tensor, slope: Tensor) -> Tensor:
    return (slope.mean((2, 3), keepdim=True) * maps).sum(1)


def bilinear(heat: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(heat, size, mode="bilinear", align_corners=False)


def by_the_maximum(heat: Tensor) -> Tensor:
    return heat / heat.amax((2, 3), keepdim=True).clamp_min(1e-8)


def by_range(heat: Tensor) -> Tensor:
    low, high = heat.amin((2, 3), keepdim=True), heat.amax((2, 3), keepdim=True)
    return (heat - low) / (high - low).clamp_min(1e-12)


def without_a_graph(model: nn.Module, *arguments: Tensor) -> Tensor:
    with torch.no_grad():
        return cam(model, *arguments)


def wrong_cam(**steps):
    return lambda right: partial(right, **steps)


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
        ("Linear", 8, 5),
    )
    return StandIn("stack", layers, seed)


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


ON_MAPS = ("signed maps", "maps before a ReLU", "one image", "everything speaks for it")

GRAD_CAM = Exercise(
    id="grad-cam",
    forms=(cam, partial(cam, normalised_first=True)),
    probes={
        "nothing speaks for it": Probe(
            lambda g: (last_layers(4), Part(0, "1"), loud(g, 2, 3, 8, 6), torch.tensor([0, 0])),
        ),
        "signed maps": Probe(
            lambda g: (classifier(1), Part(0, "2"), loud(g, 3, 3, 12, 8), torch.tensor([4, 0, 2])),
        ),
        "maps before a ReLU": Probe(
            lambda g: (classifier(2), Part(0, "4"), loud(g, 2, 3, 8, 14), torch.tensor([1, 3])),
        ),
        "one image": Probe(lambda g: (classifier(3), Part(0, "3"), loud(g, 1, 3, 10, 12), torch.tensor([2]))),
        "everything speaks for it": Probe(
            lambda g: (last_layers(5), Part(0, "1"), loud(g, 2, 3, 6, 10), torch.tensor([1, 1])),
        ),
    },
    checks={
        "shape": Check(1, (shape(on=ON_MAPS), between(0, 1, "output", on=ON_MAPS), leaves_input_alone())),
        "values": Check(4, (values(on=ON_MAPS), repeatable())),
        "nothing": Check(
            1, (values(on=("nothing speaks for it",), name="a map of zeros where nothing speaks for it"),)
        ),
    },
    differentiates=True,
    misconceptions=(
        Misconception(
            "probabilities",
            "the gradient is taken of the softmax's probability, not of the logit",
            "Which y does the paper differentiate, before or after the softmax?",
            CAM,
            wrong_cam(score=lambda logits, target: of_target(logits.softmax(1), target)),
        ),
        Misconception(
            "predicted-class",
            "the class with the largest logit is explained, whatever target says",
            "Where does your code read target?",
            CAM,
            wrong_cam(score=lambda logits, target: logits.amax(1)),
        ),
        Misconception(
            "first-target",
            "all images are explained for the class of the first one",
            "Which class is asked for in image 2?",
            CAM,
            wrong_cam(score=lambda logits, target: logits[:, target[0]]),
        ),
        Misconception(
            "every-target",
            "the score of an image sums the targets of all images",
            "What do two index tensors in a row pick, and what does a slice before one pick?",
            CAM,
            wrong_cam(score=lambda logits, target: logits[:, target]),
        ),
        Misconception(
            "all-classes",
            "the logits of all classes are summed: target is never read",
            "What does the class that is asked for change in your map?",
            CAM,
            wrong_cam(score=lambda logits, target: logits),
        ),
        Misconception(
            "input-of-the-layer",
            "the maps are the layer's input, not its output",
            "What are the three arguments of a hook, in order?",
            CAM,
            wrong_cam(keep=lambda given, output: given),
        ),
        Misconception(
            "no-graph",
            "the model runs without a graph, so there is nothing to differentiate",
            "What does torch.no_grad() switch off?",
            "alpha_k = mean over positions of dy/dA_k: the gradient needs the graph of y",
            lambda right: without_a_graph,
        ),
        *(
            Misconception(
                "maps-off-the-graph",
                "what the hook keeps does not lie on the way to the logits: it was detached or copied",
                "Is the tensor that you differentiate for the one that the layers behind it used?",
                "alpha_k = mean over positions of dy/dA_k: y must depend on the very tensor A",
                wrong_cam(keep=keep),
            )
            for keep in (
                lambda given, output: output.detach(),
                lambda given, output: output.clone(),
            )
        ),
        Misconception(
            "absolute-value",
            "the absolute value is taken, not the ReLU: what speaks against the class is shown as if for it",
            "What should become of a negative number in the weighted sum?",
            CAM,
            wrong_cam(rectify=torch.abs),
        ),
        Misconception(
            "no-relu",
            "the ReLU is missing: what speaks against the class is kept",
            "Can your map be negative before the division?",
            CAM,
            wrong_cam(rectify=lambda heat: heat),
        ),
        Misconception(
            "relu-on-the-gradients",
            "the ReLU is applied to the gradients, not to the weighted sum",
            "What happens to a channel that speaks against the class?",
            CAM,
            wrong_cam(combine=lambda maps, slope: weighted_sum(maps, slope.relu())),
        ),
        Misconception(
            "relu-before-the-sum",
            "the ReLU is applied to each weighted map, before they are summed",
            "Which of sum and ReLU comes first in equation 2?",
            CAM,
            wrong_cam(combine=lambda maps, slope: (slope.mean((2, 3), keepdim=True) * maps).relu().sum(1)),
        ),
        Misconception(
            "gradient-not-averaged",
            "the gradients are not averaged over the positions before they weigh the maps",
            "How many alphas does a channel have?",
            CAM,
            wrong_cam(combine=lambda maps, slope: (slope * maps).sum(1)),
        ),
        Misconception(
            "largest-gradient",
            "a channel's weight is its largest gradient, not the mean",
            "What does 1 / Z sum over i, j mean?",
            CAM,
            wrong_cam(combine=lambda maps, slope: (slope.amax((2, 3), keepdim=True) * maps).sum(1)),
        ),
        Misconception(
            "weights-over-channels",
            "the gradients are averaged over the channels, not over the positions",
            "Which axes does alpha still have?",
            CAM,
            wrong_cam(combine=lambda maps, slope: (slope.mean(1, keepdim=True) * maps).sum(1)),
        ),
        Misconception(
            "maps-unweighted",
            "the maps are averaged; the gradients are never used",
            "What does the class change in your map?",
            CAM,
            wrong_cam(combine=lambda maps, slope: maps.mean(1)),
        ),
        Misconception(
            "gradients-only",
            "the gradients are summed; the maps are never used",
            "Which two things does equation 2 multiply?",
            CAM,
            wrong_cam(combine=lambda maps, slope: slope.sum(1)),
        ),
        Misconception(
            "not-resized",
            "the map has the size of the layer's output, not of the image",
            "Which shape does the signature promise?",
            "Grad-CAM maps are resized to the image to be laid over it (Selvaraju et al. 2017, section 3)",
            wrong_cam(resize=lambda heat, size: heat),
        ),
        Misconception(
            "channel-kept",
            "the map still has the channel axis that F.interpolate needs",
            "Which shape does the signature promise?",
            "grad_cam returns (N, H, W)",
            lambda right: lambda *arguments: right(*arguments)[:, None],
        ),
        Misconception(
            "corners-aligned",
            "the map is resized with align_corners=True",
            "Where is the centre of the first pixel?",
            "F.interpolate(mode='bilinear', align_corners=False)",
            wrong_cam(resize=lambda heat, size: F.interpolate(heat, size, mode="bilinear", align_corners=True)),
        ),
        Misconception(
            "nearest",
            "the map is resized by repeating pixels",
            "Which mode does the statement ask for?",
            "F.interpolate(mode='bilinear', align_corners=False)",
            wrong_cam(resize=lambda heat, size: F.interpolate(heat, size)),
        ),
        Misconception(
            "not-normalised",
            "the map is not divided by its maximum",
            "Between which numbers must the map lie?",
            "each image's map is divided by its own maximum",
            wrong_cam(normalise=lambda heat: heat),
        ),
        Misconception(
            "batch-maximum",
            "all maps are divided by the largest value of the batch",
            "Can image 2 change the map of image 1?",
            "each image's map is divided by its own maximum",
            wrong_cam(normalise=lambda heat: heat / heat.max().clamp_min(1e-12)),
        ),
        Misconception(
            "minimum-subtracted",
            "the minimum is subtracted too: something is always 0, even where everything speaks for the class",
            "What does the ReLU do already?",
            "each image's map is divided by its own maximum",
            wrong_cam(normalise=by_range),
        ),
        Misconception(
            "zero-by-zero",
            "a map of zeros is divided by its maximum: 0 / 0",
            "What is the maximum when nothing speaks for the class?",
            "a map of zeros stays a map of zeros",
            wrong_cam(normalise=lambda heat: heat / heat.amax((2, 3), keepdim=True)),
        ),
    ),
    hints=(
        "You need two things about the layer: what it put out, and how much the target's logit would grow with each of its "
        "numbers.",
        r"$A$ `(N, K, h, w)` is the layer's output, $y$ the sum of the targets' logits. "
        r"$\alpha_{nk} = \frac{1}{hw}\sum_{ij} \partial y / \partial A_{nkij}$ of shape `(N, K, 1, 1)`. "
        r"Map: $\mathrm{ReLU}(\sum_k \alpha_k A_k)$ of shape `(N, h, w)`; resize to `(H, W)`; divide each map by its maximum.",
        "```\nhook the layer: keep its output A\nlogits = model of x; remove the hook\n"
        "y = sum over the images of their target's logit\ngradient = d y / d A            (torch.autograd.grad)\n"
        "alpha = mean of gradient over the last two axes, kept\nmap = ReLU of (alpha times A summed over channels)\n"
        "resize the map to the height and width of x, bilinear\n"
        "return the map divided by each image's maximum (at least 1e-8)\n```",
    ),
)

EXERCISES = (COUNT_PARAMETERS, COUNT_MACS, ATTENTION_BOTTLENECK, GRAD_CAM)
