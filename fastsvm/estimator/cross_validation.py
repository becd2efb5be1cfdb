"""The classifier that finds its penalty by cross-validation, along a path of warm starts."""

from __future__ import annotations

import time
import warnings
from inspect import signature
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv

from fastsvm.estimator.base import LinearPredictor
from fastsvm.estimator.classifier import SVMClassifier
from fastsvm.estimator.inputs import read_labels, read_samples, read_weights
from fastsvm.losses import Loss
from fastsvm.optimizers import Optimizer
from fastsvm.standardization import Standardization
from fastsvm.validation import check_flag, check_real

DEFAULT_ALPHAS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


class _OnPath(SVMClassifier):
    """A classifier that is only to be compared with others."""

    _precise = False


class SVMClassifierCV(LinearPredictor):
    """`SVMClassifier` with the ``alpha`` that does best in cross-validation.

    On each fold the penalties are tried from the strongest to the weakest, and each fit begins where the one before it ended:
    the whole path costs little more than its last fit.

    Parameters
    ----------
    alphas : sequence of floats > 0, default (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1)
    cv : int, splitter or iterable of (train, test), optional
        As ``GridSearchCV`` has it. Default: 5 stratified folds.
    scoring : str, callable or None
        As ``GridSearchCV`` has it. Default: accuracy. Sample weights are passed on where it takes them.
    refit : bool, default True
        Fit all samples with the best ``alpha``; without it there is nothing to predict with.
    loss, solver, fit_intercept, intercept_scaling, standardize, class_weight, probability, tol, max_iter, optimizer, \
batch_size, early_stopping, validation_fraction, n_iter_no_change, callbacks, verbose, random_state, n_threads, dtype, backend
        As of `SVMClassifier`. ``probability``, ``callbacks`` and ``verbose`` are for the last fit. (There is no ``n_jobs``:
        each fit has all the threads.)

    Attributes
    ----------
    alpha_ : float
        The best; of equal ones the strongest.
    best_score_ : float
        Its mean score over the folds.
    alphas_ : ndarray (n_alphas,)
        From the strongest to the weakest.
    cv_results_ : dict of arrays (n_alphas,), in the order of ``alphas_``
        "param_alpha", "mean_test_score", "std_test_score", "rank_test_score", "split0_test_score" and so on, "mean_fit_time",
        "n_converged" (folds whose fit has converged).
    classes_, coef_, intercept_, solver_, converged_, ...
        Of the last fit, as `SVMClassifier` has them.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastsvm.estimator import SVMClassifierCV
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SVMClassifierCV(alphas=[1e-1, 1e-2, 1e-3], random_state=0).fit(X, y)
    >>> clf.alpha_ in clf.alphas_, clf.best_score_ > 0.9, clf.predict(X[:2]).tolist()
    (True, True, [0, 0])
    """

    def __init__(
        self,
        alphas: Any = DEFAULT_ALPHAS,
        *,
        cv: Any = None,
        scoring: Any = None,
        refit: bool = True,
        loss: str | Loss = "weston_watkins",
        solver: str = "auto",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        standardize: str | bool | Standardization | None = "auto",
        class_weight: Any = None,
        probability: bool = False,
        tol: float | None = None,
        max_iter: int | None = None,
        optimizer: Optimizer | str | None = None,
        batch_size: int | str = 256,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        callbacks: Any = None,
        verbose: int = 0,
        random_state: Any = None,
        n_threads: int | None = None,
        dtype: npt.DTypeLike | None = None,
        backend: str | None = None,
    ) -> None:
        self.alphas = alphas
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.loss = loss
        self.solver = solver
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.standardize = standardize
        self.class_weight = class_weight
        self.probability = probability
        self.tol = tol
        self.max_iter = max_iter
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state
        self.n_threads = n_threads
        self.dtype = dtype
        self.backend = backend

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SVMClassifierCV:
        """Find ``alpha_``, and fit with it. Parameters as of `SVMClassifier.fit`.

        Returns
        -------
        self
        """
        refit = check_flag("refit", self.refit)
        alphas = check_alphas(self.alphas)
        X = read_samples(self, X, reset=True, finite=True)
        labels = read_labels(self, y, X.shape[0])
        weight = read_weights(sample_weight, len(labels))
        if len(np.unique(labels)) < 2:
            raise ValueError(f"y must hold at least two classes; got one class, {labels[0]}")
        folds = list(check_cv(self.cv, labels, classifier=True).split(X, labels))
        runs = [self._path(X, labels, weight, alphas, train, test) for train, test in folds]
        scores, seconds, converged = (np.array(column) for column in zip(*runs, strict=True))
        self.alphas_, self.cv_results_ = alphas, results(alphas, scores, seconds, converged)
        best = int(np.argmax(self.cv_results_["mean_test_score"]))
        self.alpha_, self.best_score_ = float(alphas[best]), float(self.cv_results_["mean_test_score"][best])
        if not converged[:, best].all():
            missed = int((~converged[:, best]).sum())
            warnings.warn(
                f"{missed} of the {len(folds)} folds' fits with the best alpha, {self.alpha_:g}, have not converged (see "
                "cv_results_['n_converged']); increase max_iter or tol",
                ConvergenceWarning,
                stacklevel=2,
            )
        if refit:
            last = self._classifier(SVMClassifier, alpha=self.alpha_)
            with warnings.catch_warnings():
                if not converged[:, best].all():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                last.fit(X, labels, sample_weight=weight)
            for name, value in vars(last).items():
                if name.endswith("_"):
                    setattr(self, name, value)
        return self

    def _classifier(self, kind: type[SVMClassifier], **parameters: Any) -> SVMClassifier:
        """A classifier with the hyperparameters of this one, but those."""
        shared = signature(SVMClassifier).parameters.keys() & signature(type(self)).parameters.keys()
        return kind(**{name: getattr(self, name) for name in sorted(shared)} | parameters)

    def _path(
        self, X: Any, labels: np.ndarray, weight: np.ndarray | None, alphas: np.ndarray, train: np.ndarray, test: np.ndarray
    ) -> tuple[list[float], list[float], list[bool]]:
        """Score, seconds and whether it has converged of the fit with each penalty on one fold."""
        scores, seconds, converged = [], [], []
        wanted = self.probability and self.scoring is not None  # accuracy does not depend on them, but other scores may
        classifier = self._classifier(_OnPath, warm_start=True, probability=wanted, callbacks=None, verbose=0)
        scorer = check_scoring(classifier, self.scoring)
        takes_weights = "sample_weight" in signature(scorer).parameters
        part, rest = (None, None) if weight is None else (weight[train], weight[test])
        options = {"sample_weight": rest} if rest is not None and takes_weights else {}
        X_train, X_test = X[train], X[test]
        for alpha in alphas:
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                classifier.set_params(alpha=float(alpha)).fit(X_train, labels[train], sample_weight=part)
            seconds.append(time.perf_counter() - start)
            scores.append(float(scorer(classifier, X_test, labels[test], **options)))
            converged.append(bool(classifier.converged_) or classifier.stop_reason_ != "max_iter")
        return scores, seconds, converged


def check_alphas(alphas: Any) -> np.ndarray:
    """Penalties, from the strongest to the weakest, each once."""
    values = np.atleast_1d(np.asarray(alphas))
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"alphas must be a sequence of one number or more; got {alphas!r}")
    return np.unique([check_real("alphas", value, above=0.0) for value in values.tolist()])[::-1]


def results(alphas: np.ndarray, scores: np.ndarray, seconds: np.ndarray, converged: np.ndarray) -> dict[str, np.ndarray]:
    """``cv_results_``, of arrays (n_folds, n_alphas)."""
    mean = scores.mean(axis=0)
    splits = {f"split{k}_test_score": row for k, row in enumerate(scores)}
    return {
        "param_alpha": alphas,
        **splits,
        "mean_test_score": mean,
        "std_test_score": scores.std(axis=0),
        "rank_test_score": (mean[None, :] > mean[:, None]).sum(axis=1) + 1,
        "mean_fit_time": seconds.mean(axis=0),
        "n_converged": converged.sum(axis=0),
    }
