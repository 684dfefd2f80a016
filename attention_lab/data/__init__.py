"""The data of the course: shipped images and recordings (``images``) and pictures composed of them (``scenes``)."""

from .images import (
    DINOV2_PHOTOS,
    FASHION_CLASSES,
    blurred,
    dinov2_attention,
    dinov2_pca,
    fashion,
    photo,
    photo_names,
    selfie_weights,
)
from .scenes import CUE_CLASSES, CueScenes, Scenes, cue_scenes, of_cue_classes, scenes

__all__ = [
    "CUE_CLASSES",
    "DINOV2_PHOTOS",
    "FASHION_CLASSES",
    "CueScenes",
    "Scenes",
    "blurred",
    "cue_scenes",
    "dinov2_attention",
    "dinov2_pca",
    "fashion",
    "of_cue_classes",
    "photo",
    "photo_names",
    "scenes",
    "selfie_weights",
]
