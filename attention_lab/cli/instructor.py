"""An instructor's commands: hand out, collect, grade, report, give back."""

import os
import sys
import time
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

import click

from .asked import CourseError, chosen, course_root, one_lesson
from .terminal import shown_progress


@click.command()
@click.argument("lesson", nargs=-1)
@click.option(
    "--to",
    default="kit.zip",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.",
)
@click.option("--force", is_flag=True, help="Overwrite the file if there is one.")
def handout(lesson: tuple[str, ...], to: Path, force: bool) -> None:
    """Write what a class gets: the notebooks, a page that says how to start, and no answer.

    LESSON is a name or number, such as 02; by default all lessons.
    """
    root = course_root()
    from ..course.handout import kit
    from ..course.source import ReleaseError, lessons

    if to.exists() and not force:
        raise CourseError(f"{to} exists: choose another name, or overwrite it with --force.")
    if not to.absolute().parent.is_dir():
        raise CourseError(f"there is no folder {to.absolute().parent}.")
    names = chosen(lessons(root), lesson)
    try:
        packed = kit(root, names)
    except ReleaseError as error:
        raise CourseError(f"{error}.") from error
    to.write_bytes(packed)
    click.echo(f"{to}: {', '.join(names)}")


@click.command()
def doctor() -> None:
    """Say whether this machine can confine the process that scores come from, and if not, what to do."""
    from ..classroom.sandbox import OTHERWISE, missing

    if lack := missing():
        raise CourseError(f"{lack}\n{OTHERWISE}")
    click.echo(
        "The process that scores come from is confined by bubblewrap: no network, no file of the course, nothing left behind."
    )


@click.command()
@click.argument("download", type=click.Path(exists=True, path_type=Path))
@click.argument("lesson")
@click.option(
    "--students",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A table (CSV) with the columns id, name and email; without, an id is made of each name.",
)
@click.option("--no-times", is_flag=True, help="The times in the download are not those of handing in.")
def collect(download: Path, lesson: str, students: Path | None, no_times: bool) -> None:
    """Put what a class has uploaded to its place: submitted/STUDENT/LESSON/NOTEBOOK.ipynb.

    DOWNLOAD is a zip or folder from Moodle, Canvas or a mailbox. A zip is never trusted. The newer submission counts, an
    earlier one is kept in the folder `earlier`. What has been put nowhere is told with the reason.

    Exit status: 0 if every student's notebook is in its place; 1 if there was none, or something could not be placed or
    read; 2 if the download cannot be read.
    """
    root = course_root()
    lesson = one_lesson(root, lesson)
    from ..classroom import collect as collecting
    from ..classroom.roster import Roster
    from ..table import Table

    if not collecting.Lessons(root).of(lesson):
        raise CourseError(f"{lesson} has not been released: nbgrader generate_assignment {lesson} --force")
    try:
        roster = Roster(students) if students else None
        rows = collecting.collect(download, root, lesson, roster, not no_times)
    except collecting.Refused as reason:
        raise CourseError(f"{reason}.") from reason
    shown = collecting.printable
    texts = [
        [
            shown(row.student),
            shown(row.file),
            row.told,
            f"{row.time:%Y-%m-%d %H:%M} UTC" if row.time else "",
            shown(row.remark, 500),
        ]
        for row in rows
    ]
    click.echo(Table(f"{lesson} from {download}", ["student", "file", "what became of it", "handed in", ""], texts))
    counts = Counter(row.told for row in rows)
    click.echo(f"\n{', '.join(f'{count} {told}' for told, count in counts.items()) or 'nothing was handed in'}.")
    sys.exit(collecting.failed(rows))


