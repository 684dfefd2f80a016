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
# # 10 · The family since: cheaper, local, deformable, and put into a trained network
#
# **Papers:** Q. Wang et al., *ECA-Net*, CVPR 2020 ([arXiv:1910.03151](https://arxiv.org/abs/1910.03151)). Q. Hou et al.,
# *Coordinate Attention*, CVPR 2021 ([arXiv:2103.02907](https://arxiv.org/abs/2103.02907)). Z. Liu et al., *Swin
# Transformer*, ICCV 2021 ([arXiv:2103.14030](https://arxiv.org/abs/2103.14030)). M. Milakov, N. Gimelshein, *Online
# normalizer calculation for softmax*, 2018 ([arXiv:1805.02867](https://arxiv.org/abs/1805.02867)). T. Dao et al.,
# *FlashAttention*, NeurIPS 2022 ([arXiv:2205.14135](https://arxiv.org/abs/2205.14135)). X. Zhu et al., *Deformable DETR*,
# ICLR 2021 ([arXiv:2010.04159](https://arxiv.org/abs/2010.04159)). H. Zhang et al., *Self-Attention GANs*, ICML 2019
# ([arXiv:1805.08318](https://arxiv.org/abs/1805.08318)), for the zero start.
#
# | | |
# | --- | --- |
# | **After this lesson you can** | read a mechanism out of its paper, cut attention into windows and blocks, let it choose its points, and put a new block into a trained network without breaking it |
# | **Time** | about 220 minutes in three sittings of 80, 50 and 90, with the two sections of papers that the exercises ask for |
# | **You need** | lessons 02, 06, 07 and 08 |
# | **Points** | <!-- points --> |
#
# Run the cells from top to bottom. Where you read `YOUR CODE HERE`, write your code. The cell below each exercise
# checks it, as often as you like.

# %%
# %load_ext attention_lab.grading

# %%
import copy
import math
import time

import torch
from torch import nn
from torch.nn import functional as F

from attention_lab import data, figures, mechanisms, training
from attention_lab.grading import check, hint, points
from attention_lab.mine import MultiHeadSelfAttention, scaled_dot_product_attention, verdict
from attention_lab.networks import count_macs, count_parameters, create
from attention_lab.networks.small import SmallCNN
from attention_lab.recording import recorded
from attention_lab.table import Table
from attention_lab.threads import one_thread

# %% [markdown]
# The three names from `attention_lab.mine` are your own answers of lessons 06 and 08, if they passed all their checks there;
# if not, the package's. The lines above say it for each name.
#
# ## 1. A picture first
#
# One position asks. Who answers? Here is a map of 16×16 positions, and the package's mechanisms with random weights. For
# the position in row 9, column 6 (counted from 0) we ask each mechanism: the gradient of which inputs is not zero? So no
# formula is needed: we take what comes out at this position, and follow the gradient back.

# %% tags=["demo"]
def reach(module, side=16, row=9, column=6):
    """(1, side, side): 1 where the input can change the output at the position, 0 elsewhere."""
    x = torch.randn(1, 8, side, side, generator=torch.Generator().manual_seed(0), requires_grad=True)
    module(x)[0, :, row, column].sum().backward()
    return (x.grad[0].abs().sum(0, keepdim=True) > 0).float()


