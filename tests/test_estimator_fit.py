"""SVMClassifier while it fits: parts, warm starts, early stopping, callbacks, warnings."""

from __future__ import annotations

import itertools
import os
import signal
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

import fastsvm
from fastsvm import SGD, Adam, Momentum
from fastsvm.estimator import SVMClassifier
from fastsvm.estimator.choosing import choose_solver, default_max_iter
from fastsvm.losses import RegisteredLoss
from fastsvm.schedules import Cosine
from test_estimator import blobs

QUIET = {"random_state": 0, "tol": 1.0}


def test_partial_fit_is_training_that_goes_on() -> None:
    X, y = blobs(n=600)
    clf = SVMClassifier(solver="sgd", optimizer=Adam(1e-2), alpha=0.1, batch_size=32, **QUIET)
    for _ in range(3):
        clf.partial_fit(X, y, classes=[0, 1, 2])
    result = fastsvm.train(X, y, optimizer=Adam(1e-2), alpha=0.1, batch_size=32, epochs=3, seed=clf_seed())
    W = result.W - result.W.mean(axis=0)
    assert np.allclose(clf.coef_ * clf.standardization_.scale, W, rtol=1e-9, atol=1e-12)
    assert (clf.n_iter_, clf.solver_, len(clf.history_)) == (1, "sgd", 1)


def clf_seed() -> int:
    """What ``random_state=0`` becomes."""
    return int(np.random.RandomState(0).randint(np.iinfo(np.int32).max))


def test_partial_fit_of_parts() -> None:
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.uint8)
    clf = SVMClassifier(**QUIET)
    for first in range(0, len(y), 200):
        clf.partial_fit(X[first : first + 200], y[first : first + 200], classes=np.arange(10))
    before = clf.standardization_
    for _ in range(10):
        clf.partial_fit(X, y)
    assert clf.standardization_ is before
    assert clf.score(X, y) > 0.9
    with pytest.raises(ValueError, match="y must hold the classes"):
        clf.partial_fit(X, y + 1)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        SVMClassifier().partial_fit(X, y)


@pytest.mark.parametrize(("options", "message"), [
    ({"early_stopping": True}, "early_stopping"), ({"class_weight": "balanced"}, "class_weight"),
    ({"probability": True}, "probability"), ({"optimizer": Momentum(Cosine(0.1))}, "total"),
])  # fmt: skip
def test_partial_fit_cannot(options: dict, message: str) -> None:
    X, y = blobs()
    with pytest.raises(ValueError, match=message):
        SVMClassifier(**options).partial_fit(X, y, classes=[0, 1, 2])


def test_partial_fit_is_for_batches() -> None:
    with pytest.raises(AttributeError) as caught:
        SVMClassifier(solver="dual").partial_fit  # noqa: B018
    assert "which only solver='sgd'" in str(caught.value.__cause__)
    assert hasattr(SVMClassifier(), "partial_fit")


def test_warm_start_resumes_the_optimizer() -> None:
    X, y = blobs(n=600)
    options = {"solver": "sgd", "optimizer": Momentum(1e-2), "batch_size": 32, "alpha": 0.1} | QUIET
    whole = SVMClassifier(max_iter=6, **options).fit(X, y)
    halves = SVMClassifier(max_iter=3, warm_start=True, **options).fit(X, y)
    epochs = []
    halves.set_params(callbacks=[lambda record, result: epochs.append(record.epoch)]).fit(X, y)
    assert epochs == [4, 5, 6]
    assert np.array_equal(halves.coef_, whole.coef_)
    assert (halves.n_iter_, len(halves.history_)) == (3, 6)
    cold = SVMClassifier(max_iter=3, **options).fit(X, y).fit(X, y)
    assert not np.allclose(cold.coef_, whole.coef_, rtol=1e-3)


def test_warm_start_with_another_problem_begins_with_the_coefficients() -> None:
    X, y = blobs(n=600)
    clf = SVMClassifier(solver="sgd", optimizer=Momentum(1e-12), alpha=0.1, max_iter=1, warm_start=True, **QUIET)
    clf.set_params(optimizer=Momentum(1e-2)).fit(X, y)
    coef = clf.coef_.copy()
    clf.set_params(optimizer=Momentum(1e-12), alpha=0.2).fit(X * 2, y)  # a rate that moves nothing
    assert np.allclose(clf.coef_, coef, rtol=1e-6)


