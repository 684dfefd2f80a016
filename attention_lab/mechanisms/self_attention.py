"""Self-attention: every token asks all tokens, and takes from each as much as it matches.

A. Vaswani et al., "Attention Is All You Need", NIPS 2017, section 3: attention, heads, positions.
A. Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, section 3.1: an image as a sequence of patches.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from .arguments import require_multiple, require_positive, require_shape


def scaled_dot_product_attention(
    q: Float[Tensor, "... L d"],
    k: Float[Tensor, "... S d"],
    v: Float[Tensor, "... S e"],
    mask: Bool[Tensor, "... #L #S"] | None = None,
) -> tuple[Float[Tensor, "... L e"], Float[Tensor, "... L S"]]:
    """For each query, the average of the values, weighted by how well its key matches (section 3.2.1, equation 1).

        weights = softmax(q k^T / sqrt(d)),    output = weights v

    The scores of wide tokens are large; sqrt(d) is the temperature that keeps their softmax from peaking.

    Args:
        q: L queries. In self-attention L = S.
        k: S keys.
        v: the value that stands behind each key.
        mask: True where the query may attend to the key; all pairs may if it is not given.

    Returns: the output and the weights. Weights sum to 1 over the keys; a query that may attend to nothing has weights
    and output 0.
    Raises: ValueError if queries and keys differ in width, keys and values in number, or ``mask`` is not boolean.

    How others differ: ``torch.nn.functional.scaled_dot_product_attention`` gives the same output, but no weights;
    in ``torch.nn.MultiheadAttention`` True means the opposite: may not attend.
    """
    _require_boolean(mask)
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"k must be as wide as q ({q.shape[-1]}), got shape {tuple(k.shape)}")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"v must have one value for each of the {k.shape[-2]} keys, got shape {tuple(v.shape)}")
    scores = q / math.sqrt(q.shape[-1]) @ k.mT
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = torch.softmax(scores, -1)
    if mask is not None:  # a query that may attend to nothing: the softmax of -inf alone is not a number
        weights = weights.masked_fill(~mask, 0)
    return weights @ v, weights


def _require_boolean(mask: Tensor | None) -> None:
    if mask is not None and mask.dtype != torch.bool:
        raise ValueError(f"mask must be boolean, True where a query may attend, got {mask.dtype}")


class MultiHeadSelfAttention(nn.Module):
    """Several attentions side by side, each on its own part of the width, then mixed.

        head_i = attention(x Wq_i, x Wk_i, x Wv_i)
        output = concat(head_1, ..., head_h) Wo     (section 3.2.2)

    What is weighted: tokens, per query and head. Normaliser: softmax, so tokens compete. ``forward`` attends by
    ``torch.nn.functional.scaled_dot_product_attention``, the same as ours and faster, as it keeps no weights.

    Args:
        dim: width of a token. The paper uses 512.
        heads: h, of width dim / heads each. The paper uses 8.

    Parameters: 4 dim^2 + 4 dim. The paper's equations have no biases; the authors of the Vision Transformer and
    ``torch.nn.MultiheadAttention`` have them in all four projections, and so have we.
    Raises: ValueError if an argument is below 1, ``heads`` does not divide ``dim`` or a mask is not boolean.
    """

    def __init__(self, dim: int, heads: int = 8):
        super().__init__()
        require_positive(dim=dim, heads=heads)
        require_multiple("heads", heads, dim=dim)
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.projection = nn.Linear(dim, dim)

    def weights(
        self, x: Float[Tensor, "N L dim"], mask: Bool[Tensor, "... #L #L"] | None = None
    ) -> Float[Tensor, "N heads L L"]:
        """How much each token (row) takes from each token (column): rows sum to 1."""
        return scaled_dot_product_attention(*self._heads(x), mask)[1]

    def forward(
        self, x: Float[Tensor, "N L dim"], mask: Bool[Tensor, "... #L #L"] | None = None
    ) -> Float[Tensor, "N L dim"]:
        """Every token's average of the values, the heads laid side by side and projected.

        ``mask`` is True where a token (row) may attend to a token (column), and broadcasts to (N, heads, L, L).
        """
        _require_boolean(mask)
        heads = F.scaled_dot_product_attention(*self._heads(x), mask)
        return self.projection(heads.transpose(1, 2).flatten(2))

    def _heads(self, x: Float[Tensor, "N L dim"]) -> Float[Tensor, "3 N heads L d"]:
        """Queries, keys and values."""
        require_shape(x, "N L dim")
        return self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)


class PatchEmbedding(nn.Module):
    """Cut an image into square patches and map each to a token by one linear layer (ViT, equation 1).

    The layer is a convolution whose window and stride are the patch. Tokens are in row-major order: token
    i W / patch + j comes from patch row i and patch column j. The class token and positions are the network's.

    Args:
        in_channels: C, the number of channels of the image.
        patch: side of a patch in pixels. ViT-B/16 uses 16.
        dim: width of a token. ViT-B uses 768.

    Parameters: C patch^2 dim + dim.
    Raises: ValueError if an argument is below 1, or in ``forward`` if ``patch`` does not divide H and W.
    """

    def __init__(self, in_channels: int, patch: int, dim: int):
        super().__init__()
        require_positive(in_channels=in_channels, patch=patch, dim=dim)
        self.patch = patch
        self.projection = nn.Conv2d(in_channels, dim, patch, stride=patch)

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N L dim"]:
        """One token for each of the L = (H / patch) (W / patch) patches."""
        require_shape(x, "N C H W")
        require_multiple("patch", self.patch, height=x.shape[2], width=x.shape[3])
        return self.projection(x).flatten(2).mT


def sinusoidal_positions(length: int, dim: int) -> Float[Tensor, "length dim"]:
    """Waves that tell a token where it stands (section 3.5): a sine and a cosine for each of dim / 2 frequencies.

        P[p, 2i] = sin(p / 10000^(2i / dim)),    P[p, 2i + 1] = cos(p / 10000^(2i / dim))

    Args:
        length: number of positions.
        dim: width of a token, even.

    Returns: the positions, in torch's default dtype, to be added to the tokens. They have no parameters; the Vision
    Transformer learns its positions instead.
    Raises: ValueError if an argument is below 1 or ``dim`` is odd.
    """
    require_positive(length=length, dim=dim)
    if dim % 2:
        raise ValueError(f"dim must be even, a sine and a cosine for each frequency, got {dim}")
    positions = torch.arange(length, dtype=torch.float64)
    frequencies = 10000 ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    angles = torch.outer(positions, frequencies)
    return torch.stack((angles.sin(), angles.cos()), 2).flatten(1).to(torch.get_default_dtype())


class EncoderBlock(nn.Module):
    """A layer of the Vision Transformer: tokens exchange what they know, then each thinks for itself.

        x' = x + MSA(LN(x))                         (ViT, equation 2)
        output = x' + MLP(LN(x'))                   (ViT, equation 3)

    What is weighted: tokens. The normalisation comes before each half (pre-norm), so the skip connections carry ``x``
    itself; the Transformer of 2017 normalised after each addition.

    Args:
        dim: width of a token. ViT-B uses 768.
        heads: of the attention. ViT-B uses 12.
        mlp_ratio: the MLP's hidden layer has mlp_ratio * dim units. ViT uses 4.

    Parameters: 4 dim^2 + 2 mlp_ratio dim^2 + (9 + mlp_ratio) dim.
    Raises: ValueError if an argument is below 1 or ``heads`` does not divide ``dim``.

    How others differ: the authors' released code computes GELU by its tanh approximation and, as timm and torchvision
    do, adds 1e-6 to the variance; we take PyTorch's defaults, the exact GELU and 1e-5.
    """

    def __init__(self, dim: int, heads: int = 8, mlp_ratio: int = 4):
        super().__init__()
        require_positive(mlp_ratio=mlp_ratio)
        self.attention = MultiHeadSelfAttention(dim, heads)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, mlp_ratio * dim),
            nn.GELU(),
            nn.Linear(mlp_ratio * dim, dim),
        )

    def weights(self, x: Float[Tensor, "N L dim"]) -> Float[Tensor, "N heads L L"]:
        """How much each token (row) takes from each token (column) in the block's attention: rows sum to 1."""
        return self.attention.weights(self.norm1(x))

    def forward(self, x: Float[Tensor, "N L dim"]) -> Float[Tensor, "N L dim"]:
        """``x``, plus what its tokens take from each other, plus what each makes of it."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))
