# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 08 · Attention inside networks: count, compare, look
#
# **Papers:** K. He et al., *Deep Residual Learning for Image Recognition*, CVPR 2016
# ([arXiv:1512.03385](https://arxiv.org/abs/1512.03385)): the network that attention modules are put into. R. R.
# Selvaraju et al., *Grad-CAM*, ICCV 2017 ([arXiv:1610.02391](https://arxiv.org/abs/1610.02391)): a way to look into it.
#
# | | |
# | --- | --- |
# | **After this lesson you can** | put any mechanism into a ResNet, count what it costs, judge a difference by a rule, compare mechanisms fairly, and draw what a network looks at |
# | **Time** | about 130 minutes in two sittings of 70 and 60, report included; without reading the papers |
# | **You need** | lessons 02 to 07; `register_forward_hook` is explained when you need it |
# | **Points** | <!-- points --> |
#
# Run the cells from top to bottom. Where you read `YOUR CODE HERE`, write your code. The cell below each exercise
# checks it, as often as you like.
#
# If the first cell says `No module named 'attention_lab'`, the notebook was opened elsewhere: close it, and open it with
# `attention-lab lab`.

# %%
# %load_ext attention_lab.grading

# %%
import copy
import statistics
import time
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F

from attention_lab import data, figures, papers, training
from attention_lab.grading import check, hint, points
from attention_lab.mine import (
    BAM,
    CBAM,
    MultiHeadSelfAttention,
    SelectiveKernel,
    SpatialTransformer,
    SqueezeExcitation,
)
from attention_lab.networks.selfie import SelfieSegmentation
from attention_lab.networks.small import SmallCNN
from attention_lab.recording import recorded
from attention_lab.table import Table

# %% [markdown]
# The mechanisms come from `attention_lab.mine`: what you wrote in the lessons before, where it passed all its checks, and
# our version where there is none. The lines above say which.
#
# ## 1. A picture first
#
# What does attention do inside a network that people use? You know the small network that finds the person in a video
# call (lesson 02). It has six SE blocks. We take three versions of it, without any training:
#
# - **as trained**: the gates are computed for each photograph;
# - **fixed gates**: each gate is set to its average over ten photographs (these three are among them), so it no longer
#   depends on the image;
# - **no gates**: each gate is 1.
#
# Shown is what each network takes for the person, and which share of the picture that is.

# %% tags=["demo"]
class Fixed(nn.Module):
    """A gate that is the same for every image."""

    def __init__(self, gate):
        super().__init__()
        self.gate = gate

    def forward(self, x):
        return x * self.gate


trained = SelfieSegmentation()
every_photo = torch.stack([data.photo(name, size=256) for name in data.photo_names()])
with torch.no_grad():
    gates = trained.gates(every_photo)
fixed, without = copy.deepcopy(trained), copy.deepcopy(trained)
for number, (block, bare) in enumerate(zip(fixed.encoder, without.encoder), 1):
    if block.gate is not None:
        block.gate = Fixed(gates[f"block {number}"].mean(0)[:, None, None])
        bare.gate = nn.Identity()

names = ["astronaut", "camera", "chelsea"]
photos = torch.stack([data.photo(name, size=256) for name in names])
with torch.no_grad():
    versions = {"as trained": trained, "fixed gates": fixed, "no gates": without}
    persons = {kind: network(photos) for kind, network in versions.items()}
for i, (name, photo) in enumerate(zip(names, photos)):
    found = [photo * person[i] for person in persons.values()]
    titles = [f"{kind}: {person[i].mean():.0%}" for kind, person in persons.items()]
    display(figures.gallery(torch.stack([photo, *found]), [name, *titles]))

# %% [markdown]
# Without gates the two persons are gone: the layers behind the gates were trained on gated numbers. Fixed gates keep
# the two persons, nearly. The cat is no person. As trained, the network takes a small part of the picture for one. With
# fixed gates it takes most of it, and without gates half of it. So in these pictures part of what a gate does is a mere
# constant, and part depends on the image. To say more than "it has attention, so it is better", one must **measure**.
# That is this lesson.

# %% [markdown]
# ## 2. Where attention sits
#
# A ResNet is a row of units. Units that work on maps of one size make a **stage**; there are four.
#
# Two places between the units of a network:
#
# ```mermaid
# flowchart LR
#     image["image<br/>(N, 3, H, W)"] --> stn["spatial transformer:<br/>at the input"] --> units["a stage of<br/>residual units"]
#     units --> bam["BAM:<br/>between stages"] --> more["the next<br/>stages"] --> scores["scores<br/>(N, classes)"]
# ```
#
# And two places inside a unit:
#
# ```mermaid
# flowchart LR
#     x["x<br/>(N, 4 width, H, W)"] --> c1["1×1"] --> c3["3×3, or<br/>selective kernels,<br/>or self-attention"] --> c4["1×1"]
#     c4 --> a["SE, CBAM:<br/>end of the branch"] --> p(("+"))
#     x -- "skip connection" --> p --> y["y<br/>(N, 4 width, H, W)"]
# ```
#
# The unit is ResNet's **bottleneck**: narrow, filter, widen.
#
# $$y = \mathrm{ReLU}\big(\mathrm{shortcut}(x) + a(F(x))\big)$$
#
# | symbol | in the code | meaning |
# | --- | --- | --- |
# | $F$ | `branch` | three convolutions: 1×1 to `width` channels, 3×3, 1×1 to `4 * width` channels |
# | $a$ | `attention` | any mechanism that keeps the shape |
# | shortcut | `shortcut` | $x$ itself, or a 1×1 convolution where the shape changes |
#
# Two numbers describe what a mechanism costs: **parameters** (memory, what is trained) and **multiply-adds** (work for
# one image). Papers print both. You will count both.

