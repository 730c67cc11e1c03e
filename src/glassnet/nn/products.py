"""Products of tall matrices with few columns, which a BLAS is slow at.

A BLAS first copies the tiles of a large product into a form that its kernels like. With the ten columns of a layer of
ten units there is so little to compute that the copying takes longer. A small product it computes as it lies in memory.
So a tall product is cut into slices of 64 rows, which one call of `np.matmul` hands over one after the other:

    X W     slice by slice
    Xᵀ dZ   the sum over the slices of each slice's own product

The sum of a matrix's rows is a product too, 1ᵀ dZ, and as such several times as quick as np.sum.

The numbers are the same to rounding; what is a slice is decided by shapes alone, so a run repeats bit for bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .types import Array, Shape

__all__ = ["SomeColumns", "product", "sum_of_rows", "transposed_product"]

SLICE = 64  # rows; 64 · 784 · 10 multiply-adds are still a small product for OpenBLAS
FEW = 12  # columns; with 16 and more the ordinary way is as quick
DEEP = 256  # rows of W; with fewer a product is small anyway

Scratch = Callable[[str, Shape, Any], Array]


@dataclass(frozen=True, eq=False)
class SomeColumns:
    """A matrix X = s P + t (n, d) of which only some columns of P are not zero throughout, and only those are there.

    Images that are blank in the same places make such a matrix of pixels. What is zero adds nothing to any product, and
    instead of each number of P the weights are scaled:

        X W + b = P (s W) + (b + t Σ W)        Xᵀ dZ = s Pᵀ dZ + t Σₙ dZ

    Attributes:
        P: the columns that are there, (n, m).
        columns: which ones they are, (m,).
        width: d.
        scale: s.
        shift: t.
    """

    P: Array
    columns: NDArray[np.int64]
    width: int
    scale: float
    shift: float

    def __len__(self) -> int:
        return len(self.P)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        return len(self.P), self.width

    def whole(self, out: Array) -> Array:
        """Write X into ``out`` (n, d)."""
        out.fill(self.shift)
        out[:, self.columns] += self.scale * self.P
        return out

    def scaled(self, W: Array, b: Array) -> tuple[Array, Array]:
        """Return W′ (m, k) and b′ (k,), for which P W′ + b′ = X W + b, for W (d, k) and b (k,)."""
        return self.scale * W[self.columns], b + self.shift * W.sum(axis=0) if self.shift else b

    def spread(self, some: Array, sums: Array, out: Array) -> Array:
        """Write Xᵀ dZ into ``out`` (d, k), for ``some`` = Pᵀ dZ (m, k) and ``sums`` = Σₙ dZ (k,)."""
        out[...] = self.shift * sums  # for a shift of 0 too, since 0 · NaN is NaN
        out[self.columns] += self.scale * some
        return out


def product(X: Array, W: Array, out: Array) -> Array:
    """Write X W into ``out`` (n, k), for X (n, d) and W (d, k)."""
    cut = _sliced_rows(X, W.shape[1])
    if not cut:
        return np.dot(X, W, out=out)
    columns_together = np.ascontiguousarray(W.T).T  # (d, k); the kernels for small products like it best
    np.matmul(_slices(X[:cut]), columns_together, out=_slices(out[:cut]))
    if cut < len(X):
        np.dot(X[cut:], W, out=out[cut:])
    return out


def transposed_product(X: Array, dZ: Array, out: Array, scratch: Scratch) -> Array:
    """Write Xᵀ dZ into ``out`` (d, k), for X (n, d) and dZ (n, k).

    ``scratch`` gives memory for the slices' products, as `Engine.scratch` does.
    """
    if len(X) == 1:
        return np.multiply(X.T, dZ, out=out)  # one example: each input times each dZ, too little for a BLAS
    cut = _sliced_rows(X, dZ.shape[1])
    if not cut:
        return np.dot(X.T, dZ, out=out)
    parts = scratch("dWᵀ", (cut // SLICE, *out.T.shape), out.dtype)  # (slices, k, d)
    np.matmul(_slices(dZ[:cut]).transpose(0, 2, 1), _slices(X[:cut]), out=parts)
    out[...] = np.add.reduce(parts, axis=0, out=scratch("Σ dWᵀ", out.T.shape, out.dtype)).T
    if cut < len(X):
        out += X[cut:].T @ dZ[cut:]
    return out


def sum_of_rows(dZ: Array, out: Array) -> Array:
    """Write Σₙ dZ into ``out`` (k,), for dZ (n, k)."""
    if len(dZ) == 1:
        out[...] = dZ[0]
        return out
    return np.dot(_ones(len(dZ), dZ.dtype), dZ, out=out)


@lru_cache(maxsize=8)
def _ones(n: int, dtype: np.dtype[Any]) -> Array:
    return np.ones(n, dtype)


def _sliced_rows(X: Array, columns: int) -> int:
    """Return how many of the first rows of X to cut into slices."""
    n, d = X.shape
    return n // SLICE * SLICE if columns <= FEW and n >= 2 * SLICE and d >= DEEP else 0


def _slices(A: Array) -> Array:
    """View A (n, m) as (n / SLICE, SLICE, m)."""
    return A.reshape(-1, SLICE, A.shape[1])
