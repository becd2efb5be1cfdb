"""What the benchmarks share: data drawn once per process, the float64 reference, and the check against it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import fastsvm
from fastsvm.backends import threads
from suites.synthetic import Images, bfloat16, images

BACKENDS = ["native", "numba", "reference"]
COMPILED = BACKENDS[:2]

ALPHA = 1e-3

#: With which each optimizer makes steady progress on the synthetic images at every batch size used here.
OPTIMIZERS = {
    "sgd": fastsvm.SGD(1e-4),
    "momentum": fastsvm.Momentum(3e-5),
    "nesterov": fastsvm.Nesterov(3e-5),
    "adagrad": fastsvm.AdaGrad(1e-3),
    "rmsprop": fastsvm.RMSProp(1e-4),
    "adam": fastsvm.Adam(1e-4),
    "adamw": fastsvm.AdamW(1e-4),
}


@cache
def data(n_samples: int) -> Images:
    """Synthetic images; asv runs ``setup`` before every sample, and this need not be drawn again."""
    return images(n_samples)


def stored(n_samples: int, storage: str) -> np.ndarray:
    """The samples of `data` in a storage; int8 holds the pixels less 128."""
    found = data(n_samples)
    if storage == "uint8":
        return found.pixels
    if storage == "int8":
        return (found.pixels ^ 128).view(np.int8)
    return bfloat16(found.X) if storage == "bfloat16" else found.X.astype(storage, copy=False)


def standardization(n_samples: int, storage: str) -> fastsvm.Standardization | None:
    """The one that turns pixels, in the storages that hold them, into the ``X`` of `data`."""
    found = data(n_samples)
    if storage not in ("uint8", "int8"):
        return None
    return fastsvm.Standardization(found.mean - (128 if storage == "int8" else 0), found.scale, "mean+std")


def check(what: str, value: Any, reference: Any, tolerance: float) -> None:
    """Raise unless a result's distance from the reference's is at most ``tolerance`` times the length of the latter."""
    distance = np.linalg.norm(np.ravel(value).astype(np.float64) - np.ravel(reference))
    error = float(distance / np.linalg.norm(np.ravel(reference)))
    if not error <= tolerance:
        raise AssertionError(f"{what} must agree with the float64 reference to {tolerance:.0e}; relative error {error:.1e}")


def check_parallel() -> None:
    """Raise in a forked process, where fastsvm is serial and would be timed so."""
    if threads.forked():
        raise RuntimeError("benchmarks must not run in a forked process; use asv with --launch-method spawn")
