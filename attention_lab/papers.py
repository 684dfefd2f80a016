"""The sizes that the papers print, beside those of our networks: ``attention-lab papers``.

Only what can be reproduced without training is here: trainable parameters, and multiply-adds of convolutions and linear
layers for one image (``networks.count``). Papers print them rounded, M for millions and G for billions.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from .mechanisms import BAM, CBAM, MultiHeadSelfAttention, SqueezeExcitation
from .networks import Bottleneck, ResNet, count_macs, count_parameters, create
from .table import Table

UNITS = {"M": 10**6, "G": 10**9}


@dataclass(frozen=True)
class PaperRow:
    """A network, and what its paper prints.

    Args:
        name: what the table calls it.
        build: makes the network.
        parameters, macs: the printed values, such as "28.09M" and "3.864G"; empty where nothing is printed. A star, as
            in "3.94G*", marks a value that was not checked against the paper's text: do not quote it.
    """

    name: str
    build: Callable[[], nn.Module]
    parameters: str = ""
    macs: str = ""


@dataclass(frozen=True)
class PaperTable:
    """Some rows that are counted alike.

    Args:
        title: what is counted, and where it is printed.
        rows: the networks.
        image_size: side in pixels of the image that multiply-adds are counted for; None where they are not.
        count: how parameters are counted.
        notes: what is worth knowing about the numbers.
    """

    title: str
    rows: tuple[PaperRow, ...]
    image_size: int | None = 224
    count: Callable[[nn.Module], int] = count_parameters
    notes: tuple[str, ...] = ()

    def counts(self, row: PaperRow) -> tuple[int, int | None]:
        """Parameters and multiply-adds of a row's network; it is built without memory for its weights."""
        with torch.device("meta"):
            model = row.build()
            if self.image_size is None:
                return self.count(model), None
            return self.count(model), count_macs(model, torch.empty(1, 3, self.image_size, self.image_size))


def agrees(count: int | None, printed: str) -> bool:
    """Whether ``count`` rounds to what is printed; a paper that prints nothing contradicts nothing."""
    printed = printed.removesuffix("*")
    if count is None or not printed:
        return True
    number, unit = printed[:-1], printed[-1]
    decimals = len(number.partition(".")[2])
    return f"{count / UNITS[unit]:.{decimals}f}" == number


def row(name: str) -> tuple[PaperRow, str]:
    """The row of a network in the first table that has it, and that table's title.

    Raises: ValueError if no table has it.
    """
    for table in TABLES:
        for row in table.rows:
            if row.name == name:
                return row, table.title
    raise ValueError(f"no paper's table has a row {name!r}")


def build(name: str) -> nn.Module:
    """The network of a row in evaluation mode, on the meta device: it has shapes, but no numbers.

    Raises: ValueError if no table has it.
    """
    with torch.device("meta"):
        return row(name)[0].build().eval()


def beside(counts: dict[str, tuple[int, int]]) -> Table:
    """Counts of parameters and multiply-adds beside those printed, and how much more each network has than the first.

    Raises: ValueError if no table has one of the networks.
    """
    first = next(iter(counts.values()))
    rows = []
    for name, count in counts.items():
        printed, title = row(name)
        more = [f"{mine / plain - 1:+.2%}" for mine, plain in zip(count, first)]
        cells = [f"{count[0]:,}", printed.parameters, f"{count[1]:,}", printed.macs]
        rows.append([name, *cells, title.split(",")[0], *more])
    header = ["network", "parameters", "printed", "multiply-adds", "printed", "by the paper on"]
    caption = "Your counts for one image of 224 x 224, and what a paper prints"
    return Table(caption, [*header, "parameters +", "multiply-adds +"], rows)


def lines() -> Iterator[str]:
    """The lines of all tables, which come table by table as they are counted (about 20 seconds)."""
    for table in TABLES:
        header, rows = ["network", "parameters", "printed"], []
        if table.image_size is not None:
            header += ["multiply-adds", "printed"]
        for row in table.rows:
            counted = zip(table.counts(row), (row.parameters, row.macs))
            rows.append([row.name, *(cell for count, printed in counted for cell in _beside(count, printed))])
        yield from repr(Table(table.title, header, rows)).splitlines()
        yield from table.notes
        yield ""
    yield "!  the count does not round to the printed value"
    yield "*  printed value from memory, not checked against the paper"


def _beside(count: int | None, printed: str) -> list[str]:
    """The cells of a count and of what is printed; none where nothing is counted."""
    return [] if count is None else [f"{count:>14,}", printed if agrees(count, printed) else f"{printed}!"]


def _parameters_and_running_statistics(model: nn.Module) -> int:
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    return count_parameters(model) + sum(2 * norm.num_features for norm in norms)


def _named(name: str, parameters: str = "", macs: str = "", num_classes: int = 1000) -> PaperRow:
    return PaperRow(name, partial(create, name, num_classes), parameters, macs)


def _se_resnet50(reduction: int = 16, stages: tuple[int, ...] = (1, 2, 3, 4)) -> nn.Module:
    se = partial(SqueezeExcitation, reduction=reduction, bias=False)
    attention = [se if stage in stages else None for stage in (1, 2, 3, 4)]
    return ResNet(Bottleneck, (3, 4, 6, 3), attention=attention)


def _cbam_resnet50_as_released() -> nn.Module:
    return ResNet(partial(Bottleneck, stride_in_3x3=True), (3, 4, 6, 3), attention=CBAM)


