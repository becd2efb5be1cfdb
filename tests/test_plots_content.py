"""What each figure shows: curves, marks, images, ticks and the words beside them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'fastsvm[plot]'")
from matplotlib.figure import Figure

import fastsvm
from fastsvm import landscape, plots
from fastsvm.plots.arrays import as_text
from fastsvm.plots.style import label_ends, spread
from figures import curve, results, texts


def test_names_beside_curves_do_not_overlap():
    wanted = np.array([0.5, 0.5, 0.51, 0.0, 0.9])
    placed = spread(wanted, 0.1)
    assert (np.diff(np.sort(placed)) >= 0.1 - 1e-12).all()
    assert (np.argsort(placed, kind="stable") == np.argsort(wanted, kind="stable")).all()
    np.testing.assert_allclose(placed[:3].mean(), wanted[:3].mean())
    np.testing.assert_allclose(placed[3:], [0.0, 0.9])
    ax = Figure().add_subplot()
    ax.plot([0, 1], [1.0, np.nan])
    label_ends(ax, [(0, float("nan"), "gone", "k"), (0, 1.0, "here", "k")])
    assert {text.get_text() for text in ax.texts} == {"gone", "here"}


def test_a_diverged_curve_ends_in_a_cross():
    ax = plots.loss_curves([4.0, 2.0, np.nan, 1.0])
    np.testing.assert_array_equal(curve(ax, 0), [[1, 4], [2, 2]])
    np.testing.assert_array_equal(curve(ax, 1), [[2, 2]])
    assert ax.get_lines()[1].get_marker() == "X"
    assert len(plots.loss_curves([4.0, 2.0]).get_lines()) == 1
    crosses = [line.get_marker() for line in plots.loss_curves([np.nan, np.nan]).get_lines()]
    assert crosses == ["X"]


def test_smoothing_is_a_centred_mean():
    ax = plots.loss_curves([3.0, 0.0, 3.0, 6.0, 0.0], per="update", smooth=3)
    np.testing.assert_allclose(curve(ax, 0)[:, 1], [3, 0, 3, 6, 0])
    np.testing.assert_allclose(curve(ax, 1), [[2, 2], [3, 3], [4, 3]])


def test_histories_give_what_was_recorded():
    history = results().trained.history
    ax = plots.loss_curves({"run": results().trained})
    np.testing.assert_array_equal(curve(ax, 0)[:, 1], history["loss"])
    np.testing.assert_array_equal(curve(ax, 1)[:, 1], history["val_loss"])
    assert {"run", "run, validation"} <= set(texts(ax))
    np.testing.assert_array_equal(curve(plots.loss_curves(history, column="accuracy"), 0)[:, 1], history["accuracy"])
    np.testing.assert_array_equal(curve(plots.loss_curves(history, per="update"), 0)[:, 1], history.update_losses)
    with pytest.raises(ValueError, match=r"curves\['run'\] must hold a loss per update; train with record='update'"):
        plots.loss_curves({"run": replace(history, update_losses=None)}, per="update")


def test_what_lines_and_studies_show():
    found = results()
    ax = plots.line(found.line, np.linspace(-0.5, 0.5, 5))
    np.testing.assert_array_equal(curve(ax, 0), np.column_stack([found.line.a, found.line.data_loss]))
    np.testing.assert_array_equal(curve(ax, 1)[:, 1], found.line.loss)
    assert "kinks" in ax.get_legend().get_texts()[0].get_text()
    assert len(plots.line(replace(found.line, loss=found.line.data_loss)).get_lines()) == 1
    ax = plots.batch_gradients(found.batches, quantity="error")
    np.testing.assert_allclose(curve(ax, 0)[:, 1], np.median(found.batches.error, axis=1))
    np.testing.assert_allclose(curve(ax, 1)[:, 1], found.batches.law)
    assert {"1e-06: too low", "0.05: good", "1e+300: too high, diverged"} <= set(texts(plots.rates(found.rates)))
    rings = [text for text in texts(plots.tuning(found.tuned)) if text.startswith("best: ")]
    assert rings == [f"best: {found.tuned.best.score:.3f}"]
    assert "lowest: " in " ".join(texts(plots.sweep(found.sweep)))
    assert len(plots.path_plane(found.paths).get_legend().get_texts()) == 2


def test_weight_templates_are_stored_as_planes():
    """A weight of class 1 at row 0, column 1 of the green plane of 2 x 2 pixels; 0 is middle grey."""
    W = np.zeros((2, 12))
    W[1, 4 + 1] = 5.0
    images = [image.get_array() for image in plots.weight_templates(W, image_shape=(2, 2, 3)).get_images()]
    expected = np.full((2, 2, 3), 0.5)
    np.testing.assert_array_equal(images[0], expected)
    expected[0, 1, 1] = 1.0
    np.testing.assert_array_equal(images[1], expected)


def test_weight_templates_with_the_standardisation_folded_in():
    W = np.array([[2.0, -1.0, 0.0, 4.0], [0.0, 0.0, 0.0, 1.0]])
    scale = np.array([1.0, 1.0, 1.0, 4.0])
    standardization = fastsvm.Standardization(mean=np.zeros(4), scale=scale, kind="mean+std")
    ax = plots.weight_templates(W, image_shape=(2, 2), standardization=standardization, clip=100.0)
    np.testing.assert_allclose(ax.get_images()[0].get_array(), [[1.0, 0.25], [0.5, 0.75]])
    ax = plots.weight_templates(W, image_shape=(2, 2), clip=100.0, common_scale=True)
    np.testing.assert_allclose(ax.get_images()[1].get_array(), [[0.5, 0.5], [0.5, 0.625]])
    for n_features, channels in ((3072, 3), (784, 1), (64, 1)):
        (image, _) = plots.weight_templates(np.ones((2, n_features))).get_images()
        assert np.size(image.get_array()) == n_features
        assert np.ndim(image.get_array()) == (3 if channels == 3 else 2)


def test_confusion_counts():
    ax = plots.confusion_matrix([0, 0, 0, 1], [0, 1, 0, 1])
    np.testing.assert_allclose(ax.get_images()[0].get_array(), [[2 / 3, 1 / 3], [0, 1]])
    assert [text.get_text() for text in ax.texts] == ["2", "1", "1"]
    assert [text.get_text() for text in plots.confusion_matrix([0, 0, 0, 1], [0, 1, 0, 1], shares=True).texts] == [
        "67",
        "33",
        "100",
    ]


def test_kinks_and_failures_of_a_gradient_check_stand_apart():
    check = fastsvm.GradientCheck(
        indices=np.arange(4)[:, None], analytic=np.array([1.0, 2.0, 3.0, 4.0]), numerical=np.array([1.0, 2.5, 9.0, 4.0]),
        relative_error=np.array([0.0, 0.1, 0.5, 0.0]), kink=np.array([False, False, True, False]), tolerance=1e-6, noise=1e-9,
    )  # fmt: skip
    ax = plots.gradient_check(check)
    named = {line.get_label(): line.get_xydata().tolist() for line in ax.get_lines()[1:]}
    assert named == {
        "within the tolerance (2)": [[1, 1], [4, 4]],
        "at a kink: not judged (1)": [[3, 9]],
        "beyond the tolerance (1)": [[2, 2.5]],
    }


def test_numbers_are_written_one_way():
    values = [0.0002, 2.2, 254.087, 3452.4, 34523.4, 2.1e9]
    assert [as_text(value, 4) for value in values] == ["0.0002", "2.2", "254.1", "3,452", "34,523", "2.100e+09"]


def test_losses_on_a_logarithmic_axis_are_plain_within_a_decade_and_powers_beyond_many():
    ax = plots.loss_curves([9.0, 5.0, 3.0], log=True)
    ax.get_figure().canvas.draw()
    ticks = {text.get_text() for text in ax.get_yticklabels(minor=True)} - {""}
    assert {"4", "6"} <= ticks <= {str(k) for k in range(2, 10)}
    ax = plots.loss_curves([1e9, 1.0], log=True)
    ax.get_figure().canvas.draw()
    assert all("10^{" in text.get_text() for text in ax.get_yticklabels() if text.get_text())


def test_no_heights_below_zero_for_losses_above_it():
    a = np.linspace(-1, 1, 9)
    loss = np.add.outer(a**2, a**2)
    assert plots.plane_surface(landscape.Plane(a, a, loss + 0.1, loss)).get_zlim()[0] == 0
    assert plots.plane_surface(landscape.Plane(a, a, loss + 3, loss)).get_zlim()[0] == 2.5
    assert plots.plane_surface(landscape.Plane(a, a, loss - 1, loss)).get_zlim()[0] == -1.5


def test_words_beside_a_point_stand_in_place_of_numbers_of_contours():
    a = np.linspace(-1, 1, 21)
    plane = landscape.Plane(a, a, np.add.outer(0 * a, a), np.zeros((21, 21)))
    free = [text for text in plots.plane_contour(plane, path=[[-0.9, -0.9], [0.9, 0.9]]).texts if text.get_visible()]
    place = next(text.get_position() for text in free if re.fullmatch(r"-?[\d.]+", text.get_text()))
    ax = plots.plane_contour(plane, path=[np.subtract(place, [0.1, 0.05]), [0.9, 0.9]])
    hidden = [text.get_position() for text in ax.texts if not text.get_visible()]
    np.testing.assert_allclose(hidden, [place])


def test_a_bowl_says_which_weight_varies_and_which_line_is_which():
    ax = plots.bowl(landscape.bowl([-1.0, 0.0, 1.0], varies=2))
    assert ax.get_xlabel() == "one weight, w₂"
    pieces = [line.get_linestyle() for line in ax.get_lines() if list(line.get_xdata()) == [1.02, 1.075]]
    assert pieces == ["-", "--"] * 3 + ["-"]
