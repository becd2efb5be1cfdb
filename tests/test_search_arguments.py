"""What the searches take and refuse, and what they reach on real data."""

from __future__ import annotations

import numpy as np
import pytest

import fastsvm
from fastsvm.search import random_local_search, random_search

X, Y = np.arange(24.0).reshape(8, 3) % 7, np.arange(8) % 2
SEARCHES = (random_search, random_local_search)
QUICK = {"n_attempts": 3}

REFUSED = (
    ({"n_attempts": 0}, ValueError, "n_attempts must be an integer >= 1; got 0"),
    ({"n_attempts": 2.0}, TypeError, "n_attempts must be an integer; got 2.0"),
    ({"scale": 0}, ValueError, "scale must be finite and > 0; got 0"),
    ({"scale": None}, TypeError, "scale must be a real number; got None"),
    ({"alpha": -1.0}, ValueError, "alpha must be finite and >= 0"),
    ({"loss": "hinge"}, ValueError, "loss must be one of 'weston_watkins'"),
    ({"fit_intercept": 1}, TypeError, "fit_intercept must be True or False"),
    ({"penalize_intercept": None}, TypeError, "penalize_intercept must be True or False"),
    ({"n_classes": 1}, ValueError, "n_classes must be an integer >= 2; got 1"),
    ({"sample_weight": np.ones(7)}, ValueError, r"sample_weight must have shape \(8,\)"),
    ({"standardize": "std"}, ValueError, "standardize must be one of 'none', 'mean'"),
    ({"dtype": "float16"}, TypeError, "dtype must be float64 or float32, or None; got 'float16'"),
    ({"dtype": "float32"}, TypeError, "X is float64 and W is float32"),
    ({"seed": -1}, ValueError, "seed must be an integer >= 0; got -1"),
    ({"callbacks": print}, TypeError, "callbacks must be a sequence of callables; got .*put it in a list"),
    ({"callbacks": [3]}, TypeError, r"callbacks\[0\] must be callable as callback\(attempt\); got 3"),
    ({"resume": 3}, TypeError, "resume must be a SearchResult; got int"),
    ({"backend": "cuda"}, ValueError, "backend must be one of"),
    ({"n_threads": 0}, ValueError, "n_threads must not be 0"),
    ({"y": Y[:7]}, ValueError, r"y must have shape \(8,\)"),
    ({"y": np.zeros(8, int)}, ValueError, "y must hold at least two classes, or n_classes be given"),
    (
        {"X": np.where(X == 3, np.nan, X), "standardize": "none"},
        ValueError,
        r"X must hold finite numbers only; X\[1, 0\] is nan",
    ),
    ({"X": X[0]}, ValueError, "X must have 2 dimensions"),
    (
        {"scale": 1e300, "standardize": "none", "X": X * 1e10},
        OverflowError,
        r"overflow float64. Make scale smaller \(it is 1e\+300\)",
    ),
    (
        {"scale": 1e35, "dtype": "float32", "X": 1e6 * X.astype(np.float32)},
        OverflowError,
        r"Make scale smaller \(it is 1e\+35\), scale X down, or use dtype='float64'",
    ),
    (
        {"scale": 1e60, "X": X.astype(np.float32)},
        ValueError,
        r"scale must be a positive number up to 3e\+35 for weights in float32; got 1e\+60",
    ),
)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    ("change", "error", "message"), REFUSED, ids=lambda value: "-".join(value) if type(value) is dict else ""
)
def test_what_is_refused(search, change, error, message):
    given = {"X": X, "y": Y, **QUICK, **change}
    with pytest.raises(error, match=message):
        search(given.pop("X"), given.pop("y"), **given)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"step": 0.0}, ValueError, "step must be finite and > 0; got 0.0"),
        ({"step": None}, TypeError, "step must be a real number; got None"),
        (
            {"step": 1e-60, "dtype": None, "X": X.astype(np.float32)},
            ValueError,
            "step must be a positive number up to 3e.35 for weights in float32; got 1e-60",
        ),
        ({"step": 1e304, "X": 1e6 * X}, OverflowError, r"Make step smaller \(it is 1e\+304\), scale X down$"),
        ({"W": np.zeros((2, 4))}, ValueError, "W must have one column per feature of X, 3"),
        ({"W": np.full((2, 3), np.inf)}, ValueError, "W must hold finite numbers only"),
        ({"W": np.full((2, 3), 1e308), "b": np.zeros(2)}, OverflowError, "Make W smaller, scale X down"),
        ({"b": np.zeros(2)}, ValueError, "b must be None without W"),
        (
            {"W": np.zeros((2, 3)), "b": np.zeros(2), "fit_intercept": False},
            ValueError,
            "b must be None with fit_intercept=False",
        ),
    ],
)
def test_what_a_local_search_refuses(change, error, message):
    given = {"X": X, **QUICK, **change}
    with pytest.raises(error, match=message):
        random_local_search(given.pop("X"), Y, **given)


