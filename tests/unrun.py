"""A lesson is released as it is written, for tests of what comes after: most of a release is running its cells."""

from pathlib import Path

import pytest

from attention_lab.course import release as module


def release(root: Path, lesson: str) -> None:
    """Release a lesson whose reference has no outputs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "execute", lambda source, notebook, done: notebook)
        module.release(root, lesson)
