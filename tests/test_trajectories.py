"""Descents on surfaces against closed forms, what each surface teaches, and paths on planes against linear algebra."""

from __future__ import annotations

import numpy as np
import pytest

import fastsvm
from fastsvm import SGD, AdaGrad, Adam, Momentum, Nesterov, RMSProp, Softmax
from fastsvm.schedules import Cosine
from fastsvm.trajectories import (
    LECTURE_RULES,
    SURFACES,
    Surface,
    descend,
    path_plane,
    path_planes,
    record_path,
    side_by_side,
    surface_optimizer,
)
from training_cases import X64, Y, blobs, same

DESCENTS = {name: {d.optimizer.rule: d for d in side_by_side(name)} for name in SURFACES}


@pytest.mark.parametrize("surface", SURFACES.values(), ids=str)
def test_surface(surface):
    rng = np.random.default_rng(1)
    low, high = np.array(surface.bounds).T
    for x in [np.array(surface.start), *rng.uniform(low, high, (5, 2))]:
        assert fastsvm.check_gradient(surface.f, x, surface.gradient(x)).passed
    x0, x1, values = surface.grid(31)
    assert values.shape == (31, 31)
    assert values[7, 20] == pytest.approx(surface.f(np.array([x0[20], x1[7]])))
    many = rng.uniform(low, high, (4, 2)).T
    np.testing.assert_allclose(surface.gradient(many).T, [surface.gradient(x) for x in many.T])
    np.testing.assert_allclose(surface.gradient(np.array(surface.minimum)), 0.0, atol=1e-12)
    assert surface.f(np.array(surface.minimum)) <= values.min()
    assert set(surface.learning_rates) == set(LECTURE_RULES)
    assert not any(descent.diverged for descent in DESCENTS[surface.name].values())


def test_values_of_the_classics():
    assert SURFACES["rosenbrock"].f(np.array([-1.0, 2.0])) == 4.0 + 100.0
    assert SURFACES["beale"].f(np.array([2.0, 0.0])) == pytest.approx(0.5**2 + 0.25**2 + 0.625**2)
    assert SURFACES["saddle"].f(np.array([2.0, 1.0])) == 2.0 - 0.25
    assert SURFACES["turned_saddle"].f(np.array([3.0, 1.0]) / np.sqrt(2.0)) == pytest.approx(0.5 * 2.0**2 - 0.5 + 0.25)


