"""Losses at combinations of scores, scores of many candidates, and difference quotients by structure: every backend against
the reference and against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

import fastsvm
import tables
from fastsvm import backends
from fastsvm.combinations import candidate_scores, combination_losses
from fastsvm.gradients import numerical_gradient, numerical_objective_gradient
from fastsvm.losses import CrammerSinger, Softmax, WestonWatkins
from registrations import Registrations


def linear(scores, y, dscores, slope):
    """``slope (Σ_j s_j − n_classes s_y)``: no hinge at all."""
    total = scores[y] - scores[y]
    for j in range(len(scores)):
        dscores[j] = slope
        total += scores[j] - scores[y]
    dscores[y] = slope * (1 - len(scores))
    return slope * total


def relative(scores):
    """Scores less those of the last class, which is what the losses see."""
    return scores - scores[..., -1:]


def test_losses_along_a_line_by_hand():
    scores = np.array([[[1.0, 0.0, 0.5]], [[0.0, 2.0, -1.0]]])
    # s = (1, 2a, 0.5 − a): max(0, 2a) + max(0, 0.5 − a)
    found = combination_losses(scores, [[1, 0], [1, 0.25], [1, 2], [1, -1]], np.array([0]))
    assert found.tolist() == [0.5, 0.75, 4.0, 1.5]
    assert combination_losses(scores, [[1, 2]], np.array([0]), CrammerSinger()).tolist() == [4.0]
    assert combination_losses(scores, [[1, 2]], np.array([0]), WestonWatkins(squared=True)).tolist() == [16.0]
    expected = np.log(np.exp([1, 4, -1.5]).sum()) - 1
    assert combination_losses(scores, [[1, 2]], np.array([0]), Softmax()) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("shape", "loss", "dtype"),
    tables.pairwise([(1, 1, 2, 1), (3, 130, 10, 50), (2, 2500, 5, 7), (4, 70, 130, 3)], tables.LOSSES, ["float32", "float64"]),
    ids=str,
)
def test_combination_losses(backend, loss, shape, dtype):
    k, n, n_classes, n_points = shape
    rng = np.random.default_rng(n)
    scores, coefficients = rng.normal(size=(k, n, n_classes)).astype(dtype), rng.normal(size=(n_points, k))
    y, weight = rng.integers(0, n_classes, n), rng.uniform(0.5, 2, n)
    for sample_weight in (None, weight):
        expected = combination_losses(scores.astype("float64"), coefficients, y, loss, sample_weight, backend="reference")
        name = backend.__name__.rpartition(".")[2]
        found = [
            combination_losses(scores, coefficients, y, loss, sample_weight, backend=name, n_threads=threads)
            for threads in tables.THREADS
        ]
        tables.assert_same_bits([(values,) for values in found])
        tables.assert_close(found[0], expected, dtype)
    if k > 1:  # the first of the matrices as the base
        with_base = combination_losses(scores[1:], coefficients[:, 1:], y, loss, weight, base=scores[0], backend=name)
        coefficients[:, 0] = 1
        tables.assert_close(with_base, combination_losses(scores, coefficients, y, loss, weight, backend="reference"), dtype)


def test_combination_losses_on_every_level(level, loss):
    rng = np.random.default_rng(0)
    scores, coefficients, y = rng.normal(size=(3, 90, 10)), rng.normal(size=(4, 3)), rng.integers(0, 10, 90)
    for dtype in ("float32", "float64"):
        found = combination_losses(scores.astype(dtype), coefficients, y, loss, backend="native")
        tables.assert_close(found, combination_losses(scores, coefficients, y, loss, backend="reference"), dtype)


def test_a_registered_loss():
    rng = np.random.default_rng(0)
    scores, y, X, W = rng.normal(size=(2, 30, 4)), rng.integers(0, 4, 30), rng.normal(size=(30, 3)), np.zeros((4, 3))
    with Registrations():
        loss = fastsvm.register_loss("linear_in_scores", linear, slope=1.0)(slope=0.5)
        for name in ("numba", "reference"):
            found = combination_losses(scores, [[1, 0.5]], y, loss, backend=name)
            at = scores[0] + 0.5 * scores[1]
            assert found[0] == pytest.approx(0.5 * np.mean(at.sum(axis=1) - 4 * at[np.arange(30), y]), rel=1e-12)
            dW, _ = numerical_objective_gradient(W, X, y, loss=loss, backend=name)
            assert dW == pytest.approx(fastsvm.loss_and_gradient(W, X, y, loss=loss, backend="reference")[1], rel=1e-9)
        with pytest.raises(ValueError, match="backend must be 'numba', 'reference' or 'auto'"):
            combination_losses(scores, [[1, 0.5]], y, loss, backend="native")


def test_scores_that_are_not_finite_are_named():
    scores = np.zeros((2, 3, 4))
    scores[1, 2, 3] = np.nan
    for name in backends.NAMES:
        for loss in tables.LOSSES:
            with pytest.raises(ValueError, match=r"scores\[1, 2, 3\] is nan"):
                combination_losses(scores, [[1, 1]], np.zeros(3, int), loss, backend=name)
    with pytest.raises(OverflowError, match="overflow float32"):
        combination_losses(np.full((1, 2, 2), [0, 1e38], np.float32), [[100.0]], np.zeros(2, int))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": np.zeros((2, 3))}, "scores must have 3 dimensions"),
        ({"scores": np.zeros((2, 3, 1))}, "scores must have shape"),
        ({"base": np.zeros((2, 4))}, r"base must have shape \(3, 4\)"),
        ({"coefficients": [[1.0]]}, r"coefficients must be numbers of shape \(at least 1, 2\)"),
        ({"coefficients": [[1.0, 2.0], [1.0]]}, "coefficients must have two dimensions, rows of 2 numbers"),
        ({"coefficients": [[1.0, np.inf]]}, "coefficients must hold finite numbers only"),
        ({"y": np.array([0, 1, 4])}, r"y must be class indices in \[0, 4\)"),
        ({"sample_weight": [1.0]}, "sample_weight must have shape"),
    ],
)
def test_wrong_arguments_of_combination_losses(change, message):
    arguments = {"scores": np.zeros((2, 3, 4)), "coefficients": [[1, 2]], "y": np.zeros(3, int)} | change
    with pytest.raises((ValueError, TypeError), match=message):
        combination_losses(**arguments)


@pytest.mark.parametrize(("storage", "count"), [*zip(tables.STORAGES, (1, 3, 17, 17, 1, 3), strict=True)])
def test_candidate_scores(backend, storage, count):
    rng = np.random.default_rng(count)
    X = tables.raw_samples(rng, (40, 70), storage)
    dtype = "float64" if storage == "float64" else "float32"
    Ws, bs = (rng.normal(size=(count, 6, 70)) * 0.02).astype(dtype), rng.normal(size=(count, 6)).astype(dtype)
    statistics = fastsvm.fit_standardization(X, "mean+std")
    name = backend.__name__.rpartition(".")[2]
    for standardization, intercepts in ((None, None), (statistics, bs)):
        found = candidate_scores(X, Ws, intercepts, standardization=standardization, backend=name)
        for k in range(count):
            b = None if intercepts is None else intercepts[k].astype("float64")
            expected = fastsvm.decision_scores(
                Ws[k].astype("float64"), X, b, standardization=standardization, backend="reference"
            )
            tables.assert_close(relative(found[k]), relative(expected), dtype)


@pytest.mark.parametrize("storage", ["uint8", "int8", "float32"])
def test_scores_of_many_candidates_on_many_bytes(storage):
    """From 4,096 rows and 16 candidates on bytes take two digits: the scores are good to 1e-3 of their spread."""
    rng = np.random.default_rng(0)
    X = tables.raw_samples(rng, (5000, 130), storage)
    Ws = (rng.normal(size=(20, 4, 130)) * 1e-3).astype("float32")
    found = [candidate_scores(X, Ws, backend="native", n_threads=threads) for threads in tables.THREADS]
    tables.assert_same_bits([(scores,) for scores in found])
    for k in (0, 19):
        expected = relative(fastsvm.decision_scores(Ws[k].astype("float64"), X, backend="reference"))
        error = np.abs(relative(found[0][k]) - expected)
        assert error.max() < 1e-3 * expected.std()
        assert abs(np.mean(relative(found[0][k]) - expected)) < 2e-5 * expected.std()


def test_candidates_that_do_not_fit():
    with pytest.raises(ValueError, match="Ws must have shape"):
        candidate_scores(np.zeros((3, 2)), np.zeros((1, 2, 3)))
    with pytest.raises(ValueError, match="X must hold finite numbers only"):
        candidate_scores(np.array([[np.nan]]), np.ones((2, 2, 1)))


@pytest.mark.parametrize(
    ("loss", "storage", "method"),
    tables.pairwise(tables.LOSSES, ["float64", "uint8", "bfloat16"], ["central", "forward"]),
    ids=str,
)
def test_numerical_gradient_by_structure_equals_the_generic_one(backend, loss, storage, method):
    rng = np.random.default_rng(3)
    X, y = tables.raw_samples(rng, (25, 6), storage), rng.integers(0, 4, 25)
    statistics = fastsvm.fit_standardization(X, "mean+std") if storage == "uint8" else None
    W, b = rng.normal(size=(4, 6)) * 0.3, rng.normal(size=4)
    settings = {
        "loss": loss, "alpha": 0.3, "sample_weight": rng.uniform(0.5, 2, 25), "standardization": statistics,
        "penalize_intercept": True,
    }  # fmt: skip
    name = backend.__name__.rpartition(".")[2]
    dW, db = numerical_objective_gradient(W, X, y, b, **settings, h=1e-4, method=method, backend=name)

    def value(W, b):
        return fastsvm.loss_value(W, X, y, b, **settings, backend="reference")

    generic_W = numerical_gradient(lambda W: value(W, b), W.copy(), h=1e-4, method=method)
    generic_b = numerical_gradient(lambda b: value(W, b), b.copy(), h=1e-4, method=method)
    rounding = 8 * np.finfo(float).eps * value(W, b) / 1e-4
    assert np.abs(dW - generic_W).max() < rounding + 1e-12
    assert np.abs(db - generic_b).max() < rounding + 1e-12


def test_numerical_gradient_across_a_kink_by_hand():
    """At w = 1 - the margin of class 1 is then 1e-3 - a step of 1e-2 goes past the kink: up 0.011, down 0, of slope 1."""
    W, X, y = np.array([[1.0], [1e-3]]), np.array([[1.0]]), np.array([0])
    for name in backends.NAMES:
        dW, _ = numerical_objective_gradient(W, X, y, h=1e-2, backend=name)
        assert dW.ravel() == pytest.approx([-0.011 / 0.02, 0.011 / 0.02])
        dW, _ = numerical_objective_gradient(W, X, y, h=1e-2, method="forward", backend=name)
        assert dW.ravel() == pytest.approx([-0.001 / 0.01, 1.0])


def test_large_steps_of_the_softmax():
    """Beyond where the series hold."""
    W, X, y = np.array([[0.0], [1.0], [-1.0]]), np.array([[3.0]]), np.array([1])
    expected = numerical_gradient(lambda W: fastsvm.loss_value(W, X, y, loss=Softmax()), W.copy(), h=0.5)
    for name in backends.NAMES:
        dW, _ = numerical_objective_gradient(W, X, y, loss=Softmax(), h=0.5, backend=name)
        assert dW == pytest.approx(expected, rel=1e-12)


def test_numerical_gradient_has_the_same_bits_on_any_threads(compiled):
    rng = np.random.default_rng(0)
    X, y, W = rng.integers(0, 255, (300, 400), np.uint8), rng.integers(0, 5, 300), rng.normal(size=(5, 400)) * 1e-3
    name = compiled.__name__.rpartition(".")[2]
    found = [numerical_objective_gradient(W, X, y, np.zeros(5), backend=name, n_threads=k) for k in tables.THREADS]
    tables.assert_same_bits(found)


def test_numerical_gradient_agrees_with_the_analytic_one_on_pixels(level):
    rng = np.random.default_rng(0)
    X, y, W = rng.integers(0, 255, (200, 300), np.uint8), rng.integers(0, 5, 200), rng.normal(size=(5, 300)) * 1e-3
    dW, _ = numerical_objective_gradient(W, X, y, h=1e-8)
    assert np.abs(dW - fastsvm.loss_and_gradient(W, X, y)[1]).max() < 1e-6 * np.abs(dW).max()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"h": 0.0}, "h must be finite and > 0"), ({"method": "backward"}, "method must be one of 'forward', 'central'")],
)
def test_wrong_arguments_of_the_numerical_gradient(options, message):
    with pytest.raises(ValueError, match=message):
        numerical_objective_gradient(np.zeros((2, 1)), np.zeros((1, 1)), np.array([0]), **options)
