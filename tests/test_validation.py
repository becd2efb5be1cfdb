"""Every entry of fastsvm.objective and fastsvm.prediction refuses what it cannot take, names it, and changes nothing."""

from __future__ import annotations

import copy
import math
import re

import numpy as np
import pytest
import scipy.sparse

import fastsvm
from fastsvm import Softmax, Standardization, WestonWatkins, backends
from tables import stored

N, D, K = 6, 5, 3

WITH_WEIGHTS = ("loss_and_gradient", "evaluate", "loss_value", "data_gradient")
PREDICTIONS = ("decision_scores", "predict", "top_k")
ON_SAMPLES = (*WITH_WEIGHTS, *PREDICTIONS)
WITH_LABELS = (*WITH_WEIGHTS, "score_loss_and_gradient")
EVERY = (*ON_SAMPLES, "score_loss_and_gradient")


def good(entry: str) -> dict:
    """Arguments that the entry point takes."""
    rng = np.random.default_rng(0)
    if entry == "score_loss_and_gradient":
        return {"scores": rng.normal(size=(N, K)), "y": np.arange(N) % K}
    arguments = {"W": rng.normal(size=(K, D)), "X": rng.normal(size=(N, D)), "b": rng.normal(size=K)}
    if entry in PREDICTIONS:
        return arguments
    return arguments | {"y": np.arange(N) % K}


def changed(array: np.ndarray, index, value) -> np.ndarray:
    array = array.copy()
    array[index] = value
    return array


def misaligned(array: np.ndarray) -> np.ndarray:
    buffer = bytearray(array.nbytes + 1)
    view = np.frombuffer(buffer, dtype=array.dtype, offset=1).reshape(array.shape)
    view[...] = array
    assert not view.flags.aligned
    return view


def wide(shape: tuple[int, ...], axis: int) -> np.ndarray:
    """Every other entry along an axis of a larger array."""
    larger = list(shape)
    larger[axis] *= 2
    return np.ones(larger)[tuple(slice(None, None, 2) if k == axis else slice(None) for k in range(len(shape)))]


def objects(array: np.ndarray) -> np.ndarray:
    return array.astype(object)


def big_endian(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder(">"))


def standardization(n_features: int = D) -> Standardization:
    return Standardization(np.zeros(n_features), np.ones(n_features), "mean")


# What each array argument must not be: what is made of the good one, the error, what the message says beside the name.

