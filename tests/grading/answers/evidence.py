"""Answers to lesson 09, as learners write them."""

import copy
import math

import numpy as np
import torch
from bank import right, wrong
from torch import nn
from torch.nn import functional as F

from attention_lab.data import blurred

# deletion


@right("deletion")
def with_scatter(model, x, heat, target, steps=10):
    n, _, h, w = x.shape
    order = torch.argsort(heat.reshape(n, -1), dim=1, descending=True, stable=True)
    fog = blurred(x)
    curve = []
    for k in range(steps + 1):
        mask = torch.zeros(n, h * w, dtype=x.dtype)
        mask.scatter_(1, order[:, : k * h * w // steps], 1.0)
        mask = mask.view(n, 1, h, w)
        with torch.no_grad():
            p = F.softmax(model(x * (1 - mask) + fog * mask), dim=1)
        curve.append(p[torch.arange(n), target])
    return torch.stack(curve, dim=1)


@right("deletion")
def by_ranks(model, x, heat, target, steps=10):
    flat = heat.flatten(1)
    ranks = flat.argsort(dim=1, descending=True, stable=True).argsort(dim=1).view_as(heat)
    places = flat.shape[1]
    rows = range(len(x))
    return torch.stack(
        [
            model(torch.where((ranks < k * places // steps).unsqueeze(1), blurred(x), x)).softmax(-1)[rows, target]
            for k in range(steps + 1)
        ],
        dim=-1,
    )


@right("deletion")
def image_by_image(model, x, heat, target, steps=10):
    blur = blurred(x)
    curves = torch.zeros(len(x), steps + 1, dtype=x.dtype)
    for n in range(len(x)):
        places = sorted(range(heat[n].numel()), key=lambda p: -heat[n].flatten()[p].item())
        picture = x[n].clone().flatten(1)
        done = 0
        for k in range(steps + 1):
            until = int(k * len(places) / steps)
            picture[:, places[done:until]] = blur[n].flatten(1)[:, places[done:until]]
            done = until
            with torch.no_grad():
                curves[n, k] = model(picture.view(1, *x.shape[1:])).softmax(1)[0, target[n]]
    return curves


@right("deletion")
def all_steps_in_one_batch(model, x, heat, target, steps=10):
    n, c, h, w = x.shape
    order = heat.flatten(1).sort(dim=1, descending=True, stable=True).indices
    rank = torch.empty_like(order)
    rank.scatter_(1, order, torch.arange(h * w).expand(n, -1))
    until = torch.tensor([k * h * w // steps for k in range(steps + 1)])
    gone = rank[:, None] < until[None, :, None]
    images = torch.where(gone.view(n, steps + 1, 1, h, w), blurred(x)[:, None], x[:, None])
    p = model(images.flatten(0, 1)).softmax(1).unflatten(0, (n, steps + 1))
    return p.gather(2, target[:, None, None].expand(-1, steps + 1, 1)).squeeze(2).detach()


class Curve:
    """What the wrong curves below get right."""

    descending = True

    def order(self, heat):
        return heat.flatten(1).argsort(dim=1, descending=self.descending, stable=True)

    def replacement(self, x):
        return blurred(x)

    def gone(self, heat, k, steps):
        out = torch.zeros(len(heat), heat[0].numel(), dtype=torch.bool)
        for row, order in zip(out, self.order(heat)):
            row[order[: k * len(row) // steps]] = True
        return out.view_as(heat)[:, None]

    def mix(self, gone, x, other):
        return torch.where(gone, other, x)

    def read(self, logits, target):
        return logits.softmax(1)[torch.arange(len(target)), target]

    def ks(self, steps):
        return range(steps + 1)

    def stack(self, points):
        return torch.stack(points, 1)

    def __call__(self, model, x, heat, target, steps=10):
        with torch.no_grad():
            other = self.replacement(x)
            images = [self.mix(self.gone(heat, k, steps), x, other) for k in self.ks(steps)]
            return self.stack([self.read(model(image), target) for image in images])


def wrong_curve(misconception, passes="", exercise="deletion"):
    def bank(kind):
        answer = kind()
        answer.__name__ = kind.__name__
        wrong(exercise, misconception, passes)(answer)
        return kind

    return bank


@wrong_curve("coldest-first", passes="shape")
class SmallestFirst(Curve):
    descending = False


@wrong_curve("kept-not-taken", passes="shape")
class Insertion(Curve):
    def mix(self, gone, x, other):
        return torch.where(gone, x, other)


@wrong_curve("order-for-rank", passes="shape")
class SortedOnce(Curve):
    def gone(self, heat, k, steps):
        return (self.order(heat) < k * heat[0].numel() // steps).view_as(heat)[:, None]


@wrong_curve("by-value", passes="shape values")
class ByThreshold(Curve):
    def gone(self, heat, k, steps):
        number = k * heat[0].numel() // steps
        if number == 0:
            return torch.zeros_like(heat, dtype=torch.bool)[:, None]
        threshold = heat.flatten(1).topk(number, dim=1).values[:, -1]
        return (heat >= threshold.view(-1, 1, 1))[:, None]


@wrong_curve("by-value", passes="shape")
class ByHeight(Curve):
    def gone(self, heat, k, steps):
        low, high = heat.flatten(1).min(1).values.view(-1, 1, 1), heat.flatten(1).max(1).values.view(-1, 1, 1)
        if k == 0:
            return torch.zeros_like(heat, dtype=torch.bool)[:, None]
        return (heat >= high - k / steps * (high - low))[:, None]


@wrong_curve("one-slice", passes="shape")
class SliceBySlice(Curve):
    def gone(self, heat, k, steps):
        out = torch.zeros_like(heat, dtype=torch.bool).flatten(1)
        places = out.shape[1]
        first = max(k - 1, 0) * places // steps
        out.scatter_(1, self.order(heat)[:, first : k * places // steps], True)
        return out.view_as(heat)[:, None]


@wrong("deletion", "blurred-again", passes="shape")
def blurring_in_the_loop(model, x, heat, target, steps=10):
    curve = Curve()
    found = []
    for k in range(steps + 1):
        x = torch.where(curve.gone(heat, k, steps), blurred(x), x)
        found.append(curve.read(model(x), target))
    return torch.stack(found, 1)


@wrong_curve("one-order", passes="shape")
class OrderOfTheFirst(Curve):
    def order(self, heat):
        first = heat[0].flatten().argsort(descending=True, stable=True)
        return first.repeat(len(heat), 1)


@wrong_curve("one-order", passes="shape")
class OrderOfTheMean(Curve):
    def order(self, heat):
        return heat.mean(0).flatten().argsort(descending=True, stable=True).repeat(len(heat), 1)


@wrong_curve("by-value", passes="shape values")
class ByQuantile(Curve):
    def gone(self, heat, k, steps):
        if k == steps:
            return torch.ones_like(heat, dtype=torch.bool)[:, None]
        bound = torch.quantile(heat.flatten(1), 1 - k / steps, dim=1)
        return (heat > bound[:, None, None])[:, None]


@wrong_curve("ties-in-another-order", passes="shape values")
class NotStable(Curve):
    def order(self, heat):
        return heat.flatten(1).argsort(1, descending=True)


@wrong_curve("ties-in-another-order", passes="shape values")
class UpwardsAndTurned(Curve):
    def order(self, heat):
        return heat.flatten(1).sort(dim=1, stable=True).indices.flip(1)


@wrong_curve("ties-in-another-order", passes="shape values")
class LargestBefore(Curve):
    def gone(self, heat, k, steps):
        chosen = heat.flatten(1).topk(k * heat[0].numel() // steps).indices
        out = torch.zeros_like(heat, dtype=torch.bool).flatten(1)
        return out.scatter(1, chosen, True).view_as(heat)[:, None]


@wrong_curve("ties-in-another-order", passes="shape values")
class ByNumpy(Curve):
    def order(self, heat):
        return torch.tensor(np.argsort(-heat.flatten(1).numpy(), axis=1))


@wrong_curve("hottest-left", passes="shape")
class FromTheSecond(Curve):
    def gone(self, heat, k, steps):
        out, number = torch.zeros_like(heat, dtype=torch.bool).flatten(1), k * heat[0].numel() // steps
        for row, order in zip(out, self.order(heat)):
            row[order[1 : number + 1]] = True
        return out.view_as(heat)[:, None]


@wrong_curve("black", passes="shape")
class Blackened(Curve):
    def replacement(self, x):
        return torch.zeros_like(x)


@wrong_curve("other-end", passes="shape")
class OtherBlur(Curve):
    def replacement(self, x):
        return F.avg_pool2d(x, 3, 1, 1)


@wrong_curve("mean-colour", passes="shape")
class AveragedColour(Curve):
    def replacement(self, x):
        return x.mean(dim=(2, 3), keepdim=True).expand(x.shape)


@wrong_curve("logits", passes="shape")
class RawLogits(Curve):
    def read(self, logits, target):
        return logits.gather(1, target.unsqueeze(1)).squeeze(1)


@wrong_curve("predicted-class", passes="shape")
class Confidence(Curve):
    def read(self, logits, target):
        return logits.softmax(1).max(1).values


@wrong_curve("sigmoid", passes="shape")
class EachLogitAlone(Curve):
    def read(self, logits, target):
        return torch.sigmoid(logits)[torch.arange(len(target)), target]


@wrong_curve("always-tenths", passes="shape")
class TenSteps(Curve):
    def gone(self, heat, k, steps):
        return super().gone(heat, k, 10)


@wrong_curve("one-channel", passes="shape")
class FirstChannel(Curve):
    def mix(self, gone, x, other):
        mixed = x.clone()
        mixed[:, 0] = torch.where(gone[:, 0], other[:, 0], x[:, 0])
        return mixed


@wrong("deletion", "predicted-class", passes="shape")
def class_of_the_network(model, x, heat, target, steps=10):
    return Curve()(model, x, heat, model(x).argmax(dim=1), steps)


@wrong_curve("all-targets")
class EachWithEach(Curve):
    def read(self, logits, target):
        return logits.softmax(1)[:, target]


@wrong_curve("all-targets", passes="shape")
class MeanOfAllTargets(Curve):
    def read(self, logits, target):
        return logits.softmax(-1)[:, target].mean(1)


@wrong_curve("first-target", passes="shape")
class ClassOfTheFirst(Curve):
    def read(self, logits, target):
        return logits.softmax(1)[:, target[0]]


@wrong_curve("softmax-over-images", passes="shape")
class SoftmaxOverTheBatch(Curve):
    def read(self, logits, target):
        return torch.softmax(logits, 0)[torch.arange(len(target)), target]


@wrong_curve("no-start")
class WithoutTheWholeImage(Curve):
    def ks(self, steps):
        return range(1, steps + 1)


@wrong_curve("no-end")
class WithoutTheLast(Curve):
    def ks(self, steps):
        return range(steps)


@wrong_curve("transposed")
class StackedInFront(Curve):
    def stack(self, points):
        return torch.stack(points)


@wrong_curve("backwards", passes="shape")
class FromTheEnd(Curve):
    def stack(self, points):
        return torch.stack(points, 1).flip(1)


@wrong_curve("images-averaged")
class OneCurveForAll(Curve):
    def stack(self, points):
        return torch.stack([point.mean() for point in points])


@wrong_curve("one-position-a-step", passes="shape")
class OneMoreEachTime(Curve):
    def gone(self, heat, k, steps):
        out = torch.zeros_like(heat, dtype=torch.bool).flatten(1)
        return out.scatter(1, self.order(heat)[:, :k], True).view_as(heat)[:, None]


@wrong_curve("not-rounded-down", passes="shape ties")
class RoundedToTheNearest(Curve):
    def gone(self, heat, k, steps):
        out = torch.zeros_like(heat, dtype=torch.bool).flatten(1)
        number = round(k / steps * out.shape[1])
        return out.scatter(1, self.order(heat)[:, :number], True).view_as(heat)[:, None]


@wrong_curve("not-rounded-down", passes="shape ties")
class RoundedUp(Curve):
    def gone(self, heat, k, steps):
        out = torch.zeros_like(heat, dtype=torch.bool).flatten(1)
        number = math.ceil(k * out.shape[1] / steps)
        return out.scatter(1, self.order(heat)[:, :number], True).view_as(heat)[:, None]


@wrong_curve("rounded-too-early", passes="shape ties")
class RoundedStep(Curve):
    def gone(self, heat, k, steps):
        out = torch.zeros_like(heat, dtype=torch.bool).flatten(1)
        share = out.shape[1] // steps
        return out.scatter(1, self.order(heat)[:, : k * share], True).view_as(heat)[:, None]


@wrong("deletion", "changes-its-input", passes="values ties")
def in_place(model, x, heat, target, steps=10):
    curve, other, found = Curve(), blurred(x), []
    for k in range(steps + 1):
        gone = curve.gone(heat, k, steps).expand_as(x)
        x[gone] = other[gone]
        with torch.no_grad():
            found.append(curve.read(model(x), target))
    return torch.stack(found, 1)


# area-under


@right("area-under")
def by_torch(curve):
    return torch.trapezoid(curve, dx=1 / (curve.shape[1] - 1), dim=1)


@right("area-under")
def strips(curve):
    steps = curve.shape[1] - 1
    area = torch.zeros(curve.shape[0], dtype=curve.dtype)
    for k in range(steps):
        area = area + (curve[:, k] + curve[:, k + 1]) / 2 / steps
    return area


@right("area-under")
def ends_halved(curve):
    inner = curve.sum(dim=1) - 0.5 * (curve[:, 0] + curve[:, -1])
    return inner / (curve.size(1) - 1)


@right("area-under")
def with_numpy_places(curve):
    places = torch.tensor(np.linspace(0, 1, curve.shape[-1]), dtype=curve.dtype)
    return torch.trapz(curve, places)


@wrong("area-under", "mean-of-points", passes="shape")
def average(curve):
    return curve.mean(dim=1)


@wrong("area-under", "mean-of-points", passes="shape")
def by_the_strips(curve):
    return curve.sum(dim=1) / (curve.shape[1] - 1)


@wrong("area-under", "one-sided", passes="shape")
def upper_sum(curve):
    return torch.maximum(curve[:, 1:], curve[:, :-1]).mean(1)


@wrong("area-under", "point-left-out", passes="shape")
def inner_points(curve):
    return curve[:, 1:-1].sum(1) / (curve.shape[1] - 1)


@wrong("area-under", "first-image-only")
def first_curve(curve):
    return torch.trapezoid(curve[0], dx=1 / (curve.shape[1] - 1))


@wrong("area-under", "not-summed")
def growing(curve):
    return torch.cumulative_trapezoid(curve, dx=1 / (curve.shape[1] - 1))


@wrong("area-under", "one-sided", passes="shape")
def left_sides(curve):
    return curve[:, :-1].mean(1)


@wrong("area-under", "one-sided", passes="shape")
def right_sides(curve):
    return curve[:, 1:].sum(1) / (curve.shape[1] - 1)


@wrong("area-under", "strips-of-width-one", passes="shape")
def without_dx(curve):
    return torch.trapezoid(curve)


@wrong("area-under", "points-not-strips", passes="shape")
def one_too_many(curve):
    return torch.trapezoid(curve, dx=1 / curve.shape[1])


@wrong("area-under", "tenths", passes="shape")
def always_ten_steps(curve):
    return torch.trapezoid(curve, dx=0.1)


@wrong("area-under", "images-not-strips", passes="shape")
def by_len(curve):
    return ((curve[:, :-1] + curve[:, 1:]) / 2).sum(1) / len(curve)


@wrong("area-under", "point-left-out", passes="shape")
def without_the_last(curve):
    steps = curve.shape[1] - 1
    return torch.trapezoid(curve[:, :steps], torch.linspace(0, 1, steps, dtype=curve.dtype))


@wrong("area-under", "over-the-images")
def first_axis(curve):
    return ((curve[1:] + curve[:-1]) / 2).sum(0) / (len(curve) - 1)


@wrong("area-under", "images-averaged")
def mean_area(curve):
    return torch.trapezoid(curve, dx=1 / (curve.shape[1] - 1)).mean()


# pointing-game


@right("pointing-game")
def by_gather(heat, mask):
    hottest = heat.flatten(1).argmax(1, keepdim=True)
    return (mask.flatten(1).gather(1, hottest) >= 0.5).float().mean()


@right("pointing-game")
def in_a_loop(heat, mask):
    hits = 0
    for h, m in zip(heat, mask):
        row, column = divmod(int(h.argmax()), h.shape[1])
        hits += bool(m[row, column] >= 0.5)
    return hits / len(heat)


@right("pointing-game")
def by_unravel(heat, mask):
    rows, columns = np.unravel_index(heat.reshape(len(heat), -1).argmax(-1).numpy(), tuple(heat.shape[1:]))
    found = mask[np.arange(len(heat)), rows, columns]
    return float(np.mean(found.numpy() >= 0.5))


@right("pointing-game")
def by_place(heat, mask):
    n = heat.shape[0]
    place = heat.view(n, -1).max(dim=1).indices
    return (mask.view(n, -1)[torch.arange(n), place] + 0.5).floor().sum() / n


@right("pointing-game")
def row_then_column(heat, mask):
    images, rows = torch.arange(len(heat)), heat.amax(2).argmax(1)
    columns = heat[images, rows].argmax(1)
    return (mask[images, rows, columns] >= 0.5).float().mean()


@wrong("pointing-game", "half-is-outside", passes="hits")
def rounded(heat, mask):
    place = heat.flatten(1).argmax(1, keepdim=True)
    return mask.round().flatten(1).gather(1, place).mean()


@wrong("pointing-game", "half-is-outside", passes="hits")
def more_than_half(heat, mask):
    place = heat.flatten(1).argmax(1, keepdim=True)
    return (mask.flatten(1).gather(1, place) > 0.5).float().mean()


@wrong("pointing-game", "any-of-the-hottest", passes="outline")
def one_of_them_inside(heat, mask):
    inside = heat.masked_fill(mask < 0.5, -math.inf)
    return (inside.amax((1, 2)) == heat.amax((1, 2))).float().mean()


@wrong("pointing-game", "any-of-the-hottest", passes="outline")
def where_it_is_largest(heat, mask):
    return (mask[heat == heat.amax(dim=(1, 2), keepdim=True)] >= 0.5).float().mean()


@wrong("pointing-game", "another-of-the-hottest", passes="outline")
def last_of_a_sort(heat, mask):
    place = heat.flatten(1).sort(dim=1, stable=True).indices[:, -1:]
    return (mask.flatten(1).gather(1, place) >= 0.5).float().mean()


@wrong("pointing-game", "another-of-the-hottest", passes="outline")
def row_and_column_alone(heat, mask):
    rows, columns = heat.max(2).values.argmax(1), heat.max(1).values.argmax(1)
    return (mask[torch.arange(len(mask)), rows, columns] >= 0.5).float().mean()


@wrong("pointing-game", "row-and-column")
def axes_confused(heat, mask):
    rows, columns = heat.max(1).values.argmax(1), heat.max(2).values.argmax(1)
    return (mask[torch.arange(len(mask)), rows, columns] >= 0.5).float().mean()


@wrong("pointing-game", "hot-area")
def where_it_is_hot(heat, mask):
    hot = heat > 0.5
    return (hot & (mask >= 0.5)).float().sum() / hot.float().sum()


@wrong("pointing-game", "hot-area")
def five_places(heat, mask):
    places = heat.flatten(1).topk(5, dim=1).indices
    return (mask.flatten(1).gather(1, places) >= 0.5).float().mean()


@wrong("pointing-game", "everybodys-places")
def columns_of_all(heat, mask):
    return (mask.flatten(1)[:, heat.flatten(1).argmax(1)] >= 0.5).float().mean()


@wrong("pointing-game", "first-image-only")
def image_1(heat, mask):
    return (mask[0].flatten()[heat[0].argmax()] >= 0.5).float()


@wrong("pointing-game", "each-column")
def of_each_column(heat, mask):
    return (mask.gather(1, heat.argmax(1, keepdim=True)) >= 0.5).float().mean()


@wrong("pointing-game", "height-for-width")
def divided_by_the_height(heat, mask):
    place, height = heat.flatten(1).argmax(1), heat.shape[1]
    return (mask[torch.arange(len(mask)), place // height, place % height] >= 0.5).float().mean()


@wrong("pointing-game", "heat-for-mask")
def hottest_of_the_mask(heat, mask):
    place = mask.flatten(1).argmax(1, keepdim=True)
    return (heat.flatten(1).gather(1, place) >= 0.5).float().mean()


@wrong("pointing-game", "share-of-the-heat")
def energy(heat, mask):
    return ((heat * mask).sum((1, 2)) / heat.sum((1, 2))).mean()


@wrong("pointing-game", "hottest-of-all")
def one_maximum(heat, mask):
    return float(mask.flatten()[heat.argmax()] >= 0.5)


@wrong("pointing-game", "counted")
def number_of_hits(heat, mask):
    hottest = heat.flatten(1).argmax(1, keepdim=True)
    return (mask.flatten(1).gather(1, hottest) >= 0.5).sum()


@wrong("pointing-game", "each-image")
def hit_or_not(heat, mask):
    hottest = heat.flatten(1).argmax(1)
    return (mask.flatten(1)[torch.arange(len(heat)), hottest] >= 0.5).float()


@wrong("pointing-game", "outline-averaged", passes="hits")
def mean_of_the_mask(heat, mask):
    hottest = heat.flatten(1).argmax(1)
    return mask.flatten(1)[torch.arange(len(heat)), hottest].mean()


@wrong("pointing-game", "any-part-counts", passes="hits")
def not_zero(heat, mask):
    hottest = heat.flatten(1).argmax(1)
    return mask.flatten(1)[torch.arange(len(heat)), hottest].bool().float().mean()


@wrong("pointing-game", "whole-pixels-only", passes="hits")
def exactly_one(heat, mask):
    hottest = heat.flatten(1).argmax(1)
    return (mask.flatten(1)[torch.arange(len(heat)), hottest] == 1).float().mean()


@wrong("pointing-game", "coldest")
def smallest(heat, mask):
    coldest = heat.flatten(1).argmin(1)
    return (mask.flatten(1)[torch.arange(len(heat)), coldest] >= 0.5).float().mean()


@wrong("pointing-game", "row-and-column")
def column_first(heat, mask):
    hits = 0
    height, width = heat.shape[1:]
    for h, m in zip(heat, mask):
        row, column = divmod(h.argmax().item(), width)
        hits += (m.flatten()[column % height * width + row % width] >= 0.5).item()
    return hits / len(heat)


@wrong("pointing-game", "misses")
def outside(heat, mask):
    hottest = heat.flatten(1).argmax(1)
    return (mask.flatten(1)[torch.arange(len(heat)), hottest] < 0.5).float().mean()


# randomised


@right("randomised")
def by_apply(model, names, seed=0):
    model = copy.deepcopy(model)
    torch.manual_seed(seed)

    def forget(layer):
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()

    for name in names:
        model.get_submodule(name).apply(forget)
    return model


@right("randomised")
def walking_down(model, names, seed=0):
    twin = copy.deepcopy(model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for path, layer in twin.named_modules():
            inside = any(path == name or path.startswith(name + ".") for name in names)
            if inside and callable(getattr(layer, "reset_parameters", None)):
                layer.reset_parameters()
    return twin


@right("randomised")
def number_by_number(model, names, seed=0):
    g = torch.Generator().manual_seed(seed)
    new = copy.deepcopy(model)
    for name in names:
        for layer in new.get_submodule(name).modules():
            with torch.no_grad():
                for key, p in layer.named_parameters(recurse=False):
                    if p.dim() > 1:
                        bound = 1 / math.sqrt(p[0].numel())
                        p.copy_((2 * torch.rand(p.shape, generator=g) - 1) * bound)
                    else:
                        p.fill_(1.0 if "Norm" in type(layer).__name__ and key == "weight" else 0.0)
                if isinstance(layer, nn.BatchNorm2d):
                    layer.reset_running_stats()
    return new


@right("randomised")
def through_the_state(model, names, seed=0):
    """All is drawn, statistics too; a variance must be positive."""
    torch.manual_seed(seed)
    state = copy.deepcopy(model.state_dict())
    for key, value in state.items():
        if value.is_floating_point() and any(key.startswith(f"{name}.") for name in names):
            state[key] = torch.rand_like(value) + 0.1 if key.endswith("var") else 0.1 * torch.randn_like(value)
    fresh = copy.deepcopy(model)
    fresh.load_state_dict(state)
    return fresh


@right("randomised")
def seed_again_for_each_layer(model, names, seed=0):
    made = copy.deepcopy(model)
    for name in names:
        for layer in made.get_submodule(name).modules():
            if hasattr(layer, "reset_parameters"):
                torch.manual_seed(seed)
                layer.reset_parameters()
    return made


def reset(layer):
    if hasattr(layer, "reset_parameters"):
        layer.reset_parameters()


@wrong("randomised", "model-itself", passes="layers")
def in_the_model(model, names, seed=0):
    torch.manual_seed(seed)
    for name in names:
        model.get_submodule(name).apply(reset)
    return model


@wrong("randomised", "model-itself", passes="layers")
def shallow(model, names, seed=0):
    other = copy.copy(model)
    torch.manual_seed(seed)
    for name in names:
        other.get_submodule(name).apply(reset)
    return other


@wrong("randomised", "model-for-copy")
def wrong_one_of_two(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for name in names:
        model.get_submodule(name).apply(reset)
    return other


@wrong("randomised", "scale-kept", passes="copy seed")
def statistics_alone(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for name in names:
        for layer in other.get_submodule(name).modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.reset_running_stats()
            else:
                reset(layer)
    return other


@wrong("randomised", "shuffled", passes="copy seed")
def other_order(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for name in names:
        for layer in other.get_submodule(name).modules():
            if "BatchNorm" in type(layer).__name__:
                layer.reset_parameters()
                continue
            for p in layer.parameters(recurse=False):
                p.data = p.data.flatten()[torch.randperm(p.numel())].reshape(p.shape)
    return other


@wrong("randomised", "one-level", passes="copy seed")
def children_only(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for name in names:
        module = other.get_submodule(name)
        reset(module)
        for layer in module.children():
            reset(layer)
    return other


@wrong("randomised", "no-path")
def by_getattr(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for name in names:
        getattr(other, name).apply(reset)
    return other


@wrong("randomised", "last-name-only", passes="copy seed")
def a_copy_each_time(model, names, seed=0):
    torch.manual_seed(seed)
    for name in names:
        other = copy.deepcopy(model)
        other.get_submodule(name).apply(reset)
    return other


@wrong("randomised", "weights-only", passes="copy seed")
def bias_put_back(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for name in names:
        for layer in other.get_submodule(name).modules():
            bias = layer.bias.clone() if getattr(layer, "bias", None) is not None else None
            reset(layer)
            if bias is not None:
                layer.bias.data.copy_(bias)
    return other


@wrong("randomised", "weights-only", passes="copy seed")
def matrices(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for name in names:
        for p in other.get_submodule(name).parameters():
            if p.dim() > 1:
                nn.init.kaiming_normal_(p)
    return other


@wrong("randomised", "statistics-left", passes="copy seed")
def parameters_only(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for name in names:
        for p in other.get_submodule(name).parameters():
            nn.init.normal_(p, std=0.1)
    return other


@wrong("randomised", "normalisations-left", passes="copy seed")
def layers_with_weights(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for name in names:
        for layer in other.get_submodule(name).modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                layer.reset_parameters()
    return other


@wrong("randomised", "weights-only", passes="copy seed")
def called_weight(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for name in names:
        for key, p in other.get_submodule(name).named_parameters():
            if key.split(".")[-1] == "weight":
                p.data.normal_(0, 0.1)
    return other


@wrong("randomised", "zeros", passes="copy")
def wiped_out(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for name in names:
        for p in other.get_submodule(name).parameters():
            nn.init.zeros_(p)
    return other


@wrong("randomised", "noise-added", passes="copy seed")
def shaken(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    with torch.no_grad():
        for name in names:
            for p in other.get_submodule(name).parameters():
                p += 0.05 * torch.randn_like(p)
    return other


@wrong("randomised", "top-only", passes="copy")
def not_inside(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for name in names:
        reset(other.get_submodule(name))
    return other


@wrong("randomised", "by-beginning", passes="copy seed")
def startswith(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for path, layer in other.named_modules():
        if any(path.startswith(name) for name in names):
            reset(layer)
    return other


@wrong("randomised", "all-layers", passes="copy seed")
def everything(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    return other.apply(reset)


@wrong("randomised", "all-others", passes="copy seed")
def the_rest(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for path, layer in other.named_modules():
        if not any(path == name or path.startswith(f"{name}.") for name in names):
            reset(layer)
    return other


@wrong("randomised", "first-name-only", passes="copy seed")
def returned_too_early(model, names, seed=0):
    other = copy.deepcopy(model)
    torch.manual_seed(seed)
    for name in names:
        other.get_submodule(name).apply(reset)
        return other


@wrong("randomised", "seed-ignored", passes="copy layers")
def no_seed(model, names, seed=0):
    other = copy.deepcopy(model)
    for name in names:
        other.get_submodule(name).apply(reset)
    return other


@wrong("randomised", "seed-ignored", passes="copy layers")
def always_the_same(model, names, seed=0):
    torch.manual_seed(42)
    other = copy.deepcopy(model)
    for name in names:
        other.get_submodule(name).apply(reset)
    return other


# rank-correlation


@right("rank-correlation")
def pairs_compared(a, b):
    def ranks(m):
        v = m.flatten(1)
        return ((v[:, :, None] > v[:, None]) + 0.5 * (v[:, :, None] == v[:, None])).sum(2)

    r, s = ranks(a), ranks(b)
    r, s = r - r.mean(1, keepdim=True), s - s.mean(1, keepdim=True)
    below = (r.pow(2).sum(1) * s.pow(2).sum(1)).sqrt()
    return ((r * s).sum(1) / below.clamp(min=1e-8)).to(a.dtype)


@right("rank-correlation")
def by_unique(a, b):
    def ranked(row):
        _, inverse, counts = row.unique(return_inverse=True, return_counts=True)
        last = counts.cumsum(0).double()
        return (last - (counts - 1) / 2)[inverse]

    out = []
    for one, other in zip(a, b):
        r, s = ranked(one.flatten()), ranked(other.flatten())
        if r.std() == 0 or s.std() == 0:
            out.append(torch.tensor(0.0))
        else:
            out.append(torch.corrcoef(torch.stack([r, s]))[0, 1])
    return torch.stack([x.to(a.dtype) for x in out])


@right("rank-correlation")
def place_by_place(a, b):
    def ranked(values):
        order = sorted(range(len(values)), key=values.__getitem__)
        ranks = [0.0] * len(values)
        i = 0
        while i < len(order):
            j = i
            while j + 1 < len(order) and values[order[j + 1]] == values[order[i]]:
                j += 1
            for place in order[i : j + 1]:
                ranks[place] = (i + j) / 2 + 1
            i = j + 1
        return np.array(ranks)

    found = []
    for one, other in zip(a, b):
        r, s = ranked(one.flatten().tolist()), ranked(other.flatten().tolist())
        r, s = r - r.mean(), s - s.mean()
        size = np.linalg.norm(r) * np.linalg.norm(s)
        found.append(float(r @ s / size) if size > 0 else 0.0)
    return torch.tensor(found, dtype=a.dtype)


@right("rank-correlation")
def by_cosine(a, b):
    def centred(m):
        v = m.reshape(len(m), -1)
        s = v.sort(dim=1).values
        r = torch.searchsorted(s, v) + torch.searchsorted(s, v, right=True)
        return r.to(m.dtype) - r.to(m.dtype).mean(1, keepdim=True)

    return F.cosine_similarity(centred(a), centred(b), dim=1)


class Ranked:
    """What the wrong correlations below get right."""

    def ranks(self, v):
        return ((v[:, :, None] > v[:, None]).sum(2) + ((v[:, :, None] == v[:, None]).sum(2) + 1) / 2).double()

    def __call__(self, a, b):
        r, s = self.ranks(a.flatten(1)), self.ranks(b.flatten(1))
        r, s = r - r.mean(1, keepdim=True), s - s.mean(1, keepdim=True)
        return self.finish((r * s).sum(1), (r * r).sum(1) * (s * s).sum(1))

    def finish(self, shared, squares):
        return shared / squares.sqrt().clamp(min=1e-8)


def wrong_ranks(misconception, passes=""):
    return wrong_curve(misconception, passes, "rank-correlation")


@wrong_ranks("values-not-ranks")
class Pearson(Ranked):
    def ranks(self, v):
        return v


@wrong_ranks("order-for-rank")
class OneArgsort(Ranked):
    def ranks(self, v):
        return v.argsort(1).double()


@wrong_ranks("ties-in-order", passes="values")
class TwoArgsorts(Ranked):
    def ranks(self, v):
        return v.argsort(1).argsort(1).double()


@wrong_ranks("ties-not-averaged", passes="values")
class SmallestRank(Ranked):
    def ranks(self, v):
        return torch.searchsorted(v.sort(1).values, v.contiguous()).double()


@wrong_ranks("ties-not-averaged", passes="values")
class DenseRank(Ranked):
    def ranks(self, v):
        return torch.stack([torch.unique(row, return_inverse=True)[1] for row in v]).double()


@wrong("rank-correlation", "all-images-at-once")
def one_number(a, b):
    return Ranked()(a.flatten()[None], b.flatten()[None])[0]


@wrong("rank-correlation", "row-by-row")
def within_rows(a, b):
    ranks = [torch.stack([Ranked().ranks(m) for m in maps]).flatten(1) for maps in (a, b)]
    r, s = (one - one.mean(1, keepdim=True) for one in ranks)
    return Ranked().finish((r * s).sum(1), (r * r).sum(1) * (s * s).sum(1))


@wrong("rank-correlation", "all-images-at-once")
def one_sum_for_all(a, b):
    r, s = Ranked().ranks(a.flatten(1)), Ranked().ranks(b.flatten(1))
    r, s = r - r.mean(), s - s.mean()
    return (r * s).sum() / ((r * r).sum() * (s * s).sum()).sqrt()


@wrong_ranks("ties-not-averaged", passes="values")
class HalfRanksCutOff(Ranked):
    def ranks(self, v):
        return ((v[:, :, None] > v[:, None]).sum(2) + ((v[:, :, None] == v[:, None]).sum(2) + 1) // 2).double()


@wrong_ranks("sorted-values")
class SortedMaps(Ranked):
    def ranks(self, v):
        return v.sort(1).values


@wrong("rank-correlation", "one-map-ranked")
def only_the_first(a, b):
    r, s = Ranked().ranks(a.flatten(1)), b.flatten(1)
    r, s = r - r.mean(1, keepdim=True), s - s.mean(1, keepdim=True)
    return Ranked().finish((r * s).sum(1), (r * r).sum(1) * (s * s).sum(1))


@wrong("rank-correlation", "one-map-downwards")
def turned(a, b):
    return Ranked()(a, -b)


@wrong("rank-correlation", "short-formula", passes="values")
def six_sums_of_squares(a, b):
    r, s = Ranked().ranks(a.flatten(1)), Ranked().ranks(b.flatten(1))
    n = a[0].numel()
    return 1 - 6 * ((r - s) ** 2).sum(1) / (n * (n**2 - 1))


@wrong("rank-correlation", "not-centred")
def means_left(a, b):
    r, s = Ranked().ranks(a.flatten(1)), Ranked().ranks(b.flatten(1))
    return Ranked().finish((r * s).sum(1), (r * r).sum(1) * (s * s).sum(1))


@wrong_ranks("no-root")
class SquaresBelow(Ranked):
    def finish(self, shared, squares):
        return shared / squares.clamp(min=1e-8)


@wrong_ranks("images-averaged")
class MeanCorrelation(Ranked):
    def finish(self, shared, squares):
        return super().finish(shared, squares).mean()


@wrong("rank-correlation", "mean-of-the-images")
def other_axis(a, b):
    r, s = Ranked().ranks(a.flatten(1)), Ranked().ranks(b.flatten(1))
    r, s = r - r.mean(0), s - s.mean(0)
    return Ranked().finish((r * s).sum(1), (r * r).sum(1) * (s * s).sum(1))


@wrong_ranks("one-spread", passes="values")
class FirstSpread(Ranked):
    def __call__(self, a, b):
        r, s = self.ranks(a.flatten(1)), self.ranks(b.flatten(1))
        r, s = r - r.mean(1, keepdim=True), s - s.mean(1, keepdim=True)
        return (r * s).sum(1) / (r * r).sum(1).clamp(min=1e-8)


@wrong("rank-correlation", "means-of-two-kinds")
def mean_by_std(a, b):
    r, s = Ranked().ranks(a.flatten(1)), Ranked().ranks(b.flatten(1))
    r, s = r - r.mean(1, keepdim=True), s - s.mean(1, keepdim=True)
    return (r * s).mean(1) / (r.std(1) * s.std(1)).clamp(min=1e-8)


@wrong_ranks("number-without-order", passes="values")
class OneForNan(Ranked):
    def finish(self, shared, squares):
        return (shared / squares.sqrt()).nan_to_num(1.0)


@wrong("rank-correlation", "ties-in-order", passes="values")
def numpys_sort(a, b):
    r, s = (torch.tensor(m.flatten(1).numpy().argsort(1).argsort(1)).double() for m in (a, b))
    r, s = r - r.mean(1, keepdim=True), s - s.mean(1, keepdim=True)
    return Ranked().finish((r * s).sum(1), (r * r).sum(1) * (s * s).sum(1))


@wrong("rank-correlation", "number-without-order", passes="values")
def flat_maps_agree(a, b):
    r, s = Ranked().ranks(a.flatten(1)), Ranked().ranks(b.flatten(1))
    r, s = r - r.mean(1, keepdim=True), s - s.mean(1, keepdim=True)
    found = Ranked().finish((r * s).sum(1), (r * r).sum(1) * (s * s).sum(1))
    found[(r == 0).all(1) & (s == 0).all(1)] = 1
    return found


@wrong_ranks("not-divided")
class SumOfProducts(Ranked):
    def finish(self, shared, squares):
        return shared


@wrong_ranks("absolute-value")
class WithoutSign(Ranked):
    def finish(self, shared, squares):
        return (shared / squares.sqrt().clamp(min=1e-8)).abs()


@wrong_ranks("no-number", passes="values")
class ZeroByZero(Ranked):
    def finish(self, shared, squares):
        return shared / squares.sqrt()


# debug-deletion


@right("debug-deletion")
def mended(model, x, heat, target, steps=10):
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


@right("debug-deletion")
def put_back_afterwards(model, x, heat, target, steps=10):
    was = model.training
    model.train(False)
    curve = with_scatter(model, x, heat, target, steps)
    model.train(was)
    return curve.detach()


@right("debug-deletion")
@torch.no_grad()
def decorated(model, x, heat, target, steps=10):
    return by_ranks(model.eval(), x, heat, target, steps)


def broken(model, x, heat, target, steps=10, descending=True):
    """The lesson's, with the order right or wrong."""
    without, places = blurred(x), heat[0].numel()
    order = heat.flatten(1).argsort(dim=1, descending=descending, stable=True)
    curve = []
    for step in range(steps + 1):
        gone = torch.zeros(len(x), places, dtype=torch.bool)
        gone.scatter_(1, order[:, : step * places // steps], True)
        image = torch.where(gone.view(len(x), 1, *x.shape[2:]), without, x)
        curve.append(model(image).softmax(1)[torch.arange(len(x)), target])
    return torch.stack(curve, dim=1)


@wrong("debug-deletion", "coldest-first", passes="gradient")
def order_left(model, x, heat, target, steps=10):
    model.eval()
    with torch.no_grad():
        return broken(model, x, heat, target, steps, descending=False)


@wrong("debug-deletion", "in-training-mode", passes="order gradient")
def mode_left(model, x, heat, target, steps=10):
    with torch.no_grad():
        return broken(model, x, heat, target, steps)


@wrong("debug-deletion", "graph-kept", passes="order evaluation")
def graph_left(model, x, heat, target, steps=10):
    model.eval()
    return broken(model, x, heat, target, steps)


@wrong("debug-deletion", "nothing-mended", passes="gradient")
def only_the_graph(model, x, heat, target, steps=10):
    with torch.no_grad():
        return broken(model, x, heat, target, steps, descending=False)


@wrong("debug-deletion", "in-training-mode", passes="order gradient")
def eval_too_late(model, x, heat, target, steps=10):
    with torch.no_grad():
        curve = broken(model, x, heat, target, steps)
    model.eval()
    return curve


def debugged(misconception, passes="gradient"):
    return wrong_curve(misconception, passes, "debug-deletion")


class Evaluated(Curve):
    def __call__(self, model, *given):
        return super().__call__(model.eval(), *given)


@debugged("kept-not-taken")
class MendedIntoInsertion(Evaluated):
    mix = Insertion.mix


@debugged("order-for-rank")
class MendedWithTheOrder(Evaluated):
    gone = SortedOnce.gone


@debugged("one-slice")
class MendedSliceBySlice(Evaluated):
    gone = SliceBySlice.gone


@debugged("black")
class MendedBlack(Evaluated):
    replacement = Blackened.replacement


@debugged("logits")
class MendedWithLogits(Evaluated):
    read = RawLogits.read


@debugged("no-start")
class MendedWithoutStart(Evaluated):
    ks = WithoutTheWholeImage.ks


@debugged("no-end")
class MendedWithoutEnd(Evaluated):
    ks = WithoutTheLast.ks


@debugged("transposed")
class MendedInFront(Evaluated):
    stack = StackedInFront.stack


@debugged("ties-in-another-order", passes="evaluation gradient")
class MendedByTurning(Evaluated):
    order = UpwardsAndTurned.order


@debugged("ties-in-another-order", passes="evaluation gradient")
class MendedButNotStable(Evaluated):
    order = NotStable.order


@debugged("rounded-too-early", passes="evaluation gradient")
class MendedAndRounded(Evaluated):
    gone = RoundedStep.gone


@wrong("debug-deletion", "in-training-mode", passes="order gradient")
def eval_after_the_first_call(model, x, heat, target, steps=10):
    curve, found = Curve(), []
    with torch.no_grad():
        for k in range(steps + 1):
            found.append(curve.read(model(torch.where(curve.gone(heat, k, steps), blurred(x), x)), target))
            model.eval()
    return torch.stack(found, 1)


@wrong("debug-deletion", "in-training-mode", passes="gradient")
def train_for_eval(model, x, heat, target, steps=10):
    return Curve()(model.train(), x, heat, target, steps)


@wrong("debug-deletion", "in-training-mode", passes="order gradient")
def eval_of_the_layer_that_was_seen(model, x, heat, target, steps=10):
    model[1].eval()
    with torch.no_grad():
        return Curve()(model, x, heat, target, steps)


@debugged("one-position-a-step")
class MendedOneByOne(Evaluated):
    gone = OneMoreEachTime.gone


@debugged("not-rounded-down", passes="evaluation gradient")
class MendedToTheNearest(Evaluated):
    gone = RoundedToTheNearest.gone


@debugged("other-end")
class MendedFromTheEnd(Evaluated):
    def gone(self, heat, k, steps):
        out = torch.zeros_like(heat, dtype=torch.bool).flatten(1)
        upwards = heat.flatten(1).argsort(dim=1, stable=True)
        return out.scatter(1, upwards[:, : -(k * out.shape[1] // steps)], True).view_as(heat)[:, None]


@debugged("backwards")
class MendedAtTheWrongPlace(Evaluated):
    descending = False
    mix = Insertion.mix
