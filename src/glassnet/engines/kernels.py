"""The operations of the compiled engine that are no products, as loops over single numbers.

Each does one ``part`` of the work, of so many ``parts``: some of the rows, or of the columns. Where NumPy goes through
memory once for each operation, such a loop goes once for all of them. What is added up is added up in an order that
follows from the shapes and the number of parts alone.
"""

from typing import Any

import numpy as np

from .crew import shared
from .loops import exp
from .parts import bounds, inline, own

__all__ = [
    "add_rows",
    "centred",
    "column_products",
    "column_sums",
    "cross_entropy",
    "dropout_mask",
    "half",
    "inputs",
    "losses_of_rows",
    "normalisation_gradient",
    "scale_shift",
]

ROWS = 64  # that go through the loss together

# Number by number


@shared
def half(part: int, parts: int, X: Any, out: Any) -> None:
    """Round the bits X (n,) of numbers in float32 to those of the nearest in float16, ``out`` (n,); of two, the even.

    float16 has 13 bits of the mantissa less, and an exponent smaller by 112. Below 2⁻¹⁴ its numbers are multiples of
    2⁻²⁴: the smaller the number, the more bits go.
    """
    words, halves = own(part, parts, X), own(part, parts, out)
    one, most = np.uint32(1), np.uint32(25)
    for i in range(len(halves)):
        size = words[i] & np.uint32(0x7FFFFFFF)
        even = size >> np.uint32(13) & one
        normal = size + even + np.uint32(0xFFF) - np.uint32(112 << 23) >> np.uint32(13)
        mantissa = size & np.uint32(0x7FFFFF) | np.uint32(0x800000)
        gone = min(np.uint32(126) - min(size >> np.uint32(23), np.uint32(113)), most)
        small = mantissa + (one << gone - one) - one + (mantissa >> gone & one) >> gone
        bits = small if size < np.uint32(113 << 23) else normal
        bits = bits if size < np.uint32(143 << 23) else np.uint32(0x7C00)  # 2¹⁶ and more: infinite
        bits = bits if size <= np.uint32(0x7F800000) else np.uint32(0x7E00)  # NaN
        halves[i] = bits | words[i] >> np.uint32(16) & np.uint32(0x8000)


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


@inline
def losses_of_rows(
    first: int, last: int, Z: Any, labels: Any, smoothing: Any, weights: Any, losses: Any, right: Any, gradient: Any
) -> None:
    """Cross-entropy of some rows of Z (n, k), as `Engine.cross_entropy` says.

    Some rows at a time are transposed, so that each loop goes over many of them and not over a few classes.
    """
    k, one, nothing = Z.shape[1], Z.dtype.type(1), Z.dtype.type(0)
    even = smoothing / Z.dtype.type(k)
    wide = max(min(ROWS, last - first), 1)
    E, at = np.empty((k, wide), Z.dtype), np.empty(wide, np.int32)
    largest, total, off = np.empty(wide, Z.dtype), np.empty(wide, Z.dtype), np.empty(wide, Z.dtype)
    for start in range(first, last, wide):
        count = min(wide, last - start)
        for i in range(count):
            z = Z[start + i]
            for j in range(k):
                E[j, i] = z[j]
            largest[i], at[i], total[i], off[i] = z[0], 0, nothing, nothing
        for j in range(1, k):
            z = E[j]
            for i in range(count):  # NaN counts as largest, as in argmax
                larger = z[i] > largest[i] or (z[i] != z[i] and largest[i] == largest[i])
                largest[i], at[i] = z[i] if larger else largest[i], np.int32(j) if larger else at[i]
        for j in range(k):
            e = E[j]
            for i in range(count):
                e[i] -= largest[i]
                off[i] += e[i]
                e[i] = exp(e[i])
                total[i] += e[i]
        for i in range(count):
            row = start + i
            y, w, g = labels[row], weights[min(row, weights.size - 1)], gradient[row]
            loss = np.log(total[i]) - (one - smoothing) * (Z[row, y] - largest[i])
            losses[row] = loss - even * off[i] if smoothing else loss  # 0 · inf is NaN
            right[row] = at[i] == y
            share = w / total[i]
            for j in range(k):
                g[j] = share * E[j, i] - w * even
            g[y] -= w * (one - smoothing)


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
    first, last = bounds(part, parts, Z.shape[0])
    losses_of_rows(first, last, Z, labels, smoothing, weights, losses, right, gradient)


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
    mask = own(part, parts, mask)
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
