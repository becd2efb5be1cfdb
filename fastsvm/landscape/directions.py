"""Directions in the space of the weights: random ones, and what makes an array one."""

from __future__ import annotations

from typing import overload

import numpy as np

from fastsvm.validation import check_array, check_flag, check_integer, check_weights


@overload
def random_direction(
    W: np.ndarray, seed: int | np.random.Generator = ..., filter_normalized: bool = ..., b: None = ...
) -> np.ndarray: ...
@overload
def random_direction(
    W: np.ndarray, seed: int | np.random.Generator, filter_normalized: bool, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def random_direction(
    W: np.ndarray, seed: int | np.random.Generator = ..., filter_normalized: bool = ..., *, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]: ...


def random_direction(
    W: np.ndarray, seed: int | np.random.Generator = 0, filter_normalized: bool = False, b: np.ndarray | None = None
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Return a direction drawn from N(0, 1), with one for the intercept where there is one.

    Parameters
    ----------
    W : ndarray (n_classes, n_features), float32 or float64
    seed : int >= 0 or numpy.random.Generator
    filter_normalized : bool, default False
        Scale each class's row, with its entry of the intercept if ``b`` is given, to the length of the row of ``W`` and its
        entry of ``b``. A step of 1 is then as long as the weights, class by class, and landscapes of models of different size
        can be compared.
    b : ndarray (n_classes,), dtype of ``W``, optional

    Returns
    -------
    direction : ndarray, shape and dtype of ``W``
    direction_b : ndarray, shape and dtype of ``b``; only if ``b`` is given

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit; with ``filter_normalized`` also where a row has norm 0.

    References
    ----------
    H. Li, Z. Xu, G. Taylor, C. Studer and T. Goldstein, "Visualizing the loss landscape of neural nets", NeurIPS 2018: a
    linear classifier's filters are the rows of ``W``.

    Examples
    --------
    >>> import numpy as np
    >>> W = np.array([[3.0, 4.0], [0.0, 0.5]])
    >>> np.linalg.norm(random_direction(W, seed=1, filter_normalized=True), axis=1).round(12).tolist()
    [5.0, 0.5]
    """
    W, b = check_weights(W, b)
    rng = seed if isinstance(seed, np.random.Generator) else np.random.default_rng(check_integer("seed", seed, at_least=0))
    rows = W if b is None else np.column_stack([W, b])
    drawn = rng.standard_normal(rows.shape)
    if check_flag("filter_normalized", filter_normalized):
        lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
        if (lengths == 0).any():
            raise ValueError(
                f"W must have no row of norm 0 (b included) with filter_normalized=True, which takes the length of each; "
                f"W[{int((lengths == 0).argmax())}] has norm 0. Leave filter_normalized out, or take trained weights"
            )
        drawn *= (lengths / np.linalg.norm(drawn, axis=1))[:, None]
    direction = np.ascontiguousarray(drawn[:, : W.shape[1]], dtype=W.dtype)
    return direction if b is None else (direction, drawn[:, -1].astype(b.dtype))


def check_direction(
    W: np.ndarray, b: np.ndarray | None, direction: np.ndarray, direction_b: np.ndarray | None, name: str = "direction"
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a direction for ``W`` and one for ``b``; without the latter the intercept stays as it is."""
    direction = check_array(name, direction, dtypes=(W.dtype.name,), shape=W.shape)
    if direction_b is None:
        return direction, None if b is None else np.zeros_like(b)
    if b is None:
        raise ValueError(f"{name}_b must be None where there is no intercept b to move; got shape {np.shape(direction_b)}")
    return direction, check_array(f"{name}_b", direction_b, dtypes=(W.dtype.name,), shape=b.shape)
