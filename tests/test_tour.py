"""The report: whole, self-contained, its commands and code in order, and sound in a real browser."""

from __future__ import annotations

import base64
import html
import importlib
import io
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

import fastsvm
from cli_runs import run, succeed_json
from fastsvm.datasets import Dataset
from fastsvm.tour import LANGUAGES, tour
from fastsvm.tour.context import QUICK
from fastsvm.tour.journey import CHAPTERS

#: What a browser would fetch: any address that is neither within the page nor data.
FETCHED = re.compile(r"""(?:src|href|xlink:href)\s*=\s*["'](?!#|data:)[^"']*|url\((?!['"]?(?:#|data:))[^)]*|@import""")


#: Names of classes that nothing in a page may take for more than words.
AWKWARD = ("<script>alert(1)</script>", "a & b", "cost: $5", "{x!r}", *"efghij")


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of two short tours: by Python, in English, of noise like CIFAR-10; by command line, in Korean, of the digits."""
    folder = tmp_path_factory.mktemp("tours")
    X = np.random.default_rng(3).integers(0, 256, (60, 3072), dtype=np.uint8)
    noise = Dataset("noise", X, np.arange(60) % 10, class_names=AWKWARD, image_shape=(32, 32, 3))
    made = tour(noise, folder / "en", plan=QUICK)
    assert made.report == folder / "en" / "report.html"
    printed = succeed_json("tour", "--quick", "--lang", "ko", "--out", folder / "ko")
    assert printed.pop("report") == str(folder / "ko" / "report.html")
    assert printed == summary(folder / "ko")
    return {language: folder / language for language in LANGUAGES}


def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def summary(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_report_is_whole_and_fetches_nothing(reports: dict[str, Path], language: str) -> None:
    text, numbers = page(reports[language]), summary(reports[language])
    assert f'<html lang="{language}">' in text
    assert list(numbers["chapters"]) == list(CHAPTERS)
    assert re.findall(r'<section id="(\w+)">', text) == list(CHAPTERS)
    assert FETCHED.findall(text) == []
    assert "<script" not in text
    ids = re.findall(r'\sid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', text)) <= set(ids)
    figures = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    assert len(figures) > 25
    for figure in figures:
        assert re.search(r'role="img" aria-label="[^"]{10,}"', figure)
        assert re.search(r"<figcaption>.{10,}</figcaption>", figure, re.DOTALL)
        assert "<svg" in figure
    prose = re.sub(r"<(style|svg|pre).*?</\1>", "", text, flags=re.DOTALL)
    assert not re.search(r"\{\w*\}|nan\b", prose)


def test_numbers_of_the_report_are_those_of_the_run(reports: dict[str, Path]) -> None:
    for language, folder in reports.items():
        text, numbers = page(folder), summary(folder)
        assert numbers["made_by"] == "fastsvm tour"
        strategies = [row["key"] for row in numbers["strategies"]]
        assert strategies == ["random", "local", "descent", "steepest", "minibatch", "rule", "tuned", "network"]
        for row in numbers["strategies"]:
            assert f"{100 * row['accuracy']:.1f}%" in text
            assert 0 <= row["accuracy"] <= 1
            assert row["seconds"] > 0
        assert numbers["language"] == language


def test_numbers_known_beforehand(reports: dict[str, Path]) -> None:
    chapters = summary(reports["ko"])["chapters"]
    assert chapters["data"]["weights"] == 10 * (64 + 1)
    assert chapters["loss"]["svm_at_zero"] == pytest.approx(9.0, abs=1e-6)
    assert chapters["loss"]["softmax_at_zero"] == pytest.approx(np.log(10), rel=1e-6)
    backprop = chapters["backprop"]
    assert [backprop[name] for name in ("q", "f", "dx", "dy", "dz")] == [3, -12, -4, -4, 3]
    assert backprop["sigmoid"] == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-9)
    assert backprop["difference"] < 1e-5
    assert chapters["minibatch"]["loss_difference"] < 1e-6
    assert chapters["steps"]["growth"] == pytest.approx(10, rel=0.02)
    assert chapters["steps"]["exact_loss"] <= chapters["steps"]["best_loss"]
    assert chapters["analytic"]["passed"] is True
    data = fastsvm.load("digits")
    mean = fastsvm.fit_standardization(data.X, "mean")
    assert chapters["data"]["radius"] == round(float(np.sqrt(np.square(mean.apply(data.X)).sum(axis=1).mean())))


def test_lecture_stands_beside_its_data(reports: dict[str, Path]) -> None:
    """What has the shape of CIFAR-10 is told with the lectures' settings and numbers; the digits are not."""
    text, numbers = page(reports["en"]), summary(reports["en"])
    for of_lecture in ("30,730", "15.5%", "21.4%", "25,392.214"):
        assert of_lecture in text
        assert of_lecture not in page(reports["ko"])
    assert [row["lecture"] for row in numbers["strategies"]][:3] == [0.155, 0.214, None]
    assert numbers["chapters"]["random"]["scale"] == numbers["chapters"]["local"]["step"] == 1e-4
    assert numbers["chapters"]["local"]["scale"] == pytest.approx(1e-3)
    assert numbers["chapters"]["steps"]["step_sizes"] == pytest.approx(10.0 ** np.arange(-10, 0))


