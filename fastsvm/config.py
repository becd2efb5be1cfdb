"""What runs: versions, backend, SIMD level, OpenMP runtime, threads. For bug reports and for trust."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import fastsvm
from fastsvm import backends
from fastsvm.backends import threads

#: Libraries whose versions are worth knowing; found without importing them.
LIBRARIES = ("numpy", "scipy", "scikit-learn", "numba", "safetensors", "typer", "rich")


def version_of(package: str) -> str | None:
    """Version of an installed package, or ``None``. Does not import it."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def config() -> dict[str, Any]:
    """Return what :func:`show_config` prints, as a dictionary that JSON can hold.

    Returns
    -------
    dict with the keys

    ``fastsvm``, ``python``, ``platform``, ``path`` : str
        Version, interpreter, machine, folder of the package.
    ``backend`` : str
        What a call without ``backend=`` uses now.
    ``threads`` : int, ``cores`` : int
        Threads such a call may use; cores available to this process.
    ``native`` : dict
        ``openmp`` (bool), ``openmp_version`` (int, the ``_OPENMP`` macro, 0 without), ``simd_level`` in use,
        ``simd_levels`` that this machine can run, ``path`` of the compiled module.
    ``libraries`` : dict
        Versions of the packages fastsvm builds on; ``None`` where one is missing.
    ``runtimes`` : list of dict
        Thread pools loaded in this process (OpenMP, BLAS): ``api`` (openmp, openblas, …), ``version``, ``threads``, ``path``.
    ``environment`` : dict
        The environment variables that were looked at and are set.

    Raises
    ------
    ValueError
        If an environment variable holds something unusable.
    """
    import platform

    native = _native()
    looked_at = (backends.ENVIRONMENT, *threads.ENVIRONMENT, "FASTSVM_SIMD", "OMP_WAIT_POLICY")
    return {
        "fastsvm": fastsvm.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "path": str(Path(__file__).parent),
        "backend": backends.use(),
        "threads": backends.resolve_threads(None),
        "cores": threads.available_cores(),
        "native": native,
        "libraries": {name: version_of(name) for name in LIBRARIES},
        "runtimes": _runtimes(),
        "environment": {name: os.environ[name] for name in looked_at if name in os.environ},
    }


def show_config() -> None:
    """Print the version, the backend in use, its SIMD level, OpenMP runtime, threads and the libraries' versions."""
    for name, value in rows(config()):
        print(f"{name:<16} {value}")


def rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The entries of :func:`config` as (name, text) pairs for people."""
    native = found["native"]
    table = [
        ("fastsvm", f"{found['fastsvm']} ({found['path']})"),
        ("python", f"{found['python']} on {found['platform']}"),
        ("backend", found["backend"]),
        ("threads", f"{found['threads']} of {found['cores']} cores"),
    ]
    levels = ", ".join(native["simd_levels"])
    openmp = f"yes (specification {native['openmp_version']})" if native["openmp"] else "no: built without, so it runs serially"
    table += [("SIMD level", f"{native['simd_level']} (can run: {levels})"), ("OpenMP", openmp), ("native", native["path"])]
    for pool in found["runtimes"]:
        version = f"{pool['version']}, " if pool["version"] else ""
        table.append((f"loaded {pool['api']}", f"{version}{pool['threads']} threads ({pool['path']})"))
    table += [(name, version or "not installed") for name, version in found["libraries"].items()]
    table += [(name, repr(value)) for name, value in found["environment"].items()]
    return table


def _native() -> dict[str, Any]:
    from fastsvm import _native

    return {
        "openmp": bool(_native.openmp()),
        "openmp_version": int(_native.openmp_version()),
        "simd_level": str(_native.simd_level()),
        "simd_levels": [str(level) for level in _native.simd_levels()],
        "path": str(_native.__file__),
    }


def _runtimes() -> list[dict[str, Any]]:
    try:
        from threadpoolctl import threadpool_info
    except ImportError:  # it comes with scikit-learn, which may be missing in a trimmed installation
        return []
    return [
        {
            "api": pool["internal_api"],
            "version": pool.get("version"),
            "threads": pool["num_threads"],
            "path": pool["filepath"],
        }
        for pool in threadpool_info()
    ]
