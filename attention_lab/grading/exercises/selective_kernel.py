"""Lesson 05, selective kernels: branch-softmax, selective-kernel, debug-sk."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from ...mechanisms import SelectiveKernel, branch_softmax
from ..exercise import Check, Exercise, Misconception, Probe, normal
from ..properties import (
    between,
    gradients,
    images_apart,
    leaves_input_alone,
    parameters,
    repeatable,
    shape,
    sums_to_one,
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

OVER_CHANNELS = Misconception(
    "over-channels",
    "the softmax runs over the channels, not over the branches",
    "Who competes: the branches of one channel, or the channels of one branch? Which sums are 1?",
    WEIGHTS,
    lambda right: lambda logits: logits.softmax(2),
)
OVER_EVERYTHING = Misconception(
    "over-everything",
    "one softmax over all branches and channels together: the weights of a channel sum to about 1/C",
    "What do the weights of one channel sum to?",
    WEIGHTS,
    lambda right: lambda logits: logits.flatten(1).softmax(1).view_as(logits),
)
OVER_BATCH = Misconception(
    "over-batch",
    "the softmax runs over the batch, so images compete with each other",
    "Can image 2 change the weights of image 1?",
    WEIGHTS,
    lambda right: lambda logits: logits.softmax(0),
)
SIGMOID = Misconception(
    "sigmoid-not-softmax",
    "a sigmoid judges each branch alone: the branches do not compete",
    "If the weight of one branch rises, must the other fall?",
    WEIGHTS,
    lambda right: lambda logits: logits.sigmoid(),
)
NORMALISERS = (OVER_CHANNELS, OVER_EVERYTHING, OVER_BATCH, SIGMOID)

MODERATE = ("two branches", "four branches", "one image")  # scores in the thousands decide for ever: a slope of 0

BRANCH_SOFTMAX = Exercise(
    id="branch-softmax",
    forms=(branch_softmax,),
    probes={
        "two branches": Probe(lambda g: (2 * normal(g, 3, 2, 5),)),
        "four branches": Probe(lambda g: (normal(g, 2, 4, 3),)),
        "one image": Probe(lambda g: (normal(g, 1, 3, 7),)),
        "large": Probe(lambda g: (1e4 * normal(g, 2, 3, 4),)),
    },
    checks={
        "shape": Check(1, (shape(), leaves_input_alone())),
        "values": Check(
            2,
            (sums_to_one("output", 1), values(), images_apart(), gradients(on=MODERATE)),
        ),
    },
    misconceptions=NORMALISERS
    + (
        Misconception(
            "not-normalised",
            "the exponentials are never divided by their sum",
            "What do your weights sum to?",
            WEIGHTS,
            lambda right: lambda logits: logits.exp(),
        ),
        Misconception(
            "unstable",
            "the exponential of a large score overflows",
            "exp(10000) is inf. Which function of torch, or of lesson 01, takes care of that?",
            "exp(s_i - m) / sum_j exp(s_j - m) is the same for every m: take m = max_j s_j",
            lambda right: lambda logits: logits.exp() / logits.exp().sum(1, keepdim=True),
        ),
        Misconception(
            "uniform",
            "every branch has the weight 1/M, whatever the scores say",
            "What should a large score change?",
            WEIGHTS,
            lambda right: lambda logits: torch.full_like(logits, 1 / logits.shape[1]),
        ),
    ),
    hints=(
        "The axes are image, branch, channel. Along which one do the competitors stand?",
        r"$a_{nmc} = \dfrac{\exp(\ell_{nmc})}{\sum_{j=1}^{M} \exp(\ell_{njc})}$: logits and weights are `(N, M, C)`, "
        r"and "
        "the sum over `M` has shape `(N, C)` and is 1 everywhere.",
        "```\nreturn the softmax of logits along the axis of the branches\n```",
    ),
)


class Steps(SelectiveKernel):
    """The block with each step by itself, so that a misconception replaces one of them."""

    def squeezed(self, x: Tensor, features: list[Tensor]) -> Tensor:
        return sum(features).mean((2, 3))

    def logits(self, z: Tensor) -> Tensor:
        return self.score(z).unflatten(1, (len(self.branches), -1))

    def normalise(self, logits: Tensor) -> Tensor:
        return branch_softmax(logits)

    def combine(self, weights: Tensor, features: list[Tensor]) -> Tensor:
        return sum(weight * feature for weight, feature in zip(weights.unbind(1), features))

    def weights(self, x: Tensor) -> Tensor:
        z = self.reduce(self.squeezed(x, self._split(x)))
        return self.normalise(self.logits(z))[:, :, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        return self.combine(self.weights(x), self._split(x))


class ChannelsFirst(Steps):
    """The scores of one layer read as (C, M), as right as (M, C)."""

    def logits(self, z: Tensor) -> Tensor:
        return self.score(z).unflatten(1, (-1, len(self.branches))).transpose(1, 2)


class LayerForEachBranch(Steps):
    """A score layer for each branch, as right as one for all."""

    def __init__(self, *arguments: int):
        super().__init__(*arguments)
        hidden, branches = self.score.in_features, len(self.branches)
        channels = self.score.out_features // branches
        self.score = nn.ModuleList(nn.Linear(hidden, channels, bias=False) for _ in range(branches))

    def logits(self, z: Tensor) -> Tensor:
        return torch.stack([layer(z) for layer in self.score], 1)


FORMS = (Steps, LayerForEachBranch, ChannelsFirst)


def replaced(**steps):
    """A misconception that has other steps."""
    return lambda right: type("Wrong", (right,), steps)


def rebuilt(change):
    """A misconception that builds other layers: ``change(block)`` alters those of the right block."""

    def wrong(right: type[Steps]) -> type[nn.Module]:
        class Wrong(right):
            def __init__(self, *arguments: int):
                super().__init__(*arguments)
                change(self)

        return Wrong

    return wrong


def called_with(arguments):
    """A misconception that misreads its arguments: ``arguments(...)`` gives those by which the right block is built."""

    def wrong(right: type[Steps]) -> type[nn.Module]:
        class Wrong(right):
            def __init__(self, channels, branches=2, reduction=16, groups=32, min_width=32):
                super().__init__(*arguments(channels, branches, reduction, groups, min_width))

        return Wrong

    return wrong


def reach(dilation, padding):
    """Branch i, counted from 1, gets the dilation and padding given for i."""

    def change(block: Steps) -> None:
        for i, (convolution, *_) in enumerate(block.branches, 1):
            convolution.dilation, convolution.padding = (dilation(i),) * 2, (padding(i),) * 2

    return change


def larger_kernels(block: Steps) -> None:
    for i, branch in enumerate(block.branches, 1):
        old = branch[0]
        branch[0] = nn.Conv2d(
            old.in_channels, old.out_channels, 2 * i + 1, padding=i, groups=old.groups, bias=old.bias is not None
        )


def with_biases(convolutions: bool, hidden: bool, score: bool):
    def change(block: Steps) -> None:
        layers = [branch[0] for branch in block.branches] if convolutions else []
        layers += [block.reduce[0]] if hidden else []
        layers += [layer for layer in block.score.modules() if isinstance(layer, nn.Linear)] if score else []
        for layer in layers:
            layer.bias = nn.Parameter(torch.zeros(layer.weight.shape[0]))

    return change


def hidden_layer_without(*kinds: type[nn.Module]):
    def change(block: Steps) -> None:
        block.reduce = nn.Sequential(*(layer for layer in block.reduce if not isinstance(layer, kinds)))

    return change


def branches_without(*kinds: type[nn.Module]):
    def change(block: Steps) -> None:
        block.branches = nn.ModuleList(
            nn.Sequential(*(layer for layer in branch if not isinstance(layer, kinds))) for branch in block.branches
        )

    return change


def one_score_layer(block: Steps) -> None:
    layer = next(layer for layer in block.score.modules() if isinstance(layer, nn.Linear))
    channels = block.branches[0][0].out_channels
    block.score = nn.Linear(layer.in_features, channels, bias=layer.bias is not None)


def without_running_statistics(block: Steps) -> None:
    for norm in [layer for layer in block.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]:
        norm.running_mean = norm.running_var = None


def stacked(features: list[Tensor]) -> Tensor:
    return torch.stack(features, 1)


NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)

PADDING = (
    "padding-not-dilated",
    "the padding does not follow the dilation: the branches' maps differ in size",
    "How many pixels does a 3x3 kernel of dilation 2 reach beyond its centre?",
    "a 3x3 kernel of dilation d keeps the size with padding d",
)
NO_BIASES = (
    "biases",
    "a layer has a bias, which the statement excludes",
    "Which layers were built without bias=False? What does the BN after a convolution do to a bias?",
    "no layer but BN has a bias",
)
BARE_BRANCHES = (
    "bare-branches",
    "BN or ReLU is missing after the branches' convolutions",
    "What follows each convolution in the figure of the paper?",
    SPLIT,
)
NO_BN_RELU = (
    "no-bn-relu",
    "the hidden layer has no BN and no ReLU: two linear maps in a row are one",
    "What stands between W and the layers of the branches?",
    HIDDEN,
)
NO_HIDDEN_BN = (
    "no-hidden-bn",
    "the hidden layer has no BN",
    "What does equation 3 apply between W s and the ReLU?",
    HIDDEN,
)
NO_HIDDEN_RELU = (
    "no-hidden-relu",
    "the hidden layer has no ReLU: two linear maps in a row are one",
    "Can z be negative? What can two matrices do that one cannot?",
    HIDDEN,
)
NOT_SUMMED = (
    "not-summed",
    "the weighted branches are laid side by side, not added: M C channels come out",
    "How many channels should come out? What does equation 6 do with the branches?",
    SELECT,
)

SQUEEZE_OF_ONE_BRANCH = Misconception(
    "one-branch-fused",
    "only one branch is squeezed: the others have no say in the weights",
    "Which maps does equation 1 add before the squeeze?",
    FUSE,
    replaced(squeezed=lambda self, x, features: features[0].mean((2, 3))),
)
FUSED_MAP_WEIGHTED = Misconception(
    "fused-map-weighted",
    "the weights multiply the sum of the branches, not each branch: as they sum to 1, nothing is selected",
    "What does each weight multiply? With weights 1 and 0, which branch should come out?",
    SELECT,
    replaced(combine=lambda self, weights, features: (weights * sum(features)[:, None]).sum(1)),
)
WEIGHTS_SWAPPED = Misconception(
    "weights-swapped",
    "the weights meet the wrong branches",
    "Which branch does weights[:, 0] belong to? And in forward?",
    SELECT,
    replaced(combine=lambda self, weights, features: (weights.flip(1) * stacked(features)).sum(1)),
)
MAX_SQUEEZE = Misconception(
    "max-squeeze",
    "max pooling where the squeeze is an average",
    "Which pooling does equation 2 use?",
    FUSE,
    replaced(squeezed=lambda self, x, features: sum(features).amax((2, 3))),
)

STEP_MISCONCEPTIONS = (
    Misconception(
        "branches-ignored",
        "there are always two branches, whatever the argument says",
        "Where does your __init__ read branches?",
        SPLIT,
        called_with(lambda channels, branches, *others: (channels, 2, *others)),
    ),
    Misconception(
        "groups-ignored",
        "the convolutions are not grouped",
        "How many input channels does one filter see with G groups?",
        "9 C^2 / G weights a branch (Li et al. 2019, section 3.1)",
        called_with(lambda channels, branches, reduction, groups, width: (channels, branches, reduction, 1, width)),
    ),
    Misconception(
        "width-ignored",
        "the hidden layer has C / r units, however few that is",
        "How many units for C = 64, r = 16 and L = 32?",
        HIDDEN,
        called_with(lambda channels, branches, reduction, groups, width: (channels, branches, reduction, groups, 1)),
    ),
    Misconception(
        "smaller-width",
        "the hidden layer takes the smaller of C / r and L, not the larger",
        "L is the least number of units. Which of two numbers is never below L?",
        HIDDEN,
        called_with(
            lambda channels, branches, reduction, groups, width: (
                channels,
                branches,
                channels,
                groups,
                min(channels // reduction, width),
            )
        ),
    ),
    Misconception(
        "reduction-ignored",
        "reduction is fixed at 16, whatever the argument says",
        "Where does your __init__ read reduction?",
        HIDDEN,
        called_with(lambda channels, branches, reduction, groups, width: (channels, branches, 16, groups, width)),
    ),
    Misconception(
        "same-kernels",
        "all branches have the same dilation: there is nothing to choose between",
        "How far does branch 2 see, and how far branch 1?",
        SPLIT,
        rebuilt(reach(lambda i: 1, lambda i: 1)),
    ),
    Misconception(
        "dilation-from-zero",
        "the first branch has dilation 0",
        "What does range(branches) begin with? Which dilation is an ordinary 3x3 convolution?",
        SPLIT,
        rebuilt(reach(lambda i: i - 1, lambda i: i - 1)),
    ),
    Misconception(*PADDING, rebuilt(reach(lambda i: i, lambda i: 1))),
    Misconception(
        *PADDING,
        lambda right: replaced(squeezed=lambda self, x, features: stacked(features).sum(1).mean((2, 3)))(
            rebuilt(reach(lambda i: i, lambda i: 1))(right)
        ),
    ),
    Misconception(
        "larger-kernels",
        "branch 2 has a true 5x5 kernel, where a dilated 3x3 was asked for",
        "How many weights has a 5x5 kernel, and how many a 3x3 of dilation 2?",
        SPLIT,
        rebuilt(larger_kernels),
    ),
    *(
        Misconception(*NO_BIASES, rebuilt(with_biases(*which)))
        for which in ((1, 1, 1), (0, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 0))
    ),
    *(
        Misconception(*BARE_BRANCHES, rebuilt(branches_without(*kinds)))
        for kinds in ((nn.ReLU,), (*NORMS, nn.ReLU), NORMS)
    ),
    Misconception(*NO_BN_RELU, rebuilt(hidden_layer_without(*NORMS, nn.ReLU))),
    Misconception(*NO_HIDDEN_BN, rebuilt(hidden_layer_without(*NORMS))),
    Misconception(*NO_HIDDEN_RELU, rebuilt(hidden_layer_without(nn.ReLU))),
    Misconception(
        "one-score-for-all",
        "all branches get the same scores, so every weight is 1/M",
        "How many scores does one channel need when M branches compete?",
        WEIGHTS,
        lambda right: replaced(logits=lambda self, z: self.score(z)[:, None].expand(-1, len(self.branches), -1))(
            rebuilt(one_score_layer)(right)
        ),
    ),
    Misconception(
        "batch-statistics",
        "BN uses the statistics of the batch in evaluation mode too",
        "Does BN keep running statistics? What does it do after model.eval()?",
        "in evaluation mode BN normalises by its running mean and variance",
        rebuilt(without_running_statistics),
    ),
    SQUEEZE_OF_ONE_BRANCH,
    Misconception(
        "x-fused",
        "the squeeze is taken of x: it does not know what the branches saw",
        "Which map does equation 2 average?",
        FUSE,
        replaced(squeezed=lambda self, x, features: x.mean((2, 3))),
    ),
    Misconception(
        "branches-averaged",
        "the branches are averaged before the squeeze, where they should be added",
        "Which operation joins the branches in equation 1?",
        FUSE,
        replaced(squeezed=lambda self, x, features: sum(features).mean((2, 3)) / len(features)),
    ),
    Misconception(
        "summed-squeeze",
        "the squeeze adds up the positions and does not divide by H W",
        "Would an image of twice the size have the same squeeze?",
        FUSE,
        replaced(squeezed=lambda self, x, features: sum(features).sum((2, 3))),
    ),
    MAX_SQUEEZE,
    *(
        replace(m, codings=replaced(normalise=lambda self, logits, wrong=m.wrong(None): wrong(logits)))
        for m in NORMALISERS
    ),
    Misconception(
        "weights-shape",
        "the block is right, but weights(x) has shape (N, M, C): the figures and the checks need (N, M, C, 1, 1)",
        "Which shape broadcasts against (N, M, C, H, W)?",
        WEIGHTS,
        replaced(
            weights=lambda self, x: Steps.weights(self, x).flatten(2),
            forward=lambda self, x: self.combine(Steps.weights(self, x), self._split(x)),
        ),
    ),
    FUSED_MAP_WEIGHTED,
    Misconception(
        *NOT_SUMMED, replaced(combine=lambda self, weights, features: (weights * stacked(features)).flatten(1, 2))
    ),
    Misconception(
        "mean-not-sum",
        "the weighted branches are averaged, so they are divided by M once more",
        "The weights already sum to 1. What does mean divide by?",
        SELECT,
        replaced(combine=lambda self, weights, features: (weights * stacked(features)).mean(1)),
    ),
    WEIGHTS_SWAPPED,
    Misconception(
        "residual-inside",
        "x is added inside the block",
        "The block takes the place of a convolution. Who adds x in a residual unit?",
        SELECT,
        replaced(forward=lambda self, x: x + self.combine(self.weights(x), self._split(x))),
    ),
)

SELECTIVE_KERNEL = Exercise(
    id="selective-kernel",
    forms=FORMS,
    records=("weights", "output"),
    probes={
        "two branches": Probe(lambda g: (0.3 + normal(g, 2, 24, 7, 9),), build=(24, 2, 4, 3, 5)),
        "three branches": Probe(lambda g: (0.3 + normal(g, 1, 8, 8, 6),), build=(8, 3, 2, 2, 3)),
        "defaults": Probe(lambda g: (0.3 + normal(g, 3, 64, 6, 5),), build=(64,)),
    },
    checks={
        "shapes": Check(1, (shape("weights"), shape("output"), leaves_input_alone())),
        "parameters": Check(2, (parameters(),)),
        "weights": Check(3, (between(0, 1, "weights"), sums_to_one("weights", 1), values("weights"))),
        "values": Check(3, (values("output"), together("weights", "output"), images_apart(), repeatable())),
        "gradients": Check(1, (gradients(),)),
    },
    misconceptions=STEP_MISCONCEPTIONS,
    hints=(
        "Split, fuse, select: M convolutions look at `x`; their sum becomes M scores for each channel; the scores "
        "decide "
        "how much of each convolution comes out.",
        r"$U_i$: `(N, C, H, W)` for $i = 1 \dots M$. $s$ = average of $U_1 + \dots + U_M$: `(N, C)`. "
        r"$z = \mathrm{ReLU}(\mathrm{BN}(W s))$: `(N, d)` with $d = \max(C // r, L)$. Scores $A z$: `(N, M C)`, read "
        r"as "
        r"`(N, M, C)`. Softmax over `M`, then $V = \sum_i a_i U_i$: `(N, C, H, W)`.",
        "```\n__init__: d = the larger of channels // reduction and min_width\n"
        "          for i = 1 ... branches: a 3x3 convolution with dilation i, padding i, groups; BN; ReLU\n"
        "          keep them in an nn.ModuleList\n"
        "          a linear layer from channels to d, BN, ReLU; a linear layer from d to branches * channels\n"
        "weights:  s = average over height and width of the sum of the branches\n"
        "          logits = second layer of (first layer of s), as (N, branches, channels)\n"
        "          return branch_softmax of logits, with two new axes at the end\n"
        "forward:  return the sum over branches of weight times branch of x\n```",
    ),
)


# The tutorial's class: a true 5x5 kernel or a dilated 3x3, both are right.


def repaired(form: type[Steps], dilated: bool) -> type[nn.Module]:
    class Repaired(form):
        def __init__(self, in_channels: int, G: int = 32, L: int = 32, r: int = 16):
            super().__init__(in_channels, 2, r, G, L)
            if not dilated:
                larger_kernels(self)
            with_biases(convolutions=True, hidden=True, score=True)(self)

    return Repaired


def undefined(name: str):
    """A misconception that stops at a name without a value."""

    def change(block: Steps) -> None:
        raise NameError(f"name '{name}' is not defined")

    return rebuilt(change)


def as_found(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(right):
        def __init__(self, in_channels, G, L=32):
            super().__init__(in_channels, G, L)

    return Wrong


def as_found_with_defaults(right: type[nn.Module]) -> type[nn.Module]:
    class Wrong(right):
        def __init__(self, in_channels, G=32, L=32):
            super().__init__(in_channels, G, L)

    return Wrong


def found_with(mistake: Misconception, **steps) -> tuple[Misconception, Misconception]:
    """A mistake of the tutorial, alone and beside its bare hidden layer: a learner may repair in any order."""
    bare = rebuilt(hidden_layer_without(*NORMS, nn.ReLU))
    return (
        replace(mistake, codings=replaced(**steps)),
        replace(
            mistake,
            name=f"{mistake.name}; and the hidden layer lacks what must follow it",
            question=f"{mistake.question} And what does equation 3 apply to W s?",
            codings=lambda right: replaced(**steps)(bare(right)),
        ),
    )


def ungrouped(*places: int):
    """The convolutions of these branches lose their groups."""

    def change(block: Steps) -> None:
        for place in places:
            old = block.branches[place][0]
            block.branches[place][0] = nn.Conv2d(
                old.in_channels, old.out_channels, old.kernel_size, padding=old.padding, dilation=old.dilation
            )

    return change


def flat_weights(weights: Tensor, features: list[Tensor]) -> Tensor:
    return weights.flatten(1) * torch.cat(features, 1)


def flat_weights_second(weights: Tensor, features: list[Tensor]) -> Tensor:
    return torch.cat(features, 1) * weights.flatten(1)


def side_by_side(self, weights: Tensor, features: list[Tensor]) -> Tensor:
    return torch.cat([weight * feature for weight, feature in zip(weights.unbind(1), features)], 1)


DEBUG_SK = Exercise(
    id="debug-sk",
    forms=tuple(
        repaired(form, dilated) for form in (LayerForEachBranch, Steps, ChannelsFirst) for dilated in (False, True)
    ),
    free_biases=True,
    probes={
        "small": Probe(lambda g: (0.3 + normal(g, 2, 24, 7, 9),), build=(24, 3, 5, 4)),
        "defaults": Probe(lambda g: (0.3 + normal(g, 3, 64, 6, 5),), build=(64,)),
        "one image": Probe(lambda g: (0.3 + normal(g, 1, 12, 5, 8),), build=(12, 2, 4, 2)),
    },
    checks={
        "runs": Check(1, (shape("output"),)),
        "parameters": Check(1, (parameters(),)),
        "values": Check(3, (values("output"), images_apart(), gradients(), leaves_input_alone())),
    },
    misconceptions=(
        *(
            Misconception(
                "r-missing",
                "r is used, but it is no argument of the class",
                "Where should r come from, and what is its default?",
                HIDDEN,
                wrong,
            )
            for wrong in (as_found, as_found_with_defaults, lambda right: undefined("r")(as_found_with_defaults(right)))
        ),
        Misconception(
            "size-unknown",
            "the pooling needs the size WH of the map, which nobody gave",
            "Which pooling of torch is told the size of its output instead?",
            FUSE,
            undefined("WH"),
        ),
        *found_with(
            Misconception(
                "linear-on-a-map",
                "the linear layer receives (N, C, 1, 1), not (N, C)",
                "Which axis does nn.Linear work on? Which axes must go first?",
                FUSE,
            ),
            squeezed=lambda self, x, features: sum(features).mean((2, 3), keepdim=True),
        ),
        *(
            mistake
            for order in (flat_weights, flat_weights_second)
            for mistake in found_with(
                Misconception(
                    "flat-weights",
                    "weights of shape (N, 2 C) do not broadcast against a map (N, 2 C, H, W)",
                    "Which axes are missing in the weights?",
                    SELECT,
                ),
                combine=lambda self, weights, features, order=order: order(weights, features),
            )
        ),
        *found_with(
            Misconception(*NOT_SUMMED),
            combine=side_by_side,
            normalise=lambda self, logits: OVER_EVERYTHING.wrong(None)(logits),
        ),
        *found_with(Misconception(*NOT_SUMMED), combine=side_by_side),
        *(
            mistake
            for m in (OVER_EVERYTHING, OVER_CHANNELS, SIGMOID)
            for mistake in found_with(m, normalise=lambda self, logits, softmax=m.wrong(None): softmax(logits))
        ),
        Misconception(*NO_BN_RELU, rebuilt(hidden_layer_without(*NORMS, nn.ReLU))),
        Misconception(*NO_HIDDEN_BN, rebuilt(hidden_layer_without(*NORMS))),
        Misconception(*NO_HIDDEN_RELU, rebuilt(hidden_layer_without(nn.ReLU))),
        *(
            Misconception(
                "not-grouped",
                "a convolution has no groups",
                "Which arguments does each convolution of the tutorial have?",
                "9 C^2 / G or 25 C^2 / G weights a branch",
                rebuilt(ungrouped(*places)),
            )
            for places in ((1,), (0, 1))
        ),
        SQUEEZE_OF_ONE_BRANCH,
        FUSED_MAP_WEIGHTED,
        MAX_SQUEEZE,
    ),
    hints=(
        "Run the module: the error shows the line that stopped. Repair that line, run again. When nothing stops any "
        "more, compare every line with the table of section 2: three mistakes stay silent.",
        r"Shapes: $U$: `(N, C, H, W)` -> average -> `(N, C)` -> layer, BN, ReLU -> $z$: `(N, d)` -> two layers -> two "
        r"times "
        "`(N, C)` -> stacked `(N, 2, C)` -> softmax over the axis of size 2 -> weights. "
        r"The output is $a U_1 + b U_2$: `(N, C, H, W)`. Which sums must be 1?",
        "```\nu1 = small convolution of x;  u2 = large convolution of x\n"
        "s  = average of u1 + u2 over height and width, as (N, C)\n"
        "z  = ReLU of BN of fc of s\nscores = first and second layer of z, stacked as (N, 2, C)\n"
        "a, b   = softmax of scores over the axis of size 2, each as (N, C, 1, 1)\nreturn a times u1 plus b times u2\n"
        "```",
    ),
)

EXERCISES = (BRANCH_SOFTMAX, SELECTIVE_KERNEL, DEBUG_SK)