# %% [markdown]
# ## 3. Exercise: count the parameters
#
# **What and why.** Parameters are memory, and the first number that a paper prints about a network.
# **Difficulty** ●○○○ · **5 minutes** · **<!-- points: count-parameters --> points**
#
# `count_parameters(model)`: how many numbers are **trained**. Frozen parameters (`requires_grad` is false) do not
# count, nor do buffers such as BatchNorm's running statistics. A parameter that is used in two places counts once: also
# one weight that two layers share.
#
# <!-- hints: count-parameters -->

# %% exercise="count-parameters"
def count_parameters(model):
    """The number of trainable parameters of a module."""
    ### BEGIN SOLUTION
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    ### END SOLUTION


# %%
check("count-parameters-network", count_parameters)

# %%
check("count-parameters-trainable", count_parameters)

# %% [markdown]
# ## 4. Exercise: count the multiply-adds
#
# **What and why.** Papers compare costs in "FLOPs". Most of them mean **multiply-adds** of convolutions and linear
# layers, and nothing else: no biases, no normalisation, no pooling. If you do not know the convention, you compare
# apples with pears. **Difficulty** ●●○○ · **20 minutes** · **<!-- points: count-macs --> points**
#
# Every number that a layer puts out takes as many multiply-adds as **one filter has weights**:
#
# - convolution: $N \cdot C_{out} \cdot H_{out} \cdot W_{out}$ numbers, $\frac{C_{in}}{\mathrm{groups}} \cdot k_h \cdot
#   k_w$ weights each;
# - linear layer: $d_{in}$ weights for each number, for each token if there are tokens.
#
# `count_macs(model, x)`: the multiply-adds of all `nn.Conv2d` and `nn.Linear` in one pass over the whole batch `x`. A
# layer that is called twice counts twice.
#
# Torch's own `FlopCounterMode` counts such things too; here you write the counter. You need to see the output of each
# layer while the model runs. That is what a **hook** is for:
#
# ```python
# def hook(layer, inputs, output):      # called after the layer's forward
#     print(type(layer).__name__, output.shape)
#
# handle = layer.register_forward_hook(hook)
# model(x)
# handle.remove()
# ```
#
# **Remove your hooks** before you return: the check looks for hooks that are left on the model. Two more things stop
# many people:
#
# - A hook that returns something **replaces** the layer's output. Return nothing.
# - Inside the hook, `total += ...` makes a new local name. Declare `nonlocal total` in the hook, or append to a list.
#
# <!-- hints: count-macs -->

# %% exercise="count-macs"
def count_macs(model, x):
    """Multiply-adds of the convolutions and linear layers of a module in one pass over the batch x."""
    ### BEGIN SOLUTION
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    handles = [layer.register_forward_hook(hook) for layer in layers]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return total
    ### END SOLUTION


# %%
check("count-macs-convolutions", count_macs)

# %%
check("count-macs-groups", count_macs)

# %%
check("count-macs-linear", count_macs)

# %%
check("count-macs-calls", count_macs)

# %% [markdown]
# ## 5. The papers' tables, counted by you
#
# Now the real networks. `papers.build` makes them on PyTorch's **meta device**: tensors have shapes there, but no numbers,
# so nothing is allocated and nothing computed. Your functions need only shapes.
#
# Beside your counts stands what a paper prints, in millions (M) and billions (G), and which paper that is. A star marks
# a printed value that we could not check against the paper's text.

# %% tags=["demo"]
names = ["resnet50", "se_resnet50", "cbam_resnet50", "bam_resnet50", "sknet50"]
networks = {name: papers.build(name) for name in names}  # on the meta device
image = torch.empty(1, 3, 224, 224, device="meta")
counts = {
    name: (count_parameters(network), count_macs(network, image)) for name, network in networks.items()
}
caption = (
    "Your counts for one image of 224 x 224, and what a paper prints. "
    f"The last two columns: how much more than {names[0]}"
)
display(replace(papers.beside(counts), caption=caption))

as_printed = counts["cbam_resnet50"][1]
as_released = count_macs(papers.build("cbam_resnet50, stride in the 3x3"), image)
more = as_released / as_printed - 1
print(f"cbam_resnet50, stride in the 3x3: {as_released:,} multiply-adds, {more:+.2%}")

# %% [markdown]
# Read the last two columns: what each network adds to ResNet-50. SE and CBAM add a tenth of the parameters, and hardly any work. BAM is the other way
# round: few parameters, but many times the work of SE. Parameters and work are two costs. SK is another network: its
# 3×3 convolutions come in groups and in pairs, so compare its numbers with care.
#
# **Surprise 1.** CBAM's authors print 3.864G. Their own published code has the stride of a bottleneck in its 3×3
# convolution, not in the first 1×1. With that, you count another number (the line below the table): some 6 % more work,
# only from where a stride stands. The network they count is not the network they publish. Nobody cheated: two habits, one
# name.
#
# **Surprise 2.** SE's paper prints 3.86 and 3.87 GFLOPs, and says that the block adds 0.26 %. (The column *printed* is
# from CBAM's paper.) Your counts say less. Let us also count what the convention leaves out in an SE block: one addition
# for each value that is pooled, and one product for each value that is gated.

