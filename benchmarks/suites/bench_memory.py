"""How much memory a full pass takes beyond the samples: at its highest, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

N_SAMPLES, N_FEATURES, N_CLASSES = 20_000, 3072, 10
BACKENDS = ["native", "numba", "reference"]
STORAGES = ["float32", "float16", "uint8"]

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident(field: str) -> int:
    """``VmRSS`` (now) or ``VmHWM`` (highest since it was cleared) of this process, in bytes."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])


def growth(run: Any) -> tuple[int, Any]:
    """Bytes by which resident memory rose at its highest while ``run`` ran, and what it returned."""
    CLEAR.write_text("5")  # the highest value begins again from the present one
    before = resident("VmRSS")
    result = run()
    return resident("VmHWM") - before, result


def samples(storage: str, n_samples: int) -> np.ndarray:
    """Zeros and ones, the same in every storage."""
    return np.random.default_rng(0).integers(0, 2, size=(n_samples, N_FEATURES), dtype=np.uint8).astype(storage, copy=False)


def child(storage: str, backend: str, n_samples: int) -> dict[str, float]:
    """Measure; prints nothing. The growth of a known allocation comes first, to show that the measure measures."""
    import fastsvm

    rng = np.random.default_rng(1)
    X = samples(storage, n_samples)
    y = rng.integers(0, N_CLASSES, n_samples)
    W = (0.01 * rng.standard_normal((N_CLASSES, N_FEATURES))).astype(np.float32)
    if backend != "native":
        fastsvm.loss_and_gradient(W, X[:500], y[:500], backend=backend)  # compiles, which takes memory
    known, _ = growth(lambda: np.ones(8 << 20).sum())
    beyond, (_, dW, _) = growth(lambda: fastsvm.loss_and_gradient(W, X, y, backend=backend))
    rows = slice(0, 500)
    wide = samples("float64", n_samples)[rows]
    exact = fastsvm.loss_and_gradient(W.astype(np.float64), wide, y[rows], backend="reference")
    part = fastsvm.loss_and_gradient(W, X[rows], y[rows], backend=backend)
    error = float(np.abs(part[1] - exact[1]).max() / np.abs(exact[1]).max())
    return {"known": known, "beyond": beyond - dW.nbytes, "samples": X.nbytes, "error": error}


def measure(storage: str, backend: str, n_samples: int = N_SAMPLES) -> dict[str, float]:
    """What `child` finds in a process of its own; ``RuntimeError`` where it fails, or finds what cannot be."""
    command = [sys.executable, __file__, storage, backend, str(n_samples)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found = json.loads(done.stdout)
    if not 60 << 20 < found["known"] < 72 << 20:
        raise RuntimeError(f"64 MiB must be measured as that; got {found['known'] / 2**20:.1f} MiB")
    if not found["error"] < 1e-3:
        raise RuntimeError(f"dW must agree with the float64 reference; relative error {found['error']:.1e}")
    return found


class FullPassMemory:
    """Compare with the samples: 234 MiB of float32, 117 of float16, 59 of uint8."""

    params = [STORAGES, BACKENDS]
    param_names = ["storage", "backend"]
    unit = "MiB"

    def setup(self, storage: str, backend: str) -> None:
        if not CLEAR.exists():
            raise NotImplementedError("needs Linux's /proc")
        self.found = measure(storage, backend)

    def track_memory_beyond_samples(self, storage: str, backend: str) -> float:
        return round(self.found["beyond"] / 2**20, 1)


if __name__ == "__main__":
    print(json.dumps(child(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
