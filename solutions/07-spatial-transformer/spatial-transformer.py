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
# # 07 · Spatial transformers: turn the eye before you look
#
# **Paper:** M. Jaderberg, K. Simonyan, A. Zisserman, K. Kavukcuoglu, *Spatial Transformer Networks*, NIPS 2015
# ([arXiv:1506.02025](https://arxiv.org/abs/1506.02025)).
#
# | | |
# | --- | --- |
# | **After this lesson you can** | write an affine grid and a bilinear sampler that gradients flow through, build a spatial transformer, and measure whether it follows the object |
# | **Time** | about 115 minutes in two sittings of 65 and 50, without reading the paper |
# | **You need** | lesson 01; matrices and vectors; indexing tensors with tensors in PyTorch |
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
from dataclasses import replace
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from attention_lab import data, figures, training
from attention_lab.grading import check, hint, points
from attention_lab.recording import recorded
from attention_lab.table import Table

# %% [markdown]
# ## 1. A picture first
#
# The mechanisms so far give every position a weight. A **spatial transformer** does something bolder: it decides where
# to look, and *makes a new image* of what it sees there.
#
# The **frame** goes around the places that it reads. The dots are some of these places, and the small square marks the
# first one: the output has its upper left pixel there. Grey is outside the image. Below each picture is what comes out.
#
# Here nobody has learned anything yet: we choose the places by hand, and PyTorch does the reading. Soon you do both.

# %% tags=["demo"]
photo = data.photo("astronaut", size=192)[None]
poses = {
    "the image as it is": [[1, 0, 0], [0, 1, 0]],
    "zoom on the face": [[0.35, 0, -0.12], [0, 0.35, -0.6]],
    "frame turned by 30°": [[0.87, -0.5, 0], [0.5, 0.87, 0]],
    "sheared": [[0.6, 0.3, 0], [0, 0.6, -0.2]],
}
theta = torch.tensor(list(poses.values()))
grid = F.affine_grid(theta, [4, 1, 96, 96], align_corners=False)
figures.sampling_grid(photo.repeat(4, 1, 1, 1), grid, list(poses))

# %% [markdown]
# ## 2. The mechanism
#
# ```mermaid
# flowchart LR
#     x["x<br/>(N, C, H, W)"] --> loc["localisation<br/>any network"]
#     loc --> theta["theta<br/>(N, 2, 3)"]
#     theta --> grid["affine grid<br/>(N, H, W, 2)"]
#     x --> sample(("bilinear<br/>sampling"))
#     grid --> sample
#     sample --> out["output<br/>(N, C, H, W)"]
# ```
#
# $$\begin{pmatrix} x^{in} \\ y^{in} \end{pmatrix} = \theta \begin{pmatrix} x^{out} \\ y^{out} \\ 1 \end{pmatrix}
# \qquad \theta = \begin{pmatrix} \theta_{11} & \theta_{12} & t_x \\ \theta_{21} & \theta_{22} & t_y \end{pmatrix}$$
#
# - $(x^{out}, y^{out})$ is the place of an **output** pixel, and $(x^{in}, y^{in})$ the place where it **looks in the
#   input**.
# - Both run from −1 to 1 across the image: $x$ to the right, $y$ **down**. The middle is $(0, 0)$.
# - $t_x, t_y$ are the **shifts**. The other four numbers turn, scale and shear.
# - `theta` is $\theta$, one matrix for each image. It comes from the **localisation**, a small network that sees the
#   image.
#
# **Why does a small zoom make things large, and a shift to the right move them left?** Because theta answers *where do I
# look?*, not *where does it go?* A zoom of 0.5 looks at half the width and half the height, so things appear **twice as
# large**. A positive $t_x$ looks further right, so things move **left**. This direction is useful: every output pixel
# gets a value, and there are no holes.
#
# In the words of lesson 01: the *scores* are the six numbers. There is no softmax. Bilinear sampling makes the weights:
# four for each output pixel, one for each pixel around its point. Inside the image they sum to 1 by construction. In
# the code, `weights(x)` returns the six numbers, because all other weights follow from them.

