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
# # 01 · Attention as weighting
#
# **Attention = a distribution of weights, computed from the features, then combined with the features.** Every lesson of
# this course is one way to do that. This lesson gives you the frame.
#
# **Papers:** a softmax with a temperature in networks: G. Hinton, O. Vinyals, J. Dean, *Distilling the Knowledge in a Neural
# Network*, 2015, section 2 ([arXiv:1503.02531](https://arxiv.org/abs/1503.02531)); the weighted average as attention:
# D. Bahdanau, K. Cho, Y. Bengio, *Neural Machine Translation by Jointly Learning to Align and Translate*, ICLR 2015,
# section 3.1 ([arXiv:1409.0473](https://arxiv.org/abs/1409.0473)).
#
# | | |
# | --- | --- |
# | **After this lesson you can** | turn scores into weights in two ways, combine them with features, and say which way fits a problem |
# | **Time** | about 75 minutes, without reading the papers |
# | **You need** | tensors, broadcasting and `nn.Module` in PyTorch; nothing about attention |
# | **Points** | <!-- points --> |
#
# Run the cells from top to bottom (Shift+Enter). Where you read `YOUR CODE HERE`, delete the line `raise
# NotImplementedError()` and write your code. The cell below each exercise checks it, as often as you like. In all lessons
# your code leaves what it is given as it is: whoever passed it a tensor still needs its numbers.
#
# If the first cell says `No module named 'attention_lab'`, the notebook was opened elsewhere: close it, and open it with
# `attention-lab lab`.

# %%
# %load_ext attention_lab.grading

# %%
from functools import cache

import ipywidgets
import torch
from torch import nn

from attention_lab import data, figures, training
from attention_lab.grading import check, hint, points
from attention_lab.table import Table

# %% [markdown]
# ## 1. A picture first
#
# A network called DINOv2 looked at this photograph. (It is a vision transformer; you build one in lesson 06.) It cut the
# image into small square **patches** and described each patch by a vector of numbers, its **features**. To describe the
# image as a whole, it averaged the features of all patches, but not equally: each patch got a **weight**.
#
# The network has twelve layers, one after the other. Each has six **heads**: six such averages side by side, each with
# weights of its own. The colour is the weight of a patch, divided by the largest weight of that head; `max` above a picture
# is that largest weight.

# %% tags=["demo"]
weights = data.dinov2_attention("astronaut")[[10, 11]]
figures.attention_heads(data.photo("astronaut", 448), weights, ["layer 11", "layer 12"])

# %% [markdown]
# Look at the last layer. Some heads weigh the hair, some the collar, one the background. Nobody marked these parts for the
# network. The weights were computed **from the features themselves**. In lesson 06 you build this mechanism. Today we
# build its heart: scores become weights, weights combine features.
#
# ## 2. The frame of the whole course
#
# ```mermaid
# flowchart LR
#     features["features"] --> scores["scores<br/>any real numbers"]
#     scores --> normaliser["normaliser<br/>softmax or sigmoid"]
#     normaliser --> weights["weights<br/>between 0 and 1"]
#     weights --> combine(("combine"))
#     features --> combine
#     combine --> output["output"]
# ```
#
# | part | question it answers | in the code |
# | --- | --- | --- |
# | **scores** $s$ | how much does each part matter? | `scores` or `logits` |
# | **normaliser** | do the parts compete? | `softmax` or `sigmoid` |
# | **weights** $w$ | what is attended to? | `weights(x)` |
# | **combination** | what happens with the weights? | `forward(x)` |
#
# Where do the scores come from? Usually from a small layer that looks at the features. In this lesson they are given.
#
# There are two normalisers, and you should always know which one you have. Take five parts with a score each:
#
# - **softmax selects.** The weights sum to 1. If one rises, the others fall.
# - **sigmoid gates.** Each weight is between 0 and 1, whatever the others do.
#
# Strictly, only the softmax gives a *distribution*: weights that sum to 1. The weights of a sigmoid have any sum. When
# we say "a distribution of weights", we mean both: how weight is spread over the parts.

# %% tags=["demo"]
scores = torch.tensor([2.0, 1.0, 0.5, -1.0, 2.0])
figures.bars({"scores": scores, "softmax": scores.softmax(0), "sigmoid": scores.sigmoid()})

# %% [markdown]
# (Mind the axes: scores can be negative, weights cannot.) Two parts have the highest score, 2. The softmax lets them
# share, so neither comes near 1. The sigmoid opens both.

