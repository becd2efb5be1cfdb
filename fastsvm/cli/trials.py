"""A search as a table, as JSON, and the command that follows from it."""

from __future__ import annotations

import inspect
import shlex
from typing import TYPE_CHECKING, Any

from fastsvm.cli.data import describe_data
from fastsvm.cli.output import count, duration, new_table, print_pairs, print_table
from fastsvm.cli.train import train
from fastsvm.score_functions import LINEAR

if TYPE_CHECKING:
    from rich.table import Table

    from fastsvm.datasets import Dataset
    from fastsvm.tuning import Trial, Tuning

#: Trials that the table shows.
SHOWN = 20


def best_of(tuning: Tuning) -> Trial | None:
    """The best trial, if there is one."""
    ranked = tuning.ranked()
    return ranked[0] if ranked and not ranked[0].diverged else None


def command_of(data: str, best: Trial, epochs: int, given: dict[str, Any]) -> str:
    """The command that trains with the best candidate and these options of it; those at their defaults are left out."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(train).parameters.items()}
    words = ["fastsvm", "train", data, "--learning-rate", repr(best.learning_rate), "--alpha", repr(best.alpha)]
    words += ["--epochs", str(epochs)]
    for name, value in given.items():
        if value != defaults[name]:
            flag = f"--{name.replace('_', '-')}"
            words += [flag] if value is True else [flag, str(value)]
    return shlex.join(words)


def _entry(trial: Trial) -> dict[str, Any]:
    """A trial as ``--json`` has it."""
    names = ("index", "learning_rate", "alpha", "score", "deviation", "loss", "train_accuracy", "scores", "seconds", "message")
    return {name: getattr(trial, name) for name in names}


def summary_of(dataset: Dataset, tuning: Tuning, best: Trial | None, command: str | None, output: Any) -> dict[str, Any]:
    """What came out: the content of ``--json``."""
    settings = tuning.settings
    return {
        "data": describe_data(dataset),
        "method": tuning.method, "learning_rates": tuning.learning_rates, "alphas": tuning.alphas,
        "validation": tuning.validation, "n_trials": tuning.n_trials,
        "score_function": repr(settings["score_function"]), "loss": repr(settings["loss"]),
        "optimizer": type(settings["optimizer"]).__name__,
        **{name: settings[name] for name in ("batch_size", "epochs", "standardize", "dtype", "seed")},
        "stop_reason": tuning.stop_reason, "seconds": tuning.seconds, "guess": tuning.guess,
        "best": None if best is None else _entry(best),
        "command": command,
        "trials": [_entry(trial) for trial in tuning.ranked()],
        "output": None if output is None else str(output),
    }  # fmt: skip


def show_tuning(dataset: Dataset, tuning: Tuning, best: Trial | None, command: str | None) -> None:
    """Print the trials for people, the best first."""
    settings = tuning.settings
    sizes = {"samples": len(dataset.y), "features": dataset.n_features, "classes": dataset.n_classes}
    shape = ", ".join(f"{count(size)} {what}" for what, size in sizes.items())
    made, aside = len(tuning.trials), "" if dataset.X_test is None else "; the test part left alone"
    missing = "" if made == tuning.n_trials else f" of {tuning.n_trials}, {tuning.stop_reason}"
    optimizer = type(settings["optimizer"]).__name__
    scores = "" if settings["score_function"] == LINEAR else f"{settings['score_function']!r}, "
    print_pairs([
        ("data", f"{dataset.name}: {shape}{aside}"),
        ("search", f"{tuning.method}, learning rate {tuning.learning_rates}, alpha {tuning.alphas}"),
        ("judged by", tuning.validation),
        ("training", f"{scores}{settings['loss']!r}, {optimizer}, {count(settings['epochs'])} epochs"),
        ("trials", f"{made}{missing} in {duration(tuning.seconds)}"),
    ])  # fmt: skip
    print_table(_table(tuning, best))
    if made > SHOWN:
        print(f"and {made - SHOWN} more (--json shows all)")
    if best is None or not tuning.beats_guessing:
        return
    for name, end in tuning.edges().items():
        print(f"\nthe best {name.replace('_', ' ')} is at the {end} end of what is searched: there may be better beyond it")
    print(f"\n{command}")


def _table(tuning: Tuning, best: Trial | None) -> Table:
    folds = any(len(trial.scores) > 1 for trial in tuning.trials)
    columns = ("learning rate", "alpha", "accuracy", "deviation", "loss", "on training part", "time")
    shown = [name for name in columns if name != "deviation" or folds]
    table = new_table()
    for name in shown:
        table.add_column(name, justify="right")
    for trial in tuning.ranked()[:SHOWN]:
        cells = _cells(trial)
        style = "bold" if trial is best else "dim" if trial.diverged else ""
        table.add_row(*(cells.get(name, "") for name in shown), style=style)
    return table


def _cells(trial: Trial) -> dict[str, str]:
    cells = {"learning rate": f"{trial.learning_rate:g}", "alpha": f"{trial.alpha:g}", "time": duration(trial.seconds)}
    if trial.diverged:
        return cells | {"accuracy": "diverged"}
    accuracies = {"accuracy": trial.score, "deviation": trial.deviation, "on training part": trial.train_accuracy}
    return cells | {name: f"{value:.4f}" for name, value in accuracies.items()} | {"loss": f"{trial.loss:.4g}"}
