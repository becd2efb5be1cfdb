"""scikit-learn estimators.

    clf = fastsvm.SVMClassifier().fit(X, y)             # any labels; dense samples as they are stored, or CSR
    clf.predict(X_test), clf.converged_, clf.solver_reason_
    fastsvm.SVMClassifierCV().fit(X, y).alpha_  # the penalty by cross-validation

:mod:`fastsvm.estimator.solvers` is the table of solvers, :mod:`fastsvm.estimator.choosing` the rule by which "auto" chooses.
"""

from __future__ import annotations

from fastsvm.estimator.classifier import SVMClassifier
from fastsvm.estimator.cross_validation import SVMClassifierCV

__all__ = ["SVMClassifier", "SVMClassifierCV"]
