"""Derivatives by finite differences, and the check of an analytic gradient against them.

    forward:  (f(x + h) − f(x)) / h,  error O(h)          central:  (f(x + h) − f(x − h)) / 2h,  error O(h²)

A central difference that straddles a kink measures a mixture of the slopes on either side, which no gradient has to equal. Such
coordinates are found and set apart: a function is given with a ``signature``, which says on which smooth piece of it a
point lies, and a coordinate whose signature changes between x − h, x and x + h is at a kink.

Sources: CS231n, "Optimization: computing the gradient numerically with finite differences" and "Neural networks 3: gradient
checks" (relative error, kinks, float64, samples of coordinates).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fastsvm.validation import WEIGHT_DTYPES, check_array, check_choice, check_finite, check_integer, check_real, describe

#: Largest relative error that passes, by the coarser dtype of ``x`` and its gradient.
TOLERANCE = {"float64": 1e-6, "float32": 1e-3}

#: A value of f is taken to be right to this many units of rounding, and a gradient to as many of its largest entry's.
ROUNDING_UNITS = 8


@dataclass(frozen=True, eq=False)
class GradientCheck:
    """What a gradient check found, one entry per coordinate looked at.

    Attributes
    ----------
    indices : ndarray (k, ndim), int64
    analytic, numerical : ndarray (k,), float64
        The gradient under test, and central differences.
    relative_error : ndarray (k,), float64
        ``|analytic − numerical| / max(|analytic| + |numerical|, noise / tolerance)``.
    kink : ndarray (k,), bool
        Coordinates that are not judged.
    tolerance : float
    noise : float
        Estimated rounding error of a difference. One that is smaller passes whatever its relative size.
    """

    indices: np.ndarray
    analytic: np.ndarray
    numerical: np.ndarray
    relative_error: np.ndarray
    kink: np.ndarray
    tolerance: float
    noise: float

    @property
    def passed(self) -> bool:
        """Whether every coordinate away from kinks is within the tolerance; False if none is away from them."""
        return bool(self.max_relative_error <= self.tolerance)

    @property
    def max_relative_error(self) -> float:
        """Largest relative error away from kinks; NaN if every coordinate is at one."""
        return float(self.relative_error[~self.kink].max()) if not self.kink.all() else float("nan")

    @property
    def n_kinks(self) -> int:
        """How many coordinates are at kinks."""
        return int(self.kink.sum())

    @property
    def worst(self) -> tuple[int, ...] | None:
        """Index of the coordinate with the largest relative error away from kinks; ``None`` if there is none."""
        if self.kink.all():
            return None
        return tuple(int(i) for i in self.indices[np.where(self.kink, -1.0, self.relative_error).argmax()])

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "failed"
        judged = len(self.kink) - self.n_kinks
        lines = [f"gradient check {verdict}: {judged} coordinates judged, {self.n_kinks} at kinks left out"]
        if self.worst is not None:
            lines.append(f"largest relative error {self.max_relative_error:.1e} at {list(self.worst)}")
        lines.append(f"tolerance {self.tolerance:g}; differences below {self.noise:.1e} are rounding noise")
        lines.append(f"{'coordinate':>16} {'analytic':>16} {'numerical':>16} {'relative error':>15}")
        order = np.lexsort((-self.relative_error, self.kink))
        shown = [*order[: min(5, judged)], *order[judged:][:3]]
        for k in shown:
            error = "kink" if self.kink[k] else f"{self.relative_error[k]:.1e}"
            place = str(self.indices[k].tolist())
            lines.append(f"{place:>16} {self.analytic[k]:16.9g} {self.numerical[k]:16.9g} {error:>15}")
        return "\n".join(lines)


@contextmanager
def _perturbed(x: np.ndarray, index: tuple[int, ...], value: np.floating) -> Iterator[None]:
    saved = x[index]
    x[index] = value
    try:
        yield
    finally:
        x[index] = saved


def _neighbours(x: np.ndarray, index: tuple[int, ...], h: float) -> tuple[np.floating, np.floating]:
    """``x[index] − h`` and ``x[index] + h`` as x's dtype can represent them."""
    here = x[index]
    with np.errstate(over="ignore", under="ignore"):
        step = x.dtype.type(h)
        lower, upper = here - step, here + step
    if lower == here or upper == here or not (np.isfinite(lower) and np.isfinite(upper)):
        raise ValueError(f"h must change x{list(index)} = {here} to other finite {x.dtype} numbers; got {h:g}")
    return lower, upper


