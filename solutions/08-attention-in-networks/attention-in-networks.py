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
# # 08 · Attention inside networks: count, compare, look
#
# **Papers:** K. He et al., *Deep Residual Learning for Image Recognition*, CVPR 2016
# ([arXiv:1512.03385](https://arxiv.org/abs/1512.03385)): the network that attention modules are put into. R. R.
# Selvaraju et al., *Grad-CAM*, ICCV 2017 ([arXiv:1610.02391](https://arxiv.org/abs/1610.02391)): a way to look into it.
#
# | | |
# | --- | --- |
# | **After this lesson you can** | put any mechanism into a ResNet, count what it costs, compare mechanisms fairly, and draw what a network looks at |
# | **Time** | about 100 minutes |
# | **You need** | lessons 02 to 06; `register_forward_hook` is explained when you need it |
# | **Points** | 27 |
#
# Run the cells from top to bottom. Where you read `YOUR CODE HERE`, write your code. The cell below each exercise
# checks it, as often as you like.

# %%
# %load_ext attention_lab.grading

# %%
import copy

import torch
from torch import nn
from torch.nn import functional as F

from attention_lab import data, figures, papers, training
from attention_lab.grading import check, hint, points
from attention_lab.mechanisms import (
    BAM,
    CBAM,
    MultiHeadSelfAttention,
    SelectiveKernel,
    SpatialTransformer,
    SqueezeExcitation,
)
from attention_lab.networks.selfie import SelfieSegmentation
from attention_lab.networks.small import SmallCNN
from attention_lab.table import Table

# %% [markdown]
# ## 1. A picture first
#
# What does attention do inside a network that people use? You know the small network that finds the person in a video
# call (lesson 02). It has six SE blocks. We take three versions of it, without any training:
#
# - **as trained**: the gates are computed for each photograph;
# - **fixed gates**: each gate is set to its average over ten photographs, so it no longer depends on the image;
# - **no gates**: each gate is 1.

# %% tags=["demo"]
class Fixed(nn.Module):
    """A gate that is the same for every image."""

    def __init__(self, gate):
        super().__init__()
        self.gate = gate

    def forward(self, x):
        return x * self.gate


trained = SelfieSegmentation()
every_photo = torch.stack([data.photo(name, size=256) for name in data.photo_names()])
with torch.no_grad():
    gates = trained.gates(every_photo)
fixed, without = copy.deepcopy(trained), copy.deepcopy(trained)
for number, (block, bare) in enumerate(zip(fixed.encoder, without.encoder), 1):
    if block.gate is not None:
        block.gate = Fixed(gates[f"block {number}"].mean(0)[:, None, None])
        bare.gate = nn.Identity()

names = ["astronaut", "camera", "chelsea"]
photos = torch.stack([data.photo(name, size=256) for name in names])
with torch.no_grad():
    persons = {"as trained": trained(photos), "fixed gates": fixed(photos), "no gates": without(photos)}
for i, (name, photo) in enumerate(zip(names, photos)):
    found = [photo * person[i] for person in persons.values()]
    display(figures.gallery(torch.stack([photo, *found]), [name, *persons]))

# %% [markdown]
# Shown is what the network takes for the person. Without gates the persons are gone: the layers behind the gates were
# trained on gated numbers. Fixed gates keep the two persons, nearly. But now the cat is a person, too. So part of what
# a gate does is a mere constant, and part depends on the image. To say more than "it has attention, so it is better",
# one must **measure**. That is this lesson.

