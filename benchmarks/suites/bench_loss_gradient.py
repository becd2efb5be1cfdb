"""A full pass: the objective and its gradient on the weights."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import fastsvm
from fastsvm.losses import LOSSES, WestonWatkins
from suites.common import ALPHA, BACKENDS, COMPILED, check, check_parallel, data, standardization, stored

N_SAMPLES = 2500

OBJECTIVES = {**{name: loss() for name, loss in LOSSES.items()}, "weston_watkins_squared": WestonWatkins(squared=True)}

#: Storage of the samples → dtype of the weights.
STORAGES = {"float32": "float32", "float64": "float64", "uint8": "float32"}
OTHER_STORAGES = ["float16", "bfloat16", "int8"]

#: By dtype of the weights. A margin whose sign differs between float32 and float64 moves dW by one sample's share.
TOLERANCES = {"float32": 5e-4, "float64": 1e-10}


@cache
def reference(loss: str, storage: str) -> tuple[float, np.ndarray, np.ndarray | None]:
    """On what the storage holds; the pixels are those of float32."""
    found = data(N_SAMPLES)
    X = stored(N_SAMPLES, storage) if storage in ("float16", "bfloat16") else found.X
    W, b = found.W.astype(np.float64), found.b.astype(np.float64)
    return fastsvm.loss_and_gradient(W, X, found.y, b, OBJECTIVES[loss], ALPHA, backend="reference")


class LossAndGradient:
    """CIFAR-10's 3,072 features and 10 classes, fewer samples."""

    params = [list(OBJECTIVES), list(STORAGES), BACKENDS]
    param_names = ["loss", "storage", "backend"]

    def setup(self, loss: str, storage: str, backend: str) -> None:
        check_parallel()
        found, dtype = data(N_SAMPLES), STORAGES.get(storage, "float32")
        X = stored(N_SAMPLES, storage)
        self.arguments = (found.W.astype(dtype), X, found.y, found.b.astype(dtype), OBJECTIVES[loss], ALPHA)
        self.options: dict[str, Any] = {"backend": backend, "standardization": standardization(N_SAMPLES, storage)}
        value, dW, db = fastsvm.loss_and_gradient(*self.arguments, **self.options)
        expected = reference(loss, storage)
        check("loss", value, expected[0], TOLERANCES[dtype])
        check("dW", dW, expected[1], TOLERANCES[dtype])
        check("db", db, expected[2], TOLERANCES[dtype])

    def time_loss_and_gradient(self, loss: str, storage: str, backend: str) -> None:
        fastsvm.loss_and_gradient(*self.arguments, **self.options)


class OtherStorages(LossAndGradient):
    """The remaining storages, which differ from those above in how samples are read alone."""

    params = [["weston_watkins"], OTHER_STORAGES, COMPILED]
