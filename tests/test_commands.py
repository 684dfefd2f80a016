"""Every command that README, the guides and the lessons print is run by a test, or it is said who runs it."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRINTED_IN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PRINTED_IN += sorted((ROOT / "docs" / "extensions").glob("*.py")) + sorted((ROOT / "solutions").rglob("*.py"))
PROGRAMS = {"attention-lab", "conda", "git", "jupyter", "make", "nbgrader", "pip", "pytest", "python", "source", "sudo"}
MAKE = "test_commands.py::test_make_calls_commands_that_tests_run"
EXCHANGE = "docs/test_exchange.py::test_a_lesson_goes_out_by_the_exchange_and_comes_back_graded"
TUTORIAL = "docs/test_tutorial.py::test_the_answers_of_its_bank_are_judged_as_they_deserve"
RELEASE = "course/test_release.py::test_the_command_rebuilds_what_is_stale_and_nothing_else"
MISCONCEPTIONS = "cli/test_author.py::test_misconceptions_of_a_lesson_as_a_table_and_as_a_page"

TESTS = {
    "attention-lab bench": "test_bench.py::test_the_command_prints_each_line_as_it_comes",
    "attention-lab check": "course/test_check.py::test_the_command_takes_a_number_says_all_and_fails_if_something_is_to_do",
    "attention-lab collect": "classroom/test_uploads.py::test_every_site_is_understood",
    "attention-lab demo": "course/test_demo.py::test_every_student_gets_the_score_deserved_also_beside_broken_submissions",
    "attention-lab doctor": "cli/test_instructor.py::test_doctor_says_whether_submissions_can_be_confined",
    "attention-lab experiments --seeds": "course/test_experiments.py::test_the_command_keeps_what_the_lesson_measures_with_these_seeds_and_how_it_was_called",
    "attention-lab feedback": "feedback/test_pages.py::test_every_student_has_a_page_and_who_has_none_is_told",
    "attention-lab grade": "classroom/test_grade.py::test_every_student_has_the_points_deserved",
    "attention-lab grade --dask": "classroom/test_grade.py::test_workers_of_a_dask_cluster_of_which_one_is_killed",
    "attention-lab grade --force": "classroom/test_grade.py::test_what_has_not_changed_is_graded_again_by_force_and_unconfined_on_trust",
    "attention-lab grade --fresh --student": "classroom/test_grade.py::test_an_appeal_is_answered_with_the_same_questions_or_with_fresh_ones",
    "attention-lab grade --no-sandbox": "classroom/test_grade.py::test_what_has_not_changed_is_graded_again_by_force_and_unconfined_on_trust",
    "attention-lab grade --repeat --student": "classroom/test_grade.py::test_an_appeal_is_answered_with_the_same_questions_or_with_fresh_ones",
    "attention-lab handout --force --to": "course/test_handout.py::test_the_command_writes_a_file_and_overwrites_one_only_by_force",
    "attention-lab handout --to": "course/test_handout.py::test_the_command_writes_a_file_and_overwrites_one_only_by_force",
    "attention-lab lab": "cli/test_learner.py::test_lab_opens_the_course_map",
    "attention-lab lab --instructor": "cli/test_instructor.py::test_instructors_have_formgrader_and_the_list_of_assignments",
    "attention-lab misconceptions": "cli/test_author.py::test_misconceptions_lists_every_mistake_with_its_exercise_question_and_equation",
    "attention-lab misconceptions --format --lesson": MISCONCEPTIONS,
    "attention-lab nbgrader": "cli/test_instructor.py::test_nbgrader_is_called_on_the_course_from_any_of_its_folders",
    "attention-lab papers": "test_bench.py::test_the_command_prints_each_line_as_it_comes",
    "attention-lab progress": "course/test_progress.py::test_the_command_says_the_same_as_the_start_page",
    "attention-lab release": RELEASE,
    "attention-lab release --check": RELEASE,
    "attention-lab release --keep-outputs": "course/test_execute.py::test_an_author_may_vouch_for_outputs_of_the_same_code",
    "attention-lab release --lesson": "docs/test_tutorial.py::test_its_lesson_is_released_and_has_every_part_of_a_lesson",
    "attention-lab report": "cli/test_instructor.py::test_report_writes_a_page_and_a_table_with_names_and_without",
    "attention-lab report --anonymous": "cli/test_instructor.py::test_report_writes_a_page_and_a_table_with_names_and_without",
    "attention-lab simulate": "course/test_simulate.py::test_the_command_prints_both_tables",
    "attention-lab simulate --students": "course/test_simulate.py::test_the_command_prints_both_tables",
    "attention-lab submit": "course/test_submit.py::test_the_command_asks_for_the_name_and_says_what_lacks_and_where_the_file_is",
    "attention-lab update": "course/test_update.py::test_a_checkout_is_its_own_release",
    "attention-lab update --from": "course/test_update.py::test_the_command_updates_keeps_a_copy_names_it_and_then_all_is_up_to_date",
    "attention-lab validate": "cli/test_learner.py::test_validate_is_a_command_too_which_finds_the_settings_in_any_folder",
    "nbgrader autograde": EXCHANGE,
    "nbgrader collect": EXCHANGE,
    "nbgrader db --duedate": "classroom/test_round_trip.py::test_from_the_kit_to_the_marks_and_a_second_time",
    "nbgrader export": EXCHANGE,
    "nbgrader fetch_assignment": EXCHANGE,
    "nbgrader fetch_assignment --course": EXCHANGE,
    "nbgrader fetch_feedback --course": EXCHANGE,
    "nbgrader generate_assignment --force": EXCHANGE,
    "nbgrader generate_feedback": EXCHANGE,
    "nbgrader release_assignment": EXCHANGE,
    "nbgrader release_feedback": EXCHANGE,
    "nbgrader submit --course": EXCHANGE,
    "nbgrader validate": "test_wheel.py::test_nbgrader_itself_finds_the_settings_of_a_kit",
    "pytest tests/grading/test_bank.py -k": TUTORIAL,
    "pytest tests/mechanisms -k": "docs/test_tutorial.py::test_the_mechanism_passes_its_tests_and_those_of_every_mechanism",
    "pytest tests/test_lessons.py -k": "docs/test_tutorial.py::test_its_lesson_is_released_and_has_every_part_of_a_lesson",
    "python -c": "docs/test_hub.py::test_the_hub_gives_each_user_the_settings_deserved",
    "python tests/grading/bank.py": "grading/test_bank.py::test_the_table_counts_the_answers_of_every_exercise",
    "python tests/grading/bank.py --exercise --seeds": TUTORIAL,
    "python tests/grading/bank.py --seeds": "grading/test_bank.py::test_no_verdict_depends_on_the_numbers_drawn",
} | {
    f"make {target}": MAKE for target in ("bench", "demo", "kit", "lab", "lint", "mutate", "notebooks", "site", "test")
}
"""A command, without the names that a reader fills in, and the test that runs it or what it calls."""

BY_OTHERS = {
    "conda activate": "tests/test_environment.py holds what conda installs against pyproject.toml",
    "conda env create -f": "tests/test_environment.py holds what conda installs against pyproject.toml",
    "git checkout stash -- notebooks": "git's own; test_update.py has the notebooks that they leave",
    "git clone": "whoever runs the tests has done it",
    "git pull": "git's own",
    "git stash": "git's own",
    "pip install -c": "tests/test_wheel.py installs a wheel; nbgitpuller is not ours",
    "pip install --force-reinstall --no-deps": "tests/test_wheel.py installs a wheel; the options are of pip",
    "pip install -c -e": "make test begins with it",
    "pip install 'attention-lab[cluster]'": "make test begins with it: the extra dev holds it",
    "pip install pre-commit": "a matter of taste",
    "pytest --nbval-lax": "make test does it",
    "pytest tests/mechanisms/test_cbam.py -k": "make test runs the file",
    "python -m venv": "make test begins with it",
    "source .venv/bin/activate": "no command of its own",
    "sudo apt-get install": "continuous integration does it before make test",
    "sudo install -d -m": "tests/docs/test_exchange.py works with a folder of this mode",
}
"""Commands that are not for a test, and who runs them."""

MADE_BY_MAKE = {
    "mutate": "mutmut run",
    "lint": "ruff check",
    "test": "pytest",
    "site": "sphinx-build",
    "kit": "pip wheel",
}
"""What make calls besides this course's own commands."""


