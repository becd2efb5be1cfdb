"""Prediction: scores, classes, and the classes with the largest scores."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastsvm
from suites.common import COMPILED, check, check_parallel, data, standardization, stored

N_SAMPLES = 2500
K = 3

STORAGES = ["float32", "uint8"]


class Predict:
    """CIFAR-10's 3,072 features and 10 classes, fewer samples."""

    params = [STORAGES, COMPILED]
    param_names = ["storage", "backend"]

    def setup(self, storage: str, backend: str) -> None:
        check_parallel()
        found = data(N_SAMPLES)
        self.W, self.X, self.b = found.W, stored(N_SAMPLES, storage), found.b
        self.options: dict[str, Any] = {"standardization": standardization(N_SAMPLES, storage), "backend": backend}
        X = found.X if storage == "uint8" else self.X
        self.validate(X.astype(np.float64) @ self.W.T.astype(np.float64) + self.b)

    def validate(self, exact: np.ndarray) -> None:
        """Scores that differ by rounding may change places."""
        check("scores", fastsvm.decision_scores(self.W, self.X, self.b, **self.options), exact, 1e-5)
        classes, scores = fastsvm.top_k(self.W, self.X, K, self.b, **self.options)
        largest = -np.sort(-exact, axis=1)[:, :K]
        check("largest scores", scores, largest, 1e-5)
        check("scores of the classes found", np.take_along_axis(exact, classes, axis=1), largest, 1e-5)
        if not np.array_equal(fastsvm.predict(self.W, self.X, self.b, **self.options), classes[:, 0]):
            raise AssertionError("predict must return the first class of top_k")

    def time_scores(self, storage: str, backend: str) -> None:
        fastsvm.decision_scores(self.W, self.X, self.b, **self.options)

    def time_predict(self, storage: str, backend: str) -> None:
        fastsvm.predict(self.W, self.X, self.b, **self.options)

    def time_top_k(self, storage: str, backend: str) -> None:
        fastsvm.top_k(self.W, self.X, K, self.b, **self.options)
