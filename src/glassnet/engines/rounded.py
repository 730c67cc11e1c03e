"""bfloat16 where the processor has no instructions for it: what goes into a product is rounded, the product is float32.

The results are those of such instructions, to rounding, and take longer than in float32.

A dense layer of few units computes in float32 on every processor: to round its inputs takes longer than its products.
"""

import numpy as np
from numpy.typing import NDArray

from ..nn import Engine
from ..nn.products import SomeColumns
from ..nn.types import Array
from ..nn.windows import Window

__all__ = ["Rounded", "RoundedEngine", "is_narrow"]

NARROW = 16  # units


def is_narrow(W: Array) -> bool:
    """Whether a dense layer with weights W (d, k) is one of few units."""
    return bool(W.shape[1] <= NARROW)


class Rounded(Engine):
    """For an engine to inherit from before its own operations."""

    emulated = True

    def affine(self, X: Array | SomeColumns, W: Array, b: Array, out: Array) -> Array:
        if isinstance(X, SomeColumns) or is_narrow(W):  # the former asks again for the columns that are there
            return super().affine(X, W, b, out)
        return super().affine(self._rounded("X", X), self._rounded("W", W), b, out)

    def affine_gradients(self, X: Array | SomeColumns, dZ: Array, dW: Array, db: Array) -> None:
        if isinstance(X, SomeColumns) or is_narrow(dW):
            super().affine_gradients(X, dZ, dW, db)
            return
        super().affine_gradients(self._rounded("X", X), self._rounded("dZ", dZ), dW, db)
        self.column_sums(dZ, db)  # of the numbers as they were

    def affine_input_gradient(self, dZ: Array, W: Array, out: Array) -> Array:
        if is_narrow(W):
            return super().affine_input_gradient(dZ, W, out)
        return super().affine_input_gradient(self._rounded("dZ", dZ), self._rounded("W", W), out)

    # Convolutions by patches, whose products are those above; of however few filters, what goes into them is rounded.

    def convolve(self, X: Array, W: Array, b: Array, window: Window, out: Array) -> Array:
        return Engine.convolve(self, self._rounded("images", X), self._rounded("filters", W), b, window, out)

    def convolution_gradients(self, X: Array, dZ: Array, window: Window, dW: Array, db: Array) -> None:
        images, dY = self._rounded("images", X), self._rounded("dY", dZ)
        Engine.convolution_gradients(self, images, dY, window, dW, db)
        self.column_sums(dZ.reshape(-1, len(db)), db)  # of the numbers as they were

    def convolution_input_gradient(self, dZ: Array, W: Array, window: Window, out: Array) -> Array:
        dY, filters = self._rounded("dY", dZ), self._rounded("filters", W)
        return Engine.convolution_input_gradient(self, dY, filters, window, out)

    def _rounded(self, name: str, X: Array) -> Array:
        """Return the numbers of bfloat16 nearest to X, of any shape, as float32; of two equally near, the even one."""
        if X.dtype != np.float32:
            return X
        given = np.ascontiguousarray(X).view(np.uint32)
        bits: NDArray[np.uint32] = self.scratch(f"rounded {name}", X.shape, np.uint32)
        np.right_shift(given, 16, out=bits)
        bits &= 1
        bits += 0x7FFF
        bits += given
        bits &= 0xFFFF0000
        np.copyto(bits, 0x7FC00000, where=np.isnan(X))  # of NaN, rounding may make a number
        return bits.view(np.float32)


class RoundedEngine(Rounded):
    """NumPy's engine, with products in bfloat16."""
