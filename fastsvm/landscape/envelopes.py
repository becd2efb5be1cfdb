"""Convex piecewise linear functions of one variable, ``f(a) = Σᵢ max(0, max_k p_ki + a q_ki)``: kinks, and the exact minimum.

Along a line the margin of class j for sample i is a linear function of the position a. The Weston-Watkins loss adds up the
positive parts of all margins, the Crammer-Singer loss takes the positive part of each sample's largest: both are sums of upper
envelopes of lines, one of them 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fastsvm.losses import CrammerSinger, Loss, WestonWatkins

EPS = float(np.finfo(np.float64).eps)

#: So few envelopes are searched by sorting their kinks rather than by halving the bracket.
FEW = 4096

#: Halvings of a bracket after which it holds no more than neighbouring numbers.
MOST_HALVINGS = 100


def margin_lines(scores: np.ndarray, y: np.ndarray, loss: Loss) -> tuple[np.ndarray, np.ndarray]:
    """Margins ``p + a q`` of each class at the scores ``scores[0] + a scores[1]``: (n_classes, n_samples), float64.

    Those of a sample's own class are 0.
    """
    lines = [np.ascontiguousarray(part.T, dtype=np.float64) for part in scores]
    samples = np.arange(len(y))
    with np.errstate(over="ignore", invalid="ignore"):
        for array in lines:
            array -= array[y, samples]
        p, q = lines
        p += loss.delta  # type: ignore[union-attr]
    p[y, samples] = 0.0
    if not (np.isfinite(p).all() and np.isfinite(q).all()):
        raise OverflowError("differences of scores overflow float64. Scale X, W or direction down")
    return p, q


class Place(NamedTuple):
    """A function at a point: its value, its derivatives to the left and to the right, and what each envelope adds to them."""

    a: float
    value: float
    left: float
    right: float
    parts: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Envelopes:
    """``offset + a slope + Σᵢ max(0, max_k p_ki + a q_ki)``, with ``p`` and ``q`` (n_lines, n_envelopes) float64.

    ``noise`` is what rounding may do to a sum of slopes.
    """

    p: np.ndarray
    q: np.ndarray
    noise: float
    offset: float = 0.0
    slope: float = 0.0

    def __len__(self) -> int:
        return self.p.shape[1]

    def at(self, a: float) -> Place:
        """The function at a point."""
        lines = self.q * a
        lines += self.p
        if len(lines) == 1:
            top, low, high = lines[0], self.q[0], self.q[0]
        else:
            top = lines.max(axis=0)
            attained = lines == top
            low, high = np.where(attained, self.q, np.inf).min(axis=0), np.where(attained, self.q, -np.inf).max(axis=0)
        height, positive, zero = np.maximum(top, 0.0), top > 0, top == 0
        left, right = np.where(positive, low, 0.0), np.where(positive, high, 0.0)
        left[zero], right[zero] = np.minimum(low[zero], 0.0), np.maximum(high[zero], 0.0)
        value = self.offset + a * self.slope + float(height.sum())
        return Place(a, value, self.slope + float(left.sum()), self.slope + float(right.sum()), (height, left, right))

    def between(self, low: Place, high: Place) -> tuple[Envelopes, Place, Place]:
        """The same function between two places, and these: envelopes that have no kink in between become part of one line."""
        height, _, slope = low.parts
        bent = slope != high.parts[1]
        straight = ~bent
        offset = self.offset + float((height[straight] - low.a * slope[straight]).sum())
        total = self.slope + float(slope[straight].sum())
        low, high = (place._replace(parts=tuple(part[bent] for part in place.parts)) for place in (low, high))
        return Envelopes(self.p[:, bent], self.q[:, bent], self.noise, offset, total), low, high

    def mirrored(self) -> Envelopes:
        """The function of −a."""
        return Envelopes(self.p, -self.q, self.noise, self.offset, -self.slope)

    def kinks(self, low: float = -np.inf, high: float = np.inf) -> Iterator[tuple[np.ndarray, ...]]:
        """Walk along all envelopes from ``low`` to ``high``, a kink of each at a time.

        Yields positions, envelopes, the lines that attain the maximum before and after (−1 is 0), and the jumps of the slope.
        """
        p, q = (np.concatenate([np.zeros((1, len(self))), lines]) for lines in (self.p, self.q))
        at = np.full(len(self), low)
        if np.isfinite(low):
            lines = p + low * q
            now = np.where(lines == lines.max(axis=0), q, -np.inf).argmax(axis=0)
        else:
            now = np.where(q == q.min(axis=0), p, -np.inf).argmax(axis=0)
        rows = np.arange(len(self))
        while len(rows):
            p_here, q_here, every = p[:, rows], q[:, rows], np.arange(len(rows))
            steeper = q_here - q_here[now, every]
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                crossing = np.where(steeper > 0, (p_here[now, every] - p_here) / steeper, np.inf)
            crossing = np.maximum(crossing, at)  # rounding must not lead back
            position = crossing.min(axis=0)
            then = np.where(crossing == position, steeper, -np.inf).argmax(axis=0)
            jump = steeper[then, every]
            on = (position < np.inf) & (position <= high)
            at, rows, before, now, jump = (array[on] for array in (position, rows, now, then, jump))
            yield at, rows, before - 1, now - 1, jump


def envelopes(scores: np.ndarray, y: np.ndarray, loss: Loss, sample_weight: np.ndarray | None) -> Envelopes:
    """The sum of the samples' losses along a line, from the scores of the base and of the direction; see `margin_lines`."""
    p, q = margin_lines(scores, y, loss)
    if sample_weight is not None:
        p *= sample_weight
        q *= sample_weight
    if isinstance(loss, WestonWatkins):  # an envelope for each margin
        p, q = p.reshape(1, -1), q.reshape(1, -1)
    else:
        assert isinstance(loss, CrammerSinger)
    return Envelopes(p, q, noise=EPS * float(np.abs(q).max(axis=0).sum()))


