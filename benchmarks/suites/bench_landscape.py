"""A loss landscape, a sweep over step sizes and an exact line search, each from the scores of a few weights."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastsvm
from fastsvm import landscape
from suites.common import ALPHA, COMPILED, check, check_parallel, data, standardization, stored

#: A tenth of CIFAR-10's training images; the cost of a plane is proportional to samples × points.
N_SAMPLES, SIDE = 5000, 50

LOSSES = {"weston_watkins": fastsvm.WestonWatkins(), "crammer_singer": fastsvm.CrammerSinger(), "softmax": fastsvm.Softmax()}


class Landscapes:
    """3,072 uint8 features and 10 classes; a plane of 50 x 50 points."""

    params = [list(LOSSES), COMPILED]
    param_names = ["loss", "backend"]
    timeout = 300

    def setup(self, loss: str, backend: str) -> None:
        check_parallel()
        found = data(N_SAMPLES)
        self.X, self.y, self.W = stored(N_SAMPLES, "uint8"), found.y, found.W
        self.options: dict[str, Any] = {
            "loss": LOSSES[loss],
            "alpha": ALPHA,
            "standardization": standardization(N_SAMPLES, "uint8"),
            "backend": backend,
        }
        self.D1, self.D2 = (landscape.random_direction(self.W, seed, filter_normalized=True) for seed in (1, 2))
        self.grid = np.linspace(-1, 1, SIDE)
        self.dW = fastsvm.loss_and_gradient(self.W, self.X, self.y, **self.options)[1]
        few = landscape.plane(self.W, self.X, self.y, self.D1, self.D2, [-1.0, 0.3], [0.7], **self.options)
        check("the plane", few.loss[0], [self.exact(a, 0.7) for a in (-1.0, 0.3)], 1e-5)

    def exact(self, a: float, b: float) -> float:
        """The objective at these weights, by the reference in float64."""
        W, D1, D2 = (array.astype(np.float64) for array in (self.W, self.D1, self.D2))
        return fastsvm.loss_value(W + a * D1 + b * D2, self.X, self.y, **(self.options | {"backend": "reference"}))

    def time_plane(self, loss: str, backend: str) -> None:
        landscape.plane(self.W, self.X, self.y, self.D1, self.D2, self.grid, self.grid, **self.options)

    def time_step_sizes(self, loss: str, backend: str) -> None:
        landscape.step_sizes(self.W, self.X, self.y, gradient=self.dW, **self.options)

    def time_minimize_along(self, loss: str, backend: str) -> None:
        landscape.minimize_along(self.W, self.X, self.y, -self.dW, **self.options)

    def track_minimum(self, loss: str, backend: str) -> float:
        return landscape.minimize_along(self.W, self.X, self.y, -self.dW, **self.options).loss

    track_minimum.unit = "objective"  # type: ignore[attr-defined]
