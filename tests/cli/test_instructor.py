"""What an instructor calls, and JupyterLab as an instructor should find it."""

import json
import shutil
from pathlib import Path

from called import apart, called
from lab import Lab

ROOT = Path(__file__).parents[2]


def test_instructors_have_formgrader_and_the_list_of_assignments(course, tmp_path):
    server = Lab(course / "solutions", tmp_path, "--instructor")
    try:
        server.wait()
        assert server.first_page().endswith("/lab")
        off = server.page()["disabledExtensions"]
        assert not [name for name in off if name.startswith("@jupyter/nbgrader")]
        assert "@jupyterlab/apputils-extension:announcements" in off
        assert {entry["path"] for entry in json.loads(server.get("/api/contents"))["content"]} >= {
            "solutions",
            "notebooks",
        }
        [assignment] = json.loads(server.get("/formgrader/api/assignments"))
        assert assignment["name"] == "01-doubling"
    finally:
        server.stop()


def test_nbgrader_is_called_on_the_course_from_any_of_its_folders(course):
    done = called("nbgrader", "autograde", "01-doubling", cwd=course / "notebooks" / "01-doubling")
    assert done.returncode == 1
    assert f"No notebooks were matched by '{course}/submitted/*/01-doubling'" in done.stderr


def test_doctor_says_whether_submissions_can_be_confined(tmp_path):
    done = apart("doctor", cwd=tmp_path)
    assert done.returncode in (0, 2)
    assert "confine" in done.stdout + done.stderr


def test_report_says_which_lesson_it_does_not_find_and_what_is_not_graded_yet(course):
    unknown, ungraded = (called("report", lesson, cwd=course) for lesson in ("99-nothing", "01-doubling"))
    assert (unknown.returncode, ungraded.returncode) == (2, 2)
    assert unknown.stderr == "Error: there is no lesson 99-nothing; the lessons are 01-doubling.\n"
    assert ungraded.stderr == "Error: nothing of 01-doubling is graded yet: attention-lab grade 01-doubling.\n"
    assert not (course / "report").exists()


def test_report_writes_a_page_and_a_table_with_names_and_without(course):
    folder = course / "autograded" / "ada" / "01-doubling"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "02-squeeze-excitation" / "squeeze-excitation.ipynb", folder)
    for options in [], ["--anonymous"]:
        done = called("report", "01-doubling", *options, cwd=course)
        page, table, *_ = map(Path, done.stdout.splitlines())
        assert page.parent == table.parent == course / "report"
        assert [("ada" in file.read_text().replace("metadata", "")) for file in (page, table)] == [not options] * 2
    assert len(list((course / "report").iterdir())) == 4