# %% [markdown]
# ## 3. Exercise: the affine grid
#
# **What and why.** Spell out $\theta$ for every pixel of the output. Nearly all bugs of spatial transformers live here:
# $x$ and $y$ exchanged, or a grid whose −1 is the middle of the first pixel, where the sampler's −1 is that pixel's edge.
# **Difficulty** ●●○○ · **15 minutes** · **<!-- points: affine-grid --> points**
#
# `affine_grid(theta, height, width)`: `(N, 2, 3)` → `(N, H, W, 2)`. The last axis is $(x, y)$, in this order.
#
# **Where is −1?** At the left *edge* of the image, not at the centre of the first pixel. In an output of 4 columns,
# each is 0.5 wide, so their centres are at −0.75, −0.25, 0.25, 0.75. In general: column $j$ of $W$ has its centre at $x
# = (2j + 1)/W - 1$, and rows do the same. PyTorch calls this `align_corners=False`.
#
# Write it without `F.affine_grid`.
#
# If you are stuck, run `hint("affine-grid")` in a cell of your own, or unfold:
#
# <!-- hints: affine-grid -->

# %% exercise="affine-grid"
def affine_grid(theta, height, width):
    """(N, 2, 3) -> (N, H, W, 2): where each output pixel looks in the input, as (x, y)."""
    ### BEGIN SOLUTION
    x = (2 * torch.arange(width, dtype=theta.dtype) + 1) / width - 1
    y = (2 * torch.arange(height, dtype=theta.dtype) + 1) / height - 1
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    points = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1)
    return torch.einsum("nij,hwj->nhwi", theta, points)
    ### END SOLUTION


# %%
check("affine-grid-shape", affine_grid)

# %%
check("affine-grid-identity", affine_grid)

# %%
check("affine-grid-shift", affine_grid)

# %%
check("affine-grid-values", affine_grid)

# %% [markdown]
# **See it.** Four pixels wide, two high. The identity gives the centres; a shift of 0.5 in $x$ changes $x$ alone.

# %% tags=["demo"]
identity = torch.eye(2, 3)[None]
shifted = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]])
for name, matrix in [("identity", identity), ("shift of 0.5 in x", shifted)]:
    small = affine_grid(matrix, 2, 4)[0]
    x, y = small[0, :, 0].tolist(), small[:, 0, 1].tolist()
    print(f"{name:18} x of the first row {x}, y of the first column {y}")

# %% [markdown]
# ## 4. Exercise: bilinear sampling
#
# **What and why.** The points of the grid lie *between* pixels. Reading the nearest pixel would work, but could not
# learn: move the point a little, and nothing changes, so the gradient is zero. **Bilinear** sampling takes the four
# pixels around the point, each by its closeness. Then a small move changes the output a little, and the gradient says
# in which direction to move. **Difficulty** ●●●○ · **25 minutes** · **<!-- points: bilinear-sample --> points**
#
# $$V = \sum_{\text{pixels}} \max(0,\, 1 - |u - \text{column}|)\;\max(0,\, 1 - |v - \text{row}|)\;\,
# \text{image}[\text{row}, \text{column}]$$
#
# - $u = \frac{(x + 1)\,W - 1}{2}$ and $v = \frac{(y + 1)\,H - 1}{2}$ are $x$ and $y$ in pixels, with decimals.
# - Only the four pixels around $(u, v)$ have a weight above 0.
# - What lies outside the image is black: a pixel that does not exist counts as 0.
#
# `bilinear_sample(image, grid)`: `(N, C, H, W)` and `(N, h, w, 2)` → `(N, C, h, w)`. Write it without `F.grid_sample`.
#
# <!-- hints: bilinear-sample -->

# %% exercise="bilinear-sample"
def bilinear_sample(image, grid):
    """(N, C, H, W), (N, h, w, 2) -> (N, C, h, w): the image read at the points (x, y); black outside."""
    ### BEGIN SOLUTION
    number, _, height, width = image.shape
    u = ((grid[..., 0] + 1) * width - 1) / 2
    v = ((grid[..., 1] + 1) * height - 1) / 2
    left, top = u.detach().floor().long(), v.detach().floor().long()
    images = torch.arange(number)[:, None, None]
    output = 0
    for down in (0, 1):
        for right in (0, 1):
            row, column = top + down, left + right
            weight = (1 - (v - row).abs()) * (1 - (u - column).abs())
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            row, column = row.clamp(0, height - 1), column.clamp(0, width - 1)
            pixels = image[images, :, row, column]  # (N, h, w, C)
            output = output + (weight * inside)[..., None] * pixels
    return output.movedim(-1, 1)
    ### END SOLUTION


# %%
check("bilinear-sample-shape", bilinear_sample)