def _scalar(name: str, value: Any) -> float:
    """``value``, which a user's function returned, as a finite float."""
    if isinstance(value, np.ndarray):
        if value.ndim:
            raise TypeError(f"{name} must be a scalar; got an array of {describe(value)}")
        value = value[()]
    return check_real(name, value)


def numerical_gradient(f: Callable[[Any], Any], x: np.ndarray, h: float = 1e-5, method: str = "central") -> np.ndarray:
    """Return the gradient of a scalar function of an array, by finite differences.

    Parameters
    ----------
    f : callable
        Called with ``x``; returns a finite number. Called once per entry of ``x`` and once more ("forward"), or twice per
        entry ("central").
    x : ndarray, float64 or float32, any shape, C-contiguous, writeable
        The point. Its entries are perturbed in place, one at a time, and put back bit for bit, also when ``f`` raises.
    h : float > 0, default 1e-5
        Step. What is divided by is the step as x's dtype represents it, e.g. ``(x + h) − x``. In float32 rounding
        takes over below about 1e-2 times the size of x; float64 is the better choice.
    method : {"central", "forward"}

    Returns
    -------
    ndarray, shape of ``x``, float64

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, ``f`` does not return a finite number, or ``h`` is lost in rounding next to an entry of x.

    References
    ----------
    CS231n, "Optimization: computing the gradient numerically with finite differences".

    Examples
    --------
    >>> import numpy as np
    >>> numerical_gradient(lambda x: x[0] ** 2 + 3 * x[1], np.array([2.0, 5.0])).round(6).tolist()
    [4.0, 3.0]
    """
    point = check_array("x", x, dtypes=WEIGHT_DTYPES, writeable=True)
    check_finite("x", point)
    h = check_real("h", h, above=0.0)
    central = check_choice("method", method, ("forward", "central")) == "central"
    value = 0.0 if central else _scalar("f(x)", f(x))
    gradient = np.empty(point.shape)
    for index in np.ndindex(point.shape):
        left, right = _neighbours(point, index, h)
        with _perturbed(point, index, right):
            above = _scalar(f"f(x) at x{list(index)} = {right}", f(x))
        if central:
            with _perturbed(point, index, left):
                value = _scalar(f"f(x) at x{list(index)} = {left}", f(x))
        gradient[index] = (above - value) / (float(right) - float(left if central else point[index]))
    return gradient


class _Look(NamedTuple):
    """A function at one point: its value, the rounding error that value may have, and the piece the point lies on."""

    value: float
    rounding: float
    piece: np.ndarray

    def same_piece(self, other: _Look) -> bool:
        return np.array_equal(self.piece, other.piece)


def _look(f: Callable[[Any], Any], signature: Callable[[Any], Any] | None, x: Any, place: str = "") -> _Look:
    raw = f(x)
    value = _scalar(f"f(x){place}", raw)
    dtype = getattr(raw, "dtype", None)
    eps = np.finfo(np.float64).eps
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        eps = max(eps, np.finfo(dtype).eps)
    # A copy, for the signature may come back in an array that the next call overwrites.
    return _Look(value, float(eps) * abs(value), np.array(signature(x) if signature else 0))


def _draw(shape: tuple[int, ...], count: int | None, seed: Any) -> np.ndarray:
    """Indices (k, ndim) of ``count`` coordinates in ascending order, or of all where there are no more."""
    size = int(np.prod(shape))
    if count is not None:
        count = check_integer("n_coordinates", count, at_least=1)
    if not isinstance(seed, np.random.Generator):
        seed = np.random.default_rng(check_integer("seed", seed, at_least=0))
    flat = np.arange(size) if count is None or count >= size else np.sort(seed.choice(size, count, replace=False))
    return np.array([np.unravel_index(k, shape) for k in flat], dtype=np.int64).reshape(len(flat), len(shape))


