"""Models: scores, predictions and objective by hand, and what their constructor refuses."""

from __future__ import annotations

import numpy as np
import pytest

from fastsvm.model import Model
from fastsvm.standardization import Standardization
from models import build


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_predictions_and_objective_by_hand(backend, dtype):
    model = build(dtype)
    X = np.array([[3.0, 2.0], [1.0, 6.0]], dtype=dtype)  # standardised: (1, 0) and (0, 1)
    expected = [[1.0, 0.5, 0.0], [0.0, 1.5, 0.0]]
    np.testing.assert_array_equal(model.scores(X, backend=backend), np.array(expected, dtype=dtype))
    predicted = model.predict(X, backend=backend)
    assert predicted.dtype == np.int64
    assert predicted.tolist() == [0, 1]
    # Margins of sample 0 against class 0: 0.5 and 0; of sample 1 against class 2: 1 and 2.5. ||W||^2 = 4, ||b||^2 = 1.25.
    loss, accuracy = model.evaluate(X, np.array([0, 2]), backend=backend)
    assert loss == pytest.approx((0.5 + 3.5) / 2 + 0.25 * 0.5 * (4 + 1.25))
    plain = build(dtype, penalize_intercept=False)
    assert plain.evaluate(X, np.array([0, 2]), backend=backend)[0] == pytest.approx((0.5 + 3.5) / 2 + 0.25 * 0.5 * 4)
    assert accuracy == 0.5


def test_a_training_becomes_a_model():
    from fastsvm.training import train

    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    result = train(X, np.array([0, 0, 1, 1]), loss="softmax", alpha=0.5, penalize_intercept=True, epochs=3)
    model = result.to_model(["low", "high"], {"from": "four points"})
    assert model.evaluate(X, np.array([0, 0, 1, 1])) == result.evaluate(X, np.array([0, 0, 1, 1]))
    assert (model.class_names, model.metadata) == (("low", "high"), {"from": "four points"})
    assert not np.shares_memory(model.W, result.W)
    assert not np.shares_memory(model.b, result.b)
    assert result.to_model().class_names is None
    with pytest.raises(ValueError, match="one name per class, 2; got 1"):
        result.to_model(["low"])


def test_ties_go_to_the_first_class():
    assert Model(np.ones((3, 1))).predict(np.array([[2.0]]), backend="reference").tolist() == [0]


def test_a_model_that_does_not_fit_the_data_says_so():
    model = build()
    for call in (model.scores, model.predict, lambda X: model.evaluate(X, np.array([0]))):
        with pytest.raises(ValueError, match=r"X must have the 2 features the model was trained on; got 3"):
            call(np.ones((1, 3), dtype=np.float32))
    with pytest.raises(ValueError, match=r"y must be class indices in \[0, 3\); y\[0\] is 3"):
        model.evaluate(np.ones((1, 2), dtype=np.float32), np.array([3]), backend="reference")


def test_names():
    assert build().name(2) == "größe"
    assert build(class_names=None).name(2) == "2"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"W": np.ones(3)}, ValueError, "W must have 2 dimensions"),
        ({"W": np.ones((3, 2), dtype=np.int64)}, TypeError, "W must have dtype"),
        ({"W": np.ones((1, 2), dtype=np.float32)}, ValueError, "W must have at least 2 rows"),
        ({"W": np.ones((3, 0), dtype=np.float32)}, ValueError, "W must have at least 1 column"),
        ({"W": np.full((3, 2), np.nan, dtype=np.float32)}, ValueError, r"W\[0, 0\] is nan"),
        ({"b": np.ones(2, dtype=np.float32)}, ValueError, r"b must have shape \(3,\)"),
        ({"b": np.ones(3)}, TypeError, "b must have dtype float32"),
        ({"b": np.array([0, np.inf, 0], dtype=np.float32)}, ValueError, r"b\[1\] is inf"),
        ({"standardization": "mean"}, TypeError, "standardization must be a Standardization or None; got str"),
        ({"standardization": Standardization(np.zeros(3), np.ones(3), "mean")}, ValueError, "one entry per feature, 2"),
        ({"class_names": ("a", "b")}, ValueError, "class_names must have one name per class, 3; got 2"),
        ({"class_names": "abc"}, TypeError, "class_names must be a sequence of strings"),
        ({"class_names": ("a", "b", 3)}, TypeError, r"class_names\[2\] must be a string; got 3"),
        ({"class_names": ("a", "b", "\ud800")}, ValueError, "text that UTF-8 can hold"),
        ({"loss": "hinge"}, ValueError, "loss must be one of"),
        ({"alpha": -1.0}, ValueError, "alpha must be finite and >= 0; got -1.0"),
        ({"penalize_intercept": 1}, TypeError, "penalize_intercept must be True or False"),
        ({"metadata": {"accuracy": 0.9}}, TypeError, "metadata.*must be a string; got 0.9"),
        ({"metadata": None}, TypeError, "metadata must map strings to strings"),
    ],
)
def test_bad_arguments(changes, error, message):
    with pytest.raises(error, match=message):
        build(**changes)
