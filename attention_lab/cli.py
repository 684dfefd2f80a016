"""`attention-lab`: the course's commands, the same words on every system."""

import errno
import os
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from . import __version__

PROFILE = Path(__file__).parent / "course" / "profile"


class CourseError(click.ClickException):
    """What stops a command, in one line for whoever called it."""

    exit_code = 2


def course_root() -> Path:
    """The checkout that holds the working directory, for the commands that need the lessons' sources or a class."""
    from .course.places import course_of

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
    from .course import places

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
    from .course.places import instead
    from .grading.exercises import LESSONS

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
    from .grading.reading import Unreadable, cells_of

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
    from .course.places import meant

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


def prepend(variable: str, path: str | Path) -> None:
    """Put ``path`` first in a search path of the environment."""
    os.environ[variable] = os.pathsep.join(filter(None, [str(path), os.environ.get(variable)]))


class Commands(click.Group):
    """Says in one line where a command may not write, without a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except PermissionError as error:
            place = f" in {Path(error.filename).parent}" if error.filename else ""
            raise CourseError(f"no permission to write{place}: work in a folder of your own.") from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EROFS, errno.EDQUOT):
                raise
            raise CourseError(f"cannot write {error.filename or ''}: {error.strerror}.") from error
        except Exception as error:
            # of a database, whose package is not loaded for every command
            if type(error).__name__ != "OperationalError":
                raise
            raise CourseError(f"the gradebook cannot be opened or written: {error.orig}.") from error


@contextmanager
def shown_progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Tell how many are done of how many, and on a terminal show it as a bar with the time left."""
    bars: list[Any] = []

    def tell(done: int, all: int) -> None:
        if not bars:
            hidden = not sys.stderr.isatty()
            bars.append(click.progressbar(length=all, label=label, file=sys.stderr, show_pos=True, hidden=hidden))
            bars[0].render_progress()
        bars[0].update(done - bars[0].pos)

    try:
        yield tell
    finally:
        for bar in bars:
            bar.render_finish()


