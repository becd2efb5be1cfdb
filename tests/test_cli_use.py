"""`fastsvm evaluate`, `predict`, `gradcheck` and `info`, against numbers computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

import fastsvm
from cli_runs import QUICK, run, succeed, succeed_json
from fastsvm.cli.data import labels_for
from fastsvm.cli.evaluate import per_class
from fastsvm.datasets import Dataset
from fastsvm.model import Model


def test_evaluate_by_hand(quadrants):
    # Margins with delta 1 against the true class: -1, -1, 3, -2; only the third point is lost, with 3 - 1 + 1.
    found = succeed_json("evaluate", *quadrants)
    assert (found["samples"], found["accuracy"], found["part"]) == (4, 0.75, "all")
    assert found["loss"] == pytest.approx(3 / 4)
    assert found["classes"] == [
        {"name": "left", "samples": 1, "recall": 1.0, "precision": 0.5},
        {"name": "right", "samples": 3, "recall": pytest.approx(2 / 3), "precision": 1.0},
    ]
    assert found["errors"] == [{"true": "right", "predicted": "left", "samples": 1}]


def test_the_most_frequent_errors_come_first():
    model = Model(np.ones((3, 1)))
    y, predicted = np.array([0, 0, 1, 1, 1, 2]), np.array([1, 0, 2, 2, 1, 0])
    classes, errors = per_class(model, y, predicted)
    assert errors == [
        {"true": "1", "predicted": "2", "samples": 2},
        {"true": "0", "predicted": "1", "samples": 1},
        {"true": "2", "predicted": "0", "samples": 1},
    ]
    assert [entry["recall"] for entry in classes] == [0.5, pytest.approx(1 / 3), 0.0]
    assert [entry["precision"] for entry in classes] == [0.5, 0.5, 0.0]
    assert per_class(model, y[:2], predicted[:2])[0][2] == {"name": "2", "samples": 0, "recall": None, "precision": None}


def test_evaluate_for_people(quadrants):
    text = succeed("evaluate", *quadrants)
    assert "all samples (there is no test part): 4 samples" in text
    assert "0.6667" in text
    assert "most frequent errors" in text


def test_evaluate_takes_the_test_part_if_there_is_one(tmp_path):
    path = tmp_path / "digits.safetensors"
    trained = succeed_json("train", *QUICK, "-o", path)
    tested = succeed_json("evaluate", path, "digits")
    assert (tested["part"], tested["accuracy"], tested["loss"]) == (
        "test",
        trained["test"]["accuracy"],
        trained["test"]["loss"],
    )
    assert sum(entry["samples"] for entry in tested["classes"]) == 360
    seen = succeed_json("evaluate", path, "digits", "--part", "train")
    assert (seen["samples"], seen["accuracy"]) == (1437, trained["train"]["accuracy"])


def test_float64_data_fit_a_float32_model(blobs, tmp_path):
    path = tmp_path / "m"
    trained = succeed_json("train", blobs, *QUICK, "--dtype", "float32", "--test", 0, "-o", path)
    assert succeed_json("evaluate", path, blobs)["accuracy"] == trained["train"]["accuracy"]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (("a", "b", "c"), ("a", "b", "c"), [0, 1]),
        (("a", "b", "c"), ("b", "c"), [1, 2]),
        (("a", "b", "c"), ("c", "a"), [2, 0]),
        (("0", "1", "2", "3"), ("0", "3"), [0, 3]),
        (("a", "b"), ("0", "1"), [0, 1]),
        (("0", "1"), ("a", "b"), [0, 1]),
        (None, ("a", "b"), [0, 1]),
    ],
)
def test_classes_are_matched_by_name(ours, theirs, expected):
    y = np.array([0, 1])
    model = Model(np.ones((3 if ours is None else len(ours), 1)), class_names=ours)
    dataset = Dataset("data", np.ones((2, 1)), y, class_names=theirs)
    assert labels_for(model, dataset, y).tolist() == expected


@pytest.mark.parametrize("theirs", [("a", "d"), ("0", "1")])
def test_classes_the_model_does_not_know(theirs):
    model = Model(np.ones((3, 1)), class_names=("a", "b", "c"))
    dataset = Dataset("data", np.ones((2, 1)), np.array([0, 1]), class_names=theirs)
    with pytest.raises(ValueError, match=r"data must hold classes that the model knows \('a', 'b', 'c'\); got"):
        labels_for(model, dataset, dataset.y)


def test_predict_by_hand(quadrants, tmp_path):
    model, data = quadrants
    assert succeed("predict", model, data) == "left\nright\nleft\nright\n"
    assert succeed("predict", model, data, "--indices") == "0\n1\n0\n1\n"
    assert succeed("predict", model, data, "--scores") == "2.0,0.0\n0.0,2.0\n3.0,1.0\n1.0,4.0\n"
    found = succeed_json("predict", model, data, "--indices")
    assert found == {"model": str(model), "data": str(data), "samples": 4, "predictions": [0, 1, 0, 1]}
    assert succeed_json("predict", model, data)["predictions"] == ["left", "right", "left", "right"]


def test_predict_samples_without_labels(quadrants, tmp_path):
    model, _ = quadrants
    np.save(tmp_path / "new.npy", np.array([[0.0, 1.0], [5.0, 1.0]]))
    assert succeed("predict", model, tmp_path / "new.npy") == "right\nleft\n"
    np.save(tmp_path / "columns.npy", np.asfortranarray([[0.0, 1.0], [5.0, 1.0]]))
    assert succeed("predict", model, tmp_path / "columns.npy") == "right\nleft\n"


def test_predict_the_best_few(quadrants):
    # The features are the scores: (2, 0), (0, 2), (3, 1), (1, 4).
    assert succeed("predict", *quadrants, "--top-k", 2) == "left,right\nright,left\nleft,right\nright,left\n"
    assert succeed("predict", *quadrants, "--top-k", 1) == "left\nright\nleft\nright\n"
    assert succeed_json("predict", *quadrants, "--top-k", 2)["predictions"][2] == ["left", "right"]


def test_predict_into_files(quadrants, tmp_path):
    model, data = quadrants
    for name, options, expected in [
        ("p.csv", ["--indices"], "class\n0\n1\n0\n1\n"),
        ("n.csv", [], "class\nleft\nright\nleft\nright\n"),
        ("k.csv", ["--top-k", 2], "class 1,class 2\nleft,right\nright,left\nleft,right\nright,left\n"),
        ("i.csv", ["--top-k", 2, "--indices"], "class 1,class 2\n0,1\n1,0\n0,1\n1,0\n"),
        ("s.csv", ["--scores"], "left,right\n2.0,0.0\n0.0,2.0\n3.0,1.0\n1.0,4.0\n"),
    ]:
        assert succeed("predict", model, data, "-o", tmp_path / name, *options) == ""
        assert (tmp_path / name).read_text() == expected
    succeed("predict", model, data, "--top-k", 2, "-o", tmp_path / "k.npy")
    assert np.load(tmp_path / "k.npy").tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]
    succeed("predict", model, data, "-o", tmp_path / "p.npy")
    predictions = np.load(tmp_path / "p.npy")
    assert predictions.dtype == np.int64
    assert predictions.tolist() == [0, 1, 0, 1]
    assert succeed_json("predict", model, data, "-o", tmp_path / "p.npy")["output"] == str(tmp_path / "p.npy")


@pytest.mark.parametrize("loss", ["weston-watkins", "crammer_singer", "softmax"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_gradcheck(loss, dtype):
    found = succeed_json("gradcheck", "--loss", loss, "--dtype", dtype, "--samples", 20, "--coordinates", 20)
    assert found["passed"]
    assert list(found["gradients"]) == ["W", "b", "X", "scores"]
    assert all(entry["coordinates"] - entry["kinks"] > 0 for entry in found["gradients"].values())


@pytest.mark.parametrize("loss", ["weston-watkins", "softmax"])
def test_gradcheck_of_all_weights(loss):
    found = succeed_json("gradcheck", "--all", "--loss", loss)
    assert found["passed"]
    assert (found["samples"], found["coordinates"]) == (1437, 650)
    assert 0 < found["relative_errors"]["W"] < 1e-6
    assert "650 weights and intercepts on 1,437 samples" in succeed("gradcheck", "--all", "--loss", loss)


def test_gradcheck_of_all_weights_finds_a_wrong_gradient(monkeypatch):
    import fastsvm.objective

    right = fastsvm.objective.loss_and_gradient

    def wrong(W, *arguments, **options):
        loss, dW, db = right(W, *arguments, **options)
        dW[3, 20] *= 1.01
        return loss, dW, db

    monkeypatch.setattr(fastsvm.objective, "loss_and_gradient", wrong)
    result = run("gradcheck", "--all")
    assert result.exit_code == 1
    assert "failed" in result.output


def test_gradcheck_finds_a_wrong_gradient(monkeypatch):
    right = fastsvm.data_gradient

    def wrong(*args, **kwargs):
        loss, dX = right(*args, **kwargs)
        return loss, dX * 1.01

    monkeypatch.setattr("fastsvm.gradients.objective.data_gradient", wrong)
    result = run("gradcheck", "--samples", 10)
    assert result.exit_code == 1
    assert result.stdout.count("passed") == 3
    assert result.stdout.count("failed") == 1


def test_info():
    found = succeed_json("info")
    assert found["fastsvm"] == fastsvm.__version__
    assert found["libraries"]["numpy"] == np.__version__
    assert found["backend"] in ("native", "numba", "reference")
    assert found["native"]["simd_level"] in found["native"]["simd_levels"]
    text = succeed("info")
    assert found["native"]["path"] in text
    assert found["native"]["simd_level"] in text


def test_show_config(capsys, monkeypatch):
    monkeypatch.setenv("FASTSVM_BACKEND", "reference")
    monkeypatch.setenv("FASTSVM_NUM_THREADS", "3")
    monkeypatch.setattr("fastsvm.backends._selected", None)
    fastsvm.show_config()
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    assert lines["backend"] == ["reference"]
    assert lines["threads"][0] == "3"
    assert lines["FASTSVM_BACKEND"] == ["'reference'"]