# %%
check("bilinear-sample-identity", bilinear_sample)

# %%
check("bilinear-sample-values", bilinear_sample)

# %%
check("bilinear-sample-outside", bilinear_sample)

# %%
check("bilinear-sample-gradients", bilinear_sample)

# %% [markdown]
# **See what you built.** The same poses as at the top, this time with your two functions. The black corners are outside
# the image.

# %% tags=["demo"]
seen = bilinear_sample(photo.repeat(4, 1, 1, 1), affine_grid(theta, 96, 96))
figures.gallery(seen, list(poses))

# %% [markdown]
# **Your functions can learn.** We hide a pose, and look for it by gradient descent: start from the identity, compare
# what we see with what we should see, and follow the gradient of the difference to `theta`. No network yet, just six
# numbers.

# %% tags=["demo"]
hidden_pose = torch.tensor([[[0.6, -0.15, 0.1], [0.15, 0.6, -0.25]]])
target = bilinear_sample(photo, affine_grid(hidden_pose, 48, 48))


def search(start):
    """Follow the gradient from a theta (1, 2, 3), for 120 steps: each difference, and what is seen."""
    theta = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([theta], lr=0.02)
    for _ in range(121):
        seen = bilinear_sample(photo, affine_grid(theta, 48, 48))
        difference = F.mse_loss(seen, target)
        optimizer.zero_grad()
        difference.backward()
        yield difference.item(), seen.detach()
        optimizer.step()


found = list(search(torch.eye(2, 3)[None]))
stops = (0, 20, 40, 120)
titles = ["look for this", *(f"step {step}: {found[step][0]:.4f}" for step in stops)]
near = figures.gallery(torch.cat([target, *(found[step][1] for step in stops)]), titles)

images, titles = [], []
for shift in (0.5, 1.0, 2.1):
    far = list(search(torch.tensor([[[1.0, 0.0, shift], [0.0, 1.0, 0.0]]])))
    images += [far[0][1], far[-1][1]]
    titles += [f"from {shift}: {far[0][0]:.4f}", f"step 120: {far[-1][0]:.4f}"]
display(near, figures.gallery(torch.cat(images), titles))

# %% [markdown]
# The numbers are the mean squared difference. In the second row the search starts further to the right: by a shift of
# 0.5, 1 and 2.1. From 0.5 it still finds the pose. From 1 it ends somewhere else: the gradient only knows the pixels
# around each point. From 2.1 it sees nothing but black, and black gives no gradient: it stays where it is. Remember
# this when we train.
#
# **What your sampler cannot do.** It reads the four pixels around each point, and no others. When the points lie further
# apart than the pixels, most pixels are never read: that happens at a zoom above 1, or when the output is smaller than
# what it looks at. Here are rings of 192×192 pixels, which become finer towards the edge. On a grid of 48×48 points we
# read them as they are, and once more after averaging squares of 4×4 pixels.

# %% tags=["demo"]
place = torch.linspace(-1, 1, 192)
rings = 0.5 + 0.5 * torch.cos(90 * (place[:, None] ** 2 + place**2))[None, None]
coarse = affine_grid(torch.eye(2, 3)[None], 48, 48)
averaged = F.avg_pool2d(rings, 4)
titles = ["192 x 192 pixels", "read at 48 x 48 points", "averaged, then read"]
seen = [F.interpolate(bilinear_sample(image, coarse), 192) for image in (rings, averaged)]
figures.gallery(torch.cat([rings, *seen]), titles)

# %% [markdown]
# In the middle picture there are rings in the corners and at the sides that do not exist. This is **aliasing**: fine
# stripes, read too rarely, look like coarse ones. Averaging first takes most of it away: grey is the honest answer.
# (Weak false rings are left. A square is not the best average.) A spatial transformer that zooms out does not average. So it is best at zooming *in*.
#
# ## 5. Exercise: the spatial transformer
#
# **What and why.** Now a network decides where to look, for every image anew. It should begin by looking at the image
# as it is. With PyTorch's random start the six numbers are small: the rest of the network would see a few pixels near
# the middle, blown up and perhaps mirrored. **Difficulty** ●●○○ · **15 minutes** · **<!-- points: spatial-transformer --> points**
#
# - `SpatialTransformer(localisation)`: `localisation` is an `nn.Sequential` from `(N, C, H, W)` to `(N, 6)`. Its last
#   layer is an `nn.Linear` with biases: `localisation[-1]`.
# - `weights(x)`: `(N, C, H, W)` → `(N, 2, 3)`, the matrix $\theta$ of each image, filled row by row
# - `forward(x)`: `(N, C, H, W)` → `(N, C, H, W)`, what is seen, in the size of `x`
# - **identity start**: set the parameters of the last layer so that a fresh module gives back `x`, whatever `x` is
#
# Use your two functions, or PyTorch's `F.affine_grid` and `F.grid_sample` with `align_corners=False` in **both**.
#
# <!-- hints: spatial-transformer -->