@click.command()
@click.argument("lesson")
@click.option("--student", default="*", show_default=True, help="One of them, or a pattern.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1), help="Processes on this machine.")
@click.option("--dask", metavar="ADDRESS", help="Instead, the workers of a Dask cluster, such as tcp://10.0.0.1:8786.")
@click.option("--force", is_flag=True, help="Grade again what has not changed since it was graded.")
@click.option("--no-sandbox", is_flag=True, help="Run submissions unconfined, where you trust who hands in.")
@click.option("--repeat", is_flag=True, help="Ask a graded submission the same questions again; nothing is written.")
@click.option("--fresh", is_flag=True, help="Ask a graded submission fresh questions; nothing is written.")
def grade(
    lesson: str, student: str, workers: int, dask: str, force: bool, no_sandbox: bool, repeat: bool, fresh: bool
) -> None:
    """Grade what was handed in of a lesson, as `nbgrader autograde` does, with several workers.

    LESSON is a name such as 02-squeeze-excitation, or its number. What has not changed since it was graded is left
    alone, so an interrupted run goes on where it stopped.

    Exit status: 0 if everyone who has handed in has a grade; 1 if somebody is left out, with the reason; 2 if nothing
    could be begun; 130 if interrupted. Whoever has handed in nothing is told, and counts for nothing here.
    """
    root = course_root()
    lesson = one_lesson(root, lesson)
    from ..classroom import grade as grading
    from ..classroom.sandbox import missing
    from ..table import Table

    if (lack := missing()) and not no_sandbox:
        raise CourseError(f"{lack}\nOr grade unconfined, where you trust who hands in: --no-sandbox.")
    os.chdir(root)
    if repeat or fresh:
        try:
            rows = grading.again(root, lesson, student, fresh, not no_sandbox)
        except FileNotFoundError as error:
            raise CourseError(f"{error}.") from error
        texts = [[row.grade_id, *("none" if p is None else f"{p:g}" for p in row[1:])] for row in rows]
        asked = "fresh questions" if fresh else "the same questions"
        click.echo(Table(f"{lesson} of {student}, asked {asked} again.", ["test", "points then", "now"], texts))
        same = all(row.before == row.now for row in rows)
        click.echo("The verdicts are the same." if same else "The verdicts differ.")
        return
    from ..classroom.entered import changed
    from ..overview.learners import course_of, notebooks, standing, summary

    handed_in = sorted(folder.parent.name for folder in root.glob(f"submitted/*/{lesson}"))
    if not handed_in:
        raise CourseError(f"nobody has handed in {lesson}: there is no submitted/STUDENT/{lesson}.")
    if not any(fnmatchcase(name, student) for name in handed_in):
        raise CourseError(f"there is no {lesson} of {student}; there is that of {', '.join(handed_in)}.")
    if not notebooks(root, lesson):
        raise CourseError(f"{lesson} is not in the gradebook yet: nbgrader generate_assignment {lesson} --force")
    if told := changed(course_of(root), lesson):
        click.echo(told, err=True)
    start = time.monotonic()
    executor = (lambda: grading.on_dask(dask)) if dask else (lambda: grading.local(workers))
    settings = ["--NbGrader.log_level=ERROR", *(["--Judged.no_sandbox=True"] if no_sandbox else [])]
    with shown_progress(f"grading {lesson}") as tell:
        ahead = grading.grade(lesson, student, executor, grading.AHEAD * workers, force, settings, tell)
    ahead.close()
    if ahead.interrupted:
        click.echo(f"interrupted; {ahead.done} of {ahead.all} graded; run the same command to go on", err=True)
        sys.exit(130)
    notebooks_graded = "1 notebook" if ahead.done == 1 else f"{ahead.done} notebooks"
    click.echo(f"{notebooks_graded} graded in {time.monotonic() - start:.0f} s, {ahead.unchanged} unchanged.")
    those = [learner for learner in standing(root, lesson) if fnmatchcase(learner.name, student)]
    click.echo("\n".join(summary(those)))
    left_out = any(learner.name in handed_in and not learner.is_graded for learner in those)
    sys.exit(ahead.failed or left_out)


@click.command()
@click.argument("lesson")
@click.option("--student", default="*", show_default=True, help="One of them, or a pattern.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1), help="Processes on this machine.")
@click.option("--force", is_flag=True, help="Make pages again that are newer than what they show.")
def feedback(lesson: str, student: str, workers: int, force: bool) -> None:
    """Make the feedback pages of a lesson, as `nbgrader generate_feedback` does, with several workers.

    LESSON is a name such as 02-squeeze-excitation, or its number. A page is left alone if nothing was graded, and no points
    or comments were given in Formgrader, since it was made. Exit status: 1 if a page could not be made.
    """
    root = course_root()
    lesson = one_lesson(root, lesson)
    from ..feedback.pages import pages, up_to_date

    graded = sorted(folder.parent.name for folder in root.glob(f"autograded/*/{lesson}"))
    if not (students := [name for name in graded if fnmatchcase(name, student)]):
        raise CourseError(f"nothing of {lesson} is graded for {student}: attention-lab grade {lesson}")
    old = [name for name in students if force or not up_to_date(root, lesson, name)]
    os.chdir(root)
    with click.progressbar(pages(lesson, old, workers), len(old), f"feedback on {lesson}") as done:
        failed = sorted(name for name, worked in done if not worked)
    count = len(students) - len(failed)
    whose = "1 student's pages are" if count == 1 else f"{count} students' pages are"
    click.echo(f"{whose} in {root / 'feedback'}: {len(old) - len(failed)} made, {len(students) - len(old)} unchanged")
    if failed:
        click.echo(f"no page for {', '.join(failed)}: see the errors above.", err=True)
        sys.exit(1)


@click.command()
@click.argument("lesson")
@click.option("--anonymous", is_flag=True, help="Leave names out: Student 1, Student 2, ...")
def report(lesson: str, anonymous: bool) -> None:
    """Write what was graded of a lesson as a page for its teacher, and as a table for a spreadsheet.

    LESSON is a name such as 02-squeeze-excitation, or its number. Both lie in the course's folder `report`. Who has no
    grade is told here too, by the reason.
    """
    root = course_root()
    lesson = one_lesson(root, lesson)
    from ..overview.class_page import page, without_names
    from ..overview.learners import NothingGraded, learners, summary
    from ..overview.sheet import sheet

    try:
        found = learners(root, lesson)
    except NothingGraded as error:
        raise CourseError(f"{error}.") from error
    found = without_names(found) if anonymous else found
    (root / "report").mkdir(exist_ok=True)
    for kind, text in ("html", page(lesson, found)), ("csv", sheet(found)):
        file = root / "report" / f"{lesson}{'-anonymous' if anonymous else ''}.{kind}"
        file.write_text(text, encoding="utf-8")
        click.echo(file)
    click.echo("\n".join(summary(found)))


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def nbgrader(arguments: tuple[str, ...]) -> None:
    """Call nbgrader on this course, from any folder of it: `attention-lab nbgrader generate_assignment LESSON`."""
    root = course_root()
    from nbgrader.apps import NbGraderApp

    os.chdir(root)
    NbGraderApp.launch_instance(list(arguments))


@click.command()
def demo() -> None:
    """Grade a sample class of lesson 02 with nbgrader and show what an instructor gets."""
    root = course_root()
    from ..course import demo as sample

    course = root / "demo"
    click.echo(sample.score_table(sample.grade_sample_class(root, course, tell=click.echo, progress=shown_progress)))
    click.echo(f"Feedback pages: {course / 'feedback'}/STUDENT/{sample.LESSON}/{sample.NOTEBOOK}.html")
    click.echo(f"What nbgrader said: {course / 'nbgrader.log'}")


@click.command()
@click.argument("lesson", default="02-squeeze-excitation")
@click.option(
    "--students", default=10_000, show_default=True, type=click.IntRange(1), help="Of the class to be graded."
)
@click.option("--slice", "graded", default=20, show_default=True, type=click.IntRange(1), help="How many are graded.")
@click.option("--alone", default=4, show_default=True, type=click.IntRange(1), help="How many by nbgrader alone.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1))
@click.option("--no-sandbox", is_flag=True, help="Where a part of the sandbox is missing.")
def simulate(lesson: str, students: int, graded: int, alone: int, workers: int, no_sandbox: bool) -> None:
    """Measure what grading and a report take on this machine, and say what grading would take for a large class."""
    root = course_root()
    lesson = one_lesson(root, lesson)
    from ..course import simulate as simulation

    sizes = max(graded, alone), min(graded, alone), workers
    for table in simulation.simulate(
        root, root / "simulated", lesson, students, *sizes, not no_sandbox, tell=click.echo
    ):
        click.echo(f"\n{table}")
