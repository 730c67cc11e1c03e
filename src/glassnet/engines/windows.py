"""The operations of the compiled engine on windows that move over images (n, h, w, c), as loops over single numbers.

NumPy goes through an image once for each number of a window, and through memory each time; such a loop goes once. What
lies under a window (`patches`) NumPy copies as quickly as memory allows, so that is left to it.

A window is `glassnet.nn.Window` as a tuple: kh, kw, stride, and the padding at top, bottom, left and right.
"""

from typing import Any

import numpy as np

from .crew import shared

__all__ = ["add_patches", "max_pool", "max_pool_gradient"]


@shared
def add_patches(part: int, parts: int, P: Any, window: Any, oh: int, ow: int, out: Any) -> None:
    """Add each row of P (n·oh·ow, kh·kw·c) up where its patch lies, into ``out`` (n, h, w, c)."""
    n, h, w, c = out.shape
    kh, kw, stride, top, left = window[0], window[1], window[2], window[3], window[5]
    for image in range(part * n // parts, (part + 1) * n // parts):
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
    """Write the largest number under the window, by channel, into ``out`` (n, oh, ow, c)."""
    n, oh, ow, c = out.shape
    kh, kw, stride = window[0], window[1], window[2]
    for image in range(part * n // parts, (part + 1) * n // parts):
        for y in range(oh):
            for x in range(ow):
                largest = out[image, y, x]
                for u in range(kh):
                    for v in range(kw):
                        seen = X[image, y * stride + u, x * stride + v]
                        if u == 0 and v == 0:
                            largest[:] = seen
                        for k in range(c):
                            # What is NaN stays so, as in NumPy.
                            if seen[k] > largest[k] or seen[k] != seen[k]:
                                largest[k] = seen[k]


@shared
def max_pool_gradient(part: int, parts: int, X: Any, Y: Any, dY: Any, window: Any, out: Any) -> None:
    """Hand dY (n, oh, ow, c) to where the largest number Y of X lay, the first where several are, into ``out``."""
    n, oh, ow, c = Y.shape
    kh, kw, stride = window[0], window[1], window[2]
    nothing = dY.dtype.type(0)
    left = np.empty(c, dY.dtype)  # of dY, for those channels whose largest number has not come yet
    for image in range(part * n // parts, (part + 1) * n // parts):
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
                            back[k] += own
                            left[k] -= own
