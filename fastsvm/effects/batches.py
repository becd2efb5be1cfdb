"""The lecture's argument for minibatches: a batch's gradient is a good estimate of the full one, at a fraction of its price.

    g = (1/n) Σᵢ gᵢ + penalty,      g_B = the same over B samples drawn without replacement
    E |g_B − g|² = σ²/B · (n − B)/(n − 1),      σ² = (1/n) Σᵢ |gᵢ|² − |(1/n) Σᵢ gᵢ|²

The noise falls as 1/√B: a batch four times as large halves it. σ² costs one pass and no gradient per sample, since
``gᵢ`` is the product of a row of dscores and the sample, and so ``|gᵢ|² = |dscoresᵢ|² |xᵢ|²``.

Source: CS231n, "Optimization: gradient descent" (minibatches; duplicated data); sampling without replacement from a finite
population: W. Cochran, "Sampling techniques", theorem 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastsvm.arguments import prepare
from fastsvm.losses import Loss, WestonWatkins
from fastsvm.objective import loss_and_gradient, score_loss_and_gradient
from fastsvm.prediction import decision_scores
from fastsvm.sparse import CSR, is_sparse, row_blocks, take_slice
from fastsvm.standardization import Standardization
from fastsvm.storage import as_numbers
from fastsvm.training.arguments import check_batch_size, check_seed
from fastsvm.validation import check_integer


@dataclass(frozen=True, eq=False)
class BatchStudy:
    """Gradients of minibatches beside the full gradient. A gradient is that on ``W`` and, if there is one, on ``b``.

    Attributes
    ----------
    batch_sizes : ndarray (s,), int64
    cosine : ndarray (s, draws), float64
        Of the angle between a batch's gradient and the full one; 0 where the batch's is zero and points nowhere.
    norm_ratio : ndarray (s, draws), float64
        Length of a batch's gradient over that of the full one.
    error : ndarray (s, draws), float64
        ``|g_B − g| / |g|``.
    law : ndarray (s,), float64
        What the root of the mean of ``error²`` is by the formula above, computed from all samples.
    norm : float
        ``|g|``.
    """

    batch_sizes: np.ndarray
    cosine: np.ndarray
    norm_ratio: np.ndarray
    error: np.ndarray
    law: np.ndarray
    norm: float

    @property
    def angle(self) -> np.ndarray:
        """Angles in degrees, (s, draws)."""
        return np.degrees(np.arccos(np.clip(self.cosine, -1.0, 1.0)))

    def __str__(self) -> str:
        lines = [f"{'batch':>8} {'angle':>7} {'cosine':>7} {'length':>7} {'error':>7} {'by 1/√B':>8}"]
        error = np.sqrt(np.square(self.error).mean(axis=1))
        means = (table.mean(axis=1) for table in (self.angle, self.cosine, self.norm_ratio))
        for size, angle, cosine, ratio, wrong, law in zip(self.batch_sizes, *means, error, self.law, strict=True):
            lines.append(f"{size:8d} {angle:6.1f}° {cosine:7.3f} {ratio:7.2f} {wrong:7.3f} {law:8.3f}")
        return "\n".join(lines)


def batch_gradients(
    W: np.ndarray,
    X: np.ndarray | CSR,
    y: np.ndarray,
    batch_sizes: Sequence[int | str] = (1, 4, 16, 64, 256, 1024),
    draws: int = 20,
    seed: int | np.random.Generator = 0,
    *,
    b: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    standardization: Standardization | None = None,
    penalize_intercept: bool = False,
    backend: str | None = None,
    n_threads: int | None = None,
) -> BatchStudy:
    """Draw batches without replacement and compare their gradients with the full one.

    Parameters
    ----------
    W, X, y, b, loss, alpha, standardization, penalize_intercept, backend, n_threads
        As in :func:`fastsvm.loss_and_gradient`.
    batch_sizes : sequence of int >= 1 or "full"
        Those above n_samples are n_samples.
    draws : int >= 1, default 20
        Batches of each size.
    seed : int >= 0 or numpy.random.Generator, default 0

    Returns
    -------
    BatchStudy

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or the full gradient is zero: nothing can be compared with it.
    """
    W, b, problem = prepare(
        W, X, y, b, loss=loss, alpha=alpha, standardization=standardization, penalize_intercept=penalize_intercept
    )
    X, y, n = problem.samples.X, problem.y, len(problem.y)
    sizes = check_batch_sizes("batch_sizes", batch_sizes, n)
    draws, rng = check_integer("draws", draws, at_least=1), check_seed(seed)
    options: dict[str, Any] = {
        "loss": problem.loss, "standardization": standardization, "backend": backend, "n_threads": n_threads
    }  # fmt: skip

    def data_gradient(X: np.ndarray | CSR, y: np.ndarray) -> np.ndarray:
        return _flat(*loss_and_gradient(W, X, y, b, **options)[1:])

    mean = data_gradient(X, y)
    penalty = _flat(problem.alpha * W, None if b is None else problem.alpha_intercept * b)
    full = mean + penalty
    norm = _length(full)
    if norm == 0.0:
        raise ValueError("W must be a place where the full gradient is not zero; it is zero here")
    variance = max(0.0, _mean_square(W, X, y, b, standardization, options) - _dot(mean, mean))

    cosine, ratio, error = (np.empty((len(sizes), draws)) for _ in range(3))
    for s, size in enumerate(sizes):
        for k in range(draws):
            rows = np.sort(rng.choice(n, size, replace=False, shuffle=False))  # in order: rows near one another in memory
            gradient = mean + penalty if size == n else data_gradient(X[rows], y[rows]) + penalty
            length = _length(gradient)
            cosine[s, k] = _dot(gradient, full) / (length * norm) if length else 0.0
            ratio[s, k] = length / norm
            error[s, k] = _length(gradient - full) / norm
    batches = np.array(sizes, dtype=np.int64)
    law = np.sqrt(variance / batches * (n - batches) / max(1, n - 1)) / norm
    return BatchStudy(batches, cosine, ratio, error, law, norm)


def check_batch_sizes(name: str, sizes: Any, n: int) -> list[int]:
    """Batch sizes as numbers, ``"full"`` and what exceeds ``n`` as ``n``."""
    if isinstance(sizes, str) or not isinstance(sizes, (Sequence, np.ndarray)) or len(sizes) == 0:
        raise TypeError(f"{name} must be a sequence of at least one batch size; got {sizes!r}")
    return [check_batch_size(size, n) for size in sizes]


def _flat(dW: np.ndarray, db: np.ndarray | None) -> np.ndarray:
    """A gradient as one float64 vector."""
    parts = [dW.ravel()] if db is None else [dW.ravel(), db]
    return np.concatenate(parts).astype(np.float64)


def _dot(one: np.ndarray, other: np.ndarray) -> float:
    """Inner product, summed in the same order however many threads BLAS has."""
    return float(np.einsum("i,i->", one, other))


def _length(vector: np.ndarray) -> float:
    return float(np.sqrt(_dot(vector, vector)))


def _mean_square(
    W: np.ndarray,
    X: np.ndarray | CSR,
    y: np.ndarray,
    b: np.ndarray | None,
    standardization: Standardization | None,
    options: dict[str, Any],
) -> float:
    """Mean over the samples of the squared length of their own gradients, without the penalty."""
    scores = decision_scores(
        W, X, b, standardization=standardization, backend=options["backend"], n_threads=options["n_threads"]
    )
    dscores = score_loss_and_gradient(scores, y, options["loss"], backend=options["backend"])[1] * len(y)
    squares = np.square(dscores, dtype=np.float64).sum(axis=1)
    total = 0.0
    for rows in row_blocks(X, 1 << 17):
        x = take_slice(X, rows)
        x = as_numbers(x, W.dtype) if standardization is None else standardization.apply(x, W.dtype)
        lengths = x.multiply(x).sum(axis=1) if is_sparse(x) else np.einsum("ij,ij->i", x, x)
        total += float(squares[rows] @ (lengths + (b is not None)))
    return total / len(y)


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Loss and gradient of some samples, and of the same samples repeated.

    Attributes
    ----------
    copies : int
        How often every sample stands in the repeated data.
    losses : (float, float)
        Once, and repeated.
    dW : ndarray (2, n_classes, n_features), dtype of ``W``
    db : ndarray (2, n_classes) or None
    difference : float
        Largest difference of the two gradients, over the largest entry of the first: rounding, about 1e-7 in float32 and 1e-16
        in float64, for one divides other sums by another number of samples.
    loss_difference : float
        That of the losses, over the first.
    """

    copies: int
    losses: tuple[float, float]
    dW: np.ndarray
    db: np.ndarray | None
    difference: float
    loss_difference: float

    @property
    def identical(self) -> bool:
        """Whether loss and gradients are equal to the last bit."""
        return self.difference == 0.0 and self.loss_difference == 0.0


