"""The epochs of a training as a file."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from fastsvm.files import check_writable, write_bytes
from fastsvm.training.history import EpochRecord, History


def check_history_path(path: Path) -> None:
    """Raise unless the epochs can be written there, in a format its name tells."""
    if path.suffix.lower() not in (".csv", ".json"):
        raise ValueError(f"--history must end in .csv or .json; got {str(path)!r}")
    check_writable("--history", path)


def write_history(path: Path, history: History) -> None:
    """Write one row or object per epoch."""
    if path.suffix.lower() == ".json":
        text = json.dumps([record._asdict() for record in history], indent=1) + "\n"
    else:
        buffer = io.StringIO()
        rows = csv.writer(buffer, lineterminator="\n")
        rows.writerow(EpochRecord._fields)
        rows.writerows(history)  # None, where there is no validation set, becomes an empty field
        text = buffer.getvalue()
    write_bytes(path, text.encode())
