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
# | **Time** | about 70 minutes |
# | **You need** | tensors, broadcasting and `nn.Module` in PyTorch; nothing about attention |
# | **Points** | <!-- points --> |
#
# Run the cells from top to bottom (Shift+Enter). Where you read `YOUR CODE HERE`, delete the line `raise
# NotImplementedError()` and write your code. The cell below each exercise checks it, as often as you like.

# %%
# %load_ext attention_lab.grading

# %%
import ipywidgets
import torch
from torch import nn

from attention_lab import data, figures, training
from attention_lab.grading import check, hint, points

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
figures.attention_heads(
    data.photo("astronaut", 448), data.dinov2_attention("astronaut")[[10, 11]], ["layer 11", "layer 12"]
)

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
# There are two normalisers, and you should always know which one you have. Take five positions with a score each:
#
# - **softmax selects.** The weights sum to 1. If one rises, the others fall.
# - **sigmoid gates.** Each weight is between 0 and 1, whatever the others do.

# %%
scores = torch.tensor([2.0, 1.0, 0.5, -1.0, 2.0])
figures.bars({"scores": scores, "softmax": scores.softmax(0), "sigmoid": scores.sigmoid()})

# %% [markdown]
# Two positions have the highest score, 2. The softmax lets them share, so neither comes near 1. The sigmoid opens both.

# %%
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
ipywidgets.interact(
    lambda temperature: figures.bars({f"T = {temperature:.2f}": softmax(scores, temperature=temperature)}),
    temperature=ipywidgets.FloatLogSlider(value=1, base=10, min=-1, max=1, description="T"),
);

# %%
figures.bars({f"T = {temperature}": softmax(scores, temperature=temperature) for temperature in (0.1, 0.5, 1.0, 10.0)})

# %% [markdown]
# ## 4. Exercise: select
#
# **What and why.** Weights alone do nothing. To *select* means: average the features over positions, with the weights.
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
# quieter. The next three lessons all end with this line. **Difficulty** ●○○○ · **10 minutes** · **<!-- points: recalibrate --> points**
#
# $$y = \sigma(\ell)\, x$$
#
# `recalibrate(x, logits)`: `x` is `(N, C, H, W)`. The **logits** $\ell$ are scores before a sigmoid. Their shape says
# *what* is weighted. $\sigma(\ell) = 1 / (1 + e^{-\ell})$ is the sigmoid.
#
# | shape of `logits` | what is weighted | you meet it in |
# | --- | --- | --- |
# | `(N, C, 1, 1)` | channels | squeeze-and-excitation (SE), lesson 02 |
# | `(N, 1, H, W)` | positions | convolutional block attention (CBAM), lesson 03 |
# | `(N, C, H, W)` | every value | bottleneck attention (BAM), lesson 04 |
#
# <!-- hints: recalibrate -->

# %% exercise="recalibrate"
def recalibrate(x, logits):
    """(N, C, H, W) times the sigmoid of logits that broadcast to it -> (N, C, H, W)."""
    ### BEGIN SOLUTION
    return x * torch.sigmoid(logits)
    ### END SOLUTION


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

# %%
photo = data.photo("coffee", size=192)[None]
height, width = photo.shape[2:]
rows = torch.linspace(-1, 1, height)[:, None]
columns = torch.linspace(-1, 1, width)[None, :]

channel_logits = torch.tensor([4.0, -1.0, -4.0]).view(1, 3, 1, 1)
position_logits = (4 - 16 * (rows**2 + columns**2)).view(1, 1, height, width)
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
    """Bags of garments, one of them inverted: images (number, size, 28, 28) and the class of the inverted one."""
    generator = torch.Generator().manual_seed(seed)
    images, labels = data.fashion(split)
    chosen = torch.randint(len(images), (number, size), generator=generator)
    odd = torch.randint(size, (number,), generator=generator)
    every = torch.arange(number)
    bag = images[chosen][:, :, 0]
    bag[every, odd] = 1 - bag[every, odd]
    return bag, labels[chosen[every, odd]]


number = 500 if training.fast() else 4000
train_bags, train_labels = bags("train", number, seed=1)
test_bags, test_labels = bags("test", number // 4, seed=2)
figures.gallery(test_bags[0][:, None], [""] * 25)

# %% [markdown]
# Every garment becomes a feature vector. Then three networks combine the 25 vectors into one. They differ in this step
# alone:
#
# - **average**: every garment counts the same;
# - **gate**: each garment gets a sigmoid weight, then the average;
# - **select**: your `select`.
#
# Each is trained from three seeds. A **seed** fixes the random start and the order of the images, so the spread between
# seeds tells how much of a difference is luck.

# %% tags=["demo"]
class Bag(nn.Module):
    """Classify a bag (N, L, 28, 28): features for each image, a score for each image, a combination, a class."""

    def __init__(self, combine):
        super().__init__()
        self.features = nn.Sequential(nn.Flatten(2), nn.Linear(28 * 28, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.scores = nn.Linear(64, 1)
        self.classes = nn.Linear(64, 10)
        self.combine = combine

    def weigh(self, bag):
        features = self.features(bag)  # (N, L, 64)
        return features.transpose(1, 2), self.scores(features)[:, :, 0]

    def forward(self, bag):
        return self.classes(self.combine(*self.weigh(bag)))


comparison = training.compare(
    {
        "average": lambda: Bag(lambda features, scores: features.mean(-1)),
        "gate": lambda: Bag(lambda features, scores: (features * scores.sigmoid()[:, None]).mean(-1)),
        "select (yours)": lambda: Bag(select),
    },
    train=(train_bags, train_labels),
    test=(test_bags, test_labels),
    steps=300,
)
model = comparison.runs["select (yours)"].models[0]
with torch.no_grad():
    weights = softmax(model.weigh(test_bags[:1])[1])[0]
display(comparison, figures.gallery(test_bags[0][:, None], [f"{weight:.2f}" for weight in weights]))

# %% [markdown]
# The pictures show where one of the trained selections looks: above each garment of a test bag stands its weight. The
# network never saw a mark on the negative garment, only the class of the whole bag.
#
# **What this shows.** Compare the rows with the spread between seeds. In the average, the garment that matters is 1/25 of
# the vector, mixed with 24 others. The selection learns to weigh it alone, and the rest of the network then sees one clean
# vector. The gate could learn to close 24 of 25 gates, but the average that follows still divides by 25, so what is left is
# small. That is a likely reason why it gains little here; we did not test it further.
#
# **What it does not show.** That selecting is better in general. Here exactly one part mattered, which is what a softmax
# is made for. If five garments mattered, they would have to share the weight.

# %% [markdown]
# ## 8. In your own words
#
# **Question (<!-- points: which-weighting --> points, read by your instructor).** When would you *gate* with a sigmoid, and when would you *select* with
# a softmax? Give one example of each, not from this notebook. Five sentences are enough.

# %% [markdown] exercise="which-weighting"
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
