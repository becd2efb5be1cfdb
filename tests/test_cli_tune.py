"""`fastsvm tune`: its numbers are the library's, and the command it prints is the right one."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys

import numpy as np
import pytest

import fastsvm
from cli_runs import run, succeed, succeed_json
from fastsvm.schedules import StepDecay
from fastsvm.tuning import tune

QUICK = ("--epochs", 3, "--trials", 4)
SGD = ("--optimizer", "sgd", "--schedule", "constant", "--dtype", "float32")


def test_tune_without_arguments_searches_on_digits():
    found = succeed_json("tune", *QUICK)
    digits = fastsvm.load_digits()
    tuning = tune(digits.X, digits.y, epochs=3, n_trials=4)
    assert found["data"]["test_samples"] == 360
    assert [trial["score"] for trial in found["trials"]] == sorted((trial.score for trial in tuning.trials), reverse=True)
    for name in ("learning_rate", "alpha", "score", "loss", "train_accuracy"):
        assert found["best"][name] == getattr(tuning.best, name)
    assert found["best"] == found["trials"][0]
    assert (found["validation"], found["stop_reason"], found["n_trials"]) == ("holdout 0.2", "trials", 4)


def test_the_command_trains_with_the_best(blobs):
    options = "--loss softmax --optimizer momentum --momentum 0.5 --schedule step --warmup 2 --batch-size 8 --standardize mean"
    options += " --dtype float32 --seed 3 --test 0.25 --backend reference"
    found = succeed_json("tune", blobs, *options.split(), *QUICK, "--folds", 2, "--threads", 1)
    data = fastsvm.load(blobs).split(0.25, 3)
    X = data.X.astype(np.float32)
    settings = dict(loss="softmax", batch_size=8, standardize="mean", seed=3, backend="reference", epochs=3)
    optimizer = fastsvm.Momentum(StepDecay(1.0, warmup=2), momentum=0.5)
    tuning = tune(X, data.y, optimizer=optimizer, folds=2, n_trials=4, **settings)
    assert [trial["scores"] for trial in found["trials"]] == [list(trial.scores) for trial in tuning.ranked()]
    name, *words = shlex.split(found["command"])
    assert name == "fastsvm"
    trained = succeed_json(*words)
    loss, accuracy = tuning.refit(X, data.y).evaluate(data.X_test.astype(np.float32), data.y_test)
    assert trained["test"] == {"samples": 15, "loss": loss, "accuracy": accuracy}
    plain = succeed_json("tune", blobs, *QUICK, "--squared")
    assert plain["command"] == (
        f"fastsvm train {blobs} --learning-rate {plain['best']['learning_rate']!r} --alpha {plain['best']['alpha']!r} "
        "--epochs 3 --squared"
    )


def test_networks(blobs):
    found = succeed_json("tune", blobs, *QUICK, "--hidden", 6, "--activation", "tanh")
    assert found["command"].endswith("--epochs 3 --hidden 6 --activation tanh")
    assert found["score_function"].startswith("TwoLayer(hidden=6, activation='tanh'")
    assert succeed_json(*shlex.split(found["command"])[1:])["score_function"] == found["score_function"]


def test_spaces(blobs):
    found = succeed_json("tune", blobs, "--epochs", 3, "--method", "grid", "--learning-rate", "1e-3:1e-1:3", "--alpha", "0,0.5")
    pairs = [(trial["learning_rate"], trial["alpha"]) for trial in sorted(found["trials"], key=lambda trial: trial["index"])]
    assert pairs == [(0.001, 0.0), (0.001, 0.5), (0.01, 0.0), (0.01, 0.5), (0.1, 0.0), (0.1, 0.5)]
    found = succeed_json("tune", blobs, *QUICK, "--learning-rate", "1e-3:2e-3", "--alpha", "0.25")
    assert all(1e-3 <= trial["learning_rate"] <= 2e-3 for trial in found["trials"])
    assert {trial["alpha"] for trial in found["trials"]} == {0.25}


def test_the_table(blobs):
    text = succeed("tune", blobs, "--epochs", 3, "--method", "grid", "--learning-rate", "1e-9,0.1,1e300", "--alpha", "0", *SGD)
    rows = [line.split() for line in text.splitlines()]
    assert [row[0] for row in rows if row and row[0] in ("0.1", "1e-09", "1e+300")] == ["0.1", "1e-09", "1e+300"]
    assert "diverged" in text
    assert "the test part left alone" in text
    assert "beyond it" not in text  # the best learning rate lies between the others
    assert text.splitlines()[-1].startswith(f"fastsvm train {blobs} --learning-rate 0.1 --alpha 0.0 --epochs 3 --optimizer sgd")
    assert "\x1b" not in text
    text = succeed("tune", blobs, "--epochs", 3, "--learning-rate", "1e-9,0.1", "--alpha", "0", "--folds", 2, *SGD)
    assert "the best learning rate is at the highest end of what is searched: there may be better beyond it" in text
    assert "deviation" in text
    many = succeed("tune", blobs, "--epochs", 1, "--trials", 22)
    assert "and 2 more (--json shows all)" in many
    assert run("tune", blobs, *QUICK, "--quiet").output == ""


def test_a_search_goes_on(blobs, tmp_path):
    path = tmp_path / "t.jsonl"
    options = ("tune", blobs, "--epochs", 3, "--output", path)
    first = succeed_json(*options, "--trials", 3)
    kept = path.read_text()
    refused = run(*options, "--trials", 5)
    assert refused.exit_code == 2
    assert (
        refused.stderr == f"error: --output must be a new file, or --resume be given to go on with its search; got '{path}'\n"
    )
    more = succeed_json(*options, "--trials", 5, "--resume")
    assert path.read_text().startswith(kept)
    assert len(path.read_text().splitlines()) == 6
    seconds = {trial["index"]: trial["seconds"] for trial in more["trials"]}
    assert [seconds[trial["index"]] for trial in first["trials"]] == [trial["seconds"] for trial in first["trials"]]
    other = run(*options, "--trials", 5, "--resume", "--seed", 1)
    assert other.exit_code == 2
    assert "is of a search with" in other.stderr


def test_the_picture(blobs, tmp_path):
    pytest.importorskip("matplotlib")
    succeed("tune", blobs, *QUICK, "--plot", tmp_path / "t.svg")
    text = (tmp_path / "t.svg").read_text()
    assert "<svg" in text
    assert "learning rate" in text


def test_all_trials_diverging_is_exit_code_3(blobs, tmp_path):
    result = run("tune", blobs, *QUICK, *SGD, "--learning-rate", "1e299:1e300", "--json", "-o", tmp_path / "t")
    assert result.exit_code == 3
    assert result.stderr == "error: all 4 trials diverged; search lower learning rates\n"
    found = json.loads(result.stdout)
    assert (found["best"], found["command"], found["trials"][0]["score"]) == (None, None, None)
    assert len((tmp_path / "t").read_text().splitlines()) == 5


def test_a_search_that_finds_nothing_says_so(blobs):
    assert succeed_json("tune", blobs, *QUICK)["guess"] == pytest.approx(1 / 3, abs=0.05)
    wild = run("tune", "digits", "--trials", 3, "--epochs", 2, "--learning-rate", "1e20:1e25")
    assert wild.stderr.startswith("warning: no trial does better than guessing the most frequent class, right in 0.1")
    assert "fastsvm train" not in wild.stdout
    assert "beyond it" not in wild.stdout
    assert wild.stderr.count("\n") == 1


def test_ctrl_c_is_exit_code_130(blobs, tmp_path, monkeypatch):
    real = fastsvm.tuning.tune

    def interrupted(*args, **settings):
        def press(trial, tuning):
            if len(tuning.trials) == 1:
                signal.raise_signal(signal.SIGINT)

        return real(*args, callbacks=[press], **settings)

    monkeypatch.setattr("fastsvm.tuning.tune", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result = run("tune", blobs, "--trials", 500, "--epochs", 20, "--json", "-o", tmp_path / "t")
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.exit_code == 130
    found = json.loads(result.stdout)
    assert found["stop_reason"] == "interrupted"
    assert 1 <= len(found["trials"]) == len((tmp_path / "t").read_text().splitlines()) - 1 < 500


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--learning-rate 1:x", "--learning-rate must be LOW:HIGH (random), LOW:HIGH:COUNT, or values A,B,C; got '1:x'"),
        ("--alpha 1:0.5", "or values A,B,C, with LOW < HIGH; got '1:0.5'"),
        ("--alpha 0:1", "with LOW > 0 and HIGH finite, for ranges are searched in factors (0 may be one of values A,B,C); got"),
        (
            "--trials 16 --learning-rate 1e-05,0.009 --alpha 0.001,10",
            "--trials must be at most 4, the pairs that lists of 2 and 2 values make; got 16 (a range is written LOW:HIGH",
        ),
        ("--holdout 0.01", "holdout=0.01 does not split 48 samples: 1 would be held out, fewer than the 3 classes"),
        ("--alpha 0.1:0.5:1", "COUNT >= 2; got '0.1:0.5:1'"),
        ("--alpha 0.1:0.5:2:3", "got '0.1:0.5:2:3'"),
        ("--alpha=-1", "alphas[0] must be finite and >= 0; got -1.0"),
        ("--learning-rate nan", "learning_rates[0] must be finite and > 0; got nan"),
        ("--method grid --alpha 0.1:0.5", "--alpha must be LOW:HIGH:COUNT or values A,B,C for --method grid; got '0.1:0.5'"),
        ("--method grid --trials 3", "--trials goes with --method random"),
        ("--method bayes", "method must be one of 'random', 'grid'; got 'bayes'"),
        ("--trials 0", "n_trials must be an integer >= 1; got 0"),
        ("--folds 1", "folds must be an integer >= 2; got 1"),
        ("--folds 3 --holdout 0.1", "folds and holdout must not be given together"),
        ("--holdout 2", "holdout must be finite and > 0 and < 1; got 2.0"),
        ("--test 1", "test must be finite and >= 0 and < 1; got 1.0"),
        ("--jobs 0", "n_jobs must not be 0"),
        ("--resume", "--resume needs --output"),
        ("--output none/t", "--output must lie in an existing folder"),
        ("--plot t.gif", "--plot must end in .svg, .png, .pdf; got 't.gif'"),
        ("--plot none/t.svg", "--plot must lie in an existing folder"),
        ("--optimizer lbfgs", "optimizer must be one of"),
        ("--optimizer steepest-descent", "optimizer must have a learning rate to search for; got SteepestDescent"),
        ("--activation tanh", "--activation needs --hidden"),
        ("--patience 3", "--patience"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(options, words, blobs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("tune", blobs, *options.split())
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_help_is_quick_to_import():
    code = (
        "import sys; from typer.testing import CliRunner; from fastsvm.cli import app;"
        "result = CliRunner().invoke(app, ['tune', '--help']); assert result.exit_code == 0 and '--folds' in result.stdout;"
        "heavy = {'numba', 'sklearn', 'scipy', 'safetensors', 'matplotlib'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
