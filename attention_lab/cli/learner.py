"""A learner's commands: open the course, check, hand in, keep up with the course."""

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from .asked import CourseError, chosen, course_root, learners_folder, learners_notebook, one_of, read
from .terminal import prepend

PUT_RIGHT = "What grading will put right, at no cost, and tell so:"


@click.command()
@click.argument("lesson", default="")
@click.option("--port", default=8888, show_default=True, help="Where JupyterLab listens; the next free one if taken.")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening it.")
@click.option("--instructor", is_flag=True, help="Open the whole course, with Formgrader and the list of assignments.")
def lab(lesson: str, port: int, no_browser: bool, instructor: bool) -> None:
    """Open JupyterLab on a lesson.

    LESSON is a name or number, such as 02; by default the lesson whose folder you are in, or the course map.
    """
    from ..course.places import CONFIG, PROFILE, first_page

    if instructor:
        shown = root = course_root()  # nbgrader's Formgrader asks for a course inside of what JupyterLab shows
        lessons = root / "solutions"
    else:
        shown = lessons = learners_folder()
        root = shown.parent if (shown.parent / CONFIG).exists() else shown
    first = None if instructor and not lesson else first_page(lessons, lesson, Path.cwd())
    if first is None and (lesson or not instructor):
        raise CourseError(f"{lessons} holds no {f'lesson {lesson}' if lesson else 'lesson'}.")
    path = f"/tree/{quote(first.relative_to(shown).as_posix())}" if first else ""

    os.chdir(root)  # where nbgrader finds settings of this course's own
    prepend("JUPYTER_CONFIG_PATH", PROFILE / "everyone")
    if not instructor:
        prepend("JUPYTER_CONFIG_PATH", PROFILE / "learner")
    arguments = [
        f"--ServerApp.root_dir={shown}",
        f"--LabApp.default_url=/lab{path}",
        f"--port={port}",
    ]
    if no_browser:
        arguments.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")

    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(arguments)


@click.command()
@click.argument("notebooks", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def validate(notebooks: tuple[Path, ...]) -> None:
    """Run notebooks from the top, as Validate in JupyterLab does.

    `nbgrader validate` with the settings of the course, in any folder.

    Exit status: 0 if every test passes; 1 if not.
    """
    from nbgrader.apps import ValidateApp
    from nbgrader.validator import Validator

    from ..course.places import PROFILE

    failed = []

    class Remembering(Validator):
        def validate(self, filename: str) -> dict[str, Any]:
            failed.append(results := super().validate(filename))
            return results

    prepend("JUPYTER_CONFIG_PATH", PROFILE / "everyone")
    app = ValidateApp.instance()
    app.initialize([])
    for notebook in notebooks:
        try:
            Remembering(parent=app).validate_and_print(str(notebook))
        except Exception as error:
            raise CourseError(f"{notebook} cannot be validated: {error}.") from error
    sys.exit(any(failed))


@click.command()
@click.argument("lesson", default="")
def check(lesson: str) -> None:
    """Say what your notebook of a lesson still lacks, before you hand it in. Nothing is run or changed.

    LESSON is a name or number, such as 2; by default the lesson whose folder you are in. `attention-lab validate NOTEBOOK`
    runs it too.

    Exit status: 0 if every exercise has an answer that can run; 1 if not.
    """
    notebook = learners_notebook(lesson)
    from ..course.check import preflight

    found = preflight(notebook.parent.name, read(notebook))
    click.echo(f"{notebook}\n\n{found.answers}\n")
    for title, lines in (
        ("Yet to do:", found.to_do),
        ("Does not run; the rest is graded all the same:", found.remarks),
        (PUT_RIGHT, found.put_right),
    ):
        if lines:
            click.echo("\n".join([title, *(f"- {line}" for line in lines), ""]))
    if not found.to_do:
        click.echo(
            f"Every exercise has an answer. To run it as your instructor will: attention-lab validate {notebook}"
        )
    sys.exit(bool(found.to_do))


@click.command()
@click.argument("lesson", default="")
@click.option("--name", help="Your name or number, as your instructor knows you; asked for if it is not given.")
def submit(lesson: str, name: str | None) -> None:
    """Write the file to hand in of a lesson: your notebook, with your name on it.

    LESSON is a name or number, such as 2; by default the lesson whose folder you are in. The file lies in the folder
    `hand-in` beside the lessons; another one that was there is kept in `earlier`. What the notebook still lacks is told, and
    handed in all the same.
    """
    notebook = learners_notebook(lesson)
    from ..course import places
    from ..course.check import preflight
    from ..course.submit import submit

    found = preflight(notebook.parent.name, read(notebook))
    if name is None:
        try:
            name = click.prompt("Your name, or your student number")
        except click.Abort:
            raise CourseError("whose is it? Call this again with --name and your name.") from None
    try:
        file, kept = submit(notebook, name)
    except ValueError as error:
        raise CourseError(f"{error}.") from error
    for title, lines in ("Yet to do, if you have time:", found.to_do), (PUT_RIGHT, found.put_right):
        if lines:
            click.echo("\n".join([title, *(f"- {line}" for line in lines)]))
    click.echo(f"Hand in this file: {file}")
    if kept:
        click.echo(f"The one of before, which was another, is kept: {kept}")
    if places.course_of(Path.cwd()) is None:
        click.echo(f"By nbgrader's exchange instead: nbgrader submit {notebook.parent.name}, in {notebook.parents[1]}")


@click.command()
@click.argument("lesson", default="")
@click.option(
    "--from",
    "kit",
    type=click.Path(exists=True, path_type=Path),
    help="The new kit, or a folder with the new lessons. In a checkout, its own sources are the new release.",
)
def update(lesson: str, kit: Path | None) -> None:
    """Bring a new release into the lessons that you work in. Your answers, notes and cells stay.

    LESSON is a name or number, such as 2; by default all. Lessons that you do not have yet are added. Of each file that
    changes a copy is kept in the folder `earlier`, whose name is told.
    """
    notebooks = learners_folder()
    from ..classroom.archive import Refused
    from ..course import update as updating
    from ..course.source import ReleaseError, lessons

    root = kit or notebooks.parent
    of_sources = (root / "solutions").is_dir()
    if not kit and not of_sources:
        raise CourseError("where is the new release? Name the new kit: attention-lab update --from kit.zip")
    try:
        if of_sources:
            names = chosen(lessons(root), (lesson,) if lesson else ())
            found = ((name, updating.of_course(root, name)) for name in names)
        else:
            released = updating.of_kit(kit)
            if not released:
                raise CourseError(f"{kit} holds no lesson.")
            names = [one_of(sorted(filter(None, released)), lesson)] if lesson else sorted(released)
            found = ((name, released[name]) for name in names)
        for _, files in found:
            for line in updating.update(notebooks, files):
                click.echo(line)
    except Refused as reason:
        raise CourseError(f"{kit}: {reason}.") from reason
    except ReleaseError as error:
        raise CourseError(f"{error}.") from error


@click.command()
def progress() -> None:
    """Show the points you have so far, lesson by lesson."""
    notebooks = learners_folder()
    from ..course.progress import progress

    click.echo(progress(notebooks))
