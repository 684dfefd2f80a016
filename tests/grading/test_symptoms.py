"""Errors that any exercise can meet are told in words that lead on."""

import copy

import pytest
import torch
from torch import nn

from attention_lab.grading.changes import KINDS
from attention_lab.grading.observe import Observation, Problem
from attention_lab.grading.symptoms import ERRORS, of_error, of_layers, of_made_in_calls, of_unused


def raised(call) -> Problem:
    try:
        call()
    except Exception as error:
        return Problem(type(error).__name__, str(error).split("\n")[0], "forward", 7, "y = f(x)")
    raise AssertionError("nothing was raised")


class Bare(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(1, 1)


def takes_two(x, y):
    pass


def counts_in_an_inner_function():
    total = 0

    def hook():
        total += 1  # noqa: F823, F841

    hook()
    return total


def changes_a_tuple():
    pair = 1, 2
    pair[0] = 3


def calls_itself():
    return calls_itself()


def gives_a_parameter_a_tensor():
    nn.Linear(3, 6).bias = torch.zeros(6)


def overwrites_what_exp_needs():
    y = ONES.exp()
    y += 1
    y.sum().backward()


def goes_back_twice():
    y = ONES.exp().sum()
    y.backward()
    y.backward()


X, MAPS, ONES = torch.zeros(2, 3), torch.zeros(2, 3, 5, 7), torch.ones(3, requires_grad=True)
REAL = {
    "super": Bare,
    "float-size": lambda: nn.Linear(4, 4 / 2),
    "matrix-sizes": lambda: nn.Linear(4, 2)(X),
    "axes-apart": lambda: X * torch.zeros(2),
    "joined-shapes": lambda: torch.cat((X, torch.zeros(3, 4)), 1),
    "vector-size": lambda: X @ torch.zeros(2),
    "matrices-apart": lambda: torch.bmm(torch.zeros(2, 3, 4), torch.zeros(2, 3, 4)),
    "matrix-axes": lambda: torch.bmm(X, X),
    "einsum-sizes": lambda: torch.einsum("ij,jk->ik", X, X),
    "einsum-letters": lambda: torch.einsum("nchw,c->nc", X, X),
    "joined-nothing": lambda: torch.stack([]),
    "joined-list": lambda: torch.cat(X, X),
    "stretched": lambda: X.expand(4, 3),
    "stretched-axes": lambda: MAPS.repeat(2, 2),
    "permutation": lambda: MAPS.permute(0, 2, 1),
    "cut-sizes": lambda: X.unflatten(1, (2, -1)),
    "split-sizes": lambda: X.split([1, 1], 1),
    "conv-axes": lambda: nn.Conv1d(3, 4, 1)(MAPS),
    "conv-groups": lambda: nn.Conv2d(3, 4, 1, groups=2),
    "one-number-a-channel": lambda: nn.BatchNorm1d(3)(X[:1]),
    "past-the-end": lambda: X[5],
    "past-the-list": lambda: [1][3],
    "too-many-indices": lambda: X[0, 0, 0],
    "index-axes": lambda: X.gather(1, torch.zeros(2, dtype=torch.long)),
    "index-kind": lambda: X[torch.zeros(2)],
    "whole-number": lambda: range(4 / 2),
    "mask-shape": lambda: X[torch.zeros(3, dtype=torch.bool)],
    "mask-kind": lambda: X.masked_fill(X, 0.0),
    "truth": lambda: max(X, 0),
    "grid": lambda: nn.functional.grid_sample(MAPS, torch.zeros(2, 4, 5, 7, 2), align_corners=False),
    "theta": lambda: nn.functional.affine_grid(torch.zeros(2, 6), MAPS.shape, align_corners=False),
    "resized-axes": lambda: nn.functional.interpolate(MAPS[0], size=(4, 4), mode="bilinear"),
    "whole-numbers": lambda: torch.arange(3).softmax(0),
    "kinds-of-numbers": lambda: X @ torch.zeros(3, 2, dtype=torch.double),
    "none": lambda: None.mean(),
    "not-a-parameter": gives_a_parameter_a_tensor,
    "not-a-layer": lambda: nn.Sequential([nn.ReLU()]),
    "torch-arguments": lambda: X.reshape(6 / 3, 3),
    "no-length": lambda: len(nn.ReLU()),
    "not-to-be-changed": changes_a_tuple,
    "endless": calls_itself,
    "leaf-in-place": lambda: nn.Linear(3, 6).bias.copy_(torch.zeros(6)),
    "overwritten": overwrites_what_exp_needs,
    "graph-twice": goes_back_twice,
    "not-in-the-graph": lambda: torch.autograd.grad(ONES.sum(), torch.ones(3, requires_grad=True)),
    "gradient-of-many": lambda: ONES.exp().backward(),
    "copy-in-a-graph": lambda: copy.deepcopy(ONES.exp()),
    "view-size": lambda: X.view(4, 2),
    "view-memory": lambda: X.T.view(6),
    "norm-width": lambda: nn.BatchNorm1d(4)(X),
    "norm-kind": lambda: nn.BatchNorm2d(3)(X),
    "conv-width": lambda: nn.Conv2d(4, 1, 1)(torch.zeros(1, 3, 2, 2)),
    "layer-norm-width": lambda: nn.LayerNorm(4)(X),
    "no-such-axis": lambda: X.sum(2),
    "fixed-size": lambda: nn.functional.avg_pool2d(torch.zeros(1, 1, 3, 3), 7),
    "unpacking": lambda: [a for a, b, c in [X.shape]],
    "no-attribute": lambda: nn.Linear(1, 1).wieght,
    "no-name": lambda: no_such_name,  # noqa: F821
    "init-arguments": lambda: nn.ReLU(True, 1),
    "call-arguments": lambda: takes_two(1, 2, 3),
    "missing-argument": lambda: takes_two(1),
    "unknown-argument": lambda: takes_two(1, z=2),
    "not-a-tensor": lambda: torch.sqrt(4),
    "single-numbers": lambda: float(X),
    "numpy": lambda: X.requires_grad_().numpy(),
    "operands": lambda: None + 1,
    "kind-of-thing": lambda: X.shape[0](1),
    "read-too-early": counts_in_an_inner_function,
    "divided-by-zero": lambda: 1.0 / (1.0 - 1.0),
    "no-graph": lambda: torch.zeros(1).sum().backward(),
}


@pytest.mark.parametrize("id", REAL)
def test_what_python_and_torch_really_raise_is_known(id):
    told = of_error(raised(REAL[id]))
    assert told and told.id == id
    assert "{" not in told.name and told.equation == "line 7: y = f(x)"


ALSO = {
    "float-size": lambda: X.view(2, 3.0),
    "joined-shapes": lambda: torch.stack([X, X[0]]),
    "permutation": lambda: MAPS.permute(0, 1, 1, 2),
    "past-the-list": lambda: X.topk(9),
    "index-axes": lambda: X.gather(1, torch.zeros(3, 2, dtype=torch.long)),
    "stretched-axes": lambda: X.expand(3),
    "whole-number": lambda: X[:1.5],
    "mask-kind": lambda: torch.where(X, X, X),
    "whole-numbers": lambda: torch.arange(3).mean(),
    "kinds-of-numbers": lambda: nn.Linear(3, 2)(torch.zeros(2, 3, dtype=torch.long)),
    "no-attribute": lambda: X.max(1).mean(),
    "torch-arguments": lambda: X.max((0, 1)),
    "call-arguments": lambda: nn.Linear(3, 2).eval(3),
    "single-numbers": lambda: X.item(),
    "leaf-in-place": lambda: nn.Linear(3, 6).weight[0].zero_(),
    "not-a-layer": lambda: nn.ModuleList([X]),
    "joined-nothing": lambda: torch.cat([]),
    "not-a-tensor": lambda: torch.cat([X.max(1, keepdim=True), X]),
}


@pytest.mark.parametrize("id", ALSO)
def test_other_words_of_the_same_error_are_known(id):
    assert of_error(raised(ALSO[id])).id == id


def test_every_error_is_one_that_python_or_torch_really_raises():
    ours = {"no-forward", "no-return", "not-called"}
    assert {error.id for error in ERRORS} == REAL.keys() | ours | {"memory"}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.id)
