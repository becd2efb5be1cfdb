"""The format of model files: safetensors for the arrays, JSON in the header for the rest.

The tensors are ``W`` (n_classes, n_features) float32 or float64; ``b`` (n_classes,) of the same dtype, where there is an
intercept; ``mean`` and ``scale`` (n_features,) float64, where there is a standardisation. Those of a two-layer network are
``W1``, ``b1``, ``W2`` and ``b2`` of :mod:`fastsvm.network` in the place of ``W`` and ``b``. The header's metadata has one
entry, ``fastsvm``: a JSON object with the keys :data:`KEYS`, for a network also ``score_function``, its hyperparameters.
Nothing in a file is ever executed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastsvm.losses import LOSSES, Loss
from fastsvm.network import TwoLayer
from fastsvm.score_functions import LINEAR, Linear, ScoreFunction
from fastsvm.standardization import Standardization

if TYPE_CHECKING:
    from fastsvm.model import Model

VERSION = 1
KEYS = ("format", "version", "class_names", "loss", "alpha", "penalize_intercept", "standardization", "metadata")

#: Tensors of the standardisation. All but them are of the dtype of the weights.
STATISTICS = ("mean", "scale")


class Format(NamedTuple):
    """A kind of file: the score function, tensors that must be there, and those that may."""

    score_function: type[ScoreFunction]
    weights: tuple[str, ...]
    intercepts: tuple[str, ...]


FORMATS = {
    "fastsvm-linear-model": Format(Linear, ("W",), ("b",)),
    "fastsvm-two-layer-model": Format(TwoLayer, ("W1", "W2"), ("b1", "b2")),
}


def to_bytes(model: Model) -> bytes:
    """Return the content of a file that holds ``model``."""
    from safetensors.numpy import save

    tensors = dict(model.parameters)
    if model.standardization is not None:
        tensors |= {"mean": model.standardization.mean, "scale": model.standardization.scale}
    # safetensors reads the buffer as it lies in memory, whatever the strides.
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    loss = next(name for name, cls in LOSSES.items() if type(model.loss) is cls)
    header = {
        "format": next(name for name, kind in FORMATS.items() if type(model.score_function) is kind.score_function),
        "version": VERSION,
        "class_names": None if model.class_names is None else list(model.class_names),
        "loss": {"name": loss, **asdict(model.loss)},
        "alpha": model.alpha,
        "penalize_intercept": model.penalize_intercept,
        "standardization": None if model.standardization is None else model.standardization.kind,
        "metadata": dict(model.metadata),
    }
    if model.score_function != LINEAR:
        header["score_function"] = asdict(model.score_function)  # type: ignore[call-overload]
    return save(arrays, metadata={"fastsvm": json.dumps(header)})


def read(path: Path) -> dict[str, Any]:
    """Return the arguments of the `Model` in a file.

    Raises
    ------
    OSError
        If the file cannot be read.
    TypeError, ValueError, OverflowError, RecursionError
        If it does not follow the format. What the model itself demands is left to its constructor.
    """
    tensors, header = _read_tensors(path)
    score_function = _score_function(header)
    W, b = score_function.assemble({name: array for name, array in tensors.items() if name not in STATISTICS})
    kind = header["standardization"]
    expected = set(STATISTICS) if kind is not None else set()
    if expected != set(STATISTICS) & set(tensors):
        raise ValueError(f"its standardization is {kind!r}, which does not go with the tensors {sorted(tensors)}")
    return {
        "W": W,
        "b": b,
        "standardization": None if kind is None else Standardization(tensors["mean"], tensors["scale"], kind),
        "class_names": header["class_names"],
        "loss": _loss(header["loss"]),
        "alpha": header["alpha"],
        "penalize_intercept": header["penalize_intercept"],
        "metadata": header["metadata"],
        "score_function": score_function,
    }


def _read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and what the JSON says; the dtype of each tensor is looked at before NumPy is asked for it."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            text = (file.metadata() or {}).get("fastsvm")
            names = list(file.keys())
            if text is None:
                raise ValueError("its metadata has no entry 'fastsvm'")
            header = _parse(text)
            _, weights, intercepts = FORMATS[header["format"]]
            if not set(weights) <= set(names) <= {*weights, *intercepts, *STATISTICS}:
                must, may = (", ".join(map(repr, tensors)) for tensors in (weights, intercepts))
                raise ValueError(f"its tensors must be {must} and maybe {may}, 'mean' and 'scale'; got {names}")
            for name in names:
                dtype, fitting = file.get_slice(name).get_dtype(), ("F64",) if name in STATISTICS else ("F32", "F64")
                if dtype not in fitting:
                    raise ValueError(f"its tensor {name!r} must have dtype {' or '.join(fitting)}; got {dtype}")
            return {name: file.get_tensor(name) for name in names}, header
    except SafetensorError as error:
        raise ValueError(f"it must be a whole safetensors file; got: {error}") from error


def _parse(text: str) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except ValueError as error:
        raise ValueError(f"its metadata must be JSON; got: {error}") from error
    if not isinstance(header, dict) or not isinstance(header.get("format"), str) or header["format"] not in FORMATS:
        raise ValueError(f"its metadata must name the format {' or '.join(map(repr, FORMATS))}; got {text[:80]!r}")
    version = header.get("version")
    if type(version) is not int or version < 1:
        raise ValueError(f"its format version must be an integer >= 1; got {version!r}")
    if version > VERSION:
        raise ValueError(f"its format version is {version} and this fastsvm reads up to {VERSION}; a newer one may read it")
    keys = KEYS if FORMATS[header["format"]].score_function is Linear else (*KEYS, "score_function")
    if set(header) != set(keys):
        raise ValueError(f"its metadata must have the keys {', '.join(keys)}; got {', '.join(header)}")
    return header


def _score_function(header: dict[str, Any]) -> ScoreFunction:
    cls, given = FORMATS[header["format"]].score_function, header.get("score_function", {})
    expected = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    if not isinstance(given, dict) or set(given) != expected:
        raise ValueError(f"score_function must have the keys {sorted(expected)}; got {given!r}")
    return cls(**given)


def _loss(entry: Any) -> Loss:
    if not isinstance(entry, dict) or entry.get("name") not in LOSSES:
        raise ValueError(
            f"loss must have a 'name' out of {', '.join(map(repr, LOSSES))}; got {entry!r}. One of your own must be registered "
            "before the file is read"
        )
    cls = LOSSES[entry["name"]]
    expected = {"name", *(f.name for f in fields(cls))}
    if set(entry) != expected:
        raise ValueError(f"loss {entry['name']!r} must have the keys {sorted(expected)}; got {sorted(entry)}")
    return cls(**{key: value for key, value in entry.items() if key != "name"})