def test_warm_start_of_the_dual_solver_saves_passes() -> None:
    X, y = load_digits(return_X_y=True)
    clf = SVMClassifier(solver="dual", alpha=0.5, tol=1e-3, random_state=0, warm_start=True).fit(X, y)
    warm = clf.set_params(alpha=0.45).fit(X, y)
    cold = SVMClassifier(solver="dual", alpha=0.45, tol=1e-3, random_state=0).fit(X, y)
    assert warm.n_iter_ < cold.n_iter_
    assert warm.objective_ == pytest.approx(cold.objective_, rel=2e-3)


def test_early_stopping() -> None:
    X, y = load_digits(return_X_y=True)
    X, X_val, y, y_val = train_test_split(X, y, random_state=0)
    options = {"early_stopping": True, "n_iter_no_change": 2, "optimizer": Adam(3e-2), "max_iter": 200} | QUIET
    own = SVMClassifier(**options).fit(X, y, X_val=X_val, y_val=y_val)
    split = SVMClassifier(validation_fraction=0.25, **options).fit(X, y)
    for clf in (own, split):
        assert (clf.solver_, clf.stop_reason_) == ("sgd", "early stopping")
        assert clf.n_iter_ < 200
        best = int(np.argmin(clf.history_["val_loss"]))
        assert clf.n_iter_ == best + 1 + 2
    direct = fastsvm.train(
        X, y, alpha=own.alpha, optimizer=Adam(3e-2), epochs=200, patience=2, validation=(X_val, y_val), seed=clf_seed()
    )  # fmt: skip
    assert np.array_equal(own.history_["val_loss"], direct.history["val_loss"])
    with pytest.raises(ValueError, match="early_stopping must be True"):
        SVMClassifier().fit(X, y, X_val=X_val, y_val=y_val)
    with pytest.raises(ValueError, match="y_val must be given together"):
        SVMClassifier(early_stopping=True).fit(X, y, X_val=X_val)
    with pytest.raises(ValueError, match="y must hold the classes"):
        SVMClassifier(early_stopping=True).fit(X, y, X_val=X_val, y_val=y_val + 1)