# %% [markdown]
# ## 2. Where attention sits
#
# Two places between the units of a network:
#
# ```mermaid
# flowchart LR
#     image["image<br/>(N, 3, H, W)"] --> stn["spatial transformer:<br/>at the input"] --> units["a stage of<br/>residual units"]
#     units --> bam["BAM:<br/>between stages"] --> more["the next<br/>stages"] --> scores["scores<br/>(N, classes)"]
# ```
#
# And two places inside a unit:
#
# ```mermaid
# flowchart LR
#     x["x<br/>(N, 4 width, H, W)"] --> c1["1×1"] --> c3["3×3, or<br/>selective kernels,<br/>or self-attention"] --> c4["1×1"]
#     c4 --> a["SE, CBAM:<br/>end of the branch"] --> p(("+"))
#     x -- "skip connection" --> p --> y["y<br/>(N, 4 width, H, W)"]
# ```
#
# The unit is ResNet's **bottleneck**: narrow, filter, widen.
#
# $$y = \mathrm{ReLU}\big(\mathrm{shortcut}(x) + a(F(x))\big)$$
#
# | symbol | in the code | meaning |
# | --- | --- | --- |
# | $F$ | `branch` | three convolutions: 1×1 to `width` channels, 3×3, 1×1 to `4 * width` channels |
# | $a$ | `attention` | any mechanism that keeps the shape |
# | shortcut | `shortcut` | $x$ itself, or a 1×1 convolution where the shape changes |
#
# Two numbers describe what a mechanism costs: **parameters** (memory, what is trained) and **multiply-adds** (work for
# one image). Papers print both. You will count both.

# %% [markdown]
# ## 3. Exercise: count the parameters
#
# **Difficulty** ●○○○ · **5 minutes** · **2 points**
#
# `count_parameters(model)`: how many numbers are **trained**. Frozen parameters (`requires_grad` is false) do not
# count, nor do buffers such as BatchNorm's running statistics. A parameter that is used in two places counts once.
#
# <!-- hints: count-parameters -->

# %% nbgrader={"grade": false, "grade_id": "count-parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}
def count_parameters(model):
    """The number of trainable parameters of a module."""
    ### BEGIN SOLUTION
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "count-parameters-network", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("count-parameters-network", count_parameters)

# %% nbgrader={"grade": true, "grade_id": "count-parameters-trainable", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("count-parameters-trainable", count_parameters)

# %% [markdown]
# ## 4. Exercise: count the multiply-adds
#
# **What and why.** Papers compare costs in "FLOPs". Most of them mean **multiply-adds** of convolutions and linear
# layers, and nothing else: no biases, no normalisation, no pooling. If you do not know the convention, you compare
# apples with pears. **Difficulty** ●●○○ · **20 minutes** · **6 points**
#
# Every number that a layer puts out takes as many multiply-adds as **one filter has weights**:
#
# - convolution: $N \cdot C_{out} \cdot H_{out} \cdot W_{out}$ numbers, $\frac{C_{in}}{\mathrm{groups}} \cdot k_h \cdot
#   k_w$ weights each;
# - linear layer: $d_{in}$ weights for each number, for each token if there are tokens.
#
# `count_macs(model, x)`: the multiply-adds of all `nn.Conv2d` and `nn.Linear` in one pass over the whole batch `x`. A
# layer that is called twice counts twice.
#
# You need to see the output of each layer while the model runs. That is what a **hook** is for:
#
# ```python
# def hook(layer, inputs, output):      # called after the layer's forward
#     print(type(layer).__name__, output.shape)
#
# handle = layer.register_forward_hook(hook)
# model(x)
# handle.remove()
# ```
#
# <!-- hints: count-macs -->

# %% nbgrader={"grade": false, "grade_id": "count-macs", "locked": false, "schema_version": 3, "solution": true, "task": false}
def count_macs(model, x):
    """Multiply-adds of the convolutions and linear layers of a module in one pass over the batch x."""
    ### BEGIN SOLUTION
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    handles = [layer.register_forward_hook(hook) for layer in layers]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return total
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "count-macs-convolutions", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("count-macs-convolutions", count_macs)

# %% nbgrader={"grade": true, "grade_id": "count-macs-groups", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("count-macs-groups", count_macs)

# %% nbgrader={"grade": true, "grade_id": "count-macs-linear", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("count-macs-linear", count_macs)

# %% nbgrader={"grade": true, "grade_id": "count-macs-calls", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("count-macs-calls", count_macs)

