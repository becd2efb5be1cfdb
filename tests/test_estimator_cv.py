"""Probabilities of SVMClassifier, and the search for alpha."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from fastsvm import Softmax
from fastsvm.estimator import SVMClassifier, SVMClassifierCV
from fastsvm.estimator.calibration import fit_temperature, platt_targets
from test_estimator import blobs


def test_probabilities_of_softmax_are_exact() -> None:
    X, y = blobs()
    clf = SVMClassifier("softmax", alpha=0.1, random_state=0).fit(X, y)
    scores = X @ clf.coef_.T + clf.intercept_
    exp = np.exp(scores - scores.max(axis=1, keepdims=True))
    assert np.allclose(clf.predict_proba(X), exp / exp.sum(axis=1, keepdims=True), rtol=1e-9)
    assert np.allclose(clf.predict_log_proba(X), np.log(clf.predict_proba(X)), rtol=1e-9)


def test_probabilities_of_hinge_losses_are_calibrated_on_request() -> None:
    X, y = load_iris(return_X_y=True)
    plain = SVMClassifier(alpha=1e-2, random_state=0).fit(X, y)
    assert not hasattr(plain, "predict_proba")
    with pytest.raises(AttributeError) as caught:
        plain.predict_proba(X)
    assert "probability=True" in str(caught.value.__cause__)
    clf = clone(plain).set_params(probability=True).fit(X, y)
    P = clf.predict_proba(X)
    assert np.array_equal(clf.classes_[P.argmax(axis=1)], clf.predict(X))
    assert np.allclose(P.sum(axis=1), 1)
    with pytest.raises(AttributeError, match="Fit again"):
        plain.set_params(probability=True).predict_proba(X)
    with pytest.raises(ValueError, match="every class needs two samples"):
        clone(clf).fit(X[49:102], y[49:102])


def test_temperature_is_found_again() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20_000, 3)) * 2
    P = np.exp(1.7 * scores)
    y = np.array([rng.choice(3, p=p) for p in P / P.sum(axis=1, keepdims=True)])
    assert fit_temperature(scores * 5, y, None) == pytest.approx(1.7 / 5, rel=0.03)
    weight = rng.integers(0, 3, len(y))
    expected = fit_temperature(scores.repeat(weight, axis=0), y.repeat(weight), None)
    assert fit_temperature(scores, y, weight.astype(float)) == pytest.approx(expected, rel=1e-3)
    separable = fit_temperature(np.eye(3).repeat(4, axis=0), np.arange(3).repeat(4), None)
    assert np.exp(separable) / (np.exp(separable) + 2) == pytest.approx(5 / 6, rel=1e-4)  # Platt's target of 4 samples


def test_platt_targets_by_hand() -> None:
    assert np.allclose(platt_targets(np.array([0, 0, 1]), 2, None), [[0.75, 0.25], [0.75, 0.25], [1 / 3, 2 / 3]])


def test_search_for_alpha() -> None:
    X, y = load_iris(return_X_y=True)
    clf = SVMClassifierCV(alphas=[1e-3, 10.0, 1e-1], cv=3, random_state=0).fit(X, y)
    assert clf.alphas_.tolist() == [10.0, 1e-1, 1e-3]
    table = clf.cv_results_
    scores = np.array([table[f"split{k}_test_score"] for k in range(3)])
    assert np.allclose(table["mean_test_score"], scores.mean(axis=0))
    best = int(np.argmax(scores.mean(axis=0)))
    assert (clf.alpha_, clf.best_score_) == (clf.alphas_[best], scores.mean(axis=0)[best])
    assert table["rank_test_score"][best] == 1
    assert clf.alpha_ < 10  # so strong a penalty leaves no classifier
    direct = SVMClassifier(alpha=clf.alpha_, random_state=0).fit(X, y)
    assert np.array_equal(clf.coef_, direct.coef_)
    assert clf.score(X, y) == direct.score(X, y)


def test_the_path_is_warm_and_its_scores_are_those_of_separate_fits() -> None:
    X, y = blobs(n=150)
    options = {"cv": 3, "solver": "dual", "tol": 1e-6, "max_iter": 5000, "random_state": 0}
    clf = SVMClassifierCV(alphas=[1.0, 0.1], refit=False, **options).fit(X, y)
    separate = [
        SVMClassifierCV(alphas=[alpha], **options).fit(X, y).best_score_
        for alpha in (1.0, 0.1)
    ]  # fmt: skip
    assert np.allclose(clf.cv_results_["mean_test_score"], separate, atol=1 / 150)
    with pytest.raises(NotFittedError):
        clf.predict(X)


def test_search_with_weights_scoring_and_probabilities() -> None:
    X, y = blobs(n=150)
    weight = np.where(y == 0, 2.0, 1.0)
    clf = SVMClassifierCV(alphas=[1.0, 0.1], cv=3, scoring="neg_log_loss", loss=Softmax(), random_state=0)
    assert clf.fit(X, y, sample_weight=weight).best_score_ < 0
    with pytest.raises(ValueError, match="alphas must be finite and > 0"):
        SVMClassifierCV(alphas=[0.0]).fit(X, y)
