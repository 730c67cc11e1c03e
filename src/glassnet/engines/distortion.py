"""Images seen through distortions, compiled: the equation of `glassnet.nn.distortion`.

Smooth fields are made for some images together, and then image by image is looked up, a large one some rows at a time,
so that what is needed stays in the cache. A loop goes over the pixels of many rows: one row of a small image is too
short for vector instructions.
"""

from typing import Any

import numpy as np

from .crew import shared
from .native import gemm
from .parts import bounds, inline

__all__ = ["distort"]

BAND = 1024  # pixels of an image that are looked up together
TOGETHER = 2**13  # pixels of all images whose fields are smoothed together, since a call of a BLAS has a fixed cost

ONE, HALF = np.float32(1), np.float32(0.5)


@shared
def distort(
    part: int,
    parts: int,
    blas: int,
    images: Any,
    matrices: Any,
    shifts: Any,
    slopes: Any,
    noise: Any,
    down: Any,
    across: Any,
    ground: Any,
    first: int,
    last: int,
    out: Any,
) -> None:
    """See images (n, h, w) uint8 through distortions, as `Engine.distort` says.

    ``slopes`` are g (2, n), ``noise`` may be empty, and the images that are wanted go from ``first`` to ``last``.
    """
    _, h, w = images.shape
    begin, end = bounds(part, parts, last - first)
    begin, end = begin + first, end + first
    if begin >= end:
        return
    framed = np.full((h + 3, w + 3), ground)  # ground around the image: one line above, two below
    height = min(max(BAND // w, 1), h)  # of a band
    rows, columns = np.empty(height * w, np.float32), np.empty(height * w, np.float32)
    y, x = np.empty(height * w, np.float32), np.empty(height * w, np.float32)
    for j in range(height * w):
        rows[j], columns[j] = j // w, j % w
    corner = np.empty(height * w, np.uint32)  # unsigned: negative indices need no check
    many = max(TOGETHER // (h * w), 1)
    a, b = noise.shape[2:]
    numbers, half = np.empty(2 * many * a * b, np.float32), np.empty(2 * many * h * b, np.float32)
    field = np.empty(2 * many * h * w if noise.size else 0, np.float32)
    for start in range(begin, end, many):
        count = min(many, end - start)
        if noise.size:
            elastic_field(blas, noise[:, start : start + count], down, across, numbers, half, field)
        for i in range(start, start + count):
            framed[1 : h + 1, 1 : w + 1] = images[i]
            for top in range(0, h, height):
                band = out[i, top : top + height].reshape(-1)
                own_y, own_x = y[: len(band)], x[: len(band)]
                if noise.size:
                    laid = field[: 2 * count * h * w].reshape(h, 2, count, w)
                    displacements(laid, 0, i - start, top, own_y)
                    displacements(laid, 1, i - start, top, own_x)
                else:
                    own_y[:] = 0
                    own_x[:] = 0
                move_to_places(rows, columns, top, h, w, matrices[:, :, i], shifts[:, i], slopes[:, i], own_y, own_x)
                interpolate(framed, own_y, own_x, corner, band)


@inline
def elastic_field(blas: int, noise: Any, down: Any, across: Any, numbers: Any, half: Any, field: Any) -> None:
    """Write K_down N K_acrossᵀ of m images, for N (2, m, a, b), into ``field``, (h, 2, m, w) flat.

    With the rows of all images beside each other, either product is a single one. ``numbers`` and ``half`` are memory.
    """
    (_, m, a, b), h, w = noise.shape, len(down), len(across)
    laid = numbers[: 2 * m * a * b].reshape(a, 2, m, b)
    for axis in range(2):
        for i in range(m):
            for row in range(a):
                own, place = noise[axis, i, row], laid[row, axis, i]
                for j in range(b):
                    place[j] = own[j]
    wide = 2 * m * b
    gemm(blas, (0, 0), (wide, h, a, wide, a, wide), numbers, down, half, 0)
    gemm(blas, (1, 0), (w, 2 * m * h, b, b, b, w), across, half, field, 0)


@inline
def displacements(field: Any, axis: int, i: int, top: int, out: Any) -> None:
    """Copy what an image is moved by along an axis into ``out`` (k,), from row ``top`` on."""
    w = field.shape[3]
    for first in range(0, len(out), w):
        numbers, place = field[top + first // w, axis, i], out[first : first + w]
        for j in range(w):
            place[j] = numbers[j]


@inline
def move_to_places(
    rows: Any, columns: Any, top: int, h: int, w: int, matrix: Any, shift: Any, slope: Any, y: Any, x: Any
) -> None:
    """Add to ``y`` and ``x`` (k,) from where in an image (h, w) the pixels of a band come.

    ``rows`` and ``columns`` are those of the band's pixels, and its first row is ``top``. In perspective, what lies
    between the centre and a place is divided, so the rest of that way is added first.
    """
    y_middle, x_middle = (h - 1) / 2, (w - 1) / 2
    y_c, x_c = y_middle + shift[0], x_middle + shift[1]
    a, b = np.float32(matrix[0, 0]), np.float32(matrix[0, 1])
    c, d = np.float32(matrix[1, 0]), np.float32(matrix[1, 1])
    s = np.float32(y_middle - matrix[0, 0] * y_c - matrix[0, 1] * x_c)
    t = np.float32(x_middle - matrix[1, 0] * y_c - matrix[1, 1] * x_c)
    first, y_m, x_m = np.float32(top), np.float32(y_middle), np.float32(x_middle)
    g_down, g_across = np.float32(slope[0]), np.float32(slope[1])
    if g_down != 0 or g_across != 0:
        for j in range(len(y)):
            row, column = first + rows[j], columns[j]
            nearer = ONE / (ONE + g_down * (row - y_m) + g_across * (column - x_m)) - ONE
            y[j] += nearer * (a * row + s + b * column - y_m)
            x[j] += nearer * (c * row + t + d * column - x_m)
    for j in range(len(y)):
        row, column = first + rows[j], columns[j]
        y[j] += a * row + s + b * column
        x[j] += c * row + t + d * column


@inline
def interpolate(framed: Any, y: Any, x: Any, corner: Any, out: Any) -> None:
    """Look an image up at rows ``y`` and columns ``x`` (k,), which are overwritten; around it ``framed`` has ground."""
    line, flat = framed.shape[1], framed.reshape(framed.size)
    least, bottom, right = np.float32(-1), np.float32(len(framed) - 3), np.float32(line - 3)
    for j in range(len(out)):
        down, across = min(max(y[j], least), bottom), min(max(x[j], least), right)
        row, column = np.floor(down), np.floor(across)
        y[j], x[j] = down - row, across - column
        corner[j] = (np.int32(row) + 1) * line + np.int32(column) + 1
    for j in range(len(out)):
        at = corner[j]
        upper = flat[at] + x[j] * (flat[at + 1] - flat[at])
        lower = flat[at + line] + x[j] * (flat[at + line + 1] - flat[at + line])
        out[j] = np.uint8(upper + y[j] * (lower - upper) + HALF)
