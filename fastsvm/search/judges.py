"""How the attempts of a group are scored and which of them are accepted.

Of a random search all objectives come from one call. In a local search an attempt is a step from the best weights so far, and
scores are linear: those of all steps of a group, and of the weights from which the group sets out, come from one pass over
the samples. The attempts are then judged one after the other, each from the sum of two matrices of scores, and the step's is
added where it is accepted.

Such an objective differs by rounding from that of the weights themselves. Where it is so close to the best one that rounding
might decide, both are computed by :func:`fastsvm.loss_value`, so that each attempt is judged as an algorithm would that makes
one at a time. `uncertainty` says what is close.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from fastsvm import objective
from fastsvm.combinations import candidate_scores, combination_losses
from fastsvm.search.run import Best, Plan, overflow_explained

#: The scores of bytes may lack their weights' lowest digit where many candidates are scored at once: some 5e-5 of the scores'
#: spread. Five times that is more than chance brings together.
LEFT_OUT = 2.5e-4

#: Attempts of a local search that are tried from one point, before it is known which is the first to be accepted: its scores
#: are read once for all of them. More would be in vain too often.
AHEAD = 4

#: Samples that tell how large scores are, and how sensitive the loss is to them; all, where they differ in weight.
SAMPLES = 200


def judge_random(plan: Plan, best: Best, normals: np.ndarray) -> Iterator[tuple[float, bool]]:
    """Weights drawn anew; a group's objectives in one call."""
    assert plan.scale is not None
    Ws, bs = _weights(normals, plan.scale, best)
    with overflow_explained(plan, "scale", Ws.dtype):
        losses = objective.losses(plan.X, plan.y, Ws, bs, **plan.objective)
    for k, loss in enumerate(losses.tolist()):
        accepted = loss < best.loss
        if accepted:
            best.move(Ws[k].copy(), None if bs is None else bs[k].copy(), loss)
        yield loss, accepted


def judge_local(plan: Plan, best: Best, normals: np.ndarray) -> Iterator[tuple[float, bool]]:
    """Steps from the best weights so far, which stand before the group's steps."""
    assert plan.step is not None
    Ws, bs = _weights(normals, plan.step, best, best_first=True)
    shape = (len(Ws), len(plan.y), len(best.W))
    if best.memory.shape != shape:
        best.memory = np.empty(shape, Ws.dtype)
    with overflow_explained(plan, "step", Ws.dtype):
        scores = candidate_scores(plan.X, Ws, bs, standardization=plan.standardization, out=best.memory, **plan.where)
        with _finite_scores():
            close = uncertainty(plan, best, scores)
    base, at, last = scores[0], 0, len(normals)  # of the best weights: what led there is added up
    while at < last:
        count = min(AHEAD, last - at)
        with overflow_explained(plan, "step", Ws.dtype), _finite_scores():
            losses = combination_losses(
                scores[at + 1 : at + count + 1], np.eye(count), plan.y, plan.loss, plan.sample_weight, base=base, **plan.where
            ).tolist()
        for k, loss in enumerate(losses, start=at + 1):
            loss, accepted = _step(plan, best, Ws[k], None if bs is None else bs[k], loss, close)
            yield loss, accepted
            if accepted:
                break
        if accepted and k < last:
            base += scores[k]
        at = k


@contextmanager
def _finite_scores() -> Iterator[None]:
    """All else has been checked: a function that refuses its arguments does so for scores that have overflown."""
    try:
        yield
    except ValueError as error:
        raise OverflowError(str(error)) from None


def _weights(normals: np.ndarray, size: float, best: Best, *, best_first: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
    """``size · normals`` as weights and intercepts, which are the last column; the best before them if wanted."""
    first, (n_classes, n_features), dtype = int(best_first), best.W.shape, best.W.dtype
    Ws = np.empty((first + len(normals), n_classes, n_features), dtype)
    np.multiply(normals[:, :, :n_features], size, out=Ws[first:], dtype=dtype)
    Ws[:first] = best.W
    if best.b is None:
        return Ws, None
    bs = np.empty((len(Ws), n_classes), dtype)
    np.multiply(normals[:, :, n_features], size, out=bs[first:], dtype=dtype)
    bs[:first] = best.b
    return Ws, bs


def _step(plan: Plan, best: Best, dW: np.ndarray, db: np.ndarray | None, loss: float, close: float) -> tuple[float, bool]:
    """The objective one step further, and whether it is the best, whose weights have then moved there.

    ``loss`` is the loss without penalty, from the sum of scores.
    """
    W, b = best.W + dW, None if best.b is None else best.b + db
    if plan.alpha > 0:
        squares = np.square(W, dtype=np.float64).sum()
        if b is not None and plan.penalize_intercept:
            squares += np.square(b, dtype=np.float64).sum()
        loss += 0.5 * plan.alpha * float(squares)
    exact = abs(loss - best.loss) <= close
    if exact:
        with overflow_explained(plan, "step", W.dtype):
            loss = objective.loss_value(W, plan.X, plan.y, b, **plan.objective)
        best.make_exact(plan)
    accepted = loss < best.loss
    if accepted:
        best.move(W, b, loss, exact=exact)
    return loss, accepted


def uncertainty(plan: Plan, best: Best, scores: np.ndarray) -> float:
    """How much two objectives must differ for rounding not to have a say in which is the lower.

    An estimate from above. ``scores`` (attempts + 1, n_samples, n_classes) are those of the best weights and of the steps. An
    error of the size e in every score changes the loss by at most e times the sum of the sizes of its derivatives. A score of
    weights w and a sample x is a sum of products that is rounded by about eps · ‖w‖ · ‖x‖, be it computed at once or as a sum
    over steps; a step's score may lack `LEFT_OUT` of the scores' spread, which is step · ‖x‖. A sample's loss is a sum over
    classes, the objective, in float64, one over samples. Errors of many samples mostly cancel; that they may not is the
    margin of safety.
    """
    eps, n_classes = float(np.finfo(scores.dtype).eps), scores.shape[2]
    rows = slice(None, None, -(-len(plan.y) // SAMPLES) if plan.sample_weight is None else None)
    _, dscores = objective.score_loss_and_gradient(
        np.ascontiguousarray(scores[0, rows]), plan.y[rows], plan.loss, plan.sample_weight, **plan.where
    )
    some = scores[1:, rows].astype(np.float64)
    assert plan.step is not None
    with np.errstate(over="ignore", invalid="ignore"):
        spread = np.sqrt(some.var(axis=2, ddof=1).mean())
        norm = np.sqrt(np.square(best.W, dtype=np.float64).sum(axis=1).max())
        rounded = eps * (norm / plan.step + np.sqrt(best.W.shape[1])) * spread
        if plan.X.dtype.itemsize == 1 and scores.dtype == np.float32:
            rounded += LEFT_OUT * spread
        added = abs(best.loss) * (eps * n_classes + np.finfo(np.float64).eps * len(plan.y))
        close = float(2 * (np.abs(dscores).sum(dtype=np.float64) * rounded + added))
    return close if np.isfinite(close) else np.inf
