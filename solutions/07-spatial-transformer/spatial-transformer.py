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
# | **After this lesson you can** | write an affine grid and a bilinear sampler that gradients flow through, build a spatial transformer, and measure whether it finds the object |
# | **Time** | about 80 minutes |
# | **You need** | lesson 01; matrices and vectors; indexing tensors with tensors in PyTorch |
# | **Points** | 17 |
#
# Run the cells from top to bottom. Where you read `YOUR CODE HERE`, write your code. The cell below each exercise
# checks it, as often as you like.

# %%
# %load_ext attention_lab.grading

# %%
import torch
from torch import nn
from torch.nn import functional as F

from attention_lab import data, figures, training
from attention_lab.grading import check, hint, points
from attention_lab.table import Table

# %% [markdown]
# ## 1. A picture first
#
# The mechanisms so far give every position a weight. A **spatial transformer** does something bolder: it decides where
# to look, and *makes a new image* of what it sees there. The orange dots are the places it reads. Below each picture is
# what comes out.
#
# Here nobody has learned anything yet: we choose the places by hand, and PyTorch does the reading. Soon you do both.

# %% tags=["demo"]
photo = data.photo("astronaut", size=192)[None]
poses = {
    "the image as it is": [[1, 0, 0], [0, 1, 0]],
    "zoom on the face": [[0.35, 0, -0.12], [0, 0.35, -0.6]],
    "turned by 30°": [[0.87, -0.5, 0], [0.5, 0.87, 0]],
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
# **Why does theta look like the inverse?** Because it answers *where do I look?*, not *where does it go?* A zoom of 0.5
# looks at half of the image, so things appear **twice as large**. A positive $t_x$ looks further right, so things move
# **left**. This direction is useful: every output pixel gets a value, and there are no holes.
#
# In the words of lesson 01: the *scores* are the six numbers, what is *weighted* are pixels (each output pixel is a
# weighted average of the four around its point), and the weights sum to 1.

# %% [markdown]
# ## 3. Exercise: the affine grid
#
# **What and why.** Spell out $\theta$ for every pixel of the output. Nearly all bugs of spatial transformers live here:
# $x$ and $y$ exchanged, or two ideas of where −1 is. **Difficulty** ●●○○ · **15 minutes** · **5 points**
#
# `affine_grid(theta, height, width)`: `(N, 2, 3)` → `(N, H, W, 2)`. The last axis is $(x, y)$, in this order.
#
# **Where is −1?** At the left *edge* of the image, not at the centre of the first pixel. In an output of 4 columns,
# each is 0.5 wide, so their centres are at −0.75, −0.25, 0.25, 0.75. In general: column $j$ of $W$ has its centre at $x
# = (2j + 1)/W - 1$, and rows do the same. PyTorch calls this `align_corners=False`.
#
# Write it without `F.affine_grid`.
#
# <!-- hints: affine-grid -->

# %% nbgrader={"grade": false, "grade_id": "affine-grid", "locked": false, "schema_version": 3, "solution": true, "task": false}
def affine_grid(theta, height, width):
    """(N, 2, 3) -> (N, H, W, 2): where each output pixel looks in the input, as (x, y)."""
    ### BEGIN SOLUTION
    x = (2 * torch.arange(width, dtype=theta.dtype) + 1) / width - 1
    y = (2 * torch.arange(height, dtype=theta.dtype) + 1) / height - 1
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    points = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1)
    return torch.einsum("nij,hwj->nhwi", theta, points)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "affine-grid-shape", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("affine-grid-shape", affine_grid)

# %% nbgrader={"grade": true, "grade_id": "affine-grid-identity", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("affine-grid-identity", affine_grid)

# %% nbgrader={"grade": true, "grade_id": "affine-grid-shift", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("affine-grid-shift", affine_grid)

# %% nbgrader={"grade": true, "grade_id": "affine-grid-values", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("affine-grid-values", affine_grid)

# %% [markdown]
# **See it.** Four pixels wide, two high. The identity gives the centres; a shift of 0.5 in $x$ changes $x$ alone.

# %%
identity = torch.eye(2, 3)[None]
shifted = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]])
for name, matrix in [("identity", identity), ("shift of 0.5 in x", shifted)]:
    small = affine_grid(matrix, 2, 4)[0]
    print(f"{name:18} x of the first row {small[0, :, 0].tolist()}, y of the first column {small[:, 0, 1].tolist()}")

