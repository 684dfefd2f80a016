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
# # 02 · Squeeze-and-excitation: which channels matter for this image?
#
# **Paper:** J. Hu, L. Shen, G. Sun, *Squeeze-and-Excitation Networks*, CVPR 2018
# ([arXiv:1709.01507](https://arxiv.org/abs/1709.01507)). It won the last ImageNet classification challenge.
#
# | | |
# | --- | --- |
# | **After this lesson you can** | build an SE block, put it into a residual network, count its cost, and say when it helps |
# | **Time** | about 75 minutes |
# | **You need** | lesson 01 (gates and selections); convolutions, `nn.Module` and `nn.Linear` in PyTorch |
# | **Points** | <!-- points --> |
#
# Run the cells from top to bottom. Where you read `YOUR CODE HERE`, write your code. The cell below each exercise checks
# it, as often as you like.

# %%
# %load_ext attention_lab.grading

# %%
import sys
import traceback

import torch
from torch import nn
from torch.nn import functional as F

from attention_lab import data, figures, training
from attention_lab.grading import check, hint, points
from attention_lab.networks import count_macs, create
from attention_lab.networks.selfie import SelfieSegmentation
from attention_lab.networks.small import SmallCNN

# %% [markdown]
# ## 1. A picture first
#
# Here is a small network that people use every day: it finds the person in a video call. It was trained by others, and six
# of its blocks are SE blocks, those with the numbers 1 and 4 to 8. We show it photographs and look into the last one.
#
# Below, each grey line is one **channel** of a feature map in block 8. The three marks on it are the **gates** that
# the network computed for this channel in three photographs: 1 lets the channel through, 0 shuts it.

# %% tags=["demo"]
names = ["astronaut", "coffee", "china"]
photos = torch.stack([data.photo(name, size=256) for name in names])
figures.gallery(photos, names)

# %% tags=["demo"]
network = SelfieSegmentation()
with torch.no_grad():
    gates = network.gates(photos)
figures.channel_weights(gates["block 8"], names)

# %% [markdown]
# Long lines: many channels are open for one photograph and nearly shut for another. The network decides **for every image
# anew**, after a look at the whole image. That is the idea of this lesson.
#
# ## 2. The mechanism
#
# ```mermaid
# flowchart LR
#     x["x<br/>(N, C, H, W)"] --> squeeze["squeeze:<br/>average of each channel<br/>(N, C)"]
#     squeeze --> w1["W1, ReLU<br/>(N, C / r)"]
#     w1 --> w2["W2, sigmoid<br/>(N, C)"]
#     w2 --> gate["gate s<br/>(N, C, 1, 1)"]
#     gate --> scale(("×"))
#     x --> scale
#     scale --> out["output<br/>(N, C, H, W)"]
# ```
#
# Three steps:
#
# | step | in the paper | in the code | shape |
# | --- | --- | --- | --- |
# | **squeeze** | $z_c = \frac{1}{HW}\sum_{i,j} x_{c,i,j}$ | `squeeze(x)` | `(N, C)` |
# | **excitation** | $s = \sigma(W_2\,\mathrm{ReLU}(W_1 z))$ | `weights(x)` | `(N, C, 1, 1)` |
# | **scale** | $\tilde{x}_c = s_c\, x_c$ | `forward(x)` | `(N, C, H, W)` |
#
# - $x_c$ is channel $c$ of the feature map, $C$ the number of channels.
# - $r$ is the **reduction**. The hidden layer has $C/r$ units. The paper takes $r = 16$.
# - $W_1$ has shape $C/r \times C$, and $W_2$ has shape $C \times C/r$.
# - $\sigma$ is the sigmoid: every gate lies between 0 and 1, and the gates need not sum to 1.
#
# You know this pattern from lesson 01: **scores → normaliser → combination**. The scores come from the two layers, the
# normaliser is a sigmoid, the combination is a product.

# %% [markdown]
# ## 3. Exercise: squeeze
#
# **What and why.** A convolution sees a small window. The squeeze gives every channel one number that knows the whole
# image. **Difficulty** ●○○○ · **5 minutes** · **<!-- points: squeeze --> points**
#
# `squeeze(x)`: `(N, C, H, W)` → `(N, C)`, the average of every channel. It must work for any `H` and `W`.
#
# <!-- hints: squeeze -->

# %% exercise="squeeze"
def squeeze(x):
    """(N, C, H, W) -> (N, C): the average of every channel."""
    ### BEGIN SOLUTION
    return x.mean((2, 3))
    ### END SOLUTION


# %%
check("squeeze-shape", squeeze)

# %%
check("squeeze-values", squeeze)

