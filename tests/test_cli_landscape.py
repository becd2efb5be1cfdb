"""`fastsvm sweep` and `fastsvm landscape`: their numbers are the library's, their files are whole, their errors one line."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

import fastsvm
from cli_runs import run, succeed, succeed_json
from fastsvm import landscape
from models import build

plotting = pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed")


@pytest.fixture
def points(tmp_path):
    """Labelled points, and a model with everything that a model can have."""
    rng = np.random.default_rng(4)
    path, model = tmp_path / "points.npz", tmp_path / "m.safetensors"
    X, y = rng.normal(1.0, 2.0, size=(50, 2)).astype(np.float32), rng.integers(0, 3, 50)
    np.savez(path, X=X, y=y, class_names=np.array(["cat", "dog", "größe"]))
    own = build()
    own.save(model)
    settings = {"b": own.b, "loss": own.loss, "alpha": own.alpha, "penalize_intercept": True}
    return path, model, (own.W, X, y), settings | {"standardization": own.standardization}


def random_start(seed=0):
    """What the commands begin with on the digits."""
    digits = fastsvm.load_digits()
    W = 1e-3 * np.random.default_rng(seed).random((10, 64))
    return W, digits.X, digits.y, {"standardization": fastsvm.fit_standardization(digits.X, "mean")}


class TestSweep:
    def test_the_default_is_the_lecture_on_digits(self):
        found = succeed_json("sweep", "--seed", 3)
        W, X, y, settings = random_start(3)
        expected = landscape.step_sizes(W, X, y, **settings)
        assert found["losses"][:10] == pytest.approx(expected.losses.tolist(), rel=1e-12)
        assert found["step_sizes"] == pytest.approx([10.0**k for k in range(-10, 1)], rel=1e-12)
        assert found["losses"][9] < found["initial_loss"] < found["losses"][10]
        assert (found["initial_loss"], found["gradient_norm"]) == (expected.initial_loss, expected.gradient_norm)
        least = found["minimum"]
        dW = fastsvm.loss_and_gradient(W, X, y, **settings)[1]
        after = fastsvm.loss_value(W - least["step_size"] * dW, X, y, **settings)
        assert least["loss"] == pytest.approx(after, rel=1e-12)
        assert least["loss"] < min(found["losses"])

    def test_a_model_brings_its_objective(self, points):
        path, model, (W, X, y), settings = points
        found = succeed_json("sweep", path, "--model", model, "--smallest", 0.01, "--largest", 1, "--points", 3)
        expected = landscape.step_sizes(W, X, y, step_sizes=[0.01, 0.1, 1.0], **settings)
        assert found["losses"] == pytest.approx(expected.losses.tolist(), rel=1e-6)
        assert found["initial_loss"] == pytest.approx(fastsvm.loss_value(W, X, y, **settings), rel=1e-6)
        assert (found["alpha"], found["standardize"], found["dtype"]) == (0.25, "mean+std", "float32")

    def test_steps_that_nobody_chose_go_on_until_the_loss_is_higher(self, points):
        path, model, (W, X, y), settings = points
        found = succeed_json("sweep", path, "--model", model)
        decades = [10.0 ** (k - 10) for k in range(len(found["losses"]))]
        assert found["step_sizes"] == pytest.approx(decades, rel=1e-12)
        expected = landscape.step_sizes(W, X, y, step_sizes=decades, **settings)
        assert found["losses"] == pytest.approx(expected.losses.tolist(), rel=1e-5)
        assert found["losses"][-1] > found["initial_loss"] or decades[-1] == 1e6
        assert all(loss <= found["initial_loss"] for loss in found["losses"][9:-1])
        far = succeed_json("sweep", "--loss", "softmax", "--scale", 1e-9, "--samples", 2, "--standardize", "scale")
        assert far["step_sizes"][-1] == 1e6  # two samples of two classes are told apart ever better
        assert len(far["losses"]) == 17
        near = succeed_json("sweep", "--loss", "softmax", "--scale", 1e-9, "--samples", 2, "--largest", 0.1)
        assert near["step_sizes"][-1] == 0.1

    @plotting
    def test_the_table_and_the_picture(self, tmp_path):
        shown = succeed("sweep", "--samples", 100, "--loss", "softmax", "--plot", tmp_path / "sweep.svg")
        assert "100 samples of digits" in shown
        assert "by exact line search" in shown
        assert (tmp_path / "sweep.svg").read_text().rstrip().endswith("</svg>")


class TestLandscape:
    def test_a_line_through_a_model(self, points, tmp_path):
        path, model, (W, X, y), settings = points
        output = tmp_path / "line.npz"
        found = succeed_json("landscape", path, "-m", model, "--points", 7, "--range", 0.5, "-o", output)
        with np.load(output) as arrays:
            a, direction, direction_b = arrays["a"], arrays["direction1"], arrays["direction1_b"]
            assert arrays["loss"].tolist() == found["line"]["loss"]
        np.testing.assert_allclose(a, np.linspace(-0.5, 0.5, 7))
        expected = landscape.line(W, X, y, direction, a, direction_b=direction_b, **settings)
        assert found["line"]["loss"] == pytest.approx(expected.loss.tolist(), rel=1e-6)
        assert found["line"]["data_loss"] == pytest.approx(expected.data_loss.tolist(), rel=1e-6)
        assert found["minimum"]["loss"] <= expected.loss.min()
        plain = {name: settings[name] for name in ("b", "standardization")}
        kinks = landscape.breakpoints(W, X, y, direction, direction_b=direction_b, lower=-0.5, upper=0.5, **plain)
        assert found["kinks"] == len(kinks.a) > 0

    def test_downhill(self):
        found = succeed_json("landscape", "--direction", "gradient", "--points", 12)
        low, high = found["range"]
        assert low == pytest.approx(-0.1 * high)
        assert high == pytest.approx(2 * found["minimum"]["a"], rel=1e-9)
        W, X, y, settings = random_start()
        dW = fastsvm.loss_and_gradient(W, X, y, **settings)[1]
        assert found["line"]["loss"][-1] == pytest.approx(fastsvm.loss_value(W - high * dW, X, y, **settings), rel=1e-9)

    def test_filters_as_long_as_the_weights(self, points, tmp_path):
        path, model, (W, _, _), settings = points
        output = tmp_path / "plane.npz"
        found = succeed_json("landscape", path, "-m", model, "--plane", "--filter-normalize", "--points", 5, "-o", output)
        with np.load(output) as arrays:
            for name in ("direction1", "direction2"):
                lengths = np.hypot(np.linalg.norm(arrays[name], axis=1), arrays[f"{name}_b"])
                np.testing.assert_allclose(lengths, np.hypot(np.linalg.norm(W, axis=1), settings["b"]), rtol=1e-5)
            assert not np.array_equal(arrays["direction1"], arrays["direction2"])
            low = arrays["loss"].min()
            assert arrays["loss"].shape == (5, 5)
        assert found["lowest"]["loss"] == low
        assert found["range"][1] > 1 - 1e-6

    def test_one_sample_keeps_the_statistics_of_all(self):
        found = succeed_json("landscape", "--samples", 1, "--points", 3)
        assert found["samples"] == 1
        assert len(set(found["line"]["loss"])) == 3

    @plotting
    def test_pictures(self, tmp_path):
        line = succeed("landscape", "--direction", "gradient", "--points", 9, "--plot", tmp_path / "line.svg")
        assert "kinks" in line
        plane = ["--plane", "--points", 9, "--samples", 200, "--direction", "gradient"]
        assert "9 x 9" in succeed("landscape", *plane, "--plot", tmp_path / "plane.png")
        succeed("landscape", *plane, "--surface", "--plot", tmp_path / "surface.png")
        assert (tmp_path / "plane.png").read_bytes()[:4] == (tmp_path / "surface.png").read_bytes()[:4] == b"\x89PNG"
        assert (tmp_path / "plane.png").read_bytes() != (tmp_path / "surface.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep", "nowhere"], "nowhere"),
        (["sweep", "--model", "nowhere"], "nowhere"),
        (["sweep", "--smallest", 0], "smallest must be finite and > 0"),
        (["sweep", "--smallest", 1, "--largest", 0.1], "largest must be finite and > 1"),
        (["sweep", "--points", 1], "points must be an integer >= 2"),
        (["sweep", "--scale", 0], "scale must be finite and > 0"),
        (["sweep", "--samples", 0], "samples must be an integer >= 1"),
        (["sweep", "--dtype", "float16"], "dtype must be one of 'float64', 'float32'"),
        (["sweep", "--standardize", "all"], "standardize must be one of"),
        (["sweep", "--plot", "sweep.gif"], "--plot must end in .svg, .png, .pdf"),
        (["landscape", "--direction", "up"], "direction must be one of 'random', 'gradient'"),
        (["landscape", "--range", -1], "range must be finite and > 0"),
        (["landscape", "--direction", "gradient", "--filter-normalize"], "--filter-normalize goes with --direction random"),
        (["landscape", "--surface"], "--surface goes with --plane and --plot"),
        (["landscape", "-o", "no/where.npz"], "--output must lie in an existing folder"),
        (["landscape", "-o", "a.txt"], "--output must end in .npz; got 'a.txt'"),
        (
            ["landscape", "--plane", "--points", 20000],
            "--points must be at most 2000 along each direction of a plane; got 20000",
        ),
        (["landscape", "--points", 4000001], "--points must be at most 4000000 on a line; got 4000001"),
    ],
)
def test_errors(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("option", [["--alpha", 1], ["--loss", "softmax"], ["--standardize", "none"], ["--squared"]])
def test_what_a_model_has_of_its_own(points, option):
    result = run("sweep", points[0], "--model", points[1], *option)
    assert result.exit_code == 2
    assert f"{option[0]} does not go with --model" in result.stderr
