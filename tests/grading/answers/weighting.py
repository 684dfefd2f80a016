"""Answers to lesson 01, as learners write them."""

import math

import torch
from bank import right, wrong
from torch.nn import functional as F

# temperature-softmax


@right("temperature-softmax")
def shifted_by_the_maximum(scores, dim=-1, temperature=1.0):
    scaled = scores / temperature
    e = torch.exp(scaled - scaled.max(dim, keepdim=True).values)
    return e / e.sum(dim, keepdim=True)


@right("temperature-softmax")
def through_the_logarithm(scores, dim=-1, temperature=1.0):
    z = scores / temperature
    return (z - z.logsumexp(dim, keepdim=True)).exp()


@right("temperature-softmax")
def axis_moved_to_the_end(scores, dim=-1, temperature=1.0):
    z = scores.movedim(dim, -1)
    z = (z - torch.amax(z, -1, keepdim=True)) / temperature
    e = math.e**z
    return torch.div(e, e.sum(-1)[..., None]).movedim(-1, dim)


@wrong("temperature-softmax", "borrowed")
def torchs_own(scores, dim=-1, temperature=1.0):
    return F.softmax(scores / temperature, dim=dim)


@wrong("temperature-softmax", "borrowed")
def torchs_own_as_a_layer(scores, dim=-1, temperature=1.0):
    return torch.nn.Softmax(dim)(scores.div(temperature))


@wrong("temperature-softmax", "borrowed")
def through_torchs_logarithm(scores, dim=-1, temperature=1.0):
    return (scores / temperature).log_softmax(dim).exp()


@wrong("temperature-softmax", "unstable", passes="values temperature")
def no_maximum(scores, dim=-1, temperature=1.0):
    e = torch.exp(scores / temperature)
    return e / torch.sum(e, dim=dim, keepdim=True)


