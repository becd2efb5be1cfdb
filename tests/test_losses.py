"""Losses and gradients against numbers worked out by hand."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest

import fastsvm
from fastsvm import backends
from fastsvm.losses import LOSSES, CrammerSinger, Loss, Softmax, WestonWatkins, as_loss

pytestmark = pytest.mark.parametrize("name", backends.NAMES)
dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])


def softmax(*scores):
    exponentials = [math.exp(s) for s in scores]
    return [e / sum(exponentials) for e in exponentials]


# The example of CS231n's "Optimization: stochastic gradient descent": three points of one dimension, three classes, no bias.
# With x = (1, 2, −1), classes (0, 1, 2) and w = (½, −1, 2):
#
#   x0 =  1, class 0: scores (½, −1, 2),   margins  −1 − ½ + 1 = −½  and   2 − ½ + 1 = 2½
#   x1 =  2, class 1: scores (1, −2, 4),   margins   1 + 2 + 1 =  4  and   4 + 2 + 1 = 7
#   x2 = −1, class 2: scores (−½, 1, −2),  margins  −½ + 2 + 1 = 2½  and   1 + 2 + 1 = 4
LECTURE_X = [[1.0], [2.0], [-1.0]]
LECTURE_W = [[0.5], [-1.0], [2.0]]
P0, P1, P2 = softmax(0.5, -1, 2), softmax(1, -2, 4), softmax(-0.5, 1, -2)


class Worked(NamedTuple):
    """Losses of the three points, and the gradient of their sum on the three weights."""

    loss: Loss
    losses: tuple[float, float, float]
    gradient: tuple[float, float, float]


WORKED = [
    # dw is x times (−1, 0, 1), (1, −2, 1) and (1, 1, −2).
    Worked(WestonWatkins(), (2.5, 11, 6.5), (-1 + 2 - 1, -4 - 1, 1 + 2 + 2)),
    # x times 2 (−2½, 0, 2½), 2 (4, −11, 7) and 2 (2½, 4, −6½).
    Worked(WestonWatkins(squared=True), (6.25, 65, 22.25), (-5 + 16 - 5, -44 - 8, 5 + 28 + 13)),
    # With Δ = 4 every margin grows by 3: 2½, 5½; 7, 10; 5½, 7.
    Worked(WestonWatkins(delta=4.0), (8, 17, 12.5), (-2 + 2 - 1, 1 - 4 - 1, 1 + 2 + 2)),
    # x times (−1, 0, 1), (0, −1, 1) and (0, 1, −1).
    Worked(CrammerSinger(), (2.5, 7, 4), (-1, -2 - 1, 1 + 2 + 1)),
    # x times the probabilities, minus 1 for the class.
    Worked(
        Softmax(),
        (-math.log(P0[0]), -math.log(P1[1]), -math.log(P2[2])),
        (P0[0] - 1 + 2 * P1[0] - P2[0], P0[1] + 2 * (P1[1] - 1) - P2[1], P0[2] + 2 * P1[2] - (P2[2] - 1)),
    ),
]
worked = pytest.mark.parametrize("example", WORKED, ids=lambda example: repr(example.loss))


def lecture(dtype):
    return np.array(LECTURE_W, dtype), np.array(LECTURE_X, dtype), np.arange(3)


@worked
@dtypes
class TestLecture:
    def test_loss_and_gradient(self, name, example, dtype):
        value, dW, db = fastsvm.loss_and_gradient(*lecture(dtype), loss=example.loss, backend=name)
        rel = 1e-13 if dtype == "float64" else 1e-6
        assert value == pytest.approx(sum(example.losses) / 3, rel=rel)
        assert dW.ravel().tolist() == pytest.approx([g / 3 for g in example.gradient], rel=rel)
        assert dW.dtype == dtype
        assert db is None

    def test_sample_weights(self, name, example, dtype):
        # Weights 1, 2, 3 have the sum 6.
        value = fastsvm.loss_value(*lecture(dtype), loss=example.loss, sample_weight=[1, 2, 3], backend=name)
        assert value == pytest.approx((example.losses[0] + 2 * example.losses[1] + 3 * example.losses[2]) / 6, rel=1e-6)

    def test_a_weight_is_a_number_of_repetitions(self, name, example, dtype):
        W, X, y = lecture(dtype)
        weighted = fastsvm.loss_and_gradient(W, X, y, loss=example.loss, sample_weight=[2, 0, 1], backend=name)
        repeated = fastsvm.loss_and_gradient(W, X[[0, 0, 2]], y[[0, 0, 2]], loss=example.loss, backend=name)
        assert weighted[0] == pytest.approx(repeated[0], rel=1e-6)
        np.testing.assert_allclose(weighted[1], repeated[1], rtol=2e-6, atol=1e-7)

    def test_penalty(self, name, example, dtype):
        # ½ ‖w‖² = ½ (¼ + 1 + 4) = 2.625
        W, X, y = lecture(dtype)
        value, dW, _ = fastsvm.loss_and_gradient(W, X, y, loss=example.loss, alpha=0.8, backend=name)
        assert value == pytest.approx(sum(example.losses) / 3 + 0.8 * 2.625, rel=1e-6)
        expected = [g / 3 + 0.8 * w for g, (w,) in zip(example.gradient, LECTURE_W, strict=True)]
        assert dW.ravel().tolist() == pytest.approx(expected, rel=1e-6)

    def test_intercept_is_penalised_on_request(self, name, example, dtype):
        # An intercept of 2 for every class changes no loss; ½ ‖b‖² = 6.
        b = np.full(3, 2.0, dtype)
        arguments = {"loss": example.loss, "alpha": 0.8, "backend": name}
        value, _, db = fastsvm.loss_and_gradient(*lecture(dtype), b, **arguments)
        assert value == pytest.approx(sum(example.losses) / 3 + 0.8 * 2.625, rel=1e-6)
        penalised, _, db_penalised = fastsvm.loss_and_gradient(*lecture(dtype), b, **arguments, penalize_intercept=True)
        assert penalised == pytest.approx(value + 0.8 * 6, rel=1e-6)
        np.testing.assert_allclose(db_penalised, db + np.float64(0.8 * 2), rtol=1e-5)

    def test_data_gradient(self, name, example, dtype):
        # dx_i = (1/3) Σ_c dscores_ic w_c, and dscores_ic = (gradient on w_c of point i alone) / x_i.
        W, X, y = lecture(dtype)
        value, dX = fastsvm.data_gradient(W, X, y, loss=example.loss, backend=name)
        _, dscores = fastsvm.score_loss_and_gradient(X @ W.T, y, loss=example.loss, backend=name)
        assert value == pytest.approx(sum(example.losses) / 3, rel=1e-6)
        np.testing.assert_allclose((X * dscores).sum(axis=0) * 3, example.gradient, rtol=1e-5)
        np.testing.assert_allclose(dX, dscores @ W, rtol=1e-5)


def test_accuracy_counts_the_first_of_the_largest_scores(name):
    # Scores of the lecture: the largest are those of classes 2, 2 and 1; the classes are 0, 1, 2.
    W, X, _ = lecture("float64")
    assert fastsvm.evaluate(W, X, np.array([2, 2, 1]), backend=name)[1] == 1.0
    assert fastsvm.evaluate(W, X, np.array([0, 2, 1]), backend=name)[1] == pytest.approx(2 / 3)
    # With equal scores the first class has it.
    assert fastsvm.evaluate(np.zeros((3, 1)), X, np.array([0, 1, 2]), backend=name)[1] == pytest.approx(1 / 3)


class Row(NamedTuple):
    """Scores of one sample, its class, its loss and the gradient on its scores."""

    what: str
    loss: Loss
    scores: list[float]
    y: int
    value: float
    dscores: list[float]


E = math.e
ROWS = [
    Row("margin 0: the subgradient is 0", WestonWatkins(), [2, 1], 0, 0.0, [0, 0]),
    Row("one margin 0, one violated", WestonWatkins(), [2, 1, 1.5], 0, 0.5, [-1, 0, 1]),
    Row("margin 0", WestonWatkins(squared=True), [2, 1], 0, 0.0, [0, 0]),
    Row("margin 0", CrammerSinger(), [2, 1], 0, 0.0, [0, 0]),
    Row("margin 0, delta of its own", CrammerSinger(delta=0.5), [1.5, 2], 1, 0.0, [0, 0]),
    Row("no violation", WestonWatkins(), [5, 1, -3], 0, 0.0, [0, 0, 0]),
    Row("all equal", WestonWatkins(), [3, 3, 3, 3], 2, 3.0, [1, 1, -3, 1]),
    Row("all equal", WestonWatkins(delta=0.5, squared=True), [3, 3, 3, 3], 2, 0.75, [1, 1, -3, 1]),
    Row("the first maximum", CrammerSinger(), [1, 2, 2, 2], 0, 2.0, [-1, 1, 0, 0]),
    Row("the first maximum but the class", CrammerSinger(), [2, 2, 2, 1], 0, 1.0, [-1, 1, 0, 0]),
    Row("the class has the maximum", CrammerSinger(), [1, 2, 1.5], 1, 0.5, [0, -1, 1]),
    Row("the first of two, class last", CrammerSinger(delta=2.0), [-1, -1, 0], 2, 1.0, [1, 0, -1]),
    Row("all equal", Softmax(), [3, 3, 3, 3], 2, math.log(4), [0.25, 0.25, -0.75, 0.25]),
    Row("two classes", Softmax(), [1, 0], 1, math.log(E + 1), [E / (E + 1), -E / (E + 1)]),
    Row("far off", Softmax(), [1e4, 0, -1e4], 1, 1e4, [1, -1, 0]),
    Row("far ahead", Softmax(), [1e4, 0, -1e4], 0, 0.0, [0, 0, 0]),
    Row("far off, the largest last", Softmax(), [-1e4, 0, 1e4], 0, 2e4, [-1, 0, 1]),
    Row("far ahead, the largest last", Softmax(), [-1e4, 0, 1e4], 2, 0.0, [0, 0, 0]),
    Row("large and equal", Softmax(), [1e4, 1e4], 0, math.log(2), [-0.5, 0.5]),
    Row("large and negative", Softmax(), [-1e4, -1e4, -2e4], 1, math.log(2), [0.5, -0.5, 0]),
]


@dtypes
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.loss}: {row.what}")
def test_rows(name, row, dtype):
    scores, y = np.array([row.scores], dtype), np.array([row.y])
    value, dscores = fastsvm.score_loss_and_gradient(scores, y, loss=row.loss, backend=name)
    rel = 1e-14 if dtype == "float64" else 1e-6
    assert value == pytest.approx(row.value, rel=rel, abs=0.0)
    assert dscores[0].tolist() == pytest.approx(row.dscores, rel=rel, abs=0.0)
    assert dscores.dtype == dtype


@dtypes
def test_mean_over_rows_and_weights(name, dtype):
    # Losses 0, 3 and 2; the weights' mean is 2, so their rows count 0.5, 1 and 1.5 times, over 3.
    scores = np.array([[5, 1, 1, 1], [3, 3, 3, 3], [1, 2, 2, 0]], dtype)
    value, dscores = fastsvm.score_loss_and_gradient(scores, np.array([0, 1, 0]), sample_weight=[1, 2, 3], backend=name)
    assert value == pytest.approx((0.0 + 3.0 + 1.5 * 4.0) / 3, rel=1e-6)
    expected = [[0, 0, 0, 0], [1 / 3, -1, 1 / 3, 1 / 3], [-1, 0.5, 0.5, 0]]
    np.testing.assert_allclose(dscores, expected, rtol=1e-6)


def test_zero_weight_drops_a_sample(name):
    W, X, y = lecture("float64")
    value, dX = fastsvm.data_gradient(W, X, y, sample_weight=[0, 1, 1], backend=name)
    assert value == pytest.approx((11 + 6.5) / 2)
    assert dX[0] == 0.0


def test_standardisation(name):
    # Pixels 10, 20, 60 with mean 30 and scale 10 are −2, −1, 3; the classes' weights are 1, 0.
    X, y, W = np.array([[10], [20], [60]], np.uint8), np.array([0, 1, 0]), np.array([[1.0], [0.0]])
    standardization = fastsvm.Standardization(mean=np.array([30.0]), scale=np.array([10.0]), kind="mean+std")
    # Margins 0 + 2 + 1 = 3, −1 − 0 + 1 = 0 and 0 − 3 + 1 = −2.
    value, dW, _ = fastsvm.loss_and_gradient(W, X, y, standardization=standardization, backend=name)
    assert value == 1.0
    np.testing.assert_allclose(dW.ravel(), [2 / 3, -2 / 3], rtol=1e-14)
    # On the pixels: one tenth of the gradient on the standardised numbers.
    _, dX = fastsvm.data_gradient(W, X, y, standardization=standardization, backend=name)
    np.testing.assert_allclose(dX.ravel(), [-1 / 30, 0, 0], rtol=1e-14)


def test_names_stand_for_default_losses(name):
    scores, y = np.array([[1.0, 2.0, 1.5]]), np.array([0])
    for text, cls in LOSSES.items():
        assert as_loss(text) == cls()
        by_name = fastsvm.score_loss_and_gradient(scores, y, loss=text, backend=name)
        assert by_name[0] == fastsvm.score_loss_and_gradient(scores, y, loss=cls(), backend=name)[0]
