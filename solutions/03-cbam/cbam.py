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
# # 03 · CBAM: which channels, and where?
#
# **Paper:** S. Woo, J. Park, J.-Y. Lee, I. S. Kweon, *CBAM: Convolutional Block Attention Module*, ECCV 2018
# ([arXiv:1807.06521](https://arxiv.org/abs/1807.06521)).
#
# | | |
# | --- | --- |
# | **After this lesson you can** | build a channel gate and a spatial gate, put them one after the other, write a test that tells two orders apart, find a bug that never crashes, and measure how much of a map follows the image |
# | **Time** | about 140 minutes, without reading the paper: two sittings of 85 and 55 minutes |
# | **You need** | lesson 02 (squeeze-and-excitation) |
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
from functools import cache

import torch
from torch import nn
from torch.nn import functional as F

from attention_lab import data, figures, training
from attention_lab.grading import check, hint, points
from attention_lab.mine import SqueezeExcitation
from attention_lab.networks import count_macs, create
from attention_lab.networks.selfie import SelfieSegmentation
from attention_lab.networks.small import SmallCNN
from attention_lab.recording import recorded
from attention_lab.table import Table

# %% [markdown]
# ## 1. A picture first
#
# In lesson 02 a whole channel was opened or shut. Now we also ask **where** in the image. A **position** is one place
# (row, column) of the feature map; it holds one number of every channel. A gate for every position needs a short
# description of every position.
#
# CBAM takes two numbers: the **average** over all channels at this position, and the **maximum**. Here they are for two
# photographs, in the first block of a real network (the video-call network of lesson 02, 16 channels). Bright is large.

# %% tags=["demo"]
network = SelfieSegmentation()
photos = torch.stack([data.photo(name, size=256) for name in ("astronaut", "coffee")])
with torch.no_grad():
    features = network.encoder[0](network.stem(photos))  # (2, 16, 64, 64)
average, largest = features.mean(1, keepdim=True), features.amax(1, keepdim=True)


def grey(maps):
    """Each map from black (its smallest value) to white (its largest), as large as the photographs."""
    low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    return F.interpolate((maps - low) / (high - low), size=256).expand(-1, 3, -1, -1)


rows = torch.stack([photos, grey(average), grey(largest)], 1).flatten(0, 1)
figures.gallery(rows, ["photograph", "average", "maximum"] * 2)

# %% [markdown]
# The two maps differ. The average says how much *all* channels see at a position. The maximum says how strongly the
# *one* most excited channel responds: a thin bright rim is enough. CBAM uses both, because each knows something that
# the other has lost. Whether that helps is another question: we measure it in section 9.
#
# ## 2. The mechanism
#
# CBAM is two gates, one after the other.
#
# ```mermaid
# flowchart LR
#     x["x<br/>(N, C, H, W)"] --> avg["average over H, W<br/>(N, C)"]
#     x --> max["maximum over H, W<br/>(N, C)"]
#     avg --> mlp["one shared MLP<br/>C → C / r → C"]
#     max --> mlp
#     mlp --> sum["sum, sigmoid<br/>gate (N, C, 1, 1)"]
#     x --> times(("×"))
#     sum --> times
#     times --> refined["x'<br/>(N, C, H, W)"]
# ```
#
# ```mermaid
# flowchart LR
#     refined["x'<br/>(N, C, H, W)"] --> avg2["average over C<br/>(N, 1, H, W)"]
#     refined --> max2["maximum over C<br/>(N, 1, H, W)"]
#     avg2 --> stack["stacked<br/>(N, 2, H, W)"]
#     max2 --> stack
#     stack --> conv["7×7 convolution, BN, sigmoid<br/>gate (N, 1, H, W)"]
#     refined --> times2(("×"))
#     conv --> times2
#     times2 --> out["output<br/>(N, C, H, W)"]
# ```
#
# | step | in the paper | in the code | shape |
# | --- | --- | --- | --- |
# | **channel gate** | $M_c(x) = \sigma\left(\mathrm{MLP}(\mathrm{avg}(x)) + \mathrm{MLP}(\mathrm{max}(x))\right)$ | `ChannelAttention.weights(x)` | `(N, C, 1, 1)` |
# | **refine** | $x' = M_c(x)\,x$ | `ChannelAttention.forward(x)` | `(N, C, H, W)` |
# | **spatial gate** | $M_s(x') = \sigma\left(f^{7\times7}([\mathrm{avg}(x');\mathrm{max}(x')])\right)$ | `SpatialAttention.weights(x)` | `(N, 1, H, W)` |
# | **refine** | $\mathrm{output} = M_s(x')\,x'$ | `SpatialAttention.forward(x)` | `(N, C, H, W)` |
#
# - $\mathrm{avg}$ and $\mathrm{max}$ in the first line run over **positions**. In the third line they run over
#   **channels**.
# - $\mathrm{MLP}(z) = W_1\,\mathrm{ReLU}(W_0 z)$ has $C/r$ hidden units, rounded down, as in SE. It is **shared**: the same two
#   matrices for the average and for the maximum.
# - $[\,\cdot\,;\,\cdot\,]$ stacks two maps along the channel axis. $f^{7\times7}$ is a convolution with a 7×7 kernel.
# - $\sigma$ is the sigmoid, both times. Channels do not compete, and positions do not compete.
#
# - **MLP** (multi-layer perceptron): two linear layers with a ReLU between them. **BN**: batch normalisation. The paper's
#   equation has none in the spatial gate, the authors' code has one. We follow the code; section 4 shows why.
#
# **Scores → normaliser → combination**, twice.

