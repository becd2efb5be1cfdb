"""Learning rates, decay and batch sizes: rules on curves drawn by hand, identities, and the lecture's claims on digits."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import fastsvm
from fastsvm import SGD, Adam, Momentum, Softmax
from fastsvm.effects import (
    DecayAt,
    batch_gradients,
    batch_sizes,
    decay_from_curve,
    decay_schedule,
    decay_study,
    duplicated,
    judge,
    learning_rates,
)
from fastsvm.schedules import Cosine, rates
from fastsvm.standardization import fit_standardization
from training_cases import X64, K, Y, same

DIGITS = fastsvm.load_digits()
X, y = DIGITS.X, DIGITS.y


def test_verdicts_on_curves_drawn_by_hand():
    nan = np.nan
    curves = {
        1e-9: [9.99, 9.98, 9.97, 9.96],  # hardly falls
        1e-3: [9.0, 8.0, 7.0, 6.0],  # falls steadily, to less than the best
        1e-2: [7.2, 5.5, 3.8, 2.1],  # nearly as low as the best, but still falling as fast as ever
        1e-1: [4.0, 2.5, 2.1, 2.0],  # the best
        3e-1: [3.0, 2.5, 2.4, 2.5],  # 7.5 of 8: more than nine tenths of its fall
        1e0: [4.0, 3.0, 3.1, 3.0],  # gets stuck above it
        1e1: [12.0, 40.0, 90.0, 150.0],
        1e9: [30.0, nan, nan, nan],
    }
    table = np.array(list(curves.values()))
    diverged = np.isnan(table).any(axis=1)
    expected = ("too low", "too low", "too low", "good", "good", "too high", "too high", "too high")
    assert judge(np.array(list(curves)), table, diverged, 10.0) == expected
    assert judge(np.array(list(curves))[::-1], table[::-1], diverged[::-1], 10.0) == expected[::-1]
    assert judge(np.array([1.0, 2.0]), np.array([[11.0], [nan]]), np.array([False, True]), 10.0) == ("too high", "too high")
    straight = np.array([[9.0, 8.0, 7.0, 6.0]])
    assert judge(np.array([1e-3]), straight, np.array([False]), 10.0) == ("too low",)


def test_learning_rates_too_low_good_and_too_high():
    study = learning_rates(X, y, [1e-7, 0.1, 10.0, 1e30], epochs=12, validation=(DIGITS.X_test, DIGITS.y_test))
    assert study.verdict == ("too low", "good", "too high", "too high")
    assert study.diverged.tolist() == [False, False, False, True]
    assert study.initial_loss == pytest.approx(9.0)  # zeros: every wrong class is at the margin
    assert study.best == 1
    assert np.isfinite(study.curves[:3]).all()
    assert np.isnan(study.curves[3, -1])
    assert np.isnan(study.final_losses[3])
    alone = fastsvm.train(X, y, optimizer=SGD(0.1), epochs=12)
    np.testing.assert_array_equal(study.curves[1], alone.history["loss"])
    np.testing.assert_array_equal(study.accuracies[1], alone.history["accuracy"])
    assert study.val_accuracies[1, -1] > 0.9
    assert "diverged  too high" in str(study)


def test_a_generator_and_a_schedule_serve_all_rates_alike():
    study = learning_rates(
        X64, Y, [0.01, 0.01, 0.02], optimizer=Adam(Cosine(1.0)), epochs=3, batch_size=7, seed=np.random.default_rng(4)
    )
    np.testing.assert_array_equal(study.curves[0], study.curves[1])
    alone = fastsvm.train(X64, Y, optimizer=Adam(Cosine(0.02)), epochs=3, batch_size=7, seed=4)
    np.testing.assert_array_equal(study.curves[2], alone.history["loss"])


def test_decay_is_where_the_curve_goes_flat():
    fall = [2.0**-k for k in range(6)]  # 1 … 1/32
    assert decay_from_curve([*fall, *[fall[-1]] * 4]) == (6,)
    assert decay_from_curve([*fall, *[fall[-1]]]) == ()  # a flat part of two epochs does not make a plateau
    assert decay_from_curve(fall) == ()
    assert decay_from_curve(np.linspace(10, 5, 30)) == ()  # still falling: train on
    assert decay_from_curve(np.linspace(10, 9.9, 30)) == ()  # and so is this, if slowly: the rate is too low
    assert decay_from_curve([50.0, *np.linspace(10, 9.9, 29)]) == (4,)
    # 0.002 · 10 is 5.6 steps of the line; from epoch 24 on its lower quartile, of the windows up to 27 … 30, is 5.25 below
    assert decay_from_curve([50.0, *np.linspace(10, 9.9, 29)], flat=0.002) == (24,)
    rng = np.random.default_rng(0)
    noisy = np.concatenate([np.linspace(10, 2, 15), np.full(25, 2.0)]) * rng.uniform(0.97, 1.03, 40)
    (epoch,) = decay_from_curve(noisy)
    assert 14 <= epoch <= 21
    stairs = [8.0, 4.0, 2.0, 2.0, 2.0, 1.0, 0.5, 0.5, 0.5, 0.5]
    assert decay_from_curve(stairs, decays=(5,), window=1) == (5, 7)
    assert decay_from_curve(stairs, window=1, decays=(9,)) == (9,)
    for wrong, message in [
        (lambda: decay_from_curve([1.0, np.nan]), "curve must hold finite numbers"),
        (lambda: decay_from_curve([]), "curve must hold the loss"),
        (lambda: decay_from_curve(fall, window=0), "window must be"),
        (lambda: decay_from_curve(fall, decays=(4, 2)), r"decays\[1\] must be"),
    ]:
        with pytest.raises(ValueError, match=message):
            wrong()


def test_schedule_of_a_decay():
    schedule = decay_schedule((2, 5), 0.8, updates_per_epoch=10, factor=0.5)
    assert schedule == DecayAt(0.8, updates=(20, 50), factor=0.5)
    assert [schedule(step) for step in (0, 19, 20, 49, 50, 999)] == [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    np.testing.assert_array_equal(rates(schedule, 18, 4), [0.8, 0.8, 0.4, 0.4])
    assert DecayAt(0.8, warmup=4, updates=(2,))(0) == pytest.approx(0.2)
    assert decay_schedule((), 0.8, 10)(10**6) == 0.8
    with pytest.raises(ValueError, match=r"updates\[1\] must be"):
        DecayAt(0.8, updates=(5, 4))


def test_decay_study_trains_looks_and_trains_again():
    study = decay_study(X, y, optimizer=Momentum(0.1), batch_size=64, looks=3)
    assert len(study.decays) == len(study.optimizers) == 2  # after the first decay the loss keeps falling
    assert study.decays[0] == ()
    (epoch,) = study.decays[1]
    assert study.decays[1] == decay_from_curve(study.curves[0])
    np.testing.assert_array_equal(study.curves[0, :epoch], study.curves[1, :epoch])
    assert study.losses[1] < 0.6 * study.losses[0]
    assert study.accuracies[1] > study.accuracies[0]
    by_hand = Momentum(DecayAt(0.1, updates=(epoch * 23,), factor=0.1))  # 1,437 samples are 23 batches of 64
    result = fastsvm.train(X, y, optimizer=by_hand, batch_size=64, epochs=30)
    assert result.evaluate(X, y) == (study.losses[1], study.accuracies[1])
    with pytest.raises(ValueError, match="not a schedule"):
        decay_study(X, y, optimizer=Momentum(Cosine(0.1)))


def test_decay_study_of_a_training_that_diverges_or_still_falls():
    gone = decay_study(X64, Y, optimizer=SGD(1e200), epochs=5)
    assert gone.decays == ((),)
    assert np.isnan(gone.losses).all()
    slow = decay_study(X64, Y, optimizer=SGD(1e-4), epochs=10)
    assert slow.decays == ((),)
    assert np.isfinite(slow.losses).all()


@pytest.mark.parametrize("loss", [fastsvm.WestonWatkins(), Softmax()], ids=repr)
def test_noise_of_batches_is_that_of_all_batches_there_are(loss):
    rows = np.arange(6)
    few, labels = X64[rows], Y[rows]
    rng = np.random.default_rng(2)
    W, b = rng.normal(size=(K, few.shape[1])), rng.normal(size=K)
    options = dict(loss=loss, alpha=0.3, standardization=fit_standardization(few, "mean+std"), penalize_intercept=True)

    def gradient(which):
        _, dW, db = fastsvm.loss_and_gradient(W, few[which], labels[which], b, backend="reference", **options)
        return np.append(dW, db)

    full = gradient(rows)
    study = batch_gradients(W, few, labels, [1, 2, 5, "full"], draws=3, b=b, **options)
    assert study.batch_sizes.tolist() == [1, 2, 5, 6]
    assert study.norm == pytest.approx(np.linalg.norm(full), rel=1e-12)
    for size, law in zip((1, 2, 5), study.law, strict=False):
        squares = [np.square(gradient(list(batch)) - full).sum() for batch in combinations(rows, size)]
        assert law == pytest.approx(np.sqrt(np.mean(squares)) / np.linalg.norm(full), rel=1e-9)
    singles = [gradient([i]) for i in rows]
    cosines = [g @ full / np.linalg.norm(g) / np.linalg.norm(full) for g in singles]
    for cosine, ratio, error in zip(study.cosine[0], study.norm_ratio[0], study.error[0], strict=True):
        i = int(np.abs(np.array(cosines) - cosine).argmin())
        assert cosine == pytest.approx(cosines[i], abs=1e-10)
        assert ratio == pytest.approx(np.linalg.norm(singles[i]) / np.linalg.norm(full), rel=1e-10)
        assert error == pytest.approx(np.linalg.norm(singles[i] - full) / np.linalg.norm(full), rel=1e-10)
    but_one = [np.linalg.norm(gradient(np.delete(rows, i)) - full) / np.linalg.norm(full) for i in rows]
    assert all(np.isclose(error, but_one, rtol=1e-9, atol=0).any() for error in study.error[2])  # no sample twice
    assert study.law[3] == study.error[3].max() == 0.0
    np.testing.assert_allclose(study.cosine[3], 1.0, rtol=1e-12)


def test_noise_falls_as_one_over_the_root_of_the_batch():
    result = fastsvm.train(X, y, epochs=3)
    study = batch_gradients(result.W, X, y, [4, 16, 64], 300, b=result.b, standardization=result.standardization)
    measured = np.sqrt(np.square(study.error).mean(axis=1))
    np.testing.assert_allclose(measured, study.law, rtol=0.1)
    n = len(y)
    finite = np.sqrt([(n - 4) / (n - 16), (n - 16) / (n - 64)])
    np.testing.assert_allclose(study.law[:-1] / study.law[1:], 2.0 * finite, rtol=1e-12)
    assert (np.diff(study.cosine.mean(axis=1)) > 0.1).all()
    assert (np.diff(study.angle.mean(axis=1)) < 0).all()
    again = batch_gradients(result.W, X, y, [4, 16, 64], 300, b=result.b, standardization=result.standardization)
    assert same(study.error, again.error)


def test_a_batch_without_violations_points_nowhere():
    W = np.array([[5.0], [0.0]])
    few, labels = np.array([[1.0], [-1.0]]), np.array([0, 0])  # scores (5, 0): right; (−5, 0): wrong
    study = batch_gradients(W, few, labels, [1], draws=20)
    assert set(study.cosine[0].round(12).tolist()) == {0.0, 1.0}
    assert set(study.norm_ratio[0].tolist()) == {0.0, 2.0}
    with pytest.raises(ValueError, match="gradient is not zero"):
        batch_gradients(W, few[:1], labels[:1], [1])
    for sizes in (256, "full", []):
        with pytest.raises(TypeError, match="batch_sizes must be a sequence"):
            batch_gradients(W, few, labels, sizes)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_duplicates_tell_nothing_new(dtype):
    rng = np.random.default_rng(1)
    W = rng.normal(size=(10, 64)).astype(np.float64 if dtype == np.float64 else np.float32) / 100
    found = duplicated(W, X.astype(dtype), y, 12, b=W[:, 0].copy(), alpha=0.1)
    rounding = 4 * np.finfo(W.dtype).eps
    assert found.difference <= rounding
    assert found.loss_difference <= rounding
    assert found.copies == 12
    assert found.losses[0] > 1.0
    assert np.abs(found.dW[0]).max() > 0.01
    _, dW, db = fastsvm.loss_and_gradient(W, np.tile(X.astype(dtype), (12, 1)), np.tile(y, 12), W[:, 0].copy(), alpha=0.1)
    np.testing.assert_allclose(found.dW[1], dW, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.db[1], db, rtol=1e-4, atol=1e-6)
    if dtype == np.uint8:
        assert found.identical == (found.losses[0] == found.losses[1] and same(found.dW[0], found.dW[1]))
    with pytest.raises(TypeError, match="sample_weight must not be given"):
        duplicated(W, X.astype(dtype), y, sample_weight=np.ones(len(y)))


def test_batch_sizes_against_updates_and_samples():
    looked = []
    study = batch_sizes(
        X, y, [64, 512, "full"], optimizer=SGD(0.01), epochs=4, alpha=0.1, callbacks=[lambda r, _: looked.append(r.epoch)]
    )
    n = len(y)
    assert study.batch_sizes.tolist() == [64, 512, n]
    assert study.updates[:, -1].tolist() == [4 * 23, 4 * 3, 4]
    assert study.samples.tolist() == [0, n, 2 * n, 3 * n, 4 * n]
    assert [len(losses) for losses in study.update_losses] == [92, 12, 4]
    assert looked == [1, 2, 3, 4] * 3
    # from the same samples, more updates win
    assert study.losses[0, -1] < study.losses[1, -1] < study.losses[2, -1] < study.losses[2, 0]
    # full batches are gradient descent, whose loss before update e is what the column before shows
    np.testing.assert_allclose(study.losses[2, :-1], study.update_losses[2], rtol=1e-6)
    result = fastsvm.train(X, y, optimizer=SGD(0.01), epochs=4, alpha=0.1, batch_size=512)
    assert (study.losses[1, -1], study.accuracies[1, -1]) == result.evaluate(X, y)
    assert (np.diff(study.seconds, axis=1) > 0).all()
    gone = batch_sizes(X64, Y, [7, "full"], optimizer=SGD(1e200), epochs=1)
    assert gone.diverged.all()  # the one step of the full batch leaves finite weights, whose penalty overflows
    assert np.isnan(gone.losses[:, -1]).all()
    assert "diverged" in str(gone)


def test_what_a_study_refuses():
    for wrong in (
        lambda: learning_rates(X64, Y, [0.1], resume=None),
        lambda: batch_sizes(X64, Y, [7], patience=3),
        lambda: batch_sizes(X64, Y, 7),
        lambda: learning_rates(X64, Y, [0.1], optimizer=SGD(lambda step: 0.1)),
    ):
        with pytest.raises(TypeError, match="must"):
            wrong()
    for rates_tried in ([], 0.1, [0.1, -1.0]):
        with pytest.raises(ValueError, match="rates"):
            learning_rates(X64, Y, rates_tried)


def test_cifar10_minibatch_gradient(data_dir):
    folder = data_dir / "cifar-10-batches-bin"
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing")
    data = fastsvm.load(folder)
    W = np.zeros((10, data.X.shape[1]), np.float32)
    study = batch_gradients(W, data.X, data.y, [256], draws=10, standardization=fit_standardization(data.X, "mean"))
    assert study.cosine.min() > 0.6  # a two-hundredth of the images tells most of the way down
    np.testing.assert_allclose(np.sqrt(np.square(study.error).mean()), study.law[0], rtol=0.2)


def test_an_optimizer_without_a_learning_rate():
    for study, more in ((learning_rates, ([0.1],)), (decay_study, ())):
        with pytest.raises(ValueError, match=r"optimizer must have a learning rate, .*; got SteepestDescent\(\)"):
            study(X, y, *more, optimizer=fastsvm.SteepestDescent())
