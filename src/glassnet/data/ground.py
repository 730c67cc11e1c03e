"""Telling the ink of a picture from its ground: paper or a board, evenly lit or not, with shadows across it.

Of several grounds the simplest is taken that explains nearly as many pixels as a ground of the neighbourhood does: one
level, a plane, a surface of the second degree, and at last the neighbourhood itself.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_CONTRAST", "Ink", "find_ink"]

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SMALL = 96  # pixels: the grounds are compared on a picture averaged down to this
_NEAR = 12  # gray levels from the ground within which a pixel is explained by it
_SCANNED = 40  # pixels: a picture up to this may be two gray values, with as much ink as ground
_COARSE = 12  # pixels of a picture's shorter side
_SURELY = 0.8  # fraction of the pixels which one level explains: no other ground is looked for
_AS_GOOD = 0.04  # fraction of the pixels by which a simpler ground may explain fewer
_ONE_SIDED = 0.97  # fraction of what a level does not explain that is lighter: under a shadow, ink is darker than it
_WINDOW = 0.4  # of the picture's longer side: a stroke is narrower, a shadow at the edge is not
_FAINT = 0.6  # of Otsu's threshold: where the strokes are faint, half of them would be below it
LEAST_CONTRAST = 14  # gray levels between ink and ground


@dataclass(frozen=True)
class Ink:
    """What lies on the ground of a picture.

    Attributes:
        depth: (H, W), gray levels by which each pixel differs from the ground towards the ink.
        threshold: gray levels; a pixel of more is ink. Infinite where nothing stands out.
    """

    depth: Floats
    threshold: float

    @property
    def mask(self) -> Mask:
        """(H, W), where there is ink."""
        return self.depth > self.threshold


def find_ink(gray: Floats) -> Ink:
    """Return the ink of a picture (H, W) of gray values, be it darker or lighter than its ground."""
    depth = _above_ground(gray)
    # The paper's texture is what a normal distribution's first decile says, where there is more of it than of noise.
    few = np.abs(depth).ravel()[:: 1 + depth.size // 20_000]
    noise = max(_noise(depth), float(np.quantile(few, 0.1)) / 0.1257)
    least = max(LEAST_CONTRAST, 5 * noise)
    faults = gray.size // 5000  # pixels that may be a fault of the camera
    full = _largest_after(faults, depth)
    if full < least:
        return Ink(depth, np.inf)
    return Ink(depth, max(_FAINT * _otsu(depth), 3 * noise, least / 3))


def _largest_after(faults: int, depth: Floats) -> float:
    """Return the largest depth after the `faults` largest.

    A sample gives a lower bound, so only few pixels are sorted.
    """
    some = depth.ravel()[::16]
    high = depth[depth >= np.partition(some, -1 - faults)[-1 - faults]]
    return float(np.partition(high, -1 - faults)[-1 - faults])


def _noise(gray: Floats) -> float:
    """The standard deviation of a pixel's noise, from the median difference of neighbours."""
    if min(gray.shape) < _COARSE:  # where neighbours differ by the strokes themselves
        return 0.0
    differences = np.abs(np.diff(gray, axis=1)).ravel()
    return 1.05 * float(np.median(differences[:: 1 + gray.size // 20_000]))


def _otsu(depth: Floats) -> float:
    """The threshold of Otsu (A Threshold Selection Method from Gray-Level Histograms, 1979) of positive depths."""
    counts = np.bincount(np.clip(depth, 0, 255).astype(np.uint8).ravel(), minlength=256).astype(np.float64)
    below, sums = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    products = below * (below[-1] - below)
    between = (sums[-1] * below / below[-1] - sums) ** 2 / np.maximum(products, 1)
    return float(np.flatnonzero(between == between.max()).mean())


def _above_ground(gray: Floats) -> Floats:
    """The picture less its ground, turned so that ink is above it."""
    from scipy import ndimage

    border = _border(gray)
    if np.ptp(border) == 0:  # a drawing program's ground
        return _turned(gray - border[0])
    small = _reduced(gray)
    near = max(_NEAR, 4 * _noise(small))
    level = _level(small, near)
    if _is_level(small, level, near):
        return _turned(gray - np.median(gray[np.abs(gray - level) < near]))
    is_dark = _is_dark(small, level, near)
    enough = _explained(small - _neighbourhood(small, is_dark), near) - _AS_GOOD
    if _explained(small - level, near) >= enough:
        return _turned(gray - np.median(gray[np.abs(gray - level) < near]))
    for degree in (1, 2):
        coefficients = _fitted(small, degree)
        if _explained(small - _surface(coefficients, small.shape), near) >= enough:
            surface = _surface(coefficients, gray.shape)
            return _as_lit_evenly(_turned(gray - surface), surface)
    smooth: Floats = ndimage.gaussian_filter(gray, 1)
    ground = _neighbourhood(smooth, is_dark)
    return _as_lit_evenly(ground - smooth if is_dark else smooth - ground, ground)


def _is_level(small: Floats, level: np.float32, near: float) -> bool:
    """Whether a level is the ground without doubt, or a small picture has two gray values alone."""
    difference = small - level
    if _explained(difference, near) >= _SURELY:
        return True
    if max(small.shape) > _SCANNED:
        return False
    others = small[np.abs(difference) >= near]
    return bool(np.abs(others - np.median(others)).mean() < near)


def _as_lit_evenly(depth: Floats, ground: Floats) -> Floats:
    """Depth as if the light were the same everywhere: in a shadow, ink takes less from the little light there is."""
    return (depth * (np.median(ground) / np.maximum(ground, 16))).astype(np.float32)


def _border(gray: Floats) -> Floats:
    return np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])


def _reduced(gray: Floats) -> Floats:
    from PIL import Image

    factor = max(gray.shape) // _SMALL
    return gray if factor < 2 else np.asarray(Image.fromarray(gray).reduce(factor), dtype=np.float32)


def _explained(difference: Floats, near: float) -> float:
    """The fraction of pixels near the ground: the mean of that in a strip along the border and that of the whole."""
    is_near = np.abs(difference) < near
    margin = max(1, min(is_near.shape) // 8)
    inside = is_near[margin:-margin, margin:-margin]
    strip = (is_near.sum() - inside.sum()) / max(1, is_near.size - inside.size)
    return float(is_near.mean() + strip) / 2


def _level(gray: Floats, near: float) -> np.float32:
    """The one gray value that explains most, among the commonest ones of the whole picture and of its border."""
    starts = [np.median(border := _border(gray))]
    for values in (gray, border):
        counts = np.convolve(np.bincount(values.astype(np.uint8).ravel(), minlength=256), np.ones(9), "same")
        for _ in range(2):
            starts.append(np.float32(peak := int(counts.argmax())))
            counts[max(0, peak - 40) : peak + 41] = 0
    return max(starts, key=lambda level: _explained(gray - level, near))


def _turned(difference: Floats) -> Floats:
    """Many faint shadows must not outweigh a few strokes when it is decided whether ink is light: hence the cube."""
    return -difference if np.sum(difference * difference * difference, dtype=np.float64) < 0 else difference


def _monomials(shape: tuple[int, ...], degree: int) -> Floats:
    y, x = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32) for side in shape), indexing="ij")
    ones = np.ones_like(x)
    return np.stack([ones, x, y] if degree == 1 else [ones, x, y, x * x, x * y, y * y])