# %% tags=["demo"]
print(f"softmax: {scores.softmax(0).max():.2f} for the best, sum {scores.softmax(0).sum():.2f}")
print(f"sigmoid: {scores.sigmoid().max():.2f} for the best, sum {scores.sigmoid().sum():.2f}")

# %% [markdown]
# ## 3. Exercise: softmax with a temperature
#
# **What and why.** You have used `softmax` as a black box. Write it once, and you know what can break.
# **Difficulty** ●●○○ · **15 minutes** · **<!-- points: temperature-softmax --> points**
#
# $$w_i = \frac{\exp(s_i / T)}{\sum_j \exp(s_j / T)}$$
#
# - $s_i$ is `scores` along the axis `dim`, and $w_i$ is what you return, in the same shape.
# - $T$ is `temperature`. A large $T$ makes all scores look alike: flat weights. A small $T$ makes the best one win.
#
# Please write it with `exp`, not with `torch.softmax`. It must survive scores of 10,000. (What is $e^{10000}$ for a
# computer?)
#
# If you are stuck, run `hint("temperature-softmax")` in a cell of your own, or unfold:
#
# <!-- hints: temperature-softmax -->

# %% exercise="temperature-softmax"
def softmax(scores, dim=-1, temperature=1.0):
    """Weights along dim that are positive and sum to 1; the shape of scores is kept."""
    ### BEGIN SOLUTION
    scaled = scores / temperature
    powers = torch.exp(scaled - scaled.amax(dim, keepdim=True))
    return powers / powers.sum(dim, keepdim=True)
    ### END SOLUTION


# %%
check("temperature-softmax-values", softmax)

# %%
check("temperature-softmax-temperature", softmax)

# %%
check("temperature-softmax-stable", softmax)

# %% [markdown]
# **Play with it.** Move the slider and watch your own weights. (The picture below the slider stays for readers who
# cannot run the notebook.)

# %% tags=["demo", "nbval-ignore-output"]
def weights_at(*temperatures):
    return {f"T = {T:.3g}": softmax(scores, temperature=T) for T in temperatures}


ipywidgets.interact(
    lambda temperature: figures.bars(weights_at(temperature)),
    temperature=ipywidgets.FloatLogSlider(value=1, base=10, min=-1, max=1, description="T"),
);

# %% tags=["demo"]
figures.bars(weights_at(0.1, 0.5, 1, 10))

# %% [markdown]
# ## 4. Exercise: select
#
# **What and why.** Weights alone do nothing. A **position** is one place of an image, or one of several parts in a row.
# To *select* means: average the features over the positions, with the weights.
# This one line is the core of every transformer. **Difficulty** ●●○○ · **15 minutes** · **<!-- points: select --> points**
#
# $$y_c = \sum_{l=1}^{L} w_l\, f_{c,l}\qquad w = \mathrm{softmax}(s)$$
#
# `select(features, scores)`: features `(N, C, L)` and scores `(N, L)` → `(N, C)`. `N` images, `C` channels, `L` positions.
# Each image has its own scores. Use your `softmax`.
#
# <!-- hints: select -->

# %% exercise="select"
def select(features, scores):
    """(N, C, L) features and (N, L) scores -> (N, C): the softmax-weighted average over positions."""
    ### BEGIN SOLUTION
    weights = softmax(scores)
    return (features * weights[:, None, :]).sum(-1)
    ### END SOLUTION


# %%
check("select-shape", select)

# %%
check("select-values", select)

# %%
check("select-one-position", select)

# %% [markdown]
# ## 5. Exercise: recalibrate
#
# **What and why.** To *gate* means: multiply every feature by its own weight. The map keeps its shape; parts of it become
# quieter. Lessons 02 and 03 end with this line; lesson 04 with a relative, $(1 + \sigma(\ell))\,x$. **Difficulty** ●○○○ · **15 minutes** · **<!-- points: recalibrate --> points**
#
# $$y = \sigma(\ell)\, x$$
#
# `x` is a **feature map** `(N, C, H, W)`: `N` images, `C` channels, each with a number at every one of `H` × `W`
# positions. The **logits** $\ell$ are scores before a sigmoid, and $\sigma(\ell) = 1 / (1 + e^{-\ell})$ is the sigmoid.
# To **recalibrate** is to gate a map.
#
# The formula is one line. What decides *what is weighted* is the **shape of the logits**: on an axis of size 1, one
# weight is shared by all. So there are two functions to write.
#
# - `logits_shape(x, what)`: the shape that the logits for `x` must have, a tuple of four numbers. `what` is a word of
#   this table. Every image has weights of its own.
# - `recalibrate(x, logits)`: `x` and logits of such a shape → `(N, C, H, W)`. The gate must also work for logits as large
#   as 1,000 and −1,000.
#
# | `what` | what is weighted | you meet it in |
# | --- | --- | --- |
# | `"channels"` | a channel, alike at all positions | squeeze-and-excitation (SE), lesson 02 |
# | `"positions"` | a position, alike in all channels | convolutional block attention (CBAM), lesson 03 |
# | `"values"` | every value by itself | bottleneck attention (BAM), lesson 04 |
#
# <!-- hints: recalibrate -->

