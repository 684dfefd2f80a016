"""A learner in a browser: JupyterLab as `make lab` starts it, one lesson from the first stub to a full score."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

import pytest
from chromium import needs_chromium, persistent
from lab import TOKEN, Lab
from nbgrader.utils import is_solution

from attention_lab.course.source import read_source

ROOT = Path(__file__).parents[2]
LESSON, NOTEBOOK = "02-squeeze-excitation", "squeeze-excitation"
PICTURES = ROOT / "test-artefacts"

KERNEL = ".jp-Notebook-ExecutionIndicator"
SHOWN = ".jp-NotebookPanel:not(.lm-mod-hidden)"

pytestmark = needs_chromium


def is_here(url: str) -> bool:
    """Whether a request stays on this machine."""
    parts = urlparse(url)
    return parts.scheme in ("data", "blob") or parts.hostname in ("127.0.0.1", "localhost")


class Learner:
    """What a learner does in the notebook, and sees."""

    def __init__(self, page, port: int):
        self.page, self.errors, self.elsewhere = page, [], []
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: None if is_here(request.url) else self.elsewhere.append(request.url))
        page.goto(f"http://127.0.0.1:{port}/lab/tree/index.ipynb?token={TOKEN}&reset")
        self.opened("index.ipynb")

    def opened(self, notebook: str) -> None:
        """Wait until a notebook is there, with its kernel."""
        self.page.wait_for_selector(f".lm-TabBar-tab.jp-mod-current:has-text('{notebook}')", timeout=60_000)
        self.page.wait_for_selector(f"{SHOWN} .jp-CodeCell .cm-content", timeout=60_000)
        self.page.wait_for_selector(f"{SHOWN} .jp-NotebookPanel-toolbar :text('Validate')", timeout=60_000)
        self.page.wait_for_selector(f"{SHOWN} {KERNEL}[data-status='idle']", timeout=60_000)

    def follow(self, link: str, notebook: str) -> None:
        """Click a link in a text."""
        self.page.locator(f"{SHOWN} .jp-RenderedMarkdown a", has_text=link).first.click()
        self.opened(notebook)

    def theme(self, name: str) -> None:
        self.page.locator(".lm-MenuBar-item", has_text=re.compile("^Settings$")).click()
        self.page.locator(".lm-Menu-item:visible", has_text=re.compile("^Theme$")).hover()
        self.page.locator(".lm-Menu-item:visible", has_text=re.compile(f"^{name}$")).click()
        self.page.wait_for_selector(f"body[data-jp-theme-name='{name}']", state="attached")

    def in_both_themes(self, name: str, check: str = "") -> None:
        """Pictures of what is to be seen, light and dark, when nothing runs; of this check, if one is named."""
        self.page.wait_for_selector(f"{SHOWN} {KERNEL}[data-status='idle']", timeout=120_000)
        for theme in ("Light", "Dark"):
            self.theme(f"JupyterLab {theme}")
            if check:
                self.output(check)
            time.sleep(0.5)
            self.picture(f"{name}-{theme.lower()}")
        self.theme("JupyterLab Light")

    def run_new_cell(self, below: str, code: str) -> str:
        """Write a cell below another and run it; what it shows."""
        self.cell(below).locator(".jp-InputPrompt").click()
        for key in ("Escape", "b", "Enter"):
            self.page.keyboard.press(key)
        self.page.keyboard.insert_text(code)
        self.page.keyboard.press("Shift+Enter")
        shown = self.cell(code).locator(".jp-OutputArea-output").first
        shown.wait_for(timeout=60_000)
        return shown.inner_text()

    def show(self, text: str) -> None:
        """Bring a text of the notebook into view."""
        for _ in range(3):
            found = self.page.locator(f"{SHOWN} .jp-MarkdownCell", has_text=text).first
            found.evaluate("cell => cell.scrollIntoView({block: 'start'})")
            time.sleep(0.7)

    def menus(self) -> list[str]:
        return self.page.locator(".lm-MenuBar-itemLabel").all_inner_texts()

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
            idle = self.page.locator(f"{SHOWN} {KERNEL}[data-status='idle']").count()
            waiting = any("*" in prompt for prompt in self.page.locator(f"{SHOWN} .jp-InputPrompt").all_text_contents())
            quiet = quiet + 1 if idle and not waiting else 0
            if told in text or (quiet > 10 and time.monotonic() > until):
                return text

    def state(self, check: str, text: str) -> str:
        """Where a page stands that does not come to what is expected."""
        self.picture("stopped")
        prompts = self.page.locator(f"{SHOWN} .jp-InputPrompt").all_text_contents()
        errors = self.page.locator(".jp-OutputArea-output[data-mime-type$='stderr']").all_text_contents()
        dialogs = self.page.locator(".jp-Dialog").all_inner_texts()
        return f"{check} shows {text!r}; prompts {prompts}; errors {errors}; dialogs {dialogs}"

    def cell(self, text: str):
        return self.page.locator(f"{SHOWN} .jp-CodeCell", has=self.page.locator(".jp-InputArea", has_text=text)).first

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
        self.page.locator(f"{SHOWN} .jp-NotebookPanel-toolbar :text('Validate')").first.click()
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


def test_from_the_start_page_to_the_next_lesson(learner):
    assert "File" in learner.menus() and "Nbgrader" not in learner.menus()  # which is for instructors
    learner.in_both_themes("0-the-start-page")
    learner.follow("02 Squeeze-and-excitation", f"{NOTEBOOK}.ipynb")
    learner.show("2. The mechanism")
    learner.page.wait_for_selector(f"{SHOWN} .jp-RenderedMermaid img", timeout=60_000)
    learner.in_both_themes("1-a-diagram")

    stub = learner.run_all("squeeze-shape", "NotImplementedError: squeeze is still a stub")
    learner.picture("2-a-stub")
    assert "Traceback" not in stub and len(stub) < 200

    learner.type("def squeeze(x)", "def squeeze(x):\n    return x.amax((2, 3))")
    wrong = learner.run_all("squeeze-values", "This looks like: the maximum of each channel, not its average.")
    assert "Traceback" not in wrong
    hint = learner.run_new_cell('check("squeeze-values"', 'hint("squeeze")')
    assert "Hint 1 of 3." in hint
    learner.in_both_themes("3-a-wrong-answer-and-a-hint", "squeeze-values")

    for cell in filter(is_solution, read_source(ROOT / "solutions" / LESSON / f"{NOTEBOOK}.py").cells):
        first_line = cell.source.splitlines()[0]
        learner.type(first_line, cell.source)
    right = learner.run_all("squeeze-values", "1 point")
    learner.in_both_themes("4-a-right-answer", "squeeze-values")
    assert "✓" in right and "Failed" not in right

    told = learner.validate()
    learner.picture("5-validated")
    assert "Success" in told
    learner.close_dialog()

    learner.page.locator(".lm-TabBar-tab", has_text="index.ipynb").click()
    learner.opened("index.ipynb")
    learner.menu("Run", "Run All Cells")
    shown = learner.page.locator(f"{SHOWN} .jp-OutputArea-output table")
    shown.wait_for(timeout=60_000)
    assert re.search(r"02-squeeze-excitation\s+18\s+18\s+█+\s+4 of 4", shown.inner_text())
    shown.scroll_into_view_if_needed()
    learner.in_both_themes("6-progress")
    learner.follow("03 CBAM", "cbam.ipynb")
    assert learner.errors == [] and learner.elsewhere == []
