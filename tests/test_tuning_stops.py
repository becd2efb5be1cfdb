"""Searches that a callback, an error, Ctrl-C or a crash ends, and the file from which they go on."""

from __future__ import annotations

import json
import math
import os
import signal
import threading
import time
from collections import Counter

import numpy as np
import pytest

import fastsvm
from fastsvm import Adam
from fastsvm.schedules import Cosine
from fastsvm.tuning import run, tune
from tuning_cases import QUICK, X_VAL, Y_VAL, X, Y, untimed


def test_a_file_is_complete_after_every_trial(tmp_path, monkeypatch):
    path, flushed = tmp_path / "t.jsonl", []
    real = os.fsync
    monkeypatch.setattr("fastsvm.tuning.journal.os.fsync", lambda descriptor: (flushed.append(descriptor), real(descriptor)))

    def look(trial, tuning):
        header, *lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert header["format"] == "fastsvm-tuning"
        assert lines[-1]["index"] == trial.index
        assert len(lines) == len(tuning.trials) <= len(flushed)
        assert tuning.stop_reason == "running"

    tuning = tune(X, Y, n_trials=5, path=path, callbacks=[look], n_jobs=2, **QUICK)
    assert (len(tuning.trials), tuning.stop_reason) == (5, "trials")


@pytest.mark.parametrize("left", [0, 1, 40, -2, -1])
def test_a_search_goes_on_where_a_crash_cut_its_file(tmp_path, left):
    path, made = tmp_path / "t.jsonl", []
    settings = dict(n_trials=5, folds=2, path=path, n_jobs=2, **QUICK)
    whole = tune(X, Y, **settings)
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    cut = b"".join(lines[:3]) + lines[3][:left] if left else b"".join(lines[:3])
    path.write_bytes(cut)
    again = tune(X, Y, callbacks=[lambda trial, tuning: made.append(trial.index)], **{**settings, "n_jobs": 1})
    kept = [json.loads(line)["index"] for line in lines[1:3]]
    assert sorted(kept + made) == [0, 1, 2, 3, 4]
    assert untimed(again) == untimed(whole)
    assert [again.trials[index].seconds for index in kept] == [whole.trials[index].seconds for index in kept]
    assert path.read_bytes().startswith(b"".join(lines[:3]))
    before = path.read_bytes()
    assert before.endswith(b"\n")
    assert untimed(tune(X, Y, **settings)) == untimed(whole)
    assert path.read_bytes() == before
    assert untimed(tune(X, Y, **{**settings, "n_trials": 3})) == untimed(whole)[:3]
    assert untimed(tune(X, Y, **{**settings, "n_trials": 7}))[:5] == untimed(whole)
    assert len(path.read_text().splitlines()) == 8


def other_pixel():
    other = X.copy()
    other[3, 3] += 1
    return other


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X": other_pixel()}, "X '90 x 7 uint8"),
        ({"X": X.astype(np.float32)}, "X '90 x 7 uint8"),
        ({"y": np.roll(Y, 1)}, "y '90 int64"),
        ({"validation": (X_VAL, np.roll(Y_VAL, 1))}, r"validation\[1\] '50 int64"),
        ({"validation": None, "folds": 2}, "validation 'validation part', not '2 folds'"),
        ({"learning_rates": (1e-4, 0.2)}, "learning_rates '0.0001:0.1', not '0.0001:0.2'"),
        ({"alphas": [0.0]}, "alphas '1e-05:1.0', not '0.0'"),
        ({"seed": 1}, "seed 0, not 1"),
        ({"epochs": 4}, "epochs 3, not 4"),
        ({"batch_size": 8}, "batch_size 16, not 8"),
        ({"loss": "softmax"}, "loss 'WestonWatkins"),
        ({"optimizer": Adam(Cosine(1e-3, warmup=2))}, "optimizer 'Adam"),
        ({"standardize": None}, r"standardize 'mean\+std', not 'none'"),
        ({"fit_intercept": False}, "fit_intercept True, not False"),
        ({"penalize_intercept": True}, "penalize_intercept False, not True"),
        ({"sample_weight": np.arange(90.0)}, "sample_weight None"),
        ({"sampling": "sequential"}, "sampling 'shuffle', not 'sequential'"),
        ({"dtype": "float64"}, "dtype 'float32', not 'float64'"),
        ({"n_classes": 9}, "n_classes 4, not 9"),
    ],
)
def test_a_file_of_another_search_is_refused(tmp_path, change, words):
    path = tmp_path / "t.jsonl"
    settings = dict(X=X, y=Y, validation=(X_VAL, Y_VAL), learning_rates=(1e-4, 0.1), n_trials=2, path=path, n_jobs=1, **QUICK)
    expected = untimed(tune(**settings))
    content = path.read_bytes()
    with pytest.raises(ValueError, match=f"path must be a new file or one of this search; .* is of a search with {words}"):
        tune(**{**settings, **change})
    assert path.read_bytes() == content
    # What the numbers do not depend on may change; an optimizer's own learning rate is not used.
    assert untimed(tune(**settings, optimizer=Adam(Cosine(0.5)), backend="reference", n_threads=1)) == expected


