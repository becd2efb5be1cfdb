"""A user's own losses and update rules: they do what the built-in ones do, on every backend that takes them."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import textwrap

import numba
import numpy as np
import pytest

import fastsvm
import own_leaves as leaves
from fastsvm import backends
from fastsvm.losses import CrammerSinger, WestonWatkins
from registrations import Registrations
from tables import assert_close, assert_same_bits, gradient, make_problem, run_epoch

OPEN_BACKENDS = ("numba", "reference")


registrations = Registrations()
with registrations:
    OwnWestonWatkins = fastsvm.register_loss("own_weston_watkins", leaves.own_weston_watkins, delta=1.0)
    OwnCrammerSinger = fastsvm.register_loss("own_crammer_singer", numba.njit(leaves.own_crammer_singer), delta=1.0)
    SmoothHinge = fastsvm.register_loss("smooth_hinge", leaves.smooth_hinge, width=0.5, delta=1.0)
    OwnSgd = fastsvm.register_update("own_sgd", leaves.own_sgd)
    OwnMomentum = fastsvm.register_update("own_momentum", leaves.own_momentum, slots=["velocity"], momentum=0.9)
    OwnAdamw = fastsvm.register_update(
        "own_adamw", leaves.own_adamw, slots=("m", "v"), learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=1e-2
    )
    Amsgrad = fastsvm.register_update("amsgrad", leaves.amsgrad, slots=("m", "v", "largest"), beta1=0.9, beta2=0.999, eps=1e-8)


@pytest.fixture(autouse=True)
def _registered():
    with registrations:
        yield


LOSS_PAIRS = ((OwnWestonWatkins(0.7), WestonWatkins(0.7)), (OwnCrammerSinger(1.5), CrammerSinger(1.5)))
RULE_PAIRS = (
    (OwnSgd(0.05), fastsvm.SGD(0.05)),
    (OwnMomentum(0.02, momentum=0.8), fastsvm.Momentum(0.02, momentum=0.8)),
    (OwnAdamw(0.01, weight_decay=0.5), fastsvm.AdamW(0.01, weight_decay=0.5)),
)

loss_pairs = pytest.mark.parametrize(("own", "built_in"), LOSS_PAIRS, ids=repr)
rule_pairs = pytest.mark.parametrize(("own", "built_in"), RULE_PAIRS, ids=repr)
open_backends = pytest.mark.parametrize("name", OPEN_BACKENDS)

#: To compile a whole pass with a leaf takes half a minute, so numba does it with one loss and one rule, in float64; the
#: other leaves go through the loops over given scores and the lone steps.
passes = pytest.mark.parametrize(
    ("name", "own", "built_in"), [("numba", *LOSS_PAIRS[0]), *(("reference", *pair) for pair in LOSS_PAIRS)], ids=str
)
epochs = pytest.mark.parametrize(
    ("name", "own", "built_in"), [("numba", *RULE_PAIRS[2]), *(("reference", *pair) for pair in RULE_PAIRS)], ids=str
)


def small_problem(dtype="float64"):
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(90, 6)).astype(dtype), rng.integers(0, 4, 90)
    return X, y


class TestLosses:
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    @open_backends
    @loss_pairs
    def test_same_loss_of_scores_as_the_built_in(self, name, own, built_in, dtype):
        rng = np.random.default_rng(5)
        scores, y, weight = rng.normal(size=(40, 5)).astype(dtype), rng.integers(0, 5, 40), rng.uniform(0.5, 2.0, 40)
        mine, theirs = (
            fastsvm.score_loss_and_gradient(scores, y, loss=loss, sample_weight=weight, backend=name)
            for loss in (own, built_in)
        )
        assert mine[0] == pytest.approx(theirs[0], rel=1e-12 if dtype == "float64" else 1e-6)
        assert_close(mine[1], theirs[1], dtype)

    @passes
    def test_same_objective_and_gradients_as_the_built_in(self, name, own, built_in):
        backend = backends.get(name)
        W, b, problem = make_problem((33, 17, 10), ("float64", "uint8"), True, built_in)
        results = [gradient(backend, W, b, problem._replace(loss=loss)) for loss in (own, built_in)]
        for mine, expected in zip(*results, strict=True):
            assert_close(mine, expected, "float64")
        values = [backend.evaluate(W, b, problem._replace(loss=loss), 1) for loss in (own, built_in)]
        assert values[0] == pytest.approx(values[1])

    @passes
    def test_same_trajectory_as_the_built_in(self, name, own, built_in):
        X, y = small_problem()
        results = [
            fastsvm.train(X, y, loss=loss, epochs=4, batch_size=16, dtype="float64", backend=name) for loss in (own, built_in)
        ]
        assert_close(results[0].W, results[1].W, "float64")
        assert results[0].history[-1].loss == pytest.approx(results[1].history[-1].loss)

    def test_many_candidates(self):
        own, built_in = LOSS_PAIRS[1]
        W, b, problem = make_problem((33, 17, 10), ("float64", "float64"), False, built_in)
        Ws, bs, out = np.stack([W, 2 * W, -W]), np.stack([b, b, b]), np.empty((2, 3))
        for k, loss in enumerate((own, built_in)):
            backends.get("numba").losses(Ws, bs, problem._replace(loss=loss), out[k], 2)
        np.testing.assert_allclose(out[0], out[1], rtol=1e-12)

    def test_same_bits_at_any_number_of_threads(self):
        W, b, problem = make_problem((3001, 23, 10), ("float64", "uint8"), True)
        problem = problem._replace(loss=OwnWestonWatkins())
        assert_same_bits([gradient(backends.get("numba"), W, b, problem, n) for n in (1, 2, 4)])

    def test_smooth_hinge_by_hand(self):
        # Margins 1.2 and 0.25 of width 0.5: 1.2 − 0.25, and 0.25² / 1 with gradient 0.5.
        scores, y = np.array([[0.0, 0.2, -0.75]]), np.array([0])
        for name in OPEN_BACKENDS:
            value, dscores = fastsvm.score_loss_and_gradient(scores, y, SmoothHinge(width=0.5), backend=name)
            assert value == pytest.approx(0.95 + 0.0625)
            np.testing.assert_allclose(dscores, [[-1.5, 1.0, 0.5]])

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    @pytest.mark.parametrize("name", ["own_weston_watkins", "own_crammer_singer", "smooth_hinge"])
    def test_one_call_checks_the_gradient(self, name, dtype):
        check = fastsvm.check_loss(name, dtype=dtype)
        assert check.passed
        assert not check.kink.all()

    def test_one_call_finds_a_wrong_gradient(self):
        def wrong(scores, y, dscores):
            value = scores[y] - scores[y]
            for j in range(len(scores)):
                dscores[j] = scores[j]
                value += scores[j] * scores[j] / 2
            dscores[y] *= 1.01
            return value

        assert not fastsvm.check_loss(fastsvm.register_loss("wrong", wrong)()).passed

    def test_by_name_and_in_whole_models(self, tmp_path):
        X, y = small_problem()
        result = fastsvm.train(X, y, loss="own_weston_watkins", epochs=30, dtype="float64")
        assert result.backend == "numba"
        assert result.loss == OwnWestonWatkins(delta=1.0)
        assert result.history[-1].loss < result.history[0].loss
        assert fastsvm.check_objective_gradient(result.W, X, y, loss="own_weston_watkins").passed
        model = fastsvm.Model(result.W, result.b, loss=SmoothHinge(delta=2.0))
        model.save(tmp_path / "model.safetensors")
        assert fastsvm.load_model(tmp_path / "model.safetensors").loss == SmoothHinge(delta=2.0)

    def test_scores_that_are_not_finite(self):
        for name in OPEN_BACKENDS:
            with pytest.raises(OverflowError):
                fastsvm.loss_and_gradient(
                    np.full((3, 1), 1e308), np.full((4, 1), 1e9), [0, 1, 2, 0], loss=OwnWestonWatkins(), backend=name
                )


class TestUpdates:
    @epochs
    def test_same_trajectory_as_the_built_in(self, name, own, built_in):
        W, b, problem = make_problem((70, 9, 5), ("float64", "float32"), True)
        results = [run_epoch(backends.get(name), W, b, problem, optimizer, 16) for optimizer in (own, built_in)]
        for mine, expected in zip(*results, strict=True):
            assert_close(mine, expected, "float64")

    @open_backends
    @rule_pairs
    def test_same_steps_as_the_built_in(self, name, own, built_in):
        x = np.linspace(-1, 1, 12).reshape(3, 4)
        mine, theirs = x.copy(), x.copy()
        states = own.init(mine), built_in.init(theirs)
        for k in range(3):
            own.step(mine, np.cos(x + k), states[0], backend=name)
            built_in.step(theirs, np.cos(x + k), states[1], backend=name)
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)
        assert states[0].step == 3
        for a, b in zip(states[0][1:], states[1][1:], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)

    def test_three_slots_and_a_schedule(self):
        # v rises to 0.001 · 4 and then falls, the largest of it stays.
        x, optimizer = np.zeros(1), Amsgrad(fastsvm.schedules.StepDecay(0.5, every=1, factor=0.1), beta1=0.0, eps=1e-12)
        state = optimizer.init(x)
        optimizer.step(x, np.array([2.0]), state)
        assert x[0] == pytest.approx(-0.5 * 2 / np.sqrt(0.004))
        optimizer.step(x, np.array([0.5]), state)
        assert x[0] == pytest.approx(-0.5 * 2 / np.sqrt(0.004) - 0.05 * 0.5 / np.sqrt(state.largest[0]))
        assert state.largest[0] == pytest.approx(0.999 * 0.004 + 0.001 * 0.25) or state.largest[0] == pytest.approx(0.004)

    def test_own_loss_and_own_rule_together_resume_and_survive_pickle(self):
        X, y = small_problem()
        settings = {"optimizer": "own_momentum", "loss": OwnWestonWatkins(), "batch_size": 16, "dtype": "float64"}
        whole = fastsvm.train(X, y, epochs=4, **settings)
        half = pickle.loads(pickle.dumps(copy.deepcopy(fastsvm.train(X, y, epochs=2, **settings))))
        assert half.optimizer == OwnMomentum()
        built_in = settings | {"optimizer": fastsvm.Momentum(OwnMomentum().learning_rate), "loss": WestonWatkins()}
        assert_close(whole.W, fastsvm.train(X, y, epochs=4, backend="numba", **built_in).W, "float64")
        assert_same_bits([(whole.W, whole.b), (lambda r: (r.W, r.b))(fastsvm.train(X, y, epochs=4, resume=half, **settings))])

    def test_weight_decay_does_not_reach_the_intercept(self):
        W, b, problem = make_problem((70, 9, 5), ("float64", "float64"), False)
        for name in OPEN_BACKENDS:
            results = [run_epoch(backends.get(name), W, b, problem, OwnAdamw(1e-3, weight_decay=d), 70) for d in (0.5, 0.0)]
            assert np.array_equal(results[0][1], results[1][1])
            assert not np.allclose(results[0][0], results[1][0])


class TestChoice:
    @pytest.mark.parametrize("call", [
        lambda: fastsvm.loss_and_gradient(np.eye(2), np.eye(2), np.arange(2), loss=SmoothHinge(), backend="native"),
        lambda: fastsvm.train(*small_problem(), loss="smooth_hinge", backend="native"),
        lambda: fastsvm.train(*small_problem(), optimizer="amsgrad", backend="native"),
        lambda: OwnSgd().step(np.zeros(3), np.zeros(3), OwnSgd().init(np.zeros(3)), backend="native"),
    ])  # fmt: skip
    def test_native_says_who_can(self, call):
        with pytest.raises(ValueError, match="backend must be 'numba', 'reference' or 'auto' for the registered"):
            call()

    def test_native_by_environment(self, monkeypatch):
        monkeypatch.setenv("FASTSVM_BACKEND", "native")
        with pytest.raises(ValueError, match="FASTSVM_BACKEND must be 'numba', 'reference' or 'auto' for the registered loss"):
            fastsvm.check_loss("smooth_hinge")

    def test_in_a_process_that_does_not_know_it(self, tmp_path):
        fastsvm.Model(np.eye(3), loss=SmoothHinge()).save(tmp_path / "model.safetensors")
        (tmp_path / "loss.pickle").write_bytes(pickle.dumps(SmoothHinge()))
        script = textwrap.dedent("""
            import pickle, sys
            import fastsvm
            try: fastsvm.load_model("model.safetensors")
            except fastsvm.DataFormatError as error: print("registered" in str(error))
            try: pickle.load(open("loss.pickle", "rb"))
            except AttributeError as error: print("'SmoothHinge' on <module 'fastsvm.extensions'" in str(error))
            print("numba" in sys.modules)
        """)
        run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                             env=dict(os.environ))  # fmt: skip
        assert run.stdout.split() == ["True", "True", "False"], run.stderr

    def test_code_with_a_users_leaf_is_not_kept_on_disk(self, tmp_path, monkeypatch):
        monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

        def squares(scores, y, dscores):
            value = scores[y] - scores[y]
            for j in range(len(scores)):
                dscores[j] = scores[j]
                value += scores[j] * scores[j] / 2
            return value

        loss = fastsvm.register_loss("squares", squares)()
        value, dscores = fastsvm.score_loss_and_gradient(np.array([[3.0, 4.0]]), np.array([1]), loss)
        assert (value, dscores.tolist()) == (12.5, [[3.0, 4.0]])
        assert not list(tmp_path.rglob("*.nb?"))
