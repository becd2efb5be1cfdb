"""What the estimators hand to a solver, and what they get back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fastsvm.estimator.progress import Callback
from fastsvm.losses import Loss
from fastsvm.optimizers import Optimizer
from fastsvm.standardization import Standardization


class Start(NamedTuple):
    """Where a fit begins: weights for the standardised samples, and what the solver left behind the last time, if anything."""

    W: np.ndarray
    b: np.ndarray | None
    state: Any = None


@dataclass(frozen=True, eq=False)
class Task:
    """A fit. ``y`` are class indices, ``sample_weight`` contains the class weights; ``optimizer`` to ``certify`` are for "sgd".

    A gap of ``tol`` (see `TOLERANCE`) is called converged; ``aim``, at most that, is where the exact solvers stop.
    """

    X: Any
    y: np.ndarray
    n_classes: int
    sample_weight: np.ndarray | None
    loss: Loss
    alpha: float
    fit_intercept: bool
    intercept_scaling: float
    standardization: Standardization | None
    dtype: np.dtype
    tol: float
    aim: float
    max_iter: int
    seed: int
    n_threads: int | None
    callbacks: tuple[Callback, ...] = ()
    start: Start | None = None
    optimizer: Optimizer | None = None
    batch_size: int | str = 256
    validation: tuple[Any, ...] | None = None
    patience: int | None = None
    backend: str | None = None
    certify: bool = True


class Solution(NamedTuple):
    """What a solver returns: weights for the standardised samples, and how good they are.

    ``gap`` and ``relative_gap`` are NaN where nothing certifies them. ``state`` is what a warm start of the same solver takes.
    """

    W: np.ndarray
    b: np.ndarray | None
    objective: float
    gap: float
    relative_gap: float
    converged: bool
    stop_reason: str
    n_iter: int
    history: Any
    state: Any
