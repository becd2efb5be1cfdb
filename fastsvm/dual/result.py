"""What the dual solver leaves behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, overload

import numpy as np

from fastsvm import prediction
from fastsvm.losses import Loss
from fastsvm.model import Model
from fastsvm.standardization import Standardization
from fastsvm.validation import check_choice


class DualRecord(NamedTuple):
    """One look at the state of the solver.

    Attributes
    ----------
    epoch : int
        Passes over the samples made so far, those of smoothing included.
    objective, dual_objective, gap : float
        ``gap`` is their difference. While smoothing they are of the best certificate found.
    n_active : int
        Samples taken in the last pass.
    seconds : float
        Wall time since the beginning.
    """

    epoch: int
    objective: float
    dual_objective: float
    gap: float
    n_active: int
    seconds: float


@dataclass(frozen=True, eq=False)
class DualHistory:
    """Records; ``history["gap"]`` is one column of them, (n_records,) float64."""

    records: list[DualRecord] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[DualRecord]:
        return iter(self.records)

    def __repr__(self) -> str:
        return f"<DualHistory of {len(self.records)} records: {', '.join(DualRecord._fields)}>"

    @overload
    def __getitem__(self, column: str) -> np.ndarray: ...
    @overload
    def __getitem__(self, column: int) -> DualRecord: ...

    def __getitem__(self, column: str | int) -> np.ndarray | DualRecord:
        """One field of all records, or one record."""
        if isinstance(column, int):
            return self.records[column]
        check_choice("column", column, DualRecord._fields)
        return np.array([getattr(record, column) for record in self.records], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class DualResult:
    """What :func:`fastsvm.dual.solve` returns.

    Attributes
    ----------
    W : ndarray (n_classes, n_features), float32 or float64
    b : ndarray (n_classes,), dtype of ``W``, or None
    objective, dual_objective, gap : float
        Computed in float64 at these very ``W`` and ``b``: no weights have an objective below ``dual_objective``, so that of
        ``W`` is at most ``gap`` above the least.
    converged : bool
        Whether ``relative_gap <= tol``.
    stop_reason : {"converged", "max_iter", "callback", "interrupted"}
    n_iter : int
        Passes over the samples, those of smoothing included.
    history : DualHistory
    a : ndarray (n_samples, n_classes), dtype of ``W``
        The dual variables; ``a[i, y[i]]`` is 0.
    loss, alpha, standardization, intercept_scaling
        As given.
    method : {"blocks", "smoothing+blocks"}
    reason : str
        Why this method.
    """

    W: np.ndarray
    b: np.ndarray | None
    objective: float
    dual_objective: float
    gap: float
    converged: bool
    stop_reason: str
    n_iter: int
    history: DualHistory
    a: np.ndarray
    loss: Loss
    alpha: float
    standardization: Standardization | None
    intercept_scaling: float | None
    method: str
    reason: str

    @property
    def relative_gap(self) -> float:
        """``gap / objective``, 0 where both are."""
        return self.gap / self.objective if self.objective > 0 else 0.0 if self.gap <= 0 else float("inf")

    def __repr__(self) -> str:
        return (
            f"<DualResult: W {' x '.join(map(str, self.W.shape))} {self.W.dtype}, {self.loss}, objective {self.objective:.6g}, "
            f"relative gap {self.relative_gap:.2g} after {self.n_iter} passes, stop_reason={self.stop_reason!r}>"
        )

    def scores(self, X: np.ndarray, n_threads: int | None = None) -> np.ndarray:
        """Scores of samples as they were given to the solver (not standardised): (n_samples, n_classes), dtype of ``W``."""
        return prediction.decision_scores(self.W, X, self.b, standardization=self.standardization, n_threads=n_threads)

    def predict(self, X: np.ndarray, n_threads: int | None = None) -> np.ndarray:
        """Class indices of samples, (n_samples,) int64: the largest score, the first of them in a tie."""
        return prediction.predict(self.W, X, self.b, standardization=self.standardization, n_threads=n_threads)

    def to_model(self, class_names: Sequence[str] | None = None, metadata: Mapping[str, str] | None = None) -> Model:
        """The weights, copied, as a `fastsvm.Model`, which can be saved. Arguments as of `fastsvm.TrainResult.to_model`."""
        return Model(
            W=self.W.copy(), b=None if self.b is None else self.b.copy(), standardization=self.standardization,
            class_names=class_names, loss=self.loss, alpha=self.alpha,
            penalize_intercept=self.b is not None and self.intercept_scaling == 1.0,
            metadata={} if metadata is None else metadata,
        )  # fmt: skip