# %% exercise="spatial-transformer"
class SpatialTransformer(nn.Module):
    def __init__(self, localisation):
        super().__init__()
        ### BEGIN SOLUTION
        self.localisation = localisation
        with torch.no_grad():
            localisation[-1].weight.zero_()
            localisation[-1].bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))
        ### END SOLUTION

    def weights(self, x):
        """(N, C, H, W) -> (N, 2, 3): the affine map of each image, from output to input."""
        ### BEGIN SOLUTION
        return self.localisation(x).unflatten(1, (2, 3))
        ### END SOLUTION

    def forward(self, x):
        """(N, C, H, W) -> (N, C, H, W): x, seen through its affine map."""
        ### BEGIN SOLUTION
        grid = affine_grid(self.weights(x), *x.shape[2:])
        return bilinear_sample(x, grid)
        ### END SOLUTION


# %%
check("spatial-transformer-shapes", SpatialTransformer)

# %%
check("spatial-transformer-identity", SpatialTransformer)

# %%
check("spatial-transformer-values", SpatialTransformer)

# %%
check("spatial-transformer-gradients", SpatialTransformer)

# %% [markdown]
# ---
# **First sitting ends here** (about 65 minutes). The second one takes about 50. If you come back in a new kernel, run the
# cells above again (*Run* → *Run All Above Selected Cell*).
#
# ---
#
# ## 6. Exercise: does it follow?
#
# **What and why.** Soon a network will choose a window for each image, and pictures will show the window on the garment.
# Does it *follow* the garment? A window that always stays in the middle is often on the garment, too: if garments lie near
# the middle. So compare with a control: **would the windows of the other images have done as well?**
# **Difficulty** ●●○○ · **10 minutes** · **<!-- points: follows --> points**
#
# `follows(theta, centres)` → a tuple of three: `(word, own, other)`
#
# - `theta`: `(N, 2, 3)`, the window that was chosen for each image. `centres`: `(N, 2)`, where each garment's middle
#   really is, as $(x, y)$.
# - The **middle of a window** is the place where the middle of the output, $(0, 0)$, looks in the input.
# - `own`: the distance from the middle of each window to the centre of its **own** garment, mean over the images.
# - `other`: the distance from the middle of a window to the centre of a garment in **another** image, mean over all pairs
#   of two different images, $N (N - 1)$ of them.
# - `word`: `"follows"` if `own` is less than half of `other`, otherwise `"ignores"`.
#
# A distance is $\sqrt{\Delta x^2 + \Delta y^2}$. If one window is used for all images, `own` and `other` are equal: do you
# see why?
#
# <!-- hints: follows -->

# %% exercise="follows"
def follows(theta, centres):
    """(N, 2, 3) windows, (N, 2) true centres -> (word, own, other)."""
    ### BEGIN SOLUTION
    distances = (theta[:, None, :, 2] - centres).norm(dim=2)  # window i, garment j
    number = len(distances)
    own = distances.diagonal().mean()
    other = (distances.sum() - distances.diagonal().sum()) / (number * (number - 1))
    return "follows" if own < other / 2 else "ignores", own, other
    ### END SOLUTION


# %%
check("follows-word", follows)

# %% [markdown]
# ## 7. Experiment: find the garment in the clutter
#
# This is the paper's "translated cluttered" task in small. One garment of four classes lies somewhere on a black image,
# upright and half as wide as the image. Around it lie pieces of other garments. We also draw the same images *without*
# the pieces (the five on the right), to see what makes the task hard: the place, or the pieces?

# %% tags=["demo"]
def hidden_garments(number, split, seed, **options):
    """Scenes on black with garments of four classes; the label is an index into CUE_CLASSES."""
    return data.of_cue_classes(data.scenes(number, split, seed=seed, photos=False, **options))