@wrong("temperature-softmax", "temperature-multiplied", passes="values stable")
def multiplied(scores, dim=-1, temperature=1.0):
    z = scores * temperature
    e = (z - z.amax(dim, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True)


@wrong("temperature-softmax", "temperature-ignored", passes="values stable")
def temperature_unused(scores, dim=-1, temperature=1.0):
    e = (scores - scores.amax(dim, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True)


@wrong("temperature-softmax", "temperature-after-softmax", passes="values")
def divided_too_late(scores, dim=-1, temperature=1.0):
    e = (scores - scores.amax(dim, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True) / temperature


@wrong("temperature-softmax", "dim-ignored", passes="temperature stable")
def always_the_last_axis(scores, dim=-1, temperature=1.0):
    z = scores / temperature
    e = (z - z.amax(-1, keepdim=True)).exp()
    return e / e.sum(-1, keepdim=True)


@wrong("temperature-softmax", "keepdim-missing")
def sum_without_keepdim(scores, dim=-1, temperature=1.0):
    e = torch.exp(scores / temperature)
    return e / e.sum(dim)


@wrong("temperature-softmax", "whole-tensor")
def summed_over_everything(scores, dim=-1, temperature=1.0):
    z = scores / temperature
    e = (z - z.max()).exp()
    return e / e.sum()


@wrong("temperature-softmax", "applied-twice")
def twice(scores, dim=-1, temperature=1.0):
    once = shifted_by_the_maximum(scores, dim, temperature)
    return shifted_by_the_maximum(once, dim)


@wrong("temperature-softmax", "not-normalised")
def never_divided(scores, dim=-1, temperature=1.0):
    z = scores / temperature
    return (z - z.amax(dim, keepdim=True)).exp()


@wrong("temperature-softmax", "changes-its-input", passes="temperature stable")
def changes_the_scores(scores, dim=-1, temperature=1.0):
    e = shifted_by_the_maximum(scores, dim, temperature)
    scores -= 1
    return e


# select


@right("select")
def broadcast_and_sum(features, scores):
    return (features * F.softmax(scores, dim=1).unsqueeze(1)).sum(dim=2)


@right("select")
def einsum(features, scores):
    return torch.einsum("ncl,nl->nc", features, scores.softmax(-1))


@right("select")
def matrix_product(features, scores):
    weights = torch.exp(scores - scores.max(1, keepdim=True)[0])
    weights = weights / weights.sum(1, keepdim=True)
    return torch.bmm(features, weights.unsqueeze(2)).squeeze(2)


@wrong("select", "scores-as-weights", passes="shape")
def no_softmax(features, scores):
    return torch.einsum("ncl,nl->nc", features, scores)


@wrong("select", "scores-scaled", passes="shape one-position")
def as_in_a_transformer(features, scores):
    weights = F.softmax(scores / math.sqrt(features.size(1)), dim=-1)
    return torch.einsum("ncl,nl->nc", features, weights)


@wrong("select", "sigmoid-not-softmax", passes="shape")
def gated(features, scores):
    return (features * torch.sigmoid(scores)[:, None, :]).sum(2)


@wrong("select", "mean-not-sum", passes="shape")
def averaged_again(features, scores):
    return (features * scores.softmax(1)[:, None, :]).mean(2)


@wrong("select", "softmax-over-batch", passes="shape")
def softmax_over_images(features, scores):
    return (features * scores.softmax(0)[:, None, :]).sum(2)


@wrong("select", "uniform", passes="shape")
def plain_average(features, scores):
    return features.mean(dim=2)


@wrong("select", "hard-maximum", passes="shape one-position")
def argmax(features, scores):
    best = scores.argmax(dim=1)
    return torch.stack([features[i, :, best[i]] for i in range(len(features))])


@wrong("select", "not-summed")
def weighted_but_not_summed(features, scores):
    return features * scores.softmax(1)[:, None, :]


@wrong("select", "detached", passes="shape one-position")
def weights_detached(features, scores):
    return (features * scores.softmax(1).detach()[:, None, :]).sum(2)


# recalibrate


@right("recalibrate")
def sigmoid_times_x(x, logits):
    return torch.sigmoid(logits) * x


@right("recalibrate")
def written_out(x, logits):
    return x / (1 + torch.exp(-logits))


@right("recalibrate")
def expanded(x, logits):
    gate = F.sigmoid(logits).expand(x.shape)
    return torch.mul(x, gate)


@wrong("recalibrate", "gate-returned", passes="shape")
def only_the_gate(x, logits):
    return torch.sigmoid(logits).expand_as(x)


@wrong("recalibrate", "gate-returned")
def only_the_small_gate(x, logits):
    return torch.sigmoid(logits)


@wrong("recalibrate", "gate-added", passes="shape")
def added(x, logits):
    return x + torch.sigmoid(logits)


@wrong("recalibrate", "no-sigmoid", passes="shape")
def raw_logits(x, logits):
    return x * logits


@wrong("recalibrate", "unstable", passes="shape values")
def sigmoid_by_hand(x, logits):
    power = torch.exp(logits)
    return x * power / (1 + power)


@wrong("recalibrate", "softmax-not-sigmoid", passes="shape")
def channels_compete(x, logits):
    return x * torch.softmax(logits, dim=1)


@wrong("recalibrate", "residual-added", passes="shape")
def with_a_residual(x, logits):
    return x * (1 + torch.sigmoid(logits))


@wrong("recalibrate", "sigmoid-twice", passes="shape")
def twice_through_the_sigmoid(x, logits):
    return x * torch.sigmoid(torch.sigmoid(logits))


@wrong("recalibrate", "changes-its-input", passes="values open-and-closed")
def in_place(x, logits):
    x *= torch.sigmoid(logits)
    return x


@wrong("temperature-softmax", "global-maximum", passes="values temperature")
def maximum_of_everything(scores, dim=-1, temperature=1.0):
    powers = torch.exp((scores - scores.max()) / temperature)
    return powers / powers.sum(dim, keepdim=True)


@wrong("temperature-softmax", "clamped", passes="values temperature")
def cut_at_eighty(scores, dim=-1, temperature=1.0):
    powers = (scores / temperature).clamp(max=80).exp()
    return powers / powers.sum(dim, keepdim=True)


@wrong("recalibrate", None, passes="shape")
def sigmoid_of_the_product(x, logits):
    return torch.sigmoid(logits * x)


@wrong("select", "axis-lost", passes="one-position")
def squeezed_too_much(features, scores):
    return torch.bmm(features, scores.softmax(-1)[:, :, None]).squeeze()


# recalibrate, the shapes of the logits


@right("recalibrate-logits")
def a_branch_each(x, what):
    n, c, h, w = x.shape
    if what == "channels":
        return (n, c, 1, 1)
    if what == "positions":
        return (n, 1, h, w)
    return (n, c, h, w)


@right("recalibrate-logits")
def of_a_pooled_map(x, what):
    if what == "channels":
        return x.mean((2, 3), keepdim=True).shape
    return x.shape if what == "values" else x.mean(1, keepdim=True).shape


@wrong("recalibrate-logits", "channels-and-positions-exchanged")
def exchanged(x, what):
    return a_branch_each(x, {"channels": "positions", "positions": "channels"}.get(what, what))


@wrong("recalibrate-logits", "images-share-their-weights")
def one_for_all_images(x, what):
    return (1, *a_branch_each(x, what)[1:])


@wrong("recalibrate-logits", None)
def axes_left_out(x, what):
    n, c, h, w = x.shape
    return {"channels": (n, c), "positions": (n, h, w), "values": (n, c, h, w)}[what]


@wrong("recalibrate-logits", None)
def everything_for_every_value(x, what):
    return tuple(x.shape)