@np.errstate(over="ignore", invalid="ignore")
def minimizer(f: Envelopes, slope: float, curvature: float) -> float:
    """The minimiser nearest to 0 of ``f(a) + slope · a + ½ curvature · a²``, which must be bounded below.

    Exact but for rounding: a bracket is cut where the tangents at its ends meet, or halved, until few envelopes have a kink in
    it; their kinks are sorted, and the derivative, which jumps at them and is linear in between, is followed to its sign
    change.
    """
    low = f.at(0.0)
    noise = f.noise + EPS * abs(slope)
    if low.left + slope > noise:
        return -minimizer(f.mirrored(), -slope, curvature)
    fall = -(low.right + slope)
    if fall <= noise:
        return 0.0
    # Where the tangent of the data loss reaches 0; where it is 0 here, only the penalty falls.
    high = f.at(low.value / fall if low.value > 0 else fall / curvature)
    while high.right + slope + curvature * high.a < -noise:
        if not np.isfinite(4.0 * high.a * (1.0 + curvature)):
            return high.a
        low, high = high, f.at(4.0 * high.a)
    f, low, high = f.between(low, high)
    for k in range(MOST_HALVINGS):
        if len(f) <= FEW:
            break
        width, bend = high.a - low.a, high.left - low.right
        middle = low.a + 0.5 * width
        if k % 4 < 3 and bend > 0:
            cut = low.a + (high.left * width - (high.value - low.value)) / bend
            middle = cut if low.a < cut < high.a else middle
        if not low.a < middle < high.a:
            break
        place = f.at(middle)
        falls = place.right + slope + curvature * middle < -noise
        f, low, high = f.between(place if falls else low, high if falls else place)
    return _follow(f, low, high, slope, curvature, noise)


def _follow(f: Envelopes, low: Place, high: Place, slope: float, curvature: float, noise: float) -> float:
    """The first point from ``low`` to ``high`` from which on the function does not fall."""
    found = [(at, jump) for at, *_, jump in f.kinks(low.a, high.a)]
    at, jumps = (np.concatenate([np.empty(0), *parts]) for parts in (zip(*found, strict=True) if found else ((), ())))
    order = np.argsort(at, kind="stable")
    places = np.concatenate([[low.a], at[order], [high.a]])
    # Slopes to the right of each place; to the right of the last one it is not needed.
    slopes = slope + low.right + np.concatenate([[0.0], np.cumsum(jumps[order])])
    rises = slopes + curvature * places[:-1] >= -noise
    first = int(rises.argmax()) if rises.any() else len(rises)
    if first == 0:
        return low.a
    before = float(slopes[first - 1])
    if before + curvature * places[first] > noise:  # the penalty turns it on the way there
        return float(np.clip(-before / curvature, places[first - 1], places[first]))
    return float(places[first])
