"""Evidence for a heat map: does it tell what the model looks at?

``maps`` makes maps, ``measures`` puts them to the test. A map is (N, H, W), the hotter the more important; only the order
of its values plays a part in the tests.
"""

from .maps import grad_cam, gradient_map, relevance, rollout
from .measures import area_under, deletion, insertion, pointing_game, randomised, rank_correlation, verdict

__all__ = [
    "area_under",
    "deletion",
    "grad_cam",
    "gradient_map",
    "insertion",
    "pointing_game",
    "randomised",
    "rank_correlation",
    "relevance",
    "rollout",
    "verdict",
]
