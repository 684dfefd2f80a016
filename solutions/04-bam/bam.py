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
# # 04 · BAM: a gate for every value
#
# **Paper:** J. Park, S. Woo, J.-Y. Lee, I. S. Kweon, *BAM: Bottleneck Attention Module*, BMVC 2018
# ([arXiv:1807.06514](https://arxiv.org/abs/1807.06514)).
#
# | | |
# | --- | --- |
# | **After this lesson you can** | add two kinds of scores into one gate, measure what parallel and sequence make of them, see further with dilated convolutions, compute and *see* a receptive field, and repair a module crash by crash |
# | **Time** | about 130 minutes, without reading the paper: two sittings of 70 and 60 minutes |
# | **You need** | lessons 02 (squeeze-and-excitation) and 03 (CBAM) |
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
import traceback
from functools import cache

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn
from torch.nn import functional as F

from attention_lab import data, figures, training
from attention_lab.grading import check, hint, points
from attention_lab.mine import SqueezeExcitation
from attention_lab.networks import create
from attention_lab.networks.small import SmallCNN
from attention_lab.recording import recorded
from attention_lab.table import Table

# %% [markdown]
# ## 1. A picture first
#
# Is the dot below on coffee, or on a wooden table? Both are brown. From the pixel alone nobody can tell. You have to
# look around it. But how far?
#
# Think of a feature map of 32×32 positions over this photograph. Two 3×3 convolutions look at 5×5 positions. If the
# nine weights of a kernel are pulled apart, the same two convolutions look further. The distance between neighbouring
# weights is called the **dilation**.

# %% tags=["demo"]
def around(ax, photo, positions, title):
    """The photograph, a dot, and a square of so many positions (8 x 8 pixels each) around it."""
    ax.imshow(photo.permute(1, 2, 0))
    ax.set(title=title, xticks=[], yticks=[])
    x, y, side = 120, 94, 8 * positions
    corner = (x - side / 2, y - side / 2)
    blue = figures.COLOURS[0]
    for colour, width in (("white", 4), (blue, 2)):
        ax.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=colour, linewidth=width))
    ax.plot(x, y, "o", color=blue, markeredgecolor="white", markersize=8)


figure = Figure(figsize=(7.6, 2.8), layout="compressed")
for ax, dilation, positions in zip(figure.subplots(1, 3), (1, 2, 4), (5, 9, 17)):
    title = f"dilation {dilation}: {positions} × {positions} positions"
    around(ax, data.photo("coffee", 256), positions, title)
words = "What two 3x3 convolutions see around one position of a photograph, for dilation 1, 2, 4."
figures.Picture(figure, words)

# %% [markdown]
# With dilation 1 the square holds nothing but brown. With dilation 4 it holds the white cup around it. This costs
# nothing extra: each kernel has nine weights in all three pictures. BAM uses it for its spatial scores.
#
# ## 2. The mechanism
#
# First the two branches, which give scores:
#
# ```mermaid
# flowchart LR
#     x["x<br/>(N, C, H, W)"] --> pool["average over H, W<br/>(N, C)"]
#     pool --> mlp["W0, BN, ReLU, W1"]
#     mlp --> mc["channel logits Mc<br/>(N, C, 1, 1)"]
#     x --> f0["1×1 convolution<br/>(N, C / r, H, W)"]
#     f0 --> f12["two dilated 3×3,<br/>then 1×1"]
#     f12 --> ms["spatial logits Ms<br/>(N, 1, H, W)"]
# ```
#
# Then the scores become one gate, and the gate meets $x$:
#
# ```mermaid
# flowchart LR
#     mc["Mc<br/>(N, C, 1, 1)"] --> plus(("+"))
#     ms["Ms<br/>(N, 1, H, W)"] --> plus
#     plus --> sigmoid["sigmoid<br/>gate M (N, C, H, W)"]
#     sigmoid --> times(("(1 + M) x"))
#     x["x<br/>(N, C, H, W)"] --> times
#     times --> out["output<br/>(N, C, H, W)"]
# ```
#
# | step | formula | in the code | shape |
# | --- | --- | --- | --- |
# | **channel branch** | $M_c = W_1\,\mathrm{ReLU}(\mathrm{BN}(W_0\,\mathrm{avg}(x)))$ | `ChannelGate` | `(N, C, 1, 1)` |
# | **spatial branch** | $M_s = f_3(f_2(f_1(f_0(x))))$ | `SpatialGate` | `(N, 1, H, W)` |
# | **gate** | $M = \sigma(M_c + M_s)$ | `BAM.weights(x)` | `(N, C, H, W)` |
# | **combine** | $\mathrm{output} = (1 + M)\,x$ | `BAM.forward(x)` | `(N, C, H, W)` |
#
# The formulas are the paper's, except where the batch normalisation stands: there we follow the authors' code
# (section 11).
#
# - $M_c$ and $M_s$ are **logits**: scores before the sigmoid, any real numbers.
# - $f_0$ is a 1×1 convolution from $C$ to $C/r$ channels, $f_1$ and $f_2$ are 3×3 convolutions with dilation $d = 4$,
#   and $f_3$ is a 1×1 convolution to one channel. $r$ is the reduction, 16 in the paper.
# - $f_0$, $f_1$ and $f_2$ are each followed by BN and ReLU. $W_1$ and $f_3$ are plain.
#
# Three things are new.
#
# - **Parallel, not in sequence.** In CBAM the spatial gate looks at the map that the channel gate has already gated. Here
#   both branches look at the same $x$, side by side. Section 9 measures whether it matters.
# - **One gate.** In CBAM each value meets two gates, one after the other, and either of them can close it. Here two
#   *scores* are **added**, and there is one sigmoid. A strong *yes* of one branch can outvote a weak *no* of the other.
# - **Nothing is shut off.** $M$ may close to 0. But $x$ is multiplied by $1 + M$, which lies between 1 and 2. BAM can
#   strengthen a value, never weaken it.
#
# Who outvotes whom? The channel branch says yes or no, and so does the spatial branch: four cases. Here the channel
# speaks loudly (a score of 3 or −3) and the position softly (1 or −1). Cover the output and guess: in which cases is the
# gate more than half open?

