"""What the trainer accepts, what it leaves untouched, and the errors for everything else."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from fastsvm import SGD, Adam, Momentum, Nesterov, Softmax
from fastsvm.standardization import fit_standardization
from fastsvm.training import train
from fastsvm.training.arguments import default_epochs
from training_cases import BACKENDS, COMPILED, X64, D, K, N, Y, blobs, same, same_training


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("standardize", ["none", "mean", "mean+std", "scale"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.filterwarnings("error")
def test_bad_samples_are_named(backend, standardize, bad):
    X = X64.copy()
    X[17, 2] = bad
    with pytest.raises(ValueError, match=r"X\[17, 2\] is -?(nan|inf)"):
        train(X, Y, standardize=standardize, backend=backend)
    with pytest.raises(ValueError, match=r"validation\[0\]\[17, 2\] is -?(nan|inf)"):
        train(X64, Y, standardize=standardize, validation=(X, Y), backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_samples_are_read_in_place(backend, dtype, tmp_path):
    X, y = blobs(dtype=dtype)
    expected = train(X, y, epochs=2, backend=backend)
    X.tofile(tmp_path / "X")
    mapped = np.memmap(tmp_path / "X", dtype=dtype, mode="r", shape=X.shape)
    kept, labels = X.copy(), y.copy()
    X.flags.writeable = y.flags.writeable = False
    for data in (X, mapped):
        assert same_training(expected, train(data, y, epochs=2, backend=backend, validation=None))
        train(data, y, epochs=1, backend=backend, validation=(data, y))
    assert (kept == X).all()
    assert (y == labels).all()


@pytest.mark.parametrize("backend", COMPILED)
def test_no_copy_of_the_samples(backend):
    X, y = np.zeros((100_000, 200), dtype=np.float32), np.arange(100_000) % 3
    small = (X[:512], y[:512])
    train(*small, epochs=1, standardize=None, backend=backend, validation=small)  # compiles, where there is something to
    tracemalloc.start()
    train(X, y, epochs=1, standardize=None, backend=backend, validation=(X, y))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 8


def test_initial_weights():
    W, b = np.full((K, D), 0.5), np.arange(K, dtype=np.float64)
    for array in (W, b):
        array.flags.writeable = False
    settings = dict(optimizer=SGD(lambda step: 0.0), epochs=1, backend="reference")
    result = train(X64, Y, W=W, b=b, **settings)
    assert same(result.W, W)
    assert same(result.b, b)
    assert not np.shares_memory(result.W, W)
    assert not np.shares_memory(result.W, result.state.W)
    X, y = blobs(dtype=np.float32)
    assert train(X, y, W=W, **settings).W.dtype == np.float64
    assert (train(X, y, W=W, **settings).b == 0).all()
    assert train(X, y, b=b.astype(np.float32), **settings).W.dtype == np.float32
    assert train(X, y, **settings).W.dtype == np.float32
    assert train(X, y, dtype="float64", **settings).W.dtype == np.float64
    assert train(X64, Y, **settings).W.dtype == np.float64
    assert train(X64, Y, fit_intercept=False, **settings).b is None


def test_classes():
    settings = dict(epochs=1, backend="reference")
    assert train(X64, Y, n_classes=9, **settings).W.shape == (9, D)
    assert train(X64, 2 * Y, n_classes=2 * K - 1, **settings).W.shape == (2 * K - 1, D)
    assert train(X64, np.zeros(N, dtype=int), n_classes=2, **settings).W.shape == (2, D)
    assert train(X64, Y, W=np.zeros((6, D)), **settings).W.shape == (6, D)
    assert train(X64, Y.tolist(), **settings).W.shape == (K, D)


@pytest.mark.parametrize(("y", "absent"), [(Y + 1, 0), (2 * Y, 1), (Y * 10**9, 1)])
def test_labels_with_gaps_need_n_classes(y, absent):
    message = rf"y must hold every class .* n_classes be given; got {K} classes, the largest {y.max()}, and no {absent}\."
    with pytest.raises(ValueError, match=message):
        train(X64, y, backend="reference")


def test_a_callback_may_answer_with_numpys_true():
    result = train(X64, Y, epochs=9, callbacks=[lambda record, result: np.bool_(record.epoch == 2)], backend="reference")
    assert (len(result.history), result.stop_reason) == (2, "callback")


def test_results_are_easy_to_look_at():
    result = train(X64, Y, epochs=3, backend="reference")
    assert len(repr(result)) < 200
    assert result.history[-1].epoch == 3
    assert result.to_model(np.array(["a", "b", "c", "d"])[:K]).class_names == tuple("abcd"[:K])


def test_defaults_and_names():
    result = train(X64, Y, optimizer="momentum", loss="Softmax", backend="reference")
    assert (result.optimizer, result.loss) == (Momentum(), Softmax())
    assert len(result.history) == default_epochs(N, 256) == 3000
    assert result.history.update_losses is None


def test_default_epochs():
    assert default_epochs(n_samples=50_000, batch_size=256) == 20  # 196 updates each
    assert default_epochs(n_samples=1437, batch_size=256) == 500  # 6 updates each: 3,000
    assert default_epochs(n_samples=5000, batch_size=64) == 38  # 79 updates each: 3,002
    assert default_epochs(n_samples=150, batch_size=150) == 3000
    assert default_epochs(n_samples=50_000, batch_size=50_000) == 200  # 10 million samples
    assert default_epochs(n_samples=10**8, batch_size=10**8) == 20


def test_ready_standardization():
    statistics = fit_standardization(X64, "mean+std")
    a = train(X64, Y, epochs=2, standardize=statistics, backend="reference")
    assert a.standardization is statistics
    assert same(a.W, train(X64, Y, epochs=2, backend="reference").W)
    assert train(X64, Y, epochs=1, standardize=None, backend="reference").standardization is None
    assert train(X64, Y, epochs=1, standardize="none", backend="reference").standardization is None


BAD = [
    (dict(X=X64.tolist()), TypeError, "X must be a NumPy array"),
    (dict(X=X64.T), ValueError, "X must be C-contiguous"),
    (dict(X=X64.astype(np.int16)), TypeError, "X must have dtype"),
    (dict(X=X64[:0], y=Y[:0]), ValueError, "X must hold at least one sample"),
    (dict(y=Y[:-1]), ValueError, r"y must have shape \(61,\)"),
    (dict(y=Y.astype(float)), TypeError, "y must hold integer class indices"),
    (dict(y=Y - 1), ValueError, "y must be class indices >= 0; "),
    (dict(y=np.full(N, 2)), ValueError, "y must hold at least two classes.*got one class, 2"),
    (dict(n_classes=K - 1), ValueError, r"y must be class indices in \[0, 3\)"),
    (dict(n_classes=1), ValueError, "n_classes must be an integer >= 2; got 1"),
    (dict(n_classes=4.0), TypeError, "n_classes must be an integer"),
    (dict(loss="hinge"), ValueError, "loss must be one of"),
    (dict(loss=1), TypeError, "loss must be one of"),
    (dict(optimizer="lion"), ValueError, "optimizer must be"),
    (dict(optimizer=Adam), TypeError, "optimizer must be"),
    (dict(alpha=-1e-4), ValueError, "alpha must be finite and >= 0"),
    (dict(alpha=np.nan), ValueError, "alpha must be finite"),
    (dict(batch_size=0), ValueError, "batch_size must be an integer >= 1; got 0"),
    (dict(batch_size=2.5), TypeError, "batch_size must be an integer"),
    (dict(batch_size="all"), ValueError, 'batch_size must be an integer >= 1 or "full"'),
    (dict(epochs=0), ValueError, "epochs must be an integer >= 1; got 0"),
    (dict(epochs=True), TypeError, "epochs must be an integer"),
    (dict(fit_intercept=1), TypeError, "fit_intercept must be True or False"),
    (dict(penalize_intercept="no"), TypeError, "penalize_intercept must be True or False"),
    (dict(sample_weight=np.zeros(N)), ValueError, "sample_weight must have a positive"),
    (dict(sample_weight=-np.ones(N)), ValueError, "sample_weight must be >= 0"),
    (dict(standardize="zscore"), ValueError, "standardize must be one of"),
    (dict(standardize=5), TypeError, "standardize must be one of"),
    (dict(standardize=fit_standardization(X64[:, :3].copy(), "mean")), ValueError, "standardize must have one entry"),
    (dict(W=np.zeros((K, D + 1))), ValueError, "W must have one column per feature"),
    (dict(W=np.zeros((K - 1, D))), ValueError, "y must be class indices in"),
    (dict(W=np.zeros((K, D)), n_classes=K + 1), ValueError, "W must have one row per class, 5"),
    (dict(W=np.zeros((K, D), dtype=np.float32)), TypeError, "X is float64 and W is float32"),
    (dict(W=np.zeros((K, D)), dtype=np.float32), TypeError, "W must have dtype float32"),
    (dict(W=np.full((K, D), np.nan)), ValueError, "W must hold finite numbers"),
    (dict(b=np.zeros(K - 1)), ValueError, r"b must have shape \(4,\)"),
    (dict(b=np.zeros(K), fit_intercept=False), ValueError, "b must be None with fit_intercept=False"),
    (dict(b=np.full(K, np.inf)), ValueError, "b must hold finite numbers"),
    (dict(dtype=np.float32), TypeError, "X is float64 and W is float32"),
    (dict(dtype="float16"), TypeError, "dtype must be float64 or float32"),
    (dict(dtype="fast"), TypeError, "dtype must be float64 or float32"),
    (dict(sampling="random"), ValueError, "sampling must be one of"),
    (dict(monitor="f1"), ValueError, "monitor must be one of"),
    (dict(record="batch"), ValueError, "record must be one of"),
    (dict(patience=3), ValueError, "patience needs validation"),
    (dict(patience=0, validation=(X64, Y)), ValueError, "patience must be an integer >= 1"),
    (dict(min_delta=-1.0), ValueError, "min_delta must be finite and >= 0"),
    (dict(callbacks=print), TypeError, "callbacks must be a sequence of callables"),
    (dict(callbacks=[print, 3]), TypeError, r"callbacks\[1\] must be callable"),
    (dict(seed=-1), ValueError, "seed must be an integer >= 0"),
    (dict(seed="0"), TypeError, "seed must be an integer, a numpy.random.Generator"),
    (dict(seed=1.0), TypeError, "seed must be an integer, a numpy.random.Generator"),
    (dict(backend="cuda"), ValueError, "backend must be one of"),
    (dict(n_threads=0), ValueError, "n_threads must not be 0"),
    (dict(validation=X64), TypeError, "validation must be"),
    (dict(validation=(X64,)), TypeError, "validation must be .*got 1 entries"),
    (dict(validation=(X64[:, :3].copy(), Y)), ValueError, r"validation\[0\] must have as many features as X, 7"),
    (dict(validation=(X64, Y[:-1])), ValueError, r"validation\[1\] must have shape"),
    (dict(validation=(X64, Y + 1)), ValueError, r"validation\[1\] must be class indices in \[0, 4\)"),
    (dict(validation=(X64, Y, np.zeros(N))), ValueError, r"validation\[2\] must have a positive"),
    (dict(X=X64.astype(np.float32), validation=(X64, Y)), TypeError, r"validation\[0\] is float64 and W is float32"),
    (dict(resume=3), TypeError, "resume must be a TrainResult"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        train(**{"X": X64, "y": Y, "backend": "reference", **arguments})


BAD_RESUMES = [
    (dict(epochs=1), ValueError, "epochs counts those of resume too and must be >= 2; got 1"),
    (dict(loss=Softmax()), ValueError, "loss must be that of the training to resume"),
    (dict(alpha=0.5), ValueError, "alpha must be that"),
    (dict(optimizer=Nesterov()), ValueError, "optimizer must be that of the training to resume, 'Momentum'; got 'Nesterov'"),
    (dict(fit_intercept=False), ValueError, "fit_intercept must be that"),
    (dict(penalize_intercept=True), ValueError, "penalize_intercept must be that"),
    (dict(n_classes=K + 1), ValueError, "n_classes must be that"),
    (dict(X=X64[:, :3].copy()), ValueError, "n_features must be that"),
    (dict(dtype=np.float32), ValueError, "dtype must be that"),
    (dict(standardize="mean"), ValueError, "standardize must be that of the training to resume, 'mean\\+std'; got 'mean'"),
    (dict(standardize=None), ValueError, "standardize must be that"),
    (dict(standardize=fit_standardization(X64 + 1, "mean+std")), ValueError, "standardize must be that"),
    (dict(record="update"), ValueError, "record must be that"),
    (dict(validation=(X64, Y)), ValueError, "validation must be that"),
    (dict(W=np.zeros((K, D))), ValueError, "W and b must be None with resume"),
    (dict(y=Y + 1), ValueError, "y must be class indices in"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_RESUMES)
def test_resume_must_fit(arguments, error, message):
    first = train(X64, Y, epochs=2, optimizer=Momentum(0.01), backend="reference")
    with pytest.raises(error, match=message):
        train(**{"X": X64, "y": Y, "epochs": 4, "backend": "reference", "resume": first, **arguments})


def test_resume_must_keep_the_monitor():
    # The second step is too small to change the accuracy, and lowers the loss.
    optimizer = SGD(lambda step: 0.05 if step == 0 else 1e-6)
    settings = dict(batch_size="full", validation=(X64, Y), optimizer=optimizer, backend="reference")
    first = train(X64, Y, epochs=2, monitor="accuracy", **settings)
    assert first.best_epoch == 1
    with pytest.raises(ValueError, match="monitor must be that"):
        train(X64, Y, epochs=4, monitor="loss", resume=first, **settings)
