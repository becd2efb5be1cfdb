"""The language of the fixed labels, which follows the thread or task it was set in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from fastsvm.plots.labels import LABELS, LANGUAGES
from fastsvm.validation import check_choice

_language: ContextVar[str] = ContextVar("fastsvm.plots.language", default=LANGUAGES[0])


@contextmanager
def language(code: str) -> Iterator[None]:
    """Draw figures with their labels in a language: ``with plots.language("ko"): plots.sweep(...)``.

    Only what is drawn inside the block is affected, and only in this thread or task. Korean text in PNG and PDF files needs a
    font that has Hangul (see :func:`fastsvm.plots.save`); an SVG leaves that to whoever shows it.

    Parameters
    ----------
    code : {"en", "ko"}
        English (what is used outside any such block), Korean.
    """
    token = _language.set(check_choice("code", code, LANGUAGES))
    try:
        yield
    finally:
        _language.reset(token)


def label(key: str, **values: object) -> str:
    """The words for ``key`` in the current language, with ``values`` put into their braces."""
    return LABELS[key][LANGUAGES.index(_language.get())].format(**values)


def translated(name: str) -> str:
    """``name`` in the current language if it is one of the table's, else as it is."""
    return label(name) if name in LABELS else name
