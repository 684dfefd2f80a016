"""The exercises of all lessons, by id, in the order of the course."""

from ..exercise import Exercise
from . import squeeze_excitation, weighting

EXERCISES: dict[str, Exercise] = {
    exercise.id: exercise for lesson in (weighting, squeeze_excitation) for exercise in lesson.EXERCISES
}
