"""``fastsvm train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from fastsvm import __version__
from fastsvm.cli.data import DataPath, Dense, as_dtype, describe_data, held_out, load_data, storage_of
from fastsvm.cli.errors import INTERRUPTED, reported
from fastsvm.cli.history import check_history_path, write_history
from fastsvm.cli.options import (
    DATA,
    DEFAULT_LOSS,
    DEFAULT_NAME,
    DEFAULT_RATE,
    DEFAULT_SCHEDULE,
    DEFAULT_WARMUP,
    DEFAULTS,
    OBJECTIVE,
    OPTIMIZATION,
    OUTPUT,
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
    as_batch_size,
    listed,
    make_loss,
    make_optimizer,
    option,
)
from fastsvm.cli.output import brief, count, duration, new_table, print_json, print_pairs, print_table, rate
from fastsvm.cli.progress import EpochProgress
from fastsvm.files import check_writable
from fastsvm.network import ACTIVATIONS, TwoLayer
from fastsvm.optimizers import FULL_BATCH, OPTIMIZERS, Momentum
from fastsvm.schedules import SCHEDULES
from fastsvm.score_functions import LINEAR
from fastsvm.sparse import Rows
from fastsvm.standardization import choose_kind
from fastsvm.training import train as fit
from fastsvm.training.arguments import check_batch_size, default_epochs
from fastsvm.validation import plain_name

if TYPE_CHECKING:
    from fastsvm.datasets import Dataset
    from fastsvm.training.history import TrainResult

Test = Annotated[
    float, option("--test FRACTION", "Share held out for the test where the data has no test part; 0 for none.", DATA)
]
Validation = Annotated[
    float | None,
    option("--validation FRACTION", "Share of the training part held out: its best epoch is the result.", DATA, default="none"),
]
Patience = Annotated[
    int | None,
    option("--patience EPOCHS", "Stop after so many epochs without a better validation value.", OPTIMIZATION, default="never"),
]
Monitor = Annotated[
    str, option("--monitor NAME", "Validation value that tells the best epoch: loss or accuracy.", OPTIMIZATION)
]
Hidden = Annotated[
    int | None,
    option("--hidden N", "Units of a hidden layer: a network in place of linear scores.", OBJECTIVE, default="none"),
]
ActivationName = Annotated[
    str | None, option("--activation NAME", f"Of the hidden units: {listed(ACTIVATIONS)}.", OBJECTIVE, default="relu")
]
OptimizerName = Annotated[str, option("--optimizer NAME", f"{listed(OPTIMIZERS | FULL_BATCH)}.", OPTIMIZATION)]
LearningRate = Annotated[float | None, option("--learning-rate X", "Step size.", OPTIMIZATION, default=DEFAULT_RATE)]
Friction = Annotated[
    float | None, option("--momentum X", "Of momentum and nesterov.", OPTIMIZATION, default=f"{Momentum.momentum:g}")
]
Schedule = Annotated[str, option("--schedule NAME", f"Of the learning rate: {listed(SCHEDULES)}.", OPTIMIZATION)]
Warmup = Annotated[int, option("--warmup UPDATES", "Updates over which the learning rate rises to its value.", OPTIMIZATION)]
BatchSize = Annotated[
    str | None,
    option(
        "--batch-size N", "Samples per update, or full.", OPTIMIZATION, f"{DEFAULTS['batch_size']}, {listed(FULL_BATCH)}: full"
    ),
]
Epochs = Annotated[
    int | None,
    option(
        "--epochs N", "Passes over the data.", OPTIMIZATION, default="at least 20, on small data as many as make 3,000 updates"
    ),
]
Dtype = Annotated[
    str | None,
    option(
        "--dtype NAME",
        "Precision of weights and computation, float32 or float64.",
        default="float64 for float64 data, else float32",
    ),
]
Output = Annotated[Path | None, option("--output -o FILE", "Where to write the model (safetensors).", OUTPUT)]
HistoryFile = Annotated[Path | None, option("--history FILE", "Where to write the epochs, .csv or .json.", OUTPUT)]


def train(
    data: DataPath = "digits",
    test: Test = 0.2,
    validation: Validation = None,
    standardize: Standardize = DEFAULTS["standardize"],
    dense: Dense = False,
    loss: LossName = DEFAULT_LOSS,
    delta: Delta = None,
    squared: Squared = False,
    alpha: Alpha = DEFAULTS["alpha"],
    hidden: Hidden = None,
    activation: ActivationName = None,
    optimizer: OptimizerName = DEFAULT_NAME,
    learning_rate: LearningRate = None,
    momentum: Friction = None,
    schedule: Schedule = DEFAULT_SCHEDULE,
    warmup: Warmup = DEFAULT_WARMUP,
    batch_size: BatchSize = None,
    epochs: Epochs = DEFAULTS["epochs"],
    patience: Patience = None,
    monitor: Monitor = DEFAULTS["monitor"],
    seed: Seed = DEFAULTS["seed"],
    dtype: Dtype = None,
    backend: Backend = None,
    threads: Threads = None,
    output: Output = None,
    history: HistoryFile = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train a classifier, show how it went and test it.

    Ctrl-C ends training after the epoch in progress and keeps the best weights so far.

    [bold]fastsvm train[/bold]
    [bold]fastsvm train fashion-mnist/ --validation 0.1 --patience 3 -o f.safetensors[/bold]
    [bold]fastsvm train data.npz --loss softmax --optimizer momentum[/bold]
    [bold]fastsvm train cifar-10-batches-bin/ --hidden 512[/bold]
    """
    with reported(debug):
        if output is not None:
            check_writable("--output", output)
        if history is not None:
            check_history_path(history)
        if patience is not None and validation is None:
            raise ValueError(f"--patience needs --validation, which tells when to stop; got --patience {patience} alone")
        settings: dict[str, Any] = {
            "score_function": make_score_function(hidden, activation),
            "loss": make_loss(loss, delta, squared),
            "optimizer": make_optimizer(optimizer, learning_rate, momentum, schedule, warmup),
            "alpha": alpha, "batch_size": as_batch_size(batch_size, optimizer), "epochs": epochs, "patience": patience,
            "monitor": monitor, "standardize": standardize.strip().lower(), "dtype": dtype, "seed": seed,
            "backend": backend, "n_threads": threads,
        }  # fmt: skip
        show = EpochProgress(visible=not (as_json or quiet))
        with show.reading(data):
            dataset, validation_part = _prepare(data, test=test, validation=validation, seed=seed, dtype=dtype, dense=dense)
        if epochs is None:
            settings["epochs"] = default_epochs(len(dataset.y), check_batch_size(settings["batch_size"], len(dataset.y)))
        settings["standardize"] = choose_kind(settings["standardize"], dataset.X)
        with show.training(settings["epochs"]) as callback:
            result = fit(
                dataset.X, dataset.y, n_classes=dataset.n_classes, validation=validation_part, callbacks=[callback], **settings
            )
        summary = _summarize(dataset, validation_part, result, settings)
        if output is not None:
            result.to_model(dataset.class_names, _metadata(summary)).save(output)
            summary["output"] = str(output)
        if history is not None:
            write_history(history, result.history)
        if as_json:
            epochs_made = [record._asdict() for record in result.history]
            print_json({key: value for key, value in summary.items() if key != "parts"} | {"history": epochs_made})
        elif not quiet:
            _show(summary, result)
        if result.stop_reason == "interrupted":
            raise typer.Exit(INTERRUPTED)


