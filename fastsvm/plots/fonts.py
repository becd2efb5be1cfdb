"""Fonts that have Hangul."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

#: Families with Hangul, the usual ones of each system; what is found first is used.
HANGUL = (
    "Noto Sans KR",
    "Noto Sans CJK KR",
    "NanumGothic",
    "NanumBarunGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "AppleGothic",
    "UnDotum",
    "Baekmuk Dotum",
    "Noto Sans CJK JP",  # The faces of that collection differ in Chinese characters only.
)
_FILES = (
    "notosanskr",
    "notosanscjk",
    "nanumgothic",
    "nanumbarun",
    "malgun",
    "applesdgothic",
    "applegothic",
    "undotum",
    "dotum",
)

#: What matplotlib always has.
LATIN = "DejaVu Sans"


@cache
def hangul_family() -> str | None:
    """A family with Hangul that matplotlib can draw with, or ``None``.

    matplotlib keeps a list of fonts from when it first ran. A font installed since is added to the list in memory.
    """
    found = _known()
    if found is None:
        for path in font_manager.findSystemFonts():
            if Path(path).name.lower().startswith(_FILES):
                font_manager.fontManager.addfont(path)
        found = _known()
    return found


def _known() -> str | None:
    names = {entry.name for entry in font_manager.fontManager.ttflist}
    return next((family for family in HANGUL if family in names), None)


def families() -> list[str]:
    """Families to draw with; the first that has a character draws it.

    Latin comes first in Korean too: what Korean fonts lack (minus, indices, degrees) mathematics takes from the first only.
    """
    korean = hangul_family()
    return [LATIN] if korean is None else [LATIN, korean]


def css_families() -> str:
    """The same for a browser, which may have other fonts than this machine."""
    drawn = families()
    names = [*drawn, "Verdana", *(family for family in HANGUL if family not in drawn)]
    return ", ".join([*(f"'{name}'" for name in names), "sans-serif"])


def hangul_text(figure: Figure) -> str | None:
    """The first text of a figure that has Hangul, or ``None``."""
    texts = (artist.get_text() for artist in figure.findobj(Text) if artist.get_visible())
    return next((text for text in texts if any("\uac00" <= character <= "\ud7a3" for character in text)), None)
