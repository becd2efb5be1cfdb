"""How many threads a call uses, and which backend it goes to."""

from __future__ import annotations

import os

import numpy as np
import pytest

import fastsvm
from fastsvm import backends
from fastsvm.backends import threads
from fastsvm.backends.threads import available_cores, resolve_threads

CORES = 6


@pytest.fixture
def machine(monkeypatch):
    """Six cores, no limit, nothing in the environment."""
    for name in threads.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "available_cores", lambda: CORES)
    monkeypatch.setattr(threads, "_counted", (float("-inf"), 1))
    return monkeypatch


# resolve_threads


def test_precedence(machine):
    assert resolve_threads(None) == CORES
    machine.setenv("OMP_NUM_THREADS", "3")
    assert resolve_threads(None) == 3
    machine.setenv("FASTSVM_NUM_THREADS", "2")
    assert resolve_threads(None) == 2
    assert resolve_threads(5) == 5
    machine.setenv("FASTSVM_NUM_THREADS", "")
    assert resolve_threads(None) == 3
    machine.setenv("OMP_NUM_THREADS", " ")
    assert resolve_threads(None) == CORES


def test_the_environment_is_read_at_every_call(machine):
    for count in (4, 1, 3):
        machine.setenv("FASTSVM_NUM_THREADS", str(count))
        assert resolve_threads(None) == count


@pytest.mark.parametrize(("n_threads", "expected"), [(-1, 6), (-2, 5), (-6, 1), (-7, 1), (-100, 1), (1, 1), (6, 6), (64, 64)])
def test_counts(machine, n_threads, expected):
    assert resolve_threads(n_threads) == expected
    assert resolve_threads(np.int64(n_threads)) == expected
    machine.setenv("OMP_NUM_THREADS", str(n_threads))
    assert resolve_threads(None) == expected


def test_the_first_number_of_nested_openmp_levels_counts(machine):
    machine.setenv("OMP_NUM_THREADS", "4,2,1")
    assert resolve_threads(None) == 4


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (0, ValueError, "n_threads must not be 0"), ("2", TypeError, "n_threads must be an integer; got '2'"),
        (1.5, TypeError, "n_threads must be an integer"), (True, TypeError, "n_threads must be an integer"),
    ],
)  # fmt: skip
def test_bad_counts(machine, bad, error, message):
    machine.setenv("FASTSVM_NUM_THREADS", "2")
    with pytest.raises(error, match=f"^{message}"):
        resolve_threads(bad)


@pytest.mark.parametrize("name", threads.ENVIRONMENT)
@pytest.mark.parametrize("text", ["two", "1.5", "0", "2x", "0x2"])
def test_bad_text_in_the_environment(machine, name, text):
    machine.setenv(name, text)
    with pytest.raises(ValueError, match=f"^{name} must (be an integer; got '{text}'|not be 0)"):
        resolve_threads(None)
    assert resolve_threads(2) == 2


# The control group's quota


def group(tmp_path, **files: str):
    for name, text in files.items():
        path = tmp_path / {"max": "cpu.max", "quota": "cpu/cpu.cfs_quota_us", "period": "cpu/cpu.cfs_period_us"}[name]
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return threads._quota(tmp_path)


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("200000 100000\n", 2), ("150000 100000\n", 2), ("100001 100000\n", 2), ("100000 100000\n", 1), ("50000 100000\n", 1),
        ("1000 100000\n", 1), ("800000 50000\n", 16), ("max 100000\n", None), ("max\n", None), ("\n", None),
        ("100000 0\n", None), ("a b\n", None),
    ],
)  # fmt: skip
def test_quota_of_version_2(tmp_path, text, cores):
    assert group(tmp_path, max=text) == cores


@pytest.mark.parametrize(
    ("quota", "period", "cores"),
    [
        ("300000\n", "100000\n", 3), ("250000\n", "100000\n", 3), ("-1\n", "100000\n", None), ("1\n", "0\n", None),
        ("x", "y", None),
    ],
)  # fmt: skip
def test_quota_of_version_1(tmp_path, quota, period, cores):
    assert group(tmp_path, quota=quota, period=period) == cores


def test_no_quota(tmp_path):
    assert threads._quota(tmp_path) is None
    assert threads._quota(tmp_path / "absent") is None
    assert group(tmp_path, quota="200000") is None


def test_cores_are_the_affinity_mask_capped_by_the_quota(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for quota, expected in ((None, 8), (3, 3), (1, 1), (100, 8)):
        monkeypatch.setattr(threads, "_quota", lambda quota=quota: quota)
        assert available_cores() == expected


def test_cores_where_there_is_no_affinity_mask(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(threads, "_quota", lambda: None)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert available_cores() == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores() == 1


# Which backend


@pytest.fixture
def unset(monkeypatch):
    monkeypatch.setattr(backends, "_selected", None)
    monkeypatch.delenv("FASTSVM_BACKEND", raising=False)
    return monkeypatch


def test_precedence_of_backends(unset):
    automatic = backends.use()
    assert automatic in ("native", "numba")
    for empty in ("", "auto"):
        unset.setenv("FASTSVM_BACKEND", empty)
        assert backends.use() == automatic
    unset.setenv("FASTSVM_BACKEND", "reference")
    assert backends.use() == "reference"
    fastsvm.set_backend("numba")
    assert backends.use() == "numba"
    assert backends.use("native") == "native"
    assert backends.use("auto") == automatic
    fastsvm.set_backend("auto")
    assert backends.use() == automatic


def test_auto_is_numba_only_where_native_has_no_openmp_to_use(unset):
    from fastsvm import _native

    for openmp, count, expected in ((True, 1, "native"), (True, 4, "native"), (False, 1, "native"), (False, 4, "numba")):
        unset.setattr(_native, "openmp", lambda openmp=openmp: openmp)
        unset.setattr(backends, "resolve_threads", lambda n, count=count: count)
        assert backends.use() == expected


@pytest.mark.parametrize(("name", "error"), [("cuda", ValueError), ("", ValueError), (None, TypeError), (3, TypeError)])
def test_bad_backends(unset, name, error):
    with pytest.raises(error, match=r"^backend must be one of 'auto', 'native', 'numba', 'reference'"):
        fastsvm.set_backend(name)
    assert backends._selected is None


def test_the_backend_named_is_the_one_that_computes(unset):
    assert [backends.get(name).__name__.rsplit(".", 1)[1] for name in backends.NAMES] == list(backends.NAMES)
    called = []
    from fastsvm.backends import reference

    right = reference.gradient
    unset.setattr(reference, "gradient", lambda *args: called.append(1) or right(*args))
    W, X, y = np.ones((2, 3)), np.ones((4, 3)), np.array([0, 1, 0, 1])
    fastsvm.loss_and_gradient(W, X, y, backend="native")
    assert not called
    fastsvm.set_backend("reference")
    fastsvm.loss_and_gradient(W, X, y)
    assert called
