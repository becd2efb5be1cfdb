"""How scores come from samples and weights: linearly, unless something else is asked for.

Losses, penalty, optimizers and trainer do not ask where scores come from. What they need to know of it, a score function
tells: how its weights begin, what shapes they must have, and the five functions of the contract in :mod:`fastsvm.backends` that
depend on it. The weights lie in two arrays, whatever the score function: ``W``, which the penalty and weight decay
shrink, and ``b``, the intercepts, which they do not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fastsvm.problem import Problem, Samples
from fastsvm.validation import check_weights


class Engine(Protocol):
    """The functions of the contract in :mod:`fastsvm.backends` that depend on the score function. Every backend is one."""

    def scores(self, W: np.ndarray, b: np.ndarray | None, samples: Samples, out: np.ndarray, n_threads: int) -> None:
        """Fill ``out`` (n_samples, n_classes)."""

    def top_k(
        self,
        W: np.ndarray,
        b: np.ndarray | None,
        samples: Samples,
        classes: np.ndarray,
        top_scores: np.ndarray | None,
        n_threads: int,
    ) -> None:
        """Fill ``classes`` and ``top_scores``."""

    def evaluate(self, W: np.ndarray, b: np.ndarray | None, problem: Problem, n_threads: int) -> tuple[float, int]:
        """Return the objective and the number of samples that are right."""

    def gradient(
        self, W: np.ndarray, b: np.ndarray | None, problem: Problem, dW: np.ndarray, db: np.ndarray | None, n_threads: int
    ) -> float:
        """Return the objective; fill ``dW`` and ``db``."""

    def epoch(
        self,
        W: np.ndarray,
        b: np.ndarray | None,
        slots_W: tuple[np.ndarray, ...],
        slots_b: tuple[np.ndarray, ...],
        problem: Problem,
        order: np.ndarray,
        batch_size: int,
        rule: str,
        coefficients: np.ndarray,
        losses: np.ndarray,
        n_threads: int,
    ) -> tuple[int, int]:
        """Make the updates of an epoch; return how many were made, and the number of samples that were right."""


class ScoreFunction(ABC):
    """What is asked of a score function. Its own attributes are hyperparameters: it never holds weights."""

    @abstractmethod
    def sized(self, n_features: int, n_classes: int) -> ScoreFunction:
        """Return the score function of so many features and classes. Raises ``ValueError`` if it is made for others."""

    @abstractmethod
    def known_classes(self, W: np.ndarray | None) -> int | None:
        """Return the number of classes, where the score function or weights that were given tell it."""

    @abstractmethod
    def init_weights(self, n_features: int, n_classes: int, dtype: np.dtype, rng: np.random.Generator) -> np.ndarray:
        """Return a ``W`` to begin with."""

    @abstractmethod
    def init_intercepts(self, n_classes: int, dtype: np.dtype) -> np.ndarray:
        """Return a ``b`` to begin with."""

    @abstractmethod
    def check(
        self, W: Any, b: Any, *, n_features: int | None = None, n_classes: int | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return ``W`` and ``b`` if their types and shapes fit, among themselves and what is given."""

    @abstractmethod
    def dimensions(self, W: np.ndarray) -> tuple[int, int]:
        """Return the numbers of features and classes."""

    @abstractmethod
    def parameters(self, W: np.ndarray, b: np.ndarray | None) -> dict[str, np.ndarray]:
        """Return the parts of ``W`` and ``b`` by name, as views."""

    @abstractmethod
    def assemble(self, parameters: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
        """Return ``W`` and ``b``, whose parts these are. Raises where they are not."""

    @abstractmethod
    def engine(self, backend: Any) -> Engine:
        """Return what computes with it. Losses and updates are those of ``backend``, a module of :mod:`fastsvm.backends`."""


@dataclass(frozen=True)
class Linear(ScoreFunction):
    """``X Wᵀ + b``: what the backends compute themselves, an epoch per call. Training begins at zeros."""

    def sized(self, n_features: int, n_classes: int) -> ScoreFunction:
        """Itself: the shape of ``W`` says it all."""
        return self

    def known_classes(self, W: np.ndarray | None) -> int | None:
        """The rows of ``W``."""
        return None if W is None else len(self.check(W, None)[0])

    def init_weights(self, n_features: int, n_classes: int, dtype: np.dtype, rng: np.random.Generator) -> np.ndarray:
        """Zeros; ``rng`` is not used."""
        return np.zeros((n_classes, n_features), dtype=dtype)

    def init_intercepts(self, n_classes: int, dtype: np.dtype) -> np.ndarray:
        """Zeros."""
        return np.zeros(n_classes, dtype=dtype)

    def check(
        self, W: Any, b: Any, *, n_features: int | None = None, n_classes: int | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """``W`` (n_classes, n_features) and ``b`` (n_classes,) or ``None``, of one dtype."""
        return check_weights(W, b, n_features=n_features, n_classes=n_classes)

    def dimensions(self, W: np.ndarray) -> tuple[int, int]:
        """The shape of ``W``."""
        return W.shape[1], W.shape[0]

    def parameters(self, W: np.ndarray, b: np.ndarray | None) -> dict[str, np.ndarray]:
        """``W`` and ``b`` themselves."""
        return {"W": W} if b is None else {"W": W, "b": b}

    def assemble(self, parameters: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
        """``W`` and ``b`` themselves."""
        return check_weights(parameters["W"], parameters.get("b"))

    def engine(self, backend: Any) -> Engine:
        """The backend."""
        return backend


LINEAR = Linear()


def as_score_function(score_function: Any) -> ScoreFunction:
    """Return ``score_function``, or the linear one for ``None``.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if score_function is None:
        return LINEAR
    if not isinstance(score_function, ScoreFunction):
        raise TypeError(f"score_function must be TwoLayer(…), another ScoreFunction or None; got {score_function!r}")
    return score_function