# %% tags=["demo"]
rows = []
for mc, ms in ((3.0, 1.0), (3.0, -1.0), (-3.0, 1.0), (-3.0, -1.0)):
    channel, position = torch.tensor([mc, ms]).sigmoid()
    one = torch.tensor(mc + ms).sigmoid()
    said = ["yes" if score > 0 else "no" for score in (mc, ms)]
    told = [f"{gate:.2f}, {'open' if gate > 0.5 else 'shut'}" for gate in (one, channel * position)]
    rows.append([f"{said[0]} ({mc:+.0f})", f"{said[1]} ({ms:+.0f})", *told])
header = ["channel Mc", "position Ms", "one gate: σ(Mc + Ms)", "two gates: σ(Mc) × σ(Ms)"]
Table("Four cases: what BAM and what CBAM's two gates make of the same scores.", header, rows)

# %% [markdown]
# With one gate, the louder branch wins: a loud yes outvotes a soft no (second row), and a loud no outvotes a soft yes
# (third). With two gates there is no vote: one *no* is enough to shut the value.

# %% [markdown]
# ## 3. Exercise: channel gate
#
# **What and why.** The excitation of SE, with a batch normalisation in the middle and without the sigmoid at the end:
# the scores meet the spatial ones first. **Difficulty** ●●○○ · **15 minutes** · **<!-- points: channel-gate --> points**
#
# - `ChannelGate(channels, reduction=16)`
# - `forward(x)`: `(N, C, H, W)` → **logits** `(N, C, 1, 1)`, or expanded to the shape of `x`
#
# The hidden layer has `channels // reduction` units, then BN, then ReLU. The last layer is plain. With or without
# biases: both are right.
#
# If you are stuck, run `hint("channel-gate")` in a cell of your own, or unfold:
#
# <!-- hints: channel-gate -->

# %% exercise="channel-gate"
class ChannelGate(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        ### BEGIN SOLUTION
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels // reduction),
            nn.BatchNorm1d(channels // reduction),
            nn.ReLU(),
            nn.Linear(channels // reduction, channels),
        )
        ### END SOLUTION

    def forward(self, x):
        """(N, C, H, W) -> (N, C, 1, 1): the logit of each channel."""
        ### BEGIN SOLUTION
        average = x.mean((2, 3))
        logits = self.mlp(average)
        return logits[:, :, None, None]
        ### END SOLUTION


# %%
check("channel-gate-shapes", ChannelGate)

# %%
check("channel-gate-parameters", ChannelGate)

# %%
check("channel-gate-values", ChannelGate)

# %%
check("channel-gate-gradients", ChannelGate)

# %% [markdown]
# **Surprise.** In training, this branch cannot take a batch of one image. BN needs the variance over the batch, and
# here every channel is a single number for each image.

# %% tags=["demo"]
_ = torch.manual_seed(0)
gate = ChannelGate(64)
one_image = torch.randn(1, 64, 8, 8)
print("evaluation, one image:", tuple(gate.eval()(one_image).shape))
try:
    gate.train()(one_image)
except ValueError as error:
    print("training, one image:  ", error)

# %% [markdown]
# ## 4. Exercise: spatial gate
#
# **What and why.** One score for every position, from what surrounds it. **Difficulty** ●●○○ · **20 minutes** · **<!-- points: spatial-gate -->
# points**
#
# - `SpatialGate(channels, reduction=16, dilation=4)`
# - `forward(x)`: `(N, C, H, W)` → **logits** `(N, 1, H, W)`, or expanded to the shape of `x`
#
# A 1×1 convolution to `channels // reduction` channels, two dilated 3×3 convolutions, each of the three with BN and
# ReLU; then a plain 1×1 convolution to one channel. `H` and `W` stay what they are: which padding does a 3×3 kernel
# with dilation $d$ need? With or without biases: both are right.
#
# <!-- hints: spatial-gate -->

# %% exercise="spatial-gate"
class SpatialGate(nn.Module):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__()
        ### BEGIN SOLUTION
        hidden = channels // reduction
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, 1, 1),
        )
        ### END SOLUTION

    def forward(self, x):
        """(N, C, H, W) -> (N, 1, H, W): the logit of each position."""
        ### BEGIN SOLUTION
        return self.convolutions(x)
        ### END SOLUTION


