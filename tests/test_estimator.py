"""SVMClassifier: what goes in, what comes out, and what others of scikit-learn's tools make of it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris, make_blobs
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastsvm
from fastsvm import CrammerSinger, Softmax, WestonWatkins
from fastsvm.estimator import SVMClassifier, SVMClassifierCV, choosing, inputs

SOLVERS = ("dual", "lbfgs", "sgd")


def blobs(n_classes: int = 3, n: int = 60, dtype: str = "float64"):
    """Overlapping classes in 4 features of different sizes."""
    X, y = make_blobs(n, 4, centers=n_classes, cluster_std=4.0, random_state=3)
    return np.ascontiguousarray(X * [1.0, 10.0, 0.1, 2.0] + [0.0, 50.0, 1.0, -3.0], dtype=dtype), y


def both_rows(clf: SVMClassifier) -> tuple[np.ndarray, np.ndarray]:
    """A row of weights per class, the smallest with these differences."""
    if len(clf.classes_) > 2:
        return clf.coef_, clf.intercept_
    return np.vstack([-clf.coef_, clf.coef_]) / 2, np.concatenate([-clf.intercept_, clf.intercept_]) / 2


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("solver", SOLVERS)
def test_objective_is_that_of_the_coefficients(solver: str, n_classes: int) -> None:
    X, y = blobs(n_classes)
    clf = SVMClassifier(solver=solver, alpha=0.1, standardize=False, random_state=0, max_iter=300, tol=0.9).fit(X / 10, y)
    W, b = both_rows(clf)
    value = fastsvm.loss_value(W, X / 10, y, b, alpha=0.1, penalize_intercept=solver == "dual")
    assert clf.objective_ == pytest.approx(value, rel=1e-9)
    assert 0 <= clf.duality_gap_ <= clf.objective_
    assert clf.relative_gap_ == pytest.approx(clf.duality_gap_ / clf.objective_)


@pytest.mark.parametrize("loss", [WestonWatkins(), WestonWatkins(delta=0.5, squared=True), CrammerSinger()], ids=repr)
def test_exact_solvers_agree_without_an_intercept(loss) -> None:
    X, y = blobs()
    fits = [
        SVMClassifier(loss, solver=solver, alpha=0.1, fit_intercept=False, tol=1e-5, max_iter=20_000, random_state=0).fit(X, y)
        for solver in ("dual", "lbfgs")
    ]
    assert all(clf.converged_ and (clf.intercept_ == 0).all() for clf in fits)
    assert fits[0].objective_ == pytest.approx(fits[1].objective_, rel=2e-5)


def test_intercept_of_the_dual_solver_is_free_as_its_scaling_grows() -> None:
    X, y = blobs()
    free = SVMClassifier(solver="lbfgs", alpha=0.1, tol=1e-5, max_iter=20_000).fit(X, y)
    near, far = (
        SVMClassifier(solver="dual", alpha=0.1, tol=1e-5, max_iter=20_000, intercept_scaling=scaling, random_state=0)
        .fit(X, y).objective_ - free.objective_ for scaling in (0.3, 10.0)
    )  # fmt: skip
    assert near > 100 * abs(far)
    assert far == pytest.approx(0, abs=1e-3 * free.objective_)


@pytest.mark.parametrize("standardize", ["mean+std", "max-abs", "none"])
def test_coefficients_are_for_samples_as_given(standardize: str) -> None:
    X, y = blobs()
    clf = SVMClassifier(standardize=standardize, alpha=0.1, tol=0.5, random_state=0).fit(X, y)
    assert np.allclose(clf.decision_function(X), X @ clf.coef_.T + clf.intercept_, rtol=1e-12, atol=1e-12)
    scaling = clf.standardization_
    scaled, W = (X, clf.coef_) if scaling is None else (scaling.apply(X), clf.coef_ * scaling.scale)
    b = clf.intercept_ if scaling is None else clf.intercept_ + clf.coef_ @ scaling.mean
    assert clf.objective_ == pytest.approx(fastsvm.loss_value(W, scaled, y, b, alpha=0.1, penalize_intercept=True), rel=1e-9)


def test_shapes_and_signs_of_two_classes() -> None:
    X, y = blobs(2)
    labels = np.array(["no", "yes"])[y]
    clf = SVMClassifier(alpha=0.1, random_state=0).fit(X, labels)
    assert (clf.coef_.shape, clf.intercept_.shape, clf.decision_function(X).shape) == ((1, 4), (1,), (len(X),))
    assert np.array_equal(clf.predict(X), np.where(clf.decision_function(X) > 0, "yes", "no"))
    assert clf.score(X, labels) > 0.7


@pytest.mark.parametrize("labels", [["a", "bc", "d"], [True, False], [30, -2, 7], [0.0, 1.0, 2.0]], ids=str)
def test_labels_of_any_type(labels: list) -> None:
    X, y = blobs(len(labels))
    named = np.array(labels)[y]
    clf = SVMClassifier(alpha=0.1, random_state=0).fit(X, named)
    assert clf.classes_.tolist() == sorted(labels)
    assert clf.predict(X).dtype == named.dtype
    plain = SVMClassifier(alpha=0.1, random_state=0).fit(X, np.searchsorted(sorted(labels), named))
    assert np.array_equal(clf.predict(X), np.array(sorted(labels))[plain.predict(X)])


@pytest.mark.parametrize(("dtype", "stored"), [
    ("uint8", "uint8"), ("int8", "int8"), ("float16", "float16"), ("float32", "float32"), ("float64", "float64"),
    ("bool", "uint8"), ("int16", "float32"), ("uint16", "float32"), ("int32", "float64"), ("int64", "float64"),
    ("object", "float64"),
])  # fmt: skip
def test_what_becomes_of_dtypes(dtype: str, stored: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2 if dtype == "bool" else 100, (30, 5)).astype(dtype)
    read = inputs.read_samples(SVMClassifier(), X, reset=True, finite=True)
    assert read.dtype == stored
    assert np.shares_memory(read, X) == (stored == dtype or dtype == "bool")
    assert np.array_equal(read.astype(np.float64), X.astype(np.float64))
    clf = SVMClassifier(alpha=0.1, random_state=0).fit(X, np.arange(30) % 3)
    assert clf.coef_.dtype == ("float64" if stored == "float64" else "float32")
    assert np.array_equal(clf.predict(X), clf.predict(X.astype(np.float64)))


def test_uint16_are_integers_and_bfloat16_is_bfloat16() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    X, y = blobs(dtype="float32")
    brief = X.astype(ml_dtypes.bfloat16)
    read = inputs.read_samples(SVMClassifier(), brief, reset=True, finite=True)
    assert read.dtype == np.uint16
    assert np.shares_memory(read, brief)
    options = {"solver": "sgd", "random_state": 0, "max_iter": 20, "tol": 1.0}
    clf, same = (SVMClassifier(**options).fit(x, y) for x in (brief, brief.astype("float32")))
    assert np.allclose(clf.coef_, same.coef_, rtol=1e-4)
    brief[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        clf.predict(brief)


@pytest.mark.parametrize("make", [sp.csr_array, sp.csr_matrix, sp.csc_array, sp.coo_array], ids=lambda make: make.__name__)
def test_sparse_formats(make) -> None:
    X, y = blobs()
    X = X / 10
    X[X < 0.5] = 0
    clf = SVMClassifier(alpha=1.0, random_state=0).fit(make(X), y)
    assert clf.standardization_ is None
    dense = SVMClassifier(alpha=1.0, random_state=0, standardize=False).fit(X, y)
    assert np.allclose(clf.coef_, dense.coef_, rtol=1e-6, atol=1e-9)
    assert np.array_equal(clf.predict(make(X)), clf.predict(X))


def test_sparse_rows_in_disorder_are_sorted_in_a_copy() -> None:
    X = sp.csr_array((np.ones(4), np.array([2, 0, 1, 1]), np.array([0, 2, 4])), shape=(2, 3))
    read = inputs.read_samples(SVMClassifier(), X, reset=True, finite=True)
    assert read.toarray().tolist() == [[1, 0, 1], [0, 2, 0]]
    assert X.indices.tolist() == [2, 0, 1, 1]
    assert inputs.read_samples(SVMClassifier(), X.astype(np.int16), reset=True, finite=True).dtype == np.float32


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_numbers_that_are_not_finite(solver: str, wrong: float) -> None:
    X, y = blobs()
    bad = X.copy()
    bad[7, 2] = wrong
    clf = SVMClassifier(solver=solver, alpha=0.1, random_state=0, max_iter=50, tol=1.0)
    for fit_bad in (lambda: clf.fit(bad, y), lambda: clf.fit(X, y).predict(bad), lambda: clf.decision_function(bad)):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            fit_bad()


@pytest.mark.parametrize("solver", ["dual", "lbfgs"])
def test_weights_are_repetitions(solver: str) -> None:
    X, y = blobs()
    weight = np.random.default_rng(1).integers(0, 4, len(y))
    options = {"solver": solver, "alpha": 0.1, "random_state": 0}
    weighted = SVMClassifier(**options).fit(X, y, sample_weight=weight)
    repeated = SVMClassifier(**options).fit(X.repeat(weight, axis=0), y.repeat(weight))
    assert np.allclose(weighted.coef_, repeated.coef_, rtol=1e-6, atol=1e-9)
    assert not np.allclose(weighted.coef_, SVMClassifier(**options).fit(X, y).coef_, rtol=1e-2)


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array], ids=["dense", "csr"])
def test_repeated_samples_are_merged(make) -> None:
    X = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 0.0], [1.0, 0.0], [3.0, 3.0]])
    merged, y, weight = inputs.merge_repeated(make(X), np.array([0, 1, 0, 1, 1]), np.array([1.0, 2.0, 4.0, 8.0, 0.0]))
    dense = merged if isinstance(merged, np.ndarray) else merged.toarray()
    rows = {(label, *row): w for label, row, w in zip(y.tolist(), dense.tolist(), weight.tolist(), strict=True)}
    assert rows == {(0, 1.0, 0.0): 5.0, (1, 0.0, 2.0): 2.0, (1, 1.0, 0.0): 8.0}


def test_class_weight_is_sample_weight() -> None:
    X, y = blobs()
    rows = np.concatenate([np.flatnonzero(y == 0)[:20], np.flatnonzero(y == 2)[:5]])
    X, y, by_hand = X[rows], y[rows], {0: 25 / (2 * 20), 2: 25 / (2 * 5)}
    weight = np.where(y == 0, by_hand[0], by_hand[2])
    plain, *fits = (
        SVMClassifier(alpha=1.0, random_state=0, class_weight=class_weight).fit(X, y, sample_weight=weight).coef_
        for class_weight, weight in ((None, None), ("balanced", None), (by_hand, None), (None, weight), ("balanced", weight))
    )
    assert all(np.allclose(coef, fits[0], rtol=1e-4) for coef in fits)
    assert not np.allclose(plain, fits[0], rtol=1e-2)
    with_weights = SVMClassifier(alpha=1.0, random_state=0, class_weight={0: 2.0}).fit(X, y, sample_weight=weight)
    doubled = SVMClassifier(alpha=1.0, random_state=0).fit(X, y, weight * (2 - y / 2))
    assert np.allclose(with_weights.coef_, doubled.coef_, rtol=1e-4)


def test_in_the_tools_of_scikit_learn() -> None:
    X, y = load_iris(return_X_y=True)
    clf = SVMClassifier(alpha=1e-2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), clf).fit(X, y)
    assert pipeline.score(X, y) > 0.9
    assert np.mean(cross_val_score(clf, X, y)) > 0.9
    search = GridSearchCV(clf, {"alpha": [1e-1, 1e-2], "loss": ["crammer_singer", Softmax()]}, n_jobs=2, cv=3).fit(X, y)
    assert search.best_score_ > 0.9
    assert CalibratedClassifierCV(clf, cv=3).fit(X, y).predict_proba(X).shape == (150, 3)


def test_data_frames_name_the_features() -> None:
    pandas = pytest.importorskip("pandas")
    X, y = blobs()
    frame = pandas.DataFrame(X, columns=list("abcd"))
    clf = SVMClassifier(alpha=0.1, random_state=0).fit(frame, pandas.Series(y, name="label"))
    assert clf.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert np.array_equal(clf.decision_function(frame), SVMClassifier(alpha=0.1, random_state=0).fit(X, y).decision_function(X))
    with pytest.raises(ValueError, match="feature names should match"):
        clf.predict(frame[["b", "a", "c", "d"]])


def test_metadata_routing() -> None:
    X, y = blobs()
    weight = np.where(y == 0, 3.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        clf = SVMClassifier(alpha=0.1, random_state=0).set_fit_request(sample_weight=True, X_val=True, y_val=True)
        clf.set_score_request(sample_weight=False)
        pipeline = make_pipeline(clf).fit(X, y, sample_weight=weight)
        search = GridSearchCV(clf, {"alpha": [0.1]}, cv=2).fit(X, y, sample_weight=weight)
    direct = SVMClassifier(alpha=0.1, random_state=0).fit(X, y, sample_weight=weight)
    assert np.array_equal(pipeline[-1].coef_, direct.coef_)
    assert np.array_equal(search.best_estimator_.coef_, direct.coef_)


@pytest.mark.parametrize("make", [SVMClassifier, SVMClassifierCV])
def test_pickle_clone_and_repr(make) -> None:
    X, y = blobs()
    options = {"alpha": 0.1} if make is SVMClassifier else {"alphas": [1.0, 0.1]}
    clf = make(loss=WestonWatkins(delta=0.5), random_state=0, **options).fit(X, y)
    again = pickle.loads(pickle.dumps(clf))
    assert np.array_equal(again.decision_function(X), clf.decision_function(X))
    fresh = clone(clf)
    assert fresh.get_params() == clf.get_params()
    assert not hasattr(fresh, "coef_")
    assert eval(repr(clf)).get_params() == clf.get_params()


def test_the_rule_of_auto() -> None:
    small, large = np.zeros((10, 4)), np.lib.stride_tricks.as_strided(np.zeros(1), (10**6, 1000), (0, 0))
    text = sp.csr_array((10**6, 1000))

    def chosen(X, loss=WestonWatkins(), **facts) -> str:
        solver, reason = choosing.choose_solver("auto", X, 10, loss, **facts)
        assert len(reason.split()) > 3
        return solver

    assert [chosen(X) for X in (small, large, text)] == ["dual", "sgd", "dual"]
    assert [chosen(X, Softmax()) for X in (small, large, text)] == ["lbfgs"] * 3
    assert chosen(small, WestonWatkins(squared=True)) == "lbfgs"
    assert chosen(small, early_stopping=True) == chosen(small, optimizer="adam") == "sgd"
    assert choosing.choose_solver("lbfgs", small, 10, Softmax()).reason == "solver='lbfgs' was asked for"


@pytest.mark.parametrize(("options", "message"), [
    ({"loss": "hinge"}, "loss must be one of"), ({"alpha": 0}, "alpha must be finite and > 0"),
    ({"solver": "newton"}, "solver must be"), ({"standardize": "std"}, "standardize must be"),
    ({"max_iter": 0}, "max_iter must be"), ({"tol": -1.0}, "tol must be"), ({"class_weight": "equal"}, "class_weight"),
    ({"early_stopping": True, "solver": "dual"}, "early_stopping needs"), ({"validation_fraction": 1.0}, "validation_fraction"),
    ({"loss": "softmax", "solver": "dual"}, "solver='dual' minimises hinge losses"),
])  # fmt: skip
def test_arguments_that_do_not_fit(options: dict, message: str) -> None:
    X, y = blobs()
    with pytest.raises(ValueError, match=message):
        SVMClassifier(**options).fit(X, y)
