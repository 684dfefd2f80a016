"""What a learner sees: check and hint, with any answer whatever."""

import linecache
import re
import sys
import warnings
from functools import partial

import pytest
import torch
from fresh import printed
from torch import nn

from attention_lab.grading import CheckFailed, hint, notebook
from attention_lab.grading import check as check_strictly
from attention_lab.grading.exercises import EXERCISES
from attention_lab.mechanisms import SqueezeExcitation, squeeze

CHECK = "squeeze-excitation-values"
check = partial(check_strictly, may_borrow=True)


class Raises(nn.Module):
    def __init__(self, channels, reduction=16):
        raise RuntimeError("no such luck")


class CrashesAtItsLine(SqueezeExcitation):
    def forward(self, x):
        return x * self.gate(x)


class ReturnsNone(SqueezeExcitation):
    def forward(self, x):
        x * self.weights(x)


class ReturnsATuple(SqueezeExcitation):
    def forward(self, x):
        return x, self.weights(x)


class ReturnsNaN(SqueezeExcitation):
    def forward(self, x):
        return x * float("nan")


class NeverEnds(SqueezeExcitation):
    def weights(self, x):
        while True:
            pass


class TakesTenGigabytes(SqueezeExcitation):
    def forward(self, x):
        return x * torch.zeros(10 * 2**30, dtype=torch.uint8)[0]


class ReturnsHalves(SqueezeExcitation):
    def forward(self, x):
        return super().forward(x).to(torch.int32)


class ExitsThePython(SqueezeExcitation):
    def forward(self, x):
        sys.exit(0)


NONSENSE = {
    "None": (None, "None"),
    "a number": (3, "int"),
    "a function": (lambda channels: channels, ""),
    "an instance": (SqueezeExcitation(32), "SqueezeExcitation"),
    "a class that is no module": (dict, ""),
    "raises when built": (Raises, "no such luck"),
    "crashes": (CrashesAtItsLine, "return x * self.gate(x)"),
    "returns None": (ReturnsNone, "is a return missing?"),
    "returns a tuple": (ReturnsATuple, "tuple"),
    "returns nan": (ReturnsNaN, "nan"),
    "never ends": (NeverEnds, "does a loop never end?"),
    "takes 10 GB": (TakesTenGigabytes, "allocate memory"),
    "returns another dtype": (ReturnsHalves, "int32"),
    "exits": (ExitsThePython, "SystemExit"),
}


@pytest.mark.parametrize(("answer", "told"), NONSENSE.values(), ids=NONSENSE)
def test_any_answer_gets_a_short_readable_message(answer, told, monkeypatch):
    monkeypatch.setattr("attention_lab.grading.limits.TIME_LIMIT", 0.2)
    with pytest.raises(CheckFailed) as failed:
        check(CHECK, answer)
    lines = str(failed.value).splitlines()
    assert lines[0].startswith(CHECK)
    assert told in " ".join(lines)
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 8


def test_the_message_names_the_mistake_and_asks_a_question():
    class MaxPooled(SqueezeExcitation):
        def weights(self, x):
            return self.excitation(x.amax((2, 3))).sigmoid()[:, :, None, None]

    with pytest.raises(CheckFailed) as failed:
        check(CHECK, MaxPooled)
    message = " ".join(str(failed.value).split())
    assert re.match(rf"{CHECK}: values of weights: got weights\[[\d, ]+\] = [\d.e-]+, expected [\d.e-]+\.", message)
    assert "This looks like: max pooling where the squeeze is an average." in message
    assert "Ask yourself: Which pooling does equation 2 use?" in message


def test_a_mistake_is_named_beside_another_one_that_this_check_does_not_ask_about():
    def multiplied_and_unstable(scores, dim=-1, temperature=1.0):
        powers = torch.exp(scores * temperature)
        return powers / powers.sum(dim, keepdim=True)

    with pytest.raises(CheckFailed, match="multiplied by the temperature"):
        check("temperature-softmax-temperature", multiplied_and_unstable)


def test_in_jupyter_a_failed_check_shows_its_message_and_no_traceback_of_ours():
    with pytest.raises(CheckFailed) as failed:
        check(CHECK, None)
    assert failed.value._render_traceback_() == [f"CheckFailed: {failed.value}"]


