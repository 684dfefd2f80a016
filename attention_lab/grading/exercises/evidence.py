"""Lesson 09, is it true: deletion, area-under, pointing-game, randomised, rank-correlation, debug-deletion."""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn

from ...data import blurred
from ..closeness import close
from ..exercise import (
    Check,
    Exercise,
    Failure,
    Misconception,
    Probe,
    Property,
    instead,
    mistake,
    named,
    normal,
    steps,
)
from ..observe import Observation, Question
from ..properties import (
    images_apart,
    leaves_input_alone,
    leaves_no_graph,
    of_its_seed,
    original_kept,
    renewed,
    repeatable,
    shape,
    values,
)
from ..stand_ins import StandIn

CURVE = (
    "entry k = softmax(model(x, the hottest k H W // steps positions taken from blurred(x)))[target] "
    "(Petsiuk et al. 2018, section 4.2)"
)
AREA = "area = sum over k of (curve_k + curve_(k+1)) / 2 x 1/steps: trapezoids on [0, 1]"
GAME = "hits / images; a hit: mask >= 1/2 where heat is largest (Zhang et al. 2016, section 4.1)"
ANEW = "the named layers as when they were built: weights drawn, statistics 0 and 1 (Adebayo et al. 2018, section 3)"
SPEARMAN = "correlation of ranks, equal values share the mean of their ranks (Spearman 1904)"


# deletion


class Deletion:
    """The right answer in steps."""

    def ready(self, model: nn.Module) -> None:
        model.eval()

    def order(self, heat: Tensor) -> Tensor:
        return heat.flatten(1).argsort(dim=1, descending=True, stable=True)

    def number(self, step: int, steps: int, places: int) -> int:
        return step * places // steps

    def all_steps(self, steps: int) -> range:
        return range(steps + 1)

    def without(self, x: Tensor) -> Tensor:
        return blurred(x)

    def gone(self, heat: Tensor, step: int, steps: int) -> Tensor:
        """Which positions are taken out, (N, H, W)."""
        chosen = self.order(heat)[:, : self.number(step, steps, heat[0].numel())]
        return torch.zeros_like(heat.flatten(1), dtype=torch.bool).scatter(1, chosen, True).view(heat.shape)

    def image(self, gone: Tensor, x: Tensor, without: Tensor) -> Tensor:
        return torch.where(gone[:, None], without, x)

    def asked(self, logits: Tensor, target: Tensor) -> Tensor:
        return logits.softmax(1).gather(1, target[:, None])[:, 0]

    def points(self, model: nn.Module, x: Tensor, heat: Tensor, target: Tensor, steps: int) -> list[Tensor]:
        without = self.without(x)
        images = (self.image(self.gone(heat, step, steps), x, without) for step in self.all_steps(steps))
        return [self.asked(model(image), target) for image in images]

    def curve(self, points: list[Tensor]) -> Tensor:
        return torch.stack(points, 1)

    @torch.no_grad()
    def __call__(self, model: nn.Module, x: Tensor, heat: Tensor, target: Tensor, steps: int = 10) -> Tensor:
        self.ready(model)
        return self.curve(self.points(model, x, heat, target, steps))


def mixed_again(self: Deletion, model: nn.Module, x: Tensor, heat: Tensor, target: Tensor, steps: int) -> list[Tensor]:
    """Each step goes on with the image of the step before, and blurs that."""
    found = []
    for step in self.all_steps(steps):
        x = self.image(self.gone(heat, step, steps), x, self.without(x))
        found.append(self.asked(model(x), target))
    return found


def by_value(self: Deletion, heat: Tensor, step: int, steps: int) -> Tensor:
    """All positions that are as hot as the last of those to be taken out, however many."""
    number = self.number(step, steps, heat[0].numel())
    if not number:
        return torch.zeros_like(heat, dtype=torch.bool)
    least = heat.flatten(1).sort(dim=1, descending=True).values[:, number - 1]
    return heat >= least[:, None, None]


def by_share_of_the_range(self: Deletion, heat: Tensor, step: int, steps: int) -> Tensor:
    low, high = heat.amin((1, 2), keepdim=True), heat.amax((1, 2), keepdim=True)
    return heat >= high - (high - low) * step / steps if step else torch.zeros_like(heat, dtype=torch.bool)


def by_share_first(self: Deletion, heat: Tensor, step: int, steps: int) -> Tensor:
    """The same with the share multiplied first: rounding can leave out the coldest position, or not."""
    low, high = heat.amin((1, 2), keepdim=True), heat.amax((1, 2), keepdim=True)
    return heat >= high - step / steps * (high - low) if step else torch.zeros_like(heat, dtype=torch.bool)


def coldest_first(self: Deletion, heat: Tensor) -> Tensor:
    return heat.flatten(1).argsort(dim=1, stable=True)


def by_quantile(self: Deletion, heat: Tensor, step: int, steps: int) -> Tensor:
    if step == steps:
        return torch.ones_like(heat, dtype=torch.bool)
    return heat > heat.flatten(1).quantile(1 - step / steps, dim=1)[:, None, None]


def by_topk(self: Deletion, heat: Tensor, step: int, steps: int) -> Tensor:
    chosen = heat.flatten(1).topk(self.number(step, steps, heat[0].numel()), dim=1).indices
    return torch.zeros_like(heat.flatten(1), dtype=torch.bool).scatter(1, chosen, True).view(heat.shape)


def without_the_hottest(self: Deletion, heat: Tensor, step: int, steps: int) -> Tensor:
    number = self.number(step, steps, heat[0].numel())
    chosen = self.order(heat)[:, 1 : number + 1]
    return torch.zeros_like(heat.flatten(1), dtype=torch.bool).scatter(1, chosen, True).view(heat.shape)


def first_channel_only(self: Deletion, gone: Tensor, x: Tensor, without: Tensor) -> Tensor:
    mixed = Deletion.image(self, gone, x, without)
    return torch.cat((mixed[:, :1], x[:, 1:]), 1)


def of_the_named_class(
    self: Deletion, model: nn.Module, x: Tensor, heat: Tensor, target: Tensor, steps: int
) -> list[Tensor]:
    return Deletion.points(self, model, x, heat, model(x).argmax(1), steps)


def evaluated_later(
    self: Deletion, model: nn.Module, x: Tensor, heat: Tensor, target: Tensor, steps: int
) -> list[Tensor]:
    """The first call is made in the mode in which the network came, all others in evaluation mode."""
    first = self.asked(model(x), target)
    model.eval()
    return [first, *Deletion.points(self, model, x, heat, target, steps)[1:]]


def order_for_rank(self: Deletion, heat: Tensor, step: int, steps: int) -> Tensor:
    return (self.order(heat) < self.number(step, steps, heat[0].numel())).view(heat.shape)


def one_slice(self: Deletion, heat: Tensor, step: int, steps: int) -> Tensor:
    before = Deletion.gone(self, heat, step - 1, steps) if step else torch.zeros_like(heat, dtype=torch.bool)
    return Deletion.gone(self, heat, step, steps) & ~before


def network(seed: int, height: int, width: int, channels: int = 3, training: bool = False) -> StandIn:
    """A classifier that looks at places, and gives probabilities far from 0 and 1.

    One in training mode has two layers for which that matters, so that the mode of one is not enough.
    """
    layers = (
        ("Conv2d", channels, 6, 3, {"padding": 1}),
        ("BatchNorm2d", 6),
        ("Tanh",),
        ("Flatten",),
        ("Linear", 6 * height * width, 5),
        *((("BatchNorm1d", 5),) if training else ()),
        ("Softplus",),
        ("Linear", 5, 5),
    )
    return StandIn("trained", layers, seed, training)


def question(
    n: int, height: int, width: int, *more: int, seed: int, ties: bool = False, training: bool = False
) -> Probe:
    def inputs(g: Generator) -> tuple:
        heat = normal(g, n, height, width)
        if ties:
            heat = (heat * 1.5).round()
        target = torch.randperm(5, generator=g)[:n]
        return network(seed, height, width, training=training), normal(g, n, 3, height, width), heat, target, *more

    return Probe(inputs)


