"""The engine whose operations are compiled: loops in files of this folder, products by a BLAS, threads of its own.

What is not here is as in NumPy.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..nn import Engine
from ..nn.chain import Chain
from ..nn.elementwise import Formula
from ..nn.engine import CrossEntropy
from ..nn.products import SomeColumns
from ..nn.types import Array, Shape
from ..nn.windows import FEW_CHANNELS, Window
from . import convolution, kernels, products, windows
from .blas import find_blas
from .chain import CompiledChain
from .crew import Crew
from .distortion import distort
from .loops import has_code, over

__all__ = ["CompiledEngine"]

PASS = 10_000  # numbers of a part of a pass, which take a few microseconds
PRODUCT = 1_000_000  # multiply-adds of a part of a product, which take ten or so
LINE = 64  # bytes: large arrays begin where a cache line does, which a BLAS likes
NATIVE = np.dtype(np.float32), np.dtype(np.float64)

STILL = np.empty((2, 0, 0, 0), np.int16), np.empty((0, 0), np.float32), np.empty((0, 0), np.float32)
"""No elastic distortion: no noise, and nothing that smooths it."""

Work = Callable[..., None]


class CompiledEngine(Engine):
    """Numba's loops and a BLAS, with as many threads as it is given.

    Args:
        threads: how many, the one that asks included.
    """

    name = "compiled"
    least_pass, least_product = PASS, PRODUCT
    panel: Array = np.empty(0, np.float32)  # of the type that numbers have in convolutions

    def __init__(self, threads: int = 1) -> None:
        super().__init__(threads, products=1)
        self.blas = find_blas()
        self._crew = Crew(threads)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.threads,)

    def rest(self) -> None:
        self._crew.rest()

    def empty(self, shape: Shape, dtype: DTypeLike) -> Any:
        kind = np.dtype(dtype)
        size = prod(shape) * kind.itemsize
        memory = np.empty(size + LINE, np.uint8)
        start = -memory.ctypes.data % LINE
        return memory[start : start + size].view(kind).reshape(shape)

    def zeros(self, shape: Shape, dtype: DTypeLike) -> Any:
        array = self.empty(shape, dtype)
        array.fill(0)
        return array

    def _work(self, work: Work, numbers: int, least: int, *args: Any) -> None:
        """Share work out to threads, in parts of at least so many of its ``numbers``."""
        parts = min(numbers // least, self.threads)
        if parts > 1 and not self._team.at_work:
            work(self._crew.ready(), parts, *args)
        else:
            work(self._crew.state, 1, *args)

    def numbers(self, X: Any, dtype: DTypeLike) -> Any:
        return X if isinstance(X, SomeColumns) else np.ascontiguousarray(X, dtype)

    # Number by number

    def apply(self, formula: Formula, inputs: Sequence[Array], constants: Sequence[float], out: Array) -> Array:
        if not self._loop(formula, 0, (out, *inputs), constants):
            super().apply(formula, inputs, constants, out)
        return out

    def update(
        self, formula: Formula, targets: Sequence[Array], inputs: Sequence[Array], constants: Sequence[float] = ()
    ) -> None:
        if not self._loop(formula, len(targets), (*targets, *inputs), constants):
            super().update(formula, targets, inputs, constants)

    def _loop(self, formula: Formula, targets: int, arrays: Sequence[Array], constants: Sequence[float]) -> bool:
        """Apply a formula in one pass, if there is such a loop for it, and return whether there is."""
        dtype = arrays[0].dtype
        loop = over(formula, targets, len(arrays) - (targets or 1), dtype)
        if loop is None or not is_plain(*arrays):
            return False
        flat = [array.reshape(-1) for array in arrays]
        self._work(loop, flat[0].size, self.least_pass, *flat, tuple(map(dtype.type, constants)))
        return True

    def half(self, X: Array, out: NDArray[np.float16]) -> NDArray[np.float16]:
        if not is_float32(X):
            return super().half(X, out)
        self._work(kernels.half, X.size, self.least_pass, X.view(np.uint32), out.view(np.uint16))
        return out

    # Products and sums

    def affine(self, X: Array | SomeColumns, W: Array, b: Array, out: Array) -> Array:
        if isinstance(X, SomeColumns) or not is_plain(X, W, b, out):
            return super().affine(X, W, b, out)
        self._work(products.affine, out.size * len(W), self.least_product, self._gemm(W), X, W, b, out)
        return out

    def affine_gradients(self, X: Array | SomeColumns, dZ: Array, dW: Array, db: Array) -> None:
        if isinstance(X, SomeColumns) or not is_plain(X, dZ, dW, db):
            super().affine_gradients(X, dZ, dW, db)
        else:
            self._work(products.affine_gradients, dW.size * len(dZ), self.least_product, self._gemm(dW), X, dZ, dW, db)

    def affine_input_gradient(self, dZ: Array, W: Array, out: Array) -> Array:
        if not is_plain(dZ, W, out):
            return super().affine_input_gradient(dZ, W, out)
        self._work(products.affine_input_gradient, W.size * len(dZ), self.least_product, self._gemm(W), dZ, W, out)
        return out

    def _gemm(self, array: Array) -> int:
        return self.blas.sgemm if array.dtype == np.float32 else self.blas.dgemm

    def column_sums(self, X: Array, out: Array) -> Array:
        self._work(kernels.column_sums, X.size, self.least_pass, X, out)
        return out

    def column_products(self, A: Array, B: Array, out: Array) -> Array:
        self._work(kernels.column_products, A.size, self.least_pass, A, B, out)
        return out

    def chain_steps(self, chain: Chain, parameters: Array, gradients: Array) -> CompiledChain | None:
        if not (has_code(chain.rule) and has_code(chain.gradient)):
            return None
        return CompiledChain(chain, parameters, gradients)

    # Normalisation

    def centred(self, X: Array, mean: Array, out: Array) -> Array:
        self._work(kernels.centred, X.size, self.least_pass, X, mean, out)
        return out

    def scale_shift(self, X: Array, scale: Array, shift: Array, out: Array) -> Array:
        self._work(kernels.scale_shift, X.size, self.least_pass, X, scale, shift, out)
        return out

    def normalisation_gradient(self, dY: Array, C: Array, shift: Array, slope: Array, scale: Array) -> Array:
        self._work(kernels.normalisation_gradient, dY.size, self.least_pass, dY, C, shift, slope, scale)
        return dY

    # Dropout and loss

    def dropout_mask(self, rate: float, key: Sequence[int], rows: slice, out: Array) -> Array:
        mask, first = out[rows], (rows.start or 0) * prod(out.shape[1:])
        self._work(
            kernels.dropout_mask, mask.size, self.least_pass, out.dtype.type(rate), _words(key), first, mask.reshape(-1)
        )
        return mask

    def cross_entropy(self, Z: Array, labels: NDArray[Any], smoothing: float, weights: Array | float) -> CrossEntropy:
        n, kind = len(Z), Z.dtype.type
        found = CrossEntropy(np.empty(n, Z.dtype), np.empty(n, np.bool_), np.empty(Z.shape, Z.dtype))
        weights = np.atleast_1d(np.asarray(weights, Z.dtype))
        y = np.ascontiguousarray(labels, np.intp)
        self._work(kernels.cross_entropy, Z.size, self.least_pass, Z, y, kind(smoothing), weights, *found)
        return found

    # Images

    def distort(
        self,
        images: NDArray[Any],
        matrices: Array,
        shifts: Array,
        perspective: Array | None,
        elastic: tuple[NDArray[np.int16], Array, Array] | None,
        ground: float,
        out: NDArray[Any],
        wanted: slice | None = None,
    ) -> None:
        bytes_in_and_out = images.dtype == out.dtype == np.uint8 and images.shape == out.shape and out.flags.writeable
        if not bytes_in_and_out or (elastic is not None and not is_plain(*elastic[1:])):
            super().distort(images, matrices, shifts, perspective, elastic, ground, out, wanted)
            return
        # Equal images give equal bits however they lie in memory.
        images, together = np.ascontiguousarray(images), np.require(out, requirements="C")
        slopes = np.zeros_like(shifts) if perspective is None else perspective
        first, last, _ = (wanted or slice(None)).indices(len(images))
        pixels = max(last - first, 0) * prod(images.shape[1:])
        given = images, matrices, shifts, slopes, *(elastic or STILL), np.float32(ground), first, last, together
        self._work(distort, pixels, self.least_pass, self.blas.sgemm, *given)
        if together is not out:
            out[first:last] = together[first:last]

    def inputs(
        self, images: NDArray[np.uint8], rows: NDArray[np.integer] | None, scale: float, shift: float, out: Array
    ) -> Array:
        if not is_plain(out):
            return super().inputs(images, rows, scale, shift, out)
        kind, chosen = out.dtype.type, np.arange(len(images)) if rows is None else np.asarray(rows, np.intp)
        flat = images.reshape(len(images), prod(images.shape[1:])), out.reshape(len(out), prod(out.shape[1:]))
        self._work(kernels.inputs, out.size, self.least_pass, flat[0], chosen, kind(scale), kind(shift), flat[1])
        return out

    # Windows that move over images

    def convolve(self, X: Array, W: Array, b: Array, window: Window, out: Array) -> Array:
        if not is_float32(X, W, b, out):
            return super().convolve(X, W, b, window, out)
        places = window.places(*X.shape[1:3])
        height, width = (window.stride * (n - 1) + size for n, size in zip(places, window[:2], strict=True))
        pixels = self._pixels(X, height, width, window.top, window.left)
        work = out.size * prod(W.shape[:3])
        self._work(convolution.convolve, work, self.least_product, *pixels, W, b, window.stride, self.panel, out)
        return out

    def convolution_gradients(self, X: Array, dZ: Array, window: Window, dW: Array, db: Array) -> None:
        if not is_float32(X, dZ, dW, db):
            super().convolution_gradients(X, dZ, window, dW, db)
            return
        if not len(X):
            dW[:], db[:] = 0, 0
            return
        (n, _, _, c), places = X.shape, window.places(*X.shape[1:3])
        height, width = (window.stride * (n - 1) + size for n, size in zip(places, window[:2], strict=True))
        laid: tuple[Any, int, int]
        if self.panel.dtype == np.uint32:
            pairs = self.scratch("pairs", (n, height, width, c), np.uint32)
            around = window.top, window.left, window.stride
            self._work(convolution.pairs_of, pairs.size, self.least_pass, X, *around, pairs)
            laid = pairs.reshape(-1).view(np.uint16), height, width
        else:
            laid = self._pixels(X, height, width, window.top, window.left)
        work = dZ.size * prod(dW.shape[:3])
        self._work(convolution.gradients, work, self.least_product, *laid, dZ, window.stride, self.panel, dW, db)

    def convolution_input_gradient(self, dZ: Array, W: Array, window: Window, out: Array) -> Array:
        if not is_float32(dZ, W, out):
            return super().convolution_input_gradient(dZ, W, window, out)
        n, oh, ow, filters = dZ.shape
        around = _around(window, oh, ow, out.shape)
        if window.stride == 1 and prod(out.shape[1:3]) <= oh * ow and min(around) >= 0:
            return self.convolve(dZ, *_turned(W), around, out)  # whose sums stay in registers for longer
        pixels = dZ.reshape(-1)
        if self.panel.dtype == np.uint32:
            even = -(-filters // 2) * 2
            pixels = self.scratch("rounded", (n * oh * ow, even), np.uint16)
            self._work(convolution.rows_of, dZ.size, self.least_pass, dZ.reshape(-1, filters), pixels)
            pixels = pixels.reshape(-1)
        work = dZ.size * prod(W.shape[:3])
        given = pixels, oh, ow, W, tuple(window), self.panel, out
        self._work(convolution.input_gradient, work, self.least_product, *given)
        return out

    def _pixels(self, X: Array, height: int, width: int, top: int, left: int) -> tuple[Any, int, int]:
        """Return images as convolutions read them, flat, with their height and width."""
        n, h, w, c = X.shape
        if self.panel.dtype == np.float32 and (h, w, top, left) == (height, width, 0, 0):
            return X.reshape(-1), height, width
        size = n * height * width * c
        flat = self.scratch("pixels", (size + 1,), np.uint16 if self.panel.dtype == np.uint32 else np.float32)
        flat[size] = 0
        self._work(convolution.pixels_of, size, self.least_pass, X, top, left, flat[:size].reshape(n, height, width, c))
        return flat, height, width

    def add_patches(self, P: Array, window: Window, out: Array) -> Array:
        if not is_plain(P, out) or out.shape[3] < FEW_CHANNELS:  # of which NumPy adds up whole rows at a time
            return super().add_patches(P, window, out)
        places = window.places(*out.shape[1:3])
        self._work(windows.add_patches, P.size, self.least_pass, P, tuple(window), *places, out)
        return out

    def max_pool(self, X: Array, window: Window, out: Array) -> Array:
        if not is_plain(X, out):
            return super().max_pool(X, window, out)
        self._work(windows.max_pool, X.size, self.least_pass, X, tuple(window), out)
        return out

    def max_pool_gradient(self, X: Array, Y: Array, dY: Array, window: Window, out: Array) -> Array:
        if not is_plain(X, Y, dY, out):
            return super().max_pool_gradient(X, Y, dY, window, out)
        self._work(windows.max_pool_gradient, X.size, self.least_pass, X, Y, dY, tuple(window), out)
        return out


def _turned(W: Array) -> tuple[Array, Array]:
    """Return the weights and the biases of the convolution of dZ that gives dX, where the stride is 1."""
    return np.ascontiguousarray(W[::-1, ::-1].swapaxes(2, 3)), np.zeros(W.shape[2], W.dtype)


def _around(window: Window, oh: int, ow: int, shape: Shape) -> Window:
    """Return the window of that convolution: each place of dX (n, h, w, c) sees what its number went into."""
    top, left = window.height - 1 - window.top, window.width - 1 - window.left
    bottom, right = shape[1] + window.height - 1 - oh - top, shape[2] + window.width - 1 - ow - left
    return Window(window.height, window.width, 1, top, bottom, left, right)


def is_plain(*arrays: Array) -> bool:
    """Whether arrays are all of one type that compiled code has, row by row in memory; others are left to NumPy."""
    dtype = arrays[0].dtype
    return dtype in NATIVE and all(array.dtype == dtype and array.flags.c_contiguous for array in arrays)


def is_float32(*arrays: Array) -> bool:
    """Whether they are all float32, row by row in memory."""
    return arrays[0].dtype == np.float32 and is_plain(*arrays)


def _words(key: Sequence[int]) -> tuple[int, ...]:
    """Return whole numbers as twice as many of 32 bits."""
    return tuple(word for number in key for word in (number & 0xFFFFFFFF, number >> 32 & 0xFFFFFFFF))
