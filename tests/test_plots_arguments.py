"""What a figure cannot be drawn of, and what the message says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'fastsvm[plot]'")
from matplotlib.axes import Axes

from fastsvm import plots, trajectories
from figures import results

WRONG: dict[str, tuple[Callable[[], Axes], str]] = {
    "curves": (lambda: plots.loss_curves({}), "curves must hold at least one curve"),
    "one curve": (lambda: plots.loss_curves({"a": [[1.0]]}), r"curves\['a'\] must have shape \(any,\); got shape \(1, 1\)"),
    "empty": (lambda: plots.loss_curves([]), "curves must hold at least one number"),
    "line": (lambda: plots.line(replace(results().line, loss=np.zeros(3))), r"line\.loss must have shape \(21,\)"),
    "plane": (lambda: plots.plane_contour(replace(results().plane, a=np.zeros(3))), r"plane\.loss must have shape \(21, 3\)"),
    "descending": (
        lambda: plots.plane_contour(replace(results().plane, b=-results().plane.b)),
        r"plane\.b must be ascending; got 1 before 0\.9",
    ),
    "elevation": (lambda: plots.plane_surface(results().plane, elevation="a"), "elevation must be a real number; got 'a'"),
    "decay": (lambda: plots.decay([3.0, 2.0], (3,)), r"epochs must lie within those of the curve, 1 to 2; got \[3\.0\]"),
    "one epoch": (lambda: plots.decay([3.0, 2.0], 2), "epochs must be a sequence of epochs, .*; got int"),
    "NaN": (lambda: plots.weight_templates(np.full((2, 64), np.nan)), r"W must hold finite numbers only; W\[0, 0\] is nan"),
    "path": (lambda: plots.plane_contour(results().plane, path=[1.0]), r"path must have shape \(any, 2\)"),
    "surface": (lambda: plots.plane_surface(replace(results().plane, b=np.zeros(1))), r"plane\.a and plane\.b must hold"),
    "bowl": (lambda: plots.bowl(replace(results().bowl, total=np.zeros(3))), r"bowl\.total must have shape"),
    "steps": (
        lambda: plots.sweep(replace(results().sweep, step_sizes=-results().sweep.step_sizes)),
        r"sweep\.step_sizes must be > 0",
    ),
    "planes": (
        lambda: plots.path_plane({"one": results().path, "other": replace(results().path, plane=results().plane)}),
        r"picture\['other'\]\.plane must be the plane of the other paths",
    ),
    "descents": (lambda: plots.trajectories(trajectories.SURFACES["bowl"], []), "descents must hold at least one"),
    "rates": (
        lambda: plots.rates(replace(results().rates, curves=np.zeros((2, 4)))),
        r"study\.curves must have shape \(3, any\)",
    ),
    "verdicts": (
        lambda: plots.rates(replace(results().rates, verdict=("good",))),
        r"study\.verdict must hold a verdict per rate",
    ),
    "batches": (
        lambda: plots.batch_gradients(replace(results().batches, law=np.zeros(3))),
        r"study\.law must have shape \(4,\)",
    ),
    "quantity": (lambda: plots.batch_gradients(results().batches, quantity="size"), "quantity must be one of"),
    "search": (
        lambda: plots.search_history(replace(results().random, accepted=np.zeros(2, bool))),
        r"result\.accepted must have shape \(30,\)",
    ),
    "labels": (lambda: plots.confusion_matrix([0, 1], [0]), r"y_pred must have shape \(2,\)"),
    "classes": (lambda: plots.confusion_matrix([0, 3], [0, 1], class_names="ab"), r"y_true must be class indices in \[0, 2\)"),
    "image": (lambda: plots.weight_templates(np.zeros((2, 5))), "image_shape must be given for 5 features"),
    "shape": (lambda: plots.weight_templates(np.zeros((2, 6)), image_shape=(2, 2)), "image_shape must be .* 6 numbers in all"),
    "names": (
        lambda: plots.weight_templates(np.zeros((2, 64)), class_names="abc"),
        "class_names must hold a name per class, 2",
    ),
    "weights": (lambda: plots.weight_templates(np.zeros(64)), r"W must have shape \(any, any\)"),
    "trials": (lambda: plots.tuning(replace(results().tuned, trials=())), r"tuning\.trials must hold at least one trial"),
    "reached": (lambda: plots.accuracies({"a": 1.5}), r"reached\['a'\] must be finite and >= 0 and <= 1; got 1.5"),
    "lecture": (
        lambda: plots.accuracies({"a": 0.5}, lecture={"b": 0.5}),
        "lecture must hold names of reached only, 'a'; got 'b'",
    ),
}


#: Figures drawn of one object: its argument's name, and what makes such an object.
MADE_BY: dict[str, tuple[Callable[..., Axes], str, str]] = {
    "batch_gradients": (plots.batch_gradients, "study", "effects.batch_gradients"),
    "batch_sizes": (plots.batch_sizes, "study", "effects.batch_sizes"),
    "bowl": (plots.bowl, "bowl", "landscape.bowl"),
    "gradient_check": (plots.gradient_check, "check", "check_gradient"),
    "line": (plots.line, "line", "landscape.line"),
    "path_plane": (plots.path_plane, "picture", "trajectories.path_plane"),
    "plane_contour": (plots.plane_contour, "plane", "landscape.plane"),
    "plane_surface": (plots.plane_surface, "plane", "landscape.plane"),
    "rates": (plots.rates, "study", "effects.learning_rates"),
    "sweep": (plots.sweep, "sweep", "landscape.step_sizes"),
    "tuning": (plots.tuning, "tuning", "tuning.tune"),
}


@pytest.mark.parametrize("figure", MADE_BY)
def test_another_object_is_refused_by_what_would_make_the_right_one(figure):
    draw, name, maker = MADE_BY[figure]
    with pytest.raises(TypeError, match=rf"{name} must be what fastsvm\.{maker} returns; got ndarray"):
        draw(np.zeros((2, 3)))


def test_other_objects_for_searches_surfaces_and_descents():
    with pytest.raises(TypeError, match=r"result must be what a search of fastsvm\.search returns; got TrainResult"):
        plots.search_history(results().trained)
    with pytest.raises(TypeError, match=r"surface must be a Surface, .*; got str"):
        plots.trajectories("saddle", results().descents)
    with pytest.raises(TypeError, match=r"descents must be a sequence of .*; got Descent"):
        plots.trajectories(trajectories.SURFACES["bowl"], results().descents[0])
    with pytest.raises(TypeError, match=r"descents\[0\] must be what fastsvm\.trajectories\.descend returns; got int"):
        plots.trajectories(trajectories.SURFACES["bowl"], [3])


@pytest.mark.parametrize("case", WRONG)
def test_errors_name_the_argument(case):
    draw, message = WRONG[case]
    with pytest.raises((TypeError, ValueError), match=message):
        draw()