def test_every_message_ends_in_something_to_do(error):
    assert "?" in error.question
    assert not error.name.endswith(".")


def test_ids_are_told_apart():
    ids = [error.id for error in ERRORS]
    assert len(ids) == len(set(ids)) and not set(ids) & (KINDS.keys() - {"super"})


def test_an_error_that_is_not_known_is_not_explained():
    assert of_error(Problem("RuntimeError", "something else")) is None
    assert of_error(Problem("RuntimeError", "out of memory")).equation == ""
    assert of_error(Problem("RuntimeError", "out of memory", "f", 3, "y = x")).equation == "line 3: y = x"


def test_an_argument_that_is_never_read_is_named():
    told = of_unused(["reduction"], "h = C / r")
    assert (told.name, told.equation) == ("reduction is never used", "h = C / r")
    assert of_unused(["x", "branch", "se"], "h = C / r").name == "x, branch and se are never used"
    assert of_unused([], "h = C / r") is None


# -- layers


def observed(*layers: tuple[str, int]) -> Observation:
    return Observation(layers=list(layers), parameters=sum(number for _, number in layers))


RIGHT = observed(("Linear(32, 8)", 264), ("BatchNorm1d(8)", 16), ("Linear(8, 32)", 288))


@pytest.mark.parametrize(
    ("got", "name"),
    [
        (
            observed(("Linear(32, 8)", 264), ("Linear(8, 32)", 288)),
            "16 numbers are missing, as many as BatchNorm1d(8) has",
        ),
        (
            observed(*RIGHT.layers, ("BatchNorm1d(32)", 64)),
            "64 numbers are too many, as many as your BatchNorm1d(32) has",
        ),
        (
            observed(("BatchNorm1d(32)", 64), ("Linear(32, 8)", 264), ("Linear(8, 32)", 288)),
            "your BatchNorm1d(32) has 64 numbers, where a layer of 16 is expected",
        ),
        (
            observed(*RIGHT.layers, ("BatchNorm1d(32)", 64), ("BatchNorm1d(32)", 64)),
            "128 numbers are too many, 2 times as many as your BatchNorm1d(32) has",
        ),
    ],
)
def test_a_layer_that_is_missing_too_many_or_of_another_size_is_named(got, name):
    assert of_layers(got, RIGHT).name == name


