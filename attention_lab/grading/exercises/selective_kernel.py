"""Lesson 05, selective kernels: branch-softmax, selective-kernel, which-reading, debug-sk."""

from collections.abc import Callable, Iterable
from itertools import combinations

import torch
from torch import Generator, Tensor, nn

from ..exercise import Check, Coding, Exercise, Misconception, Probe, instead, mistake, named, normal, steps
from ..properties import (
    between,
    gradients,
    images_apart,
    leaves_input_alone,
    parameters,
    repeatable,
    shape,
    sums_to_one,
    the_same_in_training,
    together,
    values,
)

SPLIT = "U_i = ReLU(BN(conv3x3 of dilation i (x))) (Li et al. 2019, section 3.1, split)"
FUSE = "U = U_1 + ... + U_M, s = average of U over its positions (Li et al. 2019, equations 1 and 2)"
HIDDEN = "z = ReLU(BN(W s)), with d = max(C / r, L) units (Li et al. 2019, equations 3 and 4)"
WEIGHTS = (
    "a_ic = exp(A_ic z) / sum_j exp(A_jc z): a sum of 1 over the branches i, for each channel c "
    "(Li et al. 2019, equation 5)"
)
SELECT = "V_c = a_1c U_1c + ... + a_Mc U_Mc (Li et al. 2019, equation 6)"


# branch-softmax


class BranchSoftmax:
    """A class of one step, because the block has the same step, and the same mistakes in it."""

    def normalise(self, logits: Tensor) -> Tensor:
        return logits.softmax(1)

    def __call__(self, logits: Tensor) -> Tensor:
        return self.normalise(logits)


def mixed(self: object, logits: Tensor) -> Tensor:
    return logits.reshape(len(logits), logits.shape[2], -1).softmax(-1).reshape(logits.shape)


def over_everything(self: object, logits: Tensor) -> Tensor:
    return logits.flatten(1).softmax(1).view_as(logits)


NORMALISERS = (
    mistake(
        "over-channels",
        "the softmax runs over the channels, not over the branches",
        "Who competes: the branches of one channel, or the channels of one branch? Which sums are 1?",
        steps(normalise=lambda self, logits: logits.softmax(2)),
    ),
    mistake(
        "over-everything",
        "one softmax over all branches and channels together: the weights of a channel sum to about 1/C",
        "What do the weights of one channel sum to?",
        steps(normalise=over_everything),
    ),
    mistake(
        "over-batch",
        "the softmax runs over the batch, so images compete with each other",
        "Can image 2 change the weights of image 1?",
        steps(normalise=lambda self, logits: logits.softmax(0)),
    ),
    mistake(
        "sigmoid-not-softmax",
        "a sigmoid judges each branch alone: the branches do not compete",
        "If the weight of one branch rises, must the other fall?",
        steps(normalise=lambda self, logits: logits.sigmoid()),
    ),
    mistake(
        "mixed-by-reshape",
        "a reshape does not move axes: numbers that lie side by side compete, not the branches of a channel",
        "What does each axis of (N, M, C) count, and what after your reshape?",
        steps(normalise=mixed),
        steps(normalise=lambda self, logits: logits.reshape(len(logits), logits.shape[2], -1).softmax(-1).mT),
    ),
    mistake(
        "winner-takes-all",
        "the branch with the largest score gets 1 and the others 0: where the winner stays the same, there is no slope",
        "What do the scores 2 and 1.9 become under a softmax, and what in your code? Can the scores learn?",
        steps(normalise=lambda self, logits: nn.functional.one_hot(logits.argmax(1), logits.shape[1]).mT.to(logits)),
    ),
    mistake(
        "divided-scores",
        "the scores are divided by a number before the softmax: the weights come out too equal",
        "Does equation 5 divide a score by anything before exp?",
        steps(normalise=lambda self, logits: (logits / logits.shape[1]).softmax(1)),
        steps(normalise=lambda self, logits: (logits / logits.shape[2]).softmax(1)),
        steps(normalise=lambda self, logits: (logits / logits.shape[2] ** 0.5).softmax(1)),
    ),
)


def shares_of(values: Tensor) -> Tensor:
    return values / values.sum(1, keepdim=True)


MODERATE = ("two branches", "four branches", "one image")  # scores in the thousands decide for ever: a slope of 0