# %% [markdown]
# ## 5. The papers' tables, counted by you
#
# Now the real networks. We build them on PyTorch's **meta device**: tensors have shapes there, but no numbers, so
# nothing is allocated and nothing computed. Your functions need only shapes.
#
# Beside your counts stands what the papers print, in millions (M) and billions (G). A star marks a printed value that
# we could not check against the paper's text.

# %% tags=["demo"]
wanted = ("resnet50", "se_resnet50", "cbam_resnet50", "cbam_resnet50, stride in the 3x3", "bam_resnet50", "sknet50")
printed = {row.name: row for table in reversed(papers.TABLES) for row in table.rows}
with torch.device("meta"):
    networks = {name: printed[name].build().eval() for name in wanted}
    image = torch.empty(1, 3, 224, 224)
counts = {name: (count_parameters(network), count_macs(network, image)) for name, network in networks.items()}

display(
    Table(
        "ImageNet networks, one image of 224 x 224: your counts, and the papers' print",
        ["network", "parameters", "printed", "multiply-adds", "printed", "parameters +", "multiply-adds +"],
        [
            [name, f"{p:,}", printed[name].parameters, f"{m:,}", printed[name].macs]
            + [f"{count / plain - 1:+.2%}" for count, plain in zip((p, m), counts["resnet50"])]
            for name, (p, m) in counts.items()
        ],
    )
)
plain, se = counts["resnet50"][1], counts["se_resnet50"][1]
print(f"what SE adds, of the printed numbers: (3.87 - 3.86) / 3.86 = {(3.87 - 3.86) / 3.86:.2%}")
print(f"what SE adds, of your counts:         {(se - plain) / plain:.4%}")

# %% [markdown]
# SE, CBAM and BAM add little work to ResNet-50. SK is another network: its 3×3 convolutions come in groups and in
# pairs, so compare its numbers with care.
#
# **Surprise 1.** CBAM's authors print 3.864G. Their own published code has the stride of a bottleneck in its 3×3
# convolution, not in the first 1×1. With that, you count another number (third and fourth row). The network they count
# is not the network they publish. Nobody cheated: two habits, one name.
#
# **Surprise 2.** SE's paper says how much work the block adds. Look at the two lines below the table: the first is the
# paper's number, if you compute it from the rounded counts that the paper prints. (That its authors did so is our
# guess: it fits exactly.) The second is from your counts. A difference of rounded numbers is mostly rounding. Count
# before you quote.

# %% [markdown]
# ## 6. Exercise: a bottleneck that takes any mechanism
#
# **What and why.** One unit, all mechanisms. That makes a fair comparison possible: the rest of the network stays the
# same. **Difficulty** ●●○○ · **25 minutes** · **8 points**
#
# `AttentionBottleneck(in_channels, width, stride=1, attention=None)`; `forward(x)`: `(N, in_channels, H, W)` →
# `(N, 4 * width, H / stride, W / stride)`.
#
# - The **branch**: 1×1 convolution to `width`, 3×3 (padding 1), 1×1 to `4 * width`. No biases. BatchNorm after each;
#   ReLU after the first two.
# - `attention` is what **makes** the mechanism: a class such as `SqueezeExcitation`. Call it with the number of
#   channels at the end of the branch: `attention(4 * width)`. None means: no attention.
# - The **shortcut**: `x` if it has the branch's shape, otherwise a 1×1 convolution (no bias, with `stride`) and
#   BatchNorm.
# - At the end: ReLU(shortcut + attention(branch)).
#
# `stride` stands in the first 1×1 (as in the papers' tables) or in the 3×3 (as in torchvision): both are right.
#
# <!-- hints: attention-bottleneck -->

