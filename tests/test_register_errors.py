"""What cannot be registered, and what the message says."""

from __future__ import annotations

import numpy as np
import pytest

import fastsvm
from fastsvm.losses import LOSSES, as_loss
from fastsvm.optimizers import OPTIMIZERS
from registrations import Registrations


def hinge(scores, y, dscores, delta, width):
    dscores[:] = width
    return delta + scores[y]


def writes_outside(scores, y, dscores):
    for j in range(len(scores) + 1):
        dscores[j] = 0
    return 0.0


def changes_scores(scores, y, dscores):
    dscores[:] = 0
    scores[0] = 5
    return 0.0


def steep(scores, y, dscores):
    """A gradient that is finite for small scores only."""
    dscores[:] = np.nan if scores.max() > 100 else 0
    return scores[y] - scores[y]


def plain_descent(x, g, learning_rate, step):
    return x - learning_rate * g


def descent_with_slot(x, g, v, learning_rate, step, momentum):
    return x - learning_rate * g, momentum * v


registrations = Registrations()
with registrations:
    fastsvm.register_loss("taken", hinge, delta=1.0, width=1.0)
    fastsvm.register_update("taken", plain_descent)


@pytest.fixture(autouse=True)
def _registered():
    with registrations:
        yield


class TestErrors:
    @pytest.mark.parametrize(("name", "leaf", "parameters", "error", "message"), [
        ("softmax", hinge, {"delta": 1.0, "width": 1.0}, ValueError, "'softmax' is built in"),
        ("taken", hinge, {"delta": 1.0, "width": 1.0}, ValueError, "'taken' is registered already"),
        ("Capital", hinge, {"delta": 1.0, "width": 1.0}, ValueError, "name must be lower-case"),
        (3, hinge, {"delta": 1.0, "width": 1.0}, ValueError, "name must be lower-case"),
        ("new", "leaf", {}, TypeError, "leaf must be a function; got 'leaf'"),
        ("new", hinge, {"delta": 1.0}, TypeError, r"must take the arguments \(scores, y, dscores, delta\); got"),
        ("new", lambda scores, y: 0.0, {}, TypeError, r"must take the arguments \(scores, y, dscores\); got \(scores, y\)"),
        ("new", lambda scores, y, *rest: 0.0, {}, TypeError, "must take the arguments"),
        ("new", hinge, {"delta": np.nan, "width": 1.0}, ValueError, "delta must be finite"),
        ("new", lambda scores, y, dscores: undefined(scores), {}, TypeError, "Numba can compile"),  # noqa: F821
        ("new", lambda scores, y, dscores: None, {}, TypeError, "must return the loss, a number; got None"),
        ("new", lambda scores, y, dscores: 0.0, {}, ValueError, "must fill all of dscores"),
        ("new", lambda scores, y, dscores: np.nan * scores[0], {}, ValueError, "must return a finite loss"),
        ("new", writes_outside, {}, ValueError, "must stay inside its arrays.*out of bounds"),
        ("new", changes_scores, {}, ValueError, r"must not change scores; it made \[5\.0"),
    ])  # fmt: skip
    def test_losses(self, name, leaf, parameters, error, message):
        with pytest.raises(error, match=message):
            fastsvm.register_loss(name, leaf, **parameters)
        assert "new" not in LOSSES

    @pytest.mark.parametrize(("name", "leaf", "settings", "error", "message"), [
        ("adam", plain_descent, {}, ValueError, "'adam' is built in"),
        ("taken", plain_descent, {}, ValueError, "'taken' is registered already"),
        ("new", plain_descent, {"slots": "v"}, ValueError, "slots must be at most 3 different names, none of them"),
        ("new", plain_descent, {"slots": ("v", "v")}, ValueError, r"different names.*got \('v', 'v'\)"),
        ("new", plain_descent, {"slots": ("step",)}, ValueError, r"none of them x, g or step; got \('step',\)"),
        ("new", plain_descent, {"slots": ("v",)}, TypeError, r"must take the arguments \(x, g, v, learning_rate, step\)"),
        ("new", plain_descent, {"learning_rate": 0.0}, ValueError, "learning_rate must be finite and > 0"),
        ("new", descent_with_slot, {"slots": ("v",), "momentum": 1.0}, ValueError, "momentum must be finite and >= 0 and < 1"),
        ("new", lambda x, g, v, learning_rate, step: x, {"slots": ("v",)}, TypeError, "a tuple of the new x and 1 slot; got"),
        ("new", lambda x, g, learning_rate, step: (x, g), {}, TypeError, "must return the new x; got"),
        ("new", lambda x, g, learning_rate, step: x / 0.0, {}, ValueError, "must return finite numbers"),
        ("new", lambda x, g, learning_rate, step: undefined(x), {}, TypeError, "Numba can compile"),  # noqa: F821
    ])  # fmt: skip
    def test_updates(self, name, leaf, settings, error, message):
        with pytest.raises(error, match=message):
            fastsvm.register_update(name, leaf, **settings)
        assert "new" not in OPTIMIZERS

    def test_replace(self):
        def half(scores, y, dscores, factor):
            dscores[:] = factor
            return factor * scores.sum()

        first = fastsvm.register_loss("replaced", half, factor=1.0)()
        second = fastsvm.register_loss("replaced", half, replace=True, factor=3.0)()
        assert as_loss("replaced") == second
        scores = np.array([[1.0, 2.0]])
        assert fastsvm.score_loss_and_gradient(scores, np.array([0]), first, backend="reference")[0] == 3.0
        with pytest.raises(ValueError, match="'softmax' is built in"):
            fastsvm.register_loss("softmax", half, replace=True, factor=1.0)

    @pytest.mark.parametrize("backend", ["numba", "reference"])
    def test_a_gradient_that_is_not_finite_is_found_while_it_is_used(self, backend):
        loss = fastsvm.register_loss("steep", steep, replace=True)()
        scores = np.array([[1.0, 2.0], [1000.0, 2000.0]])
        with pytest.raises(OverflowError, match="the loss is nan"):
            fastsvm.score_loss_and_gradient(scores, np.array([0, 1]), loss=loss, backend=backend)


@pytest.mark.parametrize(("setting", "message"), [
    ({"n_classes": 1}, "n_classes must be an integer >= 2; got 1"),
    ({"dtype": "float16"}, "dtype must be one of 'float64', 'float32'; got 'float16'"),
])  # fmt: skip
def test_settings_of_check_loss(setting, message):
    with pytest.raises(ValueError, match=message):
        fastsvm.check_loss("softmax", **setting)
