"""Handing in late costs points for each day begun."""

import pytest
from traitlets.config import Config

from attention_lab.classroom.late import PerDay

DAY = 24 * 3600


@pytest.mark.parametrize(("late", "points"), [(0, 0), (1, 1), (DAY, 1), (DAY + 1, 2), (10 * DAY, 10)])
def test_each_day_that_has_begun_costs_a_point(late, points):
    assert PerDay().late_submission_penalty("ada", 18, late) == points


def test_what_a_day_costs_is_a_setting():
    assert PerDay(config=Config(PerDay={"points": 0.5})).late_submission_penalty("ada", 18, DAY + 1) == 1
