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
# # 05 · Selective kernels: how large should the window be?
#
# **Paper:** X. Li, W. Wang, X. Hu, J. Yang, *Selective Kernel Networks*, CVPR 2019
# ([arXiv:1903.06586](https://arxiv.org/abs/1903.06586)).
#
# | | |
# | --- | --- |
# | **After this lesson you can** | build an SK block, say which parts compete in a softmax, and test whether a block looks at objects as its paper claims |
# | **Time** | about 75 minutes, without reading the paper |
# | **You need** | lesson 01 (softmax selects), lesson 02 (squeeze); dilated convolutions (lesson 04 shows them) |
# | **Points** | <!-- points --> |
#
# Run the cells from top to bottom. Where you read `YOUR CODE HERE`, write your code. The cell below each exercise
# checks it, as often as you like.

# %%
# %load_ext attention_lab.grading

# %%
import sys
import traceback

import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F

from attention_lab import data, figures, mechanisms, training
from attention_lab.grading import check, hint, points
from attention_lab.networks import create
from attention_lab.table import Table

# %% [markdown]
# ## 1. A picture first
#
# A convolution looks through a window of a fixed size. The bright square below has the same size in both pictures. On
# the left the woman is far away, and the square holds a face. On the right she is close, and the same square holds one
# eye and a part of her nose and mouth.

# %% tags=["demo"]
far = data.photo("astronaut", size=256)
near = F.interpolate(far[None, :, 10:106, 66:162], size=256, mode="bicubic", align_corners=False)[0]


def through_the_window(image, row, column, side=76):
    """The image with all but a window darkened, and what is in the window."""
    shown = 0.35 * image
    inside = slice(row, row + side), slice(column, column + side)
    shown[:, *inside] = image[:, *inside]
    return shown, F.interpolate(image[None, :, *inside], size=256)[0]


figures.gallery(
    torch.stack([*through_the_window(far, 15, 72), *through_the_window(near, 90, 60)]),
    ["far", "seen in the window", "close", "seen in the window"],
)

# %% [markdown]
# A network fixes the size of its windows before it has seen one image. But objects come in all sizes. **Selective
# kernels** compute with a small and a large window side by side. Then the image decides, channel by channel, how much
# of each goes on.
#
# ## 2. The mechanism
#
# ```mermaid
# flowchart LR
#     x["x<br/>(N, C, H, W)"] --> u1["3x3, dilation 1<br/>BN, ReLU<br/>U1 (N, C, H, W)"]
#     x --> u2["3x3, dilation 2<br/>BN, ReLU<br/>U2 (N, C, H, W)"]
#     u1 --> plus(("+"))
#     u2 --> plus
#     plus --> s["average<br/>s (N, C)"]
#     s --> z["W, BN, ReLU<br/>z (N, d)"]
#     z --> logits["scores<br/>(N, M, C)"]
#     logits --> a["softmax over M<br/>weights (N, M, C, 1, 1)"]
#     u1 --> select(("× and sum<br/>over M"))
#     u2 --> select
#     a --> select
#     select --> out["output<br/>(N, C, H, W)"]
# ```
#
# | step | in the paper | in the code | shape |
# | --- | --- | --- | --- |
# | **split** | $U_i = \mathrm{ReLU}(\mathrm{BN}(\mathrm{conv}_i(x)))$, $i = 1 \dots M$ | `branches` convolutions | M times `(N, C, H, W)` |
# | **fuse** | $U = \sum_i U_i$, $\;s = \frac{1}{HW}\sum_{h,w} U_{h,w}$ | the squeeze of lesson 02 | `(N, C)` |
# | | $z = \mathrm{ReLU}(\mathrm{BN}(W s))$ | hidden layer of $d = \max(C/r, L)$ units | `(N, d)` |
# | **select** | $a_{i,c} = \dfrac{\exp(A_{i,c}\, z)}{\sum_j \exp(A_{j,c}\, z)}$ | `weights(x)` | `(N, M, C, 1, 1)` |
# | | $V_c = \sum_i a_{i,c}\, U_{i,c}$ | `forward(x)` | `(N, C, H, W)` |
#
# - $M$ is the number of **branches**. The paper uses 2.
# - Branch $i$ is a 3×3 convolution of **dilation** $i$: its nine weights lie $i$ pixels apart. So branch 2 covers 5×5
#   pixels with nine weights.
# - The convolutions have $G$ **groups**: the channels are cut into $G$ parts, and each part is convolved by itself.
#   That saves parameters. The paper uses $G = 32$.
# - $r$ is the **reduction**, and $L$ the **least width** of the hidden layer. The paper uses 16 and 32.
# - $A_{i,c}$ is a row of the last layer: it turns $z$ into the score of branch $i$ in channel $c$.
#
# In the words of lesson 01: the scores come from two layers, the normaliser is a **softmax over branches**, the
# combination is a weighted sum. SE asks *how much of this channel?* SK asks *which window for this channel?*

