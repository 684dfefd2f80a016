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
# # 09 · Is it true? Evidence for attention
#
# **Papers:** V. Petsiuk et al., *RISE*, BMVC 2018 ([arXiv:1806.07421](https://arxiv.org/abs/1806.07421)): deletion and
# insertion. J. Adebayo et al., *Sanity Checks for Saliency Maps*, NeurIPS 2018
# ([arXiv:1810.03292](https://arxiv.org/abs/1810.03292)): randomised layers. S. Jain and B. C. Wallace, *Attention is not
# Explanation*, NAACL 2019 ([arXiv:1902.10186](https://arxiv.org/abs/1902.10186)): other weights, same answer. H. Chefer
# et al., *Generic Attention-model Explainability*, ICCV 2021 ([arXiv:2103.15679](https://arxiv.org/abs/2103.15679)):
# attention that is asked about a class. The text also names: the gradient map
# ([Simonyan 2014](https://arxiv.org/abs/1312.6034)), rollout ([Abnar 2020](https://arxiv.org/abs/2005.00928)), the pointing
# game ([Zhang 2016](https://arxiv.org/abs/1608.00507)), correlation of ranks
# ([Spearman 1904](https://doi.org/10.2307/1412159)), and an answer to Jain and Wallace
# ([Wiegreffe and Pinter 2019](https://arxiv.org/abs/1908.04626)).
#
# | | |
# | --- | --- |
# | **After this lesson you can** | test a heat map: does the model need what is hot, does the map change with the model, does it find the object; and say which of these a map has not passed |
# | **Time** | about 160 minutes in two sittings of 75 and 85, the text and two minutes of computing included; without reading the papers |
# | **You need** | lessons 02, 03, 06 and 08 |
# | **Points** | <!-- points --> |
#
# Run the cells from top to bottom. Where you read `YOUR CODE HERE`, write your code. The cell below each exercise
# checks it, as often as you like.

# %%
# %load_ext attention_lab.grading

# %%
import copy
import functools
import statistics

import torch
from torch import nn
from torch.nn import functional as F

from attention_lab import data, figures, training
from attention_lab.data import blurred
from attention_lab.evidence import gradient_map, relevance, rollout
from attention_lab.grading import check, hint, points
from attention_lab.mine import grad_cam, verdict
from attention_lab.networks.selfie import SelfieSegmentation
from attention_lab.networks.small import ManyMapsNet
from attention_lab.recording import recorded
from attention_lab.table import Table

# %% [markdown]
# `grad_cam` and `verdict` are what you wrote in lesson 08, if they passed all their checks there. If not, they are the
# course's own. The two lines above say whose each of them is.
#
# ## 1. A picture first
#
# Every lesson showed maps: gates, attention weights, Grad-CAM. They look like answers to "where does the network look?". Are
# they true? In this lesson you doubt them, and test.
#
# We train one network that has everything at once: SE, CBAM, and two blocks of self-attention. Its task: name the garment, one
# of four kinds. Three small pieces of other garments, the fragments, lie in each image, too.
#
# ```mermaid
# flowchart LR
#     image["image<br/>(N, 1, 32, 32)"] --> c1["convolution"] --> se["convolution,<br/><b>SE</b>"] --> cbam["convolution,<br/><b>CBAM</b><br/>8 × 8 positions"]
#     cbam --> blocks["a token each,<br/>and a class token:<br/>2 blocks of<br/><b>self-attention</b>"] --> logits["class token<br/>→ 4 logits"]
# ```
#
# All gates and tokens have the same 8×8 positions. So of the maps below only one is finer than the others: the gradient, which
# has a number for each pixel. (Half a minute for three seeds.)

