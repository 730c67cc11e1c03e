"""Products of the compiled engine, by a BLAS.

To Fortran, for which columns lie together, a matrix of ours is its transpose: Z = X W is Zᵀ = Wᵀ Xᵀ.
"""

from typing import Any

import numpy as np

from ..nn.products import DEEP, FEW, SLICE
from .crew import shared
from .kernels import add_rows
from .native import gemm
from .parts import bounds, inline

__all__ = ["affine", "affine_gradients", "affine_input_gradient"]

ENOUGH = 64  # rows of a part of a product


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
