"""Every lesson keeps what it promises: points, checks, hints; a learner's notebook fails in its stubs only."""

import os
import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbgrader.utils import is_grade, is_solution

from attention_lab.course.execute import Client
from attention_lab.course.source import lessons, not_asked, read_lesson, read_start_page
from attention_lab.grading import notebook
from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.rubric import model_answer, rubric

ROOT = Path(__file__).parents[1]

# The contract, held against every statement, head and check; they do not read it.
POINTS = {
    "01-attention-as-weighting": {"temperature-softmax": 4, "select": 4, "recalibrate": 4, "which-weighting": 3},
    "02-squeeze-excitation": {"squeeze": 2, "squeeze-excitation": 8, "se-residual": 3, "debug-se": 5},
    "03-cbam": {"channel-attention": 7, "spatial-attention": 7, "cbam": 2, "which-order": 4, "debug-cbam": 6},
    "04-bam": {"channel-gate": 6, "spatial-gate": 6, "bam": 5, "receptive-field": 3, "debug-bam": 6},
    "05-selective-kernel": {"branch-softmax": 2, "selective-kernel": 8, "which-reading": 3, "debug-sk": 5},
    "06-self-attention": {
        "scaled-dot-product": 6,
        "multi-head": 8,
        "patch-embedding": 4,
        "positions": 4,
        "encoder-block": 5,
    },
    "07-spatial-transformer": {"affine-grid": 4, "bilinear-sample": 8, "spatial-transformer": 4, "follows": 1},
    "08-attention-in-networks": {
        "count-parameters": 2,
        "count-macs": 6,
        "attention-bottleneck": 8,
        "verdict": 5,
        "grad-cam": 6,
        "report": 5,
    },
    "09-is-it-true": {
        "deletion": 6,
        "area-under": 3,
        "pointing-game": 3,
        "randomised": 5,
        "rank-correlation": 4,
        "debug-deletion": 5,
        "which-map": 4,
    },
    "10-the-family-since": {
        "eca": 6,
        "coordinate-attention": 8,
        "windows": 4,
        "shifted-mask": 6,
        "online-softmax": 7,
        "deformable": 8,
        "zero-start": 3,
    },
}
FREE_TEXT = {"which-weighting", "report", "which-map"}

LESSONS = lessons(ROOT)


@cache
def notebooks(lesson: str) -> list[nbformat.NotebookNode]:
    """The notebooks of a lesson, not executed; read when they are first asked for, not in every process that collects."""
    return list(read_lesson(ROOT, lesson).values())


def cells_of(lesson: str) -> list[nbformat.NotebookNode]:
    return [cell for notebook in notebooks(lesson) for cell in notebook.cells]


@cache
def start_page() -> str:
    return read_start_page(ROOT).cells[0].source


def graded(lesson: str) -> dict[str, nbformat.NotebookNode]:
    return {cell.metadata.nbgrader.grade_id: cell for cell in cells_of(lesson) if "nbgrader" in cell.metadata}


