"""check_objective_gradient: every gradient of every backend, kinks by hand, and gradients that are wrong on purpose."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from fastsvm import CrammerSinger, Softmax, WestonWatkins, backends, fit_standardization
from fastsvm.gradients import WRT, check_objective_gradient
from fastsvm.gradients import objective as gradients
from tables import STORAGES, pairwise, stored

BACKENDS = backends.NAMES
LOSSES = [WestonWatkins(), WestonWatkins(delta=0.7, squared=True), CrammerSinger(), CrammerSinger(delta=2.5), Softmax()]
N, D, K = 37, 11, 4


def problem(dtype, storage="float32", seed=0):
    """Weights, samples and labels whose margins are of either sign."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 256, size=(N, D)) if storage == "uint8" else rng.normal(size=(N, D)) * (40 if storage == "int8" else 1)
    W, b = rng.normal(size=(K, D)).astype(dtype), rng.normal(size=K).astype(dtype)
    return {"W": W, "X": stored(X, storage), "y": rng.integers(0, K, size=N), "b": b}


@pytest.mark.parametrize(
    ("way", "loss", "stored"),
    pairwise([*product(BACKENDS, WRT)], LOSSES, [*product(["float64"], STORAGES[:4]), ("float32", "float32")]),
    ids=str,
)
def test_every_gradient_passes(way, loss, stored):
    (backend, wrt), (dtype, storage) = way, stored
    arguments = problem(dtype, storage)
    weight = np.random.default_rng(1).random(N)
    before = {name: array.copy() for name, array in arguments.items()}
    check = check_objective_gradient(
        **arguments, loss=loss, alpha=0.3, sample_weight=weight, wrt=wrt, penalize_intercept=True, backend=backend,
        n_coordinates=None,
    )  # fmt: skip
    assert check.passed, str(check)
    shape = {"W": (K, D), "b": (K,), "X": (N, D), "scores": (N, K)}[wrt]
    assert len(check.indices) == np.prod(shape)
    assert check.n_kinks < 0.05 * len(check.indices)
    assert check.tolerance == (1e-3 if dtype == "float32" else 1e-6)
    # The noise floor is no cover: the typical entry stands far above it.
    assert check.noise < (2e-5 if dtype == "float32" else 2e-6) * np.abs(check.analytic).max()
    for name, array in before.items():
        np.testing.assert_array_equal(arguments[name], array)


@pytest.mark.parametrize(
    ("way", "kind", "dtype"),
    pairwise([*product(BACKENDS, WRT)], ["mean", "mean+std", "scale"], ["float64", "float32"]),
    ids=str,
)
def test_through_the_standardization_of_pixels(way, kind, dtype):
    backend, wrt = way
    arguments = problem(dtype, "uint8")
    arguments["W"] *= 0.1 if kind != "mean" else 0.001
    check = check_objective_gradient(
        **arguments, standardization=fit_standardization(arguments["X"], kind), wrt=wrt, backend=backend
    )
    assert check.passed, str(check)
    assert check.n_kinks < 0.05 * len(check.indices)


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_an_intercept(backend):
    arguments = problem("float64") | {"b": None}
    for wrt in ("W", "X", "scores"):
        assert check_objective_gradient(**arguments, wrt=wrt, backend=backend).passed
    with pytest.raises(ValueError, match="b must be given"):
        check_objective_gradient(**arguments, wrt="b", backend=backend)


def test_a_hundred_of_the_weights_of_cifar():
    rng = np.random.default_rng(0)
    W = (0.01 * rng.normal(size=(10, 3072))).astype(np.float32)
    X, y = rng.integers(0, 256, size=(60, 3072), dtype=np.uint8), rng.integers(0, 10, 60)
    check = check_objective_gradient(W, X, y, standardization=fit_standardization(X, "mean+std"), alpha=1e-3)
    assert check.passed, str(check)
    assert len(check.indices) == 100


@pytest.mark.parametrize("wrt", ["W", "X"])
def test_samples_in_several_tiles(monkeypatch, wrt):
    arguments = problem("float64")
    whole = check_objective_gradient(**arguments, wrt=wrt, alpha=0.1)
    monkeypatch.setattr(gradients, "_TILE", 5 * D)
    tiled = check_objective_gradient(**arguments, wrt=wrt, alpha=0.1)
    np.testing.assert_array_equal(tiled.kink, whole.kink)
    np.testing.assert_allclose(tiled.numerical, whole.numerical, atol=whole.noise)
    assert tiled.passed


# Gradients that are wrong on purpose


def bent(bend):
    """loss_and_gradient with its gradient on W passed through ``bend(dW, W)``."""
    right = gradients.loss_and_gradient

    def wrong(W, *args, **kwargs):
        value, dW, db = right(W, *args, **kwargs)
        return value, bend(dW, W), None if db is None else bend(db, db)

    return wrong


