"""Telling a digit's strokes from what else is on a picture: frames, lines of the paper, neighbours, specks."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["drop_stray_parts", "peel_lines", "without_frame"]

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_ALIKE = 12  # gray levels within which pixels of a bar or a frame lie
_OTHER = 24  # gray levels by which what is inside it differs
_MOST = 0.8  # fraction of the first line inside that differs
_DEEPEST = 0.4  # fraction of the picture's side which a bar takes at most

_OUTER = 0.2  # of the picture's shorter side: parts that touch the edge and lie in this strip are no digit's
_NINE_TENTHS = 0.9
_SPECK = 0.03  # fraction of all ink below which a separate stroke is a speck

_STEEPEST = np.tan(np.radians(5))  # of a ruled line
_SLOPES = np.linspace(-_STEEPEST, _STEEPEST, 41)
_SPAN = 0.75  # fraction of the picture which a ruled line crosses
_THICK = 0.04  # of the picture's side: a ruled line is thinner
_PREPARED = 40  # pixels: smaller pictures have been cropped to the digit already


def without_frame(gray: Floats) -> tuple[slice, slice]:
    """Return the rows and columns inside of bars and frames of one gray value along the picture's whole sides."""
    cut = [0, 0, 0, 0]  # from the top, right, bottom and left
    if min(gray.shape) >= _PREPARED:
        height, width = gray.shape
        for turn in range(8):  # twice around: a frame around bars, or bars around a frame
            if turn == 4 and not any(cut):
                break
            cut[turn % 4] += (bar := _bar(gray))
            gray = np.rot90(gray[bar:])
        return slice(cut[0], height - cut[2]), slice(cut[3], width - cut[1])
    return slice(None), slice(None)


def _bar(gray: Floats) -> int:
    """How many of the first rows are of one gray value from which the next row differs nearly everywhere."""
    colour = np.float32(np.median(gray[0]))
    deepest = int(_DEEPEST * len(gray))
    if deepest < 1 or np.abs(gray[0] - colour).max() > _ALIKE:
        return 0
    differs = np.abs(gray[: deepest + 3] - colour)
    others = np.flatnonzero((differs > _ALIKE).mean(axis=1) > 0.05)
    if not len(others) or others[0] > deepest:
        return 0
    for row in range(int(others[0]), min(int(others[0]) + 3, len(differs))):  # the first may be a soft edge
        if (differs[row] > _OTHER).mean() >= _MOST:
            return row
    return 0


def peel_lines(mask: Mask, thick: float = _THICK) -> Mask:
    """Take off straight lines across the picture, as of ruled and squared paper, but not what crosses them.

    Args:
        mask: (H, W), where there is ink.
        thick: of the picture's side; a line is thinner.
    """
    if min(mask.shape) < _PREPARED:
        return mask
    return _without_rows(_without_rows(mask, thick).T, thick).T


def _without_rows(mask: Mask, thick: float) -> Mask:
    """Take off lines that run from the left edge to the right one.

    The ink is projected along each slope that a line may have; a line is a narrow peak as high as the picture is wide.
    """
    height, width = mask.shape
    reach = width // 20 + 1
    if not (mask[:, :reach].any() and mask[:, -reach:].any()):
        return mask
    y, x = np.nonzero(mask)
    margin = int(_STEEPEST * width) + 1
    rows = np.rint(y + _SLOPES[:, None] * (x - width / 2)).astype(np.intp) + margin
    counts = np.stack([np.bincount(at, minlength=height + 2 * margin) for at in rows])
    left = mask.copy()
    thickest = max(3, round(thick * height))
    while counts.max() >= _SPAN * width:
        slope, peak = np.unravel_index(counts.argmax(), counts.shape)
        band = np.flatnonzero(counts[slope] < 0.5 * counts[slope, peak])
        first, last = band[band < peak].max(initial=-1) + 1, band[band > peak].min(initial=counts.shape[1]) - 1
        if last - first < thickest:
            _peel(left, mask, _SLOPES[slope], int(first) - margin - 1, int(last) - margin + 1)
        counts[:, max(0, first - thickest) : last + thickest + 1] = 0
    return left


def _peel(left: Mask, mask: Mask, slope: float, first: int, last: int) -> None:
    """Clear a band of rows, ``slope`` up a column, but for columns where there is ink on both sides of it."""
    height, width = mask.shape
    columns = np.arange(width)
    band = np.arange(first - 2, last + 3)[:, None] + np.rint(slope * (width / 2 - columns)).astype(np.intp)
    inside = (band >= 0) & (band < height)
    ink = mask[np.clip(band, 0, height - 1), columns] & inside
    around = np.ones(2 * ((last - first + 1) // 2) + 1)
    above, below = (np.convolve(rows.any(axis=0), around, "same") > 0 for rows in (ink[:2], ink[-2:]))
    cleared = inside & ~(above & below)
    cleared[[0, 1, -2, -1]] = False
    rows, at = np.nonzero(cleared)
    left[band[rows, at], at] = False


def drop_stray_parts(mask: Mask, depth: Floats) -> Mask:
    """Drop the parts that touch the edge and hardly leave it, and then specks, unless nothing else is there."""
    from scipy import ndimage

    parts, count = ndimage.label(mask, structure=np.ones((3, 3), bool))
    if count < 2:
        return mask
    amounts = np.bincount(parts.ravel(), np.where(mask, depth, 0).ravel(), count + 1)
    stray = np.zeros(count + 1, bool)
    edge = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    if len(edge := edge[edge > 0]):
        strip = max(1, round(_OUTER * min(mask.shape)))
        inner = np.bincount(parts[strip:-strip, strip:-strip].ravel(), minlength=count + 1)
        stray[edge] = inner[edge] <= (1 - _NINE_TENTHS) * np.bincount(parts.ravel(), minlength=count + 1)[edge]
        stray &= ~stray[1:].all()
    stray |= amounts < _SPECK * amounts[~stray].sum()
    stray[0] = True
    return ~stray[parts]
