"""The operations of the compiled engine, as loops over single numbers.

Each does one ``part`` of the work, of so many ``parts``: some of the rows, or of the columns. Where NumPy goes through
memory once for each operation, such a loop goes once for all of them. What is added up is added up in an order that
follows from the shapes and the number of parts alone.
"""

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from ..nn import formulas
from ..nn.products import DEEP, FEW, SLICE
from .crew import shared
from .native import gemm

__all__ = [
    "affine",
    "affine_gradients",
    "affine_input_gradient",
    "centred",
    "column_products",
    "column_sums",
    "cross_entropy",
    "distort",
    "dropout_mask",
    "inputs",
    "normalisation_gradient",
    "over",
    "scale_shift",
]

inline = njit(inline="always")

ENOUGH = 64  # rows of a part of a product


@inline
def bounds(part: int, parts: int, count: int) -> tuple[int, int]:
    """Return where a part of so many begins and ends."""
    return part * count // parts, (part + 1) * count // parts


@inline
def _own(part: int, parts: int, array: Any) -> Any:
    """Return a part of an array's rows.

    A loop over them begins at 0: then no index can be below it, and only such loops take many numbers at a time.
    """
    return array[part * len(array) // parts : (part + 1) * len(array) // parts]


# Products. To Fortran, for which columns lie together, a matrix of ours is its transpose: Z = X W is Zᵀ = Wᵀ Xᵀ.


@inline
def _rows_or_columns(part: int, parts: int, rows: int, columns: int) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of a part of a product: some rows, or of a low product some columns.

    With few rows most of the time goes into reading the weights, of which a part of the columns needs only its own.
    """
    if rows >= ENOUGH * parts:
        return part * rows // parts, (part + 1) * rows // parts, 0, columns
    return 0, rows, part * columns // parts, (part + 1) * columns // parts


@inline
def _is_narrow(n: int, d: int, k: int) -> bool:
    """Whether products with a layer's weights (d, k) go slice by slice, as `glassnet.nn.products` explains."""
    return k <= FEW and d >= DEEP and n >= 2 * SLICE


@shared
def affine(part: int, parts: int, blas: int, X: Any, W: Any, b: Any, Z: Any) -> None:
    """Z = X W + b for X (n, d), W (d, k), b (k,), Z (n, k)."""
    (n, d), k = X.shape, W.shape[1]
    top, bottom, left, right = _rows_or_columns(part, parts, n, k)
    rows = Z[top:bottom]
    if _is_narrow(n, d, k):
        turned = W.T.copy()
        for i in range(top, bottom, SLICE):
            end = min(i + SLICE, bottom)
            gemm(blas, (1, 0), (right - left, end - i, d, d, d, k), turned[left:], X[i:end], Z[i:end, left:], 0)
    else:
        gemm(blas, (0, 0), (right - left, bottom - top, d, k, d, k), W[:, left:], X[top:bottom], rows[:, left:], 0)
    own_b = b[left:right]
    for i in range(len(rows)):
        z = rows[i, left:right]
        for j in range(len(z)):
            z[j] += own_b[j]


@shared
def affine_gradients(part: int, parts: int, blas: int, X: Any, dZ: Any, dW: Any, db: Any) -> None:
    """dW = Xᵀ dZ and db = Σₙ dZ for X (n, d), dZ (n, k), dW (d, k), db (k,)."""
    (n, d), k = X.shape, dZ.shape[1]
    top, bottom = bounds(part, parts, d)
    if _is_narrow(n, d, k):
        turned = np.zeros((k, bottom - top), dW.dtype)
        for i in range(0, n, SLICE):
            end = min(i + SLICE, n)
            gemm(blas, (0, 1), (bottom - top, k, end - i, d, k, bottom - top), X[i:end, top:], dZ[i:end], turned, 1)
        dW[top:bottom] = turned.T
    else:
        gemm(blas, (0, 1), (k, bottom - top, n, k, d, k), dZ, X[:, top:], dW[top:bottom], 0)
    left, right = bounds(part, parts, k)
    add_rows(dZ, left, right, db)


@shared
def affine_input_gradient(part: int, parts: int, blas: int, dZ: Any, W: Any, dX: Any) -> None:
    """dX = dZ Wᵀ for dZ (n, k), W (d, k), dX (n, d)."""
    d, k = W.shape
    top, bottom, left, right = _rows_or_columns(part, parts, len(dZ), d)
    gemm(blas, (1, 0), (right - left, bottom - top, k, k, k, d), W[left:], dZ[top:bottom], dX[top:bottom, left:], 0)


# Sums over the rows


@inline
def add_rows(X: Any, first: int, last: int, out: Any) -> None:
    """Σₙ X of some columns of X (n, d); four rows at a time, which reads and writes the sums less often."""
    n, out = len(X), out[first:last]
    out[:] = 0
    for i in range(0, n - 3, 4):
        p, q, r, s = X[i, first:last], X[i + 1, first:last], X[i + 2, first:last], X[i + 3, first:last]
        for j in range(len(out)):
            out[j] += (p[j] + q[j]) + (r[j] + s[j])
    for i in range(n // 4 * 4, n):
        p = X[i, first:last]
        for j in range(len(out)):
            out[j] += p[j]


@shared
def column_sums(part: int, parts: int, X: Any, out: Any) -> None:
    """Σₙ X of each column of X (n, d), into ``out`` (d,)."""
    first, last = bounds(part, parts, X.shape[1])
    add_rows(X, first, last, out)


@shared
def column_products(part: int, parts: int, A: Any, B: Any, out: Any) -> None:
    """Σₙ A B of each column of A and B (n, d), into ``out`` (d,)."""
    first, last = bounds(part, parts, A.shape[1])
    n, out = len(A), out[first:last]
    out[:] = 0
    for i in range(0, n - 1, 2):
        a, b, c, d = A[i, first:last], B[i, first:last], A[i + 1, first:last], B[i + 1, first:last]
        for j in range(len(out)):
            out[j] += a[j] * b[j] + c[j] * d[j]
    if n % 2:
        a, b = A[n - 1, first:last], B[n - 1, first:last]
        for j in range(len(out)):
            out[j] += a[j] * b[j]


# Normalisation


@shared
def centred(part: int, parts: int, X: Any, mean: Any, out: Any) -> None:
    """X − μ for X (n, d) and μ (d,)."""
    first, last = bounds(part, parts, X.shape[0])
    for i in range(first, last):
        for j in range(X.shape[1]):
            out[i, j] = X[i, j] - mean[j]


@shared
def scale_shift(part: int, parts: int, X: Any, scale: Any, shift: Any, out: Any) -> None:
    """X · scale + shift for X (n, d), scale and shift (d,)."""
    first, last = bounds(part, parts, X.shape[0])
    for i in range(first, last):
        for j in range(X.shape[1]):
            out[i, j] = X[i, j] * scale[j] + shift[j]


@shared
def normalisation_gradient(part: int, parts: int, dY: Any, C: Any, shift: Any, slope: Any, scale: Any) -> None:
    """(dY − shift − C · slope) · scale for dY and C (n, d), all others (d,), in place of ``dY``."""
    first, last = bounds(part, parts, dY.shape[0])
    for i in range(first, last):
        for j in range(dY.shape[1]):
            dY[i, j] = (dY[i, j] - shift[j] - C[i, j] * slope[j]) * scale[j]


# Loss


@shared
def cross_entropy(
    part: int,
    parts: int,
    Z: Any,
    labels: Any,
    smoothing: Any,
    weights: Any,
    losses: Any,
    right: Any,
    gradient: Any,
) -> None:
    """Cross-entropy of softmax(Z) and the labels, its gradient, and who is right, as `Engine.cross_entropy` says."""
    k = Z.shape[1]
    one = Z.dtype.type(1)
    even = smoothing / Z.dtype.type(k)
    for i in range(*bounds(part, parts, Z.shape[0])):
        z, e = Z[i], gradient[i]
        largest, at = z[0], 0
        for j in range(1, k):
            if z[j] > largest or (z[j] != z[j] and largest == largest):  # NaN counts as largest, as in argmax
                largest, at = z[j], j
        own = labels[i]
        right[i] = at == own
        total, off = Z.dtype.type(0), Z.dtype.type(0)
        for j in range(k):
            shifted = z[j] - largest
            off += shifted
            e[j] = np.exp(shifted)
            total += e[j]
        loss = np.log(total) - (one - smoothing) * (z[own] - largest)
        losses[i] = loss - even * off if smoothing else loss  # 0 · inf is NaN
        w = weights[min(i, weights.size - 1)]
        for j in range(k):
            e[j] = w * (e[j] / total - even)
        e[own] -= w * (one - smoothing)


# Dropout


@inline
def _mixed(x: Any) -> Any:
    """Turn a whole number of 32 bits into one that looks as if it had been drawn (lowbias32, Wellons, 2018)."""
    x = np.uint32((x ^ (x >> 16)) * 0x7FEB352D)
    x = np.uint32((x ^ (x >> 15)) * 0x846CA68B)
    return np.uint32(x ^ (x >> 16))


@shared
def dropout_mask(part: int, parts: int, rate: Any, key: Any, first: int, mask: Any) -> None:
    """Draw 0 with probability ``rate``, else 1 / (1 − rate), for each number of the flat ``mask``.

    What is drawn for a number follows from the key and its place, which begins at ``first``: so threads need no order
    (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011).
    """
    one = mask.dtype.type(1)
    stays, least = one / (one - rate), np.uint32(rate * 2.0**32)
    one_key, other_key = np.uint32(0), np.uint32(0x9E3779B9)
    for k in key:  # of 32 bits each
        one_key, other_key = _mixed(np.uint32(one_key ^ k)), _mixed(np.uint32(other_key + k))
    first += part * len(mask) // parts
    mask = _own(part, parts, mask)
    for i in range(len(mask)):
        drawn = _mixed(np.uint32(_mixed(np.uint32(np.uint32(first + i) ^ one_key)) + other_key))
        mask[i] = stays if drawn >= least else mask.dtype.type(0)


# Images


@shared
def inputs(part: int, parts: int, images: Any, rows: Any, scale: Any, shift: Any, out: Any) -> None:
    """Pixels · scale + shift for the ``rows`` (n,) of images (m, d) uint8, into ``out`` (n, d)."""
    for i in range(*bounds(part, parts, out.shape[0])):
        pixels = images[rows[i]]
        for j in range(out.shape[1]):
            out[i, j] = pixels[j] * scale + shift


@shared
def distort(
    part: int,
    parts: int,
    blas: int,
    images: Any,
    matrices: Any,
    shifts: Any,
    noise: Any,
    down: Any,
    across: Any,
    ground: Any,
    out: Any,
) -> None:
    """See images (n, h, w) uint8 through distortions, as `Engine.distort` says; ``noise`` may be empty.

    Each image is finished before the next one begins, so all that is needed for it stays in the cache.
    """
    n, h, w = images.shape
    line = w + 3
    framed = np.full((h + 3, line), ground)  # ground around the image: one line above, two below
    flat = framed.reshape(framed.size)
    field, half = np.zeros((2, h, w), np.float32), np.empty((2, h, w), np.float32)
    corner, below, right = np.empty(w, np.int32), np.empty(w, np.float32), np.empty(w, np.float32)
    least, bottom, rightmost = np.float32(-1), np.float32(h), np.float32(w)
    for i in range(*bounds(part, parts, n)):
        framed[1 : h + 1, 1 : w + 1] = images[i]
        if noise.size:
            for axis in range(2):
                field[axis] = noise[axis, i]
                gemm(blas, (0, 0), (w, h, h, w, h, w), field[axis], down, half[axis], 0)
            gemm(blas, (1, 0), (w, 2 * h, w, w, w, w), across, half, field, 0)
        A = matrices[:, :, i]
        y_c, x_c = (h - 1) / 2 + shifts[0, i], (w - 1) / 2 + shifts[1, i]
        a, b, s = np.float32(A[0, 0]), np.float32(A[0, 1]), np.float32((h - 1) / 2 - A[0, 0] * y_c - A[0, 1] * x_c)
        c, d, t = np.float32(A[1, 0]), np.float32(A[1, 1]), np.float32((w - 1) / 2 - A[1, 0] * y_c - A[1, 1] * x_c)
        for row in range(h):
            down_by, across_by = field[0, row], field[1, row]
            y_0, x_0 = a * np.float32(row) + s, c * np.float32(row) + t
            for j in range(w):
                y = min(max(y_0 + b * np.float32(j) + down_by[j], least), bottom)
                x = min(max(x_0 + d * np.float32(j) + across_by[j], least), rightmost)
                y_whole, x_whole = np.floor(y), np.floor(x)
                below[j], right[j] = y - y_whole, x - x_whole
                corner[j] = (np.int32(y_whole) + 1) * line + np.int32(x_whole) + 1
            for j in range(w):
                at = corner[j]
                upper = flat[at] + right[j] * (flat[at + 1] - flat[at])
                lower = flat[at + line] + right[j] * (flat[at + line + 1] - flat[at + line])
                out[i, row, j] = np.uint8(upper + below[j] * (lower - upper) + np.float32(0.5))


# Number by number


@cache
def over(formula: Callable[..., Any], targets: int, inputs: int, dtype: np.dtype[Any]) -> Callable[..., None] | None:
    """Return a rule for single numbers as one pass over flat arrays: of what it changes, then of what it reads.

    The last argument is a tuple of constants, as numbers of the arrays' type. None is returned where NumPy does better:
    for tanh in float64, which Numba computes number by number, and for rules other than those of
    `glassnet.nn.formulas`, which are not worth the time that it takes to compile them.

    Args:
        formula: the rule.
        targets: how many arrays are changed; 0 where the first one is only written.
        inputs: how many others are read.
        dtype: of all arrays.
    """
    ours = getattr(formula, "__module__", None) == formulas.__name__
    if not (ours or formula is np.tanh) or (dtype != np.float32 and _has_tanh(formula)):
        return None
    f = _tanh if formula is np.tanh else register_jitable(_with_numbers_of(formula, dtype))

    def write_1(part: int, parts: int, out: Any, x: Any, c: Any) -> None:
        out, x = _own(part, parts, out), _own(part, parts, x)
        for i in range(len(out)):
            out[i] = f(x[i], *c)

    def write_2(part: int, parts: int, out: Any, x: Any, y: Any, c: Any) -> None:
        out, x, y = _own(part, parts, out), _own(part, parts, x), _own(part, parts, y)
        for i in range(len(out)):
            out[i] = f(x[i], y[i], *c)

    def change_1(part: int, parts: int, t: Any, c: Any) -> None:
        t = _own(part, parts, t)
        for i in range(len(t)):
            t[i] = f(t[i], *c)

    def change_1_by_1(part: int, parts: int, t: Any, x: Any, c: Any) -> None:
        t, x = _own(part, parts, t), _own(part, parts, x)
        for i in range(len(t)):
            t[i] = f(t[i], x[i], *c)

    def change_1_by_2(part: int, parts: int, t: Any, x: Any, y: Any, c: Any) -> None:
        t, x, y = _own(part, parts, t), _own(part, parts, x), _own(part, parts, y)
        for i in range(len(t)):
            t[i] = f(t[i], x[i], y[i], *c)

    def change_2_by_1(part: int, parts: int, t: Any, u: Any, x: Any, c: Any) -> None:
        t, u, x = _own(part, parts, t), _own(part, parts, u), _own(part, parts, x)
        for i in range(len(t)):
            t[i], u[i] = f(t[i], u[i], x[i], *c)

    def change_3_by_1(part: int, parts: int, t: Any, u: Any, v: Any, x: Any, c: Any) -> None:
        t, u, v, x = _own(part, parts, t), _own(part, parts, u), _own(part, parts, v), _own(part, parts, x)
        for i in range(len(t)):
            t[i], u[i], v[i] = f(t[i], u[i], v[i], x[i], *c)

    loops = {
        (0, 1): write_1,
        (0, 2): write_2,
        (1, 0): change_1,
        (1, 1): change_1_by_1,
        (1, 2): change_1_by_2,
        (2, 1): change_2_by_1,
        (3, 1): change_3_by_1,
    }
    loop: Any = loops[targets, inputs]
    # Compiled code is found by this name: that of two rules must not be one.
    loop.__name__ = loop.__qualname__ = f"{formula.__name__}_{loop.__name__}"
    return shared(loop)


def _has_tanh(formula: Callable[..., Any]) -> bool:
    return formula is np.tanh or "tanh" in formula.__code__.co_names


@njit(error_model="numpy")
def _tanh(x: Any) -> Any:
    """Return tanh(x) in float32, to some units in the last place.

    It is a quotient of two polynomials, which takes many numbers at a time. Their coefficients are those of Eigen's
    ``ptanh_float``, fitted to tanh where float32 can tell it from 1.
    """
    f = np.float32
    x = f(7.90531110763549805) if x > f(7.90531110763549805) else x  # NaN stays
    x = f(-7.90531110763549805) if x < f(-7.90531110763549805) else x
    s = x * x
    p = s * f(-2.76076847742355e-16) + f(2.00018790482477e-13)
    p = s * p + f(-8.60467152213735e-11)
    p = s * p + f(5.12229709037114e-08)
    p = s * p + f(1.48572235717979e-05)
    p = s * p + f(6.37261928875436e-04)
    p = s * p + f(4.89352455891786e-03)
    q = s * f(1.19825839466702e-06) + f(1.18534705686654e-04)
    q = s * q + f(2.26843463243900e-03)
    q = s * q + f(4.89352518554385e-03)
    return x * p / q


def _with_numbers_of(formula: Callable[..., Any], dtype: np.dtype[Any]) -> Callable[..., Any]:
    """Return a formula whose own numbers are of the arrays' type: in Numba 1 + x has the type of the wider one."""
    assert isinstance(formula, FunctionType)
    code, number = formula.__code__, dtype.type

    def typed(value: Any) -> Any:
        return number(value) if type(value) in (int, float) else value

    names = {name: typed(formula.__globals__[name]) for name in code.co_names if name in formula.__globals__}
    if number is np.float32 and "tanh" in names:
        names["tanh"] = _tanh
    names["__name__"] = formula.__module__
    return FunctionType(code.replace(co_consts=tuple(map(typed, code.co_consts))), names, formula.__name__)
