"""Above a free text, Formgrader shows what earns its points; nobody's file holds it."""

import shutil
from pathlib import Path

import nbformat
import pytest
from graded import answer, checked, read_by_a_person
from nbformat.v4 import new_notebook
from traitlets.config import PyFileConfigLoader

from attention_lab.overview.rubrics import Rubrics, by_hand

ROOT = Path(__file__).parents[2]
LESSON, NOTEBOOK = "01-attention-as-weighting", "attention-as-weighting"
CELLS = [answer("select"), checked("select-values", 1, 1), read_by_a_person("which-weighting", 0, 3, "My text.")]


def shown(root: Path) -> list[str]:
    """The texts of these cells as Formgrader draws them."""
    config = PyFileConfigLoader("nbgrader_config.py", str(ROOT)).load_config()
    config.CourseDirectory.root = str(root)
    resources = {"assignment_id": LESSON, "notebook_id": NOTEBOOK}
    notebook, _ = Rubrics(config=config).preprocess(new_notebook(cells=list(CELLS)), resources)
    return [cell.source for cell in notebook.cells]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """The lesson as an instructor has it, changed in a copy."""
    folder = tmp_path / "solutions" / LESSON
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / LESSON / f"{NOTEBOOK}.ipynb", folder)
    return tmp_path


def test_rubric_and_model_answer_stand_above_the_text_and_nowhere_else():
    *before, told, text = shown(ROOT)
    assert before == ["def f(): ...", "assert f()"] and text == "My text."
    assert told.startswith("**Rubric**") and "- **1** · **When to gate:**" in told
    assert "<summary>▸ <b>Model answer</b></summary>" in told and "Each channel is judged alone" in told


def test_they_are_read_from_the_lesson_as_its_instructor_has_it(course):
    file = course / "solutions" / LESSON / f"{NOTEBOOK}.ipynb"
    file.write_text(file.read_text(encoding="utf-8").replace("When to gate", "When gates"), encoding="utf-8")
    assert "**When gates:**" in shown(course)[2]


def test_without_the_lesson_the_page_is_as_nbgrader_makes_it(tmp_path):
    assert len(shown(tmp_path)) == len(CELLS)


def test_a_text_without_a_rubric_has_its_model_answer_and_code_read_by_a_person_too(course):
    file = course / "solutions" / LESSON / f"{NOTEBOOK}.ipynb"
    notebook = nbformat.read(file, as_version=4)
    [text] = [cell for cell in notebook.cells if by_hand(cell)]
    text.source, text.cell_type, text.outputs, text.execution_count = "1 + 1", "code", [], None
    nbformat.write(notebook, file)
    told = shown(course)[2]
    assert "Rubric" not in told and "```python\n1 + 1\n```" in told
