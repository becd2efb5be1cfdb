"""``fastsvm predict``."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Annotated, Any, TextIO

import numpy as np

from fastsvm.cli.data import DataPath, Dense, Part, as_dtype, load_samples
from fastsvm.cli.errors import reported
from fastsvm.cli.evaluate import ModelPath
from fastsvm.cli.options import OUTPUT, Backend, Debug, Json, Threads, option
from fastsvm.cli.output import print_json
from fastsvm.files import check_writable, write_bytes
from fastsvm.model import Model, load_model
from fastsvm.validation import check_integer

Output = Annotated[
    Path | None,
    option(
        "--output -o FILE", "A .npy array, or a .csv with a header.", OUTPUT, default="one line per sample on standard output"
    ),
]
Indices = Annotated[bool, option("--indices", "Indices of classes instead of their names; .npy holds these anyway.", OUTPUT)]
Scores = Annotated[bool, option("--scores", "The scores of all classes instead of the class.", OUTPUT)]
TopK = Annotated[int | None, option("--top-k K", "The K classes with the largest scores, best first.", OUTPUT, default="1")]


def predict(
    model: ModelPath,
    data: DataPath,
    part: Part = None,
    dense: Dense = False,
    output: Output = None,
    indices: Indices = False,
    scores: Scores = False,
    top_k: TopK = None,
    backend: Backend = None,
    threads: Threads = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Predict the class of each sample.

    DATA may also be an .npy array (samples, features) without labels, or an .npz of scipy.sparse.
    float64 samples are rounded to float32 for a float32 model.

    [bold]fastsvm predict model.safetensors new.npy[/bold]
    [bold]fastsvm predict model.safetensors new.npy --scores -o scores.csv[/bold]
    [bold]fastsvm predict model.safetensors new.npy --top-k 5[/bold]
    """
    with reported(debug):
        if output is not None:
            if output.suffix.lower() not in (".npy", ".csv"):
                raise ValueError(f"--output must end in .npy or .csv; got {str(output)!r}")
            check_writable("--output", output)
        if indices and scores:
            raise ValueError("--indices and --scores must not be given together; the header of a .csv has the names")
        if top_k is not None and scores:
            raise ValueError("--top-k and --scores must not be given together; the scores are those of all classes")
        loaded = load_model(model)
        if top_k is not None:
            check_integer("--top-k", top_k, at_least=1, at_most=loaded.n_classes)
        X = as_dtype(load_samples(data, part, loaded, dense=dense), loaded.W.dtype)
        where: dict[str, Any] = {"backend": backend, "n_threads": threads}
        if top_k is not None:
            values = loaded.top_k(X, top_k, **where)[0]
        else:
            values = (loaded.scores if scores else loaded.predict)(X, **where)
        is_array = output is not None and output.suffix.lower() == ".npy"
        if not (indices or scores or is_array) and loaded.class_names is not None:
            values = np.array(loaded.class_names)[values]
        if output is not None:
            write_bytes(output, _npy(values) if is_array else _csv(values, _header(loaded, scores, top_k)))
        if as_json:
            found: dict[str, Any] = {"model": str(model), "data": data, "samples": len(values)}
            key = "scores" if scores else "predictions"
            print_json(found | {"output": str(output)} if output is not None else found | {key: values.tolist()})
        elif output is None:
            _write_rows(sys.stdout, values)


def _header(model: Model, scores: bool, top_k: int | None) -> list[str]:
    if scores:
        return [model.name(k) for k in range(model.n_classes)]
    return ["class"] if top_k is None else [f"class {place}" for place in range(1, top_k + 1)]


def _npy(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _csv(values: np.ndarray, header: list[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(header)
    _write_rows(buffer, values)
    return buffer.getvalue().encode()


def _write_rows(file: TextIO, values: np.ndarray) -> None:
    rows = values.tolist() if values.ndim == 2 else ([value] for value in values.tolist())
    csv.writer(file, lineterminator="\n").writerows(rows)
