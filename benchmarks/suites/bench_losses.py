"""The objective of many candidates for the weights, as a random search asks for it."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastsvm
from suites.common import ALPHA, BACKENDS, check, check_parallel, data, standardization, stored

N_SAMPLES, N_CANDIDATES = 1000, 50

STORAGES = ["float32", "uint8"]


class Losses:
    """3,072 features and 10 classes."""

    params = [STORAGES, BACKENDS]
    param_names = ["storage", "backend"]

    def setup(self, storage: str, backend: str) -> None:
        check_parallel()
        found = data(N_SAMPLES)
        rng = np.random.default_rng(1)
        shape = (N_CANDIDATES, *found.W.shape)
        self.Ws = np.float32(0.03) * rng.standard_normal(shape, dtype=np.float32)
        self.bs = np.float32(0.01) * rng.standard_normal(shape[:2], dtype=np.float32)
        self.X, self.y = stored(N_SAMPLES, storage), found.y
        self.options: dict[str, Any] = {
            "alpha": ALPHA,
            "standardization": standardization(N_SAMPLES, storage),
            "backend": backend,
        }
        check("losses", fastsvm.loss_values(self.X, self.y, self.Ws, self.bs, **self.options), self.exact(), 1e-5)

    def exact(self) -> np.ndarray:
        """The formula, in float64."""
        X, Ws = data(N_SAMPLES).X.astype(np.float64), self.Ws.astype(np.float64)
        scores = np.einsum("nd,kcd->nkc", X, Ws, optimize=True) + self.bs
        own = np.take_along_axis(scores, self.y[:, None, None], axis=2)
        return np.maximum(0, scores - own + 1).sum(axis=2).mean(axis=0) - 1 + ALPHA / 2 * np.square(Ws).sum(axis=(1, 2))

    def time_losses(self, storage: str, backend: str) -> None:
        fastsvm.loss_values(self.X, self.y, self.Ws, self.bs, **self.options)
