"""After a syntax error, the last definition that worked is still there: its check says that it judges that one."""

import pytest
from IPython.core.interactiveshell import InteractiveShell

from attention_lab.grading import unread
from attention_lab.grading.notebook import load_ipython_extension

RIGHT = "def squeeze(x):\n    return x.mean((2, 3))"
BROKEN = "def squeeze(x):\n    return x.amax((2, 3)"
CHECK = 'check("squeeze-values", squeeze)'


@pytest.fixture
def run(capsys, monkeypatch):
    """What a cell prints."""
    monkeypatch.setattr(unread, "of_before", {})
    unread.missing.clear()
    shell = InteractiveShell.instance(colors="nocolor")
    load_ipython_extension(shell)
    monkeypatch.setattr("attention_lab.grading.notebook.in_jupyter", lambda: False)

    def run(cell: str) -> str:
        shell.run_cell(cell)
        return capsys.readouterr().out

    run("from attention_lab.grading import check")
    yield run
    InteractiveShell.clear_instance()


def test_the_definition_of_before_is_judged_and_that_is_said_until_the_cell_is_mended(run):
    run(RIGHT)
    assert "of before" not in run(CHECK)
    run(BROKEN)
    told = run(CHECK)
    assert "your squeeze ended with a SyntaxError in line 2, so it defined nothing" in " ".join(told.split())
    assert "squeeze-values" in told
    run(RIGHT)
    assert "of before" not in run(CHECK)


def test_of_a_stub_it_is_said_too(run):
    run("def squeeze(x):\n    raise NotImplementedError()")
    run("def squeeze(x):\nreturn 1")
    told = run(CHECK)
    assert "IndentationError in line 2" in told and "This check judges the squeeze of before" in told


def test_an_error_in_another_cell_or_while_running_says_nothing(run):
    run(RIGHT)
    run("print(1")
    run(RIGHT + "\n1 / 0")
    assert "of before" not in run(CHECK)


def test_in_a_new_kernel_what_is_not_defined_is_told_with_the_cell_that_was_to_define_it(run):
    assert "its cell ended" not in run(CHECK)
    run(BROKEN)
    told = run(CHECK)
    assert (
        "NameError: name 'squeeze' is not defined: its cell ended with a SyntaxError in line 2. Mend that cell" in told
    )
    assert len(told.splitlines()) == 1
    assert "its cell ended" not in run("other")
    run(RIGHT)
    assert "its cell ended" not in run(CHECK)
