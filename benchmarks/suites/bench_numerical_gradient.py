"""Difference quotients of every weight, from the one column of the scores that each changes."""

from __future__ import annotations

import numpy as np

import fastsvm
from suites.common import check, check_parallel, data, standardization, stored

N_SAMPLES = 5000

LOSSES = {"weston_watkins": fastsvm.WestonWatkins(), "crammer_singer": fastsvm.CrammerSinger(), "softmax": fastsvm.Softmax()}


class NumericalGradient:
    """All 30,720 weights of 3,072 uint8 features and 10 classes."""

    params = [list(LOSSES), ["central", "forward"]]
    param_names = ["loss", "method"]

    def setup(self, loss: str, method: str) -> None:
        check_parallel()
        found = data(N_SAMPLES)
        self.arguments = found.W.astype(np.float64), stored(N_SAMPLES, "uint8"), found.y
        self.options = {"loss": LOSSES[loss], "standardization": standardization(N_SAMPLES, "uint8")}
        exact = fastsvm.loss_and_gradient(*self.arguments, **self.options)[1]
        found_dW, _ = fastsvm.numerical_objective_gradient(*self.arguments, **self.options, h=1e-7, method=method)
        check("dW", found_dW, exact, 1e-4)

    def time_numerical_gradient(self, loss: str, method: str) -> None:
        fastsvm.numerical_objective_gradient(*self.arguments, **self.options, method=method)
