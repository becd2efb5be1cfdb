"""How a training ends and goes on: resume, early stopping, callbacks, Ctrl-C, divergence."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import threading

import numpy as np
import pytest

from fastsvm import SGD, Adam, DivergenceError, Softmax
from fastsvm.schedules import Cosine
from fastsvm.training import train
from training_cases import BACKENDS, COMPILED, RULES, X64, D, K, Y, blobs, same, same_training


@pytest.mark.parametrize("optimizer", RULES, ids=lambda rule: rule.rule)
@pytest.mark.parametrize("sampling", ["shuffle", "replacement"])
def test_resume_is_the_same_training(optimizer, sampling):
    settings = dict(
        optimizer=optimizer, batch_size=16, sampling=sampling, record="update", validation=blobs(seed=9), monitor="loss",
        backend="reference", loss=Softmax(), alpha=0.01,
    )  # fmt: skip
    whole = train(X64, Y, epochs=10, **settings)
    first = train(X64, Y, epochs=5, **settings)
    before = copy.deepcopy(first)
    assert same_training(whole, train(X64, Y, epochs=10, resume=first, **settings))
    assert same_training(first, before)
    twice = train(X64, Y, epochs=7, resume=pickle.loads(pickle.dumps(first)), **settings)
    assert same_training(whole, train(X64, Y, epochs=10, resume=twice, **settings))
    assert same_training(first, train(X64, Y, epochs=5, resume=first, **settings))


@pytest.mark.parametrize("backend", COMPILED)
@pytest.mark.parametrize("bit_generator", [np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_resume_from_other_generators(backend, bit_generator):
    settings = dict(optimizer=Adam(0.01), batch_size=16, backend=backend)
    whole, first = (train(X64, Y, epochs=epochs, seed=np.random.Generator(bit_generator(4)), **settings) for epochs in (6, 3))
    assert same(whole.W, train(X64, Y, epochs=6, resume=first, **settings).W)


def test_resume_without_intercept_and_with_other_data_statistics():
    settings = dict(optimizer=SGD(0.01), batch_size=16, fit_intercept=False, backend="reference")
    first = train(X64, Y, epochs=2, **settings)
    assert first.b is None is first.state.optimizer_b
    resumed = train(X64, Y, epochs=4, resume=first, **settings)
    assert same(resumed.W, train(X64, Y, epochs=4, **settings).W)
    moved = train(X64 + 5, Y, epochs=4, resume=first, **settings)
    assert moved.standardization is first.standardization


def test_resume_goes_on_with_its_optimizer_and_its_schedule():
    first = train(X64, Y, epochs=2, optimizer=Adam(Cosine(0.01)), batch_size="full", backend="reference")
    assert first.optimizer == Adam(Cosine(0.01))
    assert first.history["learning_rate"] == pytest.approx([0.01, 0.005])
    resumed = train(X64, Y, epochs=4, resume=first, batch_size="full", backend="reference")
    assert resumed.optimizer == Adam(Cosine(0.01))
    assert resumed.history["learning_rate"][2:] == pytest.approx([0.005, 0.01 * 0.5 * (1 + np.cos(0.75 * np.pi))])


def test_checkpoint_from_a_callback_resumes():
    kept = []

    def checkpoint(record, result):
        if record.epoch == 4:
            kept.append(copy.deepcopy(result))

    settings = dict(optimizer=Adam(0.01), batch_size=16, validation=blobs(seed=9), record="update", backend="reference")
    whole = train(X64, Y, epochs=9, callbacks=[checkpoint], **settings)
    assert kept[0].stop_reason == "running"
    assert len(kept[0].history) == 4
    assert same_training(whole, train(X64, Y, epochs=9, resume=kept[0], **settings))


def test_early_stopping_at_the_expected_epoch():
    # Full batch: the rate is 0 from update 3 on, so epoch 3 is the last to improve and two more make the patience of 2.
    optimizer = SGD(lambda step: 0.01 if step < 3 else 0.0)
    settings = dict(optimizer=optimizer, batch_size="full", validation=(X64, Y), monitor="loss", backend="reference")
    result = train(X64, Y, epochs=50, patience=2, **settings)
    assert (result.stop_reason, result.best_epoch, len(result.history)) == ("early stopping", 3, 5)
    assert (np.diff(result.history["val_loss"])[:2] < 0).all()
    again = train(X64, Y, epochs=50, patience=2, resume=result, **settings)
    assert (again.stop_reason, len(again.history)) == ("early stopping", 5)
    on = train(X64, Y, epochs=50, patience=4, resume=again, **settings)
    assert (on.stop_reason, len(on.history)) == ("early stopping", 7)
    assert train(X64, Y, epochs=5, patience=2, **settings).stop_reason == "epochs"


def test_min_delta_tries_patience_but_not_the_choice_of_the_best():
    settings = dict(optimizer=SGD(0.01), batch_size="full", validation=(X64, Y), monitor="loss", backend="reference")
    result = train(X64, Y, epochs=50, patience=3, min_delta=1e3, **settings)
    assert (np.diff(result.history["val_loss"]) < 0).all()
    assert (result.stop_reason, result.best_epoch, len(result.history)) == ("early stopping", 4, 4)
    # Improvements that are small one by one add up.
    steps = -np.diff(train(X64, Y, epochs=30, **settings).history["val_loss"])
    slow = train(X64, Y, epochs=30, patience=4, min_delta=2.5 * float(steps.max()), **settings)
    total, reference, improved = 0.0, 0.0, 1
    for epoch, gain in enumerate(steps, start=2):
        total += gain
        if total - reference > 2.5 * steps.max():
            reference, improved = total, epoch
        if epoch - improved == 4:
            break
    assert improved > 1
    assert len(slow.history) == epoch


@pytest.mark.parametrize("monitor", ["loss", "accuracy"])
def test_best_weights_are_returned_and_the_last_kept(monitor):
    # A standing start and two good steps, then a jump that spoils everything, then no step at all.
    rates = [0.05, 0.05, 1e4, 0.0]
    settings = dict(batch_size="full", monitor=monitor, backend="reference", alpha=0.0)
    result = train(X64, 1 * Y, epochs=4, optimizer=SGD(rates.__getitem__), validation=(X64, Y), **settings)
    column = result.history[f"val_{monitor}"]
    best = int(np.argmin(column) if monitor == "loss" else np.argmax(column)) + 1
    assert best in (1, 2)
    assert result.best_epoch == best
    assert same(result.W, train(X64, Y, epochs=best, optimizer=SGD(0.05), **settings).W)
    assert np.abs(result.state.W).max() > 100
    without = train(X64, Y, epochs=4, optimizer=SGD(rates.__getitem__), **settings)
    assert same(without.W, result.state.W)
    assert without.best_epoch == 4


def test_accuracy_tie_keeps_the_first():
    result = train(
        X64, Y, epochs=3, optimizer=SGD(lambda step: 0.1 if step == 0 else 0.0), batch_size="full", validation=(X64, Y),
        backend="reference",
    )  # fmt: skip
    assert len(set(result.history["val_accuracy"])) == 1
    assert result.best_epoch == 1


def test_callbacks_see_each_epoch_and_may_stop():
    seen = []

    def look(record, result):
        seen.append((record, result.W.copy(), result.state.epochs, result.predict(X64)))
        assert not result.W.flags.writeable
        assert not result.b.flags.writeable
        assert not result.state.optimizer_W.first.flags.writeable
        assert result.history.epochs[-1] is record
        return record.epoch  # not True

    settings = dict(batch_size=16, optimizer=Adam(0.01), backend="reference")
    result = train(X64, Y, epochs=9, callbacks=[look, lambda record, _: record.epoch == 3, look], **settings)
    assert result.stop_reason == "callback"
    assert [s[0].epoch for s in seen] == [1, 1, 2, 2, 3, 3]
    assert [s[2] for s in seen] == [1, 1, 2, 2, 3, 3]
    for epoch in (1, 2, 3):
        assert same(seen[2 * epoch - 1][1], train(X64, Y, epochs=epoch, **settings).W)
    assert same(seen[-1][1], result.W)


def test_exception_of_a_callback_passes():
    first = train(X64, Y, epochs=2, backend="reference")
    before = copy.deepcopy(first)
    W = np.ones((K, D))

    def fail(record, result):
        raise RuntimeError("from the callback")

    for start in (dict(resume=first, epochs=5), dict(W=W)):
        with pytest.raises(RuntimeError, match="from the callback"):
            train(X64, Y, callbacks=[fail], backend="reference", **start)
    assert same_training(first, before)
    assert (W == 1).all()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("backend", BACKENDS)
def test_interrupt_from_a_callback(backend):
    settings = dict(optimizer=Adam(0.01), batch_size=16, backend=backend)
    calls = []

    def callback(record, result):
        calls.append(record.epoch)
        if record.epoch == 3:
            interrupt()

    result = train(X64, Y, epochs=100, callbacks=[callback, lambda record, _: calls.append(-record.epoch)], **settings)
    assert result.stop_reason == "interrupted"
    assert calls == [1, -1, 2, -2, 3, -3]
    assert same_training(result, train(X64, Y, epochs=3, **settings))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert same_training(train(X64, Y, epochs=6, resume=result, **settings), train(X64, Y, epochs=6, **settings))


def test_interrupt_returns_the_best_weights():
    rates = [0.05, 0.05, 1e4, 0.0]
    settings = dict(batch_size="full", backend="reference", alpha=0.0)
    result = train(
        X64, Y, epochs=9, optimizer=SGD(rates.__getitem__), validation=(X64, Y), monitor="loss",
        callbacks=[lambda record, _: interrupt() if record.epoch == 4 else None], **settings,
    )  # fmt: skip
    assert (result.stop_reason, result.best_epoch, result.state.epochs) == ("interrupted", 2, 4)
    assert same(result.W, train(X64, Y, epochs=2, optimizer=SGD(0.05), **settings).W)


@pytest.mark.parametrize("backend", BACKENDS)
def test_interrupt_from_another_thread(backend):
    timer = threading.Timer(0.3, interrupt)

    def start(record, result):
        if record.epoch == 1:
            timer.start()

    result = train(X64, Y, epochs=10**7, optimizer=Adam(0.01), callbacks=[start], backend=backend)
    timer.join()
    assert result.stop_reason == "interrupted"
    assert 1 <= result.state.epochs < 10**7
    assert np.isfinite(result.W).all()


def test_second_interrupt_raises_at_once():
    seen = []

    def twice(record, result):
        interrupt()
        seen.append("after the first")
        interrupt()
        seen.append("after the second")

    with pytest.raises(KeyboardInterrupt):
        train(X64, Y, callbacks=[twice], backend="reference")
    assert seen == ["after the first"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_and_ignored_signals_are_left_alone():
    handlers = []

    def look(record, result):
        handlers.append(signal.getsignal(signal.SIGINT))

    results = []
    thread = threading.Thread(target=lambda: results.append(train(X64, Y, epochs=2, callbacks=[look], backend="reference")))
    thread.start()
    thread.join()
    assert results[0].stop_reason == "epochs"
    assert handlers == [signal.default_int_handler] * 2
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ignored = train(X64, Y, epochs=2, callbacks=[lambda record, _: interrupt()], backend="reference")
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, previous)
    assert ignored.stop_reason == "epochs"


@pytest.mark.parametrize("backend", BACKENDS)
def test_divergence(backend):
    X, y = blobs(dtype=np.float32)
    settings = dict(batch_size=25, standardize=None, alpha=0.0, backend=backend, record="update")
    with pytest.raises(DivergenceError) as caught:
        train(X, y, epochs=9, optimizer=SGD(lambda step: 0.01 if step < 6 else 1e38), **settings)
    error = caught.value
    assert (error.epoch, error.update, error.learning_rate) == (3, 7, 1e38)
    for words in ("epoch 3", "update 7", "1e+38", "1e+37 or less", "warm-up", 'standardize="mean+std"'):
        assert words in str(error)
    sound = train(X, y, epochs=2, optimizer=SGD(0.01), **settings)
    assert error.result.stop_reason == "diverged"
    assert same_training(error.result, sound)
    on = train(X, y, epochs=4, optimizer=SGD(0.01), resume=error.result, **settings)
    assert same_training(on, train(X, y, epochs=4, optimizer=SGD(0.01), **settings))


@pytest.mark.parametrize("backend", BACKENDS)
def test_divergence_in_the_first_epoch(backend):
    X, y = blobs(dtype=np.float32)
    with pytest.raises(DivergenceError, match="weights after update 0 are not finite") as caught:
        train(X, y, optimizer=SGD(1e300), batch_size="full", alpha=1.0, backend=backend)
    error = caught.value
    assert (error.epoch, error.update, error.learning_rate, error.result) == (1, 0, 1e300, None)
    assert "smaller alpha" in str(error)
    assert "standardize" not in str(error)


def test_divergence_of_the_validation_loss():
    X, y = blobs(dtype=np.float32)
    far = np.full((2, D), 3e38, dtype=np.float32)
    with pytest.raises(DivergenceError, match="validation loss") as caught:
        train(X, y, standardize=None, optimizer=Adam(10.0), validation=(far, [0, 1]), backend="reference")
    assert caught.value.epoch == 1
