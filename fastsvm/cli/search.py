"""``fastsvm search``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fastsvm import __version__
from fastsvm.cli.data import DataPath, Dense, as_dtype, describe_data, load_data, storage_of
from fastsvm.cli.errors import INTERRUPTED, reported
from fastsvm.cli.options import (
    DEFAULT_LOSS,
    OPTIMIZATION,
    Alpha,
    Backend,
    Debug,
    Delta,
    Json,
    LossName,
    Quiet,
    Seed,
    Squared,
    Standardize,
    Threads,
    make_loss,
    option,
)
from fastsvm.cli.output import count, duration, new_table, print_json, print_pairs, print_table, rate
from fastsvm.cli.progress import EpochProgress
from fastsvm.cli.train import Dtype, Output, Test
from fastsvm.files import check_writable
from fastsvm.search import random_local_search, random_search
from fastsvm.standardization import choose_kind
from fastsvm.training.arguments import check_dtype, check_seed
from fastsvm.validation import check_choice, check_real

if TYPE_CHECKING:
    from fastsvm.datasets import Dataset
    from fastsvm.search import Attempt, SearchResult

METHODS: dict[str, Callable[..., SearchResult]] = {"random": random_search, "local": random_local_search}
DEFAULTS, LOCAL = ({name: p.default for name, p in inspect.signature(METHODS[m]).parameters.items()} for m in METHODS)

Method = Annotated[
    str, option("--method NAME", "random: draw weights, keep the best. local: take random steps downhill.", OPTIMIZATION)
]
Attempts = Annotated[int, option("--attempts N", "How many to make.", OPTIMIZATION)]
Scale = Annotated[
    float | None,
    option(
        "--scale X",
        "Standard deviation of the weights drawn; in a local search to start from.",
        OPTIMIZATION,
        default=f"{DEFAULTS['scale']:g}, local {LOCAL['scale']:g}",
    ),
]
Step = Annotated[
    float | None,
    option("--step X", "Standard deviation of the steps of a local search.", OPTIMIZATION, default=f"{LOCAL['step']:g}"),
]


def search(
    data: DataPath = "digits",
    method: Method = "random",
    attempts: Attempts = DEFAULTS["n_attempts"],
    scale: Scale = None,
    step: Step = None,
    test: Test = 0.2,
    standardize: Standardize = DEFAULTS["standardize"],
    dense: Dense = False,
    loss: LossName = DEFAULT_LOSS,
    delta: Delta = None,
    squared: Squared = False,
    alpha: Alpha = DEFAULTS["alpha"],
    seed: Seed = DEFAULTS["seed"],
    dtype: Dtype = None,
    backend: Backend = None,
    threads: Threads = None,
    output: Output = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Look for good weights without a gradient: by chance, or by random steps.

    Shows every attempt that was better than all before, and what the best is worth.
    Ctrl-C ends the search after the attempts in progress and keeps the best so far.

    [bold]fastsvm search cifar-10-batches-bin/[/bold]
    [bold]fastsvm search cifar-10-batches-bin/ --method local -o walk.safetensors[/bold]
    """
    with reported(debug):
        if output is not None:
            check_writable("--output", output)
        method = check_choice("method", method.strip().lower(), METHODS)
        if step is not None and method != "local":
            raise ValueError(f"--step goes with method local; got {method}")
        sizes = {name: size for name, size in (("scale", scale), ("step", step)) if size is not None}
        settings: dict[str, Any] = {
            "loss": make_loss(loss, delta, squared), "alpha": alpha, "standardize": standardize.strip().lower(),
            "dtype": dtype, "seed": seed, "backend": backend, "n_threads": threads, **sizes,
        }  # fmt: skip
        show = SearchProgress(visible=not (as_json or quiet))
        with show.reading(data):
            dataset = _load(data, test=test, seed=seed, dtype=dtype, dense=dense)
        settings["standardize"] = choose_kind(settings["standardize"], dataset.X, dense="mean")
        with show.searching(attempts) as callbacks:
            result = METHODS[method](
                dataset.X, dataset.y, n_attempts=attempts, n_classes=dataset.n_classes, callbacks=callbacks, **settings
            )
        summary = _summarize(dataset, result, settings)
        if output is not None:
            result.to_model(dataset.class_names, _metadata(summary)).save(output)
            summary["output"] = str(output)
        if as_json:
            accepted = [k for k, taken in enumerate(result.accepted.tolist(), start=1) if taken]
            print_json(summary | {"accepted": accepted, "losses": result.losses.tolist()})
        elif not quiet:
            _show(summary, result)
        if result.stop_reason == "interrupted":
            raise typer.Exit(INTERRUPTED)


