"""The course's one table of its mechanisms: what each weights, how, and at what cost. Lessons show it row by row."""

from .table import Table

MECHANISMS = {
    "softmax pooling": ("positions", "one score a position", "softmax", "weighted average", "C", "2 C L"),
    "SE": ("channels", "two layers on the average", "sigmoid", "multiply", "2 C²/r", "2 C²/r"),
    "CBAM": (
        "channels, then positions",
        "two layers on average and maximum; 7x7 convolution of both",
        "sigmoid, twice",
        "multiply, twice",
        "2 C²/r + 98",
        "4 C²/r + 98 H W",
    ),
    "BAM": (
        "every value",
        "channel gate + spatial gate",
        "sigmoid of the sum",
        "multiply by 1 + weight",
        "3 C²/r + 18 (C/r)²",
        "2 C²/r + H W (C²/r + 18 (C/r)²)",
    ),
    "SK": (
        "branches, for each channel",
        "layers on the average of the summed branches",
        "softmax over branches",
        "weighted sum of branches",
        "9 M C²/G + (M + 1) C²/r",
        "9 M H W C²/G + (M + 1) C²/r",
    ),
    "self-attention": (
        "tokens, for each token",
        "queries times keys",
        "softmax over tokens",
        "weighted average of values",
        "4 C²",
        "4 L C² + 2 L² C",
    ),
    "spatial transformer": (
        "pixels, for each output pixel",
        "localisation network: 6 numbers",
        "none",
        "bilinear resampling",
        "those of the localisation",
        "localisation + 4 C H W",
    ),
    "ECA": ("channels", "a convolution along the averages", "sigmoid", "multiply", "k", "k C"),
    "coordinate attention": (
        "rows and columns, for each channel",
        "layers on the averages of rows and of columns",
        "sigmoid, twice",
        "multiply, twice",
        "3 C²/r",
        "2 (H + W) C²/r",
    ),
    "window attention": (
        "tokens of a window, for each token",
        "queries times keys, and a bias for each relative position",
        "softmax over a window's tokens",
        "weighted average of values",
        "4 C² + (2 w - 1)² heads",
        "4 L C² + 2 w² L C",
    ),
    "deformable attention": (
        "points, for each position",
        "one layer on the feature of the position; another one chooses the points",
        "softmax over K points",
        "weighted average of bilinear samples",
        "3 K C",
        "(3 + 5) K C H W",
    ),
}


def mechanism_table(*names: str) -> Table:
    """The course's one comparison of mechanisms, as far as the lessons have come.

    Raises: ValueError for a mechanism that the table does not know.
    """
    if unknown := set(names) - set(MECHANISMS):
        raise ValueError(f"names must be among {', '.join(MECHANISMS)}, got {', '.join(sorted(unknown))}")
    header = ("mechanism", "what is weighted", "scores", "normaliser", "combination", "parameters", "cost")
    return Table(
        "Attention = weights from the features, combined with the features. C channels, map of H x W, L positions or "
        "tokens, reduction r, M branches in G groups, kernel k, windows of w x w, K points. Parameters without biases and normalisations. Cost: multiply-adds "
        "for one image; the elementwise product of weights and features (SE to SK) is left out.",
        header,
        [(name, *MECHANISMS[name][:4], *map(unbroken, MECHANISMS[name][4:])) for name in names],
    )


def unbroken(formula: str) -> str:
    """A formula that a table does not break into two lines."""
    return formula.replace(" ", "\N{NO-BREAK SPACE}")