# %% tags=["demo"]
plain, se = (count_macs(networks[name], image) for name in ("resnet50", "se_resnet50"))
gated = []
handles = [
    block.register_forward_hook(lambda block, inputs, output: gated.append(output.numel()))
    for block in networks["se_resnet50"].modules()
    if isinstance(block, SqueezeExcitation)
]
with torch.no_grad():
    networks["se_resnet50"](image)
for handle in handles:
    handle.remove()
whole = se + 2 * sum(gated)
print(f"what SE adds, of the printed numbers: (3.87 - 3.86) / 3.86 = {(3.87 - 3.86) / 3.86:.2%}")
for name, count in {"your counts": se, "pooling and products too": whole}.items():
    print(f"{name:25}{count / 1e9:.4f}G - {plain / 1e9:.4f}G: {(count - plain) / plain:.2%}")

# %% [markdown]
# By your counts SE's network rounds to 3.86, not to 3.87. With pooling and products it rounds to 3.87. And 0.26 % is
# neither of the two shares: it is what you get from the rounded numbers. (That its authors counted and divided so is our
# guess: it fits.) So say what you count, and do not compute with rounded numbers.

# %% [markdown]
# ## 6. Exercise: a bottleneck that takes any mechanism
#
# **What and why.** One unit, all mechanisms: the rest stays the same, so you can count what a mechanism adds. (Section 8
# does the same with a smaller network, which trains in seconds.) **Difficulty** ●●○○ · **25 minutes** · **<!-- points: attention-bottleneck --> points**
#
# `AttentionBottleneck(in_channels, width, stride=1, attention=None)`; `forward(x)`: `(N, in_channels, H, W)` →
# `(N, 4 * width, H / stride, W / stride)`.
#
# - The **branch**: 1×1 convolution to `width`, 3×3 (padding 1), 1×1 to `4 * width`. No biases. BatchNorm after each;
#   ReLU after the first two.
# - `attention` is what **makes** the mechanism: a class such as `SqueezeExcitation`. Call it with the number of
#   channels at the end of the branch: `attention(4 * width)`. None means: no attention.
# - The **shortcut**: `x` if it has the branch's shape, otherwise a 1×1 convolution (no bias, with `stride`) and
#   BatchNorm.
# - At the end: ReLU(shortcut + attention(branch)).
#
# `stride` stands in the first 1×1 (as in the papers' tables) or in the 3×3 (as in torchvision): both are right. (Not in
# the last 1×1: three of four numbers of the 3×3 would be computed for nothing, and the normalisations would count them in
# training.)
#
# <!-- hints: attention-bottleneck -->

