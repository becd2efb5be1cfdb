"""The dual solver to a certified relative gap of 1e-2, on dense and sparse samples."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from fastsvm import dual
from fastsvm.losses import CrammerSinger, WestonWatkins
from suites.common import check_parallel, data

LOSSES = {
    "weston_watkins": WestonWatkins(),
    "squared": WestonWatkins(squared=True),
    "crammer_singer": CrammerSinger(),
}
KINDS = ["pixels", "sparse"]
TOL = 1e-2


def samples(kind: str) -> tuple[np.ndarray | sparse.csr_array, np.ndarray, float]:
    """Samples, labels and a penalty with which they are neither easy nor ill-conditioned."""
    if kind == "pixels":
        found = data(2000)
        return (found.pixels[:, :512] / np.float32(255)).copy(), found.y, 0.1
    rng = np.random.default_rng(0)
    y = rng.integers(0, 20, 4000)
    X = sparse.random_array((4000, 20000), density=0.004, rng=rng, format="csr", dtype=np.float32)
    X = (X + sparse.csr_array((np.full(4000, 0.5, np.float32), (np.arange(4000), y * 50)), X.shape)).tocsr()
    return X, y, 1 / (0.25 * 4000)


class Dual:
    """From zeros to the certificate."""

    params = [KINDS, list(LOSSES)]
    param_names = ["samples", "loss"]

    def setup(self, kind: str, loss: str) -> None:
        check_parallel()
        self.X, self.y, self.alpha = samples(kind)
        result = self.run(loss)
        if not result.converged or result.relative_gap > TOL:
            raise AssertionError(f"the relative gap is {result.relative_gap:.1e} after {result.n_iter} passes, not {TOL}")

    def run(self, loss: str) -> dual.DualResult:
        return dual.solve(self.X, self.y, loss=LOSSES[loss], alpha=self.alpha, tol=TOL)

    def time_solve(self, kind: str, loss: str) -> None:
        self.run(loss)

    def track_passes(self, kind: str, loss: str) -> int:
        return self.run(loss).n_iter

    def track_objective(self, kind: str, loss: str) -> float:
        return self.run(loss).objective