# %% [markdown]
# ## 3. Exercise: who competes?
#
# **What and why.** Every softmax has competitors, and its axis says who they are. Take the wrong axis, and nothing
# stops: shapes fit, training runs, the block means something else. **Difficulty** ●○○○ · **5 minutes** · **<!-- points: branch-softmax --> points**
#
# `branch_softmax(logits)`: `(N, M, C)` → `(N, M, C)`. For each image and each channel, the weights of the `M` branches
# are positive and sum to 1. You may use `torch.softmax`. Scores of 10,000 must not break it.
#
# <!-- hints: branch-softmax -->

# %% exercise="branch-softmax"
def branch_softmax(logits):
    """(N, M, C) -> (N, M, C): weights that sum to 1 over the M branches, for each channel."""
    ### BEGIN SOLUTION
    return torch.softmax(logits, dim=1)
    ### END SOLUTION


# %%
check("branch-softmax-shape", branch_softmax)

# %%
check("branch-softmax-values", branch_softmax)

# %% [markdown]
# **Side by side.** One image, two branches, four channels. Left: your softmax. Right: a softmax over the channels. The
# scores are the same.

# %%
logits = torch.tensor([[[2.0, 0.0, -1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]])  # (1, 2, 4)
over_branches = branch_softmax(logits)[0]
over_channels = logits.softmax(2)[0]
print("sum over the branches, of each channel:")
print("  yours        ", [f"{value:.2f}" for value in over_branches.sum(0)])
print("  over channels", [f"{value:.2f}" for value in over_channels.sum(0)])
drawn = figures.bars(
    {
        "over branches:\nbranch 1": over_branches[0],
        "over branches:\nbranch 2": over_branches[1],
        "over channels:\nbranch 1": over_channels[0],
        "over channels:\nbranch 2": over_channels[1],
    }
)
for axes in drawn.figure.axes:
    axes.set_xlabel("channel")
drawn

# %% [markdown]
# Read the two plots on the left channel by channel: the two bars of channel 0 sum to 1. Channels 1 and 3 are undecided,
# because their two scores are equal.
#
# Read the two on the right branch by branch: here the four channels of one branch share a sum of 1. Channel 0 of branch 1
# is large *because the other channels are small*. Nobody has chosen between windows. And with 512 channels each gets
# about 1/512.

# %% [markdown]
# ## 4. Exercise: the selective kernel block
#
# **What and why.** This is the whole block. It takes the place of a 3×3 convolution in a residual unit.
# **Difficulty** ●●●○ · **25 minutes** · **<!-- points: selective-kernel --> points**
#
# - `SelectiveKernel(channels, branches=2, reduction=16, groups=32, min_width=32)`
# - `weights(x)`: `(N, C, H, W)` → `(N, M, C, 1, 1)`, the share of each branch in each channel
# - `forward(x)`: `(N, C, H, W)` → `(N, C, H, W)`
# - branch `i = 1 ... M`: a 3×3 convolution of dilation `i`, in `groups` groups, that keeps the size; then BN and ReLU
# - hidden layer: `max(channels // reduction, min_width)` units, then BN and ReLU
# - **no layer has a bias** (BN has its own)
#
# `BN` is `nn.BatchNorm2d` on maps `(N, C, H, W)` and `nn.BatchNorm1d` on vectors `(N, C)`. Name your layers as you
# like. One score layer for all branches or one for each: both are right. So are linear layers and 1×1 convolutions.
#
# <!-- hints: selective-kernel -->

# %% exercise="selective-kernel"
class SelectiveKernel(nn.Module):
    def __init__(self, channels, branches=2, reduction=16, groups=32, min_width=32):
        super().__init__()
        ### BEGIN SOLUTION
        hidden = max(channels // reduction, min_width)
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=i, dilation=i, groups=groups, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            )
            for i in range(1, branches + 1)
        )
        self.hidden = nn.Sequential(nn.Linear(channels, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU())
        self.scores = nn.Linear(hidden, branches * channels, bias=False)
        ### END SOLUTION

    def weights(self, x):
        """(N, C, H, W) -> (N, M, C, 1, 1): the share of each branch in each channel."""
        ### BEGIN SOLUTION
        fused = sum(branch(x) for branch in self.branches)
        z = self.hidden(fused.mean((2, 3)))
        logits = self.scores(z).unflatten(1, (len(self.branches), -1))
        return branch_softmax(logits)[:, :, :, None, None]
        ### END SOLUTION

    def forward(self, x):
        """(N, C, H, W) -> (N, C, H, W): the sum of the branches, each by its share."""
        ### BEGIN SOLUTION
        features = torch.stack([branch(x) for branch in self.branches], dim=1)
        return (self.weights(x) * features).sum(1)
        ### END SOLUTION


# %%
check("selective-kernel-shapes", SelectiveKernel)

# %%
check("selective-kernel-parameters", SelectiveKernel)

# %%
check("selective-kernel-weights", SelectiveKernel)

# %%
check("selective-kernel-values", SelectiveKernel)

# %%
check("selective-kernel-gradients", SelectiveKernel)

# %% [markdown]
# (If your `forward` calls `weights`, the branches are computed twice, once for the weights and once for the output. That
# is simple to read. A fast block computes them once.)
#
# ## 5. See what you built
#
# A fresh block is undecided: its scores are near 0, so each of two branches gets about one half. Here is the share of
# each branch, channel by channel, for one feature map of random numbers.

# %%
_ = torch.manual_seed(0)
fresh = SelectiveKernel(64).eval()
with torch.no_grad():
    weights = fresh.weights(torch.randn(1, 64, 24, 24))
sums = weights.sum(1)
print(f"shape {tuple(weights.shape)}; sums over the branches from {sums.min():.2f} to {sums.max():.2f}")
print(f"shares from {weights.min():.2f} to {weights.max():.2f}")


@figures.in_style
def draw_shares(shares):
    """(M, C): the shares of the branches, in the order of the first branch's share."""
    drawn = Figure(figsize=(6.4, 2.6), layout="compressed")
    axes = drawn.subplots()
    shares = shares[:, shares[0].argsort()]
    for i, (share, marker) in enumerate(zip(shares, figures.MARKERS)):
        axes.scatter(range(len(share)), share, s=12, color=figures.COLOURS[i], marker=marker, label=f"dilation {i + 1}")
    axes.set(xlabel="channel, sorted by the share of dilation 1", ylabel="share", ylim=(0.4, 0.6))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figures.Picture(drawn, f"The branches' shares of {shares.shape[1]} channels, mirrored around one half.")


draw_shares(weights[0].flatten(1))

# %% [markdown]
# The two marks of each channel mirror each other around 0.5: what one branch gains, the other loses.
#
# **What does it cost?** First one branch, at $C = 256$: why the paper dilates its kernels and groups its channels.

# %%
channels = 256
for name, kernel, groups in [("5x5", 5, 1), ("3x3, dilation 2", 3, 1), ("3x3, dilation 2, 32 groups", 3, 32)]:
    print(f"{name:28} {kernel**2 * channels**2 // groups:>10,} weights")
yours = sum(p.numel() for p in SelectiveKernel(channels).parameters())
plain = 9 * channels**2
grouped = plain // 32
print(f"{'your whole block':28} {yours:>10,} parameters")
print(f"that is {yours / plain:.2f} times one plain 3x3 convolution, {yours / grouped:.1f} times one with 32 groups")

# %% [markdown]
# So two grouped branches, the hidden layer and the scores together are cheaper than one *plain* convolution. But the
# block takes the place of one *grouped* convolution, and it is dearer than that.
#
# Now whole networks, built and counted here. ResNeXt-50 is a ResNet-50 whose 3×3 convolutions are grouped. SKNet-50 is a
# ResNeXt-50 with SK blocks in the place of these convolutions.

# %%
with torch.device("meta"):
    networks = {name: create(name) for name in ("resnet50", "resnext50_32x4d", "sknet50")}
counts = {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()}
for name, count in counts.items():
    print(f"{name:16} {count:>11,} parameters")
more = counts["sknet50"] - counts["resnext50_32x4d"]
print(f"SKNet-50 has {more / 1e6:.1f}M more than ResNeXt-50: {more / counts['resnext50_32x4d']:.0%}")

# %% [markdown]
# The paper prints 27.5M for SKNet-50.
#
# ## 6. Exercise: debug it
#
# **What and why.** This block comes from a tutorial on the web. Its text says that the softmax runs "across channels",
# and its code believes it. Some mistakes stop the program. **Three stay silent**: compare with the table in section 2.
# **Difficulty** ●●●○ · **20 minutes** · **<!-- points: debug-sk --> points**

# %%
class BrokenSKAttentionModule(nn.Module):
    def __init__(self, in_channels, G, L=32):
        super().__init__()
        d = max(int(in_channels / r), L)
        self.conv3x3 = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, kernel_size=3, padding=1, groups=G),
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
        )
        self.conv5x5 = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, kernel_size=5, padding=2, groups=G),
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
        )
        self.gp = nn.AvgPool2d(WH)
        self.fc = nn.Linear(in_channels, d)
        self.fcs_1 = nn.Linear(d, in_channels)
        self.fcs_2 = nn.Linear(d, in_channels)

    def forward(self, x):
        branch1 = self.conv3x3(x)
        branch2 = self.conv5x5(x)
        branch_1_2 = torch.cat([branch1, branch2], dim=1)

        branch3 = branch1 + branch2
        f_gp = self.gp(branch3)
        f_fc = self.fc(f_gp)
        f_fcs1 = self.fcs_1(f_fc)
        f_fcs2 = self.fcs_2(f_fc)
        attention_vectors = torch.cat([f_fcs1, f_fcs2], dim=1).softmax(dim=1)
        attention_vectors = attention_vectors.view(attention_vectors.size(0), -1)
        return attention_vectors * branch_1_2


