"""Learning rate as a function of the update count.

A schedule is any callable ``step -> learning rate``, where ``step`` counts updates from 0. Those here are frozen
dataclasses; each takes ``warmup``, a number of updates over which the rate rises linearly from
``learning_rate / warmup`` to the rate the schedule gives, and each may be called with an integer or an array.

Sources: CS231n, "Neural networks 3: annealing the learning rate" (step, exponential, 1/t);
I. Loshchilov and F. Hutter, "SGDR", ICLR 2017 (cosine); A. Vaswani et al., "Attention is all you need", 2017 (inverse
square root); P. Goyal et al., "Accurate, large minibatch SGD", 2017 (warm-up).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastsvm.validation import check_integer, check_real

Schedule = Callable[[int], float]


@dataclass(frozen=True)
class Constant:
    """``learning_rate``, whatever the step.

    Parameters
    ----------
    learning_rate : float > 0
    warmup : int >= 0, default 0
        Updates of linear warm-up.
    """

    learning_rate: float
    warmup: int = 0

    def __post_init__(self) -> None:
        check_real("learning_rate", self.learning_rate, above=0.0)
        check_integer("warmup", self.warmup, at_least=0)

    def __call__(self, step: Any) -> Any:
        """Rate at ``step`` (int, or integer array: the result has its shape, float64)."""
        t = np.asarray(step, dtype=np.float64)
        rate = self.learning_rate * self._factor(t)
        if self.warmup:
            rate = rate * np.minimum(1.0, (t + 1.0) / self.warmup)
        return float(rate) if np.ndim(step) == 0 else rate

    def _factor(self, t: np.ndarray) -> np.ndarray:
        return np.ones_like(t)


@dataclass(frozen=True)
class StepDecay(Constant):
    """``learning_rate · factor^⌊step / every⌋``.

    Parameters
    ----------
    learning_rate : float > 0
    warmup : int >= 0, default 0
    every : int >= 1, default 1000
        Updates between two decays.
    factor : float in (0, 1], default 0.5
    """

    every: int = 1000
    factor: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("every", self.every, at_least=1)
        check_real("factor", self.factor, above=0.0, at_most=1.0)

    def _factor(self, t: np.ndarray) -> np.ndarray:
        return np.power(self.factor, np.floor(t / self.every))


@dataclass(frozen=True)
class Exponential(Constant):
    """``learning_rate · exp(−rate · step)``, with ``rate >= 0``."""

    rate: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("rate", self.rate, at_least=0.0)

    def _factor(self, t: np.ndarray) -> np.ndarray:
        return np.exp(-self.rate * t)


@dataclass(frozen=True)
class InverseTime(Constant):
    """``learning_rate / (1 + rate · step)``, the 1/t decay, with ``rate >= 0``."""

    rate: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("rate", self.rate, at_least=0.0)

    def _factor(self, t: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + self.rate * t)


@dataclass(frozen=True)
class InverseSquareRoot(Constant):
    """``learning_rate / sqrt(1 + rate · step)``, with ``rate >= 0``."""

    rate: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("rate", self.rate, at_least=0.0)

    def _factor(self, t: np.ndarray) -> np.ndarray:
        return 1.0 / np.sqrt(1.0 + self.rate * t)


@dataclass(frozen=True)
class Linear(Constant):
    """From ``learning_rate`` at step 0 straight down to ``end · learning_rate`` at ``total``, and flat after it.

    Parameters
    ----------
    learning_rate : float > 0
    warmup : int >= 0, default 0
    total : int >= 1 or None, default None
        Updates in all; ``None`` lets :func:`fastsvm.train` put the number it will make.
    end : float in [0, 1], default 0.0
        Final rate as a fraction of ``learning_rate``.
    """

    total: int | None = None
    end: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.total is not None:
            check_integer("total", self.total, at_least=1)
        check_real("end", self.end, at_least=0.0, at_most=1.0)

    def _progress(self, t: np.ndarray) -> np.ndarray:
        if self.total is None:
            raise ValueError(f"total must be given to call {type(self).__name__} outside fastsvm.train; got None")
        return np.minimum(1.0, t / self.total)

    def _factor(self, t: np.ndarray) -> np.ndarray:
        return 1.0 - (1.0 - self.end) * self._progress(t)


@dataclass(frozen=True)
class Cosine(Linear):
    """Half a cosine from ``learning_rate`` at step 0 to ``end · learning_rate`` at ``total``; parameters as `Linear`."""

    def _factor(self, t: np.ndarray) -> np.ndarray:
        return self.end + (1.0 - self.end) * 0.5 * (1.0 + np.cos(np.pi * self._progress(t)))


#: Names by which the command line knows the schedules.
SCHEDULES: dict[str, type[Constant]] = {
    "constant": Constant,
    "step": StepDecay,
    "exponential": Exponential,
    "inverse_time": InverseTime,
    "inverse_sqrt": InverseSquareRoot,
    "linear": Linear,
    "cosine": Cosine,
}


def bind(schedule: float | Schedule, total: int) -> float | Schedule:
    """Give a schedule that was built without its ``total`` the number of updates there will be."""
    if isinstance(schedule, Linear) and schedule.total is None:
        return replace(schedule, total=max(1, total))
    return schedule


def rates(schedule: float | Schedule, first: int, count: int) -> np.ndarray:
    """Learning rates of updates ``first … first + count − 1``, float64 (count,).

    Raises
    ------
    ValueError
        If the schedule returns anything but a finite number >= 0.
    """
    if not callable(schedule):
        return np.full(count, float(schedule))
    if isinstance(schedule, Constant):
        values = np.asarray(schedule(np.arange(first, first + count)), dtype=np.float64)
    else:
        values = np.empty(count)
        for k in range(count):
            values[k] = check_real(f"learning_rate({first + k})", schedule(first + k), at_least=0.0)
    if count and not (np.isfinite(values).all() and values.min() >= 0.0):
        k = int(np.flatnonzero(~(np.isfinite(values) & (values >= 0.0)))[0])
        raise ValueError(f"learning_rate must be finite and >= 0; {schedule!r} gives {values[k]} at step {first + k}")
    return values
