"""Convolutions of the compiled engine, tile by tile, without patches.

The patches of neighbouring places overlap: under a window that moves by one column, a row of a patch begins one pixel
after the last. So the numbers of a patch need not be copied together. A tile reads them where they lie in the image:
its rows are places next to each other, and its segments are the rows of the window.

    Z[y, x]  = b + Σ_u (row y + u of X, from column x on) · W[u]           rows of a tile: places x, x + 1, …
    dX[y, x] += dZ[y − u, x − v] · W[u, v]ᵀ, for each number (u, v) of the window       rows of a tile: places
    dW[u]    = Σ_y Σ_x (row y + u of X, from column x on)ᵀ dZ[y, x]        rows of a tile: numbers of W[u]

What goes in is laid out first, with the padding around it. In bfloat16 it is rounded then; for dW, where neighbours in
x are multiplied and added up, a number lies with its right-hand neighbour in one word. Everything is added up in an
order that follows from the shapes alone, whatever the number of threads.

hp and wp are height and width of an image with what is around it.
"""

from typing import Any

import numpy as np

from .crew import shared
from .kernels import add_rows
from .parts import bounds, inline
from .tiles import NARROW, TALL, WIDE, multiply_narrow_tile, multiply_tile, numbers_in, stored, together

__all__ = ["convolve", "gradients", "input_gradient", "pairs_of", "pixels_of", "rows_of"]

BLOCK = 2**16  # numbers of dZ, laid out as panels: what stays in a core's cache


# Layouts


@shared
def pixels_of(part: int, parts: int, X: Any, top: int, left: int, out: Any) -> None:
    """Put X (n, h, w, c) into ``out`` (n, hp, wp, c), with zeros above, to the left and wherever it does not reach.

    What does not fit, which no window reaches, is left out.
    """
    n, h, w, c = X.shape
    height, numbers = min(h, out.shape[1] - top), min(w, out.shape[2] - left) * c
    for i in range(*bounds(part, parts, n)):
        out[i] = 0
        for y in range(height):
            line, given = out[i, top + y].reshape(out.shape[2] * c)[left * c :], X[i, y].reshape(w * c)
            for j in range(numbers):
                line[j] = stored(given[j], out)


@shared
def rows_of(part: int, parts: int, X: Any, out: Any) -> None:
    """Round X (n, d) into ``out`` (n, d), or with a zero at the end of each row (n, d + 1)."""
    top, bottom = bounds(part, parts, len(X))
    d = X.shape[1]
    for i in range(top, bottom):
        x, row = X[i], out[i]
        for j in range(d):
            row[j] = stored(x[j], row)
        if len(row) > d:
            row[d] = 0


@shared
def pairs_of(part: int, parts: int, X: Any, top: int, left: int, stride: int, out: Any) -> None:
    """As `pixels_of`, in words: each number with the one that lies ``stride`` columns to its right."""
    n, h, w, c = X.shape
    height, width, apart = min(h, out.shape[1] - top), out.shape[2] * c, stride * c
    numbers = min(w, out.shape[2] + stride - left) * c
    line = np.zeros(width + apart, np.float32)
    for i in range(*bounds(part, parts, n)):
        out[i] = 0
        for y in range(height):
            line[left * c : left * c + numbers] = X[i, y].reshape(w * c)[:numbers]
            words = out[i, top + y].reshape(width)
            for j in range(width):
                words[j] = together(line[j], line[j + apart], out)