def test_names_of_classes_are_words(reports: dict[str, Path]) -> None:
    text = page(reports["en"])
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "a &amp; b" in text
    assert "cost: $5" in text


def test_pictures_within_figures_are_sound(reports: dict[str, Path]) -> None:
    from PIL import Image

    for folder in reports.values():
        images = re.findall(r'href="data:image/png;base64,([^"]*)"', page(folder))
        assert len(images) >= 5
        for image in images:
            Image.open(io.BytesIO(base64.b64decode(image))).verify()


def codes(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """What a page offers to do oneself: of each chapter, the tag of a block and its source."""
    found = {}
    for section in re.findall(r"<section id=.*?</section>", page(folder), re.DOTALL):
        blocks = re.findall(r'<span class="tag">([^<]*)</span><pre><code>([^<]*)</code></pre>', section)
        key = re.match(r'<section id="(\w+)">', section)
        assert key
        found[key[1]] = [(html.unescape(tag), html.unescape(source)) for tag, source in blocks]
    return found


def commands(folder: Path) -> dict[str, list[list[str]]]:
    """The words of each chapter's commands."""
    return {
        chapter: [shlex.split(line) for _, source in blocks for line in source.splitlines() if line.startswith("fastsvm ")]
        for chapter, blocks in codes(folder).items()
    }


def test_commands_of_the_report_find_what_it_says(reports: dict[str, Path]) -> None:
    told, numbers = commands(reports["ko"]), summary(reports["ko"])["chapters"]
    assert sum(map(len, told.values())) >= 10
    for command in (command for of_chapter in told.values() for command in of_chapter):
        result = run(*command[1:], "--help")
        assert result.exit_code == 0, f"{command}: {result.output}"
    tuned = succeed_json(*told["tuning"][0][1:])
    assert len(tuned["trials"]) == numbers["tuning"]["trials"]
    assert tuned["best"]["learning_rate"] == pytest.approx(numbers["tuning"]["rate"], rel=1e-12)
    assert tuned["best"]["alpha"] == pytest.approx(numbers["tuning"]["alpha"], rel=1e-12)
    for chapter, command, accuracy in (
        ("random", 0, "accuracy"), ("local", 0, "accuracy"), ("descent", 0, "fixed_accuracy"), ("descent", 1, "exact_accuracy"),
        ("sgd", 0, "accuracy"), ("rules", 0, "best_accuracy"),
    ):  # fmt: skip
        found = succeed_json(*told[chapter][command][1:])
        assert found["test"]["accuracy"] == pytest.approx(numbers[chapter][accuracy], rel=1e-12), chapter
    swept = succeed_json(*told["steps"][0][1:-2])
    assert swept["step_sizes"] == pytest.approx(numbers["steps"]["step_sizes"], rel=1e-9)


def run_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Run the Python of a page from top to bottom; returns the names that there are after each chapter."""
    toured: list[Any] = []
    monkeypatch.setattr(importlib.import_module("fastsvm.tour"), "tour", lambda *args, **options: toured.append(args))
    names: dict[str, Any] = {}
    found = {}
    for chapter, blocks in codes(folder).items():
        for _, source in blocks:
            if not source.startswith(("fastsvm ", "#")):
                exec(source, names)
                found[chapter] = dict(names)
    assert len(toured) == 1
    assert len(found) == len(CHAPTERS)
    return found


def test_python_of_the_report_finds_what_it_says(
    reports: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found, numbers = run_all(reports["ko"], monkeypatch), summary(reports["ko"])["chapters"]
    for chapter, key in (
        ("random", "accuracy"), ("local", "accuracy"), ("descent", "exact_accuracy"), ("sgd", "accuracy"),
        ("tuning", "accuracy"), ("network", "accuracy"),
    ):  # fmt: skip
        names = found[chapter]
        reached = names["result"].evaluate(names["X_test"], names["y_test"])[1]
        assert reached == pytest.approx(numbers[chapter][key], rel=1e-12), chapter
    assert found["tuning"]["best"].learning_rate == pytest.approx(numbers["tuning"]["rate"], rel=1e-12)


def test_a_file_is_named_as_it_was_given(blobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three classes in float64, no pictures, no test part, and a path that a shell would take apart."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my data").mkdir()
    shutil.copy(blobs, tmp_path / "my data" / "b.npz")
    tour("my data/b.npz", "out", plan=QUICK)
    told = codes(tmp_path / "out")
    assert 'fastsvm.load("my data/b.npz")' in told["data"][0][1]
    assert all(command[2] == "my data/b.npz" for of_chapter in commands(tmp_path / "out").values() for command in of_chapter)
    assert told["random"][0][0] == "Similar, in Python"  # the tour had it in float32
    run_all(tmp_path / "out", monkeypatch)


def test_data_that_never_vary_are_refused(tmp_path: Path) -> None:
    constant = Dataset("constant", np.zeros((30, 3), np.uint8), np.arange(30) % 3)
    with pytest.raises(ValueError, match="must have a feature that varies; all training samples of 'constant' are the same"):
        tour(constant, tmp_path / "out", plan=QUICK)
    assert list(tmp_path.iterdir()) == []


# --- in a browser


@pytest.fixture(scope="module")
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium on PATH")
    return found


#: Run in a copy of the page, which stands in a frame as wide as a screen: what a reader's browser has made of it.
LOOK = """<script>
const problems = [];
addEventListener("error", event => problems.push(event.message || event.target.tagName), true);
addEventListener("load", () => {
  const scrolled = ".table, .code, .formula, .wide .picture, svg *, math";
  const wide = [...document.querySelectorAll("header *, nav *, main *, footer *")].filter(e => {
    const box = e.getBoundingClientRect();
    return !e.closest(scrolled) && box.width && (box.right > innerWidth + 1 || box.left < -1);
  });
  const tall = (selector, height) =>
    [...document.querySelectorAll(selector)].filter(e => e.getBoundingClientRect().height > height).length;
  const note = parent.document.createElement("pre");
  note.id = "found";
  note.textContent = JSON.stringify({
    width: innerWidth, scroll: document.documentElement.scrollWidth, problems, wide: wide.slice(0, 3).map(e => e.outerHTML),
    fetched: performance.getEntriesByType("resource").map(e => e.name).filter(name => !name.startsWith("data:")),
    figures: document.querySelectorAll("figure").length, drawn: tall(".picture > svg", 50),
    images: document.querySelectorAll("svg image").length, shown: tall("svg image", 5),
    formulas: document.querySelectorAll(".formula").length, maths: tall(".formula math", 10),
  });
  parent.document.body.appendChild(note);
});
</script></head>"""


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("en", 390), ("ko", 1280), ("ko", 390)])
def test_report_in_a_browser(reports: dict[str, Path], browser: str, tmp_path: Path, language: str, width: int) -> None:
    framed = html.escape(page(reports[language]).replace("</head>", LOOK, 1))
    frame = tmp_path / "frame.html"
    around = f'<!DOCTYPE html><meta charset="utf-8"><iframe width="{width}" srcdoc="{framed}"></iframe>'
    frame.write_text(around, encoding="utf-8")
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
        "--enable-logging=stderr", "--window-size=1400,1000", "--virtual-time-budget=20000", "--dump-dom", frame.as_uri(),
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, encoding="utf-8")
    assert ended.returncode == 0, ended.stderr
    assert "CONSOLE" not in ended.stderr, ended.stderr
    note = re.search(r'<pre id="found">(.*?)</pre>', ended.stdout, re.DOTALL)
    assert note, ended.stderr
    found = json.loads(html.unescape(note[1]))
    assert found["width"] == width
    assert (found["scroll"] <= width, found["wide"]) == (True, [])
    assert found["problems"] == found["fetched"] == []
    assert found["drawn"] == found["figures"] > 25
    assert found["shown"] == found["images"] >= 5
    assert found["maths"] == found["formulas"] >= 15
