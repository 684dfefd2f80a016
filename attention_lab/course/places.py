"""Where lessons lie: in a checkout, in an unzipped kit, or wherever nbgrader's exchange has put them.

checkout/ or kit/    nbgrader_config.py, notebooks/index.ipynb, notebooks/NN-name/name.ipynb
anywhere/            NN-name/name.ipynb, as the exchange fetched it
"""

from pathlib import Path

CONFIG = "nbgrader_config.py"
PROFILE = Path(__file__).parent / "profile"
"""Settings of JupyterLab and nbgrader: what everyone has, and what learners have."""


def meant(known: list[str], asked: str) -> list[str]:
    """The lessons that a name, the beginning of one, with its number or without, or a number means: "02-squ", "squ" or "2"."""
    begins = asked.zfill(2) if asked.isdecimal() else asked
    numbered = {name: name[3:] for name in known if name[:2].isdecimal()}
    return (
        [name for name in known if asked in (name, numbered.get(name))]
        or [name for name in known if name.startswith(begins)]
        or [name for name, rest in numbered.items() if rest.startswith(asked)]
    )


def lesson_folders(folder: Path) -> list[Path]:
    """The lessons in a folder, in order: NN-name with a notebook name.ipynb."""
    found = folder.glob("[0-9][0-9]-*/*.ipynb")
    return sorted(file.parent for file in found if file.stem == file.parent.name[3:])


def course_of(here: Path) -> Path | None:
    """The checkout or kit that holds a folder: the nearest one upwards with nbgrader's settings."""
    return next((folder for folder in (here, *here.parents) if (folder / CONFIG).exists()), None)


def learners_folder(here: Path) -> Path | None:
    """The folder of the lessons that a learner in ``here`` works in: the course's, or the nearest upwards with lessons."""
    if course := course_of(here):
        return course / "notebooks"
    return next((folder for folder in (here, *here.parents) if lesson_folders(folder)), None)


def first_page(lessons: Path, lesson: str, here: Path) -> Path | None:
    """The notebook to open of a folder of lessons: the first of the lesson with this name or number.

    Without one, that of the lesson whose folder holds ``here``; else the start page, or where there is none the first
    lesson.
    """
    notebooks = sorted(lessons.glob("*/*.ipynb"))
    if lesson:
        names = meant(sorted({file.parent.name for file in notebooks}), lesson)
        return next((file for file in notebooks if file.parent.name in names), None)
    inside = [file for file in notebooks if here.is_relative_to(file.parent)]
    start = lessons / "index.ipynb"
    return next(iter(inside or ([start] if start.exists() else notebooks)), None)


def instead(notebook: Path) -> str:
    """What there is where a lesson's notebook is not."""
    there = ", ".join(sorted(file.name for file in notebook.parent.glob("*.ipynb")))
    return f"there is {there}: rename the one that is yours" if there else "it has not been handed out to you yet"