@click.group(cls=Commands)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Learn attention in computer vision by building it."""
    # Jupyter and nbgrader look their own commands up on PATH, also where the environment is not activated.
    prepend("PATH", sysconfig.get_path("scripts"))


@main.command()
@click.argument("lesson", default="")
@click.option("--port", default=8888, show_default=True, help="Where JupyterLab listens; the next free one if taken.")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening it.")
@click.option("--instructor", is_flag=True, help="Open the whole course, with Formgrader and the list of assignments.")
def lab(lesson: str, port: int, no_browser: bool, instructor: bool) -> None:
    """Open JupyterLab on a lesson.

    LESSON is a name or number, such as 02; by default the lesson whose folder you are in, or the course map.
    """
    from .course.places import CONFIG, first_page

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


@main.command()
@click.argument("notebooks", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def validate(notebooks: tuple[Path, ...]) -> None:
    """Run notebooks from the top, as Validate in JupyterLab does.

    `nbgrader validate` with the settings of the course, in any folder.

    Exit status: 0 if every test passes; 1 if not.
    """
    from nbgrader.apps import ValidateApp
    from nbgrader.validator import Validator

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


PUT_RIGHT = "What grading will put right, at no cost, and tell so:"


@main.command()
@click.argument("lesson", default="")
def check(lesson: str) -> None:
    """Say what your notebook of a lesson still lacks, before you hand it in. Nothing is run or changed.

    LESSON is a name or number, such as 2; by default the lesson whose folder you are in. `attention-lab validate NOTEBOOK`
    runs it too.

    Exit status: 0 if every exercise has an answer that can run; 1 if not.
    """
    notebook = learners_notebook(lesson)
    from .course.check import preflight

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


@main.command()
@click.argument("lesson", default="")
@click.option("--name", help="Your name or number, as your instructor knows you; asked for if it is not given.")
def submit(lesson: str, name: str | None) -> None:
    """Write the file to hand in of a lesson: your notebook, with your name on it.

    LESSON is a name or number, such as 2; by default the lesson whose folder you are in. The file lies in the folder
    `hand-in` beside the lessons; another one that was there is kept in `earlier`. What the notebook still lacks is told, and
    handed in all the same.
    """
    notebook = learners_notebook(lesson)
    from .course import places
    from .course.check import preflight
    from .course.submit import submit

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


@main.command()
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
    from .classroom.archive import Refused
    from .course import update as updating
    from .course.source import ReleaseError, lessons

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


@main.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def nbgrader(arguments: tuple[str, ...]) -> None:
    """Call nbgrader on this course, from any folder of it: `attention-lab nbgrader generate_assignment LESSON`."""
    root = course_root()
    from nbgrader.apps import NbGraderApp

    os.chdir(root)
    NbGraderApp.launch_instance(list(arguments))


@main.command()
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
    from .course.handout import kit
    from .course.source import ReleaseError, lessons

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


@main.command()
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
    from .course import release as pipeline
    from .course.source import lessons

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


@main.command()
@click.argument("lesson")
@click.option("--seeds", default="10-19", show_default=True, help="First and last seed, such as 10-19.")
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), help="Folder; the package's own by default.")
def experiments(lesson: str, seeds: str, to: Path | None) -> None:
    """Train a lesson's networks from many seeds, and keep the numbers that the lesson shows beside its own.

    LESSON is a name or number, such as 08. This takes minutes to an hour.
    """
    root = course_root()
    from .course.experiments import record
    from .course.source import ReleaseError, lessons
    from .recording import FOLDER

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


@main.command()
def doctor() -> None:
    """Say whether this machine can confine the process that scores come from, and if not, what to do."""
    from .classroom.sandbox import OTHERWISE, missing

    if lack := missing():
        raise CourseError(f"{lack}\n{OTHERWISE}")
    click.echo(
        "The process that scores come from is confined by bubblewrap: no network, no file of the course, nothing left behind."
    )


@main.command()
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
    from .classroom import collect as collecting
    from .classroom.roster import Roster
    from .table import Table

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


@main.command()
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
    from .feedback.pages import pages, up_to_date

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


@main.command()
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
    from .classroom import grade as grading
    from .classroom.sandbox import missing
    from .table import Table

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
    from .classroom.entered import changed
    from .overview.learners import course_of, notebooks, standing, summary

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


@main.command()
@click.argument("lesson")
@click.option("--anonymous", is_flag=True, help="Leave names out: Student 1, Student 2, ...")
def report(lesson: str, anonymous: bool) -> None:
    """Write what was graded of a lesson as a page for its teacher, and as a table for a spreadsheet.

    LESSON is a name such as 02-squeeze-excitation, or its number. Both lie in the course's folder `report`. Who has no
    grade is told here too, by the reason.
    """
    root = course_root()
    lesson = one_lesson(root, lesson)
    from .overview.class_page import page, without_names
    from .overview.learners import NothingGraded, learners, summary
    from .overview.sheet import sheet

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


@main.command()
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
    from .course import simulate as simulation

    sizes = max(graded, alone), min(graded, alone), workers
    for table in simulation.simulate(
        root, root / "simulated", lesson, students, *sizes, not no_sandbox, tell=click.echo
    ):
        click.echo(f"\n{table}")


@main.command()
def demo() -> None:
    """Grade a sample class of lesson 02 with nbgrader and show what an instructor gets."""
    root = course_root()
    from .course import demo as sample

    course = root / "demo"
    click.echo(sample.score_table(sample.grade_sample_class(root, course, tell=click.echo, progress=shown_progress)))
    click.echo(f"Feedback pages: {course / 'feedback'}/STUDENT/{sample.LESSON}/{sample.NOTEBOOK}.html")
    click.echo(f"What nbgrader said: {course / 'nbgrader.log'}")


@main.command()
@click.option("--quick", is_flag=True, help="Two images, two rounds of one turn: to see that it runs.")
def bench(quick: bool) -> None:
    """Time every mechanism against other ways to compute the same."""
    from . import bench as timing

    with shown_progress("timing") as tell:
        for number, line in enumerate(timing.lines(quick), 1):
            if sys.stderr.isatty():
                click.echo("\r\x1b[K", nl=False, err=True)  # the bar, which the line would be written into
            click.echo(line)
            tell(number, max(number, timing.length()))


@main.command()
def papers() -> None:
    """Count parameters and multiply-adds beside those that the papers print."""
    from . import papers as tables

    for line in tables.lines():
        click.echo(line)


@main.command()
def progress() -> None:
    """Show the points you have so far, lesson by lesson."""
    notebooks = learners_folder()
    from .course.progress import progress

    click.echo(progress(notebooks))


@main.command()
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
    from .grading import catalogue
    from .grading.exercises import LESSONS

    entries = catalogue.misconceptions(chosen(list(LESSONS), (lesson,) if lesson else ()))
    write = {"text": catalogue.as_text, "csv": catalogue.as_csv, "md": catalogue.as_markdown}
    click.echo(write[form](entries).removesuffix("\n"))
