"""The mechanisms: one file each, every one a ``weights(x)`` and a ``forward(x)`` that combines them with ``x``."""

from .bam import BAM, ChannelGate, SpatialGate, receptive_field
from .cbam import CBAM, ChannelAttention, SpatialAttention
from .selective_kernel import SelectiveKernel, branch_softmax
from .self_attention import (
    EncoderBlock,
    MultiHeadSelfAttention,
    PatchEmbedding,
    scaled_dot_product_attention,
    sinusoidal_positions,
)
from .spatial_transformer import SpatialTransformer, affine_grid, bilinear_sample
from .squeeze_excitation import SqueezeExcitation, se_residual, squeeze
from .weighting import recalibrate, select, softmax

__all__ = [
    "BAM",
    "CBAM",
    "ChannelAttention",
    "ChannelGate",
    "EncoderBlock",
    "MultiHeadSelfAttention",
    "PatchEmbedding",
    "SelectiveKernel",
    "SpatialAttention",
    "SpatialGate",
    "SpatialTransformer",
    "SqueezeExcitation",
    "affine_grid",
    "bilinear_sample",
    "branch_softmax",
    "recalibrate",
    "receptive_field",
    "scaled_dot_product_attention",
    "se_residual",
    "select",
    "sinusoidal_positions",
    "softmax",
    "squeeze",
]
