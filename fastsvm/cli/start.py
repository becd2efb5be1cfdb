"""Where the commands that look at the loss begin: the weights of a model, or random ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np

from fastsvm.cli.data import as_dtype, drawn, labels_for, load_data
from fastsvm.cli.options import DATA, OBJECTIVE, OUTPUT, make_loss, option
from fastsvm.files import check_writable
from fastsvm.losses import Loss
from fastsvm.sparse import Rows
from fastsvm.standardization import AUTO, choose_kind
from fastsvm.validation import WEIGHT_DTYPES, check_choice, check_integer, check_real

if TYPE_CHECKING:
    from fastsvm.datasets import Dataset

SCALE, STANDARDIZE = 1e-3, "mean"
PICTURES = (".svg", ".png", ".pdf")

ModelFile = Annotated[
    Path | None, option("--model -m FILE", "Weights of a model, with its loss and alpha.", default="random weights")
]
Scale = Annotated[float | None, option("--scale X", "Random weights are drawn from 0 to this.", default=f"{SCALE:g}")]
Samples = Annotated[int | None, option("--samples N", "How many samples of the training part to draw.", DATA, default="all")]
OwnLoss = Annotated[str | None, option("--loss NAME", "As of train.", OBJECTIVE, default="weston-watkins, or the model's")]
OwnAlpha = Annotated[float | None, option("--alpha X", "Strength of the penalty.", OBJECTIVE, default="0, or the model's")]
OwnStandardize = Annotated[
    str | None, option("--standardize KIND", "As of train.", DATA, default=f"{STANDARDIZE}, none if sparse, or the model's")
]
OwnDtype = Annotated[
    str | None, option("--dtype NAME", "Precision of random weights, float32 or float64.", default="float64, or the model's")
]
Plot = Annotated[Path | None, option("--plot FILE", "Where to draw it: .svg, .png or .pdf.", OUTPUT)]


class Start(NamedTuple):
    """Arguments of the landscape's functions, and what a summary says of them."""

    W: np.ndarray
    X: Rows
    y: np.ndarray
    objective: dict[str, Any]
    summary: dict[str, Any]


def starting_point(
    data: str,
    model: Path | None,
    *,
    scale: float | None,
    samples: int | None,
    standardize: str | None,
    loss: str | None,
    delta: float | None,
    squared: bool,
    alpha: float | None,
    dtype: str | None,
    seed: int,
    dense: bool,
    backend: str | None,
    threads: int | None,
) -> Start:
    """Read the data and the model, or draw weights, as the options say."""
    from fastsvm import backends

    check_integer("seed", seed, at_least=0)
    if samples is not None:
        check_integer("samples", samples, at_least=1)
    if model is None:
        dataset = load_data(data, dense=dense)
        dtype = check_choice("dtype", "float64" if dtype is None else dtype, WEIGHT_DTYPES)
        X, y = _draw(as_dtype(dataset.X, dtype), dataset.y, samples, seed)
        W, objective = _random_weights(dataset, scale, dtype, seed, standardize)
        objective["loss"] = make_loss("weston-watkins" if loss is None else loss, delta, squared)
        objective["alpha"] = check_real("alpha", 0.0 if alpha is None else alpha, at_least=0.0)
    else:
        own = {"scale": scale, "standardize": standardize, "loss": loss, "delta": delta, "alpha": alpha, "dtype": dtype}
        for name, value in (own | {"squared": squared or None}).items():
            if value is not None:
                raise ValueError(f"--{name} does not go with --model, which has its own; got {value}")
        W, X, y, objective = _of_model(model, data, samples, seed, dense)
    chosen: Loss = objective["loss"]
    name = backends.use(backend, chosen)
    statistics = objective["standardization"]
    summary = {
        "data": data, "model": None if model is None else str(model), "samples": len(y), "loss": repr(chosen),
        "alpha": objective["alpha"], "standardize": "none" if statistics is None else statistics.kind,
        "dtype": W.dtype.name, "seed": seed, "backend": name,
    }  # fmt: skip
    return Start(W, X, y, objective | {"backend": name, "n_threads": threads}, summary)


def _draw(X: Rows, y: np.ndarray, samples: int | None, seed: int) -> tuple[Rows, np.ndarray]:
    """So many of the samples, in the order in which they stand."""
    if samples is None or samples >= len(y):
        return X, y
    rows = np.sort(np.random.default_rng(seed).permutation(len(y))[:samples])
    return drawn(X, rows), y[rows]


def _random_weights(
    dataset: Dataset, scale: float | None, dtype: str, seed: int, standardize: str | None
) -> tuple[np.ndarray, dict[str, Any]]:
    """The lecture's start, which has no intercept, and the statistics of all samples, however few are drawn."""
    from fastsvm.standardization import fit_standardization

    scale = check_real("scale", SCALE if scale is None else scale, above=0.0)
    kind = choose_kind((AUTO if standardize is None else standardize).strip().lower(), dataset.X, dense=STANDARDIZE)
    W = (scale * np.random.default_rng(seed).random((dataset.n_classes, dataset.n_features))).astype(dtype)
    return W, {"b": None, "standardization": fit_standardization(dataset.X, kind)}


def _of_model(
    path: Path, data: str, samples: int | None, seed: int, dense: bool
) -> tuple[np.ndarray, Rows, np.ndarray, dict[str, Any]]:
    from fastsvm.model import load_model

    model = load_model(path)
    if list(model.parameters) not in (["W"], ["W", "b"]):
        raise ValueError(f"--model must be linear; {path} holds {model.score_function!r}")
    dataset = load_data(data, model, dense=dense)
    X, y = _draw(as_dtype(dataset.X, model.W.dtype), labels_for(model, dataset, dataset.y), samples, seed)
    names = ("b", "standardization", "loss", "alpha", "penalize_intercept")
    return model.W, X, y, {name: getattr(model, name) for name in names}


def check_picture(path: Path | None) -> None:
    """Find out before the work whether a picture can be drawn and put there."""
    if path is None:
        return
    if path.suffix.lower() not in PICTURES:
        raise ValueError(f"--plot must end in {', '.join(PICTURES)}; got {str(path)!r}")
    check_writable("--plot", path)
    try:
        from fastsvm import plots  # noqa: F401
    except ImportError as error:
        raise ValueError(f"--plot cannot be used: {error}") from None


def describe_start(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Lines for people."""
    word = "sample" if summary["samples"] == 1 else "samples"
    weights = "random" if summary["model"] is None else summary["model"]
    return [
        ("data", f"{summary['samples']:,} {word} of {summary['data']}, standardize {summary['standardize']}"),
        ("weights", f"{weights}, {summary['dtype']}"),
        ("loss", f"{summary['loss']}, alpha {summary['alpha']:g}"),
    ]
