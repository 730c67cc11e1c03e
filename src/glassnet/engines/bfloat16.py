"""Products in bfloat16: numbers of 8 binary digits go in, and sums in float32 come out.

Parameters, gradients, moments and everything else stay float32; what goes into a product is rounded for it, but for
dense layers of few units (`rounded`). How the product is computed depends on the processor:

    AMX            matrix units of newer processors of Intel's: by MKL, where that is installed; convolutions as below
    AVX512-BF16    vector instructions: tile by tile, as `tiles` writes them out
    emulated       by products in float32 (`rounded`)

Tiles are computed from two layouts of words, each of which holds two neighbours of the numbers that are multiplied and
added up:

    rows      word k of row i is (x[i, 2k], x[i, 2k + 1]): rows as they lie in memory, rounded
    panel     word k of column j is (w[2k, j], w[2k + 1, j]), for WIDE columns: what a tile needs next lies together

Where a count is odd the last word has a zero for the second number. Each thread lays out a panel just before it
multiplies all rows with it, so that it is still in the thread's own cache. Each number is added up from the first word
to the last, whatever the number of threads.
"""

from typing import Any

import numpy as np

from ..nn.products import SomeColumns
from ..nn.types import Array
from . import products
from .blas import find_blas
from .compiled import CompiledEngine, is_float32
from .convolution import rows_of
from .crew import shared
from .kernels import add_rows
from .parts import bounds, inline
from .rounded import Rounded, is_narrow
from .tiles import TALL, WIDE, has_instructions, multiply_tile, together, turn_tile

__all__ = ["bfloat16_engine", "how"]

WORDS: Any = np.empty(0, np.uint32)
PRODUCT = 2_000_000  # multiply-adds of a part of a product, which take ten microseconds or so


def how() -> str:
    """Return how this processor computes products in bfloat16: "AMX", "AVX512-BF16" or "emulated"."""
    if not has_instructions("avx512bf16"):
        return "emulated"
    return "AMX" if find_blas().bgemm and has_instructions("amx-bf16") else "AVX512-BF16"


def bfloat16_engine(threads: int) -> CompiledEngine:
    """Return the compiled engine with products in bfloat16, as this processor computes them best."""
    engines = {"AMX": MatrixUnitsEngine, "AVX512-BF16": TilesEngine, "emulated": RoundedCompiledEngine}
    return engines[how()](threads)


class RoundedCompiledEngine(Rounded, CompiledEngine):
    """The compiled engine, with products of rounded numbers in float32."""


class MatrixUnitsEngine(CompiledEngine):
    """The compiled engine, with products in bfloat16 by MKL, but for those of convolutions."""

    panel = WORDS

    def affine(self, X: Array | SomeColumns, W: Array, b: Array, out: Array) -> Array:
        if isinstance(X, SomeColumns) or is_narrow(W) or not is_float32(X, W, b, out):
            return super().affine(X, W, b, out)
        given = self._rounded("X", X), self._rounded("W", W), b, out
        self._work(products.affine, out.size * len(W), self.least_product, self.blas.bgemm, *given)
        return out

    def affine_gradients(self, X: Array | SomeColumns, dZ: Array, dW: Array, db: Array) -> None:
        if isinstance(X, SomeColumns) or is_narrow(dW) or not is_float32(X, dZ, dW, db):
            super().affine_gradients(X, dZ, dW, db)
            return
        given = self._rounded("X", X), self._rounded("dZ", dZ), dW, db
        self._work(products.affine_gradients, dW.size * len(dZ), self.least_product, self.blas.bgemm, *given)
        self.column_sums(dZ, db)  # of the numbers as they were

    def affine_input_gradient(self, dZ: Array, W: Array, out: Array) -> Array:
        if is_narrow(W) or not is_float32(dZ, W, out):
            return super().affine_input_gradient(dZ, W, out)
        given = self._rounded("dZ", dZ), self._rounded("W", W), out
        self._work(products.affine_input_gradient, W.size * len(dZ), self.least_product, self.blas.bgemm, *given)
        return out

    def _rounded(self, name: str, X: Array) -> Any:
        rounded = self.scratch(f"rounded {name}", X.shape, np.uint16)
        self._work(rows_of, X.size, self.least_pass, X, rounded)
        return rounded