class SearchProgress(EpochProgress):
    """Shows reading and searching, unless it is not ``visible``."""

    @contextmanager
    def searching(self, n_attempts: int) -> Iterator[list[Callable[[Attempt], None]]]:
        """Callbacks that move a bar on, or where there is no terminal for it print a line per better attempt."""
        if not self.live:
            yield [] if self.console.quiet else [lambda attempt: _log(attempt, n_attempts)]
            return
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (TextColumn("{task.fields[attempt]}"), BarColumn(bar_width=40), TextColumn("{task.fields[loss]}"))
        with Progress(*columns, console=self.console) as shown:
            task = shown.add_task("", total=n_attempts, attempt="", loss="")

            def callback(attempt: Attempt) -> None:
                place = f"attempt {attempt.attempt:>{len(str(n_attempts))}}/{n_attempts}"
                losses = f"loss {attempt.loss:<8.4g} best {attempt.best_loss:.4g}"
                shown.update(task, completed=attempt.attempt, attempt=place, loss=losses)

            yield [callback]
        self.console.print()


def _log(attempt: Attempt, n_attempts: int) -> None:
    if attempt.accepted:
        print(f"attempt {attempt.attempt:>{len(str(n_attempts))}}: loss {attempt.loss:.6f}, the best so far")


def _load(data: str, *, test: float, seed: int, dtype: str | None, dense: bool) -> Dataset:
    """The data with a test part, where one is wanted, in the precision asked for."""
    check_seed(seed)
    check_real("test", test, at_least=0.0, below=1.0)
    if dtype is not None:
        check_dtype(dtype)
    dataset = load_data(data, dense=dense)
    if test > 0:
        dataset = dataset.split(test, seed)
    X_test = None if dataset.X_test is None else as_dtype(dataset.X_test, dtype)
    return replace(dataset, X=as_dtype(dataset.X, dtype), X_test=X_test)


def _summarize(dataset: Dataset, result: SearchResult, settings: dict[str, Any]) -> dict[str, Any]:
    """What came out: the content of ``--json`` and of the table."""
    parts = {"train": (dataset.X, dataset.y)}
    if dataset.X_test is not None and dataset.y_test is not None:
        parts["test"] = dataset.X_test, dataset.y_test
    measured = {}
    for part, (X, y) in parts.items():
        value, accuracy = result.evaluate(X, y)
        measured[part] = {"samples": len(y), "loss": value, "accuracy": accuracy}
    return {
        "data": describe_data(dataset),
        "method": result.method,
        "attempts": result.n_attempts,
        "better": int(result.accepted.sum()),
        "scale": result.scale,
        "step": result.step,
        "loss": repr(result.loss_function),
        **{name: settings[name] for name in ("alpha", "standardize", "seed")},
        "dtype": result.W.dtype.name,
        "backend": result.backend,
        "n_threads": result.n_threads,
        "stop_reason": result.stop_reason,
        "initial_loss": result.initial_loss,
        **measured,
        "seconds": result.seconds,
        "attempts_per_second": result.n_attempts / result.seconds,
        "output": None,
    }


def _metadata(summary: dict[str, Any]) -> dict[str, str]:
    """What the model file remembers of its making."""
    accuracies = {f"{part} accuracy": f"{summary[part]['accuracy']:.4f}" for part in ("train", "test") if part in summary}
    made = {"fastsvm": __version__, "data": summary["data"]["name"], "method": f"{summary['method']} search"}
    return made | {"attempts": str(summary["attempts"]), "stopped": summary["stop_reason"]} | accuracies


def _show(summary: dict[str, Any], result: SearchResult) -> None:
    """Print the summary for people."""
    data = summary["data"]
    shape = ", ".join(f"{count(data[what])} {what}" for what in ("samples", "features", "classes"))
    sizes = ", ".join(f"{name} {summary[name]:g}" for name in ("scale", "step") if summary[name] is not None)
    start = "" if result.method == "random" else f" from a loss of {result.initial_loss:.4f}"
    stopped = " (interrupted)" if result.stop_reason == "interrupted" else ""
    threads = f"{summary['n_threads']} thread{'s' if summary['n_threads'] != 1 else ''}"
    print_pairs([
        ("data", f"{data['name']}: {shape}, {storage_of(data)}"),
        ("loss", f"{result.loss_function!r}, alpha {result.alpha:g}"),
        ("search", f"{result.method}{start}, {sizes}"),
        ("run", f"{summary['backend']} backend, {threads}, {summary['dtype']}, seed {summary['seed']}"),
        ("attempts", f"{count(result.n_attempts)}{stopped}, {count(summary['better'])} better than all before"),
        ("time", f"{duration(summary['seconds'])}, {rate(summary['attempts_per_second'])}attempts/s"),
    ])  # fmt: skip
    table = new_table()
    table.add_column("part", style="bold")
    for heading in ("samples", "loss", "accuracy"):
        table.add_column(heading, justify="right")
    for part in ("train", "test"):
        if part in summary:
            found = summary[part]
            table.add_row(part, count(found["samples"]), f"{found['loss']:.4f}", f"[bold]{found['accuracy']:.4f}[/bold]")
    print_table(table)
    print(f"\nsaved {summary['output']}" if summary["output"] is not None else "\nnot saved (-o FILE keeps the model)")