def moved(module):
    """The module, with random numbers added to all its parameters."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.5 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    return module


family = {
    "3x3 convolution": nn.Conv2d(8, 8, 3, padding=1),
    "global attention": mechanisms.WindowAttention(8, 2, size=16),
    "windows of 4x4": mechanisms.WindowAttention(8, 2, size=4),
    "windows, shifted by 2": mechanisms.WindowAttention(8, 2, size=4, shift=2),
    "deformable": moved(mechanisms.DeformableAttention(8)),
}
maps = torch.stack([reach(module) for module in family.values()])
for name, seen in zip(family, maps):
    print(f"{name:22} {int(seen.sum()):>4} of 256 positions")
maps[:, :, 9, 6] = 0.5
figures.gallery(maps, list(family))

# %% [markdown]
# White positions can change the answer; the grey one asks (it can change its answer as well). Lesson 06 lets all 256 speak:
# that is expensive. The family since asks: **who needs to be heard?** Neighbours in a window. Or a few points that the position
# chooses itself. (Deformable attention shows up to four pixels for each of its nine points: the sampler of lesson 07 reads
# between pixels.)
#
# ## 2. The plan
#
# ```mermaid
# flowchart LR
#     se["SE<br/>lesson 02"] --> eca["<b>ECA</b><br/>fewer parameters"]
#     se --> ca["<b>coordinate attention</b><br/>knows rows and columns"]
#     sa["self-attention<br/>lesson 06"] --> win["<b>windows</b><br/>less computing"]
#     sa --> online["<b>online softmax</b><br/>less memory"]
#     sa --> def["<b>deformable</b><br/>a few points"]
#     st["spatial transformer<br/>lesson 07"] --> def
#     eca --> zero["<b>zero start</b><br/>into a trained network"]
#     win --> zero
#     def --> zero
# ```
#
# Each box changes **one** thing of what you know. Its equations use your old words: scores, normaliser, combination.
#
# ## 3. Exercise: read the paper yourself, ECA
#
# **What and why.** SE has two layers, $2C^2/r$ weights. ECA-Net asks: must every channel talk to every other? Its answer is a
# 1D convolution along the channels. Read **section 3.3** of the paper first (and equations 9 and 12), then hold it against
# the lines below: what does the paper leave open? **Difficulty** ●●○○ · **30 minutes** · **<!-- points: eca --> points**
#
# `ECA(channels, gamma=2, b=1)`
#
# - $k = |\log_2(C)/\gamma + b/\gamma|_{odd}$. The bars with *odd* mean the odd number next to it. If it is exactly even, there
#   are two: take the **larger**, as the authors' code does (128 channels: 4, so $k = 5$).
# - The convolution has no bias. Beyond the ends it sees zeros.
# - `weights(x)`: `(N, C, H, W)` → `(N, C, 1, 1)`; `forward(x)`: `x` times its gates.
#
# If you are stuck, run `hint("eca")` in a cell of your own, or unfold:
#
# <!-- hints: eca -->

# %% exercise="eca"
class ECA(nn.Module):
    def __init__(self, channels, gamma=2, b=1):
        super().__init__()
        ### BEGIN SOLUTION
        t = int((math.log2(channels) + b) / gamma)
        k = t if t % 2 else t + 1
        self.neighbours = nn.Conv1d(1, 1, k, padding=k // 2, bias=False)
        ### END SOLUTION

    def weights(self, x):
        """(N, C, H, W) -> (N, C, 1, 1): the gate of each channel, between 0 and 1."""
        ### BEGIN SOLUTION
        signal = x.mean((2, 3))[:, None]
        return torch.sigmoid(self.neighbours(signal))[:, 0, :, None, None]
        ### END SOLUTION

    def forward(self, x):
        """(N, C, H, W) -> (N, C, H, W): x, every channel times its gate."""
        ### BEGIN SOLUTION
        return x * self.weights(x)
        ### END SOLUTION


# %%
check("eca-shapes", ECA)

# %%
check("eca-parameters", ECA)

# %%
check("eca-values", ECA)

# %%
check("eca-gradients", ECA)

# %% [markdown]
# **What does it save?** We count, without training: your ECA beside SE, and whole networks as the papers build them.

# %% tags=["demo"]
rows = [
    [f"{channels:,}", f"{count_parameters(ECA(channels)):,}", f"{count_parameters(mechanisms.SqueezeExcitation(channels)):,}"]
    for channels in (64, 256, 512, 2048)
]
with torch.device("meta"):
    image = torch.empty(1, 3, 224, 224)
    networks = {name: create(name) for name in ("resnet50", "se_resnet50", "eca_resnet50", "vit_s_16", "swin_t")}
    sizes = [
        [name, f"{count_parameters(network):,}", f"{count_macs(network, image):,}"] for name, network in networks.items()
    ]
display(
    Table("Parameters of one block", ["channels", "ECA (yours)", "SE, r = 16"], rows),
    Table("Whole networks, images of 224x224", ["network", "parameters", "multiply-adds of its layers"], sizes),
)

# %% [markdown]
# ECA adds 86 numbers to ResNet-50, SE adds 2.5 million. The table of ECA-Net's authors prints **24.37M** for ECA-ResNet-50, and
# we count 25,557,118. Who is wrong? Nobody: 25,557,118 divided by $2^{20}$ is 24.37. Their M is not a million. Before you
# compare a printed number, ask for its unit.
#
# Swin-T, which you meet below, has 28,288,354 parameters.

# %% [markdown]
# ## 4. Exercise: read the paper yourself, coordinate attention
#
# **What and why.** SE squeezes the whole map into one number per channel, and forgets *where* things are. Coordinate
# attention squeezes one direction at a time. Read **section 3.2** (equations 4 to 9).
# **Difficulty** ●●●○ · **35 minutes** · **<!-- points: coordinate-attention --> points**
#
# `CoordinateAttention(channels, reduction=32)`
#
# - `weights(x)`: two gates, `(N, C, H, 1)` for the rows and `(N, C, 1, W)` for the columns, in this order
# - `forward(x)`: `x` times both
# - The paper leaves details open. Take them from the authors' code: `max(8, channels // reduction)` hidden channels; behind
#   the first convolution a batch normalisation, then `nn.Hardswish`. Biases of the convolutions are up to you.
# - Rows and columns are joined **before** the first convolution, and cut apart after the activation.
#
# <!-- hints: coordinate-attention -->

# %% exercise="coordinate-attention"
class CoordinateAttention(nn.Module):
    def __init__(self, channels, reduction=32):
        super().__init__()
        ### BEGIN SOLUTION
        hidden = max(8, channels // reduction)
        self.first = nn.Sequential(nn.Conv1d(channels, hidden, 1), nn.BatchNorm1d(hidden), nn.Hardswish())
        self.rows = nn.Conv1d(hidden, channels, 1)
        self.columns = nn.Conv1d(hidden, channels, 1)
        ### END SOLUTION

    def weights(self, x):
        """(N, C, H, W) -> (N, C, H, 1), (N, C, 1, W): the gates of rows and of columns."""
        ### BEGIN SOLUTION
        joined = self.first(torch.cat([x.mean(3), x.mean(2)], dim=2))
        rows, columns = joined.split(list(x.shape[2:]), dim=2)
        return torch.sigmoid(self.rows(rows))[..., None], torch.sigmoid(self.columns(columns))[:, :, None]
        ### END SOLUTION

    def forward(self, x):
        """(N, C, H, W) -> (N, C, H, W): x times both gates."""
        ### BEGIN SOLUTION
        rows, columns = self.weights(x)
        return x * rows * columns
        ### END SOLUTION


# %%
check("coordinate-attention-shapes", CoordinateAttention)

# %%
check("coordinate-attention-parameters", CoordinateAttention)

# %%
check("coordinate-attention-values", CoordinateAttention)

# %%
check("coordinate-attention-gradients", CoordinateAttention)

# %% [markdown]
# **Does it know where?** An image is black but for one bright spot. We move the spot. By how much do the gates of SE change,
# and by how much do yours? (Random weights: nobody has learned anything.)

# %% tags=["demo"]
def spot(row, column):
    image = torch.zeros(1, 16, 12, 12)
    image[:, :, row, column] = 10
    return image


torch.manual_seed(0)
coordinates, se = CoordinateAttention(16).eval(), mechanisms.SqueezeExcitation(16)
with torch.no_grad():
    for name, other in {"to another row": spot(9, 3), "to another column": spot(2, 8)}.items():
        change = (se.weights(other) - se.weights(spot(2, 3))).abs().max()
        rows, columns = ((a - b).abs().max() for a, b in zip(coordinates.weights(other), coordinates.weights(spot(2, 3))))
        print(f"{name:18} SE changes by {change:.3f}, gates of rows by {rows:.3f}, of columns by {columns:.3f}")

# %% [markdown]
# SE notices nothing. The gates of rows notice another row, and only that.
#
# What they cannot do: open two places, and no others. Say that you want the upper left and the lower right of four places.
# Then both rows must be open, and both columns. So the upper right and the lower left are open as well.
#
# ---
# **First sitting ends here** (about 80 minutes). The second one takes about 50. If you come back in a new kernel, run the
# cells above again (*Run* → *Run All Above Selected Cell*).
#
# ---
#
# ## 5. Exercise: windows
#
# **What and why.** Global attention compares every token with every token: $L^2$ scores. Swin cuts the map into windows of
# $w\times w$ tokens, and each attends to its own window only. Cutting is the whole trick, and the usual mistake is to do it
# by a reshape alone. **Difficulty** ●●○○ · **15 minutes** · **<!-- points: windows --> points**
#
# - `window_partition(x, size)`: `(N, H, W, C)` → `(N * windows, size * size, C)`. Note the order of axes: channels last.
# - `window_reverse(windows, size, height, width)`: the way back, to `(N, height, width, C)`.
# - The windows of the first image come first, row by row. So do the tokens inside a window. `size` divides both sides.
#
# <!-- hints: windows -->

# %% exercise="windows"
def window_partition(x, size):
    """(N, H, W, C) -> (N * windows, size * size, C)."""
    ### BEGIN SOLUTION
    number, height, width, channels = x.shape
    cut = x.reshape(number, height // size, size, width // size, size, channels)
    return cut.transpose(2, 3).reshape(-1, size * size, channels)
    ### END SOLUTION


def window_reverse(windows, size, height, width):
    """(N * windows, size * size, C) -> (N, height, width, C)."""
    ### BEGIN SOLUTION
    cut = windows.reshape(-1, height // size, width // size, size, size, windows.shape[-1])
    return cut.transpose(2, 3).reshape(-1, height, width, windows.shape[-1])
    ### END SOLUTION


# %%
check("windows-partition-shape", window_partition)

# %%
check("windows-partition-values", window_partition)

# %%
check("windows-reverse-shape", window_reverse)

# %%
check("windows-reverse-values", window_reverse)

# %% [markdown]
# **See it.** A photograph, cut into windows by your function; and what a reshape alone would make of it.

# %% tags=["demo"]
photo = data.photo("chelsea", size=96).movedim(0, 2)[None]  # (1, 96, 96, 3)
yours = window_partition(photo, 48).unflatten(1, (48, 48)).movedim(3, 1)
by_view = photo.reshape(4, 48, 48, 3).movedim(3, 1)
figures.gallery(torch.cat([yours, by_view]), ["window 1", "2", "3", "4", "reshape alone: 1", "2", "3", "4"])

# %% [markdown]
# ## 6. Exercise: the shifted mask
#
# **What and why.** Tokens at the border of two windows never meet. So in every second layer Swin **shifts** the windows by
# half their size. It does so by a roll: the map moves up and to the left, and what falls off comes back at the other end. So
# the rolled map is made of four **pieces**: what was only moved; the first `shift` rows, which are now the last ones; the first
# `shift` columns, which are now the last ones; and the corner that is in both. A window at the end holds tokens of several
# pieces. They come from opposite ends of the image, and must not attend to each other.
# **Difficulty** ●●●○ · **20 minutes** · **<!-- points: shifted-mask --> points**
#
# `shifted_mask(height, width, size, shift)` → `(windows, L, L)`, boolean, $L$ = `size * size`
#
# - The map has been rolled by `x.roll((-shift, -shift), (1, 2))`, then cut by your `window_partition`. This is the mask for
#   the windows of one image.
# - **True = may attend**, as in lesson 06: both tokens belong to the same piece.
# - `size` divides both sides, and each side is at least two windows long. (A single window needs no shift.)
# - `shift` is from 0 to `size - 1`. With 0 there is one piece: everybody may attend to everybody in the window.
#
# <!-- hints: shifted-mask -->

# %% exercise="shifted-mask"
def shifted_mask(height, width, size, shift):
    """The windows of a rolled map -> (windows, L, L), True where a token (row) may attend to a token (column)."""
    ### BEGIN SOLUTION
    rows = (torch.arange(height) >= height - shift).long()
    columns = (torch.arange(width) >= width - shift).long()
    piece = 2 * rows[:, None] + columns
    tokens = window_partition(piece[None, :, :, None], size)
    return tokens == tokens.transpose(1, 2)
    ### END SOLUTION


# %%
check("shifted-mask-shape", shifted_mask)

# %%
check("shifted-mask-unshifted", shifted_mask)

# %%
check("shifted-mask-values", shifted_mask)

# %% [markdown]
# **Does anything leak over the rim?** Gradients tell. We take one position in the middle, one at the right rim and the last
# corner, and ask which inputs each of them hears: with your mask and without. (Grey is who asks, white is who is heard.)

# %% tags=["demo"]
def in_windows(x, size, shift, masked=True):
    """Attention inside shifted windows; queries, keys and values are x itself: (N, H, W, C) -> the same."""
    height, width = x.shape[1:3]
    tokens = window_partition(x.roll((-shift, -shift), (1, 2)), size)
    mask = shifted_mask(height, width, size, shift).repeat(len(x), 1, 1) if masked else None
    output, _ = scaled_dot_product_attention(tokens, tokens, tokens, mask)
    return window_reverse(output, size, height, width).roll((shift, shift), (1, 2))


def heard(row, column, masked):
    x = torch.randn(1, 16, 16, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    in_windows(x, 4, 2, masked)[0, row, column].sum().backward()
    return (x.grad[0].abs().sum(2) > 0).float()[None]


asked = {"middle": (7, 9), "right rim": (7, 15), "corner": (15, 15)}
seen = {f"{name}, {'mask' if m else 'no mask'}": heard(*place, m) for name, place in asked.items() for m in (False, True)}
for name, (places,) in seen.items():
    beyond = int(places[:2].sum() + places[2:, :2].sum())
    print(f"{name:18} hears {int(places.sum()):>2} positions, {beyond} of them beyond the rim")
pictures = torch.stack(list(seen.values()))
for picture, (row, column) in zip(pictures, [place for place in asked.values() for _ in range(2)]):
    picture[:, row, column] = 0.5
figures.gallery(pictures, list(seen))

# %% [markdown]
# Without the mask, the last corner hears the first one, at the other end of the image. With it nothing leaks: the number
# beyond the rim is 0.
#
# **And one window as large as the map?** Then nothing is cut. It must be lesson 06 again. We put your `window_partition`
# around your `MultiHeadSelfAttention`:

# %% tags=["demo"]
torch.manual_seed(0)
attention = MultiHeadSelfAttention(16, 4)
x = torch.randn(2, 8, 8, 16)
with torch.no_grad():
    everyone = attention(x.flatten(1, 2)).unflatten(1, (8, 8))
    for size in (8, 4, 2):
        windows = window_reverse(attention(window_partition(x, size)), size, 8, 8)
        print(f"windows of {size}x{size}: largest difference to global attention {(windows - everyone).abs().max():.1e}")

# %% [markdown]
# ---
# **Second sitting ends here** (about 50 minutes). The third one takes about 90. If you come back in a new kernel, run the
# cells above again (*Run* → *Run All Above Selected Cell*).
#
# ---
#
# ## 7. Exercise: softmax in one pass
#
# **What and why.** Windows change *what* is computed. This one changes nothing but *how*: the result is the same, and the
# matrix of weights is never there. A softmax seems to need all scores of a query first: for the maximum, then for the sum. But
# you can take the keys **block by block**, and repair what you have when a larger score comes.
# **Difficulty** ●●●○ · **25 minutes** · **<!-- points: online-softmax --> points**
#
# For each query keep $m$, the largest score so far; $l$, the sum of exponentials; $o$, the weighted sum of values, both
# relative to $m$. A block with scores $s$ and values $v$ comes:
#
# $$m' = \max(m, \max_j s_j)\qquad l' = e^{m - m'}\,l + \sum_j e^{s_j - m'}\qquad o' = e^{m - m'}\,o + \sum_j e^{s_j - m'}v_j$$
#
# At the end the output is $o / l$.
#
# `attention_in_blocks(q, k, v, block)` → the output of lesson 06, `(..., L, e)`
#
# - `q`: `(..., L, d)`, $L$ queries; `k`: `(..., S, d)`, $S$ keys; `v`: `(..., S, e)`, a value of $e$ numbers for each key. (In
#   self-attention $S = L$, and often $e = d$. Here they may differ.)
# - `block` keys at a time, the last block may be smaller. The scores may be of any size: millions, or all far below 0.
# - While `block` is smaller than $S$, no tensor may be as large as all $L \times S$ scores, also if `block` is 1: of the blocks
#   before, keep $m$, $l$ and $o$ only. No `F.scaled_dot_product_attention`.
# - Whether you go through the blocks once, or first for $m$ and then for the sums, is up to you. In one pass each score is
#   computed once.
#
# <!-- hints: online-softmax -->

# %% exercise="online-softmax"
def attention_in_blocks(q, k, v, block):
    """(..., L, d), (..., S, d), (..., S, e) -> (..., L, e), from `block` keys at a time."""
    ### BEGIN SOLUTION
    largest = torch.full_like(q[..., :1], -math.inf)
    total = torch.zeros_like(largest)
    output = 0
    for start in range(0, k.shape[-2], block):
        keys, values = k[..., start : start + block, :], v[..., start : start + block, :]
        scores = q @ keys.transpose(-2, -1) / math.sqrt(q.shape[-1])
        new = torch.maximum(largest, scores.amax(-1, keepdim=True))
        shrink, shares = torch.exp(largest - new), torch.exp(scores - new)
        total = shrink * total + shares.sum(-1, keepdim=True)
        output = shrink * output + shares @ values
        largest = new
    return output / total
    ### END SOLUTION


# %%
check("online-softmax-shape", attention_in_blocks)

# %%
check("online-softmax-values", attention_in_blocks)

# %%
check("online-softmax-large", attention_in_blocks)

# %%
check("online-softmax-memory", attention_in_blocks)

# %%
check("online-softmax-gradients", attention_in_blocks)

# %% [markdown]
# **Equal, and how much memory?** For one head of width 64: the largest difference to your two-pass attention of lesson 06, and
# the numbers in the matrix of scores beside those in one block of 128 keys.

# %% tags=["demo"]
rows = []
for length in (256, 512, 1024, 2048):
    q, k, v = torch.randn(3, length, 64, generator=torch.Generator().manual_seed(0)).unbind(0)
    two_pass, _ = scaled_dot_product_attention(q, k, v)
    apart = (attention_in_blocks(q, k, v, 128) - two_pass).abs().max()
    rows.append([f"{length:,}", f"{apart:.0e}", f"{length * length:,}", f"{length * 128:,}"])
Table("Two-pass attention and attention in blocks", ["tokens", "largest difference", "all scores", "one block"], rows)

# %% [markdown]
# The matrix grows with the square of the tokens, the block only in proportion. Nothing is approximated: this is the same
# softmax, up to rounding.
#
# **Why did this make attention fast?** You might think: because it computes less. It does not. It computes a little *more* (the
# repairs). On a GPU the slow part is not the computing. It is carrying the matrix to the large memory and back. A block fits
# into the small, fast memory beside the processor, and never leaves it. That is **FlashAttention**. PyTorch's
# `F.scaled_dot_product_attention` is such a program. Section 10 measures whether your function, in Python on a CPU, gains
# from it too.
#
# (In training, autograd keeps the scores of every block for the backward pass, so nothing is saved there. FlashAttention
# computes them a second time.)
#
# ## 8. Exercise: deformable attention
#
# **What and why.** A window is a guess about who matters. Here each position **chooses**: its own feature says where to look
# (lesson 07's sampler) and whom to trust (lesson 06's softmax). **Difficulty** ●●●● · **30 minutes** · **<!-- points: deformable -->
# points**
#
# $$\mathrm{output}(p) = \sum_{k=1}^{K} A_k(p)\; x\big(p + \Delta_k(p)\big) \qquad \sum_k A_k(p) = 1$$
#
# `DeformableAttention(channels, points=9)`; `points` is the square of an odd number.
#
# - `offsets(x)`: `(N, C, H, W)` → `(N, points, H, W, 2)`, each $(x, y)$ **in pixels**: a linear function of the feature at $p$,
#   with biases. (A 1×1 convolution.)
# - `weights(x)`: `(N, C, H, W)` → `(N, points, H, W)`: another linear function with biases, then a softmax over the points
# - `forward(x)`: `(N, C, H, W)`. Take `F.affine_grid` and `F.grid_sample`, both with `align_corners=False`: they are your
#   functions of lesson 07, written for speed. Beyond the rim stand zeros. In their coordinates a pixel is $2/W$ wide and
#   $2/H$ high.
# - **Start:** a fresh module reads the fixed 3×3 neighbourhood (5×5 for 25 points, the position itself for 1) with equal
#   weights, whatever `x` is. In which order the points stand, and in which layers their numbers are, is up to you.
#
# (The paper has several heads, and a linear map before and after. With one head you can put a 1×1 convolution beside it.)
#
# <!-- hints: deformable -->

# %% exercise="deformable"
class DeformableAttention(nn.Module):
    def __init__(self, channels, points=9):
        super().__init__()
        ### BEGIN SOLUTION
        self.points = points
        self.offset = nn.Conv2d(channels, 2 * points, 1)
        self.score = nn.Conv2d(channels, points, 1)
        around = torch.arange(math.isqrt(points)) - math.isqrt(points) // 2
        rows, columns = torch.meshgrid(around, around, indexing="ij")
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()
            self.offset.bias.copy_(torch.stack([columns, rows], dim=-1).flatten())
        ### END SOLUTION

    def offsets(self, x):
        """(N, C, H, W) -> (N, points, H, W, 2): the way from each position to its points, (x, y) in pixels."""
        ### BEGIN SOLUTION
        return self.offset(x).unflatten(1, (self.points, 2)).movedim(2, -1)
        ### END SOLUTION

    def weights(self, x):
        """(N, C, H, W) -> (N, points, H, W): the share of each point; they sum to 1 over the points."""
        ### BEGIN SOLUTION
        return torch.softmax(self.score(x), dim=1)
        ### END SOLUTION

    def forward(self, x):
        """(N, C, H, W) -> (N, C, H, W): for each position, the average of what its points read."""
        ### BEGIN SOLUTION
        height, width = x.shape[2:]
        identity = torch.eye(2, 3, dtype=x.dtype).expand(len(x), 2, 3)
        here = F.affine_grid(identity, x.shape, align_corners=False)  # the centres of the pixels
        pixel = torch.tensor([2 / width, 2 / height], dtype=x.dtype)
        grid = here[:, None] + self.offsets(x) * pixel  # (N, points, H, W, 2)
        seen = F.grid_sample(x, grid.flatten(1, 2), align_corners=False)
        seen = seen.unflatten(2, (self.points, height))  # (N, C, points, H, W)
        return (seen * self.weights(x)[:, None]).sum(2)
        ### END SOLUTION


# %%
check("deformable-shapes", DeformableAttention)

# %%
check("deformable-parameters", DeformableAttention)

# %%
check("deformable-start", DeformableAttention)

# %%
check("deformable-values", DeformableAttention)

# %%
check("deformable-gradients", DeformableAttention)

# %% [markdown]
# **Fixed offsets are a convolution.** A convolution reads fixed places with fixed weights. So let only the biases decide, and
# the module must equal a 3×3 convolution that has the nine shares as its kernel, the same for each channel. (We take the
# package's module here, whose points stand row by row. Yours has passed the same checks, but may keep its numbers elsewhere.)
# And the gradient reaches the offsets: a push on the output of your module says where its points should go.

# %% tags=["demo"]
torch.manual_seed(0)
module = mechanisms.DeformableAttention(4)
x = torch.randn(2, 4, 9, 7)
with torch.no_grad():
    module.score.bias.normal_()
    shares = module.weights(x)[0, :, 0, 0]
    kernel = shares.view(1, 1, 3, 3).expand(4, 1, 3, 3)
    difference = (module(x) - F.conv2d(x, kernel, padding=1, groups=4)).abs().max()
print(f"largest difference to the convolution: {difference:.1e}")
yours = DeformableAttention(4)
pushed = torch.autograd.grad(yours(x)[0, 0, 4, 3], yours.parameters())
for (name, _), gradient in zip(yours.named_parameters(), pushed):
    print(f"gradient of {name:13} largest entry {gradient.abs().max():.2f}")

# %% [markdown]
# ### Experiment: the turned garments of lesson 07
#
# Garments turned by up to 90° to either side, on 16×16 pixels. A spatial transformer hardly turned them upright. Will the
# points of deformable attention turn with the garment? A small network (a convolution with stride 2, **the module under
# test** on 8×8 positions, another convolution) with six versions:
#
# - **deformable**: yours; each position chooses its points and their weights
# - **weights chosen**: each position chooses the weights; the points stay the 3×3 neighbourhood
# - **constants**: points and weights are trained, but are the same for every position of every image: nothing is chosen
# - **fixed**: the module frozen as it starts, an average of 3×3: nothing is trained in it
# - **no module**
# - **convolution**: a 3×3 convolution in its place, 584 parameters where the module has 243
#
# **Predict before you run.** In which order will they come? Which two must you compare to see that *choosing* helps? And which
# two to see that it helps to move the points?

# %% tags=["demo"]
def turned_garments(number, split, seed):
    scenes = data.scenes(number, split, 16, seed, scale=(0.68, 0.68), rotation=90, fragments=0, photos=False)
    return data.of_cue_classes(scenes)


number = 1000 if training.fast() else 20000
turned_train, turned_test = turned_garments(number, "train", 3), turned_garments(number // 8, "test", 4)
figures.gallery(turned_test.image[:8], [data.CUE_CLASSES[label] for label in turned_test.label[:8]])


# %% tags=["demo"]
def small_network(module):
    """Convolution, the module under test, convolution, classifier."""
    first = nn.Sequential(nn.Conv2d(1, 8, 3, 2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
    last = nn.Sequential(nn.Conv2d(8, 16, 3, 2, padding=1), nn.BatchNorm2d(16), nn.ReLU())
    return nn.Sequential(first, module(8), last, nn.Flatten(), nn.Linear(256, 4))


def frozen(channels):
    return DeformableAttention(channels).requires_grad_(False)


def only_biases(channels):
    """Points and weights are trained, and then the same for every position of every image."""
    module = mechanisms.DeformableAttention(channels)
    for layer in (module.offset, module.score):
        layer.weight.requires_grad_(False)
    return module


def only_weights(channels):
    """The points stay where they are; each position weighs them itself."""
    module = mechanisms.DeformableAttention(channels)
    module.offset.requires_grad_(False)
    return module


deformed = training.compare(
    {
        "deformable": lambda: small_network(DeformableAttention),
        "weights chosen": lambda: small_network(only_weights),
        "constants": lambda: small_network(only_biases),
        "fixed": lambda: small_network(frozen),
        "no module": lambda: small_network(lambda channels: nn.Identity()),
        "convolution": lambda: small_network(lambda channels: nn.Conv2d(channels, channels, 3, padding=1)),
    },
    train=(turned_train.image, turned_train.label),
    test=(turned_test.image, turned_test.label),
    steps=400,
)
more_seeds = recorded("family-deformable", deformed.seeds, deformed.errors)


def how_far(model):
    """By how many pixels the points differ from place to place and image to image."""
    with torch.no_grad():
        offsets = model[1].offsets(model[0](turned_test.image))
    return (offsets - offsets.mean((0, 2, 3), keepdim=True)).norm(dim=-1).mean()


def judged(numbers, pairs):
    """Your verdict on pairs of names: lower is better."""
    rows = []
    for name, other in pairs:
        word, mean, error = verdict(numbers[name], numbers[other])
        rows.append([f"“{name}” minus “{other}”", f"{mean:+.2f} ± {error:.2f}", word])
    return Table(f"Your verdict, from {len(more_seeds.seeds)} recorded seeds", ["", "error in points", "so it is"], rows)


def how_uneven(model):
    """By which part of their mean the weights differ from place to place and image to image."""
    with torch.no_grad():
        weights = model[1].weights(model[0](turned_test.image))
    return (weights.std((0, 2, 3)) / weights.mean((0, 2, 3))).mean()


pairs = [
    ("deformable", "fixed"),
    ("deformable", "no module"),
    ("constants", "fixed"),
    ("deformable", "constants"),
    ("deformable", "weights chosen"),
    ("weights chosen", "constants"),
    ("deformable", "convolution"),
]
display(deformed, judged(more_seeds.numbers, pairs))
models = deformed.runs["deformable"].models
far, uneven = ([f"{measure(model):.2f}" for model in models] for measure in (how_far, how_uneven))
print("by how many pixels a point moves with image and place, seed by seed:", ", ".join(far))
print("by which part of its mean a point's weight moves, seed by seed:     ", ", ".join(uneven))

# %% [markdown]
# **Read yourself first.** Is choosing better than a fixed neighbourhood? What is chosen that helps? Is it better than a
# convolution? Do the points move?
#
# **Does choosing help?** In the recorded seeds *deformable* is better than *fixed* and than *no module*, by more than a point. But
# *fixed* lacks two things at once: nothing is chosen, and nothing is trained. *constants* lacks the choice alone, and the
# 216 numbers that make it. It gains nothing over *fixed* (undecided), and *deformable* is better than it by a point. So here it
# is the **choice** that helps.
#
# **Which choice?** Most of it is that of the **weights**: with the points left where they were, three quarters of a point are
# gained over *constants*. To move the points as well gains another third of a point, and that is only just decided. (This is why
# we recorded thirty seeds. Of the first ten alone one would have said half a point; each of the other two tens alone is
# undecided. And a table of seven questions is wrong in one of them more often than each alone.)
#
# **Do the points turn with the garment?** The line below the tables says by how many pixels a point differs from its own mean
# place: less than a fifth of a pixel. Nothing that you would call turning. So do not say "it looks along the garment". The last
# line says the same of the weights: from place to place a weight differs by less than a fifth of its mean. So each position
# weighs its neighbours a little otherwise, and shifts them a little.
#
# **What would you take?** A plain 3×3 **convolution** in the same place is better still, by half a point or more, and trains in
# less time (last column). In this network, with these images, you would take the convolution.
#
# **What it does not show.** That deformable attention is useless. Its authors use it on maps of thousands of positions, where
# all-to-all attention is too dear, and where what matters can lie far away. On 8×8 positions a convolution has little to
# miss. And 400 steps are short.
#
# ## 9. Exercise: a zero start
#
# **What and why.** You have a trained network, and you want your new block in it. A fresh block in the middle of it is noise:
# everything behind it was trained for other inputs. So put the block behind a **door that is closed at first**.
# **Difficulty** ●○○○ · **10 minutes** · **<!-- points: zero-start --> points**
#
# $$y = x + \gamma\,\mathrm{block}(x)\qquad \gamma = 0 \text{ at first}$$
#
# (Zhang et al., equation 3.)
#
# - `ZeroStart(block)`: `block` is a module that keeps the shape of `x`, which may have any number of axes.
# - $\gamma$ is **one** number for the module, and it is trained.
# - Your module holds the block itself, not a copy, and leaves its numbers as they were given: they are trained, too. (Whether
#   you set the block to `eval()` in `__init__` does not matter: `train()` and `eval()` of your module reach it. In `forward`
#   its mode stays as it is.)
#
# <!-- hints: zero-start -->

# %% exercise="zero-start"
class ZeroStart(nn.Module):
    def __init__(self, block):
        super().__init__()
        ### BEGIN SOLUTION
        self.block = block
        self.gamma = nn.Parameter(torch.zeros(1))
        ### END SOLUTION

    def forward(self, x):
        """x, plus gamma times what the block makes of it."""
        ### BEGIN SOLUTION
        return x + self.gamma * self.block(x)
        ### END SOLUTION


# %%
check("zero-start-identity", ZeroStart)

# %%
check("zero-start-values", ZeroStart)

# %%
check("zero-start-gradients", ZeroStart)

# %% [markdown]
# **Who learns first?** $\gamma = 0$, so no gradient comes to the block: $\partial y/\partial\,\mathrm{block} = \gamma$. But
# $\partial y/\partial\gamma = \mathrm{block}(x)$ is not 0. So $\gamma$ moves first, then the block. If you set the block to
# zeros *as well*, neither would ever move. Look:

# %% tags=["demo"]
torch.manual_seed(0)
for name, zeroed in {"gamma = 0": False, "gamma = 0 and a block of zeros": True}.items():
    block = nn.Conv2d(4, 4, 1)
    if zeroed:
        nn.init.zeros_(block.weight), nn.init.zeros_(block.bias)
    door = ZeroStart(block)
    optimizer = torch.optim.SGD(door.parameters(), lr=0.1)
    for step in (1, 2):
        optimizer.zero_grad()
        door(torch.randn(8, 4, 6, 6)).square().mean().backward()
        gradients = {n: p.grad.abs().max() for n, p in door.named_parameters()}
        print(f"{name:32} step {step}:", ", ".join(f"{n} {g:.4f}" for n, g in gradients.items()))
        optimizer.step()

# %% [markdown]
# ### Experiment: into a trained network
#
# The task is that of lesson 02: a bar at the top edge says which of two garments to name. A small convolutional network cannot
# see the bar from everywhere. We train it without attention. Then we put self-attention behind its third layer and train on,
# as long as before. Four ways to go on from the **same trained network**:
#
# - **as it is**: train on, nothing is put in
# - **attention, zero start**: your door, your `MultiHeadSelfAttention`
# - **attention, added**: $x + \mathrm{block}(x)$, without a door
# - **each alone, zero start**: behind the door is a small MLP of about as many parameters. It sees each position alone. If it
#   gains as much, it was not the attention.
#
# **Predict before you run:** the error of each right after the change, before any step. And at the end. (A minute or two.)

# %% tags=["demo"]
class Attend(nn.Module):
    """Your self-attention on a map: (N, C, H, W) -> the same."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attention = MultiHeadSelfAttention(channels, 4)

    def forward(self, x):
        return self.attention(self.norm(x.flatten(2).mT)).mT.unflatten(2, x.shape[2:])


