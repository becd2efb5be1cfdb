"""Running the command line in tests, and small data and a model to run it on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from fastsvm.cli import app
from fastsvm.model import Model

QUICK = ["--epochs", "3"]


def run(*args: object):
    return CliRunner().invoke(app, [str(arg) for arg in args])


def succeed(*args: object) -> str:
    result = run(*args)
    assert result.exit_code == 0, result.output
    return result.stdout


def succeed_json(*args: object) -> dict:
    result = run(*args, "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def process(*args: object, **settings) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "fastsvm", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **settings)


def write_blobs(folder: Path) -> Path:
    """An .npz of three well separated classes, 60 samples of 4 features in float64, without a test part."""
    generator = np.random.default_rng(7)
    y = np.repeat([0, 1, 2], 20)
    X = generator.normal(size=(60, 4)) + 6 * np.eye(3, 4)[y]
    np.savez(folder / "blobs.npz", X=X, y=y, class_names=np.array(["ant", "bee", "größe"]))
    return folder / "blobs.npz"


def write_quadrants(folder: Path) -> tuple[Path, Path]:
    """A model whose scores are the two features, and four labelled points, the third of them on the wrong side."""
    model, data = folder / "model.safetensors", folder / "points.npz"
    Model(np.eye(2, dtype=np.float32), class_names=("left", "right")).save(model)
    X = np.array([[2, 0], [0, 2], [3, 1], [1, 4]], dtype=np.float32)
    np.savez(data, X=X, y=np.array([0, 1, 1, 1]), class_names=np.array(["left", "right"]))
    return model, data