SE_ABLATION = (
    _named("resnet50", "25.6M"),
    *(
        PaperRow(f"SE, r = {r}", partial(_se_resnet50, reduction=r), printed)
        for r, printed in {2: "45.7M", 4: "35.7M", 8: "30.7M", 16: "28.1M", 32: "26.9M"}.items()
    ),
    *(
        PaperRow(f"SE in stage {s} alone", partial(_se_resnet50, stages=(s - 1,)), printed)  # the stem is their stage 1
        for s, printed in {2: "25.6M", 3: "25.7M", 4: "26.4M"}.items()
    ),
)

TABLES = (
    PaperTable(
        "CBAM, ImageNet (Woo et al., ECCV 2018): stride in the first 1x1 convolution",
        (
            _named("resnet18", "11.69M*", "1.814G*"),
            _named("se_resnet18", "11.78M*", "1.814G*"),
            _named("cbam_resnet18", "11.78M*", "1.815G*"),
            _named("resnet34", "21.80M*", "3.664G*"),
            _named("se_resnet34", "21.96M*", "3.664G*"),
            _named("cbam_resnet34", "21.96M*", "3.665G*"),
            _named("resnet50", "25.56M", "3.858G"),
            _named("se_resnet50", "28.09M", "3.860G"),
            _named("cbam_resnet50", "28.09M", "3.864G"),
            PaperRow("cbam_resnet50, stride in the 3x3", _cbam_resnet50_as_released, "28.09M", "3.864G"),
            _named("resnet101", "44.55M*", "7.570G*"),
            _named("se_resnet101", "49.33M*", "7.575G*"),
            _named("cbam_resnet101", "49.33M*", "7.581G*"),
            _named("resnext50_32x4d", "25.03M*", "3.768G*"),
            _named("se_resnext50_32x4d", "27.56M*", "3.771G*"),
            _named("cbam_resnext50_32x4d", "27.56M*", "3.774G*"),
            _named("resnext101_32x4d", "44.18M*", "7.508G*"),
            _named("se_resnext101_32x4d", "48.96M*", "7.512G*"),
            _named("cbam_resnext101_32x4d", "48.96M*", "7.519G*"),
        ),
        notes=(
            "The authors' released code has the stride in the 3x3: it does not give the multiply-adds they print.",
            "SE's printed overhead of 0.26% is (3.87 - 3.86) / 3.86, of rounded numbers; by these counts 0.0652%.",
        ),
    ),
    PaperTable("SE (Hu et al., CVPR 2018)", (_named("se_resnet152"),)),
    PaperTable(
        "SE, reduction and stages, ResNet-50 without biases (Hu et al., TPAMI 2020)",
        SE_ABLATION,
        image_size=None,
    ),
    PaperTable(
        "The same, batch normalisation's running statistics counted too",
        SE_ABLATION,
        image_size=None,
        count=_parameters_and_running_statistics,
        notes=("An inference, not the paper's word: so counted, all but r = 8 round to the printed values.",),
    ),
    PaperTable(
        "BAM, ImageNet (Park et al., BMVC 2018): stride in the first 1x1 convolution",
        (
            _named("bam_resnet18"),
            _named("bam_resnet34"),
            _named("bam_resnet50", "25.92M", "3.94G*"),
            _named("bam_resnet101", "44.91M", "7.65G*"),
        ),
    ),
    PaperTable(
        "BAM, CIFAR-100 (Park et al., BMVC 2018)",
        (
            _named("cifar_resnet50", "23.71M*", "1.22G*", num_classes=100),
            _named("bam_cifar_resnet50", "24.07M*", "1.25G*", num_classes=100),
            _named("cifar_resnet101", "42.70M*", "2.44G*", num_classes=100),
            _named("bam_cifar_resnet101", "43.06M*", "2.46G*", num_classes=100),
        ),
        image_size=32,
    ),
    PaperTable(
        "SK, ImageNet (Li et al., CVPR 2019): stride in the selective kernels",
        (
            _named("sknet26", "16.8M*"),
            _named("sknet50", "27.5M", "4.47G"),
            _named("sknet101", "48.9M", "8.46G"),
        ),
    ),
    PaperTable(
        "Vision Transformer (Dosovitskiy et al., ICLR 2021; vit_s_16: Touvron et al., ICML 2021)",
        (
            _named("vit_s_16", "22M*"),
            _named("vit_b_16", "86M*"),
            _named("vit_l_16", "307M*"),
        ),
        notes=("Without the products of self-attention, which have no layer.",),
    ),
    PaperTable(
        "ECA, ImageNet (Wang et al., CVPR 2020): stride in the first 1x1 convolution",
        (
            _named("eca_resnet50", "24.37M", "3.86G"),
            _named("eca_resnet101", "42.49M", "7.35G"),
        ),
        notes=(
            "Printed in the table of the authors' code. Its M are 2^20: 25,557,118 / 2^20 = 24.37 and 44,549,331 / 2^20 = 42.49.",
        ),
    ),
    PaperTable(
        "Swin (Liu et al., ICCV 2021)",
        (_named("swin_t", "29M*", "4.5G*"),),
        notes=(
            "28,288,354 is also what torchvision's swin_t counts. Without the two products inside windows, which have no "
            "layer and are part of the printed 4.5G: 140,141,568 for all blocks.",
        ),
    ),
    PaperTable(
        "One mechanism for C channels",
        tuple(
            PaperRow(f"{name}, C = {channels}", partial(mechanism, channels))
            for name, mechanism in {
                "SE": SqueezeExcitation,
                "SE without biases": partial(SqueezeExcitation, bias=False),
                "CBAM": CBAM,
                "BAM": BAM,
            }.items()
            for channels in (256, 512, 1024)
        )
        + (PaperRow("self-attention, 8 heads, C = 512", partial(MultiHeadSelfAttention, 512, 8)),),
        image_size=None,
    ),
)
