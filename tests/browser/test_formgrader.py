"""An instructor in a browser: JupyterLab with Formgrader and the list of assignments."""

from pathlib import Path

import pytest
from chromium import needs_chromium, persistent
from lab import TOKEN, Lab
from test_lesson import PICTURES

pytestmark = needs_chromium


@pytest.fixture
def page(course, tmp_path, exchange):
    """JupyterLab on the tiny course, as an instructor has it."""
    from playwright.sync_api import sync_playwright

    server = Lab(course, tmp_path, "--instructor")
    try:
        server.wait()
        with sync_playwright() as playwright:
            browser = persistent(playwright, tmp_path / "browser")
            page = browser.pages[0]
            page.goto(f"http://127.0.0.1:{server.port}/lab?token={TOKEN}&reset")
            page.wait_for_selector(".lm-MenuBar-item", timeout=60_000)
            yield page
            browser.close()
    finally:
        server.stop()


def picture(page, name: str) -> Path:
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


@pytest.fixture
def exchange(course, tmp_path, nbgrader) -> None:
    """The lesson is released to an exchange of its own."""
    folder = tmp_path / "exchange"
    folder.mkdir()
    folder.chmod(0o777)
    with (course / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write(f"\nc.Exchange.root = {str(folder)!r}\n")
    nbgrader("generate_assignment", "01-doubling", "--force")
    nbgrader("release_assignment", "01-doubling")


def test_an_instructor_finds_the_lesson_in_formgrader_and_the_list_of_assignments(page):
    page.locator(".lm-MenuBar-item", has_text="Nbgrader").click()
    page.locator(".lm-Menu-item:visible", has_text="Formgrader").click()
    formgrader = page.frame_locator("iframe[src*='formgrader']")
    formgrader.locator("text=01-doubling").first.wait_for(timeout=60_000)
    picture(page, "instructor-formgrader")

    page.locator(".lm-MenuBar-item", has_text="Nbgrader").click()
    page.locator(".lm-Menu-item:visible", has_text="Assignment List").click()
    page.locator("#released_assignments_list", has_text="01-doubling").wait_for(timeout=60_000)
    picture(page, "instructor-assignment-list")
