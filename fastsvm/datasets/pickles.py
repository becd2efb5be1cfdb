"""Reads the pickles of CIFAR-10's python version, and no others: nothing that a file names is imported or called.

A pickle is a program for a stack machine. Two tables say what may be in it: the opcodes (numbers, strings, tuples, lists, one
kind of dictionary and the four below) and the names it may refer to. A name never becomes the object it
stands for but a stand-in, whose call checks its arguments; NumPy sees only bytes whose number fits the shape.

``numpy.core.multiarray._reconstruct`` and ``numpy.ndarray``, ``numpy.dtype``
    An array: made empty, then filled by the opcode BUILD. ``_Array`` takes both steps and admits uint8 in two dimensions only.
``_codecs.encode``
    How Python 3 writes bytes with protocol 2: as a string to be encoded in Latin-1.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fastsvm.exceptions import DataFormatError

#: Opcodes of protocols 2 to 4, as far as these files need them.
_OPCODES = (
    pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE,
    pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1,
    pickle.BINSTRING, pickle.SHORT_BINSTRING, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINBYTES,
    pickle.SHORT_BINBYTES,
    pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3,
    pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS, pickle.EMPTY_DICT, pickle.SETITEMS,
    pickle.BINGET, pickle.LONG_BINGET, pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE,
    pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE, pickle.BUILD,
)  # fmt: skip


class _Admitted(dict):
    """Opcode -> method. What is missing is refused, and says so."""

    def __missing__(self, code: int) -> Any:
        raise DataFormatError(f"holds the pickle opcode {bytes([code])!r}, which CIFAR-10's files do not use; it was not run")


class _StandIn:
    """What a name in the pickle becomes. It can be called; a file cannot change it."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *args: Any) -> Any:
        return self._call(*args)

    def __setstate__(self, state: Any) -> None:
        raise DataFormatError("sets the state of something that has none")


class _Uint8:
    """The only dtype there may be."""

    def __setstate__(self, state: Any) -> None:
        # (version, byte order, subdtype, names, fields, itemsize, alignment, flags)
        if not (type(state) is tuple and len(state) >= 5 and _text(state[1]) == "|" and state[2:5] == (None, None, None)):
            raise DataFormatError("holds an array of a structured dtype; expected uint8")


class _Array:
    """An array to be: ``pixels`` is set by the opcode BUILD, a view of the bytes in the file."""

    pixels: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        if type(state) is not tuple or len(state) != 5 or not isinstance(state[2], _Uint8):
            raise DataFormatError("holds an array that is not uint8; expected uint8 pixels")
        _, shape, _, column_major, raw = state
        sizes_known = type(shape) is tuple and len(shape) == 2 and all(type(n) is int and n >= 0 for n in shape)
        if not sizes_known or type(raw) is not bytes or len(raw) != math.prod(shape):
            raise DataFormatError("holds an array whose shape and bytes do not fit; expected uint8 pixels in two dimensions")
        self.pixels = np.frombuffer(raw, dtype=np.uint8).reshape(shape, order="F" if column_major else "C")


class _Unpickler(pickle._Unpickler):
    """The pure-Python unpickler, whose table of opcodes can be narrowed and whose memo a few bytes cannot blow up."""

    dispatch = _Admitted({code: pickle._Unpickler.dispatch[code] for (code,) in _OPCODES})

    stack: list[Any]

    def __init__(self, raw: bytes) -> None:
        # Python 2's strings come as bytes, Python 3's as str: _text takes either.
        super().__init__(io.BytesIO(raw), encoding="bytes")
        self._unencoded = len(raw)
        ndarray = _StandIn(_refuse_call)
        reconstruct = _StandIn(lambda kind, shape, _: _Array() if kind is ndarray and shape == (0,) else _refuse_call())
        self._names = {
            ("numpy", "ndarray"): ndarray,
            ("numpy", "dtype"): _StandIn(_dtype),
            ("numpy.core.multiarray", "_reconstruct"): reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): reconstruct,
            ("_codecs", "encode"): _StandIn(self._encode),
        }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._names:
            shown = repr(f"{module}.{name}")[:100]
            raise DataFormatError(f"refers to {shown}, which CIFAR-10's files do not; nothing was imported or run")
        return self._names[module, name]

    def load_setitems(self) -> None:
        # The hash of a nested tuple can take for ever.
        if not all(type(key) in (str, bytes) for key in self.stack[::2]):
            raise DataFormatError("holds a dictionary whose keys are not strings")
        pickle._Unpickler.dispatch[pickle.SETITEMS[0]](self)  # type: ignore[arg-type]

    dispatch[pickle.SETITEMS[0]] = load_setitems

    def _encode(self, text: Any, encoding: Any) -> bytes:
        if type(text) is not str or encoding != "latin1":
            raise DataFormatError("encodes something that is not a Latin-1 string")
        # Each string in a genuine file is encoded once; encoding one again and again would fill the memory.
        self._unencoded -= len(text)
        if self._unencoded < 0:
            raise DataFormatError("encodes more characters than it holds")
        return text.encode("latin1")


def _refuse_call(*args: Any) -> Any:
    raise DataFormatError("makes an array in a way CIFAR-10's files do not")


def _dtype(code: Any, *flags: Any) -> _Uint8:
    if _text(code) != "u1":
        shown = repr(_text(code))[:40] if isinstance(code, (str, bytes)) else type(code).__name__
        raise DataFormatError(f"holds an array of dtype {shown}; expected 'u1', uint8")
    return _Uint8()


def _text(value: Any) -> Any:
    return value.decode("latin1") if type(value) is bytes else value


def load_pickle(path: Path) -> dict[str, Any]:
    """Return the dictionary in one of CIFAR-10's pickles (protocol 2 or later, of Python 2 or 3), its keys as ``str``.

    Strings of the file are bytes or ``str``, depending on the Python that wrote it; arrays are uint8 with two dimensions.

    Raises
    ------
    DataFormatError
        If the file is truncated or holds anything CIFAR-10's files do not. Nothing has been imported or run then.
    """
    raw = path.read_bytes()
    if not raw:
        raise DataFormatError(f"{path}: is empty; expected a pickle of CIFAR-10's python version")
    if not raw.endswith(pickle.STOP):
        raise DataFormatError(f"{path}: is truncated, or no pickle: {len(raw)} bytes that do not end with the opcode STOP")
    try:
        content = _Unpickler(raw).load()
    except DataFormatError as error:
        raise DataFormatError(f"{path}: {error}") from None
    except (EOFError, struct.error) as error:
        raise DataFormatError(f"{path}: is truncated: the pickle goes on after its {len(raw)} bytes") from error
    except Exception as error:
        raise DataFormatError(f"{path}: is not a pickle of CIFAR-10's python version: {str(error)[:200]}") from error
    if type(content) is not dict:
        raise DataFormatError(f"{path}: holds a pickled {type(content).__name__}; expected a dict")
    return {_text(key): value.pixels if isinstance(value, _Array) else value for key, value in content.items()}