# %% [markdown]
# ## 3. Exercise: channel attention
#
# **What and why.** An SE block with two squeezes. **Difficulty** ●●○○ · **20 minutes** · **<!-- points: channel-attention --> points**
#
# - `ChannelAttention(channels, reduction=16)`
# - `weights(x)`: `(N, C, H, W)` → `(N, C, 1, 1)`, the gate of each channel
# - `forward(x)`: `(N, C, H, W)` → `(N, C, H, W)`, `x` times its gates
#
# `nn.Linear` or a 1×1 convolution, with or without biases: all are right.
#
# If you are stuck, run `hint("channel-attention")` in a cell of your own, or unfold:
#
# <!-- hints: channel-attention -->

# %% exercise="channel-attention"
class ChannelAttention(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        ### BEGIN SOLUTION
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels // reduction),
            nn.ReLU(),
            nn.Linear(channels // reduction, channels),
        )
        ### END SOLUTION

    def weights(self, x):
        """(N, C, H, W) -> (N, C, 1, 1): the gate of each channel, between 0 and 1."""
        ### BEGIN SOLUTION
        average = x.mean((2, 3))
        largest = x.amax((2, 3))
        gate = torch.sigmoid(self.mlp(average) + self.mlp(largest))
        return gate[:, :, None, None]
        ### END SOLUTION

    def forward(self, x):
        """(N, C, H, W) -> (N, C, H, W): x, every channel times its gate."""
        ### BEGIN SOLUTION
        return x * self.weights(x)
        ### END SOLUTION


# %%
check("channel-attention-shapes", ChannelAttention)

# %%
check("channel-attention-parameters", ChannelAttention)

# %%
check("channel-attention-values", ChannelAttention)

# %%
check("channel-attention-gradients", ChannelAttention)

# %% [markdown]
# **Is it enough to add first and then apply the MLP once?** No. The ReLU stands in between, and
# $\mathrm{ReLU}(a + b) \ne \mathrm{ReLU}(a) + \mathrm{ReLU}(b)$ as soon as the signs differ.

# %% tags=["demo"]
a, b = torch.tensor(3.0), torch.tensor(-2.0)
print(f"ReLU(a + b) = {torch.relu(a + b):.0f}")
print(f"ReLU(a) + ReLU(b) = {torch.relu(a) + torch.relu(b):.0f}")

# %% [markdown]
# ## 4. Exercise: spatial attention
#
# **What and why.** One gate for every position, the same for all channels. **Difficulty** ●●○○ · **20 minutes** ·
# **<!-- points: spatial-attention --> points**
#
# - `SpatialAttention(kernel_size=7)`
# - `weights(x)`: `(N, C, H, W)` → `(N, 1, H, W)`, the gate of each position
# - `forward(x)`: `(N, C, H, W)` → `(N, C, H, W)`, `x` times its gates
#
# Take the authors' published code as your model, not the paper's equation: a convolution **without bias**, then
# `nn.BatchNorm2d(1)`, then the sigmoid. Why the normalisation is there, you see below. Stack average and maximum in the
# order you like. `kernel_size` is odd; the gate must be as large as the map.
#
# <!-- hints: spatial-attention -->

# %% exercise="spatial-attention"
class SpatialAttention(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        ### BEGIN SOLUTION
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = nn.BatchNorm2d(1)
        ### END SOLUTION

    def weights(self, x):
        """(N, C, H, W) -> (N, 1, H, W): the gate of each position, between 0 and 1."""
        ### BEGIN SOLUTION
        average = x.mean(1, keepdim=True)
        largest = x.amax(1, keepdim=True)
        maps = torch.cat([average, largest], dim=1)
        return torch.sigmoid(self.norm(self.conv(maps)))
        ### END SOLUTION

    def forward(self, x):
        """(N, C, H, W) -> (N, C, H, W): x, every position times its gate."""
        ### BEGIN SOLUTION
        return x * self.weights(x)
        ### END SOLUTION


# %%
check("spatial-attention-shapes", SpatialAttention)

# %%
check("spatial-attention-parameters", SpatialAttention)

# %%
check("spatial-attention-values", SpatialAttention)

# %%
check("spatial-attention-gradients", SpatialAttention)

# %% [markdown]
# **Why the batch normalisation?** The convolution adds up $2 \cdot 7 \cdot 7 = 98$ products. The values of a feature map
# can be large, and the maxima of ReLU features are never negative. So the scores can become large, and mostly of one
# sign. The sigmoid of a large score is almost exactly 0 or 1, and its slope is almost 0: such a gate is **stuck**.
#
# Batch normalisation brings the scores back to mean 0 and variance 1 before it learns a scale of its own. This also
# makes a bias in the convolution useless: the mean is subtracted anyway.
#
# How large are features? The first line below looks at those that entered the first block of section 1. The table asks
# ten fresh convolutions each time. Here *stuck* means below 0.02 or above 0.98, and *one sign* is the share of the
# scores with the more frequent sign.

# %% tags=["demo"]
with torch.no_grad():
    print(f"in the network of section 1, features reach {network.stem(photos).max():.0f}\n")

_ = torch.manual_seed(0)
features = torch.rand(16, 32, 14, 14)
with_norm = [SpatialAttention() for _ in range(10)]
without_norm = [nn.Conv2d(2, 1, 7, padding=3, bias=False) for _ in range(10)]


def stuck(gates):
    return ((gates < 0.02) | (gates > 0.98)).float().mean()


print("features up to   one sign   stuck without BN   stuck with BN")
for size in (1, 5, 20, 100):
    x = size * features
    maps = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
    scores = torch.stack([convolution(maps) for convolution in without_norm])
    positive = (scores > 0).float().mean((1, 2, 3, 4))
    one_sign = torch.maximum(positive, 1 - positive).mean()
    normalised = torch.stack([module.weights(x) for module in with_norm])
    print(f"{size:14}{one_sign:11.0%}{stuck(scores.sigmoid()):19.0%}{stuck(normalised):16.0%}")

# %% [markdown]
# So it depends on the features. With features up to 5, as in a network with batch normalisation such as section 9's,
# almost nothing is stuck without BN either. The danger is in networks with large features, as in section 1.
#
# ## 5. Exercise: CBAM
#
# **What and why.** Put your two parts together, in the paper's order: **channels first**, then positions. The spatial
# gate looks at the refined map $x'$, not at $x$. **Difficulty** ●○○○ · **10 minutes** · **<!-- points: cbam --> points**
#
# - `CBAM(channels, reduction=16, kernel_size=7)`
# - `forward(x)`: `(N, C, H, W)` → `(N, C, H, W)`
#
# <!-- hints: cbam -->

# %% exercise="cbam"
class CBAM(nn.Module):
    def __init__(self, channels, reduction=16, kernel_size=7):
        super().__init__()
        ### BEGIN SOLUTION
        self.channel = ChannelAttention(channels, reduction)
        self.spatial = SpatialAttention(kernel_size)
        ### END SOLUTION

    def forward(self, x):
        """(N, C, H, W) -> (N, C, H, W): channels gated first, then positions."""
        ### BEGIN SOLUTION
        return self.spatial(self.channel(x))
        ### END SOLUTION


# %%
check("cbam-parameters", CBAM)

# %%
check("cbam-values", CBAM)

# %% [markdown]
# **Surprise.** A fresh SE block lets half of the signal through. Your CBAM has two gates in a row. What is left? Say a
# number before you run the cell.

# %% tags=["demo"]
_ = torch.manual_seed(0)
x = torch.rand(8, 64, 14, 14)
left = CBAM(64)(x).mean() / x.mean()
print(f"a fresh CBAM lets {left:.0%} of the signal through")

# %% [markdown]
# About a quarter: two gates, each near one half, and $0.5 \cdot 0.5 = 0.25$.
#
# Like SE, the block stands at the end of a residual branch, **before** the addition (`se_residual` of lesson 02).
# There, a branch that starts small is easy to train: the skip connection carries $x$ around it.
#
# ## 6. Exercise: a test that tells two orders apart
#
# **What and why.** Somebody hands you a trained block. It is a channel gate and a spatial gate, one after the other. In
# which order? You may not look inside. You may only **call** it. Find a change of $x$ that one of the two orders cannot
# notice. Such a test is worth more than a look at the code: it says what the block *does*.
# **Difficulty** ●●●○ · **25 minutes** · **<!-- points: which-order --> points**
#
# `channel_first(block, x)`: `block` is a module, `(N, C, H, W)` → `(N, C, H, W)`; `x` is a map for it, without zeros.
# Return `True` if the channel gate comes first, `False` if the spatial gate does.
#
# - The channel gate looks at the average and the maximum of each channel (or at one of them), as in CBAM.
# - The spatial gate looks at the average and the maximum of each position (or at one of them), through a kernel that is
#   larger than 1×1.
# - What the gates make of these numbers, you do not know: only that each gate is positive. Each block has other parameters.
#
# Computers round, so two numbers that should be equal differ a little: `torch.allclose` helps.
#
# <!-- hints: which-order -->

# %% exercise="which-order"
def channel_first(block, x):
    """True if the block gates channels first, then positions; False in the other order."""
    ### BEGIN SOLUTION

    def channel_gates(x):
        gate = block(x) / x  # of channel c at position p: M_c(c) times M_s(p)
        return gate / gate[:, :1]  # M_c(c) / M_c(0): the spatial gate is gone

    moved = x.flip(-1)  # the average and the maximum of every channel stay
    return torch.allclose(channel_gates(x), channel_gates(moved), rtol=1e-3)
    ### END SOLUTION


# %%
check("which-order-cbam", channel_first)

# %%
check("which-order-other-gates", channel_first)

# %% [markdown]
# Ask your test about your own two parts, in both orders:

# %% tags=["demo"]
_ = torch.manual_seed(0)
x = torch.randn(2, 64, 14, 14)
parts = ChannelAttention(64), SpatialAttention()
print("channels first: ", channel_first(nn.Sequential(*parts).eval(), x))
print("positions first:", channel_first(nn.Sequential(*parts[::-1]).eval(), x))

# %% [markdown]
# So the two orders are different functions. Whether one of them is *better* is another question. You can now tell
# which one you have; section 9 measures both.
#
# ---
#
# **The first sitting ends here: 85 minutes.** The second one starts with what the block costs. If you come back in a
# new kernel, run the cells above again (*Run* → *Run All Above Selected Cell*).
#
# ---

# %% [markdown]
# ## 7. What does it cost?
#
# The channel part has as many parameters as SE: its MLP is shared, so the second squeeze brings no new ones. But the
# MLP runs **twice**. So count both: parameters, and multiply-adds for one map of 14×14 positions.

# %% tags=["demo"]
def count(module):
    return sum(p.numel() for p in module.parameters())


rows = []
for channels in (64, 256, 1024):
    kinds = {"SE": SqueezeExcitation(channels), "channel attention": ChannelAttention(channels)}
    for name, module in (kinds | {"spatial attention": SpatialAttention()}).items():
        multiply_adds = count_macs(module, torch.randn(1, channels, 14, 14))
        rows.append([f"{channels}", name, f"{count(module):,}", f"{multiply_adds:,}"])
Table("What a block costs on a map of 14 x 14.", ["C", "block", "parameters", "multiply-adds"], rows)

# %% [markdown]
# The second squeeze is free in parameters, and costs the MLP's multiply-adds once more. Neither number is large beside
# a convolution's. (If you left the biases out, your channel attention is a little smaller than this SE block, which has
# them. And multiply-adds are not time: lesson 02.)
#
# The whole ResNet-50, without and with each block; the paper prints 25.56M, 28.09M and 28.09M. On torch's *meta* device
# a network has shapes but no numbers, so that it costs no memory to count it.

# %% tags=["demo"]
with torch.device("meta"):
    sizes = {name: count(create(name)) for name in ("resnet50", "se_resnet50", "cbam_resnet50")}
for name, size in sizes.items():
    print(f"{name:14} {size:>11,} parameters")
difference = sizes["cbam_resnet50"] - sizes["se_resnet50"]
print(f"the spatial gates of all 16 blocks: {difference:,} parameters")

# %% [markdown]
# ## 8. Exercise: debug it
#
# **What and why.** These two modules come from a tutorial on the web. They return the **gate**, and do not multiply it
# with `x`. They follow the paper's equation: **no batch normalisation**. One mistake stops the program at once. One,
# made in two lines, stops it for some batch sizes only. And one stops nothing: the module trains, and no message ever tells you.
# **Difficulty** ●●●○ · **20 minutes** · **<!-- points: debug-cbam --> points**

# %%
class BrokenChannelAttentionModule(nn.Module):
    def __init__(self, in_channels, ratio=16):
        super().__init__()
        self.maxpool = nn.AdaptiveMaxPool2d(1)
        self.avgpool = nn.AdaptiveMaxPool2d(1)
        self.sharedMLP = nn.Sequential(
            nn.Conv2d(in_channels, in_channels // ratio, stride=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(in_channels // ratio, in_channels, 1, bias=False),
        )
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        maxpool_output = self.sharedMLP(self.maxpool(x))
        avgpool_output = self.sharedMLP(self.avgpool(x))
        return self.sigmoid(maxpool_output + avgpool_output)


class BrokenSpatialAttentionModule(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        assert kernel_size in (3, 7), "kernel size must be 3 or 7"
        padding = 3 if kernel_size == 7 else 1
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=padding, bias=False)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        max_output, _ = torch.max(x, dim=1)
        avg_output = torch.mean(x, dim=1)
        x = torch.cat([max_output, avg_output], dim=1)
        x = self.conv(x)
        return self.sigmoid(x)


def attempt(what, build, *shape):
    try:
        print(f"{what}: gate {tuple(build()(torch.randn(*shape)).shape)} for x {shape}")
    except Exception as error:
        print(f"{what}: {type(error).__name__}: {error}")


attempt("channel", lambda: BrokenChannelAttentionModule(64), 2, 64, 8, 8)
for images in (1, 2, 3):
    attempt(f"spatial, {images} images", BrokenSpatialAttentionModule, images, 64, 8, 8)

# %% [markdown]
# Look at the line with two images. It does not crash. But is `(1, 16, 8)` the gate of two images?
#
# Write both repaired modules here:
#
# - `ChannelAttentionModule(in_channels, ratio=16)`, `forward(x)`: `(N, C, H, W)` → `(N, C, 1, 1)`, the gate
# - `SpatialAttentionModule(kernel_size=7)`, `forward(x)`: `(N, C, H, W)` → `(N, 1, H, W)`, the gate
#
# Repair the lines that are wrong, and leave the others as they are. The spatial module keeps the tutorial's layers: one
# convolution **without bias, and no batch normalisation**. So `SpatialAttentionModule(3)` has 18 weights, and the check
# counts them. (In the channel module biases are free, as before.)
#
# For yourself: write above each class, as a comment, which lines were wrong and why. Nobody grades it. But whoever can
# say it will find the same mistake in other code.
#
# <!-- hints: debug-cbam -->

# %% exercise="debug-cbam"
class ChannelAttentionModule(nn.Module):
    def __init__(self, in_channels, ratio=16):
        super().__init__()
        ### BEGIN SOLUTION
        self.maxpool = nn.AdaptiveMaxPool2d(1)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.sharedMLP = nn.Sequential(
            nn.Conv2d(in_channels, in_channels // ratio, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(in_channels // ratio, in_channels, 1, bias=False),
        )
        self.sigmoid = nn.Sigmoid()
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        maxpool_output = self.sharedMLP(self.maxpool(x))
        avgpool_output = self.sharedMLP(self.avgpool(x))
        return self.sigmoid(maxpool_output + avgpool_output)
        ### END SOLUTION


class SpatialAttentionModule(nn.Module):
    def __init__(self, kernel_size=7):
        super().__init__()
        ### BEGIN SOLUTION
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.sigmoid = nn.Sigmoid()
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        max_output, _ = torch.max(x, dim=1, keepdim=True)
        avg_output = torch.mean(x, dim=1, keepdim=True)
        maps = torch.cat([max_output, avg_output], dim=1)
        return self.sigmoid(self.conv(maps))
        ### END SOLUTION


# %%
check("debug-cbam-channel-runs", ChannelAttentionModule)

# %%
check("debug-cbam-channel-values", ChannelAttentionModule)

# %%
check("debug-cbam-spatial-runs", SpatialAttentionModule)

# %%
check("debug-cbam-spatial-values", SpatialAttentionModule)

# %% [markdown]
# **How do you find a bug that never crashes?** Write down what must be true, and test it. Here: *the gate must notice
# the average.* Lower the smallest value of every channel. The maximum stays, the average falls, so the gates must move.
# The second line of the output is the tutorial's module with nothing repaired but the crash.

# %% tags=["demo"]
_ = torch.manual_seed(0)
x = torch.rand(2, 64, 8, 8)
lower = x.clone()
lower[x == x.amin((2, 3), keepdim=True)] = -50  # the maxima are still the same
mlp = nn.Sequential(nn.Conv2d(64, 4, 1, bias=False), nn.ReLU(), nn.Conv2d(4, 64, 1, bias=False))
maxpool = avgpool = nn.AdaptiveMaxPool2d(1)


def only_the_crash_repaired(x):
    return torch.sigmoid(mlp(maxpool(x)) + mlp(avgpool(x)))


gates = {"yours": ChannelAttentionModule(64), "two maximum pools": only_the_crash_repaired}
for name, gate in gates.items():
    print(f"{name:17} the gates move by up to {(gate(lower) - gate(x)).abs().max():.2f}")

# %% [markdown]
# ## 9. See what you built, and measure it: does the gate find the garment?
#
# Pictures of attention maps are pretty, and easy to believe. We measure. Each image below holds one garment, and pieces
# of other garments as clutter. We know the **true mask** of the garment. The network is trained on the class alone; it
# never sees a mask.

# %% tags=["demo"]
options = {"size": 28, "scale": (0.45, 0.7), "rotation": 0.0, "photos": False}
number = 512 if training.fast() else 4096
train_set = data.scenes(number, split="train", seed=1, **options)
test_set = data.scenes(number // 4, split="test", seed=2, **options)
names = [data.FASHION_CLASSES[label] for label in test_set.label[:5]]
framed = F.pad(test_set.image[:5], (0, 0, 0, 1), value=0.5)  # a grey line below the image
figures.gallery(torch.cat([framed, test_set.mask[:5]], 2), names)

# %% [markdown]
# Above the image, below its mask.
#
# **First question: does CBAM make the network better?** We train six networks. All have the same four convolutions.
# The last three convolutions are followed by a block:
#
# - **plain**: none;
# - **CBAM (yours)**: your channel attention, then your spatial attention;
# - **CBAM, times 4**: the same, multiplied by 4. You saw that a fresh CBAM lets a quarter of the signal through; this
#   one starts at full strength;
# - **swapped**: your two parts, positions first;
# - **average only** and **maximum only**: CBAM with one squeeze in both parts.

# %%
def cbam(channels):
    return nn.Sequential(ChannelAttention(channels, 4), SpatialAttention())


def swapped(channels):
    return nn.Sequential(SpatialAttention(), ChannelAttention(channels, 4))


class Times4(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.cbam = cbam(channels)

    def forward(self, x):
        return 4 * self.cbam(x)


class OneSqueeze(nn.Module):
    """CBAM with a single statistic, ``pool(x, axes)``, in both gates."""

    def __init__(self, channels, pool, reduction=4):
        super().__init__()
        self.pool = pool
        hidden = channels // reduction
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
        self.conv = nn.Sequential(nn.Conv2d(1, 1, 7, padding=3, bias=False), nn.BatchNorm2d(1))

    def forward(self, x):
        x = x * torch.sigmoid(self.mlp(self.pool(x, (2, 3))))[:, :, None, None]
        return x * torch.sigmoid(self.conv(self.pool(x, 1)[:, None]))


def network_with(block):
    """Four convolutions, the block after the last three. The first has 8 channels, the others 16."""

    def attention(channels):
        return nn.Identity() if channels == 8 else block(channels)

    return SmallCNN(width=8, attention=attention)


# %% [markdown]
# **Before you run.** Write down what you expect, *better*, *worse* or *undecided*, for these five:
#
# 1. CBAM against plain;
# 2. times 4 against CBAM, which differ in one constant factor only;
# 3. swapped against CBAM: does the order matter?
# 4. average only against CBAM, and 5. maximum only against CBAM: does the second squeeze pay?
#
# The next cell trains from three seeds: about one minute.

# %% tags=["demo"]
@cache  # trains when it is called first, then remembers
def comparison():
    return training.compare(
        {
            "plain": lambda: network_with(lambda channels: nn.Identity()),
            "CBAM (yours)": lambda: network_with(cbam),
            "CBAM, times 4": lambda: network_with(Times4),
            "swapped": lambda: network_with(swapped),
            "average only": lambda: network_with(lambda channels: OneSqueeze(channels, torch.mean)),
            "maximum only": lambda: network_with(lambda channels: OneSqueeze(channels, torch.amax)),
        },
        train=(train_set.image, train_set.label),
        test=(test_set.image, test_set.label),
        steps=200,
        seeds=(20, 21, 22),
        lr=1e-2,
    )


comparison().table("CBAM (yours)")

# %% [markdown]
# *So it is* follows the rule of lesson 02: better or worse if the mean difference is more than two standard errors from
# zero, else undecided. Three seeds leave much undecided. So we ran this very cell with ten more seeds beforehand, and
# the numbers came with the course. Here are both, for your five questions and one more.

# %% tags=["demo"]
def more():
    return recorded("cbam", comparison().seeds, comparison().errors)


pairs = [("CBAM (yours)", "plain"), ("CBAM, times 4", "CBAM (yours)"), ("CBAM, times 4", "plain")]
pairs += [(name, "CBAM (yours)") for name in ("swapped", "average only", "maximum only")]
training.with_more_seeds(comparison(), more(), pairs)

# %% [markdown]
# Compare with what you wrote down. (These are the numbers of the course's solution; yours differ a little.)
#
# - **CBAM against plain**: three seeds cannot tell. Ten can: on this task, CBAM makes the network **worse**.
# - **Times 4 against CBAM**: better with ten seeds, with the same parameters. *Why* it is better, this does not show; a
#   control follows below.
# - **Times 4 against plain**: undecided, even with ten seeds. With this factor, neither a cost nor a gain can be seen;
#   either is at most about two and a half points.
# - **Swapped**: undecided, with three seeds and with ten. That does not say that the order does not matter. It says: if
#   it matters, then by no more than about two standard errors beyond the mean. The last column but one tells how much.
# - **Average only**: look at both columns. Three seeds call it better, ten do not. A verdict of three seeds is easily
#   luck. Neither **average only** nor **maximum only** can be told from CBAM: the second squeeze does not show here.
#
# **Is it the gates, or only the factor?** A fresh CBAM lets about a quarter of the signal through. The batch normalisation
# of the next convolution removes a constant factor. So a factor acts mostly behind the *last* block, on what the
# classifier gets. Perhaps *any* network here suffers from smaller numbers there, and gains from larger ones. The controls
# have no gate at all: **plain, divided by 4** and **plain, times 4**. The next cell trains them from the ten seeds of the
# recording, and compares them with what was recorded for these seeds.
#
# **Before you run.** Will *plain, divided by 4* be as good as plain, as bad as CBAM, or worse than both? The cell takes
# about half a minute.

# %% tags=["demo"]
class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


controls = training.compare(
    {
        "plain, divided by 4": lambda: network_with(lambda channels: Times(1 / 4)),
        "plain, times 4": lambda: network_with(lambda channels: Times(4)),
    },
    train=(train_set.image, train_set.label),
    test=(test_set.image, test_set.label),
    steps=200,
    seeds=more().seeds,
    lr=1e-2,
)
rows = []
for name, block in (("plain, divided by 4", "CBAM (yours)"), ("plain, times 4", "CBAM, times 4")):
    errors = controls.errors[name]
    for other in ("plain", block):
        apart = training.Difference.between(errors, more().numbers[other][: len(errors)])
        rows.append([f"“{name}” minus “{other}”", str(apart), apart.in_words("better", "worse")])
caption = f"Test error in % of the controls, minus what was recorded: {len(errors)} seeds."
Table(caption, ["", "mean ± standard error", "so it is"], rows)

# %% [markdown]
# - **Divided by 4** is worse than plain, and even worse than CBAM. A constant quarter, without any gate, is enough to spoil
#   this network. So that CBAM is worse than plain need not come from what its gates do.
# - **Times 4** is better than plain. So *any* network gains here from larger numbers, and "times 4 is better than CBAM"
#   says little about CBAM.
# - **Which comparison is fair?** With networks that start at about the same strength (CBAM and *plain, divided by 4*;
#   *CBAM, times 4* and plain), CBAM is better once and undecided once. With networks that have the same constant, it is
#   worse both times. So the verdict depends on the control. Three of these four lie only just beyond two standard errors,
#   or within.
#
# Whoever puts a block into a network changes two things at once: what is weighted, and how large the numbers are.
#
# A frequent question about CBAM is *why is my accuracy flat, or lower?* Here is a part of the answer: it can be, a
# constant factor can matter, and one seed proves nothing.
#
# **Second question: does the spatial gate find the garment?** Or does it only find bright pixels? We split each test
# image into three parts: the **garment** (the true mask), the **clutter** (bright pixels that do not belong to it) and
# the **empty** background. First the picture: the last spatial gate of one seed for five test images. Yellow is open, the
# outline is the true mask. This gate has only 7×7 positions, so it is blocky.

# %% tags=["demo"]
def spatial_gates(model, images):
    """The spatial gates of the last three blocks, (N, 1, h, w) each."""
    with torch.no_grad():
        inputs = model.features(images)[1:]
        return [block[1].weights(block[0](x)) for block, x in zip(model.attentions[1:], inputs)]


def trained():
    return comparison().runs["CBAM (yours)"].models


shown = test_set.image[:5]
picture = figures.spatial_map(shown, spatial_gates(trained()[0], shown)[-1], names)
outline = {"levels": [0.5], "colors": figures.COLOURS[3], "linewidths": 1.5}
for place, axes in enumerate(picture.figure.axes[:10]):
    axes.contour(test_set.mask[place % 5, 0], **outline)
picture

# %% [markdown]
# It looks convincing: the yellow lies on the garments. **But where else could it lie?** A garment is large and wholly
# inside the image, so it nearly always covers the middle. A gate with a fixed bright spot in the middle would look
# convincing, too. A picture cannot tell the two apart. Controls can. On the same three parts of the same images we
# measure:
#
# - **its own gate**: computed from this image;
# - **another image's gate**: computed from another test image (the one before it). It knows nothing of this one;
# - **the average gate**: the mean over all test images, one fixed map;
# - **a blind Gaussian**: a round spot in the middle, which no network made, between the lowest and the highest value of
#   the average gate;
# - **blurred brightness**: the image itself, shrunk to 7×7 and blurred, between the same two values. No network made it
#   either. And **another's brightness**: the same of the other image;
# - **untrained**: the gate of a network that was never trained.
#
# **Before you run.** The *excess* is the mean gate on the garment minus that on all the rest. How much of the excess of
# its own gate will be left for another image's gate: nothing, a part, or all of it?

# %% tags=["demo"]
garment = test_set.mask
clutter = ((test_set.image > 0.1) & (garment == 0)).float()
parts = {"garment": garment, "clutter": clutter, "empty": 1 - garment - clutter}


def mean_on(gate, part):
    part = F.adaptive_avg_pool2d(part, gate.shape[-2:])
    return float((gate * part).sum() / part.sum())


def stretched(maps, gate):
    """Each map stretched to the range of a gate: from its lowest to its highest value."""
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    return gate.min() + (gate.max() - gate.min()) * (maps - low) / (high - low)


def gaussian(height, width):
    """A round spot in the middle."""
    row, column = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
    return torch.exp(-2 * (row[:, None] ** 2 + column**2))


def brightness(images, size):
    """The images, shrunk to the size of a gate and blurred."""
    return F.avg_pool2d(F.adaptive_avg_pool2d(images, size), 3, stride=1, padding=1)


measured = {}
for seed, model in zip(comparison().seeds, trained()):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        untrained = network_with(cbam).eval()
    own = spatial_gates(model, test_set.image)[-1]
    average = own.mean(0, keepdim=True).expand_as(own)
    gates = {"its own": own, "another image's": own.roll(1, dims=0), "the average gate": average}
    gates["a blind Gaussian"] = stretched(gaussian(*own.shape[-2:]), average).expand_as(own)
    gates["blurred brightness"] = stretched(brightness(test_set.image, own.shape[-2:]), average)
    gates["another's brightness"] = gates["blurred brightness"].roll(1, dims=0)
    gates["untrained"] = spatial_gates(untrained, test_set.image)[-1]
    for name, gate in gates.items():
        on = {part: mean_on(gate, where) for part, where in parts.items()}
        on["excess"] = on["garment"] - mean_on(gate, 1 - garment)
        measured.setdefault(name, []).append(on)

rows = []
for name, seen in measured.items():
    means = [sum(one[part] for one in seen) / len(seen) for part in parts]
    excesses = [one["excess"] for one in seen]
    rows.append([name, *(f"{number:.2f}" for number in means + excesses)])
header = ["gate", *parts, *(f"excess, seed {seed}" for seed in comparison().seeds)]
display(Table("The last spatial gate: mean on three parts, and its excess.", header, rows))

excess = {name: [one["excess"] for one in seen] for name, seen in measured.items()}
follows = training.Difference.between(excess["its own"], excess["another image's"])
verdict = follows.in_words("closer to other garments", "follows its image")
fixed = sum(excess["another image's"]) / sum(excess["its own"])
print(f"its own minus another image's excess: {follows:.3f}: {verdict}")
print(f"of its own excess, {fixed:.0%} is left when the gate belongs to another image")

# %% [markdown]
# **What this shows.**
#
# - Another image's gate keeps about **two thirds** of the excess. The average gate, one fixed map, keeps as much. So
#   most of what the picture shows is a fixed bright spot, where garments lie on average.
# - Even the blind Gaussian, which has seen no image at all, has an excess not far from the gate's own. To look
#   convincing is easy.
# - The rest does follow the image, in every seed, and the difference is decided: without ever seeing a mask, the gate
#   opens more on *this* garment than another image's gate does.
# - Is it only brightness? *Blurred brightness* is a map without any network, and its excess is as large as the gate's: a
#   garment is the largest bright thing. The two differ on the **clutter**. There the brightness of this image lies well
#   above that of another image; the gate does not. So the gate does more than follow brightness. But its excess alone
#   would not have told us.
# - The untrained gates do nothing of the kind.
#
# So the honest sentence is: *about a third of the excess follows the image*. Without the control we would have claimed
# all of it. Whenever you see a map over an image, ask: **what would the map of another image look like here?** Lesson 08
# asks it of Grad-CAM.
#
# **What it does not show:** that the gate makes the network better (with ten seeds CBAM is worse than plain), or that the map
# explains the decision. And the gate does not shut the rest off here: on the empty background it is still more than half
# open on average.

# %% [markdown]
# ## 10. The paper, guided
#
# Read sections 3 and 4.1 of the paper. Then answer for yourself before you unfold.
#
# <details><summary><b>Why the average and the maximum? Does one not contain the other?</b></summary>
#
# No. A channel that responds weakly everywhere and one that responds strongly at a single place can have the same
# average. The maximum tells them apart. And two channels with the same maximum can have different averages. The paper
# uses both. When you read its ablations (tables of the model with parts taken away), ask how large the differences are,
# and whether a spread between seeds is printed beside them. On our small task ten seeds could not tell CBAM from its halves.
#
# </details>
#
# <details><summary><b>Why channels first? What changes when the order is swapped?</b></summary>
#
# The spatial gate describes a position by the average and the maximum *over channels*. After the channel gate, useless
# channels count less in both numbers. The paper decides for channels first; look up how large the difference is on
# which it decides. On our task ten seeds could not tell which order is better. They are different functions, at any
# rate: your test of section 6 tells them apart.
#
# </details>
#
# <details><summary><b>BAM (lesson 04) is by the same authors. When CBAM, when BAM?</b></summary>
#
# CBAM stands in *every* residual unit, BAM only between the stages. CBAM multiplies two gates one after the other, BAM
# adds the two scores and has one gate for every value. BAM's spatial branch has more layers and sees further. Which of
# them wins depends on the task; measure both.
#
# </details>
#
# ## The course's comparison table, so far

# %% tags=["demo"]
figures.mechanism_table("softmax pooling", "SE", "CBAM")

# %% [markdown]
# **What commonly goes wrong**
#
# - Both pooling layers are maxima (or one result is never used). Nothing crashes. Test that the gate notices each
#   statistic.
# - A map is believed because it looks right. Put another image's map in its place, and look again.
# - The average over `dim=1` drops an axis. With two images per batch, two wrongs give something that runs. Use
#   `keepdim=True`, and test with 1, 2 and 3 images.
# - The MLP is written twice. Then it is not shared, and the parameter count tells you.
# - The padding does not fit the kernel. On a 7×7 map with a 7×7 kernel the gate is then 1×1, and broadcasting hides it.
#
# **What learners ask**
#
# <details><summary><b>My accuracy with CBAM is the same as without. Did I make a mistake?</b></summary>
#
# Perhaps not. First check the gates: are they between 0 and 1, and do they differ between images? Then compare several
# seeds. Gains near zero are common, most of all with small networks and short training.
#
# </details>
#
# <details><summary><b>May I put CBAM into a pretrained network?</b></summary>
#
# Yes, but a fresh block dims its branch, as you saw. Train the whole network some more (*fine-tune*), or start the last
# layers with a large positive bias, so that both gates start near 1 (lesson 02). The authors' own ResNet starts the normalisation of the spatial gate with
# weight 0. Then this gate is exactly 0.5 everywhere at first: a constant, easy to learn around, but not open.
#
# </details>

# %% [markdown]
# ## Your points

# %%
points("03-cbam")

# %% [markdown]
# **Next:** lesson 04 adds the two scores instead of multiplying the two gates, and looks further around each position.
