"""From the kit to the exported marks and back, by the commands that an instructor types; and through nbgrader's exchange."""

import csv
import io
import os
import pwd
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from called import called, nbgrader
from classes import CHECKED, Class

from attention_lab.classroom.sandbox import missing, unconfined

RIGHT = "def squeeze(x):\n    return x.mean((2, 3))"
MAXIMUM = "def squeeze(x):\n    return x.amax((2, 3))"
PATH = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
SET = {"PATH": PATH, "TZ": "UTC"}
UNCONFINED = ["--no-sandbox"] if missing() else []
LATE = '# c.AssignLatePenalties.plugin_class = "attention_lab.classroom.late.PerDay"'
UPDATE = "# c.ExchangeCollect.update = True"
ROSTER = "id,name,email\ns1,Ada Lovelace,ada@example.org\ns2,Björn Müller,bjoern@example.org\ns3,Cyd Ray,\ns4,Dan Oh,\n"
DUE = "2026-11-20 12:00:00 UTC"


class Typed:
    """Commands as they are typed in a folder, and all that they have said."""

    def __init__(self, here: Path):
        self.here, self.said = here, ""

    def __call__(self, *command: str, status: int = 0) -> str:
        call = called if command[0] == "attention-lab" else nbgrader
        done = call(*command[1:], cwd=self.here)
        said = done.stdout + done.stderr
        assert done.returncode == status, said
        self.said += said
        return said


def uncommented(config: Path, *lines: str) -> None:
    text = config.read_text(encoding="utf-8")
    for line in lines:
        assert line in text
        text = text.replace(line, line.removeprefix("# "))
    config.write_text(text, encoding="utf-8")


@pytest.fixture
def course(tmp_path) -> Path:
    root = Class(tmp_path).root
    (root / "solutions" / "index.py").write_text("# %% [markdown]\n# # The course\n", encoding="utf-8")
    (root / "notebooks" / "index.ipynb").unlink(missing_ok=True)
    return root


def worked(released: Path, answer: str) -> str:
    """A notebook as it was released, with an answer in it."""
    notebook = nbformat.read(released, as_version=4)
    next(cell for cell in notebook.cells if cell.id == "squeeze").source = answer
    return nbformat.writes(notebook)


def upload(to: Path, released: Path, date: tuple, **answers: str) -> Path:
    """What Moodle gives of a class, whose answers come by name; everyone's notebook has another name."""
    with zipfile.ZipFile(to, "w") as archive:
        for number, (name, answer) in enumerate(answers.items()):
            folder = f"{name.replace('_', ' ')}_{100 + number}_assignsubmission_file_"
            entry = zipfile.ZipInfo(f"{folder}/checked ({number + 1}).ipynb", date)
            archive.writestr(entry, answer if answer == "{" else worked(released, answer))
    return to


