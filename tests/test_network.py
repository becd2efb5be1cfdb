"""A two-layer network: its scores, losses and gradients, and the updates training makes of them."""

from __future__ import annotations

import numpy as np
import pytest
import threadpoolctl

import fastsvm
from fastsvm import (
    SGD,
    Adam,
    CrammerSinger,
    Momentum,
    Softmax,
    TwoLayer,
    WestonWatkins,
    check_gradient,
    fit_standardization,
    loss_and_gradient,
    train,
)
from fastsvm import autograd as ag
from fastsvm.backends import reference
from fastsvm.network import ACTIVATIONS, engine, team
from training_cases import BACKENDS, RULES, X64, D, K, Y, blobs, same, same_training

H = 6
NETWORK = TwoLayer(H, n_features=D, n_classes=K)
WEIGHT = np.random.default_rng(2).uniform(0.0, 3.0, len(Y))
FUNCTIONS = {"relu": lambda a: np.maximum(0.0, a), "tanh": np.tanh, "sigmoid": lambda a: 1 / (1 + np.exp(-a))}


def parts(W, b, hidden=H, d=D, k=K):
    """``W1``, ``b1``, ``W2``, ``b2`` as the documentation has them."""
    b = np.zeros(hidden + k) if b is None else b
    return W[: hidden * d].reshape(hidden, d), b[:hidden], W[hidden * d :].reshape(k, hidden), b[hidden:]


def hidden_input(W, b, X):
    W1, b1, _, _ = parts(W, b)
    return X @ W1.T + b1


def scores_by_hand(W, b, X, activation="relu"):
    _, _, W2, b2 = parts(W, b)
    return FUNCTIONS[activation](hidden_input(W, b, X)) @ W2.T + b2


def objective_by_hand(W, b, X, y, *, loss, alpha, alpha_intercept, weight, activation="relu"):
    values, _ = reference.loss_rows(scores_by_hand(W, b, X, activation), y, loss)
    penalty = alpha / 2 * np.sum(W**2) + (0 if b is None else alpha_intercept / 2 * np.sum(b**2))
    return float(np.sum(values * weight) / np.sum(weight) + penalty)