def make_score_function(hidden: int | None, activation: str | None) -> TwoLayer | None:
    """The network that ``--hidden`` and ``--activation`` describe, or ``None`` for linear scores."""
    if hidden is None:
        if activation is not None:
            raise ValueError(f"--activation needs --hidden, the number of hidden units; got --activation {activation} alone")
        return None
    return TwoLayer(hidden) if activation is None else TwoLayer(hidden, plain_name(activation))


def _prepare(
    data: str, *, test: float, validation: float | None, seed: int, dtype: str | None, dense: bool
) -> tuple[Dataset, tuple[Rows, np.ndarray] | None]:
    """The data with a test part, where one is wanted, in the precision asked for, and the validation part."""
    from dataclasses import replace

    from fastsvm.training.arguments import check_dtype, check_seed
    from fastsvm.validation import check_real

    check_seed(seed)
    check_real("test", test, at_least=0.0, below=1.0)
    if dtype is not None:
        check_dtype(dtype)
    dataset = load_data(data, dense=dense)
    if test > 0:
        dataset = dataset.split(test, seed)
    X_test = None if dataset.X_test is None else as_dtype(dataset.X_test, dtype)
    return held_out(replace(dataset, X=as_dtype(dataset.X, dtype), X_test=X_test), validation, seed)


