"""Annotations say which shapes a function takes and gives; tests hold every call against them, users pay nothing."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, get_args, get_type_hints

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import nn

from attention_lab import data, mechanisms, networks
from attention_lab.networks.small import SmallCNN


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mechanisms.squeeze(torch.zeros(2, 3)), "parameters of attention_lab.mechanisms"),
        (lambda: mechanisms.se_residual(torch.zeros(2, 3, 4, 4), nn.Identity(), lambda y: y[None]), "return value"),
        (lambda: SmallCNN()(torch.zeros(1, 16, 16)), "parameters of attention_lab.networks"),
        (lambda: data.photo(7), "parameters of attention_lab.data"),
    ],
)
def test_a_call_that_does_not_fit_its_annotations_is_an_error(call: Callable[[], Any], message: str):
    with pytest.raises(TypeCheckError, match=message):
        call()


def test_a_user_gets_the_packages_own_error_and_loads_no_checker():
    code = """
import sys, torch
from attention_lab import data, networks, squeeze
try:
    squeeze(torch.zeros(2, 3))
except ValueError as error:
    print(error, "beartype" in sys.modules)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "x must have shape (N, C, H, W), got (2, 3) False\n"


def annotated() -> Iterator[Callable]:
    """Every function, method and class of the packages whose calls are checked."""
    for package in (mechanisms, networks, data):
        for info in iter_modules(package.__path__, f"{package.__name__}."):
            for thing in vars(import_module(info.name)).values():
                if getattr(thing, "__module__", None) == info.name:
                    yield thing
                    if inspect.isclass(thing):
                        yield from filter(inspect.isfunction, vars(thing).values())


def dimensions(hint: Any) -> list[str]:
    """The words of all shapes inside a type hint: "N", "2*H", ..."""
    inside = [word for part in get_args(hint) for word in dimensions(part)]
    return [word.lstrip("#*?") for word in getattr(hint, "dim_str", "").split()] + inside


@pytest.mark.parametrize("thing", list(annotated()), ids=lambda thing: thing.__qualname__)
def test_every_dimension_is_a_name_a_number_or_computed_from_names(thing: Callable):
    words = [word for hint in get_type_hints(thing).values() for word in dimensions(hint)]
    parts = [part for word in words for part in ast.walk(ast.parse(word, mode="eval"))]
    assert {part.id for part in parts if isinstance(part, ast.Name)} <= set(words)
