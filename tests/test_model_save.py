"""Saving and loading models: everything comes back, and a failed save loses nothing."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastsvm import files
from fastsvm.losses import CrammerSinger, Softmax, WestonWatkins
from fastsvm.model import Model, load_model
from fastsvm.standardization import Standardization
from models import assert_same, build

LOSSES = [WestonWatkins(delta=0.5, squared=True), CrammerSinger(delta=2.0), Softmax()]


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_round_trip(tmp_path, dtype, loss):
    model = build(dtype, loss=loss)
    path = tmp_path / "model.safetensors"
    model.save(path)
    assert_same(load_model(path), model)
    assert_same(Model.load(str(path)), model)
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_round_trip_without_the_optional_parts(tmp_path):
    model = Model(build().W)
    model.save(tmp_path / "m")
    assert_same(load_model(tmp_path / "m"), model)


def test_predictions_survive_the_file(tmp_path):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(50, 2))
    model = build("float64")
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(
        load_model(tmp_path / "m").scores(X, backend="reference"), model.scores(X, backend="reference")
    )


def test_standardization_with_strides_is_saved_as_it_reads(tmp_path):
    wide = np.array([1.0, 99.0, 2.0, 99.0])
    model = build(standardization=Standardization(wide[::2], wide[::2], "mean+std"))
    model.save(tmp_path / "m")
    assert load_model(tmp_path / "m").standardization.mean.tolist() == [1.0, 2.0]


def test_other_programs_can_read_the_arrays(tmp_path):
    from safetensors.numpy import load_file

    build().save(tmp_path / "m")
    assert sorted(load_file(tmp_path / "m")) == ["W", "b", "mean", "scale"]


def test_new_files_follow_the_umask_and_old_ones_keep_their_mode(tmp_path):
    code = (
        "import os, sys; from fastsvm.files import write_bytes; os.umask(0o027);"
        "write_bytes(sys.argv[1], b'new'); write_bytes(sys.argv[2], b'new')"
    )
    old = tmp_path / "old"
    old.write_bytes(b"old")
    old.chmod(0o604)
    subprocess.run([sys.executable, "-c", code, tmp_path / "new", old], check=True, timeout=60)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert stat.S_IMODE(old.stat().st_mode) == 0o604
    assert old.read_bytes() == b"new"


def test_links_are_followed_and_devices_are_not_replaced(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    build().save(target)
    link.symlink_to(target)
    build(alpha=0.5).save(link)
    assert link.is_symlink()
    assert load_model(target).alpha == 0.5
    build().save(os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def failing(error: BaseException):
    def fail(*args, **kwargs):
        raise error

    return fail


class FullDisk:
    """A file whose disk is full after some bytes."""

    def __init__(self, descriptor: int, mode: str) -> None:
        self.file = open(descriptor, mode)  # noqa: SIM115

    def __enter__(self):
        return self

    def __exit__(self, *exception) -> None:
        self.file.close()

    def write(self, data: bytes) -> None:
        self.file.write(data[:20])
        self.file.flush()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize(
    ("place", "replacement", "error"),
    [
        ("fdopen", FullDisk, OSError),
        ("fsync", failing(OSError(errno.EIO, "Input/output error")), OSError),
        ("replace", failing(OSError(errno.EACCES, "Permission denied")), PermissionError),
        ("replace", failing(KeyboardInterrupt()), KeyboardInterrupt),
    ],
    ids=["full disk", "fsync", "rename", "interrupted"],
)
def test_a_failed_save_loses_nothing(tmp_path, monkeypatch, place, replacement, error, existing):
    path = tmp_path / "model.safetensors"
    if existing:
        build().save(path)
    before = path.read_bytes() if existing else None
    with monkeypatch.context() as patch:
        patch.setattr(files.os, place, replacement)
        with pytest.raises(error) as caught:
            build(alpha=0.75).save(path)
    if isinstance(caught.value, OSError):
        assert caught.value.filename == str(path)  # not the temporary file's
    assert os.listdir(tmp_path) == (["model.safetensors"] if existing else [])
    if existing:
        assert path.read_bytes() == before


def test_the_file_is_on_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(files.os, name, lambda *a, real=real, name=name: (calls.append(name), real(*a))[1])
    files.write_bytes(tmp_path / "m", b"x")
    assert calls == ["fsync", "replace", "fsync"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(PermissionError):
            build().save(tmp_path / "m")
    finally:
        tmp_path.chmod(0o755)


def test_no_permission_is_found_out_beforehand(tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "access", lambda *a: False)
    with pytest.raises(PermissionError, match="no permission"):
        build().save(tmp_path / "m")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "error"),
    [(".", IsADirectoryError), ("none/m", FileNotFoundError), ("file/m", NotADirectoryError), ("", ValueError), (3, TypeError)],
)
def test_places_no_file_can_go(tmp_path, monkeypatch, path, error):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    with pytest.raises(error):
        build().save(path)
    assert os.listdir() == ["file"]
    assert Path("file").read_text() == "x"