def draw(seed=3, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return rng.normal(size=H * (D + K)).astype(dtype), rng.normal(size=H + K).astype(dtype)


# --- the objective and its gradient


@pytest.mark.parametrize("loss", [WestonWatkins(), WestonWatkins(0.5, squared=True), CrammerSinger(), Softmax()], ids=repr)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_of_the_whole_network(loss, activation):
    network, (W, b) = TwoLayer(H, activation, D, K), draw()
    setting = dict(loss=loss, alpha=0.3, sample_weight=WEIGHT, penalize_intercept=True)
    value, dW, db = loss_and_gradient(W, X64, Y, b, score_function=network, **setting)

    def by_hand(W, b):
        return objective_by_hand(
            W, b, X64, Y, loss=loss, alpha=0.3, alpha_intercept=0.3, weight=WEIGHT, activation=activation
        )  # fmt: skip

    def piece(W, b):
        """Which hidden units are on, and which scores have a gradient."""
        return [hidden_input(W, b, X64) > 0, reference.loss_rows(scores_by_hand(W, b, X64, activation), Y, loss)[1] != 0][
            activation != "relu" :
        ]

    def signature(W, b):
        return np.concatenate([p.ravel() for p in piece(W, b)])

    assert value == pytest.approx(by_hand(W, b), rel=1e-12)
    for check in (
        check_gradient(lambda x: by_hand(x, b), W, dW, n_coordinates=None, signature=lambda x: signature(x, b)),
        check_gradient(lambda x: by_hand(W, x), b, db, n_coordinates=None, signature=lambda x: signature(W, x)),
    ):
        assert check.passed, check
        assert check.n_kinks < len(check.kink) / 4


@pytest.mark.parametrize("storage", ["float64", "float32", "float16", "bfloat16", "int8", "uint8"])
def test_every_storage_is_read_through_the_standardization(storage, monkeypatch):
    X, y = blobs(n=150)
    X = np.clip(X * 9, -100, 100) + (100 if storage == "uint8" else 0)
    if storage == "bfloat16":
        stored = (X.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        numbers = (stored.astype(np.uint32) << 16).view(np.float32)
    else:
        stored = X.astype(storage)
        numbers = stored
    dtype = np.float64 if storage == "float64" else np.float32
    W, b = draw(dtype=dtype)
    standardization = fit_standardization(stored, "mean+std")
    wide = (numbers.astype(np.float64) - numbers.astype(np.float64).mean(axis=0)) / numbers.astype(np.float64).std(axis=0)
    W64, b64 = W.astype(np.float64), b.astype(np.float64)
    expected, dW64, db64 = loss_and_gradient(W64, wide, y, b64, Softmax(), 0.1, score_function=NETWORK)
    by_hand = objective_by_hand(W64, b64, wide, y, loss=Softmax(), alpha=0.1, alpha_intercept=0, weight=np.ones(150))
    # In blocks of 64 rows, the third of which has 22, losses and gradients must add up to those of all 150.
    monkeypatch.setattr(team, "BLOCK", 1)
    found, dW, db = loss_and_gradient(
        W, stored, y, b, Softmax(), 0.1, standardization=standardization, score_function=NETWORK, n_threads=1
    )
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    assert expected == pytest.approx(by_hand, rel=1e-12)
    assert found == pytest.approx(by_hand, rel=tolerance)
    np.testing.assert_allclose(dW, dW64, rtol=0, atol=tolerance * np.abs(dW64).max())
    np.testing.assert_allclose(db, db64, rtol=0, atol=tolerance * np.abs(db64).max())


def test_without_standardization_and_intercepts():
    W, _ = draw()
    scores = fastsvm.decision_scores(W, X64, score_function=NETWORK)
    np.testing.assert_allclose(scores, scores_by_hand(W, None, X64), rtol=1e-12)
    classes, top = fastsvm.top_k(W, X64, 2, score_function=NETWORK)
    np.testing.assert_array_equal(classes, np.argsort(-scores, axis=1)[:, :2])
    np.testing.assert_array_equal(top, -np.sort(-scores, axis=1)[:, :2])
    np.testing.assert_array_equal(fastsvm.predict(W, X64, score_function=NETWORK), scores.argmax(axis=1))
    accuracy = fastsvm.evaluate(W, X64, Y, score_function=NETWORK)[1]
    assert accuracy == np.mean(scores.argmax(axis=1) == Y)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_number_of_threads_changes_no_bit(backend, monkeypatch):
    """Batches of 32 in blocks of 8, updates in pieces of 10: what threads find must come together in one order."""
    setting = dict(score_function=TwoLayer(H), optimizer=Adam(0.01), batch_size=32, epochs=3, alpha=0.1, backend=backend)
    plain = train(X64, Y, **setting)
    monkeypatch.setattr(team, "SERIAL_PRODUCTS", 0)
    monkeypatch.setattr(team, "LEAST_ROWS", 8)
    monkeypatch.setattr(engine, "PIECE", 10)
    one, two, five = (train(X64, Y, validation=(X64, Y), record="update", n_threads=n, **setting) for n in (1, 2, 5))
    assert same_training(one, two)
    assert same_training(one, five)
    np.testing.assert_allclose(one.state.W, plain.W, rtol=1e-8)


def test_a_team():
    with team.team_of(3, team.SERIAL_PRODUCTS) as three, pytest.raises(ZeroDivisionError):
        three.map(lambda divisor: 1 / divisor, [1, 1, 1, 1, 0])
    with team.team_of(3, team.SERIAL_PRODUCTS) as three:
        assert three.map(lambda number: number**2, range(8)) == [0, 1, 4, 9, 16, 25, 36, 49]
        assert three.map(abs, []) == []
    assert [team.rows_per_block(n, 10**6, 3072) for n in (10, 256, 50_000)] == [10, 128, 1365]


def test_threads_of_blas_are_put_back():
    before = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
    seen = []

    def look(record, result):
        seen.append([pool["num_threads"] for pool in threadpoolctl.threadpool_info()])

    train(X64, Y, score_function=TwoLayer(H), epochs=1, callbacks=[look], n_threads=3)
    assert seen == [before]
    team._libraries.cache_clear()  # libraries that tests before this one loaded
    with team.team_of(2, team.SERIAL_PRODUCTS):
        assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"} == {1}


# --- training: by hand, and against the linear trainer


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule)
def test_updates_are_those_of_the_optimizer_on_the_flat_arrays(rule):
    """Two epochs by hand: the gradient of each batch, and ``optimizer.step`` on ``W`` and ``b`` as they are."""
    W, b = draw()
    setting = dict(loss=Softmax(), alpha=0.1, penalize_intercept=True)
    result = train(
        X64, Y, score_function=TwoLayer(H), W=W, b=b, optimizer=rule, batch_size=16, epochs=2, sampling="sequential",
        sample_weight=WEIGHT, record="update", standardize="mean", **setting,
    )  # fmt: skip
    standardization = fit_standardization(X64, "mean")
    undecayed = rule if rule.rule != "adamw" else Adam(rule.learning_rate)  # weight decay does not reach b
    state_W, state_b, losses, right = rule.init(W), undecayed.init(b), [], 0
    weight = WEIGHT / WEIGHT.mean()
    for first in [*range(0, len(Y), 16)] * 2:
        rows = slice(first, first + 16)
        share = weight[rows].mean()  # a batch's weights count as they are; alone they are scaled to a mean of 1
        batch = X64[rows], Y[rows], b
        half = dict(loss=Softmax(), standardization=standardization, sample_weight=WEIGHT[rows], score_function=NETWORK)
        value, dW, db = loss_and_gradient(W, *batch, **half)
        penalty = 0.05 * (W @ W + b @ b)
        losses.append(share * value + penalty)
        right += np.sum(scores_by_hand(W, b, standardization.apply(X64[rows])).argmax(axis=1) == Y[rows])
        rule.step(W, share * dW + 0.1 * W, state_W)
        undecayed.step(b, share * db + 0.1 * b, state_b)
    np.testing.assert_allclose(result.W, W, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(result.b, b, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(result.history.update_losses, losses, rtol=1e-10)
    assert sum(result.history["accuracy"]) * len(Y) == pytest.approx(right)
    assert result.state.optimizer_W.step == result.state.optimizer_b.step == len(losses)


class OneLayer(TwoLayer):
    """No hidden layer: the linear score function by the network's way of computing."""

    @property
    def layers(self):
        return [(self.n_classes, self.n_features)]

    def forward(self, x, parameters):
        return ag.linear(x, parameters["W1"], parameters.get("b1"))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("intercept", [True, False])
def test_without_its_hidden_layer_it_is_the_linear_trainer(backend, intercept):
    setting = dict(
        optimizer=Momentum(0.02), batch_size=16, epochs=4, alpha=0.1, sample_weight=WEIGHT, validation=blobs(seed=9),
        fit_intercept=intercept, record="update", backend=backend,
    )  # fmt: skip
    linear = train(X64, Y, **setting)
    network = train(X64, Y, score_function=OneLayer(1), W=np.zeros(K * D), **setting)
    np.testing.assert_allclose(network.W.reshape(K, D), linear.W, rtol=1e-9, atol=1e-12)
    if intercept:
        np.testing.assert_allclose(network.b, linear.b, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(network.history.update_losses, linear.history.update_losses, rtol=1e-10)
    for column in ("accuracy", "val_accuracy"):
        np.testing.assert_array_equal(network.history[column], linear.history[column])
    np.testing.assert_allclose(network.history["val_loss"], linear.history["val_loss"], rtol=1e-10)
    assert network.best_epoch == linear.best_epoch


@pytest.mark.parametrize(("activation", "gain"), [("relu", 2.0), ("tanh", 1.0), ("sigmoid", 1.0)])
def test_weights_begin_with_the_variance_that_carries_through(activation, gain):
    network = TwoLayer(400, activation)
    W = network.init_weights(300, 50, np.dtype(np.float32), np.random.default_rng(0))
    W1, W2 = W[: 400 * 300], W[400 * 300 :]
    assert W.dtype == np.float32
    # A sample variance of n numbers is off by a relative sqrt(2 / n): 0.004 and 0.01 here.
    assert W1.var() == pytest.approx(gain / 300, rel=0.03)
    assert W2.var() == pytest.approx(gain / 400, rel=0.06)


def test_seed_and_where_to_begin():
    first, again, other = (train(X64, Y, score_function=TwoLayer(H), epochs=1, seed=seed) for seed in (1, 1, 2))
    assert same(first.W, again.W)
    assert not np.array_equal(first.W, other.W)
    assert first.score_function == NETWORK
    assert first.W.shape == (H * (D + K),)
    W1, b1, W2, b2 = parts(first.W, first.b)
    for name, part in (("W1", W1), ("b1", b1), ("W2", W2), ("b2", b2)):
        assert same(first.parameters[name], part)
        assert np.shares_memory(first.parameters[name], part)
    # A rate of next to nothing leaves the weights where they began.
    W, b = draw()
    still = train(X64, Y, score_function=NETWORK, W=W, b=b, optimizer=SGD(1e-300), epochs=1)
    assert same(still.W, W)
    assert same(still.b, b)
    assert train(X64, Y, score_function=TwoLayer(H, n_classes=7), epochs=1).scores(X64).shape == (len(Y), 7)
