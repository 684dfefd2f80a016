"""What handing in late costs: a plugin of nbgrader's, for one line of nbgrader_config.py."""

from math import ceil

from nbgrader.plugins import LateSubmissionPlugin
from traitlets import Float


class PerDay(LateSubmissionPlugin):
    """Points off for each day that has begun since the lesson was due, however many there are; nbgrader stops at 0."""

    points = Float(1, help="How many points a day costs.").tag(config=True)

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float:
        return self.points * ceil(total_seconds_late / 86_400)
