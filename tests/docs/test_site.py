"""The site: built without a warning, without a solution, without the network, and every link leads somewhere."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from chromium import CHROMIUM, needs_chromium
from telling import secrets

from attention_lab.course.source import lessons
from attention_lab.grading.catalogue import misconceptions
from attention_lab.grading.exercises import HINTS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SEARCH = "search.html"


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, str]:
    """The site, and what was said while it was made."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--fail-on-warning", "--keep-going", "--quiet", "--jobs", "auto", "--doctree-dir", folder / "doctrees"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, DOCS, folder / "html"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / "html", done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(built) -> Path:
    return built[0]


@cache
def page(file: Path) -> BeautifulSoup:
    return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def lesson_pages(site: Path) -> list[Path]:
    return sorted(site.glob("lessons/*/*.html"))


def test_it_is_built_without_a_word(built):
    assert built[1] == ""


def test_it_holds_every_lesson_and_guide(site):
    assert [file.parent.name for file in lesson_pages(site)] == lessons(ROOT)
    for name in (
        "start",
        "instructors",
        "hub",
        "authors",
        "misconceptions",
        "reference/mechanisms",
        "reference/exercises",
    ):
        assert (site / f"{name}.html").exists()


# No solution


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@cache
def told(site: Path) -> str:
    """All that a reader of the site, or of its files, could read: as it stands, as text, and as text in a script."""
    texts = [squeezed(file.read_text(encoding="utf-8", errors="ignore")) for file in site.rglob("*") if file.is_file()]
    return "\n".join([*texts, *(squeezed(page(file).get_text()) for file in pages(site))])


def leaks(text: str) -> set[str]:
    """The lines of solutions in a text, but for those that a hint tells."""
    hints = squeezed("\n".join(hint for hints in HINTS.values() for hint in hints))
    telling = {squeezed(line) for line in secrets(ROOT) if not line.startswith("###")}
    whole = text.encode()  # bytes are searched several times as fast
    return {line for line in telling if line not in hints and any(form in whole for form in forms(line))}


def forms(line: str) -> set[bytes]:
    """How a line may stand in a file: as it is, or in a script."""
    return {line.encode(), json.dumps(line)[1:-1].encode()}


def test_no_line_of_a_solution_is_on_the_site(site):
    assert leaks(told(site)) == set()
    assert not [file for file in lesson_pages(site) if "### BEGIN" in page(file).get_text()]


def test_a_solution_on_a_page_would_be_found():
    lesson = ROOT / "solutions" / "02-squeeze-excitation" / "squeeze-excitation.py"
    assert len(leaks(squeezed(lesson.read_text(encoding="utf-8")))) > 5


def test_no_source_and_no_notebook_can_be_downloaded(site):
    assert not [file for file in site.rglob("*") if file.suffix in (".ipynb", ".py", ".md", ".zip")]
    assert not list((site / "_sources").glob("*")) and not (site / "_downloads").exists()
    assert not [link for file in pages(site) for link in page(file).select("a[download]")]


# The lessons


@pytest.mark.parametrize("lesson", lessons(ROOT))
def test_a_lesson_shows_stubs_and_every_picture_and_table_of_its_demonstrations(site, lesson):
    (file,) = site.glob(f"lessons/{lesson}/*.html")
    shown = page(file)
    executed = nbformat.read(ROOT / "solutions" / lesson / f"{file.stem}.ipynb", as_version=4)
    demos = [cell for cell in executed.cells if "demo" in cell.metadata.get("tags", ())]
    expected = "".join(
        output.get("data", {}).get("text/html", "") for cell in demos for output in cell.outputs if "data" in output
    )
    assert len(shown.select(".cell_output img")) == expected.count("<img") > 0
    assert len(shown.select(".cell_output table")) == expected.count("<table")
    stubs = [cell for cell in shown.select(".cell_input") if "YOUR CODE HERE" in cell.get_text()]
    assert len(stubs) == len({c.id for c in executed.cells if "BEGIN SOLUTION" in c.source})
    assert "✓" not in shown.select_one("article").get_text()  # a check's verdict on a stub


def test_every_picture_is_described(site):
    assert not [
        picture for file in pages(site) for picture in page(file).select("article img") if not picture.get("alt")
    ]


def test_formulas_are_drawn_without_a_script_and_diagrams_too(site):
    source = "".join(file.read_text(encoding="utf-8") for file in ROOT.glob("solutions/**/*.py"))
    drawn = [page(file) for file in (*lesson_pages(site), site / "lessons" / "index.html")]
    assert sum(len(shown.select("svg.diagram")) for shown in drawn) == source.count("```mermaid")
    assert all(shown.select("article math") for shown in drawn[:-1])
    scripts = {Path(script["src"]).name for shown in drawn for script in shown.select("script[src]")}
    assert not [name for name in scripts if re.search("mathjax|mermaid", name, re.IGNORECASE)]


# The catalogue


def test_every_misconception_has_an_address(site):
    shown = page(site / "misconceptions.html")
    addresses = [place["id"] for place in shown.select("a[id]")]
    assert addresses == list(dict.fromkeys(f"{entry.exercise}-{entry.id}" for entry in misconceptions()))
    text = squeezed(shown.get_text())
    assert all(squeezed(entry.question) in text and squeezed(entry.name) in text for entry in misconceptions())


# Links, and the network


def links(site: Path) -> Iterator[tuple[Path, str]]:
    for file in pages(site):
        for link in page(file).select("a[href]"):
            yield file, link["href"]


@cache
def ids(file: Path) -> set[str]:
    return {element["id"] for element in page(file).select("[id]")}


def test_every_link_within_the_site_leads_to_a_place(site):
    lost = []
    for file, link in links(site):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
        if not target.exists() or (parts.fragment and unquote(parts.fragment) not in ids(target)):
            lost.append((file.relative_to(site).as_posix(), link))
    assert lost == []


def test_a_link_out_of_the_site_is_a_secure_one_to_a_named_host(site):
    outside = {urlsplit(link) for _, link in links(site) if urlsplit(link).scheme or urlsplit(link).netloc}
    assert {parts.scheme for parts in outside} == {"https"}
    assert all("." in parts.netloc for parts in outside)


FETCHED = {"script": "src", "link": "href", "img": "src", "source": "src", "iframe": "src", "object": "data"}


def test_no_page_asks_another_machine_for_a_script_style_picture_or_font(site):
    asked = {
        element[name]
        for file in pages(site)
        for tag, name in FETCHED.items()
        for element in page(file).find_all(tag)
        if re.match(r"(https?:)?//", element.get(name, ""))
    }
    styles = "".join(file.read_text(encoding="utf-8") for file in site.rglob("*.css"))
    assert asked == set() and not re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", styles)


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_without_a_network_every_page_is_whole_in_both_themes(site, scheme):
    from playwright.sync_api import sync_playwright

    outside, failed, said, colours = [], [], [], set()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(color_scheme=scheme, offline=True)
        shown = context.new_page()
        shown.on(
            "request", lambda asked: outside.append(asked.url) if asked.url[:5] not in ("file:", "data:") else None
        )
        shown.on("requestfailed", lambda asked: failed.append(asked.url))
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        for file in pages(site):
            shown.goto(file.as_uri())
            colours.add(shown.evaluate("getComputedStyle(document.body).backgroundColor"))
        shown.goto(f"{(site / SEARCH).as_uri()}?q=squeeze")
        shown.wait_for_selector("#search-results li a")
        browser.close()
    assert (outside, failed, said) == ([], [], [])
    (colour,) = colours
    assert (min(map(int, re.findall(r"\d+", colour))) > 200) == (scheme == "light")
