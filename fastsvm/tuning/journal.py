"""The file of a search, from which it goes on: JSON lines, the search first, then its trials as they end.

The first line is ``{"format": "fastsvm-tuning", "version": 1, "search": {...}}``; ``search`` names all that the trials depend
on, the data by a digest, but not how many trials there are to be. Each further line is a `Trial` as an object. Lines are
appended and flushed to disk one by one. A crash can only break the last one, which is dropped when the search goes on.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from fastsvm.exceptions import DataFormatError
from fastsvm.files import check_writable, is_ordinary, write_bytes
from fastsvm.sparse import CSR, is_sparse
from fastsvm.storage import storage_name
from fastsvm.tuning.candidates import Candidate
from fastsvm.tuning.results import Trial
from fastsvm.validation import check_real

FORMAT = "fastsvm-tuning"
VERSION = 1

#: How much of a value a message shows.
SHOWN = 60


def digest(array: np.ndarray | CSR | None) -> str | None:
    """Shape, type and a hash of the content of an array."""
    if array is None:
        return None
    content, form = hashlib.blake2b(digest_size=16), ""
    parts: list[np.ndarray] = [array]
    if is_sparse(array):
        parts, form = [array.indptr, array.indices, array.data], f" CSR {array.indices.dtype}"
    for part in parts:
        content.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    return f"{' x '.join(map(str, array.shape))} {storage_name(array)}{form} {content.hexdigest()}"


class Journal:
    """The file of a search: what it holds already, and a place for what comes.

    Parameters
    ----------
    path : str or path
        A file of this search, an empty one, or none yet.
    search : mapping
        Strings, numbers, booleans and ``None`` that say what the trials depend on.
    candidates : sequence of Candidate
        The search, in order.

    Raises
    ------
    TypeError, OSError
        If there can be no file at ``path``.
    ValueError
        If the file is of another search; `DataFormatError`, a ``ValueError``, if it is of none, or broken.
    """

    def __init__(self, path: str | os.PathLike[str], search: Mapping[str, Any], candidates: Sequence[Candidate]) -> None:
        self._path = check_writable("path", path)
        if not is_ordinary(self._path):
            raise ValueError(f"path must be an ordinary file, to go on from; got {os.fspath(path)!r}")
        self._header = {"format": FORMAT, "version": VERSION, "search": dict(search)}
        #: Trials of this search that the file holds, by index.
        self.trials: dict[int, Trial] = {}
        self._exists = self._path.exists() and self._path.stat().st_size > 0
        if self._exists:
            self._read(candidates)

    def append(self, trial: Trial) -> None:
        """Put a trial into the file; when this returns it is on the disk.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        if not self._exists:
            write_bytes(self._path, _line(self._header))
            self._exists = True
        try:
            with self._path.open("ab") as file:
                file.write(_line(asdict(trial)))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), str(self._path)) from error

    def _read(self, candidates: Sequence[Candidate]) -> None:
        """Take in the file; a last line that a crash has cut off is removed from it."""
        content = self._path.read_bytes()
        lines = content.splitlines(keepends=True)
        self._check_header(lines[0])
        cut = not content.endswith(b"\n")
        for number, line in enumerate(lines[1 : len(lines) - cut], start=2):
            try:
                trial = _as_trial(line)
            except (TypeError, ValueError, RecursionError) as error:
                raise DataFormatError(f"line {number} of {self._path} is not a trial: {error}") from error
            if trial.index >= len(candidates):  # of a longer search, whose beginning this is
                continue
            expected = candidates[trial.index]
            if (trial.learning_rate, trial.alpha) != expected:
                raise DataFormatError(
                    f"line {number} of {self._path} must be of learning rate {expected.learning_rate!r} and alpha "
                    f"{expected.alpha!r}, trial {trial.index} of this search; got {trial.learning_rate!r} and {trial.alpha!r}"
                )
            self.trials.setdefault(trial.index, trial)
        if cut:
            os.truncate(self._path, len(content) - len(lines[-1]))

    def _check_header(self, line: bytes) -> None:
        try:
            header = json.loads(line)
        except (ValueError, RecursionError):
            header = None
        if not isinstance(header, dict) or header.get("format") != FORMAT or not line.endswith(b"\n"):
            raise DataFormatError(f"path must be a new file or one of this search; {self._path} is not of a search")
        if header.get("version") != VERSION:
            raise DataFormatError(
                f"{self._path} must have format version {VERSION} to go on from; got {header.get('version')!r}"
            )
        theirs, ours = header.get("search"), json.loads(_line(self._header))["search"]
        if not isinstance(theirs, dict):
            raise DataFormatError(f"the first line of {self._path} must hold a search; got {_shown(theirs)}")
        for name in [*ours, *theirs]:
            if theirs.get(name) != ours.get(name):
                raise ValueError(
                    f"path must be a new file or one of this search; {self._path} is of a search with "
                    f"{name} {_shown(theirs.get(name))}, not {_shown(ours.get(name))}"
                )


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether something stands in a file already."""
    try:
        return Path(path).stat().st_size > 0
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return False
        raise


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, allow_nan=False).encode() + b"\n"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _as_trial(line: bytes) -> Trial:
    """The trial in a line."""
    entry = json.loads(line)
    names = [f.name for f in fields(Trial)]
    if not isinstance(entry, dict) or sorted(entry) != sorted(names):
        raise ValueError(f"it must be an object with the keys {', '.join(names)}")
    if type(entry["index"]) is not int or entry["index"] < 0 or not isinstance(entry["message"], str):
        raise ValueError("its index must be an integer >= 0 and its message a string")
    columns = ("scores", "losses", "train_accuracies")
    for name in columns:
        if not isinstance(entry[name], list):
            raise ValueError(f"its {name} must be a list; got {_shown(entry[name])}")
        entry[name] = tuple(check_real(f"{name}[{k}]", number) for k, number in enumerate(entry[name]))
    for name in ("learning_rate", "alpha", "seconds"):
        entry[name] = check_real(name, entry[name])
    lengths = {len(entry[name]) for name in columns}
    if len(lengths) > 1 or (lengths == {0} and not entry["message"]):
        raise ValueError(f"its {', '.join(columns)} must have an entry for each split")
    return Trial(**entry)