# %% [markdown]
# ## 4. Exercise: bilinear sampling
#
# **What and why.** The points of the grid lie *between* pixels. Reading the nearest pixel would work, but could not
# learn: move the point a little, and nothing changes, so the gradient is zero. **Bilinear** sampling takes the four
# pixels around the point, each by its closeness. Then a small move changes the output a little, and the gradient says
# in which direction to move. **Difficulty** ●●●○ · **25 minutes** · **7 points**
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

# %% nbgrader={"grade": false, "grade_id": "bilinear-sample", "locked": false, "schema_version": 3, "solution": true, "task": false}
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
            pixels = image[images, :, row.clamp(0, height - 1), column.clamp(0, width - 1)]  # (N, h, w, C)
            output = output + (weight * inside)[..., None] * pixels
    return output.movedim(-1, 1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "bilinear-sample-shape", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("bilinear-sample-shape", bilinear_sample)

# %% nbgrader={"grade": true, "grade_id": "bilinear-sample-identity", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("bilinear-sample-identity", bilinear_sample)

# %% nbgrader={"grade": true, "grade_id": "bilinear-sample-values", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("bilinear-sample-values", bilinear_sample)

# %% nbgrader={"grade": true, "grade_id": "bilinear-sample-outside", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("bilinear-sample-outside", bilinear_sample)

# %% nbgrader={"grade": true, "grade_id": "bilinear-sample-gradients", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("bilinear-sample-gradients", bilinear_sample)

# %% [markdown]
# **See what you built.** The same poses as at the top, this time with your two functions. The black corners are outside
# the image.

# %%
seen = bilinear_sample(photo.repeat(4, 1, 1, 1), affine_grid(theta, 96, 96))
figures.gallery(seen, list(poses))

# %% [markdown]
# **Your functions can learn.** We hide a pose, and look for it by gradient descent: start from the identity, compare
# what we see with what we should see, and follow the gradient of the difference to `theta`. No network yet, just six
# numbers.

# %%
target = bilinear_sample(photo, affine_grid(torch.tensor([[[0.6, -0.15, 0.1], [0.15, 0.6, -0.25]]]), 48, 48))
searching = torch.eye(2, 3)[None].requires_grad_()
optimizer = torch.optim.Adam([searching], lr=0.02)
stops = []
for step in range(121):
    found = bilinear_sample(photo, affine_grid(searching, 48, 48))
    difference = F.mse_loss(found, target)
    optimizer.zero_grad()
    difference.backward()
    if step in (0, 20, 40, 120):
        stops.append((f"step {step}: {difference.item():.4f}", found.detach()))
    optimizer.step()
figures.gallery(torch.cat([target, *(image for _, image in stops)]), ["look for this", *(title for title, _ in stops)])

# %% [markdown]
# The numbers are the mean squared difference. The gradient only knows the pixels around each point, so a search that
# starts too far away gets lost. Remember this when we train.
#
# ## 5. Exercise: the spatial transformer
#
# **What and why.** Now a network decides where to look, for every image anew. It should begin by looking at the image
# as it is. A random start would show the rest of the network a random corner, or plain black. And from black no
# gradient comes back. **Difficulty** ●●○○ · **15 minutes** · **5 points**
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

# %% nbgrader={"grade": false, "grade_id": "spatial-transformer", "locked": false, "schema_version": 3, "solution": true, "task": false}
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


# %% nbgrader={"grade": true, "grade_id": "spatial-transformer-shapes", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("spatial-transformer-shapes", SpatialTransformer)

# %% nbgrader={"grade": true, "grade_id": "spatial-transformer-identity", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("spatial-transformer-identity", SpatialTransformer)

# %% nbgrader={"grade": true, "grade_id": "spatial-transformer-values", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("spatial-transformer-values", SpatialTransformer)

# %% nbgrader={"grade": true, "grade_id": "spatial-transformer-gradients", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("spatial-transformer-gradients", SpatialTransformer)

# %% [markdown]
# ## 6. Experiment: find the garment in the clutter
#
# This is the paper's "translated cluttered" task in small. One garment of four classes lies somewhere on a black image,
# upright and half as wide as the image. Around it lie pieces of other garments.

# %% tags=["demo"]
def hidden_garments(number, split, seed, **options):
    """Scenes with garments of four classes; the label is an index into CUE_CLASSES."""
    scenes = data.scenes(number, split, seed=seed, photos=False, **options)
    is_class = scenes.label[:, None] == torch.tensor([data.FASHION_CLASSES.index(name) for name in data.CUE_CLASSES])
    scenes = scenes._replace(label=is_class.int().argmax(1))
    return data.Scenes(*(entry[is_class.any(1)] for entry in scenes))


cluttered = {"size": 32, "scale": (0.5, 0.5), "rotation": 0, "fragments": 3}
number = 1000 if training.fast() else 30000
train_set = hidden_garments(number, "train", seed=1, **cluttered)
test_set = hidden_garments(number // 8, "test", seed=2, **cluttered)
figures.gallery(test_set.image[:8], [data.CUE_CLASSES[label] for label in test_set.label[:8]])

# %% [markdown]
# Two classifiers of fully connected layers:
#
# - **plain** sees the whole image of 32×32 pixels;
# - **with a spatial transformer**: the localisation looks at the image in half the resolution and gives three numbers,
#   a zoom and two shifts (the paper calls this *attention*). Your grid and your sampler cut out 16×16 pixels there. The
#   classifier sees these 16×16 pixels and nothing else. The zoom starts at 0.7, the shifts at 0: it begins in the
#   middle.
#
# Nobody tells either of them where the garment is. *We* know, because we put it there: `scenes.pose` maps the scene to
# the garment, so we can ask which place it maps to the garment's middle. We compare this true centre with the middle of
# the predicted grid: a **correlation** of 1 would follow the garment perfectly, 0 not at all.

# %% tags=["demo"]
def classifier(side):
    """(N, 1, side, side) -> logits: three fully connected layers."""
    layers = nn.Linear(side**2, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 4)
    return nn.Sequential(nn.Flatten(), *layers)


def where_to_look():
    """(N, 1, 32, 32) -> (N, 3): two convolutions and two linear layers at half the resolution."""
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
        nn.Linear(32, 3),
    )


def true_centre(pose):
    """(N, 2, 3) -> (N, 2): the (x, y) that the pose maps to the garment's middle (0, 0)."""
    return -torch.linalg.solve(pose[:, :, :2], pose[:, :, 2])


class Crop(nn.Module):
    """Look where the localisation says, by zoom and two shifts: 16 x 16 pixels of an image of 32 x 32."""

    def __init__(self):
        super().__init__()
        self.localisation = where_to_look()
        nn.init.zeros_(self.localisation[-1].weight)
        self.localisation[-1].bias.data = torch.tensor([0.7, 0.0, 0.0])

    def grid(self, x):
        zoom, right, down = self.localisation(x).unbind(1)
        zero = torch.zeros_like(zoom)
        theta = torch.stack([zoom, zero, right, zero, zoom, down], dim=1).unflatten(1, (2, 3))
        return affine_grid(theta, 16, 16)

    def forward(self, x):
        return bilinear_sample(x, self.grid(x))


comparison = training.compare(
    {
        "plain": lambda: classifier(32),
        "with a spatial transformer": lambda: nn.Sequential(Crop(), classifier(16)),
    },
    train=(train_set.image, train_set.label),
    test=(test_set.image, test_set.label),
    steps=800,
    seeds=range(3),
    lr=4e-3,
)
rows = []
for seed, model in zip(comparison.seeds, comparison.runs["with a spatial transformer"].models):
    with torch.no_grad():
        grids = model[0].grid(test_set.image)
    predicted, true = grids.mean((1, 2)), true_centre(test_set.pose)
    along = [torch.corrcoef(torch.stack([predicted[:, axis], true[:, axis]]))[0, 1] for axis in (0, 1)]
    away = ((predicted - true) * 16).norm(dim=1).median()
    zoom = (grids[:, 0, -1, 0] - grids[:, 0, 0, 0]).mean() / (2 - 2 / 16)
    rows.append([str(seed), *(f"{value:.2f}" for value in along), f"{away:.1f}", f"{zoom:.2f}"])
table = Table(
    "Predicted against true centre. The garment's own frame has zoom 0.50.",
    ["seed", "correlation in x", "correlation in y", "median distance in pixels", "mean zoom"],
    rows,
)
first = comparison.runs["with a spatial transformer"].models[0]
with torch.no_grad():
    grids = first[0].grid(test_set.image[:6])
labels = [data.CUE_CLASSES[label] for label in test_set.label[:6]]
display(
    comparison,
    figures.training_curves(comparison),
    table,
    figures.sampling_grid(test_set.image[:6], grids, labels),
)

# %% [markdown]
# **The errors.** Compare the difference with the spread between seeds. The reason is simple. Fully connected layers
# must learn every garment anew at every place. The transformer brings each garment to the middle, so one place is
# enough.
#
# **Where it looks.** The frame follows the garment, and its size settles near the garment's own, although only the
# class was ever told. The way is long: error of the classifier → gradient to the pixels it saw → through your sampler
# to the grid → through your grid to the three numbers → to the localisation.
#
# **What this shows.** A fully connected classifier gains much from a window that finds the object.
#
# **What it does not show.** That every network does. A convolutional network already treats all places alike. In our
# trials with convolutional classifiers on these images, the plain one was *not* worse than the one with a transformer.
# In the paper too, the gain is larger for fully connected networks (its table 1). And with more clutter or fewer steps,
# some trainings never find the garment: the gradient reaches only as far as the window.

# %% [markdown]
# ## 7. Experiment: turned garments
#
# Now the garments are turned by up to 90° to either side, and nothing lies around them. This time your
# `SpatialTransformer` chooses all six numbers, from the identity on, and its output is as large as the image. Its
# localisation has fully connected layers only, as one of the paper's.

# %% tags=["demo"]
turned = {"size": 16, "scale": (0.68, 0.68), "rotation": 90, "fragments": 0}
turned_train = hidden_garments(number, "train", seed=3, **turned)
turned_test = hidden_garments(number // 8, "test", seed=4, **turned)


def turning():
    """(N, 1, 16, 16) -> (N, 6): where to look."""
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 6))


