"""CSR samples in training, searches, landscapes, models, files and on the command line: the same as dense ones, never dense."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file

import fastsvm
from cli_runs import run, succeed, succeed_json
from fastsvm import DataFormatError, effects, landscape, trajectories, tuning
from fastsvm.datasets import Dataset, load
from fastsvm.optimizers import SGD, AdaGrad, Momentum, SteepestDescent
from sparse_cases import csr, sparse_samples
from tables import SPARSE_BACKENDS


def twice(function):
    """``function`` of CSR and of dense samples, and their classes."""
    X, D, y = sparse_samples()
    return function(X, y), function(D, y)


def close(ours, theirs) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def same(ours: fastsvm.TrainResult, theirs: fastsvm.TrainResult) -> bool:
    return ours.W.tobytes() == theirs.W.tobytes() and ours.b.tobytes() == theirs.b.tobytes()


@pytest.mark.usefixtures("never_dense")
class TestTraining:
    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"standardize": "max-abs", "sampling": "replacement", "optimizer": Momentum(1e-2)},
            {"standardize": "scale", "sampling": "sequential", "loss": "softmax", "optimizer": SGD(0.1)},
            {"batch_size": "full", "optimizer": SteepestDescent(), "loss": "softmax"},
            {"score_function": fastsvm.TwoLayer(hidden=6), "standardize": "max-abs"},
        ],
        ids=["defaults", "momentum", "sgd", "steepest", "network"],
    )
    def test_as_dense(self, sparse_backend, changes):
        X, D, y = sparse_samples()
        settings = {"epochs": 4, "batch_size": 16, "standardize": "none", "seed": 3, **changes}
        dense = fastsvm.train(D, y, validation=(D, y), **settings, backend="reference")
        del settings["standardize"]
        kind = {"standardize": changes["standardize"]} if "standardize" in changes else {}  # else "auto", which is "none"
        for validation in (X, D):
            ours = fastsvm.train(X, y, validation=(validation, y), **settings, **kind, backend=sparse_backend)
            close(ours.W, dense.W)
            close(ours.b, dense.b)
            close(ours.history["val_loss"], dense.history["val_loss"])
            # The scores of the sample without a number are the intercepts, which are as good as equal.
            np.testing.assert_allclose(ours.history["accuracy"], dense.history["accuracy"], atol=1 / 60)
        mixed = fastsvm.train(D, y, validation=(X, y), **{"standardize": "none"} | settings | kind, backend=sparse_backend)
        close(mixed.history["val_loss"], dense.history["val_loss"])
        close(ours.scores(X), dense.scores(D))

    def test_auto(self):
        X, D, y = sparse_samples()
        assert fastsvm.train(X, y, epochs=1, backend="reference").standardization is None
        dense = fastsvm.train(D, y, epochs=1, backend="reference")
        assert dense.standardization.kind == "mean+std"
        with pytest.raises(ValueError, match=r"standardization must subtract no mean .* where X is sparse"):
            dense.predict(X)
        with pytest.raises(ValueError, match=r"must subtract no mean .* where validation\[0\] is sparse"):
            fastsvm.train(D, y, epochs=1, validation=(X, y), backend="reference")

    @pytest.mark.parametrize("kind", ["auto", "max-abs"])
    def test_resume(self, sparse_backend, kind):
        X, _, y = sparse_samples("float32")
        settings = {"batch_size": 16, "standardize": kind, "backend": sparse_backend, "optimizer": Momentum(1e-2)}
        half = fastsvm.train(X, y, epochs=2, **settings)
        assert same(fastsvm.train(X, y, epochs=5, resume=half, **settings), fastsvm.train(X, y, epochs=5, **settings))
        left_open = fastsvm.train(X, y, epochs=3, resume=half, **settings | {"standardize": "auto"})
        assert left_open.standardization is half.standardization
        with pytest.raises(ValueError, match="standardize must be that of the training to resume"):
            fastsvm.train(X, y, epochs=5, resume=half, **settings | {"standardize": "scale"})

    def test_divergence_tells_what_suits_sparse_samples(self):
        X, _, y = sparse_samples()
        X.data *= 1e150
        with pytest.raises(fastsvm.DivergenceError, match=r'standardize="max-abs"'):
            fastsvm.train(X, y, epochs=50, optimizer=SGD(1e200), alpha=0.0, backend="reference")


@pytest.mark.usefixtures("never_dense")
class TestSearchesAndLandscapes:
    def test_searches(self, sparse_backend):
        given = {"n_attempts": 30, "dtype": "float64", "backend": sparse_backend}
        for kind in ("none", "max-abs"):
            for search in (fastsvm.random_search, fastsvm.random_local_search):
                ours, theirs = twice(partial(search, standardize=kind, **given))
                close(ours.losses, theirs.losses)
                assert ours.accepted.tolist() == theirs.accepted.tolist()
        X, D, y = sparse_samples()
        how = {"n_attempts": 3, "backend": sparse_backend}
        assert fastsvm.random_search(X, y, **how).standardization is None
        assert fastsvm.random_search(D, y, **how).standardization.kind == "mean"

    def test_landscapes(self, sparse_backend):
        rng = np.random.default_rng(2)
        W, D1, D2 = rng.normal(size=(3, 4, 24))
        given = {"alpha": 0.1, "backend": sparse_backend}
        close(*(found.loss for found in twice(lambda X, y: landscape.line(W, X, y, D1, [-1, 0, 0.5], **given))))
        close(*(found.loss for found in twice(lambda X, y: landscape.plane(W, X, y, D1, D2, [-1, 1], [0, 2], **given))))
        close(*(found.losses for found in twice(lambda X, y: landscape.step_sizes(W, X, y, step_sizes=[1e-3, 1.0], **given))))
        close(*(found.a for found in twice(lambda X, y: landscape.minimize_along(W, X, y, D1, **given))))
        ours, theirs = twice(lambda X, y: landscape.breakpoints(W, X, y, D1, backend=sparse_backend))
        close(ours.a, theirs.a)

    def test_samples_are_taken_in_blocks(self, monkeypatch):
        W, D1 = np.random.default_rng(2).normal(size=(2, 4, 24))
        X, _, y = sparse_samples()
        whole = landscape.line(W, X, y, D1, [-1, 0, 0.5], backend="reference")
        monkeypatch.setattr("fastsvm.landscape.family.BLOCK", 7 * 2 * 4 * 8)  # seven rows
        close(landscape.line(W, X, y, D1, [-1, 0, 0.5], backend="reference").loss, whole.loss)

    @pytest.mark.parametrize("way", [{"folds": 3}, {"holdout": 0.25}])
    def test_tuning(self, sparse_backend, way):
        settings = {"n_trials": 3, "epochs": 3, "n_jobs": 2, "backend": sparse_backend, **way}
        ours, theirs = twice(lambda X, y: tuning.tune(X, y, standardize="none", **settings))
        assert [trial.scores for trial in ours.trials] == [trial.scores for trial in theirs.trials]
        X, D, y = sparse_samples()
        assert tuning.tune(X, y, **settings).settings["standardize"] == "none"
        assert tuning.tune(D, y, **settings).settings["standardize"] == "mean+std"
        with pytest.raises(ValueError, match="standardize must subtract no mean"):
            tuning.tune(X, y, standardize="mean", **settings)

    def test_a_search_goes_on_with_the_same_data_only(self, tmp_path):
        X, _, y = sparse_samples()
        settings = {"n_trials": 2, "epochs": 2, "path": tmp_path / "trials", "backend": "reference"}
        first = tuning.tune(X, y, **settings)
        assert tuning.tune(X, y, **settings).trials == first.trials
        for part in ("data", "indices"):
            other = X.copy()
            if part == "data":
                other.data[3] += 1
            else:
                other.indices[-1] = 23  # an empty column
            with pytest.raises(ValueError, match="X"):
                tuning.tune(other, y, **settings)

    def test_effects_and_trajectories(self, sparse_backend):
        W = np.random.default_rng(2).normal(size=(4, 24))
        given = {"standardization": fastsvm.fit_standardization(sparse_samples()[0], "max-abs"), "backend": sparse_backend}
        ours, theirs = twice(lambda X, y: effects.batch_gradients(W, X, y, [1, 8, "full"], 3, **given))
        close(ours.cosine, theirs.cosine)
        close(ours.law, theirs.law)
        assert twice(lambda X, y: effects.duplicated(W, X, y, 3, **given))[0].difference < 1e-12
        X, _, y = sparse_samples()
        assert len(effects.learning_rates(X, y, [1e-3, 1e-2], epochs=2, backend=sparse_backend).rates) == 2
        path = trajectories.record_path(X, y, epochs=2, batch_size=20, every=1, backend=sparse_backend)
        close(path.Ws[-1], fastsvm.train(X, y, epochs=2, batch_size=20, backend=sparse_backend).W)
        assert np.isfinite(trajectories.path_plane(X, y, path, resolution=3).plane.loss).all()


class TestModels:
    def test_save_and_use(self, sparse_backend, tmp_path):
        X, D, y = sparse_samples("float32")
        result = fastsvm.train(X, y, epochs=3, standardize="max-abs", backend=sparse_backend)
        result.to_model().save(tmp_path / "m")
        model = fastsvm.load_model(tmp_path / "m")
        assert model.standardization.kind == "max-abs"
        np.testing.assert_array_equal(model.scores(X, backend=sparse_backend), result.scores(X))
        np.testing.assert_allclose(model.scores(D, backend=sparse_backend), result.scores(X), rtol=1e-4, atol=1e-5)
        assert model.predict(X, backend=sparse_backend).tolist() == result.predict(X).tolist()
        assert model.evaluate(X, y, backend=sparse_backend) == result.evaluate(X, y)
        assert model.top_k(X, 2, backend=sparse_backend)[0].shape == (60, 2)
        with pytest.raises(ValueError, match="X must have the 24 features the model was trained on; got 23"):
            model.predict(X[:, :23], backend=sparse_backend)


class TestDatasets:
    def test_kinds_and_repr(self):
        X, D, y = sparse_samples("float32")
        dataset = Dataset("toy", X, y, X[:5], y[:5])
        assert type(dataset.X) is type(dataset.X_test) is sp.csr_array
        shown = f"X (60, 24) float32 CSR with {X.nnz} non-zeros; X_test (5, 24); 4 classes"
        assert repr(dataset).startswith(f"<Dataset 'toy'; {shown}")
        for test, error, message in (
            (D[:5], TypeError, "X_test must be CSR, as X is; got ndarray"),
            (X[:5].astype(np.float64), TypeError, "X_test must have dtype float32, as X has; got float64"),
            (X[:5, :7], ValueError, r"X_test must have shape \(at least 1, 24\)"),
            (X[:5].tocsc(), TypeError, "X_test must be CSR where it is sparse; got csc_array"),
        ):
            with pytest.raises(error, match=message):
                Dataset("toy", X, y, test, y[:5])
        with pytest.raises(TypeError, match="X_test must be a NumPy array; got csr_array"):
            Dataset("toy", D, y, X[:5], y[:5])

    def test_split_and_dense(self):
        X, D, y = sparse_samples()
        ours, theirs = Dataset("toy", X, y).split(0.25, 1), Dataset("toy", D, y).split(0.25, 1)
        for name in ("X", "X_test"):
            assert sp.issparse(getattr(ours, name))
            np.testing.assert_array_equal(getattr(ours.to_dense(), name), getattr(theirs, name))
        np.testing.assert_array_equal(ours.y_test, theirs.y_test)
        assert theirs.to_dense() is theirs

    @pytest.mark.usefixtures("never_dense")
    def test_svmlight_stays_sparse(self, tmp_path):
        (tmp_path / "a.svm").write_bytes(b"1 1:1\n2 1000000000:1\n")  # 8 GB as an array
        dataset = load(tmp_path / "a.svm")
        assert (dataset.X.shape, dataset.X.nnz, dataset.X.dtype) == ((2, 1_000_000_000), 2, np.float32)

    @pytest.mark.parametrize("name", ["X.npz", "X_train.npz"])
    def test_as_scipy_saves_it(self, tmp_path, name):
        X, _, y = sparse_samples()
        sp.save_npz(tmp_path / name, sp.csr_matrix(X))
        with pytest.raises(DataFormatError, match=rf"{name}: has no labels beside it; expected y{name[1:-4]}.npy"):
            load(tmp_path / name)
        np.save(tmp_path / f"y{name[1:-4]}.npy", y)
        sp.save_npz(tmp_path / "X_test.npz", X[:7])
        np.save(tmp_path / "y_test.npy", y[:7])
        dataset = load(tmp_path / name)
        assert (dataset.X != X).nnz == (dataset.X_test != X[:7]).nnz == 0
        assert dataset.y.tolist() == y.tolist()
        assert isinstance(load(tmp_path / name, dense=True).X, np.ndarray)

    @pytest.mark.parametrize(
        ("name", "X", "message"),
        [
            ("samples.npz", csr(np.eye(3)), "array of unknown use; expected the name X.npz, X_train.npz or X_test.npz"),
            ("X.npz", csr(np.eye(3)).tocsc(), "its format is b'csc'; expected what scipy.sparse.save_npz writes for X.tocsr()"),
            ("X.npz", csr(np.eye(3, dtype=np.int64)), "X must have dtype float32 or float64"),
            ("X.npz", sp.csr_array((np.ones(2), [0, 9], [0, 1, 2]), shape=(2, 3)), r"X.indices must be in \[0, 3\)"),
            ("X.npz", csr(np.diag([1, np.nan, 1])), r"X\[1, 1\] is nan"),
        ],
    )
    def test_wrong_archives(self, tmp_path, name, X, message):
        sp.save_npz(tmp_path / name, X)
        np.save(tmp_path / "y.npy", np.arange(X.shape[0]))
        with pytest.raises(DataFormatError, match=message):
            load(tmp_path / name)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """An svmlight file of four classes, and a command line that uses the reference."""
    monkeypatch.setenv("FASTSVM_BACKEND", SPARSE_BACKENDS[0])
    D, y = sparse_samples()[1:]
    dump_svmlight_file(D, y, str(tmp_path / "toy.svm"), zero_based=False)
    return tmp_path / "toy.svm"


@pytest.mark.usefixtures("never_dense")
class TestCommandLine:
    def test_train_evaluate_predict(self, file, tmp_path):
        found = succeed_json("train", file, "--epochs", 30, "-o", tmp_path / "m")
        assert (found["standardize"], found["data"]["dtype"], found["data"]["features"]) == ("none", "float32", 23)
        assert found["data"]["non_zeros"] == load(file).split(0.2).X.nnz
        assert f"float32, {found['data']['non_zeros']} non-zeros" in succeed("train", file, "--epochs", 1)
        assert succeed_json("train", file, "--epochs", 2, "--standardize", "max-abs")["standardize"] == "max-abs"
        measured = succeed_json("evaluate", tmp_path / "m", file)
        assert measured["samples"] == 60
        predicted = succeed("predict", tmp_path / "m", file).split()
        assert np.mean(np.array(predicted) == load(file).y.astype(str)) == pytest.approx(measured["accuracy"])
        sp.save_npz(tmp_path / "new.npz", load(file).X)
        assert succeed("predict", tmp_path / "m", tmp_path / "new.npz").split() == predicted

    def test_means_need_dense_samples(self, file, monkeypatch):
        refused = run("train", file, "--epochs", 2, "--standardize", "mean+std")
        assert refused.exit_code == 2
        assert "standardize must subtract no mean" in refused.stderr
        monkeypatch.undo()
        assert succeed_json("train", file, "--epochs", 2, "--standardize", "mean", "--dense")["standardize"] == "mean"
        assert succeed_json("train", file, "--epochs", 2, "--dense")["standardize"] == "mean+std"
        assert succeed_json("search", file, "--attempts", 2, "--dense")["standardize"] == "mean"

    def test_the_other_commands(self, file):
        checked = succeed_json("gradcheck", file)
        assert (checked["passed"], sorted(checked["gradients"])) == (True, ["W", "b", "scores"])
        assert np.isfinite(succeed_json("sweep", file)["losses"]).all()
        assert succeed_json("landscape", file, "--samples", 20)["samples"] == 20
        assert succeed_json("search", file, "--attempts", 20)["standardize"] == "none"
        searched = ["--learning-rate", "0.01,0.1", "--alpha", "0.001,0.01", "--trials", 2, "--epochs", 20]
        tuned = succeed_json("tune", file, *searched)
        assert tuned["standardize"] == "none"
        assert "--standardize" not in tuned["command"]


def test_the_tour_makes_small_data_dense(file, monkeypatch):
    pytest.importorskip("matplotlib")
    from fastsvm.tour import journey
    from fastsvm.tour.context import QUICK

    monkeypatch.setattr(journey, "CHAPTERS", {name: journey.CHAPTERS[name] for name in ("data", "random")})
    made = journey.travel(load(file), source="toy.svm", language="en", plan=QUICK)
    text = repr(made.chapters)
    assert 'fastsvm.load("toy.svm", dense=True).split(' in text
    assert "fastsvm search toy.svm --dense --method random" in text
    monkeypatch.setattr(journey, "MOST_NUMBERS", 60 * 23 - 1)
    with pytest.raises(ValueError, match=r"or sparse with at most 1,379 numbers, .* 'toy.svm' has 60 x 23"):
        journey.travel(load(file), source="toy.svm", language="en")


def test_newsgroups(data_dir):
    """20 Newsgroups as TF-IDF, 11,314 x 129,791: 5.9 GB as an array of float32, 14 MB as it is."""
    path = data_dir / "news20_train.svm.bz2"
    if not path.exists():
        pytest.skip(f"FASTSVM_DATA has no {path.name}")
    dataset = load(path)
    assert (dataset.X.shape, dataset.X_test.shape[1], dataset.n_classes) == ((11314, 129791), 129791, 20)
    settings = {"epochs": 2, "alpha": 1e-6, "batch_size": 512, "optimizer": AdaGrad(0.3), "backend": SPARSE_BACKENDS[-1]}
    result = fastsvm.train(dataset.X, dataset.y, **settings)
    assert result.evaluate(dataset.X_test, dataset.y_test)[1] > 0.8
