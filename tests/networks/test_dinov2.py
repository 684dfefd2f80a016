"""DINOv2 of any weights: here few and random ones under the same names; test_dinov2_file.py has the trained ones."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from attention_lab.mechanisms import MultiHeadSelfAttention
from attention_lab.networks.dinov2 import DEVIATION, MEAN, DINOv2

DIM, HEADS, DEPTH, SIDE, PATCH = 128, 2, 2, 4, 14


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    shapes = {
        "embeddings.cls_token": (1, 1, DIM),
        "embeddings.position_embeddings": (1, 1 + SIDE**2, DIM),
        "embeddings.patch_embeddings.projection.weight": (DIM, 3, PATCH, PATCH),
        "embeddings.patch_embeddings.projection.bias": (DIM,),
        "layernorm.weight": (DIM,),
        "layernorm.bias": (DIM,),
    }
    for i in range(DEPTH):
        shapes |= {
            f"encoder.layer.{i}.{name}": shape
            for name, shape in {
                "norm1.weight": (DIM,),
                "norm1.bias": (DIM,),
                "attention.attention.query.weight": (DIM, DIM),
                "attention.attention.query.bias": (DIM,),
                "attention.attention.key.weight": (DIM, DIM),
                "attention.attention.key.bias": (DIM,),
                "attention.attention.value.weight": (DIM, DIM),
                "attention.attention.value.bias": (DIM,),
                "attention.output.dense.weight": (DIM, DIM),
                "attention.output.dense.bias": (DIM,),
                "layer_scale1.lambda1": (DIM,),
                "norm2.weight": (DIM,),
                "norm2.bias": (DIM,),
                "mlp.fc1.weight": (4 * DIM, DIM),
                "mlp.fc1.bias": (4 * DIM,),
                "mlp.fc2.weight": (DIM, 4 * DIM),
                "mlp.fc2.bias": (DIM,),
                "layer_scale2.lambda1": (DIM,),
            }.items()
        }
    generator = torch.Generator().manual_seed(0)
    return {name: 0.2 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, SIDE * PATCH, SIDE * PATCH, generator=torch.Generator().manual_seed(1))


class FourLayers(nn.Module):
    """Self-attention as a learner may have written it: other names, another order."""

    def __init__(self, dim, heads=8):
        super().__init__()
        self.mix, self.values, self.keys, self.queries = (nn.Linear(dim, dim) for _ in range(4))
        self.heads = heads

    def parts(self, x):
        layers = (self.queries, self.keys, self.values)
        return [layer(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in layers]

    def weights(self, x):
        q, k, _ = self.parts(x)
        return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)

    def forward(self, x):
        return self.mix((self.weights(x) @ self.parts(x)[2]).transpose(1, 2).flatten(2))


def written_out(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """The network in PyTorch's own functions."""
    x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(DEVIATION).view(3, 1, 1)
    kernel, bias = (state[f"embeddings.patch_embeddings.projection.{name}"] for name in ("weight", "bias"))
    patches = F.conv2d(x, kernel, bias, stride=PATCH).flatten(2).mT
    x = torch.cat((state["embeddings.cls_token"].expand(2, -1, -1), patches), 1)
    x = x + state["embeddings.position_embeddings"]

    def norm(x, name):
        return F.layer_norm(x, (DIM,), state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)

    def linear(x, name):
        return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    for i in range(DEPTH):
        block = f"encoder.layer.{i}."
        asked = norm(x, f"{block}norm1")
        q, k, v = (
            linear(asked, f"{block}attention.attention.{name}").unflatten(2, (HEADS, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        heads = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + state[f"{block}layer_scale1.lambda1"] * linear(heads, f"{block}attention.output.dense")
        hidden = F.gelu(linear(norm(x, f"{block}norm2"), f"{block}mlp.fc1"))
        x = x + state[f"{block}layer_scale2.lambda1"] * linear(hidden, f"{block}mlp.fc2")
    return norm(x, "layernorm")


@pytest.mark.parametrize("attention", [MultiHeadSelfAttention, FourLayers])
def test_the_features_are_those_of_the_network_that_the_weights_belong_to(attention, state, images):
    with torch.no_grad():
        assert_close(DINOv2(state, attention)(images), written_out(state, images), rtol=1e-3, atol=1e-3)


def test_the_class_token_spreads_one_over_the_patches_and_itself(state, images):
    with torch.no_grad():
        weights = DINOv2(state).weights(images)
    assert weights.shape == (2, DEPTH, HEADS, SIDE, SIDE)
    assert (weights > 0).all() and (weights.sum((3, 4)) < 1).all()


def test_an_image_of_another_shape_gets_interpolated_positions(state):
    with torch.no_grad():
        assert DINOv2(state)(torch.rand(1, 3, 2 * PATCH, 6 * PATCH)).shape == (1, 13, DIM)


def test_an_attention_of_another_kind_is_refused(state):
    class NoOutput(FourLayers):
        def forward(self, x):
            return (self.weights(x) @ self.parts(x)[2]).transpose(1, 2).flatten(2)

    for kind in (NoOutput, lambda dim, heads: nn.Linear(dim, dim)):
        with pytest.raises(ValueError, match="attention must be multi-head self-attention"):
            DINOv2(state, kind)
