"""Classic surfaces over the plane, with their gradients: what the lectures draw to contrast the update rules.

Every function takes ``x`` (2, ...): a point, or the coordinates of many, and returns the value (...) or the gradient (2, ...).

Sources: CS231n, "Training Neural Networks II: fancier optimization" (a loss that is steep one way and shallow the other,
saddle points, local minima); H. Rosenbrock, "An automatic method for finding the greatest or least value of a function",
1960; E. Beale, "On an iterative method for finding a local minimum of a function of more than one variable", 1958.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastsvm.validation import check_choice, check_integer, plain_name

Function = Callable[[np.ndarray], Any]


@dataclass(frozen=True, eq=False)
class Surface:
    """A function of two variables, and what is needed to walk and draw it.

    Attributes
    ----------
    name : str
    f : callable
        ``f(x)`` with ``x`` (2, ...), float64, returns the values (...).
    gradient : callable
        ``gradient(x)`` returns the gradient (2, ...).
    start : (x0, x1)
        Where descents begin.
    bounds : ((x0 lowest, x0 highest), (x1 lowest, x1 highest))
        What a picture shows.
    minimum : (x0, x1) or None
        Where ``f`` is smallest, one such point if there are more; ``None`` if it is not known.
    steps : int
        Updates that show what there is to see.
    learning_rates : mapping of a rule's name to a rate
        For rules given by name; a rule that is absent has its own default.
    lesson : str
        What the surface teaches.
    """

    name: str
    f: Function
    gradient: Function
    start: tuple[float, float]
    bounds: tuple[tuple[float, float], tuple[float, float]]
    minimum: tuple[float, float] | None = None
    steps: int = 100
    learning_rates: Mapping[str, float] = field(default_factory=dict)
    lesson: str = ""

    def __repr__(self) -> str:
        return f"<Surface {self.name!r}: start {self.start}, minimum {self.minimum}>"

    def grid(self, resolution: int = 101) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``x0`` (resolution,), ``x1`` (resolution,) over the bounds, and ``f`` there, (resolution, resolution), row = x1."""
        resolution = check_integer("resolution", resolution, at_least=2)
        x0, x1 = (np.linspace(low, high, resolution) for low, high in self.bounds)
        return x0, x1, np.asarray(self.f(np.stack(np.meshgrid(x0, x1))))


#: Eigenvalue of the bowl's steep axis; that of the shallow one is 1.
STEEPNESS = 25.0


def bowl(x: np.ndarray) -> Any:
    """``½ (x₀² + 25 x₁²)``: a quadratic with condition number 25."""
    return 0.5 * (x[0] ** 2 + STEEPNESS * x[1] ** 2)


def bowl_gradient(x: np.ndarray) -> np.ndarray:
    """``(x₀, 25 x₁)``."""
    return np.stack([x[0], STEEPNESS * x[1]])


def saddle(x: np.ndarray) -> Any:
    """``½ x₀² − ½ x₁² + ¼ x₁⁴``: a saddle point at (0, 0), minima at (0, ±1)."""
    return 0.5 * x[0] ** 2 - 0.5 * x[1] ** 2 + 0.25 * x[1] ** 4


def saddle_gradient(x: np.ndarray) -> np.ndarray:
    """``(x₀, x₁³ − x₁)``."""
    return np.stack([x[0], x[1] ** 3 - x[1]])


def _turned(x: np.ndarray) -> np.ndarray:
    return np.stack([x[0] + x[1], x[1] - x[0]]) / np.sqrt(2.0)


def turned_saddle(x: np.ndarray) -> Any:
    """`saddle`, turned by 45°: ``saddle((x₀ + x₁)/√2, (x₁ − x₀)/√2)``, minima at ±(−1, 1)/√2."""
    return saddle(_turned(x))


def turned_saddle_gradient(x: np.ndarray) -> np.ndarray:
    """With ``(p, q)`` the gradient of `saddle` at the turned point: ``(p − q, p + q)/√2``."""
    p, q = saddle_gradient(_turned(x))
    return np.stack([p - q, p + q]) / np.sqrt(2.0)


def plateau(x: np.ndarray) -> Any:
    """``1 − exp(−(x₀² + x₁²)/2)``: a well in a plain that is flatter the farther one is out."""
    return 1.0 - np.exp(-0.5 * (x[0] ** 2 + x[1] ** 2))


def plateau_gradient(x: np.ndarray) -> np.ndarray:
    """``x exp(−(x₀² + x₁²)/2)``."""
    return x * np.exp(-0.5 * (x[0] ** 2 + x[1] ** 2))


def wiggle(x: np.ndarray) -> Any:
    """``Σ_k x_k²/20 + 3 sin²(2 x_k)/20``: a bowl with a local minimum in every dent, the lowest at (0, 0)."""
    return ((x**2 + 3.0 * np.sin(2.0 * x) ** 2) / 20.0).sum(axis=0)


def wiggle_gradient(x: np.ndarray) -> np.ndarray:
    """``x_k/10 + 3 sin(4 x_k)/10``."""
    return (x + 3.0 * np.sin(4.0 * x)) / 10.0


def rosenbrock(x: np.ndarray) -> Any:
    """``(1 − x₀)² + 100 (x₁ − x₀²)²``: a bent, narrow valley, minimum 0 at (1, 1)."""
    return (1.0 - x[0]) ** 2 + 100.0 * (x[1] - x[0] ** 2) ** 2


