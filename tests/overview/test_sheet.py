"""The table for a spreadsheet: a row for each, and no grade where there is none."""

from classmates import MAXIMUM, learner, solved
from graded import read_by_a_person

from attention_lab.classroom.standing import ABSENT
from attention_lab.overview.learners import Learner
from attention_lab.overview.sheet import sheet


def test_each_learner_has_a_row():
    ada = learner("ada, the first", *solved("a", 1.5, 2, MAXIMUM), *solved("b", 0, 1, MAXIMUM), penalty=1)
    ben = learner("ben", *solved("a", 2, 2), *solved("b", 0, 1), read_by_a_person("text", 0, 3), waiting=("text",))
    assert sheet([ada, ben, Learner("cleo", ABSENT, "nothing was handed in")]).splitlines() == [
        "name,status,reason,score,late,of,a,b,text,misconceptions",
        '"ada, the first",graded,,0.5,1,6,1.5,0,,maximum',
        "ben,waiting for a person,,2,,6,2,0,,",
        "cleo,absent,nothing was handed in,,,6,,,,",
    ]
