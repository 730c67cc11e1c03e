"""What pens, paper and cameras do to the ink of training images, anew each time that they are shown.

Strokes are thick or thin, faint at one end, broken, blurred or hard, on paper that is not blank. Each image draws some
of these, by how much and where; all images of a block go through a step together.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["degrade"]

Floats = NDArray[np.float32]
Random = np.random.Generator

# Lengths are those of images of 28×28 pixels.
_SIDE = 28
_THICKER, _THINNER = 1.0, 0.7  # pixels on either side of a stroke
_SOFTER = 1.0  # of a binomial blur over 3×3 pixels
_HARDER = (0.6, 2.0)  # what ink is multiplied with, before it is cut off at full ink
_FADED = 0.7  # of the ink at one side
_BROKEN = (0.5, 1.2)  # pixels: half the width of a gap
_NOISE = 0.12  # standard deviation, of full ink
_RESIDUE = 0.35  # of full ink


def degrade(images: NDArray[Any], rng: Random, ground: float = 0) -> None:
    """Change the ink of images (n, h, w), in place.

    Args:
        images: light on ground 0, or dark on ground 255.
        rng: decides how.
        ground: the gray value of the paper.
    """
    if not images.size:
        return
    ink = images.astype(np.float32)
    if ground:
        np.subtract(ground, ink, out=ink)
    ink *= np.float32(1 / 255)
    ink = _soften(_stroke_width(ink, rng), rng)
    ink *= _fading(ink.shape, rng)
    ink *= _gaps(ink.shape, rng)
    ink *= _some(rng, len(ink), 0.5, *_HARDER, otherwise=1.0)
    np.minimum(ink, 1, out=ink)
    _soil(ink, rng)
    ink *= np.float32(255)
    if ground:
        np.subtract(ground, ink, out=ink)
    if images.dtype.kind in "iu":
        ink += np.float32(0.5)
    np.copyto(images, ink, casting="unsafe")


def _some(rng: Random, count: int, fraction: float, low: float, high: float, otherwise: float = 0.0) -> Floats:
    """Return for each image (n, 1, 1) a number from ``low`` to ``high``; for all but a ``fraction``, ``otherwise``."""
    numbers = np.where(rng.random(count) < fraction, rng.uniform(low, high, count), otherwise)
    return numbers.astype(np.float32)[:, None, None]


def _unit(shape: tuple[int, ...]) -> np.float32:
    """Return how many pixels of images (n, h, w) are one of 28×28, at most 1: strokes are thinner in smaller images."""
    return np.float32(min(1, max(shape[1:]) / _SIDE))


def _stroke_width(ink: Floats, rng: Random) -> Floats:
    """Make strokes thicker or thinner: gray dilation and erosion by a cross, of which a part is mixed in."""
    amount = _unit(ink.shape) * _some(rng, len(ink), 0.6, -_THINNER, _THICKER)
    thick, thin = (amount > 0)[:, 0, 0], (amount < 0)[:, 0, 0]
    for those, larger in ((thick, np.maximum), (thin, np.minimum)):
        some = ink[those]
        padded = np.pad(some, ((0, 0), (1, 1), (1, 1)))
        extreme = larger(padded[:, :-2, 1:-1], padded[:, 2:, 1:-1])
        for other in (padded[:, 1:-1, :-2], padded[:, 1:-1, 2:], some):
            larger(extreme, other, out=extreme)
        extreme -= some
        extreme *= np.abs(amount[those])
        ink[those] = some + extreme
    return ink


def _soften(ink: Floats, rng: Random) -> Floats:
    """Blur by (a, 1 − 2a, a) down and across."""
    part = _unit(ink.shape) * _some(rng, len(ink), 0.4, 0, _SOFTER / 4)
    for axis in (1, 2):
        padded = np.pad(ink, [(0, 0), *((int(axis == other),) * 2 for other in (1, 2))])
        before, after = (padded[:, :-2], padded[:, 2:]) if axis == 1 else (padded[:, :, :-2], padded[:, :, 2:])
        ink = ink + part * (before + after - 2 * ink)
    return ink


def _along(shape: tuple[int, ...], rng: Random) -> Floats:
    """Return how far each pixel (n, h, w) lies along a direction of each image's own, from −1 to 1 at the sides."""
    count, height, width = shape
    angle = rng.uniform(0, 2 * np.pi, count).astype(np.float32)[:, None, None]
    down, across = (np.linspace(-1, 1, side, dtype=np.float32) for side in (height, width))
    return np.asarray(np.cos(angle) * down[:, None] + np.sin(angle) * across, np.float32)


def _fading(shape: tuple[int, ...], rng: Random) -> Floats:
    """Return what is left of the ink: all at one side, less at the other."""
    left = 1 - _some(rng, shape[0], 0.3, 0, _FADED) * np.clip((_along(shape, rng) + 1) / 2, 0, 1)
    return np.asarray(left, np.float32)


def _gaps(shape: tuple[int, ...], rng: Random) -> Floats:
    """Return what is left of the ink where a gap crosses it."""
    half = _unit(shape) * _some(rng, shape[0], 0.15, *_BROKEN)
    place = rng.uniform(-0.5, 0.5, shape[0]).astype(np.float32)[:, None, None]
    distance = np.abs(_along(shape, rng) - place) * np.float32(max(shape[1:]) / 2)  # pixels
    left: Floats = np.where(half > 0, np.clip(distance - half + np.float32(0.5), 0, 1), np.float32(1))
    return left


def _soil(ink: Floats, rng: Random) -> None:
    """Add what paper and camera leave: noise, shades, and ends of lines at the edge, in place."""
    count, height, width = ink.shape
    noisy = np.flatnonzero(rng.random(count) < 0.25)
    amount = rng.uniform(0, _NOISE, len(noisy)).astype(np.float32)[:, None, None]
    ink[noisy] += amount * rng.standard_normal((len(noisy), height, width), np.float32)
    shaded = np.flatnonzero(rng.random(count) < 0.1)
    shade = _along((len(shaded), height, width), rng) - rng.random(len(shaded), np.float32)[:, None, None]
    ink[shaded] = np.maximum(ink[shaded], _RESIDUE * shade)
    for image in np.flatnonzero(rng.random(count) < 0.1):
        line = np.moveaxis(ink[image], int(rng.integers(2)), 0)[-int(rng.integers(0, 2))]
        first, last = np.sort(rng.integers(0, len(line) + 1, 2))
        line[first:last] = np.maximum(line[first:last], rng.uniform(0, 1))
    np.clip(ink, 0, 1, out=ink)
