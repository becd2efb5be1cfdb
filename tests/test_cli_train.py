"""`fastsvm train`: its numbers are the library's, its options reach it, and nothing is lost."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal

import numpy as np
import pytest

import fastsvm
from cli_runs import QUICK, run, succeed, succeed_json
from fastsvm.cli.options import make_loss, make_optimizer
from fastsvm.cli.output import brief, duration, rate
from fastsvm.model import load_model
from fastsvm.schedules import Constant, Cosine, StepDecay
from fastsvm.training import DEFAULT_OPTIMIZER


def test_train_without_arguments_learns_the_digits():
    found = succeed_json("train")
    assert found["data"] == {
        "name": "digits", "samples": 1437, "features": 64, "classes": 10, "dtype": "uint8", "test_samples": 360,
    }  # fmt: skip
    assert found["test"]["accuracy"] >= 0.95
    assert found["stop_reason"] == "epochs"
    assert found["output"] is None
    assert len(found["history"]) == found["epochs"]
    assert found["optimizer"] == repr(DEFAULT_OPTIMIZER)


def test_train_learns_fashion_with_the_defaults(data_dir):
    folder = data_dir / "fashion-mnist"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    assert succeed_json("train", folder)["test"]["accuracy"] >= 0.84


def test_what_is_left_out_is_what_the_library_does():
    found = succeed_json("train")
    digits = fastsvm.load_digits()
    result = fastsvm.train(digits.X, digits.y)
    assert digits.X_test is not None
    loss, accuracy = result.evaluate(digits.X_test, digits.y_test)
    assert found["test"] == {"samples": 360, "loss": loss, "accuracy": accuracy}


def test_the_options_reach_the_library(blobs, tmp_path):
    path = tmp_path / "m"
    options = (
        "--loss crammer-singer --delta 2 --optimizer nesterov --learning-rate 0.05 --momentum 0.8 --schedule step --warmup 2"
    )
    options += " --alpha 0.01 --batch-size 8 --epochs 4 --standardize mean --dtype float32 --backend reference --threads 1"
    found = succeed_json("train", blobs, *options.split(), "--seed", 3, "--test", 0.25, "-o", path)
    data = fastsvm.load(blobs).split(0.25, 3)
    result = fastsvm.train(
        data.X.astype(np.float32), data.y, loss=fastsvm.CrammerSinger(2.0), alpha=0.01, batch_size=8, epochs=4,
        optimizer=fastsvm.Nesterov(StepDecay(0.05, warmup=2), momentum=0.8), standardize="mean", seed=3, backend="reference",
    )  # fmt: skip
    model = load_model(path)
    np.testing.assert_array_equal(model.W, result.W)
    np.testing.assert_array_equal(model.b, result.b)
    assert model.W.dtype == np.float32
    assert model.standardization.kind == "mean"
    assert (model.loss, model.alpha, model.class_names) == (fastsvm.CrammerSinger(2.0), 0.01, ("ant", "bee", "größe"))
    assert model.metadata["data"] == "blobs"
    assert found["backend"] == "reference"
    assert found["updates"] == 4 * 6  # 45 samples in batches of 8


def test_parts_held_out(blobs):
    found = succeed_json("train", blobs, *QUICK, "--validation", 0.25)
    assert [found[part]["samples"] for part in ("train", "validation", "test")] == [36, 12, 12]
    assert all(record["val_accuracy"] is not None for record in found["history"])
    assert "test" not in succeed_json("train", blobs, *QUICK, "--test", 0)


def test_early_stopping(blobs):
    # So small a step changes no prediction after the first epoch.
    options = ("--validation", 0.25, "--patience", 2, "--monitor", "accuracy", "--epochs", 50, "--learning-rate", 1e-9)
    found = succeed_json("train", blobs, *options)
    assert found["stop_reason"] == "early stopping"
    assert found["epochs"] == found["best_epoch"] + 2
    assert "the validation part no longer improved" in succeed("train", blobs, *options)


def test_full_batches(blobs):
    found = succeed_json("train", blobs, *QUICK, "--batch-size", "full")
    assert found["batch_size"] == "full"
    assert found["updates"] == 3


def test_the_history_file(blobs, tmp_path):
    records = succeed_json("train", blobs, *QUICK, "--history", tmp_path / "h.json")["history"]
    seconds = {"seconds", "samples_per_second"}
    written = json.loads((tmp_path / "h.json").read_text())
    assert written == records
    succeed("train", blobs, *QUICK, "--history", tmp_path / "h.csv")
    with open(tmp_path / "h.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(records[0])
    for row, record in zip(rows, records, strict=True):
        assert row["val_loss"] == ""
        for name in set(record) - seconds - {"val_loss", "val_accuracy"}:
            assert float(row[name]) == record[name]


def test_the_summary(blobs, tmp_path):
    text = succeed("train", blobs, *QUICK, "-o", tmp_path / "m.safetensors")
    assert "48 samples, 4 features, 3 classes, float64" in text
    assert "all epochs done; 3 epochs" in text
    assert f"saved {tmp_path / 'm.safetensors'}" in text
    assert "\x1b" not in text
    assert "not saved" in succeed("train", blobs, *QUICK)


def test_quiet_prints_nothing_and_still_saves(blobs, tmp_path):
    result = run("train", blobs, *QUICK, "--quiet", "-o", tmp_path / "m")
    assert (result.exit_code, result.output) == (0, "")
    assert load_model(tmp_path / "m").n_features == 4


def test_an_interrupted_training_is_exit_code_130(blobs, tmp_path, monkeypatch):
    real = fastsvm.training.train

    def interrupted(*args, callbacks, **settings):
        def press(record, result):
            if record.epoch == 3:
                signal.raise_signal(signal.SIGINT)

        return real(*args, callbacks=[*callbacks, press], **settings)

    monkeypatch.setattr("fastsvm.cli.train.fit", interrupted)
    # A shell may have started the tests with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result = run("train", blobs, "--json", "-o", tmp_path / "m")
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.exit_code == 130
    found = json.loads(result.stdout)
    assert (found["stop_reason"], found["epochs"], len(found["history"])) == ("interrupted", 3, 3)
    assert load_model(tmp_path / "m").n_classes == 3


def test_divergence_is_exit_code_3_and_saves_nothing(blobs, tmp_path):
    path = tmp_path / "m"
    path.write_text("an older file")
    result = run("train", blobs, "--optimizer", "sgd", "--learning-rate", 1e300, "--json", "-o", path)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("error: training diverged in epoch ")
    assert path.read_text() == "an older file"


def test_an_existing_model_survives_a_failed_save(blobs, tmp_path, monkeypatch):
    path = tmp_path / "m"
    succeed("train", blobs, *QUICK, "-o", path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("fastsvm.files.os.fsync", full)
    result = run("train", blobs, *QUICK, "--seed", 1, "-o", path)
    assert result.exit_code == 2
    assert result.stderr == f"error: No space left on device: {path}\n"
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m"]


def test_optimizers_from_options():
    assert make_optimizer("adam", None, None, "cosine", 0) == DEFAULT_OPTIMIZER
    assert make_optimizer("adam", 0.5, None, "cosine", 4) == fastsvm.Adam(Cosine(0.5, warmup=4))
    assert make_optimizer("SGD", 0.5, None, "constant", 0) == fastsvm.SGD(Constant(0.5))
    assert make_optimizer("momentum", None, None, "cosine", 5) == fastsvm.Momentum(Cosine(1e-2, warmup=5))
    assert make_optimizer("nesterov", None, 0.5, "inverse-sqrt", 0).momentum == 0.5


def test_losses_from_options():
    assert make_loss("Weston-Watkins", 0.5, True) == fastsvm.WestonWatkins(0.5, True)
    assert make_loss("crammer_singer", None, False) == fastsvm.CrammerSinger()


def test_numbers_for_people():
    assert [rate(number) for number in (3.0, 1234.0, 56_780.0, 7e6, 2.5e9)] == [
        "3.00 ",
        "1.23 k ",
        "56.8 k ",
        "7.00 M ",
        "2.50 G ",
    ]
    assert [duration(seconds) for seconds in (0.0012, 0.25, 1.0, 75.0)] == ["1.20 ms", "250 ms", "1.00 s", "75.0 s"]
    assert brief(fastsvm.Adam(Cosine(0.5))) == "Adam(learning_rate=Cosine(learning_rate=0.5))"
    assert brief(fastsvm.SGD()) == "SGD()"
