"""Random search and random local search on pixels, mean subtracted."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastsvm
from fastsvm.search import SearchResult, random_local_search, random_search
from suites.common import BACKENDS, check, check_parallel, data

N_SAMPLES, N_ATTEMPTS = 1000, 100

SIZES = {"random": {"scale": 1e-4}, "local": {"scale": 1e-3, "step": 1e-4}}


class Search:
    """3,072 features and 10 classes."""

    params = [list(SIZES), BACKENDS]
    param_names = ["method", "backend"]

    def setup(self, method: str, backend: str) -> None:
        check_parallel()
        found = data(N_SAMPLES)
        self.search = random_search if method == "random" else random_local_search
        self.options: dict[str, Any] = {"n_attempts": N_ATTEMPTS, "backend": backend, **SIZES[method]}
        self.options["standardize"] = fastsvm.Standardization(found.mean, np.ones_like(found.mean), "mean")
        result = self.run()
        W, b, X = (np.asarray(a, dtype=np.float64) for a in (result.W, result.b, found.pixels - found.mean))
        exact = fastsvm.loss_value(W, X, found.y, b, backend="reference")
        check("the best loss", [result.loss, result.best_losses[-1]], np.array([exact, exact]), 1e-5)
        if not result.loss <= result.best_losses[0] < result.losses.max():
            raise AssertionError(f"a search must find better weights; it went from {result.losses[0]} to {result.loss}")

    def run(self) -> SearchResult:
        found = data(N_SAMPLES)
        return self.search(found.pixels, found.y, **self.options)

    def time_search(self, method: str, backend: str) -> None:
        self.run()
