"""Convolutions in NumPy: what lies under the window at each place, as a matrix, and its products.

That matrix takes kh·kw times the memory of the images. So it is only there for a few images at a time, which are shared
out among the engine's threads, and backward makes it anew.
"""

from collections.abc import Callable, Iterator
from math import ceil, prod
from typing import TYPE_CHECKING

import numpy as np

from .types import Array
from .windows import Window

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["convolution_gradients", "convolution_input_gradient", "convolve", "share_out"]

BLOCK = 500_000  # numbers of patches at a time: 2 MB in float32, about what a core's own cache holds


def convolve(engine: "Engine", X: Array, W: Array, b: Array, window: Window, out: Array) -> Array:
    """Z = patches(X) W + b for X (n, h, w, c), W (kh, kw, c, f), b (f,), into ``out`` (n, oh, ow, f)."""

    def work(images: slice) -> None:
        P = engine.patches(X[images], window)  # (places, kh·kw·c)
        engine.affine(P, _matrix(W), b, out=_rows(out[images]))

    share_out(engine, len(X), _numbers(W, out), work)
    return out


def convolution_gradients(engine: "Engine", X: Array, dZ: Array, window: Window, dW: Array, db: Array) -> None:
    """dW = patches(X)ᵀ dZ and db = Σ dZ for dZ (n, oh, ow, filters), into ``dW`` (kh, kw, c, filters) and ``db``."""
    parts = list(_parts(len(dZ), engine.threads))
    sums = [(np.zeros_like(dW), np.zeros_like(db)) for _ in parts]
    size = max(BLOCK // _numbers(dW, dZ), 1)

    def work(_: int, part: int) -> None:
        own_dW, own_db = engine.scratch("dW of a block", dW.shape, dW.dtype), np.empty_like(db)
        images = parts[part]
        for start in range(images.start, images.stop, size):
            block = slice(start, min(start + size, images.stop))
            engine.affine_gradients(engine.patches(X[block], window), _rows(dZ[block]), _matrix(own_dW), own_db)
            for total, own in zip(sums[part], (own_dW, own_db), strict=True):
                total += own

    engine.share_out(work, len(parts))
    for out, totals in zip((dW, db), zip(*sums, strict=True), strict=True):
        np.add.reduce(totals, axis=0, out=out)


def convolution_input_gradient(engine: "Engine", dZ: Array, W: Array, window: Window, out: Array) -> Array:
    """dX = add_patches(dZ Wᵀ) for dZ (n, oh, ow, filters) and W (kh, kw, c, filters), into ``out`` (n, h, w, c)."""

    def work(images: slice) -> None:
        rows, matrix = _rows(dZ[images]), _matrix(W)
        dP = engine.scratch("gradient of patches", (len(rows), len(matrix)), dZ.dtype)
        engine.add_patches(engine.affine_input_gradient(rows, matrix, out=dP), window, out=out[images])

    share_out(engine, len(dZ), _numbers(W, dZ), work)
    return out


def share_out(engine: "Engine", n: int, numbers: int, work: Callable[[slice], None]) -> None:
    """Call ``work(images)`` for a few of n images at a time, in whichever thread is idle.

    Args:
        engine: whose threads.
        n: how many images there are.
        numbers: how many numbers the work on one image holds at once.
        work: is given which images.
    """
    size = max(BLOCK // numbers, 1)
    size = min(size, ceil(n / engine.threads) or 1)
    blocks = ceil(n / size)
    if blocks == 1:
        work(slice(0, n))
    else:
        engine.share_out(lambda _, block: work(slice(block * size, min(block * size + size, n))), blocks)


def _parts(n: int, count: int) -> Iterator[range]:
    """Yield n images in at most so many parts; sums over parts are added up in their order."""
    count = max(min(n, count), 1)
    for part in range(count):
        yield range(part * n // count, (part + 1) * n // count)


def _numbers(W: Array, Z: Array) -> int:
    """Return how many numbers the patches of one image have, or its outputs where they are more."""
    *window, filters = W.shape
    return prod(Z.shape[1:3]) * max(prod(window), int(filters))


def _matrix(W: Array) -> Array:
    """View filters, or their gradient, as (kh·kw·c, filters)."""
    return W.reshape(-1, W.shape[3])


def _rows(Z: Array) -> Array:
    """View outputs, or their gradient, as (n·oh·ow, filters)."""
    return Z.reshape(-1, Z.shape[3])
