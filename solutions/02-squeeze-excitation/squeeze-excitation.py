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
# ([arXiv:1709.01507](https://arxiv.org/abs/1709.01507)). It won the last classification challenge on ImageNet
# (a million photographs of 1000 classes).
#
# | | |
# | --- | --- |
# | **After this lesson you can** | build an SE block, put it into a network, count and time its cost, say when it helps, and when two models count as different |
# | **Time** | about 85 minutes, without reading the paper |
# | **You need** | lesson 01 (gates and selections); convolutions, `nn.Module` and `nn.Linear` in PyTorch |
# | **Points** | <!-- points --> |
#
# Run the cells from top to bottom. Where you read `YOUR CODE HERE`, write your code. The cell below each exercise checks
# it, as often as you like.
#
# If the first cell says `No module named 'attention_lab'`, the notebook was opened elsewhere: close it, and open it with
# `attention-lab lab`.

# %%
# %load_ext attention_lab.grading

# %%
import sys
import time
import traceback
import warnings
from functools import cache

import torch
from torch import nn
from torch.nn import functional as F

from attention_lab import data, figures, training
from attention_lab.grading import check, hint, points
from attention_lab.networks import count_macs, create
from attention_lab.networks.selfie import SelfieSegmentation
from attention_lab.networks.small import SmallCNN
from attention_lab.recording import recorded
from attention_lab.table import Table
from attention_lab.threads import one_thread

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
# - $r$ is the **reduction**. The hidden layer has $C/r$ units, rounded down. The paper takes $r = 16$.
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

# %% tags=["demo"]
_ = torch.manual_seed(0)
fresh = SqueezeExcitation(64)
gate = fresh.weights(torch.rand(8, 64, 14, 14))
print(f"gates of a fresh block: {gate.min():.2f} to {gate.max():.2f}, mean {gate.mean():.2f}")

# %% [markdown]
# ## 5. What does it cost?
#
# Two matrices of $C \times C/r$ numbers: $2C^2/r$ parameters, and $C/r + C$ biases if you have them. Compare with one
# 3×3 convolution of the same width, $9C^2$.

# %% tags=["demo"]
rows = []
for channels in (64, 256, 512, 1024, 2048):
    yours = sum(p.numel() for p in SqueezeExcitation(channels).parameters())
    convolution, formula = 9 * channels**2, 2 * channels**2 // 16
    numbers = [f"{number:,}" for number in (channels, convolution, yours, formula)]
    rows.append([*numbers, f"{yours / convolution:.2%}"])
header = ["C", "one 3x3 convolution", "your SE block", "2 C^2 / r", "block / convolution"]
Table("Parameters.", header, rows)

# %% [markdown]
# **What does the reduction do?** It sets how many units the hidden layer has, $C/r$, rounded down. So it sets how much
# the channels can tell each other. Before you run: what happens with a reduction larger than $C$?

# %% tags=["demo"]
def change_between_images(block, channels):
    """Standard deviation of a gate between 50 random images, mean of all gates."""
    try:
        with torch.no_grad():
            return f"{block.weights(3 * torch.randn(50, channels, 4, 4)).std(0).mean():.3f}"
    except RuntimeError:
        return "it crashes"  # so do 1x1 convolutions without channels; linear layers do not


rows = []
for channels, reduction in ((64, 1), (64, 4), (64, 16), (64, 64), (64, 128), (8, 16)):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of a layer without units
        block = SqueezeExcitation(channels, reduction)
    numbers = f"{sum(p.numel() for p in block.parameters()):,}"
    change = change_between_images(block, channels)
    rows.append([f"{channels}", f"{reduction}", f"{channels // reduction}", numbers, change])
header = ["C", "reduction", "hidden units", "parameters", "change between images"]
Table("Fresh blocks, and the standard deviation of a gate between 50 random images.", header, rows)

# %% [markdown]
# - $r = 1$: as many hidden units as channels. The block can use everything it saw, and costs $2C^2$.
# - A larger $r$: fewer parameters, and all gates of an image are made from $C/r$ numbers only.
# - $r > C$: **no hidden unit at all**. Nothing is learned about the image, the gates are the same for every image. Torch
#   prints a warning about a layer without elements, and goes on. `SqueezeExcitation(8)` with the default 16 is such a
#   block.
#
# The paper tried several and takes 16, a good balance of accuracy and size. Its layers have 256 to 2048 channels, so at
# least 16 hidden units are left. Our small network of section 9 has 8 and 16 channels: there we take $r = 4$, which leaves
# 2 and 4 hidden units.
#
# Now the whole network, as in the paper. These lines build ResNet-50 (50 layers in residual units, section 6) with and
# without SE blocks and count. (On torch's
# *meta* device a network has shapes, but no numbers: that is enough for counting, and takes no memory.)

# %% tags=["demo"]
with torch.device("meta"):
    networks = {name: create(name) for name in ("resnet50", "se_resnet50")}