try:
    BrokenSKAttentionModule(64, G=32)(torch.randn(2, 64, 8, 8))
except Exception:
    traceback.print_exc(limit=-1, file=sys.stdout)

# %% [markdown]
# **How to work.** Copy the broken class into a cell of your own and run it. Repair the line that stops, and run again.
# When nothing stops any more, look for what is silent.
#
# Write the repaired module here: `SKAttentionModule(in_channels, G=32, L=32, r=16)`, `forward(x)`: `(N, C, H, W)` →
# `(N, C, H, W)`. As many channels come out as go in.
#
# Keep two branches. The second may stay a true 5×5 convolution, as the tutorial has it, or become a dilated 3×3, as in
# the paper. Biases may stay or go.
#
# <!-- hints: debug-sk -->

# %% exercise="debug-sk"
class SKAttentionModule(nn.Module):
    def __init__(self, in_channels, G=32, L=32, r=16):
        super().__init__()
        ### BEGIN SOLUTION
        d = max(in_channels // r, L)
        self.conv3x3 = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, kernel_size=3, padding=1, groups=G),
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
        )
        self.conv5x5 = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, kernel_size=5, padding=2, groups=G),
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
        )
        self.gp = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(nn.Linear(in_channels, d), nn.BatchNorm1d(d), nn.ReLU(inplace=True))
        self.fcs_1 = nn.Linear(d, in_channels)
        self.fcs_2 = nn.Linear(d, in_channels)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        branch1 = self.conv3x3(x)
        branch2 = self.conv5x5(x)
        f_gp = self.gp(branch1 + branch2).flatten(1)
        f_fc = self.fc(f_gp)
        scores = torch.stack([self.fcs_1(f_fc), self.fcs_2(f_fc)], dim=1)
        attention_vectors = scores.softmax(dim=1)[:, :, :, None, None]
        return attention_vectors[:, 0] * branch1 + attention_vectors[:, 1] * branch2
        ### END SOLUTION


