"""What the update rules share: states, hyperparameters, and the fused step."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np

from fastsvm import _native, backends
from fastsvm.backends import COEFFICIENTS
from fastsvm.schedules import Schedule, rates
from fastsvm.validation import WEIGHT_DTYPES, check_array, check_real


class SGDState(NamedTuple):
    """State of `SGD`: ``step`` () int64, updates made so far."""

    step: np.ndarray


class VelocityState(NamedTuple):
    """State of `Momentum` and `Nesterov`: ``step`` () int64; ``velocity``, of the parameters' shape and dtype."""

    step: np.ndarray
    velocity: np.ndarray


class SquaresState(NamedTuple):
    """State of `AdaGrad` and `RMSProp`: ``step`` () int64; ``squares``, of the parameters' shape and dtype."""

    step: np.ndarray
    squares: np.ndarray


class MomentsState(NamedTuple):
    """State of `Adam` and `AdamW`: ``step`` () int64; the ``first`` and ``second`` moment, of the parameters' shape."""

    step: np.ndarray
    first: np.ndarray
    second: np.ndarray


#: Updates whose coefficients are computed together.
ROWS_AT_ONCE = 256

State = SGDState | VelocityState | SquaresState | MomentsState


def slots(state: State) -> tuple[np.ndarray, ...]:
    """The arrays of a state that have the parameters' shape."""
    return tuple(state[1:])


@dataclass(frozen=True)
class Optimizer:
    """What the rules share. ``learning_rate`` is a float > 0 or a callable ``step -> rate`` (step counted from 0)."""

    learning_rate: float | Schedule = 1e-2

    rule: ClassVar[str]
    state_type: ClassVar[Any]

    def __post_init__(self) -> None:
        if not callable(self.learning_rate):
            check_real("learning_rate", self.learning_rate, above=0.0)
        fractions = {name: getattr(self, name) for name in ("momentum", "decay", "beta1", "beta2") if hasattr(self, name)}
        for name, value in fractions.items():
            check_real(name, value, at_least=0.0, below=1.0)
        if hasattr(self, "eps"):
            check_real("eps", self.eps, above=0.0)
        if hasattr(self, "weight_decay"):
            check_real("weight_decay", self.weight_decay, at_least=0.0)

    def init(self, x: np.ndarray) -> Any:
        """Return the zero state for parameters like ``x`` (float32 or float64, any shape).

        Raises
        ------
        TypeError
            If ``x`` is not a float32 or float64 array.
        """
        x = check_array("x", x, dtypes=WEIGHT_DTYPES)
        count = len(self.state_type._fields) - 1
        return self.state_type(np.zeros((), dtype=np.int64), *(np.zeros_like(x) for _ in range(count)))

    def coefficients(self, first: int, count: int) -> np.ndarray:
        """Numbers the leaves need for updates ``first … first + count − 1`` (from 0), one row each.

        Returns
        -------
        ndarray (count, len(COEFFICIENTS)), float64, with columns :data:`fastsvm.backends.COEFFICIENTS`.
        """
        table = np.zeros((count, len(COEFFICIENTS)))
        column = {name: table[:, k] for k, name in enumerate(COEFFICIENTS)}
        column["learning_rate"][:] = rates(self.learning_rate, first, count)
        for name in ("momentum", "decay", "beta1"):
            column["decay1"][:] += getattr(self, name, 0.0)
        column["decay2"][:] = getattr(self, "beta2", 0.0)
        column["eps"][:] = getattr(self, "eps", 0.0)
        column["weight_decay"][:] = getattr(self, "weight_decay", 0.0)
        t = np.arange(first + 1, first + count + 1, dtype=np.float64)
        column["correction1"][:] = 1.0 - np.power(getattr(self, "beta1", 0.0), t)
        column["correction2"][:] = 1.0 - np.power(getattr(self, "beta2", 0.0), t)
        return table

    def step(
        self, x: np.ndarray, dx: np.ndarray, state: State, *, backend: str | None = None, n_threads: int | None = None
    ) -> None:
        """Make one update in one pass over memory; ``x`` and ``state`` change in place.

        Parameters
        ----------
        x : ndarray, float32 or float64, any shape, C-contiguous, writeable
            Parameters.
        dx : ndarray, of the shape and dtype of ``x``
            Their gradient; not changed, and not searched for NaN or infinity, which spread as in NumPy.
        state : the NamedTuple `init` returned for an array of this shape and dtype
        backend, n_threads
            As in :func:`fastsvm.loss_and_gradient`.

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit; nothing has been changed then.
        """
        made = _native.updates_made(x, dx, state) if type(state) is self.state_type else -1
        if made < 0:
            x = check_array("x", x, dtypes=WEIGHT_DTYPES, writeable=True)
            dx = check_array("dx", dx, dtypes=(x.dtype.name,), shape=x.shape)
            self.check_state(x, state)
            made = int(state.step)
        row = self._row(made)
        backends.get(backend, rule=self.rule).step(self.rule, row, x, dx, state[1:], backends.resolve_threads(n_threads))
        state.step[()] = made + 1

    def _row(self, update: int) -> np.ndarray:
        """The coefficients of one update; of a rate that does not change, so many at once that they cost little."""
        if callable(self.learning_rate):
            return self.coefficients(update, 1)[0]
        first, rows = self.__dict__.get("_rows", (0, ()))
        if not 0 <= update - first < len(rows):
            first, rows = update, list(self.coefficients(update, ROWS_AT_ONCE))
            object.__setattr__(self, "_rows", (first, rows))
        return rows[update - first]

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def check_state(self, x: np.ndarray, state: State, name: str = "state") -> None:
        """Raise unless ``state`` belongs to this rule and fits parameters like ``x``."""
        if type(state) is not self.state_type:
            raise TypeError(f"{name} must be the {self.state_type.__name__} that init returns; got {type(state).__name__}")
        check_array(f"{name}.step", state.step, dtypes=("int64",), shape=(), writeable=True)
        if state.step < 0:
            raise ValueError(f"{name}.step must be >= 0; got {state.step}")
        for field, array in zip(state._fields[1:], slots(state), strict=True):
            check_array(f"{name}.{field}", array, dtypes=(x.dtype.name,), shape=x.shape, writeable=True)
