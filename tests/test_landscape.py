"""Lines, planes, sweeps, directions and the bowl: each point is the objective at those weights, and hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest

import fastsvm
from fastsvm import CrammerSinger, Softmax, WestonWatkins
from fastsvm.landscape import bowl, family, line, plane, random_direction, step_sizes
from fastsvm.losses import RegisteredLoss
from fastsvm.standardization import fit_standardization
from training_cases import blobs

LOSSES = (WestonWatkins(), WestonWatkins(0.7, squared=True), CrammerSinger(1.5), Softmax())
A1, A2 = np.linspace(-2, 1.5, 8), np.array([-0.5, 0.0, 0.75])


def problem(dtype="float64", storage="float64", seed=3):
    """Weights, samples, labels, two directions with intercepts, and settings with everything switched on."""
    X, y = blobs(41, 6, 4, np.dtype(storage))
    rng = np.random.default_rng(seed)
    W, D1, D2 = (rng.normal(size=(4, 6)).astype(dtype) for _ in range(3))
    b, d1, d2 = (rng.normal(size=4).astype(dtype) for _ in range(3))
    weight = rng.uniform(0, 2, 41)
    weight[:2] = 0
    settings = {"alpha": 0.3, "sample_weight": weight, "standardization": fit_standardization(X, "mean+std"),
                "penalize_intercept": True}  # fmt: skip
    return X, y, (W, b), (D1, d1), (D2, d2), settings


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize(("dtype", "storage"), [("float64", "float64"), ("float32", "uint8")])
def test_line_and_plane_are_the_objective_at_each_point(loss, dtype, storage, monkeypatch):
    X, y, (W, b), (D1, d1), (D2, d2), settings = problem(dtype, storage)
    monkeypatch.setattr(family, "BLOCK", 3 * 4 * W.itemsize * 7)  # 7 samples at a time
    on_line = line(W, X, y, D1, A1, b, loss, direction_b=d1, **settings)
    on_plane = plane(W, X, y, D1, D2, A1, A2, b, loss, direction1_b=d1, direction2_b=d2, **settings)
    tolerance = {"float64": 1e-12, "float32": 3e-5}[dtype]
    arrays = [array.astype(np.float64) for array in (W, b, D1, d1, D2, d2)]

    def objective(a1, a2, **changes):
        W, b, D1, d1, D2, d2 = arrays
        return fastsvm.loss_value(
            W + a1 * D1 + a2 * D2, X, y, b + a1 * d1 + a2 * d2, loss, **(settings | changes), backend="reference"
        )

    assert on_plane.loss.shape == on_plane.data_loss.shape == (3, 8)
    assert (on_plane.a.tolist(), on_plane.b.tolist()) == (A1.tolist(), A2.tolist())
    for i, a2 in enumerate(A2):
        np.testing.assert_allclose(on_plane.loss[i], [objective(a1, a2) for a1 in A1], rtol=tolerance)
        np.testing.assert_allclose(on_plane.data_loss[i], [objective(a1, a2, alpha=0.0) for a1 in A1], rtol=tolerance)
    np.testing.assert_allclose(on_line.loss, [objective(a1, 0) for a1 in A1], rtol=tolerance)
    np.testing.assert_allclose(on_line.data_loss, [objective(a1, 0, alpha=0.0) for a1 in A1], rtol=tolerance)


def test_one_sample_by_hand():
    # x = 2 of class 1; scores (2a, 0, -2a + 2b): max(0, 2a + 1) + max(0, 2b - 2a + 1); penalty (a² + (b - a)²) / 2.
    W, X, y = np.zeros((3, 1)), np.array([[2.0]]), [1]
    D1, D2 = np.array([[1.0], [0.0], [-1.0]]), np.array([[0.0], [0.0], [1.0]])
    found = plane(W, X, y, D1, D2, [-1, 0, 2], [0, 1], alpha=1.0)
    assert found.data_loss.tolist() == [[3.0, 2.0, 5.0], [5.0, 4.0, 5.0]]
    assert found.loss.tolist() == [[4.0, 2.0, 9.0], [7.5, 4.5, 7.5]]


def test_step_sizes_go_by_name():
    W, X, y = np.zeros((3, 1)), np.array([[2.0]]), np.array([1])
    with pytest.raises(TypeError, match=r"b is the intercept, .*; got list\. Step sizes go by name, step_sizes="):
        step_sizes(W, X, y, [0.1])


def test_an_intercept_without_a_direction_stays():
    X, y, (W, b), (D1, d1), _, _ = problem()
    stays, moves = line(W, X, y, D1, [0.5], b), line(W, X, y, D1, [0.5], b, direction_b=d1)
    assert stays.loss[0] == pytest.approx(fastsvm.loss_value(W + 0.5 * D1, X, y, b), rel=1e-12)
    assert moves.loss[0] == pytest.approx(fastsvm.loss_value(W + 0.5 * D1, X, y, b + 0.5 * d1), rel=1e-12)
    assert stays.loss[0] != moves.loss[0]


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"direction": np.zeros((6, 4))}, ValueError, r"direction must have shape \(4, 6\); got \(6, 4\)"),
        ({"direction": np.zeros((4, 6), np.float32)}, TypeError, "direction must have dtype float64"),
        ({"direction": np.full((4, 6), np.nan)}, ValueError, "direction must hold finite numbers only"),
        ({"direction_b": np.zeros(4)}, ValueError, "direction_b must be None where there is no intercept b"),
        ({"b": np.zeros(4), "direction_b": np.zeros(3)}, ValueError, r"direction_b must have shape \(4,\)"),
        ({"a": []}, ValueError, "a must have one dimension and at least one number"),
        ({"a": [[1.0]]}, ValueError, "a must have one dimension"),
        ({"a": [1.0, np.inf]}, ValueError, r"a must hold finite numbers only; a\[1\] is inf"),
        ({"a": ["near"]}, TypeError, "a must be real numbers"),
        ({"a": [1e308]}, OverflowError, "overflow float64"),
        ({"a": [1e200], "alpha": 1.0}, OverflowError, "the penalty overflows float64"),
    ],
)
def test_what_does_not_fit_is_named(change, error, match):
    X, y, (W, _), (D, _), _, _ = problem()
    arguments = {"direction": D, "a": [0.0]} | change
    with pytest.raises(error, match=match):
        line(W, X, y, **arguments)


class TestDirections:
    def test_seeds_and_dtypes(self):
        W = np.ones((3, 5), np.float32)
        D = random_direction(W, 1)
        assert (D.dtype, D.shape) == (W.dtype, W.shape)
        assert np.array_equal(D, random_direction(W, np.random.default_rng(1)))
        assert not np.array_equal(D, random_direction(W, 2))

    def test_gaussian(self):
        D = random_direction(np.zeros((100, 300)))
        assert abs(D.mean()) < 0.02
        assert abs(D.std() - 1) < 0.02
        assert abs(np.mean(D**4) - 3) < 0.1

    def test_filter_normalized(self):
        W = np.array([[3.0, 0.0, 4.0], [0.0, 0.5, 0.0], [0.0, 1.0, 0.0]])
        D = random_direction(W, 0, filter_normalized=True)
        np.testing.assert_allclose(np.linalg.norm(D, axis=1), [5, 0.5, 1], rtol=1e-12)
        plain = random_direction(W, 0)
        np.testing.assert_allclose(D[0] / 5, plain[0] / np.linalg.norm(plain[0]), rtol=1e-12)

    def test_a_row_of_zeros_has_no_length_to_take(self):
        W = np.array([[3.0, 4.0], [0.0, 0.0]])
        with pytest.raises(ValueError, match=r"W\[1\] has norm 0"):
            random_direction(W, filter_normalized=True)
        D, d = random_direction(W, 0, True, np.array([0.0, 2.0]))
        np.testing.assert_allclose(np.hypot(np.linalg.norm(D, axis=1), d), [5, 2], rtol=1e-12)

    def test_the_intercept_belongs_to_the_row(self):
        W, b = np.array([[3.0, 0.0], [0.0, 1.0]]), np.array([4.0, 0.0])
        D, d = random_direction(W, 0, True, b)
        np.testing.assert_allclose(np.hypot(np.linalg.norm(D, axis=1), d), [5, 1], rtol=1e-12)
        assert (d != 0).all()

    def test_bad_seed(self):
        with pytest.raises(ValueError, match="seed must be an integer >= 0"):
            random_direction(np.zeros((2, 2)), -1)


class TestStepSizes:
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_each_step_is_the_objective_after_it(self, dtype):
        X, y, (W, b), _, _, settings = problem(dtype, "uint8")
        found = step_sizes(W, X, y, b, **settings)
        value, dW, db = fastsvm.loss_and_gradient(W, X, y, b, **settings)
        sizes = [10.0**k for k in range(-10, 0)]
        assert found.step_sizes.tolist() == sizes
        W, dW, b, db = (array.astype(np.float64) for array in (W, dW, b, db))
        expected = [fastsvm.loss_value(W - size * dW, X, y, b - size * db, **settings, backend="reference") for size in sizes]
        np.testing.assert_allclose(found.losses, expected, rtol={"float64": 1e-12, "float32": 1e-5}[dtype])
        assert found.initial_loss == pytest.approx(value, rel=1e-5)
        assert found.gradient_norm == pytest.approx(np.sqrt(np.sum(dW**2) + np.sum(db**2)), rel=1e-6)
        assert found.best == int(np.argmin(expected))

    def test_a_step_of_1e_10_is_seen_in_float64(self):
        X, y, (W, b), _, _, settings = problem()
        found = step_sizes(W, X, y, b, **settings)
        slope = (found.losses[0] - found.initial_loss) / 1e-10
        assert slope == pytest.approx(-(found.gradient_norm**2), rel=1e-4)

    def test_another_gradient(self):
        X, y, (W, b), (D, d), _, _ = problem()
        found = step_sizes(W, X, y, b, step_sizes=[0.5], gradient=D, gradient_b=d)
        assert found.losses[0] == pytest.approx(fastsvm.loss_value(W - 0.5 * D, X, y, b - 0.5 * d), rel=1e-12)
        with pytest.raises(ValueError, match="gradient_b must be None without gradient"):
            step_sizes(W, X, y, b, gradient_b=d)
        with pytest.raises(ValueError, match="gradient_b must be None where there is no intercept"):
            step_sizes(W, X, y, gradient=D, gradient_b=d)

    def test_as_in_the_lecture_on_real_pixels(self, data_dir):
        folder = data_dir / "cifar-10-batches-bin"
        if not folder.is_dir():
            pytest.skip(f"there is no {folder}")
        data = fastsvm.load(folder)
        W = np.random.default_rng(0).random((10, 3072)) * 1e-3
        found = step_sizes(W, data.X[:2000], data.y[:2000], standardization=fit_standardization(data.X[:2000], "mean"))
        losses, before = found.losses, found.initial_loss
        assert (np.diff(losses[:4]) < 0).all()  # falls, slowly, up to 1e-7
        assert before - losses[0] < 1e-4 * before
        assert found.step_sizes[found.best] in (1e-7, 1e-6, 1e-5)
        np.testing.assert_allclose(losses[-3:] / losses[-4:-1], 10, rtol=0.02)  # and then ten times for each decade
        assert losses[-1] > 1000 * before


class TestBowl:
    def test_the_default_by_hand(self):
        # x = 1, 1/2, 1/4 of classes 0, 1, 2; w0 varies, w1 = 1/2, w2 = -1/2. At w0 = 1:
        found = bowl([-4.0, 1.0, 1.5, 3.0])
        at_1 = [0.5, 0.0, 1.25, 0.5, 1.375, 1.25]
        assert [values[1] for _, values in found.terms] == at_1
        assert [name for name, _ in found.terms[2:4]] == ["max(0, w0 x1 − w1 x1 + 1)", "max(0, w2 x1 − w1 x1 + 1)"]
        assert found.losses[:, 1].tolist() == [0.5, 1.75, 2.625]
        assert found.total[1] == pytest.approx(4.875 / 3, rel=1e-15)
        assert found.total.argmin() == 2  # where the last term of sample 0 vanishes
        assert found.losses[:, 0].tolist() == [5.5 + 4.5, 0.5, 0.125 + 1.25]

    def test_it_is_the_objective(self):
        x, y, weights, w = np.array([0.3, -1.0, 2.0, 0.1]), np.array([1, 0, 1, 2]), np.array([0.4, 9.0, -0.2]), [-1.0, 0.5]
        found = bowl(w, x=x, y=y, weights=weights, varies=1, delta=0.5)
        for k, value in enumerate(w):
            W = weights.copy()
            W[1] = value
            expected = fastsvm.loss_value(W[:, None], x[:, None], y, loss=WestonWatkins(0.5))
            assert found.total[k] == pytest.approx(expected, rel=1e-14)
        assert len(found.terms) == 8
        np.testing.assert_allclose(sum(values for _, values in found.terms) / 4, found.total, rtol=1e-14)

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"y": (0, 1)}, "y must have shape"),
            ({"varies": 3}, "varies must be an integer <= 2"),
            ({"weights": [1.0]}, "weights must have at least 2 numbers"),
            ({"delta": 0.0}, "delta must be finite and > 0"),
        ],
    )
    def test_errors(self, change, match):
        with pytest.raises(ValueError, match=match):
            bowl([0.0], **change)


class SumOfSquares(RegisteredLoss):
    """A loss of a user's, made without compiling anything, that is not blind to what a sample's classes have in common."""

    @staticmethod
    def leaf(scores, y, dscores):
        dscores[:] = 2 * scores
        return float(scores @ scores)


def test_a_registered_loss_that_listens_to_every_score():
    X, y, (W, b), (D, d), _, settings = problem()
    found = line(W, X, y, D, [0.0, 0.5], b, SumOfSquares(), direction_b=d, **settings, backend="reference")
    expected = fastsvm.loss_value(W + 0.5 * D, X, y, b + 0.5 * d, SumOfSquares(), **settings, backend="reference")
    assert found.loss[1] == pytest.approx(expected, rel=1e-12)
