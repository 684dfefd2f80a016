"""What is generated from the lessons' sources: up to date, free of solutions, and never at a learner's cost."""

import json
import os
import sysconfig
from pathlib import Path
from subprocess import CompletedProcess

import nbformat
import pytest
from called import called
from edit import change
from telling import secrets

from attention_lab.course.release import release, stale, start_page
from attention_lab.course.source import ReleaseError, lessons, read_source, sources

ROOT = Path(__file__).parents[2]
LESSON = "01-doubling"


def leaks(root: Path) -> list[str]:
    """Where in ``notebooks/`` a learner could read a solution, as ``file: line``."""
    in_json = {json.dumps(line, ensure_ascii=False)[1:-1]: line for line in secrets(root)}
    found = []
    for file in (root / "notebooks").rglob("*"):
        if file.is_file():
            text = file.read_text(encoding="utf-8", errors="ignore")
            found += [f"{file}: {line}" for escaped, line in in_json.items() if escaped in text or line in text]
    return found


def executed(root: Path) -> list[Path]:
    """The learners' notebooks with outputs or execution counts."""

    def has_run(notebook: Path) -> bool:
        cells = nbformat.read(notebook, as_version=4).cells
        return any(cell.get("outputs") or cell.get("execution_count") for cell in cells)

    return [notebook for notebook in (root / "notebooks").glob("*/*.ipynb") if has_run(notebook)]


# The course itself


def test_the_start_page_is_up_to_date_and_leads_to_every_lesson():
    page, text = start_page(ROOT)
    assert page.read_text(encoding="utf-8") == text
    for lesson in lessons(ROOT):
        for source in sources(ROOT, lesson):
            assert f"({lesson}/{source.stem}.ipynb)" in text


def test_the_course_has_lessons():
    assert lessons(ROOT)


def test_every_generated_notebook_matches_its_source():
    """If this fails: `make notebooks`."""
    assert stale(ROOT, lessons(ROOT)) == []


def test_no_output_is_of_shortened_trainings():
    for lesson in lessons(ROOT):
        for source in sources(ROOT, lesson):
            assert "reduced run" not in source.with_suffix(".ipynb").read_text(encoding="utf-8").lower()


def test_no_solution_reaches_the_learners():
    assert leaks(ROOT) == []


def test_learners_get_notebooks_that_were_never_run():
    assert executed(ROOT) == []


# The same checks find what they are made for


def test_a_fresh_release_is_neither_stale_nor_leaking_nor_run(course):
    assert (stale(course, [LESSON]), leaks(course), executed(course)) == ([], [], [])


def test_a_changed_solution_makes_the_instructors_notebook_stale(course, source, reference):
    change(source, "x + x", "2 * x")
    assert stale(course, [LESSON]) == [reference]


def test_changed_metadata_makes_both_notebooks_stale(course, source, reference, handout):
    change(source, '"points": 2', '"points": 3')
    assert stale(course, [LESSON]) == [reference, handout]


def test_a_reference_that_was_never_executed_is_stale(course, source, reference):
    nbformat.write(read_source(source), reference)
    assert stale(course, [LESSON]) == [reference]


def test_an_edited_handout_is_stale(course, handout):
    change(handout, "assert double(3) == 6", "assert double(3)")
    assert stale(course, [LESSON]) == [handout]


def test_a_missing_handout_is_stale(course, handout):
    handout.unlink()
    assert stale(course, [LESSON]) == [handout]


def test_a_changed_picture_is_stale(course, source, handout):
    (source.parent / "picture.png").write_bytes(b"\x89PNG drawn anew")
    assert stale(course, [LESSON]) == [handout.parent / "picture.png"]


def test_a_source_copied_to_the_learners_is_a_leak(course, source, handout):
    (handout.parent / "doubling.py").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    found = "\n".join(leaks(course))
    for secret in ("twice_the_number = x + x", "double(-1.5) == -3", "half was not enough", "BEGIN HIDDEN"):
        assert secret in found


def test_a_solution_pasted_into_a_handout_is_a_leak(course, handout):
    change(handout, "raise NotImplementedError()", "twice_the_number = x + x")
    assert leaks(course) == [f"{handout}: twice_the_number = x + x"]


def test_an_executed_handout_is_found(course, handout):
    change(handout, '"execution_count": null', '"execution_count": 1')
    assert executed(course) == [handout]


# Releasing


