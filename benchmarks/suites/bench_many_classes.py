"""A full pass where the matrix products take most of the time."""

from __future__ import annotations

from functools import cache

import numpy as np

import fastsvm
from fastsvm.losses import LOSSES
from suites.common import ALPHA, COMPILED, check, check_parallel

N_SAMPLES, N_FEATURES = 1000, 768
CLASSES = [64, 1000]

#: A margin whose sign differs between float32 and float64 moves dW by one sample's share.
TOLERANCE = 1e-3


@cache
def problem(n_classes: int) -> tuple[np.ndarray, ...]:
    """Normal samples (float32) around a centre per class, weights near the centres: W, X, y and b."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, N_SAMPLES)
    centres = rng.standard_normal((n_classes, N_FEATURES))
    X = 0.2 * centres[y] + rng.standard_normal((N_SAMPLES, N_FEATURES))
    W = 0.01 * centres + 0.03 * rng.standard_normal((n_classes, N_FEATURES))
    return W.astype(np.float32), X.astype(np.float32), y, 0.01 * rng.standard_normal(n_classes).astype(np.float32)


@cache
def reference(loss: str, n_classes: int) -> tuple[float, np.ndarray, np.ndarray | None]:
    W, X, y, b = problem(n_classes)
    wide = W.astype(np.float64), X.astype(np.float64), y, b.astype(np.float64)
    return fastsvm.loss_and_gradient(*wide, LOSSES[loss](), ALPHA, backend="reference")


class ManyClasses:
    """Embeddings of 768 numbers, float32."""

    params = [list(LOSSES), CLASSES, COMPILED]
    param_names = ["loss", "classes", "backend"]

    def setup(self, loss: str, classes: int, backend: str) -> None:
        check_parallel()
        self.arguments = (*problem(classes), LOSSES[loss](), ALPHA)
        found = fastsvm.loss_and_gradient(*self.arguments, backend=backend)
        for what, value, expected in zip(("loss", "dW", "db"), found, reference(loss, classes), strict=True):
            check(what, value, expected, TOLERANCE)

    def time_loss_and_gradient(self, loss: str, classes: int, backend: str) -> None:
        fastsvm.loss_and_gradient(*self.arguments, backend=backend)
