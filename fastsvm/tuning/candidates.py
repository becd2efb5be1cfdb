"""Candidates of a search: pairs of a learning rate and an alpha, drawn at random or laid out on a grid."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from fastsvm.optimizers import Optimizer
from fastsvm.schedules import Constant
from fastsvm.validation import check_integer, check_real

METHODS = ("random", "grid")

#: Where the search looks if it is not told.
LEARNING_RATES = (1e-5, 1.0)
ALPHAS = (1e-5, 1.0)
N_TRIALS = 20

#: Significant digits of a value drawn from a range: what a table shows is then what was tried.
DIGITS = 4


class Candidate(NamedTuple):
    """What one trial tries."""

    learning_rate: float
    alpha: float


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, as many in each decade. Its text is ``"low:high"``."""

    low: float
    high: float

    def at(self, position: float) -> float:
        """The number at a position in [0, 1), to `DIGITS` digits, but never outside the range."""
        number = self.low * (self.high / self.low) ** position
        return min(max(float(f"{number:.{DIGITS}g}"), self.low), self.high)

    def __str__(self) -> str:
        return f"{self.low!r}:{self.high!r}"

    def end(self, number: float) -> str | None:
        """``"lowest"`` or ``"highest"`` for a number in the outer tenth, in the logarithm, at that end; else ``None``."""
        position = math.log(number / self.low) / (math.log(self.high / self.low) or 1.0)
        return "lowest" if position <= 0.1 else "highest" if position >= 0.9 else None


@dataclass(frozen=True)
class Values:
    """One of a few numbers. Its text is ``"first,second,..."``."""

    values: tuple[float, ...]

    def at(self, position: float) -> float:
        """The number at a position in [0, 1)."""
        return self.values[int(position * len(self.values))]

    def __str__(self) -> str:
        return ",".join(map(repr, self.values))

    def end(self, number: float) -> str | None:
        """``"lowest"`` or ``"highest"`` if the number is that of several; else ``None``, and for 0, below which is nothing."""
        ends = {} if len(self.values) == 1 else {min(self.values): "lowest", max(self.values): "highest"}
        return ends.get(number) if number else None


Space = Range | Values


def read_space(text: str) -> Space:
    """The space whose text this is."""
    if ":" in text:
        return Range(*map(float, text.split(":")))
    return Values(tuple(map(float, text.split(","))))


def evenly(low: float, high: float, count: int) -> Values:
    """So many numbers from ``low`` to ``high``, each the same factor above the one before, to `DIGITS` digits."""
    numbers = np.geomspace(low, high, count)
    return Values((float(low), *(float(f"{number:.{DIGITS}g}") for number in numbers[1:-1]), float(high)))


def check_space(name: str, given: Any, default: tuple[float, float], method: str, *, zero: bool) -> Space:
    """A tuple ``(low, high)`` as a range, any other sequence of numbers as values; ``zero`` is allowed among values only."""
    if given is None:
        low, high = default
        return Range(low, high) if method == "random" else evenly(low, high, 1 + round(math.log10(high / low)))
    wanted = f"{name} must be a range, the tuple (low, high), or a list of values"
    if isinstance(given, tuple):
        if len(given) != 2:
            raise ValueError(f"{wanted}; got a tuple of {len(given)}")
        low = check_real(f"{name}[0]", given[0], above=0.0)
        high = check_real(f"{name}[1]", given[1], above=low)
        if not math.isfinite(high / low):
            raise ValueError(f"{name} must span a finite ratio high / low; got {given!r}")
        if method == "grid":
            raise ValueError(
                f"{name} must be a list of values for method='grid'; got the range {given!r}. "
                f"numpy.geomspace({low:g}, {high:g}, 5) makes five"
            )
        return Range(low, high)
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"{wanted}; got {given!r}")
    numbers = list(given)
    if not numbers:
        raise ValueError(f"{wanted}, at least one; got none")
    bound: dict[str, float] = {"at_least": 0.0} if zero else {"above": 0.0}
    values = tuple(check_real(f"{name}[{k}]", number, **bound) for k, number in enumerate(numbers))
    if len(set(values)) < len(values):
        raise ValueError(f"{name} must hold different values; got {list(values)}")
    return Values(values)


def make_candidates(
    learning_rates: Space, alphas: Space, method: str, n_trials: int | None, seed: int
) -> tuple[Candidate, ...]:
    """All candidates of a search, in its order. More trials of a random search begin with those of fewer."""
    if method == "grid":
        if n_trials is not None:
            raise ValueError(f"n_trials must be None for method='grid', which tries every pair; got {n_trials!r}")
        assert isinstance(learning_rates, Values)
        assert isinstance(alphas, Values)
        return tuple(Candidate(*pair) for pair in product(learning_rates.values, alphas.values))
    rng = np.random.default_rng(seed)
    wanted = N_TRIALS if n_trials is None else check_integer("n_trials", n_trials, at_least=1)
    if isinstance(learning_rates, Values) and isinstance(alphas, Values):
        pairs = list(product(learning_rates.values, alphas.values))
        if n_trials is not None and wanted > len(pairs):
            raise ValueError(
                f"n_trials must be an integer <= {len(pairs)}, the pairs that {_listed(learning_rates, 'learning rate')} and "
                f"{_listed(alphas, 'alpha')} make; got {wanted} (a range to draw from is a tuple (low, high), not a list)"
            )
        return tuple(Candidate(*pairs[k]) for k in rng.permutation(len(pairs))[:wanted])
    # Row by row, so that a row does not depend on how many follow.
    positions = rng.random((wanted, 2)).tolist()
    return tuple(Candidate(learning_rates.at(one), alphas.at(other)) for one, other in positions)


def _listed(values: Values, what: str) -> str:
    count = len(values.values)
    return f"{count} {what}{'s' if count != 1 else ''}"


def with_learning_rate(optimizer: Optimizer, learning_rate: float) -> Optimizer:
    """The optimizer with another learning rate; a schedule of :mod:`fastsvm.schedules` keeps its course.

    Raises
    ------
    ValueError
        If there is no number to replace.
    """
    if "learning_rate" not in {field.name for field in fields(optimizer)}:
        raise ValueError(f"optimizer must have a learning rate to search for; got {optimizer!r}")
    rate = optimizer.learning_rate
    if isinstance(rate, Constant):
        return replace(optimizer, learning_rate=replace(rate, learning_rate=learning_rate))
    if callable(rate):
        raise ValueError(
            "optimizer must have a number or one of fastsvm.schedules for its learning rate, so that it can be replaced; "
            f"got {rate!r}"
        )
    return replace(optimizer, learning_rate=learning_rate)
