"""Cells show what they show in a notebook."""

import pytest

from attention_lab.classroom.outputs import Output
from attention_lab.classroom.process import warm


@pytest.fixture(scope="module")
def process():
    made = warm(False).observer()
    yield made
    made.close()


def test_what_is_printed_and_the_last_value(process):
    printed, value = process.run("print('a')\n1 + 1", 10)
    assert (printed.kind, printed.name, printed.text) == ("stream", "stdout", "a\n")
    assert (value.kind, value.formats) == ("execute_result", {"text/plain": "2"})


def test_nothing_is_shown_of_none_and_behind_a_semicolon(process):
    assert process.run("None", 10) == process.run("1;", 10) == []


def test_errors_on_stderr(process):
    assert process.run("import sys\nprint('a', file=sys.stderr)", 10) == [Output("stream", "stderr", "a\n")]


def test_an_error_with_its_traceback(process):
    (error,) = process.run("def f():\n    return 1 / 0\nf()", 10)
    assert (error.kind, error.name, error.text) == ("error", "ZeroDivisionError", "division by zero")
    assert any("1" in line and "return" in line for line in error.traceback)


@pytest.mark.parametrize(
    ("cell", "name"), [("def (", "SyntaxError"), ("raise SystemExit(1)", "SystemExit"), ("%nothing", "UsageError")]
)
def test_errors_of_every_kind(process, cell, name):
    outputs = process.run(cell, 10)
    assert name in {output.name for output in outputs} or any(name in output.text for output in outputs)


def test_a_stubs_error_takes_one_line(process):
    (error,) = process.run("def squeeze(x):\n    raise NotImplementedError()\nsqueeze(1)", 10)
    assert len(error.traceback) == 1 and "squeeze is still a stub" in error.traceback[0]


def test_figures_are_pictures(process):
    (figure,) = process.run("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()", 30)
    assert figure.kind == "display_data" and figure.formats["image/png"].startswith("iVBOR")


def test_what_is_displayed_in_its_formats(process):
    (shown,) = process.run("from IPython.display import HTML, display\ndisplay(HTML('<b>x</b>'))", 10)
    assert shown.kind == "display_data" and shown.formats["text/html"] == "<b>x</b>"


def test_output_that_is_cleared_is_gone(process):
    cell = "from IPython.display import clear_output\nprint(1)\nclear_output()\nprint(2)"
    assert [output.text for output in process.run(cell, 10)] == ["2\n"]


def test_what_no_page_can_show_is_left_out(process):
    assert process.run("from IPython.display import display\ndisplay({'text/html': 3, 'x/y': {}}, raw=True)", 10) == [
        Output("display_data")
    ]


def test_a_cell_that_does_not_end_is_stopped_and_says_so(process):
    printed, error = process.run("print('before')\nwhile True: pass", 1)
    assert printed.text == "before\n" and error.name == "TimeoutError" and "1 seconds" in error.text


def test_await_at_the_top_of_a_cell(process):
    assert process.run("import asyncio\nawait asyncio.sleep(0, 3)", 10)[-1].formats == {"text/plain": "3"}


def test_programs_are_not_started_and_quit_does_not_end_it(process):
    process.run("!touch started\nquit()", 10)
    assert process.run("import os\nos.path.exists('started')", 10)[-1].formats == {"text/plain": "False"}
