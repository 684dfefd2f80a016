"""The Vision Transformer: an image as a sequence of patches, and nothing but self-attention to relate them.

A. Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale", ICLR 2021,
section 3.1 and table 1.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..mechanisms import EncoderBlock, PatchEmbedding
from ..mechanisms.arguments import require_multiple, require_positive, require_shape


class VisionTransformer(nn.Module):
    """Embed the patches, let them exchange what they know layer by layer, and classify by the class token.

        z_0 = [class; patches E] + positions        (equation 1)
        z_l = block_l(z_(l-1))                      (equations 2 and 3)
        output = classifier(LN(z_L)[class])         (equation 4)

    Args:
        dim: width of a token. ViT-B has 768, ViT-L 1024.
        depth: number of blocks. ViT-B has 12, ViT-L 24.
        heads: of each block. ViT-B has 12, ViT-L 16.
        num_classes: size of the output.
        image_size: side of the image in pixels; positions are learned for it.
        patch: side of a patch in pixels; it divides ``image_size``.

    Initialisation as in the authors' code: linear layers of the blocks Xavier, biases and class token 0, positions
    normal with deviation 0.02, patches normal by their fan-in, classifier 0, so that training begins with all classes
    equally likely. The classifier alone learns in the very first step.
    Raises: ValueError if an argument is below 1, ``patch`` does not divide ``image_size`` or ``heads`` ``dim``, or the
    image has another size.
    """

    def __init__(
        self, dim: int, depth: int, heads: int, num_classes: int = 1000, image_size: int = 224, patch: int = 16
    ):
        super().__init__()
        require_positive(depth=depth, num_classes=num_classes, image_size=image_size, patch=patch)
        require_multiple("patch", patch, image_size=image_size)
        self.image_size = image_size
        self.embedding = PatchEmbedding(3, patch, dim)
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.positions = nn.Parameter(torch.empty(1, 1 + (image_size // patch) ** 2, dim))
        self.blocks = nn.Sequential(*(EncoderBlock(dim, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim)
        self.classifier = nn.Linear(dim, num_classes)

        nn.init.normal_(self.positions, std=0.02)
        nn.init.trunc_normal_(self.embedding.projection.weight, std=(3 * patch**2) ** -0.5)
        nn.init.zeros_(self.embedding.projection.bias)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)
        for module in self.blocks.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def tokens(self, x: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N L dim"]:
        """What the first block sees: the class token, then the patches in row-major order, each with its position."""
        require_shape(x, f"N 3 {self.image_size} {self.image_size}")
        return torch.cat((self.class_token.expand(len(x), -1, -1), self.embedding(x)), 1) + self.positions

    def forward(self, x: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N num_classes"]:
        """The score of each class."""
        return self.classifier(self.norm(self.blocks(self.tokens(x))[:, 0]))


class TinyViT(nn.Module):
    """A vision transformer of given parts, without a class token: at the end the tokens are averaged.

    Args:
        embedding: of grey images, (N, 1, H, W) -> (N, L, dim).
        positions: added to the tokens; zeros tell no token where it stands.
        blocks: (N, L, dim) -> (N, L, dim), one after another.
        num_classes: number of logits.
    """

    def __init__(
        self,
        embedding: nn.Module,
        positions: Float[Tensor, "L dim"],
        blocks: Iterable[nn.Module],
        num_classes: int = 10,
    ):
        super().__init__()
        self.embedding = embedding
        self.register_buffer("positions", positions)
        self.blocks = nn.ModuleList(blocks)
        self.classify = nn.Sequential(nn.LayerNorm(positions.shape[1]), nn.Linear(positions.shape[1], num_classes))

    def forward(self, x: Float[Tensor, "N 1 H W"]) -> Float[Tensor, "N num_classes"]:
        """The logits of grey images with values in [0, 1]."""
        tokens = self.embedding((x - 0.5) / 0.25) + self.positions.to(x.dtype)
        for block in self.blocks:
            tokens = block(tokens)
        return self.classify(tokens.mean(1))


class Zeros(nn.Module):
    """Gives zeros, whatever it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


def switched_off(model: nn.Module, kind: type[nn.Module]) -> nn.Module:
    """The model itself, in which every submodule of this class, whatever it is called, now gives zeros."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, kind):
                setattr(parent, name, Zeros())
    return model


def attention_of(model: nn.Module, kind: type[nn.Module], x: Tensor) -> Float[Tensor, "layers N heads L L"]:
    """``weights`` of every submodule of this class, for what each is given when the model sees ``x``."""
    found = []
    layers = [module for module in model.modules() if isinstance(module, kind)]
    hooks = [layer.register_forward_pre_hook(lambda layer, x: found.append(layer.weights(x[0]))) for layer in layers]
    try:
        with torch.no_grad():
            model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(found)
