"""A stub that raises is told by its name, and a lesson of another version with what to do, in one line each."""

import pytest
from IPython.core.interactiveshell import InteractiveShell

from attention_lab import __version__
from attention_lab.grading.stub import keep_short, stub_name


def squeeze(x):
    raise NotImplementedError()


class Gate:
    def forward(self, x):
        raise NotImplementedError()


@pytest.mark.parametrize(("call", "name"), [(squeeze, "squeeze"), (Gate().forward, "Gate.forward")])
def test_the_stub_that_raised_is_named(call, name):
    with pytest.raises(NotImplementedError) as raised:
        (lambda: call(1))()
    assert stub_name(raised.value) == name


@pytest.mark.parametrize(
    ("error", "told"), [("NotImplementedError()", "f is still a stub"), ("NotImplementedError('later')", "later")]
)
def test_a_notebook_shows_one_line(error, told, monkeypatch):
    shell, shown = InteractiveShell(), []
    monkeypatch.setattr(shell, "_showtraceback", lambda kind, error, lines: shown.append(lines))
    keep_short(shell)
    shell.run_cell(f"def f():\n    raise {error}\nf()")
    ((line,),) = shown
    assert line.startswith("NotImplementedError: ") and told in line


def shown(code: str, monkeypatch) -> list[str]:
    """The lines that a cell's error takes."""
    shell, lines = InteractiveShell(), []
    monkeypatch.setattr(shell, "_showtraceback", lambda kind, error, told: lines.extend(told))
    keep_short(shell)
    shell.run_cell(code)
    return lines


@pytest.mark.parametrize("code", ["from attention_lab.grading import not_there", "import attention_lab.not_there"])
def test_what_another_version_has_is_told_with_what_to_do(code, monkeypatch):
    [line] = shown(code, monkeypatch)
    assert f"another version than your attention_lab {__version__}" in line and "restart the kernel" in line


def test_other_packages_errors_are_told_as_always(monkeypatch):
    lines = shown("import no_such_package", monkeypatch)
    assert len(lines) > 1 and "another version" not in "".join(lines)