# %%
check("debug-sk-runs", SKAttentionModule)

# %%
check("debug-sk-parameters", SKAttentionModule)

# %%
check("debug-sk-values", SKAttentionModule)

# %% [markdown]
# ## 7. Experiment: does the block follow the size of the object?
#
# The paper says: enlarge the object, and the weight of the larger kernel rises (its section 4.3). We test that.
#
# The images are garments of four classes, between 7 and 23 pixels wide, in noise. The noise is there so that a large
# window *could* help: it averages over more pixels. Whether it does, a table will say.

# %% tags=["demo"]
def noisy_garments(number, split, seed, scale=(0.3, 0.96)):
    """Images, labels and sizes of upright garments on black, in noise; the sizes are between scale[0] and scale[1]."""
    scenes = data.scenes(number, split, size=24, seed=seed, scale=scale, rotation=0, fragments=0, photos=False)
    noise = torch.randn(scenes.image.shape, generator=torch.Generator().manual_seed(seed))
    is_class = scenes.label[:, None] == torch.tensor([data.FASHION_CLASSES.index(name) for name in data.CUE_CLASSES])
    four = is_class.any(1)
    return (scenes.image + 0.4 * noise)[four], is_class.int().argmax(1)[four], scenes.size[four]


number = 1000 if training.fast() else 20000
train_images, train_labels, _ = noisy_garments(number, "train", seed=1)
test_images, test_labels, test_sizes = noisy_garments(number // 8, "test", seed=2)
figures.gallery(test_images[:8], [f"{size:.0f} pixels" for size in test_sizes[:8]])

# %% [markdown]
# The network has two residual units, each with a selective kernel. The second branch gets dilation 3, so that the two
# windows differ clearly (3 against 7 pixels). We take the block of the package here: it computes what yours computes,
# and takes the dilations as one more argument.
#
# **The control.** A second network is the same in all but one thing: *both* branches have dilation 1. It has as many
# parameters, and its block selects between two equal windows. Whatever rises there has nothing to do with window size.

# %% tags=["demo"]
class Unit(nn.Module):
    """x + project(block(x)): a residual unit around a selective kernel."""

    def __init__(self, channels, dilations):
        super().__init__()
        self.block = mechanisms.SelectiveKernel(channels, reduction=4, groups=1, min_width=16, dilations=dilations)
        self.project = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        return torch.relu(x + self.project(self.block(x)))


class Network(nn.Module):
    """Convolution, unit, convolution, unit, average, linear layer; the convolutions halve the map."""

    def __init__(self, *dilations, width=8):
        super().__init__()
        self.layers = nn.ModuleList()
        for before, after in [(1, width), (width, 2 * width)]:
            convolution = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
            self.layers.append(nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU()))
            self.layers.append(Unit(after, dilations))
        self.classes = nn.Linear(2 * width, 4)

    def weights(self, x):
        """The branch weights of both units."""
        found = []
        for layer in self.layers:
            if isinstance(layer, Unit):
                found.append(layer.block.weights(x))
            x = layer(x)
        return found

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.classes(x.mean((2, 3)))