def test_what_is_no_file_of_a_search(tmp_path):
    path = tmp_path / "t.jsonl"
    settings = dict(n_trials=3, path=path, n_jobs=1, **QUICK)
    for content in (b"notes\n", b"\n", b"\xff\xfe", b"{}\n", b"[" * 100_000 + b"\n", b'{"format": "fastsvm-tuning"'):
        path.write_bytes(content)
        with pytest.raises(fastsvm.DataFormatError, match="is not of a search"):
            tune(X, Y, **settings)
        assert path.read_bytes() == content
    path.write_bytes(b"")
    whole = tune(X, Y, **settings)
    header, *lines = path.read_bytes().splitlines(keepends=True)
    entry = json.loads(lines[1])
    for wrong in (
        b"nonsense\n", b"[]\n", lines[1].replace(b'"alpha"', b'"beta"'), json.dumps({**entry, "scores": []}).encode() + b"\n",
        json.dumps({**entry, "losses": [math.nan]}).encode() + b"\n", json.dumps({**entry, "index": "1"}).encode() + b"\n",
        json.dumps({**entry, "scores": 1}).encode() + b"\n",
    ):  # fmt: skip
        path.write_bytes(header + lines[0] + wrong + lines[2])
        with pytest.raises(fastsvm.DataFormatError, match=r"line 3 of .* is not a trial"):
            tune(X, Y, **settings)
    path.write_bytes(header + lines[0] + json.dumps({**entry, "alpha": 0.5}).encode() + b"\n")
    with pytest.raises(fastsvm.DataFormatError, match=r"trial 1 of this search; got .* and 0.5"):
        tune(X, Y, **settings)
    path.write_bytes(header.replace(b'"version": 1', b'"version": 2'))
    with pytest.raises(fastsvm.DataFormatError, match="must have format version 1 to go on from; got 2"):
        tune(X, Y, **settings)
    path.write_bytes(header)
    assert untimed(tune(X, Y, **settings)) == untimed(whole)
    with pytest.raises(IsADirectoryError):
        tune(X, Y, **{**settings, "path": tmp_path})
    with pytest.raises(ValueError, match="path must be an ordinary file"):
        tune(X, Y, **{**settings, "path": os.devnull})


def test_a_failed_training_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="backend must be one of"):
        tune(X, Y, n_trials=2, path=tmp_path / "t.jsonl", backend="gpu", **QUICK)
    assert not list(tmp_path.iterdir())


def test_a_callback_ends_the_search():
    for jobs in (1, 3):
        tuning = tune(X, Y, n_trials=8, n_jobs=jobs, callbacks=[lambda trial, tuning: len(tuning.trials) == 2], **QUICK)
        assert (len(tuning.trials), tuning.stop_reason, tuning.n_trials) == (2, "callback", 8)


def test_trainings_in_progress_end_with_the_search(monkeypatch):
    epochs = Counter()

    def uneven(X, y, callbacks, optimizer, **given):
        def wait(record, result):
            epochs[rate] += 1
            time.sleep(0.02 if rate == 0.01 else 0.0)
            return callbacks[0](record, result)

        rate = optimizer.learning_rate.learning_rate
        return fastsvm.train(X, y, optimizer=optimizer, callbacks=[wait], **given)

    def fail(trial, tuning):
        raise RuntimeError("no more")

    monkeypatch.setattr(run, "train", uneven)
    settings = dict(learning_rates=[0.01, 0.1], alphas=[0.0, 0.1], method="grid", epochs=200, n_jobs=3)
    tuning = tune(X, Y, callbacks=[lambda trial, tuning: True], **settings)
    assert [trial.learning_rate for trial in tuning.trials] == [0.1]
    assert epochs[0.01] < 200
    with pytest.raises(RuntimeError, match="no more"):
        tune(X, Y, callbacks=[fail], **settings)
    assert epochs[0.01] < 400
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fastsvm-tune")]


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_the_trials_made(tmp_path, jobs, monkeypatch):
    settings = dict(path=tmp_path / "t.jsonl", learning_rates=[0.1, 0.01], alphas=[0.0, 0.1], method="grid", **QUICK)
    whole = tune(X, Y, **{**settings, "path": None})

    def press(trial, tuning):
        if len(tuning.trials) == 1:
            signal.raise_signal(signal.SIGINT)

    def patient(X, y, callbacks, **given):
        """So slow a training that the signal always comes before the second one ends."""
        return fastsvm.train(X, y, callbacks=[lambda record, result: time.sleep(0.03) or callbacks[0](record, result)], **given)

    monkeypatch.setattr(run, "train", patient)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        tuning = tune(X, Y, n_jobs=jobs, callbacks=[press], **settings)
    finally:
        signal.signal(signal.SIGINT, before)
    assert tuning.stop_reason == "interrupted"
    assert 1 <= len(tuning.trials) < 4
    assert set(untimed(tuning)) <= set(untimed(whole))
    assert untimed(tune(X, Y, **settings)) == untimed(whole)