# %% exercise="attention-bottleneck"
class AttentionBottleneck(nn.Module):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__()
        ### BEGIN SOLUTION
        out_channels = 4 * width
        self.branch = nn.Sequential(
            nn.Conv2d(in_channels, width, 1, stride, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.attention = nn.Identity() if attention is None else attention(out_channels)
        if stride == 1 and in_channels == out_channels:
            self.shortcut = nn.Identity()
        else:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )
        ### END SOLUTION

    def forward(self, x):
        """(N, in_channels, H, W) -> (N, 4 width, H / stride, W / stride)."""
        ### BEGIN SOLUTION
        return torch.relu(self.shortcut(x) + self.attention(self.branch(x)))
        ### END SOLUTION


# %%
check("attention-bottleneck-shapes", AttentionBottleneck)

# %%
check("attention-bottleneck-parameters", AttentionBottleneck)

# %%
check("attention-bottleneck-values", AttentionBottleneck)

# %%
check("attention-bottleneck-gradients", AttentionBottleneck)

# %% [markdown]
# **See what you built.** Your unit with each mechanism, counted by your functions: 256 channels on a 56×56 map, as in
# the first stage of ResNet-50. For the count all mechanisms stand at the same place, the end of the branch. In published
# networks self-attention usually replaces the 3×3, which has only 64 channels here, and BAM stands between stages. SK is
# not in the table: it replaces the 3×3, too.

# %% tags=["demo"]
class OnTheMap(nn.Module):
    """Self-attention between the positions of a feature map: x + attention(LN(x)), as in lesson 06."""

    def __init__(self, channels, heads=2):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attention = MultiHeadSelfAttention(channels, heads)

    def forward(self, x):
        tokens = x.flatten(2).transpose(1, 2)  # (N, H W, C)
        return x + self.attention(self.norm(tokens)).transpose(1, 2).unflatten(2, x.shape[2:])


MECHANISMS = {
    "none": None,
    "SE": SqueezeExcitation,
    "CBAM": CBAM,
    "BAM": BAM,
    "self-attention": OnTheMap,
}
with torch.device("meta"):
    x = torch.empty(1, 256, 56, 56)
    units = {
        name: AttentionBottleneck(256, 64, attention=attention).eval()
        for name, attention in MECHANISMS.items()
    }
Table(
    "One bottleneck, 256 channels, 56 x 56",
    ["mechanism", "parameters", "multiply-adds of its layers"],
    [[name, f"{count_parameters(unit):,}", f"{count_macs(unit, x):,}"] for name, unit in units.items()],
)

# %% [markdown]
# For self-attention this count leaves out the two products $QK^\top$ and $AV$: they are no layers, so no hook sees
# them. You know their number from lesson 06: $2L^2C$, with $L = 56 \cdot 56$ here.

# %% tags=["demo"]
L, C = 56 * 56, 256
print(f"the two products: {2 * L**2 * C:,} multiply-adds more")

# %% [markdown]
# That is why self-attention sits in late stages, on small maps, or in windows.

# %% [markdown]
# ---
# **First sitting ends here** (about 70 minutes). The second one takes about 60. If you come back in a new kernel, run the
# cells above again (*Run* → *Run All Above Selected Cell*).
#
# ---
#
# ## 7. Exercise: a verdict
#
# **What and why.** Next comes a table of nine networks, and you will want to say which is better. Errors differ from
# seed to seed, so an eye finds differences everywhere. The course has one rule for "different" (lesson 02), and here you
# write it yourself. **Difficulty** ●●○○ · **10 minutes** · **<!-- points: verdict --> points**
#
# Two models were trained from the same $n$ seeds. With $a_s$ and $b_s$ their errors for seed $s$:
#
# $$d_s = a_s - b_s\qquad \bar d = \frac1n\sum_s d_s\qquad
# \mathrm{standard\ error} = \frac{1}{\sqrt n}\sqrt{\frac{1}{n - 1}\sum_s (d_s - \bar d)^2}$$
#
# `verdict(errors_a, errors_b)` → a tuple of three: `(word, mean, standard_error)`
#
# - `errors_a`, `errors_b`: two lists of numbers, one a seed, in the same order; at least two seeds.
# - `mean` is $\bar d$, and `standard_error` as above.
# - `word` is `"better"` if model a is better (its errors are **lower**), `"worse"` if it is worse, or `"undecided"`.
# - It is decided only if $|\bar d|$ is **more than two standard errors**, and there are **at least 3 seeds**.
#
# Python's `statistics` has `mean` and `stdev` (which divides by $n - 1$).
#
# <!-- hints: verdict -->

# %% exercise="verdict"
def verdict(errors_a, errors_b):
    """Two lists of errors -> (word, mean difference, standard error)."""
    ### BEGIN SOLUTION
    differences = [a - b for a, b in zip(errors_a, errors_b)]
    mean = statistics.mean(differences)
    standard_error = statistics.stdev(differences) / len(differences) ** 0.5
    if len(differences) < 3 or abs(mean) <= 2 * standard_error:
        return "undecided", mean, standard_error
    return ("better" if mean < 0 else "worse"), mean, standard_error
    ### END SOLUTION


# %%
check("verdict-numbers", verdict)

# %%
check("verdict-word", verdict)

# %% [markdown]
# ## 8. Experiment: a fair comparison
#
# Which mechanism is best? A fair comparison has the **same data, steps, learning rate and seeds** for all, more than
# two seeds, a standard error beside each difference, and the costs. And one more row that papers often leave out: a
# **wider plain network**. If a mechanism adds parameters, so may the plain one. We take two: one that is twice as large,
# and one that costs about what BAM costs.
#
# The task: name the garment, which lies near the middle of a photograph, among fragments of others. Read the table below
# as one setting of many: with other images, sizes or steps the order may be another. (It is the third setting that was
# tried when this lesson was written. The seeds of the table are new.)

# %% tags=["demo"]
number = 512 if training.fast() else 8000
setting = {"size": 24, "scale": (0.6, 0.8), "rotation": 10, "fragments": 3}
train_set = data.scenes(number, "train", seed=1, **setting)
test_set = data.scenes(number // 4, "test", seed=2, **setting)
print(f"{number:,} images to train on, in batches of 64; {number // 4:,} to test on")
figures.gallery(test_set.image[:8], [data.FASHION_CLASSES[label] for label in test_set.label[:8]])

# %% [markdown]
# The host is the small network of lesson 02: four 3×3 convolutions, the mechanism after each. The spatial transformer
# has no place there: it stands before the network. SK brings convolutions of its own.

# %% tags=["demo"]
def with_transformer():
    where = nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 3 * 3, 6),
    )
    return nn.Sequential(SpatialTransformer(where), SmallCNN(width=8))


HOSTED = {
    "SE": lambda channels: SqueezeExcitation(channels, reduction=4),
    "CBAM": lambda channels: CBAM(channels, reduction=4),
    "BAM": lambda channels: BAM(channels, reduction=4, dilation=2),
    "SK": lambda channels: SelectiveKernel(channels, groups=1, min_width=8),
    "self-attention": lambda channels: OnTheMap(channels, heads=1),
}
contestants = {
    "plain": lambda: SmallCNN(width=8),
    "plain, wider": lambda: SmallCNN(width=12),
    "plain, a little wider": lambda: SmallCNN(width=9),
    **{
        name: lambda attention=attention: SmallCNN(width=8, attention=attention)
        for name, attention in HOSTED.items()
    },
    "spatial transformer": with_transformer,
}

# %% [markdown]
# **Before you run: write down** the three that you expect to be better than plain, and whether any will be better than
# *plain, wider*.
#
# Now all of them are trained, three seeds each (about a minute).

# %% tags=["demo"]
comparison = training.compare(
    contestants,
    train=(train_set.image, train_set.label),
    test=(test_set.image, test_set.label),
    steps=150,
    lr=1e-2,
)
comparison

# %% [markdown]
# Do not write your report yet. Three seeds are few, and a table of nine rows has many differences: some of them are luck.
# So the same cell was run beforehand from ten other seeds, and the errors came with the course. **Your** `verdict` judges
# them, against three rows:
#
# - *plain*: does the mechanism help at all?
# - *wider*: would more convolutions have helped as much?
# - *a little wider*: and for about the price of BAM?
#
# (The next cell only makes this table. You need not read it.)

# %% tags=["demo"]
shipped = recorded("networks", comparison.seeds, comparison.errors)


