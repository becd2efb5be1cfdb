"""Children of fork: the threads of the parent's pool do not exist there, and a call must not wait for them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")

FORK = """
    import os
    import sys
    import traceback
    import warnings

    import numpy as np

    import fastsvm
    from fastsvm.backends.threads import forked, resolve_threads

    backend, n_threads = sys.argv[1], 2
    rng = np.random.default_rng(0)
    W, X, y = rng.normal(size=(10, 400)), rng.normal(size=(3000, 400)), rng.integers(0, 10, 3000)

    def compute():
        opt = fastsvm.Adam()
        loss, dW, _ = fastsvm.loss_and_gradient(W, X, y, backend=backend, n_threads=n_threads)
        dX = fastsvm.data_gradient(W, X, y, backend=backend, n_threads=n_threads)[1]
        weights = W.copy()
        opt.step(weights, dW, opt.init(weights), backend=backend, n_threads=n_threads)
        large = np.zeros(300_000)
        opt.step(large, large + 1.0, opt.init(large), backend=backend, n_threads=n_threads)
        result = fastsvm.train(X, y, epochs=2, backend=backend, n_threads=n_threads)
        return b"".join(array.tobytes() for array in (np.float64(loss), dW, dX, weights, large, result.W))

    def child(name):
        assert forked() and resolve_threads(2) == 1
        with open(name, "wb") as file:
            file.write(compute())

    def fork(name, then=lambda name: None):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                child(name)
                then("grand" + name)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        return pid

    def wait(pid):
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    warnings.simplefilter("ignore", DeprecationWarning)     # Python's own, about fork beside threads
    assert not forked() and resolve_threads(2) == 2
    results = [] if sys.argv[2] == "first" else [compute()]  # "first": a child makes the first parallel call
    for pid in [fork(name, then=lambda name: wait(fork(name))) for name in ("child1", "child2")]:
        wait(pid)
    results.append(compute())                               # the parent's pool is as it was
    assert not forked()
    for name in ("child1", "child2", "grandchild1", "grandchild2"):
        with open(name, "rb") as file:
            results.append(file.read())
    print(len(results), len(set(results)))
"""


def run(script: str, *arguments: str, folder) -> str:
    """Run a script in a session of its own, so that children that hang end with it."""
    path = folder / "script.py"
    path.write_text(textwrap.dedent(script))
    process = subprocess.Popen(
        [sys.executable, str(path), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, cwd=folder,
    )  # fmt: skip
    try:
        output, errors = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        pytest.fail("a process hangs after fork")
    assert process.returncode == 0, errors
    return output.strip()


@pytest.mark.parametrize(("order", "results"), [("after a parallel call", "6 1"), ("first", "5 1")])
@pytest.mark.parametrize("backend", ["native", "numba"])
def test_children_of_fork_compute_the_same_bits_and_do_not_hang(backend, order, results, tmp_path):
    # So many results, one of them distinct.
    assert run(FORK, backend, order, folder=tmp_path) == results


POOL = """
    import multiprocessing
    import warnings

    import numpy as np

    import fastsvm

    rng = np.random.default_rng(0)
    W, X, y = rng.normal(size=(10, 400)), rng.normal(size=(3000, 400)), rng.integers(0, 10, 3000)

    def loss(shift):
        return fastsvm.loss_value(W + shift, X, y, n_threads=2)

    if __name__ == "__main__":
        warnings.simplefilter("ignore", DeprecationWarning)
        shifts = [0.0, 0.1, 0.2, 0.3]
        expected = [loss(shift) for shift in shifts]
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(loss, shifts) == expected
        print("same")
"""


def test_multiprocessing_with_fork(tmp_path):
    assert run(POOL, folder=tmp_path) == "same"