@pytest.mark.parametrize("solver", ["sgd", "dual", "lbfgs"])
def test_callbacks_hear_of_iterations_and_may_stop(solver: str) -> None:
    X, y = blobs(n=300)
    records = []

    def callback(record, result) -> bool:
        records.append(record)
        return len(records) == 2

    clf = SVMClassifier(solver=solver, alpha=0.1, callbacks=[callback], tol=1e-12, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.fit(X, y)
    assert len(records) == 2
    assert clf.stop_reason_ == "callback"
    with pytest.raises(TypeError, match="callbacks must be a sequence"):
        SVMClassifier(callbacks=callback).fit(X, y)


def test_callbacks_of_scikit_learn() -> None:
    callback = pytest.importorskip("sklearn.callback")
    monitor = callback.ScoringMonitor(scoring="accuracy")
    X, y = blobs(n=300)
    clf = SVMClassifier(solver="sgd", alpha=0.1, max_iter=4, **QUIET).set_callbacks(monitor).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == 4
    assert rows[-1]["accuracy"] == pytest.approx(clf.score(X, y))


def test_a_callback_of_scikit_learn_may_stop() -> None:
    pytest.importorskip("sklearn.callback")

    class Stop:
        calls = 0

        def setup(self, estimator, context) -> None: ...
        def teardown(self, estimator, context) -> None: ...
        def on_fit_task_begin(self, estimator, context) -> None: ...
        def on_fit_task_end(self, estimator, context) -> bool:
            self.calls += 1
            return self.calls == 3

    X, y = blobs(n=300)
    clf = SVMClassifier(solver="sgd", max_iter=50, **QUIET).set_callbacks(Stop()).fit(X, y)
    assert (clf.n_iter_, clf.stop_reason_) == (3, "callback")


def test_verbose_prints(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = blobs(n=300)
    SVMClassifier(solver="sgd", max_iter=20, verbose=1, **QUIET).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "[SVMClassifier] solver 'sgd': solver='sgd' was asked for"
    assert lines[1].startswith("[SVMClassifier] epoch 2: objective ")
    assert (len(lines), lines[-1].startswith("[SVMClassifier] max_iter after 20 iterations: objective ")) == (12, True)
    SVMClassifier(solver="sgd", max_iter=20, verbose=2, **QUIET).fit(X, y)
    assert len(capsys.readouterr().out.splitlines()) == 22


def test_ctrl_c_leaves_what_was_reached() -> None:
    X, y = blobs(n=300)
    clf = SVMClassifier(
        solver="sgd", callbacks=[lambda record, result: record.epoch == 3 and os.kill(os.getpid(), signal.SIGINT)], **QUIET
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt, match="after 3 iterations"):
        clf.fit(X, y)
    assert (clf.stop_reason_, clf.n_iter_) == ("interrupted", 3)
    assert clf.predict(X).shape == y.shape


@pytest.mark.parametrize(
    ("solver", "loss", "load"),
    [
        *itertools.product(["auto", "sgd"], ["weston_watkins"], [load_iris, load_wine, load_breast_cancer, load_digits]),
        *itertools.product(["lbfgs"], ["weston_watkins", "softmax"], [load_iris, load_breast_cancer]),
    ],
)
def test_default_fits_of_ordinary_data_do_not_warn(load, loss: str, solver: str) -> None:
    X, y = load(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        clf = SVMClassifier(loss, solver=solver, random_state=0).fit(X, y)
    assert clf.converged_
    assert clf.score(X, y) > 0.95


@pytest.mark.parametrize("solver", ["dual", "sgd", "lbfgs"])
def test_one_warning_of_a_fit_that_has_not_converged(solver: str) -> None:
    X, y = load_digits(return_X_y=True)
    options = {"optimizer": Adam(1e-5)} if solver == "sgd" else {}
    with pytest.warns(ConvergenceWarning) as caught:
        clf = SVMClassifier(solver=solver, alpha=1e-5, max_iter=2, random_state=0, **options).fit(X, y)
    (warning,) = caught
    text = str(warning.message)
    share = clf.duality_gap_ / 9 if solver == "sgd" else clf.relative_gap_  # zero weights have a loss of 9
    assert f" by {share:.2g} of " in text
    assert "Increase max_iter (it was 2)" in text
    assert warning.filename == __file__
    assert (clf.converged_, clf.stop_reason_) == (False, "max_iter")


def test_registered_losses_have_no_certificate() -> None:
    @dataclass(frozen=True)
    class Perceptron(RegisteredLoss):
        """Only what `choose_solver` and the certificate look at."""

    assert choose_solver("auto", np.zeros((3, 2)), 2, Perceptron()).solver == "sgd"
    X, y = blobs()
    for solver in ("dual", "lbfgs"):
        with pytest.raises(ValueError, match=f"solver='{solver}' minimises"):
            SVMClassifier(Perceptron(), solver=solver).fit(X, y)


def test_accuracy_on_pixels(data_dir) -> None:
    if not (data_dir / "fashion-mnist").is_dir():
        pytest.skip("FASTSVM_DATA has no fashion-mnist")
    data = fastsvm.load(data_dir / "fashion-mnist")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        clf = SVMClassifier(random_state=0).fit(data.X, data.y)
    assert clf.score(data.X_test, data.y_test) >= 0.84


def test_the_default_rate_follows_the_norms() -> None:
    """Samples, or features, that are k times as large learn at a k-th of the rate; sparse ones by plain SGD."""
    X, y = blobs(n=600)
    options = {"solver": "sgd", "standardize": False, "batch_size": 50, "fit_intercept": False, "warm_start": True} | QUIET
    first, second = (SVMClassifier(**options).fit(X * scale, y)._state[1].optimizer for scale in (10.0, 30.0))
    assert type(first) is Adam
    assert np.isclose(first.learning_rate.learning_rate, 3 * second.learning_rate.learning_rate)
    sparse = sp.csr_array(X)
    first, second = (SVMClassifier(**options).fit(sparse * scale, y)._state[1].optimizer for scale in (1.0, 3.0))
    assert type(first) is SGD
    assert np.isclose(first.learning_rate.learning_rate, 9 * second.learning_rate.learning_rate)


def test_default_number_of_epochs() -> None:
    assert default_max_iter("sgd", 60_000, 256) == 6  # 235 updates each: 1,410
    assert default_max_iter("sgd", 10**7, 256) == 5
    assert default_max_iter("sgd", 1000, 256) == 350  # 4 updates each
    assert default_max_iter("sgd", 1000, "full") == default_max_iter("sgd", 1000, 1000) == 1000
    assert default_max_iter("sgd", 60_000, 256, early_stopping=True) == 20
    assert default_max_iter("dual", 60_000, 256) == 1000
