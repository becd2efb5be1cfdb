"""What commands print: tables for people, one JSON object for machines."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

#: Width of tables in a pipe or file, where breaking a long path would serve nobody.
PIPE_WIDTH = 200


def print_json(value: dict[str, Any]) -> None:
    """Print ``value`` as one line of JSON; numbers that JSON has no word for become null."""
    print(json.dumps(_plain(value), allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns, as a paragraph of its own."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(name), Text(value))  # Text: nothing in a file name is markup
    print_table(table)
    print()


def new_table(title: str | None = None) -> Table:
    """An empty table in the style of all tables here."""
    from rich import box
    from rich.table import Table

    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)


def print_table(table: Table) -> None:
    """Print a table on standard output, in colour where that is a terminal that wants it."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    console.print(table)


def count(number: float) -> str:
    """A count with thousands separators."""
    return f"{number:,.0f}"


def rate(number: float) -> str:
    """A number with a decimal unit, to three digits."""
    unit, size = next(((unit, size) for unit, size in (("G ", 1e9), ("M ", 1e6), ("k ", 1e3)) if number >= size), ("", 1.0))
    return f"{three_digits(number / size)} {unit}"


def three_digits(number: float) -> str:
    """A number from 0 to 1000 to three digits, trailing zeros kept, so that columns do not jump."""
    return f"{number:.{0 if number >= 99.95 else 1 if number >= 9.995 else 2}f}"


def duration(seconds: float) -> str:
    """A time span, to three digits."""
    return f"{three_digits(seconds * 1e3)} ms" if seconds < 1 else f"{three_digits(seconds)} s"


def brief(value: Any) -> str:
    """A dataclass as one would type it: only what differs from the defaults."""
    if not is_dataclass(value):
        return f"{value:g}" if isinstance(value, float) else repr(value)
    entries = [(f.name, getattr(value, f.name)) for f in fields(value) if getattr(value, f.name) != f.default]
    return f"{type(value).__name__}({', '.join(f'{name}={brief(entry)}' for name, entry in entries)})"
