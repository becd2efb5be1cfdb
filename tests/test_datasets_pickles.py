"""CIFAR-10's pickles: those that Python 2 and 3 write are read, anything else raises and runs nothing."""

from __future__ import annotations

import builtins
import copyreg
import os
import pickle
import struct
import subprocess
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset_files import NAMES, cifar_arrays, dump_python2, dump_python3, python2_opcodes, write_cifar_python
from fastsvm import DataFormatError
from fastsvm.datasets import load
from fastsvm.datasets.pickles import load_pickle

PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)
SMALL = {"labels": [1, 2, 300], "data": PIXELS, "batch_label": "x" * 300}


def dump_python2_columns(content):
    return dump_python2(content, column_major=True)


def numpy1_names(content):
    """Python 3 with NumPy 1: the module had no underscore."""
    return dump_python3(2, "bytes")(content).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


DUMPS = {
    "python2": dump_python2,
    "python2-column-major": dump_python2_columns,
    "numpy1-protocol2": numpy1_names,
    **{f"protocol{p}-{keys}": dump_python3(p, keys) for p in (2, 3, 4) for keys in ("bytes", "str")},
}


@pytest.mark.parametrize("dump", DUMPS.values(), ids=DUMPS)
class TestGenuine:
    def test_folder(self, tmp_path, dump):
        pixels, labels = cifar_arrays()
        write_cifar_python(tmp_path / "cifar", pixels, labels, dump)
        dataset = load(tmp_path / "cifar")
        np.testing.assert_array_equal(np.concatenate([dataset.X, dataset.X_test]), pixels)
        np.testing.assert_array_equal(np.concatenate([dataset.y, dataset.y_test]), labels)
        assert len(dataset.X) == 30
        assert (dataset.class_names, dataset.image_shape, dataset.name) == (tuple(NAMES), (32, 32, 3), "cifar")

    def test_truncated(self, tmp_path, dump):
        whole = dump(SMALL)
        path = tmp_path / "batch"
        for size in (*range(0, len(whole), 3), len(whole) - 1):
            path.write_bytes(whole[:size])
            expected = "batch: " if whole[:size].endswith(b".") else "batch: is (truncated|empty)"
            with pytest.raises(DataFormatError, match=expected):
                load_pickle(path)


def test_the_handwritten_pickle_is_one():
    """Python itself reads it, in both orders."""
    for dump in (dump_python2, dump_python2_columns):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            content = pickle.loads(dump(SMALL), encoding="latin1")
        np.testing.assert_array_equal(content["data"], PIXELS)
        assert content["labels"] == [1, 2, 300]


class Call:
    """Pickled as a call of ``function``."""

    def __init__(self, function, *args):
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


def hostile(canary):
    """Pickles that create the file ``canary`` when Python's own unpickler reads them."""
    touch, code = f"touch '{canary}'", f"open({str(canary)!r}, 'w').close()"
    for protocol in range(6):
        yield f"system-{protocol}", pickle.dumps(Call(os.system, touch), protocol=protocol)
        yield f"eval-{protocol}", pickle.dumps({"data": Call(builtins.eval, code)}, protocol=protocol)
        yield f"key-{protocol}", pickle.dumps({Call(os.system, touch): 1, "b": 2}, protocol=protocol)
    deep = {"labels": [1, [2, (3, {"a": 1, "b": Call(os.system, touch)})]], "data": PIXELS}
    yield "nested", pickle.dumps(deep, protocol=2)
    yield "popen", pickle.dumps({"labels": [Call(subprocess.call, ["touch", str(canary)])], "data": PIXELS}, protocol=4)
    objects = np.array([Call(os.system, touch), 1], dtype=object)
    yield "object-array", pickle.dumps({"data": objects, "labels": [1, 2]}, protocol=2)
    yield "python2-name", b"\x80\x02c__builtin__\neval\n" + python2_opcodes(code) + b"\x85R."
    yield "inst", f"(S{touch!r}\nios\nsystem\n.".encode()
    yield "obj", b"\x80\x02(cos\nsystem\n" + b"X" + struct.pack("<I", len(touch)) + touch.encode() + b"o."
    yield "after-the-dict", b"\x80\x02}" + pickle.dumps(Call(os.system, touch), protocol=2)[2:-1] + b"0."
    yield "extension", b"\x80\x02\x82\xf0X" + struct.pack("<I", len(touch)) + touch.encode() + b"\x85R."


@pytest.fixture
def extension():
    """An application that has registered a function as an extension and used it: find_class is not asked for those."""
    copyreg.add_extension("os", "system", 240)
    assert pickle.loads(b"\x80\x02\x82\xf0.") is os.system
    yield
    copyreg.remove_extension("os", "system", 240)
    copyreg.clear_extension_cache()


