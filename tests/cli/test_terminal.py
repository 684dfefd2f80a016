"""What a command shows on a terminal."""

import re
import sys

from attention_lab.cli.terminal import shown_progress


def test_progress_is_shown_on_a_terminal_and_nowhere_else(capsys, monkeypatch):
    def work() -> str:
        with shown_progress("grading") as tell:
            for done in range(3):
                tell(done, 2)
        return capsys.readouterr().err

    assert work() == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert re.search(r"grading  \[#+-+\]  1/2", work())
