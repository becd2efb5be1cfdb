"""Writers of small data sets in the layouts that `fastsvm.datasets` reads, each written out by hand from its description."""

from __future__ import annotations

import gzip
import pickle
import struct

import numpy as np

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
PER_BATCH = 6


def idx_bytes(array, code=8):
    """An IDX file: two zero bytes, the type's code, the number of dimensions, the dimensions, the numbers (big-endian)."""
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(folder, *, n=12, n_test=5, size=(4, 3), compress=True, seed=0):
    """A folder like Fashion-MNIST's; returns the arrays by file name without its ending."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for part, count in (("train", n), ("t10k", n_test)):
        arrays[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (count, *size)).astype(np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = (np.arange(count) % 3).astype(np.uint8)
    for name, array in arrays.items():
        if compress:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
        else:
            (folder / name).write_bytes(idx_bytes(array))
    return arrays


def cifar_arrays(seed=0, n=PER_BATCH):
    """Pixels (6 n, 3072) and labels (6 n,): five training batches, then the test batch."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (6 * n, 3072)).astype(np.uint8), rng.integers(0, 10, 6 * n)


def batches(pixels, labels):
    names = [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]
    n = len(labels) // 6
    return {name: (pixels[k * n : (k + 1) * n], labels[k * n : (k + 1) * n]) for k, name in enumerate(names)}


def write_cifar_binary(folder, pixels, labels):
    folder.mkdir(parents=True, exist_ok=True)
    for name, (data, classes) in batches(pixels, labels).items():
        records = b"".join(bytes([c]) + row.tobytes() for c, row in zip(classes, data, strict=True))
        (folder / f"{name}.bin").write_bytes(records)
    (folder / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")


def write_cifar_python(folder, pixels, labels, dump):
    """``dump`` makes a pickle of one batch's dictionary (of str keys) or of the meta data."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (data, classes) in batches(pixels, labels).items():
        batch = {
            "batch_label": f"batch {name}",
            "labels": [int(c) for c in classes],
            "data": data,
            "filenames": [f"{i}.png" for i in range(len(data))],
        }
        (folder / name).write_bytes(dump(batch))
    meta = {"num_cases_per_batch": len(labels) // 6, "label_names": NAMES, "num_vis": 3072}
    (folder / "batches.meta").write_bytes(dump(meta))


def with_bytes(value):
    """The same dictionary with bytes in place of str, as a file of Python 2 comes out of ``pickle.load(encoding="bytes")``."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return [with_bytes(v) for v in value]
    if isinstance(value, dict):
        return {with_bytes(k): with_bytes(v) for k, v in value.items()}
    return value


def dump_python3(protocol, keys):
    """Pickle with Python 3, keys and strings as bytes or as str."""
    return lambda content: pickle.dumps(with_bytes(content) if keys == "bytes" else content, protocol=protocol)


def dump_python2(content, column_major=False):
    """The pickle, protocol 2, that Python 2 with NumPy 1 makes: byte strings, ``numpy.core.multiarray``."""
    return b"\x80\x02" + python2_opcodes(content, column_major) + b"."


def python2_opcodes(value, column_major=False):
    if isinstance(value, str):
        raw = value.encode("latin1")
        return (b"U" + bytes([len(raw)]) if len(raw) < 256 else b"T" + struct.pack("<i", len(raw))) + raw
    if isinstance(value, int):
        return b"K" + bytes([value]) if value < 256 else b"J" + struct.pack("<i", value)
    if isinstance(value, list):
        return b"](" + b"".join(python2_opcodes(v) for v in value) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(python2_opcodes(k) + python2_opcodes(v, column_major) for k, v in value.items()) + b"u"
    rows, columns = value.shape
    raw = value.tobytes(order="F" if column_major else "C")
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"  # _reconstruct(ndarray, (0,), 'b')
        + b"(K\x01"  # state: version,
        + python2_opcodes(rows) + python2_opcodes(columns) + b"\x86"  # shape,
        + b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"  # dtype('u1', 0, 1)
        + b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"  # and its own state,
        + (b"\x88" if column_major else b"\x89")  # whether in Fortran's order,
        + b"T" + struct.pack("<i", len(raw)) + raw + b"tb"
    )  # fmt: skip