@inline
def _panel_of_filters(W: Any, left: int, panel: Any) -> None:
    """Lay WIDE filters, or as many as there are, of W (kh, kw, c, filters) out as a panel."""
    kh, kw, c, filters = W.shape
    n, width, share = kw * c, min(WIDE, filters - left), numbers_in(panel)
    K = -(-n // share)
    panel[:] = 0
    for u in range(kh):
        rows = W[u].reshape(n, filters)
        for k in range(K):
            entry, one = panel[u * K + k], rows[share * k, left : left + width]
            if share * k + 1 < n:
                other = rows[share * k + 1, left : left + width]
                for j in range(width):
                    entry[j] = together(one[j], other[j], panel)
            else:
                for j in range(width):
                    entry[j] = together(one[j], np.float32(0), panel)


# Products


@shared
def convolve(part: int, parts: int, X: Any, hp: int, wp: int, W: Any, b: Any, stride: int, like: Any, Z: Any) -> None:
    """Z (n, oh, ow, filters) for images X, W (kh, kw, c, filters), b (filters,).

    X is flat, as `pixels_of` lays it out. In words there is one number more after its last, which is multiplied by
    zero; so is what lies to the right of a window of an odd number of numbers: if that is not finite, the sum is NaN.
    ``like`` is an array of the type that panels have, float32 or words.
    """
    (kh, kw, c, filters), (n, oh, ow, _) = W.shape, Z.shape
    share = numbers_in(like)
    K = -(-kw * c // share)
    panel, offsets = np.empty((kh * K, WIDE), like.dtype), np.arange(kh) * (wp * c)
    start, spare, flat = np.zeros(WIDE, np.float32), np.empty(TALL * WIDE, np.float32), Z.reshape(Z.size)
    for left in range(0, filters, WIDE):
        _panel_of_filters(W, left, panel)
        width = min(WIDE, filters - left)
        start[:width] = b[left : left + width]
        for i in range(*bounds(part, parts, n)):
            for y in range(oh):
                for x in range(0, ow, TALL):
                    first = ((i * hp + y * stride) * wp + x * stride) * c
                    place = first, stride * c, share, min(TALL, ow - x) - 1
                    if ow - x >= TALL and width == WIDE:
                        at = ((i * oh + y) * ow + x) * filters + left
                        multiply_tile(X, place, offsets, panel, K, start, flat, (at, filters, 0))
                    elif ow - x >= TALL and width == NARROW:
                        at = ((i * oh + y) * ow + x) * filters + left
                        multiply_narrow_tile(X, place, offsets, panel, K, start, flat, (at, filters, 0))
                    else:
                        multiply_tile(X, place, offsets, panel, K, start, spare, (0, WIDE, 0))
                        Z[i, y, x : x + TALL, left : left + width] = spare.reshape(TALL, WIDE)[: ow - x, :width]


@inline
def _panels_of_turned_filters(W: Any, left: int, panels: Any) -> None:
    """Lay WIDE channels, or as many as there are, of W (kh, kw, c, filters) out: a panel of filters a place."""
    kh, kw, c, filters = W.shape
    width, share = min(WIDE, c - left), numbers_in(panels)
    panels[:] = 0
    for place in range(kh * kw):
        rows, panel = W.reshape(kh * kw, c, filters)[place], panels[place]
        for j in range(width):
            row = rows[left + j]
            for k in range(len(panel)):
                other = row[share * k + 1] if share * k + 1 < filters else np.float32(0)
                panel[k, j] = together(row[share * k], other, panels)


@shared
def input_gradient(part: int, parts: int, dZ: Any, oh: int, ow: int, W: Any, window: Any, like: Any, dX: Any) -> None:
    """dX (n, h, w, c) for dZ (n, oh, ow, filters) and W (kh, kw, c, filters).

    dZ is flat; in words, `rows_of` has rounded it. ``window`` is a `glassnet.nn.windows.Window` as a tuple: kh, kw,
    stride, and the padding at top, bottom, left and right.
    """
    (kh, kw, c, filters), (n, h, w, _) = W.shape, dX.shape
    stride, top, before = window[2], window[3], window[5]
    share = numbers_in(like)
    K = -(-filters // share)
    panels, offsets = np.empty((kh * kw, K, WIDE), like.dtype), np.zeros(1, np.int64)
    start, spare, flat = np.zeros(WIDE, np.float32), np.empty(TALL * WIDE, np.float32), dX.reshape(dX.size)
    square = spare.reshape(TALL, WIDE)
    images = bounds(part, parts, n)
    dX[images[0] : images[1]] = 0
    for left in range(0, c, WIDE):
        _panels_of_turned_filters(W, left, panels)
        width = min(WIDE, c - left)
        for i in range(*images):
            for u in range(kh):
                for v in range(kw):
                    # Of the places, those that have this number of the window inside the image.
                    first, end = max(-((v - before) // stride), 0), min((w - 1 + before - v) // stride + 1, ow)
                    for y in range(oh):
                        row = y * stride + u - top
                        if 0 <= row < h:
                            for x in range(first, end, TALL):
                                count, column = min(TALL, end - x), x * stride + v - before
                                place = ((i * oh + y) * ow + x) * share * K, share * K, share, count - 1
                                panel = panels[u * kw + v]
                                if count == TALL and width == WIDE:
                                    at = ((i * h + row) * w + column) * c + left
                                    multiply_tile(dZ, place, offsets, panel, K, start, flat, (at, stride * c, 1))
                                elif count == TALL and width == NARROW:
                                    at = ((i * h + row) * w + column) * c + left
                                    multiply_narrow_tile(dZ, place, offsets, panel, K, start, flat, (at, stride * c, 1))
                                else:
                                    own = dX[i, row, column : column + count * stride : stride, left : left + width]
                                    square[:count, :width] = own
                                    multiply_tile(dZ, place, offsets, panel, K, start, spare, (0, WIDE, 1))
                                    own[:] = square[:count, :width]


@inline
def _panel_of_places(dZ: Any, left: int, K: int, panel: Any) -> None:
    """Lay WIDE filters' gradients, or as many as there are, of dZ (n, oh, ow, filters) out, place by place."""
    n, oh, ow, filters = dZ.shape
    width, share = min(WIDE, filters - left), numbers_in(panel)
    if width < WIDE:
        panel[:] = 0
    for i in range(n):
        for y in range(oh):
            line = dZ[i, y]
            for k in range(K):
                entry, one = panel[(i * oh + y) * K + k], line[share * k, left : left + width]
                if share * k + 1 < ow:
                    other = line[share * k + 1, left : left + width]
                    for j in range(width):
                        entry[j] = together(one[j], other[j], panel)
                else:
                    for j in range(width):
                        entry[j] = together(one[j], np.float32(0), panel)


@shared
def gradients(
    part: int, parts: int, X: Any, hp: int, wp: int, dZ: Any, stride: int, like: Any, dW: Any, db: Any
) -> None:
    """dW (kh, kw, c, filters) and db (filters,) for dZ (n, oh, ow, filters).

    X is flat, as `pixels_of` lays it out, or where ``like`` has words, the halves of those of `pairs_of`. Other
    arguments are those of `convolve`. A few images are done at a time, and each adds to what those before it gave.
    """
    (kh, kw, c, filters), (n, oh, ow, _) = dW.shape, dZ.shape
    share, line = numbers_in(like), kw * c  # of a row of the window, the numbers
    K, tiles = -(-ow // share), -(-line // TALL)
    size = min(max(BLOCK // (oh * K * WIDE), 1), n)  # images at a time
    panel = np.empty((size * oh * K, WIDE), like.dtype)
    start, spare, flat = np.zeros(WIDE, np.float32), np.empty(TALL * WIDE, np.float32), dW.reshape(dW.size)
    square, places = spare.reshape(TALL, WIDE), np.empty(size * oh, np.int64)
    for i in range(size):
        for y in range(oh):
            places[i * oh + y] = share * (i * hp + y * stride) * wp * c
    for left in range(0, filters, WIDE):
        width = min(WIDE, filters - left)
        for begin in range(0, n, size):
            count = min(size, n - begin)
            _panel_of_places(dZ[begin : begin + count], left, K, panel)
            for tile in range(*bounds(part, parts, kh * tiles)):
                u, q = tile // tiles, tile % tiles * TALL
                last, goes_on = min(TALL, line - q) - 1, int(begin > 0)
                place = share * (((begin * hp + u) * wp) * c + q), share, share * share * stride * c, last
                offsets = places[: count * oh]
                if last == TALL - 1 and width == WIDE:
                    at = (u * line + q) * filters + left
                    multiply_tile(X, place, offsets, panel, K, start, flat, (at, filters, goes_on))
                elif last == TALL - 1 and width == NARROW:
                    at = (u * line + q) * filters + left
                    multiply_narrow_tile(X, place, offsets, panel, K, start, flat, (at, filters, goes_on))
                else:
                    own = dW[u].reshape(line, filters)[q : q + TALL, left : left + width]
                    square[: last + 1, :width] = own
                    multiply_tile(X, place, offsets, panel, K, start, spare, (0, WIDE, goes_on))
                    own[:] = square[: last + 1, :width]
    first, end = bounds(part, parts, filters)
    add_rows(dZ.reshape(n * oh * ow, filters), first, end, db)