# %% nbgrader={"grade": false, "grade_id": "attention-bottleneck", "locked": false, "schema_version": 3, "solution": true, "task": false}
class AttentionBottleneck(nn.Module):
    def __init__(self, in_channels, width, stride=1, attention=None):
        super().__init__()
        ### BEGIN SOLUTION
        out_channels = 4 * width
        self.branch = nn.Sequential(
            nn.Conv2d(in_channels, width, 1, stride, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.attention = nn.Identity() if attention is None else attention(out_channels)
        if stride == 1 and in_channels == out_channels:
            self.shortcut = nn.Identity()
        else:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )
        ### END SOLUTION

    def forward(self, x):
        """(N, in_channels, H, W) -> (N, 4 width, H / stride, W / stride)."""
        ### BEGIN SOLUTION
        return torch.relu(self.shortcut(x) + self.attention(self.branch(x)))
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "attention-bottleneck-shapes", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("attention-bottleneck-shapes", AttentionBottleneck)

# %% nbgrader={"grade": true, "grade_id": "attention-bottleneck-parameters", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("attention-bottleneck-parameters", AttentionBottleneck)

# %% nbgrader={"grade": true, "grade_id": "attention-bottleneck-values", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("attention-bottleneck-values", AttentionBottleneck)

# %% nbgrader={"grade": true, "grade_id": "attention-bottleneck-gradients", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("attention-bottleneck-gradients", AttentionBottleneck)

# %% [markdown]
# **See what you built.** Your unit with each mechanism, counted by your functions: 256 channels on a 56×56 map, as in
# the first stage of ResNet-50.

# %% tags=["demo"]
class OnTheMap(nn.Module):
    """Self-attention between the positions of a feature map: x + attention(LN(x)), as in lesson 06."""

    def __init__(self, channels, heads=2):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attention = MultiHeadSelfAttention(channels, heads)

    def forward(self, x):
        tokens = x.flatten(2).transpose(1, 2)  # (N, H W, C)
        return x + self.attention(self.norm(tokens)).transpose(1, 2).unflatten(2, x.shape[2:])


MECHANISMS = {"none": None, "SE": SqueezeExcitation, "CBAM": CBAM, "BAM": BAM, "self-attention": OnTheMap}
with torch.device("meta"):
    x = torch.empty(1, 256, 56, 56)
    units = {name: AttentionBottleneck(256, 64, attention=attention).eval() for name, attention in MECHANISMS.items()}
rows = [[name, f"{count_parameters(unit):,}", f"{count_macs(unit, x):,}"] for name, unit in units.items()]
Table("One bottleneck, 256 channels, 56 x 56", ["mechanism", "parameters", "multiply-adds of its layers"], rows)

# %% [markdown]
# For self-attention this count leaves out the two products $QK^\top$ and $AV$: they are no layers, so no hook sees
# them. You know their number from lesson 06: $2L^2C$, with $L = 56 \cdot 56$ here.

# %%
L, C = 56 * 56, 256
print(f"the two products: {2 * L**2 * C:,} multiply-adds more")

# %% [markdown]
# That is why self-attention sits in late stages, on small maps, or in windows.

# %% [markdown]
# ## 7. Experiment: a fair comparison
#
# Which mechanism is best? A fair comparison has the **same data, steps, learning rate and seeds** for all, more than
# one seed, the spread beside the mean, and the costs. And one more row that papers often leave out: a **wider plain
# network**. If a mechanism adds parameters, so may the plain one.
#
# The task: name the garment, which lies somewhere on a photograph among fragments of others.

# %% tags=["demo"]
number = 512 if training.fast() else 8000
train_set = data.scenes(number, "train", size=24, seed=1, scale=(0.6, 0.8), rotation=10, fragments=3)
test_set = data.scenes(number // 4, "test", size=24, seed=2, scale=(0.6, 0.8), rotation=10, fragments=3)
figures.gallery(test_set.image[:8], [data.FASHION_CLASSES[label] for label in test_set.label[:8]])

# %% [markdown]
# The host is the small network of lesson 02: four 3×3 convolutions, the mechanism after each. The spatial transformer
# has no place there: it stands before the network. SK brings convolutions of its own.

# %% tags=["demo"]
def with_transformer():
    where = nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 3 * 3, 6),
    )
    return nn.Sequential(SpatialTransformer(where), SmallCNN(width=8))


