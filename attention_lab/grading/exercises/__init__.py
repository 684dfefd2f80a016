"""The exercises of every lesson, in the order of the course."""

from ..exercise import Exercise
from . import (
    bam,
    cbam,
    evidence,
    family,
    networks,
    selective_kernel,
    self_attention,
    spatial_transformer,
    squeeze_excitation,
    weighting,
)

LESSONS: dict[str, tuple[Exercise, ...]] = {
    "01-attention-as-weighting": weighting.EXERCISES,
    "02-squeeze-excitation": squeeze_excitation.EXERCISES,
    "03-cbam": cbam.EXERCISES,
    "04-bam": bam.EXERCISES,
    "05-selective-kernel": selective_kernel.EXERCISES,
    "06-self-attention": self_attention.EXERCISES,
    "07-spatial-transformer": spatial_transformer.EXERCISES,
    "08-attention-in-networks": networks.EXERCISES,
    "09-is-it-true": evidence.EXERCISES,
    "10-the-family-since": family.EXERCISES,
}

EXERCISES: dict[str, Exercise] = {exercise.key: exercise for lesson in LESSONS.values() for exercise in lesson}
"""Every exercise by what the grade ids of its test cells begin with."""

TEXTS: dict[str, tuple[str, int]] = {
    "01-attention-as-weighting": ("which-weighting", 3),
    "08-attention-in-networks": ("report", 5),
    "09-is-it-true": ("which-map", 4),
}
"""Of a lesson, the exercise that is a free text, which its instructor reads, and its points."""

HINTS: dict[str, tuple[str, str, str]] = {exercise.id: exercise.hints for exercise in EXERCISES.values()}
