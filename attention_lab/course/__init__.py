"""The course around the lessons: building its notebooks, a learner's progress, a sample class to grade."""
