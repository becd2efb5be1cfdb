"""What the tests of the backends range over, the tolerances they apply, and the problems they pose."""

from __future__ import annotations

import sys
from collections import Counter
from functools import cache
from itertools import combinations, product
from typing import Any

import numpy as np

from fastsvm.backends import reference
from fastsvm.losses import CrammerSinger, Loss, Softmax, WestonWatkins
from fastsvm.optimizers import slots
from fastsvm.problem import Problem, Samples

COMPILED = ("native", "numba")
THREADS = (1, 2, 4)

#: Backends that take CSR samples.
SPARSE_BACKENDS = ("reference", "native", "numba")
LOSSES = (WestonWatkins(), WestonWatkins(delta=0.7, squared=True), CrammerSinger(delta=1.5), Softmax())

#: Types samples are stored in.
STORAGES = ("float64", "float32", "float16", "bfloat16", "int8", "uint8")

#: Dtype of the weights, type of the samples. float64 samples with float32 weights are refused at the entry.
DTYPES = (*(("float64", storage) for storage in STORAGES), *(("float32", storage) for storage in STORAGES[1:]))

#: Largest error against the float64 reference, relative to the largest number of the array, by dtype of the weights.
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}

#: n_samples, n_features, n_classes.
SHAPES = (
    (1, 1, 2),
    (1, 5, 3),
    (2, 1, 3),
    (7, 3, 2),
    (33, 17, 10),
    (23, 67, 130),
    (65, 130, 17),
    (9, 2051, 3),
    (1025, 3, 10),
    (5003, 5, 3),
    (3001, 23, 10),
)

#: Margins and gaps between scores in the problems below are larger than this, so that no rounding crosses a kink.
CLEARANCE = 1e-3


def pairwise(*axes) -> list[tuple[Any, ...]]:
    """Combinations of values, one of each axis, in which any two values of different axes meet: far fewer than all.

    What is to meet in threes or more belongs into one axis, as tuples. Greedy: a combination begins with a pair that has not
    met yet, and takes of each other axis the value that makes most new pairs, the one used least in a tie.
    """
    items = [[(k, place) for place in range(len(axis))] for k, axis in enumerate(axes)]
    unmet = {pair for one, other in combinations(items, 2) for pair in product(one, other)}
    uses: Counter[tuple[int, int]] = Counter()
    chosen = []

    def gain(item: tuple[int, int], row: dict[int, int]) -> tuple[int, int]:
        return sum((min(item, other), max(item, other)) in unmet for other in row.items()), -uses[item]

    for pair in sorted(unmet):
        if pair in unmet:
            row = dict(pair)
            for k in set(range(len(axes))) - set(row):
                row[k] = max(items[k], key=lambda item, row=row: gain(item, row))[1]
            places = sorted(row.items())
            unmet.difference_update(combinations(places, 2))
            uses.update(places)
            chosen.append(tuple(axes[k][place] for k, place in places))
    return chosen


