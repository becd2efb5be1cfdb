"""Bad input at the command line: one readable line on standard error, exit code 2, nothing written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from cli_runs import run
from fastsvm.cli.errors import describe


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("train none.npz", "there is no 'none.npz'"),
        ("train .", "holds no data set"),
        ("train text.npz", "text.npz"),
        ("train D --epochs 0", "epochs must be an integer >= 1; got 0"),
        ("train D --epochs many", "--epochs"),
        ("train D --learning-rate -1", "learning_rate must be finite and > 0; got -1.0"),
        ("train D --learning-rate nan", "learning_rate must be finite and > 0; got nan"),
        ("train D --alpha -1", "alpha must be finite and >= 0; got -1.0"),
        ("train D --batch-size 0", "batch_size must be an integer >= 1; got 0"),
        ("train D --batch-size huge", "batch_size must be an integer >= 1 or \"full\"; got 'huge'"),
        ("train D --loss hinge", "loss must be one of"),
        ("train D --loss softmax --delta 2", "--delta goes with loss weston-watkins or crammer-singer; got softmax"),
        ("train D --loss softmax --squared", "--squared goes with loss weston-watkins; got softmax"),
        ("train D --delta 0", "delta must be finite and > 0; got 0.0"),
        ("train D --optimizer lbfgs", "optimizer must be one of"),
        ("train D --optimizer adam --momentum 0.5", "--momentum goes with optimizer momentum or nesterov; got adam"),
        ("train D --optimizer momentum --momentum 1", "momentum must be finite and >= 0 and < 1; got 1.0"),
        ("train D --schedule zigzag", "schedule must be one of"),
        ("train D --warmup -1", "warmup must be an integer >= 0; got -1"),
        ("train D --standardize z", "standardize must be one of"),
        ("train D --dtype int8", "dtype must be"),
        ("train D --backend gpu", "backend must be one of"),
        ("train D --threads 0", "n_threads must not be 0"),
        ("train D --seed -1", "seed must be an integer >= 0; got -1"),
        ("train D --test 1", "test must be finite and >= 0 and < 1; got 1.0"),
        ("train D --validation 0", "validation must be finite and > 0 and < 1; got 0.0"),
        ("train D --patience 2", "--patience needs --validation"),
        ("train D --patience 0 --validation 0.2", "patience must be an integer >= 1; got 0"),
        ("train D -o none/m", "--output must lie in an existing folder"),
        ("train D -o .", "--output must be a file; this is a folder"),
        ("train D --history h.xml", "--history must end in .csv or .json; got 'h.xml'"),
        ("train D --history none/h.csv", "--history must lie in an existing folder"),
        ("train D --frobnicate", "--frobnicate"),
        ("train D E", "E"),
        ("fit", "fit"),
        ("evaluate", "issing"),
        ("evaluate none.safetensors D", "No such file or directory: none.safetensors"),
        ("evaluate . D", "Is a directory: ."),
        ("evaluate D D", "is not a usable fastsvm model"),
        ("evaluate M D", "X must have the 2 features the model was trained on; got 4"),
        ("evaluate M digits --part both", "part must be one of 'train', 'test'; got 'both'"),
        ("evaluate M D --part test", "has no test part"),
        ("predict M none.npy", "No such file or directory: none.npy"),
        ("predict M text.npy", "text.npy is not a sound .npy file"),
        ("predict M objects.npy", "objects.npy is not a sound .npy file"),
        ("predict M line.npy", "X must have 2 dimensions"),
        ("predict M nan.npy", "X must hold finite numbers only; X[0, 1] is nan"),
        ("predict M huge.npy", "X must hold finite numbers only; X[0, 0] is inf"),
        ("predict M line.npy --part test", "part must be left out"),
        ("predict M D -o p.txt", "--output must end in .npy or .csv; got 'p.txt'"),
        ("predict M D --top-k 3", "--top-k must be an integer <= 2; got 3"),
        ("predict M D --top-k 0", "--top-k must be an integer >= 1; got 0"),
        ("predict M D --top-k 1 --scores", "--top-k and --scores must not be given together"),
        ("predict M D --indices --scores", "--indices and --scores must not be given together"),
        ("gradcheck D --samples 0", "samples must be an integer >= 1; got 0"),
        ("gradcheck D --all --samples 10", "--samples must be left out with --all, which takes all of them; got 10"),
        ("gradcheck D --coordinates 0", "n_coordinates must be an integer >= 1; got 0"),
        ("gradcheck D --dtype float16", "dtype must be one of 'float64', 'float32'; got 'float16'"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_bad_input_is_one_line_and_exit_code_2(command, words, blobs, quadrants, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("text.npz", "text.npy"):
        Path(name).write_text("no array")
    np.save("objects.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    np.save("line.npy", np.ones(2))
    np.save("nan.npy", np.array([[1.0, np.nan]]))
    np.save("huge.npy", np.array([[1e300, 1.0]]))
    before = sorted(os.listdir())
    result = run(*({"D": blobs, "M": quadrants[0]}.get(word, word) for word in command.split()))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith("\n")
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(os.listdir()) == before


def test_debug_shows_the_traceback_first():
    result = run("train", "none.npz", "--debug")
    assert result.exit_code == 2
    assert result.stderr.startswith("Traceback")
    assert result.stderr.splitlines()[-1].startswith("error: ")


def test_what_nobody_expected_is_exit_code_1(monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("the [red]sky[/red]\nhas fallen")

    monkeypatch.setattr("fastsvm.datasets.load", broken)
    result = run("train")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: unexpected RuntimeError: the [red]sky[/red] has fallen (--debug shows where)\n"


def test_descriptions_of_errors():
    assert describe(FileNotFoundError(errno.ENOENT, "No such file", "x")) == "No such file: x"
    assert describe(ValueError("x is wrong. It may be\n  a\n  b")) == "x is wrong"
    assert describe(ValueError("one line. Two sentences")) == "one line. Two sentences"
    assert describe(ValueError()) == "ValueError"
