"""The update rules, each with its formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fastsvm.backends import COEFFICIENTS
from fastsvm.optimizers.base import MomentsState, Optimizer, SGDState, SquaresState, State, VelocityState
from fastsvm.schedules import Schedule


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
