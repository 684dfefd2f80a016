"""Clear errors for arguments that no mechanism can work with."""

from torch import SymInt, Tensor


def require_positive(**arguments: int) -> None:
    """Raise ValueError for the first argument that is not an integer of at least 1."""
    for name, value in arguments.items():
        if not isinstance(value, (int, SymInt)) or value < 1:  # SymInt: a size that torch.export leaves open
            raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")


def require_multiple(of: str, divisor: int, **arguments: int) -> None:
    """Raise ValueError for the first argument that ``divisor`` does not divide; ``of`` is the divisor's name."""
    for name, value in arguments.items():
        if value % divisor:
            raise ValueError(f"{name} must be a multiple of {of} ({divisor}), got {value}")


def require_shape(x: Tensor, shape: str, name: str = "x") -> None:
    """Raise ValueError unless ``x`` has as many dimensions as ``shape`` names, for example ``"N C H W"``.

    A dimension given as a number must have that size: ``"N 2 3"`` is a batch of 2x3 matrices.
    """
    names = shape.split()
    if x.ndim != len(names) or any(n.isdigit() and int(n) != size for n, size in zip(names, x.shape)):
        raise ValueError(f"{name} must have shape ({', '.join(names)}), got {tuple(x.shape)}")


def hidden_width(channels: int, reduction: int) -> int:
    """Width ``channels // reduction`` of a bottleneck; ValueError if it would have no unit at all."""
    require_positive(channels=channels, reduction=reduction)
    if reduction > channels:
        raise ValueError(
            f"reduction must be at most channels ({channels}), got {reduction}: no hidden unit would be left"
        )
    return channels // reduction