# %%
check("spatial-gate-shapes", SpatialGate)

# %%
check("spatial-gate-parameters", SpatialGate)

# %%
check("spatial-gate-values", SpatialGate)

# %%
check("spatial-gate-gradients", SpatialGate)

# %% [markdown]
# ## 5. Exercise: BAM
#
# **What and why.** Add the scores, take the sigmoid, strengthen $x$. **Difficulty** ●○○○ · **10 minutes** · **<!-- points: bam --> points**
#
# - `BAM(channels, reduction=16, dilation=4)`
# - `weights(x)`: `(N, C, H, W)` → `(N, C, H, W)`, the gate $M$, between 0 and 1
# - `forward(x)`: `(N, C, H, W)` → `(N, C, H, W)`, $(1 + M)\,x$
#
# <!-- hints: bam -->

# %% exercise="bam"
class BAM(nn.Module):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__()
        ### BEGIN SOLUTION
        self.channel = ChannelGate(channels, reduction)
        self.spatial = SpatialGate(channels, reduction, dilation)
        ### END SOLUTION

    def weights(self, x):
        """(N, C, H, W) -> (N, C, H, W): the gate of every value, between 0 and 1."""
        ### BEGIN SOLUTION
        return torch.sigmoid(self.channel(x) + self.spatial(x))
        ### END SOLUTION

    def forward(self, x):
        """(N, C, H, W) -> (N, C, H, W): x, and x times its gate on top."""
        ### BEGIN SOLUTION
        return (1 + self.weights(x)) * x
        ### END SOLUTION


# %%
check("bam-shapes", BAM)

# %%
check("bam-parameters", BAM)

# %%
check("bam-values", BAM)

# %% [markdown]
# **Surprise.** A fresh CBAM lets about a quarter of the signal through (lesson 03). And a fresh BAM?

# %% tags=["demo"]
features = torch.rand(8, 64, 14, 14)
for seed in range(3):
    _ = torch.manual_seed(seed)
    factor = BAM(64)(features).mean() / features.mean()
    print(f"seed {seed}: a fresh BAM multiplies the signal by {factor:.2f}")

# %% [markdown]
# Its gates start near one half, so $1 + M$ starts near 1.5.
#
# **Why add the scores and not multiply them?** The authors' published code multiplies the two *scores*. The paper adds
# them. This small table shows what the difference is.

# %% tags=["demo"]
print("  Mc    Ms   sigmoid(Mc + Ms)   sigmoid(Mc × Ms)")
for mc, ms in ((-3.0, -3.0), (0.0, -3.0), (0.0, 3.0), (3.0, 3.0)):
    total, product = torch.tensor([mc + ms, mc * ms]).sigmoid()
    print(f"{mc:4.0f}  {ms:4.0f}{total:19.2f}{product:19.2f}")

# %% [markdown]
# Look at the first row. With the product, two scores that both say *no* open the gate. And in the next two rows a
# channel score of 0 silences the spatial branch.
#
# ## 6. Exercise: receptive field
#
# **What and why.** How far does one output pixel see? You need this number for every convolutional network, not only
# for BAM. **Difficulty** ●●○○ · **15 minutes** · **<!-- points: receptive-field --> points**
#
# $$\mathrm{side} = 1 + \sum_i d_i\,(k_i - 1)\prod_{j<i} s_j$$
#
# - $k_i$, $s_i$, $d_i$ are kernel, stride and dilation of layer $i$, counted from the input.
# - A kernel of $k$ weights in a row has $k - 1$ gaps, and each gap is $d$ steps wide.
# - A step on the map of layer $i$ is $\prod_{j<i} s_j$ input pixels long: the strides of all layers **before** it.
#
# `receptive_field(layers)`: a list of `(kernel, stride, dilation)` → the side in input pixels, a number.
#
# <!-- hints: receptive-field -->

# %% exercise="receptive-field"
def receptive_field(layers):
    """The side length that one output pixel sees, for a list of (kernel, stride, dilation)."""
    ### BEGIN SOLUTION
    side, step = 1, 1
    for kernel, stride, dilation in layers:
        side += dilation * (kernel - 1) * step
        step *= stride
    return side
    ### END SOLUTION


# %%
check("receptive-field-dilation", receptive_field)

# %%
check("receptive-field-stride", receptive_field)

# %% [markdown]
# **An example with strides.** Lesson 02 said that a position of the small network's last convolution sees 19 of the 32
# rows. Now you can compute it: four 3×3 convolutions, the first and the third of stride 2.

# %% tags=["demo"]
small_network = [(3, 2, 1), (3, 1, 1), (3, 2, 1), (3, 1, 1)]
for layers in range(1, 5):
    side = receptive_field(small_network[:layers])
    print(f"after convolution {layers}: {side} × {side} pixels")

# %% [markdown]
# ## 7. See what you built: the footprint of a gradient
#
# Do not believe a formula that you can test. Take your spatial gate, and ask autograd: **which inputs does the logit in
# the middle depend on?** Where the gradient is zero, the pixel is not seen.

