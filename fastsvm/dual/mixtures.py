"""The best of several dual variables, and of their mixtures, by one pass over the samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastsvm.dual.bundle import largest
from fastsvm.dual.conjugates import is_smooth, worth, x_log_x
from fastsvm.losses import Softmax
from fastsvm.problem import Problem
from fastsvm.sparse import row_blocks, take_slice
from fastsvm.storage import as_numbers

#: Numbers of the samples that are widened at a time, and non-zeros of sparse ones.
BLOCK = 1 << 19
SPARSE_BLOCK = 1 << 22

#: Bytes of gradients held at a time: candidates are tried by groups of so many as fit.
GRADIENTS = 1 << 26


@dataclass(frozen=True)
class Candidates:
    """Dual variables to choose from: ``variables(k, rows)``, times ``factors[k]`` of the sample's class and the column."""

    problem: Problem
    n_classes: int
    count: int
    variables: Callable[[int, slice], np.ndarray]
    factors: list[np.ndarray] | None = None

    def __call__(self, k: int, rows: slice) -> np.ndarray:
        a = self.variables(k, rows)
        return a if self.factors is None else a * self.factors[k][self.problem.y[rows]]

    def mixed(self, theta: np.ndarray) -> np.ndarray:
        """``Σ_k theta_k a_k`` of all samples."""
        out = np.zeros((len(self.problem.y), self.n_classes))
        for rows in row_blocks(out, BLOCK):
            for k in np.flatnonzero(theta):
                out[rows] += theta[k] * self(int(k), rows)
        return out


@dataclass(frozen=True)
class Terms:
    """What the dual value of mixtures of some candidates is made of.

    ``linear`` (m,) and ``quadratic`` (m, m) are those of ``linear · theta − ½ thetaᵀ quadratic theta``, without the penalty.
    For `Softmax` ``linear`` is Σ ω (−Σ a log a) / N, and there is more: ``sums`` (n_samples,) are those of the only candidate's
    rows. ``G`` (m, n_classes, n_features), and ``g`` (m, n_classes) or ``None``.
    """

    problem: Problem
    linear: np.ndarray
    quadratic: np.ndarray
    sums: np.ndarray
    G: np.ndarray
    g: np.ndarray | None

    def value(self, theta: np.ndarray) -> float:
        """The dual value; the norm is taken of the mixture, and not from products of its parts."""
        problem = self.problem
        value = float(self.linear @ theta)
        if isinstance(problem.loss, Softmax):
            weight = np.ones(len(self.sums)) if problem.sample_weight is None else problem.sample_weight
            t = theta[0]
            rest = x_log_x(np.maximum(0, 1 - t * self.sums))
            value -= float(weight @ (rest + x_log_x(t) * self.sums)) / len(self.sums)
        elif is_smooth(problem.loss):
            value -= 0.5 * float(self.quadratic[0, 0]) * theta[0] ** 2
        G = np.tensordot(theta, self.G, axes=1)
        value -= float(np.vdot(G, G)) / (2 * problem.alpha)
        if self.g is not None and problem.alpha_intercept > 0:
            g = theta @ self.g
            value -= float(g @ g) / (2 * problem.alpha_intercept)
        return value

    def curvature(self) -> np.ndarray:
        """``quadratic`` with the part of the penalty."""
        flat = self.G.reshape(len(self.G), -1)
        H = self.quadratic + flat @ flat.T / self.problem.alpha
        if self.g is not None and self.problem.alpha_intercept > 0:
            H += self.g @ self.g.T / self.problem.alpha_intercept
        return H


def best_mixture(candidates: Candidates, intercept: bool, choose: bool = True) -> tuple[float, np.ndarray]:
    """The best dual value of mixtures, and the shares of the candidates in it; not more than 1 in all, but for squared losses.

    Without ``choose`` the first candidate is taken as it is. All mixtures are valid: the boxes are convex and hold 0.
    """
    problem = candidates.problem
    group = max(1, GRADIENTS // (8 * candidates.n_classes * problem.samples.X.shape[1]))
    best, shares = -np.inf, np.zeros(candidates.count)
    for first in range(0, candidates.count, group):
        chosen = range(first, min(first + group, candidates.count))
        terms = _terms(candidates, chosen, intercept)
        theta = _choose(terms) if choose else np.ones(1)
        value = terms.value(theta)
        if value > best:
            best, shares = value, np.zeros(candidates.count)
            shares[chosen] = theta
    return best, shares


def _terms(candidates: Candidates, chosen: range, intercept: bool) -> Terms:
    """One pass over the samples."""
    problem, C, m = candidates.problem, candidates.n_classes, len(chosen)
    samples, y, n = problem.samples, problem.y, problem.samples.n_rows
    G = np.zeros((m * C, samples.X.shape[1]))
    g, linear, quadratic, sums = np.zeros(m * C), np.zeros(m), np.zeros((m, m)), np.zeros(n)
    for rows in row_blocks(samples.X, SPARSE_BLOCK if samples.is_sparse else BLOCK):
        labels = y[rows]
        weight = np.ones(len(labels)) if problem.sample_weight is None else problem.sample_weight[rows]
        D = np.empty((len(labels), m * C))
        for place, k in enumerate(chosen):
            a = candidates(k, rows)
            if isinstance(problem.loss, Softmax):
                sums[rows] = a.sum(axis=1)
                linear[place] -= weight @ x_log_x(a).sum(axis=1)
            elif is_smooth(problem.loss):
                quadratic[place, place] += 0.5 * (weight @ np.einsum("ij,ij->i", a, a)) / n
                linear[place] += problem.loss.delta * (weight @ a.sum(axis=1))  # type: ignore[union-attr]
            else:
                linear[place] += weight @ worth(a, problem.loss)
            a = a * -weight[:, None]
            a[np.arange(len(a)), labels] = -a.sum(axis=1)
            D[:, place * C : (place + 1) * C] = a
        g += D.sum(axis=0)
        x = take_slice(samples.X, rows)
        if samples.is_sparse:
            G += (x.T @ D).T
        else:
            x = as_numbers(x)
            if samples.mean is not None:
                x -= samples.mean
            G += D.T @ x
    if samples.inverse_scale is not None:
        G *= samples.inverse_scale
    return Terms(problem, linear / n, quadratic, sums, G.reshape(m, C, -1) / n, g.reshape(m, C) / n if intercept else None)


def _choose(terms: Terms) -> np.ndarray:
    """The shares with the largest dual value."""
    from scipy.optimize import minimize_scalar

    if isinstance(terms.problem.loss, Softmax):
        t = minimize_scalar(lambda t: -terms.value(np.array([t])), bounds=(0, 1), method="bounded", options={"xatol": 1e-9}).x
        return np.array([max((1.0, t), key=lambda t: terms.value(np.array([t])))])
    return largest(terms.linear, terms.curvature(), np.inf if is_smooth(terms.problem.loss) else 1.0)[1]