BRANCH_SOFTMAX = Exercise(
    id="branch-softmax",
    forms=(BranchSoftmax(),),
    equation=WEIGHTS,
    probes={
        "two branches": Probe(lambda g: (2 * normal(g, 3, 2, 5),)),
        "four branches": Probe(lambda g: (normal(g, 2, 4, 3),)),
        "one image": Probe(lambda g: (normal(g, 1, 3, 7),)),
        "large": Probe(lambda g: (1e4 * normal(g, 2, 3, 4),)),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "values": Check(1, (sums_to_one("output", 1), values(), images_apart(), gradients(on=MODERATE))),
    },
    misconceptions=(
        *NORMALISERS,
        mistake(
            "not-normalised",
            "the exponentials are never divided by their sum",
            "What do your weights sum to?",
            instead(lambda logits: logits.exp()),
        ),
        mistake(
            "unstable",
            "the exponential of a large score overflows",
            "exp(10000) is inf. Which function of torch, or of lesson 01, takes care of that?",
            instead(lambda logits: shares_of(logits.exp())),
            equation="exp(s_i - m) / sum_j exp(s_j - m) is the same for every m: take m = max_j s_j",
        ),
        mistake(
            "scores-cut-off",
            "large scores are cut off before exp, so a branch with 9000 and one with 5000 share equally",
            "Which branch should win, the one with 9000 or the one with 5000? What can you subtract from all branches instead?",
            instead(lambda logits: shares_of(logits.clamp(max=80).exp())),
            instead(lambda logits: shares_of(logits.clamp(-80, 80).exp())),
            instead(lambda logits: logits.clamp(max=80).softmax(1)),
            equation="exp(s_i - m) / sum_j exp(s_j - m) is the same for every m: take m = max_j s_j",
        ),
        mistake(
            "sigmoid-shares",
            "each sigmoid is divided by their sum: the sums are 1, but a softmax divides exponentials",
            "Which function stands above and below the line in equation 5? Where does it end for large scores, and where does a sigmoid?",
            instead(lambda logits: shares_of(logits.sigmoid())),
        ),
        mistake(
            "no-exponential",
            "the scores themselves are divided by their sum, not their exponentials: weights can be negative or above 1",
            "What are your weights for the scores 2 and -1? Which function makes every number positive?",
            instead(lambda logits: shares_of(logits)),
        ),
        mistake(
            "two-only",
            "a sigmoid of the difference is the softmax of two: any further branch is lost",
            "How many branches can the logits have?",
            instead(lambda logits: torch.stack([(a := (logits[:, 0] - logits[:, 1]).sigmoid()), 1 - a], 1)),
        ),
        mistake(
            "uniform",
            "every branch has the weight 1/M, whatever the scores say",
            "What should a large score change?",
            instead(lambda logits: torch.full_like(logits, 1 / logits.shape[1])),
        ),
    ),
    hints=(
        "The axes are image, branch, channel. Along which one do the competitors stand?",
        r"""
        $a_{nmc} = \dfrac{\exp(\ell_{nmc})}{\sum_{j=1}^{M} \exp(\ell_{njc})}$: logits and weights are `(N, M, C)`, and
        the sum over `M` has shape `(N, C)` and is 1 everywhere.
        """,
        """
        ```
        return the softmax of logits along the axis of the branches
        ```
        """,
    ),
)


# selective-kernel


