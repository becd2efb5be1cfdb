"""Numbers to draw, as float64; what cannot be drawn is refused by the name of its argument."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastsvm.validation import as_array


def as_numbers(name: str, value: Any, *, ndim: int = 1, shape: tuple[int | None, ...] | None = None) -> np.ndarray:
    """Return ``value`` as a float64 array that is not empty; NaN and infinity may be in it.

    Parameters
    ----------
    ndim : int
        Number of dimensions; not looked at where ``shape`` is given.
    shape : tuple, optional
        ``None`` in it stands for any length.
    """
    array = as_array(name, value, "be an array of numbers")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers; got {type(value).__name__} of dtype {array.dtype}")
    wanted = (None,) * ndim if shape is None else shape
    fits = array.ndim == len(wanted) and all(length in (None, got) for length, got in zip(wanted, array.shape, strict=True))
    if not fits:
        text = ", ".join("any" if length is None else str(length) for length in wanted)
        raise ValueError(f"{name} must have shape ({text}{',' if len(wanted) == 1 else ''}); got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must hold at least one number; got shape {array.shape}")
    return array.astype(np.float64)


def check_fields(name: str, value: Any, fields: str, made_by: str) -> None:
    """Raise unless ``value`` has all of ``fields`` (names, parted by spaces), saying what makes such an object."""
    if not all(hasattr(value, field) for field in fields.split()):
        raise TypeError(f"{name} must be {made_by}; got {type(value).__name__}")


def as_text(value: float, digits: int = 3) -> str:
    """A number as short as it can be read: 0.0002, 1.23, 254, 25,392, 2.10e+09."""
    if not np.isfinite(value):
        return str(value)
    if abs(value) >= 1e6 or 0 < abs(value) < 1e-4:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{digits}g}" if abs(value) < 10 ** (digits - 1) else f"{value:,.0f}"