def test_the_lessons_are_those_of_the_course_in_order():
    assert LESSONS == list(POINTS)[: len(LESSONS)]


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_exercise_has_the_points_that_were_promised(lesson):
    points, exercise = {}, None
    for grade_id, cell in graded(lesson).items():
        if is_solution(cell):
            exercise, points[grade_id] = grade_id, 0
        if is_grade(cell):
            points[exercise] += cell.metadata.nbgrader.points
    assert list(points.items()) == list(POINTS[lesson].items())


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_asks_all_exercises_and_checks_that_the_course_has_for_it(lesson):
    assert not_asked(lesson, notebooks(lesson)) == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_statement_says_the_points_that_were_promised(lesson):
    text = "\n".join(cell.source for cell in cells_of(lesson) if cell.cell_type == "markdown")
    stated = re.findall(r"\*\*(\d+)\s+points?\*\*|\((\d+) points?, read by your instructor\)", text)
    assert [int(code or words) for code, words in stated] == list(POINTS[lesson].values())


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_points_shown_at_the_end_are_of_all_exercises_texts_too(lesson, capsys, monkeypatch):
    monkeypatch.setattr(notebook, "points_earned", {})
    notebook.points(lesson)
    *rows, total = capsys.readouterr().out.splitlines()[3:]
    assert {row.split()[0]: int(row.split()[-1]) for row in rows} == POINTS[lesson]
    assert total.split() == ["total", "0", str(sum(POINTS[lesson].values()))]


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_course_map_says_the_minutes_and_points_of_the_lesson(lesson):
    head = cells_of(lesson)[0].source
    row = next(line for line in start_page().splitlines() if line.startswith(f"| [{lesson[:2]} "))
    _, _, _, minutes, _, points, _ = row.split("|")
    assert f"about {minutes.strip()} minutes" in head
    assert f"| **Points** | {points.strip()} |" in head
    assert int(points) == sum(POINTS[lesson].values())


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_graded_exercise_comes_with_three_hints_to_unfold(lesson):
    text = "\n".join(cell.source for cell in cells_of(lesson) if cell.cell_type == "markdown")
    for exercise in set(POINTS[lesson]) - FREE_TEXT:
        hints = next(e.hints for e in EXERCISES.values() if e.id == exercise)
        assert all(hint in text for hint in hints)


def read_by_a_person() -> dict[str, list[nbformat.NotebookNode]]:
    """The cells that a person gives the points for, by lesson."""
    return {lesson: [cell for cell in cells_of(lesson) if is_grade(cell) and is_solution(cell)] for lesson in LESSONS}


def test_every_free_text_has_a_rubric_that_gives_its_points_and_a_model_answer():
    texts = [cell for cells in read_by_a_person().values() for cell in cells]
    assert {cell.id for cell in texts} == FREE_TEXT
    for cell in texts:
        assert sum(line.points for line in rubric(cell.source)) == cell.metadata.nbgrader.points
        assert len(model_answer(cell.source)) > 200


def test_the_instructors_guide_and_the_readme_say_which_lessons_need_a_reader():
    guide = (ROOT / "docs" / "instructors.md").read_text(encoding="utf-8")
    facts = [
        f"| {lesson} | `{cell.id}` | {cell.metadata.nbgrader.points} |"
        for lesson, cells in read_by_a_person().items()
        for cell in cells
    ]
    assert re.findall(r"^\| \d\d-[a-z-]+ \| `.*$", guide, re.MULTILINE) == facts
    *first, last = (lesson[:2] for lesson, cells in read_by_a_person().items() if cells)
    numbers = f"{', '.join(first)} and {last}"
    assert f"Lessons {numbers} need a reader" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_has_every_part_of_a_lesson(lesson):
    text = "\n".join(cell.source for cell in cells_of(lesson) if cell.cell_type == "markdown")
    for part in (
        "**After this lesson you can**",
        "minutes",
        "```mermaid",
        "arXiv",
        "What commonly goes wrong",
        "<details>",
    ):
        assert part in text
    assert any("mechanism_table" in cell.source for cell in cells_of(lesson))


UNTOUCHED = LESSONS[::3] if os.environ.get("ATTENTION_LAB_FAST") else LESSONS
"""In short runs some; all of them with `pytest tests/test_lessons.py`."""


@pytest.mark.parametrize("lesson", UNTOUCHED)
def test_an_untouched_notebook_fails_in_its_stubs_only(lesson, monkeypatch):
    monkeypatch.setenv("ATTENTION_LAB_FAST", "1")
    for path in (ROOT / "notebooks" / lesson).glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        Client(notebook, 300, allow_errors=True, resources={"metadata": {"path": str(path.parent)}}).execute()
        errors = {cell.id: [o for o in cell.get("outputs", []) if o.output_type == "error"] for cell in notebook.cells}
        checks = [cell.id for cell in notebook.cells if is_grade(cell) and not is_solution(cell)]
        assert all(errors[check] for check in checks), "a check passes on a stub"
        for error in (error for found in errors.values() for error in found):
            assert error.ename == "NotImplementedError", error.evalue
            assert len(error.traceback) == 1