def check_gradient(
    f: Callable[[Any], Any],
    x: np.ndarray,
    gradient: Any,
    *,
    h: float = 1e-5,
    n_coordinates: int | None = 100,
    seed: int | np.random.Generator = 0,
    tolerance: float | None = None,
    signature: Callable[[Any], Any] | None = None,
) -> GradientCheck:
    """Compare an analytic gradient with central differences, coordinate by coordinate.

    Parameters
    ----------
    f, x, h
        As in :func:`numerical_gradient`.
    gradient : array, float64 or float32, shape of ``x``
        The gradient of ``f`` at ``x`` that is to be checked.
    n_coordinates : int >= 1 or None, default 100
        How many coordinates to look at, drawn without replacement; all of them if there are no more or it is ``None``.
    seed : int >= 0 or numpy.random.Generator, default 0
        Draws them.
    tolerance : float > 0, optional
        Largest relative error that passes; by default 1e-6, or 1e-3 where ``x`` or ``gradient`` is float32.
    signature : callable, optional
        Called with ``x`` right after ``f``, at the same point; returns an array of bools or integers that names the
        smooth piece of ``f`` there, such as which ``max(0, ·)`` are positive.

    Returns
    -------
    GradientCheck

    Raises
    ------
    TypeError, ValueError
        As :func:`numerical_gradient`; also where ``gradient`` has another shape or holds NaN or infinity.

    Notes
    -----
    Rounding puts an error of about ``8 ε |f| / h + 8 ε′ max|gradient|`` into the difference of the two, with ε that of
    the float type ``f`` returns (float64 for a Python float) and ε′ that of ``gradient``. This is the result's ``noise``: no
    smaller difference fails a coordinate. It falls as ``h`` grows.

    References
    ----------
    CS231n, "Neural networks 3: gradient checks".
    """
    point = check_array("x", x, dtypes=WEIGHT_DTYPES, writeable=True)
    if point.size == 0:
        raise ValueError(f"x must hold at least one number; got shape {point.shape}")
    check_finite("x", point)
    given = check_array("gradient", np.asarray(gradient), dtypes=WEIGHT_DTYPES, shape=point.shape)
    check_finite("gradient", given)
    h = check_real("h", h, above=0.0)
    coarser = min(point.dtype, given.dtype, key=lambda dtype: dtype.itemsize)
    tolerance = TOLERANCE[coarser.name] if tolerance is None else check_real("tolerance", tolerance, above=0.0)
    indices = _draw(point.shape, n_coordinates, seed)

    # Read before f is called, which may well write its own gradient into the same array.
    analytic = np.array([given[tuple(index)] for index in indices], dtype=np.float64)
    gradient_rounding = float(np.finfo(given.dtype).eps) * float(np.abs(given).max())

    here = _look(f, signature, x)
    numerical, kink, rounding = np.empty(len(indices)), np.zeros(len(indices), dtype=bool), here.rounding
    for k, index in enumerate(map(tuple, indices.tolist())):
        left, right = _neighbours(point, index, h)
        with _perturbed(point, index, right):
            above = _look(f, signature, x, f" at x{list(index)} = {right}")
        with _perturbed(point, index, left):
            below = _look(f, signature, x, f" at x{list(index)} = {left}")
        numerical[k] = (above.value - below.value) / (float(right) - float(left))
        rounding = max(rounding, above.rounding, below.rounding)
        kink[k] = not (here.same_piece(below) and here.same_piece(above))

    noise = ROUNDING_UNITS * (rounding / h + gradient_rounding)
    smallest = max(noise / tolerance, float(np.finfo(np.float64).tiny))
    error = np.abs(analytic - numerical) / np.maximum(np.abs(analytic) + np.abs(numerical), smallest)
    return GradientCheck(indices, analytic, numerical, error, kink, tolerance, noise)
