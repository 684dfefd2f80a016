"""Messages: plain data between the grader and an observer, who may be lying.

A reply is JSON with its tensors beside it in safetensors, and is taken for nothing but what was asked for: a type says what
may come, down to the last field. Nothing that comes back is ever unpickled. Questions, which go the other way, are pickled.

This file runs on both sides.
"""

import collections
import dataclasses
import json
import pickle
import socket
import struct
import time
import types
import typing
from functools import cache
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

MOST_BYTES = 64 * 2**20  # of one message
MOST_BYTES_OF_JSON = 20 * 2**20
MOST_PARTS = 500_000  # lists in one message: JSON takes little room, what is read of it much
MOST_LETTERS = 20_000  # of one text
MOST_OF_LONG = 4_000_000  # of a long one
MOST_ITEMS = 20_000  # of one list
HEAD = struct.Struct("<II")  # how many bytes of JSON follow, and how many of tensors


class Nonsense(ValueError):
    """A message that is not of the type asked for."""


class Gone(Exception):
    """The other side has ended, or does not answer in time."""


class LongText(str):
    """A text that may be long: a picture, or what a cell prints."""


# Plain data


def packed(value: Any) -> tuple[bytes, bytes]:
    """A value as JSON, and its tensors."""
    tensors: dict[str, Tensor] = {}
    text = json.dumps(plain(value, tensors), ensure_ascii=False)
    return text.encode("utf-8", "replace"), save(tensors)


def plain(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = torch.empty(value.shape, dtype=value.dtype).copy_(value.detach())
        return name
    if dataclasses.is_dataclass(value):
        return [plain(getattr(value, field.name), tensors) for field in dataclasses.fields(value)]
    if isinstance(value, dict):
        return [[plain(key, tensors), plain(held, tensors)] for key, held in value.items()]
    if isinstance(value, list | tuple):
        return [plain(held, tensors) for held in value]
    if isinstance(value, torch.dtype):
        return str(value)
    if isinstance(value, str):
        return value[: MOST_OF_LONG if isinstance(value, LongText) else MOST_LETTERS]
    return value


def unpacked(kind: Any, text: bytes, tensors: bytes) -> Any:
    """The value of this type that a message holds.

    Raises: Nonsense.
    """
    require(len(text) <= MOST_BYTES_OF_JSON and text.count(b"[") + text.count(b"{") <= MOST_PARTS)
    try:
        return Reader(load(tensors)).read(kind, json.loads(text))
    except Nonsense:
        raise
    except Exception as error:
        raise Nonsense(f"what came back is no answer ({type(error).__name__})") from error


class Reader:
    """Reads values of types from JSON and the tensors beside it."""

    def __init__(self, tensors: dict[str, Tensor]):
        self.tensors = tensors

    def read(self, kind: Any, given: Any) -> Any:
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if origin in (typing.Union, types.UnionType):
            rest = [one for one in inner if one is not types.NoneType]
            return None if given is None else self.read(rest[0], given)
        if kind is LongText:
            require(type(given) is str and len(given) <= MOST_OF_LONG)
            return LongText(whole(given))
        if kind in (bool, str, int, type(None)):
            require(type(given) is kind)
            require(kind is not str or len(given) <= MOST_LETTERS)
            require(kind is not int or abs(given) < 2**62)
            return whole(given) if kind is str else given
        if kind is float:
            require(type(given) in (int, float))
            return float(given)
        if kind is Tensor:
            require(isinstance(given, str))
            return self.tensors[given]
        if kind is torch.dtype:
            return dtypes()[given]
        require(isinstance(given, list) and len(given) <= MOST_ITEMS)
        if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
            fields = fields_of(kind)
            return kind(*(self.read(field, held) for field, held in zip(fields, given, strict=True)))
        if origin is list:
            return [self.read(inner[0], held) for held in given]
        if origin is tuple and inner[-1] is Ellipsis:
            return tuple(self.read(inner[0], held) for held in given)
        if origin is tuple:
            return tuple(self.read(one, held) for one, held in zip(inner, given, strict=True))
        if origin in (dict, collections.Counter):
            inner = (*inner, int) if origin is collections.Counter else inner
            pairs = {self.read(inner[0], key): self.read(inner[1], held) for key, held in given}
            return origin(pairs)
        raise TypeError(f"no message holds a {kind}")


def whole(text: str) -> str:
    """Without half characters, which no file can hold."""
    return text.encode("utf-8", "replace").decode()


def require(holds: bool) -> None:
    if not holds:
        raise Nonsense("what came back is no answer")


@cache
def fields_of(kind: type) -> list[Any]:
    hints = typing.get_type_hints(kind)
    names = kind._fields if hasattr(kind, "_fields") else [field.name for field in dataclasses.fields(kind)]
    return [hints[name] for name in names]


@cache
def dtypes() -> dict[str, torch.dtype]:
    return {str(kind): kind for kind in vars(torch).values() if isinstance(kind, torch.dtype)}


# Sending


class Line:
    """One side of a socket; what the grader's side sends is pickled, what it gets is plain."""

    def __init__(self, socket: socket.socket):
        self.socket = socket

    def send(self, first: bytes, second: bytes = b"", seconds: float | None = None) -> None:
        self.socket.settimeout(seconds)
        try:
            self.socket.sendall(HEAD.pack(len(first), len(second)) + first + second)
        except OSError as error:
            raise Gone("no answer in time" if isinstance(error, TimeoutError) else "ended") from error

    def receive(self, seconds: float | None = None) -> tuple[bytes, bytes]:
        """The two parts of the next message.

        Raises: Gone, Nonsense when it is too large.
        """
        end = None if seconds is None else time.monotonic() + seconds
        first, second = HEAD.unpack(self.read(HEAD.size, end))
        if first + second > MOST_BYTES:
            raise Nonsense("what came back is far too much")
        return self.read(first, end), self.read(second, end)

    def read(self, number: int, end: float | None) -> bytes:
        got = bytearray()
        while len(got) < number:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise Gone("no answer in time")
            self.socket.settimeout(left)
            try:
                part = self.socket.recv(min(number - len(got), 2**20))
            except OSError as error:
                raise Gone("no answer in time" if isinstance(error, TimeoutError) else "ended") from error
            if not part:
                raise Gone("ended")
            got += part
        return bytes(got)

    def request(self, question: tuple, seconds: float) -> None:
        self.send(pickle.dumps(question), seconds=seconds)

    def next_request(self) -> tuple:
        return pickle.loads(self.receive()[0])