sizes = {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()}
for name, size in sizes.items():
    print(f"{name:12} {size:>11,} parameters")
more = sizes["se_resnet50"] - sizes["resnet50"]
print(f"SE adds      {more:>11,}, that is {more / sizes['resnet50']:.1%}")

# %% [markdown]
# The paper prints 25.6M and 28.1M. Where does the addition sit? A ResNet has four **stages**: groups of blocks on maps of
# one size; from one stage to the next the map shrinks and $C$ grows.

# %% tags=["demo"]
for number, stages in enumerate(zip(*(network.stages for network in networks.values())), 1):
    plain, gated = (sum(p.numel() for p in stage.parameters()) for stage in stages)
    added = gated - plain
    print(f"stage {number}: SE adds {added:>9,} parameters, {added / more:.0%} of all")

# %% [markdown]
# The last stage takes the most, because there $C = 2048$ and the cost grows with $C^2$.
#
# **And in computing?** Papers count **multiply-adds**: one multiplication and one addition. Convolutions and linear layers
# are little else. But nobody waits for multiply-adds. So we also measure **time**, of a training step of the small network
# of section 9, with and without your block. The two take turns, and of many turns the fastest counts, because another
# program can only make a turn slower. Only the ratio is worth printing: seconds depend on the machine. This takes a few
# seconds.

# %% tags=["demo"]
def step(network, images):
    start = time.process_time()  # what this program computed, not what it waited for
    network(images).sum().backward()
    return time.process_time() - start


small = {
    "plain": SmallCNN(width=8),
    "SE": SmallCNN(width=8, attention=lambda channels: SqueezeExcitation(channels, reduction=4)),
}
images = torch.rand(64, 1, 32, 32)
with one_thread():
    turns = [[step(network, images) for network in small.values()] for _ in range(60)]
plain, se = (min(seconds) for seconds in zip(*turns))


def multiply_adds(pair, image):
    without, gated = (count_macs(network, image) for network in pair.values())
    return f"{gated / without:.3f} times the multiply-adds"


photograph = torch.empty(1, 3, 224, 224, device="meta")
print(f"ResNet-50, SE / plain:       {multiply_adds(networks, photograph)}")
print(f"small network, SE / plain:   {multiply_adds(small, images[:1])}")
print(f"small network, SE / plain:   {se / plain:.2f} times the time of a step")

# %% [markdown]
# **Time is not multiply-adds.** The two layers run once per image, not once per position, so they add almost no
# multiply-adds. But the squeeze reads the whole map once more, the scaling reads and writes it, and in training there is
# the way back, too. None of this is a multiply-add, and all of it takes time. When somebody writes "at almost no cost",
# ask which cost was counted.

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
# so the layers after it see other numbers than they were trained on. Train the whole network some more (this is called
# *fine-tuning*), or start the last layer with a large positive bias so that the gates start near 1. This cell shows both
# starts.

# %% tags=["demo"]
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
    note = "" if biases else "  (your block has no biases)"
    print(f"bias {start:.0f}: the branch changes by {change:.0%}{note}")

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
# **What and why.** This block comes from a tutorial on the web. The first line of `forward` is wrong in two ways. And then
# three lines read `x` where `y` is meant: each throws away what the line above it has computed, one of them the squeeze. When
# the first line is repaired, the program stops on a line *after* the one that is wrong. **Difficulty** ●●○○ · **15 minutes** · **<!-- points: debug-se --> points**

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
# `forward(x)`: `(N, C, H, W)` → `(N, C, H, W)`. Biases are free.
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
# bottom of the image it cannot see the bar at the top. At the end the map is averaged, and one linear layer names the
# class. It can only *add* what the positions report: "there is a bar" and "there is a bright dress" do not meet before.
# Positions higher up do see both the bar and the upper part of a garment. So plain is better than a guess between the two
# garments, but not by much.
#
# We train three versions of the network:
#
# - **plain**: no attention;
# - **no squeeze**: a gate with the same two layers, computed at every position alone (1×1 convolutions, no pooling);
# - **SE**: your block.
#
# A gate stands after each of the four convolutions. The only difference between the second and the third is the squeeze.
#
# **Before you run.** Name the best row. And will *no squeeze* be better than *plain*, worse, or will three seeds not
# tell? It has as many parameters as SE, and many more gates. The next cell takes about 45 seconds.

# %% tags=["demo"]
class GateWithoutSqueeze(nn.Module):
    """The two layers of SE as 1x1 convolutions: every position computes its own gate."""

    def __init__(self, channels, reduction):
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // reduction, 1)
        self.expand = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.expand(torch.relu(self.reduce(x))))


def with_block(block):
    return SmallCNN(width=8, attention=lambda channels: block(channels, 4))


@cache  # trains when it is called first, then remembers
def comparison():
    return training.compare(
        {
            "plain": lambda: SmallCNN(width=8),
            "no squeeze": lambda: with_block(GateWithoutSqueeze),
            "SE (yours)": lambda: with_block(SqueezeExcitation),
        },
        train=(train_set.image, train_set.label),
        test=(test_set.image, test_set.label),
        steps=300,
        seeds=(20, 21, 22),
        lr=1e-2,
    )


