"""The mechanisms: one file each, every one a ``weights(x)`` and a ``forward(x)`` that combines them with ``x``."""

from .bam import BAM, ChannelGate, SpatialGate, receptive_field
from .cbam import CBAM, ChannelAttention, SpatialAttention
from .coordinate_attention import CoordinateAttention
from .deformable_attention import DeformableAttention
from .eca import ECA
from .online_softmax import attention_in_blocks
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
from .window_attention import WindowAttention, shifted_mask, window_partition, window_reverse
from .zero_start import ZeroStart

__all__ = [
    "BAM",
    "CBAM",
    "ECA",
    "ChannelAttention",
    "ChannelGate",
    "CoordinateAttention",
    "DeformableAttention",
    "EncoderBlock",
    "MultiHeadSelfAttention",
    "PatchEmbedding",
    "SelectiveKernel",
    "SpatialAttention",
    "SpatialGate",
    "SpatialTransformer",
    "SqueezeExcitation",
    "WindowAttention",
    "ZeroStart",
    "affine_grid",
    "attention_in_blocks",
    "bilinear_sample",
    "branch_softmax",
    "recalibrate",
    "receptive_field",
    "scaled_dot_product_attention",
    "se_residual",
    "select",
    "shifted_mask",
    "sinusoidal_positions",
    "softmax",
    "squeeze",
    "window_partition",
    "window_reverse",
]
