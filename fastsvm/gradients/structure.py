"""The numerical gradient of the whole objective, by what one weight changes.

    (L(W + h E) − L(W − h E)) / 2h,      E = 1 at class c and feature f, else 0

moves the score of class c of each sample by ``± h x_f`` and no other score, so the difference of the losses takes a
maximum or two per sample, not a product with all the weights: all 30,730 weights on 50,000 images of 3,072 pixels take
seconds, where two evaluations of the objective for each weight take hours. The differences are taken sample by sample before
they are added up, so they round less as well.

Source of the difference quotients: CS231n, "Optimization: computing the gradient numerically with finite differences".
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fastsvm import backends
from fastsvm.arguments import prepare, raise_non_finite
from fastsvm.losses import Loss, WestonWatkins
from fastsvm.sparse import CSR
from fastsvm.standardization import Standardization
from fastsvm.validation import check_choice, check_real, check_weights


def numerical_objective_gradient(
    W: np.ndarray,
    X: np.ndarray | CSR,
    y: np.ndarray,
    b: np.ndarray | None = None,
    loss: Loss | str = WestonWatkins(),
    alpha: float = 0.0,
    sample_weight: npt.ArrayLike | None = None,
    *,
    h: float = 1e-5,
    method: str = "central",
    standardization: Standardization | None = None,
    penalize_intercept: bool = False,
    backend: str | None = None,
    n_threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the numerical gradient of the objective on every weight and intercept.

    It is what :func:`fastsvm.numerical_gradient` makes of :func:`fastsvm.loss_value`, up to rounding.

    Parameters
    ----------
    W, X, y, b, loss, alpha, sample_weight, standardization, penalize_intercept, backend, n_threads
        As in :func:`fastsvm.loss_and_gradient`. The computation runs in float64 whatever the dtype of ``W``.
    h : float > 0, default 1e-5
        Step of each weight.
    method : {"central", "forward"}
        ``(L(w + h) − L(w − h)) / 2h``, or ``(L(w + h) − L(w)) / h``.

    Returns
    -------
    dW : ndarray (n_classes, n_features), float64
    db : ndarray (n_classes,), float64, or ``None`` where ``b`` is

    Notes
    -----
    Beside a kink a difference is a mixture of the slopes on either side. On many samples, some are beside one: expect
    differences from the gradient of the order of the share of samples with a margin within ``h |x_f|`` of 0. A smaller
    ``h`` has fewer; rounding sets in below about 1e-9 for pixels.

    Examples
    --------
    >>> import numpy as np
    >>> dW, db = numerical_objective_gradient(np.array([[0.0], [1.0]]), np.array([[2.0]]), np.array([0]))
    >>> dW.ravel().round(6).tolist(), db
    ([-2.0, 2.0], None)
    """
    W, b = check_weights(W, b)
    W64, b64, problem = prepare(
        W.astype(np.float64), X, y, None if b is None else b.astype(np.float64),
        loss=loss, alpha=alpha, sample_weight=sample_weight,
        standardization=standardization, penalize_intercept=penalize_intercept,
    )  # fmt: skip
    h = check_real("h", h, above=0.0)
    central = check_choice("method", method, ("forward", "central")) == "central"
    dW, db = np.empty_like(W64), None if b64 is None else np.empty_like(b64)
    threads = backends.resolve_threads(n_threads)
    implementation = backends.get(backend, problem.loss)
    if not np.isfinite(implementation.evaluate(W64, b64, problem, threads)[0]):
        raise_non_finite("the loss is not finite", problem.samples, W=W64, b=b64)
    implementation.numerical_gradient(W64, b64, problem, h, central, dW, db, threads)
    if not np.isfinite(dW).all():
        raise_non_finite(f"a difference quotient with h = {h:g} is not finite", problem.samples, W=W64, b=b64)
    return dW, db
