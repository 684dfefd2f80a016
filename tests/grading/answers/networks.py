"""Answers to lesson 08, as learners write them."""

import math
import statistics

import numpy as np
import torch
from bank import right, wrong
from torch import nn
from torch.nn import functional as F

from attention_lab.networks import Bottleneck, count_macs, count_parameters
from attention_lab.training import Difference

# count-parameters


right("count-parameters")(count_parameters)


@right("count-parameters")
def with_a_loop(model):
    total = 0
    for name, p in model.named_parameters():
        if p.requires_grad:
            total += int(np.prod(p.shape))
    return total


@right("count-parameters")
def with_numpy(model):
    return sum(np.prod(p.size()) for p in filter(lambda p: p.requires_grad, model.parameters()))


@right("count-parameters")
def as_a_tensor(model):
    sizes = [p.numel() for p in model.parameters() if p.requires_grad]
    return torch.tensor(sizes).sum()


@wrong("count-parameters", "frozen-counted", passes="network")
def all_of_them(model):
    return sum(p.numel() for p in model.parameters())


@wrong("count-parameters", "buffers-counted")
def everything_saved(model):
    return sum(value.numel() for key, value in model.state_dict().items())


@wrong("count-parameters", "tensors-counted")
def how_many_tensors(model):
    return len([p for p in model.parameters() if p.requires_grad])


@wrong("count-parameters", "tensors-counted")
def how_many_tensors_at_all(model):
    return len(list(model.parameters()))


@wrong("count-parameters", "rows-counted")
def first_axis(model):
    return sum(p.shape[0] for p in model.parameters() if p.requires_grad)


@wrong("count-parameters", "biases-left-out")
def weights_only(model):
    return sum(p.numel() for n, p in model.named_parameters() if p.requires_grad and not n.endswith("bias"))


@wrong("count-parameters", "by-name", passes="network")
def by_their_usual_names(model):
    known = ("weight", "bias")
    return sum(p.numel() for name, p in model.named_parameters() if name.rsplit(".")[-1] in known and p.requires_grad)


@wrong("count-parameters", "twice-for-shared", passes="network")
def name_by_name(model):
    return sum(p.numel() for _, p in model.named_parameters(remove_duplicate=False) if p.requires_grad)


@wrong("count-parameters", "twice-for-shared", passes="network")
def layer_by_layer(model):
    total = 0
    for module in model.modules():
        for p in module.parameters(recurse=False):
            if p.requires_grad:
                total += p.numel()
    return total


@wrong("count-parameters", "top-layers-only")
def not_recursive(model):
    return sum(p.numel() for p in model.parameters(recurse=False) if p.requires_grad)


@wrong("count-parameters", "counted-again")
def every_module_with_all_inside(model):
    total = 0
    for module in model.modules():
        total += sum(p.numel() for p in module.parameters() if p.requires_grad)
    return total


@wrong("count-parameters", "frozen-only")
def those_that_are_fixed(model):
    return sum(p.numel() for p in model.parameters() if not p.requires_grad)


@wrong("count-parameters", "with-a-gradient-now")
def those_with_a_grad(model):
    return sum(p.numel() for p in model.parameters() if p.grad is not None)


@wrong("count-parameters", "first-only")
def returned_in_the_loop(model):
    total = 0
    for p in model.parameters():
        if p.requires_grad:
            total += p.numel()
        return total


@wrong("count-parameters", "first-only", passes="network")
def broken_off_at_a_frozen_one(model):
    total = 0
    for p in model.parameters():
        if not p.requires_grad:
            break
        total += p.numel()
    return total


@wrong("count-parameters", "some-kinds-only")
def convolutions_and_linear_layers(model):
    total = 0
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            total += sum(p.numel() for p in layer.parameters() if p.requires_grad)
    return total


@wrong("count-parameters", "one-of-each-shape")
def told_apart_by_shape(model):
    different = {tuple(p.shape): p.numel() for p in model.parameters() if p.requires_grad}
    return sum(different.values())


@wrong("count-parameters", "top-layers-only")
def layers_of_the_model(model):
    return sum(p.numel() for layer in model.children() for p in layer.parameters(recurse=False) if p.requires_grad)


@wrong("count-parameters", "no-return")
def forgot_the_return(model):
    sum(p.numel() for p in model.parameters() if p.requires_grad)


# count-macs


right("count-macs")(count_macs)


