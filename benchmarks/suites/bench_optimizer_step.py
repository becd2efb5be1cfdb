"""The optimizer step alone: ``opt.step(x, dx, state)``."""

from __future__ import annotations

import numpy as np

from suites.common import BACKENDS, OPTIMIZERS, check, check_parallel

#: A CIFAR-10 classifier's parameters, which stay in cache, and an array that does not fit into one.
SIZES = [30_730, 10_000_000]

N_CHECKED = 1000


class OptimizerStep:
    """Time to update ten million float32 parameters: once as one array, or 325 times an array of 30,730."""

    params = [list(OPTIMIZERS), SIZES, BACKENDS]
    param_names = ["optimizer", "parameters", "backend"]

    def setup(self, optimizer: str, parameters: int, backend: str) -> None:
        check_parallel()
        rng = np.random.default_rng(0)
        self.optimizer = OPTIMIZERS[optimizer]
        self.x = rng.standard_normal(parameters, dtype=np.float32)
        self.dx = rng.standard_normal(parameters, dtype=np.float32)
        self.state = self.optimizer.init(self.x)
        self.repeats = max(SIZES) // parameters
        self.validate(backend)

    def validate(self, backend: str) -> None:
        x, dx = (array[:N_CHECKED].astype(np.float64) for array in (self.x, self.dx))
        state = self.optimizer.init(x)
        start = self.x.copy()
        for _ in range(3):
            self.optimizer.step(x, dx, state, backend="reference")
            self.optimizer.step(self.x, self.dx, self.state, backend=backend)
        moved = self.x[:N_CHECKED].astype(np.float64) - start[:N_CHECKED]
        check("change of x", moved, x - start[:N_CHECKED], 1e-2)
        for value, expected in zip(self.state[1:], state[1:], strict=True):
            check("state", value[:N_CHECKED], expected, 1e-5)

    def time_step(self, optimizer: str, parameters: int, backend: str) -> None:
        for _ in range(self.repeats):
            self.optimizer.step(self.x, self.dx, self.state, backend=backend)