def rosenbrock_gradient(x: np.ndarray) -> np.ndarray:
    """``(−2 (1 − x₀) − 400 x₀ (x₁ − x₀²), 200 (x₁ − x₀²))``."""
    valley = x[1] - x[0] ** 2
    return np.stack([-2.0 * (1.0 - x[0]) - 400.0 * x[0] * valley, 200.0 * valley])


#: Constants of the three terms of Beale's function.
BEALE = (1.5, 2.25, 2.625)


def beale(x: np.ndarray) -> Any:
    """``Σ_{k=1,2,3} (c_k − x₀ (1 − x₁ᵏ))²``, c = 1.5, 2.25, 2.625: flat with steep corners, minimum 0 at (3, ½)."""
    return sum((c - x[0] * (1.0 - x[1] ** k)) ** 2 for k, c in enumerate(BEALE, start=1))


def beale_gradient(x: np.ndarray) -> np.ndarray:
    """``Σ_k 2 r_k · (x₁ᵏ − 1, k x₀ x₁ᵏ⁻¹)`` with the k-th term's root ``r_k``."""
    roots = [(k, c - x[0] * (1.0 - x[1] ** k)) for k, c in enumerate(BEALE, start=1)]
    return np.stack(
        [
            np.asarray(sum(2.0 * r * (x[1] ** k - 1.0) for k, r in roots)),
            np.asarray(sum(2.0 * r * k * x[0] * x[1] ** (k - 1) for k, r in roots)),
        ]
    )


def _rates(sgd: float, momentum: float, nesterov: float, adagrad: float, rmsprop: float, adam: float) -> dict[str, float]:
    named = {"sgd": sgd, "momentum": momentum, "nesterov": nesterov}
    return {**named, "adagrad": adagrad, "rmsprop": rmsprop, "adam": adam}


#: The surfaces by name.
SURFACES: dict[str, Surface] = {
    surface.name: surface
    for surface in (
        Surface(
            "bowl", bowl, bowl_gradient, start=(-9.0, 2.0), bounds=((-10.0, 5.0), (-4.0, 4.0)), minimum=(0.0, 0.0), steps=60,
            learning_rates=_rates(0.07, 0.015, 0.015, 0.7, 0.3, 0.5),
            lesson="steep one way, shallow the other: SGD zig-zags, momentum gathers speed and overshoots, "
            "rules with a step per coordinate go almost straight",
        ),
        Surface(
            "saddle", saddle, saddle_gradient, start=(-1.5, 0.001), bounds=((-1.75, 1.75), (-1.5, 1.5)), minimum=(0.0, 1.0),
            steps=60, learning_rates=_rates(0.1, 0.05, 0.05, 0.1, 0.03, 0.05),
            lesson="next to a saddle point the gradient is small: SGD lingers, the others are away long before",
        ),
        Surface(
            "turned_saddle", turned_saddle, turned_saddle_gradient, start=(-1.06, -1.0585), bounds=((-1.5, 1.5), (-1.5, 1.5)),
            minimum=(-(0.5**0.5), 0.5**0.5), steps=70, learning_rates=_rates(0.1, 0.05, 0.05, 0.1, 0.06, 0.12),
            lesson="AdaGrad remembers how steep the way down was in both coordinates, and crawls at the saddle point",
        ),
        Surface(
            "plateau", plateau, plateau_gradient, start=(-2.6, 1.6), bounds=((-3.5, 2.0), (-2.0, 2.5)), minimum=(0.0, 0.0),
            steps=100, learning_rates=_rates(0.1, 0.1, 0.1, 0.2, 0.05, 0.1),
            lesson="a gradient near 0 far from the minimum: SGD hardly moves, steps divided by the gradient's size do",
        ),
        Surface(
            "wiggle", wiggle, wiggle_gradient, start=(-4.5, 3.6), bounds=((-5.0, 3.0), (-3.0, 5.0)), minimum=(0.0, 0.0),
            steps=100, learning_rates=_rates(0.3, 0.3, 0.3, 0.3, 0.05, 0.2),
            lesson="SGD stays in the first dent it meets; speed carries momentum through shallow ones",
        ),
        Surface(
            "rosenbrock", rosenbrock, rosenbrock_gradient, start=(-1.5, 1.5), bounds=((-2.0, 2.0), (-1.0, 3.0)),
            minimum=(1.0, 1.0), steps=300, learning_rates=_rates(1e-3, 3e-4, 3e-4, 0.5, 0.03, 0.2),
            lesson="a bent valley: down its walls at once, along its floor slowly",
        ),
        Surface(
            "beale", beale, beale_gradient, start=(1.0, 1.5), bounds=((0.0, 4.0), (-1.0, 2.0)), minimum=(3.0, 0.5), steps=200,
            learning_rates=_rates(0.01, 0.005, 0.005, 0.3, 0.02, 0.1),
            lesson="steep corners and a flat floor: one rate cannot suit both",
        ),
    )
}  # fmt: skip


def as_surface(surface: Surface | str) -> Surface:
    """Return ``surface`` itself, or the one so named.

    Raises
    ------
    TypeError, ValueError
        If it is neither a surface nor the name of one.
    """
    if isinstance(surface, Surface):
        return surface
    if not isinstance(surface, str):
        raise TypeError(f"surface must be a Surface or one of {', '.join(map(repr, SURFACES))}; got {surface!r}")
    return SURFACES[check_choice("surface", plain_name(surface), SURFACES)]
