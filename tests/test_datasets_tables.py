"""NumPy's .npz and .npy files: what is read, and what is wrong with those that are not."""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest

from fastsvm import DataFormatError
from fastsvm.datasets import load

X = np.array([[0.5, 0, 2], [0, -1, 0], [3, 0, 0.25], [0, 0, 1]], dtype=np.float32)
Y = np.array([0, 1, 2, 1])


class Evil:
    """Creates a file when unpickled."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return open, (str(self.canary), "w")


class TestNpz:
    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
    def test_content(self, tmp_path, save, dtype):
        samples = np.abs(X * 4).astype(dtype)
        save(tmp_path / "a.npz", X=samples, y=Y, X_test=samples[:2], y_test=Y[1:3], class_names=["p", "q", "r"])
        dataset = load(tmp_path / "a.npz")
        assert dataset.X.dtype == dtype
        np.testing.assert_array_equal(dataset.X, samples)
        np.testing.assert_array_equal(dataset.X_test, samples[:2])
        assert (dataset.y.tolist(), dataset.y_test.tolist()) == ([0, 1, 2, 1], [1, 2])
        assert (dataset.name, dataset.class_names) == ("a", ("p", "q", "r"))

    def test_archive_under_another_name(self, tmp_path):
        np.savez(tmp_path / "a.npz", X=X, y=Y)
        (tmp_path / "a.npz").rename(tmp_path / "a.data")
        assert load(tmp_path / "a.data").X_test is None

    @pytest.mark.parametrize(
        ("labels", "names", "indices"),
        [
            (np.array([-1, 1, 1, -1]), ("-1", "1"), [0, 1, 1, 0]),
            (np.array([3.0, 1.0, 2.0, 1.0]), ("1", "2", "3"), [2, 0, 1, 0]),
            (np.array(["dog", "cat", "cat", "dog"]), ("cat", "dog"), [1, 0, 0, 1]),
            (np.array([True, False, True, True]), ("0", "1"), [1, 0, 1, 1]),
            (np.array([2**63 + 1, 5, 5, 5], dtype=np.uint64), ("5", str(2**63 + 1)), [1, 0, 0, 0]),
        ],
    )
    def test_labels(self, tmp_path, labels, names, indices):
        np.savez(tmp_path / "a.npz", X=X, y=labels, X_test=X, y_test=labels[::-1])
        dataset = load(tmp_path / "a.npz")
        assert (dataset.class_names, dataset.y.tolist(), dataset.y_test.tolist()) == (names, indices, indices[::-1])

    def test_classes_that_only_the_names_and_the_test_part_know(self, tmp_path):
        np.savez(tmp_path / "a.npz", X=X, y=np.array([0, 1, 1, 0]), X_test=X, y_test=Y, class_names=["p", "q", "r"])
        assert load(tmp_path / "a.npz").y_test.tolist() == [0, 1, 2, 1]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"y": None}, "has no array 'y'; it holds 'X'"),
            ({"X": None}, "has no array 'X'; it holds 'y'"),
            ({"X": X[0]}, "X must have 2 dimensions"),
            ({"X": X[:0], "y": Y[:0]}, "y must have one dimension and at least one label"),
            ({"X": X[:, :0]}, "X must hold at least one sample and one feature"),
            ({"X": X.astype(np.int64)}, "X must have dtype float64 or float32 or float16 or uint16"),
            ({"X": X.astype(">f4")}, "native byte order"),
            ({"X": np.asfortranarray(X)}, "X must be C-contiguous"),
            ({"X": np.where(X == 3, np.nan, X)}, r"X must hold finite numbers only; X\[2, 0\] is nan"),
            ({"X": np.where(X == 3, np.inf, X)}, r"X must hold finite numbers only; X\[2, 0\] is inf"),
            ({"X_test": np.where(X == 3, np.nan, X), "y_test": Y}, r"X_test must hold finite numbers only; X_test\[2, 0\]"),
            ({"y": Y[:3]}, r"y must have shape \(4,\)"),
            ({"y": Y[:, None]}, r"y must have one dimension and at least one label; got shape \(4, 1\)"),
            ({"y": Y + 0.5}, r"y must hold whole numbers; y\[0\] is 0.5"),
            ({"y": [np.nan, 0, 1, 1]}, r"y must hold whole numbers; y\[0\] is nan"),
            ({"y": Y * 1j}, "y must hold integers or strings; got dtype complex128"),
            ({"y": Y * 0}, "at least two classes"),
            ({"X_test": X}, "X_test and y_test must be given together"),
            ({"y_test": Y}, "X_test and y_test must be given together"),
            ({"X_test": X, "y_test": Y + 1}, r"y_test\[2\] is 3"),
            ({"X_test": X, "y_test": Y.astype(str)}, "y_test must hold labels of the kind of y"),
            ({"X_test": X[:, :2].copy(), "y_test": Y}, r"X_test must have shape \(at least 1, 3\)"),
            ({"X_test": X.astype(float), "y_test": Y}, "X_test must have dtype float32"),
            ({"class_names": ["p", "q"]}, r"y must be class indices in \[0, 2\); y\[2\] is 2"),
            ({"class_names": ["p", "q", "r"], "y": Y - 1}, r"y\[0\] is -1"),
            ({"class_names": ["p", "q", "r"], "y": Y + 0.5}, r"y must hold whole numbers"),
            ({"class_names": ["p", "q", "r"], "y": Y.astype(str)}, "y must hold integer class indices"),
            ({"class_names": [1, 2, 3]}, "class_names must be strings"),
            ({"class_names": [["p", "q", "r"]]}, "class_names must be strings in one dimension"),
        ],
    )
    def test_wrong_content(self, tmp_path, change, message):
        arrays = {"X": X, "y": Y} | change
        np.savez(tmp_path / "a.npz", **{key: array for key, array in arrays.items() if array is not None})
        with pytest.raises(DataFormatError, match=f"a.npz: .*{message}"):
            load(tmp_path / "a.npz")

    @pytest.mark.parametrize("key", ["X", "y", "class_names"])
    def test_objects_are_not_unpickled(self, tmp_path, key):
        canary, path = tmp_path / "canary", tmp_path / "a.npz"
        np.savez(path, **({"X": X, "y": Y} | {key: np.array([Evil(canary), 1], dtype=object)}))
        with pytest.raises(DataFormatError, match=r"a.npz: not a readable npz archive: Object arrays cannot be loaded"):
            load(path)
        (tmp_path / "b.npz").write_bytes(pickle.dumps(Evil(canary)))
        with pytest.raises(DataFormatError, match=r"b.npz: is truncated or not an npz archive"):
            load(tmp_path / "b.npz")
        assert not canary.exists()

    def test_truncated(self, tmp_path):
        path = tmp_path / "a.npz"
        np.savez_compressed(path, X=X, y=Y)
        whole = path.read_bytes()
        for size in (3, 30, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:size])
            with pytest.raises(DataFormatError, match=r"a.npz: "):
                load(path)

    def test_member_shorter_than_its_header_says(self, tmp_path):
        np.savez(tmp_path / "a.npz", X=X, y=Y)
        with zipfile.ZipFile(tmp_path / "a.npz") as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content[:-4] if name == "X.npy" else content)
        with pytest.raises(DataFormatError, match=r"b.npz: not a readable npz archive"):
            load(tmp_path / "b.npz")


class TestNpy:
    @staticmethod
    def save(folder, **arrays):
        folder.mkdir(exist_ok=True)
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)

    @pytest.mark.parametrize("part", ["", "_train"])
    def test_folder_and_file(self, tmp_path, part):
        folder = tmp_path / "toy"
        self.save(folder, **{f"X{part}": X, f"y{part}": Y + 5, "X_test": X[:2], "y_test": Y[:2] + 5})
        for path in (folder, folder / f"X{part}.npy", tmp_path):
            dataset = load(path)
            np.testing.assert_array_equal(dataset.X, X)
            np.testing.assert_array_equal(dataset.X_test, X[:2])
            assert (dataset.y.tolist(), dataset.y_test.tolist()) == ([0, 1, 2, 1], [0, 1])
            assert (dataset.name, dataset.class_names) == ("toy", ("5", "6", "7"))

    def test_samples_are_mapped(self, tmp_path):
        self.save(tmp_path, X=X, y=Y)
        dataset = load(tmp_path)
        assert isinstance(dataset.X.base, np.memmap)
        assert not dataset.X.flags.writeable

    def test_test_part_alone(self, tmp_path):
        self.save(tmp_path, X_test=X, y_test=Y)
        for path in (tmp_path, tmp_path / "X_test.npy"):
            dataset = load(path)
            assert (dataset.X.shape, dataset.X_test) == ((4, 3), None)

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({"X": X}, r"X.npy: has no labels beside it; expected y.npy"),
            ({"X": X, "y": Y, "X_test": X}, r"X_test.npy: has no labels beside it; expected y_test.npy"),
            ({"X": X, "X_train": X, "y": Y, "y_train": Y}, "holds both X_train.npy and X.npy"),
            ({"X": X, "y": Y[:3]}, r"X.npy: y must have shape \(4,\)"),
            ({"X": X[:0], "y": Y[:0]}, r"X.npy: "),
            ({"X": np.where(X == 3, np.nan, X), "y": Y}, r"X.npy: X must hold finite numbers only"),
            ({"X": np.asfortranarray(X), "y": Y}, "X.npy: X must be C-contiguous"),
            ({"X": X, "y": Y.astype(object)}, "y.npy: not a readable npy file: Object arrays"),
        ],
    )
    def test_wrong_content(self, tmp_path, arrays, message):
        self.save(tmp_path, **arrays)
        with pytest.raises(DataFormatError, match=message):
            load(tmp_path)

    def test_objects_are_not_unpickled(self, tmp_path):
        canary = tmp_path / "canary"
        self.save(tmp_path / "a", X=np.array([[Evil(canary)]], dtype=object), y=Y)
        self.save(tmp_path / "b", X=X, y=np.array([Evil(canary)] * 4, dtype=object))
        for folder, name in (("a", "X.npy"), ("b", "y.npy")):
            with pytest.raises(DataFormatError, match=rf"{name}: not a readable npy file"):
                load(tmp_path / folder)
        assert not canary.exists()

    def test_truncated(self, tmp_path):
        self.save(tmp_path, X=X, y=Y)
        for name in ("X.npy", "y.npy"):
            whole = (tmp_path / name).read_bytes()
            for size in (0, 4, 20, len(whole) - 1):
                (tmp_path / name).write_bytes(whole[:size])
                with pytest.raises(DataFormatError, match=f"{name}: "):
                    load(tmp_path)
            (tmp_path / name).write_bytes(whole)
        assert load(tmp_path).X.shape == (4, 3)

    def test_unknown_name(self, tmp_path):
        self.save(tmp_path, features=X)
        with pytest.raises(DataFormatError, match=r"features.npy: is an array of unknown use; expected the name X.npy"):
            load(tmp_path / "features.npy")
