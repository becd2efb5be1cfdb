"""What a search for learning rate and alpha refuses, and what the message says."""

from __future__ import annotations

import numpy as np
import pytest

from fastsvm import SGD, Adam, Momentum
from fastsvm.schedules import Cosine
from fastsvm.tuning import tune
from fastsvm.tuning.candidates import with_learning_rate
from tuning_cases import X, Y


def test_learning_rates_of_optimizers():
    assert with_learning_rate(Adam(Cosine(1e-3, warmup=5, end=0.1)), 0.5) == Adam(Cosine(0.5, warmup=5, end=0.1))
    assert with_learning_rate(Momentum(0.1, momentum=0.5), 0.5) == Momentum(0.5, momentum=0.5)
    with pytest.raises(ValueError, match=r"optimizer must have a number or one of fastsvm.schedules for its learning rate"):
        tune(X, Y, optimizer=SGD(lambda step: 0.1))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"method": "bayes"}, ValueError, "method must be one of 'random', 'grid'; got 'bayes'"),
        ({"learning_rates": (0.1, 0.01)}, ValueError, r"learning_rates\[1\] must be finite and > 0.1; got 0.01"),
        ({"learning_rates": (0.0, 0.01)}, ValueError, r"learning_rates\[0\] must be finite and > 0; got 0.0"),
        ({"learning_rates": (1e-300, 1e300)}, ValueError, "learning_rates must span a finite ratio"),
        ({"learning_rates": (1, 2, 3)}, ValueError, r"learning_rates must be a range, the tuple \(low, high\), or a list"),
        ({"learning_rates": [0.1, 0.0]}, ValueError, r"learning_rates\[1\] must be finite and > 0; got 0.0"),
        ({"learning_rates": []}, ValueError, "at least one; got none"),
        ({"learning_rates": [0.1, 0.2, 0.1]}, ValueError, "learning_rates must hold different values"),
        ({"learning_rates": 0.1}, TypeError, r"or a list of values; got 0.1"),
        ({"learning_rates": "0.1"}, TypeError, r"or a list of values; got '0.1'"),
        ({"learning_rates": ["0.1"]}, TypeError, r"learning_rates\[0\] must be a real number; got '0.1'"),
        ({"alphas": [-1.0]}, ValueError, r"alphas\[0\] must be finite and >= 0; got -1.0"),
        ({"alphas": (0.0, 1.0)}, ValueError, r"alphas\[0\] must be finite and > 0; got 0.0"),
        ({"method": "grid", "alphas": (0.1, 1.0)}, ValueError, r"alphas must be a list .* numpy.geomspace\(0.1, 1, 5\)"),
        ({"method": "grid", "n_trials": 3}, ValueError, "n_trials must be None for method='grid'"),
        ({"n_trials": 0}, ValueError, "n_trials must be an integer >= 1; got 0"),
        (
            {"learning_rates": [0.1], "alphas": [0, 1], "n_trials": 3},
            ValueError,
            "n_trials must be an integer <= 2, the pairs that 1 learning rate and 2 alphas make; got 3",
        ),
        ({"folds": 1}, ValueError, "folds must be an integer >= 2; got 1"),
        ({"folds": 91}, ValueError, "folds must be an integer <= 90; got 91"),
        ({"folds": 89}, ValueError, "folds=89 does not split 90 samples: no class has more than"),
        ({"holdout": 1.0}, ValueError, "holdout must be finite and > 0 and < 1; got 1.0"),
        ({"holdout": 0.001}, ValueError, "holdout=0.001 does not split 90 samples: 1 would be held out, fewer than the 4"),
        ({"holdout": 0.99}, ValueError, "0 would be left to train on, fewer than the 4 classes"),
        ({"folds": 2, "holdout": 0.2}, ValueError, "folds and holdout must not be given together"),
        ({"validation": X}, TypeError, r"validation must be \(X, y\)"),
        ({"validation": (X[:, :3].copy(), Y)}, ValueError, r"validation\[0\] must have as many features as X, 7"),
        ({"validation": (X, Y + 1)}, ValueError, r"validation\[1\] must be class indices in \[0, 4\)"),
        ({"validation": (X.astype(float), Y)}, TypeError, r"validation\[0\] is float64 and W is float32"),
        ({"seed": None}, TypeError, "seed must be an integer; got None"),
        ({"seed": 2**32}, ValueError, "seed must be an integer <= 4294967295"),
        ({"epochs": 0}, ValueError, "epochs must be an integer >= 1; got 0"),
        ({"batch_size": "half"}, ValueError, "batch_size must be"),
        ({"loss": "hinge"}, ValueError, "loss must be one of"),
        ({"optimizer": "lbfgs"}, ValueError, "optimizer must be"),
        ({"standardize": "z"}, ValueError, "standardize must be one of"),
        ({"sampling": "random"}, ValueError, "sampling must be one of"),
        ({"dtype": "int8"}, TypeError, "dtype must be"),
        ({"n_jobs": 0}, ValueError, "n_jobs must not be 0"),
        ({"n_jobs": 1.0}, TypeError, "n_jobs must be an integer"),
        ({"n_threads": 0}, ValueError, "n_threads must not be 0"),
        ({"callbacks": print}, TypeError, "callbacks must be a sequence of callables; got builtin_function_or_method"),
        ({"callbacks": [1]}, TypeError, r"callbacks\[0\] must be callable as callback\(trial, tuning\); got 1"),
    ],
)
def test_wrong_arguments_are_named(change, error, words):
    with pytest.raises(error, match=words):
        tune(X, Y, **change)


def test_a_bad_sample_has_its_own_number():
    bad = X.astype(np.float32)
    bad[71, 2] = np.nan
    for way in ({"folds": 3}, {"holdout": 0.5}):
        with pytest.raises(ValueError, match=r"X\[71, 2\] is nan"):
            tune(bad, Y, n_trials=2, **way)
    with pytest.raises(ValueError, match=r"validation\[0\]\[71, 2\] is nan"):
        tune(X, Y, n_trials=2, validation=(bad, Y))
