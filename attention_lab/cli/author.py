"""An author's commands: release lessons, run experiments, time and count mechanisms, list mistakes."""

import sys
from pathlib import Path

import click

from .asked import CourseError, chosen, course_root
from .terminal import shown_progress


@click.command()
@click.option("--lesson", help="Only this one, for example 02-squeeze-excitation.")
@click.option("--force", is_flag=True, help="Rebuild what is up to date, and overwrite what a learner has worked in.")
@click.option(
    "--keep-outputs",
    is_flag=True,
    help="Run no unchanged code, though the package has changed: it would show the same.",
)
@click.option(
    "--check", is_flag=True, help="Change nothing: list what is not up to date, and exit with 1 if there is any."
)
def release(lesson: str | None, force: bool, keep_outputs: bool, check: bool) -> None:
    """Rebuild the notebooks of lessons whose source has changed, and run those whose code or pictures have."""
    root = course_root()
    from ..course import release as pipeline
    from ..course.source import lessons

    names = chosen(lessons(root), (lesson,) if lesson else ())
    try:
        if check:
            outdated = pipeline.stale(root, names)
            for file in outdated:
                click.echo(file.relative_to(root))
            sys.exit(bool(outdated))
        for name in names:
            if force or pipeline.stale_files(root, name):
                with shown_progress(name) as done:
                    pipeline.release(root, name, force, keep_outputs, tell=click.echo, done=done)
            else:
                click.echo(f"{name}: up to date")
        pipeline.release_start_page(root)
    except pipeline.ReleaseError as error:
        raise CourseError(str(error)) from error


@click.command()
@click.argument("lesson")
@click.option("--seeds", default="10-19", show_default=True, help="First and last seed, such as 10-19.")
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), help="Folder; the package's own by default.")
def experiments(lesson: str, seeds: str, to: Path | None) -> None:
    """Train a lesson's networks from many seeds, and keep the numbers that the lesson shows beside its own.

    LESSON is a name or number, such as 08. This takes minutes to an hour.
    """
    root = course_root()
    from ..course.experiments import record
    from ..course.source import ReleaseError, lessons
    from ..recording import FOLDER

    [found] = chosen(lessons(root), (lesson,))
    try:
        first, last = map(int, seeds.split("-"))
    except ValueError:
        raise CourseError(f"--seeds takes a first and a last seed, such as 10-19, not {seeds}.") from None
    try:
        kept = record(
            root, found, range(first, last + 1), to or FOLDER, f"attention-lab experiments {lesson} --seeds {seeds}"
        )
    except ReleaseError as error:
        raise CourseError(str(error)) from error
    for name, recording in kept.items():
        click.echo(f"{name}: {len(recording.numbers)} numbers for each of {len(recording.seeds)} seeds")


@click.command()
@click.option("--quick", is_flag=True, help="Two images, two rounds of one turn: to see that it runs.")
def bench(quick: bool) -> None:
    """Time every mechanism against other ways to compute the same."""
    from .. import bench as timing

    with shown_progress("timing") as tell:
        for number, line in enumerate(timing.lines(quick), 1):
            if sys.stderr.isatty():
                click.echo("\r\x1b[K", nl=False, err=True)  # the bar, which the line would be written into
            click.echo(line)
            tell(number, max(number, timing.length()))


@click.command()
def papers() -> None:
    """Count parameters and multiply-adds beside those that the papers print."""
    from .. import papers as tables

    for line in tables.lines():
        click.echo(line)


@click.command()
@click.option("--lesson", help="Only this one, by name or number, and what can go wrong in every exercise.")
@click.option(
    "--format",
    "form",
    default="text",
    show_default=True,
    type=click.Choice(["text", "csv", "md"]),
    help="To read here, for a spreadsheet, or as a page in Markdown.",
)
def misconceptions(lesson: str | None, form: str) -> None:
    """List the mistakes that the checks know by name, for instructors."""
    from ..grading import catalogue
    from ..grading.exercises import LESSONS

    entries = catalogue.misconceptions(chosen(list(LESSONS), (lesson,) if lesson else ()))
    write = {"text": catalogue.as_text, "csv": catalogue.as_csv, "md": catalogue.as_markdown}
    click.echo(write[form](entries).removesuffix("\n"))
