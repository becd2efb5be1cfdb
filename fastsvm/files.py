"""Writing files so that a crash, a full disk or a power cut leaves either the old file or the new one, whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path


def check_writable(name: str, path: str | os.PathLike[str]) -> Path:
    """Return ``path`` if a file can be put there, to find out before the work that fills it.

    Parameters
    ----------
    name : str
        The argument the path came from, for messages.

    Raises
    ------
    TypeError
        If ``path`` is not a path.
    ValueError
        If it is empty or holds a null character.
    OSError
        ``IsADirectoryError``, ``FileNotFoundError`` or ``NotADirectoryError`` (the folder), ``PermissionError``.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{name} must be the path of a file; got {type(path).__name__}")
    text = os.fspath(path)
    if not text or "\0" in text:
        raise ValueError(f"{name} must be the path of a file; got {text!r}")
    path = Path(text)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, f"{name} must be a file; this is a folder", text)
    folder = path.resolve().parent
    if not folder.exists():
        raise FileNotFoundError(errno.ENOENT, f"{name} must lie in an existing folder; there is none at", str(folder))
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{name} must lie in a folder; this is a file", str(folder))
    place = path if path.exists() else folder
    if not os.access(place, os.W_OK) or (is_ordinary(path) and not os.access(folder, os.W_OK | os.X_OK)):
        raise PermissionError(errno.EACCES, f"{name} must be writable; no permission for", str(place))
    return path


def is_ordinary(path: Path) -> bool:
    """Whether ``path`` is a regular file or nothing yet; pipes and devices are written to, never replaced."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Put ``data`` at ``path``: temporary file in the same folder, flush to disk, rename, flush the folder.

    The file gets the mode of the one it replaces, or that of any new file under the process's umask. A symbolic link
    is followed. Whatever goes wrong, the temporary file is removed and what was at ``path`` stays as it was.

    Raises
    ------
    TypeError, ValueError, OSError
        As `check_writable`, and ``OSError`` naming ``path`` where writing fails.
    """
    path = check_writable("path", path)
    try:
        if is_ordinary(path):
            _replace(path.resolve(), data)
        else:
            path.write_bytes(data)
    except OSError as error:
        # The temporary file's name would mean nothing to the reader.
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".fastsvm-{secrets.token_hex(8)}.tmp")
    # Not tempfile: it makes files of mode 0600, and the umask can only be read by changing it for all threads.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if path.exists():
                temporary.chmod(stat.S_IMODE(path.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Flush a rename to disk, where the system lets a folder be flushed."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
