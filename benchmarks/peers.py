"""The contenders of compare.py: one objective, each library's way of computing it.

    L(W, b) = (1/n) Σᵢ Σ_{j≠yᵢ} max(0, s_ij − s_iyᵢ + 1) + ALPHA ½‖W‖²,      s = X Wᵀ + b

A contender is built from a `Problem` and has two methods. ``full_pass`` returns (L, dW, db) at the problem's weights;
``epoch`` starts from them with zero velocity, makes the minibatch updates in the given order,
``v ← MOMENTUM v + g;  W ← W − LEARNING_RATE v``, and returns (mean batch objective, W, b). Both return the library's own
arrays. Whatever a user would do once (converting the data, compiling, allocating buffers) is done in ``__init__``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ALPHA = 1e-3
LEARNING_RATE = 1e-4
MOMENTUM = 0.9
BATCH = 256
ORDER_SEED = 1

#: Rows whose scores are worked on together where a peer gains from it: its temporaries then stay in cache.
BLOCK = 2500

Result = tuple[Any, Any, Any]


class Problem(NamedTuple):
    """Arrays as in `suites.synthetic.Images`, and the order (n_samples,) int64 in which an epoch visits the samples."""

    pixels: np.ndarray
    X: np.ndarray
    y: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    W: np.ndarray
    b: np.ndarray
    order: np.ndarray

    def save(self, folder: Path) -> None:
        for name, array in zip(self._fields, self, strict=True):
            np.save(folder / f"{name}.npy", array)

    @classmethod
    def load(cls, folder: Path, unused: tuple[str, ...] = ()) -> Problem:
        """Read the arrays into memory, but for those ``unused``, which stay on disk."""
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r" if name in unused else None) for name in cls._fields))


class Numpy:
    """By hand, in blocks of rows, in place where NumPy can. With float64 arrays it is the reference."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        self.p = problem
        self.gathered = np.empty((BATCH, problem.X.shape[1]), dtype=problem.X.dtype)

    def sums(self, X: np.ndarray, y: np.ndarray, W: np.ndarray, b: np.ndarray) -> Result:
        """Loss and gradient without the penalty, summed over the rows of ``X``."""
        rows = np.arange(len(y))
        scores = X @ W.T
        scores += b
        scores -= (scores[rows, y] - scores.dtype.type(1))[:, None]
        scores[rows, y] = 0
        np.maximum(scores, 0, out=scores)
        loss = scores.sum(dtype=np.float64)
        dscores = np.sign(scores, out=scores)
        dscores[rows, y] = -dscores.sum(axis=1)
        return loss, dscores.T @ X, dscores.sum(axis=0)

    def full_pass(self) -> Result:
        X, y, W, b = self.p.X, self.p.y, self.p.W, self.p.b
        blocks = (slice(start, start + BLOCK) for start in range(0, len(y), BLOCK))
        loss, dW, db = 0.0, np.zeros_like(W), np.zeros_like(b)
        for block in blocks:
            part, block_dW, block_db = self.sums(X[block], y[block], W, b)
            loss += part
            dW += block_dW
            db += block_db
        dW /= len(y)
        dW += W.dtype.type(ALPHA) * W
        db /= len(y)
        return loss / len(y) + 0.5 * ALPHA * np.vdot(W, W), dW, db

    def epoch(self) -> Result:
        X, y = self.p.X, self.p.y
        W, b = self.p.W.copy(), self.p.b.copy()
        velocity_W, velocity_b = np.zeros_like(W), np.zeros_like(b)
        real = W.dtype.type
        total = 0.0
        for start in range(0, len(y), BATCH):
            index = self.p.order[start : start + BATCH]
            batch = np.take(X, index, axis=0, out=self.gathered[: len(index)], mode="clip")
            loss, dW, db = self.sums(batch, y[index], W, b)
            total += loss + len(index) * 0.5 * ALPHA * np.vdot(W, W)
            dW /= len(index)
            dW += real(ALPHA) * W
            velocity_W *= real(MOMENTUM)
            velocity_W += dW
            velocity_b *= real(MOMENTUM)
            velocity_b += db / real(len(index))
            W -= real(LEARNING_RATE) * velocity_W
            b -= real(LEARNING_RATE) * velocity_b
        return total / len(y), W, b


class TorchAutograd:
    """Eager: fused loss (``multi_margin_loss`` divides by the number of classes), autograd, fused optimizer."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        import torch

        torch.set_num_threads(n_threads)
        self.torch = torch
        self.p = problem
        self.X, self.y, self.order = (torch.from_numpy(a) for a in (problem.X, problem.y, problem.order))
        self.loss = self.data_loss
        self.W, self.b = self.parameters()

    def parameters(self) -> tuple[Any, Any]:
        W, b = (self.torch.from_numpy(a.copy()).requires_grad_() for a in (self.p.W, self.p.b))
        return W, b

    def data_loss(self, W: Any, b: Any, X: Any, y: Any) -> Any:
        functional = self.torch.nn.functional
        return len(W) * functional.multi_margin_loss(functional.linear(X, W, b), y)

    def full_pass(self) -> Result:
        self.W.grad = self.b.grad = None
        loss = self.loss(self.W, self.b, self.X, self.y) + 0.5 * ALPHA * self.W.square().sum()
        loss.backward()
        return loss.item(), self.W.grad, self.b.grad

    def epoch(self) -> Result:
        torch = self.torch
        W, b = self.parameters()
        groups = [{"params": [W], "weight_decay": ALPHA}, {"params": [b]}]
        optimizer = torch.optim.SGD(groups, lr=LEARNING_RATE, momentum=MOMENTUM, fused=True)
        total = torch.zeros(())
        for index in self.order.split(BATCH):
            loss = self.loss(W, b, self.X.index_select(0, index), self.y[index])
            with torch.no_grad():
                total += len(index) * (loss + 0.5 * ALPHA * W.square().sum())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return total.item() / len(self.y), W.detach(), b.detach()


class TorchCompile(TorchAutograd):
    """The loss written out and compiled; the first call takes most of a minute."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.loss = self.torch.compile(self.data_loss)

    def data_loss(self, W: Any, b: Any, X: Any, y: Any) -> Any:
        scores = self.torch.nn.functional.linear(X, W, b)
        return (scores - scores.gather(1, y[:, None]) + 1).clamp_min(0).sum() / len(y) - 1