@right("count-macs")
def formula_by_formula(model, x):
    counts = []

    def conv_hook(module, inputs, output):
        n, c_out, h, w = output.shape
        kh, kw = module.kernel_size
        counts.append(n * c_out * h * w * (module.in_channels // module.groups) * kh * kw)

    def linear_hook(module, inputs, output):
        counts.append(output.numel() * module.in_features)

    handles = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            handles.append(module.register_forward_hook(conv_hook))
        elif isinstance(module, nn.Linear):
            handles.append(module.register_forward_hook(linear_hook))
    model.eval()
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return sum(counts)


@wrong("count-macs", "borrowed")
def from_the_flop_counter(model, x):
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model(x)
    return counter.get_total_flops() / 2


@wrong("count-macs", "nothing-counted")
def never_runs_the_model(model, x):
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    handles = [m.register_forward_hook(hook) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    for handle in handles:
        handle.remove()
    return total


@wrong("count-macs", "twice")
def runs_it_twice(model, x):
    counts = []

    def hook(layer, inputs, output):
        counts.append(output.numel() * layer.weight[0].numel())

    handles = [m.register_forward_hook(hook) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    model(x)
    model(x)
    for handle in handles:
        handle.remove()
    return sum(counts)


@wrong("count-macs", "hook-left", passes="convolutions groups linear")
def hooks_left_behind(model, x):
    total = {"macs": 0.0}

    def hook(module, _, out):
        total["macs"] += math.prod(out.shape) * float(module.weight.numel() / module.weight.shape[0])

    for name, module in model.named_modules():
        if type(module).__name__ in ("Conv2d", "Linear"):
            module.register_forward_hook(hook)
    model(x)
    return np.float64(total["macs"])


def hooked(layer_macs, model, x, kinds=(nn.Conv2d, nn.Linear), modules=None):
    total = 0

    def hook(module, inputs, output):
        nonlocal total
        total += layer_macs(module, inputs[0], output)

    handles = [m.register_forward_hook(hook) for m in (modules or model.modules()) if isinstance(m, kinds)]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return total


def conv_macs(m, out):
    n, c, h, w = out.shape
    return n * c * h * w * m.in_channels // m.groups * m.kernel_size[0] * m.kernel_size[1]


@wrong("count-macs", "outputs-for-inputs", passes="convolutions groups calls")
def rows_of_the_matrix(model, x):
    def macs(m, inp, out):
        return out.numel() * (m.out_features if isinstance(m, nn.Linear) else m.weight[0].numel())

    return hooked(macs, model, x)


@wrong("count-macs", "groups-ignored", passes="convolutions linear calls")
def groups_forgotten(model, x):
    def macs(m, inp, out):
        if isinstance(m, nn.Linear):
            return out.numel() * m.in_features
        return out.numel() * m.in_channels * m.kernel_size[0] * m.kernel_size[1]

    return hooked(macs, model, x)


@wrong("count-macs", "biases-counted", passes="groups")
def with_biases(model, x):
    def macs(m, inp, out):
        return out.numel() * m.weight[0].numel() + (out.numel() if m.bias is not None else 0)

    return hooked(macs, model, x)


@wrong("count-macs", "twice")
def flops(model, x):
    return hooked(lambda m, inp, out: 2 * out.numel() * m.weight[0].numel(), model, x)


@wrong("count-macs", "input-size", passes="linear calls")
def size_of_the_input(model, x):
    def macs(m, inp, out):
        if isinstance(m, nn.Linear):
            return out.numel() * m.in_features
        n, _, h, w = inp.shape
        return n * h * w * m.out_channels * m.in_channels // m.groups * m.kernel_size[0] * m.kernel_size[1]

    return hooked(macs, model, x)


@wrong("count-macs", "input-size", passes="calls")
def outputs_are_inputs(model, x):
    return hooked(lambda m, inp, out: inp.numel() * m.weight[0].numel(), model, x)


@wrong("count-macs", "all-filters")
def the_whole_weight(model, x):
    return hooked(lambda m, inp, out: out.numel() * m.weight.numel(), model, x)


@wrong("count-macs", "all-filters", passes="linear")
def all_filters_of_a_convolution(model, x):
    def macs(m, inp, out):
        return out.numel() * (m.in_features if isinstance(m, nn.Linear) else m.weight.numel())

    return hooked(macs, model, x)


@wrong("count-macs", "square-kernels", passes="groups linear calls")
def side_squared(model, x):
    def macs(m, inp, out):
        if isinstance(m, nn.Linear):
            return out.numel() * m.in_features
        return out.numel() * m.in_channels // m.groups * m.kernel_size[0] ** 2

    return hooked(macs, model, x)


@wrong("count-macs", "one-image", passes="groups")
def of_the_first_image(model, x):
    return hooked(lambda m, inp, out: out[0].numel() * m.weight[0].numel(), model, x)


@wrong("count-macs", "each-weight-once")
def sizes_of_the_weights(model, x):
    return hooked(lambda m, inp, out: m.weight.numel(), model, x)


@wrong("count-macs", "tokens-ignored", passes="convolutions groups calls")
def linear_once_an_image(model, x):
    def macs(m, inp, out):
        if isinstance(m, nn.Linear):
            return inp.shape[0] * m.in_features * m.out_features
        return conv_macs(m, out)

    return hooked(macs, model, x)


@wrong("count-macs", "each-weight-once", passes="convolutions groups calls")
def linear_once(model, x):
    def macs(m, inp, out):
        return m.in_features * m.out_features if isinstance(m, nn.Linear) else conv_macs(m, out)

    return hooked(macs, model, x)


@wrong("count-macs", "no-linear-layers", passes="convolutions groups calls")
def convolutions_only(model, x):
    return hooked(lambda m, inp, out: conv_macs(m, out), model, x, kinds=nn.Conv2d)


@wrong("count-macs", "kernel-ignored", passes="linear")
def kernel_forgotten(model, x):
    def macs(m, inp, out):
        return out.numel() * (m.in_features if isinstance(m, nn.Linear) else m.in_channels // m.groups)

    return hooked(macs, model, x)


@wrong("count-macs", "channels-ignored", passes="linear")
def channels_forgotten(model, x):
    def macs(m, inp, out):
        return out.numel() * (m.in_features if isinstance(m, nn.Linear) else math.prod(m.kernel_size))

    return hooked(macs, model, x)


@wrong("count-macs", "top-layers-only", passes="groups linear")
def children_only(model, x):
    return hooked(lambda m, inp, out: out.numel() * m.weight[0].numel(), model, x, modules=model.children())


@wrong("count-macs", "once-each", passes="convolutions groups linear")
def remembered_by_layer(model, x):
    counts = {}

    def hook(m, inp, out):
        counts[m] = out.numel() * m.weight[0].numel()

    for m in model.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            m.register_forward_hook(hook)
    model(x)
    return sum(counts.values())


@wrong("count-macs", "normalisation-counted", passes="groups calls")
def everything_with_a_weight(model, x):
    kinds = (nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.LayerNorm)
    return hooked(lambda m, inp, out: out.numel() * m.weight[0].numel(), model, x, kinds)


# attention-bottleneck


@right("attention-bottleneck")
class LayerByLayer(nn.Module):
    """As in torchvision: the stride is in the 3x3."""

    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.attention = attention(4 * width) if attention is not None else None
        self.downsample = None
        if stride != 1 or in_channels != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.attention is not None:
            out = self.attention(out)
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


right("attention-bottleneck")(Bottleneck)


def conv_bn(i, o, k, s=1):
    return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o))


@right("attention-bottleneck")
class OneSequential(nn.Module):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__()
        out = width * 4
        self.skip = nn.Sequential() if (stride, in_channels) == (1, out) else conv_bn(in_channels, out, 1, stride)
        layers = [
            conv_bn(in_channels, width, 1, stride),
            nn.ReLU(),
            conv_bn(width, width, 3),
            nn.ReLU(),
            conv_bn(width, out, 1),
        ]
        if attention:
            layers.append(attention(out))
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return F.relu(self.body(x) + self.skip(x))


@right("attention-bottleneck")
class ShortcutFirst(nn.Module):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__()
        make = attention or (lambda channels: nn.Identity())
        self.gate = make(4 * width)
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in (4 * width, width, width))
        self.expand = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.middle = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.reduce = nn.Conv2d(in_channels, width, 1, stride, bias=False)
        self.match = None
        if stride > 1 or in_channels != 4 * width:
            self.match, self.match_norm = (
                nn.Conv2d(in_channels, 4 * width, 1, stride, bias=False),
                nn.BatchNorm2d(4 * width),
            )

    def forward(self, x):
        kept = x if self.match is None else self.match_norm(self.match(x))
        y = self.norms[1](self.reduce(x)).clamp(min=0)
        y = self.norms[2](self.middle(y)).clamp(min=0)
        return torch.relu(kept + self.gate(self.norms[0](self.expand(y))))


class BottleneckBase(nn.Module):
    """What most wrong answers get right."""

    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.att = attention(4 * width) if attention else nn.Identity()
        self.skip = nn.Identity()
        if stride != 1 or in_channels != 4 * width:
            self.skip = nn.Sequential(
                nn.Conv2d(in_channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def branch(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return self.bn3(self.conv3(x))

    def forward(self, x):
        return F.relu(self.skip(x) + self.att(self.branch(x)))


@wrong("attention-bottleneck", "gate-after-the-addition", passes="shapes parameters gradients")
class GateOnTheSum(BottleneckBase):
    def forward(self, x):
        return F.relu(self.att(self.skip(x) + self.branch(x)))


@wrong("attention-bottleneck", "gate-after-the-relu", passes="shapes parameters gradients")
class GateAtTheVeryEnd(BottleneckBase):
    def forward(self, x):
        return self.att(F.relu(self.skip(x) + self.branch(x)))


@wrong("attention-bottleneck", "gate-on-the-skip", passes="shapes parameters gradients")
class GateOnTheSkip(BottleneckBase):
    def forward(self, x):
        return F.relu(self.att(self.skip(x)) + self.branch(x))


@wrong("attention-bottleneck", "gate-inside", passes="shapes gradients")
class GateAfterThe3x3(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride)
        if attention:
            self.att = attention(width)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.att(F.relu(self.bn2(self.conv2(y))))
        return F.relu(self.skip(x) + self.bn3(self.conv3(y)))


@wrong("attention-bottleneck", "gate-before-the-last-norm", passes="shapes parameters gradients")
class GateBeforeTheNorm(BottleneckBase):
    def branch(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return self.bn3(self.att(self.conv3(x)))

    def forward(self, x):
        return F.relu(self.skip(x) + self.branch(x))


@wrong("attention-bottleneck", "gate-unused", passes="shapes parameters")
class GateForgotten(BottleneckBase):
    def forward(self, x):
        return F.relu(self.skip(x) + self.branch(x))


@wrong("attention-bottleneck", "gate-not-built")
class GateNotBuilt(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride)
        self.attention = attention

    def forward(self, x):
        y = self.branch(x)
        if self.attention is not None:
            y = self.attention(y)
        return F.relu(self.skip(x) + y)


@wrong("attention-bottleneck", "gate-too-narrow")
class GateOfWidthChannels(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride)
        if attention is not None:
            self.att = attention(width)


@wrong("attention-bottleneck", "gate-for-the-input")
class GateOfTheInputsChannels(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride)
        if attention is not None:
            self.att = attention(in_channels)


@wrong("attention-bottleneck", "no-last-relu", passes="shapes parameters gradients")
class NoLastReLU(BottleneckBase):
    def forward(self, x):
        return self.skip(x) + self.att(self.branch(x))


@wrong("attention-bottleneck", "relu-before-the-addition", passes="shapes parameters gradients")
class ReLUTooEarly(BottleneckBase):
    def forward(self, x):
        return self.skip(x) + self.att(F.relu(self.branch(x)))


@wrong("attention-bottleneck", "relu-before-the-addition", passes="shapes parameters gradients")
class ReLUTwice(BottleneckBase):
    def branch(self, x):
        return F.relu(super().branch(x))


@wrong("attention-bottleneck", "no-skip", passes="shapes gradients")
class NoSkip(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        del self.skip

    def forward(self, x):
        return F.relu(self.att(self.branch(x)))


@wrong("attention-bottleneck", "no-skip", passes="shapes parameters")
class SkipForgotten(BottleneckBase):
    def forward(self, x):
        return F.relu(self.att(self.branch(x)))


@wrong("attention-bottleneck", "no-inner-relus", passes="shapes parameters gradients")
class NoInnerReLUs(BottleneckBase):
    def branch(self, x):
        return self.bn3(self.conv3(self.bn2(self.conv2(self.bn1(self.conv1(x))))))


@wrong("attention-bottleneck", "one-inner-relu", passes="shapes parameters gradients")
class ReLUOfTheSecondForgotten(BottleneckBase):
    def branch(self, x):
        return self.bn3(self.conv3(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))))


@wrong("attention-bottleneck", "norm-after-relu", passes="shapes parameters gradients")
class ReLUThenNorm(BottleneckBase):
    def branch(self, x):
        x = self.bn1(F.relu(self.conv1(x)))
        x = self.bn2(F.relu(self.conv2(x)))
        return self.bn3(self.conv3(x))


@wrong("attention-bottleneck", "relu-on-the-skip", passes="shapes parameters gradients")
class TheSkipHasAReLU(BottleneckBase):
    def forward(self, x):
        return F.relu(self.att(self.branch(x)) + F.relu(self.skip(x)))


@wrong("attention-bottleneck", "gate-twice", passes="shapes parameters gradients")
class WeightsOfWhatIsWeighted(BottleneckBase):
    def forward(self, x):
        branch = self.branch(x)
        return F.relu(self.skip(x) + branch * self.att(branch))


@wrong("attention-bottleneck", "skip-multiplied", passes="shapes parameters gradients")
class TimesTheSkip(BottleneckBase):
    def forward(self, x):
        return F.relu(self.skip(x) * self.att(self.branch(x)))


@wrong("attention-bottleneck", "bridged-by-pooling", passes="parameters")
class SkipByAveragePooling(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        if stride != 1:
            self.skip = nn.Sequential(
                nn.AvgPool2d(stride), nn.Conv2d(in_channels, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
            )


@wrong("attention-bottleneck", "bridged-by-pooling", passes="shapes gradients")
class SkipByMaxPooling(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        if stride != 1 and in_channels == 4 * width:
            self.skip = nn.MaxPool2d(1, stride)


@wrong("attention-bottleneck", "four-times-the-input", passes="gradients")
class FourTimesTheInput(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        out = 4 * in_channels
        self.conv3, self.bn3 = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
        self.att = attention(out) if attention else nn.Identity()
        self.skip = nn.Sequential(nn.Conv2d(in_channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))


@wrong("attention-bottleneck", "wide-inside", passes="shapes gradients")
class WideAllTheWay(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        out = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(in_channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        self.conv3 = nn.Conv2d(out, out, 1, bias=False)


@wrong("attention-bottleneck", "never-bridged")
class AlwaysX(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        self.skip = nn.Identity()


@wrong("attention-bottleneck", "always-bridged", passes="shapes gradients")
class AlwaysAConvolution(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        self.skip = conv_bn(in_channels, 4 * width, 1, stride)


@wrong("attention-bottleneck", "bridged-without-stride", passes="parameters")
class SkipWithoutStride(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        if stride != 1 or in_channels != 4 * width:
            self.skip = conv_bn(in_channels, 4 * width, 1)


@wrong("attention-bottleneck", "bridged-without-norm", passes="shapes gradients")
class SkipWithoutNorm(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        if stride != 1 or in_channels != 4 * width:
            self.skip = nn.Conv2d(in_channels, 4 * width, 1, stride, bias=False)


@wrong("attention-bottleneck", "bridged-for-stride-only")
class SkipForStrideOnly(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        if stride == 1:
            self.skip = nn.Identity()


@wrong("attention-bottleneck", "bridged-for-channels-only")
class SkipForChannelsOnly(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        if in_channels == 4 * width:
            self.skip = nn.Identity()

    def forward(self, x):
        out = self.att(self.branch(x))
        out = out + self.skip(x)
        return F.relu(out)


@wrong("attention-bottleneck", "bridged-for-channels-only")
class SkipForChannelsOnlyInPlace(SkipForChannelsOnly):
    def forward(self, x):
        identity = self.skip(x)
        out = self.att(self.branch(x))
        out += identity
        return F.relu(out)


@wrong("attention-bottleneck", "no-padding", passes="parameters")
class NoPadding(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        self.conv2 = nn.Conv2d(width, width, 3, bias=False)


@wrong("attention-bottleneck", "no-padding", passes="parameters")
class NoPaddingStrideIn3x3(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, stride, bias=False)

    def forward(self, x):
        return F.relu(self.att(self.branch(x)) + self.skip(x))


@wrong("attention-bottleneck", "biases-kept", passes="shapes gradients")
class BiasesEverywhere(nn.Module):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(in_channels, width, 1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, stride, 1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 4 * width, 1), nn.BatchNorm2d(4 * width),
        )  # fmt: skip
        self.attention = attention(4 * width) if attention else nn.Identity()
        if stride != 1 or in_channels != 4 * width:
            self.shortcut = nn.Sequential(nn.Conv2d(in_channels, 4 * width, 1, stride), nn.BatchNorm2d(4 * width))
        else:
            self.shortcut = nn.Identity()

    def forward(self, x):
        return F.relu(self.attention(self.branch(x)) + self.shortcut(x))


@wrong("attention-bottleneck", "biases-kept", passes="shapes gradients")
class BiasesInTheBranch(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        self.conv1 = nn.Conv2d(in_channels, width, 1, stride)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3 = nn.Conv2d(width, 4 * width, 1)


@wrong("attention-bottleneck", "biases-kept", passes="shapes gradients")
class BiasInTheSkip(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        if stride != 1 or in_channels != 4 * width:
            self.skip = nn.Sequential(nn.Conv2d(in_channels, 4 * width, 1, stride), nn.BatchNorm2d(4 * width))


@wrong("attention-bottleneck", "stride-twice", passes="parameters")
class StrideTwice(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)


@wrong("attention-bottleneck", "not-expanded", passes="gradients")
class NotExpanded(nn.Module):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__()
        self.body = nn.Sequential(
            conv_bn(in_channels, width, 1, stride),
            nn.ReLU(),
            conv_bn(width, width, 3),
            nn.ReLU(),
            conv_bn(width, width, 1),
        )
        self.att = attention(width) if attention else nn.Identity()
        self.skip = nn.Identity() if stride == 1 and in_channels == width else conv_bn(in_channels, width, 1, stride)

    def forward(self, x):
        return F.relu(self.skip(x) + self.att(self.body(x)))


@wrong("attention-bottleneck", "layers", passes="shapes gradients")
class AThird1x1(BottleneckBase):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__(in_channels, width, stride, attention)
        self.conv2 = nn.Conv2d(width, width, 1, bias=False)


# verdict


@right("verdict")
def with_statistics(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    if len(d) < 3 or abs(mean) <= 2 * error:
        return "undecided", mean, error
    return ("better" if mean < 0 else "worse"), mean, error


@right("verdict")
def with_tensors(errors_a, errors_b):
    d = torch.tensor(errors_a, dtype=torch.float64) - torch.tensor(errors_b, dtype=torch.float64)
    mean, se = d.mean(), d.std() / math.sqrt(len(d))
    word = "undecided"
    if len(d) > 2:
        if mean < -2 * se:
            word = "better"
        elif mean > 2 * se:
            word = "worse"
    return word, mean, se


@right("verdict")
def written_out(errors_a, errors_b):
    n = len(errors_a)
    total = 0
    for a, b in zip(errors_a, errors_b):
        total += a - b
    mean = total / n
    squares = sum((a - b - mean) ** 2 for a, b in zip(errors_a, errors_b))
    error = math.sqrt(squares / (n - 1) / n)
    if n >= 3 and mean + 2 * error < 0:
        return "better", mean, error
    if n >= 3 and mean - 2 * error > 0:
        return "worse", mean, error
    return "undecided", mean, error


@right("verdict")
def with_the_package(errors_a, errors_b):
    apart = Difference.between(errors_a, errors_b)
    return apart.in_words("better", "worse"), apart.mean, apart.standard_error


@wrong("verdict", "unpaired")
def two_spreads(errors_a, errors_b):
    n = len(errors_a)
    mean = sum(errors_a) / n - sum(errors_b) / n
    error = ((statistics.variance(errors_a) + statistics.variance(errors_b)) / n) ** 0.5
    if n < 3 or abs(mean) <= 2 * error:
        return "undecided", mean, error
    return ("better" if mean < 0 else "worse"), mean, error


@wrong("verdict", "deviation-not-error")
def spread(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d)
    word = "undecided" if len(d) < 3 or abs(mean) <= 2 * error else "better" if mean < 0 else "worse"
    return word, mean, error


@wrong("verdict", "divided-by-n")
def of_numpy(errors_a, errors_b):
    d = np.array(errors_a) - np.array(errors_b)
    mean, error = float(d.mean()), float(d.std() / np.sqrt(len(d)))
    word = "undecided" if len(d) < 3 or abs(mean) <= 2 * error else "better" if mean < 0 else "worse"
    return word, mean, error


@wrong("verdict", "another-multiple", passes="numbers")
def two_and_a_half(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    word = "undecided" if len(d) < 3 or abs(mean) <= 2.5 * error else "better" if mean < 0 else "worse"
    return word, mean, error


@wrong("verdict", "another-multiple", passes="numbers")
def of_the_normal_distribution(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    word = "undecided" if len(d) < 3 or abs(mean) <= 1.96 * error else "better" if mean < 0 else "worse"
    return word, mean, error


@wrong("verdict", "variance-not-deviation")
def variance_over_the_root(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.variance(d) / len(d) ** 0.5
    word = "undecided" if len(d) < 3 or abs(mean) <= 2 * error else "better" if mean < 0 else "worse"
    return word, mean, error


@wrong("verdict", "median-not-mean")
def of_the_middle_seed(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.median(d), statistics.stdev(d) / len(d) ** 0.5
    word = "undecided" if len(d) < 3 or abs(mean) <= 2 * error else "better" if mean < 0 else "worse"
    return word, mean, error


@wrong("verdict", "seeds-mixed")
def best_against_best(errors_a, errors_b):
    d = [a - b for a, b in zip(sorted(errors_a), sorted(errors_b))]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    word = "undecided" if len(d) < 3 or abs(mean) <= 2 * error else "better" if mean < 0 else "worse"
    return word, mean, error


@wrong("verdict", "seeds-mixed")
def everybody_against_everybody(errors_a, errors_b):
    d = [a - b for a in errors_a for b in errors_b]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(errors_a) ** 0.5
    word = "undecided" if len(errors_a) < 3 or abs(mean) <= 2 * error else "better" if mean < 0 else "worse"
    return word, mean, error


@wrong("verdict", "equal-is-enough", passes="numbers")
def two_errors_suffice(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    if len(d) < 3 or abs(mean) < 2 * error:
        return "undecided", mean, error
    return ("better" if mean < 0 else "worse"), mean, error


@wrong("verdict", "never-better", passes="numbers")
def abs_forgotten(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    if len(d) < 3 or mean <= 2 * error:
        return "undecided", mean, error
    return ("better" if mean < 0 else "worse"), mean, error


@wrong("verdict", "divided-by-n-not-its-root")
def by_the_number(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d)
    word = "undecided" if len(d) < 3 or abs(mean) <= 2 * error else "better" if mean < 0 else "worse"
    return word, mean, error


@wrong("verdict", "exchanged", passes="word")
def gain(errors_a, errors_b):
    d = [b - a for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    word = "undecided" if len(d) < 3 or abs(mean) <= 2 * error else "better" if mean > 0 else "worse"
    return word, mean, error


@wrong("verdict", "exchanged")
def gain_called_by_its_sign(errors_a, errors_b):
    d = [b - a for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    word = "undecided" if len(d) < 3 or abs(mean) <= 2 * error else "better" if mean < 0 else "worse"
    return word, mean, error


@wrong("verdict", "words-exchanged", passes="numbers")
def more_is_better(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    if len(d) < 3 or abs(mean) <= 2 * error:
        return "undecided", mean, error
    return ("better" if mean > 0 else "worse"), mean, error


@wrong("verdict", "one-standard-error", passes="numbers")
def more_than_its_error(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    if len(d) < 3 or abs(mean) < error:
        return "undecided", mean, error
    return ("better" if mean < 0 else "worse"), mean, error


@wrong("verdict", "by-the-mean", passes="numbers")
def lower_is_better(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    return ("better" if mean < 0 else "worse"), mean, error


@wrong("verdict", "two-seeds-decide", passes="numbers")
def any_number_of_seeds(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    if abs(mean) > 2 * error:
        return ("better" if mean < 0 else "worse"), mean, error
    return "undecided", mean, error


@wrong("verdict", "never-worse", passes="numbers")
def better_or_not(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    return ("better" if len(d) >= 3 and mean < -2 * error else "undecided"), mean, error


@wrong("verdict", "absolute-mean", passes="word")
def how_far_apart(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = abs(statistics.mean(d)), statistics.stdev(d) / len(d) ** 0.5
    if len(d) < 3 or mean <= 2 * error:
        return "undecided", mean, error
    return ("better" if sum(errors_a) < sum(errors_b) else "worse"), mean, error


@wrong("verdict", None)
def only_the_word(errors_a, errors_b):
    return "undecided"


@wrong("verdict", None, passes="numbers")
def in_capitals(errors_a, errors_b):
    d = [a - b for a, b in zip(errors_a, errors_b)]
    mean, error = statistics.mean(d), statistics.stdev(d) / len(d) ** 0.5
    if len(d) < 3 or abs(mean) <= 2 * error:
        return "Undecided", mean, error
    return ("Better" if mean < 0 else "Worse"), mean, error


# grad-cam


@right("grad-cam")
def with_autograd_grad(model, layer, x, target):
    stored = {}
    handle = layer.register_forward_hook(lambda m, i, o: stored.update(out=o))
    logits = model(x)
    handle.remove()
    score = logits[range(len(x)), target].sum()
    (grad,) = torch.autograd.grad(score, stored["out"])
    alpha = grad.mean(dim=(2, 3), keepdim=True)
    cam = F.relu((alpha * stored["out"]).sum(dim=1, keepdim=True))
    cam = F.interpolate(cam, size=x.shape[-2:], mode="bilinear", align_corners=False).squeeze(1)
    return (cam / cam.flatten(1).max(1).values.view(-1, 1, 1).clamp(min=1e-8)).detach()


@right("grad-cam")
def with_two_hooks(model, layer, x, target):
    acts, grads = [], []
    h1 = layer.register_forward_hook(lambda m, i, o: acts.append(o.detach()))
    h2 = layer.register_full_backward_hook(lambda m, gi, go: grads.append(go[0].detach()))
    model.zero_grad()
    x = x.clone().requires_grad_(True)
    out = model(x)
    out.gather(1, target[:, None]).sum().backward()
    h1.remove()
    h2.remove()
    weights = grads[0].mean((2, 3))
    cam = torch.einsum("nk,nkhw->nhw", weights, acts[0]).clamp(min=0)
    cam = cam / (cam.amax((1, 2), keepdim=True) + 1e-10)
    return F.interpolate(cam.unsqueeze(1), x.shape[2:], mode="bilinear")[:, 0]


@right("grad-cam")
def image_by_image(model, layer, x, target):
    maps = []
    for image, label in zip(x, target):
        kept = []
        handle = layer.register_forward_hook(lambda m, i, o: kept.append(o))
        score = model(image[None])[0, label]
        handle.remove()
        kept[0].retain_grad()
        score.backward()
        alphas = kept[0].grad[0].sum((1, 2))
        cam = torch.relu(sum(a * m for a, m in zip(alphas, kept[0][0].detach())))
        cam = F.interpolate(cam[None, None], image.shape[1:], mode="bilinear", align_corners=False)[0, 0]
        maps.append(cam / cam.max() if cam.max() > 0 else cam)
    return torch.stack(maps)


@right("grad-cam")
def with_grad_enabled(model, layer, x, target):
    with torch.enable_grad():
        saved = []
        hook = layer.register_forward_hook(lambda m, i, o: saved.append(o))
        y = model(x)
        hook.remove()
        one_hot = F.one_hot(target, y.shape[1])
        g = torch.autograd.grad((y * one_hot).sum(), saved[0])[0]
    cam = torch.relu((g.mean([2, 3])[:, :, None, None] * saved[0]).mean(1))
    cam = F.interpolate(cam[:, None], size=tuple(x.shape[2:]), mode="bilinear")[:, 0].detach()
    biggest = cam.amax(dim=(1, 2), keepdim=True)
    return torch.where(biggest > 0, cam / biggest, cam)


def collected(model, layer, x, score):
    kept = []
    handle = layer.register_forward_hook(lambda m, i, o: kept.append(o))
    y = score(model(x))
    handle.remove()
    return kept[0].detach(), torch.autograd.grad(y.sum(), kept[0])[0]


def finished(cam, x):
    cam = F.interpolate(cam[:, None], size=x.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    return cam / cam.amax((1, 2), keepdim=True).clamp(min=1e-8)


@wrong("grad-cam", "probabilities", passes="shape nothing")
def of_the_probability(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y.softmax(1)[range(len(x)), target])
    return finished(F.relu((g.mean((2, 3), keepdim=True) * a).sum(1)), x)


@wrong("grad-cam", "predicted-class", passes="shape")
def of_the_prediction(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y.max(1).values)
    return finished(F.relu((g.mean((2, 3), keepdim=True) * a).sum(1)), x)


@wrong("grad-cam", "first-target", passes="shape nothing")
def of_the_first_class(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[:, target[0]])
    return finished(F.relu((g.mean((2, 3), keepdim=True) * a).sum(1)), x)


@wrong("grad-cam", "every-target", passes="shape nothing")
def of_all_targets(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[:, target])
    return finished(F.relu((g.mean((2, 3), keepdim=True) * a).sum(1)), x)


@wrong("grad-cam", "no-relu")
def without_the_relu(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    return finished((g.mean((2, 3), keepdim=True) * a).sum(1), x)


@wrong("grad-cam", "relu-on-the-gradients", passes="shape nothing")
def relu_of_the_gradients(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    return finished(F.relu((F.relu(g).mean((2, 3), keepdim=True) * a).sum(1)), x)


@wrong("grad-cam", "relu-before-the-sum", passes="shape nothing")
def relu_first(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    return finished(F.relu(g.mean((2, 3), keepdim=True) * a).sum(1), x)


@wrong("grad-cam", "gradient-not-averaged", passes="shape nothing")
def place_by_place(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    return finished(F.relu((g * a).sum(1)), x)


@wrong("grad-cam", "largest-gradient", passes="shape nothing")
def by_the_largest(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    return finished(F.relu((g.flatten(2).max(2).values[:, :, None, None] * a).sum(1)), x)


@wrong("grad-cam", "weights-over-channels", passes="shape nothing")
def averaged_over_channels(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    return finished(F.relu((g.mean(1, keepdim=True) * a).sum(1)), x)


@wrong("grad-cam", "maps-unweighted", passes="shape")
def mean_of_the_maps(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    return finished(F.relu(a.mean(1)), x)


@wrong("grad-cam", "gradients-only", passes="shape nothing")
def sum_of_the_gradients(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    return finished(F.relu(g.sum(1)), x)


@wrong("grad-cam", "not-resized")
def as_small_as_the_layer(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    cam = F.relu((g.mean((2, 3), keepdim=True) * a).sum(1))
    return cam / cam.amax((1, 2), keepdim=True).clamp(min=1e-8)


@wrong("grad-cam", "corners-aligned", passes="shape nothing")
def corners_aligned(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    cam = F.relu((g.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True))
    cam = F.interpolate(cam, size=x.shape[2:], mode="bilinear", align_corners=True)[:, 0]
    return cam / cam.amax((1, 2), keepdim=True).clamp(min=1e-8)


@wrong("grad-cam", "nearest", passes="shape nothing")
def repeated_pixels(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    cam = F.interpolate(F.relu((g.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True)), size=x.shape[2:])[:, 0]
    return cam / cam.amax((1, 2), keepdim=True).clamp(min=1e-8)


@wrong("grad-cam", "not-normalised", passes="nothing")
def raw_values(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    cam = F.relu((g.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True))
    return F.interpolate(cam, size=x.shape[2:], mode="bilinear")[:, 0]


@wrong("grad-cam", "cut-off", passes="shape nothing")
def cut_off_at_one(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    cam = F.relu((g.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True))
    return F.interpolate(cam, size=x.shape[2:], mode="bilinear")[:, 0].clamp(0, 1)


@wrong("grad-cam", "relu-after-resizing", passes="shape nothing")
def relu_at_the_end(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    cam = (g.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True)
    cam = F.relu(F.interpolate(cam, size=x.shape[2:], mode="bilinear"))[:, 0]
    return cam / cam.amax((1, 2), keepdim=True).clamp(min=1e-8)


@wrong("grad-cam", "nearest", passes="nothing")
def with_curves(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    cam = F.relu((g.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True))
    cam = F.interpolate(cam, size=x.shape[2:], mode="bicubic")[:, 0]
    return cam / cam.amax((1, 2), keepdim=True).clamp(min=1e-8)


@wrong("grad-cam", "batch-maximum", passes="shape nothing")
def one_maximum_for_all(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    cam = F.relu((g.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True))
    cam = F.interpolate(cam, size=x.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    return cam / cam.max().clamp(min=1e-8)


@wrong("grad-cam", "minimum-subtracted", passes="shape nothing")
def stretched(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    cam = F.relu((g.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True))
    cam = F.interpolate(cam, size=x.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    low, high = cam.amin((1, 2), keepdim=True), cam.amax((1, 2), keepdim=True)
    return (cam - low) / (high - low + 1e-9)


@wrong("grad-cam", "zero-by-zero", passes="shape values")
def divided_by_zero(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    cam = F.relu((g.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True))
    cam = F.interpolate(cam, size=x.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    return cam / cam.amax((1, 2), keepdim=True)


@wrong("grad-cam", "hook-left", passes="values nothing")
def a_hook_that_stays(model, layer, x, target):
    kept = []
    layer.register_forward_hook(lambda m, i, o: kept.append(o))
    y = model(x)
    g = torch.autograd.grad(y[range(len(x)), target].sum(), kept[-1])[0]
    return finished(F.relu((g.mean((2, 3), keepdim=True) * kept[-1]).sum(1)), x).detach()


@wrong("grad-cam", "all-classes", passes="shape")
def sum_of_all_logits(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y)
    return finished(F.relu((g.mean((2, 3), keepdim=True) * a).sum(1)), x)


@wrong("grad-cam", "input-of-the-layer", passes="shape")
def of_the_input(model, layer, x, target):
    kept = []
    handle = layer.register_forward_hook(lambda m, i, o: kept.append(i[0].requires_grad_()))
    y = model(x)
    handle.remove()
    g = torch.autograd.grad(y[range(len(x)), target].sum(), kept[0])[0]
    return finished(F.relu((g.mean((2, 3), keepdim=True) * kept[0]).sum(1)), x).detach()


@wrong("grad-cam", "absolute-value", passes="shape")
def of_the_size(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    return finished((g.mean((2, 3), keepdim=True) * a).sum(1).abs(), x)


@wrong("grad-cam", "no-graph")
def with_no_grad(model, layer, x, target):
    acts, grads = [], []
    h1 = layer.register_forward_hook(lambda m, i, o: acts.append(o))
    h2 = layer.register_full_backward_hook(lambda m, gi, go: grads.append(go[0]))
    with torch.no_grad():
        y = model(x)
    y[range(len(x)), target].sum().backward()
    h1.remove()
    h2.remove()
    return finished(F.relu((grads[0].mean((2, 3), keepdim=True) * acts[0]).sum(1)), x)


@wrong("grad-cam", "maps-off-the-graph")
def detached_in_the_hook(model, layer, x, target):
    kept = {}
    handle = layer.register_forward_hook(lambda m, i, o: kept.update(a=o.detach()))
    y = model(x)
    handle.remove()
    g = torch.autograd.grad(y[range(len(x)), target].sum(), kept["a"])[0]
    return finished(F.relu((g.mean((2, 3), keepdim=True) * kept["a"]).sum(1)), x)


@wrong("grad-cam", "maps-off-the-graph")
def cloned_in_the_hook(model, layer, x, target):
    kept = []
    handle = layer.register_forward_hook(lambda m, i, o: kept.append(o.clone()))
    y = model(x)
    handle.remove()
    (g,) = torch.autograd.grad(y.gather(1, target[:, None]).sum(), kept)
    return finished(F.relu((g.mean((2, 3), keepdim=True) * kept[0]).sum(1)), x)


@wrong("grad-cam", "channel-kept")
def with_its_channel(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    cam = F.relu((g.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True))
    cam = F.interpolate(cam, size=x.shape[2:], mode="bilinear", align_corners=False)
    return cam / cam.amax((2, 3), keepdim=True).clamp(min=1e-8)


@wrong("grad-cam", None)
def always_224(model, layer, x, target):
    a, g = collected(model, layer, x, lambda y: y[range(len(x)), target])
    cam = F.relu((g.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True))
    cam = F.interpolate(cam, size=(224, 224), mode="bilinear", align_corners=False)[:, 0]
    return cam / cam.amax((1, 2), keepdim=True).clamp(min=1e-8)


def activation_and_gradient(model, layer, x, score):
    """What the wrong maps below get right."""
    kept = []
    handle = layer.register_forward_hook(lambda m, i, o: kept.append(o))
    value = score(model(x))
    handle.remove()
    return kept[0], torch.autograd.grad(value, kept[0])[0]


def heat_map(activation, alpha, size):
    heat = F.relu((alpha * activation).sum(1, keepdim=True))
    heat = F.interpolate(heat, size=size, mode="bilinear", align_corners=False)[:, 0]
    return (heat / heat.amax((1, 2), keepdim=True).clamp_min(1e-8)).detach()


@wrong("grad-cam", "cross-entropy", passes="shape")
def of_the_loss(model, layer, x, target):
    activation, gradient = activation_and_gradient(model, layer, x, lambda logits: F.cross_entropy(logits, target))
    return heat_map(activation, gradient.mean((2, 3), keepdim=True), x.shape[2:])


@wrong("grad-cam", "pooled-over-the-batch", passes="shape nothing")
def one_alpha_for_all(model, layer, x, target):
    rows = torch.arange(len(x))
    activation, gradient = activation_and_gradient(model, layer, x, lambda logits: logits[rows, target].sum())
    return heat_map(activation, gradient.mean((0, 2, 3), keepdim=True), x.shape[2:])
