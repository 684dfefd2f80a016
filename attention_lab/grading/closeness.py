"""Closeness: within which tolerances values and slopes count as the same."""

from collections.abc import Iterator

import torch
from torch import Tensor

from .matching import EQUAL
from .observe import Observation, Values

TOLERANCES = {torch.float64: 1e-6, torch.float32: 1e-3}  # relative to the largest value: sums in another order differ
SLOPE_TOLERANCE = {True: 1e-3, False: 5e-2}  # relative, by whether all was computed in float64
SMALLEST = 1e-6  # a largest value below this counts as this: what is as good as 0 may be 0


def close(got: Tensor, expected: Tensor, coarsest: torch.dtype = torch.float64, least: float = 0) -> bool:
    """Whether two tensors have the same shape and values, within the tolerance of the coarsest dtype and at least ``least``."""
    if got.shape != expected.shape:
        return False
    if not expected.is_floating_point():
        return bool((got == expected).all())
    if got.dtype == expected.dtype and torch.equal(got, expected):  # which is quickly seen
        return True
    tolerance = max(least, *(TOLERANCES.get(dtype, 1e-2) for dtype in (got.dtype, expected.dtype, coarsest)))
    finite = expected[expected.isfinite()]
    size = max(float(finite.abs().max()) if finite.numel() else 0.0, SMALLEST)
    return bool(
        torch.isclose(got.to(expected.dtype), expected, rtol=tolerance, atol=tolerance * size, equal_nan=True).all()
    )


def close_in(got: Values, expected: Values, record: str, *tolerance: torch.dtype | float) -> bool:
    return record in got and record in expected and close(got[record], expected[record], *tolerance)


def ways(got: Observation, expected: Observation) -> Iterator[list[tuple[Values, Values]]]:
    """What is compared, in each filling: with the parameters as their layers run, and in each way that they are matched."""
    yield [(got.values, expected.values), *zip(got.others, expected.others)]
    for way in got.matched:
        if way in expected.matched and way.interchangeable != EQUAL:
            yield list(zip(got.matched[way], expected.matched[way]))


def same(got: Observation, expected: Observation, *records: str, tolerance: float = 0) -> bool:
    """Whether all these records have the expected values in every filling of the same parameters."""
    return any(
        all(close_in(ours, theirs, record, got.coarsest, tolerance) for ours, theirs in fillings for record in records)
        for fillings in ways(got, expected)
    )
