"""Model files that are not sound: loading refuses each with a message, and never fails otherwise."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from fastsvm.exceptions import DataFormatError
from fastsvm.losses import WestonWatkins
from fastsvm.model import Model, load_model
from fastsvm.standardization import Standardization
from models import assert_same, build

HEADER = {
    "format": "fastsvm-linear-model",
    "version": 1,
    "class_names": ["a", "b"],
    "loss": {"name": "weston_watkins", "delta": 1.0, "squared": False},
    "alpha": 0.5,
    "penalize_intercept": False,
    "standardization": "mean",
    "metadata": {},
}
TENSORS = {"W": np.ones((2, 3), dtype=np.float32), "mean": np.zeros(3), "scale": np.ones(3)}


def file_bytes(header: dict | str = HEADER, tensors: dict = TENSORS) -> bytes:
    text = header if isinstance(header, str) else json.dumps(header)
    return save(tensors, metadata={"fastsvm": text})


def test_the_format_is_what_the_next_tests_take_it_for(tmp_path):
    (tmp_path / "m").write_bytes(file_bytes())
    expected = Model(TENSORS["W"], None, Standardization(np.zeros(3), np.ones(3), "mean"), ("a", "b"), WestonWatkins(), 0.5)
    assert_same(load_model(tmp_path / "m"), expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "whole safetensors file"),
        (b"not a model at all", "whole safetensors file"),
        (struct.pack("<Q", 2**63) + b"{}", "whole safetensors file"),
        (struct.pack("<Q", 10**6) + b"[" * 10**6, "whole safetensors file"),
        (save(TENSORS), "no entry 'fastsvm'"),
        (save({}, {"fastsvm": json.dumps(HEADER)}), "tensors must be 'W'"),
        (file_bytes("[" * 100_000), "recursion|JSON"),
        (file_bytes("{"), "must be JSON"),
        (file_bytes("[]"), "must name the format"),
        (file_bytes(HEADER | {"format": "other"}), "must name the format 'fastsvm-linear-model'"),
        (file_bytes(HEADER | {"version": 2}), "version is 2 and this fastsvm reads up to 1; a newer one may read it"),
        (file_bytes(HEADER | {"version": "1"}), "version must be an integer >= 1; got '1'"),
        (file_bytes(HEADER | {"extra": 1}), "must have the keys"),
        (file_bytes({k: v for k, v in HEADER.items() if k != "alpha"}), "must have the keys"),
        (file_bytes(HEADER | {"alpha": float("nan")}), "alpha must be finite"),
        (file_bytes(HEADER | {"alpha": 10**400}), "too large"),
        (file_bytes(HEADER | {"alpha": "1"}), "alpha must be a real number"),
        (file_bytes(HEADER | {"class_names": ["a"]}), "one name per class, 2; got 1"),
        (file_bytes(HEADER | {"class_names": {"a": 1, "b": 2}}), "class_names must be a sequence"),
        (file_bytes(HEADER | {"class_names": ["a", "\ud800"]}), "UTF-8"),
        (file_bytes(HEADER | {"metadata": {"a": []}}), "must be a string"),
        (file_bytes(HEADER | {"metadata": []}), "metadata must map"),
        (file_bytes(HEADER | {"loss": "weston_watkins"}), "loss must have a 'name'"),
        (file_bytes(HEADER | {"loss": {"name": "os.system"}}), "loss must have a 'name'"),
        (file_bytes(HEADER | {"loss": {"name": []}}), "usable"),
        (file_bytes(HEADER | {"loss": {"name": "weston_watkins", "delta": 1.0}}), "must have the keys"),
        (file_bytes(HEADER | {"loss": HEADER["loss"] | {"delta": -1.0}}), "delta must be finite and > 0"),
        (file_bytes(HEADER | {"standardization": None}), "does not go with the tensors"),
        (file_bytes(HEADER | {"standardization": "z"}), "kind must be one of"),
        (file_bytes(HEADER | {"standardization": []}), "kind must be one of"),
        (file_bytes(tensors={"W": TENSORS["W"]}), "does not go with the tensors"),
        (file_bytes(tensors=TENSORS | {"x": np.ones(1)}), "tensors must be 'W'"),
        (file_bytes(tensors=TENSORS | {"W": np.ones((2, 3), dtype=np.int32)}), "'W' must have dtype F32 or F64; got I32"),
        (file_bytes(tensors=TENSORS | {"W": np.ones((2, 3), dtype=np.float16)}), "'W' must have dtype F32 or F64; got F16"),
        (file_bytes(tensors=TENSORS | {"W": np.ones(6, dtype=np.float32)}), "W must have 2 dimensions"),
        (file_bytes(tensors=TENSORS | {"W": np.ones((2, 0), dtype=np.float32)}), "at least 1 column"),
        (file_bytes(tensors=TENSORS | {"W": np.full((2, 3), np.inf, dtype=np.float32)}), r"W\[0, 0\] is inf"),
        (file_bytes(tensors=TENSORS | {"b": np.ones(3, dtype=np.float32)}), r"b must have shape \(2,\)"),
        (file_bytes(tensors=TENSORS | {"b": np.ones(2)}), "b must have dtype float32"),
        (file_bytes(tensors=TENSORS | {"mean": np.zeros(2), "scale": np.ones(2)}), "one entry per feature, 3; got 2"),
        (file_bytes(tensors=TENSORS | {"scale": np.ones(2)}), "same shape"),
        (file_bytes(tensors=TENSORS | {"scale": np.array([1.0, 0.0, 1.0])}), "scale must be > 0"),
        (file_bytes(tensors=TENSORS | {"scale": np.ones(3, dtype=np.float32)}), "'scale' must have dtype F64; got F32"),
        (file_bytes(tensors=TENSORS | {"mean": np.array([0.0, np.nan, 0.0])}), r"mean\[1\] is nan"),
    ],
)
def test_unsound_files(tmp_path, content, message):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataFormatError, match=message) as caught:
        load_model(path)
    assert str(path) in str(caught.value)


def test_tensors_numpy_has_no_dtype_for(tmp_path):
    for dtype, size in (("BF16", 2), ("F8_E4M3", 1)):
        entry = {"W": {"dtype": dtype, "shape": [2, 3], "data_offsets": [0, 6 * size]}}
        header = json.dumps({"__metadata__": {"fastsvm": json.dumps(HEADER)}} | entry).encode()
        (tmp_path / "m").write_bytes(struct.pack("<Q", len(header)) + header + bytes(6 * size))
        with pytest.raises(DataFormatError, match=f"got {dtype}"):
            load_model(tmp_path / "m")


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        load_model(tmp_path)


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("fuzz") / "m"
    build().save(path)
    return path, path.read_bytes()


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_damaged_files_load_to_a_sound_model_or_are_refused(sound, data):
    path, content = sound
    damaged = bytearray(content)
    header = 8 + struct.unpack("<Q", content[:8])[0]
    for _ in range(data.draw(st.integers(0, 3), label="flips")):
        # Half of the flips go to the header: that is where a reader can be led astray.
        place = data.draw(st.one_of(st.integers(0, header - 1), st.integers(0, len(content) - 1)), label="byte")
        damaged[place] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    length = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))), label="length")
    path.write_bytes(damaged[:length])
    try:
        model = load_model(path)
    except DataFormatError:
        return
    assert length == len(content)
    assert model.W.shape == (3, 2)
    for array in (model.W, model.b, model.standardization.mean, model.standardization.scale):
        assert np.isfinite(array).all()


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(sound, content):
    path, _ = sound
    path.write_bytes(content)
    with pytest.raises(DataFormatError):
        load_model(path)