def _summarize(
    dataset: Dataset, validation: tuple[Rows, np.ndarray] | None, result: TrainResult, settings: dict[str, Any]
) -> dict[str, Any]:
    """What came out: the content of ``--json`` and of the table."""
    records = list(result.history)
    seconds = sum(record.seconds for record in records)
    parts = {"train": (dataset.X, dataset.y)}
    if validation is not None:
        parts["validation"] = validation
    if dataset.X_test is not None and dataset.y_test is not None:
        parts["test"] = dataset.X_test, dataset.y_test
    measured = {}
    for part, (X, y) in parts.items():
        value, accuracy = result.evaluate(X, y)
        measured[part] = {"samples": len(y), "loss": value, "accuracy": accuracy}
    return {
        "data": describe_data(dataset),
        "score_function": repr(result.score_function),
        "loss": repr(result.loss),
        "optimizer": repr(result.optimizer),
        **{name: settings[name] for name in ("alpha", "batch_size", "standardize", "seed")},
        "dtype": result.W.dtype.name,
        "backend": result.backend,
        "n_threads": result.n_threads,
        "epochs": len(records),
        "updates": records[-1].updates,
        "best_epoch": result.best_epoch,
        "stop_reason": result.stop_reason,
        **measured,
        "parts": list(measured),
        "seconds": seconds,
        "samples_per_second": len(dataset.y) * len(records) / seconds,
        "output": None,
    }


def _metadata(summary: dict[str, Any]) -> dict[str, str]:
    """What the model file remembers of its making."""
    accuracies = {f"{part} accuracy": f"{summary[part]['accuracy']:.4f}" for part in summary["parts"]}
    made = {"fastsvm": __version__, "data": summary["data"]["name"]}
    made |= {} if summary["score_function"] == repr(LINEAR) else {"score function": summary["score_function"]}
    return made | {"optimizer": summary["optimizer"], "stopped": summary["stop_reason"]} | accuracies


def _show(summary: dict[str, Any], result: TrainResult) -> None:
    """Print the summary for people."""
    data, epochs = summary["data"], summary["epochs"]
    shape = ", ".join(f"{count(data[what])} {what}" for what in ("samples", "features", "classes"))
    reasons = {"early stopping": "early, the validation part no longer improved", "interrupted": "interrupted"}
    reasons["no descent"] = "no step along the gradient lowers the loss"
    reason = reasons.get(summary["stop_reason"], "all epochs done")
    best = f"; weights of epoch {summary['best_epoch']}" if summary["best_epoch"] != epochs else ""
    threads = f"{summary['n_threads']} thread{'s' if summary['n_threads'] != 1 else ''}"
    scores = result.score_function
    network = [("network", f"{count(scores.hidden)} hidden units, {scores.activation}")] if isinstance(scores, TwoLayer) else []
    print_pairs([
        ("data", f"{data['name']}: {shape}, {storage_of(data)}"),
        *network,
        ("loss", f"{result.loss!r}, alpha {result.alpha:g}"),
        ("optimizer", f"{brief(result.optimizer)}, batches of {summary['batch_size']}"),
        ("run", f"{summary['backend']} backend, {threads}, {summary['dtype']}, seed {summary['seed']}"),
        ("stopped", f"{reason}; {count(epochs)} epochs, {count(summary['updates'])} updates{best}"),
        ("time", f"{duration(summary['seconds'])}, {rate(summary['samples_per_second'])}samples/s"),
    ])  # fmt: skip
    table = new_table()
    table.add_column("part", style="bold")
    for heading in ("samples", "loss", "accuracy"):
        table.add_column(heading, justify="right")
    for part in summary["parts"]:
        found = summary[part]
        table.add_row(part, count(found["samples"]), f"{found['loss']:.4f}", f"[bold]{found['accuracy']:.4f}[/bold]")
    print_table(table)
    print(f"\nsaved {summary['output']}" if summary["output"] is not None else "\nnot saved (-o FILE keeps the model)")
