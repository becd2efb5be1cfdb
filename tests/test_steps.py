"""The step alone on arrays of awkward size, place and content; what it rounds, and what it does beside other threads."""

from __future__ import annotations

import ctypes
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastsvm import Adam, backends
from fastsvm.backends import native, reference
from fastsvm.optimizers import OPTIMIZERS, ROWS_AT_ONCE, slots
from tables import THREADS, assert_same_bits

#: Around the widths of vectors, three of them, slices, and the sizes from which threads share the work.
SIZES = (0, 1, 7, 15, 16, 17, 47, 48, 49, 63, 65, 4095, 4096, 4097, 4111, 16_383, 16_384, 16_385, 30_730, 70_001)

#: Bytes by which x, dx and the slots lie behind a cache line.
PLACES = ((0, 0, 0, 0), (16, 16, 16, 16), (4, 12, 60, 8), (8, 0, 0, 24))

rules = pytest.mark.parametrize("rule", OPTIMIZERS)
dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])


def placed(array: np.ndarray, behind: int) -> np.ndarray:
    """A copy that begins so many bytes (at least the item's multiple) behind a multiple of 64, with a guard on both sides."""
    behind = behind // array.itemsize * array.itemsize
    room = np.full(array.nbytes + 256, 0xA5, np.uint8)
    begin = -room.ctypes.data % 64 + 64 + behind
    view = room[begin : begin + array.nbytes].view(array.dtype)
    view[:] = array
    return view


def guards_hold(view: np.ndarray) -> bool:
    if view.size == 0:
        return True
    before = ctypes.string_at(view.ctypes.data - 64, 64)
    return set(before + ctypes.string_at(view.ctypes.data + view.nbytes, 64)) == {0xA5}


