"""A class gets the notebooks and what they need, and no answer."""

import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from called import called
from edit import change
from traitlets.config import PyFileConfigLoader

from attention_lab import __version__
from attention_lab.course.handout import kit
from attention_lab.course.release import release
from attention_lab.course.source import ReleaseError, lessons

ROOT = Path(__file__).parents[2]
LESSON = "01-doubling"
AROUND = {"START-HERE.md", "requirements.txt", "nbgrader_config.py", "notebooks/index.ipynb"}


def files(packed: bytes) -> dict[str, bytes]:
    """What is in a kit, without the folder that holds it all."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name.removeprefix("attention-lab/"): archive.read(name) for name in archive.namelist()}


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    return called("handout", *arguments, cwd=cwd)


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    """The kit of the course itself."""
    return files(kit(ROOT, lessons(ROOT)))


def test_a_kit_holds_the_released_notebooks_and_no_other_part_of_the_course(whole):
    """That the released ones hold no solution is tested with them."""
    notebooks = {f"notebooks/{name}/{name[3:]}.ipynb" for name in lessons(ROOT)}
    assert whole.keys() == AROUND | {"constraints.txt"} | notebooks
    for name in notebooks | {"notebooks/index.ipynb", "constraints.txt"}:
        assert whole[name].decode().splitlines() == (ROOT / name).read_text(encoding="utf-8").splitlines()


def test_a_kit_asks_for_this_version_of_the_package_and_says_how_to_start(whole):
    requirements = whole["requirements.txt"].decode().splitlines()
    assert requirements == ["--constraint constraints.txt", "--find-links .", f"attention-lab=={__version__}"]
    page = whole["START-HERE.md"].decode()
    for told in (f"attention_lab-{__version__}-py3-none-any.whl", "pip install -r", "attention-lab lab", "Hand in"):
        assert told in page


def test_a_kits_settings_run_notebooks_as_the_courses_do_and_tell_the_courses_id(course, tmp_path):
    change(course / "nbgrader_config.py", 'course_id = "attention-lab"', 'course_id = "vision-2031"')
    (tmp_path / "nbgrader_config.py").write_bytes(files(kit(course, [LESSON]))["nbgrader_config.py"])
    learners, courses = (
        PyFileConfigLoader("nbgrader_config.py", str(place)).load_config() for place in (tmp_path, course)
    )
    assert learners.Execute == courses.Execute and learners.Execute.skip_cells_with_tag == "demo"
    assert learners.CourseDirectory == {"course_id": "vision-2031"}
    assert learners.keys() == {"Execute", "CourseDirectory"}


def test_files_beside_a_lesson_are_in_the_kit_and_an_instructors_own_are_not(course, source, handout):
    (source.parent / "picture.png").write_bytes(b"\x89PNG drawn")
    release(course, LESSON, keep_outputs=True)
    (handout.parent / "my notes.txt").write_text("mine")
    (course / "notebooks" / "mine").mkdir()
    (course / "notebooks" / "mine" / "Doubling.py").write_text("def double(x): return x + x")
    packed = files(kit(course, [LESSON]))
    assert packed.keys() == AROUND | {f"notebooks/{LESSON}/{name}" for name in ("doubling.ipynb", "picture.png")}
    assert packed[f"notebooks/{LESSON}/picture.png"] == b"\x89PNG drawn"


def test_the_same_lessons_give_the_same_bytes_on_another_day(course, handout):
    before = kit(course, [LESSON])
    os.utime(handout, (1, 1))
    assert kit(course, [LESSON]) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [('"execution_count": null', '"execution_count": 1'), ("raise NotImplementedError()", "return 2 * x")],
)
def test_a_notebook_that_somebody_worked_in_is_not_handed_out(course, handout, old, new):
    change(handout, old, new)
    with pytest.raises(ReleaseError, match=rf"notebooks/{LESSON}/doubling.ipynb has been worked in: .*release"):
        kit(course, [LESSON])


def test_a_notebook_that_does_not_match_its_source_is_not_handed_out(course, source, handout):
    change(source, "# # Doubling", "# # Doubling numbers")
    with pytest.raises(ReleaseError, match=r"is not up to date: .*attention-lab release"):
        kit(course, [LESSON])
    handout.unlink()
    with pytest.raises(ReleaseError, match="is not up to date"):
        kit(course, [LESSON])


def test_the_command_writes_a_file_and_overwrites_one_only_by_force(course):
    file = course / "kit.zip"
    done = command("01", cwd=course)
    assert (done.stdout, done.stderr, done.returncode) == (f"kit.zip: {LESSON}\n", "", 0)
    assert set(files(file.read_bytes())) == AROUND | {f"notebooks/{LESSON}/doubling.ipynb"}
    file.write_text("precious")
    refused = command(cwd=course)
    assert refused.returncode == 2 and file.read_text() == "precious"
    assert refused.stderr == "Error: kit.zip exists: choose another name, or overwrite it with --force.\n"
    assert command("--force", cwd=course).returncode == 0 and zipfile.is_zipfile(file)


def test_the_command_says_in_one_line_what_it_cannot_do_and_writes_nothing(course, handout):
    change(handout, '"execution_count": null', '"execution_count": 1')
    for arguments, told in [
        (["99"], f"there is no lesson 99; the lessons are {LESSON}."),
        (["--to", "nowhere/kit.zip"], f"there is no folder {course / 'nowhere'}."),
        (["01"], "has been worked in"),
    ]:
        done = command(*arguments, cwd=course)
        assert done.returncode == 2 and told in done.stderr and len(done.stderr.splitlines()) == 1
    assert not list(course.rglob("*.zip"))


def test_a_kit_is_no_checkout(course, tmp_path):
    with zipfile.ZipFile(io.BytesIO(kit(course, [LESSON]))) as archive:
        archive.extractall(tmp_path)
    done = command(cwd=tmp_path / "attention-lab" / "notebooks")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Error: {tmp_path / 'attention-lab'} is a learner's kit, without solutions/: this command needs a checkout of "
        "attention-lab.\n"
    )
