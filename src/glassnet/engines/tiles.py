"""The inner loop of the compiled engine's own products: one tile, in float32 or in bfloat16.

So that no sum has to wait for the one before it, and each number that is read is used many times, a product is computed
tile by tile: `TALL` rows and `WIDE` columns, whose sums stay in registers from the first number to the last.

    C[r, j] = Σₖ A[r, k] · B[k, j]        r < TALL, j < WIDE

In float32 one instruction multiplies the number A[r, k], in all places of a register, by as many numbers of B as fit
into one. A number in bfloat16 is the upper half of a float32: as many powers of two, and 8 binary digits instead of 24.
Two of them, one after the other, make a *word* of 32 bits. The instruction ``vdpbf16ps`` of processors with AVX512-BF16
adds to each of sixteen sums the two products of a pair of words: twice as many operations. There A[r, k] and B[k, j]
are words, and k counts pairs.

The numbers of a row of A may lie in several *segments*, as those under a window of an image do, row after row. The
instructions are written out for LLVM here, as in `native`.
"""

from typing import Any

from llvmlite import binding, ir
from numba import config, types
from numba.extending import intrinsic

__all__ = [
    "NARROW",
    "TALL",
    "WIDE",
    "has_instructions",
    "multiply_listed_row",
    "multiply_listed_tile",
    "multiply_narrow_tile",
    "multiply_tile",
    "numbers_in",
    "stored",
    "together",
    "turn_tile",
]


def has_instructions(name: str) -> bool:
    """Return whether this processor has instructions that LLVM calls by this name, and Numba may use them."""
    told = config.CPU_NAME or config.CPU_FEATURES  # NUMBA_CPU_NAME, NUMBA_CPU_FEATURES: of another processor
    return not told and bool(binding.get_host_cpu_features().get(name, False))


LANES = 16  # numbers of a register of AVX-512; where registers are shorter, LLVM takes several
TALL, WIDE = (8, 32) if has_instructions("avx512f") else (6, 16)
"""Rows and columns of a tile: the sums of more would not fit in the registers, of fewer would have to wait."""
NARROW = LANES  # columns of a tile where there are no more


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


def _data(context: Any, builder: Any, signature: Any, args: Any, number: int) -> Any:
    """Return the address of the first number of an array, which is one of the arguments."""
    return context.make_array(signature.args[number])(context, builder, value=args[number]).data


def _lanes(numbers: Any) -> ir.Constant:
    """Return which lanes of two registers a shuffle takes."""
    return ir.Constant(WORDS, [ir.IntType(32)(number) for number in numbers])


def _rounded(builder: Any, x: Any) -> Any:
    """Return the number in bfloat16 that is nearest to one in float32, as 16 bits."""
    return builder.bitcast(builder.fptrunc(x, BFLOAT), HALF)


@intrinsic
def stored(typing: Any, x: Any, array: Any) -> Any:
    """Return a number of float32 as ``array`` holds it: as it is, or rounded to bfloat16 where that has 16 bits."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _rounded(builder, args[0]) if array.dtype == types.uint16 else args[0]

    return array.dtype(types.float32, array), code


@intrinsic
def together(typing: Any, one: Any, other: Any, panel: Any) -> Any:
    """Return the word of two numbers of float32, or where ``panel`` has no words but float32, the first one."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if panel.dtype != types.uint32:
            return args[0]
        low, high = (builder.zext(_rounded(builder, x), WORDS.element) for x in args[:2])
        return builder.or_(low, builder.shl(high, WORDS.element(16)))

    return panel.dtype(types.float32, types.float32, panel), code


