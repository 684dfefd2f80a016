"""What is sent arrives; what is not of the type asked for is refused."""

import json
import socket
import struct
from collections import Counter

import pytest
import torch
from safetensors.torch import save

from attention_lab.classroom.wire import HEAD, MOST_BYTES, MOST_PARTS, Gone, Line, LongText, Nonsense, packed, unpacked
from attention_lab.grading.changes import Change
from attention_lab.grading.matching import AT_ONCE, Way
from attention_lab.grading.observe import Observation, Problem, Slope

SEEN = Observation(
    problems={"output": Problem("ValueError", "no", "forward", 3, "x = 1")},
    arguments="channels=8",
    parameters=12,
    kinds=Counter({("", False, (8,)): 64, ("mean", True, ()): 8}),
    layers=[("Linear(8, 2)", 18)],
    borrowed=("softmax",),
    coarsest=torch.float32,
    fresh=torch.ones(2, 3, dtype=torch.float64).expand(2, 3),
    values={"weights": torch.zeros(0, 2), "output": torch.tensor(True)},
    others=[{"output": torch.tensor([1, 2])}],
    matched={Way(("output",), AT_ONCE): [{"output": torch.tensor(float("nan"))}]},
    slopes=[Slope(None, (1.0, float("inf"))), Slope(0.5, (0.5, 0.5))],
)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (list[Change], [Change(1, "axis", 2, "x.sum(1)")]),
        (tuple[int, str] | None, None),
        (tuple[int, str] | None, (3, "nn.Linear(1, 2)")),
        (bool, True),
    ],
)
def test_what_is_sent_arrives(kind, value):
    assert unpacked(kind, *packed(value)) == value


def test_an_observation_arrives_with_every_field():
    got = unpacked(list[Observation], *packed([SEEN]))[0]
    assert torch.equal(got.fresh, SEEN.fresh)
    assert got.values.keys() == SEEN.values.keys()
    assert got.values["output"].dtype is torch.bool
    assert got.matched.keys() == SEEN.matched.keys()
    for field in ("problems", "arguments", "parameters", "kinds", "layers", "borrowed", "coarsest", "slopes"):
        assert getattr(got, field) == getattr(SEEN, field), field


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (bool, "1"),
        (int, "true"),
        (int, str(10**40)),
        (str, "3"),
        (str, json.dumps("x" * 20_001)),
        (list[str], '{"a": 1}'),
        (list[str], json.dumps(["x"] * 20_001)),
        (tuple[int, str], "[1]"),
        (Change, '[1, "axis", 2]'),
        (torch.Tensor, '"0"'),
        (torch.dtype, '"torch.nothing"'),
        (list[Observation], "[" * 100_000),
        (list[Observation], "not JSON"),
        (float, '"1.0"'),
    ],
)
def test_nonsense_is_refused(kind, text):
    with pytest.raises(Nonsense):
        unpacked(kind, text.encode(), save({}))


def test_a_short_message_that_would_fill_the_memory_is_not_read():
    with pytest.raises(Nonsense):
        unpacked(list[Observation], b"[" + b"[]," * MOST_PARTS + b"[]]", save({}))


def test_half_characters_are_put_right_on_both_sides():
    assert unpacked(list[LongText], *packed([LongText("a\ud800b")])) == ["a?b"]
    assert unpacked(dict[str, str], b'[["\\ud800", "\\udfff x"]]', save({})) == {"?": "? x"}


def test_tensors_that_are_none_are_refused():
    with pytest.raises(Nonsense):
        unpacked(bool, b"true", b"\x80\x04N.")


@pytest.fixture
def lines():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Line(ours), theirs


def test_a_message_too_large_is_not_read(lines):
    line, other = lines
    other.send(HEAD.pack(MOST_BYTES, 1))
    with pytest.raises(Nonsense):
        line.receive(1)


def test_silence_and_the_end_are_told_apart(lines):
    line, other = lines
    other.send(struct.pack("<I", 8))
    with pytest.raises(Gone, match="in time"):
        line.receive(0.05)
    other.close()
    with pytest.raises(Gone, match="ended"):
        line.receive(1)


def test_who_does_not_listen_is_not_waited_for(lines):
    line, _ = lines
    with pytest.raises(Gone):
        line.send(bytes(10_000_000), seconds=0.05)
