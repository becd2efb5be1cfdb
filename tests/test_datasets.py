"""The Dataset class, what `load` does with a path, the built-in digits, and the real data sets where they are at hand."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits as sklearn_digits
from sklearn.model_selection import train_test_split

from dataset_files import NAMES, cifar_arrays, write_cifar_binary, write_idx
from fastsvm import DataFormatError
from fastsvm.datasets import Dataset, load, load_digits

X = np.arange(24, dtype=np.uint8).reshape(6, 4)
Y = np.array([0, 1, 2, 0, 1, 2])


class TestDataset:
    def test_attributes(self):
        dataset = Dataset("toy", X, Y.astype(np.uint8), class_names=("a", "b", "c"), image_shape=(2, 2))
        assert dataset.X is X or dataset.X.base is X
        assert dataset.y.dtype == np.int64
        assert (dataset.n_classes, dataset.n_features, dataset.class_names) == (3, 4, ("a", "b", "c"))
        assert dataset.X_test is None
        assert dataset.y_test is None

    def test_class_names_default_to_indices(self):
        assert Dataset("toy", X, Y).class_names == ("0", "1", "2")

    def test_a_class_may_be_absent(self):
        assert Dataset("toy", X, Y, class_names=("a", "b", "c", "d")).n_classes == 4

    def test_repr_shows_shapes_and_no_values(self):
        text = repr(Dataset("toy", X, Y, X[:2], Y[:2], tuple("abc"), (2, 2)))
        assert text == "<Dataset 'toy'; X (6, 4) uint8; X_test (2, 4); 3 classes: 'a', 'b', 'c'; images 2 x 2>"
        assert "5 classes: '0', '1', '2', '3', '4'>" in repr(Dataset("toy", X, Y, class_names=tuple("01234")))
        assert "9 classes: '0', '1', '2', '3', ..., '8'>" in repr(Dataset("toy", X, Y, class_names=tuple("012345678")))

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"X": X.astype(np.int32)}, TypeError, "X must have dtype"),
            ({"X": X[:, 0]}, ValueError, "X must have 2 dimensions"),
            ({"X": X[:, ::2]}, ValueError, "X must be C-contiguous"),
            ({"X": X[:0], "y": Y[:0]}, ValueError, "X must hold at least one sample"),
            ({"y": Y[:5]}, ValueError, r"y must have shape \(6,\)"),
            ({"y": Y.astype(float)}, TypeError, "y must hold integer class indices"),
            ({"y": Y - 1}, ValueError, r"y\[0\] is -1"),
            ({"y": np.ones(6, int)}, ValueError, "y must hold at least two classes; every label is 1"),
            ({"class_names": ("a", "b")}, ValueError, r"y must be class indices in \[0, 2\); y\[2\] is 2"),
            ({"class_names": ["a", "b", "c"]}, TypeError, "class_names must be a tuple"),
            ({"class_names": (0, 1, 2)}, TypeError, "class_names must be a tuple of strings"),
            ({"X_test": X}, ValueError, "got X_test without y_test"),
            ({"y_test": Y}, ValueError, "got y_test without X_test"),
            ({"X_test": X.astype(np.float32), "y_test": Y}, TypeError, "X_test must have dtype uint8"),
            ({"X_test": X[:, :3].copy(), "y_test": Y}, ValueError, r"X_test must have shape \(at least 1, 4\)"),
            ({"X_test": X[:0], "y_test": Y[:0]}, ValueError, "X_test must have shape"),
            ({"X_test": X, "y_test": Y + 1}, ValueError, r"y_test must be class indices in \[0, 3\)"),
            ({"image_shape": (2, 3)}, ValueError, "image_shape must be"),
            ({"image_shape": (4,)}, ValueError, "image_shape must be"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, change, error, message):
        arguments = {"name": "toy", "X": X, "y": Y} | change
        with pytest.raises(error, match=message):
            Dataset(**arguments)

    def test_frozen(self):
        with pytest.raises(AttributeError):
            Dataset("toy", X, Y).name = "other"


class TestSplit:
    rows = np.arange(200, dtype=np.float32).reshape(100, 2)
    classes = np.repeat([0, 1, 2], [50, 30, 20])

    def test_same_share_of_every_class_and_nothing_lost(self):
        dataset = Dataset("toy", self.rows, self.classes).split(0.3, seed=1)
        assert np.bincount(dataset.y_test).tolist() == [15, 9, 6]
        assert np.bincount(dataset.y).tolist() == [35, 21, 14]
        assert sorted(np.concatenate([dataset.X, dataset.X_test])[:, 0].tolist()) == self.rows[:, 0].tolist()
        for part, labels in ((dataset.X, dataset.y), (dataset.X_test, dataset.y_test)):
            assert (self.classes[(part[:, 0] / 2).astype(int)] == labels).all()
            assert part.dtype == np.float32

    def test_is_scikit_learns(self):
        dataset = Dataset("toy", self.rows, self.classes).split()
        expected = train_test_split(self.rows, self.classes, test_size=0.2, stratify=self.classes, random_state=0)
        for ours, theirs in zip((dataset.X, dataset.X_test, dataset.y, dataset.y_test), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)

    def test_seed(self):
        dataset = Dataset("toy", self.rows, self.classes)
        assert (dataset.split(seed=3).X == dataset.split(seed=3).X).all()
        assert (dataset.split(seed=3).X != dataset.split(seed=4).X).any()

    def test_a_given_test_part_stays(self):
        dataset = Dataset("toy", X, Y, X, Y)
        assert dataset.split() is dataset

    @pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
    def test_fraction_outside_its_range(self, fraction):
        with pytest.raises(ValueError, match="test_fraction must be"):
            Dataset("toy", X, Y).split(fraction)

    def test_classes_too_small_to_be_split(self):
        with pytest.raises(ValueError, match=r"test_fraction=0.2 does not split 6 samples"):
            Dataset("toy", X, np.array([0, 0, 0, 1, 1, 2])).split()


class TestPaths:
    def test_no_such_path(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"(?s)nowhere.*CIFAR-10.*svmlight.*npz"):
            load(tmp_path / "nowhere")
        with pytest.raises(FileNotFoundError, match="path must be a file or folder"):
            load("")

    @pytest.mark.parametrize("path", [3, None, b"digits", ["digits"]])
    def test_not_a_path(self, path):
        with pytest.raises(TypeError, match="path must be a string or a path"):
            load(path)

    def test_arguments(self):
        with pytest.raises(TypeError, match="dense must be True or False"):
            load("digits", dense=1)
        with pytest.raises(ValueError, match="n_features must be an integer >= 1"):
            load("digits", n_features=0)

    def test_the_one_data_set_in_a_folder(self, tmp_path):
        write_idx(tmp_path / "fashion")
        (tmp_path / "notes").mkdir()
        assert load(tmp_path).name == "fashion"
        assert load(str(tmp_path)).name == "fashion"

    def test_several_data_sets_in_a_folder(self, tmp_path):
        write_idx(tmp_path / "fashion")
        write_cifar_binary(tmp_path / "cifar", *cifar_arrays())
        with pytest.raises(DataFormatError, match="several data-set folders: cifar, fashion"):
            load(tmp_path)

    def test_no_data_set_in_a_folder(self, tmp_path):
        (tmp_path / "data_batch_9").write_bytes(b"")
        with pytest.raises(DataFormatError, match="holds no data set"):
            load(tmp_path)

    def test_two_layouts_in_one_folder(self, tmp_path):
        write_idx(tmp_path)
        write_cifar_binary(tmp_path, *cifar_arrays())
        with pytest.raises(DataFormatError, match="several layouts: CIFAR-10, binary version; IDX"):
            load(tmp_path)

    @pytest.mark.parametrize("content", [b"hello, world\n", b"\x89PNG\r\n\x1a\n", b"a,b,c\n1,2,3\n", b"\x80\x04N."])
    def test_unknown_file(self, tmp_path, content):
        (tmp_path / "thing.data").write_bytes(content)
        with pytest.raises(DataFormatError, match=r"thing.data: is not recognised; it begins with"):
            load(tmp_path / "thing.data")

    def test_a_file_out_of_a_folder(self, tmp_path):
        write_cifar_binary(tmp_path, *cifar_arrays())
        with pytest.raises(DataFormatError, match=f"give {tmp_path}"):
            load(tmp_path / "data_batch_1.bin")

    def test_empty_file(self, tmp_path):
        (tmp_path / "a.npz").write_bytes(b"")
        with pytest.raises(DataFormatError, match=r"a.npz: is empty"):
            load(tmp_path / "a.npz")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
    def test_pipe(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(DataFormatError, match="neither a file nor a folder"):
            load(tmp_path / "pipe")


class TestDigits:
    def test_pixels_and_parts(self):
        dataset, original = load("digits"), sklearn_digits()
        assert repr(dataset) == repr(load_digits())
        assert dataset.X.dtype == np.uint8
        assert (dataset.X.min(), dataset.X.max(), dataset.image_shape) == (0, 16, (8, 8))
        assert dataset.class_names == tuple("0123456789")
        expected = train_test_split(original.data, original.target, test_size=0.2, stratify=original.target, random_state=0)
        for ours, theirs in zip((dataset.X, dataset.X_test, dataset.y, dataset.y_test), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_import_is_light():
    code = "import sys, fastsvm.datasets; print([m for m in ('sklearn', 'scipy', 'numba') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[]"


class TestRealData:
    def test_cifar_versions_agree(self, data_dir):
        binary, python = load(need(data_dir / "cifar-10-batches-bin")), load(need(data_dir / "cifar-10-batches-py"))
        assert binary.X.shape == (50_000, 3072)
        assert binary.X_test.shape == (10_000, 3072)
        assert binary.class_names == python.class_names == tuple(NAMES)
        assert (np.bincount(binary.y) == 5000).all()
        assert (np.bincount(binary.y_test) == 1000).all()
        for name in ("X", "y", "X_test", "y_test"):
            assert np.array_equal(getattr(binary, name), getattr(python, name)), name

    def test_fashion_mnist(self, data_dir):
        dataset = load(need(data_dir / "fashion-mnist"))
        assert (dataset.X.shape, dataset.X_test.shape, dataset.X.dtype) == ((60_000, 784), (10_000, 784), np.uint8)
        assert dataset.image_shape == (28, 28)
        assert (np.bincount(dataset.y) == 6000).all()
        assert (np.bincount(dataset.y_test) == 1000).all()


def need(path):
    if not path.exists():
        pytest.skip(f"FASTSVM_DATA has no {path.name}")
    return path
