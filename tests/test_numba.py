"""What the numba backend does besides the contract: its cache, its threads, its memory."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import tracemalloc
from pathlib import Path

import numba
import numpy as np
import pytest
from numba import prange

import fastsvm
from fastsvm.backends import _numba_cache, _numba_calls, _numba_memory, _numba_rules, threads
from fastsvm.backends import numba as backend
from tables import assert_same_bits, gradient, make_problem

LARGE = (3001, 23, 10), ("float64", "float32"), True


def double(x):
    """A loop to compile."""
    for i in prange(len(x)):
        x[i] *= 2.0


def compile_anew(parallel=False):
    return _numba_cache.compiled.__wrapped__(double, parallel)


def run_doubling(parallel=False):
    """Compile, run, and return what the dispatcher knows of its cache."""
    dispatcher, x = compile_anew(parallel), np.arange(4.0)
    dispatcher(x)
    assert x.tolist() == [0.0, 2.0, 4.0, 6.0]
    return dispatcher.stats


def count(statistic):
    return sum(statistic.values())


@pytest.fixture
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


class TestCache:
    def test_second_compilation_is_a_hit(self, cache_folder):
        assert count(run_doubling().cache_hits) == 0
        assert count(run_doubling().cache_hits) == 1
        # A parallel compilation of the same function is another one.
        assert count(run_doubling(parallel=True).cache_hits) == 0
        assert count(run_doubling(parallel=True).cache_hits) == 1
        assert count(run_doubling().cache_hits) == 1

    def test_folder_names_the_versions_and_the_source(self, cache_folder, monkeypatch):
        run_doubling()
        (path,) = cache_folder.rglob("*.nbi")
        assert path.parent == _numba_cache.directory()
        release, digest = path.parent.relative_to(cache_folder).parts
        assert f"numba{numba.__version__}-py{sys.version_info.major}.{sys.version_info.minor}" in release
        monkeypatch.setattr(_numba_cache, "SOURCES", _numba_cache.SOURCES[:1])
        assert _numba_cache.directory().name != digest
        assert count(run_doubling().cache_hits) == 0

    def test_default_folder_is_the_users_and_not_the_packages(self, monkeypatch):
        monkeypatch.setattr(numba.config, "CACHE_DIR", "")
        monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
        package = Path(fastsvm.__file__).parent
        assert package not in _numba_cache.directory().parents
        if sys.platform == "linux":
            assert _numba_cache.directory().is_relative_to("/somewhere/fastsvm")
        assert not [*package.rglob("*.nbi"), *package.rglob("*.nbc")]

    def test_folder_that_cannot_be_made(self, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file" / "cache"))
        for parallel in (False, True):
            stats = run_doubling(parallel)
            assert stats.cache_path is None
            assert count(stats.cache_hits) == 0
        assert not list(Path(__file__).parent.rglob("double*.nb?"))

    def test_folder_that_vanishes_before_saving(self, cache_folder, monkeypatch):
        def refuse(*_):
            raise OSError("no space left on device")

        monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._save_data", refuse)
        run_doubling()
        monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._save_index", refuse)
        run_doubling()

    @pytest.mark.parametrize("suffix", ["nbi", "nbc"])
    @pytest.mark.parametrize("content", [b"", b"nonsense", None])
    def test_damaged_files_are_replaced(self, cache_folder, suffix, content):
        run_doubling()
        (path,) = cache_folder.rglob(f"*.{suffix}")
        path.write_bytes(path.read_bytes()[:-200] if content is None else content)
        assert count(run_doubling().cache_hits) == 0
        assert count(run_doubling().cache_hits) == 1

    def test_code_of_another_signature_is_not_used(self, cache_folder):
        # Two processes that save at once can end with an index that names the other's file.
        run_doubling()
        (path,) = cache_folder.rglob("*.nbc")
        float64_code = path.read_bytes()
        compile_anew()(np.arange(4.0, dtype=np.float32))
        (other,) = set(cache_folder.rglob("*.nbc")) - {path}
        other.write_bytes(float64_code)
        dispatcher, x = compile_anew(), np.arange(4.0, dtype=np.float32)
        dispatcher(x)
        assert x.tolist() == [0.0, 2.0, 4.0, 6.0]
        assert count(dispatcher.stats.cache_hits) == 0


class TestThreads:
    def test_large_problems_run_in_parallel_and_small_ones_do_not(self, monkeypatch):
        teams = []
        original = numba.set_num_threads
        monkeypatch.setattr(numba, "set_num_threads", lambda n: (teams.append(n), original(n)))
        gradient(backend, *make_problem(*LARGE), 3)
        assert teams[0] == 3
        teams.clear()
        gradient(backend, *make_problem((33, 17, 10), *LARGE[1:]), 3)
        gradient(backend, *make_problem(*LARGE), 1)
        monkeypatch.setattr(threads, "_forked", True)
        gradient(backend, *make_problem(*LARGE), 3)
        assert teams == []

    def test_the_users_number_of_threads_is_restored(self):
        before = numba.get_num_threads()
        try:
            numba.set_num_threads(2)
            gradient(backend, *make_problem(*LARGE), 3)
            assert numba.get_num_threads() == 2
        finally:
            numba.set_num_threads(before)

    def test_more_threads_than_numba_launched(self):
        assert_same_bits([gradient(backend, *make_problem(*LARGE), n) for n in (1, numba.config.NUMBA_NUM_THREADS + 7)])

    def test_concurrent_calls(self):
        case = make_problem(*LARGE)
        expected, results = gradient(backend, *case, 1), []
        callers = [threading.Thread(target=lambda: results.append(gradient(backend, *case, 2))) for _ in range(4)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert len(results) == 4
        assert_same_bits([expected, *results])

    def test_concurrent_calls_on_the_workqueue_layer(self, tmp_path):
        # That layer aborts the process when two threads enter it.
        script = tmp_path / "script.py"
        script.write_text(
            textwrap.dedent("""
            import threading
            import numba, numpy as np
            from fastsvm.backends import numba as backend

            def call():
                barrier.wait()
                for _ in range(30):
                    x, slots = np.ones(200_000), ()
                    backend.step("sgd", np.full(7, 0.5), x, x.copy(), slots, 2)
                    assert (x == 0.5).all()
                done.append(True)

            done, barrier = [], threading.Barrier(3)
            callers = [threading.Thread(target=call) for _ in range(3)]
            for caller in callers: caller.start()
            for caller in callers: caller.join()
            print(numba.threading_layer(), len(done))
        """)
        )
        environment = os.environ | {"NUMBA_THREADING_LAYER": "workqueue", "NUMBA_NUM_THREADS": "2"}
        command = [sys.executable, script]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd=tmp_path)
        assert run.stdout.strip() == "workqueue 3", run.stderr


class TestWork:
    def test_waves_do_not_change_a_bit(self, monkeypatch):
        case = make_problem((5003, 5, 3), ("float32", "uint8"), True)
        expected = gradient(backend, *case)
        monkeypatch.setattr(_numba_memory, "WAVE_BYTES", 1)
        for least in (1, 2, 3, 8):
            monkeypatch.setattr(_numba_memory, "MIN_WAVE", least)
            assert_same_bits([expected, gradient(backend, *case)])

    def test_memory_does_not_grow_with_the_samples(self):
        X = np.zeros((400_000, 60), np.uint8)
        X[:, 0] = np.arange(len(X)) % 7
        y = np.arange(len(X)) % 3
        W = np.zeros((3, 60), np.float32)
        arguments = {"backend": "numba", "n_threads": 2}
        fastsvm.loss_and_gradient(W, X[:5000], y[:5000], **arguments)  # compiles
        tracemalloc.start()
        try:
            fastsvm.loss_and_gradient(W, X, y, **arguments)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 20 << 20

    def test_rule_numbers_match_the_leaves(self):
        from fastsvm.optimizers import OPTIMIZERS

        assert set(_numba_calls.RULES) == {"store", *OPTIMIZERS}
        assert set(_numba_calls.LEAVES.values()) | {"weston_watkins_squared"} == set(_numba_calls.LOSSES)
        assert _numba_calls.RULES["store"] == _numba_rules.STORE
