"""What a command is about: the course, the lesson or the notebook that is meant, or why there is none, in one line."""

from pathlib import Path

import click


class CourseError(click.ClickException):
    """What stops a command, in one line for whoever called it."""

    exit_code = 2


def course_root() -> Path:
    """The checkout that holds the working directory, for the commands that need the lessons' sources or a class."""
    from ..course.places import course_of

    here = Path.cwd()
    root = course_of(here)
    if root is None:
        raise CourseError(f"{here} is not inside a checkout of attention-lab: no nbgrader_config.py here or above.")
    if not (root / "solutions").is_dir():
        raise CourseError(
            f"{root} is a learner's kit, without solutions/: this command needs a checkout of attention-lab."
        )
    return root


def learners_folder() -> Path:
    """The folder of the lessons that a learner in the working directory works in."""
    from ..course import places

    here = Path.cwd()
    if (notebooks := places.learners_folder(here)) is None:
        raise CourseError(
            f"{here} holds no lesson, nor does a folder above: go into the unzipped kit, a checkout of attention-lab, or "
            "the folder of a lesson, and call this again."
        )
    return notebooks


def learners_notebook(asked: str) -> Path:
    """The notebook of a lesson that a learner in the working directory works in; by default the one whose folder it is."""
    notebooks = learners_folder()
    from ..course.places import instead
    from ..grading.exercises import LESSONS

    here = Path.cwd()
    inside = here.relative_to(notebooks).parts if here.is_relative_to(notebooks) else ()
    if not asked and not (inside and inside[0] in LESSONS):
        raise CourseError("which lesson? Give its name or number, or go into its folder.")
    lesson = one_of(list(LESSONS), asked) if asked else inside[0]
    notebook = notebooks / lesson / f"{lesson[3:]}.ipynb"
    if not notebook.is_file():
        raise CourseError(f"there is no {notebook}; {instead(notebook)}.")
    return notebook


def read(notebook: Path) -> bytes:
    """A learner's notebook, if it can be read as one."""
    from ..grading.reading import Unreadable, cells_of

    try:
        cells_of(content := notebook.read_bytes())
    except (Unreadable, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CourseError(
            f"{notebook} cannot be read: {reason}. `attention-lab update` puts a new one there, and keeps this file."
        ) from error
    return content


def one_of(known: list[str], asked: str) -> str:
    """The one lesson with this name or number."""
    from ..course.places import meant

    if len(found := meant(known, asked)) > 1:
        raise CourseError(f"{asked} may be {' or '.join(found)}.")
    if not found:
        raise CourseError(f"there is no lesson {asked}; the lessons are {', '.join(known)}.")
    return found[0]


def chosen(known: list[str], asked: tuple[str, ...]) -> list[str]:
    """The lessons that were asked for by name or number, all if none was."""
    return sorted({one_of(known, lesson) for lesson in asked}) or known


def one_lesson(root: Path, asked: str) -> str:
    """The lesson of the course at ``root`` with this name or number."""
    known = {file.parent.name for file in (root / "solutions").glob("*/*") if file.suffix in (".py", ".ipynb")}
    return one_of(sorted(known), asked)
