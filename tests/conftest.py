"""Fixtures that several files share. The tables behind them are in ``tables.py``."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import scipy.sparse

# Numba fixes its number of threads at import: four of them can be tested on fewer cores.
os.environ.setdefault("NUMBA_NUM_THREADS", "4")
# Processes that tests start must find the installed package, not the source tree they may be started in.
os.environ["PYTHONSAFEPATH"] = "1"

# Workers of pytest-xdist have a width of terminal of their own.
os.environ.pop("COLUMNS", None)

import tables
from cli_runs import write_blobs, write_quadrants
from fastsvm import _native, backends
from fastsvm.backends import native

# The tests' problems are small, and are to be shared out among threads all the same.
native.SERIAL_PRODUCTS = 200_000


def pytest_sessionstart() -> None:
    """A shell that starts pytest in the background lets it ignore Ctrl-C, which some tests send."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=_native.simd_levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each SIMD level in turn."""
    before = _native.simd_level()
    _native.set_simd_level(request.param)
    yield request.param
    _native.set_simd_level(before)


@pytest.fixture(params=backends.NAMES)
def backend(request: pytest.FixtureRequest) -> ModuleType:
    """Each backend module in turn."""
    return backends.get(request.param)


@pytest.fixture(params=tables.COMPILED)
def compiled(request: pytest.FixtureRequest) -> ModuleType:
    """Each compiled backend module in turn."""
    return backends.get(request.param)


@pytest.fixture(params=tables.SPARSE_BACKENDS)
def sparse_backend(request: pytest.FixtureRequest) -> str:
    """The name of each backend that takes CSR samples, in turn."""
    return request.param


@pytest.fixture
def never_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever makes an array of scipy.sparse dense fails."""

    def refuse(self: object, *args: object, **kwargs: object) -> None:
        raise AssertionError(f"{self!r} is made dense")

    for name in ("csr", "csc", "coo"):
        for kind in ("array", "matrix"):
            for method in ("toarray", "todense"):
                monkeypatch.setattr(getattr(scipy.sparse, f"{name}_{kind}"), method, refuse)


@pytest.fixture(params=tables.LOSSES, ids=repr)
def loss(request: pytest.FixtureRequest) -> tables.Loss:
    """Each loss in turn."""
    return request.param


@pytest.fixture(params=tables.DTYPES, ids=lambda dtypes: f"W:{dtypes[0]}-X:{dtypes[1]}")
def dtypes(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each pair of a dtype of the weights and a dtype of the samples that go together."""
    return request.param


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An .npz of three well separated classes."""
    return write_blobs(tmp_path_factory.mktemp("data"))


@pytest.fixture
def quadrants(tmp_path: Path) -> tuple[Path, Path]:
    """Files of a model whose scores are the two features, and of four labelled points."""
    return write_quadrants(tmp_path)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real data sets; each of them may be missing."""
    folder = os.environ.get("FASTSVM_DATA")
    if not folder:
        pytest.skip("the environment variable FASTSVM_DATA does not name a folder of data sets")
    if not Path(folder).is_dir():
        pytest.skip(f"FASTSVM_DATA is {folder!r}, which is not a folder")
    return Path(folder)
