"""What a search leaves behind: every attempt, the best weights, and the state from which it can go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fastsvm import prediction
from fastsvm.losses import Loss
from fastsvm.model import Model
from fastsvm.objective import evaluate
from fastsvm.sparse import CSR
from fastsvm.standardization import Standardization


class Attempt(NamedTuple):
    """One attempt, as callbacks are given it.

    Attributes
    ----------
    attempt : int
        From 1.
    loss : float
        Objective of the weights that were tried.
    best_loss : float
        Of the best weights so far, these included.
    accepted : bool
        Whether these are the best so far.
    """

    attempt: int
    loss: float
    best_loss: float
    accepted: bool


class SearchState(NamedTuple):
    """The last point from which the search can go on: where a group of attempts began, or where the search ended.

    Attributes
    ----------
    attempts : int
        Made until then.
    W, b : ndarray
        The best until then (``b`` is ``None`` without an intercept; zeros before the first attempt of a random search).
    best_loss : float
        As it was known then.
    rng : dict
        ``bit_generator.state`` of the generator then.
    """

    attempts: int
    W: np.ndarray
    b: np.ndarray | None
    best_loss: float
    rng: dict[str, Any]


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What :func:`fastsvm.search.random_search` and :func:`fastsvm.search.random_local_search` return.

    Attributes
    ----------
    W : ndarray (n_classes, n_features), float32 or float64
    b : ndarray (n_classes,), dtype of ``W``, or None
        The best weights and intercept.
    loss : float
        Their objective, as :func:`fastsvm.loss_value` has it.
    losses : ndarray (n_attempts,), float64
        Objective of every attempt, to the rounding of scores that are computed for many attempts at once.
    accepted : ndarray (n_attempts,), bool
        Which attempts were better than all before.
    initial_loss : float
        Objective of the weights a local search started from; infinite for a random search.
    method : {"random", "local"}
    scale : float or None
        Standard deviation of the weights drawn; ``None`` where a local search was given its start.
    step : float or None
        Standard deviation of a local search's steps; ``None`` for a random search.
    loss_function, alpha, penalize_intercept
        ``loss``, ``alpha`` and ``penalize_intercept`` as given to the search.
    standardization : Standardization or None
        What the samples pass through before ``W``.
    stop_reason : {"attempts", "callback", "interrupted"}
        Why the search ended: all attempts were made, a callback returned ``True``, Ctrl-C.
    seconds : float
        Wall time, that of the search resumed included.
    state : SearchState
        What ``resume`` needs beside the attempts.
    backend : str
    n_threads : int
        What the search used, and what the methods use.
    """

    W: np.ndarray
    b: np.ndarray | None
    loss: float
    losses: np.ndarray
    accepted: np.ndarray
    initial_loss: float
    method: str
    scale: float | None
    step: float | None
    loss_function: Loss
    alpha: float
    penalize_intercept: bool
    standardization: Standardization | None
    stop_reason: str
    seconds: float
    state: SearchState
    backend: str
    n_threads: int

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.W.shape))
        return (
            f"<SearchResult: {self.method}, W {shape} {self.W.dtype}, {self.loss_function}, {self.n_attempts} attempts, "
            f"{np.count_nonzero(self.accepted)} accepted, loss={self.loss:.6g}, stop_reason={self.stop_reason!r}>"
        )

    @property
    def n_attempts(self) -> int:
        """Number of attempts made."""
        return len(self.losses)

    @property
    def best_losses(self) -> np.ndarray:
        """The best objective after each attempt, (n_attempts,) float64; it never rises."""
        last = np.maximum.accumulate(np.where(self.accepted, np.arange(1, self.n_attempts + 1), 0))
        return np.concatenate([[self.initial_loss], self.losses])[last]

    def scores(self, X: np.ndarray | CSR) -> np.ndarray:
        """Scores of samples as they were given to the search (not standardised): (n_samples, n_classes), dtype of ``W``."""
        return prediction.decision_scores(self.W, X, self.b, **self._how())

    def predict(self, X: np.ndarray | CSR) -> np.ndarray:
        """Class indices of samples, (n_samples,) int64: the largest score, the first of them in a tie."""
        return prediction.predict(self.W, X, self.b, **self._how())

    def evaluate(self, X: np.ndarray | CSR, y: np.ndarray, sample_weight: np.ndarray | None = None) -> tuple[float, float]:
        """Objective (penalty included) and accuracy on samples as they were given to the search."""
        return evaluate(
            self.W, X, y, self.b, self.loss_function, self.alpha, sample_weight,
            penalize_intercept=self.penalize_intercept, **self._how(),
        )  # fmt: skip

    def _how(self) -> dict[str, Any]:
        return {"standardization": self.standardization, "backend": self.backend, "n_threads": self.n_threads}

    def to_model(self, class_names: Sequence[str] | None = None, metadata: Mapping[str, str] | None = None) -> Model:
        """The weights, copied, with all that is needed to use them again: a `Model`, which can be saved.

        Parameters and errors as in :meth:`fastsvm.TrainResult.to_model`.
        """
        return Model(
            W=self.W.copy(), b=None if self.b is None else self.b.copy(), standardization=self.standardization,
            class_names=class_names, loss=self.loss_function, alpha=self.alpha,
            penalize_intercept=self.penalize_intercept, metadata={} if metadata is None else metadata,
        )  # fmt: skip
