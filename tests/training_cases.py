"""Small data sets, update rules and comparisons that the tests of the trainer share."""

from __future__ import annotations

import numpy as np

from fastsvm import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp

BACKENDS = ("reference", "numba", "native")
COMPILED = BACKENDS[1:]
RULES = [SGD(0.05), Momentum(0.02), Nesterov(0.02), AdaGrad(0.1), RMSProp(0.01), Adam(0.02), AdamW(0.02, weight_decay=0.3)]

N, D, K = 61, 7, 4


def blobs(n=N, d=D, k=K, dtype=np.float64, seed=5):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    y[:k] = np.arange(k)
    X = rng.normal(size=(k, d))[y] + rng.normal(size=(n, d))
    return (np.clip(X * 20 + 100, 0, 255) if dtype == np.uint8 else X).astype(dtype), y


X64, Y = blobs()


def same(a, b):
    """Equal to the last bit."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def same_training(a, b):
    """Equal weights, states and histories, wall times apart."""
    untimed = [[r._replace(seconds=0, samples_per_second=0) for r in result.history] for result in (a, b)]
    states = [(*r.state.optimizer_W, *r.state.optimizer_b, r.state.W, r.state.b, r.W, r.b) for r in (a, b)]
    losses = [np.empty(0) if r.history.update_losses is None else r.history.update_losses for r in (a, b)]
    return (
        untimed[0] == untimed[1]
        and all(same(p, q) for p, q in zip(*states, strict=True))
        and same(*losses)
        and a.best_epoch == b.best_epoch
        and a.state.rng == b.state.rng
        and a.state.updates == b.state.updates
    )
