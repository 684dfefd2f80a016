"""A command of nbgrader connects to its gradebook once."""

import pytest
from nbgrader import api
from nbgrader.api import Gradebook

from attention_lab.grading.gradebook import one_engine


def test_inside_all_gradebooks_of_a_course_share_a_connection_and_afterwards_each_has_its_own(tmp_path):
    here, there = (f"sqlite:///{tmp_path / name}.db" for name in ("here", "there"))
    with one_engine():
        with one_engine(), Gradebook(here) as first:
            first.add_student("ada")
        with Gradebook(here) as second, Gradebook(there) as other:
            assert second.engine is first.engine is not other.engine
            assert [student.id for student in second.students] == ["ada"] and other.students == []
    with Gradebook(here) as later, Gradebook(here) as again:
        assert len({first.engine, later.engine, again.engine}) == 3
        assert [student.id for student in later.students] == ["ada"]


def test_after_an_error_all_is_as_before(tmp_path):
    before = api.create_engine, api.Base.metadata.create_all
    with pytest.raises(KeyError), one_engine():
        raise KeyError
    assert (api.create_engine, api.Base.metadata.create_all) == before
