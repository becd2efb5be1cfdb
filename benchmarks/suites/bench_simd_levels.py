"""The native backend at each SIMD level; those the machine lacks are left out."""

from __future__ import annotations

import fastsvm
from fastsvm import _native
from suites import bench_loss_gradient  # asv would take a class imported by name for one of this module's benchmarks

#: All there are on any machine; the parameters of a benchmark must not depend on where it runs.
LEVELS = ["baseline", "avx2", "avx512", "vnni", "amx"]
STORAGES = ["float32", "float16", "uint8"]


class SimdLevels(bench_loss_gradient.LossAndGradient):
    """A full pass as in `bench_loss_gradient`."""

    params = [["weston_watkins"], STORAGES, LEVELS]
    param_names = ["loss", "storage", "level"]

    def setup(self, loss: str, storage: str, level: str) -> None:
        present = _native.simd_levels()
        if not set(present) <= set(LEVELS):
            raise AssertionError(f"LEVELS must hold every level; this machine has {', '.join(present)}")
        if level not in present:
            raise NotImplementedError(f"this machine has {', '.join(present)}")
        _native.set_simd_level(level)
        super().setup(loss, storage, "native")

    def time_loss_and_gradient(self, loss: str, storage: str, level: str) -> None:
        fastsvm.loss_and_gradient(*self.arguments, **self.options)