# %% [markdown]
# Now train both networks from five seeds (about one minute).

# %% tags=["demo"]
comparison = training.compare(
    {"dilations 1 and 3": lambda: Network(1, 3), "control: 1 and 1": lambda: Network(1, 1)},
    train=(train_images, train_labels),
    test=(test_images, test_labels),
    steps=400,
    seeds=range(5),
    lr=1.5e-2,
)
comparison

# %% [markdown]
# **Before we look at the weights, we fix the rule.** We show each network the same test garments twice: as small as they
# come, and as large. By how much does the mean weight of branch 2 rise? We say that a unit *follows the size* if the gap
# between the two networks, mean against mean, is clearly larger than the spread between seeds. There are two units. The
# rule is the same for both, and we report both.

# %% tags=["demo"]
small = noisy_garments(1000, "test", seed=3, scale=(0.3, 0.3))[0]
large = noisy_garments(1000, "test", seed=3, scale=(0.96, 0.96))[0]


@torch.no_grad()
def rise(model, unit):
    """How much the mean weight of branch 2 rises from small to large garments."""
    before, after = (model.weights(images)[unit][:, 1].mean() for images in (small, large))
    return after - before


rises = {
    (unit, name): torch.stack([rise(model, unit) for model in run.models])
    for unit in (0, 1)
    for name, run in comparison.runs.items()
}
table = Table(
    "Rise of the weight of branch 2 from small to large garments; mean ± standard deviation over the seeds.",
    ["unit", "network", "rise", *(f"seed {seed}" for seed in comparison.seeds)],
    [
        [str(unit + 1), name, f"{values.mean():+.2f} ± {values.std():.2f}", *(f"{value:+.2f}" for value in values)]
        for (unit, name), values in rises.items()
    ],
)

