"""Of what lies beside a notebook, plain files are taken; links and compiled code are refused with the reason."""

import os

import pytest

from attention_lab.classroom import beside
from attention_lab.classroom.beside import refused, taken


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "handed-in" / "data").mkdir(parents=True)
    (tmp_path / "handed-in" / "lesson.ipynb").write_text("{}")
    (tmp_path / "handed-in" / "helper.py").write_text("a = 1")
    (tmp_path / "handed-in" / "data" / "points.csv").write_text("1,2")
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "handed-in"


def test_plain_files_are_taken_in_any_depth_and_notebooks_are_not(folder):
    assert taken(folder) == {"helper.py": b"a = 1", "data/points.csv": b"1,2"}
    assert refused(folder) == {}


def test_links_are_refused_wherever_they_lead(folder):
    (folder / "a.txt").symlink_to(folder.parent / "secret")
    (folder / "data" / "nowhere").symlink_to("nowhere")
    (folder / "linked").symlink_to(folder.parent, target_is_directory=True)
    assert set(refused(folder).values()) == {"a link"}
    assert refused(folder).keys() == {"a.txt", "data/nowhere", "linked"}
    assert taken(folder).keys() == {"helper.py", "data/points.csv"}


@pytest.mark.parametrize("name", ["torch.pyc", "attention_lab.so", "all.pth", "x.PYC", "y.pyd"])
def test_compiled_code_is_refused(folder, name):
    (folder / name).write_bytes(b"\0")
    assert refused(folder) == {name: "compiled code"}


def test_what_is_no_file_is_refused(folder):
    os.mkfifo(folder / "pipe")
    assert refused(folder) == {"pipe": "no plain file"}
    assert "pipe" not in taken(folder)


def test_what_is_too_large_is_refused_and_costs_nothing_else(folder, monkeypatch):
    monkeypatch.setattr(beside, "MOST_BYTES", 2**20)
    (folder / "a.bin").write_bytes(bytes(2**20))
    assert list(refused(folder)) == ["a.bin"] and "too large" in refused(folder)["a.bin"]
    assert taken(folder).keys() == {"helper.py", "data/points.csv"}


def test_a_name_that_is_no_utf_8_is_refused_and_costs_nothing_else(folder):
    (folder / os.fsdecode(b"\xdcbung.txt")).write_text("from an old archive")
    assert list(refused(folder).values()) == ["a name that is no UTF-8"]
    assert taken(folder).keys() == {"helper.py", "data/points.csv"}


def test_a_folder_that_is_not_there_has_nothing_beside(tmp_path):
    assert taken(tmp_path / "none") == {}
