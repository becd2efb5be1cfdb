"""First-order update rules: frozen hyperparameters, a visible state, and one fused in-place step.

Symbols: ``x`` the parameters, ``g`` their gradient, ``η`` the learning rate, ``t`` the update count from 1. The formulas
are those of the CS231n lectures ("Training Neural Networks II"), each repeated in its class. Each backend
holds one leaf per rule, of the same name.

    opt = Adam(learning_rate=1e-3)
    state = opt.init(W)          # NamedTuple of arrays; copy.deepcopy copies it, numpy.savez(**state._asdict()) saves it
    opt.step(W, dW, state)       # W and state change in place
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np

from fastsvm import _native, backends
from fastsvm.backends import COEFFICIENTS
from fastsvm.schedules import Schedule, rates
from fastsvm.validation import WEIGHT_DTYPES, check_array, check_real, plain_name


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


@dataclass(frozen=True)
class SGD(Optimizer):
    """``x ← x − η g``.

    Parameters
    ----------
    learning_rate : float > 0 or callable, default 1e-2
    """

    learning_rate: float | Schedule = 1e-2
    rule: ClassVar[str] = "sgd"
    state_type: ClassVar[Any] = SGDState


@dataclass(frozen=True)
class Momentum(Optimizer):
    """``v ← ρ v + g;  x ← x − η v``.

    Parameters
    ----------
    learning_rate : float > 0 or callable, default 1e-2
    momentum : float in [0, 1), default 0.9
        The friction ρ.
    """

    learning_rate: float | Schedule = 1e-2
    momentum: float = 0.9
    rule: ClassVar[str] = "momentum"
    state_type: ClassVar[Any] = VelocityState


@dataclass(frozen=True)
class Nesterov(Optimizer):
    """``u ← v;  v ← ρ v − η g;  x ← x − ρ u + (1 + ρ) v``: Nesterov's momentum after the change of variables.

    ``x`` is the point looked ahead to, so the gradient is taken at ``x`` itself. Unlike in `Momentum` the velocity
    contains η.

    Parameters
    ----------
    learning_rate : float > 0 or callable, default 1e-2
    momentum : float in [0, 1), default 0.9
        The friction ρ.

    References
    ----------
    Y. Nesterov, 1983; change of variables as in Y. Bengio et al., "Advances in optimizing recurrent networks", 2012.
    """

    learning_rate: float | Schedule = 1e-2
    momentum: float = 0.9
    rule: ClassVar[str] = "nesterov"
    state_type: ClassVar[Any] = VelocityState


@dataclass(frozen=True)
class AdaGrad(Optimizer):
    """``c ← c + g²;  x ← x − η g / (√c + eps)``.

    Parameters
    ----------
    learning_rate : float > 0 or callable, default 1e-2
    eps : float > 0, default 1e-7
        Outside the root.

    References
    ----------
    J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods", JMLR 2011.
    """

    learning_rate: float | Schedule = 1e-2
    eps: float = 1e-7
    rule: ClassVar[str] = "adagrad"
    state_type: ClassVar[Any] = SquaresState


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """``c ← δ c + (1 − δ) g²;  x ← x − η g / (√c + eps)``.

    Parameters
    ----------
    learning_rate : float > 0 or callable, default 1e-3
    decay : float in [0, 1), default 0.9
        The decay rate δ.
    eps : float > 0, default 1e-7
        Outside the root.

    References
    ----------
    T. Tieleman and G. Hinton, Coursera "Neural networks for machine learning", lecture 6.5, 2012.
    """

    learning_rate: float | Schedule = 1e-3
    decay: float = 0.9
    eps: float = 1e-7
    rule: ClassVar[str] = "rmsprop"
    state_type: ClassVar[Any] = SquaresState


@dataclass(frozen=True)
class Adam(Optimizer):
    """``m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;  x ← x − η m̂ / (√v̂ + eps)``.

    Bias correction: ``m̂ = m / (1 − β₁ᵗ)``, ``v̂ = v / (1 − β₂ᵗ)``. It is computed as ``x ← x − a m / (√v + e)`` with
    ``a = η √(1 − β₂ᵗ) / (1 − β₁ᵗ)`` and ``e = eps √(1 − β₂ᵗ)``, which is the same and has one division.

    Parameters
    ----------
    learning_rate : float > 0 or callable, default 1e-3
    beta1, beta2 : float in [0, 1), defaults 0.9 and 0.999
    eps : float > 0, default 1e-8
        Outside the root.

    References
    ----------
    D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1 and the end of section 2.
    """

    learning_rate: float | Schedule = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    rule: ClassVar[str] = "adam"
    state_type: ClassVar[Any] = MomentsState


@dataclass(frozen=True)
class AdamW(Adam):
    """`Adam` with decoupled weight decay: ``x ← x − η (m̂ / (√v̂ + eps) + λ x)``.

    Parameters
    ----------
    learning_rate, beta1, beta2, eps
        As in `Adam`.
    weight_decay : float >= 0, default 1e-2
        λ; :func:`fastsvm.train` does not apply it to the intercept.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
    """

    weight_decay: float = 1e-2
    rule: ClassVar[str] = "adamw"


@dataclass(frozen=True)
class SteepestDescent(Optimizer):
    """``x ← x − η g`` with the η that makes the objective smallest: gradient descent with exact line search.

    There is nothing to choose: :func:`fastsvm.train` finds η in every epoch and records it as its learning rate. It takes
    ``batch_size="full"`` and linear scores. Where no η lowers the objective, training stops. At a kink of a hinge loss
    that may be before the minimum: the gradient of one side need not point downhill. Weights of 0 are often
    such a place for `CrammerSinger`; begin at others.

    References
    ----------
    A. Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées", 1847.
    """

    learning_rate: ClassVar[Any] = None  # type: ignore[misc]  # no field
    rule: ClassVar[str] = "steepest_descent"
    state_type: ClassVar[Any] = SGDState

    def __post_init__(self) -> None:
        pass

    def coefficients(self, first: int, count: int) -> np.ndarray:
        """As of every optimizer; the learning rates, not known before the update, are NaN."""
        table = np.zeros((count, len(COEFFICIENTS)))
        table[:, COEFFICIENTS.index("learning_rate")] = np.nan
        return table

    def step(
        self, x: np.ndarray, dx: np.ndarray, state: State, *, backend: str | None = None, n_threads: int | None = None
    ) -> None:
        """Raises ``TypeError``: a gradient alone does not tell how far to go."""
        raise TypeError(
            'SteepestDescent has no step outside fastsvm.train(..., batch_size="full"), which knows the objective; '
            "fastsvm.landscape.minimize_along finds the minimum along a direction"
        )


#: Names by which the command line and :func:`fastsvm.train` know the optimizers.
OPTIMIZERS: dict[str, type[Optimizer]] = {cls.rule: cls for cls in (SGD, Momentum, Nesterov, AdaGrad, RMSProp, Adam, AdamW)}

#: Those that need all samples for an update and have no rule in the backends.
FULL_BATCH: dict[str, type[Optimizer]] = {SteepestDescent.rule: SteepestDescent}


def as_optimizer(optimizer: Optimizer | str) -> Optimizer:
    """Return ``optimizer`` itself, or the default object of the rule so named.

    Raises
    ------
    TypeError, ValueError
        If it is neither an optimizer nor the name of one.
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    known = OPTIMIZERS | FULL_BATCH
    if isinstance(optimizer, str) and plain_name(optimizer) in known:
        return known[plain_name(optimizer)]()
    kind = ValueError if isinstance(optimizer, str) else TypeError
    raise kind(f"optimizer must be an Optimizer or one of {', '.join(map(repr, known))}; got {optimizer!r}")