images, _, sizes = noisy_garments(1000, "test", seed=4)
with torch.no_grad():
    chosen = [model.weights(images)[1] for model in comparison.runs["dilations 1 and 3"].models]
display(table, figures.branch_weights(torch.stack(chosen).mean(0), sizes, ["dilation 1", "dilation 3"]))
for unit in (0, 1):
    ours, control = (rises[unit, name] for name in comparison.runs)
    spread = max(ours.std(), control.std())
    print(f"unit {unit + 1}: gap between the means {ours.mean() - control.mean():+.2f}, larger spread {spread:.2f}")
print(f"mean pixel of the small garments: {small.mean():.3f}, of the large ones: {large.mean():.3f}")

# %% [markdown]
# Apply the rule, line by line.
#
# - **Unit 1.** The gap is about as large as the spread, and seeds of the two networks overlap. We cannot say anything.
# - **Unit 2.** The gap is about twice the spread. Where the windows differ, the weight rises in every seed. Where they
#   are equal, the mean does not rise.
#
# **Look at the control alone.** Its weights move too, although there is nothing to choose. Two equal windows learn
# different filters by chance, and one filter may like large things. With one network and one seed we might have told a
# story about that.
#
# The picture shows unit 2, averaged over the networks of all seeds. Each dot is an image, the lines are means. The two
# colours mirror each other, because the two weights sum to 1. Compare the larger window with one half: "more weight for
# large objects" means more *than for small objects*. It does not mean more than the small window gets.
#
# **What this shows.** In unit 2 the block gives the larger window more weight for larger objects. In unit 1 we cannot
# say. Nobody told the network the size. But it can read it from the squeeze, which is an average: the last line above
# shows that large garments make the image brighter. So "follows the size" may mean "follows the amount of light".
#
# **What it does not show.** That SK, or a large window, makes the network better: in the first table the control is not
# worse. And the paper finds that the effect fades in its highest layers. Two units are too few to say anything about
# that.

# %% [markdown]
# ## 8. The paper, guided
#
# Read sections 3.1 and 4.3. Then answer for yourself before you unfold.
#
# <details><summary><b>Must the two weights sum to 1? What would a sigmoid for each branch change?</b></summary>
#
# With the softmax they must, in every channel. So the output is always an average of the branches and keeps their
# scale: the block chooses a *window*. With two sigmoids both branches could be open or both shut: the block would
# choose a window and a strength at once, as SE does. It would be another block, not a wrong one.
#
# </details>
#
# <details><summary><b>Why is the sum of the branches squeezed, and not x?</b></summary>
#
# The choice should depend on what the windows *found*. The sum holds the answers of both. The input holds neither.
#
# </details>
#
# <details><summary><b>Why BN and ReLU in the hidden layer? SE has no BN there.</b></summary>
#
# The ReLU is what makes two layers more than one matrix. BN keeps the scores in a range in which the softmax is neither
# flat nor decided for ever. One price: BN over a batch needs more than one image in training, because one number has no
# variance.
#
# </details>
#
# ## The course's comparison table, so far

# %% tags=["demo"]
figures.mechanism_table("softmax pooling", "SE", "CBAM", "BAM", "SK")

# %% [markdown]
# **What commonly goes wrong**
#
# - The softmax runs over channels, or over branches and channels together. Ask: *which sums are 1?*
# - The padding does not grow with the dilation: the branches differ in size and cannot be added.
# - The weights multiply the *sum* of the branches. As they sum to 1, the block then selects nothing, and trains
#   happily.
# - One score layer gives all branches the same scores: every weight is $1/M$.
#
# **A limit.** The block has one weight for a channel of the whole image. Two objects of different sizes in one image
# must share it.

# %% [markdown]
# ## Your points

# %%
points("05-selective-kernel")

# %% [markdown]
# **Next:** lesson 06 leaves convolutions: every patch looks at every other patch.
