"""What one does with a two-layer network: the trainer's options, model files, the command line, real data."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save

import fastsvm
from cli_runs import run, succeed, succeed_json
from fastsvm import (
    SGD,
    Adam,
    DataFormatError,
    DivergenceError,
    Model,
    SteepestDescent,
    TwoLayer,
    load_model,
    loss_value,
    score_functions,
    train,
)
from training_cases import X64, D, K, Y, blobs, same, same_training

H = 6
NETWORK = TwoLayer(H, n_features=D, n_classes=K)


def draw(seed=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=H * (D + K)), rng.normal(size=H + K)


# --- the trainer's options


def test_resume_is_the_same_training():
    setting = dict(
        score_function=TwoLayer(H), optimizer=Adam(0.01), batch_size=16, validation=blobs(seed=9), record="update", n_threads=1
    )
    kept = []
    whole = train(X64, Y, epochs=6, callbacks=[lambda record, result: kept.append(copy.deepcopy(result))], **setting)
    assert same_training(whole, train(X64, Y, epochs=6, resume=kept[2], **setting))
    del setting["score_function"]  # resume knows it
    assert same_training(whole, train(X64, Y, epochs=6, resume=train(X64, Y, epochs=6, resume=kept[3], **setting), **setting))
    assert kept[2].stop_reason == "running"
    assert not np.array_equal(kept[2].W, whole.state.W)


def test_resume_wants_the_same_network():
    network = train(X64, Y, score_function=TwoLayer(H), epochs=1)
    linear = train(X64, Y, epochs=1)
    for score_function, resume in ((TwoLayer(H + 1), network), (TwoLayer(H, "tanh"), network), (TwoLayer(H), linear)):
        with pytest.raises(ValueError, match="score_function must be that of the training to resume"):
            train(X64, Y, score_function=score_function, resume=resume, epochs=2)
    with pytest.raises(ValueError, match="n_features must be that of the training to resume, 7; got 6"):
        train(X64[:, :6].copy(), Y, resume=network, epochs=2)


def test_the_best_epoch_is_the_result():
    # A standing start and two good steps, then a jump that spoils everything.
    W, b = draw()
    setting = dict(score_function=NETWORK, W=W, b=b, batch_size="full", validation=(X64, Y), alpha=0.0)
    result = train(X64, Y, epochs=9, patience=2, optimizer=SGD([0.01, 0.01, 1e3, 0, 0].__getitem__), **setting)
    assert (result.stop_reason, result.best_epoch, len(result.history)) == ("early stopping", 2, 4)
    assert same(result.W, train(X64, Y, epochs=2, optimizer=SGD(0.01), **setting).W)
    assert result.history["val_loss"][1] == result.evaluate(X64, Y)[0]
    assert np.abs(result.state.W).max() > 20


def test_divergence_goes_back_to_the_last_sound_epoch():
    setting = dict(score_function=TwoLayer(H), batch_size=25, alpha=0.0)
    with pytest.raises(DivergenceError, match="diverged in epoch 3") as caught:
        train(X64, Y, epochs=9, optimizer=SGD(lambda step: 0.01 if step < 6 else 1e200), **setting)
    sound = train(X64, Y, epochs=2, optimizer=SGD(0.01), **setting)
    # Update 6 is the first of epoch 3 and far too long; the loss of the next one shows it.
    assert (caught.value.update, caught.value.learning_rate) == (7, 1e200)
    assert caught.value.result.stop_reason == "diverged"
    assert same(caught.value.result.W, sound.W)
    X = X64.copy()
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"X\[3, 2\] is nan"):
        train(X, Y, standardize=None, **setting)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"score_function": "two_layer"}, TypeError, "score_function must be TwoLayer.*got 'two_layer'"),
        ({"score_function": TwoLayer}, TypeError, "score_function must be TwoLayer"),
        ({"score_function": TwoLayer(5, n_features=3)}, ValueError, "score_function must have the 7 features of the data"),
        ({"score_function": TwoLayer(5, n_classes=9), "n_classes": 4}, ValueError, "must have the 4 classes of the data"),
        ({"score_function": TwoLayer(5, n_classes=3)}, ValueError, r"y must be class indices in \[0, 3\)"),
        ({"W": np.zeros((K, D))}, ValueError, r"W must have shape \(55,\); got \(4, 7\)"),
        ({"b": np.zeros(K)}, ValueError, r"b must have shape \(9,\); got \(4,\)"),
        ({"W": np.full(55, np.nan)}, ValueError, r"W\[0\] is nan"),
        ({"optimizer": SteepestDescent(), "batch_size": "full"}, ValueError, "score_function must be linear"),
        ({"validation": (X64[:, :5].copy(), Y)}, ValueError, "validation.0. must have as many features as X, 7"),
    ],
)
def test_training_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        train(X64, Y, **({"score_function": TwoLayer(5)} | arguments))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"hidden": 0}, ValueError, "hidden must be an integer >= 1; got 0"),
        ({"hidden": 2.5}, TypeError, "hidden must be an integer"),
        ({"activation": "swish"}, ValueError, "activation must be one of 'relu', 'tanh', 'sigmoid'; got 'swish'"),
        ({"n_classes": 1}, ValueError, "n_classes must be an integer >= 2; got 1"),
        ({"n_features": 0}, ValueError, "n_features must be an integer >= 1; got 0"),
    ],
)
def test_hyperparameters_are_checked(arguments, error, message):
    with pytest.raises(error, match=message):
        TwoLayer(**arguments)


def test_functions_need_to_know_the_sizes():
    W, b = draw()
    with pytest.raises(ValueError, match="must be given its n_features and n_classes outside training"):
        loss_value(W, X64, Y, b, score_function=TwoLayer(H))
    with pytest.raises(ValueError, match="X and y must have the 7 features of"):
        fastsvm.predict(W, X64[:, :3].copy(), b, score_function=NETWORK)
    with pytest.raises(TypeError, match="X is float64 and W is float32"):
        fastsvm.predict(W.astype(np.float32), X64, b.astype(np.float32), score_function=NETWORK)
    with pytest.raises(OverflowError, match="overflow float64"):
        loss_value(W * 1e200, X64, Y, b, score_function=NETWORK)


# --- models


@pytest.mark.parametrize("intercept", [True, False])
def test_a_model_file_keeps_the_network(tmp_path, intercept):
    result = train(X64, Y, score_function=TwoLayer(H, "tanh"), epochs=2, fit_intercept=intercept)
    result.to_model(["a", "b", "c", "größe"], {"made": "today"}).save(tmp_path / "m")
    model = load_model(tmp_path / "m")
    assert (model.n_features, model.n_classes, model.score_function) == (D, K, TwoLayer(H, "tanh", D, K))
    assert (model.class_names[3], model.metadata, model.loss) == ("größe", {"made": "today"}, result.loss)
    assert same(model.scores(X64, n_threads=1), result.scores(X64))
    assert same(model.predict(X64), result.predict(X64))
    assert model.evaluate(X64, Y) == result.evaluate(X64, Y)
    assert same(model.top_k(X64, 1)[0][:, 0], result.predict(X64))
    names = {"W1", "W2", "mean", "scale"} | ({"b1", "b2"} if intercept else set())
    tensors = load_file(tmp_path / "m")
    assert set(tensors) == names
    assert same(tensors["W2"], result.parameters["W2"])
    with pytest.raises(ValueError, match="X must have the 7 features the model was trained on; got 3"):
        model.predict(X64[:, :3].copy())


HEADER = {
    "format": "fastsvm-two-layer-model", "version": 1, "class_names": None, "loss": {"name": "softmax"}, "alpha": 0.5,
    "penalize_intercept": False, "standardization": None, "metadata": {},
    "score_function": {"hidden": 2, "activation": "relu", "n_features": 3, "n_classes": 4},
}  # fmt: skip
TENSORS = {"W1": np.ones((2, 3)), "b1": np.ones(2), "W2": np.ones((4, 2)), "b2": np.ones(4)}


def changed(**score_function):
    return HEADER | {"score_function": HEADER["score_function"] | score_function}


@pytest.mark.parametrize(
    ("header", "tensors", "message"),
    [
        (changed(hidden=3), TENSORS, r"W1 must have shape \(3, 3\); got \(2, 3\)"),
        (changed(hidden=10**15), TENSORS, "W1 must have shape"),
        (changed(n_classes=10**15), TENSORS, "W2 must have shape"),
        (changed(n_classes=None), TENSORS, "must be given its n_features and n_classes"),
        (changed(activation="os.system"), TENSORS, "activation must be one of"),
        (changed(hidden="2"), TENSORS, "hidden must be an integer"),
        (changed(depth=3), TENSORS, "score_function must have the keys"),
        (HEADER | {"score_function": [1]}, TENSORS, "score_function must have the keys"),
        ({k: v for k, v in HEADER.items() if k != "score_function"}, TENSORS, "must have the keys"),
        (HEADER | {"format": "fastsvm-linear-model"}, TENSORS, "must have the keys"),
        (HEADER, {"W1": TENSORS["W1"]}, "tensors must be 'W1', 'W2' and maybe 'b1', 'b2'"),
        (HEADER, TENSORS | {"W": np.ones((2, 3))}, "tensors must be 'W1', 'W2' and maybe"),
        (HEADER, {k: v for k, v in TENSORS.items() if k != "b2"}, "with or without b1 and b2"),
        (HEADER, TENSORS | {"b2": np.ones(4, dtype=np.float32)}, "b2 must have dtype float64"),
        (HEADER, TENSORS | {"W2": np.full((4, 2), np.nan)}, r"W must hold finite numbers only; W\[6\] is nan"),
        (HEADER | {"class_names": ["a"]}, TENSORS, "one name per class, 4; got 1"),
    ],
)
def test_unsound_files(tmp_path, header, tensors, message):
    (tmp_path / "m").write_bytes(save(tensors, metadata={"fastsvm": json.dumps(header)}))
    with pytest.raises(DataFormatError, match=message):
        load_model(tmp_path / "m")


def test_the_sound_file_behind_them(tmp_path):
    (tmp_path / "m").write_bytes(save(TENSORS, metadata={"fastsvm": json.dumps(HEADER)}))
    model = load_model(tmp_path / "m")
    # Each hidden unit is max(0, 1 + 2 + 3 + 1) = 7, each score 7 + 7 + 1.
    assert model.scores(np.array([[1.0, 2.0, 3.0]])).tolist() == [[15.0] * 4]
    assert "TwoLayer(hidden=2" in repr(model)
    assert "TwoLayer" not in repr(Model(np.eye(2)))
    assert Model(np.eye(2)).score_function == score_functions.LINEAR


# --- the command line, and real data


def test_command_line(blobs, tmp_path):
    model = tmp_path / "m.safetensors"
    found = succeed_json("train", blobs, "--hidden", 8, "--activation", "tanh", "--epochs", 300, "-o", model)
    assert found["score_function"] == "TwoLayer(hidden=8, activation='tanh', n_features=4, n_classes=3)"
    assert found["test"]["accuracy"] > 0.9  # classes six standard deviations apart
    assert load_model(model).metadata["score function"] == found["score_function"]
    evaluated = succeed_json("evaluate", model, blobs)
    labels = succeed("predict", model, blobs).split()
    assert np.mean(np.array(labels) == np.repeat(["ant", "bee", "größe"], 20)) == evaluated["accuracy"] > 0.9
    assert "8 hidden units, tanh" in succeed("train", blobs, "--hidden", 8, "--activation", "Tanh", "--epochs", 3)
    assert "hidden" not in succeed("train", blobs, "--epochs", 3)
    for arguments, message in (
        (["--hidden", 0], "hidden must be an integer >= 1; got 0"),
        (["--activation", "relu"], "--activation needs --hidden"),
        (["--hidden", 8, "--activation", "swish"], "activation must be one of"),
    ):
        refused = run("train", blobs, *arguments)
        assert refused.exit_code == 2
        assert message in refused.stderr
        assert refused.stderr.count("\n") == 1


def test_it_learns_what_no_linear_model_can():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(600, 2)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
    setting = dict(optimizer=Adam(0.01), epochs=60, batch_size=60, alpha=1e-4)
    assert train(X[:400], y[:400], **setting).evaluate(X[400:], y[400:])[1] < 0.7
    assert train(X[:400], y[:400], score_function=TwoLayer(32), **setting).evaluate(X[400:], y[400:])[1] > 0.9


@pytest.mark.slow
def test_it_beats_the_linear_model_on_fashion(data_dir):
    folder = data_dir / "fashion-mnist"
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing")
    dataset = fastsvm.load(folder)
    setting = dict(epochs=3, optimizer="adam")
    linear = train(dataset.X, dataset.y, **setting).evaluate(dataset.X_test, dataset.y_test)[1]
    network = train(dataset.X, dataset.y, score_function=TwoLayer(256), **setting)
    # The best linear model reaches 0.845 or so.
    assert network.evaluate(dataset.X_test, dataset.y_test)[1] > max(0.85, linear)
