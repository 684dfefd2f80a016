"""A learner in a browser: JupyterLab as `make lab` starts it, one lesson from the first stub to a full score."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import needs_chromium, persistent
from lab import TOKEN, Lab
from nbgrader.utils import is_solution

from attention_lab.course.source import read_source

ROOT = Path(__file__).parents[2]
LESSON, NOTEBOOK = "02-squeeze-excitation", "squeeze-excitation"
PICTURES = ROOT / "test-artefacts"

KERNEL = ".jp-Notebook-ExecutionIndicator"

pytestmark = needs_chromium


class Learner:
    """What a learner does in the notebook, and sees."""

    def __init__(self, page, port: int):
        self.page = page
        page.goto(f"http://127.0.0.1:{port}/lab/tree/{LESSON}/{NOTEBOOK}.ipynb?token={TOKEN}&reset")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell .cm-content", timeout=60_000)
        page.wait_for_selector(".jp-NotebookPanel-toolbar :text('Validate')", timeout=60_000)
        page.wait_for_selector(f"{KERNEL}[data-status='idle']", timeout=60_000)

    def menu(self, name: str, entry: str) -> None:
        self.page.locator(".lm-MenuBar-item", has_text=re.compile(f"^{name}$")).click()
        self.page.locator(".lm-Menu-item:visible", has_text=re.compile(f"^{entry}")).first.click()

    def run_all(self, check: str, told: str) -> str:
        """Run all cells, and wait until this check says what is to be told; what its cell then shows."""
        deadline, text = time.monotonic() + 300, ""
        while told not in text:
            self.menu("Run", "Run All Cells")
            text = self.wait_for(check, told, min(time.monotonic() + 60, deadline))
            assert time.monotonic() < deadline, self.state(check, text)
        return text

    def wait_for(self, check: str, told: str, until: float) -> str:
        """What the check's cell shows, after a while in which nothing runs if it does not show this."""
        quiet = 0
        while True:
            text = self.output(check)
            idle = self.page.locator(f"{KERNEL}[data-status='idle']").count()
            waiting = any("*" in prompt for prompt in self.page.locator(".jp-InputPrompt").all_text_contents())
            quiet = quiet + 1 if idle and not waiting else 0
            if told in text or (quiet > 10 and time.monotonic() > until):
                return text

    def state(self, check: str, text: str) -> str:
        """Where a page stands that does not come to what is expected."""
        self.picture("stopped")
        prompts = self.page.locator(".jp-InputPrompt").all_text_contents()
        errors = self.page.locator(".jp-OutputArea-output[data-mime-type$='stderr']").all_text_contents()
        dialogs = self.page.locator(".jp-Dialog").all_inner_texts()
        return f"{check} shows {text!r}; prompts {prompts}; errors {errors}; dialogs {dialogs}"

    def cell(self, text: str):
        return self.page.locator(
            ".jp-Notebook .jp-CodeCell", has=self.page.locator(".jp-InputArea", has_text=text)
        ).first

    def type(self, stub: str, answer: str) -> None:
        """Replace the content of the cell that holds the stub."""
        cell = self.cell(stub)
        cell.scroll_into_view_if_needed()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(answer)

    def output(self, check: str) -> str:
        """What the check's cell shows; what is far away is drawn only when it comes into view."""
        cell = self.cell(f'check("{check}"')
        for _ in range(2):  # the first time, the cells above are drawn and push this one down
            cell.evaluate("cell => cell.scrollIntoView({block: 'center'})")
            time.sleep(0.3)
        return cell.locator(".jp-OutputArea").text_content() or ""

    def validate(self) -> str:
        self.page.locator(".jp-NotebookPanel-toolbar :text('Validate')").first.click()
        dialog = self.page.locator(".jp-Dialog").first
        dialog.wait_for(timeout=240_000)
        while "save" in dialog.inner_text().lower() and "passed" not in dialog.inner_text().lower():
            dialog.locator("button.jp-mod-accept").click()
            time.sleep(1)
            dialog = self.page.locator(".jp-Dialog").first
            dialog.wait_for(timeout=240_000)
        return dialog.inner_text()

    def close_dialog(self) -> None:
        self.page.locator(".jp-Dialog button.jp-mod-accept").first.click()
        self.page.wait_for_selector(".jp-Dialog", state="detached")

    def picture(self, name: str) -> None:
        PICTURES.mkdir(exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png")


@pytest.fixture
def learner(tmp_path, monkeypatch) -> Iterator[Learner]:
    from playwright.sync_api import sync_playwright

    monkeypatch.setenv("ATTENTION_LAB_FAST", "1")
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    server = Lab(tmp_path, home=tmp_path)
    try:
        server.wait()
        with sync_playwright() as playwright:
            browser = persistent(playwright, tmp_path / "browser")
            yield Learner(browser.pages[0], server.port)
            browser.close()
    finally:
        server.stop()


def test_from_the_first_stub_to_a_full_score(learner):
    learner.picture("1-the-lesson-opens")
    stub = learner.run_all("squeeze-shape", "NotImplementedError: squeeze is still a stub")
    learner.picture("2-a-stub")
    assert "Traceback" not in stub and len(stub) < 200

    learner.type("def squeeze(x)", "def squeeze(x):\n    return x.amax((2, 3))")
    wrong = learner.run_all("squeeze-values", "This looks like: the maximum of each channel, not its average.")
    learner.picture("3-a-wrong-answer")
    assert "Traceback" not in wrong

    for cell in filter(is_solution, read_source(ROOT / "solutions" / LESSON / f"{NOTEBOOK}.py").cells):
        first_line = cell.source.splitlines()[0]
        learner.type(first_line, cell.source)
    right = learner.run_all("squeeze-values", "1 point")
    learner.picture("4-a-right-answer")
    assert "✓" in right and "Failed" not in right

    told = learner.validate()
    learner.picture("5-validated")
    assert "Success" in told