NOT_WEIGHTS: dict[str, tuple] = {
    "float16": (lambda a: a.astype(np.float16), TypeError, "must have dtype float64 or float32 .*float16"),
    "int8": (lambda a: a.astype(np.int8), TypeError, "must have dtype float64 or float32 .*int8"),
    "uint8": (lambda a: a.astype(np.uint8), TypeError, "must have dtype float64 or float32 .*uint8"),
    "bfloat16": (lambda a: a.astype(np.uint16), TypeError, "must have dtype float64 or float32 .*uint16"),
}
MATRIX: dict[str, tuple] = {
    "longdouble": (lambda a: a.astype(np.longdouble), TypeError, "must have dtype"),
    "int64": (lambda a: a.astype(np.int64), TypeError, "must have dtype .*int64"),
    "int16": (lambda a: a.astype(np.int16), TypeError, "must have dtype .*int16.*Convert"),
    "two bytes": (lambda a: np.zeros(a.shape, [("low", "u1"), ("high", "u1")]), TypeError, "must have dtype"),
    "bool": (lambda a: a > 0, TypeError, "must have dtype .*bool"),
    "complex": (lambda a: a.astype(complex), TypeError, "must have dtype .*complex128"),
    "object": (objects, TypeError, "must have dtype .*object"),
    "text": (lambda a: a.astype(str), TypeError, "must have dtype"),
    "big-endian": (big_endian, TypeError, "must have dtype .* in native byte order; got >f8"),
    "list": (lambda a: a.tolist(), TypeError, "must be a NumPy array.*; got list"),
    "None": (lambda a: None, TypeError, "must be a NumPy array.*; got NoneType"),
    "number": (lambda a: 1.0, TypeError, "must be a NumPy array.*; got float"),
    "masked": (lambda a: np.ma.masked_array(a, a > 0), TypeError, "must be an array without a mask; got MaskedArray"),
    "misaligned": (misaligned, ValueError, "must be C-contiguous .* and aligned"),
    "sparse": (scipy.sparse.csc_array, TypeError, "must be (CSR where|dense for|a NumPy array).* got (csc_array|CSC)"),
    "Fortran order": (np.asfortranarray, ValueError, "must be C-contiguous"),
    "every other column": (lambda a: wide(a.shape, 1), ValueError, "must be C-contiguous"),
    "every other row": (lambda a: wide(a.shape, 0), ValueError, "must be C-contiguous"),
    "rows reversed": (lambda a: a[::-1], ValueError, "must be C-contiguous"),
    "broadcast": (lambda a: np.broadcast_to(a[0], a.shape), ValueError, "must be C-contiguous"),
    "one dimension": (lambda a: a[0].copy(), ValueError, "must have 2 dimensions; got shape"),
    "three dimensions": (lambda a: a[None], ValueError, "must have 2 dimensions; got shape"),
    "nan": (lambda a: changed(a, (2, 1), np.nan), ValueError, r"must hold finite numbers only; .*\[2, 1\] is nan"),
    "inf": (lambda a: changed(a, (1, 2), np.inf), ValueError, r"must hold finite numbers only; .*\[1, 2\] is inf"),
    "-inf": (lambda a: changed(a, (2, 2), -np.inf), ValueError, r"must hold finite numbers only; .*\[2, 2\] is -inf"),
    "last is nan": (lambda a: changed(a, (-1, -1), np.nan), ValueError, "must hold finite numbers only; .* is nan"),
}
OF: dict[str, dict] = {
    "X": {
        "no samples": (lambda a: a[:0], ValueError, "must hold at least one sample and one feature; got shape"),
        "no features": (lambda a: np.ones((N, 0)), ValueError, "must hold at least one sample and one feature"),
        "integers of 16 bits": (lambda a: np.full(a.shape, 300, "u2"), ValueError, "integer 300. .*convert integers"),
        "big-endian uint16": (lambda a: a.astype(">u2"), TypeError, r"uint16 \(bit patterns of bfloat16\).*; got >u2"),
        "nan in float16": (lambda a: changed(a, (2, 1), np.nan).astype("f2"), ValueError, r"X\[2, 1\] is nan"),
        "-inf in float16": (lambda a: changed(a, (2, 1), -np.inf).astype("f2"), ValueError, r"X\[2, 1\] is -inf"),
        "nan in bfloat16": (lambda a: changed(stored(a, "bfloat16"), (2, 1), 0xFFC1), ValueError, r"\[2, 1\] is nan.*integers"),
        "-inf in bfloat16": (lambda a: changed(stored(a, "bfloat16"), (2, 1), 0xFF80), ValueError, r"X\[2, 1\] is -inf"),
    },
    "W": {
        "one class": (lambda a: a[:1], ValueError, r"must have at least 2 rows, one per class; got shape \(1, 5\)"),
        "no classes": (lambda a: a[:0], ValueError, "must have at least 2 rows"),
        "too few features": (lambda a: a[:, :-1].copy(), ValueError, "must have one column per feature of X, 5; got shape"),
        "too many features": (lambda a: np.ones((K, D + 1)), ValueError, "must have one column per feature of X, 5"),
    },
    "b": {
        "float32": (lambda a: a.astype(np.float32), TypeError, "must have dtype float64"),
        "int64": (lambda a: a.astype(np.int64), TypeError, "must have dtype float64"),
        "object": (objects, TypeError, "must have dtype float64"),
        "big-endian": (big_endian, TypeError, "must have dtype .* native"),
        "list": (lambda a: a.tolist(), TypeError, "must be a NumPy array; got list"),
        "number": (lambda a: 0.0, TypeError, "must be a NumPy array; got float"),
        "too long": (lambda a: np.ones(K + 1), ValueError, r"must have shape \(3,\); got \(4,\)"),
        "too short": (lambda a: a[:-1], ValueError, r"must have shape \(3,\); got \(2,\)"),
        "a column": (lambda a: a[:, None], ValueError, "must have 1 dimension; got shape"),
        "strided": (lambda a: wide(a.shape, 0), ValueError, "must be C-contiguous"),
        "misaligned": (misaligned, ValueError, "must be C-contiguous"),
        "nan": (lambda a: changed(a, 1, np.nan), ValueError, r"must hold finite numbers only; b\[1\] is nan"),
        "inf": (lambda a: changed(a, 2, -np.inf), ValueError, r"must hold finite numbers only; b\[2\] is -inf"),
    },
    "scores": {
        "no samples": (lambda a: a[:0], ValueError, "must have at least 1 row and 2 columns; got shape"),
        "one class": (lambda a: a[:, :1].copy(), ValueError, "must have at least 1 row and 2 columns; got shape"),
        "no classes": (lambda a: np.ones((N, 0)), ValueError, "must have at least 1 row and 2 columns"),
    },
    "y": {
        "too large": (lambda y: changed(y, 4, K), ValueError, r"must be class indices in \[0, 3\); y\[4\] is 3"),
        "negative": (lambda y: changed(y, 3, -1), ValueError, r"must be class indices in \[0, 3\); y\[3\] is -1"),
        "huge": (lambda y: np.full(N, 2**64 - 1, np.uint64), ValueError, r"y\[0\] is 18446744073709551615"),
        "float": (lambda y: y.astype(float), TypeError, "must hold integer class indices; got dtype float64"),
        "bool": (lambda y: y > 0, TypeError, "must hold integer class indices; got dtype bool"),
        "text": (lambda y: y.astype(str), TypeError, "must hold integer class indices"),
        "object": (objects, TypeError, "must hold integer class indices; got dtype object"),
        "list of floats": (lambda y: [0.0] * N, TypeError, "must hold integer class indices"),
        "ragged list": (lambda y: [[0], [1, 2]], ValueError, "must have one dimension"),
        "number": (lambda y: 1, TypeError, "must be a NumPy array of class indices; got int"),
        "None": (lambda y: None, TypeError, "must be a NumPy array of class indices; got NoneType"),
        "masked": (lambda y: np.ma.masked_array(y, y > 1), TypeError, "without a mask"),
        "too short": (lambda y: y[:-1], ValueError, r"must have shape \(6,\), one label per sample; got shape \(5,\)"),
        "too long": (lambda y: np.zeros(N + 1, int), ValueError, r"one label per sample; got shape \(7,\)"),
        "one-hot": (lambda y: np.eye(K, dtype=int)[y], ValueError, r"one label per sample; got shape \(6, 3\)"),
        "empty": (lambda y: y[:0], ValueError, r"one label per sample; got shape \(0,\)"),
    },
}
SAMPLE_WEIGHTS = {
    "negative": (changed(np.ones(N), 2, -0.5), ValueError, r"must be >= 0; sample_weight\[2\] is -0.5"),
    "nan": (changed(np.ones(N), 2, np.nan), ValueError, r"must hold finite numbers only; sample_weight\[2\] is nan"),
    "inf": (changed(np.ones(N), 5, np.inf), ValueError, r"sample_weight\[5\] is inf"),
    "zero": (np.zeros(N), ValueError, "must have a positive, finite sum; got 0.0"),
    "overflowing": (np.full(N, 1e308), ValueError, "must have a positive, finite sum; got inf"),
    "vanishing": (np.full(N, 5e-324), ValueError, "must have a positive, finite sum; got 3e-323"),
    "too short": (np.ones(N - 1), ValueError, r"must have shape \(6,\), one weight per sample; got shape \(5,\)"),
    "a column": (np.ones((N, 1)), ValueError, r"one weight per sample; got shape \(6, 1\)"),
    "number": (1.0, ValueError, r"one weight per sample; got shape \(\)"),
    "bool": (np.ones(N, bool), TypeError, "must be real numbers; got dtype bool"),
    "complex": (np.ones(N, complex), TypeError, "must be real numbers; got dtype complex128"),
    "text": (["1"] * N, TypeError, "must be real numbers"),
    "object": (objects(np.ones(N)), TypeError, "must be real numbers; got dtype object"),
    "ragged list": ([[1], [1, 2]], ValueError, "must have one dimension"),
    "masked": (np.ma.masked_array(np.ones(N), [True] + 5 * [False]), TypeError, "without a mask"),
}
ALPHAS = {
    "negative": (-1e-9, ValueError, "must be finite and >= 0; got -1e-09"),
    "nan": (math.nan, ValueError, "must be finite"),
    "inf": (math.inf, ValueError, "must be finite"),
    "bool": (True, TypeError, "must be a real number; got True"),
    "text": ("0.1", TypeError, "must be a real number; got '0.1'"),
    "None": (None, TypeError, "must be a real number; got None"),
    "complex": (1j, TypeError, "must be a real number"),
    "array": (np.ones(1), TypeError, "must be a real number"),
}
LOSSES = {
    "unknown": ("soft", ValueError, "must be one of 'weston_watkins', 'crammer_singer', 'softmax', 'squared_weston_watkins'"),
    "of one class": ("hinge", ValueError, "must be one of .*; got 'hinge', whose joint form is 'weston_watkins'"),
    "None": (None, TypeError, r"must be one of WestonWatkins\(\)"),
    "a class": (WestonWatkins, TypeError, r"must be one of WestonWatkins\(\)"),
    "a number": (0, TypeError, "must be one of"),
}
STANDARDIZATIONS = {
    "too short": (standardization(D - 1), ValueError, "must have one entry per feature of X, 5; got 4"),
    "too long": (standardization(D + 1), ValueError, "must have one entry per feature of X, 5; got 6"),
    "a name": ("mean", TypeError, "must be a Standardization or None; got str"),
    "a pair": ((np.zeros(D), np.ones(D)), TypeError, "must be a Standardization or None; got tuple"),
}
BACKENDS = {
    "unknown": ("cuda", ValueError, "must be one of 'auto', 'native', 'numba', 'reference'; got 'cuda'"),
    "empty": ("", ValueError, "must be one of"),
    "capitals": ("Native", ValueError, "must be one of"),
    "a number": (1, TypeError, "must be one of"),
}
THREADS = {
    "zero": (0, ValueError, "must not be 0"),
    "text": ("2", TypeError, "must be an integer; got '2'"),
    "float": (1.5, TypeError, "must be an integer; got 1.5"),
    "whole float": (2.0, TypeError, "must be an integer; got 2.0"),
    "bool": (True, TypeError, "must be an integer; got True"),
}


