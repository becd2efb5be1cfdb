"""`SteepestDescent`: every epoch goes to the minimum along the gradient of the whole objective."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import fastsvm
from cli_runs import run, succeed_json
from fastsvm import CrammerSinger, Softmax, SteepestDescent, WestonWatkins
from fastsvm.landscape import line, minimize_along
from fastsvm.losses import RegisteredLoss
from fastsvm.optimizers import as_optimizer
from training_cases import BACKENDS, X64, Y, blobs, same_training

START = np.random.default_rng(8).normal(size=(4, 7))
LOSSES = (WestonWatkins(), WestonWatkins(squared=True), CrammerSinger(), Softmax())
SETTINGS = {"optimizer": SteepestDescent(), "batch_size": "full", "alpha": 0.1, "W": START}


def test_two_epochs_by_hand():
    # x = 1 of class 0, w = (0, 0): loss 1, gradient (−1, 1): 1 − 2η + alpha η² up to the kink at η = 1/2, then alpha η² alone.
    result = fastsvm.train(
        np.array([[1.0]]), [0], n_classes=2, optimizer="steepest-descent", batch_size="full", epochs=9, alpha=0.5,
        fit_intercept=False, standardize=None,
    )  # fmt: skip
    assert result.history["learning_rate"][0] == 0.5
    assert result.history["loss"][:2].tolist() == [1.0, 0.125]
    # At the kink the gradient is that of the penalty, alpha w, and no step along it helps: the loss would rise by 2η alpha / 2.
    assert result.W.tolist() == [[0.5], [-0.5]]
    assert (result.stop_reason, len(result.history), result.history["learning_rate"][1]) == ("no descent", 2, 0.0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_each_epoch_is_a_gradient_and_a_line_search(loss, backend):
    weight = np.random.default_rng(1).uniform(0, 2, len(Y))
    settings = SETTINGS | {"loss": loss, "sample_weight": weight, "penalize_intercept": True, "backend": backend}
    result = fastsvm.train(X64, Y, epochs=3, **settings)
    W, b = START.copy(), np.zeros(4)
    objective = {
        "loss": loss, "alpha": 0.1, "sample_weight": weight, "standardization": result.standardization,
        "penalize_intercept": True,
    }  # fmt: skip
    for record in result.history:
        value, dW, db = fastsvm.loss_and_gradient(W, X64, Y, b, **objective, backend="reference")
        accuracy = fastsvm.evaluate(W, X64, Y, b, **objective, backend="reference")[1]
        found = minimize_along(W, X64, Y, -dW, b, direction_b=-db, **objective, backend="reference")
        around = line(W, X64, Y, -dW, found.a * np.linspace(0, 3, 31), b, direction_b=-db, **objective, backend="reference")
        assert around.loss.min() >= found.loss - 1e-14
        assert (record.loss, record.accuracy) == (pytest.approx(value, rel=1e-12), accuracy)
        assert record.learning_rate == pytest.approx(found.a, rel=1e-9)
        W, b = W - found.a * dW, b - found.a * db
    np.testing.assert_allclose(result.W, W, rtol=1e-8)
    np.testing.assert_allclose(result.b, b, rtol=1e-8)
    assert (np.diff(result.history["loss"]) < 0).all()


@pytest.mark.parametrize("loss", [WestonWatkins(), Softmax()], ids=repr)
def test_resuming_and_threads_change_no_bit(loss):
    X, y = blobs(3000, 7, 4, np.uint8)
    settings = SETTINGS | {"W": START.astype(np.float32), "record": "update", "validation": (X[:50], y[:50]), "loss": loss}
    whole = fastsvm.train(X, y, epochs=7, n_threads=1, **settings)
    half = fastsvm.train(X, y, epochs=3, n_threads=2, **settings)
    resumed = fastsvm.train(X, y, epochs=7, n_threads=4, resume=half, **(settings | {"W": None, "optimizer": None}))
    assert same_training(whole, resumed)
    np.testing.assert_allclose(whole.history.update_losses, whole.history["loss"], rtol=1e-15)
    assert whole.state.optimizer_W.step == whole.state.updates == 7


def test_it_needs_full_batches_linear_scores_and_a_loss_that_is_convex():
    with pytest.raises(ValueError, match=r'batch_size must be "full" for SteepestDescent\(\).* got 60'):
        fastsvm.train(X64, Y, optimizer=SteepestDescent(), batch_size=60)
    assert len(fastsvm.train(X64, Y, optimizer=SteepestDescent(), batch_size=61, epochs=2).history) == 2

    class Own(RegisteredLoss):
        leaf = staticmethod(lambda scores, y, dscores: 1.0)

    with pytest.raises(ValueError, match="known to be convex"):
        fastsvm.train(X64, Y, loss=Own(), **SETTINGS)
    with pytest.raises(ValueError, match="score_function must be linear"):
        fastsvm.train(X64, Y, score_function=fastsvm.TwoLayer(5), **(SETTINGS | {"W": None}))


def test_a_loss_that_is_not_finite_is_divergence():
    with pytest.raises(OverflowError, match="a score of the gradient is not finite"):
        fastsvm.train((X64 * 1e19).astype(np.float32), Y, **(SETTINGS | {"W": None, "standardize": None}))


def test_a_step_that_rounding_swallows_is_none():
    # The best step, 1/2, would move weights of 2²⁵ by 1/2; their neighbours in float32 are 4 away.
    settings = {"optimizer": SteepestDescent(), "batch_size": "full", "standardize": None, "fit_intercept": False, "alpha": 0.0}
    W = np.full((2, 1), 2.0**25)
    result = fastsvm.train(np.ones((1, 1), np.float32), [0], W=W.astype(np.float32), epochs=5, **settings)
    assert (result.stop_reason, len(result.history), result.history["learning_rate"][0]) == ("no descent", 1, 0.0)
    result = fastsvm.train(np.ones((1, 1)), [0], W=W, epochs=5, **settings)
    assert (result.stop_reason, len(result.history), result.history["learning_rate"][0]) == ("no descent", 2, 0.5)


def test_crammer_singer_at_zero_has_no_descent():
    # x = 1 three times, of each class: gradient (1, 0, −1) / 3; at scores (−a, 0, a) / 3 the losses are 1 + 2a/3, 1 + a/3 and
    # 1 − a/3 for a > 0, and 1 + a/3, 1 − a/3 and 1 − 2a/3 for a < 0.
    X, y = np.ones((3, 1)), [0, 1, 2]
    settings = {"loss": CrammerSinger(), "batch_size": "full", "standardize": None, "alpha": 0}
    result = fastsvm.train(X, y, optimizer=SteepestDescent(), epochs=5, **settings)
    assert (result.stop_reason, len(result.history)) == ("no descent", 1)
    assert len(fastsvm.train(X, y, resume=result, epochs=5, **settings).history) == 1


def test_the_object():
    optimizer = SteepestDescent()
    assert repr(optimizer) == "SteepestDescent()"
    assert optimizer == as_optimizer("steepest-descent") == copy.deepcopy(optimizer) == pickle.loads(pickle.dumps(optimizer))
    with pytest.raises(TypeError, match="SteepestDescent has no step outside"):
        optimizer.step(START, START, optimizer.init(START))
    with pytest.raises(TypeError):
        SteepestDescent(0.1)
    with pytest.raises(ValueError, match="'steepest_descent'; got 'newton'"):
        as_optimizer("newton")


def test_it_learns_the_digits_from_the_command_line():
    found = succeed_json("train", "--optimizer", "steepest-descent", "--epochs", 60, "--threads", 1)
    losses = [record["loss"] for record in found["history"]]
    assert found["optimizer"] == "SteepestDescent()"
    assert losses == sorted(losses, reverse=True)
    assert all(record["learning_rate"] > 0 for record in found["history"])
    assert found["test"]["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch-size", "64"], "--optimizer steepest-descent needs --batch-size full, its default; got --batch-size 64"),
        (["--learning-rate", "0.1"], "--learning-rate does not go with steepest-descent"),
        (["--schedule", "step"], "--schedule does not go with steepest-descent"),
        (["--warmup", "3"], "--warmup does not go with steepest-descent"),
    ],
)
def test_what_the_command_line_refuses(options, message):
    result = run("train", "--optimizer", "steepest-descent", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
