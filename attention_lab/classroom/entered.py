"""A lesson as it was entered into the gradebook, by which it is graded, beside the lesson as it is now."""

from pathlib import Path

import nbformat
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import is_grade

MOST = 3  # differences that are told


def changed(course: CourseDirectory, lesson: str) -> str:
    """What has other points in the gradebook than in the lesson, and what to do, in one line; empty if nothing has."""
    now = {}
    for file in sorted(Path(course.format_path(course.source_directory, ".", lesson)).glob("*.ipynb")):
        for cell in filter(is_grade, nbformat.read(file, as_version=4).cells):
            now[file.stem, cell.metadata.nbgrader.grade_id] = cell.metadata.nbgrader.points
    with Gradebook(course.db_url) as gradebook:
        known = [known for known in gradebook.assignments if known.name == lesson]
        entered = {
            (notebook.name, cell.name): cell.max_score
            for each in known
            for notebook in each.notebooks
            for cell in notebook.grade_cells
        }
    differ = [place for place in now | entered if now.get(place) != entered.get(place)]
    if not (now and entered and differ):
        return ""
    told = [f"{place[1]} {number(entered, place)} there, {number(now, place)} here" for place in differ[:MOST]]
    more = [f"{len(differ) - MOST} more"] if len(differ) > MOST else []
    return (
        f"{lesson} has other points in the gradebook than in the lesson: {'; '.join([*told, *more])}. The gradebook's are "
        f"given. To enter the lesson anew: nbgrader generate_assignment {lesson} --force"
    )


def number(points: dict[tuple[str, str], float], place: tuple[str, str]) -> str:
    return f"{points[place]:g}" if place in points else "none"