# %% tags=["demo"]
number = 512 if training.fast() else 8000
setting = {"size": 32, "scale": (0.4, 0.7), "rotation": 15, "fragments": 3}
train_set = data.of_cue_classes(data.scenes(number, "train", seed=1, **setting))
test_set = data.of_cue_classes(data.scenes(number // 4, "test", seed=2, **setting))
trained = training.compare(
    {"network": ManyMapsNet},
    train=(train_set.image, train_set.label),
    test=(test_set.image, test_set.label),
    steps=300,
    lr=8e-3,
)
models, seeds = trained.runs["network"].models, trained.seeds
trained

# %% [markdown]
# A network that guesses has 75 % errors. Ours has learned a lot, and is far from perfect.
#
# Now the maps. What is hot in them should be what the network needs for its answer. Six maps come out of the network:
#
# | map | where it comes from | is a class asked for? |
# | --- | --- | --- |
# | **Grad-CAM** | lesson 08, at the last convolution | yes |
# | **gradient** | $\lvert\partial y / \partial x\rvert$ of each pixel (Simonyan 2014) | yes |
# | **SE** | the map behind SE's gate, averaged over its channels | no |
# | **CBAM** | its gate of each position | no |
# | **rollout** | the attention of both blocks, multiplied (Abnar 2020); the class token's row | no |
# | **relevance** | the same, but a weight counts only if it speaks for the class (Chefer 2021) | yes |
#
# The last two in symbols, with $A$ the attention weights of a block and $y$ the logit of the class:
#
# $$\text{rollout}\quad R \leftarrow \tfrac12\big(\mathrm{mean}_{\text{heads}} A + I\big)\, R\qquad\qquad
# \text{relevance}\quad R \leftarrow R + \mathrm{mean}_{\text{heads}}\,\mathrm{ReLU}\Big(\frac{\partial y}{\partial A} \cdot A\Big)\, R$$
#
# Both begin with $R = I$ and go from the first block to the last. The map is the class token's row of $R$.
#
# And maps that know nothing of the network, the **controls**:
#
# | map | what it is |
# | --- | --- |
# | **blind blob** | a round spot in the middle, the same for all images |
# | **edges** | where the image changes from pixel to pixel |
# | **true mask** | where the garment is, which we know; averaged to 8×8 positions |
# | **random** | random numbers on 8×8 positions |
# | **another image's** | Grad-CAM, rollout: the map of the next image |

# %% tags=["demo"]
def enlarged(heat):
    """(N, h, w) or (N, 64) -> (N, 32, 32)."""
    heat = heat if heat.ndim == 3 else heat.unflatten(1, (8, 8))
    return F.interpolate(heat[:, None], size=32, mode="bilinear", align_corners=False)[:, 0]


MAPS = {
    "Grad-CAM": lambda model, x, target: grad_cam(model, model.convolutions[2], x, target),
    "gradient": gradient_map,
    "SE": lambda model, x, target: enlarged(model.gated(x)[0].mean(1)),
    "CBAM": lambda model, x, target: enlarged(model.weights(x)[0][:, 0]),
    "rollout": lambda model, x, target: enlarged(rollout(model.weights(x)[1])),
    "relevance": lambda model, x, target: enlarged(relevance(model, x, target)),
}
few = 40 if training.fast() else 200
images, masks = test_set.image[:few], test_set.mask[:few, 0]
generator = torch.Generator().manual_seed(0)
place = torch.arange(32) - 15.5
down, across = (images.diff(dim=dim, append=images.narrow(dim, 31, 1)) for dim in (2, 3))
CONTROLS = {
    "blind blob": torch.exp(-(place[:, None] ** 2 + place**2) / (2 * 8**2)).expand(few, 32, 32),
    "edges": (down**2 + across**2).sqrt()[:, 0],
    "true mask": enlarged(F.adaptive_avg_pool2d(masks[:, None], 8)[:, 0]),
    "random": enlarged(torch.rand(few, 8, 8, generator=generator)),
}


def answers(model):
    """The class that the network names for each image."""
    with torch.no_grad():
        return model(images).argmax(1)


def all_maps(model, target):
    maps = {name: make(model, images, target).detach() for name, make in MAPS.items()}
    others = {f"{name} of another image": maps[name].roll(1, 0) for name in ("Grad-CAM", "rollout")}
    return maps | CONTROLS | others


heats = all_maps(models[0], answers(models[0]))
shown = ["Grad-CAM", "gradient", "SE", "CBAM", "rollout", "relevance", "blind blob"]
letters = ["A", "B", "C", "D", "E", "F", "G"]
one = 2
scaled = torch.stack([heats[name][one] / heats[name][one].max() for name in shown])
drawn = figures.spatial_map(images[one : one + 1].expand(len(shown), -1, -1, -1), scaled[:, None], letters)
drawn.figure.axes[-1].set_ylabel("heat")
drawn.alt = drawn.alt.replace("Weight of every position", "Heat")
drawn

# %% [markdown]
# **Before you go on**: which of the seven would you show in a paper? One of them has never seen the image. It is easy to find
# here. It will not be easy to beat.
#
# <details><summary><b>Which is which?</b></summary>
#
# A Grad-CAM, B gradient, C SE, D CBAM, E rollout, F relevance, G the blind blob.
#
# </details>
#
# A map that looks right is easy to believe. That is the trouble: the eye knows where the garment is, and is content when
# the map does, too. But the question is not where the garment is. It is what **the network** uses.

# %% [markdown]
# ## 2. Three tests
#
# ```mermaid
# flowchart LR
#     x["image x"] --> mix["hottest k tenths:<br/>from the blurred image"]
#     heat["map"] --> mix --> net["network"] --> p["probability<br/>of its answer"] --> curve["curve over k<br/>→ area under it"]
# ```
#
# | test | question | what you build |
# | --- | --- | --- |
# | **deletion** | does the answer fall when the hot places are taken out? | `deletion`, `area_under` |
# | **pointing game** | is the hottest place on the object? | `pointing_game` |
# | **randomisation** | does the map change when the network forgets what it learned? | `randomised`, `rank_correlation` |
#
# What does "taken out" mean? A black pixel would be an edge that the network has never seen. The course takes the values
# of a **blurred** image. `blurred(x)`, which you get from us, is such an image: broad light and shade, no form.

# %% tags=["demo"]
figures.gallery(
    torch.cat([images[:4], blurred(images[:4])]), [data.CUE_CLASSES[i] for i in test_set.label[:4]] + ["blurred"] * 4
)

# %% [markdown]
# ## 3. Exercise: the deletion curve
#
# **What and why.** If a map tells what the network uses, then the answer must fall fast when the hottest places go first.
# **Difficulty** ●●●○ · **20 minutes** · **<!-- points: deletion --> points**
#
# $$c_k = \mathrm{softmax}\big(\mathrm{model}(x_k)\big)_{\mathrm{target}}\qquad
# x_k = \begin{cases}\mathrm{blurred}(x) & \text{at the hottest } \lfloor k H W / \mathrm{steps} \rfloor \text{ positions}\\
# x & \text{elsewhere}\end{cases}$$
#
# `deletion(model, x, heat, target, steps=10)` → `(N, steps + 1)`
#
# - `x` is `(N, C, H, W)`, `heat` is `(N, H, W)`, `target` is `(N,)`: a class for each image. Each image has its own order.
# - `model` gives logits `(N, classes)`, and is in evaluation mode.
# - Entry 0 is for `x` itself, the last one for `blurred(x)`. In between, `k * H * W // steps` positions are gone.
# - All channels of a position go together.
# - Equally hot positions go in their order, row by row: that is what a **stable** sort does.
#
# `argsort` takes its options by name: `argsort(dim=1, descending=True, stable=True)`.
#
# <!-- hints: deletion -->

# %% exercise="deletion"
def deletion(model, x, heat, target, steps=10):
    """(N, C, H, W) images, (N, H, W) maps, (N,) classes -> (N, steps + 1) probabilities, the hottest taken out first."""
    ### BEGIN SOLUTION
    size, places = len(x), heat[0].numel()
    order = heat.flatten(1).argsort(dim=1, descending=True, stable=True)
    without = blurred(x)
    curve = []
    with torch.no_grad():
        for k in range(steps + 1):
            gone = torch.zeros(size, places, dtype=torch.bool)
            gone.scatter_(1, order[:, : k * places // steps], True)
            gone = gone.view(size, 1, *heat.shape[1:])
            probabilities = model(torch.where(gone, without, x)).softmax(1)
            curve.append(probabilities[torch.arange(size), target])
    return torch.stack(curve, 1)
    ### END SOLUTION


# %%
check("deletion-shape", deletion)

# %%
check("deletion-values", deletion)

# %%
check("deletion-ties", deletion)

# %% [markdown]
# **See what you built.** The mean curve of some maps over our test images. The network is asked for the class that *it*
# names: we want to know what its answer rests on, right or wrong.

# %% tags=["demo"]
def mean_curves(model, names):
    target = answers(model)
    maps = all_maps(model, target)
    return {name: deletion(model, images, maps[name], target).mean(0).tolist() for name in names}


for what, image in {"the image": images, "the blurred image": blurred(images)}.items():
    chances = models[0](image).softmax(1)
    old = chances.gather(1, answers(models[0])[:, None])
    print(f"{what}: the network gives {old.mean():.2f} to its old answer, {chances.amax(1).mean():.2f} to the class it now names")
tenths = [k / 10 for k in range(11)]
figures.curves(
    tenths,
    mean_curves(models[0], ["Grad-CAM", "rollout", "blind blob", "true mask", "random"]),
    "share of the image taken out",
    "probability of the answer",
    log="",
)

# %% [markdown]
# All curves begin and end at the same points. Low is good: the map found early what the answer needs. A curve can also lie above
# that of random numbers: then what the map leaves to the end is what the network needs.
#
# Note where they end. Of the blurred image the old answer gets little, but the network is still rather sure: it now names another
# class (the lines above the figure). It was never taught to say "I do not know".

# %% [markdown]
# ## 4. Exercise: the area under a curve
#
# **What and why.** One number for a curve, so that many can be compared. **Difficulty** ●○○○ · **5 minutes** ·
# **<!-- points: area-under --> points**
#
# `area_under(curve)`: `(N, steps + 1)` → `(N,)`. The points of a curve lie evenly on [0, 1]. Between two points it is a straight
# line, so each strip is a trapezoid: its width times the mean of its two heights.
#
# <!-- hints: area-under -->

# %% exercise="area-under"
def area_under(curve):
    """(N, steps + 1) points, evenly on [0, 1] -> (N,) areas."""
    ### BEGIN SOLUTION
    return ((curve[:, 1:] + curve[:, :-1]) / 2).mean(1)
    ### END SOLUTION


# %%
check("area-under-shape", area_under)

# %%
check("area-under-values", area_under)

# %% [markdown]
# **Insertion** goes the other way: begin with the blurred image, and bring the hottest places back first. Then a good map
# makes the answer *rise* fast. You have built it already: what is brought back last is taken out first.

# %%
def insertion(model, x, heat, target, steps=10):
    """Deletion of the coldest first, read from its end."""
    return deletion(model, x, -heat, target, steps).flip(1)


# %% [markdown]
# ## 5. Exercise: the pointing game
#
# **What and why.** A test that does not ask the network at all: is the hottest place on the object?
# **Difficulty** ●○○○ · **5 minutes** · **<!-- points: pointing-game --> points**
#
# `pointing_game(heat, mask)` → a number between 0 and 1: the share of the images whose hottest position lies inside the mask
# (Zhang et al. 2016).
#
# - `heat` and `mask` are `(N, H, W)`. The mask is the share of each pixel that the object covers; **inside** is where it
#   is at least one half.
# - Of equally hot positions take the first, row by row, as `argmax` does.
#
# <!-- hints: pointing-game -->

# %% exercise="pointing-game"
def pointing_game(heat, mask):
    """(N, H, W) maps and masks -> the share of the images whose hottest position is inside."""
    ### BEGIN SOLUTION
    hottest = heat.flatten(1).argmax(1, keepdim=True)
    return (mask.flatten(1).gather(1, hottest) >= 0.5).double().mean()
    ### END SOLUTION


# %%
check("pointing-game-hits", pointing_game)

# %%
check("pointing-game-outline", pointing_game)

# %% [markdown]
# ## 6. Which maps show what the network needs?
#
# All maps, all controls, three seeds. Insertion is good when its area is *large*. The table shows 1 minus this area, so that low is
# good everywhere. **Before you run: write down** the order that you expect, and where the blind blob will stand. (Half a minute.)

# %% tags=["demo"]
def tested(model):
    """Of each map: area under deletion, area over insertion (both: low is good), share of hits."""
    target = answers(model)
    results = {}
    for name, heat in all_maps(model, target).items():
        gone = area_under(deletion(model, images, heat, target)).mean().item()
        back = area_under(insertion(model, images, heat, target)).mean().item()
        results[name] = gone, 1 - back, float(pointing_game(heat, masks))
    return results


@functools.cache
def measured():
    """One number a seed, by the names of test and map."""
    by_seed = []
    for model, seed in zip(models, seeds):
        print(f"seed {seed}: {len(heats)} maps, 22 times through the network ...")
        by_seed.append(tested(model))
    return {
        f"{test}, {name}": [results[name][number] for results in by_seed]
        for number, test in enumerate(("deletion", "insertion", "pointing"))
        for name in by_seed[0]
    }


def compared(some, others, lower="lower", higher="higher"):
    """Your verdict on two lists of numbers, one a seed: its "better" is lower, whatever is measured."""
    if len(some) < 2 or some == others:
        return "–"
    word, mean, error = verdict(some, others)
    return f"{mean:+.3f} ± {error:.3f}: { {'better': lower, 'worse': higher}.get(word, word)}"


def spread(values, form):
    """Mean ± standard deviation."""
    mean = f"{statistics.mean(values):{form}}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):{form.removeprefix('+')}}"


def areas(numbers, which, against="blind blob"):
    rows = []
    for name in heats:
        gone, back, hits = (numbers[f"{test}, {name}"] for test in ("deletion", "insertion", "pointing"))
        rows.append(
            [
                name,
                f"{statistics.mean(gone):.3f}",
                compared(gone, numbers[f"deletion, {against}"]),
                f"{statistics.mean(back):.3f}",
                compared(back, numbers[f"insertion, {against}"]),
                f"{statistics.mean(hits):.0%}",
            ]
        )
    header = ["map", "deletion", f"minus “{against}”", "1 − insertion", f"minus “{against}”", "hits"]
    return Table(f"{which}: areas under deletion and over insertion (low is good), hits", header, rows)


areas(measured(), f"Our {len(seeds)} seeds")

# %% [markdown]
# Three seeds are a hint. The same cell was run beforehand from ten other seeds, and its numbers came with the course.
# **Your** `verdict` judges them.

# %% tags=["demo"]
shipped = recorded("evidence-deletion", seeds, measured())
display(areas(shipped.numbers, f"Seeds {shipped.seeds[0]} to {shipped.seeds[-1]}"))
PAIRS = [
    ("Grad-CAM", "Grad-CAM of another image"),
    ("rollout", "rollout of another image"),
    ("rollout", "true mask"),
    ("relevance", "true mask"),
    ("relevance", "rollout"),
]
rows = [
    [f"“{name}” minus “{other}”"]
    + [compared(shipped.numbers[f"{test}, {name}"], shipped.numbers[f"{test}, {other}"]) for test in ("deletion", "insertion")]
    for name, other in PAIRS
]
Table("Other pairs, the same ten seeds", ["", "deletion", "1 − insertion"], rows)

# %% [markdown]
# **Read yourself first.** Which maps beat the blob, by your verdict? Which lose to it? Where does the true mask stand, which
# has never seen the network?
#
# <details><summary><b>Our reading</b></summary>
#
# *Against random numbers* every map is good. That is why a paper should not compare with random numbers only.
#
# *Against a blob that never looks at the image*, two of six maps are better in both tests: rollout and relevance. SE and gradient
# need more of the image than the blob in deletion, and are undecided in insertion. CBAM's gate and Grad-CAM lose in both.
# Our garments lie near the middle, so the blob is a strong control here. It is a fair one: many photographs are like that.
#
# *Why is Grad-CAM so weak?* It averages a channel's gradient over all positions. That fits a network that ends in an average. Ours
# ends in a class token that treats positions differently. This is our guess. What the table shows is only: a good name does
# not make a good map in another place. It does better than the Grad-CAM of another image, so it says *something* about its image.
#
# *The true mask* is as good as the best map in deletion, and better than all in insertion. But it knows nothing of the
# network! So a good curve proves that the map shows **what matters**. It does not prove that the map shows **what the network
# does**. The mask has the best hits, too, by construction. For that other question we need the third test.
#
# *How much is luck?* The two tables ask some thirty questions. With ten seeds, luck passes for a difference in 8 of 100. So of verdicts
# that are just over two standard errors, one or two may be luck; most here are far over.
#
# </details>

# %% [markdown]
# ---
# **First sitting ends here** (about 75 minutes). The second one takes about 85. If you come back in a new kernel, run the
# cells above again (*Run* → *Run All Above Selected Cell*).
#
# ---
#
# ## 7. Exercise: a network that forgets
#
# **What and why.** A map that is *about the network* must change when the network changes. So let it forget, layer by layer,
# from the top, and look whether the map notices. **Difficulty** ●●○○ · **15 minutes** · **<!-- points: randomised --> points**
#
# `randomised(model, names, seed=0)` → a **copy** of the model, in which the named layers are as new.
#
# - `names`: names of submodules, such as `["classify", "blocks.1"]`; `model.get_submodule(name)` finds one. A name stands for the
#   layer and all layers inside it.
# - **As new** means: nothing is left of what was learned. Every layer that has a `reset_parameters()` draws its weights and biases
#   anew when you call it. For a BatchNorm it also sets the running statistics back: what it knows of the data is knowledge, too.
# - You may draw weights and biases in your own way, too. But the old numbers in another order are not new.
# - The same seed gives the same numbers, another seed gives others. Where you set it is up to you.
# - The model itself stays as it is, and so do all layers that are not named.
#
# <!-- hints: randomised -->

# %% exercise="randomised"
def randomised(model, names, seed=0):
    """A copy of the model whose named layers, and all inside them, are drawn anew."""
    ### BEGIN SOLUTION
    made = copy.deepcopy(model)
    torch.manual_seed(seed)
    for name in names:
        for layer in made.get_submodule(name).modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
    return made
    ### END SOLUTION


# %%
check("randomised-copy", randomised)

# %%
check("randomised-layers", randomised)

# %%
check("randomised-seed", randomised)

# %% [markdown]
# ## 8. Exercise: do two maps agree?
#
# **What and why.** How alike are the maps before and after? Their scales mean nothing, only the order of the places does. So
# correlate the **ranks** (Spearman 1904). **Difficulty** ●●●○ · **15 minutes** · **<!-- points: rank-correlation --> points**
#
# $$\rho = \frac{\sum_p (r_p - \bar r)(s_p - \bar s)}{\sqrt{\sum_p (r_p - \bar r)^2\,\sum_p (s_p - \bar s)^2}}$$
#
# `rank_correlation(a, b)`: two maps of each image, `(N, H, W)` → `(N,)`
#
# - $r_p$ is the rank of place $p$ in map `a`: 1 for the smallest value, $HW$ for the largest. $s_p$ is the same in `b`.
# - **Equal values share the mean of their ranks.** Of the values 5, 7, 7, 9 the ranks are 1, 2.5, 2.5, 4. (Grad-CAM has many
#   zeros.)
# - A map that is the same everywhere has no order: then the answer is 0, also for two such maps.
#
# The maps below have 8×8 places, so speed is no matter. On large maps, sorting is much faster than comparing each value with each.
#
# <!-- hints: rank-correlation -->

# %% exercise="rank-correlation"
def rank_correlation(a, b):
    """(N, H, W) maps, two of each image -> (N,) correlations of their ranks."""
    ### BEGIN SOLUTION
    def ranks(values):
        row = values.sort(1).values
        before, until = (torch.searchsorted(row, values, right=right) for right in (False, True))
        rank = (before + until + 1).to(values.dtype) / 2
        return rank - rank.mean(1, keepdim=True)

    r, s = ranks(a.flatten(1)), ranks(b.flatten(1))
    size = (r.square().sum(1) * s.square().sum(1)).sqrt()
    return (r * s).sum(1) / size.clamp(min=1e-8)
    ### END SOLUTION


# %%
check("rank-correlation-values", rank_correlation)

# %%
check("rank-correlation-ties", rank_correlation)

# %% [markdown]
# ## 9. Which maps follow the network, which the image?
#
# From the top down: first the classifier forgets, then the second block too, then the first, and so on, until nothing is left.
# After each step every map is made again, for the same images and the same class, and compared with the map of the trained
# network, on 8×8 places.
#
# **Before you run: which maps will not notice** that the classifier is gone? Which will survive to the end? (Some ten seconds.)

# %% tags=["demo"]
FROM_THE_TOP = {
    "classifier": ["classify", "norm"],
    "block 2": ["blocks.1"],
    "block 1": ["blocks.0"],
    "CBAM, convolution 3": ["cbam", "convolutions.2"],
    "SE, convolution 2": ["se", "convolutions.1"],
    "convolution 1": ["convolutions.0"],
}


OTHER, TRAINED = "all new, another image", "trained, another image"
OWN, OWN_OTHER = "all new, own part", "all new, own part, another image"


def coarse(heat):
    """(N, 32, 32) -> (N, 8, 8): as many places as the network has positions."""
    return F.adaptive_avg_pool2d(heat[:, None], 8)[:, 0]


def own_part(heat):
    """What is left of each map when the average of all images' maps is taken away."""
    return heat - heat.mean(0)


def followed(model, seed):
    """Of each map: the mean correlation with that of the trained network, after each step of forgetting, and the controls."""
    target, names, found = answers(model), [], {name: {} for name in MAPS}
    before = {name: coarse(make(model, images, target).detach()) for name, make in MAPS.items()}
    for step, forgets in FROM_THE_TOP.items():
        names += forgets
        forgetful = randomised(model, names, seed)
        after = {name: coarse(make(forgetful, images, target).detach()) for name, make in MAPS.items()}
        for name in MAPS:
            found[name][step] = rank_correlation(before[name], after[name]).mean().item()
    for name in MAPS:
        was, now = before[name], after[name]
        pairs = {
            OTHER: (was.roll(1, 0), now),
            TRAINED: (was, was.roll(1, 0)),
            OWN: (own_part(was), own_part(now)),
            OWN_OTHER: (own_part(was).roll(1, 0), own_part(now)),
        }
        found[name] |= {what: rank_correlation(*pair).mean().item() for what, pair in pairs.items()}
    return found


@functools.cache
def following():
    found = []
    for model, seed in zip(models, seeds):
        print(f"seed {seed}: 6 maps, {len(FROM_THE_TOP)} times ...")
        found.append(followed(model, seed))
    return found


lines = {
    name: [statistics.mean(found[name][step] for found in following()) for step in FROM_THE_TOP] for name in MAPS
}
drawn = figures.curves(
    range(1, 7), lines, "layers that have forgotten, from the top", "correlation with before", log=""
)
drawn.figure.axes[0].axhline(0, color="#999999", linewidth=0.8)
drawn.figure.axes[0].set_xticks(range(1, 7), ["classifier", "block 2", "block 1", "conv 3", "conv 2", "conv 1"], rotation=30)
drawn

# %% [markdown]
# And the ten other seeds, with the spread.

# %% tags=["demo"]
correlations = {
    f"{name}, {step}": [found[name][step] for found in following()]
    for name in MAPS
    for step in (*FROM_THE_TOP, OTHER, TRAINED, OWN, OWN_OTHER)
}
shipped_following = recorded("evidence-randomised", seeds, correlations)


Table(
    f"Correlation with the trained network's map, mean ± standard deviation of seeds {shipped_following.seeds[0]} to "
    f"{shipped_following.seeds[-1]}, as more and more layers have forgotten",
    ["map", *FROM_THE_TOP],
    [
        [name, *(spread(shipped_following.numbers[f"{name}, {step}"], "+.2f") for step in FROM_THE_TOP)]
        for name in MAPS
    ],
)

# %% [markdown]
# At the end something is left of some maps. **What is it?** It may be what both networks see in *this image*. Or each network draws
# much the same picture for *every* image, and two such pictures are alike or opposite by luck. Two controls tell:
#
# - **Another image**: compare the trained network's map of one image with the new network's map of the **next** image. And see how
#   alike the trained network's own maps of two images are.
# - **The own part**: take the average map of all images away from each map, in both networks. What is left is the image's own.
#
# "Above 0" and "undecided" are your verdict. The size is the mean of the ten correlations without their signs: a map and its
# negative count alike.

# %% tags=["demo"]
def size(numbers):
    """How far from 0 on average, without the sign."""
    return f"{statistics.mean(map(abs, numbers)):.2f}"


rows = []
for name in MAPS:
    last = list(FROM_THE_TOP)[-1]
    same, other, own, own_other = (shipped_following.numbers[f"{name}, {what}"] for what in (last, OTHER, OWN, OWN_OTHER))
    alike = spread(shipped_following.numbers[f"{name}, {TRAINED}"], "+.2f")
    against_0 = [compared(numbers, [0.0] * len(numbers), "below 0", "above 0") for numbers in (same, own)]
    rows.append(
        [name, against_0[0], size(same), size(other), alike, against_0[1], size(own), size(own_other)]
    )
Table(
    "All layers have forgotten: the trained network's map of an image, and the new network's map of the same or another image",
    [
        "map",
        "same image, mean ± standard error",
        "same image, size",
        "another image, size",
        "two images, both trained",
        "own part, same image",
        "own part, same image, size",
        "own part, another image, size",
    ],
    rows,
)

# %% tags=["demo"]
gates = MAPS["CBAM"](models[0], images[:4], None).detach()
drawn = figures.spatial_map(images[:4], gates[:, None], [f"image {number}" for number in range(1, 5)])
drawn.figure.axes[-1].set_ylabel("CBAM's gate")
drawn

# %% [markdown]
# <details><summary><b>Our reading</b></summary>
#
# *Who notices the classifier?* Grad-CAM changes at once, relevance in part, the gradient hardly. SE, CBAM and rollout do not change
# **at all**: their correlation is exactly 1. They are made below the classifier and ask for no class. Whatever the network decides in
# the end, these maps look the same. SE and CBAM do not notice the loss of both blocks either.
#
# *What is left at the end?* Of SE's map 0.62, of the gradient 0.30, and both are decided by your rule. Of CBAM's gate nothing on average,
# it seems. But look at its size, 0.47: in most seeds the correlation is far from 0, and only its sign is luck. Rollout has the same,
# and less of it.
#
# (In the figure of three seeds SE's line rises at the last step. In ten seeds it falls, from 0.71 to 0.62: the rise was luck.)
#
# *Is it this image that is left?* Of **SE's map, yes**. With another image's map the correlation falls from 0.62 to 0.12, and the own
# parts agree best of all (0.76). SE's map follows the image: it shows where the image has much in it, as any network of such layers
# does.
#
# Of **the gradient, no**. Another image's map is as much alike (0.29), and of the own part nothing is left that another image's has
# not, too (0.03 and 0.02). What is left is a picture that a network of this form draws for every image.
#
# Of **CBAM's gate, mostly not**. With another image's map the size is the same: 0.46. One and the same trained network gives two
# images gates that are 0.91 alike. Look at the four gates above: to the eye they differ, and yet all are hot low in the middle and
# cold at the top. A new network has such a common picture, too, and two such pictures are alike or opposite by luck. In the own part a
# size of 0.22 is left, where another image's has 0.01: a smaller part of the gate does follow the image, or its negative does. It
# is the same with rollout: 0.31, of which another image's map gives all; in the own part 0.15.
#
# Without these controls one would write: "CBAM's gate follows the image, as soon as the sign is left out". An earlier version of
# this lesson did. A reader took another image, and the number stayed. **What a map shows for every image cannot explain one.** Before
# you believe a map, look at a second image's.
#
# *Grad-CAM and relevance* are near 0 at the end, and of a small size. They follow the network. But section 6 said of Grad-CAM that the
# network does not much need what it shows. **To follow the network is not to be right about it.** One test does not replace the other.
#
# *What is not drawn anew:* the class token and the positions are parameters of the network itself, and no layer's. They stay.
#
# </details>

# %% [markdown]
# ## 10. Other weights, same answer?
#
# Jain and Wallace asked something else about attention in text: if the weights *explain* the answer, then **other weights must
# give another answer**. So let us change them. Each gate, and the attention of each block, is replaced
#
# - by that of **another image**;
# - by the **average** over all images: then it no longer depends on the image at all.
#
# The rest of the network sees the image as before. "Moved by" is how far the weights move: the sum of the changes, without sign, as a
# share of the sum of the weights.

# %% tags=["demo"]
class Replaced(nn.Module):
    """Attention whose weights are another image's, or the average, applied to this image's values."""

    def __init__(self, module, by):
        super().__init__()
        self.module, self.by = module, by

    def forward(self, x):
        if isinstance(x, torch.Tensor) and x.ndim == 3:  # self-attention, (N, L, dim)
            heads = self.module.heads
            value = self.module.qkv(x).unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)[2]
            return self.module.projection((self.weights(x) @ value).transpose(1, 2).flatten(2))
        return self.weights(x) * x

    def weights(self, x):
        own = self.module.weights(x)
        new = self.by(own)
        self.moved = ((new - own).abs().sum() / own.abs().sum()).item()
        return new


def swapped(model, place, by):
    model = copy.deepcopy(model)
    owner, _, name = place.rpartition(".")
    owner = model.get_submodule(owner)
    setattr(owner, name, Replaced(getattr(owner, name), by))
    return model


PLACES = {
    "SE": "se",
    "CBAM, channels": "cbam.channel",
    "CBAM, positions": "cbam.spatial",
    "attention of block 1": "blocks.0.attention",
    "attention of block 2": "blocks.1.attention",
}
WEIGHTS_OF = {
    "another image's": lambda weights: weights.roll(1, 0),
    "the average": lambda weights: weights.mean(0, keepdim=True).expand_as(weights),
}


def changed_answers(model):
    """Share of the images whose answer is another one with other weights, and by which share of their sum the weights moved."""
    before, found = answers(model), {}
    for name, place in PLACES.items():
        for kind, by in WEIGHTS_OF.items():
            other = swapped(model, place, by)
            found[f"{name}, {kind}"] = (answers(other) != before).float().mean().item()
            found[f"{name}, {kind}, moved"] = other.get_submodule(place).moved
    return found


swaps = [changed_answers(model) for model in models]
shipped_swaps = recorded("evidence-swaps", seeds, {name: [s[name] for s in swaps] for name in swaps[0]}).numbers
rows = []
for name in PLACES:
    cells = []
    for kind in WEIGHTS_OF:
        here = statistics.mean(s[f"{name}, {kind}"] for s in swaps)
        there, moved = (shipped_swaps[f"{name}, {kind}{what}"] for what in ("", ", moved"))
        cells += [f"{statistics.mean(moved):.0%}", f"{here:.1%}", spread(there, ".1%")]
    rows.append([name, *cells])
Table(
    "How far the weights move when they are replaced, and the answers that change; from other seeds: mean ± standard deviation",
    ["weights of", *(f"{kind}: {what}" for kind in WEIGHTS_OF for what in ("moved by", "changed here", "changed, ten other seeds"))],
    rows,
)

# %% [markdown]
# <details><summary><b>Our reading</b></summary>
#
# First look how far the weights **moved**. A swap that changes hardly anything in the weights cannot change answers, and proves
# nothing about them.
#
# *SE*: another image's gates change one answer of two hundred. But they are nearly the same gates: 2 % apart. So SE's gates say hardly
# anything about *this image*, and cannot be the reason why just this image gets its answer.
#
# *CBAM's positions*: three answers of a hundred. Section 9 said why so few: another image's gate is much the same picture (0.91 alike),
# 21 % apart. The swap does not show that the network could do without this picture.
#
# *CBAM's channels* move by 17 %, less than its positions, and yet nine answers of a hundred change. Of the three gates it is
# this one whose changes the answers depend on most.
#
# *The attention of block 1*: the weights are quite other ones (84 %), and more than a quarter of the answers change. Rollout and
# relevance contain it, and they were the two that beat the blob.
#
# *Block 2* is the case of Jain and Wallace: its weights move even further (118 %), and on average only seven answers of a hundred
# change. But look at the standard deviation. In some networks it matters, in others not. A single network would have shown one of the
# two as the truth.
#
# *What this does not say:* that SE or CBAM are useless. The gates may help in training, and a *constant* gate is still a gate. It
# says that their image-dependent part hardly moves this network's answers.
#
# </details>

# %% [markdown]
# ## 11. The CLS row of DINOv2
#
# Lessons 01 and 06 showed what the class token of DINOv2 attends to: recorded weights of a large network, without the network.
# Which of our tests can such a map take?
#
# - **Randomisation**: no. There is no network here that could forget.
# - **Deletion**: no, not of DINOv2. We have no logits.
# - **Pointing game**: yes, if we say where the object is. For five photographs we drew a box by hand (the cat fills its
#   photograph: every map would hit it).

# %% tags=["demo"]
BOXES = {  # rows and columns of the 32 x 32 patches, from ... to
    "astronaut": (1, 32, 0, 25),
    "china": (2, 27, 1, 17),
    "coffee": (1, 23, 6, 24),
    "flower": (6, 27, 5, 26),
    "rocket": (9, 30, 14, 18),
}
boxes = torch.zeros(len(BOXES), 32, 32)
for box, (top, bottom, left, right) in zip(boxes, BOXES.values()):
    box[top:bottom, left:right] = 1
rows_of_cls = torch.stack([data.dinov2_attention(name) for name in BOXES])  # (5, layers, heads, 32, 32)
photos = torch.stack([data.photo(name, 448) for name in BOXES])
middle = torch.exp(-(place[:, None] ** 2 + place**2) / (2 * 8**2)).expand(len(BOXES), 32, 32)
dinov2 = {f"layer 12, head {head + 1}": rows_of_cls[:, 11, head] for head in range(6)}
dinov2 |= {"layer 12, mean of heads": rows_of_cls[:, 11].mean(1), "layer 1, mean of heads": rows_of_cls[:, 0].mean(1)}
dinov2 |= {"blind blob": middle}
heads = dinov2["layer 12, mean of heads"]
display(figures.spatial_map(photos, (heads / heads.amax((1, 2), keepdim=True))[:, None], list(BOXES)))
rows = [[name, f"{float(pointing_game(heat, boxes)):.0%}"] for name, heat in dinov2.items()]
rows.append(["a random place, on average", f"{boxes.mean():.0%}"])
Table("DINOv2's CLS row in five photographs: hottest patch in the box", ["map", "hits"], rows)

# %% [markdown]
# One more experiment. The network for video calls (lesson 02) finds the astronaut. We take out what **DINOv2** finds hot, and
# ask **the other network**. DINOv2's map cannot know anything of it.

# %% tags=["demo"]
class PersonOrNot(nn.Module):
    """Logits of "no person" and "person": the mean over the pixels in which the whole photograph shows one."""

    def __init__(self, image):
        super().__init__()
        self.network = SelfieSegmentation()
        with torch.no_grad():
            self.person = self.network(image) > 0.5

    def forward(self, x):
        found = self.network(x)
        mean = torch.stack([one[self.person[0]].mean() for one in found]).clamp(1e-4, 1 - 1e-4)
        return torch.stack((torch.zeros_like(mean), mean.logit()), 1)


astronaut = data.photo("astronaut", 256)[None]
caller, person = PersonOrNot(astronaut).eval(), torch.tensor([1])
large = lambda heat: F.interpolate(heat[None, None], 256, mode="bilinear", align_corners=False)[:, 0]  # noqa: E731
candidates = {
    "DINOv2, layer 12, mean of heads": large(dinov2["layer 12, mean of heads"][0]),
    "the network's own gradient": gradient_map(caller, astronaut, person),
    "the network's own gradient, averaged over 32 pixels": large(
        F.adaptive_avg_pool2d(gradient_map(caller, astronaut, person), 8)[0]
    ),
    "blind blob": large(middle[0]),
    "the person that the network itself finds": caller.person[0].float(),
}


def area(heat):
    return area_under(deletion(caller, astronaut, heat, person)).item()


rows = [[name, f"{area(heat):.3f}"] for name, heat in candidates.items()]
luck = [area(large(torch.rand(8, 8, generator=generator))) for _ in range(2 if training.fast() else 10)]
rows.append([f"random, {len(luck)} times", f"{min(luck):.3f} to {max(luck):.3f}"])
Table("One photograph, one network: area under deletion (low is good)", ["map", "area"], rows)

# %% [markdown]
# <details><summary><b>Our reading</b></summary>
#
# Two of the six heads hit all five objects, another only two. But **the blob in the middle hits all five**: photographers put things
# there. So these five photographs cannot tell a good head from the middle of the picture. And five are few: each counts a fifth.
#
# The second table is about one photograph. Ten **random** maps lie further apart than all the others together. So here a deletion
# area says nothing at all, neither for DINOv2 nor against it. In section 6 an area was the mean of two hundred images, ten
# times. That made the difference.
#
# What we know of DINOv2's maps after this: they are often on objects. Not more. Lesson 01 called the first picture of this course
# "weights". It never said "reasons".
#
# </details>

# %% [markdown]
# ## 12. Exercise: debug it
#
# **What and why.** This deletion curve was written in a hurry. Nothing crashes, and its picture looks fine. But three things are
# wrong. **Difficulty** ●●○○ · **10 minutes** · **<!-- points: debug-deletion --> points**

# %%
def broken_deletion(model, x, heat, target, steps=10):
    without, places = blurred(x), heat[0].numel()
    order = heat.flatten(1).argsort(dim=1, stable=True)
    curve = []
    for step in range(steps + 1):
        gone = torch.zeros(len(x), places, dtype=torch.bool)
        gone.scatter_(1, order[:, : step * places // steps], True)
        image = torch.where(gone.view(len(x), 1, *x.shape[2:]), without, x)
        curve.append(model(image).softmax(1)[torch.arange(len(x)), target])
    return torch.stack(curve, dim=1)


layers = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 4)
untrained = nn.Sequential(*layers)
suspicious = broken_deletion(untrained, torch.rand(3, 1, 8, 8), torch.rand(3, 8, 8), torch.tensor([0, 1, 2]))
print("carries a gradient:", suspicious.requires_grad)
print("BatchNorm's batches so far:", untrained[1].num_batches_tracked.item())

# %% [markdown]
# Read the two lines of output: what should they say? Then write the repaired function here. It may be given a
# network in **training mode**, and must bring it into evaluation mode itself, where it may stay. Its result carries no gradient.
#
# `deletion_curve(model, x, heat, target, steps=10)` → `(N, steps + 1)`, as in section 3: equally hot positions go row by row, and
# `k * H * W // steps` positions are gone.
#
# <details><summary><b>What should the two lines say?</b></summary>
#
# False and 0. Nobody asks for a slope of this curve. And a BatchNorm in evaluation mode counts no batches: it only uses what it
# knows.
#
# </details>
#
# <!-- hints: debug-deletion -->

# %% exercise="debug-deletion"
def deletion_curve(model, x, heat, target, steps=10):
    ### BEGIN SOLUTION
    model.eval()
    without, places = blurred(x), heat[0].numel()
    order = heat.flatten(1).argsort(dim=1, descending=True, stable=True)
    curve = []
    with torch.no_grad():
        for step in range(steps + 1):
            gone = torch.zeros(len(x), places, dtype=torch.bool)
            gone.scatter_(1, order[:, : step * places // steps], True)
            image = torch.where(gone.view(len(x), 1, *x.shape[2:]), without, x)
            curve.append(model(image).softmax(1)[torch.arange(len(x)), target])
    return torch.stack(curve, dim=1)
    ### END SOLUTION


# %%
check("debug-deletion-order", deletion_curve)

# %%
check("debug-deletion-evaluation", deletion_curve)

# %%
check("debug-deletion-gradient", deletion_curve)

# %% [markdown]
# **And a randomisation that is not one.** The function below draws all parameters anew and leaves BatchNorm's statistics. Is
# that so bad? Each map is made with both, all layers forgotten. (Some ten seconds.)

# %% tags=["demo"]
def parameters_only(model, names, seed=0):
    made = copy.deepcopy(model)
    whole = randomised(model, names, seed)
    made.load_state_dict(dict(whole.named_parameters()), strict=False)
    return made


def at_the_end(forget):
    every = [name for names in FROM_THE_TOP.values() for name in names]
    found = {name: [] for name in MAPS}
    for model, seed in zip(models, seeds):
        print(f"seed {seed}, {forget.__name__} ...")
        target = answers(model)
        other = forget(model, every, seed)
        for name, make in MAPS.items():
            pair = (coarse(make(network, images, target).detach()) for network in (model, other))
            found[name].append(rank_correlation(*pair).mean().item())
    return found


whole, partly = at_the_end(randomised), at_the_end(parameters_only)
rows = [
    [name, f"{statistics.mean(whole[name]):+.2f}", f"{statistics.mean(partly[name]):+.2f}", compared(partly[name], whole[name])]
    for name in MAPS
]
Table(
    "Correlation with the trained network's map when all layers have forgotten",
    ["map", "statistics too", "statistics left", "difference, so it is"],
    rows,
)

# %% [markdown]
# In our three networks the rule sees a difference only for SE, 0.02 of 0.71 and just over two standard errors. With three seeds and six
# questions that may be luck. So was the mistake harmless? Here, as far as three seeds can tell. But nobody could know before. The test asks whether a map survives when **nothing** is known. With statistics left, something
# is known, and a map that survives could owe it to them. Do the test as it is meant; then there is nothing to argue about.

# %% [markdown]
# ## 13. Which map would you trust?
#
# **Question (<!-- points: which-map --> points, read by your instructor).** A doctor shows you a heat map over an X-ray: "the
# network looked at the right place". The map is a rollout of self-attention. *Would you trust this map, or which other of the six,
# and what would change your mind?* Answer in about eight sentences from the tables of sections 6, 9 and 10. **10 minutes**
#
# | points | for |
# | --- | --- |
# | 1 | a clear answer that follows from the ten seeds (also "none" can be right) |
# | 1 | a control that could have refuted it, with its number: the blind blob, another image, a network that has forgotten |
# | 1 | what the map cannot tell: the class, the layers above it, what is used and not only attended to |
# | 1 | a measurement that would change your mind |
#
# <details><summary><b>What does a good answer look like?</b> (An example about another, invented table)</summary>
#
# Invented: map P has a deletion area that is 0.06 ± 0.01 lower than that of the blind blob. P of another image is 0.01 ± 0.01
# lower. When the classifier forgets, P stays as it is (correlation 1.00); when all layers forget, 0.05.
#
# *I would trust P to say what reaches the last layer, not why this class was named. It beats the blob by six standard errors, and
# the map of another image does not: so it says something about this image. It follows the network, since 0.05 is left of it
# when all is forgotten. But it does not notice that the classifier is gone, so it would show the same for every diagnosis. That
# the place is right was in no table: only the doctor can say so, and an expert's blob might point there, too. I would change my mind
# if a blob drawn where such findings usually lie did as well as P, or if P stayed the same on images from which the finding was
# removed.*
#
# </details>

# %% [markdown] exercise="which-map"
# | points | for |
# | --- | --- |
# | 1 | **Answer:** names a map that is trusted, or none, and the ten seeds do not contradict it. Not enough: "it depends". |
# | 1 | **Control:** one number at least that could have refuted it: blind blob, another image's map, or a network that has forgotten. Half a point without the number. |
# | 1 | **Limits:** what the map cannot tell, one at least: the class, the layers above, used and not only attended to. |
# | 1 | **Change of mind:** a measurement whose result could turn the answer round. Not enough: "more data". |
#
# I would not take a rollout for the reason of a diagnosis. In the ten seeds it beats the blind blob in both tests (deletion: 0.014 ±
# 0.003 lower), and the rollout of another image by more (0.063 ± 0.004). So it shows something about *this* image that the network
# needs. It also follows the blocks: when both have forgotten, the mean correlation with the map before is 0.07, and at the end it
# is undecided (0.20 ± 0.10). In single networks more is left (a size of 0.31), but just as much with another image's map; in
# the image's own part it is 0.15. But when only the classifier forgets, the correlation is
# exactly 1: the map would be the same for every diagnosis. Relevance is my first choice: it cannot be told from rollout in
# deletion or insertion, and it changes with the classifier (0.63). SE's map I would not show: 0.62 of it is left when all layers have
# forgotten, and only 0.12 with another image's map, so it shows the image and not the network. The gate of CBAM loses against the
# blob, and two images' gates are 0.91 alike. Even for relevance there is a limit: the true mask never saw the network and is as good in deletion, so
# a good curve shows what matters, not how the network decides. I would change my mind about rollout if it moved when the finding is
# removed from the X-ray, and about relevance if a blob where such findings usually lie did as well. All this is one small network, with
# garments near the middle: I would repeat the three tests on the doctor's own network and images.

# %% [markdown]
# ## 14. The papers, guided
#
# Read section 4.2 of *RISE*, section 3 of *Sanity Checks*, and sections 1 and 4 of *Attention is not Explanation*. Think first, then
# unfold.
#
# <details><summary><b>RISE replaces pixels by grey in deletion, and by a blur in insertion. Why not by black in both?</b></summary>
#
# Black shapes are objects. A network may take a black square for a bag, or for the edge of one. Then the curve falls because of
# what was put in, not of what was taken out. A blur is gentler, but it is no image from the training set either: no filling is
# neutral. That is a limit of every deletion curve, ours too.
#
# </details>
#
# <details><summary><b>Sanity Checks found maps that look like the edges of the image, whatever the network. Why are they believed?</b></summary>
#
# Edges are where objects are. The eye compares the map with the object and finds it fitting. It never sees the map of a network that
# knows nothing. Ours is one small network: read the row *edges* of section 6 before you call a map of edges good.
#
# </details>
#
# <details><summary><b>Wiegreffe and Pinter answered "Attention is not not Explanation" (2019). What could they mean?</b></summary>
#
# That other weights give the same answer does not say that these weights did not lead to it: there can be several explanations. And
# weights that no training would find prove little. So the swap of section 10 is evidence, not a proof.
#
# </details>
#
# <details><summary><b>Why does Chefer's relevance need a gradient, if the attention weights are there?</b></summary>
#
# Weights say how much is taken, not what for. A token may be taken up and then speak against the class, or not matter. The gradient of
# the class with respect to each weight says how much it matters; its negative part is left out.
#
# </details>
#
# ## The course's comparison table

# %% tags=["demo"]
figures.mechanism_table(*figures.MECHANISMS)

# %% [markdown]
# **What commonly goes wrong**
#
# - A map is judged by eye. The eye knows the object, and forgives everything that lies on it.
# - There is no control. A blob in the middle does well wherever photographers centre what they photograph.
# - Nobody looks at the map of a second image. If it is the same, the map explains neither.
# - The deletion curve blurs the coldest first. It still falls, only later.
# - The copy shares its layers with the model (`copy.copy`): from then on all maps come from a network that has forgotten.
# - BatchNorm keeps its statistics when "everything" is drawn anew.
# - `argsort` is taken for the ranks. It is the list of places in their order. The ranks are the argsort of it, and only where no two
#   values are equal.

# %% [markdown]
# ## Your points

# %%
points("09-is-it-true")
