"""Which lines of the lessons' sources would tell a learner a solution."""

from pathlib import Path

from nbgrader.utils import is_solution

from attention_lab.course.source import lessons, read_source, sources

SHORTEST_TELLING_LINE = 12  # characters; `x = x + 1` or `return x` may stand anywhere


def lines_of(source: Path) -> tuple[set[str], set[str]]:
    """The lines of a lesson that are taken out for learners (solutions and hidden tests), and those that stay."""
    hidden, shown = set(), set()
    for cell in read_source(source).cells:
        depth = is_solution(cell) and "BEGIN SOLUTION" not in cell.source
        for line in cell.source.splitlines():
            if "### END " in line:
                depth = False
            (hidden if depth else shown).add(line.strip())
            if "### BEGIN " in line:
                depth = True
    return hidden, shown


def secrets(root: Path) -> set[str]:
    """The lines that no learner may read before the lesson is solved.

    A line that some lesson shows in the open, such as one of the broken code an exercise repairs, is no secret.
    """
    every = [lines_of(source) for lesson in lessons(root) for source in sources(root, lesson)]
    in_the_open = "\n".join(line for _, shown in every for line in shown)
    telling = {line for hidden, _ in every for line in hidden if len(line) >= SHORTEST_TELLING_LINE}
    return {line for line in telling if line not in in_the_open} | {"### BEGIN HIDDEN", "### BEGIN SOLUTION"}
