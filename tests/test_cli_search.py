"""`fastsvm search`: its numbers are the library's, its options reach it, and what it prints."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest

import fastsvm
from cli_runs import run, succeed, succeed_json
from fastsvm.cli import search as command
from fastsvm.model import load_model
from fastsvm.search import random_local_search, random_search

QUICK = ("--attempts", 40)


@pytest.mark.parametrize(("method", "function"), [("random", random_search), ("local", random_local_search)])
def test_the_numbers_are_the_librarys(blobs, method, function):
    found = succeed_json("search", blobs, *QUICK, "--method", method)
    data = fastsvm.load(blobs).split(0.2, 0)
    result = function(data.X, data.y, n_attempts=40)
    assert found["losses"] == result.losses.tolist()
    assert found["accepted"] == (np.flatnonzero(result.accepted) + 1).tolist()
    assert found["better"] == len(found["accepted"]) > 0
    for part, (X, y) in {"train": (data.X, data.y), "test": (data.X_test, data.y_test)}.items():
        loss, accuracy = result.evaluate(X, y)
        assert found[part] == {"samples": len(y), "loss": loss, "accuracy": accuracy}
    assert (found["method"], found["attempts"], found["stop_reason"]) == (method, 40, "attempts")
    assert (found["scale"], found["step"]) == (result.scale, result.step)
    assert found["initial_loss"] == (None if method == "random" else result.initial_loss)
    assert found["data"]["name"] == "blobs"


def test_the_options_reach_the_library(blobs, tmp_path):
    options = "--method local --scale 0.02 --step 0.01 --loss crammer-singer --delta 2 --alpha 0.01 --standardize mean+std"
    options += " --dtype float32 --backend reference --threads 1 --test 0.25 --seed 3"
    path = tmp_path / "m"
    found = succeed_json("search", blobs, *QUICK, *options.split(), "-o", path)
    data = fastsvm.load(blobs).split(0.25, 3)
    result = random_local_search(
        data.X.astype(np.float32), data.y, n_attempts=40, scale=0.02, step=0.01, loss=fastsvm.CrammerSinger(2.0), alpha=0.01,
        standardize="mean+std", seed=3, backend="reference",
    )  # fmt: skip
    model = load_model(path)
    np.testing.assert_array_equal(model.W, result.W)
    np.testing.assert_array_equal(model.b, result.b)
    assert (model.loss, model.alpha, model.class_names) == (fastsvm.CrammerSinger(2.0), 0.01, ("ant", "bee", "größe"))
    assert model.metadata["method"] == "local search"
    assert (found["backend"], found["dtype"], found["output"]) == ("reference", "float32", str(path))


def test_what_it_prints(blobs, tmp_path):
    text = succeed("search", blobs, *QUICK, "--method", "local", "--step", 0.01, "-o", tmp_path / "m")
    found = succeed_json("search", blobs, *QUICK, "--method", "local", "--step", 0.01)
    lines = text.splitlines()
    shown = [line for line in lines if line.startswith("attempt ")]
    losses = [found["losses"][k - 1] for k in found["accepted"]]
    expected = zip(found["accepted"], losses, strict=True)
    assert shown == [f"attempt {k:>2}: loss {loss:.6f}, the best so far" for k, loss in expected]
    assert f"40, {len(shown)} better than all before" in text
    assert f"from a loss of {found['initial_loss']:.4f}, scale 0.001, step 0.01" in text
    assert f"{found['test']['accuracy']:.4f}" in text
    assert lines[-1] == f"saved {tmp_path / 'm'}"
    assert "\x1b" not in text
    assert "not saved" in succeed("search", blobs, *QUICK)
    result = run("search", blobs, *QUICK, "--quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_progress_on_a_terminal(blobs, monkeypatch):
    monkeypatch.setattr(command.SearchProgress, "live", True, raising=False)
    monkeypatch.setattr(command.SearchProgress, "__init__", _on_a_terminal)
    result = run("search", blobs, *QUICK)
    assert result.exit_code == 0
    assert "attempt 40/40" in result.stderr
    assert "best so far" not in result.stdout


def _on_a_terminal(self, *, visible):
    from rich.console import Console

    self.console = Console(stderr=True, force_terminal=True, width=100)


def test_interrupted(blobs, tmp_path, monkeypatch):
    monkeypatch.setitem(command.METHODS, "random", _interrupted_once)
    result = run("search", blobs, "--attempts", 10**6, "--json", "-o", tmp_path / "m")
    assert result.exit_code == 130
    assert json.loads(result.stdout)["stop_reason"] == "interrupted"
    assert load_model(tmp_path / "m").n_classes == 3


def _interrupted_once(*args, callbacks, **settings):
    def press(attempt):
        if attempt.attempt == 3:
            signal.raise_signal(signal.SIGINT)

    return random_search(*args, callbacks=[*callbacks, press], **settings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "global"), "method must be one of 'random', 'local'; got 'global'"),
        (("--step", 0.1), "--step goes with method local; got random"),
        (("--attempts", 0), "n_attempts must be an integer >= 1; got 0"),
        (("--scale", 0), "scale must be finite and > 0; got 0"),
        (("--method", "local", "--step", -1), "step must be finite and > 0; got -1"),
        (("--test", 1.5), "test must be finite and >= 0 and < 1"),
        (("--standardize", "std"), "standardize must be one of"),
        (("-o", "/nowhere/m"), "--output"),
    ],
)
def test_bad_input_is_one_line(blobs, options, message):
    result = run("search", blobs, *QUICK, *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