def test_several_layers_of_one_size_are_named_together():
    right = observed(("Conv2d(8, 4)", 36), *[("Conv2d(4, 4, kernel_size=(3, 3))", 148), ("BatchNorm2d(4)", 8)] * 2)
    large = observed(("Conv2d(8, 4)", 36), *[("Conv2d(4, 4, kernel_size=(7, 7))", 788), ("BatchNorm2d(4)", 8)] * 2)
    bare = observed(("Conv2d(8, 4)", 36), *[("Conv2d(4, 4, kernel_size=(3, 3))", 148)] * 2)
    assert of_layers(large, right).name == (
        "your Conv2d(4, 4, kernel_size=(7, 7)) has 788 numbers, where 2 layers of 148 are expected"
    )
    assert of_layers(bare, right).name == "16 numbers are missing, 2 times as many as BatchNorm2d(4) has"


def test_one_number_is_told_as_one():
    assert of_layers(observed(), observed(("a parameter of shape (1,)", 1))).name == (
        "1 number is missing, as many as a parameter of shape (1,) has"
    )


def test_as_many_numbers_in_other_layers_are_no_mistake():
    assert of_layers(observed(("Linear(32, 8)", 280), ("Linear(8, 32)", 288)), RIGHT) is None
    assert of_layers(RIGHT, RIGHT) is None


def test_several_other_layers_are_not_guessed_at():
    assert of_layers(observed(("A", 1), ("B", 2)), RIGHT) is None
    one, two = observed(("A", 5)), observed(("B", 16), ("B", 16))
    assert of_layers(one, two) is None and of_layers(two, one) is None


def test_a_layer_made_in_every_call_is_told_with_its_line():
    told = of_made_in_calls(7, "nn.BatchNorm2d(1)")
    assert told.name == "a layer is made anew in every call, in line 7: nn.BatchNorm2d(1)" and "?" in told.question
    assert told.equation == "layers are attributes of self, made in __init__"
