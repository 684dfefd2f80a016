"""A class graded with several workers, here, on a Dask cluster, and with the gradebook in PostgreSQL."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from called import called
from classes import CHECKED, Class
from nbgrader.api import Gradebook

from attention_lab.classroom import grade as module
from attention_lab.classroom.job import Job, done
from attention_lab.classroom.sandbox import missing

RIGHT = "def squeeze(x):\n    return x.mean((2, 3))"
MAXIMUM = "def squeeze(x):\n    return x.amax((2, 3))"
STUB = "def squeeze(x):\n    raise NotImplementedError()"
CLASS = {"ada": (RIGHT, 3), "bob": (MAXIMUM, 2), "cyd": (STUB, 1), "dan": (RIGHT, 3), "eva": ("1 / 0", 1)}
DESERVED = {name: score for name, (_, score) in CLASS.items()}
UNCONFINED = ["--no-sandbox"] if missing() else []
COMMAND = [sys.executable, "-m", "attention_lab", "grade", CHECKED, *UNCONFINED]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Class:
    made = Class(tmp_path_factory.mktemp("prepared"))
    for name, (answer, _) in CLASS.items():
        made.hands_in(name, [], answer)
    made.call("generate_assignment", CHECKED, "--force")
    return made


@pytest.fixture
def made(prepared, tmp_path) -> Class:
    """A class that has handed in, and is not graded yet."""
    return prepared.copy(tmp_path)


def grade(made: Class, *options: str) -> str:
    """What `attention-lab grade` says."""
    done = called("grade", CHECKED, *UNCONFINED, *options, cwd=made.root)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def graded(prepared, tmp_path_factory) -> Class:
    made = prepared.copy(tmp_path_factory.mktemp("graded"))
    made.said = grade(made, "--workers", "1")  # which does not begin with all of them at once
    return made


def test_every_student_has_the_points_deserved(graded):
    assert graded.scores() == DESERVED
    assert "5 notebooks graded" in graded.said


def test_what_has_not_changed_is_left_alone_and_what_has_is_graded_again(made):
    (half := made.root / "autograded" / "ada" / CHECKED).mkdir(parents=True)
    (half / "checked.ipynb").write_text("as a run left it that was interrupted")
    assert "5 notebooks graded" in grade(made)
    shutil.rmtree(made.root / "submitted" / "bob")
    made.hands_in("bob", [], RIGHT)
    said = grade(made)
    assert "1 notebook graded" in said and "4 unchanged" in said
    assert made.scores() == DESERVED | {"bob": 3}
    assert "1 notebook graded" in grade(made, "--force", "--student", "ada")


def test_what_has_not_changed_is_graded_again_by_force_and_unconfined_on_trust(graded, tmp_path):
    made = graded.copy(tmp_path)
    said = grade(made, "--student", "ada", "--force", "--no-sandbox")
    assert "1 notebook graded" in said and "0 unchanged" in said
    assert made.scores() == DESERVED


def test_a_graded_notebook_says_from_what_and_by_what_it_was_graded(graded):
    kept = graded.autograded("ada").metadata["attention_lab"]
    assert kept["seed"] > 0 and len(kept["submission"]) == 64
    assert kept["versions"].keys() == {"attention-lab", "nbgrader", "python", "torch"}


def test_all_are_asked_the_same_and_at_the_next_time_something_else(graded, tmp_path):
    made = graded.copy(tmp_path)
    seeds = {name: made.autograded(name).metadata["attention_lab"]["seed"] for name in ("ada", "dan")}
    assert seeds["ada"] == seeds["dan"]
    grade(made, "--student", "ada", "--force")
    assert made.autograded("ada").metadata["attention_lab"]["seed"] != seeds["ada"]


@pytest.mark.parametrize("how", ["--repeat", "--fresh"])
def test_an_appeal_is_answered_with_the_same_questions_or_with_fresh_ones(graded, how):
    before = graded.notebook("bob").read_bytes()
    said = grade(graded, "--student", "bob", how)
    assert [line.split() for line in said.splitlines() if line.startswith(("squeeze", "own"))] == [
        ["squeeze-shape", "1", "1"],
        ["squeeze-values", "0", "0"],
        ["own", "1", "1"],
    ]
    assert "The verdicts are the same." in said
    assert graded.notebook("bob").read_bytes() == before


def test_who_was_not_graded_cannot_appeal(graded):
    assert "has not been graded" in grade(graded, "--student", "nobody", "--repeat")


def test_one_that_cannot_be_read_is_told_and_the_others_are_graded(made):
    (made.hands_in("fay", [], RIGHT) / "checked.ipynb").write_text("{")
    assert "fay: checked.ipynb: no notebook" in grade(made)
    assert made.scores() == DESERVED | {"fay": None}


def test_a_renamed_notebook_is_told_in_one_line_with_what_to_do(made):
    folder = made.hands_in("gus", [], RIGHT)
    (folder / "checked.ipynb").rename(folder / "checked (1) Gus.ipynb")
    done = called("grade", CHECKED, *UNCONFINED, "--student", "gus", cwd=made.root)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "gus: no checked.ipynb; there is: checked (1) Gus.ipynb (rename it, or let `attention-lab collect`" in said
    assert "1 renamed: gus" in said and "Traceback" not in said and "generate_assignment" not in said


def test_a_misspelt_lesson_and_an_unknown_student_are_told(made):
    for words, told in (
        (["02-chekced"], "there is no lesson 02-chekced; the lessons are 02-checked."),
        ([CHECKED, "--student", "eve"], f"there is no {CHECKED} of eve; there is that of ada, bob, cyd, dan, eva."),
    ):
        done = called("grade", *words, *UNCONFINED, cwd=made.root)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"Error: {told}\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups to interrupt")
def test_an_interrupted_run_says_how_far_it_has_come_and_leaves_nobody_out(made):
    shutil.rmtree(made.root / "submitted" / "bob")
    made.hands_in("bob", ["while True: pass"], RIGHT)
    grading = subprocess.Popen(
        [*COMMAND, "--workers", "1"], cwd=made.root, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while not (made.root / "autograded" / "bob" / CHECKED).exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(1)
    os.killpg(grading.pid, signal.SIGINT)
    said, _ = grading.communicate(timeout=60)
    assert grading.returncode == 130
    assert said.splitlines()[-1] == "interrupted; 1 of 5 graded; run the same command to go on"
    assert "left out" not in said and "Canceled" not in said and "Traceback" not in said
    assert made.notebook("ada").exists() and not made.notebook("bob").exists()


def dies_once(mark: Path, of: Job) -> str:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return done(of)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_costs_nobody_anything(made, tmp_path, monkeypatch):
    killed = tmp_path / "killed"

    class Dying(ProcessPoolExecutor):
        def submit(self, function, of):
            return super().submit(dies_once, killed, of)

    monkeypatch.setattr(module, "ProcessPoolExecutor", Dying)
    assert "5 notebooks graded" in grade(made)
    assert killed.exists()
    assert made.scores() == DESERVED


def test_workers_of_a_dask_cluster_of_which_one_is_killed(made):
    from distributed import LocalCluster, default_client

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        threading.Thread(target=kill_one_that_works, args=[cluster, killed := []], daemon=True).start()
        said = grade(made, "--dask", cluster.scheduler_address)
        default_client().close()  # the command's, which ends with its process
    assert len(killed) == 1
    assert "5 notebooks graded" in said
    assert made.scores() == DESERVED
    with Gradebook(f"sqlite:///{made.root / 'gradebook.db'}") as gradebook:
        assert len(gradebook.assignment_submissions(CHECKED)) == len(CLASS)


def kill_one_that_works(cluster, killed: list[int]) -> None:
    """Kill the first worker that has got a job."""
    workers = list(cluster.scheduler.workers.values())
    while not (busy := [worker.nanny for worker in workers if worker.processing]):
        time.sleep(0.01)
    killed.append(next(each.pid for each in cluster.workers.values() if each.address == busy[0]))
    os.kill(killed[0], signal.SIGKILL)


SERVER = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@contextmanager
def postgres():
    """The address of a PostgreSQL server that ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    as_user = []
    if os.geteuid() == 0:  # the server does not run as root
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    run = lambda *command: subprocess.run([*as_user, *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: E731
    run(SERVER / "initdb", "-D", folder / "data", "-U", "course", "-A", "trust")
    control = [SERVER / "pg_ctl", "-D", folder / "data", "-w"]
    run(*control, "-l", folder / "log", "-o", f"-c listen_addresses='' -k {folder}", "start")
    try:
        yield f"postgresql+psycopg://course@/postgres?host={folder}"
    finally:
        run(*control, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.mark.skipif(SERVER is None and not os.environ.get("CI"), reason="needs postgresql: apt-get install postgresql")
def test_a_gradebook_in_postgresql(made):
    (made.root / "gradebook.db").unlink()
    with postgres() as address:
        config = made.root / "nbgrader_config.py"
        config.write_text(f"{config.read_text()}\nc.CourseDirectory.db_url = {address!r}\n")
        made.call("generate_assignment", CHECKED, "--force")
        assert "5 notebooks graded" in grade(made)
        with Gradebook(address) as gradebook:
            assert {name: gradebook.find_submission(CHECKED, name).score for name in CLASS} == DESERVED
    assert not (made.root / "gradebook.db").exists()


def rows(made: Class, name: str) -> list[tuple]:
    """What the gradebook has of a student's cells."""
    with Gradebook(f"sqlite:///{made.root / 'gradebook.db'}") as gradebook:
        submission = gradebook.find_submission(CHECKED, name)
        (notebook,) = submission.notebooks
        grades = [(g.name, g.auto_score, g.manual_score, g.max_score, g.needs_manual_grade) for g in notebook.grades]
        comments = [(c.name, c.auto_comment, c.manual_comment) for c in notebook.comments]
        return [submission.score, submission.max_score, *sorted(grades), *sorted(comments)]


STOCK = """
c.Autograde.exporter_class = "nbconvert.exporters.NotebookExporter"
c.Autograde.autograde_preprocessors = [
    "nbgrader.preprocessors.Execute", "nbgrader.preprocessors.IgnorePattern", "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades", "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
"""


def test_for_an_honest_class_gradebook_and_feedback_are_as_stock_nbgrader_makes_them(graded, made):
    stock = made
    shutil.rmtree(stock.root / "submitted" / "dan")  # who has handed in what ada has
    config = stock.root / "nbgrader_config.py"
    config.write_text(config.read_text() + STOCK)
    stock.call("autograde", CHECKED)
    assert stock.scores() | {"dan": stock.scores()["ada"]} == graded.scores()
    for name in stock.scores():
        assert rows(stock, name) == rows(graded, name)
        for ours, theirs in zip(graded.autograded(name).cells, stock.autograded(name).cells, strict=True):
            assert (ours.source, ours.id) == (theirs.source, theirs.id)
            assert ours.metadata.get("nbgrader") == theirs.metadata.get("nbgrader")
            assert kinds(ours) == kinds(theirs), ours.source
    for made in (graded, stock):
        made.call("generate_feedback", CHECKED)
        made.call("export")
    pages = [made.root / "feedback" / "bob" / CHECKED / "checked.html" for made in (graded, stock)]
    assert all("the maximum of each channel" in page.read_text() for page in pages)
    assert [line for line in exported(graded) if ",dan," not in line] == exported(stock)


def kinds(cell: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """What kinds of output a cell has, but for the remark on where a test was checked."""
    shown = json.loads(json.dumps(cell.get("outputs", [])))
    return [
        (output["output_type"], output.get("ename", ""))
        for output in shown
        if "Checked in the kernel" not in output.get("text", "")
    ]


def exported(made: Class) -> list[str]:
    lines = (made.root / "grades.csv").read_text().splitlines()
    return sorted(line.partition("timestamp")[0] for line in lines)
