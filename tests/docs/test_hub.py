"""The page on JupyterHub, Binder and VS Code: its settings do what it says, and its link is one."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import yaml
from lab import Lab
from traitlets.config import Config, PyFileConfigLoader

from attention_lab.course.handout import FOLDER
from attention_lab.course.places import PROFILE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "hub.md").read_text(encoding="utf-8")
HUB, ROOT_OF_COURSE, EXCHANGE = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_hub_gives_each_user_the_settings_deserved():
    command = re.search(r'^python -c "(.*)"$', PAGE, re.MULTILINE)[1]
    done = subprocess.run(
        [sys.executable, "-c", command], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.stdout.strip() == str(PROFILE)
    assert re.search(r'^PROFILE = ".*/attention_lab/course/profile"$', HUB, re.MULTILINE)
    names = {"c": Config()}
    exec(re.sub(r'^PROFILE = ".*"', f"PROFILE = {str(PROFILE)!r}", HUB, flags=re.MULTILINE), names)
    settings = names["c"].Spawner.environment["JUPYTER_CONFIG_PATH"]
    ada, grace = (settings(SimpleNamespace(user=SimpleNamespace(name=name))) for name in ("ada", "grace"))
    assert [Path(folder).name for folder in ada.split(":")] == ["learner", "everyone"]
    assert [Path(folder).name for folder in grace.split(":")] == ["everyone"]
    assert all(Path(folder).is_dir() for folder in ada.split(":"))


def test_an_instructors_server_that_begins_at_home_shows_the_course_in_formgrader(course, tmp_path, monkeypatch):
    settings = ROOT_OF_COURSE.replace("/home/grace/attention-lab", str(course))
    assert str(course) in settings
    (tmp_path / ".jupyter").mkdir()
    (tmp_path / ".jupyter" / "nbgrader_config.py").write_text(settings, encoding="utf-8")
    monkeypatch.delenv("JUPYTER_CONFIG_DIR", raising=False)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(PROFILE / "everyone"))
    monkeypatch.setenv("PATH", os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    server = Lab(tmp_path, tmp_path, "--allow-root", command=["jupyter"])
    try:
        server.wait()
        [assignment] = json.loads(server.get("/formgrader/api/assignments"))
        assert assignment["name"] == "01-doubling"
    finally:
        server.stop()


def test_the_link_is_what_encoding_its_parts_gives():
    (link,) = re.findall(r"^https://hub\S+$", PAGE, re.MULTILINE)
    parts = dict(parse_qsl(urlsplit(link).query, strict_parsing=True))
    repository = "https://git.example.org/grace/attention-lab-kit"
    assert f"`{repository}`" in PAGE
    name = repository.rpartition("/")[2]
    assert parts == {"repo": repository, "branch": "main", "urlpath": f"lab/tree/{name}/notebooks/index.ipynb"}
    assert link == f"https://hub.example.org/hub/user-redirect/git-pull?{urlencode(parts)}"
    table = dict(re.findall(r"^\| `(\w+)` \| .* \| `(\S+)` \|$", PAGE, re.MULTILINE))
    assert table == {part: quote(value, safe="") for part, value in parts.items()}
    assert all(quote(sign, safe="") == code for sign, code in re.findall(r"`(.)` is (?:written )?`(%..)`", PAGE))


def test_the_kit_has_the_folder_and_the_notebook_that_the_link_opens():
    assert f"push its folder `{FOLDER}`" in PAGE
    assert (ROOT / "notebooks" / "index.ipynb").exists()


def test_the_exchange_is_the_folder_that_the_settings_name_and_the_course_has_its_id():
    made = re.search(r"^sudo install -d -m 1777 (\S+)$", PAGE, re.MULTILINE)[1]
    names = {"c": Config(), "get_config": lambda: names["c"]}
    exec(EXCHANGE, names)
    assert names["c"].Exchange.root == made
    course = PyFileConfigLoader("nbgrader_config.py", str(ROOT)).load_config().CourseDirectory.course_id
    assert f"`course_id`: `{course}`" in PAGE and PAGE.count("--course ") == PAGE.count(f"--course {course}") == 1


def test_it_says_which_pythons_the_workflow_tries():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "lessons.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert f"with Python {' and '.join(job['strategy']['matrix']['python'])}" in PAGE
