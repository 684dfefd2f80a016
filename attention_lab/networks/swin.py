"""Swin: a vision transformer whose tokens attend inside windows, and whose map shrinks from stage to stage.

Z. Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", ICCV 2021, sections 3.1 to 3.3.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..mechanisms import WindowAttention
from ..mechanisms.arguments import require_multiple, require_positive, require_shape

PATCH = 4


class SwinBlock(nn.Module):
    """A layer of Swin: tokens exchange inside their windows, then each thinks for itself.

        x' = x + attention(LN(x)),    output = x' + MLP(LN(x'))     (equation 3)

    Args:
        dim: width of a token.
        heads, size, shift: of the ``WindowAttention``.
    """

    def __init__(self, dim: int, heads: int, size: int, shift: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = WindowAttention(dim, heads, size, shift)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x: Float[Tensor, "N H W C"]) -> Float[Tensor, "N H W C"]:
        x = x + self.attention(self.norm1(x).movedim(3, 1)).movedim(1, 3)
        return x + self.mlp(self.norm2(x))


class PatchMerging(nn.Module):
    """Four neighbouring tokens become one, twice as wide: (N, H, W, C) -> (N, H / 2, W / 2, 2 C)."""

    def __init__(self, dim: int):
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim)
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x: Float[Tensor, "N H W C"]) -> Float[Tensor, "N h w D"]:
        four = torch.cat((x[:, ::2, ::2], x[:, 1::2, ::2], x[:, ::2, 1::2], x[:, 1::2, 1::2]), 3)
        return self.reduction(self.norm(four))


class SwinTransformer(nn.Module):
    """Patches of 4x4 pixels, four stages of window attention, average, classifier.

    Args:
        dim: width of a token in the first stage; each further stage doubles it. Swin-T has 96.
        depths: blocks of each stage. Swin-T has 2, 2, 6, 2.
        heads: of the blocks of each stage. Swin-T has 3, 6, 12, 24.
        num_classes: size of the output.
        image_size: side of the image in pixels.
        size: side of a window. Every second block has it shifted by half, unless one window is the whole map.

    Initialisation as in the authors' code: linear layers and the biases of relative positions from a normal distribution
    of deviation 0.02, cut off at 2, all other biases 0. Not here: dropping whole branches while training.
    Raises: ValueError if an argument is below 1, the windows do not fit into the maps of all stages, or the image has
    another size.
    """

    def __init__(
        self,
        dim: int,
        depths: Sequence[int],
        heads: Sequence[int],
        num_classes: int = 1000,
        image_size: int = 224,
        size: int = 7,
    ):
        super().__init__()
        require_positive(dim=dim, num_classes=num_classes, image_size=image_size, size=size)
        require_multiple(
            "patch, windows and stages together", PATCH * size * 2 ** (len(depths) - 1), image_size=image_size
        )
        self.image_size = image_size
        self.embedding = nn.Conv2d(3, dim, PATCH, stride=PATCH)
        self.embedding_norm = nn.LayerNorm(dim)
        self.stages = nn.Sequential()
        side = image_size // PATCH
        for i, (depth, number) in enumerate(zip(depths, heads, strict=True)):
            shift = size // 2 if side > size else 0
            blocks = [SwinBlock(dim, number, size, shift if j % 2 else 0) for j in range(depth)]
            self.stages.append(nn.Sequential(*blocks))
            if i < len(depths) - 1:
                self.stages.append(PatchMerging(dim))
                dim, side = 2 * dim, side // 2
        self.norm = nn.LayerNorm(dim)
        self.classifier = nn.Linear(dim, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            if isinstance(module, WindowAttention):
                nn.init.trunc_normal_(module.bias, std=0.02)

    def forward(self, x: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N num_classes"]:
        """The score of each class."""
        require_shape(x, f"N 3 {self.image_size} {self.image_size}")
        tokens = self.stages(self.embedding_norm(self.embedding(x).movedim(1, 3)))
        return self.classifier(self.norm(tokens).mean((1, 2)))