def test_instructors_see_outputs_and_learners_see_stubs(reference, handout):
    assert "demonstrated\\n" in reference.read_text(encoding="utf-8")
    double, values, why = [cell for cell in nbformat.read(handout, as_version=4).cells if "nbgrader" in cell.metadata]
    assert double.source == "def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    assert values.source == "assert double(3) == 6"
    assert why.source == "YOUR ANSWER HERE"
    assert not any("lines_to_next_cell" in cell.metadata for cell in nbformat.read(reference, as_version=4).cells)


def test_releasing_again_changes_no_byte(course, reference, handout):
    before = reference.read_bytes(), handout.read_bytes()
    release(course, LESSON, force=True)
    assert (reference.read_bytes(), handout.read_bytes()) == before


def test_releasing_leaves_the_gradebook_and_the_learners_other_files_alone(course, source, handout):
    (course / "gradebook.db").write_text("the instructor's")
    notes = handout.parent / "my notes.txt"
    notes.write_text("mine")
    change(source, "# # Doubling", "# # Doubling numbers")
    release(course, LESSON)
    assert "Doubling numbers" in handout.read_text(encoding="utf-8")
    assert (course / "gradebook.db").read_text() == "the instructor's"
    assert notes.read_text() == "mine"
    assert {path.name for path in course.iterdir()} == {"gradebook.db", "nbgrader_config.py", "notebooks", "solutions"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"execution_count": null', '"execution_count": 1'),
        ("raise NotImplementedError()", "return 2 * x"),
        ("YOUR ANSWER HERE", "When the whole is needed."),
    ],
)
def test_work_of_a_learner_is_overwritten_only_by_force(course, source, reference, handout, old, new):
    change(handout, old, new)
    change(source, "# # Doubling", "# # Doubling numbers")
    work, before = handout.read_bytes(), reference.read_bytes()
    with pytest.raises(ReleaseError, match=r"doubling\.ipynb has been worked in"):
        release(course, LESSON)
    assert (handout.read_bytes(), reference.read_bytes()) == (work, before)
    release(course, LESSON, force=True)
    assert stale(course, [LESSON]) == []


def test_a_failing_solution_is_not_released(course, source, handout):
    before = handout.read_bytes()
    change(source, "x + x", "x - x")
    with pytest.raises(ReleaseError, match="AssertionError"):
        release(course, LESSON)
    assert handout.read_bytes() == before


def test_nbgrader_itself_makes_the_same_notebook(nbgrader, handout):
    """So an instructor may call `nbgrader generate_assignment --force` to enter a lesson into the gradebook."""
    before = handout.read_bytes()
    nbgrader("generate_assignment", LESSON, "--force")
    assert handout.read_bytes() == before


def test_the_command_rebuilds_what_is_stale_and_nothing_else(course, source, reference, monkeypatch):
    monkeypatch.setenv("PATH", os.defpath)

    def command(*arguments: str) -> CompletedProcess:
        return called("release", *arguments, cwd=source.parent)

    assert command().stdout == f"{LESSON}: up to date\n"
    checked = command("--check")
    assert (checked.stdout, checked.stderr, checked.returncode) == ("", "", 0)
    change(source, 'print("demonstrated")', 'import shutil; print(shutil.which("nbgrader"))')
    change(course / "solutions" / "index.py", "# # The course", "# # The whole course")
    before, checked = reference.read_bytes(), command("--check")
    listed = [reference, course / "notebooks" / LESSON / "doubling.ipynb", course / "notebooks" / "index.ipynb"]
    assert checked.stdout.split() == [str(file.relative_to(course)) for file in listed]
    assert checked.returncode == 1 and reference.read_bytes() == before
    done = command("--lesson", LESSON)
    assert (done.stdout, done.stderr) == (f"{LESSON}: executing ...\n{LESSON}: released\n", "")
    assert sysconfig.get_path("scripts") in reference.read_text(encoding="utf-8")  # found without activating
    assert command("--check").returncode == 0
    change(source, "# # Doubling", "# # Doubling <!-- points: triple -->")
    wrong = command("--check")
    assert wrong.stderr == f"Error: {source}: <!-- points: triple --> stands for nothing here\n"
    assert wrong.returncode == 2
    unknown = command("--lesson", "99-nothing")
    assert unknown.returncode == 2
    assert unknown.stderr == f"Error: there is no lesson 99-nothing; the lessons are {LESSON}.\n"
