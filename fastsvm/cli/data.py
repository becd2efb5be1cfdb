"""Data as the commands take it: a path, or the name of the data set that is built in."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from fastsvm.cli.options import DATA, option
from fastsvm.sparse import Rows, is_sparse
from fastsvm.storage import storage_name

if TYPE_CHECKING:
    from fastsvm.datasets import Dataset
    from fastsvm.model import Model

DataPath = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A folder or file: CIFAR-10, IDX (the MNIST family), svmlight, .npz or .npy; or digits, which is built in.",
    ),
]
Part = Annotated[str | None, option("--part NAME", "train or test.", DATA, default="test where there is one, else all")]


Dense = Annotated[bool, option("--dense", "Make samples of a sparse file dense, which can then be centred.", DATA)]


def load_data(source: str, model: Model | None = None, *, dense: bool = False) -> Dataset:
    """The data set at a path, or the built-in one. A model tells how many features there are where a file cannot."""
    from fastsvm import datasets

    return datasets.load(source, dense=dense, n_features=None if model is None else model.n_features)


def drawn(X: Rows, rows: np.ndarray | slice) -> Rows:
    """Some of the samples, in a form that the library takes."""
    return X[rows] if is_sparse(X) else np.ascontiguousarray(X[rows])


def as_dtype(X: Rows, dtype: str | np.dtype | None) -> Rows:
    """float64 samples as float32 where the computation is in float32, by option or by the model; the rest as it is."""
    if X.dtype != np.float64 or dtype is None or np.dtype(dtype) != np.float32:
        return X
    with np.errstate(over="ignore"):  # what overflows is reported as not finite, with its place
        return X.astype(np.float32)


def held_out(dataset: Dataset, fraction: float | None, seed: int) -> tuple[Dataset, tuple[Rows, np.ndarray] | None]:
    """Take a validation part out of the training part; the test part stays."""
    if fraction is None:
        return dataset, None
    from fastsvm.validation import check_real, check_splittable

    check_real("validation", fraction, above=0.0, below=1.0)
    check_splittable("validation", fraction, dataset.y)
    parts = replace(dataset, X_test=None, y_test=None).split(fraction, seed)
    assert parts.X_test is not None
    assert parts.y_test is not None
    return replace(dataset, X=parts.X, y=parts.y), (parts.X_test, parts.y_test)


def select_part(dataset: Dataset, part: str | None) -> tuple[str, Rows, np.ndarray]:
    """Name, samples and labels of the part asked for."""
    from fastsvm.validation import check_choice

    if part is not None:
        check_choice("part", part, ("train", "test"))
    if dataset.X_test is None or dataset.y_test is None:
        if part == "test":
            raise ValueError(f"part must be 'train' for {dataset.name}, which has no test part; got 'test'")
        return "all", dataset.X, dataset.y
    if part == "train":
        return "train", dataset.X, dataset.y
    return "test", dataset.X_test, dataset.y_test


def load_samples(source: str, part: str | None, model: Model, *, dense: bool = False) -> Rows:
    """Samples to predict: a bare .npy array or CSR .npz, or a part of a data set whose labels are left aside."""
    from fastsvm.datasets.tables import holds_csr, load_csr

    path = Path(source)
    is_csr = path.suffix == ".npz" and holds_csr(path)
    if path.suffix != ".npy" and not is_csr:
        return select_part(load_data(source, model, dense=dense), part)[1]
    from fastsvm.exceptions import DataFormatError

    if part is not None:
        raise ValueError(f"part must be left out for an array of samples, which has no parts; got {part!r}")
    if is_csr:
        return load_csr(path)
    with path.open("rb"):  # a missing file is not a malformed one
        pass
    try:
        X = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataFormatError(f"{path} is not a sound .npy file: {error}") from error
    return X if X.flags.c_contiguous else np.ascontiguousarray(X)


def labels_for(model: Model, dataset: Dataset, y: np.ndarray) -> np.ndarray:
    """Labels of a data set as class indices of the model: classes are matched by name.

    A data set lists the classes that occur in it, so that one without a single 3 among its digits counts differently from
    the model. Names that are mere indices say nothing and match by position, which a line on standard error tells.
    """
    theirs, ours = dataset.class_names, model.class_names
    numbers = tuple(str(k) for k in range(max(len(theirs), model.n_classes)))
    if ours is None or theirs == ours[: len(theirs)]:
        return y
    nameless = theirs == numbers[: len(theirs)] or ours == numbers[: len(ours)]
    if nameless and len(theirs) == len(ours):
        print(f"note: classes match by position: {theirs[0]!r} of the data is {ours[0]!r} of the model", file=sys.stderr)
        return y
    place = {name: k for k, name in enumerate(ours)}
    unknown = [name for name in theirs if name not in place]
    if unknown:
        shown = ", ".join(map(repr, ours[:10])) + (", ..." if len(ours) > 10 else "")
        raise ValueError(f"{dataset.name} must hold classes that the model knows ({shown}); got {unknown[0]!r}")
    return np.array([place[name] for name in theirs], dtype=np.int64)[y]


def describe_data(dataset: Dataset) -> dict[str, Any]:
    """What a summary says about a data set."""
    return {
        "name": dataset.name,
        "samples": len(dataset.y),
        "features": dataset.n_features,
        "classes": dataset.n_classes,
        "dtype": storage_name(dataset.X),
        "test_samples": 0 if dataset.y_test is None else len(dataset.y_test),
        **({"non_zeros": dataset.X.nnz} if is_sparse(dataset.X) else {}),
    }


def storage_of(data: dict[str, Any]) -> str:
    """How the samples are stored, for people; ``data`` is what `describe_data` tells."""
    return f"{data['dtype']}, {data['non_zeros']:,} non-zeros" if "non_zeros" in data else data["dtype"]
