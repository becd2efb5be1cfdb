"""Vectors for the leaves of :mod:`fastsvm.backends.numba`: as many neighbouring numbers of an array as a register holds.

Left to itself, LLVM takes half a register for a vector and turns a block of sums into memory traffic. With these functions a
leaf says what is to stay in registers, and that is what it is compiled to. They exist in compiled functions only. Arrays have
two axes and contiguous rows; nothing checks bounds.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

AVX512 = bool(llvm.get_host_cpu_features().get("avx512f"))
BYTES = 64 if AVX512 else 32  #: of a vector; a machine with smaller registers takes several for each
GROUP = 4 if AVX512 else 2  #: vectors that `load_group` takes at once: five groups of sums fit the registers


class Vector(types.Type):
    """``registers`` vectors of numbers of a dtype, side by side."""

    def __init__(self, dtype: Any, registers: int) -> None:
        self.dtype, self.registers = dtype, registers
        super().__init__(f"Vector({dtype}, {registers})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        item = manager.lookup(vector.dtype).get_value_type()
        super().__init__(manager, vector, ir.VectorType(item, vector.registers * BYTES * 8 // vector.dtype.bitwidth))


def _pointer(context: Any, builder: Any, array_type: Any, place: Any, to: Any) -> Any:
    """Address of ``array[i, k]``, which is the place."""
    array, i, k = place
    data = context.make_array(array_type)(context, builder, array)
    stride, _ = cgutils.unpack_tuple(builder, data.strides, 2)
    row = cgutils.pointer_add(builder, data.data, builder.mul(i, stride), return_type=data.data.type)
    return builder.bitcast(builder.gep(row, [k]), to.as_pointer())


def _loader(registers: int) -> Any:
    def load(typing_context: Any, array: Any, i: Any, k: Any) -> Any:
        vector = Vector(array.dtype, registers)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = _pointer(context, builder, array, arguments, context.get_value_type(vector))
            return builder.load(pointer, align=array.dtype.bitwidth // 8)

        return vector(array, types.intp, types.intp), generate

    return load


#: ``load(array, i, k)``: the vector that begins with ``array[i, k]``; ``load_group``: `GROUP` of them.
load = intrinsic(_loader(1))
load_group = intrinsic(_loader(GROUP))


@intrinsic
def store(typing_context: Any, array: Any, i: Any, k: Any, vector: Any) -> Any:
    """Write a vector to ``array`` from ``[i, k]`` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, array, arguments[:3], arguments[3].type)
        builder.store(arguments[3], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, types.intp, types.intp, vector), generate


def _splat(builder: Any, kind: Any, number: Any) -> Any:
    """A vector of equal numbers."""
    undefined, number_type = ir.Constant(kind, ir.Undefined), ir.IntType(32)
    first = builder.insert_element(undefined, number, number_type(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(number_type, kind.count), [0] * kind.count))


@intrinsic
def zero_vector(typing_context: Any, array: Any) -> Any:
    """A vector of zeros, of the dtype of ``array``."""
    vector = Vector(array.dtype, 1)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(vector)
        return _splat(builder, kind, kind.element(0.0))

    return vector(array), generate


@intrinsic
def multiply_add(typing_context: Any, a: Any, x: Any, y: Any) -> Any:
    """``a x + y``, rounded once; ``a`` is a vector or a number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        factor, vector, addend = arguments
        kind = vector.type
        factor = factor if isinstance(a, Vector) else _splat(builder, kind, factor)
        name = f"llvm.fma.v{kind.count}f{x.dtype.bitwidth}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
        return builder.call(function, [factor, vector, addend])

    return x(a, x, x), generate


@intrinsic
def total(typing_context: Any, vector: Any) -> Any:
    """Sum of a vector's numbers: one half is added to the other until one number is left."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,), number = arguments, ir.IntType(32)
        count = value.type.count
        while count > 1:
            count //= 2
            kind = ir.VectorType(number, count)
            low, high = (ir.Constant(kind, list(range(begin, begin + count))) for begin in (0, count))
            value = builder.fadd(builder.shuffle_vector(value, value, low), builder.shuffle_vector(value, value, high))
        return builder.extract_element(value, number(0))

    return vector.dtype(vector), generate


@intrinsic
def prefetch(typing_context: Any, array: Any, i: Any, k: Any) -> Any:
    """Ask for the cache line of ``array[i, k]``, which need not exist."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, array, arguments, ir.IntType(8))
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [pointer, number(0), number(2), number(1)])  # to be read, into the second-level cache, data
        return context.get_dummy_value()

    return types.none(array, types.intp, types.intp), generate


@intrinsic
def from_bits(typing_context: Any, bits: Any) -> Any:
    """The float32 with these 32 bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), generate