def make(rule: str, size: int, dtype: str, seed: int = 0):
    """Parameters, gradient and slots, squares not negative, over many magnitudes and with zeros."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(4, size)) * 10.0 ** rng.integers(-4, 5, (4, size))
    numbers[1:, rng.random(size) < 0.1] = 0.0
    x, dx, first, second = numbers.astype(dtype)
    n_slots = len(OPTIMIZERS[rule].state_type._fields) - 1
    if n_slots == 2:
        return x, dx, [first, np.abs(second)]
    return x, dx, [np.abs(first) if rule in ("adagrad", "rmsprop") else first][:n_slots]


def run(backend, rule: str, arrays, n_threads: int, places=PLACES[0], update: int = 4):
    x, dx, memory = arrays
    x, dx, *memory = (placed(array, behind) for array, behind in zip((x, dx, *memory), places, strict=False))
    backend.step(rule, OPTIMIZERS[rule]().coefficients(update, 1)[0], x, dx, tuple(memory), n_threads)
    assert all(guards_hold(array) for array in (x, dx, *memory))
    return x, *memory


class TestBits:
    @rules
    @dtypes
    def test_sizes_places_and_threads(self, rule, dtype):
        # Two updates one after the other would hide no error that one shows; sizes and places need one.
        for size in SIZES:
            arrays = make(rule, size, dtype, seed=size)
            expected = run(reference, rule, arrays, 1)
            for k, places in enumerate(PLACES):
                assert_same_bits([expected, run(native, rule, arrays, THREADS[(size + k) % len(THREADS)], places)])

    @rules
    @dtypes
    def test_many_threads(self, rule, dtype):
        arrays = make(rule, 300_007, dtype)
        assert_same_bits([run(reference, rule, arrays, 1), *(run(native, rule, arrays, n, PLACES[2]) for n in (*THREADS, 7))])

    @rules
    @dtypes
    @pytest.mark.filterwarnings("ignore::RuntimeWarning")
    def test_extreme_numbers(self, compiled, rule, dtype):
        # Squares underflow to denormal numbers and to 0, and overflow to infinity, in whole vectors and in single numbers.
        for scale in (0.0, 1e-38, 1e-42, 1e-20, 1e18, 1e30):
            x, dx, memory = make(rule, 1000, dtype)
            for part in (slice(0, 500), slice(500, 1000, 7)):
                dx[part] *= scale
                for array in memory:
                    array[part] *= scale
            expected, actual = run(reference, rule, (x, dx, memory), 1), run(compiled, rule, (x, dx, memory), 1)
            for one, other in zip(expected, actual, strict=True):
                np.testing.assert_array_equal(other, one, err_msg=f"scale {scale}")

    @rules
    @pytest.mark.parametrize("name", backends.NAMES)
    def test_a_zero_gradient_at_the_start_moves_nothing(self, name, rule):
        opt, x = OPTIMIZERS[rule](), np.linspace(-1, 1, 100, dtype=np.float32)
        before, state = x.copy(), OPTIMIZERS[rule]().init(x)
        opt.step(x, np.zeros_like(x), state, backend=name)
        shrink = np.float32(1 - 1e-2 * opt.learning_rate) if rule == "adamw" else 1
        np.testing.assert_allclose(x, before * shrink, rtol=1e-6)
        assert not any(array.any() for array in slots(state))


class TestRoots:
    """Roots come from refined estimates at some SIMD levels. RMSProp with decay 1 and eps 0 shows them: x = g / √v."""

    def check(self, numbers: np.ndarray) -> None:
        row = np.zeros(len(backends.COEFFICIENTS))
        row[[backends.COEFFICIENTS.index(name) for name in ("learning_rate", "decay1")]] = -1.0, 1.0
        # Neighbouring vectors take different ways: shifted by a vector of 16, every number takes each way.
        for shifted in (numbers, np.concatenate([numbers[:16], numbers])):
            x, v, ones = np.zeros_like(shifted), shifted.copy(), np.ones_like(shifted)
            native.step("rmsprop", row, x, ones, (v,), 2)
            assert np.array_equal(v, shifted, equal_nan=True)
            with np.errstate(all="ignore"):
                np.testing.assert_array_equal(x, ones / np.sqrt(shifted))

    def test_every_mantissa(self):
        # From 1 to 4: all others are these times a power of 4, which the root takes along.
        self.check(np.arange(0x3F800000, 0x40800000, dtype=np.uint32).view(np.float32))

    @pytest.mark.parametrize("mantissa", [0, 1, 0x400000, 0x7FFFFF])
    def test_every_exponent(self, mantissa):
        # Denormal numbers, 0, infinity and NaN as well, alone among others and beside their like.
        bits = np.arange(256, dtype=np.uint32) << 23 | np.uint32(mantissa)
        for order in (bits, np.repeat(bits, 16), np.random.default_rng(0).permutation(np.repeat(bits, 20))):
            self.check(order.view(np.float32))


class TestSharing:
    def test_steps_of_several_python_threads_at_once(self):
        # One of them has the helpers, the others work alone.
        expected = run(native, "adam", make("adam", 200_003, "float32"), 1)
        barrier = threading.Barrier(4)

        def repeat(_):
            barrier.wait()
            return [run(native, "adam", make("adam", 200_003, "float32"), n) for n in (2, 3, 4) * 4]

        with ThreadPoolExecutor(4) as pool:
            for results in pool.map(repeat, range(4)):
                assert_same_bits([expected, *results])

    def test_counts_of_threads_may_change_and_helpers_sleep(self):
        arrays = make("adam", 100_003, "float64")
        expected = run(native, "adam", arrays, 1)
        pause = threading.Event()
        for k in range(60):
            assert_same_bits([expected, run(native, "adam", arrays, (2, 8, 3, 1)[k % 4])])
            if k % 10 == 0:
                pause.wait(0.01)


class TestCoefficients:
    def test_rows_do_not_depend_on_where_the_block_begins(self):
        opt = Adam(0.3)
        table = opt.coefficients(0, 2 * ROWS_AT_ONCE + 2)
        for update in (0, 1, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE + 1, 5):
            assert np.array_equal(opt._row(update), table[update])
            assert np.array_equal(Adam(0.3)._row(update), table[update])

    def test_what_is_remembered_stays_out_of_equality_and_pickles(self):
        used, x = Adam(), np.ones(3)
        used.step(x, x.copy(), used.init(x))
        assert used == Adam()
        assert hash(used) == hash(Adam())
        assert len(pickle.dumps(used)) == len(pickle.dumps(Adam()))
        assert pickle.loads(pickle.dumps(used)) == used
