"""The peers of compare.py that train: one objective, each library's way of computing it.

    L(W, b) = (1/n) Σᵢ Σ_{j≠yᵢ} max(0, s_ij − s_iyᵢ + 1) + ALPHA ½‖W‖²,      s = X Wᵀ + b

A contender is built from a `Problem` and has two methods. ``full_pass`` returns (L, dW, db) at the problem's weights;
``epoch`` starts from them with zero velocity, makes the minibatch updates in the given order,
``v ← MOMENTUM v + g;  W ← W − LEARNING_RATE v``, and returns (mean batch objective, W, b). Both return the library's own
arrays. Whatever a user would do once (converting the data, compiling, allocating buffers) is done in ``__init__``.
JAX's way is in ``peers_jax.py``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

ALPHA = 1e-3
LEARNING_RATE = 1e-4
MOMENTUM = 0.9
BATCH = 256

Result = tuple[Any, Any, Any]


class Problem(NamedTuple):
    """What a contender is given.

    ``X`` (n_samples, n_features) in the contender's storage; ``y`` (n_samples,) int64; ``W`` (n_classes, n_features) and ``b``
    (n_classes,) weights at which to evaluate; ``order`` (n_samples,) int64, in which an epoch visits the samples; ``mean`` and
    ``scale`` (n_features,) float64 where the samples are ``(X − mean) / scale``, else ``None``.
    """

    X: np.ndarray
    y: np.ndarray
    W: np.ndarray
    b: np.ndarray
    order: np.ndarray
    mean: np.ndarray | None = None
    scale: np.ndarray | None = None


def block_rows(problem: Problem) -> int:
    """Rows worked on together by those who gain from it: few enough for the temporaries to stay in cache, many enough for
    the matrix products.
    """
    return min(len(problem.y), 2500 if len(problem.W) < 64 else 5000)


class Numpy:
    """By hand, in blocks of rows, in place. With float64 arrays it is the reference."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        self.p = problem
        self.block = block_rows(problem)
        rows, (classes, features), dtype = max(self.block, BATCH), problem.W.shape, problem.W.dtype
        self.gathered = np.empty((BATCH, features), dtype)
        self.scores = np.empty((rows, classes), dtype)
        self.dW = np.empty_like(problem.W)
        self.rows, self.per_class, self.per_row = np.arange(rows), np.ones(classes, dtype), np.ones(rows, dtype)

    def sums(self, X: np.ndarray, y: np.ndarray, W: np.ndarray, b: np.ndarray) -> Result:
        """Loss and gradient without the penalty, summed over the rows of ``X``. Sums by BLAS are faster than NumPy's."""
        n = len(y)
        rows, scores = self.rows[:n], self.scores[:n]
        np.matmul(X, W.T, out=scores)
        scores += b
        scores -= (scores[rows, y] - scores.dtype.type(1))[:, None]
        scores[rows, y] = 0
        np.maximum(scores, 0, out=scores)
        loss = (scores @ self.per_class).sum(dtype=np.float64)
        dscores = np.greater(scores, 0, out=scores)
        dscores[rows, y] = -(dscores @ self.per_class)
        return loss, np.matmul(dscores.T, X, out=self.dW), self.per_row[:n] @ dscores

    def full_pass(self) -> Result:
        X, y, W, b = self.p.X, self.p.y, self.p.W, self.p.b
        loss, dW, db = 0.0, np.zeros_like(W), np.zeros_like(b)
        for start in range(0, len(y), self.block):
            block = slice(start, start + self.block)
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
    """The loss written out and compiled; the first call may take most of a minute."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.loss = self.torch.compile(self.data_loss)

    def data_loss(self, W: Any, b: Any, X: Any, y: Any) -> Any:
        scores = self.torch.nn.functional.linear(X, W, b)
        return (scores - scores.gather(1, y[:, None]) + 1).clamp_min(0).sum() / len(y) - 1


class TorchByHand(TorchAutograd):
    """The gradient written out, in blocks of rows, in place in buffers allocated once."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        torch, (classes, features) = self.torch, problem.W.shape
        self.block = block_rows(problem)
        self.gathered = torch.empty(BATCH, features)
        self.scores = torch.empty(max(self.block, BATCH), classes)
        self.dW, self.db = torch.empty_like(self.W), torch.empty_like(self.b)
        self.step_dW = torch.empty_like(self.W)

    def sums(self, X: Any, y: Any, W: Any, b: Any) -> tuple[Any, Any]:
        """Loss, and its gradient on the scores, summed over the rows of ``X``; the margin of ``y`` itself is 1."""
        own = y[:, None]
        scores = self.torch.addmm(b, X, W.T, out=self.scores[: len(y)])
        scores.sub_(scores.gather(1, own).sub_(1)).clamp_(min=0)
        loss = scores.sum() - len(y)
        dscores = scores.sign_()
        return loss, dscores.scatter_(1, own, dscores.sum(1, keepdim=True).neg_().add_(1))

    def full_pass(self) -> Result:
        torch = self.torch
        with torch.no_grad():
            W, b, dW, db = self.W, self.b, self.dW.zero_(), self.db.zero_()
            loss = torch.zeros((), dtype=torch.float64)
            for X, y in zip(self.X.split(self.block), self.y.split(self.block), strict=True):
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
                torch.mm(dscores.T, X, out=self.step_dW)
                velocity_W.mul_(MOMENTUM).add_(self.step_dW).add_(W, alpha=ALPHA)
                velocity_b.mul_(MOMENTUM).add_(dscores.sum(0))
                W.sub_(velocity_W, alpha=LEARNING_RATE)
                b.sub_(velocity_b, alpha=LEARNING_RATE)
            return total.item() / len(self.y), W, b