figures.training_curves(comparison())

# %% [markdown]
# Left, a line is the mean of the seeds, and its band reaches from the smallest to the largest. Right, a mark is a seed,
# and the stroke is the mean.
#
# ### When are two models different?
#
# This rule holds for the whole course. Take the errors of two models, and ask: would the same one win with other seeds?
#
# 1. **Pairs.** A seed fixes the random start and the batches. Both models saw the same batches, so a hard seed is *often*
#    hard for both, and subtracting *seed by seed* removes it. (Not always: below, the seed that is worst for plain is best
#    for *no squeeze*. Then pairing does not help, but it is still fair.)
# 2. **Mean and standard error.** The differences still vary. Their mean is our result. How far may it be off, only
#    because we took these seeds and not others? The **standard error** says it: the standard deviation of the
#    differences, divided by the root of their number. Four times as many seeds make it half as large.
# 3. **The rule.** The models differ if the mean is more than **two standard errors** away from zero. How often luck alone
#    gets that far, you see below.
# 4. **At least three seeds.** From one there is no standard error. From two it is a guess of its own.
# 5. **Undecided is not equal.** It says that these seeds cannot tell. The true difference may be anything between the
#    mean minus and the mean plus two standard errors (the bar in the picture), zero included. More seeds see smaller
#    differences.
#
# Here the rule is by hand, for two pairs. In the picture below a dot is a seed, the stroke the mean, and the bar reaches
# two standard errors to either side. If the bar keeps away from the line at zero, the difference is decided.

# %% tags=["demo"]
errors = {name: torch.tensor(seen) for name, seen in comparison().errors.items()}
for name in ("SE (yours)", "no squeeze"):
    apart = errors[name] - errors["plain"]
    mean, standard_error = apart.mean(), apart.std() / len(apart) ** 0.5
    print(f"{name} minus plain, seed by seed: " + ", ".join(f"{value:+.1f}" for value in apart))
    print(f"    mean {mean:+.1f}, two standard errors {2 * standard_error:.1f}")

both = ("SE (yours)", "no squeeze")
figures.differences({f"{name} minus plain": comparison().minus(name, "plain") for name in both})

# %% [markdown]
# **How often is the rule wrong?** Take two models that do not differ at all: their differences are luck alone. In how many
# experiments does the rule call them different?

# %% tags=["demo"]
luck = torch.randn(20_000, 30, generator=torch.Generator().manual_seed(0))  # 20,000 experiments
print("luck is called a difference:   in one question   in at least one of five")
for seeds in (3, 10, 30):
    some = luck[:, :seeds]
    decided = some.mean(1).abs() > 2 * some.std(1) / seeds**0.5
    once = decided.float().mean()
    five = decided.view(-1, 5).any(1).float().mean()
    print(f"{f'{seeds} seeds':>26}{once:21.0%}{five:26.0%}")

# %% [markdown]
# So a verdict of three seeds is a *hint*: the standard error itself is a poor guess from three numbers. Where it matters,
# the lessons show ten more seeds beside yours.
#
# And this is for *one* question. A table that asks five has five chances to be fooled; the last column says how often at
# least one of five verdicts is false, if luck alone decides and the questions have nothing to do with each other. So trust
# a difference of three or four standard errors more than one of two.
#
# In all lessons `Difference` of `attention_lab.training` does this, and every table prints it: mean ± standard error,
# and in the column *so it is* what the rule says.

# %% tags=["demo"]
comparison().table("plain")

# %% [markdown]
# More seeds see more. We ran the cells above with ten other seeds beforehand; their numbers came with the course.

# %% tags=["demo"]
more = recorded("squeeze", comparison().seeds, comparison().errors)
pairs = [("SE (yours)", "plain"), ("no squeeze", "plain"), ("SE (yours)", "no squeeze")]
training.with_more_seeds(comparison(), more, pairs)

# %% [markdown]
# Compare with your guesses.
#
# - **SE against plain**: decided, and far beyond any doubt. With the squeeze, every position learns about the bar, through
#   its gates.
# - **No squeeze against plain**: undecided, even with ten seeds. It has as many parameters as SE and far more gates (one
#   for each position), but no news from the top edge: nothing is gained that ten seeds could see. Three seeds that we had
#   looked at before made it look *worse* than plain. The ten fresh ones do not bear that out. So much for three seeds.
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
# - `reduction` is larger than the number of channels: no hidden unit is left, and the gates never depend on the image.
# - `reduction` is taken for the hidden width. At $C = 256$, $r = 16$ both are 16, so nobody notices. Test with another $C$.
# - The gate stands after the addition: then it scales the skip connection too.

# %% [markdown]
# ## Your points

# %%
points("02-squeeze-excitation")

# %% [markdown]
# **Next:** lesson 03 asks not only *which channel* but also *where*.
