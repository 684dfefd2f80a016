"""DINOv2's vision transformer, from its trained weights, with anybody's self-attention inside.

M. Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", TMLR 2024. The weights are not part of
this course: ``dinov2_file`` says where a file of them is, and reads it.
"""

import itertools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..mechanisms import MultiHeadSelfAttention, PatchEmbedding
from ..mechanisms.arguments import require_shape

HEAD_WIDTH = 64
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's colours, as the network was trained


class DINOv2(nn.Module):
    """The network that some weights belong to; depth, width and patch are read from them.

        x' = x + scale1 attention(LN(x)),    output = x' + scale2 MLP(LN(x'))

    Args:
        state: the weights under the names of Hugging Face's ``Dinov2Model``, as ``dinov2_file.read_weights`` returns them.
        attention: makes a self-attention from (dim, heads), with a method ``weights``: its layers are four
            ``nn.Linear`` of dim x dim, or one of dim x 3 dim for queries, keys and values and one for the output.

    Raises: ValueError if no way to put the weights into ``attention`` gives what the network was trained with.
    """

    def __init__(self, state: dict[str, Tensor], attention: Callable[[int, int], nn.Module] = MultiHeadSelfAttention):
        super().__init__()
        dim, channels, self.patch, _ = state["embeddings.patch_embeddings.projection.weight"].shape
        self.embedding = PatchEmbedding(channels, self.patch, dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.class_token = nn.Parameter(state["embeddings.cls_token"])
        self.positions = nn.Parameter(state["embeddings.position_embeddings"])
        depth = 1 + max(int(name.split(".")[2]) for name in state if name.startswith("encoder.layer."))
        self.blocks = nn.ModuleList(Block(part(state, f"encoder.layer.{i}."), dim, attention) for i in range(depth))
        self.embedding.projection.load_state_dict(part(state, "embeddings.patch_embeddings.projection."))
        self.norm.load_state_dict(part(state, "layernorm."))
        self.eval()

    def weights(self, x: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N layers heads h w"]:
        """What the class token takes from each patch. ``x`` is RGB in [0, 1]; ``patch`` divides H and W."""
        tokens, maps = self.tokens(x), []
        for block in self.blocks:
            maps.append(block.attention.weights(block.norm1(tokens))[:, :, 0, 1:])
            tokens = block(tokens)
        return torch.stack(maps, 1).unflatten(3, (x.shape[2] // self.patch, x.shape[3] // self.patch))

    def forward(self, x: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N L dim"]:
        """The features of the class token, then of the patches in row-major order."""
        tokens = self.tokens(x)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def tokens(self, x: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N L dim"]:
        require_shape(x, "N 3 H W")
        patches = self.embedding(normalised(x))
        first, grid = self.positions[:, :1], self.positions[:, 1:]
        side = round(grid.shape[1] ** 0.5)
        size = (x.shape[2] // self.patch, x.shape[3] // self.patch)
        grid = F.interpolate(grid.mT.unflatten(2, (side, side)), size, mode="bicubic").flatten(2).mT
        return torch.cat((self.class_token.expand(len(x), -1, -1) + first, patches + grid), 1)


class Block(nn.Module):
    def __init__(self, state: dict[str, Tensor], dim: int, attention: Callable[[int, int], nn.Module]):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.scale1, self.scale2 = (nn.Parameter(state[f"layer_scale{i}.lambda1"]) for i in (1, 2))
        hidden = len(state["mlp.fc1.bias"])
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))
        for layer, name in (
            (self.norm1, "norm1"),
            (self.norm2, "norm2"),
            (self.mlp[0], "mlp.fc1"),
            (self.mlp[2], "mlp.fc2"),
        ):
            layer.load_state_dict(part(state, f"{name}."))
        self.attention = attention(dim, dim // HEAD_WIDTH)
        load_attention(self.attention, part(state, "attention."), dim // HEAD_WIDTH)

    def forward(self, x: Float[Tensor, "N L dim"]) -> Float[Tensor, "N L dim"]:
        x = x + self.scale1 * self.attention(self.norm1(x))
        return x + self.scale2 * self.mlp(self.norm2(x))


def normalised(x: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N 3 H W"]:
    """RGB in [0, 1] as the network was trained with it."""
    mean, deviation = (torch.tensor(colours).view(3, 1, 1) for colours in (MEAN, DEVIATION))
    return (x - mean) / deviation


def part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def load_attention(attention: nn.Module, state: dict[str, Tensor], heads: int) -> None:
    """Put trained weights into a self-attention whatever its layers are called: the way that gives the right output."""
    linear = [layer for layer in attention.modules() if isinstance(layer, nn.Linear)]
    names = ("attention.query", "attention.key", "attention.value", "output.dense")
    *apart, out = ((state[f"{name}.weight"], state[f"{name}.bias"]) for name in names)
    trained = [tuple(map(torch.cat, zip(*apart))), out] if len(linear) == 2 else [*apart, out]
    x = torch.randn(1, 5, out[0].shape[0], generator=torch.Generator().manual_seed(0))
    q, k, v = (F.linear(x, *layer).unflatten(2, (heads, -1)).transpose(1, 2) for layer in apart)
    expected = F.linear(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2), *out)
    for order in itertools.permutations(linear):
        shapes = [(layer.weight.shape, layer.bias is None) for layer in order]
        if len(linear) != len(trained) or shapes != [(weight.shape, False) for weight, _ in trained]:
            continue
        with torch.no_grad():
            for layer, (weight, bias) in zip(order, trained):
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)
            if torch.allclose(attention(x), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max())):
                return
    raise ValueError(
        "attention must be multi-head self-attention with four nn.Linear(dim, dim), or nn.Linear(dim, 3 * dim) for q, k, v "
        "and nn.Linear(dim, dim) for the output, all with biases"
    )