class Block(nn.Module):
    """The right answer in steps: first those that build it, then split, fuse and select."""

    biased: tuple[str, ...] = ()

    def __init__(self, channels: int, branches: int = 2, reduction: int = 16, groups: int = 32, min_width: int = 32):
        super().__init__()
        width = self.width(channels, reduction, min_width)
        self.branches = nn.ModuleList(self.branch(channels, groups, reach) for reach in self.reaches(branches))
        self.reduce = nn.Sequential(self.linear("hidden", channels, width), *self.after_hidden(width))
        self.score = self.score_layer(channels, width)

    def width(self, channels: int, reduction: int, least: int) -> int:
        return max(channels // reduction, least)

    def reaches(self, branches: int) -> Iterable[int]:
        return range(1, branches + 1)

    def window(self, reach: int) -> dict[str, int]:
        return {"kernel_size": 3, "padding": reach, "dilation": reach}

    def grouped(self, groups: int, reach: int) -> int:
        return groups

    def norm(self, kind: type[nn.Module], width: int) -> nn.Module:
        return kind(width)

    def after_convolution(self, channels: int) -> tuple[nn.Module, ...]:
        return self.norm(nn.BatchNorm2d, channels), nn.ReLU()

    def after_hidden(self, width: int) -> tuple[nn.Module, ...]:
        return self.norm(nn.BatchNorm1d, width), nn.ReLU()

    def branch(self, channels: int, groups: int, reach: int) -> nn.Module:
        options = {"groups": self.grouped(groups, reach), "bias": "convolution" in self.biased}
        convolution = nn.Conv2d(channels, channels, **self.window(reach), **options)
        return nn.Sequential(convolution, *self.after_convolution(channels))

    def linear(self, name: str, inputs: int, outputs: int) -> nn.Module:
        return nn.Linear(inputs, outputs, bias=name in self.biased)

    def score_layer(self, channels: int, width: int) -> nn.Module:
        return self.linear("score", width, len(self.branches) * channels)

    def split(self, x: Tensor) -> list[Tensor]:
        return [branch(x) for branch in self.branches]

    def fuse(self, x: Tensor, features: list[Tensor]) -> Tensor:
        return sum(features)

    def squeeze(self, fused: Tensor) -> Tensor:
        return fused.mean((2, 3))

    def hidden(self, squeezed: Tensor) -> Tensor:
        return self.reduce(squeezed)

    def logits(self, z: Tensor) -> Tensor:
        return self.score(z).unflatten(1, (len(self.branches), -1))

    def normalise(self, logits: Tensor) -> Tensor:
        return logits.softmax(1)

    def combine(self, weights: Tensor, features: list[Tensor]) -> Tensor:
        return sum(weight * feature for weight, feature in zip(weights.unbind(1), features))

    def attend(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = self.split(x)
        z = self.hidden(self.squeeze(self.fuse(x, features)))
        return self.normalise(self.logits(z))[:, :, :, None, None], features

    def weights(self, x: Tensor) -> Tensor:
        return self.attend(x)[0]

    def forward(self, x: Tensor) -> Tensor:
        return self.combine(*self.attend(x))


LAYERS = ("convolution", "hidden", "score")
LARGER_KERNELS = steps(window=lambda self, reach: {"kernel_size": 2 * reach + 1, "padding": reach})
NOT_SUMMED = (
    "not-summed",
    "the weighted branches are laid side by side, not added: M C channels come out",
    "How many channels should come out? What does equation 6 do with the branches?",
)


def side_by_side(self: Block, weights: Tensor, features: list[Tensor]) -> Tensor:
    return torch.cat([weight * feature for weight, feature in zip(weights.unbind(1), features)], 1)


def two_built(right: type[Block]) -> type[Block]:
    """Two branches, but scores for as many as the argument says."""

    class Wrong(right):
        def __init__(self, channels: int, branches: int = 2, *others: int):
            super().__init__(channels, branches, *others)
            self.branches = self.branches[:2]

        def logits(self, z: Tensor) -> Tensor:
            return self.score(z).unflatten(1, (-1, self.branches[0][0].out_channels))

        def combine(self, weights: Tensor, features: list[Tensor]) -> Tensor:
            return (weights * torch.stack(features, 1)).sum(1)

    return Wrong


def relu_first(self: Block, channels: int) -> tuple[nn.Module, ...]:
    return nn.ReLU(), self.norm(nn.BatchNorm2d, channels)


def hidden_relu_first(self: Block, width: int) -> tuple[nn.Module, ...]:
    return nn.ReLU(), self.norm(nn.BatchNorm1d, width)


def product(self: Block, x: Tensor, features: list[Tensor]) -> Tensor:
    return torch.stack(features).prod(0)


def sum_weighted(self: Block, weights: Tensor, features: list[Tensor]) -> Tensor:
    return (weights * sum(features)[:, None]).sum(1)


def convolutions_weighted(self: Block, x: Tensor) -> Tensor:
    return self.combine(self.attend(x)[0], [branch[0](x) for branch in self.branches])


def scores_cut(*branches: int) -> steps:
    """The scores of these branches, of all where none is named, go through a ReLU."""

    def logits(self: Block, z: Tensor) -> Tensor:
        scores = self.score(z).unflatten(1, (len(self.branches), -1)).unbind(1)
        return torch.stack([s.relu() if i in branches or not branches else s for i, s in enumerate(scores)], 1)

    return steps(logits=logits)


BLOCK_MISTAKES = (
    mistake(
        "branches-ignored",
        "there are always two branches, whatever the argument says",
        "Where does your __init__ read branches?",
        steps(reaches=lambda self, branches: (1, 2)),
        two_built,
        equation=SPLIT,
    ),
    mistake(
        "groups-ignored",
        "the convolutions are not grouped",
        "How many input channels does one filter see with G groups?",
        steps(grouped=lambda self, groups, reach: 1),
        equation="9 C^2 / G weights a branch (Li et al. 2019, section 3.1)",
    ),
    mistake(
        "width-ignored",
        "the hidden layer has C / r units, however few that is",
        "How many units for C = 64, r = 16 and L = 32?",
        steps(width=lambda self, channels, reduction, least: channels // reduction),
        equation=HIDDEN,
    ),
    mistake(
        "smaller-width",
        "the hidden layer takes the smaller of C / r and L, not the larger",
        "L is the least number of units. Which of two numbers is never below L?",
        steps(width=lambda self, channels, reduction, least: min(channels // reduction, least)),
        equation=HIDDEN,
    ),
    mistake(
        "rounded-up",
        "C / r is rounded to a whole number that can be above it, where // always goes down",
        "What is 24 // 5, and what does your code make of C = 24 and r = 5?",
        steps(width=lambda self, channels, reduction, least: max(-(-channels // reduction), least)),
        equation="d = max(C // r, L): 24 // 5 is 4",
    ),
    mistake(
        "reduction-ignored",
        "reduction is fixed at 16, whatever the argument says",
        "Where does your __init__ read reduction?",
        steps(width=lambda self, channels, reduction, least: max(channels // 16, least)),
        equation=HIDDEN,
    ),
    mistake(
        "same-kernels",
        "all branches have the same dilation: there is nothing to choose between",
        "How far does branch 2 see, and how far branch 1?",
        steps(reaches=lambda self, branches: [1] * branches),
        equation=SPLIT,
    ),
    mistake(
        "doubled-dilations",
        "the dilation doubles from branch to branch: 1, 2, 4, where 1, 2, 3 was asked for",
        "Which dilation does branch 3 have in your code, and which in the statement?",
        steps(reaches=lambda self, branches: [2**i for i in range(branches)]),
    ),
    mistake(
        "odd-dilations",
        "the dilations are 1, 3, 5, where 1, 2, 3 was asked for",
        "Which dilation does branch 2 have in your code, and which in the statement?",
        steps(reaches=lambda self, branches: range(1, 2 * branches, 2)),
        equation=SPLIT,
    ),
    mistake(
        "dilation-from-zero",
        "the first branch has dilation 0",
        "What does range(branches) begin with? Which dilation is an ordinary 3x3 convolution?",
        steps(reaches=lambda self, branches: range(branches)),
        equation=SPLIT,
    ),
    mistake(
        "padding-not-dilated",
        "the padding does not follow the dilation: the branches' maps differ in size",
        "How many pixels does a 3x3 kernel of dilation 2 reach beyond its centre?",
        steps(window=lambda self, reach: {"kernel_size": 3, "padding": 1, "dilation": reach}),
        steps(
            window=lambda self, reach: {"kernel_size": 3, "padding": 1, "dilation": reach},
            fuse=lambda self, x, features: torch.stack(features).sum(0),
        ),
        equation="a 3x3 kernel of dilation d keeps the size with padding d",
    ),
    mistake(
        "larger-kernels",
        "branch 2 has a true 5x5 kernel, where a dilated 3x3 was asked for",
        "How many weights has a 5x5 kernel, and how many a 3x3 of dilation 2?",
        LARGER_KERNELS,
        equation=SPLIT,
    ),
    mistake(
        "biases",
        "a layer has a bias, which the statement excludes",
        "Which layers were built without bias=False? What does the BN after a convolution do to a bias?",
        *(steps(biased=layers) for number in (1, 2, 3) for layers in combinations(LAYERS, number)),
        equation="no layer but BN has a bias",
    ),
    mistake(
        "bare-branches",
        "BN or ReLU is missing after the branches' convolutions",
        "What follows each convolution in the figure of the paper?",
        steps(after_convolution=lambda self, channels: (nn.BatchNorm2d(channels),)),
        steps(after_convolution=lambda self, channels: (nn.ReLU(),)),
        steps(after_convolution=lambda self, channels: ()),
        equation=SPLIT,
    ),
    mistake(
        "relu-before-bn",
        "a ReLU comes before its BN, where it should come after",
        "In ReLU(BN(W s)), which of the two sees W s first? Can the result of yours be negative?",
        steps(after_hidden=hidden_relu_first),
        steps(after_convolution=relu_first),
        steps(after_convolution=relu_first, after_hidden=hidden_relu_first),
        equation=HIDDEN,
    ),
    mistake(
        "scores-cut",
        "the scores go through a ReLU: a branch cannot get less than the score 0",
        "What follows the layers A_1 ... A_M in equation 5? Which score says *not this branch*?",
        scores_cut(),
    ),
    mistake(
        "no-bn-relu",
        "the hidden layer has no BN and no ReLU: two linear maps in a row are one",
        "What stands between W and the layers of the branches?",
        steps(after_hidden=lambda self, width: ()),
        equation=HIDDEN,
    ),
    mistake(
        "no-hidden-bn",
        "the hidden layer has no BN",
        "What does equation 3 apply between W s and the ReLU?",
        steps(after_hidden=lambda self, width: (nn.ReLU(),)),
        equation=HIDDEN,
    ),
    mistake(
        "no-hidden-relu",
        "the hidden layer has no ReLU: two linear maps in a row are one",
        "Can z be negative? What can two matrices do that one cannot?",
        steps(after_hidden=lambda self, width: (nn.BatchNorm1d(width),)),
        equation=HIDDEN,
    ),
    mistake(
        "one-score-for-all",
        "all branches get the same scores, so every weight is 1/M",
        "How many scores does one channel need when M branches compete?",
        steps(
            score_layer=lambda self, channels, width: self.linear("score", width, channels),
            logits=lambda self, z: self.score(z)[:, None].expand(-1, len(self.branches), -1),
        ),
    ),
    mistake(
        "batch-statistics",
        "BN uses the statistics of the batch in evaluation mode too",
        "Does BN keep running statistics? What does it do after model.eval()?",
        steps(norm=lambda self, kind, width: kind(width, track_running_stats=False)),
        equation="in evaluation mode BN normalises by its running mean and variance",
    ),
    mistake(
        "one-branch-fused",
        "only one branch is squeezed: the others have no say in the weights",
        "Which maps does equation 1 add before the squeeze?",
        steps(fuse=lambda self, x, features: features[0]),
        equation=FUSE,
    ),
    mistake(
        "two-branches-fused",
        "only the first two branches are added before the squeeze: further ones have no say in the weights",
        "Which maps does equation 1 add when there are three branches?",
        steps(fuse=lambda self, x, features: features[0] + features[1]),
        equation=FUSE,
    ),
    mistake(
        "branches-multiplied",
        "the branches are multiplied before the squeeze, where they should be added",
        "Which operation joins the branches in equation 1? What is left where one of them is 0?",
        steps(fuse=product),
        equation=FUSE,
    ),
    mistake(
        "x-fused",
        "the squeeze is taken of x: it does not know what the branches saw",
        "Which map does equation 2 average?",
        steps(fuse=lambda self, x, features: x),
        equation=FUSE,
    ),
    mistake(
        "branches-averaged",
        "the branches are averaged before the squeeze, where they should be added",
        "Which operation joins the branches in equation 1?",
        steps(fuse=lambda self, x, features: sum(features) / len(features)),
        equation=FUSE,
    ),
    mistake(
        "summed-squeeze",
        "the squeeze adds up positions and does not divide by all H W of them",
        "Would an image of twice the size have the same squeeze?",
        steps(squeeze=lambda self, fused: fused.sum((2, 3))),
        steps(squeeze=lambda self, fused: fused.sum(2).mean(2)),
        steps(squeeze=lambda self, fused: fused.mean(2).sum(2)),
        equation=FUSE,
    ),
    mistake(
        "max-squeeze",
        "max pooling where the squeeze is an average",
        "Which pooling does equation 2 use?",
        steps(squeeze=lambda self, fused: fused.amax((2, 3))),
        equation=FUSE,
    ),
    *NORMALISERS,
    mistake(
        "weights-shape",
        "the block is right, but weights(x) has shape (N, M, C): the figures and the checks need (N, M, C, 1, 1)",
        "Which shape broadcasts against (N, M, C, H, W)?",
        steps(weights=lambda self, x: self.attend(x)[0].flatten(2)),
    ),
    mistake(
        "fused-map-weighted",
        "the weights multiply the sum of the branches, not each branch: as they sum to 1, nothing is selected",
        "What does each weight multiply? With weights 1 and 0, which branch should come out?",
        steps(combine=sum_weighted),
        equation=SELECT,
    ),
    mistake(
        "x-fused-sum-weighted",
        "the squeeze is taken of x; and the weights multiply the sum of the branches, not each branch",
        "Which map does equation 2 average? With weights 1 and 0, which branch should come out?",
        steps(fuse=lambda self, x, features: x, combine=sum_weighted),
        equation=SELECT,
    ),
    mistake(
        "x-weighted",
        "the weights multiply x, not the branches: as they sum to 1, x comes out",
        "What does each weight multiply in equation 6?",
        steps(forward=lambda self, x: (self.weights(x) * x[:, None]).sum(1)),
        equation=SELECT,
    ),
    mistake(
        "convolutions-weighted",
        "the weights multiply the bare convolutions: BN and ReLU of the branches are lost on the way out",
        "Where does U_i in equation 6 come from, and what has been done to it there?",
        steps(forward=convolutions_weighted),
        equation=SELECT,
    ),
    mistake(*NOT_SUMMED, steps(combine=side_by_side), equation=SELECT),
    mistake(
        "mean-not-sum",
        "the weighted branches are averaged, so they are divided by M once more",
        "The weights already sum to 1. What does mean divide by?",
        steps(combine=lambda self, weights, features: (weights * torch.stack(features, 1)).mean(1)),
        equation=SELECT,
    ),
    mistake(
        "weights-swapped",
        "the weights meet the wrong branches",
        "Which branch does weights[:, 0] belong to? And in forward?",
        steps(combine=lambda self, weights, features: (weights.flip(1) * torch.stack(features, 1)).sum(1)),
        equation=SELECT,
    ),
    mistake(
        "residual-inside",
        "x is added inside the block",
        "The block takes the place of a convolution. Who adds x in a residual unit?",
        steps(forward=lambda self, x: x + self.combine(*self.attend(x))),
        equation=SELECT,
    ),
)

SELECTIVE_KERNEL = Exercise(
    id="selective-kernel",
    forms=(Block,),
    records=("weights", "output"),
    equation=WEIGHTS,
    probes={
        "two branches": Probe(lambda g: (0.3 + normal(g, 2, 24, 7, 9),), build=(24, 2, 5, 3, 3)),
        "three branches": Probe(lambda g: (0.3 + normal(g, 1, 8, 8, 6),), build=(8, 3, 2, 2, 3)),
        "defaults": Probe(lambda g: (0.3 + normal(g, 3, 32, 6, 5),), build=(32,)),
    },
    checks={
        "shapes": Check(1, (shape("weights"), shape("output"), leaves_input_alone())),
        "parameters": Check(1, (parameters(),)),
        "weights": Check(2, (between(0, 1, "weights"), sums_to_one("weights", 1), values("weights"))),
        "values": Check(
            3, (values("output"), together("weights", "output"), images_apart(), repeatable(), the_same_in_training())
        ),
        "gradients": Check(1, (gradients(),)),
    },
    misconceptions=BLOCK_MISTAKES,
    hints=(
        """
        Split, fuse, select: M convolutions look at `x`; their sum becomes M scores for each channel; the scores decide
        how much of each convolution comes out.
        """,
        r"""
        $U_i$: `(N, C, H, W)` for $i = 1 \dots M$. $s$ = average of $U_1 + \dots + U_M$: `(N, C)`.
        $z = \mathrm{ReLU}(\mathrm{BN}(W s))$: `(N, d)` with $d = \max(C // r, L)$. Scores $A z$: `(N, M C)`, read as
        `(N, M, C)`. Softmax over `M`, then $V = \sum_i a_i U_i$: `(N, C, H, W)`.
        """,
        """
        ```
        __init__: d = the larger of channels // reduction and min_width
                  for i = 1 ... branches: a 3x3 convolution with dilation i, padding i, groups; BN; ReLU
                  keep them in an nn.ModuleList
                  a linear layer from channels to d, BN, ReLU; a linear layer from d to branches * channels
        weights:  s = average over height and width of the sum of the branches
                  logits = second layer of (first layer of s), as (N, branches, channels)
                  return branch_softmax of logits, with two new axes at the end
        forward:  return the sum over branches of weight times branch of x
        ```
        """,
    ),
)


# which-reading

READING = (
    "softmax over i of scores[i C + c] if branches lie behind one another, of scores[c M + i] if channels do "
    "(i = 0 ... M - 1, c = 0 ... C - 1)"
)


class Reading:
    """Tries the reading of branches behind one another, and takes the other if it does not fit."""

    def read(self, scores: Tensor, weights: Tensor) -> Tensor:
        return scores.view(weights.shape)

    def normalise(self, logits: Tensor) -> Tensor:
        return logits.softmax(1)

    def fits(self, made: Tensor, weights: Tensor) -> bool:
        return torch.allclose(made, weights, atol=1e-3)

    def told(self, fits: bool) -> str:
        return "branches" if fits else "channels"

    def __call__(self, scores: Tensor, weights: Tensor) -> str:
        return self.told(self.fits(self.normalise(self.read(scores, weights)), weights))


class OtherReading(Reading):
    """Tries the reading of channels behind one another: the same, until numbers are compared too strictly."""

    def read(self, scores: Tensor, weights: Tensor) -> Tensor:
        return scores.view(len(weights), weights.shape[2], weights.shape[1]).transpose(1, 2)

    def told(self, fits: bool) -> str:
        return "channels" if fits else "branches"


READINGS = {"branches": Reading(), "channels": OtherReading()}


def scored(word: str, images: int, branches: int, channels: int, decimals: int | None = None) -> Callable:
    """Scores and the weights that one of the readings made of them; no two scores of an image are nearly equal."""

    def inputs(g: Generator) -> tuple[Tensor, Tensor]:
        places = torch.stack([torch.randperm(branches * channels, generator=g) for _ in range(images)])
        scores = (places + 0.5 * torch.rand(places.shape, generator=g)).double() / branches / channels
        scores = 3 * scores + normal(g, images, 1)
        reading = READINGS[word]
        weights = reading.normalise(reading.read(scores, torch.empty(images, branches, channels)))
        return scores, weights if decimals is None else weights.round(decimals=decimals)

    return inputs


def nearly(word: str, *scores: float) -> Callable:
    """One image, two branches, two channels: scores whose two readings give weights that differ by about 0.04."""

    def inputs(g: Generator) -> tuple[Tensor, Tensor]:
        noisy = torch.tensor([scores], dtype=torch.float64) + 0.01 * torch.rand(1, 4, generator=g, dtype=torch.float64)
        return noisy, READINGS[word].normalise(READINGS[word].read(noisy, torch.empty(1, 2, 2)))

    return inputs


def tells(points: int, *on: str) -> Check:
    return Check(points, (values(name="reading", on=on), leaves_input_alone()))


SAME_WINNERS, NEARLY_EVEN = (2.2, 1.2, 1.0, 0.0), (0.0, 0.08, -0.08, 0.0)

READING_PROBES = {
    "branches": Probe(scored("branches", 3, 2, 5)),
    "channels": Probe(scored("channels", 3, 2, 5)),
    "as many branches as channels": Probe(scored("branches", 2, 3, 3)),
    "one image": Probe(scored("channels", 1, 4, 8)),
    "same winners, branches": Probe(nearly("branches", *SAME_WINNERS)),
    "same winners, channels": Probe(nearly("channels", *SAME_WINNERS)),
    "nearly even, branches": Probe(nearly("branches", *NEARLY_EVEN)),
    "nearly even, channels": Probe(nearly("channels", *NEARLY_EVEN)),
    "many images, branches": Probe(scored("branches", 64, 2, 64)),
    "many images, channels": Probe(scored("channels", 64, 2, 64)),
    "branches, rounded": Probe(scored("branches", 4, 2, 6, decimals=4)),
    "channels, rounded": Probe(scored("channels", 2, 3, 4, decimals=4)),
    "many images, branches, rounded": Probe(scored("branches", 64, 2, 64, decimals=4)),
    "many images, channels, rounded": Probe(scored("channels", 64, 2, 64, decimals=4)),
}


def correlation(made: Tensor, weights: Tensor) -> Tensor:
    return torch.corrcoef(torch.stack([made.flatten(), weights.flatten()]))[0, 1]


def compared(fits: Callable[[Tensor, Tensor], bool]) -> tuple[Coding, Coding]:
    """Such a comparison, in an answer that tries the one reading first and in one that tries the other."""
    loose = steps(fits=lambda self, made, weights: fits(made, weights))
    return loose, instead(loose(OtherReading()))


WHICH_READING = Exercise(
    id="which-reading",
    forms=(Reading(),),
    words=("branches", "channels"),
    equation=READING,
    probes=READING_PROBES,
    checks={
        "exact": tells(2, *(name for name in READING_PROBES if "rounded" not in name)),
        "rounded": tells(1, *(name for name in READING_PROBES if "rounded" in name)),
    },
    misconceptions=(
        mistake(
            "always-branches",
            'the answer is always "branches": what you test holds for both readings, or is never tested',
            "Do the weights sum to 1 in both readings? Which of your lines gives another result for the other one?",
            instead(lambda scores, weights: "branches"),
        ),
        mistake(
            "always-channels",
            'the answer is always "channels": what you test holds for neither reading, or is never tested',
            "Which softmax did the block take, and over which axis? Do you compare like with like?",
            instead(lambda scores, weights: "channels"),
        ),
        mistake(
            "words-exchanged",
            "the two words are exchanged",
            "In view(N, M, C), whose scores come first in a row: all of branch 1, or all of channel 1?",
            steps(told=lambda self, fits: "channels" if fits else "branches"),
        ),
        mistake(
            "too-strict",
            "nearly equal numbers count as different: rounding has moved them a little",
            "How far from the true weight can a weight be that is rounded to four decimals? And if you round yourself: what "
            "do 0.12499 and 0.12501 become with two?",
            *compared(lambda made, weights: torch.allclose(made, weights)),
            *compared(lambda made, weights: torch.equal(made.round(decimals=2), weights.round(decimals=2))),
            *compared(lambda made, weights: torch.equal(made.round(decimals=3), weights.round(decimals=3))),
            *compared(lambda made, weights: torch.equal(made.round(decimals=4), weights)),
            equation="rounded to four decimals: at most 0.00005 away",
        ),
        mistake(
            "winners-compared",
            "only the winners or the ups and downs are compared: both readings can agree in those",
            "Can two sets of weights have the same largest branch and yet be different numbers?",
            *compared(lambda made, weights: bool((made.argmax(1) == weights.argmax(1)).all())),
            *compared(lambda made, weights: bool(correlation(made, weights) > 0.9)),
        ),
        mistake(
            "too-loose",
            "numbers that are not near to each other pass as equal: weights of the other reading pass too",
            "Rounded to four decimals, how far can a weight be from the true one? How far does yours let it be?",
            *compared(lambda made, weights: bool((made - weights).abs().max() < 0.1)),
            *compared(lambda made, weights: bool((made - weights).abs().mean() < 0.05)),
            equation="rounded to four decimals: at most 0.00005 away",
        ),
        mistake(
            "any-for-all",
            "one place where the numbers agree is enough: among many, some agree by chance",
            "In how many places must the weights be equal, any or all?",
            *compared(lambda made, weights: bool(((made - weights).abs() < 1e-3).any())),
        ),
    ),
    hints=(
        """
        Be the block: make weights of the scores yourself, by one reading or by both. Which result are the weights that
        you were given?
        """,
        r"""
        `scores.view(N, M, C)`, softmax over axis 1: `(N, M, C)`. `scores.view(N, C, M)`, softmax over axis 2, axes 1 and
        2 exchanged: `(N, M, C)`. One of them is nearer than $10^{-3}$ to `weights` everywhere.
        """,
        """
        ```
        made = branch_softmax of scores, viewed in the shape of weights
        if made and weights are equal up to 0.001 everywhere: "branches"
        otherwise: "channels"
        ```
        """,
    ),
)


# debug-sk


def repaired(form: type[Block], dilated: bool) -> type[nn.Module]:
    """The tutorial's class: a true 5x5 kernel or a dilated 3x3, both are right."""

    class Repaired(form):
        biased = LAYERS

        def __init__(self, in_channels: int, G: int = 32, L: int = 32, r: int = 16):
            super().__init__(in_channels, 2, r, G, L)

    return Repaired if dilated else LARGER_KERNELS(Repaired)


def without_r(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(right):
        def __init__(self, in_channels, G, L=32):
            super().__init__(in_channels, G, L)

    return Wrong


def without_r_but_with_defaults(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(right):
        def __init__(self, in_channels, G=32, L=32):
            super().__init__(in_channels, G, L)

    return Wrong


def undefined(name: str):
    """A step that stops at a name without a value."""

    def step(self, *_):
        raise NameError(f"name '{name}' is not defined")

    return step


def also_bare(*mistakes: Misconception) -> tuple[Misconception, ...]:
    """Mistakes of the tutorial, each alone and beside its bare hidden layer: a learner may repair in any order."""

    def bare(alone: Misconception) -> Misconception:
        return mistake(
            alone.id,
            f"{alone.name}; and the hidden layer lacks what must follow it",
            f"{alone.question} And what does equation 3 apply to W s?",
            *(steps(**coding.other, after_hidden=lambda self, width: ()) for coding in alone.codings),
            equation=alone.equation,
        )

    return tuple(one for alone in mistakes for one in (alone, bare(alone)))


def window(size: int, dilation: int) -> dict[str, int]:
    return {"kernel_size": size, "padding": dilation * (size // 2), "dilation": dilation}


def without_relu(number: int) -> Coding:
    """Without the ReLU of this branch."""

    def coding(right: type[Block]) -> type[Block]:
        class Wrong(right):
            def __init__(self, *given: int):
                super().__init__(*given)
                self.branches[number] = self.branches[number][:2]

        return Wrong

    return coding


DEBUG_SK = Exercise(
    id="debug-sk",
    forms=(repaired(Block, False), repaired(Block, True)),
    equation=WEIGHTS,
    free_biases=True,
    probes={
        "small": Probe(lambda g: (0.3 + normal(g, 2, 24, 7, 9),), build=(24, 3, 5, 4)),
        "defaults": Probe(lambda g: (0.3 + normal(g, 3, 32, 6, 5),), build=(32,)),
        "one image": Probe(lambda g: (0.3 + normal(g, 1, 12, 5, 8),), build=(12, 2, 4, 2)),
    },
    checks={
        "runs": Check(1, (shape("output"),)),
        "parameters": Check(1, (parameters(),)),
        "values": Check(3, (values("output"), images_apart(), gradients(), leaves_input_alone())),
    },
    misconceptions=(
        mistake(
            "r-missing",
            "r is used, but it is no argument of the class",
            "Where should r come from, and what is its default?",
            without_r,
            without_r_but_with_defaults,
            lambda right: steps(width=undefined("r"))(without_r_but_with_defaults(right)),
            equation=HIDDEN,
        ),
        mistake(
            "size-unknown",
            "the pooling needs the size WH of the map, which nobody gave",
            "Which pooling of torch is told the size of its output instead?",
            steps(__init__=undefined("WH")),
            equation=FUSE,
        ),
        *also_bare(
            mistake(
                "linear-on-a-map",
                "the linear layer receives (N, C, 1, 1), not (N, C)",
                "Which axis does nn.Linear work on? Which axes must go first?",
                steps(squeeze=lambda self, fused: fused.mean((2, 3), keepdim=True)),
                equation=FUSE,
            ),
            mistake(
                "flat-weights",
                "weights of shape (N, 2 C) do not broadcast against a map (N, 2 C, H, W)",
                "Which axes are missing in the weights?",
                steps(combine=lambda self, weights, features: weights.flatten(1) * torch.cat(features, 1)),
                steps(combine=lambda self, weights, features: torch.cat(features, 1) * weights.flatten(1)),
                equation=SELECT,
            ),
            mistake(
                *NOT_SUMMED,
                steps(combine=side_by_side, normalise=over_everything),
                steps(combine=side_by_side),
                equation=SELECT,
            ),
            *named(NORMALISERS, "over-everything", "over-channels", "sigmoid-not-softmax"),
        ),
        *named(BLOCK_MISTAKES, "no-bn-relu", "no-hidden-bn", "no-hidden-relu"),
        mistake(
            "not-grouped",
            "a convolution has no groups",
            "Which arguments does each convolution of the tutorial have?",
            steps(grouped=lambda self, groups, reach: groups if reach == 1 else 1),
            steps(grouped=lambda self, groups, reach: 1),
            equation="9 C^2 / G or 25 C^2 / G weights a branch",
        ),
        mistake(
            "second-window",
            "the second branch does not look through a 5x5 window: a 3x3 kernel needs dilation 2, a 5x5 kernel needs none",
            "How far apart are the outermost pixels that branch 2 sees, and how far those of branch 1?",
            steps(window=lambda self, reach: {"kernel_size": 3, "padding": 1}),
            steps(window=lambda self, reach: window(2 * reach + 1, reach)),
            equation=SPLIT,
        ),
        mistake(
            "one-branch-without-relu",
            "one of the two branches has no ReLU",
            "What follows each convolution of the tutorial?",
            without_relu(0),
            without_relu(1),
            equation=SPLIT,
        ),
        mistake(
            "width-exchanged",
            "L and r are exchanged: the width is max(C / L, r)",
            "Which of the two is the least number of units, and which divides C?",
            steps(width=lambda self, channels, reduction, least: max(channels // least, reduction)),
            equation=HIDDEN,
        ),
        mistake(
            "scores-cut",
            "scores go through a ReLU: a branch cannot get less than the score 0",
            "What follows the two score layers in equation 5? Which score says *not this branch*?",
            scores_cut(),
            scores_cut(0),
            scores_cut(1),
        ),
        *named(BLOCK_MISTAKES, "smaller-width", "relu-before-bn", "x-fused"),
        *named(BLOCK_MISTAKES, "one-branch-fused", "fused-map-weighted", "max-squeeze"),
    ),
    hints=(
        """
        Run the module: the error shows the line that stopped. Repair that line, run again. When nothing stops any more,
        compare every line with the table of section 2: three mistakes stay silent.
        """,
        r"""
        Shapes: $U$: `(N, C, H, W)` -> average -> `(N, C)` -> layer, BN, ReLU -> $z$: `(N, d)` -> two layers -> two times
        `(N, C)` -> stacked `(N, 2, C)` -> softmax over the axis of size 2 -> weights.
        The output is $a U_1 + b U_2$: `(N, C, H, W)`. Which sums must be 1?
        """,
        """
        ```
        u1 = small convolution of x;  u2 = large convolution of x
        s  = average of u1 + u2 over height and width, as (N, C)
        z  = ReLU of BN of fc of s
        scores = first and second layer of z, stacked as (N, 2, C)
        a, b   = softmax of scores over the axis of size 2, each as (N, C, 1, 1)
        return a times u1 plus b times u2
        ```
        """,
    ),
)

EXERCISES = (BRANCH_SOFTMAX, SELECTIVE_KERNEL, WHICH_READING, DEBUG_SK)
