"""The kit that a class gets: the notebooks, what they need to run, and no answer.

    attention-lab/START-HERE.md        install, open, work, hand in
    attention-lab/requirements.txt     this version of the package, and with constraints.txt the versions it was tested with
    attention-lab/nbgrader_config.py   how Validate runs a notebook
    attention-lab/notebooks/           the start page, and the lessons as they were released

The same lessons give the same bytes. `attention-lab update` takes a later kit in.
"""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
from traitlets.config import PyFileConfigLoader

from .. import __version__
from .execute import content
from .places import CONFIG
from .release import learner_files, start_page, worked_in
from .source import ReleaseError, read_lesson

FOLDER = "attention-lab"
SETTINGS = Path(__file__).parent / "profile" / "everyone" / CONFIG
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can tell
START_HERE = """\
# Start here

You need Python 3.11 or newer, and the file `attention_lab-{version}-py3-none-any.whl` from your instructor in this
folder. The network is needed for the installation only.

**Install.** In a terminal, in this folder:

```
python -m venv .venv
source .venv/bin/activate          # Windows: .venv\\Scripts\\activate
pip install -r requirements.txt
```

Linux: PyPI's PyTorch brings several GB for graphics cards. For the CPU alone, the last line is
`PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu pip install -r requirements.txt`.

**Open.** `attention-lab lab` opens JupyterLab on the course map. Next time, activate `.venv` first.

**Work.** Run the cells from top to bottom, write your code where it says `YOUR CODE HERE`, run the check below it.
**Validate** in the toolbar runs the whole notebook as your instructor will. `attention-lab progress` shows your points.

**Hand in.** Save. `attention-lab check 2` says what lesson 2 still lacks. `attention-lab submit 2` asks for your name and writes
the file that you give to your instructor.

**More lessons, or a new version of one,** may come as another kit, whose links on the course map lead nowhere until then. Do
not unzip it over this folder: `attention-lab update --from kit.zip` adds what is new. Your answers, notes and cells stay.
"""


def kit(root: Path, lessons: Sequence[str]) -> bytes:
    """The kit of some lessons of the course at ``root``, as a zip.

    Raises ReleaseError for a notebook that somebody has worked in, and for files that are not as they would be released.
    """
    page, text = start_page(root)
    files = {page.relative_to(root).as_posix(): text.encode()}
    for lesson in lessons:
        files |= released(root, lesson)
    requirements = f"--find-links .\nattention-lab=={__version__}\n"
    if (constraints := root / "constraints.txt").exists():
        files["constraints.txt"] = content(constraints)
        requirements = "--constraint constraints.txt\n" + requirements
    start_here = START_HERE.format(version=__version__)
    files |= {"START-HERE.md": start_here.encode(), "requirements.txt": requirements.encode(), CONFIG: settings(root)}
    return zipped(files)


def settings(root: Path) -> bytes:
    """nbgrader's settings for learners: how Validate runs a notebook, and the course's id, for nbgrader's exchange."""
    course = PyFileConfigLoader(CONFIG, str(root)).load_config().CourseDirectory
    return content(SETTINGS) + f"\nc.CourseDirectory.course_id = {course.course_id!r}\n".encode()


def released(root: Path, lesson: str) -> dict[str, bytes]:
    """The files that learners get of a lesson, by their place in the course. Raises ReleaseError as ``kit`` does."""
    files = {}
    with learner_files(root, lesson, read_lesson(root, lesson)) as made:
        for file, new in made.items():
            name = file.relative_to(root).as_posix()
            if file.suffix == ".ipynb" and file.exists() and worked_in(nbformat.read(file, 4)):
                raise ReleaseError(
                    f"{name} has been worked in: move it away, then `attention-lab release --lesson {lesson}` makes a new one"
                )
            if not file.exists() or content(file) != content(new):
                raise ReleaseError(f"{name} is not up to date: `attention-lab release --lesson {lesson}` makes it so")
            files[name] = new.read_bytes()
    return files


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip of these files in one folder: the same bytes on any day and any system."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}", LONG_AGO)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # of Unix, readable by everyone
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return packed.getvalue()