class TorchByHand(TorchAutograd):
    """The gradient written out, in blocks of rows, in place."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.gathered = self.torch.empty(BATCH, problem.X.shape[1])
        self.dW = self.torch.empty_like(self.W)

    def sums(self, X: Any, y: Any, W: Any, b: Any) -> tuple[Any, Any]:
        """Loss, and its gradient on the scores, summed over the rows of ``X``; the margin of ``y`` itself is 1."""
        scores = self.torch.addmm(b, X, W.T)
        scores.sub_(scores.gather(1, y[:, None]) - 1).clamp_(min=0)
        loss = scores.sum() - len(y)
        dscores = scores.sign_()
        return loss, dscores.scatter_(1, y[:, None], 1 - dscores.sum(1, keepdim=True))

    def full_pass(self) -> Result:
        torch = self.torch
        with torch.no_grad():
            W, b = self.W, self.b
            dW, db, loss = torch.zeros_like(W), torch.zeros_like(b), torch.zeros((), dtype=torch.float64)
            for X, y in zip(self.X.split(BLOCK), self.y.split(BLOCK), strict=True):
                block_loss, dscores = self.sums(X, y, W, b)
                loss += block_loss
                dW.addmm_(dscores.T, X)
                db += dscores.sum(0)
            dW.div_(len(self.y)).add_(W, alpha=ALPHA)
            return loss.item() / len(self.y) + 0.5 * ALPHA * W.square().sum().item(), dW, db.div_(len(self.y))

    def epoch(self) -> Result:
        torch = self.torch
        with torch.no_grad():
            W, b = (a.detach() for a in self.parameters())
            velocity_W, velocity_b = torch.zeros_like(W), torch.zeros_like(b)
            total = torch.zeros(())
            for index in self.order.split(BATCH):
                X = torch.index_select(self.X, 0, index, out=self.gathered[: len(index)])
                loss, dscores = self.sums(X, self.y[index], W, b)
                total += loss + len(index) * 0.5 * ALPHA * W.square().sum()
                dscores.div_(len(index))
                torch.mm(dscores.T, X, out=self.dW)
                velocity_W.mul_(MOMENTUM).add_(self.dW).add_(W, alpha=ALPHA)
                velocity_b.mul_(MOMENTUM).add_(dscores.sum(0))
                W.sub_(velocity_W, alpha=LEARNING_RATE)
                b.sub_(velocity_b, alpha=LEARNING_RATE)
            return total.item() / len(self.y), W, b


class Jax:
    """``jit(value_and_grad)``, and an epoch that is one ``lax.scan`` over the permuted indices with donated weights."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp, self.p = jax, jnp, problem
        self.X, self.y = jnp.asarray(problem.X), jnp.asarray(problem.y, dtype=jnp.int32)
        self.order = jnp.asarray(problem.order, dtype=jnp.int32)
        self.weights = jnp.asarray(problem.W), jnp.asarray(problem.b)
        self.value_and_grad = jax.jit(jax.value_and_grad(self.objective))
        self.compiled_epoch = jax.jit(self.scan, donate_argnums=(0, 1))

    def objective(self, weights: Any, X: Any, y: Any) -> Any:
        W, b = weights
        scores = X @ W.T + b
        margins = self.jnp.maximum(0, scores - self.jnp.take_along_axis(scores, y[:, None], axis=1) + 1)
        return margins.sum() / len(y) - 1 + 0.5 * ALPHA * (W * W).sum()

    def full_pass(self) -> Result:
        loss, (dW, db) = self.jax.block_until_ready(self.value_and_grad(self.weights, self.X, self.y))
        return loss, dW, db

    def scan(self, weights: Any, velocity: Any, X: Any, y: Any, order: Any) -> tuple[Any, Any]:
        tree_map = self.jax.tree.map

        def update(carry: Any, index: Any) -> tuple[Any, Any]:
            weights, velocity = carry
            loss, gradient = self.jax.value_and_grad(self.objective)(weights, X[index], y[index])
            velocity = tree_map(lambda v, g: MOMENTUM * v + g, velocity, gradient)
            weights = tree_map(lambda w, v: w - LEARNING_RATE * v, weights, velocity)
            return (weights, velocity), loss * len(index)

        whole = len(order) // BATCH * BATCH
        carry, losses = self.jax.lax.scan(update, (weights, velocity), order[:whole].reshape(-1, BATCH), unroll=2)
        total = losses.sum()
        if whole < len(order):
            carry, loss = update(carry, order[whole:])
            total += loss
        return total / len(order), carry

    def epoch(self) -> Result:
        weights = self.jax.tree.map(self.jnp.copy, self.weights)
        velocity = self.jax.tree.map(self.jnp.zeros_like, self.weights)
        loss, ((W, b), _) = self.jax.block_until_ready(self.compiled_epoch(weights, velocity, self.X, self.y, self.order))
        return loss, W, b
