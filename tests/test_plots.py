"""Figures: what they hold, where they draw, what they leave behind, and what they are written as."""

# ruff: noqa: E402 (what follows the check for matplotlib needs it)

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'fastsvm[plot]'")
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

import fastsvm
from fastsvm import effects, landscape, plots, search, trajectories, tuning
from fastsvm.plots import fonts
from fastsvm.plots.arrays import as_text
from fastsvm.plots.labels import LABELS
from fastsvm.plots.style import LOOKS, label_ends, spread
from test_import import run_python

CLASS_NAMES = tuple("abc")


@cache
def results() -> SimpleNamespace:
    """Small real results of every part that figures are drawn of."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 4)), np.arange(60) % 3
    X[np.arange(60), y] += 2.0
    W, D1, D2 = (rng.standard_normal((3, 4)) for _ in range(3))
    a = np.linspace(-1, 1, 21)
    data: dict[str, Any] = {"X": X, "y": y, "W": W}
    training = {"batch_size": 20, "standardize": "none"}
    trained = fastsvm.train(X, y, epochs=4, record="update", validation=(X, y), **training)
    paths = [
        trajectories.record_path(X, y, epochs=4, optimizer=optimizer, **training)
        for optimizer in (fastsvm.SGD(0.1), fastsvm.Adam(0.1))
    ]
    planes = trajectories.path_planes(X, y, paths, resolution=9)
    decayed = effects.decay_study(X, y, epochs=12, optimizer=fastsvm.SGD(0.05), **training)
    return SimpleNamespace(
        **data,
        trained=trained,
        line=landscape.line(W, X, y, D1, a, alpha=0.1),
        kinks=landscape.breakpoints(W, X, y, D1),
        plane=landscape.plane(W, X, y, D1, D2, a, a),
        bowl=landscape.bowl(np.linspace(-3, 3, 50)),
        sweep=landscape.step_sizes(W, X, y),
        random=search.random_search(X, y, n_attempts=30, scale=0.1, standardize="none"),
        path=planes[0],
        paths=dict(zip(("SGD", "Adam"), planes, strict=True)),
        descents=trajectories.side_by_side("bowl", steps=10),
        rates=effects.learning_rates(X, y, [1e-6, 0.05, 1e300], epochs=4, optimizer="sgd", **training),
        decayed=decayed,
        batches=effects.batch_gradients(W, X, y, [1, 4, 16, "full"], draws=8),
        sizes=effects.batch_sizes(X, y, [8, "full"], epochs=3, standardize="none"),
        tuned=tuning.tune(
            X, y, learning_rates=[0.01, 1e20], alphas=[0.0, 0.1, 1.0], method="grid", epochs=2, standardize="none"
        ),
        check=fastsvm.check_objective_gradient(W, X, y),
    )


#: A call of every function that draws, with ``ax`` still to be given.
FIGURES: dict[str, Callable[..., Axes]] = {
    "accuracies": lambda **at: plots.accuracies({"one": 0.2, "two": 0.4}, lecture={"one": 0.155}, chance=0.1, **at),
    "batch_gradients": lambda **at: plots.batch_gradients(results().batches, **at),
    "batch_sizes": lambda **at: plots.batch_sizes(results().sizes, **at),
    "bowl": lambda **at: plots.bowl(results().bowl, **at),
    "confusion_matrix": lambda **at: plots.confusion_matrix([0, 1, 2, 2], [0, 2, 2, 2], class_names=CLASS_NAMES, **at),
    "decay": lambda **at: plots.decay(results().decayed.curves[0], (3, 6), decayed=results().decayed.curves[-1], **at),
    "gradient_check": lambda **at: plots.gradient_check(results().check, **at),
    "line": lambda **at: plots.line(results().line, results().kinks, **at),
    "loss_curves": lambda **at: plots.loss_curves({"trained": results().trained, "array": [3.0, 2.0, np.nan]}, **at),
    "path_plane": lambda **at: plots.path_plane(results().path, **at),
    "plane_contour": lambda **at: plots.plane_contour(results().plane, path=[[-0.5, 0.5], [0.0, 0.0]], **at),
    "plane_surface": lambda **at: plots.plane_surface(results().plane, path=[[-0.5, 0.5], [0.0, 0.0]], **at),
    "rates": lambda **at: plots.rates(results().rates, **at),
    "search_history": lambda **at: plots.search_history(results().random, **at),
    "sweep": lambda **at: plots.sweep(results().sweep, lecture=True, **at),
    "trajectories": lambda **at: plots.trajectories(trajectories.SURFACES["bowl"], results().descents, **at),
    "tuning": lambda **at: plots.tuning(results().tuned, **at),
    "weight_templates": lambda **at: plots.weight_templates(results().W, image_shape=(2, 2), class_names=CLASS_NAMES, **at),
}


@pytest.fixture(params=FIGURES)
def name(request: pytest.FixtureRequest) -> str:
    """Each figure in turn."""
    return request.param


def texts(ax: Axes) -> list[str]:
    """All that is written in a figure, but the numbers of axes."""
    return [artist.get_text() for artist in ax.get_figure().findobj(Text) if re.search(r"[^\W\d_]", artist.get_text())]


def curve(ax: Axes, k: int) -> np.ndarray:
    """The points (n, 2) of a line."""
    return ax.get_lines()[k].get_xydata()


def test_every_function_is_drawn_here():
    assert set(FIGURES) == set(plots.__all__) - {"language", "save", "to_svg"}


def test_a_figure_of_its_own(name):
    before = dict(matplotlib.rcParams)
    ax = FIGURES[name]()
    assert isinstance(ax, Axes)
    assert (ax.get_xlabel() and ax.get_ylabel()) or name in ("accuracies", "weight_templates")
    assert texts(ax)
    assert dict(matplotlib.rcParams) == before


def test_a_given_place(name):
    figure = Figure()
    ax, other = (figure.add_subplot(1, 2, k, projection="3d" if name == "plane_surface" else None) for k in (1, 2))
    assert FIGURES[name](ax=ax) is ax
    assert not other.has_data()
    with pytest.raises(TypeError, match="ax must be matplotlib Axes"):
        FIGURES[name](ax=figure)
    wrong = Figure().add_subplot(projection=None if name == "plane_surface" else "3d")
    with pytest.raises(ValueError, match="ax must be"):
        FIGURES[name](ax=wrong)


@cache
def written(name: str) -> str:
    """A figure as SVG, without the layout, which takes most of the time."""
    figure = FIGURES[name]().get_figure()
    figure.set_layout_engine("none")
    return plots.to_svg(figure, dpi=40)


def test_an_svg_holds_its_words_and_leads_nowhere(name):
    """What is written stays text, and what is referred to is in the same element."""
    svg = written(name)
    root = ElementTree.fromstring(svg)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg)) <= set(ids)
    words = {"".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {text for text in texts(FIGURES[name]()) if "$" not in text} <= words
    assert "<metadata" not in svg
    assert len(svg) < 400_000


def test_figures_in_one_page_share_no_id():
    page = "".join(map(written, FIGURES))
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", ["bowl", "confusion_matrix"])
def test_the_same_figure_gives_the_same_svg(name):
    ax = FIGURES[name]()
    assert plots.to_svg(ax, dpi=40) == plots.to_svg(ax.get_figure(), dpi=40) == plots.to_svg(FIGURES[name](), dpi=40)


def test_korean_words(name):
    with plots.language("ko"):
        korean = texts(FIGURES[name]())
    assert not any(re.search("[가-힣]", text) for text in texts(FIGURES[name]()))
    # Templates have no words but the names of the classes.
    assert any(re.search("[가-힣]", text) for text in korean) == (name != "weight_templates")


def test_labels_are_complete_and_plain():
    for key, words in LABELS.items():
        assert len(words) == 2, key
        assert all(text.strip() for text in words), key
        assert not any("$" in text for text in words), key
        fields = [set(re.findall(r"{(\w+)}", text)) for text in words]
        assert fields[0] == fields[1], key


def test_the_language_belongs_to_the_thread():
    seen = []
    with plots.language("ko"):
        thread = threading.Thread(target=lambda: seen.append(FIGURES["sweep"]().get_ylabel()))
        thread.start()
        thread.join()
        with plots.language("en"):
            assert FIGURES["sweep"]().get_ylabel() == "loss"
        assert FIGURES["sweep"]().get_ylabel() == "손실(loss)"
    assert seen == ["loss"]
    assert FIGURES["sweep"]().get_ylabel() == "loss"
    with pytest.raises(ValueError, match="code must be one of 'en', 'ko'; got 'fr'"), plots.language("fr"):
        pass


def test_no_pyplot_no_display_and_no_import_by_fastsvm(tmp_path):
    code = """