# %% exercise="recalibrate"
def logits_shape(x, what):
    """The shape of the logits that weigh the "channels", "positions" or "values" of x."""
    ### BEGIN SOLUTION
    n, c, h, w = x.shape
    return {"channels": (n, c, 1, 1), "positions": (n, 1, h, w), "values": (n, c, h, w)}[what]
    ### END SOLUTION


def recalibrate(x, logits):
    """(N, C, H, W) times the sigmoid of logits that broadcast to it -> (N, C, H, W)."""
    ### BEGIN SOLUTION
    return x * torch.sigmoid(logits)
    ### END SOLUTION


# %%
check("recalibrate-logits-shapes", logits_shape)

# %%
check("recalibrate-shape", recalibrate)

# %%
check("recalibrate-values", recalibrate)

# %%
check("recalibrate-open-and-closed", recalibrate)

# %% [markdown]
# ## 6. See what you built
#
# Take a photograph as `x`: three channels (red, green, blue) and many positions. The same function, with logits of two
# shapes, does two different things.

# %% tags=["demo"]
photo = data.photo("coffee", size=192)[None]
height, width = photo.shape[2:]
rows = torch.linspace(-1, 1, height)[:, None]
columns = torch.linspace(-1, 1, width)[None, :]

channel_logits = torch.tensor([4.0, -1.0, -4.0]).view(logits_shape(photo, "channels"))
position_logits = (4 - 16 * (rows**2 + columns**2)).view(logits_shape(photo, "positions"))
figures.gallery(
    torch.cat([photo, recalibrate(photo, channel_logits), recalibrate(photo, position_logits)]),
    ["x", "gated by channel", "gated by position"],
)

# %% [markdown]
# ## 7. Experiment: find the odd one out
#
# When is weighting better than a plain average? We build a task. A **bag** holds 25 garments. One of them, at a random
# place, is shown as a negative: bright and dark are swapped. Name the class of that one.

# %% tags=["demo"]
def bags(split, number, size=25, seed=0):
    """Images (number, size, 28, 28), one of each bag inverted; its class; its place."""
    generator = torch.Generator().manual_seed(seed)
    images, labels = data.fashion(split)
    chosen = torch.randint(len(images), (number, size), generator=generator)
    odd = torch.randint(size, (number,), generator=generator)
    every = torch.arange(number)
    bag = images[chosen][:, :, 0]
    bag[every, odd] = 1 - bag[every, odd]
    return bag, labels[chosen[every, odd]], odd


