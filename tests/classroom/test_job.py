"""A submission that was run and judged holds what its cells show and what its checks say; a seed asks the same again."""

import json
from dataclasses import replace

import nbformat
import pytest
from graded import SE
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from attention_lab.classroom.inspection import Limits
from attention_lab.classroom.job import Job, done

RIGHT = "def squeeze(x):\n    return x.mean((2, 3))"


def graded(source: str, id: str, points: int = 1) -> nbformat.NotebookNode:
    mark = {"grade": True, "solution": False, "locked": True, "schema_version": 3, "points": points, "grade_id": id}
    return new_code_cell(source, id=id, metadata={"nbgrader": mark})


def job(*cells, files=(), limits=Limits(20, 20, 100), seed=1) -> Job:  # noqa: B008
    made = new_notebook(cells=[new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells])
    return Job(json.dumps(made), dict(files), "demo", limits, False, seed)


def shown(job: Job) -> list[list]:
    cells = nbformat.reads(done(job), as_version=4).cells
    return [cell.get("outputs", []) for cell in cells]


CHECK = graded('check("squeeze-values", squeeze)', "squeeze-values")


def test_cells_show_what_they_show_and_checks_their_verdict():
    text, one, _, check, points = shown(
        job(new_markdown_cell("# Text"), "1", RIGHT, CHECK, 'points("02-squeeze-excitation")')
    )
    assert text == [] and one[0].data == {"text/plain": "1"}
    assert "all is well, 1 point" in check[0].data["text/plain"]
    assert "squeeze" in points[0].data["text/plain"]


def test_a_verdict_is_told_to_programs_too():
    wrong = RIGHT.replace("mean", "amax")
    data = [shown(job(answer, CHECK))[1][0].metadata.attention_lab for answer in (RIGHT, wrong)]
    assert data[0] == {"id": "squeeze-values", "points": 1, "passed": True}
    assert (data[1].passed, data[1].misconception, data[1].question[-1]) == (False, "maximum", "?")


def test_demonstrations_and_outputs_that_were_handed_in_are_not_there():
    demo = new_code_cell("1", metadata={"tags": ["demo"]})
    claimed = graded('check("squeeze-values", squeeze)', "squeeze-values")
    claimed.outputs = [nbformat.v4.new_output("stream", text="all is well")]
    (nothing, (error,)) = shown(job(demo, claimed))
    assert nothing == [] and error.ename == "NameError"


def test_files_beside_the_notebook_can_be_read():
    assert shown(job("open('a/b.txt').read()", files={"a/b.txt": b"x"}.items()))[0][0].data["text/plain"] == "'x'"


def test_an_instructors_own_test_counts_by_its_own_outputs_and_says_where_it_was_checked():
    passed, failed = shown(job(graded("assert True", "a"), graded("assert False", "b")))
    assert [output.output_type for output in failed] == ["error", "stream"]
    assert passed[0].text == failed[1].text == "Checked in the kernel, beside the code that it checks.\n"


def test_the_points_shown_are_of_what_the_notebook_asks_an_instructors_own_tests_among_it():
    own = graded("assert squeeze.__name__ == 'squeeze'", "named", 2), graded("assert squeeze.__doc__", "documented", 3)
    points = shown(job(RIGHT, CHECK, *own, 'points("02-squeeze-excitation")'))[-1][0].data["text/plain"]
    rows = [line.split() for line in points.splitlines()[-4:]]
    assert rows == [["squeeze", "1", "1"], ["named", "2", "2"], ["documented", "0", "3"], ["total", "3", "6"]]


def test_what_was_not_run_in_time_fails():
    (error, _) = shown(job("while True: pass", graded("assert True", "a"), limits=Limits(1, 1, 0)))[1]
    assert error.output_type == "error" and "were over" in error.evalue


@pytest.mark.parametrize("seeds", [(5, 5), (5, 6)])
def test_the_same_seed_asks_the_same(seeds):
    wrong = RIGHT.replace("mean", "amax")
    told = [shown(job("import torch", wrong, CHECK, "torch.rand(1)", seed=seed)) for seed in seeds]
    assert (told[0] == told[1]) == (seeds[0] == seeds[1])


@pytest.mark.parametrize(("given", "statistic"), [(False, "amax"), (True, "std")], ids=["a known mistake", "another"])
def test_what_is_right_for_ones_own_wrong_earlier_answer_says_so_and_may_have_its_points(given, statistic):
    check = graded('check("squeeze-excitation-values", SqueezeExcitation)', "squeeze-excitation-values")
    asked = job(RIGHT.replace("mean", statistic), SE, check, 'points("02-squeeze-excitation")')
    *_, verdict, points = shown(replace(asked, follow_through=given))
    told = verdict[0].metadata.attention_lab
    assert told.misconception == "follow-through" and ("its points are given (follow-through)" in told.name) == given
    assert (verdict[-1].output_type == "error") != given
    earned = next(line for line in points[0].data["text/plain"].splitlines() if line.startswith("squeeze-excitation"))
    assert earned.split()[1:] == (["4", "4"] if given else ["0", "4"])


def test_jobs_are_the_same_by_their_cells_and_files():
    first = job("1")
    again = Job(first.notebook, {}, "demo", Limits(), True, 7)
    assert first.same_as(again)
    assert not first.same_as(job("2"))
    assert not first.same_as(Job(first.notebook, {"a": b""}, "demo", Limits(), True, 7))
