"""Windows that move over images, in NumPy: what lies under a window at each of its places, and pools of it.

Images are (n, h, w, c), channels last: then the numbers under one row of a window lie together in memory, and so do all
channels of a place. A window of (kh, kw) numbers stands at (oh, ow) places of an image.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .types import Array, Shape

__all__ = ["Window", "add_patches", "average_pool", "average_pool_gradient", "max_pool", "max_pool_gradient", "patches"]

FEW_CHANNELS = 4  # with fewer, what lies together under one row of a window is too short to be copied quickly

Scratch = Callable[[str, Shape, Any], Array]


class Window(NamedTuple):
    """A window's size, how far it moves, and how many rows and columns of zeros are put around each image.

    Attributes:
        height: kh, in pixels.
        width: kw.
        stride: how far it moves from one place to the next, down and across.
        top, bottom, left, right: the padding.
    """

    height: int
    width: int
    stride: int = 1
    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    @property
    def padded(self) -> bool:
        """Whether there is any padding."""
        return any(self[3:])

    def places(self, height: int, width: int) -> tuple[int, int]:
        """Return oh and ow, the number of places down and across an image of this size; 0 where it does not fit."""
        down = height + self.top + self.bottom - self.height
        across = width + self.left + self.right - self.width
        return max(down // self.stride + 1, 0), max(across // self.stride + 1, 0)


def patches(X: Array, window: Window, scratch: Scratch) -> Array:
    """Return what lies under a window at each place, one place a row: P (n·oh·ow, kh·kw·c).

    It lies in memory from ``scratch``, row by row, or with few channels column by column: a row of a patch is then a
    few numbers long, a row of places as long as the image is wide. A BLAS takes both.
    """
    (n, _, _, c), (oh, ow) = X.shape, window.places(*X.shape[1:3])
    rows, columns = n * oh * ow, window.height * window.width * c
    seen = _places(_with_padding(X, window, scratch), window)  # (n, oh, ow, c, kh, kw)
    if c < FEW_CHANNELS:
        turned = scratch("patches", (columns, rows), X.dtype)
        np.copyto(turned.reshape(window.height, window.width, c, n, oh, ow), seen.transpose(4, 5, 3, 0, 1, 2))
        return turned.T
    P = scratch("patches", (rows, columns), X.dtype)
    np.copyto(P.reshape(n, oh, ow, window.height, window.width, c), seen.transpose(0, 1, 2, 4, 5, 3))
    return P


def add_patches(P: Array, window: Window, out: Array, scratch: Scratch) -> Array:
    """Add each row of P (n·oh·ow, kh·kw·c) up where its patch lies, into ``out`` (n, h, w, c): `patches` transposed."""
    (n, h, w, c), (oh, ow) = out.shape, window.places(*out.shape[1:3])
    whole = out
    if window.padded:
        whole = scratch("padded", (n, h + window.top + window.bottom, w + window.left + window.right, c), out.dtype)
    whole.fill(0)
    given = P.reshape(n, oh, ow, window.height, window.width, c)
    for i, j, under in _each(whole, window):
        under += given[:, :, :, i, j]
    if window.padded:
        np.copyto(out, whole[:, window.top : window.top + h, window.left : window.left + w])
    return out


def max_pool(X: Array, window: Window, out: Array) -> Array:
    """Write the largest number under the window, by channel, into ``out`` (n, oh, ow, c)."""
    for i, j, under in _each(X, window):
        if i == j == 0:
            np.copyto(out, under)
        else:
            np.maximum(out, under, out=out)
    return out


def max_pool_gradient(X: Array, Y: Array, dY: Array, window: Window, out: Array, scratch: Scratch) -> Array:
    """Hand dY (n, oh, ow, c) to where the largest number Y of X lay, the first where several are, into ``out``."""
    left, part = (scratch(name, dY.shape, dY.dtype) for name in ("what is left of dY", "part of dY"))
    here = scratch("is the largest", dY.shape, np.bool_)
    np.copyto(left, dY)
    out.fill(0)
    apart = window.stride >= max(window.height, window.width)  # no number lies in two windows
    for (_, _, under), (_, _, dX) in zip(_each(X, window), _each(out, window), strict=True):
        np.equal(under, Y, out=here)
        own = np.multiply(left, here, out=dX if apart else part)
        if not apart:
            dX += own
        left -= own
    return out


def average_pool(X: Array, window: Window, out: Array) -> Array:
    """Write the mean of the numbers under the window, by channel, into ``out`` (n, oh, ow, c)."""
    out.fill(0)
    for _, _, under in _each(X, window):
        out += under
    out *= out.dtype.type(1 / (window.height * window.width))
    return out


def average_pool_gradient(dY: Array, window: Window, out: Array, scratch: Scratch) -> Array:
    """Hand dY / (kh kw) to each place under the window, into ``out`` (n, h, w, c)."""
    share = scratch("part of dY", dY.shape, dY.dtype)
    np.multiply(dY, dY.dtype.type(1 / (window.height * window.width)), out=share)
    out.fill(0)
    for _, _, dX in _each(out, window):
        dX += share
    return out


def _with_padding(X: Array, window: Window, scratch: Scratch) -> Array:
    """Return images with zeros around them, if the window asks for that."""
    if not window.padded:
        return X
    n, h, w, c = X.shape
    padded = scratch("padded", (n, h + window.top + window.bottom, w + window.left + window.right, c), X.dtype)
    padded.fill(0)
    padded[:, window.top : window.top + h, window.left : window.left + w] = X
    return padded


def _places(X: Array, window: Window) -> Array:
    """View padded images as what lies under the window at each place, (n, oh, ow, c, kh, kw)."""
    seen: Array = sliding_window_view(X, (window.height, window.width), axis=(1, 2))
    return seen[:, :: window.stride, :: window.stride]


def _each(X: Array, window: Window) -> Iterator[tuple[int, int, Array]]:
    """Yield, for each number (i, j) of a window, the view (n, oh, ow, c) of padded images that lies under it."""
    oh, ow = Window(window.height, window.width, window.stride).places(*X.shape[1:3])
    down, across = (oh - 1) * window.stride + 1, (ow - 1) * window.stride + 1
    for i in range(window.height):
        for j in range(window.width):
            yield i, j, X[:, i : i + down : window.stride, j : j + across : window.stride]
