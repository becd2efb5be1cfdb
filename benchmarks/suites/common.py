"""What the benchmarks share: data drawn once per process, the float64 reference, and the check against it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import fastsvm
from fastsvm.backends import threads
from suites.synthetic import Images, images

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


def standardization(n_samples: int) -> fastsvm.Standardization:
    """The one that turns the pixels of `data` into its ``X``."""
    found = data(n_samples)
    return fastsvm.Standardization(found.mean, found.scale, "mean+std")


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