def judged(errors, name, other):
    if name == other or len(errors[name]) < 2:
        return "–"
    word, mean, standard_error = verdict(errors[name], errors[other])
    return f"{mean:+.1f} ± {standard_error:.1f}: {word}"


def verdicts(recording, steps):
    """Each row's mean error, and your verdict against the three plain rows."""
    plains = [name for name in recording.numbers if name.startswith("plain")]
    rows = [
        [
            name,
            f"{statistics.mean(errors):.1f}",
            *(judged(recording.numbers, name, other) for other in plains),
        ]
        for name, errors in recording.numbers.items()
    ]
    seeds = f"{recording.seeds[0]} to {recording.seeds[-1]}"
    caption = f"{steps} steps, seeds {seeds}: error minus that of ..."
    return Table(caption, ["model", "mean error", *(f"... “{name}”" for name in plains)], rows)


verdicts(shipped, 150)

# %% [markdown]
# **And after a longer training?** A training of 150 steps asks who learns *fast*. Two rows were trained four times as
# long: BAM, and the plain network of its price. Below is one seed of it (about 30 seconds), and then the ten that came
# with the course.
#
# **Before you run**: will the difference between the two grow, shrink, or turn round?

# %% tags=["demo"]
rivals = ("plain, a little wider", "BAM")
longer = training.compare(
    {name: contestants[name] for name in rivals},
    train=(train_set.image, train_set.label),
    test=(test_set.image, test_set.label),
    steps=600,
    seeds=[0],
    lr=1e-2,
)
shipped_longer = recorded("networks-longer", longer.seeds, longer.errors)
display(longer, verdicts(shipped_longer, 600))

# %% [markdown]
# **What does each cost?** The seconds in these tables are rough: the model that is trained first also pays for the start,
# and your machine does other things, too. So we time one step (forward and backward) properly: seconds of computing, on
# one thread, all models in turn, the first rounds thrown away, and the median of ten. The multiply-adds are your count
# and, for self-attention, the two products that your hooks do not see.

# %% tags=["demo"]
def step_times(models, rounds=10, warm_up=3):
    """Median seconds of computing for a forward and backward pass over 64 images."""
    images, labels = train_set.image[:64], train_set.label[:64]
    times = {name: [] for name in models}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in range(warm_up + rounds):
        for name, model in models.items():
            start = time.process_time()
            F.cross_entropy(model(images), labels).backward()
            times[name].append(time.process_time() - start)
    torch.set_num_threads(threads)
    return {name: statistics.median(seconds[warm_up:]) for name, seconds in times.items()}


def products(model, x):
    """The two products of each self-attention, 2 L² C, which no layer does."""
    found = []

    def hook(attention, inputs, output):
        found.append(2 * output[0, 0].numel() ** 2 * output.shape[1])

    handles = [m.register_forward_hook(hook) for m in model.modules() if isinstance(m, OnTheMap)]
    model(x)
    for handle in handles:
        handle.remove()
    return sum(found)


step = step_times({name: build() for name, build in contestants.items()})
rows = []
for name, run in comparison.runs.items():
    model, x = run.models[0], test_set.image[:1]
    macs = count_macs(model, x) + products(model, x)
    time_of = f"{step[name] / step['plain']:.1f}"
    rows.append([name, f"{count_parameters(model):,}", f"{macs:,}", time_of])
Table("What each costs", ["model", "parameters", "multiply-adds", "time of a step, plain = 1"], rows)

# %% [markdown]
# **Read yourself first**: the table of your three seeds, the table of ten seeds, the table of 600 steps and ten seeds, and
# the costs. Which rows beat plain, by your verdict? Which beat *plain, wider*? Which rows lose? Did your own three seeds
# say the same as the ten?
#
# <details><summary><b>Our reading</b></summary>
#
# *What survives ten seeds, after 150 steps.* Against **plain**: BAM, SK and the spatial transformer are better. SE is
# undecided. CBAM and self-attention are worse. Somebody who stops here writes "three of six mechanisms help".
#
# Against **plain, wider**: no row is better by the rule. BAM, SK and the spatial transformer cannot be told from it. Look
# at the costs beside the spatial transformer: it has about half the parameters and half the multiply-adds of *plain, wider*.
#
# Against **plain, a little wider**, which has the parameters and multiply-adds of BAM: BAM and SK cannot be told from it.
# So of "BAM helps", what remains is "spending a little more helps". Of all mechanisms only the spatial transformer beats
# that row, and it costs no more.
#
# *Is it the looking?* The garments lie near the middle, so one fixed zoom for all images might do as well. And the
# localisation has convolutions of its own. Lesson 07 had both controls. This table has neither. So say: this *network* is
# better, not: the looking helps.
#
# *How much of the table is luck?* Lesson 02 said: with ten seeds, luck passes for a difference in 8 of 100 cases. The
# table of ten seeds judges 21 pairs. So even if no two networks differed, one or two pairs would be called different.
# Those whose mean is just over two standard errors are the first suspects.
#
# *Our three seeds and the ten.* Compare the first table of this section with the second. Rows that three seeds call
# undecided are decided by ten, and a mean that looked large has become smaller. With nine rows and three seeds, some row
# always looks good. That is why one does not pick the winner of a small table and train no more.
#
# *A ranking of learning speed.* After 150 steps nobody has finished learning. The table says who is fast under one
# learning rate, not who ends best. In the table of 600 steps both rows have about ten points less error than before: four
# times the steps bring more than any mechanism of the first table. BAM and the plain network of its price (in
# multiply-adds: a step of BAM takes about twice as long) cannot be told apart here either.
#
# *Why are CBAM and self-attention worse?* This table does not say. For CBAM lesson 03 gives a candidate: two gates near
# one half leave about a quarter of the signal, and "times 4" mended much of it in a short training. For self-attention we
# tested no reason.
#
# </details>
#
# **What it does not show.** That a mechanism is good or bad. This is a tiny network, a tiny training, one learning rate
# for all. The papers train deep networks on a million images, and report gains there. In lesson 02, on a task made for
# it, SE won by far. **The task decides**, and you have to measure on yours.
#
# A note on cost: multiply-adds are not seconds. Look at the mechanisms with hardly more multiply-adds than plain (SE,
# CBAM), and at the time of their steps. A small operation takes time even if it hardly multiplies anything.