@pytest.mark.parametrize("search", SEARCHES)
def test_what_cannot_be_resumed(search):
    result = search(X, Y, **QUICK)
    changes = {
        "alpha": 0.5, "loss": "softmax", "fit_intercept": False, "penalize_intercept": True, "n_classes": 3,
        "dtype": "float32", "standardize": "none", "scale" if search is random_search else "step": 0.5,
    }  # fmt: skip
    for name, value in changes.items():
        with pytest.raises(ValueError, match=f"{name} must be that of the search to resume, .*; got "):
            search(X, Y, resume=result, **{"n_attempts": 5, name: value})
    with pytest.raises(ValueError, match="n_features must be that of the search to resume, 3; got 2"):
        search(X[:, :2].copy(), Y, n_attempts=5, resume=result)
    with pytest.raises(ValueError, match="n_attempts counts those of resume too and must be >= 3; got 2"):
        search(X, Y, n_attempts=2, resume=result)
    other = next(other for other in SEARCHES if other is not search)
    with pytest.raises(ValueError, match=r"resume must be the result of a [rl].* search; got"):
        other(X, Y, resume=result)
    with pytest.raises(ValueError, match="W and b must be None with resume"):
        random_local_search(X, Y, resume=random_local_search(X, Y, **QUICK), W=np.zeros((2, 3)))


def test_steps_whose_squares_overflow():
    result = random_local_search(X, Y, step=1e200, **QUICK)
    assert np.isfinite(result.losses).all()
    assert not result.accepted.any()


def test_where_a_local_search_starts():
    W, b = np.random.default_rng(1).normal(size=(2, 3)), np.array([0.5, -0.5])
    for settings, start in (({"W": W, "b": b}, b), ({"W": W}, np.zeros(2))):
        result = random_local_search(X, Y, standardize=None, step=1e-3, **QUICK, **settings)
        assert result.initial_loss == fastsvm.loss_value(W, X, Y, start)
        assert result.scale is None
        assert 0 < np.abs(result.W - W).max() < 0.1
    assert np.array_equal(b, [0.5, -0.5])
    assert random_local_search(X.astype(np.float32), Y, W=W, **QUICK).W.dtype == np.float64


@pytest.mark.slow
def test_the_lectures_figures_on_cifar_10(data_dir):
    """The lectures report test accuracies of 15.5% and 21.4% after 1,000 attempts; a fifth of the data gives the same."""
    folder = data_dir / "cifar-10-batches-bin"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    data = fastsvm.load(folder)
    X, y = data.X[:10_000], data.y[:10_000]
    found = random_search(X, y, n_attempts=1000, scale=1e-4)
    assert 0.12 <= found.evaluate(data.X_test, data.y_test)[1] <= 0.19
    found = random_local_search(X, y, n_attempts=1000, scale=1e-3, step=1e-4)
    assert 0.19 <= found.evaluate(data.X_test, data.y_test)[1] <= 0.23