PLAIN = ("ten steps", "four steps", "one image")

OTHER_END = Misconception(
    "other-end",
    "the curve begins with x, but does not end with blurred(x): something else is put in, or not at every position",
    "Which picture does your network see in the last step? How does it differ from blurred(x)?",
    "entry 0 is for x, the last one for blurred(x)",
)


def ends_with_the_blur(on: tuple[str, ...]) -> Property:
    """A curve that begins with the image ends with the blurred one."""

    def failure(got: Observation, expected: Observation, _: Question) -> Failure | None:
        ours, right = got.values["output"], expected.values["output"]
        if ours.shape != right.shape or not close(ours[:, 0], right[:, 0], got.coarsest):
            return None
        if close(ours[:, -1], right[:, -1], got.coarsest):
            return None
        worst = int((ours[:, -1] - right[:, -1]).abs().argmax())
        told = [f"{values[worst, -1].item():.4g}" for values in (ours, right)]
        return Failure(f"output[{worst}, -1] = {told[0]}", f"{told[1]}, that of blurred(x)", OTHER_END)

    return Property("last point of the curve", failure, on=on)


MISTAKES_IN_CURVES = (
    mistake(
        "coldest-first",
        "the coldest positions are taken out first",
        "Which end of the sorted heat does your code begin with?",
        steps(order=lambda self, heat: heat.flatten(1).argsort(dim=1, stable=True)),
    ),
    mistake(
        "kept-not-taken",
        "the hottest positions are kept and all others are blurred: that is insertion",
        "What does your network see in the first step: the whole image, or nothing?",
        steps(image=lambda self, gone, x, without: torch.where(gone[:, None], x, without)),
        steps(order=coldest_first, curve=lambda self, points: torch.stack(points[::-1], 1)),
        equation="deletion begins with x, insertion with blurred(x) (Petsiuk et al. 2018, section 4.2)",
    ),
    mistake(
        "order-for-rank",
        "the list of positions in their order is read as the rank of each position",
        "What is entry 0 of an argsort: the rank of position 0, or the position of rank 0?",
        steps(gone=order_for_rank),
    ),
    mistake(
        "by-value",
        "positions are taken out by their value, so equally hot ones all at once: not k H W // steps of them",
        "How many positions are taken out when half of the map is 0?",
        steps(gone=by_value),
        steps(gone=by_share_of_the_range),
        steps(gone=by_share_first),
        steps(gone=by_quantile),
    ),
    mistake(
        "ties-in-another-order",
        "equally hot positions go in another order than row by row",
        "Which of two equally hot positions goes first in your sort? Is the sort stable?",
        steps(order=lambda self, heat: heat.flatten(1).argsort(dim=1, descending=True)),
        steps(order=lambda self, heat: heat.flatten(1).argsort(dim=1, stable=True).flip(1)),
        steps(order=lambda self, heat: heat.flatten(1).argsort(dim=1).flip(1)),
        steps(order=lambda self, heat: (-heat.flatten(1)).argsort(dim=1)),
        steps(order=lambda self, heat: torch.from_numpy((-heat.flatten(1)).numpy().argsort(1))),
        steps(order=lambda self, heat: torch.from_numpy(heat.flatten(1).numpy().argsort(1)).flip(1)),
        steps(gone=by_topk),
        equation="equally hot positions go in their order, row by row: a stable sort",
    ),
    mistake(
        "hottest-left",
        "the hottest position is never taken out: the slice of the order begins one too late",
        "Which place of the order holds the hottest position?",
        steps(gone=without_the_hottest),
    ),
    mistake(
        "one-slice",
        "each step takes out one share only, and puts the others back",
        "Which positions are still blurred in step 3?",
        steps(gone=one_slice),
    ),
    mistake(
        "blurred-again",
        "the blur is made anew of an image that is partly blurred already",
        "Of which image do you take the blurred values in step 3?",
        steps(points=mixed_again),
    ),
    mistake(
        "one-order",
        "all images lose the same positions, though each has its own map",
        "Whose heat says what image 2 loses?",
        steps(order=lambda self, heat: Deletion.order(self, heat)[:1].expand(len(heat), -1)),
        steps(order=lambda self, heat: Deletion.order(self, heat.mean(0, keepdim=True)).expand(len(heat), -1)),
    ),
    mistake(
        "black",
        "what is taken out is replaced by 0, not by blurred(x)",
        "What takes the place of a position?",
        steps(without=torch.zeros_like),
        steps(without=lambda self, x: torch.zeros_like(x)),
        equation="what is taken out comes from blurred(x)",
    ),
    mistake(
        "mean-colour",
        "what is taken out is replaced by an average, not by blurred(x)",
        "What takes the place of a position?",
        steps(without=lambda self, x: x.mean((2, 3), keepdim=True).expand_as(x)),
        steps(without=lambda self, x: x.mean((1, 2, 3), keepdim=True).expand_as(x)),
        steps(without=lambda self, x: x.mean().expand_as(x)),
        equation="what is taken out comes from blurred(x)",
    ),
    mistake(
        "logits",
        "the curve is of the logit, not of the probability",
        "Between which numbers must your curve lie?",
        steps(asked=lambda self, logits, target: logits.gather(1, target[:, None])[:, 0]),
    ),
    mistake(
        "sigmoid",
        "each logit goes through a sigmoid alone: softmax compares it with the others",
        "What do the probabilities of all classes of an image sum to?",
        steps(asked=lambda self, logits, target: logits.sigmoid().gather(1, target[:, None])[:, 0]),
    ),
    mistake(
        "predicted-class",
        "the curve is of the class that the network names, whatever target says",
        "Which line of your code reads the target that was passed?",
        steps(asked=lambda self, logits, target: logits.softmax(1).amax(1)),
        steps(points=of_the_named_class),
    ),
    mistake(
        "all-targets",
        "each image is asked about the targets of all images: [:, target] takes N columns of every row",
        "What is the shape of p[:, target]? Which N of its numbers do you need?",
        steps(asked=lambda self, logits, target: logits.softmax(1)[:, target]),
        steps(asked=lambda self, logits, target: logits.softmax(1)[:, target].mean(1)),
        steps(asked=lambda self, logits, target: logits.softmax(1)[:, target].mean(0)),
    ),
    mistake(
        "first-target",
        "all images are asked about the class of the first one",
        "Which class is asked for in image 2?",
        steps(asked=lambda self, logits, target: logits.softmax(1)[:, target[0]]),
    ),
    mistake(
        "softmax-over-images",
        "the softmax runs over the images, not over the classes",
        "Which of the two axes of the logits has the classes?",
        steps(asked=lambda self, logits, target: logits.softmax(0).gather(1, target[:, None])[:, 0]),
    ),
    mistake(
        "no-start",
        "the curve lacks its first point, the whole image",
        "steps + 1 pictures: how many points?",
        steps(all_steps=lambda self, steps: range(1, steps + 1)),
    ),
    mistake(
        "no-end",
        "the curve lacks its last point, where all of the image is gone",
        "steps + 1 pictures: how many points?",
        steps(all_steps=lambda self, steps: range(steps)),
    ),
    mistake(
        "transposed",
        "the curve is (steps + 1, N)",
        "Along which axis do you stack the points?",
        steps(curve=lambda self, points: torch.stack(points)),
    ),
    mistake(
        "backwards",
        "the curve runs backwards: it begins with blurred(x) and ends with x",
        "Of which picture is entry 0 of your curve?",
        steps(curve=lambda self, points: torch.stack(points[::-1], 1)),
        steps(order=coldest_first, image=lambda self, gone, x, without: torch.where(gone[:, None], x, without)),
        equation="entry 0 is for x, the last one for blurred(x)",
    ),
    mistake(
        "images-averaged",
        "one curve comes out for all images together",
        "Three images: how many curves?",
        steps(curve=lambda self, points: torch.stack(points, 1).mean(0)),
        steps(curve=lambda self, points: torch.stack(points, 1).mean(0, keepdim=True)),
    ),
    mistake(
        "one-position-a-step",
        "each step takes out one position more, not one share more",
        "How many positions must be gone in the last step?",
        steps(number=lambda self, step, steps, places: step),
    ),
    mistake(
        "always-tenths",
        "each step takes out a tenth, whatever steps says",
        "How many positions are gone after 4 of 4 steps?",
        steps(number=lambda self, step, steps, places: step * places // 10),
    ),
    mistake(
        "one-channel",
        "only one channel of a position is taken out",
        "How many channels has your picture of what is gone? Which are blurred?",
        steps(image=first_channel_only),
    ),
    mistake(
        "not-rounded-down",
        "the number of positions is rounded up, or to the nearest one: // rounds down",
        "How many positions is a quarter of 21 by k * H * W // steps? How many in your code?",
        steps(number=lambda self, step, steps, places: round(step * places / steps)),
        steps(number=lambda self, step, steps, places: -(-step * places // steps)),
        steps(number=lambda self, step, steps, places: int(step * places / steps + 0.5)),
        equation="in step k, k * H * W // steps positions are gone",
    ),
    mistake(
        "rounded-too-early",
        "the number for one step is rounded and then multiplied, so the last step does not take all",
        "How many of 21 positions are gone after 4 of 4 steps?",
        steps(number=lambda self, step, steps, places: step * (places // steps)),
    ),
)

DELETION = Exercise(
    id="deletion",
    forms=(Deletion(),),
    equation=CURVE,
    probes={
        "ten steps": question(3, 5, 6, seed=1),
        "four steps": question(2, 4, 7, 4, seed=2),
        "one image": question(1, 5, 4, 5, seed=3),
        "uneven": question(2, 3, 7, 4, seed=5),
        "ties": question(5, 6, 5, 5, seed=6, ties=True),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "values": Check(
            4,
            (
                ends_with_the_blur(PLAIN),
                values(on=PLAIN),
                values(on=("uneven",), name="values for 21 positions"),
                repeatable(),
            ),
        ),
        "ties": Check(
            1, (ends_with_the_blur(("ties",)), values(on=("ties",), name="values where positions are equally hot"))
        ),
    },
    misconceptions=MISTAKES_IN_CURVES,
    hints=(
        """
        Sort the positions of each map once. Then it is one loop: in every step, some more of the list are taken from the
        blurred image.
        """,
        r"""
        $o$ `(N, H W)`: the positions in the order of their heat, hottest first. In step $k$ the first
        $\lfloor k H W / \mathrm{steps} \rfloor$ of each row of $o$ are gone: a boolean `(N, 1, H, W)`.
        $p_k = \mathrm{softmax}(\mathrm{model}(\mathrm{where}(\mathrm{gone}, \mathrm{blurred}(x), x)))[\mathrm{target}]$,
        `(N,)`. Stack $p_0, \dots, p_{\mathrm{steps}}$ along axis 1.
        """,
        """
        ```
        order = positions of the flattened heat, sorted downwards and stable
        without = blurred(x)
        gone = False for each image and position
        for k = 0, 1, ..., steps:
            gone = True at the first k * H * W // steps of order    (scatter_, or an index)
            image = without where gone (as N, 1, H, W), else x
            p = softmax of model(image) over the classes; of each image the entry of its target
        return all p, stacked along axis 1
        ```
        `argsort` takes `dim=1, descending=True, stable=True`, by name.
        """,
    ),
)


# area-under


class Area:
    """The right answer in steps."""

    dim = 1

    def heights(self, curve: Tensor) -> Tensor:
        return (curve[:, 1:] + curve[:, :-1]) / 2

    def width(self, curve: Tensor) -> float:
        return 1 / (curve.shape[1] - 1)

    def total(self, heights: Tensor) -> Tensor:
        return heights.sum(1)

    def __call__(self, curve: Tensor) -> Tensor:
        return self.total(self.heights(curve)) * self.width(curve)


AREA_UNDER = Exercise(
    id="area-under",
    forms=(Area(),),
    equation=AREA,
    probes={
        "eleven points": Probe(lambda g: (normal(g, 3, 11).sigmoid(),)),
        "five points": Probe(lambda g: (0.5 + normal(g, 5, 5).sigmoid(),)),
        "one image": Probe(lambda g: (normal(g, 1, 8).sigmoid(),)),
        "two points": Probe(lambda g: (normal(g, 4, 2).sigmoid(),)),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "values": Check(2, (values(), images_apart(), repeatable())),
    },
    misconceptions=(
        mistake(
            "mean-of-points",
            "the first and the last point count as much as the others, though only half a strip belongs to them",
            "How wide is the strip of the curve for which the first point stands?",
            instead(lambda curve: curve.mean(1)),
            instead(lambda curve: curve.sum(1) / (curve.shape[1] - 1)),
        ),
        mistake(
            "one-sided",
            "each strip has the height of one of its sides, not of their mean",
            "What is the area of a strip between the heights 1 and 0?",
            steps(heights=lambda self, curve: curve[:, :-1]),
            steps(heights=lambda self, curve: curve[:, 1:]),
            steps(heights=lambda self, curve: torch.maximum(curve[:, 1:], curve[:, :-1])),
            steps(heights=lambda self, curve: torch.minimum(curve[:, 1:], curve[:, :-1])),
        ),
        mistake(
            "strips-of-width-one",
            "every strip is taken to be 1 wide, but all of them together are",
            "What is the area under a curve that is always 1?",
            steps(width=lambda self, curve: 1.0),
            instead(lambda curve: curve.sum(1)),
        ),
        mistake(
            "points-not-strips",
            "it is divided by the number of points, but there is one strip less",
            "How many strips lie between eleven points?",
            steps(width=lambda self, curve: 1 / curve.shape[1]),
        ),
        mistake(
            "tenths",
            "every strip is taken to be 1/10 wide, whatever the number of points",
            "How many strips has a curve of five points? How wide is each?",
            steps(width=lambda self, curve: 0.1),
        ),
        mistake(
            "images-not-strips",
            "it is divided by the number of images, not by the number of strips",
            "What is len(curve)? How many strips has each curve?",
            steps(width=lambda self, curve: 1 / len(curve)),
            steps(width=lambda self, curve: 1 / max(1, len(curve) - 1)),
        ),
        mistake(
            "point-left-out",
            "the first or the last point of the curve, or both, are left out",
            "Of eleven points, how many does your sum read?",
            instead(lambda curve: torch.trapezoid(curve[:, :-1], torch.linspace(0, 1, curve.shape[1] - 1))),
            instead(lambda curve: torch.trapezoid(curve[:, 1:], torch.linspace(0, 1, curve.shape[1] - 1))),
            steps(heights=lambda self, curve: Area.heights(self, curve[:, :-1])),
            steps(heights=lambda self, curve: Area.heights(self, curve[:, 1:])),
            instead(lambda curve: curve[:, 1:-1].sum(1) / (curve.shape[1] - 1)),
        ),
        mistake(
            "first-image-only",
            "only the first curve has an area",
            "Three curves: how many areas?",
            instead(lambda curve: Area()(curve[:1])[0]),
            instead(lambda curve: Area()(curve[:1])),
        ),
        mistake(
            "not-summed",
            "what comes out is a number for each strip, not the area under the curve",
            "Eleven points of one curve: how many areas?",
            steps(total=lambda self, heights: heights),
            steps(total=lambda self, heights: heights.cumsum(1)),
        ),
        mistake(
            "over-the-images",
            "it runs along the images, not along the curve",
            "Which axis of the curve has the steps?",
            instead(lambda curve: Area()(curve.mT)),
            instead(lambda curve: ((curve[1:] + curve[:-1]) / 2).sum(0) / (len(curve) - 1)),
            instead(lambda curve: torch.trapezoid(curve, dx=1 / (curve.shape[1] - 1), dim=0)),
        ),
        mistake(
            "images-averaged",
            "one number comes out for all images together",
            "Three curves: how many areas?",
            steps(total=lambda self, heights: heights.sum(1).mean()),
        ),
    ),
    hints=(
        "Between two points the curve is a strip. What is its width, and what is its mean height?",
        r"""
        There are `steps` strips, each $1 / \mathrm{steps}$ wide. Area
        $= \frac{1}{\mathrm{steps}} \sum_k \frac{c_k + c_{k+1}}{2}$, for each row of `curve` `(N, steps + 1)`.
        """,
        """
        ```
        heights = (all points but the last + all points but the first) / 2     (N, steps)
        return the sum of heights along axis 1, divided by the number of strips
        ```
        """,
    ),
)


# pointing-game


class Pointing:
    """The right answer in steps."""

    def hottest(self, heat: Tensor) -> Tensor:
        """The place of the largest value of each flattened map."""
        return heat.flatten(1).argmax(1)

    def at(self, mask: Tensor, place: Tensor) -> Tensor:
        return mask.flatten(1).gather(1, place[:, None])[:, 0]

    def hit(self, found: Tensor) -> Tensor:
        return (found >= 0.5).double()

    def share(self, hits: Tensor) -> Tensor:
        return hits.mean()

    def __call__(self, heat: Tensor, mask: Tensor) -> Tensor:
        return self.share(self.hit(self.at(mask, self.hottest(heat))))


def across(self: Pointing, mask: Tensor, place: Tensor) -> Tensor:
    """Row and column exchanged."""
    return mask.flatten(1).gather(1, exchanged(place, mask)[:, None])[:, 0]


def exchanged(place: Tensor, mask: Tensor) -> Tensor:
    """The places whose row is the column of the ones given, and the other way round; what leaves the map comes back in."""
    height, width = mask.shape[1:]
    return place % width % height * width + place // width % width


def by_the_height(self: Pointing, mask: Tensor, place: Tensor) -> Tensor:
    height = mask.shape[1]
    return mask[torch.arange(len(mask)), place // height, place % height]


def column_for_row(heat: Tensor, mask: Tensor) -> Tensor:
    column, row = heat.amax(1).argmax(1), heat.amax(2).argmax(1)
    return (mask[torch.arange(len(mask)), column, row] >= 0.5).double().mean()


def rows_and_columns_apart(self: Pointing, heat: Tensor) -> Tensor:
    """The row of one maximum and the column of another."""
    return heat.amax(2).argmax(1) * heat.shape[2] + heat.amax(1).argmax(1)


def of_several(number: int) -> Callable:
    def share(heat: Tensor, mask: Tensor) -> Tensor:
        return (mask.flatten(1).gather(1, heat.flatten(1).topk(number).indices) >= 0.5).double().mean()

    return share


def inside_at(heat: Tensor, mask: Tensor) -> Tensor:
    """Where a map has its largest value and its mask says inside."""
    return ((heat == heat.amax((1, 2), keepdim=True)) & (mask >= 0.5)).flatten(1)


def inside_or_not(n: int, height: int, width: int, hits: int) -> Callable[[Generator], tuple]:
    """Maps whose hottest place is inside a mask of ones in the first ``hits`` of the images, the coldest in none.

    The hottest place of all lies in the last image. The place with row and column exchanged is inside in the other images.
    """

    def inputs(g: Generator) -> tuple[Tensor, Tensor]:
        heat, mask = normal(g, n, height, width), (torch.rand(n, height, width, generator=g) > 0.6).double()
        image, hit = torch.arange(n), torch.arange(n) < hits
        hottest = heat.flatten(1).argmax(1)
        while (same := exchanged(hottest, mask) == hottest).any():
            heat[same] = normal(g, int(same.sum()), height, width)
            hottest = heat.flatten(1).argmax(1)
        mask.view(n, -1)[image, exchanged(hottest, mask)] = (~hit).double()
        mask.view(n, -1)[image, heat.flatten(1).argmin(1)] = 0
        mask.view(n, -1)[image, hottest] = hit.double()
        heat[-1] += heat.max() - heat.min()
        return heat, mask

    return inputs


def outlines(*shares: float) -> Callable[[Generator], tuple[Tensor, Tensor]]:
    """The hottest places lie where such shares of a pixel are inside.

    With heat and mask exchanged the share of hits is another one.
    """

    def inputs(g: Generator) -> tuple[Tensor, Tensor]:
        n = len(shares)
        while True:
            heat, mask = inside_or_not(n, 6, 4, n - 1)(g)
            mask.view(n, -1)[torch.arange(n), heat.flatten(1).argmax(1)] = torch.tensor(shares).double()
            if Pointing()(mask, heat) != Pointing()(heat, mask):
                return heat, mask

    return inputs


def equally_hot(g: Generator) -> tuple[Tensor, Tensor]:
    """Two positions of each map are the hottest: the first of them is inside in five of eight images, the second in two.

    The first lies further to the right. The position in the row of the first and the column of the second is inside where
    the first is not.
    """
    heat, mask = normal(g, 8, 5, 6), torch.zeros(8, 5, 6).double()
    for number, (first, second) in enumerate([(1, 0)] * 4 + [(1, 1)] + [(0, 1)] + [(0, 0)] * 2):
        top, bottom = torch.randperm(5, generator=g)[:2].sort().values
        left, right = torch.randperm(6, generator=g)[:2].sort().values
        heat[number, top, right] = heat[number, bottom, left] = heat[number].max() + 1
        mask[number, top, right], mask[number, bottom, left], mask[number, top, left] = first, second, 1 - first
    return heat, mask


POINTING_GAME = Exercise(
    id="pointing-game",
    forms=(Pointing(),),
    equation=GAME,
    probes={
        "five of eight": Probe(inside_or_not(8, 5, 7, 5)),
        "two of nine": Probe(inside_or_not(9, 6, 4, 2)),
        "one image": Probe(inside_or_not(1, 4, 6, 1)),
        "outlines": Probe(outlines(0.8, 0.7, 0.6, 0.3, 0.2, 0.5)),
        "more outlines": Probe(outlines(0.3, 0.5, 0.9, 0.2, 0.4, 0.6, 1.0, 0.5, 0.1, 0.7, 0.5)),
        "equally hot": Probe(equally_hot),
    },
    checks={
        "hits": Check(
            2,
            (
                values(on=("five of eight", "two of nine", "one image"), name="share of hits"),
                values(on=("equally hot",), name="share of hits where two positions are equally hot"),
                leaves_input_alone(),
            ),
        ),
        "outline": Check(
            1, (values(on=("outlines", "more outlines"), name="share of hits with pixels partly inside"),)
        ),
    },
    misconceptions=(
        mistake(
            "share-of-the-heat",
            "it is the share of the heat inside the mask, not the share of the images that are hits",
            "How many positions of a map does the pointing game look at?",
            instead(lambda heat, mask: ((heat * mask).sum((1, 2)) / heat.sum((1, 2))).mean()),
            instead(lambda heat, mask: (heat * mask).sum() / heat.sum()),
            instead(lambda heat, mask: ((heat * (mask >= 0.5)).sum((1, 2)) / heat.sum((1, 2))).mean()),
            instead(lambda heat, mask: (heat * (mask >= 0.5)).sum() / heat.sum()),
        ),
        mistake(
            "hottest-of-all",
            "the hottest position of the whole batch is looked for, not that of each image",
            "Eight images: how many hottest positions?",
            instead(lambda heat, mask: (mask.flatten()[heat.argmax()] >= 0.5).double()),
            instead(lambda heat, mask: (mask[heat == heat.max()] >= 0.5).double().mean()),
        ),
        mistake(
            "hot-area",
            "all positions that are hot enough count, not only the hottest one of each image",
            "How many positions of a map does the pointing game look at?",
            instead(lambda heat, mask: ((mask >= 0.5) & (heat >= 0.5)).sum() / (heat >= 0.5).sum()),
            instead(lambda heat, mask: ((mask >= 0.5) & (heat > heat.mean())).sum() / (heat > heat.mean()).sum()),
            *(instead(of_several(number)) for number in (2, 3, 5, 10)),
        ),
        mistake(
            "everybodys-places",
            "the mask of each image is asked at the hottest positions of all images",
            "What is the shape of mask.flatten(1)[:, place]? Which N of its numbers do you need?",
            steps(at=lambda self, mask, place: mask.flatten(1)[:, place]),
        ),
        mistake(
            "first-image-only",
            "only the first image is looked at",
            "Of how many images must the hottest position be inside for a share of 1?",
            instead(lambda heat, mask: Pointing()(heat[:1], mask[:1])),
        ),
        mistake(
            "each-column",
            "each column of a map, or each row, has a hottest position of its own",
            "Eight images: how many hottest positions? How many does your argmax give?",
            instead(lambda heat, mask: (mask.gather(1, heat.argmax(1, keepdim=True)) >= 0.5).double().mean()),
            instead(lambda heat, mask: (mask.gather(2, heat.argmax(2, keepdim=True)) >= 0.5).double().mean()),
        ),
        mistake(
            "height-for-width",
            "row and column of the hottest position are computed with the height of the map, not with its width",
            "Position 9 of a map that is 7 wide and 5 high: which row is it in?",
            steps(at=by_the_height),
        ),
        mistake(
            "heat-for-mask",
            "heat and mask are exchanged: the place is looked for in the mask",
            "Of which of the two do you take the argmax?",
            instead(lambda heat, mask: Pointing()(mask, heat)),
        ),
        mistake(
            "counted",
            "hits are counted, but not divided by the number of images",
            "Between which numbers must a share lie?",
            steps(share=lambda self, hits: hits.sum()),
        ),
        mistake(
            "each-image",
            "what comes out is a hit or none for each image, not their share",
            "How many numbers are asked for?",
            steps(share=lambda self, hits: hits),
        ),
        mistake(
            "outline-averaged",
            "the mask's values are averaged: a pixel is inside or not",
            "What does a mask of 0.3 at the hottest position count?",
            steps(hit=lambda self, found: found),
        ),
        mistake(
            "any-part-counts",
            "a pixel counts as inside as soon as a small part of it is",
            "What does a mask of 0.3 at the hottest position count?",
            steps(hit=lambda self, found: (found > 0).double()),
        ),
        mistake(
            "whole-pixels-only",
            "a pixel counts as inside only if all of it is",
            "What does a mask of 0.7 at the hottest position count?",
            steps(hit=lambda self, found: (found >= 1).double()),
            steps(hit=lambda self, found: found.floor()),
        ),
        mistake(
            "half-is-outside",
            "a pixel of which exactly one half is inside counts as outside",
            "What does a mask of 0.5 at the hottest position count? And what is round(0.5)?",
            steps(hit=lambda self, found: (found > 0.5).double()),
        ),
        mistake(
            "any-of-the-hottest",
            "of several equally hot positions all are looked at, not only the first",
            "Two positions are equally hot, and only the second is inside. Is it a hit?",
            instead(lambda heat, mask: inside_at(heat, mask).any(1).double().mean()),
            instead(lambda heat, mask: (mask[heat == heat.amax((1, 2), keepdim=True)] >= 0.5).double().mean()),
        ),
        mistake(
            "another-of-the-hottest",
            "of several equally hot positions another than the first is taken",
            "Two positions are equally hot. Which one does your code find?",
            steps(hottest=lambda self, heat: heat[0].numel() - 1 - heat.flatten(1).flip(1).argmax(1)),
            steps(hottest=lambda self, heat: heat.flatten(1).argsort(1)[:, -1]),
            steps(hottest=lambda self, heat: heat.flatten(1).argsort(dim=1, stable=True)[:, -1]),
            steps(hottest=lambda self, heat: heat.flatten(1).argsort(dim=1, descending=True)[:, 0]),
            steps(hottest=lambda self, heat: heat.flatten(1).topk(1).indices[:, 0]),
            steps(hottest=rows_and_columns_apart),
        ),
        mistake(
            "coldest",
            "the coldest position is looked at",
            "Which position does the game ask for?",
            steps(hottest=lambda self, heat: heat.flatten(1).argmin(1)),
        ),
        mistake(
            "row-and-column",
            "row and column of the hottest position are exchanged",
            "Position 9 of a map that is 7 wide: which row is it in?",
            steps(at=across),
            instead(column_for_row),
        ),
        mistake(
            "misses",
            "misses are counted, not hits",
            "What should a map get that always points at the object?",
            steps(hit=lambda self, found: (found < 0.5).double()),
        ),
    ),
    hints=(
        "The game asks for one position of each image only. Which one, and is it inside?",
        r"""
        $p_n = \mathrm{argmax}$ over the $H W$ positions of map $n$; hit $= [\,\mathrm{mask}_n(p_n) \ge \tfrac12\,]$; the answer is
        the mean over the $N$ images. Flatten both `(N, H, W)` to `(N, H W)` first.
        """,
        """
        ```
        place = argmax of the flattened heat, along axis 1            (N,)
        found = the flattened mask at that place of each image       (N,)
        return the mean of (found >= 0.5)
        ```
        """,
    ),
)


# randomised


class Randomised:
    """The right answer in steps."""

    def copied(self, model: nn.Module) -> nn.Module:
        return copy.deepcopy(model)

    def start(self, seed: int) -> None:
        torch.manual_seed(seed)

    def layers(self, model: nn.Module, names: Sequence[str]) -> list[nn.Module]:
        return [layer for name in names for layer in model.get_submodule(name).modules()]

    def renew(self, layer: nn.Module) -> None:
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()

    def __call__(self, model: nn.Module, names: Sequence[str], seed: int = 0) -> nn.Module:
        made = self.copied(model)
        self.start(seed)
        for layer in self.layers(made, names):
            self.renew(layer)
        return made


def numbers_only(change: Callable[[Tensor], None], weights_only: bool = False) -> Callable:
    """Another way to renew a layer: each of its own parameters by itself, statistics not at all."""

    def renew(self: Randomised, layer: nn.Module) -> None:
        with torch.no_grad():
            for name, parameter in layer.named_parameters(recurse=False):
                if not weights_only or name == "weight":
                    change(parameter)

    return renew


def kinds_only(*kinds: type) -> Callable:
    def renew(self: Randomised, layer: nn.Module) -> None:
        if isinstance(layer, kinds):
            layer.reset_parameters()

    return renew


def not_norms(self: Randomised, layer: nn.Module) -> None:
    if hasattr(layer, "reset_parameters") and "Norm" not in type(layer).__name__:
        layer.reset_parameters()


def statistics_left(self: Randomised, layer: nn.Module) -> None:
    """A normalisation's scale and shift are renewed, its statistics are not."""
    if hasattr(layer, "reset_running_stats"):
        nn.init.ones_(layer.weight), nn.init.zeros_(layer.bias)
    else:
        Randomised.renew(self, layer)


def scale_kept(self: Randomised, layer: nn.Module) -> None:
    """Of a normalisation only the statistics are set back."""
    if hasattr(layer, "reset_running_stats"):
        layer.reset_running_stats()
    else:
        Randomised.renew(self, layer)


def biases_kept(self: Randomised, layer: nn.Module) -> None:
    bias = getattr(layer, "bias", None)
    kept = None if bias is None else bias.detach().clone()
    Randomised.renew(self, layer)
    if kept is not None:
        with torch.no_grad():
            layer.bias.copy_(kept)


def large_only(self: Randomised, layer: nn.Module) -> None:
    """Numbers that lie in rows are drawn anew, all else is left."""
    with torch.no_grad():
        for numbers in (p for p in layer.parameters(recurse=False) if p.ndim > 1):
            nn.init.normal_(numbers)


def shuffle(numbers: Tensor) -> None:
    numbers.copy_(numbers.flatten()[torch.randperm(numbers.numel())].view_as(numbers))


def shuffled_but_norms(self: Randomised, layer: nn.Module) -> None:
    """The numbers that were learned, in another order; a normalisation is renewed."""
    if isinstance(layer, nn.modules.batchnorm._BatchNorm):
        layer.reset_parameters()
    else:
        numbers_only(shuffle)(self, layer)


def renewed_in_the_model(model: nn.Module, names: Sequence[str], seed: int = 0) -> nn.Module:
    """The copy is made first, and then the layers of the model are renewed."""
    made = copy.deepcopy(model)
    torch.manual_seed(seed)
    for layer in Randomised().layers(model, names):
        Randomised().renew(layer)
    return made


def one_level(self: Randomised, model: nn.Module, names: Sequence[str]) -> list[nn.Module]:
    of_names = [model.get_submodule(name) for name in names]
    return [layer for module in of_names for layer in (module, *module.children())]


def without_paths(self: Randomised, model: nn.Module, names: Sequence[str]) -> list[nn.Module]:
    return [layer for name in names for layer in getattr(model, name).modules()]


def by_beginning(self: Randomised, model: nn.Module, names: Sequence[str]) -> list[nn.Module]:
    return [layer for found, layer in model.named_modules() if found and found.startswith(tuple(names))]


def all_others(self: Randomised, model: nn.Module, names: Sequence[str]) -> list[nn.Module]:
    chosen = set(Randomised.layers(self, model, names))
    return [layer for layer in model.modules() if layer not in chosen]


CONVOLUTIONS = (
    ("Conv2d", 3, 5, 3, {"bias": False}),
    ("BatchNorm2d", 5),
    ("ReLU",),
    ("Sequential", ("Conv2d", 5, 6, 3), ("BatchNorm2d", 6), ("ReLU",)),
    ("Conv2d", 6, 4, 3),
    ("GroupNorm", 2, 4),
    ("Sequential", ("Conv2d", 4, 7, 1), ("Sequential", ("Conv2d", 7, 6, 1), ("BatchNorm2d", 6))),
    ("ReLU",),
    ("AdaptiveAvgPool2d", 1),
    ("Flatten",),
    ("Linear", 6, 5),
    ("Linear", 5, 4),
)


def model_of(*more: object) -> Probe:
    return Probe(lambda g: (StandIn("trained", CONVOLUTIONS, int(torch.randint(2**31, (), generator=g))), *more))


RANDOMISED = Exercise(
    id="randomised",
    of_model=True,
    forms=(Randomised(),),
    records=("output", "original", "seeds"),
    equation=ANEW,
    probes={
        "last layer": model_of(["11"]),
        "two layers": model_of(["4", "10"], 3),
        "a normalisation": model_of(["1", "5"], 1),
        "layers in layers": model_of(["3", "6"], 2),
        "a layer inside": model_of(["6.1.0"], 4),
    },
    checks={
        "copy": Check(1, (original_kept(), leaves_input_alone())),
        "layers": Check(
            3,
            (renewed(),),
        ),
        "seed": Check(1, (of_its_seed(on=("last layer", "two layers", "layers in layers", "a layer inside")),)),
    },
    misconceptions=(
        mistake(
            "model-itself",
            "the model itself is changed: the copy shares its layers with it",
            "Which copy also copies what is inside: copy.copy or copy.deepcopy?",
            steps(copied=lambda self, model: model),
            steps(copied=lambda self, model: copy.copy(model)),
        ),
        mistake(
            "model-for-copy",
            "the layers of the model are renewed, and the copy is returned as it was",
            "In which of the two do you look up the names?",
            instead(renewed_in_the_model),
        ),
        mistake(
            "statistics-left",
            "the statistics of a batch normalisation are left as they were trained",
            "Which numbers of a BatchNorm does parameters() not list?",
            steps(renew=statistics_left),
            steps(renew=numbers_only(nn.init.normal_)),
        ),
        mistake(
            "scale-kept",
            "of a batch normalisation the statistics are set back, but its trained scale and shift are left",
            "What does reset_running_stats() set back, and what does reset_parameters()?",
            steps(renew=scale_kept),
        ),
        mistake(
            "normalisations-left",
            "normalisations are left as they were trained",
            "What does a BatchNorm know of the data that it was trained on?",
            steps(renew=not_norms),
            steps(renew=kinds_only(nn.Conv2d, nn.Linear)),
            steps(renew=kinds_only(nn.Conv2d)),
            steps(renew=kinds_only(nn.Linear)),
        ),
        mistake(
            "weights-only",
            "only weights are drawn anew, biases are not",
            "Which parameters has a linear layer?",
            steps(renew=numbers_only(nn.init.normal_, weights_only=True)),
            steps(renew=biases_kept),
            steps(renew=large_only),
        ),
        mistake(
            "zeros",
            "the weights are set to one number: then the layer is silent, not random",
            "What would an untrained layer have in its place?",
            steps(renew=numbers_only(nn.init.zeros_)),
            steps(renew=numbers_only(nn.init.ones_)),
        ),
        mistake(
            "noise-added",
            "noise is added to what was learned, which is still there",
            "How much of the trained weight is left in yours?",
            steps(renew=numbers_only(lambda p: p.add_(0.1 * torch.randn_like(p)))),
            steps(renew=numbers_only(lambda p: p.add_(0.01 * torch.randn_like(p)))),
        ),
        mistake(
            "shuffled",
            "the old numbers are put in another order: none of them is new",
            "Sort the old and the new weights of a layer. Do the two lists differ?",
            steps(renew=shuffled_but_norms),
            steps(renew=numbers_only(shuffle)),
        ),
        mistake(
            "top-only",
            "only the named module itself is renewed, not the layers inside it",
            "What does a Sequential have itself, and what do the layers in it have?",
            steps(layers=lambda self, model, names: [model.get_submodule(name) for name in names]),
        ),
        mistake(
            "one-level",
            "the layers directly inside the named module are renewed, but not those inside these",
            "What does children() list, and what does modules() list?",
            steps(layers=one_level),
            steps(layers=lambda self, model, names: [x for n in names for x in model.get_submodule(n).children()]),
        ),
        mistake(
            "no-path",
            "getattr finds a layer by its name, but does not follow a path with dots",
            'In the name "6.1.0", which module is inside which? What follows such a path?',
            steps(layers=without_paths),
        ),
        mistake(
            "last-name-only",
            "only the layers of the last name are new in what is returned",
            "How often is the copy made? Is that line inside the loop?",
            steps(layers=lambda self, model, names: list(model.get_submodule(names[-1]).modules())),
        ),
        mistake(
            "by-beginning",
            "a name counts as soon as it begins alike: with layer 1 also layers 10 and 11",
            'Does "10".startswith("1")?',
            steps(layers=by_beginning),
            steps(
                layers=lambda self, model, names: [
                    layer for found, layer in model.named_modules() if any(name in found for name in names)
                ]
            ),
        ),
        mistake(
            "all-layers",
            "all layers are renewed, whatever names says",
            "Where does your code read names?",
            steps(layers=lambda self, model, names: list(model.modules())),
        ),
        mistake(
            "all-others",
            "all layers but the named ones are renewed",
            "Which layers should stay as they are?",
            steps(layers=all_others),
        ),
        mistake(
            "first-name-only",
            "only the first name is taken",
            "Where does your loop end? Is a return inside it?",
            steps(layers=lambda self, model, names: list(model.get_submodule(names[0]).modules())),
        ),
        mistake(
            "seed-ignored",
            "the seed is not used: two calls draw different numbers, or all seeds draw the same",
            "Which line reads seed?",
            steps(start=lambda self, seed: None),
            steps(start=lambda self, seed: torch.manual_seed(0)),
        ),
    ),
    hints=(
        """
        Never work on the model itself: make a deep copy. Then every layer inside can be told to forget. What is the method
        that a layer calls when it is built?
        """,
        """
        `model.get_submodule("blocks.1")` is a layer by its name; `.modules()` lists it and all that lie inside it. Layers such
        as `nn.Linear` and `nn.Conv2d` have `reset_parameters()`: it draws weights and biases, and of a BatchNorm it sets the
        scale to 1, the shift to 0, the running mean to 0 and the running variance to 1.
        """,
        """
        ```
        made = deep copy of the model
        set torch's seed
        for each name:
            for each layer at or inside made's submodule of that name:
                if it has reset_parameters: call it
        return made
        ```
        """,
    ),
)


# rank-correlation


class RankCorrelation:
    """The right answer in steps."""

    def flat(self, heat: Tensor) -> Tensor:
        return heat.flatten(1)

    def ranks(self, row: Tensor) -> Tensor:
        """How many are smaller, and half of those that are equal."""
        less = (row[:, :, None] > row[:, None]).sum(2)
        equal = (row[:, :, None] == row[:, None]).sum(2)
        return (less + (equal + 1) / 2).to(row.dtype)

    def second(self, row: Tensor) -> Tensor:
        return self.ranks(row)

    def centred(self, ranks: Tensor) -> Tensor:
        return ranks - ranks.mean(1, keepdim=True)

    def size(self, one: Tensor, other: Tensor) -> Tensor:
        """Of the two sums of squares."""
        return (one * other).sqrt()

    def divided(self, shared: Tensor, size: Tensor) -> Tensor:
        return shared / size.clamp_min(1e-12)

    def finish(self, correlation: Tensor) -> Tensor:
        return correlation

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        r, s = self.centred(self.ranks(self.flat(a))), self.centred(self.second(self.flat(b)))
        size = self.size(r.square().sum(1), s.square().sum(1))
        return self.finish(self.divided((r * s).sum(1), size))


def any_order(self: RankCorrelation, row: Tensor) -> Tensor:
    return row.argsort(dim=1, stable=True).argsort(dim=1).to(row.dtype)


def least_rank(self: RankCorrelation, row: Tensor) -> Tensor:
    return (row[:, :, None] > row[:, None]).sum(2).to(row.dtype)


def largest_rank(self: RankCorrelation, row: Tensor) -> Tensor:
    return (row[:, :, None] >= row[:, None]).sum(2).to(row.dtype)


def half_cut_off(self: RankCorrelation, row: Tensor) -> Tensor:
    return RankCorrelation.ranks(self, row).floor()


def short_formula(ranks: Callable) -> Callable:
    """1 - 6 sum d^2 / n (n^2 - 1), which is the correlation where no ranks are shared."""

    def correlation(a: Tensor, b: Tensor) -> Tensor:
        r, s = (ranks(RankCorrelation(), heat.flatten(1)) for heat in (a, b))
        n = r.shape[1]
        return 1 - 6 * (r - s).square().sum(1) / (n * (n * n - 1))

    return correlation


def by_std(a: Tensor, b: Tensor) -> Tensor:
    r, s = (RankCorrelation().ranks(heat.flatten(1)) for heat in (a, b))
    shared = ((r - r.mean(1, keepdim=True)) * (s - s.mean(1, keepdim=True))).mean(1)
    return shared / (r.std(1) * s.std(1)).clamp_min(1e-12)


def of_the_whole_batch(a: Tensor, b: Tensor) -> Tensor:
    """Ranks within each image, but one mean and one sum over all images."""
    r, s = (RankCorrelation().ranks(heat.flatten(1)) for heat in (a, b))
    r, s = r - r.mean(), s - s.mean()
    return (r * s).sum() / (r.square().sum() * s.square().sum()).sqrt()


def alike_without_order(a: Tensor, b: Tensor) -> Tensor:
    neither = (a == a[:, :1, :1]).flatten(1).all(1) & (b == b[:, :1, :1]).flatten(1).all(1)
    return torch.where(neither, 1.0, RankCorrelation()(a, b)).to(a.dtype)


def dense_rank(self: RankCorrelation, row: Tensor) -> Tensor:
    """Equal values count as one place."""
    return torch.stack([one.unique(return_inverse=True)[1] for one in row]).to(row.dtype)


def maps(n: int, height: int, width: int, ties: bool = False) -> Probe:
    def inputs(g: Generator) -> tuple[Tensor, Tensor]:
        a, noise = normal(g, n, height, width), normal(g, n, height, width)
        against = 1.0 - 2 * (torch.arange(n) % 2 == 0).double()  # the first image's maps have opposite orders
        b = 0.6 * against[:, None, None] * a + 0.8 * noise
        if ties:
            return (1.2 * a).round(), b.clamp_min(0.3)
        return a.exp(), b.sinh() * 2  # far from a normal distribution, so that ranks and values differ

    return Probe(inputs)


def one_constant(g: Generator) -> tuple[Tensor, Tensor]:
    """In image 2 one map has no order, in image 4 neither has."""
    a, b = normal(g, 4, 4, 5), normal(g, 4, 4, 5)
    a[1], a[3], b[3] = 0, 0.5, 2
    return a, b


RANK_CORRELATION = Exercise(
    id="rank-correlation",
    forms=(RankCorrelation(),),
    equation=SPEARMAN,
    probes={
        "maps": maps(3, 4, 6),
        "one image": maps(1, 5, 4),
        "larger": maps(2, 7, 6),
        "ties": maps(4, 5, 6, ties=True),
        "one map without order": Probe(one_constant),
    },
    checks={
        "values": Check(
            2,
            (
                shape(on=("maps", "one image", "larger")),
                values(on=("maps", "one image", "larger")),
                images_apart(on=("maps", "larger")),
                leaves_input_alone(),
            ),
        ),
        "ties": Check(
            2,
            (
                values(on=("ties",), name="values where a map has equal values"),
                values(on=("one map without order",), name="0 for a map that is the same everywhere"),
            ),
        ),
    },
    misconceptions=(
        mistake(
            "values-not-ranks",
            "the values themselves are correlated, not their ranks",
            "What should happen to your number when one map is squared?",
            steps(ranks=lambda self, row: row),
        ),
        mistake(
            "order-for-rank",
            "the list of positions in their order is taken for the ranks",
            "What is entry 0 of an argsort: the rank of position 0, or the position of rank 0?",
            steps(ranks=lambda self, row: row.argsort(dim=1, stable=True).to(row.dtype)),
            steps(ranks=lambda self, row: row.argsort(1).to(row.dtype)),
        ),
        mistake(
            "ties-in-order",
            "equal values get different ranks, as they happen to be sorted",
            "Which ranks should two equal values have?",
            steps(ranks=any_order),
            steps(ranks=lambda self, row: row.argsort(1).argsort(1).to(row.dtype)),
            steps(ranks=lambda self, row: torch.from_numpy(row.numpy().argsort(1).argsort(1)).to(row.dtype)),
            steps(ranks=lambda self, row: any_order(self, row.flip(1)).flip(1)),
        ),
        mistake(
            "ties-not-averaged",
            "equal values share a rank, but not the mean of their ranks",
            "Two values share places 3 and 4. What is their rank?",
            steps(ranks=least_rank),
            steps(ranks=largest_rank),
            steps(ranks=dense_rank),
            steps(ranks=half_cut_off),
        ),
        mistake(
            "sorted-values",
            "both maps are sorted: then nothing is known any more of the place that a value came from",
            "After your sort, which place of the image does entry 0 belong to?",
            steps(ranks=lambda self, row: row.sort(1).values),
        ),
        mistake(
            "one-map-ranked",
            "only one of the two maps is ranked, the other keeps its values",
            "What should happen to your number when the second map is squared?",
            steps(second=lambda self, row: row),
            steps(ranks=lambda self, row: row, second=lambda self, row: RankCorrelation().ranks(row)),
        ),
        mistake(
            "one-map-downwards",
            "one of the two maps is ranked the other way round: the sign is turned",
            "What should a map have with itself, and what has it in your code?",
            steps(finish=lambda self, correlation: -correlation),
        ),
        mistake(
            "short-formula",
            "1 - 6 sum d² / n (n² - 1) holds only where no two values are equal",
            "Where does the short formula come from: what does it take the sum of r² to be?",
            instead(short_formula(RankCorrelation.ranks)),
            instead(short_formula(any_order)),
            equation="rho = sum of products / root of (sum of squares x sum of squares), of the ranks less their means",
        ),
        mistake(
            "not-centred",
            "the means of the ranks are not taken away",
            "All ranks are above 0. How could your number become negative?",
            steps(centred=lambda self, ranks: ranks),
        ),
        mistake(
            "mean-of-the-images",
            "the mean is taken over the images, not over the places of each map",
            "Along which axis do the ranks of one map lie?",
            steps(centred=lambda self, ranks: ranks - ranks.mean(0, keepdim=True)),
        ),
        mistake(
            "one-spread",
            "it is divided by the spread of one map only; where values are equal, the two spreads differ",
            "Which of your two sums of squares is read below the fraction?",
            steps(size=lambda self, one, other: one),
            steps(size=lambda self, one, other: other),
        ),
        mistake(
            "means-of-two-kinds",
            "above the fraction it is divided by n, in std by n - 1",
            "What does a map have with itself in your code?",
            instead(by_std),
        ),
        mistake(
            "no-root",
            "the root is missing, or is taken of one of the two sums of squares only",
            "What does a map have with itself in your code?",
            steps(size=lambda self, one, other: one * other),
            steps(size=lambda self, one, other: one.sqrt() * other),
            steps(size=lambda self, one, other: one * other.sqrt()),
        ),
        mistake(
            "images-averaged",
            "one number comes out for all images together",
            "Three images: how many numbers?",
            steps(finish=lambda self, correlation: correlation.mean()),
        ),
        mistake(
            "number-without-order",
            "a map that is the same everywhere gets another number than 0",
            "Which order has such a map? How alike can it be with another order?",
            instead(alike_without_order),
            steps(divided=lambda self, shared, size: torch.nan_to_num(shared / size, nan=1.0)),
            equation="a map that is the same everywhere has no order: then the answer is 0",
        ),
        mistake(
            "all-images-at-once",
            "all images are ranked and correlated together",
            "How many numbers are asked for?",
            instead(lambda a, b: RankCorrelation()(a[None], b[None])[0]),
            instead(lambda a, b: RankCorrelation()(a[None], b[None])),
            instead(of_the_whole_batch),
        ),
        mistake(
            "row-by-row",
            "ranks are taken within each row of a map",
            "How many places compete for rank 1?",
            steps(
                flat=lambda self, heat: heat,
                ranks=lambda self, heat: torch.stack([RankCorrelation().ranks(one) for one in heat]).flatten(1),
            ),
        ),
        mistake(
            "not-divided",
            "it is a covariance: it is not divided by the two spreads",
            "What should a map have with itself?",
            steps(divided=lambda self, shared, size: shared),
            instead(lambda a, b: covariance(a, b)),
        ),
        mistake(
            "absolute-value",
            "the sign is lost: the opposite order looks like the same order",
            "What should a map have with its negative?",
            steps(finish=lambda self, correlation: correlation.abs()),
            steps(finish=lambda self, correlation: correlation.square()),
        ),
        mistake(
            "no-number",
            "a map that is the same everywhere gives 0 / 0",
            "By what do you divide when all ranks are equal?",
            steps(divided=lambda self, shared, size: shared / size),
        ),
    ),
    hints=(
        """
        Replace every value by its place in the sorted map. Then it is an ordinary correlation. The work is in the places of
        equal values.
        """,
        r"""
        Rank of value $v$: (number of smaller values) + (number of equal ones, itself too, + 1) / 2. With the ranks $r$ and $s$
        of both maps, their means taken away: $\rho = \sum r s / \sqrt{\sum r^2 \sum s^2}$, and 0 if a sum is 0.
        """,
        """
        ```
        ranks(row):  ordered = row, sorted along axis 1
                     less  = for each value, how many of its row are smaller            (torch.searchsorted(ordered, row))
                     until = for each value, how many of its row are smaller or equal   (the same with right=True)
                     return (less + until + 1) / 2
        flatten both maps to (N, H W); take the ranks; take away the mean of each row
        return sum of products / root of (sum of squares x sum of squares), at least 1e-8 below
        ```
        """,
    ),
)


def covariance(a: Tensor, b: Tensor) -> Tensor:
    right = RankCorrelation()
    a, b = (right.ranks(heat.flatten(1)) for heat in (a, b))
    return ((a - a.mean(1, keepdim=True)) * (b - b.mean(1, keepdim=True))).mean(1)


# debug-deletion

DEBUG_DELETION = Exercise(
    id="debug-deletion",
    forms=(Deletion(),),
    equation=CURVE,
    probes={
        "in training": question(4, 5, 6, seed=7, training=True),
        "evaluated": question(3, 5, 4, 5, seed=8),
        "one image": question(1, 4, 5, 4, seed=9),
        "ties": question(3, 6, 5, 5, seed=10, ties=True),
        "uneven": question(2, 3, 7, 4, seed=11),
    },
    checks={
        "order": Check(
            2,
            (
                ends_with_the_blur(("evaluated", "one image")),
                values(on=("evaluated", "one image"), name="values for a network in evaluation mode"),
                values(on=("ties",), name="values where positions are equally hot"),
                values(on=("uneven",), name="values for 21 positions"),
            ),
        ),
        "evaluation": Check(
            2,
            (
                ends_with_the_blur(("in training",)),
                values(on=("in training",), name="values for a network in training mode"),
                repeatable(),
            ),
        ),
        "gradient": Check(1, (leaves_no_graph(), leaves_input_alone())),
    },
    misconceptions=(
        mistake(
            "in-training-mode",
            "the network runs in training mode: its normalisation takes the mean of this batch of half-blurred images",
            "Which call brings a network into evaluation mode? Where is it made?",
            steps(ready=lambda self, model: None),
            steps(ready=lambda self, model: None, points=evaluated_later),
            steps(ready=lambda self, model: model.train()),
            steps(ready=lambda self, model: model[1].eval()),
            equation="a network is asked in evaluation mode: model.eval()",
        ),
        *named(
            MISTAKES_IN_CURVES,
            "coldest-first",
            "kept-not-taken",
            "ties-in-another-order",
            "order-for-rank",
            "one-slice",
            "black",
            "logits",
            "backwards",
            "one-position-a-step",
            "not-rounded-down",
            "no-start",
            "no-end",
            "transposed",
            "rounded-too-early",
        ),
        mistake(
            "nothing-mended",
            "the coldest positions are still taken out first, and the network still runs in training mode",
            "Print the first image that your network sees with a part taken out. Is the garment still there?",
            steps(order=lambda self, heat: heat.flatten(1).argsort(dim=1, stable=True), ready=lambda self, model: None),
        ),
    ),
    hints=(
        """
        Three lines are wrong or missing, and none of them crashes. Look at what is blurred first; at what the normalisation
        does; and at what the result carries with it.
        """,
        """
        Hottest first: a sort that goes *down*. `model.eval()` before the first call. `torch.no_grad()` around the calls, so
        that the curve has no `grad_fn`.
        """,
        """
        ```
        model.eval()
        order = the positions sorted by heat, downwards
        with torch.no_grad():
            for every step: blur the first k * H * W // steps of order, ask the network, keep the probability
        return the stacked probabilities
        ```
        """,
    ),
)

EXERCISES = (DELETION, AREA_UNDER, POINTING_GAME, RANDOMISED, RANK_CORRELATION, DEBUG_DELETION)