# %% [markdown]
# ## 9. Exercise: Grad-CAM
#
# **What and why.** SE, CBAM and self-attention show their weights. But **any** network, also a plain one, can be asked:
# which places speak for this class? Grad-CAM needs no attention module and no new training.
# **Difficulty** ●●●○ · **20 minutes** · **<!-- points: grad-cam --> points**
#
# $$\alpha_k = \frac{1}{hw}\sum_{i,j}\frac{\partial y}{\partial A_{k,i,j}}\qquad
# M = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big)$$
#
# | symbol | in the code | meaning |
# | --- | --- | --- |
# | $A_k$ | output of `layer` | channel $k$ of a feature map, `(N, K, h, w)` |
# | $y$ | `model(x)[n, target[n]]` | the **logit** of the class that is asked for, before any softmax |
# | $\alpha_k$ | `alpha` | how much channel $k$ speaks for the class: its gradient, averaged over the positions |
# | $M$ | what you return | where the class is supported |
#
# `grad_cam(model, layer, x, target)` → `(N, H, W)` in [0, 1]
#
# - `layer` is a module inside `model` that puts out `(N, K, h, w)`; `x` is `(N, C, H, W)`; `target` is `(N,)`, a class
#   for each image. The model is in evaluation mode.
# - Resize $M$ to `(H, W)`: `F.interpolate(..., mode="bilinear", align_corners=False)`.
# - Remove your hook before you return. Do not detach what it keeps: the gradient has to find it.
# - Then divide each resized map by its own maximum. If nothing speaks for the class, the map is 0 everywhere: leave it 0
#   (divide by `maximum.clamp(min=1e-8)`).
#
# Images do not influence each other, so you can differentiate the **sum** of all targets' logits in one go.
#
# <!-- hints: grad-cam -->

# %% exercise="grad-cam"
def grad_cam(model, layer, x, target):
    """(N, C, H, W) images and (N,) classes -> (N, H, W) maps in [0, 1] of what supports each class."""
    ### BEGIN SOLUTION
    kept = []
    handle = layer.register_forward_hook(lambda layer, inputs, output: kept.append(output))
    logits = model(x)
    handle.remove()
    features = kept[0]
    y = logits[torch.arange(len(x)), target].sum()
    gradient = torch.autograd.grad(y, features)[0]
    alpha = gradient.mean((2, 3), keepdim=True)
    heat = torch.relu((alpha * features).sum(1, keepdim=True))
    heat = F.interpolate(heat, size=x.shape[2:], mode="bilinear", align_corners=False)[:, 0].detach()
    return heat / heat.amax((1, 2), keepdim=True).clamp(min=1e-8)
    ### END SOLUTION


# %%
check("grad-cam-shape", grad_cam)

# %%
check("grad-cam-values", grad_cam)

# %%
check("grad-cam-nothing", grad_cam)

# %% [markdown]
# **See what you built.** The plain network of the comparison, the output of its last convolution, six test images.

# %% tags=["demo"]
def last_map(model):
    return model.convolutions[-1]


plain_network = comparison.runs["plain"].models[0]
shown = test_set.image[:6]
heat = grad_cam(plain_network, last_map(plain_network), shown, test_set.label[:6])
garments = [data.FASHION_CLASSES[label] for label in test_set.label[:6]]
drawn = figures.spatial_map(shown, heat[:, None], garments)
drawn.figure.axes[-1].set_ylabel("heat")
drawn.alt = drawn.alt.replace("Weight of every position", "Grad-CAM heat")
drawn

# %% [markdown]
# Does the heat lie on the garment? We know the true outline of every garment in our scenes. So we measure: which share
# of the heat lies on it? If the heat were spread evenly, it would be the garment's share of the image.
#
# A number alone says little. We add three **controls**:
#
# - the same network **before training**: what it shows cannot be knowledge;
# - a **blind blob**: a round spot in the middle, the same for all images, which never looks at one;
# - a **wrong class**: we ask for another class than the garment's.

# %% tags=["demo"]
images, labels, masks = test_set.image[:200], test_set.label[:200], test_set.mask[:200, 0]
wrong_labels = (labels + 3) % len(data.FASHION_CLASSES)


def fresh(seed):
    torch.manual_seed(seed)
    return SmallCNN(width=8).eval()


def on_garment(heat):
    """Mean share of the heat on the garment, of the maps that have any; and how many have."""
    found = heat.sum((1, 2)) > 0
    heat, mask = heat[found], masks[found]
    return ((heat * mask).sum((1, 2)) / heat.sum((1, 2))).mean().item(), found.float().mean().item()


def measure(models, target):
    """Both numbers of each seed's network."""
    return [on_garment(grad_cam(model, last_map(model), images, target)) for model in models]


