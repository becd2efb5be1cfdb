"""IDX files and the two layouts of CIFAR-10: what is read, and what is wrong with those that are not."""

from __future__ import annotations

import gzip
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dataset_files import (
    NAMES,
    PER_BATCH,
    cifar_arrays,
    dump_python2,
    dump_python3,
    idx_bytes,
    write_cifar_binary,
    write_cifar_python,
    write_idx,
)
from fastsvm import DataFormatError
from fastsvm.datasets import idx, load

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(array=arrays(np.uint8, array_shapes(max_dims=4, max_side=9)), compress=st.booleans(), cut=st.integers(1, 4))
def test_idx_round_trip(tmp_path, array, compress, cut):
    path, pack = tmp_path / "array", gzip.compress if compress else bytes
    path.write_bytes(pack(idx_bytes(array)))
    np.testing.assert_array_equal(idx.read_array(path, array.ndim), array)
    for wrong in (idx_bytes(array)[:-cut], idx_bytes(array) + b"\0" * cut, idx_bytes(array, code=9)):
        path.write_bytes(pack(wrong))
        with pytest.raises(DataFormatError, match="array: "):
            idx.read_array(path, array.ndim)


class TestIdx:
    @pytest.mark.parametrize("compress", [True, False])
    def test_folder(self, tmp_path, compress):
        files = write_idx(tmp_path / "mnist", compress=compress)
        dataset = load(tmp_path / "mnist")
        np.testing.assert_array_equal(dataset.X, files[IMAGES].reshape(12, 12))
        np.testing.assert_array_equal(dataset.y, files[LABELS])
        np.testing.assert_array_equal(dataset.X_test, files["t10k-images-idx3-ubyte"].reshape(5, 12))
        np.testing.assert_array_equal(dataset.y_test, files["t10k-labels-idx1-ubyte"])
        assert (dataset.X.dtype, dataset.y.dtype) == (np.uint8, np.int64)
        assert (dataset.name, dataset.image_shape, dataset.class_names) == ("mnist", (4, 3), ("0", "1", "2"))

    def test_both_compressed_and_not(self, tmp_path):
        write_idx(tmp_path, compress=True, seed=1)
        files = write_idx(tmp_path, compress=False, seed=2)
        np.testing.assert_array_equal(load(tmp_path).X, files[IMAGES].reshape(12, 12))

    def test_names_with_dots_and_a_prefix(self, tmp_path):
        write_idx(tmp_path, compress=False)
        for path in list(tmp_path.iterdir()):
            path.rename(path.with_name("emnist-" + path.name.replace("-idx", ".idx")))
        assert load(tmp_path).X_test.shape == (5, 12)

    def test_one_file(self, tmp_path):
        files = write_idx(tmp_path)
        dataset = load(tmp_path / "t10k-images-idx3-ubyte.gz")
        np.testing.assert_array_equal(dataset.X, files["t10k-images-idx3-ubyte"].reshape(5, 12))
        np.testing.assert_array_equal(dataset.y, files["t10k-labels-idx1-ubyte"])
        assert dataset.X_test is None

    def test_labels_that_are_not_indices(self, tmp_path):
        write_idx(tmp_path)
        for part, count in (("train", 12), ("t10k", 5)):
            letters = (np.arange(count) % 3 + 7).astype(np.uint8)
            (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(letters)))
        dataset = load(tmp_path)
        assert dataset.class_names == ("7", "8", "9")
        assert dataset.y_test.tolist() == [0, 1, 2, 0, 1]

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            (IMAGES, b"", "train-images-idx3-ubyte: begins with nothing; expected 00 00 08 03"),
            (IMAGES, b"\0\0\x08\x03\0\0\0\x0c", "is truncated: 8 bytes, expected a header of 16"),
            (IMAGES, idx_bytes(np.zeros((12, 12), np.uint8)), r"begins with 00 00 08 02 \(uint8, 2 dimensions\)"),
            (IMAGES, idx_bytes(np.zeros((12, 4, 3), ">f4"), 13), r"begins with 00 00 0d 03 \(float32, 3 dimensions\)"),
            (IMAGES, b"P5 28 28 255 ....", "begins with 50 35 20 32; expected 00 00 08 03"),
            (IMAGES, idx_bytes(np.zeros((12, 4, 3), np.uint8))[:-1], "is truncated: 143 bytes of data, expected 144"),
            (IMAGES, idx_bytes(np.zeros((12, 4, 3), np.uint8)) + b"x", "holds more than the 144 bytes"),
            (IMAGES, idx_bytes(np.zeros((0, 4, 3), np.uint8)), r"holds no samples: its header says \(0, 4, 3\)"),
            (IMAGES, idx_bytes(np.zeros((11, 4, 3), np.uint8)), "holds 12 labels; expected 11, one per image of train-images"),
            (IMAGES, idx_bytes(np.zeros((12, 3, 4), np.uint8)), r"t10k-images.*\(4, 3\); expected \(3, 4\) as in train-images"),
            (LABELS, idx_bytes(np.zeros((12, 1), np.uint8)), r"train-labels.*begins with 00 00 08 02.*with 1 dimension$"),
            (LABELS, idx_bytes(np.zeros(12, np.uint8)), "at least two classes; every label is 0"),
            (LABELS, idx_bytes(np.arange(12, dtype=np.uint8) + 1), r"y_test must hold labels that .*y_test\[0\] is 0"),
            ("t10k-labels-idx1-ubyte", idx_bytes(np.full(5, 9, np.uint8)), r"occur in y \(0, 1, 2\); y_test\[0\] is 9"),
        ],
    )
    def test_wrong_content(self, tmp_path, name, content, message):
        write_idx(tmp_path, compress=False)
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataFormatError, match=message):
            load(tmp_path)

    def test_truncated_gzip(self, tmp_path):
        write_idx(tmp_path)
        path = tmp_path / f"{IMAGES}.gz"
        whole = path.read_bytes()
        for size in (0, 1, 5, 30, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:size])
            with pytest.raises(DataFormatError, match=r"train-images-idx3-ubyte.gz: "):
                load(tmp_path)

    def test_damaged_gzip(self, tmp_path):
        write_idx(tmp_path)
        path = tmp_path / f"{IMAGES}.gz"
        raw = bytearray(path.read_bytes())
        raw[-6] ^= 1  # the checksum
        path.write_bytes(raw)
        with pytest.raises(DataFormatError, match=r"train-images.*CRC check failed"):
            load(tmp_path)

    def test_bombs(self, tmp_path):
        """A header that says less than there is, and one that says more than there can be, cost no memory."""
        write_idx(tmp_path)
        path = tmp_path / f"{IMAGES}.gz"
        more = gzip.compress(idx_bytes(np.zeros((12, 4, 3), np.uint8)) + bytes(50_000_000))
        less = gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(1000))
        for content, message in ((more, "holds more than the 144 bytes"), (less, "is truncated: its header says")):
            path.write_bytes(content)
            tracemalloc.start()
            try:
                with pytest.raises(DataFormatError, match=message):
                    load(tmp_path)
                assert tracemalloc.get_traced_memory()[1] < 10_000_000
            finally:
                tracemalloc.stop()

    def test_missing_files(self, tmp_path):
        write_idx(tmp_path)
        (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
        with pytest.raises(DataFormatError, match=r"t10k-images.*has no labels beside it; expected one of t10k-labels"):
            load(tmp_path)
        (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
        assert load(tmp_path).X_test is None

    def test_too_many_files(self, tmp_path):
        write_idx(tmp_path)
        (tmp_path / "letters-train-images-idx3-ubyte").write_bytes(b"")
        with pytest.raises(DataFormatError, match=r"holds the images files letters-train.*, t10k.*, train.*; expected one for"):
            load(tmp_path)

    def test_images_without_the_usual_name(self, tmp_path):
        (tmp_path / "pictures").write_bytes(idx_bytes(np.zeros((3, 2, 2), np.uint8)))
        with pytest.raises(DataFormatError, match="pictures: its labels cannot be found; expected a name like train-images"):
            load(tmp_path / "pictures")


class TestCifarBinary:
    def test_folder(self, tmp_path):
        pixels, labels = cifar_arrays(n=300)  # more than one block
        write_cifar_binary(tmp_path / "cifar", pixels, labels)
        dataset = load(tmp_path / "cifar")
        np.testing.assert_array_equal(dataset.X, pixels[:1500])
        np.testing.assert_array_equal(dataset.y, labels[:1500])
        np.testing.assert_array_equal(dataset.X_test, pixels[1500:])
        np.testing.assert_array_equal(dataset.y_test, labels[1500:])
        assert (dataset.class_names, dataset.image_shape, dataset.name) == (tuple(NAMES), (32, 32, 3), "cifar")
        assert (dataset.X.dtype, dataset.y.dtype) == (np.uint8, np.int64)

    @pytest.mark.parametrize("size", [0, 3072, 3074, 2 * 3073 - 1])
    def test_size(self, tmp_path, size):
        write_cifar_binary(tmp_path, *cifar_arrays())
        (tmp_path / "data_batch_2.bin").write_bytes(bytes(size))
        with pytest.raises(DataFormatError, match=f"data_batch_2.bin: has {size} bytes; expected a multiple of 3073"):
            load(tmp_path)

    def test_label_out_of_range(self, tmp_path):
        pixels, labels = cifar_arrays()
        labels[-1] = 10
        write_cifar_binary(tmp_path, pixels, labels)
        with pytest.raises(DataFormatError, match=r"test_batch.bin: holds the label 10; expected 0 to 9"):
            load(tmp_path)

    def test_one_class(self, tmp_path):
        pixels, labels = cifar_arrays()
        write_cifar_binary(tmp_path, pixels, labels * 0 + 4)
        with pytest.raises(DataFormatError, match="y must hold at least two classes; every label is 4"):
            load(tmp_path)

    @pytest.mark.parametrize("name", ["data_batch_4.bin", "test_batch.bin", "batches.meta.txt"])
    def test_missing_file(self, tmp_path, name):
        write_cifar_binary(tmp_path, *cifar_arrays())
        (tmp_path / name).unlink()
        with pytest.raises(DataFormatError, match=f"is a CIFAR-10 folder without {name}; expected data_batch_1.bin"):
            load(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"cat\ndog\n", b"\xff\xfe" * 20])
    def test_class_names(self, tmp_path, content):
        write_cifar_binary(tmp_path, *cifar_arrays())
        (tmp_path / "batches.meta.txt").write_bytes(content)
        with pytest.raises(DataFormatError, match=r"batches.meta.txt: (holds . class names; expected 10|not a readable text)"):
            load(tmp_path)


class TestCifarPython:
    dump = staticmethod(dump_python3(2, "bytes"))
    batch = staticmethod(lambda **change: {"data": cifar_arrays()[0][:PER_BATCH], "labels": [1] * PER_BATCH} | change)
    meta = staticmethod(lambda **change: {"num_cases_per_batch": PER_BATCH, "label_names": NAMES, "num_vis": 3072} | change)

    def test_versions_agree(self, tmp_path):
        arrays = cifar_arrays()
        write_cifar_binary(tmp_path / "binary", *arrays)
        write_cifar_python(tmp_path / "python", *arrays, dump_python2)
        binary, python = load(tmp_path / "binary"), load(tmp_path / "python")
        for name in ("X", "y", "X_test", "y_test"):
            np.testing.assert_array_equal(getattr(binary, name), getattr(python, name))

    @pytest.mark.parametrize("name", ["data_batch_5", "test_batch", "batches.meta"])
    def test_missing_file(self, tmp_path, name):
        write_cifar_python(tmp_path, *cifar_arrays(), self.dump)
        (tmp_path / name).unlink()
        with pytest.raises(DataFormatError, match=f"is a CIFAR-10 folder without {name}; expected data_batch_1"):
            load(tmp_path)

    @pytest.mark.parametrize("name", ["data_batch_1", "data_batch_5", "test_batch"])
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"data": np.zeros((5, 3072), np.uint8)}, r"data is an array of shape \(5, 3072\); expected \(6, 3072\)"),
            ({"data": np.zeros((6, 3073), np.uint8)}, r"data is an array of shape \(6, 3073\); expected \(6, 3072\)"),
            ({"data": "pixels"}, "data is a bytes; expected"),
            ({"labels": [1] * 5}, "labels is 5 entries; expected a list of 6 integers"),
            ({"labels": [1] * 5 + [10]}, "holds the label 10; expected 0 to 9"),
            ({"labels": [1] * 5 + [-1]}, "holds the label -1; expected 0 to 9"),
            ({"labels": [1] * 5 + [2**70]}, f"holds the label {2**70}; expected 0 to 9"),
            ({"labels": [1] * 5 + [True]}, "labels is 6 entries; expected a list of 6 integers"),
            ({"labels": [1] * 5 + ["1"]}, "labels is 6 entries; expected a list of 6 integers"),
            ({"labels": {"a": 1, "b": 2}}, "labels is a dict; expected a list"),
        ],
    )
    def test_wrong_batch(self, tmp_path, name, change, message):
        write_cifar_python(tmp_path, *cifar_arrays(), self.dump)
        (tmp_path / name).write_bytes(self.dump(self.batch(**change)))
        with pytest.raises(DataFormatError, match=f"{name}: {message}"):
            load(tmp_path)

    def test_missing_entries(self, tmp_path):
        write_cifar_python(tmp_path, *cifar_arrays(), self.dump)
        (tmp_path / "data_batch_2").write_bytes(self.dump({"fine_labels": [1], "data": np.zeros((6, 3072), np.uint8)}))
        with pytest.raises(DataFormatError, match="data_batch_2: has no entry 'labels'; it holds 'data', 'fine_labels'"):
            load(tmp_path)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"num_cases_per_batch": 7}, r"data_batch_1: data is an array of shape \(6, 3072\); expected \(7, 3072\)"),
            ({"num_cases_per_batch": 0}, "num_cases_per_batch and num_vis are 0 and 3072; expected a count and 3072"),
            ({"num_vis": 784}, "num_cases_per_batch and num_vis are 6 and 784; expected a count and 3072"),
            ({"num_vis": "3072"}, "num_cases_per_batch and num_vis are 6 and a bytes"),
            ({"label_names": NAMES[:9]}, "batches.meta: holds 9 class names; expected 10"),
            ({"label_names": [*NAMES[:9], 7]}, "batches.meta: holds 10 class names; expected 10 strings"),
            ({"label_names": "cat"}, "label_names is a bytes; expected a list"),
        ],
    )
    def test_wrong_meta_data(self, tmp_path, change, message):
        write_cifar_python(tmp_path, *cifar_arrays(), self.dump)
        (tmp_path / "batches.meta").write_bytes(self.dump(self.meta(**change)))
        with pytest.raises(DataFormatError, match=message):
            load(tmp_path)

    def test_not_a_pickle(self, tmp_path):
        write_cifar_python(tmp_path, *cifar_arrays(), self.dump)
        for content, message in ((b"", "is empty"), (b"\x1f\x8b..", "pickle opcode"), (pickle.dumps([1], 2), "a pickled list")):
            (tmp_path / "data_batch_1").write_bytes(content)
            with pytest.raises(DataFormatError, match=f"data_batch_1: .*{message}"):
                load(tmp_path)
