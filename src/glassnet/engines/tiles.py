"""The inner loop of products in bfloat16, by instructions that x86-64 processors with AVX512-BF16 have for it.

A number in bfloat16 is the upper half of a float32: as many powers of two, and 8 binary digits instead of 24. Two of
them, one after the other, make a *word* of 32 bits. One instruction, ``vdpbf16ps``, takes sixteen pairs of words, adds
the two products of each pair in float32, and adds that to sixteen sums: 64 operations, twice as many as for float32.

So that no sum has to wait for the one before it, and each number that is read is used many times, a product is computed
tile by tile: `TALL` rows and `WIDE` columns, whose 256 sums stay in sixteen registers from the first word to the last.
The instructions are written out for LLVM here, as in `native`; how words are laid out is the business of `bfloat16`.
"""

from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

__all__ = ["TALL", "WIDE", "has_instructions", "multiply_tile", "rounded", "turn_tile"]

TALL, WIDE = 8, 32  # of a tile; the sums of more rows would not fit in the registers, of fewer would have to wait
LANES = 16  # numbers of a register


class _BFloat16(ir.Type):
    """LLVM's type, for which llvmlite has no name."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat16)

    def __hash__(self) -> int:
        return hash("bfloat")


INT, HALF, FLOAT, BFLOAT = ir.IntType(64), ir.IntType(16), ir.FloatType(), _BFloat16()
SUMS, WORDS = ir.VectorType(FLOAT, LANES), ir.VectorType(ir.IntType(32), LANES)
PAIRS, FLOATS = ir.VectorType(BFLOAT, 2 * LANES), ir.VectorType(FLOAT, 2 * LANES)


def has_instructions(name: str) -> bool:
    """Return whether this processor has instructions that LLVM calls by this name."""
    return bool(binding.get_host_cpu_features().get(name, False))


def _data(context: Any, builder: Any, signature: Any, args: Any, number: int) -> Any:
    """Return the address of the first number of an array, which is one of the arguments."""
    return context.make_array(signature.args[number])(context, builder, value=args[number]).data


def _lanes(numbers: Any) -> ir.Constant:
    """Return which lanes of two registers a shuffle takes."""
    return ir.Constant(WORDS, [ir.IntType(32)(number) for number in numbers])


@intrinsic
def rounded(typing: Any, x: Any) -> Any:
    """Return the number in bfloat16 that is nearest to one in float32, as 16 bits."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(builder.fptrunc(args[0], BFLOAT), HALF)

    return types.uint16(types.float32), code


@intrinsic
def multiply_tile(typing: Any, A: Any, a: Any, B: Any, K: Any, start: Any, C: Any, c: Any) -> Any:
    """Write one tile of a product: C[r, j] ← start[j] + Σₖ A[r, k] · B[k, j], for words k of A and of B.

    ``a`` says where the words of A are: that of the first row, how far rows are apart, how far the words of a row are
    apart, and which row is the last: it stands in for those below it. B (K, WIDE) lies word by word, ``start`` has WIDE
    numbers, and ``c`` says where the tile begins in C and how far its rows are apart.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first, down, along, last = (builder.extract_value(args[1], i) for i in range(4))
        panel, words, C = (_data(context, builder, signature, args, i) for i in (2, 0, 5))
        begin = builder.bitcast(_data(context, builder, signature, args, 4), SUMS.as_pointer())
        rows = []
        for r in range(TALL):
            row = builder.select(builder.icmp_signed("<", INT(r), last), INT(r), last)
            rows.append(builder.gep(words, [builder.add(first, builder.mul(row, down))]))
        parts = range(WIDE // LANES)
        begins = [builder.load(builder.gep(begin, [INT(j)]), align=4) for j in parts]

        before, loop, after = builder.block, *(builder.append_basic_block(name) for name in ("loop", "after"))
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(INT)
        sums = [[builder.phi(SUMS) for _ in parts] for _ in rows]
        vectors = builder.bitcast(builder.gep(panel, [builder.mul(k, INT(WIDE))]), WORDS.as_pointer())
        right = [builder.bitcast(builder.load(builder.gep(vectors, [INT(j)]), align=4), PAIRS) for j in parts]
        multiply = builder.module.declare_intrinsic(
            "llvm.x86.avx512bf16.dpbf16ps.512", (), ir.FunctionType(SUMS, [SUMS, PAIRS, PAIRS])
        )
        offset, nothing = builder.mul(k, along), ir.Constant(WORDS, ir.Undefined)
        for row, own in zip(rows, sums, strict=True):
            word = builder.insert_element(nothing, builder.load(builder.gep(row, [offset])), ir.IntType(32)(0))
            left = builder.bitcast(builder.shuffle_vector(word, nothing, _lanes([0] * LANES)), PAIRS)
            for j in parts:
                own[j].add_incoming(begins[j], before)
                own[j].add_incoming(builder.call(multiply, [own[j], left, right[j]]), loop)
        following = builder.add(k, INT(1))
        k.add_incoming(INT(0), before)
        k.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, args[3]), loop, after)

        builder.position_at_end(after)
        at, apart = (builder.extract_value(args[6], i) for i in range(2))
        for r, own in enumerate(sums):
            target = builder.gep(C, [builder.add(at, builder.mul(apart, INT(r)))])
            target = builder.bitcast(target, SUMS.as_pointer())
            for j in parts:
                builder.store(own[j].incomings[1][0], builder.gep(target, [INT(j)]), align=4)
        return context.get_dummy_value()

    places, place = types.UniTuple(types.intp, 4), types.UniTuple(types.intp, 2)
    return types.void(A, places, B, types.intp, start, C, place), code


@intrinsic
def turn_tile(typing: Any, X: Any, x: Any, out: Any, at: Any) -> Any:
    """Round sixteen rows of 32 numbers, and write their words column by column: out[k, r] ← word k of row r.

    ``x`` says where the first row begins in X and how far rows are apart; the rows of ``out`` are WIDE words apart.

    Sixteen registers of sixteen words are turned in four rounds. Each exchanges, in pairs of rows that are 1, 2, 4 and
    8 apart, the words whose place has another binary digit there than the row has.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, target = (_data(context, builder, signature, args, i) for i in (0, 2))
        first, apart = (builder.extract_value(args[1], i) for i in range(2))
        rows = []
        for r in range(LANES):
            row = builder.gep(source, [builder.add(first, builder.mul(apart, INT(r)))])
            floats = builder.load(builder.bitcast(row, FLOATS.as_pointer()), align=4)
            rows.append(builder.bitcast(builder.fptrunc(floats, PAIRS), WORDS))
        for distance in (1, 2, 4, 8):
            upper = _lanes(LANES + i - distance if i & distance else i for i in range(LANES))
            lower = _lanes(LANES + i if i & distance else i + distance for i in range(LANES))
            for r in range(LANES):
                if not r & distance:
                    one, other = rows[r], rows[r + distance]
                    rows[r] = builder.shuffle_vector(one, other, upper)
                    rows[r + distance] = builder.shuffle_vector(one, other, lower)
        for k, row in enumerate(rows):
            place = builder.gep(target, [builder.add(args[3], INT(k * WIDE))])
            builder.store(row, builder.bitcast(place, WORDS.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(X, types.UniTuple(types.intp, 2), out, types.intp), code
