"""Let the numba backend compile its loops for weights of one dtype, serial and parallel, and keep them in its cache.

    python .ci/warm_up.py float32

Each takes up to half a minute, and the workers of the tests would each compile all of them, at the same time.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy import sparse

import fastsvm
from fastsvm.combinations import combination_losses


def main(dtype: str) -> None:
    rng = np.random.default_rng(0)
    X, y, W = rng.normal(size=(6000, 40)).astype(dtype), rng.integers(0, 10, 6000), np.zeros((10, 40), dtype)
    scores, x = np.zeros((20_000, 10), dtype), np.zeros(200_000, dtype)  # large enough to be shared among threads
    for n_threads in (1, 2):
        where = {"backend": "numba", "n_threads": n_threads}
        for samples in (X, sparse.csr_array(X)):
            fastsvm.train(samples, y, epochs=1, batch_size=3000, standardize="none", dtype=dtype, **where)
            fastsvm.loss_values(samples, y, W[None], **where)
            if dtype == "float64":  # in which it computes always
                fastsvm.numerical_objective_gradient(W, samples, y, **where)
        fastsvm.score_loss_and_gradient(scores, np.zeros(len(scores), int), **where)
        combination_losses(scores[None], np.ones((2, 1)), np.zeros(len(scores), int), **where)
        optimizer = fastsvm.Adam()
        optimizer.step(x, x.copy(), optimizer.init(x), **where)


if __name__ == "__main__":
    main(*sys.argv[1:])
