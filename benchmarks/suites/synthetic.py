"""Pixels with a class pattern under noise. A third of the labels are drawn at random, so that margins stay violated."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

N_CLASSES = 10
N_FEATURES = 3072  # 32 × 32 pixels in 3 colours, CIFAR-10's


class Images(NamedTuple):
    """Samples in both storages, ``X = (pixels − mean) · inverse_scale``, and weights at which to evaluate them.

    ``pixels`` (n_samples, n_features) uint8; ``X`` the same in float32; ``y`` (n_samples,) int64; ``mean`` and ``scale``
    (n_features,) float64; ``W`` (N_CLASSES, n_features) and ``b`` (N_CLASSES,) float32.
    """

    pixels: np.ndarray
    X: np.ndarray
    y: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    W: np.ndarray
    b: np.ndarray


def images(n_samples: int, n_features: int = N_FEATURES, seed: int = 0) -> Images:
    """Draw a data set. The same seed gives the same data everywhere."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, N_CLASSES, n_samples)
    patterns = rng.integers(0, 16, size=(N_CLASSES, n_features), dtype=np.uint8)
    pixels = rng.integers(0, 240, size=(n_samples, n_features), dtype=np.uint8)
    X = np.empty((n_samples, n_features), dtype=np.float32)
    mean, scale = 119.5 + patterns.mean(axis=0), rng.uniform(60.0, 80.0, n_features)
    for start in range(0, n_samples, 1000):
        rows = slice(start, start + 1000)
        pixels[rows] += patterns[y[rows]]
        X[rows] = (pixels[rows] - mean) / scale
    wrong = rng.random(n_samples) < 1 / 3
    y[wrong] = rng.integers(0, N_CLASSES, int(wrong.sum()))
    W = (0.03 * rng.standard_normal((N_CLASSES, n_features))).astype(np.float32)
    b = (0.01 * rng.standard_normal(N_CLASSES)).astype(np.float32)
    return Images(pixels, X, y, mean, scale, W, b)


def bfloat16(X: np.ndarray) -> np.ndarray:
    """Finite float32 numbers rounded to bfloat16, to even in a tie, as bit patterns."""
    bits = X.view(np.uint32)
    return ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16)
