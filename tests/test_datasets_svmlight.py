"""svmlight files: what is read, and what is wrong with those that are not."""

from __future__ import annotations

import bz2
import gzip

import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import dump_svmlight_file

from fastsvm import DataFormatError
from fastsvm.datasets import load

X = np.array([[0.5, 0, 2], [0, -1, 0], [3, 0, 0.25], [0, 0, 1]], dtype=np.float32)
Y = np.array([0, 1, 2, 1])
#: The same by hand, with indices from 1 and labels that are not class indices.
TEXT = b"# made by hand\n10 1:0.5 3:2 # first\n-20 2:-1\n\n+30 1:3 3:0.25\n-20 3:1\n"

COMPRESS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}


def assert_holds(samples, expected):
    """CSR samples are these numbers."""
    assert isinstance(samples, scipy.sparse.csr_array)
    np.testing.assert_array_equal(samples.toarray(), expected)


class TestSvmlight:
    @pytest.mark.parametrize("ending", COMPRESS)
    @pytest.mark.parametrize("name", ["toy.svm", "toy.svmlight", "toy.libsvm", "toy.txt", "toy", "toy.train.v2"])
    def test_content(self, tmp_path, name, ending):
        path = tmp_path / (name + ending)
        path.write_bytes(COMPRESS[ending](TEXT))
        dataset = load(path)
        assert_holds(dataset.X, X)
        assert (dataset.X.dtype, dataset.X.indices.dtype) == (np.float32, np.int32)
        assert dataset.class_names == ("-20", "10", "30")
        assert dataset.y.tolist() == [1, 0, 2, 0]
        assert dataset.X_test is None
        assert dataset.image_shape is None

    def test_content_whatever_the_name_says_of_compression(self, tmp_path):
        (tmp_path / "toy.svm").write_bytes(gzip.compress(TEXT))
        assert_holds(load(tmp_path / "toy.svm").X, X)

    @pytest.mark.parametrize("zero_based", [True, False])
    def test_scikit_learns_files(self, tmp_path, zero_based):
        dump_svmlight_file(X, Y, str(tmp_path / "a.svm"), zero_based=zero_based)
        dataset = load(tmp_path / "a.svm")
        assert_holds(dataset.X, X)
        np.testing.assert_array_equal(dataset.y, Y)
        assert (dataset.name, dataset.class_names) == ("a", ("0", "1", "2"))

    def test_minus_and_plus_one(self, tmp_path):
        (tmp_path / "a.svm").write_bytes(b"+1 1:1\n-1 1:2\n1.0 1:3\n")
        dataset = load(tmp_path / "a.svm")
        assert (dataset.y.tolist(), dataset.class_names) == ([1, 0, 1], ("-1", "1"))

    @pytest.mark.parametrize(
        ("train", "test"),
        [
            ("n_train.svm", "n_test.svm"),
            ("n-train.svm.gz", "n-test.svm.gz"),
            ("n_train.svm.bz2", "n_test.txt"),
            ("train.svm", "test.svm"),
        ],
    )
    def test_pair(self, tmp_path, train, test):
        folder = tmp_path / "n"
        folder.mkdir()
        for name, text in ((train, TEXT), (test, b"30 2:7\n10 1:1\n")):
            (folder / name).write_bytes(COMPRESS.get(name[name.rfind(".") :], bytes)(text))
        dataset = load(folder / train)
        assert dataset.name == "n"
        assert_holds(dataset.X, X)
        assert_holds(dataset.X_test, np.float32([[0, 7, 0], [1, 0, 0]]))
        assert dataset.y_test.tolist() == [2, 1]
        alone = load(folder / test)
        assert (alone.X.shape, alone.X_test, alone.class_names) == ((2, 2), None, ("10", "30"))
        assert_holds(load(folder / test, n_features=3).X, [[0, 7, 0], [1, 0, 0]])

    def test_pair_counts_from_zero_or_one_together(self, tmp_path):
        (tmp_path / "n_train.svm").write_bytes(b"1 0:1 1:2\n2 1:3\n")
        (tmp_path / "n_test.svm").write_bytes(b"1 1:5\n")
        assert_holds(load(tmp_path / "n_train.svm").X_test, [[0, 5]])

    def test_pair_with_new_features_in_the_test_part(self, tmp_path):
        (tmp_path / "n_train.svm").write_bytes(b"1 1:1\n2 2:3\n")
        (tmp_path / "n_test.svm").write_bytes(b"1 4:5\n")
        dataset = load(tmp_path / "n_train.svm")
        assert_holds(dataset.X, [[1, 0, 0, 0], [0, 3, 0, 0]])
        assert_holds(dataset.X_test, [[0, 0, 0, 5]])

    def test_pair_is_not_unique(self, tmp_path):
        for name in ("n_train.svm.gz", "n_test.txt", "n_test.libsvm"):
            (tmp_path / name).write_bytes(TEXT)
        with pytest.raises(DataFormatError, match=r"several test parts beside it, n_test.libsvm, n_test.txt; expected one"):
            load(tmp_path / "n_train.svm.gz")
        (tmp_path / "n_test.svm.gz").write_bytes(b"30 1:1\n")
        assert load(tmp_path / "n_train.svm.gz").X_test.shape == (1, 3)

    def test_error_in_the_test_part_names_it(self, tmp_path):
        (tmp_path / "n_train.svm").write_bytes(TEXT)
        (tmp_path / "n_test.svm").write_bytes(b"10 1:x\n")
        with pytest.raises(DataFormatError, match=r"n_test.svm: not a readable svmlight file"):
            load(tmp_path / "n_train.svm")
        (tmp_path / "n_test.svm").write_bytes(b"11 1:1\n")
        with pytest.raises(DataFormatError, match=r"n_train.svm: y_test must hold .* \(-20, 10, 30\); y_test\[0\] is 11"):
            load(tmp_path / "n_train.svm")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (b"", "a.svm: is empty"),
            (b"# nothing\n\n", "holds 0 samples and no feature values"),
            (b"1\n2\n", "holds 2 samples and no feature values"),
            (b"hello world\n", "could not convert string to float: b'hello'"),
            (b"1 2 3\n", "not a readable svmlight file"),
            (b"1 1:2 1:3\n2 1:1\n", "should be sorted and unique"),
            (b"1 -1:2\n2 1:1\n", "Invalid index -1"),
            (b"1 99999999999999999999:2\n2 1:1\n", "not a readable svmlight file"),
            (b"1 9223372036854775807:2\n2 0:1\n", "a.svm: "),
            (b"1,2 1:2\n2 1:1\n", "not a readable svmlight file"),
            (b"1 1:1\n2 1:2 3:nan\n", r"sample 1 has the value nan for feature 2"),
            (b"1 1:1\n2 1:1e39\n", r"sample 1 has the value inf for feature 0"),
            (b"1 1:1\n1.5 1:2\n", r"y must hold whole numbers; y\[1\] is 1.5"),
            (b"1 1:1\nnan 1:2\n", r"y must hold whole numbers; y\[1\] is nan"),
            (b"1e300 1:1\n2 1:2\n", r"y must hold whole numbers; y\[0\] is 1e\+300"),
            (b"7 1:1\n7 1:2\n", "y must hold at least two classes; every label is 7"),
        ],
    )
    def test_wrong_content(self, tmp_path, text, message):
        (tmp_path / "a.svm").write_bytes(text)
        with pytest.raises(DataFormatError, match=message):
            load(tmp_path / "a.svm")

    def test_truncated(self, tmp_path):
        noise = b"".join(b"%d 1:%.9f\n" % (i % 3, v) for i, v in enumerate(np.random.default_rng(0).random(20_000)))
        for ending in (".gz", ".bz2"):
            whole = COMPRESS[ending](noise)
            for size in (2, 12, len(whole) // 2, len(whole) - 1):
                (tmp_path / f"a.svm{ending}").write_bytes(whole[:size])
                with pytest.raises(DataFormatError, match=f"a.svm{ending}: "):
                    load(tmp_path / f"a.svm{ending}")

    def test_n_features_too_small(self, tmp_path):
        (tmp_path / "a.svm").write_bytes(TEXT)
        with pytest.raises(ValueError, match="n_features was set to 2, but input file contains 3"):
            load(tmp_path / "a.svm", n_features=2)

    def test_dense(self, tmp_path):
        (tmp_path / "n_train.svm").write_bytes(TEXT)
        (tmp_path / "n_test.svm").write_bytes(b"30 2:7\n")
        dataset = load(tmp_path / "n_train.svm", dense=True)
        assert dataset.X.flags.c_contiguous
        np.testing.assert_array_equal(dataset.X, X)
        np.testing.assert_array_equal(dataset.X_test, [[0, 7, 0]])