def duplicated(
    W: np.ndarray, X: np.ndarray | CSR, y: np.ndarray, copies: int = 12, *, b: np.ndarray | None = None, **options: Any
) -> Duplicates:
    """Repeat every sample and compare loss and gradient: they say the same, at so many times the price.

    That is the lecture's extreme case of correlated samples: 1.2 million images that are 1,200 copies of 1,000 tell no more
    than the 1,000. The repeated data is built: it takes ``copies`` times the memory of ``X``.

    Parameters
    ----------
    W, X, y, b
        As in :func:`fastsvm.loss_and_gradient`.
    copies : int >= 1, default 12
    **options
        Its further arguments, but ``sample_weight``.

    Returns
    -------
    Duplicates
    """
    copies = check_integer("copies", copies, at_least=1)
    if "sample_weight" in options:
        raise TypeError("sample_weight must not be given: samples are repeated, not weighted")
    loss, dW, db = loss_and_gradient(W, X, y, b, **options)
    rows = np.repeat(np.arange(X.shape[0]), copies)
    again, dW_again, db_again = loss_and_gradient(W, X[rows], np.asarray(y)[rows], b, **options)
    once, repeated = _flat(dW, db), _flat(dW_again, db_again)
    size = float(np.abs(once).max())
    return Duplicates(
        copies=copies,
        losses=(loss, again),
        dW=np.stack([dW, dW_again]),
        db=None if db is None or db_again is None else np.stack([db, db_again]),
        difference=float(np.abs(repeated - once).max()) / (size or 1.0),
        loss_difference=abs(again - loss) / (loss or 1.0),
    )
