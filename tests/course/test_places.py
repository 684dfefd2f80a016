"""Wherever a learner stands, the lessons are found: in a checkout, a kit, a lesson's folder, or what the exchange fetched."""

import shutil
from pathlib import Path

import pytest

from attention_lab.course.places import course_of, first_page, learners_folder, lesson_folders, meant

LESSONS = "01-doubling", "02-halving"


def lessons(folder: Path) -> Path:
    for name in LESSONS:
        (folder / name).mkdir(parents=True)
        (folder / name / f"{name[3:]}.ipynb").touch()
    return folder


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    notebooks = lessons(tmp_path / "kit" / "notebooks")
    (notebooks / "index.ipynb").touch()
    (tmp_path / "kit" / "nbgrader_config.py").touch()
    return tmp_path / "kit"


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    return lessons(tmp_path / "fetched")


@pytest.mark.parametrize("here", ["", "notebooks", "notebooks/02-halving", "notebooks/mine", "solutions/02-halving"])
def test_inside_a_kit_or_checkout_the_lessons_are_its_notebooks(kit, here):
    lessons(kit / "solutions")
    assert learners_folder(kit / here) == kit / "notebooks"
    assert course_of(kit / here) == kit


@pytest.mark.parametrize("here", ["", "02-halving", "02-halving/pictures"])
def test_what_the_exchange_fetched_needs_nothing_around(fetched, here):
    assert learners_folder(fetched / here) == fetched
    assert course_of(fetched / here) is None


def test_elsewhere_there_is_no_lesson(tmp_path):
    (tmp_path / "01-notes").mkdir()
    (tmp_path / "01-notes" / "monday.ipynb").touch()
    assert learners_folder(tmp_path / "01-notes") is None
    assert lesson_folders(tmp_path) == []


@pytest.mark.parametrize("lesson", ["02", "02-halving", "halving", "halv"])
def test_a_lesson_is_opened_by_its_number_or_name(kit, lesson):
    notebooks = kit / "notebooks"
    assert first_page(notebooks, lesson, kit) == notebooks / "02-halving" / "halving.ipynb"


def test_of_a_name_without_its_number_the_beginning_will_do_and_what_means_several_lessons_is_told_so():
    known = ["01-attention-as-weighting", "03-cbam", "04-bam", "08-attention-in-networks", "hand-in"]
    assert meant(known, "bam") == ["04-bam"] and meant(known, "cb") == ["03-cbam"]
    assert len(meant(known, "attention")) == 2 and meant(known, "d-in") == []


@pytest.mark.parametrize("lesson", ["99", "../", "/", "*"])
def test_a_lesson_that_is_not_there_is_not_opened(kit, lesson):
    assert first_page(kit / "notebooks", lesson, kit) is None


def test_without_a_name_the_lesson_is_opened_in_which_one_stands_or_else_the_map(kit):
    notebooks = kit / "notebooks"
    assert first_page(notebooks, "", notebooks / "02-halving") == notebooks / "02-halving" / "halving.ipynb"
    assert first_page(notebooks, "", kit) == notebooks / "index.ipynb"


def test_without_a_map_the_first_lesson_is_opened(fetched):
    assert first_page(fetched, "", fetched) == fetched / "01-doubling" / "doubling.ipynb"
    shutil.rmtree(fetched / "01-doubling")
    shutil.rmtree(fetched / "02-halving")
    assert first_page(fetched, "", fetched) is None
