"""What is called where an earlier answer of the learner's is wrong, so that what calls it can be judged by itself.

Each takes the arguments and gives the shapes of the answer of its name; what it computes is something else. The learner's
code and the right answer call the same. This file is also read beside untrusted code: no right answer is in it.
"""

from typing import Any

from torch import Tensor, nn


def last_position(x: Tensor) -> Tensor:
    return x[:, :, -1, -1]


def each_by_itself(scores: Tensor, dim: int = -1, temperature: float = 1.0) -> Tensor:
    return (scores / temperature).sigmoid()


def attention_of_sines(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    scores = (q @ k.transpose(-2, -1)).sin()
    weights = (scores if mask is None else scores.masked_fill(~mask, float("-inf"))).softmax(-1)
    return weights @ v, weights


class Earlier(nn.Module):
    """Takes the arguments of any constructor, and has no parameters."""

    def __init__(self, *given: Any, **named: Any):
        super().__init__()


class ChannelScores(Earlier):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True).sin()


class PositionScores(Earlier):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1, keepdim=True).sin()


class ChannelsScaled(ChannelScores):
    def weights(self, x: Tensor) -> Tensor:
        return super().forward(x)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights(x)


class PositionsScaled(PositionScores):
    def weights(self, x: Tensor) -> Tensor:
        return super().forward(x)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights(x)


class TokensMixed(Earlier):
    def __init__(self, dim: int, heads: int = 8):
        super().__init__()
        self.heads = heads

    def weights(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        one_head = x[:, None]
        return attention_of_sines(one_head, one_head, one_head, mask)[1].expand(-1, self.heads, -1, -1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.weights(x, mask)[:, 0] @ x


IN_PLACE_OF: dict[str, Any] = {
    "softmax": each_by_itself,
    "squeeze": last_position,
    "ChannelAttention": ChannelsScaled,
    "SpatialAttention": PositionsScaled,
    "ChannelGate": ChannelScores,
    "SpatialGate": PositionScores,
    "TutorialChannelGate": ChannelScores,
    "TutorialSpatialGate": PositionScores,
    "scaled_dot_product_attention": attention_of_sines,
    "MultiHeadSelfAttention": TokensMixed,
}