def _fitted(gray: Floats, degree: int) -> Floats:
    """The coefficients of a surface fitted by least squares, where a pixel weighs less the further it lies from it.

    The weights are those of Geman and McClure (Bayesian Image Analysis, 1985). What counts as far begins at 64 gray
    levels, that the light may differ over the picture, and comes down to 12.
    """
    margin = max(1, min(gray.shape) // 12)
    border = np.ones(gray.shape, dtype=bool)
    border[margin:-margin, margin:-margin] = False
    A, b = _monomials(gray.shape, degree)[:, border].astype(np.float64), gray[border].astype(np.float64)
    coefficients = np.zeros(len(A))
    coefficients[0] = np.median(b)
    for far in np.geomspace(64, _NEAR, 10):
        weighted = A * (1 + ((coefficients @ A - b) / far) ** 2) ** -2
        coefficients = np.linalg.lstsq(weighted @ A.T, weighted @ b, rcond=None)[0]
    return coefficients.astype(np.float32)


def _surface(coefficients: Floats, shape: tuple[int, ...]) -> Floats:
    return np.tensordot(coefficients, _monomials(shape, 1 if len(coefficients) == 3 else 2), axes=1)


def _is_dark(gray: Floats, level: np.float32, near: float) -> bool:
    """Whether ink is darker than its ground, as seen at the outline of the part of the picture that has any.

    What lies just outside the outline is ground, and what lies just inside is ink, or ground in the hollow of a digit.
    A shadow's edge may cross it: unless what is inside is clearly lighter, ink is taken to be dark. Where all that a
    level does not explain is lighter than it, ink is light, for under a shadow there would be some that is darker, too.
    """
    from scipy import ndimage

    others = gray[np.abs(gray - level) >= near]
    if (others > level).sum() > _ONE_SIDED * others.size:
        return False
    relief = -_neighbourhood(gray, False) + _neighbourhood(gray, True)
    busy = relief > max(LEAST_CONTRAST, 0.3 * float(relief.max()))
    outside = ndimage.binary_dilation(busy) & ~busy
    inside = busy & ~ndimage.binary_erosion(busy, border_value=1)
    if not (outside.any() and inside.any()):
        return True
    return float(gray[outside].mean() - gray[inside].mean()) > -0.1 * float(relief.max())


def _neighbourhood(gray: Floats, is_dark: bool) -> Floats:
    """The ground as the paper around shows it: what is darker (or lighter) than all around and narrow is filled.

    This is a closing (or an opening) by a square (Serra, Image Analysis and Mathematical Morphology, 1982), which
    leaves the edges of wide shadows where they are.
    """
    from scipy import ndimage

    size = max(3, round(_WINDOW * max(gray.shape)))
    first, second = ndimage.maximum_filter, ndimage.minimum_filter
    if not is_dark:
        first, second = second, first
    ground: Floats = second(first(gray, size, mode="nearest"), size, mode="nearest")
    return ground
