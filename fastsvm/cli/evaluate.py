"""``fastsvm evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from fastsvm.cli.data import DataPath, Dense, Part, as_dtype, labels_for, load_data, select_part
from fastsvm.cli.errors import reported
from fastsvm.cli.options import Backend, Debug, Json, Threads
from fastsvm.cli.output import count, new_table, print_json, print_pairs, print_table
from fastsvm.model import Model, load_model

#: Rows of the tables; with more classes, those with the lowest recall are shown.
MOST_CLASSES, MOST_ERRORS = 20, 5

ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that fastsvm train -o wrote.")]


def evaluate(
    model: ModelPath,
    data: DataPath,
    part: Part = None,
    dense: Dense = False,
    backend: Backend = None,
    threads: Threads = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure a model on labelled data: loss, accuracy, recall of each class, most frequent errors.

    Classes are matched by name, or by position where one side has numbers for names.
    float64 samples are rounded to float32 for a float32 model.

    [bold]fastsvm evaluate model.safetensors digits[/bold]
    """
    with reported(debug):
        from fastsvm import backends

        loaded = load_model(model)
        dataset = load_data(str(data), loaded, dense=dense)
        name, X, y = select_part(dataset, part)
        X = as_dtype(X, loaded.W.dtype)
        where: dict[str, Any] = {"backend": backends.use(backend), "n_threads": threads}
        predicted = loaded.predict(X, **where)  # first: whether the features fit comes before whether the classes do
        y = labels_for(loaded, dataset, y)
        loss, accuracy = loaded.evaluate(X, y, **where)
        classes, errors = per_class(loaded, y, predicted)
        found = {
            "model": str(model), "data": dataset.name, "part": name, "samples": len(y), "loss": loss, "accuracy": accuracy,
            "classes": classes, "errors": errors, "backend": where["backend"],
        }  # fmt: skip
        if as_json:
            print_json(found)
        else:
            _print(found)


def per_class(model: Model, y: np.ndarray, predicted: np.ndarray) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Counts, recall and precision of each class, and the pairs (true, predicted) that differ, most frequent first."""
    k = model.n_classes
    samples, guesses = np.bincount(y, minlength=k), np.bincount(predicted, minlength=k)
    right = np.bincount(y[y == predicted], minlength=k)
    classes = [
        {
            "name": model.name(c),
            "samples": int(samples[c]),
            "recall": float(right[c] / samples[c]) if samples[c] else None,
            "precision": float(right[c] / guesses[c]) if guesses[c] else None,
        }
        for c in range(k)
    ]
    wrong = y != predicted
    pairs, counts = np.unique(y[wrong] * k + predicted[wrong], return_counts=True)
    order = np.argsort(-counts, kind="stable")[: 10 * MOST_ERRORS]
    errors = [
        {"true": model.name(pairs[e] // k), "predicted": model.name(pairs[e] % k), "samples": int(counts[e])} for e in order
    ]
    return classes, errors


def _print(found: dict[str, Any]) -> None:
    part = "all samples (there is no test part)" if found["part"] == "all" else f"{found['part']} part"
    print_pairs([
        ("data", f"{found['data']}, {part}: {count(found['samples'])} samples"),
        ("accuracy", f"{found['accuracy']:.4f}"),
        ("loss", f"{found['loss']:.4g}"),
    ])  # fmt: skip
    classes = found["classes"]
    title = "classes"
    if len(classes) > MOST_CLASSES:
        classes = sorted((c for c in classes if c["recall"] is not None), key=lambda c: c["recall"])[:MOST_CLASSES]
        title = f"the {len(classes)} of {len(found['classes'])} classes with the lowest recall"
    _print_table(title, ("class", "samples", "recall", "precision"), classes)
    if found["errors"]:
        print()
        _print_table("most frequent errors", ("true", "predicted", "samples"), found["errors"][:MOST_ERRORS])


def _print_table(title: str, headings: tuple[str, ...], entries: list[dict[str, Any]]) -> None:
    from rich.text import Text

    table = new_table(title)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("class", "true", "predicted") else "right")
    for entry in entries:
        values = (entry["name" if heading == "class" else heading] for heading in headings)
        table.add_row(*(Text(_cell(value)) for value in values))
    print_table(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else value if isinstance(value, str) else count(value)