def marks(course: Path) -> dict[str, tuple[str, str, str]]:
    """Of each student who has any: the points, what was taken off for being late, and what is left."""
    with (course / "grades.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["timestamp"]]
    return {row["student_id"]: tuple(row[k] for k in ("raw_score", "late_submission_penalty", "score")) for row in rows}


@pytest.mark.timeout(900)
def test_from_the_kit_to_the_marks_and_a_second_time(course, tmp_path, monkeypatch):
    for name, value in SET.items():
        monkeypatch.setenv(name, value)
    type_, moodle = Typed(course), course / "moodle.zip"
    (course / "students.csv").write_text(ROSTER, encoding="utf-8")
    uncommented(course / "nbgrader_config.py", LATE)
    type_("nbgrader", "generate_assignment", CHECKED, "--force")
    type_("attention-lab", "release")
    type_("nbgrader", "db", "assignment", "add", CHECKED, "--duedate", DUE)
    (course / "ids.csv").write_text("id\ns1\ns2\ns3\ns4\n", encoding="utf-8")
    type_("nbgrader", "db", "student", "import", "ids.csv")
    type_("attention-lab", "handout", "02", "--to", "kit.zip")
    with zipfile.ZipFile(course / "kit.zip") as kit:
        kit.extractall(tmp_path / "learner")
    released = tmp_path / "learner" / "attention-lab" / "notebooks" / CHECKED / "checked.ipynb"

    upload(moodle, released, (2026, 11, 20, 11, 0, 0), Ada_Lovelace=RIGHT, Björn_Müller=MAXIMUM, Cyd_Ray="{")
    told = type_("attention-lab", "collect", "moodle.zip", "02", "--students", "students.csv", status=1)
    assert "2 placed" in told and "was checked (2).ipynb" in told and "1 not readable" in told
    told = type_("attention-lab", "grade", "02", *UNCONFINED, status=1)
    assert "2 notebooks graded" in told and "1 not readable: s3" in told and "1 absent: s4" in told
    told = type_("attention-lab", "report", "02")
    assert "2 graded" in told and "1 not readable: s3" in told and "1 absent: s4" in told
    told = (course / "report" / f"{CHECKED}.csv").read_text(encoding="utf-8")
    assert [line.split(",")[:2] for line in told.splitlines()[1:]] == [
        ["s1", "graded"],
        ["s2", "graded"],
        ["s3", "not readable"],
        ["s4", "absent"],
    ]
    type_("nbgrader", "generate_feedback", CHECKED)
    assert "the maximum" in (course / "feedback" / "s2" / CHECKED / "checked.html").read_text(encoding="utf-8")
    type_("nbgrader", "export")
    assert marks(course) == {"s1": ("3.0", "0.0", "3.0"), "s2": ("2.0", "0.0", "2.0")}

    upload(moodle, released, (2026, 11, 21, 11, 0, 0), Ada_Lovelace=RIGHT, Björn_Müller=RIGHT, Cyd_Ray=MAXIMUM)
    told = type_("attention-lab", "collect", "moodle.zip", "02", "--students", "students.csv")
    assert "1 unchanged" in told and "2 newer, placed" in told and f"earlier/s2/{CHECKED}/1" in told
    told = type_("attention-lab", "grade", "02", *UNCONFINED)
    assert "2 notebooks graded" in told and "1 unchanged" in told
    type_("nbgrader", "generate_feedback", CHECKED)
    assert "the maximum" not in (course / "feedback" / "s2" / CHECKED / "checked.html").read_text(encoding="utf-8")
    assert (course / "feedback" / "s3" / CHECKED / "checked.html").exists()
    type_("nbgrader", "export")
    assert marks(course) == {"s1": ("3.0", "0.0", "3.0"), "s2": ("3.0", "1.0", "2.0"), "s3": ("2.0", "1.0", "1.0")}
    type_("attention-lab", "report", "02")
    report = csv.DictReader(io.StringIO((course / "report" / f"{CHECKED}.csv").read_text(encoding="utf-8")))
    assert {row["name"]: row["score"] for row in report} == {"s1": "3", "s2": "2", "s3": "1", "s4": ""}
    assert "Traceback" not in type_.said and "Warning" not in type_.said


def account() -> Iterator[pwd.struct_passwd]:
    """A system account that ends with the test; a test that cannot have one is skipped, with the reason."""
    if not hasattr(os, "geteuid") or os.geteuid() or not shutil.which("useradd"):
        pytest.skip("accounts can be made by root alone, with useradd")
    name = f"al-{uuid.uuid4().hex[:8]}"
    made = subprocess.run(["useradd", "--create-home", name], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no account can be made here: {made.stderr}")
    try:
        yield pwd.getpwnam(name)
    finally:
        subprocess.run(["userdel", "--remove", name], capture_output=True)


teacher, learner = pytest.fixture(account, name="teacher"), pytest.fixture(account, name="learner")


class As:
    """Commands as somebody with an account of their own types them."""

    def __init__(self, who: pwd.struct_passwd, here: Path):
        self.who, self.here = who, here

    def __call__(self, *command: str) -> str:
        who, package = self.who, str(Path(__file__).parents[2])
        settings = {"PATH": PATH, "HOME": who.pw_dir, "USER": who.pw_name, "TZ": "UTC", "PYTHONPATH": package}
        done = subprocess.run(
            command, cwd=self.here, env=settings, capture_output=True, text=True,
            user=who.pw_uid, group=who.pw_gid, extra_groups=[], umask=0o022,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.mark.timeout(900)
def test_through_nbgraders_exchange_with_two_accounts(course, teacher, learner):
    try:
        As(learner, Path("/"))(sys.executable, "-c", "import attention_lab, nbgrader")
    except (AssertionError, OSError) as error:
        pytest.skip(f"another account cannot run this Python: {error}")
    exchange = Path(tempfile.mkdtemp(prefix="exchange-"))
    try:
        exchange.chmod(0o777)
        mine = Path(teacher.pw_dir, "course")
        uncommented(course / "nbgrader_config.py", UPDATE)
        shutil.copytree(course, mine)
        own(mine, teacher)
        set_up = (
            f"c = get_config()\nc.Exchange.root = {str(exchange)!r}\nc.CourseDirectory.course_id = 'attention-lab'\n"
        )
        for who in (teacher, learner):
            (folder := Path(who.pw_dir, ".jupyter")).mkdir()
            (folder / "nbgrader_config.py").write_text(set_up)
            own(folder, who)
        teaches, learns = As(teacher, mine), As(learner, Path(learner.pw_dir))

        teaches("nbgrader", "generate_assignment", CHECKED, "--force")
        teaches("nbgrader", "release_assignment", CHECKED)
        learns("nbgrader", "fetch_assignment", CHECKED)
        fetched = Path(learner.pw_dir, CHECKED, "checked.ipynb")
        for answer, score in ((MAXIMUM, 2), (RIGHT, 3)):
            fetched.write_text(worked(fetched, answer), encoding="utf-8")
            learns("nbgrader", "submit", CHECKED)
            teaches("nbgrader", "collect", CHECKED)
            handed_in = mine / "submitted" / learner.pw_name / CHECKED
            assert (handed_in / "timestamp.txt").exists()
            teaches("nbgrader", "autograde", CHECKED, *unconfined())
            teaches("nbgrader", "generate_feedback", CHECKED)
            teaches("nbgrader", "release_feedback", CHECKED)
            learns("nbgrader", "fetch_feedback", CHECKED)
            teaches("nbgrader", "export")
            assert {name: points for name, (_, _, points) in marks(mine).items()} == {learner.pw_name: f"{score}.0"}
            pages = list(Path(learner.pw_dir, CHECKED, "feedback").rglob("checked.html"))
            assert any(("the maximum" in page.read_text(encoding="utf-8")) == (answer == MAXIMUM) for page in pages)
    finally:
        shutil.rmtree(exchange, ignore_errors=True)


def own(folder: Path, who: pwd.struct_passwd) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, who.pw_uid, who.pw_gid)
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
