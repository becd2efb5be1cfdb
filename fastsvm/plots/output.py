"""Figures as text for a web page, and as files."""

from __future__ import annotations

import hashlib
import io
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from fastsvm.files import check_writable, write_bytes
from fastsvm.plots.fonts import HANGUL, css_families, families, hangul_family, hangul_text
from fastsvm.plots.style import DPI, styled
from fastsvm.validation import check_integer

#: What `save` can write, by the end of the file's name, and what each is told so that the same figure gives the same file.
_METADATA: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}

_TAG = re.compile(r"<[a-zA-Z][^<>]*>")
_ID = re.compile(r'(\bid="|href="#|url\(#)')
_FAMILY = re.compile(r"(?<=[\"; ])font-family: ([^;\"]*)(; )?")


def to_svg(figure: Axes | Figure, *, prefix: str | None = None, alt: str | None = None, dpi: int = DPI) -> str:
    """A figure as an ``<svg>`` element, to be written into an HTML page as it is or into a file.

    The same figure gives the same text. All ids begin with a prefix, and all style rules are confined to the element, so that
    many figures can stand in one page. Words stay words: they can be searched and copied, and whoever shows the figure draws
    them, in Korean too. Large planes and scatters are images inside.

    Parameters
    ----------
    figure : matplotlib Axes or Figure
        Of Axes, the whole figure they are in.
    prefix : str, optional
        A letter, then letters, digits, ``_`` or ``-``. By default made from the content: give one where the same figure stands
        in a page twice.
    alt : str, optional
        What the figure shows, for readers who cannot see it; by default its titles and the labels of its axes.
    dpi : int >= 1, default 150
        Resolution of the images inside.

    Returns
    -------
    str, from ``<svg`` to ``</svg>``

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be.
    """
    figure = _figure(figure)
    dpi = check_integer("dpi", dpi, at_least=1)
    if prefix is not None and not (isinstance(prefix, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", prefix)):
        raise ValueError(f"prefix must be a letter, then letters, digits, _ or -; got {prefix!r}")
    text = _rendered(figure, ".svg", dpi).decode()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, count=1, flags=re.DOTALL)
    if prefix is None:
        prefix = f"figure-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
    text = _TAG.sub(lambda tag: _own_families(_ID.sub(rf"\g<1>{prefix}-", tag[0])), text)
    style = f"#{prefix} *{{stroke-linejoin: round; stroke-linecap: butt}} #{prefix} text{{font-family: {css_families()}}}"
    text = re.sub(r"(<style[^>]*>).*?(</style>)", lambda match: match[1] + style + match[2], text, count=1, flags=re.DOTALL)
    described = escape(_description(figure) if alt is None else alt, quote=True)
    return text.replace("<svg ", f'<svg id="{prefix}" role="img" aria-label="{described}" ', 1)


def save(figure: Axes | Figure, path: str | os.PathLike[str], *, dpi: int = DPI) -> None:
    """Write a figure to a ``.svg``, ``.png`` or ``.pdf`` file; what was there stays whole until the new file is.

    Parameters
    ----------
    figure : matplotlib Axes or Figure
        Of Axes, the whole figure they are in.
    path : str or path
        In an existing folder. The same figure gives the same file.
    dpi : int >= 1, default 150
        Resolution of a PNG, and of the images inside an SVG or PDF.

    Raises
    ------
    ValueError
        If the name ends in something else.
    RuntimeError
        If the figure holds Korean text and this machine no font for it, which a PNG or PDF needs; an SVG does not.
    OSError, TypeError
        If the file cannot be written (:func:`fastsvm.files.write_bytes`).
    """
    figure = _figure(figure)
    dpi = check_integer("dpi", dpi, at_least=1)
    path = check_writable("path", path)
    kind = path.suffix.lower()
    if kind not in _METADATA:
        raise ValueError(f"path must end in {', '.join(_METADATA)}; got {path.name!r}")
    if kind == ".svg":
        data = f'<?xml version="1.0" encoding="utf-8"?>\n{to_svg(figure, dpi=dpi)}\n'.encode()
    else:
        missing = hangul_text(figure)
        if missing is not None and hangul_family() is None:
            raise RuntimeError(
                f"a {kind[1:].upper()} of this figure needs a font that has Hangul, for {missing!r}, and none is installed. "
                f"Install one (of {', '.join(HANGUL[:4])}; Debian: apt install fonts-nanum), or save it as .svg"
            )
        data = _rendered(figure, kind, dpi)
    write_bytes(path, data)


def _figure(value: Any) -> Figure:
    """The figure itself, whether it or its axes are given."""
    figure = value.get_figure(root=True) if isinstance(value, Axes) else value
    if not isinstance(figure, Figure):
        got = "Axes that are in no figure" if isinstance(value, Axes) else type(value).__name__
        raise TypeError(f"figure must be matplotlib Axes or a Figure; got {got}")
    return figure


def _rendered(figure: Figure, kind: str, dpi: int) -> bytes:
    buffer = io.BytesIO()
    with styled(), _places_kept(figure), warnings.catch_warnings():
        # The browser has the glyphs that matplotlib lacks; for the other kinds that has been checked.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format=kind[1:], dpi=dpi, metadata=_METADATA[kind])
    return buffer.getvalue()


@contextmanager
def _places_kept(figure: Figure) -> Iterator[None]:
    """Put the axes back: constrained layout starts from where it left them, and would move them by a hair the next time."""
    places = [(ax, ax.get_position(original=True).frozen()) for ax in figure.axes]
    try:
        yield
    finally:
        if isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
            for ax, place in places:
                ax._set_position(place)  # type: ignore[attr-defined]  # set_position would take them out of the layout


def _own_families(tag: str) -> str:
    """A tag without the families of the style, which stand once at the top; a family of the caller's choice stays."""
    own = set(families())

    def kept(match: re.Match[str]) -> str:
        names = [name.strip().strip("'") for name in match[1].split(",")]
        return "" if set(names) <= own else match[0]

    return _FAMILY.sub(kept, tag).replace('; "', '"')


def _description(figure: Figure) -> str:
    parts = []
    for ax in figure.axes:
        if ax.get_label() == "<colorbar>":
            continue
        titles = [ax.get_title(loc=place) for place in ("left", "center", "right")]
        parts += [text for text in titles if text] or [" – ".join(filter(None, (ax.get_ylabel(), ax.get_xlabel())))]
    return "; ".join(dict.fromkeys(filter(None, parts)))
