"""``fastsvm tour``: the whole journey of the lectures as one page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fastsvm.cli.data import DataPath
from fastsvm.cli.errors import reported
from fastsvm.cli.options import DEFAULTS, OUTPUT, Backend, Debug, Json, Quiet, Seed, Threads, option
from fastsvm.cli.output import duration, new_table, print_json, print_table

if TYPE_CHECKING:
    from fastsvm.tour import Tour

Out = Annotated[
    Path, option("--out -o DIR", "Folder for report.html and summary.json: new, empty or of an earlier tour.", OUTPUT)
]
Lang = Annotated[str, option("--lang NAME", "Language of the report: en or ko.", OUTPUT)]
Force = Annotated[bool, option("--force", "Write into DIR whatever else is there; other files stay.", OUTPUT)]
Quick = Annotated[bool, typer.Option("--quick", hidden=True)]


def tour(
    out: Out,
    data: DataPath = "digits",
    lang: Lang = "en",
    force: Force = False,
    seed: Seed = DEFAULTS["seed"],
    backend: Backend = None,
    threads: Threads = None,
    quick: Quick = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Walk through the lectures on DATA and write a page for the classroom.

    From random search to backpropagation, with figures and measured numbers.
    The page needs nothing but a browser. On two cores it takes less than
    a minute on the digits, and less than four on CIFAR-10.

    [bold]fastsvm tour --out report[/bold]
    [bold]fastsvm tour cifar-10-batches-bin/ --out report --lang ko[/bold]
    """
    with reported(debug):
        from fastsvm.tour import check_installed
        from fastsvm.tour import tour as walk

        try:
            check_installed()
        except ImportError as error:  # no fault of the program, and the message says what to do
            raise ValueError(str(error)) from error
        from fastsvm.tour.context import QUICK

        with _progress(visible=not (as_json or quiet)) as progress:
            made = walk(
                data, out, lang=lang.strip().lower(), seed=seed, force=force, plan=QUICK if quick else None, progress=progress,
                backend=backend, n_threads=threads,
            )  # fmt: skip
        if as_json:
            print_json({"report": str(made.report), **made.summary})
        elif not quiet:
            _show(made)


@contextmanager
def _progress(*, visible: bool) -> Iterator[Callable[[int, int, str], Any]]:
    """A bar of chapters on standard error, on a terminal only."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not (visible and console.is_terminal):
        yield lambda place, chapters, key: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    words = TextColumn("{task.description}")
    with Progress(words, BarColumn(), TimeElapsedColumn(), console=console, transient=True) as shown:
        task = shown.add_task("reading", total=None)

        def progress(place: int, chapters: int, key: str) -> None:
            shown.update(task, description=f"chapter {place}/{chapters}: {key:<9}", total=chapters, completed=place - 1)

        yield progress


def _show(made: Tour) -> None:
    """What the strategies reached, and where the report is."""
    table = new_table()
    table.add_column("strategy", style="bold")
    for heading in ("test accuracy", "loss", "time"):
        table.add_column(heading, justify="right")
    for row in made.summary["strategies"]:
        accuracy = f"[bold]{row['accuracy']:.4f}[/bold]"
        table.add_row(row["key"], accuracy, f"{row['loss']:.4f}", duration(row["seconds"]))
    print_table(table)
    print(f"\n{duration(made.summary['seconds'])}; open {made.report}")
