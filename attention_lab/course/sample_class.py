"""A sample class of lesson 02: what students really hand in, and the score each deserves.

`attention-lab demo` grades it with nbgrader; the tests hold nbgrader to these scores.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import is_solution

from .source import read_source

LESSON = "02-squeeze-excitation"
NOTEBOOK = "squeeze-excitation"


@dataclass(frozen=True)
class Student:
    """A submission: the lesson's right answers, except where it says otherwise.

    story: what the student did.
    score: points deserved, None if nbgrader cannot read the submission at all.
    answers: other answers, by exercise id.
    untouched: whether the learner's notebook is handed in as it was released.
    spoil: a last change of the whole notebook.
    """

    story: str
    score: float | None
    answers: dict[str, str] = field(default_factory=dict)
    untouched: bool = False
    spoil: Callable[[NotebookNode], None] | None = None


def cell(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def delete_a_test(notebook: NotebookNode) -> None:
    notebook.cells.remove(cell(notebook, "squeeze-excitation-values"))


def duplicate_an_answer(notebook: NotebookNode) -> None:
    answer = cell(notebook, "squeeze-excitation")
    copy = nbformat.v4.new_code_cell(answer.source, metadata=answer.metadata)
    notebook.cells.insert(notebook.cells.index(answer), copy)


def rewrite_the_tests(notebook: NotebookNode) -> None:
    for name in ("shapes", "parameters", "values", "gradients"):
        cell(notebook, f"squeeze-excitation-{name}").source = "print('all is well')"


def set_up_noisily(notebook: NotebookNode) -> None:
    noise = "import sys, warnings\nwarnings.warn('old function')\nprint('careful', file=sys.stderr)"
    notebook.cells.insert(1, nbformat.v4.new_code_cell(noise))


SE = """\
class SqueezeExcitation(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.fc1 = nn.Linear(channels, {hidden})
        self.fc2 = nn.Linear({hidden}, channels)

    def weights(self, x):
        z = {squeeze}
        {gate}

    def forward(self, x):
        return x * self.weights(x)
"""
RIGHT = {
    "hidden": "channels // reduction",
    "squeeze": "x.mean((2, 3))",
    "gate": "return torch.sigmoid(self.fc2(torch.relu(self.fc1(z))))[:, :, None, None]",
}

STUDENTS = {
    "ada": Student("everything right", 18),
    "ben": Student(
        "right in another style: 1x1 convolutions, other names, no biases",
        18,
        {
            "squeeze": "def squeeze(x):\n    return F.adaptive_avg_pool2d(x, 1).flatten(1)",
            "squeeze-excitation": """\
class SqueezeExcitation(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.up = nn.Conv2d(channels // reduction, channels, 1, bias=False)
        self.down = nn.Conv2d(channels, channels // reduction, 1, bias=False)

    def weights(self, x):
        return self.up(self.down(x.mean((2, 3), keepdim=True)).relu()).sigmoid()

    def forward(self, x):
        return self.weights(x) * x
""",
        },
    ),
    "cleo": Student("handed in the notebook as it came", 0, untouched=True),
    "dan": Student(
        "max pooling where the squeeze is an average",
        14,
        {"squeeze-excitation": SE.format(**RIGHT | {"squeeze": "x.amax((2, 3))"})},
    ),
    "eve": Student(
        "a softmax over the channels in place of the sigmoid",
        14,
        {
            "squeeze-excitation": SE.format(
                **RIGHT | {"gate": "return self.fc2(torch.relu(self.fc1(z))).softmax(1)[:, :, None, None]"}
            )
        },
    ),
    "finn": Student(
        "reduction taken for the hidden width",
        12,
        {"squeeze-excitation": SE.format(**RIGHT | {"hidden": "reduction"})},
    ),
    "gus": Student(
        "the gate after the addition",
        16,
        {"se-residual": "def se_residual(x, branch, se):\n    return se(x + branch(x))"},
    ),
    "hana": Student(
        "left the tutorial's forward as it was",
        14,
        {
            "debug-se": """\
class SEAttentionModule(BrokenSEAttentionModule):
    pass
"""
        },
    ),
    "ivan": Student(
        "wrote the layers, not yet the methods",
        12,
        {"squeeze-excitation": SE.format(**RIGHT | {"gate": "raise NotImplementedError()"})},
    ),
    "judy": Student(
        "a syntax error in the main exercise", 10, {"squeeze-excitation": "class SqueezeExcitation(nn.Module:"}
    ),
    "kim": Student("all right, with warnings and text on stderr", 18, spoil=set_up_noisily),
    "lena": Student("deleted a test cell: it is put back", 18, spoil=delete_a_test),
    "max": Student(
        "a wrong gate, and the tests rewritten to pass",
        14,
        {
            "squeeze-excitation": SE.format(
                **RIGHT | {"gate": "return self.fc2(self.fc1(z)).sigmoid()[:, :, None, None]"}
            )
        },
        spoil=rewrite_the_tests,
    ),
    "nora": Student("pasted the main answer twice", 18, spoil=duplicate_an_answer),
    "otto": Student("a file cut off in the middle", None),
}


def submission(root: Path, student: Student) -> NotebookNode:
    """The notebook that the student hands in for the lesson of the course at ``root``."""
    notebook = nbformat.read(root / "notebooks" / LESSON / f"{NOTEBOOK}.ipynb", as_version=4)
    if student.untouched:
        return notebook
    solved = read_source(root / "solutions" / LESSON / f"{NOTEBOOK}.py")
    for answer in filter(is_solution, notebook.cells):
        grade_id = answer.metadata.nbgrader.grade_id
        answer.source = student.answers.get(grade_id, cell(solved, grade_id).source)
    if student.spoil:
        student.spoil(notebook)
    return notebook


def hand_in(root: Path, course: Path) -> None:
    """Put every student's submission where nbgrader looks for it in the course folder."""
    for name, student in STUDENTS.items():
        folder = course / "submitted" / name / LESSON
        folder.mkdir(parents=True)
        text = nbformat.writes(submission(root, student))
        (folder / f"{NOTEBOOK}.ipynb").write_text(
            text if student.score is not None else text[: len(text) // 2], "utf-8"
        )
