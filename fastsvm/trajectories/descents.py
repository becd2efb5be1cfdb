"""Descents on a surface: any optimizer, through its own ``init`` and ``step``, on an array of two numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastsvm.optimizers import Optimizer, as_optimizer
from fastsvm.trajectories.surfaces import Surface, as_surface
from fastsvm.validation import check_integer

#: The rules the lecture contrasts, in its order. AdamW is left out: its decay pulls towards the origin, whatever the surface.
LECTURE_RULES = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")

#: A path has diverged where it is farther from the middle of the picture than so many times the picture's longer side.
FAR = 100.0


@dataclass(frozen=True, eq=False)
class Descent:
    """The path of an optimizer on a surface.

    Attributes
    ----------
    surface : Surface
    optimizer : Optimizer
    path : ndarray (updates + 1, 2), float64
        Points, the start first. Of a descent that diverged, the points before that.
    values : ndarray (updates + 1,), float64
        The surface's values there.
    diverged : bool
        Whether the descent was given up since it left for infinity: see :data:`FAR`.
    """

    surface: Surface
    optimizer: Optimizer
    path: np.ndarray
    values: np.ndarray
    diverged: bool

    def __repr__(self) -> str:
        end = f"diverged after {len(self.path) - 1} updates" if self.diverged else f"{len(self.path) - 1} updates"
        return f"<Descent on {self.surface.name!r}: {self.optimizer}, {end}, {self.values[0]:.4g} -> {self.values[-1]:.4g}>"


def surface_optimizer(surface: Surface | str, optimizer: Optimizer | str) -> Optimizer:
    """The optimizer itself; or, for a name, the rule with the learning rate that suits the surface."""
    surface, rule = as_surface(surface), as_optimizer(optimizer)
    if isinstance(optimizer, str) and rule.rule in surface.learning_rates:
        return type(rule)(learning_rate=surface.learning_rates[rule.rule])
    return rule


def descend(
    surface: Surface | str,
    optimizer: Optimizer | str,
    *,
    steps: int | None = None,
    start: Any = None,
    backend: str | None = None,
) -> Descent:
    """Follow an optimizer down a surface.

    Parameters
    ----------
    surface : Surface, or the name of one in :data:`SURFACES`
    optimizer : Optimizer or name
        A name stands for the rule with the surface's learning rate for it.
    steps : int >= 0, optional
        Updates to make; by default the surface's ``steps``.
    start : two finite numbers, optional
        By default the surface's ``start``.
    backend
        As in :mod:`fastsvm.objective`.

    Returns
    -------
    Descent

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit. Divergence does not raise: the path ends there.

    Examples
    --------
    >>> from fastsvm import SGD
    >>> descend("bowl", SGD(0.5), steps=2, start=(8.0, 0.0)).path.tolist()
    [[8.0, 0.0], [4.0, 0.0], [2.0, 0.0]]
    """
    surface = as_surface(surface)
    optimizer = surface_optimizer(surface, optimizer)
    steps = surface.steps if steps is None else check_integer("steps", steps, at_least=0)
    x = np.array(surface.start if start is None else start, dtype=np.float64)
    if x.shape != (2,) or not np.isfinite(x).all():
        raise ValueError(f"start must be two finite numbers; got {start!r}")

    bounds = np.array(surface.bounds)
    middle, reach = bounds.mean(axis=1), FAR * np.ptp(bounds, axis=1).max()
    state, path, values = optimizer.init(x), [x.copy()], [float(surface.f(x))]
    diverged = False
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            gradient = np.ascontiguousarray(surface.gradient(x), dtype=np.float64)
            optimizer.step(x, gradient, state, backend=backend)
            value = float(surface.f(x))
            diverged = not (np.isfinite(value) and np.abs(x - middle).max() <= reach)
            if diverged:
                break
            path.append(x.copy())
            values.append(value)
    return Descent(surface, optimizer, np.array(path), np.array(values), diverged)


def side_by_side(surface: Surface | str, optimizers: Iterable[Optimizer | str] | None = None, **options: Any) -> list[Descent]:
    """Descents of several optimizers from the same start.

    Parameters
    ----------
    surface
        As in :func:`descend`.
    optimizers : Optimizers or names, optional
        By default :data:`LECTURE_RULES`, each with the surface's learning rate.
    **options
        ``steps``, ``start`` and ``backend`` of :func:`descend`.

    Returns
    -------
    list of Descent, in the order of ``optimizers``
    """
    if isinstance(optimizers, (str, Optimizer)):
        raise TypeError(f"optimizers must be a sequence of optimizers or names; got {optimizers!r}; put it in a list")
    return [descend(surface, optimizer, **options) for optimizer in (LECTURE_RULES if optimizers is None else optimizers)]