# %% [markdown]
# The blob is a Gaussian with a standard deviation of 6 pixels. All shares are measured on the same 200 test images. The
# last columns compare each row with the first one, seed by seed, by your `verdict`. The second table asks how much the
# class matters: the share for the true class minus that for the wrong one, in trained and in untrained networks. (The next
# cell only makes tables. You need not read it.)

# %% tags=["demo"]
trained_models = {name: comparison.runs[name].models for name in ("plain", "SE", "CBAM")}
untrained_models = [fresh(seed) for seed in comparison.seeds]
place = torch.arange(24) - 11.5
blob = torch.exp(-(place[:, None] ** 2 + place**2) / (2 * 6**2)).expand(len(images), 24, 24)
perfect = F.adaptive_avg_pool2d(masks[:, None], 6)
perfect = F.interpolate(perfect, size=24, mode="bilinear", align_corners=False)[:, 0]
same_for_all = len(comparison.seeds)

found = {name: measure(models, labels) for name, models in trained_models.items()}
found["plain, before training"] = measure(untrained_models, labels)
found["a blind blob in the middle"] = [on_garment(blob)] * same_for_all
found["a perfect map of 6 x 6 positions"] = [on_garment(perfect)] * same_for_all
found["plain, wrong class"] = measure(trained_models["plain"], wrong_labels)
found["plain, before training, wrong class"] = measure(untrained_models, wrong_labels)

shares = {name: [share for share, _ in pairs] for name, pairs in found.items()}


def more_or_less(some, others):
    """Your verdict in words that fit shares: its "better" is lower, whatever is measured."""
    if len(some) < 2:
        return ["–", "–"]
    word, mean, error = verdict(some, others)
    return [f"{mean:+.3f} ± {error:.3f}", {"better": "less", "worse": "more"}.get(word, word)]


rows = []
for name, pairs in found.items():
    with_heat = statistics.mean(with_heat for _, with_heat in pairs)
    compared = ["–", "–"] if name == "plain" else more_or_less(shares[name], shares["plain"])
    rows.append([name, *(f"{share:.3f}" for share in shares[name]), f"{with_heat:.0%}", *compared])
seeds = [f"seed {seed}" for seed in comparison.seeds]
by_class, rises = [], {}
for kind, name in {"trained": "plain", "before training": "plain, before training"}.items():
    true, wrong = shares[name], shares[f"{name}, wrong class"]
    by_class.append([f"{kind}: true class minus wrong class", *more_or_less(true, wrong)])
    rises[kind] = [a - b for a, b in zip(true, wrong)]
between = more_or_less(rises["trained"], rises["before training"])
by_class.append(["the first line minus the second", *between])
display(
    Table(
        f"Share of the Grad-CAM heat on the garment, which covers {masks.mean():.3f} of the image; maps "
        "without any heat are left out",
        ["network", *seeds, "maps with heat", "minus “plain”", "so it is"],
        rows,
    ),
    Table("What the class changes, in plain networks", ["", "share of the heat", "so it is"], by_class),
)

# %% [markdown]
# Read the tables in three steps.
#
# 1. The trained networks put more heat on the garment than an even spread, and plain more than the same network before
#    training (the only one that we measured untrained). It is tempting to stop here.
# 2. In our run **the blind blob beats every trained network**, because our garments lie near the middle. So a high share
#    alone proves nothing: also a map that never looks at the image can have it.
# 3. Ask for a **wrong class**, and the trained network's heat leaves the garment. Before training no difference between
#    the classes is decided (second table). And the trained networks' difference is larger than the untrained ones', by the
#    rule. So *that* difference, true class against wrong class, depends on what was learned.
#
# Three more things to know. These are three seeds: a hint. The last map has only 6×6 positions, so even a perfect one would have much heat off the garment:
# see its row. And these networks name only about half of the garments correctly (the errors are in section 8). We ask
# for the true class all the same.
#
# Then look at CBAM's and SE's rows: what does your verdict say? The CBAM paper (its figure 4) shows Grad-CAM maps of some
# images and says that CBAM covers the object better. You now know how one would test that.

# %% [markdown]
# ## 10. Your report
#
# **Question (<!-- points: report --> points, read by your instructor).** A colleague builds a classifier for small images and asks you:
# *which attention mechanism should I put in, and why?* Answer in about ten sentences from the tables of section 8: take
# the verdicts of the **ten seeds**, and the costs that you measured. **10 minutes**
#
# | points | for |
# | --- | --- |
# | 1 | a clear recommendation that follows from the tables (also "none" can be right) |
# | 1 | differences judged by the rule, not by eye; what is undecided is called so |
# | 1 | cost: parameters, multiply-adds or time of a step, with numbers |
# | 1 | what the comparison cannot tell (size, data, length of training, tuning) |
# | 1 | what you would measure next before you decide |
#
# <details><summary><b>What does a good answer look like?</b> (An example about another, invented table)</summary>
#
# Invented: in ten seeds, mechanism P has 2.1 ± 0.4 points less error than plain, and Q 1.5 ± 0.9. A network as dear as P,
# but without attention, is 1.9 ± 0.5 better than plain. P minus that network: −0.2 ± 0.3. P takes 1.1 times the time of
# plain, Q 2.5 times.
#
# *I would not put in attention yet. P is better than plain by our rule (2.1 is five standard errors), Q is undecided (1.5
# is less than two). But a plain network of the same price cannot be told from P: the difference is undecided. P may be up
# to about 0.8 points better (the mean and two standard errors), not more. So most of what P gains, width gains too, and
# width is simpler. P costs little time, so it remains my second choice; Q costs 2.5 times the time for a gain that the
# rule does not confirm. All of this is one task with small images and short training: P may learn faster without ending better. Before I
# decide, I would train plain, wide and P four times as long, on your own images, with ten seeds.*
#
# </details>