class EachAlone(nn.Module):
    """An MLP for each position of a map."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 2 * channels), nn.ReLU(), nn.Linear(2 * channels, channels))

    def forward(self, x):
        return self.mlp(self.norm(x.flatten(2).mT)).mT.unflatten(2, x.shape[2:])


class Added(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, x):
        return x + self.block(x)


number = 512 if training.fast() else 6000
bar_train, bar_test = (data.cue_scenes(n, split, seed=s) for n, split, s in ((number, "train", 1), (number // 4, "test", 2)))
train, test = ((scenes.image, scenes.label) for scenes in (bar_train, bar_test))
before = training.compare({"trained": lambda: SmallCNN(width=8)}, train, test, steps=300, lr=1e-2)
trained = before.runs["trained"]


def changed(module):
    """Builds the trained network of one seed after the other, with the module behind its third layer."""
    networks = iter(trained.models)

    def build():
        network = copy.deepcopy(next(networks))
        network.attentions[2] = module()
        return network

    return build


ways = {
    "as it is": nn.Identity,
    "attention, zero start": lambda: ZeroStart(Attend(16)),
    "attention, added": lambda: Added(Attend(16)),
    "each alone, zero start": lambda: ZeroStart(EachAlone(16)),
}
torch.manual_seed(0)
at_once = {}
for name, module in ways.items():
    build = changed(module)
    at_once[name] = [training.error(build(), *test) for _ in trained.models]
after = training.compare({name: changed(module) for name, module in ways.items()}, train, test, steps=300, lr=1e-2)


def gamma(network):
    """How far the door is open: the one parameter of the module that is a single number."""
    return next(p.item() for p in network.attentions[2].parameters() if p.numel() == 1)


doors = {f"{name}, gamma": [gamma(network) for network in after.runs[name].models] for name in ways if "zero start" in name}
numbers = {f"{name}, at once": errors for name, errors in at_once.items()} | after.errors | doors
more_seeds = recorded("family-zero-start", after.seeds, numbers)
rows = [
    [name, *(" ".join(f"{error:.1f}" for error in errors) for errors in (trained.errors, at_once[name], after.errors[name]))]
    for name in ways
]
pairs = [
    ("attention, zero start, at once", "as it is, at once"),
    ("attention, added, at once", "as it is, at once"),
    ("attention, zero start", "as it is"),
    ("each alone, zero start", "as it is"),
    ("attention, zero start", "attention, added"),
]
ends = ["as it is", "attention, zero start", "attention, added"]
columns = [more_seeds.numbers[name] for name in (*ends, "attention, zero start, gamma")]
each = [[str(seed), *(f"{e:.1f}" for e in errors), f"{g:+.3f}"] for seed, *errors, g in zip(more_seeds.seeds, *columns)]
added_lower = sum(a < z for z, a in zip(columns[1], columns[2]))
display(
    Table("Test error in %, seed by seed", ["", "trained", "at once after the change", "after 300 more steps"], rows),
    judged(more_seeds.numbers, pairs),
    Table(
        f"The recorded seeds after 300 more steps. Without a door the error is lower in {added_lower} of {len(each)}.",
        ["seed", *ends, "gamma of the zero start"],
        each,
    ),
)

# %% [markdown]
# **Read yourself first.** Who breaks the network? Who gains in the end? Is the door needed?
#
# **At once.** With the zero start nothing changes, to the last digit: difference 0.00 in every seed. (Your verdict says
# *undecided*: it looks for a difference, and there is none. "Undecided" is not "equal". Here we know that they are equal,
# because $\gamma$ is 0.) Without the door the error rises at once, by about 9 points.
#
# **In the end.** Attention gains a lot: nearly 19 points. *Each alone*, behind the same door and about as large, cannot be told
# from training on (undecided). So it is the **exchange** between positions that gains, as in lesson 02.
#
# **Is the door needed?** For the end, no. Look at the last table: in nine of ten seeds the error without a door is lower, in one
# it is a little higher (5.2 against 4.9). And look at $\gamma$. In eight seeds the door opened: $|\gamma|$ is above 0.12. In two it
# stayed nearly shut (0.006 and 0.064), and the error is about as high as that of *as it is* (32 and 33, where that has 32 and
# 35). That is the price: $\gamma$ must move first, and only then can the block learn. The mean difference to *added* is large,
# but so is its spread: undecided.
#
# So a zero start buys **safety at the start**: nothing that was learned is lost, and you can put it into a network that is in use.
# It does not buy a better end. When most of the network is to stay as it is, this is what you want. When you train on for long
# with a large learning rate, as here, it may only slow you down.
#
# ## 10. What does it cost?
#
# How does the time of each grow with the side $S$ of the map? We measure and fit a power: time $\propto S^p$. A mechanism that
# looks at every position once has $p = 2$. Global attention has $L = S^2$ tokens, and $L^2$ scores: $p = 4$, once these are what
# costs. (Your modules, 16 channels, one thread.)

# %% tags=["demo"]
def milliseconds(function, side):
    """The shortest of some calls."""
    x = torch.randn(1, 16, side, side)
    durations = []
    with torch.no_grad():
        for _ in range(3 if training.fast() else 8):
            start = time.perf_counter()
            function(x)
            durations.append(1000 * (time.perf_counter() - start))
    return min(durations)


def of_blocks(x):
    tokens = x.flatten(2).mT
    return attention_in_blocks(tokens, tokens, tokens, 256)


def of_all(x):
    tokens = x.flatten(2).mT
    return scaled_dot_product_attention(tokens, tokens, tokens)[0]


functions = {
    "all tokens": of_all,
    "all tokens, in blocks": of_blocks,
    "windows of 8x8": lambda x: in_windows(x.movedim(1, 3), 8, 0, masked=False),
    "deformable, 9 points": DeformableAttention(16),
    "coordinate": CoordinateAttention(16).eval(),
    "ECA": ECA(16),
}
sides = [24, 32, 48, 64]
with one_thread():
    times = {name: [milliseconds(function, side) for side in sides] for name, function in functions.items()}
rows = []
for name, measured in times.items():
    x, y = torch.tensor([sides, measured]).log().unbind(0)
    power = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    rows.append([name, *(f"{milli:.2f}" for milli in measured), f"{power:.1f}"])
display(
    Table("Milliseconds for one map, and the power of the side", ["", *(f"{side} x {side}" for side in sides), "power"], rows),
    figures.curves(sides, times, "side of the map", "milliseconds"),
)

# %% [markdown]
# **Read yourself first.** Which lines are the steepest? Those of all tokens: a power above 4. Why above? At 64×64
# positions the matrix has 16.8 million scores, 67 MB. It no longer fits into the processor's fast memory, and carrying it costs
# more than computing it. In blocks the power is lower, and at the largest map blocks are **faster** in our run, although they
# compute more. So you have seen FlashAttention's idea at work on your own processor. (At small maps the loop in Python costs
# more than it saves.)
#
# Windows and deformable attention grow more slowly than with the number of positions: in our runs the power is between 1.5 and 2,
# for at small maps fixed costs (calling Python, starting an operation) count as well. ECA and coordinate attention are so cheap
# that fixed costs hide their growth. A power says how a cost grows,
# not how large it is.
#
# ## 11. The papers, guided
#
# Think first, then unfold.
#
# <details><summary><b>ECA: neighbouring channels have nothing in common. Why does it work?</b></summary>
#
# The order of channels means nothing before training. But the network is trained *with* the block: it may put together what
# belongs together. And a gate may depend on its own channel most: the paper's ablation says that avoiding the narrow middle
# layer of SE matters.
#
# </details>
#
# <details><summary><b>Swin: why shift by half a window, and not use overlapping windows?</b></summary>
#
# Overlapping windows need keys of their own for every query: slow memory access (section 3.2 of the paper compares the
# latency). Shifted windows are plain batches of windows, and two layers together connect neighbours across borders.
#
# </details>
#
# <details><summary><b>FlashAttention computes more and is faster. How can that be?</b></summary>
#
# On a GPU it waits for memory, not for multiplications. It reads $Q$, $K$ and $V$ in blocks, keeps a block of scores in fast
# memory, and writes only the output. The matrix of all weights is never written.
#
# </details>
#
# ## The course's comparison table, complete

# %% tags=["demo"]
figures.mechanism_table(*figures.MECHANISMS)

# %% [markdown]
# **What commonly goes wrong**
#
# - Windows by a reshape alone. It runs, and each window is a strip of rows.
# - A mask with the opposite meaning: True = may *not* attend. Ask: may a token attend to itself?
# - In blocks: the sum is repaired when a larger score comes, and the output is not.
# - Offsets in pixels are added to coordinates from −1 to 1: a step of 1 is then half the image.
# - A zero start with a block of zeros behind it: neither ever learns.
#
# **Questions learners ask**
#
# - *Does a new block break pretrained weights?* Not behind a door. Without one it does at first: the experiment shows by how
#   much.
# - *Is attention in blocks an approximation?* No. It is the same sum in another order.
# - *Which one should I take?* The table says what each costs. What it gains, only your own task can say: measure it against a
#   control.

# %% [markdown]
# ## Your points

# %%
points("10-the-family-since")