HOSTED = {
    "SE": lambda channels: SqueezeExcitation(channels, reduction=4),
    "CBAM": lambda channels: CBAM(channels, reduction=4),
    "BAM": lambda channels: BAM(channels, reduction=4, dilation=2),
    "SK": lambda channels: SelectiveKernel(channels, groups=1, min_width=8),
    "self-attention": lambda channels: OnTheMap(channels, heads=1),
}
contestants = {
    "plain": lambda: SmallCNN(width=8),
    "plain, wider": lambda: SmallCNN(width=12),
    **{name: lambda attention=attention: SmallCNN(width=8, attention=attention) for name, attention in HOSTED.items()},
    "spatial transformer": with_transformer,
}
comparison = training.compare(
    contestants,
    train=(train_set.image, train_set.label),
    test=(test_set.image, test_set.label),
    steps=150,
    lr=1e-2,
)
comparison

# %% [markdown]
# Which differences are larger than the spread? For each row, the difference to plain **seed by seed** (the same seed
# means the same batches), and the multiply-adds of one image by your function.

# %% tags=["demo"]
baseline = comparison.runs["plain"]
rows = []
for name, run in comparison.runs.items():
    differences = torch.tensor(run.errors) - torch.tensor(baseline.errors)
    rows.append(
        [
            name,
            f"{count_parameters(run.models[0]):,}",
            f"{count_macs(run.models[0], test_set.image[:1]):,}",
            f"{run.seconds / baseline.seconds:.1f}",
            f"{differences.mean():+.1f} ± {differences.std():.1f}",
            f"{int((differences < 0).sum())} of {len(differences)}",
        ]
    )
Table(
    "Against plain, seed by seed",
    ["model", "parameters", "multiply-adds", "time, plain = 1", "error more, in points", "better in"],
    rows,
)

# %% [markdown]
# **What this shows.** Read the last two columns together with the costs, and compare each row with **plain, wider**. A
# row whose difference is about as large as its ± is a tie. Three seeds are few: they can tell a large effect from luck,
# not a small one.
#
# **What it does not show.** That a mechanism is good or bad. This is a tiny network, a tiny training, one learning rate
# for all. CBAM and SE start with half-closed gates in every layer, which a short training may not make up for. The
# papers train deep networks on a million images for many days, and report gains of one or two points. In lesson 02, on
# a task made for it, SE won by far. **The task decides**, and you have to measure on yours.
#
# A note on cost: multiply-adds are not seconds. Look at a mechanism with hardly more multiply-adds than plain, and at
# its time.

# %% [markdown]
# ## 8. Exercise: Grad-CAM
#
# **What and why.** SE, CBAM and self-attention show their weights. But **any** network, also a plain one, can be asked:
# which places speak for this class? Grad-CAM needs no attention module and no new training.
# **Difficulty** ●●●○ · **20 minutes** · **6 points**
#
# $$\alpha_k = \frac{1}{hw}\sum_{i,j}\frac{\partial y}{\partial A_{k,i,j}}\qquad
# M = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big)$$
#
# | symbol | in the code | meaning |
# | --- | --- | --- |
# | $A_k$ | output of `layer` | channel $k$ of a feature map, `(N, K, h, w)` |
# | $y$ | `model(x)[n, target[n]]` | the **logit** of the class that is asked for, before any softmax |
# | $\alpha_k$ | `alpha` | how much channel $k$ speaks for the class: its gradient, averaged over the positions |
# | $M$ | what you return | where the class is supported |
#
# `grad_cam(model, layer, x, target)` → `(N, H, W)` in [0, 1]
#
# - `layer` is a module inside `model` that puts out `(N, K, h, w)`; `x` is `(N, C, H, W)`; `target` is `(N,)`, a class
#   for each image. The model is in evaluation mode.
# - Resize $M$ to `(H, W)`: `F.interpolate(..., mode="bilinear", align_corners=False)`.
# - Divide each image's map by its own maximum. If nothing speaks for the class, the map is 0 everywhere: leave it 0
#   (divide by `maximum.clamp(min=1e-8)`).
#
# Images do not influence each other, so you can differentiate the **sum** of all targets' logits in one go.
#
# <!-- hints: grad-cam -->