number = 500 if training.fast() else 4000
train_bags, train_labels, _ = bags("train", number, seed=1)
test_bags, test_labels, test_odd = bags("test", number // 4, seed=2)
figures.gallery(test_bags[0][:, None], [""] * 25)

# %% [markdown]
# A small network turns every garment into 64 numbers, its features, and into one score. Then the 25 feature vectors are
# combined into one. Six networks differ in this step alone. It has two parts, which are easily confused:
#
# | | the weighted features are **averaged** (divided by 25) | they are **summed** |
# | --- | --- | --- |
# | **no weights** | average | sum |
# | **sigmoid** | gate, then average | gate, then sum |
# | **softmax** | select, then divided by 25 | select (yours) |
#
# Whoever compares *gate, then average* with *select* changes two things at once: the **normaliser** and the
# **combination**. And *average* against *select* changes two things as well: **weights** or none, and the combination.
# With all six rows you can see which of them matters.
#
# **Before you run.** Guessing one of ten classes gives 90 % errors. What will the plain average reach? Which will be
# nearer to *select*: the softmax divided by 25, or the sigmoid with a sum? Write down an order of the six rows.
#
# The next cell takes about a minute. A **seed** fixes the random start and the order of the images. Each network is
# trained from five seeds, and two networks count as different only if their difference, seed by seed, is clearly larger
# than the luck of the seeds. (± is the *standard error*, a measure of that luck. Lesson 02 explains it, and the rule behind
# the column *so it is*.)

# %% tags=["demo"]
class Bag(nn.Module):
    """Classify a bag (N, L, 28, 28): features and a score for each image, combined, then a class."""

    def __init__(self, combine):
        super().__init__()
        hidden = nn.Sequential(nn.Linear(28 * 28, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.features = nn.Sequential(nn.Flatten(2), hidden)
        self.scores = nn.Linear(64, 1)
        self.classes = nn.Linear(64, 10)
        self.combine = combine

    def weigh(self, bag):
        features = self.features(bag)  # (N, L, 64)
        return features.transpose(1, 2), self.scores(features)[:, :, 0]

    def forward(self, bag):
        return self.classes(self.combine(*self.weigh(bag)))


def gated(features, scores):
    return features * scores.sigmoid()[:, None]


@cache  # trains when it is called first, then remembers
def comparison():
    return training.compare(
        {
            "average": lambda: Bag(lambda features, scores: features.mean(-1)),
            "sum": lambda: Bag(lambda features, scores: features.sum(-1)),
            "gate, then average": lambda: Bag(lambda *both: gated(*both).mean(-1)),
            "gate, then sum": lambda: Bag(lambda *both: gated(*both).sum(-1)),
            "select, divided by 25": lambda: Bag(lambda *both: select(*both) / 25),
            "select (yours)": lambda: Bag(select),
        },
        train=(train_bags, train_labels),
        test=(test_bags, test_labels),
        steps=300,
        seeds=(20, 21, 22, 23, 24),
    )


comparison().table("select (yours)")

# %% [markdown]
# Compare with your order. *Select* is the best row, and the rule calls every other one worse. But look *how much* worse.
# The sigmoid with a **sum** comes within about a point, and the sum **without any weights** within three. The rows that
# **divide by 25** are several points behind, whichever normaliser they have; one of them even failed in one seed, which
# makes its ± so large.
#
# Now compare pairs of rows that differ in one thing only. What are the weights worth, what the division, what the
# normaliser?

# %% tags=["demo"]
def change(name, other):
    apart = comparison().minus(name, other)
    return [f"“{name}” minus “{other}”", str(apart), apart.in_words("better", "worse")]


rows = [
    ["weights", *change("gate, then average", "average")],
    ["weights", *change("gate, then sum", "sum")],
    ["division by 25", *change("average", "sum")],
    ["division by 25", *change("gate, then average", "gate, then sum")],
    ["division by 25", *change("select, divided by 25", "select (yours)")],
    ["normaliser", *change("select, divided by 25", "gate, then average")],
    ["normaliser", *change("select (yours)", "gate, then sum")],
]
header = ["what changes", "error in %", "mean ± standard error", "so it is"]
Table("Pairs of rows that differ in one thing only.", header, rows)

# %% [markdown]
# - **Weights**: they help in both pairs, by about two points. Only these two pairs show what weighting alone is worth.
# - **Division**: a sum is about five points better, without weights and with a sigmoid's. With a softmax it is better,
#   too, but the failed seed makes the number unsure.
# - **Normaliser**: with a sum, the softmax is about one point better. After a division by 25, these seeds cannot tell.
#
# So most of the gap between *average* and *select* is neither weighting nor softmax. It is the **combination**: the part
# that matters is divided by 25. With only the rows *average*, *gate, then average* and *select* one would give the credit
# to the softmax.
#
# A factor of 25 is something that the last linear layer could undo. So this is not about what the networks *can* do, but
# about what they learn in 300 steps from this start.
#
# **Why is the plain average so far below 90 % errors?** It has no weights at all, yet it must find the odd garment
# somehow. Look at its *features*: how long is the feature vector of the odd garment, and how long are the others?

# %% tags=["demo"]
def lengths(model):
    """Mean length of the feature vector of the odd garment, and of the 24 others."""
    with torch.no_grad():
        length = model.features(test_bags).norm(dim=-1)  # (N, 25)
    odd = torch.zeros_like(length).scatter(1, test_odd[:, None], 1).bool()
    return float(length[odd].mean()), float(length[~odd].mean())


for name in ("average", "select (yours)"):
    print(name)
    for seed, model in zip(comparison().seeds, comparison().runs[name].models):
        odd, other = lengths(model)
        print(f"    seed {seed}: odd garment {odd:.1f}, another {other:.1f}, ratio {odd / other:.1f}")

# %% [markdown]
# Thirty to forty times as long. The layers *before* the average have learned to be loud for a negative and nearly silent
# for all others. So the average is one loud vector and 24 quiet ones: **a weighting hidden in the features**. With
# *select* the odd garment is louder, too, but by a factor of about two only. Attention gives the weighting a place of its
# own, where you can see it.
#
# **Where does the selection look?** Above each garment of a test bag stands its weight in one trained selection. The
# network never saw a mark on the negative garment, only the class of the whole bag.

# %% tags=["demo"]
model = comparison().runs["select (yours)"].models[0]
with torch.no_grad():
    weights = softmax(model.weigh(test_bags[:1])[1])[0]
figures.gallery(test_bags[0][:, None], [f"{weight:.2f}" for weight in weights])

# %% [markdown]
# One bag of one network is an anecdote. So here is the same for all test bags and all five seeds.

# %% tags=["demo"]
rows = []
for seed, model in zip(comparison().seeds, comparison().runs["select (yours)"].models):
    with torch.no_grad():
        weights = softmax(model.weigh(test_bags)[1])  # (N, 25)
        wrong = model(test_bags).argmax(1) != test_labels
    found = weights.argmax(1) == test_odd
    on_odd = weights.gather(1, test_odd[:, None]).mean()
    share, error = found.float().mean(), wrong[found].float().mean()
    rows.append([f"{seed}", f"{on_odd:.2f}", f"{share:.1%}", f"{error:.1%}"])
header = ["seed", "its mean weight", "bags in which it has the largest", "of these, wrong class"]
Table("The weight of the odd garment in all test bags.", header, rows)

# %% [markdown]
# **What this shows.** In every seed, the network that may weigh its parts finds the one that matters, from the class of
# the whole bag alone. (And of the bags in which it looks at the right garment, about a quarter get a wrong class: to look
# at the right part is not yet to know it.) Whether the parts are summed or averaged can matter more, in a training of 300
# steps, than whether they compete, and more than whether they are weighted at all.
#
# **What it does not show.** That selecting is better in general. Here exactly one part mattered, which is what a softmax
# is made for. If five garments mattered, they would have to share the weight.

# %% [markdown]
# ## 8. In your own words
#
# **Question (<!-- points: which-weighting --> points, read by your instructor).** When would you *gate* with a sigmoid, and when would you *select* with
# a softmax? Give one example of each, not from this notebook. Five sentences are enough.

# %% [markdown] exercise="which-weighting"
# | points | for |
# | --- | --- |
# | 1 | **When to gate:** several parts may matter at once, or each is judged alone, or the map keeps its shape. Not enough: "the sigmoid is between 0 and 1". |
# | 1 | **When to select:** the parts compete, or one summary of many is wanted. Not enough: "the softmax sums to 1". |
# | 1 | **Two examples**, one of each, that fit and are not from the notebook. Half a point for one. |
#
# **Gate** when several parts can matter at once, and how many is not known: which of 512 channels are useful for this
# image? Each channel is judged alone, and the map keeps its shape. **Select** when the output should be one summary of
# many parts, and they should compete for it: which of nine photographs shows the face that I am looking for? The weights
# sum to 1, so the output is an average and keeps the scale of the features, however many parts there are.

# %% [markdown]
# ## 9. The papers, guided
#
# Read the two sections named at the top. Think first, then unfold.
#
# <details><summary><b>Does a softmax with T → 0 choose exactly one position? And T → ∞?</b></summary>
#
# At T → 0 all weight goes to the largest score; equal largest scores share. At T → ∞ every weight becomes 1/L: the plain
# average. So the average is a special case of selection.
#
# </details>
#
# <details><summary><b>Why not simply take the position with the largest score (argmax)?</b></summary>
#
# Because argmax has no gradient: a tiny change of a score changes nothing, so the scores could not be learned. The softmax
# is its soft, differentiable version. That is where the name comes from.
#
# </details>
#
# <details><summary><b>Are attention weights an explanation of what the network does?</b></summary>
#
# They say which features were mixed into the output, not what the network did with them. Treat maps like the one at the
# top as a rough, qualitative idea.
#
# </details>
#
# ## The course's comparison table
#
# Every lesson adds a row.

# %% tags=["demo"]
figures.mechanism_table("softmax pooling")

# %% [markdown]
# **What commonly goes wrong**
#
# - The softmax runs over the wrong axis. Ask: *which sums are 1?* Then test it.
# - Scores are multiplied by the temperature instead of divided.
# - `exp` of a large score is `inf`, and `inf / inf` is `nan`.

# %% [markdown]
# ## Your points

# %%
points("01-attention-as-weighting")

# %% [markdown]
# **Next:** lesson 02 gates the channels of a feature map.
