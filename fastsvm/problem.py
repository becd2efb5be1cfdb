"""What a backend is given: references to validated arrays, never copies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastsvm.losses import Loss
from fastsvm.sparse import Rows
from fastsvm.storage import storage_name


class Samples(NamedTuple):
    """Samples as stored. Where ``inverse_scale`` is given the kernels see ``x = (X − mean) · inverse_scale``.

    ``X`` (n_samples, n_features) is a C-contiguous array of a dtype of :mod:`fastsvm.storage` (uint16 is bfloat16), or a
    ``scipy.sparse.csr_array`` of float32 or float64, in canonical format, with int32 or int64 indices. ``mean`` and
    ``inverse_scale`` (n_features,) in the dtype of the weights: both or neither; of a CSR array never the mean.
    """

    X: Rows
    mean: np.ndarray | None = None
    inverse_scale: np.ndarray | None = None

    @property
    def storage(self) -> str:
        """The type of the samples: "float64", "float32", "float16", "bfloat16", "int8" or "uint8"."""
        return storage_name(self.X)

    @property
    def is_sparse(self) -> bool:
        """Whether ``X`` is a CSR array."""
        return not isinstance(self.X, np.ndarray)

    @property
    def n_rows(self) -> int:
        """How many samples there are."""
        return self.X.shape[0]


class Problem(NamedTuple):
    """A training problem: ``(1/n) Σᵢ ωᵢ ℓ(scoresᵢ, yᵢ) + alpha ½‖W‖² + alpha_intercept ½‖b‖²``.

    ``y`` (n_samples,) int64; ``sample_weight`` (n_samples,) float64 with mean 1, or ``None``.
    """

    samples: Samples
    y: np.ndarray
    sample_weight: np.ndarray | None
    loss: Loss
    alpha: float = 0.0
    alpha_intercept: float = 0.0
