"""What a tour is made of: chapters of blocks, without a word of prose, which stands in the texts of each language.

A block refers to its prose by name: ``Text("intro")`` of the chapter ``random`` is ``[random] intro`` of ``texts/en.toml``,
whose placeholders are filled from the values of the chapter. So every number in a report was put there by the run that made it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


class Seconds(float):
    """A duration: written with the unit that suits it, in the words of the language."""


class Share(float):
    """A fraction from 0 to 1: written in per cent."""


class Measured(float):
    """A measured number in a table: written to four digits, trailing zeros too, so that a column lines up."""


@dataclass(frozen=True)
class Word:
    """A word that the texts of each language translate: ``[words]`` there."""

    key: str


@dataclass(frozen=True)
class Text:
    """Paragraphs of prose."""

    name: str


@dataclass(frozen=True)
class Formula:
    """A displayed formula: a macro of ``formulas.html``."""

    name: str


@dataclass(frozen=True)
class Figure:
    """A picture with its caption and a description for those who cannot see it.

    ``image`` is matplotlib's Axes or Figure, or an ``<svg>`` element; ``width`` is "narrow", "normal" or
    "wide", which may be scrolled on a phone.
    """

    name: str
    image: Any
    width: str = "normal"


@dataclass(frozen=True)
class Table:
    """Rows of cells; columns are names of ``[columns]`` in the texts.

    Cells are text, numbers, `Measured`, `Seconds`, `Share` or `Word`. Columns in ``left`` hold words, the rest numbers;
    ``marked`` is the row to be looked at.
    """

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    left: tuple[str, ...] = ()
    marked: int | None = None


@dataclass(frozen=True)
class Numbers:
    """The few numbers a chapter comes down to, shown large: name of ``[columns]`` and value."""

    entries: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Code:
    """How to do it oneself: ``language`` is "python" or "shell"; ``same`` if it finds what the chapter found, to the digit."""

    language: str
    source: str
    same: bool = False


Block = Text | Formula | Figure | Table | Numbers | Code


@dataclass(eq=False)
class Chapter:
    """One chapter: what it found (``values``), and how it is told (``blocks``).

    Attributes
    ----------
    key : str
        Name in the texts, and the anchor in the page.
    values : dict
        For the placeholders of the prose and for ``summary.json``.
    blocks : list of Block
    seconds : float
        Wall time of the chapter, figures included.
    """

    key: str
    values: dict[str, Any] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    seconds: float = 0.0

    def text(self, *names: str) -> None:
        """Go on with paragraphs."""
        self.blocks += [Text(name) for name in names]

    def formula(self, name: str) -> None:
        """Go on with a displayed formula."""
        self.blocks.append(Formula(name))

    def figure(self, name: str, image: Any, width: str = "normal") -> None:
        """Go on with a picture."""
        self.blocks.append(Figure(name, image, width))

    def table(
        self,
        name: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        left: Sequence[str] = (),
        marked: int | None = None,
    ) -> None:
        """Go on with a table."""
        self.blocks.append(Table(name, tuple(columns), [tuple(row) for row in rows], tuple(left), marked))

    def numbers(self, **entries: Any) -> None:
        """Go on with the numbers to remember."""
        self.blocks.append(Numbers(tuple(entries.items())))

    def code(self, python: str = "", shell: str = "", same: str = "") -> None:
        """End with how to do it oneself; ``same`` names the languages in which that finds the chapter's own numbers."""
        for language, source in (("python", python), ("shell", shell)):
            if source:
                self.blocks.append(Code(language, source.strip("\n"), language in same.split()))


@dataclass(frozen=True)
class Strategy:
    """One row of the closing table: how well a strategy did, and in what time."""

    key: str
    accuracy: float
    loss: float
    seconds: float
    lecture: float | None = None


@dataclass(eq=False)
class Journey:
    """All chapters of a tour, in order, and the strategies they compared."""

    facts: dict[str, Any]
    chapters: list[Chapter] = field(default_factory=list)
    strategies: list[Strategy] = field(default_factory=list)
    seconds: float = 0.0

    def summary(self) -> dict[str, Any]:
        """Every number of the tour, ready for JSON."""
        return {
            **plain(self.facts),
            "seconds": self.seconds,
            "strategies": [plain(vars(strategy)) for strategy in self.strategies],
            "chapters": {chapter.key: {"seconds": chapter.seconds, **plain(chapter.values)} for chapter in self.chapters},
        }


def plain(value: Any) -> Any:
    """``value`` in the types JSON knows: arrays as lists, and ``None`` where a number is not finite."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(entry) for entry in value]
    if isinstance(value, Word):
        return value.key
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return None if value is None else str(value)
