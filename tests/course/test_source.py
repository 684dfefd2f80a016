"""Reading a lesson's source: points and metadata follow from the exercises, and what does not fit is named."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbgrader.utils import is_grade

from attention_lab.course.source import LEGIBLE, ReleaseError, not_asked, read_lesson, read_source, read_start_page
from attention_lab.grading.exercises import EXERCISES, HINTS
from attention_lab.grading.items import items_in

LESSON = "02-squeeze-excitation"
FLAGS = {"schema_version": 3, "task": False}
OWN = json.dumps({"grade": True, "grade_id": "own", "locked": True, "points": 1, "solution": False} | FLAGS)


def lesson(root: Path, text: str, name: str = LESSON, stem: str = "lesson") -> Path:
    source = root / "solutions" / name / f"{stem}.py"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(text, encoding="utf-8")
    return source


def answered(exercise: str, *, without: str = "") -> str:
    """A solution cell, and all its test cells but one."""
    checks = [f"{e.key}-{name}" for e in EXERCISES.values() if e.id == exercise for name in e.checks]
    tests = [f'# %%\ncheck("{id}", answer)\n\n' for id in checks if id != without]
    return f'# %% exercise="{exercise}"\nanswer = 1\n\n{"".join(tests)}'


LESSON_02 = "".join(map(answered, ("squeeze", "squeeze-excitation", "se-residual", "debug-se")))


def metadata(notebook: NotebookNode) -> dict[str, dict]:
    return {cell.id: cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata}


def markdown(notebook: NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_a_test_cell_is_known_by_its_first_line_and_a_solution_cell_by_its_mark(tmp_path):
    notebook = read_source(lesson(tmp_path, answered("squeeze") + "# %%\nprint()\n"))
    test = {"grade": True, "solution": False, "locked": True, "points": 1} | FLAGS
    assert metadata(notebook) == {
        "squeeze": {"grade_id": "squeeze", "grade": False, "solution": True, "locked": False} | FLAGS,
        "squeeze-shape": {"grade_id": "squeeze-shape"} | test,
        "squeeze-values": {"grade_id": "squeeze-values"} | test,
    }
    assert {key for cell in notebook.cells for key in cell.metadata} == {"nbgrader"}


def test_a_marked_text_has_the_points_that_its_lesson_gives_it(tmp_path):
    text = '# %% [markdown] exercise="which-weighting"\n# It depends.\n'
    notebook = read_source(lesson(tmp_path, text, "01-attention-as-weighting"))
    expected = {"grade_id": "which-weighting", "grade": True, "solution": True, "locked": False, "points": 3} | FLAGS
    assert metadata(notebook) == {"which-weighting": expected}


def test_metadata_in_a_header_stay_as_they_are_and_their_points_count(tmp_path):
    text = f"# %% [markdown]\n# <!-- points --> <!-- points: squeeze -->\n\n{answered('squeeze')}"
    text += f'# %% nbgrader={OWN}\ncheck("squeeze-shape", answer)\n'
    notebook = read_source(lesson(tmp_path, text))
    assert (
        metadata(notebook)["own"]
        == {"grade_id": "own", "grade": True, "solution": False, "locked": True, "points": 1} | FLAGS
    )
    assert markdown(notebook) == "3 3"


def test_a_check_within_a_cell_is_no_test_cell(tmp_path):
    notebook = read_source(lesson(tmp_path, '# %%\nif True:\n    check("squeeze-shape", print)\n'))
    assert metadata(notebook) == {}


def test_marks_stand_for_points_in_the_singular_too_and_across_a_line_break(tmp_path):
    mark = "<!-- points: squeeze -->"
    text = f"# %% [markdown]\n# **{mark}\n# points**, {mark} points, all <!-- points -->\n\n"
    assert markdown(read_source(lesson(tmp_path, text + answered("squeeze")))) == "**2\npoints**, 2 points, all 2"
    fewer = answered("squeeze", without="squeeze-shape")
    assert markdown(read_source(lesson(tmp_path, text + fewer))) == "**1\npoint**, 1 point, all 1"


def test_every_diagram_has_arrows_that_are_seen_in_any_theme(tmp_path):
    source = lesson(tmp_path, "# %% [markdown]\n# ```mermaid\n# flowchart LR\n# ```\n")
    assert read_source(source).cells[0].source == f"```mermaid\n{LEGIBLE}flowchart LR\n```"


def test_a_mark_stands_for_three_folded_hints(tmp_path):
    notebook = read_source(lesson(tmp_path, "# %% [markdown]\n# Stuck?\n#\n# <!-- hints: squeeze -->\n"))
    assert markdown(notebook) == "Stuck?\n\n" + "\n\n".join(
        f"<details><summary>Hint {number}</summary>\n\n{HINTS['squeeze'][number - 1]}\n\n</details>"
        for number in (1, 2, 3)
    )


RUBRIC = "# | points | for |\n# | --- | --- |\n# | 2 | what |\n# | 0.5 | why |\n"
ASKED_IN_WORDS = '# %% [markdown] exercise="which-weighting"\n'


@pytest.mark.parametrize(
    "text",
    [
        f"{ASKED_IN_WORDS}{RUBRIC}#\n# It depends.\n",
        f"# %% [markdown]\n# Why?\n#\n{RUBRIC}\n{ASKED_IN_WORDS}# It depends.\n",
    ],
)
def test_a_rubric_gives_the_points_that_its_question_has(tmp_path, text):
    with pytest.raises(
        ReleaseError, match=r"the rubric of 'which-weighting' gives 2\.5 points, and the question has 3"
    ):
        read_source(lesson(tmp_path, text, "01-attention-as-weighting"))
    read_source(lesson(tmp_path, text.replace("0.5", "1"), "01-attention-as-weighting"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('# %%\ncheck("squeeze-shapes", squeeze)\n', "no check is called 'squeeze-shapes'"),
        ('# %%\ncheck("squeeze-shape", squeeze)\n', "'squeeze-shape' does not follow the solution cell of 'squeeze'"),
        (
            answered("squeeze") + answered("se-residual") + '# %%\ncheck("squeeze-shape", squeeze)\n',
            "'squeeze-shape' does not follow the solution cell of 'squeeze'",
        ),
        ('# %%\ncheck("select-values", select)\n', f"'select-values' does not belong to {LESSON}"),
        ('# %% exercise="select"\n', f"{LESSON} has no exercise 'select' that is answered in a code cell"),
        ('# %% exercise="sqeeze"\n', f"{LESSON} has no exercise 'sqeeze' that is answered in a code cell"),
        ('# %% [markdown] exercise="squeeze"\n# It depends.\n', "'squeeze' that is answered in a markdown cell"),
        ('# %% exercise="report"\n', "'report' that is answered in a code cell"),
        (2 * '# %% exercise="squeeze"\nsqueeze = 1\n\n', "two cells are called 'squeeze'"),
        (answered("squeeze") + '# %%\ncheck("squeeze-shape", squeeze)\n', "two cells are called 'squeeze-shape'"),
        (2 * f"# %% nbgrader={OWN}\nassert True\n\n", "two cells are called 'own'"),
        ("# %% [markdown]\n# <!-- points: select -->\n", "<!-- points: select --> stands for nothing here"),
        ("# %% [markdown]\n# <!-- points: squeeze --> points\n", "<!-- points: squeeze --> stands for nothing here"),
        ("# %% [markdown]\n# <!-- hints: select -->\n", "<!-- hints: select --> stands for nothing here"),
        ("# %% [markdown]\n# <!-- hint: squeeze -->\n", "<!-- hint: squeeze --> stands for nothing here"),
    ],
)
def test_what_does_not_fit_is_an_error_that_names_the_file_and_the_id(tmp_path, text, named):
    source = lesson(tmp_path, text)
    with pytest.raises(ReleaseError) as error:
        read_source(source)
    assert str(error.value).startswith(f"{source}: ") and named in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "dropped"),
    [
        (LESSON, LESSON_02, []),
        (LESSON, LESSON_02.replace(answered("squeeze"), ""), ["squeeze"]),
        (
            LESSON,
            LESSON_02.replace(answered("squeeze"), answered("squeeze", without="squeeze-shape")),
            ["squeeze-shape"],
        ),
        (
            "01-attention-as-weighting",
            "".join(map(answered, ("temperature-softmax", "select", "recalibrate"))),
            ["which-weighting"],
        ),
    ],
)
def test_what_a_source_has_no_cells_for_is_not_asked(tmp_path, name, text, dropped):
    lesson(tmp_path, text, name)
    assert not_asked(name, read_lesson(tmp_path, name).values()) == dropped


ROOT = Path(__file__).parents[2]


def stated(root: Path) -> dict[str, object]:
    """What a lesson tells of its points, wherever it does."""
    (notebook,) = read_lesson(root, LESSON).values()
    start = markdown(read_start_page(root))
    return {
        "head": int(re.search(r"\| \*\*Points\*\* \| (\d+) \|", markdown(notebook))[1]),
        "statements": [int(points) for points in re.findall(r"\*\*(\d+) points?\*\*", markdown(notebook))],
        "start page": int(re.search(rf"{LESSON}.*\| (\d+) \|", start)[1]),
        "nbgrader": sum(cell.metadata.nbgrader.points for cell in notebook.cells if is_grade(cell)),
        "learner": sum(item.points for item in items_in(LESSON, notebook.cells)),
    }


def same(points: int, *statements: int) -> dict[str, object]:
    return dict.fromkeys(("head", "start page", "nbgrader", "learner"), points) | {"statements": [*statements]}


def test_points_are_changed_in_one_place(monkeypatch):
    assert stated(ROOT) == same(18, 2, 8, 3, 5)
    checks = EXERCISES["squeeze"].checks
    monkeypatch.setitem(checks, "values", replace(checks["values"], points=3))
    assert stated(ROOT) == same(20, 4, 8, 3, 5)


def test_an_exercise_is_dropped_and_a_test_added_in_the_lessons_source(tmp_path):
    shutil.copytree(ROOT / "solutions", tmp_path / "solutions", ignore=shutil.ignore_patterns("*.ipynb"))
    source = tmp_path / "solutions" / LESSON / "squeeze-excitation.py"
    before, debug, after = re.split(r"(?=# %% \[markdown\]\n# ## [89]\.)", source.read_text(encoding="utf-8"))
    assert 'exercise="debug-se"' in debug
    own = f"# %% nbgrader={OWN}\nassert squeeze\n\n# %% [markdown]\n# ## 4. "
    source.write_text((before + after).replace("# %% [markdown]\n# ## 4. ", own), encoding="utf-8")
    assert stated(tmp_path) == same(18 - 5 + 1, 2 + 1, 8, 3)


def test_a_lesson_may_have_its_exercises_in_several_notebooks(tmp_path):
    first, rest = answered("squeeze"), LESSON_02.replace(answered("squeeze"), "")
    one, two = lesson(tmp_path, first, stem="one"), lesson(tmp_path, rest, stem="two")
    assert list(read_lesson(tmp_path, LESSON)) == [one, two]


def test_a_lesson_that_the_grading_does_not_know_needs_no_exercise(course):
    (notebook,) = read_lesson(course, "01-doubling").values()
    assert [cell.metadata.nbgrader.points for cell in notebook.cells if is_grade(cell)] == [2, 1]


def test_the_start_page_says_the_points_of_every_lesson(tmp_path):
    own = f"# %% nbgrader={OWN}\nassert True\n"
    lesson(tmp_path, LESSON_02, stem="one"), lesson(tmp_path, own, stem="two"), lesson(tmp_path, own, "09-own")
    page = tmp_path / "solutions" / "index.py"
    page.write_text(f"# %% [markdown]\n# <!-- points: {LESSON} -->, <!-- points: 09-own --> points, <!-- points -->\n")
    assert markdown(read_start_page(tmp_path)) == "19, 1 point, 20"
    page.write_text("# %% [markdown]\n# <!-- points: 03-cbam -->\n")
    with pytest.raises(ReleaseError) as error:
        read_start_page(tmp_path)
    assert str(error.value) == f"{page}: <!-- points: 03-cbam --> stands for nothing here"


def test_a_new_cell_renames_no_cell_of_the_next_exercise(tmp_path):
    text = f"# %% [markdown]\n# # Squeeze\n\n# %%\nimport os\n\n{answered('squeeze')}# %%\nprint()\n"
    ids = [cell.id for cell in read_source(lesson(tmp_path, text)).cells]
    graded = ["squeeze", "squeeze-shape", "squeeze-values", "squeeze-values_1"]
    assert ids == [f"{LESSON}_1", f"{LESSON}_2", *graded]
    text = text.replace("# # Squeeze\n", "# # Squeeze\n\n# %%\nimport sys\n")
    assert [cell.id for cell in read_source(lesson(tmp_path, text)).cells] == [*ids[:2], f"{LESSON}_3", *graded]
