"""The words of the report: the same in both languages, and no number but those a run measures."""

from __future__ import annotations

import json
import re
import string
import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

import fastsvm
from fastsvm.tour import LANGUAGES
from fastsvm.tour.context import QUICK
from fastsvm.tour.journey import CHAPTERS, travel
from fastsvm.tour.story import Figure, Measured, Seconds, Share, Table, Text
from fastsvm.tour.writing import Texts, number


def flat(entries: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found = {}
    for key, entry in entries.items():
        found |= flat(entry, f"{prefix}{key}.") if isinstance(entry, dict) else {prefix + key: entry}
    return found


def texts(language: str) -> dict[str, str]:
    source = resources.files("fastsvm.tour") / "texts" / f"{language}.toml"
    return flat(tomllib.loads(source.read_text(encoding="utf-8")))


def placeholders(text: str) -> list[tuple[str, str]]:
    return sorted((name, spec or "") for _, name, spec, _ in string.Formatter().parse(text) if name is not None)


def test_languages_have_the_same_keys_and_placeholders() -> None:
    english, korean = texts("en"), texts("ko")
    assert set(english) == set(korean)
    assert {key: placeholders(text) for key, text in english.items()} == {key: placeholders(t) for key, t in korean.items()}


def test_every_chapter_has_prose() -> None:
    for language in LANGUAGES:
        told = {key.split(".")[1] for key in texts(language) if key.startswith("chapters.")}
        assert told == set(CHAPTERS)
        assert all(text.strip() for text in texts(language).values())


def test_prose_holds_no_numbers_of_its_own() -> None:
    """Accuracies and losses in the prose are the lectures', and the sentence says so."""
    for language in LANGUAGES:
        for key, text in texts(language).items():
            for sentence in re.split(r"(?<=[.다])\s", re.sub(r"<[^>]*>|\{[^}]*\}", "", text)):
                if re.search(r"\d+\.\d+", sentence):
                    near = re.search(r"[Ll]ecture|강의|CIFAR-10", text)
                    assert near, f"{language}: {key}: {sentence}"


def test_korean_has_no_particle_that_depends_on_a_number() -> None:
    """After a number 을/를, 은/는, 와/과 and 으로/로 depend on how its last digit is read. After % that is known."""
    for key, text in texts("ko").items():
        for name, particle in re.findall(r"\{(\w+)(?::[^}]*)?\}(?:</\w+>)?(을|를|은|는|과|와|으로|로)(?=[\s,.])", text):
            assert name.endswith(("accuracy", "seconds", "chance", "both", "first", "second")), f"{key}: {{{name}}}{particle}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1234, "1,234"), (30730, "30,730"), (0.5, "0.5"), (9.0, "9"), (1.23456, "1.235"), (12.3456, "12.35"),
        (25392.2, "25,392"), (-0.25, "−0.25"), (1e-4, "10<sup>−4</sup>"), (2.5e-7, "2.5×10<sup>−7</sup>"), (float("nan"), "–"),
    ],
)  # fmt: skip
def test_numbers_as_written(value: float, text: str) -> None:
    assert re.sub("</?span[^>]*>", "", str(number(value))) == text


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [
        (0.00002, "20.0 µs", "20.0마이크로초"),
        (0.0123, "12.3 ms", "12.3밀리초"),
        (7.25, "7.25 s", "7.25초"),
        (240.0, "4.00 min", "4.00분"),
    ],
)
def test_durations_as_written(seconds: float, english: str, korean: str) -> None:
    assert str(Texts("en").cell(Seconds(seconds))) == english
    assert str(Texts("ko").cell(Seconds(seconds))) == korean


def test_shares_and_what_is_missing_as_written() -> None:
    assert str(Texts("en").cell(Share(0.125))) == "12.5%"
    assert str(Texts("en").cell(None)) == "–"
    assert [str(Texts("en").cell(Measured(value))) for value in (4.46, 13.1, 1026.0)] == ["4.460", "13.10", "1,026"]
    assert str(Texts("en").cell("<b>")) == "&lt;b&gt;"


def test_a_missing_value_is_named() -> None:
    with pytest.raises(KeyError, match=re.escape("en.toml, chapters.loss.sum: nothing fills {violations}")):
        Texts("en").prose("loss", "sum", {})


def test_data_that_is_no_pictures(blobs: Path) -> None:
    """Three classes in float64, four features, no test part: every word of it in both languages."""
    journey = travel(fastsvm.datasets.load(blobs), source="blobs", language="en", plan=QUICK)
    for language in LANGUAGES:
        told = Texts(language)
        for chapter in journey.chapters:
            for block in chapter.blocks:
                if isinstance(block, (Figure, Table)):
                    assert told.prose(chapter.key, f"{block.name}.caption", chapter.values)
                elif isinstance(block, Text):
                    assert "<p>" in told.paragraphs(chapter.key, block.name, chapter.values) or block.name == "lessons"
    values = journey.chapters[0].values
    assert (values["weights"], values["samples"], values["test_samples"]) == (3 * 5, 48, 12)
    assert json.loads(json.dumps(journey.summary(), allow_nan=False))["features"] == 4


def test_journey_on_cifar(data_dir: Path) -> None:
    """On the lectures' data, what the lectures say of it; without pictures, and with few attempts and epochs."""
    place = data_dir / "cifar-10-batches-bin"
    if not place.is_dir():
        pytest.skip(f"there is no {place}")
    journey = travel(fastsvm.datasets.load(place), source="cifar", language="ko", plan=replace(QUICK, epochs=5))
    found = {chapter.key: chapter.values for chapter in journey.chapters}
    assert found["data"]["weights"] == 30_730
    assert found["steps"]["best_step"] == pytest.approx(1e-6)
    assert found["steps"]["growth"] == pytest.approx(10, rel=1e-3)
    assert found["steps"]["losses"][3] < found["steps"]["losses"][0] < found["steps"]["initial"]
    reached = {strategy.key: strategy.accuracy for strategy in journey.strategies}
    assert reached["random"] < 0.2
    assert min(reached["minibatch"], reached["rule"]) >= 0.375
    assert found["backprop"]["difference"] < 1e-5