# %% [markdown] exercise="report"
# | points | for |
# | --- | --- |
# | 1 | **Recommendation:** says what to put in, or that nothing, or more width; the tables do not contradict it. Not enough: "it depends". |
# | 1 | **Rule:** compares two networks at least by mean and standard error of the ten seeds, and calls a difference below two standard errors undecided. Not enough: "0.4 points less, so better". |
# | 1 | **Cost:** one number at least of parameters, multiply-adds or time, and it counts in the choice. Half a point for a cost without a number. |
# | 1 | **Limits:** one at least of image size, data, length of training, one learning rate for all, and what it means for the colleague. Half a point for a bare list. |
# | 1 | **Next:** an experiment that could change the recommendation: what is trained, on what, beside what. Not enough: "more experiments". |
#
# I would start **without** attention, and with a network as wide as the budget allows. In ten seeds BAM, SK and the
# spatial transformer are better than plain by our rule, SE is undecided, and CBAM and self-attention are worse. But no
# mechanism is better than the wider plain network. And the plain network that costs what BAM costs cannot be told from
# BAM or SK: those differences are undecided; they may be as large as the mean and two standard errors beyond it. Only the
# spatial transformer beats that network, with no more parameters and multiply-adds, and a step takes about as long. So it
# is my first candidate after width: it cannot be told from the wider network, which has nearly twice its parameters. But
# the table judges 21 pairs, so one or two verdicts may be luck, and nobody has tried one fixed zoom for all images. The
# costs differ more than the errors: the wider network has twice the parameters of plain, and a step takes more than one
# and a half times as long. A step of BAM takes about 4 times as long as one of plain, although it has few parameters. SE
# adds hardly any multiply-adds, but about a third to the time. If the task needs news from far away in the image (as in lesson 02), I would choose SE: it helped there by
# far. The comparison is a ranking after 150 steps, so of learning speed, on small images, with one learning rate for all.
# It cannot tell what happens on large images, in deep networks and after long training, where the papers report gains.
# Before deciding I would train the wider plain network, the spatial transformer and SE on the colleague's own images, at
# equal time instead of equal steps, until they stop learning, with ten seeds.

# %% [markdown]
# ## 11. The papers, guided
#
# Read section 3.2 of *Deep Residual Learning*, the part *Deeper Bottleneck Architectures* of its section 4.1, and section
# 3 of *Grad-CAM*. Think first, then unfold.
#
# <details><summary><b>Why does the mechanism stand before the addition, not after it?</b></summary>
#
# After it, the gate would scale the skip connection too. In 16 units a gate of 0.5 would leave $0.5^{16}$ of the first
# signal. Before the addition a closed gate only switches its own branch off.
#
# </details>
#
# <details><summary><b>Why does Grad-CAM take the logit and not the probability?</b></summary>
#
# The softmax couples the classes: a probability also rises when another class falls. And where it is near 1 its
# gradient is near 0. The logit says what speaks for this class alone.
#
# </details>
#
# <details><summary><b>A paper reports +0.3% accuracy with one run for each network. Do you believe it?</b></summary>
#
# It may be true, but one run cannot show it. Look at your own table: how far apart are two seeds of the **same**
# network? Ask for several seeds, the standard error, and a plain network with the same cost.
#
# </details>
#
# ## The course's comparison table, complete

# %% tags=["demo"]
figures.mechanism_table(*figures.MECHANISMS)

# %% [markdown]
# **What commonly goes wrong**
#
# - FLOPs of one paper are compared with multiply-adds of another: a factor of 2.
# - A grouped convolution is counted as if each filter saw all channels.
# - A mechanism is compared with a plain network that has fewer parameters, less time, or fewer seeds.
# - The Grad-CAM hook stays on the layer. Each call adds one more, and every forward runs them all.
# - A map that looks right is taken for a proof. Show the controls: no training, a blind map, a wrong class.
#
# ## Where to go next
#
# **Lesson 09** takes up the last point: heat maps, put to the test.
#
# **Libraries** with trained networks: [timm](https://github.com/huggingface/pytorch-image-models) (hundreds, attention
# modules by name), [torchvision](https://docs.pytorch.org/vision/) (the classics),
# [MMPretrain](https://github.com/open-mmlab/mmpretrain) (recipes of the papers).
#
# **Later mechanisms**, each a small step from what you built:
#
# | mechanism | the step | paper |
# | --- | --- | --- |
# | non-local block | self-attention on a feature map, inside a CNN | [arXiv:1711.07971](https://arxiv.org/abs/1711.07971) |
# | ECA | SE without the bottleneck: a 1D convolution over the channels | [arXiv:1910.03151](https://arxiv.org/abs/1910.03151) |
# | coordinate attention | two squeezes, along rows and along columns: gates that know where | [arXiv:2103.02907](https://arxiv.org/abs/2103.02907) |
# | Swin | self-attention in windows that shift: cost grows with the image, not with its square | [arXiv:2103.14030](https://arxiv.org/abs/2103.14030) |
#
# You have built seven mechanisms and know one frame for all of them: **scores → normaliser → combination**. When you
# meet the next one, ask its three questions: what is weighted, what normalises, how is it combined? And then: what does
# it cost, and who measured that it helps?

# %% [markdown]
# ## Your points

# %%
points("08-attention-in-networks")