# %% [markdown]
# ## 4. Exercise: squeeze-and-excitation
#
# **What and why.** This is the block itself. Its two methods are the two halves of every attention mechanism in this
# course: `weights(x)` computes what is attended to, `forward(x)` combines it with `x`.
# **Difficulty** ●●○○ · **20 minutes** · **<!-- points: squeeze-excitation --> points**
#
# - `SqueezeExcitation(channels, reduction=16)`
# - `weights(x)`: `(N, C, H, W)` → `(N, C, 1, 1)`, the gate of each channel
# - `forward(x)`: `(N, C, H, W)` → `(N, C, H, W)`, `x` times its gates
#
# Name your layers as you like. `nn.Linear` or a 1×1 convolution, with or without biases: all are right.
#
# If you are stuck, run `hint("squeeze-excitation")` in a cell of your own, or unfold:
#
# <!-- hints: squeeze-excitation -->

# %% exercise="squeeze-excitation"
class SqueezeExcitation(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        ### BEGIN SOLUTION
        self.reduce = nn.Linear(channels, channels // reduction)
        self.expand = nn.Linear(channels // reduction, channels)
        ### END SOLUTION

    def weights(self, x):
        """(N, C, H, W) -> (N, C, 1, 1): the gate of each channel, between 0 and 1."""
        ### BEGIN SOLUTION
        hidden = torch.relu(self.reduce(squeeze(x)))
        gate = torch.sigmoid(self.expand(hidden))
        return gate[:, :, None, None]
        ### END SOLUTION

    def forward(self, x):
        """(N, C, H, W) -> (N, C, H, W): x, every channel times its gate."""
        ### BEGIN SOLUTION
        return x * self.weights(x)
        ### END SOLUTION


# %%
check("squeeze-excitation-shapes", SqueezeExcitation)

# %%
check("squeeze-excitation-parameters", SqueezeExcitation)

# %%
check("squeeze-excitation-values", SqueezeExcitation)

# %%
check("squeeze-excitation-gradients", SqueezeExcitation)

# %% [markdown]
# **Surprise.** A fresh block does not start open. Its weights are small, so its scores are near 0, and
# $\sigma(0) = 0.5$: every channel starts at about half strength.

# %%
_ = torch.manual_seed(0)
fresh = SqueezeExcitation(64)
gate = fresh.weights(torch.rand(8, 64, 14, 14))
print(f"gates of a fresh block: {gate.min():.2f} to {gate.max():.2f}, mean {gate.mean():.2f}")

# %% [markdown]
# ## 5. What does it cost?
#
# Two matrices of $C \times C/r$ numbers: $2C^2/r$ parameters, and $C/r + C$ biases if you have them. Compare with one
# 3×3 convolution of the same width, $9C^2$.

# %%
print(f"{'C':>5} {'one 3x3 convolution':>20} {'your SE block':>14} {'2 C^2 / r':>10} {'share':>7}")
for channels in (64, 256, 512, 1024, 2048):
    yours = sum(p.numel() for p in SqueezeExcitation(channels).parameters())
    convolution = 9 * channels**2
    print(f"{channels:>5} {convolution:>20,} {yours:>14,} {2 * channels**2 // 16:>10,} {yours / convolution:>7.2%}")

# %% [markdown]
# Now the whole network, as in the paper. These lines build ResNet-50 with and without SE blocks and count.

# %%
with torch.device("meta"):
    sizes = {name: sum(p.numel() for p in create(name).parameters()) for name in ("resnet50", "se_resnet50")}
for name, size in sizes.items():
    print(f"{name:12} {size:>11,} parameters")
more = sizes["se_resnet50"] - sizes["resnet50"]
print(f"SE adds      {more:>11,}, that is {more / sizes['resnet50']:.1%}")

# %% [markdown]
# The paper prints 25.6M and 28.1M. Where does the addition sit, and what does it cost in time? A **multiply-add** is one
# multiplication and one addition; convolutions and linear layers are little else.

# %%
with torch.device("meta"):
    image = torch.empty(1, 3, 224, 224)
    networks = {name: create(name) for name in ("resnet50", "se_resnet50")}
costs = {name: count_macs(network, image) for name, network in networks.items()}
for name, cost in costs.items():
    print(f"{name:12} {cost / 1e9:.3f} billion multiply-adds for one image")
for number, stages in enumerate(zip(*(network.stages for network in networks.values())), 1):
    plain, gated = (sum(p.numel() for p in stage.parameters()) for stage in stages)
    print(f"stage {number}: SE adds {gated - plain:>9,} parameters, {(gated - plain) / more:.0%} of all")

# %% [markdown]
# The last stage takes the most, because there $C = 2048$ and the cost grows with $C^2$. The multiply-adds hardly change: the
# two layers run once per image, not once per pixel.

# %% [markdown]
# ## 6. Exercise: where the block sits
#
# **What and why.** A residual unit computes $x + \mathrm{branch}(x)$. The skip connection carries $x$ unharmed through a
# deep network. Put the gate where it cannot harm that path. **Difficulty** ●○○○ · **10 minutes** · **<!-- points: se-residual --> points**
#
# ```mermaid
# flowchart LR
#     x["x"] --> branch["branch<br/>(convolutions)"] --> b(("?"))
#     b --> plus(("+"))
#     x -- "skip connection" --> plus --> out["output"]
# ```
#
# `se_residual(x, branch, se)`: `branch` and `se` are modules that keep the shape `(N, C, H, W)`. `se` is a block like yours:
# `se(u)` already is `u` times its gates. Return the output of the residual unit. (A ResNet applies a ReLU after the addition;
# leave it out.) If all gates were 0, the output should be `x`.
#
# <!-- hints: se-residual -->

# %% exercise="se-residual"
def se_residual(x, branch, se):
    """(N, C, H, W) -> (N, C, H, W): a residual unit whose branch is recalibrated by se."""
    ### BEGIN SOLUTION
    return x + se(branch(x))
    ### END SOLUTION


# %%
check("se-residual-shape", se_residual)

# %%
check("se-residual-values", se_residual)

# %% [markdown]
# **May I add SE to a pretrained network?** You may, but not for free. A fresh block multiplies the branch by about 0.5,
# so the layers after it see other numbers than they were trained on. Fine-tune, or start the last layer with a large
# positive bias so that the gates start near 1. This cell shows both starts.

# %%
_ = torch.manual_seed(0)
x = torch.randn(4, 64, 14, 14)
branch = nn.Conv2d(64, 64, 3, padding=1)
plain = x + branch(x)
for start in (0.0, 4.0):
    se = SqueezeExcitation(64)
    biases = [p for p in se.parameters() if p.shape == (64,)]
    for bias in biases:
        nn.init.constant_(bias, start)
    change = (se_residual(x, branch, se) - plain).norm() / branch(x).norm()
    print(f"bias {start:.0f}: the branch changes by {change:.0%}" + ("" if biases else "  (your block has no biases)"))

# %% [markdown]
# ## 7. See what you built: gates in a real network
#
# Back to the video-call network. Its blocks stand one after the other. How much do the gates differ from photograph to
# photograph, early and late?
#
# Each picture below is one block: a row for each of our ten photographs, a column for each channel, the colour is the gate.
# Stripes from top to bottom mean: the same gates for every photograph. The bars measure it: for each channel the standard
# deviation of its gate between the photographs, averaged over the channels.

# %% tags=["demo"]
all_names = data.photo_names()
with torch.no_grad():
    all_gates = network.gates(torch.stack([data.photo(name, size=256) for name in all_names]))
figures.gates_by_layer(all_gates, all_names)

# %% [markdown]
# The bars grow with depth, though not at every step: late gates depend more on the image. The paper finds for ImageNet that
# early gates are much the same for all classes and later ones differ between classes. Ours is a weaker statement: one small
# network, ten photographs, no classes.

# %% [markdown]
# ## 8. Exercise: debug it
#
# **What and why.** This block comes from a tutorial on the web. It has five mistakes. One of them throws the squeeze away,
# and the error appears only on a later line. **Difficulty** ●●○○ · **15 minutes** · **<!-- points: debug-se --> points**

# %%
class BrokenSEAttentionModule(nn.Module):
    def __init__(self, in_channels, reduction=16):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(in_channels, in_channels // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(in_channels // reduction, in_channels, bias=False),
        )
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        batch_size, channels, _ = x.view()
        y = self.avgpool(x)
        y = x.view(x.size(0), -1)
        y = self.fc(x)
        y = self.sigmoid(x)
        y = y.view(batch_size, channels, 1, 1)
        return x * y


try:
    BrokenSEAttentionModule(64)(torch.randn(2, 64, 8, 8))
except Exception:
    traceback.print_exc(limit=-1, file=sys.stdout)

# %% [markdown]
# Write the repaired module here, with the same arguments: `SEAttentionModule(in_channels, reduction=16)`,
# `forward(x)`: `(N, C, H, W)` → `(N, C, H, W)`.
#
# <!-- hints: debug-se -->

# %% exercise="debug-se"
class SEAttentionModule(nn.Module):
    def __init__(self, in_channels, reduction=16):
        super().__init__()
        ### BEGIN SOLUTION
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(in_channels, in_channels // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(in_channels // reduction, in_channels, bias=False),
        )
        self.sigmoid = nn.Sigmoid()
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        batch_size, channels, _, _ = x.shape
        y = self.avgpool(x)
        y = y.view(batch_size, channels)
        y = self.fc(y)
        y = self.sigmoid(y)
        y = y.view(batch_size, channels, 1, 1)
        return x * y
        ### END SOLUTION


# %%
check("debug-se-runs", SEAttentionModule)

# %%
check("debug-se-parameters", SEAttentionModule)

# %%
check("debug-se-values", SEAttentionModule)

# %% [markdown]
# ## 9. Experiment: what is the squeeze for?
#
# When does a network need a look at the whole image? We build a task where it must. Each image holds two garments: one
# bright, one dark. A white bar at the top edge says which one to name: bar → the bright one, no bar → the dark one.

# %% tags=["demo"]
number = 512 if training.fast() else 8192
train_set = data.cue_scenes(number, split="train", seed=1)
test_set = data.cue_scenes(number // 4, split="test", seed=2)
figures.gallery(train_set.image[:8], [data.FASHION_CLASSES[label] for label in train_set.label[:8]])

# %% [markdown]
# The small network below has four 3×3 convolutions. A unit of its last one sees a window of 19 of the 32 rows, so near the
# bottom of the image it cannot see the bar at the top. We train three versions of the network, from three seeds each:
#
# - **plain**: no attention;
# - **no squeeze**: a gate with the same two layers, computed at every position alone (1×1 convolutions, no pooling);
# - **SE**: your block.
#
# A gate stands after each of the four convolutions. The only difference between the second and the third is the squeeze.

# %% tags=["demo"]
class GateWithoutSqueeze(nn.Module):
    """The two layers of SE as 1x1 convolutions: every position computes its own gate."""

    def __init__(self, channels, reduction):
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // reduction, 1)
        self.expand = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.expand(torch.relu(self.reduce(x))))


comparison = training.compare(
    {
        "plain": lambda: SmallCNN(width=8),
        "no squeeze": lambda: SmallCNN(width=8, attention=lambda channels: GateWithoutSqueeze(channels, reduction=4)),
        "SE (yours)": lambda: SmallCNN(width=8, attention=lambda channels: SqueezeExcitation(channels, reduction=4)),
    },
    train=(train_set.image, train_set.label),
    test=(test_set.image, test_set.label),
    steps=300,
    lr=1e-2,
)
display(comparison, figures.training_curves(comparison))

# %% [markdown]
# Compare the rows with the spread between seeds. With the squeeze, every position learns about the bar, through its
# gates. Without it, the network has as many parameters and even more gates (one for each position), but no news from the top
# edge.
#
# **What this shows:** global information through channel gates can decide a task. **What it does not show:** that SE
# makes any network better. We built this task so that the squeeze is needed. Lesson 08 compares the mechanisms on images
# without such a cue. The paper's gains are on ImageNet, with deep networks and long training.

# %% [markdown]
# ## 10. The paper, guided
#
# Read sections 3.1, 3.2 and 6 of the paper. Then answer for yourself before you unfold.
#
# <details><summary><b>Why a sigmoid and not a softmax?</b></summary>
#
# Several channels can matter at the same time. A softmax makes them compete: its weights sum to 1, so with 512 channels
# each gets about 1/512, and opening one closes the others. A sigmoid judges each channel alone.
#
# </details>
#
# <details><summary><b>Why two layers with a bottleneck, and not one?</b></summary>
#
# One full layer costs $C^2$ parameters. Two layers with reduction $r$ cost $2C^2/r$: eight times fewer at $r = 16$. And the
# ReLU between them makes the scores a non-linear function of the averages, for example "open only if channels 3 and 7 are
# both strong".
#
# </details>
#
# <details><summary><b>Is SE the same as the channel attention of CBAM (lesson 03)?</b></summary>
#
# Nearly. CBAM squeezes twice, with the average and with the maximum, sends both through the same two layers, and adds the
# results before the sigmoid. And CBAM then gates positions too.
#
# </details>
#
# ## The course's comparison table, so far

# %% tags=["demo"]
figures.mechanism_table("softmax pooling", "SE")

# %% [markdown]
# **What commonly goes wrong**
#
# - The pooling is written and then not used: the gate has shape `(N, C, H, W)`. Look at shapes, always.
# - `reduction` is taken for the hidden width. At $C = 256$, $r = 16$ both are 16, so nobody notices. Test with another $C$.
# - The gate stands after the addition: then it scales the skip connection too.

# %% [markdown]
# ## Your points

# %%
points("02-squeeze-excitation")

# %% [markdown]
# **Next:** lesson 03 asks not only *which channel* but also *where*.
