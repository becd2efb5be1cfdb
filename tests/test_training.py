"""The trainer: trajectories against plain loops, what it records, and what it returns."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import fastsvm
from fastsvm import SGD, Adam, AdamW, CrammerSinger, Momentum, Softmax, WestonWatkins
from fastsvm.schedules import Constant, Cosine
from fastsvm.standardization import fit_standardization
from fastsvm.training import train
from fastsvm.training.history import EpochRecord, History
from training_cases import BACKENDS, COMPILED, RULES, X64, D, K, N, Y, blobs, same, same_training


def plain_loop(X, y, optimizer, orders, batch_size, *, loss, alpha, penalize_intercept=False, weight=None, k=K):
    """The trainer in eight lines; returns W, b and the loss of every update."""
    W, b, losses = np.zeros((k, X.shape[1])), np.zeros(k), []
    weight = np.ones(len(y)) if weight is None else weight / weight.mean()
    decays = {name: getattr(optimizer, name) for name in ("beta1", "beta2", "eps") if hasattr(optimizer, name)}
    rule_b = Adam(optimizer.learning_rate, **decays) if isinstance(optimizer, AdamW) else optimizer  # b does not decay
    state_W, state_b = optimizer.init(W), rule_b.init(b)
    for order in orders:
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            # The objective normalises by the weights of all samples, loss_and_gradient by those of the batch.
            scale = weight[rows].mean()
            value, dW, db = fastsvm.loss_and_gradient(W, X[rows], y[rows], b, loss, 0.0, weight[rows], backend="reference")
            value, dW, db = value * scale + alpha / 2 * (W**2).sum(), dW * scale + alpha * W, db * scale
            if penalize_intercept:
                value, db = value + alpha / 2 * (b**2).sum(), db + alpha * b
            losses.append(value)
            optimizer.step(W, dW, state_W, backend="reference")
            rule_b.step(b, db, state_b, backend="reference")
    return W, b, np.array(losses)


@pytest.mark.parametrize("backend", BACKENDS)
def test_full_batch_is_gradient_descent(backend):
    W, b, losses = np.zeros((K, D)), np.zeros(K), []
    rows = np.arange(N)
    for _ in range(15):
        scores = X64 @ W.T + b
        margins = np.maximum(0, scores - scores[rows, Y][:, None] + 1)
        margins[rows, Y] = 0
        losses.append(margins.sum() / N + 0.05 * (W**2).sum())
        active = (margins > 0).astype(float)
        active[rows, Y] = -active.sum(axis=1)
        W, b = W - 0.1 * (active.T @ X64 / N + 0.1 * W), b - 0.1 * active.sum(axis=0) / N
    for batch_size in ("full", N, N + 1, 10**9):
        result = train(
            X64, Y, optimizer=SGD(0.1), alpha=0.1, batch_size=batch_size, epochs=15, standardize=None, backend=backend
        )
        np.testing.assert_allclose(result.W, W, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(result.b, b, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(result.history["loss"], losses, rtol=1e-10)
        assert result.state.updates == 15
        assert result.stop_reason == "epochs"


@pytest.mark.parametrize("optimizer", RULES, ids=lambda rule: rule.rule)
@pytest.mark.parametrize("backend", BACKENDS)
def test_trajectory(backend, optimizer):
    rng = np.random.default_rng(3)
    orders = [rng.permutation(N) for _ in range(6)]
    weight = np.linspace(0.0, 2.0, N)
    settings = dict(loss=WestonWatkins(), alpha=0.05, penalize_intercept=True)
    W, b, losses = plain_loop(X64, Y, optimizer, orders, 7, weight=weight, **settings)
    result = train(
        X64, Y, optimizer=optimizer, batch_size=7, epochs=6, standardize=None, sample_weight=weight, seed=3,
        record="update", backend=backend, **settings,
    )  # fmt: skip
    np.testing.assert_allclose(result.history.update_losses, losses, rtol=1e-10)
    np.testing.assert_allclose(result.W, W, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(result.b, b, rtol=1e-10, atol=1e-12)
    assert int(result.state.optimizer_W.step) == int(result.state.optimizer_b.step) == len(losses) == 6 * 9


@pytest.mark.parametrize("loss", [WestonWatkins(0.5), WestonWatkins(squared=True), CrammerSinger(), Softmax()], ids=repr)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("batch_size", [1, 7, 256])
def test_batch_sizes_and_losses(backend, loss, batch_size):
    X, y = blobs(n=130)
    rng = np.random.default_rng(0)
    orders = [rng.permutation(130) for _ in range(2)]
    standardized = fit_standardization(X, "mean+std").apply(X)
    W, b, losses = plain_loop(standardized, y, Momentum(0.002), orders, batch_size, loss=loss, alpha=0.01)
    result = train(
        X, y, loss=loss, optimizer=Momentum(0.002), alpha=0.01, batch_size=batch_size, epochs=2, record="update",
        backend=backend,
    )  # fmt: skip
    np.testing.assert_allclose(result.history.update_losses, losses, rtol=1e-9)
    np.testing.assert_allclose(result.W, W, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(result.b, b, rtol=1e-9, atol=1e-11)
    assert len(losses) == 2 * -(-130 // batch_size)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("backend", COMPILED)
def test_float32_trajectory(backend, dtype):
    X, y = blobs(n=300, d=33, k=5, dtype=dtype)
    settings = dict(loss=Softmax(), optimizer=Adam(0.01), epochs=3, batch_size=32, seed=8)
    expected = train(X, y, backend="reference", dtype=np.float64 if dtype == np.uint8 else None, **settings)
    result = train(X, y, backend=backend, **settings)
    assert result.W.dtype == result.b.dtype == np.float32
    np.testing.assert_allclose(result.W, expected.W, atol=2e-4)
    np.testing.assert_allclose(result.history["loss"], expected.history["loss"], rtol=1e-5)


@pytest.mark.parametrize("sampling", ["shuffle", "replacement", "sequential"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_sampling(backend, sampling):
    rng = np.random.default_rng(11)
    draw = {
        "shuffle": lambda: rng.permutation(N),
        "replacement": lambda: rng.integers(0, N, size=N),
        "sequential": lambda: np.arange(N),
    }[sampling]
    W, b, _ = plain_loop(X64, Y, SGD(0.05), [draw() for _ in range(3)], 8, loss=WestonWatkins(), alpha=0.0)
    generator = np.random.default_rng(11)
    result = train(
        X64, Y, optimizer=SGD(0.05), alpha=0.0, sampling=sampling, batch_size=8, epochs=3, standardize=None, seed=generator,
        backend=backend,
    )  # fmt: skip
    np.testing.assert_allclose(result.W, W, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(result.b, b, rtol=1e-10, atol=1e-12)
    assert generator.bit_generator.state == result.state.rng == rng.bit_generator.state


def test_full_batch_draws_nothing():
    generator = np.random.default_rng(11)
    before = generator.bit_generator.state
    settings = dict(batch_size="full", epochs=3, seed=generator, backend="reference")
    runs = [train(X64, Y, sampling=sampling, **settings) for sampling in ("shuffle", "replacement", "sequential")]
    assert generator.bit_generator.state == before
    assert same(runs[0].W, runs[2].W)
    assert same(runs[1].W, runs[2].W)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
@pytest.mark.parametrize("backend", COMPILED)
def test_threads_do_not_change_a_bit(backend, dtype):
    X, y = blobs(n=1300, d=600, k=10, dtype=dtype)
    settings = dict(epochs=2, batch_size=300, backend=backend, validation=(X, y), record="update", optimizer=Adam(1e-3))
    runs = [train(X, y, n_threads=threads, **settings) for threads in (1, 2, 4)]
    assert [run.n_threads for run in runs] == [1, 2, 4]
    assert same_training(runs[0], runs[1])
    assert same_training(runs[0], runs[2])


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_seed_one_training(backend):
    settings = dict(epochs=3, batch_size=16, backend=backend)
    first = train(X64, Y, seed=1, **settings)
    assert same_training(first, train(X64, Y, seed=np.random.default_rng(1), **settings))
    assert same_training(first, train(X64, Y, seed=np.random.SeedSequence(1), **settings))
    assert not same(first.W, train(X64, Y, seed=2, **settings).W)
    assert not same(train(X64, Y, seed=None, **settings).W, train(X64, Y, seed=None, **settings).W)


def test_record_of_an_epoch():
    optimizer = SGD(Constant(0.02, warmup=20))
    result = train(X64, Y, optimizer=optimizer, batch_size=25, epochs=4, record="update", backend="reference")
    records, losses = result.history.epochs, result.history.update_losses
    assert [r.epoch for r in records] == [1, 2, 3, 4]
    assert [r.updates for r in records] == [3, 6, 9, 12]
    assert losses.shape == (12,)
    for k, record in enumerate(records):
        batch = losses[3 * k : 3 * k + 3]
        assert record.loss == pytest.approx((25 * batch[0] + 25 * batch[1] + 11 * batch[2]) / N, rel=1e-14)
        assert record.learning_rate == pytest.approx(0.02 * (3 * k + 3) / 20, rel=1e-14)
        assert record.samples_per_second == pytest.approx(N / record.seconds)
        assert record.val_loss is record.val_accuracy is None
    assert losses[0] == K - 1  # zero weights: every margin is 1
    first = records[0].accuracy * N
    assert first == pytest.approx(round(first))
    assert train(X64, Y, epochs=1, batch_size="full", backend="reference").history["accuracy"][0] == np.mean(Y == 0)


def test_history_columns():
    records = [EpochRecord(1, 5, 2.0, 0.5, 0.1, 1.0, 61.0), EpochRecord(2, 10, 1.0, 0.7, 0.1, 1.0, 61.0, 3.0, 0.25)]
    history = History(records)
    assert len(history) == 2
    assert list(history) == records
    assert history["loss"].tolist() == [2.0, 1.0]
    assert history["epoch"].dtype == np.float64
    assert history["val_accuracy"].tolist()[1] == 0.25
    assert np.isnan(history["val_loss"][0])
    with pytest.raises(ValueError, match="column must be one of 'epoch'"):
        history["speed"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_validation_values(backend):
    X, y = blobs(n=40, seed=6)
    weight = np.linspace(1, 3, 40)
    settings = dict(epochs=3, batch_size=10, alpha=0.2, penalize_intercept=True, backend=backend, loss=CrammerSinger())
    result = train(X64, Y, validation=(X, y, weight), monitor="loss", **settings)
    for epoch in (1, 2, 3):
        stopped = train(X64, Y, **{**settings, "epochs": epoch}, optimizer=Adam(Cosine(1e-3, total=21)))
        again = train(X64, Y, **settings, validation=(X, y, weight), optimizer=Adam(Cosine(1e-3, total=21)))
        scores = stopped.standardization.apply(X) @ stopped.W.T + stopped.b
        margins = 1 + scores - scores[np.arange(40), y][:, None]
        margins[np.arange(40), y] = 0
        loss = np.average(margins.max(axis=1).clip(0), weights=weight)
        loss += 0.1 * (stopped.W**2).sum() + 0.1 * (stopped.b**2).sum()
        record = again.history.epochs[epoch - 1]
        assert record.val_loss == pytest.approx(loss, rel=1e-12)
        assert record.val_accuracy == pytest.approx(np.mean(scores.argmax(axis=1) == y))
        assert stopped.evaluate(X, y, weight) == pytest.approx((record.val_loss, record.val_accuracy), rel=1e-12)
    assert result.best_epoch == 1 + int(np.argmin(result.history["val_loss"]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_result_methods(backend):
    X, y = blobs(dtype=np.float32)
    result = train(X, y, epochs=5, backend=backend)
    expected = (X - X.mean(axis=0)) / X.std(axis=0) @ result.W.T + result.b
    np.testing.assert_allclose(result.scores(X), expected, atol=1e-4)
    assert result.predict(X).dtype == np.int64
    assert (result.predict(X) == expected.argmax(axis=1)).all()
    assert result.backend == backend
    loss, accuracy = result.evaluate(X, y)
    assert accuracy == np.mean(expected.argmax(axis=1) == y)
    assert (loss, accuracy) == fastsvm.evaluate(
        result.W, X, y, result.b, result.loss, result.alpha, standardization=result.standardization, backend=backend
    )
    restored = pickle.loads(pickle.dumps(result))
    assert same_training(result, restored)


@pytest.mark.parametrize("backend", BACKENDS)
def test_digits(backend):
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = datasets.load_digits(return_X_y=True)
    X, order = X.astype(np.uint8), np.random.default_rng(0).permutation(len(y))
    inside, outside = order[:1437], order[1437:]
    result = train(X[inside], y[inside], backend=backend)
    assert result.evaluate(X[outside], y[outside])[1] >= 0.95
