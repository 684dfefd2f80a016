"""Clear errors for arguments that no mechanism can work with."""

from torch import Tensor


def require_positive(**arguments: int) -> None:
    """Raise ValueError for the first argument that is not an integer of at least 1."""
    for name, value in arguments.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")


def require_shape(x: Tensor, shape: str) -> None:
    """Raise ValueError unless ``x`` has as many dimensions as ``shape`` names, for example ``"N C H W"``."""
    names = shape.split()
    if x.ndim != len(names):
        raise ValueError(f"x must have shape ({', '.join(names)}), got {tuple(x.shape)}")


def hidden_width(channels: int, reduction: int) -> int:
    """Width ``channels // reduction`` of a bottleneck; ValueError if it would have no unit at all."""
    require_positive(channels=channels, reduction=reduction)
    if reduction > channels:
        raise ValueError(
            f"reduction must be at most channels ({channels}), got {reduction}: no hidden unit would be left"
        )
    return channels // reduction
