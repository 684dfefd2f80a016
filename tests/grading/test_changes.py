"""A change of one place that makes an answer right tells where its mistake is and of which kind."""

import ast
import inspect
import linecache

import pytest
import torch
from torch import Tensor, nn

from attention_lab.grading.changes import (
    KINDS,
    Source,
    changes,
    integer,
    loaded,
    made_in_calls,
    rebuilt,
    replaced,
    source_of,
    unused_arguments,
)
from attention_lab.grading.exercises import EXERCISES
from attention_lab.grading.judge import Report, ask, judge
from attention_lab.grading.witness import Witness
from attention_lab.mechanisms import window_partition


def first_failure(exercise: str, answer: object) -> Report:
    asked = EXERCISES[exercise]
    witness = Witness(answer, ask(asked), asked.records)
    return next(report for report in (judge(asked, check, witness) for check in asked.checks) if not report.passed)


def summed_over_channels(features, scores):
    weights = scores.softmax(-1)
    return (features * weights.unsqueeze(1)).sum(1)


def without_unsqueeze(features, scores):
    return (features * scores.softmax(-1)).sum(-1)


def over_the_last_axis(scores, dim=-1, temperature=1.0):
    e = ((scores - scores.amax(dim, keepdim=True)) / temperature).exp()
    return e / e.sum(-1, keepdim=True)


def of_seven_by_seven(x):
    return x.sum((2, 3)) / 49


def another_normaliser(x, logits):
    return x * torch.tanh(logits)


def missing_brackets(x, logits):
    return x * 1 / 1 + torch.exp(-logits)


def printed(x, logits):
    x * torch.sigmoid(logits)


def a_class_for_a_layer(x, logits):
    return nn.Sigmoid(logits) * x


def positions_cut(image, grid):
    n, _, h, w = image.shape
    x, y = ((grid[..., 0] + 1) * w - 1) / 2, ((grid[..., 1] + 1) * h - 1) / 2
    left, top = x.long(), y.long()
    out = 0
    for i in (0, 1):
        for j in (0, 1):
            column, row = left + i, top + j
            weight = (1 - (x - column).abs()) * (1 - (y - row).abs())
            inside = (column >= 0) & (column < w) & (row >= 0) & (row < h)
            picked = image[torch.arange(n)[:, None, None], :, row.clamp(0, h - 1), column.clamp(0, w - 1)]
            out = out + (weight * inside)[..., None] * picked
    return out.movedim(-1, 1)


class SuperForgotten(nn.Module):
    def __init__(self, channels, reduction=16):
        self.first = nn.Linear(channels, channels // reduction)
        self.second = nn.Linear(channels // reduction, channels)

    def weights(self, x):
        return self.second(self.first(x.mean((2, 3))).relu()).sigmoid()[:, :, None, None]

    def forward(self, x):
        return x * self.weights(x)


class CalledByAnotherName(nn.Module):
    def forward(this, x, scale=1):
        return x


class Misspelt(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.first = nn.Linear(channels, channels // reduction)
        self.second = nn.Linear(channels // reduction, channels)

    def weights(self, x):
        return self.second(self.first(x.mean((2, 3))).relu()).sigmoid()[:, :, None, None]

    def foward(self, x):
        return x * self.weights(x)


class DilationOfThePaddingOnly(nn.Module):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__()
        hidden = channels // reduction
        self.layers = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, padding=dilation),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, padding=dilation),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, 1, 1),
        )

    def forward(self, x):
        return self.layers(x)


class SecondNotDilated(DilationOfThePaddingOnly):
    def __init__(self, channels, reduction=16, dilation=4):
        super().__init__(channels, reduction, dilation)
        hidden = channels // reduction
        self.layers[3] = nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation)
        self.layers[6] = nn.Conv2d(hidden, hidden, 3, padding=1)


