"""Compiling the loops, and keeping what was compiled in a directory of the user's.

Numba's own cache would write beside the installed package, take a serial and a parallel compilation of one function for the
same thing, fail on a full disk or a damaged file, and could hand out another signature's code after two processes wrote at
once. Here a cache that does not work is as good as none.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.misc.appdirs import AppDirs

from fastsvm.backends._numba_registered import rebind

SOURCES = (
    "_numba_vectors.py",
    "_numba_leaves.py",
    "_numba_rules.py",
    "_numba_tiles.py",
    "_numba_loops.py",
    "_numba_combinations.py",
    "_numba_csr.py",
    "_numba_sparse.py",
    "_numba_cache.py",
)


def source_digest() -> str:
    """A hash of all that goes into the compiled code. Numba itself looks only at the file that holds the loop."""
    return hashlib.sha256(b"".join(Path(__file__).with_name(name).read_bytes() for name in SOURCES)).hexdigest()[:12]


def directory() -> Path:
    """Where compiled loops are kept: below ``NUMBA_CACHE_DIR`` or the user's cache directory, by version and source."""
    try:
        release = version("fastsvm")
    except PackageNotFoundError:
        release = "dev"
    root = numba.config.CACHE_DIR or AppDirs(appname="fastsvm", appauthor=False).user_cache_dir  # type: ignore[attr-defined]
    python = f"py{sys.version_info.major}.{sys.version_info.minor}"
    return Path(root) / f"fastsvm-{release}-numba{numba.__version__}-{python}" / source_digest()


class _Locator(_CacheLocator):
    """Tells Numba where to keep a function, and when what it kept is out of date."""

    def __init__(self, line: int) -> None:
        self._path, self._line = os.fspath(directory()), line

    def get_cache_path(self) -> str:
        return self._path

    def get_source_stamp(self) -> str:
        return source_digest()

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _Locator | None:
        locator = cls(py_func.__code__.co_firstlineno)
        try:
            locator.ensure_cache_path()
        except OSError:  # it cannot be made or written
            return None
        return locator


class _Files(CompileResultCacheImpl):
    _locator_classes: list[Any] = [_Locator]  # noqa: RUF012 (as in the base class)


class _Cache(FunctionCache):
    _impl_class = _Files

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            result = super().load_overload(sig, target_context)
        except Exception:  # a damaged file can raise anything while it is unpickled
            self._start_afresh()
            return None
        # Two processes that compile at once may write each other's file names into the index.
        return result if result is not None and tuple(result.signature.args) == tuple(sig) else None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception:  # no space, no permission: the function is compiled all the same
            self._start_afresh()

    def _start_afresh(self) -> None:
        try:
            self.flush()
        except OSError:
            self.disable()


@functools.cache
def compiled(loop: Callable[..., Any], parallel: bool, own: tuple[tuple[str, Any], ...] = ()) -> Any:
    """Return ``loop`` as a dispatcher that compiles, or finds in the cache, on its first call with given types.

    ``own`` are names of leaves and a user's in their place; what is compiled with such is not kept on disk.
    """
    loop = rebind(loop, dict(own))
    assert isinstance(loop, FunctionType)
    # A name of its own gives each compilation files of its own.
    named = FunctionType(loop.__code__, loop.__globals__, f"{loop.__name__}_{'parallel' if parallel else 'serial'}")
    named.__qualname__ = named.__name__
    named.__module__ = loop.__module__
    dispatcher: Any = njit(parallel=parallel, nogil=True, error_model="numpy", no_cfunc_wrapper=True)(named)
    if not own:
        with contextlib.suppress(RuntimeError):  # no locator: it stays uncached
            dispatcher._cache = _Cache(named)
    return dispatcher
