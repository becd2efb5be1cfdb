"""What one sees while a training runs: one line on standard error, and only on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastsvm.cli.output import rate
from fastsvm.training.history import EpochRecord

#: Columns of the line: name, width of the terminal from which on there is room for it.
COLUMNS = {"bar": 0, "epoch": 0, "loss": 0, "accuracy": 50, "validation": 72, "rate": 90, "speed": 108}


class EpochProgress:
    """Shows reading and training, unless it is not ``visible``."""

    def __init__(self, *, visible: bool) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False, quiet=not visible)
        self.live = visible and self.console.is_terminal

    @contextmanager
    def reading(self, source: str) -> Iterator[None]:
        """A spinner while the data is read."""
        if not self.live:
            yield
            return
        from rich.markup import escape

        with self.console.status(f"reading {escape(source)}"):
            yield

    @contextmanager
    def training(self, epochs: int) -> Iterator[Callable[[EpochRecord, Any], None]]:
        """A bar of so many epochs, which the callback yielded moves on."""
        if not self.live:
            yield lambda record, result: None
            return
        from rich.progress import BarColumn, Progress, TextColumn

        texts = [name for name, width in COLUMNS.items() if name != "bar" and self.console.width >= width]
        columns = [TextColumn(f"{{task.fields[{name}]}}") for name in texts]
        bar = BarColumn(bar_width=None if self.console.width < 120 else 40)
        with Progress(columns[0], bar, *columns[1:], console=self.console, expand=self.console.width < 120) as shown:
            blank: dict[str, Any] = dict.fromkeys(texts, "")
            task = shown.add_task("", total=epochs, **blank)

            def callback(record: EpochRecord, result: Any) -> None:
                entries = _entries(record, epochs)
                fields: dict[str, Any] = {name: entries[name] for name in texts}
                shown.update(task, completed=record.epoch, **fields)

            yield callback
        self.console.print()


def _entries(record: EpochRecord, epochs: int) -> dict[str, str]:
    validation = "" if record.val_accuracy is None else f"validation {record.val_accuracy:.3f}"
    return {
        "epoch": f"epoch {record.epoch:>{len(str(epochs))}}/{epochs}",
        "loss": f"loss {record.loss:<8.4g}",
        "accuracy": f"accuracy {record.accuracy:.3f}",
        "validation": validation,
        "rate": f"rate {record.learning_rate:.1e}",
        "speed": f"{rate(record.samples_per_second):>7}samples/s",
    }
