"""Trainings that differ in one thing only: the same start, the same samples in the same order; divergence is a result."""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from fastsvm.exceptions import DivergenceError
from fastsvm.losses import WestonWatkins
from fastsvm.objective import evaluate
from fastsvm.optimizers import Optimizer, as_optimizer
from fastsvm.score_functions import as_score_function
from fastsvm.standardization import AUTO
from fastsvm.training import DEFAULT_ALPHA, History, TrainResult, train
from fastsvm.training.arguments import check_seed, check_standardize, initial_weights
from fastsvm.validation import check_integer, check_labels, check_samples

#: What :func:`fastsvm.train` uses where nothing is said, and what a comparison has to know.
DEFAULTS: dict[str, Any] = {
    "loss": WestonWatkins(), "alpha": DEFAULT_ALPHA, "sample_weight": None, "penalize_intercept": False, "backend": None,
    "n_threads": None,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Outcome:
    """How a training went: its history up to divergence, if it diverged, and its result, ``None`` if it did in epoch 1."""

    history: History
    result: TrainResult | None
    diverged: bool


class Runs:
    """What the trainings of a study share. ``training`` are keyword arguments of :func:`fastsvm.train`.

    The statistics of the standardisation are computed once, and every training gets the same seed, were it a generator. ``W``
    and ``b`` are what they begin with.
    """

    def __init__(self, X: Any, y: Any, epochs: Any, training: dict[str, Any], *, own: tuple[str, ...] = ()) -> None:
        for name in ("resume", *own):
            if name in training:
                raise TypeError(f"{name} must not be given: a comparison sets it itself")
        self.epochs = check_integer("epochs", epochs, at_least=1)
        self.X = check_samples("X", X)
        self.y = check_labels("y", y, n_samples=self.X.shape[0])
        take = training.get
        self.seed = np.random.SeedSequence() if take("seed", 0) is None else take("seed", 0)
        self.score_function, self.W, self.b = initial_weights(
            as_score_function(take("score_function")), self.X, self.y, take("W"), take("b"), n_classes=take("n_classes"),
            fit_intercept=take("fit_intercept", True), dtype=take("dtype"), rng=check_seed(copy.deepcopy(self.seed)),
        )  # fmt: skip
        self.standardization = check_standardize(take("standardize", AUTO), self.X)
        self.training = {**training, "standardize": self.standardization, "epochs": self.epochs}
        self.options = {name: training.get(name, value) for name, value in DEFAULTS.items()}

    def evaluate(self, W: np.ndarray, b: np.ndarray | None) -> tuple[float, float]:
        """Objective and accuracy on all samples."""
        return evaluate(
            W, self.X, self.y, b, standardization=self.standardization, score_function=self.score_function, **self.options
        )

    def reached(self, W: np.ndarray, b: np.ndarray | None) -> tuple[float, float]:
        """The same of weights a training came to; NaN where they are so large that the objective overflows."""
        try:
            return self.evaluate(W, b)
        except OverflowError:
            return float("nan"), float("nan")

    def train(self, optimizer: Optimizer, **changes: Any) -> Outcome:
        """One of the trainings."""
        settings = {**self.training, "optimizer": optimizer, "seed": copy.deepcopy(self.seed), **changes}
        try:
            result = train(self.X, self.y, **settings)
        except DivergenceError as error:
            return Outcome(error.result.history if error.result is not None else History(), error.result, True)
        return Outcome(result.history, result, False)

    def column(self, outcome: Outcome, name: str) -> np.ndarray:
        """A column of the history, (epochs,), NaN for the epochs that were not made."""
        values = np.full(self.epochs, np.nan)
        values[: len(outcome.history)] = outcome.history[name]
        return values


def rated(optimizer: Optimizer | str) -> Optimizer:
    """The optimizer, which must have a learning rate."""
    rule = as_optimizer(optimizer)
    if "learning_rate" not in {field.name for field in fields(rule)}:
        raise ValueError(f"optimizer must have a learning rate, which this study changes; got {rule!r}")
    return rule


def plain_rate(optimizer: Optimizer | str) -> Optimizer:
    """The optimizer, whose learning rate must be a number and not a schedule."""
    rule = rated(optimizer)
    if callable(rule.learning_rate):
        raise ValueError(f"optimizer must have a number for its learning rate, not a schedule; got {rule!r}")
    return rule


def last_finite(curve: np.ndarray) -> float:
    """The last value of a curve before its NaNs; NaN if it has no other."""
    finite = curve[np.isfinite(curve)]
    return float(finite[-1]) if len(finite) else float("nan")
