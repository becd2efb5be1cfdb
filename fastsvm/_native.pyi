from typing import Any

import numpy as np

def openmp() -> bool: ...
def openmp_version() -> int: ...
def simd_levels() -> list[str]: ...
def simd_level() -> str: ...
def set_simd_level(name: str) -> None: ...

refused_level: str | None

def run(
    W: np.ndarray,
    b: np.ndarray | None,
    X: np.ndarray,
    storage: int,
    mean: np.ndarray | None,
    inverse_scale: np.ndarray | None,
    n_threads: int,
    **job: Any,
) -> tuple[int, int]: ...
def combination_losses(
    scores: np.ndarray,
    coefficients: np.ndarray,
    base: np.ndarray | None,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    loss: int,
    delta: float,
    out: np.ndarray,
    n_threads: int,
) -> None: ...
def score_loss(
    scores: np.ndarray,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    loss: int,
    delta: float,
    want_gradient: bool,
    n_threads: int,
) -> float: ...
def byte_moments(X: np.ndarray, sums: np.ndarray, squares: np.ndarray) -> None: ...
def dual_stride(like: np.ndarray, n_classes: int, dense: bool) -> int: ...
def dual_pass(
    W: np.ndarray,
    b: np.ndarray | None,
    a: np.ndarray,
    X: np.ndarray | None,
    storage: int,
    shift: np.ndarray | None,
    factors: np.ndarray | None,
    csr: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
    y: np.ndarray,
    weight: np.ndarray | None,
    loss: int,
    delta: float,
    scale: float,
    square: float,
    order: np.ndarray,
    certify: bool,
    gaps: np.ndarray,
    n_threads: int,
) -> tuple[float, float]: ...
def updates_made(x: Any, dx: Any, state: tuple[Any, ...]) -> int: ...
def environment(name: str) -> str | None: ...
def step(
    rule: int, coefficients: np.ndarray, x: np.ndarray, dx: np.ndarray, slots: tuple[np.ndarray, ...], n_threads: int
) -> None: ...