rotation = training.compare(
    {
        "plain": lambda: classifier(16),
        "with your SpatialTransformer": lambda: nn.Sequential(SpatialTransformer(turning()), classifier(16)),
    },
    train=(turned_train.image, turned_train.label),
    test=(turned_test.image, turned_test.label),
    steps=1000,
    seeds=range(3),
    lr=4e-3,
)
model = rotation.runs["with your SpatialTransformer"].models[0]
with torch.no_grad():
    grids = affine_grid(model[0].weights(turned_test.image[:6]), 16, 16)
labels = [data.CUE_CLASSES[label] for label in turned_test.label[:6]]
display(rotation, figures.sampling_grid(turned_test.image[:6], grids, labels))

# %% [markdown]
# The square on each frame marks where the output has its first pixel: a turned frame has it elsewhere. Do the garments
# below stand upright? Not quite, and not all. The network was never asked to turn them upright. It was asked for the
# class, and it turns them as far as that helps. Compare the errors with their spread before you call it a gain.

# %% [markdown]
# ## 8. The paper, guided
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
# weights of most pixels are exactly zero. The paper calls the version with zoom and shifts "attention". It saves work:
# what is outside the window is never computed.
#
# </details>
#
# **The course's comparison table, so far**

# %% tags=["demo"]
figures.mechanism_table("softmax pooling", "SE", "CBAM", "BAM", "SK", "self-attention", "spatial transformer")

# %% [markdown]
# **What commonly goes wrong**
#
# - $x$ and $y$ exchanged: in tensors the row comes first, in the grid $x$ comes first. Test on an image that is not
#   square.
# - `align_corners` differs between grid and sampler: the identity is not the identity any more.
# - No identity start: training begins from a random corner.
# - The pixels are clipped to the image *before* the weights are computed: the last column turns black.
#
# **Surprise.** A shift of $t_x = 0.5$ in a 32 pixels wide image is 8 pixels, not 16: the coordinates are 2 long.

# %% [markdown]
# ## Your points

# %%
points("07-spatial-transformer")

# %% [markdown]
# **Next:** lesson 08 puts all mechanisms into one network and compares them.
