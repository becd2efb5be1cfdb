"""scikit-learn's linear classifiers, in the form solvers.py runs.

A contender is built from a part of the data and a number of threads: whatever turns the data into the library's own form
happens there. ``fit`` takes C, always that of LIBLINEAR, alpha = 1/(C n), and the library's own settings, and returns weights
for the samples it was given.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from fits.data import Part


class Fitted(NamedTuple):
    """``W`` (n_classes, n_features), ``b`` (n_classes,); ``note`` is what the library itself says about its answer, ``claim``
    the objective and the duality gap it states.
    """

    W: np.ndarray
    b: np.ndarray
    n_iter: int | None = None
    note: str = ""
    claim: tuple[float, float] | None = None


class Sklearn:
    """An estimator with ``coef_`` and ``intercept_``. ``fixed`` are its settings beside those of a fit."""

    def __init__(self, part: Part, n_threads: int, name: str, **fixed: Any) -> None:
        self.part, self.n_threads, self.name, self.fixed = part, n_threads, name, fixed

    def estimator(self, C: float, **settings: Any) -> Any:
        from sklearn import linear_model, svm

        kinds = {"LinearSVC": svm.LinearSVC, "LogisticRegression": linear_model.LogisticRegression}
        return kinds[self.name](C=C, **{"random_state": 0, **self.fixed, **settings})

    def fit(self, C: float, **settings: Any) -> Fitted:
        from sklearn.exceptions import ConvergenceWarning

        estimator = self.estimator(C, **settings)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator.fit(self.part.X, self.part.y)
        failed = any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
        intercept = np.broadcast_to(estimator.intercept_, len(estimator.coef_))
        return Fitted(estimator.coef_, intercept, int(np.max(estimator.n_iter_)), "not converged" if failed else "")


class Sgd(Sklearn):
    """``SGDClassifier``: one-vs-rest, classes in parallel; the intercept is not penalised."""

    def __init__(self, part: Part, n_threads: int, **fixed: Any) -> None:
        super().__init__(part, n_threads, "SGDClassifier", **fixed)

    def estimator(self, C: float, **settings: Any) -> Any:
        from sklearn.linear_model import SGDClassifier

        alpha = 1 / (C * len(self.part.y))
        return SGDClassifier(alpha=alpha, n_jobs=self.n_threads, **{"random_state": 0, **self.fixed, **settings})