BENDS = {
    "sign": lambda g, w: -g,
    "one class": lambda g, w: np.where(np.arange(len(g)).reshape(-1, *[1] * (g.ndim - 1)) == 1, 1.01 * g, g),
    "sum instead of mean": lambda g, w: N * g,
    "no penalty": lambda g, w: g - 0.3 * w,
    "twice the penalty": lambda g, w: g + 0.3 * w,
    "a constant": lambda g, w: g + g.dtype.type(1e-2),
    "zero": lambda g, w: 0 * g,
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("wrt", ["W", "b"])
@pytest.mark.parametrize("bend", BENDS)
def test_a_wrong_gradient_fails(monkeypatch, bend, wrt, dtype):
    monkeypatch.setattr(gradients, "loss_and_gradient", bent(BENDS[bend]))
    check = check_objective_gradient(**problem(dtype), alpha=0.3, penalize_intercept=True, wrt=wrt, backend="reference")
    assert not check.passed


@pytest.mark.parametrize("wrt", ["X", "scores"])
def test_a_wrong_gradient_on_samples_or_scores_fails(monkeypatch, wrt):
    name = {"X": "data_gradient", "scores": "score_loss_and_gradient"}[wrt]
    right = getattr(gradients, name)

    def wrong(*args, **kwargs):
        value, gradient = right(*args, **kwargs)
        gradient[3] *= 1.001
        return value, gradient

    monkeypatch.setattr(gradients, name, wrong)
    check = check_objective_gradient(**problem("float64"), wrt=wrt, n_coordinates=None, backend="reference")
    assert not check.passed
    assert check.worst[0] == 3
    assert {int(i) for i, _ in check.indices[check.relative_error > check.tolerance]} == {3}


def test_a_gradient_that_forgets_the_sample_weights_fails(monkeypatch):
    right = gradients.loss_and_gradient
    monkeypatch.setattr(gradients, "loss_and_gradient", lambda *args, **kw: right(*args, **(kw | {"sample_weight": None})))
    weight = np.linspace(0.5, 1.5, N)
    assert not check_objective_gradient(**problem("float64"), sample_weight=weight, backend="reference").passed
    assert check_objective_gradient(**problem("float64"), sample_weight=np.ones(N), backend="reference").passed


# Kinks, by hand. One sample x = 1 of class 0.


def kinks(W, loss, wrt, **kwargs):
    W = np.array(W, dtype=np.float64)
    check = check_objective_gradient(W, np.ones((1, 1)), np.array([0]), np.zeros(len(W)), loss, wrt=wrt, **kwargs)
    return check


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loss", [WestonWatkins(), WestonWatkins(squared=True), CrammerSinger()], ids=repr)
def test_a_margin_of_zero_is_a_kink(loss, backend):
    # Margins 0 − 1 + 1 = 0 and −3 − 1 + 1 = −3: class 0 and 1 meet the kink, class 2 has a margin to spare.
    for wrt in ("W", "b", "scores"):
        check = kinks([[1.0], [0.0], [-3.0]], loss, wrt, backend=backend)
        assert check.kink.tolist() == [True, True, False]
        assert check.analytic.tolist() == [0.0, 0.0, 0.0]
        assert check.passed
        assert check.worst[-1 if wrt == "scores" else 0] == 2
    check = kinks([[1.0], [0.0], [-3.0]], loss, "X", backend=backend)
    assert check.kink.tolist() == [True]
    assert not check.passed
    # The same weights with a smaller Δ or a larger one are clear of it.
    for delta in (0.99, 1.01):
        moved = type(loss)(**{**vars(loss), "delta": delta})
        assert kinks([[1.0], [0.0], [-3.0]], moved, "W", backend=backend).kink.tolist() == [False, False, False]


@pytest.mark.parametrize(("h", "expected"), [(1e-5, False), (1e-2, True)])
def test_a_kink_is_a_matter_of_the_step(h, expected):
    # Margin 0 − 1.005 + 1 = −0.005.
    check = kinks([[1.005], [0.0]], WestonWatkins(), "W", h=h)
    assert check.kink.tolist() == [expected, expected]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_tie_for_the_largest_margin_is_a_kink_of_crammer_singer_only(backend):
    # Margins of class 1 and 2: both 3. Moving the score of class 0 moves both alike.
    W = [[0.0], [2.0], [2.0], [-2.0]]
    check = kinks(W, CrammerSinger(), "scores", backend=backend)
    assert check.kink.tolist() == [False, True, True, False]
    assert check.analytic.tolist() == [-1.0, 1.0, 0.0, 0.0]
    assert not kinks(W, WestonWatkins(), "scores", backend=backend).kink.any()
    assert check.passed


def test_a_near_tie_is_a_kink_where_the_step_decides_it():
    # Margins 3 and 3 + 1e-7: a step of 1e-5 along the score of either class makes the other one the largest, or leaves it so.
    W = [[0.0], [2.0], [2.0 + 1e-7], [-2.0]]
    check = kinks(W, CrammerSinger(), "scores")
    assert check.kink.tolist() == [False, True, True, False]
    assert check.analytic.tolist() == [-1.0, 0.0, 1.0, 0.0]
    assert check.passed
    assert not kinks(W, CrammerSinger(), "scores", h=1e-8).kink.any()


def test_softmax_has_no_kinks():
    for wrt in WRT:
        check = kinks([[1.0], [0.0], [-3.0]], Softmax(), wrt)
        assert not check.kink.any()
        assert check.passed


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loss", [WestonWatkins(), CrammerSinger()], ids=repr)
def test_margins_within_the_rounding_of_float32_are_in_doubt(loss, backend):
    # The margin 1e-8 − 1 + 1 is positive, but no more than 0 where scores are float32: that gradient is 0. The step
    # along the second feature, 1e-5 · 1e-4, does not reach the kink.
    W = np.array([[1.0, 0.0], [1e-8, 0.0], [-9.0, 0.0]])
    X, y = np.array([[1.0, 1e-4]], dtype=np.float32), np.array([0])
    for dtype, kink in ((np.float32, [True, True, False]), (np.float64, [False, False, False])):
        check = check_objective_gradient(W.astype(dtype), X, y, loss=loss, backend=backend)
        assert check.kink.reshape(3, 2)[:, 1].tolist() == kink
        assert check.kink.reshape(3, 2)[:, 0].tolist() == [True, True, False]
        assert check.passed, str(check)
    for wrt in ("X", "scores"):
        assert check_objective_gradient(W.astype(np.float32), X, y, loss=loss, wrt=wrt, backend=backend).n_kinks == 2


def test_contenders_in_doubt():
    y, delta = np.array([0]), 1.0
    error = np.full((1, 4), 1e-6)

    def doubt(scores, loss):
        return gradients._in_doubt(np.array([scores]), error, y, loss)[0].tolist()

    ww, cs = WestonWatkins(delta), CrammerSinger(delta)
    # Margins 3, 3 + 1e-7 and −5: a close race for the maximum, decided for Weston-Watkins.
    assert doubt([0.0, 2.0, 2.0 + 1e-7, -6.0], cs) == [False, True, True, False]
    assert doubt([0.0, 2.0, 2.0 + 1e-7, -6.0], ww) == [False, False, False, False]
    # Margins 3, 1e-7 and −5: the other way about.
    assert doubt([0.0, 2.0, -1.0 + 1e-7, -6.0], cs) == [False, False, False, False]
    assert doubt([0.0, 2.0, -1.0 + 1e-7, -6.0], ww) == [True, False, True, False]
    # The largest margin about 0, from either side; and all of them clearly negative.
    for sign in (1, -1):
        assert doubt([0.0, -1.0 + sign * 1e-7, -3.0, -6.0], cs) == [True, True, False, False]
    assert doubt([0.0, -1.1, -3.0, -6.0], cs) == [False] * 4
    assert doubt([0.0, 2.0, 2.0, 2.0], Softmax()) == [False] * 4


BAD = {
    "wrt": ({"wrt": "alpha"}, ValueError, "wrt must be one of 'W', 'b', 'X', 'scores'; got 'alpha'"),
    "wrt type": ({"wrt": None}, TypeError, "wrt must be one of"),
    "h": ({"h": 0.0}, ValueError, "h must be finite and > 0; got 0.0"),
    "n_coordinates": ({"n_coordinates": 0}, ValueError, "n_coordinates must be"),
    "tolerance": ({"tolerance": -1.0}, ValueError, "tolerance must be"),
    "loss": ({"loss": "hinge"}, ValueError, "loss must be one of"),
    "alpha": ({"alpha": -1.0}, ValueError, "alpha must be"),
    "backend": ({"backend": "cuda"}, ValueError, "backend must be one of"),
    "n_threads": ({"n_threads": 0}, ValueError, "n_threads must not be 0"),
    "W": ({"W": [[1.0]]}, TypeError, "W must be a NumPy array"),
    "X": ({"X": np.full((N, D), np.nan)}, ValueError, r"X\[0, 0\] is nan"),
    "y": ({"y": np.full(N, K)}, ValueError, rf"y\[0\] is {K}"),
    "b": ({"b": np.zeros(K + 1)}, ValueError, "b must have shape"),
    "sample_weight": ({"sample_weight": np.zeros(N)}, ValueError, "sample_weight must have a positive"),
}


@pytest.mark.parametrize("wrt", WRT)
@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case, wrt):
    change, error, message = BAD[case]
    with pytest.raises(error, match=message):
        check_objective_gradient(**problem("float64") | {"wrt": wrt, "backend": "reference"} | change)