def wrong(name: str) -> dict[str, tuple]:
    """What an array argument must not be."""
    kinds = {"X": (MATRIX,), "W": (MATRIX, NOT_WEIGHTS), "scores": (MATRIX, NOT_WEIGHTS)}.get(name, ())
    return {case: row for table in (*kinds, OF[name]) for case, row in table.items()}


#: (entry point, argument, what is wrong with it, its bad value or what makes it of the good one, error, message)
TABLE = [
    *[(entry, name, case, *row) for entry in EVERY for name in good(entry) for case, row in wrong(name).items()],
    *[(entry, "sample_weight", case, *row) for entry in WITH_LABELS for case, row in SAMPLE_WEIGHTS.items()],
    *[(entry, "alpha", case, *row) for entry in WITH_WEIGHTS for case, row in ALPHAS.items()],
    *[(entry, "loss", case, *row) for entry in WITH_LABELS for case, row in LOSSES.items()],
    *[(entry, "standardization", case, *row) for entry in ON_SAMPLES for case, row in STANDARDIZATIONS.items()],
    *[(entry, "backend", case, *row) for entry in EVERY for case, row in BACKENDS.items()],
    *[(entry, "n_threads", case, *row) for entry in EVERY for case, row in THREADS.items()],
]  # fmt: skip