@intrinsic
def numbers_in(typing: Any, panel: Any) -> Any:
    """Return how many numbers an entry of a panel stands for: 2 in words, 1 in float32."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return INT(2 if panel.dtype == types.uint32 else 1)

    return types.intp(panel), code


@intrinsic
def multiply_tile(typing: Any, A: Any, a: Any, offsets: Any, B: Any, K: Any, start: Any, C: Any, c: Any) -> Any:
    """Write one tile of a product, C[r, j] ← C₀[r, j] + Σₛ Σₖ A[r, s, k] · B[s, k, j] for j < WIDE.

    A is flat: float32, or the 16 bits of bfloat16, of which two neighbours are a word. ``a`` says where its numbers
    are: the first one, how far rows are apart, how far the K numbers of a segment are apart, and which row is the last:
    it stands in for those below it. ``offsets`` says how far each segment lies from the first. B (segments · K, WIDE)
    has float32, or words as uint32. ``c`` says where the tile begins in C, which is flat, how far its rows are apart,
    and whether C₀ is what C holds already (1), or in each row ``start``, WIDE numbers (0). There is at least one
    segment, of at least one number.
    """
    return _tile(A, offsets, B, start, C, WIDE)


@intrinsic
def multiply_narrow_tile(typing: Any, A: Any, a: Any, offsets: Any, B: Any, K: Any, start: Any, C: Any, c: Any) -> Any:
    """Write one tile as `multiply_tile` does, of its first `NARROW` columns alone."""
    return _tile(A, offsets, B, start, C, NARROW)


@intrinsic
def multiply_listed_tile(typing: Any, A: Any, a: Any, listed: Any, B: Any, K: Any, start: Any, C: Any, c: Any) -> Any:
    """Write one tile of a product with some rows of B, C[r, j] ← C₀[r, j] + Σₖ A[r, k] · B[listed[k], j] for j < WIDE.

    The arguments are those of `multiply_tile`; A has one segment of K numbers a row.
    """
    return _tile(A, listed, B, start, C, WIDE, listed=True)


@intrinsic
def multiply_listed_row(typing: Any, A: Any, a: Any, listed: Any, B: Any, K: Any, start: Any, C: Any, c: Any) -> Any:
    """Write the first row alone of what `multiply_listed_tile` writes."""
    return _tile(A, listed, B, start, C, WIDE, tall=1, listed=True)


def _tile(
    A: Any, offsets: Any, B: Any, start: Any, C: Any, wide: int, *, tall: int = TALL, listed: bool = False
) -> Any:
    """Return the signature of a tile of so many columns and rows, and what writes its instructions.

    Where rows of B are ``listed``, their numbers are what ``offsets`` holds.
    """
    in_words = A.dtype == types.uint16

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first, down, along, last = (builder.extract_value(args[1], i) for i in range(4))
        at, apart, goes_on = (builder.extract_value(args[7], i) for i in range(3))
        left, offsets, panel, begin, C = (_data(context, builder, signature, args, i) for i in (0, 2, 3, 5, 6))
        how_many = context.make_array(signature.args[2])(context, builder, value=args[2]).nitems
        segments = INT(1) if listed else how_many
        registers, number = range(wide // LANES), WORDS if in_words else SUMS

        def vector(pointer: Any, index: Any, kind: Any) -> Any:
            return builder.bitcast(builder.gep(pointer, [index]), kind.as_pointer())

        rows, targets, sums = [], [], []
        goes_on = builder.icmp_signed("!=", goes_on, INT(0))
        for r in range(tall):
            row = builder.select(builder.icmp_signed("<", INT(r), last), INT(r), last)
            rows.append(builder.add(first, builder.mul(row, down)))
            for j in registers:
                targets.append(
                    vector(C, builder.add(at, builder.add(builder.mul(apart, INT(r)), INT(j * LANES))), SUMS)
                )
                old = builder.load(targets[-1], align=4)
                sums.append(builder.select(goes_on, old, builder.load(vector(begin, INT(j * LANES), SUMS), align=4)))

        before, outer, inner, next_one, after = (
            builder.block,
            *(builder.append_basic_block(name) for name in ("segment", "number", "next_segment", "after")),
        )
        builder.branch(outer)

        builder.position_at_end(outer)
        s, outer_sums = builder.phi(INT), [builder.phi(SUMS) for _ in sums]
        offset = INT(0) if listed else builder.load(builder.gep(offsets, [s]))
        begins = [builder.gep(left, [builder.add(row, offset)]) for row in rows]
        done = builder.mul(s, args[4])
        builder.branch(inner)

        builder.position_at_end(inner)
        k, inner_sums = builder.phi(INT), [builder.phi(SUMS) for _ in sums]
        row_of_panel = builder.load(builder.gep(offsets, [k])) if listed else builder.add(done, k)
        place = builder.mul(row_of_panel, INT(WIDE))
        right = [builder.load(vector(panel, builder.add(place, INT(j * LANES)), number), align=4) for j in registers]
        far = builder.mul(k, along)
        new: list[Any] = []
        for row in begins:
            here = builder.bitcast(builder.gep(row, [far]), number.element.as_pointer())
            one = builder.load(here, align=2 if in_words else 4)
            one = builder.insert_element(ir.Constant(number, ir.Undefined), one, ir.IntType(32)(0))
            one = builder.shuffle_vector(one, ir.Constant(number, ir.Undefined), _lanes([0] * LANES))
            for j in registers:
                new.append(_multiply_add(builder, inner_sums[len(new)], one, right[j], in_words))
        following = builder.add(k, INT(1))
        builder.cbranch(builder.icmp_signed("<", following, args[4]), inner, next_one)

        builder.position_at_end(next_one)
        next_s = builder.add(s, INT(1))
        builder.cbranch(builder.icmp_signed("<", next_s, segments), outer, after)

        s.add_incoming(INT(0), before)
        s.add_incoming(next_s, next_one)
        k.add_incoming(INT(0), outer)
        k.add_incoming(following, inner)
        for old, by_segment, by_number, result in zip(sums, outer_sums, inner_sums, new, strict=True):
            by_segment.add_incoming(old, before)
            by_segment.add_incoming(result, next_one)
            by_number.add_incoming(by_segment, outer)
            by_number.add_incoming(result, inner)

        builder.position_at_end(after)
        for target, result in zip(targets, new, strict=True):
            builder.store(result, target, align=4)
        return context.get_dummy_value()

    places, place = types.UniTuple(types.intp, 4), types.UniTuple(types.intp, 3)
    return types.void(A, places, offsets, B, types.intp, start, C, place), code


def _multiply_add(builder: Any, sums: Any, one: Any, many: Any, in_words: bool) -> Any:
    """Return sums + one · many, place by place; a word's two products are both added."""
    if in_words:
        kind = ir.FunctionType(SUMS, [SUMS, PAIRS, PAIRS])
        instruction = builder.module.declare_intrinsic("llvm.x86.avx512bf16.dpbf16ps.512", (), kind)
        return builder.call(instruction, [sums, builder.bitcast(one, PAIRS), builder.bitcast(many, PAIRS)])
    kind = ir.FunctionType(SUMS, [SUMS, SUMS, SUMS])
    instruction = builder.module.declare_intrinsic(f"llvm.fma.v{LANES}f32", (), kind)
    return builder.call(instruction, [one, many, sums])


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
