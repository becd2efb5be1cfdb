"""scikit-learn's own checks of the estimators."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastsvm.estimator import SVMClassifier, SVMClassifierCV

#: What batches cannot do: their order and their gradients' noise depend on the number of rows.
BATCHES = dict.fromkeys(
    ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"),
    "a sample given twice meets other samples in its batches than one of weight 2",
)

ESTIMATORS = [
    SVMClassifier(),
    SVMClassifier(solver="dual"),
    SVMClassifier("squared_weston_watkins"),
    SVMClassifier("crammer_singer", solver="dual"),
    SVMClassifier(solver="lbfgs"),
    SVMClassifier("softmax", solver="lbfgs"),
    SVMClassifier(solver="sgd", batch_size="full"),
    SVMClassifier(solver="sgd", batch_size=8),
    SVMClassifierCV(alphas=(1e-1, 1e-2), cv=3),
]


def expected_failures(estimator) -> dict[str, str]:
    """Only batches may fail a check."""
    return BATCHES if estimator.solver == "sgd" and estimator.batch_size != "full" else {}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_check(estimator, check) -> None:
    check(estimator)


def test_only_batches_have_expected_failures() -> None:
    assert [bool(expected_failures(estimator)) for estimator in ESTIMATORS].count(True) == 1