half = {"size": 32, "scale": (0.5, 0.5), "rotation": 0}
number = 1000 if training.fast() else 30000
train_set = hidden_garments(number, "train", seed=1, **half, fragments=3)
test_set = hidden_garments(number // 8, "test", seed=2, **half, fragments=3)
clean_train = hidden_garments(number, "train", seed=1, **half, fragments=0)
clean_test = hidden_garments(number // 8, "test", seed=2, **half, fragments=0)
labels = [data.CUE_CLASSES[label] for label in test_set.label[:5]]
figures.gallery(torch.cat([test_set.image[:5], clean_test.image[:5]]), labels * 2)

# %% [markdown]
# Three classifiers:
#
# - **plain**: fully connected layers see the whole image of 32×32 pixels;
# - **transformer**: the localisation looks at the image in half the resolution and gives three numbers, a zoom and two
#   shifts (the paper calls this *attention*). Your grid and your sampler cut out 16×16 pixels there. Fully connected
#   layers see these 16×16 pixels and nothing else. The shifts start at 0, and the zoom at 0.7: a window in the middle, a
#   little larger than the garment, so that it sees what lies around.
# - **convolutions, no window**: the localisation has two convolutions, and plain has none. Perhaps *they* are what helps,
#   and not the looking. So the third classifier is the localisation itself, asked for the class: no grid, no sampler.

# %% tags=["demo"]
def classifier(side, width=128):
    """(N, 1, side, side) -> logits: three fully connected layers."""
    layers = nn.Linear(side**2, width), nn.ReLU(), nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 4)
    return nn.Sequential(nn.Flatten(), *layers)


def convolutions(outputs):
    """(N, 1, 32, 32) -> (N, outputs): two convolutions and two linear layers at half the resolution."""
    return nn.Sequential(
        nn.AvgPool2d(2),
        nn.Conv2d(1, 8, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 8 * 8, 32),
        nn.ReLU(),
        nn.Linear(32, outputs),
    )


class Crop(nn.Module):
    """Look where the localisation says, by zoom and two shifts: at 16 x 16 pixels of 32 x 32."""

    def __init__(self):
        super().__init__()
        self.localisation = convolutions(3)
        with torch.no_grad():
            self.localisation[-1].weight.zero_()
            self.localisation[-1].bias.copy_(torch.tensor([0.7, 0.0, 0.0]))

    def weights(self, x):
        zoom, right, down = self.localisation(x).unbind(1)
        zero = torch.zeros_like(zoom)
        return torch.stack([zoom, zero, right, zero, zoom, down], dim=1).unflatten(1, (2, 3))

    def forward(self, x):
        return bilinear_sample(x, affine_grid(self.weights(x), 16, 16))


# %% [markdown]
# Nobody tells any of them where the garment is. *We* know, because we put it there. `scenes.pose` is the matrix that
# drew the scene: for a place $p$ in the scene, it gives the place $Ap + t$ in the garment's own picture. We want the
# way back, from the garment to the scene: $p \mapsto A^{-1}(p - t)$. This inverse is the theta that a perfect
# transformer would choose. Its last column is the place of the garment's middle.
#
# So your `follows` can judge the windows, and we can give a plain classifier the perfect window, to see what is possible.

# %% tags=["demo"]
def perfect_theta(pose):
    """(N, 2, 3) -> (N, 2, 3): the theta whose output is the garment, upright and filling it."""
    back = torch.linalg.inv(pose[:, :, :2])
    return torch.cat([back, -back @ pose[:, :, 2:]], dim=2)


# %% [markdown]
# The next cell only makes tables. You need not read it.

# %% tags=["demo"]
def where_they_look(windows, scenes):
    """Your verdict on each set of windows."""
    centres = perfect_theta(scenes.pose)[:, :, 2]
    half = scenes.image.shape[-1] / 2  # pixels; as a coordinate it is 1 long
    rows = []
    for name, theta in windows.items():
        word, own, other = follows(theta, centres)
        zoom = (theta[:, 0, 0] + theta[:, 1, 1]).mean() / 2
        rows.append([name, f"{half * own:.1f}", f"{half * other:.1f}", word, f"{zoom:.2f}"])
    header = ["windows", "pixels to its own garment", "to another image's", "so it", "mean zoom"]
    return Table("How far the middle of a window is from a garment's middle", header, rows)


def two_by_two(comparison):
    """What an unknown place costs, with and without pieces; what pieces cost; how the costs differ."""
    names = [["plain", "perfect window"], ["plain, without pieces", "perfect window, without pieces"]]
    place = [comparison.minus(unknown, known) for unknown, known in names]
    rows = [
        [title, *(f"{comparison.runs[name].mean:.1f}" for name in pair), str(cost)]
        for title, pair, cost in zip(["with pieces", "without pieces"], names, place)
    ]
    pieces = [str(comparison.minus(with_pieces, without)) for with_pieces, without in zip(*names)]
    apart = training.Difference.between(place[0].values, place[1].values)
    rows.append(["the pieces cost", *pieces, f"{apart:.1f}, so it is {apart.in_words('less', 'more')}"])
    header = ["", "place unknown", "place known", "the place costs"]
    caption = "Errors in %, their differences, and (last cell) the difference of the differences"
    return Table(caption, header, rows)


def steps_between(comparison, *names):
    """Each model minus the one before it."""
    rows = []
    for other, name in pairwise(names):
        apart = comparison.minus(name, other)
        rows.append([f"{name} minus {other}", str(apart), apart.in_words("better", "worse")])
    return Table("From plain to the perfect window", ["", "error in points", "so it is"], rows)


def chosen_windows(comparison, name, images):
    """What each seed's transformer chooses."""
    with torch.no_grad():
        models = comparison.runs[name].models
        chosen = [model[0].weights(images) for model in models]
    return {f"seed {seed}": theta for seed, theta in zip(comparison.seeds, chosen)}


# %% [markdown]
# **Predict before you run.** The next cell measures six errors: plain, the convolutions, the transformer, and plain in the
# perfect window; then plain and in the perfect window again, both without the pieces. Write down the order that you
# expect. What costs the plain classifier more: that the garment lies anywhere, or the pieces? How much of the
# transformer's gain do the convolutions reach without a window?
#
# All six are trained from three seeds. This takes about 40 seconds.

# %% tags=["demo"]
def trained(name, build, train, test):
    """One model, trained from three seeds."""
    return training.compare({name: build}, train=train, test=test, steps=600, seeds=range(20, 23))


def pairs(*sets):
    return [(scenes.image, scenes.label) for scenes in sets]


def in_the_perfect_window(*sets):
    return [
        (bilinear_sample(scenes.image, affine_grid(perfect_theta(scenes.pose), 16, 16)), scenes.label)
        for scenes in sets
    ]


pieces, clean = (train_set, test_set), (clean_train, clean_test)
finding = [
    trained("plain", lambda: classifier(32), *pairs(*pieces)),
    trained("convolutions, no window", lambda: convolutions(4), *pairs(*pieces)),
    trained("transformer", lambda: nn.Sequential(Crop(), classifier(16)), *pairs(*pieces)),
    trained("perfect window", lambda: classifier(16), *in_the_perfect_window(*pieces)),
    trained("plain, without pieces", lambda: classifier(32), *pairs(*clean)),
    trained("perfect window, without pieces", lambda: classifier(16), *in_the_perfect_window(*clean)),
]
comparison = replace(finding[0], runs={name: runs for one in finding for name, runs in one.runs.items()})
windows = chosen_windows(comparison, "transformer", test_set.image)
middle = torch.tensor([[0.7, 0, 0], [0, 0.7, 0]]).expand(len(test_set.image), 2, 3)
grids = affine_grid(next(iter(windows.values()))[:6], 16, 16)
labels = [data.CUE_CLASSES[label] for label in test_set.label[:6]]
way = "plain", "convolutions, no window", "transformer", "perfect window"
display(
    comparison,
    two_by_two(comparison),
    steps_between(comparison, *way),
    where_they_look({"always the middle": middle, **windows}, test_set),
    figures.sampling_grid(test_set.image[:6], grids, labels),
)

# %% [markdown]
# **What makes the task hard?** The place or the pieces? Four of the errors show each with and without the other: see the
# second table. The answer is: neither one nor the other. Where the place is known, the pieces cost little. Where there
# are no pieces, the unknown place costs little. Both **together** cost far more than the two alone would make. That is an
# **interaction**: it makes no sense to ask which of the two is to blame. (An eye that knows where to look does not mind
# pieces. An eye that must look everywhere meets them everywhere.) A spatial transformer attacks just that: it makes the
# place known.
#
# (Mind what *place known* means here: the perfect window knows the place *and* cuts off most of the pieces, and its
# classifier is smaller. We did not train plain on garments in the middle with all the pieces still visible.)
#
# **What does the transformer gain?** Compare the rows of the first table. It has much less error than plain, with about
# half the parameters. But look at the **convolutions without a window**: they reach a good part of this gain, nearly half
# in our run (third table). So this part needs no looking. Without this row we would have given all of it
# to the window. The rest is decided by the rule, but not all of it need be the window's. The transformer also has twice
# the parameters of this control, and its classifier sees the full resolution. A control without a doubt would see all
# 32×32 pixels, have as many parameters and no window. The perfect window is better still.
#
# **Where it looks.** By your verdict it follows the garment in every seed, and the size of the window settles near the
# garment's own (a zoom of 0.5), although only the class was ever told. The way is long: error of the classifier →
# gradient to the pixels it saw → through your sampler to the grid → through your grid to the three numbers → to the
# localisation.
#
# **What this does not show.** That every network gains as much. A convolutional network already treats all places alike,
# so there is less to gain. In the paper, on its translated cluttered digits, the fully connected network goes from
# 13.2 % to 2.0 % with a spatial transformer, the convolutional one from 3.5 % to 1.7 %. And with more clutter or fewer
# steps, a training may never find the garment: where the window does not touch the garment, the gradient says nothing
# about it.

# %% [markdown]
# ## 8. Experiment: does it turn the garments upright?
#
# Now the garments are turned by up to 90° to either side, and nothing lies around them. This time your
# `SpatialTransformer` chooses all six numbers, from the identity on, and its output is as large as the image. Its
# localisation has fully connected layers only. Three models stand beside it. Each takes something away:
#
# - **zoom and shift only** cannot turn or shear: its localisation ends in one zoom and two shifts;
# - **one window for all** cannot even look at the image: it learns six numbers, the same for every image;
# - **plain** has no transformer, but a wider first layer: it has as many parameters as the first.
#
# **Predict before you run.** In which order will they come? How much worse is the one that cannot turn? And the one that
# does not look? The second cell below trains them; it takes about 40 seconds. The differences are small, and three seeds
# are few. So the same cell was run beforehand from ten other seeds, and the second table shows their errors.

# %% tags=["demo"]
turned = {"size": 16, "scale": (0.68, 0.68), "rotation": 90, "fragments": 0}
turned_train = hidden_garments(number, "train", seed=3, **turned)
turned_test = hidden_garments(number // 8, "test", seed=4, **turned)


class ZoomAndShift(nn.Linear):
    """A last layer of a localisation that cannot turn or shear."""

    def forward(self, x):
        across, _, right, _, along, down = super().forward(x).unbind(1)
        zoom, zero = (across + along) / 2, torch.zeros_like(across)
        return torch.stack([zoom, zero, right, zero, zoom, down], dim=1)


class OneForAll(nn.Linear):
    """A last layer of a localisation that gives every image the same six numbers."""

    def forward(self, x):
        return self.bias.expand(len(x), -1)


def transformer(last=nn.Linear):
    first = nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU()
    localisation = nn.Sequential(nn.Flatten(), *first, last(32, 6))
    return nn.Sequential(SpatialTransformer(localisation), classifier(16))


def angle(theta):
    """(N, 2, 3) -> (N,): by how many degrees each map turns."""
    sine, cosine = theta[:, 1, 0] - theta[:, 0, 1], theta[:, 0, 0] + theta[:, 1, 1]
    return torch.rad2deg(torch.atan2(sine, cosine))


def how_far_it_turns(windows, scenes):
    """The angle of theta against the angle that turns the garment upright; a row for each seed."""
    needed, rows = angle(perfect_theta(scenes.pose)), []
    for seed, theta in windows.items():
        chosen = angle(theta)
        left = (needed - chosen + 180) % 360 - 180
        means = [f"{degrees.abs().mean():.0f}°" for degrees in (needed, chosen, left)]
        rows.append([seed, *means, f"{torch.corrcoef(torch.stack([needed, chosen]))[0, 1]:.2f}"])
    header = ["", "tilt before", "turn", "tilt after", "correlation of turn and tilt"]
    caption = "With your SpatialTransformer: angles without sign, mean of the test images"
    return Table(caption, header, rows)


# %% tags=["demo"]
rotation = training.compare(
    {
        "your SpatialTransformer": transformer,
        "zoom and shift only": lambda: transformer(ZoomAndShift),
        "one window for all": lambda: transformer(OneForAll),
        "plain": lambda: classifier(16, width=186),
    },
    train=(turned_train.image, turned_train.label),
    test=(turned_test.image, turned_test.label),
    steps=1000,
    seeds=range(3),
)
windows = chosen_windows(rotation, "your SpatialTransformer", turned_test.image)
grids = affine_grid(next(iter(windows.values()))[:6], 16, 16)
labels = [data.CUE_CLASSES[label] for label in turned_test.label[:6]]
ten_seeds = recorded("spatial-transformer-turned", rotation.seeds, rotation.errors)
yours, *others = rotation.runs
compared = [(name, yours) for name in others]
compared += [(name, "plain") for name in ("one window for all", "zoom and shift only")]
display(
    rotation,
    training.with_more_seeds(rotation, ten_seeds, compared),
    how_far_it_turns(windows, turned_test),
    where_they_look(windows, turned_test),
    figures.sampling_grid(turned_test.image[:6], grids, labels),
)

# %% [markdown]
# **Do the garments stand upright?** No. The third table says how far they were tilted, and how far they still are after
# the transformer: hardly less. The correlation says that the direction of the turn has something to do with the tilt. But
# the turns are much too small.
#
# **Do the windows follow?** The garments are large here and cannot move far. The windows are nearer to their own garment
# than to others, but not by half: your `follows` says "ignores". A rule with one threshold knows no "a little". So look at
# the numbers beside the word.
#
# **Is it better than plain?** Yes, by about one point of error with as many parameters. In ten seeds that is decided: a
# small gain, and a real one.
#
# **What helps, then?** Take away one thing after another, and read the ten seeds in the second table. Without the turning
# we see no loss: *zoom and shift only* cannot be told from yours (undecided, first line). Without the looking no gain is
# left to see: *one window for all* cannot be told from plain (undecided, fourth line). And *zoom and shift only* is better
# than plain (fifth line). So it does help to look at each image, by zoom and shift. It does not turn garments upright. The
# network was never asked for upright garments. It was asked for the class.
#
# The error alone, or six pictures with frames that stand a little askew, would have let you believe that the garments
# are turned upright. So **measure** what a mechanism does. And take away what you believe to be the reason: is the
# result worse?

# %% [markdown]
# ## 9. The paper, guided
#
# Read sections 3 and 4.1. Then answer for yourself before you unfold.
#
# <details><summary><b>The sampler has a kink at every pixel. How can it have a gradient?</b></summary>
#
# Between two pixels the output changes along a straight line, with a slope. Exactly on a pixel the slope jumps, and one
# takes the slope of one side (the paper calls this a sub-gradient, its equations 6 and 7). A point is hardly ever
# exactly on a pixel.
#
# </details>
#
# <details><summary><b>Why is the output of a spatial transformer sometimes black?</b></summary>
#
# Because it looks outside the image. Then all pixels are zero, they do not change when theta changes a little, and no
# gradient brings it back. Start from the identity, and use a small learning rate for the localisation if this happens.
#
# </details>
#
# <details><summary><b>Is this attention?</b></summary>
#
# In the frame of this course, yes: weights are computed from the features and combined with the features. But the
# weights of most pixels are exactly zero. The paper calls the version with zoom and shifts "attention" (section
# 3.2). It saves work: what is outside the window is never computed.
#
# </details>
#
# ## The course's comparison table, so far

# %% tags=["demo"]
figures.mechanism_table(
    "softmax pooling", "SE", "CBAM", "BAM", "SK", "self-attention", "spatial transformer"
)

# %% [markdown]
# **What commonly goes wrong**
#
# - $x$ and $y$ exchanged: in tensors the row comes first, in the grid $x$ comes first. Test on an image that is not
#   square.
# - `align_corners` differs between grid and sampler: the identity is not the identity any more.
# - No identity start: training begins with a few blurred pixels near the middle.
# - The pixels are clipped to the image *before* the weights are computed: the weights no longer sum to 1, and the edge
#   turns black, or too bright.
#
# **Surprise.** A shift of $t_x = 0.5$ in a 32 pixels wide image is 8 pixels, not 16: the coordinates are 2 long.

# %% [markdown]
# ## Your points

# %%
points("07-spatial-transformer")

# %% [markdown]
# **Next:** lesson 08 puts all mechanisms into one network and compares them.
