"""JAX's way of computing what ``peers.py`` states."""

from __future__ import annotations

from typing import Any

from peers import ALPHA, BATCH, LEARNING_RATE, MOMENTUM, Problem, Result, block_rows


class Jax:
    """``jit(value_and_grad)``, and an epoch that is one ``lax.scan`` over the permuted indices with donated weights."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp = jax, jnp
        self.X, self.y = jnp.asarray(problem.X), jnp.asarray(problem.y, dtype=jnp.int32)
        self.order = jnp.asarray(problem.order, dtype=jnp.int32)
        self.weights = jnp.asarray(problem.W), jnp.asarray(problem.b)
        self.value_and_grad = jax.jit(jax.value_and_grad(self.objective))
        self.compiled_epoch = jax.jit(self.scan, donate_argnums=(0, 1))

    def margins(self, weights: Any, X: Any, y: Any) -> Any:
        """Sum of the margin violations, and 1 per row for the row's own class."""
        W, b = weights
        scores = X @ W.T + b
        return self.jnp.maximum(0, scores - self.jnp.take_along_axis(scores, y[:, None], axis=1) + 1).sum()

    def objective(self, weights: Any, X: Any, y: Any) -> Any:
        return self.margins(weights, X, y) / len(y) - 1 + 0.5 * ALPHA * (weights[0] * weights[0]).sum()

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


class JaxBlocks(Jax):
    """The full pass as a ``lax.scan`` over blocks of rows: with many classes the scores of a block stay in cache."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.block = block_rows(problem)
        self.compiled_pass = self.jax.jit(self.blocks)

    def blocks(self, weights: Any, X: Any, y: Any) -> tuple[Any, Any]:
        tree_map, n = self.jax.tree.map, len(y)

        def add(sums: Any, block: Any) -> tuple[Any, None]:
            return tree_map(lambda a, b: a + b, sums, self.jax.value_and_grad(self.margins)(weights, *block)), None

        whole = n // self.block * self.block
        sums = (self.jnp.zeros(()), tree_map(self.jnp.zeros_like, weights))
        in_blocks = X[:whole].reshape(-1, self.block, X.shape[1]), y[:whole].reshape(-1, self.block)
        sums, _ = self.jax.lax.scan(add, sums, in_blocks)
        if whole < n:
            sums, _ = add(sums, (X[whole:], y[whole:]))
        margins, (dW, db) = sums
        W = weights[0]
        return margins / n - 1 + 0.5 * ALPHA * (W * W).sum(), (dW / n + ALPHA * W, db / n)

    def full_pass(self) -> Result:
        loss, (dW, db) = self.jax.block_until_ready(self.compiled_pass(self.weights, self.X, self.y))
        return loss, dW, db
