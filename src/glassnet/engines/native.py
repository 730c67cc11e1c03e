"""The few things that Numba has no words for: atomic memory, a kernel's address, and a call of a BLAS by its address.

Each is an intrinsic: a function whose LLVM instructions are written out. Everything else is ordinary Numba.
"""

import os
import platform
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "add",
    "call_kernel",
    "compare_and_set",
    "float_of",
    "gemm",
    "give_way",
    "load",
    "pause",
    "put_kernel",
    "store",
]

WORD, BYTES = ir.IntType(64), ir.IntType(8).as_pointer()
PART = ir.FunctionType(ir.VoidType(), [BYTES, WORD])  # what a kernel is to those who call it by its address

IS_X86 = platform.machine() in ("x86_64", "AMD64")


def _pointer(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Return the address of ``state[i]``, the first two arguments of all functions here for atomic memory."""
    data = context.make_array(signature.args[0])(context, builder, value=args[0]).data
    return builder.gep(data, [args[1]])


@intrinsic
def load(typing: Any, state: Any, i: Any) -> Any:
    """Return ``state[i]``; what its writer wrote before can be seen, too."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_pointer(context, builder, signature, args), "acquire", 8)

    return types.int64(state, types.intp), code


@intrinsic
def store(typing: Any, state: Any, i: Any, value: Any) -> Any:
    """Write ``state[i]``; who sees it sees what was written before, too."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[2], _pointer(context, builder, signature, args), "release", 8)
        return context.get_dummy_value()

    return types.void(state, types.intp, types.int64), code


@intrinsic
def add(typing: Any, state: Any, i: Any, value: Any) -> Any:
    """Add to ``state[i]`` and return what it was before, as if nobody else were there."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _pointer(context, builder, signature, args), args[2], "seq_cst")

    return types.int64(state, types.intp, types.int64), code


@intrinsic
def compare_and_set(typing: Any, state: Any, i: Any, old: Any, new: Any) -> Any:
    """Write ``new`` to ``state[i]`` if ``old`` is there, and return whether it was, as if nobody else were there."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature, args)
        return builder.extract_value(builder.cmpxchg(pointer, args[2], args[3], "seq_cst", "seq_cst"), 1)

    return types.boolean(state, types.intp, types.int64, types.int64), code


@intrinsic
def float_of(typing: Any, bits: Any) -> Any:
    """Return the float32 that has the bits of an int32."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), code


@intrinsic
def pause(typing: Any) -> Any:
    """Tell the processor that this thread waits in a loop."""
    nothing = ir.FunctionType(ir.VoidType(), [])

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if IS_X86:  # elsewhere a loop waits as well, only less thriftily
            builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.pause", (), nothing), [])
        return context.get_dummy_value()

    return types.void(), code


if os.name == "posix":
    _sched_yield = types.ExternalFunction("sched_yield", types.int32())

    @njit(inline="always")
    def give_way() -> None:
        """Let another thread have this processor for a moment."""
        _sched_yield()
else:

    @njit(inline="always")
    def give_way() -> None:
        """Nothing, where this system has no such call."""


@intrinsic
def put_kernel(typing: Any, state: Any, i: Any, failed: Any, kernel: Any, args: Any) -> Any:
    """Write to ``state[i]`` and ``state[i + 1]`` by what `call_kernel` finds a kernel and its arguments.

    The kernel is a function of (part, *args), compiled by Numba, that returns nothing. Where it raises, which is where
    it gets no memory, 1 is written to ``state[failed]``. The arguments are a tuple, which lies in the frame of the
    function that asks: they are there until it returns.
    """
    signature = types.void(types.intp, *args.types)
    compiled = kernel.dispatcher.get_compile_result(signature)

    def code(context: Any, builder: Any, own: Any, given: Any) -> Any:
        pair = cgutils.pack_struct(builder, [given[4], _pointer(context, builder, own, [given[0], given[2]])])
        slot = cgutils.alloca_once_value(builder, pair)
        context.add_linking_libs([compiled.library])
        name = builder.module.get_unique_name(f"part_of_{compiled.fndesc.llvm_func_name}")
        entry = ir.Function(builder.module, PART, name)
        entry.linkage = "internal"
        inner = ir.IRBuilder(entry.append_basic_block())
        packed, flag = cgutils.unpack_tuple(inner, inner.load(inner.bitcast(entry.args[0], slot.type)))
        values = [entry.args[1], *cgutils.unpack_tuple(inner, packed)]
        status, _ = context.call_internal_no_propagate(inner, compiled.fndesc, signature, values)
        with inner.if_then(status.is_error):
            inner.store_atomic(WORD(1), flag, "release", 8)
        inner.ret_void()
        pointer = _pointer(context, builder, own, given)
        builder.store(builder.ptrtoint(entry, WORD), pointer)
        builder.store(builder.ptrtoint(slot, WORD), builder.gep(pointer, [WORD(1)]))
        return context.get_dummy_value()

    return types.void(state, types.intp, types.intp, kernel, args), code


@intrinsic
def call_kernel(typing: Any, function: Any, arguments: Any, part: Any) -> Any:
    """Call what `put_kernel` has written down, for one part."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = builder.inttoptr(args[0], PART.as_pointer())
        builder.call(function, [builder.inttoptr(args[1], BYTES), args[2]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.intp), code


@intrinsic
def gemm(typing: Any, address: Any, turned: Any, sizes: Any, A: Any, B: Any, C: Any, beta: Any) -> Any:
    """Call a BLAS's gemm: C ← op(A) op(B) + β C, by the rules of Fortran, where columns lie together.

    ``address`` is that of sgemm or dgemm, as the type of C demands. ``turned`` says whether A and whether B is
    transposed, two times 0 or 1. ``sizes`` are m, n, k, and how far the columns of A, of B and of C are apart. Of the
    arrays only the addresses are looked at. β is 0 or 1.
    """
    dtype = C.dtype

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number, size, letter = context.get_value_type(dtype), ir.IntType(32), ir.IntType(8)

        def pointer(value: Any) -> Any:
            return cgutils.alloca_once_value(builder, value)

        letters = [
            pointer(builder.select(builder.icmp_unsigned("!=", one, WORD(0)), letter(ord("T")), letter(ord("N"))))
            for one in cgutils.unpack_tuple(builder, args[1])
        ]
        m, n, k, lda, ldb, ldc = (pointer(builder.trunc(one, size)) for one in cgutils.unpack_tuple(builder, args[2]))
        a, b, c = (context.make_array(signature.args[at])(context, builder, value=args[at]).data for at in (3, 4, 5))
        alpha, kept = pointer(ir.Constant(number, 1.0)), pointer(builder.sitofp(args[6], number))
        given = [*letters, m, n, k, alpha, a, lda, b, ldb, kept, c, ldc]
        # A Fortran compiler passes the lengths of strings, last.
        kind = ir.FunctionType(ir.VoidType(), [*(value.type for value in given), WORD, WORD])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [*given, WORD(1), WORD(1)])
        return context.get_dummy_value()

    pair, six = types.UniTuple(types.intp, 2), types.UniTuple(types.intp, 6)
    return types.void(types.int64, pair, six, A, B, C, types.intp), code
