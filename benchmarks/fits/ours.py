"""fastsvm's estimator, in the form solvers.py runs (see ``peers.py``)."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from fastsvm import SGD
from fastsvm.schedules import Cosine
from fits.data import Part
from fits.peers import Fitted


class Fastsvm:
    """``SVMClassifier`` on the data as they are stored.

    ``C=None`` leaves ``alpha`` and the standardisation to the estimator. Otherwise pixels are divided by 255 as they are read,
    as the others' are. ``rate`` stands for plain SGD whose learning rate falls from there along a cosine.
    """

    def __init__(self, part: Part, n_threads: int, **fixed: Any) -> None:
        self.part, self.n_threads, self.fixed = part, n_threads, fixed

    def fit(self, C: float | None, **settings: Any) -> Fitted:
        from fastsvm.estimator import SVMClassifier

        if "rate" in settings:
            settings["optimizer"] = SGD(Cosine(settings.pop("rate")))
        scaled: dict[str, Any] = {}
        if C is not None:
            scaled["alpha"] = 1 / (C * len(self.part.y))
            scaled["standardize"] = "none" if self.part.divisor == 1.0 else "scale"
        estimator = SVMClassifier(random_state=0, n_threads=self.n_threads, **{**scaled, **self.fixed, **settings})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fit of few epochs has not converged, and says so
            estimator.fit(self.part.X, self.part.y)
        W = np.asarray(estimator.coef_, dtype=np.float64) * self.part.divisor
        gap = estimator.duality_gap_
        claim = None if math.isnan(gap) else (estimator.objective_, gap)
        note = estimator.solver_ if estimator.converged_ else f"{estimator.solver_}, not converged"
        return Fitted(W, np.asarray(estimator.intercept_), estimator.n_iter_, note, claim)
