"""The exercises of all lessons, in the order of the course, by what the grade ids of their test cells begin with."""

from ..exercise import Exercise
from . import squeeze_excitation, weighting

EXERCISES: dict[str, Exercise] = {
    exercise.key: exercise for lesson in (weighting, squeeze_excitation) for exercise in lesson.EXERCISES
}