def test_a_stub_is_reported_as_not_yet_written():
    class Stub(nn.Module):
        def __init__(self, channels, reduction=16):
            super().__init__()
            raise NotImplementedError()

    with pytest.raises(NotImplementedError, match=r"Stub.__init__ is still a stub"):
        check(CHECK, Stub)


def test_what_torch_has_not_implemented_is_no_stub():
    def softmax_of_whole_numbers(scores, dim=-1, temperature=1.0):
        return (scores / temperature).long().softmax(dim)

    with pytest.raises(CheckFailed, match="whole numbers are given where real ones are needed"):
        check("temperature-softmax-values", softmax_of_whole_numbers)


def test_what_is_finished_counts_while_the_rest_is_a_stub(capsys):
    class HalfWritten(SqueezeExcitation):
        def weights(self, x):
            raise NotImplementedError()

    check("squeeze-excitation-parameters", HalfWritten)
    assert "2 points" in capsys.readouterr().out
    with pytest.raises(NotImplementedError):
        check("squeeze-excitation-values", HalfWritten)


def test_a_check_that_fails_takes_back_the_points_that_it_gave_before(monkeypatch):
    monkeypatch.setattr(notebook, "points_earned", {})
    check(CHECK, SqueezeExcitation)
    assert notebook.points_earned == {CHECK: 4}
    with pytest.raises(CheckFailed):
        check(CHECK, ReturnsNaN)
    assert notebook.points_earned == {CHECK: 0}


def test_the_courses_own_answer_earns_nothing_and_takes_back_what_was_earned(monkeypatch):
    monkeypatch.setattr(notebook, "points_earned", {"squeeze-values": 2})
    with pytest.raises(CheckFailed, match="squeeze-values: your code uses the course's own "):
        check_strictly("squeeze-values", squeeze)
    assert notebook.points_earned == {"squeeze-values": 0}


def test_a_check_returns_nothing_so_that_nbgrader_gives_full_points():
    assert check("squeeze-values", squeeze) is None


def test_prints_and_warnings_of_an_answer_stay_inside(capfd):
    def chatty(x):
        print("shape", x.shape)
        print("careful", file=sys.stderr)
        warnings.warn("old function", stacklevel=2)
        return squeeze(x)

    check("squeeze-values", chatty)
    told = capfd.readouterr()
    assert "shape" not in told.out and told.err == ""


def test_checking_leaves_the_random_state_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    check(CHECK, SqueezeExcitation)
    assert torch.equal(torch.rand(3), expected)


def test_every_check_asks_with_fresh_numbers():
    asked = []

    def remember(x):
        asked.append(x.clone())
        return squeeze(x)

    check("squeeze-values", remember)
    check("squeeze-values", remember)
    firsts = [x for x in asked if x.shape == asked[0].shape]
    assert not torch.equal(firsts[0], firsts[-1])


def test_an_unknown_name_is_told_in_one_line_with_the_nearest_that_there_are():
    with pytest.raises(
        ValueError, match="no check is called 'squeeze-value'; did you mean squeeze-values, "
    ) as unknown:
        check("squeeze-value", squeeze)
    assert len(str(unknown.value)) < 350 and "of another version than your attention_lab" in str(unknown.value)
    near = re.split(", | or ", str(unknown.value).split("did you mean ")[1].partition("?")[0])
    assert len(set(near)) == len(near) == 3
    assert unknown.value._render_traceback_() == [f"UnknownId: {unknown.value}"]
    with pytest.raises(ValueError, match="no exercise is called 'sqeeze'; did you mean squeeze, "):
        hint("sqeeze")
    with pytest.raises(ValueError, match="no lesson is called '2'; did you mean "):
        notebook.points("2")


def test_hints_come_one_after_another_and_the_last_one_stays(capsys):
    notebook.hints_given.clear()
    for _ in range(4):
        hint("squeeze-excitation")
    shown = capsys.readouterr().out
    assert "Hint 3 of 3.**\n\n```\n" in shown  # a fence of pseudocode must begin a line
    assert [f"Hint {n} of 3" in shown for n in (1, 2, 3)] == [True] * 3
    assert shown.count("Hint 3 of 3") == 2 and shown.count("There are no more") == 1
    assert shown.index("There are no more") > shown.index("Hint 3 of 3")