# %% nbgrader={"grade": false, "grade_id": "grad-cam", "locked": false, "schema_version": 3, "solution": true, "task": false}
def grad_cam(model, layer, x, target):
    """(N, C, H, W) images and (N,) classes -> (N, H, W) maps in [0, 1] of what supports each class."""
    ### BEGIN SOLUTION
    kept = []
    handle = layer.register_forward_hook(lambda layer, inputs, output: kept.append(output))
    logits = model(x)
    handle.remove()
    features = kept[0]
    y = logits[torch.arange(len(x)), target].sum()
    gradient = torch.autograd.grad(y, features)[0]
    alpha = gradient.mean((2, 3), keepdim=True)
    heat = torch.relu((alpha * features).sum(1, keepdim=True))
    heat = F.interpolate(heat, size=x.shape[2:], mode="bilinear", align_corners=False)[:, 0].detach()
    return heat / heat.amax((1, 2), keepdim=True).clamp(min=1e-8)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "grad-cam-shape", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("grad-cam-shape", grad_cam)

# %% nbgrader={"grade": true, "grade_id": "grad-cam-values", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("grad-cam-values", grad_cam)

# %% nbgrader={"grade": true, "grade_id": "grad-cam-nothing", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check("grad-cam-nothing", grad_cam)

# %% [markdown]
# **See what you built.** The plain network of the comparison, the output of its last convolution, six test images.

# %% tags=["demo"]
def last_map(model):
    return model.convolutions[-1]


plain_network = comparison.runs["plain"].models[0]
shown = test_set.image[:6]
heat = grad_cam(plain_network, last_map(plain_network), shown, test_set.label[:6])
figures.spatial_map(shown, heat[:, None], [data.FASHION_CLASSES[label] for label in test_set.label[:6]])

# %% [markdown]
# Does the heat lie on the garment? We know the true outline of every garment in our scenes. So we measure: which share
# of the heat lies on it? If the heat were spread evenly, it would be the garment's share of the image. We ask for the
# true class. And we add a **control** that every method of explanation should pass: the same network **before
# training**. What it shows cannot be knowledge.

# %% tags=["demo"]
def heat_on_garment(model, number=300):
    """Mean share of the Grad-CAM heat that lies on the garment."""
    images, labels, masks = test_set.image[:number], test_set.label[:number], test_set.mask[:number, 0]
    heat = grad_cam(model, last_map(model), images, labels)
    found = heat.sum((1, 2)) > 0
    return ((heat * masks).sum((1, 2)) / heat.sum((1, 2)).clamp_min(1e-8))[found].mean().item()


def fresh(seed):
    torch.manual_seed(seed)
    return SmallCNN(width=8).eval()


rows = [
    [name, *(f"{heat_on_garment(model):.2f}" for model in comparison.runs[name].models)]
    for name in ("plain", "SE", "CBAM")
]
rows.append(["plain, before training", *(f"{heat_on_garment(fresh(seed)):.2f}" for seed in comparison.seeds)])
share = test_set.mask[:300].mean().item()
Table(
    f"Share of the Grad-CAM heat on the garment; the garment covers {share:.2f} of the image",
    ["network", *(f"seed {seed}" for seed in comparison.seeds)],
    rows,
)

# %% [markdown]
# Compare the trained rows with the last one before you believe a map: only what goes **beyond** the control has been
# learned. And look how much of the heat lies **off** the garment, also after training: the maps are coarse. Then
# compare CBAM's and SE's rows with the plain one, and both with the spread between seeds. The CBAM paper (its figure 4)
# shows Grad-CAM maps of chosen images and says that CBAM covers the object better. You now know how one would test
# that.

# %% [markdown]
# ## 9. Your report
#
# **Question (5 points, read by your instructor).** A colleague builds a classifier for small images and asks you:
# *which attention mechanism should I put in, and why?* Answer in about ten sentences from the tables **you** measured
# above.
#
# | points | for |
# | --- | --- |
# | 1 | a clear recommendation that follows from the table (also "none" can be right) |
# | 1 | differences compared with the spread between seeds |
# | 1 | cost: parameters, multiply-adds or seconds, with numbers |
# | 1 | what the comparison cannot tell (size, data, length of training, tuning) |
# | 1 | what you would measure next before you decide |

