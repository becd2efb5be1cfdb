"""Training: the time of an epoch, and the objective that a few of them reach."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import fastsvm
from suites.common import ALPHA, COMPILED, OPTIMIZERS, check, check_parallel, data

N_SAMPLES = 2048

#: Samples on which an epoch is compared with the reference, which is slow.
N_CHECKED = 300

BATCH_SIZES = [1, 256, "full"]


def fit(optimizer: str, batch_size: int | str, n_samples: int, dtype: str, **options: Any) -> fastsvm.TrainResult:
    found = data(N_SAMPLES)
    return fastsvm.train(
        found.X[:n_samples].astype(dtype, copy=False), found.y[:n_samples], optimizer=OPTIMIZERS[optimizer],
        alpha=ALPHA, batch_size=batch_size, standardize=None, **options,
    )  # fmt: skip


@cache
def reference(optimizer: str, batch_size: int | str) -> fastsvm.TrainResult:
    return fit(optimizer, batch_size, N_CHECKED, "float64", epochs=1, backend="reference")


class Epoch:
    """One epoch of `fastsvm.train`, float32, 3,072 features and 10 classes."""

    params = [list(OPTIMIZERS), BATCH_SIZES, COMPILED]
    param_names = ["optimizer", "batch_size", "backend"]

    def setup(self, optimizer: str, batch_size: int | str, backend: str) -> None:
        check_parallel()
        expected = reference(optimizer, batch_size)
        result = fit(optimizer, batch_size, N_CHECKED, "float32", epochs=1, backend=backend)
        check("loss", result.history["loss"], expected.history["loss"], 1e-4)
        # Where a gradient is nearly 0, rounding decides which way Adam's first steps go.
        check("W", result.W, expected.W, 1e-2)

    def time_epoch(self, optimizer: str, batch_size: int | str, backend: str) -> None:
        fit(optimizer, batch_size, N_SAMPLES, "float32", epochs=1, backend=backend)


class Objective:
    """The objective after five epochs. Its bits depend on the machine; its first digits should not, nor on a release."""

    params = [list(OPTIMIZERS), BATCH_SIZES]
    param_names = ["optimizer", "batch_size"]
    unit = "objective"

    def setup(self, optimizer: str, batch_size: int | str) -> None:
        self.result = fit(optimizer, batch_size, N_SAMPLES, "float32", epochs=5, backend="native")
        found = data(N_SAMPLES)
        W, X, b = (np.asarray(a, dtype=np.float64) for a in (self.result.W, found.X, self.result.b))
        self.reached = fastsvm.loss_value(W, X, found.y, b, alpha=ALPHA, backend="reference")
        value, _ = self.result.evaluate(found.X, found.y)
        check("objective", value, self.reached, 1e-5)
        if not self.reached < self.result.history["loss"][0]:
            raise AssertionError(f"training must lower the objective; it went to {self.reached}")

    def track_objective(self, optimizer: str, batch_size: int | str) -> float:
        return self.reached
