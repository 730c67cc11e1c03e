"""Images seen through a distortion, in NumPy: from which place of the old image each pixel of the new one comes.

For the pixel p = (row, column), with c the centre of the image, that place is

    q = c + A⁻¹ (p − c − s) / (1 + g · (p − c)) + d(p)

where the matrix A turns, scales and shears, s shifts, g is the slope of a plane seen in perspective, and d is a smooth
random field. Between the old image's pixels its values are interpolated linearly in both directions, and outside of it
is ground.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from math import ceil, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .types import Shape

__all__ = ["affine_places", "blocks_of", "elastic_field", "interpolate", "see_in_perspective"]

Floats = NDArray[np.float32]
Numbers = NDArray[np.floating[Any]]
Scratch = Callable[..., Any]

BLOCK = 2**17  # pixels that go through all steps together: enough to outweigh the calls, few enough for a cache
FEW = 2**15  # pixels: with fewer a second thread costs more than it brings
PRODUCT = 2**15  # pixels in a product: with more a BLAS would take threads, and all of them may distort already


def blocks_of(shape: Shape, wanted: slice | None = None) -> dict[int, slice]:
    """Cut n images of a ``shape`` (n, h, w) into blocks; return those with images that are wanted, by their number.

    Where the cuts are follows from the shape alone.
    """
    count, pixels = shape[0], prod(shape)
    parts = min(2 * ceil(pixels / BLOCK / 2) if pixels > FEW else 1, count)
    ends = np.linspace(0, count, parts + 1).astype(int)
    first, last, _ = (wanted or slice(None)).indices(count)
    cut = enumerate(pairwise(ends))
    return {number: slice(begin, end) for number, (begin, end) in cut if begin < last and end > first}


def affine_places(matrices: Numbers, shifts: Numbers, shape: tuple[int, int], scratch: Scratch) -> Floats:
    """Return c + A⁻¹ (p − c − s) for each pixel p of n images ``(2, n, h, w)``.

    It is A⁻¹ p + t with t = c − A⁻¹ (c + s), so a product: (A⁻¹ | t) of many images times the pixels (row, column, 1).

    Args:
        matrices: A⁻¹ (2, 2, n).
        shifts: s (2, n), pixels down and across.
        shape: of an image, (h, w).
        scratch: memory, in which the result lies, too.
    """
    centre = (np.array(shape) - 1)[:, None] / 2
    rest = centre - np.einsum("abn,bn->an", matrices, centre + shifts)  # (2, n)
    factors = np.concatenate([matrices, rest[:, None]], axis=1).transpose(0, 2, 1)  # (2, n, 3)
    count, pixels = factors.shape[1], _pixels(shape)
    places: Floats = scratch("places", (2, count, pixels.shape[1]))
    few = max(PRODUCT // pixels.shape[1], 1)
    for start in range(0, count, few):
        some = slice(start, start + few)
        np.matmul(factors[:, some].astype(np.float32), pixels, out=places[:, some])
    return places.reshape(2, count, *shape)


def see_in_perspective(places: Floats, perspective: Numbers) -> None:
    """Divide what lies between the centre and each of ``places`` (2, n, h, w) by 1 + g · (p − c), in place.

    Args:
        places: as `affine_places` gives.
        perspective: g (2, n), 1/pixels down and across; so small that what it is divided by stays above 0.
    """
    shape = places.shape[2:]
    centre = (np.array(shape, np.float32) - 1) / 2
    slopes = perspective.astype(np.float32)
    far = (slopes.T @ (_pixels((shape[0], shape[1]))[:2] - centre[:, None])).reshape(-1, *shape)
    far += 1
    for axis, middle in zip(places, centre, strict=True):
        axis -= middle
        axis /= far
        axis += middle


@lru_cache(maxsize=8)
def _pixels(shape: tuple[int, int]) -> Floats:
    """Return row, column and 1 of each pixel, (3, h·w)."""
    rows, columns = np.indices(shape, np.float32).reshape(2, -1)
    return np.stack([rows, columns, np.ones_like(rows)])


def elastic_field(noise: NDArray[np.int16], down: Floats, across: Floats, scratch: Scratch) -> Floats:
    """Return smooth displacements K_down N K_acrossᵀ ``(2, n, h, w)``, down and across, in pixels.

    Args:
        noise: N, independent numbers, (2, n, a, b).
        down: K_down (h, a), which turns a numbers along a column into h smooth ones.
        across: K_across (w, b), the same along rows.
        scratch: memory, in which the result lies, too.
    """
    numbers, (h, w) = scratch("noise", noise.shape), (len(down), len(across))
    np.copyto(numbers, noise)
    half = np.matmul(down, numbers, out=scratch("half smoothed", (*noise.shape[:2], h, noise.shape[3])))
    field: Floats = np.matmul(half, across.T, out=scratch("field", (*noise.shape[:2], h, w)))
    return field


def interpolate(images: NDArray[Any], places: Floats, ground: float, out: NDArray[Any], scratch: Scratch) -> None:
    """Look images up between their pixels, linearly in both directions.

    Args:
        images: (n, h, w).
        places: rows and columns (2, n, h', w') to look up; they are overwritten.
        ground: the gray value outside of the images.
        out: where the values go, (n, h', w'), rounded where it holds whole numbers.
        scratch: memory.
    """
    count, height, width = images.shape
    line = width + 3
    framed = scratch("framed", (count, height + 3, line))  # ground around them: one line above, two below
    framed.fill(ground)
    framed[:, 1:-2, 1:-2] = images
    corner = scratch("corner", places.shape[1:], np.intp)
    for axis, side in zip(places.reshape(2, len(corner), -1), (height, width), strict=True):
        np.maximum(axis, _row(-1, axis.shape[1]), out=axis)
        np.minimum(axis, _row(side, axis.shape[1]), out=axis)
    _split(places, line, framed[0].size, corner, scratch)
    below, right = places  # of a pixel's side
    upper, lower, other = (scratch(name, corner.shape) for name in ("upper", "lower", "other"))
    flat = framed.ravel()
    for start, row in ((0, upper), (line, lower)):
        flat[start:].take(corner, out=row, mode="clip")  # "clip" lets NumPy write straight to out
        flat[start + 1 :].take(corner, out=other, mode="clip")
        _move_towards(row, other, right)
    _move_towards(upper, lower, below)
    if out.dtype.kind in "iu":
        upper += 0.5
    np.copyto(out, upper, casting="unsafe")  # cuts off what is left of the point


@lru_cache(maxsize=16)
def _row(bound: int, length: int) -> Floats:
    """Return equal numbers: with an array, a bound is set four times as quickly as with a number."""
    return np.full(length, bound, np.float32)


def _split(places: Floats, line: int, size: int, corner: NDArray[np.intp], scratch: Scratch) -> None:
    """Split places into the pixel above and to the left, as an index into all framed pixels, and what is left.

    Args:
        places: rows and columns (2, n, h, w), at least −1; only the part after the point stays.
        line: pixels in a row of a framed image.
        size: pixels in a framed image.
        corner: (n, h, w), where the indices go.
        scratch: memory.
    """
    floor, whole = scratch("floor", places.shape), scratch("whole", places.shape, np.int32)
    np.floor(places, out=floor)
    places -= floor
    np.copyto(whole, floor, casting="unsafe")
    row, column = whole
    row *= line
    row += column
    row += np.arange(line + 1, line + 1 + size * len(row), size, dtype=np.int32)[:, None, None]  # past the frame
    np.copyto(corner, row)


def _move_towards(a: Floats, b: Floats, share: Floats) -> None:
    """Replace ``a`` by a + share · (b − a); overwrite ``b``."""
    b -= a
    b *= share
    a += b