def test_gradient_descent_on_a_quadratic_has_a_closed_form():
    descent = descend("bowl", SGD(0.07), steps=40, start=(-9.0, 2.0))
    k = np.arange(41)[:, None]
    expected = np.array([-9.0, 2.0]) * (1.0 - 0.07 * np.array([1.0, 25.0])) ** k
    np.testing.assert_allclose(descent.path, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(descent.values, 0.5 * expected[:, 0] ** 2 + 12.5 * expected[:, 1] ** 2, rtol=1e-12)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_momentum_on_a_quadratic_is_a_power_of_a_matrix(backend):
    rate, friction, steps = 0.02, 0.8, 25
    heavy = descend("bowl", Momentum(rate, friction), steps=steps, start=(3.0, 1.0), backend=backend)
    ahead = descend("bowl", Nesterov(rate, friction), steps=steps, start=(3.0, 1.0), backend=backend)
    for axis, curvature in enumerate((1.0, 25.0)):
        # (x, v) after one update: v ← ρ v + λ x, x ← x − η v; and in the variables of Nesterov, where v holds η.
        plain = np.array([[1 - rate * curvature, -rate * friction], [curvature, friction]])
        pull = -rate * curvature
        shifted = np.array([[1 + (1 + friction) * pull, friction**2], [pull, friction]])
        for descent, matrix in ((heavy, plain), (ahead, shifted)):
            state = np.array([(3.0, 1.0)[axis], 0.0])
            for k in range(steps + 1):
                expected = (np.linalg.matrix_power(matrix, k) @ state)[0]
                assert descent.path[k, axis] == pytest.approx(expected, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("rule", [AdaGrad(0.3), RMSProp(0.3, decay=0.75), Adam(0.3)], ids=lambda rule: rule.rule)
def test_adaptive_rules_begin_with_steps_of_one_length_in_all_coordinates(rule):
    descent = descend("bowl", rule, steps=1, start=(-9.0, 2.0))
    length = {"adagrad": 0.3, "rmsprop": 0.6, "adam": 0.3}[rule.rule]  # RMSProp: g / √((1 − δ) g²) = 2
    np.testing.assert_allclose(descent.path[1] - descent.path[0], [length, -length], rtol=1e-6)


def test_bowl_tells_zigzag_overshoot_and_slowing_apart():
    bowl = DESCENTS["bowl"]
    signs = {rule: np.sign(descent.path[:12, 1]) for rule, descent in bowl.items()}
    assert (signs["sgd"][1:] != signs["sgd"][:-1]).all()
    for rule in ("adagrad", "rmsprop"):
        assert (signs[rule] > 0).all()
    assert bowl["momentum"].path[:, 0].max() > 1.0  # past the minimum at 0
    assert bowl["sgd"].path[:, 0].max() < 0.0
    steps = np.linalg.norm(np.diff(bowl["adagrad"].path, axis=0), axis=1)
    assert (np.diff(steps) < 0).all()


@pytest.mark.parametrize("name", ["saddle", "plateau"])
def test_sgd_lingers_where_the_gradient_is_small_and_the_others_do_not(name):
    descents, surface = DESCENTS[name], SURFACES[name]
    floor = surface.f(np.array(surface.minimum))
    left = {rule: (d.values[-1] - floor) / (d.values[0] - floor) for rule, d in descents.items()}
    assert left["sgd"] > {"saddle": 0.1, "plateau": 0.9}[name]
    assert left["sgd"] > 2 * max(left[rule] for rule in LECTURE_RULES if rule != "sgd")
    assert max(left[rule] for rule in ("momentum", "nesterov", "rmsprop", "adam")) < 0.01


def test_adagrad_stops_at_a_saddle_point_it_came_down_to():
    turned = DESCENTS["turned_saddle"]
    assert np.linalg.norm(turned["adagrad"].path[-1]) < 0.2
    for rule in ("rmsprop", "adam", "momentum"):
        assert turned[rule].values[-1] < -0.24


def test_speed_carries_over_local_minima():
    wiggle = DESCENTS["wiggle"]
    end = wiggle["sgd"].path[-1]
    np.testing.assert_allclose(SURFACES["wiggle"].gradient(end), 0.0, atol=1e-6)  # it has come to rest
    assert wiggle["sgd"].values[-1] > 0.5  # and not in the lowest dent
    for rule in ("momentum", "nesterov", "adam"):
        assert wiggle[rule].values[-1] < 0.3


def test_divergence_ends_the_path_and_says_so():
    gone = descend("bowl", SGD(1.0), steps=50)  # grows 24 times an update
    assert gone.diverged
    assert 2 <= len(gone.path) == len(gone.values) <= 5
    assert np.isfinite(gone.path).all()
    assert "diverged after" in repr(gone)
    assert not descend("bowl", SGD(0.0799), steps=200).diverged  # 2/25 is the limit
    steep = Surface("steep", lambda x: x[0] ** 4, lambda x: np.stack([4 * x[0] ** 3, 0 * x[1]]), (9.0, 0.0), ((-1, 1), (-1, 1)))
    burst = descend(steep, SGD(1e300), steps=5)  # not finite at once
    assert burst.diverged
    assert burst.path.tolist() == [[9.0, 0.0]]
    shore = Surface("shore", lambda x: np.log(x[0]), lambda x: np.stack([1 / x[0], 0 * x[1]]), (1.5, 0.0), ((0, 2), (-1, 1)))
    drowned = descend(shore, SGD(1.0), steps=5)  # 1.5 → 0.83 → −0.37, where there is no value
    assert drowned.diverged
    np.testing.assert_allclose(drowned.path[:, 0], [1.5, 1.5 - 1 / 1.5])


def test_names_and_objects():
    assert surface_optimizer("bowl", "SGD") == SGD(SURFACES["bowl"].learning_rates["sgd"])
    assert surface_optimizer("bowl", "adamw") == fastsvm.AdamW()
    assert surface_optimizer("bowl", Adam(0.7)) == Adam(0.7)
    assert [d.optimizer.rule for d in side_by_side("beale", steps=1)] == list(LECTURE_RULES)
    assert len(descend("bowl", Adam(Cosine(0.5, total=9)), steps=9).path) == 10
    for wrong, message in [
        (lambda: descend("hill", "sgd"), "surface must be one of 'bowl'"),
        (lambda: descend("bowl", "sgdd"), "optimizer must be"),
        (lambda: descend("bowl", "sgd", start=(1.0, np.nan)), "start must be two finite numbers"),
        (lambda: descend("bowl", "sgd", start=(1.0, 2.0, 3.0)), "start must be two finite numbers"),
        (lambda: descend("bowl", "sgd", steps=-1), "steps must be"),
    ]:
        with pytest.raises(ValueError, match=message):
            wrong()
    with pytest.raises(TypeError, match="put it in a list"):
        side_by_side("bowl", "sgd")


TRAINING = dict(optimizer=Momentum(0.02), batch_size=7, alpha=0.05, seed=3)


def test_a_recorded_path_is_that_of_the_training():
    result = fastsvm.train(X64, Y, epochs=4, **TRAINING)
    seen = []
    path = record_path(X64, Y, epochs=4, callbacks=[lambda record, result: seen.append(record.epoch)], **TRAINING)
    assert same(path.Ws[-1], result.W)
    assert same(path.bs[-1], result.b)
    assert not path.Ws[0].any()
    assert path.updates.tolist() == [0, 9, 18, 27, 36]
    assert seen == [1, 2, 3, 4]
    begun = record_path(X64, Y, epochs=1, W=result.W, b=result.b, **TRAINING)
    assert same(begun.Ws[0], result.W)


@pytest.mark.parametrize("sampling", ["shuffle", "replacement", "sequential"])
def test_every_update_can_be_recorded(sampling):
    settings = {**TRAINING, "optimizer": Adam(Cosine(0.02)), "sampling": sampling}
    by_epoch = record_path(X64, Y, epochs=3, **settings)
    path = record_path(X64, Y, every=1, epochs=3, **settings)
    assert path.updates.tolist() == list(range(28))
    np.testing.assert_allclose(path.Ws[::9], by_epoch.Ws, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(path.bs[::9], by_epoch.bs, rtol=1e-12, atol=1e-14)
    assert record_path(X64, Y, every=8, epochs=3, **settings).updates.tolist() == [0, 8, 16, 24, 27]


def test_what_recording_refuses():
    for refused in ({"resume": None}, {"every": 1, "sample_weight": np.ones(len(Y))}, {"every": 1, "validation": (X64, Y)}):
        with pytest.raises(TypeError, match="must not be given"):
            record_path(X64, Y, epochs=2, **refused)
    with pytest.raises(fastsvm.DivergenceError):
        record_path(X64, Y, epochs=9, optimizer=SGD(1e200))


def points(path, origin):
    """Differences of all points, intercept included, to the origin."""
    theta = np.hstack([path.Ws.reshape(len(path), -1), path.bs])
    return theta - np.hstack([origin[0].ravel(), origin[1]])


@pytest.mark.parametrize("axes", ["ends", "pca"])
def test_plane_of_a_path(axes):
    path = record_path(X64, Y, every=1, epochs=2, **TRAINING)
    picture = path_plane(X64, Y, path, axes=axes, resolution=5)
    D = points(path, picture.origin)
    basis = np.hstack([picture.directions[0].reshape(2, -1), picture.directions[1]])
    np.testing.assert_allclose(basis @ basis.T, np.eye(2), atol=1e-10)
    np.testing.assert_allclose(picture.path, D @ basis.T, atol=1e-10)
    np.testing.assert_allclose(picture.distances, np.linalg.norm(D - picture.path @ basis, axis=1), atol=1e-7)
    np.testing.assert_allclose(picture.explained, np.square(D @ basis.T).sum(axis=0) / np.square(D).sum(), rtol=1e-9)
    assert not picture.path[-1].any()
    singular, rows = np.linalg.svd(D)[1:]
    shares = np.square(singular) / np.square(singular).sum()
    if axes == "pca":
        np.testing.assert_allclose(picture.explained, shares[:2], rtol=1e-9)
        np.testing.assert_allclose(np.abs(basis @ rows[:2].T), np.eye(2), atol=1e-6)
    else:
        np.testing.assert_allclose(picture.path[0], [np.linalg.norm(D[0]), 0.0], atol=1e-9)
        assert picture.distances[0] < 1e-6
        u = D[0] / np.linalg.norm(D[0])
        rest = np.linalg.svd(D - np.outer(D @ u, u))[1]
        assert picture.explained[1] == pytest.approx(rest[0] ** 2 / np.square(D).sum())
        assert 0.8 < picture.explained.sum() < shares[:2].sum()
        np.testing.assert_allclose(picture.projected_losses[0], picture.losses[0], rtol=1e-9)
    np.testing.assert_allclose(picture.projected_losses[-1], picture.losses[-1], rtol=1e-12)

    how = dict(loss=path.result.loss, alpha=0.05, standardization=path.result.standardization, backend="reference")
    expected = [fastsvm.loss_value(W, X64, Y, b, **how) for W, b in zip(path.Ws, path.bs, strict=True)]
    np.testing.assert_allclose(picture.losses, expected, rtol=1e-10)
    plane = picture.plane
    assert plane.a[0] < picture.path[:, 0].min() < picture.path[:, 0].max() < plane.a[-1]
    assert plane.b[0] < picture.path[:, 1].min() < picture.path[:, 1].max() < plane.b[-1]
    (W, b), (D_W, D_b) = picture.origin, picture.directions
    for i, j in ((0, 0), (1, 3), (4, 2)):
        a, c = plane.a[j], plane.b[i]
        there = fastsvm.loss_value(W + a * D_W[0] + c * D_W[1], X64, Y, b + a * D_b[0] + c * D_b[1], **how)
        assert plane.loss[i, j] == pytest.approx(there, rel=1e-10)


def test_a_path_that_lies_in_a_plane_is_shown_as_it_is():
    path = record_path(X64, Y, batch_size="full", epochs=2, optimizer=SGD(0.5), loss=Softmax(), penalize_intercept=True)
    picture = path_plane(X64, Y, path)
    assert picture.explained.sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(picture.projected_losses, picture.losses, rtol=1e-9)
    assert picture.distances.max() < 1e-6
    # "loss" of an epoch of one batch is the objective before its update
    np.testing.assert_allclose(picture.losses[:2], path.result.history["loss"], rtol=1e-12)


def test_several_paths_on_one_plane():
    paths = [
        record_path(X64, Y, epochs=5, **{**TRAINING, "optimizer": rule}) for rule in (SGD(1e-3), Adam(0.02), Momentum(0.01))
    ]
    pictures = path_planes(X64, Y, paths, resolution=3)
    assert all(picture.plane is pictures[0].plane for picture in pictures)
    finals = [picture.losses[-1] for picture in pictures]
    best = int(np.argmin(finals))
    assert best > 0
    assert not pictures[best].path[-1].any()
    assert same(pictures[0].origin[0], paths[best].Ws[-1])
    for picture in pictures:  # the common start is on the plane of start and end of the best
        np.testing.assert_allclose(picture.path[0], pictures[best].path[0], atol=1e-12)
        assert picture.projected_losses[0] == pytest.approx(picture.losses[0], rel=1e-9)


def test_what_spans_no_plane_is_refused():
    path = record_path(X64, Y, epochs=3, **TRAINING)
    other = record_path(X64, Y, epochs=3, **{**TRAINING, "alpha": 0.1})
    for wrong, message in [
        (lambda: path_plane(X64, Y, record_path(X64, Y, epochs=1, **TRAINING)), "do not lie on one line"),
        (lambda: path_planes(X64, Y, [path, other]), "same alpha"),
        (lambda: path_plane(X64, Y, path, axes="random"), "axes must be one of"),
        (lambda: path_plane(X64, Y, path, resolution=1), "resolution must be"),
    ]:
        with pytest.raises(ValueError, match=message):
            wrong()
    with pytest.raises(TypeError, match="record_path"):
        path_planes(X64, Y, [])


def test_float32_weights_of_bytes():
    X, y = blobs(n=300, d=33, k=5, dtype=np.uint8)
    picture = path_plane(X, y, record_path(X, y, epochs=6, batch_size=32, optimizer=Adam(0.01)))
    assert picture.directions[0].dtype == np.float32
    np.testing.assert_allclose(picture.projected_losses[[0, -1]], picture.losses[[0, -1]], rtol=1e-4)