@pytest.mark.parametrize("name", [name for name, _ in hostile("canary")])
@pytest.mark.usefixtures("extension")
def test_hostile_pickles_run_nothing(tmp_path, name):
    canary, path = tmp_path / "canary", tmp_path / "data_batch_1"
    raw = dict(hostile(canary))[name]
    pickle.loads(raw, encoding="latin1")
    assert canary.exists(), "the pickle does no harm, so the test would prove nothing"
    canary.unlink()
    path.write_bytes(raw)
    with pytest.raises(DataFormatError, match="data_batch_1: "):
        load_pickle(path)
    assert not canary.exists()


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_hostile_file_in_a_folder(tmp_path, name):
    folder, canary = tmp_path / "cifar", tmp_path / "canary"
    write_cifar_python(folder, *cifar_arrays(), dump_python2)
    (folder / name).write_bytes(dict(hostile(canary))["system-2"])
    with pytest.raises(DataFormatError, match=rf"{name}: refers to 'posix.system'.*nothing was imported or run"):
        load(folder)
    assert not canary.exists()


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
DTYPE = b"cnumpy\ndtype\n"
MAKE_ARRAY = RECONSTRUCT + b"cnumpy\nndarray\nK\x00\x85U\x01b\x87R"
MAKE_UINT8 = DTYPE + b"U\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"

ABUSES = {
    "object dtype": (DTYPE + b"U\x02O8K\x00K\x01\x87R", "array of dtype 'O8'"),
    "float dtype": (DTYPE + b"U\x02f4K\x00K\x01\x87R", "array of dtype 'f4'"),
    "dtype from a list": (DTYPE + b"](U\x01ae\x85R", "array of dtype list"),
    "structured dtype": (DTYPE + b"U\x02u1K\x00K\x01\x87R(K\x03U\x01|N(U\x01atNK\x01K\x01K\x00tb", "structured dtype"),
    "array of another size": (RECONSTRUCT + b"cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85U\x01b\x87R", "makes an array in a way"),
    "array of another type": (RECONSTRUCT + b"cnumpy\ndtype\nK\x00\x85U\x01b\x87R", "makes an array in a way"),
    "ndarray called": (b"cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85\x85R", "makes an array in a way"),
    "huge shape": (MAKE_ARRAY + b"(K\x01J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86" + MAKE_UINT8 + b"\x89U\x01atb", "do not fit"),
    "negative shape": (MAKE_ARRAY + b"(K\x01" + 2 * b"J\xff\xff\xff\xff" + b"\x86" + MAKE_UINT8 + b"\x89U\x01atb", "not fit"),
    "three dimensions": (MAKE_ARRAY + b"(K\x01K\x01K\x01K\x01\x87" + MAKE_UINT8 + b"\x89U\x01atb", "do not fit"),
    "list for bytes": (MAKE_ARRAY + b"(K\x01K\x01K\x01\x86" + MAKE_UINT8 + b"\x89](K\x01etb", "do not fit"),
    "no dtype": (MAKE_ARRAY + b"(K\x01K\x01K\x01\x86N\x89U\x01atb", "not uint8"),
    "short state": (MAKE_ARRAY + b"K\x01\x85b", "not uint8"),
    "state of a name": (DTYPE + b"}(X\x05\x00\x00\x00_callNub", "sets the state"),
    "slots of a name": (DTYPE + b"N}(X\x05\x00\x00\x00_callNu\x86b", "sets the state"),
    "dotted name": (b"\x8c\x05numpy\x8c\x0endarray.tofile\x93.", "refers to 'numpy.ndarray.tofile'"),
    "other module": (b"cnumpy\nload\n", "refers to 'numpy.load'"),
    "other encoding": (b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf-8\x86R", "not a Latin-1 string"),
    "persistent id": (b"K\x01Q", "pickle opcode b'Q'"),
    "new object": (b"cnumpy\nndarray\n)\x81", r"pickle opcode b'\\x81'"),
    "number called": (b"K\x01)R", "is not a pickle of CIFAR-10"),
    "state of a list": (b"]K\x01b", "is not a pickle of CIFAR-10"),
    "no dictionary": (b"](K\x01e", "holds a pickled list; expected a dict"),
    "tuple key": (b"}(K\x01\x85K\x01u", "keys are not strings"),
    "nested key": (b"}()" + b"q\x01h\x01\x86" * 100 + b"K\x01u", "keys are not strings"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "message"), ABUSES.values(), ids=ABUSES)
def test_abuse_of_what_is_admitted(tmp_path, body, message):
    path = tmp_path / "batch"
    path.write_bytes(b"\x80\x02" + body + b".")
    with pytest.raises(DataFormatError, match=message):
        load_pickle(path)


def test_small_files_cannot_fill_the_memory(tmp_path):
    text = b"X" + struct.pack("<I", 1000) + b"a" * 1000
    again = b"h\x02h\x01X\x06\x00\x00\x00latin1\x86R"
    bombs = {
        "memo": b"]r\x00\x00\x00\x01.",  # an index of 2**24
        "string": b"X\xff\xff\xff\x7fabc.",
        "frame": b"\x95" + b"\xff" * 7 + b"\x0f.",
        "encode": b"]" + text + b"q\x01c_codecs\nencode\nq\x02(" + again * 20_000 + b"e.",
    }
    for name, body in bombs.items():
        path = tmp_path / name
        path.write_bytes(b"\x80\x04" + body)
        tracemalloc.start()
        try:
            with pytest.raises(DataFormatError):
                load_pickle(path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 10_000_000, name


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dump=st.sampled_from(list(DUMPS.values())),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_damaged_files_raise_one_kind_of_error(tmp_path, dump, changes):
    raw = bytearray(dump(SMALL))
    for place, value in changes:
        raw[place % len(raw)] = value
    path = tmp_path / "batch"
    path.write_bytes(raw)
    try:
        content = load_pickle(path)
    except DataFormatError as error:
        content = {"error": str(error)}
        if not str(error).startswith(f"{path}: "):
            raise
    assert type(content) is dict
