"""The classes with the largest scores, for backends that have the scores of a block of rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastsvm.problem import Samples
from fastsvm.sparse import take_slice

#: Scores held at a time.
BLOCK = 1 << 18

Scores = Callable[[np.ndarray, "np.ndarray | None", Samples, np.ndarray, int], None]


def rank(scores: np.ndarray, classes: np.ndarray, top_scores: np.ndarray | None) -> None:
    """Fill ``classes`` and ``top_scores`` with the largest of ``scores`` as the contract's ``top_k`` has it."""
    k = classes.shape[1]
    largest_first = scores.argmax(axis=1)[:, None] if k == 1 else np.argsort(-scores, axis=1, kind="stable")[:, :k]
    classes[:] = largest_first
    not_finite = ~np.isfinite(scores).all(axis=1)
    classes[not_finite] = -1
    if top_scores is not None:
        top_scores[:] = np.take_along_axis(scores, largest_first, axis=1)
        top_scores[not_finite] = np.nan


def top_k(
    score: Scores,
    W: np.ndarray,
    b: np.ndarray | None,
    samples: Samples,
    classes: np.ndarray,
    top_scores: np.ndarray | None,
    n_threads: int,
) -> None:
    """The contract's ``top_k`` over a backend's ``scores``."""
    rows = max(1, BLOCK // len(W))
    block = np.empty((min(rows, len(classes)), len(W)), W.dtype)
    for start in range(0, len(classes), rows):
        end = min(start + rows, len(classes))
        score(W, b, samples._replace(X=take_slice(samples.X, slice(start, end))), block[: end - start], n_threads)
        rank(block[: end - start], classes[start:end], None if top_scores is None else top_scores[start:end])