import sys, json, fastsvm, numpy as np
before = "matplotlib" in sys.modules
from fastsvm import plots
ax = plots.loss_curves({"a": [1.0, 2.0]})
plots.save(ax, "curve.png"); plots.save(ax, "curve.pdf"); plots.save(ax, "curve.svg")
print(json.dumps([before, "matplotlib.pyplot" in sys.modules]))
"""
    done = run_python(code, tmp_path, DISPLAY="", MPLBACKEND="TkAgg")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [False, False]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "curve.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "curve.svg").read_text().startswith("<?xml")


def test_without_matplotlib_the_way_to_get_it_is_named(tmp_path):
    code = "import sys; sys.modules['matplotlib'] = None\nimport fastsvm.plots"
    done = run_python(code, tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].endswith("pip install matplotlib, or fastsvm with its extra 'plot'")


def test_files_are_the_same_each_time_and_names_are_checked(tmp_path):
    ax = FIGURES["accuracies"]()
    for kind in ("png", "pdf"):
        plots.save(ax, tmp_path / f"one.{kind}")
        plots.save(ax, tmp_path / f"two.{kind}")
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()
    with pytest.raises(ValueError, match=r"path must end in \.svg, \.png, \.pdf; got 'one\.jpg'"):
        plots.save(ax, tmp_path / "one.jpg")
    with pytest.raises(FileNotFoundError, match="path must lie in an existing folder"):
        plots.save(ax, tmp_path / "missing" / "one.png")
    with pytest.raises(TypeError, match="figure must be matplotlib Axes or a Figure; got int"):
        plots.save(3, tmp_path / "one.png")


def test_korean_without_a_font(tmp_path, monkeypatch):
    monkeypatch.setattr(fonts, "HANGUL", ())
    fonts.hangul_family.cache_clear()
    try:
        with plots.language("ko"):
            ax = FIGURES["search_history"]()
        assert "손실(loss)" in plots.to_svg(ax)
        with pytest.raises(RuntimeError, match=r"PNG of this figure needs a font that has Hangul.*save it as \.svg"):
            plots.save(ax, tmp_path / "korean.png")
        plots.save(FIGURES["search_history"](), tmp_path / "english.png")
    finally:
        fonts.hangul_family.cache_clear()


def test_svg_in_a_page():
    ax = plots.confusion_matrix([0, 1], [0, 1], class_names=['<b id="x">', "url(#a) & href"])
    ax.set_title('a "title" <with> signs')
    svg = plots.to_svg(ax, prefix="mine")
    root = ElementTree.fromstring(svg)
    assert root.get("id") == "mine"
    assert root.get("aria-label") == 'a "title" <with> signs'
    assert {'<b id="x">', "url(#a) & href"} <= {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    rules = re.findall(r"([^{}]+){[^}]*}", "".join(root.find(".//{*}style").itertext()))
    assert rules
    assert all(rule.strip().startswith("#mine") for rule in rules)
    assert ElementTree.fromstring(plots.to_svg(ax, alt="what it shows")).get("aria-label") == "what it shows"
    with pytest.raises(ValueError, match="prefix must be a letter"):
        plots.to_svg(ax, prefix="1")


def test_large_planes_and_scatters_stay_small():
    ax = plots.gradient_check(replace(results().check, **{
        key: np.random.default_rng(0).standard_normal(50_000) for key in ("analytic", "numerical", "relative_error")
    }, kink=np.zeros(50_000, dtype=bool)))  # fmt: skip
    assert len(plots.to_svg(ax)) < 300_000
    a = np.linspace(-1, 1, 200)
    bowl = np.add.outer(a**2, a**2)
    assert len(plots.to_svg(plots.plane_contour(landscape.Plane(a, a, bowl, bowl)))) < 300_000


def test_series_differ_without_colour():
    styles = {(str(look.linestyle), look.marker) for look in LOOKS}
    assert len(styles) == len(LOOKS)
    assert len({to_rgb(look.color) for look in LOOKS}) == len(LOOKS)


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


@pytest.mark.parametrize("case", WRONG)
def test_errors_name_the_argument(case):
    draw, message = WRONG[case]
    with pytest.raises((TypeError, ValueError), match=message):
        draw()
