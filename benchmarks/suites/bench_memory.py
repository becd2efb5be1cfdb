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
STORAGES = ["float32", "uint8"]

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


def child(storage: str, backend: str) -> dict[str, float]:
    """Measure; prints nothing. The growth of a known allocation comes first, to show that the measure measures."""
    import fastsvm

    rng = np.random.default_rng(0)
    X: np.ndarray
    if storage == "uint8":
        X = rng.integers(0, 2, size=(N_SAMPLES, N_FEATURES), dtype=np.uint8)
    else:
        X = rng.random((N_SAMPLES, N_FEATURES), dtype=np.float32)
    y = rng.integers(0, N_CLASSES, N_SAMPLES)
    W = (0.01 * rng.standard_normal((N_CLASSES, N_FEATURES))).astype(np.float32)
    fastsvm.loss_and_gradient(W, X[:1000], y[:1000], backend=backend)  # compiles, starts the threads
    known, _ = growth(lambda: np.ones(8 << 20).sum())
    beyond, _ = growth(lambda: fastsvm.loss_and_gradient(W, X, y, backend=backend))
    rows = slice(0, 500)
    exact = fastsvm.loss_and_gradient(W.astype(np.float64), X[rows].astype(np.float64), y[rows], backend="reference")
    part = fastsvm.loss_and_gradient(W, X[rows], y[rows], backend=backend)
    error = float(np.abs(part[1] - exact[1]).max() / np.abs(exact[1]).max())
    return {"known": known, "beyond": beyond, "samples": X.nbytes, "error": error}


class FullPassMemory:
    """Compare with the samples: 234 MiB of float32, 59 MiB of uint8."""

    params = [STORAGES, BACKENDS]
    param_names = ["storage", "backend"]
    unit = "MiB"

    def setup(self, storage: str, backend: str) -> None:
        if not CLEAR.exists():
            raise NotImplementedError("needs Linux's /proc")
        command = [sys.executable, __file__, storage, backend]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        self.found = json.loads(done.stdout)
        if not 60 << 20 < self.found["known"] < 72 << 20:
            raise AssertionError(f"64 MiB must be measured as that; got {self.found['known'] / 2**20:.1f} MiB")
        if not self.found["error"] < 1e-3:
            raise AssertionError(f"dW must agree with the float64 reference; relative error {self.found['error']:.1e}")

    def track_memory_beyond_samples(self, storage: str, backend: str) -> float:
        return round(self.found["beyond"] / 2**20, 1)


if __name__ == "__main__":
    print(json.dumps(child(*sys.argv[1:])))
