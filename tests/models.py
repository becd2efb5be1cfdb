"""A model to test with, and the comparison of two models."""

from __future__ import annotations

import numpy as np

from fastsvm.losses import WestonWatkins
from fastsvm.model import Model
from fastsvm.standardization import Standardization


def build(dtype: str = "float32", **changes) -> Model:
    """Three classes, two features, everything present."""
    arguments = {
        "W": np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], dtype=dtype),
        "b": np.array([0.0, 0.5, 1.0], dtype=dtype),
        "standardization": Standardization(np.array([1.0, 2.0]), np.array([2.0, 4.0]), "mean+std"),
        "class_names": ("cat", "dog", "größe"),
        "loss": WestonWatkins(),
        "alpha": 0.25,
        "penalize_intercept": True,
        "metadata": {"trained on": "two points"},
    }
    return Model(**(arguments | changes))


def assert_same(one: Model, other: Model) -> None:
    for name in ("W", "b"):
        first, second = getattr(one, name), getattr(other, name)
        assert (first is None) == (second is None)
        if first is not None:
            assert first.dtype == second.dtype
            np.testing.assert_array_equal(first, second)
    assert (one.standardization is None) == (other.standardization is None)
    if one.standardization is not None:
        assert one.standardization.kind == other.standardization.kind
        np.testing.assert_array_equal(one.standardization.mean, other.standardization.mean)
        np.testing.assert_array_equal(one.standardization.scale, other.standardization.scale)
    for name in ("class_names", "loss", "alpha", "penalize_intercept", "metadata"):
        assert getattr(one, name) == getattr(other, name)
