"""Prose with its numbers: the texts of a language, and how values are written into them."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from fastsvm.tour import LANGUAGES
from fastsvm.tour.story import Measured, Seconds, Share, Word
from fastsvm.validation import check_choice

#: After a closing bracket a line must not break before a Korean particle.
BEFORE_PARTICLE = re.compile(r"\)((?:</\w+>)*)(?=[가-힣])")

#: Numbers outside this range are written with a power of ten.
PLAIN_RANGE = (1e-3, 1e6)


class Texts:
    """All prose of one language, read from ``texts/<language>.toml``.

    Prose is trusted HTML that comes with the package; values that fill its placeholders are escaped.
    """

    def __init__(self, language: str) -> None:
        self.language = check_choice("lang", language, LANGUAGES)
        source = resources.files("fastsvm.tour") / "texts" / f"{language}.toml"
        self.entries: dict[str, Any] = tomllib.loads(source.read_text(encoding="utf-8"))

    def word(self, key: str) -> Markup:
        """A word of a table: its translation, or itself where it needs none, such as the name of a class."""
        return Markup(self.entries["words"][key]) if key in self.entries["words"] else escape(key)

    def column(self, key: str) -> Markup:
        """The heading of a column."""
        return Markup(self.entries["columns"][key])

    def page(self, key: str, values: Mapping[str, Any] | None = None) -> Markup:
        """A phrase of the page around the chapters."""
        return self._fill(f"page.{key}", self.entries["page"][key], values or {})

    def prose(self, chapter: str, name: str, values: Mapping[str, Any]) -> Markup:
        """A piece of a chapter with its placeholders filled; ``name`` may be dotted, as ``losses.caption``."""
        entry: Any = self.entries["chapters"][chapter]
        for part in name.split("."):
            entry = entry[part]
        return self._fill(f"chapters.{chapter}.{name}", entry, values)

    def paragraphs(self, chapter: str, name: str, values: Mapping[str, Any]) -> Markup:
        """A text block as HTML: paragraphs are set apart by empty lines; what begins with a tag of its own keeps it."""
        pieces = self.prose(chapter, name, values).strip().split("\n\n")
        return Markup("\n").join(
            Markup(piece) if piece.startswith(("<ul", "<ol", "<pre", "<div")) else Markup("<p>{}</p>").format(Markup(piece))
            for piece in pieces
        )

    def cell(self, value: Any) -> Markup:
        """A value as it stands in a table or in a placeholder without a format of its own."""
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, Word):
            return self.word(value.key)
        if isinstance(value, Seconds):
            return self.duration(value)
        if isinstance(value, Share):
            return Markup(f"{value * 100:.1f}%") if math.isfinite(value) else Markup("–")
        if value is None:
            return Markup("–")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return escape(value)
        return number(value, keep_zeros=isinstance(value, Measured))

    def duration(self, seconds: float) -> Markup:
        """A time span to three digits, with the unit that suits it."""
        for name, size in (("minutes", 60.0), ("seconds", 1.0), ("milliseconds", 1e-3), ("microseconds", 1e-6)):
            limit = 120.0 if name == "minutes" else size
            if seconds >= limit or name == "microseconds":
                amount = seconds / size
                digits = 0 if amount >= 99.95 else 1 if amount >= 9.995 else 2
                return Markup(self.entries["units"][name]).format(f"{amount:.{digits}f}")
        raise AssertionError(seconds)

    def _fill(self, place: str, text: str, values: Mapping[str, Any]) -> Markup:
        written = {key: _Value(value, self) for key, value in values.items()}
        try:
            return Markup(BEFORE_PARTICLE.sub(r")\1&#8288;", text)).format(**written)
        except KeyError as error:
            raise KeyError(f"{self.language}.toml, {place}: nothing fills {{{error.args[0]}}}") from error


class _Value:
    """A value in prose: written as in a table unless the placeholder has a format."""

    def __init__(self, value: Any, texts: Texts) -> None:
        self.value, self.texts = value, texts

    def __html_format__(self, spec: str) -> Markup:
        return escape(format(self.value, spec).replace("-", "−")) if spec else self.texts.cell(self.value)


def number(value: float, keep_zeros: bool = False) -> Markup:
    """A number to four digits: integers with thousands separators, what is very large or small with a power of ten."""
    if isinstance(value, int):
        return Markup(f"{value:,}") if abs(value) < 1e15 else number(float(value))
    if math.isnan(value):
        return Markup("–")
    if math.isinf(value):
        return Markup("∞" if value > 0 else "−∞")
    size = abs(value)
    if size and not PLAIN_RANGE[0] <= size < PLAIN_RANGE[1]:
        digits, power = f"{value:.2e}".split("e")
        digits = digits.rstrip("0").rstrip(".")
        factor = "" if digits == "1" else f"{digits}×"
        return Markup(f'<span class="number">{factor}10<sup>{int(power)}</sup></span>'.replace("-", "−"))
    text = f"{value:,.0f}" if size >= 1e4 else f"{value:,.{max(0, 3 - _magnitude(size))}f}"
    if "." in text and not keep_zeros:
        text = text.rstrip("0").rstrip(".")
    return Markup(text.replace("-", "−"))


def _magnitude(size: float) -> int:
    return math.floor(math.log10(size)) if size else 0
