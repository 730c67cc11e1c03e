"""bfloat16 where the processor has no instructions for it: what goes into a product is rounded, the product is float32.

The results are those of such instructions, to rounding, and take longer than in float32.
"""

import numpy as np
from numpy.typing import NDArray

from ..nn import Engine
from ..nn.products import SomeColumns
from ..nn.types import Array
from ..nn.windows import Window

__all__ = ["Rounded", "RoundedEngine"]


class Rounded(Engine):
    """For an engine to inherit from before its own operations."""

    emulated = True

    def affine(self, X: Array | SomeColumns, W: Array, b: Array, out: Array) -> Array:
        if isinstance(X, SomeColumns):  # which is asked again for the product of the columns that are there
            return super().affine(X, W, b, out)
        return super().affine(self._rounded("X", X), self._rounded("W", W), b, out)

    def affine_gradients(self, X: Array | SomeColumns, dZ: Array, dW: Array, db: Array) -> None:
        if isinstance(X, SomeColumns):
            super().affine_gradients(X, dZ, dW, db)
            return
        super().affine_gradients(self._rounded("X", X), self._rounded("dZ", dZ), dW, db)
        self.column_sums(dZ, db)  # of the numbers as they were

    def affine_input_gradient(self, dZ: Array, W: Array, out: Array) -> Array:
        return super().affine_input_gradient(self._rounded("dZ", dZ), self._rounded("W", W), out)

    # Convolutions by patches, whose products are those above.

    def convolve(self, X: Array, W: Array, b: Array, window: Window, out: Array) -> Array:
        return Engine.convolve(self, X, W, b, window, out)

    def convolution_gradients(self, X: Array, dZ: Array, window: Window, dW: Array, db: Array) -> None:
        Engine.convolution_gradients(self, X, dZ, window, dW, db)

    def convolution_input_gradient(self, dZ: Array, W: Array, window: Window, out: Array) -> Array:
        return Engine.convolution_input_gradient(self, dZ, W, window, out)

    def _rounded(self, name: str, X: Array) -> Array:
        """Return the numbers of bfloat16 nearest to X (n, d), as float32; of two equally near, the even one."""
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
