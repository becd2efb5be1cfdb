"""What compare.py measures: works, the scenes in which they are done, and who takes part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import contenders
import limits
import peers
import peers_jax
import problems
import searches
import steps
from problems import STORAGES, Expected, expected_training


class Contender(NamedTuple):
    """``group`` is "fastsvm", "peer" or "limit"; ``package`` is what must be installed; ``tasks`` are names of methods.

    ``build`` makes one from a folder and a number of threads, ``expected`` says what it should find in a folder for a task.
    ``limit`` names the limit it is compared with, and how many times as long that takes for this storage. Only ``default``
    contenders take part without being asked for.
    """

    label: str
    group: str
    storage: str
    package: str
    build: Callable[[Path, int], Any]
    expected: Callable[[Path, str], Expected]
    tasks: tuple[str, ...] = ("full_pass",)
    limit: tuple[str, float] | None = None
    default: bool = True


class Scene(NamedTuple):
    """Contenders that live at the same time, on one problem of ``size`` samples (or parameters)."""

    shape: str
    size: int
    quick_size: int
    draw: Callable[[Path, int], None]
    contenders: dict[str, Contender]


class Work(NamedTuple):
    """A task in a scene. In a turn ``warm_up`` samples are taken that do not count and ``samples`` that do, each the mean of
    ``calls`` calls in a row. ``tolerance`` is for float32: a margin whose sign differs from the reference's moves the
    gradient by one sample's share.
    """

    title: str
    scene: str
    task: str
    tolerance: float
    samples: int = 3
    warm_up: int = 1
    calls: int = 1


TRAINING = ("full_pass", "epoch")


def _ours(backend: str, storage: str, **options: Any) -> Contender:
    limit = ("read-uint8", 1.0) if STORAGES[storage] == 1 else ("read", STORAGES[storage] / 4)
    return Contender(
        f"fastsvm {backend}", "fastsvm", storage, "fastsvm",
        lambda folder, n_threads: contenders.Fastsvm(folder, n_threads, backend=backend, storage=storage),
        lambda folder, task: expected_training(folder, task, problems.values(storage)),
        **{"limit": limit, **options},
    )  # fmt: skip


def _peer(label: str, package: str, kind: Callable[..., Any], storage: str = "float32", **options: Any) -> Contender:
    return Contender(
        label, "peer", storage, package,
        lambda folder, n_threads: kind(problems.load(folder, storage), n_threads),
        lambda folder, task: expected_training(folder, task, problems.values(storage)),
        **{"limit": ("read", STORAGES[storage] / 4), **options},
    )  # fmt: skip


def _read(storage: str) -> Contender:
    return Contender(
        "read X once", "limit", storage, "numpy",
        lambda folder, n_threads: limits.read_samples(folder, n_threads, storage=storage),
        lambda folder, task: limits.expected_read(folder, storage), TRAINING,
    )  # fmt: skip


def _sgemm(label: str, threads: int | None, task: str) -> Contender:
    return Contender(
        label, "limit", "float32", "numpy",
        lambda folder, n_threads: limits.Sgemm(folder, n_threads, threads=threads),
        lambda folder, task: limits.expected_sgemm(),
        (task,),
    )  # fmt: skip


def _adam(label: str, group: str, package: str, build: Callable[[Path, int], Any], **options: Any) -> Contender:
    return Contender(label, group, "float32", package, build, lambda folder, task: steps.expected(folder), ("step",), **options)


IMAGES = {
    "native": _ours("native", "float32", tasks=TRAINING),
    "native-uint8": _ours("native", "uint8", tasks=TRAINING),
    "native-int8": _ours("native", "int8"),
    "native-float16": _ours("native", "float16"),
    "native-bfloat16": _ours("native", "bfloat16"),
    "numba": _ours("numba", "float32", tasks=TRAINING),
    "numba-uint8": _ours("numba", "uint8", tasks=TRAINING),
    "numpy": _peer("NumPy", "numpy", peers.Numpy, tasks=TRAINING),
    "torch": _peer("PyTorch, autograd", "torch", peers.TorchAutograd, tasks=TRAINING),
    "torch-hand": _peer("PyTorch, gradient by hand", "torch", peers.TorchByHand, tasks=TRAINING),
    # Takes most of a minute to begin with and has been no faster than eager PyTorch.
    "torch-compile": _peer("PyTorch, torch.compile", "torch", peers.TorchCompile, tasks=TRAINING, default=False),
    "jax": _peer("JAX, jit and scan", "jax", peers_jax.Jax, tasks=TRAINING),
    "jax-blocks": _peer("JAX, scan over blocks", "jax", peers_jax.JaxBlocks, default=False),
    "read": _read("float32"),
    "read-uint8": _read("uint8"),
}

FLOAT64 = {
    "native-float64": _ours("native", "float64", limit=("read", 1.0)),
    "numpy-float64": _peer("NumPy", "numpy", peers.Numpy, "float64", limit=("read", 1.0)),
    "read": _read("float64"),
}

MANY = ("sgemm", 1.0)
MANY_CLASSES = {
    "native": _ours("native", "float32", limit=MANY),
    "numpy": _peer("NumPy", "numpy", peers.Numpy, limit=MANY),
    # Those that keep all scores at once have been half as fast.
    "torch": _peer("PyTorch, autograd", "torch", peers.TorchAutograd, limit=MANY, default=False),
    "torch-hand": _peer("PyTorch, gradient by hand", "torch", peers.TorchByHand, limit=MANY),
    "torch-compile": _peer("PyTorch, torch.compile", "torch", peers.TorchCompile, limit=MANY, default=False),
    "jax": _peer("JAX, jit", "jax", peers_jax.Jax, limit=MANY, default=False),
    "jax-blocks": _peer("JAX, scan over blocks", "jax", peers_jax.JaxBlocks, limit=MANY),
    "sgemm": _sgemm("as many products in NumPy's sgemm", None, "full_pass"),
    "sgemm-one-core": _sgemm("the same on one core", 1, "full_pass"),
}

ADAM = {
    "native": _adam("fastsvm native", "fastsvm", "fastsvm", lambda f, n: steps.FastsvmAdam(f, n, backend="native")),
    "numba": _adam("fastsvm numba", "fastsvm", "fastsvm", lambda f, n: steps.FastsvmAdam(f, n, backend="numba")),
    "torch": _adam("PyTorch, fused Adam", "peer", "torch", steps.TorchAdam),
}
READ_ADAM = Contender(
    "read as many bytes", "limit", "float32", "numpy", limits.read_adam,
    lambda folder, task: limits.expected_read_adam(folder), ("step",),
)  # fmt: skip
LARGE_ADAM = {**{key: contender._replace(limit=("read", 1.0)) for key, contender in ADAM.items()}, "read": READ_ADAM}

CANDIDATES = {
    "native": Contender(
        "fastsvm native", "fastsvm", "uint8", "fastsvm",
        lambda folder, n_threads: contenders.FastsvmCandidates(folder, n_threads, backend="native"),
        lambda folder, task: contenders.expected_losses(folder), ("losses",), ("sgemm", 1.0),
    ),
    "sgemm": _sgemm("as many products in NumPy's sgemm", None, "losses"),
}  # fmt: skip

SEARCHES = {
    "native": Contender(
        "fastsvm native", "fastsvm", "uint8", "fastsvm",
        lambda folder, n_threads: searches.FastsvmSearch(folder, n_threads, backend="native"),
        searches.expected, ("random", "local"),
    ),
    "torch": Contender(
        "PyTorch, a product per group", "peer", "float32", "torch",
        searches.TorchSearch, searches.expected, ("random", "local"),
    ),
}  # fmt: skip

SCENES = {
    "images": Scene("{:,} × 3,072 × 10", 50_000, 2000, problems.draw_images, IMAGES),
    "float64": Scene("{:,} × 3,072 × 10", 50_000, 2000, problems.draw_images, FLOAT64),
    "many-classes": Scene("{:,} × 768 × 1,000", 100_000, 1000, problems.draw_embeddings, MANY_CLASSES),
    "adam": Scene("{:,} parameters", 30_730, 30_730, steps.draw, ADAM),
    "adam-large": Scene("{:,} parameters", 10_000_000, 1_000_000, steps.draw, LARGE_ADAM),
    "candidates": Scene(
        "{:,} × 3,072, a candidate of 10 classes per 50 samples", 50_000, 1000, problems.draw_candidates, CANDIDATES
    ),
    "search": Scene("{:,} × 3,072 × 10, an attempt per 50 samples", 50_000, 1000, searches.draw, SEARCHES),
}

WORKS = {
    "pass": Work("full pass", "images", "full_pass", 1e-4),
    "epoch": Work("epoch of minibatches of 256 with momentum", "images", "epoch", 1e-3, samples=2),
    "float64": Work("full pass, float64", "float64", "full_pass", 1e-9),
    "classes": Work("full pass, many classes", "many-classes", "full_pass", 1e-3, samples=1),
    "adam": Work("Adam step", "adam", "step", 1e-3, calls=1000),
    "adam-large": Work("Adam step", "adam-large", "step", 1e-3, calls=5),
    "losses": Work("losses of many candidates", "candidates", "losses", 1e-5, samples=1, warm_up=0),
    "search": Work("random search", "search", "random", 3e-5, samples=1, warm_up=0),
    "local-search": Work("random local search", "search", "local", 3e-5, samples=1, warm_up=0),
}