def test_the_points_of_a_lesson_stand_beside_those_that_can_be_reached(monkeypatch, capsys):
    monkeypatch.setattr(notebook, "points_earned", {CHECK: 4, "squeeze-values": 1})
    exercise = EXERCISES["squeeze-excitation"]
    lesson = next(name for name, exercises in notebook.LESSONS.items() if exercise in exercises)
    notebook.points(lesson)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    reachable = sum(asked.points for asked in exercise.checks.values())
    assert [row[-2:] for row in rows if row[:1] == ["squeeze-excitation"]] == [["4", str(reachable)]]
    total = sum(asked.points for each in notebook.LESSONS[lesson] for asked in each.checks.values())
    assert [row[1:] for row in rows if row[:1] == ["total"]] == [["5", str(total)]]


def test_the_points_at_the_end_are_of_what_the_notebook_asks_with_an_instructors_own_tests(tmp_path):
    code = """
import json, pathlib, sys
from IPython.core.interactiveshell import InteractiveShell
cells = []
def cell(source, **nbgrader):
    metadata = {"nbgrader": {"grade": True, "locked": True, "solution": False} | nbgrader} if nbgrader else {}
    cells.append({"cell_type": "code", "source": source, "metadata": metadata})
cell("def squeeze(x): return x.mean((2, 3))", grade_id="squeeze", grade=False, solution=True)
cell("check('squeeze-values', squeeze)".replace("'", '"'))
cell("assert squeeze.__name__ == 'squeeze'", grade_id="named", points=1.5)
cell("assert squeeze.__doc__", grade_id="documented", points=2)
cell('points("02-squeeze-excitation")')
pathlib.Path("squeeze-excitation.ipynb").write_text(json.dumps({"cells": cells}))
shell = InteractiveShell.instance(colors="nocolor")
shell.run_cell("%load_ext attention_lab.grading")
shell.run_cell("from attention_lab.grading import check, points")
for made in cells:
    shell.run_cell(made["source"])
"""
    shown = printed(code, tmp_path)
    assert re.search(r"squeeze +2\.5 +4\.5\ntotal +2\.5 +4\.5\n", shown), shown
    assert "your instructor's own" in shown


def test_a_wrong_answer_is_told_what_is_wrong_also_where_it_uses_the_courses_own():
    with pytest.raises(CheckFailed, match="nan"):
        check_strictly(CHECK, ReturnsNaN)


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
def test_every_exercise_has_three_hints_and_misconceptions_with_a_question(exercise):
    assert len(exercise.hints) == 3 and all(exercise.hints)
    for misconception in exercise.misconceptions:
        assert misconception.question.endswith("?") or "?" in misconception.question
        assert not misconception.name.endswith(".")


def test_stub_errors_take_one_line_in_a_notebook(tmp_path):
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance(colors='nocolor')\n"
        "shell.run_cell('%load_ext attention_lab.grading')\n"
        "shell.run_cell('def softmax(x):\\n    raise NotImplementedError()')\n"
        "shell.run_cell('softmax(1)')\n"
    )
    shown = printed(code, tmp_path)
    assert shown.startswith("NotImplementedError: softmax is still a stub: write it in place of `raise ")
    assert shown.count("\n") == 1


def test_a_lessons_checks_are_ours_also_where_a_learners_own_function_is_called_check(tmp_path):
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance(colors='nocolor')\n"
        "shell.run_cell('%load_ext attention_lab.grading')\n"
        "shell.run_cell('%reload_ext attention_lab.grading')\n"
        "shell.run_cell('def check(name, value):\\n    print(\"mine\", name)')\n"
        "shell.run_cell('check(\"squeeze-values\", None)')\n"
        "shell.run_cell('check(\"width\", 3)')\n"
        "print(len(shell.ast_transformers))\n"
    )
    shown = printed(code, tmp_path)
    assert "CheckFailed: squeeze-values: " in shown and "mine squeeze-values" not in shown
    assert shown.splitlines()[-2:] == ["mine width", "1"]


