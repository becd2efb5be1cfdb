"""Where a report goes: a folder of its own, whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from pathlib import Path

REPORT, SUMMARY = "report.html", "summary.json"

#: What ``summary.json`` says of its origin, by which a folder is known as a tour's.
MAKER = "fastsvm tour"


def check_folder(out: str | os.PathLike[str], force: bool) -> Path:
    """Return ``out`` as a path if a report may be put there, to find out before the work.

    Raises
    ------
    TypeError
        If it is not a path.
    FileExistsError
        If it is a folder with other things in it than a report of an earlier tour, unless ``force``.
    OSError
        If it is a file, its parent is missing, or there is no permission.
    """
    if not isinstance(out, (str, os.PathLike)):
        raise TypeError(f"out must be the path of a folder; got {type(out).__name__}")
    text = os.fspath(out)
    if not text or "\0" in text:
        raise ValueError(f"out must be the path of a folder; got {text!r}")
    folder = Path(text)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "out must be a folder; this is a file", text)
    parent = folder.resolve().parent
    if not parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "out must lie in an existing folder; there is none at", str(parent))
    place = folder if folder.exists() else parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "out must be writable; no permission for", str(place))
    if folder.exists() and not force and not _is_ours(folder):
        raise FileExistsError(
            errno.EEXIST, "out must be empty, new or the folder of an earlier tour (force, or --force, adds to it)", text
        )
    return folder


def _is_ours(folder: Path) -> bool:
    names = {child.name for child in folder.iterdir()}
    if not names:
        return True
    if not names <= {REPORT, SUMMARY}:
        return False
    try:
        made_by = json.loads((folder / SUMMARY).read_text(encoding="utf-8")).get("made_by")
    except (OSError, ValueError, AttributeError):
        return False
    return made_by == MAKER


def write_folder(folder: Path, files: dict[str, str]) -> None:
    """Write text files into a folder, new or not; until all of them are on disk none can be seen there.

    They are written into a hidden folder beside it, which is renamed, or from which they are moved over earlier ones. Whatever
    goes wrong, it is removed.
    """
    target = folder.resolve()
    beside = target.with_name(f".fastsvm-{secrets.token_hex(8)}.tmp")
    beside.mkdir()
    try:
        for name, text in files.items():
            with (beside / name).open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        if target.exists():
            for name in files:
                os.replace(beside / name, target / name)
        else:
            beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
