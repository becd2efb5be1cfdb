"""LIBLINEAR with threads, snapml and cyanure, in the form solvers.py runs (see ``peers.py``)."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from fits.data import Part
from fits.peers import Fitted


class Liblinear:
    """The package liblinear-multicore, through its Python interface. Its intercept is a penalised feature of ones, ``-B 1``.

    Its ``-s`` 0, 1, 2 and 3 use threads, ``-s`` 4 (Crammer-Singer) and 7 have one.
    """

    PARALLEL = (0, 1, 2, 3)

    def __init__(self, part: Part, n_threads: int, solver: int) -> None:
        from liblinear.liblinearutil import problem

        self.problem = problem(part.y.astype(np.float64), sp.csr_matrix(part.X))  # of a dense row it makes a list
        self.solver, self.n_classes = solver, part.n_classes
        self.threads = f" -m {n_threads}" if solver in self.PARALLEL else ""

    def fit(self, C: float, eps: float, fit_intercept: bool = True) -> Fitted:
        from liblinear.liblinearutil import train

        bias = 1 if fit_intercept else -1
        model = train(self.problem, f"-s {self.solver} -c {C!r} -e {eps!r} -B {bias} -q{self.threads}")
        d = model.nr_feature
        weights = np.empty((model.nr_class, d + fit_intercept))
        weights[[int(label) for label in model.get_labels()]] = np.ctypeslib.as_array(model.w, shape=weights.T.shape).T
        return Fitted(weights[:, :d], weights[:, d] if fit_intercept else np.zeros(len(weights)))


class Snapml:
    """IBM's Snap ML: ``SupportVectorMachine`` or ``LogisticRegression``, one-vs-rest; its intercept is a penalised feature."""

    def __init__(self, part: Part, n_threads: int, name: str, **fixed: Any) -> None:
        self.part, self.n_threads, self.name, self.fixed = part, n_threads, name, fixed
        self.y = part.y.astype(np.float64)

    def fit(self, C: float, **settings: Any) -> Fitted:
        import snapml

        settings = {"n_jobs": self.n_threads, "fit_intercept": True, "random_state": 0, **self.fixed, **settings}
        estimator = getattr(snapml, self.name)(regularizer=1 / C, **settings)
        estimator.fit(self.part.X, self.y)
        W = np.asarray(estimator.coef_)
        return Fitted(W, np.broadcast_to(np.ravel(estimator.intercept_), len(W)))


class Cyanure:
    """``cyanure.estimators.Classifier``: multinomial logistic, or one-vs-rest; the intercept is not penalised.

    Its squared hinge is half of the others'.
    """

    def __init__(self, part: Part, n_threads: int, loss: str) -> None:
        self.part, self.n_threads, self.loss = part, n_threads, loss

    def fit(self, C: float, **settings: Any) -> Fitted:
        from cyanure.estimators import Classifier

        alpha = 1 / (C * len(self.part.y))
        estimator = Classifier(
            loss=self.loss, penalty="l2", lambda_1=alpha / 2 if self.loss == "sqhinge" else alpha, verbose=False,
            n_threads=self.n_threads, **settings,
        )  # fmt: skip
        estimator.fit(self.part.X, self.part.y)
        W = estimator.coef_.T
        intercept = np.ravel(getattr(estimator, "intercept_", 0.0))  # without one it has no such attribute
        return Fitted(W, np.broadcast_to(intercept, len(W)), int(np.max(estimator.n_iter_)))