def test_checks_that_follow_one_another_share_a_look_and_whatever_runs_between_ends_it(tmp_path):
    code = """
from IPython.core.interactiveshell import InteractiveShell
from attention_lab.grading import notebook
shell, asked, ask = InteractiveShell.instance(colors="nocolor"), [], notebook.ask
notebook.ask = lambda exercise: asked.append(exercise.key) or ask(exercise)
shell.run_cell("%load_ext attention_lab.grading", store_history=True)
for cell in (
    "def mean(x): return x.mean((2, 3))\\ndef squeeze(x): return mean(x)",
    "check('squeeze-shape', squeeze)",
    "check('squeeze-values', squeeze)",
    "check('squeeze-values', squeeze)",
    "def mean(x): return x.sum((2, 3))",
    "check('squeeze-values', squeeze)",
):
    shell.run_cell(cell, store_history=True)
    print("ASKED", len(asked))
"""
    done = printed(code, tmp_path)
    assert [line for line in done.splitlines() if "ASKED" in line or "CheckFailed" in line][:5] == [
        f"ASKED {times}" for times in (0, 1, 1, 2, 2)
    ]
    assert "CheckFailed: squeeze-values" in done and done.splitlines()[-1] == "ASKED 3"


def test_a_first_check_waits_for_no_import_of_a_compiler(tmp_path):
    code = """
import sys
from attention_lab.grading import check
check("squeeze-values", lambda x: x.mean((2, 3)))
print([name for name in ("torch._dynamo", "torch._inductor", "sympy") if name in sys.modules])
"""
    assert printed(code, tmp_path).splitlines()[-1] == "[]"


# -- what passed is carried on


def in_a_cell(code: str, name: str):
    """What a cell of a notebook defines, whose lines are known afterwards as IPython's are."""
    file = f"<cell of {name}>"
    linecache.cache[file] = len(code), None, code.splitlines(keepends=True), file
    names = {"torch": torch, "nn": nn}
    exec(compile(code, file, "exec"), names)
    return names[name]


@pytest.fixture
def lesson_folder(tmp_path, monkeypatch):
    (tmp_path / "index.ipynb").write_text("{}")
    (tmp_path / "02").mkdir()
    monkeypatch.chdir(tmp_path / "02")
    monkeypatch.setattr(notebook, "passed", {})
    return tmp_path


def test_an_answer_that_passed_all_its_checks_is_kept_for_later_lessons(lesson_folder, capsys):
    answer = in_a_cell("def squeeze(x):\n    return x.mean((2, 3))\n", "squeeze")
    check("squeeze-shape", answer)
    assert not (lesson_folder / "mine").exists()
    check("squeeze-values", answer)
    assert "Kept: later lessons use your squeeze." in capsys.readouterr().out
    assert "return x.mean((2, 3))" in (lesson_folder / "mine" / "squeeze.py").read_text()


def test_what_a_cell_prints_while_it_is_kept_is_not_shown_and_the_random_state_stays(lesson_folder, capsys):
    code = "def squeeze(x):\n    print('loud')\n    torch.rand(1)\n    return x.mean((2, 3))\n"
    answer = in_a_cell("import torch\nprint('loud')\ntorch.rand(1)\n" + code, "squeeze")
    capsys.readouterr()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    check("squeeze-shape", answer)
    check("squeeze-values", answer)
    assert torch.equal(torch.rand(3), expected)
    told = capsys.readouterr().out
    assert "Kept" in told and "loud" not in told


def test_one_and_the_same_answer_must_pass_all_of_them(lesson_folder):
    check("squeeze-shape", in_a_cell("def squeeze(x):\n    return x.sum((2, 3))\n", "squeeze"))
    check("squeeze-values", in_a_cell("def squeeze(x):\n    return x.mean((2, 3))\n", "squeeze"))
    assert not (lesson_folder / "mine").exists()


def test_an_answer_that_needs_another_cell_is_not_kept(lesson_folder, capsys):
    answer = in_a_cell("def squeeze(x):\n    return helper(x)\n", "squeeze")
    answer.__globals__["helper"] = squeeze
    check("squeeze-shape", answer)
    check("squeeze-values", answer)
    assert list((lesson_folder / "mine").iterdir()) == [] and "Kept" not in capsys.readouterr().out


def test_two_lessons_in_one_kernel_are_told_once(tmp_path):
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance(colors='nocolor')\n"
        "shell.run_cell('%load_ext attention_lab.grading')\n"
        "for id in ('squeeze-shape', 'squeeze-values', 'affine-grid-shape', 'affine-grid-values', 'squeeze-shape'):\n"
        "    shell.run_cell(f'check(\"{id}\", None)')\n"
    )
    shown = printed(code, tmp_path)
    assert shown.count("This kernel has checked") == 1
    before, _, after = shown.partition("This kernel has checked 02-squeeze-excitation too")
    assert "squeeze-values" in before and "affine-grid-shape" in after and "affine-grid-shape" not in before
