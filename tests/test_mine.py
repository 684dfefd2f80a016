"""A learner's answer that passed its checks is what later lessons import; else the package's own, and one line says so."""

import sys

import pytest
import torch

from attention_lab import mechanisms, mine

SQUEEZE = """
def squeeze(x):
    return x.mean((2, 3))
"""
RESIDUAL = """
def se_residual(x, branch, se):
    assert squeeze(x).ndim == 2
    return x + se(branch(x))
"""


@pytest.fixture
def course(tmp_path, monkeypatch):
    """The folder that holds the start page, with the working directory in one lesson of it."""
    (tmp_path / "index.ipynb").write_text("{}")
    (tmp_path / "02-lesson").mkdir()
    monkeypatch.chdir(tmp_path / "02-lesson")
    return tmp_path


def test_what_was_kept_is_what_is_imported(course, capsys):
    file = mine.keep("squeeze", SQUEEZE)
    assert file == course / "mine" / "squeeze.py"
    from attention_lab.mine import squeeze

    assert squeeze.__module__ == "attention_lab.mine.squeeze"
    assert torch.equal(squeeze(torch.ones(1, 2, 3, 4)), torch.ones(1, 2))
    assert capsys.readouterr().out == ""


def test_without_an_own_answer_the_packages_is_used_and_said_so(course, capsys):
    from attention_lab.mine import SqueezeExcitation

    assert SqueezeExcitation is mechanisms.SqueezeExcitation
    assert capsys.readouterr().out.startswith("SqueezeExcitation: the package's own. Yours is used as soon as")


def test_an_answer_that_no_longer_runs_costs_nothing(course, capsys):
    mine.keep("squeeze", SQUEEZE).write_text("def squeeze(x:\n")
    from attention_lab.mine import squeeze

    assert squeeze is mechanisms.squeeze
    told = capsys.readouterr().out
    assert "does not run: SyntaxError" in told and str(course / "mine" / "squeeze.py") in told


def test_earlier_answers_that_it_uses_come_along(course):
    mine.keep("squeeze", SQUEEZE)
    assert "from attention_lab.mine import squeeze\n" in mine.keep("se_residual", RESIDUAL).read_text()
    mine.load(course / "mine" / "se_residual.py")(torch.ones(1, 2, 3, 4), torch.relu, torch.relu)


def test_what_the_cell_defines_itself_is_not_imported(course):
    assert "import squeeze" not in mine.keep("se_residual", SQUEEZE + RESIDUAL).read_text()


def test_outside_the_course_nothing_is_kept_and_nothing_else_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert mine.keep("squeeze", SQUEEZE) is None and mine.folder() is None
    assert mine.squeeze is mechanisms.squeeze
    assert "none is above this folder" in capsys.readouterr().out


def test_only_what_lessons_ask_for_is_kept(course):
    assert mine.keep("helper", "def helper(): pass") is None
    with pytest.raises(ImportError, match="helper"):
        from attention_lab.mine import helper  # noqa: F401


def test_the_module_itself_can_be_looked_at(course):
    assert not hasattr(mine, "__wrapped__") and "attention_lab.mine" in sys.modules
