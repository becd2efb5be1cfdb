"""The format of model files: safetensors for the arrays, JSON in the header for the rest.

The tensors are ``W`` (n_classes, n_features) float32 or float64; ``b`` (n_classes,) of the same dtype, where there is an
intercept; ``mean`` and ``scale`` (n_features,) float64, where there is a standardisation. The header's metadata has one
entry, ``fastsvm``: a JSON object with the keys :data:`KEYS`. Nothing in a file is ever executed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastsvm.losses import LOSSES, Loss
from fastsvm.standardization import Standardization

if TYPE_CHECKING:
    from fastsvm.model import Model

FORMAT = "fastsvm-linear-model"
VERSION = 1
KEYS = ("format", "version", "class_names", "loss", "alpha", "penalize_intercept", "standardization", "metadata")

#: Tensors a file may hold, and their dtypes as safetensors names them.
TENSORS = {"W": ("F32", "F64"), "b": ("F32", "F64"), "mean": ("F64",), "scale": ("F64",)}


def to_bytes(model: Model) -> bytes:
    """Return the content of a file that holds ``model``."""
    from safetensors.numpy import save

    tensors = {"W": model.W, "b": model.b}
    if model.standardization is not None:
        tensors |= {"mean": model.standardization.mean, "scale": model.standardization.scale}
    # safetensors reads the buffer as it lies in memory, whatever the strides.
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items() if array is not None}
    loss = next(name for name, cls in LOSSES.items() if type(model.loss) is cls)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "class_names": None if model.class_names is None else list(model.class_names),
        "loss": {"name": loss, **asdict(model.loss)},
        "alpha": model.alpha,
        "penalize_intercept": model.penalize_intercept,
        "standardization": None if model.standardization is None else model.standardization.kind,
        "metadata": dict(model.metadata),
    }
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
    tensors, text = _read_tensors(path)
    header = _parse(text)
    kind = header["standardization"]
    expected = {"mean", "scale"} if kind is not None else set()
    if expected != {"mean", "scale"} & set(tensors):
        raise ValueError(f"its standardization is {kind!r}, which does not go with the tensors {sorted(tensors)}")
    return {
        "W": tensors["W"],
        "b": tensors.get("b"),
        "standardization": None if kind is None else Standardization(tensors["mean"], tensors["scale"], kind),
        "class_names": header["class_names"],
        "loss": _loss(header["loss"]),
        "alpha": header["alpha"],
        "penalize_intercept": header["penalize_intercept"],
        "metadata": header["metadata"],
    }


def _read_tensors(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """Tensors and the JSON text; the dtype of each tensor is looked at before NumPy is asked for it."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            text = (file.metadata() or {}).get("fastsvm")
            names = list(file.keys())
            if text is None:
                raise ValueError("its metadata has no entry 'fastsvm'")
            if "W" not in names or not set(names) <= set(TENSORS):
                raise ValueError(f"its tensors must be 'W' and maybe 'b', 'mean' and 'scale'; got {names}")
            for name in names:
                dtype = file.get_slice(name).get_dtype()
                if dtype not in TENSORS[name]:
                    raise ValueError(f"its tensor {name!r} must have dtype {' or '.join(TENSORS[name])}; got {dtype}")
            return {name: file.get_tensor(name) for name in names}, text
    except SafetensorError as error:
        raise ValueError(f"it must be a whole safetensors file; got: {error}") from error


def _parse(text: str) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except ValueError as error:
        raise ValueError(f"its metadata must be JSON; got: {error}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"its metadata must name the format {FORMAT!r}; got {text[:80]!r}")
    version = header.get("version")
    if type(version) is not int or version < 1:
        raise ValueError(f"its format version must be an integer >= 1; got {version!r}")
    if version > VERSION:
        raise ValueError(f"its format version is {version} and this fastsvm reads up to {VERSION}; a newer one may read it")
    if set(header) != set(KEYS):
        raise ValueError(f"its metadata must have the keys {', '.join(KEYS)}; got {', '.join(header)}")
    return header


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