def refuse(entry: str, arguments: dict, error: type[Exception], message: str) -> None:
    """The call raises just that, and its arguments are afterwards what they were."""
    before = copy.deepcopy(arguments)
    with pytest.raises(error, match=message):
        getattr(fastsvm, entry)(**arguments | ({"k": 2} if entry == "top_k" else {}))
    for name, value in arguments.items():
        if isinstance(value, np.ndarray):
            assert np.asarray(value).tobytes() == np.asarray(before[name]).tobytes(), name
        elif isinstance(value, (list, str, int, float)):
            assert value == before[name] or value != value, name


@pytest.mark.parametrize(
    ("entry", "name", "case", "bad", "error", "message"), TABLE, ids=[f"{row[0]}-{row[1]}-{row[2]}" for row in TABLE]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning:fastsvm.backends.reference")
def test_refused(entry, name, case, bad, error, message):
    arguments = {"backend": "reference"} | good(entry)
    arguments[name] = bad(arguments[name]) if name in good(entry) else bad
    refuse(entry, arguments, error, rf"^{name}\b.*{message}")


@pytest.mark.parametrize("entry", ON_SAMPLES)
def test_float64_samples_with_float32_weights_are_refused(entry):
    arguments = good(entry) | {"W": np.ones((K, D), np.float32), "b": None}
    refuse(entry, arguments, TypeError, "^X is float64 and W is float32: .* X would lose precision")
    arguments["b"] = np.ones(K)
    refuse(entry, arguments, TypeError, "^b must have dtype float32 .* got <f8")


@pytest.mark.parametrize("entry", EVERY)
def test_a_wrong_backend_in_the_environment_is_refused(entry, monkeypatch):
    monkeypatch.setattr(backends, "_selected", None)
    monkeypatch.setenv("FASTSVM_BACKEND", "gpu")
    refuse(entry, good(entry), ValueError, "^FASTSVM_BACKEND must be one of 'auto', 'native', 'numba', 'reference'; got 'gpu'")


@pytest.mark.parametrize("name", ["FASTSVM_NUM_THREADS", "OMP_NUM_THREADS"])
@pytest.mark.parametrize("entry", EVERY)
def test_a_wrong_thread_count_in_the_environment_is_refused(entry, name, monkeypatch):
    monkeypatch.delenv("FASTSVM_NUM_THREADS", raising=False)
    monkeypatch.setenv(name, "two")
    refuse(entry, good(entry), ValueError, f"^{name} must be an integer; got 'two'")


# What only the kernels can see: on every backend


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("entry", EVERY)
@pytest.mark.parametrize("backend", backends.NAMES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning:fastsvm.backends.reference")
def test_non_finite_numbers_are_found_wherever_they_are(backend, entry, dtype, bad):
    clean = {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in good(entry).items()}
    for name in clean.keys() - {"y"}:
        for place in np.ndindex(clean[name].shape):
            arguments = clean | {name: changed(clean[name], place, bad), "backend": backend}
            where = re.escape(f"{name}{list(place)} is {bad}")
            refuse(entry, arguments, ValueError, f"^{name} must hold finite numbers only; {where}$")


@pytest.mark.parametrize("loss", [WestonWatkins(), WestonWatkins(squared=True), fastsvm.CrammerSinger(), Softmax()], ids=repr)
@pytest.mark.parametrize("entry", EVERY)
@pytest.mark.parametrize("backend", backends.NAMES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning:fastsvm.backends.reference")
def test_overflow_is_told_from_bad_numbers(backend, entry, loss):
    for dtype, size in ((np.float64, 1e200), (np.float32, 1e30)):
        arguments = {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in good(entry).items()}
        if entry == "score_loss_and_gradient":
            arguments["scores"] = np.full((N, K), np.finfo(dtype).max, dtype)
            arguments["scores"][:, 0] *= -1
        else:
            arguments |= {"W": np.full((K, D), size, dtype), "X": np.full((N, D), size, dtype)}
        if entry not in PREDICTIONS:
            arguments["loss"] = loss
        refuse(entry, arguments | {"backend": backend}, OverflowError, f"overflow {np.dtype(dtype).name}")


@pytest.mark.parametrize("entry", WITH_WEIGHTS)
@pytest.mark.parametrize("backend", backends.NAMES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning:fastsvm.backends.reference")
def test_overflow_of_the_penalty(backend, entry):
    arguments = good(entry) | {"W": np.full((K, D), 1e160), "X": np.zeros((N, D)), "alpha": 1.0}
    refuse(entry, arguments | {"backend": backend}, OverflowError, "overflow float64")
