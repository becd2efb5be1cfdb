"""The weights a training passes through."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastsvm.optimizers import Optimizer, as_optimizer
from fastsvm.score_functions import as_score_function
from fastsvm.sparse import CSR, Rows
from fastsvm.standardization import AUTO
from fastsvm.training import DEFAULT_BATCH_SIZE, DEFAULT_OPTIMIZER, EpochRecord, TrainResult, train
from fastsvm.training.arguments import (
    SAMPLINGS,
    bind_schedule,
    check_batch_size,
    check_seed,
    check_standardize,
    default_epochs,
    initial_weights,
)
from fastsvm.validation import check_choice, check_integer, check_labels, check_samples


@dataclass(frozen=True, eq=False)
class WeightPath:
    """Weights recorded during a training.

    Attributes
    ----------
    Ws : ndarray (points, n_classes, n_features), float32 or float64
        The initial weights first.
    bs : ndarray (points, n_classes), dtype of ``Ws``, or None
    updates : ndarray (points,), int64
        Updates made before each of them.
    result : TrainResult
        Of the training. Where every update was recorded, its epochs are updates.
    optimizer : Optimizer
        As given to the training.
    """

    Ws: np.ndarray
    bs: np.ndarray | None
    updates: np.ndarray
    result: TrainResult
    optimizer: Optimizer

    def __len__(self) -> int:
        return len(self.Ws)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.Ws.shape[1:]))
        return f"<WeightPath of {len(self)} points: {self.optimizer}, W {shape} {self.Ws.dtype}, {self.updates[-1]} updates>"


class _Recorder:
    """Keeps copies of weights."""

    def __init__(self, W: np.ndarray, b: np.ndarray | None) -> None:
        self.Ws, self.bs, self.updates = [W.copy()], [] if b is None else [b.copy()], [0]

    def __call__(self, record: EpochRecord, result: TrainResult) -> None:
        self.Ws.append(result.state.W.copy())
        if result.state.b is not None:
            self.bs.append(result.state.b.copy())
        self.updates.append(record.updates)

    def path(self, result: TrainResult, optimizer: Optimizer) -> WeightPath:
        bs = np.stack(self.bs) if self.bs else None
        return WeightPath(np.stack(self.Ws), bs, np.array(self.updates, dtype=np.int64), result, optimizer)


def record_path(X: np.ndarray | CSR, y: npt.ArrayLike, *, every: int | None = None, **training: Any) -> WeightPath:
    """Train, and keep the weights on the way.

    Parameters
    ----------
    X, y
        As in :func:`fastsvm.train`.
    every : int >= 1, optional
        Updates from one point to the next. Default: an epoch. Memory grows with the number of points.
    **training
        Further arguments of :func:`fastsvm.train`, but ``resume``. With ``every`` it is called once per update, with the
        samples of one batch; the batches are those of a training without ``every``, and the weights the same to rounding.
        Arguments that mean epochs or all samples do not go with it: ``sample_weight``, ``validation``, ``patience``,
        ``callbacks``, ``record``.

    Returns
    -------
    WeightPath

    Raises
    ------
    TypeError, ValueError, DivergenceError
        As :func:`fastsvm.train`.
    """
    X = check_samples("X", X)
    y = check_labels("y", y, n_samples=X.shape[0])
    _refuse(training, ("resume",), "to record the weights")
    optimizer = as_optimizer(DEFAULT_OPTIMIZER if training.get("optimizer") is None else training["optimizer"])
    seed = np.random.SeedSequence() if training.get("seed", 0) is None else training.get("seed", 0)
    rng = check_seed(copy.deepcopy(seed))
    _, W, b = initial_weights(
        as_score_function(training.get("score_function")), X, y, training.get("W"), training.get("b"),
        n_classes=training.get("n_classes"), fit_intercept=training.get("fit_intercept", True), dtype=training.get("dtype"),
        rng=rng,
    )  # fmt: skip
    recorder = _Recorder(W, b)
    settings = {**training, "optimizer": optimizer, "seed": seed}
    if every is None:
        before = tuple(training.get("callbacks", ()))
        result = train(X, y, **{**settings, "callbacks": (recorder, *before)})
    else:
        _refuse(training, ("sample_weight", "validation", "patience", "callbacks", "record"), "with every")
        settings.update(W=W, b=b, seed=rng)  # from here on the generator draws batches
        result = _update_by_update(X, y, check_integer("every", every, at_least=1), recorder, settings)
    return recorder.path(result, optimizer)


def _refuse(training: dict[str, Any], names: tuple[str, ...], why: str) -> None:
    for name in names:
        if name in training:
            raise TypeError(f"{name} must not be given {why}")


def _update_by_update(X: Rows, y: np.ndarray, every: int, recorder: _Recorder, settings: dict[str, Any]) -> TrainResult:
    """Train as :func:`fastsvm.train` does, on the same batches, one call per update."""
    n = X.shape[0]
    size = check_batch_size(settings.pop("batch_size", DEFAULT_BATCH_SIZE), n)
    epochs = settings.pop("epochs", None)
    epochs = default_epochs(n, size) if epochs is None else check_integer("epochs", epochs, at_least=1)
    sampling = check_choice("sampling", settings.pop("sampling", "shuffle"), SAMPLINGS)
    rng = settings.pop("seed")
    total = epochs * -(-n // size)
    settings["standardize"] = check_standardize(settings.get("standardize", AUTO), X)
    settings["optimizer"] = bind_schedule(settings["optimizer"], total)

    result: TrainResult | None = None
    for _ in range(epochs):
        order = np.arange(n)
        if size < n and sampling != "sequential":
            order = rng.permutation(n) if sampling == "shuffle" else rng.integers(0, n, size=n, dtype=np.int64)
        for start in range(0, n, size):
            rows = order[start : start + size]
            made = 0 if result is None else result.state.updates
            begin = settings if result is None else {**settings, "W": None, "b": None, "n_classes": None, "resume": result}
            result = train(X[rows], y[rows], batch_size="full", epochs=made + 1, **begin)
            if (made + 1) % every == 0 or made + 1 == total:
                recorder(result.history[-1], result)
            if result.stop_reason == "interrupted":
                return result
    assert result is not None
    return result
