"""The dual of the multiclass SVM solved by block coordinate ascent, and certificates of optimality for any weights.

    L(W) = (1/N) Σ_i ω_i ℓ(W x_i, y_i) + (alpha/2) ‖W‖²        the objective of fastsvm.objective, h_ij = Δ − (s_{y_i} − s_j)
    D(a) = (1/N) Σ_ij ω_i (Δ a_ij − r(a_ij)) − (alpha/2) ‖W(a)‖²
    W(a) = (1/(alpha N)) Σ_ij ω_i a_ij (e_{y_i} − e_j) x_iᵀ

============================  ================================  ==========  ==========================
loss                          dual variables, j ≠ y_i           r(a)        at the optimum
============================  ================================  ==========  ==========================
``WestonWatkins``             0 ≤ a_ij ≤ 1                      0           1 where h > 0, 0 where h < 0
``WestonWatkins(squared)``    0 ≤ a_ij                          a²/4        2 max(0, h_ij)
``CrammerSinger``             0 ≤ a_ij, Σ_j a_ij ≤ 1            0           on the largest h_ij
============================  ================================  ==========  ==========================

No weights have an objective below ``D(a)`` for any such ``a``: the gap ``L(W) − D(a)`` bounds
how far ``W`` is from the optimum.

    result = fastsvm.dual.solve(X, y, alpha=1e-3)       # result.W, result.relative_gap <= 1e-3
    fastsvm.duality_gap(W, X, y, b, alpha=1e-3)         # of weights from anywhere
"""

from fastsvm.dual.certificate import DualityGap, duality_gap
from fastsvm.dual.result import DualHistory, DualRecord, DualResult
from fastsvm.dual.solve import solve

__all__ = ["DualHistory", "DualRecord", "DualResult", "DualityGap", "duality_gap", "solve"]
