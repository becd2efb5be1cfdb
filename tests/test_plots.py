"""Figures: where they draw, what they leave behind, their words in both languages, and the files they are written to."""

from __future__ import annotations

import json
import re
import threading

import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'fastsvm[plot]'")
import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from fastsvm import plots
from fastsvm.plots import fonts
from fastsvm.plots.labels import LABELS
from fastsvm.plots.style import LOOKS
from figures import FIGURES, every_figure, texts
from test_import import run_python


def test_every_function_is_drawn_here():
    assert set(FIGURES) == set(plots.__all__) - {"language", "save", "to_svg"}


@every_figure
def test_a_figure_of_its_own(name):
    before = dict(matplotlib.rcParams)
    ax = FIGURES[name]()
    assert isinstance(ax, Axes)
    assert (ax.get_xlabel() and ax.get_ylabel()) or name in ("accuracies", "weight_templates")
    assert texts(ax)
    assert dict(matplotlib.rcParams) == before


@every_figure
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


@every_figure
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


def test_series_differ_without_colour():
    styles = {(str(look.linestyle), look.marker) for look in LOOKS}
    assert len(styles) == len(LOOKS)
    assert len({to_rgb(look.color) for look in LOOKS}) == len(LOOKS)