class Overwritten(SuperForgotten):
    def __init__(self, channels, reduction=16):
        nn.Module.__init__(self)
        self.first = nn.Linear(channels, channels // reduction)
        self.second = nn.Linear(channels // reduction, channels)

    def forward(self, x):
        x = x.mean((2, 3), keepdim=True)
        gate = self.second(self.first(x.flatten(1)).relu()).sigmoid()
        return x * gate[:, :, None, None]


def half_missing(x, logits):
    return x * (1 + torch.tanh(logits)) / 2


def temperature_once(scores, dim=-1, temperature=1.0):
    shifted = scores - scores.amax(dim, keepdim=True)
    total = shifted.exp().sum(dim, keepdim=True)
    return (shifted / temperature).exp() / total


def one_first(theta, height, width):
    x = (2 * torch.arange(width) + 1) / width - 1
    y = (2 * torch.arange(height) + 1) / height - 1
    y, x = torch.meshgrid(y, x, indexing="ij")
    points = torch.stack([torch.ones(height, width), x, y], -1)
    return torch.einsum("nij,hwj->nhwi", theta, points.to(theta.dtype))


def wrong_stride(image, grid):
    n, c, h, w = image.shape
    x, y = ((grid[..., 0] + 1) * w - 1) / 2, ((grid[..., 1] + 1) * h - 1) / 2
    flat = image.flatten(2)

    def corner(row, column):
        weight = (1 - (x - column).abs()) * (1 - (y - row).abs())
        inside = (column >= 0) & (column < w) & (row >= 0) & (row < h)
        index = (row.clamp(0, h - 1) * h + column.clamp(0, w - 1)).long()
        picked = flat.gather(2, index.flatten(1)[:, None].expand(-1, c, -1)).view(n, c, *index.shape[1:])
        return (weight * inside)[:, None] * picked

    top, left = y.floor(), x.floor()
    return corner(top, left) + corner(top, left + 1) + corner(top + 1, left) + corner(top + 1, left + 1)


@pytest.mark.parametrize(
    ("exercise", "answer", "kind", "code"),
    [
        ("select", summed_over_channels, "axis", "(features * weights.unsqueeze(1)).sum(1)"),
        ("select", without_unsqueeze, "kept-axis", "scores"),
        ("temperature-softmax", over_the_last_axis, "not-passed", "-1"),
        ("squeeze", of_seven_by_seven, "number-for-size", "49"),
        ("recalibrate", another_normaliser, "function", "torch.tanh(logits)"),
        ("recalibrate", printed, "return", "x * torch.sigmoid(logits)"),
        ("recalibrate", a_class_for_a_layer, "not-built", "nn.Sigmoid(logits)"),
        ("squeeze-excitation", SuperForgotten, "super", "def __init__(self, channels, reduction=16):"),
        ("squeeze-excitation", Misspelt, "misspelt", "def foward(self, x):"),
        ("spatial-gate", DilationOfThePaddingOnly, "not-passed", "nn.Conv2d(hidden, hidden, 3, padding=dilation)"),
        ("spatial-gate", SecondNotDilated, "as-in-sibling", "nn.Conv2d(hidden, hidden, 3, padding=1)"),
        ("squeeze-excitation", Overwritten, "overwritten-argument", "x"),
        ("recalibrate", half_missing, "number", "torch.tanh(logits)"),
        ("temperature-softmax", temperature_once, "step-of-elsewhere", "shifted"),
        ("affine-grid", one_first, "exchanged", "[torch.ones(height, width), x, y]"),
        ("bilinear-sample", wrong_stride, "variable", "h"),
    ],
)
def test_a_mistake_that_no_exercise_knows_is_told_by_its_kind_and_place(exercise, answer, kind, code, monkeypatch):
    monkeypatch.setattr("attention_lab.grading.judge.SECONDS_OF_CHANGES", 60)
    monkeypatch.setattr("attention_lab.grading.judge.Case.misconception", lambda self, on: None)
    report = first_failure(exercise, answer)
    assert report.misconception.id == kind
    line = int(report.misconception.name.rpartition(" line ")[2].split(":")[0])
    assert code.split("(")[0] in inspect.getsource(inspect.getmodule(answer)).splitlines()[line - 1]
    assert report.misconception.name.endswith(f": {code}"[:62])


def test_what_is_written_twice_is_changed_in_both_places(monkeypatch):
    monkeypatch.setattr("attention_lab.grading.judge.SECONDS_OF_CHANGES", 60)
    assert first_failure("bilinear-sample", positions_cut).misconception.id in ("function", "truncated")


def test_no_change_makes_a_right_answer_out_of_another_idea(monkeypatch):
    monkeypatch.setattr("attention_lab.grading.judge.SECONDS_OF_CHANGES", 60)

    def nonsense(x, logits):
        return x.flip(1) * logits.cos().cumsum(1)

    report = first_failure("recalibrate", nonsense)
    assert report.misconception is None or report.misconception.id not in KINDS


def test_no_function_is_said_to_be_missing_where_truth_values_are_asked_for(monkeypatch):
    monkeypatch.setattr("attention_lab.grading.judge.SECONDS_OF_CHANGES", 60)
    monkeypatch.setattr("attention_lab.grading.judge.Case.misconception", lambda self, on: None)

    def shifted_mask(height, width, size, shift):
        row, column = torch.arange(height) >= height - shift, torch.arange(width) >= width - shift
        piece = row[:, None].long() + column[None].long()
        of_window = window_partition(piece[None, :, :, None], size)
        return of_window == of_window.mT

    report = first_failure("shifted-mask", shifted_mask)
    assert report.misconception is None or report.misconception.id != "missing"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_of_change_is_told_in_words_that_ask_something(kind):
    assert "?" in kind.question and not kind.name.endswith(".")


def test_the_learners_own_definition_stays_as_it_was():
    asked = EXERCISES["recalibrate"]
    witness = Witness(another_normaliser, ask(asked), asked.records)
    for change in witness.changes()[:20]:
        witness.changed(change, witness.questions[:1])
    assert another_normaliser(torch.ones(1), torch.ones(1)) == torch.tanh(torch.ones(1))


def test_a_change_that_cannot_be_built_is_only_a_problem():
    asked = EXERCISES["recalibrate"]
    witness = Witness(another_normaliser, ask(asked), asked.records)
    assert all(witness.changed(change, witness.questions[:1]) for change in witness.changes())


def test_code_that_is_not_known_is_not_changed():
    assert source_of(torch.softmax) is None
    assert source_of(None) is None
    assert Witness(torch.sigmoid, [], ("output",)).changes() == []


def test_arguments_that_nothing_reads_are_found():
    def ignores(x: Tensor, dim: int = 1, temperature: float = 1.0) -> Tensor:
        return x / temperature

    assert unused_arguments(source_of(ignores)) == ["dim"]
    assert unused_arguments(source_of(SuperForgotten)) == []
    assert unused_arguments(source_of(CalledByAnotherName)) == ["scale"]

    def overwrites(x, dim=1):
        dim = 2  # noqa: F841
        return x

    assert unused_arguments(source_of(overwrites)) == ["dim"]


def test_a_return_that_is_missing_behind_a_block_is_found():
    def in_a_block(x):
        with torch.no_grad():
            y = x.mean()  # noqa: F841

    made = [edit for change, edit in changes(source_of(in_a_block)) if change.kind == "return"]
    assert any("return y" in ast.unparse(node) for edit in made for _, new in edit.places for node in new.nodes)


class MadeAnew(nn.Module):
    def forward(self, x):
        return nn.ReLU()(nn.BatchNorm2d(x.shape[1])(x))


def test_a_layer_with_parameters_that_is_made_in_every_call_is_found():
    line, code = made_in_calls(source_of(MadeAnew))
    assert code == "nn.BatchNorm2d(x.shape[1])"
    assert "BatchNorm2d" in inspect.getsource(inspect.getmodule(MadeAnew)).splitlines()[line - 1]
    assert made_in_calls(source_of(SuperForgotten)) is None
    assert made_in_calls(source_of(printed)) is None


def changed(code: str, kind: str) -> str:
    """All that changes of this kind make of a definition."""
    source = Source(ast.parse(code).body[0], {}, code)
    return "\n".join(
        ast.unparse(ast.fix_missing_locations(replaced(source.tree, edit)))
        for change, edit in changes(source)
        if change.kind == kind
    )


@pytest.mark.parametrize(
    ("given", "kind", "meant"),
    [
        ("x.max()", "axis", "x.amax(dim, keepdim=True)"),
        ("x.min()", "axis", "x.amin(dim, keepdim=True)"),
        ("F.softmax(x)", "axis", "F.softmax(x, -1)"),
        ("x.tanh()", "function", "x.sigmoid()"),
        ("x.mean(1, keepdim=True)", "kept-axis", "x.mean(1)"),
        ("x.mean(1)", "kept-axis", "x.mean(1, keepdim=True)"),
        ("x.squeeze()", "kept-axis", "x.squeeze(-1)"),
        ("x @ y", "turned", "x @ y.mT"),
        ("x * (y + dim)", "missing", "x * __import__('torch').sigmoid(y + dim)"),
        ("x[0]", "variable", "x[-1]"),
        ("x * 3", "number", "x * 2"),
        ("x.sum(-1)", "not-passed", "x.sum(dim)"),
        ("x.sum((2, 3)) / 49", "number-for-size", "x.sum((2, 3)) / (x.shape[-1] * x.shape[-2])"),
        ("x / 8.0", "number-for-size", "x / x.shape[-1] ** 0.5"),
    ],
)
def test_what_is_meant_is_among_what_is_tried(given, kind, meant):
    assert f"return {meant}\n" in changed(f"def answer(x, y, dim):\n    return {given}", kind) + "\n"


def test_a_line_that_is_too_much_is_left_out_also_one_that_stores_nothing():
    assert "def answer(x):\n    pass\n    return x" in changed(
        "def answer(x):\n    x.relu_()\n    return x", "too-much"
    )


def test_one_attribute_is_tried_for_another_that_the_class_has():
    cell = (
        "class Answer:\n"
        "    def __init__(self):\n        self.first, self.second = 1, 2\n"
        "    def forward(self, x):\n        return self.first * x"
    )
    tried = changed(cell, "variable")
    assert "self.second * x" in tried and "self.__init__" not in tried


def test_a_function_misses_no_self_and_nothing_is_turned_whose_shape_is_read():
    assert not changed("def answer(x):\n    return x", "self")
    assert ".mT.shape" not in changed("def answer(x, y):\n    return x.shape[0] * y", "turned")


@pytest.mark.parametrize(
    ("code", "value"), [("3", 3), ("-1", -1), ("~1", None), ("not 1", None), ("-x", None), ("1.0", None)]
)
def test_a_whole_number_has_its_sign_and_nothing_else(code, value):
    assert integer(loaded(code)) == value


def test_an_answer_from_a_cell_that_does_not_parse_is_not_changed():
    def answer(x):
        return x

    answer.__code__ = answer.__code__.replace(co_filename="<a cell with a magic>")
    linecache.cache["<a cell with a magic>"] = (0, None, ["%%time\n", "def answer(x):\n", "    return x\n"], "")
    try:
        assert source_of(answer) is None
    finally:
        del linecache.cache["<a cell with a magic>"]


def test_a_self_that_was_forgotten_is_put_there():
    cell = (
        "class Answer:\n"
        "    def __init__(self):\n        self.first = 2\n"
        "    def forward(self, x):\n        return first * x"
    )
    source = Source(ast.parse(cell).body[0], {}, cell)
    (answer,) = (rebuilt(source, edit) for change, edit in changes(source) if change.kind == "self")
    assert answer().forward(3) == 6