def assert_close(actual, expected, dtype: str) -> None:
    """Compare with the tolerance of the dtype, in the max norm."""
    actual, expected = np.asarray(actual, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert actual.shape == expected.shape
    error, size = np.abs(actual - expected).max(), np.abs(expected).max()
    assert error <= TOLERANCE[dtype] * size, f"relative error {error / size if size else np.inf:.2e}"


def assert_same_bits(results):
    """All results, tuples of numbers and arrays, are equal to the last bit."""
    first, *others = ([np.asarray(part).tobytes() for part in result] for result in results)
    assert all(other == first for other in others)


def clear_of_kinks(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mask of the samples whose loss is smooth within `CLEARANCE`, for every loss of the table."""
    rows = np.arange(len(y))
    differences = scores - scores[rows, y][:, None]
    deltas = [getattr(loss, "delta", 0.0) for loss in LOSSES]  # 0: whether the class has the largest score
    differences[rows, y] = -np.inf
    clear = np.min([np.abs(differences + delta) for delta in deltas], axis=(0, 2)) > CLEARANCE
    if scores.shape[1] > 2:
        second, first = np.sort(differences, axis=1)[:, -2:].T
        clear &= first - second > CLEARANCE
    return clear


def stored(x: np.ndarray, storage: str) -> np.ndarray:
    """Numbers cast to a storage type; to bfloat16 by dropping the lower half of float32 (towards 0)."""
    if storage != "bfloat16":
        return x.astype(storage)
    return (x.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def in_float64(samples: Samples) -> Samples:
    """The same numbers in float64."""
    statistics = (None if a is None else a.astype(np.float64) for a in samples[1:])
    return Samples(numbers(samples.X), *statistics)


def numbers(X: np.ndarray) -> np.ndarray:
    """What samples stand for, in float64: uint16 are the upper halves of float32."""
    if X.dtype != np.uint16:
        return X.astype(np.float64)
    halves = np.zeros((*X.shape, 2), np.uint16)
    halves[..., 1 if sys.byteorder == "little" else 0] = X
    return halves.view(np.float32)[..., 0].astype(np.float64)


def raw_samples(rng: np.random.Generator, shape: tuple[int, int], storage: str) -> np.ndarray:
    """Samples that use the range of an integer type, or are a few units large."""
    if storage in ("int8", "uint8"):
        limits = np.iinfo(storage)
        return rng.integers(limits.min, limits.max, shape, dtype=storage, endpoint=True)
    return stored(rng.normal(1.0, 2.0, shape), storage)


@cache
def make_problem(
    shape: tuple[int, int, int], dtypes: tuple[str, str], standardized: bool, loss: Loss = LOSSES[0], weighted: bool = True
) -> tuple[np.ndarray, np.ndarray, Problem]:
    """Weights, intercept and a problem with scores of a few units, clear of kinks. All arrays are read-only."""
    n, d, c = shape
    dtype, storage = dtypes
    rng = np.random.default_rng([n, d, c])
    samples = Samples(raw_samples(rng, (4 * n + 40, d), storage))
    if standardized:
        X = numbers(samples.X)
        samples = Samples(samples.X, X.mean(axis=0).astype(dtype), (1 / X.std(axis=0)).astype(dtype))
    x = reference.widen(in_float64(samples), np.dtype("float64"))
    W = (rng.normal(size=(c, d)) * 2 / np.sqrt(np.mean(x**2) * d)).astype(dtype)
    b = rng.normal(size=c).astype(dtype)
    y = rng.integers(0, c, len(x))
    kept = np.flatnonzero(clear_of_kinks(x @ W.astype(np.float64).T + b, y))[:n]
    assert len(kept) == n
    weight = rng.uniform(0.5, 2.0, n) if weighted else None
    if weight is not None:
        weight[0] = 0.0 if n > 1 else 1.0
        weight *= n / weight.sum()
    samples = samples._replace(X=np.ascontiguousarray(samples.X[kept]))
    for array in (W, b, y, weight, *samples):
        if array is not None:
            array.flags.writeable = False
    labels = np.ascontiguousarray(y[kept])
    return W, b, Problem(samples, labels, weight, loss, alpha=0.3, alpha_intercept=0.2)


@cache
def expected_gradient(*case) -> tuple[float, np.ndarray, np.ndarray, np.ndarray, int]:
    """Objective, dW, db, dX and correct samples of ``make_problem(*case)`` by the reference in float64."""
    W, b, problem = make_problem(*case)
    W, b, problem = W.astype(np.float64), b.astype(np.float64), problem._replace(samples=in_float64(problem.samples))
    dW, db, dX = np.empty_like(W), np.empty_like(b), np.empty(problem.samples.X.shape)
    value = reference.gradient(W, b, problem, dW, db)
    reference.data_gradient(W, b, problem, dX)
    return value, dW, db, dX, reference.evaluate(W, b, problem)[1]


def gradient(backend, W, b, problem, n_threads=2):
    """Objective, dW and db by a backend module, into arrays that hold something else before."""
    dW, db = np.full_like(W, 7.0), None if b is None else np.full_like(b, 7.0)
    value = backend.gradient(W, b, problem, dW, db, n_threads)
    return value, dW, db


def data_gradient(backend, W, b, problem, n_threads=2):
    """Objective and dX."""
    dX = np.full(problem.samples.X.shape, 7.0, dtype=W.dtype)
    return backend.data_gradient(W, b, problem, dX, n_threads), dX


def scores(backend, W, b, samples, n_threads=2):
    """Scores."""
    out = np.full((samples.X.shape[0], len(W)), 7.0, dtype=W.dtype)
    backend.scores(W, b, samples, out, n_threads)
    return out


def run_epoch(backend, W, b, problem, optimizer, batch_size, n_threads=2, order=None):
    """Weights, states, losses and counts after one epoch from W and b, which are copied."""
    n = len(problem.y)
    order = np.random.default_rng(1).permutation(n) if order is None else order
    n_updates = -(-len(order) // batch_size)
    W, b, losses = W.copy(), None if b is None else b.copy(), np.full(n_updates, 7.0)
    state_W, state_b = slots(optimizer.init(W)), () if b is None else slots(optimizer.init(b))
    table = optimizer.coefficients(0, n_updates)
    kept = table.copy()
    counts = backend.epoch(
        W, b, state_W, state_b, problem, order, batch_size, optimizer.rule, table, losses, n_threads
    )  # fmt: skip
    assert np.array_equal(table, kept)
    return W, np.empty(0) if b is None else b, *state_W, *state_b, losses, *counts
