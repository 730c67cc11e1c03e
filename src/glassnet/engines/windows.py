"""The operations of the compiled engine on windows that move over images (n, h, w, c), as loops over single numbers.

NumPy goes through an image once for each number of a window, and through memory each time; such a loop goes once. What
lies under a window (`patches`) NumPy copies as quickly as memory allows, so that is left to it.

A window is `glassnet.nn.Window` as a tuple: kh, kw, stride, and the padding at top, bottom, left and right.
"""

from typing import Any

import numpy as np

from .crew import shared
from .parts import bounds, inline

__all__ = ["add_patches", "max_pool", "max_pool_gradient"]


@shared
def add_patches(part: int, parts: int, P: Any, window: Any, oh: int, ow: int, out: Any) -> None:
    """Add each row of P (n·oh·ow, kh·kw·c) up where its patch lies, into ``out`` (n, h, w, c)."""
    n, h, w, c = out.shape
    kh, kw, stride, top, left = window[0], window[1], window[2], window[3], window[5]
    for image in range(*bounds(part, parts, n)):
        out[image] = 0
        for y in range(oh):
            for x in range(ow):
                row = P[(image * oh + y) * ow + x]
                x0 = x * stride - left  # of the image, under the window's first column
                first, last = max(-x0, 0), min(w - x0, kw)
                for u in range(kh):
                    yy = y * stride + u - top
                    if 0 <= yy < h and last > first:
                        given = row[(u * kw + first) * c : (u * kw + last) * c]
                        line = out[image, yy].reshape(w * c)[(x0 + first) * c : (x0 + last) * c]
                        for k in range(len(given)):
                            line[k] += given[k]


@shared
def max_pool(part: int, parts: int, X: Any, window: Any, out: Any) -> None:
    """Write the largest number under the window, by channel, into ``out`` (n, oh, ow, c).

    First down each column of the image, which takes a row of many numbers at a time, and then across.
    """
    (n, oh, ow, c), w = out.shape, X.shape[2]
    kh, kw, stride = window[0], window[1], window[2]
    column = np.empty(w * c, X.dtype)  # of each column, the largest number
    for image in range(*bounds(part, parts, n)):
        for y in range(oh):
            line = X[image, y * stride].reshape(w * c)
            for j in range(len(column)):
                column[j] = line[j]
            for u in range(1, kh):
                line = X[image, y * stride + u].reshape(w * c)
                for j in range(len(column)):
                    column[j] = _larger(column[j], line[j])
            largest = out[image, y].reshape(ow * c)
            for x in range(ow):
                for k in range(c):
                    largest[x * c + k] = column[x * stride * c + k]
                for v in range(1, kw):
                    for k in range(c):
                        largest[x * c + k] = _larger(largest[x * c + k], column[(x * stride + v) * c + k])


@inline
def _larger(one: Any, other: Any) -> Any:
    """Return the larger of two numbers; NaN is the largest, as in NumPy."""
    return other if other > one or other != other else one


@shared
def max_pool_gradient(part: int, parts: int, X: Any, Y: Any, dY: Any, window: Any, out: Any) -> None:
    """Hand dY (n, oh, ow, c) to where the largest number Y of X lay, the first where several are, into ``out``."""
    n, oh, ow, c = Y.shape
    kh, kw, stride = window[0], window[1], window[2]
    nothing = dY.dtype.type(0)
    apart = stride >= max(kh, kw)  # no number lies in two windows
    left = np.empty(c, dY.dtype)  # of dY, for those channels whose largest number has not come yet
    for image in range(*bounds(part, parts, n)):
        out[image] = 0
        for y in range(oh):
            for x in range(ow):
                largest = Y[image, y, x]
                left[:] = dY[image, y, x]
                for u in range(kh):
                    for v in range(kw):
                        seen = X[image, y * stride + u, x * stride + v]
                        back = out[image, y * stride + u, x * stride + v]
                        for k in range(c):
                            own = left[k] if seen[k] == largest[k] else nothing
                            back[k] = own if apart else back[k] + own
                            left[k] -= own