class TilesEngine(CompiledEngine):
    """The compiled engine, with products in bfloat16 tile by tile."""

    least_product = PRODUCT
    panel = WORDS

    def affine(self, X: Array | SomeColumns, W: Array, b: Array, out: Array) -> Array:
        if isinstance(X, SomeColumns) or is_narrow(W) or not is_float32(X, W, b, out):
            return super().affine(X, W, b, out)
        rows = self._rows(X)
        self._work(affine, out.size * len(W), self.least_product, rows, W, b, out)
        return out

    def affine_gradients(self, X: Array | SomeColumns, dZ: Array, dW: Array, db: Array) -> None:
        if isinstance(X, SomeColumns) or is_narrow(dW) or not is_float32(X, dZ, dW, db):
            super().affine_gradients(X, dZ, dW, db)
            return
        n, d = X.shape
        if not n:
            dW[:], db[:] = 0, 0
            return
        panels = self.scratch("panels", (-(-d // WIDE), -(-n // 2), WIDE), np.uint32)
        self._work(panels_of, X.size, self.least_pass, X, panels)
        self._work(affine_gradients, dW.size * n, self.least_product, panels, dZ, dW, db)

    def affine_input_gradient(self, dZ: Array, W: Array, out: Array) -> Array:
        if is_narrow(W) or not is_float32(dZ, W, out):
            return super().affine_input_gradient(dZ, W, out)
        rows = self._rows(dZ)
        self._work(affine_input_gradient, W.size * len(dZ), self.least_product, rows, W, out)
        return out

    def _rows(self, X: Array) -> Any:
        """Return the rows of X (n, d) in halves of words (n, 2 ⌈d / 2⌉)."""
        n, d = X.shape
        halves = self.scratch("rows", (n, 2 * -(-d // 2)), np.uint16)
        self._work(rows_of, X.size, self.least_pass, X, halves)
        return halves


# Layouts


@shared
def panels_of(part: int, parts: int, X: Any, out: Any) -> None:
    """Lay the columns of X (n, d) out as panels, ``out`` (⌈d / WIDE⌉, ⌈n / 2⌉, WIDE)."""
    first, last = bounds(part, parts, len(out))
    for number in range(first, last):
        _panel(X, number * WIDE, out[number])


@inline
def _panel(X: Any, left: int, out: Any) -> None:
    """Lay WIDE columns of X (n, d), or as many as there are, out as a panel (⌈n / 2⌉, WIDE)."""
    n, d = X.shape
    width = min(WIDE, d - left)
    if width < WIDE:
        out[:] = 0
    for k in range(n // 2):
        low, high, words = X[2 * k, left : left + width], X[2 * k + 1, left : left + width], out[k]
        for j in range(width):
            words[j] = together(low[j], high[j], words)
    if n % 2:
        low, words = X[n - 1, left : left + width], out[n // 2]
        for j in range(width):
            words[j] = together(low[j], np.float32(0), words)


@inline
def _turned_panel(W: Any, top: int, out: Any) -> None:
    """Lay WIDE rows of W (d, k), or as many as there are, out as a panel of Wᵀ (⌈k / 2⌉, WIDE)."""
    d, k = W.shape
    height, whole = min(WIDE, d - top), 0
    if height == WIDE:
        whole = k // 32 * 32
        for j in range(0, whole, 32):
            for first in range(0, WIDE, 16):
                turn_tile(W, ((top + first) * k + j, k), out, j // 2 * WIDE + first)
    else:
        out[:] = 0
    for i in range(height):
        w = W[top + i]
        for j in range(whole, k - 1, 2):
            out[j // 2, i] = together(w[j], w[j + 1], out)
        if k % 2:
            out[k // 2, i] = together(w[k - 1], np.float32(0), out)


# Products


@inline
def _multiply(A: Any, at: int, down: int, along: int, panel: Any, start: Any, C: Any, left: int) -> None:
    """Write some columns of C, from ``left`` on, for all its rows: ``start`` and the products of A's with a panel.

    A is flat, in halves of words. Its first word is ``at``; its rows are so far apart as ``down`` says, and the words
    of a row as ``along`` says.
    """
    n, k = C.shape
    width, flat, offsets = min(WIDE, k - left), C.reshape(n * k), np.zeros(1, np.int64)
    spare = np.empty(TALL * WIDE, np.float32)
    for i in range(0, n, TALL):
        place = at + i * down, down, along, min(TALL, n - i) - 1
        if n - i >= TALL and width == WIDE:
            multiply_tile(A, place, offsets, panel, len(panel), start, flat, (i * k + left, k, 0))
        else:
            multiply_tile(A, place, offsets, panel, len(panel), start, spare, (0, WIDE, 0))
            C[i : i + TALL, left : left + width] = spare.reshape(TALL, WIDE)[: n - i, :width]


@inline
def _rows_or_panels(part: int, parts: int, rows: int, columns: int) -> tuple[int, int, int, int]:
    """Return top and bottom of a part of a product, and its first and last panel: of a low one all, and some rows."""
    panels = -(-columns // WIDE)
    if panels >= 4 * parts:
        return 0, rows, part * panels // parts, (part + 1) * panels // parts
    return part * rows // parts, (part + 1) * rows // parts, 0, panels


@shared
def affine(part: int, parts: int, X: Any, W: Any, b: Any, Z: Any) -> None:
    """Z = X W + b for the rows of X in halves of words (n, 2 ⌈d / 2⌉), W (d, k), b (k,), Z (n, k)."""
    (n, halves), k = X.shape, W.shape[1]
    top, bottom, first, last = _rows_or_panels(part, parts, n, k)
    flat, panel, start = X.reshape(X.size), np.empty((halves // 2, WIDE), np.uint32), np.zeros(WIDE, np.float32)
    for number in range(first, last):
        left = number * WIDE
        _panel(W, left, panel)
        own = b[left : left + WIDE]
        start[: len(own)] = own
        _multiply(flat, top * halves, halves, 2, panel, start, Z[top:bottom], left)


@shared
def affine_gradients(part: int, parts: int, X: Any, dZ: Any, dW: Any, db: Any) -> None:
    """dW = Xᵀ dZ and db = Σₙ dZ for the panels of X (⌈d / WIDE⌉, ⌈n / 2⌉, WIDE), dZ (n, k), dW (d, k), db (k,)."""
    (blocks, words, _), (d, k) = X.shape, dW.shape
    flat = X.reshape(X.size).view(np.uint16)
    top, bottom, first, last = _rows_or_panels(part, parts, blocks, k)
    panel, start = np.empty((words, WIDE), np.uint32), np.zeros(WIDE, np.float32)
    for number in range(first, last):
        _panel(dZ, number * WIDE, panel)
        for block in range(top, bottom):
            rows = dW[block * WIDE : min((block + 1) * WIDE, d)]
            _multiply(flat, 2 * block * words * WIDE, 2, 2 * WIDE, panel, start, rows, number * WIDE)
    left, right = bounds(part, parts, k)
    add_rows(dZ, left, right, db)


@shared
def affine_input_gradient(part: int, parts: int, dZ: Any, W: Any, dX: Any) -> None:
    """dX = dZ Wᵀ for the rows of dZ in halves of words (n, 2 ⌈k / 2⌉), W (d, k), dX (n, d)."""
    (n, halves), d = dZ.shape, len(W)
    top, bottom, first, last = _rows_or_panels(part, parts, n, d)
    flat, panel, start = dZ.reshape(dZ.size), np.empty((halves // 2, WIDE), np.uint32), np.zeros(WIDE, np.float32)
    for number in range(first, last):
        _turned_panel(W, number * WIDE, panel)
        _multiply(flat, top * halves, halves, 2, panel, start, dX[top:bottom], number * WIDE)