# %% [markdown] nbgrader={"grade": true, "grade_id": "report", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# I would start **without** attention, and with a network as wide as the budget allows. In our comparison several rows
# lie within the spread of the seeds, so the table does not rank them. The rows that do differ from plain by more than
# the spread must be read with their cost: the column of seconds shows which of them take several times as long for a
# step, and the wider plain network is the row to beat. If the task needs news from far away in the image (as in lesson
# 02), I would choose SE: two small layers for each block, hardly any multiply-adds, and it helped there by far more
# than the spread. The comparison cannot tell what happens on large images, in deep networks and after long training,
# where the papers report gains, and each mechanism might want another learning rate than the one all had. Before
# deciding I would repeat it on the colleague's own images with five seeds, plain against SE, at equal time instead of
# equal steps.

# %% [markdown]
# ## 10. The papers, guided
#
# Read sections 3.3 of *Deep Residual Learning* and 3 of *Grad-CAM*. Think first, then unfold.
#
# <details><summary><b>Why does the mechanism stand before the addition, not after it?</b></summary>
#
# After it, the gate would scale the skip connection too. In 16 units a gate of 0.5 would leave $0.5^{16}$ of the first
# signal. Before the addition a closed gate only switches its own branch off.
#
# </details>
#
# <details><summary><b>Why does Grad-CAM take the logit and not the probability?</b></summary>
#
# The softmax couples the classes: a probability also rises when another class falls. And where it is near 1 its
# gradient is near 0. The logit says what speaks for this class alone.
#
# </details>
#
# <details><summary><b>A paper reports +0.3% accuracy with one run for each network. Do you believe it?</b></summary>
#
# It may be true, but one run cannot show it. Look at your own table: how far apart are two seeds of the **same**
# network? Ask for several seeds, the spread, and a plain network with the same cost.
#
# </details>
#
# **The course's comparison table, complete**

# %% tags=["demo"]
figures.mechanism_table(*figures.MECHANISMS)

# %% [markdown]
# **What commonly goes wrong**
#
# - FLOPs of one paper are compared with multiply-adds of another: a factor of 2.
# - A grouped convolution is counted as if each filter saw all channels.
# - A mechanism is compared with a plain network that has fewer parameters, less time, or fewer seeds.
# - The Grad-CAM hook stays on the layer. The next call appends to an old list.
# - A map that looks right is taken for a proof. Show the control.
#
# ## Where to go next
#
# **Libraries** with trained networks: [timm](https://github.com/huggingface/pytorch-image-models) (hundreds, attention
# modules by name), [torchvision](https://docs.pytorch.org/vision/) (the classics),
# [MMPretrain](https://github.com/open-mmlab/mmpretrain) (recipes of the papers).
#
# **Later mechanisms**, each a small step from what you built:
#
# | mechanism | the step | paper |
# | --- | --- | --- |
# | non-local block | self-attention on a feature map, inside a CNN | [arXiv:1711.07971](https://arxiv.org/abs/1711.07971) |
# | ECA | SE without the bottleneck: a 1D convolution over the channels | [arXiv:1910.03151](https://arxiv.org/abs/1910.03151) |
# | coordinate attention | two squeezes, along rows and along columns: gates that know where | [arXiv:2103.02907](https://arxiv.org/abs/2103.02907) |
# | Swin | self-attention in windows that shift: cost grows with the image, not with its square | [arXiv:2103.14030](https://arxiv.org/abs/2103.14030) |
#
# You have built seven mechanisms and know one frame for all of them: **scores → normaliser → combination**. When you
# meet the next one, ask its three questions: what is weighted, what normalises, how is it combined? And then: what does
# it cost, and who measured that it helps?

# %% [markdown]
# ## Your points

# %%
points("08-attention-in-networks")