def printed(text: str) -> set[str]:
    """The commands in a text: its inline code, and the lines of its blocks, comments left out."""
    block = re.compile(r"^(?:# )?```[^\n]*\n(.*?)^(?:# )?```", re.MULTILINE | re.DOTALL)
    lines = [line for inside in block.findall(text) for line in inside.splitlines()]
    spans = re.findall(r"(?<!`)`([^`]+)`(?!`)", block.sub("", text))
    code = [" ".join(re.sub(r"\n# ", "\n", each).split()).partition("  #")[0] for each in lines + spans]
    commands = [
        re.sub(r"^(?:[A-Z_]+=\S+ )+", "", part.partition(" #")[0].strip()) for c in code for part in c.split(" && ")
    ]
    return {command for command in commands if command.split(" ")[0] in PROGRAMS and " " in command}


def known_as(command: str) -> str:
    """A command as the lists above know it: the program, what it is told to do, and its options in order."""
    first, *words = command.split()
    options = sorted(word for word in words if word.startswith("-"))
    if first in ("attention-lab", "make", "nbgrader"):
        return " ".join([first, words[0], *options])
    for known in sorted({*TESTS, *BY_OTHERS}, key=len, reverse=True):
        head = [word for word in known.split() if not word.startswith("-")]
        plain = [word for word in command.split() if not word.startswith("-")]
        if plain[: len(head)] == head and sorted(w for w in known.split() if w.startswith("-")) == options:
            return known
    return command


COMMANDS = sorted({command for file in PRINTED_IN for command in printed(file.read_text(encoding="utf-8"))})


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_printed_is_in_the_list(command):
    assert known_as(command) in TESTS.keys() | BY_OTHERS.keys()


def test_the_list_holds_no_command_that_is_printed_nowhere():
    called = {f"attention-lab {name}" for name in ("bench", "demo", "release", "handout --force --to")}  # by make
    assert TESTS.keys() | BY_OTHERS.keys() == {known_as(command) for command in COMMANDS} | called


@pytest.mark.parametrize("name", sorted(set(TESTS.values())))
def test_the_test_that_is_named_is_there(name):
    file, _, test = name.partition("::")
    assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("target", [command.split()[1] for command in TESTS if command.startswith("make ")])
def test_make_calls_commands_that_tests_run(target):
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", target], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    called = [line.strip() for line in re.findall(r"\.venv/bin/(attention-lab .*)", shown)]
    assert called or MADE_BY_MAKE[target] in shown
    assert {known_as(command) for command in called} <= TESTS.keys()
