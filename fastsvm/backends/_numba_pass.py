"""A pass of :mod:`fastsvm.backends.numba` over the samples: what the compiled loops are handed, for dense and CSR samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastsvm.backends import COEFFICIENTS, _numba_loops, _numba_sparse, without_decay
from fastsvm.backends._numba_calls import OWN_RULE, RULES, SERIAL_PRODUCTS, call, coefficient_type, loss_code, own_leaves
from fastsvm.backends._numba_leaves import STORAGE
from fastsvm.backends._numba_memory import chunks, read_only, workspace
from fastsvm.backends._numba_sparse_memory import rows, sparse_workspace
from fastsvm.backends._numba_tiles import Data, Outputs
from fastsvm.backends._numba_vectors import BYTES
from fastsvm.losses import WestonWatkins
from fastsvm.problem import Problem, Samples


def data_of(W: np.ndarray, samples: Samples, problem: Problem | None, order: np.ndarray | None) -> Data:
    loss, parameters = loss_code(WestonWatkins() if problem is None else problem.loss, W.dtype)
    whole = samples.X.shape[1] * W.itemsize % BYTES == 0
    return Data(
        X=read_only(np.empty((0, 0), np.uint8) if samples.is_sparse else samples.X.view(np.uint8)),
        storage=STORAGE.index(samples.storage),
        in_place=samples.X.dtype == W.dtype and samples.inverse_scale is None and whole,
        mean=read_only(samples.mean, W.dtype),
        inverse_scale=read_only(samples.inverse_scale, W.dtype),
        y=read_only(None if problem is None else problem.y, np.int64),
        sample_weight=read_only(None if problem is None else problem.sample_weight, np.float64),
        order=read_only(order, np.int64),
        n_samples=samples.n_rows if order is None else len(order),
        loss=loss,
        parameters=parameters,
        alpha=0.0 if problem is None else float(problem.alpha),
        alpha_intercept=0.0 if problem is None else float(problem.alpha_intercept),
    )


def run(
    W: np.ndarray,
    b: np.ndarray | None,
    samples: Samples,
    problem: Problem | None,
    n_threads: int,
    *,
    order: np.ndarray | None = None,
    batch_size: int | None = None,
    rule: str = "store",
    coefficients: np.ndarray | None = None,
    losses: np.ndarray | None = None,
    **wanted: Any,
) -> tuple[float, int, int]:
    """One pass with the given outputs. Returns the first batch's objective, the updates done and the correct samples."""
    data = data_of(W, samples, problem, order)
    batch_size = min(batch_size or data.n_samples, data.n_samples)
    chunk_rows, n_chunks = chunks(batch_size)
    losses = np.empty(1) if losses is None else losses
    absent: dict[str, Any] = dict.fromkeys(Outputs._fields, np.empty(0, W.dtype))
    absent["scores"] = absent["dX"] = np.empty((0, 0), W.dtype)
    absent |= {"classes": np.empty((0, 0), np.int64), "largest": np.empty((1, 0), W.dtype)}
    given = {name: array for name, array in wanted.items() if array is not None}
    out = Outputs(**absent | given | {"losses": losses})
    coefficients = np.zeros((1, len(COEFFICIENTS))) if coefficients is None else coefficients
    table = np.stack([coefficients, without_decay(rule, coefficients)]).astype(coefficient_type(rule, W), copy=False)
    own = own_leaves(problem and problem.loss, rule)
    if samples.is_sparse:
        updates, n_correct = _run_sparse(W, b, samples, data, out, n_threads, batch_size, rule, table, own)
    else:
        n_threads = n_threads if n_chunks > 1 and batch_size * W.size >= SERIAL_PRODUCTS else 1
        work = workspace(W, data, chunk_rows, n_chunks, gradient="x" in given)
        updates, n_correct = call(
            _numba_loops.run, n_threads, read_only(W), read_only(b, W.dtype), data, out, work,
            batch_size, chunk_rows, RULES.get(rule, OWN_RULE), read_only(table), own=own,
        )  # fmt: skip
    return float(losses[0]), updates, n_correct


def _run_sparse(
    W: np.ndarray,
    b: np.ndarray | None,
    samples: Samples,
    data: Data,
    out: Outputs,
    n_threads: int,
    batch_size: int,
    rule: str,
    table: np.ndarray,
    own: tuple[tuple[str, Any], ...],
) -> tuple[int, int]:
    """The pass over CSR samples, for which the weights and all that is like them become feature-major and back."""
    n_threads = n_threads if batch_size * samples.X.nnz / samples.n_rows * len(W) >= SERIAL_PRODUCTS else 1

    def transposed(x: np.ndarray) -> np.ndarray:
        result = np.empty(x.shape[::-1], x.dtype)
        call(_numba_sparse.transpose, n_threads, read_only(x), result)
        return result

    names = [name for name in ("x", "x_slot1", "x_slot2", "x_slot3") if getattr(out, name).size]
    arrays = [getattr(out, name).reshape(W.shape) for name in names]
    feature_major = [transposed(array) for array in arrays]
    V = transposed(W) if rule == "store" else feature_major[0]
    work = sparse_workspace(V, samples.X, batch_size, n_threads, gradient="x" in names)
    sparse = rule == "sgd" or (rule == "adagrad" and data.alpha == 0)
    flat = {name: array.reshape(-1) for name, array in zip(names, feature_major, strict=True)}
    updates, n_correct, scale = call(
        _numba_sparse.run, n_threads, read_only(b, W.dtype), rows(samples.X), data, out._replace(**flat), work,
        batch_size, RULES.get(rule, OWN_RULE), table, sparse, own=own,
    )  # fmt: skip
    V *= W.dtype.type(scale)
    for array, result in zip(arrays, feature_major, strict=True):
        call(_numba_sparse.transpose, n_threads, read_only(result), array)
    return updates, n_correct
