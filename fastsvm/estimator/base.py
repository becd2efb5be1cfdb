"""Prediction from ``coef_`` and ``intercept_``, as scikit-learn has it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from fastsvm import prediction
from fastsvm.estimator.calibration import log_probabilities, probabilities
from fastsvm.estimator.inputs import finite_or_explained, read_samples
from fastsvm.losses import Softmax, as_loss


def _has_probabilities(estimator: Any) -> bool:
    if estimator.probability or isinstance(as_loss(estimator.loss), Softmax):
        return True
    raise AttributeError(
        f"the scores of loss={estimator.loss!r} are not probabilities. Use probability=True, which calibrates them inside fit "
        "(at the cost of five more fits), or loss='softmax', whose scores are"
    )


class LinearPredictor(ClassifierMixin, BaseEstimator):
    """Everything that follows from ``classes_``, ``coef_``, ``intercept_`` and ``temperature_``."""

    loss: Any
    probability: bool
    n_threads: int | None
    backend: str | None
    classes_: np.ndarray
    coef_: np.ndarray
    intercept_: np.ndarray
    inverse_temperature_: float | None

    def __sklearn_tags__(self) -> Any:
        """scikit-learn's tags: CSR is read, all else is the default."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores of the classes: ``X coef_ᵀ + intercept_``.

        Parameters
        ----------
        X : (n_samples, n_features) array-like or CSR
            As given to `fit`: dense samples are read in the dtype they are stored in, and need not be scaled.

        Returns
        -------
        ndarray (n_samples, n_classes), or (n_samples,) for two classes: the score of ``classes_[1]`` less that of
        ``classes_[0]``, whose sign decides. In the dtype of ``coef_``, or float64 for samples in float64.
        """
        X = self._read(X)
        W, b = self._weights(X)
        with finite_or_explained(self, X):
            scores = prediction.decision_scores(W, X, b, backend=self._backend(), n_threads=self.n_threads)
        return scores[:, 1].copy() if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> np.ndarray:
        """The class with the largest score of each sample, the first of them in a tie.

        Parameters
        ----------
        X : (n_samples, n_features) array-like or CSR

        Returns
        -------
        ndarray (n_samples,), of the labels given to `fit`.
        """
        X = self._read(X)
        W, b = self._weights(X)
        with finite_or_explained(self, X):
            return self.classes_[prediction.predict(W, X, b, backend=self._backend(), n_threads=self.n_threads)]

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes: those of the model for Softmax, calibrated ones with ``probability=True``.

        The most probable class is the one predicted; :mod:`fastsvm.estimator.calibration` says how hinge losses are calibrated.

        Parameters
        ----------
        X : (n_samples, n_features) array-like or CSR

        Returns
        -------
        ndarray (n_samples, n_classes), float64, in the order of ``classes_``.
        """
        return probabilities(*self._calibrated(X))

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of `predict_proba`, exact where the probability is too small to be told from 0.

        Parameters
        ----------
        X : (n_samples, n_features) array-like or CSR

        Returns
        -------
        ndarray (n_samples, n_classes), float64
        """
        return log_probabilities(*self._calibrated(X))

    def _calibrated(self, X: Any) -> tuple[np.ndarray, float]:
        """Scores of all classes, and what to multiply them by."""
        scores = self.decision_function(X)
        if self.inverse_temperature_ is None:
            raise AttributeError("probability=True came after the fit: the scores have not been calibrated. Fit again")
        both = np.column_stack([np.zeros(len(scores)), scores]) if scores.ndim == 1 else scores
        return both, self.inverse_temperature_

    def _read(self, X: Any) -> Any:
        check_is_fitted(self, "coef_")
        return read_samples(self, X, reset=False, finite=False)

    def _weights(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """A row of weights per class, in float64 if ``X`` is."""
        coef, intercept = np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_)
        if len(self.classes_) == 2:
            coef, intercept = np.vstack([np.zeros_like(coef), coef]), np.concatenate([np.zeros_like(intercept), intercept])
        dtype = np.result_type(coef, X.dtype) if X.dtype == np.float64 else coef.dtype
        return np.ascontiguousarray(coef, dtype=dtype), np.ascontiguousarray(intercept, dtype=dtype)

    def _backend(self) -> str | None:
        return self.backend
