"""Figures as SVG: what they hold, what they refer to, and how large they are."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'fastsvm[plot]'")
from fastsvm import landscape, plots
from figures import FIGURES, every_figure, results, texts


@cache
def written(name: str) -> str:
    """A figure as SVG, without the layout, which takes most of the time."""
    figure = FIGURES[name]().get_figure()
    figure.set_layout_engine("none")
    return plots.to_svg(figure, dpi=40)


@every_figure
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