# %% tags=["demo"]
def footprint(gate, channels, side=33):
    """(side, side): how much the logit in the middle depends on each position."""
    inputs = torch.randn(64, channels, side, side, requires_grad=True)  # 64 random images
    gate.eval()  # in training mode BN mixes all positions and images: everything depends on everything
    gate(inputs)[:, 0, side // 2, side // 2].sum().backward()
    return inputs.grad.abs().sum((0, 1))


_ = torch.manual_seed(0)
figure = Figure(figsize=(7.6, 2.8), layout="compressed")
lines = []
for ax, dilation in zip(figure.subplots(1, 3), (1, 2, 4)):
    seen = footprint(SpatialGate(32, 4, dilation), 32)
    computed = receptive_field([(1, 1, 1), (3, 1, dilation), (3, 1, dilation), (1, 1, 1)])
    columns = seen.sum(0).nonzero()
    measured = int(columns.max() - columns.min() + 1)
    ax.imshow(seen / seen.max(), cmap=figures.MAP)
    ax.set(title=f"dilation {dilation}", xticks=[], yticks=[])
    corner = (16 - computed / 2, 16 - computed / 2)
    frame = {"fill": False, "edgecolor": figures.COLOURS[1], "linewidth": 2}
    ax.add_patch(Rectangle(corner, computed, computed, **frame))
    counts = int((seen > 0).sum()), measured**2
    lines.append([f"{number}" for number in (dilation, computed, measured, *counts)])
header = ["dilation", "side by your formula", "side by the gradient"]
header += ["positions that count", "in the square"]
words = "Gradient footprints of a spatial gate: 25 points, pulled apart as the dilation grows."
display(
    figures.Picture(figure, words),
    Table("The receptive field of the spatial gate, computed and measured.", header, lines),
)

# %% [markdown]
# Bright positions count most. The frame is drawn by your formula.
#
# **Surprise.** The side grows as the formula says, and the frame fits. But look inside: with dilation 4 only every
# fourth position counts. Two layers of 3×3 weights with the same dilation touch 25 positions, however large the square
# is.
# A dilated kernel looks *far*, not *closely*. In a network this does less harm: each of those positions is already a
# summary of its neighbourhood, made by the layers before.
#
# ---
#
# **The first sitting ends here: 70 minutes.** The second one starts with what BAM costs. If you come back in a new kernel,
# run the cells above again (*Run* → *Run All Above Selected Cell*).
#
# ---

# %% [markdown]
# ## 8. Where it stands, and what it costs
#
# SE and CBAM stand inside **every** residual unit. BAM stands **between the stages** of the network: only three times,
# where the map is about to shrink. (A **stage** is a group of units on maps of one size.) These lines count ResNet-50 with
# each mechanism, on torch's *meta* device: shapes without numbers. The paper prints 25.92M for BAM.

# %% tags=["demo"]
with torch.device("meta"):
    for name in ("resnet50", "se_resnet50", "cbam_resnet50", "bam_resnet50"):
        size = sum(p.numel() for p in create(name).parameters())
        print(f"{name:14} {size:>11,} parameters")

# %% [markdown]
# Where do BAM's parameters come from? The three blocks stand behind the stages with 256, 512 and 1024 channels.

# %% tags=["demo"]
def count(module):
    return sum(p.numel() for p in module.parameters())


print(f"{'C':>5} {'channel gate':>13} {'spatial gate':>13} {'your BAM':>10}")
total = 0
for channels in (256, 512, 1024):
    parts = [count(kind(channels)) for kind in (ChannelGate, SpatialGate, BAM)]
    print("{:>5} {:>13,} {:>13,} {:>10,}".format(channels, *parts))
    total += parts[2]
print(f"{'sum':>5}{total:>39,}")
with torch.device("meta"):
    plain, se, bam = (count(create(name)) for name in ("resnet50", "se_resnet50", "bam_resnet50"))
print(f"\nbam_resnet50 − resnet50: {bam - plain:>9,}")
times = (se - plain) / (bam - plain)
print(f"se_resnet50 − resnet50:  {se - plain:>9,}, {times:.1f} times as much")

# %% [markdown]
# The sum of the three is the whole difference (without biases yours is a little smaller). Three blocks, none of them at
# the widest stage, cost far less than the sixteen of SE.
#
# Between the stages there is no skip connection around the block. If $x$ were multiplied by $M$ alone, a gate near 0
# would cut the signal off. That is one reason for the $1 +$.

# %% [markdown]
# ## 9. Experiment: what is the long reach for?
#
# You know the task from lesson 02. Each image holds two garments, a bright one and a dark one. A white bar at the top
# edge says which one to name: bar → the bright one, no bar → the dark one. The garments are near the bottom, far from
# the bar.
#
# SE solved it with the squeeze, which sees the whole image. Can a **spatial** gate solve it, without any squeeze? It
# can only help if it carries news of the bar down to the garments.

# %% tags=["demo"]
number = 512 if training.fast() else 4096
train_set = data.cue_scenes(number, split="train", seed=1)
test_set = data.cue_scenes(number // 4, split="test", seed=2)
figures.gallery(test_set.image[:8], [data.FASHION_CLASSES[label] for label in test_set.label[:8]])

# %% [markdown]
# We train seven networks. All have the same four convolutions on 32×32 pixels. The first one halves the map to 16×16, the
# third one halves it again. So the end of the second convolution is the end of a stage: there stands the gate.
#
# - **plain**: no gate;
# - **spatial, dilation 1** and **spatial, dilation 4**: $(1 + \sigma(M_s))\,x$ with your spatial gate alone;
# - **SE**: the block of lesson 02, a squeeze and no spatial gate. But it stands once instead of four times, with half the
#   images and 200 instead of 300 steps: do not compare its error with lesson 02's;
# - **BAM (yours)**: both branches look at $x$;
# - **in sequence**: the same two branches and the same sum, but the spatial branch looks at $(1 + \sigma(M_c))\,x$, the map
#   after the channel gate. This is the *only* difference to BAM;
# - **in sequence, two gates**: and two sigmoids, one after the other as in CBAM (but with the $1 +$):
#   $(1 + \sigma(M_s))(1 + \sigma(M_c))\,x$.

# %%
class SpatialOnly(nn.Module):
    """BAM without its channel branch."""

    def __init__(self, channels, dilation):
        super().__init__()
        self.spatial = SpatialGate(channels, 4, dilation)

    def weights(self, x):
        return torch.sigmoid(self.spatial(x))

    def forward(self, x):
        return (1 + self.weights(x)) * x


class InSequence(nn.Module):
    """The branches of BAM, but the spatial one looks at the map after the channel gate."""

    def __init__(self, channels):
        super().__init__()
        self.channel = ChannelGate(channels, 4)
        self.spatial = SpatialGate(channels, 4)

    def logits(self, x):
        channel = self.channel(x)
        return channel, self.spatial((1 + torch.sigmoid(channel)) * x)

    def forward(self, x):
        channel, spatial = self.logits(x)
        return (1 + torch.sigmoid(channel + spatial)) * x


class TwoGates(InSequence):
    """And two gates, one after the other."""

    def forward(self, x):
        channel, spatial = self.logits(x)
        return (1 + torch.sigmoid(spatial)) * (1 + torch.sigmoid(channel)) * x


def once(block):
    """A network with the block after the second of its four convolutions only."""
    places = iter((1, 2, 3, 4))  # SmallCNN asks four times for a block, in order

    def attention(channels):
        return block(channels) if next(places) == 2 else nn.Identity()

    return SmallCNN(width=8, attention=attention)


# %% [markdown]
# **Before you run.** Write down your guesses: which rows will be no better than plain? Is dilation 4 enough to reach SE? And
# the three rows with both branches: will the rule of lesson 02 tell them apart?
#
# The next cell trains from three seeds. It takes a bit more than a minute.

# %% tags=["demo"]
@cache  # trains when it is called first, then remembers
def comparison():
    return training.compare(
        {
            "plain": lambda: SmallCNN(width=8),
            "spatial, dilation 1": lambda: once(lambda channels: SpatialOnly(channels, 1)),
            "spatial, dilation 4": lambda: once(lambda channels: SpatialOnly(channels, 4)),
            "SE": lambda: once(lambda channels: SqueezeExcitation(channels, 4)),
            "BAM (yours)": lambda: once(lambda channels: BAM(channels, 4)),
            "in sequence": lambda: once(InSequence),
            "in sequence, two gates": lambda: once(TwoGates),
        },
        train=(train_set.image, train_set.label),
        test=(test_set.image, test_set.label),
        steps=200,
        seeds=(20, 21, 22),
        lr=1e-2,
    )


display(comparison().table("plain"), figures.training_curves(comparison()))

# %% [markdown]
# In the picture a line is the mean of the seeds. On the right a mark is a seed, and the stroke is the mean.
#
# The table compares every row with plain. For the other questions, here are the differences that matter, from these
# seeds and from ten more that were trained beforehand by this very cell.

# %% tags=["demo"]
def more():
    return recorded("bam", comparison().seeds, comparison().errors)


pairs = [("spatial, dilation 1", "plain"), ("spatial, dilation 4", "spatial, dilation 1")]
pairs += [("SE", "spatial, dilation 4"), ("BAM (yours)", "SE")]
pairs += [("in sequence", "BAM (yours)"), ("in sequence, two gates", "BAM (yours)")]
display(training.with_more_seeds(comparison(), more(), pairs))
for name in ("spatial, dilation 4", "SE", "BAM (yours)"):
    in_order = ", ".join(f"{one:.0f}" for one in sorted(more().numbers[name]))
    print(f"{name:19}   recorded, sorted: {in_order}")

# %% [markdown]
# Compare with your guesses.
#
# - **Dilation 1** cannot be told from plain, even with ten seeds. From a garment the bar is out of sight.
# - **Dilation 4** has the *same number of weights*, and the error falls by far more than luck could do.
# - **SE against BAM** is a surprise. Look at the sorted errors: in most seeds SE is about as good as BAM, with fewer
#   parameters. The bar is in the average of the whole map, however far away it is. But in some seeds SE has not found
#   the bar when the training ends. So the mean difference is large, its standard error too, and the rule says
#   *undecided*. BAM found the bar in every seed. Whoever prints means only would have told you another story. And what
#   makes BAM reliable, this table cannot say; a control follows below.
# - **Parallel or in sequence?** The three rows differ in what the spatial branch sees, and in one gate or two. Even ten
#   seeds cannot tell them apart from BAM, and the ± is small here: two standard errors beyond the mean are two points
#   at most in the recorded column. That BAM works side by side and CBAM in sequence is a difference of design. On this
#   task it is not what counts: whether the news of the bar arrives is.
#
# **Is it the spatial branch that makes BAM reliable?** SE and BAM differ in more than that: in the BN of the MLP, and in
# the $1 +$. The control is **channel only**: $(1 + \sigma(M_c))\,x$ with your channel gate alone. It is BAM without its
# spatial branch. The next cell trains it from the ten seeds of the recording, and compares it with what was recorded for
# these seeds.
#
# **Before you run.** Will channel only miss the bar in some seeds, as SE does? The cell takes about half a minute.

# %% tags=["demo"]
class ChannelOnly(nn.Module):
    """BAM without its spatial branch."""

    def __init__(self, channels):
        super().__init__()
        self.channel = ChannelGate(channels, 4)

    def forward(self, x):
        return (1 + torch.sigmoid(self.channel(x))) * x


control = training.compare(
    {"channel only": lambda: once(ChannelOnly)},
    train=(train_set.image, train_set.label),
    test=(test_set.image, test_set.label),
    steps=200,
    seeds=more().seeds,
    lr=1e-2,
)
errors = control.errors["channel only"]
rows = []
for other in ("BAM (yours)", "SE", "spatial, dilation 4"):
    apart = training.Difference.between(errors, more().numbers[other][: len(errors)])
    rows.append([f"“channel only” minus “{other}”", str(apart), apart.in_words("better", "worse")])
caption = f"Test error in % of the control, minus what was recorded: {len(errors)} seeds."
display(Table(caption, ["", "mean ± standard error", "so it is"], rows))
print("channel only, sorted: " + ", ".join(f"{one:.0f}" for one in sorted(errors)))

# %% [markdown]
# It found the bar in every seed, as BAM did, and ten seeds cannot tell it from BAM. So the spatial branch is not what makes
# BAM reliable here; the squeeze with your channel gate is enough, and better than the spatial gate alone. Against SE it is
# undecided: whether the BN and the $1 +$ make the squeeze more reliable, or SE had bad luck in three seeds of ten, is
# open.
#
# **Why does dilation 4 help?** Does the gate notice the bar? We take every test image once with the bar and once
# without, and measure how much the spatial gate changes. It has 16 rows. The bar itself touches rows 1 to 3 of the map
# in front of the gate. From there the reach of the gate counts: 2 rows for dilation 1, 8 rows for dilation 4. So we
# measure in three bands: rows 1 to 5, 6 to 11, and 12 to 16.

# %% tags=["demo"]
without, with_bar = test_set.image.clone(), test_set.image.clone()
without[:, :, :3], with_bar[:, :, :3] = 0.5, 1


def gate_of(model, images):
    """The spatial gate behind the second convolution (number 1), (N, 1, 16, 16)."""
    with torch.no_grad():
        return model.attentions[1].weights(model.features(images)[1])[:, :1]


def change_of(model):
    return (gate_of(model, with_bar) - gate_of(model, without)).abs()


rows = []
for dilation in (1, 4):
    untrained = once(lambda channels: SpatialOnly(channels, dilation)).eval()
    runs = comparison().runs[f"spatial, dilation {dilation}"]
    for name, model in zip([*map(str, comparison().seeds), "untrained"], [*runs.models, untrained]):
        means = [part.mean() for part in change_of(model).split((5, 6, 5), dim=2)]
        rows.append([f"{dilation}", name, *(f"{mean:.3f}" for mean in means)])
header = ["dilation", "seed", "rows 1 to 5", "rows 6 to 11", "rows 12 to 16"]
measured = Table("Mean change of the spatial gate when the bar is switched.", header, rows)

maps = [change_of(comparison().runs[f"spatial, dilation {d}"].models[-1])[:2] for d in (1, 4)]
names = [f"dilation {d}, image {image}" for d in (1, 4) for image in (1, 2)]
picture = figures.spatial_map(with_bar[:2].repeat(2, 1, 1, 1), torch.cat(maps), names)
*axes, bar = picture.figure.axes
bar.set_ylabel("change of the gate")
for ax in axes[:8]:
    border = {"fill": False, "edgecolor": "black", "linewidth": 1}
    ax.add_patch(Rectangle((0, 0), 1, 1, transform=ax.transAxes, **border))
display(measured, picture)

# %% [markdown]
# **The table fits the reach.** With dilation 1 the gate changes in rows 1 to 5 and nowhere else. With dilation 4 it also
# changes in rows 6 to 11, and there it ends: below row 11 no gate knows of the bar. An untrained gate hardly changes
# anywhere. To notice the bar was learned.
#
# **Look at the picture** (the last seed; yellow is where the gate changed). The garments stand in the lower half. The
# reach of dilation 4 ends near their upper part, so most of a garment does not see the bar *through the gate*. The two
# convolutions behind the gate can carry the news some rows further down. And the size of the change is not all: seed 20
# changes most near the bar (rows 1 to 5), and has the largest error of the three in the first table.
#
# **What this shows:** reach can decide a task, and dilation buys reach at no cost in weights. **What it does not
# show:** that a spatial gate is the best way to bring the news (your channel gate alone does it better here), or that a
# larger dilation is better in general. We built this task so that the answer lies far away. In lesson 03, on images
# without such a cue, CBAM did not help: it was worse, and with a factor of 4 no different that ten seeds could see.

# %% [markdown]
# ## 10. Exercise: debug it, crash by crash
#
# **What and why.** These three classes come from a tutorial on the web, and none of them runs. This is the
# normal state of found code. Work on **one class at a time**: build it, call it, read the **last line** of the error
# and the line of code it came from, repair it, and go on. Repair the `BAM` last: it builds the other two, and their errors
# appear in it. When nothing crashes any more, you are not done: think about which values the logits can have.
# **Difficulty** ●●●○ · **25 minutes** · **<!-- points: debug-bam --> points**

# %%
class BrokenChannelGate(nn.Module):
    def __init__(in_channels, ratio):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(in_channels, in_channels // ratio),
            nn.BatchNorm2d(in_channels // ratio),
            nn.ReLU(inplace=True),
            nn.Linear(in_channels // ratio, in_channels),
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        output = self.avgpool(output)
        output = output.view(output.size(0), -1)
        output = self.fc(output)
        return output.expand_as(x)


class BrokenSpatialGate(nn.Module):
    def __init__(self, in_channels, ratio):
        super().__init__()
        hidden = in_channels // ratio
        self.conv1x1 = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 1),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
        )
        self.dilation_conv = nn.Sequential(
            nn.Conv2d(hidden, hidden, kernel_size=3, padding=4, dilation=4),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, kernel_size=3, padding=4, dilation=4),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
        )
        self.conv1x1_final = nn.Sequential(nn.Conv2d(hidden, 1, 1))

        def forward(self, x):
            output = self.conv1x1(output)
            output = self.dilation_conv(output)
            output = conv1x1_final(output)
            return output.expand_as(output)


class BrokenBAM(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.channel_attention = BrokenChannelGate(in_channels)
        self.spatial_attention = BrokenSpatialGate(in_channels)

    def forward(self, x):
        logits = self.channel_attention(in_tensor) + self.spatial_attention(in_tensor)
        bam_attention = 1 + nn.Sigmoid(logits)
        return bam_attention * x


# %% tags=["demo"]
def attempt(what, build):
    """Build the module and call it. If it fails, print the error and the line of code it came from."""
    try:
        print(f"{what}: output {tuple(build()(torch.randn(2, 64, 8, 8)).shape)}")
    except Exception as error:
        print(f"{what}: {type(error).__name__}: {str(error).strip()}")
        frames = traceback.extract_tb(error.__traceback__)[1:]  # without this function
        lines = [frame.line for frame in frames if "site-packages" not in frame.filename]
        if lines:
            print(f"    in the line: {lines[-1]}")


attempt("channel gate", lambda: BrokenChannelGate(64, 16))
attempt("spatial gate", lambda: BrokenSpatialGate(64, 16))
attempt("BAM", lambda: BrokenBAM(64))

# %% [markdown]
# Write the three repaired classes here:
#
# - `TutorialChannelGate(in_channels, ratio=16)` and `TutorialSpatialGate(in_channels, ratio=16)`: `(N, C, H, W)` → logits
#   that broadcast to `x`, with dilation 4. As in your own gates, hidden layers have BN and ReLU, and the **last layer is
#   plain**. Biases are free, as before.
# - `TutorialBAM(in_channels)`: `(N, C, H, W)` → `(N, C, H, W)`, $(1 + \sigma(M_c + M_s))\,x$. It builds the two repaired
#   classes with their own `ratio`, 16.
#
# They have names of their own, so that your classes from sections 3 to 5 stay as they are.
#
# <!-- hints: debug-bam -->

# %% exercise="debug-bam"
class TutorialChannelGate(nn.Module):
    def __init__(self, in_channels, ratio=16):
        super().__init__()
        ### BEGIN SOLUTION
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(in_channels, in_channels // ratio),
            nn.BatchNorm1d(in_channels // ratio),
            nn.ReLU(inplace=True),
            nn.Linear(in_channels // ratio, in_channels),
        )
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        output = self.avgpool(x)
        output = output.view(output.size(0), -1)
        output = self.fc(output)
        return output[:, :, None, None].expand_as(x)
        ### END SOLUTION


class TutorialSpatialGate(nn.Module):
    def __init__(self, in_channels, ratio=16):
        super().__init__()
        ### BEGIN SOLUTION
        hidden = in_channels // ratio
        self.conv1x1 = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 1),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
        )
        self.dilation_conv = nn.Sequential(
            nn.Conv2d(hidden, hidden, kernel_size=3, padding=4, dilation=4),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, kernel_size=3, padding=4, dilation=4),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
        )
        self.conv1x1_final = nn.Sequential(nn.Conv2d(hidden, 1, 1))
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        output = self.conv1x1(x)
        output = self.dilation_conv(output)
        output = self.conv1x1_final(output)
        return output.expand_as(x)
        ### END SOLUTION


class TutorialBAM(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        ### BEGIN SOLUTION
        self.channel_attention = TutorialChannelGate(in_channels)
        self.spatial_attention = TutorialSpatialGate(in_channels)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        logits = self.channel_attention(x) + self.spatial_attention(x)
        bam_attention = 1 + torch.sigmoid(logits)
        return bam_attention * x
        ### END SOLUTION


# %%
check("debug-bam-channel-runs", TutorialChannelGate)

# %%
check("debug-bam-channel-values", TutorialChannelGate)

# %%
check("debug-bam-spatial-runs", TutorialSpatialGate)

# %%
check("debug-bam-spatial-values", TutorialSpatialGate)

# %%
check("debug-bam-bam-runs", TutorialBAM)

# %%
check("debug-bam-bam-values", TutorialBAM)

# %% [markdown]
# **The bug that does not crash** is the ReLU at the end of the channel gate. Its logits are never negative. And with BN
# in front of it, about half of them are exactly 0. What does that do to BAM? The cell takes fresh gates of yours and
# appends BN and ReLU to the channel logits. The spatial logits stay as they are.

# %% tags=["demo"]
print("seed   channel branch       logits < 0   logits = 0   gates M from     to")
for seed in range(3):
    _ = torch.manual_seed(seed)
    maps = torch.randn(32, 64, 8, 8)
    channel_logits = ChannelGate(64)(maps)[:, :, :1, :1]
    spatial_logits = SpatialGate(64)(maps)[:, :1]
    with_relu = F.batch_norm(channel_logits, None, None, training=True).relu()
    for name, logits in (("plain last layer", channel_logits), ("BN, ReLU at the end", with_relu)):
        gates = (logits + spatial_logits).sigmoid()
        shares = f"{(logits < 0).float().mean():10.0%} {(logits == 0).float().mean():12.0%}"
        print(f"{seed:4}   {name:19}{shares}{gates.min():15.2f}{gates.max():7.2f}")

# %% [markdown]
# With the ReLU, this branch can only *open*. It never votes *no*, and for about half of the channels it says nothing at
# all. The gate can still fall below 0.5, but only where the spatial branch wants it, and then in all channels that have
# no *yes*. The module trains, and no message tells you that one branch has lost half of its voice.

# %% [markdown]
# ## 11. The paper, guided
#
# Read section 3 of the paper. Then answer for yourself before you unfold.
#
# <details><summary><b>Why dilated convolutions, and not one large kernel as in CBAM?</b></summary>
#
# Two 3×3 kernels with dilation 4 see 17×17 positions with 18 weights for each pair of channels. One 17×17 kernel would
# need 289. CBAM first squeezes the channels to two maps, so that its 7×7 kernel is cheap. BAM keeps $C/r$ channels and
# looks further.
#
# </details>
#
# <details><summary><b>Why between the stages?</b></summary>
#
# At the end of a stage the map is about to be halved, and information gets lost. The paper places its attention at
# these bottlenecks, so that it decides what goes on. It is also cheap: three blocks, and none in the widest stage.
#
# </details>
#
# <details><summary><b>The paper and the authors' code differ. Which one is BAM?</b></summary>
#
# The paper ends both branches with a batch normalisation and adds the logits. The published code has BN and ReLU in
# the hidden layers only, and multiplies the logits. We take the plain last layers from the code and the sum from the
# paper. Such differences are common. When you report results, say which version you ran.
#
# </details>
#
# ## The course's comparison table, so far

# %% tags=["demo"]
figures.mechanism_table("softmax pooling", "SE", "CBAM", "BAM")

# %% [markdown]
# **What commonly goes wrong**
#
# - The padding of a dilated convolution is left at 1. Then the map shrinks: with dilation 4, each of the two
#   convolutions takes 6 rows and columns. A 13×13 map shrinks to 1×1, and broadcasting hides it. Test on a 14×15 map.
# - The scores are multiplied, or each branch has its own sigmoid. Ask: *what if one branch says 0?*
# - The $1 +$ is lost. Ask: *what comes out where* $M$ *is 0?*
# - A ReLU stands last in a branch. Then this branch can only open the gate, never vote for closing it.
#
# **What learners ask**
#
# <details><summary><b>BAM or CBAM?</b></summary>
#
# BAM is smaller and touches the network in three places only, so it is easy to add. CBAM acts in every unit. Neither
# wins always; measure on your task, with several seeds.
#
# </details>
#
# <details><summary><b>Does BAM break pretrained weights?</b></summary>
#
# A fresh BAM multiplies everything by about 1.5, as you saw in section 5. The layers after it see larger
# numbers than they were trained on. Fine-tune, or start the last layers with a large negative bias: then $1 + M$ starts
# near 1.
#
# </details>

# %% [markdown]
# ## Your points

# %%
points("04-bam")

# %% [markdown]
# **Next:** in lesson 05 not channels and not positions are weighted, but whole branches with kernels of different size.
